/* test_svc_dns.c - the lab's DNS engine: names, suffix, kinds of answers, truncation, what is not answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "svc/dns.h"
#include "test/unit/region.h"
#include "wire/dns.h"

#include <errno.h>

struct fixture {
	struct arena *arena;
	struct dns_zone zone;
	size_t before; /* bytes used without a zone */
	uint8_t out[DNS_REPLY_MAX];
	size_t len;
};
enum { REGION = 1 << 20 };

static void add(struct fixture *f, const char *name, uint32_t v4)
{
	struct via_addr a = via_addr_v4(v4);
	assert_int_equal(dns_zone_add(f->arena, &f->zone, name, &a), 0);
}

static int setup(void **state)
{
	static struct fixture f;
	memset(&f, 0, sizeof(f));
	f.arena = region_new(REGION);
	f.before = arena_bytes_used(f.arena);
	assert_int_equal(dns_zone_init(f.arena, &f.zone, "lab", 60, (struct prf_key){1, 2}), 0);
	add(&f, "sina", 0x0a000007);
	add(&f, "r1", 0x0a000001);
	add(&f, "r1", 0x0a010001);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	dns_zone_free(f->arena, &f->zone);
	size_t left = arena_bytes_used(f->arena);
	region_free(f->arena);
	return left == f->before ? 0 : -1;
}

/* Ask; the answer's response code. */
static int ask(struct fixture *f, const char *name, uint16_t type)
{
	uint8_t q[512];
	size_t n = dns_query_emit(q, sizeof(q), 0x4242, name, type);
	assert_true(n > 0);
	f->len = dns_serve(f->arena, &f->zone, q, n, f->out, sizeof(f->out), false);
	assert_true(f->len >= 12);
	assert_int_equal(get_be16(f->out), 0x4242);
	assert_true(f->out[2] & 0x80);
	return f->out[3] & 15;
}

static int n_answers(const struct fixture *f)
{
	return get_be16(f->out + 6);
}

static void dns_serve__a(void **state)
{
	struct fixture *f = *state;
	static const char *const names[] = {"sina.lab", "sina", "SINA.Lab", "sina.lab.", "SiNa"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_int_equal(ask(f, names[i], DNS_A), DNS_OK);
		assert_int_equal(n_answers(f), 1);
		assert_memory_equal(f->out + f->len - 4, ((const uint8_t[]){10, 0, 0, 7}), 4);
		assert_int_equal(get_be32(f->out + f->len - 10), 60);
	}
}

static void dns_serve__all_addresses(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(ask(f, "r1.lab", DNS_A), DNS_OK);
	assert_int_equal(n_answers(f), 2);
	assert_memory_equal(f->out + f->len - 20, ((const uint8_t[]){10, 0, 0, 1}), 4);
	assert_memory_equal(f->out + f->len - 4, ((const uint8_t[]){10, 1, 0, 1}), 4);
}

static void dns_serve__known_name_other_type_is_empty(void **state)
{
	struct fixture *f = *state;
	static const uint16_t types[] = {DNS_AAAA, DNS_NS, DNS_CNAME, 15, 16, 65};
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		assert_int_equal(ask(f, "sina.lab", types[i]), DNS_OK);
		assert_int_equal(n_answers(f), 0);
	}
	assert_int_equal(ask(f, "lab", DNS_A), DNS_OK); /* the suffix exists, it has no address */
	assert_int_equal(n_answers(f), 0);
	assert_int_equal(ask(f, "sina", DNS_ANY), DNS_OK);
	assert_int_equal(n_answers(f), 1);
}

static void dns_serve__nxdomain(void **state)
{
	struct fixture *f = *state;
	static const char *const names[] = {
		"nobody.lab", "nobody", "sina.lab.example.com", "sina.lap", "sinalab", "example.com", "", "x.sina.lab"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_int_equal(ask(f, names[i], DNS_A), DNS_NXDOMAIN);
		assert_int_equal(n_answers(f), 0);
		assert_int_equal(ask(f, names[i], DNS_AAAA), DNS_NXDOMAIN);
	}
}

static void dns_serve__ptr(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(ask(f, "7.0.0.10.in-addr.arpa", DNS_PTR), DNS_OK);
	assert_int_equal(n_answers(f), 1);
	assert_memory_equal(f->out + f->len - 10, "\4sina\3lab\0", 10);
	assert_int_equal(ask(f, "1.0.1.10.in-addr.arpa", DNS_PTR), DNS_OK);
	assert_memory_equal(f->out + f->len - 8, "\2r1\3lab\0", 8);
	assert_int_equal(ask(f, "7.0.0.10.in-addr.arpa", DNS_A), DNS_OK);
	assert_int_equal(n_answers(f), 0);
	assert_int_equal(ask(f, "8.0.0.10.in-addr.arpa", DNS_PTR), DNS_NXDOMAIN);
	assert_int_equal(ask(f, "0.0.10.in-addr.arpa", DNS_PTR), DNS_NXDOMAIN);
	assert_int_equal(ask(f, "in-addr.arpa", DNS_PTR), DNS_NXDOMAIN);
	assert_int_equal(ask(f, "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa", DNS_PTR), DNS_NXDOMAIN);
}

static void text(struct fixture *f, const char *name, uint16_t type, uint16_t preference, const char *data, int want)
{
	assert_int_equal(dns_zone_add_text(f->arena, &f->zone, name, type, preference, data), want);
}

/* The n-th answer: its type and owner; its data's place in *at. */
static uint16_t answer_at(const struct fixture *f, int n, char *owner, size_t *at)
{
	struct dns_walk w;
	struct dns_rr r;
	assert_int_equal(dns_walk_begin(&w, f->out, f->len), 0);
	for (int i = 0; i <= n; i++)
		assert_int_equal(dns_rr_next(&w, &r), 0);
	dns_name_text(r.owner, owner);
	*at = r.rdata;
	return r.type;
}

/* RFC 1034 §3.6.2: the alias, then what its name has. */
static void dns_serve__aliases_are_followed(void **state)
{
	struct fixture *f = *state;
	char owner[DNS_NAME_MAX + 1];
	size_t at;
	text(f, "www", DNS_CNAME, 0, "shop.lab", 0);
	text(f, "shop", DNS_CNAME, 0, "SINA", 0);
	text(f, "away", DNS_CNAME, 0, "www.example.com", 0);
	assert_int_equal(ask(f, "WWW.lab", DNS_A), DNS_OK);
	assert_int_equal(n_answers(f), 3);
	assert_int_equal(answer_at(f, 0, owner, &at), DNS_CNAME);
	assert_string_equal(owner, "www.lab");
	assert_memory_equal(f->out + at, "\4shop\3lab", 10);
	assert_int_equal(answer_at(f, 1, owner, &at), DNS_CNAME);
	assert_string_equal(owner, "shop.lab");
	assert_int_equal(answer_at(f, 2, owner, &at), DNS_A);
	assert_string_equal(owner, "sina.lab");
	assert_memory_equal(f->out + at, ((const uint8_t[]){10, 0, 0, 7}), 4);
	assert_int_equal(ask(f, "www", DNS_CNAME), DNS_OK);
	assert_int_equal(n_answers(f), 1);
	assert_int_equal(ask(f, "www", DNS_AAAA), DNS_OK); /* the chain, and nothing at its end */
	assert_int_equal(n_answers(f), 2);
	assert_int_equal(ask(f, "away", DNS_A), DNS_OK); /* the rest is another server's business */
	assert_int_equal(n_answers(f), 1);
	text(f, "sina", DNS_CNAME, 0, "r1", -EEXIST);
	text(f, "bad name", DNS_CNAME, 0, "r1", -EINVAL);
	text(f, "x", DNS_CNAME, 0, "no name", -EINVAL);
	text(f, "x", DNS_AAAA, 0, "r1", -EINVAL);
}

static void dns_serve__rings_of_aliases_end(void **state)
{
	struct fixture *f = *state;
	text(f, "a", DNS_CNAME, 0, "b", 0);
	text(f, "b", DNS_CNAME, 0, "a", 0);
	text(f, "me", DNS_CNAME, 0, "me", 0);
	assert_int_equal(ask(f, "a.lab", DNS_A), DNS_OK);
	assert_true(n_answers(f) <= 8);
	assert_int_equal(ask(f, "me.lab", DNS_A), DNS_OK);
	assert_true(n_answers(f) <= 8);
}

static void dns_serve__mail_exchangers_and_texts(void **state)
{
	struct fixture *f = *state;
	char owner[DNS_NAME_MAX + 1], longest[DNS_TEXT_MAX + 2];
	size_t at;
	memset(longest, 'x', sizeof(longest));
	longest[DNS_TEXT_MAX + 1] = 0;
	text(f, "lab", DNS_MX, 10, "sina", 0);
	text(f, "r1", DNS_TXT, 0, longest, -EINVAL);
	longest[DNS_TEXT_MAX] = 0;
	text(f, "r1", DNS_TXT, 0, longest, 0);
	assert_int_equal(ask(f, "lab", DNS_MX), DNS_OK);
	assert_int_equal(n_answers(f), 1);
	assert_int_equal(answer_at(f, 0, owner, &at), DNS_MX);
	assert_memory_equal(f->out + at, "\0\12\4sina\3lab", 12);
	assert_int_equal(ask(f, "r1.lab", DNS_TXT), DNS_OK);
	assert_int_equal(answer_at(f, 0, owner, &at), DNS_TXT);
	assert_int_equal(f->out[at], DNS_TEXT_MAX);
	assert_memory_equal(f->out + at + 1, longest, DNS_TEXT_MAX);
	assert_int_equal(ask(f, "r1.lab", DNS_ANY), DNS_OK);
	assert_int_equal(n_answers(f), 3);
}

static void dns_serve__ip6(void **state)
{
	struct fixture *f = *state;
	struct via_addr a;
	assert_int_equal(via_addr_parse("2001:db8::42", 12, &a), 0);
	assert_int_equal(dns_zone_add(f->arena, &f->zone, "sina", &a), 0);
	assert_int_equal(ask(f, "sina.lab", DNS_AAAA), DNS_OK);
	assert_int_equal(n_answers(f), 1);
	assert_memory_equal(f->out + f->len - 16, a.b, 16);
	static const char reverse[] = "2.4.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
	assert_int_equal(ask(f, reverse, DNS_PTR), DNS_OK);
	assert_memory_equal(f->out + f->len - 10, "\4sina\3lab", 10);
	assert_int_equal(ask(f, reverse + 2, DNS_PTR), DNS_NXDOMAIN);
}

/* RFC 2308 §3: no such name and no such data are told with the SOA. */
static void dns_serve__nothing_comes_with_the_soa(void **state)
{
	struct fixture *f = *state;
	static const char *const names[] = {"nobody.lab", "sina.lab"};
	for (int i = 0; i < 2; i++) {
		struct dns_walk w;
		struct dns_rr r;
		assert_int_equal(ask(f, names[i], DNS_AAAA), i ? DNS_OK : DNS_NXDOMAIN);
		assert_int_equal(n_answers(f), 0);
		assert_int_equal(dns_walk_begin(&w, f->out, f->len), 0);
		assert_int_equal(dns_rr_next(&w, &r), 1);
		assert_int_equal(r.type, DNS_SOA);
		assert_memory_equal(r.owner, "\3lab", 5);
		assert_int_equal(get_be32(f->out + r.rdata + r.rdlen - 4), 60);
	}
}

static void dns_zone__an_address_goes(void **state)
{
	struct fixture *f = *state;
	struct via_addr a = via_addr_v4(0x0a000001), b = via_addr_v4(0x0a000007);
	assert_int_equal(dns_zone_del(f->arena, &f->zone, "nobody", &a), -ENOENT);
	assert_int_equal(dns_zone_del(f->arena, &f->zone, "sina", &a), -ENOENT);
	assert_int_equal(dns_zone_del(f->arena, &f->zone, "R1.lab", &a), 0);
	assert_int_equal(ask(f, "r1", DNS_A), DNS_OK);
	assert_int_equal(n_answers(f), 1);
	assert_memory_equal(f->out + f->len - 4, ((const uint8_t[]){10, 1, 0, 1}), 4);
	assert_int_equal(ask(f, "1.0.0.10.in-addr.arpa", DNS_PTR), DNS_NXDOMAIN);
	assert_int_equal(dns_zone_add(f->arena, &f->zone, "sina", &a), 0); /* somebody else's now */
	assert_int_equal(ask(f, "1.0.0.10.in-addr.arpa", DNS_PTR), DNS_OK);
	assert_memory_equal(f->out + f->len - 10, "\4sina\3lab", 10);
	assert_int_equal(dns_zone_del(f->arena, &f->zone, "sina", &b), 0);
	assert_int_equal(dns_zone_del(f->arena, &f->zone, "sina", &a), 0);
	assert_int_equal(ask(f, "sina", DNS_A), DNS_OK); /* known, without address */
	assert_int_equal(n_answers(f), 0);
}

/* Raw bytes in; response code out, or -1 when there is no answer. */
static int raw(struct fixture *f, const uint8_t *q, size_t n, bool tcp)
{
	f->len = dns_serve(f->arena, &f->zone, q, n, f->out, sizeof(f->out), tcp);
	return f->len ? f->out[3] & 15 : -1;
}

static void dns_serve__what_is_not_a_query(void **state)
{
	struct fixture *f = *state;
	uint8_t q[64];
	size_t n = dns_query_emit(q, sizeof(q), 1, "sina.lab", DNS_A);
	for (size_t len = 0; len < 12; len++)
		assert_int_equal(raw(f, q, len, false), -1);
	for (size_t len = 12; len < n; len++)
		assert_int_equal(raw(f, q, len, false), DNS_FORMERR);
	q[2] |= 0x80; /* a response: two servers must not talk for ever */
	assert_int_equal(raw(f, q, n, false), -1);
}

static void dns_serve__codes(void **state)
{
	struct fixture *f = *state;
	uint8_t q[64];
	size_t n = dns_query_emit(q, sizeof(q), 1, "sina.lab", DNS_A);
	for (uint8_t opcode = 1; opcode < 16; opcode++) {
		q[2] = (uint8_t)(opcode << 3 | 1);
		assert_int_equal(raw(f, q, n, false), DNS_NOTIMP);
		assert_int_equal(f->out[2] >> 3 & 15, opcode);
		assert_int_equal(raw(f, q, 12, false), DNS_NOTIMP);
	}
	q[2] = 1;
	q[n - 1] = 3; /* class CHAOS */
	assert_int_equal(raw(f, q, n, false), DNS_REFUSED);
	q[n - 1] = 1;
	q[5] = 0;
	assert_int_equal(raw(f, q, 12, false), DNS_FORMERR);
}

/* A query with an OPT record. */
static size_t edns_query(uint8_t *q, size_t cap, const char *name, uint16_t size, uint8_t version)
{
	size_t n = dns_query_emit(q, cap - 11, 1, name, DNS_A);
	memcpy(q + n, (const uint8_t[]){0, 0, 41, (uint8_t)(size >> 8), (uint8_t)size, 0, version, 0, 0, 0, 0}, 11);
	q[11] = 1;
	return n + 11;
}

static void dns_serve__edns(void **state)
{
	struct fixture *f = *state;
	uint8_t q[64];
	size_t n = edns_query(q, sizeof(q), "sina.lab", 1232, 0);
	assert_int_equal(raw(f, q, n, false), DNS_OK);
	assert_int_equal(get_be16(f->out + 10), 1); /* RFC 6891 §6.1.1: an OPT is answered by an OPT */
	n = edns_query(q, sizeof(q), "sina.lab", 1232, 1);
	assert_int_equal(raw(f, q, n, false), 0);
	assert_int_equal(n_answers(f), 0);
	assert_int_equal(f->out[f->len - 6], 1); /* BADVERS: 16, upper bits in the OPT */
}

static void dns_serve__truncation(void **state)
{
	struct fixture *f = *state;
	uint8_t q[512];
	char name[DNS_HOST_MAX + 1];
	for (size_t i = 0; i < DNS_HOST_MAX; i++)
		name[i] = i % 64 == 63 ? '.' : 'a';
	name[DNS_HOST_MAX] = 0;
	name[DNS_HOST_MAX - 1] = 'b';
	/* 16 addresses of 16 bytes, a name of 133: 12 + 133 + 4 + 256 fits 512, so the long suffix has to help. */
	struct dns_zone z;
	char suffix[DNS_SUFFIX_MAX + 1];
	memset(suffix, 's', sizeof(suffix));
	suffix[DNS_SUFFIX_MAX] = 0;
	assert_int_equal(dns_zone_init(f->arena, &z, suffix, 60, (struct prf_key){3, 4}), 0);
	for (uint32_t i = 0; i < DNS_ADDRS_MAX; i++) {
		struct via_addr a = via_addr_v4(0x0a000001 + i);
		assert_int_equal(dns_zone_add(f->arena, &z, name, &a), 0);
	}
	char full[DNS_HOST_MAX + 1 + DNS_SUFFIX_MAX + 1];
	memcpy(full, name, DNS_HOST_MAX);
	full[DNS_HOST_MAX] = '.';
	memcpy(full + DNS_HOST_MAX + 1, suffix, sizeof(suffix));
	size_t n = dns_query_emit(q, sizeof(q), 1, full, DNS_A), want = n + 16 * DNS_ADDRS_MAX;
	assert_true(n > 0 && want < 512);
	f->len = dns_serve(f->arena, &z, q, n, f->out, want - 1, false);
	assert_int_equal(f->len, n);
	assert_true(f->out[2] & 2); /* TC */
	assert_int_equal(n_answers(f), 0);
	f->len = dns_serve(f->arena, &z, q, n, f->out, want, false);
	assert_int_equal(f->len, want);
	assert_false(f->out[2] & 2);
	dns_zone_free(f->arena, &z);
}

static void dns_serve__udp_keeps_to_the_size_asked(void **state)
{
	struct fixture *f = *state;
	/* The question alone can be 12 + 255 + 4 bytes; with an OPT in the answer and 16 records it passes 512 by name length. */
	uint8_t q[512];
	char name[DNS_HOST_MAX + 1];
	for (size_t i = 0; i < DNS_HOST_MAX; i++)
		name[i] = i % 64 == 63 ? '.' : 'a';
	name[DNS_HOST_MAX - 1] = 'b';
	name[DNS_HOST_MAX] = 0;
	struct via_addr six = {.b = {0x20, 1}};
	for (uint8_t i = 0; i < DNS_ADDRS_MAX; i++) { /* AAAA records are 28 bytes each */
		six.b[15] = i;
		assert_int_equal(dns_zone_add(f->arena, &f->zone, name, &six), 0);
	}
	size_t n = dns_query_emit(q, sizeof(q), 1, name, DNS_AAAA);
	assert_int_equal(raw(f, q, n, false), DNS_OK);
	assert_true(f->len <= 512 && (f->out[2] & 2) && n_answers(f) == 0);
	assert_int_equal(raw(f, q, n, true), DNS_OK);
	assert_true(f->len == n + 28 * DNS_ADDRS_MAX && !(f->out[2] & 2) && n_answers(f) == DNS_ADDRS_MAX);
}

static void dns_zone_add__refuses(void **state)
{
	struct fixture *f = *state;
	struct via_addr a = via_addr_v4(1);
	char name[DNS_HOST_MAX + 2];
	static const char *const bad[] = {"", ".", "a..b", "a b", "a/b", "\xc3\xa4"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(dns_zone_add(f->arena, &f->zone, bad[i], &a), -EINVAL);
	memset(name, 'a', sizeof(name));
	name[DNS_HOST_MAX + 1] = 0;
	assert_int_equal(dns_zone_add(f->arena, &f->zone, name, &a), -ENAMETOOLONG);
	name[64] = 0;
	assert_int_equal(dns_zone_add(f->arena, &f->zone, name, &a), -EINVAL); /* a label of 64 */
	for (uint32_t i = 0; i < DNS_ADDRS_MAX; i++)
		add(f, "many", 0x0b000000 + i);
	add(f, "many", 0x0b000000); /* known: fine */
	assert_int_equal(dns_zone_add(f->arena, &f->zone, "many", &a), -ENOSPC);
}

static void dns_zone_lookup__grows(void **state)
{
	struct fixture *f = *state;
	for (uint32_t i = 0; i < 1000; i++) {
		char name[] = {'n', (char)('0' + i / 100), (char)('0' + i / 10 % 10), (char)('0' + i % 10), 0};
		add(f, name, 0x0c000000 + i);
	}
	for (uint32_t i = 0; i < 1000; i++) {
		char name[] = {'N', (char)('0' + i / 100), (char)('0' + i / 10 % 10), (char)('0' + i % 10), '.', 'l', 'a', 'b', 0};
		struct via_addr a;
		assert_int_equal(dns_zone_lookup(f->arena, &f->zone, name, &a, 1), 1);
		assert_int_equal(via_addr_to_v4(&a), 0x0c000000 + i);
	}
	assert_int_equal(ask(f, "231.3.0.12.in-addr.arpa", DNS_PTR), DNS_OK);
	assert_memory_equal(f->out + f->len - 10, "\4n999\3lab\0", 10);
	struct via_addr a[4];
	assert_int_equal(dns_zone_lookup(f->arena, &f->zone, "r1", a, 4), 2);
	assert_int_equal(dns_zone_lookup(f->arena, &f->zone, "nobody", a, 4), -ENOENT);
}

static void dns_zone_add__out_of_memory(void **state)
{
	struct dns_zone z;
	size_t bytes = 4 * ARENA_PAGE_SIZE;
	struct arena *a = region_new(bytes);
	size_t before = arena_bytes_used(a);
	assert_int_equal(dns_zone_init(a, &z, "lab", 60, (struct prf_key){1, 2}), 0);
	int err = 0;
	uint32_t n = 0;
	for (; n < 100000 && !err; n++) {
		char name[] = {(char)('a' + n / 17576 % 26), (char)('a' + n / 676 % 26), (char)('a' + n / 26 % 26), (char)('a' + n % 26), 0};
		struct via_addr addr = via_addr_v4(n);
		err = dns_zone_add(a, &z, name, &addr);
	}
	assert_int_equal(err, -ENOMEM);
	struct via_addr first;
	assert_int_equal(dns_zone_lookup(a, &z, "aaaa", &first, 1), 1); /* what was there still is */
	dns_zone_free(a, &z);
	assert_int_equal(arena_bytes_used(a), before);
	region_free(a);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(dns_serve__a),
		CASE(dns_serve__all_addresses),
		CASE(dns_serve__known_name_other_type_is_empty),
		CASE(dns_serve__nxdomain),
		CASE(dns_serve__ptr),
		CASE(dns_serve__aliases_are_followed),
		CASE(dns_serve__rings_of_aliases_end),
		CASE(dns_serve__mail_exchangers_and_texts),
		CASE(dns_serve__ip6),
		CASE(dns_serve__nothing_comes_with_the_soa),
		CASE(dns_zone__an_address_goes),
		CASE(dns_serve__what_is_not_a_query),
		CASE(dns_serve__codes),
		CASE(dns_serve__edns),
		CASE(dns_serve__truncation),
		CASE(dns_serve__udp_keeps_to_the_size_asked),
		CASE(dns_zone_add__refuses),
		CASE(dns_zone_lookup__grows),
		cmocka_unit_test(dns_zone_add__out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
