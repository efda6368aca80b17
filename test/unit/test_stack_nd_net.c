/* test_stack_nd_net.c - two hosts and a router with nothing configured but what the router advertises, in virtual time: addresses by
 * SLAAC, the default route by advertisements, ping and TCP through, and a neighbour whose MAC changes under a connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "stack/nd.h"
#include "stacks.h"
#include "wire/addr.h"

struct lan {
	struct net *t;
	struct via *h1, *r, *h2;
	int i1, r1, r2, i2;
};

static void set(struct via *v, int ifindex, enum via_setting s, int64_t value)
{
	assert_int_equal(via_configure(v, &(struct via_change){.kind = VIA_SET, .ifindex = ifindex, .setting = s, .value = value}), 0);
}

/* The router has an address of the prefix, which is its route, and tells everybody. */
static void advertise(struct via *r, int ifindex, const char *prefix, const char *addr)
{
	struct via_change c = {.kind = VIA_SET, .ifindex = ifindex, .setting = VIA_SET_RA_PREFIX, .value = 1, .addr = net_name(prefix),
			       .plen = 64};
	set(r, ifindex, VIA_SET_IPV6, 1);
	assert_int_equal(net_addr6(r, ifindex, addr, 64), 0);
	assert_int_equal(via_configure(r, &c), 0);
	set(r, ifindex, VIA_SET_RA, 1);
}

static struct lan lan_new(uint32_t gso)
{
	struct lan l = {.t = net_new()};
	l.h1 = net_stack(l.t, "h1", false);
	l.r = net_stack(l.t, "r", true);
	l.h2 = net_stack(l.t, "h2", false);
	net_link(l.t, l.h1, l.r, 256, 1500, gso, 0, &l.i1, &l.r1);
	net_link(l.t, l.r, l.h2, 256, 1500, gso, 0, &l.r2, &l.i2);
	advertise(l.r, l.r1, "2001:db8:1::", "2001:db8:1::1");
	advertise(l.r, l.r2, "2001:db8:2::", "2001:db8:2::1");
	set(l.h1, l.i1, VIA_SET_IPV6, 1);
	set(l.h2, l.i2, VIA_SET_IPV6, 1);
	assert_true(net_run(l.t, l.t->now + 15 * NS_PER_S));
	return l;
}

/* The host's address from a prefix. */
static struct via_addr global(struct via *v)
{
	struct via_addr_info i = {.size = sizeof(i)};
	for (int n = 0; via_addr_get(v, n, &i); n++)
		if (i.autoconf)
			return i.addr;
	fail_msg("no address from a prefix");
	return i.addr;
}

/* n bytes from h1 to h2, echoed as they come; returns how many came back whole. */
static uint32_t talk(struct lan *l, via_sock c, via_sock s, uint32_t n)
{
	static uint8_t out[65536], in[65536];
	uint32_t sent = 0, there = 0, back = 0;
	for (uint32_t k = 0; k < sizeof(out); k++)
		out[k] = (uint8_t)(k * 7 + k / 251);
	for (int step = 0; step < 20000 && back < n; step++) {
		int64_t got = via_send(l->h1, c, out + sent % 65536, MIN(n - sent, 65536 - sent % 65536), 0);
		sent += got > 0 ? (uint32_t)got : 0;
		got = via_recv(l->h2, s, in, sizeof(in), 0);
		if (got > 0) {
			for (int64_t k = 0; k < got; k++)
				assert_int_equal(in[k], out[(there + (uint64_t)k) % 65536]);
			there += (uint32_t)got;
			assert_int_equal(via_send(l->h2, s, in, (uint32_t)got, 0), got);
		}
		got = via_recv(l->h1, c, in, sizeof(in), 0);
		back += got > 0 ? (uint32_t)got : 0;
		via_flush(l->h1, l->t->now);
		via_flush(l->h2, l->t->now);
		assert_true(net_run(l->t, l->t->now + NS_PER_MS));
	}
	return back;
}

static via_sock meet(struct lan *l, const struct via_addr *to, via_sock *server)
{
	struct via_sockaddr at = {.addr = *to, .port = 80};
	via_sock listener = net_open(l->h2, VIA_STREAM), c = net_open(l->h1, VIA_STREAM);
	assert_int_equal(via_bind(l->h2, listener, &at), 0);
	assert_int_equal(via_listen(l->h2, listener, 4), 0);
	assert_int_equal(via_connect(l->h1, c, &at), -EINPROGRESS);
	via_flush(l->h1, l->t->now);
	assert_true(net_run(l->t, l->t->now + 100 * NS_PER_MS));
	assert_int_equal(via_accept(l->h2, listener, 0, server, NULL), 0);
	via_close(l->h2, listener);
	return c;
}

static void sa__two_hosts_and_a_router(void **state)
{
	struct lan l = lan_new(0);
	struct via_addr a1 = global(l.h1), a2 = global(l.h2), p1 = net_name("2001:db8:1::"), p2 = net_name("2001:db8:2::");
	assert_true(addr_in_prefix(&a1, &p1, 64) && addr_in_prefix(&a2, &p2, 64));
	struct via_route_info r = {.size = sizeof(r)};
	bool has_default = false;
	for (int n = 0; via_route_get(l.h1, n, &r); n++)
		has_default |= r.plen == 0 && addr_is_fe80(&r.gateway) && r.ifindex == l.i1;
	assert_true(has_default);
	/* ping */
	via_sock p = net_open(l.h1, VIA_PING);
	uint8_t echo[16] = {ICMP6_ECHO, 0, 0, 0, 0, 0, 0, 1, 'h', 'e', 'l', 'l', 'o'}, in[64];
	struct via_sockaddr to = {.addr = a2}, from;
	assert_int_equal(via_sendto(l.h1, p, echo, sizeof(echo), 0, &to), sizeof(echo));
	via_flush(l.h1, l.t->now);
	assert_true(net_run(l.t, l.t->now + 100 * NS_PER_MS));
	assert_int_equal(via_recvfrom(l.h1, p, in, sizeof(in), 0, &from, NULL), sizeof(echo));
	assert_memory_equal(from.addr.b, a2.b, 16);
	assert_int_equal(in[0], ICMP6_ECHO_REPLY);
	assert_memory_equal(in + 8, "hello", 5);
	via_close(l.h1, p);
	/* TCP */
	via_sock s, c = meet(&l, &a2, &s);
	struct via_sockaddr peer;
	assert_int_equal(via_peer(l.h2, s, &peer), 0);
	assert_memory_equal(peer.addr.b, a1.b, 16); /* its address of the prefix, not the link-local one */
	assert_int_equal(talk(&l, c, s, 300000), 300000);
	via_close(l.h1, c);
	via_close(l.h2, s);
	assert_true(net_run(l.t, l.t->now + 120 * NS_PER_S));
	net_free(l.t);
}

/* The router's interface gets another MAC while a connection runs: nobody says so, and unreachability detection finds it. */
static void req_ND_006__a_connection_outlives_its_routers_mac(void **state)
{
	struct lan l = lan_new(0);
	struct via_addr a2 = global(l.h2);
	via_sock s, c = meet(&l, &a2, &s);
	assert_int_equal(talk(&l, c, s, 10000), 10000);
	iface_at(l.r, (uint32_t)l.r1)->mac[5] ^= 0x40;
	int64_t begun = l.t->now;
	assert_int_equal(talk(&l, c, s, 10000), 10000);
	/* TCP's doubt after a time-out or two, 5 s of grace, 3 questions, and one to all */
	assert_in_range(l.t->now - begun, 5 * NS_PER_S, 60 * NS_PER_S);
	assert_int_equal(talk(&l, c, s, 100000), 100000);
	via_close(l.h1, c);
	via_close(l.h2, s);
	assert_true(net_run(l.t, l.t->now + 120 * NS_PER_S));
	net_free(l.t);
}

/* The router goes: its final advertisements take the route away; one that dies silently is missed when its lifetime ends. */
static void req_ND_009__the_router_leaves(void **state)
{
	struct lan l = lan_new(0);
	struct via_addr a2 = global(l.h2);
	struct via_sockaddr to = {.addr = a2, .port = 9};
	via_sock u = net_open(l.h1, VIA_DGRAM);
	assert_int_equal(via_sendto(l.h1, u, "x", 1, 0, &to), 1);
	set(l.r, l.r1, VIA_SET_RA, 0);
	assert_true(net_run(l.t, l.t->now + 10 * NS_PER_S));
	assert_int_equal(via_sendto(l.h1, u, "x", 1, 0, &to), -ENETUNREACH);
	set(l.r, l.r1, VIA_SET_RA, 1);
	assert_true(net_run(l.t, l.t->now + 10 * NS_PER_S));
	assert_int_equal(via_sendto(l.h1, u, "x", 1, 0, &to), 1);
	via_close(l.h1, u);
	assert_true(net_run(l.t, l.t->now + 10 * NS_PER_S));
	net_free(l.t);
}

/* Twice the same, event by event. */
static void nd__a_seed_replays_the_run(void **state)
{
	uint64_t hash[2];
	for (int k = 0; k < 2; k++) {
		struct lan l = lan_new(0);
		assert_true(net_run(l.t, l.t->now + 1000 * NS_PER_S));
		hash[k] = l.t->seen.hash;
		net_free(l.t);
	}
	assert_true(hash[0] == hash[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sa__two_hosts_and_a_router), cmocka_unit_test(req_ND_006__a_connection_outlives_its_routers_mac),
		cmocka_unit_test(req_ND_009__the_router_leaves), cmocka_unit_test(nd__a_seed_replays_the_run),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
