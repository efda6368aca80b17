/* test/sim/goodput.h - one cell of the goodput grid: one bulk connection a - r - b in virtual time.
 *
 * a to r: the bottleneck, RATE, a queue of `buffer` packets, no delay. r to b: half of the round trip each way, endless. Data
 * segments are lost behind the queue, by their number: at random by a seed, or every so many. Nothing else is lost but what the queue
 * drops, no ACK ever. Buffers are so large that the window is cwnd's alone. */
#ifndef SIM_GOODPUT_H
#define SIM_GOODPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define GOODPUT_RATE 100e6                      /* bit/s, frames with their Ethernet header */
#define GOODPUT_MSS 1448                        /* 1500 less IP, TCP and timestamps */
#define GOODPUT_FRAME (GOODPUT_MSS + 52 + 14)
#define GOODPUT_PAYLOAD_RATE (GOODPUT_RATE * GOODPUT_MSS / GOODPUT_FRAME)

struct goodput_cell {
	const char *cc;
	int rtt_ms;
	double loss;     /* share of data segments */
	bool is_periodic;/* every 1/loss-th one, else at random */
	int seconds;     /* of virtual time */
	int buffer;      /* packets */
};

struct goodput_result {
	bool is_there;   /* false: no such congestion control */
	uint64_t bytes;  /* that the receiver read */
	double bps;      /* the same over the time */
	double window;   /* cwnd in segments, average over the second half of the time */
	uint8_t *lost;   /* by number of the data segment behind the queue: 1 if it was lost; given (free) */
	uint32_t n;      /* data segments that came so far */
	uint64_t queue_drops, retransmitted;
};

void goodput_run(const struct goodput_cell *c, struct goodput_result *out);

#endif
