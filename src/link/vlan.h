/* link/vlan.h - the 802.1Q tag of a frame, put in and taken out (IEEE 802.1Q §9.3). */
#ifndef LINK_VLAN_H
#define LINK_VLAN_H

#include "pkt/pkt.h"

#define VLAN_TAG_LEN 4u
#define VLAN_ID_MAX 4094u /* 4095 is reserved */

/* p begins at its untagged Ethernet header: it gets a tag with this id and priority 0. False: there is no room in front. */
bool vlan_push(struct pkt *p, uint16_t vid);
/* p begins at an Ethernet header with a tag, all of it linear: the tag goes, its priority with it. */
void vlan_pop(struct pkt *p);
/* The same: its tag gets another id and keeps its priority. */
void vlan_set(struct pkt *p, uint16_t vid);

#endif
