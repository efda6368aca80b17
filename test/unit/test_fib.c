/* Routes against a naive table that looks at every prefix; equal paths; interfaces that are down. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "base/rng.h"
#include "fib_model.h"

enum { N = 3000 };

struct naive {
	uint32_t net;
	uint8_t plen;
	uint16_t ifindex;
	bool live;
};

static uint32_t bits(unsigned plen)
{
	return plen ? 0xffffffffu << (32 - plen) : 0;
}

static struct fib_hop hop_via(uint16_t ifindex, uint32_t gw)
{
	return (struct fib_hop){.gateway = via_addr_v4(gw), .ifindex = ifindex, .weight = 1};
}

static const struct naive *naive_find(const struct naive *t, uint32_t d, uint64_t down)
{
	const struct naive *best = NULL;
	for (int i = 0; i < N; i++)
		if (t[i].live && (d & bits(t[i].plen)) == t[i].net && !(down >> t[i].ifindex & 1) && (!best || t[i].plen > best->plen))
			best = &t[i];
	return best;
}

static void compare(struct arena *a, ref_t fib, const struct naive *t, struct rng *r)
{
	for (int k = 0; k < 2000; k++) {
		uint32_t d = (uint32_t)rng_u64(r);
		uint64_t down = k % 3 ? 0 : rng_u64(r) & rng_u64(r);
		struct via_addr dst;
		if (k % 2)
			d = t[rng_below(r, N)].net | (d & 0xff);
		dst = via_addr_v4(d);
		struct fib_hop hop;
		const struct naive *want = naive_find(t, d, down);
		bool got = fib_lookup(a, fib, &dst, (uint32_t)rng_u64(r), down, &hop);
		assert_int_equal(got, want != NULL);
		if (want)
			assert_int_equal(hop.ifindex, want->ifindex);
	}
}

static void req_RT4_004__longest_match_as_a_naive_table(void **state)
{
	struct arena *a = region_new(64 * ARENA_PAGE_SIZE);
	struct naive *t = calloc(N, sizeof(*t));
	struct rng r;
	rng_seed(&r, 3);
	ref_t fib = fib_new(a, (struct prf_key){1, 2});
	for (int i = 0; i < N; i++) {
		t[i].plen = (uint8_t)(i == 0 ? 0 : 4 + rng_below(&r, 29));
		t[i].net = (uint32_t)(rng_below(&r, 4) << 30 | rng_below(&r, 1 << 20) << 4) & bits(t[i].plen);
		t[i].ifindex = (uint16_t)(2 + rng_below(&r, 60));
		struct via_addr dst = via_addr_v4(t[i].net);
		struct fib_hop h = hop_via(t[i].ifindex, 0);
		t[i].live = true;
		for (int k = 0; k < i && t[i].live; k++)
			t[i].live = t[k].net != t[i].net || t[k].plen != t[i].plen;
		if (t[i].live)
			assert_int_equal(fib_add(a, fib, &dst, t[i].plen, &h), 0);
	}
	compare(a, fib, t, &r);
	for (int i = 0; i < N; i += 2) {
		struct via_addr dst = via_addr_v4(t[i].net);
		struct fib_hop h = hop_via(t[i].ifindex, 0);
		if (t[i].live)
			assert_int_equal(fib_del(a, fib, &dst, t[i].plen, &h), 0);
		t[i].live = false;
	}
	compare(a, fib, t, &r);
	int n = 0, live = 0, last = 33;
	struct via_addr dst;
	struct fib_hop h;
	uint8_t plen;
	for (; fib_get(a, fib, n, &dst, &plen, &h); n++) {
		assert_true(plen <= last);
		last = plen;
	}
	for (int i = 0; i < N; i++)
		live += t[i].live;
	assert_int_equal(n, live);
	fib_free(a, fib);
	assert_int_equal(arena_bytes_used(a), 0);
	free(t);
	region_free(a);
}

static void req_RT4_004__equal_paths_keep_a_flow_and_are_all_used(void **state)
{
	struct arena *a = region_new(8 * ARENA_PAGE_SIZE);
	ref_t fib = fib_new(a, (struct prf_key){1, 2});
	struct via_addr net = via_addr_v4(0x0a000000), dst = via_addr_v4(0x0a010203);
	struct rng r;
	int used[8] = {0};
	rng_seed(&r, 5);
	for (uint16_t i = 2; i < 6; i++) {
		struct fib_hop h = hop_via(i, 0xc0a80000u + i);
		assert_int_equal(fib_add(a, fib, &net, 8, &h), 0);
		assert_int_equal(fib_add(a, fib, &net, 8, &h), -EEXIST);
	}
	for (int k = 0; k < 4000; k++) {
		uint32_t flow = (uint32_t)rng_u64(&r);
		struct fib_hop x, y;
		assert_true(fib_lookup(a, fib, &dst, flow, 0, &x) && fib_lookup(a, fib, &dst, flow, 0, &y));
		assert_int_equal(x.ifindex, y.ifindex);
		used[x.ifindex]++;
		/* with an interface down the others carry its flows */
		assert_true(fib_lookup(a, fib, &dst, flow, UINT64_C(1) << 3, &y));
		assert_int_not_equal(y.ifindex, 3);
	}
	for (int i = 2; i < 6; i++) /* 1000 each expected, sigma 27 */
		assert_in_range(used[i], 1000 - 5 * 28, 1000 + 5 * 28);
	for (uint16_t i = 6; i < 10; i++) {
		struct fib_hop h = hop_via(i, 0xc0a80000u + i);
		assert_int_equal(fib_add(a, fib, &net, 8, &h), 0);
	}
	struct fib_hop one_more = hop_via(10, 0xc0a8000au);
	assert_int_equal(fib_add(a, fib, &net, 8, &one_more), -ENOSPC);
	assert_int_equal(fib_del(a, fib, &net, 8, &one_more), -ESRCH);
	assert_int_equal(fib_del_ifindex(a, fib, 4), 1);
	struct fib_hop h;
	for (uint32_t k = 0; k < 1000; k++) {
		assert_true(fib_lookup(a, fib, &dst, k << 22, 0, &h));
		assert_int_not_equal(h.ifindex, 4);
	}
	fib_free(a, fib);
	assert_int_equal(arena_bytes_used(a), 0);
	region_free(a);
}

/* Shares are as the weights, wherever in the list the heavy path stands. */
static void req_RT4_004__weights_are_shares(void **state)
{
	struct arena *a = region_new(8 * ARENA_PAGE_SIZE);
	struct via_addr net = via_addr_v4(0x0a000000), dst = via_addr_v4(0x0a010203);
	for (unsigned heavy = 2; heavy < 5; heavy++) {
		ref_t fib = fib_new(a, (struct prf_key){1, 2});
		int used[5] = {0};
		for (uint16_t i = 2; i < 5; i++) {
			struct fib_hop h = hop_via(i, 0xc0a80000u + i);
			h.weight = i == heavy ? 6 : 1;
			assert_int_equal(fib_add(a, fib, &net, 8, &h), 0);
		}
		for (uint32_t k = 0; k < 8000; k++) {
			struct fib_hop x;
			assert_true(fib_lookup(a, fib, &dst, k * 536870u, 0, &x)); /* evenly over all hashes */
			used[x.ifindex]++;
		}
		for (unsigned i = 2; i < 5; i++)
			assert_in_range(used[i], (i == heavy ? 6000 : 1000) - 2, (i == heavy ? 6000 : 1000) + 2);
		fib_free(a, fib);
	}
	region_free(a);
}

static void fib__families_do_not_mix(void **state)
{
	struct arena *a = region_new(8 * ARENA_PAGE_SIZE);
	ref_t fib = fib_new(a, (struct prf_key){1, 2});
	struct via_addr six = {.b = {0x20, 1, 0xd, 0xb8}}, any6 = {0}, four = via_addr_v4(0x0a000001), any4 = via_addr_v4(0);
	struct fib_hop h6 = {.ifindex = 6}, h4 = {.ifindex = 4}, h;
	assert_int_equal(fib_add(a, fib, &any6, 0, &h6), 0);
	assert_false(fib_lookup(a, fib, &four, 0, 0, &h));
	assert_true(fib_lookup(a, fib, &six, 0, 0, &h));
	assert_int_equal(fib_add(a, fib, &any4, 0, &h4), 0);
	assert_true(fib_lookup(a, fib, &four, 0, 0, &h));
	assert_int_equal(h.ifindex, 4);
	assert_true(fib_lookup(a, fib, &six, 0, 0, &h));
	assert_int_equal(h.ifindex, 6);
	fib_free(a, fib);
	region_free(a);
}

/* No memory for the second path, nor for a new prefix: what is there stays as it was, and nothing leaks. */
static void fib_add__without_memory(void **state)
{
	struct arena *a = region_new(8 * ARENA_PAGE_SIZE);
	ref_t fib = fib_new(a, (struct prf_key){1, 2}), all[4096];
	size_t empty = arena_bytes_used(a);
	struct via_addr net = via_addr_v4(0x0a000000), other = via_addr_v4(0x0b000000), dst = via_addr_v4(0x0a010203);
	struct fib_hop one = hop_via(2, 0xc0a80001), two = hop_via(3, 0xc0a80002), h;
	struct fib_cursor c = {0};
	uint8_t plen;
	int n = 0;
	assert_int_equal(fib_add(a, fib, &net, 8, &one), 0);
	for (size_t size = 4096; size >= 16; size /= 2)
		for (size_t part = size; part >= 16 && part >= size / 4 * 3; part -= size / 4) /* of every class */
			while (n < 4096 && (all[n] = arena_buf_take(a, part)) != 0)
				((uint32_t *)arena_at(a, all[n++]))[0] = (uint32_t)part;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(fib_add(a, fib, &net, 8, &two), -ENOMEM);
		assert_true(fib_lookup(a, fib, &dst, (uint32_t)i << 30, 0, &h));
		assert_int_equal(h.ifindex, 2);
		assert_non_null(fib_match(a, fib, &dst, 0));
		assert_int_equal(fib_match(a, fib, &dst, 0)->n, 1);
	}
	int added = 0; /* prefixes come from a page that is there already: fill it */
	for (uint32_t i = 1; fib_add(a, fib, &other, 32, &one) == 0; i++) {
		other = via_addr_v4(0x0b000000 + i);
		added++;
	}
	assert_int_equal(fib_add(a, fib, &other, 32, &one), -ENOMEM);
	assert_false(fib_lookup(a, fib, &other, 0, 0, &h));
	for (int i = 0; i < added; i++)
		assert_true(fib_get_from(a, fib, &c, i, &dst, &plen, &h));
	while (n-- > 0)
		arena_buf_give(a, all[n], ((uint32_t *)arena_at(a, all[n]))[0]);
	assert_int_equal(fib_add(a, fib, &net, 8, &two), 0);
	fib_del_ifindex(a, fib, 2);
	fib_del_ifindex(a, fib, 3);
	assert_in_range(arena_bytes_used(a), 1, empty + 65536); /* but for the hash, which grew */
	fib_free(a, fib);
	assert_int_equal(arena_bytes_used(a), 0);
	region_free(a);
}

/* With a cursor a listing says the same in any order of asking, while the table changes. */
static void fib_get_from__as_from_the_beginning(void **state)
{
	struct arena *a = region_new(64 * ARENA_PAGE_SIZE);
	ref_t fib = fib_new(a, (struct prf_key){1, 2});
	struct fib_cursor c = {0};
	struct rng r;
	rng_seed(&r, 7);
	for (int k = 0; k < 3000; k++) {
		struct via_addr dst = via_addr_v4((uint32_t)rng_below(&r, 64) << 24), d1, d2;
		struct fib_hop h = hop_via((uint16_t)(2 + rng_below(&r, 5)), 0), h1, h2;
		uint8_t plen = (uint8_t)(6 + rng_below(&r, 3)), p1, p2;
		if (k % 7 == 0)
			fib_add(a, fib, &dst, plen, &h);
		else if (k % 31 == 0)
			fib_del(a, fib, &dst, plen, &h);
		int n = k % 3 ? k % 50 : (int)rng_below(&r, 300);
		bool got = fib_get_from(a, fib, &c, n, &d1, &p1, &h1);
		assert_int_equal(got, fib_get(a, fib, n, &d2, &p2, &h2));
		if (got) {
			assert_memory_equal(&d1, &d2, sizeof(d1));
			assert_int_equal(p1, p2);
			assert_int_equal(h1.ifindex, h2.ifindex);
		}
	}
	fib_free(a, fib);
	region_free(a);
}

/* 10^5 random changes and look-ups against a table that tries every prefix, through all sizes up and down (fast_fib: 10^7). */
static void req_RT4_004__longest_match_whatever_changes(void **state)
{
	enum { ROUNDS = 10, STEPS = 5000 };
	struct arena *a = region_new(512 * ARENA_PAGE_SIZE);
	struct fib_model m = model_new(1 << 17);
	struct rng r;
	rng_seed(&r, 11);
	ref_t fib = fib_new(a, (struct prf_key){1, 2});
	size_t empty = arena_bytes_used(a);
	for (int round = 0; round < ROUNDS; round++) {
		for (int k = 0; k < STEPS; k++) {
			assert_int_equal(model_change(&r, &m, a, fib, 20000, round >= ROUNDS / 2), 0);
			assert_int_equal(model_lookup(&r, &m, a, fib), 0);
		}
	}
	while (m.n)
		model_change(&r, &m, a, fib, 0, true);
	assert_int_equal(arena_bytes_used(a), empty);
	fib_free(a, fib);
	assert_int_equal(arena_bytes_used(a), 0);
	model_free(&m);
	region_free(a);
}

/* A host's table is small: three routes cost some hundred bytes. */
static void fib__three_routes_cost_little(void **state)
{
	struct arena *a = region_new(8 * ARENA_PAGE_SIZE);
	ref_t fib = fib_new(a, (struct prf_key){1, 2});
	struct fib_hop on = hop_via(2, 0), gw = hop_via(2, 0x0a0000feu), lo = hop_via(3, 0);
	struct via_addr net = via_addr_v4(0x0a000000), any = via_addr_v4(0), other = via_addr_v4(0x0a000100);
	assert_int_equal(fib_add(a, fib, &net, 24, &on), 0);
	assert_int_equal(fib_add(a, fib, &any, 0, &gw), 0);
	assert_int_equal(fib_add(a, fib, &other, 24, &lo), 0);
	assert_in_range(arena_bytes_used(a), 1, 500);
	fib_free(a, fib);
	region_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(req_RT4_004__longest_match_as_a_naive_table),
		cmocka_unit_test(req_RT4_004__longest_match_whatever_changes),
		cmocka_unit_test(fib__three_routes_cost_little),
		cmocka_unit_test(req_RT4_004__equal_paths_keep_a_flow_and_are_all_used),
		cmocka_unit_test(req_RT4_004__weights_are_shares),
		cmocka_unit_test(fib__families_do_not_mix),
		cmocka_unit_test(fib_add__without_memory),
		cmocka_unit_test(fib_get_from__as_from_the_beginning),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
