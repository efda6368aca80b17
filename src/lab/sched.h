/* lab/sched.h - who is next: an indexed binary heap of nodes by the time they want to be polled. What a link holds counts
 * through its receiving node (link.h wakes it), so an event costs O(log nodes). Equal times: first come, first served. */
#ifndef LAB_SCHED_H
#define LAB_SCHED_H

#include "base/defs.h"

struct sched_item {
	int64_t when;
	uint64_t order; /* ticket among equal times */
	int at;         /* position in the heap, -1: not in it */
};
struct sched {
	struct sched_item *item; /* by node */
	int *heap;               /* node numbers */
	int n, cap;
	uint64_t ticket;
};

int sched_init(struct sched *s, int n); /* 0 or -ENOMEM */
void sched_fini(struct sched *s);
/* Node i wants to run at `when` (TIME_NEVER: not at all), whatever it said before. */
void sched_set(struct sched *s, int i, int64_t when);
/* The same if it is earlier than before. */
void sched_lower(struct sched *s, int i, int64_t when);
/* The earliest time, or TIME_NEVER; *i, if not NULL, is its node. */
int64_t sched_first(const struct sched *s, int *i);

#endif
