/* The reassembly engine: any order against a naive model, what ends a datagram, time, ECN, and who gives way at the caps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "reasm_world.h"

/* ---- a model: bytes and a list, each question answered by looking at all of it ---- */

enum { MODEL_FRAGS = 9000 };
struct model {
	uint32_t off[MODEL_FRAGS], end[MODEL_FRAGS];
	bool more[MODEL_FRAGS];
	uint8_t ecn[MODEL_FRAGS];
	uint32_t n;
};

static uint32_t model_total(const struct model *m)
{
	for (uint32_t i = 0; i < m->n; i++)
		if (!m->more[i])
			return m->end[i];
	return 0;
}

static bool model_is_whole(const struct model *m)
{
	uint32_t total = model_total(m), got = 0;
	for (uint32_t i = 0; i < m->n; i++)
		got += m->end[i] - m->off[i];
	return total && got == total;
}

/* RFC 8200 §4.5, RFC 5722 §4: duplicates are ignored, any other overlap ends it; so does a second opinion about its end. */
static enum drop model_put(struct model *m, uint32_t off, uint32_t len, bool more, uint8_t ecn)
{
	uint32_t end = off + len, total = model_total(m), i = m->n;
	if (len == 0 || off % 8 || (more && len % 8) || end > ROOM) {
		m->n = 0;
		return DROP_FRAG_BAD;
	}
	bool overlaps = false, exceeds = total && (end > total || (more && end == total) || (!more && end != total));
	for (uint32_t k = 0; k < m->n; k++) {
		if (m->off[k] == off && m->end[k] == end && m->more[k] == more)
			return DROP_FRAG_DUPLICATE;
		overlaps |= off < m->end[k] && m->off[k] < end;
		exceeds |= !more && m->end[k] > end;
	}
	if (overlaps || exceeds) {
		m->n = 0;
		return DROP_FRAG_OVERLAP;
	}
	m->off[i] = off;
	m->end[i] = end;
	m->more[i] = more;
	m->ecn[i] = ecn;
	m->n++;
	return DROP_NONE;
}

/* RFC 3168 §5.3 and, for what it leaves open, Linux's ip_frag_ecn_table. -1: dropped. */
static int model_ecn(const struct model *m)
{
	int not_ect = 0, ce = 0, first = 0;
	for (uint32_t i = 0; i < m->n; i++) {
		not_ect += m->ecn[i] == 0;
		ce += m->ecn[i] == 3;
		first = m->off[i] == 0 ? m->ecn[i] : first;
	}
	if (not_ect)
		return not_ect == (int)m->n ? 0 : -1;
	return ce ? 3 : first;
}

struct piece {
	uint32_t off, len;
	bool more;
};

/* Cut [0, total) at random multiples of 8 into pieces about `mean` long, shuffled. */
static uint32_t cut(struct rng *r, uint32_t total, uint32_t mean, struct piece *out)
{
	uint32_t n = 0;
	for (uint32_t off = 0, len; off < total; off += len) {
		len = (uint32_t)(8 + rng_below(r, 2 * mean)) / 8 * 8;
		len = MIN(len, total - off);
		out[n++] = (struct piece){off, len, off + len < total};
	}
	int how = (int)rng_below(r, 3); /* as sent, backwards, any order */
	for (uint32_t i = 0; i < n; i++) {
		uint32_t k = how == 0 ? i : how == 1 ? n - 1 - i : i + (uint32_t)rng_below(r, n - i);
		struct piece t = out[i];
		if (how == 1 && k <= i)
			break;
		out[i] = out[k];
		out[k] = t;
	}
	return n;
}

/* A piece that fits nowhere, or that came before. */
static struct piece wrong(struct rng *r, uint32_t total, const struct piece *right, uint32_t n)
{
	struct piece p = right[rng_below(r, n)];
	switch (rng_below(r, 5)) {
	case 0:
		return p;
	case 1:
		return (struct piece){(uint32_t)rng_below(r, total + 64) / 8 * 8, 8 + (uint32_t)rng_below(r, 200) / 8 * 8, true};
	case 2:
		return (struct piece){(uint32_t)rng_below(r, total + 64) / 8 * 8, 1 + (uint32_t)rng_below(r, 200), false};
	case 3:
		p.more = !p.more;
		return p;
	default:
		return (struct piece){(uint32_t)rng_below(r, 8200) * 8, (uint32_t)rng_below(r, 40), rng_below(r, 2)};
	}
}

static uint8_t bytes[70000];

/* One datagram, some of whose pieces are followed by wrong ones with a chance of `faults` in a thousand. */
static int run(struct world *x, struct rng *r, uint32_t id, uint32_t total, uint32_t mean, uint32_t faults)
{
	static struct model m;
	static struct piece right[MODEL_FRAGS];
	struct reasm_key k = key_of(0x0a000100 + id % 5, id);
	struct reasm_whole w = {0};
	uint32_t n = cut(r, total, mean, right);
	uint8_t same = (uint8_t)rng_below(r, 4);
	bool is_mixed = rng_below(r, 4) == 0;
	int wholes = 0;
	m.n = 0;
	for (uint32_t i = 0; i < n; i++) {
		bool is_wrong = rng_below(r, 1000) < faults;
		struct piece p = is_wrong ? wrong(r, total, right, n) : right[i];
		uint8_t ecn = is_mixed ? (uint8_t)rng_below(r, 4) : same;
		enum drop want = model_put(&m, p.off, p.len, p.more, ecn);
		assert_int_equal(put(x, &k, bytes, MIN(p.off, 65528u), p.len, p.more, ecn, &w), want);
		i -= is_wrong;
		if (!want && model_is_whole(&m)) {
			int mark = model_ecn(&m);
			assert_int_equal(w.p != NULL, mark >= 0);
			if (w.p) {
				assert_int_equal(w.ecn, mark);
				expect_whole(x, &w, bytes, model_total(&m));
				wholes++;
			}
			m.n = 0;
		}
		assert_null(w.p);
		pktq_clear(&x->mem, &x->dropped);
	}
	return wholes;
}

/* In any order, with overlaps, duplicates and lies, it does what the model does. */
static void req_IP4_010__as_a_naive_model(void **state)
{
	struct world x;
	struct rng r;
	int wholes = 0;
	rng_seed(&r, 42);
	world_new(&x, HOME_BYTES);
	for (uint32_t i = 0; i < 6000; i++) {
		uint32_t big = rng_below(&r, 40) == 0;
		uint32_t total = 1 + (uint32_t)rng_below(&r, big ? ROOM : 4000);
		wholes += run(&x, &r, i, total, 8 + (uint32_t)rng_below(&r, big ? 1400 : 300), i % 2 ? 0 : (uint32_t)rng_below(&r, 300));
	}
	assert_true(wholes > 3000);
	world_free(&x);
}

/* ---- sizes ---- */

static void req_IP4_008__units_of_8_bytes_in_any_order(void **state)
{
	static struct piece at[MODEL_FRAGS];
	struct world x;
	struct rng r;
	rng_seed(&r, 7);
	world_new(&x, HOME_BYTES);
	for (int round = 0; round < 6; round++) {
		uint32_t total = round ? ROOM : 576, n = 0;
		struct reasm_key k = key_of(5, (uint32_t)round);
		struct reasm_whole w = {0};
		for (uint32_t off = 0; off < total; off += 8)
			at[n++] = (struct piece){off, MIN(8u, total - off), off + 8 < total};
		for (uint32_t i = 0; round > 1 && i < n; i++) {
			uint32_t j = i + (uint32_t)rng_below(&r, n - i);
			struct piece t = at[i];
			at[i] = at[j];
			at[j] = t;
		}
		for (uint32_t i = 0; i < n; i++) {
			assert_null(w.p);
			assert_int_equal(put(&x, &k, bytes, at[i].off, at[i].len, at[i].more, 0, &w), DROP_NONE);
			if (i + 1 < n) /* it pins no more than what it holds, twice */
				assert_true(x.r->bytes < 2 * 65536 + 8192);
		}
		assert_int_equal(w.fragments, n);
		expect_whole(&x, &w, bytes, total);
	}
	world_free(&x);
}

/* Large fragments are not copied: the whole refers to the memory they came in. */
static void reasm__the_whole_is_a_chain_of_what_came(void **state)
{
	struct world x;
	struct reasm_key k = key_of(5, 1);
	struct reasm_whole w = {0};
	const struct pkt *came[45];
	world_new(&x, HOME_BYTES);
	for (uint32_t i = 0; i < 45; i++) {
		uint32_t off = i * 1480, len = MIN(1480u, ROOM - off);
		struct reasm_fragment f = {.off = off, .len = len, .room = ROOM, .more = i < 44};
		struct pkt *p = packet_of(&x, bytes + off, len);
		came[i] = p;
		assert_int_equal(reasm_input(&x.e, x.r, &k, &f, p, &w, &x.dropped), DROP_NONE);
	}
	const struct pkt *p = w.p;
	for (uint32_t i = 0; i < 45; i++) {
		assert_ptr_equal(p, came[i]);
		p = p->more ? pkt_at(&x.mem, p->more) : NULL;
	}
	assert_null(p);
	expect_whole(&x, &w, bytes, ROOM);
	world_free(&x);
}

static void req_IP4_010__longer_than_65535_bytes(void **state)
{
	struct world x;
	struct reasm_key k = key_of(5, 1);
	struct reasm_whole w = {0};
	world_new(&x, HOME_BYTES);
	/* ping of death: a last fragment that ends behind the longest datagram; everything of it goes */
	assert_int_equal(put(&x, &k, bytes, 0, 1480, true, 0, &w), DROP_NONE);
	assert_int_equal(put(&x, &k, bytes, 65120, 400, false, 0, &w), DROP_FRAG_BAD);
	assert_int_equal(x.dropped.n, 1);
	assert_int_equal(pktq_peek(&x.mem, &x.dropped)->m.drop, DROP_FRAG_BAD);
	assert_int_equal(x.r->pool.n_used, 0);
	/* to the last byte is fine */
	assert_int_equal(put(&x, &k, bytes, 65120, ROOM - 65120, false, 0, &w), DROP_NONE);
	assert_int_equal(put(&x, &k, bytes, 65512, 8, true, 0, &w), DROP_FRAG_BAD);
	world_free(&x);
}

static void req_IP4_010__overlap_drops_all_of_it(void **state)
{
	static const struct piece bad[] = {{8, 16, true}, {0, 8, true}, {8, 8, true}, {16, 24, true}, {24, 8, false}, {0, 48, true}};
	struct world x;
	struct reasm_whole w = {0};
	world_new(&x, HOME_BYTES);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct reasm_key k = key_of(5, (uint32_t)i);
		assert_int_equal(put(&x, &k, bytes, 0, 24, true, 0, &w), DROP_NONE);
		assert_int_equal(put(&x, &k, bytes, 32, 8, true, 0, &w), DROP_NONE);
		assert_int_equal(put(&x, &k, bytes, 0, 24, true, 0, &w), DROP_FRAG_DUPLICATE); /* exactly this one came: ignored */
		assert_int_equal(x.r->pool.n_used, 1);
		assert_int_equal(put(&x, &k, bytes, bad[i].off, bad[i].len, bad[i].more, 0, &w), DROP_FRAG_OVERLAP);
		assert_int_equal(x.r->pool.n_used, 0);
		/* one packet was kept and one copied into a block: both are counted */
		assert_int_equal(x.dropped.n, 1);
		assert_int_equal(x.drops[DROP_FRAG_OVERLAP], i + 1);
		pktq_clear(&x.mem, &x.dropped);
	}
	world_free(&x);
}

/* ---- time ---- */

static void req_IP4_009__time_is_fixed_by_the_first_to_come(void **state)
{
	struct world x;
	struct reasm_whole w = {0};
	struct reasm_key k = key_of(5, 1);
	int64_t begun;
	world_new(&x, HOME_BYTES);
	begun = x.e.now;
	assert_int_equal(put(&x, &k, bytes, 0, 1000, true, 0, &w), DROP_NONE);
	x.e.now += 59 * NS_PER_S;
	assert_int_equal(wheel_expire(x.arena, x.wheel, x.e.now), 0);
	assert_int_equal(put(&x, &k, bytes, 2000, 1000, true, 0, &w), DROP_NONE); /* does not give it more time */
	x.e.now = begun + 60 * NS_PER_S + 2 * NS_PER_MS; /* RFC 1122 §3.3.2: 60 to 120 s */
	ref_t r = 0;
	for (int i = 0; i < 100 && !r; i++)
		r = wheel_expire(x.arena, x.wheel, x.e.now);
	assert_true(r != 0);
	reasm_timeout(&x.e, x.r, r, &x.dropped);
	assert_int_equal(x.dropped.n, 2);
	assert_int_equal(pktq_peek(&x.mem, &x.dropped)->m.drop, DROP_FRAG_TIMEOUT);
	assert_int_equal(pktq_peek(&x.mem, &x.dropped)->mark, 0); /* the first fragment is among them */
	world_free(&x);
}

/* ---- ECN ---- */

static void req_ECN_04__every_mix_of_codepoints(void **state)
{
	struct world x;
	uint32_t id = 0;
	world_new(&x, HOME_BYTES);
	for (uint8_t a = 0; a < 4; a++) {
		for (uint8_t b = 0; b < 4; b++) {
			for (uint8_t c = 0; c < 4; c++) {
				struct reasm_key k = key_of(5, id++);
				struct reasm_whole w = {0};
				bool has_ce = a == 3 || b == 3 || c == 3, has_not = !a || !b || !c;
				put(&x, &k, bytes, 600, 600, true, b, &w);
				put(&x, &k, bytes, 1200, 600, false, c, &w);
				assert_int_equal(put(&x, &k, bytes, 0, 600, true, a, &w), DROP_NONE);
				if (has_ce && has_not) /* must not become CE, must not lose it: so it goes */
					assert_null(w.p);
				if (has_ce && !has_not)
					assert_int_equal(w.ecn, 3);
				if (a == b && b == c) { /* never changed when all agree */
					assert_non_null(w.p);
					assert_int_equal(w.ecn, a);
				}
				if (has_not && (a || b || c))
					assert_null(w.p);
				assert_int_equal(x.dropped.n, w.p ? 0 : 3);
				if (w.p)
					expect_whole(&x, &w, bytes, 1800);
				pktq_clear(&x.mem, &x.dropped);
			}
		}
	}
	world_free(&x);
}

/* ---- caps ---- */

static void req_IP4_011__a_source_gives_way_to_itself(void **state)
{
	struct world x;
	struct reasm_whole w = {0};
	struct reasm_key mine = key_of(1, 1);
	world_new(&x, HOME_BYTES);
	assert_int_equal(put(&x, &mine, bytes, 0, 1000, true, 0, &w), DROP_NONE);
	for (uint32_t id = 0; id < 100000; id++) { /* one address floods */
		struct reasm_key k = key_of(2, id);
		assert_int_equal(put(&x, &k, bytes, 0, 1000, true, 0, &w), DROP_NONE);
		assert_true(x.r->pool.n_used <= REASM_PER_SOURCE + 1);
		assert_true(x.r->bytes <= x.r->bytes_max);
		if (id >= REASM_PER_SOURCE) {
			assert_int_equal(x.dropped.n, 1);
			assert_int_equal(pktq_peek(&x.mem, &x.dropped)->m.drop, DROP_FRAG_LIMIT);
		}
		pktq_clear(&x.mem, &x.dropped);
	}
	struct reasm_key oldest = key_of(2, 100000 - REASM_PER_SOURCE), gone = key_of(2, 100000 - REASM_PER_SOURCE - 1);
	assert_int_equal(put(&x, &oldest, bytes, 1000, 8, false, 0, &w), DROP_NONE);
	expect_whole(&x, &w, bytes, 1008); /* the oldest went first, in order */
	assert_int_equal(put(&x, &gone, bytes, 1000, 8, false, 0, &w), DROP_NONE);
	assert_null(w.p);
	assert_int_equal(put(&x, &mine, bytes, 1000, 8, false, 0, &w), DROP_NONE);
	expect_whole(&x, &w, bytes, 1008); /* and nobody else was touched */
	world_free(&x);
}

static void req_IP4_011__memory_of_one_source(void **state)
{
	struct world x;
	struct reasm_whole w = {0};
	uint32_t most = 0;
	world_new(&x, HOME_BYTES);
	for (uint32_t id = 0; id < 40; id++) {
		struct reasm_key k = key_of(2, id);
		for (uint32_t off = 0; off < 60000; off += 512) {
			assert_int_equal(put(&x, &k, bytes, off, 512, true, 0, &w), DROP_NONE);
			assert_true(x.r->bytes <= x.r->bytes_max / 4);
			most = MAX(most, x.r->bytes);
		}
	}
	assert_true(most > x.r->bytes_max / 5);
	assert_true(x.dropped.n > 1000);
	world_free(&x);
}

/* False addresses: the oldest of all go; a datagram whose fragments come together is put together all the same. */
static void req_IP4_011__false_addresses_do_not_starve_a_pair(void **state)
{
	struct world x;
	struct reasm_whole w = {0};
	uint32_t wholes = 0;
	world_new(&x, HOME_BYTES);
	for (uint32_t i = 0; i < 50000; i++) {
		struct reasm_key k = key_of(1000 + i, i);
		assert_int_equal(put(&x, &k, bytes, 0, 1400, true, 0, &w), DROP_NONE);
		assert_true(x.r->bytes <= x.r->bytes_max && x.r->pool.n_used <= REASM_DATAGRAMS_MAX);
		if (i % 500 == 0) {
			struct reasm_key mine = key_of(1, i);
			assert_int_equal(put(&x, &mine, bytes, 0, 1480, true, 0, &w), DROP_NONE);
		}
		if (i % 500 == 300) { /* 300 packets of the flood later */
			struct reasm_key mine = key_of(1, i - 300);
			assert_int_equal(put(&x, &mine, bytes, 1480, 100, false, 0, &w), DROP_NONE);
			expect_whole(&x, &w, bytes, 1580);
			wholes++;
		}
		pktq_clear(&x.mem, &x.dropped);
	}
	assert_int_equal(wholes, 100);
	world_free(&x);
}

static void req_IP4_011__fragments_of_one_datagram(void **state)
{
	struct world x;
	struct reasm_whole w = {0};
	struct reasm_key k = key_of(5, 1);
	uint32_t n = 0;
	world_new(&x, HOME_BYTES);
	assert_int_equal(put(&x, &k, bytes, 0, 8, true, 0, &w), DROP_NONE);
	while (put(&x, &k, bytes, 0, 8, true, 0, &w) == DROP_FRAG_DUPLICATE) /* the same one for ever */
		n++;
	assert_int_equal(n, REASM_FRAGMENTS_MAX - 1);
	assert_int_equal(x.r->pool.n_used, 0);
	world_free(&x);
}

/* Look-ups in a full table walk no further than a source may have here and a few that share its bucket. */
static void reasm__chains_are_bounded(void **state)
{
	struct world x;
	struct reasm_whole w = {0};
	world_new(&x, HOME_BYTES);
	for (uint32_t i = 0; i < 3000; i++) {
		struct reasm_key k = key_of(i << 8, i); /* addresses that differ in few bits */
		put(&x, &k, bytes, 0, 600, true, 0, &w);
	}
	uint32_t used = 0;
	for (uint32_t i = 0; i < REASM_BUCKETS; i++)
		used += x.r->buckets[i] != 0;
	assert_true(used > REASM_BUCKETS * 9 / 10); /* 900 and more datagrams in 256: an empty one is rare */
	world_free(&x);
}

/* ---- memory ---- */

static void req_HARD_10__reassembly_without_memory(void **state)
{
	struct world x;
	struct rng r;
	static struct pkt *hog[1 << 14];
	rng_seed(&r, 9);
	world_new(&x, 1 << 20);
	int short_of = 0;
	for (uint32_t i = 0; i < 300; i++) {
		uint32_t n = 0, spare = (uint32_t)rng_below(&r, 40), len = 8 + (uint32_t)rng_below(&r, 100) * 8;
		struct reasm_key k = key_of(i % 7, i);
		struct reasm_whole w = {0};
		while ((hog[n] = pkt_new(&x.mem, 0)) != NULL)
			n++;
		for (; spare > 0 && n > 0; spare--)
			pkt_free(&x.mem, hog[--n]);
		for (uint32_t off = 0; off < 20000 && !w.p; off += len) {
			struct reasm_fragment f = {.off = off, .len = len, .room = ROOM, .more = off + len < 20000};
			struct pkt *p = pkt_new(&x.mem, 64);
			if (!p || pkt_append(&x.mem, p, bytes + off, len)) {
				pkt_free(&x.mem, p);
				short_of++;
				break;
			}
			enum drop why = reasm_input(&x.e, x.r, &k, &f, p, &w, &x.dropped);
			if (why)
				pkt_free(&x.mem, p);
			short_of += why == DROP_NO_MEMORY || why == DROP_FRAG_LIMIT;
		}
		pkt_free(&x.mem, w.p);
		pktq_clear(&x.mem, &x.dropped);
		while (n > 0)
			pkt_free(&x.mem, hog[--n]);
	}
	assert_true(short_of > 100);
	world_free(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(req_IP4_010__as_a_naive_model),
		cmocka_unit_test(req_IP4_008__units_of_8_bytes_in_any_order),
		cmocka_unit_test(reasm__the_whole_is_a_chain_of_what_came),
		cmocka_unit_test(req_IP4_010__longer_than_65535_bytes),
		cmocka_unit_test(req_IP4_010__overlap_drops_all_of_it),
		cmocka_unit_test(req_IP4_009__time_is_fixed_by_the_first_to_come),
		cmocka_unit_test(req_ECN_04__every_mix_of_codepoints),
		cmocka_unit_test(req_IP4_011__a_source_gives_way_to_itself),
		cmocka_unit_test(req_IP4_011__memory_of_one_source),
		cmocka_unit_test(req_IP4_011__false_addresses_do_not_starve_a_pair),
		cmocka_unit_test(req_IP4_011__fragments_of_one_datagram),
		cmocka_unit_test(reasm__chains_are_bounded),
		cmocka_unit_test(req_HARD_10__reassembly_without_memory),
	};
	for (uint32_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 2654435761u >> 13);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
