/* door/connect.c - connect() of a TCP socket.
 *
 * While the handshake runs the program's end must be unwritable, and become writable with an edge when it ends. So the end
 * is borrowed, its SO_SNDBUF set to the minimum and filled with junk; at the end the junk is drained from ours and the
 * buffer raised to its bulk size (the raise makes the edge), and the duplicate given back. While the duplicate is held the
 * program's last close cannot be seen: its descriptor is looked up once a second.
 * A failed non-blocking connect closes our end over the junk: the program polls POLLERR and POLLHUP and asks SO_ERROR,
 * which opts.c answers. A later connect() on that descriptor puts a new pair at its place. A failed blocking connect just
 * returns its error; the socket is fresh again. */
#include "door/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CONNECT_SAYS_SO 1

static void connect_fill(struct dsock *s)
{
	char junk[512] = {0};
	int min = 1;
	setsockopt(s->dup, SOL_SOCKET, SO_SNDBUF, &min, sizeof(min));
	while (send(s->dup, junk, sizeof(junk), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		;
}

/* Take the junk out of our queue, all but one byte. */
static void connect_drain(struct dsock *s)
{
	char waste[4096];
	int n = 0;
	while (ioctl(s->end, SIOCINQ, &n) == 0 && n > 1) {
		if (recv(s->end, waste, MIN((size_t)n - 1, sizeof(waste)), MSG_DONTWAIT) <= 0)
			break;
	}
	s->ahead = n > 0;
}

/* Give the borrowed end back, with its bulk size. */
static void connect_give_back(struct dsock *s)
{
	int size = DOOR_END_BYTES;
	connect_drain(s);
	if (s->dup < 0)
		return;
	setsockopt(s->dup, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (s->sized)
		door_stream_sizes(s, s->dup);
	close(s->dup);
	s->dup = -1;
	s->d->n_pending--;
}

static void connect_done(struct dsock *s)
{
	s->state = DS_OPEN;
	connect_give_back(s);
	door_held_prune(s);
	s->untold = !s->held;
	door_held_connected(s);
	door_stream_event(s, VIA_IN | VIA_OUT); /* bytes may have come with the handshake */
}

static void connect_failed(struct dsock *s, int err)
{
	door_held_prune(s);
	if (!s->held) {
		door_stream_break(s, err);
		return;
	}
	s->state = DS_FRESH;
	connect_give_back(s);
	door_held_answer(s, -err);
}

void door_connect_event(struct dsock *s, uint32_t edges)
{
	struct door *d = s->d;
	uint32_t level = via_ready(d->v, s->s);
	int err = 0;
	uint32_t len = sizeof(err);
	if (!(level & (VIA_OUT | VIA_ERR | VIA_HUP)))
		return;
	via_getsockopt(d->v, s->s, SOL_SOCKET, SO_ERROR, &err, &len);
	if (err)
		connect_failed(s, err);
	else if (level & VIA_OUT)
		connect_done(s);
}

void door_connect_look(struct door *d)
{
	for (struct dsock *s = d->socks; s && d->n_pending; s = s->next) {
		struct pollfd p = {.fd = s->end};
		if (s->dup < 0 || door_dsock_lives(s))
			continue;
		close(s->dup);
		s->dup = -1;
		d->n_pending--;
		/* Nobody else held it: our end hangs up. Else it only moved: dup2() or a child has it. */
		if (poll(&p, 1, 0) == 1 && (p.revents & POLLHUP))
			continue;
		if (door_target_search(d, s))
			s->dup = door_target_borrow_known(d, s);
		d->n_pending += s->dup >= 0;
	}
}

/* The socket of an earlier connection that failed: a new pair at the same number, and the same options. */
static int connect_renew(struct door *d, struct call *c, struct dsock *s, bool nonblock)
{
	int theirs, fd = (int)c->arg[0];
	door_table_del(d, s);
	s->ahead = 0;
	s->sink_in = s->sink_out = s->eof_out = s->fin_out = s->fin_in = s->shut_rd = s->shut_wr = s->want_out = false;
	int err = door_dsock_pair(s, nonblock, &theirs);
	if (err < 0)
		return err;
	err = door_inject_at(d, c, theirs, fd, door_target_cloexec(c->tid, fd));
	if (err < 0) {
		close(theirs);
		return err; /* our end sees the hang-up */
	}
	s->state = DS_FRESH;
	s->so_error = 0;
	d->n_broken--;
	s->dup = theirs;
	d->n_pending++;
	return 0;
}

/* What connect() says where it does not begin one; 0: it may begin; CONNECT_SAYS_SO: 0 to the program. */
static int64_t connect_not_now(struct call *c, struct dsock *s, bool nonblock)
{
	switch (s->state) {
	case DS_CONNECTING:
		c->once = true;
		return nonblock ? -EALREADY : ANSWER_HELD;
	case DS_OPEN:
		c->once = s->untold;
		s->untold = false;
		return c->once ? CONNECT_SAYS_SO : -EISCONN;
	case DS_LISTEN:
		return -EISCONN;
	case DS_FRESH:
		return 0;
	default: {
		/* As Linux: the first connect() after a failure tells it, the second begins anew. */
		int err = s->so_error;
		s->so_error = -1;
		return err > 0 ? -err : err == 0 ? -ECONNABORTED : 0;
	}
	}
}

int door_connect_pending(struct door *d, struct call *c, struct dsock *s)
{
	d->stats.connects++;
	if (s->dup < 0) {
		s->dup = door_target_borrow(d, c, s);
		d->n_pending += s->dup >= 0;
	}
	if (s->dup < 0) {
		via_abort(d->v, s->s);
		return s->dup;
	}
	connect_fill(s);
	s->state = DS_CONNECTING;
	d->task.deadline = MIN(d->task.deadline, loop_now() + DOOR_LIVE_NS);
	return 0;
}

static int64_t connect_begin(struct door *d, struct call *c, struct dsock *s, struct via_sockaddr to, bool nonblock)
{
	struct via_sockaddr shown = to;
	s->renamed = door_names_redirect(d, &to);
	s->shown_peer = shown;
	int err = via_connect(d->v, s->s, &to);
	if (err == -ECONNABORTED) /* the stack tells once more of a failure the program knows */
		err = via_connect(d->v, s->s, &to);
	if (err < 0 && err != -EINPROGRESS) {
		if (s->dup >= 0)
			connect_give_back(s);
		return err;
	}
	int pending = door_connect_pending(d, c, s);
	if (pending < 0)
		return pending;
	if (err == 0) { /* TCP_FASTOPEN_CONNECT: the stack waits for text */
		s->is_deferred = true;
		connect_done(s);
		s->untold = false;
		return 0;
	}
	return nonblock ? -EINPROGRESS : ANSWER_HELD;
}

int64_t door_call_connect(struct door *d, struct call *c, struct dsock *s)
{
	struct via_sockaddr to = {0};
	int family;
	int err = door_target_addr_read(s, c, c->arg[1], c->arg[2], &to, &family);
	if (err < 0)
		return err;
	if (s->type != VIA_STREAM)
		return door_call_dgram_connect(d, c, s, &to, family);
	if (family == AF_UNSPEC)
		return -EAFNOSUPPORT; /* an open connection is not undone through this door */
	bool nonblock = door_target_nonblock(d, c, s);
	c->timeout = s->sndtimeo;
	c->timeout_err = -EINPROGRESS;
	int64_t r = connect_not_now(c, s, nonblock);
	if (r != 0)
		return r == CONNECT_SAYS_SO ? 0 : r;
	if (s->state == DS_BROKEN) {
		err = connect_renew(d, c, s, nonblock);
		if (err < 0)
			return err;
	}
	c->once = true;
	return connect_begin(d, c, s, to, nonblock);
}
