/* wire/arp.c - ARP packets for Ethernet and IPv4 (RFC 826).
 *
 * Trailing bytes are Ethernet padding and ignored. A sender that claims a broadcast or multicast MAC is refused here, so
 * that no caller can believe it (RFC 1812 §3.3.2). */
#include "wire/arp.h"

#include <errno.h>

enum { HTYPE_ETHER = 1, PTYPE_IP4 = 0x0800 };

int arp_parse(const uint8_t *p, size_t len, struct arp_pkt *a)
{
	if (len < ARP_LEN)
		return -EINVAL;
	if (get_be16(p) != HTYPE_ETHER || get_be16(p + 2) != PTYPE_IP4 || p[4] != 6 || p[5] != 4)
		return -EINVAL;
	if (p[8] & 1)
		return -EINVAL;
	a->op = get_be16(p + 6);
	memcpy(a->sha, p + 8, 6);
	a->spa = get_be32(p + 14);
	memcpy(a->tha, p + 18, 6);
	a->tpa = get_be32(p + 24);
	return 0;
}

void arp_emit(uint8_t out[ARP_LEN], const struct arp_pkt *a)
{
	put_be16(out, HTYPE_ETHER);
	put_be16(out + 2, PTYPE_IP4);
	out[4] = 6;
	out[5] = 4;
	put_be16(out + 6, a->op);
	memcpy(out + 8, a->sha, 6);
	put_be32(out + 14, a->spa);
	memcpy(out + 18, a->tha, 6);
	put_be32(out + 24, a->tpa);
}
