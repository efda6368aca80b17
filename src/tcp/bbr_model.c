/* tcp/bbr_model.c - BBR's model of the path: bandwidth, round-trip time, aggregation, and what loss says of them.
 *
 * As draft-ietf-ccwg-bbr §5.5, with two named deviations:
 * - Loss. The draft lowers bw_lo and inflight_lo in every round that lost anything, and inflight_hi when more than 2 % of a flight is
 *   lost. On a path that loses at random that is a spiral: each round carries (1 - p) of the last, and single losses pass 2 % of a
 *   small flight. Here loss is judged against the path's own: "high" is more than 2 % + 2 f of what was sent, and three segments more,
 *   where f is the part lost in rounds in which no queue was seen and no bandwidth was probed for (over the last 1024 segments or
 *   so, at most 1/16). Only high loss lowers a bound. So what BBR does not cause it does not answer; what it causes, or any loss
 *   beyond 14.5 %, it does.
 * - ProbeRTT is not due while samples within 1/64 of the minimum come: they confirm it, as the draft lets lower ones do. */
#include "tcp/bbr.h"

/* --- volumes --- */

uint32_t bbr_bdp(const struct bbr *b, uint64_t bw, uint32_t gain, uint32_t mss)
{
	if (!b->min_rtt_us || !bw)
		return tcp_cc_initial_window(mss);
	uint64_t bdp = bw * b->min_rtt_us / 1000000 * gain / 100;
	return (uint32_t)MIN(bdp, TCP_CWND_MAX);
}

/* BBRQuantizationBudget(): three bursts, four segments. */
uint32_t bbr_quantized(const struct bbr *b, uint64_t inflight, uint32_t mss)
{
	uint64_t quantum = MIN(MAX(b->pacing_rate / 1000, 2 * mss), MAX(BBR_QUANTUM_MAX, 2 * mss));

	inflight = MAX(MAX(inflight, 3 * quantum), BBR_MIN_PIPE_CWND * mss);
	if (b->state == BBR_UP)
		inflight += 2 * mss;
	return (uint32_t)MIN(inflight, TCP_CWND_MAX);
}

uint32_t bbr_inflight(const struct bbr *b, uint64_t bw, uint32_t gain, uint32_t mss)
{
	return bbr_quantized(b, bbr_bdp(b, bw, gain, mss), mss);
}

/* --- rounds --- */

void bbr_start_round(struct bbr *b, const struct tcp_cc_sample *s)
{
	b->next_round_delivered = s->c_delivered;
}

static void update_round(struct bbr *b, const struct tcp_cc_sample *s)
{
	b->round_start = seq_le(b->next_round_delivered, s->rs->prior_delivered);
	if (!b->round_start)
		return;
	bbr_start_round(b, s);
	b->rounds_since_probe += b->rounds_since_probe < UINT16_MAX;
	b->packet_conservation = false;
}

/* --- loss --- */

bool bbr_loss_is_high(const struct bbr *b, uint32_t lost, uint32_t sent, uint32_t mss)
{
	uint64_t part = ((uint64_t)b->floor_lost << 16) / MAX(b->floor_acked + b->floor_lost, 1u); /* 2^-16 */

	part = 2 * MIN(part, UINT64_C(1) << (16 - BBR_FLOOR_MAX_SHIFT)) + (BBR_LOSS_THRESH << 16) / 100;
	return lost > (sent * part >> 16) + BBR_LOSS_SLACK * mss;
}

/* The round had no queue and was no probe: what it lost is the path's. */
static void learn_floor(struct bbr *b, uint32_t mss)
{
	bool no_queue = b->round_rtt_us && b->round_rtt_us <= b->min_rtt_us + b->min_rtt_us / 4 + 1000;

	if (!no_queue || b->state == BBR_UP || b->state == BBR_REFILL || b->ack_phase == BBR_ACKS_PROBE_STOPPING)
		return;
	b->floor_lost += b->round_lost;
	b->floor_acked += b->round_acked;
	while (b->floor_lost + b->floor_acked > BBR_FLOOR_SEGMENTS * mss) {
		b->floor_lost /= 2;
		b->floor_acked /= 2;
	}
}

void bbr_reset_congestion_signals(struct bbr *b)
{
	b->round_lost = b->round_acked = b->round_rtt_us = b->inflight_latest = 0;
	b->round_ranges = 0;
	b->bw_latest = 0;
	b->is_marked = false;
}

void bbr_reset_lower_bounds(struct bbr *b)
{
	b->bw_lo = 0;
	b->inflight_lo = 0;
}

/* A round of loss ends: BBRAdaptLowerBoundsFromCongestion(). */
static void adapt_lower_bounds(struct bbr *b, const struct tcp_cc_sample *s, uint32_t cwnd)
{
	bool is_high = b->is_marked || bbr_loss_is_high(b, b->round_lost, b->round_lost + b->round_acked, s->mss);

	if (!bbr_is_probing_bw(b) && is_high) {
		uint64_t bw = b->bw_lo ? b->bw_lo : bbr_max_bw(b);
		uint32_t inflight = b->inflight_lo ? b->inflight_lo : cwnd;
		b->bw_lo = MAX(MAX(b->bw_latest, bw * BBR_BETA / 100), 1u);
		b->inflight_lo = MAX(MAX(b->inflight_latest, (uint32_t)((uint64_t)inflight * BBR_BETA / 100)), 1u);
	}
	/* In Startup a round of high loss in several places says that the pipe is full: BBRCheckStartupHighLoss(). */
	if (b->state == BBR_STARTUP && is_high && (b->is_marked || b->round_ranges >= BBR_STARTUP_FULL_LOSS)) {
		b->full_bw_reached = true;
		b->inflight_hi = MAX(bbr_bdp(b, bbr_max_bw(b), 100, s->mss), b->inflight_latest);
	}
	learn_floor(b, s->mss);
	b->round_lost = b->round_acked = b->round_rtt_us = 0;
	b->round_ranges = 0;
	b->is_marked = false;
}

/* BBRUpdateLatestDeliverySignals() */
static void update_latest(struct bbr *b, const struct tcp_cc_sample *s)
{
	const struct tcp_rate_sample *rs = s->rs;

	b->loss_round_start = false;
	b->bw_latest = MAX(b->bw_latest, rs->rate);
	b->inflight_latest = MAX(b->inflight_latest, rs->delivered);
	if (b->has_loss_round && !seq_le(b->loss_round_delivered, rs->prior_delivered))
		return;
	b->loss_round_delivered = s->c_delivered;
	b->loss_round_start = b->has_loss_round;
	b->has_loss_round = true;
}

/* --- bandwidth --- */

void bbr_reset_full_bw(struct bbr *b)
{
	b->full_bw = 0;
	b->full_bw_count = 0;
	b->full_bw_now = false;
}

/* BBRCheckFullBWReached(): three rounds without a quarter more. */
static void check_full_bw(struct bbr *b, const struct tcp_rate_sample *rs)
{
	if (b->full_bw_now || !b->round_start || rs->is_app_limited)
		return;
	if (rs->rate >= b->full_bw + b->full_bw / 4) {
		bbr_reset_full_bw(b);
		b->full_bw = rs->rate;
		return;
	}
	b->full_bw_now = ++b->full_bw_count >= 3;
	b->full_bw_reached |= b->full_bw_now;
}

/* BBRUpdateACKAggregation(): how much more is acknowledged at once than the bandwidth explains. */
static void update_aggregation(struct bbr *b, const struct tcp_cc_sample *s, uint32_t cwnd)
{
	uint64_t expected = bbr_bw(b) * (uint64_t)(MIN(s->now - b->extra_start, NS_PER_S) / NS_PER_US) / 1000000;

	if (b->extra_delivered <= expected || s->now - b->extra_start > NS_PER_S) {
		b->extra_delivered = 0;
		b->extra_start = s->now;
		expected = 0;
	}
	b->extra_delivered += s->rs->newly_acked;
	uint32_t extra = b->extra_delivered > expected ? (uint32_t)(b->extra_delivered - expected) : 0;
	if (b->round_start && ++b->extra_rounds >= (b->full_bw_reached ? BBR_EXTRA_ROUNDS : 1)) {
		b->extra_rounds = 0;
		b->extra_acked[1] = b->extra_acked[0];
		b->extra_acked[0] = 0;
	}
	b->extra_acked[0] = MAX(b->extra_acked[0], MIN(extra, cwnd));
}

void bbr_model_ack(struct bbr *b, const struct tcp_cc_sample *s, uint32_t cwnd)
{
	const struct tcp_rate_sample *rs = s->rs;

	b->round_lost += rs->newly_lost;
	b->round_acked += rs->newly_acked;
	b->round_ranges = (uint16_t)MIN(b->round_ranges + rs->n_lost, UINT16_MAX);
	if (rs->rtt_us)
		b->round_rtt_us = b->round_rtt_us ? MIN(b->round_rtt_us, rs->rtt_us) : rs->rtt_us;
	b->round_start = b->loss_round_start = false;
	if (!rs->has)
		return;
	update_latest(b, s);
	update_round(b, s);
	if (rs->rate && (rs->rate >= bbr_max_bw(b) || !rs->is_app_limited))
		b->max_bw[0] = MAX(b->max_bw[0], rs->rate);
	if (b->loss_round_start)
		adapt_lower_bounds(b, s, cwnd);
	update_aggregation(b, s, cwnd);
	check_full_bw(b, rs);
}

void bbr_model_ack_end(struct bbr *b, const struct tcp_cc_sample *s)
{
	if (!b->loss_round_start)
		return;
	b->bw_latest = s->rs->rate;
	b->inflight_latest = s->rs->delivered;
}

/* --- round-trip time --- */

void bbr_model_rtt(struct bbr *b, const struct tcp_cc_sample *s)
{
	uint32_t rtt = s->rs->rtt_us;

	bool confirms = rtt && (!b->probe_rtt_min_us || rtt <= b->probe_rtt_min_us + b->probe_rtt_min_us / 64);

	b->probe_rtt_expired = b->probe_rtt_min_us && !confirms && s->now > b->probe_rtt_min_stamp + BBR_PROBE_RTT_NS;
	if (confirms || (rtt && b->probe_rtt_expired)) {
		bool is_known = b->probe_rtt_min_us && !b->probe_rtt_expired;
		b->probe_rtt_min_us = is_known ? MIN(b->probe_rtt_min_us, rtt) : rtt;
		b->probe_rtt_min_stamp = s->now;
	}
	if (!b->probe_rtt_min_us)
		return;
	bool is_old = s->now > b->min_rtt_stamp + BBR_MIN_RTT_NS;
	if (!b->min_rtt_us || b->probe_rtt_min_us <= b->min_rtt_us + b->min_rtt_us / 64 || is_old) {
		b->min_rtt_us = b->min_rtt_us && !is_old ? MIN(b->min_rtt_us, b->probe_rtt_min_us) : b->probe_rtt_min_us;
		b->min_rtt_stamp = b->probe_rtt_min_stamp;
	}
}
