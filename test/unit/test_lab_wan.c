/* lab/topo_wan.c, topo_route.c: wan nodes of a topology in both families: the words of their keys, where forwards lead, the ways out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lab/state.h"
#include <stdio.h>

static const char head[] = "name: t\n%stopology:\n  nodes:\n    a: {kind: host}\n    r: {kind: router}\n    w: {kind: wan, %s}\n"
			   "    b: {kind: host}\n    c: {kind: host}\n  links:\n    - endpoints: ['w:1', 'r:1']\n    - endpoints: ['r:2', 'a:1']\n"
			   "    - endpoints: ['w:2', 'b:1']\n    - endpoints: ['r:3', 'c:1']\n      %s\n";

/* NULL with err. */
static struct topo *parse(const char *top, const char *keys, const char *link, struct lab_error *err)
{
	char text[1200];
	snprintf(text, sizeof text, head, top, keys, link);
	return topo_parse(text, strlen(text), "t.yaml", err);
}

static struct topo *good(const char *top, const char *keys, const char *link)
{
	struct lab_error err;
	struct topo *t = parse(top, keys, link, &err);
	if (!t)
		fail_msg("%s: %s", keys, err.text);
	return t;
}

static const char *name(const struct via_addr *a)
{
	static char text[VIA_ADDR_STRLEN];
	return via_addr_format(a, text);
}

static void wan__keys_have_both_families(void **state)
{
	struct topo *t = good("", "loopback: '2001:db8::7,203.0.113.7', dns: '[2001:db8::53]:5353'", "");
	const struct topo_wan *w = &t->nodes[2].wan;
	assert_string_equal(name(&w->loopback[0]), "203.0.113.7");
	assert_string_equal(name(&w->loopback[1]), "2001:db8::7");
	assert_string_equal(name(&w->dns.addr), "2001:db8::53");
	assert_int_equal(w->dns.port, 5353);
	topo_free(t);
	static const struct { const char *dns, *addr; int port; } dns[] = {
		{"'2001:db8::53'", "2001:db8::53", 53}, {"1.2.3.4", "1.2.3.4", 53}, {"'1.2.3.4:99'", "1.2.3.4", 99},
		{"'fe80::1%2'", "fe80::1%2", 53},
	};
	for (size_t i = 0; i < ARRAY_LEN(dns); i++) {
		char keys[80];
		snprintf(keys, sizeof keys, "dns: %s", dns[i].dns);
		t = good("", keys, "");
		assert_string_equal(name(&t->nodes[2].wan.dns.addr), dns[i].addr);
		assert_int_equal(t->nodes[2].wan.dns.port, dns[i].port);
		topo_free(t);
	}
}

#define NO_LOOPBACK "loopback must be an address by which the hosts find the machine's 127.0.0.1 or ::1, such as 203.0.113.7 or 2001:db8::7"
#define NO_DNS " is no ADDRESS or ADDRESS:PORT of a name server ([ADDRESS]:PORT in IPv6)"
#define NO_FORWARD " must be HOSTPORT:PORT, such as 8080:80, or ADDRESS/HOSTPORT:NODE:PORT"

static void wan__mistakes_are_told(void **state)
{
	static const struct { const char *keys, *says; } mistakes[] = {
		{"loopback: '::1'", NO_LOOPBACK},
		{"loopback: 127.0.0.5", NO_LOOPBACK},
		{"loopback: 'fe80::7'", NO_LOOPBACK},
		{"loopback: '10.0.2.2,10.0.2.3'", "loopback may be one address of each family"},
		{"loopback: '10.0.2.2,'", NULL},
		{"loopback: '10.0.2.2,nobody'",
		 "loopback must be an address, or one of IPv4 and one of IPv6: '203.0.113.7,2001:db8::7', not 'nobody'"},
		{"dns: '[1.2.3.4]:53'", "dns '[1.2.3.4]:53'" NO_DNS},
		{"dns: '[2001:db8::1]'", "dns '[2001:db8::1]'" NO_DNS},
		{"dns: ':53'", "dns ':53'" NO_DNS},
		{"tcp: '[::1]8080:80'", "tcp '[::1]8080:80'" NO_FORWARD},
		{"tcp: '[::1'", "tcp '[::1'" NO_FORWARD},
		{"tcp: '[::1]'", "tcp '[::1]'" NO_FORWARD},
		{"tcp: '8080:[]:80'", "'[]' is no node with an address"},
	};
	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
		struct lab_error err;
		struct topo *t = parse("", mistakes[i].keys, "", &err);
		if (!mistakes[i].says)
			assert_non_null(t);
		else
			assert_null(t);
		if (mistakes[i].says)
			assert_string_equal(err.text, mistakes[i].says);
		topo_free(t);
	}
}

/* Where a forward listens, and where it leads: in the family it listens in, if the guest has that. */
static void wan__forwards_lead_by_family(void **state)
{
	static const struct { const char *top, *tcp, *host; int port; const char *guest; bool is_v6; } cases[] = {
		{"", "'8080:80'", "127.0.0.1", 8080, "r:1", false},
		{"", "'::1/8080:80'", "::1", 8080, "r:1", false}, /* it has no IPv6 */
		{"ipv6: true\n", "'::1/8080:80'", "::1", 8080, "r:1", true},
		{"ipv6: true\n", "'[::]:8080:80'", "::", 8080, "r:1", true},
		{"ipv6: true\n", "'0.0.0.0/8080:80'", "0.0.0.0", 8080, "r:1", false},
		{"ipv6: true\n", "'[::1]/8080:a:80'", "::1", 8080, "a:1", true},
		{"ipv6: true\n", "'8080:a:80'", "127.0.0.1", 8080, "a:1", false},
		{"ipv6: true\n", "'8080:[fd00:9::2]:80'", "127.0.0.1", 8080, "fd00:9::2", true},
		{"ipv6: true\n", "'8080:fd00:9::2:80'", "127.0.0.1", 8080, "fd00:9::2", true},
		{"ipv6: true\n", "'[2001:db8::1]:8080:10.9.9.9:80'", "2001:db8::1", 8080, "10.9.9.9", false},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char keys[80], text[TOPO_END_NAME];
		struct via_addr to;
		bool is_v6;
		int end;
		snprintf(keys, sizeof keys, "tcp: %s", cases[i].tcp);
		struct topo *t = good(cases[i].top, keys, "");
		const struct topo_forward *f = &t->nodes[2].wan.forwards[0];
		assert_string_equal(name(&f->host.addr), cases[i].host);
		assert_int_equal(f->host.port, cases[i].port);
		assert_int_equal(f->port, 80);
		assert_int_equal(topo_forward_guest(t, 2, f, &end, &is_v6, &to), 0);
		if (end >= 0)
			topo_end_name(t, end, text);
		assert_string_equal(end >= 0 ? text : name(&to), cases[i].guest);
		if (end >= 0)
			assert_int_equal(is_v6, cases[i].is_v6);
		topo_free(t);
	}
}

struct told {
	const struct topo *t;
	char text[1000];
};

static void on_route(void *ctx, int node, const struct topo_path *p)
{
	struct told *s = ctx;
	char to[VIA_ADDR_STRLEN], via[VIA_ADDR_STRLEN];
	size_t len = strlen(s->text);
	if (!via_addr_is_v4(&p->hops[0].gateway))
		snprintf(s->text + len, sizeof s->text - len, "%s %s/%u %s\n", s->t->nodes[node].name, via_addr_format(&p->net, to), p->plen,
			 via_addr_format(&p->hops[0].gateway, via));
}

/* The router's default and that of the host with nothing but the wan beside it lead to the wan; others are told theirs by their router;
 * the wan has a way to all subnets (its own one, :3, may lie in a merged prefix: its own route is longer). */
static void wan__is_the_way_out_in_ipv6(void **state)
{
	struct topo *t = good("ipv6: true\n", "mtu: 1500", "");
	struct told s = {.t = t};
	assert_int_equal(topo_routes(t, on_route, &s), 0);
	assert_string_equal(s.text, "r ::/0 fd00:0:0:1::1\n"
			    "w fd00:0:0:2::/63 fd00:0:0:1::2\n"
			    "w fd00:0:0:4::/64 fd00:0:0:1::2\n"
			    "b ::/0 fd00:0:0:3::1\n");
	topo_free(t);
	t = good("", "mtu: 1500", "ipv6: ['fd09::1/64', ~]"); /* the wan has no IPv6: no way leads there */
	s = (struct told){.t = t};
	assert_int_equal(topo_routes(t, on_route, &s), 0);
	assert_string_equal(s.text, "");
	topo_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wan__keys_have_both_families), cmocka_unit_test(wan__mistakes_are_told),
		cmocka_unit_test(wan__forwards_lead_by_family), cmocka_unit_test(wan__is_the_way_out_in_ipv6),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
