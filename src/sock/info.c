/* sock/info.c - what `ss` shows: every endpoint without a connection, then every TCP node, owned or not.
 *
 * The cursor is (phase << 32 | where): phase 0 walks the handle slots, phase 1 TCP's nodes. Sockets that come or go
 * during a walk may be missed or not; none is shown twice. */
#include "sock/endpoint.h"

#include <errno.h>

#define PHASE_NODES (UINT64_C(1) << 32)

/* Of a connection without a socket (yet, or any more) its addresses tell the family. */
static void family_info(const struct endpoint *ep, struct via_sock_info *o)
{
	o->is_v6 = ep ? ep->flags & EPF_V6 : !via_addr_is_v4(&o->local.addr);
	o->v6_only = ep && ep->flags & EPF_V6 && ep->flags6 & EP6_ONLY;
}

static void endpoint_info(struct sock_env *env, const struct endpoint *ep, struct via_sock_info *o)
{
	o->type = (enum via_type)ep->type;
	o->local = (struct via_sockaddr){ep->local, ep->lport};
	o->remote = (struct via_sockaddr){ep->remote, ep->rport};
	family_info(ep, o);
	if (ep->type != VIA_STREAM) {
		o->rcv_queue = ep->charged;
		return;
	}
	o->tcp_state = ep->state == EP_LISTEN ? TCP_LISTEN : TCP_CLOSED;
	if (ep->state == EP_LISTEN)
		tcp_listener_info(env->tcp, ep->tcp, o);
}

static void node_info(struct sock_env *env, ref_t node, struct via_sock_info *o)
{
	const struct tcp_node *n = tcp_node_at(env->tcp, node);
	const struct tcp_path *p = env->ops->path_at(env->ctx, n->path);
	o->type = VIA_STREAM;
	o->local = (struct via_sockaddr){p->local, n->lport};
	o->remote = (struct via_sockaddr){p->remote, n->rport};
	ref_t owner = tcp_node_info(env->tcp, node, o);
	family_info(owner ? ep_at(env, owner) : NULL, o);
}

/* What the caller asks for; his struct may be older and shorter. */
static struct via_sock_info info_take(const struct via_sock_info *out)
{
	struct via_sock_info o = {.size = sizeof(o)};
	if (out->size >= offsetof(struct via_sock_info, tcp_info_len) + sizeof(o.tcp_info_len)) {
		o.tcp_info = out->tcp_info;
		o.tcp_info_len = out->tcp_info ? out->tcp_info_len : 0;
	}
	if (out->size >= offsetof(struct via_sock_info, cc_info_len) + sizeof(o.cc_info_len)) {
		o.cc_info = out->cc_info;
		o.cc_info_len = out->cc_info ? out->cc_info_len : 0;
	}
	return o;
}

static void info_give(struct via_sock_info *out, struct via_sock_info *o)
{
	if (o->type != VIA_STREAM || o->tcp_state == TCP_CLOSED)
		o->tcp_info_len = o->cc_info_len = 0;
	o->size = out->size;
	memcpy(out, o, MIN(out->size, sizeof(*o)));
}

int sock_info(struct sock_env *env, via_sock s, struct via_sock_info *out)
{
	const struct endpoint *ep = ep_of(env, s);
	if (!ep)
		return -EBADF;
	if (out->size < sizeof(out->size))
		return -EINVAL;
	struct via_sock_info o = info_take(out);
	if (ep->type == VIA_STREAM && ep->state == EP_CONN && !stream_is_over(env, ep))
		node_info(env, ep->tcp, &o);
	else
		endpoint_info(env, ep, &o);
	info_give(out, &o);
	return 0;
}

bool sock_next(struct sock_env *env, uint64_t *cursor, struct via_sock_info *out)
{
	const struct sock_tab *t = tab_of(env);
	if (out->size < sizeof(out->size))
		return false;
	struct via_sock_info o = info_take(out);
	while (*cursor < PHASE_NODES) {
		if (*cursor >= t->n_slots) {
			*cursor = PHASE_NODES;
			break;
		}
		const struct sock_slot *s = (const struct sock_slot *)arena_at(env->arena, t->slots) + (*cursor)++;
		const struct endpoint *ep = s->gen ? ep_at(env, s->ep) : NULL;
		if (!ep || (ep->type == VIA_STREAM && ep->state == EP_CONN && !stream_is_over(env, ep)))
			continue;
		endpoint_info(env, ep, &o);
		info_give(out, &o);
		return true;
	}
	/* A closed connection was shown with its endpoint, or waits for its last packets only. */
	do {
		ref_t node = tcp_node_next(env->tcp, (ref_t)*cursor);
		if (!node)
			return false;
		*cursor = PHASE_NODES | node;
		node_info(env, node, &o);
	} while (o.tcp_state == TCP_CLOSED);
	info_give(out, &o);
	return true;
}
