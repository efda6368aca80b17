/* fuzz_nd.c - a neighbour discovery message that was read is written and read again the same; nothing it says lies outside it. */
#include "test/fuzz/fuzz.h"
#include "wire/nd.h"

/* The first byte chooses how it came. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct via_addr link_local = {.b = {0xfe, 0x80, [15] = 1}}, all = {.b = {0xff, 2, [15] = 1}};
	struct nd_from from = {.src = link_local, .dst = all, .hop_limit = 255};
	struct nd_msg m, again;
	uint8_t out[ND_EMIT_MAX + 2048];
	if (!len)
		return 0;
	if (data[0] & 1)
		from.src = (struct via_addr){0};
	if (data[0] & 2)
		from.dst = link_local;
	if (nd_parse(data + 1, len - 1, &from, &m))
		return 0;
	CHECK(m.n_prefixes <= ND_PREFIXES_MAX && !(m.has_lla && m.lla[0] & 1));
	CHECK(!m.quote || (m.quote >= data + 1 && m.quote + m.quote_len <= data + len));
	size_t n = nd_emit(out, sizeof(out), &m);
	CHECK(n && nd_parse(out, n, &from, &again) == 0);
	CHECK(again.type == m.type && again.n_prefixes == m.n_prefixes && again.mtu == m.mtu && again.has_lla == m.has_lla);
	CHECK(memcmp(again.lla, m.lla, 6) == 0 && via_addr_eq(&again.target, &m.target) && via_addr_eq(&again.dst, &m.dst));
	CHECK(again.preference == m.preference && again.lifetime_s == m.lifetime_s && again.quote_len == m.quote_len);
	for (int i = 0; i < m.n_prefixes; i++)
		CHECK(again.prefix[i].plen == m.prefix[i].plen && again.prefix[i].valid_s == m.prefix[i].valid_s);
	return 0;
}
