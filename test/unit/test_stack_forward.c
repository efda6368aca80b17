/* Routers on pipes: TTL, errors to the source, equal paths, links that go down. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include "stacks.h"

#define A 0x0a000001u   /* host a: 10.0.0.1, its router 10.0.0.254 */
#define A_GW 0x0a0000feu
#define B 0x0a010001u   /* host b: 10.1.0.1, its router 10.1.0.254 */
#define B_GW 0x0a0100feu

/* a - r - b; the second link has the given MTU. Stacks 0, 1, 2. */
static struct net *line(uint32_t mtu)
{
	struct net *t = net_new();
	struct via *a = net_stack(t, "a", false), *r = net_stack(t, "r", true), *b = net_stack(t, "b", false);
	int ia, ra, rb, ib;
	net_link(t, a, r, 64, 1500, 0, 0, &ia, &ra);
	net_link(t, r, b, 64, mtu, 0, 0, &rb, &ib);
	assert_int_equal(net_addr(a, ia, A, 24), 0);
	assert_int_equal(net_addr(r, ra, A_GW, 24), 0);
	assert_int_equal(net_addr(r, rb, B_GW, 24), 0);
	assert_int_equal(net_addr(b, ib, B, 24), 0);
	assert_int_equal(net_route(a, 0, 0, A_GW), 0);
	assert_int_equal(net_route(b, 0, 0, B_GW), 0);
	return t;
}

static via_sock udp_to(struct via *v, uint32_t to, uint16_t port, int ttl)
{
	via_sock s = net_open(v, VIA_DGRAM);
	struct via_sockaddr at = net_at(to, port);
	int on = 1;
	assert_int_equal(via_connect(v, s, &at), 0);
	assert_int_equal(via_setsockopt(v, s, SOL_IP, IP_RECVERR, &on, sizeof(on)), 0);
	if (ttl)
		assert_int_equal(via_setsockopt(v, s, SOL_IP, IP_TTL, &ttl, sizeof(ttl)), 0);
	return s;
}

static void expect_error(struct net *t, int type, int code, uint32_t src)
{
	assert_int_equal(t->seen.last_icmp[2], 1);
	assert_int_equal(t->seen.last_icmp[0], type);
	assert_int_equal(t->seen.last_icmp[1], code);
	assert_int_equal(t->seen.last_icmp_src, src);
	memset(t->seen.last_icmp, 0, 3);
}

static void req_RT4_003__ttl_and_time_exceeded(void **state)
{
	struct net *t = line(1500);
	via_sock r = net_open(t->v[2], VIA_DGRAM);
	struct via_sockaddr at = net_at(0, 5);
	char c;
	via_bind(t->v[2], r, &at);
	via_sock one = udp_to(t->v[0], B, 5, 1), two = udp_to(t->v[0], B, 5, 2);
	assert_int_equal(via_send(t->v[0], one, "1", 1, 0), 1);
	assert_true(net_run(t, t->now + NS_PER_MS));
	expect_error(t, ICMP4_TIME_EXCEEDED, 0, A_GW); /* RT4-012: of the interface it leaves by */
	assert_int_equal(via_recv(t->v[0], one, &c, 1, 0), -EHOSTUNREACH);
	assert_int_equal(t->seen.dropped[DROP_IP_TTL], 1);
	assert_int_equal(via_send(t->v[0], two, "2", 1, 0), 1);
	assert_true(net_run(t, t->now + NS_PER_MS));
	assert_int_equal(t->seen.last_icmp[2], 0);
	assert_int_equal(via_recv(t->v[2], r, &c, 1, 0), 1);
	assert_int_equal(c, '2');
	assert_int_equal(net_counter(t->v[1], "ip.forwarded"), 1);
	net_free(t);
}

static void unreachable__no_route_and_dead_neighbour(void **state)
{
	struct net *t = line(1500);
	via_sock none = udp_to(t->v[0], 0x0b000001, 5, 0), dead = udp_to(t->v[0], B + 7, 5, 0);
	char c;
	assert_int_equal(via_send(t->v[0], none, "1", 1, 0), 1);
	assert_true(net_run(t, t->now + NS_PER_MS));
	expect_error(t, ICMP4_UNREACH, ICMP4_UNREACH_NET, A_GW);
	assert_int_equal(via_recv(t->v[0], none, &c, 1, 0), -ENETUNREACH);
	assert_int_equal(via_send(t->v[0], dead, "1", 1, 0), 1);
	assert_true(net_run(t, t->now + 4 * NS_PER_S));
	expect_error(t, ICMP4_UNREACH, ICMP4_UNREACH_HOST, A_GW);
	assert_int_equal(via_recv(t->v[0], dead, &c, 1, 0), -EHOSTUNREACH);
	net_free(t);
}

static void req_PM_007__fragmentation_needed_names_the_mtu(void **state)
{
	struct net *t = line(1400);
	via_sock s = udp_to(t->v[0], B, 5, 0);
	static char big[1472];
	char c;
	assert_int_equal(via_send(t->v[0], s, big, 1472, 0), 1472);
	assert_true(net_run(t, t->now + NS_PER_MS));
	assert_int_equal(t->seen.last_icmp_rest, 1400);
	expect_error(t, ICMP4_UNREACH, ICMP4_UNREACH_FRAG, A_GW);
	assert_int_equal(t->seen.dropped[DROP_IP_MTU], 1);
	assert_int_equal(via_recv(t->v[0], s, &c, 1, 0), -EMSGSIZE);
	/* the path has learnt (PM-001) */
	int how = IP_PMTUDISC_DO;
	assert_int_equal(via_setsockopt(t->v[0], s, IPPROTO_IP, IP_MTU_DISCOVER, &how, sizeof(how)), 0);
	assert_int_equal(via_send(t->v[0], s, big, 1373, 0), -EMSGSIZE);
	assert_int_equal(via_send(t->v[0], s, big, 1372, 0), 1372);
	assert_true(net_run(t, t->now + NS_PER_MS));
	assert_int_equal(t->seen.dropped[DROP_IP_MTU], 1);
	assert_int_equal(via_recv(t->v[0], s, &c, 1, 0), -ECONNREFUSED); /* nobody listens: it has arrived */
	/* and forgets after ten minutes (PM-004) */
	assert_true(net_run(t, t->now + 601 * NS_PER_S));
	assert_int_equal(via_send(t->v[0], s, big, 1472, 0), 1472);
	net_free(t);
}

static void req_RT4_001__a_host_does_not_forward(void **state)
{
	struct net *t = line(1500);
	struct via_change off = {.kind = VIA_SET, .setting = VIA_SET_FORWARDING, .value = 0};
	assert_int_equal(via_configure(t->v[1], &off), 0);
	via_sock s = udp_to(t->v[0], B, 5, 0);
	assert_int_equal(via_send(t->v[0], s, "1", 1, 0), 1);
	assert_true(net_run(t, t->now + NS_PER_MS));
	assert_int_equal(t->seen.dropped[DROP_IP_NOT_OURS], 1);
	assert_int_equal(t->seen.last_icmp[2], 0);
	net_free(t);
}

static void req_RT4_006__directed_broadcast_is_not_forwarded(void **state)
{
	struct net *t = line(1500);
	via_sock s = udp_to(t->v[0], 0x0a0100ff, 5, 0);
	assert_int_equal(via_send(t->v[0], s, "1", 1, 0), 1);
	assert_true(net_run(t, t->now + NS_PER_MS));
	assert_int_equal(t->seen.dropped[DROP_IP_BROADCAST], 1);
	assert_int_equal(t->seen.last_icmp[2], 0);
	net_free(t);
}

/* a - r1 = (r2 | r3) = r4 - b: stacks a r1 r2 r3 r4 b. */
static struct net *diamond(void)
{
	struct net *t = net_new();
	static const char *const names[] = {"a", "r1", "r2", "r3", "r4", "b"};
	int i[6][2];
	for (int k = 0; k < 6; k++)
		net_stack(t, names[k], k > 0 && k < 5);
	static const int ends[6][2] = {{0, 1}, {1, 2}, {1, 3}, {2, 4}, {3, 4}, {4, 5}};
	for (int k = 0; k < 6; k++) {
		net_link(t, t->v[ends[k][0]], t->v[ends[k][1]], 64, 1500, 0, 0, &i[k][0], &i[k][1]);
		uint32_t net = k == 0 ? A & 0xffffff00 : k == 5 ? B & 0xffffff00 : 0xac100000 + (uint32_t)k * 256;
		assert_int_equal(net_addr(t->v[ends[k][0]], i[k][0], k == 5 ? B_GW : net + 1, 24), 0);
		assert_int_equal(net_addr(t->v[ends[k][1]], i[k][1], k == 0 ? A_GW : k == 5 ? B : net + 2, 24), 0);
	}
	assert_int_equal(net_route(t->v[0], 0, 0, A_GW), 0);
	assert_int_equal(net_route(t->v[5], 0, 0, B_GW), 0);
	assert_int_equal(net_route(t->v[1], B & 0xffffff00, 24, 0xac100102), 0); /* by r2 */
	assert_int_equal(net_route(t->v[1], B & 0xffffff00, 24, 0xac100202), 0); /* by r3 */
	assert_int_equal(net_route(t->v[2], B & 0xffffff00, 24, 0xac100302), 0);
	assert_int_equal(net_route(t->v[3], B & 0xffffff00, 24, 0xac100402), 0);
	for (int k = 2; k < 5; k++)
		assert_int_equal(net_route(t->v[k], A & 0xffffff00, 24, k == 2 ? 0xac100101 : k == 3 ? 0xac100201 : 0xac100301), 0);
	return t;
}

static void req_RT4_004__a_flow_keeps_its_path_and_both_are_used(void **state)
{
	struct net *t = diamond();
	via_sock r = net_open(t->v[5], VIA_DGRAM);
	struct via_sockaddr at = net_at(0, 5);
	uint64_t r2 = 0, r3 = 0;
	int by_r2 = 0, by_r3 = 0;
	char c;
	via_bind(t->v[5], r, &at);
	for (int flow = 0; flow < 60; flow++) {
		via_sock s = udp_to(t->v[0], B, 5, 0);
		for (int k = 0; k < 5; k++) {
			assert_int_equal(via_send(t->v[0], s, "x", 1, 0), 1);
			assert_true(net_run(t, t->now + NS_PER_MS));
			assert_int_equal(via_recv(t->v[5], r, &c, 1, 0), 1);
		}
		uint64_t d2 = net_counter(t->v[2], "ip.forwarded") - r2, d3 = net_counter(t->v[3], "ip.forwarded") - r3;
		assert_true((d2 == 5 && d3 == 0) || (d2 == 0 && d3 == 5));
		by_r2 += d2 == 5;
		by_r3 += d3 == 5;
		r2 += d2;
		r3 += d3;
		via_close(t->v[0], s);
	}
	/* 60 fair coins: fewer than 10 of one kind has a probability below 1e-7 */
	assert_true(by_r2 >= 10 && by_r3 >= 10);
	assert_int_equal(t->seen.drops, 0);
	net_free(t);
}

static void req_RT4_014__a_link_goes_down_and_traffic_moves(void **state)
{
	struct net *t = diamond();
	via_sock r = net_open(t->v[5], VIA_DGRAM);
	struct via_sockaddr at = net_at(0, 5);
	via_sock s[20];
	char c;
	via_bind(t->v[5], r, &at);
	for (int k = 0; k < 20; k++)
		s[k] = udp_to(t->v[0], B, 5, 0);
	pipe_driver(t->pipe[1], 0)->up = pipe_driver(t->pipe[1], 1)->up = false; /* r1 - r2 */
	via_iface_updown(t->v[1], 3);
	via_iface_updown(t->v[2], 2);
	for (int k = 0; k < 20; k++)
		assert_int_equal(via_send(t->v[0], s[k], "x", 1, 0), 1);
	assert_true(net_run(t, t->now + NS_PER_MS));
	for (int k = 0; k < 20; k++)
		assert_int_equal(via_recv(t->v[5], r, &c, 1, 0), 1);
	assert_int_equal(net_counter(t->v[2], "ip.forwarded"), 0);
	assert_int_equal(net_counter(t->v[3], "ip.forwarded"), 20);
	struct via_iface_info i = {.size = sizeof(i)};
	assert_true(via_iface_get(t->v[1], 2, &i));
	assert_int_equal(i.ifindex, 3);
	assert_false(i.up);
	/* and comes back */
	pipe_driver(t->pipe[1], 0)->up = pipe_driver(t->pipe[1], 1)->up = true;
	via_iface_updown(t->v[1], 3);
	via_iface_updown(t->v[2], 2);
	for (int k = 0; k < 20; k++)
		assert_int_equal(via_send(t->v[0], s[k], "x", 1, 0), 1);
	assert_true(net_run(t, t->now + NS_PER_MS));
	for (int k = 0; k < 20; k++)
		assert_int_equal(via_recv(t->v[5], r, &c, 1, 0), 1);
	assert_true(net_counter(t->v[2], "ip.forwarded") > 0);
	net_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(req_RT4_003__ttl_and_time_exceeded), cmocka_unit_test(unreachable__no_route_and_dead_neighbour),
		cmocka_unit_test(req_PM_007__fragmentation_needed_names_the_mtu), cmocka_unit_test(req_RT4_001__a_host_does_not_forward),
		cmocka_unit_test(req_RT4_006__directed_broadcast_is_not_forwarded),
		cmocka_unit_test(req_RT4_004__a_flow_keeps_its_path_and_both_are_used),
		cmocka_unit_test(req_RT4_014__a_link_goes_down_and_traffic_moves),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
