/* Opening: active, passive, simultaneous, refused; options on SYN; ISN; SYN timers. */
#include <errno.h>

#include "test/unit/tcp_harness.h"

#include "tcp/isn.h"

static struct th t;
static struct peer q;

static int setup(void **state)
{
	th_init(&t, TH_A, TH_B, NULL, 1);
	q = (struct peer){.iss = 5000, .wnd = 60000};
	return 0;
}

static ref_t start_connect(const struct tcp_opts *o)
{
	ref_t c;
	th_op_path_hold(&t, t.path);
	assert_int_equal(tcp_user_connect(&t.env, t.path, TH_LPORT, TH_RPORT, o, TH_OWNER, &c), 0);
	th_flush(&t);
	return c;
}

/* Our SYN, taken off the record. */
static const struct th_seg *take_syn(void)
{
	const struct th_seg *s = th_next(&t);
	assert_non_null(s);
	assert_int_equal(s->h.flags, TCP_SYN);
	q.irs = s->h.seq;
	return s;
}

static void req_TCP_013__syn_carries_mss_ws_sack_ts(void **state)
{
	ref_t c = start_connect(NULL);
	const struct th_seg *s = take_syn();
	assert_true(s->h.has_mss && s->h.has_ws && s->h.sack_permitted && s->h.has_ts);
	assert_int_equal(s->h.mss, 1460); /* TCP-012: MTU 1500 - 40 */
	assert_int_equal(s->h.ws, 7);     /* 4 MiB */
	assert_int_equal(s->h.wnd, 65535);
	assert_int_equal(s->h.tsecr, 0);
	assert_int_equal(s->why, WHY_SYN);
	th_finish(&t, c);
}

static void req_TCP_009__mss_only_on_syn(void **state)
{
	ref_t c = th_connect(&t, &q, &(struct tcp_hdr){.has_mss = true, .mss = 1460}, NULL);
	assert_int_equal(tcp_user_send(&t.env, c, "x", 1, false), 1);
	th_flush(&t);
	const struct th_seg *s = th_expect(&t, &q, TCP_ACK, 1, 1, 1);
	assert_false(s->h.has_mss || s->h.has_ws || s->h.sack_permitted);
	th_finish(&t, c);
}

/* What we send in one segment to a peer that said `mss`, with or without timestamps. */
static void check_mss(bool has_mss, uint16_t mss, bool ts, uint32_t want)
{
	uint8_t data[4000] = {0};
	setup(NULL);
	q.ts = ts;
	ref_t c = th_connect(&t, &q, &(struct tcp_hdr){.has_mss = has_mss, .mss = mss}, NULL);
	tcp_user_send(&t.env, c, data, sizeof(data), false);
	th_flush(&t);
	assert_int_equal(th_next(&t)->len, want);
	th_finish(&t, c);
}

static void req_TCP_010__no_mss_option_means_536(void **state) { check_mss(false, 0, false, 536); }
static void req_TCP_011__effective_mss(void **state)
{
	check_mss(true, 1460, false, 1460);
	check_mss(true, 1460, true, 1448); /* timestamps come off */
	check_mss(true, 9000, false, 1460); /* the path limits */
	check_mss(true, 1000, true, 988);
}
static void req_TCP_014__tiny_mss_is_raised(void **state) { check_mss(true, 1, false, 88); }

static void tcp_open__active(void **state)
{
	ref_t c = start_connect(NULL);
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_SYN_SENT);
	assert_int_equal(tcp_user_ready(&t.env, c), 0);
	assert_int_equal(tcp_user_send(&t.env, c, "x", 1, false), -EAGAIN);
	assert_int_equal(tcp_user_recv(&t.env, c, &(char){0}, 1, false), -EAGAIN);
	take_syn();
	th_send(&t, &q, TCP_SYN | TCP_ACK, 0, 1, NULL, 0);
	const struct th_seg *s = th_expect(&t, &q, TCP_ACK, 1, 1, 0);
	assert_false(s->h.has_ts); /* the peer did not offer them */
	th_expect_none(&t);
	assert_true(t.events[TH_OWNER] & TCP_EV_CONNECTED);
	assert_int_equal(tcp_user_ready(&t.env, c), VIA_OUT);
	th_finish(&t, c);
}

static void tcp_open__data_on_syn_ack_is_delivered(void **state)
{
	char buf[8];
	ref_t c = start_connect(NULL);
	take_syn();
	th_send(&t, &q, TCP_SYN | TCP_ACK, 0, 1, "hi", 2);
	th_expect(&t, &q, TCP_ACK, 1, 3, 0);
	assert_int_equal(tcp_user_recv(&t.env, c, buf, 8, false), 2);
	th_finish(&t, c);
}

static void tcp_open__refused(void **state)
{
	ref_t c = start_connect(NULL);
	take_syn();
	th_send(&t, &q, TCP_RST | TCP_ACK, 0, 1, NULL, 0);
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_CLOSED);
	assert_true(t.events[TH_OWNER] & TCP_EV_ERROR);
	assert_true(tcp_user_ready(&t.env, c) & VIA_ERR);
	assert_int_equal(tcp_user_error(&t.env, c), ECONNREFUSED);
	assert_int_equal(tcp_user_recv(&t.env, c, &(char){0}, 1, false), -ENOTCONN);
	th_expect_none(&t);
	th_finish(&t, c);
}

static void req_TCP_029__syn_sent_bad_ack_is_reset(void **state)
{
	ref_t c = start_connect(NULL);
	take_syn();
	th_send(&t, &q, TCP_SYN | TCP_ACK, 0, 0, NULL, 0); /* <= ISS */
	const struct th_seg *s = th_next(&t);
	assert_int_equal(s->h.flags, TCP_RST);
	assert_int_equal(s->h.seq, q.irs);
	th_send(&t, &q, TCP_ACK, 0, 2, NULL, 0); /* > SND.NXT */
	s = th_next(&t);
	assert_int_equal(s->h.flags, TCP_RST);
	assert_int_equal(s->h.seq, q.irs + 2);
	th_send(&t, &q, TCP_RST | TCP_ACK, 0, 2, NULL, 0); /* RST with a bad ACK: nothing */
	th_send(&t, &q, TCP_RST, 0, 0, NULL, 0);           /* RST without ACK: nothing */
	th_send(&t, &q, TCP_ACK, 0, 1, NULL, 0);           /* good ACK without SYN: nothing */
	th_send(&t, &q, TCP_FIN, 0, 0, NULL, 0);
	th_expect_none(&t);
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_SYN_SENT);
	th_finish(&t, c);
}

static void req_TCP_022__simultaneous_open(void **state)
{
	char buf[4];
	ref_t c = start_connect(NULL);
	take_syn();
	th_send(&t, &q, TCP_SYN, 0, 0, NULL, 0);
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_SYN_RECEIVED);
	th_expect(&t, &q, TCP_SYN | TCP_ACK, 0, 1, 0);
	th_send(&t, &q, TCP_SYN | TCP_ACK, 0, 1, NULL, 0); /* the peer's own SYN-ACK (figure 7, line 6) */
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_ESTABLISHED);
	th_expect_none(&t);
	th_send(&t, &q, TCP_ACK, 1, 1, "ok", 2);
	assert_int_equal(tcp_user_recv(&t.env, c, buf, 4, false), 2);
	th_finish(&t, c);
}

/* Two of ours, each other's SYN crossing. */
static void req_TCP_022__simultaneous_open_between_two(void **state)
{
	static struct th b;
	ref_t c[2];
	struct th *h[2] = {&t, &b};
	struct pkt *p;

	th_fini(&t);
	struct pktmem mem;
	th_mem_new(&mem, 8 << 20);
	th_init(&t, TH_A, TH_B, &mem, 1);
	th_init(&b, TH_B, TH_A, &mem, 2);
	for (int i = 0; i < 2; i++) {
		th_op_path_hold(h[i], h[i]->path);
		assert_int_equal(tcp_user_connect(&h[i]->env, h[i]->path, 7, 7, NULL, TH_OWNER, &c[i]), 0);
	}
	for (int round = 0; round < 10; round++) {
		struct pktq cross[2] = {t.txq, b.txq};
		t.txq = b.txq = (struct pktq){0};
		for (int i = 0; i < 2; i++)
			while ((p = pktq_pop(&mem, &cross[i]))) {
				if (p->m.owner)
					tcp_sent(&h[i]->env, p->m.owner, p->m.owner_gen, p->m.owner_seq_end, t.env.now);
				th_deliver(h[!i], p);
			}
		tcp_flush(&t.env);
		tcp_flush(&b.env);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(tcp_conn_state(&h[i]->env, c[i]), TCP_ESTABLISHED);
		tcp_user_close(&h[i]->env, c[i], true);
		th_fini(h[i]);
	}
	th_mem_free(&mem);
}

static void req_TCP_048__self_connect(void **state)
{
	struct pkt *p;
	ref_t c;

	th_path(&t)->p.remote = th_path(&t)->p.local;
	th_op_path_hold(&t, t.path);
	assert_int_equal(tcp_user_connect(&t.env, t.path, 9, 9, NULL, TH_OWNER, &c), 0);
	for (int i = 0; i < 20; i++) {
		tcp_flush(&t.env);
		if ((p = pktq_pop(t.env.mem, &t.txq))) {
			if (p->m.owner)
				tcp_sent(&t.env, p->m.owner, p->m.owner_gen, p->m.owner_seq_end, t.env.now);
			p->m.owner = 0;
			th_deliver(&t, p);
		}
	}
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_ESTABLISHED);
	assert_int_equal(tcp_user_send(&t.env, c, "me", 2, false), 2);
	for (int i = 0; i < 4; i++) {
		tcp_flush(&t.env);
		if ((p = pktq_pop(t.env.mem, &t.txq))) {
			if (p->m.owner)
				tcp_sent(&t.env, p->m.owner, p->m.owner_gen, p->m.owner_seq_end, t.env.now);
			p->m.owner = 0;
			th_deliver(&t, p);
		}
	}
	assert_int_equal(tcp_user_inq(&t.env, c), 2);
	th_finish(&t, c);
}

static void req_TCP_048__land_is_dropped(void **state)
{
	th_path(&t)->p.remote = th_path(&t)->p.local;
	th_listen(&t, 1, NULL);
	struct tcp_hdr h = {.sport = TH_LPORT, .dport = TH_LPORT, .flags = TCP_SYN, .seq = 1};
	th_inject(&t, &h, NULL, 0);
	assert_int_equal(t.drop, DROP_TCP_LAND);
	th_expect_none(&t);
	th_unlisten(&t);
	th_finish(&t, 0);
}

/* TCP-079: SYN goes on for at least 3 minutes, with doubling gaps from 1 s; then ETIMEDOUT. TCP-076. */
static void req_TCP_079__syn_retransmission(void **state)
{
	ref_t c = start_connect(NULL);
	int64_t at = t.env.now, gap = NS_PER_S;
	take_syn();
	for (int64_t due = at + gap; gap < 120 * NS_PER_S; due += gap) {
		th_run(&t, due - t.env.now - 10 * NS_PER_MS);
		th_expect_none(&t);
		th_run(&t, 20 * NS_PER_MS); /* ticks and the lazy timer are well within */
		const struct th_seg *s = th_next(&t);
		assert_non_null(s);
		assert_int_equal(s->h.flags, TCP_SYN);
		assert_int_equal(s->h.seq, q.irs);
		assert_int_equal(s->why, WHY_SYN_RETRANS);
		th_expect_none(&t);
		gap *= 2;
	}
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_SYN_SENT);
	th_run(&t, 121 * NS_PER_S);
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_CLOSED);
	assert_true(t.env.now - at >= 180 * NS_PER_S);
	assert_int_equal(tcp_user_error(&t.env, c), ETIMEDOUT);
	th_expect_none(&t);
	th_finish(&t, c);
}

static void tcp_open__syn_retries_option(void **state)
{
	ref_t c = start_connect(&(struct tcp_opts){.syn_retries = 1});
	th_run(&t, 2500 * NS_PER_MS);
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_SYN_SENT);
	th_run(&t, 1000 * NS_PER_MS);
	assert_int_equal(tcp_conn_state(&t.env, c), TCP_CLOSED);
	th_finish(&t, c);
}

/* TCP-077: a SYN was repeated, so data starts with RTO 3 s; CC-002: and, if twice, with one segment. */
static void req_TCP_077__rto_3s_after_syn_retransmission(void **state)
{
	uint8_t data[4000] = {0};
	ref_t c = start_connect(NULL);
	take_syn();
	th_run(&t, 3500 * NS_PER_MS); /* two repetitions */
	th_drain(&t);
	th_send(&t, &q, TCP_SYN | TCP_ACK, 0, 1, NULL, 0);
	th_drain(&t);
	tcp_user_send(&t.env, c, data, sizeof(data), false);
	th_flush(&t);
	th_expect(&t, &q, TCP_ACK, 1, 1, 536);
	th_expect_none(&t); /* req_CC_002: initial window of one segment */
	th_run(&t, 2990 * NS_PER_MS);
	th_expect_none(&t);
	th_run(&t, 20 * NS_PER_MS);
	assert_int_equal(th_expect(&t, &q, TCP_ACK, 1, 1, 536)->why, WHY_RETRANS_RTO);
	th_finish(&t, c);
}

static void req_CC_002__initial_window(void **state)
{
	uint8_t data[60000] = {0};
	ref_t c = th_connect(&t, &q, &(struct tcp_hdr){.has_mss = true, .mss = 1460}, NULL);
	tcp_user_send(&t.env, c, data, sizeof(data), false);
	th_flush(&t);
	uint32_t sum = 0;
	for (const struct th_seg *s; (s = th_next(&t));)
		sum += s->len;
	assert_int_equal(sum, 14600);
	th_finish(&t, c);
}

static void req_TX_001__window_scale_needs_both(void **state)
{
	ref_t c = th_connect(&t, &q, NULL, NULL); /* SYN-ACK without the option */
	assert_int_equal(th_conn(&t, c)->rcv_ws, 0);
	th_send(&t, &q, TCP_ACK, 1, 1, "x", 1);
	th_flush(&t);
	assert_int_equal(th_next(&t)->h.wnd, 65535);
	th_finish(&t, c);

	for (int ours = 0; ours < 2; ours++) { /* the peer's SYN has it; ours, only if the stack wants it */
		setup(NULL);
		tcp_settings_of(&t.env)->no_scaling = !ours;
		th_listen(&t, 1, NULL);
		struct tcp_hdr h = th_hdr(&q, TCP_SYN, 0, 0);
		h.has_ws = true;
		h.ws = 3;
		th_inject(&t, &h, NULL, 0);
		const struct th_seg *s = th_next(&t);
		assert_int_equal(s->h.has_ws, ours);
		q.irs = s->h.seq;
		q.wnd = 1000;
		th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
		c = tcp_user_accept(&t.env, t.listener, TH_OWNER);
		assert_int_equal(th_conn(&t, c)->snd_wnd, ours ? 8000 : 1000);
		th_unlisten(&t);
		th_finish(&t, c);
	}
	for (int ours = 0; ours < 2; ours++) { /* and when we ask */
		setup(NULL);
		tcp_settings_of(&t.env)->no_scaling = !ours;
		c = start_connect(NULL);
		assert_int_equal(take_syn()->h.has_ws, ours);
		struct tcp_hdr h = th_hdr(&q, TCP_SYN | TCP_ACK, 0, 1);
		h.has_ws = true;
		h.ws = 3;
		th_inject(&t, &h, NULL, 0);
		th_drain(&t);
		q.wnd = 1000;
		th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
		assert_int_equal(th_conn(&t, c)->snd_wnd, ours ? 8000 : 1000);
		th_finish(&t, c);
	}
}

static void req_TCP_020__isn_is_keyed_and_follows_the_clock(void **state)
{
	const struct tcp_path *p = &th_path(&t)->p;
	uint32_t a = tcp_isn(&t.env, p, 1, 2);
	t.env.now += 4000000;
	assert_int_equal(tcp_isn(&t.env, p, 1, 2) - a, 1000); /* 4 us a step: 1000 in 4 ms */
	static struct th other;
	th_init(&other, TH_A, TH_B, NULL, 2); /* another secret */
	other.env.now = t.env.now;
	assert_int_not_equal(tcp_isn(&other.env, &th_path(&other)->p, 1, 2), tcp_isn(&t.env, p, 1, 2));
	th_fini(&other);
	th_finish(&t, 0);
}

/* Each part of the four-tuple counts, and each alone. */
static void req_TCP_020__every_part_of_the_four_tuple_counts(void **state)
{
	struct tcp_path p = th_path(&t)->p, l = p, r = p;
	l.local = via_addr_v4(TH_A + 1);
	r.remote = via_addr_v4(TH_B + 1);
	const uint32_t isn[] = {tcp_isn(&t.env, &p, 1, 2), tcp_isn(&t.env, &p, 1, 3), tcp_isn(&t.env, &p, 2, 2), tcp_isn(&t.env, &l, 1, 2),
				tcp_isn(&t.env, &r, 1, 2)};
	for (size_t i = 0; i < ARRAY_LEN(isn); i++)
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(isn[i], isn[k]);
	th_finish(&t, 0);
}

/* TCP-021: neighbouring four-tuples look uncorrelated: each bit of the difference flips about half the time. */
static void req_TCP_021__isns_are_uncorrelated(void **state)
{
	const struct tcp_path *p = &th_path(&t)->p;
	int flips[32] = {0};
	for (int i = 0; i < 4000; i++) {
		uint32_t x = tcp_isn(&t.env, p, (uint16_t)(1000 + i), 80) ^ tcp_isn(&t.env, p, (uint16_t)(1001 + i), 80);
		for (int b = 0; b < 32; b++)
			flips[b] += x >> b & 1;
	}
	for (int b = 0; b < 32; b++)
		assert_in_range(flips[b], 2000 - 158, 2000 + 158); /* 5 sigma */
	th_finish(&t, 0);
}

static void tcp_open__close_in_syn_sent_says_nothing(void **state)
{
	ref_t c = start_connect(NULL);
	take_syn();
	tcp_user_close(&t.env, c, false);
	th_flush(&t);
	th_expect_none(&t);
	th_assert_clean(&t);
	th_finish(&t, 0);
}

static void req_TCP_027__closed_answers_rst(void **state)
{
	struct tcp_hdr h = {.sport = 9, .dport = 10, .flags = TCP_SYN, .seq = 100};
	th_inject(&t, &h, "abc", 3);
	const struct th_seg *s = th_next(&t);
	assert_int_equal(s->h.flags, TCP_RST | TCP_ACK);
	assert_int_equal(s->h.seq, 0);
	assert_int_equal(s->h.ack, 104);
	h = (struct tcp_hdr){.sport = 9, .dport = 10, .flags = TCP_ACK | TCP_FIN, .seq = 100, .ack = 777};
	th_inject(&t, &h, NULL, 0);
	s = th_next(&t);
	assert_int_equal(s->h.flags, TCP_RST);
	assert_int_equal(s->h.seq, 777);
	h.flags = TCP_RST | TCP_ACK;
	th_inject(&t, &h, NULL, 0);
	th_expect_none(&t);
	assert_int_equal(t.drop, DROP_TCP_NO_SOCKET);
	th_finish(&t, 0);
}

static void req_TCP_003__bad_checksum_changes_nothing(void **state)
{
	ref_t c = th_connect(&t, &q, NULL, NULL);
	struct tcp_hdr h = th_hdr(&q, TCP_ACK, 1, 1);
	struct pkt *p = th_make(&t, &h, "x", 1);
	pkt_data(p)[20] ^= 1;
	th_deliver(&t, p);
	th_flush(&t);
	assert_int_equal(t.drop, DROP_TCP_CSUM);
	assert_int_equal(tcp_user_inq(&t.env, c), 0);
	th_expect_none(&t);
	th_finish(&t, c);
}

static void req_TCP_008__bad_data_offset(void **state)
{
	ref_t c = th_connect(&t, &q, NULL, NULL);
	static const uint8_t doff[] = {0x40, 0x00, 0xf0};
	for (unsigned i = 0; i < 3; i++) {
		struct tcp_hdr h = th_hdr(&q, TCP_ACK, 1, 1);
		struct pkt *p = th_make(&t, &h, NULL, 0);
		pkt_data(p)[12] = doff[i];
		p->m.csum = PKT_CSUM_VERIFIED;
		th_deliver(&t, p);
		assert_int_equal(t.drop, DROP_TCP_BAD);
	}
	struct pkt *p = pkt_new(t.env.mem, 64);
	memset(pkt_put(p, 12), 0, 12); /* shorter than a header */
	p->m.csum = PKT_CSUM_VERIFIED;
	assert_int_equal(tcp_segment_arrives(&t.env, c, p), DROP_TCP_BAD);
	th_finish(&t, c);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(req_TCP_013__syn_carries_mss_ws_sack_ts), T(req_TCP_009__mss_only_on_syn), cmocka_unit_test(req_TCP_010__no_mss_option_means_536),
		cmocka_unit_test(req_TCP_011__effective_mss), cmocka_unit_test(req_TCP_014__tiny_mss_is_raised), T(tcp_open__active),
		T(tcp_open__data_on_syn_ack_is_delivered), T(tcp_open__refused), T(req_TCP_029__syn_sent_bad_ack_is_reset),
		T(req_TCP_022__simultaneous_open), T(req_TCP_022__simultaneous_open_between_two), T(req_TCP_048__self_connect),
		T(req_TCP_048__land_is_dropped), T(req_TCP_079__syn_retransmission), T(tcp_open__syn_retries_option),
		T(req_TCP_077__rto_3s_after_syn_retransmission), T(req_CC_002__initial_window), T(req_TX_001__window_scale_needs_both),
		T(req_TCP_020__isn_is_keyed_and_follows_the_clock), T(req_TCP_020__every_part_of_the_four_tuple_counts),
		T(req_TCP_021__isns_are_uncorrelated),
		T(tcp_open__close_in_syn_sent_says_nothing), T(req_TCP_027__closed_answers_rst), T(req_TCP_003__bad_checksum_changes_nothing),
		T(req_TCP_008__bad_data_offset),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
