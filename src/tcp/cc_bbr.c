/* tcp/cc_bbr.c - BBR, version 3 (draft-ietf-ccwg-bbr): sends at the rate that the path has been seen to deliver.
 *
 * Startup doubles the rate each round until it brings no more, Drain lets the queue out that this made, and ProbeBW goes in cycles of
 * 2 to 3 s: DOWN lets out what the last probe queued, CRUISE keeps pace, REFILL fills the pipe, UP asks for more. If the shortest
 * round trip has not been seen for 5 s, ProbeRTT halves what is in flight for 200 ms. Bounds that loss taught (bbr_model.c, where
 * the deviations about loss stand) hold cwnd down. Paced always; so silence does not lower cwnd (RFC 5681 §4.1 is for windows that
 * burst), and PRR leaves cwnd alone.
 * Integers only. Random: the length of a cycle, from the stack's stream. A mark of classic ECN counts as a round of high loss.
 * The memory outlives silence by TCP_CC_KEEP_NS; what pauses for longer starts again, in Startup from the cwnd it had.
 * Each loss that begins a recovery, or hits a repetition, lowers cwnd to what is in flight (RFC 8961 §4). But packets are conserved for
 * a round only when a round's loss is high, not at the first loss: on a path that loses at random recovery never ends, and what it does
 * not replace would be missing from the pipe.
 * Limits: a lost range is judged by what was in flight when it left, without BBRInflightAtLoss()'s interpolation; nothing is undone
 * when a loss proves spurious; 100 ms as bound of extra_acked is not kept, cwnd is. */
#include "tcp/bbr.h"

#include <linux/inet_diag.h>

/* Gains of each state. */
static uint32_t pacing_gain(const struct bbr *b)
{
	static const uint16_t gain[] = {[BBR_STARTUP] = 277, [BBR_DRAIN] = 50, [BBR_DOWN] = 90, [BBR_CRUISE] = 100,
					[BBR_REFILL] = 100, [BBR_UP] = 125, [BBR_PROBE_RTT] = 100};
	return gain[b->state];
}
static uint32_t cwnd_gain(const struct bbr *b)
{
	return b->state == BBR_UP ? 225 : b->state == BBR_PROBE_RTT ? 50 : 200;
}
static bool is_in_probe_bw(const struct bbr *b) { return b->state >= BBR_DOWN && b->state <= BBR_UP; }
static bool has_elapsed(const struct bbr *b, const struct tcp_cc_sample *s, int64_t ns) { return s->now > b->cycle_stamp + ns; }

/* --- entering states --- */

static void enter_down(struct bbr *b, const struct tcp_cc_sample *s)
{
	uint64_t r = prf_next(s->random);

	bbr_reset_congestion_signals(b);
	b->probe_up_cnt = UINT32_MAX;
	b->rounds_since_probe = r & 1;                          /* BBRPickProbeWait() */
	b->bw_probe_wait_ms = 2000 + (uint32_t)((r >> 1) % 1000);
	b->cycle_stamp = s->now;
	b->ack_phase = BBR_ACKS_PROBE_STOPPING;
	bbr_start_round(b, s);
	b->state = BBR_DOWN;
}

static void enter_refill(struct bbr *b, const struct tcp_cc_sample *s)
{
	bbr_reset_lower_bounds(b);
	b->probe_up_rounds = 0;
	b->probe_up_acks = 0;
	b->ack_phase = BBR_ACKS_REFILLING;
	bbr_start_round(b, s);
	b->state = BBR_REFILL;
}

/* BBRRaiseInflightLongtermSlope(): one segment a round, two, four, ... */
static void raise_slope(struct bbr *b, const struct tcp_cc_sample *s, uint32_t cwnd)
{
	uint32_t growth = (uint32_t)MIN((uint64_t)s->mss << b->probe_up_rounds, TCP_CWND_MAX);

	b->probe_up_rounds += b->probe_up_rounds < 30;
	b->probe_up_cnt = MAX((uint32_t)((uint64_t)cwnd * s->mss / growth), 1u);
}

static void enter_up(struct bbr *b, const struct tcp_cc_sample *s, uint32_t cwnd)
{
	b->bw_probe_samples = true;
	b->ack_phase = BBR_ACKS_PROBE_STARTING;
	bbr_start_round(b, s);
	bbr_reset_full_bw(b);
	b->full_bw = s->rs->rate;
	b->cycle_stamp = s->now;
	b->state = BBR_UP;
	raise_slope(b, s, cwnd);
}

/* --- inflight_hi --- */

/* BBRTargetInflight() */
static uint32_t target_inflight(const struct bbr *b, const struct tcp_cc_sample *s, uint32_t cwnd)
{
	return MIN(bbr_bdp(b, bbr_bw(b), 100, s->mss), cwnd);
}

/* Probing met its bound: BBRHandleInflightTooHigh(). in_flight: when what was lost left. */
static void inflight_too_high(struct bbr *b, const struct tcp_cc_sample *s, uint32_t cwnd, uint32_t in_flight, bool app_limited)
{
	b->bw_probe_samples = false;
	if (!app_limited)
		b->inflight_hi = MAX(in_flight, (uint32_t)((uint64_t)target_inflight(b, s, cwnd) * BBR_BETA / 100));
	if (b->state == BBR_UP)
		enter_down(b, s);
}

/* The bound held: BBRProbeInflightLongtermUpward(). */
static void probe_upward(struct bbr *b, const struct tcp_cc_sample *s, uint32_t cwnd)
{
	if (!s->is_limited || cwnd < b->inflight_hi)
		return;
	b->probe_up_acks += s->rs->newly_acked;
	if (b->probe_up_acks >= b->probe_up_cnt) {
		uint32_t delta = b->probe_up_acks / b->probe_up_cnt;
		b->probe_up_acks -= delta * b->probe_up_cnt;
		b->inflight_hi = (uint32_t)MIN(b->inflight_hi + (uint64_t)delta * s->mss, TCP_CWND_MAX);
	}
	if (b->round_start)
		raise_slope(b, s, cwnd);
}

/* BBRAdaptLongTermModel() */
static void adapt_upper_bound(struct bbr *b, const struct tcp_cc_sample *s, uint32_t cwnd)
{
	const struct tcp_rate_sample *rs = s->rs;

	if (b->round_start && b->ack_phase == BBR_ACKS_PROBE_STARTING)
		b->ack_phase = BBR_ACKS_PROBE_FEEDBACK;
	if (b->round_start && b->ack_phase == BBR_ACKS_PROBE_STOPPING) {
		b->bw_probe_samples = false;
		b->ack_phase = BBR_ACKS_INIT;
		if (is_in_probe_bw(b) && !rs->is_app_limited && b->max_bw[0]) { /* BBRAdvanceMaxBwFilter() */
			b->max_bw[1] = b->max_bw[0];
			b->max_bw[0] = 0;
		}
	}
	if (rs->n_lost && bbr_loss_is_high(b, rs->worst_lost, rs->worst_in_flight, s->mss)) {
		if (b->bw_probe_samples)
			inflight_too_high(b, s, cwnd, rs->worst_in_flight, rs->is_app_limited);
		return;
	}
	if (!b->inflight_hi || bbr_loss_is_high(b, rs->lost, rs->tx_in_flight, s->mss))
		return;
	b->inflight_hi = MAX(b->inflight_hi, rs->tx_in_flight);
	if (b->state == BBR_UP)
		probe_upward(b, s, cwnd);
}

/* What is to be left free for others: BBRInflightWithHeadroom(). 0: no bound. */
static uint32_t with_headroom(const struct bbr *b, uint32_t mss)
{
	if (!b->inflight_hi)
		return 0;
	uint32_t room = MAX((uint32_t)((uint64_t)b->inflight_hi * BBR_HEADROOM / 100), mss);
	return MAX(b->inflight_hi > room ? b->inflight_hi - room : 0, BBR_MIN_PIPE_CWND * mss);
}

/* --- the states --- */

/* Time to ask for bandwidth? After the wait, or when a Reno flow of this window would have asked: BBRCheckTimeToProbeBW(). */
static bool is_time_to_probe(const struct bbr *b, const struct tcp_cc_sample *s, uint32_t cwnd)
{
	uint32_t reno_rounds = MIN(target_inflight(b, s, cwnd) / s->mss, BBR_RENO_ROUNDS);

	return has_elapsed(b, s, b->bw_probe_wait_ms * NS_PER_MS) || b->rounds_since_probe >= reno_rounds;
}

static bool is_time_to_cruise(const struct bbr *b, const struct tcp_cc_sample *s)
{
	uint32_t headroom = with_headroom(b, s->mss);

	return (!headroom || s->pipe <= headroom) && s->pipe <= bbr_inflight(b, bbr_max_bw(b), 100, s->mss);
}

/* UP ends when the rate grows no more; while inflight_hi holds it down nothing else can be expected: BBRIsTimeToGoDown(). It also ends,
 * as in version 2, when after a round trip a quarter more than the BDP is in flight: where round trips are long, three more of them
 * queue more than DOWN can let out before the next probe. */
static bool is_time_to_go_down(struct bbr *b, const struct tcp_cc_sample *s, uint32_t cwnd)
{
	if (s->is_limited && b->inflight_hi && cwnd >= b->inflight_hi) {
		bbr_reset_full_bw(b);
		b->full_bw = s->rs->rate;
		return false;
	}
	return b->full_bw_now || (has_elapsed(b, s, b->min_rtt_us * NS_PER_US) && s->pipe > bbr_inflight(b, bbr_max_bw(b), 125, s->mss));
}

/* BBRUpdateProbeBWCyclePhase() */
static void update_cycle(struct bbr *b, const struct tcp_cc_sample *s, uint32_t cwnd)
{
	if (!b->full_bw_reached || !s->rs->has)
		return;
	adapt_upper_bound(b, s, cwnd);
	switch (b->state) {
	case BBR_DOWN:
		if (is_time_to_probe(b, s, cwnd))
			enter_refill(b, s);
		else if (is_time_to_cruise(b, s))
			b->state = BBR_CRUISE;
		break;
	case BBR_CRUISE:
		if (is_time_to_probe(b, s, cwnd))
			enter_refill(b, s);
		break;
	case BBR_REFILL:
		if (b->round_start)
			enter_up(b, s, cwnd);
		break;
	case BBR_UP:
		if (is_time_to_go_down(b, s, cwnd))
			enter_down(b, s);
		break;
	default:
		break;
	}
}

/* --- ProbeRTT --- */

static uint32_t probe_rtt_cwnd(const struct bbr *b, uint32_t mss)
{
	return MAX(bbr_bdp(b, bbr_bw(b), 50, mss), BBR_MIN_PIPE_CWND * mss);
}

static void save_cwnd(struct bbr *b, uint32_t cwnd)
{
	b->prior_cwnd = b->in_recovery || b->state == BBR_PROBE_RTT ? MAX(b->prior_cwnd, cwnd) : cwnd;
}

/* BBRCheckProbeRTTDone() */
static void check_probe_rtt_done(struct bbr *b, const struct tcp_cc_sample *s, struct tcp_cc_out *io)
{
	if (!b->probe_rtt_done_stamp || s->now <= b->probe_rtt_done_stamp)
		return;
	b->probe_rtt_min_stamp = s->now;
	io->cwnd = MAX(io->cwnd, b->prior_cwnd);
	bbr_reset_lower_bounds(b);
	if (b->full_bw_reached) {
		enter_down(b, s);
		b->state = BBR_CRUISE;
	} else {
		b->state = BBR_STARTUP;
	}
}

/* BBRCheckProbeRTT() */
static void check_probe_rtt(struct bbr *b, const struct tcp_cc_sample *s, struct tcp_cc_out *io)
{
	if (b->state != BBR_PROBE_RTT && b->probe_rtt_expired && !b->idle_restart) {
		save_cwnd(b, io->cwnd);
		b->state = BBR_PROBE_RTT;
		b->probe_rtt_done_stamp = 0;
		b->ack_phase = BBR_ACKS_PROBE_STOPPING;
		bbr_start_round(b, s);
	}
	if (b->state == BBR_PROBE_RTT) {
		io->app_limited = true;
		if (!b->probe_rtt_done_stamp) {
			if (s->pipe <= probe_rtt_cwnd(b, s->mss)) {
				b->probe_rtt_done_stamp = s->now + BBR_PROBE_RTT_STAY_NS;
				b->probe_rtt_round_done = false;
				bbr_start_round(b, s);
			}
		} else {
			b->probe_rtt_round_done |= b->round_start;
			if (b->probe_rtt_round_done)
				check_probe_rtt_done(b, s, io);
		}
	}
	if (s->rs->has)
		b->idle_restart = false;
}

/* --- the three numbers --- */

/* BBRSetPacingRate(): a little below the bandwidth, so that queues shrink; never lowered before the pipe was full. */
static void set_pacing(struct bbr *b, uint32_t gain)
{
	uint64_t rate = bbr_bw(b) * gain / 100 * (100 - BBR_PACING_MARGIN) / 100;

	if (rate && (b->full_bw_reached || rate > b->pacing_rate))
		b->pacing_rate = rate;
}

/* BBRBoundCwndForModel() */
static uint32_t bounded(const struct bbr *b, uint32_t cwnd, uint32_t mss)
{
	uint32_t cap = TCP_CWND_MAX, hi = 0;

	if (is_in_probe_bw(b) && b->state != BBR_CRUISE)
		hi = b->inflight_hi;
	else if (b->state == BBR_PROBE_RTT || b->state == BBR_CRUISE)
		hi = with_headroom(b, mss);
	if (hi)
		cap = hi;
	if (b->inflight_lo)
		cap = MIN(cap, b->inflight_lo);
	return MIN(cwnd, MAX(cap, BBR_MIN_PIPE_CWND * mss));
}

/* BBRSetCwnd() */
static void set_cwnd(struct bbr *b, const struct tcp_cc_sample *s, struct tcp_cc_out *io)
{
	const struct tcp_rate_sample *rs = s->rs;
	uint32_t most = bbr_quantized(b, (uint64_t)bbr_bdp(b, bbr_bw(b), cwnd_gain(b), s->mss) + MAX(b->extra_acked[0], b->extra_acked[1]),
				      s->mss);
	uint64_t cwnd = io->cwnd;

	if (b->packet_conservation) {
		cwnd = MAX(cwnd > rs->newly_lost ? cwnd - rs->newly_lost : 0, s->mss);
		cwnd = MAX(cwnd, (uint64_t)s->pipe + rs->newly_acked);
	} else {
		if (b->full_bw_reached)
			cwnd = MIN(cwnd + rs->newly_acked, most);
		else if (cwnd < most || s->c_delivered < tcp_cc_initial_window(s->mss))
			cwnd += rs->newly_acked;
		cwnd = MAX(cwnd, BBR_MIN_PIPE_CWND * s->mss);
	}
	if (b->state == BBR_PROBE_RTT)
		cwnd = MIN(cwnd, probe_rtt_cwnd(b, s->mss));
	io->cwnd = bounded(b, (uint32_t)MIN(cwnd, TCP_CWND_MAX), s->mss);
}

/* --- events --- */

static void begin(struct bbr *b, const struct tcp_cc_sample *s, const struct tcp_cc_out *io)
{
	b->is_begun = true;
	b->min_rtt_us = b->probe_rtt_min_us = 0;
	b->min_rtt_stamp = b->probe_rtt_min_stamp = b->extra_start = b->cycle_stamp = s->now;
	bbr_start_round(b, s);
	b->state = BBR_STARTUP;
	/* BBRInitPacingRate() */
	b->pacing_rate = (uint64_t)io->cwnd * 1000000 / (s->srtt_us ? s->srtt_us : 1000) * pacing_gain(b) / 100;
}

/* Data leaves and nothing is in flight: BBRHandleRestartFromIdle(). */
static void restart_from_idle(struct bbr *b, const struct tcp_cc_sample *s, struct tcp_cc_out *io)
{
	if (!b->is_begun) {
		begin(b, s, io);
		return;
	}
	if (!s->is_app_limited)
		return;
	b->idle_restart = true;
	b->extra_start = s->now;
	b->extra_delivered = 0;
	if (is_in_probe_bw(b))
		set_pacing(b, 100);
	else if (b->state == BBR_PROBE_RTT)
		check_probe_rtt_done(b, s, io);
}

/* Recovery began, a repetition was lost, or a time-out came: the window falls to what is in flight (BBROnEnterFastRecovery(),
 * BBROnEnterRTO()); each ACK lets as much more go as it says has arrived, and the end of recovery gives it back. */
static void loss_begins(struct bbr *b, const struct tcp_cc_sample *s, struct tcp_cc_out *io, bool is_rto)
{
	save_cwnd(b, io->cwnd);
	if (is_rto)
		io->cwnd = s->pipe + s->mss;
	else
		io->cwnd = MIN(io->cwnd, MAX(s->pipe, BBR_MIN_PIPE_CWND * s->mss));
	b->in_recovery = true;
}

/* High loss in this round: for a round no more leaves than is delivered (BBRModulateCwndForRecovery()). */
static void conserve(struct bbr *b, const struct tcp_cc_sample *s, struct tcp_cc_out *io)
{
	if (!b->in_recovery || b->packet_conservation || !s->rs->newly_lost ||
	    !bbr_loss_is_high(b, b->round_lost, MAX(b->round_lost + b->round_acked, s->pipe), s->mss))
		return;
	save_cwnd(b, io->cwnd);
	io->cwnd = (uint32_t)MIN((uint64_t)s->pipe + MAX(s->rs->newly_acked, s->mss), TCP_CWND_MAX);
	b->packet_conservation = true;
	bbr_start_round(b, s);
}

static void marked(struct bbr *b, const struct tcp_cc_sample *s, uint32_t cwnd)
{
	b->is_marked = true; /* judged at the end of the round */
	if (b->bw_probe_samples)
		inflight_too_high(b, s, cwnd, s->pipe, false);
}

static void on_sample(struct bbr *b, const struct tcp_cc_sample *s, struct tcp_cc_out *io)
{
	if (!b->is_begun)
		begin(b, s, io);
	if (b->in_recovery && !s->in_recovery) { /* it is over: BBRRestoreCwnd() */
		b->in_recovery = b->packet_conservation = false;
		io->cwnd = MAX(io->cwnd, b->prior_cwnd);
	}
	bbr_model_ack(b, s, io->cwnd);
	conserve(b, s, io);
	if (b->state == BBR_STARTUP && b->full_bw_reached)
		b->state = BBR_DRAIN;
	if (b->state == BBR_DRAIN && s->pipe <= bbr_inflight(b, bbr_bw(b), 100, s->mss))
		enter_down(b, s);
	update_cycle(b, s, io->cwnd);
	bbr_model_rtt(b, s);
	check_probe_rtt(b, s, io);
	bbr_model_ack_end(b, s);
	set_pacing(b, pacing_gain(b));
	set_cwnd(b, s, io);
}

static void on(uint64_t *scratch, const struct tcp_cc_sample *s, struct tcp_cc_out *io)
{
	struct bbr *b = (struct bbr *)(void *)scratch;

	switch (s->event) {
	case TCP_CC_BEGIN:
		restart_from_idle(b, s, io);
		break;
	case TCP_CC_SAMPLE:
		on_sample(b, s, io);
		break;
	case TCP_CC_LOSS:
		loss_begins(b, s, io, false);
		break;
	case TCP_CC_RTO:
	case TCP_CC_RTO_AGAIN:
		loss_begins(b, s, io, true);
		break;
	case TCP_CC_ECN:
		marked(b, s, io->cwnd);
		break;
	case TCP_CC_ACK:
	case TCP_CC_EXIT:
	case TCP_CC_IDLE:
	case TCP_CC_SAVE:
	case TCP_CC_UNDO:
		break;
	}
	io->pacing = b->pacing_rate;
}

/* Linux's struct tcp_bbr_info: gains in units of 1/256. */
static uint32_t info(const uint64_t *scratch, uint32_t min_rtt_us, union tcp_cc_info *out)
{
	const struct bbr *b = (const struct bbr *)(const void *)scratch;
	uint64_t bw = bbr_bw(b);

	out->bbr = (struct tcp_bbr_info){.bbr_bw_lo = (uint32_t)bw, .bbr_bw_hi = (uint32_t)(bw >> 32),
		.bbr_min_rtt = b->min_rtt_us ? b->min_rtt_us : min_rtt_us ? min_rtt_us : UINT32_MAX,
		.bbr_pacing_gain = pacing_gain(b) * 256 / 100, .bbr_cwnd_gain = cwnd_gain(b) * 256 / 100};
	return sizeof(out->bbr);
}

const struct tcp_cc_algo tcp_cc_bbr = {.name = "bbr", .words = BBR_WORDS, .has_model = true, .on = on, .info = info};
