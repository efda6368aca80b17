/* test_routers.c - the default router list and the on-link prefixes of one link. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/routers.h"

static struct via_addr R(uint8_t n)
{
	return (struct via_addr){.b = {0xfe, 0x80, [15] = n}};
}
static bool hear(struct routers *r, uint8_t n, uint16_t lifetime, int8_t pref, int64_t now)
{
	struct via_addr a = R(n);
	return routers_hear(r, &a, lifetime, pref, now);
}
static int best(const struct routers *r)
{
	const struct router *x = routers_best(r);
	return x ? x->addr.b[15] : 0;
}
static bool suspect(struct routers *r, uint8_t n, bool is)
{
	struct via_addr a = R(n);
	return routers_suspect(r, &a, is);
}

static void req_ND_009__lifetime_0_removes_a_router(void **state)
{
	struct routers r = {0};
	assert_true(hear(&r, 1, 0, 0, 0)); /* unknown: nothing comes of it */
	assert_int_equal(best(&r), 0);
	hear(&r, 1, 1800, 0, 0);
	assert_int_equal(best(&r), 1);
	hear(&r, 1, 0, 0, 5);
	assert_int_equal(best(&r), 0);
	assert_int_equal(r.n_routers, 0);
}

static void routers__end_by_themselves(void **state)
{
	struct routers r = {0};
	struct router_prefix gone;
	bool lost = false;
	hear(&r, 1, 10, 0, 0);
	hear(&r, 2, 20, 0, 0);
	assert_int_equal(routers_next(&r), 10 * NS_PER_S);
	hear(&r, 1, 10, 0, 5 * NS_PER_S); /* renewed */
	assert_int_equal(routers_next(&r), 15 * NS_PER_S);
	assert_false(routers_expire(&r, 15 * NS_PER_S - 1, &lost, &gone));
	assert_false(lost);
	assert_false(routers_expire(&r, 15 * NS_PER_S, &lost, &gone));
	assert_true(lost);
	assert_int_equal(best(&r), 2);
	lost = false;
	routers_expire(&r, 20 * NS_PER_S, &lost, &gone);
	assert_true(lost);
	assert_int_equal(best(&r), 0);
	assert_int_equal(routers_next(&r), TIME_NEVER);
}

/* RFC 4191 §3.2, RFC 4861 §6.3.6: preference among those that answer; all suspect: in turn. */
static void routers__reachable_first_then_preference(void **state)
{
	struct routers r = {0};
	hear(&r, 1, 100, ND_PREF_LOW, 0);
	assert_int_equal(best(&r), 1);
	hear(&r, 2, 100, ND_PREF_MEDIUM, 0);
	assert_int_equal(best(&r), 2);
	hear(&r, 3, 100, ND_PREF_MEDIUM, 0); /* equals: who is in use stays */
	assert_int_equal(best(&r), 2);
	hear(&r, 4, 100, ND_PREF_HIGH, 0);
	assert_int_equal(best(&r), 4);
	assert_true(suspect(&r, 4, true)); /* preferred, but does not answer */
	assert_int_equal(best(&r), 2);
	assert_true(suspect(&r, 4, false));
	assert_false(suspect(&r, 4, false));
	assert_int_equal(best(&r), 4);
	hear(&r, 4, 100, ND_PREF_LOW, 0); /* its mind may change */
	assert_int_equal(best(&r), 2);
	for (uint8_t n = 1; n <= 4; n++)
		suspect(&r, n, true);
	for (int round = 0; round < 2; round++) { /* round robin */
		for (uint8_t n = 1; n <= 4; n++) {
			assert_int_equal(best(&r), n);
			suspect(&r, n, true);
		}
	}
	assert_false(suspect(&r, 9, true));
}

static void req_ND_007__out_of_the_list_at_once(void **state)
{
	struct routers r = {0};
	struct via_addr one = R(1), nine = R(9);
	hear(&r, 1, 100, 0, 0);
	hear(&r, 2, 100, 0, 0);
	assert_true(routers_remove(&r, &one));
	assert_int_equal(best(&r), 2);
	assert_false(routers_remove(&r, &nine));
}

static void req_HARD_08__router_list_at_the_cap(void **state)
{
	struct routers r = {0};
	for (uint8_t n = 1; n <= ROUTERS_MAX; n++)
		assert_true(hear(&r, n, 100, 0, 0));
	assert_false(hear(&r, 50, 100, 0, 0)); /* as good: not believed */
	assert_false(hear(&r, 50, 100, ND_PREF_LOW, 0));
	assert_int_equal(r.n_routers, ROUTERS_MAX);
	assert_int_equal(best(&r), 1);
	assert_true(hear(&r, 51, 100, ND_PREF_HIGH, 0)); /* better than one that is there */
	assert_int_equal(r.n_routers, ROUTERS_MAX);
	assert_int_equal(best(&r), 51);
	suspect(&r, 2, true);
	assert_true(hear(&r, 52, 100, ND_PREF_LOW, 0)); /* instead of one that does not answer */
	struct via_addr two = R(2);
	assert_false(routers_remove(&r, &two));
	assert_true(hear(&r, 3, 100, 0, 0)); /* a known one always */
}

static void routers_hear_prefix__on_link(void **state)
{
	struct routers r = {0};
	struct router_prefix gone;
	bool lost = false;
	struct nd_prefix p = {.prefix = {.b = {0x20, 1, 0x0d, 0xb8, [15] = 5}}, .plen = 64, .on_link = true, .valid_s = 10};
	struct via_addr in = {.b = {0x20, 1, 0x0d, 0xb8, [15] = 9}};
	p.on_link = false; /* says nothing, and takes nothing back */
	assert_int_equal(routers_hear_prefix(&r, &p, 0), PREFIX_SAME);
	p.on_link = true;
	assert_int_equal(routers_hear_prefix(&r, &p, 0), PREFIX_NEW);
	assert_true(routers_has_prefix(&r, &in, 64));
	assert_false(routers_has_prefix(&r, &in, 63));
	p.on_link = false;
	p.valid_s = 0;
	assert_int_equal(routers_hear_prefix(&r, &p, 0), PREFIX_SAME);
	p.on_link = true;
	p.valid_s = 20;
	assert_int_equal(routers_hear_prefix(&r, &p, 0), PREFIX_SAME);
	assert_int_equal(routers_next(&r), 20 * NS_PER_S);
	assert_true(routers_expire(&r, 20 * NS_PER_S, &lost, &gone));
	assert_int_equal(gone.plen, 64);
	assert_int_equal(gone.prefix.b[15], 0);
	assert_false(routers_expire(&r, 20 * NS_PER_S, &lost, &gone));
	routers_hear_prefix(&r, &p, 0);
	p.valid_s = 0;
	assert_int_equal(routers_hear_prefix(&r, &p, 0), PREFIX_GONE);
	assert_int_equal(routers_hear_prefix(&r, &p, 0), PREFIX_SAME);
	p.valid_s = ND_LIFETIME_INF;
	assert_int_equal(routers_hear_prefix(&r, &p, 0), PREFIX_NEW);
	assert_int_equal(routers_next(&r), TIME_NEVER);
	p.prefix = R(0); /* nobody's to say */
	assert_int_equal(routers_hear_prefix(&r, &p, 0), PREFIX_SAME);
	for (uint8_t i = 0; i < 100; i++) {
		p.prefix = (struct via_addr){.b = {0x20, 1, i}};
		routers_hear_prefix(&r, &p, 0);
	}
	assert_int_equal(r.n_prefixes, ROUTERS_PREFIXES_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(req_ND_009__lifetime_0_removes_a_router), cmocka_unit_test(routers__end_by_themselves),
		cmocka_unit_test(routers__reachable_first_then_preference), cmocka_unit_test(req_ND_007__out_of_the_list_at_once),
		cmocka_unit_test(req_HARD_08__router_list_at_the_cap), cmocka_unit_test(routers_hear_prefix__on_link),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
