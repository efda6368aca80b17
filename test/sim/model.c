/* test/sim/model.c - see model.h.
 *
 * `flight` is what is outstanding, in order, each segment with its fate. A step takes from its front what was not lost, which
 * opens the window and lets as many follow; or, when its front is lost, plays a recovery. Time passes by the share of the round
 * trip that a step takes. */
#include "test/sim/model.h"

#include <math.h>
#include <stdlib.h>

#define IW 10
#define RTO_MIN 0.2
#define DELACK_WORST 0.2 /* RFC 8985 §7.2 */
#define QUICK_ACKS 16    /* the receiver's first ACKs are not delayed */
#define FLIGHT_MAX (1u << 18)

struct state {
	const struct model *m;
	double t, cwnd, ssthresh, delivered, acked;
	uint32_t sent;       /* segments behind the queue so far */
	uint8_t *flight;     /* fates, a ring */
	uint32_t head, n;
	/* CUBIC */
	double w_max, k, epoch, w_est, cwnd_prior, cwnd_epoch;
	bool in_epoch;
	/* HyStart++ */
	double round_end, rtt_last, rtt_cur, rtt_next, css_base;
	int css_rounds;
};

static double bdp(const struct state *s) { return s->m->rate * s->m->rtt + 1; }

/* The round trip that a flight of w segments sees: a segment takes its time to leave, or waits for those ahead. */
static double round_trip(const struct state *s, double w) { return fmax(s->m->rtt + 1 / s->m->rate, w / s->m->rate); }

/* The fate of the next segment when `ahead` are under way: true if lost. */
static bool send_one(struct state *s, uint32_t ahead)
{
	if (ahead >= bdp(s) + s->m->buffer)
		return true;
	bool lost = s->m->n && s->m->lost[s->sent % s->m->n];
	s->sent++;
	return lost;
}

static void push(struct state *s, bool lost)
{
	if (s->n < FLIGHT_MAX)
		s->flight[(s->head + s->n++) % FLIGHT_MAX] = lost;
}

/* --- growth --- */

/* RFC 9406 §4.2: rounds, the least delay of each, the exit by Conservative Slow Start. rtt: of the newest ACK's segment. */
static void hystart(struct state *s)
{
	if (s->acked >= s->round_end) {
		if (s->css_base > 0 && ++s->css_rounds >= 5)
			s->ssthresh = s->cwnd;
		s->rtt_last = s->rtt_cur;
		s->rtt_cur = s->rtt_next; /* of what was sent when this round began */
		s->rtt_next = round_trip(s, s->cwnd);
		s->round_end = s->acked + s->n;
	}
	if (s->rtt_last <= 0 || s->n < 8)
		return;
	if (s->css_base > 0) {
		if (s->rtt_cur < s->css_base)
			s->css_base = 0;
		return;
	}
	double thresh = fmax(0.004, fmin(s->rtt_last / 8, 0.016));
	if (s->rtt_cur >= s->rtt_last + thresh) {
		s->css_base = s->rtt_cur;
		s->css_rounds = 0;
	}
}

static void slow_start(struct state *s)
{
	bool is_first = isinf(s->ssthresh);
	double by = s->acked < QUICK_ACKS ? 1 : 0.5; /* one segment per ACK */
	if (s->m->is_cubic && is_first) {
		by = s->css_base > 0 ? 0.25 : 1;     /* min(N, L) per ACK */
		hystart(s);
	}
	s->cwnd = fmin(s->cwnd + by, fmax(s->ssthresh, s->cwnd));
}

static double w_cubic(const struct state *s, double t) { return 0.4 * pow(t - s->k, 3) + s->w_max; }

/* RFC 9438 §4.2 to §4.5, for one segment acknowledged. */
static void cubic(struct state *s, double now)
{
	if (!s->in_epoch) {
		s->in_epoch = true;
		s->epoch = now;
		s->w_est = s->cwnd_epoch = s->cwnd;
		if (s->cwnd_prior <= 0)
			s->cwnd_prior = s->cwnd;
		if (s->w_max < s->cwnd)
			s->w_max = s->cwnd;
		s->k = cbrt((s->w_max - s->cwnd) / 0.4);
	}
	double t = now - s->epoch, alpha = s->w_est < s->cwnd_prior ? 3 * (1 - 0.7) / (1 + 0.7) : 1;
	s->w_est += alpha / s->cwnd;
	if (w_cubic(s, t) < s->w_est) {
		s->cwnd = fmax(s->cwnd, s->w_est);
		return;
	}
	double target = fmin(fmax(w_cubic(s, t + s->m->rtt), s->cwnd), 1.5 * s->cwnd);
	s->cwnd += (target - s->cwnd) / s->cwnd;
}

static void grow(struct state *s, double now)
{
	if (s->cwnd < s->ssthresh)
		slow_start(s);
	else if (s->m->is_cubic)
		cubic(s, now);
	else
		s->cwnd += 1 / s->cwnd;
	s->acked++;
}

/* A congestion event with `flight` outstanding. */
static void reduce(struct state *s, double flight)
{
	s->w_max = s->cwnd < s->w_max ? s->cwnd * (1 + 0.7) / 2 : s->cwnd; /* fast convergence, §4.7 */
	s->cwnd_prior = s->cwnd;
	s->in_epoch = false;
	s->ssthresh = fmax(2, flight * (s->m->is_cubic ? 0.7 : 0.5));
	s->cwnd = s->ssthresh;
}

/* --- recovery --- */

/* A time-out: the loss window, then slow start, until the `left` lost ones are repeated. */
static void time_out(struct state *s, double flight, uint32_t left)
{
	double rto = round_trip(s, flight) + RTO_MIN;
	reduce(s, flight);
	s->w_max = 0; /* §4.8 */
	s->cwnd = 1;
	while (left && s->t < s->m->seconds) {
		uint32_t window = (uint32_t)s->cwnd, again = window < left ? window : left, got = 0;
		for (uint32_t i = 0; i < again; i++)
			got += !send_one(s, i);
		if (!got) { /* again */
			s->t += rto;
			rto = fmin(2 * rto, 120);
			s->cwnd = 1;
			continue;
		}
		for (uint32_t i = again; i < window; i++)
			push(s, send_one(s, i));
		s->t += round_trip(s, window);
		s->delivered += got;
		for (uint32_t i = 0; i < got; i++)
			grow(s, s->t);
		left -= got;
	}
}

/* Fast recovery: `left` lost ones are repeated, cwnd is ssthresh; what else fits is new. */
static void fast_recovery(struct state *s, uint32_t pipe, uint32_t left)
{
	double room = fmin(s->ssthresh, fmax(1, 2.0 * pipe)); /* when little is left it grows as in slow start */
	while (left && s->t < s->m->seconds) {
		uint32_t window = (uint32_t)fmax(1, room), again = window < left ? window : left, got = 0;
		for (uint32_t i = 0; i < again; i++)
			got += !send_one(s, i);
		for (uint32_t i = again; i < window; i++)
			push(s, send_one(s, i));
		double rtt = round_trip(s, window);
		s->t += rtt * (1 + (again - 1.0) / window);
		for (uint32_t i = 1; i < again; i++) /* what the later repetitions' ACKs clock out */
			push(s, send_one(s, s->n));
		s->delivered += got;
		left -= got;
		room = fmin(s->ssthresh, 2 * room);
		if (got == again)
			continue;
		if (got == 0 && window == 1) { /* nothing is left to tell of it */
			time_out(s, 1, left);
			return;
		}
		reduce(s, window); /* a repetition was lost */
		room = fmin(room, s->ssthresh);
	}
}

/* The front of the flight is lost: how is it noticed, and repaired? */
static void recover(struct state *s)
{
	uint32_t lost = 0, total = s->n;
	for (uint32_t i = 0; i < s->n; i++)
		lost += s->flight[(s->head + i) % FLIGHT_MAX];
	uint32_t dups = total - lost;
	double rtt = round_trip(s, total), rto = rtt + RTO_MIN, pto = fmin(2 * rtt + (total == 1 ? DELACK_WORST : 0), rto);
	s->head = s->n = 0;
	s->delivered += dups;
	if (dups >= 3) {
		s->t += rtt;
	} else if (dups > 0) { /* RACK's reordering window, while DupThresh is not reached */
		s->t += rtt + s->m->rtt / 4;
	} else { /* RFC 8985 §7: a probe with new data */
		bool probe_lost = send_one(s, 0);
		if (probe_lost) {
			s->t += pto + rto;
			time_out(s, total, lost + 1);
			return;
		}
		s->t += pto + rtt;
		s->delivered++;
	}
	reduce(s, total);
	fast_recovery(s, dups, lost);
}

/* --- the run --- */

static void step(struct state *s)
{
	while (s->n < (uint32_t)s->cwnd && s->n < FLIGHT_MAX - 1)
		push(s, send_one(s, s->n));
	uint32_t total = s->n, good = 0, most = total / 4 + 1; /* a quarter of a round at most, so that time moves with growth */
	while (good < most && good < total && !s->flight[(s->head + good) % FLIGHT_MAX])
		good++;
	if (!good) {
		recover(s);
		return;
	}
	double each = round_trip(s, total) / total;
	for (uint32_t i = 0; i < good; i++) {
		s->t += each;
		grow(s, s->t);
	}
	s->delivered += good;
	s->head = (s->head + good) % FLIGHT_MAX;
	s->n -= good;
}

double model_run(const struct model *m)
{
	struct state s = {.m = m, .t = m->rtt, .cwnd = IW, .ssthresh = INFINITY, .flight = malloc(FLIGHT_MAX)};
	if (!s.flight)
		abort();
	s.rtt_cur = s.rtt_next = m->rtt;
	while (s.t < m->seconds)
		step(&s);
	free(s.flight);
	return s.delivered;
}

double model_cubic_window(double rtt, double p) { return 1.054 * pow(pow(rtt, 3) / pow(p, 3), 0.25); }

double model_reno_window(double p) { return sqrt(1.5 / p); }
