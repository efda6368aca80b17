/* What other files leave of the rules they prove: the shut window on the wire, FIN at the window's edges, the other ways out of silly
 * windows, old words about the window, when keep-alive is silent, when the retransmission timer restarts, what
 * a repeated SYN-ACK costs, R1's count, a four-tuple opened again. */
#include <errno.h>

#include "test/unit/tcp_harness.h"

#include "tcp/cc.h"

#define MSS 1000u

static struct th t;
static struct peer q;
static ref_t c;
static uint8_t data[60000], sink[60000];

static void open_with(const struct tcp_opts *o, uint16_t wnd)
{
	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + (i >> 8));
	th_init(&t, TH_A, TH_B, NULL, 1);
	t.env.no_rack = true; /* no probe comes before the time-out */
	q = (struct peer){.iss = 5000, .wnd = wnd};
	c = th_connect(&t, &q, &(struct tcp_hdr){.has_mss = true, .mss = MSS}, o);
}
static int setup(void **state)
{
	open_with(NULL, 60000);
	return 0;
}
static struct tcp_conn *k(void) { return th_conn(&t, c); }
static enum tcp_state st(void) { return tcp_conn_state(&t.env, c); }
static void put(uint32_t n)
{
	assert_int_equal(tcp_user_send(&t.env, c, data, n, false), n);
	th_flush(&t);
}
static void ack(uint32_t n) { th_send(&t, &q, TCP_ACK, 1, n, NULL, 0); }

/* The peer's stream is data[] from number 1 on. */
static void seg(uint8_t flags, uint32_t seq, uint32_t n) { th_send(&t, &q, TCP_ACK | flags, seq, 1, data + seq - 1, n); }
static void assert_reads(uint32_t from, uint32_t n)
{
	assert_int_equal(tcp_user_recv(&t.env, c, sink, sizeof(sink), false), n);
	assert_memory_equal(sink, data + from - 1, n);
}

/* --- TCP-030, TCP-031 --- */

/* RFC 9293 §3.10.7.4, table 6, window zero: nothing but an empty segment at RCV.NXT is acceptable; the rest is answered and dropped, a
 * reset outside the window in silence, one at RCV.NXT counts (TCP-035). */
static void req_TCP_030__a_shut_window(void **state)
{
	static const struct { uint8_t flags; uint32_t seq, len; bool answered; } cases[] = {
		{0, 4001, 0, false}, {0, 4001, 1, true}, {0, 4002, 0, true}, {0, 4000, 0, true}, {0, 4001, 1000, true}, {0, 4000, 2, true},
		{TCP_FIN, 4001, 0, true}, {TCP_FIN, 4002, 0, true}, {TCP_RST, 4002, 0, false}, {TCP_RST, 4000, 0, false},
	};

	th_finish(&t, c);
	open_with(&(struct tcp_opts){.rcvbuf = 4000}, 60000);
	for (uint32_t i = 0; i < 4; i++)
		seg(0, 1 + 1000 * i, 1000);
	assert_int_equal(tcp_rcv_wnd(k()), 0);
	th_drain(&t);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		seg(cases[i].flags, cases[i].seq, cases[i].len);
		if (cases[i].answered)
			assert_int_equal(th_expect(&t, &q, TCP_ACK, 1, 4001, 0)->h.wnd, 0);
		th_expect_none(&t);
		assert_int_equal(st(), TCP_ESTABLISHED);
		assert_int_equal(tcp_user_inq(&t.env, c), 4000);
	}
	th_send(&t, &q, TCP_RST, 4001, 0, NULL, 0);
	assert_int_equal(st(), TCP_CLOSED);
	th_finish(&t, c);
}

/* The FIN lies beyond the right edge: cut off with the text before it, and no end of the stream until it comes again. */
static void req_TCP_031__a_fin_beyond_the_right_edge(void **state)
{
	th_finish(&t, c);
	open_with(&(struct tcp_opts){.rcvbuf = 4000}, 60000);
	seg(TCP_FIN, 1, 6000);
	th_expect(&t, &q, TCP_ACK, 1, 4001, 0);
	assert_int_equal(st(), TCP_ESTABLISHED);
	assert_reads(1, 4000);
	assert_int_equal(tcp_user_recv(&t.env, c, sink, 1, false), -EAGAIN);
	th_flush(&t);
	th_drain(&t);
	seg(TCP_FIN, 4001, 2000);
	th_expect(&t, &q, TCP_ACK, 1, 6002, 0);
	assert_int_equal(st(), TCP_CLOSE_WAIT);
	assert_reads(4001, 2000);
	assert_int_equal(tcp_user_recv(&t.env, c, sink, 1, false), 0);
	th_finish(&t, c);
}

/* All is old but the FIN; then all of it is old. A SYN in front of the text is answered, never delivered (RFC 5961 §4.2). */
static void req_TCP_031__a_fin_beside_old_text(void **state)
{
	seg(0, 1, 1000);
	th_drain(&t);
	th_send(&t, &q, TCP_SYN | TCP_ACK, 0, 1, data, 1500);
	th_expect(&t, &q, TCP_ACK, 1, 1001, 0);
	assert_int_equal(tcp_user_inq(&t.env, c), 1000);
	seg(TCP_FIN, 1, 1000);
	th_expect(&t, &q, TCP_ACK, 1, 1002, 0);
	assert_int_equal(st(), TCP_CLOSE_WAIT);
	seg(TCP_FIN, 501, 500);
	th_expect(&t, &q, TCP_ACK, 1, 1002, 0);
	assert_reads(1, 1000);
	assert_int_equal(tcp_user_recv(&t.env, c, sink, 1, false), 0);
	th_finish(&t, c);
}

/* --- TCP-063: RFC 9293 §3.8.6.2.1 (2) and (3) --- */

static void req_TCP_063__half_of_the_largest_window_is_filled(void **state)
{
	th_finish(&t, c);
	open_with(NULL, 800); /* never a whole segment */
	put(5000);
	th_expect(&t, &q, TCP_ACK, 1, 1, 800);
	th_expect_none(&t);
	q.wnd = 399;
	ack(801);
	th_expect_none(&t);
	q.wnd = 400;
	ack(801);
	th_expect(&t, &q, TCP_ACK, 801, 1, 400);
	th_expect_none(&t);
	th_finish(&t, c);
}

static void req_TCP_063__all_that_is_left_may_go(void **state)
{
	th_finish(&t, c);
	open_with(NULL, 5000);
	put(5000);
	th_drain(&t);
	q.wnd = 300;
	ack(5001);
	put(200); /* small, but all there is, and nothing is in flight */
	th_expect(&t, &q, TCP_ACK, 5001, 1, 200);
	put(200); /* Nagle does not allow, nor is there room */
	th_expect_none(&t);
	th_finish(&t, c);
}

/* RFC 9293 §3.8.6.2.1 (4): the override timer is 0.1 to 1 s, on the slowest path too. */
static void req_TCP_063__the_override_timer_is_at_most_a_second(void **state)
{
	th_finish(&t, c);
	open_with(NULL, 5000);
	k()->srtt_us = 2000000;
	k()->rttvar_us = 500000;
	put(20000);
	th_drain(&t);
	th_run(&t, 2 * NS_PER_S);
	q.wnd = 300;
	ack(5001);
	assert_true(tcp_rto(k()) > 2 * NS_PER_S);
	th_run(&t, 100 * NS_PER_MS);
	th_expect_none(&t);
	th_run(&t, 900 * NS_PER_MS + (1 << WHEEL_TICK_SHIFT));
	th_expect(&t, &q, TCP_ACK, 5001, 1, 300);
	th_expect_none(&t);
	th_finish(&t, c);
}

/* --- TCP-034 --- */

/* An ACK that others overtook, at the same sequence number: what it says of the window is old (SND.WL2). One that acknowledges no more, but
 * stands later in the peer's stream, is not (SND.WL1); nor is one that equals both. */
static void req_TCP_034__an_overtaken_ack_moves_no_window(void **state)
{
	put(3000);
	th_drain(&t);
	q.wnd = 5000;
	ack(2001);
	assert_int_equal(k()->snd_wnd, 5000);
	q.wnd = 60000;
	ack(1001);
	ack(1);
	assert_int_equal(k()->snd_wnd, 5000);
	q.wnd = 4000; /* shrinks from the right, at the same numbers: the newest word (MUST-34) */
	ack(2001);
	assert_int_equal(k()->snd_wnd, 4000);
	q.wnd = 7000;
	th_send(&t, &q, TCP_ACK, 1, 2001, data, 10);
	assert_int_equal(k()->snd_wnd, 7000);
	th_finish(&t, c);
}

/* --- TCP-080 --- */

static unsigned probes_in(int64_t ns)
{
	unsigned n = 0;
	th_run(&t, ns);
	for (const struct th_seg *s; (s = th_next(&t));)
		n += s->why == WHY_KEEPALIVE;
	th_drain(&t);
	return n;
}

/* RFC 9293 §3.8.4 MUST-26: only when nothing came within the interval; and not while data of ours is unanswered, which is asked for by
 * itself (RFC 1122 §4.2.3.6). */
static void req_TCP_080__only_when_idle(void **state)
{
	th_finish(&t, c);
	open_with(&(struct tcp_opts){.keepalive = true, .keep_idle_s = 10, .keep_intvl_s = 1}, 60000);
	for (uint32_t i = 0; i < 5; i++) { /* text, or a bare ACK, every nine seconds */
		assert_int_equal(probes_in(9 * NS_PER_S), 0);
		seg(0, 1 + i / 2, i % 2);
	}
	put(100);
	th_drain(&t);
	assert_int_equal(probes_in(30 * NS_PER_S), 0); /* nobody answers: repeated, not asked */
	assert_true(k()->segs_retrans > 2);
	th_send(&t, &q, TCP_ACK, 3, 101, NULL, 0);
	assert_int_equal(probes_in(9900 * NS_PER_MS), 0);
	assert_int_equal(probes_in(200 * NS_PER_MS), 1);
	th_finish(&t, c);
}

/* --- timers --- */

/* RFC 6298 §5.3: an ACK of new data starts the period anew; a duplicate does not. */
static void req_TCP_076__a_new_ack_restarts_the_timer(void **state)
{
	k()->srtt_us = 100000;
	k()->rttvar_us = 1000;
	put(2 * MSS);
	th_drain(&t);
	th_run(&t, 250 * NS_PER_MS); /* of 300 */
	ack(1 + MSS);
	int64_t rto = tcp_rto(k());
	assert_true(rto > 300 * NS_PER_MS);
	th_run(&t, 200 * NS_PER_MS);
	ack(1 + MSS);
	th_run(&t, rto - 205 * NS_PER_MS);
	th_expect_none(&t);
	th_run(&t, 10 * NS_PER_MS);
	assert_int_equal(th_expect(&t, &q, TCP_ACK, 1 + MSS, 1, MSS)->why, WHY_RETRANS_RTO);
	th_finish(&t, c);
}

static unsigned suspects;
static void on_suspect(void *ctx, ref_t path)
{
	assert_int_equal(path, t.path);
	suspects++;
}

/* R1 is not below three retransmissions (SHLD-10), comes before R2, and is told once. */
static void req_TCP_078__r1_is_three_retransmissions(void **state)
{
	struct tcp_ops o = th_ops;
	o.path_suspect = on_suspect;
	suspects = 0;
	t.env.ops = &o;
	put(10);
	th_drain(&t);
	int repeated = -1;
	while (st() == TCP_ESTABLISHED) {
		th_run(&t, 100 * NS_PER_MS);
		if (suspects && repeated < 0)
			repeated = t.n_out;
	}
	assert_in_range(repeated, 3, 5);
	assert_true(t.n_out > repeated);
	assert_int_equal(suspects, 1);
	t.env.ops = &th_ops;
	th_finish(&t, c);
}

/* A connection of a listener whose SYN-ACK went `times` times before the peer's ACK came. */
static void accepted_after(unsigned times)
{
	struct tcp_hdr syn;

	th_init(&t, TH_A, TH_B, NULL, 1);
	t.env.no_rack = true;
	q = (struct peer){.iss = 5000, .wnd = 60000};
	th_listen(&t, 4, NULL);
	syn = th_hdr(&q, TCP_SYN, 0, 0);
	syn.has_mss = true;
	syn.mss = MSS;
	th_inject(&t, &syn, NULL, 0);
	q.irs = th_next(&t)->h.seq;
	th_run(&t, ((1 << (times - 1)) - 1) * NS_PER_S + 500 * NS_PER_MS);
	assert_int_equal(t.n_out, times);
	th_drain(&t);
	ack(1);
	c = tcp_user_accept(&t.env, t.listener, TH_OWNER);
	assert_int_not_equal(c, 0);
	th_unlisten(&t);
	th_drain(&t);
}

/* RFC 6298 §5.7; RFC 5681 §3.1: one repetition leaves the initial window, two leave one segment. */
static void req_TCP_077__a_repeated_syn_ack(void **state)
{
	th_finish(&t, c);
	for (unsigned times = 1; times <= 3; times++) {
		accepted_after(times);
		put(20 * MSS);
		assert_int_equal(t.n_out, times > 2 ? 1 : 10); /* CC-002 */
		th_drain(&t);
		th_run(&t, 2990 * NS_PER_MS);
		if (times > 1)
			th_expect_none(&t);
		else
			assert_true(t.n_out > 0);
		th_drain(&t);
		th_run(&t, 20 * NS_PER_MS);
		if (times > 1)
			assert_int_equal(th_expect(&t, &q, TCP_ACK, 1, 1, MSS)->why, WHY_RETRANS_RTO);
		th_finish(&t, c);
	}
}

static void req_CC_002__a_syn_repeated_once_leaves_the_window(void **state)
{
	th_finish(&t, c);
	for (unsigned times = 1; times <= 3; times++) {
		th_init(&t, TH_A, TH_B, NULL, 1);
		q = (struct peer){.iss = 5000, .wnd = 60000};
		th_op_path_hold(&t, t.path);
		assert_int_equal(tcp_user_connect(&t.env, t.path, TH_LPORT, TH_RPORT, NULL, TH_OWNER, &c), 0);
		th_run(&t, ((1 << (times - 1)) - 1) * NS_PER_S + 500 * NS_PER_MS);
		assert_int_equal(t.n_out, times);
		q.irs = t.out[0].h.seq;
		struct tcp_hdr h = th_hdr(&q, TCP_SYN | TCP_ACK, 0, 1);
		h.has_mss = true;
		h.mss = MSS;
		th_inject(&t, &h, NULL, 0);
		th_drain(&t);
		put(20 * MSS);
		assert_int_equal(t.n_out, times > 2 ? 1 : 10);
		th_finish(&t, c);
	}
}

/* --- numbers --- */

/* RFC 6528 §3: the same four-tuple, later: higher by the clock, 4 us a step, also when it comes soon. */
static void req_TCP_021__opened_again_it_is_higher(void **state)
{
	static const int64_t later[] = {NS_PER_MS, NS_PER_S, 60 * NS_PER_S, 4000 * NS_PER_S};
	uint32_t last = q.irs;
	int64_t at = t.env.now;

	for (size_t i = 0; i < ARRAY_LEN(later); i++) {
		tcp_user_close(&t.env, c, true);
		th_run(&t, later[i]);
		th_drain(&t);
		c = th_connect(&t, &q, NULL, NULL);
		assert_in_range(q.irs - last, 1, INT32_MAX);
		assert_in_range(q.irs - last, (t.env.now - at) / 4000 - 1, (t.env.now - at) / 4000 + 1);
		last = q.irs;
		at = t.env.now;
	}
	th_finish(&t, c);
}

/* A listener's numbers, too: of the same four-tuple higher by the clock, of another unrelated. */
static void req_TCP_021__a_listeners_too(void **state)
{
	static const int64_t later[] = {100 * NS_PER_MS, NS_PER_S, 3000 * NS_PER_S};
	uint32_t last = 0;
	int64_t at = 0;

	th_finish(&t, c);
	th_init(&t, TH_A, TH_B, NULL, 1);
	th_listen(&t, 4, NULL);
	for (size_t i = 0; i <= ARRAY_LEN(later); i++) {
		th_send(&t, &q, TCP_SYN, 0, 0, NULL, 0);
		uint32_t isn = th_next(&t)->h.seq;
		if (i) {
			assert_in_range(isn - last, 1, INT32_MAX);
			assert_in_range(isn - last, (t.env.now - at) / 4000 - 1, (t.env.now - at) / 4000 + 1);
		}
		last = isn;
		at = t.env.now;
		struct tcp_hdr other = th_hdr(&q, TCP_SYN, 0, 0);
		other.sport++;
		th_inject(&t, &other, NULL, 0);
		assert_true(th_next(&t)->h.seq - isn + 1000 > 2000);
		th_send(&t, &q, TCP_RST, 1, 0, NULL, 0);
		other = th_hdr(&q, TCP_RST, 1, 0);
		other.sport++;
		th_inject(&t, &other, NULL, 0);
		assert_int_equal(t.n_nodes, 0);
		th_run(&t, i < ARRAY_LEN(later) ? later[i] : 0);
	}
	th_unlisten(&t);
	th_finish(&t, 0);
}

/* 20 days are fewer than 24: an old number is still old (RFC 7323 §5.5). */
static void req_TX_004__recent_holds_for_20_days(void **state)
{
	th_finish(&t, c);
	th_init(&t, TH_A, TH_B, NULL, 1);
	q = (struct peer){.iss = 5000, .wnd = 60000, .ts = true, .tsval = 2000};
	c = th_connect(&t, &q, NULL, NULL);
	seg(0, 1, 1);
	th_run(&t, 20 * 86400 * NS_PER_S);
	th_drain(&t);
	q.tsval = 1999;
	seg(0, 2, 1);
	assert_int_equal(t.drop, DROP_TCP_PAWS);
	assert_int_equal(tcp_user_inq(&t.env, c), 1);
	th_expect(&t, &q, TCP_ACK, 1, 2, 0);
	th_finish(&t, c);
}

/* --- congestion, whatever the algorithm --- */

static void open_cc(const char *cc)
{
	open_with(&(struct tcp_opts){.cc = (uint8_t)tcp_cc_find(cc)}, 60000);
	k()->cwnd = 20 * MSS;
	put(20 * MSS);
	th_drain(&t);
}

static void req_CC_020__losses_and_time_outs_reduce(void **state)
{
	static const char *const ccs[] = {"cubic", "reno", "bbr"};

	th_finish(&t, c);
	for (size_t i = 0; i < ARRAY_LEN(ccs); i++) {
		open_cc(ccs[i]);
		for (int n = 0; n < 3; n++)
			ack(1);
		assert_in_range(k()->cwnd, 10 * MSS, i < 2 ? 14 * MSS : 19 * MSS); /* BBR: what is in flight still */
		th_finish(&t, c);
		open_cc(ccs[i]);
		th_run(&t, NS_PER_S);
		assert_in_range(k()->cwnd, MSS, 10 * MSS);
		th_finish(&t, c);
	}
}

/* The named deviation: BBR's window is its model's, and what leaves after a pause is paced. */
static void req_CC_006__bbr_keeps_its_window_and_paces(void **state)
{
	th_finish(&t, c);
	open_cc("bbr");
	th_run(&t, 50 * NS_PER_MS);
	ack(1 + 20 * MSS);
	uint32_t before = k()->cwnd;
	assert_true(before >= 20 * MSS);
	th_run(&t, 500 * NS_PER_MS); /* more than one RTO */
	assert_int_equal(tcp_user_send(&t.env, c, data, 20 * MSS, false), 20 * MSS);
	th_flush(&t);
	assert_int_equal(k()->cwnd, before);
	assert_true(tcp_active_of(&t.env, k())->pacing_rate > 0);
	th_finish(&t, c);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(req_TCP_030__a_shut_window), T(req_TCP_031__a_fin_beyond_the_right_edge), T(req_TCP_031__a_fin_beside_old_text),
		T(req_TCP_063__half_of_the_largest_window_is_filled), T(req_TCP_063__all_that_is_left_may_go),
		T(req_TCP_063__the_override_timer_is_at_most_a_second), T(req_TCP_034__an_overtaken_ack_moves_no_window),
		T(req_TCP_080__only_when_idle), T(req_TCP_021__a_listeners_too),
		T(req_TCP_076__a_new_ack_restarts_the_timer), T(req_TCP_078__r1_is_three_retransmissions), T(req_TCP_077__a_repeated_syn_ack),
		T(req_CC_002__a_syn_repeated_once_leaves_the_window), T(req_TCP_021__opened_again_it_is_higher),
		T(req_TX_004__recent_holds_for_20_days), T(req_CC_020__losses_and_time_outs_reduce),
		T(req_CC_006__bbr_keeps_its_window_and_paces),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
