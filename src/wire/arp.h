/* wire/arp.h - ARP for Ethernet and IPv4 (RFC 826). */
#ifndef WIRE_ARP_H
#define WIRE_ARP_H
#include "base/bytes.h"

#define ARP_LEN 28u
enum { ARP_REQUEST = 1, ARP_REPLY = 2 };
struct arp_pkt {
	uint16_t op;
	uint8_t sha[6], tha[6];
	uint32_t spa, tpa; /* host byte order */
};
/* -EINVAL: short, wrong hardware or protocol type or lengths, a sender MAC that is broadcast or multicast. */
int arp_parse(const uint8_t *p, size_t len, struct arp_pkt *a);
void arp_emit(uint8_t out[ARP_LEN], const struct arp_pkt *a);
#endif
