/* fuzz_eth.c - an untagged header that was read is written back byte for byte; a header lies within the frame. */
#include "test/fuzz/fuzz.h"
#include "wire/eth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct eth_hdr h;
	uint8_t out[ETH_HLEN];
	if (eth_parse(data, len, &h) < 0) {
		CHECK(len < 18);
		return 0;
	}
	CHECK(h.hlen == (h.tagged ? 18 : 14) && h.hlen <= len && h.vlan < 4096);
	eth_emit(out, h.dst, h.src, h.tagged ? ETHERTYPE_VLAN : h.type);
	CHECK(memcmp(out, data, ETH_HLEN) == 0);
	CHECK(h.tagged || h.vlan == 0);
	return 0;
}
