/* link/arp.h - ARP feeds the neighbour cache (RFC 826, RFC 5227 for announcements). */
#ifndef LINK_ARP_H
#define LINK_ARP_H
#include "link/neigh.h"
#include "wire/arp.h"

/* Our side of the interface an ARP packet is about. */
struct arp_iface {
	uint16_t ifindex;
	uint8_t mac[6];
};

/* An ARP packet arrived: data begins behind the Ethernet header. tpa_ours, spa_ours: are its target and sender addresses
 * ours on this interface. Feeds the cache; what waited for the sender goes to
 * `ready`, to be sent to *out. *reply is set when a reply is due. DROP_NONE or DROP_ARP_BAD. */
enum drop arp_input(struct neigh_env *e, struct neigh_cache *c, const struct arp_iface *i, const struct arp_pkt *a, bool tpa_ours,
		    bool spa_ours, struct pktq *ready, ref_t *out, bool *reply);
/* Whole frames, ready for the driver; NULL when memory is out. src: our address. */
struct pkt *arp_reply_build(struct pktmem *m, const struct arp_iface *i, const struct arp_pkt *to);
struct pkt *arp_request_build(struct pktmem *m, const struct arp_iface *i, const struct neigh_ask *ask, uint32_t src);
/* Tells everybody that `addr` is at our MAC (RFC 5227 §2.3). */
struct pkt *arp_announce_build(struct pktmem *m, const struct arp_iface *i, uint32_t addr);
/* Asks who has `addr` without claiming it: the sender's address is 0.0.0.0 (RFC 5227 §1.1). */
struct pkt *arp_probe_build(struct pktmem *m, const struct arp_iface *i, uint32_t addr);
#endif
