/* sock/events.c - readiness: edges, coalesced per endpoint.
 *
 * An endpoint with edges nobody has fetched is in tab->events once, however many edges it gathers, so the list cannot
 * overflow. An edge means "this became true, or became more": each arrival of stream data, of a datagram and of a
 * connection to accept is an edge again, so a user who waits for edges never sleeps over new data. */
#include "sock/endpoint.h"

void ep_edge(struct sock_env *env, struct endpoint *ep, uint32_t bits)
{
	if (!bits)
		return;
	ep->edges |= (uint16_t)bits;
	if (ep->flags & EPF_QUEUED)
		return;
	ep->flags |= EPF_QUEUED;
	list_push_tail(env->arena, &tab_of(env)->events, ep_ref(env, ep), offsetof(struct endpoint, ev));
}

void ep_unqueue(struct sock_env *env, struct endpoint *ep)
{
	if (ep->flags & EPF_QUEUED)
		list_remove(env->arena, &tab_of(env)->events, ep_ref(env, ep), offsetof(struct endpoint, ev));
	ep->flags &= ~(uint32_t)EPF_QUEUED;
}

int sock_events(struct sock_env *env, struct via_event *ev, int max)
{
	int n = 0;
	while (n < max) {
		ref_t r = list_pop_head(env->arena, &tab_of(env)->events, offsetof(struct endpoint, ev));
		if (!r)
			break;
		struct endpoint *ep = ep_at(env, r);
		ev[n++] = (struct via_event){.sock = ep->handle, .cookie = ep->cookie, .edges = ep->edges};
		ep->edges = 0;
		ep->flags &= ~(uint32_t)EPF_QUEUED;
	}
	return n;
}

uint32_t sock_ready(struct sock_env *env, via_sock s)
{
	struct endpoint *ep = ep_of(env, s);
	if (!ep)
		return VIA_ERR | VIA_HUP;
	uint32_t bits = ep->type == VIA_STREAM ? stream_ready(env, ep) : dgram_ready(ep);
	return ep->err ? bits | VIA_ERR : bits;
}
