/* How long things last: the user's time-out, FIN-WAIT-2, orphans, keep-alive by the user's time-out. To within a tick of the wheel. */
#include <errno.h>

#include "test/unit/tcp_harness.h"

#define TICK (INT64_C(1) << WHEEL_TICK_SHIFT)

static struct th t;
static struct peer q;
static ref_t c;
static const uint8_t data[1000];

static void open_with(const struct tcp_opts *o)
{
	th_init(&t, TH_A, TH_B, NULL, 1);
	q = (struct peer){.iss = 5000, .wnd = 60000};
	c = th_connect(&t, &q, &(struct tcp_hdr){.has_mss = true, .mss = 1460}, o);
}

static enum tcp_state st(void) { return tcp_conn_state(&t.env, c); }

/* c ends after ns, neither earlier nor more than one tick of the wheel later, and says ETIMEDOUT. */
static void ends_after(int64_t ns)
{
	th_run(&t, ns - 1);
	assert_int_not_equal(st(), TCP_CLOSED);
	th_run(&t, 1 + TICK);
	assert_int_equal(st(), TCP_CLOSED);
	assert_int_equal(tcp_user_error(&t.env, c), ETIMEDOUT);
	th_finish(&t, c);
}

/* --- the user's time-out (RFC 5482) --- */

static void req_TX_015__user_timeout_of_data(void **state)
{
	static const uint32_t ms[] = {100, 1000, 3333, 60000, 3600000};
	for (unsigned i = 0; i < ARRAY_LEN(ms); i++) {
		open_with(&(struct tcp_opts){.user_timeout_ms = ms[i]});
		tcp_user_send(&t.env, c, data, 1, false);
		th_flush(&t);
		ends_after(ms[i] * NS_PER_MS);
	}
}

static void req_TX_015__progress_starts_it_again(void **state)
{
	open_with(&(struct tcp_opts){.user_timeout_ms = 3000});
	tcp_user_send(&t.env, c, data, 2, false);
	th_flush(&t);
	th_run(&t, 2900 * NS_PER_MS);
	th_send(&t, &q, TCP_ACK, 1, 2, NULL, 0); /* one of two bytes */
	ends_after(3000 * NS_PER_MS);
}

static void req_TX_015__an_idle_connection_has_none(void **state)
{
	open_with(&(struct tcp_opts){.user_timeout_ms = 3000});
	th_run(&t, 3600 * NS_PER_S);
	assert_int_equal(st(), TCP_ESTABLISHED);
	tcp_user_send(&t.env, c, data, 1, false); /* it begins here */
	th_flush(&t);
	ends_after(3000 * NS_PER_MS);
}

static void req_TX_015__set_late_it_counts_from_the_data(void **state)
{
	open_with(NULL);
	tcp_user_send(&t.env, c, data, 1, false);
	th_flush(&t);
	th_run(&t, 1000 * NS_PER_MS);
	tcp_user_set_opts(&t.env, c, &(struct tcp_opts){.user_timeout_ms = 5000});
	ends_after(4000 * NS_PER_MS);
}

/* As Linux: probes that are answered do not count, the time does. */
static void req_TX_015__user_timeout_of_a_zero_window(void **state)
{
	open_with(&(struct tcp_opts){.user_timeout_ms = 3000});
	q.wnd = 0;
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
	tcp_user_send(&t.env, c, data, 10, false);
	th_flush(&t);
	for (int i = 0; i < 29; i++) {
		th_run(&t, 100 * NS_PER_MS);
		th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
	}
	ends_after(100 * NS_PER_MS);
}

static void req_TX_015__user_timeout_in_fin_wait_1(void **state)
{
	open_with(&(struct tcp_opts){.user_timeout_ms = 3000});
	tcp_user_shutdown_wr(&t.env, c);
	th_flush(&t);
	assert_int_equal(st(), TCP_FIN_WAIT_1);
	ends_after(3000 * NS_PER_MS);
}

/* And of an orphan, whose FIN nobody answers: gone after three seconds, and late text is reset. */
static void req_TX_015__user_timeout_of_an_orphan(void **state)
{
	open_with(&(struct tcp_opts){.user_timeout_ms = 3000});
	tcp_user_close(&t.env, c, false);
	th_flush(&t);
	th_run(&t, 3000 * NS_PER_MS - TICK);
	assert_int_equal(t.n_nodes, 1);
	th_run(&t, 3 * TICK);
	assert_int_equal(t.n_nodes, 0);
	th_drain(&t);
	th_send(&t, &q, TCP_ACK, 1, 1, "x", 1);
	const struct th_seg *s = th_next(&t);
	assert_int_equal(s->h.flags, TCP_RST);
	assert_int_equal(s->h.seq, q.irs + 1);
	th_finish(&t, 0);
}

static ref_t syn_sent(const struct tcp_opts *o)
{
	ref_t r;
	th_init(&t, TH_A, TH_B, NULL, 1);
	th_op_path_hold(&t, t.path);
	assert_int_equal(tcp_user_connect(&t.env, t.path, TH_LPORT, TH_RPORT, o, TH_OWNER, &r), 0);
	th_flush(&t);
	return r;
}

static void req_TX_015__user_timeout_of_a_syn(void **state)
{
	c = syn_sent(&(struct tcp_opts){.user_timeout_ms = 10000});
	ends_after(10000 * NS_PER_MS);
}

/* A long one does not make SYNs go on for ever: TCP_SYNCNT holds beside it (as Linux). */
static void req_TX_015__syn_tries_hold_beside_it(void **state)
{
	c = syn_sent(&(struct tcp_opts){.user_timeout_ms = 3600000, .syn_retries = 2});
	ends_after(7000 * NS_PER_MS); /* 1 + 2 + 4 s */
}

/* Fast Open's SYN-ACK goes as often as any: by the listener's number of tries, the stack's setting, or Linux's five. */
static void tcp_fastopen__a_syn_ack_has_the_tries_of_a_syn_ack(void **state)
{
	static const struct { uint8_t setting, option, want; } of[] = {{0, 0, 5}, {2, 0, 2}, {2, 3, 3}, {7, 0, 7}};
	for (size_t i = 0; i < ARRAY_LEN(of); i++) {
		th_init(&t, TH_A, TH_B, NULL, 1);
		struct tcp_settings *set = tcp_settings_of(&t.env);
		set->fastopen = TCP_FASTOPEN_SERVER | TCP_FASTOPEN_SERVER_NO_COOKIE;
		set->synack_retries = of[i].setting;
		set->syn_retries = 1; /* of SYNs */
		q = (struct peer){.iss = 5000, .wnd = 60000};
		th_listen(&t, 4, &(struct tcp_opts){.syn_retries = of[i].option});
		tcp_listener_at(&t.env, t.listener)->fo_max = 1;
		th_send(&t, &q, TCP_SYN, 0, 0, data, 5);
		c = tcp_user_accept(&t.env, t.listener, TH_OWNER);
		assert_int_not_equal(c, 0);
		th_drain(&t);
		th_run(&t, 900 * NS_PER_S);
		assert_int_equal(t.n_out, of[i].want);
		assert_int_equal(st(), TCP_CLOSED);
		th_unlisten(&t);
		th_finish(&t, c);
	}
}

static void req_TCP_080__user_timeout_decides_instead_of_the_count(void **state)
{
	open_with(&(struct tcp_opts){.keepalive = true, .keep_idle_s = 10, .keep_intvl_s = 2, .keep_cnt = 1, .user_timeout_ms = 15000});
	th_run(&t, 14 * NS_PER_S); /* probes at 10, 12, 14: the count alone would have ended it */
	assert_int_equal(st(), TCP_ESTABLISHED);
	th_run(&t, 3 * NS_PER_S);
	assert_int_equal(st(), TCP_CLOSED);
	th_finish(&t, c);
	open_with(&(struct tcp_opts){.keepalive = true, .keep_idle_s = 10, .keep_intvl_s = 2, .keep_cnt = 9, .user_timeout_ms = 5000});
	th_run(&t, 10 * NS_PER_S + 2 * TICK); /* shorter than idle: still one probe at least */
	assert_int_equal(st(), TCP_ESTABLISHED);
	assert_int_equal(th_expect(&t, &q, TCP_ACK, 0, 1, 0)->why, WHY_KEEPALIVE);
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
	th_run(&t, 10 * NS_PER_S + 2 * TICK);
	assert_int_equal(st(), TCP_ESTABLISHED);
	th_run(&t, 2 * NS_PER_S + 2 * TICK);
	assert_int_equal(st(), TCP_CLOSED);
	th_finish(&t, c);
}

/* --- orphans --- */

/* The orphan of c is gone after ns. */
static void forgotten_after(int64_t ns)
{
	th_run(&t, ns - 1);
	assert_int_equal(t.n_nodes, 1);
	th_run(&t, 1 + TICK);
	assert_int_equal(t.n_nodes, 0);
	th_expect_none(&t);
	th_finish(&t, 0);
}

static void orphan_in_fin_wait_2(void)
{
	tcp_user_close(&t.env, c, false);
	th_flush(&t);
	th_expect(&t, &q, TCP_FIN | TCP_ACK, 1, 1, 0);
	th_send(&t, &q, TCP_ACK, 1, 2, NULL, 0);
}

static void req_TCP_046__fin_wait_2_lasts_as_linger2_says(void **state)
{
	open_with(&(struct tcp_opts){.fin_wait2_s = 7});
	orphan_in_fin_wait_2();
	forgotten_after(7 * NS_PER_S);
	open_with(NULL);
	tcp_settings_of(&t.env)->fin_timeout_s = 20;
	orphan_in_fin_wait_2();
	forgotten_after(20 * NS_PER_S);
	open_with(&(struct tcp_opts){.fin_wait2_s = 1}); /* RTT 2 s: time for a FIN to be repeated */
	tcp_user_send(&t.env, c, data, 1, false);
	th_conn(&t, c)->srtt_us = 2000000;
	th_conn(&t, c)->rttvar_us = 0;
	th_flush(&t);
	th_drain(&t);
	th_run(&t, 1000 * NS_PER_MS);
	th_send(&t, &q, TCP_ACK, 1, 2, NULL, 0);
	int64_t rto = tcp_rto(th_conn(&t, c));
	tcp_user_close(&t.env, c, false);
	th_flush(&t);
	th_drain(&t);
	th_send(&t, &q, TCP_ACK, 1, 3, NULL, 0);
	rto = MAX(rto, tcp_rto(th_conn(&t, c)));
	th_run(&t, 3 * NS_PER_S);
	assert_int_equal(t.n_nodes, 1);
	th_run(&t, rto * 7 / 2 - 3 * NS_PER_S + 3 * TICK);
	assert_int_equal(t.n_nodes, 0);
	th_finish(&t, 0);
}

static void req_TCP_046__negative_linger2_skips_fin_wait_2(void **state)
{
	open_with(&(struct tcp_opts){.fin_wait2_s = -1});
	orphan_in_fin_wait_2(); /* its FIN was acknowledged: done, the peer is told */
	const struct th_seg *s = th_next(&t);
	assert_int_equal(s->h.flags, TCP_RST);
	assert_int_equal(s->h.seq, q.irs + 2);
	th_assert_clean(&t);
	th_finish(&t, 0);
	open_with(&(struct tcp_opts){.fin_wait2_s = -1});
	tcp_user_shutdown_wr(&t.env, c); /* with its user it stays */
	th_flush(&t);
	th_send(&t, &q, TCP_ACK, 1, 2, NULL, 0);
	th_drain(&t);
	th_run(&t, 100 * NS_PER_S);
	assert_int_equal(st(), TCP_FIN_WAIT_2);
	tcp_user_close(&t.env, c, false);
	th_flush(&t);
	th_expect(&t, &q, TCP_RST | TCP_ACK, 2, 1, 0);
	th_assert_clean(&t);
	th_finish(&t, 0);
}

static void req_TCP_046__orphans_are_capped(void **state)
{
	ref_t k[4];
	open_with(NULL);
	tcp_settings_of(&t.env)->orphans_max = 2;
	k[0] = c;
	for (int i = 1; i < 4; i++) {
		q.irs = 0;
		th_op_path_hold(&t, t.path);
		assert_int_equal(tcp_user_connect(&t.env, t.path, TH_LPORT, (uint16_t)(TH_RPORT + i), NULL, TH_OWNER, &k[i]), 0);
		th_flush(&t);
		q.irs = th_next(&t)->h.seq;
		struct tcp_hdr h = th_hdr(&q, TCP_SYN | TCP_ACK, 0, 1);
		h.sport = (uint16_t)(TH_RPORT + i);
		th_inject(&t, &h, NULL, 0);
		th_drain(&t);
	}
	for (int i = 0; i < 4; i++) { /* two with FIN, the others are beyond the cap */
		tcp_user_close(&t.env, k[i], false);
		th_flush(&t);
		assert_int_equal(th_next(&t)->h.flags, i < 2 ? TCP_FIN | TCP_ACK : TCP_RST | TCP_ACK);
	}
	assert_int_equal(t.n_nodes, 2);
	th_run(&t, 400 * NS_PER_S);
	th_drain(&t);
	th_finish(&t, 0);
}

/* An orphan whose peer's window stays shut is not kept for ever, however well its probes are answered. */
static void req_TCP_046__orphan_with_a_shut_window(void **state)
{
	open_with(NULL);
	q.wnd = 0;
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
	tcp_user_send(&t.env, c, data, 10, false);
	tcp_user_close(&t.env, c, false);
	th_flush(&t);
	int64_t begin = t.env.now;
	while (t.n_nodes && t.env.now - begin < 1000 * NS_PER_S) {
		th_run(&t, 100 * NS_PER_MS);
		if (t.n_out && t.n_nodes)
			th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
		th_drain(&t);
	}
	assert_in_range(t.env.now - begin, 20 * NS_PER_S, 200 * NS_PER_S);
	th_finish(&t, 0);
}

/* --- what close() says --- */

static void tcp_close__fin_wait_2_is_told(void **state)
{
	open_with(NULL);
	tcp_user_shutdown_wr(&t.env, c);
	th_flush(&t);
	t.events[TH_OWNER] = 0;
	th_send(&t, &q, TCP_ACK, 1, 2, NULL, 0);
	assert_int_equal(st(), TCP_FIN_WAIT_2);
	assert_true(t.events[TH_OWNER] & TCP_EV_WRITABLE); /* for who lingers */
	th_finish(&t, c);
}

/* Text after close() meets a RST that the peer must take: at what it expects, even if our FIN is under way. */
static void req_TCP_038__text_after_close_is_reset_where_the_peer_is(void **state)
{
	open_with(NULL);
	tcp_user_close(&t.env, c, false);
	th_flush(&t);
	th_drain(&t);
	th_send(&t, &q, TCP_ACK, 1, 1, "x", 1); /* has not seen the FIN */
	const struct th_seg *s = th_next(&t);
	assert_int_equal(s->h.flags, TCP_RST);
	assert_int_equal(s->h.seq, q.irs + 1);
	th_assert_clean(&t);
	th_finish(&t, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(req_TX_015__user_timeout_of_data), cmocka_unit_test(req_TX_015__progress_starts_it_again),
		cmocka_unit_test(req_TX_015__an_idle_connection_has_none), cmocka_unit_test(req_TX_015__set_late_it_counts_from_the_data),
		cmocka_unit_test(req_TX_015__user_timeout_of_a_zero_window), cmocka_unit_test(req_TX_015__user_timeout_in_fin_wait_1),
		cmocka_unit_test(req_TX_015__user_timeout_of_an_orphan), cmocka_unit_test(req_TX_015__user_timeout_of_a_syn),
		cmocka_unit_test(req_TX_015__syn_tries_hold_beside_it), cmocka_unit_test(req_TCP_080__user_timeout_decides_instead_of_the_count),
		cmocka_unit_test(tcp_fastopen__a_syn_ack_has_the_tries_of_a_syn_ack),
		cmocka_unit_test(req_TCP_046__fin_wait_2_lasts_as_linger2_says),
		cmocka_unit_test(req_TCP_046__negative_linger2_skips_fin_wait_2), cmocka_unit_test(req_TCP_046__orphans_are_capped),
		cmocka_unit_test(req_TCP_046__orphan_with_a_shut_window), cmocka_unit_test(tcp_close__fin_wait_2_is_told),
		cmocka_unit_test(req_TCP_038__text_after_close_is_reset_where_the_peer_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
