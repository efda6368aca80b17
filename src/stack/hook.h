/* stack/hook.h - the five points where NAT and filter will stand, as plain calls on the straight lines.
 *
 * A table belongs to the process, not to the arena; a stack without one has NULL. A hook may change p's headers. */
#ifndef STACK_HOOK_H
#define STACK_HOOK_H

#include "stack/via.h"

enum hook_point { HOOK_PRE_ROUTE, HOOK_LOCAL_IN, HOOK_FORWARD, HOOK_LOCAL_OUT, HOOK_POST_ROUTE, HOOK_COUNT };

struct stack_hooks {
	/* p (borrowed) begins at its IP header. DROP_NONE: it goes on. */
	enum drop (*at[HOOK_COUNT])(struct via *v, struct pkt *p);
};

static inline enum drop hook_run(struct via *v, enum hook_point at, struct pkt *p)
{
	return v->hooks && v->hooks->at[at] ? v->hooks->at[at](v, p) : DROP_NONE;
}
#endif
