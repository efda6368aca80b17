/* The table against a plain array of what is in it, while it grows, shrinks and is emptied. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "region.h"

#include "base/rng.h"
#include "sock/htab.h"

#define N 100000u

struct item {
	ref_t next;
	uint32_t hash, key;
	uint32_t pad;
};

static ref_t find(struct arena *a, struct htab *h, uint32_t hash, uint32_t key)
{
	for (ref_t r = htab_first(a, h, hash); r; r = htab_next(a, h, r))
		if (((struct item *)arena_at(a, r))->key == key)
			return r;
	return 0;
}

static void htab__finds_what_is_in_and_nothing_else(void **state)
{
	struct arena *a = region_new(16u << 20);
	struct rng rng;
	struct htab h;
	ref_t items = arena_buf_take(a, N * sizeof(struct item));
	struct item *it = arena_at(a, items);
	static bool in[N];
	rng_seed(&rng, 1);
	size_t base = arena_bytes_used(a);
	assert_int_equal(htab_init(a, &h, offsetof(struct item, next), offsetof(struct item, hash)), 0);
	size_t empty = arena_bytes_used(a);
	for (uint32_t i = 0; i < N; i++)
		it[i] = (struct item){.hash = (uint32_t)rng_u64(&rng), .key = i};
	/* Growing, wobbling, shrinking: the chance that an item is put in falls over time. */
	for (uint32_t step = 0; step < 600000; step++) {
		uint32_t i = (uint32_t)rng_below(&rng, N), phase = step / 200000;
		bool want = rng_below(&rng, 100) < (phase == 0 ? 95 : phase == 1 ? 50 : 2);
		if (want != in[i] && want)
			htab_add(a, &h, arena_ref(a, &it[i]));
		else if (want != in[i])
			assert_true(htab_del(a, &h, arena_ref(a, &it[i])));
		in[i] = want;
		if (step % 7 == 0) {
			uint32_t k = (uint32_t)rng_below(&rng, N);
			assert_int_equal(find(a, &h, it[k].hash, k) != 0, in[k]);
		}
	}
	uint32_t n = 0;
	for (uint32_t i = 0; i < N; i++) {
		assert_int_equal(find(a, &h, it[i].hash, i) != 0, in[i]);
		n += in[i];
	}
	assert_int_equal(h.count, n);
	for (uint32_t i = 0; i < N; i++)
		assert_int_equal(htab_del(a, &h, arena_ref(a, &it[i])), in[i]);
	assert_int_equal(htab_any(a, &h), 0);
	assert_int_equal(arena_bytes_used(a), empty);
	htab_fini(a, &h);
	assert_int_equal(arena_bytes_used(a), base);
	region_free(a);
}

static void htab__chains_stay_short(void **state)
{
	struct arena *a = region_new(16u << 20);
	struct rng rng;
	struct htab h;
	rng_seed(&rng, 2);
	assert_int_equal(htab_init(a, &h, offsetof(struct item, next), offsetof(struct item, hash)), 0);
	ref_t items = arena_buf_take(a, N * sizeof(struct item));
	struct item *it = arena_at(a, items);
	for (uint32_t i = 0; i < N; i++) {
		it[i] = (struct item){.hash = (uint32_t)rng_u64(&rng)};
		htab_add(a, &h, arena_ref(a, &it[i]));
		/* At most one object per bucket on average: 16 in one bucket has a chance below 10^-12. */
		if (i % 9973 == 0)
			assert_in_range(htab_longest(a, &h), 1, 16);
	}
	assert_in_range(htab_longest(a, &h), 1, 16);
	assert_int_equal(h.count, N);
	region_free(a);
}

static void htab__goes_on_without_memory(void **state)
{
	struct arena *a = region_new(4 * ARENA_PAGE_SIZE);
	struct htab h;
	assert_int_equal(htab_init(a, &h, offsetof(struct item, next), offsetof(struct item, hash)), 0);
	ref_t items = arena_buf_take(a, 1000 * sizeof(struct item));
	struct item *it = arena_at(a, items);
	while (arena_buf_take(a, 64))
		;
	for (uint32_t i = 0; i < 1000; i++) {
		it[i] = (struct item){.hash = i * 2654435761u, .key = i};
		htab_add(a, &h, arena_ref(a, &it[i]));
	}
	for (uint32_t i = 0; i < 1000; i++)
		assert_true(find(a, &h, it[i].hash, i) != 0);
	region_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(htab__finds_what_is_in_and_nothing_else),
		cmocka_unit_test(htab__chains_stay_short),
		cmocka_unit_test(htab__goes_on_without_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
