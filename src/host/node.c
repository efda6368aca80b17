/* host/node.c - a stack and its memory.
 *
 * The arena is a lazily committed mapping (host/map.h), so an empty stack touches only what it uses; huge pages are
 * declined for it, because its use is scattered. Pages that become free go back with madvise. */
#include "host/node.h"

#include "host/map.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

#define HOST_ARENA_BYTES ((size_t)256 << 20)

/* Process-local part of a stack: this header, then via_size() bytes. */
struct host_stack {
	struct host_map arena;
	struct pktmem *own; /* packet memory that goes with it, or NULL */
};
enum { STACK_HEADER = 64 };

static struct host_stack *host_stack_of(struct via *v)
{
	return (struct host_stack *)(void *)((char *)v - STACK_HEADER);
}

/* 0, or -errno. */
static int host_stack_config(const struct host_stack_opts *o, const struct host_map *arena, struct via_config *c)
{
	*c = (struct via_config){.size = sizeof(*c), .name = o->name, .arena = arena->at, .arena_bytes = arena->bytes,
		.mem = o->mem, .trace = o->trace, .now = o->now, .forwarding = o->forwarding};
	if (o->seed)
		memcpy(c->seed, o->seed, sizeof(c->seed));
	else if (getrandom(c->seed, sizeof(c->seed), 0) != (ssize_t)sizeof(c->seed))
		return -EIO;
	return 0;
}

struct via *host_stack_new(const struct host_stack_opts *o)
{
	_Static_assert(sizeof(struct host_stack) <= STACK_HEADER, "the header keeps the stack 64-byte aligned");
	size_t bytes = (STACK_HEADER + via_size() + 63) & ~(size_t)63;
	struct host_stack *h = aligned_alloc(64, bytes);
	if (!h)
		return NULL;
	memset(h, 0, bytes);
	struct via *v = NULL;
	struct via_config c;
	int err = host_map_new(&h->arena, o->arena_bytes ? o->arena_bytes : HOST_ARENA_BYTES);
	if (err == 0) {
		madvise(h->arena.at, h->arena.bytes, MADV_NOHUGEPAGE); /* a wish: refused where there are none */
		err = host_stack_config(o, &h->arena, &c);
		v = err == 0 ? via_init((char *)h + STACK_HEADER, &c) : NULL;
		if (!v)
			host_map_free(&h->arena);
	}
	if (!v) {
		free(h);
		errno = err ? -err : ENOMEM;
	}
	return v;
}

void host_stack_free(struct via *v)
{
	if (!v)
		return;
	struct host_stack *h = host_stack_of(v);
	via_fini(v);
	host_map_free(&h->arena);
	free(h);
}

#define HOST_PACKET_BYTES ((size_t)64 << 20)

struct via *via_host_stack_new(const struct via_host_config *cfg)
{
	const struct via_host_config c = cfg ? *cfg : (struct via_host_config){.size = sizeof(c)};
	if (c.size != sizeof(c)) {
		errno = EINVAL;
		return NULL;
	}
	struct pktmem *mem = host_pktmem_new(c.packet_bytes ? c.packet_bytes : HOST_PACKET_BYTES);
	if (!mem)
		return NULL;
	struct via *v = host_stack_new(&(struct host_stack_opts){.name = c.name ? c.name : "host", .arena_bytes = c.arena_bytes,
		.mem = mem, .seed = c.seed, .now = c.now, .forwarding = c.forwarding});
	if (!v) {
		int e = errno;
		host_pktmem_free(mem);
		errno = e;
		return NULL;
	}
	host_stack_of(v)->own = mem;
	return v;
}

void via_host_stack_free(struct via *v)
{
	if (!v)
		return;
	struct pktmem *own = host_stack_of(v)->own;
	host_stack_free(v);
	host_pktmem_free(own);
}

size_t via_host_stack_trim(struct via *v)
{
	return host_stack_trim(v);
}

int64_t via_host_now(void)
{
	return loop_now();
}

size_t host_stack_trim(struct via *v)
{
	const struct host_stack *h = host_stack_of(v);
	size_t off, len, sum = 0;
	for (int n = 0; via_trim(v, n, &off, &len); n++)
		if (madvise((char *)h->arena.at + off, len, MADV_DONTNEED) == 0)
			sum += len;
	return sum;
}
