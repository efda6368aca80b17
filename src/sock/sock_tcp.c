/* sock/sock_tcp.c - stream endpoints: the user's calls on one side, TCP's notifications on the other.
 *
 * EP_IDLE -> EP_LISTEN or EP_CONN -> EP_DEAD. A connection that ended may stay as CLOSED, with unread bytes and its error,
 * until the endpoint lets go of it; or TCP says TCP_EV_CLOSED and takes it away, then the endpoint answers from what it
 * kept: EOF seen, error pending, addresses. Errno and poll bits follow Linux (net/ipv4/tcp.c, af_inet.c): RFC 9293
 * §3.9.1 leaves them open. */
#include "sock/endpoint.h"

#include <errno.h>

static bool is_connecting(enum tcp_state st)
{
	return st == TCP_SYN_SENT || st == TCP_SYN_RECEIVED;
}

/* Back to a socket that was never connected; what bind() fixed stays. */
static void stream_forget(struct sock_env *env, struct endpoint *ep)
{
	ep->state = EP_IDLE;
	ep->flags &= ~(uint32_t)(EPF_EOF | EPF_ESTABLISHED | EPF_SHUT_RD | EPF_SHUT_WR);
	ep->remote = ep_any(ep);
	ep->rport = 0;
	if (!(ep->flags & EPF_ADDR_BOUND))
		ep->local = ep_any(ep);
	if (!ep->use)
		ep->lport = 0;
}

void stream_close(struct sock_env *env, struct endpoint *ep, bool reset)
{
	ref_t r = ep->tcp;
	ep->tcp = 0;
	if (!r)
		return;
	if (ep->state == EP_LISTEN) {
		port_receives(env, ep, false);
		tcp_user_unlisten(env->tcp, r);
	} else {
		tcp_user_close(env->tcp, r, reset);
	}
}

bool stream_is_over(struct sock_env *env, const struct endpoint *ep)
{
	return ep->state == EP_DEAD || (ep->state == EP_CONN && tcp_conn_state(env->tcp, ep->tcp) == TCP_CLOSED);
}

/* connect() on what is not idle: the errno, or 0 when a new attempt may start. */
static int stream_reconnect(struct sock_env *env, struct endpoint *ep)
{
	if (ep->state == EP_IDLE)
		return 0;
	if (ep->state == EP_LISTEN || (ep->flags & EPF_ESTABLISHED && stream_is_over(env, ep)))
		return -EISCONN;
	if (!stream_is_over(env, ep))
		return is_connecting(tcp_conn_state(env->tcp, ep->tcp)) && !tcp_user_waits(env->tcp, ep->tcp) ? -EALREADY : -EISCONN;
	/* The last attempt failed. Its error, if nobody fetched it yet, is this call's answer; else this is a new one. */
	int e = -stream_error(env, ep);
	stream_close(env, ep, false);
	stream_forget(env, ep);
	return e;
}

/* Take the connection's addresses over, to have them when it is gone. */
static void stream_names(struct sock_env *env, struct endpoint *ep)
{
	const struct tcp_node *n = tcp_node_at(env->tcp, ep->tcp);
	const struct tcp_path *p = env->ops->path_at(env->ctx, n->path);
	ep->local = p->local;
	ep->remote = p->remote;
	ep->lport = n->lport;
	ep->rport = n->rport;
}

/* A free local port for the chosen pair of addresses. 0, -EADDRNOTAVAIL. */
static int stream_port(struct sock_env *env, struct endpoint *ep, const struct tcp_path *p, uint16_t rport, uint16_t *lport)
{
	*lport = ep->use ? ep->lport : port_auto(env, &p->local, &p->remote, rport);
	if (!*lport || (ep->use && demux_node(env, &p->local, *lport, &p->remote, rport)))
		return -EADDRNOTAVAIL;
	return 0;
}

/* fastopen: text may go on the SYN. */
static int stream_open(struct sock_env *env, struct endpoint *ep, const struct via_sockaddr *remote, bool fastopen)
{
	int e = stream_reconnect(env, ep);
	if (e)
		return e;
	struct via_addr dst = addr_or_loopback(&remote->addr);
	ep_adopt(ep, &dst);
	if (via_addr_is_multicast(&dst))
		return -ENETUNREACH;
	ref_t path;
	e = env->ops->path_get(env->ctx, &ep->local, &dst, &path);
	if (e)
		return e;
	uint16_t lport = 0;
	e = env->ops->path_at(env->ctx, path)->is_broadcast ? -ENETUNREACH : 0;
	if (!e)
		e = stream_port(env, ep, env->ops->path_at(env->ctx, path), remote->port, &lport);
	if (e) {
		env->ops->path_drop(env->ctx, path);
		return e;
	}
	struct tcp_opts o;
	ep_tcp_opts(env, ep, &o);
	o.fastopen = (o.fastopen || fastopen) && tcp_settings_of(env->tcp)->fastopen & TCP_FASTOPEN_CLIENT;
	e = tcp_user_connect(env->tcp, path, lport, remote->port, &o, ep_ref(env, ep), &ep->tcp);
	if (e) {
		ep->tcp = 0;
		return e;
	}
	ep->state = EP_CONN;
	stream_names(env, ep);
	if (!tcp_user_waits(env->tcp, ep->tcp))
		return -EINPROGRESS;
	ep_edge(env, ep, VIA_OUT); /* as if connected: the first send opens (TCP_FASTOPEN_CONNECT) */
	return 0;
}

int stream_connect(struct sock_env *env, struct endpoint *ep, const struct via_sockaddr *remote)
{
	return stream_open(env, ep, remote, false);
}

int stream_fastopen(struct sock_env *env, struct endpoint *ep, const struct via_sockaddr *to)
{
	if (!(tcp_settings_of(env->tcp)->fastopen & TCP_FASTOPEN_CLIENT))
		return -EOPNOTSUPP;
	if (ep->state == EP_CONN && !stream_is_over(env, ep))
		return is_connecting(tcp_conn_state(env->tcp, ep->tcp)) && !tcp_user_waits(env->tcp, ep->tcp) ? -EALREADY : 0;
	return to ? stream_open(env, ep, to, true) : -EINVAL;
}

void stream_listener_fastopen(struct sock_env *env, struct endpoint *ep)
{
	const struct ep_opts *v = ep_opts_of(env, ep);
	struct tcp_listener *l = tcp_listener_at(env->tcp, ep->tcp);
	uint16_t all = TCP_FASTOPEN_SERVER | TCP_FASTOPEN_EVERY_LISTENER;
	l->fo_max = (uint32_t)v->fastopen;
	if (!l->fo_max && (tcp_settings_of(env->tcp)->fastopen & all) == all)
		l->fo_max = l->backlog;
	l->fo_n_keys = v->fastopen_key_len / TCP_FO_KEY_LEN;
	tcp_fastopen_keys(v->fastopen_key, v->fastopen_key_len, l->fo_keys);
}

int stream_listen(struct sock_env *env, struct endpoint *ep, int backlog)
{
	uint32_t n = backlog < 0 || backlog > SOCK_BACKLOG_MAX ? SOCK_BACKLOG_MAX : (uint32_t)backlog;
	if (ep->state == EP_LISTEN) {
		tcp_listener_at(env->tcp, ep->tcp)->backlog = n;
		return 0;
	}
	if (ep->state != EP_IDLE)
		return -EINVAL;
	int e = ep->use ? 0 : port_bind(env, ep, 0);
	if (e)
		return e;
	if (!port_may_listen(env, ep))
		return -EADDRINUSE;
	struct tcp_opts o;
	ep_tcp_opts(env, ep, &o);
	ep->tcp = tcp_user_listen(env->tcp, &ep->local, ep->lport, n, &o, ep_ref(env, ep));
	if (!ep->tcp)
		return -ENOMEM;
	ep->state = EP_LISTEN;
	stream_listener_fastopen(env, ep);
	port_receives(env, ep, true);
	return 0;
}

/* A child begins with its listener's options, as in Linux. 0 or -ENOMEM. */
static int stream_inherit(struct sock_env *env, struct endpoint *ep, const struct endpoint *from)
{
	ep->flags |= from->flags & EPF_INHERITED;
	if (!from->opts)
		return 0;
	struct ep_opts *o = ep_opts_own(env, ep);
	if (!o)
		return -ENOMEM;
	*o = *ep_opts_of(env, from);
	return 0;
}

int stream_accept(struct sock_env *env, struct endpoint *ep, uint64_t cookie, via_sock *out, struct via_sockaddr *peer)
{
	if (ep->state != EP_LISTEN)
		return -EINVAL;
	if (!tcp_listener_at(env->tcp, ep->tcp)->accept.n)
		return -EAGAIN;
	struct endpoint *child;
	int e = ep_new(env, VIA_STREAM, cookie, &child);
	if (e)
		return e;
	e = stream_inherit(env, child, ep);
	if (!e) {
		child->tcp = tcp_user_accept(env->tcp, ep->tcp, ep_ref(env, child));
		e = child->tcp ? 0 : -EAGAIN;
	}
	if (e) {
		ep_free(env, child);
		return e;
	}
	child->state = EP_CONN;
	child->flags |= EPF_ESTABLISHED;
	stream_names(env, child);
	*out = child->handle;
	if (peer)
		*peer = (struct via_sockaddr){child->remote, child->rport};
	/* Whoever waits for edges must learn what is true already. */
	ep_edge(env, child, stream_ready(env, child));
	return 0;
}

int64_t stream_send(struct sock_env *env, struct endpoint *ep, const void *data, uint32_t len, int flags)
{
	if (ep->err)
		return ep_err_take(ep);
	if (ep->state != EP_CONN || ep->flags & EPF_SHUT_WR)
		return -EPIPE;
	if (flags & VIA_OOB)
		return tcp_user_send_oob(env->tcp, ep->tcp, data, len);
	return tcp_user_send(env->tcp, ep->tcp, data, len, flags & VIA_MORE);
}

/* MSG_TRUNC on a stream: throw away instead of copying. */
static int64_t stream_discard(struct sock_env *env, struct endpoint *ep, uint32_t len)
{
	uint32_t n = MIN(len, tcp_user_inq(env->tcp, ep->tcp));
	int e = tcp_user_recv_consume(env->tcp, ep->tcp, n);
	return e < 0 ? e : (int64_t)n;
}

/* MSG_OOB: one octet, or an errno, whatever else could be read (as Linux). */
static int64_t stream_recv_oob(struct sock_env *env, struct endpoint *ep, void *data, uint32_t len, int flags)
{
	uint8_t octet;
	if (ep->state == EP_LISTEN)
		return -ENOTCONN;
	int n = ep->state == EP_CONN ? tcp_user_recv_oob(env->tcp, ep->tcp, &octet, flags & VIA_PEEK) : -EINVAL;
	if (n > 0 && len && !(flags & VIA_TRUNC))
		*(uint8_t *)data = octet;
	return n > 0 && !len ? 0 : n;
}

int64_t stream_recv(struct sock_env *env, struct endpoint *ep, void *data, uint32_t len, int flags)
{
	if (flags & VIA_OOB)
		return stream_recv_oob(env, ep, data, len, flags);
	if (ep->state == EP_DEAD) {
		/* After the peer's FIN a reader sees the end, whatever came later. */
		if (ep->flags & EPF_EOF)
			return 0;
		return ep->err ? ep_err_take(ep) : ep->flags & EPF_ESTABLISHED ? 0 : -ENOTCONN;
	}
	if (ep->state != EP_CONN)
		return ep->err ? ep_err_take(ep) : -ENOTCONN;
	if (!len)
		return 0;
	if (flags & VIA_TRUNC && !(flags & VIA_PEEK) && tcp_user_inq(env->tcp, ep->tcp))
		return stream_discard(env, ep, len);
	return tcp_user_recv(env->tcp, ep->tcp, data, len, flags & VIA_PEEK);
}

/* shutdown() of a listener or a half-open attempt ends it (Linux: inet_shutdown). */
static int stream_disconnect(struct sock_env *env, struct endpoint *ep)
{
	stream_close(env, ep, true);
	stream_forget(env, ep);
	ep_edge(env, ep, VIA_IN | VIA_OUT | VIA_RDHUP | VIA_HUP);
	return 0;
}

int stream_shutdown(struct sock_env *env, struct endpoint *ep, enum via_how how)
{
	bool rd = how != VIA_SHUT_WR, wr = how != VIA_SHUT_RD;
	if (ep->state == EP_LISTEN)
		return rd ? stream_disconnect(env, ep) : 0;
	if (ep->state != EP_CONN || stream_is_over(env, ep))
		return -ENOTCONN;
	if (tcp_conn_state(env->tcp, ep->tcp) == TCP_SYN_SENT)
		return stream_disconnect(env, ep);
	if (rd && !(ep->flags & EPF_SHUT_RD)) {
		ep->flags |= EPF_SHUT_RD;
		tcp_user_shutdown_rd(env->tcp, ep->tcp);
	}
	if (wr && !(ep->flags & EPF_SHUT_WR)) {
		ep->flags |= EPF_SHUT_WR;
		tcp_user_shutdown_wr(env->tcp, ep->tcp);
	}
	ep_edge(env, ep, stream_ready(env, ep) & (VIA_RDHUP | VIA_HUP | (rd ? VIA_IN : 0) | (wr ? VIA_OUT : 0)));
	return 0;
}

/* As tcp_poll() of Linux. */
uint32_t stream_ready(struct sock_env *env, const struct endpoint *ep)
{
	switch ((enum ep_state)ep->state) {
	case EP_IDLE:
		return VIA_OUT | VIA_HUP;
	case EP_LISTEN:
		return tcp_listener_at(env->tcp, ep->tcp)->accept.n ? VIA_IN : 0;
	case EP_DEAD:
		return VIA_IN | VIA_OUT | VIA_RDHUP | VIA_HUP;
	case EP_CONN:
		break;
	}
	uint32_t bits = tcp_user_ready(env->tcp, ep->tcp);
	if (ep->flags & EPF_SHUT_RD || ep->flags & EPF_EOF)
		bits |= VIA_IN | VIA_RDHUP;
	if (ep->flags & EPF_SHUT_WR)
		bits |= VIA_OUT;
	if (ep->flags & EPF_SHUT_WR && ep->flags & (EPF_SHUT_RD | EPF_EOF))
		bits |= VIA_HUP;
	return stream_is_over(env, ep) ? bits | VIA_IN | VIA_OUT | VIA_RDHUP | VIA_HUP : bits;
}

int stream_error(struct sock_env *env, struct endpoint *ep)
{
	int e = -ep_err_take(ep);
	if (!e && ep->state == EP_CONN)
		e = tcp_user_error(env->tcp, ep->tcp);
	return e;
}

void sock_tcp_notify(struct sock_env *env, ref_t owner, uint32_t events)
{
	if (!env->tab)
		return;
	struct endpoint *ep = ep_at(env, owner);
	uint32_t edges = 0;
	if (events & TCP_EV_CONNECTED) {
		ep->flags |= EPF_ESTABLISHED;
		edges |= VIA_OUT;
	}
	if (events & (TCP_EV_READABLE | TCP_EV_LISTEN))
		edges |= VIA_IN;
	if (events & TCP_EV_WRITABLE)
		edges |= VIA_OUT;
	if (events & TCP_EV_URGENT)
		edges |= VIA_PRI;
	if (events & TCP_EV_PEER_FIN && !(events & TCP_EV_ERROR)) {
		ep->flags |= EPF_EOF;
		edges |= VIA_IN | VIA_RDHUP | (ep->flags & EPF_SHUT_WR ? VIA_HUP : 0);
	}
	if (events & TCP_EV_ERROR)
		edges |= VIA_ERR | VIA_IN | VIA_OUT;
	if (ep->state == EP_CONN && stream_is_over(env, ep))
		edges |= VIA_IN | VIA_OUT | VIA_RDHUP | VIA_HUP;
	if (events & TCP_EV_CLOSED && ep->state == EP_CONN) {
		int e = tcp_user_error(env->tcp, ep->tcp);
		if (e)
			ep->err = (uint16_t)e;
		ep->tcp = 0;
		ep->state = EP_DEAD;
		edges |= VIA_IN | VIA_OUT | VIA_RDHUP | VIA_HUP | (e ? VIA_ERR : 0);
	}
	ep_edge(env, ep, edges);
}
