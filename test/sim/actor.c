/* test/sim/actor.c - see actor.h. */
#include "test/sim/actor.h"

#include "base/defs.h"
#include "serve/bulk.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

enum { PIECE = 4096 };

static void on_event(struct via_handler *h, struct via *v, via_sock s, uint32_t edges)
{
	actor_run((struct actor *)h, edges);
}

void actor_init(struct actor *a, const struct scene *s, int flow, int side, int64_t *now)
{
	const struct scene_flow *f = &s->flows[flow];
	*a = (struct actor){.handler = {on_event}, .f = f, .side = (uint8_t)side, .flow = (uint8_t)flow, .check = !s->has_mangled,
		.seed = s->seed * 64 + (unsigned)flow * 2, .now = now, .next = TIME_NEVER};
	a->send_bytes = side ? f->down : f->up;
	a->recv_bytes = side ? f->up : f->down;
	a->progress_at = *now;
}

static int set_int(struct via *v, via_sock s, int level, int name, uint32_t value)
{
	int32_t x = (int32_t)value;
	int rc = value ? via_setsockopt(v, s, level, name, &x, sizeof x) : 0;
	return rc == -ENOPROTOOPT ? 0 : rc; /* not every option is there yet */
}

int actor_options(struct via *v, via_sock s, const struct scene_opts *o)
{
	static const char *const ccs[] = {"", "cubic", "reno", "bbr"};
	const struct {
		int level, name;
		uint32_t value;
	} all[] = {{IPPROTO_TCP, TCP_NODELAY, o->nodelay}, {IPPROTO_TCP, TCP_CORK, o->cork}, {IPPROTO_TCP, TCP_QUICKACK, o->quickack},
		{SOL_SOCKET, SO_SNDBUF, o->sndbuf}, {SOL_SOCKET, SO_RCVBUF, o->rcvbuf}, {IPPROTO_TCP, TCP_MAXSEG, o->maxseg},
		{IPPROTO_TCP, TCP_USER_TIMEOUT, o->user_timeout_ms}, {IPPROTO_TCP, TCP_NOTSENT_LOWAT, o->notsent_lowat},
		{IPPROTO_TCP, TCP_DEFER_ACCEPT, o->defer_accept}, {SOL_SOCKET, SO_KEEPALIVE, o->keepalive},
		{IPPROTO_TCP, TCP_KEEPIDLE, o->keepidle}, {IPPROTO_TCP, TCP_KEEPINTVL, o->keepintvl}, {IPPROTO_TCP, TCP_KEEPCNT, o->keepcnt}};
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		int rc = set_int(v, s, all[i].level, all[i].name, all[i].value);
		if (rc)
			return rc;
	}
	if (o->linger0) {
		struct linger l = {.l_onoff = 1};
		int rc = via_setsockopt(v, s, SOL_SOCKET, SO_LINGER, &l, sizeof l);
		if (rc)
			return rc;
	}
	if (o->cc) /* -ENOENT: not built yet, the default stays */
		via_setsockopt(v, s, IPPROTO_TCP, TCP_CONGESTION, ccs[o->cc], (uint32_t)strlen(ccs[o->cc]));
	return 0;
}

/* Bytes it may have sent by now. */
static uint64_t allowed(const struct actor *a)
{
	const struct scene_flow *f = a->f;
	uint64_t n = a->send_bytes;
	if (f->work == WORK_ASK)
		n = a->side ? a->received / f->ask * f->answer : (a->received / f->answer + 1) * f->ask;
	if (f->work == WORK_HALF && a->side && !a->fin_seen)
		n = 0;
	return MIN(n, a->send_bytes);
}

static bool is_slow_writer(const struct actor *a) { return a->f->work == WORK_TINY && !a->side; }
static bool is_slow_reader(const struct actor *a) { return a->f->work == WORK_SLOW && a->side; }

/* 0 or -errno. */
static int write_some(struct actor *a)
{
	struct via *v = a->node->stack;
	uint64_t most = allowed(a);
	while (a->sent < most && *a->now >= a->write_at) {
		uint8_t buf[PIECE];
		uint64_t n = MIN(most - a->sent, sizeof buf);
		if (is_slow_writer(a))
			n = MIN(n, a->f->chunk);
		bulk_fill(a->seed + a->side, a->sent, buf, n);
		int64_t took = via_send(v, a->sock, buf, (uint32_t)n, 0);
		if (took < 0)
			return took == -EAGAIN ? 0 : (int)took;
		a->sent += (uint64_t)took;
		if (is_slow_writer(a))
			a->write_at = *a->now + a->f->gap;
	}
	bool waits = a->f->work == WORK_HALF && a->side && !a->fin_seen;
	if (a->fin_sent || a->sent < a->send_bytes || waits)
		return 0;
	a->fin_sent = true;
	return via_shutdown(v, a->sock, VIA_SHUT_WR);
}

/* 0 or -errno. */
static int read_some(struct actor *a)
{
	while (!a->fin_seen && *a->now >= a->read_at) {
		uint8_t buf[PIECE];
		uint32_t room = is_slow_reader(a) ? MIN(a->f->chunk, (uint32_t)sizeof buf) : (uint32_t)sizeof buf;
		int64_t n = via_recv(a->node->stack, a->sock, buf, room, 0);
		if (n < 0)
			return n == -EAGAIN ? 0 : (int)n;
		if (n > 0 && a->check && a->received + (uint64_t)n > a->recv_bytes)
			return -EPROTO;
		if (n > 0 && a->check && bulk_diff(a->seed + !a->side, a->received, buf, (size_t)n) < (size_t)n)
			return -EBADMSG;
		a->received += (uint64_t)n;
		a->fin_seen = n == 0;
		if (is_slow_reader(a))
			a->read_at = *a->now + a->f->gap;
	}
	return a->check && a->fin_seen && a->received < a->recv_bytes ? -EPROTO : 0;
}

static int pending_error(struct actor *a)
{
	int err = 0;
	uint32_t len = sizeof err;
	int rc = via_getsockopt(a->node->stack, a->sock, SOL_SOCKET, SO_ERROR, &err, &len);
	return rc ? rc : -err;
}

static void finish(struct actor *a)
{
	a->is_done = true;
	a->next = TIME_NEVER;
	if (!a->side && a->f->o[0].linger0 && via_outq(a->node->stack, a->sock) > 0)
		a->has_reset = true; /* close() throws away what is not acknowledged */
	if (a->error)
		via_abort(a->node->stack, a->sock);
	else
		via_close(a->node->stack, a->sock);
	a->sock = 0;
}

/* The side that resets does so after half of its bytes: by SO_LINGER and close(), or at once. */
static bool resets(struct actor *a)
{
	if (a->f->work != WORK_RESET || a->side || a->sent < (a->send_bytes + 1) / 2)
		return false;
	a->has_reset = a->is_done = true;
	a->next = TIME_NEVER;
	if (a->f->o[0].linger0)
		via_close(a->node->stack, a->sock);
	else
		via_abort(a->node->stack, a->sock);
	a->sock = 0;
	return true;
}

void actor_run(struct actor *a, uint32_t edges)
{
	if (a->is_done)
		return;
	if (!a->connected) {
		if (edges & VIA_ERR)
			a->error = pending_error(a);
		a->connected = !a->error && via_ready(a->node->stack, a->sock) & VIA_OUT;
		if (!a->connected && !a->error)
			return;
		if (a->f->work == WORK_ZERO && a->side)
			a->read_at = *a->now + a->f->pause;
	}
	if (!a->error)
		a->error = read_some(a);
	if (!a->error)
		a->error = write_some(a);
	if (a->error || (a->fin_sent && a->fin_seen)) {
		finish(a);
		return;
	}
	if (resets(a))
		return;
	a->next = TIME_NEVER;
	if (a->read_at > *a->now)
		a->next = a->read_at;
	if (a->write_at > *a->now && a->sent < allowed(a))
		a->next = MIN(a->next, a->write_at);
}

void actor_stop(struct actor *a)
{
	if (a->sock)
		via_abort(a->node->stack, a->sock);
	a->sock = 0;
}

uint64_t actor_progress(const struct actor *a)
{
	int64_t outq = a->sock ? via_outq(a->node->stack, a->sock) : 0;
	return a->sent * 2 - (uint64_t)MAX(outq, 0) + a->received + a->connected + 2u * a->fin_sent + 4u * a->fin_seen;
}
