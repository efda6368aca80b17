/* Proportional rate reduction: what leaves for each ACK in recovery, by RFC 9937 §6.2 worked out by hand. NewReno halves, loss detection is
 * RFC 6675's, so that which ACK tells of what is plain. */
#include "test/unit/loss_harness.h"

static uint32_t sent(void)
{
	uint32_t n = (uint32_t)(t.n_out - t.i_out);
	th_drain(&t);
	return n;
}

/* 20 in flight, the first lost: RecoverFS is 18 (two were SACKed before), ssthresh 10. For k delivered no more than ceil(k * 10/18) have
 * left, one of them the fast retransmit; pipe ends at ssthresh; the end releases no burst. */
static void req_CC_018__the_pipe_shrinks_in_proportion(void **state)
{
	fill(20);
	queue(40);
	SACK(0, 1, 2);
	SACK(0, 1, 3);
	th_drain(&t); /* limited transmit: cwnd was full, these left */
	uint32_t before = k()->snd_nxt - k()->snd_una - 20 * MSS, out = 0;
	assert_int_equal(before, 2 * MSS);
	uint32_t fs = 22 * MSS - 2 * MSS;
	for (uint32_t i = 4; i <= 20; i++) {
		SACK(0, 1, i);
		uint32_t n = sent(), may = (uint32_t)(((uint64_t)(i - 3) * MSS * k()->ssthresh + fs - 1) / fs);
		assert_int_equal(act()->ca, TCP_CA_RECOVERY);
		assert_true(n <= 1);
		out += n * MSS;
		assert_true(out <= may + MSS);
		assert_true(out + 2 * MSS > may);
	}
	uint32_t ssthresh = k()->ssthresh;
	assert_in_range(ssthresh, 9 * MSS, 11 * MSS);
	assert_in_range(tcp_pipe(k(), act()), ssthresh - 2 * MSS, ssthresh + 3 * MSS);
	ack((act()->recover - k()->iss - 1) / MSS);
	assert_int_equal(act()->ca, TCP_CA_OPEN);
	assert_int_equal(k()->cwnd, ssthresh);
	assert_true(sent() <= 3);
	th_finish(&t, c);
}

/* 14 of 20 lost: the pipe is below ssthresh at once. As much leaves as is delivered; an ACK that moves SND.UNA and tells of no further
 * loss lets one more go (SafeACK). */
static void req_CC_018__below_ssthresh_as_much_as_was_delivered(void **state)
{
	fill(20);
	SACK(0, 14, 15);
	SACK(0, 14, 16);
	assert_int_equal(sent(), 0);
	SACK(0, 14, 17);
	assert_int_equal(act()->ca, TCP_CA_RECOVERY);
	assert_int_equal(k()->ssthresh, 10 * MSS);
	assert_int_equal(sent(), 1);
	SACK(0, 14, 18);
	assert_int_equal(sent(), 1);
	SACK(0, 14, 19);
	assert_int_equal(sent(), 1);
	SACK(1, 14, 19);
	assert_int_equal(sent(), 2);
	SACK(2, 14, 19);
	assert_int_equal(sent(), 2);
	assert_true(tcp_pipe(k(), act()) <= k()->ssthresh);
	th_finish(&t, c);
}

/* What waited for cwnd and came after all waits no more: a later repetition is not told to have been held since then. */
static void tcp_output__what_came_after_all_was_not_held(void **state)
{
	fill(20);
	for (uint32_t i = 15; i <= 18; i++)
		SACK(0, 14, i);
	assert_true(act()->held_first && act()->held_lost);
	ack(19);
	assert_int_equal(act()->held_first, HELD_NONE);
	th_finish(&t, c);
}

/* A window of 5.97 segments lets five out. What limited transmit and SACK added is not FlightSize (RFC 5681 §3.2): half is 2.5. */
static void req_CC_003__limited_transmit_is_not_counted(void **state)
{
	fill(5);
	k()->cwnd = 5970;
	queue(10);
	SACK(0, 1, 2);
	SACK(0, 1, 3);
	assert_true(tcp_flight(k()) > 5970);
	SACK(0, 1, 4);
	assert_int_equal(act()->ca, TCP_CA_RECOVERY);
	assert_int_equal(k()->ssthresh, 2500);
	th_finish(&t, c);
}

/* What has a model of the path keeps its own cwnd; without SACK recovery is RFC 6582's. */
static void req_CC_018__not_for_a_model(void **state)
{
	tcp_user_set_opts(&t.env, c, &(struct tcp_opts){.cc = (uint8_t)tcp_cc_find("bbr")});
	fill(20);
	for (uint32_t i = 2; i <= 6; i++)
		SACK(0, 1, i);
	assert_int_equal(act()->ca, TCP_CA_RECOVERY);
	assert_false(act()->prr.is_on);
	th_finish(&t, c);
}
static void req_CC_018__not_without_sack(void **state)
{
	fill(20);
	for (int i = 0; i < 5; i++)
		ack(0);
	assert_int_equal(act()->ca, TCP_CA_RECOVERY);
	assert_false(act()->prr.is_on);
	th_finish(&t, c);
}

/* The clock may tell of the losses, when the path reorders; then no ACK says that anything was delivered, and one repetition leaves: what
 * follows goes by the ACKs, as if one of them had told. */
static void req_CC_018__no_burst_when_the_clock_tells(void **state)
{
	kept()->reordering_seen = 1;
	fill(30);
	th_run(&t, 100 * MS);
	SACK(0, 15, 30);
	th_expect_none(&t);
	th_run(&t, 30 * MS);
	assert_int_equal(act()->ca, TCP_CA_RECOVERY);
	assert_int_equal(k()->ssthresh, 15 * MSS);
	assert_int_equal(sent(), 1);
	th_run(&t, 70 * MS);
	ack(1);
	assert_int_equal(sent(), 2); /* SafeACK */
	th_finish(&t, c);
}

/* A repetition is lost, which is a second reduction: it begins anew, in proportion, from what is in flight then. What the
 * first one has sent
 * does not count against it, or nothing would leave until the pipe is at the new ssthresh. */
static void req_CC_018__a_second_reduction_begins_anew(void **state)
{
	fill(40);
	queue(100);
	th_run(&t, 100 * MS);
	SACK(0, 1, 4);
	assert_int_equal(act()->ca, TCP_CA_RECOVERY);
	for (uint32_t i = 5; i <= 40; i++) {
		th_run(&t, MS);
		SACK(0, 1, i);
	}
	th_drain(&t);
	uint32_t ssthresh = k()->ssthresh, out = 0;
	th_run(&t, 100 * MS);
	SACK(0, 1, 43);
	assert_true(k()->ssthresh <= ssthresh / 2 + MSS); /* the repetition of 0 was lost */
	th_drain(&t);
	assert_true(tcp_pipe(k(), act()) > k()->ssthresh + 4 * MSS);
	for (uint32_t i = 44; i <= 49; i++) {
		SACK(0, 1, i);
		out += sent();
	}
	assert_in_range(out, 2, 4); /* of six delivered about half */
	th_finish(&t, c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(req_CC_018__the_pipe_shrinks_in_proportion, lh_6675),
		cmocka_unit_test_setup(req_CC_018__below_ssthresh_as_much_as_was_delivered, lh_6675),
		cmocka_unit_test_setup(req_CC_018__no_burst_when_the_clock_tells, lh_sack),
		cmocka_unit_test_setup(req_CC_018__a_second_reduction_begins_anew, lh_sack),
		cmocka_unit_test_setup(tcp_output__what_came_after_all_was_not_held, lh_6675),
		cmocka_unit_test_setup(req_CC_003__limited_transmit_is_not_counted, lh_6675),
		cmocka_unit_test_setup(req_CC_018__not_for_a_model, lh_6675),
		cmocka_unit_test_setup(req_CC_018__not_without_sack, lh_newreno),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
