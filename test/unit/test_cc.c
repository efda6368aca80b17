/* Each congestion control alone, fed samples, against models in floating point written from the RFCs: 5681, 6928, 9438, 9406. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "base/rng.h"
#include "tcp/hystart.h"

#define INF TCP_SSTHRESH_INFINITE
#define MS NS_PER_MS

/* A sender in a bottle: the algorithm, its memory and the numbers a connection would keep. */
struct rig {
	const struct tcp_cc_algo *algo;
	uint64_t scratch[TCP_CC_WORDS];
	struct tcp_cc_out o;
	struct tcp_cc_sample s; /* what does not change from ACK to ACK */
	uint32_t una, nxt; /* nxt: SND.NXT when the last ACK came */
};

static struct rig rig(const struct tcp_cc_algo *algo, uint32_t mss, uint32_t cwnd_mss, uint32_t ssthresh, uint32_t rtt_us)
{
	return (struct rig){.algo = algo, .o = {.cwnd = cwnd_mss * mss, .ssthresh = ssthresh},
			    .s = {.mss = mss, .now = 5 * NS_PER_S, .srtt_us = rtt_us, .rtt_us = rtt_us, .is_limited = true}, .una = 0xffff0000u};
}

static void event(struct rig *r, enum tcp_cc_event e, uint32_t flight)
{
	struct tcp_cc_sample s = r->s;
	s.event = e;
	s.flight = s.pipe = flight;
	s.rtt_us = 0;
	r->algo->on(r->scratch, &s, &r->o);
}

/* An ACK of n bytes with a full window behind it. Returns the growth. */
static uint32_t ack(struct rig *r, uint32_t n)
{
	struct tcp_cc_sample s = r->s;
	uint32_t before = r->o.cwnd;
	s.event = TCP_CC_ACK;
	s.acked = n;
	s.flight = before;
	s.snd_una = r->una += n;
	s.snd_nxt = r->nxt = r->una - n + before;
	r->algo->on(r->scratch, &s, &r->o);
	assert_true(r->o.cwnd >= before); /* an ACK never shrinks the window */
	return r->o.cwnd - before;
}

/* One round trip of a full window, an ACK for every `per` segments, spread evenly. */
static void round_trip(struct rig *r, uint32_t per)
{
	uint32_t n = MAX(r->o.cwnd / r->s.mss / per, 1u);
	int64_t start = r->s.now;
	for (uint32_t i = 0; i < n; i++) {
		r->s.now = start + (int64_t)((double)r->s.srtt_us * 1000 * (i + 1) / n);
		ack(r, per * r->s.mss);
	}
}

static bool near(double a, double b, double tolerance)
{
	return fabs(a - b) <= tolerance;
}

/* --- the table --- */

static void cc__table(void **state)
{
	assert_string_equal(tcp_cc_at(0)->name, "cubic");
	assert_string_equal(tcp_cc_at(250)->name, "cubic");
	assert_int_equal(tcp_cc_find("cubic"), 0);
	assert_string_equal(tcp_cc_at((uint8_t)tcp_cc_find("reno"))->name, "reno");
	assert_int_equal(tcp_cc_find("cubi"), -1);
	assert_int_equal(tcp_cc_find(""), -1);
	assert_string_equal(tcp_cc_at((uint8_t)tcp_cc_find("bbr"))->name, "bbr");
	for (uint8_t i = 0; i < 3; i++)
		assert_in_range(tcp_cc_at(i)->words, 1, TCP_CC_WORDS);
}

static void req_CC_002__initial_window(void **state)
{
	assert_int_equal(tcp_cc_initial_window(1460), 14600);
	assert_int_equal(tcp_cc_initial_window(536), 5360);
	assert_int_equal(tcp_cc_initial_window(2190), 14600);
	assert_int_equal(tcp_cc_initial_window(9000), 18000);
}

/* --- Reno --- */

static void req_CC_001__reno_slow_start_at_most_one_smss_an_ack(void **state)
{
	struct rig r = rig(&tcp_cc_newreno, 1460, 10, INF, 50000);
	assert_int_equal(ack(&r, 1460), 1460);
	assert_int_equal(ack(&r, 2920), 1460);
	assert_int_equal(ack(&r, 40 * 1460), 1460);
	assert_int_equal(ack(&r, 7), 7); /* CC-008 */
	r.s.is_limited = false;
	assert_int_equal(ack(&r, 1460), 0);
	r.s.is_limited = true;
	r.o.ssthresh = r.o.cwnd + 100;
	assert_int_equal(ack(&r, 40 * 1460), 100); /* however much one ACK says */
}

static void req_CC_001__reno_one_smss_a_round_trip(void **state)
{
	for (uint32_t per = 1; per <= 2; per++) {
		struct rig r = rig(&tcp_cc_newreno, 1000, 40, 10000, 50000);
		for (uint32_t i = 1; i <= 100; i++)
			round_trip(&r, per);
		assert_in_range(r.o.cwnd / 1000, 139 - (per - 1) * 2, 140);
	}
}

static void req_CC_003__reno_halves_flight(void **state)
{
	struct rig r = rig(&tcp_cc_newreno, 1000, 40, INF, 50000);
	event(&r, TCP_CC_LOSS, 30000); /* FlightSize, not cwnd */
	assert_int_equal(r.o.ssthresh, 15000);
	assert_int_equal(r.o.cwnd, 15000);
	event(&r, TCP_CC_RTO, 3000);
	assert_int_equal(r.o.ssthresh, 2000);
	assert_int_equal(r.o.cwnd, 1000);
	r.o.ssthresh = 7000;
	event(&r, TCP_CC_RTO_AGAIN, 1000);
	assert_int_equal(r.o.ssthresh, 7000); /* once per series */
}

/* --- CUBIC: reductions --- */

static void req_CC_003__cubic_reduces_flight_by_beta(void **state)
{
	struct rig r = rig(&tcp_cc_cubic, 1000, 100, INF, 50000);
	event(&r, TCP_CC_LOSS, 80000);
	assert_int_equal(r.o.ssthresh, 56000); /* 0.7 FlightSize (§4.6) */
	assert_int_equal(r.o.cwnd, 56000);
	event(&r, TCP_CC_LOSS, 1000);
	assert_int_equal(r.o.ssthresh, 2000);
	assert_int_equal(r.o.cwnd, 2000);
}

static void req_CC_003__cubic_rto_reduces_once_a_series(void **state)
{
	struct rig r = rig(&tcp_cc_cubic, 1000, 100, INF, 50000);
	event(&r, TCP_CC_RTO, 100000);
	assert_int_equal(r.o.ssthresh, 70000); /* §4.8 */
	assert_int_equal(r.o.cwnd, 1000);
	event(&r, TCP_CC_RTO_AGAIN, 1000);
	assert_int_equal(r.o.ssthresh, 70000);
	assert_int_equal(r.o.cwnd, 1000);
	event(&r, TCP_CC_RTO, 1000);
	assert_int_equal(r.o.ssthresh, 2000);
}

static void req_CC_006__cubic_idle_falls_to_the_restart_window(void **state)
{
	struct rig r = rig(&tcp_cc_cubic, 1460, 100, 40 * 1460, 50000);
	event(&r, TCP_CC_IDLE, 0);
	assert_int_equal(r.o.cwnd, 14600);
	assert_int_equal(r.o.ssthresh, 40 * 1460);
	r.s.iw_one = true;
	event(&r, TCP_CC_IDLE, 0);
	assert_int_equal(r.o.cwnd, 1460);
	r.o.cwnd = 700; /* never up */
	event(&r, TCP_CC_IDLE, 0);
	assert_int_equal(r.o.cwnd, 700);
}

/* RFC 6582 §3.2 step 3: no burst at the end of recovery. */
static void req_CC_007__recovery_ends_at_what_is_in_flight(void **state)
{
	for (uint8_t i = 0; i < 2; i++) {
		struct rig r = rig(tcp_cc_at(i), 1000, 40, 30000, 50000);
		event(&r, TCP_CC_EXIT, 12000);
		assert_int_equal(r.o.cwnd, 13000);
		event(&r, TCP_CC_EXIT, 0);
		assert_int_equal(r.o.cwnd, 2000);
		event(&r, TCP_CC_EXIT, 35000);
		assert_int_equal(r.o.cwnd, 30000);
		assert_int_equal(r.o.ssthresh, 30000);
	}
}

/* --- CUBIC: the curve --- */

/* RFC 9438 §4.2 to §4.7, in segments and seconds, ACK by ACK. */
struct model {
	double cwnd, w_max, k, w_est, t, prior;
	bool in_stage;
};

static double w_cubic(const struct model *m, double t)
{
	return 0.4 * pow(t - m->k, 3) + m->w_max;
}

static void model_loss(struct model *m)
{
	m->w_max = m->w_max > 0 && m->cwnd < m->w_max ? m->cwnd * (1 + 0.7) / 2 : m->cwnd;
	m->prior = m->cwnd;
	m->cwnd *= 0.7;
	m->in_stage = false;
}

/* dt: since the last ACK; segments are acknowledged. */
static void model_ack(struct model *m, double dt, double segments, double rtt)
{
	if (!m->in_stage) {
		m->in_stage = true;
		m->t = 0;
		m->w_est = m->cwnd;
		if (m->w_max <= m->cwnd)
			m->w_max = m->cwnd;
		if (m->prior <= 0)
			m->prior = m->cwnd;
		m->k = cbrt((m->w_max - m->cwnd) / 0.4);
	} else {
		m->t += dt;
	}
	double alpha = m->w_est >= m->prior ? 1 : 3 * (1 - 0.7) / (1 + 0.7);
	double per = segments / m->cwnd;
	m->w_est += alpha * per;
	if (w_cubic(m, m->t) < m->w_est) {
		m->cwnd = fmax(m->cwnd, m->w_est);
		return;
	}
	double target = fmin(fmax(w_cubic(m, m->t + rtt), m->cwnd), 1.5 * m->cwnd);
	m->cwnd += (target - m->cwnd) * per;
}

/* Both for `seconds`; a loss each time cwnd passes `cap` segments (0: never), which shrinks by a tenth each time. The ACK
 * rate is thinned for large windows. Compared at every ACK. */
static void compare(uint32_t mss, uint32_t rtt_us, uint32_t start, double seconds, double cap)
{
	struct rig r = rig(&tcp_cc_cubic, mss, start, start * mss, rtt_us);
	struct model m = {.cwnd = start};
	event(&r, TCP_CC_LOSS, r.o.cwnd);
	model_loss(&m);
	double t = 0, worst = 0;
	int64_t gap = 0; /* since the ACK before */
	while (t < seconds) {
		uint32_t segments = 1 + (uint32_t)(m.cwnd / 50);
		double dt = rtt_us * 1e-6 * segments / m.cwnd;
		ack(&r, segments * mss);
		model_ack(&m, (double)gap * 1e-9, segments, rtt_us * 1e-6);
		double off = fabs((double)r.o.cwnd / mss - m.cwnd) / fmax(m.cwnd, 20);
		worst = fmax(worst, off);
		gap = (int64_t)(dt * 1e9);
		r.s.now += gap;
		t += dt;
		if (cap > 0 && m.cwnd > cap && (double)r.o.cwnd > cap * mss) {
			event(&r, TCP_CC_LOSS, r.o.cwnd);
			model_loss(&m);
			cap *= 0.9;
			if (cap < 30)
				cap = 0;
		}
	}
	if (worst > 0.01)
		fail_msg("mss %u, rtt %u us, start %u: off by %.4f", mss, rtt_us, start, worst);
}

static void req_CC_019__cubic_follows_the_model_for_60_s(void **state)
{
	static const uint32_t mss[] = {536, 1448, 8948}, rtt[] = {1000, 20000, 100000, 300000};
	for (unsigned i = 0; i < ARRAY_LEN(mss); i++)
		for (unsigned j = 0; j < ARRAY_LEN(rtt); j++) {
			compare(mss[i], rtt[j], 20, 60, 0);
			compare(mss[i], rtt[j], 400, 60, 0);
		}
}

static void req_CC_019__cubic_with_losses_and_fast_convergence(void **state)
{
	static const uint32_t rtt[] = {10000, 50000, 200000};
	for (unsigned j = 0; j < ARRAY_LEN(rtt); j++)
		compare(1448, rtt[j], 300, 60, 260);
}

/* The plateau is where and when the RFC puts it: W_max after K = cbrt(W_max (1 - beta) / C) seconds (§4.2). */
static void req_CC_019__cubic_plateau_after_k(void **state)
{
	struct rig r = rig(&tcp_cc_cubic, 1448, 1000, 1000 * 1448, 100000);
	event(&r, TCP_CC_LOSS, r.o.cwnd);
	double k = cbrt(1000 * 0.3 / 0.4);
	int64_t start = r.s.now;
	while ((double)(r.s.now - start) < k * 1e9)
		round_trip(&r, 2);
	assert_true(near(r.o.cwnd / 1448.0, 1000, 2));
	while ((double)(r.s.now - start) < (k + 5) * 1e9)
		round_trip(&r, 2);
	assert_true(near(r.o.cwnd / 1448.0, 1000 + 0.4 * 125, 5));
}

/* §4.7: lost before W_max was reached again: W_max is 0.85 of the window at the loss. Seen by the plateau's height. */
static void req_CC_019__cubic_fast_convergence(void **state)
{
	struct rig r = rig(&tcp_cc_cubic, 1000, 1000, 1000 * 1000, 100000);
	event(&r, TCP_CC_LOSS, r.o.cwnd);
	assert_int_equal(r.o.cwnd, 700000);
	event(&r, TCP_CC_LOSS, r.o.cwnd); /* at 700 < 1000: W_max = 595, cwnd = 490 */
	assert_int_equal(r.o.cwnd, 490000);
	double k = cbrt((595 - 490) / 0.4);
	int64_t start = r.s.now;
	while ((double)(r.s.now - start) < k * 1e9)
		round_trip(&r, 1);
	assert_true(near(r.o.cwnd / 1000.0, 595, 2));
}

/* §4.3: on a short path W_est leads: 9/17 SMSS a round trip up to cwnd_prior, then one. */
static void req_CC_019__cubic_reno_friendly_region(void **state)
{
	struct rig r = rig(&tcp_cc_cubic, 1448, 100, 100 * 1448, 1000);
	event(&r, TCP_CC_LOSS, r.o.cwnd);
	for (int i = 0; i < 40; i++)
		round_trip(&r, 1);
	assert_true(near(r.o.cwnd / 1448.0, 70 + 40 * 9 / 17.0, 0.5));
	while (r.o.cwnd < 100 * 1448)
		round_trip(&r, 1);
	double at = r.o.cwnd / 1448.0;
	for (int i = 0; i < 20; i++)
		round_trip(&r, 1);
	assert_true(near(r.o.cwnd / 1448.0, at + 20, 0.5));
}

/* §4.8: after a time-out the curve begins flat at the window where congestion avoidance begins. */
static void req_CC_019__cubic_after_a_timeout_k_is_zero(void **state)
{
	struct rig r = rig(&tcp_cc_cubic, 1000, 2000, 2000 * 1000, 200000);
	event(&r, TCP_CC_LOSS, r.o.cwnd);  /* leaves a W_max, which is not to count */
	event(&r, TCP_CC_RTO, 1000 * 1000);
	while (r.o.cwnd < r.o.ssthresh)
		ack(&r, 7000);
	assert_int_equal(r.o.cwnd, 700000); /* slow start stops at ssthresh */
	int64_t start = r.s.now;
	while (r.s.now - start < 6 * NS_PER_S)
		round_trip(&r, 1);
	assert_true(near(r.o.cwnd / 1000.0, 700 + 0.4 * 6 * 6 * 6, 6));
}

/* §5.8: time in which the window did not hold the sender does not count. */
static void req_CC_019__cubic_application_limited_time_does_not_count(void **state)
{
	struct rig a = rig(&tcp_cc_cubic, 1448, 1000, 1000 * 1448, 100000), b;
	event(&a, TCP_CC_LOSS, a.o.cwnd);
	for (int i = 0; i < 20; i++)
		round_trip(&a, 2);
	b = a;
	b.s.is_limited = false;
	uint32_t before = b.o.cwnd;
	for (int i = 0; i < 600; i++)
		round_trip(&b, 2); /* a minute */
	assert_int_equal(b.o.cwnd, before);
	b.s.is_limited = true;
	for (int i = 0; i < 20; i++) {
		round_trip(&a, 2);
		round_trip(&b, 2);
	}
	assert_true(near((double)a.o.cwnd, (double)b.o.cwnd, 1448));
}

static void req_CC_019__cubic_idle_time_does_not_count(void **state)
{
	struct rig r = rig(&tcp_cc_cubic, 1448, 1000, 1000 * 1448, 100000);
	event(&r, TCP_CC_LOSS, r.o.cwnd);
	round_trip(&r, 2);
	r.s.now += 3600 * NS_PER_S;
	event(&r, TCP_CC_IDLE, 0);
	while (r.o.cwnd < r.o.ssthresh)
		ack(&r, 1448);
	assert_int_equal(r.o.cwnd, r.o.ssthresh);
	int64_t start = r.s.now; /* a new stage towards the old W_max */
	double k = cbrt(300 / 0.4);
	while ((double)(r.s.now - start) < k * 1e9)
		round_trip(&r, 2);
	assert_true(near(r.o.cwnd / 1448.0, 1000, 2));
}

/* --- CUBIC: what no ACK may do --- */

/* Whatever comes: in congestion avoidance at most half of what was acknowledged, or up to W_est, which moves by at most one
 * SMSS per window; in slow start at most min(N, SMSS), in the first one min(N, 10 SMSS). */
static void req_CC_008__cubic_growth_per_ack_is_bounded(void **state)
{
	struct rng rng;
	rng_seed(&rng, 4711);
	for (int n = 0; n < 300; n++) {
		uint32_t mss = 88 + (uint32_t)rng_below(&rng, 9000), start = 2 + (uint32_t)rng_below(&rng, 2000);
		struct rig r = rig(&tcp_cc_cubic, mss, start, rng_below(&rng, 2) ? INF : start * mss, 1 + (uint32_t)rng_below(&rng, 400000));
		double lead = 0; /* W_est may have run ahead of cwnd by what it gained before */
		for (int i = 0; i < 400; i++) {
			if (rng_below(&rng, 100) == 0) {
				event(&r, rng_below(&rng, 4) ? TCP_CC_LOSS : TCP_CC_RTO, r.o.cwnd);
				lead = 0;
			}
			bool ss = r.o.cwnd < r.o.ssthresh, first = r.o.ssthresh == INF;
			uint32_t cwnd = r.o.cwnd, acked = 1 + (uint32_t)rng_below(&rng, 16 * mss);
			r.s.now += (int64_t)rng_below(&rng, (uint64_t)r.s.srtt_us * 1000);
			r.s.rtt_us = r.s.srtt_us + (uint32_t)rng_below(&rng, 50000);
			r.s.is_limited = rng_below(&rng, 10) != 0;
			uint32_t by = ack(&r, acked);
			if (!r.s.is_limited) {
				assert_int_equal(by, 0);
			} else if (ss) {
				assert_true(by <= MIN(acked, (first ? 10 : 1) * mss));
				assert_true(by <= acked);
			} else {
				double share = fmin((double)acked / cwnd, 1);
				lead += mss * share;
				assert_true(by <= fmax(cwnd / 2.0 * share, lead) + 1);
			}
		}
	}
}

static void req_CC_008__cubic_dividing_acks_gains_nothing(void **state)
{
	struct rig a = rig(&tcp_cc_cubic, 1448, 200, 200 * 1448, 100000), b;
	event(&a, TCP_CC_LOSS, a.o.cwnd);
	b = a;
	for (int i = 0; i < 1000; i++) {
		a.s.now += MS;
		b.s.now += MS;
		ack(&a, 1448);
		for (int j = 0; j < 8; j++)
			ack(&b, 181);
	}
	assert_true(near((double)b.o.cwnd, (double)a.o.cwnd, 30));
}

static void req_CC_019__cubic_does_not_overflow(void **state)
{
	static const uint32_t mss[] = {1, 88, 1448, 65535};
	for (unsigned i = 0; i < ARRAY_LEN(mss); i++) {
		struct rig r = rig(&tcp_cc_cubic, mss[i], 1, TCP_CWND_MAX / 2, UINT32_MAX / 16);
		r.o.cwnd = TCP_CWND_MAX;
		event(&r, TCP_CC_LOSS, TCP_CWND_MAX);
		assert_int_equal(r.o.cwnd, (uint64_t)TCP_CWND_MAX * 7 / 10);
		uint32_t last = r.o.cwnd;
		for (int n = 0; n < 200; n++) { /* a day an ACK */
			ack(&r, UINT32_MAX);
			assert_in_range(r.o.cwnd, last, TCP_CWND_MAX);
			last = r.o.cwnd;
			r.s.now += n < 100 ? 20 * NS_PER_S : INT64_C(86400) * NS_PER_S;
		}
		assert_int_equal(r.o.cwnd, TCP_CWND_MAX); /* and it got there */
	}
	/* The longest K: an SMSS of 1, W_max 2^30, cwnd 2. */
	struct rig r = rig(&tcp_cc_cubic, 1, 1, 2, 100000);
	r.o.cwnd = TCP_CWND_MAX;
	event(&r, TCP_CC_LOSS, 2);
	assert_int_equal(r.o.cwnd, 2);
	double k = cbrt((double)TCP_CWND_MAX / 0.4);
	int64_t start = r.s.now;
	while ((double)(r.s.now - start) < 2 * k * 1e9) {
		r.s.now += 100 * MS;
		ack(&r, r.o.cwnd);
		double t = (double)(r.s.now - start - 100 * MS) * 1e-9, w = TCP_CWND_MAX + 0.4 * pow(t + 0.1 - k, 3);
		if (t > 60 && t < k) /* a whole window an ACK: at the curve's value of a round trip from now */
			assert_true(near((double)r.o.cwnd, w, w * 0.005 + 2));
	}
	assert_int_equal(r.o.cwnd, TCP_CWND_MAX);
}

/* --- HyStart++ --- */

/* Rounds of slow start, the i-th with the i-th round trip, until ssthresh is set or `rounds` are over. Gives the rounds. */
static int slow_start(struct rig *r, const uint32_t *rtt_us, int n, int rounds)
{
	uint32_t end = r->una + r->o.cwnd;
	for (int i = 0; i < rounds; i++) {
		r->s.rtt_us = rtt_us[MIN(i, n - 1)];
		while ((int32_t)(r->una - end) < 0)
			ack(r, r->s.mss);
		end = r->nxt;
		if (r->o.ssthresh != INF)
			return i + 1;
	}
	return rounds;
}

static void hystart__flat_rtt_doubles_on(void **state)
{
	static const uint32_t rtt[] = {50000};
	struct rig r = rig(&tcp_cc_cubic, 1448, 10, INF, 50000);
	uint32_t una = r.una;
	slow_start(&r, rtt, 1, 12);
	assert_int_equal(r.o.ssthresh, INF);
	assert_int_equal(r.o.cwnd, 14480 + (r.una - una)); /* all that was acknowledged */
	assert_true(r.o.cwnd > 14480 * 1000);
}

/* An eighth more, within 4 and 16 ms, is a rise; a hair less is none (§4.2). */
static void hystart__threshold(void **state)
{
	static const struct { uint32_t base, thresh; } v[] = {{1000, 4000}, {32000, 4000}, {64000, 8000}, {128000, 16000}, {500000, 16000}};
	for (unsigned i = 0; i < ARRAY_LEN(v); i++)
		for (uint32_t rise = 0; rise <= 1; rise++) {
			uint32_t rtt[] = {v[i].base, v[i].base, v[i].base + v[i].thresh - 1 + rise};
			struct rig r = rig(&tcp_cc_cubic, 1448, 10, INF, 50000);
			slow_start(&r, rtt, 3, 8);
			assert_int_equal(r.o.ssthresh != INF, rise);
		}
}

/* Five rounds at a quarter's growth, the one in which the rise was seen among them; then congestion avoidance. */
static void hystart__leaves_after_five_conservative_rounds(void **state)
{
	static const uint32_t rtt[] = {50000, 50000, 60000};
	struct rig r = rig(&tcp_cc_cubic, 1000, 10, INF, 50000);
	assert_int_equal(slow_start(&r, rtt, 3, 20), 7);
	double w = 10, una = 0, nxt = 0, end = 10;
	for (int i = 1; i <= 7; i++) { /* the third round, from its eighth sample on, and four more */
		for (int n = 1; una < end; n++) {
			nxt = una++ + w;
			w += i < 3 || (i == 3 && n <= 8) ? 1 : 0.25;
		}
		end = nxt;
	}
	assert_true(near(r.o.ssthresh / 1000.0, w, 0.01));
	assert_int_equal(r.o.cwnd, r.o.ssthresh);
	uint32_t cwnd = r.o.cwnd; /* congestion avoidance, flat at first (§4.10) */
	round_trip(&r, 1);
	assert_in_range(r.o.cwnd, cwnd, cwnd + 1100);
}

static void hystart__jitter_returns_to_slow_start(void **state)
{
	static const uint32_t rtt[] = {50000, 50000, 60000, 60000, 50000};
	struct rig r = rig(&tcp_cc_cubic, 1000, 10, INF, 50000);
	slow_start(&r, rtt, 5, 5);
	assert_int_equal(r.o.ssthresh, INF);
	uint32_t cwnd = r.o.cwnd;
	for (int i = 0; i < 3; i++)
		ack(&r, 1000);
	assert_int_equal(r.o.cwnd, cwnd + 3000); /* whole steps again */
	static const uint32_t again[] = {50000, 50000, 60000, 60000, 50000, 50000, 65000};
	r = rig(&tcp_cc_cubic, 1000, 10, INF, 50000);
	assert_int_equal(slow_start(&r, again, 7, 20), 11); /* the second rise, seventh round, has five rounds of its own */
}

/* After silence everything is measured anew: no round, no CSS is left from before. */
static void hystart__idle_begins_anew(void **state)
{
	static const uint32_t rtt[] = {50000, 50000, 60000}, slower[] = {80000};
	struct rig r = rig(&tcp_cc_cubic, 1000, 10, INF, 50000);
	slow_start(&r, rtt, 3, 4);
	event(&r, TCP_CC_IDLE, 0);
	assert_int_equal(r.o.cwnd, 10000);
	uint32_t una = r.una;
	slow_start(&r, slower, 1, 8);
	assert_int_equal(r.o.ssthresh, INF);
	assert_int_equal(r.o.cwnd, 10000 + (r.una - una));
}

/* Fewer than eight samples say nothing; a single slow ACK among fast ones says nothing: the least counts. */
static void hystart__needs_eight_samples_and_takes_the_least(void **state)
{
	struct rig r = rig(&tcp_cc_cubic, 1000, 7, INF, 50000);
	r.s.is_limited = false; /* the window stays at 7: 7 samples a round */
	for (int i = 0; i < 100; i++) {
		r.s.rtt_us = 50000 + (uint32_t)i / 7 * 20000;
		ack(&r, 1000);
	}
	r.s.is_limited = true;
	assert_int_equal(ack(&r, 1000), 1000); /* no CSS */
	r = rig(&tcp_cc_cubic, 1000, 10, INF, 50000);
	for (int i = 0; i < 2000; i++) {
		r.s.rtt_us = i % 8 == 3 ? 50000 : 90000;
		ack(&r, 1000);
	}
	assert_int_equal(r.o.cwnd, 2010000);
}

static void hystart__only_before_the_first_loss(void **state)
{
	static const uint32_t rtt[] = {50000, 50000, 90000, 130000};
	struct rig r = rig(&tcp_cc_cubic, 1000, 100, INF, 50000);
	event(&r, TCP_CC_RTO, 400000);
	assert_int_equal(r.o.ssthresh, 280000);
	for (int i = 0; i < 7; i++) {
		r.s.rtt_us = rtt[MIN(i, 3)];
		for (uint32_t n = r.o.cwnd / 1000; n; n--)
			ack(&r, 1000);
	}
	assert_int_equal(r.o.cwnd, 128000);
	assert_int_equal(r.o.ssthresh, 280000);
}

/* §4.2: at most L SMSS an ACK without pacing, no limit with it. The named deviations: L is the initial window's 10 and not 8, so
 * that one ACK for all of it doubles the window as in Linux; merged ACKs. */
static void hystart__growth_per_ack(void **state)
{
	struct rig r = rig(&tcp_cc_cubic, 1000, 1000, INF, 50000);
	assert_int_equal(ack(&r, 700), 700);
	assert_int_equal(ack(&r, 10000), 10000);
	assert_int_equal(ack(&r, 12000), 10000);
	assert_int_equal(ack(&r, 44000), 10000); /* however much one ACK says */
	r.s.is_paced = true;
	assert_int_equal(ack(&r, 44000), 44000);
}

#define T(f) cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(cc__table), T(req_CC_002__initial_window), T(req_CC_001__reno_slow_start_at_most_one_smss_an_ack),
		T(req_CC_001__reno_one_smss_a_round_trip), T(req_CC_003__reno_halves_flight), T(req_CC_003__cubic_reduces_flight_by_beta),
		T(req_CC_003__cubic_rto_reduces_once_a_series), T(req_CC_006__cubic_idle_falls_to_the_restart_window),
		T(req_CC_019__cubic_follows_the_model_for_60_s), T(req_CC_019__cubic_with_losses_and_fast_convergence),
		T(req_CC_019__cubic_plateau_after_k), T(req_CC_019__cubic_fast_convergence), T(req_CC_019__cubic_reno_friendly_region),
		T(req_CC_019__cubic_after_a_timeout_k_is_zero), T(req_CC_019__cubic_application_limited_time_does_not_count),
		T(req_CC_019__cubic_idle_time_does_not_count), T(req_CC_008__cubic_growth_per_ack_is_bounded),
		T(req_CC_008__cubic_dividing_acks_gains_nothing), T(req_CC_019__cubic_does_not_overflow), T(hystart__flat_rtt_doubles_on),
		T(hystart__threshold), T(hystart__leaves_after_five_conservative_rounds), T(hystart__jitter_returns_to_slow_start),
		T(hystart__idle_begins_anew),
		T(req_CC_007__recovery_ends_at_what_is_in_flight),
		T(hystart__needs_eight_samples_and_takes_the_least), T(hystart__only_before_the_first_loss), T(hystart__growth_per_ack),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
