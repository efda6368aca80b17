/* test/unit/neigh_world.h - a neighbour cache alone, with a wheel and packets: what tests of ARP and of neighbour discovery share. */
#ifndef UNIT_NEIGH_WORLD_H
#define UNIT_NEIGH_WORLD_H

#include "link/neigh.h"
#include "region.h"

enum { KIND = 16, IF = 2 };

struct world {
	struct arena *a;
	void *home;
	struct pktmem mem;
	struct wheel w;
	struct neigh_cache c;
	struct neigh_env e;
};

static const uint8_t mac_a[6] = {2, 0, 0, 0, 0, 0xa}, mac_b[6] = {2, 0, 0, 0, 0, 0xb};

static inline int setup(void **state)
{
	struct world *x = calloc(1, sizeof(*x));
	x->a = region_new(16 * ARENA_PAGE_SIZE);
	x->home = aligned_alloc(ARENA_PAGE_SIZE, 128 * ARENA_PAGE_SIZE);
	memset(x->home, 0, 128 * ARENA_PAGE_SIZE);
	pktmem_init(&x->mem, x->home, 128 * ARENA_PAGE_SIZE);
	wheel_init(&x->w, 0);
	x->e = (struct neigh_env){.arena = x->a, .wheel = &x->w, .mem = &x->mem, .now = 0};
	neigh_cache_init(&x->e, &x->c, (struct prf_key){1, 2}, KIND);
	*state = x;
	return 0;
}

static inline int teardown(void **state)
{
	struct world *x = *state;
	struct pktq q = {0};
	neigh_flush(&x->e, &x->c, 0, &q);
	pktq_clear(&x->mem, &q);
	assert_int_equal(pktmem_pkts_used(&x->mem), 0);
	assert_int_equal(arena_bytes_used(x->a), 0);
	pktmem_fini(&x->mem);
	free(x->home);
	region_free(x->a);
	free(x);
	return 0;
}

/* A packet marked `mark` wants to go to `to`. */
static inline enum neigh_verdict send_to(struct world *x, struct via_addr to, uint32_t mark, struct neigh_ask *ask, struct pktq *dropped)
{
	struct pkt *p = pkt_new(&x->mem, PKT_HEADROOM);
	ref_t r;
	p->m.flow_hash = mark;
	enum neigh_verdict v = neigh_resolve(&x->e, &x->c, IF, &to, p, ask, dropped, &r);
	if (v != NEIGH_WAITS)
		pkt_free(&x->mem, p);
	return v;
}

/* Let time pass to t, counting questions and failed packets. */
static inline void run_to(struct world *x, int64_t t, int *asks, int *unicasts, int *failed)
{
	struct pktq q = {0};
	ref_t r;
	while (wheel_next(&x->w) <= t) {
		x->e.now = MAX(x->e.now, wheel_next(&x->w));
		while ((r = wheel_expire(x->a, &x->w, x->e.now)) != 0) {
			struct neigh_ask ask;
			neigh_timeout(&x->e, &x->c, r, &ask, &q);
			*asks += ask.ask;
			*unicasts += ask.ask && ask.unicast;
		}
	}
	x->e.now = t;
	*failed += (int)q.n;
	pktq_clear(&x->mem, &q);
}
#endif
