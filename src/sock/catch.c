/* sock/catch.c - the socket that takes what no other does: how a gateway hears of traffic to everybody (VIA_SET_ANY_ADDRESS).
 *
 * One endpoint of each type stands in the table of sockets and is asked last. Its datagrams carry the address and port they were
 * sent to, and it may send under any name. A stream one listens, and its opens are held (tcp/held.c): the connection that accept()
 * gives has sent nothing yet. */
#include "sock/endpoint.h"

#include <errno.h>

struct endpoint *catch_all_of(const struct sock_env *env, enum via_type type)
{
	ref_t r = tab_of(env)->catch_all[type];
	return r ? ep_at(env, r) : NULL;
}

/* Listens at no port of its own. 0 or -ENOMEM. */
static int stream_catch(struct sock_env *env, struct endpoint *ep)
{
	struct tcp_opts o;
	ep_tcp_opts(env, ep, &ep->local, &o);
	ep->tcp = tcp_user_listen(env->tcp, &ep->local, 0, SOCK_BACKLOG_MAX, &o, ep_ref(env, ep));
	if (!ep->tcp)
		return -ENOMEM;
	tcp_listener_at(env->tcp, ep->tcp)->holds = true;
	ep->state = EP_LISTEN;
	return 0;
}

int sock_catch_all(struct sock_env *env, via_sock s)
{
	struct endpoint *ep = ep_of(env, s);
	if (!ep)
		return -EBADF;
	ref_t *at = &tab_of(env)->catch_all[ep->type];
	if (*at)
		return -EBUSY;
	if (ep->state != EP_IDLE || ep->use || ep->flags & EPF_ADDR_BOUND)
		return -EINVAL;
	int e = ep->type == VIA_STREAM ? stream_catch(env, ep) : 0;
	if (!e)
		*at = ep_ref(env, ep);
	return e;
}

int sock_answer(struct sock_env *env, via_sock s)
{
	struct endpoint *ep = ep_of(env, s);
	if (!ep)
		return -EBADF;
	return ep->type == VIA_STREAM && ep->state == EP_CONN ? tcp_user_answer(env->tcp, ep->tcp) : -EINVAL;
}

int64_t sock_sendfrom(struct sock_env *env, via_sock s, const void *data, uint32_t len, const struct via_sockaddr *from,
		      const struct via_sockaddr *to)
{
	struct endpoint *ep = ep_of(env, s);
	if (!ep)
		return -EBADF;
	if (tab_of(env)->catch_all[ep->type] != ep_ref(env, ep) || ep->type == VIA_STREAM)
		return -EOPNOTSUPP;
	return ep->type == VIA_DGRAM ? udp_send(env, ep, data, len, from, to) : ping_send(env, ep, data, len, from, to);
}
