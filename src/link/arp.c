/* link/arp.c - ARP in and out (RFC 826 "Packet Reception"; RFC 1122 §2.3.2; RFC 5227 §2.3; RFC 1812 §3.3.2).
 *
 * The sender's mapping is merged into an entry that exists; an entry is made only for a request that asks for us, since
 * an answer to it is due. So unsolicited replies create nothing (ARP-006). A sender that claims our own address, a
 * multicast, broadcast or loopback one, is not believed. Probes (sender 0.0.0.0) are answered and teach nothing. */
#include "link/arp.h"

#include "wire/eth.h"

static const uint8_t mac_broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

enum drop arp_input(struct neigh_env *e, struct neigh_cache *c, const struct arp_iface *i, const struct arp_pkt *a, bool tpa_ours,
		    bool spa_ours, struct pktq *ready, ref_t *out, bool *reply)
{
	*out = 0;
	*reply = a->op == ARP_REQUEST && tpa_ours && !spa_ours;
	if (a->op != ARP_REQUEST && a->op != ARP_REPLY)
		return DROP_ARP_BAD;
	if (a->spa == 0)
		return DROP_NONE;
	if (spa_ours || a->spa >> 28 >= 0xe || a->spa >> 24 == 127 || memcmp(a->sha, i->mac, 6) == 0) {
		*reply = false;
		return DROP_ARP_BAD;
	}
	struct via_addr sender = via_addr_v4(a->spa);
	enum neigh_news news = !tpa_ours ? NEIGH_OVERHEARD : a->op == ARP_REQUEST ? NEIGH_ASKED_US : NEIGH_ANSWERED;
	neigh_heard(e, c, i->ifindex, &sender, a->sha, news, ready, out);
	return DROP_NONE;
}

static struct pkt *arp_build(struct pktmem *m, const struct arp_iface *i, const uint8_t dst[6], const struct arp_pkt *a)
{
	struct pkt *p = pkt_new(m, PKT_HEADROOM);
	if (!p)
		return NULL;
	p->m.l2 = p->head;
	p->m.l3 = (uint16_t)(p->head + ETH_HLEN);
	p->m.ifindex = i->ifindex;
	p->m.why = WHY_ARP;
	eth_emit(pkt_put(p, ETH_HLEN), dst, i->mac, ETHERTYPE_ARP);
	arp_emit(pkt_put(p, ARP_LEN), a);
	return p;
}

struct pkt *arp_reply_build(struct pktmem *m, const struct arp_iface *i, const struct arp_pkt *to)
{
	struct arp_pkt a = {.op = ARP_REPLY, .spa = to->tpa, .tpa = to->spa};
	memcpy(a.sha, i->mac, 6);
	memcpy(a.tha, to->sha, 6);
	return arp_build(m, i, to->sha, &a);
}

struct pkt *arp_request_build(struct pktmem *m, const struct arp_iface *i, const struct neigh_ask *ask, uint32_t src)
{
	struct arp_pkt a = {.op = ARP_REQUEST, .spa = src, .tpa = via_addr_to_v4(&ask->addr)};
	memcpy(a.sha, i->mac, 6);
	return arp_build(m, i, ask->unicast ? ask->mac : mac_broadcast, &a);
}

struct pkt *arp_announce_build(struct pktmem *m, const struct arp_iface *i, uint32_t addr)
{
	struct arp_pkt a = {.op = ARP_REQUEST, .spa = addr, .tpa = addr};
	memcpy(a.sha, i->mac, 6);
	return arp_build(m, i, mac_broadcast, &a);
}

struct pkt *arp_probe_build(struct pktmem *m, const struct arp_iface *i, uint32_t addr)
{
	struct arp_pkt a = {.op = ARP_REQUEST, .tpa = addr};
	memcpy(a.sha, i->mac, 6);
	return arp_build(m, i, mac_broadcast, &a);
}
