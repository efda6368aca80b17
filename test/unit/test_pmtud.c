/* Path MTU discovery of who sends datagrams, against paths that carry so much and no more: RFC 8899 §5.1, §5.2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <viaduct/pmtud.h>

#define S INT64_C(1000000000)

struct path {
	struct via_pmtud d;
	uint32_t carries; /* the path's; larger ones are lost */
	int64_t now;
	uint32_t probes, of_size, last, most; /* probes sent; of the size now; that size; most of any size in a row */
};

static void count(struct path *p, uint32_t size)
{
	p->of_size = size == p->last ? p->of_size + 1 : 1;
	p->last = size;
	p->probes++;
	p->most = p->of_size > p->most ? p->of_size : p->most;
}

/* Until nothing is due before `until`; round trips of 50 ms, losses are seen by the timer. */
static void run(struct path *p, int64_t until)
{
	while (via_pmtud_at(&p->d) <= until) {
		p->now = via_pmtud_at(&p->d) > p->now ? via_pmtud_at(&p->d) : p->now;
		uint32_t size = via_pmtud_probe(&p->d, p->now);
		if (!size)
			continue;
		count(p, size);
		assert_in_range(size, VIA_PMTUD_MIN, p->d.max);
		if (size <= p->carries)
			via_pmtud_acked(&p->d, size, p->now += S / 20);
	}
	p->now = until;
}

static struct path path(uint32_t max, uint32_t carries)
{
	struct path p = {.carries = carries};
	via_pmtud_init(&p.d, max, 0);
	return p;
}

static void req_PM_006__the_base_is_1200_and_the_search_goes_up(void **state)
{
	for (uint32_t carries = 1200; carries <= 1472; carries += 17) {
		struct path p = path(1472, carries);
		assert_int_equal(via_pmtud_size(&p.d), 1200);
		uint32_t first = via_pmtud_probe(&p.d, 0);
		assert_int_equal(first, 1200);
		via_pmtud_acked(&p.d, first, S / 20);
		run(&p, 599 * S);
		assert_int_equal(p.d.state, VIA_PMTUD_COMPLETE);
		assert_int_equal(via_pmtud_size(&p.d), carries);
		assert_true(p.probes <= 3 * 9 + 9); /* halving 272 sizes */
	}
}

/* Never more than three of a size in one search, and never larger than what was found while it goes on. */
static void req_PM_006__at_most_three_lost_probes_per_size(void **state)
{
	struct path p = path(9000, 1333);
	run(&p, 1199 * S);
	assert_int_equal(p.most, 3);
	assert_int_equal(via_pmtud_size(&p.d), 1333);
	/* told sooner than by the timer */
	struct path q = path(1472, 1200);
	via_pmtud_acked(&q.d, via_pmtud_probe(&q.d, 0), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(via_pmtud_probe(&q.d, 0), 1472);
		assert_int_equal(via_pmtud_probe(&q.d, 0), 0); /* one at a time */
		via_pmtud_lost(&q.d, 1472, 0);
	}
	assert_true(via_pmtud_probe(&q.d, 0) < 1472);
	assert_int_equal(via_pmtud_size(&q.d), 1200);
}

static void req_PM_006__a_black_hole_leads_back_to_the_base(void **state)
{
	struct path p = path(1472, 1472);
	run(&p, 100 * S);
	assert_int_equal(via_pmtud_size(&p.d), 1472);
	assert_true(via_pmtud_at(&p.d) == INT64_MAX); /* nothing larger to ask for */
	p.carries = 1300;
	via_pmtud_black_hole(&p.d, p.now);
	assert_int_equal(via_pmtud_size(&p.d), 1200);
	assert_int_equal(p.d.state, VIA_PMTUD_BASE_STATE);
	run(&p, p.now + 599 * S);
	assert_int_equal(via_pmtud_size(&p.d), 1300);
	p.carries = 700; /* not even the base */
	via_pmtud_black_hole(&p.d, p.now);
	run(&p, p.now + 60 * S);
	assert_int_equal(p.d.state, VIA_PMTUD_ERROR);
	assert_int_equal(via_pmtud_size(&p.d), VIA_PMTUD_MIN);
	p.carries = 1472;
	run(&p, p.now + 60 * S);
	assert_int_equal(via_pmtud_size(&p.d), 1472);
}

/* The search is complete; after PMTU_RAISE_TIMER, ten minutes, it looks again. */
static void pmtud__a_better_path_is_found(void **state)
{
	struct path p = path(1472, 1280);
	run(&p, 500 * S);
	assert_int_equal(via_pmtud_size(&p.d), 1280);
	uint32_t before = p.probes;
	p.carries = 1472;
	run(&p, 590 * S);
	assert_int_equal(p.probes, before);
	run(&p, 1100 * S);
	assert_int_equal(via_pmtud_size(&p.d), 1472);
}

/* RFC 8899 §4.6.2, case by case. */
static void pmtud__what_routers_say(void **state)
{
	struct path p = path(1472, 1472);
	via_pmtud_acked(&p.d, via_pmtud_probe(&p.d, 0), 0);
	assert_int_equal(via_pmtud_probe(&p.d, 0), 1472);
	assert_false(via_pmtud_too_big(&p.d, 1472, 0));  /* not smaller than what was asked */
	assert_false(via_pmtud_too_big(&p.d, 500, 0));   /* below the base: not believed */
	assert_true(via_pmtud_too_big(&p.d, 1400, 0));   /* between: the next question */
	assert_int_equal(via_pmtud_size(&p.d), 1200);
	assert_int_equal(via_pmtud_probe(&p.d, 0), 1400);
	via_pmtud_acked(&p.d, 1400, 0);
	assert_int_equal(p.d.state, VIA_PMTUD_COMPLETE);
	assert_int_equal(via_pmtud_size(&p.d), 1400);
	assert_true(via_pmtud_too_big(&p.d, 1300, 0));   /* less than what arrived: back to the base, and no further than that */
	assert_int_equal(via_pmtud_size(&p.d), 1200);
	run(&p, 500 * S);
	assert_int_equal(via_pmtud_size(&p.d), 1300);
}

static void pmtud__a_small_interface_is_its_own_base(void **state)
{
	struct path p = path(900, 900);
	assert_int_equal(via_pmtud_size(&p.d), 900);
	run(&p, 100 * S);
	assert_int_equal(p.d.state, VIA_PMTUD_COMPLETE);
	assert_int_equal(p.probes, 1);
	via_pmtud_acked(&p.d, 5000, 0); /* of no probe of ours */
	assert_int_equal(via_pmtud_size(&p.d), 900);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(req_PM_006__the_base_is_1200_and_the_search_goes_up),
		cmocka_unit_test(req_PM_006__at_most_three_lost_probes_per_size),
		cmocka_unit_test(req_PM_006__a_black_hole_leads_back_to_the_base),
		cmocka_unit_test(pmtud__a_better_path_is_found),
		cmocka_unit_test(pmtud__what_routers_say),
		cmocka_unit_test(pmtud__a_small_interface_is_its_own_base),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
