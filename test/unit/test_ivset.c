/* The interval set against a bitmap, around the wrap of sequence numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "base/ivset.h"
#include "base/rng.h"

#define SPAN 200
#define CAP 12

static uint32_t base;

static struct ivset *set_new(uint16_t cap)
{
	struct ivset *s = malloc(IVSET_BYTES(cap)); /* the sanitizer sees an entry too many */

	ivset_init(s, cap);
	return s;
}

/* Intervals of a bitmap. */
static unsigned count(const bool *bit)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SPAN; i++)
		n += bit[i] && (i == 0 || !bit[i - 1]);
	return n;
}

static void check(const struct ivset *s, const bool *bit)
{
	unsigned n = 0, total = 0;

	for (unsigned i = 0; i < SPAN; i++) {
		if (!bit[i])
			continue;
		unsigned j = i;
		while (j < SPAN && bit[j])
			j++;
		assert_true(n < s->n);
		assert_int_equal(s->v[n].lo, base + i);
		assert_int_equal(s->v[n].hi, base + j);
		n++;
		total += j - i;
		i = j;
	}
	assert_int_equal(s->n, n);
	assert_int_equal(ivset_total(s), total);
	for (unsigned i = 0; i < SPAN; i++) {
		unsigned k = 0;
		while (k < s->n && s->v[k].hi - base <= i)
			k++;
		assert_int_equal(ivset_find(s, base + i), k);
	}
}

static void check_gap(const struct ivset *s, const bool *bit, unsigned lo, unsigned hi)
{
	struct iv gap = {0};
	unsigned i = lo, j;

	while (i < hi && bit[i])
		i++;
	for (j = i; j < hi && !bit[j]; j++)
		;
	assert_int_equal(ivset_gap(s, base + lo, base + hi, &gap), i < hi);
	assert_int_equal(ivset_covers(s, base + lo, base + hi), i == hi);
	if (i < hi) {
		assert_int_equal(gap.lo, base + i);
		assert_int_equal(gap.hi, base + j);
	}
}

static void model(uint64_t seed)
{
	struct ivset *s = set_new(CAP);
	bool bit[SPAN] = {0}, want[SPAN];
	struct rng r;

	rng_seed(&r, seed);
	base = seed % 2 ? (uint32_t)rng_u64(&r) : 0u - (uint32_t)rng_below(&r, SPAN);
	for (int step = 0; step < 3000; step++) {
		unsigned lo = (unsigned)rng_below(&r, SPAN), hi = lo + (unsigned)rng_below(&r, MIN(SPAN - lo, 25u) + 1);
		unsigned op = (unsigned)rng_below(&r, 20);
		bool add = op < 11;
		uint16_t at;
		memcpy(want, bit, sizeof(want));
		if (op == 19) {
			memset(want, 0, lo);
			ivset_cut_below(s, base + lo);
			memcpy(bit, want, sizeof(bit));
			check(s, bit);
			continue;
		}
		for (unsigned i = lo; i < hi; i++)
			want[i] = add;
		int rc = add ? ivset_add(s, base + lo, base + hi, &at) : ivset_cut(s, base + lo, base + hi);
		/* merging or cutting never needs more room than the result; at the cap nothing changes */
		assert_int_equal(rc, count(want) > CAP ? -ENOSPC : 0);
		if (rc == 0) {
			memcpy(bit, want, sizeof(bit));
			if (add && lo < hi)
				assert_true(at < s->n && seq_le(s->v[at].lo, base + lo) && seq_le(base + hi, s->v[at].hi));
		}
		check(s, bit);
		check_gap(s, bit, lo, hi);
	}
	free(s);
}

static void ivset__model(void **state)
{
	for (uint64_t seed = 1; seed <= 30; seed++)
		model(seed);
}

static void ivset__touching_merge(void **state)
{
	struct ivset *s = set_new(2);

	assert_int_equal(ivset_add(s, 10, 20, NULL), 0);
	assert_int_equal(ivset_add(s, 30, 40, NULL), 0);
	assert_int_equal(ivset_add(s, 50, 60, NULL), -ENOSPC);
	assert_int_equal(ivset_cut(s, 12, 15), -ENOSPC);
	assert_int_equal(s->n, 2);
	assert_int_equal(ivset_total(s), 20);
	assert_int_equal(ivset_add(s, 20, 30, NULL), 0); /* at the cap, but it needs no entry */
	assert_int_equal(s->n, 1);
	assert_int_equal(s->v[0].lo, 10);
	assert_int_equal(s->v[0].hi, 40);
	assert_int_equal(ivset_add(s, 100, 100, NULL), 0); /* empty */
	assert_int_equal(s->n, 1);
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(ivset__model), cmocka_unit_test(ivset__touching_merge)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
