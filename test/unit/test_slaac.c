/* test_slaac.c - addresses from prefixes: which may be made, the two-hour rule, interface ids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/slaac.h"

static const struct nd_prefix good = {.prefix = {.b = {0x20, 1, 0x0d, 0xb8, 0, 1}}, .plen = 64, .on_link = true, .autonomous = true,
				      .valid_s = 7000, .preferred_s = 7000};

static void req_SA_003__which_prefix_makes_an_address(void **state)
{
	struct nd_prefix p = good;
	assert_true(slaac_prefix_is_usable(&p));
	p.on_link = false; /* is another matter */
	assert_true(slaac_prefix_is_usable(&p));
	p = good;
	p.autonomous = false;
	assert_false(slaac_prefix_is_usable(&p));
	p = good;
	p.preferred_s = 7001; /* preferred above valid */
	assert_false(slaac_prefix_is_usable(&p));
	p.valid_s = ND_LIFETIME_INF;
	assert_true(slaac_prefix_is_usable(&p));
	for (int plen = 0; plen <= 128; plen++) { /* with ids of 64 bits */
		p = good;
		p.plen = (uint8_t)plen;
		assert_int_equal(slaac_prefix_is_usable(&p), plen == 64);
	}
	static const uint8_t never[][2] = {{0xfe, 0x80}, {0xfe, 0xbf}, {0xff, 2}, {0, 0}};
	for (size_t i = 0; i < ARRAY_LEN(never); i++) {
		p = good;
		p.prefix = (struct via_addr){.b = {never[i][0], never[i][1]}};
		assert_false(slaac_prefix_is_usable(&p));
	}
}

/* RFC 4862 §5.5.3 (e): the address has `left` seconds, the advertisement says `said`. */
static void req_SA_004__two_hour_rule(void **state)
{
	static const struct {
		uint32_t left, said, then;
	} rows[] = {
		{1000, 2000, 2000},     /* longer than what is left */
		{10000, 7201, 7201},    /* above two hours: shorter is fine */
		{100000, 7200, 7200},   /* else not below two hours ... */
		{100000, 100, 7200}, {100000, 0, 7200}, {7201, 0, 7200},
		{7200, 100, 7200},      /* ... unless it is there already: then nothing changes */
		{5000, 100, 5000}, {5000, 0, 5000}, {1, 0, 1},
		{5000, 5001, 5001},
	};
	const int64_t now = 12345 * NS_PER_S;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct nd_prefix p = good;
		p.valid_s = rows[i].said;
		int64_t then = slaac_valid_until(&p, now + rows[i].left * NS_PER_S, now);
		if (then != now + rows[i].then * NS_PER_S)
			fail_msg("%u left, %u said: %lld", rows[i].left, rows[i].said, (long long)((then - now) / NS_PER_S));
	}
	struct nd_prefix p = good;
	p.valid_s = 0;
	assert_int_equal(slaac_valid_until(&p, TIME_NEVER, now), now + SLAAC_TWO_HOURS_NS);
	p.valid_s = ND_LIFETIME_INF;
	assert_int_equal(slaac_valid_until(&p, now + 5, now), TIME_NEVER);
	assert_int_equal(slaac_valid_until(&p, TIME_NEVER, now), TIME_NEVER);
}

static void req_SA_006__ids_are_stable_and_opaque(void **state)
{
	static const struct prf_key k1 = {1, 2}, k2 = {1, 3};
	static const uint8_t mac[6] = {2, 0, 0, 0xaa, 0xbb, 0xcc};
	const struct via_addr other = {.b = {0x20, 1, 0x0d, 0xb8, 0, 2}};
	struct via_addr a = slaac_stable_addr(k1, &good.prefix, "eth0", 4, 0), b;
	assert_memory_equal(a.b, good.prefix.b, 8);
	b = slaac_stable_addr(k1, &good.prefix, "eth0", 4, 0); /* the same whenever it is asked for */
	assert_memory_equal(a.b, b.b, 16);
	struct via_addr differ[] = {
		slaac_stable_addr(k1, &other, "eth0", 4, 0), slaac_stable_addr(k1, &good.prefix, "eth1", 4, 0),
		slaac_stable_addr(k1, &good.prefix, "eth0", 4, 1), slaac_stable_addr(k2, &good.prefix, "eth0", 4, 0),
		slaac_stable_addr(k1, &good.prefix, mac, 6, 0),
	};
	for (size_t i = 0; i < ARRAY_LEN(differ); i++) {
		assert_memory_not_equal(a.b + 8, differ[i].b + 8, 8);
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(differ[k].b + 8, differ[i].b + 8, 8);
	}
	assert_memory_not_equal(differ[4].b + 13, mac + 3, 3); /* nor does the MAC show */
	int bits[64] = {0}; /* each bit is set about as often as not */
	for (int i = 0; i < 4096; i++) {
		struct via_addr p = good.prefix;
		p.b[6] = (uint8_t)(i >> 8), p.b[7] = (uint8_t)i;
		b = slaac_stable_addr(k1, &p, "eth0", 4, 0);
		for (int k = 0; k < 64; k++)
			bits[k] += b.b[8 + k / 8] >> (k % 8) & 1;
	}
	for (int k = 0; k < 64; k++)
		assert_in_range(bits[k], 2048 - 200, 2048 + 200); /* 6 sigma */
}

static void slaac_iid_is_reserved__blocks(void **state)
{
	static const struct {
		uint8_t iid[8];
		bool reserved;
	} rows[] = {
		{{0}, true}, {{[7] = 1}, false}, {{2, 0, 0x5e, 0xff, 0xfe}, true}, {{2, 0, 0x5e, 0xff, 0xfe, 0xff, 0xff, 0xff}, true},
		{{2, 0, 0x5e, 0xff, 0xfd}, false}, {{0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, false},
		{{0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x80}, true}, {{0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, true},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(slaac_iid_is_reserved(rows[i].iid), rows[i].reserved);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(req_SA_003__which_prefix_makes_an_address), cmocka_unit_test(req_SA_004__two_hour_rule),
		cmocka_unit_test(req_SA_006__ids_are_stable_and_opaque), cmocka_unit_test(slaac_iid_is_reserved__blocks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
