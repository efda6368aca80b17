/* Ranges against a naive model, one record per byte, at random and around the wrap. */
#include "test/unit/tcp_harness.h"

#include "tcp/ranges.h"

#define SPAN 600

static uint32_t base;
static uint8_t model[SPAN]; /* marks of each byte in flight */
static uint32_t lo, hi;     /* in flight: [lo, hi) of the model */

static uint32_t total(uint8_t mark)
{
	uint32_t n = 0;
	for (uint32_t i = lo; i < hi; i++)
		n += !!(model[i] & mark);
	return n;
}

/* All of the set is what the model says. */
static void check(struct arena *a, struct tcp_ranges *s)
{
	const struct tcp_range *v = tcp_ranges_at(a, s);
	uint32_t at = lo;
	for (unsigned i = 0; i < s->n; i++) {
		assert_int_equal(v[i].seq - base, at);
		assert_true(seq_lt(v[i].seq, v[i].end));
		for (; at < v[i].end - base; at++)
			assert_int_equal(v[i].flags & (TCP_RANGE_SACKED | TCP_RANGE_LOST | TCP_RANGE_QUEUED), model[at]);
	}
	assert_int_equal(at, hi);
	assert_int_equal(s->sacked, total(TCP_RANGE_SACKED));
	assert_int_equal(s->lost, total(TCP_RANGE_LOST));
	assert_int_equal(s->queued, total(TCP_RANGE_QUEUED));
}

static void op_push(struct arena *a, struct tcp_ranges *s, struct rng *r)
{
	uint32_t n = 1 + (uint32_t)rng_below(r, 40);
	if (hi + n > SPAN)
		return;
	tcp_ranges_push(a, s, base + hi, base + hi + n, TCP_RANGE_QUEUED, 1);
	memset(model + hi, TCP_RANGE_QUEUED, n);
	hi += n;
}
static void op_sack(struct arena *a, struct tcp_ranges *s, uint32_t x, uint32_t y)
{
	uint32_t fresh = 0;
	for (uint32_t i = x; i < y; i++) {
		fresh += !(model[i] & TCP_RANGE_SACKED);
		model[i] = (uint8_t)((model[i] | TCP_RANGE_SACKED) & ~TCP_RANGE_LOST);
	}
	assert_int_equal(tcp_ranges_sack(a, s, base + x, base + y), fresh);
}
static void op_lose(struct arena *a, struct tcp_ranges *s, struct rng *r)
{
	uint16_t i = (uint16_t)rng_below(r, s->n);
	struct tcp_range *v = &tcp_ranges_at(a, s)[i];
	if (v->flags & (TCP_RANGE_SACKED | TCP_RANGE_QUEUED))
		return;
	for (uint32_t k = v->seq - base; k < v->end - base; k++)
		model[k] |= TCP_RANGE_LOST;
	tcp_ranges_mark(a, s, i, TCP_RANGE_LOST, 0);
}
static void op_taken(struct arena *a, struct tcp_ranges *s, struct rng *r)
{
	uint16_t i = (uint16_t)rng_below(r, s->n);
	uint32_t end = tcp_ranges_at(a, s)[i].end - base;
	for (uint32_t k = end; k > lo && model[k - 1] & TCP_RANGE_QUEUED; k--)
		model[k - 1] &= (uint8_t)~TCP_RANGE_QUEUED;
	tcp_ranges_taken(a, s, base + end, 2);
}

static void tcp_ranges__agree_with_a_model(void **state)
{
	struct arena *a = region_new(1 << 20);
	size_t used = arena_bytes_used(a);
	struct tcp_ranges s;
	struct rng r;

	for (uint64_t seed = 1; seed < 60; seed++) {
		rng_seed(&r, seed);
		base = (uint32_t)(seed % 3 ? UINT32_MAX - rng_below(&r, SPAN) : 0x80000000u - rng_below(&r, SPAN));
		lo = hi = 0;
		tcp_ranges_init(&s);
		for (int step = 0; step < 300; step++) {
			uint32_t x = lo + (hi > lo ? (uint32_t)rng_below(&r, hi - lo) : 0);
			uint32_t y = x + (hi > x ? 1 + (uint32_t)rng_below(&r, MIN(hi - x, 30)) : 0);
			y = MIN(y, hi);
			switch (rng_below(&r, 6)) {
			case 0:
			case 1:
				op_push(a, &s, &r);
				break;
			case 2:
				if (x < y)
					op_sack(a, &s, x, y);
				break;
			case 3:
				if (s.n)
					op_lose(a, &s, &r);
				break;
			case 4:
				if (s.n)
					op_taken(a, &s, &r);
				break;
			default:
				if (rng_below(&r, 4) == 0) {
					tcp_ranges_cut_below(a, &s, base + x);
					lo = x;
				}
			}
			check(a, &s);
		}
		tcp_ranges_free(a, &s);
		assert_int_equal(arena_bytes_used(a), used);
	}
	region_free(a);
}

static void tcp_ranges__at_the_cap_less_is_known_never_something_false(void **state)
{
	struct arena *a = region_new(1 << 20);
	struct tcp_ranges s;

	tcp_ranges_init(&s);
	for (uint32_t i = 0; i < 2 * TCP_RANGES_MAX; i++)
		tcp_ranges_push(a, &s, 10 * i, 10 * i + 10, 0, i);
	assert_int_equal(s.n, TCP_RANGES_MAX);
	const struct tcp_range *v = tcp_ranges_at(a, &s);
	assert_int_equal(v[s.n - 1].end, 20 * TCP_RANGES_MAX);
	assert_int_equal(tcp_ranges_sack(a, &s, 15, 45), 20); /* no room for edges: only what lies wholly inside */
	assert_int_equal(s.sacked, 20);
	tcp_ranges_free(a, &s);
	region_free(a);
}

static void tcp_ranges__out_of_memory_joins(void **state)
{
	struct arena *a = region_new(4 * ARENA_PAGE_SIZE);
	struct tcp_ranges s;

	while (arena_pages_take(a, 1))
		;
	tcp_ranges_init(&s);
	for (uint32_t i = 0; i < 100; i++)
		tcp_ranges_push(a, &s, 10 * i, 10 * i + 10, TCP_RANGE_QUEUED, i);
	assert_int_equal(s.n, TCP_RANGES_INLINE);
	assert_int_equal(s.queued, 1000);
	tcp_ranges_taken(a, &s, 1000, 5);
	assert_int_equal(s.queued, 0);
	assert_false(tcp_ranges_split(a, &s, 0, 5));
	tcp_ranges_cut_below(a, &s, 1000);
	assert_int_equal(s.n, 0);
	region_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp_ranges__agree_with_a_model),
		cmocka_unit_test(tcp_ranges__at_the_cap_less_is_known_never_something_false),
		cmocka_unit_test(tcp_ranges__out_of_memory_joins),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
