/* test/sim/model.h - what a bulk connection should carry, by the RFCs and not by our code.
 *
 * A sender, a path and a receiver of whole segments, simulated one segment and one ACK after the other; who reads it beside the RFCs
 * finds each of their variables, and nothing of src/.
 *
 * Sender: RFC 5681 (slow start, congestion avoidance, NewReno's halving), RFC 9438 (CUBIC), RFC 9406 (its first slow start), RFC 2018,
 * 3042 and 8985 (loss is found by SACK and RACK, or by a probe), RFC 9937 (PRR), RFC 6298 with Linux's floor (the variance counts as
 * 200 ms at least) and RFC 6675 §6 (a repetition restarts the timer). A lost repetition is a signal of its own (RFC 5681 §4.3).
 * Path: a queue that drops its tail, losses behind it by number, no reordering, no ACK lost. Receiver: RFC 5681 §4.2 and RFC 1122
 * §4.2.3.2 with Linux's 40 ms, the first 16 segments acknowledged at once as Linux does.
 *
 * Left out as it cannot arise there: D-SACK and undo (what is repeated was lost), a window of the receiver, Nagle, idle times. */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include <stdbool.h>
#include <stdint.h>

struct model {
	bool is_cubic;       /* else NewReno */
	double rtt;          /* s, without queueing */
	double rate;         /* segments/s */
	int buffer;          /* segments the queue holds, with the one that leaves */
	double seconds;      /* from connect() on */
	const uint8_t *lost; /* by number of the segment behind the queue; those beyond n repeat from the start */
	uint32_t n;
};

struct model_result {
	double delivered;    /* segments in order */
	double window;       /* cwnd, segments: its average over the second half of the time */
};

struct model_result model_run(const struct model *m);
/* Segments per round trip: RFC 9438 eq. 5 (average window of CUBIC under periodic loss p) and Reno's sqrt(1.5/p). */
double model_cubic_window(double rtt, double p);
double model_reno_window(double p);

#endif
