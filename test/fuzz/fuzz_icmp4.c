/* fuzz_icmp4.c - a header that was read is written back, its checksum field aside. */
#include "test/fuzz/fuzz.h"
#include "wire/icmp4.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct icmp4_hdr h;
	uint8_t out[ICMP4_HLEN];
	CHECK((icmp4_parse(data, len, &h) == 0) == (len >= ICMP4_HLEN));
	if (len < ICMP4_HLEN)
		return 0;
	icmp4_emit(out, &h);
	CHECK(memcmp(out, data, 2) == 0 && out[2] == 0 && out[3] == 0 && memcmp(out + 4, data + 4, 4) == 0);
	CHECK(h.csum == get_be16(data + 2));
	return 0;
}
