/* serve/echo.c - TCP and UDP echo (RFC 862).
 *
 * A connection holds at most one buffer of bytes read and not yet sent; it reads again only when that is empty. */
#include "serve/echo.h"

#include <errno.h>

#define IDLE_NS (600 * NS_PER_S) /* people type into it: generous */

enum { ECHO_PORT = 7, ECHO_CONNS = 1024, DATAGRAM_MAX = 65536, ERRORS_MAX = 16 };

struct echo_conn {
	struct serve_conn base; /* first */
	const uint8_t *at;      /* what is still to be sent, in buf */
	uint64_t left;
	uint8_t buf[8192 - 128];
};

static void echo_conn_event(struct serve_conn *base, uint32_t edges)
{
	struct echo_conn *c = CONTAINER_OF(base, struct echo_conn, base);
	struct serve_echo *s = CONTAINER_OF(base->set, struct serve_echo, conns);
	serve_conn_renew(base, s->cfg.idle_ns);
	for (;;) {
		uint64_t before = c->left;
		int r = serve_push(base->set->via, base->sock, &c->at, &c->left, 0);
		s->n_bytes += before - c->left;
		if (r == 0)
			return;
		int64_t n = r < 0 ? r : via_recv(base->set->via, base->sock, c->buf, sizeof(c->buf), 0);
		if (n == -EAGAIN)
			return;
		if (n <= 0) { /* their FIN, answered by ours after the last byte; or an error */
			serve_conn_close(base);
			return;
		}
		c->at = c->buf;
		c->left = (uint64_t)n;
	}
}

static void echo_datagrams(struct via_handler *h, struct via *v, via_sock sock, uint32_t edges)
{
	struct serve_echo *s = CONTAINER_OF(h, struct serve_echo, udp);
	uint8_t *buf = arena_at(s->cfg.arena, s->buf);
	for (int errors = 0; errors < ERRORS_MAX;) {
		struct via_sockaddr from;
		int64_t n = via_recvfrom(v, sock, buf, DATAGRAM_MAX, 0, &from, NULL);
		if (n == -EAGAIN)
			return;
		if (n < 0) { /* a pending ICMP error: told once, datagrams may wait behind it */
			errors++;
			continue;
		}
		s->n_datagrams++;
		via_sendto(v, sock, buf, (uint32_t)n, 0, &from);
	}
}

int serve_echo_start(struct serve_echo *s, const struct serve_echo_config *cfg)
{
	memset(s, 0, sizeof(*s));
	s->cfg = *cfg;
	s->udp.event = echo_datagrams;
	if (s->cfg.local.port == 0)
		s->cfg.local.port = ECHO_PORT;
	if (s->cfg.idle_ns == 0)
		s->cfg.idle_ns = IDLE_NS;
	struct serve_conns_config cc = {
		.via = cfg->via, .arena = cfg->arena, .local = s->cfg.local, .name = "echo_conn", .conn_bytes = sizeof(struct echo_conn),
		.conns_max = cfg->conns_max ? cfg->conns_max : ECHO_CONNS, .event = echo_conn_event,
	};
	s->buf = arena_buf_take(cfg->arena, DATAGRAM_MAX);
	int err = s->buf ? serve_conns_start(&s->conns, &cc) : -ENOMEM;
	if (!err)
		err = serve_bind(cfg->via, VIA_DGRAM, &s->cfg.local, ECHO_PORT, &s->udp, &s->dgram);
	if (err)
		serve_echo_stop(s);
	return err;
}

void serve_echo_tick(struct serve_echo *s, int64_t now)
{
	serve_conns_tick(&s->conns, now);
}

void serve_echo_stop(struct serve_echo *s)
{
	if (s->conns.via)
		serve_conns_stop(&s->conns);
	if (s->dgram)
		via_close(s->cfg.via, s->dgram);
	if (s->buf)
		arena_buf_give(s->cfg.arena, s->buf, DATAGRAM_MAX);
	s->dgram = 0;
	s->buf = 0;
}
