/* posix/transfer.c - the calls that carry data.
 *
 * All come down to sendmsg and recvmsg. A blocking send of a stream goes on until all is taken, as Linux's does; what was taken
 * before an error, a time-out or a refusal to wait is the result. A datagram of several pieces is gathered first. A send with
 * MSG_FASTOPEN, and the first one after TCP_FASTOPEN_CONNECT, connects: its pieces are gathered too, since one call decides what the
 * SYN carries; the rest waits for the connection, or is left to who does not wait (EINPROGRESS). A blocking call waits until the
 * connection has come about even if all went on the SYN, and fails if it does not (as Linux). */
#include "posix/posix.h"

#include <errno.h>
#include <limits.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>

enum { PIECE_MAX = 1 << 30, DGRAM_MAX = 65535 };

struct transfer {
	const struct iovec *iov;
	int n;
	size_t total, done;
	int flags;
	bool is_counted;        /* among those with MSG_ZEROCOPY */
	bool addressed;         /* `addr` is the destination */
	bool has_opened;        /* MSG_FASTOPEN has had its effect */
	bool is_opening;        /* the SYN left without text */
	bool is_on_syn;         /* or with text, and nobody has answered yet */
	struct via_sockaddr addr;
	bool cut;               /* a datagram was longer than the room */
	bool tells_inq;         /* TCP_INQ is on: */
	int inq;                /* bytes still to be read, 1 if only the end is */
};

/* The pieces and their sum. 0, -EMSGSIZE, -EINVAL, -EFAULT. */
static int transfer_init(struct transfer *t, const struct iovec *iov, size_t n, int flags)
{
	*t = (struct transfer){.iov = iov, .n = (int)n, .flags = flags};
	if (n > IOV_MAX)
		return -EMSGSIZE;
	for (size_t i = 0; i < n; i++) {
		if (iov[i].iov_len > SSIZE_MAX - t->total)
			return -EINVAL;
		if (!iov[i].iov_base && iov[i].iov_len)
			return -EFAULT;
		t->total += iov[i].iov_len;
	}
	return 0;
}

/* The piece that begins where `done` bytes end, empty ones passed over. */
static struct iovec transfer_piece(const struct transfer *t)
{
	static char none[1];
	size_t at = t->done;
	for (int i = 0; i < t->n; i++) {
		if (at < t->iov[i].iov_len)
			return (struct iovec){(char *)t->iov[i].iov_base + at, MIN(t->iov[i].iov_len - at, (size_t)PIECE_MAX)};
		at -= t->iov[i].iov_len;
	}
	return (struct iovec){none, 0};
}

/* --- sending --- */

/* One piece. -EAGAIN too while a connection that it opens is under way. */
static int64_t piece_send(struct psock *ps, struct transfer *t, struct iovec piece, int how)
{
	bool opens = t->flags & MSG_FASTOPEN && !t->has_opened;
	int64_t r = via_sendto(ps->v, ps->s, piece.iov_base, (uint32_t)piece.iov_len, opens ? how | VIA_FASTOPEN : how,
			       t->addressed ? &t->addr : NULL);
	t->has_opened = true;
	if (opens && (r >= 0 || r == -EINPROGRESS) && !(via_ready(ps->v, ps->s) & VIA_RDHUP))
		mirror_renew(ps); /* if an end was shown, it was that of a connection before */
	t->is_opening |= r == -EINPROGRESS;
	return r == -EINPROGRESS ? -EAGAIN : r;
}

static int option_get(struct psock *ps, int level, int name)
{
	int on = 0;
	uint32_t len = sizeof(on);
	return via_getsockopt(ps->v, ps->s, level, name, &on, &len) ? 0 : on;
}

/* The first `len` bytes of all pieces, to be freed; NULL: no memory. */
static char *transfer_gather(const struct transfer *t, size_t len)
{
	char *whole = malloc(MAX(len, 1));
	size_t at = 0;
	for (int i = 0; whole && i < t->n && at < len; i++) {
		size_t part = MIN(t->iov[i].iov_len, len - at);
		if (part)
			memcpy(whole + at, t->iov[i].iov_base, part);
		at += part;
	}
	return whole;
}

/* Neither connected nor over. */
static bool is_connecting(struct psock *ps)
{
	struct via_sockaddr peer;
	return via_peer(ps->v, ps->s, &peer) == -ENOTCONN && !(via_ready(ps->v, ps->s) & VIA_HUP);
}

/* Does the first byte of this send put a SYN on its way? */
static bool send_opens(struct psock *ps, const struct transfer *t)
{
	if (t->has_opened || t->flags & MSG_OOB)
		return false;
	return t->flags & MSG_FASTOPEN || (option_get(ps, IPPROTO_TCP, TCP_FASTOPEN_CONNECT) && is_connecting(ps));
}

/* Bytes that go on the SYN, and wait for what becomes of it. */
static int64_t opening_send(struct psock *ps, struct transfer *t)
{
	size_t n = MIN(t->total, (size_t)DGRAM_MAX);
	char *whole = transfer_gather(t, n);
	if (!whole)
		return -ENOBUFS;
	int64_t r = piece_send(ps, t, (struct iovec){whole, n}, n < t->total || t->flags & MSG_MORE ? VIA_MORE : 0);
	free(whole);
	t->done = r > 0 ? (size_t)r : 0;
	t->is_on_syn = r > 0 && is_connecting(ps);
	return t->is_on_syn ? -EAGAIN : r;
}

/* 0: the SYN was answered, -EAGAIN: not yet, or what went wrong: then nothing was sent. */
static int opening_result(struct psock *ps, struct transfer *t)
{
	if (is_connecting(ps))
		return -EAGAIN;
	t->is_on_syn = false;
	int e = option_get(ps, SOL_SOCKET, SO_ERROR);
	if (e)
		t->done = 0;
	return -e;
}

static int64_t stream_send_attempt(struct psock *ps, struct transfer *t)
{
	if (t->is_on_syn) {
		int e = opening_result(ps, t);
		if (e)
			return e;
	} else if (send_opens(ps, t)) {
		int64_t r = opening_send(ps, t);
		if (r < 0)
			return r;
	}
	while (t->done < t->total || !t->total) {
		struct iovec piece = transfer_piece(t);
		bool is_last = t->done + piece.iov_len >= t->total;
		int how = !is_last || t->flags & MSG_MORE ? VIA_MORE : 0;
		if (is_last && t->flags & MSG_OOB) /* the last byte of all */
			how = VIA_OOB;
		int64_t r = piece_send(ps, t, piece, how);
		if (r < 0)
			return r != -EAGAIN && t->done ? (int64_t)t->done : r;
		t->done += (size_t)r;
		if (!t->total)
			break;
	}
	return (int64_t)t->done;
}

/* -EAGAIN does not mean "wait" here: there is no port, or no memory for the packet. */
static int64_t dgram_send_attempt(struct psock *ps, struct transfer *t)
{
	const struct via_sockaddr *to = t->addressed ? &t->addr : NULL;
	if (t->total > DGRAM_MAX)
		return -EMSGSIZE;
	struct iovec piece = transfer_piece(t);
	if (piece.iov_len == t->total)
		return via_sendto(ps->v, ps->s, piece.iov_base, (uint32_t)t->total, 0, to);
	char *whole = transfer_gather(t, t->total);
	if (!whole)
		return -ENOBUFS;
	int64_t r = via_sendto(ps->v, ps->s, whole, (uint32_t)t->total, 0, to);
	free(whole);
	return r;
}

static int64_t send_attempt(struct psock *ps, void *arg)
{
	struct transfer *t = arg;
	if (t->flags & MSG_OOB && ps->type != VIA_STREAM)
		return -EOPNOTSUPP;
	int64_t r = ps->type == VIA_STREAM ? stream_send_attempt(ps, t) : dgram_send_attempt(ps, t);
	if (t->flags & MSG_ZEROCOPY && !t->is_counted && (r > 0 || t->is_on_syn) && option_get(ps, SOL_SOCKET, SO_ZEROCOPY)) {
		t->is_counted = true;
		ps->zerocopies++;
	}
	return r;
}

ssize_t via_posix_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	struct transfer t;
	int e = transfer_init(&t, msg->msg_iov, msg->msg_iovlen, flags);
	if (!e && msg->msg_name && msg->msg_namelen) {
		e = addr_from(msg->msg_name, msg->msg_namelen, &t.addr);
		t.addressed = true;
		if (flags & MSG_FASTOPEN && ((const struct sockaddr *)msg->msg_name)->sa_family == AF_UNSPEC)
			e = -EOPNOTSUPP; /* connect() would dissolve a connection with that (as Linux) */
	}
	int64_t r = e ? e : posix_call(fd, flags, SO_SNDTIMEO, send_attempt, &t);
	if (r == -EAGAIN && t.is_opening)
		r = -EINPROGRESS;
	return (ssize_t)posix_result(r < 0 && t.done ? (int64_t)t.done : r);
}

ssize_t via_posix_sendto(int fd, const void *data, size_t len, int flags, const struct sockaddr *addr, socklen_t alen)
{
	struct iovec iov = {(void *)(uintptr_t)data, len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_name = (void *)(uintptr_t)addr, .msg_namelen = alen};
	return via_posix_sendmsg(fd, &msg, flags);
}

ssize_t via_posix_send(int fd, const void *data, size_t len, int flags)
{
	return via_posix_sendto(fd, data, len, flags, NULL, 0);
}

ssize_t via_posix_writev(int fd, const struct iovec *iov, int n)
{
	struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)n};
	return n < 0 ? (ssize_t)posix_result(-EINVAL) : via_posix_sendmsg(fd, &msg, 0);
}

ssize_t via_posix_write(int fd, const void *data, size_t len)
{
	return via_posix_send(fd, data, len, 0);
}

/* --- receiving --- */

/* Into one piece after the other, while the next bytes are there. With MSG_WAITALL, until all is full. */
static int64_t stream_recv_attempt(struct psock *ps, struct transfer *t)
{
	int flags = (t->flags & MSG_PEEK ? VIA_PEEK : 0) | (t->flags & MSG_TRUNC ? VIA_TRUNC : 0);
	bool all = t->flags & MSG_WAITALL && !(t->flags & MSG_PEEK);
	do {
		if (t->done && via_inq(ps->v, ps->s) <= 0 && (!all || via_ready(ps->v, ps->s) & VIA_ERR))
			break; /* an error is the next call's */
		struct iovec piece = transfer_piece(t);
		int64_t r = via_recvfrom(ps->v, ps->s, piece.iov_base, (uint32_t)piece.iov_len, flags, &t->addr, NULL);
		if (r < 0)
			return r != -EAGAIN && t->done ? (int64_t)t->done : r;
		if (r == 0)
			break;
		t->done += (size_t)r;
		/* A second peek would give the first bytes again. */
	} while (t->done < t->total && !(t->flags & MSG_PEEK) && via_atmark(ps->v, ps->s) <= 0);
	return (int64_t)t->done;
}

/* MSG_OOB: the urgent octet. Never waits, as Linux. */
static int64_t oob_recv_attempt(struct psock *ps, void *arg)
{
	struct transfer *t = arg;
	struct iovec piece = transfer_piece(t);
	if (ps->type != VIA_STREAM)
		return -EINVAL;
	return via_recv(ps->v, ps->s, piece.iov_base, MIN((uint32_t)piece.iov_len, 1u), VIA_OOB | (t->flags & MSG_PEEK ? VIA_PEEK : 0));
}

static void transfer_scatter(const struct transfer *t, const char *from, size_t len)
{
	for (int i = 0; i < t->n && len; i++) {
		size_t part = MIN(len, t->iov[i].iov_len);
		if (part)
			memcpy(t->iov[i].iov_base, from, part);
		from += part;
		len -= part;
	}
}

static int64_t dgram_recv_attempt(struct psock *ps, struct transfer *t)
{
	int flags = (t->flags & MSG_PEEK ? VIA_PEEK : 0) | VIA_TRUNC;
	uint32_t room = (uint32_t)MIN(t->total, (size_t)DGRAM_MAX);
	struct iovec piece = transfer_piece(t);
	char *whole = piece.iov_len < t->total && room ? malloc(room) : NULL;
	if (piece.iov_len < t->total && room && !whole)
		return -ENOBUFS;
	int64_t r = via_recvfrom(ps->v, ps->s, whole ? whole : piece.iov_base, room, flags, &t->addr, NULL);
	if (r >= 0) {
		t->cut = r > (int64_t)room;
		int64_t there = MIN(r, (int64_t)room);
		if (whole)
			transfer_scatter(t, whole, (size_t)there);
		r = t->flags & MSG_TRUNC ? r : there;
	}
	free(whole);
	return r;
}

static int64_t recv_attempt(struct psock *ps, void *arg)
{
	struct transfer *t = arg;
	t->addressed = ps->type != VIA_STREAM;
	int64_t r = ps->type == VIA_STREAM ? stream_recv_attempt(ps, t) : dgram_recv_attempt(ps, t);
	t->tells_inq = r >= 0 && ps->type == VIA_STREAM && option_get(ps, IPPROTO_TCP, TCP_INQ);
	if (t->tells_inq) {
		int64_t n = via_inq(ps->v, ps->s);
		t->inq = n > 0 ? (int)MIN(n, INT32_MAX) : !!(via_ready(ps->v, ps->s) & VIA_RDHUP);
	}
	return r;
}

/* One piece of ancillary data; MSG_CTRUNC if it does not fit, MSG_* to be added to msg_flags else. */
static int control_put(struct msghdr *msg, int level, int type, const void *data, size_t len)
{
	if (!msg->msg_control || msg->msg_controllen < CMSG_LEN(len)) {
		msg->msg_controllen = 0;
		return MSG_CTRUNC;
	}
	struct cmsghdr *c = msg->msg_control;
	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), data, len);
	msg->msg_controllen = MIN(CMSG_SPACE(len), msg->msg_controllen);
	return 0;
}

struct completion {
	struct sock_extended_err err;
	struct sockaddr_in offender;
};

/* What the error queue holds: that sends with MSG_ZEROCOPY are over, which they are at once, because all is copied. */
static int64_t errqueue_attempt(struct psock *ps, void *arg)
{
	struct completion *c = arg;
	if (ps->zerocopies == ps->zerocopies_told)
		return -EAGAIN;
	c->err = (struct sock_extended_err){.ee_origin = SO_EE_ORIGIN_ZEROCOPY, .ee_code = SO_EE_CODE_ZEROCOPY_COPIED,
					    .ee_info = ps->zerocopies_told, .ee_data = ps->zerocopies - 1};
	ps->zerocopies_told = ps->zerocopies;
	return 0;
}

static ssize_t recv_errqueue(int fd, struct msghdr *msg)
{
	struct completion c = {0};
	int64_t r = posix_call(fd, 0, 0, errqueue_attempt, &c);
	if (r == 0) {
		msg->msg_namelen = 0;
		msg->msg_flags = MSG_ERRQUEUE | control_put(msg, IPPROTO_IP, IP_RECVERR, &c, sizeof(c));
	}
	return (ssize_t)posix_result(r);
}

ssize_t via_posix_recvmsg(int fd, struct msghdr *msg, int flags)
{
	struct transfer t;
	if (flags & MSG_ERRQUEUE)
		return recv_errqueue(fd, msg);
	int e = transfer_init(&t, msg->msg_iov, msg->msg_iovlen, flags);
	bool is_oob = flags & MSG_OOB;
	int64_t r = e ? e : posix_call(fd, is_oob ? flags | MSG_DONTWAIT : flags, SO_RCVTIMEO, is_oob ? oob_recv_attempt : recv_attempt, &t);
	r = r < 0 && t.done ? (int64_t)t.done : r;
	if (r >= 0) {
		msg->msg_flags = (t.cut ? MSG_TRUNC : 0) | (is_oob ? MSG_OOB : 0);
		if (t.tells_inq)
			msg->msg_flags |= control_put(msg, IPPROTO_TCP, TCP_CM_INQ, &t.inq, sizeof(t.inq));
		else
			msg->msg_controllen = 0;
		if (t.addressed)
			addr_to(&t.addr, msg->msg_name, &msg->msg_namelen);
		else
			msg->msg_namelen = 0;
	}
	return (ssize_t)posix_result(r);
}

ssize_t via_posix_recvfrom(int fd, void *data, size_t len, int flags, struct sockaddr *addr, socklen_t *alen)
{
	struct iovec iov = {data, len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_name = alen ? addr : NULL, .msg_namelen = alen && addr ? *alen : 0};
	ssize_t r = via_posix_recvmsg(fd, &msg, flags);
	if (r >= 0 && addr && alen)
		*alen = msg.msg_namelen;
	return r;
}

ssize_t via_posix_recv(int fd, void *data, size_t len, int flags)
{
	return via_posix_recvfrom(fd, data, len, flags, NULL, NULL);
}

ssize_t via_posix_readv(int fd, const struct iovec *iov, int n)
{
	struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)n};
	return n < 0 ? (ssize_t)posix_result(-EINVAL) : via_posix_recvmsg(fd, &msg, 0);
}

ssize_t via_posix_read(int fd, void *data, size_t len)
{
	return via_posix_recv(fd, data, len, 0);
}
