/* Needless reductions are taken back: D-SACK (RFC 2883, RFC 3708), Eifel (RFC 3522, RFC 4015), F-RTO (RFC 5682). */
#include "test/unit/loss_harness.h"

#include "tcp/undo.h"

/* Ten segments; 0 is held to be lost and sent again. */
static void one_repeated(void)
{
	fill(10);
	th_run(&t, 100 * MS);
	SACK(0, 1, 4);
	expect_seg(0, WHY_RETRANS_RACK);
	assert_int_equal(act()->ca, TCP_CA_RECOVERY);
	assert_int_equal(k()->ssthresh, 5000);
}
static void expect_back(uint32_t cwnd)
{
	assert_int_equal(act()->ca, TCP_CA_OPEN);
	assert_true(k()->cwnd >= cwnd);
	assert_int_equal(k()->ssthresh, TCP_SSTHRESH_INFINITE);
	assert_int_equal(act()->sent.lost, 0);
}
static void expect_reduced(void) { assert_true(k()->ssthresh < TCP_SSTHRESH_INFINITE); }

/* --- D-SACK --- */

static void req_CC_012__the_sender_undoes_and_widens(void **state)
{
	one_repeated();
	th_run(&t, 20 * MS);
	ack(4);                          /* 0 came late */
	assert_int_equal(act()->ca, TCP_CA_RECOVERY);
	assert_int_equal(kept()->reo_wnd_more, 0);
	SACK(4, 0, 1);                   /* and so did its copy */
	expect_back(10 * MSS);
	assert_int_equal(kept()->reo_wnd_more, 1);
	th_finish(&t, c);
}

static void req_CC_012__also_after_recovery_has_ended(void **state)
{
	one_repeated();
	queue(40);
	th_run(&t, 20 * MS);
	ack(10);
	assert_int_equal(act()->ca, TCP_CA_OPEN);
	expect_reduced();
	SACK(10, 0, 1);
	expect_back(10 * MSS);
	th_finish(&t, c);
}

/* Two sent again, one of them for good reason: the reduction stays. */
static void req_CC_012__one_real_loss_keeps_the_reduction(void **state)
{
	fill(12);
	th_run(&t, 100 * MS);
	k()->cwnd = 40 * MSS;
	SACK(0, 2, 6);
	assert_true(k()->segs_retrans >= 1);
	for (uint32_t hi = 7; hi <= 10; hi++) /* PRR: as much as is delivered */
		SACK(0, 2, hi);
	assert_int_equal(k()->segs_retrans, 2);
	th_run(&t, 100 * MS);
	ack(12);
	queue(100);
	SACK(12, 0, 1);                  /* of 1 nothing is said */
	expect_reduced();
	ack(14);
	SACK(14, 0, 1);                  /* the same again: of 1 still nothing */
	expect_reduced();
	for (uint32_t i = 15; i < 60; i++) { /* a window later none is waited for */
		ack(i);
		th_run(&t, MS);
	}
	assert_false(act()->undo.is_on);
	assert_int_equal(act()->undo.set, 0);
	th_finish(&t, c);
}

/* A copy that the network made of what was sent once shows nothing. */
static void req_CC_012__dsack_of_what_was_not_repeated_shows_nothing(void **state)
{
	one_repeated();
	queue(20);
	th_run(&t, 100 * MS);
	ack(10);
	SACK(10, 5, 6);
	expect_reduced();
	assert_true(act()->undo.is_on);
	th_finish(&t, c);
}

/* Three copies of 0: one reported twice over does not tell which came. */
static void req_CC_012__two_repetitions_cannot_be_told_apart(void **state)
{
	t.env.no_tlp = true;
	fill(4);
	th_run(&t, 1000 * MS);           /* at 300 and 900 ms */
	assert_int_equal(k()->segs_retrans, 2);
	SACK(4, 0, 1);
	assert_int_equal(k()->ssthresh, 2 * MSS);
	th_finish(&t, c);
}

static void req_CC_012__not_if_ece_came_in_between(void **state)
{
	k()->ecn = TCP_ECN_FULL;
	one_repeated();
	queue(20);
	th_run(&t, 20 * MS);
	th_send(&t, &q, TCP_ACK | TCP_ECE, 1, 1 + 4 * MSS, NULL, 0);
	SACK(4, 0, 1);
	expect_reduced();
	assert_false(act()->undo.is_on);
	th_finish(&t, c);
}

/* What was too large was no sign of congestion: there is nothing to give back. */
static void req_CC_012__not_what_was_too_large(void **state)
{
	fill(10);
	k()->mss = 500;
	tcp_recovery_mtu(&t.env, k(), act(), k()->snd_una, k()->snd_nxt);
	th_flush(&t);
	assert_true(act()->is_mtu);
	assert_false(act()->undo.is_on);
	th_finish(&t, c);
}

static void tcp_undo__ece_reduces_again_after_it(void **state)
{
	k()->ecn = TCP_ECN_FULL;
	one_repeated();
	queue(20);
	th_run(&t, 20 * MS);
	ack(4);
	SACK(4, 0, 1);
	expect_back(10 * MSS);
	th_send(&t, &q, TCP_ACK | TCP_ECE, 1, 1 + 6 * MSS, NULL, 0);
	expect_reduced();
	th_finish(&t, c);
}

static void tcp_undo__a_second_episode_joins_the_first(void **state)
{
	one_repeated();
	k()->cwnd = 40 * MSS;
	queue(30);
	th_run(&t, 100 * MS);
	ack(10);                         /* over, but the D-SACK is on its way */
	uint32_t before = act()->undo.cwnd;
	SACK(10, 12, 20);
	assert_int_equal(act()->ca, TCP_CA_RECOVERY);
	assert_int_equal(act()->undo.cwnd, before);
	SACK(10, 0, 1, 12, 20);
	expect_reduced();                /* 10 and 11 are open */
	ack(20);
	SACK(20, 10, 11);
	SACK(20, 11, 12);
	expect_back(before);
	th_finish(&t, c);
}

/* --- Eifel --- */

static uint32_t clock_now(void) { return tcp_ts_now(&t.env, k()->ts_offset); }

static void req_CC_021__eifel_takes_a_fast_recovery_back(void **state)
{
	fill(10);
	uint32_t first = clock_now();
	th_run(&t, 100 * MS);
	q.tsecr = first;
	SACK(0, 1, 4);
	expect_seg(0, WHY_RETRANS_RACK);
	expect_reduced();
	assert_false(kept()->reordering_seen);
	th_run(&t, 20 * MS);
	ack(4);
	expect_back(10 * MSS);
	assert_true(kept()->reordering_seen); /* the first copy came, behind later bytes */
	th_finish(&t, c);
}

static void req_CC_021__eifel_takes_a_time_out_back(void **state)
{
	t.env.no_tlp = true;
	fill(6);
	uint32_t first = clock_now();
	th_run(&t, 310 * MS);
	expect_seg(0, WHY_RETRANS_RTO);
	assert_int_equal(k()->cwnd, MSS);
	assert_int_equal(act()->ca, TCP_CA_LOSS);
	q.tsecr = first;
	ack(1);
	expect_back(6 * MSS);
	assert_int_equal(k()->segs_retrans, 1); /* the others are not sent again */
	th_finish(&t, c);
}

/* Backed off twice: any echo older than the first repetition will do, one of a repetition will not. */
static void req_CC_021__eifel_after_two_time_outs(void **state)
{
	for (int real = 0; real < 2; real++) {
		if (real)
			lh_open(true, true, false);
		t.env.no_tlp = true;
		fill(6);
		q.tsecr = clock_now();
		th_run(&t, 310 * MS);
		if (real)
			q.tsecr = clock_now();
		th_run(&t, 690 * MS);
		assert_int_equal(k()->segs_retrans, 2);
		ack(1);
		if (real)
			expect_reduced();
		else
			expect_back(6 * MSS);
		th_finish(&t, c);
	}
}

static void req_CC_021__a_true_time_out_is_not_undone(void **state)
{
	t.env.no_tlp = true;
	fill(6);
	th_run(&t, 310 * MS);
	expect_seg(0, WHY_RETRANS_RTO);
	th_run(&t, 90 * MS);
	q.tsecr = clock_now() - 95;      /* the repetition's, or later */
	ack(1);
	expect_reduced();
	assert_int_equal(act()->ca, TCP_CA_LOSS);
	assert_true(k()->cwnd <= 2 * MSS);
	th_finish(&t, c);
}

static void req_CC_021__ece_forbids_it(void **state)
{
	t.env.no_tlp = true;
	k()->ecn = TCP_ECN_FULL;
	fill(6);
	q.tsecr = clock_now();
	th_run(&t, 310 * MS);
	th_send(&t, &q, TCP_ACK | TCP_ECE, 1, 1 + MSS, NULL, 0);
	expect_reduced();
	assert_true(k()->cwnd <= 2 * MSS);
	th_finish(&t, c);
}

/* --- F-RTO --- */

/* With SACK and without: after the advance two new segments go, and news of what was sent once shows the time-out spurious. */
static void frto(bool sack)
{
	lh_open(sack, false, false);
	t.env.no_tlp = true;
	fill(6);
	k()->cwnd = 6 * MSS;
	queue(10);
	th_run(&t, 310 * MS);
	expect_seg(0, WHY_RETRANS_RTO);
	th_drain(&t);
	ack(1);
	expect_seg(6, WHY_DATA);
	expect_seg(7, WHY_DATA);
	th_expect_none(&t);
	expect_reduced();
}
static void req_CC_021__frto_finds_a_spurious_time_out(void **state)
{
	for (int sack = 0; sack < 2; sack++) {
		if (!sack)
			th_finish(&t, c);
		frto(sack);
		ack(2);
		expect_back(6 * MSS);
		assert_int_equal(k()->segs_retrans, 1);
		th_finish(&t, c);
	}
}

/* The new segments are reported, the holes are not filled: all was lost, and goes again. */
static void req_CC_021__frto_leaves_a_true_time_out(void **state)
{
	th_finish(&t, c);
	frto(true);
	SACK(1, 6, 7);
	expect_reduced();
	expect_seg(1, WHY_RETRANS_RTO);
	th_finish(&t, c);

	frto(false);
	ack(1);
	expect_reduced();
	expect_seg(1, WHY_RETRANS_RTO);
	th_finish(&t, c);
}

/* Step 2: all is acknowledged at once, or there is nothing new to send: nothing is concluded. */
static void req_CC_021__frto_needs_new_data_to_ask_with(void **state)
{
	t.env.no_tlp = true;
	fill(6);
	th_run(&t, 310 * MS);
	expect_seg(0, WHY_RETRANS_RTO);
	ack(1);
	expect_seg(1, WHY_RETRANS_RTO);
	ack(2);
	expect_reduced();
	th_finish(&t, c);
}

/* Sequence numbers and time-outs across 2^32: the harness begins anywhere. */
static void tcp_undo__numbers_wrap(void **state)
{
	for (uint32_t off = 0; off < 3; off++) {
		lh_open(true, false, false);
		uint32_t shift = 0u - (2000u * off + 1) - k()->snd_nxt;
		k()->snd_una += shift;
		k()->snd_nxt += shift;
		k()->iss += shift;
		q.irs += shift;
		sbuf_init(&k()->snd, k()->snd_nxt);
		k()->snd_wl2 += shift;
		if (act()) {
			act()->snd_sml = act()->recover = act()->reduced_at = k()->snd_una;
			act()->limited_at = k()->snd_una - 1;
		}
		one_repeated();
		queue(20);
		th_run(&t, 20 * MS);
		ack(10);
		SACK(10, 0, 1);
		expect_back(10 * MSS);
		th_finish(&t, c);
	}
}

static void tcp_undo__no_memory_for_the_set(void **state)
{
	fill(10);
	th_run(&t, 100 * MS);
	static ref_t loot[4096];
	static uint32_t n;
	n = 0;
	ref_t r, big;
	while (n < ARRAY_LEN(loot) && (big = arena_pages_take(t.arena, 1)))
		loot[n++] = big;
	static ref_t small[4096];
	uint32_t m = 0;
	while (m < ARRAY_LEN(small) && (r = arena_buf_take(t.arena, IVSET_BYTES(64))))
		small[m++] = r;
	SACK(0, 1, 4);
	assert_false(act()->undo.is_on);
	assert_int_equal(k()->ssthresh, 5000);
	while (m)
		arena_buf_give(t.arena, small[--m], IVSET_BYTES(64));
	while (n)
		arena_pages_give(t.arena, loot[--n], 1);
	th_finish(&t, c);
}

#define T(f) cmocka_unit_test_setup(f, lh_sack)
#define TS(f) cmocka_unit_test_setup(f, lh_sack_ts)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(req_CC_012__the_sender_undoes_and_widens), T(req_CC_012__also_after_recovery_has_ended),
		T(req_CC_012__one_real_loss_keeps_the_reduction), T(req_CC_012__dsack_of_what_was_not_repeated_shows_nothing),
		T(req_CC_012__two_repetitions_cannot_be_told_apart), T(req_CC_012__not_if_ece_came_in_between),
		T(req_CC_012__not_what_was_too_large), T(tcp_undo__ece_reduces_again_after_it),
		T(tcp_undo__a_second_episode_joins_the_first), TS(req_CC_021__eifel_takes_a_fast_recovery_back),
		TS(req_CC_021__eifel_takes_a_time_out_back), TS(req_CC_021__eifel_after_two_time_outs),
		TS(req_CC_021__a_true_time_out_is_not_undone), TS(req_CC_021__ece_forbids_it),
		T(req_CC_021__frto_finds_a_spurious_time_out), T(req_CC_021__frto_leaves_a_true_time_out),
		T(req_CC_021__frto_needs_new_data_to_ask_with), cmocka_unit_test(tcp_undo__numbers_wrap),
		T(tcp_undo__no_memory_for_the_set),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
