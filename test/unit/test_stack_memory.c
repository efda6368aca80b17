/* What a stack costs, and that all of it is in its arena: touched memory, snapshot and replay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <unistd.h>

#include "stacks.h"

/* Bytes of [p, p+n) that are in memory. */
static size_t touched(void *p, size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = n / page, k = 0;
	unsigned char *in = calloc(1, pages);
	assert_int_equal(mincore(p, n, in), 0);
	for (size_t i = 0; i < pages; i++)
		k += in[i] & 1;
	free(in);
	return k * page;
}

static void empty_host__touches_at_most_256_KiB(void **state)
{
	struct net *t = net_new();
	struct via *v = net_stack(t, "host", false);
	size_t bytes = touched(t->arena[0], NET_ARENA) + via_size();
	assert_in_range(bytes, 1, 256 * 1024);
	/* and with an interface, an address and a route */
	struct via *r = net_stack(t, "router", true);
	int a, b;
	net_link(t, v, r, 64, 1500, 0, 0, &a, &b);
	assert_int_equal(net_addr(v, a, 0x0a000001, 24), 0);
	assert_int_equal(net_addr(r, b, 0x0a000002, 24), 0);
	assert_int_equal(net_route(v, 0, 0, 0x0a000002), 0);
	assert_true(net_run(t, t->now + NS_PER_S));
	bytes = touched(t->arena[0], NET_ARENA) + via_size();
	assert_in_range(bytes, 1, 256 * 1024);
	net_free(t);
}

/* Some traffic with randomness in it: ports, identifiers, questions. Returns the hash of all that was seen. */
static uint64_t traffic(struct net *t)
{
	static const char buf[100];
	t->seen.hash = 1;
	for (int k = 0; k < 10; k++) {
		via_sock s = net_open(t->v[0], VIA_DGRAM), r = net_open(t->v[1], VIA_DGRAM);
		struct via_sockaddr at = net_at(0, 7), to = net_at(0x0a000002, (uint16_t)(7 + k % 2));
		via_bind(t->v[1], r, &at);
		via_sendto(t->v[0], s, buf, 10 + (uint32_t)k, 0, &to);
		assert_true(net_run(t, t->now + 700 * NS_PER_MS));
		via_close(t->v[0], s);
		via_close(t->v[1], r);
	}
	assert_true(net_run(t, t->now + 100 * NS_PER_S));
	return t->seen.hash;
}

static void snapshot__a_restored_stack_does_the_same_again(void **state)
{
	static uint8_t *shot[3];
	size_t len[3];
	struct net *t = net_new();
	struct via *a = net_stack(t, "a", false), *b = net_stack(t, "b", false);
	int ia, ib;
	memset(shot, 0, sizeof(shot));
	net_link(t, a, b, 64, 1500, 0, 0, &ia, &ib);
	assert_int_equal(net_addr(a, ia, 0x0a000001, 24), 0);
	assert_int_equal(net_addr(b, ib, 0x0a000002, 24), 0);
	traffic(t);
	int64_t at = t->now;
	for (int k = 0; k < 2; k++) {
		shot[k] = malloc(NET_ARENA);
		len[k] = via_snapshot(t->v[k], shot[k], NET_ARENA);
		assert_true(len[k] > 0);
		assert_int_equal(via_snapshot(t->v[k], shot[k], 100), 0);
		len[k] = via_snapshot(t->v[k], shot[k], NET_ARENA);
	}
	len[2] = arena_snapshot_bytes(t->mem.home);
	shot[2] = malloc(len[2]);
	assert_int_equal(arena_snapshot(t->mem.home, shot[2], len[2]), len[2]);
	uint64_t first = traffic(t);
	for (int round = 0; round < 2; round++) {
		for (int k = 0; k < 2; k++)
			assert_int_equal(via_restore(t->v[k], shot[k], len[k]), 0);
		assert_int_equal(arena_restore(t->mem.home, shot[2], len[2]), 0);
		t->now = at;
		assert_int_equal(traffic(t) == first, true);
	}
	/* without restoring it is another run */
	assert_int_equal(traffic(t) == first, false);
	assert_int_not_equal(via_restore(t->v[0], shot[0], 50), 0);
	for (int k = 0; k < 3; k++)
		free(shot[k]);
	net_free(t);
}

static void arena__small_ones_neither_crash_nor_leak(void **state)
{
	int made = 0;
	for (uint32_t pages = 1; pages < 24; pages++) {
		struct net *t = net_new();
		struct via_config c = {.size = sizeof(c), .name = "small", .arena_bytes = pages * ARENA_PAGE_SIZE, .mem = &t->mem, .now = t->now};
		c.arena = net_map(c.arena_bytes);
		void *mem = aligned_alloc(64, (via_size() + 63) & ~(size_t)63);
		struct via *v = via_init(mem, &c);
		made += v != NULL;
		for (int k = 0; v && k < 3000; k++) { /* until nothing more goes in */
			via_sock s;
			struct via_sockaddr to = net_at(0x7f000001 + (uint32_t)k, 9);
			struct via_change add = {.kind = VIA_ADDR_ADD, .ifindex = 1, .addr = via_addr_v4(0x0a000001 + (uint32_t)k), .plen = 32};
			via_configure(v, &add);
			if (via_open(v, k % 2 ? VIA_DGRAM : VIA_STREAM, 0, &s) == 0)
				via_connect(v, s, &to);
			if (k % 2)
				via_send(v, s, "x", 1, 0);
			via_poll(v, t->now, 64);
		}
		if (v) {
			via_fini(v);
			assert_int_equal(via_arena_used(v), 0);
		}
		free(mem);
		munmap(c.arena, c.arena_bytes);
		net_free(t);
	}
	assert_in_range(made, 1, 22); /* one page is too small for anybody, 23 are not */
}

static void fini__gives_all_back(void **state)
{
	struct net *t = net_new();
	struct via *a = net_stack(t, "a", false), *b = net_stack(t, "b", false);
	int ia, ib;
	net_link(t, a, b, 64, 1500, 0, 0, &ia, &ib);
	net_addr(a, ia, 0x0a000001, 24);
	net_addr(b, ib, 0x0a000002, 24);
	struct via_sockaddr to = net_at(0x0a000009, 9);
	via_sock s = net_open(a, VIA_DGRAM);
	for (int k = 0; k < 10; k++) /* they wait for a neighbour that is not there */
		via_sendto(a, s, "x", 1, 0, &to);
	net_free(t); /* asserts */
}

static void deadline__says_when_and_not_later(void **state)
{
	struct net *t = net_new();
	struct via *a = net_stack(t, "a", false), *b = net_stack(t, "b", false);
	int ia, ib;
	assert_int_equal(via_next_deadline(a), INT64_MAX);
	net_link(t, a, b, 64, 1500, 0, 0, &ia, &ib);
	net_addr(a, ia, 0x0a000001, 24);
	assert_true(via_next_deadline(a) <= t->now); /* the announcement is owed */
	assert_true(net_run(t, t->now));
	assert_int_equal(via_next_deadline(a), INT64_MAX);
	struct via_sockaddr to = net_at(0x0a000002, 9);
	via_sock s = net_open(a, VIA_DGRAM);
	via_sendto(a, s, "x", 1, 0, &to);
	assert_true(via_next_deadline(a) <= t->now);
	assert_true(net_run(t, t->now));
	int64_t d = via_next_deadline(a); /* not after the next question of ARP */
	assert_in_range(d, t->now + 1, t->now + NS_PER_S + (1 << WHEEL_TICK_SHIFT));
	net_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_host__touches_at_most_256_KiB), cmocka_unit_test(snapshot__a_restored_stack_does_the_same_again),
		cmocka_unit_test(arena__small_ones_neither_crash_nor_leak), cmocka_unit_test(fini__gives_all_back),
		cmocka_unit_test(deadline__says_when_and_not_later),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
