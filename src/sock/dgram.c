/* sock/dgram.c - what UDP and ping sockets share: the receive queue, the peer, the way out.
 *
 * A queued packet is led by a struct dgram_tag that tells where it came from; its memory is charged by true size to
 * SO_RCVBUF, and one datagram always fits. Payload of a few bytes is made linear, so it does not pin a block. */
#include "sock/endpoint.h"

#include <errno.h>
#include <netinet/in.h>

struct dgram_tag {
	struct via_addr from, to;
	uint16_t port, lport;
};

/* A packet with room for the tag in front: p itself, or a fresh one (p is freed); NULL when memory is out (p is freed). */
static struct pkt *with_room(struct sock_env *env, struct pkt *p)
{
	if (p->head >= sizeof(struct dgram_tag))
		return p;
	struct pkt *q = pkt_new(env->mem, sizeof(struct dgram_tag));
	bool ok = q && !pkt_append(env->mem, q, pkt_data(p), p->head_len);
	for (uint32_t i = 0; ok && i < p->n_slices; i++)
		ok = !pkt_append_slice(env->mem, q, p->slices[i].blk, p->slices[i].off, p->slices[i].len);
	if (ok) {
		q->m = p->m;
		q->more = p->more;
		q->len = p->len;
		p->more = 0;
	}
	pkt_free(env->mem, p);
	if (ok)
		return q;
	pkt_free(env->mem, q);
	return NULL;
}

enum drop dgram_queue(struct sock_env *env, struct endpoint *ep, struct pkt *p, const struct via_addr *from,
		      uint16_t port, const struct via_addr *to, uint16_t lport)
{
	if ((p->n_slices || p->more) && p->len <= PKT_LINEAR - p->head)
		pkt_pullup(env->mem, p, p->len);
	p = with_room(env, p);
	if (!p)
		return DROP_NO_MEMORY;
	uint32_t size = pkt_pins(env->mem, p);
	if (ep->charged && ep->charged + size > ep_rcvbuf(env, ep)) {
		pkt_free(env->mem, p);
		return DROP_UDP_RCVBUF;
	}
	struct dgram_tag tag = {.from = *from, .to = *to, .port = port, .lport = lport};
	memcpy(pkt_push(p, sizeof(tag)), &tag, sizeof(tag));
	ep->charged += size;
	pktq_push(env->mem, &ep->q, p);
	ep_edge(env, ep, VIA_IN);
	return DROP_NONE;
}

static void dgram_pop(struct sock_env *env, struct endpoint *ep)
{
	struct pkt *p = pktq_pop(env->mem, &ep->q);
	ep->charged -= pkt_pins(env->mem, p);
	pkt_free(env->mem, p);
}

int64_t dgram_recv(struct sock_env *env, struct endpoint *ep, void *data, uint32_t len, int flags,
		   struct via_sockaddr *from, struct via_sockaddr *local)
{
	if (ep->err)
		return ep_err_take(ep);
	struct pkt *p = pktq_peek(env->mem, &ep->q);
	if (!p)
		return ep->flags & EPF_SHUT_RD ? 0 : -EAGAIN;
	struct dgram_tag tag;
	memcpy(&tag, pkt_data(p), sizeof(tag));
	uint32_t whole = p->len - (uint32_t)sizeof(tag);
	uint32_t n = len && whole ? pkt_copy_out(env->mem, p, sizeof(tag), data, MIN(len, whole)) : 0;
	if (from)
		*from = (struct via_sockaddr){tag.from, tag.port};
	if (local)
		*local = (struct via_sockaddr){tag.to, tag.lport};
	if (!(flags & VIA_PEEK))
		dgram_pop(env, ep);
	return flags & VIA_TRUNC ? whole : n;
}

int dgram_peek(struct sock_env *env, struct endpoint *ep, struct via_iov *iov, int n)
{
	if (ep->err)
		return ep_err_take(ep);
	struct pkt *p = pktq_peek(env->mem, &ep->q);
	if (!p)
		return ep->flags & EPF_SHUT_RD ? 0 : -EAGAIN;
	int k = 0;
	uint32_t tag = sizeof(struct dgram_tag);
	for (; p && k < n; p = p->more ? pkt_at(env->mem, p->more) : NULL, tag = 0) {
		iov[k++] = (struct via_iov){pkt_data(p) + tag, p->head_len - tag};
		for (uint32_t i = 0; i < p->n_slices && k < n; i++)
			iov[k++] = (struct via_iov){blk_data(env->mem, p->slices[i].blk) + p->slices[i].off, p->slices[i].len};
	}
	return k;
}

int dgram_consume(struct sock_env *env, struct endpoint *ep)
{
	if (!ep->q.n)
		return -EAGAIN;
	dgram_pop(env, ep);
	return 0;
}

uint32_t dgram_inq(const struct sock_env *env, const struct endpoint *ep)
{
	const struct pkt *p = ep->q.head ? pkt_at(env->mem, ep->q.head) : NULL;
	return p ? p->len - (uint32_t)sizeof(struct dgram_tag) : 0;
}

uint32_t dgram_ready(const struct endpoint *ep)
{
	uint32_t bits = VIA_OUT | (ep->q.n || ep->err ? VIA_IN : 0);
	if (ep->flags & EPF_SHUT_RD)
		bits |= VIA_IN | VIA_RDHUP;
	if (ep->flags & EPF_SHUT_RD && ep->flags & EPF_SHUT_WR)
		bits |= VIA_HUP;
	return bits;
}

int dgram_shutdown(struct sock_env *env, struct endpoint *ep, enum via_how how)
{
	if (how != VIA_SHUT_WR)
		ep->flags |= EPF_SHUT_RD;
	if (how != VIA_SHUT_RD)
		ep->flags |= EPF_SHUT_WR;
	ep_edge(env, ep, dgram_ready(ep) & (VIA_IN | VIA_RDHUP | VIA_HUP));
	return ep->state == EP_CONN ? 0 : -ENOTCONN;
}

/* Leave the peer. What bind() did not fix becomes open again (Linux: __udp_disconnect). */
static void dgram_disconnect(struct sock_env *env, struct endpoint *ep)
{
	if (ep->state != EP_CONN)
		return;
	if (ep->type == VIA_DGRAM)
		demux_pair_del(env, ep);
	ep->state = EP_IDLE;
	ep->remote = ep_any(ep);
	ep->rport = 0;
	uint16_t port = ep->flags & EPF_PORT_BOUND ? ep->lport : 0;
	if (port && ep->flags & EPF_ADDR_BOUND) {
		port_receives(env, ep, true);
		return;
	}
	port_release(env, ep);
	if (!(ep->flags & EPF_ADDR_BOUND))
		ep->local = ep_any(ep);
	ep->lport = 0;
	/* It had the port a moment ago at one address; at all addresses another may stand in the way, then it is unbound. */
	if (port && port_bind(env, ep, port))
		ep->flags &= ~(uint32_t)EPF_PORT_BOUND;
}

/* Fix the local address of a socket bound to any: its use moves to that address. */
static int dgram_settle(struct sock_env *env, struct endpoint *ep, const struct via_addr *local)
{
	if (ep->use && via_addr_eq(&ep->local, local))
		return 0;
	uint16_t port = ep->lport;
	struct via_addr was = ep->local;
	port_release(env, ep);
	ep->local = *local;
	int e = port_bind(env, ep, port);
	if (e) {
		ep->local = was;
		ep->lport = 0;
		if (port && port_bind(env, ep, port))
			ep->flags &= ~(uint32_t)EPF_PORT_BOUND;
	}
	return e;
}

/* A broadcast is for sockets that said SO_BROADCAST (Linux: udp_sendmsg, __ip4_datagram_connect). */
static bool dgram_is_refused(const struct sock_env *env, const struct endpoint *ep, ref_t path)
{
	return env->ops->path_at(env->ctx, path)->is_broadcast && !(ep->flags & EPF_BROADCAST);
}

/* What it sends from: one that is bound to a group has no address of its own (Linux: inet_saddr). */
static struct via_addr dgram_source(const struct endpoint *ep)
{
	if (!via_addr_is_multicast(&ep->local))
		return ep->local;
	return via_addr_is_v4(&ep->local) ? via_addr_v4(0) : (struct via_addr){.scope = 0};
}

int dgram_connect(struct sock_env *env, struct endpoint *ep, const struct via_sockaddr *remote)
{
	if (via_addr_is_any(&remote->addr) && !remote->port) {
		dgram_disconnect(env, ep);
		return 0;
	}
	struct via_addr dst = addr_or_loopback(&remote->addr);
	ep_adopt(ep, &dst);
	group_scope(env, ep, &dst);
	const struct via_addr from = dgram_source(ep);
	ref_t path;
	int e = env->ops->path_get(env->ctx, &from, &dst, &path);
	if (e)
		return e;
	struct via_addr local = env->ops->path_at(env->ctx, path)->local;
	dst = env->ops->path_at(env->ctx, path)->remote; /* with its scope */
	bool refused = dgram_is_refused(env, ep, path);
	env->ops->path_drop(env->ctx, path);
	if (refused)
		return -EACCES;
	if (via_addr_is_any(&ep->local) || !ep->use)
		e = dgram_settle(env, ep, &local);
	if (e)
		return e == -EADDRINUSE ? -EAGAIN : e;
	if (ep->type == VIA_DGRAM && ep->state == EP_CONN)
		demux_pair_del(env, ep);
	else if (ep->type == VIA_DGRAM)
		port_receives(env, ep, false);
	ep->remote = dst;
	ep->rport = remote->port;
	ep->state = EP_CONN;
	if (ep->type == VIA_DGRAM)
		demux_pair_add(env, ep);
	return 0;
}

int dgram_route(struct sock_env *env, struct endpoint *ep, const struct via_sockaddr *to, bool as_other, struct via_sockaddr *dst,
		struct via_sockaddr *src)
{
	if (ep->flags & EPF_SHUT_WR)
		return -EPIPE;
	if (!to && ep->state != EP_CONN)
		return -EDESTADDRREQ;
	if (ep->err)
		return ep_err_take(ep);
	*dst = to ? (struct via_sockaddr){addr_or_loopback(&to->addr), to->port} : (struct via_sockaddr){ep->remote, ep->rport};
	if (ep->type == VIA_DGRAM && !dst->port)
		return -EINVAL;
	ep_adopt(ep, &dst->addr);
	group_scope(env, ep, &dst->addr);
	const struct via_addr from = as_other ? src->addr : dgram_source(ep);
	ref_t path;
	int e = env->ops->path_get(env->ctx, &from, &dst->addr, &path);
	if (e)
		return e;
	src->addr = env->ops->path_at(env->ctx, path)->local;
	bool refused = dgram_is_refused(env, ep, path);
	env->ops->path_drop(env->ctx, path);
	if (refused)
		return -EACCES;
	if (as_other)
		return 0;
	e = ep->use ? 0 : port_bind(env, ep, 0);
	src->port = ep->lport;
	return e == -EADDRINUSE ? -EAGAIN : e;
}

/* What IP_MTU_DISCOVER allows to be done to a datagram that is too large. */
static enum pkt_cut dgram_cut(int32_t mtu_discover)
{
	switch (mtu_discover) {
	case IP_PMTUDISC_DONT:
	case IP_PMTUDISC_OMIT:
		return PKT_CUT_ANY;
	case IP_PMTUDISC_WANT:
		return PKT_CUT_HERE;
	case IP_PMTUDISC_DO:
		return PKT_CUT_NEVER;
	default:
		return PKT_CUT_PROBE;
	}
}

int dgram_tx(struct sock_env *env, struct endpoint *ep, struct pkt *p, const struct via_addr *src, const struct via_addr *dst)
{
	const struct ep_opts *o = ep_opts_of(env, ep);
	p->m.cut = (uint8_t)dgram_cut(o->mtu_discover);
	bool to_group = via_addr_is_multicast(dst);
	int32_t ttl = to_group ? o->mcast_ttl : o->ttl;
	if (to_group)
		p->m.loop = !ttl ? PKT_LOOP_ONLY : ep->flags & EPF_NO_MCAST_LOOP ? PKT_LOOP_NONE : PKT_LOOP_TOO;
	if (to_group && !ttl)
		ttl = 1; /* 0 would be the default */
	int e = env->ops->tx_datagram(env->ctx, p, ep_proto(ep), src, dst, ttl < 0 ? 0 : (uint8_t)ttl, (uint8_t)o->tos);
	/* A full queue below is a loss like any other unless the user wants to know (Linux: udp_send_skb). */
	if (e == -EAGAIN || e == -ENOBUFS || e == -ENOMEM)
		return ep->flags & EPF_RECVERR ? -ENOBUFS : 0;
	return e;
}
