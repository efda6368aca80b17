/* tcp/hystart.h - HyStart++, the initial slow start that looks at the round-trip time (RFC 9406).
 *
 * A round lasts from one SND.NXT to its acknowledgement. When the smallest round trip of a round, after eight samples,
 * stands clearly above the smallest of the round before, a queue is building: growth slows to a quarter (Conservative
 * Slow Start). If the round trip falls back within five rounds it was jitter and slow start goes on; else ssthresh = cwnd.
 * For the first slow start only, while ssthresh has never been set (§4.3). One sample per ACK, taken by the caller: an ACK
 * for a superframe is one sample, so a path whose rounds bring fewer than eight ACKs is not judged. All-zero is the start.
 * Named deviation: L, what one ACK may add for a sender that does not pace, is 10 SMSS where §4.2 has 8: an initial window that
 * left at once is acknowledged at once by receivers that merge, and that ACK is to double it, as Linux's does. */
#ifndef TCP_HYSTART_H
#define TCP_HYSTART_H

#include "tcp/cc.h"

struct tcp_hystart {
	uint32_t window_end;     /* windowEnd */
	uint32_t last_min_us;    /* lastRoundMinRTT; 0: infinity, here and below */
	uint32_t cur_min_us;     /* currentRoundMinRTT */
	uint32_t baseline_us;    /* cssBaselineMinRtt; not 0: in Conservative Slow Start */
	uint8_t n_samples;       /* rttSampleCount, held at N_RTT_SAMPLE */
	uint8_t css_rounds;
	bool in_round;           /* window_end means something */
};

/* An ACK in the first slow start: cwnd grows if it was what held the sender; ssthresh is set when slow start is over. */
void tcp_hystart_ack(struct tcp_hystart *h, const struct tcp_cc_sample *s, struct tcp_cc_out *io);

#endif
