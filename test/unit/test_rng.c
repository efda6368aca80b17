/* The generator against its papers' recurrences, and bounded draws for uniformity. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"

/* splitmix64 from seed 1234567 (published test values of the reference code). */
static void rng_seed__is_splitmix64(void **state)
{
	struct rng r;

	rng_seed(&r, 1234567);
	assert_int_equal(r.s[0], UINT64_C(6457827717110365317));
	assert_int_equal(r.s[1], UINT64_C(3203168211198807973));
	assert_int_equal(r.s[2], UINT64_C(9817491932198370423));
	assert_int_equal(r.s[3], UINT64_C(4593380528125082431));
}

/* xoshiro256** from state {1, 2, 3, 4} (published test values of the reference code). */
static void rng_u64__is_xoshiro256starstar(void **state)
{
	static const uint64_t want[] = {UINT64_C(11520), UINT64_C(0), UINT64_C(1509978240), UINT64_C(1215971899390074240),
	                                UINT64_C(1216172134540287360), UINT64_C(607988272756665600)};
	struct rng r = {{1, 2, 3, 4}};

	for (unsigned i = 0; i < ARRAY_LEN(want); i++)
		assert_int_equal(rng_u64(&r), want[i]);
}

static void rng_below__is_uniform(void **state)
{
	static const uint64_t ns[] = {1, 2, 3, 7, 10};
	struct rng r;

	rng_seed(&r, 1);
	for (unsigned k = 0; k < ARRAY_LEN(ns); k++) {
		unsigned hit[10] = {0}, draws = 100000;
		for (unsigned i = 0; i < draws; i++) {
			uint64_t x = rng_below(&r, ns[k]);
			assert_true(x < ns[k]);
			hit[x]++;
		}
		unsigned want = draws / (unsigned)ns[k];
		for (unsigned i = 0; i < ns[k]; i++) /* 6 standard deviations: sqrt(want) each */
			assert_true(hit[i] + 6 * 320 > want && hit[i] < want + 6 * 320);
	}
	uint64_t odd = (UINT64_C(1) << 63) + 1; /* half of all draws must be thrown away */
	unsigned high = 0;
	for (unsigned i = 0; i < 10000; i++) {
		uint64_t x = rng_below(&r, odd);
		assert_true(x < odd);
		high += x >= odd / 2;
	}
	assert_true(high > 4700 && high < 5300);
}

static void rng_chance__hits_its_rate(void **state)
{
	struct rng r;
	unsigned hits = 0;

	rng_seed(&r, 42);
	for (unsigned i = 0; i < 1000000; i++) {
		assert_false(rng_chance(&r, 0));
		hits += rng_chance(&r, 10000000); /* 1 % */
	}
	assert_true(hits > 9600 && hits < 10400); /* 4 standard deviations of 99.5 */
	for (unsigned i = 0; i < 1000; i++)
		assert_true(rng_chance(&r, 1000000000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rng_seed__is_splitmix64),
		cmocka_unit_test(rng_u64__is_xoshiro256starstar),
		cmocka_unit_test(rng_below__is_uniform),
		cmocka_unit_test(rng_chance__hits_its_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
