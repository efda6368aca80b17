/* fuzz_udp.c - a header that was read is written back byte for byte; its length lies within the payload. */
#include "test/fuzz/fuzz.h"
#include "wire/udp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct udp_hdr h;
	uint8_t out[UDP_HLEN];
	if (udp_parse(data, len, &h) < 0)
		return 0;
	CHECK(h.len >= UDP_HLEN && h.len <= len);
	udp_emit(out, &h);
	CHECK(memcmp(out, data, UDP_HLEN) == 0);
	return 0;
}
