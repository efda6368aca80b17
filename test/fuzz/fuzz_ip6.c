/* fuzz_ip6.c - a header that was read is written back byte for byte, and its payload lies in the packet. */
#include "test/fuzz/fuzz.h"
#include "wire/ip6.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct ip6_hdr h, super;
	uint8_t out[IP6_HLEN];
	bool is_good = ip6_parse(data, len, false, &h) == 0, is_super = ip6_parse(data, len, true, &super) == 0;
	CHECK(is_super == is_good);
	if (!is_good)
		return 0;
	CHECK(len >= IP6_HLEN && data[0] >> 4 == 6 && IP6_HLEN + h.payload_len <= len && IP6_HLEN + super.payload_len <= len);
	CHECK(super.payload_len == (h.payload_len ? h.payload_len : len - IP6_HLEN));
	CHECK(h.src.scope == 0 && h.dst.scope == 0);
	ip6_emit(out, &h);
	CHECK(memcmp(out, data, IP6_HLEN) == 0);
	return 0;
}
