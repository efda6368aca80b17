/* test_wire_dns.c - DNS messages: queries in and out, answers, compression, malformed input. Models: RFC 1035's layouts,
 * written out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/dns.h"

#include <errno.h>

static const uint8_t query[] = {
	0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 4, 'S', 'i', 'N', 'a', 3, 'l', 'a', 'b', 0, 0, 1, 0, 1};

static void dns_query_emit__bytes(void **state)
{
	uint8_t out[64];
	assert_int_equal(dns_query_emit(out, sizeof(out), 0x1234, "SiNa.lab", DNS_A), sizeof(query));
	assert_memory_equal(out, query, sizeof(query));
	assert_int_equal(dns_query_emit(out, sizeof(out), 0x1234, "SiNa.lab.", DNS_A), sizeof(query));
	for (size_t cap = 0; cap < sizeof(query); cap++)
		assert_int_equal(dns_query_emit(out, cap, 1, "sina.lab", DNS_A), 0);
}

static void dns_query_emit__bad_names(void **state)
{
	uint8_t out[400];
	char label[65], name[300];
	memset(label, 'a', 64);
	label[64] = 0;
	assert_int_equal(dns_query_emit(out, sizeof(out), 1, label, DNS_A), 0); /* 64 bytes: one too many */
	assert_int_not_equal(dns_query_emit(out, sizeof(out), 1, label + 1, DNS_A), 0);
	assert_int_equal(dns_query_emit(out, sizeof(out), 1, "a..b", DNS_A), 0);
	assert_int_equal(dns_query_emit(out, sizeof(out), 1, ".a", DNS_A), 0);
	assert_int_equal(dns_query_emit(out, sizeof(out), 1, "", DNS_A), 12 + 1 + 4); /* the root */
	for (size_t i = 0; i < sizeof(name); i++)
		name[i] = i % 2 ? '.' : 'a';
	name[253] = 0; /* 127 labels of one byte: 255 bytes on the wire, the most there may be */
	assert_int_equal(dns_query_emit(out, sizeof(out), 1, name, DNS_A), 12 + 255 + 4);
	name[253] = '.';
	name[255] = 0;
	assert_int_equal(dns_query_emit(out, sizeof(out), 1, name, DNS_A), 0);
}

static void dns_query_parse__fields(void **state)
{
	struct dns_question q;
	assert_int_equal(dns_query_parse(query, sizeof(query), &q), 0);
	assert_int_equal(q.id, 0x1234);
	assert_true(q.rd && !q.is_response && !q.has_edns && q.opcode == 0 && q.n_questions == 1);
	assert_string_equal(q.name, "sina.lab");
	assert_int_equal(q.raw_len, 10);
	assert_memory_equal(q.raw, query + 12, 10);
	assert_true(q.type == DNS_A && q.klass == DNS_IN && q.udp_size == 512);
	for (size_t len = 0; len < sizeof(query); len++)
		assert_int_equal(dns_query_parse(query, len, &q), -EINVAL);
}

static void dns_query_parse__longest_name(void **state)
{
	uint8_t out[400];
	char name[254];
	struct dns_question q;
	for (size_t i = 0; i < 253; i++)
		name[i] = i % 2 ? '.' : 'a';
	name[253] = 0;
	size_t n = dns_query_emit(out, sizeof(out), 1, name, DNS_A);
	assert_int_equal(dns_query_parse(out, n, &q), 0);
	assert_string_equal(q.name, name);
	assert_int_equal(q.raw_len, 255);
}

static void dns_query_parse__odd_bytes_cannot_imitate_a_name(void **state)
{
	uint8_t b[sizeof(query)];
	struct dns_question q;
	memcpy(b, query, sizeof(b));
	b[15] = '.';
	b[14] = 0;
	assert_int_equal(dns_query_parse(b, sizeof(b), &q), 0);
	assert_string_equal(q.name, "s??a.lab");
	assert_memory_equal(q.raw, b + 12, 10); /* answered as it was sent */
}

static void dns_query_parse__edns(void **state)
{
	static const uint8_t opt[] = {0, 0, 41, 0x10, 0, 0, 0, 0, 0, 0, 4, 0, 10, 0, 0};
	uint8_t b[sizeof(query) + 2 * sizeof(opt)];
	struct dns_question q;
	memcpy(b, query, sizeof(query));
	memcpy(b + sizeof(query), opt, sizeof(opt));
	b[11] = 1;
	assert_int_equal(dns_query_parse(b, sizeof(query) + sizeof(opt), &q), 0);
	assert_true(q.has_edns && q.udp_size == 4096 && q.edns_version == 0);
	assert_int_equal(dns_query_parse(b, sizeof(query) + sizeof(opt) - 1, &q), -EINVAL);
	b[sizeof(query) + 3] = 0; /* sizes below 512 are 512 (RFC 6891 §6.2.3) */
	b[sizeof(query) + 6] = 1;
	assert_int_equal(dns_query_parse(b, sizeof(query) + sizeof(opt), &q), 0);
	assert_true(q.udp_size == 512 && q.edns_version == 1);
	memcpy(b + sizeof(query) + sizeof(opt), opt, sizeof(opt));
	b[11] = 2; /* RFC 6891 §6.1.1 */
	assert_int_equal(dns_query_parse(b, sizeof(b), &q), -EINVAL);
}

static void dns_query_parse__compression(void **state)
{
	/* Two questions; the second is "x" and a pointer to "lab" in the first. */
	uint8_t b[sizeof(query) + 8] = {0};
	struct dns_question q;
	memcpy(b, query, sizeof(query));
	b[5] = 2;
	memcpy(b + sizeof(query), (const uint8_t[]){1, 'x', 0xc0, 17, 0, 1, 0, 1}, 8);
	assert_int_equal(dns_query_parse(b, sizeof(b), &q), 0);
	assert_int_equal(q.n_questions, 2);
	assert_string_equal(q.name, "sina.lab");
	b[sizeof(query) + 3] = (uint8_t)sizeof(query); /* at itself */
	assert_int_equal(dns_query_parse(b, sizeof(b), &q), -EINVAL);
	b[sizeof(query) + 3] = (uint8_t)sizeof(query) + 4; /* forwards */
	assert_int_equal(dns_query_parse(b, sizeof(b), &q), -EINVAL);
}

static void dns_query_parse__pointer_loops(void **state)
{
	uint8_t b[] = {0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 14, 0xc0, 12, 0, 1, 0, 1};
	struct dns_question q;
	assert_int_equal(dns_query_parse(b, sizeof(b), &q), -EINVAL);
	b[13] = 12;
	assert_int_equal(dns_query_parse(b, sizeof(b), &q), -EINVAL);
	for (int kind = 0x40; kind <= 0x80; kind += 0x40) { /* the reserved label kinds */
		b[12] = (uint8_t)kind;
		assert_int_equal(dns_query_parse(b, sizeof(b), &q), -EINVAL);
	}
}

static void dns_query_parse__pointer_chain_is_bounded(void **state)
{
	/* The first name's labels hold 90 pointers, each to the one before, the first at a zero byte of the header. The second
	 * name points at the k-th: a few steps are fine, many are an attack. */
	uint8_t b[12 + 3 * 61 + 1 + 4 + 6] = {0, 1, 1, 0, 0, 2};
	uint16_t at[90], before = 6;
	for (unsigned i = 0; i < 90; i++) {
		at[i] = (uint16_t)(12 + i / 30 * 61 + 1 + i % 30 * 2);
		put_be16(b + at[i], 0xc000 | before);
		before = at[i];
	}
	b[12] = b[12 + 61] = b[12 + 122] = 60;
	struct dns_question q;
	for (unsigned k = 0; k < 90; k++) {
		put_be16(b + sizeof(b) - 6, 0xc000 | at[k]);
		int r = dns_query_parse(b, sizeof(b), &q);
		if (k < 10)
			assert_int_equal(r, 0);
		if (k > 60)
			assert_int_equal(r, -EINVAL);
	}
}

static void dns_answer_emit__bytes(void **state)
{
	static const uint8_t want[] = {
		0x12, 0x34, 0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0, 4, 'S', 'i', 'N', 'a', 3, 'l', 'a', 'b', 0, 0, 1, 0, 1,
		0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 0, 7};
	struct dns_question q;
	struct dns_record r = {.type = DNS_A, .ttl = 60, .rdlen = 4, .rdata = {10, 0, 0, 7}};
	uint8_t out[64];
	assert_int_equal(dns_query_parse(query, sizeof(query), &q), 0);
	assert_int_equal(dns_answer_emit(out, sizeof(out), &q, &(struct dns_answer){.aa = true, .r = &r, .n = 1}), sizeof(want));
	assert_memory_equal(out, want, sizeof(want));
	for (size_t cap = 0; cap < sizeof(want); cap++)
		assert_int_equal(dns_answer_emit(out, cap, &q, &(struct dns_answer){.aa = true, .r = &r, .n = 1}), 0);
}

static void dns_answer_emit__truncated_and_codes(void **state)
{
	struct dns_question q;
	uint8_t out[64];
	assert_int_equal(dns_query_parse(query, sizeof(query), &q), 0);
	const struct dns_answer cut = {.rcode = DNS_NXDOMAIN, .aa = true, .tc = true};
	assert_int_equal(dns_answer_emit(out, sizeof(out), &q, &cut), sizeof(query));
	assert_int_equal(get_be16(out + 2), 0x8783); /* QR AA TC RD, RA, 3 */
	q.has_edns = true;
	assert_int_equal(dns_answer_emit(out, sizeof(out), &q, &(struct dns_answer){.rcode = DNS_BADVERS, .aa = true}), sizeof(query) + 11);
	assert_int_equal(out[3] & 15, 0); /* RFC 6891 §6.1.3: 16 is 0 here and 1 in the OPT */
	assert_int_equal(out[sizeof(query) + 5], 1);
	assert_int_equal(get_be16(out + 10), 1);
}

static void dns_answer_emit__ptr_target(void **state)
{
	static const uint8_t tail[] = {0xc0, 12, 0, 12, 0, 1, 0, 0, 0, 5, 0, 10, 4, 's', 'i', 'n', 'a', 3, 'l', 'a', 'b', 0};
	struct dns_question q;
	struct dns_record r = {.type = DNS_PTR, .ttl = 5, .target = "sina.lab"};
	uint8_t in[64], out[128];
	size_t n = dns_query_emit(in, sizeof(in), 1, "7.0.0.10.in-addr.arpa", DNS_PTR);
	assert_int_equal(dns_query_parse(in, n, &q), 0);
	assert_int_equal(dns_answer_emit(out, sizeof(out), &q, &(struct dns_answer){.aa = true, .r = &r, .n = 1}), n + sizeof(tail));
	assert_memory_equal(out + n, tail, sizeof(tail));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dns_query_emit__bytes),
		cmocka_unit_test(dns_query_emit__bad_names),
		cmocka_unit_test(dns_query_parse__fields),
		cmocka_unit_test(dns_query_parse__longest_name),
		cmocka_unit_test(dns_query_parse__odd_bytes_cannot_imitate_a_name),
		cmocka_unit_test(dns_query_parse__edns),
		cmocka_unit_test(dns_query_parse__compression),
		cmocka_unit_test(dns_query_parse__pointer_loops),
		cmocka_unit_test(dns_query_parse__pointer_chain_is_bounded),
		cmocka_unit_test(dns_answer_emit__bytes),
		cmocka_unit_test(dns_answer_emit__truncated_and_codes),
		cmocka_unit_test(dns_answer_emit__ptr_target),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
