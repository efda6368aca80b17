/* The filter with real stacks: chains, matches in iptables' words, states, limits, and what REJECT answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "nat_world.h"
#include "stack_flow.h"

/* Without NAT: the servers know the way back. */
static struct world routed(void)
{
	struct world w = world_new();
	assert_int_equal(net_route(w.o, 0xc0a80000, 16, OUTER), 0);
	return w;
}

static uint64_t rule_packets(struct via *v, int n)
{
	struct via_filter_info i = {.size = sizeof(i)};
	assert_true(via_filter_get(v, n, &i));
	return i.packets;
}

static int connect_to(struct world *w, struct via *v, uint32_t addr, uint16_t port)
{
	via_sock s = net_open(v, VIA_STREAM);
	struct via_sockaddr at = net_at(addr, port);
	struct via_sock_info i = {.size = sizeof(i)};
	char c;
	assert_int_equal(via_connect(v, s, &at), -EINPROGRESS);
	world_run(w, 20 * NS_PER_MS);
	assert_int_equal(via_sock_info(v, s, &i), 0);
	int err = i.tcp_state == TCP_ESTABLISHED ? 0 : i.tcp_state == TCP_SYN_SENT ? -EAGAIN : (int)via_recv(v, s, &c, 1, 0);
	via_close(v, s);
	world_run(w, 20 * NS_PER_MS);
	return err;
}

static via_sock listen_at(struct via *v, uint16_t port)
{
	via_sock l = net_open(v, VIA_STREAM);
	struct via_sockaddr any = net_at(0, port);
	assert_int_equal(via_bind(v, l, &any), 0);
	assert_int_equal(via_listen(v, l, 16), 0);
	return l;
}

static void policy__drops_what_no_rule_takes(void **state)
{
	struct world w = routed();
	assert_int_equal(filter_text(w.r, "-P FORWARD DROP"), 0);
	assert_int_equal(filter_text(w.r, "-A FORWARD -p udp --dport 9 -j ACCEPT"), 0);
	via_sock a = udp_at(w.a, 5000), s = udp_at(w.s, 9), s2 = udp_at(w.s, 10);
	udp_to(&w, w.a, a, SERVER_S, 9, "yes");
	udp_to(&w, w.a, a, SERVER_S, 10, "no");
	udp_from(w.s, s, "yes");
	udp_from(w.s, s2, NULL);
	udp_to(&w, w.s, s, HOST_A, 5000, "back"); /* no states: the way back needs a rule of its own */
	udp_from(w.a, a, NULL);
	assert_int_equal(w.t->seen.dropped[DROP_FILTER_DROP], 2);
	assert_int_equal(w.t->seen.last_icmp[2], 0);
	assert_int_equal(rule_packets(w.r, 1), 1); /* after INPUT's policy */
	assert_int_equal(rule_packets(w.r, 2), 2); /* FORWARD's policy */
	assert_int_equal(connections(w.r), 0);
	nat_off(&w);
	udp_to(&w, w.a, a, SERVER_S, 10, "free");
	udp_from(w.s, s2, "free");
	net_free(w.t);
}

static void state__answers_pass_and_questions_do_not(void **state)
{
	struct world w = routed();
	assert_int_equal(filter_text(w.r, "-P FORWARD DROP"), 0);
	assert_int_equal(filter_text(w.r, "-A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT"), 0);
	assert_int_equal(filter_text(w.r, "-A FORWARD -m conntrack --ctstate INVALID -j DROP"), 0);
	assert_int_equal(filter_text(w.r, "-A FORWARD -i eth0 -j ACCEPT"), 0);
	via_sock a = udp_at(w.a, 5000), s = udp_at(w.s, 9), ls = listen_at(w.s, 80), la = listen_at(w.a, 80);
	via_sock hears = udp_hears(w.a, 5001);
	char c;
	udp_to(&w, w.s, s, HOST_A, 5000, "question");
	udp_from(w.a, a, NULL);
	udp_to(&w, w.a, a, SERVER_S, 9, "question");
	udp_from(w.s, s, "question");
	udp_to(&w, w.s, s, HOST_A, 5000, "answer");
	udp_from(w.a, a, "answer");
	assert_int_equal(connect_to(&w, w.a, SERVER_S, 80), 0);
	assert_int_equal(connect_to(&w, w.s, HOST_A, 80), -EAGAIN);
	udp_to(&w, w.a, hears, SERVER_S, 999, "nobody"); /* RELATED: the error comes back */
	assert_int_equal(via_recv(w.a, hears, &c, 1, 0), -ECONNREFUSED);
	assert_true(rule_packets(w.r, 1) >= 4);
	via_close(w.s, ls);
	via_close(w.a, la);
	nat_off(&w);
	net_free(w.t);
}

static void state__invalid_is_what_belongs_to_nothing(void **state)
{
	struct world w = routed();
	struct flow f = flow_open(w.t, w.a, w.s, SERVER_S, 80, 1000); /* began before anybody looked */
	assert_int_equal(filter_text(w.r, "-A FORWARD -m conntrack --ctstate INVALID -j DROP"), 0);
	flow_step(&f);
	world_run(&w, 300 * NS_PER_MS);
	flow_step(&f);
	assert_int_equal(f.got, 0);
	assert_true(rule_packets(w.r, 1) >= 1);
	nat_off(&w);
	flow_finish(w.t, &f, 1, 5 * NS_PER_S);
	net_free(w.t);
}

static void reject__what_the_sender_hears(void **state)
{
	static const struct { const char *with; int code, err; } with[] = {
		{"", 3, -ECONNREFUSED}, {"--reject-with icmp-net-unreachable", 0, -ENETUNREACH},
		{"--reject-with icmp-host-unreachable", 1, -EHOSTUNREACH}, {"--reject-with icmp-proto-unreachable", 2, -ENOPROTOOPT},
		{"--reject-with icmp-net-prohibited", 9, -ENETUNREACH}, {"--reject-with icmp-host-prohibited", 10, -EHOSTUNREACH},
		{"--reject-with icmp-admin-prohibited", 13, -EHOSTUNREACH},
	};
	struct world w = routed();
	for (size_t i = 0; i < ARRAY_LEN(with); i++) {
		char text[128] = "-A FORWARD -d 198.51.100.0/24 -p udp -j REJECT ";
		strcat(text, with[i].with);
		assert_int_equal(filter_text(w.r, text), 0);
		via_sock a = udp_hears(w.a, (uint16_t)(5000 + i));
		char c;
		udp_to(&w, w.a, a, SERVER_S, 9, "x");
		assert_int_equal(via_recv(w.a, a, &c, 1, 0), with[i].err);
		assert_int_equal(w.t->seen.last_icmp[0], ICMP4_UNREACH);
		assert_int_equal(w.t->seen.last_icmp[1], with[i].code);
		assert_int_equal(w.t->seen.last_icmp_src, 0xc0a80101);
		assert_int_equal(filter_text(w.r, "-F"), 0);
		world_run(&w, NS_PER_S);
	}
	assert_int_equal(w.t->seen.dropped[DROP_FILTER_REJECT], ARRAY_LEN(with));
	nat_off(&w);
	net_free(w.t);
}

static void reject__tcp_reset_in_each_chain(void **state)
{
	struct world w = routed();
	via_sock s = listen_at(w.s, 80), r = listen_at(w.r, 80);
	assert_int_equal(connect_to(&w, w.a, SERVER_S, 80), 0);
	assert_int_equal(connect_to(&w, w.a, 0xc0a80101, 80), 0);
	assert_int_equal(filter_text(w.r, "-A FORWARD -p tcp --syn -j REJECT --reject-with tcp-reset"), 0);
	assert_int_equal(filter_text(w.r, "-A INPUT -p tcp --syn -j REJECT --reject-with tcp-reset"), 0);
	assert_int_equal(filter_text(w.r, "-A OUTPUT -p tcp --syn -j REJECT --reject-with tcp-reset"), 0);
	assert_int_equal(connect_to(&w, w.a, SERVER_S, 80), -ECONNREFUSED);
	assert_int_equal(connect_to(&w, w.a, 0xc0a80101, 80), -ECONNREFUSED);
	assert_int_equal(connect_to(&w, w.r, SERVER_S, 80), -ECONNREFUSED);
	assert_int_equal(filter_text(w.r, "-F OUTPUT"), 0);
	assert_int_equal(filter_text(w.r, "-A OUTPUT -p tcp -d 198.51.100.2 -j REJECT"), 0);
	assert_int_equal(connect_to(&w, w.r, SERVER_S, 80), -ECONNREFUSED); /* by ICMP */
	assert_int_equal(connect_to(&w, w.r, SERVER_U, 80), -ECONNREFUSED); /* u itself: nobody listens */
	via_close(w.s, s);
	via_close(w.r, r);
	nat_off(&w);
	net_free(w.t);
}

static void reject__through_a_nat(void **state)
{
	struct world w = world_new();
	nat_on(&w, VIA_NAT_ENDPOINT_INDEPENDENT);
	assert_int_equal(nat_forward(&w, "tcp 80 -> 192.168.1.2:8080"), 0);
	via_sock l = listen_at(w.a, 8080);
	assert_int_equal(connect_to(&w, w.u, OUTER, 80), 0);
	assert_int_equal(filter_text(w.r, "-A FORWARD -p tcp --dport 8080 -m conntrack --ctstate NEW -j REJECT --reject-with tcp-reset"), 0);
	assert_int_equal(connect_to(&w, w.u, OUTER, 80), -ECONNREFUSED); /* the RST comes from (OUTER, 80), or u would not believe it */
	assert_int_equal(filter_text(w.r, "-F FORWARD"), 0);
	assert_int_equal(filter_text(w.r, "-A FORWARD -m conntrack --ctstate DNAT -j REJECT"), 0);
	assert_int_equal(connect_to(&w, w.u, OUTER, 80), -ECONNREFUSED); /* so does the ICMP error, and quotes it */
	assert_int_equal(w.t->seen.last_icmp_src, OUTER);
	via_close(w.a, l);
	nat_off(&w);
	net_free(w.t);
}

static void matches__each_alone_and_inverted(void **state)
{
	static const struct { const char *match; bool fits; } m[] = {
		{"", true}, {"-i eth0", true}, {"-i eth1", false}, {"! -i eth1", true}, {"! -i eth0", false}, {"-o eth2", true}, {"-o eth0", false},
		{"-s 192.168.1.0/24", true}, {"-s 192.168.2.0/24", false}, {"! -s 192.168.2.0/24", true}, {"-d 198.51.100.2", true},
		{"-d 198.51.100.3", false}, {"! -d 198.51.100.2", false}, {"-s 0.0.0.0/0", true}, {"-s ::/0", false}, {"-p udp", true},
		{"-p tcp", false}, {"! -p tcp", true}, {"-p 17", true}, {"-p udp --sport 5000", true}, {"-p udp --sport 5001", false},
		{"-p udp --sport 4000:5000", true}, {"-p udp --sport 5001:", false}, {"-p udp --sport :5000", true},
		{"-p udp --dport 9", true}, {"-p udp ! --dport 9", false}, {"-p udp ! --dport 10", true}, {"-p icmp --icmp-type 8", false},
		{"-p tcp --syn", false}, {"-m conntrack --ctstate NEW", true}, {"-m conntrack --ctstate ESTABLISHED", false},
		{"-m conntrack ! --ctstate ESTABLISHED", true}, {"-m state --state NEW,INVALID", true},
	};
	for (size_t i = 0; i < ARRAY_LEN(m); i++) {
		struct world w = routed();
		char text[160] = "-A FORWARD ";
		strcat(text, m[i].match);
		assert_int_equal(filter_text(w.r, text), 0); /* no target: it counts */
		via_sock a = udp_at(w.a, 5000), s = udp_at(w.s, 9);
		udp_to(&w, w.a, a, SERVER_S, 9, "x");
		udp_from(w.s, s, "x");
		if (rule_packets(w.r, 1) != m[i].fits)
			fail_msg("'%s' should %sfit", m[i].match, m[i].fits ? "" : "not ");
		nat_off(&w);
		net_free(w.t);
	}
}

static void matches__tcp_flags_and_icmp_types(void **state)
{
	struct world w = routed();
	assert_int_equal(filter_text(w.r, "-A FORWARD -p tcp --tcp-flags SYN,ACK SYN"), 0);
	assert_int_equal(filter_text(w.r, "-A FORWARD -p tcp --tcp-flags SYN,ACK SYN,ACK"), 0);
	assert_int_equal(filter_text(w.r, "-A FORWARD -p tcp --tcp-flags RST RST"), 0);
	assert_int_equal(filter_text(w.r, "-A FORWARD -p icmp --icmp-type port-unreachable"), 0);
	assert_int_equal(filter_text(w.r, "-A FORWARD -p icmp ! --icmp-type 3/4"), 0);
	via_sock l = listen_at(w.s, 80), a = udp_at(w.a, 5000);
	assert_int_equal(connect_to(&w, w.a, SERVER_S, 80), 0);
	assert_int_equal(connect_to(&w, w.a, SERVER_S, 81), -ECONNREFUSED);
	udp_to(&w, w.a, a, SERVER_S, 9, "x");
	static const uint64_t want[] = {2, 1, 1, 1, 1};
	for (int i = 0; i < 5; i++)
		assert_int_equal(rule_packets(w.r, 1 + i), want[i]);
	via_close(w.s, l);
	nat_off(&w);
	net_free(w.t);
}

static void limit__a_burst_and_then_a_rate(void **state)
{
	struct world w = routed();
	assert_int_equal(filter_text(w.r, "-A FORWARD -p udp -m limit --limit 6/minute --limit-burst 3 -j ACCEPT"), 0);
	assert_int_equal(filter_text(w.r, "-A FORWARD -p udp -j DROP"), 0);
	via_sock a = udp_at(w.a, 5000);
	for (int i = 0; i < 10; i++)
		udp_to(&w, w.a, a, SERVER_S, 9, "x");
	assert_int_equal(rule_packets(w.r, 1), 3);
	for (int i = 0; i < 600; i++) {
		world_run(&w, 95 * NS_PER_MS);
		udp_to(&w, w.a, a, SERVER_S, 9, "x"); /* ten a second, for a minute */
	}
	assert_in_range(rule_packets(w.r, 1), 8, 10);
	nat_off(&w);
	net_free(w.t);
}

static void fragments__are_whole_where_states_are_asked_for(void **state)
{
	struct world w = routed();
	static char big[8000], got[8000];
	assert_int_equal(filter_text(w.r, "-P FORWARD DROP"), 0);
	assert_int_equal(filter_text(w.r, "-A FORWARD -p udp --dport 9 -m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT"), 0);
	via_sock a = udp_at(w.a, 5000), s = udp_at(w.s, 9), s2 = udp_at(w.s, 10);
	struct via_sockaddr to = net_at(SERVER_S, 9), other = net_at(SERVER_S, 10);
	int how = IP_PMTUDISC_DONT;
	via_setsockopt(w.a, a, SOL_IP, IP_MTU_DISCOVER, &how, sizeof(how));
	assert_int_equal(via_sendto(w.a, a, big, sizeof(big), 0, &to), sizeof(big));
	assert_int_equal(via_sendto(w.a, a, big, sizeof(big), 0, &other), sizeof(big));
	world_run(&w, 10 * NS_PER_MS);
	assert_int_equal(via_recv(w.s, s, got, sizeof(got), 0), sizeof(big));
	assert_int_equal(via_recv(w.s, s2, got, sizeof(got), 0), -EAGAIN);
	assert_int_equal(w.t->seen.dropped[DROP_FILTER_DROP], 1);
	nat_off(&w);
	net_free(w.t);
}

static void host__its_own_input_and_output(void **state)
{
	struct world w = routed();
	assert_int_equal(filter_text(w.s, "-P INPUT DROP"), 0);
	assert_int_equal(filter_text(w.s, "-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT"), 0);
	assert_int_equal(filter_text(w.s, "-A INPUT -i lo -j ACCEPT"), 0);
	assert_int_equal(filter_text(w.s, "-A INPUT -p tcp --dport 80 -m conntrack --ctstate NEW -j ACCEPT"), 0);
	assert_int_equal(filter_text(w.s, "-A OUTPUT -p udp --dport 53 -j DROP"), 0);
	via_sock l = listen_at(w.s, 80), l2 = listen_at(w.s, 81), la = listen_at(w.a, 80), s = udp_at(w.s, 9), a = udp_at(w.a, 53);
	assert_int_equal(connect_to(&w, w.a, SERVER_S, 80), 0);
	assert_int_equal(connect_to(&w, w.a, SERVER_S, 81), -EAGAIN);
	assert_int_equal(connect_to(&w, w.s, HOST_A, 80), 0);
	assert_int_equal(connect_to(&w, w.s, 0x7f000001, 81), 0);
	udp_to(&w, w.s, s, HOST_A, 53, "x");
	udp_from(w.a, a, NULL);
	assert_true(connections(w.s) > 0);
	via_close(w.s, l);
	via_close(w.s, l2);
	via_close(w.a, la);
	net_free(w.t);
}

static struct via_addr v6(uint8_t net, uint8_t host) { return (struct via_addr){.b = {0x20, 0x01, 0x0d, 0xb8, net, [15] = host}}; }

static void addr6(struct via *v, int ifindex, uint8_t net, uint8_t host)
{
	struct via_change c = {.kind = VIA_ADDR_ADD, .ifindex = ifindex, .addr = v6(net, host), .plen = 48};
	assert_int_equal(via_configure(v, &c), 0);
}

static void route6(struct via *v, struct via_addr gateway)
{
	struct via_change c = {.kind = VIA_ROUTE_ADD, .plen = 0, .gateway = gateway};
	assert_int_equal(via_configure(v, &c), 0);
}

/* The same rules and states for IPv6: nothing in them is of one family. */
static void ipv6__chains_states_and_answers(void **state)
{
	struct world w = routed();
	addr6(w.a, 2, 1, 2), addr6(w.r, 2, 1, 1); /* eth0 */
	addr6(w.b, 2, 2, 2), addr6(w.r, 3, 2, 1); /* eth1 */
	route6(w.a, v6(1, 1)), route6(w.b, v6(2, 1));
	assert_int_equal(filter_text(w.r, "-P FORWARD DROP"), 0);
	assert_int_equal(filter_text(w.r, "-A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT"), 0);
	assert_int_equal(filter_text(w.r, "-A FORWARD -p tcp --dport 81 -j REJECT --reject-with tcp-reset"), 0);
	assert_int_equal(filter_text(w.r, "-A FORWARD -p udp --dport 82 -j REJECT"), 0);
	assert_int_equal(filter_text(w.r, "-A FORWARD -i eth0 -j ACCEPT"), 0);
	via_sock a = net_open(w.a, VIA_DGRAM), b = net_open(w.b, VIA_DGRAM), t = net_open(w.a, VIA_STREAM);
	struct via_sockaddr at_a = {v6(1, 2), 5000}, at_b = {v6(2, 2), 9}, rst = {v6(2, 2), 81}, no = {v6(2, 2), 82}, gone = {v6(2, 2), 99};
	char buf[16];
	assert_int_equal(via_bind(w.a, a, &at_a), 0);
	assert_int_equal(via_bind(w.b, b, &at_b), 0);
	assert_int_equal(via_sendto(w.b, b, "q", 1, 0, &at_a), 1); /* a question from the wrong side */
	world_run(&w, 20 * NS_PER_MS);
	assert_int_equal(via_recv(w.a, a, buf, sizeof(buf), 0), -EAGAIN);
	assert_int_equal(via_sendto(w.a, a, "q", 1, 0, &at_b), 1);
	world_run(&w, 20 * NS_PER_MS);
	assert_int_equal(via_recv(w.b, b, buf, sizeof(buf), 0), 1);
	assert_int_equal(via_sendto(w.b, b, "ans", 3, 0, &at_a), 3);
	world_run(&w, 20 * NS_PER_MS);
	assert_int_equal(via_recv(w.a, a, buf, sizeof(buf), 0), 3);
	assert_int_equal(via_connect(w.a, t, &rst), -EINPROGRESS);
	world_run(&w, 20 * NS_PER_MS);
	assert_int_equal(via_recv(w.a, t, buf, 1, 0), -ECONNREFUSED);
	via_sock u = net_open(w.a, VIA_DGRAM), g = net_open(w.a, VIA_DGRAM);
	assert_int_equal(via_connect(w.a, u, &no), 0);
	assert_int_equal(via_send(w.a, u, "x", 1, 0), 1);
	assert_int_equal(via_connect(w.a, g, &gone), 0);
	assert_int_equal(via_send(w.a, g, "x", 1, 0), 1);
	world_run(&w, 20 * NS_PER_MS);
	assert_int_equal(via_recv(w.a, u, buf, 1, 0), -ECONNREFUSED); /* the router says so */
	assert_int_equal(via_recv(w.a, g, buf, 1, 0), -ECONNREFUSED); /* b does, and that is RELATED */
	nat_off(&w);
	net_free(w.t);
}

static void config__what_is_refused(void **state)
{
	struct world w = routed();
	struct via_filter_rule r = {.size = sizeof(r), .in = "eth7"};
	struct via_change c = {.kind = VIA_FILTER_APPEND, .filter = &r};
	assert_int_equal(via_configure(w.r, &c), -ENODEV);
	memset(r.in, 0, sizeof(r.in));
	r.has_src = true;
	r.src = via_addr_v4(1);
	r.src_plen = 33;
	assert_int_equal(via_configure(w.r, &c), -EINVAL);
	c.filter = NULL;
	assert_int_equal(via_configure(w.r, &c), -EINVAL);
	assert_int_equal(w.r->st->filter, 0);
	for (int i = 0; i < 1024; i++)
		assert_int_equal(filter_text(w.r, "-A INPUT -p tcp --dport 1"), 0);
	assert_int_equal(filter_text(w.r, "-A INPUT -p tcp --dport 1"), -ENOSPC);
	struct via_change max = {.kind = VIA_SET, .setting = VIA_SET_CT_MAX, .value = 0};
	assert_int_equal(via_configure(w.r, &max), -EINVAL);
	nat_off(&w);
	net_free(w.t);
}

static void ifaces__a_rule_follows_the_name(void **state)
{
	struct world w = routed();
	assert_int_equal(filter_text(w.r, "-A FORWARD -i eth1 -j DROP"), 0);
	via_sock a = udp_at(w.a, 5000), s = udp_at(w.s, 9);
	assert_int_equal(via_iface_remove(w.r, 3), 0); /* eth1 */
	udp_to(&w, w.a, a, SERVER_S, 9, "x");
	udp_from(w.s, s, "x");
	net_free(w.t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(policy__drops_what_no_rule_takes),
		cmocka_unit_test(state__answers_pass_and_questions_do_not),
		cmocka_unit_test(state__invalid_is_what_belongs_to_nothing),
		cmocka_unit_test(reject__what_the_sender_hears),
		cmocka_unit_test(reject__tcp_reset_in_each_chain),
		cmocka_unit_test(reject__through_a_nat),
		cmocka_unit_test(matches__each_alone_and_inverted),
		cmocka_unit_test(matches__tcp_flags_and_icmp_types),
		cmocka_unit_test(limit__a_burst_and_then_a_rate),
		cmocka_unit_test(fragments__are_whole_where_states_are_asked_for),
		cmocka_unit_test(host__its_own_input_and_output),
		cmocka_unit_test(ipv6__chains_states_and_answers),
		cmocka_unit_test(config__what_is_refused),
		cmocka_unit_test(ifaces__a_rule_follows_the_name),
	};
	return cmocka_run_group_tests_name("stack_filter", tests, NULL, NULL);
}
