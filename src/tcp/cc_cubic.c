/* tcp/cc_cubic.c - CUBIC's window (RFC 9438), its first slow start by HyStart++ (RFC 9406, tcp/hystart.h).
 *
 * After a reduction the window follows W_cubic(t) = C (t - K)^3 + W_max: steeply up to the window of the last loss, flat
 * near it, then ever faster away from it; by time and not by round trip, so that long paths are not the losers. Where a
 * Reno of the same average (W_est) would have more, it has that: the Reno-friendly region.
 * All in bytes and integers. t and K count 2^-10 s; W_est and the part of a byte that cwnd is still owed count 2^-32
 * bytes. No product overflows for cwnd up to TCP_CWND_MAX, any SMSS and any time; curves are cut off at 2048 s from K.
 * t runs only while cwnd holds the sender (§5.8): from one such ACK to the next. Silence and recovery end the stage.
 * cwnd is never lowered but by an event. Scratch is lost when the connection drains; then, as after the first slow start
 * (§4.10), the stage begins with K = 0 and W_max = cwnd.
 * Named deviation: §4.4 adds (target - cwnd)/cwnd per ACK; here per segment acknowledged, as Linux has it, so that it makes
 * no difference to growth whether the receiver acknowledges every segment, every second or a superframe.
 * A reduction that proves needless is taken back with the curve (§4.9): tcp/undo.h tells when. */
#include "tcp/hystart.h"

#define UNIT_SHIFT 10             /* a unit of time is 2^-10 s */
#define T_MAX (UINT64_C(1) << 22) /* units; beyond K + D_MAX for every K there is */
#define D_MAX ((UINT64_C(1) << 21) - 1)
#define C_NUM 4u                  /* C = 0.4 segments/s^3 (§5.1) */
#define C_DEN 10u
#define BETA 70u                  /* beta_cubic, hundredths (§4.6) */
#define BETA_ECN 85u              /* RFC 8511 §3.1 */

struct cubic {
	uint32_t w_max;      /* W_max; 0: undefined */
	uint32_t cwnd_prior; /* cwnd when ssthresh was last set */
	uint64_t w_est;      /* W_est, 2^-32 bytes */
	int64_t t;           /* ns into the stage of congestion avoidance */
	int64_t last;        /* the ACK up to which t has counted, if is_counting */
	uint32_t owed;       /* 2^-32 bytes that cwnd has earned */
	uint32_t k;          /* K, units */
	struct tcp_hystart hy;
	bool in_stage, is_counting;
	struct {             /* of these, before the reduction */
		uint32_t w_max, cwnd_prior, k;
		uint64_t w_est;
		int64_t t;
		bool in_stage;
	} saved;
};
#define WORDS 13
_Static_assert(sizeof(struct cubic) <= WORDS * sizeof(uint64_t) && WORDS <= TCP_CC_WORDS, "CUBIC's memory");

/* Largest r with r^3 <= x, bit by bit. */
static uint32_t cube_root(uint64_t x)
{
	uint64_t r = 0;

	for (int i = 63; i >= 0; i -= 3) { /* r^3 <= x >> i; brings down three bits */
		r *= 2;
		uint64_t next = 3 * r * (r + 1) + 1; /* (r+1)^3 - r^3 */
		if (x >> i >= next) {
			x -= next << i;
			r++;
		}
	}
	return (uint32_t)r;
}

static uint64_t units(int64_t ns)
{
	uint64_t most = T_MAX * NS_PER_S >> UNIT_SHIFT;

	return (MIN((uint64_t)MAX(ns, 0), most) << UNIT_SHIFT) / NS_PER_S;
}

/* W_cubic(t) in bytes (§4.2 figure 1). */
static uint32_t w_cubic(const struct cubic *cu, uint64_t t, uint32_t mss)
{
	uint64_t d = MIN(t < cu->k ? cu->k - t : t - cu->k, D_MAX);
	uint64_t off = ((d * d * d >> 2 * UNIT_SHIFT) * (C_NUM * (uint64_t)mss) / C_DEN) >> UNIT_SHIFT;

	if (t < cu->k)
		return off < cu->w_max ? cu->w_max - (uint32_t)off : 0;
	return (uint32_t)MIN(cu->w_max + off, 2 * (uint64_t)TCP_CWND_MAX);
}

/* Congestion avoidance begins: K = cube root of (W_max - cwnd_epoch) / C, W_est = cwnd_epoch (§4.2, §4.3). With no W_max,
 * or one already passed, the curve starts at its flat point (§4.8, §4.10). */
static void stage_begin(struct cubic *cu, const struct tcp_cc_sample *s, uint32_t cwnd)
{
	if (cu->w_max <= cwnd) {
		cu->w_max = cwnd;
		cu->k = 0;
	} else {
		uint64_t c = C_NUM * (uint64_t)s->mss;
		cu->k = cube_root(((uint64_t)(cu->w_max - cwnd) * C_DEN << 3 * UNIT_SHIFT) / c);
	}
	if (!cu->cwnd_prior)
		cu->cwnd_prior = cwnd;
	cu->w_est = (uint64_t)cwnd << 32;
	cu->owed = 0;
	cu->t = 0;
	cu->in_stage = true;
}

/* W_est += alpha_cubic * segments_acked / cwnd; alpha_cubic = 3 (1 - beta) / (1 + beta) = 9/17, and 1 from cwnd_prior on
 * (§4.3). share: what part of cwnd was acknowledged, 2^-32. */
static void grow_w_est(struct cubic *cu, uint32_t mss, uint64_t share)
{
	uint64_t add = mss * share;

	if (cu->w_est >> 32 < cu->cwnd_prior)
		add = add * 9 / 17;
	cu->w_est = MIN(cu->w_est + add, (uint64_t)TCP_CWND_MAX << 32);
}

static void avoid_congestion(struct cubic *cu, const struct tcp_cc_sample *s, struct tcp_cc_out *io)
{
	if (!s->is_limited) {
		cu->is_counting = false;
		return;
	}
	if (!cu->in_stage)
		stage_begin(cu, s, io->cwnd);
	else if (cu->is_counting)
		cu->t += MAX(s->now - cu->last, 0);
	cu->is_counting = true;
	cu->last = s->now;

	uint64_t share = ((uint64_t)MIN(s->acked, io->cwnd) << 32) / io->cwnd, t = units(cu->t);
	grow_w_est(cu, s->mss, share);
	uint32_t w_est = (uint32_t)(cu->w_est >> 32);
	if (w_cubic(cu, t, s->mss) < w_est) {
		io->cwnd = MAX(io->cwnd, w_est);
		return;
	}
	/* (target - cwnd) / cwnd for each segment; target in [cwnd, 1.5 cwnd] (§4.2, §4.4, §4.5) */
	uint32_t target = w_cubic(cu, t + units(s->srtt_us * NS_PER_US), s->mss);
	target = MIN(MAX(target, io->cwnd), io->cwnd + io->cwnd / 2);
	uint64_t add = (target - io->cwnd) * share + cu->owed;
	io->cwnd += (uint32_t)(add >> 32);
	cu->owed = (uint32_t)add;
}

static void on_ack(struct cubic *cu, const struct tcp_cc_sample *s, struct tcp_cc_out *io)
{
	if (io->cwnd >= io->ssthresh) {
		avoid_congestion(cu, s, io);
	} else if (io->ssthresh >= TCP_SSTHRESH_INFINITE) {
		tcp_hystart_ack(&cu->hy, s, io);
	} else if (s->is_limited) {
		uint32_t by = MIN(tcp_cc_slow_start(s), io->ssthresh - io->cwnd);
		io->cwnd += by;
	}
	io->cwnd = MIN(io->cwnd, TCP_CWND_MAX);
}

/* The stage is over; another begins with the next ACK in congestion avoidance. */
static void stage_end(struct cubic *cu)
{
	cu->in_stage = cu->is_counting = false;
}

/* §4.6: ssthresh = beta_cubic * flight_size, at least 2 SMSS; beta in hundredths. */
static void reduce(struct cubic *cu, const struct tcp_cc_sample *s, struct tcp_cc_out *io, uint32_t beta)
{
	cu->cwnd_prior = io->cwnd;
	io->ssthresh = (uint32_t)MAX((uint64_t)s->flight * beta / 100, 2 * (uint64_t)s->mss);
	stage_end(cu);
}

/* A loss, or a mark: fast convergence, a flow that lost before it came back to W_max gives way (§4.7). */
static void on_congestion(struct cubic *cu, const struct tcp_cc_sample *s, struct tcp_cc_out *io)
{
	bool is_mild = s->event == TCP_CC_ECN && s->is_abe;

	cu->w_max = io->cwnd < cu->w_max ? (uint32_t)((uint64_t)io->cwnd * 17 / 20) : io->cwnd;
	reduce(cu, s, io, is_mild ? BETA_ECN : BETA);
	io->cwnd = s->event == TCP_CC_ECN ? MIN(io->cwnd, io->ssthresh) : io->ssthresh;
}

static void save(struct cubic *cu)
{
	cu->saved.w_max = cu->w_max;
	cu->saved.cwnd_prior = cu->cwnd_prior;
	cu->saved.k = cu->k;
	cu->saved.w_est = cu->w_est;
	cu->saved.t = cu->t;
	cu->saved.in_stage = cu->in_stage;
}

/* §4.9.2; the time in recovery does not count. */
static void restore(struct cubic *cu)
{
	stage_end(cu);
	cu->w_max = cu->saved.w_max;
	cu->cwnd_prior = cu->saved.cwnd_prior;
	cu->k = cu->saved.k;
	cu->w_est = cu->saved.w_est;
	cu->t = cu->saved.t;
	cu->in_stage = cu->saved.in_stage;
}

static void on(uint64_t *scratch, const struct tcp_cc_sample *s, struct tcp_cc_out *io)
{
	struct cubic *cu = (struct cubic *)(void *)scratch;

	switch (s->event) {
	case TCP_CC_BEGIN:
	case TCP_CC_SAMPLE:
		break;
	case TCP_CC_ACK:
		on_ack(cu, s, io);
		break;
	case TCP_CC_LOSS:
	case TCP_CC_ECN: /* §4.6: by beta_cubic; RFC 8511 §3: by 0.85 */
		on_congestion(cu, s, io);
		break;
	case TCP_CC_RTO: /* §4.8: as Reno, but by beta_cubic; the next stage knows no W_max */
		reduce(cu, s, io, BETA);
		/* fall through */
	case TCP_CC_RTO_AGAIN:
		cu->w_max = 0;
		stage_end(cu);
		io->cwnd = s->mss;
		break;
	case TCP_CC_EXIT: /* RFC 6582 §3.2 step 3, the first way */
		io->cwnd = MIN(io->ssthresh, MAX(s->pipe, s->mss) + s->mss);
		break;
	case TCP_CC_SAVE:
		save(cu);
		break;
	case TCP_CC_UNDO:
		restore(cu);
		break;
	case TCP_CC_IDLE: /* RFC 5681 §4.1: the restart window */
		io->cwnd = MIN(io->cwnd, s->iw_one ? s->mss : tcp_cc_initial_window(s->mss));
		stage_end(cu);
		memset(&cu->hy, 0, sizeof(cu->hy));
		break;
	}
}

const struct tcp_cc_algo tcp_cc_cubic = {.name = "cubic", .words = WORDS, .on = on};
