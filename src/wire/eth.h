/* wire/eth.h - Ethernet II header (IEEE 802.3), optional 802.1Q tag. */
#ifndef WIRE_ETH_H
#define WIRE_ETH_H
#include "base/bytes.h"
#include <viaduct/types.h>

#define ETH_HLEN 14u
enum { ETHERTYPE_IP4 = 0x0800, ETHERTYPE_ARP = 0x0806, ETHERTYPE_VLAN = 0x8100, ETHERTYPE_SVLAN = 0x88a8, ETHERTYPE_IP6 = 0x86dd };

struct eth_hdr {
	uint8_t dst[6], src[6];
	uint16_t type;  /* of what follows the tag, if tagged */
	uint16_t vlan;  /* VLAN id, 0 untagged or priority tag */
	uint8_t hlen;   /* 14 or 18 */
	bool tagged;
};
/* A second tag follows, or a provider's (802.1ad) comes first: nobody here looks behind it. */
static inline bool eth_has_more_tags(const struct eth_hdr *h)
{
	return h->type == ETHERTYPE_SVLAN || (h->tagged && h->type == ETHERTYPE_VLAN);
}
/* 0 or -EINVAL (short). */
int eth_parse(const uint8_t *p, size_t len, struct eth_hdr *h);
/* Writes 14 bytes, untagged. */
void eth_emit(uint8_t out[ETH_HLEN], const uint8_t dst[6], const uint8_t src[6], uint16_t type);
/* The MAC that a group is sent to (RFC 1112 §6.4, RFC 2464 §7); false: dst is no group. */
bool eth_group(uint8_t mac[6], const struct via_addr *dst);
static inline bool mac_is_multicast(const uint8_t m[6]) { return m[0] & 1; } /* broadcast included */
#endif
