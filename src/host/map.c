/* host/map.c - memory that costs nothing until touched, and packet memory in it.
 *
 * Reserved address space (MAP_NORESERVE), 64 KiB aligned, zeroed by the kernel. */
#include "host/map.h"

#include "host/node.h"
#include "pkt/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#if defined(__SANITIZE_ADDRESS__)
#define HOST_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HOST_ASAN 1
#endif
#endif
#ifdef HOST_ASAN
#include <sanitizer/asan_interface.h>
#endif

enum { HOST_ALIGN = 65536 };

struct host_pktmem {
	struct pktmem m; /* first: callers hold its address */
	struct host_map map;
};

int host_map_new(struct host_map *m, size_t bytes)
{
	bytes = (bytes + HOST_ALIGN - 1) & ~(size_t)(HOST_ALIGN - 1);
	size_t over = bytes + HOST_ALIGN;
	char *p = mmap(NULL, over, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return -ENOMEM;
	size_t front = -(uintptr_t)p & (HOST_ALIGN - 1);
	if (front)
		munmap(p, front);
	if (over - front - bytes)
		munmap(p + front + bytes, over - front - bytes);
	*m = (struct host_map){p + front, bytes};
	return 0;
}

void host_map_free(struct host_map *m)
{
#ifdef HOST_ASAN
	__asan_unpoison_memory_region(m->at, m->bytes); /* the next mapping there begins clean */
#endif
	munmap(m->at, m->bytes);
}

struct pktmem *host_pktmem_new(size_t bytes)
{
	struct host_pktmem *h = calloc(1, sizeof(*h));
	if (!h)
		return NULL;
	int err = host_map_new(&h->map, bytes);
	if (err == 0) {
		err = pktmem_init(&h->m, h->map.at, h->map.bytes);
		if (err < 0)
			host_map_free(&h->map);
	}
	if (err < 0) {
		free(h);
		errno = -err;
		return NULL;
	}
	return &h->m;
}

void host_pktmem_free(struct pktmem *m)
{
	if (!m)
		return;
	struct host_pktmem *h = CONTAINER_OF(m, struct host_pktmem, m);
	host_map_free(&h->map);
	free(h);
}
