/* Chains of packets against a flat array of their bytes: reading, summing, cutting, copying, taking parts by reference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "base/csum.h"
#include "base/rng.h"
#include "pkt/pkt.h"
#include "region.h"

enum { PAGES = 32, FLAT_MAX = 70000, RUNS = 400 }; /* a slice per block: no more than PKT_SLICES_MAX */

struct chain {
	struct pkt *p;
	uint8_t flat[FLAT_MAX];
	uint32_t len;
};

static void mem_new(struct pktmem *m)
{
	void *mem = aligned_alloc(ARENA_PAGE_SIZE, PAGES * ARENA_PAGE_SIZE);
	memset(mem, 0, PAGES * ARENA_PAGE_SIZE);
	assert_int_equal(pktmem_init(m, mem, PAGES * ARENA_PAGE_SIZE), 0);
}

/* Nothing may be left. */
static void mem_free(struct pktmem *m)
{
	void *mem = m->home;
	assert_int_equal(pktmem_pkts_used(m), 0);
	assert_int_equal(pktmem_blks_used(m), 0);
	pktmem_fini(m);
	free(mem);
}

/* One packet of noise: linear bytes (perhaps none), then perhaps blocks. */
static struct pkt *noise(struct pktmem *m, struct rng *r, struct chain *c)
{
	struct pkt *p = pkt_new(m, rng_below(r, 200));
	uint32_t linear = rng_below(r, 4) ? rng_below(r, 1400) : 0, rest = rng_below(r, 3) ? 0 : rng_below(r, 3000);
	for (uint32_t i = 0; i < linear + rest; i++)
		c->flat[c->len + i] = (uint8_t)rng_below(r, 256);
	memcpy(pkt_put(p, linear), c->flat + c->len, linear);
	c->len += linear;
	for (uint32_t n; rest > 0; rest -= n, c->len += n) {
		blk_t b = blk_new(m);
		uint32_t off = rng_below(r, 100);
		n = 300 + (uint32_t)rng_below(r, 3000);
		n = MIN(n, rest);
		memcpy(blk_data(m, b) + off, c->flat + c->len, n);
		assert_int_equal(pkt_append_slice(m, p, b, off, n), 0);
		blk_drop(m, b);
	}
	return p;
}

static void chain_new(struct pktmem *m, struct rng *r, struct chain *c)
{
	c->len = 0;
	struct pkt *last = c->p = noise(m, r, c);
	for (uint32_t n = rng_below(r, 8); n > 0; n--) {
		struct pkt *q = noise(m, r, c);
		pkt_chain(m, c->p, last, q);
		last = q;
	}
}

static void check(struct pktmem *m, struct rng *r, const struct pkt *p, const uint8_t *flat, uint32_t len)
{
	static uint8_t out[FLAT_MAX];
	assert_int_equal(p->len, len);
	assert_int_equal(pkt_copy_out(m, p, 0, out, sizeof(out)), len);
	assert_memory_equal(out, flat, len);
	uint32_t off = rng_below(r, len + 1), n = rng_below(r, len - off + 1);
	assert_int_equal(pkt_copy_out(m, p, off, out, n), n);
	assert_memory_equal(out, flat + off, n);
	assert_int_equal(csum_fold(pkt_csum(m, p, off, n, 0)), csum_fold(csum_add(0, flat + off, n)));
}

static void chain__reads_as_its_bytes(void **state)
{
	static struct chain c;
	struct pktmem m;
	struct rng r;
	rng_seed(&r, 1);
	mem_new(&m);
	for (int run = 0; run < RUNS; run++) {
		chain_new(&m, &r, &c);
		check(&m, &r, c.p, c.flat, c.len);
		struct pkt *copy = pkt_clone(&m, c.p);
		uint32_t cut = rng_below(&r, c.len + 1);
		pkt_trim(&m, c.p, cut);
		check(&m, &r, c.p, c.flat, cut);
		pkt_free(&m, c.p);
		check(&m, &r, copy, c.flat, c.len); /* what was shared is still there */
		pkt_free(&m, copy);
	}
	mem_free(&m);
}

static void chain__pullup_and_unchain(void **state)
{
	static struct chain c;
	struct pktmem m;
	struct rng r;
	rng_seed(&r, 2);
	mem_new(&m);
	for (int run = 0; run < RUNS; run++) {
		chain_new(&m, &r, &c);
		uint32_t room = (uint32_t)PKT_LINEAR - c.p->head, n = (uint32_t)rng_below(&r, MIN(c.len, room) + 1);
		assert_int_equal(pkt_pullup(&m, c.p, n), 0);
		assert_true(c.p->head_len >= n);
		check(&m, &r, c.p, c.flat, c.len);
		int err = pkt_unchain(&m, c.p);
		assert_true(err == 0 || err == -ENOMEM); /* too many slices is no memory */
		assert_true(err || !c.p->more);
		check(&m, &r, c.p, c.flat, c.len);
		pkt_free(&m, c.p);
	}
	mem_free(&m);
}

static void chain__a_range_is_taken_by_reference(void **state)
{
	static struct chain c;
	struct pktmem m;
	struct rng r;
	int full = 0;
	rng_seed(&r, 3);
	mem_new(&m);
	for (int run = 0; run < RUNS; run++) {
		chain_new(&m, &r, &c);
		uint32_t off = (uint32_t)rng_below(&r, c.len + 1), n = (uint32_t)rng_below(&r, MIN(c.len - off, 9000u) + 1);
		struct pkt *s = pkt_new(&m, 100);
		int err = pkt_append_range(&m, s, c.p, off, n);
		if (!err)
			check(&m, &r, s, c.flat + off, n);
		full += err != 0;
		pkt_free(&m, s);
		check(&m, &r, c.p, c.flat, c.len);
		pkt_free(&m, c.p);
	}
	assert_int_equal(full, 0);
	/* what lies in a block stays there */
	blk_t b = blk_new(&m);
	struct pkt *p = pkt_new(&m, 0), *s = pkt_new(&m, 0);
	assert_int_equal(pkt_append_slice(&m, p, b, 0, 4000), 0);
	assert_int_equal(pkt_append_range(&m, s, p, 1000, 2000), 0);
	assert_int_equal(s->slices[0].blk, b);
	assert_int_equal(s->slices[0].off, 1000);
	assert_int_equal(pkt_pins(&m, s), PKT_BYTES + BLK_BYTES);
	assert_int_equal(pkt_pins_behind(&m, p, s), PKT_BYTES);
	blk_drop(&m, b);
	pkt_free(&m, p);
	pkt_free(&m, s);
	mem_free(&m);
}

static void chain__corrupting_one_byte_changes_that_one(void **state)
{
	static struct chain c;
	struct pktmem m;
	struct rng r;
	rng_seed(&r, 4);
	mem_new(&m);
	for (int run = 0; run < RUNS; run++) {
		chain_new(&m, &r, &c);
		uint32_t at = rng_below(&r, c.len + 1);
		int err = pkt_corrupt(&m, c.p, at, 3);
		assert_int_equal(err, at < c.len ? 0 : -EINVAL);
		if (!err)
			c.flat[at] ^= 8;
		assert_int_equal(c.p->m.corrupted, err == 0);
		check(&m, &r, c.p, c.flat, c.len);
		pkt_free(&m, c.p);
	}
	mem_free(&m);
}

/* Memory runs out at every step: nothing leaks, and a chain that cannot be copied is as it was. */
static void req_HARD_10__chain_without_memory(void **state)
{
	static struct chain c;
	struct pktmem m;
	struct rng r;
	struct pkt *hog[PAGES * 32];
	rng_seed(&r, 5);
	mem_new(&m);
	int failed = 0;
	for (int run = 0; run < 100; run++) {
		uint32_t n = 0, spare = rng_below(&r, 6);
		chain_new(&m, &r, &c);
		while ((hog[n] = pkt_new(&m, 0)) != NULL)
			n++;
		for (; spare > 0 && n > 0; spare--)
			pkt_free(&m, hog[--n]);
		struct pkt *copy = pkt_clone(&m, c.p);
		if (copy)
			check(&m, &r, copy, c.flat, c.len);
		failed += pkt_unchain(&m, c.p) != 0;
		check(&m, &r, c.p, c.flat, c.len);
		pkt_free(&m, copy);
		pkt_free(&m, c.p);
		while (n > 0)
			pkt_free(&m, hog[--n]);
	}
	assert_true(failed > 0);
	mem_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chain__reads_as_its_bytes),
		cmocka_unit_test(chain__pullup_and_unchain),
		cmocka_unit_test(chain__a_range_is_taken_by_reference),
		cmocka_unit_test(chain__corrupting_one_byte_changes_that_one),
		cmocka_unit_test(req_HARD_10__chain_without_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
