/* fuzz_dns_ask.c - whatever another server answers: what is believed of it is a whole message about the name asked for, of a bounded size,
 * and the client's answer made of it is a response to the client's question. The first byte chooses what was asked. */
#include "svc/dns_ask.h"
#include "test/fuzz/fuzz.h"

static void check_records(const uint8_t *msg, size_t len)
{
	struct dns_walk w;
	struct dns_rr r;
	int section, last = 0;
	CHECK(dns_walk_begin(&w, msg, len) == 0);
	while ((section = dns_rr_next(&w, &r)) >= 0) {
		CHECK(section >= last && section < 2 && r.klass == DNS_IN && r.ttl <= DNS_TTL_MAX);
		last = section;
	}
	CHECK(section == -2 && w.pos == len); /* -ENOENT: the end */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint16_t types[] = {DNS_A, DNS_AAAA, DNS_CNAME, DNS_MX, DNS_TXT, DNS_PTR, DNS_SRV, DNS_ANY};
	uint8_t query[64], msg[600], out[1024], told[1100];
	struct dns_question q, a;
	struct prf_stream random = {.key = {1, 2}};
	struct dns_ask k;
	uint32_t ttl;
	if (len < 1 + DNS_HLEN || len > sizeof(msg))
		return 0;
	size_t n = dns_query_emit(query, sizeof(query), 7, "www.sina.lab", types[data[0] % 8]);
	CHECK(dns_query_parse(query, n, &q) == 0);
	q.has_edns = data[0] & 0x80;
	dns_ask_make(&k, &q, &random);
	/* The right beginning, so that most inputs get past the question. */
	size_t head = dns_ask_emit(&k, msg, sizeof(msg)) - 11, rest = len - 1 - DNS_HLEN;
	memcpy(msg + 2, data + 3, DNS_HLEN - 2);
	put_be16(msg + 4, 1);
	rest = rest < sizeof(msg) - head ? rest : sizeof(msg) - head;
	memcpy(msg + head, data + 1 + DNS_HLEN, rest);
	if (dns_ask_judge(&k, msg, head + rest, true) == DNS_NOT_OURS)
		return 0;
	n = dns_ask_distill(&k, msg, head + rest, out, sizeof(out), &ttl);
	if (!n)
		return 0;
	CHECK(n <= sizeof(out) && ttl <= DNS_TTL_MAX);
	check_records(out, n);
	for (size_t cap = 64; cap <= sizeof(told); cap += 259) {
		size_t m = dns_ask_relay(&q, out, n, data[0], told, cap);
		CHECK(m > 0 && m <= cap && dns_query_parse(told, m, &a) == 0);
		CHECK(a.is_response && a.id == 7 && a.raw_len == q.raw_len && memcmp(a.raw, q.raw, q.raw_len) == 0 && a.type == q.type);
	}
	return 0;
}
