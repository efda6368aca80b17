/* The packet queue against two counters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "pkt/pkt.h"
#include "region.h"

static void mem_new(struct pktmem *m, size_t pages)
{
	void *mem = aligned_alloc(ARENA_PAGE_SIZE, pages * ARENA_PAGE_SIZE);

	memset(mem, 0, pages * ARENA_PAGE_SIZE);
	assert_int_equal(pktmem_init(m, mem, pages * ARENA_PAGE_SIZE), 0);
}

static void mem_free(struct pktmem *m)
{
	void *mem = m->home;

	pktmem_fini(m);
	free(mem);
}

static void pktq__model(void **state)
{
	struct pktmem m = {0};
	mem_new(&m, 32);
	struct pktq q = {0};
	uint32_t pushed = 0, popped = 0;
	struct rng r;

	rng_seed(&r, 5);
	assert_null(pktq_pop(&m, &q));
	for (int i = 0; i < 5000; i++) {
		struct pkt *p;
		if (rng_below(&r, 2) && pushed - popped < 300) {
			p = pkt_new(&m, 0);
			p->m.id = pushed;
			pkt_put(p, pushed % 100);
			pushed++;
			pktq_push(&m, &q, p);
		} else if ((p = pktq_pop(&m, &q))) {
			assert_int_equal(p->m.id, popped);
			assert_int_equal(p->next, 0);
			popped++;
			pkt_free(&m, p);
		}
		uint32_t bytes = 0;
		for (uint32_t k = popped; k < pushed; k++)
			bytes += k % 100;
		assert_int_equal(q.n, pushed - popped);
		assert_int_equal(q.bytes, bytes);
		assert_int_equal(!pktq_peek(&m, &q), pushed == popped);
		assert_int_equal(pktmem_pkts_used(&m), q.n);
	}
	pktq_clear(&m, &q);
	assert_int_equal(q.n + q.bytes + q.head + q.tail, 0);
	assert_int_equal(pktmem_pkts_used(&m), 0);
	mem_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(pktq__model)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
