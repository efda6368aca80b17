/* IPv6 headers and extension headers as they come from a wire: RFC 8200 §3, §4; RFC 8504 §5.3; RFC 5095. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ip6_wire.h"

/* A chain of headers under construction. */
struct chain {
	uint8_t b[4096];
	uint32_t n;
	uint32_t field; /* where the last "next header" stands, from the IP header on */
	uint8_t first;
};

/* Append a header of type `type` with these bytes behind next and length; n + 2 is a multiple of 8. */
static void add(struct chain *c, uint8_t type, const void *body, uint32_t n)
{
	if (c->n == 0)
		c->first = type;
	else
		c->b[c->field - IP6_HLEN] = type;
	c->field = IP6_HLEN + c->n;
	c->b[c->n + 1] = (uint8_t)((n + 2) / 8 - 1);
	memcpy(c->b + c->n + 2, body, n);
	c->n += n + 2;
}

/* PadN of 4: a whole header of 8. */
static void add_pad(struct chain *c, uint8_t type)
{
	add(c, type, "\1\4\0\0\0\0", 6);
}

/* End the chain with a UDP datagram, or with n bytes of `type`. Returns the packet's bytes. */
static uint32_t finish(struct chain *c, uint8_t *out, const char *dst, uint8_t type)
{
	uint8_t body[64];
	uint32_t n = udp_make(body, PEER, dst, 20);
	if (c->n == 0)
		c->first = type;
	else
		c->b[c->field - IP6_HLEN] = type;
	memcpy(c->b + c->n, body, n);
	return ip6_make(out, c->first, PEER, dst, c->b, c->n + n);
}

static void expect_taken(struct wire6 *w, struct chain *c)
{
	uint8_t out[4200];
	uint32_t n = finish(c, out, HOST, IPPROTO_N_UDP);
	wire6_inject(w, out, n);
	assert_int_equal(udp_got(w), 20);
	assert_int_equal(w->n, 0);
}

static void expect_silence(struct wire6 *w, struct chain *c, const char *dst, enum drop why)
{
	uint8_t out[4200];
	uint32_t n = finish(c, out, dst, IPPROTO_N_UDP), was = w->t->seen.dropped[why];
	wire6_inject(w, out, n);
	assert_int_equal(udp_got(w), -EAGAIN);
	assert_int_equal(w->t->seen.dropped[why], was + 1);
	assert_int_equal(w->n, 0);
}

static void req_IP6_001__bad_headers(void **state)
{
	struct wire6 *w = wire6_new(false);
	static const struct { const char *src, *dst; enum drop why; } bad[] = {
		{"ff02::1", HOST, DROP_IP_SOURCE}, {"ff0e::5", HOST, DROP_IP_SOURCE}, {"::1", HOST, DROP_IP_SOURCE}, {"::", HOST, DROP_IP_SOURCE},
		{"::ffff:10.0.0.1", HOST, DROP_IP_SOURCE}, {PEER, "::1", DROP_IP_NOT_OURS}, {PEER, "::", DROP_IP_NOT_OURS},
		{PEER, "::ffff:127.0.0.1", DROP_IP_NOT_OURS}, {PEER, "ff01::1", DROP_IP_NOT_OURS}, {HOST, HOST, DROP_IP_SOURCE},
		{PEER, "2001:db8::2", DROP_IP_NOT_OURS},
	};
	uint8_t body[64], out[200];
	uint32_t n = udp_make(body, PEER, HOST, 20), k = ip6_make(out, IPPROTO_N_UDP, PEER, HOST, body, n), seen = 0;
	wire6_inject(w, out, k);
	assert_int_equal(udp_got(w), 20);
	memset(out + k, 0xee, 10);
	wire6_inject(w, out, k + 10); /* padding of the link is no data */
	assert_int_equal(udp_got(w), 20);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		udp_make(body, bad[i].src, bad[i].dst, 20);
		ip6_make(out, IPPROTO_N_UDP, bad[i].src, bad[i].dst, body, n);
		seen = w->t->seen.dropped[bad[i].why];
		wire6_inject(w, out, k);
		assert_int_equal(w->t->seen.dropped[bad[i].why], seen + 1);
		assert_int_equal(udp_got(w), -EAGAIN);
	}
	ip6_make(out, IPPROTO_N_UDP, PEER, HOST, body, n);
	for (unsigned version = 0; version < 16; version++) {
		out[0] = (uint8_t)(version << 4);
		if (version != 6)
			wire6_inject(w, out, k);
	}
	out[0] = 0x60;
	put_be16(out + 4, (uint16_t)(n + 1)); /* longer than the frame */
	wire6_inject(w, out, k);
	for (uint32_t cut = 0; cut < k; cut++) { /* HARD-01: any byte may be the last one */
		put_be16(out + 4, (uint16_t)n);
		wire6_inject(w, out, cut);
	}
	assert_int_equal(w->t->seen.dropped[DROP_IP_BAD], 15 + 1 + k);
	assert_int_equal(udp_got(w), -EAGAIN);
	assert_int_equal(w->n, 0); /* and nobody is told */
	wire6_free(w);
}

static void req_IP6_002__any_order_but_hop_by_hop_first(void **state)
{
	struct wire6 *w = wire6_new(false);
	static const uint8_t types[] = {IPPROTO_N_DSTOPTS, IPPROTO_N_ROUTING};
	for (unsigned bits = 0; bits < 256; bits++) { /* with or without hop-by-hop, then up to 7 others in any order */
		struct chain c = {.n = 0};
		if (bits & 1)
			add_pad(&c, IPPROTO_N_HOPOPTS);
		for (unsigned i = 1; i < 1 + bits % 8; i++) {
			uint8_t type = types[bits >> i & 1];
			if (type == IPPROTO_N_ROUTING)
				add(&c, type, "\x63\0\0\0\0\0", 6); /* unknown type, no segments left */
			else
				add_pad(&c, type);
		}
		expect_taken(w, &c);
	}
	/* strictly in order: what comes first decides */
	struct chain c = {.n = 0};
	uint8_t out[200];
	add(&c, IPPROTO_N_DSTOPTS, "\x80\0\1\2\0\0", 6); /* an error to be told */
	add(&c, IPPROTO_N_ROUTING, "\x63\1\0\0\0\0", 6); /* another one */
	uint32_t n = finish(&c, out, HOST, IPPROTO_N_UDP);
	wire6_inject(w, out, n);
	expect_icmp6(w, ICMP6_PARAM, ICMP6_PARAM_OPTION, 42, out, n);
	c = (struct chain){.n = 0};
	add(&c, IPPROTO_N_ROUTING, "\x63\1\0\0\0\0", 6);
	add(&c, IPPROTO_N_DSTOPTS, "\x80\0\1\2\0\0", 6);
	n = finish(&c, out, HOST, IPPROTO_N_UDP);
	wire6_inject(w, out, n);
	expect_icmp6(w, ICMP6_PARAM, ICMP6_PARAM_FIELD, 42, out, n);
	wire6_free(w);
}

static void req_IP6_003__unknown_next_header_and_late_hop_by_hop(void **state)
{
	struct wire6 *w = wire6_new(false);
	static const uint8_t unknown[] = {99, 253, 1 /* ICMPv4 */, 50, 51, 47};
	uint8_t out[300];
	for (size_t i = 0; i < ARRAY_LEN(unknown); i++) {
		for (uint32_t k = 0; k < 3; k++) {
			struct chain c = {.n = 0};
			for (uint32_t j = 0; j < k; j++)
				add_pad(&c, IPPROTO_N_DSTOPTS);
			uint32_t n = finish(&c, out, HOST, unknown[i]);
			wire6_inject(w, out, n);
			expect_icmp6(w, ICMP6_PARAM, ICMP6_PARAM_NEXT, k ? 40 + 8 * (k - 1) : 6, out, n);
		}
	}
	struct chain c = {.n = 0};
	add_pad(&c, IPPROTO_N_DSTOPTS);
	add_pad(&c, IPPROTO_N_HOPOPTS);
	uint32_t n = finish(&c, out, HOST, IPPROTO_N_UDP);
	wire6_inject(w, out, n);
	expect_icmp6(w, ICMP6_PARAM, ICMP6_PARAM_NEXT, 40, out, n);
	assert_int_equal(w->t->seen.dropped[DROP_EXT_ORDER], 1);
	n = finish(&(struct chain){.n = 0}, out, HOST, IPPROTO_N_NONE); /* "no next header" is not an unknown one */
	wire6_inject(w, out, n);
	assert_int_equal(w->n, 0);
	assert_int_equal(udp_got(w), -EAGAIN);
	wire6_free(w);
}

static void req_IP6_004__action_bits(void **state)
{
	struct wire6 *w = wire6_new(false);
	static const uint8_t headers[] = {IPPROTO_N_HOPOPTS, IPPROTO_N_DSTOPTS};
	uint8_t out[300];
	for (size_t k = 0; k < 2; k++) {
		for (unsigned action = 0; action < 4; action++) {
			for (int to_many = 0; to_many < 2; to_many++) {
				struct chain c = {.n = 0};
				uint8_t opts[6] = {1, 0, (uint8_t)(action << 6 | 0x1e), 2, 7, 7};
				bool told = action == 2 || (action == 3 && !to_many);
				add(&c, headers[k], opts, sizeof(opts));
				uint32_t n = finish(&c, out, to_many ? "ff02::1" : HOST, IPPROTO_N_UDP);
				wire6_inject(w, out, n);
				assert_int_equal(udp_got(w), action == 0 ? 20 : -EAGAIN);
				if (told)
					expect_icmp6(w, ICMP6_PARAM, ICMP6_PARAM_OPTION, 44, out, n);
				assert_int_equal(w->n, 0);
			}
		}
	}
	wire6_free(w);
}

static void req_IP6_005__pads_and_lengths(void **state)
{
	struct wire6 *w = wire6_new(false);
	static const uint8_t good[][14] = {
		{0, 0, 0, 0, 0, 0}, {1, 4, 0, 0, 0, 0}, {1, 0, 1, 0, 1, 0}, {0, 1, 3, 0, 0, 0}, {0, 0x1e, 0, 0, 1, 0}, {0x1e, 4, 1, 2, 3, 4},
	};
	static const uint8_t bad[][6] = {
		{1, 5, 0, 0, 0, 0}, {0x1e, 5, 0, 0, 0, 0}, {0x1e, 255, 0, 0, 0, 0}, {0, 0, 0, 0, 0, 1}, {0, 0, 0, 0, 0, 0x1e},
		{0x1e, 3, 0, 0, 0, 1},
		{0x9e, 5, 0, 0, 0, 0}, /* not even its action bits count */
	};
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct chain c = {.n = 0};
		add(&c, i & 1 ? IPPROTO_N_DSTOPTS : IPPROTO_N_HOPOPTS, good[i], 6);
		expect_taken(w, &c);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct chain c = {.n = 0};
		add(&c, i & 1 ? IPPROTO_N_DSTOPTS : IPPROTO_N_HOPOPTS, bad[i], 6);
		expect_silence(w, &c, HOST, DROP_EXT_BAD);
	}
	/* a header that is longer than the packet, one that ends with it, and one too long to look at */
	struct chain c = {.n = 0};
	uint8_t out[300];
	add_pad(&c, IPPROTO_N_DSTOPTS);
	uint32_t n = finish(&c, out, HOST, IPPROTO_N_UDP);
	out[41] = 200;
	wire6_inject(w, out, n);
	assert_int_equal(w->t->seen.dropped[DROP_EXT_BAD], ARRAY_LEN(bad) + 1);
	assert_int_equal(udp_got(w), -EAGAIN);
	wire6_free(w);
}

static void set(struct wire6 *w, enum via_setting which, int64_t value, int want)
{
	struct via_change c = {.kind = VIA_SET, .setting = which, .value = value};
	assert_int_equal(via_configure(w->v, &c), want);
}

/* n headers; n options in one; n bytes of padding in one. */
static void limits(struct wire6 *w, uint32_t headers, uint32_t options, bool fits)
{
	struct chain c = {.n = 0};
	uint8_t opts[254] = {0};
	for (uint32_t i = 0; i < options; i++)
		opts[2 * i] = 0x1e;
	uint32_t len = (2 * options + 2 + 7) / 8 * 8 - 2, pad = len - 2 * options;
	if (pad >= 2)
		memcpy(opts + 2 * options, (uint8_t[]){1, (uint8_t)(pad - 2)}, 2);
	for (uint32_t i = 0; i < headers; i++)
		add(&c, IPPROTO_N_DSTOPTS, opts, len);
	if (fits)
		expect_taken(w, &c);
	else
		expect_silence(w, &c, HOST, DROP_EXT_LIMIT);
}

static void req_IP6_006__limits(void **state)
{
	struct wire6 *w = wire6_new(false);
	limits(w, 8, 1, true);
	limits(w, 9, 1, false);
	limits(w, 1, 8, true);
	limits(w, 1, 9, false);
	set(w, VIA_SET_IP6_HEADERS, 2, 0);
	set(w, VIA_SET_IP6_OPTIONS, 100, 0);
	limits(w, 2, 100, true);
	limits(w, 2, 101, false);
	limits(w, 3, 1, false);
	set(w, VIA_SET_IP6_HEADERS, 256, -EINVAL);
	set(w, VIA_SET_IP6_OPTIONS, -1, -EINVAL);
	/* padding: 7 bytes together serve any alignment */
	struct chain c = {.n = 0};
	add(&c, IPPROTO_N_DSTOPTS, "\1\5\0\0\0\0\0\x1e\5\1\2\3\4\5", 14);
	expect_taken(w, &c);
	c = (struct chain){.n = 0};
	add(&c, IPPROTO_N_DSTOPTS, "\1\6\0\0\0\0\0\0\x1e\4\1\2\3\4", 14);
	expect_silence(w, &c, HOST, DROP_EXT_LIMIT);
	c = (struct chain){.n = 0};
	add(&c, IPPROTO_N_DSTOPTS, "\1\4\0\0\0\0\0\0\x1e\4\1\2\3\4", 14); /* Pad1 counts with PadN */
	expect_silence(w, &c, HOST, DROP_EXT_LIMIT);
	wire6_free(w);
}

static void req_IP6_007__routing_headers(void **state)
{
	struct wire6 *w = wire6_new(true);
	uint8_t out[300], r0[22] = {0, 0};
	for (unsigned type = 0; type < 256; type++) {
		for (unsigned left = 0; left < 3; left++) {
			struct chain c = {.n = 0};
			struct via_addr on = net_name(FAR);
			r0[0] = (uint8_t)type;
			r0[1] = (uint8_t)left;
			memcpy(r0 + 6, on.b, 16);
			add(&c, IPPROTO_N_ROUTING, r0, sizeof(r0));
			if (left == 0) {
				expect_taken(w, &c);
				continue;
			}
			uint32_t n = finish(&c, out, HOST, IPPROTO_N_UDP);
			wire6_inject(w, out, n);
			expect_icmp6(w, ICMP6_PARAM, ICMP6_PARAM_FIELD, 42, out, n); /* and nothing went on to FAR */
			assert_int_equal(udp_got(w), -EAGAIN);
		}
	}
	assert_int_equal(net_counter(w->v, "ip.forwarded"), 0);
	wire6_free(w);
}

/* A router obeys the hop-by-hop options of what passes through, and looks no further. */
static void router__hop_by_hop_only(void **state)
{
	struct wire6 *w = wire6_new(true);
	struct chain c = {.n = 0};
	uint8_t out[300];
	add_pad(&c, IPPROTO_N_HOPOPTS);
	add(&c, IPPROTO_N_DSTOPTS, "\x80\0\1\2\0\0", 6);
	uint32_t n = finish(&c, out, FAR, IPPROTO_N_UDP);
	wire6_inject(w, out, n);
	assert_int_equal(w->n, 1);
	assert_int_equal(w->len[0], n);
	assert_int_equal(w->sent[0][7], 63);
	assert_memory_equal(w->sent[0] + 8, out + 8, n - 8);
	wire6_clear(w);
	c = (struct chain){.n = 0};
	add(&c, IPPROTO_N_HOPOPTS, "\x80\0\1\2\0\0", 6);
	n = finish(&c, out, FAR, IPPROTO_N_UDP);
	wire6_inject(w, out, n);
	expect_icmp6(w, ICMP6_PARAM, ICMP6_PARAM_OPTION, 42, out, n);
	wire6_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(req_IP6_001__bad_headers), cmocka_unit_test(req_IP6_002__any_order_but_hop_by_hop_first),
		cmocka_unit_test(req_IP6_003__unknown_next_header_and_late_hop_by_hop), cmocka_unit_test(req_IP6_004__action_bits),
		cmocka_unit_test(req_IP6_005__pads_and_lengths), cmocka_unit_test(req_IP6_006__limits),
		cmocka_unit_test(req_IP6_007__routing_headers), cmocka_unit_test(router__hop_by_hop_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
