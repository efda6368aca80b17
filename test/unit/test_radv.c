/* test_radv.c - a router's advertisements: when they leave, what they say, whether another router agrees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "svc/radv.h"

#include <errno.h>

/* Times at which advertisements leave until t, with random numbers of a fixed kind. */
struct log {
	int64_t at[400];
	int n;
	uint64_t random;
};
static uint64_t rnd(struct log *l)
{
	return l->random = l->random * 6364136223846793005u + 1442695040888963407u;
}
static void run(struct radv *r, struct log *l, int64_t t)
{
	while (r->next <= t && l->n < 400) {
		int64_t now = r->next;
		assert_false(radv_due(r, rnd(l), now - 1));
		assert_true(radv_due(r, rnd(l) >> 16, now));
		l->at[l->n++] = now;
	}
}

static void req_ND_010__periodically_at_random_times(void **state)
{
	struct radv r;
	struct log l = {.random = 1};
	int64_t least = INT64_MAX, most = 0;
	radv_init(&r);
	assert_false(radv_due(&r, 1, 1000 * NS_PER_S)); /* off until it is started */
	radv_start(&r, rnd(&l), 0);
	run(&r, &l, 100000 * NS_PER_S);
	assert_true(l.n > 100000 / 600 && l.n < 100000 / 198);
	assert_in_range(l.at[0], 0, RADV_ANSWER_NS);
	for (int i = 1; i < l.n; i++) {
		int64_t gap = l.at[i] - l.at[i - 1];
		if (i < RADV_INITIAL_NUM) {
			assert_in_range(gap, 3 * NS_PER_S, 16 * NS_PER_S);
			continue;
		}
		assert_in_range(gap, 200 * NS_PER_S, 600 * NS_PER_S);
		least = MIN(least, gap);
		most = MAX(most, gap);
	}
	assert_true(least < 230 * NS_PER_S && most > 570 * NS_PER_S);
}

static void req_ND_010__on_request_and_never_more_often_than_every_three_seconds(void **state)
{
	struct radv r;
	struct log l = {.random = 2};
	radv_init(&r);
	radv_solicited(&r, 0, 0); /* no router */
	assert_int_equal(r.next, TIME_NEVER);
	radv_start(&r, rnd(&l), 0);
	run(&r, &l, 2000 * NS_PER_S);
	int64_t asked = MAX(l.at[l.n - 1] + 100 * NS_PER_S, 2000 * NS_PER_S);
	int before = l.n;
	radv_solicited(&r, rnd(&l), asked);
	run(&r, &l, asked + NS_PER_S);
	assert_int_equal(l.n, before + 1);
	assert_in_range(l.at[before] - asked, 0, RADV_ANSWER_NS);
	for (int k = 0; k < 1000; k++) { /* a flood of questions, 100 a second */
		radv_solicited(&r, rnd(&l), asked + k * 10 * NS_PER_MS);
		run(&r, &l, asked + k * 10 * NS_PER_MS);
	}
	assert_in_range(l.n - before, 3, 5);
	for (int i = before + 1; i < l.n; i++)
		assert_true(l.at[i] - l.at[i - 1] >= 3 * NS_PER_S);
}

static void req_ND_010__lifetime_0_on_stop(void **state)
{
	struct radv r;
	struct nd_msg m;
	struct log l = {.random = 3};
	radv_init(&r);
	radv_start(&r, rnd(&l), 0);
	run(&r, &l, 100 * NS_PER_S);
	radv_fill(&r, &m);
	assert_int_equal(m.lifetime_s, 1800);
	int before = l.n;
	radv_stop(&r, 100 * NS_PER_S);
	for (int k = 0; k < 3; k++) {
		assert_true(radv_due(&r, 0, r.next));
		l.at[l.n++] = r.last;
		radv_fill(&r, &m);
		assert_int_equal(m.lifetime_s, 0);
		assert_true(l.n == before + 1 || l.at[l.n - 1] - l.at[l.n - 2] >= 3 * NS_PER_S);
	}
	assert_in_range(l.at[before], 100 * NS_PER_S, 103 * NS_PER_S);
	assert_int_equal(r.next, TIME_NEVER);
	assert_false(radv_due(&r, 0, TIME_NEVER - 1));
	radv_solicited(&r, 0, 200 * NS_PER_S);
	assert_int_equal(r.next, TIME_NEVER);
	radv_start(&r, 0, 200 * NS_PER_S); /* and again */
	assert_int_equal(r.next, 200 * NS_PER_S);
}

static void radv_fill__what_was_configured(void **state)
{
	struct radv r;
	struct nd_msg m;
	struct nd_prefix p = {.prefix = {.b = {0x20, 1, 0x0d, 0xb8, [15] = 5}}, .plen = 64, .on_link = true, .autonomous = true, .valid_s = 100,
			      .preferred_s = 50};
	radv_init(&r);
	r.c.max_interval_s = 30;
	r.c.mtu = 1400;
	r.c.other = true;
	r.c.preference = ND_PREF_HIGH;
	assert_int_equal(radv_prefix_set(&r, &p), 0);
	radv_start(&r, 0, 0);
	radv_fill(&r, &m);
	assert_true(m.type == ND_RA && m.lifetime_s == 90 && m.mtu == 1400 && m.other && !m.managed && m.hop_limit == 64);
	assert_int_equal(m.preference, ND_PREF_HIGH);
	assert_true(m.n_prefixes == 1 && m.prefix[0].prefix.b[15] == 0 && m.prefix[0].valid_s == 100);
	r.c.lifetime_s = 0; /* no default router: then no preference either */
	radv_fill(&r, &m);
	assert_true(m.lifetime_s == 0 && m.preference == ND_PREF_MEDIUM);
	p.valid_s = p.preferred_s = 10;
	assert_int_equal(radv_prefix_set(&r, &p), 0); /* replaced */
	radv_fill(&r, &m);
	assert_true(m.n_prefixes == 1 && m.prefix[0].valid_s == 10);
	p.preferred_s = 11;
	assert_int_equal(radv_prefix_set(&r, &p), -EINVAL);
	p.preferred_s = 10;
	for (uint8_t i = 1; i < RADV_PREFIXES_MAX; i++) {
		p.prefix.b[3] = i;
		assert_int_equal(radv_prefix_set(&r, &p), 0);
	}
	p.prefix.b[3] = 99;
	assert_int_equal(radv_prefix_set(&r, &p), -ENOSPC);
	assert_int_equal(radv_prefix_del(&r, &p.prefix, 64), -ENOENT);
	p.prefix.b[3] = 1;
	assert_int_equal(radv_prefix_del(&r, &p.prefix, 64), 0);
	p.prefix = (struct via_addr){.b = {0xfe, 0x80}};
	assert_int_equal(radv_prefix_set(&r, &p), -EINVAL);
}

static void req_ND_010__consistency_with_other_routers(void **state)
{
	struct radv r;
	struct nd_msg m, o;
	struct nd_prefix p = {.prefix = {.b = {0x20, 1, 0x0d, 0xb8}}, .plen = 64, .on_link = true, .valid_s = 100, .preferred_s = 50};
	radv_init(&r);
	radv_prefix_set(&r, &p);
	r.c.mtu = 1500;
	r.c.reachable_ms = 1000;
	radv_start(&r, 0, 0);
	radv_fill(&r, &m);
	assert_true(radv_agrees(&r, &m));
	o = m, o.lifetime_s = 9; /* may differ, and preference */
	assert_true(radv_agrees(&r, &o));
	o = m, o.hop_limit = 63;
	assert_false(radv_agrees(&r, &o));
	o = m, o.hop_limit = 0; /* not said */
	assert_true(radv_agrees(&r, &o));
	o = m, o.managed = true;
	assert_false(radv_agrees(&r, &o));
	o = m, o.other = true;
	assert_false(radv_agrees(&r, &o));
	o = m, o.reachable_ms = 1001;
	assert_false(radv_agrees(&r, &o));
	o = m, o.retrans_ms = 5; /* we do not say */
	assert_true(radv_agrees(&r, &o));
	o = m, o.mtu = 1400;
	assert_false(radv_agrees(&r, &o));
	o = m, o.prefix[0].valid_s = 99;
	assert_false(radv_agrees(&r, &o));
	o = m, o.prefix[0].preferred_s = 49;
	assert_false(radv_agrees(&r, &o));
	o = m, o.prefix[0].prefix.b[0] = 0x21; /* another prefix is its own business */
	o.prefix[0].valid_s = 1;
	assert_true(radv_agrees(&r, &o));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(req_ND_010__periodically_at_random_times),
		cmocka_unit_test(req_ND_010__on_request_and_never_more_often_than_every_three_seconds),
		cmocka_unit_test(req_ND_010__lifetime_0_on_stop), cmocka_unit_test(radv_fill__what_was_configured),
		cmocka_unit_test(req_ND_010__consistency_with_other_routers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
