/* The learning bridge: learning, flooding, ageing, the cap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

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
	uint64_t out;
	int n = bridge_input(b, a, port, &h, now, &out);
	assert_int_equal(n, __builtin_popcountll(out));
	return out;
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
	uint64_t out;
	bridge_init(&b, a, (struct prf_key){1, 2}, 0xf, 0);
	struct eth_hdr h = frame(1, 2);
	h.src[0] |= 1;
	assert_int_equal(bridge_input(&b, a, 0, &h, 0, &out), 0);
	assert_int_equal(b.pool.n_used, 0);
	struct eth_hdr stp = {.src = {2, 0, 0, 0, 0, 1}, .dst = {1, 0x80, 0xc2, 0, 0, 0}};
	assert_int_equal(bridge_input(&b, a, 0, &stp, 0, &out), 0);
	stp.dst[5] = 0x10;
	assert_int_equal(bridge_input(&b, a, 0, &stp, 0, &out), 3);
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
	assert_int_equal(bridge_lookup(&b, a, h.src, BRIDGE_AGE_NS + 6), 1);
	bridge_fini(&b, a);
	assert_int_equal(arena_bytes_used(a), 0);
	region_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bridge__learns_floods_and_filters), cmocka_unit_test(bridge__never_forwards_bad_sources_or_link_local_groups),
		cmocka_unit_test(bridge__ages), cmocka_unit_test(bridge__cap_keeps_the_living),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
