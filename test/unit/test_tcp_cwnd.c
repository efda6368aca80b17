/* tcp/cwnd.c: what the congestion control is told, of a loss and of how far the window was used. */
#include "tcp/cwnd.h"
#include "test/unit/loss_harness.h"

static void open_with(uint8_t cc)
{
	th_init(&t, TH_A, TH_B, NULL, 1);
	q = (struct peer){.iss = 9000, .wnd = 30000};
	struct tcp_hdr synack = {.has_mss = true, .mss = MSS, .has_ws = true, .ws = 7, .sack_permitted = true};
	c = th_connect(&t, &q, &synack, &(struct tcp_opts){.cc = cc});
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0); /* the window, scaled from here on */
	k()->srtt_us = k()->min_rtt_us = 10000;
	k()->rttvar_us = 1000;
}

static void end(void)
{
	tcp_user_close(&t.env, c, true);
	th_flush(&t);
	th_assert_clean(&t);
	th_fini(&t);
}

/* In a recovery of several round trips the bytes SACKed behind a hole outgrow cwnd. FlightSize holds them, the network does not: a
 * loss seen then must still lower the window (CC-003, CC-020; RFC 8961 §4), whatever the algorithm. */
static void loss_with_much_sacked(uint8_t cc, enum tcp_cc_event e)
{
	open_with(cc);
	queue(20);
	assert_true(tcp_flight(k()) > 0);
	tcp_cwnd_event(&t.env, k(), act(), TCP_CC_LOSS, NULL, tcp_flight(k())); /* recovery begins */
	uint32_t cwnd = k()->cwnd;
	tcp_cwnd_event(&t.env, k(), act(), e, NULL, 4 * cwnd);
	assert_true(k()->ssthresh <= cwnd * 7 / 10);
	assert_true(k()->cwnd <= cwnd * 7 / 10);
	end();
}

static void req_CC_003__a_loss_never_raises_the_window(void **state)
{
	for (uint8_t cc = 0; cc < 2; cc++) {
		loss_with_much_sacked(cc, TCP_CC_LOSS);
		loss_with_much_sacked(cc, TCP_CC_RTO);
	}
}

/* CUBIC and NewReno, IW 10 segments; `n` of them are written at once and nothing waits behind. The ACKs come for two segments each. */
static void used(unsigned n, const uint32_t *cwnd)
{
	for (uint8_t cc = 0; cc < 2; cc++) {
		open_with(cc);
		uint32_t iw = k()->cwnd / MSS;
		queue(n);
		assert_int_equal(tcp_flight(k()), n * MSS);
		for (unsigned i = 0; i < (n + 1) / 2; i++) {
			th_run(&t, 10 * MS);
			ack(MIN(2 * i + 2, n));
			uint32_t want = cc == tcp_cc_find("reno") && cwnd[i] > iw ? MIN(cwnd[i], iw + i + 1) : cwnd[i]; /* one SMSS an ACK */
			assert_int_equal(k()->cwnd, want * MSS);
		}
		end();
	}
}

/* Who uses all of cwnd, or in slow start more than half of it, is held by it, though nothing waits: the next window may be twice what
 * is acknowledged (RFC 7661 §4.3: pipeACK of half of cwnd validates it; Linux's tcp_is_cwnd_limited()). Numbers are packetdrill's
 * slow-start-app-limited*.pkt and slow-start-ack-per-2pkt-send-*.pkt, which Linux passes. */
static void req_CC_001__what_was_used_grows(void **state)
{
	used(10, (uint32_t[]){12, 14, 16, 18, 20});
	used(9, (uint32_t[]){12, 14, 16, 18, 18});
	used(6, (uint32_t[]){12, 12, 12});
	used(5, (uint32_t[]){10, 10, 10});
	used(1, (uint32_t[]){10});
}

/* In congestion avoidance only a full window grows (RFC 9438 §5.8): half of it is no sign that more would pass. */
static void req_CC_001__avoidance_grows_only_a_full_window(void **state)
{
	for (unsigned n = 9; n <= 10; n++) {
		open_with((uint8_t)tcp_cc_find("reno"));
		k()->ssthresh = k()->cwnd;
		for (unsigned round = 0; round < 3; round++) {
			assert_int_equal(tcp_user_send(&t.env, c, data, n * MSS, false), n * MSS);
			th_flush(&t);
			th_run(&t, 10 * MS);
			ack((round + 1) * n);
		}
		assert_int_equal(k()->cwnd, (n == 10 ? 11 : 10) * MSS); /* the second round has 10 of 11 */
		end();
	}
}

/* What an earlier window held says nothing of a later one. */
static void cwnd__what_was_used_is_forgotten(void **state)
{
	open_with((uint8_t)tcp_cc_find("reno"));
	queue(9);
	th_run(&t, 10 * MS);
	ack(9);
	uint32_t cwnd = k()->cwnd;
	assert_int_equal(cwnd, 11 * MSS);
	for (unsigned i = 0; i < 4; i++) { /* one segment at a time, never drained: what counts stays with the active struct */
		queue(1);
		queue(1);
		ack(10 + i);
		assert_true(tcp_flight(k()) > 0);
		assert_in_range(k()->cwnd, cwnd, cwnd + (i == 0 ? MSS : 0));
		cwnd = k()->cwnd;
	}
	end();
}

/* CUBIC's W_max: the first thing that it remembers (cc_cubic.c). */
static uint32_t w_max(void) { return (uint32_t)act()->cc[0]; }

/* 40 segments in flight, the first 30 lost, and the first repetition too. W_max of the second reduction is the window at that moment
 * (RFC 9438 §4.6, §4.7): ssthresh, towards which PRR goes, and not the few segments that PRR has let out so far. */
static void req_CC_019__w_max_of_a_second_reduction(void **state)
{
	open_with(0);
	fill(40);
	th_run(&t, 10 * MS);
	for (uint32_t i = 31; i <= 40; i++)
		SACK(0, 30, i);
	assert_int_equal(act()->ca, TCP_CA_RECOVERY);
	uint32_t ssthresh = k()->ssthresh;
	assert_int_equal(ssthresh, 28 * MSS);
	assert_int_equal(w_max(), 40 * MSS);
	assert_true(k()->cwnd < 20 * MSS); /* PRR's */
	th_run(&t, 10 * MS);
	SACK(0, 1, 4, 30, 40);
	assert_true(k()->cwnd < 20 * MSS);
	th_run(&t, 12 * MS);
	SACK(0, 9, 10, 1, 4, 30, 40); /* repeated when the second to fourth had come: what was repeated before it is lost again */
	assert_true(k()->ssthresh < ssthresh);
	assert_int_equal(w_max(), 28 * MSS * 17 / 20); /* fast convergence: 28 is less than 40 */
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(req_CC_003__a_loss_never_raises_the_window),
		cmocka_unit_test(req_CC_001__what_was_used_grows),
		cmocka_unit_test(req_CC_001__avoidance_grows_only_a_full_window),
		cmocka_unit_test(cwnd__what_was_used_is_forgotten),
		cmocka_unit_test(req_CC_019__w_max_of_a_second_reduction),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
