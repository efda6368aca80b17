/* gate/stream.c - a TCP connection of the inside, carried on one of the machine's.
 *
 * ASKS: a SYN came and is held; the machine's socket connects. Connected: the SYN is answered (ANSWERS), and when the handshake
 * inside has ended, both are OPEN. Refused: RST. No way there: ICMP. No answer: none inside either, as long as the SYNs come.
 * OPEN: bytes are read from one right into the buffer of the other, so each way goes as fast as its slower half and holds no more
 * than their buffers. An end goes on as an end, a reset as a reset; one of the outside waits, at most ENDS_NS, until what came
 * before has arrived inside, as it would have on the wire.
 * DIALS: the other way round, a connection to a forwarded port (forward.c) is taken and one inside begins; if that fails, it is reset.
 * The machine's sockets are watched for edges, so a wake-up costs no change of the watch; who has more to do than a turn allows
 * comes back in the next. Urgent data goes on in line. RFC 9293 §3.5, §3.6. */
#include "gate/inside.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SPANS = 16, TURN_BYTES = 512 << 10, PIECE = 256 << 10 };
#define ENDS_NS (10 * NS_PER_S)
#define ENDS_LOOK_NS (10 * NS_PER_MS)

_Static_assert(sizeof(struct iovec) == sizeof(struct via_iov), "spans are copied");

/* --- end --- */

void gate_stream_free(struct gate_stream *s, bool reset)
{
	struct gate *g = s->g;
	if (s->fd >= 0) {
		struct linger now = {.l_onoff = 1, .l_linger = 0};
		if (reset)
			setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		loop_fd_del(g->cfg.loop, s->fd);
		close(s->fd);
	}
	if (s->sock && reset)
		via_abort(g->v, s->sock);
	else if (s->sock)
		via_close(g->v, s->sock);
	for (struct gate_stream **m = &g->more; s->has_more && *m; m = &(*m)->more) {
		if (*m == s) {
			*m = s->more;
			break;
		}
	}
	*s->at = s->next;
	if (s->next)
		s->next->at = s->at;
	g->stats.streams_now--;
	gate_touched(g);
	free(s);
}

static void come_back(struct gate_stream *s)
{
	if (s->has_more)
		return;
	s->has_more = true;
	s->more = s->g->more;
	s->g->more = s;
	s->g->task.deadline = 0;
}

/* The outside was reset: what it had sent before goes in first. */
static void outside_reset(struct gate_stream *s)
{
	s->phase = GATE_ENDS;
	s->until = loop_now() + ENDS_NS;
	come_back(s);
}

/* --- bytes --- */

static void spans(const struct via_iov *from, int n, struct iovec *to)
{
	for (int i = 0; i < n; i++)
		to[i] = (struct iovec){from[i].base, from[i].len};
}

/* All there is or that fits; there is more for the next turn; the inside, or the outside, is no more. */
enum moved { MOVED_ALL, MOVED_MORE, MOVED_NO_INSIDE, MOVED_NO_OUTSIDE };

/* What the program sent, as much as the machine takes. */
static enum moved move_out(struct gate_stream *s)
{
	struct gate *g = s->g;
	struct via_iov from[SPANS];
	struct iovec io[SPANS];
	for (int64_t sum = 0; s->can_write && !s->in_end;) {
		int n = via_recv_peek(g->v, s->sock, from, SPANS);
		if (n == -EAGAIN)
			return MOVED_ALL;
		if (n < 0 || (n == 0 && s->phase == GATE_ENDS)) /* a reset is no end */
			return MOVED_NO_INSIDE;
		if (n == 0) {
			s->in_end = true;
			shutdown(s->fd, SHUT_WR);
			return MOVED_ALL;
		}
		if (sum >= TURN_BYTES)
			return MOVED_MORE;
		spans(from, n, io);
		ssize_t w = writev(s->fd, io, n);
		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0 && errno != EAGAIN)
			return MOVED_NO_OUTSIDE;
		s->can_write = w >= 0;
		if (w > 0) {
			via_recv_consume(g->v, s->sock, (uint32_t)w);
			g->stats.bytes_out += (uint64_t)w;
			sum += w;
		}
	}
	return MOVED_ALL;
}

/* What came from outside, as much as the program's connection takes. */
static enum moved move_in(struct gate_stream *s)
{
	struct gate *g = s->g;
	struct via_iov to[SPANS];
	struct iovec io[SPANS];
	for (int64_t sum = 0; s->can_read && !s->out_end;) {
		if (sum >= TURN_BYTES)
			return MOVED_MORE;
		int n = via_send_reserve(g->v, s->sock, to, SPANS, PIECE);
		if (n == -EAGAIN || n == 0)
			return MOVED_ALL; /* VIA_OUT comes */
		if (n < 0)
			return MOVED_NO_INSIDE;
		spans(to, n, io);
		ssize_t r = readv(s->fd, io, n);
		int err = errno;
		via_send_commit(g->v, s->sock, r > 0 ? (uint32_t)r : 0);
		if (r < 0 && err == EINTR)
			continue;
		if ((r < 0 && err != EAGAIN) || (r == 0 && s->phase == GATE_ENDS)) /* its error was told to a write */
			return MOVED_NO_OUTSIDE;
		s->can_read = r > 0;
		if (r == 0) {
			s->out_end = true;
			via_shutdown(g->v, s->sock, VIA_SHUT_WR);
		} else if (r > 0) {
			g->stats.bytes_in += (uint64_t)r;
			sum += r;
		}
	}
	return MOVED_ALL;
}

static bool inside_is_reset(struct gate_stream *s)
{
	int e = 0;
	uint32_t len = sizeof(e);
	return via_getsockopt(s->g->v, s->sock, SOL_SOCKET, SO_ERROR, &e, &len) < 0 || e;
}

/* Do what can be done. s may be gone afterwards. */
static void pump(struct gate_stream *s)
{
	enum moved out = move_out(s), in = out == MOVED_NO_INSIDE ? out : move_in(s);
	if (in == MOVED_NO_INSIDE) {
		gate_stream_free(s, true);
		return;
	}
	if (out == MOVED_NO_OUTSIDE || in == MOVED_NO_OUTSIDE) {
		outside_reset(s);
		return;
	}
	if (s->in_end && s->out_end)
		gate_stream_free(s, false);
	else if (out == MOVED_MORE || in == MOVED_MORE)
		come_back(s);
}

/* --- opening --- */

/* The machine could not connect. */
static void not_connected(struct gate_stream *s, int err)
{
	struct gate *g = s->g;
	struct via_sockaddr local, peer;
	struct via_sock_info i = {.size = sizeof(i)};
	int code = gate_unreach_code(err);
	if (code >= 0 && !via_local(g->v, s->sock, &local) && !via_peer(g->v, s->sock, &peer) && !via_sock_info(g->v, s->sock, &i))
		via_unreach(g->v, VIA_STREAM, (uint8_t)code, &local, &peer, i.irs);
	gate_stream_free(s, code < 0 && err != ETIMEDOUT);
}

static void connected(struct gate_stream *s)
{
	if (via_answer(s->g->v, s->sock) < 0) {
		s->g->stats.refused++;
		gate_stream_free(s, true);
		return;
	}
	s->phase = GATE_ANSWERS;
	s->can_read = s->can_write = true;
}

static void asked(struct gate_stream *s)
{
	int err = 0;
	socklen_t len = sizeof(err);
	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		err = errno;
	if (err)
		not_connected(s, err);
	else
		connected(s);
}

static void on_outside(void *ctx, uint32_t events)
{
	struct gate_stream *s = ctx;
	gate_woken(s->g);
	if (s->phase == GATE_ASKS) {
		if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
			asked(s);
		return;
	}
	s->can_read |= (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
	s->can_write |= (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0;
	if (s->phase == GATE_OPEN)
		pump(s);
	else if (s->phase == GATE_DIALS && events & EPOLLERR) /* he has given up */
		gate_stream_free(s, true);
}

static void on_inside(struct via_handler *h, struct via *v, via_sock sock, uint32_t edges)
{
	struct gate_stream *s = CONTAINER_OF(h, struct gate_stream, handler);
	uint32_t ready = via_ready(v, sock);
	if (ready & VIA_ERR && inside_is_reset(s)) {
		bool was_open = s->phase == GATE_OPEN;
		s->phase = GATE_ENDS;
		if (was_open) /* what it had sent before goes, as far as it is taken */
			move_out(s);
		gate_stream_free(s, true);
		return;
	}
	if ((s->phase == GATE_ANSWERS || s->phase == GATE_DIALS) && ready & VIA_OUT)
		s->phase = GATE_OPEN;
	if (s->phase == GATE_OPEN)
		pump(s);
}

/* Both may be missing; takes them, or, without memory or a place, refuses them. */
static struct gate_stream *stream_new(struct gate *g, via_sock sock, int fd)
{
	struct gate_stream *s = g->stats.streams_now < g->cfg.streams_max ? calloc(1, sizeof(*s)) : NULL;
	if (!s) {
		struct linger now = {.l_onoff = 1, .l_linger = 0};
		g->stats.refused++;
		if (sock)
			via_abort(g->v, sock);
		if (fd >= 0) {
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
			close(fd);
		}
		return NULL;
	}
	*s = (struct gate_stream){.handler = {on_inside}, .g = g, .next = g->streams, .at = &g->streams, .sock = sock, .fd = fd};
	if (s->next)
		s->next->at = &s->next;
	g->streams = s;
	g->stats.streams++;
	g->stats.streams_now++;
	return s;
}

static void options_inside(struct gate_stream *s)
{
	int on = 1;
	via_setsockopt(s->g->v, s->sock, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* the far end has decided what goes together */
	via_setsockopt(s->g->v, s->sock, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
}

static void options_outside(struct gate_stream *s)
{
	int on = 1;
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(s->fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
}

static int watch(struct gate_stream *s)
{
	return loop_fd_add(s->g->cfg.loop, s->fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, on_outside, s);
}

/* The machine's socket begins to connect. 0, or -errno. */
static int ask(struct gate_stream *s, const struct via_sockaddr *out)
{
	struct sockaddr_storage to;
	socklen_t len = gate_sockaddr(out, &to);
	s->fd = gate_socket(&out->addr, SOCK_STREAM, 0);
	if (s->fd < 0)
		return s->fd;
	options_outside(s);
	if (connect(s->fd, (struct sockaddr *)&to, len) < 0 && errno != EINPROGRESS)
		return -errno;
	return watch(s);
}

static void stream_begin(struct gate *g, via_sock sock)
{
	struct via_sockaddr to, out;
	struct gate_stream *s = stream_new(g, sock, -1);
	if (!s || via_local(g->v, sock, &to))
		return;
	via_set_cookie(g->v, sock, via_cookie(&s->handler));
	options_inside(s);
	enum gate_verdict verdict = gate_decide(g, &to, &out);
	int err = verdict == GATE_GO ? ask(s, &out) : verdict == GATE_NOBODY ? -ECONNREFUSED : -ENETUNREACH;
	if (err) {
		g->stats.refused += gate_unreach_code(-err) < 0 && verdict == GATE_GO;
		not_connected(s, -err);
	}
}

void gate_stream_accept(struct gate *g)
{
	via_sock sock;
	while (via_accept(g->v, g->streams_all, 0, &sock, NULL) == 0)
		stream_begin(g, sock);
}

/* The connection inside, under the peer's name. 0 or -errno. */
static int dial(struct gate_stream *s, const struct via_sockaddr *peer, const struct via_sockaddr *guest)
{
	struct via *v = s->g->v;
	struct via_sockaddr name = {.addr = gate_name_of(s->g, &peer->addr, &guest->addr)};
	int on = 1, err = via_open(v, VIA_STREAM, via_cookie(&s->handler), &s->sock);
	if (err)
		return err;
	via_setsockopt(v, s->sock, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	options_inside(s);
	err = via_bind(v, s->sock, &name);
	if (!err)
		err = via_connect(v, s->sock, guest);
	return err == -EINPROGRESS ? 0 : err;
}

void gate_stream_dial(struct gate *g, int fd, const struct via_sockaddr *peer, const struct via_sockaddr *guest)
{
	struct gate_stream *s = stream_new(g, 0, fd);
	if (!s)
		return;
	s->phase = GATE_DIALS;
	options_outside(s);
	if (dial(s, peer, guest) < 0 || watch(s) < 0)
		gate_stream_free(s, true);
	gate_touched(g);
}

/* --- the next turn --- */

/* GATE_ENDS: is the reset's turn? */
static bool is_over(struct gate_stream *s, int64_t now)
{
	enum moved in = move_in(s);
	return in == MOVED_NO_INSIDE || now >= s->until || (in == MOVED_NO_OUTSIDE && via_outq(s->g->v, s->sock) <= 0);
}

void gate_stream_more(struct gate *g, int64_t now)
{
	struct gate_stream *s = g->more, *next;
	bool all_wait = true;
	g->more = NULL;
	for (struct gate_stream *i = s; i; i = i->more)
		i->has_more = false;
	for (; s; s = next) {
		next = s->more;
		gate_touched(g);
		if (s->phase == GATE_ENDS && is_over(s, now)) {
			gate_stream_free(s, true);
		} else if (s->phase == GATE_ENDS) {
			come_back(s);
		} else if (s->phase == GATE_OPEN) {
			pump(s);
			all_wait = false;
		}
	}
	if (g->more && all_wait)
		g->task.deadline = now + ENDS_LOOK_NS;
}
