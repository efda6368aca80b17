/* tcp/cwnd.c: what the congestion control is told of a loss. */
#include "tcp/cwnd.h"
#include "test/unit/tcp_harness.h"

/* In a recovery of several round trips the bytes SACKed behind a hole outgrow cwnd. FlightSize holds them, the network does not: a
 * loss seen then must still lower the window (CC-003, CC-020; RFC 8961 §4), whatever the algorithm. */
static void loss_with_much_sacked(uint8_t cc, enum tcp_cc_event e)
{
	struct th t;
	struct peer q = {.iss = 9000, .wnd = 65535};
	struct tcp_hdr synack = {.has_mss = true, .mss = 1000, .has_ws = true, .ws = 7, .sack_permitted = true};
	uint8_t data[20000] = {0};
	th_init(&t, TH_A, TH_B, NULL, 1);
	ref_t ref = th_connect(&t, &q, &synack, &(struct tcp_opts){.cc = cc});
	struct tcp_conn *c = th_conn(&t, ref);
	assert_int_equal(tcp_user_send(&t.env, ref, data, sizeof data, false), sizeof data);
	th_flush(&t);
	struct tcp_active *a = tcp_active_of(&t.env, c);
	assert_true(tcp_flight(c) > 0);
	tcp_cwnd_event(&t.env, c, a, TCP_CC_LOSS, NULL, tcp_flight(c)); /* recovery begins */
	uint32_t cwnd = c->cwnd;
	tcp_cwnd_event(&t.env, c, a, e, NULL, 4 * cwnd);
	assert_true(c->ssthresh <= cwnd * 7 / 10);
	assert_true(c->cwnd <= cwnd * 7 / 10);
	tcp_user_close(&t.env, ref, true);
	th_flush(&t);
	th_assert_clean(&t);
	th_fini(&t);
}

static void req_CC_003__a_loss_never_raises_the_window(void **state)
{
	for (uint8_t cc = 0; cc < 2; cc++) {
		loss_with_much_sacked(cc, TCP_CC_LOSS);
		loss_with_much_sacked(cc, TCP_CC_RTO);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(req_CC_003__a_loss_never_raises_the_window)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
