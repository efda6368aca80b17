/* NAT44 with real stacks: RFC 4787 (UDP), RFC 5382 (TCP), RFC 5508 (ICMP), rule by rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>

#include "nat_world.h"
#include "filter/conntrack.h"
#include "stack_flow.h"

#define DEPENDENT VIA_NAT_ADDRESS_AND_PORT_DEPENDENT
#define INDEPENDENT VIA_NAT_ENDPOINT_INDEPENDENT

/* ---- RFC 4787: UDP ---- */

static void rfc4787_req1__one_mapping_for_all_destinations(void **state)
{
	struct world w = world_new();
	nat_on(&w, DEPENDENT);
	via_sock a = udp_at(w.a, 5000), s = udp_at(w.s, 9), s2 = udp_at(w.s, 10), u = udp_at(w.u, 9);
	udp_to(&w, w.a, a, SERVER_S, 9, "one");
	struct via_sockaddr first = udp_from(w.s, s, "one");
	assert_from(first, OUTER, first.port);
	udp_to(&w, w.a, a, SERVER_U, 9, "two");
	assert_from(udp_from(w.u, u, "two"), OUTER, first.port);
	udp_to(&w, w.a, a, SERVER_S, 10, "three");
	assert_from(udp_from(w.s, s2, "three"), OUTER, first.port);
	udp_to(&w, w.s, s, OUTER, first.port, "back");
	assert_from(udp_from(w.a, a, "back"), SERVER_S, 9);
	nat_off(&w);
	net_free(w.t);
}

static void rfc4787_req2__one_outer_address_for_a_host(void **state)
{
	struct world w = world_new();
	nat_on(&w, DEPENDENT);
	assert_int_equal(net_addr(w.r, 4, OUTER + 1, 24), 0); /* a second one: eth2 has index 4 */
	via_sock s = udp_at(w.s, 9);
	for (uint16_t port = 5000; port < 5020; port++) {
		via_sock a = udp_at(w.a, port);
		udp_to(&w, w.a, a, SERVER_S, 9, "x");
		assert_from(udp_from(w.s, s, "x"), OUTER, port);
	}
	net_free(w.t);
}

static void rfc4787_req3__ports_are_kept_or_stay_in_their_half_and_parity(void **state)
{
	static const uint16_t ports[] = {5000, 5001, 700, 701, 65535, 1024, 1};
	struct world w = world_new();
	nat_on(&w, DEPENDENT);
	via_sock s = udp_at(w.s, 9);
	for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
		via_sock a = udp_at(w.a, ports[i]), b = udp_at(w.b, ports[i]);
		udp_to(&w, w.a, a, SERVER_S, 9, "a");
		struct via_sockaddr pa = udp_from(w.s, s, "a"), pb;
		assert_from(pa, OUTER, ports[i]);
		udp_to(&w, w.b, b, SERVER_S, 9, "b");
		pb = udp_from(w.s, s, "b");
		assert_int_not_equal(pb.port, ports[i]); /* REQ-3: never two on one port */
		assert_int_equal(pb.port < 1024, ports[i] < 1024); /* REQ-3a */
		assert_int_equal(pb.port & 1, ports[i] & 1); /* REQ-4 */
		udp_to(&w, w.s, s, OUTER, pb.port, "to b");
		assert_from(udp_from(w.b, b, "to b"), SERVER_S, 9);
		udp_from(w.a, a, NULL);
	}
	net_free(w.t);
}

static void rfc4787_req5__idle_times(void **state)
{
	struct world w = world_new();
	nat_on(&w, DEPENDENT);
	via_sock a = udp_at(w.a, 5000), s = udp_at(w.s, 9);
	udp_to(&w, w.a, a, SERVER_S, 9, "x");
	udp_from(w.s, s, "x");
	world_run(&w, 119 * NS_PER_S); /* not before two minutes */
	udp_to(&w, w.s, s, OUTER, 5000, "still");
	assert_from(udp_from(w.a, a, "still"), SERVER_S, 9);
	world_run(&w, 2 * NS_PER_S); /* what came from outside did not count (REQ-6) */
	assert_int_equal(connections(w.r), 0);
	udp_to(&w, w.a, a, SERVER_S, 9, "x");
	udp_to(&w, w.s, s, OUTER, 5000, "answer");
	udp_to(&w, w.a, a, SERVER_S, 9, "y"); /* answered and used: five minutes */
	world_run(&w, 299 * NS_PER_S);
	assert_int_equal(connections(w.r), 1);
	udp_from(w.a, a, "answer");
	udp_to(&w, w.s, s, OUTER, 5000, "late");
	udp_from(w.a, a, "late");
	world_run(&w, 2 * NS_PER_S);
	assert_int_equal(connections(w.r), 0);
	net_free(w.t);
}

static void rfc4787_req6__what_leaves_refreshes_and_what_comes_does_not(void **state)
{
	struct world w = world_new();
	nat_on(&w, DEPENDENT);
	via_sock a = udp_at(w.a, 5000), s = udp_at(w.s, 9);
	for (int i = 0; i < 5; i++) {
		udp_to(&w, w.a, a, SERVER_S, 9, "x");
		udp_from(w.s, s, "x");
		world_run(&w, 100 * NS_PER_S);
		assert_int_equal(connections(w.r), 1);
	}
	for (int i = 0; i < 8; i++) {
		udp_to(&w, w.s, s, OUTER, 5000, "in");
		world_run(&w, 50 * NS_PER_S);
	}
	udp_from(w.a, a, "in"); /* the first, 100 s after a had sent; the next came after 150 */
	udp_from(w.a, a, NULL);
	net_free(w.t);
}

static void rfc4787_req8__filtering_by_address_and_port(void **state)
{
	struct world w = world_new();
	nat_on(&w, DEPENDENT);
	via_sock a = udp_at(w.a, 5000), s = udp_at(w.s, 9), s2 = udp_at(w.s, 10), u = udp_at(w.u, 9);
	udp_to(&w, w.a, a, SERVER_S, 9, "x");
	udp_to(&w, w.u, u, OUTER, 5000, "uninvited");
	udp_to(&w, w.s, s2, OUTER, 5000, "other port");
	udp_from(w.a, a, NULL);
	assert_int_equal(w.t->seen.dropped[DROP_NAT_UNINVITED], 2);
	assert_int_equal(w.t->seen.last_icmp[2], 0); /* in silence */
	udp_to(&w, w.s, s, OUTER, 5000, "invited");
	assert_from(udp_from(w.a, a, "invited"), SERVER_S, 9);
	udp_to(&w, w.a, a, SERVER_U, 9, "hello u");
	udp_to(&w, w.u, u, OUTER, 5000, "now");
	assert_from(udp_from(w.a, a, "now"), SERVER_U, 9);
	net_free(w.t);
}

static void rfc4787_req8__filtering_by_nobody(void **state)
{
	struct world w = world_new();
	nat_on(&w, INDEPENDENT);
	via_sock a = udp_at(w.a, 5000), u = udp_hears(w.u, 9);
	char text[32];
	udp_to(&w, w.u, u, OUTER, 5000, "too early"); /* the router answers for itself */
	assert_int_equal(via_recvfrom(w.u, u, text, sizeof(text), 0, NULL, NULL), -ECONNREFUSED);
	udp_to(&w, w.a, a, SERVER_S, 9, "x");
	udp_to(&w, w.u, u, OUTER, 5000, "hello");
	assert_from(udp_from(w.a, a, "hello"), SERVER_U, 9);
	udp_to(&w, w.a, a, SERVER_U, 9, "hello back");
	assert_from(udp_from(w.u, u, "hello back"), OUTER, 5000);
	nat_off(&w);
	net_free(w.t);
}

static void rfc4787_req9__hairpin_with_the_outer_source(void **state)
{
	struct world w = world_new();
	nat_on(&w, INDEPENDENT);
	via_sock a = udp_at(w.a, 5000), b = udp_at(w.b, 6000);
	udp_to(&w, w.b, b, SERVER_S, 9, "x"); /* b is known outside by port 6000 */
	udp_to(&w, w.a, a, OUTER, 6000, "over the top");
	assert_from(udp_from(w.b, b, "over the top"), OUTER, 5000);
	udp_to(&w, w.b, b, OUTER, 5000, "and back");
	assert_from(udp_from(w.a, a, "and back"), OUTER, 6000);
	assert_int_equal(w.t->seen.tx_by[2][4], 1); /* only x left by the outer interface */
	nat_off(&w);
	net_free(w.t);
}

static void rfc4787_req9__hairpin_obeys_the_filter(void **state)
{
	struct world w = world_new();
	nat_on(&w, DEPENDENT);
	via_sock a = udp_at(w.a, 5000), b = udp_at(w.b, 6000);
	udp_to(&w, w.b, b, SERVER_S, 9, "x");
	udp_to(&w, w.a, a, OUTER, 6000, "first");
	udp_from(w.b, b, NULL);
	assert_int_equal(w.t->seen.dropped[DROP_NAT_UNINVITED], 1);
	udp_to(&w, w.b, b, OUTER, 5000, "punch"); /* a has sent to it, so this one passes */
	assert_from(udp_from(w.a, a, "punch"), OUTER, 6000);
	udp_to(&w, w.a, a, OUTER, 6000, "second");
	assert_from(udp_from(w.b, b, "second"), OUTER, 5000);
	nat_off(&w);
	net_free(w.t);
}

/* Both sides send at once, and the outside is a little earlier: what it sent is not in the way. */
static void hole_punching__an_early_packet_does_no_harm(void **state)
{
	struct world w = world_new();
	nat_on(&w, DEPENDENT);
	via_sock a = udp_at(w.a, 5000), u = udp_at(w.u, 9);
	udp_to(&w, w.u, u, OUTER, 5000, "early");
	udp_to(&w, w.a, a, SERVER_U, 9, "out");
	assert_from(udp_from(w.u, u, "out"), OUTER, 5000);
	udp_to(&w, w.u, u, OUTER, 5000, "in");
	assert_from(udp_from(w.a, a, "in"), SERVER_U, 9);
	/* TCP: u's SYN comes too early and is repeated; meanwhile a's has left (simultaneous open, RFC 5382 REQ-2) */
	via_sock ta = net_open(w.a, VIA_STREAM), tu = net_open(w.u, VIA_STREAM);
	struct via_sockaddr pa = net_at(0, 5555), pu = net_at(0, 6666), to_a = net_at(OUTER, 5555), to_u = net_at(SERVER_U, 6666);
	assert_int_equal(via_bind(w.a, ta, &pa), 0);
	assert_int_equal(via_bind(w.u, tu, &pu), 0);
	assert_int_equal(via_connect(w.u, tu, &to_a), -EINPROGRESS);
	world_run(&w, 100 * NS_PER_MS);
	assert_int_equal(via_connect(w.a, ta, &to_u), -EINPROGRESS);
	world_run(&w, 3 * NS_PER_S);
	struct via_sock_info i = {.size = sizeof(i)};
	assert_int_equal(via_sock_info(w.u, tu, &i), 0);
	assert_int_equal(i.tcp_state, TCP_ESTABLISHED);
	assert_int_equal(via_send(w.u, tu, "hello", 5, 0), 5);
	world_run(&w, 100 * NS_PER_MS);
	char buf[8];
	assert_int_equal(via_recv(w.a, ta, buf, sizeof(buf), 0), 5);
	via_close(w.a, ta);
	via_close(w.u, tu);
	nat_off(&w);
	net_free(w.t);
}

/* REQ-10 to 12: no application's addresses are touched, so there is nothing to turn off; ICMP errors come through and end nothing. */
static void rfc4787_req12__icmp_errors_reach_the_host_and_end_nothing(void **state)
{
	struct world w = world_new();
	nat_on(&w, DEPENDENT);
	via_sock a = udp_hears(w.a, 5000), b = udp_hears(w.b, 5000);
	char c;
	udp_to(&w, w.a, a, SERVER_S, 9, "x"); /* nobody listens */
	udp_to(&w, w.b, b, SERVER_S, 9, "x");
	assert_int_equal(via_recv(w.a, a, &c, 1, 0), -ECONNREFUSED);
	assert_int_equal(via_recv(w.b, b, &c, 1, 0), -ECONNREFUSED); /* whose port is another outside */
	assert_int_equal(connections(w.r), 2);
	int ttl = 2; /* the router beyond ours */
	assert_int_equal(via_setsockopt(w.b, b, SOL_IP, IP_TTL, &ttl, sizeof(ttl)), 0);
	udp_to(&w, w.b, b, SERVER_S, 10, "x");
	assert_int_equal(via_recv(w.b, b, &c, 1, 0), -EHOSTUNREACH);
	ttl = 1; /* ours */
	assert_int_equal(via_setsockopt(w.b, b, SOL_IP, IP_TTL, &ttl, sizeof(ttl)), 0);
	udp_to(&w, w.b, b, SERVER_S, 11, "x");
	assert_int_equal(via_recv(w.b, b, &c, 1, 0), -EHOSTUNREACH);
	assert_int_equal(w.t->seen.last_icmp_src, 0xc0a80201);
	assert_int_equal(connections(w.r), 3);
	net_free(w.t);
}

static void rfc4787_req13__too_big_with_df_is_told(void **state)
{
	struct world w = world_new();
	static char big[1400];
	char c;
	int x, y, how = IP_PMTUDISC_DO;
	struct via *narrow = net_stack(w.t, "n", false);
	net_link(w.t, w.r, narrow, 64, 1000, 0, 0, &x, &y); /* eth5, narrower */
	assert_int_equal(net_addr(w.r, x, 0xcb007201, 24), 0);
	assert_int_equal(net_addr(narrow, y, 0xcb007202, 24), 0);
	struct via_nat_rule rule = {.size = sizeof(rule), .kind = VIA_NAT_MASQUERADE, .out = "eth5"};
	assert_int_equal(via_configure(w.r, &(struct via_change){.kind = VIA_NAT_ADD, .nat = &rule}), 0);
	via_sock a = udp_hears(w.a, 5000), n = udp_at(narrow, 9);
	struct via_sockaddr to = net_at(0xcb007202, 9);
	assert_int_equal(via_setsockopt(w.a, a, SOL_IP, IP_MTU_DISCOVER, &how, sizeof(how)), 0);
	assert_int_equal(via_sendto(w.a, a, big, sizeof(big), 0, &to), sizeof(big));
	world_run(&w, 5 * NS_PER_MS);
	assert_int_equal(via_recv(w.a, a, &c, 1, 0), -EMSGSIZE);
	assert_int_equal(w.t->seen.last_icmp_rest, 1000);
	how = IP_PMTUDISC_DONT; /* REQ-13a: without DF it is cut */
	assert_int_equal(via_setsockopt(w.a, a, SOL_IP, IP_MTU_DISCOVER, &how, sizeof(how)), 0);
	assert_int_equal(via_sendto(w.a, a, big, sizeof(big), 0, &to), sizeof(big));
	world_run(&w, 5 * NS_PER_MS);
	assert_int_equal(via_recv(narrow, n, big, sizeof(big), 0), sizeof(big));
	net_free(w.t);
}

static void rfc4787_req14__fragments_both_ways(void **state)
{
	struct world w = world_new();
	static char big[20000], got[20000];
	nat_on(&w, DEPENDENT);
	via_sock a = udp_at(w.a, 5000), b = udp_at(w.b, 5000), s = udp_at(w.s, 9);
	struct via_sockaddr to = net_at(SERVER_S, 9), from;
	int how = IP_PMTUDISC_DONT;
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)byte_at(i);
	via_setsockopt(w.s, s, SOL_IP, IP_MTU_DISCOVER, &how, sizeof(how));
	via_sock who[] = {a, b};
	struct via *at[] = {w.a, w.b};
	for (int k = 0; k < 2; k++) {
		via_setsockopt(at[k], who[k], SOL_IP, IP_MTU_DISCOVER, &how, sizeof(how));
		assert_int_equal(via_sendto(at[k], who[k], big, sizeof(big), 0, &to), sizeof(big));
		world_run(&w, 5 * NS_PER_MS);
		assert_int_equal(via_recvfrom(w.s, s, got, sizeof(got), 0, &from, NULL), sizeof(big));
		assert_memory_equal(big, got, sizeof(big));
		assert_int_equal(via_sendto(w.s, s, big, sizeof(big), 0, &from), sizeof(big));
		world_run(&w, 5 * NS_PER_MS);
		memset(got, 0, sizeof(got));
		assert_int_equal(via_recv(at[k], who[k], got, sizeof(got), 0), sizeof(big));
		assert_memory_equal(big, got, sizeof(big));
	}
	nat_off(&w);
	net_free(w.t);
}

/* ---- RFC 5382: TCP ---- */

static void rfc5382__streams_of_two_hosts_from_one_port(void **state)
{
	struct world w = world_new();
	nat_on(&w, DEPENDENT);
	struct flow f[3] = {flow_open(w.t, w.a, w.s, SERVER_S, 80, 300000), flow_open(w.t, w.b, w.s, SERVER_S, 81, 300000),
			    flow_open(w.t, w.b, w.u, SERVER_U, 80, 300000)};
	flow_finish(w.t, f, 3, 20 * NS_PER_S);
	assert_int_equal(w.t->seen.dropped[DROP_TCP_CSUM], 0);
	nat_off(&w);
	net_free(w.t);
}

static void rfc5382_req4__an_uninvited_syn_is_met_by_silence(void **state)
{
	struct world w = world_new();
	nat_on(&w, DEPENDENT);
	via_sock u = net_open(w.u, VIA_STREAM);
	struct via_sockaddr at = net_at(OUTER, 4711);
	assert_int_equal(via_connect(w.u, u, &at), -EINPROGRESS);
	world_run(&w, 6 * NS_PER_S);
	struct via_sock_info i = {.size = sizeof(i)};
	assert_int_equal(via_sock_info(w.u, u, &i), 0);
	assert_int_equal(i.tcp_state, TCP_SYN_SENT);
	assert_true(w.t->seen.dropped[DROP_NAT_UNINVITED] >= 2);
	via_close(w.u, u);
	net_free(w.t);
}

static void rfc5382_req5__idle_times(void **state)
{
	struct world w = world_new();
	nat_on(&w, DEPENDENT);
	struct flow f = flow_open(w.t, w.a, w.s, SERVER_S, 80, 1000);
	world_run(&w, 7439 * NS_PER_S); /* 2 hours and 4 minutes */
	assert_int_equal(connections(w.r), 1);
	flow_finish(w.t, &f, 1, NS_PER_S);
	assert_int_equal(connections(w.r), 1);
	world_run(&w, 238 * NS_PER_S); /* 4 minutes after the end */
	assert_int_equal(connections(w.r), 1);
	world_run(&w, 5 * NS_PER_S);
	assert_int_equal(connections(w.r), 0);
	f = flow_open(w.t, w.a, w.s, SERVER_S, 80, 1000);
	world_run(&w, 7441 * NS_PER_S);
	assert_int_equal(connections(w.r), 0);
	via_close(w.a, f.out);
	via_close(w.s, f.in);
	net_free(w.t);
}

static void rfc5382_req8__hairpin_to_a_forwarded_port(void **state)
{
	struct world w = world_new();
	nat_on(&w, DEPENDENT);
	assert_int_equal(nat_forward(&w, "tcp 80 -> 192.168.2.2:8080"), 0);
	via_sock l = net_open(w.b, VIA_STREAM), in, out = net_open(w.a, VIA_STREAM), far = net_open(w.u, VIA_STREAM);
	struct via_sockaddr any = net_at(0, 8080), at = net_at(OUTER, 80), peer;
	via_bind(w.b, l, &any);
	via_listen(w.b, l, 8);
	via_connect(w.a, out, &at);
	world_run(&w, 10 * NS_PER_MS);
	assert_int_equal(via_accept(w.b, l, 0, &in, &peer), 0);
	assert_int_equal(via_addr_to_v4(&peer.addr), OUTER);
	assert_int_equal(via_send(w.a, out, "hairpin", 7, 0), 7);
	world_run(&w, 10 * NS_PER_MS);
	char buf[16];
	assert_int_equal(via_recv(w.b, in, buf, sizeof(buf), 0), 7);
	via_close(w.b, in);
	via_close(w.a, out);
	via_connect(w.u, far, &at); /* and from outside */
	world_run(&w, 10 * NS_PER_MS);
	assert_int_equal(via_accept(w.b, l, 0, &in, &peer), 0);
	assert_int_equal(via_addr_to_v4(&peer.addr), SERVER_U);
	assert_int_equal(via_send(w.b, in, "hello", 5, 0), 5);
	world_run(&w, 10 * NS_PER_MS);
	assert_int_equal(via_recv(w.u, far, buf, sizeof(buf), 0), 5);
	via_close(w.b, in);
	via_close(w.u, far);
	via_close(w.b, l);
	nat_off(&w);
	net_free(w.t);
}

static void rfc5382_req10__icmp_and_reset_do_not_end_it(void **state)
{
	struct world w = world_new();
	nat_on(&w, DEPENDENT);
	struct flow f = flow_open(w.t, w.a, w.s, SERVER_S, 80, 1000);
	struct via_ct_info i = {.size = sizeof(i)};
	assert_true(via_ct_get(w.r, 0, &i));
	assert_true(i.expires_ns > 7000 * NS_PER_S);
	/* a router on the way says that s is unreachable, of a segment of this connection */
	struct via_sockaddr local = {via_addr_v4(SERVER_S), 80}, remote = {via_addr_v4(OUTER), i.to[1].port};
	assert_int_equal(via_unreach(w.o, VIA_STREAM, 1, &local, &remote, 0), 0);
	world_run(&w, 10 * NS_PER_MS);
	assert_true(via_ct_get(w.r, 0, &i));
	assert_true(i.expires_ns > 7000 * NS_PER_S);
	flow_finish(w.t, &f, 1, NS_PER_S);
	net_free(w.t);
}

/* ---- RFC 5508: ICMP ---- */

static void ping_send(struct world *w, struct via *v, via_sock s, uint32_t to, uint16_t seq)
{
	uint8_t m[16] = {ICMP4_ECHO, [6] = (uint8_t)(seq >> 8), [7] = (uint8_t)seq, [8] = 'p'};
	struct via_sockaddr at = net_at(to, 0);
	assert_int_equal(via_sendto(v, s, m, sizeof(m), 0, &at), sizeof(m));
	world_run(w, 5 * NS_PER_MS);
}

static void ping_expect(struct via *v, via_sock s, uint32_t who, uint16_t seq)
{
	uint8_t m[64];
	struct via_sockaddr from;
	assert_int_equal(via_recvfrom(v, s, m, sizeof(m), 0, &from, NULL), 16);
	assert_int_equal(via_addr_to_v4(&from.addr), who);
	assert_int_equal(m[0], ICMP4_ECHO_REPLY);
	assert_int_equal(get_be16(m + 6), seq);
	assert_int_equal(m[8], 'p');
}

static void rfc5508_req1__pings_of_two_hosts_with_one_id(void **state)
{
	struct world w = world_new();
	struct via_sockaddr id = net_at(0, 77);
	nat_on(&w, DEPENDENT);
	via_sock a = net_open(w.a, VIA_PING), b = net_open(w.b, VIA_PING);
	assert_int_equal(via_bind(w.a, a, &id), 0);
	assert_int_equal(via_bind(w.b, b, &id), 0);
	for (uint16_t seq = 1; seq <= 3; seq++) {
		ping_send(&w, w.a, a, SERVER_S, seq);
		ping_send(&w, w.b, b, SERVER_S, (uint16_t)(seq + 100));
		ping_expect(w.a, a, SERVER_S, seq);
		ping_expect(w.b, b, SERVER_S, (uint16_t)(seq + 100));
	}
	ping_send(&w, w.a, a, SERVER_U, 9); /* REQ-1a: the same id for another host */
	ping_expect(w.a, a, SERVER_U, 9);
	assert_int_equal(connections(w.r), 3);
	world_run(&w, 58 * NS_PER_S); /* REQ-2: 60 s */
	assert_int_equal(connections(w.r), 3);
	world_run(&w, 4 * NS_PER_S);
	assert_int_equal(connections(w.r), 0);
	nat_off(&w);
	net_free(w.t);
}

/* REQ-3 to 5: errors about what came in, and from inside about it, name no inner address outside. */
static void rfc5508_req5__errors_from_inside_carry_the_outer_address(void **state)
{
	struct world w = world_new();
	nat_on(&w, INDEPENDENT);
	assert_int_equal(nat_forward(&w, "udp 53 -> 192.168.1.2:5353"), 0);
	via_sock u = udp_hears(w.u, 9);
	char c;
	udp_to(&w, w.u, u, OUTER, 53, "x"); /* nobody listens there: a says so, u must see the outer name */
	assert_int_equal(w.t->seen.last_icmp[0], ICMP4_UNREACH);
	assert_int_equal(w.t->seen.last_icmp_src, OUTER);
	assert_int_equal(via_recv(w.u, u, &c, 1, 0), -ECONNREFUSED); /* its socket knows what is quoted: (OUTER, 53) */
	int ttl = 2;
	via_setsockopt(w.u, u, SOL_IP, IP_TTL, &ttl, sizeof(ttl)); /* ends at r, behind the translation */
	udp_to(&w, w.u, u, OUTER, 53, "x");
	assert_int_equal(w.t->seen.last_icmp[0], ICMP4_TIME_EXCEEDED);
	assert_int_equal(via_recv(w.u, u, &c, 1, 0), -EHOSTUNREACH);
	nat_off(&w);
	net_free(w.t);
}

/* ---- the rest ---- */

static void outside__cannot_address_who_is_inside(void **state)
{
	struct world w = world_new();
	nat_on(&w, INDEPENDENT);
	assert_int_equal(net_route(w.o, 0xc0a80000, 16, OUTER), 0); /* o knows the way */
	via_sock a = udp_at(w.a, 5000), u = udp_at(w.u, 9);
	udp_to(&w, w.u, u, HOST_A, 5000, "inside");
	udp_from(w.a, a, NULL);
	assert_int_equal(w.t->seen.dropped[DROP_NAT_UNINVITED], 1);
	net_free(w.t);
}

static void router__its_own_programs_use_the_outer_address(void **state)
{
	struct world w = world_new();
	nat_on(&w, DEPENDENT);
	via_sock a = udp_at(w.a, 5000), r = udp_at(w.r, 6000), s = udp_at(w.s, 9), late = udp_at(w.b, 6000);
	udp_to(&w, w.r, r, SERVER_S, 9, "router");
	assert_from(udp_from(w.s, s, "router"), OUTER, 6000);
	udp_to(&w, w.s, s, OUTER, 6000, "to r");
	assert_from(udp_from(w.r, r, "to r"), SERVER_S, 9);
	udp_to(&w, w.b, late, SERVER_S, 9, "b");
	struct via_sockaddr b = udp_from(w.s, s, "b");
	assert_int_not_equal(b.port, 6000); /* the router's program has it */
	udp_to(&w, w.s, s, OUTER, 6000, "to r again");
	udp_from(w.r, r, "to r again");
	udp_to(&w, w.a, a, SERVER_S, 9, "a");
	udp_from(w.s, s, "a");
	via_sock taken = udp_at(w.r, 5000); /* a has that port outside: the router's program gets another one */
	udp_to(&w, w.r, taken, SERVER_S, 9, "r");
	assert_int_not_equal(udp_from(w.s, s, "r").port, 5000);
	nat_off(&w);
	net_free(w.t);
}

static void forward__a_range_and_its_own_name_outside(void **state)
{
	struct world w = world_new();
	nat_on(&w, DEPENDENT);
	assert_int_equal(nat_forward(&w, "udp 7000-7010 -> 192.168.1.2:4000"), 0);
	via_sock a = udp_at(w.a, 4005), u = udp_at(w.u, 9), s = udp_at(w.s, 9);
	udp_to(&w, w.u, u, OUTER, 7005, "in");
	assert_from(udp_from(w.a, a, "in"), SERVER_U, 9);
	udp_to(&w, w.a, a, SERVER_U, 9, "back");
	assert_from(udp_from(w.u, u, "back"), OUTER, 7005);
	udp_to(&w, w.a, a, SERVER_S, 9, "out");
	assert_from(udp_from(w.s, s, "out"), OUTER, 7005);
	via_sock b = udp_at(w.b, 7003); /* a forwarded port is not given to another */
	udp_to(&w, w.b, b, SERVER_S, 9, "b");
	struct via_sockaddr as = udp_from(w.s, s, "b");
	assert_true(as.port < 7000 || as.port > 7010);
	nat_off(&w);
	net_free(w.t);
}

static void config__what_is_refused(void **state)
{
	struct world w = world_new();
	struct via_nat_rule r = {.size = sizeof(r), .kind = VIA_NAT_MASQUERADE, .out = "eth9"};
	struct via_change c = {.kind = VIA_NAT_ADD, .nat = &r};
	assert_int_equal(via_configure(w.r, &c), -ENODEV);
	assert_int_equal(w.r->st->filter, 0);
	r.size = 1;
	assert_int_equal(via_configure(w.r, &c), -EINVAL);
	c.nat = NULL;
	assert_int_equal(via_configure(w.r, &c), -EINVAL);
	assert_int_equal(nat_add(w.r, (struct via_nat_rule){.kind = VIA_NAT_FORWARD, .proto = 6}), -EINVAL);
	for (int i = 0; i < 64; i++)
		assert_int_equal(nat_forward(&w, "tcp 80 -> 192.168.1.2"), 0);
	assert_int_equal(nat_forward(&w, "tcp 80 -> 192.168.1.2"), -ENOSPC);
	nat_off(&w);
	net_free(w.t);
}

static void snapshot__keeps_connections_and_hooks(void **state)
{
	struct world w = world_new();
	nat_on(&w, DEPENDENT);
	via_sock a = udp_at(w.a, 5000), s = udp_at(w.s, 9);
	udp_to(&w, w.a, a, SERVER_S, 9, "x");
	udp_from(w.s, s, "x");
	void *copy = malloc(NET_ARENA);
	size_t n = via_snapshot(w.r, copy, NET_ARENA);
	assert_true(n > 0);
	nat_off(&w);
	assert_int_equal(via_restore(w.r, copy, n), 0);
	free(copy);
	udp_to(&w, w.s, s, OUTER, 5000, "back");
	assert_from(udp_from(w.a, a, "back"), SERVER_S, 9);
	net_free(w.t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc4787_req1__one_mapping_for_all_destinations),
		cmocka_unit_test(rfc4787_req2__one_outer_address_for_a_host),
		cmocka_unit_test(rfc4787_req3__ports_are_kept_or_stay_in_their_half_and_parity),
		cmocka_unit_test(rfc4787_req5__idle_times),
		cmocka_unit_test(rfc4787_req6__what_leaves_refreshes_and_what_comes_does_not),
		cmocka_unit_test(rfc4787_req8__filtering_by_address_and_port),
		cmocka_unit_test(rfc4787_req8__filtering_by_nobody),
		cmocka_unit_test(rfc4787_req9__hairpin_with_the_outer_source),
		cmocka_unit_test(rfc4787_req9__hairpin_obeys_the_filter),
		cmocka_unit_test(hole_punching__an_early_packet_does_no_harm),
		cmocka_unit_test(rfc4787_req12__icmp_errors_reach_the_host_and_end_nothing),
		cmocka_unit_test(rfc4787_req13__too_big_with_df_is_told),
		cmocka_unit_test(rfc4787_req14__fragments_both_ways),
		cmocka_unit_test(rfc5382__streams_of_two_hosts_from_one_port),
		cmocka_unit_test(rfc5382_req4__an_uninvited_syn_is_met_by_silence),
		cmocka_unit_test(rfc5382_req5__idle_times),
		cmocka_unit_test(rfc5382_req8__hairpin_to_a_forwarded_port),
		cmocka_unit_test(rfc5382_req10__icmp_and_reset_do_not_end_it),
		cmocka_unit_test(rfc5508_req1__pings_of_two_hosts_with_one_id),
		cmocka_unit_test(rfc5508_req5__errors_from_inside_carry_the_outer_address),
		cmocka_unit_test(outside__cannot_address_who_is_inside),
		cmocka_unit_test(router__its_own_programs_use_the_outer_address),
		cmocka_unit_test(forward__a_range_and_its_own_name_outside),
		cmocka_unit_test(config__what_is_refused),
		cmocka_unit_test(snapshot__keeps_connections_and_hooks),
	};
	return cmocka_run_group_tests_name("stack_nat", tests, NULL, NULL);
}
