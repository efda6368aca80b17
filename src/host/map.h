/* host/map.h - reserved, lazily committed, 64 KiB aligned memory. */
#ifndef HOST_MAP_H
#define HOST_MAP_H

#include "base/defs.h"

struct host_map {
	void *at;
	size_t bytes; /* whole multiples of 64 KiB */
};
/* At least `bytes`, zeroed on touch. 0 or -ENOMEM. */
int host_map_new(struct host_map *m, size_t bytes);
void host_map_free(struct host_map *m);

#endif
