/* test_stack_nd.c - neighbour discovery of a whole stack, its neighbours and routers played by hand: what is ignored, resolution,
 * unreachability, routers heard and lost, a router's own advertisements, redirects. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/socket.h>

#include "nd_world.h"

#define US net_name("2001:db8:1::1")
#define PEER net_name("2001:db8:1::99")
#define FAR net_name("2001:db8:ffff::1")

static struct nd_world w;

static int setup(void **state)
{
	nd_world_new(&w, false);
	return 0;
}
static int setup_router(void **state)
{
	nd_world_new(&w, true);
	return 0;
}
static int teardown(void **state)
{
	nd_world_free(&w);
	return 0;
}

/* IPv6 on, with a link-local address, which is given back, and an address by hand. */
static struct via_addr up(void)
{
	struct via_addr_info i;
	assert_int_equal(nd_world_set(&w, VIA_SET_IPV6, 1), 0);
	assert_int_equal(net_addr6(w.a, w.ifindex, "2001:db8:1::1", 64), 0);
	nd_world_run(&w, 20 * NS_PER_S); /* the solicitations for routers are over */
	assert_true(nd_addr(&w, true, 0, &i));
	return i.addr;
}

/* The default route's gateway and how many there are. */
static int default_routes(struct via_addr *gateway)
{
	struct via_route_info r = {.size = sizeof(r)};
	int found = 0;
	for (int n = 0; via_route_get(w.a, n, &r); n++) {
		if (r.plen == 0 && !via_addr_is_v4(&r.dst)) {
			*gateway = r.gateway;
			found++;
		}
	}
	return found;
}
static bool is_default(struct via_addr want)
{
	struct via_addr gw;
	return default_routes(&gw) == 1 && memcmp(gw.b, want.b, 16) == 0 && gw.scope == (uint32_t)w.ifindex;
}

static enum neigh_state state_of(struct via_addr a, uint8_t mac[6])
{
	struct neigh_env ne = stack_neigh_env(w.a);
	ref_t r = neigh_find(&ne, &w.a->st->neigh, (uint16_t)w.ifindex, &a);
	if (!r)
		return 0;
	memcpy(mac, neigh_at(w.a->arena, r)->mac, 6);
	return neigh_at(w.a->arena, r)->state;
}

/* A datagram of ours to somebody. */
static int say(struct via_addr to)
{
	struct via_sockaddr at = {.addr = to, .port = 9};
	via_sock s = net_open(w.a, VIA_DGRAM);
	via_flush(w.a, w.t->now); /* the stack's clock stands still while it is idle */
	int err = (int)via_sendto(w.a, s, "hello", 5, 0, &at);
	via_flush(w.a, w.t->now);
	nd_world_run(&w, NS_PER_MS);
	via_close(w.a, s);
	return err;
}

static struct nd_msg na_of(struct via_addr target, const uint8_t mac[6], bool solicited, bool is_router)
{
	struct nd_msg m = {.type = ND_NA, .target = target, .solicited = solicited, .override = true, .is_router = is_router, .has_lla = true};
	memcpy(m.lla, mac, 6);
	return m;
}
static struct nd_msg ns_of(struct via_addr target, const uint8_t mac[6])
{
	struct nd_msg m = {.type = ND_NS, .target = target, .has_lla = true};
	memcpy(m.lla, mac, 6);
	return m;
}

/* Of each kind one that is wrong in one point changes nothing and is answered by nothing. */
static void req_ND_001__the_stack_drops_silently(void **state)
{
	struct via_addr ll = up();
	struct nd_msg ra = nd_ra(1800, "2001:db8:7::", 86400, 43200), ns = ns_of(US, mac_other);
	uint8_t b[ND_EMIT_MAX], mac[6];
	size_t n;
	int before = w.n;
	uint64_t bad = net_counter(w.a, "drop.nd.bad");
	for (int wrong = 0; wrong < 5; wrong++) {
		const struct nd_msg *each[] = {&ra, &ns};
		for (int k = 0; k < 2; k++) {
			struct via_addr from = k ? PEER : ROUTER, to = k ? nd_solicited_node(&(struct via_addr){.b = {[13] = 0, [15] = 1}}) : ALL_NODES;
			n = nd_emit(b, sizeof(b), each[k]);
			if (wrong == 1)
				b[1] = 1; /* code */
			if (wrong == 2)
				n = k ? 20 : 12; /* too short */
			if (wrong == 3)
				b[n - 7 - (k ? 0 : 24)] = 0; /* an option without length */
			if (wrong == 4) { /* checksum */
				put_be16(b + 2, 0x1234);
				nd_inject_packet(&w, mac_other, from, to, IPPROTO_N_ICMP6, 255, b, n);
				continue;
			}
			nd_inject_icmp(&w, mac_other, from, to, wrong ? 255 : 254, b, n);
		}
	}
	assert_int_equal(net_counter(w.a, "drop.nd.bad") - bad, 8);
	assert_int_equal(net_counter(w.a, "drop.icmp.checksum"), 2);
	assert_int_equal(w.n, before);
	struct via_addr gw;
	assert_int_equal(default_routes(&gw), 0);
	assert_int_equal(state_of(PEER, mac), 0);
	nd_inject(&w, mac_other, PEER, nd_solicited_node(&ll), ns_of(ll, mac_other)); /* right */
	assert_int_equal(w.n, before + 1);
}

static void req_ND_002__the_stack_believes_no_router_from_afar(void **state)
{
	up();
	struct via_addr gw;
	nd_inject(&w, mac_router, PEER, ALL_NODES, nd_ra(1800, NULL, 0, 0));
	assert_int_equal(default_routes(&gw), 0);
	nd_inject(&w, mac_router, ROUTER, ALL_NODES, nd_ra(1800, NULL, 0, 0));
	assert_true(is_default(ROUTER));
}

/* A solicitation that would be answered, behind a fragment header (RFC 6980 §5): alone, and in two parts. */
static void req_ND_003__the_stack_ignores_fragments(void **state)
{
	uint8_t b[8 + ND_EMIT_MAX] = {IPPROTO_N_ICMP6, [7] = 9}, mac[6];
	struct via_addr us = US, from = PEER, to = nd_solicited_node(&us);
	struct nd_msg ns = ns_of(US, mac_other);
	up();
	size_t n = nd_emit(b + 8, sizeof(b) - 8, &ns);
	put_be16(b + 10, csum_field(csum_add(addr_pseudo(&from, &to, IPPROTO_N_ICMP6, (uint32_t)n), b + 8, n)));
	int before = w.n;
	nd_inject_packet(&w, mac_other, from, to, IPPROTO_N_FRAGMENT, 255, b, 8 + n); /* an atomic one */
	b[7] = 10;
	put_be16(b + 2, 1);
	nd_inject_packet(&w, mac_other, from, to, IPPROTO_N_FRAGMENT, 255, b, 8 + 16);
	put_be16(b + 2, 16);
	memmove(b + 8, b + 24, n - 16);
	nd_inject_packet(&w, mac_other, from, to, IPPROTO_N_FRAGMENT, 255, b, 8 + n - 16);
	assert_int_equal(nd_count(&w, before, ND_NA, NULL), 0);
	assert_int_equal(state_of(PEER, mac), 0);
	nd_inject(&w, mac_other, from, to, ns); /* and whole */
	assert_int_equal(nd_count(&w, before, ND_NA, NULL), 1);
}

/* Resolution: what is asked, of whom, how often, and what comes of it. */
static void req_ND_005__resolution_then_address_unreachable(void **state)
{
	const struct nd_sent *ns = NULL;
	struct via_addr us = US, group = nd_solicited_node(&(struct via_addr){.b = {[15] = 0x99}});
	up();
	int before = w.n;
	via_sock s = net_open(w.a, VIA_STREAM);
	via_flush(w.a, w.t->now);
	assert_int_equal(via_connect(w.a, s, &(struct via_sockaddr){.addr = PEER, .port = 80}), -EINPROGRESS);
	int64_t begun = w.t->now;
	nd_world_run(&w, NS_PER_MS);
	assert_int_equal(nd_count(&w, before, ND_NS, &ns), 1);
	assert_memory_equal(ns->dst.b, group.b, 16);
	assert_memory_equal(ns->mac, ((const uint8_t[]){0x33, 0x33, 0xff, 0, 0, 0x99}), 6);
	assert_memory_equal(ns->src.b, us.b, 16);
	assert_true(ns->m.has_lla && memcmp(ns->m.lla, iface_at(w.a, (uint32_t)w.ifindex)->mac, 6) == 0);
	nd_world_run(&w, 2900 * NS_PER_MS);
	assert_int_equal(nd_count(&w, before, ND_NS, NULL), 3);
	for (int k = 0; k < 3; k++)
		assert_in_range(w.sent[before + k].at - begun, k * NS_PER_S, k * NS_PER_S + (k + 1) * 4 * NS_PER_MS);
	assert_false(via_ready(w.a, s) & VIA_ERR);
	nd_world_run(&w, 200 * NS_PER_MS);
	assert_int_equal(nd_count(&w, before, ND_NS, NULL), 3);
	assert_true(via_ready(w.a, s) & VIA_ERR);
	int err;
	uint32_t len = sizeof(err);
	assert_int_equal(via_getsockopt(w.a, s, SOL_SOCKET, SO_ERROR, &err, &len), 0);
	assert_int_equal(err, EHOSTUNREACH);
	via_close(w.a, s);
	/* with an answer: what waited leaves */
	int others = w.n_other;
	assert_int_equal(say(PEER), 5);
	assert_int_equal(w.n_other, others);
	nd_inject(&w, mac_other, PEER, US, na_of(PEER, mac_other, true, false));
	assert_int_equal(w.n_other, others + 1);
	assert_memory_equal(w.frame, mac_other, 6);
}

static void req_ND_005__a_router_answers_address_unreachable(void **state)
{
	up();
	nd_know(&w, "2001:db8:1::99", mac_other);
	assert_int_equal(net_addr6(w.a, IFINDEX_LO, "2001:db8:50::1", 64), 0);
	uint8_t udp[12] = {0x12, 0x34, 0, 9, 0, 12, 0, 0};
	nd_inject_packet(&w, mac_other, PEER, net_name("2001:db8:1::55"), 17, 64, udp, sizeof(udp));
	int others = w.n_other;
	nd_world_run(&w, 2900 * NS_PER_MS);
	assert_int_equal(w.n_other, others);
	nd_world_run(&w, 300 * NS_PER_MS);
	assert_int_equal(w.n_other, others + 1);
	const uint8_t *icmp = w.frame + ETH_HLEN + IP6_HLEN;
	assert_true(icmp[0] == ICMP6_UNREACH && icmp[1] == ICMP6_NO_ADDRESS);
}

/* A neighbour's MAC changes without a word: it is doubted, asked at the old one, forgotten, and found again. */
static void req_ND_006__a_neighbour_with_a_new_mac_is_found(void **state)
{
	static const uint8_t mac_new[6] = {2, 0, 0, 9, 9, 0x77};
	uint8_t mac[6];
	up();
	assert_int_equal(say(PEER), 5);
	nd_inject(&w, mac_other, PEER, US, na_of(PEER, mac_other, true, false));
	assert_int_equal(state_of(PEER, mac), NEIGH_REACHABLE);
	nd_world_run(&w, 46 * NS_PER_S);
	assert_int_equal(state_of(PEER, mac), NEIGH_STALE);
	int before = w.n;
	assert_int_equal(say(PEER), 5); /* goes to the old MAC */
	assert_memory_equal(w.frame, mac_other, 6);
	assert_int_equal(state_of(PEER, mac), NEIGH_DELAY);
	assert_int_equal(w.n, before);
	nd_world_run(&w, 7 * NS_PER_S + 500 * NS_PER_MS);
	assert_int_equal(w.n, before + 3);
	for (int k = before; k < w.n; k++) {
		struct via_addr peer = PEER;
		assert_int_equal(w.sent[k].m.type, ND_NS);
		assert_memory_equal(w.sent[k].dst.b, peer.b, 16); /* unicast */
		assert_memory_equal(w.sent[k].mac, mac_other, 6);
	}
	nd_world_run(&w, NS_PER_S);
	assert_int_equal(state_of(PEER, mac), 0);
	assert_int_equal(say(PEER), 5);
	assert_int_equal(w.n, before + 4);
	assert_int_equal(w.sent[w.n - 1].mac[0], 0x33); /* everybody is asked */
	nd_inject(&w, mac_new, PEER, US, na_of(PEER, mac_new, true, false));
	assert_int_equal(state_of(PEER, mac), NEIGH_REACHABLE);
	assert_memory_equal(w.frame, mac_new, 6);
	/* and one that says so: an unsolicited advertisement with the override bit (§7.2.6) */
	nd_inject(&w, mac_other, PEER, ALL_NODES, na_of(PEER, mac_other, false, false));
	assert_int_equal(state_of(PEER, mac), NEIGH_STALE);
	assert_int_equal(say(PEER), 5);
	assert_memory_equal(w.frame, mac_other, 6);
}

static void nd__solicitations_are_answered(void **state)
{
	const struct nd_sent *na = NULL;
	uint8_t mac[6];
	struct via_addr ll = up(), us = US, peer = PEER;
	int before = w.n;
	nd_inject(&w, mac_other, PEER, nd_solicited_node(&us), ns_of(US, mac_other));
	assert_int_equal(nd_count(&w, before, ND_NA, &na), 1);
	assert_memory_equal(na->dst.b, peer.b, 16);
	assert_memory_equal(na->src.b, us.b, 16);
	assert_memory_equal(na->mac, mac_other, 6);
	assert_true(na->m.solicited && na->m.override && !na->m.is_router && na->m.has_lla && na->hops == 255);
	assert_int_equal(state_of(PEER, mac), NEIGH_STALE); /* learnt from it */
	/* of duplicate address detection: to all nodes, not solicited */
	before = w.n;
	struct nd_msg probe = {.type = ND_NS, .target = ll};
	nd_inject(&w, mac_router, (struct via_addr){0}, nd_solicited_node(&ll), probe);
	assert_int_equal(nd_count(&w, before, ND_NA, &na), 1);
	struct via_addr all = ALL_NODES;
	assert_memory_equal(na->dst.b, all.b, 16);
	assert_false(na->m.solicited);
	/* unicast without a link-layer address: the asker is known, or is asked for first */
	before = w.n;
	nd_inject(&w, mac_other, PEER, US, (struct nd_msg){.type = ND_NS, .target = us});
	assert_int_equal(nd_count(&w, before, ND_NA, &na), 1);
	assert_memory_equal(na->mac, mac_other, 6);
	/* for somebody else: nothing */
	before = w.n;
	nd_inject(&w, mac_other, PEER, nd_solicited_node(&us), ns_of(net_name("2001:db8:9::1"), mac_other));
	assert_int_equal(w.n, before);
}

static void req_ND_007__a_router_that_becomes_a_host_is_left(void **state)
{
	struct via_addr gw;
	up();
	nd_inject(&w, mac_router, ROUTER, ALL_NODES, nd_ra(1800, NULL, 0, 0));
	nd_inject(&w, mac_other, ROUTER2, ALL_NODES, nd_ra(1800, NULL, 0, 0));
	assert_true(is_default(ROUTER));
	nd_inject(&w, mac_router, ROUTER, ALL_NODES, na_of(ROUTER, mac_router, false, true)); /* still one */
	assert_true(is_default(ROUTER));
	nd_inject(&w, mac_router, ROUTER, ALL_NODES, na_of(ROUTER, mac_router, false, false));
	assert_true(is_default(ROUTER2));
	nd_inject(&w, mac_other, ROUTER2, ALL_NODES, na_of(ROUTER2, mac_other, false, false));
	assert_int_equal(default_routes(&gw), 0);
	assert_int_equal(say(FAR), -ENETUNREACH);
}

/* One that does not answer is passed over while there is another, and comes back when it speaks. */
static void nd__a_dead_router_is_passed_over(void **state)
{
	up();
	struct nd_msg ra = nd_ra(1800, NULL, 0, 0);
	ra.preference = ND_PREF_HIGH;
	nd_inject(&w, mac_router, ROUTER, ALL_NODES, ra);
	ra = nd_ra(1800, NULL, 0, 0);
	memcpy(ra.lla, mac_other, 6);
	nd_inject(&w, mac_other, ROUTER2, ALL_NODES, ra);
	assert_true(is_default(ROUTER));
	assert_int_equal(say(FAR), 5);
	assert_memory_equal(w.frame, mac_router, 6);
	nd_world_run(&w, 9 * NS_PER_S); /* stale, delay, three questions */
	assert_true(is_default(ROUTER2));
	assert_int_equal(say(FAR), 5);
	assert_memory_equal(w.frame, mac_other, 6);
	nd_inject(&w, mac_other, ROUTER2, net_name("2001:db8:1::1"), na_of(ROUTER2, mac_other, true, true));
	ra.preference = ND_PREF_HIGH;
	memcpy(ra.lla, mac_router, 6);
	nd_inject(&w, mac_router, ROUTER, ALL_NODES, ra);
	assert_true(is_default(ROUTER));
}

static void req_ND_008__three_solicitations_four_seconds_apart(void **state)
{
	int64_t least = INT64_MAX, most = 0;
	for (int round = 0; round < 12; round++) {
		struct via_addr_info i;
		assert_int_equal(nd_world_set(&w, VIA_SET_IPV6, 1), 0);
		int before = w.n;
		while (!nd_addr(&w, true, 0, &i))
			nd_world_run(&w, NS_PER_MS);
		int64_t begun = w.t->now, at[4];
		int n = 0;
		nd_world_run(&w, 30 * NS_PER_S);
		for (int k = before; k < w.n; k++) {
			static const uint8_t routers[16] = {0xff, 2, [15] = 2};
			if (w.sent[k].m.type != ND_RS)
				continue;
			assert_in_range(n, 0, 2);
			assert_memory_equal(w.sent[k].dst.b, routers, 16);
			assert_memory_equal(w.sent[k].src.b, i.addr.b, 16);
			assert_true(w.sent[k].m.has_lla);
			at[n++] = w.sent[k].at;
		}
		assert_int_equal(n, 3);
		assert_in_range(at[0] - begun, 0, NS_PER_S + 4 * NS_PER_MS);
		assert_in_range(at[1] - at[0], 4 * NS_PER_S, 4 * NS_PER_S + 4 * NS_PER_MS);
		assert_in_range(at[2] - at[1], 4 * NS_PER_S, 4 * NS_PER_S + 4 * NS_PER_MS);
		least = MIN(least, at[0] - begun);
		most = MAX(most, at[0] - begun);
		nd_world_set(&w, VIA_SET_IPV6, 0);
		w.n = 0;
	}
	assert_true(most - least > 300 * NS_PER_MS);
	/* none once a router was heard; an advertisement of no default router does not count */
	nd_world_set(&w, VIA_SET_IPV6, 1);
	while (!nd_count(&w, 0, ND_RS, NULL))
		nd_world_run(&w, 100 * NS_PER_MS);
	nd_inject(&w, mac_router, ROUTER, ALL_NODES, nd_ra(0, NULL, 0, 0));
	nd_world_run(&w, 5 * NS_PER_S);
	assert_int_equal(nd_count(&w, 0, ND_RS, NULL), 2);
	nd_inject(&w, mac_router, ROUTER, ALL_NODES, nd_ra(1800, NULL, 0, 0));
	nd_world_run(&w, 20 * NS_PER_S);
	assert_int_equal(nd_count(&w, 0, ND_RS, NULL), 2);
}

static void req_ND_009__what_an_advertisement_changes(void **state)
{
	struct via_addr gw, peer = PEER;
	struct iface *i = iface_at(w.a, (uint32_t)w.ifindex);
	up();
	nd_know(&w, "2001:db8:1::99", mac_other);
	struct nd_msg ra = nd_ra(1800, NULL, 0, 0);
	ra.hop_limit = 33, ra.mtu = 1400, ra.reachable_ms = 60000, ra.retrans_ms = 2000;
	nd_inject(&w, mac_router, ROUTER, ALL_NODES, ra);
	assert_int_equal(say(PEER), 5);
	assert_int_equal(w.frame[ETH_HLEN + 7], 33);
	assert_int_equal(iface_mtu(i, true), 1400);
	assert_int_equal(iface_mtu(i, false), 1500);
	assert_int_equal(w.a->st->neigh.timing[w.ifindex].reachable_ms, 60000);
	assert_int_equal(neigh_retrans_ns(&w.a->st->neigh, (uint16_t)w.ifindex, &peer), 2 * NS_PER_S);
	nd_inject(&w, mac_router, ROUTER, ALL_NODES, nd_ra(1800, NULL, 0, 0)); /* zeros: no change */
	assert_int_equal(say(PEER), 5);
	assert_int_equal(w.frame[ETH_HLEN + 7], 33);
	assert_int_equal(iface_mtu(i, true), 1400);
	assert_int_equal(w.a->st->neigh.timing[w.ifindex].reachable_ms, 60000);
	assert_int_equal(neigh_retrans_ns(&w.a->st->neigh, (uint16_t)w.ifindex, &peer), 2 * NS_PER_S);
	ra = nd_ra(1800, NULL, 0, 0);
	ra.mtu = 1279;
	nd_inject(&w, mac_router, ROUTER, ALL_NODES, ra);
	assert_int_equal(iface_mtu(i, true), 1400);
	ra.mtu = 1501;
	nd_inject(&w, mac_router, ROUTER, ALL_NODES, ra);
	assert_int_equal(iface_mtu(i, true), 1400);
	ra.mtu = 1280;
	nd_inject(&w, mac_router, ROUTER, ALL_NODES, ra);
	assert_int_equal(iface_mtu(i, true), 1280);
	/* lifetime 0: a default router no more; what it says of prefixes still counts */
	assert_true(is_default(ROUTER));
	nd_inject(&w, mac_router, ROUTER, ALL_NODES, nd_ra(0, "2001:db8:8::", 86400, 86400));
	assert_int_equal(default_routes(&gw), 0);
	nd_know(&w, "2001:db8:8::5", mac_other);
	assert_int_equal(say(net_name("2001:db8:8::5")), 5);
	/* one that is not renewed ends by itself */
	nd_inject(&w, mac_router, ROUTER, ALL_NODES, nd_ra(10, NULL, 0, 0));
	assert_true(is_default(ROUTER));
	nd_world_run(&w, 11 * NS_PER_S);
	assert_int_equal(default_routes(&gw), 0);
}

static void nd__routers_are_not_believed_where_they_should_not(void **state)
{
	struct via_addr gw;
	up();
	assert_int_equal(nd_world_set(&w, VIA_SET_ACCEPT_RA, 3), -EINVAL);
	assert_int_equal(nd_world_set(&w, VIA_SET_ACCEPT_RA, 0), 0);
	nd_inject(&w, mac_router, ROUTER, ALL_NODES, nd_ra(1800, "2001:db8:7::", 86400, 43200));
	assert_int_equal(default_routes(&gw), 0);
	assert_int_equal(nd_world_set(&w, VIA_SET_ACCEPT_RA, 1), 0);
	nd_inject(&w, mac_router, ROUTER, ALL_NODES, nd_ra(1800, "2001:db8:7::", 86400, 43200));
	nd_world_run(&w, 3 * NS_PER_S);
	struct via_addr_info i;
	assert_true(is_default(ROUTER));
	assert_true(nd_addr(&w, false, 1, &i));
	nd_world_set(&w, VIA_SET_FORWARDING, 1); /* a router finds its routes by other means */
	assert_int_equal(default_routes(&gw), 0);
	assert_false(nd_addr(&w, false, 1, &i));
	nd_inject(&w, mac_router, ROUTER, ALL_NODES, nd_ra(1800, NULL, 0, 0));
	assert_int_equal(default_routes(&gw), 0);
	assert_int_equal(nd_world_set(&w, VIA_SET_ACCEPT_RA, 2), 0);
	nd_inject(&w, mac_router, ROUTER, ALL_NODES, nd_ra(1800, NULL, 0, 0));
	assert_true(is_default(ROUTER));
	assert_int_equal(nd_world_set(&w, VIA_SET_IPV6, 0), 0);
	assert_int_equal(default_routes(&gw), 0);
}

static void req_ND_010__a_router_advertises_itself(void **state)
{
	const struct nd_sent *ra = NULL;
	struct via_change prefix = {.kind = VIA_SET, .ifindex = w.ifindex, .setting = VIA_SET_RA_PREFIX, .value = 1,
				    .addr = net_name("2001:db8:1::"), .plen = 64};
	assert_int_equal(nd_world_set(&w, VIA_SET_RA, 1), -EINVAL); /* IPv6 is off */
	struct via_addr ll = up();
	assert_int_equal(via_configure(w.a, &prefix), 0);
	assert_int_equal(nd_world_set(&w, VIA_SET_RA_MTU, 1400), 0);
	assert_int_equal(nd_world_set(&w, VIA_SET_RA_INTERVAL, 3), -EINVAL);
	assert_int_equal(nd_world_set(&w, VIA_SET_RA_INTERVAL, 1801), -EINVAL);
	int before = w.n;
	nd_world_run(&w, 100 * NS_PER_S);
	assert_int_equal(nd_count(&w, before, ND_RA, NULL), 0); /* not asked to */
	assert_int_equal(nd_count(&w, 0, ND_RS, NULL), 0);      /* and asks nobody */
	assert_int_equal(nd_world_set(&w, VIA_SET_RA, 1), 0);
	nd_world_run(&w, NS_PER_S);
	assert_int_equal(nd_count(&w, before, ND_RA, &ra), 1);
	struct via_addr all = ALL_NODES;
	assert_memory_equal(ra->src.b, ll.b, 16);
	assert_memory_equal(ra->dst.b, all.b, 16);
	assert_true(ra->hops == 255 && ra->m.lifetime_s == 1800 && ra->m.mtu == 1400 && ra->m.hop_limit == 64 && ra->m.has_lla);
	assert_true(ra->m.n_prefixes == 1 && ra->m.prefix[0].on_link && ra->m.prefix[0].autonomous);
	assert_true(ra->m.prefix[0].valid_s == 2592000 && ra->m.prefix[0].preferred_s == 604800);
	nd_world_run(&w, 2000 * NS_PER_S);
	int n = nd_count(&w, before, ND_RA, NULL);
	assert_in_range(n, 5, 13); /* three soon, then one in 200 to 600 s */
	/* asked, twice in a row: soon, but three seconds apart */
	before = w.n;
	nd_world_run(&w, 10 * NS_PER_S);
	int64_t asked = w.t->now;
	struct nd_msg rs = {.type = ND_RS, .has_lla = true, .lla = {2, 0, 0, 9, 9, 2}};
	nd_inject(&w, mac_other, net_name("fe80::77"), net_name("ff02::2"), rs);
	nd_world_run(&w, 600 * NS_PER_MS);
	assert_int_equal(nd_count(&w, before, ND_RA, &ra), 1);
	assert_in_range(ra->at - asked, 0, 510 * NS_PER_MS);
	int64_t first = ra->at;
	nd_inject(&w, mac_other, net_name("fe80::77"), net_name("ff02::2"), rs);
	nd_world_run(&w, 5 * NS_PER_S);
	assert_int_equal(nd_count(&w, before, ND_RA, NULL), 2);
	assert_true(w.sent[w.n - 1].at - first >= 3 * NS_PER_S);
	/* another router that says otherwise is counted */
	struct nd_msg other = nd_ra(1800, "2001:db8:1::", 2592000, 604800);
	other.mtu = 1400;
	nd_inject(&w, mac_router, ROUTER, ALL_NODES, other);
	assert_int_equal(net_counter(w.a, "nd.ra_disagree"), 0);
	other.mtu = 1300;
	nd_inject(&w, mac_router, ROUTER, ALL_NODES, other);
	assert_int_equal(net_counter(w.a, "nd.ra_disagree"), 1);
	/* stop: lifetime 0, then silence */
	before = w.n;
	assert_int_equal(nd_world_set(&w, VIA_SET_RA, 0), 0);
	nd_world_run(&w, 10 * NS_PER_S);
	n = nd_count(&w, before, ND_RA, &ra);
	assert_int_equal(n, 3);
	for (int k = before; k < w.n; k++)
		assert_int_equal(w.sent[k].m.lifetime_s, 0);
	nd_world_run(&w, 2000 * NS_PER_S);
	assert_int_equal(nd_count(&w, before, ND_RA, NULL), 3);
	nd_inject(&w, mac_other, net_name("fe80::77"), net_name("ff02::2"), rs);
	nd_world_run(&w, 5 * NS_PER_S);
	assert_int_equal(nd_count(&w, before, ND_RA, NULL), 3);
}

/* A router that ceases to forward says so, too, and a host advertises nothing. */
static void req_ND_010__only_while_it_forwards(void **state)
{
	up();
	assert_int_equal(nd_world_set(&w, VIA_SET_RA, 1), 0);
	nd_world_run(&w, 60 * NS_PER_S);
	int before = w.n;
	nd_world_set(&w, VIA_SET_FORWARDING, 0);
	nd_world_run(&w, 10 * NS_PER_S);
	assert_int_equal(nd_count(&w, before, ND_RA, NULL), 3);
	assert_int_equal(w.sent[w.n - 1].m.type == ND_RA ? w.sent[w.n - 1].m.lifetime_s : 0, 0);
	before = w.n;
	nd_world_run(&w, 1000 * NS_PER_S);
	assert_int_equal(nd_count(&w, before, ND_RA, NULL), 0);
	assert_int_equal(nd_world_set(&w, VIA_SET_RA, 1), -EINVAL);
}

/* A redirect for the packet we sent to FAR. */
static struct nd_msg redirect(struct via_addr target)
{
	static uint8_t quote[56];
	struct ip6_hdr h = {.next = 17, .hops = 64, .payload_len = 16, .src = US, .dst = FAR};
	ip6_emit(quote, &h);
	memcpy(quote + IP6_HLEN, (uint8_t[16]){0x12, 0x34, 0, 9, 0, 16}, 16);
	struct nd_msg m = {.type = ND_REDIRECT, .target = target, .dst = FAR, .quote = quote, .quote_len = sizeof(quote), .has_lla = true};
	memcpy(m.lla, mac_other, 6);
	return m;
}

static void req_ND_011__only_from_the_first_hop_in_use(void **state)
{
	uint8_t mac[6];
	up();
	nd_inject(&w, mac_router, ROUTER, ALL_NODES, nd_ra(9000, NULL, 0, 0));
	assert_int_equal(say(FAR), 5);
	assert_memory_equal(w.frame, mac_router, 6);
	nd_inject(&w, mac_router, ROUTER, US, redirect(ROUTER2)); /* off by default */
	assert_int_equal(say(FAR), 5);
	assert_memory_equal(w.frame, mac_router, 6);
	assert_int_equal(via_configure(w.a, &(struct via_change){.kind = VIA_SET, .setting = VIA_SET_ACCEPT_REDIRECTS, .value = 1}), 0);
	nd_inject(&w, mac_other, net_name("fe80::77"), US, redirect(ROUTER2)); /* from somebody else */
	nd_inject(&w, mac_other, ROUTER2, US, redirect(ROUTER2));
	assert_int_equal(say(FAR), 5);
	assert_memory_equal(w.frame, mac_router, 6);
	assert_int_equal(state_of(ROUTER2, mac), 0); /* and nothing was learnt */
	nd_inject(&w, mac_router, ROUTER, US, redirect(net_name("2001:db8:1::8"))); /* to no link-local address */
	assert_int_equal(say(FAR), 5);
	assert_memory_equal(w.frame, mac_router, 6);
	struct nd_msg other = redirect(ROUTER2); /* its quote is of another packet */
	other.dst = net_name("2001:db8:ffff::2");
	nd_inject(&w, mac_router, ROUTER, US, other);
	nd_inject(&w, mac_router, ROUTER, US, redirect(ROUTER2)); /* right */
	assert_int_equal(say(FAR), 5);
	assert_memory_equal(w.frame, mac_other, 6);
	assert_int_not_equal(state_of(ROUTER2, mac), 0);
	assert_int_equal(say(net_name("2001:db8:ffff::2")), 5); /* for that one destination */
	assert_memory_equal(w.frame, mac_router, 6);
	/* the destination itself is a neighbour */
	nd_inject(&w, mac_other, ROUTER2, US, redirect(FAR));
	assert_int_equal(say(FAR), 5);
	assert_memory_equal(w.frame, mac_other, 6);
}

static void req_ND_011__not_when_routing(void **state)
{
	uint8_t mac[6];
	up();
	assert_int_equal(via_configure(w.a, &(struct via_change){.kind = VIA_SET, .setting = VIA_SET_ACCEPT_REDIRECTS, .value = 1}), 0);
	assert_int_equal(net_route6(w.a, "2001:db8:ffff::", 48, "2001:db8:1::9"), 0);
	nd_inject(&w, mac_router, ROUTER, US, redirect(ROUTER2));
	assert_int_equal(state_of(ROUTER2, mac), 0);
}

/* A router tells a host that could have sent there itself. */
static void req_ND_011__a_router_redirects(void **state)
{
	const struct nd_sent *r = NULL;
	struct via_addr ll = up(), target = ROUTER2, peer = PEER, far = FAR;
	struct via_change route = {.kind = VIA_ROUTE_ADD, .ifindex = w.ifindex, .addr = net_name("2001:db8:ffff::"), .plen = 48,
				   .gateway = ROUTER2};
	assert_int_equal(via_configure(w.a, &route), 0);
	nd_know(&w, "fe80::8", mac_router);
	nd_know(&w, "2001:db8:1::99", mac_other);
	uint8_t udp[12] = {0x12, 0x34, 0, 9, 0, 12, 0, 0};
	int before = w.n, others = w.n_other;
	nd_inject_packet(&w, mac_other, PEER, FAR, 17, 64, udp, sizeof(udp));
	assert_int_equal(w.n_other, others + 1); /* it is forwarded all the same */
	assert_memory_equal(w.frame, mac_router, 6);
	assert_int_equal(nd_count(&w, before, ND_REDIRECT, &r), 1);
	assert_memory_equal(r->src.b, ll.b, 16);
	assert_memory_equal(r->dst.b, peer.b, 16);
	assert_memory_equal(r->m.target.b, target.b, 16);
	assert_memory_equal(r->m.dst.b, far.b, 16);
	assert_true(r->m.has_lla && memcmp(r->m.lla, mac_router, 6) == 0 && r->m.quote_len >= IP6_HLEN + 8);
	/* a neighbour: its own address is the target */
	before = w.n;
	nd_inject_packet(&w, mac_other, PEER, net_name("2001:db8:1::55"), 17, 64, udp, sizeof(udp));
	assert_int_equal(nd_count(&w, before, ND_REDIRECT, &r), 1);
	assert_memory_equal(r->m.target.b, r->m.dst.b, 16);
	/* not to who is no neighbour, and bounded in number */
	before = w.n;
	nd_inject_packet(&w, mac_other, net_name("2001:db8:77::1"), FAR, 17, 64, udp, sizeof(udp));
	assert_int_equal(nd_count(&w, before, ND_REDIRECT, NULL), 0);
	for (int k = 0; k < 100; k++)
		nd_inject_packet(&w, mac_other, PEER, FAR, 17, 64, udp, sizeof(udp));
	assert_in_range(nd_count(&w, before, ND_REDIRECT, NULL), 5, 50);
	assert_int_equal(via_configure(w.a, &(struct via_change){.kind = VIA_SET, .setting = VIA_SET_SEND_REDIRECTS, .value = 0}), 0);
	nd_world_run(&w, 60 * NS_PER_S);
	before = w.n;
	nd_inject_packet(&w, mac_other, PEER, FAR, 17, 64, udp, sizeof(udp));
	assert_int_equal(nd_count(&w, before, ND_REDIRECT, NULL), 0);
}

static uint64_t noise(void)
{
	static uint64_t x = 88172645463325252u;
	x ^= x << 13, x ^= x >> 7, x ^= x << 17;
	return x;
}

/* Messages of all kinds, most of them damaged somewhere: nothing breaks, nothing is left, and what may grow stays within its bounds. */
static void req_HARD_08__noise(void **state)
{
	static uint8_t b[ND_EMIT_MAX + 200], quote[64];
	struct via_addr_info i;
	up();
	nd_world_set(&w, VIA_SET_ACCEPT_RA, 2);
	for (int k = 0; k < 6000; k++) {
		struct nd_msg m = {.type = (uint8_t)(ND_RS + noise() % 5), .target = noise() & 1 ? US : PEER, .dst = FAR, .has_lla = noise() & 1,
				   .solicited = noise() & 1, .override = noise() & 1, .is_router = noise() & 1, .has_nonce = noise() & 1,
				   .lifetime_s = (uint16_t)(noise() % 20), .mtu = (uint32_t)(noise() % 1600), .hop_limit = (uint8_t)noise(),
				   .reachable_ms = (uint32_t)noise(), .retrans_ms = (uint32_t)(noise() % 5000), .quote = quote, .quote_len = 64,
				   .preference = (int8_t)(noise() % 3) - 1};
		m.target.b[15] = (uint8_t)noise();
		if (noise() & 1)
			m.target = ROUTER2;
		for (m.n_prefixes = 0; m.type == ND_RA && m.n_prefixes < noise() % 17 && m.n_prefixes < ND_PREFIXES_MAX; m.n_prefixes++) {
			struct nd_prefix *p = &m.prefix[m.n_prefixes];
			*p = (struct nd_prefix){.prefix = PEER, .plen = noise() & 3 ? 64 : (uint8_t)(noise() % 129), .on_link = noise() & 1,
						.autonomous = noise() & 1, .valid_s = (uint32_t)(noise() % 30), .preferred_s = (uint32_t)(noise() % 30)};
			p->prefix.b[6] = (uint8_t)noise();
		}
		size_t n = nd_emit(b, sizeof(b), &m);
		for (uint64_t flips = noise() % 3; flips > 0; flips--)
			b[1 + noise() % (n - 1)] = (uint8_t)noise();
		struct via_addr from = noise() & 1 ? ROUTER : noise() & 1 ? PEER : (struct via_addr){0}, to = noise() & 1 ? ALL_NODES : US;
		from.b[14] = from.b[0] ? (uint8_t)(noise() % 32) : 0;
		nd_inject_icmp(&w, mac_other, from, to, noise() % 20 ? 255 : 64, b, n - (noise() % 10 ? 0 : noise() % n));
		if (noise() % 16 == 0)
			say(noise() & 1 ? FAR : PEER);
		if (noise() % 64 == 0)
			nd_world_run(&w, (int64_t)(noise() % 3000) * NS_PER_MS);
		w.n = 0;
	}
	assert_false(nd_addr(&w, false, ND_AUTO_ADDRS_MAX + 1, &i)); /* and the one by hand */
	assert_true(w.a->st->neigh.pool.n_used <= NEIGH_RESOLVED_MAX + NEIGH_UNRESOLVED_MAX);
	nd_world_run(&w, 10000 * NS_PER_S);
	assert_int_equal(w.a->st->neigh.pool.n_used, 0); /* neighbours that nobody uses end */
	assert_int_equal(nd_world_set(&w, VIA_SET_IPV6, 0), 0);
	struct via_addr gw;
	assert_int_equal(default_routes(&gw), 0);
	assert_false(nd_addr(&w, false, 1, &i));
	assert_false(nd_addr(&w, true, 0, &i));
	nd_inject_echo(&w, mac_other, PEER, US); /* and it is alive */
	nd_inject(&w, mac_other, PEER, US, na_of(PEER, mac_other, true, false));
	assert_int_equal(w.n_echo > 0, 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define R(f) cmocka_unit_test_setup_teardown(f, setup_router, teardown)
	const struct CMUnitTest tests[] = {
		T(req_ND_001__the_stack_drops_silently), T(req_ND_002__the_stack_believes_no_router_from_afar),
		T(req_ND_003__the_stack_ignores_fragments),
		T(req_ND_005__resolution_then_address_unreachable), R(req_ND_005__a_router_answers_address_unreachable),
		T(req_ND_006__a_neighbour_with_a_new_mac_is_found), T(nd__solicitations_are_answered),
		T(req_ND_007__a_router_that_becomes_a_host_is_left), T(nd__a_dead_router_is_passed_over),
		T(req_ND_008__three_solicitations_four_seconds_apart), T(req_ND_009__what_an_advertisement_changes),
		T(nd__routers_are_not_believed_where_they_should_not), R(req_ND_010__a_router_advertises_itself),
		R(req_ND_010__only_while_it_forwards), T(req_ND_011__only_from_the_first_hop_in_use), R(req_ND_011__not_when_routing),
		R(req_ND_011__a_router_redirects), T(req_HARD_08__noise), R(req_HARD_08__noise),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
