/* fuzz_dns.c - a query that was read has a well-formed name within its limits; an answer to it reads as the same question;
 * a name of host bytes can be asked again. */
#include "test/fuzz/fuzz.h"
#include "wire/dns.h"

static void check_raw(const struct dns_question *q)
{
	size_t at = 0;
	while (q->raw[at])
		at += 1u + q->raw[at];
	CHECK(at + 1 == q->raw_len && q->raw_len <= DNS_NAME_MAX);
	CHECK(strlen(q->name) <= DNS_NAME_MAX - 2 && strlen(q->name) == (q->raw_len > 1 ? q->raw_len - 2u : 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct dns_question q, again;
	uint8_t out[1024];
	if (dns_query_parse(data, len, &q) < 0)
		return 0;
	CHECK(q.udp_size >= 512 && q.id == get_be16(data));
	if (q.n_questions == 0)
		return 0;
	check_raw(&q);
	struct dns_record r[2] = {{.type = DNS_A, .ttl = 1, .rdlen = 4, .rdata = {1, 2, 3, 4}},
		{.type = DNS_PTR, .ttl = 2, .target = "sina.lab"}};
	const struct dns_answer a = {.r = r, .n = 2};
	size_t n = dns_answer_emit(out, sizeof(out), &q, &a);
	CHECK(n > 0 && n <= sizeof(out));
	CHECK(dns_query_parse(out, n, &again) == 0);
	CHECK(again.is_response && again.id == q.id && again.rd == q.rd && again.opcode == q.opcode && again.has_edns == q.has_edns);
	CHECK(again.type == q.type && again.klass == q.klass && again.raw_len == q.raw_len && memcmp(again.raw, q.raw, q.raw_len) == 0);
	for (size_t cap = 0; cap < n; cap += 7)
		CHECK(dns_answer_emit(out, cap, &q, &a) == 0);
	if (strchr(q.name, '?'))
		return 0;
	n = dns_query_emit(out, sizeof(out), q.id, q.name, q.type);
	CHECK(n > 0 && dns_query_parse(out, n, &again) == 0);
	CHECK(strcmp(again.name, q.name) == 0 && again.type == q.type && again.raw_len == q.raw_len);
	return 0;
}
