/* test/unit/reasm_world.h - the reassembly engine alone: memory, a wheel, fragments made of noise. */
#ifndef UNIT_REASM_WORLD_H
#define UNIT_REASM_WORLD_H

#include "base/rng.h"
#include "net/reasm.h"
#include "region.h"

enum { KIND = 7, ROOM = 65515, HOME_BYTES = 64 << 20 };

struct world {
	void *home;
	struct pktmem mem;
	struct arena *arena;
	struct wheel *wheel;
	struct reasm *r;
	struct reasm_env e;
	uint64_t drops[DROP_COUNT];
	struct pktq dropped;
	uint32_t packets;       /* in use before anything was put in */
	size_t base;
};

static inline void world_new(struct world *x, size_t home_bytes)
{
	memset(x, 0, sizeof(*x));
	x->home = aligned_alloc(ARENA_PAGE_SIZE, home_bytes);
	memset(x->home, 0, home_bytes);
	assert_int_equal(pktmem_init(&x->mem, x->home, home_bytes), 0);
	x->arena = region_new(16 << 20);
	x->wheel = arena_at(x->arena, arena_buf_take(x->arena, sizeof(struct wheel)));
	x->r = arena_at(x->arena, arena_buf_take(x->arena, sizeof(struct reasm)));
	x->e = (struct reasm_env){.arena = x->arena, .wheel = x->wheel, .mem = &x->mem, .now = NS_PER_S, .drops = x->drops};
	memset(x->wheel, 0, sizeof(*x->wheel));
	wheel_init(x->wheel, x->e.now);
	reasm_init(&x->e, x->r, (struct prf_key){1, 2}, KIND);
	x->base = arena_bytes_used(x->arena);
}

/* Nothing may be left: not in the arena, not of packets. */
static inline void world_free(struct world *x)
{
	reasm_fini(&x->e, x->r);
	pktq_clear(&x->mem, &x->dropped);
	assert_int_equal(x->r->bytes, 0);
	assert_int_equal(arena_bytes_used(x->arena), x->base);
	assert_int_equal(pktmem_pkts_used(&x->mem), 0);
	assert_int_equal(pktmem_blks_used(&x->mem), 0);
	pktmem_fini(&x->mem);
	region_free(x->arena);
	free(x->home);
}

static inline struct reasm_key key_of(uint32_t src, uint32_t id)
{
	return (struct reasm_key){.src = via_addr_v4(src), .dst = via_addr_v4(0x0a000001), .id = id, .proto = 17};
}

/* A packet of these bytes, some of them in blocks. */
static inline struct pkt *packet_of(struct world *x, const uint8_t *bytes, uint32_t n)
{
	struct pkt *p = pkt_new(&x->mem, 64);
	assert_non_null(p);
	assert_int_equal(pkt_append(&x->mem, p, bytes, n), 0);
	return p;
}

/* Put in [off, off+len) of `bytes`; what is not taken is freed. */
static inline enum drop put(struct world *x, const struct reasm_key *k, const uint8_t *bytes, uint32_t off, uint32_t len, bool more,
			    uint8_t ecn, struct reasm_whole *whole)
{
	struct reasm_fragment f = {.off = off, .len = len, .room = ROOM, .more = more, .ecn = ecn};
	struct pkt *p = packet_of(x, bytes + off, len);
	enum drop why = reasm_input(&x->e, x->r, k, &f, p, whole, &x->dropped);
	if (why)
		pkt_free(&x->mem, p);
	return why;
}

static inline void expect_whole(struct world *x, struct reasm_whole *w, const uint8_t *bytes, uint32_t len)
{
	static uint8_t got[70000];
	assert_non_null(w->p);
	assert_int_equal(w->p->len, len);
	assert_int_equal(pkt_copy_out(&x->mem, w->p, 0, got, sizeof(got)), len);
	assert_memory_equal(got, bytes, len);
	pkt_free(&x->mem, w->p);
	w->p = NULL;
}
#endif
