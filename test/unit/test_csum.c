/* The Internet checksum against the two-line definition of RFC 1071, and all incremental updates against recomputation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "base/csum.h"
#include "base/rng.h"

/* Words, big-endian, the last byte padded with zero; carries folded at the end. */
static uint16_t naive(const uint8_t *p, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += i % 2 ? p[i] : (uint64_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* RFC 1071 section 3: 00 01 f2 03 f4 f5 f6 f7 sums to ddf2. */
static void csum_add__rfc1071_example(void **state)
{
	static const uint8_t text[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};

	assert_int_equal(csum_fold(csum_add(0, text, sizeof(text))), 0xddf2);
	assert_int_equal(csum_field(csum_add(0, text, sizeof(text))), 0x220d);
}

static void csum_add__every_length_and_alignment(void **state)
{
	uint8_t buf[600];
	struct rng r;

	rng_seed(&r, 3);
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)rng_u64(&r);
	for (size_t off = 0; off < 8; off++)
		for (size_t n = 0; n <= 580; n++) {
			uint8_t *exact = malloc(n + 1); /* the sanitizer sees a byte too far */
			memcpy(exact, buf + off, n);
			assert_int_equal(csum_fold(csum_add(0, buf + off, n)), naive(buf + off, n));
			exact = realloc(exact, n ? n : 1);
			assert_int_equal(csum_fold(csum_add(0, exact, n)), naive(exact, n));
			free(exact);
		}
}

static void csum_add__extremes(void **state)
{
	size_t n = 1 << 20;
	uint8_t *p = malloc(n);

	memset(p, 0xff, n);
	assert_int_equal(csum_fold(csum_add(0, p, n)), 0xffff);
	assert_int_equal(csum_fold(csum_add(UINT64_MAX - 0xffff, p, n)), 0xffff); /* a sum that is nearly full */
	memset(p, 0, n);
	assert_int_equal(csum_fold(csum_add(0, p, n)), 0);
	assert_int_equal(csum_add(77, p, 0), 77);
	for (uint32_t x = 0; x < 70000; x++) {
		uint32_t want = x;
		while (want >> 16)
			want = (want & 0xffff) + (want >> 16);
		assert_int_equal(csum_fold(x), want);
	}
	assert_int_equal(csum_fold(UINT64_MAX), 0xffff);
	free(p);
}

/* Cut into pieces at any offsets: pieces that begin at an odd one are added as such. */
static void csum_add__in_parts(void **state)
{
	uint8_t buf[3000], copy[3000];
	struct rng r;

	rng_seed(&r, 4);
	for (int round = 0; round < 2000; round++) {
		size_t n = rng_below(&r, sizeof(buf) + 1);
		uint64_t sum = 0, copied = 0;
		for (size_t i = 0; i < n; i++)
			buf[i] = (uint8_t)rng_u64(&r);
		for (size_t at = 0; at < n;) {
			size_t most = (size_t)1 << rng_below(&r, 12);
			size_t k = 1 + rng_below(&r, MIN(n - at, most));
			sum = at % 2 ? csum_add_odd(sum, buf + at, k) : csum_add(sum, buf + at, k);
			at += k;
		}
		assert_int_equal(csum_fold(sum), naive(buf, n));
		memset(copy, 0xee, sizeof(copy));
		copied = csum_copy(copied, copy, buf, n);
		assert_int_equal(csum_fold(copied), naive(buf, n));
		assert_memory_equal(copy, buf, n);
		for (size_t i = n; i < MIN(n + 16, sizeof(copy)); i++)
			assert_int_equal(copy[i], 0xee);
	}
}

/* All 2^16 values a word may change to, from several starting words and texts, and all 2^16 it may change from. */
static void req_RT4_003__incremental_update_is_exact(void **state)
{
	static const uint16_t words[] = {0x0000, 0x0001, 0x00ff, 0x0100, 0x4006, 0x7fff, 0x8000, 0xff00, 0xfffe, 0xffff};
	uint8_t text[20] = {0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0, 0, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0, 0xc7};

	for (unsigned k = 0; k < ARRAY_LEN(words); k++) {
		put_be16(text + 8, words[k]);
		uint16_t field = (uint16_t)~naive(text, sizeof(text));
		for (uint32_t to = 0; to <= 0xffff; to++) {
			put_be16(text + 8, (uint16_t)to);
			uint16_t want = (uint16_t)~naive(text, sizeof(text));
			assert_int_equal(csum_update(field, words[k], (uint16_t)to), want);
			assert_int_equal(csum_update(want, (uint16_t)to, words[k]), field);
		}
	}
}

/* A router lowers the TTL of any header: the word changes by 0x0100, whatever the other bytes sum to. */
static void req_RT4_003__every_checksum_with_ttl_lowered(void **state)
{
	for (uint32_t rest = 1; rest <= 0xffff; rest++) {
		uint8_t text[4];
		put_be16(text, (uint16_t)rest);
		put_be16(text + 2, 0x4006);
		uint16_t field = (uint16_t)~naive(text, 4);
		put_be16(text + 2, 0x3f06);
		assert_int_equal(csum_update(field, 0x4006, 0x3f06), (uint16_t)~naive(text, 4));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(csum_add__rfc1071_example),
		cmocka_unit_test(csum_add__every_length_and_alignment),
		cmocka_unit_test(csum_add__extremes),
		cmocka_unit_test(csum_add__in_parts),
		cmocka_unit_test(req_RT4_003__incremental_update_is_exact),
		cmocka_unit_test(req_RT4_003__every_checksum_with_ttl_lowered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
