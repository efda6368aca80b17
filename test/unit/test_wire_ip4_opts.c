/* Options that nodes write into: record route and timestamp by RFC 791's picture of them, and what cannot be written to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "wire/ip4.h"
#include "wire/ip4_opts.h"

static bool is_ours(const void *ctx, uint32_t addr)
{
	return addr == *(const uint32_t *)ctx;
}

static const uint32_t here = 0x0a000002;
static const struct ip4_opts_node node = {.addr = 0x0a000002, .time = 0x80001234, .is_ours = is_ours, .ctx = &here};

static void req_IP4_007__record_route(void **state)
{
	uint8_t o[] = {1, 7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0};
	static const uint8_t one[] = {1, 7, 11, 8, 10, 0, 0, 2, 0, 0, 0, 0}, two[] = {1, 7, 11, 12, 10, 0, 0, 2, 10, 0, 0, 2};
	assert_true(ip4_opts_record(o, sizeof(o), &node));
	assert_memory_equal(o, one, sizeof(o));
	assert_true(ip4_opts_record(o, sizeof(o), &node));
	assert_memory_equal(o, two, sizeof(o));
	assert_false(ip4_opts_record(o, sizeof(o), &node)); /* full */
	assert_memory_equal(o, two, sizeof(o));
}

static void req_IP4_007__timestamps(void **state)
{
	uint8_t only[] = {68, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0}, addr[] = {68, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0};
	uint8_t named[] = {68, 20, 5, 3, 10, 0, 0, 2, 0, 0, 0, 0, 10, 0, 0, 9, 0, 0, 0, 0};
	static const uint8_t only_two[] = {68, 12, 13, 0, 0x80, 0, 0x12, 0x34, 0x80, 0, 0x12, 0x34};
	static const uint8_t addr_one[] = {68, 12, 13, 1, 10, 0, 0, 2, 0x80, 0, 0x12, 0x34};
	static const uint8_t named_one[] = {68, 20, 13, 3, 10, 0, 0, 2, 0x80, 0, 0x12, 0x34, 10, 0, 0, 9, 0, 0, 0, 0};
	assert_true(ip4_opts_record(only, sizeof(only), &node));
	assert_true(ip4_opts_record(only, sizeof(only), &node));
	assert_memory_equal(only, only_two, sizeof(only));
	for (int i = 1; i <= 15; i++) { /* full: we are counted as missed, 15 times at most */
		assert_true(ip4_opts_record(only, sizeof(only), &node));
		assert_int_equal(only[3] >> 4, i);
	}
	assert_false(ip4_opts_record(only, sizeof(only), &node));
	assert_true(ip4_opts_record(addr, sizeof(addr), &node));
	assert_memory_equal(addr, addr_one, sizeof(addr));
	assert_true(ip4_opts_record(named, sizeof(named), &node));
	assert_false(ip4_opts_record(named, sizeof(named), &node)); /* the next one is another's */
	assert_memory_equal(named, named_one, sizeof(named));
	/* any time that is not since midnight UT has its highest bit set (RFC 791) */
	assert_true(ip4_opts_time(0) >> 31 && ip4_opts_time(INT64_MAX) >> 31);
}

static void req_IP4_007__bad_lengths_are_left_alone(void **state)
{
	static const uint8_t bad[][8] = {
		{7, 3, 4, 0, 0, 0, 0, 0}, {7, 8, 3, 0, 0, 0, 0, 0}, {7, 8, 0, 0, 0, 0, 0, 0}, {7, 8, 6, 0, 0, 0, 0, 0}, {7, 9, 4, 0, 0, 0, 0, 0},
		{7, 1, 4, 0, 0, 0, 0, 0}, {7, 0, 4, 0, 0, 0, 0, 0}, {7, 2, 68, 3, 5, 0, 0, 0}, {68, 8, 4, 0, 0, 0, 0, 0}, {68, 8, 5, 2, 0, 0, 0, 0},
		{68, 8, 6, 0, 0, 0, 0, 0}, {68, 8, 5, 1, 0, 0, 0, 0}, {0, 7, 7, 4, 0, 0, 0, 0}, {1, 1, 1, 1, 1, 1, 1, 7},
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		uint8_t o[8];
		memcpy(o, bad[i], sizeof(o));
		assert_false(ip4_opts_record(o, sizeof(o), &node));
		assert_memory_equal(o, bad[i], sizeof(o));
	}
	/* noise: never beyond its end, never an option longer or shorter */
	struct rng r;
	rng_seed(&r, 5);
	for (int i = 0; i < 200000; i++) {
		uint8_t room[48], was[48], out[IP4_OPTS_MAX];
		uint32_t n = (uint32_t)rng_below(&r, 11) * 4;
		for (size_t k = 0; k < sizeof(room); k++)
			room[k] = (uint8_t)(rng_below(&r, 3) ? rng_below(&r, 14) : rng_below(&r, 2) ? 68 : rng_below(&r, 256));
		memcpy(was, room, sizeof(was));
		ip4_opts_record(room, n, &node);
		assert_memory_equal(room + n, was + n, sizeof(room) - n);
		assert_int_equal(ip4_options_check(room, n), ip4_options_check(was, n));
		uint32_t e = ip4_opts_echo(out, room, n);
		assert_true(e <= n && e % 4 == 0);
	}
}

static void ip4_opts_echo__takes_routes_and_times(void **state)
{
	static const uint8_t want[] = {7, 7, 8, 1, 2, 3, 4, 68, 8, 9, 0, 9, 9, 9, 9, 0};
	uint8_t out[IP4_OPTS_MAX];
	assert_int_equal(ip4_opts_echo(out, (const uint8_t[]){1, 1, 1, 0}, 4), 0);
	/* router alert and padding are left out */
	static const uint8_t packed[] = {148, 4, 0, 0, 1, 7, 7, 8, 1, 2, 3, 4, 68, 8, 9, 0, 9, 9, 9, 9};
	assert_int_equal(ip4_opts_echo(out, packed, sizeof(packed)), sizeof(want));
	assert_memory_equal(out, want, sizeof(want));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(req_IP4_007__record_route),
		cmocka_unit_test(req_IP4_007__timestamps),
		cmocka_unit_test(req_IP4_007__bad_lengths_are_left_alone),
		cmocka_unit_test(ip4_opts_echo__takes_routes_and_times),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
