/* ECN (RFC 3168): the handshake and its fallbacks, what may be marked, the receiver's echo, the sender's one reduction a window. */
#include "tcp/ecn.h"

#include <errno.h>

#include "test/unit/tcp_harness.h"

#define MSS 1000u
#define ASKS (TCP_ECE | TCP_CWR)

static struct th t;
static struct peer q;
static ref_t c;
static uint8_t data[400000];

static struct tcp_conn *k(void) { return th_conn(&t, c); }
static struct tcp_active *act(void) { return tcp_active_of(&t.env, k()); }

static void begin(uint8_t setting)
{
	th_init(&t, TH_A, TH_B, NULL, 1);
	t.env.ecn = setting;
	q = (struct peer){.iss = 5000, .wnd = 60000};
	c = 0;
}

/* Our SYN leaves; it is the next on the record. */
static void dial(const char *cc)
{
	const struct tcp_opts o = {.cc = (uint8_t)tcp_cc_find(cc)};
	th_op_path_hold(&t, t.path);
	assert_int_equal(tcp_user_connect(&t.env, t.path, TH_LPORT, TH_RPORT, &o, TH_OWNER, &c), 0);
	th_flush(&t);
}

static void expect_syn(uint8_t flags)
{
	const struct th_seg *s = th_next(&t);
	assert_non_null(s);
	assert_int_equal(s->h.flags, flags);
	assert_int_equal(s->ecn, IP_ECN_NOT_ECT);
	q.irs = s->h.seq;
}

/* The peer's SYN or SYN-ACK. */
static void send_syn(uint8_t flags)
{
	struct tcp_hdr h = th_hdr(&q, flags, 0, 1);
	h.has_mss = true;
	h.mss = MSS;
	h.sack_permitted = true;
	h.has_ws = true;
	h.ws = 4;
	th_inject(&t, &h, NULL, 0);
}

/* Asked by us, agreed by the peer, ESTABLISHED; the window is open. */
static void open_with(const char *cc)
{
	begin(1);
	dial(cc);
	expect_syn(TCP_SYN | ASKS);
	send_syn(TCP_SYN | TCP_ACK | TCP_ECE);
	th_expect(&t, &q, TCP_ACK, 1, 1, 0);
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
}
static int setup(void **state)
{
	open_with("reno");
	return 0;
}

/* n segments are to leave, and the window allows it. */
static void fill(uint32_t n)
{
	k()->cwnd = MAX(k()->cwnd, tcp_flight(k()) + n * MSS);
	assert_int_equal(tcp_user_send(&t.env, c, data, n * MSS, false), n * MSS);
	th_flush(&t);
}
/* Segment `at` with these flags and this mark leaves. */
static void expect_data(uint32_t at, uint8_t flags, uint8_t ecn)
{
	const struct th_seg *s = th_expect(&t, &q, TCP_ACK | flags, 1 + at * MSS, 1, MSS);
	assert_int_equal(s->ecn, ecn);
}
static void ack(uint32_t segs, uint8_t flags) { th_send(&t, &q, TCP_ACK | flags, 1, 1 + segs * MSS, NULL, 0); }
/* An ACK up to `segs` that SACKs [from, to), in segments. */
static void sack(uint32_t segs, uint32_t from, uint32_t to, uint8_t flags)
{
	struct tcp_hdr h = th_hdr(&q, TCP_ACK | flags, 1, 1 + segs * MSS);
	h.n_sack = 1;
	h.sack[0] = (struct iv){q.irs + 1 + from * MSS, q.irs + 1 + to * MSS};
	th_inject(&t, &h, NULL, 0);
}
/* Text of the peer with an IP mark; seq relative. */
static void receive(uint32_t seq, uint32_t n, uint8_t mark, uint8_t flags)
{
	t.ecn = mark;
	th_send(&t, &q, TCP_ACK | flags, seq, 1, data, n);
	t.ecn = 0;
}
static void finish(void) { th_finish(&t, c); }

/* --- ECN-01 --- */

static void req_ECN_01__asked_by_ece_and_cwr_agreed_by_ece(void **state)
{
	open_with("reno");
	fill(1);
	expect_data(0, 0, IP_ECN_ECT0);
	finish();

	begin(1); /* the other side: SYN-ACK carries ECE and no CWR */
	th_listen(&t, 4, NULL);
	send_syn(TCP_SYN | ASKS);
	expect_syn(TCP_SYN | TCP_ACK | TCP_ECE);
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
	c = tcp_user_accept(&t.env, t.listener, TH_OWNER);
	fill(1);
	expect_data(0, 0, IP_ECN_ECT0);
	th_unlisten(&t);
	finish();
}

static void req_ECN_01__setting_as_linux_tcp_ecn(void **state)
{
	static const struct { uint8_t syn, synack; } want[] = {{0, 0}, {ASKS, TCP_ECE}, {0, TCP_ECE}};

	for (uint8_t setting = 0; setting < 3; setting++) {
		begin(setting);
		dial("reno");
		expect_syn(TCP_SYN | want[setting].syn);
		finish();
		begin(setting);
		th_listen(&t, 4, NULL);
		send_syn(TCP_SYN | ASKS);
		expect_syn(TCP_SYN | TCP_ACK | want[setting].synack);
		th_unlisten(&t);
		finish();
	}
}

/* Not the agreed answer, whatever it is: no ECT, ECE of the peer is nothing to us, CE nothing to it. */
static void expect_no_ecn(void)
{
	fill(4);
	for (uint32_t i = 0; i < 4; i++)
		expect_data(i, 0, IP_ECN_NOT_ECT);
	uint32_t cwnd = k()->cwnd;
	ack(1, TCP_ECE);
	assert_true(k()->cwnd >= cwnd);
	receive(1, 10, IP_ECN_CE, 0);
	th_run(&t, 50 * NS_PER_MS);
	const struct th_seg *s = th_next(&t);
	assert_non_null(s);
	assert_int_equal(s->h.flags & ASKS, 0);
}

static void req_ECN_01__broken_peers_fall_back(void **state)
{
	static const uint8_t answers[] = {0, ASKS, TCP_CWR};

	for (size_t i = 0; i < ARRAY_LEN(answers); i++) { /* no; all bits sent back; nonsense */
		begin(1);
		dial("reno");
		expect_syn(TCP_SYN | ASKS);
		send_syn(TCP_SYN | TCP_ACK | answers[i]);
		th_drain(&t);
		th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
		expect_no_ecn();
		finish();
	}
	begin(2); /* not asked, yet agreed to */
	dial("reno");
	expect_syn(TCP_SYN);
	send_syn(TCP_SYN | TCP_ACK | TCP_ECE);
	th_drain(&t);
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
	expect_no_ecn();
	finish();
}

static void req_ECN_01__half_a_request_is_none(void **state)
{
	static const uint8_t syns[] = {0, TCP_ECE, TCP_CWR};

	for (size_t i = 0; i < ARRAY_LEN(syns) + 1; i++) {
		begin(1);
		th_listen(&t, 4, NULL);
		t.ecn = i == ARRAY_LEN(syns) ? IP_ECN_ECT0 : 0; /* the last one asks, but its SYN has ECT: somebody plays with the bits */
		send_syn(TCP_SYN | (i == ARRAY_LEN(syns) ? ASKS : syns[i]));
		t.ecn = 0;
		expect_syn(TCP_SYN | TCP_ACK);
		th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
		c = tcp_user_accept(&t.env, t.listener, TH_OWNER);
		expect_no_ecn();
		th_unlisten(&t);
		finish();
	}
}

/* §6.1.1.1; and "has sent no non-ECN-setup SYN" is a condition for ECT, while CE is still to be echoed. */
static void req_ECN_01__a_lost_syn_is_repeated_without_the_bits(void **state)
{
	begin(1);
	dial("reno");
	expect_syn(TCP_SYN | ASKS);
	th_run(&t, NS_PER_S + 10 * NS_PER_MS);
	expect_syn(TCP_SYN);
	th_run(&t, 2 * NS_PER_S + 10 * NS_PER_MS);
	expect_syn(TCP_SYN);
	send_syn(TCP_SYN | TCP_ACK | TCP_ECE); /* the first SYN did arrive */
	th_drain(&t);
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
	fill(1);
	expect_data(0, 0, IP_ECN_NOT_ECT);
	uint32_t cwnd = k()->cwnd;
	ack(1, TCP_ECE);
	assert_true(k()->cwnd >= cwnd);
	receive(1, 10, IP_ECN_CE, 0);
	th_expect(&t, &q, TCP_ACK | TCP_ECE, 1 + MSS, 11, 0);
	finish();

	begin(1); /* and one that got through with a repetition that asks no more */
	th_listen(&t, 4, NULL);
	send_syn(TCP_SYN | ASKS);
	expect_syn(TCP_SYN | TCP_ACK | TCP_ECE);
	th_run(&t, 900 * NS_PER_MS);
	send_syn(TCP_SYN);
	expect_syn(TCP_SYN | TCP_ACK);
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
	c = tcp_user_accept(&t.env, t.listener, TH_OWNER);
	expect_no_ecn();
	th_unlisten(&t);
	finish();
}

static void req_ECN_01__simultaneous_open(void **state)
{
	begin(1);
	dial("reno");
	expect_syn(TCP_SYN | ASKS);
	send_syn(TCP_SYN | ASKS);
	expect_syn(TCP_SYN | TCP_ACK | TCP_ECE);
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
	fill(1);
	expect_data(0, 0, IP_ECN_ECT0);
	finish();

	begin(1);
	dial("reno");
	expect_syn(TCP_SYN | ASKS);
	send_syn(TCP_SYN);
	expect_syn(TCP_SYN | TCP_ACK);
	finish();
}

/* --- ECN-02 --- */

static void req_ECN_02__new_data_alone_is_ect(void **state)
{
	/* SYN and SYN-ACK: expect_syn() above looks at each. */
	fill(10);
	for (uint32_t i = 0; i < 10; i++)
		expect_data(i, 0, IP_ECN_ECT0);
	sack(0, 1, 4, 0); /* fast retransmission */
	sack(0, 1, 5, 0);
	sack(0, 1, 6, 0);
	expect_data(0, 0, IP_ECN_NOT_ECT);
	th_expect_none(&t);
	th_run(&t, 3 * NS_PER_S); /* and by the timer, several times */
	int n = 0;
	for (const struct th_seg *s; (s = th_next(&t)); n++)
		assert_int_equal(s->ecn, IP_ECN_NOT_ECT);
	assert_true(n > 1);
	ack(10, 0);
	receive(1, 10, 0, 0); /* a pure ACK */
	th_run(&t, 50 * NS_PER_MS);
	assert_int_equal(th_expect(&t, &q, TCP_ACK, 1 + 10 * MSS, 11, 0)->ecn, IP_ECN_NOT_ECT);
	receive(1, 10, 0, 0); /* a duplicate */
	assert_int_equal(th_expect(&t, &q, TCP_ACK, 1 + 10 * MSS, 11, 0)->ecn, IP_ECN_NOT_ECT);
	finish();
}

static void req_ECN_02__probes_fin_and_rst_are_not_ect(void **state)
{
	q.wnd = 0;
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
	assert_int_equal(tcp_user_send(&t.env, c, data, 100, false), 100);
	th_run(&t, 10 * NS_PER_S); /* window probes */
	assert_true(t.n_out > 2);
	for (const struct th_seg *s; (s = th_next(&t));)
		assert_int_equal(s->ecn, IP_ECN_NOT_ECT);
	q.wnd = 60000;
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
	assert_int_equal(th_expect(&t, &q, TCP_ACK, 1, 1, 100)->ecn, IP_ECN_ECT0);
	th_send(&t, &q, TCP_ACK, 1, 101, NULL, 0);
	tcp_user_shutdown_wr(&t.env, c); /* FIN alone carries no data */
	th_flush(&t);
	assert_int_equal(th_expect(&t, &q, TCP_ACK | TCP_FIN, 101, 1, 0)->ecn, IP_ECN_NOT_ECT);
	tcp_user_close(&t.env, c, true);
	th_flush(&t);
	assert_int_equal(th_expect(&t, &q, TCP_ACK | TCP_RST, 102, 1, 0)->ecn, IP_ECN_NOT_ECT);
	c = 0;
	finish();
}

static void req_ECN_02__keepalive_and_challenge_are_not_ect(void **state)
{
	begin(1);
	const struct tcp_opts o = {.keepalive = true, .keep_idle_s = 10};
	th_op_path_hold(&t, t.path);
	assert_int_equal(tcp_user_connect(&t.env, t.path, TH_LPORT, TH_RPORT, &o, TH_OWNER, &c), 0);
	th_flush(&t);
	expect_syn(TCP_SYN | ASKS);
	send_syn(TCP_SYN | TCP_ACK | TCP_ECE);
	assert_int_equal(th_expect(&t, &q, TCP_ACK, 1, 1, 0)->ecn, IP_ECN_NOT_ECT);
	th_run(&t, 11 * NS_PER_S);
	const struct th_seg *s = th_next(&t);
	assert_non_null(s);
	assert_int_equal(s->why, WHY_KEEPALIVE);
	assert_int_equal(s->ecn, IP_ECN_NOT_ECT);
	th_send(&t, &q, TCP_RST, 10, 0, NULL, 0);
	s = th_next(&t);
	assert_non_null(s);
	assert_int_equal(s->why, WHY_ACK_CHALLENGE);
	assert_int_equal(s->ecn, IP_ECN_NOT_ECT);
	finish();
}

/* --- ECN-03, receiver --- */

static void req_ECN_03__receiver_echoes_until_cwr(void **state)
{
	receive(1, 100, IP_ECN_ECT0, 0);
	th_run(&t, 50 * NS_PER_MS);
	th_expect(&t, &q, TCP_ACK, 1, 101, 0);
	t.ecn = IP_ECN_CE;
	struct tcp_hdr h = th_hdr(&q, TCP_ACK, 101, 1);
	th_deliver(&t, th_make(&t, &h, data, 100));
	assert_int_equal(t.txq.n, 1); /* at once: before the next segment is looked at, and before the flush */
	th_flush(&t);
	th_expect(&t, &q, TCP_ACK | TCP_ECE, 1, 201, 0);
	for (uint32_t i = 0; i < 5; i++) { /* unmarked ones change nothing; data of ours carries it, too */
		receive(201 + 100 * i, 100, IP_ECN_ECT0, 0);
		th_run(&t, 50 * NS_PER_MS);
		th_expect(&t, &q, TCP_ACK | TCP_ECE, 1, 301 + 100 * i, 0);
	}
	t.ecn = 0;
	fill(1);
	th_expect(&t, &q, TCP_ACK | TCP_ECE, 1, 701, MSS);
	th_send(&t, &q, TCP_ACK | TCP_CWR, 701, 1 + MSS, NULL, 0); /* on a pure ACK it says nothing about data */
	receive(701, 100, IP_ECN_ECT0, TCP_CWR);
	th_expect(&t, &q, TCP_ACK, 1 + MSS, 801, 0); /* at once */
	receive(801, 100, IP_ECN_CE, TCP_CWR); /* marked again: the echo begins again */
	th_expect(&t, &q, TCP_ACK | TCP_ECE, 1 + MSS, 901, 0);
	finish();
}

static void req_ECN_03__only_marks_on_data_of_the_window_count(void **state)
{
	receive(1, 100, IP_ECN_ECT0, 0);
	t.ecn = IP_ECN_CE;
	th_send(&t, &q, TCP_ACK, 101, 1, NULL, 0); /* a pure ACK is never ECT: somebody lies */
	t.ecn = 0;
	receive(1, 100, IP_ECN_CE, 0);              /* old (§6.1.5) */
	receive(101 + 4 * (4u << 20), 100, IP_ECN_CE, 0); /* far beyond */
	th_run(&t, 50 * NS_PER_MS);
	int n = 0;
	for (const struct th_seg *s; (s = th_next(&t)); n++)
		assert_int_equal(s->h.flags & ASKS, 0);
	assert_true(n >= 3);
	receive(201, 100, IP_ECN_CE, 0); /* out of order, but in the window */
	th_expect(&t, &q, TCP_ACK | TCP_ECE, 1, 101, 0);
	tcp_user_close(&t.env, c, true);
	th_flush(&t);
	th_expect(&t, &q, TCP_ACK | TCP_RST, 1, 101, 0); /* no ECE on RST */
	c = 0;
	finish();
}

static void req_ECN_03__tcp_info_tells(void **state)
{
	struct tcp_info_head { uint8_t state, ca_state, retransmits, probes, backoff, options; } i;
	tcp_conn_linux_info(&t.env, c, &i, sizeof(i));
	assert_int_equal(i.options & 24, 8);
	receive(1, 100, IP_ECN_ECT0, 0);
	fill(3);
	th_send(&t, &q, TCP_ACK | TCP_ECE, 101, 1 + MSS, NULL, 0);
	tcp_conn_linux_info(&t.env, c, &i, sizeof(i));
	assert_int_equal(i.options & 24, 24); /* TCPI_OPT_ECN, TCPI_OPT_ECN_SEEN */
	assert_int_equal(i.ca_state, 2);      /* TCP_CA_CWR */
	finish();
}

/* --- ECN-03, sender --- */

static void req_ECN_03__sender_halves_once_a_round_trip_then_cwr(void **state)
{
	fill(20);
	th_drain(&t);
	k()->cwnd = 20 * MSS;
	ack(2, TCP_ECE);
	assert_int_equal(k()->cwnd, 10 * MSS); /* half of the FlightSize of 20 */
	assert_int_equal(k()->ssthresh, 10 * MSS);
	for (uint32_t i = 3; i <= 20; i++) /* the peer goes on until it hears CWR: the same window of data */
		ack(i, TCP_ECE);
	assert_int_equal(k()->cwnd, 10 * MSS);
	assert_int_equal(k()->ssthresh, 10 * MSS);
	th_expect_none(&t);
	assert_int_equal(tcp_user_send(&t.env, c, data, 30 * MSS, false), 30 * MSS);
	th_flush(&t);
	expect_data(20, TCP_CWR, IP_ECN_ECT0); /* on the first new data, and there only */
	for (uint32_t i = 21; i < 30; i++)
		expect_data(i, 0, IP_ECN_ECT0);
	th_expect_none(&t);
	ack(21, 0);
	uint32_t cwnd = k()->cwnd;
	assert_true(cwnd >= 10 * MSS);
	th_drain(&t);
	ack(22, TCP_ECE); /* a new mark, of the window after */
	assert_true(k()->cwnd < cwnd);
	cwnd = k()->cwnd;
	ack(29, 0);
	for (const struct th_seg *s = th_next(&t); s; s = th_next(&t))
		if (s->h.flags & TCP_CWR)
			cwnd = 0;
	assert_int_equal(cwnd, 0);
	finish();
}

/* Growth stops with the first ECE, and an ACK that repeats it in the window lets nothing grow either (§6.1.2). */
static void req_ECN_03__no_growth_on_ece(void **state)
{
	k()->ssthresh = 100 * MSS;
	fill(10);
	k()->cwnd = 10 * MSS;
	act()->limited_at = k()->snd_nxt;
	ack(1, 0);
	assert_true(k()->cwnd > 10 * MSS);
	ack(2, TCP_ECE);
	uint32_t cwnd = k()->cwnd;
	for (uint32_t i = 3; i <= 9; i++)
		ack(i, TCP_ECE);
	assert_int_equal(k()->cwnd, cwnd);
	finish();
}

static void req_ECN_03__loss_and_ece_of_one_window_reduce_once(void **state)
{
	fill(20);
	th_drain(&t);
	k()->cwnd = 20 * MSS;
	ack(2, TCP_ECE); /* ECE first */
	uint32_t ssthresh = k()->ssthresh;
	assert_int_equal(ssthresh, 10 * MSS);
	for (uint32_t i = 4; i < 8; i++)
		sack(2, 3, i, TCP_ECE);
	assert_int_equal(act()->ca, TCP_CA_RECOVERY);
	assert_int_equal(k()->ssthresh, ssthresh);
	assert_int_equal(k()->cwnd, 10 * MSS);
	finish();

	open_with("reno");
	fill(20);
	th_drain(&t);
	k()->cwnd = 20 * MSS;
	for (uint32_t i = 2; i < 6; i++) /* loss first */
		sack(0, 1, i, 0);
	ssthresh = k()->ssthresh;
	assert_int_equal(ssthresh, 10 * MSS);
	for (uint32_t i = 6; i < 20; i++)
		sack(0, 1, i, TCP_ECE);
	ack(20, TCP_ECE); /* ends the recovery, but nothing that was sent after the reduction */
	assert_int_equal(act() ? act()->ca : TCP_CA_OPEN, TCP_CA_OPEN);
	assert_int_equal(k()->ssthresh, ssthresh);
	finish();
}

static void req_ECN_03__timeout_after_ece_keeps_ssthresh(void **state)
{
	fill(20);
	th_drain(&t);
	k()->cwnd = 20 * MSS;
	ack(2, TCP_ECE);
	assert_int_equal(k()->ssthresh, 10 * MSS);
	th_run(&t, 1500 * NS_PER_MS);
	assert_int_equal(act()->ca, TCP_CA_LOSS);
	assert_int_equal(k()->ssthresh, 10 * MSS);
	assert_int_equal(k()->cwnd, MSS);
	ack(19, TCP_ECE); /* still of that window */
	assert_int_equal(k()->ssthresh, 10 * MSS);
	finish();
}

/* "when an ECN-Capable TCP sender reduces its congestion window for any reason" (§6.1.2): loss, too, is told. */
static void req_ECN_03__cwr_after_every_reduction(void **state)
{
	for (int by_rto = 0; by_rto < 2; by_rto++) {
		if (by_rto)
			open_with("reno");
		fill(10);
		th_drain(&t);
		if (by_rto)
			th_run(&t, 1500 * NS_PER_MS);
		else
			for (uint32_t i = 2; i < 6; i++)
				sack(0, 1, i, 0);
		const struct th_seg *s = th_next(&t);
		assert_non_null(s);
		assert_int_equal(s->h.flags & TCP_CWR, 0); /* not on a repetition */
		th_drain(&t);
		ack(10, 0);
		fill(2);
		expect_data(10, TCP_CWR, IP_ECN_ECT0);
		expect_data(11, 0, IP_ECN_ECT0);
		if (!by_rto)
			finish();
	}
	finish();
}

/* What was too large is being sent again, and nothing was reduced for it: a mark is answered at once, and once (§6.1.2). */
static void req_ECN_03__a_mark_while_the_mss_falls(void **state)
{
	fill(20);
	th_drain(&t);
	k()->cwnd = 20 * MSS;
	tcp_icmp_arrives(&t.env, c, EMSGSIZE, false, q.irs + 1, 800);
	th_flush(&t);
	th_drain(&t);
	assert_true(act()->is_mtu);
	assert_int_equal(k()->cwnd, 20 * MSS);
	ack(1, TCP_ECE);
	assert_true(act()->is_mtu);
	assert_int_equal(k()->cwnd, 10 * MSS);
	assert_int_equal(k()->cwr, 1);
	for (uint32_t i = 2; i <= 20; i++)
		ack(i, TCP_ECE);
	assert_int_equal(act() ? act()->ca : TCP_CA_OPEN, TCP_CA_OPEN);
	assert_int_equal(k()->cwnd, 10 * MSS);
	finish();
}

/* With a window of one segment the timer is restarted, and only it lets the next segment go (§6.1.2). */
static void req_ECN_03__a_window_of_one_segment_waits_for_the_timer(void **state)
{
	fill(1);
	th_run(&t, 20 * NS_PER_MS);
	th_drain(&t);
	k()->cwnd = MSS;
	assert_int_equal(tcp_user_send(&t.env, c, data, 3 * MSS, false), 3 * MSS);
	th_flush(&t);
	th_expect_none(&t);
	ack(1, TCP_ECE);
	assert_int_equal(k()->cwnd, MSS); /* the least there is */
	th_expect_none(&t);
	int64_t rto = tcp_rto(k()), from = t.env.now;
	th_run(&t, rto - 2 * NS_PER_MS);
	th_expect_none(&t);
	th_run(&t, 20 * NS_PER_MS);
	expect_data(1, TCP_CWR, IP_ECN_ECT0);
	assert_true(t.out[t.n_out - 1].at - from >= rto);
	th_expect_none(&t);
	ack(2, 0); /* and no mark: on it goes */
	expect_data(2, 0, IP_ECN_ECT0);
	finish();
}

/* An attacker who cannot be the peer, and a peer that never agreed: ECE outside what is acceptable is nothing. */
static void req_ECN_03__ece_of_an_old_ack_is_nothing(void **state)
{
	fill(20);
	ack(5, 0);
	uint32_t cwnd = k()->cwnd;
	ack(1, TCP_ECE);  /* below SND.UNA */
	ack(50, TCP_ECE); /* of what was never sent */
	assert_int_equal(k()->cwnd, cwnd);
	assert_int_equal(k()->cwr, 0);
	finish();
}

static void req_ECN_03__cubic_reduces_by_beta_and_abe_by_less(void **state)
{
	static const struct { const char *cc; bool abe; uint32_t hundredths; } want[] = {
		{"cubic", false, 70}, {"cubic", true, 85}, {"reno", false, 50}, {"reno", true, 80}, /* RFC 9438 §4.6; RFC 8511 §3.1 */
	};

	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		open_with(want[i].cc);
		t.env.ecn_abe = want[i].abe;
		fill(40);
		k()->cwnd = 40 * MSS;
		ack(1, TCP_ECE);
		assert_int_equal(k()->cwnd, 40 * MSS / 100 * want[i].hundredths);
		assert_int_equal(k()->ssthresh, k()->cwnd);
		if (i + 1 < ARRAY_LEN(want))
			finish();
	}
	finish();
}

#define T(f) cmocka_unit_test(f)
#define O(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(req_ECN_01__asked_by_ece_and_cwr_agreed_by_ece), T(req_ECN_01__setting_as_linux_tcp_ecn),
		T(req_ECN_01__broken_peers_fall_back), T(req_ECN_01__half_a_request_is_none),
		T(req_ECN_01__a_lost_syn_is_repeated_without_the_bits), T(req_ECN_01__simultaneous_open),
		O(req_ECN_02__new_data_alone_is_ect), O(req_ECN_02__probes_fin_and_rst_are_not_ect),
		T(req_ECN_02__keepalive_and_challenge_are_not_ect),
		O(req_ECN_03__receiver_echoes_until_cwr), O(req_ECN_03__only_marks_on_data_of_the_window_count),
		O(req_ECN_03__tcp_info_tells), O(req_ECN_03__sender_halves_once_a_round_trip_then_cwr), O(req_ECN_03__no_growth_on_ece),
		O(req_ECN_03__loss_and_ece_of_one_window_reduce_once), O(req_ECN_03__timeout_after_ece_keeps_ssthresh),
		O(req_ECN_03__cwr_after_every_reduction), O(req_ECN_03__a_window_of_one_segment_waits_for_the_timer),
		O(req_ECN_03__a_mark_while_the_mss_falls),
		O(req_ECN_03__ece_of_an_old_ack_is_nothing), T(req_ECN_03__cubic_reduces_by_beta_and_abe_by_less),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
