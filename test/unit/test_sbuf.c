/* The stream buffer against an array of bytes with a map of what is held: as a sender's, a receiver's, and out of memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "base/rng.h"
#include "pkt/sbuf.h"
#include "region.h"

#define SPAN 60000u /* bytes of stream a test may hold */

struct bed {
	struct arena *a;
	struct pktmem m;
	struct sbuf s;
	uint32_t isn;
	uint8_t byte[SPAN]; /* of the stream, from isn on, modulo nothing: a test ends before SPAN */
	bool held[SPAN];
	uint32_t start, end; /* relative to isn */
	size_t used_a, used_m;
	struct rng r;
};

static void bed_init(struct bed *b, uint64_t seed, size_t pages_a, size_t pages_m)
{
	void *mem = aligned_alloc(ARENA_PAGE_SIZE, pages_m * ARENA_PAGE_SIZE);

	memset(b, 0, sizeof(*b));
	rng_seed(&b->r, seed);
	b->a = region_new(pages_a * ARENA_PAGE_SIZE);
	memset(mem, 0, pages_m * ARENA_PAGE_SIZE);
	assert_int_equal(pktmem_init(&b->m, mem, pages_m * ARENA_PAGE_SIZE), 0);
	b->isn = seed % 2 ? (uint32_t)rng_u64(&b->r) : 0u - (uint32_t)rng_below(&b->r, SPAN); /* often across the wrap */
	for (uint32_t i = 0; i < SPAN; i++)
		b->byte[i] = (uint8_t)rng_u64(&b->r);
	sbuf_init(&b->s, b->isn);
	b->used_a = arena_bytes_used(b->a);
	b->used_m = arena_bytes_used(b->m.home);
}

/* Everything is back. */
static void bed_free(struct bed *b)
{
	sbuf_free(b->a, &b->m, &b->s);
	assert_int_equal(b->s.charged, 0);
	assert_int_equal(sbuf_len(&b->s), 0);
	assert_int_equal(arena_bytes_used(b->a), b->used_a);
	assert_int_equal(arena_bytes_used(b->m.home), b->used_m);
	void *mem = b->m.home;
	pktmem_fini(&b->m);
	free(mem);
	region_free(b->a);
}

static void set_held(struct bed *b, uint32_t lo, uint32_t hi, bool x)
{
	for (uint32_t i = lo; i < hi; i++)
		b->held[i] = x;
}

/* Bytes held without a gap from `at` on, at most n. */
static uint32_t run(const struct bed *b, uint32_t at, uint32_t n)
{
	uint32_t k = 0;

	while (k < n && at + k < SPAN && b->held[at + k])
		k++;
	return k;
}

static void check_at(struct bed *b, uint32_t at, uint32_t n)
{
	static uint8_t out[SPAN];
	struct sbuf_iov iov[64];
	uint32_t have = run(b, at, n);

	assert_int_equal(sbuf_copy_out(b->a, &b->m, &b->s, b->isn + at, out, n), have);
	assert_memory_equal(out, b->byte + at, have);
	if (at > b->end)
		return;
	uint32_t k = 0;
	int spans = sbuf_peek(b->a, &b->m, &b->s, b->isn + at, iov, 64);
	for (int i = 0; i < spans; i++) {
		assert_memory_equal(iov[i].base, b->byte + at + k, iov[i].len);
		k += iov[i].len;
	}
	assert_true(at + k == b->end || spans == 64);
}

static void check(struct bed *b)
{
	bool any = false;

	assert_int_equal(b->s.start, b->isn + b->start);
	assert_int_equal(b->s.end, b->isn + b->end);
	for (uint32_t i = b->start; i < SPAN && !any; i++)
		any = b->held[i];
	if (!any && !b->s.n_reserved) { /* an empty stream owns nothing */
		assert_int_equal(b->s.ext, 0);
		assert_int_equal(b->s.charged, 0);
		assert_int_equal(arena_bytes_used(b->a), b->used_a);
	}
	check_at(b, b->start, b->end - b->start);
	uint32_t at = b->start + (uint32_t)rng_below(&b->r, b->end - b->start + 1);
	check_at(b, at, (uint32_t)rng_below(&b->r, 5000));
}

static void drop_some(struct bed *b)
{
	uint32_t to = b->start + (uint32_t)rng_below(&b->r, b->end - b->start + 1);

	if (rng_below(&b->r, 20) == 0)
		to = b->end;
	sbuf_drop_to(b->a, &b->m, &b->s, b->isn + to);
	set_held(b, b->start, to, false);
	b->start = to;
}

static uint32_t some_len(struct bed *b, uint32_t at)
{
	uint32_t n = 1 + (uint32_t)rng_below(&b->r, UINT64_C(1) << rng_below(&b->r, 14));

	return MIN(n, SPAN - at);
}

static void append_some(struct bed *b)
{
	uint32_t n = some_len(b, b->end);
	uint32_t took = sbuf_append(b->a, &b->m, &b->s, b->byte + b->end, n);

	assert_true(took <= n);
	set_held(b, b->end, b->end + took, true);
	b->end += took;
}

static void append_blk(struct bed *b)
{
	uint32_t most = some_len(b, b->end), n = MIN(most, BLK_ROOM), off = (uint32_t)rng_below(&b->r, BLK_ROOM - n + 1);
	blk_t blk = blk_new(&b->m);

	if (!blk)
		return;
	memcpy(blk_data(&b->m, blk) + off, b->byte + b->end, n);
	for (uint32_t half = 0, k; half < 2; half++) {
		k = half ? n - n / 2 : n / 2;
		if (sbuf_append_blk(b->a, &b->m, &b->s, blk, off, k))
			break;
		set_held(b, b->end, b->end + k, true);
		b->end += k;
		off += k;
	}
	blk_drop(&b->m, blk);
}

static void reserve_and_commit(struct bed *b)
{
	struct sbuf_iov iov[8];
	uint32_t want = some_len(b, b->end), room = 0, at = 0;
	int max = (int)rng_below(&b->r, 9), n = sbuf_reserve(b->a, &b->m, &b->s, iov, max, want);

	assert_true(n <= max);
	for (int i = 0; i < n; i++) {
		assert_true(iov[i].len > 0);
		room += iov[i].len;
	}
	assert_true(room <= want);
	assert_int_equal(sbuf_commit(b->a, &b->m, &b->s, room + 1), -EINVAL);
	uint32_t len = (uint32_t)rng_below(&b->r, room + 1);
	for (int i = 0; i < n && at < len; i++) {
		uint32_t k = MIN(iov[i].len, len - at);
		memcpy(iov[i].base, b->byte + b->end + at, k);
		at += k;
	}
	if (rng_below(&b->r, 8) == 0)
		return; /* never committed */
	assert_int_equal(sbuf_commit(b->a, &b->m, &b->s, len), 0);
	assert_int_equal(b->s.n_reserved, 0);
	set_held(b, b->end, b->end + len, true);
	b->end += len;
}

/* Packets on their way, which refer to bytes of the stream while it goes on. */
struct flight {
	struct pkt *p;
	uint32_t at, n;
};

static void attach_some(struct bed *b, struct flight *f)
{
	static uint8_t out[SPAN];

	if (f->p) {
		assert_int_equal(pkt_copy_out(&b->m, f->p, 0, out, SPAN), f->n);
		assert_memory_equal(out, b->byte + f->at, f->n); /* nobody wrote into it */
		pkt_free(&b->m, f->p);
	}
	f->p = pkt_new(&b->m, PKT_HEADROOM);
	if (!f->p)
		return;
	f->at = b->start + (uint32_t)rng_below(&b->r, b->end - b->start + 1);
	uint32_t want = (uint32_t)rng_below(&b->r, 20000);
	f->n = sbuf_attach(b->a, &b->m, &b->s, b->isn + f->at, want, f->p);
	assert_true(f->n == run(b, f->at, want) || f->p->n_slices == PKT_SLICES_MAX);
	assert_int_equal(f->p->len, f->n);
}

static void sender(uint64_t seed, size_t pages_a, size_t pages_m)
{
	struct bed *b = malloc(sizeof(*b));
	struct flight f[6] = {0};

	bed_init(b, seed, pages_a, pages_m);
	for (int step = 0; step < 3000 && b->end < SPAN; step++) {
		switch (rng_below(&b->r, 8)) {
		case 0: append_some(b); break;
		case 1: append_blk(b); break;
		case 2: reserve_and_commit(b); break;
		case 3:
		case 4: drop_some(b); break;
		default: attach_some(b, &f[rng_below(&b->r, 6)]);
		}
		check(b);
	}
	for (unsigned i = 0; i < 6; i++) {
		attach_some(b, &f[i]);
		pkt_free(&b->m, f[i].p);
	}
	bed_free(b);
	free(b);
}

static void sbuf__sender_model(void **state)
{
	for (uint64_t seed = 1; seed <= 60; seed++)
		sender(seed, 8, 32);
}

static void req_HARD_10__sbuf_sender_with_little_memory(void **state)
{
	for (uint64_t seed = 200; seed <= 260; seed++)
		sender(seed, 2 + seed % 2, 4);
}

/* --- receiving --- */

/* A packet that holds bytes [at, at+n) of the stream behind `before` other bytes: linear, and in slices. */
static struct pkt *segment(struct bed *b, uint32_t at, uint32_t n, uint32_t before)
{
	struct pkt *p = pkt_new(&b->m, 40);
	uint32_t lin = (uint32_t)rng_below(&b->r, 1000), all = before + n;

	if (!p)
		return NULL;
	for (uint32_t i = 0; i < all;) {
		uint32_t want = i == 0 && lin ? lin : 1 + (uint32_t)rng_below(&b->r, 2000), k = MIN(all - i, want);
		uint8_t text[2000];
		for (uint32_t j = 0; j < k; j++)
			text[j] = i + j < before ? 0xee : b->byte[at + i + j - before];
		blk_t blk = i == 0 && lin ? 0 : blk_new(&b->m);
		if (blk) {
			memcpy(blk_data(&b->m, blk) + 7, text, k);
			if (pkt_append_slice(&b->m, p, blk, 7, k))
				k = all; /* full: given up below */
			blk_drop(&b->m, blk);
		} else if (i || pkt_append(&b->m, p, text, k)) {
			k = all;
		}
		i += k;
	}
	if (p->len == all)
		return p;
	pkt_free(&b->m, p);
	return NULL;
}

static void insert_some(struct bed *b)
{
	uint32_t at = rng_below(&b->r, 3) ? b->end : b->end + (uint32_t)rng_below(&b->r, 8000);
	uint32_t n = 1 + (uint32_t)rng_below(&b->r, rng_below(&b->r, 2) ? 40 : 3000), before = (uint32_t)rng_below(&b->r, 100), i;

	if (at >= SPAN || b->held[at])
		return;
	n = MIN(n, SPAN - at);
	for (i = 0; i < n && !b->held[at + i]; i++)
		;
	n = i; /* the caller trims what is held */
	struct pkt *p = segment(b, at, n, before);
	if (!p)
		return;
	uint32_t charged = b->s.charged;
	int rc = sbuf_insert(b->a, &b->m, &b->s, b->isn + at, p, before, n);
	if (rc == 0)
		set_held(b, at, at + n, true);
	else {
		assert_int_equal(rc, -ENOMEM);
		assert_true(b->s.charged <= charged);
	}
	pkt_free(&b->m, p);
	check_at(b, at, n);
	uint32_t reach = b->end + run(b, b->end, SPAN);
	b->end = reach;
	sbuf_advance(&b->s, b->isn + reach);
}

static void check_out_of_order(struct bed *b)
{
	for (uint32_t at = b->end; at < SPAN; at++)
		if (b->held[at]) {
			uint32_t n = run(b, at, SPAN);
			check_at(b, at, n + 10);
			at += n;
		}
}

static void cut_some(struct bed *b)
{
	uint32_t at = b->end + (uint32_t)rng_below(&b->r, 5000);

	sbuf_cut(b->a, &b->m, &b->s, b->isn + at);
	if (at < SPAN)
		set_held(b, at, SPAN, false);
}

static void receiver(uint64_t seed, size_t pages_a, size_t pages_m)
{
	struct bed *b = malloc(sizeof(*b));

	bed_init(b, seed, pages_a, pages_m);
	for (int step = 0; step < 1500 && b->end < SPAN; step++) {
		switch (rng_below(&b->r, 40)) {
		case 0: cut_some(b); break;
		case 1:
		case 2:
		case 3: drop_some(b); break;
		default: insert_some(b);
		}
		check(b);
		if (step % 8 == 0)
			check_out_of_order(b);
	}
	bed_free(b);
	free(b);
}

static void sbuf__receiver_model(void **state)
{
	for (uint64_t seed = 1; seed <= 40; seed++)
		receiver(seed, 8, 32);
}

static void req_HARD_10__sbuf_receiver_with_little_memory(void **state)
{
	for (uint64_t seed = 300; seed <= 340; seed++)
		receiver(seed, 2, 4);
}

/* --- memory --- */

/* A stream of one-byte segments, each its own packet, takes as many blocks as its bytes need. */
static void req_HARD_05__one_byte_segments_share_blocks(void **state)
{
	struct bed *b = malloc(sizeof(*b));

	bed_init(b, 1, 8, 16);
	for (uint32_t i = 0; i < 10000; i++) {
		struct pkt *p = pkt_new(&b->m, 0);
		*pkt_put(p, 1) = b->byte[i];
		assert_int_equal(sbuf_insert(b->a, &b->m, &b->s, b->isn + i, p, 0, 1), 0);
		pkt_free(&b->m, p);
		sbuf_advance(&b->s, b->isn + i + 1);
	}
	set_held(b, 0, b->end = 10000, true);
	assert_int_equal(b->s.charged, 3 * BLK_BYTES);
	assert_int_equal(pktmem_blks_used(&b->m), 3);
	check(b);
	bed_free(b);
	free(b);
}

/* Every second byte, so that nothing joins: the pieces still share blocks. */
static void req_HARD_05__scattered_bytes_share_blocks(void **state)
{
	struct bed *b = malloc(sizeof(*b));

	bed_init(b, 2, 8, 16);
	for (uint32_t k = 0; k < 1000; k++) {
		uint32_t i = 1 + 2 * (k * 7 % 1000);
		struct pkt *p = pkt_new(&b->m, 0);
		*pkt_put(p, 1) = b->byte[i];
		assert_int_equal(sbuf_insert(b->a, &b->m, &b->s, b->isn + i, p, 0, 1), 0);
		pkt_free(&b->m, p);
		b->held[i] = true;
	}
	assert_int_equal(pktmem_blks_used(&b->m), 1);
	check_out_of_order(b);
	bed_free(b);
	free(b);
}

/* A writer of single bytes whose earlier bytes are under way in packets goes on in the same block. */
static void sbuf_append__goes_on_behind_bytes_under_way(void **state)
{
	struct bed *b = malloc(sizeof(*b));
	struct pkt *p[200];
	uint8_t x = 0;

	bed_init(b, 3, 8, 16);
	for (uint32_t i = 0; i < 200; i++) {
		assert_int_equal(sbuf_append(b->a, &b->m, &b->s, b->byte + i, 1), 1);
		p[i] = pkt_new(&b->m, 100);
		assert_int_equal(sbuf_attach(b->a, &b->m, &b->s, b->isn + i, 1, p[i]), 1);
	}
	assert_int_equal(pktmem_blks_used(&b->m), 1);
	for (uint32_t i = 0; i < 200; i++) {
		assert_int_equal(pkt_copy_out(&b->m, p[i], 0, &x, 1), 1);
		assert_int_equal(x, b->byte[i]);
		pkt_free(&b->m, p[i]);
	}
	bed_free(b);
	free(b);
}

/* What two streams hold of one block stays apart: the second may refer to it, but never writes into it. */
static void sbuf__two_streams_one_block(void **state)
{
	struct bed *b = malloc(sizeof(*b));
	struct sbuf t;

	bed_init(b, 4, 8, 16);
	sbuf_init(&t, 0);
	assert_int_equal(sbuf_append(b->a, &b->m, &b->s, b->byte, 1000), 1000);
	struct pkt *p = pkt_new(&b->m, 0);
	assert_int_equal(sbuf_attach(b->a, &b->m, &b->s, b->isn, 1000, p), 1000);
	assert_int_equal(sbuf_insert(b->a, &b->m, &t, 0, p, 0, 1000), 0);
	sbuf_advance(&t, 1000);
	pkt_free(&b->m, p);
	assert_int_equal(pktmem_blks_used(&b->m), 1); /* no copy was made */
	assert_int_equal(t.charged, BLK_BYTES);
	assert_int_equal(sbuf_append(b->a, &b->m, &t, "other", 5), 5);
	assert_int_equal(sbuf_append(b->a, &b->m, &b->s, b->byte + 1000, 500), 500);
	set_held(b, 0, b->end = 1500, true);
	check(b);
	uint8_t out[5];
	assert_int_equal(sbuf_copy_out(b->a, &b->m, &t, 1000, out, 5), 5);
	assert_memory_equal(out, "other", 5);
	sbuf_free(b->a, &b->m, &t);
	bed_free(b);
	free(b);
}

/* Room that was reserved is nobody else's until it is committed, also when another stream refers to the same block. */
static void sbuf_reserve__is_not_taken_by_another_stream(void **state)
{
	struct bed *b = malloc(sizeof(*b));
	struct sbuf_iov iov[1];
	struct sbuf t;

	bed_init(b, 10, 8, 16);
	sbuf_init(&t, 0);
	assert_int_equal(sbuf_append(b->a, &b->m, &b->s, b->byte, 1000), 1000);
	struct pkt *p = pkt_new(&b->m, 0);
	assert_int_equal(sbuf_attach(b->a, &b->m, &b->s, b->isn, 1000, p), 1000);
	assert_int_equal(sbuf_insert(b->a, &b->m, &t, 0, p, 0, 1000), 0);
	sbuf_advance(&t, 1000);
	pkt_free(&b->m, p);
	assert_int_equal(sbuf_reserve(b->a, &b->m, &b->s, iov, 1, 500), 1);
	assert_int_equal(iov[0].len, 500);
	assert_int_equal(sbuf_append(b->a, &b->m, &t, "other", 5), 5);
	memcpy(iov[0].base, b->byte + 1000, 500);
	assert_int_equal(sbuf_commit(b->a, &b->m, &b->s, 500), 0);
	set_held(b, 0, b->end = 1500, true);
	check(b);
	char out[5] = "";
	assert_int_equal(sbuf_copy_out(b->a, &b->m, &t, 1000, out, 5), 5);
	assert_memory_equal(out, "other", 5);
	sbuf_free(b->a, &b->m, &t);
	bed_free(b);
	free(b);
}

/* Only what was offered can become data. */
static void req_HARD_07__sbuf_commit_needs_a_reservation(void **state)
{
	struct bed *b = malloc(sizeof(*b));
	struct sbuf_iov iov[4];

	bed_init(b, 11, 8, 16);
	assert_int_equal(sbuf_commit(b->a, &b->m, &b->s, 1), -EINVAL);
	assert_int_equal(sbuf_commit(b->a, &b->m, &b->s, 0), 0);
	assert_int_equal(sbuf_append(b->a, &b->m, &b->s, b->byte, 100), 100);
	assert_int_equal(sbuf_commit(b->a, &b->m, &b->s, 1), -EINVAL);
	assert_int_equal(sbuf_reserve(b->a, &b->m, &b->s, iov, 4, BLK_ROOM), 2); /* the tail's room, and a block */
	assert_int_equal(iov[0].len, BLK_ROOM - 100);
	memcpy(iov[0].base, b->byte + 100, iov[0].len);
	memcpy(iov[1].base, b->byte + BLK_ROOM, iov[1].len);
	assert_int_equal(sbuf_commit(b->a, &b->m, &b->s, BLK_ROOM), 0);
	assert_int_equal(sbuf_commit(b->a, &b->m, &b->s, 1), -EINVAL);
	set_held(b, 0, b->end = 100 + BLK_ROOM, true);
	check(b);
	sbuf_cut(b->a, &b->m, &b->s, b->isn + 200);
	assert_int_equal(sbuf_commit(b->a, &b->m, &b->s, 1), -EINVAL);
	bed_free(b);
	free(b);
}

/* Neighbours in one block are one extent, whichever came first. */
static void sbuf_insert__joins_what_lies_together(void **state)
{
	static const int order[3] = {2, 0, 1};
	struct bed *b = malloc(sizeof(*b));

	bed_init(b, 12, 8, 16);
	blk_t blk = blk_new(&b->m);
	memcpy(blk_data(&b->m, blk), b->byte, 3000);
	for (int i = 0; i < 3; i++) {
		struct pkt *p = pkt_new(&b->m, 0);
		uint32_t at = (uint32_t)order[i] * 1000;
		assert_int_equal(pkt_append_slice(&b->m, p, blk, at, 1000), 0);
		assert_int_equal(sbuf_insert(b->a, &b->m, &b->s, b->isn + at, p, 0, 1000), 0);
		pkt_free(&b->m, p);
	}
	sbuf_advance(&b->s, b->isn + 3000);
	set_held(b, 0, b->end = 3000, true);
	check(b);
	assert_int_equal(b->s.charged, BLK_BYTES);
	assert_int_equal(blk_count(&b->m, blk), 2);
	blk_drop(&b->m, blk);
	bed_free(b);
	free(b);
}

struct done_log {
	uint64_t tokens[4];
	unsigned n;
};
static void on_done(void *ctx, uint64_t token)
{
	struct done_log *log = ctx;

	log->tokens[log->n++] = token;
}

/* Lent memory is charged by its length and comes back when the last byte is acknowledged and no packet refers to it. */
static void sbuf__loans_come_back(void **state)
{
	struct bed *b = malloc(sizeof(*b));
	struct done_log log = {0};

	bed_init(b, 6, 8, 16);
	for (uint32_t i = 0; i < 2; i++) {
		blk_t l = blk_lend(&b->m, b->byte + i * 30000, 30000, on_done, &log, i + 1);
		assert_int_equal(sbuf_append_blk(b->a, &b->m, &b->s, l, 0, 30000), 0);
		blk_drop(&b->m, l);
	}
	set_held(b, 0, b->end = 60000, true);
	assert_int_equal(b->s.charged, 60000);
	check(b);
	struct pkt *p = pkt_new(&b->m, 0);
	assert_int_equal(sbuf_attach(b->a, &b->m, &b->s, b->isn + 29000, 2000, p), 2000);
	assert_int_equal(p->n_slices, 2);
	sbuf_drop_to(b->a, &b->m, &b->s, b->isn + 29999);
	assert_int_equal(b->s.charged, 60000);
	sbuf_drop_to(b->a, &b->m, &b->s, b->isn + 30000);
	assert_int_equal(b->s.charged, 30000);
	assert_int_equal(log.n, 0);
	pkt_free(&b->m, p);
	assert_int_equal(log.n, 1);
	assert_int_equal(log.tokens[0], 1);
	bed_free(b);
	assert_int_equal(log.n, 2);
	free(b);
}

/* Room is reserved behind lent bytes, and behind a block of somebody else's: neither is touched by the commit. */
static void sbuf_commit__behind_a_loan(void **state)
{
	struct bed *b = malloc(sizeof(*b));
	struct done_log log = {0};
	struct sbuf_iov iov[2];

	bed_init(b, 9, 8, 16);
	blk_t l = blk_lend(&b->m, b->byte, 1000, on_done, &log, 1);
	assert_int_equal(sbuf_append_blk(b->a, &b->m, &b->s, l, 0, 1000), 0);
	blk_drop(&b->m, l);
	assert_int_equal(sbuf_reserve(b->a, &b->m, &b->s, iov, 2, 500), 1);
	memcpy(iov[0].base, b->byte + 1000, 500);
	assert_int_equal(sbuf_commit(b->a, &b->m, &b->s, 500), 0);
	set_held(b, 0, b->end = 1500, true);
	check(b);
	bed_free(b);
	assert_int_equal(log.n, 1);
	free(b);
}

/* Thousands of extents, appended and dropped in turn: the array's size follows what is held. */
static void sbuf__long_stream_of_small_blocks(void **state)
{
	struct bed *b = malloc(sizeof(*b));

	bed_init(b, 8, 8, 64);
	uint32_t end = 0, start = 0;
	for (int round = 0; round < 20000; round++) {
		blk_t blk = blk_new(&b->m);
		blk_data(&b->m, blk)[0] = (uint8_t)end;
		assert_int_equal(sbuf_append_blk(b->a, &b->m, &b->s, blk, 0, 1), 0);
		blk_drop(&b->m, blk);
		end++;
		if (end - start > 500)
			sbuf_drop_to(b->a, &b->m, &b->s, b->isn + ++start);
		assert_true(b->s.ext_cap <= 1024);
	}
	for (uint32_t i = start; i < end; i++) {
		uint8_t x = 0;
		assert_int_equal(sbuf_copy_out(b->a, &b->m, &b->s, b->isn + i, &x, 1), 1);
		assert_int_equal(x, (uint8_t)i);
	}
	bed_free(b);
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sbuf__sender_model),
		cmocka_unit_test(req_HARD_10__sbuf_sender_with_little_memory),
		cmocka_unit_test(sbuf__receiver_model),
		cmocka_unit_test(req_HARD_10__sbuf_receiver_with_little_memory),
		cmocka_unit_test(req_HARD_05__one_byte_segments_share_blocks),
		cmocka_unit_test(req_HARD_05__scattered_bytes_share_blocks),
		cmocka_unit_test(sbuf_append__goes_on_behind_bytes_under_way),
		cmocka_unit_test(sbuf__two_streams_one_block),
		cmocka_unit_test(sbuf_reserve__is_not_taken_by_another_stream),
		cmocka_unit_test(req_HARD_07__sbuf_commit_needs_a_reservation),
		cmocka_unit_test(sbuf_insert__joins_what_lies_together),
		cmocka_unit_test(sbuf__loans_come_back),
		cmocka_unit_test(sbuf_commit__behind_a_loan),
		cmocka_unit_test(sbuf__long_stream_of_small_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
