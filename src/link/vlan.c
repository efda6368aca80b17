/* link/vlan.c - see vlan.h. What stands behind the tag does not move, so offsets into the packet stay what they were. */
#include "link/vlan.h"

#include "wire/eth.h"

enum { MACS_LEN = 12 };

bool vlan_push(struct pkt *p, uint16_t vid)
{
	if (p->head < VLAN_TAG_LEN)
		return false;
	uint8_t *d = pkt_push(p, VLAN_TAG_LEN);
	memmove(d, d + VLAN_TAG_LEN, MACS_LEN);
	put_be16(d + MACS_LEN, ETHERTYPE_VLAN);
	put_be16(d + MACS_LEN + 2, vid);
	return true;
}

void vlan_pop(struct pkt *p)
{
	uint8_t *d = pkt_data(p);
	memmove(d + VLAN_TAG_LEN, d, MACS_LEN);
	pkt_pull(p, VLAN_TAG_LEN);
}

void vlan_set(struct pkt *p, uint16_t vid)
{
	uint8_t *tci = pkt_data(p) + MACS_LEN + 2;
	put_be16(tci, (uint16_t)((get_be16(tci) & 0xf000) | vid));
}
