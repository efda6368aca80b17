/* lab/topo_dhcp.c, lab/dhcp.c: what a file says of DHCP, what it means for a subnet, and labs in which hosts ask. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lab/state.h"
#include <stdlib.h>

#define HEAD "name: t\ntopology:\n"
#define LINKS "  links:\n    - {endpoints: [\"gw:1\", \"s:1\"], ipv4: [10.0.1.1/24, ~]}\n    - {endpoints: [\"h:1\", \"s:2\"]}\n" \
	      "    - {endpoints: [\"p:1\", \"s:3\"]}\n"

static struct topo *parse(const char *text)
{
	struct lab_error err;
	struct topo *t = topo_parse(text, strlen(text), "t.yaml", &err);
	if (!t)
		fail_msg("%d:%d: %s", err.line, err.col, err.text);
	return t;
}

static void refused(const char *text, int line, int col, const char *says)
{
	struct lab_error err;
	struct topo *t = topo_parse(text, strlen(text), "t.yaml", &err);
	assert_null(t);
	if (!strstr(err.text, says) || err.line != line || err.col != col)
		fail_msg("%d:%d: %s", err.line, err.col, err.text);
}

static struct topo_dhcp_plan plan(const struct topo *t, const char *node)
{
	struct topo_dhcp_plan p[4];
	int n = topo_node_find(t, node);
	assert_int_equal(topo_dhcp_plan(t, n, &t->nodes[n].services[0], p, 4), 1);
	return p[0];
}

static void topo_dhcp__what_a_file_says(void **state)
{
	struct topo *t = parse(HEAD "  nodes:\n    gw: {kind: router, services: {dhcp: {range: 10.0.1.50-10.0.1.59, lease: 10m, "
				    "router: 10.0.1.9, dns: [10.0.1.8, 10.0.1.7], mtu: 1400}}}\n    s: {kind: switch}\n    h: {kind: host, address: dhcp}\n"
				    "    p: {kind: host}\n" LINKS);
	const struct topo_dhcp *d = &t->nodes[0].services[0].dhcp;
	assert_int_equal(d->n_ranges, 1);
	assert_int_equal(d->ranges[0].first, 0x0a000132);
	assert_int_equal(d->ranges[0].last, 0x0a00013b);
	assert_int_equal(d->lease_s, 600);
	assert_int_equal(d->mtu, 1400);
	struct topo_dhcp_plan p = plan(t, "gw");
	assert_int_equal(p.end, 0);
	assert_int_equal(p.router, 0x0a000109);
	assert_int_equal(p.n_dns, 2);
	assert_int_equal(p.dns[1], 0x0a000107);
	assert_true(t->ends[2].asks_dhcp);
	assert_false(t->ends[2].addr.set);
	assert_int_equal(t->ends[4].addr.addr, 0x0a000102); /* automatic numbers go on */
	topo_free(t);
}

static void topo_dhcp__mistakes(void **state)
{
#define NODES(service, h) HEAD "  nodes:\n    gw: {kind: router, services: {dhcp: {" service "}}}\n    s: {kind: switch}\n" \
			       "    h: {" h "}\n    p: {kind: host}\n" LINKS
	refused(NODES("range: 10.0.1.50", "kind: host"), 4, 49, "two addresses such as");
	refused(NODES("range: 10.0.1.60-10.0.1.50", "kind: host"), 4, 49, "must rise");
	refused(NODES("range: 10.0.0.0-10.2.0.0", "kind: host"), 4, 49, "at most 65536");
	refused(NODES("range: 10.0.7.50-10.0.7.60", "kind: host"), 4, 49, "lies in no subnet of node 'gw'");
	refused(NODES("range: 10.0.1.250-10.0.2.3", "kind: host"), 4, 49, "lies in no subnet of node 'gw'");
	refused(NODES("range: 10.0.1.50-10.0.1.60", "kind: host, address: 10.0.1.55/24"), 4, 49, "holds the address of 'h:1'");
	refused(NODES("lease: 5s", "kind: host"), 4, 49, "at least 10s");
	refused(NODES("ranges: 1", "kind: host"), 4, 42, "did you mean 'range'");
	refused(NODES("", "kind: tap, tap: t0, address: dhcp"), 6, 38, "only hosts and routers");
	refused(HEAD "  nodes:\n    gw: {kind: router}\n    s: {kind: switch}\n    h: {kind: host}\n    p: {kind: host}\n  links:\n"
		     "    - {endpoints: [\"gw:1\", \"s:1\"], ipv4: [10.0.1.1/24, dhcp]}\n", 9, 56, "switch has no address");
}

/* Without a range: the longest run of the upper half that is nobody's; only where somebody asks. */
static void topo_dhcp__a_range_is_chosen(void **state)
{
	struct topo *t = parse(HEAD "  nodes:\n    gw: {kind: router, services: {dhcp: {}}}\n    s: {kind: switch}\n"
				    "    h: {kind: host, address: dhcp}\n    p: {kind: host, address: 10.0.1.150/24}\n    q: {kind: host}\n" LINKS
				    "    - {endpoints: [\"gw:2\", \"q:1\"]}\n");
	struct topo_dhcp_plan p = plan(t, "gw");
	assert_int_equal(p.range.first, 0x0a000197);
	assert_int_equal(p.range.last, 0x0a0001fe);
	assert_int_equal(p.router, 0x0a000101);
	assert_int_equal(p.n_dns, 0);
	topo_free(t);
	t = parse(HEAD "  nodes:\n    s: {kind: host, services: {dhcp: {}}}\n    r: {kind: router, services: {dns: {}}}\n  links:\n"
		       "    - {endpoints: [\"s:1\", \"r:1\"], ipv4: [10.0.1.1/30, dhcp]}\n    - {endpoints: [\"r:2\", \"s:2\"]}\n");
	p = plan(t, "s");
	assert_int_equal(p.range.first, 0x0a000102);
	assert_int_equal(p.range.last, 0x0a000102);
	assert_int_equal(p.router, 0); /* its only router has no address there */
	topo_free(t);
}

/* Hosts numbered automatically keep out of a range. */
static void topo_dhcp__numbers_keep_out_of_ranges(void **state)
{
	struct topo *t = parse(HEAD "  nodes:\n    gw: {kind: router, services: {dhcp: {range: 10.0.1.2-10.0.1.9}}}\n    s: {kind: switch}\n"
				    "    h: {kind: host}\n    p: {kind: host}\n" LINKS);
	assert_int_equal(t->ends[2].addr.addr, 0x0a00010a);
	assert_int_equal(t->ends[4].addr.addr, 0x0a00010b);
	topo_free(t);
}

static struct lab *lab_of(const char *text)
{
	struct lab_error err;
	const struct lab_opts o = {.arena_bytes = 4u << 20, .packet_bytes = 64u << 20};
	struct lab *l = lab_load_text(text, strlen(text), "t.yaml", &o, &err);
	if (!l)
		fail_msg("%d:%d: %s", err.line, err.col, err.text);
	return l;
}

static uint32_t address(struct lab *l, const char *node)
{
	struct via_addr a;
	return lab_end_addr(&l->nodes[topo_node_find(l->topo, node)], 0, &a) ? via_addr_to_v4(&a) : 0;
}

static size_t arena(struct lab *l, const char *want)
{
	const char *node;
	size_t used, baseline;
	for (int i = 0; lab_arena_get(l, i, &node, &used, &baseline); i++)
		if (strcmp(node, want) == 0)
			return used;
	return 0;
}

static void lab_dhcp__hosts_get_addresses_and_keep_them(void **state)
{
	struct lab *l = lab_of(HEAD "  nodes:\n    gw: {kind: router, services: {dhcp: {lease: 2m}, dns: {}}}\n    s: {kind: switch}\n"
				    "    h: {kind: host, address: dhcp}\n    p: {kind: host, address: dhcp}\n    far: {kind: host}\n" LINKS
				    "    - {endpoints: [\"gw:2\", \"far:1\"]}\n");
	struct via_addr r;
	assert_int_equal(address(l, "h"), 0);
	assert_true(lab_settle(l));
	assert_true(lab_now(l) < 9 * NS_PER_S);
	uint32_t h = address(l, "h"), p = address(l, "p");
	assert_in_range(h, 0x0a000180, 0x0a0001fe);
	assert_in_range(p, 0x0a000180, 0x0a0001fe);
	assert_int_not_equal(h, p);
	r = lab_node_resolver(l, "h"); /* the name server that the lease names */
	assert_int_equal(via_addr_to_v4(&r), 0x0a000101);
	lab_run(l, 1799 * NS_PER_S, NULL, NULL); /* a minute is half a lease: the same moment, a lease later */
	size_t gw = arena(l, "gw"), host = arena(l, "h");
	lab_run(l, 3599 * NS_PER_S, NULL, NULL);
	assert_int_equal(address(l, "h"), h);
	assert_int_equal(address(l, "p"), p);
	assert_int_equal(arena(l, "gw"), gw);
	assert_int_equal(arena(l, "h"), host);
	lab_free(l);
}

/* The same seed gives the same run; an idle lab does nothing but renew. */
static void lab_dhcp__runs_are_replayed(void **state)
{
	static const char text[] = HEAD "  nodes:\n    gw: {kind: router, services: {dhcp: {}}}\n    s: {kind: switch}\n"
					"    h: {kind: host, address: dhcp}\n    p: {kind: host, address: dhcp}\n" LINKS;
	uint64_t hash[2];
	for (int i = 0; i < 2; i++) {
		struct lab_error err;
		struct lab *l = lab_load_text(text, strlen(text), "t.yaml",
					      &(struct lab_opts){.arena_bytes = 4u << 20, .packet_bytes = 64u << 20, .trace_hash = true}, &err);
		assert_non_null(l);
		lab_run(l, 5000 * NS_PER_S, NULL, NULL);
		hash[i] = lab_trace_hash(l);
		lab_free(l);
	}
	assert_true(hash[0] == hash[1]);
}

/* A router may ask, too: its default route is what it is told. */
static void lab_dhcp__a_router_asks(void **state)
{
	struct lab *l = lab_of(HEAD "  nodes:\n    isp: {kind: router, services: {dhcp: {}}}\n    home: {kind: router}\n"
				    "    h: {kind: host}\n  links:\n    - {endpoints: [\"isp:1\", \"home:1\"], ipv4: [10.9.0.1/24, dhcp]}\n"
				    "    - {endpoints: [\"home:2\", \"h:1\"]}\n");
	struct via_route_info r = {.size = sizeof r};
	bool found = false;
	assert_true(lab_settle(l));
	for (int n = 0; via_route_get(lab_node(l, "home")->stack, n, &r); n++)
		found |= r.plen == 0 && via_addr_to_v4(&r.gateway) == 0x0a090001;
	assert_true(found);
	assert_in_range(address(l, "home"), 0x0a090080, 0x0a0900fe);
	lab_free(l);
}

/* Nobody answers: said, not hung on; and the lab can be left at any moment. */
static void lab_dhcp__nobody_answers(void **state)
{
	struct lab *l = lab_of(HEAD "  nodes:\n    gw: {kind: router}\n    s: {kind: switch}\n    h: {kind: host, address: dhcp}\n"
				    "    p: {kind: host}\n" LINKS);
	assert_false(lab_settle(l));
	assert_int_equal(lab_now(l), 30 * NS_PER_S);
	assert_int_equal(address(l, "h"), 0);
	lab_free(l);
}

/* Names of hosts that ask come and go with their leases. */
static void lab_dhcp__names_follow_leases(void **state)
{
	struct lab *l = lab_of(HEAD "  nodes:\n    gw: {kind: router, services: {dhcp: {lease: 2m}, dns: {}}}\n    s: {kind: switch}\n"
				    "    h: {kind: host, address: dhcp}\n    p: {kind: host}\n" LINKS);
	struct via_addr a;
	char err[256];
	assert_false(lab_names_get(l->names, "h", &a));
	assert_true(lab_settle(l));
	assert_true(lab_names_get(l->names, "h", &a));
	assert_int_equal(via_addr_to_v4(&a), address(l, "h"));
	assert_int_equal(lab_link_change(l, "h-s", "down", false, err), 0);
	lab_run(l, 200 * NS_PER_S, NULL, NULL);
	assert_int_equal(address(l, "h"), 0);
	assert_false(lab_names_get(l->names, "h", &a));
	lab_free(l);
}

static void topo_dns__what_a_file_says(void **state)
{
	struct topo *t = parse(HEAD "  nodes:\n    gw:\n      kind: router\n      services:\n        dns:\n"
				    "          forward: [10.0.0.9, \"10.0.0.8:54\"]\n"
				    "          records: [{name: www, cname: h}, {name: lab, mx: h, preference: 5}, {name: h, txt: hello},\n"
				    "            {name: x, address: \"2001:db8::1\"}]\n"
				    "    s: {kind: switch}\n    h: {kind: host}\n    p: {kind: host}\n" LINKS);
	const struct topo_service *s = &t->nodes[0].services[0];
	assert_int_equal(s->n_forward, 2);
	assert_int_equal(s->forward[0].port, 53);
	assert_int_equal(s->forward[1].port, 54);
	assert_int_equal(s->n_records, 4);
	assert_string_equal(s->records[0].text, "h");
	assert_int_equal(s->records[1].preference, 5);
	assert_false(via_addr_is_v4(&s->records[3].addr));
	topo_free(t);
#define DNS(keys) HEAD "  nodes:\n    gw: {kind: router, services: {dns: {" keys "}}}\n    s: {kind: switch}\n    h: {kind: host}\n" \
		       "    p: {kind: host}\n" LINKS
	refused(DNS("forward: nowhere"), 4, 50, "no ADDRESS or ADDRESS:PORT");
	refused(DNS("records: {}"), 4, 50, "records is a list");
	refused(DNS("records: [{name: a}]"), 4, 51, "one of address, cname, mx and txt");
	refused(DNS("records: [{name: a, cname: b, txt: c}]"), 4, 51, "one of address, cname, mx and txt");
	refused(DNS("records: [{name: a..b, cname: b}]"), 4, 58, "'a..b' is no name");
	refused(DNS("records: [{name: a, address: b}]"), 4, 70, "'b' is no address");
	refused(DNS("records: [{name: a, cname: b, preference: 1}]"), 4, 83, "an mx record's");
	refused(DNS("records: [{name: h, cname: p}]"), 4, 51, "an alias, and something else");
	refused(DNS("records: [{name: a, cname: p}, {name: A, txt: p}]"), 4, 51, "an alias, and something else");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(topo_dhcp__what_a_file_says),
		cmocka_unit_test(topo_dhcp__mistakes),
		cmocka_unit_test(topo_dhcp__a_range_is_chosen),
		cmocka_unit_test(topo_dhcp__numbers_keep_out_of_ranges),
		cmocka_unit_test(lab_dhcp__hosts_get_addresses_and_keep_them),
		cmocka_unit_test(lab_dhcp__runs_are_replayed),
		cmocka_unit_test(lab_dhcp__a_router_asks),
		cmocka_unit_test(lab_dhcp__nobody_answers),
		cmocka_unit_test(lab_dhcp__names_follow_leases),
		cmocka_unit_test(topo_dns__what_a_file_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
