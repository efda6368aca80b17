/* serve/conns.c - listener, pool and list of a TCP server's connections. */
#include "serve/conns.h"

#include <errno.h>
#include <sys/socket.h>

enum { BACKLOG = 256, SEND_PIECE = 1 << 20, DRAIN_MAX = 4 << 20 };

int serve_bind(struct via *v, enum via_type type, struct via_sockaddr *local, uint16_t port, struct via_handler *h, via_sock *out)
{
	if (local->port == 0)
		local->port = port;
	int on = 1, err = via_open(v, type, via_cookie(h), out);
	if (err)
		return err;
	via_setsockopt(v, *out, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)); /* a server started anew finds TIME-WAITs */
	err = via_bind(v, *out, local);
	if (!err && type == VIA_STREAM)
		err = via_listen(v, *out, BACKLOG);
	if (!err)
		return 0;
	via_close(v, *out);
	*out = 0;
	return err;
}

int serve_push(struct via *v, via_sock s, const uint8_t **data, uint64_t *len, int flags)
{
	while (*len > 0) {
		int64_t n = via_send(v, s, *data, (uint32_t)MIN(*len, (uint64_t)SEND_PIECE), flags);
		if (n == -EAGAIN)
			return 0;
		if (n < 0)
			return (int)n;
		*data += n;
		*len -= (uint64_t)n;
	}
	return 1;
}

int serve_drain(struct serve_conn *c, uint32_t *drained)
{
	uint8_t rest[1024];
	while (*drained < DRAIN_MAX) {
		int64_t n = via_recv(c->set->via, c->sock, rest, sizeof(rest), 0);
		if (n == -EAGAIN)
			return 0;
		if (n <= 0)
			return -1;
		*drained += (uint32_t)n;
	}
	return -1;
}

static void conn_event(struct via_handler *h, struct via *v, via_sock s, uint32_t edges)
{
	struct serve_conn *c = CONTAINER_OF(h, struct serve_conn, handler);
	ASSERT(c->sock == s);
	c->set->event(c, edges);
}

/* Take waiting connections while the pool has room and the stack a socket (-EMFILE, -ENOMEM: the next tick tries again). A
 * connection may end inside, which makes room again: hence one loop and no recursion. */
static void conns_accept(struct serve_conns *s)
{
	if (s->is_accepting || !s->listener)
		return;
	s->is_accepting = true;
	for (;;) {
		ref_t r = pool_take(s->arena, &s->pool);
		if (!r)
			break;
		struct serve_conn *c = arena_at(s->arena, r);
		c->handler.event = conn_event;
		c->set = s;
		if (via_accept(s->via, s->listener, via_cookie(&c->handler), &c->sock, NULL) < 0) {
			pool_give(s->arena, &s->pool, r);
			break;
		}
		list_push_tail(s->arena, &s->open, r, offsetof(struct serve_conn, link));
		s->n_accepted++;
		s->event(c, via_ready(s->via, c->sock));
	}
	s->is_accepting = false;
}

static void conns_event(struct via_handler *h, struct via *v, via_sock sock, uint32_t edges)
{
	conns_accept(CONTAINER_OF(h, struct serve_conns, handler));
}

int serve_conns_start(struct serve_conns *s, const struct serve_conns_config *cfg)
{
	struct via_sockaddr local = cfg->local;
	memset(s, 0, sizeof(*s));
	s->handler.event = conns_event;
	s->via = cfg->via;
	s->arena = cfg->arena;
	s->event = cfg->event;
	s->closed = cfg->closed;
	s->expired = cfg->expired;
	pool_init(s->arena, &s->pool, cfg->name, cfg->conn_bytes, cfg->conns_max);
	return serve_bind(s->via, VIA_STREAM, &local, 0, &s->handler, &s->listener);
}

static void conn_free(struct serve_conn *c)
{
	struct serve_conns *s = c->set;
	ref_t r = arena_ref(s->arena, c);
	if (s->closed)
		s->closed(c);
	list_remove(s->arena, &s->open, r, offsetof(struct serve_conn, link));
	pool_give(s->arena, &s->pool, r);
}

void serve_conns_stop(struct serve_conns *s)
{
	if (s->listener)
		via_close(s->via, s->listener);
	s->listener = 0;
	while (s->open.head) {
		struct serve_conn *c = arena_at(s->arena, s->open.head);
		via_abort(s->via, c->sock);
		conn_free(c);
	}
}

void serve_conn_renew(struct serve_conn *c, int64_t ns)
{
	c->since = c->set->now;
	c->limit_ns = ns;
}

/* Its time is up. Does it still take what was sent before? Our buffer may hold minutes of a slow link's traffic. */
static bool conn_still_takes(struct serve_conn *c)
{
	int64_t left = via_outq(c->set->via, c->sock);
	bool moved = left >= 0 && left != c->unacked;
	c->unacked = left;
	return moved;
}

void serve_conns_tick(struct serve_conns *s, int64_t now)
{
	ref_t r = s->open.head;
	s->now = now;
	s->is_accepting = true; /* not while walking the list */
	while (r) {
		struct serve_conn *c = arena_at(s->arena, r);
		r = list_next(s->arena, r, offsetof(struct serve_conn, link));
		if (!s->has_now)
			c->since = now; /* accepted before the time was known */
		if (c->limit_ns == 0 || now - c->since <= c->limit_ns)
			continue;
		if (conn_still_takes(c))
			c->since = now;
		else if (!s->expired || !s->expired(c))
			serve_conn_abort(c);
	}
	s->has_now = true;
	s->is_accepting = false;
	conns_accept(s);
}

void serve_conn_close(struct serve_conn *c)
{
	struct serve_conns *s = c->set;
	via_close(s->via, c->sock);
	conn_free(c);
	conns_accept(s);
}

void serve_conn_abort(struct serve_conn *c)
{
	struct serve_conns *s = c->set;
	via_abort(s->via, c->sock);
	conn_free(c);
	conns_accept(s);
}
