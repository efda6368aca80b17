/* test_wire_addr.c - addresses as text and as prefixes; inet_pton and inet_ntop of libc are the models. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "wire/addr.h"

#include <arpa/inet.h>
#include <errno.h>

static void via_addr_parse__agrees_with_inet_pton(void **state)
{
	static const char *const texts[] = {
		"10.0.0.1", "0.0.0.0", "255.255.255.255", "1.2.3.4", "256.1.1.1", "1.2.3", "1.2.3.4.5", "1.2.3.", ".1.2.3", "1..2.3",
		"01.2.3.4", "1.2.3.04", "1.2.3.4 ", " 1.2.3.4", "", "a.b.c.d", "1.2.3.-4", "0x1.2.3.4", "1.2.3.99999999999", "1,2,3,4",
	};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct in_addr in;
		struct via_addr a;
		int ok = inet_pton(AF_INET, texts[i], &in);
		assert_int_equal(via_addr_parse(texts[i], strlen(texts[i]), &a), ok ? 0 : -EINVAL);
		if (ok)
			assert_int_equal(via_addr_to_v4(&a), ntohl(in.s_addr));
	}
}

static void via_addr_parse__agrees_with_inet_pton_v6(void **state)
{
	static const char *const texts[] = {
		"::", "::1", "1::", "fe80::1", "2001:db8::a:0:0:1", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1::8",
		"::ffff:10.0.0.1", "64:ff9b::192.0.2.33", "1:2:3:4:5:6:1.2.3.4", "FE80::ABcd", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
		"1::2::3", ":::", ":1", "1:", "1:::2",
		"::1:", "12345::", "g::", "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3", "::1.2.3.4.5", "::256.1.1.1", "1.2.3.4::", "::1 ", ":", "0::0::0",
		"1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "1:2:3:4::5:6:7:8", "::01.2.3.4", "00001::",
	};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct in6_addr in;
		struct via_addr a;
		int ok = inet_pton(AF_INET6, texts[i], &in);
		assert_int_equal(via_addr_parse(texts[i], strlen(texts[i]), &a), ok ? 0 : -EINVAL);
		if (ok)
			assert_memory_equal(a.b, &in, 16);
	}
	struct rng r;
	rng_seed(&r, 6);
	for (int i = 0; i < 20000; i++) { /* what is printed is read again, and near misses as libc takes them */
		struct via_addr a = {0}, b;
		struct in6_addr in;
		char text[VIA_ADDR_STRLEN];
		for (int k = 0; k < 16; k++)
			a.b[k] = rng_below(&r, 2) ? 0 : (uint8_t)rng_u64(&r);
		via_addr_format(&a, text);
		assert_int_equal(via_addr_parse(text, strlen(text), &b), 0);
		assert_true(via_addr_eq(&a, &b));
		text[rng_below(&r, (uint32_t)strlen(text))] = "0:.fg1"[rng_below(&r, 6)];
		bool is_any = inet_pton(AF_INET6, text, &in) == 1 || inet_pton(AF_INET, text, &in) == 1;
		assert_int_equal(via_addr_parse(text, strlen(text), &b), is_any ? 0 : -EINVAL);
	}
}

static void via_addr_parse__scope(void **state)
{
	struct via_addr a;
	char text[VIA_ADDR_STRLEN];
	assert_int_equal(via_addr_parse("fe80::1%12", 10, &a), 0);
	assert_int_equal(a.scope, 12);
	assert_string_equal(via_addr_format(&a, text), "fe80::1%12");
	static const char *const bad[] = {"fe80::1%", "fe80::1%x", "fe80::1%1 ", "fe80::1%99999", "1.2.3.4%1", "%1", "fe80::1%1%2"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(via_addr_parse(bad[i], strlen(bad[i]), &a), -EINVAL);
}

static void via_addr_parse__looks_at_len_bytes_only(void **state)
{
	struct via_addr a;
	assert_int_equal(via_addr_parse("10.0.0.123", 9, &a), 0);
	assert_int_equal(via_addr_to_v4(&a), 0x0a00000c);
	assert_int_equal(via_addr_parse("10.0.0.1", 7, &a), -EINVAL);
}

static void via_addr_format__agrees_with_inet_ntop(void **state)
{
	struct rng r;
	rng_seed(&r, 4);
	for (int i = 0; i < 20000; i++) {
		struct via_addr a = {0};
		char got[VIA_ADDR_STRLEN], want[INET6_ADDRSTRLEN];
		for (int k = 0; k < 16; k++)
			a.b[k] = rng_below(&r, 2) ? 0 : (uint8_t)rng_u64(&r);
		a.b[0] |= 0x20; /* not an embedded IPv4 address, which inet_ntop prints its own way */
		assert_string_equal(via_addr_format(&a, got), inet_ntop(AF_INET6, a.b, want, sizeof(want)));
		a = via_addr_v4((uint32_t)rng_u64(&r));
		assert_string_equal(via_addr_format(&a, got), inet_ntop(AF_INET, a.b + 12, want, sizeof(want)));
	}
}

static void via_addr_format__edges(void **state)
{
	struct via_addr a = {0};
	char buf[VIA_ADDR_STRLEN];
	assert_string_equal(via_addr_format(&a, buf), "::");
	a.b[15] = 1;
	assert_string_equal(via_addr_format(&a, buf), "::1");
	memset(a.b, 0xff, 16);
	a.scope = UINT32_MAX;
	assert_string_equal(via_addr_format(&a, buf), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295");
}

static int prefix(const char *text, struct via_addr *a, uint8_t *plen)
{
	return addr_parse_prefix(text, strlen(text), a, plen);
}

static void addr_parse_prefix__cases(void **state)
{
	struct via_addr a;
	uint8_t plen;
	assert_int_equal(prefix("10.1.0.1/24", &a, &plen), 0);
	assert_int_equal(via_addr_to_v4(&a), 0x0a010001);
	assert_int_equal(plen, 24);
	assert_int_equal(prefix("10.1.0.1", &a, &plen), 0);
	assert_int_equal(plen, 32);
	assert_int_equal(prefix("0.0.0.0/0", &a, &plen), 0);
	assert_int_equal(plen, 0);
	static const char *const bad[] = {"10.1.0.1/33", "10.1.0.1/", "10.1.0.1/-1", "10.1.0.1/024", "10.1.0.1/24x", "/24", "10.1.0/24", ""};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(prefix(bad[i], &a, &plen), -EINVAL);
}

static void addr_mask__against_integer_masks(void **state)
{
	for (unsigned plen = 0; plen <= 32; plen++) {
		uint32_t v = 0xdeadbeef, mask = plen ? ~(uint32_t)0 << (32 - plen) : 0;
		struct via_addr a = via_addr_v4(v), m = addr_mask(&a, (uint8_t)plen);
		assert_true(via_addr_is_v4(&m));
		assert_int_equal(via_addr_to_v4(&m), v & mask);
	}
	struct via_addr six = {.b = {0x20, 1, 0xd, 0xb8, 0xff, 0xff}};
	struct via_addr m = addr_mask(&six, 33);
	assert_memory_equal(m.b, ((const uint8_t[16]){0x20, 1, 0xd, 0xb8, 0x80}), 16);
}

static void addr_in_prefix__cases(void **state)
{
	struct via_addr net = via_addr_v4(0x0a010000), in = via_addr_v4(0x0a0100ff), out = via_addr_v4(0x0a010100), six = {0};
	assert_true(addr_in_prefix(&in, &net, 24));
	assert_false(addr_in_prefix(&out, &net, 24));
	assert_true(addr_in_prefix(&out, &net, 23));
	assert_true(addr_in_prefix(&out, &net, 0));
	assert_false(addr_in_prefix(&six, &net, 0)); /* another family */
	assert_false(addr_in_prefix(&in, &net, 32));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(via_addr_parse__agrees_with_inet_pton),
		cmocka_unit_test(via_addr_parse__agrees_with_inet_pton_v6), cmocka_unit_test(via_addr_parse__scope),
		cmocka_unit_test(via_addr_parse__looks_at_len_bytes_only),
		cmocka_unit_test(via_addr_format__agrees_with_inet_ntop),
		cmocka_unit_test(via_addr_format__edges),
		cmocka_unit_test(addr_parse_prefix__cases),
		cmocka_unit_test(addr_mask__against_integer_masks),
		cmocka_unit_test(addr_in_prefix__cases),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
