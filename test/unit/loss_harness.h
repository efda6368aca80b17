/* test/unit/loss_harness.h - one sender with a peer made by hand, whole segments as the unit: for the tests of loss recovery. */
#ifndef UNIT_LOSS_HARNESS_H
#define UNIT_LOSS_HARNESS_H

#include "test/unit/tcp_harness.h"

#include "tcp/cc.h"
#include "tcp/recovery.h"

#define MSS 1000u
#define MS NS_PER_MS

static struct th t;
static struct peer q;
static ref_t c;
static uint8_t data[400000];

static struct tcp_conn *k(void) { return th_conn(&t, c); }
static struct tcp_active *act(void) { return tcp_active_of(&t.env, k()); }

/* ESTABLISHED, with a path of 100 ms measured without doubt; NewReno, whose reductions are easy to tell. */
static void lh_open(bool sack, bool ts, bool no_rack)
{
	th_init(&t, TH_A, TH_B, NULL, 1);
	t.env.no_rack = no_rack;
	q = (struct peer){.iss = 5000, .wnd = 60000, .ts = ts, .tsval = 7};
	const struct tcp_opts reno = {.cc = (uint8_t)tcp_cc_find("reno")};
	struct tcp_hdr opts = {.has_mss = true, .mss = (uint16_t)(MSS + (ts ? 12 : 0)), .sack_permitted = sack, .has_ws = true, .ws = 4};
	c = th_connect(&t, &q, &opts, &reno);
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0); /* the window, scaled from here on */
	k()->srtt_us = k()->min_rtt_us = 100000;
	k()->rttvar_us = 1000;
}
static inline int lh_sack(void **state)
{
	lh_open(true, false, false);
	return 0;
}
static inline int lh_sack_ts(void **state)
{
	lh_open(true, true, false);
	return 0;
}
static inline int lh_6675(void **state)
{
	lh_open(true, false, true);
	return 0;
}
static inline int lh_newreno(void **state)
{
	lh_open(false, false, false);
	return 0;
}
static inline int lh_newreno_ts(void **state)
{
	lh_open(false, true, false);
	return 0;
}

/* n segments leave and are off the record. cwnd lets them. */
static inline void fill(uint32_t n)
{
	k()->cwnd = MAX(k()->cwnd, tcp_flight(k()) + n * MSS);
	assert_int_equal(tcp_user_send(&t.env, c, data, n * MSS, false), n * MSS);
	th_flush(&t);
	th_drain(&t);
}
/* n segments, each a range of its own, `gap` ns between them. */
static inline void fill_apart(uint32_t n, int64_t gap)
{
	for (uint32_t i = 0; i < n; i++) {
		fill(1);
		th_run(&t, gap);
	}
	th_drain(&t);
}
/* More is to be sent; it leaves as far as cwnd lets it. */
static inline void queue(uint32_t n)
{
	assert_int_equal(tcp_user_send(&t.env, c, data, n * MSS, false), n * MSS);
	th_flush(&t);
}
static inline void ack(uint32_t seg) { th_send(&t, &q, TCP_ACK, 1, 1 + seg * MSS, NULL, 0); }

/* ACK of `seg` segments with SACK blocks, in segments: {from, to}, ... */
static inline void sack(uint32_t seg, unsigned n, const uint32_t *blocks)
{
	struct tcp_hdr h = th_hdr(&q, TCP_ACK, 1, 1 + seg * MSS);
	h.n_sack = (uint8_t)n;
	for (unsigned i = 0; i < n; i++)
		h.sack[i] = (struct iv){q.irs + 1 + blocks[2 * i] * MSS, q.irs + 1 + blocks[2 * i + 1] * MSS};
	th_inject(&t, &h, NULL, 0);
}
#define SACK(seg, ...) sack(seg, ARRAY_LEN(((uint32_t[]){__VA_ARGS__})) / 2, (uint32_t[]){__VA_ARGS__})

static inline void expect_seg(uint32_t seg, enum why why)
{
	const struct th_seg *s = th_expect(&t, &q, TCP_ACK, 1 + seg * MSS, 1, MSS);
	assert_string_equal(why_name(s->why), why_name(why));
}

/* n segments were sent again, each delivered and then reported as a duplicate would be: what a test needs so that D-SACKs count. */
static inline struct tcp_kept *kept(void) { return tcp_kept(k()); }

#endif
