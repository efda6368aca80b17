/* test/sim/watch.h - what must hold after every event of a run, read from the stacks and never written:
 *
 *   - what is in flight is exactly the ranges, their marks add up to the cached totals, and so to the pipe (RFC 6675)
 *   - data leaves only while the pipe is below cwnd (limited transmit and a probe excepted) and inside the peer's window (CC-022)
 *   - a window offered never shrinks (RFC 9293 §3.8.6 SHLD-14), and nothing is taken beyond it
 *   - a timer is armed while data is in flight, or waits with nothing in flight, and it is not overdue
 *   - every frame of a link is delivered, dropped by name, or under way; every packet of a stack likewise */
#ifndef SIM_WATCH_H
#define SIM_WATCH_H

#include "lab/state.h"

#define WATCH_CONNS 256

struct watch_conn {
	ref_t ref;
	int node;
	uint32_t iss;
	uint32_t snd_una, snd_nxt, edge, cwnd, rcv_adv;
	bool has_window;
};

struct watch {
	struct lab *l;
	bool is_wild;             /* segments are mangled: what the peer is told may be false */
	int64_t start;            /* of the run, for messages */
	uint64_t events, checks;
	struct watch_conn conn[WATCH_CONNS];
	int n;
	char why[320];            /* the first thing that did not hold; empty: none */
};

void watch_init(struct watch *w, struct lab *l, bool is_wild);
/* After an event. False: something does not hold, see why. */
bool watch_event(struct watch *w);
/* Frames and packets: nothing vanished. */
bool watch_conserves(struct watch *w);
/* After everything closed and timed out: no queue holds anything, TCP lists nothing. */
bool watch_is_idle(struct watch *w);

#endif
