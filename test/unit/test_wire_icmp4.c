/* test_wire_icmp4.c - ICMP header and the packet an error quotes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/icmp4.h"

#include <errno.h>

static void icmp4_parse__emit_round_trip(void **state)
{
	uint8_t out[8];
	struct icmp4_hdr b, a = {.type = ICMP4_UNREACH, .code = ICMP4_UNREACH_FRAG, .csum = 0x1234, .rest = 1400};
	icmp4_emit(out, &a);
	assert_memory_equal(out, ((const uint8_t[]){3, 4, 0, 0, 0, 0, 5, 0x78}), 8); /* checksum field left 0 */
	assert_int_equal(icmp4_parse(out, 8, &b), 0);
	assert_true(b.type == 3 && b.code == 4 && b.rest == 1400 && b.csum == 0);
	for (size_t len = 0; len < 8; len++)
		assert_int_equal(icmp4_parse(out, len, &b), -EINVAL);
}

static void icmp4_is_error__types(void **state)
{
	for (int t = 0; t < 256; t++) /* RFC 1122 §3.2.2 */
		assert_int_equal(icmp4_is_error((uint8_t)t), t == 3 || t == 4 || t == 5 || t == 11 || t == 12);
}

static const uint8_t quote[28] = {
	0x45, 0, 5, 0xdc, 0, 1, 0x40, 0, 64, 6, 0xff, 0xff, 10, 0, 0, 1, 10, 0, 0, 2, 0x9c, 0x40, 0, 80, 0x11, 0x22, 0x33, 0x44};

static void icmp4_quote_parse__tcp(void **state)
{
	struct icmp4_quote q;
	assert_int_equal(icmp4_quote_parse(quote, sizeof(quote), &q), 0); /* the checksum is wrong and does not matter */
	assert_int_equal(q.src, 0x0a000001);
	assert_int_equal(q.dst, 0x0a000002);
	assert_int_equal(q.proto, 6);
	assert_int_equal(q.total_len, 1500);
	assert_int_equal(q.sport, 40000);
	assert_int_equal(q.dport, 80);
	assert_int_equal(q.seq, 0x11223344);
}

static void icmp4_quote_parse__udp_and_echo(void **state)
{
	uint8_t b[28];
	struct icmp4_quote q;
	memcpy(b, quote, sizeof(b));
	b[9] = 17;
	assert_int_equal(icmp4_quote_parse(b, sizeof(b), &q), 0);
	assert_true(q.sport == 40000 && q.dport == 80 && q.seq == 0);
	b[9] = 1;
	memcpy(b + 20, (const uint8_t[]){8, 0, 0, 0, 0x12, 0x34, 0, 1}, 8);
	assert_int_equal(icmp4_quote_parse(b, sizeof(b), &q), 0);
	assert_true(q.sport == 0x1234 && q.dport == 0);
}

static void icmp4_quote_parse__options_before_the_transport(void **state)
{
	uint8_t b[32] = {0};
	struct icmp4_quote q;
	memcpy(b, quote, 20);
	memcpy(b + 24, quote + 20, 8);
	b[0] = 0x46;
	assert_int_equal(icmp4_quote_parse(b, sizeof(b), &q), 0);
	assert_int_equal(q.sport, 40000);
	for (size_t len = 0; len < 32; len++)
		assert_int_equal(icmp4_quote_parse(b, len, &q), -EINVAL);
}

static void icmp4_quote_parse__refuses(void **state)
{
	uint8_t b[28];
	struct icmp4_quote q;
	for (size_t len = 0; len < 28; len++)
		assert_int_equal(icmp4_quote_parse(quote, len, &q), -EINVAL);
	memcpy(b, quote, sizeof(b));
	b[0] = 0x65;
	assert_int_equal(icmp4_quote_parse(b, sizeof(b), &q), -EINVAL);
	b[0] = 0x44;
	assert_int_equal(icmp4_quote_parse(b, sizeof(b), &q), -EINVAL);
	b[0] = 0x45;
	b[7] = 1; /* a later fragment: no ports in it */
	assert_int_equal(icmp4_quote_parse(b, sizeof(b), &q), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(icmp4_parse__emit_round_trip),
		cmocka_unit_test(icmp4_is_error__types),
		cmocka_unit_test(icmp4_quote_parse__tcp),
		cmocka_unit_test(icmp4_quote_parse__udp_and_echo),
		cmocka_unit_test(icmp4_quote_parse__options_before_the_transport),
		cmocka_unit_test(icmp4_quote_parse__refuses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
