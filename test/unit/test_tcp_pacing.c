/* Pacing on virtual time: the rate that leaves, the size of bursts, who is paced, and that nobody loses rate to the wheel. */
#include "test/unit/tcp_harness.h"

#include "tcp/pacing.h"

#define MSS 1000u
#define MS NS_PER_MS

static struct th t;
static struct peer q;
static ref_t c;
static uint8_t data[200000];
static uint64_t n_held; /* HELD_PACING events */

static void emit(void *ctx, const struct trace_event *e)
{
	n_held += e->kind == TRACE_TCP_HELD && e->reason == HELD_PACING;
}
static const struct trace trace = {emit, NULL};

static void open_with(bool paces, uint64_t pacing_max)
{
	th_init(&t, TH_A, TH_B, NULL, 1);
	t.env.paces = paces;
	t.env.trace = &trace;
	n_held = 0;
	q = (struct peer){.iss = 5000, .wnd = 65535};
	c = th_connect(&t, &q, &(struct tcp_hdr){.has_mss = true, .mss = MSS, .has_ws = true, .ws = 10, .sack_permitted = true},
		       &(struct tcp_opts){.pacing_max = pacing_max, .sndbuf = 4u << 20});
	th_send(&t, &q, TCP_ACK, 1, 1, NULL, 0); /* 64 MB of window */
}
static struct tcp_active *act(void) { return tcp_active_of(&t.env, th_conn(&t, c)); }

/* What leaves within dur, while a peer acknowledges each segment rtt after it left. At most 4096 are on the way. */
struct gone {
	uint64_t bytes;
	uint32_t burst; /* most bytes at one instant, after the first ten segments */
};
static struct {
	int64_t at;
	uint32_t ack;
} way[4096];
static uint32_t way_in, way_out;
static int64_t last;       /* when something left, and how much at that instant */
static uint32_t now_bytes;

static void look(struct gone *g, int64_t rtt)
{
	const struct th_seg *s;
	while ((s = th_next(&t))) {
		uint32_t end = s->h.seq + s->len - q.irs;
		if (!s->len)
			continue;
		assert_true(way_in - way_out < ARRAY_LEN(way));
		way[way_in % ARRAY_LEN(way)].at = s->at + rtt;
		way[way_in++ % ARRAY_LEN(way)].ack = end;
		g->bytes += s->len;
		if (end <= TCP_PACING_FREE * MSS + 1)
			continue;
		now_bytes = s->at == last ? now_bytes + s->len : s->len;
		last = s->at;
		g->burst = MAX(g->burst, now_bytes);
	}
	th_drain(&t);
}

static struct gone flow(int64_t dur, int64_t rtt, bool acks)
{
	struct gone g = {0};
	int64_t end = t.env.now + dur;
	while (t.env.now < end) {
		while (tcp_user_send(&t.env, c, data, sizeof(data), false) > 0)
			;
		th_flush(&t);
		look(&g, rtt);
		int64_t next = MIN(end, t.env.now + MS / 2);
		if (acks && way_out != way_in)
			next = MIN(next, MAX(way[way_out % ARRAY_LEN(way)].at, t.env.now));
		th_run(&t, next - t.env.now);
		look(&g, rtt);
		while (acks && way_out != way_in && way[way_out % ARRAY_LEN(way)].at <= t.env.now) {
			th_send(&t, &q, TCP_ACK, 1, way[way_out++ % ARRAY_LEN(way)].ack, NULL, 0);
			look(&g, rtt);
		}
	}
	return g;
}
static void finish(void)
{
	way_in = way_out = now_bytes = 0;
	th_finish(&t, c);
}

/* SO_MAX_PACING_RATE is the rate that leaves, to 1 %, from 10 kB/s to 100 MB/s, although the wheel's tick is 1.05 ms. */
static void pacing__max_rate_is_kept_and_reached(void **state)
{
	static const uint64_t rate[] = {10000, 250000, 1000000, 12500000, 100000000};
	for (unsigned i = 0; i < ARRAY_LEN(rate); i++) {
		open_with(false, rate[i]);
		flow(2 * NS_PER_S, 10 * MS, true); /* slow start is over */
		int64_t secs = rate[i] > 20000000 ? 1 : 10;
		struct gone g = flow(secs * NS_PER_S, 10 * MS, true);
		uint64_t want = rate[i] * (uint64_t)secs;
		if (g.bytes > want + want / 100 + 2 * MSS || g.bytes < want - want / 100 - 2 * MSS)
			fail_msg("rate %llu: %llu bytes in %lld s", (unsigned long long)rate[i], (unsigned long long)g.bytes, (long long)secs);
		/* a burst is max(2 MSS, 1 ms), and what a late tick owes */
		assert_true(g.burst <= 2 * MSS + 4 * rate[i] / 1000);
		assert_true(n_held > 0);
		finish();
	}
}

/* The user lifts a limit of a few segments a second: what waits goes at the new rate, not when the old one would have let it. */
static void pacing__a_lifted_limit_counts_at_once(void **state)
{
	static const uint64_t now[] = {0, 1000000, 2000};
	for (unsigned i = 0; i < ARRAY_LEN(now); i++)
		for (unsigned bbr = 0; bbr < 2; bbr++) {
			struct tcp_opts o = {.pacing_max = 100, .sndbuf = 4u << 20, .cc = (uint8_t)(bbr ? tcp_cc_find("bbr") : 0)};
			open_with(false, 100);
			tcp_user_set_opts(&t.env, c, &o);
			th_conn(&t, c)->srtt_us = 50000;
			th_conn(&t, c)->cwnd = 40 * MSS;
			assert_int_equal(tcp_user_send(&t.env, c, data, 30 * MSS, false), 30 * MSS);
			th_run(&t, 100 * MS);
			int before = t.n_out;
			assert_in_range(before, 10, 14);
			o.pacing_max = now[i];
			tcp_user_set_opts(&t.env, c, &o);
			th_run(&t, 50 * MS);
			if (now[i] != 2000)
				assert_true(t.n_out >= 30);
			else
				assert_in_range(t.n_out, before, before + 2);
			finish();
		}
}

/* Half of one window's time in slow start (2 cwnd/SRTT), 1/1.2 of it later; without the setting all at once. */
static void pacing__spreads_the_window(void **state)
{
	for (int paced = 0; paced < 2; paced++) {
		open_with(paced, 0);
		struct tcp_conn *k = th_conn(&t, c);
		k->srtt_us = 100000; /* as the handshake would have told */
		k->cwnd = 100 * MSS;
		k->ssthresh = 100 * MSS; /* avoidance: 1.2 cwnd/SRTT = 1.2 MB/s */
		struct gone g = flow(20 * MS, 100 * MS, false);
		if (!paced) {
			assert_int_equal(g.bytes, 100 * MSS);
			assert_int_equal(n_held, 0);
			finish();
			continue;
		}
		/* ten free, then 20 ms of 1.2 MB/s, with a credit of 2.1 ms and a burst of 2 */
		assert_in_range(g.bytes, 10 * MSS + 22 * MSS, 10 * MSS + 29 * MSS);
		assert_true(g.burst <= 5 * MSS);
		assert_int_equal(act()->pacing_rate, 1200000);
		struct gone h = flow(70 * MS, 100 * MS, false);
		assert_int_equal(g.bytes + h.bytes, 100 * MSS);
		k->ssthresh = 4 * k->cwnd;
		tcp_pacing_update(&t.env, k, act(), 0);
		assert_int_equal(act()->pacing_rate, 2000000);
		finish();
	}
}

/* Silence earns no more than the credit of two ticks. */
static void pacing__idle_gives_no_burst(void **state)
{
	open_with(false, 1000000);
	flow(NS_PER_S, 10 * MS, true);
	while (tcp_user_outq(&t.env, c)) { /* run dry */
		struct gone g = {0};
		th_run(&t, MS);
		look(&g, 0);
		while (way_out != way_in)
			th_send(&t, &q, TCP_ACK, 1, way[way_out++ % ARRAY_LEN(way)].ack, NULL, 0);
	}
	assert_int_equal(th_conn(&t, c)->active, 0);
	th_run(&t, 100 * MS);
	struct gone g = flow(50 * MS, 10 * MS, true);
	assert_in_range(g.bytes, 48 * MSS, 50 * MSS + 7 * MSS);
	assert_true(g.burst <= 6 * MSS);
	finish();
}

/* What is sent again is paced, too, and a connection that ends while it waits leaves nothing behind. */
static void pacing__retransmissions_and_the_end(void **state)
{
	open_with(false, 1000000);
	th_conn(&t, c)->cwnd = 60 * MSS;
	struct gone g = flow(30 * MS, 0, false); /* ten free, then 1 ms a segment */
	assert_in_range(g.bytes, 38 * MSS, 45 * MSS);
	struct tcp_hdr h = th_hdr(&q, TCP_ACK, 1, 1);
	h.n_sack = 1;
	h.sack[0] = (struct iv){q.irs + 1 + 20 * MSS, q.irs + 1 + (uint32_t)g.bytes};
	th_inject(&t, &h, NULL, 0); /* the first twenty are lost, and the window would let them all go */
	g = flow(10 * MS, 0, false);
	assert_in_range(th_conn(&t, c)->segs_retrans, 8, 15);
	assert_in_range(g.bytes, 8 * MSS, 15 * MSS);
	assert_true(act()->pacing_waits);
	finish();
}

/* Held by the rate with nothing in flight is no window to be probed. */
static void pacing__no_probe_while_it_waits(void **state)
{
	open_with(false, 1000);
	t.env.no_tlp = true; /* the handshake took no time: a loss probe would come within a round trip */
	struct gone g = flow(NS_PER_S, 10 * MS, true);
	assert_int_equal(g.bytes, 12 * MSS); /* ten, and the first burst after them, which is paid for in the next 2 s */
	assert_true(act()->pacing_waits);
	assert_int_equal(act()->rtx, TCP_RTX_NONE);
	g = flow(8 * NS_PER_S, 10 * MS, true);
	assert_in_range(g.bytes, 6 * MSS, 10 * MSS);
	finish();
}

#define T(f) cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(pacing__max_rate_is_kept_and_reached), T(pacing__a_lifted_limit_counts_at_once),
		T(pacing__spreads_the_window), T(pacing__idle_gives_no_burst),
		T(pacing__retransmissions_and_the_end), T(pacing__no_probe_while_it_waits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
