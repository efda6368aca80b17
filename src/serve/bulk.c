/* serve/bulk.c - the two ends of a bulk transfer, and the server that holds many.
 *
 * Both ends are the same engine: send what is to be sent, then FIN; read to the other's FIN; whichever comes last ends
 * it. Neither direction waits for the other, so two ends cannot block each other. */
#include "serve/bulk.h"

#include <errno.h>
#include <sys/socket.h>

enum { PIECE = 4096, BULK_PORT = 5001, BULK_CONNS = 1024 };
#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

struct bulk_conn {
	struct serve_conn base; /* first */
	struct bulk_end end;    /* its handler is not used: events come through base */
};

/* Send what the stack takes, then FIN. 0 or -errno. */
static int bulk_send(struct bulk_end *e)
{
	while (e->sent < e->send_bytes) {
		uint8_t buf[PIECE];
		uint32_t n = (uint32_t)MIN((uint64_t)sizeof(buf), e->send_bytes - e->sent);
		bulk_fill(e->send_seed, e->sent, buf, n);
		int64_t took = via_send(e->via, e->sock, buf, n, 0);
		if (took < 0)
			return took == -EAGAIN ? 0 : (int)took;
		e->sent += (uint64_t)took;
	}
	if (e->fin_sent)
		return 0;
	e->fin_sent = true;
	return via_shutdown(e->via, e->sock, VIA_SHUT_WR);
}

/* Judge n bytes that arrived. 0, -EBADMSG, -EPROTO. */
static int bulk_take(struct bulk_end *e, const uint8_t *data, size_t n)
{
	if (e->recv_bytes != UINT64_MAX && e->received + n > e->recv_bytes)
		return -EPROTO;
	if (e->check) {
		size_t same = bulk_diff(e->recv_seed, e->received, data, n);
		if (same < n) {
			e->bad_offset = e->received + same;
			return -EBADMSG;
		}
	} else {
		for (size_t i = 0; i < n; i++)
			e->hash = (e->hash ^ data[i]) * FNV_PRIME;
	}
	e->received += n;
	return 0;
}

/* Read what is there. 0 or -errno. */
static int bulk_recv(struct bulk_end *e)
{
	while (!e->fin_seen) {
		uint8_t buf[PIECE];
		int64_t n = via_recv(e->via, e->sock, buf, sizeof(buf), 0);
		if (n < 0)
			return n == -EAGAIN ? 0 : (int)n;
		int err = n > 0 ? bulk_take(e, buf, (size_t)n) : 0;
		if (err)
			return err;
		e->fin_seen = n == 0;
	}
	return e->recv_bytes != UINT64_MAX && e->received < e->recv_bytes ? -EPROTO : 0;
}

static int bulk_pending_error(struct bulk_end *e)
{
	int err = 0;
	uint32_t len = sizeof(err);
	int r = via_getsockopt(e->via, e->sock, SOL_SOCKET, SO_ERROR, &err, &len);
	return r < 0 ? r : -err;
}

/* Go on as far as possible. Sets done and error; the socket is left to the caller to close. */
static void bulk_run(struct bulk_end *e, uint32_t edges)
{
	int err = 0;
	if (!e->connected) {
		e->connected = via_ready(e->via, e->sock) & VIA_OUT;
		if (edges & VIA_ERR)
			err = bulk_pending_error(e);
		else if (!e->connected)
			return;
	}
	if (!err)
		err = bulk_send(e);
	if (!err)
		err = bulk_recv(e);
	e->error = err;
	e->done = err || (e->fin_sent && e->fin_seen);
}

static void bulk_client_event(struct via_handler *h, struct via *v, via_sock s, uint32_t edges)
{
	struct bulk_end *e = CONTAINER_OF(h, struct bulk_end, handler);
	if (e->done)
		return;
	bulk_run(e, edges);
	if (!e->done)
		return;
	if (e->error)
		via_abort(e->via, e->sock);
	else
		via_close(e->via, e->sock);
	e->sock = 0;
}

int bulk_client_start(struct bulk_end *c, const struct bulk_client_config *cfg)
{
	*c = (struct bulk_end){
		.handler = {bulk_client_event}, .via = cfg->via, .send_seed = cfg->send_seed, .send_bytes = cfg->send_bytes,
		.recv_seed = cfg->recv_seed, .recv_bytes = cfg->recv_bytes, .check = true,
	};
	int err = via_open(cfg->via, VIA_STREAM, via_cookie(&c->handler), &c->sock);
	if (err)
		return err;
	if (!via_addr_is_any(&cfg->local.addr) || cfg->local.port)
		err = via_bind(cfg->via, c->sock, &cfg->local);
	if (!err)
		err = via_connect(cfg->via, c->sock, &cfg->remote);
	if (!err || err == -EINPROGRESS)
		return 0;
	via_close(cfg->via, c->sock);
	c->sock = 0;
	return err;
}

void bulk_client_stop(struct bulk_end *c)
{
	if (c->sock)
		via_abort(c->via, c->sock);
	c->sock = 0;
}

static void bulk_conn_event(struct serve_conn *base, uint32_t edges)
{
	struct bulk_conn *c = CONTAINER_OF(base, struct bulk_conn, base);
	struct serve_bulk *s = CONTAINER_OF(base->set, struct serve_bulk, conns);
	struct bulk_end *e = &c->end;
	if (!e->via)
		*e = (struct bulk_end){
			.via = base->set->via, .sock = base->sock, .connected = true, .send_seed = s->cfg.send_seed, .send_bytes = s->cfg.send_bytes,
			.recv_seed = s->cfg.recv_seed, .recv_bytes = s->cfg.recv_bytes, .check = s->cfg.check, .hash = FNV_BASIS,
		};
	bulk_run(e, edges);
	if (!e->done)
		return;
	if (e->error && !s->error)
		s->error = e->error;
	s->n_failed += e->error != 0;
	s->n_done += e->error == 0;
	s->sent += e->sent;
	s->received += e->received;
	s->hash += e->hash;
	if (e->error)
		serve_conn_abort(base);
	else
		serve_conn_close(base);
}

int serve_bulk_start(struct serve_bulk *s, const struct serve_bulk_config *cfg)
{
	memset(s, 0, sizeof(*s));
	s->cfg = *cfg;
	if (s->cfg.local.port == 0)
		s->cfg.local.port = BULK_PORT;
	struct serve_conns_config cc = {
		.via = cfg->via, .arena = cfg->arena, .local = s->cfg.local, .name = "bulk_conn", .conn_bytes = sizeof(struct bulk_conn),
		.conns_max = cfg->conns_max ? cfg->conns_max : BULK_CONNS, .event = bulk_conn_event,
	};
	return serve_conns_start(&s->conns, &cc);
}

void serve_bulk_stop(struct serve_bulk *s)
{
	serve_conns_stop(&s->conns);
}
