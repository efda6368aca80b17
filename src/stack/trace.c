/* stack/trace.c - tell the trace of a frame: what came, what left, what was dropped. Without a sink nothing is built. */
#include "stack/state.h"

bool stack_trace_id(struct via *v, struct pkt *p)
{
	if (!v->trace)
		return false;
	if (!p->m.id) /* given where a packet is made; it stays with it along its way */
		p->m.id = v->trace_base | ++v->st->trace_id;
	return true;
}

void stack_trace(struct via *v, enum trace_kind kind, struct pkt *p, uint16_t ifindex, uint32_t reason)
{
	if (!v->trace || (p && !stack_trace_id(v, p)))
		return;
	struct trace_event e = {.now = v->now, .stack = v->name, .kind = kind, .reason = reason, .ifindex = ifindex, .pkt = p};
	v->trace->emit(v->trace->ctx, &e);
}
