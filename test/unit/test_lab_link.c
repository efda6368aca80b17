/* lab/link.c: what is configured is what happens, within 4 sigma; order, time, limits; and lab/sched.c against a naive list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/csum.h"
#include "lab/link.h"
#include "lab/sched.h"
#include "wire/ip4.h"
#include <stdio.h>
#include <stdlib.h>

struct seen {
	struct link_env env; /* first */
	struct pktmem mem;
	void *region;
	struct link link;
	int64_t woken_at;
	unsigned fates;
	int64_t leaves;
};

static void on_wake(struct link_env *e, int node, int64_t when)
{
	struct seen *s = (struct seen *)e;
	if (node == 11)
		s->woken_at = MIN(s->woken_at, when);
}

static void on_sent(struct link_env *e, const struct link_sent *sent)
{
	struct seen *s = (struct seen *)e;
	s->fates = sent->fate;
	s->leaves = sent->leaves;
}

static struct seen *setup(const struct lab_impair *im, uint64_t seed)
{
	struct seen *s = calloc(1, sizeof *s);
	assert_non_null(s);
	s->region = aligned_alloc(ARENA_PAGE_SIZE, 16u << 20);
	assert_non_null(s->region);
	memset(s->region, 0, 16u << 20);
	assert_int_equal(pktmem_init(&s->mem, s->region, 16u << 20), 0);
	s->env = (struct link_env){.mem = &s->mem, .wake = on_wake, .sent = on_sent};
	s->woken_at = TIME_NEVER;
	struct link_config cfg = {.env = &s->env, .end = {0, 1}, .node = {10, 11}, .mtu = 1500, .seed = seed, .impair = {*im, *im}};
	link_init(&s->link, &cfg);
	return s;
}

static void teardown(struct seen *s)
{
	link_fini(&s->link);
	assert_int_equal(pktmem_pkts_used(&s->mem), 0);
	assert_int_equal(pktmem_blks_used(&s->mem), 0);
	arena_fini(s->mem.home);
	free(s->region);
	free(s);
}

/* An IPv4-looking frame of `len` bytes that carries `number`. */
static struct pkt *frame(struct seen *s, uint32_t number, uint32_t len)
{
	struct pkt *p = pkt_new(&s->mem, PKT_HEADROOM);
	uint8_t bytes[1514] = {[12] = 8, [13] = 0};
	assert_non_null(p);
	put_be32(bytes + 14, number);
	assert_int_equal(pkt_append(&s->mem, p, bytes, len), 0);
	return p;
}

static int send_one(struct seen *s, uint32_t number, uint32_t len)
{
	struct pkt *p = frame(s, number, len);
	struct via_driver *d = &s->link.port[0].d;
	int n = d->ops->tx_burst(d, &p, 1, s->env.now);
	if (!n)
		pkt_free(&s->mem, p);
	return n;
}

/* Number of the next frame that has arrived, or -1. */
static int64_t receive_one(struct seen *s, int64_t *when)
{
	struct pkt *p;
	uint8_t b[18];
	struct via_driver *d = &s->link.port[1].d;
	if (d->ops->rx_burst(d, &p, 1) == 0)
		return -1;
	pkt_copy_out(&s->mem, p, 0, b, sizeof b);
	if (when)
		*when = p->m.rx_ns;
	pkt_free(&s->mem, p);
	return get_be32(b + 14);
}

/* |count - n p| within 4 sigma of the binomial; done in integers. */
static void assert_share(uint64_t count, uint64_t n, uint64_t ppb)
{
	__int128 off = (__int128)count * 1000000000 - (__int128)n * ppb, var = (__int128)n * ppb * (1000000000 - ppb);
	if (off * off > 16 * var)
		fail_msg("%llu of %llu, expected %llu ppb", (unsigned long long)count, (unsigned long long)n, (unsigned long long)ppb);
}

static void link__shares_are_as_configured(void **state)
{
	struct lab_impair im = {.delay_ns = 10 * NS_PER_MS, .loss_ppb = 10000000, .reorder_ppb = 50000000, .duplicate_ppb = 20000000,
		.corrupt_ppb = 5000000};
	struct seen *s = setup(&im, 5);
	const uint32_t n = 200000;
	uint64_t got = 0;
	for (uint32_t i = 0; i < n; i++) {
		s->env.now = (int64_t)i * 20 * NS_PER_US;
		assert_int_equal(send_one(s, i, 100), 1);
		while (receive_one(s, NULL) >= 0)
			got++;
	}
	s->env.now += NS_PER_S;
	while (receive_one(s, NULL) >= 0)
		got++;
	const struct lab_link_stats *st = &s->link.dir[0].st;
	assert_int_equal(st->sent, n);
	assert_int_equal(st->bytes, n * 100u);
	assert_int_equal(st->limited, 0);
	assert_share(st->lost, n, im.loss_ppb);
	assert_share(st->reordered, n - st->lost, im.reorder_ppb);
	assert_share(st->duplicated, n - st->lost, im.duplicate_ppb);
	assert_share(st->corrupted, n - st->lost, im.corrupt_ppb);
	assert_int_equal(st->delivered, n - st->lost + st->duplicated);
	assert_int_equal(got, st->delivered);
	teardown(s);
}

static void link__delay_is_exact_and_jitter_keeps_order(void **state)
{
	struct lab_impair im = {.delay_ns = 5 * NS_PER_MS, .jitter_ns = 2 * NS_PER_MS};
	struct seen *s = setup(&im, 9);
	int64_t lo = TIME_NEVER, hi = 0, last = 0, when, next = 0, want = 0;
	for (uint32_t i = 0; i < 20000; i++) {
		int64_t sent = (int64_t)i * 10 * NS_PER_MS; /* far apart: nothing waits for the one before */
		s->env.now = sent;
		s->woken_at = TIME_NEVER;
		send_one(s, i, 60);
		assert_int_equal(s->link.port[1].d.ops->next(&s->link.port[1].d), s->woken_at);
		s->env.now = s->woken_at - 1;
		assert_int_equal(receive_one(s, NULL), -1); /* never early */
		s->env.now++;
		assert_int_equal(receive_one(s, &when), i);
		lo = MIN(lo, when - sent);
		hi = MAX(hi, when - sent);
	}
	assert_in_range(lo, 3 * NS_PER_MS, 3 * NS_PER_MS + 10 * NS_PER_US);
	assert_in_range(hi, 7 * NS_PER_MS - 10 * NS_PER_US, 7 * NS_PER_MS);
	s->env.now += NS_PER_S;
	for (uint32_t i = 0; i < 500; i++) /* at once: order stays */
		send_one(s, i, 60);
	s->env.now += NS_PER_S;
	while ((next = receive_one(s, &when)) >= 0) {
		assert_int_equal(next, want++);
		assert_true(when >= last);
		last = when;
	}
	assert_int_equal(want, 500);
	teardown(s);
}

static void link__reordered_packet_overtakes(void **state)
{
	struct lab_impair im = {.delay_ns = 5 * NS_PER_MS}, all = {.delay_ns = 5 * NS_PER_MS, .reorder_ppb = 1000000000};
	struct seen *s = setup(&im, 1);
	send_one(s, 1, 60);
	send_one(s, 2, 60);
	link_impair(&s->link, 0, &all);
	send_one(s, 3, 60);
	assert_int_equal(s->fates, FATE_REORDERED);
	assert_int_equal(receive_one(s, NULL), 3);
	assert_int_equal(receive_one(s, NULL), -1);
	s->env.now = 5 * NS_PER_MS;
	assert_int_equal(receive_one(s, NULL), 1);
	assert_int_equal(receive_one(s, NULL), 2);
	send_one(s, 4, 60); /* nobody to overtake: on time, and not counted */
	assert_int_equal(s->fates, 0);
	assert_int_equal(s->link.dir[0].st.reordered, 1);
	teardown(s);
}

static void link__rate_spaces_packets_and_limit_drops(void **state)
{
	struct lab_impair im = {.rate_bps = 8000000, .delay_ns = NS_PER_MS, .limit = 10}; /* a byte a microsecond */
	struct seen *s = setup(&im, 1);
	int64_t when;
	for (uint32_t i = 0; i < 15; i++) {
		assert_int_equal(send_one(s, i, 1000), 1);
		assert_int_equal(s->fates, i < 10 ? 0 : FATE_LIMITED);
		if (i < 10)
			assert_int_equal(s->leaves, (int64_t)i * NS_PER_MS);
	}
	assert_int_equal(s->link.dir[0].st.limited, 5);
	s->env.now = NS_PER_S;
	for (int i = 0; i < 10; i++) {
		assert_int_equal(receive_one(s, &when), i);
		assert_int_equal(when, (i + 2) * NS_PER_MS);
	}
	assert_int_equal(receive_one(s, NULL), -1);
	teardown(s);
}

static void link__clean_pushes_back_and_tells_of_room(void **state)
{
	struct lab_impair im = {.limit = 4};
	struct seen *s = setup(&im, 1);
	struct via_driver *d = &s->link.port[0].d;
	assert_int_equal(d->caps, VIA_CAP_SUPERFRAME | VIA_CAP_CSUM);
	assert_int_equal(d->ops->tx_room(d), 4);
	for (uint32_t i = 0; i < 6; i++)
		assert_int_equal(send_one(s, i, 60), i < 4);
	assert_int_equal(d->ops->tx_room(d), 0);
	assert_true(s->link.dir[0].pushed_back);
	assert_int_equal(receive_one(s, NULL), 0);
	assert_false(s->link.dir[0].pushed_back); /* the sender was woken */
	assert_int_equal(d->ops->tx_room(d), 1);
	assert_int_equal(s->link.dir[0].st.limited, 0);
	teardown(s);
}

/* A superframe crosses as it is: the same packet, the same blocks, no byte copied. */
static void link__clean_carries_superframes_by_reference(void **state)
{
	struct lab_impair im = {0};
	struct seen *s = setup(&im, 1);
	struct pkt *p = frame(s, 1, 54), *q;
	blk_t b[16];
	for (int i = 0; i < 16; i++) {
		b[i] = blk_new(&s->mem);
		assert_int_equal(pkt_append_slice(&s->mem, p, b[i], 0, 4000), 0);
		blk_drop(&s->mem, b[i]);
	}
	p->m.gso = PKT_GSO_TCP4;
	p->m.gso_size = 1448;
	p->m.csum = PKT_CSUM_PARTIAL;
	uint32_t blks = pktmem_blks_used(&s->mem), pkts = pktmem_pkts_used(&s->mem);
	q = p;
	assert_int_equal(link_send(&s->link.port[0], &q, 1, 0), 1);
	q = link_receive(&s->link.port[1]);
	assert_ptr_equal(q, p);
	assert_int_equal(q->len, 54 + 16 * 4000);
	assert_int_equal(q->m.gso_size, 1448);
	assert_int_equal(q->m.csum, PKT_CSUM_PARTIAL);
	for (int i = 0; i < 16; i++) {
		assert_int_equal(q->slices[i].blk, b[i]);
		assert_int_equal(blk_count(&s->mem, b[i]), 1);
	}
	assert_int_equal(pktmem_blks_used(&s->mem), blks);
	assert_int_equal(pktmem_pkts_used(&s->mem), pkts);
	pkt_free(&s->mem, q);
	teardown(s);
}

static void link__impaired_takes_no_superframes(void **state)
{
	struct lab_impair im = {.loss_ppb = 1};
	struct seen *s = setup(&im, 1);
	assert_int_equal(s->link.port[0].d.caps, 0);
	assert_int_equal(s->link.port[0].d.gso_max, 0);
	teardown(s);
}

/* A superframe that was on its way when the link became worse is still carried as the link promised. */
static void link__a_superframe_taken_before_the_change(void **state)
{
	struct lab_impair clean = {0}, worse = {.delay_ns = NS_PER_MS, .loss_ppb = 1000000000};
	struct seen *s = setup(&clean, 1);
	struct pkt *p = frame(s, 1, 54), *q = p;
	blk_t b = blk_new(&s->mem);
	assert_int_equal(pkt_append_slice(&s->mem, p, b, 0, 4000), 0);
	blk_drop(&s->mem, b);
	p->m.gso = PKT_GSO_TCP4;
	p->m.gso_size = 1448;
	p->m.csum = PKT_CSUM_PARTIAL;
	link_impair(&s->link, 0, &worse);
	assert_int_equal(link_send(&s->link.port[0], &q, 1, 0), 1);
	q = link_receive(&s->link.port[1]);
	assert_ptr_equal(q, p);
	assert_int_equal(s->fates, 0);
	assert_int_equal(q->m.csum, PKT_CSUM_PARTIAL);
	pkt_free(&s->mem, q);
	teardown(s);
}

static void link__corruption_flips_one_bit_behind_ethernet(void **state)
{
	struct lab_impair im = {.corrupt_ppb = 1000000000};
	struct seen *s = setup(&im, 77);
	for (uint32_t i = 0; i < 2000; i++) {
		uint8_t in[200], out[200];
		struct pkt *p = frame(s, 0x5a5a5a5a, sizeof in), *q;
		pkt_copy_out(&s->mem, p, 0, in, sizeof in);
		assert_int_equal(link_send(&s->link.port[0], &p, 1, 0), 1);
		q = link_receive(&s->link.port[1]);
		assert_non_null(q);
		assert_int_equal(pkt_copy_out(&s->mem, q, 0, out, sizeof out), sizeof out);
		int flipped = 0;
		for (size_t b = 0; b < sizeof in; b++) {
			flipped += __builtin_popcount(in[b] ^ out[b]);
			assert_true(b >= 14 || in[b] == out[b]);
		}
		assert_int_equal(flipped, 1);
		pkt_free(&s->mem, q);
	}
	/* A frame without a checksum is dropped instead. */
	struct pkt *arp = frame(s, 0, 60);
	pkt_data(arp)[13] = 6;
	link_send(&s->link.port[0], &arp, 1, 0);
	assert_null(link_receive(&s->link.port[1]));
	assert_int_equal(s->fates, FATE_CORRUPTED | FATE_LOST);
	teardown(s);
}

/* p 1 %, r 20 %, everything lost while bad: stationary loss p/(p+r), bursts of 1/r packets on average (Gilbert 1960). */
static void link__gemodel_loses_in_bursts(void **state)
{
	struct lab_impair im = {.ge = {.p_ppb = 10000000, .r_ppb = 200000000, .bad_ppb = 1000000000}};
	struct seen *s = setup(&im, 9);
	const double n = 200000;
	double lost = 0, bursts = 0;
	bool was = false;
	for (uint32_t i = 0; i < n; i++) {
		send_one(s, i, 60);
		bool is = s->fates & FATE_LOST;
		lost += is;
		bursts += is && !was;
		was = is;
		while (receive_one(s, NULL) >= 0)
			;
	}
	assert_in_range(lost / n * 10000, 440, 512); /* 4.76 %; correlated, so 5 sigma of about 0.07 % */
	assert_in_range(lost / bursts * 100, 450, 550);
	/* Half of what comes in the bad state, a tenth in the good one. */
	link_impair(&s->link, 0, &(struct lab_impair){.ge = {500000000, 500000000, 500000000, 100000000}});
	lost = 0;
	for (uint32_t i = 0; i < n; i++) {
		send_one(s, i, 60);
		lost += !!(s->fates & FATE_LOST);
		while (receive_one(s, NULL) >= 0)
			;
	}
	assert_in_range(lost / n * 10000, 2950, 3050);
	teardown(s);
}

static void link__policer_drops_what_exceeds_rate_and_burst(void **state)
{
	struct lab_impair im = {.police_bps = 8000000, .burst = 5000}; /* a byte a microsecond */
	struct seen *s = setup(&im, 1);
	unsigned passed = 0;
	for (uint32_t i = 0; i < 10; i++) { /* at once: the burst */
		send_one(s, i, 1000);
		passed += !s->fates;
		assert_int_equal(s->fates, i < 5 ? 0 : FATE_LIMITED);
	}
	s->env.now = 999 * NS_PER_US;
	send_one(s, 10, 1000);
	assert_int_equal(s->fates, FATE_LIMITED);
	s->env.now = 1000 * NS_PER_US;
	send_one(s, 11, 1000);
	assert_int_equal(s->fates, 0);
	for (uint32_t i = 0; i < 1000; i++) { /* at twice the rate: half passes, undelayed */
		s->env.now += 500 * NS_PER_US;
		send_one(s, 12 + i, 1000);
		passed += !s->fates;
		assert_int_equal(s->leaves, s->env.now);
	}
	assert_int_equal(passed, 505);
	s->env.now += 3600 * NS_PER_S; /* the bucket does not overflow */
	for (uint32_t i = 0; i < 10; i++) {
		send_one(s, i, 1000);
		assert_int_equal(s->fates, i < 5 ? 0 : FATE_LIMITED);
	}
	assert_int_equal(s->link.dir[0].st.limited, 5 + 1 + 500 + 5);
	teardown(s);
}

/* An IPv4 packet of proto (its checksum at csum) with `text` bytes of transport, an odd number for the padding rule. */
static struct pkt *datagram(struct seen *s, uint8_t proto, uint32_t csum, uint32_t text)
{
	struct pkt *p = frame(s, 0, 34 + text);
	uint8_t *b = pkt_data(p), *t = b + 34;
	ip4_emit(b + 14, &(struct ip4_hdr){.ttl = 64, .proto = proto, .total_len = (uint16_t)(20 + text), .src = 0x0a000101,
		.dst = 0x0a000102});
	for (uint32_t i = 0; i < text; i++)
		t[i] = (uint8_t)(31 * i);
	put_be16(t + csum, 0);
	put_be16(t + csum, csum_field(csum_add(ip4_pseudo(0x0a000101, 0x0a000102, proto, text), t, text)));
	return p;
}

static void link__mangled_segments_keep_a_right_checksum(void **state)
{
	struct lab_impair im = {.mangle_ppb = 1000000000};
	struct seen *s = setup(&im, 31);
	for (uint32_t i = 0; i < 4000; i++) {
		uint8_t proto = i & 1 ? IPPROTO_N_TCP : IPPROTO_N_UDP;
		uint32_t text = 60 + i % 7, csum = proto == IPPROTO_N_TCP ? 16 : 6;
		struct pkt *p = datagram(s, proto, csum, text), *q;
		uint8_t in[200], out[200];
		pkt_copy_out(&s->mem, p, 0, in, sizeof in);
		link_send(&s->link.port[0], &p, 1, 0);
		assert_int_equal(s->fates, FATE_CORRUPTED);
		assert_non_null(q = link_receive(&s->link.port[1]));
		pkt_copy_out(&s->mem, q, 0, out, sizeof out);
		int flipped = 0;
		for (uint32_t b = 0; b < 34 + text; b++)
			if (b < 34 + csum || b >= 34 + csum + 2) {
				flipped += __builtin_popcount(in[b] ^ out[b]);
				assert_true(b >= 34 || in[b] == out[b]);
			}
		assert_int_equal(flipped, 1);
		assert_int_equal(csum_fold(csum_add(ip4_pseudo(0x0a000101, 0x0a000102, proto, text), out + 34, text)), 0xffff);
		pkt_free(&s->mem, q);
	}
	/* Neither TCP nor UDP: it passes as it is. */
	struct pkt *p = datagram(s, IPPROTO_N_ICMP, 2, 60);
	link_send(&s->link.port[0], &p, 1, 0);
	assert_int_equal(s->fates, 0);
	teardown(s);
}

static void link__luck_depends_on_the_seed_only(void **state)
{
	struct lab_impair im = {.loss_ppb = 300000000};
	uint64_t pattern[3] = {0};
	for (int k = 0; k < 3; k++) {
		struct seen *s = setup(&im, k < 2 ? 4 : 5);
		for (uint32_t i = 0; i < 64; i++) {
			send_one(s, i, 60);
			pattern[k] |= (uint64_t)(s->fates != 0) << i;
		}
		teardown(s);
	}
	assert_true(pattern[0] == pattern[1]);
	assert_true(pattern[0] != pattern[2]);
}

static void sched__equals_a_naive_list(void **state)
{
	enum { N = 50 };
	struct sched s;
	int64_t when[N];
	uint64_t order[N], ticket = 0;
	struct rng r;
	rng_seed(&r, 3);
	assert_int_equal(sched_init(&s, N), 0);
	for (int i = 0; i < N; i++)
		when[i] = TIME_NEVER;
	for (int round = 0; round < 20000; round++) {
		int i = (int)rng_below(&r, N), best = -1, first = -1;
		int64_t t = rng_below(&r, 5) ? (int64_t)rng_below(&r, 100) : TIME_NEVER;
		bool lower = rng_below(&r, 2);
		if (lower ? t < when[i] : t != when[i]) {
			when[i] = t;
			order[i] = ticket++;
		}
		if (lower)
			sched_lower(&s, i, t);
		else
			sched_set(&s, i, t);
		for (int k = 0; k < N; k++)
			if (when[k] != TIME_NEVER && (best < 0 || when[k] < when[best] || (when[k] == when[best] && order[k] < order[best])))
				best = k;
		int64_t got = sched_first(&s, &first);
		assert_int_equal(got, best < 0 ? TIME_NEVER : when[best]);
		if (best >= 0)
			assert_int_equal(first, best);
	}
	sched_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(link__shares_are_as_configured),
		cmocka_unit_test(link__delay_is_exact_and_jitter_keeps_order),
		cmocka_unit_test(link__reordered_packet_overtakes),
		cmocka_unit_test(link__rate_spaces_packets_and_limit_drops),
		cmocka_unit_test(link__clean_pushes_back_and_tells_of_room),
		cmocka_unit_test(link__clean_carries_superframes_by_reference),
		cmocka_unit_test(link__impaired_takes_no_superframes),
		cmocka_unit_test(link__a_superframe_taken_before_the_change),
		cmocka_unit_test(link__corruption_flips_one_bit_behind_ethernet),
		cmocka_unit_test(link__gemodel_loses_in_bursts),
		cmocka_unit_test(link__policer_drops_what_exceeds_rate_and_burst),
		cmocka_unit_test(link__mangled_segments_keep_a_right_checksum),
		cmocka_unit_test(link__luck_depends_on_the_seed_only),
		cmocka_unit_test(sched__equals_a_naive_list),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
