/* serve/dns_forward.c - see dns_forward.h. RFC 5452 §9.2, RFC 7766 §5. */
#include "serve/dns_forward.h"

#include "base/arena.h"

#include <errno.h>
#include <viaduct/stack.h>

enum { TRIES_MAX = 4, PREFIX = 2, ERRORS_MAX = 16, DATAGRAMS_MAX = 64, STRANGE_MAX = 8 };
#define FIRST_NS NS_PER_S
#define LATER_NS (2 * NS_PER_S)

struct forward_ask {
	struct via_handler handler; /* first */
	struct dns_forward *f;
	struct list_link link;
	struct dns_ask k;
	via_sock sock;
	uint8_t tries;
	bool is_tcp, has_stream;    /* how it is asked; what `sock` is */
	int64_t deadline;
	uint16_t n_in, n_sent;      /* TCP: bytes of `in`; bytes of the question that left */
	uint8_t n_waiting, n_strange; /* n_strange: datagrams that were no answer */
	struct dns_client waiting[DNS_WAITERS];
	uint8_t in[PREFIX + DNS_MESSAGE_MAX];
};

static void ask_close(struct forward_ask *a)
{
	if (a->sock && a->has_stream)
		via_abort(a->f->cfg.via, a->sock);
	else if (a->sock)
		via_close(a->f->cfg.via, a->sock);
	a->sock = 0;
}

/* It is under way no more; its memory stays. */
static void ask_end(struct forward_ask *a)
{
	struct dns_forward *f = a->f;
	ask_close(a);
	list_remove(f->cfg.arena, &f->open, arena_ref(f->cfg.arena, a), offsetof(struct forward_ask, link));
}

/* msg: distilled, or NULL: SERVFAIL. Frees a. */
static void ask_done(struct forward_ask *a, const uint8_t *msg, size_t len)
{
	struct dns_forward *f = a->f;
	uint8_t out[DNS_MESSAGE_MAX];
	ask_end(a); /* first: who is told may ask the same again, or be gone */
	for (int i = 0; i < a->n_waiting; i++) {
		const struct dns_client *c = &a->waiting[i];
		size_t cap = c->conn ? sizeof(out) : MIN(c->q.udp_size, DNS_EDNS_SIZE), n;
		if (msg)
			n = dns_ask_relay(&c->q, msg, len, 0, out, cap);
		else
			n = dns_answer_emit(out, cap, &c->q, &(struct dns_answer){.rcode = DNS_SERVFAIL});
		f->n_failed += !msg;
		f->cfg.answer(f->cfg.ctx, c, out, n);
	}
	pool_give(f->cfg.arena, &f->pool, arena_ref(f->cfg.arena, a));
}

static void ask_event(struct via_handler *h, struct via *v, via_sock s, uint32_t edges);

/* A fresh socket towards the server whose turn it is. 0 or -errno. */
static int ask_open(struct forward_ask *a)
{
	struct dns_forward *f = a->f;
	const struct via_sockaddr *to = &f->cfg.servers[(a->tries ? a->tries - 1 : 0) % f->cfg.n_servers];
	int err = via_open(f->cfg.via, a->is_tcp ? VIA_STREAM : VIA_DGRAM, via_cookie(&a->handler), &a->sock);
	if (err) {
		a->sock = 0;
		return err;
	}
	a->has_stream = a->is_tcp;
	err = via_connect(f->cfg.via, a->sock, to);
	return err == -EINPROGRESS ? 0 : err;
}

/* Ask, or ask again: with another id, case and port. */
static void ask_try(struct forward_ask *a)
{
	struct dns_forward *f = a->f;
	uint8_t msg[DNS_HLEN + DNS_NAME_MAX + 32];
	ask_close(a);
	a->n_in = a->n_sent = 0;
	f->n_asked++;
	f->n_by_tcp += a->is_tcp;
	a->deadline = f->now + (a->tries == 1 && !a->is_tcp ? FIRST_NS : LATER_NS);
	dns_ask_make(&a->k, &a->waiting[0].q, &f->random);
	if (ask_open(a) || a->is_tcp) /* not reached: the next one at its time */
		return;
	size_t n = dns_ask_emit(&a->k, msg, sizeof(msg));
	via_send(f->cfg.via, a->sock, msg, (uint32_t)n, 0);
}

static void ask_next(struct forward_ask *a)
{
	if (a->tries >= TRIES_MAX) {
		ask_done(a, NULL, 0);
		return;
	}
	a->tries++;
	a->is_tcp = a->tries == TRIES_MAX;
	ask_try(a);
}

/* A message from the server. True: a is over, or asks anew. */
static bool ask_hears(struct forward_ask *a, const uint8_t *msg, size_t len)
{
	struct dns_forward *f = a->f;
	uint8_t out[DNS_MESSAGE_MAX];
	uint32_t ttl = 0;
	size_t n = 0;
	switch (dns_ask_judge(&a->k, msg, len, !a->is_tcp)) {
	case DNS_NOT_OURS:
		f->n_ignored++;
		if (a->is_tcp || ++a->n_strange < STRANGE_MAX)
			return false;
		a->n_strange = 0; /* somebody guesses: where there is nothing to guess (RFC 5452 §9.3) */
		a->is_tcp = true;
		ask_try(a);
		return true;
	case DNS_CUT:
		if (!a->is_tcp) {
			a->is_tcp = true;
			ask_try(a);
			return true;
		}
		break;
	case DNS_FAILED:
		break;
	case DNS_ANSWERED:
		n = dns_ask_distill(&a->k, msg, len, out, sizeof(out), &ttl);
		break;
	}
	if (!n) {
		ask_next(a);
		return true;
	}
	dns_cache_put(&f->cache, a->k.raw, a->k.raw_len, a->k.type, out, n, ttl, f->now);
	ask_done(a, out, n);
	return true;
}

static void ask_datagrams(struct forward_ask *a)
{
	uint8_t msg[DNS_MESSAGE_MAX];
	for (int n = 0, errors = 0; n < DATAGRAMS_MAX && errors < ERRORS_MAX; n++) {
		int64_t len = via_recv(a->f->cfg.via, a->sock, msg, sizeof(msg), 0);
		if (len == -EAGAIN)
			return;
		if (len < 0)
			errors++; /* an ICMP error may be anybody's: it changes nothing */
		else if (ask_hears(a, msg, (size_t)len))
			return;
	}
}

/* TCP: the question, then the answer, each behind its length. */
static void ask_stream(struct forward_ask *a)
{
	struct via *v = a->f->cfg.via;
	uint8_t q[PREFIX + DNS_HLEN + DNS_NAME_MAX + 32];
	size_t len = dns_ask_emit(&a->k, q + PREFIX, sizeof(q) - PREFIX);
	put_be16(q, (uint16_t)len);
	if (a->n_sent < PREFIX + len) {
		int64_t n = via_send(v, a->sock, q + a->n_sent, (uint32_t)(PREFIX + len - a->n_sent), 0);
		if (n < 0 && n != -EAGAIN && n != -ENOTCONN) {
			ask_next(a);
			return;
		}
		a->n_sent = (uint16_t)(a->n_sent + (n > 0 ? n : 0));
	}
	for (;;) {
		size_t want = a->n_in < PREFIX ? PREFIX : PREFIX + get_be16(a->in);
		if (want > sizeof(a->in)) {
			ask_next(a);
			return;
		}
		if (a->n_in >= PREFIX && a->n_in == want) {
			if (!ask_hears(a, a->in + PREFIX, want - PREFIX))
				ask_next(a); /* what else may come over this connection? */
			return;
		}
		int64_t n = via_recv(v, a->sock, a->in + a->n_in, (uint32_t)(want - a->n_in), 0);
		if (n == -EAGAIN || n == -ENOTCONN)
			return;
		if (n <= 0) {
			ask_next(a);
			return;
		}
		a->n_in = (uint16_t)(a->n_in + n);
	}
}

static void ask_event(struct via_handler *h, struct via *v, via_sock s, uint32_t edges)
{
	struct forward_ask *a = (struct forward_ask *)h;
	if (s != a->sock)
		return;
	if (a->is_tcp)
		ask_stream(a);
	else
		ask_datagrams(a);
}

/* --- clients --- */

int dns_forward_ask(struct dns_forward *f, const struct dns_client *c, uint8_t *out, size_t cap)
{
	size_t len;
	uint32_t age;
	const uint8_t *known = dns_cache_get(&f->cache, c->q.raw, c->q.raw_len, c->q.type, f->now, &len, &age);
	if (known)
		return (int)dns_ask_relay(&c->q, known, len, age, out, c->conn ? cap : MIN(cap, MIN(c->q.udp_size, DNS_EDNS_SIZE)));
	for (ref_t r = f->open.head; r; r = list_next(f->cfg.arena, r, offsetof(struct forward_ask, link))) {
		struct forward_ask *a = arena_at(f->cfg.arena, r);
		if (a->k.type != c->q.type || !dns_name_eq(a->k.raw, a->k.raw_len, c->q.raw, c->q.raw_len))
			continue;
		for (int i = 0; i < a->n_waiting; i++) /* a repeat of the same client */
			if (!c->conn && !a->waiting[i].conn && a->waiting[i].q.id == c->q.id && a->waiting[i].from.port == c->from.port &&
			    via_addr_eq(&a->waiting[i].from.addr, &c->from.addr))
				return DNS_NEVER;
		if (a->n_waiting == DNS_WAITERS)
			return DNS_NEVER;
		a->waiting[a->n_waiting++] = *c;
		return DNS_LATER;
	}
	ref_t r = pool_take(f->cfg.arena, &f->pool);
	if (!r)
		return DNS_NEVER;
	struct forward_ask *a = arena_at(f->cfg.arena, r);
	a->handler.event = ask_event;
	a->f = f;
	a->sock = 0;
	a->tries = 1;
	a->n_strange = 0;
	a->is_tcp = false;
	a->n_waiting = 1;
	a->waiting[0] = *c;
	list_push_tail(f->cfg.arena, &f->open, r, offsetof(struct forward_ask, link));
	ask_try(a);
	return DNS_LATER;
}

void dns_forward_forget(struct dns_forward *f, const void *conn)
{
	for (ref_t r = f->open.head; r; r = list_next(f->cfg.arena, r, offsetof(struct forward_ask, link))) {
		struct forward_ask *a = arena_at(f->cfg.arena, r);
		for (int i = 0; i < a->n_waiting;) {
			if (a->waiting[i].conn != conn)
				i++;
			else if (a->n_waiting > 1)
				a->waiting[i] = a->waiting[--a->n_waiting];
			else
				a->n_waiting = 0; /* the answer is remembered; the question stands in waiting[0] */
		}
	}
}

/* --- life --- */

int dns_forward_start(struct dns_forward *f, const struct dns_forward_config *cfg)
{
	const struct prf_key k = cfg->key;
	*f = (struct dns_forward){.cfg = *cfg, .random = {.key = {siphash_2_4(k, "ask 1", 5), siphash_2_4(k, "ask 2", 5)}}};
	pool_init(cfg->arena, &f->pool, "dns_ask", sizeof(struct forward_ask), DNS_UNDER_WAY);
	return dns_cache_init(&f->cache, cfg->arena, cfg->cache_max ? cfg->cache_max : DNS_CACHE_DEFAULT,
			      (struct prf_key){siphash_2_4(k, "cache 1", 7), siphash_2_4(k, "cache 2", 7)});
}

void dns_forward_stop(struct dns_forward *f)
{
	while (f->open.head) {
		struct forward_ask *a = arena_at(f->cfg.arena, f->open.head);
		ask_end(a);
		pool_give(f->cfg.arena, &f->pool, arena_ref(f->cfg.arena, a));
	}
	dns_cache_free(&f->cache);
}

void dns_forward_tick(struct dns_forward *f, int64_t now)
{
	bool has_sent = false;
	f->now = now;
	for (ref_t r = f->open.head, next; r; r = next) {
		struct forward_ask *a = arena_at(f->cfg.arena, r);
		next = list_next(f->cfg.arena, r, offsetof(struct forward_ask, link));
		if (a->deadline <= now) {
			ask_next(a);
			has_sent = true;
		}
	}
	if (has_sent)
		via_flush(f->cfg.via, now);
}

int64_t dns_forward_next(const struct dns_forward *f)
{
	int64_t next = TIME_NEVER;
	for (ref_t r = f->open.head; r; r = list_next(f->cfg.arena, r, offsetof(struct forward_ask, link)))
		next = MIN(next, ((const struct forward_ask *)arena_at(f->cfg.arena, r))->deadline);
	return next;
}
