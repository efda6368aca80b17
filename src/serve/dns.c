/* serve/dns.c - svc/dns on UDP and TCP (RFC 1035 §4.2, RFC 7766 §6.2).
 *
 * A TCP client has idle_ns for each whole query, from the accept or the last answer on: single bytes win it no time. */
#include "serve/dns.h"

#include "base/bytes.h"

#include <errno.h>

#define IDLE_NS (10 * NS_PER_S) /* RFC 7766 §6.2.3: a few seconds */

enum { DNS_PORT = 53, DNS_CONNS = 64, PREFIX = 2, ERRORS_MAX = 16 };

struct dns_conn {
	struct serve_conn base; /* first */
	bool is_known;          /* its time has begun */
	bool is_waiting;        /* for an answer from outside: its next query has to wait */
	const uint8_t *at;      /* what is still to be sent, in out */
	uint64_t left;
	uint16_t in_len;
	uint8_t in[PREFIX + DNS_QUERY_MAX];
	uint8_t out[PREFIX + DNS_REPLY_MAX];
};

/* A query for somebody else to answer. As dns_ask(). */
static int dns_pass_on(struct serve_dns *s, const uint8_t *query, size_t len, struct dns_client *c, uint8_t *out)
{
	size_t cap = c->conn ? DNS_REPLY_MAX : 512;
	dns_query_parse(query, len, &c->q); /* dns_zone_owns() has read it */
	if (!c->q.rd || !(dns_type_is_data(c->q.type) || c->q.type == DNS_ANY)) /* a transfer is about the server, not a name */
		return (int)dns_answer_emit(out, cap, &c->q, &(struct dns_answer){.rcode = DNS_REFUSED});
	return dns_forward_ask(&s->forward, c, out, DNS_REPLY_MAX);
}

/* The length of the answer; 0, DNS_NEVER: there is none; DNS_LATER. c: who asks, without the question. */
static int dns_ask(struct serve_dns *s, const uint8_t *query, size_t len, struct dns_client *c, uint8_t *out)
{
	int n;
	s->n_queries++;
	if (s->cfg.n_forward && !dns_zone_owns(s->cfg.zone_arena, s->cfg.zone, query, len))
		n = dns_pass_on(s, query, len, c, out);
	else
		n = (int)dns_serve(s->cfg.zone_arena, s->cfg.zone, query, len, out, DNS_REPLY_MAX, c->conn != NULL);
	s->n_answers += n > 0;
	return n;
}

/* n bytes of an answer stand in c->out behind the prefix. */
static void dns_conn_put(struct dns_conn *c, size_t n)
{
	put_be16(c->out, (uint16_t)n);
	c->at = c->out;
	c->left = PREFIX + n;
}

/* Answer the first query in c->in if it is there whole. 1: answered, 0: more bytes are needed, -1: not a query. */
static int dns_conn_answer(struct serve_dns *s, struct dns_conn *c)
{
	struct dns_client client = {.conn = c};
	if (c->is_waiting || c->in_len < PREFIX)
		return 0;
	size_t len = get_be16(c->in);
	if (len > DNS_QUERY_MAX)
		return -1;
	if (c->in_len < PREFIX + len)
		return 0;
	int n = dns_ask(s, c->in + PREFIX, len, &client, c->out + PREFIX);
	if (n == 0 || n == DNS_NEVER)
		return -1;
	c->is_waiting = n == DNS_LATER;
	if (n > 0)
		dns_conn_put(c, (size_t)n);
	c->in_len = (uint16_t)(c->in_len - PREFIX - len);
	memmove(c->in, c->in + PREFIX + len, c->in_len);
	return n > 0;
}

static void dns_conn_event(struct serve_conn *base, uint32_t edges)
{
	struct dns_conn *c = CONTAINER_OF(base, struct dns_conn, base);
	struct serve_dns *s = CONTAINER_OF(base->set, struct serve_dns, conns);
	bool progress = !c->is_known;
	c->is_known = true;
	for (;;) {
		uint64_t before = c->left;
		int r = serve_push(base->set->via, base->sock, &c->at, &c->left, 0);
		if (c->left < before || progress)
			serve_conn_renew(base, s->cfg.idle_ns);
		progress = false;
		if (r == 0)
			return;
		if (r > 0)
			r = dns_conn_answer(s, c);
		if (r > 0)
			continue;
		int64_t n = r;
		if (r == 0 && c->in_len == sizeof(c->in)) /* it may send more queries than it reads answers */
			return;
		if (r == 0)
			n = via_recv(base->set->via, base->sock, c->in + c->in_len, (uint32_t)(sizeof(c->in) - c->in_len), 0);
		if (n == -EAGAIN)
			return;
		if (n <= 0) {
			serve_conn_close(base);
			return;
		}
		c->in_len = (uint16_t)(c->in_len + n);
	}
}

static void dns_datagrams(struct via_handler *h, struct via *v, via_sock sock, uint32_t edges)
{
	struct serve_dns *s = CONTAINER_OF(h, struct serve_dns, udp);
	uint8_t in[DNS_QUERY_MAX], out[DNS_REPLY_MAX];
	for (int errors = 0; errors < ERRORS_MAX;) {
		struct via_sockaddr from;
		int64_t n = via_recvfrom(v, sock, in, sizeof(in), 0, &from, NULL);
		if (n == -EAGAIN)
			return;
		if (n < 0) { /* a pending ICMP error: told once, datagrams may wait behind it */
			errors++;
			continue;
		}
		struct dns_client c = {.from = from};
		int m = dns_ask(s, in, (size_t)n, &c, out);
		if (m > 0)
			via_sendto(v, sock, out, (uint32_t)m, 0, &from);
	}
}

/* The answer from outside. */
static void dns_answered(void *ctx, const struct dns_client *client, const uint8_t *msg, size_t len)
{
	struct serve_dns *s = ctx;
	struct dns_conn *c = client->conn;
	s->n_answers++;
	if (!c) {
		via_sendto(s->cfg.via, s->dgram, msg, (uint32_t)len, 0, &client->from);
		return;
	}
	memcpy(c->out + PREFIX, msg, len);
	dns_conn_put(c, len);
	c->is_waiting = false;
	dns_conn_event(&c->base, 0);
}

static void dns_conn_closed(struct serve_conn *c)
{
	struct serve_dns *s = CONTAINER_OF(c->set, struct serve_dns, conns);
	if (s->cfg.n_forward)
		dns_forward_forget(&s->forward, CONTAINER_OF(c, struct dns_conn, base));
}

static int dns_forward_begin(struct serve_dns *s)
{
	struct dns_forward_config c = {.via = s->cfg.via, .arena = s->cfg.arena, .key = s->cfg.key, .n_servers = s->cfg.n_forward,
				       .answer = dns_answered, .ctx = s};
	for (int i = 0; i < c.n_servers; i++) {
		c.servers[i] = s->cfg.forward[i];
		if (!c.servers[i].port)
			c.servers[i].port = DNS_PORT;
	}
	return c.n_servers ? dns_forward_start(&s->forward, &c) : 0;
}

int serve_dns_start(struct serve_dns *s, const struct serve_dns_config *cfg)
{
	memset(s, 0, sizeof(*s));
	s->cfg = *cfg;
	s->udp.event = dns_datagrams;
	if (s->cfg.local.port == 0)
		s->cfg.local.port = DNS_PORT;
	if (s->cfg.idle_ns == 0)
		s->cfg.idle_ns = IDLE_NS;
	struct serve_conns_config cc = {
		.via = cfg->via, .arena = cfg->arena, .local = s->cfg.local, .name = "dns_conn", .conn_bytes = sizeof(struct dns_conn),
		.conns_max = cfg->conns_max ? cfg->conns_max : DNS_CONNS, .event = dns_conn_event,
		.closed = dns_conn_closed,
	};
	int err = dns_forward_begin(s);
	if (!err)
		err = serve_conns_start(&s->conns, &cc);
	if (!err)
		err = serve_bind(cfg->via, VIA_DGRAM, &s->cfg.local, DNS_PORT, &s->udp, &s->dgram);
	if (err)
		serve_dns_stop(s);
	return err;
}

void serve_dns_tick(struct serve_dns *s, int64_t now)
{
	serve_dns_now(s, now);
	serve_conns_tick(&s->conns, now);
}

void serve_dns_now(struct serve_dns *s, int64_t now)
{
	if (s->cfg.n_forward)
		dns_forward_tick(&s->forward, now);
}

int64_t serve_dns_next(const struct serve_dns *s)
{
	return s->cfg.n_forward ? dns_forward_next(&s->forward) : TIME_NEVER;
}

void serve_dns_stop(struct serve_dns *s)
{
	serve_conns_stop(&s->conns);
	if (s->cfg.n_forward)
		dns_forward_stop(&s->forward);
	if (s->dgram)
		via_close(s->cfg.via, s->dgram);
	s->dgram = 0;
}
