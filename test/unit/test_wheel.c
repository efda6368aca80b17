/* The timer wheel against a sorted array: who fires, when, in which order; deadlines up to weeks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "base/wheel.h"
#include "region.h"

#define N 60
#define TICK (INT64_C(1) << WHEEL_TICK_SHIFT)

struct timer {
	struct wheel_node node;
	uint64_t id;
};
struct model {
	bool armed;
	int64_t deadline;
	int64_t tick; /* it belongs to: that of its deadline, or, if that has fired, the last that has */
	uint64_t order;
};
struct bed {
	struct arena *a;
	struct pool p;
	struct wheel w;
	ref_t r[N];
	struct model m[N];
	uint64_t order;
	int64_t now;
};

static int64_t round_up(int64_t t) { return t > INT64_MAX - TICK ? INT64_MAX : (t + TICK - 1) / TICK * TICK; }

static void bed_init(struct bed *b, int64_t now)
{
	memset(b, 0, sizeof(*b));
	b->a = region_new(4 * ARENA_PAGE_SIZE);
	pool_init(b->a, &b->p, "timer", sizeof(struct timer), 0);
	for (unsigned i = 0; i < N; i++) {
		b->r[i] = pool_take(b->a, &b->p);
		((struct timer *)arena_at(b->a, b->r[i]))->id = i;
	}
	b->now = now;
	wheel_init(&b->w, now);
}

static void arm(struct bed *b, unsigned i, int64_t deadline)
{
	wheel_arm(b->a, &b->w, b->r[i], deadline);
	b->m[i] = (struct model){true, deadline, MAX(round_up(deadline) / TICK, b->w.tick - 1), ++b->order};
}

static int64_t earliest(const struct bed *b)
{
	int64_t t = TIME_NEVER;

	for (unsigned i = 0; i < N; i++)
		if (b->m[i].armed)
			t = MIN(t, b->m[i].deadline);
	return t;
}

/* Let everything fire that may at `now`: nobody early, nobody more than a tick late, ties in order. Returns how many. */
static unsigned expire(struct bed *b, int64_t now)
{
	unsigned fired = 0;
	int64_t last_tick = INT64_MIN;
	uint64_t last_order = 0;
	ref_t r;

	b->now = now;
	while ((r = wheel_expire(b->a, &b->w, now))) {
		struct timer *t = arena_at(b->a, r);
		struct model *m = &b->m[t->id];
		assert_true(m->armed);
		assert_int_equal(t->node.where, 0);
		assert_true(m->deadline <= now);
		assert_true(m->tick >= last_tick);
		assert_true(m->tick > last_tick || m->order > last_order);
		last_tick = m->tick;
		last_order = m->order;
		m->armed = false;
		fired++;
	}
	for (unsigned i = 0; i < N; i++)
		if (b->m[i].armed)
			assert_true(round_up(b->m[i].deadline) > now);
	return fired;
}

static int64_t some_delay(struct rng *r)
{
	switch (rng_below(r, 8)) {
	case 0: return (int64_t)rng_below(r, 3 * TICK);
	case 1: return (int64_t)rng_below(r, 64) * TICK; /* on the tick, many ties */
	case 2: return (int64_t)rng_below(r, 8) * 64 * TICK;
	case 3: return (int64_t)rng_below(r, 10 * NS_PER_S);
	case 4: return (int64_t)rng_below(r, 3600 * NS_PER_S);
	case 5: return (int64_t)rng_below(r, 5 * 86400 * NS_PER_S);
	case 6: return (int64_t)rng_below(r, 60 * 86400 * NS_PER_S);
	default: return -(int64_t)rng_below(r, NS_PER_S);
	}
}

/* Driven by wheel_next() alone: every call makes progress and every timer fires within its tick. */
static void wheel__model_by_next(void **state)
{
	for (uint64_t seed = 1; seed <= 30; seed++) {
		struct bed b;
		struct rng r;
		rng_seed(&r, seed);
		bed_init(&b, (int64_t)rng_below(&r, UINT64_C(1) << (20 + rng_below(&r, 42))));
		for (int step = 0; step < 1500; step++) {
			unsigned i = (unsigned)rng_below(&r, N);
			switch (rng_below(&r, 4)) {
			case 0:
			case 1:
				arm(&b, i, b.now + some_delay(&r));
				break;
			case 2:
				wheel_disarm(b.a, &b.w, b.r[i]);
				b.m[i].armed = false;
				break;
			default: {
				int64_t next = wheel_next(&b.w), first = earliest(&b);
				if (first == TIME_NEVER) {
					assert_int_equal(next, TIME_NEVER);
					break;
				}
				assert_true(next <= MAX(round_up(first), b.now));
				int64_t tick = b.w.tick;
				unsigned fired = expire(&b, MAX(next, b.now));
				assert_true(fired > 0 || b.w.tick > tick);
				assert_true(fired > 0 || wheel_next(&b.w) > next);
			}
			}
			uint32_t n = 0;
			for (unsigned k = 0; k < N; k++)
				n += b.m[k].armed;
			assert_int_equal(b.w.n_armed, n);
		}
		for (int guard = 0; b.w.n_armed; guard++) {
			assert_true(guard < 2000);
			expire(&b, MAX(wheel_next(&b.w), b.now));
		}
		assert_int_equal(earliest(&b), TIME_NEVER);
		region_free(b.a);
	}
}

/* Time goes on by any steps, not only to where wheel_next() says. */
static void wheel__model_by_leaps(void **state)
{
	for (uint64_t seed = 100; seed <= 130; seed++) {
		struct bed b;
		struct rng r;
		rng_seed(&r, seed);
		bed_init(&b, (int64_t)rng_below(&r, 1000 * NS_PER_S));
		for (int step = 0; step < 3000; step++) {
			if (rng_below(&r, 3))
				arm(&b, (unsigned)rng_below(&r, N), b.now + some_delay(&r));
			else
				expire(&b, b.now + llabs(some_delay(&r)));
		}
		region_free(b.a);
	}
}

static void wheel__past_deadline_fires_at_once(void **state)
{
	struct bed b;

	bed_init(&b, 100 * NS_PER_S);
	expire(&b, b.now + NS_PER_S);
	arm(&b, 0, b.now - NS_PER_S);
	arm(&b, 1, INT64_MIN + 1);
	arm(&b, 2, b.now - NS_PER_S / 2);
	assert_true(wheel_next(&b.w) <= b.now);
	assert_int_equal(wheel_expire(b.a, &b.w, b.now), b.r[0]); /* in the order they were armed */
	assert_int_equal(wheel_expire(b.a, &b.w, b.now), b.r[1]);
	assert_int_equal(wheel_expire(b.a, &b.w, b.now), b.r[2]);
	assert_int_equal(wheel_expire(b.a, &b.w, b.now), 0);
	region_free(b.a);
}

static void wheel__moves_an_armed_timer(void **state)
{
	struct bed b;

	bed_init(&b, 0);
	arm(&b, 0, 10 * NS_PER_MS);
	arm(&b, 0, 50 * NS_PER_MS);
	assert_int_equal(b.w.n_armed, 1);
	assert_int_equal(expire(&b, 49 * NS_PER_MS), 0);
	assert_int_equal(expire(&b, 52 * NS_PER_MS), 1);
	assert_int_equal(wheel_next(&b.w), TIME_NEVER);
	wheel_disarm(b.a, &b.w, b.r[0]); /* not armed: nothing */
	assert_int_equal(b.w.n_armed, 0);
	region_free(b.a);
}

/* Armed far ahead, then others near, for the same tick: order of arming, through every cascade. */
static void wheel__ties_keep_their_order_across_levels(void **state)
{
	struct bed b;
	int64_t at = (INT64_C(1) << 31) * TICK + 12345 * TICK;

	bed_init(&b, 0);
	for (unsigned i = 0; i < N; i++) {
		arm(&b, i, at - 7);
		expire(&b, at - (at >> (i / 2)));
	}
	assert_int_equal(b.w.n_armed, N);
	assert_int_equal(expire(&b, at - 1), 0);
	assert_int_equal(expire(&b, at), N);
	region_free(b.a);
}

static void wheel__never_is_never(void **state)
{
	struct bed b;

	bed_init(&b, 5);
	assert_int_equal(wheel_next(&b.w), TIME_NEVER);
	arm(&b, 0, TIME_NEVER);
	int64_t t = b.now;
	for (int i = 0; i < 100; i++)
		assert_int_equal(expire(&b, t = wheel_next(&b.w)), 0);
	assert_true(t > 100 * 86400 * NS_PER_S);
	assert_int_equal(expire(&b, TIME_NEVER - 1), 0);
	region_free(b.a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wheel__model_by_next),
		cmocka_unit_test(wheel__model_by_leaps),
		cmocka_unit_test(wheel__past_deadline_fires_at_once),
		cmocka_unit_test(wheel__moves_an_armed_timer),
		cmocka_unit_test(wheel__ties_keep_their_order_across_levels),
		cmocka_unit_test(wheel__never_is_never),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
