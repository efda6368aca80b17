/* base/wheel.h - hierarchical timer wheel over arena objects.
 *
 * A timed object begins with its struct wheel_node, so a ref_t of the object is the ref_t of its node; `kind` tells the
 * owner what it is. A timer never fires before its deadline and at most one tick after it; timers of one tick fire in
 * the order they were armed. Arm, disarm: O(1). */
#ifndef BASE_WHEEL_H
#define BASE_WHEEL_H

#include "base/arena.h"

#define WHEEL_TICK_SHIFT 20 /* 2^20 ns = 1.05 ms */
#define WHEEL_LEVELS 5
#define WHEEL_SLOTS 64

struct wheel_node {
	ref_t next, prev;
	int64_t deadline; /* ns; meaningful while armed */
	uint16_t where;   /* slot + 1; 0: not armed */
	uint8_t kind;     /* the owner's */
	uint8_t pad[5];   /* free for the owner */
};

struct wheel {
	int64_t tick; /* all before it has fired */
	uint32_t n_armed;
	uint32_t pad;
	uint64_t busy[WHEEL_LEVELS]; /* bit per slot that holds something */
	/* last row: slot 0 is what is due, slot 1 what lies beyond the wheel */
	ref_t head[WHEEL_LEVELS + 1][WHEEL_SLOTS], tail[WHEEL_LEVELS + 1][WHEEL_SLOTS];
};

void wheel_init(struct wheel *w, int64_t now);
/* Arm, or move, the timer of `obj`. A deadline whose tick is over fires at the next wheel_expire(); one in the current tick
 * (now itself, too) fires when the tick ends. */
void wheel_arm(struct arena *a, struct wheel *w, ref_t obj, int64_t deadline);
void wheel_disarm(struct arena *a, struct wheel *w, ref_t obj);
/* One object whose deadline has come (now disarmed), or 0. */
ref_t wheel_expire(struct arena *a, struct wheel *w, int64_t now);
/* When to call wheel_expire() next: it makes progress then (something fires, or a slot is dealt out), and it is never later
 * than the earliest deadline rounded up to a tick. It may lie in the past. TIME_NEVER when nothing is armed. */
int64_t wheel_next(const struct wheel *w);

#endif
