/* test/unit/region.h - memory for the arenas of tests: zeroed, 64 KiB aligned, from malloc so that leaks are seen. */
#ifndef UNIT_REGION_H
#define UNIT_REGION_H

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

static inline struct arena *region_new(size_t bytes)
{
	void *mem = aligned_alloc(ARENA_PAGE_SIZE, bytes);

	memset(mem, 0, bytes);
	return arena_init(mem, bytes);
}

static inline void region_free(struct arena *a)
{
	arena_fini(a);
	free(a);
}

#endif
