/* Delivery rate samples on ranges: what a path of known rate must show, whatever the ACKs do. */
#include "test/unit/tcp_harness.h"

#include "tcp/ranges.h"

#define MSS 1000u
#define MS NS_PER_MS

static struct arena *a;
static struct tcp_ranges s;
static uint32_t nxt, una;
static int64_t now;
static struct tcp_rate_sample rs;

static int setup(void **state)
{
	a = region_new(1 << 20);
	tcp_ranges_init(&s);
	nxt = una = 0xfffff000u;
	now = 77 * NS_PER_S;
	return 0;
}
static int teardown(void **state)
{
	tcp_ranges_free(a, &s);
	region_free(a);
	return 0;
}

static uint32_t pipe_now(void) { return nxt - una - s.sacked - s.lost; }
static void sent(uint32_t len)
{
	uint32_t pipe = pipe_now();
	tcp_ranges_push(a, &s, nxt, nxt + len, 0, now);
	tcp_ranges_note(a, &s, (uint16_t)(s.n - 1), now, pipe);
	nxt += len;
}
static void acked(uint32_t len, uint32_t min_rtt_us)
{
	tcp_rate_begin(&s.rate, now);
	una += len;
	tcp_ranges_cut_below(a, &s, una);
	tcp_rate_end(&s.rate, min_rtt_us, &rs);
}

/* A burst over a bottleneck of 1 MB/s, then one segment for each that is acknowledged: from the third round trip on every sample says
 * 1 MB/s; before, what was sent at once is counted from when it was sent. */
static void rate__of_a_bottleneck(void **state)
{
	int64_t start = now;
	for (int i = 0; i < 40; i++)
		sent(MSS);
	for (int i = 0; i < 400; i++) {
		now = start + 20 * MS + i * MS; /* 20 ms path, 1 ms a segment */
		acked(MSS, 20000);
		assert_int_equal(rs.newly_acked, MSS);
		if (i < 40)
			assert_int_equal(rs.rate, (uint64_t)(i + 1) * MSS * 1000 / (uint64_t)(20 + i));
		else if (i < 80) /* sent over i - 20 ms since the burst, acknowledged over 40 */
			assert_int_equal(rs.rate, (uint64_t)40 * MSS * 1000 / (uint64_t)MAX(40, i - 20));
		else
			assert_int_equal(rs.rate, 1000000);
		if (i >= 40) {
			assert_int_equal(rs.rtt_us, 40000);
			assert_int_equal(rs.tx_in_flight, 40 * MSS);
			assert_int_equal(rs.delivered, 40 * MSS);
		}
		sent(MSS);
	}
}

/* The sender spaces its segments at 1 MB/s; ACKs come in heaps, at random. No sample says more. */
static void rate__no_more_than_was_sent(void **state)
{
	struct rng r;
	rng_seed(&r, 5);
	uint64_t most = 0, n = 0;
	int64_t next = 0;
	for (int i = 0; i < 20000; i++) {
		now += MS;
		sent(MSS);
		if (i >= next && nxt - una > 30 * MSS) { /* a heap: all but the last thirty */
			acked(nxt - una - 30 * MSS, 30000);
			most = MAX(most, rs.rate);
			n += rs.rate != 0;
			next = i + (int64_t)rng_below(&r, 60);
		}
	}
	assert_true(n > 300);
	assert_in_range(most, 950000, 1040000); /* one segment in thirty may be counted at both ends */
}

/* Cumulatively or by SACK, each byte is delivered once; the newest range gives the sample. */
static void rate__sack_counts_once(void **state)
{
	for (int i = 0; i < 10; i++, now += MS)
		sent(MSS);
	now += 20 * MS;
	tcp_rate_begin(&s.rate, now);
	assert_int_equal(tcp_ranges_sack(a, &s, una + 4 * MSS, una + 7 * MSS), 3 * MSS);
	tcp_rate_end(&s.rate, 0, &rs);
	assert_int_equal(rs.newly_acked, 3 * MSS);
	assert_int_equal(rs.rtt_us, 24000); /* of the seventh */
	assert_int_equal(rs.tx_in_flight, 7 * MSS);
	now += MS;
	acked(8 * MSS, 0);
	assert_int_equal(rs.newly_acked, 5 * MSS);
	assert_int_equal(s.rate.delivered, 8 * MSS);
	assert_int_equal(rs.rtt_us, 24000); /* of the eighth */
	acked(0, 0);
	assert_false(rs.has);
	assert_int_equal(rs.rate, 0);
}

/* Part of a superframe: its own bytes only, the note of the whole. */
static void rate__part_of_a_range(void **state)
{
	sent(40 * MSS);
	now += 10 * MS;
	acked(4 * MSS, 10000);
	assert_int_equal(rs.newly_acked, 4 * MSS);
	assert_int_equal(rs.rate, 4 * MSS * 100);
	now += 10 * MS;
	acked(36 * MSS, 10000);
	assert_int_equal(rs.delivered, 40 * MSS);
	assert_int_equal(rs.interval_us, 20000);
}

static void rate__shorter_than_a_round_trip_is_no_sample(void **state)
{
	sent(MSS);
	now += 10 * MS;
	acked(MSS, 10001);
	assert_true(rs.has);
	assert_int_equal(rs.rate, 0);
}

static void rate__what_is_lost(void **state)
{
	for (int i = 0; i < 10; i++, now += MS)
		sent(MSS);
	now += 20 * MS;
	tcp_ranges_mark(a, &s, 2, TCP_RANGE_LOST, 0); /* by a timer, before the ACK */
	tcp_rate_begin(&s.rate, now);
	tcp_ranges_sack(a, &s, una + 5 * MSS, una + 6 * MSS);
	tcp_ranges_mark(a, &s, 3, TCP_RANGE_LOST, 0);
	tcp_ranges_mark(a, &s, 3, TCP_RANGE_LOST, 0); /* known already */
	tcp_rate_end(&s.rate, 0, &rs);
	assert_int_equal(rs.newly_lost, 2 * MSS);
	assert_int_equal(rs.n_lost, 2);
	assert_int_equal(rs.lost, 2 * MSS);          /* since the sixth left nothing had been */
	assert_int_equal(rs.worst_lost, 2 * MSS);    /* the fourth: two of four */
	assert_int_equal(rs.worst_in_flight, 4 * MSS);
	tcp_ranges_mark(a, &s, 2, TCP_RANGE_EVER, TCP_RANGE_LOST);
	tcp_ranges_note(a, &s, 2, now, pipe_now() - MSS);
	now += 25 * MS;
	acked(3 * MSS, 0);
	assert_int_equal(rs.newly_lost, 0);
	assert_int_equal(rs.rtt_us, 0); /* sent twice */
	assert_int_equal(rs.lost, 0);   /* since it left again */
}

/* The sender ran dry: samples of what was in flight with it, and of what left then, tell only a lower bound. */
static void rate__app_limited(void **state)
{
	sent(MSS);
	sent(MSS);
	tcp_rate_app_limited(&s.rate, 2 * MSS);
	now += 5 * MS;
	sent(MSS);
	now += 5 * MS;
	acked(2 * MSS, 0);
	assert_false(rs.is_app_limited); /* left before */
	sent(MSS);
	now += 5 * MS;
	acked(MSS, 0);
	assert_true(rs.is_app_limited);
	sent(MSS); /* more has been delivered than was in flight: the bubble is through */
	now += 10 * MS;
	acked(MSS, 0);
	assert_true(rs.is_app_limited);
	acked(MSS, 0);
	assert_false(rs.is_app_limited);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(rate__of_a_bottleneck), T(rate__no_more_than_was_sent), T(rate__sack_counts_once), T(rate__part_of_a_range),
		T(rate__shorter_than_a_round_trip_is_no_sample), T(rate__what_is_lost), T(rate__app_limited),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
