/* Packets against a flat array of their bytes, under random operations and with memory running out. */
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

#define FLAT_MAX 100000 /* bytes at which a test stops appending */
#define FLAT_ROOM (FLAT_MAX + PKT_BYTES)

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

/* A packet and what it should hold. */
struct twin {
	struct pkt *p;
	uint8_t *flat;
	uint32_t len;
};

static uint16_t naive_sum(const uint8_t *p, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += i % 2 ? p[i] : (uint64_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void check(struct pktmem *m, const struct twin *t)
{
	static uint8_t out[FLAT_ROOM];
	uint32_t slices = 0;

	assert_int_equal(t->p->len, t->len);
	assert_true(t->p->head + t->p->head_len <= PKT_LINEAR);
	for (unsigned i = 0; i < t->p->n_slices; i++) {
		const struct pkt_slice *s = &t->p->slices[i];
		assert_true(s->len > 0 && (uint32_t)s->off + s->len <= blk_room(m, s->blk));
		slices += s->len;
	}
	assert_int_equal(t->p->head_len + slices, t->len);
	assert_int_equal(pkt_copy_out(m, t->p, 0, out, FLAT_ROOM), t->len);
	assert_memory_equal(out, t->flat, t->len);
}

static void check_part(struct pktmem *m, const struct twin *t, struct rng *r)
{
	static uint8_t out[FLAT_ROOM];
	uint32_t off = (uint32_t)rng_below(r, t->len + 10), n = (uint32_t)rng_below(r, t->len + 10);
	uint32_t have = off >= t->len ? 0 : MIN(n, t->len - off);

	assert_int_equal(pkt_copy_out(m, t->p, off, out, n), have);
	assert_memory_equal(out, t->flat + off, have);
	assert_int_equal(csum_fold(pkt_csum(m, t->p, off, n, 0)), naive_sum(t->flat + off, have));
}

static void noise(struct rng *r, uint8_t *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		p[i] = (uint8_t)rng_u64(r);
}

static uint8_t lent[65535];

static uint8_t data[FLAT_MAX];

/* Random operations on t, of a size up to n; the model follows. */
static void op_push(struct pktmem *m, struct twin *t, struct rng *r, uint32_t n)
{
	n = MIN(n, t->p->head);
	noise(r, data, n);
	memcpy(pkt_push(t->p, n), data, n);
	memmove(t->flat + n, t->flat, t->len);
	memcpy(t->flat, data, n);
	t->len += n;
}

static void op_pull(struct pktmem *m, struct twin *t, struct rng *r, uint32_t n)
{
	n = MIN(n, t->p->head_len);
	uint8_t *front = pkt_pull(t->p, n);
	assert_ptr_equal(front, pkt_data(t->p));
	t->len -= n;
	memmove(t->flat, t->flat + n, t->len);
}

static void op_put(struct pktmem *m, struct twin *t, struct rng *r, uint32_t n)
{
	n = MIN(n, pkt_tailroom(t->p));
	noise(r, data, n);
	memcpy(pkt_put(t->p, n), data, n);
	memcpy(t->flat + t->len, data, n);
	t->len += n;
}

static void op_append(struct pktmem *m, struct twin *t, struct rng *r, uint32_t n)
{
	if (t->len + n > FLAT_MAX)
		return;
	noise(r, data, n);
	if (pkt_append(m, t->p, data, n) == 0) {
		memcpy(t->flat + t->len, data, n);
		t->len += n;
	}
}

static void append_slice(struct pktmem *m, struct twin *t, blk_t b, uint32_t off, uint32_t n)
{
	if (t->len + n > FLAT_MAX || pkt_append_slice(m, t->p, b, off, n))
		return;
	memcpy(t->flat + t->len, blk_data(m, b) + off, n);
	t->len += n;
}

/* A part of a block, in two steps: the second joins the first. */
static void op_slice(struct pktmem *m, struct twin *t, struct rng *r, uint32_t n)
{
	blk_t b = blk_new(m);
	uint32_t had = t->p->n_slices;

	if (!b)
		return;
	noise(r, blk_data(m, b), BLK_ROOM);
	n = n % BLK_ROOM;
	uint32_t off = (uint32_t)rng_below(r, BLK_ROOM - n + 1);
	append_slice(m, t, b, off, n / 2);
	append_slice(m, t, b, off + n / 2, n - n / 2);
	assert_true(t->p->n_slices <= had + 1);
	blk_drop(m, b);
}

static void op_lend(struct pktmem *m, struct twin *t, struct rng *r, uint32_t n)
{
	blk_t b = blk_lend(m, lent, sizeof(lent), NULL, NULL, 0);

	if (!b)
		return;
	n = (uint32_t)rng_below(r, sizeof(lent));
	append_slice(m, t, b, (uint32_t)rng_below(r, sizeof(lent) - n + 1), n);
	blk_drop(m, b);
}

static void op_trim(struct pktmem *m, struct twin *t, struct rng *r, uint32_t n)
{
	if (rng_below(r, 3))
		n = n < t->len ? t->len - n : t->len;
	pkt_trim(m, t->p, n);
	t->len = MIN(t->len, n);
}

static void op_pullup(struct pktmem *m, struct twin *t, struct rng *r, uint32_t n)
{
	n = MIN(n, t->len + 1);
	if (n > t->p->head_len && (n > t->len || n > PKT_LINEAR - t->p->head)) {
		assert_int_equal(pkt_pullup(m, t->p, n), -ENOSPC);
		return;
	}
	assert_int_equal(pkt_pullup(m, t->p, n), 0);
	assert_true(t->p->head_len >= n);
}

static void op_corrupt(struct pktmem *m, struct twin *t, struct rng *r, uint32_t n)
{
	uint32_t off = (uint32_t)rng_below(r, t->len + 1);
	unsigned bit = (unsigned)rng_below(r, 8);
	int rc = pkt_corrupt(m, t->p, off, bit);

	if (off == t->len)
		assert_int_equal(rc, -EINVAL);
	else if (rc == 0)
		t->flat[off] ^= (uint8_t)(1u << bit);
	else
		assert_int_equal(rc, -ENOMEM);
}

static void step(struct pktmem *m, struct twin *t, struct rng *r)
{
	static void (*const ops[])(struct pktmem *, struct twin *, struct rng *, uint32_t) = {
		op_push, op_pull, op_put, op_append, op_slice, op_lend, op_trim, op_pullup, op_corrupt,
	};
	uint64_t most = UINT64_C(1) << rng_below(r, 14);

	ops[rng_below(r, ARRAY_LEN(ops))](m, t, r, (uint32_t)rng_below(r, most));
}

static struct twin twin_new(struct pktmem *m, uint32_t headroom)
{
	return (struct twin){pkt_new(m, headroom), malloc(FLAT_ROOM), 0};
}

static void twin_free(struct pktmem *m, struct twin *t)
{
	pkt_free(m, t->p);
	free(t->flat);
}

/* pages is small in some runs, so that every allocation fails at some time. */
static void model(uint64_t seed, size_t pages)
{
	struct pktmem m;
	struct rng r;
	uint8_t *lent_then = malloc(sizeof(lent));

	rng_seed(&r, seed);
	mem_new(&m, pages);
	noise(&r, lent, sizeof(lent));
	memcpy(lent_then, lent, sizeof(lent));
	size_t base = arena_bytes_used(m.home);
	struct twin t = twin_new(&m, (uint32_t)rng_below(&r, 300)), c = {0};
	for (int i = 0; i < 600; i++) {
		step(&m, &t, &r);
		check(&m, &t);
		check_part(&m, &t, &r);
		if (rng_below(&r, 10) == 0) { /* a clone holds its bytes whatever becomes of the first */
			if (c.p)
				twin_free(&m, &c);
			c = (struct twin){pkt_clone(&m, t.p), NULL, t.len};
			if (c.p) {
				c.flat = malloc(FLAT_ROOM);
				memcpy(c.flat, t.flat, t.len);
			}
		}
		if (c.p) {
			check(&m, &c);
			if (rng_below(&r, 3) == 0)
				step(&m, &c, &r);
		}
	}
	twin_free(&m, &t);
	if (c.p)
		twin_free(&m, &c);
	assert_int_equal(pktmem_pkts_used(&m), 0);
	assert_int_equal(pktmem_blks_used(&m), 0);
	assert_int_equal(arena_bytes_used(m.home), base);
	assert_memory_equal(lent, lent_then, sizeof(lent)); /* nobody wrote to lent memory */
	free(lent_then);
	mem_free(&m);
}

static void pkt__model(void **state)
{
	for (uint64_t seed = 1; seed <= 30; seed++)
		model(seed, 32);
}

static void req_HARD_10__pkt_model_with_little_memory(void **state)
{
	for (uint64_t seed = 100; seed <= 130; seed++)
		model(seed, 5);
}

static void pkt_new__is_clean(void **state)
{
	static const struct pkt_meta zero;
	struct pktmem m;

	mem_new(&m, 8);
	struct pkt *p = pkt_new(&m, 0);
	memset((void *)p, 0xff, PKT_BYTES);
	p->n_slices = 0;
	p->more = 0;
	pkt_free(&m, p);
	p = pkt_new(&m, PKT_HEADROOM);
	assert_memory_equal(&p->m, &zero, sizeof(zero));
	assert_int_equal(p->len + p->head_len + p->n_slices + p->next + p->more, 0);
	assert_int_equal(p->head, PKT_HEADROOM);
	assert_int_equal(pkt_tailroom(p), PKT_LINEAR - PKT_HEADROOM);
	assert_ptr_equal(pkt_at(&m, pkt_ref(&m, p)), p);
	pkt_free(&m, p);
	pkt_free(&m, NULL);
	assert_null(pkt_new(&m, PKT_BYTES));
	mem_free(&m);
}

static void pkt_append__unchanged_when_memory_is_out(void **state)
{
	struct pktmem m;

	mem_new(&m, 4); /* packets, small things, and 16 blocks */
	struct pkt *p = pkt_new(&m, 0);
	assert_int_equal(pkt_append(&m, p, data, 100), 0);
	size_t used = arena_bytes_used(m.home);
	assert_int_equal(pkt_append(&m, p, data, 17 * BLK_ROOM + PKT_LINEAR), -ENOMEM);
	assert_int_equal(pkt_append(&m, p, data, FLAT_MAX), -ENOMEM); /* more slices than there are */
	assert_int_equal(p->len, 100);
	assert_int_equal(arena_bytes_used(m.home), used);
	assert_int_equal(pkt_append(&m, p, data, 15 * BLK_ROOM), 0);
	pkt_free(&m, p);
	mem_free(&m);
}

static void pkt_append_slice__stops_at_the_cap(void **state)
{
	struct pktmem m;
	mem_new(&m, 8);
	struct pkt *p = pkt_new(&m, 0);
	blk_t b = blk_new(&m);

	memset(blk_data(&m, b), 1, BLK_ROOM);
	for (unsigned i = 0; i < PKT_SLICES_MAX; i++)
		assert_int_equal(pkt_append_slice(&m, p, b, 2 * i, 1), 0); /* not next to each other */
	assert_int_equal(pkt_append_slice(&m, p, b, 100, 1), -ENOSPC);
	assert_int_equal(pkt_append_slice(&m, p, b, 2 * PKT_SLICES_MAX - 1, 1), 0); /* joins the last */
	assert_int_equal(p->len, PKT_SLICES_MAX + 1);
	assert_int_equal(blk_count(&m, b), 1 + PKT_SLICES_MAX);
	pkt_free(&m, p);
	assert_int_equal(blk_count(&m, b), 1);
	blk_drop(&m, b);
	mem_free(&m);
}

static void pkt_clone__belongs_to_nobody(void **state)
{
	struct pktmem m;
	mem_new(&m, 8);
	struct pkt *p = pkt_new(&m, 10);

	p->m.id = 77;
	p->m.owner = 5;
	p->m.owner_gen = 6;
	p->m.ecn = 3;
	memcpy(pkt_put(p, 3), "abc", 3);
	p->next = 9;
	struct pkt *c = pkt_clone(&m, p);
	assert_int_equal(c->m.id, 77);
	assert_int_equal(c->m.ecn, 3);
	assert_int_equal(c->m.owner, 0);
	assert_int_equal(c->next, 0);
	pkt_data(p)[0] = 'x';
	assert_memory_equal(pkt_data(c), "abc", 3);
	assert_int_equal(p->m.owner, 5);
	pkt_free(&m, p);
	pkt_free(&m, c);
	mem_free(&m);
}

/* A corrupted packet leaves the bytes that others share alone, also in a loan longer than a block. */
static void pkt_corrupt__is_private(void **state)
{
	struct pktmem m;
	mem_new(&m, 8);
	static uint8_t text[20000];
	blk_t b = blk_lend(&m, text, sizeof(text), NULL, NULL, 0);
	struct pkt *p = pkt_new(&m, 0);

	memset(text, 0x55, sizeof(text));
	assert_int_equal(pkt_append_slice(&m, p, b, 1000, 15000), 0);
	assert_int_equal(pkt_corrupt(&m, p, 9000, 7), 0);
	assert_int_equal(p->m.corrupted, 1);
	for (uint32_t i = 0; i < 15000; i += 1) {
		uint8_t x;
		assert_int_equal(pkt_copy_out(&m, p, i, &x, 1), 1);
		assert_int_equal(x, i == 9000 ? 0xd5 : 0x55);
	}
	for (uint32_t i = 0; i < sizeof(text); i++)
		assert_int_equal(text[i], 0x55);
	assert_int_equal(pkt_corrupt(&m, p, 15000, 0), -EINVAL);
	pkt_free(&m, p);
	blk_drop(&m, b);
	assert_int_equal(pktmem_blks_used(&m), 0);
	mem_free(&m);
}

/* The partial checksum of a segment across linear part and odd slices, finished, verifies with the pseudo-header. */
static void pkt_csum_finish__verifies(void **state)
{
	static uint8_t text[4000];
	struct rng r;
	struct pktmem m;

	mem_new(&m, 8);
	rng_seed(&r, 9);
	for (int round = 0; round < 300; round++) {
		struct pkt *p = pkt_new(&m, 40);
		uint16_t pseudo = (uint16_t)rng_u64(&r);
		uint8_t *h = pkt_put(p, 20 + 8);
		noise(&r, h, 28);
		p->m.csum_start = (uint16_t)(p->head + 20);
		p->m.csum_offset = 6;
		put_be16(h + 26, pseudo);
		p->m.csum = PKT_CSUM_PARTIAL;
		for (int k = 0; k < 3; k++) {
			blk_t b = blk_new(&m);
			noise(&r, blk_data(&m, b), 1000);
			assert_int_equal(pkt_append_slice(&m, p, b, (uint32_t)rng_below(&r, 9), 1 + (uint32_t)rng_below(&r, 900)), 0);
			blk_drop(&m, b);
		}
		if (rng_below(&r, 2))
			pkt_push(p, 14); /* a frame header in front changes nothing */
		else
			pkt_pull(p, 20);
		pkt_csum_finish(&m, p);
		assert_int_equal(p->m.csum, PKT_CSUM_NONE);
		uint32_t off = (uint32_t)p->m.csum_start - p->head, n = p->len - off;
		assert_int_equal(pkt_copy_out(&m, p, off, text, n), n);
		assert_int_not_equal(get_be16(text + 6), 0);
		uint64_t sum = (uint64_t)naive_sum(text, n) + pseudo;
		assert_int_equal((sum & 0xffff) + (sum >> 16), 0xffff);
		uint16_t field = get_be16(text + 6);
		pkt_csum_finish(&m, p); /* once only */
		assert_int_equal(pkt_copy_out(&m, p, off, text, n), n);
		assert_int_equal(get_be16(text + 6), field);
		pkt_free(&m, p);
	}
	mem_free(&m);
}

/* A computed 0 leaves as 0xffff in UDP, where 0 says there is none (RFC 768). Elsewhere it is 0: RFC 1624 section 3 calls
 * 0xffff impossible for a sum of text that is not all zeros, and analysers report it. */
static void pkt_csum_finish__zero(void **state)
{
	static const struct {
		uint16_t offset, want;
	} c[] = {{6, 0xffff}, {16, 0}, {2, 0}};
	struct pktmem m;

	mem_new(&m, 8);
	for (unsigned i = 0; i < ARRAY_LEN(c); i++) {
		struct pkt *p = pkt_new(&m, 0);
		uint8_t *h = pkt_put(p, 20);
		memset(h, 0, 20);
		put_be16(h, 0xfff0);
		put_be16(h + c[i].offset, 0x000f);
		p->m.csum = PKT_CSUM_PARTIAL;
		p->m.csum_offset = c[i].offset;
		pkt_csum_finish(&m, p);
		assert_int_equal(get_be16(h + c[i].offset), c[i].want);
		pkt_free(&m, p);
	}
	mem_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pkt__model),
		cmocka_unit_test(req_HARD_10__pkt_model_with_little_memory),
		cmocka_unit_test(pkt_new__is_clean),
		cmocka_unit_test(pkt_append__unchanged_when_memory_is_out),
		cmocka_unit_test(pkt_append_slice__stops_at_the_cap),
		cmocka_unit_test(pkt_clone__belongs_to_nobody),
		cmocka_unit_test(pkt_corrupt__is_private),
		cmocka_unit_test(pkt_csum_finish__verifies),
		cmocka_unit_test(pkt_csum_finish__zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
