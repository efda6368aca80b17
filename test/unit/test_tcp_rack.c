/* RACK-TLP, RFC 8985: loss by time, the reordering window, tail loss probes, one timer of four. */
#include "test/unit/loss_harness.h"

#include "tcp/rack.h"
#include "tcp/tlp.h"

#define PTO (2 * 100 * MS + TCP_TLP_MIN_NS)
#define TICK (INT64_C(1) << WHEEL_TICK_SHIFT)

/* --- RACK, §6.2 --- */

static void req_CC_014__lost_when_a_later_one_came_and_rtt_and_window_have_passed(void **state)
{
	fill_apart(5, 10 * MS);          /* sent at 0, 10, 20, 30, 40 */
	th_run(&t, 60 * MS);             /* 110 */
	SACK(0, 1, 2);                   /* its RTT was 100: 0 is lost at 0 + 100 + 25 */
	th_expect_none(&t);
	assert_int_equal(act()->rtx, TCP_RTX_REORDER);
	th_run(&t, 15 * MS - 1);
	th_expect_none(&t);
	th_run(&t, 1 + TICK);            /* at most a wheel tick late */
	expect_seg(0, WHY_RETRANS_RACK);
	th_expect_none(&t);              /* 2, 3 and 4 left after what came */
	assert_int_equal(act()->ca, TCP_CA_RECOVERY);
	assert_int_equal(k()->ssthresh, 2500);
	th_finish(&t, c);
}

static void req_CC_014__what_came_in_time_was_only_late(void **state)
{
	fill_apart(5, 10 * MS);
	th_run(&t, 60 * MS);
	uint32_t cwnd = k()->cwnd;
	SACK(0, 1, 2);
	th_run(&t, 10 * MS);
	ack(2);                          /* 0 came after all */
	assert_true(kept()->reordering_seen);
	th_run(&t, 60 * MS);
	assert_int_equal(k()->segs_retrans, 0);
	assert_true(k()->cwnd >= cwnd);
	assert_int_equal(k()->ssthresh, TCP_SSTHRESH_INFINITE);
	th_finish(&t, c);
}

/* §6.2 step 4: without reordering three SACKed segments are proof enough; with it they are not. */
static void req_CC_014__dup_thresh_only_while_no_reordering_was_seen(void **state)
{
	fill(10);
	th_run(&t, 100 * MS);
	SACK(0, 1, 3);
	th_expect_none(&t);
	SACK(0, 1, 4);
	expect_seg(0, WHY_RETRANS_RACK);
	ack(10);
	kept()->reordering_seen = 1;
	k()->srtt_us = k()->min_rtt_us = 100000;
	fill(10);
	th_run(&t, 100 * MS);
	SACK(10, 11, 19);
	th_expect_none(&t);
	th_run(&t, 25 * MS - 1);
	th_expect_none(&t);
	th_run(&t, TICK);
	expect_seg(10, WHY_RETRANS_RACK);
	th_finish(&t, c);
}

/* In recovery the window is 0 as long as nothing came out of order; what is found later is one reduction with the first. */
static void req_CC_014__no_window_in_recovery(void **state)
{
	fill(20);
	th_run(&t, 100 * MS);
	SACK(0, 1, 4);
	expect_seg(0, WHY_RETRANS_RACK);
	uint32_t ssthresh = k()->ssthresh;
	k()->cwnd = 20 * MSS;
	SACK(0, 5, 6, 1, 4);
	expect_seg(4, WHY_RETRANS_RACK);
	assert_int_equal(k()->ssthresh, ssthresh);
	th_finish(&t, c);
}

/* One segment late by a little is all there is: the D-SACK that follows a needless repetition. */
static void dsack(uint32_t una, uint32_t seg) { SACK(una, seg, seg + 1); }

static void req_CC_014__the_window_grows_once_a_round_trip_on_dsack(void **state)
{
	kept()->reordering_seen = 1;
	fill(1);
	th_run(&t, 2000 * MS);           /* something was sent twice */
	ack(1);
	assert_true(k()->segs_retrans > 0);
	fill(10);
	assert_int_equal(kept()->reo_wnd_more, 0);
	dsack(1, 0);
	assert_int_equal(kept()->reo_wnd_more, 1);
	dsack(1, 0);                     /* the same round trip */
	assert_int_equal(kept()->reo_wnd_more, 1);
	assert_int_equal(kept()->reo_wnd_persist, TCP_RACK_PERSIST);
	ack(11);
	k()->srtt_us = k()->min_rtt_us = 100000;
	fill(10);
	dsack(11, 0);
	assert_int_equal(kept()->reo_wnd_more, 2);
	th_run(&t, 100 * MS);            /* 3/4 of 100 ms now */
	SACK(11, 12, 20);
	th_drain(&t);
	th_run(&t, 75 * MS - 1);
	th_expect_none(&t);
	th_run(&t, TICK);
	expect_seg(11, WHY_RETRANS_RACK);
	th_finish(&t, c);
}

/* The round of an old D-SACK is over for good: 2^31 bytes later it would seem to lie ahead. */
static void req_CC_014__an_old_round_holds_no_later_dsack_back(void **state)
{
	kept()->reordering_seen = 1;
	fill(1);
	th_run(&t, 2000 * MS);           /* something was sent twice */
	ack(1);
	fill(10);
	dsack(1, 0);
	assert_int_equal(kept()->reo_wnd_more, 1);
	fill(5);
	ack(12);
	act()->rack.dsack_round = k()->snd_una + 0x7ffffff0; /* as it looks from there */
	dsack(12, 0);
	assert_int_equal(kept()->reo_wnd_more, 2);
	th_finish(&t, c);
}

static void req_CC_014__the_window_is_at_most_srtt(void **state)
{
	kept()->reordering_seen = 1;
	kept()->reo_wnd_more = 200;
	fill(10);
	th_run(&t, 100 * MS);
	SACK(0, 1, 8);
	th_run(&t, 100 * MS - 1);
	th_expect_none(&t);
	th_run(&t, TICK);
	expect_seg(0, WHY_RETRANS_RACK);
	th_finish(&t, c);
}

static void req_CC_014__sixteen_recoveries_bring_the_window_back(void **state)
{
	kept()->reo_wnd_more = 3;
	kept()->reo_wnd_persist = TCP_RACK_PERSIST;
	for (uint32_t i = 0; i < 16; i++) {
		assert_int_equal(kept()->reo_wnd_more, 3);
		fill(5);
		th_run(&t, 100 * MS);
		SACK(5 * i, 5 * i + 1, 5 * i + 4); /* no reordering was seen: lost at once */
		assert_int_equal(act()->ca, TCP_CA_RECOVERY);
		th_run(&t, 100 * MS);
		ack(5 * i + 5);
		k()->srtt_us = k()->min_rtt_us = 100000;
	}
	assert_int_equal(kept()->reo_wnd_more, 0);
	th_finish(&t, c);
}

/* §6.2 step 2: an echo older than the repetition is the first copy's; without timestamps, so is one sooner than any round trip. */
static void req_CC_014__the_first_copys_arrival_says_nothing_of_the_second(void **state)
{
	fill(10);
	th_run(&t, 100 * MS);
	SACK(0, 1, 4);
	expect_seg(0, WHY_RETRANS_RACK);
	int64_t xmit = act()->rack.xmit_ts;
	th_run(&t, 50 * MS);
	ack(4);                          /* 50 ms after the repetition */
	assert_int_equal(act()->rack.xmit_ts, xmit);
	th_finish(&t, c);

	lh_open(true, true, false);
	fill(10);
	uint32_t first = tcp_ts_now(&t.env, k()->ts_offset);
	th_run(&t, 100 * MS);
	q.tsecr = first;
	SACK(0, 1, 4);
	expect_seg(0, WHY_RETRANS_RACK);
	xmit = act()->rack.xmit_ts;
	th_run(&t, 150 * MS);
	ack(1);                          /* late, with the first echo */
	assert_int_equal(act()->rack.xmit_ts, xmit);
	th_finish(&t, c);
}

static void req_CC_015__a_lost_repetition_is_found_by_time(void **state)
{
	fill(10);
	th_run(&t, 100 * MS);
	SACK(0, 1, 4);
	expect_seg(0, WHY_RETRANS_RACK);
	uint32_t ssthresh = k()->ssthresh;
	th_run(&t, 10 * MS);
	k()->cwnd = 20 * MSS;
	queue(3);                        /* leave 10 ms after the repetition */
	th_drain(&t);
	th_run(&t, 95 * MS);
	SACK(0, 1, 10);
	th_expect_none(&t);              /* of what left before it */
	th_run(&t, 5 * MS);
	k()->cwnd = 40 * MSS;
	SACK(0, 1, 11);
	expect_seg(0, WHY_RETRANS_RACK);
	assert_true(k()->ssthresh < ssthresh); /* RFC 5681 §4.3: a second sign */
	th_finish(&t, c);
}

/* §6.2: of two that left at the same instant the one with the higher number counts as later, repetitions too. */
static void req_CC_015__a_lost_repetition_of_the_same_instant(void **state)
{
	fill(10);
	th_run(&t, 100 * MS);
	SACK(0, 3, 10);
	for (uint32_t i = 0; i < 3; i++)
		expect_seg(i, WHY_RETRANS_RACK);
	th_expect_none(&t);
	th_run(&t, 100 * MS);
	SACK(0, 2, 10);                  /* the third has come, what left before it has not */
	expect_seg(0, WHY_RETRANS_RACK);
	assert_int_equal(act()->sent.lost, MSS); /* the second waits for the window */
	th_finish(&t, c);
}

/* New data has the higher number even if it left first: of a repetition that leaves at the same instant it says nothing. */
static void req_CC_015__new_data_tells_of_what_was_repeated_before_it(void **state)
{
	for (int before = 0; before < 2; before++) {
		fill(10);
		th_run(&t, 100 * MS);
		if (before) {
			SACK(0, 1, 4);
			expect_seg(0, WHY_RETRANS_RACK);
		}
		k()->cwnd = 20 * MSS;
		queue(2);
		th_drain(&t);
		if (!before) {
			SACK(0, 1, 4);
			expect_seg(0, WHY_RETRANS_RACK);
		}
		th_run(&t, 100 * MS);
		SACK(0, 1, 12);
		if (before)
			expect_seg(0, WHY_RETRANS_RACK);
		th_expect_none(&t);
		th_finish(&t, c);
		if (!before)
			lh_open(true, false, false);
	}
}

/* Time may begin at 0, and sequence numbers anywhere. */
static void tcp_rack__nothing_is_lost_before_anything_came(void **state)
{
	fill(3);
	tcp_ranges_at(t.arena, &act()->sent)->sent_at = 0;
	act()->rack.end_seq = q.irs + 1 + 5 * MSS;
	bool again = false;
	assert_false(tcp_rack_detect(&t.env, k(), act(), t.env.now + NS_PER_S, &again));
	th_finish(&t, c);
}

static void req_CC_015__a_time_out_marks_the_first_and_what_is_overdue(void **state)
{
	t.env.no_tlp = true;
	fill(3);                         /* RTO at 300 ms */
	th_run(&t, 250 * MS);
	fill(3);
	th_run(&t, 60 * MS);             /* 0 to 2 are overdue at 300 ms, 3 to 5 left 50 ms ago */
	expect_seg(0, WHY_RETRANS_RTO);
	th_expect_none(&t);
	assert_int_equal(act()->sent.lost, 2 * MSS);
	assert_int_equal(k()->cwnd, MSS);
	th_finish(&t, c);
}

/* CC-010 with RACK: a time-out with the first segment SACKed means that the peer gave it up again. */
static void req_CC_010__after_reneging_all_goes_again(void **state)
{
	t.env.no_tlp = true;
	fill(6);
	th_run(&t, 100 * MS);
	SACK(0, 1, 3);
	ack(1);
	th_drain(&t);
	th_run(&t, 400 * MS);
	expect_seg(1, WHY_RETRANS_RTO);
	assert_int_equal(act()->sent.sacked, 0);
	ack(2);
	expect_seg(2, WHY_RETRANS_RTO);
	expect_seg(3, WHY_RETRANS_RTO);
	th_finish(&t, c);
}

/* What the driver has not taken was not lost in the network. */
static void tcp_rack__what_is_queued_below_is_not_lost(void **state)
{
	fill(2);
	th_run(&t, 10 * MS);
	t.hold = true;
	fill(2);                         /* 2 and 3 stay below */
	t.hold = false;
	act()->rack.has = true;
	act()->rack.xmit_ts = t.env.now; /* as if something later had come */
	act()->rack.end_seq = q.irs + 1 + 10 * MSS;
	bool again = false;
	act()->rack.rtt = 0;
	assert_true(tcp_rack_detect(&t.env, k(), act(), t.env.now + NS_PER_S, &again));
	assert_int_equal(act()->sent.lost, 2 * MSS);
	assert_int_equal(act()->sent.queued, 2 * MSS);
	th_finish(&t, c);
}

/* A D-SACK is believed only if something was sent twice. */
static void req_CC_012__the_networks_own_copies_widen_nothing(void **state)
{
	fill(4);
	dsack(1, 0);
	assert_int_equal(kept()->reo_wnd_more, 0);
	th_finish(&t, c);
}

static void req_CC_013__rack_and_6675_are_never_combined(void **state)
{
	kept()->reordering_seen = 1;     /* RACK would wait; three duplicates or IsLost() would not */
	fill(10);
	th_run(&t, 100 * MS);
	SACK(0, 1, 2);
	SACK(0, 1, 2, 3, 4);
	SACK(0, 1, 2, 3, 4, 5, 6);
	SACK(0, 1, 2, 3, 4, 5, 8);
	th_expect_none(&t);
	assert_int_equal(act()->ca, TCP_CA_OPEN);
	th_finish(&t, c);

	lh_open(true, false, true);      /* and the other way round: no time, no probe */
	fill(10);
	SACK(0, 1, 2);
	th_run(&t, 180 * MS);
	th_expect_none(&t);
	assert_int_equal(act()->rtx, TCP_RTX_RTO);
	th_finish(&t, c);
}

/* --- tail loss probes, §7 --- */

static void req_CC_016__probe_after_two_srtt_repeats_the_last_segment(void **state)
{
	fill(5);
	assert_int_equal(act()->rtx, TCP_RTX_PROBE);
	uint32_t cwnd = k()->cwnd;
	th_run(&t, PTO - 1);
	th_expect_none(&t);
	th_run(&t, 1 + TICK);
	expect_seg(4, WHY_RETRANS_TLP);
	th_expect_none(&t);
	assert_int_equal(k()->cwnd, cwnd);
	assert_int_equal(act()->rtx, TCP_RTX_RTO); /* one probe is out */
	/* RTO from the probe: 100 + 200 ms */
	th_run(&t, 298 * MS);
	th_expect_none(&t);
	th_run(&t, 3 * MS + TICK);
	expect_seg(0, WHY_RETRANS_RTO);
	th_finish(&t, c);
}

static void req_CC_016__new_data_is_the_better_probe(void **state)
{
	fill(5);
	k()->cwnd = 5 * MSS;
	queue(2);
	th_expect_none(&t);              /* cwnd is full */
	th_run(&t, PTO + TICK);
	expect_seg(5, WHY_DATA_TLP);     /* one, whatever cwnd says */
	th_expect_none(&t);
	assert_int_equal(k()->segs_retrans, 0);
	th_finish(&t, c);
}

static void req_CC_016__the_peers_window_holds_new_data_back(void **state)
{
	q.wnd = 5 * MSS >> 4;            /* 312 << 4 */
	ack(0);
	k()->cwnd = 20 * MSS;
	fill(4);
	queue(6);
	th_drain(&t);
	uint32_t nxt = k()->snd_nxt;
	th_run(&t, PTO + TICK);
	const struct th_seg *s = th_next(&t);
	assert_non_null(s);
	assert_int_equal(s->why, WHY_RETRANS_TLP);
	assert_int_equal(s->h.seq + s->len, nxt);
	th_finish(&t, c);
}

static void req_CC_016__one_second_without_srtt(void **state)
{
	fill(2);
	k()->srtt_us = 0;
	act()->rto_at = t.env.now + 3 * NS_PER_S;
	assert_int_equal(tcp_tlp_deadline(k(), act()), t.env.now + NS_PER_S);
	th_finish(&t, c);
}

static void req_CC_016__one_segment_waits_for_a_delayed_ack_but_not_beyond_the_rto(void **state)
{
	fill(1);
	act()->rto_at = t.env.now + 10 * NS_PER_S;
	assert_int_equal(tcp_tlp_deadline(k(), act()), t.env.now + 400 * MS);
	act()->rto_at = t.env.now + 300 * MS;
	assert_int_equal(tcp_tlp_deadline(k(), act()), t.env.now + 300 * MS);
	th_finish(&t, c);
}

static void req_CC_016__a_new_rtt_sample_lies_between_two_probes(void **state)
{
	fill(2);
	th_run(&t, PTO + TICK);
	expect_seg(1, WHY_RETRANS_TLP);
	th_run(&t, 50 * MS);
	ack(1);                          /* 0 was sent once: a sample; but the probe is still out */
	assert_int_equal(act()->rtx, TCP_RTX_RTO);
	ack(2);
	fill(2);
	assert_int_equal(act()->rtx, TCP_RTX_RTO); /* whether it was needed is not known yet */
	th_run(&t, 10 * MS);
	ack(3);
	assert_int_equal(act()->rtx, TCP_RTX_PROBE);
	th_finish(&t, c);

	lh_open(true, false, false);
	fill(1);
	th_run(&t, 310 * MS);
	expect_seg(0, WHY_RETRANS_TLP);
	ack(1);                          /* no sample: Karn */
	ack(1);                          /* both came */
	fill(2);
	assert_int_equal(act()->rtx, TCP_RTX_RTO);
	ack(2);
	assert_int_equal(act()->rtx, TCP_RTX_PROBE);
	th_finish(&t, c);
}

/* §7.2: only while nothing is SACKed, lost or being recovered. */
static void req_CC_016__no_probe_when_something_is_missing(void **state)
{
	kept()->reordering_seen = 1;
	fill(10);
	th_run(&t, 100 * MS);
	SACK(0, 1, 2);
	assert_int_equal(act()->rtx, TCP_RTX_REORDER);
	act()->rack.reo_at = 0;
	tcp_timers_rtx(&t.env, k(), false);
	assert_int_equal(act()->rtx, TCP_RTX_RTO);
	th_finish(&t, c);

	lh_open(false, false, false);    /* and never without SACK */
	fill(10);
	assert_int_equal(act()->rtx, TCP_RTX_RTO);
	th_finish(&t, c);
}

static void req_CC_016__fin_alone_is_probed(void **state)
{
	assert_int_equal(tcp_user_shutdown_wr(&t.env, c), 0);
	th_flush(&t);
	th_drain(&t);
	th_run(&t, 310 * MS);
	assert_int_equal(th_expect(&t, &q, TCP_ACK | TCP_FIN, 1, 1, 0)->why, WHY_RETRANS_TLP);
	th_finish(&t, c);
}

/* The last segment of a superframe is cut out of its range; a short one is as short as it was. */
static void req_CC_016__the_last_segment_is_the_last_as_it_was_cut(void **state)
{
	k()->cwnd = 10 * MSS;
	assert_int_equal(tcp_user_send(&t.env, c, data, 4 * MSS + 300, false), 4 * MSS + 300);
	assert_int_equal(tcp_user_shutdown_wr(&t.env, c), 0);
	th_flush(&t);
	th_drain(&t);
	th_run(&t, PTO + TICK);
	th_expect(&t, &q, TCP_ACK | TCP_FIN, 1 + 4 * MSS, 1, 300);
	th_expect_none(&t);
	th_finish(&t, c);
}

/* A tail of three is lost: the probe's SACK finds the others, long before a time-out. */
static void req_CC_016__a_lost_tail_comes_back_before_the_rto(void **state)
{
	fill(10);
	th_run(&t, 100 * MS);
	ack(7);                          /* 7, 8, 9 are lost; PTO at 100 + 2 SRTT */
	th_run(&t, PTO + TICK);
	expect_seg(9, WHY_RETRANS_TLP);
	th_run(&t, 100 * MS);
	SACK(7, 9, 10);
	expect_seg(7, WHY_RETRANS_RACK);
	th_expect_none(&t);              /* one delivered, one sent (RFC 9937) */
	assert_int_equal(act()->ca, TCP_CA_RECOVERY);
	SACK(8, 9, 10);
	expect_seg(8, WHY_RETRANS_RACK);
	th_expect_none(&t);
	ack(10);
	th_finish(&t, c);
}

/* --- §7.4.2 --- */

static void probe_last_of_two(void)
{
	fill(2);
	th_run(&t, 100 * MS);
	ack(1);
	th_run(&t, 310 * MS);
	expect_seg(1, WHY_RETRANS_TLP);
	th_run(&t, 100 * MS);
	ack(2);                          /* one copy came, or both */
	assert_int_equal(k()->ssthresh, TCP_SSTHRESH_INFINITE);
}

static void req_CC_017__a_repaired_loss_reduces_once(void **state)
{
	probe_last_of_two();
	uint32_t cwnd = k()->cwnd;
	fill(8);
	th_run(&t, 100 * MS);
	ack(6);                          /* more than the probe covered, and no word of two copies */
	assert_true(k()->ssthresh < TCP_SSTHRESH_INFINITE);
	assert_true(k()->cwnd < cwnd);
	assert_int_equal(act()->ca, TCP_CA_OPEN);
	uint32_t ssthresh = k()->ssthresh;
	ack(8);
	ack(10);
	assert_int_equal(k()->ssthresh, ssthresh);
	th_finish(&t, c);
}

static void req_CC_017__a_dsack_shows_there_was_no_loss(void **state)
{
	probe_last_of_two();
	dsack(2, 1);
	fill(8);
	th_run(&t, 100 * MS);
	ack(6);
	assert_int_equal(k()->ssthresh, TCP_SSTHRESH_INFINITE);
	assert_int_equal(kept()->reo_wnd_more, 0); /* no fault of the reordering window's */
	th_finish(&t, c);
}

static void req_CC_017__a_plain_duplicate_shows_there_was_no_loss(void **state)
{
	probe_last_of_two();
	ack(2);
	fill(8);
	th_run(&t, 100 * MS);
	ack(6);
	assert_int_equal(k()->ssthresh, TCP_SSTHRESH_INFINITE);
	th_finish(&t, c);
}

static void req_CC_017__new_data_as_probe_repairs_nothing(void **state)
{
	fill(5);
	k()->cwnd = 5 * MSS;
	queue(1);
	th_run(&t, PTO + TICK);
	expect_seg(5, WHY_DATA_TLP);
	ack(6);
	fill(2);
	ack(8);
	assert_int_equal(k()->ssthresh, TCP_SSTHRESH_INFINITE);
	th_finish(&t, c);
}

/* The connection falls silent with the question open: one RTO later it is a loss, and nothing stays behind. */
static void req_CC_017__silence_decides_as_new_data_would(void **state)
{
	probe_last_of_two();
	assert_int_equal(act()->rtx, TCP_RTX_SETTLE);
	th_run(&t, 200 * MS);
	assert_int_equal(k()->ssthresh, TCP_SSTHRESH_INFINITE);
	th_run(&t, 200 * MS);
	assert_int_equal(k()->ssthresh, 2 * MSS);
	assert_int_equal(k()->active, 0);
	th_finish(&t, c);
}

/* --- §8 --- */

static void req_CC_023__one_timer_of_four(void **state)
{
	kept()->reordering_seen = 1;
	assert_int_equal(k()->active, 0);
	fill(10);
	assert_int_equal(act()->rtx, TCP_RTX_PROBE);
	int64_t rto = act()->rto_at;
	assert_true(act()->rtx_at <= rto);
	th_run(&t, 100 * MS);
	SACK(0, 1, 3);
	assert_int_equal(act()->rtx, TCP_RTX_REORDER);
	assert_int_equal(act()->rto_at, rto); /* its period goes on */
	th_run(&t, 26 * MS + TICK);
	th_drain(&t);
	assert_int_equal(act()->ca, TCP_CA_RECOVERY);
	assert_int_equal(act()->rtx, TCP_RTX_RTO);
	ack(10);
	q.wnd = 0;
	th_send(&t, &q, TCP_ACK, 1, 1 + 10 * MSS, NULL, 0);
	queue(1);
	th_expect_none(&t);
	assert_int_equal(act()->rtx, TCP_RTX_PERSIST);
	th_finish(&t, c);
}

/* The user sets an option while a shorter timer than the time-out is armed: the time-out stays where it was. */
static void req_CC_023__an_option_leaves_the_time_out_where_it_was(void **state)
{
	fill_apart(5, 10 * MS);
	th_run(&t, 60 * MS);
	SACK(0, 1, 2);
	assert_int_equal(act()->rtx, TCP_RTX_REORDER);
	int64_t rto_at = act()->rto_at, rtx_at = act()->rtx_at;
	tcp_user_set_opts(&t.env, c, &(struct tcp_opts){.cc = (uint8_t)tcp_cc_find("reno"), .nodelay = true});
	assert_true(act()->rto_at == rto_at);
	assert_true(act()->rtx_at == rtx_at);
	th_flush(&t);
	th_run(&t, 15 * MS + TICK);
	expect_seg(0, WHY_RETRANS_RACK); /* not by a time-out */
	assert_int_equal(act()->ca, TCP_CA_RECOVERY);
	/* A user's time-out cuts both. */
	tcp_user_set_opts(&t.env, c, &(struct tcp_opts){.cc = (uint8_t)tcp_cc_find("reno"), .user_timeout_ms = 150});
	assert_true(act()->rto_at == act()->since + 150 * MS);
	th_finish(&t, c);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, lh_sack)
	const struct CMUnitTest tests[] = {
		T(req_CC_014__lost_when_a_later_one_came_and_rtt_and_window_have_passed),
		T(req_CC_014__what_came_in_time_was_only_late),
		T(req_CC_014__dup_thresh_only_while_no_reordering_was_seen),
		T(req_CC_014__no_window_in_recovery),
		T(req_CC_014__the_window_grows_once_a_round_trip_on_dsack),
		T(req_CC_014__an_old_round_holds_no_later_dsack_back),
		T(req_CC_014__the_window_is_at_most_srtt),
		T(req_CC_014__sixteen_recoveries_bring_the_window_back),
		T(req_CC_014__the_first_copys_arrival_says_nothing_of_the_second),
		T(req_CC_015__a_lost_repetition_is_found_by_time),
		T(req_CC_015__a_lost_repetition_of_the_same_instant),
		T(req_CC_015__new_data_tells_of_what_was_repeated_before_it),
		T(req_CC_015__a_time_out_marks_the_first_and_what_is_overdue),
		T(req_CC_010__after_reneging_all_goes_again),
		T(tcp_rack__nothing_is_lost_before_anything_came),
		T(tcp_rack__what_is_queued_below_is_not_lost),
		T(req_CC_012__the_networks_own_copies_widen_nothing),
		T(req_CC_013__rack_and_6675_are_never_combined),
		T(req_CC_016__probe_after_two_srtt_repeats_the_last_segment),
		T(req_CC_016__new_data_is_the_better_probe),
		T(req_CC_016__the_peers_window_holds_new_data_back),
		T(req_CC_016__one_second_without_srtt),
		T(req_CC_016__one_segment_waits_for_a_delayed_ack_but_not_beyond_the_rto),
		T(req_CC_016__a_new_rtt_sample_lies_between_two_probes),
		T(req_CC_016__no_probe_when_something_is_missing),
		T(req_CC_016__fin_alone_is_probed),
		T(req_CC_016__the_last_segment_is_the_last_as_it_was_cut),
		T(req_CC_016__a_lost_tail_comes_back_before_the_rto),
		T(req_CC_017__a_repaired_loss_reduces_once),
		T(req_CC_017__a_dsack_shows_there_was_no_loss),
		T(req_CC_017__a_plain_duplicate_shows_there_was_no_loss),
		T(req_CC_017__new_data_as_probe_repairs_nothing),
		T(req_CC_017__silence_decides_as_new_data_would),
		T(req_CC_023__one_timer_of_four),
		T(req_CC_023__an_option_leaves_the_time_out_where_it_was),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
