/* posix/sockets.c - the calls that make, name, join, ask and end sockets. Those that carry data are in transfer.c. */
#include "posix/posix.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

/* --- a socket's life --- */

/* An event of the stack: within a turn, with the baton. */
static void psock_event(struct via_handler *h, struct via *v, via_sock s, uint32_t edges)
{
	struct psock *ps = CONTAINER_OF(h, struct psock, h);
	ps->seq++;
	ps->owed |= edges;
	if (ps->readers || ps->writers)
		pthread_cond_broadcast(&ps->cond);
	mirror_sync(ps);
}

/* A socket with its descriptor, not in the table and not in the stack yet; one hold, the caller's. */
static int psock_new(struct via_posix *p, struct via *v, enum via_type type, bool is_v6, int flags, struct psock **out)
{
	struct psock *ps = calloc(1, sizeof(*ps));
	if (!ps)
		return -ENOMEM;
	int e = mirror_new(ps, flags);
	if (e) {
		free(ps);
		return e;
	}
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&ps->cond, &attr);
	pthread_condattr_destroy(&attr);
	ps->h.event = psock_event;
	ps->p = p;
	ps->v = v;
	ps->type = type;
	ps->is_v6 = is_v6;
	atomic_init(&ps->refs, 1);
	*out = ps;
	return 0;
}

/* It has its via_sock: now the runner and the table know it. The caller's hold stays. 0, or -errno and it is as before. */
static int psock_begin(struct psock *ps)
{
	int e = table_set(ps);
	if (e)
		return e;
	ps->next = ps->p->socks;
	ps->link = &ps->p->socks;
	if (ps->next)
		ps->next->link = &ps->next;
	ps->p->socks = ps;
	mirror_sync(ps);
	return 0;
}

static void psock_unborn(struct psock *ps)
{
	mirror_close(ps);
	psock_put(ps);
}

void psock_close(struct psock *ps)
{
	if (ps->closed)
		return;
	ps->closed = true;
	via_close(ps->v, ps->s);
	*ps->link = ps->next;
	if (ps->next)
		ps->next->link = ps->link;
	mirror_close(ps);
	pthread_cond_broadcast(&ps->cond);
}

/* --- socket, accept, close --- */

static int type_of(int domain, int type, int protocol, enum via_type *out)
{
	if (domain != AF_INET && domain != AF_INET6)
		return -EAFNOSUPPORT;
	bool tcp = type == SOCK_STREAM && (!protocol || protocol == IPPROTO_TCP);
	bool ping = type == SOCK_DGRAM && protocol == (domain == AF_INET ? (int)IPPROTO_ICMP : (int)IPPROTO_ICMPV6);
	if (type != SOCK_STREAM && type != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	if (!tcp && !ping && (type == SOCK_STREAM || (protocol && protocol != IPPROTO_UDP)))
		return -EPROTONOSUPPORT;
	*out = tcp ? VIA_STREAM : ping ? VIA_PING : VIA_DGRAM;
	return 0;
}

static int socket_make(struct via_posix *p, struct via *v, enum via_type type, bool is_v6, int flags)
{
	struct psock *ps;
	int e = psock_new(p, v, type, is_v6, flags, &ps);
	if (e)
		return e;
	e = via_open(v, (enum via_type)(is_v6 ? (int)type | VIA_V6 : (int)type), via_cookie(&ps->h), &ps->s);
	if (e) {
		psock_unborn(ps);
		return e;
	}
	e = psock_begin(ps);
	if (e) {
		via_close(v, ps->s);
		psock_unborn(ps);
		return e;
	}
	int fd = ps->fd;
	psock_put(ps);
	return fd;
}

int via_posix_socket(struct via *v, int domain, int type, int protocol)
{
	int flags = type & (SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct via_posix *p = runner_of(v);
	enum via_type t;
	int e = p ? type_of(domain, type & ~flags, protocol, &t) : -EINVAL;
	if (e)
		return (int)posix_result(e);
	posix_baton_take(p);
	int r = socket_make(p, v, t, domain == AF_INET6, flags);
	posix_baton_give(p);
	return (int)posix_result(r);
}

struct accepting {
	int flags;
	struct via_sockaddr peer;
	bool is_v6;
};

static int64_t accept_attempt(struct psock *ps, void *arg)
{
	struct accepting *a = arg;
	int listening = 0;
	uint32_t len = sizeof(listening);
	if (ps->type != VIA_STREAM)
		return -EOPNOTSUPP;
	via_getsockopt(ps->v, ps->s, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len);
	if (!listening)
		return -EINVAL;
	if (!(via_ready(ps->v, ps->s) & VIA_IN))
		return -EAGAIN;
	a->is_v6 = ps->is_v6;
	/* The descriptor first: without one the connection stays in the queue. */
	struct psock *child;
	int e = psock_new(ps->p, ps->v, VIA_STREAM, ps->is_v6, a->flags, &child);
	if (e)
		return e;
	e = via_accept(ps->v, ps->s, via_cookie(&child->h), &child->s, &a->peer);
	if (e == 0) {
		e = psock_begin(child);
		if (e)
			via_abort(ps->v, child->s);
	}
	if (e) {
		psock_unborn(child);
		return e;
	}
	int fd = child->fd;
	psock_put(child);
	return fd;
}

int via_posix_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	struct accepting a = {.flags = flags};
	if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
		return (int)posix_result(-EINVAL);
	int64_t r = posix_call(fd, 0, SO_RCVTIMEO, accept_attempt, &a);
	if (r >= 0)
		addr_to(&a.peer, a.is_v6, addr, len);
	return (int)posix_result(r);
}

int via_posix_accept(int fd, struct sockaddr *addr, socklen_t *len)
{
	return via_posix_accept4(fd, addr, len, 0);
}

/* All that was sent, and the FIN, is acknowledged, or there is no connection any more (Linux: sk_stream_closing()). */
static bool linger_is_over(struct psock *ps)
{
	struct via_sock_info i = {.size = sizeof(i)};
	return via_sock_info(ps->v, ps->s, &i) || (i.tcp_state != TCP_FIN_WAIT1 && i.tcp_state != TCP_LAST_ACK && i.tcp_state != TCP_CLOSING);
}

/* SO_LINGER with a time: close() waits for the peer's word on all that was sent. Unread bytes make it a reset: nothing to wait for. */
static void psock_linger(struct psock *ps)
{
	struct linger l = {0};
	uint32_t len = sizeof(l);
	if (ps->closed || ps->type != VIA_STREAM || via_getsockopt(ps->v, ps->s, SOL_SOCKET, SO_LINGER, &l, &len))
		return;
	if (l.l_onoff && l.l_linger > 0 && via_inq(ps->v, ps->s) <= 0 && via_shutdown(ps->v, ps->s, VIA_SHUT_RDWR) == 0)
		posix_linger(ps, l.l_linger * NS_PER_S, linger_is_over);
}

int via_posix_close(int fd)
{
	struct psock *ps = table_take(fd);
	if (!ps)
		return (int)posix_result(-EBADF);
	posix_baton_take(ps->p);
	psock_linger(ps);
	psock_close(ps);
	posix_baton_give(ps->p);
	psock_put(ps);
	return 0;
}

/* --- bind, connect, listen, shutdown --- */

struct naming {
	struct named name;
	bool is_v6;  /* out: whose name it is */
	bool unspec; /* AF_UNSPEC: connect() undoes */
	bool begun;
	int err;     /* what a connect() that does not wait says */
	int n;       /* backlog, how */
};

static int64_t bind_attempt(struct psock *ps, void *arg)
{
	const struct naming *a = arg;
	int e = addr_suits(ps, &a->name, true);
	return e ? e : via_bind(ps->v, ps->s, &a->name.a);
}

int via_posix_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	struct naming a = {0};
	int e = addr_from(addr, len, &a.name);
	return (int)posix_result(e ? e : posix_call(fd, 0, 0, bind_attempt, &a));
}

static int64_t connect_attempt(struct psock *ps, void *arg)
{
	struct naming *a = arg;
	if (!a->begun) {
		if (a->unspec && ps->type == VIA_STREAM)
			return -EAFNOSUPPORT;
		a->err = a->unspec ? 0 : addr_suits(ps, &a->name, false);
		if (!a->err)
			a->err = via_connect(ps->v, ps->s, &a->name.a);
		if (a->err != -EINPROGRESS && a->err != -EALREADY)
			return a->err;
		a->begun = true;
		if (a->err == -EINPROGRESS)
			mirror_renew(ps);
		return -EAGAIN;
	}
	if (!(via_ready(ps->v, ps->s) & (VIA_OUT | VIA_ERR | VIA_HUP)))
		return -EAGAIN;
	int error = 0;
	uint32_t len = sizeof(error);
	int e = via_getsockopt(ps->v, ps->s, SOL_SOCKET, SO_ERROR, &error, &len);
	return e ? e : -error;
}

int via_posix_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	struct naming a = {0};
	int e = 0;
	if (addr && len >= sizeof(addr->sa_family) && addr->sa_family == AF_UNSPEC)
		a.unspec = true;
	else
		e = addr_from(addr, len, &a.name);
	int64_t r = e ? e : posix_call(fd, 0, SO_SNDTIMEO, connect_attempt, &a);
	return (int)posix_result(r == -EAGAIN && a.begun ? a.err : r);
}

static int64_t listen_attempt(struct psock *ps, void *arg)
{
	return via_listen(ps->v, ps->s, ((struct naming *)arg)->n);
}

int via_posix_listen(int fd, int backlog)
{
	return (int)posix_result(posix_call(fd, 0, 0, listen_attempt, &(struct naming){.n = backlog}));
}

static int64_t shutdown_attempt(struct psock *ps, void *arg)
{
	int how = ((struct naming *)arg)->n;
	return how < 0 || how > 2 ? -EINVAL : via_shutdown(ps->v, ps->s, (enum via_how)how);
}

int via_posix_shutdown(int fd, int how)
{
	return (int)posix_result(posix_call(fd, 0, 0, shutdown_attempt, &(struct naming){.n = how}));
}

/* --- names --- */

static int64_t local_attempt(struct psock *ps, void *arg)
{
	struct naming *a = arg;
	a->is_v6 = ps->is_v6;
	return via_local(ps->v, ps->s, &a->name.a);
}

static int64_t peer_attempt(struct psock *ps, void *arg)
{
	struct naming *a = arg;
	a->is_v6 = ps->is_v6;
	return via_peer(ps->v, ps->s, &a->name.a);
}

static int name_get(int fd, struct sockaddr *addr, socklen_t *len, int64_t (*attempt)(struct psock *ps, void *arg))
{
	struct naming a = {0};
	int64_t r = !addr || !len ? -EFAULT : posix_call(fd, 0, 0, attempt, &a);
	if (r == 0)
		addr_to(&a.name.a, a.is_v6, addr, len);
	return (int)posix_result(r);
}

int via_posix_getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
	return name_get(fd, addr, len, local_attempt);
}

int via_posix_getpeername(int fd, struct sockaddr *addr, socklen_t *len)
{
	return name_get(fd, addr, len, peer_attempt);
}

/* --- options --- */

struct asking {
	int level, name;
	const void *in;
	void *out;
	uint32_t len;
};

static int64_t set_attempt(struct psock *ps, void *arg)
{
	const struct asking *a = arg;
	if (a->level == IPPROTO_IPV6 && !ps->is_v6)
		return -ENOPROTOOPT;
	return via_setsockopt(ps->v, ps->s, a->level, a->name, a->in, a->len);
}

int via_posix_setsockopt(int fd, int level, int name, const void *val, socklen_t len)
{
	struct asking a = {.level = level, .name = name, .in = val, .len = len};
	int64_t r = len > INT32_MAX ? -EINVAL : !val && len ? -EFAULT : posix_call(fd, 0, 0, set_attempt, &a);
	return (int)posix_result(r);
}

static int64_t get_attempt(struct psock *ps, void *arg)
{
	struct asking *a = arg;
	if (a->level == IPPROTO_IPV6 && !ps->is_v6)
		return -EOPNOTSUPP;
	return via_getsockopt(ps->v, ps->s, a->level, a->name, a->out, &a->len);
}

int via_posix_getsockopt(int fd, int level, int name, void *val, socklen_t *len)
{
	if (!val || !len)
		return (int)posix_result(-EFAULT);
	struct asking a = {.level = level, .name = name, .out = val, .len = *len};
	int64_t r = *len > INT32_MAX ? -EINVAL : posix_call(fd, 0, 0, get_attempt, &a);
	if (r == 0)
		*len = a.len;
	return (int)posix_result(r);
}

static int64_t ioctl_attempt(struct psock *ps, void *arg)
{
	struct asking *a = arg;
	if (a->len == FIONBIO)
		return ioctl(ps->held, FIONBIO, a->out) < 0 ? -errno : 0;
	int64_t n = a->len == FIONREAD ? via_inq(ps->v, ps->s) : a->len == SIOCATMARK ? via_atmark(ps->v, ps->s) : via_outq(ps->v, ps->s);
	if (n < 0)
		return n;
	*(int *)a->out = (int)MIN(n, INT32_MAX);
	return 0;
}

int via_posix_ioctl(int fd, unsigned long request, void *arg)
{
	struct asking a = {.out = arg, .len = (uint32_t)request};
	if (request != FIONBIO && request != FIONREAD && request != SIOCOUTQ && request != SIOCATMARK)
		return (int)posix_result(-ENOTTY);
	return (int)posix_result(arg ? posix_call(fd, 0, 0, ioctl_attempt, &a) : -EFAULT);
}
