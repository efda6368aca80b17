/* lab/: whole labs in virtual and real time: echo, http, dns, switches, equal paths, story and capture against the links'
 * own counters, replay, and the sentences of what cannot be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/csum.h"
#include "lab/state.h"
#include "wire/dns.h"
#include "wire/eth.h"
#include "wire/icmp4.h"
#include "serve/bulk.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HEAD "name: t\ntopology:\n"
static const char two[] = HEAD "  nodes: {a: {kind: host}, b: {kind: host, services: {echo: {}}}}\n  links:\n"
			       "    - {endpoints: [\"a:e\", \"b:e\"], impairments: {delay: 10ms}}\n";

static struct lab *load(const char *text, const struct lab_opts *o)
{
	struct lab_error err;
	struct lab *l = lab_load_text(text, strlen(text), "t.yaml", o, &err);
	if (!l)
		fail_msg("%d:%d: %s", err.line, err.col, err.text);
	return l;
}

static struct via_sockaddr address(struct lab *l, const char *node, uint16_t port)
{
	const struct topo_node *n = &l->topo->nodes[topo_node_find(l->topo, node)];
	return (struct via_sockaddr){via_addr_v4(l->topo->ends[n->ends[0]].addr.addr), port};
}

static uint32_t address_v4(struct lab *l, const char *node)
{
	struct via_sockaddr a = address(l, node, 0);
	return via_addr_to_v4(&a.addr);
}

/* --- a blocking client in virtual time --- */

struct client {
	struct lab *lab;
	struct host_node *node;
	via_sock s;
	uint32_t want;
};

static bool client_is_ready(void *ctx)
{
	struct client *c = ctx;
	return via_ready(c->node->stack, c->s) & c->want;
}

static void client_wait(struct client *c, uint32_t want)
{
	c->want = want;
	c->node->touched(c->node);
	lab_run(c->lab, lab_now(c->lab) + 100 * NS_PER_S, client_is_ready, c);
	assert_true(client_is_ready(c));
}

static struct client client_open(struct lab *l, const char *node, enum via_type type, struct via_sockaddr to)
{
	struct client c = {.lab = l, .node = lab_node(l, node)};
	assert_non_null(c.node);
	assert_int_equal(via_open(c.node->stack, type, 0, &c.s), 0);
	int rc = via_connect(c.node->stack, c.s, &to);
	assert_true(rc == 0 || rc == -EINPROGRESS);
	client_wait(&c, VIA_OUT | VIA_ERR);
	return c;
}

/* Send, then read until n bytes, or the peer's FIN. */
static size_t client_ask(struct client *c, const void *data, uint32_t len, char *out, size_t n)
{
	size_t got = 0;
	assert_int_equal(via_send(c->node->stack, c->s, data, len, 0), len);
	while (got < n) {
		client_wait(c, VIA_IN);
		int64_t r = via_recv(c->node->stack, c->s, out + got, (uint32_t)(n - got), 0);
		if (r <= 0)
			break;
		got += (size_t)r;
	}
	return got;
}

static void client_close(struct client *c)
{
	via_close(c->node->stack, c->s);
	c->node->touched(c->node);
}

/* Echo request and reply; the round trip, ns. */
static int64_t ping(struct lab *l, const char *from, const char *to)
{
	uint8_t m[ICMP4_HLEN + 8] = {ICMP4_ECHO}, b[64];
	struct client c = client_open(l, from, VIA_PING, address(l, to, 0));
	int64_t start = lab_now(l);
	m[7] = 1;
	put_be16(m + 2, csum_field(csum_add(0, m, sizeof m)));
	assert_int_equal(client_ask(&c, m, sizeof m, (char *)b, sizeof m), sizeof m);
	assert_int_equal(b[0], ICMP4_ECHO_REPLY);
	client_close(&c);
	return lab_now(l) - start;
}

/* --- virtual time --- */

static void lab__time_is_exact(void **state)
{
	struct lab *l = load(two, &(struct lab_opts){0});
	assert_string_equal(lab_name(l), "t");
	ping(l, "a", "b"); /* finds the neighbour */
	assert_int_equal(ping(l, "a", "b"), 20 * NS_PER_MS);
	assert_int_equal(lab_link_set(l, "b:e", &(struct lab_impair){.delay_ns = 3 * NS_PER_MS}), 0);
	assert_int_equal(lab_link_set(l, "b:x", &(struct lab_impair){0}), -ENOENT);
	assert_int_equal(ping(l, "a", "b"), 6 * NS_PER_MS);
	int64_t now = lab_now(l);
	lab_run(l, now + 5 * NS_PER_S, NULL, NULL);
	assert_int_equal(lab_now(l), now + 5 * NS_PER_S);
	lab_free(l);
}

static void lab__echo_over_tcp_and_udp(void **state)
{
	struct lab *l = load(two, &(struct lab_opts){0});
	char out[16];
	struct client c = client_open(l, "a", VIA_STREAM, address(l, "b", 7));
	assert_int_equal(client_ask(&c, "stream", 6, out, 6), 6);
	assert_memory_equal(out, "stream", 6);
	client_close(&c);
	c = client_open(l, "a", VIA_DGRAM, address(l, "b", 7));
	assert_int_equal(client_ask(&c, "datagram", 8, out, 8), 8);
	assert_memory_equal(out, "datagram", 8);
	client_close(&c);
	lab_free(l);
}

static void lab__http_serves_a_folder(void **state)
{
	char dir[] = "/tmp/viaduct-lab-XXXXXX", path[64], text[512], out[1024] = "";
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/index.html", dir);
	FILE *f = fopen(path, "w");
	fputs("<!doctype html>", f);
	fclose(f);
	snprintf(text, sizeof text, HEAD "  nodes: {a: {kind: host}, b: {kind: host, services: {http: {root: /, port: 8080}}}}\n"
		 "  links: [{endpoints: [\"a:e\", \"b:e\"]}]\n");
	char www[64];
	snprintf(www, sizeof www, "b=%s", dir);
	struct lab *l = load(text, &(struct lab_opts){.www = www});
	struct client c = client_open(l, "a", VIA_STREAM, address(l, "b", 8080));
	static const char request[] = "GET / HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n";
	size_t n = client_ask(&c, request, sizeof request - 1, out, sizeof out - 1);
	assert_true(n > 50);
	assert_memory_equal(out, "HTTP/1.1 200 OK\r\n", 17);
	assert_non_null(strstr(out, "\r\n\r\n<!doctype html>"));
	assert_null(strstr(out, "Date:")); /* a run does not depend on the day */
	client_close(&c);
	lab_free(l);
	unlink(path);
	rmdir(dir);
}

static void lab__names_are_answered_on_the_node_itself(void **state)
{
	struct lab *l = load(two, &(struct lab_opts){0});
	struct via_addr r = lab_node_resolver(l, "a"), again = lab_node_resolver(l, "a");
	assert_true(via_addr_is_loopback(&r));
	assert_true(via_addr_eq(&r, &again));
	uint8_t query[64];
	char out[512];
	size_t n = dns_query_emit(query, sizeof query, 77, "b.lab", DNS_A);
	struct client c = client_open(l, "a", VIA_DGRAM, (struct via_sockaddr){r, 53});
	assert_int_equal(via_send(c.node->stack, c.s, query, (uint32_t)n, 0), n);
	client_wait(&c, VIA_IN);
	int64_t got = via_recv(c.node->stack, c.s, out, sizeof out, 0);
	assert_true(got > (int64_t)n);
	assert_int_equal(get_be16(out), 77);
	assert_int_equal(get_be16(out + 6), 1); /* one answer, b's address at its end */
	assert_int_equal(get_be32(out + got - 4), l->topo->ends[1].addr.addr);
	client_close(&c);
	struct via_addr none = lab_node_resolver(l, "nobody");
	assert_true(via_addr_is_any(&none));
	lab_free(l);
}

static void lab__a_switch_joins_hosts(void **state)
{
	struct lab *l = load(HEAD
		"  nodes: {a: {kind: host}, b: {kind: host}, c: {kind: host}, s1: {kind: switch}, s2: {kind: switch}}\n  links:\n"
		"    - {endpoints: [\"a:e\", \"s1:1\"], impairments: {delay: 1ms}}\n"
		"    - {endpoints: [\"b:e\", \"s1:2\"], impairments: {delay: 1ms}}\n    - {endpoints: [\"s1:3\", \"s2:1\"]}\n"
		"    - {endpoints: [\"c:e\", \"s2:2\"], impairments: {delay: 1ms}}\n", &(struct lab_opts){0});
	struct lab_link_stats st;
	ping(l, "a", "b");
	ping(l, "c", "a");
	lab_link_get(l, 2, &st);
	uint64_t to_b = st.delivered;
	assert_string_equal(st.from, "b:e");
	assert_int_equal(ping(l, "a", "c"), 4 * NS_PER_MS);
	lab_link_get(l, 3, &st);
	assert_string_equal(st.from, "s1:2");
	uint64_t flooded = st.sent;
	ping(l, "a", "c"); /* learnt: b sees nothing of it */
	lab_link_get(l, 3, &st);
	assert_int_equal(st.sent, flooded);
	lab_link_get(l, 2, &st);
	assert_true(st.delivered >= to_b);
	lab_free(l);
}

/* --- both ways, story, capture, replay --- */

static const char diamond[] = HEAD
	"  nodes: {a: {kind: host}, r: {kind: router}, p: {kind: router}, q: {kind: router}, t: {kind: router}, b: {kind: host}}\n  links:\n"
	"    - {endpoints: [\"a:e\", \"r:1\"]}\n"
	"    - {endpoints: [\"r:2\", \"p:1\"], impairments: {delay: 5ms, jitter: 1ms, loss: 2%, reorder: 2%}}\n"
	"    - {endpoints: [\"p:2\", \"t:1\"]}\n"
	"    - {endpoints: [\"r:3\", \"q:1\"], impairments: {delay: 12ms, loss: 2%, duplicate: 1%, corrupt: 0.5%, limit: 40}}\n"
	"    - {endpoints: [\"q:2\", \"t:2\"]}\n    - {endpoints: [\"t:3\", \"b:e\"]}\n";

enum { CONNS = 8, DOWN = 300000 };
struct bulk {
	struct host_map map;
	struct arena *arena;
	struct serve_bulk server;
	struct bulk_end client[CONNS];
};

static bool bulk_is_done(void *ctx)
{
	struct bulk *k = ctx;
	bool done = k->server.n_done == CONNS;
	for (int i = 0; i < CONNS; i++)
		done &= k->client[i].done;
	return done;
}

static void bulk_run(struct lab *l)
{
	struct bulk k = {0};
	assert_int_equal(host_map_new(&k.map, 8 << 20), 0);
	k.arena = arena_init(k.map.at, k.map.bytes);
	assert_int_equal(serve_bulk_start(&k.server, &(struct serve_bulk_config){.arena = k.arena, .via = lab_node(l, "b")->stack,
		.local = {via_addr_v4(0), 99}, .send_seed = 1, .send_bytes = DOWN, .recv_bytes = UINT64_MAX}), 0);
	for (int i = 0; i < CONNS; i++)
		assert_int_equal(bulk_client_start(&k.client[i], &(struct bulk_client_config){.via = lab_node(l, "a")->stack,
			.remote = address(l, "b", 99),
			.send_seed = 2, .send_bytes = 1000, .recv_seed = 1, .recv_bytes = DOWN}), 0);
	lab_node(l, "a")->touched(lab_node(l, "a"));
	lab_run(l, 3600 * NS_PER_S, bulk_is_done, &k);
	for (int i = 0; i < CONNS; i++) {
		assert_true(k.client[i].done);
		assert_int_equal(k.client[i].error, 0);
		assert_int_equal(k.client[i].received, DOWN);
	}
	for (int i = 0; i < CONNS; i++)
		bulk_client_stop(&k.client[i]);
	serve_bulk_stop(&k.server);
	arena_fini(k.arena);
	host_map_free(&k.map);
}

static uint64_t total(json_t *story, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(json_object_get(story, "totals"), key));
}

/* How often `word` stands in a file. */
static uint64_t occurrences(const char *path, const char *word)
{
	uint64_t n = 0;
	FILE *f = fopen(path, "r");
	size_t len = strlen(word), at = 0;
	for (int c; (c = getc(f)) != EOF;) {
		at = c == word[at] ? at + 1 : c == word[0];
		if (at == len) {
			n++;
			at = 0;
		}
	}
	fclose(f);
	return n;
}

static void lab__story_and_capture_say_what_the_links_counted(void **state)
{
	char path[] = "/tmp/viaduct-capture-XXXXXX";
	close(mkstemp(path));
	struct lab *l = load(diamond, &(struct lab_opts){.story = true, .pcapng = path, .seed = 4, .has_seed = true});
	struct lab_link_stats st, sum = {0};
	bulk_run(l);
	json_t *s = lab_story(l);
	for (int i = 0; lab_link_get(l, i, &st); i++) {
		sum.sent += st.sent;
		sum.bytes += st.bytes;
		sum.lost += st.lost;
		sum.limited += st.limited;
		sum.reordered += st.reordered;
		sum.duplicated += st.duplicated;
		sum.corrupted += st.corrupted;
	}
	assert_true(sum.lost > 10 && sum.reordered > 5 && sum.duplicated > 3 && sum.corrupted > 0);
	assert_int_equal(total(s, "packets"), sum.sent);
	assert_int_equal(total(s, "bytes"), sum.bytes);
	assert_int_equal(total(s, "lost"), sum.lost);
	assert_int_equal(total(s, "limited"), sum.limited);
	assert_int_equal(total(s, "reordered"), sum.reordered);
	assert_int_equal(total(s, "duplicated"), sum.duplicated);
	assert_int_equal(total(s, "corrupted"), sum.corrupted);
	uint64_t retransmitted = total(s, "retransmitted");
	json_t *conns = json_object_get(s, "connections");
	assert_int_equal(json_array_size(conns), CONNS);
	assert_int_equal(json_array_size(json_object_get(s, "paths")), 4); /* two ways, two directions */
	for (size_t i = 0; i < CONNS; i++) {
		json_t *c = json_array_get(conns, i), *h = json_object_get(c, "handshake");
		json_int_t syn = json_integer_value(json_object_get(json_object_get(h, "syn"), "seq"));
		json_int_t ack = json_integer_value(json_object_get(json_object_get(h, "syn_ack"), "ack"));
		assert_int_equal((uint32_t)(syn + 1), ack);
		assert_int_equal(json_integer_value(json_object_get(json_object_get(c, "received"), "payload")), DOWN);
		assert_int_equal(json_integer_value(json_object_get(json_object_get(c, "sent"), "payload")), 1000);
		assert_int_equal(json_array_size(json_object_get(json_object_get(c, "sent"), "path")), 5);
	}
	assert_int_equal(json_array_size(json_object_get(json_object_get(s, "loss"), "events")), 3);
	json_decref(s);
	lab_free(l); /* closes the capture */
	assert_int_equal(occurrences(path, "loss: the link lost it"), sum.lost);
	assert_int_equal(occurrences(path, "limit: the link"), sum.limited);
	assert_int_equal(occurrences(path, "duplicate: the link"), sum.duplicated);
	assert_int_equal(occurrences(path, "retransmit-") + occurrences(path, "syn-retransmit:") + occurrences(path, "syn-ack-again:"),
		retransmitted);
	unlink(path);
}

/* The longest headers there are: VLAN tag, 40 bytes of IP options, 40 of TCP options; from a tap they can come. */
static void lab__story_reads_the_longest_headers(void **state)
{
	enum { IP = ETH_HLEN + 4, TCP = IP + 60, ALL = TCP + 60 + 10 };
	struct lab *l = load(two, &(struct lab_opts){.story = true});
	uint8_t f[ALL] = {0};
	put_be16(f + 12, 0x8100);
	put_be16(f + 14, 5);
	put_be16(f + 16, 0x0800);
	f[IP] = 0x4f;
	put_be16(f + IP + 2, ALL - IP);
	f[IP + 8] = 64;
	f[IP + 9] = 6;
	put_be32(f + IP + 12, address_v4(l, "a"));
	put_be32(f + IP + 16, address_v4(l, "b"));
	memset(f + IP + 20, 1, 40);
	put_be16(f + IP + 10, csum_field(csum_add(0, f + IP, 60)));
	put_be16(f + TCP, 1000);
	put_be16(f + TCP + 2, 80);
	f[TCP + 12] = 0xf0;
	f[TCP + 13] = 2; /* SYN */
	memset(f + TCP + 20, 1, 40);
	struct pkt *p = pkt_new(l->mem, 64);
	assert_int_equal(pkt_append(l->mem, p, f, ALL), 0);
	l->env.sent(&l->env, &(struct link_sent){.dir = &l->links[0].dir[0], .pkt = p});
	pkt_free(l->mem, p);
	json_t *s = lab_story(l);
	assert_int_equal(json_array_size(json_object_get(s, "connections")), 1);
	json_decref(s);
	lab_free(l);
}

static void lab__clean_links_lose_nothing(void **state)
{
	struct lab *l = load(diamond, &(struct lab_opts){.story = true, .no_impairments = true});
	bulk_run(l);
	json_t *s = lab_story(l);
	static const char *const zero[] = {"lost", "limited", "reordered", "duplicated", "corrupted", "retransmitted"};
	for (size_t i = 0; i < ARRAY_LEN(zero); i++)
		assert_int_equal(total(s, zero[i]), 0);
	assert_true(total(s, "packets") > 1000);
	json_decref(s);
	lab_free(l);
}

/* Unwatched and clean: bulk crosses in frames larger than the MTU; one impaired link on the way gets it cut. */
static void lab__clean_links_carry_superframes(void **state)
{
	struct lab_link_stats st;
	struct lab *l = load(diamond, &(struct lab_opts){.no_impairments = true});
	bulk_run(l);
	lab_link_get(l, 11, &st);
	assert_string_equal(st.from, "b:e");
	assert_true(st.bytes / st.sent > 3000);
	lab_free(l);
	l = load(diamond, &(struct lab_opts){0});
	bulk_run(l);
	for (int i = 0; lab_link_get(l, i, &st); i++)
		if (st.impair.delay_ns)
			assert_true(st.bytes <= st.sent * 1514);
	lab_free(l);
}

static uint32_t supers_by[4]; /* superframes seen, by the end they left by */

static void count_supers(struct link_env *e, const struct link_sent *f)
{
	supers_by[f->dir->end] += f->pkt->m.gso_size != 0;
}

/* Bytes of v[0..n) that lie in memory of w[0..m). */
static uint64_t bytes_within(const struct via_iov *v, int n, const struct via_iov *w, int m)
{
	uint64_t sum = 0;
	for (int i = 0; i < n; i++)
		for (int k = 0; k < m; k++)
			if ((char *)v[i].base >= (char *)w[k].base && (char *)v[i].base + v[i].len <= (char *)w[k].base + w[k].len)
				sum += v[i].len;
	return sum;
}

/* What the sender wrote is read where it was written, behind two clean links and a router. */
static void lab__a_superframe_crosses_without_a_copy(void **state)
{
	enum { WANT = 60000, SPANS = 128 };
	struct via_iov out[SPANS], in[SPANS];
	uint64_t sent = 0, got = 0;
	struct lab *l = load(HEAD "  nodes: {a: {kind: host}, r: {kind: router}, b: {kind: host}}\n  links:\n"
		"    - {endpoints: [\"a:e\", \"r:1\"]}\n    - {endpoints: [\"r:2\", \"b:e\"]}\n", &(struct lab_opts){0});
	struct via *a = lab_node(l, "a")->stack, *b = lab_node(l, "b")->stack;
	struct via_sockaddr any = {via_addr_v4(0), 99};
	via_sock listener, s;
	assert_int_equal(via_open(b, VIA_STREAM, 0, &listener), 0);
	assert_int_equal(via_bind(b, listener, &any), 0);
	assert_int_equal(via_listen(b, listener, 1), 0);
	struct client c = client_open(l, "a", VIA_STREAM, address(l, "b", 99));
	lab_run(l, lab_now(l) + NS_PER_S, NULL, NULL);
	assert_int_equal(via_accept(b, listener, 0, &s, NULL), 0);
	memset(supers_by, 0, sizeof supers_by);
	l->env.sent = count_supers;
	int n = via_send_reserve(a, c.s, out, SPANS, WANT);
	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		memset(out[i].base, 'x', out[i].len);
		sent += out[i].len;
	}
	assert_true(sent > 10000);
	assert_int_equal(via_send_commit(a, c.s, (uint32_t)sent), 0);
	c.node->touched(c.node);
	lab_run(l, lab_now(l) + NS_PER_S, NULL, NULL);
	int m = via_recv_peek(b, s, in, SPANS);
	assert_true(m > 0);
	for (int i = 0; i < m; i++)
		got += in[i].len;
	assert_int_equal(got, sent);
	assert_int_equal(bytes_within(in, m, out, n), sent);
	assert_true(supers_by[0] > 0); /* a:e */
	assert_int_equal(supers_by[2], supers_by[0]); /* r:2: forwarded whole */
	lab_free(l);
}

static uint64_t counter(struct via *v, const char *want)
{
	const char *name;
	uint64_t value;
	for (int k = 0; via_counter_get(v, k, &name, &value); k++)
		if (strcmp(name, want) == 0)
			return value;
	fail_msg("no counter %s", want);
	return 0;
}

/* Links that take one packet at a time push back on everyone, hosts and router; nobody loses or repeats anything. */
static void lab__room_for_one_packet(void **state)
{
	static const char narrow[] = HEAD "  nodes: {a: {kind: host}, r: {kind: router}, b: {kind: host}}\n  links:\n"
		"    - {endpoints: [\"a:e\", \"r:1\"], impairments: {limit: 1}}\n    - {endpoints: [\"r:2\", \"b:e\"], impairments: {limit: 1}}\n";
	struct lab_link_stats st;
	for (int watched = 0; watched < 2; watched++) {
		struct lab *l = load(narrow, &(struct lab_opts){.story = watched});
		uint64_t sent = 0;
		bulk_run(l);
		for (int i = 0; lab_link_get(l, i, &st); i++) {
			assert_int_equal(st.lost + st.limited, 0);
			sent += st.sent;
		}
		assert_true(sent > 100);
		for (int i = 0; i < l->topo->n_nodes; i++)
			assert_int_equal(counter(l->nodes[i].stack, "drop.link.queue_full"), 0);
		if (watched) {
			json_t *s = lab_story(l);
			assert_int_equal(total(s, "retransmitted"), 0);
			json_decref(s);
		}
		lab_free(l);
	}
}

/* A switch has no queue of its own: what a full link behind it refuses is dropped, and told like any other drop. */
static void lab__a_switch_tells_of_what_it_drops(void **state)
{
	struct lab *l = load(HEAD "  nodes: {a: {kind: host}, s: {kind: switch}, b: {kind: host}}\n  links:\n"
		"    - {endpoints: [\"a:e\", \"s:1\"], impairments: {delay: 1ms}}\n"
		"    - {endpoints: [\"s:2\", \"b:e\"], impairments: {limit: 4}}\n",
		&(struct lab_opts){.story = true});
	struct lab_link_stats st;
	uint64_t limited = 0, sent = 0;
	bulk_run(l);
	for (int i = 0; lab_link_get(l, i, &st); i++) {
		limited += st.limited;
		sent += st.sent;
	}
	json_t *s = lab_story(l);
	assert_true(limited > 0);
	assert_int_equal(total(s, "limited"), limited);
	assert_int_equal(total(s, "packets"), sent);
	json_decref(s);
	lab_free(l);
}

static void lab__a_seed_replays_and_another_differs(void **state)
{
	uint64_t hash[3];
	for (int i = 0; i < 3; i++) {
		struct lab *l = load(diamond, &(struct lab_opts){.trace_hash = true, .has_seed = true, .seed = i < 2 ? 9 : 10});
		bulk_run(l);
		hash[i] = lab_trace_hash(l);
		lab_free(l);
	}
	assert_true(hash[0] == hash[1]);
	assert_true(hash[0] != hash[2]);
}

static void lab__arenas_come_back(void **state)
{
	struct lab *l = load(two, &(struct lab_opts){0});
	const char *node;
	size_t used, baseline, before[2];
	char out[8];
	ping(l, "a", "b");
	lab_run(l, lab_now(l) + 900 * NS_PER_S, NULL, NULL);
	for (int i = 0; i < 2; i++)
		assert_true(lab_arena_get(l, i, &node, &before[i], &baseline));
	for (int k = 0; k < 5; k++) {
		struct client c = client_open(l, "a", VIA_STREAM, address(l, "b", 7));
		client_ask(&c, "stream", 6, out, 6);
		client_close(&c);
	}
	lab_run(l, lab_now(l) + 900 * NS_PER_S, NULL, NULL);
	for (int i = 0; i < 2; i++) {
		assert_true(lab_arena_get(l, i, &node, &used, &baseline));
		assert_int_equal(used, before[i]);
		assert_string_equal(node, i ? "b" : "a");
	}
	assert_false(lab_arena_get(l, 2, &node, &used, &baseline));
	assert_int_equal(pktmem_pkts_used(l->mem), 0);
	lab_free(l);
}

/* --- real time --- */

static int64_t stop_when_ready(void *ctx, int64_t now)
{
	struct client *c = ctx;
	if (client_is_ready(c))
		loop_stop(c->lab->loop, 0);
	return now + 5 * NS_PER_MS;
}

static void lab__real_time_is_paced(void **state)
{
	struct lab *l = load(two, &(struct lab_opts){.real_time = true});
	struct loop *loop = loop_new();
	struct client c = {.lab = l, .node = lab_node(l, "a"), .want = VIA_OUT | VIA_ERR};
	struct via_sockaddr to = address(l, "b", 7);
	struct loop_task task = {.run = stop_when_ready, .ctx = &c};
	int64_t start = loop_now(); /* the lab's time begins when it is attached */
	assert_int_equal(lab_attach(l, loop), 0);
	assert_int_equal(via_open(c.node->stack, VIA_STREAM, 0, &c.s), 0);
	via_connect(c.node->stack, c.s, &to);
	c.node->touched(c.node);
	loop_task_add(loop, &task);
	assert_int_equal(loop_run(loop), 0);
	/* b's ARP announcement, SYN and SYN-ACK: three times 10 ms. */
	assert_in_range(loop_now() - start, 30 * NS_PER_MS, 5 * NS_PER_S);
	assert_int_equal(via_ready(c.node->stack, c.s) & VIA_ERR, 0);
	loop_task_del(loop, &task);
	lab_detach(l);
	lab_free(l);
	loop_free(loop);
}

/* The loop was away for a while, as when the process was stopped: what was due meanwhile happens at its own time. */
static void lab__a_late_turn_does_not_bend_time(void **state)
{
	struct lab *l = load(two, &(struct lab_opts){0});
	struct client c = client_open(l, "a", VIA_STREAM, address(l, "b", 7));
	struct loop *loop = loop_new();
	struct via_sock_info i = {.size = sizeof i};
	struct lab_link_stats st;
	char out[8];
	lab_run(l, lab_now(l) + NS_PER_S, NULL, NULL);
	assert_int_equal(lab_attach(l, loop), 0);
	assert_int_equal(via_send(c.node->stack, c.s, "later", 5, 0), 5);
	c.node->touched(c.node);
	lab_link_get(l, 0, &st);
	uint64_t before = st.sent;
	for (int k = 0; k < 100 && st.sent == before; k++) {
		loop_turn(loop, loop_now() + NS_PER_MS);
		lab_link_get(l, 0, &st);
	}
	assert_true(st.sent > before);
	nanosleep(&(struct timespec){0, 300 * NS_PER_MS}, NULL);
	for (int k = 0; k < 1000 && !(via_ready(c.node->stack, c.s) & VIA_IN); k++)
		loop_turn(loop, loop_now() + NS_PER_MS);
	assert_int_equal(via_recv(c.node->stack, c.s, out, sizeof out, 0), 5);
	assert_int_equal(via_sock_info(c.node->stack, c.s, &i), 0);
	assert_int_equal(i.segs_retrans, 0);
	assert_in_range(i.srtt_ns, 20 * NS_PER_MS, 31 * NS_PER_MS); /* the links' and ARP's; the stall would add an eighth of 300 ms */
	lab_detach(l);
	lab_free(l);
	loop_free(loop);
}

/* A node touched after the last turn is not forgotten when the lab leaves the loop. */
static void lab__touched_before_detach_runs_after_it(void **state)
{
	struct lab *l = load(two, &(struct lab_opts){0});
	struct client c = client_open(l, "a", VIA_STREAM, address(l, "b", 7));
	struct loop *loop = loop_new();
	lab_run(l, lab_now(l) + NS_PER_S, NULL, NULL);
	assert_int_equal(lab_attach(l, loop), 0);
	assert_int_equal(via_send(c.node->stack, c.s, "x", 1, 0), 1);
	c.node->touched(c.node);
	lab_detach(l);
	c.want = VIA_IN;
	lab_run(l, lab_now(l) + NS_PER_S, client_is_ready, &c);
	assert_true(client_is_ready(&c));
	lab_free(l);
	loop_free(loop);
}

/* --- questions and mistakes --- */

static void lab__nodes_by_name(void **state)
{
	struct lab *l = load(diamond, &(struct lab_opts){0});
	assert_non_null(lab_node(l, "a"));
	assert_string_equal(lab_node(l, "b")->name, "b");
	assert_null(lab_node(l, "zz"));
	lab_free(l);
	l = load(HEAD "  nodes: {sina: {kind: host}, home: {kind: host}, s: {kind: switch}}\n", &(struct lab_opts){0});
	assert_string_equal(lab_node_nearest(l, "hmoe"), "home");
	assert_null(lab_node(l, "s")); /* no stack there */
	assert_string_equal(lab_node_kind(l, "s"), "switch");
	assert_null(lab_node_kind(l, "t"));
	assert_null(lab_node_nearest(l, "zz"));
	assert_null(lab_node_nearest(l, "z"));
	assert_null(lab_node_nearest(l, ""));
	assert_string_equal(lab_node_nearest(l, "sna"), "sina");
	lab_free(l);
}

/* Datagrams sent at once to a neighbour nobody knows yet; drops inside a node are told by name. */
static void lab__a_burst_waits_for_its_neighbour(void **state)
{
	static const uint8_t data[1400];
	struct lab *l = load(two, &(struct lab_opts){.story = true});
	struct client c = client_open(l, "a", VIA_DGRAM, address(l, "b", 9)); /* nobody listens there */
	for (int i = 0; i < 100; i++)
		assert_int_equal(via_send(c.node->stack, c.s, data, sizeof data, 0), sizeof data);
	c.node->touched(c.node);
	lab_run(l, lab_now(l) + NS_PER_S, NULL, NULL);
	json_t *o = lab_inspect(l), *s = lab_story(l), *nodes = json_object_get(o, "nodes");
	assert_int_equal(json_object_size(json_object_get(json_array_get(nodes, 0), "drops")), 0);
	json_t *drops = json_object_get(json_array_get(nodes, 1), "drops"), *d;
	assert_int_equal(json_integer_value(json_object_get(drops, "udp.no_socket")), 100);
	assert_int_equal(json_array_size(json_object_get(s, "drops")), json_object_size(drops));
	json_t *want = json_pack("{s:s, s:s, s:i}", "node", "b", "name", "udp.no_socket", "count", 100);
	bool is_told = false;
	size_t i;
	json_array_foreach(json_object_get(s, "drops"), i, d) /* there is more: answers withheld by the rate limit */
		is_told |= json_equal(d, want);
	assert_true(is_told);
	assert_string_equal(lab_drop_text("udp.no_socket"), "no socket on this UDP port");
	assert_string_equal(lab_drop_text("no.such"), "");
	json_decref(want);
	json_decref(s);
	json_decref(o);
	client_close(&c);
	lab_free(l);
}

static void lab__mistakes_are_sentences(void **state)
{
	struct lab_error err;
	static const char tap[] = HEAD "  nodes: {x: {kind: tap, tap: t0}}\n";
	assert_null(lab_load_text(tap, strlen(tap), "t.yaml", &(struct lab_opts){0}, &err));
	assert_string_equal(err.text, "node 'x' is a tap: a lab under virtual time has no real interfaces");
	assert_int_equal(err.line, 3);
	assert_null(lab_load("/no/such/file", &(struct lab_opts){0}, &err));
	assert_string_equal(err.text, "cannot be read: No such file or directory");
	assert_int_equal(lab_check("/no/such/file", &err), -EINVAL);
	assert_null(lab_load_text(two, strlen(two), "t", &(struct lab_opts){.pcapng = "/no/such/folder/x"}, &err));
	assert_string_equal(err.text, "cannot capture into '/no/such/folder/x': No such file or directory");
	assert_string_equal(err.file, "");
}

static void lab__inspect_lists_everything(void **state)
{
	struct lab *l = load(diamond, &(struct lab_opts){0});
	json_t *o = lab_inspect(l), *nodes = json_object_get(o, "nodes"), *r = json_array_get(nodes, 1);
	assert_int_equal(json_array_size(nodes), 6);
	assert_int_equal(json_array_size(json_object_get(o, "links")), 12);
	assert_string_equal(json_string_value(json_object_get(r, "name")), "r");
	assert_int_equal(json_array_size(json_object_get(r, "interfaces")), 4); /* with lo */
	json_t *host = json_array_get(nodes, 0), *routes = json_object_get(host, "routes"), *route;
	size_t i;
	bool has_default = false;
	json_array_foreach(routes, i, route)
		has_default |= strcmp(json_string_value(json_object_get(route, "to")), "0.0.0.0/0") == 0;
	assert_true(has_default);
	json_t *link = json_array_get(json_object_get(o, "links"), 6), *im = json_object_get(link, "impairments");
	assert_string_equal(json_string_value(json_object_get(im, "loss")), "2%");
	assert_string_equal(json_string_value(json_object_get(im, "corrupt")), "0.5%");
	json_decref(o);
	lab_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lab__time_is_exact),
		cmocka_unit_test(lab__echo_over_tcp_and_udp),
		cmocka_unit_test(lab__http_serves_a_folder),
		cmocka_unit_test(lab__names_are_answered_on_the_node_itself),
		cmocka_unit_test(lab__a_switch_joins_hosts),
		cmocka_unit_test(lab__story_and_capture_say_what_the_links_counted),
		cmocka_unit_test(lab__story_reads_the_longest_headers),
		cmocka_unit_test(lab__clean_links_lose_nothing),
		cmocka_unit_test(lab__clean_links_carry_superframes),
		cmocka_unit_test(lab__a_superframe_crosses_without_a_copy),
		cmocka_unit_test(lab__room_for_one_packet),
		cmocka_unit_test(lab__a_switch_tells_of_what_it_drops),
		cmocka_unit_test(lab__a_seed_replays_and_another_differs),
		cmocka_unit_test(lab__arenas_come_back),
		cmocka_unit_test(lab__real_time_is_paced),
		cmocka_unit_test(lab__a_late_turn_does_not_bend_time),
		cmocka_unit_test(lab__touched_before_detach_runs_after_it),
		cmocka_unit_test(lab__nodes_by_name),
		cmocka_unit_test(lab__a_burst_waits_for_its_neighbour),
		cmocka_unit_test(lab__mistakes_are_sentences),
		cmocka_unit_test(lab__inspect_lists_everything),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
