/* test_wire_ip4.c - IPv4 header: what must be dropped, padding, TTL with its checksum, options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "wire/ip4.h"

#include <errno.h>

/* RFC 1071 as the RFC writes it: the naive model. */
static uint16_t naive_csum(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;
	for (size_t i = 0; i + 1 < n; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	if (n & 1)
		sum += (uint32_t)p[n - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void set_csum(uint8_t *p)
{
	size_t n = (p[0] & 15) * 4u;
	p[10] = p[11] = 0;
	uint16_t c = naive_csum(p, n);
	p[10] = (uint8_t)(c >> 8);
	p[11] = (uint8_t)c;
}

/* The example every textbook has (RFC 1071 family): its checksum is b861. */
static const uint8_t example[20] = {0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0, 0xc7};

static void ip4_parse__fields(void **state)
{
	uint8_t b[200] = {0};
	struct ip4_hdr h;
	memcpy(b, example, 20);
	assert_int_equal(ip4_parse(b, 0x73, false, &h), 0);
	assert_int_equal(h.hlen, 20);
	assert_int_equal(h.total_len, 0x73);
	assert_int_equal(h.ttl, 64);
	assert_int_equal(h.proto, IPPROTO_N_UDP);
	assert_int_equal(h.frag, IP4_DF);
	assert_int_equal(h.csum, 0xb861);
	assert_int_equal(h.src, 0xc0a80001);
	assert_int_equal(h.dst, 0xc0a800c7);
}

static void ip4_emit__the_textbook_example(void **state)
{
	uint8_t out[20];
	struct ip4_hdr h = {.ttl = 64, .proto = 17, .total_len = 0x73, .frag = IP4_DF, .src = 0xc0a80001, .dst = 0xc0a800c7};
	ip4_emit(out, &h);
	assert_memory_equal(out, example, 20);
}

static void ip4_emit__parse_gives_it_back(void **state)
{
	struct rng r;
	rng_seed(&r, 2);
	for (int i = 0; i < 20000; i++) {
		uint8_t out[20];
		struct ip4_hdr b, a = {
			.tos = (uint8_t)rng_u64(&r), .ttl = (uint8_t)rng_u64(&r), .proto = (uint8_t)rng_u64(&r),
			.total_len = (uint16_t)(20 + rng_below(&r, 65516)), .id = (uint16_t)rng_u64(&r), .frag = (uint16_t)rng_u64(&r),
			.src = (uint32_t)rng_u64(&r), .dst = (uint32_t)rng_u64(&r),
		};
		ip4_emit(out, &a);
		assert_int_equal(naive_csum(out, 20), 0);
		assert_int_equal(ip4_parse(out, 65535, false, &b), 0);
		assert_true(b.tos == a.tos && b.ttl == a.ttl && b.proto == a.proto && b.total_len == a.total_len && b.id == a.id);
		assert_true(b.frag == a.frag && b.src == a.src && b.dst == a.dst && b.hlen == 20);
	}
}

static void req_IP4_001__version(void **state)
{
	for (int v = 0; v < 16; v++) {
		uint8_t b[0x73] = {0};
		struct ip4_hdr h;
		memcpy(b, example, 20);
		b[0] = (uint8_t)(v << 4 | 5);
		set_csum(b);
		assert_int_equal(ip4_parse(b, sizeof(b), false, &h), v == 4 ? 0 : -EINVAL);
	}
}

static void req_IP4_001__header_length(void **state)
{
	for (int ihl = 0; ihl < 16; ihl++) {
		uint8_t b[0x73] = {0};
		struct ip4_hdr h;
		memcpy(b, example, 20);
		b[0] = (uint8_t)(0x40 | ihl);
		if (ihl >= 5)
			set_csum(b);
		assert_int_equal(ip4_parse(b, sizeof(b), false, &h), ihl >= 5 ? 0 : -EINVAL);
		if (ihl > 5) /* the header must be there, and within the total length */
			assert_int_equal(ip4_parse(b, (size_t)ihl * 4 - 1, false, &h), -EINVAL);
	}
	struct ip4_hdr h;
	for (size_t len = 0; len < 20; len++)
		assert_int_equal(ip4_parse(example, len, false, &h), -EINVAL);
}

static void req_IP4_001__total_length(void **state)
{
	for (unsigned total = 0; total < 200; total++) {
		uint8_t b[100] = {0};
		struct ip4_hdr h;
		memcpy(b, example, 20);
		b[0] = 0x46; /* 24 bytes of header */
		b[3] = (uint8_t)total;
		set_csum(b);
		assert_int_equal(ip4_parse(b, sizeof(b), false, &h), total >= 24 && total <= sizeof(b) ? 0 : -EINVAL);
	}
}

static void req_IP4_001__checksum(void **state)
{
	for (int bit = 0; bit < 160; bit++) {
		uint8_t b[0x173] = {0};
		struct ip4_hdr h;
		memcpy(b, example, 20);
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_true(ip4_parse(b, sizeof(b), false, &h) < 0);
	}
	uint8_t b[0x73] = {0};
	struct ip4_hdr h;
	memcpy(b, example, 20);
	b[10] ^= 1;
	assert_int_equal(ip4_parse(b, sizeof(b), false, &h), -EBADMSG);
}

static void req_IP4_002__padding_is_not_counted(void **state)
{
	uint8_t b[60] = {0};
	struct ip4_hdr h;
	memcpy(b, example, 20);
	b[3] = 28;
	set_csum(b);
	assert_int_equal(ip4_parse(b, sizeof(b), false, &h), 0);
	assert_int_equal(h.total_len, 28);
}

static void ip4_parse__superframe_length(void **state)
{
	uint8_t b[64] = {0};
	struct ip4_hdr h;
	memcpy(b, example, 20);
	b[2] = b[3] = 0;
	set_csum(b);
	assert_int_equal(ip4_parse(b, sizeof(b), false, &h), -EINVAL);
	assert_int_equal(ip4_parse(b, sizeof(b), true, &h), 0);
	assert_int_equal(h.total_len, 64);
	assert_int_equal(ip4_parse(b, 100000, true, &h), 0); /* the rest lies elsewhere */
	assert_int_equal(h.total_len, 65535);
}

static void ip4_ttl_lower__checksum_stays_right(void **state)
{
	struct rng r;
	rng_seed(&r, 3);
	for (int i = 0; i < 20000; i++) {
		uint8_t b[60], want[60];
		for (size_t k = 0; k < sizeof(b); k++)
			b[k] = (uint8_t)rng_u64(&r);
		b[0] = (uint8_t)(0x40 | (5 + rng_below(&r, 11)));
		b[8] = (uint8_t)(1 + rng_below(&r, 255));
		set_csum(b);
		memcpy(want, b, sizeof(b));
		want[8]--;
		ip4_ttl_lower(b);
		assert_int_equal(b[8], want[8]);
		assert_int_equal(naive_csum(b, (b[0] & 15) * 4u), 0);
		want[10] = b[10];
		want[11] = b[11];
		assert_memory_equal(b, want, sizeof(b));
	}
}

static void ip4_pseudo__is_the_sum_of_its_words(void **state)
{
	uint8_t p[12] = {10, 1, 0, 1, 192, 168, 200, 3, 0, 6, 0x12, 0x34};
	uint64_t sum = ip4_pseudo(0x0a010001, 0xc0a8c803, 6, 0x1234);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	assert_int_equal((uint16_t)~sum, naive_csum(p, sizeof(p)));
}

#define OPTIONS(...) ip4_options_check((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void req_IP4_007__options(void **state)
{
	assert_int_equal(ip4_options_check(NULL, 0), 0);
	assert_int_equal(OPTIONS(1, 1, 1, 0), 0);
	assert_int_equal(OPTIONS(7, 7, 4, 0, 0, 0, 0, 0), 0);                /* record route */
	assert_int_equal(OPTIONS(222, 4, 9, 9), 0);                          /* unknown */
	assert_int_equal(OPTIONS(131, 7, 4, 10, 0, 0, 1, 0), 1);             /* loose source route */
	assert_int_equal(OPTIONS(1, 137, 7, 4, 10, 0, 0, 1), 1);             /* strict */
	assert_int_equal(OPTIONS(222, 4, 9, 9, 131, 3, 4, 0), 1);            /* behind an unknown one */
	assert_int_equal(OPTIONS(0, 131, 3, 4), 0);                          /* after the end of the list */
	assert_int_equal(OPTIONS(131, 3, 4, 222), 1);                        /* what is malformed behind it hides nothing */
	assert_int_equal(OPTIONS(222, 0, 0, 0), -EINVAL);
	assert_int_equal(OPTIONS(222, 1, 0, 0), -EINVAL);
	assert_int_equal(OPTIONS(222, 5, 0, 0), -EINVAL);
	assert_int_equal(OPTIONS(1, 1, 1, 222), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ip4_parse__fields),
		cmocka_unit_test(ip4_emit__the_textbook_example),
		cmocka_unit_test(ip4_emit__parse_gives_it_back),
		cmocka_unit_test(req_IP4_001__version),
		cmocka_unit_test(req_IP4_001__header_length),
		cmocka_unit_test(req_IP4_001__total_length),
		cmocka_unit_test(req_IP4_001__checksum),
		cmocka_unit_test(req_IP4_002__padding_is_not_counted),
		cmocka_unit_test(ip4_parse__superframe_length),
		cmocka_unit_test(ip4_ttl_lower__checksum_stays_right),
		cmocka_unit_test(ip4_pseudo__is_the_sum_of_its_words),
		cmocka_unit_test(req_IP4_007__options),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
