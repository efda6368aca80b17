/* lab/yaml.c, lab/topo_yaml.c, lab/topo.c: what a topology file may say, and the sentence, line and column of each mistake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "lab/topo.h"
#include "lab/yaml.h"

static struct topo *parse(const char *text, struct lab_error *err)
{
	return topo_parse(text, strlen(text), "dir/t.yaml", err);
}

static const char head[] = "name: t\ntopology:\n";

static void topo__reads_everything(void **state)
{
	struct lab_error err;
	struct topo *t = parse("name: all\nseed: 77\ntopology:\n  nodes:\n"
			       "    h1: {kind: host, address: 10.9.0.2/24, services: {http: {root: /, port: 8080}, echo: {}}}\n"
			       "    r1: {kind: router, mtu: 9000, icmp: off}\n"
			       "    r2:\n      kind: router\n      sysctl: {net.ipv4.tcp_rmem: 4096 16384 32768, ip_default_ttl: 9}\n"
			       "      routes:\n        - {to: default, via: 10.0.1.1}\n"
			       "    x: {kind: tap, tap: tap0}\n"
			       "  links:\n"
			       "    - endpoints: [\"h1:eth0\", \"r1:eth1\"]\n      ipv4: [~, 10.9.0.1/24]\n"
			       "    - endpoints: [\"r1:eth2\", \"r2:eth1\"]\n      mtu: 1400\n"
			       "      impairments: {delay: 5ms, jitter: 0.5ms, loss: 1.5%, rate: 2.5mbit, limit: 50, b-to-a: {delay: 7us, loss: 0}}\n"
			       "    - endpoints: [\"r2:eth2\", \"x:p\"]\n", &err);
	assert_non_null(t);
	assert_string_equal(t->name, "all");
	assert_int_equal(t->seed, 77);
	assert_int_equal(t->n_nodes, 4);
	assert_int_equal(t->nodes[0].n_services, 2);
	assert_int_equal(t->nodes[0].services[0].port, 8080);
	assert_int_equal(t->nodes[0].services[1].port, 7);
	assert_string_equal(t->nodes[3].tap, "tap0");
	assert_true(t->nodes[1].no_icmp);
	assert_false(t->nodes[2].no_icmp);
	assert_int_equal(t->nodes[2].n_sysctls, 2);
	assert_string_equal(t->nodes[2].sysctls[0].name, "tcp_rmem");
	assert_string_equal(t->nodes[2].sysctls[0].value, "4096 16384 32768");
	assert_string_equal(t->nodes[2].sysctls[1].name, "ip_default_ttl");
	assert_int_equal(t->ends[0].addr.addr, 0x0a090002);
	assert_int_equal(t->ends[1].addr.addr, 0x0a090001);
	assert_int_equal(t->links[0].mtu, 9000);
	assert_int_equal(t->links[1].mtu, 1400);
	assert_int_equal(t->links[2].mtu, 1500);
	assert_int_equal(t->ends[2].addr.addr, 0x0a000101);
	assert_int_equal(t->ends[3].addr.addr, 0x0a000102);
	assert_int_equal(t->ends[4].addr.addr, 0x0a000201);
	struct lab_impair ab = t->links[1].impair[0], ba = t->links[1].impair[1];
	assert_int_equal(ab.delay_ns, 5000000);
	assert_int_equal(ab.jitter_ns, 500000);
	assert_int_equal(ab.loss_ppb, 15000000);
	assert_int_equal(ab.rate_bps, 2500000);
	assert_int_equal(ab.limit, 50);
	assert_int_equal(ba.delay_ns, 7000);
	assert_int_equal(ba.loss_ppb, 0);
	assert_int_equal(ba.rate_bps, 2500000);
	assert_int_equal(via_addr_to_v4(&t->nodes[2].routes[0].via), 0x0a000101);
	topo_free(t);
}

static void topo__switch_makes_one_subnet(void **state)
{
	struct lab_error err;
	struct topo *t = parse("name: s\ntopology:\n  nodes:\n    a: {kind: host}\n    b: {kind: host}\n    c: {kind: host}\n"
		"    s1: {kind: switch}\n"
			       "    s2: {kind: switch}\n  links:\n    - {endpoints: [\"a:e\", \"s1:1\"]}\n    - {endpoints: [\"s1:9\", \"s2:9\"]}\n"
			       "    - {endpoints: [\"b:e\", \"s2:1\"], subnet: 192.168.7.0/29}\n"
			       "    - {endpoints: [\"c:e\", \"s2:2\"], ipv4: [192.168.7.1/29, ~]}\n", &err);
	assert_non_null(t);
	assert_int_equal(t->n_domains, 1);
	assert_int_equal(t->domains[0].n_ends, 3);
	assert_int_equal(t->ends[0].addr.addr, 0xc0a80702); /* .1 is given to c */
	assert_int_equal(t->ends[4].addr.addr, 0xc0a80703);
	assert_int_equal(t->ends[6].addr.addr, 0xc0a80701);
	topo_free(t);
}

/* text after `head`, and the mistake. */
static const struct {
	const char *text;
	int line, col;
	const char *says;
} mistakes[] = {
	{"  nodes:\n    a: {kind: host, lantency: 1}\n", 4, 21, "unknown key 'lantency' in a node"},
	{"  nodes:\n    a: {knd: host}\n", 4, 9, "unknown key 'knd' in a node, did you mean 'kind'?"},
	{"  nodes:\n    a: {kind: hots}\n", 4, 15, "unknown kind 'hots', did you mean 'host'?"},
	{"  nodes:\n    a: {kind: netns}\n", 4, 15,
	 "kind 'netns' comes with a later version; today's kinds are host, router, switch, tap and wan"},
	{"  nodes:\n    a: {kind: wan, dns: nobody}\n", 4, 25,
	 "dns 'nobody' is no ADDRESS or ADDRESS:PORT of a name server ([ADDRESS]:PORT in IPv6)"},
	{"  nodes:\n    a: {kind: wan, dns: \"1.2.3.4:x\"}\n", 4, 25,
	 "dns '1.2.3.4:x' is no ADDRESS or ADDRESS:PORT of a name server ([ADDRESS]:PORT in IPv6)"},
	{"  nodes:\n    a: {kind: host, loopback: 10.0.2.2}\n", 4, 31, "a host has no 'loopback'"},
	{"  nodes:\n    a: {mtu: 1500}\n", 4, 5, "node 'a' has no kind (host, router, switch, tap or wan)"},
	{"  nodes:\n    a: {kind: host}\n    A: {kind: host}\n", 5, 5, "node 'A' is defined twice"},
	{"  nodes:\n    a: {kind: host, kind: host}\n", 4, 21, "key 'kind' is given twice in a node"},
	{"  nodes:\n    a_b: {kind: host}\n", 4, 5, "'a_b' cannot be a node's name (at most 31 letters, digits and '-')"},
	{"  nodes:\n    a: {kind: host, mtu: 12}\n", 4, 26, "mtu is '12', but must be a whole number from 68 to 65535"},
	{"  nodes:\n    a: {kind: switch, address: 10.0.0.1/8}\n", 4, 32, "a switch has no 'address'"},
	{"  nodes:\n    a: {kind: tap}\n", 4, 5, "tap node 'a' needs 'tap', the name of the interface"},
	{"  nodes:\n    a: {kind: host, services: {htp: {}}}\n", 4, 32, "unknown key 'htp' in services, did you mean 'http'?"},
	{"  nodes:\n    a: {kind: host, services: {http: {}}}\n", 4, 38, "an http service needs 'root', the folder it serves"},
	{"  nodes:\n    a: {kind: host, services: {http: {root: no-such}}}\n", 4, 45, "root 'dir/no-such' is not a folder"},
	{"  nodes:\n    a: {kind: host, services: {http: {root: /, port: 7}, echo: {}}}\n", 4, 64,
	 "services 'http' and 'echo' of one node cannot share port 7"},
	{"  nodes:\n    a: {kind: host, address: 10.0.0.1}\n", 4, 30,
	 "address is '10.0.0.1', but must be an IPv4 address with a prefix length such as 10.0.1.1/24"},
	{"  nodes:\n    a: {kind: host, address: 10.0.0.1/24}\n", 4, 30,
	 "'address' is for a node with one link, but 'a' has 0; give addresses on the links (ipv4)"},
	{"  nodes:\n    a: {kind: router, icmp: maybe}\n", 4, 29,
	 "icmp is on or off, not 'maybe': whether the node sends and forwards ICMP errors"},
	{"  nodes:\n    a: {kind: switch, icmp: off}\n", 4, 29, "a switch has no 'icmp'"},
	{"  nodes:\n    a: {kind: host, sysctl: {tcp_sak: 0}}\n", 4, 30, "a stack has no setting 'tcp_sak', did you mean 'tcp_sack'?"},
	{"  nodes:\n    a: {kind: host, sysctl: {net.ipv4.quux: 0}}\n", 4, 30, "a stack has no setting 'quux'"},
	{"  nodes:\n    a: {kind: host, sysctl: [tcp_sack]}\n", 4, 29,
	 "sysctl is a mapping of settings to values, such as {tcp_fastopen: 3}"},
	{"  nodes: [a, b]\n", 3, 10, "nodes is a mapping of names to nodes"},
	{"  nodes: {}\n", 3, 10, "a topology needs a node (at most 65536)"},
	{"  links: []\n", 3, 3, "the topology has no 'nodes'"},
	{"  nodes:\n\ta: {kind: host}\n", 4, 1,
	 "not well-formed YAML: found character that cannot start any token while scanning for the next token"},
};

static void topo__mistakes_in_nodes(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
		struct lab_error err;
		char text[1024];
		snprintf(text, sizeof text, "%s%s", head, mistakes[i].text);
		struct topo *t = parse(text, &err);
		if (t || strcmp(err.text, mistakes[i].says) || err.line != mistakes[i].line || err.col != mistakes[i].col)
			fail_msg("%s\n-> %d:%d: %s", text, err.line, err.col, t ? "accepted" : err.text);
		assert_string_equal(err.file, "dir/t.yaml");
	}
}

static const struct {
	const char *text;
	int line, col;
	const char *says;
} link_mistakes[] = {
	{"    - {}\n", 11, 7, "a link needs 'endpoints', such as [\"r1:eth1\", \"h1:eth1\"]"},
	{"    - endpoints: [\"home:e1\"]\n", 11, 18, "endpoints is a list of two, such as [\"r1:eth1\", \"h1:eth1\"]"},
	{"    - endpoints: [\"hme:e1\", \"r1:e1\"]\n", 11, 19, "endpoint 'hme:e1' names no node, did you mean 'home'?"},
	{"    - endpoints: [\"qqqqqq:e1\", \"r1:e1\"]\n", 11, 19, "endpoint 'qqqqqq:e1' names no node"},
	{"    - endpoints: [\"home\", \"r1:e1\"]\n", 11, 19, "endpoint 'home' must be NODE:INTERFACE, such as r1:eth1"},
	{"    - endpoints: [\"home:lo\", \"r1:e1\"]\n", 11, 19, "'lo' is the loopback interface; no link ends there"},
	{"    - endpoints: [\"r1:e2\", \"r1:e1\"]\n", 11, 18, "a link joins two different nodes"},
	{"    - endpoints: [\"home:e1\", \"r1:e1\"]\n    - endpoints: [\"r2:e1\", \"r1:e1\"]\n", 12, 28,
	 "interface 'r1:e1' is used by two links"},
	{"    - endpoints: [\"home:e1\", \"r1:e1\"]\n      impairments: {loss: 1}\n", 12, 27,
	 "loss is '1', but must be a share such as 1% (0% to 100%)"},
	{"    - endpoints: [\"home:e1\", \"r1:e1\"]\n      impairments: {loss: 101%}\n", 12, 27,
	 "loss is '101%', but must be a share such as 1% (0% to 100%)"},
	{"    - endpoints: [\"home:e1\", \"r1:e1\"]\n      impairments: {loss: gemodel}\n", 12, 27,
	 "loss is 'gemodel', but must be 'gemodel' and 1 to 4 shares such as 1%"},
	{"    - endpoints: [\"home:e1\", \"r1:e1\"]\n      impairments: {loss: gemodel 1% 2% 3% 4% 5%}\n", 12, 27,
	 "loss is 'gemodel 1% 2% 3% 4% 5%', but must be 'gemodel' and 1 to 4 shares such as 1%"},
	{"    - endpoints: [\"home:e1\", \"r1:e1\"]\n      impairments: {burst: 9000}\n", 12, 28,
	 "burst is what a policer lets pass at once; it needs 'police', a rate"},
	{"    - endpoints: [\"home:e1\", \"r1:e1\"]\n      impairments: {delay: 5}\n", 12, 28,
	 "delay is '5', but must be a time such as 5ms (ns, us, ms or s, at most an hour)"},
	{"    - endpoints: [\"home:e1\", \"r1:e1\"]\n      impairments: {lantency: 5ms}\n", 12, 21, "unknown key 'lantency' in impairments"},
	{"    - endpoints: [\"home:e1\", \"r1:e1\"]\n      impairments: {dealy: 5ms}\n", 12, 21,
	 "unknown key 'dealy' in impairments, did you mean 'delay'?"},
	{"    - endpoints: [\"home:e1\", \"r1:e1\"]\n      impairments: {rate: 5mb}\n", 12, 27,
	 "rate is '5mb', but must be a rate such as 100mbit (bit, kbit, mbit or gbit a second, at least 1kbit)"},
	{"    - endpoints: [\"home:e1\", \"r1:e1\"]\n      impairments: {rate: 0}\n", 12, 27,
	 "rate is '0', but must be a rate such as 100mbit (bit, kbit, mbit or gbit a second, at least 1kbit)"},
	{"    - endpoints: [\"home:e1\", \"r1:e1\"]\n      impairments: {mtu: 1400}\n", 12, 26,
	 "mtu belongs to the link, beside 'impairments'"},
	{"    - endpoints: [\"home:e1\", \"r1:e1\"]\n      impairments: {reorder: 5%}\n", 12, 30,
	 "reorder needs a delay: a packet overtakes those that are delayed"},
	{"    - endpoints: [\"home:e1\", \"r1:e1\"]\n      ipv4: [10.1.0.1/24, 10.1.0.1/24]\n", 12, 27,
	 "the address of 'r1:e1' is that of 'home:e1' already"},
	{"    - endpoints: [\"home:e1\", \"r1:e1\"]\n      ipv4: [10.1.0.1/24, 10.2.0.1/24]\n", 12, 27,
	 "the address of 'r1:e1' lies outside the subnet of its link, 10.1.0.0/24"},
	{"    - endpoints: [\"home:e1\", \"r1:e1\"]\n      ipv4: [10.1.0.1/24]\n", 12, 13,
	 "ipv4 is a list of two addresses, one per endpoint (~ for none, or dhcp)"},
	{"    - endpoints: [\"home:e1\", \"r1:e1\"]\n      ipv4: [10.1.0.0/24, ~]\n", 12, 14,
	 "the address of 'home:e1' is not one an interface can have"},
	{"    - endpoints: [\"home:e1\", \"r1:e1\"]\n      subnet: 10.1.0.0/24\n    - endpoints: [\"r1:e2\", \"r2:e1\"]\n"
	 "      subnet: 10.1.0.128/25\n", 13, 19,
	 "the subnets of 'home:e1' and 'r1:e2' overlap"},
	{"    - endpoints: [\"home:e1\", \"s:e1\"]\n      ipv4: [~, 10.1.0.1/24]\n", 12, 17, "the port of a switch has no address; write ~"},
	{"    - endpoints: [\"home:e1\", \"s:e1\"]\n    - endpoints: [\"home:e2\", \"s:e2\"]\n    - endpoints: [\"s:a\", \"s2:a\"]\n"
	 "    - endpoints: [\"s2:b\", \"s3:b\"]\n    - endpoints: [\"s3:c\", \"s:c\"]\n", 15, 19,
	 "this link closes a ring of switches ('s3' and 's' are joined already)"},
	{"    - endpoints: [\"s:a\", \"s2:a\"]\n    - endpoints: [\"s:b\", \"s2:b\"]\n", 12, 19,
	 "this link closes a ring of switches ('s' and 's2' are joined already)"},
};

static void topo__mistakes_in_links(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(link_mistakes); i++) {
		struct lab_error err;
		char text[1024];
		snprintf(text, sizeof text, "%s  nodes:\n    home: {kind: host}\n    r1: {kind: router}\n    r2: {kind: router}\n"
			"    s: {kind: switch}\n    s2: {kind: switch}\n    s3: {kind: switch}\n  links:\n%s",
			 head, link_mistakes[i].text);
		struct topo *t = parse(text, &err);
		if (t || strcmp(err.text, link_mistakes[i].says) || err.line != link_mistakes[i].line || err.col != link_mistakes[i].col)
			fail_msg("%s\n-> %d:%d: %s", text, err.line, err.col, t ? "accepted" : err.text);
	}
}

static void topo__file_mistakes(void **state)
{
	struct lab_error err;
	assert_null(parse("", &err));
	assert_string_equal(err.text, "the file is empty; a topology has 'name' and 'topology'");
	assert_null(parse("topology: {nodes: {a: {kind: host}}}", &err));
	assert_string_equal(err.text, "the file has no 'name'");
	assert_null(parse("name: x\n", &err));
	assert_string_equal(err.text, "the file has no 'topology'");
	assert_null(parse("name: x\nseed: -1\n", &err));
	assert_int_equal(err.line, 2);
	assert_int_equal(err.col, 7);
	assert_null(parse("- a\n", &err));
	assert_string_equal(err.text, "the file is a mapping of keys to values");
	assert_null(parse("name: x\ntopology: {nodes: {a: {kind: host, routes: [{to: default, via: 10.0.0.1}]}}}\n", &err));
	assert_string_equal(err.text, "via is not an address in a subnet of node 'a'");
}

/* Whatever is done to a good file: a topology, or a sentence with a place. */
static void topo__survives_mutated_files(void **state)
{
	static const char good[] = "name: all\nseed: 77\ntopology:\n  nodes:\n"
		"    h1: &n {kind: host, address: 10.9.0.2/24, services: {echo: {}}}\n"
		"    r1: {kind: router, mtu: 9000}\n    s: {kind: switch}\n    r2: {kind: router, routes: [{to: default, via: 10.0.1.1}]}\n"
		"  links:\n"
		"    - endpoints: [\"h1:eth0\", \"r1:eth1\"]\n    - endpoints: [\"r1:eth2\", \"r2:eth1\"]\n      subnet: 10.0.1.0/24\n"
		"      impairments: {delay: 5ms, loss: 1.5%, a-to-b: {rate: 2.5mbit}}\n    - endpoints: [\"r2:x\", \"s:1\"]\n";
	static const char *const pieces[] = {"{", "}", "[", "]", ":", "- ", "*n", "&n ", "\n", "  ", "\"", "~", "999999999999999999999",
		"/33", "%", "\xff", "#", "10.0.0.0/8"};
	struct rng r;
	rng_seed(&r, 7);
	int accepted = 0;
	for (int round = 0; round < 5000; round++) {
		struct lab_error err;
		char text[sizeof good + 256];
		size_t len = sizeof good - 1;
		memcpy(text, good, len);
		for (uint64_t k = 1 + rng_below(&r, 4); k; k--) {
			const char *piece = pieces[rng_below(&r, ARRAY_LEN(pieces))];
			size_t at = rng_below(&r, len), cut = rng_below(&r, 6), add = strlen(piece);
			cut = MIN(cut, len - at);
			memmove(text + at + add, text + at + cut, len - at - cut);
			memcpy(text + at, piece, add);
			len = len - cut + add;
		}
		struct topo *t = topo_parse(text, len, "mutated", &err);
		accepted += t != NULL;
		if (!t)
			assert_true(err.text[0] && err.line >= 0);
		topo_free(t);
	}
	assert_in_range(accepted, 1, 4999);
}

static void topo__reads_bursts_of_loss_and_policers(void **state)
{
	struct lab_error err;
	struct topo *t = parse("name: all\ntopology:\n  nodes: {a: {kind: host}, b: {kind: host}, c: {kind: host}}\n  links:\n"
			       "    - endpoints: [\"a:1\", \"b:1\"]\n"
			       "      impairments: {loss: gemodel 1% 25%  50% 0.1%, mangle: 2%, police: 1mbit, burst: 9000, b-to-a: {loss: 3%}}\n"
			       "    - endpoints: [\"b:2\", \"c:1\"]\n      impairments: {loss: gemodel 5%}\n", &err);
	assert_non_null(t);
	struct lab_impair ab = t->links[0].impair[0], ba = t->links[0].impair[1], bc = t->links[1].impair[0];
	assert_int_equal(ab.loss_ppb, 0);
	assert_int_equal(ab.ge.p_ppb, 10000000);
	assert_int_equal(ab.ge.r_ppb, 250000000);
	assert_int_equal(ab.ge.bad_ppb, 500000000);
	assert_int_equal(ab.ge.good_ppb, 1000000);
	assert_int_equal(ab.mangle_ppb, 20000000);
	assert_int_equal(ab.police_bps, 1000000);
	assert_int_equal(ab.burst, 9000);
	assert_int_equal(ba.loss_ppb, 30000000);
	assert_int_equal(ba.ge.p_ppb, 0);
	assert_int_equal(ba.police_bps, 1000000);
	assert_int_equal(bc.ge.p_ppb, 50000000);
	assert_int_equal(bc.ge.r_ppb, 950000000);
	assert_int_equal(bc.ge.bad_ppb, 1000000000);
	assert_int_equal(bc.ge.good_ppb, 0);
	topo_free(t);
}

static void nearest__distance(void **state)
{
	assert_int_equal(nearest_distance("kitten", "sitting", 9), 3);
	assert_int_equal(nearest_distance("ab", "ba", 9), 1);
	assert_int_equal(nearest_distance("", "abc", 9), 3);
	assert_int_equal(nearest_distance("abc", "abc", 9), 0);
	assert_int_equal(nearest_distance("kitten", "sitting", 1), 2);
	assert_null(nearest_word("zz", (const char *const[]){"host", "router", NULL}));
	assert_string_equal(nearest_word("ruoter", (const char *const[]){"host", "router", NULL}), "router");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(topo__reads_everything),
		cmocka_unit_test(topo__switch_makes_one_subnet),
		cmocka_unit_test(topo__reads_bursts_of_loss_and_policers),
		cmocka_unit_test(topo__mistakes_in_nodes),
		cmocka_unit_test(topo__mistakes_in_links),
		cmocka_unit_test(topo__file_mistakes),
		cmocka_unit_test(topo__survives_mutated_files),
		cmocka_unit_test(nearest__distance),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
