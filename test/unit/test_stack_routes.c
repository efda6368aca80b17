/* Routes on stacks: ways that lead nowhere, weights, links that go down. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include "stacks.h"

#define A 0x0a000001u    /* host a: 10.0.0.1 */
#define GW1 0x0a0000feu  /* its router r1 */
#define B 0x0a010001u    /* host b: 10.1.0.1, beyond both */
#define LINK1 0xac100100u /* 172.16.1.0: a's wire to r2 */

/* a - r - b, the second link with the given MTU; the router's interfaces are 2 and 3. Stacks 0, 1, 2. */
static struct net *line(uint32_t mtu)
{
	struct net *t = net_new();
	struct via *a = net_stack(t, "a", false), *r = net_stack(t, "r", true), *b = net_stack(t, "b", false);
	int ia, ra, rb, ib;
	net_link(t, a, r, 64, 1500, 0, 0, &ia, &ra);
	net_link(t, r, b, 64, mtu, 0, 0, &rb, &ib);
	assert_int_equal(net_addr(a, ia, A, 24), 0);
	assert_int_equal(net_addr(r, ra, GW1, 24), 0);
	assert_int_equal(net_addr(r, rb, B + 253, 24), 0);
	assert_int_equal(net_addr(b, ib, B, 24), 0);
	assert_int_equal(net_route(a, 0, 0, GW1), 0);
	assert_int_equal(net_route(b, 0, 0, B + 253), 0);
	return t;
}

static int nowhere(struct via *v, uint32_t dst, uint8_t plen, enum via_route_type type)
{
	struct via_change c = {.kind = VIA_ROUTE_ADD, .addr = via_addr_v4(dst), .plen = plen, .route_type = type};
	return via_configure(v, &c);
}

static int weighted(struct via *v, uint32_t dst, uint8_t plen, uint32_t gw, uint16_t weight)
{
	struct via_change c = {.kind = VIA_ROUTE_ADD, .addr = via_addr_v4(dst), .plen = plen, .gateway = via_addr_v4(gw), .weight = weight};
	return via_configure(v, &c);
}

static void set_on(struct via *v, int ifindex, enum via_setting which, int64_t value)
{
	struct via_change c = {.kind = VIA_SET, .ifindex = ifindex, .setting = which, .value = value};
	assert_int_equal(via_configure(v, &c), 0);
}

/* An unconnected UDP socket of v's sends n bytes to dst. What came of it. */
static int64_t send_to(struct net *t, struct via *v, uint32_t dst, size_t n, int how)
{
	static const char data[1500];
	via_sock s = net_open(v, VIA_DGRAM);
	struct via_sockaddr at = net_at(dst, 5);
	assert_int_equal(via_setsockopt(v, s, IPPROTO_IP, IP_MTU_DISCOVER, &how, sizeof(how)), 0);
	int64_t sent = via_sendto(v, s, data, n, 0, &at);
	assert_true(net_run(t, t->now + NS_PER_MS));
	via_close(v, s);
	return sent;
}

/* Type and code of the ICMP error that was sent last, type << 8 | code; -1: none since the last call. */
static int error_seen(struct net *t)
{
	int seen = t->seen.last_icmp[2] ? t->seen.last_icmp[0] << 8 | t->seen.last_icmp[1] : -1;
	memset(t->seen.last_icmp, 0, 3);
	return seen;
}

#define UNREACH(code) (ICMP4_UNREACH << 8 | (code))

static void req_RT4_005__codes_say_why(void **state)
{
	struct net *t = line(1400);
	struct via *a = t->v[0], *r = t->v[1];
	assert_int_equal(nowhere(r, 0x0b010000, 16, VIA_ROUTE_BLACKHOLE), 0);
	assert_int_equal(nowhere(r, 0x0b020000, 16, VIA_ROUTE_PROHIBIT), 0);
	assert_int_equal(nowhere(r, 0x0b030000, 16, VIA_ROUTE_UNREACHABLE), 0);
	assert_int_equal(net_route(r, 0x0b000000, 8, B), 0); /* the longest match counts, also when it leads nowhere */
	assert_int_equal(send_to(t, a, 0x0c000001, 10, IP_PMTUDISC_DONT), 10);
	assert_int_equal(error_seen(t), UNREACH(0)); /* no route */
	assert_int_equal(send_to(t, a, 0x0b010001, 10, IP_PMTUDISC_DONT), 10);
	assert_int_equal(error_seen(t), -1); /* a black hole says nothing */
	assert_int_equal(send_to(t, a, 0x0b020001, 10, IP_PMTUDISC_DONT), 10);
	assert_int_equal(error_seen(t), UNREACH(13)); /* filtered */
	assert_int_equal(send_to(t, a, 0x0b030001, 10, IP_PMTUDISC_DONT), 10);
	assert_int_equal(error_seen(t), UNREACH(1));
	assert_int_equal(send_to(t, a, B + 7, 10, IP_PMTUDISC_DONT), 10);
	assert_true(net_run(t, t->now + 4 * NS_PER_S));
	assert_int_equal(error_seen(t), UNREACH(1)); /* nobody answers ARP */
	assert_int_equal(send_to(t, a, B, 1400, IP_PMTUDISC_DO), 1400);
	assert_int_equal(t->seen.last_icmp_rest, 1400);
	assert_int_equal(error_seen(t), UNREACH(4)); /* fragmentation needed */
	assert_int_equal(t->seen.dropped[DROP_IP_NO_ROUTE], 1);
	assert_int_equal(t->seen.dropped[DROP_IP_BLACKHOLE], 1);
	assert_int_equal(t->seen.dropped[DROP_IP_PROHIBITED], 1);
	assert_int_equal(t->seen.dropped[DROP_IP_UNREACHABLE], 1);
	assert_int_equal(t->seen.dropped[DROP_ARP_FAILED], 1);
	assert_int_equal(t->seen.dropped[DROP_IP_MTU], 1);
	net_free(t);
}

/* Linux's fib_props: EINVAL, EACCES, EHOSTUNREACH; without a route ENETUNREACH. */
static void req_RT4_005__senders_here_are_told_as_in_linux(void **state)
{
	static const struct { uint32_t net; enum via_route_type type; int err; } rows[] = {
		{0x0b010000, VIA_ROUTE_BLACKHOLE, -EINVAL}, {0x0b020000, VIA_ROUTE_PROHIBIT, -EACCES},
		{0x0b030000, VIA_ROUTE_UNREACHABLE, -EHOSTUNREACH}};
	struct net *t = line(1500);
	struct via *a = t->v[0];
	struct via_change bad = {.kind = VIA_ROUTE_ADD, .addr = via_addr_v4(0x0d000000), .plen = 8, .gateway = via_addr_v4(GW1),
				 .route_type = VIA_ROUTE_PROHIBIT};
	assert_int_equal(via_configure(a, &bad), -EINVAL); /* it has no gateway */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct via_sockaddr at = net_at(rows[i].net + 1, 5), from = net_at(A, 77);
		via_sock u = net_open(a, VIA_DGRAM), s = net_open(a, VIA_STREAM), was = net_open(a, VIA_DGRAM), bound = net_open(a, VIA_STREAM);
		assert_int_equal(via_connect(a, was, &at), 0); /* by the default route */
		assert_int_equal(nowhere(a, rows[i].net, 16, rows[i].type), 0);
		assert_int_equal(nowhere(a, rows[i].net, 16, rows[i].type), -EEXIST);
		assert_int_equal(net_route(a, rows[i].net, 16, GW1), -EEXIST);
		assert_int_equal(via_sendto(a, u, "x", 1, 0, &at), rows[i].err);
		assert_int_equal(via_connect(a, u, &at), rows[i].err);
		assert_int_equal(via_connect(a, s, &at), rows[i].err);
		assert_int_equal(via_bind(a, bound, &from), 0);
		assert_int_equal(via_connect(a, bound, &at), rows[i].err);
		assert_int_equal(via_send(a, was, "x", 1, 0), rows[i].err);
		struct via_change del = {.kind = VIA_ROUTE_DEL, .addr = via_addr_v4(rows[i].net), .plen = 16, .route_type = rows[i].type};
		assert_int_equal(via_configure(a, &del), 0);
		assert_int_equal(via_send(a, was, "x", 1, 0), 1);
		via_close(a, u);
		via_close(a, s);
		via_close(a, was);
		via_close(a, bound);
	}
	struct via_route_info info = {.size = sizeof(info)};
	assert_int_equal(nowhere(a, 0x0b010000, 16, VIA_ROUTE_BLACKHOLE), 0);
	assert_true(via_route_get(a, 1, &info)); /* behind 10.0.0.0/24 */
	assert_int_equal(info.type, VIA_ROUTE_BLACKHOLE);
	assert_int_equal(info.plen, 16);
	net_free(t);
}

/* ---- two routers ---- */

/* a stands between r1 (interface 2) and r2 (3), both of which lead to b. Stacks a, r1, r2, b. */
static struct net *two(uint16_t w1, uint16_t w2)
{
	struct net *t = net_new();
	struct via *a = net_stack(t, "a", false), *r1 = net_stack(t, "r1", true), *r2 = net_stack(t, "r2", true), *b = net_stack(t, "b", false);
	int i[4][2];
	net_link(t, a, r1, 64, 1500, 0, 0, &i[0][0], &i[0][1]);
	net_link(t, a, r2, 64, 1500, 0, 0, &i[1][0], &i[1][1]);
	net_link(t, r1, b, 64, 1500, 0, 0, &i[2][0], &i[2][1]);
	net_link(t, r2, b, 64, 1500, 0, 0, &i[3][0], &i[3][1]);
	net_addr(a, i[0][0], A, 24);
	net_addr(a, i[1][0], LINK1 + 1, 24);
	net_addr(r1, i[0][1], GW1, 24);
	net_addr(r2, i[1][1], LINK1 + 254, 24);
	net_addr(r1, i[2][0], 0x0a0100fe, 24);
	net_addr(r2, i[3][0], 0x0a0200fe, 24);
	net_addr(b, i[2][1], B, 24);
	net_addr(b, i[3][1], 0x0a020001, 24);
	net_route(r2, B & 0xffffff00, 24, 0x0a020001);
	net_route(b, A & 0xffffff00, 24, 0x0a0100fe);
	net_route(b, LINK1, 24, 0x0a0200fe);
	set_on(b, 0, VIA_SET_FORWARDING, 1); /* the weak host model: B is asked for by either interface */
	set_on(b, 0, VIA_SET_ICMP_ERRORS, 0); /* nothing comes back by r1: what it forwards is a's */
	if (w1)
		assert_int_equal(weighted(a, 0, 0, GW1, w1), 0);
	if (w2)
		assert_int_equal(weighted(a, 0, 0, LINK1 + 254, w2), 0);
	return t;
}
enum { FLOWS = 400 };

/* FLOWS flows from a to b, each from a port of its own; which way each went. */
static void flows_go(struct net *t, uint8_t by[FLOWS])
{
	for (int f = 0; f < FLOWS; f++) {
		struct via_sockaddr from = net_at(A, (uint16_t)(2000 + f)), to = net_at(B, 5);
		uint64_t r1 = net_counter(t->v[1], "ip.forwarded"), r2 = net_counter(t->v[2], "ip.forwarded");
		via_sock s = net_open(t->v[0], VIA_DGRAM);
		assert_int_equal(via_bind(t->v[0], s, &from), 0);
		assert_int_equal(via_sendto(t->v[0], s, "x", 1, 0, &to), 1);
		assert_true(net_run(t, t->now + NS_PER_MS));
		via_close(t->v[0], s);
		r1 = net_counter(t->v[1], "ip.forwarded") - r1;
		r2 = net_counter(t->v[2], "ip.forwarded") - r2;
		by[f] = r1 == r2 ? 0 : r1 ? 1 : 2;
	}
}

static void req_RT4_004__shares_are_as_the_weights(void **state)
{
	struct net *t = two(3, 1);
	uint8_t by[FLOWS];
	int n = 0;
	flows_go(t, by);
	for (int f = 0; f < FLOWS; f++) {
		assert_int_not_equal(by[f], 0);
		n += by[f] == 1;
	}
	assert_in_range(n, 300 - 44, 300 + 44); /* 400 flows, 3 in 4: sigma 8.7; five of them */
	net_free(t);
}

/* A link goes: its flows move with the next packet, no other flow does, and they come back with it. */
static void req_RT4_014__flows_of_other_links_stay(void **state)
{
	struct net *t = two(1, 1);
	uint8_t before[FLOWS], down[FLOWS], after[FLOWS];
	assert_int_equal(weighted(t->v[0], B & 0xffffff00, 24, GW1, 1), 0);
	flows_go(t, before); /* the longer prefix: all by r1 */
	for (int f = 0; f < FLOWS; f++)
		assert_int_equal(before[f], 1);
	pipe_driver(t->pipe[0], 0)->up = false;
	via_iface_updown(t->v[0], 2);
	flows_go(t, down); /* none of its hops is up: the shorter one */
	for (int f = 0; f < FLOWS; f++)
		assert_int_equal(down[f], 2);
	pipe_driver(t->pipe[0], 0)->up = true;
	via_iface_updown(t->v[0], 2);
	struct via_change del = {.kind = VIA_ROUTE_DEL, .addr = via_addr_v4(B), .plen = 24, .gateway = via_addr_v4(GW1)};
	assert_int_equal(via_configure(t->v[0], &del), 0);
	flows_go(t, before);
	pipe_driver(t->pipe[1], 0)->up = false;
	via_iface_updown(t->v[0], 3);
	flows_go(t, down);
	pipe_driver(t->pipe[1], 0)->up = true;
	via_iface_updown(t->v[0], 3);
	flows_go(t, after);
	int moved = 0;
	for (int f = 0; f < FLOWS; f++) {
		assert_int_equal(down[f], 1);
		assert_int_equal(after[f], before[f]);
		moved += before[f] == 2;
	}
	assert_in_range(moved, 200 - 50, 200 + 50); /* 400 fair coins: sigma 10 */
	net_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(req_RT4_005__codes_say_why), cmocka_unit_test(req_RT4_005__senders_here_are_told_as_in_linux),
		cmocka_unit_test(req_RT4_004__shares_are_as_the_weights), cmocka_unit_test(req_RT4_014__flows_of_other_links_stay),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
