/* test/sim/model.c - see model.h.
 *
 * Segments are numbered from 0, time is in ns, windows are in segments with fractions, of which only whole ones are sent. `seg` holds
 * what the sender knows of each segment from `una` to `nxt`, `log` which was sent as the how-manieth, so that RACK looks only at what it
 * judges. */
#include "test/sim/model.h"
#include "test/sim/model_path.h"

#include <math.h>
#include <stdlib.h>

#define IW 10              /* RFC 6928 */
#define DUP_THRESH 3       /* RFC 5681 §3.2 */
#define BETA 0.7           /* RFC 9438 §4.6 */
#define C 0.4              /* §5 */
#define RTTVAR_MIN 200e6   /* Linux: 4 RTTVAR counts as this at least */
#define MAX_ACK_DELAY (200 * MS) /* of the probe, RFC 8985 §7.2; Linux's value */

enum fate { FLYING, SACKED, LOST };
enum phase { OPEN, FAST_RECOVERY, TIMEOUT_RECOVERY };

struct seg {
	int64_t sent;
	uint32_t order; /* of all sendings; the log's index */
	enum fate fate;
	bool is_repeated;
};

struct state {
	bool is_cubic;
	struct model_path path;
	int64_t now;
	/* Scoreboard */
	struct seg seg[RING];
	uint32_t log[RING], oldest, order; /* from `oldest` on it may be in flight; `order`: the next one's */
	uint32_t una, nxt, pipe, sacked;
	uint32_t lost, lost_from, lost_end; /* how many, and between which they and those repeated since are */
	/* RACK, TLP, RTO */
	int64_t rack_rtt, min_rtt, reo_at, rto_from, pto_from;
	uint32_t rack_order;
	double srtt, rttvar;
	int backoff;
	uint32_t probe_end;     /* a probe is out until this is acknowledged; 0: none */
	/* Congestion control */
	enum phase phase;
	double cwnd, ssthresh, acked;
	uint32_t recover;
	uint32_t cut;           /* `order` at the last reduction */
	bool has_cut;           /* the next new segment says so: CWR (RFC 3168 §6.1.2) */
	double prr_delivered, prr_out, recover_fs;
	/* CUBIC */
	double w_max, k, w_est, cwnd_prior;
	int64_t epoch;
	bool in_epoch;
	/* HyStart++ */
	int64_t rtt_last, rtt_cur, css_base; /* NEVER: none */
	uint32_t round_end, samples, css_rounds;
};

/* --- scoreboard --- */

static void send_segment(struct state *s, uint32_t n)
{
	struct seg *g = &AT(s->seg, n);
	bool is_new = n == s->nxt;
	if (s->order - s->oldest == RING)
		abort();
	if (is_new) {
		s->nxt++;
		s->pto_from = s->now;
	} else {
		s->lost--;
	}
	if (!is_new || n == s->una) /* RFC 6675 §6; RFC 6298 (5.1) */
		s->rto_from = s->now;
	*g = (struct seg){s->now, s->order, FLYING, !is_new};
	AT(s->log, s->order++) = n;
	s->pipe++;
	s->prr_out++;
	model_path_send(&s->path, s->now, n, is_new && s->has_cut);
	s->has_cut &= !is_new;
}

static bool is_flying(const struct state *s, uint32_t i)
{
	const struct seg *g = &AT(s->seg, AT(s->log, i));
	return g->order == i && g->fate == FLYING;
}

/* What cwnd allows: first what is lost, then new data. */
static void transmit(struct state *s)
{
	while (s->pipe + 1 <= s->cwnd + 1e-9) {
		while (s->lost && AT(s->seg, s->lost_from).fate != LOST)
			s->lost_from++;
		send_segment(s, s->lost ? s->lost_from : s->nxt);
	}
}

static void mark_lost(struct state *s, uint32_t n)
{
	AT(s->seg, n).fate = LOST;
	s->pipe--;
	if (!s->lost++ || n < s->lost_from)
		s->lost_from = n;
	s->lost_end = n >= s->lost_end ? n + 1 : s->lost_end;
}

/* --- growth --- */

/* RFC 9406 §4.2 with the sample of one ACK. */
static void hystart(struct state *s, int64_t rtt)
{
	if (s->una >= s->round_end) {
		if (s->css_base != NEVER && ++s->css_rounds >= 5)
			s->ssthresh = s->cwnd;
		s->rtt_last = s->rtt_cur;
		s->rtt_cur = NEVER;
		s->samples = 0;
		s->round_end = s->nxt;
	}
	s->rtt_cur = rtt < s->rtt_cur ? rtt : s->rtt_cur;
	if (++s->samples < 8 || s->rtt_last == NEVER)
		return;
	if (s->css_base != NEVER) {
		if (s->rtt_cur < s->css_base)
			s->css_base = NEVER;
		return;
	}
	double thresh = fmax(4 * MS, fmin((double)s->rtt_last / 8, 16 * MS));
	if ((double)s->rtt_cur >= (double)s->rtt_last + thresh) {
		s->css_base = s->rtt_cur;
		s->css_rounds = 0;
	}
}

/* A stage of congestion avoidance begins. */
static void begin_epoch(struct state *s)
{
	s->in_epoch = true;
	s->epoch = s->now;
	s->w_est = s->cwnd;
	if (s->w_max < s->cwnd) /* after a time-out (§4.8), or a slow start without loss: K is 0 */
		s->w_max = s->cwnd;
	s->k = cbrt((s->w_max - s->cwnd) / C);
}

static double w_cubic(const struct state *s, double t) { return C * (t - s->k) * (t - s->k) * (t - s->k) + s->w_max; }

/* RFC 9438 §4.2 to §4.5; n: segments acknowledged. */
static void cubic(struct state *s, double n)
{
	if (!s->in_epoch)
		begin_epoch(s);
	double t = (double)(s->now - s->epoch) / 1e9, alpha = s->w_est < s->cwnd_prior ? 3 * (1 - BETA) / (1 + BETA) : 1;
	s->w_est += alpha * n / s->cwnd;
	if (w_cubic(s, t) < s->w_est) {
		s->cwnd = fmax(s->cwnd, s->w_est);
		return;
	}
	double target = fmin(fmax(w_cubic(s, t + s->srtt / 1e9), s->cwnd), 1.5 * s->cwnd);
	s->cwnd += n * (target - s->cwnd) / s->cwnd; /* by segment, not by ACK: Linux */
}

static void grow(struct state *s, uint32_t n, int64_t rtt)
{
	if (s->is_cubic && isinf(s->ssthresh)) {
		hystart(s, rtt);
		s->cwnd += s->css_base != NEVER ? n / 4.0 : n; /* n is not above L */
	} else if (s->cwnd < s->ssthresh) {
		s->cwnd += 1;
	} else if (s->is_cubic) {
		cubic(s, n);
	} else if ((s->acked += n) >= s->cwnd) { /* RFC 5681 §3.1: one for each window acknowledged */
		s->acked -= s->cwnd;
		s->cwnd += 1;
	}
}

/* --- reduction --- */

/* RFC 5681 eq. 4, RFC 9438 §4.6 and §4.7. What limited transmit sent counts not (RFC 5681 §3.2), so FlightSize is at most the window;
 * in recovery that is ssthresh, on which PRR's cwnd converges. */
static void reduce(struct state *s)
{
	double window = s->phase == FAST_RECOVERY ? s->ssthresh : s->cwnd, flight = fmin(s->nxt - s->una, floor(window + 1e-9));
	s->w_max = window < s->w_max ? window * (1 + BETA) / 2 : window;
	s->cwnd_prior = window;
	s->in_epoch = false;
	s->ssthresh = fmax(2, flight * (s->is_cubic ? BETA : 0.5));
	s->acked = 0;
	s->recover = s->nxt;
	s->cut = s->order;
	s->has_cut = true;
}

/* RFC 9937 §6.1. fresh_sacks, fresh: segments that the ACK at hand was the first to tell of, by SACK and in all. */
static void enter_recovery(struct state *s, uint32_t fresh_sacks, uint32_t fresh)
{
	reduce(s);
	s->phase = FAST_RECOVERY;
	s->prr_delivered = s->prr_out = 0;
	s->recover_fs = s->nxt - s->una - (s->sacked - fresh_sacks) + (fresh - fresh_sacks);
}

static void prr(struct state *s, uint32_t fresh, bool is_safe)
{
	double pipe = s->pipe, count;
	s->prr_delivered += fresh;
	if (pipe > s->ssthresh) {
		count = s->prr_delivered * s->ssthresh / s->recover_fs - s->prr_out;
	} else {
		count = fmax(s->prr_delivered - s->prr_out, fresh) + is_safe;
		count = fmin(s->ssthresh - pipe, count);
	}
	if (s->prr_out < 1 && count < 1) /* the fast retransmit */
		count = 1;
	s->cwnd = pipe + fmax(count, 0);
}

/* --- loss detection --- */

/* RFC 8985 §6.2 step 5. Returns how many are found lost; *is_again: among them a repetition sent since the last reduction. */
static uint32_t rack(struct state *s, bool *is_again)
{
	int64_t reo_wnd = s->phase != OPEN || s->sacked >= DUP_THRESH ? 0 : s->min_rtt / 4;
	uint32_t found = 0;
	s->reo_at = NEVER;
	for (uint32_t i = s->oldest; i < s->rack_order; i++) {
		uint32_t n = AT(s->log, i);
		const struct seg *g = &AT(s->seg, n);
		if (is_flying(s, i)) {
			int64_t due = g->sent + s->rack_rtt + reo_wnd;
			if (due > s->now) {
				s->reo_at = due; /* they are in order: the last one's */
				continue;
			}
			*is_again |= g->is_repeated && i >= s->cut;
			mark_lost(s, n);
			found++;
		}
		s->oldest += i == s->oldest;
	}
	return found;
}

/* Segment n was delivered: RFC 8985 §6.2 step 2. Returns 1 if that is news. */
static uint32_t delivered(struct state *s, uint32_t n)
{
	struct seg *g = &AT(s->seg, n);
	if (g->fate == SACKED)
		return 0;
	if (g->fate == FLYING)
		s->pipe--;
	else
		s->lost--;
	g->fate = SACKED;
	if (g->order >= s->rack_order) {
		s->rack_order = g->order;
		s->rack_rtt = s->now - g->sent;
	}
	s->min_rtt = s->now - g->sent < s->min_rtt ? s->now - g->sent : s->min_rtt;
	return 1;
}

/* RFC 6298 §2, of the first segment acknowledged (RFC 7323 §4.3). */
static void sample(struct state *s, int64_t rtt)
{
	s->rttvar += (fabs(s->srtt - (double)rtt) - s->rttvar) / 4;
	s->srtt += ((double)rtt - s->srtt) / 8;
	s->backoff = 0;
	s->rto_from = s->pto_from = s->now;
}

static void on_ack(struct state *s, struct arrival a)
{
	uint32_t una = s->una, fresh = 0, fresh_sacks = 0;
	int64_t rtt = s->now - AT(s->seg, una).sent;
	bool is_again = false, was_fast = s->phase == FAST_RECOVERY;
	for (; s->una < a.ack; s->una++) {
		s->sacked -= AT(s->seg, s->una).fate == SACKED;
		fresh += delivered(s, s->una);
	}
	if (a.seg >= a.ack) {
		fresh_sacks = delivered(s, a.seg);
		fresh += fresh_sacks;
		s->sacked += fresh_sacks;
	}
	if (s->lost_from < s->una)
		s->lost_from = s->una;
	if (s->una > una)
		sample(s, rtt);
	if (s->una >= s->probe_end)
		s->probe_end = 0;
	uint32_t found = rack(s, &is_again);
	if (s->phase != OPEN && s->una >= s->recover) {
		s->phase = OPEN;
		if (was_fast) {
			s->cwnd = s->ssthresh;
			begin_epoch(s);
		}
	}
	if (s->una > una && !was_fast)
		grow(s, s->una - una, rtt);
	if ((s->phase == OPEN && s->lost_end > s->una) || is_again) /* also: sent and found lost since recovery began */
		enter_recovery(s, fresh_sacks, fresh);
	if (s->phase == FAST_RECOVERY && fresh)
		prr(s, fresh, s->una > una && !found);
	transmit(s);
}

/* --- timers --- */

static int64_t rto_at(const struct state *s)
{
	double rto = s->srtt + fmax(RTTVAR_MIN, 4 * s->rttvar);
	return s->rto_from + (int64_t)(fmin(ldexp(rto, s->backoff), 120e9));
}

/* RFC 8985 §7.2: a probe only outside recovery and with nothing SACKed. */
static bool may_probe(const struct state *s) { return s->phase == OPEN && !s->sacked && !s->lost && !s->probe_end; }

/* One timer at a time: RFC 8985 §8. */
static int64_t timer_at(const struct state *s)
{
	if (s->reo_at != NEVER)
		return s->reo_at;
	int64_t pto = s->pto_from + (int64_t)(2 * s->srtt) + (s->nxt - s->una == 1 ? MAX_ACK_DELAY : 0), rto = rto_at(s);
	return may_probe(s) && pto < rto ? pto : rto;
}

/* RFC 5681 §3.1, RFC 8985 §6.3. */
static void time_out(struct state *s)
{
	if (!s->backoff++)
		reduce(s);
	s->recover = s->nxt;
	s->cut = s->order;
	s->w_max = 0;
	s->phase = TIMEOUT_RECOVERY;
	s->cwnd = 1;
	s->probe_end = 0;
	for (uint32_t i = s->oldest; i < s->order; i++) {
		const struct seg *g = &AT(s->seg, AT(s->log, i));
		if (is_flying(s, i) && (AT(s->log, i) == s->una || g->sent + s->rack_rtt <= s->now))
			mark_lost(s, AT(s->log, i));
	}
	s->rto_from = s->now;
	transmit(s);
}

static void on_timer(struct state *s)
{
	bool is_again = false;
	if (s->reo_at != NEVER) {
		if (rack(s, &is_again) && (s->phase == OPEN || is_again))
			enter_recovery(s, 0, 0);
		if (s->phase == FAST_RECOVERY)
			prr(s, 0, false);
		transmit(s);
	} else if (s->now >= rto_at(s)) {
		time_out(s);
	} else {
		send_segment(s, s->nxt); /* §7.3 */
		s->probe_end = s->nxt;
		s->rto_from = s->now;
	}
}

/* --- the run --- */

/* The next event; false: not before `end`. */
static bool step(struct state *s, int64_t end, double *area)
{
	int64_t path = model_path_next(&s->path), timer = timer_at(s), at = path <= timer ? path : timer;
	int64_t until = at < end ? at : end, from = s->now > end / 2 ? s->now : end / 2;
	struct arrival ack;
	if (until > from)
		*area += s->cwnd * (double)(until - from);
	s->now = until;
	if (at >= end)
		return false;
	if (path > timer)
		on_timer(s);
	else if (model_path_step(&s->path, s->now, &ack))
		on_ack(s, ack);
	return true;
}

struct model_result model_run(const struct model *m)
{
	int64_t rtt = llround(m->rtt * 1e9), end = llround(m->seconds * 1e9);
	struct state *s = calloc(1, sizeof *s);
	if (!s)
		abort();
	s->path = (struct model_path){.service = llround(1e9 / m->rate), .half_rtt = rtt / 2, .buffer = m->buffer, .lost = m->lost, .n = m->n,
		.delack_at = NEVER};
	s->is_cubic = m->is_cubic;
	s->now = s->min_rtt = s->rack_rtt = rtt; /* the SYN's */
	s->srtt = (double)rtt;
	s->rttvar = (double)rtt / 2;
	s->cwnd = IW;
	s->ssthresh = INFINITY;
	s->reo_at = s->rtt_last = s->rtt_cur = s->css_base = NEVER;
	transmit(s);
	double area = 0;
	while (step(s, end, &area))
		;
	struct model_result r = {s->path.rcv_nxt, area / ((double)end / 2)};
	free(s);
	return r;
}

double model_cubic_window(double rtt, double p) { return 1.054 * pow(pow(rtt, 3) / pow(p, 3), 0.25); }

double model_reno_window(double p) { return sqrt(1.5 / p); }
