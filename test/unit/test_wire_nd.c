/* test_wire_nd.c - the five messages of neighbour discovery: what is refused, what is read, what is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/nd.h"

#include <errno.h>

static const struct via_addr ll = {.b = {0xfe, 0x80, [15] = 1}}, global = {.b = {0x20, 1, 0x0d, 0xb8, [15] = 7}},
			     all_nodes = {.b = {0xff, 2, [15] = 1}}, any, solicited = {.b = {0xff, 2, [11] = 1, [12] = 0xff, [15] = 7}};

static const struct nd_from usual = {.src = {.b = {0xfe, 0x80, [15] = 1}}, .dst = {.b = {0xff, 2, [15] = 1}}, .hop_limit = 255};

/* The shortest message of each type, byte by byte as RFC 4861 §4 draws it. */
struct sample {
	uint8_t b[128];
	size_t len;
};
static struct sample sample(uint8_t type)
{
	static const size_t len[] = {8, 16, 24, 24, 40};
	struct sample s = {.b = {type}, .len = len[type - ND_RS]};
	if (type == ND_NS || type == ND_NA)
		memcpy(s.b + 8, global.b, 16);
	if (type == ND_REDIRECT) {
		memcpy(s.b + 8, ll.b, 16);
		memcpy(s.b + 24, global.b, 16);
	}
	return s;
}
static void add(struct sample *s, const void *opt, size_t n)
{
	memcpy(s->b + s->len, opt, n);
	s->len += n;
}
static int parse(const struct sample *s, const struct nd_from *from)
{
	struct nd_msg m;
	return nd_parse(s->b, s->len, from, &m);
}

static void req_ND_001__hop_limit_code_length_options(void **state)
{
	for (int type = ND_RS; type <= ND_REDIRECT; type++) {
		struct sample s = sample((uint8_t)type), x;
		assert_int_equal(parse(&s, &usual), 0);
		for (int hops = 0; hops < 255; hops++) {
			struct nd_from f = usual;
			f.hop_limit = (uint8_t)hops;
			assert_int_equal(parse(&s, &f), -EINVAL);
		}
		for (int code = 1; code < 256; code++) {
			x = s;
			x.b[1] = (uint8_t)code;
			assert_int_equal(parse(&x, &usual), -EINVAL);
		}
		for (x = s; x.len > 0;) { /* every shorter one */
			x.len--;
			assert_int_equal(parse(&x, &usual), -EINVAL);
		}
		x = s;
		add(&x, (const uint8_t[]){200, 1, 1, 2, 3, 4, 5, 6}, 8); /* unknown: passed over */
		add(&x, (const uint8_t[]){201, 2, [15] = 9}, 16);
		assert_int_equal(parse(&x, &usual), 0);
		x.b[s.len + 1] = 0; /* length 0 */
		assert_int_equal(parse(&x, &usual), -EINVAL);
		x.b[s.len + 1] = 1;
		x.b[s.len + 9] = 0; /* of the second */
		assert_int_equal(parse(&x, &usual), -EINVAL);
		x.b[s.len + 9] = 3; /* past the end */
		assert_int_equal(parse(&x, &usual), -EINVAL);
		x = s;
		add(&x, (const uint8_t[]){200}, 1); /* half an option */
		assert_int_equal(parse(&x, &usual), -EINVAL);
	}
	struct sample s = sample(ND_RS);
	for (int type = 0; type < 256; type++) {
		s.b[0] = (uint8_t)type;
		s.len = 64;
		struct nd_msg m;
		if (type < ND_RS || type > ND_REDIRECT)
			assert_int_equal(nd_parse(s.b, 8, &usual, &m), -EINVAL);
	}
}

static void req_ND_003__what_came_in_fragments_is_ignored(void **state)
{
	for (int type = ND_RS; type <= ND_REDIRECT; type++) {
		struct sample s = sample((uint8_t)type);
		struct nd_from f = usual;
		assert_int_equal(parse(&s, &f), 0);
		f.was_cut = true;
		assert_int_equal(parse(&s, &f), -EINVAL);
	}
}

static void req_ND_002__addresses_and_flags(void **state)
{
	static const uint8_t slla[] = {1, 1, 2, 0, 0, 0, 0, 1};
	struct nd_from f = usual;
	/* router advertisement and redirect: from a link-local address */
	for (int type = ND_RA; type <= ND_REDIRECT; type += ND_REDIRECT - ND_RA) {
		struct sample s = sample((uint8_t)type);
		f.src = global;
		assert_int_equal(parse(&s, &f), -EINVAL);
		f.src = any;
		assert_int_equal(parse(&s, &f), -EINVAL);
		f.src = (struct via_addr){.b = {0xfe, 0xbf, [15] = 1}}; /* the end of fe80::/10 */
		assert_int_equal(parse(&s, &f), 0);
		f.src = (struct via_addr){.b = {0xfe, 0xc0, [15] = 1}};
		assert_int_equal(parse(&s, &f), -EINVAL);
	}
	/* neighbour solicitation from :: */
	struct sample s = sample(ND_NS), x;
	f = (struct nd_from){.src = any, .dst = solicited, .hop_limit = 255};
	assert_int_equal(parse(&s, &f), 0);
	x = s;
	add(&x, slla, 8);
	assert_int_equal(parse(&x, &f), -EINVAL);
	f.src = global;
	assert_int_equal(parse(&x, &f), 0);
	f.src = any;
	f.dst = all_nodes;
	assert_int_equal(parse(&s, &f), -EINVAL);
	f.dst = global;
	assert_int_equal(parse(&s, &f), -EINVAL);
	f.dst = (struct via_addr){.b = {0xff, 2, [11] = 1, [12] = 0xfe, [15] = 7}};
	assert_int_equal(parse(&s, &f), -EINVAL);
	/* router solicitation from :: (§6.1.1) */
	s = sample(ND_RS);
	assert_int_equal(parse(&s, &f), 0);
	add(&s, slla, 8);
	assert_int_equal(parse(&s, &f), -EINVAL);
	/* neighbour advertisement to a group */
	s = sample(ND_NA);
	f = usual;
	s.b[4] = 0xa0;
	assert_int_equal(parse(&s, &f), 0);
	s.b[4] = 0x40;
	assert_int_equal(parse(&s, &f), -EINVAL);
	f.dst = global;
	assert_int_equal(parse(&s, &f), 0);
	/* targets that are groups */
	for (int type = ND_NS; type <= ND_NA; type++) {
		s = sample((uint8_t)type);
		memcpy(s.b + 8, all_nodes.b, 16);
		assert_int_equal(parse(&s, &usual), -EINVAL);
	}
}

static void req_ND_011__redirect_names_a_router_or_the_destination_itself(void **state)
{
	struct sample s = sample(ND_REDIRECT);
	assert_int_equal(parse(&s, &usual), 0);
	memcpy(s.b + 8, global.b, 16); /* target is the destination: on link */
	assert_int_equal(parse(&s, &usual), 0);
	s.b[23]++;                     /* another global address */
	assert_int_equal(parse(&s, &usual), -EINVAL);
	s = sample(ND_REDIRECT);
	memcpy(s.b + 24, all_nodes.b, 16);
	assert_int_equal(parse(&s, &usual), -EINVAL);
}

static void nd_parse__advertisement(void **state)
{
	static const uint8_t ra[] = {
		134, 0, 0, 0, 64, 0xc8, 0x07, 0x08, 0, 0, 0x75, 0x30, 0, 0, 0x03, 0xe8, /* M, O, high; 1800 s, 30 s, 1 s */
		1, 1, 2, 0, 0, 0, 0, 9,
		5, 1, 0, 0, 0, 0, 0x05, 0xdc,
		3, 4, 64, 0x80, 0, 0, 0, 100, 0, 0, 0, 50, 0, 0, 0, 0, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7,
		3, 4, 48, 0x40, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xfd, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		3, 4, 129, 0x40, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0xfd, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		1, 1, 2, 0, 0, 0, 0, 8, /* a second one does not count */
	};
	struct nd_msg m;
	assert_int_equal(nd_parse(ra, sizeof(ra), &usual, &m), 0);
	assert_true(m.type == ND_RA && m.hop_limit == 64 && m.managed && m.other && m.preference == ND_PREF_HIGH);
	assert_true(m.lifetime_s == 1800 && m.reachable_ms == 30000 && m.retrans_ms == 1000 && m.mtu == 1500);
	assert_true(m.has_lla && m.lla[5] == 9);
	assert_int_equal(m.n_prefixes, 2); /* 129 bits are none */
	assert_true(m.prefix[0].plen == 64 && m.prefix[0].on_link && !m.prefix[0].autonomous);
	assert_true(m.prefix[0].valid_s == 100 && m.prefix[0].preferred_s == 50);
	assert_memory_equal(m.prefix[0].prefix.b, global.b, 16);
	assert_true(m.prefix[1].plen == 48 && !m.prefix[1].on_link && m.prefix[1].autonomous);
	assert_true(m.prefix[1].valid_s == ND_LIFETIME_INF && m.prefix[1].preferred_s == ND_LIFETIME_INF);
	/* RFC 4191 §2.2: 01 high, 00 medium, 11 low, 10 is taken as medium */
	static const int8_t pref[] = {ND_PREF_MEDIUM, ND_PREF_HIGH, ND_PREF_MEDIUM, ND_PREF_LOW};
	for (uint8_t k = 0; k < 4; k++) {
		uint8_t b[16] = {134, [5] = (uint8_t)(k << 3)};
		assert_int_equal(nd_parse(b, sizeof(b), &usual, &m), 0);
		assert_int_equal(m.preference, pref[k]);
	}
}

static void nd_parse__prefixes_are_bounded(void **state)
{
	uint8_t b[16 + 100 * 32] = {134};
	struct nd_msg m;
	for (int i = 0; i < 100; i++) {
		uint8_t *o = b + 16 + i * 32;
		o[0] = 3, o[1] = 4, o[2] = 64, o[31] = (uint8_t)i;
	}
	assert_int_equal(nd_parse(b, sizeof(b), &usual, &m), 0);
	assert_int_equal(m.n_prefixes, ND_PREFIXES_MAX);
	assert_int_equal(m.prefix[ND_PREFIXES_MAX - 1].prefix.b[15], ND_PREFIXES_MAX - 1);
}

/* A link-layer address option counts only where it belongs and if it is Ethernet's; a group's MAC is nobody's. */
static void nd_parse__link_layer_address(void **state)
{
	static const bool source[] = {true, true, true, false, false};
	struct nd_msg m;
	for (int type = ND_RS; type <= ND_REDIRECT; type++) {
		for (uint8_t kind = 1; kind <= 2; kind++) {
			struct sample s = sample((uint8_t)type);
			add(&s, (const uint8_t[]){kind, 1, 2, 3, 4, 5, 6, 7}, 8);
			assert_int_equal(nd_parse(s.b, s.len, &usual, &m), 0);
			assert_int_equal(m.has_lla, (kind == 1) == source[type - ND_RS]);
		}
		struct sample s = sample((uint8_t)type);
		uint8_t kind = source[type - ND_RS] ? 1 : 2;
		add(&s, (const uint8_t[16]){kind, 2, 2, 3}, 16);
		assert_int_equal(nd_parse(s.b, s.len, &usual, &m), 0);
		assert_false(m.has_lla);
		s = sample((uint8_t)type);
		add(&s, (const uint8_t[]){kind, 1, 3, 3, 4, 5, 6, 7}, 8);
		assert_int_equal(nd_parse(s.b, s.len, &usual, &m), -EINVAL);
	}
}

static void nd_emit__bytes(void **state)
{
	uint8_t out[ND_EMIT_MAX];
	struct nd_msg ns = {.type = ND_NS, .target = global, .has_lla = true, .lla = {2, 0, 0, 0, 0, 1}, .has_nonce = true,
			    .nonce = {1, 2, 3, 4, 5, 6}};
	static const uint8_t ns_bytes[] = {
		135, 0, 0, 0, 0, 0, 0, 0, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 1, 1, 2, 0, 0, 0, 0, 1,
		14, 1, 1, 2, 3, 4, 5, 6};
	assert_int_equal(nd_emit(out, sizeof(out), &ns), sizeof(ns_bytes));
	assert_memory_equal(out, ns_bytes, sizeof(ns_bytes));
	struct nd_msg na = {.type = ND_NA, .target = global, .is_router = true, .solicited = true, .override = true, .has_lla = true,
			    .lla = {2, 0, 0, 0, 0, 1}};
	static const uint8_t na_bytes[] = {
		136, 0, 0, 0, 0xe0, 0, 0, 0, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 2, 1, 2, 0, 0, 0, 0, 1};
	assert_int_equal(nd_emit(out, sizeof(out), &na), sizeof(na_bytes));
	assert_memory_equal(out, na_bytes, sizeof(na_bytes));
	for (size_t cap = 0; cap < sizeof(na_bytes); cap++)
		assert_int_equal(nd_emit(out, cap, &na), 0);
	struct nd_msg ra = {.type = ND_RA, .hop_limit = 64, .other = true, .preference = ND_PREF_LOW, .lifetime_s = 9, .mtu = 1280,
			    .n_prefixes = 1, .prefix = {{.prefix = global, .plen = 64, .on_link = true, .autonomous = true, .valid_s = 2,
			    .preferred_s = 1}}};
	static const uint8_t ra_bytes[] = {
		134, 0, 0, 0, 64, 0x58, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 5, 1, 0, 0, 0, 0, 5, 0,
		3, 4, 64, 0xc0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}; /* host bits 0 */
	assert_int_equal(nd_emit(out, sizeof(out), &ra), sizeof(ra_bytes));
	assert_memory_equal(out, ra_bytes, sizeof(ra_bytes));
}

static void nd_emit__redirect_quotes_whole_units(void **state)
{
	uint8_t out[3000], quote[2500];
	struct nd_msg m, r = {.type = ND_REDIRECT, .target = ll, .dst = global, .quote = quote, .quote_len = 45};
	memset(quote, 0x5a, sizeof(quote));
	size_t n = nd_emit(out, sizeof(out), &r);
	assert_int_equal(n, 40 + 8 + 40);
	assert_int_equal(nd_parse(out, n, &usual, &m), 0);
	assert_int_equal(m.quote_len, 40);
	assert_memory_equal(m.quote, quote, 40);
	assert_memory_equal(m.dst.b, global.b, 16);
	r.quote_len = sizeof(quote); /* an option has a byte for its length */
	n = nd_emit(out, sizeof(out), &r);
	assert_int_equal(n, 40 + 255 * 8);
	assert_int_equal(nd_parse(out, n, &usual, &m), 0);
	assert_int_equal(m.quote_len, 254 * 8);
}

static void nd_solicited_node__of_an_address(void **state)
{
	static const struct via_addr a = {.b = {0x20, 1, [12] = 0x12, 0x34, 0x56, 0x78}};
	static const uint8_t group[16] = {0xff, 2, [11] = 1, [12] = 0xff, 0x34, 0x56, 0x78};
	struct via_addr g = nd_solicited_node(&a);
	assert_memory_equal(g.b, group, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(req_ND_001__hop_limit_code_length_options), cmocka_unit_test(req_ND_003__what_came_in_fragments_is_ignored),
		cmocka_unit_test(req_ND_002__addresses_and_flags),
		cmocka_unit_test(req_ND_011__redirect_names_a_router_or_the_destination_itself),
		cmocka_unit_test(nd_parse__advertisement), cmocka_unit_test(nd_parse__prefixes_are_bounded),
		cmocka_unit_test(nd_parse__link_layer_address), cmocka_unit_test(nd_emit__bytes),
		cmocka_unit_test(nd_emit__redirect_quotes_whole_units), cmocka_unit_test(nd_solicited_node__of_an_address),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
