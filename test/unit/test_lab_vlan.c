/* lab/: VLANs in topology files: the keys vlans and ports, which interfaces share a subnet then, and what a switch drops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lab/state.h"
#include <stdio.h>
#include <string.h>

#define HEAD "name: v\ntopology:\n  nodes:\n"
#define TWO(s1, s2) \
	HEAD "    a: {kind: host}\n    b: {kind: host}\n    c: {kind: host, vlans: {e.10: ~, e.20: ~}}\n" \
	"    s1: {kind: switch" s1 "}\n    s2: {kind: switch" s2 "}\n" \
	"  links:\n    - {endpoints: [\"a:e\", \"s1:1\"]}\n    - {endpoints: [\"b:e\", \"s2:1\"], mtu: 4000}\n" \
	"    - {endpoints: [\"s1:t\", \"s2:t\"], mtu: 9000}\n    - {endpoints: [\"c:e\", \"s1:c\"], mtu: 9000}\n"

static struct topo *parse(const char *text)
{
	struct lab_error err;
	struct topo *t = topo_parse(text, strlen(text), "t.yaml", &err);
	if (!t)
		fail_msg("%d:%d: %s", err.line, err.col, err.text);
	return t;
}

/* The subnet of the node's interface; -1: it has none, or stands in one alone without an address. */
static int domain_of(const struct topo *t, const char *node, const char *ifname)
{
	for (int e = 0; e < t->n_ends; e++)
		if (strcmp(t->nodes[t->ends[e].node].name, node) == 0 && strcmp(t->ends[e].ifname, ifname) == 0)
			return t->ends[e].addr.set ? t->ends[e].domain : -1;
	fail_msg("no %s:%s", node, ifname);
	return -1;
}

static void vlans__make_subnets(void **state)
{
	struct topo *t = parse(TWO(", ports: {1: 10, t: trunk, c: trunk}", ", ports: {1: 10, t: {trunk: [10, 20]}}"));
	int a = domain_of(t, "a", "e"), b = domain_of(t, "b", "e"), c10 = domain_of(t, "c", "e.10"), c20 = domain_of(t, "c", "e.20");
	assert_true(a >= 0 && a == b && a == c10 && c20 >= 0 && c20 != a);
	assert_int_equal(domain_of(t, "c", "e"), -1); /* only its VLANs have addresses */
	assert_int_equal(t->domains[a].mtu, 1500);
	assert_int_equal(t->domains[c20].mtu, 9000); /* of VLAN 20 nobody has a port */
	assert_int_equal(t->n_ends, 10);
	topo_free(t);
	t = parse(TWO(", ports: {1: 10, t: trunk, c: trunk}", ", ports: {1: 20, t: {trunk: 10}}")); /* the trunk's other end has no 20 */
	assert_int_not_equal(domain_of(t, "b", "e"), domain_of(t, "c", "e.20"));
	assert_int_not_equal(domain_of(t, "b", "e"), domain_of(t, "a", "e"));
	topo_free(t);
	t = parse(TWO(", ports: {1: 10, t: {trunk: all, native: 20}, c: trunk}", ", ports: {1: 30, t: 30}")); /* native 20 is an access 30 */
	assert_int_equal(domain_of(t, "b", "e"), domain_of(t, "c", "e.20"));
	assert_int_equal(domain_of(t, "a", "e"), domain_of(t, "c", "e.10"));
	topo_free(t);
	t = parse(TWO(", ports: {c: trunk}", "")); /* ports that are not named are of VLAN 1; s2 minds no VLANs */
	assert_int_equal(domain_of(t, "a", "e"), domain_of(t, "b", "e"));
	assert_int_not_equal(domain_of(t, "a", "e"), domain_of(t, "c", "e.10"));
	topo_free(t);
	t = parse(HEAD "    a: {kind: host, vlans: {e.7: ~}}\n    b: {kind: host, vlans: {e.7: 10.7.0.1/24, e.8: ~}}\n    s: {kind: switch}\n"
		"  links: [{endpoints: [\"a:e\", \"s:1\"]}, {endpoints: [\"b:e\", \"s:2\"], ipv4: [10.9.0.1/24, ~]}]\n");
	assert_int_equal(domain_of(t, "a", "e.7"), domain_of(t, "b", "e.7")); /* such a switch lets tags pass */
	assert_true(domain_of(t, "b", "e.8") >= 0 && domain_of(t, "b", "e") >= 0);
	topo_free(t);
}

static const struct {
	const char *text;
	int line, col;
	const char *says;
} mistakes[] = {
	{HEAD "    a: {kind: host, vlans: [e.7]}\n", 4, 28,
	 "vlans is a mapping of VLAN interfaces to addresses, such as {eth1.10: 10.10.0.1/24, eth1.20: ~}"},
	{HEAD "    a: {kind: host, vlans: {eth1: ~}}\n", 4, 29,
	 "'eth1' is no VLAN interface: INTERFACE.VLAN, such as eth1.10, with a VLAN from 1 to 4094 and at most 15 letters"},
	{HEAD "    a: {kind: host, vlans: {eth1.4095: ~}}\n", 4, 29,
	 "'eth1.4095' is no VLAN interface: INTERFACE.VLAN, such as eth1.10, with a VLAN from 1 to 4094 and at most 15 letters"},
	{HEAD "    a: {kind: host, vlans: {eth1.10x: ~}}\n", 4, 29,
	 "'eth1.10x' is no VLAN interface: INTERFACE.VLAN, such as eth1.10, with a VLAN from 1 to 4094 and at most 15 letters"},
	{HEAD "    a: {kind: host, vlans: {eth1.10: 10.0.0.1}}\n", 4, 38,
	 "eth1.10 is '10.0.0.1', but must be an IPv4 address with a prefix length such as 10.0.1.1/24"},
	{HEAD "    a: {kind: host, vlans: {eth1.10: ~, eth1.10: ~}}\n", 4, 41, "interface 'eth1.10' is given twice"},
	{HEAD "    a: {kind: host, vlans: {eth1.10: ~}}\n", 4, 29, "node 'a' has no interface 'eth1'"},
	{HEAD "    a: {kind: switch, vlans: {}}\n", 4, 30, "a switch has no 'vlans'"},
	{HEAD "    a: {kind: host, ports: {}}\n", 4, 28, "a host has no 'ports'"},
	{HEAD "    a: {kind: switch, ports: {1: 0}}\n", 4, 34, "1 is '0', but must be a whole number from 1 to 4094"},
	{HEAD "    a: {kind: switch, ports: {1: {native: 3}}}\n", 4, 34, "a port is a VLAN's number, trunk, or {trunk: [10, 20], native: 30}"},
	{HEAD "    a: {kind: switch, ports: {1: {trunk: [3], native: 3}}}\n", 4, 55, "VLAN 3 cannot be native and tagged at one port"},
	{HEAD "    a: {kind: switch, ports: {1: {trunk: [x]}}}\n", 4, 43, "trunk is 'x', but must be a whole number from 1 to 4094"},
	{HEAD "    a: {kind: switch, ports: {p9: 3}}\n", 4, 31, "node 'a' has no interface 'p9'"},
};

static void vlans__mistakes(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
		struct lab_error err;
		struct topo *t = topo_parse(mistakes[i].text, strlen(mistakes[i].text), "t.yaml", &err);
		if (t)
			fail_msg("no mistake in:\n%s", mistakes[i].text);
		assert_string_equal(err.text, mistakes[i].says);
		if (err.line != mistakes[i].line || err.col != mistakes[i].col)
			fail_msg("%d:%d instead of %d:%d: %s", err.line, err.col, mistakes[i].line, mistakes[i].col, err.text);
	}
}

/* Hosts with tags that the switch's port does not have are heard by nobody, and it says why. */
static void switch__tells_what_it_drops(void **state)
{
	static const char text[] = HEAD "    a: {kind: host, vlans: {e.7: 10.6.0.1/24}}\n    b: {kind: host, vlans: {e.7: 10.7.0.2/24}}\n"
		"    s: {kind: switch, ports: {1: trunk, 2: {trunk: 8}}}\n"
		"  links: [{endpoints: [\"a:e\", \"s:1\"]}, {endpoints: [\"b:e\", \"s:2\"]}]\n";
	struct lab_error err;
	struct lab *l = lab_load_text(text, strlen(text), "t.yaml", &(struct lab_opts){.arena_bytes = 32u << 20}, &err);
	if (!l)
		fail_msg("%d:%d: %s", err.line, err.col, err.text);
	struct via *b = lab_node(l, "b")->stack;
	struct via_sockaddr to = {.port = 9, .addr = via_addr_v4(0x0a070001)};
	via_sock s;
	assert_int_equal(via_open(b, VIA_DGRAM, 0, &s), 0);
	assert_int_equal(via_sendto(b, s, "x", 1, 0, &to), 1);
	lab_node(l, "b")->touched(lab_node(l, "b"));
	lab_run(l, 5 * NS_PER_S, NULL, NULL);
	json_t *o = lab_inspect(l), *node, *drops = NULL, *all;
	size_t i;
	json_array_foreach(json_object_get(o, "nodes"), i, node)
		if (strcmp(json_string_value(json_object_get(node, "name")), "s") == 0)
			drops = json_object_get(node, "drops");
	assert_true(json_integer_value(json_object_get(drops, "eth.vlan")) >= 3);
	all = lab_drops(l);
	assert_true(json_array_size(all) >= 1);
	json_decref(all);
	json_decref(o);
	via_close(b, s);
	lab_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vlans__make_subnets),
		cmocka_unit_test(vlans__mistakes),
		cmocka_unit_test(switch__tells_what_it_drops),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
