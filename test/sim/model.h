/* test/sim/model.h - what a bulk connection should carry, by the RFCs and not by our code: windows, round by round.
 *
 * No packets, no clock of events: a window of segments of which it is known which are lost, and how long each step takes. It is
 * written from RFC 5681 (slow start, congestion avoidance, a receiver that acknowledges every second segment), RFC 9438 (CUBIC),
 * RFC 9406 (HyStart++), RFC 8985 (RACK-TLP: loss is seen after a round trip, by a probe after two, or by the time-out), RFC 9937
 * (recovery ends with ssthresh in flight), RFC 6298 with the floor of 200 ms that Linux and we have, RFC 8961 (a lost repetition
 * is a signal, too). The bottleneck is a queue that drops its tail. Floating point; shares no code with src/. */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include <stdbool.h>
#include <stdint.h>

struct model {
	bool is_cubic;       /* else NewReno */
	double rtt;          /* s, without queueing */
	double rate;         /* segments/s */
	double buffer;       /* segments the queue holds */
	double seconds;
	const uint8_t *lost; /* by number of the segment behind the queue; those beyond n repeat from the start */
	uint32_t n;
};

/* Segments delivered. */
double model_run(const struct model *m);
/* Segments per round trip: RFC 9438 eq. 5 (average window of CUBIC under periodic loss p) and Reno's sqrt(1.5/p). */
double model_cubic_window(double rtt, double p);
double model_reno_window(double p);

#endif
