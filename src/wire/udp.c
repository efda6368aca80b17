/* wire/udp.c - UDP header (RFC 768). */
#include "wire/udp.h"

#include <errno.h>

int udp_parse(const uint8_t *p, size_t len, struct udp_hdr *h)
{
	if (len < UDP_HLEN)
		return -EINVAL;
	h->sport = get_be16(p);
	h->dport = get_be16(p + 2);
	h->len = get_be16(p + 4);
	h->csum = get_be16(p + 6);
	return h->len < UDP_HLEN || h->len > len ? -EINVAL : 0;
}

void udp_emit(uint8_t out[UDP_HLEN], const struct udp_hdr *h)
{
	put_be16(out, h->sport);
	put_be16(out + 2, h->dport);
	put_be16(out + 4, h->len);
	put_be16(out + 6, h->csum);
}
