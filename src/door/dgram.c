/* door/dgram.c - datagrams between the pair and the stack.
 *
 * Out: a connected program's write() and send() arrive at our end, one message each, and go to the stack. In: at most one
 * datagram, the *head*, lies in the program's end, as data for a plain read() and as readiness; the rest waits in the
 * stack, charged to SO_RCVBUF. When the program took the head (our send memory is free again, an EPOLLOUT edge) the next
 * one follows. A pending ICMP error makes the program readable by an empty message, its *mark*; a notified receive or
 * SO_ERROR takes the mark and gives the error. Limit: a plain read() of a mark sees an empty datagram. */
#include "door/inside.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* --- out --- */

/* 0, or -EAGAIN: the stack's queue is full and the message is kept. */
static int dgram_out(struct dsock *s, const uint8_t *data, uint32_t len)
{
	struct door *d = s->d;
	if (!s->has_peer)
		return 0; /* nobody to send it to, and nobody to tell */
	int64_t r = via_send(d->v, s->s, data, len, 0);
	if (r == -EMSGSIZE)
		return 0; /* the sender was told that it went; a reader must not be told of it */
	if (r < 0 && r != -EAGAIN && s->so_error == 0) {
		s->so_error = (int)-r; /* an error that was pending: it is told once, and this one is sent */
		r = via_send(d->v, s->s, data, len, 0);
	}
	if (r == -EAGAIN) {
		if (data != s->unsent) {
			s->unsent = malloc(len ? len : 1);
			if (s->unsent)
				memcpy(s->unsent, data, len);
			s->unsent_len = len;
		}
		return -EAGAIN;
	}
	if (r >= 0) {
		d->stats.bytes_out += len;
		d->stats.dns_questions += s->renamed;
	}
	return 0;
}

/* An empty message, or the end of file? */
static bool dgram_at_end(struct dsock *s)
{
	struct pollfd p = {.fd = s->end, .events = POLLRDHUP};
	int n = 0;
	return poll(&p, 1, 0) == 1 && (p.revents & (POLLRDHUP | POLLHUP)) && ioctl(s->end, SIOCINQ, &n) == 0 && n == 0;
}

void door_dgram_drain(struct dsock *s)
{
	struct door *d = s->d;
	if (s->unsent) {
		if (dgram_out(s, s->unsent, s->unsent_len) < 0)
			return;
		free(s->unsent);
		s->unsent = NULL;
	}
	for (;;) {
		ssize_t n = recv(s->end, d->scratch, DOOR_SCRATCH, MSG_DONTWAIT);
		if (n < 0 || (n == 0 && dgram_at_end(s)))
			return;
		if (dgram_out(s, d->scratch, (uint32_t)n) < 0)
			return;
	}
}

/* --- in --- */

static struct dgram *dgram_copy(const void *data, uint32_t len, const struct via_sockaddr *from, const struct via_sockaddr *to)
{
	struct dgram *g = malloc(sizeof(*g) + len);
	if (!g)
		return NULL;
	*g = (struct dgram){.from = *from, .to = *to, .len = len};
	memcpy(g->data, data, len);
	return g;
}

/* The next datagram that is not in the pair into d->scratch. Length or -errno; a pending error comes first. */
static int64_t dgram_next(struct dsock *s, bool peek, struct via_sockaddr *from, struct via_sockaddr *to)
{
	struct door *d = s->d;
	if (s->so_error) {
		int err = s->so_error;
		s->so_error = 0;
		return -err;
	}
	struct dgram *g = s->back;
	if (g) {
		uint32_t len = g->len;
		memcpy(d->scratch, g->data, len);
		*from = g->from;
		*to = g->to;
		if (!peek) {
			s->back = g->next;
			free(g);
		}
		return len;
	}
	int64_t n = via_recvfrom(d->v, s->s, d->scratch, DOOR_SCRATCH, peek ? VIA_PEEK : 0, from, to);
	if (n >= 0) {
		d->stats.bytes_in += peek ? 0 : (uint64_t)n;
		door_names_answer(s, d->scratch, (uint32_t)n, from);
	}
	return n;
}

void door_dgram_offer(struct dsock *s)
{
	struct door *d = s->d;
	struct via_sockaddr from = {0}, to = {0};
	if (s->head || s->end < 0 || s->shut_rd)
		return;
	int64_t n = dgram_next(s, false, &from, &to);
	if (n == -EAGAIN)
		return;
	s->head_is_error = n < 0;
	if (n < 0)
		s->so_error = (int)-n;
	s->head_from = from;
	s->head_to = to;
	s->head = send(s->end, d->scratch, n < 0 ? 0 : (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
	if (!s->head && n >= 0 && errno == EAGAIN) {
		s->back = dgram_copy(d->scratch, (uint32_t)n, &from, &to);
	}
}

/* The program has read the head, if its memory is free again. The kernel gives the edge before it takes the last byte of
 * the charge away (sock_wfree), and no edge after that: one byte is none. A message is charged with hundreds. */
static void dgram_look(struct dsock *s)
{
	int queued = 0;
	if (!s->head || ioctl(s->end, SIOCOUTQ, &queued) < 0 || queued > 1)
		return;
	s->head = false;
	if (s->head_is_error)
		s->so_error = 0;
	s->head_is_error = false;
}

/* Head, borrowed end -> scratch. -EAGAIN: it was read meanwhile. */
static int64_t dgram_take_head(struct dsock *s, int fd, bool peek, struct via_sockaddr *from, struct via_sockaddr *to)
{
	ssize_t n = recv(fd, s->d->scratch, DOOR_SCRATCH, MSG_DONTWAIT | (peek ? MSG_PEEK : 0));
	bool was_error = s->head_is_error;
	*from = s->head_from;
	*to = s->head_to;
	if (n < 0 || !peek) {
		s->head = s->head_is_error = false;
		if (n < 0 && was_error)
			s->so_error = 0;
	}
	if (n < 0)
		return -EAGAIN;
	if (was_error) {
		int err = s->so_error;
		s->so_error = peek ? err : 0;
		return err ? -err : -EAGAIN;
	}
	return n;
}

int64_t door_dgram_take(struct dsock *s, int fd, bool peek, struct via_sockaddr *from, struct via_sockaddr *to)
{
	struct door *d = s->d;
	int64_t n = -EAGAIN;
	if (s->head)
		n = dgram_take_head(s, fd, peek, from, to);
	if (n == -EAGAIN && !s->head)
		n = dgram_next(s, peek, from, to);
	if (n >= 0 && !peek) {
		d->taken->len = (uint32_t)n;
		d->taken->from = *from;
		d->taken->to = *to;
		memcpy(d->taken->data, d->scratch, (size_t)n);
	}
	return n;
}

void door_dgram_untake(struct door *d, struct dsock *s)
{
	struct dgram *g = dgram_copy(d->taken->data, d->taken->len, &d->taken->from, &d->taken->to);
	if (g) {
		g->next = s->back;
		s->back = g;
	}
	door_dgram_offer(s);
}

int door_dgram_error_take(struct dsock *s, int borrowed)
{
	char c;
	int err = 0;
	uint32_t len = sizeof(err);
	dgram_look(s);
	if (s->head_is_error) {
		recv(borrowed, &c, 1, MSG_DONTWAIT);
		s->head = s->head_is_error = false;
	}
	if (s->so_error) {
		err = s->so_error;
		s->so_error = 0;
	} else {
		via_getsockopt(s->d->v, s->s, SOL_SOCKET, SO_ERROR, &err, &len);
	}
	door_dgram_offer(s);
	return err;
}

/* --- events --- */

void door_dgram_ready(struct dsock *s, uint32_t events)
{
	door_dgram_drain(s);
	if ((events & EPOLLHUP) && !(s->shut_rd && s->shut_wr && door_dsock_held(s))) {
		door_dsock_free(s, false);
		return;
	}
	dgram_look(s);
	door_dgram_offer(s);
}

void door_dgram_event(struct dsock *s, uint32_t edges)
{
	if (s->end < 0)
		return;
	door_dgram_drain(s);
	dgram_look(s);
	if (s->held)
		door_held_run(s);
	door_dgram_offer(s);
}

int64_t door_call_dgram_connect(struct door *d, struct call *c, struct dsock *s, const struct via_sockaddr *to, int family)
{
	struct via_sockaddr peer = {0};
	bool renamed = false;
	door_dgram_drain(s); /* what was written before goes to the peer of before */
	if (family != AF_UNSPEC) {
		peer = *to;
		renamed = door_names_redirect(d, &peer);
	}
	int err = via_connect(d->v, s->s, &peer);
	if (err < 0)
		return err;
	s->has_peer = family != AF_UNSPEC;
	s->renamed = renamed;
	s->shown_peer = *to;
	d->stats.connects += s->has_peer;
	return 0;
}

void door_dgram_free(struct dsock *s)
{
	free(s->unsent);
	s->unsent = NULL;
	while (s->back) {
		struct dgram *g = s->back;
		s->back = g->next;
		free(g);
	}
}
