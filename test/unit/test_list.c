/* Lists of arena objects against an array. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/list.h"
#include "base/rng.h"
#include "region.h"

#define N 40

struct item {
	uint32_t value;
	struct list_link link;
};
#define OFF offsetof(struct item, link)

static void check(struct arena *a, const struct list *l, const ref_t *want, unsigned n)
{
	ref_t r = l->head;

	assert_int_equal(l->n, n);
	for (unsigned i = 0; i < n; i++, r = list_next(a, r, OFF))
		assert_int_equal(r, want[i]);
	for (unsigned i = 1; i < n; i++)
		assert_int_equal(list_prev(a, want[i], OFF), want[i - 1]);
	assert_int_equal(r, 0);
	assert_int_equal(l->tail, n ? want[n - 1] : 0);
}

static void list__model(void **state)
{
	struct arena *a = region_new(4 * ARENA_PAGE_SIZE);
	struct list l = {0};
	struct pool p;
	ref_t all[N], in[N];
	unsigned n = 0;
	struct rng r;

	rng_seed(&r, 7);
	pool_init(a, &p, "item", sizeof(struct item), 0);
	for (unsigned i = 0; i < N; i++)
		all[i] = pool_take(a, &p);
	for (int step = 0; step < 20000; step++) {
		ref_t x = all[rng_below(&r, N)];
		unsigned at = 0;
		while (at < n && in[at] != x)
			at++;
		assert_int_equal(list_has(a, &l, x, OFF), at < n);
		if (at < n) {
			if (at == 0 && rng_below(&r, 2))
				assert_int_equal(list_pop_head(a, &l, OFF), x);
			else
				list_remove(a, &l, x, OFF);
			memmove(&in[at], &in[at + 1], (--n - at) * sizeof(in[0]));
		} else if (n && rng_below(&r, 3) == 0) {
			unsigned after = (unsigned)rng_below(&r, n);
			list_insert_after(a, &l, in[after], x, OFF);
			memmove(&in[after + 2], &in[after + 1], (n++ - after - 1) * sizeof(in[0]));
			in[after + 1] = x;
		} else if (rng_below(&r, 2)) {
			list_push_tail(a, &l, x, OFF);
			in[n++] = x;
		} else {
			list_push_head(a, &l, x, OFF);
			memmove(&in[1], &in[0], n++ * sizeof(in[0]));
			in[0] = x;
		}
		check(a, &l, in, n);
	}
	while (n)
		assert_int_equal(list_pop_head(a, &l, OFF), in[0]), memmove(in, in + 1, --n * sizeof(in[0]));
	assert_int_equal(list_pop_head(a, &l, OFF), 0);
	check(a, &l, in, 0);
	region_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(list__model)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
