/* door/listen.c - bind, listen, accept.
 *
 * Queued connections stay in the stack (its backlog is the program's). Each arrival puts a token byte into the program's
 * end of the listener: an edge, and readable as long as one lies there. accept() takes a connection from the stack and a
 * token through a borrowed end; when none waits any more all tokens go, when one does, one stays at least. The connection
 * is injected and the call answered in one step of the kernel: a call withdrawn by a signal or a kill got nothing, its
 * connection waits at the head of `queue`, before those of the stack. Without one: EAGAIN, or the call is held.
 */
#include "door/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int64_t door_call_bind(struct door *d, struct call *c, struct dsock *s)
{
	struct via_sockaddr a = {.addr = via_addr_v4(0)};
	int family;
	int err = door_target_addr_read(s, c, c->arg[1], c->arg[2], &a, &family);
	if (err < 0)
		return err;
	if (c->arg[2] < (s->is_v6 ? offsetof(struct sockaddr_in6, sin6_scope_id) : sizeof(struct sockaddr_in)))
		return -EINVAL;
	if (s->is_v6 && family != AF_INET6)
		return -EAFNOSUPPORT;
	door_dsock_sweep(d); /* a broken socket nobody holds must not keep its port */
	err = via_bind(d->v, s->s, &a);
	s->bound |= err == 0;
	c->once = true;
	return err;
}

static bool listen_waits(struct dsock *l)
{
	return l->queue || (via_ready(l->d->v, l->s) & VIA_IN);
}

static void listen_token_put(struct dsock *l)
{
	l->tokens += send(l->end, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

/* After an accept: a token less, none when nothing waits, and one at least when something does. */
static void listen_token_take(struct dsock *l, int borrowed)
{
	char c[64];
	bool waits = listen_waits(l);
	if (l->tokens && recv(borrowed, c, 1, MSG_DONTWAIT) == 1)
		l->tokens--;
	while (l->tokens && !waits) {
		ssize_t n = recv(borrowed, c, sizeof(c), MSG_DONTWAIT);
		l->tokens = n > 0 ? l->tokens - MIN(l->tokens, (uint32_t)n) : 0;
	}
	if (waits && l->tokens == 0)
		listen_token_put(l);
}

int64_t door_call_listen(struct door *d, struct call *c, struct dsock *s)
{
	if (s->type != VIA_STREAM)
		return -EOPNOTSUPP;
	if (s->state != DS_FRESH && s->state != DS_LISTEN)
		return -EINVAL;
	if (!s->bound)
		door_dsock_sweep(d);
	int err = via_listen(d->v, s->s, (int)c->arg[1]);
	if (err == 0)
		s->state = DS_LISTEN;
	return err;
}

/* The next connection to be accepted, with no pair yet; NULL with *err. */
static struct dsock *listen_next(struct dsock *l, int *err)
{
	struct door *d = l->d;
	struct dsock *s = l->queue;
	if (s) {
		l->queue = s->hash_next;
		s->hash_next = NULL;
		return s;
	}
	s = door_dsock_new(d, VIA_STREAM, l->is_v6);
	*err = s ? via_accept(d->v, l->s, via_cookie(&s->h), &s->s, NULL) : -ENFILE;
	if (*err < 0) {
		if (s)
			door_dsock_free(s, false);
		return NULL;
	}
	s->state = DS_QUEUED;
	s->linger0 = l->linger0;
	s->sized = l->sized;
	return s;
}

/* It could not be given: it is the next again. */
static void listen_put_back(struct dsock *l, struct dsock *s)
{
	door_dsock_end_close(s);
	door_table_del(l->d, s);
	s->hash_next = l->queue;
	l->queue = s;
}

/* Give s to the caller. 0, or -errno with s put back. */
static int listen_give(struct call *c, struct dsock *l, struct dsock *s)
{
	struct door *d = l->d;
	struct via_sockaddr peer = {.addr = via_addr_v4(0)};
	int flags = c->nr == __NR_accept4 ? (int)c->arg[3] : 0;
	int theirs, err = door_dsock_pair(s, flags & SOCK_NONBLOCK, &theirs);
	if (err < 0) {
		listen_put_back(l, s);
		return err;
	}
	if (s->sized)
		door_stream_sizes(s, theirs);
	via_peer(d->v, s->s, &peer);
	err = door_target_addr_write(s, c, c->arg[1], c->arg[2], &peer);
	if (err == 0)
		err = door_inject(d, c, theirs, flags & SOCK_CLOEXEC);
	close(theirs);
	if (err < 0) {
		listen_put_back(l, s);
		return err;
	}
	s->pid = door_target_group(d, c->tid);
	s->fd = err;
	s->state = DS_OPEN;
	d->stats.accepts++;
	door_stream_event(s, VIA_IN | VIA_OUT);
	return 0;
}

int64_t door_call_accept(struct door *d, struct call *c, struct dsock *l)
{
	if (l->type != VIA_STREAM)
		return -EOPNOTSUPP;
	if (l->state != DS_LISTEN || l->shut_rd || (c->nr == __NR_accept4 && c->arg[3] & ~(uint64_t)(SOCK_NONBLOCK | SOCK_CLOEXEC)))
		return -EINVAL;
	int fd = door_target_borrow(d, c, l);
	if (fd < 0)
		return fd;
	bool nonblock = fcntl(fd, F_GETFL) & O_NONBLOCK;
	int err = -EAGAIN;
	int64_t r;
	struct dsock *s = listen_next(l, &err);
	if (s) {
		err = listen_give(c, l, s);
		r = err == 0 ? ANSWER_GIVEN : err;
	} else {
		r = err == -EAGAIN && !nonblock ? ANSWER_HELD : err;
	}
	listen_token_take(l, fd);
	close(fd);
	c->timeout = l->rcvtimeo;
	return r;
}

void door_listen_event(struct dsock *l)
{
	if (l->held)
		door_held_run(l);
	if (listen_waits(l)) /* each arrival is an edge */
		listen_token_put(l);
}

void door_listen_stop(struct dsock *l)
{
	while (l->queue) {
		struct dsock *s = l->queue;
		l->queue = s->hash_next;
		s->hash_next = NULL;
		door_dsock_free(s, true);
	}
	if (l->state == DS_LISTEN && l->s) {
		via_close(l->d->v, l->s);
		l->s = 0;
	}
}
