/* lab/: IPv6 of topology files: subnets and addresses, mistakes, what hosts make of advertisements, names, settings, pingall, and a
 * transfer over both ways of the shipped example's shape. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host/map.h"
#include "lab/job.h"
#include "lab/probe.h"
#include "lab/state.h"
#include "serve/bulk.h"
#include "wire/addr.h"
#include <stdio.h>
#include <string.h>

static const struct lab_opts small = {.arena_bytes = 8u << 20, .packet_bytes = 64u << 20};

static struct via_addr addr(const char *text)
{
	struct via_addr a;
	assert_int_equal(via_addr_parse(text, strlen(text), &a), 0);
	return a;
}

static struct topo *parse(const char *text)
{
	struct lab_error err;
	struct topo *t = topo_parse(text, strlen(text), "t.yaml", &err);
	if (!t)
		fail_msg("%d:%d: %s", err.line, err.col, err.text);
	return t;
}

static struct lab *load(const char *text)
{
	struct lab_error err;
	struct lab *l = lab_load_text(text, strlen(text), "t.yaml", &small, &err);
	if (!l)
		fail_msg("%d:%d: %s", err.line, err.col, err.text);
	return l;
}

static void check_end(const struct topo *t, int end, const char *want)
{
	char text[VIA_ADDR_STRLEN], full[VIA_ADDR_STRLEN + 5];
	const struct topo_end *e = &t->ends[end];
	snprintf(full, sizeof full, "%s/%u", via_addr_format(&e->addr6.addr, text), e->addr6.plen);
	assert_string_equal(e->is_auto6 ? "auto" : e->addr6.plen ? full : "none", want);
}

/* Given prefixes are passed over; hosts beside a router make their own address, all others have numbers. */
static void ip6__subnets_and_addresses_are_numbered(void **state)
{
	struct topo *t = parse("name: t\nipv6: true\ntopology:\n"
			       "  nodes: {a: {kind: host}, b: {kind: host}, r: {kind: router}, q: {kind: router}, s: {kind: switch},\n"
			       "    t: {kind: tap, tap: x}}\n"
			       "  links:\n"
			       "    - {endpoints: [\"a:1\", \"r:1\"]}\n"
			       "    - {endpoints: [\"r:2\", \"q:2\"], ipv6: [\"fd00:0:0:2::9/64\", ~]}\n"
			       "    - {endpoints: [\"r:3\", \"s:1\"]}\n"
			       "    - {endpoints: [\"q:3\", \"s:2\"], ipv6: [\"2001:db8:5::1/112\", ~]}\n"
			       "    - {endpoints: [\"b:3\", \"s:3\"]}\n"
			       "    - {endpoints: [\"a:4\", \"b:4\"]}\n"
			       "    - {endpoints: [\"r:5\", \"q:5\"], mtu: 1279}\n"
			       "    - {endpoints: [\"r:6\", \"t:1\"]}\n");
	static const char *const want[] = {"auto", "fd00:0:0:1::1/64", "fd00:0:0:2::9/64", "fd00:0:0:2::1/64", "2001:db8:5::2/112", "none",
		"2001:db8:5::1/112", "none", "2001:db8:5::3/112", "none", "fd00:0:0:3::1/64", "fd00:0:0:3::2/64", "none", "none",
		"fd00:0:0:4::1/64", "none"};
	for (int e = 0; e < 2 * t->n_links; e++)
		check_end(t, e, want[e]);
	assert_true(topo_ip6_is_on(t, 0) && topo_ip6_is_used(t));
	assert_false(topo_ip6_is_on(t, 12) || topo_ip6_is_on(t, 15) || topo_ip6_is_on(t, 5));
	topo_free(t);
	t = parse("name: t\ntopology:\n  nodes: {a: {kind: host}, b: {kind: host}}\n  links: [{endpoints: [\"a:1\", \"b:1\"]}]\n");
	assert_false(topo_ip6_is_used(t));
	topo_free(t);
}

#define LAB(head, link) "name: t\n" head "topology:\n  nodes: {a: {kind: host}, r: {kind: router}, s: {kind: switch}}\n  links:\n" \
	"    - {endpoints: [\"a:1\", \"r:1\"]" link "}\n    - {endpoints: [\"r:2\", \"s:1\"]}\n"

static void ip6__mistakes_are_told(void **state)
{
	static const struct {
		const char *text, *says;
		int line;
	} mistakes[] = {
		{LAB("ipv6: yes\n", ""), "ipv6 is 'yes', but must be true, false or a prefix of 8 to 64 bits such as 2001:db8::/32", 2},
		{LAB("ipv6: 10.0.0.0/8\n", ""),
		 "ipv6 is '10.0.0.0/8', but must be true, false or a prefix of 8 to 64 bits such as 2001:db8::/32", 2},
		{LAB("ipv6: fe80::/64\n", ""), "ipv6 is 'fe80::/64', but must be true, false or a prefix of 8 to 64 bits such as 2001:db8::/32", 2},
		{LAB("ipv6: fd00::/80\n", ""), "ipv6 is 'fd00::/80', but must be true, false or a prefix of 8 to 64 bits such as 2001:db8::/32", 2},
		{LAB("ipv6: fd00:1::/64\n", ""), "ipv6 has no /64 left for 2 subnets", 0},
		{LAB("", ", ipv6: fd00::1/64"), "ipv6 is a list of two addresses, one per endpoint (~ for an automatic one)", 5},
		{LAB("", ", ipv6: [fe80::1/64, ~]"), "ipv6 must be an IPv6 address that an interface can have, such as fd00::1/64", 5},
		{LAB("", ", ipv6: [10.0.0.1/24, ~]"), "ipv6 must be an IPv6 address that an interface can have, such as fd00::1/64", 5},
		{LAB("", ", ipv6: [\"fd00::1/64\", \"fd01::1/64\"]"), "the address of 'r:1' lies outside the subnet of its link, fd00::/64", 5},
		{LAB("", ", ipv6: [\"fd00::1/64\", \"fd00::1/64\"]"), "the address of 'r:1' is that of 'a:1' already", 5},
		{LAB("", ", mtu: 1000, ipv6: [\"fd00::1/64\", ~]"), "the link of 'a:1' has an mtu of less than 1280, too little for IPv6", 5},
		{LAB("ipv6: fd00:1::/48\n", ", ipv6: [\"fd00:1::1/40\", ~]"), "ipv6 has no /64 left for 2 subnets", 0},
		{"name: t\ntopology:\n  nodes:\n    a: {kind: host, routes: [{to: default, via: \"fd00:9::1\"}]}\n    r: {kind: router}\n"
		 "  links: [{endpoints: [\"a:1\", \"r:1\"]}]\n", "via is not an address in a subnet of node 'a'", 4},
		{"name: t\ntopology:\n  nodes:\n    a: {kind: host, routes: [{to: 10.0.0.0/8, via: \"fd00:9::1\"}]}\n",
		 "'to' and 'via' of a route are addresses of one family", 4},
	};
	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
		struct lab_error err;
		if (topo_parse(mistakes[i].text, strlen(mistakes[i].text), "t.yaml", &err))
			fail_msg("no mistake in:\n%s", mistakes[i].text);
		assert_string_equal(err.text, mistakes[i].says);
		if (mistakes[i].line && err.line != mistakes[i].line)
			fail_msg("line %d instead of %d: %s", err.line, mistakes[i].line, err.text);
	}
}

/* --- labs that run --- */

static const char both[] = "name: t\nipv6: true\ntopology:\n  nodes:\n    home: {kind: host}\n"
			   "    r1: {kind: router}\n    r2: {kind: router}\n"
			   "    r3: {kind: router}\n    r4: {kind: router}\n    far: {kind: host, services: {dns: {}}}\n  links:\n"
			   "    - {endpoints: [\"home:1\", \"r1:1\"]}\n"
			   "    - {endpoints: [\"r1:2\", \"r2:1\"], impairments: {delay: 5ms, loss: 1%}}\n"
			   "    - {endpoints: [\"r1:3\", \"r3:1\"], impairments: {delay: 9ms, loss: 1%}}\n"
			   "    - {endpoints: [\"r2:2\", \"r4:1\"]}\n    - {endpoints: [\"r3:2\", \"r4:2\"]}\n"
			   "    - {endpoints: [\"r4:3\", \"far:1\"]}\n";

static struct via_addr own(struct lab *l, const char *node)
{
	struct via_addr a;
	if (!lab_ip6_end_addr(&l->nodes[topo_node_find(l->topo, node)], 0, &a))
		fail_msg("%s has no address", node);
	return a;
}

/* Who attaches finds hosts with addresses of their link's /64 that they made themselves, and the lab's names know them. */
static void ip6__hosts_configure_themselves_before_anybody_attaches(void **state)
{
	struct lab *l = load(both);
	struct via_addr home = own(l, "home"), far = own(l, "far"), one = addr("fd00:0:0:1::"), six = addr("fd00:0:0:6::"), found;
	assert_in_range(lab_now(l), 1, 10 * NS_PER_S);
	assert_true(addr_in_prefix(&home, &one, 64) && addr_in_prefix(&far, &six, 64));
	assert_true(home.b[8] | home.b[9] | home.b[10] | home.b[11]); /* no number */
	assert_int_equal(probe_target(l, "far", 6, &found), 0);
	assert_true(via_addr_eq(&found, &far));
	assert_int_equal(probe_target(l, "far.lab", 0, &found), 0);
	assert_true(via_addr_is_v4(&found));
	assert_string_equal(probe_name(l, &home), "home");
	assert_non_null(l->names);
	struct lab *again = load(both);
	assert_memory_equal(own(again, "home").b, home.b, 16); /* the seed's */
	assert_int_equal(lab_now(again), lab_now(l));
	lab_free(again);
	lab_free(l);
}

struct question {
	uint8_t reply[512];
	int64_t len;
};

static void on_reply(struct via_handler *h, struct via *v, via_sock s, uint32_t edges)
{
	struct question *q = (struct question *)(h + 1);
	int64_t n = via_recvfrom(v, s, q->reply, sizeof q->reply, 0, NULL, NULL);
	if (n > 0)
		q->len = n;
}

static bool has_reply(void *ctx)
{
	return ((struct question *)ctx)->len > 0;
}

/* Asked over IPv6, the lab's server tells the address as AAAA. */
static void ip6__names_have_aaaa_records(void **state)
{
	static const uint8_t query[] = {0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 4, 'h', 'o', 'm', 'e', 3, 'l', 'a', 'b', 0, 0, 28, 0, 1};
	struct lab *l = load(both);
	struct via *v = lab_node(l, "home")->stack;
	struct {
		struct via_handler handler;
		struct question q;
	} ask = {.handler = {on_reply}};
	struct via_addr home = own(l, "home");
	via_sock s;
	assert_int_equal(via_open(v, VIA_DGRAM, via_cookie(&ask.handler), &s), 0);
	assert_int_equal(via_sendto(v, s, query, sizeof query, 0, &(struct via_sockaddr){own(l, "far"), 53}), sizeof query);
	lab_node(l, "home")->touched(lab_node(l, "home"));
	lab_run(l, lab_now(l) + 5 * NS_PER_S, has_reply, &ask.q);
	assert_int_equal(ask.q.len, sizeof query + 12 + 16);
	assert_int_equal(ask.q.reply[7], 1); /* one answer */
	assert_memory_equal(ask.q.reply + ask.q.len - 16, home.b, 16);
	via_close(v, s);
	lab_free(l);
}

static bool is_done(void *ctx)
{
	return ((struct bulk_end *)ctx)->done;
}

/* 300 kB over TCP in IPv6 from far to home; cut: r1-r2 goes after the first tenth, and the rest comes by r3. */
static void transfer(bool cut)
{
	enum { DOWN = 300000 };
	struct lab *l = load(both);
	struct host_map map;
	struct serve_bulk server;
	struct bulk_end client;
	char err[256];
	assert_int_equal(host_map_new(&map, 8 << 20), 0);
	struct arena *arena = arena_init(map.at, map.bytes);
	struct via_sockaddr at = {own(l, "far"), 99};
	assert_int_equal(serve_bulk_start(&server, &(struct serve_bulk_config){.arena = arena, .via = lab_node(l, "far")->stack, .local = at,
		.send_seed = 1, .send_bytes = DOWN, .recv_bytes = UINT64_MAX}), 0);
	assert_int_equal(bulk_client_start(&client, &(struct bulk_client_config){.via = lab_node(l, "home")->stack, .remote = at,
		.send_seed = 2, .send_bytes = 10, .recv_seed = 1, .recv_bytes = DOWN}), 0);
	lab_node(l, "home")->touched(lab_node(l, "home"));
	while (client.received < DOWN / 10)
		lab_run(l, lab_now(l) + NS_PER_MS, NULL, NULL);
	if (cut) {
		assert_int_equal(lab_link_change(l, "r1-r2", "down", false, err), 0);
		assert_int_equal(lab_link_change(l, "r2-r4", "down", false, err), 0);
	}
	lab_run(l, lab_now(l) + 60 * NS_PER_S, is_done, &client);
	assert_true(client.done && !client.error);
	assert_int_equal(client.received, DOWN);
	bulk_client_stop(&client);
	serve_bulk_stop(&server);
	arena_fini(arena);
	host_map_free(&map);
	lab_free(l);
}

static void ip6__a_transfer_is_whole(void **state)
{
	transfer(false);
}

static void ip6__a_transfer_survives_the_loss_of_its_way(void **state)
{
	transfer(true);
}

static void on_message(void *ctx, const json_t *msg)
{
	*(json_t **)ctx = json_deep_copy(msg);
}

static bool has_answer(void *ctx)
{
	return *(json_t **)ctx != NULL;
}

static void pingall__over_ipv6(void **state)
{
	static const struct lab_opts with = {.arena_bytes = 8u << 20, .packet_bytes = 64u << 20, .ipv6 = true};
	struct lab_error e;
	char err[256];
	json_t *answer = NULL, *what = json_pack("{s:s, s:i}", "job", "pingall", "family", 6);
	struct lab *l = lab_load_shape("tree,2,3", &with, &e);
	assert_non_null(l);
	struct lab_job *j = lab_job_new(l, what, on_message, &answer, err);
	assert_non_null(j);
	lab_run(l, TIME_NEVER, has_answer, &answer);
	assert_int_equal(json_integer_value(json_object_get(answer, "pairs")), 72);
	assert_int_equal(json_integer_value(json_object_get(answer, "answered")), 72);
	lab_job_free(j);
	json_decref(answer);
	lab_free(l);
	l = lab_load_shape("tree,2,3", &small, &e); /* nobody has IPv6 there */
	answer = NULL;
	j = lab_job_new(l, what, on_message, &answer, err);
	lab_run(l, TIME_NEVER, has_answer, &answer);
	assert_int_equal(json_integer_value(json_object_get(answer, "hosts")), 0);
	lab_job_free(j);
	json_decref(answer);
	json_decref(what);
	lab_free(l);
}

/* A host that does not believe routers has only its link-local address; the others are not kept waiting for ever. */
static void sysctl__names_of_ipv6(void **state)
{
	static const char text[] = "name: t\nipv6: true\ntopology:\n  nodes:\n    a: {kind: host, sysctl: {net.ipv6.conf.e.1.accept_ra: 0}}\n"
				   "    b: {kind: host, sysctl: {net.ipv6.conf.all.dad_transmits: 0}}\n    r: {kind: router}\n  links:\n"
				   "    - {endpoints: [\"a:e.1\", \"r:1\"]}\n    - {endpoints: [\"b:1\", \"r:2\"]}\n";
	static const char *const wrong[][2] = {
		{"net.ipv6.conf.eth9.autoconf: 0", "node 'a' has no interface for net.ipv6.conf.eth9.autoconf"},
		{"net.ipv6.conf.all.accept_ra: often", "'often' is no value of net.ipv6.conf.all.accept_ra"},
		{"net.ipv6.conf.all.accept_rb: 1",
		 "a stack has no setting 'net.ipv6.conf.all.accept_rb', did you mean 'net.ipv6.conf.all.accept_ra'?"}};
	struct via_addr a;
	struct lab *l = load(text);
	assert_false(lab_ip6_end_addr(&l->nodes[0], 0, &a));
	assert_true(lab_ip6_end_addr(&l->nodes[1], 0, &a));
	assert_int_equal(lab_now(l), 30 * NS_PER_S);
	lab_free(l);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		char bad[256];
		struct lab_error err;
		snprintf(bad, sizeof bad, "name: t\ntopology:\n  nodes: {a: {kind: host, sysctl: {%s}}, b: {kind: host}}\n"
			 "  links: [{endpoints: [\"a:1\", \"b:1\"]}]\n", wrong[i][0]);
		assert_null(lab_load_text(bad, strlen(bad), "t.yaml", &small, &err));
		assert_string_equal(err.text, wrong[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ip6__subnets_and_addresses_are_numbered),
		cmocka_unit_test(ip6__mistakes_are_told),
		cmocka_unit_test(ip6__hosts_configure_themselves_before_anybody_attaches),
		cmocka_unit_test(ip6__names_have_aaaa_records),
		cmocka_unit_test(ip6__a_transfer_is_whole),
		cmocka_unit_test(ip6__a_transfer_survives_the_loss_of_its_way),
		cmocka_unit_test(pingall__over_ipv6),
		cmocka_unit_test(sysctl__names_of_ipv6),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
