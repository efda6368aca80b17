/* test_svc_dns_ask.c - questions to other name servers: which answers are believed and what of them, and what is remembered. Messages are
 * written out by hand (RFC 1035 §4.1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>

#include "base/rng.h"
#include "svc/dns_ask.h"
#include "svc/dns_cache.h"
#include "test/unit/region.h"

/* A message in the making. */
struct msg {
	uint8_t b[4096];
	struct writer w;
};

static void question_of(struct dns_question *q, const char *name, uint16_t type)
{
	uint8_t b[512];
	size_t n = dns_query_emit(b, sizeof(b), 0x1111, name, type);
	assert_int_equal(dns_query_parse(b, n, q), 0);
}

static struct dns_ask ask_of(const char *name, uint16_t type)
{
	struct prf_stream random = {.key = {7, 8}};
	struct dns_question q;
	struct dns_ask k;
	question_of(&q, name, type);
	dns_ask_make(&k, &q, &random);
	return k;
}

static void begin(struct msg *m, const struct dns_ask *k, uint8_t rcode, uint16_t n, uint16_t n_authority, uint16_t n_additional)
{
	m->w = writer_of(m->b, sizeof(m->b));
	wr_be16(&m->w, k->id);
	wr_be16(&m->w, (uint16_t)(0x8180 | rcode));
	wr_be16(&m->w, 1);
	wr_be16(&m->w, n);
	wr_be16(&m->w, n_authority);
	wr_be16(&m->w, n_additional);
	wr_bytes(&m->w, k->raw, k->raw_len);
	wr_be16(&m->w, k->type);
	wr_be16(&m->w, DNS_IN);
}

static void rr(struct msg *m, const char *owner, uint16_t type, uint32_t ttl, const void *data, uint16_t len)
{
	dns_name_write(&m->w, owner);
	wr_be16(&m->w, type);
	wr_be16(&m->w, DNS_IN);
	wr_be32(&m->w, ttl);
	wr_be16(&m->w, len);
	wr_bytes(&m->w, data, len);
}

static void rr_name(struct msg *m, const char *owner, uint16_t type, uint32_t ttl, const char *target)
{
	uint8_t b[300];
	struct writer w = writer_of(b, sizeof(b));
	dns_name_write(&w, target);
	rr(m, owner, type, ttl, b, (uint16_t)(w.p - b));
}

static size_t len_of(const struct msg *m)
{
	assert_false(m->w.bad);
	return (size_t)(m->w.p - m->b);
}

static const uint8_t one[4] = {192, 0, 2, 1}, two[4] = {192, 0, 2, 2};

/* Records of a section of a message. */
static int count(const uint8_t *msg, size_t len, int section, uint16_t type)
{
	struct dns_walk w;
	struct dns_rr r;
	int n = 0, at;
	assert_int_equal(dns_walk_begin(&w, msg, len), 0);
	while ((at = dns_rr_next(&w, &r)) >= 0)
		n += at == section && r.type == type;
	assert_int_equal(at, -ENOENT);
	return n;
}

/* RFC 5452 §9.1: id, question, class, type; and the letters' case, of which an attacker sees nothing. */
static void req_SA_009__id_and_case_must_match(void **state)
{
	struct dns_ask k = ask_of("www.example.com", DNS_A);
	struct msg m;
	begin(&m, &k, 0, 1, 0, 0);
	rr(&m, "www.example.com", DNS_A, 60, one, 4);
	size_t len = len_of(&m);
	assert_int_equal(dns_ask_judge(&k, m.b, len, true), DNS_ANSWERED);
	for (size_t at = 0; at < DNS_HLEN + k.raw_len + 4u; at++) { /* each bit of what is compared */
		bool is_flags = at == 2 || at == 3, is_counts = at >= 6 && at < DNS_HLEN;
		for (int bit = 0; bit < 8 && !is_flags && !is_counts; bit++) {
			m.b[at] ^= (uint8_t)(1 << bit);
			if (dns_ask_judge(&k, m.b, len, true) != DNS_NOT_OURS)
				fail_msg("byte %zu bit %d", at, bit);
			m.b[at] ^= (uint8_t)(1 << bit);
		}
	}
	m.b[2] &= 0x7f; /* a question is no answer */
	assert_int_equal(dns_ask_judge(&k, m.b, len, true), DNS_NOT_OURS);
	m.b[2] |= 0x80;
	m.b[DNS_HLEN + 1] ^= 0x20;
	assert_int_equal(dns_ask_judge(&k, m.b, len, false), DNS_ANSWERED); /* by TCP case tells nothing */
	for (size_t n = 0; n < DNS_HLEN + k.raw_len + 4u; n++)
		assert_int_equal(dns_ask_judge(&k, m.b, n, false), DNS_NOT_OURS);
}

/* Ids and cases of many questions: no two follow from each other; half of the letters are upper case. */
static void req_SA_009__ids_and_cases_are_unpredictable(void **state)
{
	enum { N = 2000 };
	struct prf_stream random = {.key = {1, 2}};
	struct dns_question q;
	struct dns_ask k;
	static uint8_t seen[65536];
	int upper = 0, distinct = 0, steps = 0;
	uint16_t last = 0;
	question_of(&q, "abcdefghijklmnopqrstuvwxyz.example", DNS_A);
	for (int i = 0; i < N; i++) {
		dns_ask_make(&k, &q, &random);
		distinct += !seen[k.id]++;
		steps += (uint16_t)(k.id - last) < 256;
		last = k.id;
		for (int c = 1; c < 27; c++)
			upper += k.raw[c] >= 'A' && k.raw[c] <= 'Z';
		assert_true(dns_name_eq(k.raw, k.raw_len, q.raw, q.raw_len));
	}
	assert_true(distinct > N - 100); /* of 65536: 31 repeats are expected */
	assert_true(steps < 30);         /* 8 are */
	assert_in_range(upper, N * 26 * 48 / 100, N * 26 * 52 / 100);
}

/* Only the chain from the name asked for is believed; what else stands in the message was not asked. */
static void req_SA_009__only_what_was_asked_is_believed(void **state)
{
	struct dns_ask k = ask_of("www.example.com", DNS_A);
	struct msg m;
	uint8_t out[4096];
	uint32_t ttl;
	begin(&m, &k, 0, 5, 1, 1);
	rr(&m, "bank.example", DNS_A, 60, two, 4);
	rr(&m, "cdn.example.net", DNS_A, 90, one, 4); /* the chain's end before its beginning */
	rr_name(&m, "WWW.example.com", DNS_CNAME, 30, "cdn.example.net");
	rr(&m, "www.example.com", DNS_TXT, 60, "\1x", 2);
	rr(&m, "cdn.example.net", DNS_A, 90, two, 4);
	rr_name(&m, "example.com", DNS_NS, 60, "evil.example");
	rr(&m, "evil.example", DNS_A, 60, two, 4);
	size_t n = dns_ask_distill(&k, m.b, len_of(&m), out, sizeof(out), &ttl);
	assert_true(n > 0);
	assert_int_equal(ttl, 30); /* the shortest */
	assert_int_equal(count(out, n, 0, DNS_CNAME), 1);
	assert_int_equal(count(out, n, 0, DNS_A), 2);
	assert_int_equal(get_be16(out + 6), 3);
	assert_int_equal(get_be16(out + 8) + get_be16(out + 10), 0);
}

/* ANY asks for what the name holds (RFC 8482); an OPT is of one message and is in no section but the last (RFC 6891 §6.1.1, §7), no answer
 * holds a type that only a question has (RFC 6895 §3.1). */
static void req_SA_009__any_is_data_only(void **state)
{
	struct dns_ask k = ask_of("www.example.com", DNS_ANY);
	static const uint16_t types[] = {DNS_OPT, 128, 250, 255};
	uint8_t out[4096];
	uint32_t ttl;
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		struct msg m;
		begin(&m, &k, 0, 3, 0, 0);
		rr(&m, "www.example.com", DNS_A, 60, one, 4);
		rr(&m, "www.example.com", types[i], 60, "", 0);
		rr(&m, "www.example.com", 256, 60, "u", 1); /* URI: data again */
		size_t n = dns_ask_distill(&k, m.b, len_of(&m), out, sizeof(out), &ttl);
		assert_true(n > 0);
		assert_int_equal(count(out, n, 0, DNS_A), 1);
		assert_int_equal(count(out, n, 0, 256), 1);
		assert_int_equal(count(out, n, 0, types[i]), 0);
		assert_int_equal(get_be16(out + 6), 2);
	}
}

static void req_SA_009__chains_are_bounded(void **state)
{
	struct msg m;
	uint8_t out[4096];
	uint32_t ttl;
	struct dns_ask k = ask_of("n0.example", DNS_A);
	for (int links = 1; links <= 12; links++) {
		begin(&m, &k, 0, (uint16_t)(links + 1), 0, 0);
		char from[32], to[32];
		for (int i = 0; i < links; i++) {
			snprintf(from, sizeof(from), "n%d.example", i);
			snprintf(to, sizeof(to), "n%d.example", i + 1);
			rr_name(&m, from, DNS_CNAME, 60, to);
		}
		rr(&m, to, DNS_A, 60, one, 4);
		bool good = dns_ask_distill(&k, m.b, len_of(&m), out, sizeof(out), &ttl) > 0;
		assert_int_equal(good, links <= 8);
	}
	begin(&m, &k, 0, 2, 0, 0); /* a ring */
	rr_name(&m, "n0.example", DNS_CNAME, 60, "n1.example");
	rr_name(&m, "n1.example", DNS_CNAME, 60, "n0.example");
	assert_int_equal(dns_ask_distill(&k, m.b, len_of(&m), out, sizeof(out), &ttl), 0);
	begin(&m, &k, 0, 1, 0, 0);
	rr_name(&m, "n0.example", DNS_CNAME, 60, "n0.example");
	assert_int_equal(dns_ask_distill(&k, m.b, len_of(&m), out, sizeof(out), &ttl), 0);
	begin(&m, &k, 0, 2, 0, 0); /* two aliases of one name */
	rr_name(&m, "n0.example", DNS_CNAME, 60, "n1.example");
	rr_name(&m, "n0.example", DNS_CNAME, 60, "n2.example");
	assert_int_equal(dns_ask_distill(&k, m.b, len_of(&m), out, sizeof(out), &ttl), 0);
}

/* RFC 9267: data that is not what its type asks for, pointers, counts that lie, too many records. */
static void req_SA_009__compression_and_lengths_are_bounded(void **state)
{
	struct dns_ask k = ask_of("a.example", DNS_A), mx = ask_of("a.example", DNS_MX);
	struct msg m;
	uint8_t out[8192];
	uint32_t ttl;
	static const uint8_t loop[] = {0, 5, 0xc0, 0x32}, back[] = {0, 5, 1, 'm', 0xc0, 0x0c}, past[] = {0, 5, 0xc0, 0x0c, 0};
	begin(&m, &mx, 0, 1, 0, 0);
	rr(&m, "a.example", DNS_MX, 60, back, sizeof(back));
	size_t n = dns_ask_distill(&mx, m.b, len_of(&m), out, sizeof(out), &ttl);
	assert_true(n > 0);
	struct dns_walk w;
	struct dns_rr r;
	assert_int_equal(dns_walk_begin(&w, out, n), 0);
	assert_int_equal(dns_rr_next(&w, &r), 0);
	assert_int_equal(r.rdlen, 2 + 2 + mx.raw_len); /* "m." and the name, in full */
	for (int i = 0; i < 2; i++) { /* a pointer at itself; a byte behind the name */
		begin(&m, &mx, 0, 1, 0, 0);
		rr(&m, "a.example", DNS_MX, 60, i ? past : loop, i ? sizeof(past) : sizeof(loop));
		assert_int_equal(dns_ask_distill(&mx, m.b, len_of(&m), out, sizeof(out), &ttl), 0);
	}
	for (uint16_t bad = 0; bad <= 5; bad++) { /* an address has four bytes */
		begin(&m, &k, 0, 1, 0, 0);
		rr(&m, "a.example", DNS_A, 60, "12345", bad);
		assert_int_equal(dns_ask_distill(&k, m.b, len_of(&m), out, sizeof(out), &ttl) > 0, bad == 4);
	}
	begin(&m, &k, 0, 2, 0, 0); /* two are promised */
	rr(&m, "a.example", DNS_A, 60, one, 4);
	assert_int_equal(dns_ask_distill(&k, m.b, len_of(&m), out, sizeof(out), &ttl), 0);
	begin(&m, &k, 0, 1, 0, 0);
	rr(&m, "a.example", DNS_A, 60, one, 4);
	for (size_t cut = 0; cut < len_of(&m); cut++)
		assert_int_equal(dns_ask_distill(&k, m.b, cut, out, sizeof(out), &ttl), 0);
	begin(&m, &k, 0, DNS_RRS_MAX + 1, 0, 0);
	for (int i = 0; i <= DNS_RRS_MAX; i++) {
		wr_u8(&m.w, 0);
		wr_be16(&m.w, DNS_A);
		wr_be16(&m.w, DNS_IN);
		wr_be32(&m.w, 1);
		wr_be16(&m.w, 4);
		wr_bytes(&m.w, one, 4);
	}
	assert_int_equal(dns_ask_distill(&k, m.b, len_of(&m), out, sizeof(out), &ttl), 0);
}

static size_t put_soa(uint8_t *b, uint32_t minimum)
{
	struct writer w = writer_of(b, 200);
	dns_name_write(&w, "ns.example");
	dns_name_write(&w, "root.example");
	for (int i = 0; i < 4; i++)
		wr_be32(&w, 1);
	wr_be32(&w, minimum);
	return (size_t)(w.p - b);
}

/* RFC 2308: NXDOMAIN and "no such data" live as long as the SOA says; without SOA, or by another zone's, not at all. */
static void req_SA_009__what_is_not_there_has_a_time_too(void **state)
{
	struct dns_ask k = ask_of("no.example", DNS_A);
	struct msg m;
	uint8_t out[4096], soa[200];
	uint32_t ttl;
	static const struct {
		uint8_t rcode;
		const char *zone;
		uint32_t ttl, minimum, want;
	} rows[] = {{DNS_NXDOMAIN, "example", 600, 60, 60}, {DNS_OK, "example", 40, 60, 40}, {DNS_OK, "", 100000, 100000, DNS_NEGATIVE_MAX},
		    {DNS_NXDOMAIN, "other", 600, 60, 0}, {DNS_NXDOMAIN, "xample", 600, 60, 0}, {DNS_OK, NULL, 0, 0, 0}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		begin(&m, &k, rows[i].rcode, 0, rows[i].zone != NULL, 0);
		if (rows[i].zone)
			rr(&m, rows[i].zone, DNS_SOA, rows[i].ttl, soa, (uint16_t)put_soa(soa, rows[i].minimum));
		size_t n = dns_ask_distill(&k, m.b, len_of(&m), out, sizeof(out), &ttl);
		assert_true(n > 0);
		assert_int_equal(out[3] & 15, rows[i].rcode);
		assert_int_equal(ttl, rows[i].want);
	}
}

static void req_SA_009__ttl(void **state)
{
	static const struct {
		uint32_t sent, kept;
	} rows[] = {{0, 0}, {1, 1}, {86400, 86400}, {86401, 86400}, {0x7fffffff, 86400}, {0x80000000, 0}, {0xffffffff, 0}};
	struct dns_ask k = ask_of("a.example", DNS_A);
	struct msg m;
	uint8_t out[4096];
	uint32_t ttl;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		begin(&m, &k, 0, 1, 0, 0);
		rr(&m, "a.example", DNS_A, rows[i].sent, one, 4);
		assert_true(dns_ask_distill(&k, m.b, len_of(&m), out, sizeof(out), &ttl) > 0);
		assert_int_equal(ttl, rows[i].kept);
	}
}

static void dns_ask__verdicts(void **state)
{
	struct dns_ask k = ask_of("a.example", DNS_A);
	struct msg m;
	for (uint8_t rcode = 0; rcode < 16; rcode++) {
		begin(&m, &k, rcode, 0, 0, 0);
		assert_int_equal(dns_ask_judge(&k, m.b, len_of(&m), true),
				 rcode == DNS_OK || rcode == DNS_NXDOMAIN ? DNS_ANSWERED : DNS_FAILED);
		m.b[2] |= 2;
		assert_int_equal(dns_ask_judge(&k, m.b, len_of(&m), true), DNS_CUT);
	}
}

/* The answer is the client's: its id, its case, its EDNS; records are older; what does not fit is cut. */
static void dns_ask__relayed(void **state)
{
	struct dns_ask k = ask_of("a.example", DNS_A);
	struct msg m;
	uint8_t out[4096], told[4096];
	uint32_t ttl;
	struct dns_question q, again;
	struct dns_walk w;
	struct dns_rr r;
	begin(&m, &k, 0, 1, 0, 0);
	rr(&m, "a.example", DNS_A, 100, one, 4);
	size_t n = dns_ask_distill(&k, m.b, len_of(&m), out, sizeof(out), &ttl);
	question_of(&q, "A.exAmple", DNS_A);
	q.has_edns = true;
	size_t len = dns_ask_relay(&q, out, n, 40, told, sizeof(told));
	assert_int_equal(len, n + 11);
	assert_int_equal(dns_query_parse(told, len, &again), 0);
	assert_true(again.is_response && again.has_edns && again.rd && again.id == q.id);
	assert_memory_equal(again.raw, q.raw, q.raw_len);
	assert_int_equal(dns_walk_begin(&w, told, len), 0);
	assert_int_equal(dns_rr_next(&w, &r), 0);
	assert_int_equal(r.ttl, 60);
	assert_memory_equal(told + r.rdata, one, 4);
	len = dns_ask_relay(&q, out, n, 40, told, n + 10);
	assert_true(len > 0 && len <= n + 10);
	assert_int_equal(told[2] & 2, 2);
	assert_int_equal(get_be16(told + 6), 0);
}

/* Answers with bytes changed by chance: whatever they say, work ends and what is believed is whole and of the name asked for. */
static void req_HARD_02__dns_records(void **state)
{
	struct dns_ask k = ask_of("www.example.com", DNS_A);
	struct msg m, bad;
	struct rng rng;
	int believed = 0;
	uint8_t out[4096], told[4096], soa[200];
	struct dns_question q;
	question_of(&q, "www.example.com", DNS_A);
	rng_seed(&rng, 3);
	begin(&m, &k, 0, 3, 1, 1);
	rr_name(&m, "www.example.com", DNS_CNAME, 30, "cdn.example.net");
	rr(&m, "cdn.example.net", DNS_A, 90, one, 4);
	rr_name(&m, "www.example.com", DNS_MX, 30, "cdn.example.net");
	rr(&m, "example.com", DNS_SOA, 60, soa, (uint16_t)put_soa(soa, 60));
	rr(&m, "x", DNS_A, 60, two, 4);
	size_t len = len_of(&m);
	for (int i = 0; i < 30000; i++) {
		uint32_t ttl;
		memcpy(bad.b, m.b, len);
		for (int n = 1 + (int)rng_below(&rng, 4); n > 0; n--)
			bad.b[6 + rng_below(&rng, len - 6)] = (uint8_t)(rng_below(&rng, 2) ? 0xc0 : rng_below(&rng, 256));
		size_t cut = rng_below(&rng, 4) ? len : rng_below(&rng, len);
		if (dns_ask_judge(&k, bad.b, cut, true) != DNS_ANSWERED)
			continue;
		size_t n = dns_ask_distill(&k, bad.b, cut, out, sizeof(out), &ttl);
		if (!n)
			continue;
		believed++;
		struct dns_walk w;
		struct dns_rr r;
		assert_int_equal(dns_walk_begin(&w, out, n), 0);
		while (dns_rr_next(&w, &r) >= 0)
			assert_true(r.type == DNS_A || r.type == DNS_CNAME || r.type == DNS_SOA);
		assert_int_equal(w.pos, n);
		assert_true(ttl <= DNS_TTL_MAX);
		assert_int_equal(dns_ask_relay(&q, out, n, 5, told, sizeof(told)), n);
	}
	assert_true(believed > 1000);
}

/* --- cache --- */

static void dns_cache__remembers_for_its_time(void **state)
{
	struct arena *a = region_new(4 << 20);
	size_t before = arena_bytes_used(a), len;
	struct dns_cache c;
	uint32_t age;
	assert_int_equal(dns_cache_init(&c, a, 4, (struct prf_key){1, 2}), 0);
	dns_cache_put(&c, (const uint8_t *)"\3wWw", 5, DNS_A, (const uint8_t *)"first", 5, 10, 100 * NS_PER_S);
	assert_null(dns_cache_get(&c, (const uint8_t *)"\3www", 5, DNS_AAAA, 101 * NS_PER_S, &len, &age));
	const uint8_t *m = dns_cache_get(&c, (const uint8_t *)"\3WWw", 5, DNS_A, 110 * NS_PER_S - 1, &len, &age);
	assert_non_null(m);
	assert_memory_equal(m, "first", 5);
	assert_int_equal(age, 9);
	assert_null(dns_cache_get(&c, (const uint8_t *)"\3www", 5, DNS_A, 110 * NS_PER_S, &len, &age));
	dns_cache_put(&c, (const uint8_t *)"\3www", 5, DNS_A, (const uint8_t *)"zero", 4, 0, 100 * NS_PER_S);
	assert_null(dns_cache_get(&c, (const uint8_t *)"\3www", 5, DNS_A, 100 * NS_PER_S, &len, &age));
	dns_cache_free(&c);
	assert_int_equal(arena_bytes_used(a), before);
	region_free(a);
}

/* Against a list in order of use. */
static void dns_cache__is_bounded_and_forgets_the_longest_unused(void **state)
{
	enum { MAX = 8, NAMES = 20 };
	struct arena *a = region_new(4 << 20);
	struct dns_cache c;
	struct rng rng;
	int order[MAX], n = 0, value[NAMES];
	uint32_t age;
	size_t len;
	rng_seed(&rng, 5);
	assert_int_equal(dns_cache_init(&c, a, MAX, (struct prf_key){1, 2}), 0);
	for (int step = 0; step < 20000; step++) {
		int k = (int)rng_below(&rng, NAMES), at = 0;
		uint8_t name[3] = {1, (uint8_t)('a' + k), 0};
		while (at < n && order[at] != k)
			at++;
		if (rng_below(&rng, 2)) {
			value[k] = step;
			dns_cache_put(&c, name, 3, DNS_A, (const uint8_t *)&step, sizeof(step), 1000, 1);
			if (at == n && n == MAX)
				at = 0;
			else if (at == n)
				n++;
		} else {
			const uint8_t *m = dns_cache_get(&c, name, 3, DNS_A, 2, &len, &age);
			assert_int_equal(m != NULL, at < n);
			if (!m)
				continue;
			assert_memory_equal(m, &value[k], sizeof(int));
		}
		memmove(&order[at], &order[at + 1], (size_t)(n - at - 1) * sizeof(int));
		order[n - 1] = k;
		assert_true(c.pool.n_used <= MAX);
	}
	assert_true(c.n_evicted > 100);
	dns_cache_free(&c);
	region_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(req_SA_009__id_and_case_must_match),
		cmocka_unit_test(req_SA_009__ids_and_cases_are_unpredictable),
		cmocka_unit_test(req_SA_009__only_what_was_asked_is_believed),
		cmocka_unit_test(req_SA_009__any_is_data_only),
		cmocka_unit_test(req_SA_009__chains_are_bounded),
		cmocka_unit_test(req_SA_009__compression_and_lengths_are_bounded),
		cmocka_unit_test(req_SA_009__what_is_not_there_has_a_time_too),
		cmocka_unit_test(req_SA_009__ttl),
		cmocka_unit_test(req_HARD_02__dns_records),
		cmocka_unit_test(dns_ask__verdicts),
		cmocka_unit_test(dns_ask__relayed),
		cmocka_unit_test(dns_cache__remembers_for_its_time),
		cmocka_unit_test(dns_cache__is_bounded_and_forgets_the_longest_unused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
