/* IPv6 between stacks on pipes, a router in the middle: echo, UDP, TCP, errors, scopes. Neighbours are configured. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include "stacks.h"

#define A "2001:db8:a::1"
#define A_GW "2001:db8:a::fe"
#define B "2001:db8:b::1"
#define B_GW "2001:db8:b::fe"

/* a - r - b, the second link with an MTU of its own. Stacks 0, 1, 2. */
static struct net *line(uint32_t mtu, uint32_t gso)
{
	struct net *t = net_new();
	struct via *a = net_stack(t, "a", false), *r = net_stack(t, "r", true), *b = net_stack(t, "b", false);
	int ia, ra, rb, ib;
	net_link(t, a, r, 64, 1500, gso, 0, &ia, &ra);
	net_link(t, r, b, 64, mtu, gso, 0, &rb, &ib);
	assert_int_equal(net_addr6(a, ia, A, 64), 0);
	assert_int_equal(net_addr6(r, ra, A_GW, 64), 0);
	assert_int_equal(net_addr6(r, rb, B_GW, 64), 0);
	assert_int_equal(net_addr6(b, ib, B, 64), 0);
	assert_int_equal(net_route6(a, "::", 0, A_GW), 0);
	assert_int_equal(net_route6(b, "::", 0, B_GW), 0);
	net_know(t, 0, a, ia, 1, A_GW);
	net_know(t, 0, r, ra, 0, A);
	net_know(t, 1, r, rb, 1, B);
	net_know(t, 1, b, ib, 0, B_GW);
	return t;
}

static struct via_sockaddr at6(const char *addr, uint16_t port)
{
	return (struct via_sockaddr){.addr = net_name(addr), .port = port};
}

static void expect_from(const struct via_sockaddr *got, const char *addr, uint16_t port)
{
	struct via_addr want = net_name(addr);
	assert_true(via_addr_eq(&got->addr, &want));
	assert_int_equal(got->port, port);
}

static void ping(struct net *t, struct via *v, const char *to, uint32_t len)
{
	uint8_t msg[2000], back[2000];
	struct via_sockaddr at = at6(to, 0), from;
	via_sock s = net_open(v, VIA_PING);
	for (uint32_t i = 0; i < len; i++)
		msg[i] = (uint8_t)(i * 7);
	icmp6_emit(msg, &(struct icmp6_hdr){.type = ICMP6_ECHO, .rest = 5});
	assert_int_equal(via_sendto(v, s, msg, len, 0, &at), len);
	assert_true(net_run(t, t->now + NS_PER_MS));
	assert_int_equal(via_recvfrom(v, s, back, sizeof(back), 0, &from, NULL), len);
	expect_from(&from, to, 0);
	assert_int_equal(back[0], ICMP6_ECHO_REPLY);
	assert_int_equal(get_be16(back + 6), 5);
	assert_memory_equal(back + 8, msg + 8, len - 8);
	via_close(v, s);
}

static void req_IC6_004__echo_through_a_router(void **state)
{
	struct net *t = line(1500, 0);
	for (uint32_t len = 8; len < 1400; len += 61)
		ping(t, t->v[0], B, len);
	ping(t, t->v[2], A, 64);
	ping(t, t->v[2], A_GW, 64); /* any address of the router's */
	ping(t, t->v[0], A, 64);    /* oneself, and ::1 */
	ping(t, t->v[0], "::1", 64);
	net_free(t);
}

static void udp__through_a_router_and_back(void **state)
{
	struct net *t = line(1500, 0);
	via_sock s = net_open(t->v[2], VIA_DGRAM), c = net_open(t->v[0], VIA_DGRAM);
	struct via_sockaddr any = at6("::", 7), b = at6(B, 7), from, local;
	char buf[1600];
	memset(buf, 'x', sizeof(buf));
	assert_int_equal(via_bind(t->v[2], s, &any), 0);
	assert_int_equal(via_sendto(t->v[0], c, buf, 1452, 0, &b), 1452); /* 1500 on the wire */
	assert_true(net_run(t, t->now + NS_PER_MS));
	assert_int_equal(via_recvfrom(t->v[2], s, buf, sizeof(buf), 0, &from, &local), 1452);
	expect_from(&local, B, 7);
	assert_int_equal(via_local(t->v[0], c, &local), 0);
	expect_from(&from, A, local.port);
	assert_int_equal(via_sendto(t->v[2], s, "answer", 6, 0, &from), 6);
	assert_true(net_run(t, t->now + NS_PER_MS));
	assert_int_equal(via_recvfrom(t->v[0], c, buf, sizeof(buf), 0, &from, NULL), 6);
	expect_from(&from, B, 7);
	assert_memory_equal(buf, "answer", 6);
	net_free(t);
}

static void udp__closed_port_is_refused(void **state)
{
	struct net *t = line(1500, 0);
	via_sock c = net_open(t->v[0], VIA_DGRAM);
	struct via_sockaddr b = at6(B, 7);
	struct via_addr want = net_name(B);
	char x;
	assert_int_equal(via_connect(t->v[0], c, &b), 0);
	assert_int_equal(via_send(t->v[0], c, "1", 1, 0), 1);
	assert_true(net_run(t, t->now + NS_PER_MS));
	assert_int_equal(t->seen.last_icmp[0], ICMP6_UNREACH);
	assert_int_equal(t->seen.last_icmp[1], ICMP6_NO_PORT);
	assert_true(via_addr_eq(&t->seen.last_icmp_from, &want));
	assert_int_equal(via_recv(t->v[0], c, &x, 1, 0), -ECONNREFUSED);
	net_free(t);
}

static uint8_t pattern(uint32_t i)
{
	return (uint8_t)(i ^ i >> 8 ^ i >> 16);
}

/* `total` bytes from stack 0 to stack 2, byte for byte. */
static void tcp_bulk(struct net *t, const char *to, uint32_t total)
{
	static uint8_t buf[32768];
	struct via *a = t->v[0], *b = t->v[2];
	struct via_sockaddr any = at6("::", 80), dst = at6(to, 80), peer;
	via_sock l = net_open(b, VIA_STREAM), c = net_open(a, VIA_STREAM), s = 0;
	uint32_t sent = 0, got = 0;
	assert_int_equal(via_bind(b, l, &any), 0);
	assert_int_equal(via_listen(b, l, 5), 0);
	assert_int_equal(via_connect(a, c, &dst), -EINPROGRESS);
	for (int turn = 0; turn < 100000 && got < total; turn++) {
		uint32_t n = MIN(total - sent, (uint32_t)sizeof(buf));
		for (uint32_t i = 0; i < n; i++)
			buf[i] = pattern(sent + i);
		int64_t k = via_send(a, c, buf, n, 0);
		sent += k > 0 ? (uint32_t)k : 0;
		assert_true(net_run(t, t->now + NS_PER_MS));
		if (!s && via_accept(b, l, 0, &s, &peer) == 0)
			assert_int_equal(via_addr_is_v4(&peer.addr), 0);
		while (s && (k = via_recv(b, s, buf, sizeof(buf), 0)) > 0)
			for (int64_t i = 0; i < k; i++)
				assert_int_equal(buf[i], pattern(got++));
	}
	assert_int_equal(got, total);
	via_close(a, c);
	via_close(b, s);
	via_close(b, l);
	assert_true(net_run(t, t->now + 200 * NS_PER_S));
}

static void tcp__through_a_router(void **state)
{
	struct net *t = line(1500, 0);
	tcp_bulk(t, B, 1000000);
	assert_int_equal(t->seen.dropped[DROP_TCP_CSUM], 0);
	net_free(t);
}

static void tcp__superframes_whole_and_cut(void **state)
{
	struct net *t = line(1500, 65535);
	tcp_bulk(t, B, 1000000);
	assert_true(t->seen.tx_super > 0);
	net_free(t);
}

static void tcp__closed_port_is_reset(void **state)
{
	struct net *t = line(1500, 0);
	via_sock c = net_open(t->v[0], VIA_STREAM);
	struct via_sockaddr b = at6(B, 81);
	int err = 0;
	uint32_t len = sizeof(err);
	assert_int_equal(via_connect(t->v[0], c, &b), -EINPROGRESS);
	assert_true(net_run(t, t->now + NS_PER_MS));
	assert_int_equal(via_getsockopt(t->v[0], c, SOL_SOCKET, SO_ERROR, &err, &len), 0);
	assert_int_equal(err, ECONNREFUSED);
	net_free(t);
}

static void req_IP6_015__hop_limit_zero(void **state)
{
	struct net *t = line(1500, 0);
	via_sock s = net_open(t->v[2], VIA_DGRAM), c = net_open(t->v[0], VIA_DGRAM);
	struct via_sockaddr any = at6("::", 7), b = at6(B, 7);
	struct via_addr gw = net_name(A_GW);
	int one = 1, two = 2;
	char x;
	assert_int_equal(via_bind(t->v[2], s, &any), 0);
	assert_int_equal(via_connect(t->v[0], c, &b), 0);
	assert_int_equal(via_setsockopt(t->v[0], c, SOL_IP, IP_RECVERR, &one, sizeof(one)), 0);
	assert_int_equal(via_setsockopt(t->v[0], c, SOL_IP, IP_TTL, &one, sizeof(one)), 0);
	assert_int_equal(via_send(t->v[0], c, "1", 1, 0), 1);
	assert_true(net_run(t, t->now + NS_PER_MS));
	assert_int_equal(t->seen.dropped[DROP_IP_TTL], 1);
	assert_int_equal(t->seen.last_icmp[0], ICMP6_TIME_EXCEEDED);
	assert_int_equal(t->seen.last_icmp[1], 0);
	assert_true(via_addr_eq(&t->seen.last_icmp_from, &gw));
	assert_int_equal(via_recv(t->v[0], c, &x, 1, 0), -EHOSTUNREACH);
	assert_int_equal(via_setsockopt(t->v[0], c, SOL_IP, IP_TTL, &two, sizeof(two)), 0);
	assert_int_equal(via_send(t->v[0], c, "2", 1, 0), 1);
	assert_true(net_run(t, t->now + NS_PER_MS));
	assert_int_equal(via_recv(t->v[2], s, &x, 1, 0), 1);
	assert_int_equal(x, '2');
	net_free(t);
}

static void scope__link_local_addresses_need_one(void **state)
{
	struct net *t = line(1500, 0);
	struct via *a = t->v[0], *r = t->v[1];
	/* the same link-local address on both of the router's interfaces */
	assert_int_equal(net_addr6(a, 2, "fe80::1", 64), 0);
	assert_int_equal(net_addr6(t->v[2], 2, "fe80::1", 64), 0);
	assert_int_equal(net_addr6(r, 2, "fe80::fe", 64), 0);
	assert_int_equal(net_addr6(r, 3, "fe80::fe", 64), 0);
	net_know(t, 0, a, 2, 1, "fe80::fe");
	net_know(t, 0, r, 2, 0, "fe80::1");
	net_know(t, 1, r, 3, 1, "fe80::1");
	net_know(t, 1, t->v[2], 2, 0, "fe80::fe");
	ping(t, a, "fe80::fe%2", 64);
	ping(t, r, "fe80::1%2", 64);
	ping(t, r, "fe80::1%3", 64);
	ping(t, r, "fe80::fe%3", 64); /* oneself */
	via_sock s = net_open(r, VIA_DGRAM);
	struct via_sockaddr none = at6("fe80::1", 7), wrong = at6("fe80::1%9", 7), own = at6("fe80::fe%2", 0);
	assert_int_equal(via_sendto(r, s, "1", 1, 0, &none), -EINVAL);
	assert_int_equal(via_sendto(r, s, "1", 1, 0, &wrong), -ENETUNREACH);
	assert_int_equal(via_bind(r, s, &own), 0); /* the other end's scope is this one's, then */
	assert_int_equal(via_sendto(r, s, "1", 1, 0, &none), 1);
	net_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(req_IC6_004__echo_through_a_router), cmocka_unit_test(udp__through_a_router_and_back),
		cmocka_unit_test(udp__closed_port_is_refused), cmocka_unit_test(tcp__through_a_router),
		cmocka_unit_test(tcp__superframes_whole_and_cut), cmocka_unit_test(tcp__closed_port_is_reset),
		cmocka_unit_test(req_IP6_015__hop_limit_zero), cmocka_unit_test(scope__link_local_addresses_need_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
