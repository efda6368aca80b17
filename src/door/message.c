/* door/message.c - the notified sends and receives: sendto, recvfrom, sendmsg, recvmsg, sendmmsg, recvmmsg.
 *
 * Datagram sockets are served here: the head is taken through a borrowed end, the rest from the stack. What needs no
 * address goes on in the kernel, over the pair; so do streams, whose sendmsg and recvmsg only move bytes.
 * Limits: recvmmsg returns once one message is there and no other waits, whatever its flags; of control data only
 * IP_PKTINFO and IPV6_PKTINFO are given, and none is taken. */
#include "door/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* One message of the program: where its parts lie. */
struct message {
	uint64_t name, name_len_at; /* address, and where its length stands (receive) */
	uint32_t name_len;
	uint64_t iov, n_iov;        /* of a msghdr */
	uint64_t flat, flat_len;    /* without one */
	uint64_t control, control_len;
	uint64_t hdr;               /* the struct msghdr, or 0 */
};

static int message_read(struct door *d, const struct call *c, uint64_t hdr, struct message *m)
{
	struct msghdr h;
	int err = door_target_read(d, c, hdr, &h, sizeof(h));
	if (err < 0)
		return err;
	*m = (struct message){
		.name = (uintptr_t)h.msg_name,
		.name_len = h.msg_namelen,
		.name_len_at = hdr + offsetof(struct msghdr, msg_namelen),
		.iov = (uintptr_t)h.msg_iov,
		.n_iov = h.msg_iovlen,
		.control = (uintptr_t)h.msg_control,
		.control_len = h.msg_controllen,
		.hdr = hdr,
	};
	return 0;
}

/* May a call with these flags wait? */
static bool message_may_wait(struct door *d, struct call *c, struct dsock *s, int flags)
{
	return !(flags & MSG_DONTWAIT) && !door_target_nonblock(d, c, s);
}

/* --- send --- */

/* A send tells a pending error too, and once. 0 or -errno. */
static int message_error(struct door *d, struct call *c, struct dsock *s)
{
	int fd = s->so_error ? door_target_borrow(d, c, s) : -1;
	if (fd < 0)
		return 0;
	int err = door_dgram_error_take(s, fd);
	close(fd);
	return -err;
}

/* Bytes, or -errno; -EAGAIN: the stack has no room. */
static int64_t message_send(struct door *d, struct call *c, struct dsock *s, const struct message *m)
{
	struct via_sockaddr to = {0}, asked;
	int family = AF_UNSPEC;
	int err = m->name ? door_target_addr_read(s, c, m->name, m->name_len, &to, &family) : 0;
	if (err < 0)
		return err;
	if (family == AF_UNSPEC && !s->has_peer)
		return m->name ? -EINVAL : -EDESTADDRREQ;
	if (s->shut_wr)
		return -EPIPE;
	err = message_error(d, c, s);
	if (err < 0)
		return err;
	door_dgram_drain(s); /* what was written before goes first */
	if (s->unsent)
		return -EAGAIN;
	int64_t n;
	if (!m->hdr) {
		n = (int64_t)MIN(m->flat_len, (uint64_t)DOOR_SCRATCH);
		err = door_target_read(d, c, m->flat, d->scratch, (size_t)n);
		n = err < 0 ? err : n;
	} else {
		n = door_target_gather(d, c, m->iov, m->n_iov, d->scratch, DOOR_SCRATCH);
	}
	if (n < 0)
		return n;
	asked = to;
	bool question = family != AF_UNSPEC && door_names_redirect(d, &to);
	int64_t r = via_sendto(d->v, s->s, d->scratch, (uint32_t)n, 0, family != AF_UNSPEC ? &to : NULL);
	if (r < 0)
		return r;
	if (question)
		door_names_asked(s, d->scratch, (uint32_t)n, &asked);
	d->stats.dns_questions += question || (family == AF_UNSPEC && s->renamed);
	d->stats.bytes_out += (uint64_t)r;
	return r;
}

int64_t door_call_sendto(struct door *d, struct call *c, struct dsock *s)
{
	if (s->type == VIA_STREAM)
		return door_call_stream_send(d, c, s);
	int flags = (int)c->arg[3];
	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	struct message m = {.name = c->arg[4], .name_len = (uint32_t)c->arg[5], .flat = c->arg[1], .flat_len = c->arg[2]};
	int64_t r = message_send(d, c, s, &m);
	c->once = true;
	c->timeout = s->sndtimeo;
	return r == -EAGAIN && message_may_wait(d, c, s, flags) ? ANSWER_HELD : r;
}

int64_t door_call_sendmsg(struct door *d, struct call *c, struct dsock *s)
{
	struct message m;
	int flags = (int)c->arg[2];
	int err = message_read(d, c, c->arg[1], &m);
	if (err < 0)
		return err;
	if (s->type == VIA_STREAM)
		return m.name ? door_call_stream_send(d, c, s) : s->state == DS_OPEN || s->state == DS_BROKEN ? ANSWER_CONTINUE : -EPIPE;
	if (!m.name && s->has_peer && !m.control_len && !s->so_error)
		return ANSWER_CONTINUE;
	int64_t r = message_send(d, c, s, &m);
	c->once = true;
	c->timeout = s->sndtimeo;
	return r == -EAGAIN && message_may_wait(d, c, s, flags) ? ANSWER_HELD : r;
}

/* Does one of n messages at `vec` have an address? -errno. */
static int messages_named(struct door *d, struct call *c, uint64_t vec, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		struct message m;
		int err = message_read(d, c, vec + i * sizeof(struct mmsghdr), &m);
		if (err < 0)
			return err;
		if (m.name)
			return 1;
	}
	return 0;
}

int64_t door_call_sendmmsg(struct door *d, struct call *c, struct dsock *s)
{
	uint64_t vec = c->arg[1], n = MIN(c->arg[2] & UINT32_MAX, (uint64_t)DOOR_UIO), i;
	int flags = (int)c->arg[3];
	int named = messages_named(d, c, vec, n);
	if (named < 0)
		return named;
	if (s->type == VIA_STREAM)
		return named ? -EISCONN : ANSWER_CONTINUE;
	if (!named && s->has_peer && !s->so_error)
		return ANSWER_CONTINUE;
	int64_t r = 0;
	for (i = 0; i < n; i++) {
		struct message m;
		uint64_t at = vec + i * sizeof(struct mmsghdr);
		r = message_read(d, c, at, &m);
		if (r == 0)
			r = message_send(d, c, s, &m);
		if (r < 0)
			break;
		uint32_t len = (uint32_t)r;
		door_target_write(d, c, at + offsetof(struct mmsghdr, msg_len), &len, sizeof(len));
	}
	c->once = true;
	c->timeout = s->sndtimeo;
	if (i > 0)
		return (int64_t)i;
	return r == -EAGAIN && message_may_wait(d, c, s, flags) ? ANSWER_HELD : r;
}

/* --- receive --- */

/* The index of the interface that has this address, or 0. */
static int message_ifindex(struct door *d, const struct via_addr *a)
{
	struct via_addr_info info = {.size = sizeof(info)};
	for (int i = 0; via_addr_get(d->v, i, &info); i++) {
		if (via_addr_eq(&info.addr, a))
			return info.ifindex;
	}
	return 0;
}

/* A datagram's IP_PKTINFO or IPV6_PKTINFO into u, if it is wanted: its bytes, or 0. IPv4 on an AF_INET6 socket is told as mapped. */
static uint32_t message_pktinfo(const struct dsock *s, const struct via_addr *to, struct cmsghdr *u)
{
	int ifindex = message_ifindex(s->d, to);
	if (s->is_v6 && s->pktinfo6) {
		struct in6_pktinfo p = {.ipi6_ifindex = (unsigned)ifindex};
		*u = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(p)), .cmsg_level = IPPROTO_IPV6, .cmsg_type = IPV6_PKTINFO};
		memcpy(&p.ipi6_addr, to->b, 16);
		memcpy(CMSG_DATA(u), &p, sizeof(p));
		return CMSG_SPACE(sizeof(p));
	}
	if (s->pktinfo) {
		struct in_pktinfo p = {.ipi_ifindex = ifindex};
		*u = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(p)), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO};
		p.ipi_addr.s_addr = p.ipi_spec_dst.s_addr = htonl(via_addr_is_v4(to) ? via_addr_to_v4(to) : 0);
		memcpy(CMSG_DATA(u), &p, sizeof(p));
		return CMSG_SPACE(sizeof(p));
	}
	return 0;
}

/* Control data and flags back into the program's msghdr. */
static int message_write_hdr(struct door *d, struct call *c, struct dsock *s, const struct message *m,
			     const struct via_sockaddr *to, int flags)
{
	union {
		char b[CMSG_SPACE(sizeof(struct in6_pktinfo))];
		struct cmsghdr h;
	} u = {0};
	struct {
		uint64_t len;
		int32_t flags;
	} tail = {0, flags};
	uint32_t n = message_pktinfo(s, &to->addr, &u.h);
	if (n && m->control_len >= n) {
		int err = door_target_write(d, c, m->control, &u, n);
		if (err < 0)
			return err;
		tail.len = n;
	}
	return door_target_write(d, c, m->hdr + offsetof(struct msghdr, msg_controllen), &tail, sizeof(tail.len) + sizeof(tail.flags));
}

/* One datagram into m. Bytes (its whole length with MSG_TRUNC), or -errno; -EAGAIN: none waits. */
static int64_t message_recv(struct door *d, struct call *c, struct dsock *s, const struct message *m, int flags)
{
	struct via_sockaddr from = {.addr = via_addr_v4(0)}, to = from;
	struct msghdr parts = {0};
	int64_t room = (int64_t)MIN(m->flat_len, (uint64_t)DOOR_SCRATCH);
	if (flags & MSG_ERRQUEUE)
		return -EAGAIN;
	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (m->hdr)
		room = door_target_room(d, c, m->iov, m->n_iov);
	int fd = room < 0 ? (int)room : door_target_borrow(d, c, s);
	if (fd < 0)
		return fd;
	door_dgram_drain(s);
	int64_t n = door_dgram_take(s, fd, flags & MSG_PEEK, &from, &to);
	close(fd);
	if (n < 0)
		return n == -EAGAIN && s->shut_rd ? 0 : n;
	if (!(flags & MSG_PEEK))
		c->undo = door_dgram_untake;
	int64_t take = MIN(n, room);
	int64_t err = !m->hdr ? door_target_write(d, c, m->flat, d->scratch, (size_t)take) :
				door_target_scatter(d, c, m->iov, m->n_iov, d->scratch, (size_t)take);
	parts.msg_flags = (n > room ? MSG_TRUNC : 0) | (flags & MSG_CMSG_CLOEXEC);
	if (err >= 0)
		err = door_target_addr_write(s, c, m->name, m->name_len_at, &from);
	if (err >= 0 && m->hdr)
		err = message_write_hdr(d, c, s, m, &to, parts.msg_flags);
	if (!(flags & MSG_PEEK))
		door_dgram_offer(s);
	return err < 0 ? err : flags & MSG_TRUNC ? n : take;
}

static int64_t message_recv_or_wait(struct door *d, struct call *c, struct dsock *s, const struct message *m, int flags)
{
	int64_t r = message_recv(d, c, s, m, flags);
	c->timeout = s->rcvtimeo;
	return r == -EAGAIN && !(flags & MSG_ERRQUEUE) && message_may_wait(d, c, s, flags) ? ANSWER_HELD : r;
}

/* Receives on streams: the kernel's, over the pair. */
static int64_t stream_recv_answer(const struct dsock *s, int flags)
{
	if (s->state != DS_OPEN && s->state != DS_BROKEN)
		return -ENOTCONN;
	return flags & MSG_ERRQUEUE ? -EAGAIN : ANSWER_CONTINUE;
}

int64_t door_call_recvfrom(struct door *d, struct call *c, struct dsock *s)
{
	int flags = (int)c->arg[3];
	if (s->type == VIA_STREAM)
		return stream_recv_answer(s, flags);
	struct message m = {.name = c->arg[4], .name_len_at = c->arg[5], .flat = c->arg[1], .flat_len = c->arg[2]};
	return message_recv_or_wait(d, c, s, &m, flags);
}

int64_t door_call_recvmsg(struct door *d, struct call *c, struct dsock *s)
{
	struct message m;
	int flags = (int)c->arg[2];
	if (s->type == VIA_STREAM)
		return stream_recv_answer(s, flags);
	int err = message_read(d, c, c->arg[1], &m);
	return err < 0 ? err : message_recv_or_wait(d, c, s, &m, flags);
}

int64_t door_call_recvmmsg(struct door *d, struct call *c, struct dsock *s)
{
	uint64_t n = MIN(c->arg[2] & UINT32_MAX, (uint64_t)DOOR_UIO), i;
	int flags = (int)c->arg[3];
	int64_t r = 0;
	if (s->type == VIA_STREAM)
		return stream_recv_answer(s, flags);
	for (i = 0; i < n; i++) {
		struct message m;
		uint64_t at = c->arg[1] + i * sizeof(struct mmsghdr);
		r = message_read(d, c, at, &m);
		if (r == 0)
			r = message_recv(d, c, s, &m, flags);
		if (r < 0)
			break;
		uint32_t len = (uint32_t)r;
		door_target_write(d, c, at + offsetof(struct mmsghdr, msg_len), &len, sizeof(len));
	}
	c->timeout = s->rcvtimeo;
	if (i > 0 || n == 0)
		return (int64_t)i;
	return r == -EAGAIN && message_may_wait(d, c, s, flags) ? ANSWER_HELD : r;
}
