/* tcp/bbr.h - BBR's memory and constants, and what cc_bbr.c (states) and bbr_model.c (what the path is like) share.
 *
 * Names are those of draft-ietf-ccwg-bbr (BBRv3); inflight_hi is its inflight_longterm, inflight_lo and bw_lo its inflight_shortterm
 * and bw_shortterm. Rates are bytes/s, volumes bytes, gains per cent. 0 in a rate or volume is "not known yet" or "no bound". */
#ifndef TCP_BBR_H
#define TCP_BBR_H

#include "base/ivset.h"
#include "tcp/cc.h"

#define BBR_LOSS_THRESH 2u        /* per cent */
#define BBR_LOSS_SLACK 3u         /* segments, see bbr_loss_is_high() */
#define BBR_FLOOR_MAX_SHIFT 4     /* the floor of loss is at most 1/16 */
#define BBR_FLOOR_SEGMENTS 1024u  /* over so many segments it is measured */
#define BBR_BETA 70u
#define BBR_HEADROOM 15u
#define BBR_MIN_PIPE_CWND 4u      /* segments */
#define BBR_PACING_MARGIN 1u
#define BBR_EXTRA_ROUNDS 5u       /* two of them make the window of the aggregation filter */
#define BBR_STARTUP_FULL_LOSS 6u  /* lost ranges in a round */
#define BBR_MIN_RTT_NS (10 * NS_PER_S)
#define BBR_PROBE_RTT_NS (5 * NS_PER_S)
#define BBR_PROBE_RTT_STAY_NS (200 * NS_PER_MS)
#define BBR_RENO_ROUNDS 63u
#define BBR_QUANTUM_MAX 65536u

enum bbr_state { BBR_STARTUP, BBR_DRAIN, BBR_DOWN, BBR_CRUISE, BBR_REFILL, BBR_UP, BBR_PROBE_RTT };
enum bbr_acks { BBR_ACKS_INIT, BBR_ACKS_REFILLING, BBR_ACKS_PROBE_STARTING, BBR_ACKS_PROBE_FEEDBACK, BBR_ACKS_PROBE_STOPPING };

struct bbr {
	uint64_t max_bw[2];        /* MaxBwFilter: of this cycle and the last */
	uint64_t bw_lo, bw_latest;
	uint64_t full_bw;
	uint64_t pacing_rate;
	int64_t min_rtt_stamp, probe_rtt_min_stamp;
	int64_t probe_rtt_done_stamp; /* 0: not begun */
	int64_t cycle_stamp;
	int64_t extra_start;       /* extra_acked_interval_start */
	uint32_t min_rtt_us, probe_rtt_min_us;
	uint32_t inflight_hi, inflight_lo, inflight_latest;
	uint32_t next_round_delivered, loss_round_delivered;
	uint32_t extra_delivered;  /* extra_acked_delivered */
	uint32_t extra_acked[2];   /* ExtraACKedFilter: of this window and the last */
	uint32_t prior_cwnd;
	uint32_t probe_up_cnt, probe_up_acks;
	uint32_t bw_probe_wait_ms;
	uint32_t round_lost, round_acked, round_rtt_us; /* of the round of loss so far; its least round-trip time */
	uint32_t floor_lost, floor_acked; /* of rounds that had no queue of ours */
	uint16_t rounds_since_probe, round_ranges;
	uint8_t state, ack_phase, probe_up_rounds, full_bw_count, extra_rounds;
	bool is_begun, full_bw_reached, full_bw_now;
	bool round_start, loss_round_start, has_loss_round;
	bool bw_probe_samples, probe_rtt_expired, probe_rtt_round_done;
	bool idle_restart, packet_conservation, in_recovery, is_marked;
};
#define BBR_WORDS 30
_Static_assert(sizeof(struct bbr) <= BBR_WORDS * sizeof(uint64_t) && BBR_WORDS <= TCP_CC_WORDS, "BBR's memory");

/* --- bbr_model.c --- */
static inline uint64_t bbr_max_bw(const struct bbr *b) { return MAX(b->max_bw[0], b->max_bw[1]); }
static inline uint64_t bbr_bw(const struct bbr *b)
{
	uint64_t bw = bbr_max_bw(b);
	return b->bw_lo ? MIN(bw, b->bw_lo) : bw;
}
/* REFILL and UP, and Startup. */
static inline bool bbr_is_probing_bw(const struct bbr *b)
{
	return b->state == BBR_STARTUP || b->state == BBR_REFILL || b->state == BBR_UP;
}
/* gain * bw * min_rtt; the initial window while there is no estimate. */
uint32_t bbr_bdp(const struct bbr *b, uint64_t bw, uint32_t gain, uint32_t mss);
/* The same with room for bursts and delayed ACKs: BBRInflight(). */
uint32_t bbr_inflight(const struct bbr *b, uint64_t bw, uint32_t gain, uint32_t mss);
uint32_t bbr_quantized(const struct bbr *b, uint64_t inflight, uint32_t mss);
/* Is `lost` of `sent` more than the path loses anyway? */
bool bbr_loss_is_high(const struct bbr *b, uint32_t lost, uint32_t sent, uint32_t mss);
void bbr_reset_congestion_signals(struct bbr *b);
void bbr_reset_lower_bounds(struct bbr *b);
void bbr_reset_full_bw(struct bbr *b);
void bbr_start_round(struct bbr *b, const struct tcp_cc_sample *s);
/* An ACK: rounds, latest signals, bandwidth, lower bounds, aggregation, full pipe. The first part of BBRUpdateModelAndState(). */
void bbr_model_ack(struct bbr *b, const struct tcp_cc_sample *s, uint32_t cwnd);
/* Its last part, after the states have looked: the latest signals begin anew when a round of loss ends. */
void bbr_model_ack_end(struct bbr *b, const struct tcp_cc_sample *s);
/* min_rtt and whether ProbeRTT is due: BBRUpdateMinRTT(). */
void bbr_model_rtt(struct bbr *b, const struct tcp_cc_sample *s);

#endif
