/* What an attacker may try who sees nothing, or who is the peer: resets, SYNs and ACKs in our name or theirs (RFC 5961), the budget of what
 * answers them, lies about what arrived, tiny segments, floods of SACK blocks. */
#include <errno.h>

#include "test/unit/tcp_harness.h"

static struct th t;
static struct peer q;
static ref_t c;
static uint8_t data[60000];

static void open_with(const struct tcp_hdr *synack)
{
	th_init(&t, TH_A, TH_B, NULL, 1);
	q = (struct peer){.iss = 5000, .wnd = 60000};
	c = th_connect(&t, &q, synack, NULL);
}
static int setup(void **state)
{
	open_with(&(struct tcp_hdr){.has_mss = true, .mss = 1460, .sack_permitted = true});
	return 0;
}

static int teardown(void **state)
{
	th_finish(&t, c);
	return 0;
}

static enum tcp_state st(void) { return tcp_conn_state(&t.env, c); }
static struct tcp_conn *k(void) { return th_conn(&t, c); }

/* Bring the connection to `to`; returns its SND.NXT, relative. */
static uint32_t go(enum tcp_state to)
{
	bool peer_first = to == TCP_CLOSE_WAIT || to == TCP_LAST_ACK;
	if (peer_first)
		th_send(&t, &q, TCP_FIN | TCP_ACK, 1, 1, NULL, 0);
	if (to != TCP_ESTABLISHED && to != TCP_CLOSE_WAIT) {
		tcp_user_shutdown_wr(&t.env, c);
		th_flush(&t);
	}
	if (to == TCP_FIN_WAIT_2)
		th_send(&t, &q, TCP_ACK, 1, 2, NULL, 0);
	if (to == TCP_CLOSING)
		th_send(&t, &q, TCP_FIN | TCP_ACK, 1, 1, NULL, 0);
	th_drain(&t);
	assert_int_equal(st(), to);
	return k()->snd_nxt - q.irs;
}

static const enum tcp_state synchronized[] = {TCP_ESTABLISHED, TCP_FIN_WAIT_1, TCP_FIN_WAIT_2, TCP_CLOSE_WAIT, TCP_CLOSING, TCP_LAST_ACK};

/* --- TX-006, TX-007: RST and SYN --- */

static void req_TX_006__rst_in_every_synchronized_state(void **state)
{
	th_finish(&t, c);
	for (unsigned i = 0; i < ARRAY_LEN(synchronized); i++)
		for (unsigned place = 0; place < 7; place++) {
			setup(NULL);
			uint32_t nxt = go(synchronized[i]), rcv = k()->rcv_nxt - q.iss, wnd = tcp_rcv_wnd(k());
			uint32_t seq[] = {rcv - 1, rcv, rcv + 1, rcv + wnd - 1, rcv + wnd, rcv + wnd + 1, rcv - 0x7fffffff};
			th_send(&t, &q, place % 2 ? TCP_RST | TCP_ACK : TCP_RST, seq[place], nxt, NULL, 0);
			bool exact = place == 1, inside = place == 2 || place == 3;
			assert_int_equal(st() == TCP_CLOSED, exact);
			if (inside)
				assert_int_equal(th_expect(&t, &q, TCP_ACK, nxt, rcv, 0)->why, WHY_ACK_CHALLENGE);
			th_expect_none(&t); /* else silence */
			th_finish(&t, c);
		}
	setup(NULL);
}

/* The peer whose reset was challenged sends it again at the right number: over. */
static void req_TX_006__the_challenge_leads_to_the_reset(void **state)
{
	th_send(&t, &q, TCP_RST, 500, 0, NULL, 0);
	uint32_t ack = th_next(&t)->h.ack;
	assert_int_equal(st(), TCP_ESTABLISHED);
	th_send(&t, &q, TCP_RST, ack - q.iss, 0, NULL, 0);
	assert_int_equal(st(), TCP_CLOSED);
	assert_int_equal(tcp_user_recv(&t.env, c, data, 1, false), -ECONNRESET);
	th_finish(&t, c);
}

static void req_TX_007__syn_in_every_synchronized_state(void **state)
{
	static const uint8_t flags[] = {TCP_SYN, TCP_SYN | TCP_ACK, TCP_SYN | TCP_FIN, TCP_SYN | TCP_PSH};
	th_finish(&t, c);
	for (unsigned i = 0; i < ARRAY_LEN(synchronized); i++) {
		setup(NULL);
		uint32_t nxt = go(synchronized[i]), rcv = k()->rcv_nxt - q.iss, wnd = tcp_rcv_wnd(k());
		uint32_t seq[] = {0, rcv - 1, rcv, rcv + 1, rcv + wnd - 1, rcv + wnd, rcv + 0x80000000};
		for (unsigned place = 0; place < ARRAY_LEN(seq); place++)
			for (unsigned f = 0; f < ARRAY_LEN(flags); f++) {
				k()->challenge_tick--; /* the budget has a test of its own */
				bool has_text = flags[f] & TCP_PSH;
				th_send(&t, &q, flags[f], seq[place], nxt, "x", has_text);
				assert_int_equal(th_expect(&t, &q, TCP_ACK, nxt, rcv, 0)->why, WHY_ACK_CHALLENGE);
				th_expect_none(&t);
				assert_int_equal(st(), synchronized[i]);
				assert_int_equal(tcp_user_inq(&t.env, c), 0);
			}
		th_finish(&t, c);
	}
	setup(NULL);
}

/* --- TX-008: ACK --- */

static void req_TX_008__acks_out_of_range_are_challenged(void **state)
{
	q.wnd = 20000;
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0); /* an older, larger window counts: MAX.SND.WND is 60000 */
	tcp_user_send(&t.env, c, data, 1000, false);
	th_flush(&t);
	th_drain(&t);
	static const struct {
		int64_t ack; /* relative to our ISN */
		bool ok;
	} acks[] = {{1 - 60001, false}, {1 - 60000, true}, {0, true}, {1, true}, {1001, true}, {1002, false}, {1002 + 0x70000000, false},
		    {1 - 0x70000000, false}};
	uint32_t got = 0;
	for (unsigned i = 0; i < ARRAY_LEN(acks); i++) {
		k()->challenge_tick--;
		th_send(&t, &q, TCP_ACK, 1 + got, (uint32_t)acks[i].ack, "t", 1);
		got += acks[i].ok;
		assert_int_equal(tcp_user_inq(&t.env, c), got);
		assert_int_equal(t.drop == DROP_TCP_ACK_RANGE, !acks[i].ok);
		if (!acks[i].ok)
			assert_int_equal(th_expect(&t, &q, TCP_ACK, 1001, 1 + got, 0)->why, WHY_ACK_CHALLENGE);
		th_drain(&t);
	}
	th_finish(&t, c);
}

/* --- TX-009: the budget --- */

/* Challenges of one connection in this second, of 30 asked for. */
static unsigned challenges(uint16_t rport)
{
	unsigned n = 0;
	for (int i = 0; i < 30; i++) {
		struct tcp_hdr h = th_hdr(&q, TCP_RST, 100, 0);
		h.sport = rport;
		th_inject(&t, &h, NULL, 0);
		const struct th_seg *s = th_next(&t);
		n += s && s->why == WHY_ACK_CHALLENGE;
		th_drain(&t);
	}
	return n;
}

static void req_TX_009__the_budget_is_each_connections_own_and_random(void **state)
{
	ref_t c2;
	th_op_path_hold(&t, t.path);
	assert_int_equal(tcp_user_connect(&t.env, t.path, TH_LPORT, TH_RPORT + 1, NULL, TH_OWNER, &c2), 0);
	th_flush(&t);
	struct peer q2 = q;
	q2.irs = th_next(&t)->h.seq;
	struct tcp_hdr h = th_hdr(&q2, TCP_SYN | TCP_ACK, 0, 1);
	h.sport = TH_RPORT + 1;
	th_inject(&t, &h, NULL, 0);
	th_drain(&t);
	unsigned seen[2] = {0}, differ = 0, silent_then_full = 0;
	for (int second = 0; second < 60; second++) {
		unsigned a = challenges(TH_RPORT), b = challenges(TH_RPORT + 1);
		assert_in_range(a, 5, 12);
		assert_in_range(b, 5, 12); /* whatever the other has used: nothing is learnt about it (CVE-2016-5696) */
		seen[0] |= 1u << a;
		seen[1] |= 1u << b;
		differ += a != b;
		silent_then_full += challenges(TH_RPORT) == 0;
		th_run(&t, NS_PER_S);
	}
	assert_int_equal(silent_then_full, 60); /* it was used up */
	assert_true(__builtin_popcount(seen[0]) >= 5);
	assert_true(__builtin_popcount(seen[1]) >= 5);
	assert_true(differ >= 30);
	tcp_user_close(&t.env, c2, true);
	th_flush(&t);
	th_finish(&t, c);
}

/* --- lies of the peer --- */

/* An ACK of what was never sent: no window, no memory, no progress, no answer but the challenge; and what is real goes on. */
static void req_CC_008__an_optimistic_ack_gains_nothing(void **state)
{
	tcp_user_send(&t.env, c, data, 60000, false);
	th_flush(&t);
	th_drain(&t);
	uint32_t cwnd = k()->cwnd, una = k()->snd_una, nxt = k()->snd_nxt, queued = tcp_user_outq(&t.env, c);
	for (uint32_t i = 0; i < 200; i++) {
		th_send(&t, &q, TCP_ACK, 1, nxt - q.irs + 1 + i * 1460, NULL, 0);
		assert_int_equal(k()->cwnd, cwnd);
		assert_int_equal(k()->snd_una, una);
		assert_int_equal(k()->snd_nxt, nxt);
		assert_int_equal(tcp_user_outq(&t.env, c), queued);
		assert_int_equal(k()->srtt_us, 1);
	}
	assert_in_range(t.n_out, 5, 12); /* the budget */
	th_drain(&t);
	th_send(&t, &q, TCP_ACK, 1, 1461, NULL, 0);
	assert_int_equal(k()->snd_una, una + 1460);
	th_finish(&t, c);
}

/* TCP-014: a peer that says MSS 1 makes us send no more, and no smaller, segments than its floor. */
static void req_TCP_014__a_tiny_mss_costs_at_most_the_floor(void **state)
{
	static const uint16_t said[] = {0, 1, 2, 48, 87};
	th_finish(&t, c);
	for (unsigned i = 0; i < ARRAY_LEN(said); i++) {
		open_with(&(struct tcp_hdr){.has_mss = true, .mss = said[i]});
		uint32_t mss = k()->mss, sent = 0, n = 0;
		assert_int_equal(mss, said[i] ? TCP_MSS_FLOOR : TCP_MSS_DEFAULT4); /* zero is none */
		tcp_user_send(&t.env, c, data, 5000, false);
		th_flush(&t);
		while (sent < 5000) {
			for (const struct th_seg *s; (s = th_next(&t)); sent += s->len, n++)
				assert_true(s->len == mss || sent + s->len == 5000);
			th_drain(&t);
			th_send(&t, &q, TCP_ACK, 1, 1 + sent, NULL, 0);
		}
		assert_int_equal(n, (5000 + mss - 1) / mss);
		th_finish(&t, c);
	}
	setup(NULL);
}

/* --- SACK floods: the work is what stands in the ranges, and that is capped --- */

static void sack(uint32_t ack, const struct iv *v, uint8_t n)
{
	struct tcp_hdr h = th_hdr(&q, TCP_ACK, 1, ack);
	h.n_sack = n;
	for (uint8_t i = 0; i < n; i++)
		h.sack[i] = (struct iv){q.irs + v[i].lo, q.irs + v[i].hi};
	th_inject(&t, &h, NULL, 0);
}

static void req_HARD_05__thousands_of_tiny_blocks(void **state)
{
	k()->cwnd = 60000;
	tcp_user_send(&t.env, c, data, 60000, false);
	th_flush(&t);
	size_t least = arena_bytes_used(t.arena);
	uint16_t most = 0;
	for (uint32_t i = 0; i < 5000; i++) { /* every second octet, four at a time */
		uint32_t at = 2 + 8 * i % 59990;
		sack(1, (struct iv[]){{at, at + 1}, {at + 2, at + 3}, {at + 4, at + 5}, {at + 6, at + 7}}, 4);
		struct tcp_active *a = tcp_active_of(&t.env, k());
		most = MAX(most, a->sent.n);
		th_drain(&t);
	}
	assert_true(most > 64);
	assert_true(most <= TCP_RANGES_MAX);
	assert_true(arena_bytes_used(t.arena) - least <= TCP_RANGES_MAX * 2 * sizeof(struct tcp_range) + ARENA_PAGE_SIZE);
	th_send(&t, &q, TCP_ACK, 1, 60001, NULL, 0); /* and it goes on as if nothing had been */
	assert_int_equal(tcp_user_outq(&t.env, c), 0);
	assert_int_equal(tcp_user_send(&t.env, c, data, 1000, false), 1000);
	th_flush(&t);
	bool sent = false;
	for (const struct th_seg *s; (s = th_next(&t));)
		sent |= s->h.seq == q.irs + 60001 && s->len == 1000;
	assert_true(sent);
	th_finish(&t, c);
}

/* Blocks of nothing, of what was never sent, turned round: as if they were not there. */
static void req_CC_011__false_blocks_in_thousands(void **state)
{
	struct rng r;
	rng_seed(&r, 3);
	tcp_user_send(&t.env, c, data, 10000, false);
	th_flush(&t);
	th_drain(&t);
	struct tcp_active *a = tcp_active_of(&t.env, k());
	uint32_t nxt = k()->snd_nxt - q.irs, n = a->sent.n;
	for (int i = 0; i < 3000; i++) {
		uint32_t x = nxt + 1 + (uint32_t)rng_below(&r, 0x70000000), y = x + (uint32_t)rng_below(&r, 5000);
		struct iv v[4] = {{x, y}, {y, x}, {5, 5}, {nxt - 1, nxt + 1 + (uint32_t)rng_below(&r, 100)}};
		sack(1, v, 4);
		assert_int_equal(a->sent.n, n);
		assert_int_equal(a->sent.sacked, 0);
		assert_int_equal(a->sent.lost, 0);
	}
	th_finish(&t, c);
}

/* --- receiving --- */

/* TCP-037: FIN reads as 0, RST as ECONNRESET, also with text before either. */
static void req_TCP_037__closed_or_aborted(void **state)
{
	char b[4];
	th_send(&t, &q, TCP_FIN | TCP_ACK, 1, 1, "ab", 2);
	assert_int_equal(tcp_user_recv(&t.env, c, b, 4, false), 2);
	assert_int_equal(tcp_user_recv(&t.env, c, b, 4, false), 0);
	assert_int_equal(tcp_user_recv(&t.env, c, b, 4, false), 0);
	assert_int_equal(tcp_user_error(&t.env, c), 0);
	th_finish(&t, c);
	setup(NULL);
	th_send(&t, &q, TCP_ACK, 1, 1, "ab", 2);
	th_send(&t, &q, TCP_RST, 3, 0, NULL, 0);
	assert_int_equal(tcp_user_recv(&t.env, c, b, 4, false), 2);
	assert_int_equal(tcp_user_recv(&t.env, c, b, 4, false), -ECONNRESET);
	assert_int_equal(tcp_user_recv(&t.env, c, b, 4, false), 0); /* told once */
	th_finish(&t, c);
}

/* TCP-023, the active half: a RST while both SYNs cross says "refused". */
static void req_TCP_023__rst_after_simultaneous_syn_says_refused(void **state)
{
	ref_t c2;
	th_op_path_hold(&t, t.path);
	assert_int_equal(tcp_user_connect(&t.env, t.path, TH_LPORT, TH_RPORT + 1, NULL, TH_OWNER, &c2), 0);
	th_flush(&t);
	struct tcp_hdr h = th_hdr(&q, TCP_SYN, 0, 0);
	h.sport = TH_RPORT + 1;
	th_inject(&t, &h, NULL, 0);
	assert_int_equal(tcp_conn_state(&t.env, c2), TCP_SYN_RECEIVED);
	h = th_hdr(&q, TCP_RST, 1, 0);
	h.sport = TH_RPORT + 1;
	th_inject(&t, &h, NULL, 0);
	assert_int_equal(tcp_user_error(&t.env, c2), ECONNREFUSED);
	tcp_user_close(&t.env, c2, false);
	th_drain(&t);
	th_finish(&t, c);
}

/* TX-014 for all states that have something in flight: only [SND.UNA, SND.NXT) counts. */
static void req_TX_014__every_number_around_what_is_in_flight(void **state)
{
	tcp_user_send(&t.env, c, data, 100, false);
	th_flush(&t);
	static const struct {
		int32_t seq; /* relative to our ISN */
		bool counts;
	} at[] = {{1 - 0x7fffffff, false}, {0, false}, {1, true}, {50, true}, {100, true}, {101, false}, {102, false}, {0x7fffffff, false}};
	for (unsigned i = 0; i < ARRAY_LEN(at); i++) {
		tcp_icmp_arrives(&t.env, c, EHOSTUNREACH, false, q.irs + (uint32_t)at[i].seq, 0);
		assert_int_equal(tcp_user_error(&t.env, c), at[i].counts ? EHOSTUNREACH : 0);
		tcp_icmp_arrives(&t.env, c, ECONNREFUSED, true, q.irs + (uint32_t)at[i].seq, 0);
		assert_int_equal(st(), TCP_ESTABLISHED); /* not even a hard one, synchronized */
		tcp_user_error(&t.env, c);
	}
	th_finish(&t, c);
	th_init(&t, TH_A, TH_B, NULL, 1); /* SYN-RECEIVED of a listener: the SYN-ACK's number, or nothing */
	q = (struct peer){.iss = 5000, .wnd = 60000};
	th_listen(&t, 4, NULL);
	th_send(&t, &q, TCP_SYN, 0, 0, NULL, 0);
	uint32_t iss = th_next(&t)->h.seq;
	ref_t node = th_find(&t, TH_LPORT, TH_RPORT);
	tcp_icmp_arrives(&t.env, node, ECONNREFUSED, true, iss + 1, 0);
	tcp_icmp_arrives(&t.env, node, ECONNREFUSED, true, iss - 1, 0);
	tcp_icmp_arrives(&t.env, node, EHOSTUNREACH, false, iss, 0);
	assert_int_equal(t.n_nodes, 1);
	tcp_icmp_arrives(&t.env, node, ECONNREFUSED, true, iss, 0);
	assert_int_equal(t.n_nodes, 0);
	th_unlisten(&t);
	th_finish(&t, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(req_TX_006__rst_in_every_synchronized_state, setup, teardown),
		T(req_TX_006__the_challenge_leads_to_the_reset),
		cmocka_unit_test_setup_teardown(req_TX_007__syn_in_every_synchronized_state, setup, teardown),
		T(req_TX_008__acks_out_of_range_are_challenged), T(req_TX_009__the_budget_is_each_connections_own_and_random),
		T(req_CC_008__an_optimistic_ack_gains_nothing),
		cmocka_unit_test_setup_teardown(req_TCP_014__a_tiny_mss_costs_at_most_the_floor, setup, teardown),
		T(req_HARD_05__thousands_of_tiny_blocks), T(req_CC_011__false_blocks_in_thousands), T(req_TCP_037__closed_or_aborted),
		T(req_TCP_023__rst_after_simultaneous_syn_says_refused), T(req_TX_014__every_number_around_what_is_in_flight),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
