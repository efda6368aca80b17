/* wire/ip4.c - IPv4 header: parse, emit, TTL, options (RFC 791; RFC 1122 §3.2.1; RFC 1624; RFC 7126).
 *
 * Parsing checks what RFC 1122 §3.2.1.1 and §3.2.1.2 say must be dropped silently, in this order: version, header
 * length, total length, header checksum. Which addresses are acceptable is net/'s business. */
#include "wire/ip4.h"

#include "base/csum.h"

#include <errno.h>

enum { OPT_END = 0, OPT_NOP = 1, OPT_LSRR = 131, OPT_SSRR = 137 };

int ip4_parse(const uint8_t *p, size_t len, bool super, struct ip4_hdr *h)
{
	if (len < IP4_HLEN || p[0] >> 4 != 4)
		return -EINVAL;
	h->hlen = (uint8_t)((p[0] & 15) * 4);
	if (h->hlen < IP4_HLEN || h->hlen > len)
		return -EINVAL;
	h->total_len = get_be16(p + 2);
	if (super && h->total_len == 0)
		h->total_len = (uint16_t)MIN(len, 65535u);
	if (h->total_len < h->hlen || h->total_len > len)
		return -EINVAL;
	if (csum_fold(csum_add(0, p, h->hlen)) != 0xffff)
		return -EBADMSG;
	h->tos = p[1];
	h->id = get_be16(p + 4);
	h->frag = get_be16(p + 6);
	h->ttl = p[8];
	h->proto = p[9];
	h->csum = get_be16(p + 10);
	h->src = get_be32(p + 12);
	h->dst = get_be32(p + 16);
	return 0;
}

void ip4_emit(uint8_t out[IP4_HLEN], const struct ip4_hdr *h)
{
	out[0] = 0x45;
	out[1] = h->tos;
	put_be16(out + 2, h->total_len);
	put_be16(out + 4, h->id);
	put_be16(out + 6, h->frag);
	out[8] = h->ttl;
	out[9] = h->proto;
	put_be16(out + 10, 0);
	put_be32(out + 12, h->src);
	put_be32(out + 16, h->dst);
	put_be16(out + 10, csum_field(csum_add(0, out, IP4_HLEN)));
}

void ip4_emit_grown(uint8_t *out, uint32_t n)
{
	ASSERT(n % 4 == 0 && n <= 40);
	out[0] = (uint8_t)(0x45 + n / 4);
	put_be16(out + 10, 0);
	put_be16(out + 10, csum_field(csum_add(0, out, IP4_HLEN + n)));
}

void ip4_ttl_lower(uint8_t *p)
{
	ASSERT(p[8] > 0);
	uint16_t from = get_be16(p + 8); /* TTL and protocol share a checksum word */
	p[8]--;
	put_be16(p + 10, csum_update(get_be16(p + 10), from, get_be16(p + 8)));
}

uint64_t ip4_pseudo(uint32_t src, uint32_t dst, uint8_t proto, uint32_t l4len)
{
	/* A superframe's length may not fit 16 bits: both halves count, which is the same sum modulo 0xffff. */
	return (uint64_t)(src >> 16) + (src & 0xffff) + (dst >> 16) + (dst & 0xffff) + proto + (l4len >> 16) + (l4len & 0xffff);
}

int ip4_options_check(const uint8_t *opts, size_t len)
{
	int found = 0;
	size_t i = 0;
	while (i < len && opts[i] != OPT_END) {
		if (opts[i] == OPT_NOP) {
			i++;
			continue;
		}
		if (len - i < 2 || opts[i + 1] < 2 || opts[i + 1] > len - i)
			return found ? found : -EINVAL;
		if (opts[i] == OPT_LSRR || opts[i] == OPT_SSRR)
			found = 1;
		i += opts[i + 1];
	}
	return found;
}
