/* door/make.c - the life of a taken socket: socket() makes it, the last close ends it, a broken one is swept up.
 *
 * The pair is AF_UNIX: SOCK_STREAM for TCP; SOCK_SEQPACKET for UDP, since a SOCK_DGRAM pair does not tell of the last
 * close. While our end is open, the program's last close (or its death) is a hang-up there. A broken socket's end is closed
 * by us, so nothing tells when the program lets go of it: it is swept up when its last known holder has it no more and nobody
 * else of the program's tree has it. */
#include "door/inside.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ENDS_BATCH = 64, ENDS_ROUNDS = 16 };

static void dsock_event(struct via_handler *h, struct via *v, via_sock sock, uint32_t edges)
{
	struct dsock *s = CONTAINER_OF(h, struct dsock, h);
	struct door *d = s->d;
	if (s->type != VIA_STREAM)
		door_dgram_event(s, edges);
	else if (s->state == DS_CONNECTING)
		door_connect_event(s, edges);
	else if (s->state == DS_LISTEN)
		door_listen_event(s);
	else
		door_stream_event(s, edges);
	door_touched(d);
}

/* Inodes name the ends in events: one whose socket was freed meanwhile is not found. */
void door_ends_run(struct door *d)
{
	struct epoll_event ev[ENDS_BATCH];
	int n = ENDS_BATCH;
	for (int round = 0; round < ENDS_ROUNDS && n == ENDS_BATCH; round++) {
		n = epoll_wait(d->ends, ev, ENDS_BATCH, 0);
		for (int i = 0; i < n; i++) {
			struct dsock *s = door_table_find(d, (ino_t)ev[i].data.u64);
			if (s && s->type == VIA_STREAM)
				door_stream_ready(s, ev[i].events);
			else if (s)
				door_dgram_ready(s, ev[i].events);
		}
		if (n > 0)
			door_touched(d);
	}
}

int door_dsock_watch(struct dsock *s, uint32_t events)
{
	struct epoll_event ev = {.events = events | EPOLLET, .data.u64 = s->ino};
	if (epoll_ctl(s->d->ends, EPOLL_CTL_MOD, s->end, &ev) == 0)
		return 0;
	return errno == ENOENT && epoll_ctl(s->d->ends, EPOLL_CTL_ADD, s->end, &ev) == 0 ? 0 : -errno;
}

struct dsock *door_dsock_new(struct door *d, enum via_type type, bool is_v6)
{
	struct dsock *s = d->n_socks < DOOR_SOCKS_MAX ? calloc(1, sizeof(*s)) : NULL;
	if (!s)
		return NULL;
	s->h.event = dsock_event;
	s->d = d;
	s->type = (uint8_t)type;
	s->is_v6 = is_v6;
	s->end = s->dup = -1;
	s->held_tail = &s->held;
	s->rcvtimeo = s->sndtimeo = TIME_NEVER;
	s->next = d->socks;
	if (d->socks)
		d->socks->prev = s;
	d->socks = s;
	d->n_socks++;
	return s;
}

int door_dsock_pair(struct dsock *s, bool nonblock, int *theirs)
{
	bool stream = s->type == VIA_STREAM;
	int p[2], size = DOOR_END_BYTES;
	struct stat st;
	int kind = (stream ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_CLOEXEC | (nonblock ? SOCK_NONBLOCK : 0);
	if (socketpair(AF_UNIX, kind, 0, p) < 0)
		return -errno;
	setsockopt(p[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(p[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	/* A byte of the program's, never read: closing our end over it is a reset (see stream.c). */
	s->ahead = stream && send(p[1], "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
	int err = fstat(p[1], &st) < 0 ? -errno : 0;
	s->end = p[0];
	s->want_out = !stream;
	if (err == 0) {
		door_table_add(s->d, s, st.st_ino);
		err = door_dsock_watch(s, EPOLLIN | EPOLLRDHUP | (stream ? 0 : EPOLLOUT));
	}
	if (err < 0) {
		door_dsock_end_close(s);
		door_table_del(s->d, s);
		close(p[1]);
		return err;
	}
	*theirs = p[1];
	return 0;
}

void door_dsock_end_close(struct dsock *s)
{
	if (s->dup >= 0) {
		close(s->dup);
		s->dup = -1;
		s->d->n_pending--;
	}
	if (s->end >= 0) {
		close(s->end); /* leaves d->ends by itself: nobody has a duplicate */
		s->end = -1;
	}
}

void door_dsock_free(struct dsock *s, bool reset)
{
	struct door *d = s->d;
	door_dsock_end_close(s);
	door_table_del(d, s);
	door_held_answer(s, -EBADF);
	door_listen_stop(s);
	door_dgram_free(s);
	if (s->s && reset)
		via_abort(d->v, s->s);
	else if (s->s)
		via_close(d->v, s->s);
	if (s->state == DS_BROKEN)
		d->n_broken--;
	if (s->prev)
		s->prev->next = s->next;
	else
		d->socks = s->next;
	if (s->next)
		s->next->prev = s->prev;
	d->n_socks--;
	free(s->kept);
	free(s);
	door_touched(d);
}

bool door_dsock_lives(const struct dsock *s)
{
	int err;
	return door_target_inode_at(s->pid, s->fd, &err) == s->ino;
}

bool door_dsock_held(struct dsock *s)
{
	return door_dsock_lives(s) || door_target_search(s->d, s);
}

void door_dsock_sweep(struct door *d)
{
	bool lost = false;
	for (struct dsock *s = d->n_broken ? d->socks : NULL; s && !lost; s = s->next)
		lost = s->state == DS_BROKEN && !door_dsock_lives(s);
	if (!lost)
		return;
	door_target_search(d, NULL); /* dup() or another process may have it */
	for (struct dsock *s = d->socks, *next; s && d->n_broken; s = next) {
		next = s->next;
		if (s->state == DS_BROKEN && !door_dsock_lives(s))
			door_dsock_free(s, false);
	}
}

/* --- socket() --- */

/* The stack's type for an AF_INET or AF_INET6 socket, or -errno. */
static int socket_type(int type, int proto, bool is_v6)
{
	switch (type & 0xf) {
	case SOCK_STREAM:
		return proto == 0 || proto == IPPROTO_TCP ? VIA_STREAM : -EPROTONOSUPPORT;
	case SOCK_DGRAM:
		if (proto == (is_v6 ? (int)IPPROTO_ICMPV6 : (int)IPPROTO_ICMP))
			return VIA_PING;
		return proto == 0 || proto == IPPROTO_UDP ? VIA_DGRAM : -EPROTONOSUPPORT;
	case SOCK_RAW:
		return -EPERM;
	default:
		return -ESOCKTNOSUPPORT;
	}
}

/* Families other than AF_INET and AF_INET6. */
static int64_t socket_left(struct door *d, int family, int proto)
{
	switch (family) {
	case AF_NETLINK:
		/* The kernel's interfaces and routes are not this program's: asked, they would mislead (getaddrinfo with
		 * AI_ADDRCONFIG finds no address where no interface is up). Refused, libc assumes all families. */
		if (proto == NETLINK_ROUTE)
			return -EAFNOSUPPORT;
		d->stats.left_netlink++;
		break;
	case AF_UNIX:
		d->stats.left_unix++;
		break;
	default:
		d->stats.left_other++;
		break;
	}
	d->stats.sockets_left++;
	return ANSWER_CONTINUE;
}

int64_t door_call_socket(struct door *d, struct call *c, struct dsock *none)
{
	int family = (int)c->arg[0], flags = (int)c->arg[1];
	bool is_v6 = family == AF_INET6;
	if (family != AF_INET && !is_v6)
		return socket_left(d, family, (int)c->arg[2]);
	int type = socket_type(flags, (int)c->arg[2], is_v6);
	if (type < 0)
		return type;
	if (!door_target_may(d, c))
		return -EACCES;
	struct dsock *s = door_dsock_new(d, (enum via_type)type, is_v6);
	if (!s)
		return -ENFILE;
	static const int on = 1;
	int theirs, err = via_open(d->v, (enum via_type)(type | (is_v6 ? (int)VIA_V6 : 0)), via_cookie(&s->h), &s->s);
	if (err == 0 && type == VIA_STREAM) /* a UNIX pair has no way to carry an urgent octet apart */
		via_setsockopt(d->v, s->s, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
	if (err == 0)
		err = door_dsock_pair(s, flags & SOCK_NONBLOCK, &theirs);
	if (err < 0) {
		door_dsock_free(s, false);
		return err;
	}
	err = door_inject(d, c, theirs, flags & SOCK_CLOEXEC);
	close(theirs);
	if (err < 0) {
		door_dsock_free(s, false);
		return err;
	}
	s->pid = door_target_group(d, c->tid);
	s->fd = err;
	d->stats.sockets_taken++;
	d->stats.sockets_inet6 += is_v6;
	d->stats.sockets_udp += type == VIA_DGRAM;
	return ANSWER_GIVEN;
}
