/* door/stream.c - the bytes of a TCP socket, between the pair and the stack.
 *
 * Out: the program writes into its end; each byte is read once from ours, straight into the stack's send buffer. The
 * newest byte of the program is only peeked at and stays in our queue (`ahead` = 1: it is in the stack already), so that
 * closing our end over it shows the program ECONNRESET; the peer's FIN is a shutdown of our end, a clean end of file.
 * In: what the stack received is written into our end straight from its receive queue. A full end or a full stack holds
 * the other side back; edges (the stack's events, EPOLLOUT) start the pump again. The program's last close is a hang-up:
 * its remaining bytes go to the stack, then the stack's socket is closed (FIN); unread bytes in the program's end make it
 * a reset, as Linux does. EPOLLOUT is asked for only while the pair is full.
 * Limits: shutdown(RDWR) and the last close look alike at our end; after the former its holder is looked up. */
#include "door/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { STREAM_SPANS = 16, STREAM_ROUNDS = 16 };

static uint32_t stream_queued(const struct dsock *s)
{
	int n = 0;
	return s->end >= 0 && ioctl(s->end, SIOCINQ, &n) == 0 && n > 0 ? (uint32_t)n : 0;
}

uint32_t door_stream_waiting(const struct dsock *s)
{
	if (s->state != DS_OPEN && s->state != DS_DRAIN)
		return 0; /* written before a connection: swallowed */
	uint32_t n = stream_queued(s);
	return n > s->ahead ? n - s->ahead : 0;
}

static void stream_rearm(struct dsock *s)
{
	door_dsock_watch(s, EPOLLIN | EPOLLRDHUP | (s->want_out ? EPOLLOUT : 0));
}

static void stream_want_out(struct dsock *s, bool want)
{
	if (s->want_out == want || s->end < 0)
		return;
	s->want_out = want;
	stream_rearm(s);
}

/* --- out: program to stack --- */

/* Take `take` of the `fresh` bytes after the one that is ahead into the spans. Leaves the newest byte. False on our bug. */
static bool stream_take(struct dsock *s, const struct via_iov *span, int n, uint32_t take, uint32_t fresh)
{
	uint8_t skip, *last = NULL;
	struct iovec iov[STREAM_SPANS + 1];
	int k = 0;
	uint32_t left = take;
	if (s->ahead)
		iov[k++] = (struct iovec){&skip, 1};
	for (int i = 0; i < n && left; i++) {
		uint32_t len = MIN(span[i].len, left);
		iov[k++] = (struct iovec){span[i].base, len};
		left -= len;
		last = (uint8_t *)span[i].base + len - 1;
	}
	uint32_t eat = s->ahead + take;
	bool newest = take == fresh;
	if (newest && --eat > 0 && --iov[k - 1].iov_len == 0)
		k--;
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = (size_t)k};
	if (eat > 0 && recvmsg(s->end, &m, MSG_DONTWAIT) != (ssize_t)eat)
		return false;
	s->ahead = 0;
	if (newest) {
		if (recv(s->end, last, 1, MSG_PEEK | MSG_DONTWAIT) != 1)
			return false;
		s->ahead = 1;
	}
	return true;
}

/* Throw away what the program writes: the stack takes no more. The newest byte stays. */
static void stream_sink(struct dsock *s)
{
	char waste[4096];
	uint32_t n;
	while ((n = stream_queued(s)) > 1) {
		if (recv(s->end, waste, MIN(n - 1, sizeof(waste)), MSG_DONTWAIT) <= 0)
			break;
	}
	s->ahead = n >= 1;
}

/* connect() said yes before anything was sent (TCP_FASTOPEN_CONNECT): the first bytes go by a call that may put them on the SYN. As
 * stream_move(). */
static int64_t stream_move_first(struct dsock *s)
{
	struct door *d = s->d;
	uint32_t fresh = door_stream_waiting(s);
	ssize_t n = fresh ? recv(s->end, d->scratch, MIN(fresh + s->ahead, (uint32_t)DOOR_SCRATCH), MSG_PEEK | MSG_DONTWAIT) : 0;
	if (n <= (ssize_t)s->ahead)
		return 0;
	s->is_deferred = false;
	int64_t r = via_send(d->v, s->s, d->scratch + s->ahead, (uint32_t)n - s->ahead, 0);
	if (r <= 0)
		return r == -EINPROGRESS || r == -EAGAIN ? 0 : r;
	d->stats.bytes_out += (uint64_t)r;
	return stream_take(s, &(struct via_iov){d->scratch, (uint32_t)r}, 1, (uint32_t)r, fresh) ? r : -EIO;
}

/* One reservation. Bytes moved, 0: nothing to do or no room; -errno of the stack. */
static int64_t stream_move(struct dsock *s)
{
	struct door *d = s->d;
	struct via_iov span[STREAM_SPANS];
	uint32_t fresh = door_stream_waiting(s), room = 0;
	if (fresh == 0)
		return 0;
	int n = via_send_reserve(d->v, s->s, span, STREAM_SPANS, fresh);
	if (n <= 0)
		return n == -EAGAIN ? 0 : n;
	for (int i = 0; i < n; i++)
		room += span[i].len;
	uint32_t take = MIN(room, fresh);
	if (take == 0)
		return 0;
	if (!stream_take(s, span, n, take, fresh))
		return -EIO;
	d->stats.bytes_out += take;
	int err = via_send_commit(d->v, s->s, take);
	return err < 0 ? err : (int64_t)take;
}

void door_stream_pump_out(struct dsock *s)
{
	if (s->state != DS_OPEN && s->state != DS_DRAIN)
		return;
	int64_t n = 1;
	for (int i = 0; i < STREAM_ROUNDS && n > 0 && !s->sink_out; i++) {
		n = s->is_deferred ? stream_move_first(s) : stream_move(s);
		if (n < 0) {
			s->sink_out = true;
			if (n != -EPIPE)
				s->so_error = (int)-n;
		}
	}
	if (n > 0 && !s->sink_out) /* more than a turn's share: a new edge */
		stream_rearm(s);
	if (s->sink_out)
		stream_sink(s);
	if (s->eof_out && !s->fin_out && door_stream_waiting(s) == 0) {
		s->fin_out = true;
		if (s->state != DS_DRAIN)
			via_shutdown(s->d->v, s->s, VIA_SHUT_WR);
	}
}

/* --- in: stack to program --- */

/* The peer's end was passed on. A reset after it: the program's writes must fail, and its reads stay at the end. */
static void stream_in_over(struct dsock *s)
{
	if (s->sink_out || (via_ready(s->d->v, s->s) & VIA_ERR))
		door_stream_break(s, EPIPE);
}

/* The stack's queue is empty, and asked it said r: is it the end? */
static void stream_in_end(struct dsock *s, int64_t r)
{
	char c;
	if (r == 0)
		r = via_recv(s->d->v, s->s, &c, 1, VIA_PEEK);
	if (r == -EAGAIN || r > 0)
		return;
	if (r < 0 || s->so_error) {
		door_stream_break(s, s->so_error ? s->so_error : (int)-r);
		return;
	}
	if (!s->fin_in) {
		s->fin_in = true;
		shutdown(s->end, SHUT_WR);
	}
	stream_in_over(s);
}

/* Bytes came after shutdown(RDWR): a reset, as after a close (RFC 1122 §4.2.2.13). */
static void stream_in_unwanted(struct dsock *s)
{
	via_abort(s->d->v, s->s);
	s->s = 0;
	door_stream_break(s, ECONNRESET);
}

void door_stream_pump_in(struct dsock *s)
{
	struct door *d = s->d;
	struct via_iov span[STREAM_SPANS];
	struct iovec iov[STREAM_SPANS];
	if (s->state != DS_OPEN)
		return;
	if (s->fin_in) {
		stream_in_over(s);
		return;
	}
	for (int i = 0; i < STREAM_ROUNDS; i++) {
		size_t sum = 0;
		int n = via_recv_peek(d->v, s->s, span, STREAM_SPANS);
		for (int k = 0; k < n; k++) {
			iov[k] = (struct iovec){span[k].base, span[k].len};
			sum += span[k].len;
		}
		if (n <= 0 || sum == 0) {
			stream_in_end(s, n);
			return;
		}
		struct msghdr m = {.msg_iov = iov, .msg_iovlen = (size_t)n};
		ssize_t w = s->sink_in ? (ssize_t)sum : sendmsg(s->end, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (w < 0 && errno == EPIPE) {
			s->sink_in = true;
			w = (ssize_t)sum;
		}
		if (s->sink_in && s->shut_rd && s->fin_out) {
			stream_in_unwanted(s);
			return;
		}
		if (w > 0) {
			via_recv_consume(d->v, s->s, (uint32_t)w);
			d->stats.bytes_in += (uint64_t)w;
		}
		stream_want_out(s, w < (ssize_t)sum);
		if (w < (ssize_t)sum)
			return;
	}
	s->want_out = true; /* more than a turn's share: come back at once */
	stream_rearm(s);
}

/* --- how it ends --- */

void door_stream_break(struct dsock *s, int err)
{
	char waste[4096];
	if (s->state == DS_BROKEN)
		return;
	if (s->state == DS_DRAIN) {
		door_dsock_free(s, true);
		return;
	}
	s->so_error = err;
	while (s->fin_in && stream_queued(s) && recv(s->end, waste, sizeof(waste), MSG_DONTWAIT) > 0)
		; /* nothing unread: closing is no reset */
	door_dsock_end_close(s);
	s->state = DS_BROKEN;
	s->d->n_broken++;
	s->d->task.deadline = MIN(s->d->task.deadline, loop_now() + DOOR_LIVE_NS);
	door_held_run(s);
}

/* The program let go of it. */
static void stream_closed(struct dsock *s)
{
	int err = 0;
	socklen_t len = sizeof(err);
	getsockopt(s->end, SOL_SOCKET, SO_ERROR, &err, &len);
	if (s->state != DS_OPEN || s->linger0) {
		door_dsock_free(s, s->state == DS_CONNECTING || s->linger0);
		return;
	}
	if (err == ECONNRESET) { /* it left bytes unread: RFC 9293 §3.6.1, RFC 2525 §2.17 */
		door_dsock_free(s, true);
		return;
	}
	s->state = DS_DRAIN;
	s->eof_out = true;
	door_stream_pump_out(s);
	if (s->fin_out)
		door_dsock_free(s, false);
}

void door_stream_ready(struct dsock *s, uint32_t events)
{
	if (s->state == DS_DRAIN) {
		door_stream_pump_out(s);
		if (s->fin_out)
			door_dsock_free(s, false);
		return;
	}
	bool both_shut = (s->shut_rd || s->fin_in) && s->shut_wr; /* that is a hang-up too */
	if ((events & EPOLLHUP) && !(both_shut && door_dsock_held(s))) {
		stream_closed(s);
		return;
	}
	if (s->state != DS_OPEN)
		return;
	if (events & EPOLLRDHUP)
		s->eof_out = true;
	door_stream_pump_out(s);
	if (s->held)
		door_held_run(s);
	if ((events & EPOLLOUT) || s->so_error)
		door_stream_pump_in(s);
}

void door_stream_event(struct dsock *s, uint32_t edges)
{
	if (s->state == DS_DRAIN) {
		if (edges & VIA_ERR)
			door_dsock_free(s, true);
		else
			door_stream_ready(s, 0);
		return;
	}
	if (s->state != DS_OPEN)
		return;
	door_stream_pump_out(s);
	if (s->held)
		door_held_run(s);
	door_stream_pump_in(s);
}

/* --- sizes and shutdown --- */

void door_stream_sizes(struct dsock *s, int theirs)
{
	int val;
	uint32_t len = sizeof(val);
	if (s->end >= 0 && via_getsockopt(s->d->v, s->s, SOL_SOCKET, SO_RCVBUF, &val, &len) == 0) {
		val /= 2; /* the kernel doubles it */
		setsockopt(s->end, SOL_SOCKET, SO_SNDBUF, &val, sizeof(val));
	}
	len = sizeof(val);
	if (theirs >= 0 && via_getsockopt(s->d->v, s->s, SOL_SOCKET, SO_SNDBUF, &val, &len) == 0) {
		val = MAX(val / 2, DOOR_END_BYTES);
		setsockopt(theirs, SOL_SOCKET, SO_SNDBUF, &val, sizeof(val));
	}
}

int64_t door_call_shutdown(struct door *d, struct call *c, struct dsock *s)
{
	int how = (int)c->arg[1];
	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	if (s->state == DS_LISTEN) {
		if (how == SHUT_WR)
			return 0;
		door_listen_stop(s);
		door_held_answer(s, -EINVAL);
	} else if (s->type == VIA_STREAM ? s->state != DS_OPEN : !s->has_peer) {
		return -ENOTCONN;
	}
	s->shut_rd |= how != SHUT_WR;
	s->shut_wr |= how != SHUT_RD;
	if (s->type != VIA_STREAM)
		via_shutdown(d->v, s->s, (enum via_how)how);
	/* The kernel shuts the program's end; the stack is told when that is seen at ours, after the bytes before it. */
	return ANSWER_CONTINUE;
}

/* The text of a sendto() or sendmsg() into the scratch, and where its address lies. Bytes or -errno. */
static int64_t stream_gather(struct door *d, struct call *c, uint64_t *name, uint32_t *name_len)
{
	struct msghdr m;
	if (c->nr == __NR_sendto) {
		size_t n = MIN(c->arg[2], (uint64_t)DOOR_SCRATCH);
		int err = door_target_read(d, c, c->arg[1], d->scratch, n);
		*name = c->arg[4];
		*name_len = (uint32_t)c->arg[5];
		return err < 0 ? err : (int64_t)n;
	}
	int err = door_target_read(d, c, c->arg[1], &m, sizeof(m));
	if (err < 0)
		return err;
	*name = (uintptr_t)m.msg_name;
	*name_len = m.msg_namelen;
	return door_target_gather(d, c, (uintptr_t)m.msg_iov, m.msg_iovlen, d->scratch, DOOR_SCRATCH);
}

/* sendto() and sendmsg() with an address on a stream: the address means nothing to a connected one, and opens it with MSG_FASTOPEN. */
int64_t door_call_stream_send(struct door *d, struct call *c, struct dsock *s)
{
	uint64_t name;
	uint32_t name_len;
	int flags = (int)(c->nr == __NR_sendto ? c->arg[3] : c->arg[2]);
	bool is_over = flags & MSG_FASTOPEN && c->again && s->state == DS_OPEN; /* it has opened it: now for the rest */
	if (s->state != DS_OPEN && !(flags & MSG_FASTOPEN))
		return s->state == DS_CONNECTING ? -EAGAIN : -EPIPE;
	int64_t n = stream_gather(d, c, &name, &name_len);
	if (n < 0)
		return n;
	if (flags & MSG_FASTOPEN && !is_over)
		return door_fastopen_send(d, c, s, name, name_len, (uint32_t)n, flags & MSG_DONTWAIT);
	int fd = door_target_borrow(d, c, s);
	if (fd < 0)
		return fd;
	bool wait = !(flags & MSG_DONTWAIT) && !(fcntl(fd, F_GETFL) & O_NONBLOCK);
	ssize_t w = send(fd, d->scratch + c->sent, (size_t)n - c->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
	int64_t r = w < 0 ? -errno : w + c->sent;
	close(fd);
	c->once = true;
	c->timeout = s->sndtimeo;
	return r == -EAGAIN && wait ? ANSWER_HELD : r;
}
