/* test_stack_slaac.c - a host makes its addresses: link-local with duplicate address detection, from prefixes, their lives and ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/socket.h>

#include "nd_world.h"

#define PREFIX "2001:db8:1::"
#define PEER net_name("2001:db8:1::99")

static struct nd_world w;

static int setup(void **state)
{
	nd_world_new(&w, false);
	return 0;
}
static int teardown(void **state)
{
	nd_world_free(&w);
	return 0;
}

/* IPv6 on, and its link-local address there. */
static struct via_addr up(void)
{
	struct via_addr_info i;
	assert_int_equal(nd_world_set(&w, VIA_SET_IPV6, 1), 0);
	nd_world_run(&w, 3 * NS_PER_S);
	assert_true(nd_addr(&w, true, 0, &i));
	return i.addr;
}

/* The candidate that is probed for now. */
static struct via_addr candidate(void)
{
	struct via_acd_info i = {.size = sizeof(i)};
	assert_true(via_acd_get(w.a, 0, &i));
	assert_int_equal(i.state, VIA_ACD_PROBING);
	return i.addr;
}

static struct nd_msg ns_for(struct via_addr target, bool says_mac)
{
	struct nd_msg m = {.type = ND_NS, .target = target, .has_lla = says_mac};
	memcpy(m.lla, mac_other, 6);
	return m;
}

static int error_of(via_sock s)
{
	int err = -1;
	uint32_t len = sizeof(err);
	assert_int_equal(via_getsockopt(w.a, s, SOL_SOCKET, SO_ERROR, &err, &len), 0);
	return err;
}

static void req_SA_001__link_local_on_interface_up(void **state)
{
	struct via_addr_info i;
	const struct nd_sent *ns = NULL;
	int64_t begun = w.t->now;
	assert_false(nd_addr(&w, true, 0, &i));
	assert_int_equal(nd_world_set(&w, VIA_SET_IPV6, 1), 0);
	struct via_addr want = candidate();
	assert_true(addr_is_fe80(&want));
	while (!nd_addr(&w, true, 0, &i))
		nd_world_run(&w, 10 * NS_PER_MS);
	/* one probe after a random wait of a second at most, then a second of silence */
	assert_int_equal(nd_count(&w, 0, ND_NS, &ns), 1);
	assert_in_range(ns->at - begun, 0, NS_PER_S + 4 * NS_PER_MS);
	assert_in_range(w.t->now - ns->at, NS_PER_S, NS_PER_S + 15 * NS_PER_MS);
	struct via_addr any = {0}, group = nd_solicited_node(&want);
	assert_memory_equal(ns->src.b, any.b, 16);
	assert_memory_equal(ns->dst.b, group.b, 16);
	assert_memory_equal(ns->m.target.b, want.b, 16);
	assert_int_equal(ns->hops, 255);
	assert_true(ns->m.has_nonce && !ns->m.has_lla);
	assert_memory_equal(i.addr.b, want.b, 16);
	assert_int_equal(i.plen, 64);
	assert_int_equal(i.valid_s, UINT32_MAX);
	/* the same again whenever it comes up */
	assert_int_equal(nd_world_set(&w, VIA_SET_IPV6, 0), 0);
	assert_false(nd_addr(&w, true, 0, &i));
	struct via_addr again = up();
	assert_memory_equal(again.b, want.b, 16);
}

static void req_SA_001__tentative_addresses_answer_nothing(void **state)
{
	assert_int_equal(nd_world_set(&w, VIA_SET_IPV6, 1), 0);
	struct via_addr want = candidate();
	struct via_addr group = nd_solicited_node(&want), peer = net_name("fe80::77");
	for (int k = 0; k < 5; k++) { /* before the probe, after it, until it is ours */
		nd_inject(&w, mac_other, peer, group, ns_for(want, true));
		nd_inject_echo(&w, mac_other, peer, want);
		assert_int_equal(nd_count(&w, 0, ND_NA, NULL), 0);
		assert_int_equal(w.n_echo, 0);
		struct via_acd_info i = {.size = sizeof(i)};
		assert_true(via_acd_get(w.a, 0, &i)); /* nor is being asked for a conflict */
		nd_world_run(&w, 180 * NS_PER_MS);
	}
	nd_world_run(&w, 3 * NS_PER_S);
	nd_inject(&w, mac_other, peer, group, ns_for(want, true));
	assert_int_equal(nd_count(&w, 0, ND_NA, NULL), 1);
	nd_inject_echo(&w, mac_other, peer, want);
	assert_int_equal(w.n_echo, 1);
}

/* Every way in which somebody shows that the address is theirs. */
static void req_SA_002__conflicts_make_another_address(void **state)
{
	assert_int_equal(nd_world_set(&w, VIA_SET_IPV6, 1), 0);
	struct via_addr one = candidate(), any = {0};
	nd_inject(&w, mac_other, any, nd_solicited_node(&one), ns_for(one, false)); /* they probe for it, too */
	struct via_addr two = candidate();
	assert_memory_not_equal(two.b, one.b, 16);
	nd_world_run(&w, 1200 * NS_PER_MS);
	struct nd_msg na = {.type = ND_NA, .target = two, .override = true, .has_lla = true, .lla = {2, 0, 0, 9, 9, 2}};
	nd_inject(&w, mac_other, two, ALL_NODES, na);
	struct via_addr three = candidate();
	assert_memory_not_equal(three.b, two.b, 16);
	assert_int_equal(net_counter(w.a, "nd.conflicts"), 2);
	nd_world_run(&w, 3 * NS_PER_S);
	struct via_addr_info i;
	assert_true(nd_addr(&w, true, 0, &i));
	assert_memory_equal(i.addr.b, three.b, 16);
	assert_false(nd_addr(&w, true, 1, &i));
	/* four that are taken: none is used, and that is told */
	nd_world_set(&w, VIA_SET_IPV6, 0);
	nd_world_set(&w, VIA_SET_IPV6, 1);
	for (int k = 0; k < 4; k++) {
		struct via_addr c = candidate();
		na.target = c;
		nd_inject(&w, mac_other, c, ALL_NODES, na);
	}
	struct via_acd_info told = {.size = sizeof(told)};
	assert_true(via_acd_get(w.a, 0, &told));
	assert_int_equal(told.state, VIA_ACD_CONFLICT);
	nd_world_run(&w, 10 * NS_PER_S);
	assert_false(nd_addr(&w, true, 0, &i));
	assert_int_equal(nd_count(&w, 0, ND_RS, NULL) > 0, 1); /* of the time before */
}

static void req_SA_002__own_probe_looped_back(void **state)
{
	const struct nd_sent *ns = NULL;
	assert_int_equal(nd_world_set(&w, VIA_SET_IPV6, 1), 0);
	struct via_addr want = candidate(), any = {0};
	while (!nd_count(&w, 0, ND_NS, &ns))
		nd_world_run(&w, 10 * NS_PER_MS);
	struct nd_msg echo = ns->m;
	nd_inject(&w, iface_at(w.a, (uint32_t)w.ifindex)->mac, any, nd_solicited_node(&want), echo);
	nd_world_run(&w, 2 * NS_PER_S);
	struct via_addr_info i;
	assert_true(nd_addr(&w, true, 0, &i));
	assert_memory_equal(i.addr.b, want.b, 16);
	assert_int_equal(net_counter(w.a, "nd.conflicts"), 0);
}

/* What a user configures is probed for as well, and refused when it is taken. */
static void req_SA_002__configured_addresses(void **state)
{
	up();
	int before = w.n;
	assert_int_equal(net_addr6(w.a, w.ifindex, "2001:db8:5::1", 64), 0);
	struct via_addr want = net_name("2001:db8:5::1");
	assert_false(stack_addr_is_ours(w.a, &want));
	nd_world_run(&w, 3 * NS_PER_S);
	assert_true(stack_addr_is_ours(w.a, &want));
	assert_int_equal(nd_count(&w, before, ND_NS, NULL), 1);
	assert_int_equal(net_addr6(w.a, w.ifindex, "2001:db8:5::1", 64), -EEXIST);
	assert_int_equal(net_addr6(w.a, w.ifindex, "2001:db8:5::2", 64), 0);
	struct via_addr taken = net_name("2001:db8:5::2");
	nd_inject(&w, mac_other, taken, ALL_NODES, (struct nd_msg){.type = ND_NA, .target = taken});
	nd_world_run(&w, 3 * NS_PER_S);
	assert_false(stack_addr_is_ours(w.a, &taken));
	struct via_acd_info i = {.size = sizeof(i)};
	assert_true(via_acd_get(w.a, 0, &i));
	assert_memory_equal(i.addr.b, taken.b, 16);
	assert_int_equal(i.state, VIA_ACD_CONFLICT);
	/* turned off: used at once; more than one: as many probes */
	assert_int_equal(nd_world_set(&w, VIA_SET_DAD_TRANSMITS, 0), 0);
	assert_int_equal(net_addr6(w.a, w.ifindex, "2001:db8:5::3", 64), 0);
	struct via_addr third = net_name("2001:db8:5::3");
	assert_true(stack_addr_is_ours(w.a, &third));
	assert_int_equal(nd_world_set(&w, VIA_SET_DAD_TRANSMITS, 3), 0);
	before = w.n;
	assert_int_equal(net_addr6(w.a, w.ifindex, "2001:db8:5::4", 64), 0);
	nd_world_run(&w, 6 * NS_PER_S);
	assert_int_equal(nd_count(&w, before, ND_NS, NULL), 3);
	assert_int_equal(nd_world_set(&w, VIA_SET_DAD_TRANSMITS, 17), -EINVAL);
	assert_int_equal(nd_world_set(&w, VIA_SET_DAD_TRANSMITS, -1), -EINVAL);
}

static void req_SA_003__prefixes_of_advertisements(void **state)
{
	struct via_addr_info i;
	up();
	struct nd_msg m = nd_ra(1800, PREFIX, 86400, 43200);
	m.prefix[0].autonomous = false;
	nd_inject(&w, mac_router, ROUTER, ALL_NODES, m); /* A flag clear */
	m = nd_ra(1800, PREFIX, 100, 101);
	nd_inject(&w, mac_router, ROUTER, ALL_NODES, m); /* preferred above valid */
	m = nd_ra(1800, PREFIX, 86400, 43200);
	m.prefix[0].plen = 63;
	nd_inject(&w, mac_router, ROUTER, ALL_NODES, m);
	nd_inject(&w, mac_router, ROUTER, ALL_NODES, nd_ra(1800, "fe80::", 86400, 43200));
	nd_inject(&w, mac_router, ROUTER, ALL_NODES, nd_ra(1800, PREFIX, 0, 0));
	nd_world_run(&w, 3 * NS_PER_S);
	assert_false(nd_addr(&w, false, 0, &i));
	nd_world_set(&w, VIA_SET_AUTOCONF, 0);
	nd_inject(&w, mac_router, ROUTER, ALL_NODES, nd_ra(1800, PREFIX, 86400, 43200));
	nd_world_run(&w, 3 * NS_PER_S);
	assert_false(nd_addr(&w, false, 0, &i));
	nd_world_set(&w, VIA_SET_AUTOCONF, 1);
	nd_inject(&w, mac_router, ROUTER, ALL_NODES, nd_ra(1800, PREFIX, 86400, 43200));
	assert_false(nd_addr(&w, false, 0, &i)); /* probed for first */
	nd_world_run(&w, 3 * NS_PER_S);
	assert_true(nd_addr(&w, false, 0, &i));
	struct via_addr prefix = net_name(PREFIX);
	assert_memory_equal(i.addr.b, prefix.b, 8);
	assert_int_equal(i.plen, 64);
	assert_true(i.autoconf && !i.deprecated);
	assert_in_range(i.valid_s, 86390, 86400);
	assert_in_range(i.preferred_s, 43190, 43200);
	/* the same prefix again makes no second one; many prefixes a bounded number */
	nd_inject(&w, mac_router, ROUTER, ALL_NODES, nd_ra(1800, PREFIX, 86400, 43200));
	nd_world_run(&w, 3 * NS_PER_S);
	assert_false(nd_addr(&w, false, 1, &i));
	for (int k = 0; k < 40; k++) {
		m = nd_ra(1800, "2001:db8:7::", 86400, 43200);
		m.prefix[0].prefix.b[7] = (uint8_t)k;
		nd_inject(&w, mac_router, ROUTER, ALL_NODES, m);
	}
	nd_world_run(&w, 5 * NS_PER_S);
	assert_true(nd_addr(&w, false, ND_AUTO_ADDRS_MAX - 1, &i));
	assert_false(nd_addr(&w, false, ND_AUTO_ADDRS_MAX, &i));
}

static void req_SA_004__an_advertisement_cannot_end_an_address(void **state)
{
	struct via_addr_info i;
	up();
	nd_inject(&w, mac_router, ROUTER, ALL_NODES, nd_ra(1800, PREFIX, 86400, 43200));
	nd_world_run(&w, 3 * NS_PER_S);
	nd_inject(&w, mac_router, ROUTER, ALL_NODES, nd_ra(1800, PREFIX, 1, 1)); /* forged, or a slip */
	assert_true(nd_addr(&w, false, 0, &i));
	assert_in_range(i.valid_s, 7195, 7200);
	nd_world_run(&w, 3 * NS_PER_S);
	assert_true(nd_addr(&w, false, 0, &i)); /* no longer preferred, though: that may be said */
	assert_true(i.deprecated);
	nd_world_run(&w, 1000 * NS_PER_S);
	nd_inject(&w, mac_router, ROUTER, ALL_NODES, nd_ra(1800, PREFIX, 100, 100)); /* below two hours: as it was */
	assert_true(nd_addr(&w, false, 0, &i));
	assert_in_range(i.valid_s, 6190, 6200);
	assert_false(i.deprecated);
	nd_inject(&w, mac_router, ROUTER, ALL_NODES, nd_ra(1800, PREFIX, 7000, 7000)); /* more is fine */
	assert_true(nd_addr(&w, false, 0, &i));
	assert_in_range(i.valid_s, 6995, 7000);
	nd_inject(&w, mac_router, ROUTER, ALL_NODES, nd_ra(1800, PREFIX, UINT32_MAX, UINT32_MAX));
	assert_true(nd_addr(&w, false, 0, &i));
	assert_int_equal(i.valid_s, UINT32_MAX);
}

/* Two prefixes; the better one is deprecated: new connections speak from the other, old ones go on. Then it ends. */
static void req_SA_005__deprecated_then_gone(void **state)
{
	struct via_addr_info i, other;
	struct via_sockaddr from, to = {.addr = PEER, .port = 80};
	up();
	nd_inject(&w, mac_router, ROUTER, ALL_NODES, nd_ra(9000, PREFIX, 30, 20));
	nd_inject(&w, mac_router, ROUTER, ALL_NODES, nd_ra(9000, "2001:db8:2::", 86400, 86400));
	nd_world_run(&w, 3 * NS_PER_S);
	assert_true(nd_addr(&w, false, 0, &i));
	assert_true(nd_addr(&w, false, 1, &other));
	nd_know(&w, "2001:db8:1::99", mac_other);
	via_flush(w.a, w.t->now);
	via_sock s = net_open(w.a, VIA_STREAM);
	assert_int_equal(via_connect(w.a, s, &to), -EINPROGRESS);
	assert_int_equal(via_local(w.a, s, &from), 0);
	assert_memory_equal(from.addr.b, i.addr.b, 16); /* rule 8 */
	nd_world_run(&w, 20 * NS_PER_S);
	assert_true(nd_addr(&w, false, 0, &i));
	assert_true(i.deprecated);
	via_sock late = net_open(w.a, VIA_STREAM);
	assert_int_equal(via_connect(w.a, late, &to), -EINPROGRESS);
	assert_int_equal(via_local(w.a, late, &from), 0);
	assert_memory_equal(from.addr.b, other.addr.b, 16); /* rule 3 */
	nd_inject_echo(&w, mac_other, PEER, i.addr); /* it still receives and answers */
	assert_int_equal(w.n_echo, 1);
	nd_world_run(&w, 10 * NS_PER_S);
	assert_false(stack_addr_is_ours(w.a, &i.addr));
	nd_inject_echo(&w, mac_other, PEER, i.addr);
	assert_int_equal(w.n_echo, 1);
	int more = w.n_other;
	nd_world_run(&w, 60 * NS_PER_S);
	assert_true(via_ready(w.a, s) & VIA_ERR); /* the connection from it has failed, and says why */
	assert_int_equal(error_of(s), ECONNABORTED);
	for (int k = more; k < w.n_other; k++)
		assert_memory_not_equal(w.frame + ETH_HLEN + 8, i.addr.b, 16); /* and nothing leaves in its name */
	assert_int_not_equal(error_of(late), ECONNABORTED); /* the other goes on */
	via_close(w.a, s);
	via_close(w.a, late);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(req_SA_001__link_local_on_interface_up), T(req_SA_001__tentative_addresses_answer_nothing),
		T(req_SA_002__conflicts_make_another_address), T(req_SA_002__own_probe_looped_back), T(req_SA_002__configured_addresses),
		T(req_SA_003__prefixes_of_advertisements), T(req_SA_004__an_advertisement_cannot_end_an_address),
		T(req_SA_005__deprecated_then_gone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
