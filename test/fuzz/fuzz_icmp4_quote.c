/* fuzz_icmp4_quote.c - what a quote says is what stands at the RFC's offsets, and only where a transport header is. */
#include "test/fuzz/fuzz.h"
#include "wire/icmp4.h"
#include "wire/ip4.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct icmp4_quote q;
	if (icmp4_quote_parse(data, len, &q) < 0)
		return 0;
	size_t hlen = (data[0] & 15) * 4u;
	CHECK(hlen >= IP4_HLEN && hlen + 8 <= len && (get_be16(data + 6) & 0x1fff) == 0);
	CHECK(q.src == get_be32(data + 12) && q.dst == get_be32(data + 16) && q.proto == data[9]);
	bool ports = q.proto == IPPROTO_N_TCP || q.proto == IPPROTO_N_UDP;
	if (ports)
		CHECK(q.sport == get_be16(data + hlen) && q.dport == get_be16(data + hlen + 2));
	else
		CHECK(q.dport == 0);
	CHECK(q.seq == (q.proto == IPPROTO_N_TCP ? get_be32(data + hlen + 4) : 0));
	return 0;
}
