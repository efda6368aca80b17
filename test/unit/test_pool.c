/* Typed pools and buffers against a naive list of what is live. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "region.h"

#define BYTES (64 * (size_t)ARENA_PAGE_SIZE)
#define LIVE_MAX 3000

struct live {
	ref_t r;
	uint32_t bytes;
	uint8_t mark;
};

static void fill(struct arena *a, const struct live *l) { memset(arena_at(a, l->r), l->mark, l->bytes); }

static void check(struct arena *a, const struct live *l)
{
	const uint8_t *p = arena_at(a, l->r);

	for (uint32_t i = 0; i < l->bytes; i++)
		if (p[i] != l->mark)
			fail_msg("byte %u of ref %u is %u, not %u", i, l->r, p[i], l->mark);
}

static void pool__model(void **state)
{
	static const uint32_t sizes[] = {1, 16, 40, 512, 2048, 4096, 30000, 65536};

	for (uint64_t seed = 1; seed <= 16; seed++) {
		struct arena *a = region_new(BYTES);
		struct live *live = calloc(LIVE_MAX, sizeof(*live));
		struct rng r;
		struct pool p;
		uint32_t n = 0, peak = 0, size = sizes[seed % ARRAY_LEN(sizes)];
		rng_seed(&r, seed);
		pool_init(a, &p, "a-name-longer-than-its-field", size, 0);
		assert_int_equal(strlen(p.name), sizeof(p.name) - 1);
		assert_int_equal(p.obj_size, (size + 15) / 16 * 16);
		for (int step = 0; step < 4000; step++) {
			bool grow = rng_below(&r, 10) < (step / 1000 % 2 ? 3u : 7u);
			if (grow && n < LIVE_MAX) {
				struct live l = {pool_take(a, &p), size, (uint8_t)(step | 1)};
				if (!l.r)
					continue;
				const uint8_t *o = arena_at(a, l.r);
				for (uint32_t i = 0; i < p.obj_size; i++)
					assert_int_equal(o[i], 0);
				assert_ptr_equal(pool_at(a, &p, l.r), o);
				fill(a, &l);
				live[n++] = l;
			} else if (n) {
				uint32_t k = (uint32_t)rng_below(&r, n);
				check(a, &live[k]);
				pool_give(a, &p, live[k].r);
				live[k] = live[--n];
			}
			peak = MAX(peak, n);
			assert_int_equal(p.n_used, n);
			assert_int_equal(arena_bytes_used(a), (size_t)n * p.obj_size);
		}
		assert_int_equal(p.n_peak, peak);
		while (n) {
			check(a, &live[--n]);
			pool_give(a, &p, live[n].r);
		}
		assert_int_equal(arena_bytes_used(a), 0);
		assert_int_equal(arena_bytes_held(a), 0); /* empty pages went back */
		free(live);
		region_free(a);
	}
}

static void pool__cap_and_exhaustion(void **state)
{
	struct arena *a = region_new(4 * ARENA_PAGE_SIZE);
	struct pool p, q;
	ref_t r, last = 0;

	pool_init(a, &p, "capped", 100, 3);
	for (int i = 0; i < 3; i++)
		assert_int_not_equal(last = pool_take(a, &p), 0);
	assert_int_equal(pool_take(a, &p), 0);
	pool_give(a, &p, last);
	assert_int_not_equal(pool_take(a, &p), 0);
	pool_init(a, &q, "free", 4096, 0);
	assert_int_not_equal(p.id, q.id);
	uint32_t n = 0;
	while ((r = pool_take(a, &q))) {
		last = r;
		n++;
	}
	assert_int_equal(n, 2 * 16); /* three pages, one of them p's */
	pool_give(a, &q, last);
	assert_int_equal(pool_take(a, &q), last);
	region_free(a);
}

static void buf__model(void **state)
{
	for (uint64_t seed = 1; seed <= 10; seed++) {
		struct arena *a = region_new(BYTES);
		struct live live[200];
		unsigned n = 0;
		size_t used = 0;
		struct rng r;
		rng_seed(&r, seed);
		for (int step = 0; step < 3000; step++) {
			if (n < 200 && rng_below(&r, 2)) {
				uint32_t size = 1 + (uint32_t)rng_below(&r, UINT64_C(1) << rng_below(&r, 18));
				struct live l = {arena_buf_take(a, size), size, (uint8_t)step};
				if (!l.r)
					continue;
				assert_true(arena_buf_room(size) >= size);
				l.bytes = (uint32_t)arena_buf_room(size); /* all of it may be used */
				fill(a, &l);
				l.bytes = size;
				used += arena_buf_room(size);
				live[n++] = l;
			} else if (n) {
				unsigned k = (unsigned)rng_below(&r, n);
				check(a, &live[k]);
				used -= arena_buf_room(live[k].bytes);
				arena_buf_give(a, live[k].r, live[k].bytes);
				live[k] = live[--n];
			}
			assert_int_equal(arena_bytes_used(a), used);
		}
		while (n--) {
			check(a, &live[n]);
			arena_buf_give(a, live[n].r, live[n].bytes);
		}
		assert_int_equal(arena_bytes_held(a), 0);
		region_free(a);
	}
}

static void buf_room__grows_with_the_request(void **state)
{
	size_t last = 0;

	for (size_t n = 1; n <= 200000; n++) {
		size_t room = arena_buf_room(n);
		assert_true(room >= n && room >= last && room % 16 == 0);
		assert_true(n > ARENA_PAGE_SIZE / 2 || n < 32 || room <= n * 3 / 2 + 400);
		last = room;
	}
	struct arena *a = region_new(BYTES);
	assert_int_equal(arena_buf_take(a, (size_t)1 << 40), 0);
	region_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pool__model),
		cmocka_unit_test(pool__cap_and_exhaustion),
		cmocka_unit_test(buf__model),
		cmocka_unit_test(buf_room__grows_with_the_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
