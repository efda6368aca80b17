/* wire/icmp4.c - ICMP header and the packet an ICMP error quotes (RFC 792; RFC 1122 §3.2.2).
 *
 * A quote is an IP header and at least 8 bytes of its payload. A quoted fragment other than the first carries no
 * transport header, so it names no socket and is refused. */
#include "wire/icmp4.h"
#include "wire/ip4.h"

#include <errno.h>

int icmp4_parse(const uint8_t *p, size_t len, struct icmp4_hdr *h)
{
	if (len < ICMP4_HLEN)
		return -EINVAL;
	h->type = p[0];
	h->code = p[1];
	h->csum = get_be16(p + 2);
	h->rest = get_be32(p + 4);
	return 0;
}

void icmp4_emit(uint8_t out[ICMP4_HLEN], const struct icmp4_hdr *h)
{
	out[0] = h->type;
	out[1] = h->code;
	put_be16(out + 2, 0);
	put_be32(out + 4, h->rest);
}

int icmp4_quote_parse(const uint8_t *p, size_t len, struct icmp4_quote *q)
{
	if (len < IP4_HLEN + 8 || p[0] >> 4 != 4)
		return -EINVAL;
	size_t hlen = (p[0] & 15) * 4u;
	if (hlen < IP4_HLEN || len - 8 < hlen || get_be16(p + 6) & 0x1fff)
		return -EINVAL;
	memset(q, 0, sizeof(*q));
	q->total_len = get_be16(p + 2);
	q->proto = p[9];
	q->src = get_be32(p + 12);
	q->dst = get_be32(p + 16);
	const uint8_t *l4 = p + hlen;
	switch (q->proto) {
	case IPPROTO_N_TCP:
		q->seq = get_be32(l4 + 4);
		/* fall through */
	case IPPROTO_N_UDP:
		q->sport = get_be16(l4);
		q->dport = get_be16(l4 + 2);
		break;
	case IPPROTO_N_ICMP:
		if (l4[0] == ICMP4_ECHO || l4[0] == ICMP4_ECHO_REPLY)
			q->sport = get_be16(l4 + 4);
		break;
	default:
		break;
	}
	return 0;
}
