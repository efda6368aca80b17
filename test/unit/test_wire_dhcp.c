/* test_wire_dhcp.c - DHCPv4 messages against bytes written out by hand from RFC 2131 figure 1, and against a naive reader. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "wire/dhcp.h"

#include <errno.h>
#include <stdlib.h>

enum { OPTIONS = 240, SNAME = 44, FILE_NAME = 108 };

/* A message whose options field holds exactly the n bytes given. Its length. */
static size_t message(uint8_t out[1500], const uint8_t *options, size_t n)
{
	memset(out, 0, OPTIONS);
	out[0] = 2;
	out[1] = 1;
	out[2] = 6;
	memcpy(out + 236, "\x63\x82\x53\x63", 4);
	memcpy(out + OPTIONS, options, n);
	return OPTIONS + n;
}
#define MESSAGE(out, ...) message(out, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void dhcp_begin__bytes(void **state)
{
	const struct dhcp_hdr h = {.op = 1, .htype = 1, .hlen = 6, .hops = 2, .xid = 0x11223344, .secs = 0x0506, .broadcast = true,
		.ciaddr = 0x0a000001, .yiaddr = 0x0a000002, .siaddr = 0x0a000003, .giaddr = 0x0a000004, .chaddr = {2, 3, 4, 5, 6, 7}};
	static const uint8_t head[34] = {1, 1, 6, 2, 0x11, 0x22, 0x33, 0x44, 5, 6, 0x80, 0, 10, 0, 0, 1, 10, 0, 0, 2, 10, 0, 0, 3,
		10, 0, 0, 4, 2, 3, 4, 5, 6, 7};
	static const uint8_t tail[] = {0x63, 0x82, 0x53, 0x63, 53, 1, 3, 50, 4, 10, 0, 0, 9, 57, 2, 5, 220, 255};
	uint8_t out[400];
	memset(out, 0xee, sizeof(out));
	struct writer w = dhcp_begin(out, sizeof(out), &h, DHCP_REQUEST);
	dhcp_put_u32(&w, DHCP_OPT_ADDRESS, 4, 0x0a000009);
	dhcp_put_u32(&w, DHCP_OPT_MAX_SIZE, 2, 1500);
	assert_int_equal(dhcp_end(&w, out), DHCP_MSG_MIN);
	assert_memory_equal(out, head, sizeof(head));
	for (size_t i = sizeof(head); i < 236; i++)
		assert_int_equal(out[i], 0);
	assert_memory_equal(out + 236, tail, sizeof(tail));
	for (size_t i = 236 + sizeof(tail); i < DHCP_MSG_MIN; i++)
		assert_int_equal(out[i], 0);
	struct dhcp_msg m;
	assert_int_equal(dhcp_parse(out, DHCP_MSG_MIN, &m), 0);
	assert_int_equal(m.type, DHCP_REQUEST);
	assert_true(m.h.op == 1 && m.h.htype == 1 && m.h.hlen == 6 && m.h.hops == 2 && m.h.xid == h.xid && m.h.secs == h.secs && m.h.broadcast);
	assert_true(m.h.ciaddr == h.ciaddr && m.h.yiaddr == h.yiaddr && m.h.siaddr == h.siaddr && m.h.giaddr == h.giaddr);
	assert_memory_equal(m.h.chaddr, h.chaddr, DHCP_CHADDR);
}

static void dhcp_end__does_not_fit(void **state)
{
	const struct dhcp_hdr h = {.op = 1};
	uint8_t out[320], data[80] = {0};
	for (size_t cap = 0; cap < sizeof(out); cap++) {
		uint8_t *exact = malloc(cap + 1);
		struct writer w = dhcp_begin(exact, cap, &h, DHCP_ACK);
		dhcp_put(&w, DHCP_OPT_DOMAIN, data, 10);
		assert_int_equal(dhcp_end(&w, exact), cap >= DHCP_MSG_MIN ? DHCP_MSG_MIN : 0);
		free(exact);
	}
	struct writer w = dhcp_begin(out, sizeof(out), &h, DHCP_ACK);
	dhcp_put(&w, DHCP_OPT_DOMAIN, data, 80);
	assert_int_equal(dhcp_end(&w, out), 0);
}

static void req_DHC_006__pad_and_end(void **state)
{
	uint8_t p[1500], b[8];
	struct dhcp_msg m;
	size_t n = MESSAGE(p, 0, 0, 53, 1, 5, 0, 6, 4, 1, 2, 3, 4, 0, 255, 6, 4, 9, 9, 9, 9, 99);
	assert_int_equal(dhcp_parse(p, n, &m), 0); /* what follows the end is not looked at, malformed or not */
	assert_int_equal(m.type, DHCP_ACK);
	assert_int_equal(dhcp_option(&m, 6, b, sizeof(b)), 4);
	assert_memory_equal(b, "\1\2\3\4", 4);
	assert_int_equal(dhcp_option(&m, 0, b, sizeof(b)), -ENOENT); /* pad and end are no options */
	assert_int_equal(dhcp_option(&m, 255, b, sizeof(b)), -ENOENT);
	n = MESSAGE(p, 53, 1, 5); /* no end: forgiven */
	assert_int_equal(dhcp_parse(p, n, &m), 0);
	n = MESSAGE(p, 53, 1, 5, 12, 0, 255); /* an option of no bytes is there */
	assert_int_equal(dhcp_parse(p, n, &m), 0);
	assert_int_equal(dhcp_option(&m, 12, b, sizeof(b)), 0);
}

static void req_DHC_006__each_option_inside_its_field(void **state)
{
	uint8_t p[1500];
	struct dhcp_msg m;
	static const uint8_t options[] = {53, 1, 5, 6, 8, 1, 2, 3, 4, 5, 6, 7, 8, 12, 3, 'a', 'b', 'c'};
	for (size_t cut = 0; cut <= sizeof(options); cut++) {
		size_t n = message(p, options, cut);
		uint8_t *exact = malloc(n);
		memcpy(exact, p, n);
		bool whole = cut == 3 || cut == 13 || cut == 18;
		assert_int_equal(dhcp_parse(exact, n, &m), whole ? 0 : -EINVAL);
		free(exact);
	}
	for (size_t n = 0; n < OPTIONS; n++) { /* short of the fixed part */
		uint8_t *exact = malloc(n + 1);
		memcpy(exact, p, n);
		assert_int_equal(dhcp_parse(exact, n, &m), -EINVAL);
		free(exact);
	}
	/* An option of the file or the server's name that would run on into the next field. */
	for (int which = 1; which <= 2; which++) {
		size_t n = MESSAGE(p, 53, 1, 5, 52, 1, (uint8_t)which, 255);
		size_t at = which == 1 ? FILE_NAME : SNAME, len = which == 1 ? 128 : 64;
		p[at] = 12;
		p[at + 1] = (uint8_t)(len - 2);
		assert_int_equal(dhcp_parse(p, n, &m), 0);
		p[at + 1] = (uint8_t)(len - 1);
		assert_int_equal(dhcp_parse(p, n, &m), -EINVAL);
		memset(p + at, 0, len);
		p[at + len - 1] = 12; /* a code without its length */
		assert_int_equal(dhcp_parse(p, n, &m), -EINVAL);
		p[at + len - 1] = 255;
		assert_int_equal(dhcp_parse(p, n, &m), 0);
	}
}

static void req_DHC_006__overload_order_is_options_file_sname(void **state)
{
	uint8_t p[1500], b[16];
	struct dhcp_msg m;
	for (uint8_t which = 0; which <= 4; which++) {
		size_t n = MESSAGE(p, 52, 1, which, 53, 1, 5, 12, 2, 'o', 'p', 255);
		memcpy(p + FILE_NAME, "\x0c\2fi\xff", 5);
		memcpy(p + SNAME, "\0\x0c\2sn\xff", 6);
		if (which == 0 || which == 4) {
			assert_int_equal(dhcp_parse(p, n, &m), -EINVAL);
			continue;
		}
		const char *want = which == 1 ? "opfi" : which == 2 ? "opsn" : "opfisn";
		assert_int_equal(dhcp_parse(p, n, &m), 0);
		assert_int_equal(dhcp_option(&m, 12, b, sizeof(b)), strlen(want));
		assert_memory_equal(b, want, strlen(want));
	}
	/* Not overloaded: the fields are names, whatever their bytes are. */
	size_t n = MESSAGE(p, 53, 1, 5, 255);
	memset(p + SNAME, 12, 192);
	assert_int_equal(dhcp_parse(p, n, &m), 0);
	assert_int_equal(dhcp_option(&m, 12, b, sizeof(b)), -ENOENT);
	/* Overload said inside an overloaded field opens no further one. */
	n = MESSAGE(p, 52, 1, 1, 53, 1, 5, 255);
	memset(p + SNAME, 12, 192);
	memcpy(p + FILE_NAME, "\x34\1\2\xff", 4);
	assert_int_equal(dhcp_parse(p, n, &m), 0);
	assert_int_equal(m.n_fields, 2);
	/* The type may stand in an overloaded field. */
	n = MESSAGE(p, 52, 1, 2, 255);
	memset(p + SNAME, 0, 64);
	memcpy(p + SNAME, "\x35\1\2\xff", 4);
	assert_int_equal(dhcp_parse(p, n, &m), 0);
	assert_int_equal(m.type, DHCP_OFFER);
}

static void req_DHC_006__split_options_are_joined(void **state)
{
	uint8_t p[1500], data[600], b[600];
	struct dhcp_msg m;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	for (size_t len = 0; len <= sizeof(data); len += 5) {
		const struct dhcp_hdr h = {.op = 2, .htype = 1, .hlen = 6};
		struct writer w = dhcp_begin(p, sizeof(p), &h, DHCP_ACK);
		dhcp_put(&w, 43, data, len);
		dhcp_put_u32(&w, 26, 2, 1400);
		size_t n = dhcp_end(&w, p);
		assert_true(n > 0 && dhcp_parse(p, n, &m) == 0);
		assert_int_equal(p[OPTIONS + 4], MIN(len, 255)); /* no part is longer than its length byte tells */
		assert_int_equal(dhcp_option(&m, 43, b, sizeof(b)), len);
		assert_memory_equal(b, data, len);
		if (len)
			assert_int_equal(dhcp_option(&m, 43, b, len - 1), -ENOSPC);
		assert_int_equal(dhcp_option(&m, 43, b, len), len);
	}
	/* Parts with other options between them; a number in two parts is a number. */
	size_t n = MESSAGE(p, 53, 1, 5, 51, 1, 0, 12, 1, 'x', 51, 3, 1, 2, 3, 255);
	uint32_t v;
	assert_int_equal(dhcp_parse(p, n, &m), 0);
	assert_true(dhcp_option_u32(&m, 51, 4, &v) && v == 0x010203);
}

static void req_DHC_006__type_and_overload_have_one_byte(void **state)
{
	uint8_t p[1500];
	struct dhcp_msg m;
	assert_int_equal(dhcp_parse(p, MESSAGE(p, 255), &m), -EINVAL); /* BOOTP */
	assert_int_equal(dhcp_parse(p, MESSAGE(p, 53, 0, 255), &m), -EINVAL);
	assert_int_equal(dhcp_parse(p, MESSAGE(p, 53, 2, 1, 1, 255), &m), -EINVAL);
	assert_int_equal(dhcp_parse(p, MESSAGE(p, 53, 1, 1, 53, 1, 1, 255), &m), -EINVAL);
	assert_int_equal(dhcp_parse(p, MESSAGE(p, 53, 1, 1, 52, 0, 255), &m), -EINVAL);
	assert_int_equal(dhcp_parse(p, MESSAGE(p, 53, 1, 1, 52, 2, 1, 1, 255), &m), -EINVAL);
	size_t n = MESSAGE(p, 53, 1, 200, 255); /* a type of a later RFC is well-formed */
	assert_int_equal(dhcp_parse(p, n, &m), 0);
	p[2] = 17; /* hardware address longer than its field */
	assert_int_equal(dhcp_parse(p, n, &m), -EINVAL);
	p[2] = 6;
	p[239] ^= 1;
	assert_int_equal(dhcp_parse(p, n, &m), -EINVAL);
}

static void dhcp_option_addrs__lists(void **state)
{
	uint8_t p[1500];
	struct dhcp_msg m;
	uint32_t a[4] = {0}, v;
	size_t n = MESSAGE(p, 53, 1, 5, 6, 8, 10, 0, 0, 1, 10, 0, 0, 2, 3, 5, 1, 2, 3, 4, 5, 1, 2, 9, 9, 255);
	assert_int_equal(dhcp_parse(p, n, &m), 0);
	assert_int_equal(dhcp_option_addrs(&m, 6, a, 4), 2);
	assert_true(a[0] == 0x0a000001 && a[1] == 0x0a000002 && a[2] == 0);
	assert_int_equal(dhcp_option_addrs(&m, 6, a, 1), 1);
	assert_int_equal(dhcp_option_addrs(&m, 3, a, 4), 0); /* five bytes are no addresses */
	assert_int_equal(dhcp_option_addrs(&m, 4, a, 4), 0);
	assert_false(dhcp_option_u32(&m, 1, 4, &v)); /* two bytes are no mask */
	assert_false(dhcp_option_u32(&m, 6, 4, &v));
}

/* All data of `code` in a field, appended to out; the number of bytes, -1: malformed. Written without the reader. */
static int naive_field(const uint8_t *f, int n, int code, uint8_t *out, int at)
{
	int i = 0;
	while (i < n) {
		if (f[i] == 255)
			return at;
		if (f[i] == 0) {
			i++;
			continue;
		}
		if (i + 1 >= n || i + 2 + f[i + 1] > n)
			return -1;
		for (int k = 0; k < f[i + 1] && f[i] == code; k++)
			out[at++] = f[i + 2 + k];
		i += 2 + f[i + 1];
	}
	return at;
}

static void req_DHC_006__random_bytes_as_a_naive_reader(void **state)
{
	static const uint8_t common[8] = {0, 0, 0, 1, 2, 6, 6, 255};
	struct rng r;
	uint8_t p[1500], got[1500], want[1500];
	struct dhcp_msg m;
	int good = 0;
	rng_seed(&r, 4);
	for (int i = 0; i < 20000; i++) {
		uint8_t options[80] = {53, 1, 5, 52, 1, (uint8_t)(1 + rng_below(&r, 3))};
		size_t n = 6 + rng_below(&r, 70);
		for (size_t k = 6; k < n; k++)
			options[k] = (uint8_t)(rng_below(&r, 20) ? common[rng_below(&r, 8)] : rng_u64(&r));
		n = message(p, options, n);
		for (int k = SNAME; k < FILE_NAME + 128; k++)
			p[k] = (uint8_t)(rng_below(&r, 20) ? common[rng_below(&r, 8)] : rng_u64(&r));
		int len = naive_field(p + OPTIONS, (int)n - OPTIONS, 6, want, 0);
		int types = naive_field(p + OPTIONS, (int)n - OPTIONS, 53, got, 0), loads = naive_field(p + OPTIONS, (int)n - OPTIONS, 52, got, 0);
		bool ok = len >= 0 && types == 1 && loads == 1;
		if (ok && options[5] & 1)
			ok = (len = naive_field(p + FILE_NAME, 128, 6, want, len)) >= 0 && naive_field(p + FILE_NAME, 128, 53, got, 0) == 0;
		if (ok && options[5] & 2)
			ok = (len = naive_field(p + SNAME, 64, 6, want, len)) >= 0 && naive_field(p + SNAME, 64, 53, got, 0) == 0;
		assert_int_equal(dhcp_parse(p, n, &m), ok ? 0 : -EINVAL);
		if (!ok)
			continue;
		good++;
		int rc = dhcp_option(&m, 6, got, sizeof(got));
		assert_int_equal(rc == -ENOENT ? 0 : rc, len);
		assert_memory_equal(got, want, (size_t)len);
	}
	assert_true(good > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dhcp_begin__bytes),
		cmocka_unit_test(dhcp_end__does_not_fit),
		cmocka_unit_test(req_DHC_006__pad_and_end),
		cmocka_unit_test(req_DHC_006__each_option_inside_its_field),
		cmocka_unit_test(req_DHC_006__overload_order_is_options_file_sname),
		cmocka_unit_test(req_DHC_006__split_options_are_joined),
		cmocka_unit_test(req_DHC_006__type_and_overload_have_one_byte),
		cmocka_unit_test(dhcp_option_addrs__lists),
		cmocka_unit_test(req_DHC_006__random_bytes_as_a_naive_reader),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
