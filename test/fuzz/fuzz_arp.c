/* fuzz_arp.c - a packet that was read is written back byte for byte; its sender is no group address. */
#include "test/fuzz/fuzz.h"
#include "wire/arp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct arp_pkt a;
	uint8_t out[ARP_LEN];
	if (arp_parse(data, len, &a) < 0)
		return 0;
	CHECK(len >= ARP_LEN && !(a.sha[0] & 1));
	arp_emit(out, &a);
	CHECK(memcmp(out, data, ARP_LEN) == 0);
	return 0;
}
