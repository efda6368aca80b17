/* fuzz_icmp6.c - a header that was read is written back, its checksum field aside; what a quote says stands at the RFC's offsets
 * behind as many extension headers as there are, and a later fragment says nothing. */
#include "test/fuzz/fuzz.h"
#include "wire/icmp6.h"
#include "wire/ip4.h"
#include "wire/ip6.h"

/* The quoted packet p says q. */
static void check_quote(const uint8_t *p, size_t len, const struct icmp6_quote *q)
{
	size_t at = IP6_HLEN;
	uint8_t next = p[6];
	CHECK(p[0] >> 4 == 6 && memcmp(q->src.b, p + 8, 16) == 0 && memcmp(q->dst.b, p + 24, 16) == 0);
	CHECK(q->total_len == 40u + get_be16(p + 4));
	for (int n = 0; next == 0 || next == 43 || next == 44 || next == 60; n++) {
		CHECK(n < ICMP6_QUOTE_HEADERS && at + 8 <= len);
		CHECK(next != 44 || get_be16(p + at + 2) >> 3 == 0);
		size_t step = next == 44 ? 8 : (p[at + 1] + 1) * 8u;
		next = p[at];
		at += step;
	}
	CHECK(at + 8 <= len && q->proto == next);
	bool ports = next == IPPROTO_N_TCP || next == IPPROTO_N_UDP, echo = next == 58 && (p[at] == 128 || p[at] == 129);
	CHECK(q->sport == (ports ? get_be16(p + at) : echo ? get_be16(p + at + 4) : 0));
	CHECK(q->dport == (ports ? get_be16(p + at + 2) : 0));
	CHECK(q->seq == (next == IPPROTO_N_TCP ? get_be32(p + at + 4) : 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct icmp6_hdr h;
	struct icmp6_quote q;
	uint8_t out[ICMP6_HLEN];
	if (icmp6_quote_parse(data, len, &q) == 0)
		check_quote(data, len, &q);
	CHECK((icmp6_parse(data, len, &h) == 0) == (len >= ICMP6_HLEN));
	if (len < ICMP6_HLEN)
		return 0;
	icmp6_emit(out, &h);
	CHECK(memcmp(out, data, 2) == 0 && out[2] == 0 && out[3] == 0 && memcmp(out + 4, data + 4, 4) == 0);
	CHECK(h.csum == get_be16(data + 2));
	return 0;
}
