/* sock/calls.c - the calls of viaduct/socket.h: find the endpoint, go on by its type. A stale handle is -EBADF.
 *
 * What only one type can do is -EOPNOTSUPP for the others, as in Linux. */
#include "sock/endpoint.h"

#include <errno.h>

#define EP_OR_BADF(ep, env, s) \
	struct endpoint *ep = ep_of(env, s); \
	if (!ep) \
		return -EBADF

int sock_open(struct sock_env *env, enum via_type type, uint64_t cookie, via_sock *out)
{
	bool is_v6 = (uint32_t)type & VIA_V6;
	type = (enum via_type)((uint32_t)type & ~(uint32_t)VIA_V6);
	if (type != VIA_STREAM && type != VIA_DGRAM && type != VIA_PING)
		return -EINVAL;
	struct endpoint *ep;
	int e = ep_new(env, type, cookie, &ep);
	if (e)
		return e;
	ep->flags |= is_v6 ? EPF_V6 : 0;
	ep->flags6 = is_v6 ? EP6_OWN : 0;
	ep->local = ep_any(ep);
	*out = ep->handle;
	return 0;
}

int sock_set_cookie(struct sock_env *env, via_sock s, uint64_t cookie)
{
	EP_OR_BADF(ep, env, s);
	ep->cookie = cookie;
	return 0;
}

int sock_bind(struct sock_env *env, via_sock s, const struct via_sockaddr *local)
{
	EP_OR_BADF(ep, env, s);
	if (ep->state != EP_IDLE || ep->use || ep->flags & EPF_ADDR_BOUND)
		return -EINVAL;
	bool any = via_addr_is_any(&local->addr);
	bool group = ep->type == VIA_DGRAM && via_addr_is_multicast(&local->addr);
	if (!any && !group && !env->ops->addr_is_ours(env->ctx, &local->addr))
		return -EADDRNOTAVAIL;
	if (ep_shuns(ep, &local->addr))
		return -EINVAL;
	ep_adopt(ep, &local->addr);
	ep->local = local->addr;
	if (!any)
		ep->flags |= EPF_ADDR_BOUND;
	if (!local->port && ep->type == VIA_STREAM && ep->flags & EPF_ADDR_NO_PORT)
		return 0;
	int e = port_bind(env, ep, local->port);
	if (e) {
		ep->local = ep_any(ep);
		ep->flags &= ~(uint32_t)EPF_ADDR_BOUND;
		return e;
	}
	ep->flags |= EPF_PORT_BOUND;
	return 0;
}

int sock_connect(struct sock_env *env, via_sock s, const struct via_sockaddr *remote)
{
	EP_OR_BADF(ep, env, s);
	return ep->type == VIA_STREAM ? stream_connect(env, ep, remote) : dgram_connect(env, ep, remote);
}

int sock_listen(struct sock_env *env, via_sock s, int backlog)
{
	EP_OR_BADF(ep, env, s);
	return ep->type == VIA_STREAM ? stream_listen(env, ep, backlog) : -EOPNOTSUPP;
}

int sock_accept(struct sock_env *env, via_sock s, uint64_t cookie, via_sock *out, struct via_sockaddr *peer)
{
	EP_OR_BADF(ep, env, s);
	return ep->type == VIA_STREAM ? stream_accept(env, ep, cookie, out, peer) : -EOPNOTSUPP;
}

int sock_local(struct sock_env *env, via_sock s, struct via_sockaddr *out)
{
	EP_OR_BADF(ep, env, s);
	*out = (struct via_sockaddr){ep->local, ep->lport};
	return 0;
}

int sock_peer(struct sock_env *env, via_sock s, struct via_sockaddr *out)
{
	EP_OR_BADF(ep, env, s);
	if (ep->state != EP_CONN)
		return -ENOTCONN;
	if (ep->type == VIA_STREAM && (stream_is_over(env, ep) || tcp_conn_state(env->tcp, ep->tcp) == TCP_SYN_SENT))
		return -ENOTCONN;
	*out = (struct via_sockaddr){ep->remote, ep->rport};
	return 0;
}

int64_t sock_sendto(struct sock_env *env, via_sock s, const void *data, uint32_t len, int flags, const struct via_sockaddr *to)
{
	EP_OR_BADF(ep, env, s);
	switch ((enum via_type)ep->type) {
	case VIA_STREAM:
		if (flags & VIA_FASTOPEN) {
			int e = stream_fastopen(env, ep, to);
			if (e)
				return e;
		}
		return stream_send(env, ep, data, len, flags);
	case VIA_DGRAM:
		return udp_send(env, ep, data, len, NULL, to);
	case VIA_PING:
		return ping_send(env, ep, data, len, NULL, to);
	}
	return -EINVAL;
}

int64_t sock_recvfrom(struct sock_env *env, via_sock s, void *data, uint32_t len, int flags, struct via_sockaddr *from,
		      struct via_sockaddr *local)
{
	EP_OR_BADF(ep, env, s);
	if (flags & VIA_ERRQUEUE)
		return -EAGAIN; /* always empty: errors are told by SO_ERROR and the next call */
	if (ep->type != VIA_STREAM)
		return dgram_recv(env, ep, data, len, flags, from, local);
	if (from)
		*from = (struct via_sockaddr){ep->remote, ep->rport};
	if (local)
		*local = (struct via_sockaddr){ep->local, ep->lport};
	return stream_recv(env, ep, data, len, flags);
}

int sock_recv_peek(struct sock_env *env, via_sock s, struct via_iov *iov, int n)
{
	EP_OR_BADF(ep, env, s);
	if (ep->type != VIA_STREAM)
		return dgram_peek(env, ep, iov, n);
	if (ep->state != EP_CONN)
		return (int)stream_recv(env, ep, NULL, 1, 0);
	return tcp_user_recv_peek(env->tcp, ep->tcp, iov, n);
}

int sock_recv_consume(struct sock_env *env, via_sock s, uint32_t len)
{
	EP_OR_BADF(ep, env, s);
	if (ep->type != VIA_STREAM)
		return dgram_consume(env, ep);
	return ep->state == EP_CONN ? tcp_user_recv_consume(env->tcp, ep->tcp, len) : -ENOTCONN;
}

/* The errno that keeps a stream from sending by reference, or 0. */
static int may_not_send(struct endpoint *ep)
{
	if (ep->type != VIA_STREAM)
		return -EOPNOTSUPP;
	if (ep->err)
		return ep_err_take(ep);
	return ep->state != EP_CONN || ep->flags & EPF_SHUT_WR ? -EPIPE : 0;
}

int sock_send_reserve(struct sock_env *env, via_sock s, struct via_iov *iov, int n, uint32_t want)
{
	EP_OR_BADF(ep, env, s);
	int e = may_not_send(ep);
	return e ? e : tcp_user_send_reserve(env->tcp, ep->tcp, iov, n, want);
}

int sock_send_commit(struct sock_env *env, via_sock s, uint32_t len)
{
	EP_OR_BADF(ep, env, s);
	int e = may_not_send(ep);
	return e ? e : tcp_user_send_commit(env->tcp, ep->tcp, len);
}

int64_t sock_send_lend(struct sock_env *env, via_sock s, const void *data, uint32_t len, void (*done)(void *, uint64_t),
		       void *ctx, uint64_t token)
{
	EP_OR_BADF(ep, env, s);
	int e = may_not_send(ep);
	return e ? e : tcp_user_send_lend(env->tcp, ep->tcp, data, len, done, ctx, token);
}

int sock_shutdown(struct sock_env *env, via_sock s, enum via_how how)
{
	EP_OR_BADF(ep, env, s);
	if (how != VIA_SHUT_RD && how != VIA_SHUT_WR && how != VIA_SHUT_RDWR)
		return -EINVAL;
	return ep->type == VIA_STREAM ? stream_shutdown(env, ep, how) : dgram_shutdown(env, ep, how);
}

int sock_close(struct sock_env *env, via_sock s)
{
	EP_OR_BADF(ep, env, s);
	bool linger0 = ep->flags & EPF_LINGER && ep_opts_of(env, ep)->linger_s == 0;
	stream_close(env, ep, linger0);
	ep_free(env, ep);
	return 0;
}

int sock_abort(struct sock_env *env, via_sock s)
{
	EP_OR_BADF(ep, env, s);
	stream_close(env, ep, true);
	ep_free(env, ep);
	return 0;
}

int64_t sock_inq(struct sock_env *env, via_sock s)
{
	EP_OR_BADF(ep, env, s);
	if (ep->type != VIA_STREAM)
		return dgram_inq(env, ep);
	if (ep->state == EP_LISTEN)
		return -EINVAL;
	return ep->state == EP_CONN ? tcp_user_inq(env->tcp, ep->tcp) : 0;
}

int sock_atmark(struct sock_env *env, via_sock s)
{
	EP_OR_BADF(ep, env, s);
	if (ep->type != VIA_STREAM || ep->state == EP_LISTEN)
		return ep->type != VIA_STREAM ? -ENOTTY : -EINVAL;
	return ep->state == EP_CONN && tcp_user_atmark(env->tcp, ep->tcp);
}

int64_t sock_outq(struct sock_env *env, via_sock s)
{
	EP_OR_BADF(ep, env, s);
	if (ep->type == VIA_STREAM && ep->state == EP_LISTEN)
		return -EINVAL;
	return ep->type == VIA_STREAM && ep->state == EP_CONN ? tcp_user_outq(env->tcp, ep->tcp) : 0;
}
