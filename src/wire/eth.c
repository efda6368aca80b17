/* wire/eth.c - Ethernet II header (IEEE 802.3 §3.1.1), with at most one 802.1Q tag looked through.
 *
 * A second tag is left as the EtherType: its frame is one we do not speak. */
#include "wire/eth.h"

#include <errno.h>

int eth_parse(const uint8_t *p, size_t len, struct eth_hdr *h)
{
	if (len < ETH_HLEN)
		return -EINVAL;
	memset(h, 0, sizeof(*h));
	memcpy(h->dst, p, 6);
	memcpy(h->src, p + 6, 6);
	h->type = get_be16(p + 12);
	h->hlen = ETH_HLEN;
	if (h->type != ETHERTYPE_VLAN)
		return 0;
	if (len < ETH_HLEN + 4)
		return -EINVAL;
	h->tagged = true;
	h->vlan = get_be16(p + 14) & 0x0fff; /* priority and DEI bits carry no meaning here */
	h->type = get_be16(p + 16);
	h->hlen = ETH_HLEN + 4;
	return 0;
}

void eth_emit(uint8_t out[ETH_HLEN], const uint8_t dst[6], const uint8_t src[6], uint16_t type)
{
	memcpy(out, dst, 6);
	memcpy(out + 6, src, 6);
	put_be16(out + 12, type);
}

bool eth_group(uint8_t mac[6], const struct via_addr *dst)
{
	if (via_addr_is_v4(dst)) {
		put_be32(mac, 0x01005e00);
		mac[3] = dst->b[13] & 0x7f;
		memcpy(mac + 4, dst->b + 14, 2);
		return dst->b[12] >> 4 == 0xe;
	}
	mac[0] = mac[1] = 0x33;
	memcpy(mac + 2, dst->b + 12, 4);
	return dst->b[0] == 0xff;
}
