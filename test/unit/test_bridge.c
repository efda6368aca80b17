/* The learning bridge: learning, flooding, ageing, the cap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "base/rng.h"
#include "link/bridge.h"
#include "region.h"

static struct eth_hdr frame(uint32_t src, uint32_t dst)
{
	struct eth_hdr h = {.type = ETHERTYPE_IP4, .hlen = 14};
	h.src[0] = h.dst[0] = 2;
	put_be32(h.src + 2, src);
	put_be32(h.dst + 2, dst);
	if (dst == 0xffffffff)
		memset(h.dst, 0xff, 6);
	return h;
}

static uint64_t pass(struct bridge *b, struct arena *a, int port, uint32_t src, uint32_t dst, int64_t now)
{
	struct eth_hdr h = frame(src, dst);
	struct bridge_way w;
	int n = bridge_input(b, a, port, &h, now, &w);
	assert_int_equal(n, __builtin_popcountll(w.out));
	assert_int_equal(w.vid | w.untagged | w.drop, 0);
	return w.out;
}

static void bridge__learns_floods_and_filters(void **state)
{
	struct arena *a = region_new(8 * ARENA_PAGE_SIZE);
	struct bridge b;
	bridge_init(&b, a, (struct prf_key){1, 2}, 0xf, 0);
	assert_int_equal(pass(&b, a, 0, 1, 2, 0), 0xe);          /* unknown: all but its own port */
	assert_int_equal(pass(&b, a, 3, 2, 1, 0), 0x1);          /* known */
	assert_int_equal(pass(&b, a, 0, 1, 2, 0), 0x8);
	assert_int_equal(pass(&b, a, 0, 7, 1, 0), 0);            /* same side */
	assert_int_equal(pass(&b, a, 1, 9, 0xffffffff, 0), 0xd); /* broadcast */
	assert_int_equal(pass(&b, a, 2, 2, 1, 0), 0x1);          /* 2 moved */
	assert_int_equal(pass(&b, a, 0, 1, 2, 0), 0x4);
	bridge_port_flush(&b, a, 2);
	assert_int_equal(pass(&b, a, 0, 1, 2, 0), 0xe);
	bridge_fini(&b, a);
	assert_int_equal(arena_bytes_used(a), 0);
	region_free(a);
}

static void bridge__never_forwards_bad_sources_or_link_local_groups(void **state)
{
	struct arena *a = region_new(8 * ARENA_PAGE_SIZE);
	struct bridge b;
	struct bridge_way w;
	bridge_init(&b, a, (struct prf_key){1, 2}, 0xf, 0);
	struct eth_hdr h = frame(1, 2);
	h.src[0] |= 1;
	assert_int_equal(bridge_input(&b, a, 0, &h, 0, &w), 0);
	assert_int_equal(b.pool.n_used, 0);
	struct eth_hdr stp = {.src = {2, 0, 0, 0, 0, 1}, .dst = {1, 0x80, 0xc2, 0, 0, 0}};
	assert_int_equal(bridge_input(&b, a, 0, &stp, 0, &w), 0);
	stp.dst[5] = 0x10;
	assert_int_equal(bridge_input(&b, a, 0, &stp, 0, &w), 3);
	bridge_fini(&b, a);
	region_free(a);
}

static void bridge__ages(void **state)
{
	struct arena *a = region_new(8 * ARENA_PAGE_SIZE);
	struct bridge b;
	bridge_init(&b, a, (struct prf_key){1, 2}, 0xf, 0);
	pass(&b, a, 0, 1, 2, 0);
	assert_int_equal(pass(&b, a, 1, 2, 1, BRIDGE_AGE_NS - 1), 0x1);
	assert_int_equal(pass(&b, a, 1, 2, 1, BRIDGE_AGE_NS), 0xd);
	bridge_fini(&b, a);
	region_free(a);
}

static void bridge__cap_keeps_the_living(void **state)
{
	struct arena *a = region_new(16 * ARENA_PAGE_SIZE);
	struct bridge b;
	bridge_init(&b, a, (struct prf_key){1, 2}, 0xf, 100);
	for (uint32_t i = 0; i < 100; i++)
		pass(&b, a, 0, i, 1000, 0);
	for (uint32_t i = 0; i < 1000; i++) /* a flood of new sources */
		pass(&b, a, 1, 5000 + i, 1000, 1);
	assert_int_equal(b.pool.n_used, 100);
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(pass(&b, a, 2, 99999, i, 2), 0x1);
	pass(&b, a, 1, 7777, 1000, BRIDGE_AGE_NS + 5); /* the old ones have aged by now */
	struct eth_hdr h = frame(7777, 0);
	assert_int_equal(bridge_lookup(&b, a, 0, h.src, BRIDGE_AGE_NS + 6), 1);
	bridge_fini(&b, a);
	assert_int_equal(arena_bytes_used(a), 0);
	region_free(a);
}

/* --- VLANs --- */

enum { PORTS = 6 };
static const struct bridge_vlan campus[] = {
	{10, .untagged = 0x03, .tagged = 0x30}, {20, .untagged = 0x04, .tagged = 0x30}, {30, .untagged = 0x20, .tagged = 0x18}};

static struct bridge_way pass_vlan(struct bridge *b, struct arena *a, int port, uint16_t vid, bool tagged, uint32_t src, uint32_t dst)
{
	struct eth_hdr h = frame(src, dst);
	struct bridge_way w;
	h.vlan = vid;
	h.tagged = tagged;
	h.hlen = tagged ? 18 : 14;
	bridge_input(b, a, port, &h, 0, &w);
	return w;
}

static void vlan__a_frame_stays_in_its_own(void **state)
{
	struct arena *a = region_new(8 * ARENA_PAGE_SIZE);
	struct bridge b;
	bridge_init(&b, a, (struct prf_key){1, 2}, 0x3f, 0);
	for (size_t i = 0; i < ARRAY_LEN(campus); i++)
		assert_int_equal(bridge_vlan_add(&b, &campus[i]), 0);
	struct bridge_way w = pass_vlan(&b, a, 0, 0, false, 1, 0xffffffff); /* untagged at an access port: VLAN 10 */
	assert_int_equal(w.vid, 10);
	assert_int_equal(w.out, 0x32);
	assert_int_equal(w.untagged, 0x02);
	w = pass_vlan(&b, a, 0, 0, true, 1, 0xffffffff); /* a priority tag says nothing of VLANs */
	assert_true(w.vid == 10 && w.out == 0x32);
	w = pass_vlan(&b, a, 5, 10, true, 2, 1); /* by the trunk, to whom port 0 has taught */
	assert_true(w.out == 1 && w.untagged == 1 && w.vid == 10);
	w = pass_vlan(&b, a, 5, 20, true, 2, 1); /* in VLAN 20 nobody knows that address */
	assert_true(w.out == 0x14 && w.untagged == 0x04 && w.vid == 20);
	w = pass_vlan(&b, a, 5, 0, false, 3, 0xffffffff); /* native */
	assert_true(w.vid == 30 && w.out == 0x18 && !w.untagged);
	w = pass_vlan(&b, a, 0, 10, true, 1, 0xffffffff); /* its own tag at an access port: it is of that VLAN all the same */
	assert_true(w.vid == 10 && w.out == 0x32);
	w = pass_vlan(&b, a, 0, 20, true, 1, 0xffffffff); /* another's: the port does not have it */
	assert_true(!w.out && w.drop == DROP_ETH_VLAN);
	w = pass_vlan(&b, a, 4, 0, false, 1, 0xffffffff); /* untagged at a trunk without native VLAN */
	assert_true(!w.out && w.drop == DROP_ETH_VLAN);
	w = pass_vlan(&b, a, 4, 99, true, 1, 0xffffffff);
	assert_true(!w.out && w.drop == DROP_ETH_VLAN);
	struct eth_hdr twice = frame(1, 2);
	twice.tagged = true;
	twice.vlan = 10;
	twice.type = ETHERTYPE_VLAN;
	assert_int_equal(bridge_input(&b, a, 4, &twice, 0, &w), 0);
	assert_int_equal(w.drop, DROP_ETH_TAGS);
	twice = frame(1, 2);
	twice.type = ETHERTYPE_SVLAN;
	assert_int_equal(bridge_input(&b, a, 0, &twice, 0, &w), 0);
	assert_int_equal(w.drop, DROP_ETH_TAGS);
	bridge_fini(&b, a);
	region_free(a);
}

static void vlan__limits(void **state)
{
	struct arena *a = region_new(8 * ARENA_PAGE_SIZE);
	struct bridge b;
	bridge_init(&b, a, (struct prf_key){1, 2}, 0xf, 0);
	assert_int_equal(bridge_vlan_add(&b, &(struct bridge_vlan){0, 0, 1}), -EINVAL);
	assert_int_equal(bridge_vlan_add(&b, &(struct bridge_vlan){4095, 0, 1}), -EINVAL);
	assert_int_equal(bridge_vlan_add(&b, &(struct bridge_vlan){1, 1, 1}), -EINVAL); /* tagged and not */
	assert_int_equal(bridge_vlan_add(&b, &(struct bridge_vlan){1, 0, 1}), 0);
	assert_int_equal(bridge_vlan_add(&b, &(struct bridge_vlan){1, 0, 2}), -EINVAL);
	assert_int_equal(bridge_vlan_add(&b, &(struct bridge_vlan){2, 0, 1}), -EINVAL); /* whose are untagged frames of port 0? */
	for (uint16_t v = 2; v <= BRIDGE_VLANS_MAX; v++)
		assert_int_equal(bridge_vlan_add(&b, &(struct bridge_vlan){v, 8, 0}), 0);
	assert_int_equal(bridge_vlan_add(&b, &(struct bridge_vlan){4094, 8, 0}), -ENOSPC);
	bridge_fini(&b, a);
	region_free(a);
}

/* Where a frame must go, said anew: a table of (VLAN, address) to port, and the ports' own words. */
static void vlan__as_a_naive_switch(void **state)
{
	static int table[4096][16];
	struct arena *a = region_new(8 * ARENA_PAGE_SIZE);
	struct bridge b;
	struct rng r;
	int n_dropped = 0, n_known = 0;
	rng_seed(&r, 11);
	memset(table, -1, sizeof table);
	bridge_init(&b, a, (struct prf_key){1, 2}, 0x3f, 0);
	for (size_t i = 0; i < ARRAY_LEN(campus); i++)
		bridge_vlan_add(&b, &campus[i]);
	for (int i = 0; i < 200000; i++) {
		static const uint16_t vids[] = {0, 10, 20, 30, 40};
		int port = (int)rng_below(&r, PORTS);
		bool tagged = rng_below(&r, 2);
		uint16_t vid = tagged ? vids[rng_below(&r, 5)] : 0;
		uint32_t src = (uint32_t)rng_below(&r, 16), dst = (uint32_t)rng_below(&r, 17);
		struct bridge_way w = pass_vlan(&b, a, port, vid, tagged, src, dst == 16 ? 0xffffffff : dst);
		const struct bridge_vlan *v = NULL;
		for (size_t k = 0; k < ARRAY_LEN(campus); k++)
			if (vid ? campus[k].vid == vid : campus[k].untagged >> port & 1)
				v = &campus[k];
		if (!v || !((v->tagged | v->untagged) >> port & 1)) {
			assert_true(!w.out && w.drop == DROP_ETH_VLAN);
			n_dropped++;
			continue;
		}
		table[v->vid][src] = port;
		int to = dst == 16 ? -1 : table[v->vid][dst];
		n_known += to >= 0;
		for (int p = 0; p < PORTS; p++) {
			bool has = (v->tagged | v->untagged) >> p & 1, want = has && p != port && (to < 0 || to == p);
			assert_int_equal(w.out >> p & 1, want);
			if (want)
				assert_int_equal(w.untagged >> p & 1, v->untagged >> p & 1);
		}
		assert_int_equal(w.vid, v->vid);
	}
	assert_true(n_dropped > 1000 && n_known > 1000);
	bridge_fini(&b, a);
	assert_int_equal(arena_bytes_used(a), 0);
	region_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bridge__learns_floods_and_filters), cmocka_unit_test(bridge__never_forwards_bad_sources_or_link_local_groups),
		cmocka_unit_test(bridge__ages), cmocka_unit_test(bridge__cap_keeps_the_living),
		cmocka_unit_test(vlan__a_frame_stays_in_its_own), cmocka_unit_test(vlan__limits), cmocka_unit_test(vlan__as_a_naive_switch),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
