/* test_wire_tcp.c - TCP header and options: what is read, what is written, and what malformed lists may do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "wire/tcp.h"

#include <errno.h>

/* A header of 20 bytes and the given options, the data offset set to cover them. */
static size_t segment(uint8_t out[60], uint8_t flags, const uint8_t *opts, size_t n)
{
	static const uint8_t head[20] = {0x04, 0xd2, 0x00, 0x50, 1, 2, 3, 4, 5, 6, 7, 8, 0x50, 0, 0xff, 0xf0, 0xab, 0xcd, 0, 9};
	assert_true(n % 4 == 0 && n <= 40);
	memcpy(out, head, 20);
	memcpy(out + 20, opts, n);
	out[12] = (uint8_t)((20 + n) / 4 << 4);
	out[13] = flags;
	return 20 + n;
}

static struct tcp_hdr parsed(uint8_t flags, const uint8_t *opts, size_t n)
{
	uint8_t b[60];
	struct tcp_hdr h;
	size_t len = segment(b, flags, opts, n);
	assert_int_equal(tcp_parse(b, len, &h), 0);
	return h;
}
#define PARSED(flags, ...) parsed(flags, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void tcp_parse__fields(void **state)
{
	struct tcp_hdr h = PARSED(TCP_SYN | TCP_ACK, 1, 1, 1, 0);
	assert_int_equal(h.sport, 1234);
	assert_int_equal(h.dport, 80);
	assert_int_equal(h.seq, 0x01020304);
	assert_int_equal(h.ack, 0x05060708);
	assert_int_equal(h.hlen, 24);
	assert_int_equal(h.flags, TCP_SYN | TCP_ACK);
	assert_int_equal(h.wnd, 0xfff0); /* TCP-001: unsigned */
	assert_int_equal(h.csum, 0xabcd);
	assert_int_equal(h.urg, 9);
	assert_false(h.has_mss || h.has_ws || h.has_ts || h.sack_permitted || h.n_sack);
}

static void req_TCP_004__options_in_any_segment(void **state)
{
	static const uint8_t flags[] = {TCP_SYN, TCP_SYN | TCP_ACK, TCP_ACK, TCP_RST, TCP_FIN | TCP_ACK, 0};
	for (size_t i = 0; i < sizeof(flags); i++) {
		struct tcp_hdr h = PARSED(flags[i], 1, 2, 4, 5, 180, 1, 1, 0);
		assert_true(h.has_mss);
		assert_int_equal(h.mss, 1460);
	}
}

static void req_TCP_005__unknown_options_are_skipped(void **state)
{
	struct tcp_hdr h = PARSED(TCP_SYN, 77, 5, 1, 2, 3, 254, 2, 2, 4, 2, 24, 0);
	assert_true(h.has_mss);
	assert_int_equal(h.mss, 536);
}

static void req_TCP_006__bad_length_ends_the_list(void **state)
{
	/* Window scale before the bad option counts, MSS after it does not. */
	for (int bad = 0; bad < 3; bad++) {
		const uint8_t lens[] = {0, 1, 11};
		struct tcp_hdr h = PARSED(TCP_SYN, 3, 3, 7, 99, lens[bad], 2, 4, 5, 180, 0, 0, 0);
		assert_true(h.has_ws);
		assert_int_equal(h.ws, 7);
		assert_false(h.has_mss);
	}
	struct tcp_hdr h = PARSED(TCP_SYN, 1, 1, 1, 2); /* kind without a length */
	assert_false(h.has_mss);
	/* A timestamp of the right length whose last four bytes would lie behind the header. */
	const uint8_t past[TCP_HLEN + 12] = {[12] = 7 << 4, [TCP_HLEN] = 1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8};
	assert_int_equal(tcp_parse(past, sizeof(past), &h), 0);
	assert_int_equal(h.hlen, TCP_HLEN + 8);
	assert_false(h.has_ts);
}

static void req_TCP_006__wrong_length_for_its_kind_is_skipped(void **state)
{
	struct tcp_hdr h = PARSED(TCP_SYN, 2, 3, 5, 3, 4, 1, 2, 4, 3, 1, 8, 4, 1, 2, 5, 6, 1, 1, 1, 1, 3, 3, 9, 0);
	assert_false(h.has_mss || h.has_ts || h.sack_permitted || h.n_sack);
	assert_true(h.has_ws); /* the one that is well formed */
	assert_int_equal(h.ws, 9);
}

static void req_TCP_007__options_at_any_alignment(void **state)
{
	for (size_t shift = 0; shift < 8; shift++) {
		uint8_t o[24] = {0};
		memset(o, 1, shift);
		memcpy(o + shift, (const uint8_t[]){8, 10, 0xa, 0xb, 0xc, 0xd, 1, 2, 3, 4, 2, 4, 2, 24}, 14);
		struct tcp_hdr h = parsed(TCP_SYN, o, sizeof(o));
		assert_true(h.has_ts && h.has_mss);
		assert_int_equal(h.tsval, 0x0a0b0c0d);
		assert_int_equal(h.tsecr, 0x01020304);
		assert_int_equal(h.mss, 536);
	}
}

static void req_TCP_007__nothing_after_end_of_list(void **state)
{
	struct tcp_hdr h = PARSED(TCP_SYN, 0, 2, 4, 5, 180, 3, 3, 7);
	assert_false(h.has_mss || h.has_ws);
}

/* MUST-69: what stands in a header behind the options is an end of list and zeros, or nothing. Walked as a stranger would, for every
 * mixture of options and every length of cookie. */
static void req_TCP_007__what_is_sent_is_padded_with_zeros(void **state)
{
	for (unsigned mix = 0; mix < 64; mix++)
		for (uint8_t cookie = 0; cookie <= 16; cookie += 2)
			for (uint8_t blocks = 0; blocks <= TCP_SACK_MAX; blocks++) {
				uint8_t out[60];
				struct tcp_hdr h = {.flags = mix & 1 ? TCP_SYN : TCP_ACK, .has_mss = mix & 2, .mss = 1460, .has_ws = mix & 4, .ws = 7,
						    .sack_permitted = mix & 8, .has_ts = mix & 16, .tsval = 1, .tsecr = 2, .has_fo = mix & 32,
						    .fo_len = cookie, .n_sack = mix & 1 ? 0 : blocks};
				memset(out, 0xee, sizeof(out));
				uint32_t n = tcp_emit(out, &h), at = 20;
				assert_true(n <= 60 && n % 4 == 0);
				assert_int_equal(out[12] >> 4, n / 4);
				while (at < n && out[at] != 0) {
					assert_true(out[at] == 1 || (at + 1 < n && out[at + 1] >= 2));
					at += out[at] == 1 ? 1 : out[at + 1];
				}
				assert_true(at <= n);
				for (; at < n; at++)
					assert_int_equal(out[at], 0);
			}
}

static void req_TCP_008__data_offset(void **state)
{
	uint8_t b[60] = {0};
	struct tcp_hdr h;
	segment(b, TCP_ACK, b, 0);
	for (int words = 0; words < 16; words++) {
		b[12] = (uint8_t)(words << 4);
		assert_int_equal(tcp_parse(b, 40, &h), words >= 5 && words <= 10 ? 0 : -EINVAL);
	}
	b[12] = 5 << 4;
	for (size_t len = 0; len < 20; len++)
		assert_int_equal(tcp_parse(b, len, &h), -EINVAL);
}

static void req_TCP_009__mss_only_on_syn(void **state)
{
	uint8_t out[60];
	struct tcp_hdr again, h = {.flags = TCP_SYN, .has_mss = true, .mss = 1460, .has_ws = true, .ws = 7, .sack_permitted = true};
	assert_int_equal(tcp_parse(out, tcp_emit(out, &h), &again), 0);
	assert_true(again.has_mss && again.has_ws && again.sack_permitted);
	h.flags = TCP_SYN | TCP_ACK;
	assert_int_equal(tcp_parse(out, tcp_emit(out, &h), &again), 0);
	assert_true(again.has_mss && again.mss == 1460);
	h.flags = TCP_ACK;
	assert_int_equal(tcp_emit(out, &h), 20);
}

static void req_TX_001__shift_above_14_is_14(void **state)
{
	for (int ws = 0; ws < 256; ws++) {
		struct tcp_hdr h = PARSED(TCP_SYN, 3, 3, (uint8_t)ws, 0);
		assert_true(h.has_ws);
		assert_int_equal(h.ws, ws > 14 ? 14 : ws);
	}
}

static void req_TX_001__window_scale_only_on_syn(void **state)
{
	uint8_t out[60];
	struct tcp_hdr h = {.flags = TCP_ACK, .has_ws = true, .ws = 7, .has_ts = true, .tsval = 1};
	uint32_t n = tcp_emit(out, &h);
	assert_int_equal(n, 32);
	for (uint32_t i = 20; i < 32; i++)
		assert_int_not_equal(out[i], 3);
}

/* What Linux sends, byte for byte. */
static void tcp_emit__layout_as_linux(void **state)
{
	static const uint8_t syn[] = {2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 3, 3, 7};
	static const uint8_t syn_no_ts[] = {2, 4, 5, 180, 1, 1, 4, 2, 1, 3, 3, 7};
	static const uint8_t ack[] = {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2};
	static const uint8_t sack[] = {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 1, 5, 10, 0, 0, 0, 8, 0, 0, 0, 9};
	uint8_t out[60];
	struct tcp_hdr h = {.flags = TCP_SYN,
		.has_mss = true,
		.mss = 1460,
		.has_ws = true,
		.ws = 7,
		.has_ts = true,
		.tsval = 1,
		.tsecr = 2,
		.sack_permitted = true};
	assert_int_equal(tcp_emit(out, &h), 20 + sizeof(syn));
	assert_memory_equal(out + 20, syn, sizeof(syn));
	h.has_ts = false;
	assert_int_equal(tcp_emit(out, &h), 20 + sizeof(syn_no_ts));
	assert_memory_equal(out + 20, syn_no_ts, sizeof(syn_no_ts));
	h = (struct tcp_hdr){.flags = TCP_ACK, .has_ts = true, .tsval = 1, .tsecr = 2};
	assert_int_equal(tcp_emit(out, &h), 20 + sizeof(ack));
	assert_memory_equal(out + 20, ack, sizeof(ack));
	h.n_sack = 1;
	h.sack[0] = (struct iv){8, 9};
	assert_int_equal(tcp_emit(out, &h), 20 + sizeof(sack));
	assert_memory_equal(out + 20, sack, sizeof(sack));
}

static void tcp_emit__sack_fills_what_is_left(void **state)
{
	uint8_t out[60];
	struct tcp_hdr again, h = {.flags = TCP_ACK, .n_sack = 4, .sack = {{1, 2}, {3, 4}, {5, 6}, {7, 8}}};
	assert_int_equal(tcp_emit(out, &h), 56);
	assert_int_equal(tcp_parse(out, 56, &again), 0);
	assert_int_equal(again.n_sack, 4);
	assert_memory_equal(again.sack, h.sack, sizeof(h.sack));
	h.has_ts = true; /* RFC 2018 §3: three beside timestamps */
	assert_int_equal(tcp_emit(out, &h), 60);
	assert_int_equal(tcp_parse(out, 60, &again), 0);
	assert_int_equal(again.n_sack, 3);
}

static struct tcp_hdr random_header(struct rng *r)
{
	bool syn = rng_below(r, 2);
	struct tcp_hdr h = {
		.sport = (uint16_t)rng_u64(r), .dport = (uint16_t)rng_u64(r), .seq = (uint32_t)rng_u64(r), .ack = (uint32_t)rng_u64(r),
		.wnd = (uint16_t)rng_u64(r), .csum = (uint16_t)rng_u64(r), .urg = (uint16_t)rng_u64(r),
		.flags = (uint8_t)((rng_u64(r) & ~(uint64_t)TCP_SYN) | (syn ? TCP_SYN : 0)),
	};
	if (syn && (h.has_mss = rng_below(r, 2)))
		h.mss = (uint16_t)rng_u64(r);
	if (syn && (h.has_ws = rng_below(r, 2)))
		h.ws = (uint8_t)rng_below(r, 15);
	h.sack_permitted = syn && rng_below(r, 2);
	if ((h.has_ts = rng_below(r, 2))) {
		h.tsval = (uint32_t)rng_u64(r);
		h.tsecr = (uint32_t)rng_u64(r);
	}
	if (syn && (h.has_fo = rng_below(r, 2))) {
		h.fo_exp = rng_below(r, 2);
		h.fo_len = (uint8_t)(rng_below(r, 2) ? 4 + 2 * rng_below(r, 7) : 0);
		for (unsigned i = 0; i < h.fo_len; i++)
			h.fo[i] = (uint8_t)rng_u64(r);
	}
	h.n_sack = syn ? 0 : (uint8_t)rng_below(r, h.has_ts ? 4 : 5);
	for (unsigned i = 0; i < h.n_sack; i++)
		h.sack[i] = (struct iv){(uint32_t)rng_u64(r), (uint32_t)rng_u64(r)};
	return h;
}

static void tcp_emit__parse_gives_it_back(void **state)
{
	struct rng r;
	rng_seed(&r, 1);
	for (int i = 0; i < 20000; i++) {
		uint8_t out[60];
		struct tcp_hdr again, h = random_header(&r);
		uint32_t n = tcp_emit(out, &h);
		assert_int_equal(n, tcp_emit_len(&h));
		assert_int_equal(n % 4, 0);
		assert_int_equal(tcp_parse(out, n, &again), 0);
		assert_int_equal(again.hlen, n);
		again.hlen = h.hlen;
		assert_true(again.sport == h.sport && again.dport == h.dport && again.seq == h.seq && again.ack == h.ack && again.wnd == h.wnd);
		assert_true(again.csum == h.csum && again.urg == h.urg && again.flags == h.flags);
		assert_true(again.has_mss == h.has_mss && again.mss == h.mss && again.has_ws == h.has_ws && again.ws == h.ws);
		assert_true(again.sack_permitted == h.sack_permitted && again.has_ts == h.has_ts &&
			again.tsval == h.tsval && again.tsecr == h.tsecr);
		assert_int_equal(again.n_sack, h.n_sack);
		assert_memory_equal(again.sack, h.sack, h.n_sack * sizeof(h.sack[0]));
		assert_true(again.has_fo == h.has_fo && again.fo_exp == h.fo_exp && again.fo_len == h.fo_len);
		assert_memory_equal(again.fo, h.fo, h.fo_len);
	}
}

/* RFC 7413 §4.1.1: 4 to 16 bytes, even, or none; on SYN only. */
static void req_TX_013__which_lengths_are_cookies(void **state)
{
	for (unsigned exp = 0; exp < 2; exp++)
		for (unsigned len = 0; len <= 20; len++)
			for (unsigned syn = 0; syn < 2; syn++) {
				uint8_t p[60] = {[13] = syn ? TCP_SYN : TCP_ACK};
				unsigned base = exp ? 4 : 2, at = 20;
				p[12] = (20 + 24) / 4 << 4;
				p[at++] = exp ? 254 : 34;
				p[at++] = (uint8_t)(base + len);
				if (exp)
					put_be16(p + at, 0xf989), at += 2;
				for (unsigned i = 0; i < len; i++)
					p[at++] = (uint8_t)(i + 1);
				struct tcp_hdr h;
				assert_int_equal(tcp_parse(p, 44, &h), 0);
				assert_int_equal(h.has_fo, syn && len % 2 == 0 && (len == 0 || (len >= 4 && len <= 16)));
				assert_int_equal(h.fo_len, h.has_fo ? len : 0);
				assert_int_equal(h.fo_exp, h.has_fo && exp);
				if (h.has_fo)
					assert_memory_equal(h.fo, p + 20 + base, len);
			}
}

static void tcp_seg_len__counts_syn_and_fin(void **state)
{
	struct tcp_hdr h = {.flags = TCP_SYN};
	assert_int_equal(tcp_seg_len(&h, 0), 1);
	h.flags = TCP_FIN | TCP_ACK;
	assert_int_equal(tcp_seg_len(&h, 10), 11);
	h.flags = TCP_ACK;
	assert_int_equal(tcp_seg_len(&h, 10), 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp_parse__fields),
		cmocka_unit_test(req_TCP_004__options_in_any_segment),
		cmocka_unit_test(req_TCP_005__unknown_options_are_skipped),
		cmocka_unit_test(req_TCP_006__bad_length_ends_the_list),
		cmocka_unit_test(req_TCP_006__wrong_length_for_its_kind_is_skipped),
		cmocka_unit_test(req_TCP_007__options_at_any_alignment),
		cmocka_unit_test(req_TCP_007__nothing_after_end_of_list),
		cmocka_unit_test(req_TCP_007__what_is_sent_is_padded_with_zeros),
		cmocka_unit_test(req_TCP_008__data_offset),
		cmocka_unit_test(req_TCP_009__mss_only_on_syn),
		cmocka_unit_test(req_TX_001__shift_above_14_is_14),
		cmocka_unit_test(req_TX_001__window_scale_only_on_syn),
		cmocka_unit_test(tcp_emit__layout_as_linux),
		cmocka_unit_test(tcp_emit__sack_fills_what_is_left),
		cmocka_unit_test(tcp_emit__parse_gives_it_back),
		cmocka_unit_test(req_TX_013__which_lengths_are_cookies),
		cmocka_unit_test(tcp_seg_len__counts_syn_and_fin),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
