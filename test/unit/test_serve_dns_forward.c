/* test_serve_dns_forward.c - a DNS service that passes questions on, between a client and a server outside that answers as each test wants:
 * three stacks, virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "serve/dns.h"
#include "test/unit/region.h"
#include "test/unit/stacks.h"
#include "wire/dns.h"

enum { REGION = 16 << 20, CLIENT = 0x0a000002, PROXY_IN = 0x0a000001, PROXY_OUT = 0x0a010001, OUTSIDE = 0x0a010002, SECOND = 0x0a010003,
       QUERIES = 200 };

enum manner { ANSWER, CUT, SILENT, REFUSE, FORGE, GUESS, NOWHERE };

struct heard {
	uint16_t id, port;
	bool by_tcp, rd, has_edns;
	uint32_t at; /* server's address */
	struct dns_question q;
	int64_t when;
};

struct world {
	struct net *net;
	struct via *client, *proxy, *outside;
	struct arena *arena;
	struct dns_zone zone;
	struct serve_dns dns;
	via_sock udp, second, forger, listener, conn;
	uint8_t in[4200];
	uint32_t n_in;
	enum manner manner;
	int n_records;
	uint32_t ttl;
	struct heard heard[QUERIES];
	int n_heard;
};

/* An answer with w->n_records addresses. */
static size_t answer(const struct world *w, const struct dns_question *q, uint8_t *out, size_t cap, bool is_tcp)
{
	struct dns_record r[200];
	for (int i = 0; i < w->n_records; i++)
		r[i] = (struct dns_record){.type = DNS_A, .ttl = w->ttl, .rdlen = 4, .rdata = {192, 0, 2, (uint8_t)i}};
	if (w->manner == CUT && !is_tcp)
		return dns_answer_emit(out, cap, q, &(struct dns_answer){.tc = true});
	if (w->manner == REFUSE)
		return dns_answer_emit(out, cap, q, &(struct dns_answer){.rcode = DNS_REFUSED});
	return dns_answer_emit(out, cap, q, &(struct dns_answer){.r = r, .n = w->n_records});
}

static void note(struct world *w, const struct dns_question *q, const struct via_sockaddr *from, uint32_t at, bool by_tcp)
{
	if (w->n_heard < QUERIES)
		w->heard[w->n_heard++] = (struct heard){.id = q->id, .port = from->port, .by_tcp = by_tcp, .rd = q->rd, .has_edns = q->has_edns,
							.at = at, .q = *q, .when = w->net->now};
}

/* What somebody who does not see all of the question sends: another id, case, name; or all right, but from elsewhere. */
static void forge(struct world *w, const struct dns_question *q, const struct via_sockaddr *to)
{
	uint8_t out[600];
	struct dns_question f = *q;
	struct dns_record r = {.type = DNS_A, .ttl = 600, .rdlen = 4, .rdata = {6, 6, 6, 6}};
	const struct dns_answer a = {.r = &r, .n = 1};
	for (int i = 0; i < 5; i++) {
		f = *q;
		f.id = (uint16_t)(i == 0 ? q->id + 1 : q->id);
		if (i == 1)
			f.raw[1] ^= 0x20;
		if (i == 2)
			f.raw[2] ^= 1;
		if (i == 3)
			f.type = DNS_AAAA;
		size_t n = dns_answer_emit(out, sizeof(out), &f, &a);
		via_sendto(w->outside, i == 4 ? w->forger : w->udp, out, (uint32_t)n, 0, to);
	}
}

static void outside_udp(struct world *w, via_sock s)
{
	uint8_t in[600], out[4096];
	struct via_sockaddr from, local;
	struct dns_question q;
	int64_t n;
	while ((n = via_recvfrom(w->outside, s, in, sizeof(in), 0, &from, &local)) >= 0) {
		assert_int_equal(dns_query_parse(in, (size_t)n, &q), 0);
		note(w, &q, &from, via_addr_to_v4(&local.addr), false);
		if (w->manner == FORGE)
			forge(w, &q, &from);
		for (int i = 0; i < 10 && w->manner == GUESS; i++) {
			struct dns_question f = q;
			f.id = (uint16_t)(q.id + 1 + i);
			size_t m = answer(w, &f, out, sizeof(out), false);
			via_sendto(w->outside, s, out, (uint32_t)m, 0, &from);
		}
		if (w->manner == SILENT || w->manner == GUESS || w->manner == NOWHERE)
			continue;
		size_t m = answer(w, &q, out, sizeof(out), false);
		via_sendto(w->outside, s, out, (uint32_t)m, 0, &from);
	}
}

static void outside_tcp(struct world *w)
{
	uint8_t out[4098];
	struct via_sockaddr from;
	struct dns_question q;
	if (!w->conn && via_accept(w->outside, w->listener, 0, &w->conn, NULL))
		return;
	int64_t n = via_recv(w->outside, w->conn, w->in + w->n_in, sizeof(w->in) - w->n_in, 0);
	w->n_in += n > 0 ? (uint32_t)n : 0;
	bool is_whole = w->n_in >= 2 && w->n_in >= 2u + get_be16(w->in);
	if (is_whole) {
		assert_int_equal(dns_query_parse(w->in + 2, w->n_in - 2, &q), 0);
		via_peer(w->outside, w->conn, &from);
		note(w, &q, &from, OUTSIDE, true);
		w->n_in = 0;
		if (w->manner != SILENT) {
			size_t m = answer(w, &q, out + 2, sizeof(out) - 2, true);
			put_be16(out, (uint16_t)m);
			via_send(w->outside, w->conn, out, (uint32_t)m + 2, 0);
		}
	}
	if (n == 0 || (n < 0 && n != -EAGAIN)) {
		via_close(w->outside, w->conn);
		w->conn = 0;
		w->n_in = 0;
	}
}

static void run(struct world *w, int64_t ns)
{
	struct net *t = w->net;
	int64_t until = t->now + ns;
	for (int steps = 0; steps < 1000000; steps++) {
		int64_t next = TIME_NEVER;
		for (int i = 0; i < t->n; i++) {
			bool again = via_poll(t->v[i], t->now, 256) == VIA_AGAIN;
			if (t->v[i] == w->proxy)
				serve_dns_now(&w->dns, t->now);
			if (t->v[i] == w->outside) {
				outside_udp(w, w->udp);
				outside_udp(w, w->second);
				outside_tcp(w);
			}
			again |= via_dispatch(t->v[i]) > 0;
			via_flush(t->v[i], t->now);
			next = again ? t->now : next;
		}
		for (int i = 0; i < t->n; i++)
			next = MIN(next, MAX(via_next_deadline(t->v[i]), t->now));
		next = MIN(next, MAX(serve_dns_next(&w->dns), t->now));
		if (next > until) {
			t->now = until;
			return;
		}
		t->now = next;
	}
	fail_msg("it never comes to rest");
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct via_addr a = via_addr_v4(CLIENT);
	struct via_sockaddr at53 = net_at(0, 53), at54 = net_at(OUTSIDE, 54), at_second = net_at(SECOND, 53);
	int ci, pi, po, oi;
	w->net = net_new();
	w->client = net_stack(w->net, "client", false);
	w->proxy = net_stack(w->net, "proxy", true);
	w->outside = net_stack(w->net, "outside", false);
	net_link(w->net, w->client, w->proxy, 64, 1500, 0, 0, &ci, &pi);
	net_link(w->net, w->proxy, w->outside, 64, 1500, 0, 0, &po, &oi);
	assert_int_equal(net_addr(w->client, ci, CLIENT, 24), 0);
	assert_int_equal(net_addr(w->proxy, pi, PROXY_IN, 24), 0);
	assert_int_equal(net_addr(w->proxy, po, PROXY_OUT, 24), 0);
	assert_int_equal(net_addr(w->outside, oi, OUTSIDE, 24), 0);
	assert_int_equal(net_addr(w->outside, oi, SECOND, 24), 0);
	w->arena = region_new(REGION);
	assert_int_equal(dns_zone_init(w->arena, &w->zone, "lab", 60, (struct prf_key){1, 2}), 0);
	assert_int_equal(dns_zone_add(w->arena, &w->zone, "client", &a), 0);
	struct serve_dns_config c = {.arena = w->arena, .via = w->proxy, .zone_arena = w->arena, .zone = &w->zone, .key = {5, 6},
				     .forward = {net_at(OUTSIDE, 0), net_at(SECOND, 53)}, .n_forward = 2};
	assert_int_equal(serve_dns_start(&w->dns, &c), 0);
	w->udp = net_open(w->outside, VIA_DGRAM);
	w->forger = net_open(w->outside, VIA_DGRAM);
	w->listener = net_open(w->outside, VIA_STREAM);
	w->second = net_open(w->outside, VIA_DGRAM);
	struct via_sockaddr at_first = net_at(OUTSIDE, 53);
	assert_int_equal(via_bind(w->outside, w->udp, &at_first), 0);
	assert_int_equal(via_bind(w->outside, w->second, &at_second), 0);
	assert_int_equal(via_bind(w->outside, w->forger, &at54), 0);
	assert_int_equal(via_bind(w->outside, w->listener, &at53), 0);
	assert_int_equal(via_listen(w->outside, w->listener, 4), 0);
	w->n_records = 1;
	w->ttl = 60;
	run(w, NS_PER_S);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	serve_dns_stop(&w->dns);
	dns_zone_free(w->arena, &w->zone);
	int bad = arena_bytes_used(w->arena) != 0;
	net_free(w->net);
	region_free(w->arena);
	free(w);
	return bad ? -1 : 0;
}

static void ask(struct world *w, via_sock s, uint16_t id, const char *name, uint16_t type)
{
	struct via_sockaddr to = net_at(PROXY_IN, 53);
	uint8_t q[300];
	size_t n = dns_query_emit(q, sizeof(q), id, name, type);
	assert_int_equal(via_sendto(w->client, s, q, (uint32_t)n, 0, &to), n);
}

/* The answer, or length 0. */
static size_t reply(struct world *w, via_sock s, uint8_t *out, size_t cap)
{
	int64_t n = via_recv(w->client, s, out, (uint32_t)cap, 0);
	return n > 0 ? (size_t)n : 0;
}

static uint32_t ttl_of(const uint8_t *msg, size_t len, uint8_t first[4])
{
	struct dns_walk walk;
	struct dns_rr r;
	assert_int_equal(dns_walk_begin(&walk, msg, len), 0);
	assert_int_equal(dns_rr_next(&walk, &r), 0);
	memcpy(first, msg + r.rdata, 4);
	return r.ttl;
}

static void forward__an_answer_is_passed_on_and_remembered(void **state)
{
	struct world *w = *state;
	via_sock s = net_open(w->client, VIA_DGRAM);
	uint8_t r[600], a[4];
	ask(w, s, 0x1234, "Www.Example.com", DNS_A);
	run(w, NS_PER_S / 2);
	size_t n = reply(w, s, r, sizeof(r));
	assert_true(n > 0);
	assert_int_equal(get_be16(r), 0x1234);
	assert_memory_equal(r + 12, "\3Www\7Example\3com", 16); /* the client's case */
	assert_int_equal(ttl_of(r, n, a), 60);
	assert_memory_equal(a, ((uint8_t[]){192, 0, 2, 0}), 4);
	assert_int_equal(r[2] & 4, 0); /* not our own authority */
	assert_int_equal(w->n_heard, 1);
	assert_true(w->heard[0].rd && w->heard[0].has_edns && w->heard[0].q.udp_size == 1232);
	run(w, 10 * NS_PER_S);
	ask(w, s, 0x4321, "www.example.COM", DNS_A);
	run(w, NS_PER_S / 2);
	n = reply(w, s, r, sizeof(r));
	assert_int_equal(ttl_of(r, n, a), 50);
	assert_int_equal(w->n_heard, 1);
	run(w, 50 * NS_PER_S);
	ask(w, s, 1, "www.example.com", DNS_A);
	run(w, NS_PER_S / 2);
	assert_int_equal(w->n_heard, 2); /* it has lived its time */
}

static void forward__the_zone_is_answered_here(void **state)
{
	struct world *w = *state;
	via_sock s = net_open(w->client, VIA_DGRAM);
	static const struct {
		const char *name;
		uint16_t type;
		uint8_t rcode;
		bool is_known;
	} rows[] = {{"client", DNS_A, 0, true}, {"client.lab", DNS_AAAA, 0, false}, {"nobody.lab", DNS_A, 3, false}, {"lab", DNS_MX, 0, false},
		    {"2.0.0.10.in-addr.arpa", DNS_PTR, 0, true}, {"x.lab", 65, 3, false}};
	uint8_t r[600];
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		ask(w, s, 9, rows[i].name, rows[i].type);
		run(w, NS_PER_S / 2);
		assert_true(reply(w, s, r, sizeof(r)) > 0);
		assert_int_equal(r[3] & 15, rows[i].rcode);
		assert_int_equal(get_be16(r + 6) > 0, rows[i].is_known);
	}
	assert_int_equal(w->n_heard, 0);
	ask(w, s, 9, "xlab", DNS_A); /* not below it */
	ask(w, s, 9, "9.0.0.10.in-addr.arpa", DNS_PTR);
	ask(w, s, 9, "example.com", 252); /* a zone transfer is of one server */
	run(w, NS_PER_S / 2);
	assert_int_equal(w->n_heard, 2);
	uint8_t q[100];
	size_t n = dns_query_emit(q, sizeof(q), 9, "unasked.example", DNS_A);
	struct via_sockaddr to = net_at(PROXY_IN, 53);
	q[2] = 0; /* who does not want recursion gets none (RFC 1034 §4.3.1) */
	while (reply(w, s, r, sizeof(r)))
		;
	via_sendto(w->client, s, q, (uint32_t)n, 0, &to);
	run(w, NS_PER_S / 2);
	assert_true(reply(w, s, r, sizeof(r)) > 0);
	assert_int_equal(r[3] & 15, DNS_REFUSED);
	assert_int_equal(w->n_heard, 2);
}

/* RFC 5452: wrong id, case, name or type, or from another port: nothing of it counts (HARD-03: whoever it seems to be from). */
static void req_SA_009__forged_answers_do_not_count(void **state)
{
	struct world *w = *state;
	via_sock s = net_open(w->client, VIA_DGRAM);
	uint8_t r[600], a[4];
	w->manner = FORGE;
	ask(w, s, 1, "www.example.com", DNS_A);
	run(w, NS_PER_S / 2);
	size_t n = reply(w, s, r, sizeof(r));
	assert_true(n > 0);
	ttl_of(r, n, a);
	assert_int_equal(a[0], 192);
	assert_int_equal(w->dns.forward.n_ignored, 4); /* the fifth came to no socket */
	assert_int_equal(reply(w, s, r, sizeof(r)), 0);
	ask(w, s, 1, "www.example.com", DNS_A); /* nor is it remembered */
	run(w, NS_PER_S / 2);
	n = reply(w, s, r, sizeof(r));
	ttl_of(r, n, a);
	assert_int_equal(a[0], 192);
}

static void req_SA_009__ids_ports_and_cases_differ(void **state)
{
	enum { N = 150 };
	struct world *w = *state;
	via_sock s = net_open(w->client, VIA_DGRAM);
	int same_port = 0, same_id = 0, near = 0, upper = 0, letters = 0;
	uint8_t r[600];
	char name[40];
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "www%d.example.com", i);
		ask(w, s, 7, name, DNS_A);
		run(w, NS_PER_S / 10);
		while (reply(w, s, r, sizeof(r)))
			;
	}
	assert_int_equal(w->n_heard, N);
	for (int i = 0; i < N; i++) {
		for (int k = 0; k < i; k++) {
			same_port += w->heard[i].port == w->heard[k].port;
			same_id += w->heard[i].id == w->heard[k].id;
		}
		near += i && abs(w->heard[i].port - w->heard[i - 1].port) < 8;
		for (int c = 0; c < w->heard[i].q.raw_len; c++) {
			upper += w->heard[i].q.raw[c] >= 'A' && w->heard[i].q.raw[c] <= 'Z';
			letters += (w->heard[i].q.raw[c] | 0x20) >= 'a' && (w->heard[i].q.raw[c] | 0x20) <= 'z';
		}
	}
	assert_true(same_port < 5 && same_id < 5 && near < 8);
	assert_in_range(upper, letters * 45 / 100, letters * 55 / 100);
}

/* A client of the service over TCP. */
static via_sock connected(struct world *w)
{
	struct via_sockaddr to = net_at(PROXY_IN, 53);
	via_sock s = net_open(w->client, VIA_STREAM);
	assert_int_equal(via_connect(w->client, s, &to), -EINPROGRESS);
	run(w, NS_PER_S / 10);
	return s;
}

static void ask_tcp(struct world *w, via_sock s, const char *name)
{
	uint8_t q[300];
	size_t n = dns_query_emit(q + 2, sizeof(q) - 2, 3, name, DNS_A);
	put_be16(q, (uint16_t)n);
	assert_int_equal(via_send(w->client, s, q, (uint32_t)n + 2, 0), n + 2);
}

static void req_SA_009__what_is_cut_is_asked_by_tcp(void **state)
{
	struct world *w = *state;
	via_sock s = net_open(w->client, VIA_DGRAM), t = connected(w);
	uint8_t r[4200];
	w->manner = CUT;
	w->n_records = 100;
	ask(w, s, 1, "big.example.com", DNS_A);
	run(w, NS_PER_S / 2);
	size_t n = reply(w, s, r, sizeof(r));
	assert_true(n > 0 && n <= 512);
	assert_int_equal(r[2] & 2, 2); /* and so must the client */
	assert_int_equal(w->n_heard, 2);
	assert_true(w->heard[1].by_tcp);
	assert_int_not_equal(w->heard[0].id, w->heard[1].id);
	ask_tcp(w, t, "big.example.com");
	run(w, NS_PER_S / 2);
	n = reply(w, t, r, sizeof(r));
	assert_int_equal(n, 2u + get_be16(r));
	assert_int_equal(get_be16(r + 2 + 6), 100);
	assert_int_equal(w->n_heard, 4); /* longer than what is remembered */
	via_close(w->client, t);
	run(w, 100 * NS_PER_S);
}

static void forward__silence_is_servfail_in_the_end(void **state)
{
	struct world *w = *state;
	via_sock s = net_open(w->client, VIA_DGRAM);
	uint8_t r[600];
	int64_t began = w->net->now;
	w->manner = SILENT;
	ask(w, s, 1, "www.example.com", DNS_A);
	run(w, 7 * NS_PER_S - 1);
	assert_int_equal(reply(w, s, r, sizeof(r)), 0);
	run(w, 2);
	assert_true(reply(w, s, r, sizeof(r)) > 0);
	assert_int_equal(r[3] & 15, DNS_SERVFAIL);
	assert_int_equal(w->n_heard, 4);
	static const struct {
		int64_t after;
		uint32_t at;
		bool by_tcp;
	} want[] = {{0, OUTSIDE, false}, {NS_PER_S, SECOND, false}, {3 * NS_PER_S, OUTSIDE, false}, {5 * NS_PER_S, OUTSIDE, true}};
	for (int i = 0; i < 4; i++) {
		assert_int_equal(w->heard[i].when, began + want[i].after);
		assert_int_equal(w->heard[i].by_tcp, want[i].by_tcp);
		if (!want[i].by_tcp)
			assert_int_equal(w->heard[i].at, want[i].at);
		for (int k = 0; k < i; k++)
			assert_true(w->heard[i].id != w->heard[k].id && w->heard[i].port != w->heard[k].port);
	}
}

static void forward__a_server_that_refuses_gives_way(void **state)
{
	struct world *w = *state;
	via_sock s = net_open(w->client, VIA_DGRAM);
	uint8_t r[600];
	w->manner = REFUSE;
	ask(w, s, 1, "www.example.com", DNS_A);
	run(w, NS_PER_S / 2);
	assert_true(reply(w, s, r, sizeof(r)) > 0); /* at once: all were asked */
	assert_int_equal(r[3] & 15, DNS_SERVFAIL);
	assert_int_equal(w->n_heard, 4);
	assert_int_equal(w->heard[1].at, SECOND);
}

/* RFC 5452 §9.3: many wrong guesses are an attack. */
static void req_SA_009__after_guesses_by_tcp(void **state)
{
	struct world *w = *state;
	via_sock s = net_open(w->client, VIA_DGRAM);
	uint8_t r[600];
	w->manner = GUESS;
	ask(w, s, 1, "www.example.com", DNS_A);
	run(w, NS_PER_S / 2);
	assert_true(reply(w, s, r, sizeof(r)) > 0);
	assert_int_equal(r[3] & 15, 0);
	assert_int_equal(w->n_heard, 2);
	assert_true(w->heard[1].by_tcp);
}

/* Equal questions are one (RFC 5452 §5: the birthday attack); so many clients wait for it, others ask again. */
static void req_SA_009__equal_questions_are_one(void **state)
{
	struct world *w = *state;
	via_sock s[12];
	uint8_t r[600];
	int answered = 0;
	w->manner = SILENT;
	for (int i = 0; i < 12; i++) {
		s[i] = net_open(w->client, VIA_DGRAM);
		ask(w, s[i], (uint16_t)i, i & 1 ? "www.example.com" : "WWW.example.com", DNS_A);
		ask(w, s[i], (uint16_t)i, "www.example.com", DNS_A); /* a repeat */
	}
	run(w, NS_PER_S / 2);
	assert_int_equal(w->n_heard, 1);
	w->manner = ANSWER;
	run(w, NS_PER_S);
	for (int i = 0; i < 12; i++)
		while (reply(w, s[i], r, sizeof(r))) {
			assert_int_equal(get_be16(r), i);
			answered++;
		}
	assert_int_equal(answered, DNS_WAITERS);
}

static void forward__so_many_questions_at_once(void **state)
{
	struct world *w = *state;
	via_sock s = net_open(w->client, VIA_DGRAM);
	char name[40];
	w->manner = SILENT;
	for (int i = 0; i < DNS_UNDER_WAY + 20; i++) {
		snprintf(name, sizeof(name), "www%d.example.com", i);
		ask(w, s, 7, name, DNS_A);
		run(w, NS_PER_MS);
	}
	assert_int_equal(w->n_heard, DNS_UNDER_WAY);
	run(w, 100 * NS_PER_S);
	w->manner = ANSWER;
	w->n_heard = 0;
	ask(w, s, 7, "again.example.com", DNS_A); /* and it goes on */
	run(w, NS_PER_S);
	assert_int_equal(w->n_heard, 1);
}

/* Over TCP answers keep their order, and who leaves while he waits is forgotten. */
static void forward__tcp_clients_wait_and_leave(void **state)
{
	struct world *w = *state;
	uint8_t r[600];
	via_sock t = connected(w), gone = connected(w);
	w->manner = SILENT;
	ask_tcp(w, t, "www.example.com");
	ask_tcp(w, t, "client.lab");
	ask_tcp(w, gone, "other.example.com");
	run(w, NS_PER_S / 2);
	assert_int_equal(reply(w, t, r, sizeof(r)), 0);
	via_abort(w->client, gone);
	run(w, NS_PER_S / 4);
	w->manner = ANSWER;
	run(w, NS_PER_S);
	size_t n = reply(w, t, r, sizeof(r));
	assert_true(n > 2u + get_be16(r));
	assert_memory_equal(r + 2 + 12, "\3www", 4);
	assert_memory_equal(r + 2 + get_be16(r) + 2 + 12, "\6client", 7);
	via_close(w->client, t);
	run(w, 100 * NS_PER_S);
	assert_int_equal(w->dns.conns.open.n, 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(forward__an_answer_is_passed_on_and_remembered),
		CASE(forward__the_zone_is_answered_here),
		CASE(req_SA_009__forged_answers_do_not_count),
		CASE(req_SA_009__ids_ports_and_cases_differ),
		CASE(req_SA_009__what_is_cut_is_asked_by_tcp),
		CASE(forward__silence_is_servfail_in_the_end),
		CASE(forward__a_server_that_refuses_gives_way),
		CASE(req_SA_009__after_guesses_by_tcp),
		CASE(req_SA_009__equal_questions_are_one),
		CASE(forward__so_many_questions_at_once),
		CASE(forward__tcp_clients_wait_and_leave),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
