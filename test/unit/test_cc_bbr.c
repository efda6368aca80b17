/* BBR alone over a model of a bottleneck: one queue of B bytes drained at R bytes/s, a path of T, loss at random; segment by segment,
 * paced to the nanosecond. What is expected comes from the draft (draft-ietf-ccwg-bbr) and from the model's own R, T and B. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "tcp/bbr.h"

#define MSS 1448u
#define MS NS_PER_MS
#define RING 65536u

struct packet {
	struct tcp_rate_note note;
	int64_t sent_at, ack_at; /* 0: lost on the way */
	bool app_limited;
};

struct flow {
	uint64_t scratch[TCP_CC_WORDS];
	struct tcp_cc_out o;
	struct tcp_rate rate;
	struct tcp_rate_sample rs;
	struct packet *p;       /* ring; a lost packet's bytes go again as a new one */
	uint64_t head, tail, lost_below; /* head: the next to be acknowledged or to be found missing */
	uint32_t in_flight, srtt_us;
	int64_t next_send, starts;
	bool in_recovery, is_limited;
	uint64_t recover, delivered, dropped;
	int64_t time_in[BBR_PROBE_RTT + 1];
	uint32_t visits[BBR_PROBE_RTT + 1];
	uint8_t last_state;
	int64_t last_at;
};

struct net {
	int64_t now, link_free;
	double rate;            /* R, bytes/s */
	int64_t delay;          /* T */
	double buffer;          /* B, bytes */
	double loss;
	double queue_sum, queue_n; /* seen by what arrives in CRUISE */
	uint64_t sum_queue_n;
	struct rng rng;
	struct prf_stream random;
	struct flow f[2];
	int n;
};

static struct net net;

static const struct bbr *bbr(const struct flow *f) { return (const struct bbr *)(const void *)f->scratch; }

static void call(struct flow *f, enum tcp_cc_event e)
{
	struct tcp_cc_sample s = {.event = e, .now = net.now, .mss = MSS, .acked = f->rs.newly_acked, .flight = f->in_flight,
				  .pipe = f->in_flight, .srtt_us = f->srtt_us, .rtt_us = f->rs.rtt_us,
				  .is_limited = f->is_limited, .in_recovery = f->in_recovery,
				  .is_app_limited = f->rate.is_app_limited, .c_delivered = f->rate.delivered, .rs = &f->rs,
				  .random = &net.random};
	f->o.pacing = 0;
	f->o.app_limited = false;
	tcp_cc_bbr.on(f->scratch, &s, &f->o);
	if (f->o.app_limited)
		tcp_rate_app_limited(&f->rate, f->in_flight);
	assert_in_range(f->o.cwnd, MSS, TCP_CWND_MAX);
	assert_true(f->o.pacing > 0);
	uint8_t st = bbr(f)->state;
	f->time_in[f->last_state] += net.now - f->last_at;
	f->visits[st] += st != f->last_state;
	f->last_state = st;
	f->last_at = net.now;
}

static double queue_bytes(void)
{
	return net.link_free > net.now ? (double)(net.link_free - net.now) * 1e-9 * net.rate : 0;
}

static void send_one(struct flow *f)
{
	assert_true(f->tail - f->head < RING);
	struct packet *p = &f->p[f->tail++ % RING];
	*p = (struct packet){.sent_at = net.now, .app_limited = f->rate.is_app_limited};
	tcp_rate_sent(&f->rate, &p->note, net.now, f->in_flight, MSS, f->in_flight == 0);
	f->in_flight += MSS;
	if (bbr(f)->state == BBR_CRUISE) {
		net.queue_sum += queue_bytes();
		net.queue_n++;
	}
	f->next_send = MAX(f->next_send, net.now) + (int64_t)((double)MSS * 1e9 / (double)f->o.pacing);
	if (queue_bytes() + MSS > net.buffer) {
		f->dropped++;
		return;
	}
	net.link_free = MAX(net.link_free, net.now) + (int64_t)(MSS * 1e9 / net.rate);
	if ((double)rng_below(&net.rng, 1000000) >= net.loss * 1e6)
		p->ack_at = net.link_free + net.delay;
	else
		f->dropped++;
}

/* Packets before i that did not arrive are lost: what left three later has come. */
static void find_lost(struct flow *f, uint64_t i)
{
	bool any = false;
	for (; f->lost_below + 3 <= i; f->lost_below++) {
		struct packet *p = &f->p[f->lost_below % RING];
		if (p->ack_at)
			continue;
		tcp_rate_lost(&f->rate, &p->note, MSS);
		f->in_flight -= MSS;
		any = true;
	}
	if (any && !f->in_recovery) {
		f->in_recovery = true;
		f->recover = f->tail;
		call(f, TCP_CC_LOSS);
	}
}

static void ack_one(struct flow *f)
{
	struct packet *p = &f->p[f->head % RING];
	tcp_rate_begin(&f->rate, net.now);
	uint32_t rtt = (uint32_t)((net.now - p->sent_at) / 1000);
	f->srtt_us = f->srtt_us ? (7 * f->srtt_us + rtt) / 8 : rtt;
	tcp_rate_delivered(&f->rate, &p->note, MSS, (uint32_t)(f->head + 1) * MSS, p->sent_at, true, p->app_limited);
	f->in_flight -= MSS;
	f->delivered += MSS;
	find_lost(f, f->head);
	if (f->in_recovery && f->head >= f->recover)
		f->in_recovery = false;
	f->head++;
	tcp_rate_end(&f->rate, 0, &f->rs);
	call(f, TCP_CC_SAMPLE);
	assert_true(f->o.cwnd >= BBR_MIN_PIPE_CWND * MSS || f->in_recovery);
}

/* When f acts next, and whether it sends. */
static int64_t next_of(struct flow *f, bool *sends)
{
	while (f->head < f->tail && !f->p[f->head % RING].ack_at)
		f->head++;
	int64_t ack = f->head < f->tail ? f->p[f->head % RING].ack_at : INT64_MAX, send = INT64_MAX;
	if (f->in_flight + MSS <= f->o.cwnd)
		send = MAX(MAX(f->next_send, net.now), f->starts);
	else
		f->is_limited = true;
	if (ack == INT64_MAX && send == INT64_MAX) { /* all lost: the time-out */
		f->in_flight = 0;
		f->lost_below = f->tail;
		call(f, TCP_CC_RTO);
		send = net.now + 200 * MS;
	}
	*sends = send < ack;
	return MIN(send, ack);
}

static void run(int64_t dur)
{
	int64_t end = net.now + dur;
	for (;;) {
		struct flow *who = NULL;
		bool sends = false;
		int64_t at = end;
		for (int i = 0; i < net.n; i++) {
			bool s;
			int64_t t = next_of(&net.f[i], &s);
			if (t < at) {
				at = t;
				who = &net.f[i];
				sends = s;
			}
		}
		net.now = MAX(net.now, at);
		if (!who)
			return;
		if (!sends) {
			ack_one(who);
			who->is_limited = false;
			continue;
		}
		if (!who->in_flight)
			call(who, TCP_CC_BEGIN);
		send_one(who);
	}
}

static void begin(double rate, int64_t delay, double buffer_bdp, double loss, int n)
{
	net = (struct net){.now = 5 * NS_PER_S, .rate = rate, .delay = delay, .loss = loss, .n = n};
	net.buffer = MAX(rate * (double)delay * 1e-9 * buffer_bdp, 3.0 * MSS);
	rng_seed(&net.rng, 4711);
	for (int i = 0; i < n; i++) {
		net.f[i].p = calloc(RING, sizeof(struct packet));
		net.f[i].o = (struct tcp_cc_out){.cwnd = tcp_cc_initial_window(MSS), .ssthresh = TCP_SSTHRESH_INFINITE};
		net.f[i].srtt_us = (uint32_t)(delay / 1000);
		net.f[i].last_at = net.now;
	}
}
static void end(void)
{
	for (int i = 0; i < net.n; i++)
		free(net.f[i].p);
}

/* Delivered in `dur`, as part of what the bottleneck carries. */
static double share(int i, int64_t dur)
{
	uint64_t before = net.f[i].delivered;
	run(dur);
	return (double)(net.f[i].delivered - before) / (net.rate * (double)dur * 1e-9);
}

static const struct path {
	double rate;
	int64_t delay;
} paths[] = {{1.25e6, 20 * MS}, {1.25e6, 100 * MS}, {12.5e6, MS}, {12.5e6, 20 * MS}, {12.5e6, 100 * MS}, {12.5e6, 300 * MS}};

static void bbr__fills_a_deep_pipe_and_leaves_no_queue(void **state)
{
	for (unsigned i = 0; i < ARRAY_LEN(paths); i++) {
		begin(paths[i].rate, paths[i].delay, paths[i].delay > 3 * MS ? 4 : 16, 0, 1);
		double bdp = paths[i].rate * (double)paths[i].delay * 1e-9;
		int rounds = 0; /* Startup more than doubles: log2 of BDP over the initial window, three to see the end, each thrice T
		 * while the queue stands, and two to drain */
		for (double w = 10 * MSS; w < bdp; w *= 2)
			rounds++;
		run((rounds + 12) * MAX(paths[i].delay, 5 * MS));
		struct flow *f = &net.f[0];
		assert_true(bbr(f)->full_bw_reached);
		assert_true(bbr_max_bw(bbr(f)) >= 0.95 * net.rate && bbr_max_bw(bbr(f)) <= 1.03 * net.rate);
		assert_in_range(bbr(f)->min_rtt_us, paths[i].delay / 1000, paths[i].delay / 1000 * 11 / 10 + 1200);
		net.queue_sum = net.queue_n = 0;
		double s = share(0, 20 * NS_PER_S);
		double q = net.queue_n > 0 ? net.queue_sum / net.queue_n : 0;
		if (s < 0.97 || s > 1.001)
			fail_msg("R %.0f T %d ms: %.3f of the rate", net.rate, (int)(paths[i].delay / MS), s);
		/* on a path shorter than three bursts of 1 ms these are the target (BBRQuantizationBudget()) */
		double most = paths[i].delay > 3 * MS ? 0.25 * bdp : 3 * net.rate / 1000;
		if (q > most || net.queue_n < 100)
			fail_msg("R %.0f T %d ms: %.2f BDP queued while cruising", net.rate, (int)(paths[i].delay / MS), q / bdp);
		assert_int_equal(f->dropped, 0);
		assert_int_equal(bbr(f)->inflight_hi, 0); /* never a loss, never a bound */
		assert_in_range(f->visits[BBR_UP], 4, 800);
		end();
	}
}

/* 0.85 (1 - p) R up to 5 % loss at random. */
static void bbr__random_loss(void **state)
{
	static const double loss[] = {0.001, 0.01, 0.02, 0.05};
	for (unsigned i = 0; i < ARRAY_LEN(paths); i++)
		for (unsigned k = 0; k < ARRAY_LEN(loss); k++) {
			begin(paths[i].rate, paths[i].delay, 1.5, loss[k], 1);
			run(5 * NS_PER_S);
			double s = share(0, 30 * NS_PER_S);
			if (s < 0.85 * (1 - loss[k]))
				fail_msg("R %.0f T %d ms p %.3f: %.3f of the rate", net.rate, (int)(paths[i].delay / MS), loss[k], s);
			end();
		}
}

/* A tenth of a BDP of buffer: BBR's own loss stays near the threshold of 2 %. */
static void bbr__shallow_buffer(void **state)
{
	for (unsigned i = 0; i < ARRAY_LEN(paths); i++) {
		begin(paths[i].rate, paths[i].delay, 0.1, 0, 1);
		run(5 * NS_PER_S);
		uint64_t dropped = net.f[0].dropped, delivered = net.f[0].delivered;
		double s = share(0, 30 * NS_PER_S);
		double lost = (double)(net.f[0].dropped - dropped) * MSS / (double)(net.f[0].delivered - delivered);
		/* three segments may go at once before loss is high: much of a flight of 8 */
		if (s < 0.8 || lost > (paths[i].delay > 3 * MS ? 0.04 : 0.08))
			fail_msg("R %.0f T %d ms: %.3f of the rate, %.4f lost", net.rate, (int)(paths[i].delay / MS), s, lost);
		end();
	}
}

/* The path becomes longer for good: ProbeRTT finds out within 10 s, and the pipe is full again. */
static void bbr__probe_rtt_learns_a_longer_path(void **state)
{
	begin(12.5e6, 20 * MS, 4, 0, 1);
	run(8 * NS_PER_S);
	assert_int_equal(net.f[0].visits[BBR_PROBE_RTT], 0); /* the minimum was seen all the time */
	net.delay = 60 * MS;
	run(11 * NS_PER_S);
	assert_in_range(net.f[0].visits[BBR_PROBE_RTT], 1, 3);
	int64_t stay = net.f[0].time_in[BBR_PROBE_RTT] / net.f[0].visits[BBR_PROBE_RTT];
	assert_in_range(stay, 200 * MS, 500 * MS);
	run(5 * NS_PER_S);
	assert_in_range(bbr(&net.f[0])->min_rtt_us, 60000, 64000);
	double s = share(0, 20 * NS_PER_S);
	assert_true(s > 0.95);
	end();
}

/* In ProbeRTT at most half a BDP is in flight, or four segments. */
static void bbr__probe_rtt_halves_flight(void **state)
{
	begin(12.5e6, 40 * MS, 4, 0, 1);
	run(3 * NS_PER_S);
	net.delay = 60 * MS;
	double bdp = 12.5e6 * 0.04;
	uint32_t least = UINT32_MAX;
	for (int i = 0; i < 10000; i++) {
		run(MS);
		if (net.f[0].last_state == BBR_PROBE_RTT)
			least = MIN(least, net.f[0].in_flight);
	}
	assert_true(least <= 0.55 * bdp && least >= 0.4 * bdp);
	end();
}

static void bbr__bandwidth_halves_and_doubles(void **state)
{
	begin(12.5e6, 30 * MS, 2, 0, 1);
	run(6 * NS_PER_S);
	net.rate = 6.25e6;
	run(8 * NS_PER_S); /* the filter holds two cycles of 2 to 3 s */
	assert_true(bbr_max_bw(bbr(&net.f[0])) < 1.05 * 6.25e6);
	assert_true(share(0, 10 * NS_PER_S) > 0.93);
	net.rate = 12.5e6;
	run(12 * NS_PER_S); /* a quarter more a cycle, or three in one UP */
	assert_true(share(0, 10 * NS_PER_S) > 0.93);
	end();
}

static void bbr__two_flows_share(void **state)
{
	static const int64_t delay[] = {20 * MS, 100 * MS};
	for (unsigned i = 0; i < ARRAY_LEN(delay); i++) {
		begin(12.5e6, delay[i], 1.5, 0, 2);
		net.f[1].starts = net.now + 10 * NS_PER_S;
		run(40 * NS_PER_S);
		uint64_t other = net.f[1].delivered;
		double a = share(0, 40 * NS_PER_S), b = (double)(net.f[1].delivered - other) / (net.rate * 40);
		if (a + b < 0.95 || a < 0.25 || b < 0.25)
			fail_msg("T %d ms: %.3f and %.3f", (int)(delay[i] / MS), a, b);
		assert_true(net.f[0].visits[BBR_PROBE_RTT] + net.f[1].visits[BBR_PROBE_RTT] > 0);
		end();
	}
}

/* cycle by cycle: DOWN, CRUISE, REFILL, UP; between two UPs 2 to 3 s, or as many rounds as a Reno flow would wait. */
static void bbr__cycle_of_probe_bw(void **state)
{
	begin(12.5e6, 100 * MS, 4, 0, 1);
	run(5 * NS_PER_S);
	uint32_t ups = net.f[0].visits[BBR_UP];
	int64_t last_up = 0, gap_min = INT64_MAX, gap_max = 0;
	uint8_t st = net.f[0].last_state;
	for (int i = 0; i < 40000; i++) {
		run(MS);
		uint8_t now = net.f[0].last_state;
		if (now == st)
			continue;
		if (st == BBR_REFILL)
			assert_int_equal(now, BBR_UP);
		if (st == BBR_UP)
			assert_int_equal(now, BBR_DOWN);
		if (now == BBR_UP) {
			if (last_up) {
				gap_min = MIN(gap_min, net.now - last_up);
				gap_max = MAX(gap_max, net.now - last_up);
			}
			last_up = net.now;
		}
		st = now;
	}
	assert_true(net.f[0].visits[BBR_UP] - ups >= 10);
	assert_in_range(gap_min, 2 * NS_PER_S, 3 * NS_PER_S);
	assert_in_range(gap_max, gap_min + 50 * MS, 4 * NS_PER_S); /* it is drawn */
	end();
}

/* What a mark or a loss of 30 % teaches in CRUISE: at most beta of the window, not below what was delivered. */
static void req_CC_020__bbr_answers_marks_and_heavy_loss(void **state)
{
	begin(12.5e6, 50 * MS, 2, 0, 1);
	run(5 * NS_PER_S);
	struct flow *f = &net.f[0];
	while (f->last_state != BBR_CRUISE)
		run(MS);
	uint32_t cwnd = f->o.cwnd;
	call(f, TCP_CC_ECN);
	run(120 * MS);
	assert_true(bbr(f)->inflight_lo > 0 || f->last_state == BBR_REFILL);
	assert_true(f->o.cwnd < cwnd);
	while (f->last_state != BBR_CRUISE || bbr(f)->inflight_lo)
		run(MS);
	net.loss = 0.3;
	uint64_t bw = bbr_bw(bbr(f));
	run(300 * MS); /* six round trips: the next probe for bandwidth is still to come */
	assert_int_equal(f->last_state, BBR_CRUISE);
	assert_true(bbr_bw(bbr(f)) < bw * 9 / 10);
	end();
}

/* A mark while more is asked for: the probe ends, and what is in flight is the bound. */
static void req_CC_020__bbr_mark_ends_a_probe(void **state)
{
	begin(12.5e6, 50 * MS, 2, 0, 1);
	run(5 * NS_PER_S);
	struct flow *f = &net.f[0];
	while (f->last_state != BBR_UP)
		run(MS);
	assert_int_equal(bbr(f)->inflight_hi, 0);
	call(f, TCP_CC_ECN);
	assert_int_equal(bbr(f)->state, BBR_DOWN);
	assert_in_range(bbr(f)->inflight_hi, 0.7 * 12.5e6 * 0.05 - MSS, 1.3 * 12.5e6 * 0.05);
	end();
}

/* Whatever the rate of loss: the loss that begins a recovery lowers the window to what is in flight; the ACKs, and the end of recovery,
 * give it back. */
static void req_CC_020__bbr_answers_a_single_loss(void **state)
{
	begin(12.5e6, 50 * MS, 2, 0, 1);
	run(5 * NS_PER_S);
	struct flow *f = &net.f[0];
	while (f->last_state != BBR_CRUISE)
		run(MS);
	uint32_t cwnd = f->o.cwnd, flight = f->in_flight;
	assert_true(flight < cwnd * 3 / 4);
	f->in_recovery = true;
	call(f, TCP_CC_LOSS);
	assert_int_equal(f->o.cwnd, flight);
	call(f, TCP_CC_LOSS); /* never below what keeps the ACKs coming */
	f->in_flight = 0;
	call(f, TCP_CC_LOSS);
	assert_int_equal(f->o.cwnd, BBR_MIN_PIPE_CWND * MSS);
	f->in_flight = flight;
	f->in_recovery = false;
	f->rs = (struct tcp_rate_sample){0};
	call(f, TCP_CC_SAMPLE);
	assert_true(f->o.cwnd >= cwnd * 9 / 10);
	end();
}

static void req_CC_020__bbr_time_out(void **state)
{
	begin(12.5e6, 50 * MS, 2, 0, 1);
	run(5 * NS_PER_S);
	struct flow *f = &net.f[0];
	uint32_t cwnd = f->o.cwnd;
	f->in_flight = 0;
	f->in_recovery = true;
	call(f, TCP_CC_RTO);
	assert_int_equal(f->o.cwnd, MSS);
	f->in_recovery = false; /* the ACK that ends it gives the window back */
	f->rs = (struct tcp_rate_sample){0};
	call(f, TCP_CC_SAMPLE);
	assert_true(f->o.cwnd > cwnd / 2);
	end();
}

/* The first pacing rate: the draft's 2.77 times the initial window a round trip. */
static void bbr__first_pacing_rate(void **state)
{
	begin(12.5e6, 100 * MS, 2, 0, 1);
	call(&net.f[0], TCP_CC_BEGIN);
	assert_in_range(net.f[0].o.pacing, 2.76 * 14480 * 10, 2.78 * 14480 * 10);
	assert_int_equal(net.f[0].o.cwnd, 14480);
	end();
}

/* Nonsense in, nothing broken out: windows and rates stay in their bounds, UBSan is silent. */
static void bbr__any_samples(void **state)
{
	struct rng r;
	rng_seed(&r, 1);
	for (int n = 0; n < 200; n++) {
		begin(1e6, MS, 1, 0, 1);
		struct flow *f = &net.f[0];
		f->o.cwnd = (uint32_t)rng_below(&r, TCP_CWND_MAX) + MSS;
		for (int i = 0; i < 300; i++) {
			net.now += (int64_t)rng_below(&r, UINT64_C(1) << rng_below(&r, 36));
			f->rs = (struct tcp_rate_sample){.rate = rng_below(&r, UINT64_C(1) << (1 + rng_below(&r, 42))),
				.newly_acked = (uint32_t)rng_below(&r, 1u << 31),
				.newly_lost = (uint32_t)rng_below(&r, 1u << 31), .delivered = (uint32_t)rng_below(&r, UINT32_MAX),
				.prior_delivered = (uint32_t)rng_below(&r, UINT32_MAX), .rtt_us = (uint32_t)rng_below(&r, 1u << 28),
				.tx_in_flight = (uint32_t)rng_below(&r, 1u << 30), .lost = (uint32_t)rng_below(&r, UINT32_MAX),
				.worst_in_flight = (uint32_t)rng_below(&r, 1u << 30), .worst_lost = (uint32_t)rng_below(&r, UINT32_MAX),
				.n_lost = (uint32_t)rng_below(&r, 9), .has = rng_below(&r, 9) != 0};
			f->rate.delivered += f->rs.newly_acked;
			f->in_flight = (uint32_t)rng_below(&r, 1u << 30);
			f->is_limited = rng_below(&r, 2);
			f->in_recovery = rng_below(&r, 2);
			static const enum tcp_cc_event e[] = {TCP_CC_SAMPLE, TCP_CC_SAMPLE, TCP_CC_SAMPLE, TCP_CC_LOSS, TCP_CC_RTO, TCP_CC_RTO_AGAIN,
							      TCP_CC_ECN, TCP_CC_IDLE, TCP_CC_EXIT, TCP_CC_ACK, TCP_CC_BEGIN};
			if (i == 0)
				call(f, TCP_CC_BEGIN);
			call(f, e[rng_below(&r, ARRAY_LEN(e))]);
		}
		end();
	}
}

#define T(f) cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(bbr__fills_a_deep_pipe_and_leaves_no_queue), T(bbr__random_loss), T(bbr__shallow_buffer),
		T(bbr__probe_rtt_learns_a_longer_path), T(bbr__probe_rtt_halves_flight), T(bbr__bandwidth_halves_and_doubles),
		T(bbr__two_flows_share), T(bbr__cycle_of_probe_bw), T(req_CC_020__bbr_answers_marks_and_heavy_loss), T(req_CC_020__bbr_time_out),
		T(req_CC_020__bbr_mark_ends_a_probe), T(req_CC_020__bbr_answers_a_single_loss),
		T(bbr__first_pacing_rate), T(bbr__any_samples),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
