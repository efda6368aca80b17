/* drill/run.h - run scripts: one stack each, in virtual time, nothing of this machine's network.
 *
 * A script gets a fresh stack with two callbacks as its link: what the stack sends is kept to be matched with the packets that
 * the script expects, what the script injects is pushed in. Time goes from event to event and from timer to timer, so
 * nothing waits, and everything random comes from a fixed seed: two runs are the same, byte for byte. */
#ifndef DRILL_RUN_H
#define DRILL_RUN_H

#include "base/defs.h"
#include <stdio.h>

enum drill_status { DRILL_PASSED = 0, DRILL_FAILED = 1, DRILL_WRONG = 2 /* the script cannot be read */ };

struct drill_how {
	FILE *out;      /* every event, if verbose; results are the caller's */
	FILE *err;      /* why a script failed: "FILE:LINE: sentence", then what was expected and what was seen */
	bool verbose;
	bool strict;    /* packets that no event expects fail the script, to its end; timestamp echoes are compared */
	int64_t tolerance_ns; /* of times; < 0: the script's, else 4 ms and an eighth of the time waited, as packetdrill */
};

struct drill_done {
	int n_events;       /* run */
	int64_t virtual_ns; /* how long it lasted in the stack's time */
};

/* Run a script of `len` bytes; `name` is for messages. */
enum drill_status drill_run(const char *name, const char *text, size_t len, const struct drill_how *how, struct drill_done *done);

#endif
