/* lab/: the keys nat and filter of a topology file, where the ways lead then, and rules as text and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "lab/rule_text.h"
#include "lab/state.h"
#include <stdio.h>
#include <string.h>

#define LINKS \
	"  links:\n    - {endpoints: [\"in:e\", \"gate:eth1\"], ipv4: [192.168.1.2/24, 192.168.1.1/24]}\n" \
	"    - {endpoints: [\"gate:eth2\", \"out:e\"], ipv4: [203.0.113.2/24, 203.0.113.9/24]}\n"
#define LAB(gate) \
	"name: t\ntopology:\n  nodes:\n    in: {kind: host}\n    out: {kind: host}\n    gate:\n      kind: router\n" gate LINKS

static struct lab *load(const char *text)
{
	struct lab_error err;
	struct lab *l = lab_load_text(text, strlen(text), "t.yaml", &(struct lab_opts){.arena_bytes = 32u << 20}, &err);
	if (!l)
		fail_msg("%d:%d: %s", err.line, err.col, err.text);
	return l;
}

/* The texts of a list of rules, a line each. */
static char *rules(struct lab *l, const char *key, char out[2048])
{
	json_t *o = lab_filter(l, "gate"), *r;
	size_t i, n = 0;
	out[0] = 0;
	json_array_foreach(json_object_get(o, key), i, r)
		n += (size_t)snprintf(out + n, 2048 - n, "%s\n", json_string_value(json_object_get(r, "rule")));
	json_decref(o);
	return out;
}

static void nat__words(void **state)
{
	char out[2048];
	struct lab *l = load(LAB("      nat: eth2\n"));
	assert_string_equal(rules(l, "nat", out), "-A POSTROUTING -o eth2 -j MASQUERADE\n");
	lab_free(l);
	l = load(LAB("      nat: {out: eth2, src: 192.168.0.0/16, forwards: [tcp 8080 -> in:80, udp 5000-5010 -> 192.168.1.2]}\n"));
	assert_string_equal(rules(l, "nat", out), "-A POSTROUTING -s 192.168.0.0/16 -o eth2 -j MASQUERADE\n"
		"-A PREROUTING -i eth2 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 192.168.1.2:80\n"
		"-A PREROUTING -i eth2 -p udp -m udp --dport 5000:5010 -j DNAT --to-destination 192.168.1.2:5000-5010\n");
	lab_free(l);
	l = load(LAB("      nat: {out: eth2, filtering: endpoint-independent}\n"));
	struct via_nat_info i = {.size = sizeof i};
	assert_true(via_nat_get(lab_node(l, "gate")->stack, 0, &i) && i.rule.filtering == VIA_NAT_ENDPOINT_INDEPENDENT);
	assert_false(via_nat_get(lab_node(l, "gate")->stack, 1, &i));
	lab_free(l);
}

static void filter__words(void **state)
{
	static const char want[] = "-P INPUT DROP\n-P FORWARD ACCEPT\n-P OUTPUT ACCEPT\n-A INPUT -s 10.0.0.0/8 -i eth1 -j ACCEPT\n"
		"-A FORWARD ! -i eth1 -p tcp -m tcp --dport 25 -j REJECT --reject-with tcp-reset\n";
	char out[2048];
	struct lab *l = load(LAB("      filter:\n        - -P INPUT DROP\n        - -A INPUT -s 10.0.0.0/8 -i eth1 -j ACCEPT\n"
		"        - -A FORWARD ! -i eth1 -p tcp --dport 25 -j REJECT --reject-with tcp-reset\n"));
	assert_string_equal(rules(l, "filter", out), want);
	lab_free(l);
	l = load(LAB("      filter: |\n        # mail only from inside\n        -P INPUT DROP\n\n"
		"        -A INPUT -s 10.0.0.0/8 -i eth1 -j ACCEPT\n"
		"        -A FORWARD ! -i eth1 -p tcp --dport 25 -j REJECT --reject-with tcp-reset\n"));
	assert_string_equal(rules(l, "filter", out), want);
	lab_free(l);
	l = load(LAB("      filter: []\n"));
	assert_string_equal(rules(l, "filter", out), "");
	assert_null(lab_filter(l, "nobody"));
	lab_free(l);
}

/* What stands at the router, and the mistake. */
static const struct {
	const char *text;
	int line, col;
	const char *says;
} mistakes[] = {
	{LAB("      nat: {forwards: [tcp 80 -> in]}\n"), 8, 12, "nat needs 'out', the interface that it hides behind, such as eth2"},
	{LAB("      nat: eth3\n"), 8, 12, "node 'gate' has no interface 'eth3', did you mean 'eth1'?"},
	{LAB("      nat: lo\n"), 8, 12, "node 'gate' has no interface 'lo'"},
	{LAB("      nat: interface-of-the-provider\n"), 8, 12, "no interface has a name longer than 15 letters"},
	{LAB("      nat: {out: eth2, forward: []}\n"), 8, 24, "unknown key 'forward' in nat, did you mean 'forwards'?"},
	{LAB("      nat: {out: eth2, filtering: none}\n"), 8, 35,
	 "filtering is address-and-port-dependent (who was sent to may answer) or endpoint-independent (anybody may), not 'none'"},
	{LAB("      nat: {out: eth2, forwards: [tcp 80 => in]}\n"), 8, 42, "forward: '=>': '->' and who gets it must follow the port"},
	{LAB("      nat: {out: eth2, forwards: [tcp 80 -> nobody:80]}\n"), 8, 35, "forward: there is no node 'nobody'"},
	{LAB("      nat: {out: eth2, forwards: [tcp 80 -> in:x]}\n"), 8, 45, "forward: 'in:x' must be an inner ADDRESS or ADDRESS:PORT"},
	{LAB("      nat: {out: eth2, forwards: [tcp 80 -> in:80 now]}\n"), 8, 51, "forward: 'now': nothing follows the inner address"},
	{LAB("      nat: {out: eth2, forwards: [tcp 0 -> in:80]}\n"), 8, 39,
	 "forward: '0' must be a port from 1 to 65535, or a range such as 5000-5010"},
	{LAB("      nat: {out: eth2, forwards: [tcp 80-90 -> in, tcp 85 -> in]}\n"), 8, 52,
	 "forward: port 85 leads elsewhere already (line 8)"},
	{LAB("      filter: -A FORWARD -p tcp --dprt 80 -j DROP\n"), 8, 33, "filter: '--dprt' is no option of a rule; doc/lab.md lists them"},
	{LAB("      filter:\n        - -P INPUT DROP\n        - \"-A FORWRD -j DROP\"\n"), 10, 15,
	 "filter: 'FORWRD': chains are INPUT, FORWARD and OUTPUT"},
	{LAB("      filter: |\n        # one\n\n        -P INPUT DROP\n        -A INPUT -j DENY\n"), 12, 1,
	 "filter: 'DENY': targets are ACCEPT, DROP and REJECT"},
	{LAB("      filter: -A INPUT --dport 80 -j DROP\n"), 8, 15, "filter: --sport and --dport need -p tcp or -p udp"},
	{LAB("      filter: -A FORWARD -i eth12 -j DROP\n"), 8, 15, "node 'gate' has no interface 'eth12', did you mean 'eth1'?"},
	{LAB("      filter: {a: b}\n"), 8, 15, "filter is a word, not a mapping"},
	{"name: t\ntopology:\n  nodes:\n    a: {kind: host, nat: eth1}\n", 4, 26, "a host has no 'nat'"},
	{"name: t\ntopology:\n  nodes:\n    a: {kind: switch, filter: []}\n", 4, 31, "a switch has no 'filter'"},
	{"name: t\ntopology:\n  nodes:\n    a: {kind: nat}\n", 4, 15,
	 "a NAT is a router with the key 'nat', the interface that it hides behind: {kind: router, nat: eth2}"},
};

static void filter__mistakes(void **state)
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

static void on_route(void *ctx, int node, const struct topo_path *p)
{
	((int *)ctx)[node]++;
}

/* Routes that each node gets by computation: in, out, gate. */
static void count_routes(const char *text, int n[3])
{
	struct lab_error err;
	struct topo *t = topo_parse(text, strlen(text), "t.yaml", &err);
	assert_non_null(t);
	memset(n, 0, 3 * sizeof *n);
	assert_int_equal(topo_routes(t, on_route, n), 0);
	topo_free(t);
}

static void nat__outside_knows_no_way_in(void **state)
{
	int n[3];
	count_routes(LAB(""), n);
	assert_true(n[0] == 1 && n[1] == 1);
	count_routes(LAB("      nat: eth2\n"), n);
	assert_true(n[0] == 1 && n[1] == 0);
	count_routes(LAB("      nat: eth1\n"), n);
	assert_true(n[0] == 0 && n[1] == 1);
}

/* --- text and back --- */

/* A word of a rule that iptables would take, by luck; several make a rule, good or not. */
static const char *const words[] = {"-i eth1", "! -i eth1", "-o eth2", "-s 10.0.0.0/8", "! -d 192.0.2.1", "-s 2001:db8::/32", "-p tcp",
	"-p udp", "! -p udp", "-p icmp", "-p 47", "-p ipv6-icmp", "--dport 80", "! --sport 1000:2000", "--dport :99", "--syn", "! --syn",
	"--tcp-flags SYN,ACK NONE", "--tcp-flags ALL FIN,URG", "--icmp-type echo-request", "--icmp-type 3/4", "! --icmp-type 5",
	"-m conntrack --ctstate NEW", "-m state ! --state RELATED,ESTABLISHED", "--ctstate DNAT,INVALID,UNTRACKED,SNAT",
	"--limit 3/minute", "--limit 10/s --limit-burst 7", "--limit 86400/day", "--limit 1/hour", "-j ACCEPT", "-j DROP", "-j REJECT",
	"-j REJECT --reject-with tcp-reset", "-j REJECT --reject-with icmp-host-prohibited"};

static void rule_text__reads_back(void **state)
{
	static const char *const chains[] = {"INPUT", "FORWARD", "OUTPUT"};
	struct rng r;
	int good = 0;
	rng_seed(&r, 7);
	for (int i = 0; i < 60000; i++) {
		char text[RULE_TEXT_MAX], again[RULE_TEXT_MAX], third[RULE_TEXT_MAX];
		size_t n = (size_t)snprintf(text, sizeof text, "-A %s", chains[rng_below(&r, 3)]);
		for (uint64_t k = rng_below(&r, 6); k; k--)
			n += (size_t)snprintf(text + n, sizeof text - n, " %s", words[rng_below(&r, ARRAY_LEN(words))]);
		struct via_filter_rule a, b;
		struct via_filter_error e;
		int kind;
		if (via_filter_parse(text, &kind, &a, &e)) {
			assert_true(e.what[0] && e.at + e.len <= strlen(text));
			continue;
		}
		good++;
		rule_text(&a, false, again);
		if (via_filter_parse(again, &kind, &b, &e))
			fail_msg("'%s' became '%s': %.*s: %s", text, again, (int)e.len, again + e.at, e.what);
		if (memcmp(&a, &b, sizeof a) != 0)
			fail_msg("'%s' became '%s', which is another", text, again);
		assert_string_equal(rule_text(&b, false, third), again);
	}
	assert_true(good > 5000);
}

static void rule_text__a_policy(void **state)
{
	struct via_filter_rule a;
	struct via_filter_error e;
	int kind;
	char text[RULE_TEXT_MAX];
	assert_int_equal(via_filter_parse("-P FORWARD DROP", &kind, &a, &e), 0);
	assert_string_equal(rule_text(&a, true, text), "-P FORWARD DROP");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nat__words),
		cmocka_unit_test(filter__words),
		cmocka_unit_test(filter__mistakes),
		cmocka_unit_test(nat__outside_knows_no_way_in),
		cmocka_unit_test(rule_text__reads_back),
		cmocka_unit_test(rule_text__a_policy),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
