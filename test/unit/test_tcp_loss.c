/* The sender when something is lost: RTO, fast retransmit, NewReno, SACK recovery, congestion window, RTT. */
#include <errno.h>

#include "test/unit/tcp_harness.h"

#include "tcp/cc.h"
#include "tcp/recovery.h"

#define MSS 1000u

static struct th t;
static struct peer q;
static ref_t c;
static uint8_t data[400000];

/* Without RACK-TLP: SACK means RFC 6675. The other way is in test_tcp_rack.c. */
static void open_with(bool sack, bool ts)
{
	th_init(&t, TH_A, TH_B, NULL, 1);
	t.env.no_rack = true;
	q = (struct peer){.iss = 5000, .wnd = 60000, .ts = ts, .tsval = 7};
	const struct tcp_opts reno = {.cc = (uint8_t)tcp_cc_find("reno")}; /* halves; what CUBIC does is in test_cc.c */
	struct tcp_hdr opts = {.has_mss = true, .mss = (uint16_t)(MSS + (ts ? 12 : 0)), .sack_permitted = sack, .has_ws = true, .ws = 4};
	c = th_connect(&t, &q, &opts, &reno);
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0); /* the window, scaled from here on */
}
static int setup(void **state)
{
	open_with(true, false);
	return 0;
}
static int setup_reno(void **state)
{
	open_with(false, false);
	return 0;
}
static struct tcp_conn *k(void) { return th_conn(&t, c); }
static struct tcp_active *act(void) { return tcp_active_of(&t.env, k()); }

/* n segments leave and are off the record. cwnd lets them. */
static void fill(uint32_t n)
{
	k()->cwnd = MAX(k()->cwnd, n * MSS);
	assert_int_equal(tcp_user_send(&t.env, c, data, n * MSS, false), n * MSS);
	th_flush(&t);
	th_drain(&t);
}
static void ack(uint32_t seg) { th_send(&t, &q, TCP_ACK, 1, 1 + seg * MSS, NULL, 0); }

/* ACK of `seg` segments with SACK blocks, in segments: {from, to}, ... */
static void sack(uint32_t seg, unsigned n, const uint32_t *blocks)
{
	struct tcp_hdr h = th_hdr(&q, TCP_ACK, 1, 1 + seg * MSS);
	h.n_sack = (uint8_t)n;
	for (unsigned i = 0; i < n; i++)
		h.sack[i] = (struct iv){q.irs + 1 + blocks[2 * i] * MSS, q.irs + 1 + blocks[2 * i + 1] * MSS};
	th_inject(&t, &h, NULL, 0);
}
static void expect_seg(uint32_t seg, enum why why)
{
	const struct th_seg *s = th_expect(&t, &q, TCP_ACK, 1 + seg * MSS, 1, MSS);
	assert_int_equal(s->why, why);
}

/* --- RTT and RTO (RFC 6298) --- */

static void req_TCP_074__rtt_estimator(void **state)
{
	struct tcp_conn m = {0};
	assert_int_equal(tcp_rto(&m), NS_PER_S); /* TCP-075 */
	tcp_rtt_sample(&m, 100 * NS_PER_MS);
	assert_int_equal(m.srtt_us, 100000);
	assert_int_equal(m.rttvar_us, 50000);
	assert_int_equal(tcp_rto(&m), 300 * NS_PER_MS); /* SRTT + 4 RTTVAR */
	tcp_rtt_sample(&m, 200 * NS_PER_MS);
	assert_int_equal(m.rttvar_us, 62500); /* 3/4 x 50 + 1/4 x |100 - 200|, with the old SRTT */
	assert_int_equal(m.srtt_us, 112500);  /* 7/8 x 100 + 1/8 x 200 */
	for (int i = 0; i < 200; i++)
		tcp_rtt_sample(&m, 10 * NS_PER_MS);
	assert_in_range(tcp_rto(&m), 210 * NS_PER_MS, 211 * NS_PER_MS); /* the floor: SRTT + 200 ms */
	assert_int_equal(m.min_rtt_us, 10000);
	tcp_rtt_sample(&m, 500 * NS_PER_S);
	assert_in_range(tcp_rto(&m), 60 * NS_PER_S, 120 * NS_PER_S); /* bounded, not below 60 s */
	assert_int_equal(tcp_rto_backed(&m, 60), 120 * NS_PER_S);
	th_finish(&t, c);
}

/* 1 s before any sample, 200 ms above SRTT at the least whatever the samples are (the named deviation), a bound not below 60 s. */
static void req_TCP_075__first_least_and_most(void **state)
{
	for (int64_t us = 1; us <= 1000000; us *= 10) {
		struct tcp_conn m = {0};
		assert_int_equal(tcp_rto(&m), NS_PER_S);
		assert_int_equal(tcp_rto_initial_backed(0), NS_PER_S);
		for (int i = 0; i < 300; i++) {
			tcp_rtt_sample(&m, us * NS_PER_US);
			assert_true(tcp_rto(&m) >= us * NS_PER_US + 200 * NS_PER_MS);
		}
		assert_in_range(tcp_rto(&m), us * NS_PER_US + 200 * NS_PER_MS, us * NS_PER_US + 201 * NS_PER_MS);
		for (uint8_t n = 0; n < 40; n++) {
			int64_t grown = tcp_rto(&m) << MIN(n, 30); /* RFC 6298 §2.5, §5.5 */
			assert_int_equal(tcp_rto_backed(&m, n), MIN(grown, 120 * NS_PER_S));
		}
	}
	k()->srtt_us = k()->min_rtt_us = 50;
	k()->rttvar_us = 1;
	fill(1);
	th_run(&t, 195 * NS_PER_MS);
	th_expect_none(&t);
	th_run(&t, 10 * NS_PER_MS);
	expect_seg(0, WHY_RETRANS_RTO);
	th_finish(&t, c);
}

static void req_TCP_074__no_sample_from_what_was_sent_twice(void **state)
{
	uint32_t srtt = k()->srtt_us;
	fill(1);
	th_run(&t, 800 * NS_PER_MS); /* repeated at least once */
	ack(1);
	assert_int_equal(k()->srtt_us, srtt);
	th_finish(&t, c);
}

static void req_TCP_074__timestamps_tell(void **state)
{
	th_finish(&t, c);
	open_with(true, true);
	fill(1);
	th_run(&t, 300 * NS_PER_MS); /* RTO at about 200 ms: the second copy goes */
	const struct th_seg *s = th_next(&t);
	uint32_t first = k()->srtt_us;
	q.tsecr = s->h.tsval; /* echoes the second copy */
	th_run(&t, 50 * NS_PER_MS);
	ack(1);
	assert_true(k()->srtt_us > first);
	assert_in_range(k()->srtt_us, 1, 30000); /* a sample of about 140 ms by 1/8, not of 350 */
	th_finish(&t, c);
}

static void req_TCP_076__backoff_and_restart(void **state)
{
	fill(1);
	int64_t last = t.env.now, gap = tcp_rto(k());
	for (int i = 0; i < 5; i++) {
		th_run(&t, last + gap - 5 * NS_PER_MS - t.env.now);
		th_expect_none(&t);
		th_run(&t, 10 * NS_PER_MS);
		expect_seg(0, WHY_RETRANS_RTO);
		last = t.out[0].at;
		th_drain(&t);
		gap *= 2;
	}
	ack(1);
	th_run(&t, 100 * NS_PER_S); /* nothing in flight, no timer */
	th_expect_none(&t);
	th_finish(&t, c);
}

static void req_TCP_078__r2_closes_with_etimedout(void **state)
{
	fill(1);
	int64_t from = t.env.now;
	while (tcp_conn_state(&t.env, c) != TCP_CLOSED)
		th_run(&t, NS_PER_S);
	assert_true(t.env.now - from >= 100 * NS_PER_S);
	assert_int_equal(tcp_user_error(&t.env, c), ETIMEDOUT);
	th_finish(&t, c);
}

static void req_TCP_078__user_timeout(void **state)
{
	tcp_user_set_opts(&t.env, c, &(struct tcp_opts){.user_timeout_ms = 3000});
	fill(1);
	th_run(&t, 2900 * NS_PER_MS);
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_ESTABLISHED);
	th_run(&t, 5 * NS_PER_S);
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_CLOSED);
	th_finish(&t, c);
}

/* --- fast retransmit --- */

static void req_CC_004__third_duplicate_retransmits(void **state)
{
	fill(10);
	ack(0);
	ack(0);
	th_expect_none(&t);
	uint32_t cwnd = k()->cwnd;
	assert_int_equal(cwnd, 10 * MSS); /* fewer than three leave it alone */
	ack(0);
	expect_seg(0, WHY_RETRANS_FAST);
	assert_int_equal(k()->ssthresh, 5 * MSS); /* CC-003 */
	assert_int_equal(k()->cwnd, 5 * MSS);
	th_finish(&t, c);
}

/* Two duplicates, then the hole is filled: only one segment is news (as Linux: what duplicates told of came while cwnd stood still). */
static void growth_after_two_duplicates(void (*dup)(uint32_t n))
{
	k()->cwnd = 10 * MSS;
	assert_int_equal(tcp_user_send(&t.env, c, data, 15 * MSS, false), 15 * MSS);
	th_flush(&t);
	th_drain(&t);
	dup(2);
	dup(3);
	assert_int_equal(k()->snd_nxt - k()->snd_una, 12 * MSS); /* limited transmit */
	assert_int_equal(k()->cwnd, 10 * MSS);
	ack(3);
	assert_int_equal(k()->cwnd, 11 * MSS);
	ack(4);
	assert_int_equal(k()->cwnd, 12 * MSS);
	th_finish(&t, c);
}
static void dup_sack(uint32_t n) { sack(0, 1, (uint32_t[]){1, n}); }
static void dup_plain(uint32_t n) { ack(0); }

static void req_CC_008__growth_counts_news_once_with_sack(void **state) { growth_after_two_duplicates(dup_sack); }
static void req_CC_008__growth_counts_news_once_without_sack(void **state) { growth_after_two_duplicates(dup_plain); }

/* RFC 9937 §6.2: the ACK that ends recovery sets cwnd to ssthresh, however much it acknowledges; growth begins with the next. */
static void req_CC_003__the_end_of_recovery_opens_no_window(void **state)
{
	fill(20);
	assert_int_equal(tcp_user_send(&t.env, c, data, 20 * MSS, false), 20 * MSS); /* waits for cwnd */
	th_flush(&t);
	for (uint32_t i = 2; i <= 20; i++)
		sack(0, 1, (uint32_t[]){1, i});
	th_drain(&t);
	assert_int_equal(act()->ca, TCP_CA_RECOVERY);
	uint32_t left = k()->snd_nxt - act()->recover; /* in flight when it ends */
	assert_in_range(left, MSS, 8 * MSS);
	ack((act()->recover - k()->iss - 1) / MSS);
	assert_int_equal(act()->ca, TCP_CA_OPEN);
	assert_int_equal(k()->ssthresh, 10 * MSS);
	assert_int_equal(k()->cwnd, 10 * MSS);
	th_finish(&t, c);
}

static void req_CC_004__two_duplicates_are_reordering(void **state)
{
	fill(10);
	ack(0);
	ack(0);
	ack(10);
	th_expect_none(&t);
	assert_true(k()->cwnd >= 10 * MSS);
	assert_int_equal(k()->ssthresh, TCP_SSTHRESH_INFINITE);
	th_finish(&t, c);
}

static void req_CC_005__limited_transmit(void **state)
{
	fill(10);
	assert_int_equal(tcp_user_send(&t.env, c, data, 5 * MSS, false), 5 * MSS); /* waits for cwnd */
	th_flush(&t);
	th_expect_none(&t);
	ack(0);
	expect_seg(10, WHY_DATA);
	ack(0);
	expect_seg(11, WHY_DATA);
	th_expect_none(&t);
	ack(0);
	expect_seg(0, WHY_RETRANS_FAST);
	assert_int_equal(k()->ssthresh, 5 * MSS); /* what limited transmit added does not count (RFC 5681 §3.2) */
	th_finish(&t, c);
}

/* CC-007: three holes, one by one, by partial ACKs. */
static void req_CC_007__newreno_partial_acks(void **state)
{
	fill(10); /* 0, 3 and 6 are lost */
	for (int i = 0; i < 7; i++)
		ack(0);
	expect_seg(0, WHY_RETRANS_FAST);
	th_expect_none(&t);
	ack(3);
	expect_seg(3, WHY_RETRANS_PARTIAL);
	th_expect_none(&t);
	assert_int_equal(act()->ca, TCP_CA_RECOVERY);
	ack(6);
	expect_seg(6, WHY_RETRANS_PARTIAL);
	assert_int_equal(k()->cwnd, 5 * MSS); /* one reduction for all */
	ack(10);
	th_expect_none(&t);
	assert_int_equal(k()->ssthresh, 5 * MSS);
	assert_true(k()->cwnd <= 5 * MSS);
	th_finish(&t, c);
}

static void req_CC_007__old_duplicates_after_rto_do_not_begin_again(void **state)
{
	fill(8);
	th_run(&t, 500 * NS_PER_MS); /* RTO */
	th_drain(&t);
	ack(1);
	uint32_t ssthresh = k()->ssthresh;
	th_drain(&t);
	for (int i = 0; i < 4; i++)
		ack(1); /* still below `recover` */
	assert_int_equal(k()->ssthresh, ssthresh);
	th_finish(&t, c);
}

/* --- SACK recovery (CC-013) --- */

static void req_CC_013__holes_are_chosen_by_sack(void **state)
{
	fill(10); /* 1 and 4 are lost */
	sack(1, 1, (uint32_t[]){2, 3});
	sack(1, 1, (uint32_t[]){2, 4});
	th_expect_none(&t);
	sack(1, 2, (uint32_t[]){5, 6, 2, 4}); /* three segments above 1 */
	expect_seg(1, WHY_RETRANS_SACK);
	th_expect_none(&t); /* 4 has one above it */
	assert_int_equal(k()->ssthresh, 4500); /* half of the 9 in flight */
	sack(1, 2, (uint32_t[]){5, 8, 2, 4});
	expect_seg(4, WHY_RETRANS_SACK);
	sack(4, 1, (uint32_t[]){5, 10});
	th_expect_none(&t);
	assert_int_equal(k()->ssthresh, 4500); /* one reduction per window */
	ack(10);
	assert_int_equal(tcp_flight(k()), 0);
	assert_int_equal(k()->segs_retrans, 2);
	th_finish(&t, c);
}

static void req_CC_013__pipe_limits_new_data(void **state)
{
	fill(10);
	assert_int_equal(tcp_user_send(&t.env, c, data, 20 * MSS, false), 20 * MSS);
	th_flush(&t);
	sack(0, 1, (uint32_t[]){1, 2});
	sack(0, 1, (uint32_t[]){1, 3});
	th_drain(&t); /* limited transmit */
	sack(0, 1, (uint32_t[]){1, 4});
	expect_seg(0, WHY_RETRANS_SACK);
	th_expect_none(&t); /* pipe is above the halved cwnd */
	for (uint32_t n = 5; n <= 10; n++)
		sack(0, 1, (uint32_t[]){1, n});
	assert_true(tcp_pipe(k(), act()) <= k()->cwnd);
	assert_true(t.n_out > 0);
	th_finish(&t, c);
}

static void tcp_loss__lost_retransmission_is_seen(void **state)
{
	fill(10);
	sack(0, 1, (uint32_t[]){1, 4});
	expect_seg(0, WHY_RETRANS_SACK);
	assert_int_equal(tcp_user_send(&t.env, c, data, 20 * MSS, false), 20 * MSS);
	sack(0, 1, (uint32_t[]){1, 10}); /* all that was out when 0 went again: no word on it yet */
	uint32_t sent = 0;
	for (const struct th_seg *s; (s = th_next(&t)); sent++)
		assert_int_equal(s->why, WHY_DATA);
	assert_true(sent >= 4);
	uint32_t ssthresh = k()->ssthresh;
	sack(0, 1, (uint32_t[]){1, 13}); /* three that left after it */
	bool again = false;
	for (const struct th_seg *s; (s = th_next(&t));)
		again |= s->h.seq == q.irs + 1 && s->why == WHY_RETRANS_SACK;
	assert_true(again);
	assert_true(k()->ssthresh < ssthresh);
	th_finish(&t, c);
}

static void req_CC_011__bad_blocks_do_nothing(void **state)
{
	fill(10);
	sack(0, 1, (uint32_t[]){5, 3});       /* reversed */
	sack(0, 1, (uint32_t[]){8, 11});      /* beyond SND.NXT */
	sack(0, 1, (uint32_t[]){(uint32_t)-2, (uint32_t)-1}); /* below SND.UNA */
	sack(0, 1, (uint32_t[]){4, 4});
	assert_int_equal(act()->sent.sacked, 0);
	sack(0, 3, (uint32_t[]){2, 4, 3, 5, 2, 5}); /* overlapping ones count once */
	assert_int_equal(act()->sent.sacked, 3 * MSS);
	th_finish(&t, c);
}

static void req_CC_009__sack_without_permission_is_ignored(void **state)
{
	fill(10);
	for (int i = 0; i < 2; i++)
		sack(0, 1, (uint32_t[]){1, 10});
	assert_int_equal(act()->sent.sacked, 0);
	th_finish(&t, c);
}

/* CC-010: the receiver may change its mind. */
static void req_CC_010__rto_resends_the_left_edge_even_if_sacked(void **state)
{
	fill(4);
	sack(0, 1, (uint32_t[]){1, 3});
	ack(1); /* the receiver dropped 1 and 2 again: they are not covered, and no longer told */
	th_drain(&t);
	th_run(&t, 400 * NS_PER_MS);
	expect_seg(1, WHY_RETRANS_RTO);
	ack(2);
	expect_seg(2, WHY_RETRANS_RTO);
	th_finish(&t, c);
}

static void req_HARD_05__scoreboard_is_capped(void **state)
{
	k()->cwnd = 380000;
	assert_int_equal(tcp_user_send(&t.env, c, data, 380000, false), 380000);
	th_flush(&t);
	th_drain(&t);
	struct tcp_hdr h = th_hdr(&q, TCP_ACK, 1, 1);
	for (uint32_t i = 1; i < 40000; i += 4) { /* one-byte blocks, four an ACK */
		h.n_sack = 4;
		for (uint32_t j = 0; j < 4; j++)
			h.sack[j] = (struct iv){q.irs + 1 + 2 * (i + j), q.irs + 2 + 2 * (i + j)};
		th_inject(&t, &h, NULL, 0);
		th_drain(&t);
		assert_true(act()->sent.n <= TCP_RANGES_MAX);
	}
	ack(380);
	assert_int_equal(tcp_flight(k()), 0);
	th_finish(&t, c);
}

/* --- congestion control --- */

static struct tcp_cc_out cc(enum tcp_cc_event e, uint32_t acked, uint32_t flight, struct tcp_cc_out o)
{
	static uint64_t scratch[TCP_CC_WORDS];
	if (e == TCP_CC_EXIT)
		memset(scratch, 0, sizeof(scratch));
	struct tcp_cc_sample s = {.event = e, .mss = MSS, .acked = acked, .flight = flight, .is_limited = true};
	tcp_cc_newreno.on(scratch, &s, &o);
	return o;
}

static void req_CC_001__growth(void **state)
{
	struct tcp_cc_out o = {.cwnd = 10 * MSS, .ssthresh = TCP_SSTHRESH_INFINITE};
	assert_int_equal(cc(TCP_CC_ACK, MSS, 0, o).cwnd, 11 * MSS);
	assert_int_equal(cc(TCP_CC_ACK, 2 * MSS, 0, o).cwnd, 11 * MSS); /* at most SMSS for an ACK of two segments */
	assert_int_equal(cc(TCP_CC_ACK, 10, 0, o).cwnd, 10 * MSS + 10); /* CC-008: bytes, not ACKs */
	assert_int_equal(cc(TCP_CC_ACK, 44 * MSS, 0, o).cwnd, 11 * MSS); /* a merged one, too */
	o.ssthresh = 5 * MSS;
	cc(TCP_CC_LOSS, 0, 20 * MSS, o); /* clears the byte count */
	for (int i = 0; i < 9; i++)
		assert_int_equal((o = cc(TCP_CC_ACK, MSS, 0, o)).cwnd, 10 * MSS);
	assert_int_equal(cc(TCP_CC_ACK, MSS, 0, o).cwnd, 11 * MSS); /* one SMSS a window */
	th_finish(&t, c);
}

static void req_CC_003__reductions(void **state)
{
	struct tcp_cc_out o = {.cwnd = 40 * MSS, .ssthresh = TCP_SSTHRESH_INFINITE};
	assert_int_equal(cc(TCP_CC_LOSS, 0, 20 * MSS, o).ssthresh, 10 * MSS); /* FlightSize, not cwnd */
	assert_int_equal(cc(TCP_CC_LOSS, 0, MSS, o).ssthresh, 2 * MSS);
	o = cc(TCP_CC_RTO, 0, 20 * MSS, o);
	assert_int_equal(o.cwnd, MSS);
	assert_int_equal(o.ssthresh, 10 * MSS);
	o = cc(TCP_CC_RTO_AGAIN, 0, MSS, o);
	assert_int_equal(o.ssthresh, 10 * MSS); /* once per series */
	th_finish(&t, c);
}

static void req_CC_003__rto_series_halves_once(void **state)
{
	fill(10);
	th_run(&t, 3 * NS_PER_S); /* several expiries */
	assert_int_equal(k()->ssthresh, 5 * MSS);
	assert_int_equal(k()->cwnd, MSS);
	th_finish(&t, c);
}

/* The default is CUBIC; a change in mid-life counts at the next event and starts with clean memory. */
static void tcp_loss__the_congestion_control_can_be_changed(void **state)
{
	static const uint64_t clean[TCP_CC_WORDS];
	tcp_user_set_opts(&t.env, c, &(struct tcp_opts){0});
	fill(10);
	for (int i = 0; i < 3; i++)
		ack(0);
	th_drain(&t);
	assert_int_equal(k()->ssthresh, 7 * MSS);
	assert_memory_not_equal(act()->cc, clean, sizeof(clean));
	tcp_user_set_opts(&t.env, c, &(struct tcp_opts){.nodelay = true});
	assert_memory_not_equal(act()->cc, clean, sizeof(clean)); /* another option changes nothing */
	tcp_user_set_opts(&t.env, c, &(struct tcp_opts){.cc = (uint8_t)tcp_cc_find("reno")});
	assert_memory_equal(act()->cc, clean, sizeof(clean));
	ack(10);
	fill(10);
	for (int i = 0; i < 3; i++)
		ack(10);
	th_drain(&t);
	assert_int_equal(k()->ssthresh, 5 * MSS);
	th_finish(&t, c);
}

static void req_CC_006__idle_restarts_with_the_initial_window(void **state)
{
	fill(40);
	ack(40);
	assert_true(k()->cwnd >= 40 * MSS);
	th_run(&t, 5 * NS_PER_S);
	assert_int_equal(tcp_user_send(&t.env, c, data, 40 * MSS, false), 40 * MSS);
	th_flush(&t);
	assert_int_equal(t.n_out, 10);
	th_finish(&t, c);
}

static void req_CC_008__ack_division_and_spoofing(void **state)
{
	k()->cwnd = 10 * MSS;
	assert_int_equal(tcp_user_send(&t.env, c, data, 100 * MSS, false), 100 * MSS);
	th_flush(&t);
	th_drain(&t);
	for (uint32_t i = 1; i <= 100; i++) /* one segment acknowledged in a hundred pieces */
		th_send(&t, &q, TCP_ACK, 1, 1 + 10 * i, NULL, 0);
	assert_int_equal(k()->cwnd, 11 * MSS);
	th_drain(&t);
	for (int i = 0; i < 1000; i++) /* duplicates without end: no more is sent than was out */
		th_send(&t, &q, TCP_ACK, 1, 1001, NULL, 0);
	assert_true(t.n_out < 20);
	th_send(&t, &q, TCP_ACK, 1, 200000, NULL, 0); /* of what was never sent */
	assert_int_equal(t.drop, DROP_TCP_ACK_RANGE);
	th_finish(&t, c);
}

static void tcp_loss__app_limited_window_does_not_grow(void **state)
{
	for (uint32_t i = 0; i < 50; i++) {
		assert_int_equal(tcp_user_send(&t.env, c, data, MSS, false), MSS);
		th_flush(&t);
		ack(i + 1);
		th_drain(&t);
	}
	assert_int_equal(k()->cwnd, 10 * MSS);
	th_finish(&t, c);
}

/* After a time-out everything un-SACKed goes again in slow start. */
static void tcp_loss__go_back_after_rto(void **state)
{
	fill(6);
	th_run(&t, 400 * NS_PER_MS);
	expect_seg(0, WHY_RETRANS_RTO);
	th_expect_none(&t);
	ack(1);
	expect_seg(1, WHY_RETRANS_RTO);
	expect_seg(2, WHY_RETRANS_RTO);
	th_expect_none(&t);
	ack(3);
	expect_seg(3, WHY_RETRANS_RTO);
	ack(6);
	assert_int_equal(tcp_flight(k()), 0);
	th_finish(&t, c);
}

static void tcp_loss__reordering_raises_the_threshold(void **state)
{
	fill(30);
	sack(0, 1, (uint32_t[]){1, 3}); /* 0 is late by 2: no reason yet */
	ack(3);
	assert_int_equal(k()->reordering, 3);
	sack(3, 1, (uint32_t[]){4, 6});
	ack(6);
	sack(6, 1, (uint32_t[]){12, 14});
	ack(7); /* 6 came, not sent twice, 8 behind the highest */
	assert_int_equal(k()->reordering, 8);
	ack(14);
	th_drain(&t);
	sack(14, 1, (uint32_t[]){15, 20}); /* five above the hole: once that was loss */
	th_expect_none(&t);
	sack(14, 1, (uint32_t[]){15, 24});
	expect_seg(14, WHY_RETRANS_SACK);
	th_finish(&t, c);
}

/* An ACK that a newer one overtook: its SACK counts, nothing else of it does (packetdrill's prr-ss-ack-below-snd_una: as Linux). */
static void req_CC_013__sack_of_an_overtaken_ack_counts(void **state)
{
	fill(10);
	sack(0, 1, (uint32_t[]){1, 3});
	sack(0, 2, (uint32_t[]){8, 9, 1, 3}); /* three segments above the first */
	expect_seg(0, WHY_RETRANS_SACK);
	sack(4, 1, (uint32_t[]){8, 9});
	th_drain(&t);
	uint32_t wnd = k()->snd_wnd, cwnd = k()->cwnd, una = k()->snd_una;
	assert_int_equal(act()->sent.sacked, MSS);
	q.wnd = 10;
	sack(3, 1, (uint32_t[]){5, 7}); /* it tells of 5 and 6, which the newer one had no room for */
	assert_int_equal(act()->sent.sacked, 3 * MSS);
	assert_int_equal(k()->snd_una, una);
	assert_int_equal(k()->snd_wnd, wnd);
	assert_true(k()->cwnd <= cwnd);
	expect_seg(4, WHY_RETRANS_SACK); /* now three are SACKed above it */
	q.wnd = 60000;
	sack(3, 1, (uint32_t[]){3, 6}); /* begins below SND.UNA: no effect (CC-011) */
	sack(2, 1, (uint32_t[]){7, 11}); /* beyond SND.NXT */
	assert_int_equal(act()->sent.sacked, 3 * MSS);
	ack(10);
	assert_int_equal(tcp_flight(k()), 0);
	sack(9, 1, (uint32_t[]){9, 10}); /* nothing is in flight */
	th_finish(&t, c);
}
static void req_CC_004__overtaken_acks_are_no_duplicates(void **state)
{
	fill(10);
	ack(5);
	th_drain(&t);
	for (int i = 0; i < 5; i++)
		ack(4);
	assert_int_equal(act()->dupacks, 0);
	assert_int_equal(act()->ca, TCP_CA_OPEN);
	th_expect_none(&t);
	th_finish(&t, c);
}
/* One that is older than the largest window is not believed (RFC 5961 §5.2), whatever it SACKs. */
static void req_TX_008__sack_of_a_very_old_ack_is_refused(void **state)
{
	fill(10);
	k()->snd_wnd_max = 3000;
	ack(5);
	k()->snd_wnd_max = 3000;
	th_drain(&t);
	sack(1, 1, (uint32_t[]){7, 8});
	assert_int_equal(t.drop, DROP_TCP_ACK_RANGE);
	assert_int_equal(act()->sent.sacked, 0);
	sack(2, 1, (uint32_t[]){7, 8});
	assert_int_equal(act()->sent.sacked, MSS);
	th_finish(&t, c);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
#define R(f) cmocka_unit_test_setup(f, setup_reno)
	const struct CMUnitTest tests[] = {
		T(req_TCP_074__rtt_estimator), T(req_TCP_074__no_sample_from_what_was_sent_twice), T(req_TCP_074__timestamps_tell),
		T(req_TCP_075__first_least_and_most),
		T(req_TCP_076__backoff_and_restart), T(req_TCP_078__r2_closes_with_etimedout), T(req_TCP_078__user_timeout),
		T(req_CC_008__growth_counts_news_once_with_sack), R(req_CC_008__growth_counts_news_once_without_sack),
		T(req_CC_003__the_end_of_recovery_opens_no_window), R(tcp_loss__the_congestion_control_can_be_changed),
		R(req_CC_004__third_duplicate_retransmits), R(req_CC_004__two_duplicates_are_reordering), R(req_CC_005__limited_transmit),
		R(req_CC_007__newreno_partial_acks), R(req_CC_007__old_duplicates_after_rto_do_not_begin_again),
		T(req_CC_013__holes_are_chosen_by_sack), T(req_CC_013__pipe_limits_new_data), T(tcp_loss__lost_retransmission_is_seen),
		T(req_CC_011__bad_blocks_do_nothing), R(req_CC_009__sack_without_permission_is_ignored),
		T(req_CC_010__rto_resends_the_left_edge_even_if_sacked), T(req_HARD_05__scoreboard_is_capped), T(req_CC_001__growth),
		T(req_CC_003__reductions), T(req_CC_003__rto_series_halves_once), T(req_CC_006__idle_restarts_with_the_initial_window),
		R(req_CC_008__ack_division_and_spoofing), T(tcp_loss__app_limited_window_does_not_grow), T(tcp_loss__go_back_after_rto),
		T(tcp_loss__reordering_raises_the_threshold), T(req_CC_013__sack_of_an_overtaken_ack_counts),
		T(req_CC_004__overtaken_acks_are_no_duplicates), R(req_CC_004__overtaken_acks_are_no_duplicates),
		T(req_TX_008__sack_of_a_very_old_ack_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
