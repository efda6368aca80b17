/* test_addrsel.c - default address selection: one test for each rule of RFC 6724, its examples, and lifetimes of addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>

#include "net/addrsel.h"
#include "region.h"

enum { IF = 2, OTHER = 3 };

static struct via_addr A(const char *text)
{
	struct via_addr a = {0};
	struct in_addr four;
	if (inet_pton(AF_INET, text, &four) == 1)
		return via_addr_v4(ntohl(four.s_addr));
	assert_int_equal(inet_pton(AF_INET6, text, a.b), 1);
	return a;
}

static struct addr_entry E(const char *text, uint8_t plen)
{
	return (struct addr_entry){.addr = A(text), .plen = plen, .ifindex = IF};
}

/* good wins against bad, in whatever order they are compared. */
static void wins(struct addr_entry good, struct addr_entry bad, const char *dst)
{
	struct via_addr d = A(dst);
	if (!addrsel_source_is_better(&good, &bad, &d, IF) || addrsel_source_is_better(&bad, &good, &d, IF))
		fail_msg("towards %s", dst);
}
static void equal(struct addr_entry x, struct addr_entry y, const char *dst)
{
	struct via_addr d = A(dst);
	assert_false(addrsel_source_is_better(&x, &y, &d, IF) || addrsel_source_is_better(&y, &x, &d, IF));
}
static struct addr_entry deprecated(struct addr_entry e)
{
	e.is_deprecated = true;
	return e;
}
static struct addr_entry temporary(struct addr_entry e)
{
	e.is_temporary = true;
	return e;
}
static struct addr_entry elsewhere(struct addr_entry e)
{
	e.ifindex = OTHER;
	return e;
}

static void req_SA_007__rule_1_the_same_address(void **state)
{
	/* before rule 3 even */
	wins(deprecated(E("2001:db8::1", 64)), E("2001:db8::2", 64), "2001:db8::1");
}

static void req_SA_007__rule_2_appropriate_scope(void **state)
{
	wins(E("2001:db8::1", 64), E("fe80::1", 64), "2001:4860::8"); /* the RFC's first example */
	wins(E("fe80::1", 64), E("2001:db8::1", 64), "fe80::9");
	wins(E("fe80::1", 64), E("2001:db8::1", 64), "ff02::1");
	wins(E("2001:db8::1", 64), E("fe80::1", 64), "ff0e::1");
	wins(E("fec0::1", 64), E("fe80::1", 64), "2001:db8::9"); /* neither is enough: the larger */
	wins(E("fec0::1", 64), E("2001:db8::1", 64), "fec0::9"); /* both are: the smaller */
	wins(deprecated(E("2001:db8::1", 64)), E("fe80::1", 64), "2001:4860::8"); /* before rule 3 */
}

static void req_SA_007__rule_3_not_deprecated(void **state)
{
	wins(E("2001:db8:1::1", 64), deprecated(E("2001:db8::1", 64)), "2001:db8::9"); /* before rule 8 */
	wins(elsewhere(E("2001:db8:1::1", 64)), deprecated(E("2001:db8::1", 64)), "2001:db8::9"); /* before rule 5 */
	equal(deprecated(E("2001:db8::1", 64)), deprecated(E("2001:db8::2", 64)), "2001:db8::9");
}

/* Rule 4 prefers home addresses (RFC 6275); no address of ours is one, so it decides nothing: rule 5 is next. */
static void req_SA_007__rule_4_decides_nothing_and_rule_5_the_outgoing_interface(void **state)
{
	wins(E("2001:db8:1::1", 64), elsewhere(E("2001:db8::1", 64)), "2001:db8::9"); /* before rule 8 */
	wins(E("2001:db8:1::1", 64), elsewhere(E("2002::1", 64)), "2002::9");         /* before rule 6 */
	equal(elsewhere(E("2001:db8::1", 64)), elsewhere(E("2001:db8::2", 64)), "2001:db8::9");
}

static void req_SA_007__rule_6_matching_label(void **state)
{
	wins(E("2002:c000:201::1", 64), E("2001:db8::1", 64), "2002:808:808::1");
	wins(E("2001:db8::1", 64), E("2002:c000:201::1", 64), "2001:4860::8");
	wins(E("fd00::1", 64), E("2001:db8::1", 64), "fd00:1::9");
	wins(E("2001:db8::1", 64), temporary(E("fd00::1", 64)), "2001:4860::8"); /* before rule 7 */
}

static void req_SA_007__rule_7_temporary(void **state)
{
	wins(temporary(E("2001:db8:1::1", 64)), E("2001:db8::1", 64), "2001:db8::9"); /* before rule 8 */
}

static void req_SA_007__rule_8_longest_match(void **state)
{
	wins(E("2001:db8:1::1", 64), E("2001:db8:2::1", 64), "2001:db8:1:5::9");
	wins(E("2001:db8:3::1", 64), E("2001:db8:8::1", 64), "2001:db8:1::9");
	/* bits past the prefix do not count (§2.2) */
	equal(E("2001:db8::1", 64), E("2001:db8::ffff", 64), "2001:db8::2");
	equal(E("2001:db8::1", 128), E("2001:db8::1", 128), "2001:db8::7");
}

/* The table's choice: candidates are the addresses of the interface and the family; between equals the one that came first. */
static void req_SA_007__candidates_of_the_outgoing_interface(void **state)
{
	struct arena *a = region_new(4 * ARENA_PAGE_SIZE);
	struct addrs t = {0};
	struct via_addr dst = A("2001:db8:7::9"), v4 = A("10.9.9.9"), link = A("ff02::1"), x;
	assert_null(addrs_source(a, &t, IF, &dst));
	const char *const mine[] = {"2001:db8:1::1", "2001:db8:1::0", "fe80::1", "10.0.0.1"};
	for (size_t i = 0; i < ARRAY_LEN(mine); i++) {
		x = A(mine[i]);
		assert_int_equal(addrs_add(a, &t, IF, &x, 64 >> (i == 3)), 0);
	}
	x = A("2001:db8:7::1");
	assert_int_equal(addrs_add(a, &t, OTHER, &x, 64), 0);
	assert_true(memcmp(addrs_source(a, &t, IF, &dst)->addr.b, A(mine[0]).b, 16) == 0);
	assert_true(memcmp(addrs_source(a, &t, IF, &link)->addr.b, A(mine[2]).b, 16) == 0);
	assert_true(memcmp(addrs_source(a, &t, IF, &v4)->addr.b, A(mine[3]).b, 16) == 0);
	assert_null(addrs_source(a, &t, OTHER, &v4));
	addrs_free(a, &t);
	region_free(a);
}

static void addrs__lifetimes(void **state)
{
	struct arena *a = region_new(4 * ARENA_PAGE_SIZE);
	struct addrs t = {0};
	struct addr_entry gone;
	struct via_addr x = A("2001:db8::1"), y = A("2001:db8::2");
	assert_int_equal(addrs_add(a, &t, IF, &x, 64), 0);
	assert_int_equal(addrs_add(a, &t, IF, &y, 64), 0);
	assert_int_equal(addrs_next(a, &t), TIME_NEVER);
	addrs_set_life(a, &t, &x, 100, 200, 0);
	assert_int_equal(addrs_next(a, &t), 100);
	assert_false(addrs_age(a, &t, 99, &gone));
	assert_false(addrs_find(a, &t, &x)->is_deprecated);
	assert_false(addrs_age(a, &t, 100, &gone));
	assert_true(addrs_find(a, &t, &x)->is_deprecated);
	assert_int_equal(addrs_next(a, &t), 200);
	addrs_set_life(a, &t, &x, 150, 200, 100); /* renewed */
	assert_false(addrs_find(a, &t, &x)->is_deprecated);
	assert_true(addrs_age(a, &t, 200, &gone));
	assert_memory_equal(gone.addr.b, x.b, 16);
	assert_int_equal(addrs_del(a, &t, IF, &x), 0);
	assert_false(addrs_age(a, &t, 200, &gone));
	assert_int_equal(addrs_next(a, &t), TIME_NEVER);
	addrs_free(a, &t);
	region_free(a);
}

/* ---- destinations ---- */

static struct addr_entry sources[16];

/* A destination whose source is sources[i]. */
static struct addrsel_dst D(const char *text, int i)
{
	return (struct addrsel_dst){.addr = A(text), .source = i < 0 ? NULL : &sources[i]};
}
static void first(struct addrsel_dst good, struct addrsel_dst bad)
{
	for (int k = 0; k < 2; k++) {
		struct addrsel_dst v[2] = {k ? bad : good, k ? good : bad};
		addrsel_sort(v, 2);
		assert_memory_equal(v[0].addr.b, good.addr.b, 16);
		assert_memory_equal(v[1].addr.b, bad.addr.b, 16);
	}
}
static void stays(struct addrsel_dst x, struct addrsel_dst y)
{
	struct addrsel_dst v[2] = {x, y};
	addrsel_sort(v, 2);
	assert_memory_equal(v[0].addr.b, x.addr.b, 16);
	struct addrsel_dst w[2] = {y, x};
	addrsel_sort(w, 2);
	assert_memory_equal(w[0].addr.b, y.addr.b, 16);
}

static void set_sources(void)
{
	const char *const text[] = {"2001:db8::1", "fe80::1", "10.0.0.1", "2002:c000:201::1", "fd00::1", "169.254.1.1", "2001:db8:1::1"};
	memset(sources, 0, sizeof(sources));
	for (size_t i = 0; i < ARRAY_LEN(text); i++)
		sources[i] = E(text[i], i == 2 || i == 5 ? 24 : 64);
	sources[7] = deprecated(sources[0]);
}

static void req_SA_008__rules_in_order(void **state)
{
	set_sources();
	/* 1: unusable ones last, before rule 2 */
	first(D("10.9.9.9", 2), D("2001:db8::9", -1));
	stays(D("2001:db8::9", -1), D("2001:db8::8", -1));
	/* 2: matching scope; before 3 */
	first(D("2001:db8::9", 7), D("2001:db8:2::9", 1));
	first(D("10.9.9.9", 2), D("2001:db8:2::9", 1)); /* before 6 */
	/* 3: not deprecated; before 6 (4: no home addresses) */
	first(D("10.9.9.9", 2), D("2001:db8::9", 7));
	/* 5: matching label; before 6 */
	first(D("2002:808:808::1", 3), D("2001:db8::9", 3));
	/* 6: higher precedence */
	first(D("2001:db8::9", 0), D("10.9.9.9", 2));
	first(D("10.9.9.9", 2), D("2002:808:808::1", 3));
	first(D("10.9.9.9", 2), D("fd00:1::9", 4));
	first(D("2001:db8::9", 0), D("fd00:1::9", 4));
	/* 8: the smaller scope (7: no encapsulation) */
	first(D("fe80::9", 1), D("2001:db8::9", 0));
	/* 9: longest match with the source, within a family */
	first(D("2001:db8::9", 0), D("2001:db9::9", 0));
	first(D("10.0.0.9", 2), D("10.8.0.9", 2));
	stays(D("2001:db8::9", 0), D("2001:db8::8", 0)); /* both share the whole prefix */
	/* 10: else as it was */
	stays(D("2001:db8:1::7", 6), D("2001:db8::9", 0));
}

/* RFC 6724 §10.2 and §10.1, as far as the sources are given. */
static void req_SA_008__examples_of_the_rfc(void **state)
{
	memset(sources, 0, sizeof(sources));
	sources[0] = E("2001:db8:2::1", 64);
	sources[1] = E("fe80::1", 64);
	sources[2] = E("169.254.13.78", 16);
	sources[3] = E("198.51.100.117", 24);
	sources[4] = E("2002:c633:6401::d5e3:7953:13eb:22e8", 64);
	first(D("2001:db8:1::1", 0), D("198.51.100.121", 2));   /* prefer matching scope */
	first(D("198.51.100.121", 3), D("2001:db8:1::1", 1));   /* prefer matching scope */
	first(D("2001:db8:1::1", 0), D("10.1.2.3", 3));         /* prefer higher precedence */
	first(D("fe80::2", 1), D("2001:db8:1::1", 0));          /* prefer smaller scope */
	first(D("2002:c633:6401::1", 4), D("2001:db8:1::1", 4)); /* prefer matching label */
	/* Source(2002:c633:6401::1) among 2002:c633:6401::d5e3:.. and 2001:db8:1::2: matching label */
	wins(E("2002:c633:6401::d5e3:7953:13eb:22e8", 64), temporary(E("2001:db8:1::2", 64)), "2002:c633:6401::1");
	wins(E("2001:db8:1::2", 64), E("fe80::1", 64), "2001:db8:1::1");
	wins(E("2001:db8:1::2", 64), E("2001:db8:3::2", 64), "2001:db8:1::1");
}

static void req_SA_008__default_policy_table(void **state)
{
	static const struct {
		const char *addr;
		uint8_t precedence, label;
	} want[] = {
		{"::1", 50, 0}, {"2001:db8::1", 40, 1}, {"::", 1, 3}, {"::2", 1, 3}, {"::1.2.3.4", 1, 3}, {"1.2.3.4", 35, 4},
		{"127.0.0.1", 35, 4}, {"2002::1", 30, 2}, {"2003::1", 40, 1}, {"2001::1", 5, 5}, {"2001:0:ffff::1", 5, 5}, {"2001:1::1", 40, 1},
		{"fc00::1", 3, 13}, {"fdff::1", 3, 13}, {"fe00::1", 40, 1}, {"fec0::1", 1, 11}, {"feff::1", 1, 11}, {"fe80::1", 40, 1},
		{"3ffe::1", 1, 12}, {"3fff::1", 40, 1}, {"ff02::1", 40, 1},
	};
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		struct via_addr a = A(want[i].addr);
		struct addrsel_policy p = addrsel_policy_of(&a);
		if (p.precedence != want[i].precedence || p.label != want[i].label)
			fail_msg("%s: %u %u", want[i].addr, p.precedence, p.label);
	}
	static const struct {
		const char *addr;
		unsigned scope;
	} scopes[] = {
		{"::1", 2}, {"fe80::1", 2}, {"febf::1", 2}, {"fec0::1", 5}, {"fd00::1", 14}, {"2001:db8::1", 14}, {"127.0.0.1", 2},
		{"169.254.0.1", 2}, {"10.0.0.1", 14}, {"192.168.1.1", 14}, {"ff01::1", 1}, {"ff02::1", 2}, {"ff05::1", 5}, {"ff0e::1", 14},
	};
	for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
		struct via_addr a = A(scopes[i].addr);
		assert_int_equal(addrsel_scope_of(&a), scopes[i].scope);
	}
}

/* Longer lists: every pair stands as the rules say, and what lies beyond the cap is not touched. */
static void addrsel_sort__many(void **state)
{
	struct addrsel_dst v[ADDRSEL_DSTS_MAX + 2];
	set_sources();
	for (uint32_t i = 0; i < ARRAY_LEN(v); i++) {
		v[i] = i % 3 == 0 ? D("10.9.9.9", 2) : i % 3 == 1 ? D("2001:db8::9", -1) : D("2001:db8::9", 0);
		v[i].addr.b[14] = (uint8_t)i;
	}
	addrsel_sort(v, ARRAY_LEN(v));
	int phase = 0, last = -1;
	for (uint32_t i = 0; i < ADDRSEL_DSTS_MAX; i++) {
		int kind = !v[i].source ? 2 : via_addr_is_v4(&v[i].addr) ? 1 : 0;
		assert_true(kind >= phase);
		if (kind > phase)
			last = -1;
		phase = kind;
		assert_true(v[i].addr.b[14] > last); /* stable */
		last = v[i].addr.b[14];
	}
	assert_int_equal(phase, 2);
	assert_int_equal(v[ADDRSEL_DSTS_MAX].addr.b[14], ADDRSEL_DSTS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(req_SA_007__rule_1_the_same_address), cmocka_unit_test(req_SA_007__rule_2_appropriate_scope),
		cmocka_unit_test(req_SA_007__rule_3_not_deprecated),
		cmocka_unit_test(req_SA_007__rule_4_decides_nothing_and_rule_5_the_outgoing_interface),
		cmocka_unit_test(req_SA_007__rule_6_matching_label), cmocka_unit_test(req_SA_007__rule_7_temporary),
		cmocka_unit_test(req_SA_007__rule_8_longest_match), cmocka_unit_test(req_SA_007__candidates_of_the_outgoing_interface),
		cmocka_unit_test(addrs__lifetimes), cmocka_unit_test(req_SA_008__rules_in_order),
		cmocka_unit_test(req_SA_008__examples_of_the_rfc), cmocka_unit_test(req_SA_008__default_policy_table),
		cmocka_unit_test(addrsel_sort__many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
