/* Page runs against a naive ownership map, exhaustion, touched memory, snapshots. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include "base/arena_priv.h"
#include "base/rng.h"
#include "region.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#define HAS_ASAN 1
#endif
#endif

#define PAGES 64
#define BYTES (PAGES * (size_t)ARENA_PAGE_SIZE)

static void arena_init__refuses_bad_memory(void **state)
{
	static _Alignas(64) char small[4096 + 64];

	assert_null(arena_init(small, 4096));
	assert_null(arena_init(small + 8, 4096));
	struct arena *a = region_new(2 * ARENA_PAGE_SIZE);
	assert_non_null(a);
	assert_int_equal(arena_bytes_cap(a), ARENA_PAGE_SIZE);
	assert_int_equal(arena_bytes_used(a), 0);
	region_free(a);
}

struct run {
	ref_t r;
	uint32_t n;
	uint8_t mark;
};

static void check_run(struct arena *a, const struct run *u)
{
	const uint8_t *p = arena_at(a, u->r);

	for (size_t i = 0; i < (size_t)u->n * ARENA_PAGE_SIZE; i += 4096)
		assert_int_equal(p[i], u->mark);
}

/* Random takes and gives: no two runs overlap, the books balance, and when all is given back one run is left. */
static void arena_pages__model(void **state)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct arena *a = region_new(BYTES);
		uint32_t cap = (uint32_t)(arena_bytes_cap(a) / ARENA_PAGE_SIZE);
		struct run runs[PAGES];
		unsigned n = 0, total = 0;
		struct rng r;
		rng_seed(&r, seed);
		for (int step = 0; step < 600; step++) {
			if (n < PAGES && rng_below(&r, 2)) {
				struct run u = {.n = 1 + (uint32_t)rng_below(&r, rng_below(&r, 4) ? 3 : 20), .mark = (uint8_t)step};
				u.r = arena_pages_take(a, u.n);
				if (!u.r)
					continue;
				assert_int_equal(((size_t)u.r << 4) % ARENA_PAGE_SIZE, 0);
				memset(arena_at(a, u.r), u.mark, (size_t)u.n * ARENA_PAGE_SIZE);
				runs[n++] = u;
				total += u.n;
			} else if (n) {
				unsigned k = (unsigned)rng_below(&r, n);
				check_run(a, &runs[k]);
				arena_pages_give(a, runs[k].r, runs[k].n);
				total -= runs[k].n;
				runs[k] = runs[--n];
			}
			assert_true(total <= cap);
			assert_int_equal(arena_bytes_used(a), (size_t)total * ARENA_PAGE_SIZE);
			assert_int_equal(arena_bytes_held(a), (size_t)total * ARENA_PAGE_SIZE);
		}
		for (unsigned k = 0; k < n; k++) {
			check_run(a, &runs[k]);
			arena_pages_give(a, runs[k].r, runs[k].n);
		}
		assert_int_equal(arena_bytes_held(a), 0);
		ref_t all = arena_pages_take(a, cap); /* everything is joined again */
		assert_int_not_equal(all, 0);
		assert_int_equal(arena_pages_take(a, 1), 0);
		arena_pages_give(a, all, cap);
		region_free(a);
	}
}

static void arena_pages__exhaustion(void **state)
{
	struct arena *a = region_new(BYTES);
	uint32_t cap = (uint32_t)(arena_bytes_cap(a) / ARENA_PAGE_SIZE);
	ref_t r[PAGES];

	assert_int_equal(arena_pages_take(a, 0), 0);
	assert_int_equal(arena_pages_take(a, cap + 1), 0);
	assert_int_equal(arena_pages_take(a, UINT32_MAX), 0);
	for (uint32_t i = 0; i < cap; i++)
		assert_int_not_equal(r[i] = arena_pages_take(a, 1), 0);
	assert_int_equal(arena_pages_take(a, 1), 0);
	assert_int_equal(arena_bytes_used(a), arena_bytes_cap(a));
	for (uint32_t i = 0; i < cap; i += 2) /* every second: no run of two is free */
		arena_pages_give(a, r[i], 1);
	assert_int_equal(arena_pages_take(a, 2), 0);
	arena_pages_give(a, r[1], 1);
	assert_int_not_equal(arena_pages_take(a, 3), 0);
	region_free(a);
}

static void arena_free_run__lists_what_was_used(void **state)
{
	struct arena *a = region_new(BYTES);
	size_t off = 0, len = 0;

	assert_false(arena_free_run(a, 0, &off, &len));
	ref_t x = arena_pages_take(a, 2), y = arena_pages_take(a, 1), z = arena_pages_take(a, 3);
	assert_false(arena_free_run(a, 0, &off, &len));
	arena_pages_give(a, x, 2);
	arena_pages_give(a, z, 3);
	assert_true(arena_free_run(a, 0, &off, &len));
	assert_int_equal(off, (size_t)x << 4);
	assert_int_equal(len, 2 * ARENA_PAGE_SIZE);
	assert_true(arena_free_run(a, 1, &off, &len));
	assert_int_equal(off, (size_t)z << 4);
	assert_int_equal(len, 3 * ARENA_PAGE_SIZE);
	assert_false(arena_free_run(a, 2, &off, &len));
	arena_pages_give(a, y, 1);
	assert_true(arena_free_run(a, 0, &off, &len));
	assert_int_equal(len, 6 * ARENA_PAGE_SIZE);
	assert_false(arena_free_run(a, 1, &off, &len));
	region_free(a);
}

/* A gigabyte region with one object in each of 20 pools and some buffers: only what is used becomes real memory. */
static void arena__touches_little(void **state)
{
	size_t bytes = (size_t)1 << 30, resident = 0;
	void *mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	unsigned char *vec = malloc(bytes / 4096);
	struct pool pools[20];

	assert_ptr_not_equal(mem, MAP_FAILED);
	struct arena *a = arena_init(mem, bytes);
	assert_non_null(a);
	for (unsigned i = 0; i < 20; i++) {
		pool_init(a, &pools[i], "some", 16 + 48 * i, 0);
		assert_int_not_equal(pool_take(a, &pools[i]), 0);
	}
	for (size_t n = 16; n <= 1024; n *= 2)
		assert_int_not_equal(arena_buf_take(a, n), 0);
	assert_int_equal(mincore(mem, bytes, vec), 0);
	for (size_t i = 0; i < bytes / 4096; i++)
		resident += vec[i] & 1;
	assert_true(resident <= 20 + 7 + 3); /* a 4 KiB page per pool and class, the header, a little of the page table */
	arena_fini(a);
	munmap(mem, bytes);
	free(vec);
}

/* --- snapshots --- */

struct world {
	struct pool small, big; /* in the arena */
	ref_t obj[200];
	uint32_t n;
};

static void world_step(struct arena *a, struct world *w, struct rng *r)
{
	struct pool *p;

	if (w->n < 200 && rng_below(r, 5) < 3) {
		p = w->n % 2 ? &w->big : &w->small;
		ref_t o = pool_take(a, p);
		if (o) {
			memset(arena_at(a, o), (int)(o & 0xff), p->obj_size);
			w->obj[w->n++] = o;
		}
	} else if (w->n) {
		w->n--;
		pool_give(a, w->n % 2 ? &w->big : &w->small, w->obj[w->n]);
	}
}

static void world_check(struct arena *a, const struct world *w)
{
	for (uint32_t i = 0; i < w->n; i++) {
		const struct pool *p = i % 2 ? &w->big : &w->small;
		const uint8_t *o = pool_at(a, p, w->obj[i]);
		for (uint32_t k = 0; k < p->obj_size; k += 16)
			assert_int_equal(o[k], w->obj[i] & 0xff);
	}
}

static struct world *world_new(struct arena *a, ref_t *r)
{
	*r = arena_buf_take(a, sizeof(struct world));
	struct world *w = arena_at(a, *r);
	memset(w, 0, sizeof(*w));
	pool_init(a, &w->small, "small", 48, 0);
	pool_init(a, &w->big, "big", 20000, 0);
	return w;
}

/* After a restore everything is as it was, and goes on exactly as it would have; in this region and in another. */
static void arena_snapshot__restores(void **state)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct arena *a = region_new(BYTES), *b = region_new(BYTES);
		struct rng r, at, junk;
		ref_t wr, other, x[200];
		struct world *w = world_new(a, &wr);
		world_new(b, &other);
		rng_seed(&r, seed);
		rng_seed(&junk, seed + 1000);
		for (int i = 0; i < 300; i++)
			world_step(a, w, &r);
		size_t n = arena_snapshot_bytes(a), used = arena_bytes_used(a);
		char *copy = malloc(n + 1);
		assert_int_equal(arena_snapshot(a, copy + 1, n - 1), 0);
		assert_int_equal(arena_snapshot(a, copy + 1, n), n); /* also where it is not aligned */
		at = r;
		for (int i = 0; i < 300; i++)
			world_step(a, w, &r);
		uint32_t n_then = w->n;
		memcpy(x, w->obj, sizeof(x));
		for (int i = 0; i < 300; i++)
			world_step(b, arena_at(b, other), &junk);

		struct arena *into[] = {a, b};
		for (int k = 0; k < 2; k++) {
			assert_int_equal(arena_restore(into[k], copy + 1, n), 0);
			struct world *v = arena_at(into[k], wr);
			assert_int_equal(arena_bytes_used(into[k]), used);
			world_check(into[k], v);
			r = at;
			for (int i = 0; i < 300; i++)
				world_step(into[k], v, &r);
			world_check(into[k], v);
			assert_int_equal(v->n, n_then);
			assert_memory_equal(v->obj, x, n_then * sizeof(x[0]));
		}
		free(copy);
		region_free(a);
		region_free(b);
	}
}

static void arena_restore__refuses_what_is_not_one(void **state)
{
	struct arena *a = region_new(BYTES), *b = region_new(BYTES / 2);
	arena_pages_take(a, 2);
	arena_pages_give(a, arena_pages_take(a, 1), 1);
	size_t n = arena_snapshot_bytes(a);
	char *copy = malloc(n);

	assert_int_equal(arena_snapshot(a, copy, n), n);
	assert_int_equal(arena_restore(b, copy, n), -EINVAL);
	assert_int_equal(arena_restore(a, copy, n - 1), -EINVAL);
	assert_int_equal(arena_restore(a, copy, 8), -EINVAL);
	uint8_t *kind = (uint8_t *)copy + sizeof(*a) + (a->first + 2) * sizeof(struct page);
	assert_int_equal(*kind, PAGE_FREE);
	*kind = PAGE_RUN; /* a page more than follow the table */
	assert_int_equal(arena_restore(a, copy, n), -EINVAL);
	*kind = PAGE_FREE;
	copy[0] ^= 1;
	assert_int_equal(arena_restore(a, copy, n), -EINVAL);
	free(copy);
	region_free(a);
	region_free(b);
}

/* Pages that were taken after the snapshot are zero again when they are taken after a restore. */
static void arena_restore__fresh_pages_are_zero(void **state)
{
	struct arena *a = region_new(BYTES);
	size_t n = arena_snapshot_bytes(a);
	char *copy = malloc(n);

	assert_int_equal(arena_snapshot(a, copy, n), n);
	ref_t r = arena_pages_take(a, 3);
	memset(arena_at(a, r), 0xaa, 3 * ARENA_PAGE_SIZE);
	assert_int_equal(arena_restore(a, copy, n), 0);
	assert_int_equal(arena_pages_take(a, 3), r);
	const uint8_t *p = arena_at(a, r);
	for (size_t i = 0; i < 3 * ARENA_PAGE_SIZE; i++)
		assert_int_equal(p[i], 0);
	free(copy);
	region_free(a);
}

static void arena__poisons_what_is_free(void **state)
{
#ifdef HAS_ASAN
	struct arena *a = region_new(BYTES);
	struct pool p;

	pool_init(a, &p, "p", 64, 0);
	ref_t x = pool_take(a, &p), y = pool_take(a, &p);
	char *py = arena_at(a, y);
	assert_null(__asan_region_is_poisoned(py, 64));
	assert_true(__asan_address_is_poisoned(py + 64)); /* not handed out yet */
	pool_give(a, &p, y);
	assert_true(__asan_address_is_poisoned(py) && __asan_address_is_poisoned(py + 63));
	size_t n = arena_snapshot_bytes(a);
	char *copy = malloc(n);
	assert_int_equal(arena_snapshot(a, copy, n), n);
	assert_true(__asan_address_is_poisoned(py));
	assert_int_equal(pool_take(a, &p), y);
	assert_int_equal(arena_restore(a, copy, n), 0);
	p.n_used = 1; /* this pool struct is outside */
	assert_true(__asan_address_is_poisoned(py));
	pool_give(a, &p, x);
	assert_true(__asan_address_is_poisoned(arena_at(a, x)));
	free(copy);
	region_free(a);
#else
	skip();
#endif
}

/* A request that finds only runs of its own bin too small, with a longer one at the end of the used pages out of the
 * look's reach: what is left of that one stays within the books. */
static void arena_pages__tail_run_beyond_the_look(void **state)
{
	enum { RUNS = 40 };
	struct arena *a = region_new(1024 * (size_t)ARENA_PAGE_SIZE);
	ref_t small[RUNS], gap[RUNS], tail;

	for (int i = 0; i < RUNS; i++) {
		small[i] = arena_pages_take(a, 4);
		gap[i] = arena_pages_take(a, 1);
	}
	tail = arena_pages_take(a, 7);
	arena_pages_give(a, tail, 7);
	for (int i = 0; i < RUNS; i++)
		arena_pages_give(a, small[i], 4);
	ref_t five = arena_pages_take(a, 5), two = arena_pages_take(a, 2), big = arena_pages_take(a, 8);
	assert_int_not_equal(five, 0);
	assert_int_not_equal(two, 0);
	assert_int_not_equal(big, 0);
	ref_t lo = MIN(two, big), hi = MAX(two, big);
	size_t between = (size_t)(hi - lo) << ARENA_GRANULE_SHIFT;
	assert_true(between >= (lo == two ? 2 : 8) * (size_t)ARENA_PAGE_SIZE);
	arena_pages_give(a, two, 2);
	arena_pages_give(a, big, 8);
	arena_pages_give(a, five, 5);
	for (int i = 0; i < RUNS; i++)
		arena_pages_give(a, gap[i], 1);
	assert_int_equal(arena_bytes_held(a), 0);
	size_t at, len;
	assert_true(arena_free_run(a, 0, &at, &len));
	assert_false(arena_free_run(a, 1, &at, &len));
	region_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arena_init__refuses_bad_memory),
		cmocka_unit_test(arena_pages__model),
		cmocka_unit_test(arena_pages__tail_run_beyond_the_look),
		cmocka_unit_test(arena_pages__exhaustion),
		cmocka_unit_test(arena_free_run__lists_what_was_used),
		cmocka_unit_test(arena__touches_little),
		cmocka_unit_test(arena_snapshot__restores),
		cmocka_unit_test(arena_restore__refuses_what_is_not_one),
		cmocka_unit_test(arena_restore__fresh_pages_are_zero),
		cmocka_unit_test(arena__poisons_what_is_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
