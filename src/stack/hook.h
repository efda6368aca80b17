/* stack/hook.h - the five points where NAT and filter stand, as plain calls on the straight lines.
 *
 * A table belongs to the process, not to the arena; a stack without one has NULL, and a hook costs it one branch. A hook may change
 * p's headers; what they say is read again after pre-route. */
#ifndef STACK_HOOK_H
#define STACK_HOOK_H

#include "stack/via.h"

enum hook_point { HOOK_PRE_ROUTE, HOOK_LOCAL_IN, HOOK_FORWARD, HOOK_LOCAL_OUT, HOOK_POST_ROUTE, HOOK_COUNT };

struct stack_hooks {
	/* p (borrowed) begins at its IP header; in and out are interfaces, 0: made here, for us, or not known yet. DROP_NONE: it goes on. */
	enum drop (*at[HOOK_COUNT])(struct via *v, struct pkt *p, uint16_t in, uint16_t out);
};

static inline enum drop hook_run(struct via *v, enum hook_point at, struct pkt *p, uint16_t in, uint16_t out)
{
	return UNLIKELY(v->hooks != NULL) && v->hooks->at[at] ? v->hooks->at[at](v, p, in, out) : DROP_NONE;
}
#endif
