/* wire/ip6.c - IPv6 header: parse, emit (RFC 8200 §3).
 *
 * Parsing checks version and payload length, which is all that a header without a checksum can be checked for. Which addresses are
 * acceptable is net/'s business. Jumbograms (RFC 2675) are not spoken: a payload length of 0 is an empty payload. */
#include "wire/ip6.h"

#include <errno.h>

int ip6_parse(const uint8_t *p, size_t len, bool super, struct ip6_hdr *h)
{
	if (len < IP6_HLEN || p[0] >> 4 != 6)
		return -EINVAL;
	h->payload_len = get_be16(p + 4);
	if (super && h->payload_len == 0)
		h->payload_len = (uint16_t)MIN(len - IP6_HLEN, 65535u);
	if (h->payload_len > len - IP6_HLEN)
		return -EINVAL;
	uint32_t first = get_be32(p);
	h->tclass = (uint8_t)(first >> 20);
	h->flow = first & 0xfffff;
	h->next = p[6];
	h->hops = p[7];
	h->src.scope = h->dst.scope = 0;
	memcpy(h->src.b, p + 8, 16);
	memcpy(h->dst.b, p + 24, 16);
	return 0;
}

void ip6_emit(uint8_t out[IP6_HLEN], const struct ip6_hdr *h)
{
	put_be32(out, UINT32_C(6) << 28 | (uint32_t)h->tclass << 20 | (h->flow & 0xfffff));
	put_be16(out + 4, h->payload_len);
	out[6] = h->next;
	out[7] = h->hops;
	memcpy(out + 8, h->src.b, 16);
	memcpy(out + 24, h->dst.b, 16);
}
