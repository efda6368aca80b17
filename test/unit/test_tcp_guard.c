/* What keeps a connection from being disturbed: RFC 5961, PAWS, ICMP rules, keep-alive, path changes. */
#include <errno.h>

#include "test/unit/tcp_harness.h"

static struct th t;
static struct peer q;
static ref_t c;
static uint8_t data[20000];

static void open_with(const struct tcp_opts *o, bool ts)
{
	th_init(&t, TH_A, TH_B, NULL, 1);
	q = (struct peer){.iss = 5000, .wnd = 60000, .ts = ts, .tsval = 1000};
	c = th_connect(&t, &q, &(struct tcp_hdr){.has_mss = true, .mss = 1460}, o);
}
static int setup(void **state)
{
	open_with(NULL, false);
	return 0;
}
static int setup_ts(void **state)
{
	open_with(NULL, true);
	return 0;
}
static enum tcp_state st(void) { return tcp_conn_state(&t.env, c); }

static void tcp_guard__rst_in_window_is_challenged(void **state)
{
	th_send(&t, &q, TCP_RST, 2, 0, NULL, 0);
	assert_int_equal(th_expect(&t, &q, TCP_ACK, 1, 1, 0)->why, WHY_ACK_CHALLENGE);
	assert_int_equal(st(), TCP_ESTABLISHED);
	th_send(&t, &q, TCP_RST, 0, 0, NULL, 0); /* outside: silence */
	th_expect_none(&t);
	assert_int_equal(t.drop, DROP_TCP_RST_INVALID);
	assert_int_equal(st(), TCP_ESTABLISHED);
	th_finish(&t, c);
}

static void tcp_guard__syn_is_challenged(void **state)
{
	th_send(&t, &q, TCP_SYN, 1, 0, NULL, 0);
	th_expect(&t, &q, TCP_ACK, 1, 1, 0);
	th_send(&t, &q, TCP_SYN | TCP_ACK, 100, 1, "x", 1);
	th_expect(&t, &q, TCP_ACK, 1, 1, 0);
	assert_int_equal(t.drop, DROP_TCP_SYN_INVALID);
	assert_int_equal(st(), TCP_ESTABLISHED);
	assert_int_equal(tcp_user_inq(&t.env, c), 0);
	th_finish(&t, c);
}

static void tcp_guard__challenges_have_a_budget(void **state)
{
	for (int i = 0; i < 100; i++)
		th_send(&t, &q, TCP_SYN, 1, 0, NULL, 0);
	assert_in_range(t.n_out, 5, 12);
	th_drain(&t);
	th_run(&t, NS_PER_S);
	for (int i = 0; i < 100; i++)
		th_send(&t, &q, TCP_SYN, 1, 0, NULL, 0);
	assert_in_range(t.n_out, 5, 12);
	th_finish(&t, c);
}

/* Nobody can know how many are left: the budget of a second is random (RFC 5961 §7 would have one counter for all). */
static void req_TX_009__the_budget_is_random(void **state)
{
	unsigned seen = 0;
	for (int i = 0; i < 20; i++) {
		th_run(&t, NS_PER_S);
		th_drain(&t);
		for (int k = 0; k < 20; k++)
			th_send(&t, &q, TCP_SYN, 1, 0, NULL, 0);
		assert_in_range(t.n_out, 5, 12);
		seen |= 1u << t.n_out;
	}
	assert_true(__builtin_popcount(seen) >= 3); /* of 8 equally likely ones: fewer by chance once in 10^9 */
	th_finish(&t, c);
}

static void tcp_guard__very_old_ack_is_refused(void **state)
{
	th_send(&t, &q, TCP_ACK, 1, (uint32_t)-70000, "evil", 4); /* RFC 5961 §5.2 */
	assert_int_equal(t.drop, DROP_TCP_ACK_RANGE);
	assert_int_equal(tcp_user_inq(&t.env, c), 0);
	th_drain(&t);
	th_send(&t, &q, TCP_ACK, 1, (uint32_t)-1000, "late", 4); /* within the largest window: text counts */
	assert_int_equal(tcp_user_inq(&t.env, c), 4);
	th_finish(&t, c);
}

/* --- timestamps (RFC 7323) --- */

static void req_TX_004__an_older_one_is_acked_and_dropped(void **state)
{
	q.tsval = 2000;
	th_send(&t, &q, TCP_ACK, 1, 1, "a", 1);
	assert_int_equal(tcp_user_inq(&t.env, c), 1);
	th_drain(&t);
	q.tsval = 1999;
	th_send(&t, &q, TCP_ACK, 2, 1, "b", 1);
	assert_int_equal(t.drop, DROP_TCP_PAWS);
	assert_int_equal(tcp_user_inq(&t.env, c), 1);
	th_expect(&t, &q, TCP_ACK, 1, 2, 0);
	q.tsval = 2000; /* equal is fine */
	th_send(&t, &q, TCP_ACK, 2, 1, "b", 1);
	assert_int_equal(tcp_user_inq(&t.env, c), 2);
	q.tsval = 1; /* RST is exempt (RFC 7323 §5.3 R1) */
	th_send(&t, &q, TCP_RST, 3, 0, NULL, 0);
	assert_int_equal(st(), TCP_CLOSED);
	th_finish(&t, c);
}

static void req_TX_004__recent_expires_after_24_idle_days(void **state)
{
	q.tsval = 2000;
	th_send(&t, &q, TCP_ACK, 1, 1, "a", 1);
	th_run(&t, 25 * 86400 * NS_PER_S);
	th_drain(&t);
	q.tsval = 2000 + 25u * 86400 * 1000; /* the clock has gone more than half its circle */
	th_send(&t, &q, TCP_ACK, 2, 1, "b", 1);
	assert_int_equal(tcp_user_inq(&t.env, c), 2);
	th_finish(&t, c);
}

static void req_TX_002__a_segment_without_one_is_dropped_and_aborts_nothing(void **state)
{
	q.ts = false;
	th_send(&t, &q, TCP_ACK, 1, 1, "a", 1);
	assert_int_equal(t.drop, DROP_TCP_NO_TS);
	th_expect_none(&t);
	th_send(&t, &q, TCP_RST, 1, 0, NULL, 0); /* RST needs none */
	assert_int_equal(st(), TCP_CLOSED);
	th_finish(&t, c);
}

static void req_TX_003__recent_moves_only_at_the_left_edge(void **state)
{
	th_conn(&t, c)->quick = 0;
	q.tsval = 2000;
	/* pushed, so that two alike are not taken for full segments */
	th_send(&t, &q, TCP_ACK | TCP_PSH, 1, 1, data, 200); /* delayed: Last.ACK.sent stays */
	q.tsval = 2005;
	th_send(&t, &q, TCP_ACK | TCP_PSH, 201, 1, data, 200); /* its SEG.SEQ is above Last.ACK.sent: not taken */
	th_drain(&t);
	q.tsval = 2010;
	th_run(&t, 50 * NS_PER_MS);
	const struct th_seg *s = t.n_out ? &t.out[0] : NULL;
	assert_non_null(s);
	assert_int_equal(s->h.tsecr, 2000); /* RFC 7323 §4.3: of the earliest unacknowledged segment */
	q.tsval = 1999; /* older, though it begins at the edge: dropped by PAWS, and TS.Recent stays */
	th_drain(&t);
	th_send(&t, &q, TCP_ACK | TCP_PSH, 401, 1, data, 200);
	assert_int_equal(th_expect(&t, &q, TCP_ACK, 1, 401, 0)->h.tsecr, 2000);
	q.tsval = 2010;
	th_send(&t, &q, TCP_ACK | TCP_PSH, 401, 1, data, 200);
	th_run(&t, 50 * NS_PER_MS);
	assert_int_equal(th_expect(&t, &q, TCP_ACK, 1, 601, 0)->h.tsecr, 2010);
	th_finish(&t, c);
}

/* TSecr means something only with ACK (RFC 7323 §3.2): ours is 0 then, and the peer's is not read. */
static void req_TX_003__tsecr_goes_with_ack(void **state)
{
	ref_t c2;
	th_op_path_hold(&t, t.path);
	assert_int_equal(tcp_user_connect(&t.env, t.path, TH_LPORT, TH_RPORT + 1, NULL, TH_OWNER, &c2), 0);
	th_flush(&t);
	const struct th_seg *s = th_next(&t);
	assert_non_null(s);
	assert_int_equal(s->h.flags, TCP_SYN);
	assert_true(s->h.has_ts);
	assert_int_equal(s->h.tsecr, 0);
	tcp_user_close(&t.env, c2, true);
	th_drain(&t);
	uint32_t srtt = th_conn(&t, c)->srtt_us;
	tcp_user_send(&t.env, c, data, 100, false);
	th_flush(&t);
	th_run(&t, 100 * NS_PER_MS);
	q.tsecr = t.out[0].h.tsval;
	th_send(&t, &q, 0, 1, 0, "a", 1); /* no ACK: dropped (TCP-033) */
	assert_int_equal(th_conn(&t, c)->srtt_us, srtt);
	th_finish(&t, c);
}

/* Every kind of segment but RST: data, its repetition, pure ACK, duplicate ACK, keep-alive probe, FIN. */
static void req_TX_002__on_every_segment_but_rst(void **state)
{
	static const struct tcp_opts keep = {.keepalive = true, .keep_idle_s = 1, .keep_intvl_s = 1};
	tcp_user_set_opts(&t.env, c, &keep);
	tcp_user_send(&t.env, c, data, 100, false);
	th_flush(&t);
	th_run(&t, 2 * NS_PER_S);                             /* repeated */
	th_send(&t, &q, TCP_ACK, 1, 101, "a", 1);
	th_send(&t, &q, TCP_ACK, 5, 101, "a", 1);             /* out of order */
	th_run(&t, 4 * NS_PER_S);                             /* delayed ACK, keep-alive */
	tcp_user_shutdown_wr(&t.env, c);
	th_flush(&t);
	assert_true(t.n_out >= 6);
	unsigned kinds = 0;
	for (int i = 0; i < t.n_out; i++) {
		const struct th_seg *s = &t.out[i];
		assert_true(s->h.has_ts);
		kinds |= 1u << (s->h.flags & TCP_FIN ? 0 : s->len ? 1 : s->h.seq == q.irs + 100 ? 2 : 3);
	}
	assert_int_equal(kinds, 15);
	th_finish(&t, c);
}

/* One tick is 1 ms to 1 s (RFC 7323 §5.4): so much is between the TSvals of segments 10 s apart. */
static void req_TX_005__tick_is_between_1_ms_and_1_s(void **state)
{
	tcp_user_send(&t.env, c, data, 100, false);
	th_flush(&t);
	uint32_t first = t.out[t.n_out - 1].h.tsval;
	th_send(&t, &q, TCP_ACK, 1, 101, NULL, 0);
	th_run(&t, 10 * NS_PER_S);
	tcp_user_send(&t.env, c, data, 100, false);
	th_flush(&t);
	assert_in_range(t.out[t.n_out - 1].h.tsval - first, 10, 10000);
	th_finish(&t, c);
}

static void req_TX_005__offset_is_per_connection(void **state)
{
	uint32_t first = th_conn(&t, c)->ts_offset;
	ref_t c2;
	th_op_path_hold(&t, t.path);
	assert_int_equal(tcp_user_connect(&t.env, t.path, TH_LPORT, TH_RPORT + 1, NULL, TH_OWNER, &c2), 0);
	assert_int_not_equal(th_conn(&t, c2)->ts_offset, first);
	tcp_user_close(&t.env, c2, true);
	th_finish(&t, c);
}

/* --- ICMP --- */

static void req_TCP_083__soft_errors_do_not_abort(void **state)
{
	tcp_user_send(&t.env, c, data, 100, false);
	th_flush(&t);
	tcp_icmp_arrives(&t.env, c, EHOSTUNREACH, false, q.irs + 1, 0);
	assert_int_equal(st(), TCP_ESTABLISHED);
	assert_int_equal(tcp_user_error(&t.env, c), EHOSTUNREACH); /* made available, once */
	assert_int_equal(tcp_user_error(&t.env, c), 0);
	tcp_icmp_arrives(&t.env, c, ECONNREFUSED, true, q.irs + 1, 0); /* synchronized: not even a hard one (RFC 5927, Linux) */
	assert_int_equal(st(), TCP_ESTABLISHED);
	th_finish(&t, c);
}

static void req_TX_014__icmp_needs_a_sequence_number_in_flight(void **state)
{
	tcp_icmp_arrives(&t.env, c, EHOSTUNREACH, false, q.irs + 1, 0); /* nothing is in flight */
	tcp_user_send(&t.env, c, data, 100, false);
	th_flush(&t);
	tcp_icmp_arrives(&t.env, c, EHOSTUNREACH, false, q.irs, 0);
	tcp_icmp_arrives(&t.env, c, EHOSTUNREACH, false, q.irs + 101, 0);
	assert_int_equal(tcp_user_error(&t.env, c), 0);
	tcp_icmp_arrives(&t.env, c, EMSGSIZE, false, q.irs + 500, 600);
	assert_int_equal(th_path(&t)->p.pmtu, 1500);
	th_finish(&t, c);
}

static void tcp_guard__hard_error_ends_the_opening(void **state)
{
	th_finish(&t, c);
	th_init(&t, TH_A, TH_B, NULL, 1);
	th_op_path_hold(&t, t.path);
	assert_int_equal(tcp_user_connect(&t.env, t.path, TH_LPORT, TH_RPORT, NULL, TH_OWNER, &c), 0);
	uint32_t iss = th_conn(&t, c)->iss;
	tcp_icmp_arrives(&t.env, c, EHOSTUNREACH, false, iss, 0);
	assert_int_equal(st(), TCP_SYN_SENT);
	tcp_icmp_arrives(&t.env, c, ECONNREFUSED, true, iss + 1, 0);
	assert_int_equal(st(), TCP_SYN_SENT);
	tcp_icmp_arrives(&t.env, c, ECONNREFUSED, true, iss, 0);
	assert_int_equal(st(), TCP_CLOSED);
	assert_int_equal(tcp_user_error(&t.env, c), ECONNREFUSED);
	th_finish(&t, c);
}

static void tcp_guard__timeout_tells_the_soft_error(void **state)
{
	th_finish(&t, c);
	th_init(&t, TH_A, TH_B, NULL, 1);
	th_op_path_hold(&t, t.path);
	assert_int_equal(tcp_user_connect(&t.env, t.path, TH_LPORT, TH_RPORT, NULL, TH_OWNER, &c), 0);
	tcp_icmp_arrives(&t.env, c, EHOSTUNREACH, false, th_conn(&t, c)->iss, 0);
	th_run(&t, 400 * NS_PER_S);
	assert_int_equal(tcp_user_error(&t.env, c), EHOSTUNREACH);
	th_finish(&t, c);
}

static void tcp_guard__mtu_lowered_resends_smaller(void **state)
{
	tcp_user_send(&t.env, c, data, 2920, false);
	th_flush(&t);
	assert_int_equal(t.out[0].len, 1460);
	th_drain(&t);
	uint32_t cwnd = th_conn(&t, c)->cwnd;
	tcp_icmp_arrives(&t.env, c, EMSGSIZE, false, q.irs + 1, 1000);
	assert_int_equal(th_path(&t)->p.pmtu, 1000);
	th_flush(&t);
	uint32_t sum = 0;
	for (const struct th_seg *s; (s = th_next(&t));) {
		assert_true(s->len <= 960);
		sum += s->len;
	}
	assert_int_equal(sum, 2920);
	assert_int_equal(th_conn(&t, c)->cwnd, cwnd); /* no congestion */
	tcp_icmp_arrives(&t.env, c, EMSGSIZE, false, q.irs + 1, 68);
	assert_int_equal(th_path(&t)->p.pmtu, 552); /* a floor, as Linux */
	th_finish(&t, c);
}

/* --- keep-alive (TCP-080) --- */

static void req_TCP_080__off_by_default(void **state)
{
	th_run(&t, 86400 * NS_PER_S);
	th_expect_none(&t);
	assert_int_equal(st(), TCP_ESTABLISHED);
	th_finish(&t, c);
}

static void req_TCP_080__idle_two_hours(void **state)
{
	th_finish(&t, c);
	open_with(&(struct tcp_opts){.keepalive = true}, false);
	th_run(&t, 7199 * NS_PER_S);
	th_expect_none(&t);
	th_run(&t, 2 * NS_PER_S);
	assert_int_equal(th_expect(&t, &q, TCP_ACK, 0, 1, 0)->why, WHY_KEEPALIVE);
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0); /* answered: idle begins again */
	th_run(&t, 7190 * NS_PER_S);
	th_expect_none(&t);
	th_finish(&t, c);
}

/* ss -o: until the next probe. */
static void req_TCP_080__its_timer_is_told(void **state)
{
	struct via_sock_info info = {.size = sizeof(info)};

	th_finish(&t, c);
	open_with(&(struct tcp_opts){.keepalive = true, .keep_idle_s = 10}, false);
	th_run(&t, 4 * NS_PER_S);
	tcp_node_info(&t.env, c, &info);
	assert_int_equal(info.timer, 2);
	assert_in_range(info.timer_ns, 5990 * NS_PER_MS, 6010 * NS_PER_MS);
	th_finish(&t, c);
}

static void req_TCP_080__one_lost_probe_kills_nothing(void **state)
{
	th_finish(&t, c);
	open_with(&(struct tcp_opts){.keepalive = true, .keep_idle_s = 10, .keep_intvl_s = 2, .keep_cnt = 3}, false);
	th_run(&t, 12500 * NS_PER_MS); /* two probes */
	assert_int_equal(t.n_out, 2);
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0);
	th_drain(&t);
	th_run(&t, 15 * NS_PER_S); /* three more */
	assert_int_equal(st(), TCP_ESTABLISHED);
	th_run(&t, 5 * NS_PER_S);
	assert_int_equal(st(), TCP_CLOSED);
	assert_int_equal(tcp_user_error(&t.env, c), ETIMEDOUT);
	th_finish(&t, c);
}

static void tcp_guard__probe_of_the_peer_is_answered(void **state)
{
	th_send(&t, &q, TCP_ACK, 0, 1, NULL, 0); /* keep-alive, or window probe */
	th_expect(&t, &q, TCP_ACK, 1, 1, 0);
	th_send(&t, &q, TCP_ACK, 0, 1, "x", 1); /* with its garbage octet */
	th_expect(&t, &q, TCP_ACK, 1, 1, 0);
	assert_int_equal(tcp_user_inq(&t.env, c), 0);
	th_finish(&t, c);
}

/* --- R1 --- */

static int suspects;
static void on_suspect(void *ctx, ref_t path) { suspects++; }

static void req_TCP_078__r1_tells_ip(void **state)
{
	struct tcp_ops o = th_ops;
	o.path_suspect = on_suspect;
	suspects = 0;
	t.env.ops = &o;
	tcp_user_send(&t.env, c, data, 10, false);
	th_run(&t, 5 * NS_PER_S);
	assert_int_equal(suspects, 1);
	th_drain(&t);
	t.env.ops = &th_ops;
	th_finish(&t, c);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
#define S(f) cmocka_unit_test_setup(f, setup_ts)
	const struct CMUnitTest tests[] = {
		T(tcp_guard__rst_in_window_is_challenged), T(tcp_guard__syn_is_challenged), T(tcp_guard__challenges_have_a_budget),
		T(tcp_guard__very_old_ack_is_refused), T(req_TX_009__the_budget_is_random),
		S(req_TX_004__an_older_one_is_acked_and_dropped),
		S(req_TX_004__recent_expires_after_24_idle_days), S(req_TX_002__a_segment_without_one_is_dropped_and_aborts_nothing),
		S(req_TX_003__recent_moves_only_at_the_left_edge), S(req_TX_003__tsecr_goes_with_ack), S(req_TX_002__on_every_segment_but_rst),
		S(req_TX_005__tick_is_between_1_ms_and_1_s), S(req_TX_005__offset_is_per_connection), T(req_TCP_083__soft_errors_do_not_abort),
		T(req_TX_014__icmp_needs_a_sequence_number_in_flight), T(tcp_guard__hard_error_ends_the_opening),
		T(tcp_guard__timeout_tells_the_soft_error), T(tcp_guard__mtu_lowered_resends_smaller), T(req_TCP_080__off_by_default),
		T(req_TCP_080__idle_two_hours), T(req_TCP_080__its_timer_is_told),
		T(req_TCP_080__one_lost_probe_kills_nothing), T(tcp_guard__probe_of_the_peer_is_answered),
		T(req_TCP_078__r1_tells_ip),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
