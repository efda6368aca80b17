/* stack/rx.c - the straight line in: one packet from its link to its socket, its next hop, or its named drop.
 *
 *   Ethernet -> IP -> [pre-route] -> LOCAL -> frag.c -> [local-in] -> ICMP | TCP | UDP -> sock/ -> tcp_segment_arrives()
 *                                 -> FORWARD -> tx.c
 *                                 -> drop, one path for all: counted, traced, freed
 *
 * Every function takes the packet or returns why it did not; a reason of the transports (they have freed it) is counted
 * only. Whoever a packet claims to be from is checked the same way on every interface (HARD-03). RFC 1122 §3.2, RFC 1812 §5, RFC 8200. */
#include "stack/state.h"

#include "net/ip_input.h"
#include "wire/dhcp.h"
#include "wire/igmp.h"
#include "wire/tcp.h"
#include "wire/udp.h"

enum rx_way { RX_LOCAL, RX_LOCAL_BROADCAST, RX_FORWARD, RX_NOWHERE };

/* ---- link ---- */

/* The frame is tagged: *in becomes the interface of its VLAN. A tag that says no more than a priority changes nothing. */
static enum drop rx_vlan(struct via *v, struct iface **in, struct pkt *p, const struct eth_hdr *h)
{
	if (eth_has_more_tags(h))
		return DROP_ETH_TAGS;
	struct iface *i = h->vlan ? vlan_find(v, *in, h->vlan) : *in;
	if (!i)
		return DROP_ETH_VLAN;
	if (i == *in)
		return DROP_NONE;
	i->rx_packets += p->m.gso_size ? p->m.gso_segs : 1;
	i->rx_bytes += p->len;
	p->m.ifindex = i->ifindex;
	*in = i;
	return i->up ? DROP_NONE : DROP_IF_DOWN;
}

/* Take the Ethernet header off. *type is what follows, *in the interface that it is for: a VLAN's, if it has a tag. */
static enum drop rx_ether(struct via *v, struct iface **in, struct pkt *p, uint16_t *type)
{
	struct eth_hdr h;
	if (p->len < ETH_HLEN || pkt_pullup(v->mem, p, MIN(p->len, ETH_HLEN + 4)) || eth_parse(pkt_data(p), p->head_len, &h))
		return DROP_ETH_SHORT;
	enum drop why = h.tagged || h.type == ETHERTYPE_SVLAN ? rx_vlan(v, in, p, &h) : DROP_NONE;
	if (why)
		return why;
	p->m.ether_mcast = mac_is_multicast(h.dst);
	if (!p->m.ether_mcast && memcmp(h.dst, (*in)->mac, 6) != 0)
		return DROP_ETH_OTHER;
	if (mac_is_multicast(h.src))
		return DROP_ETH_OTHER;
	if (h.type != ETHERTYPE_IP4 && h.type != ETHERTYPE_IP6 && h.type != ETHERTYPE_ARP)
		return DROP_ETH_TYPE;
	*type = h.type;
	pkt_pull(p, h.hlen);
	return DROP_NONE;
}

/* An ARP packet; the caller frees it. */
static enum drop rx_arp(struct via *v, struct iface *in, struct pkt *p)
{
	struct via_state *st = v->st;
	struct neigh_env ne = stack_neigh_env(v);
	struct arp_iface ai = {.ifindex = in->ifindex};
	struct arp_pkt a;
	struct pktq ready = {0};
	ref_t neigh;
	bool reply;
	memcpy(ai.mac, in->mac, 6);
	st->counts[COUNT_ARP_IN]++;
	if (pkt_pullup(v->mem, p, MIN(p->len, ARP_LEN)) || arp_parse(pkt_data(p), p->head_len, &a))
		return DROP_ARP_BAD;
	acd_hears(v, in, &a);
	struct via_addr spa = via_addr_v4(a.spa), tpa = via_addr_v4(a.tpa);
	const struct addr_entry *mine = addrs_find(v->arena, &st->addrs, &tpa);
	bool tpa_ours = mine && mine->ifindex == in->ifindex;
	enum drop why = arp_input(&ne, &st->neigh, &ai, &a, tpa_ours, addrs_find(v->arena, &st->addrs, &spa) != NULL, &ready, &neigh, &reply);
	if (neigh)
		tx_ready(v, neigh, &ready);
	else
		tx_failed(v, &ready);
	struct pkt *r = reply ? arp_reply_build(v->mem, &ai, &a) : NULL;
	if (r && ifq_push(v, in, r, true))
		stack_drop(v, r, DROP_IF_QUEUE_FULL);
	return why;
}

/* ---- internet ---- */

/* Nobody else sends under an address of ours. */
static enum drop rx_source(struct via *v, const struct iface *in, const struct ip_hdr *h)
{
	bool is_false = addrs_find(v->arena, &v->st->addrs, &h->src) || addrs_is_broadcast(v->arena, &v->st->addrs, in->ifindex, &h->src);
	return is_false && in->ifindex != IFINDEX_LO ? DROP_IP_SOURCE : DROP_NONE;
}

/* Pre-route, where somebody stands there: *p becomes whole first (NULL while it is not), and may then be for another. A router does
 * not put IPv6 fragments together: it could not cut them again (RFC 8200 §4.5). */
static enum drop rx_hooked(struct via *v, struct pkt **p, struct ip_hdr *h)
{
	if (!h->is_v6 && ip_is_fragment(h) && filter_wants_whole(v)) {
		enum drop why = frag_arrives(v, p, h);
		if (why || !*p)
			return why;
	}
	enum drop why = hook_run(v, HOOK_PRE_ROUTE, *p, (*p)->m.ifindex, 0);
	if (!h->is_v6) {
		h->src = via_addr_v4(get_be32(pkt_data(*p) + 12));
		h->dst = via_addr_v4(get_be32(pkt_data(*p) + 16));
	}
	return why;
}

static bool is_limited_broadcast(const struct via_addr *a)
{
	return via_addr_is_v4(a) && via_addr_to_v4(a) == 0xffffffffu;
}

/* Ours, or onward? */
static enum drop rx_way(struct via *v, const struct iface *in, uint32_t zone, const struct ip_hdr *h, enum rx_way *way)
{
	struct via_state *st = v->st;
	bool is_lo = in->ifindex == IFINDEX_LO;
	*way = RX_NOWHERE;
	const struct addr_entry *mine = addrs_find(v->arena, &st->addrs, &h->dst);
	if (mine && !is_lo && !st->forwarding && mine->ifindex != in->ifindex)
		return DROP_IP_NOT_OURS; /* IP4-015: strong host model; a router's addresses are reached from any side */
	if (mine || via_addr_is_loopback(&h->dst))
		*way = RX_LOCAL;
	else if (is_limited_broadcast(&h->dst) || addrs_is_broadcast(v->arena, &st->addrs, is_lo ? 0 : in->ifindex, &h->dst))
		*way = RX_LOCAL_BROADCAST;
	else if (via_addr_is_multicast(&h->dst) && !stack_group_is_ours(v, is_lo ? zone : in->ifindex, &h->dst))
		return DROP_IP_BROADCAST;
	else if (via_addr_is_multicast(&h->dst))
		*way = RX_LOCAL_BROADCAST;
	else if (st->any_address && !is_lo)
		*way = RX_LOCAL;
	else if (st->forwarding && !is_lo)
		*way = RX_FORWARD;
	return *way == RX_NOWHERE ? DROP_IP_NOT_OURS : DROP_NONE;
}

/* ---- transport ---- */

/* The transport's header must be linear; no more than that, or payload would be copied out of its blocks. */
static bool rx_l4_linear(struct via *v, struct pkt *p, uint8_t proto)
{
	uint32_t need = proto == IPPROTO_N_TCP ? TCP_HLEN : UDP_HLEN;
	if (pkt_pullup(v->mem, p, MIN(p->len, need)))
		return false;
	if (proto != IPPROTO_N_TCP || p->len < TCP_HLEN)
		return true;
	return pkt_pullup(v->mem, p, MIN(p->len, (pkt_data(p)[12] >> 4) * 4u)) == 0;
}

/* p begins at its L4 header. DROP_NONE: taken. Else *taken tells whether p is still the caller's. */
static enum drop rx_transport(struct via *v, struct pkt *p, const struct ip_hdr *h, bool to_broadcast, bool *taken)
{
	enum drop why;
	*taken = false;
	if (ip_is_icmp(h))
		return icmp_arrives(v, p, h, to_broadcast);
	if (h->proto == IPPROTO_N_IGMP && !h->is_v6) {
		why = mcast_arrives(v, p, h);
		if (!why)
			pkt_free(v->mem, p);
		return why;
	}
	switch (h->proto) {
	case IPPROTO_N_TCP:
		if (to_broadcast || p->m.ether_mcast)
			return DROP_IP_BROADCAST; /* RFC 9293 MUST-57 */
		if (pkt_unchain(v->mem, p))
			return DROP_NO_MEMORY;
		*taken = true;
		v->st->counts[COUNT_TCP_IN] += MAX(p->m.gso_segs, 1);
		return sock_tcp_arrives(&v->sock, p, &h->src, &h->dst, stack_get_path);
	case IPPROTO_N_UDP:
		if (!h->is_v6 && via_addr_is_any(&h->src) && (p->len < UDP_HLEN || get_be16(pkt_data(p) + 2) != DHCP_PORT_SERVER))
			return DROP_IP_SOURCE; /* without an address one asks for an address, and nothing else */
		why = sock_udp_arrives(&v->sock, p, &h->src, &h->dst);
		*taken = why != DROP_UDP_NO_SOCKET;
		v->st->counts[COUNT_UDP_IN] += why == DROP_NONE;
		if (!*taken)
			tx_icmp_error(v, p, h, ICMP_SAY_NO_PORT, 0);
		return why;
	default:
		if (!h->is_v6 || h->proto != IPPROTO_N_NONE) /* nothing is behind it, and nobody is told (RFC 8200 §4.7) */
			tx_icmp_error(v, p, h, ICMP_SAY_NO_PROTOCOL, h->next_at);
		return DROP_IP_PROTOCOL;
	}
}

/* *p, which begins at its IP header *h, is for us: it becomes the whole datagram if it is a fragment (NULL while that is not
 * there). DROP_NONE: taken. Else *taken tells whether *p is still the caller's. */
static enum drop rx_local(struct via *v, struct pkt **p, struct ip_hdr *h, bool to_broadcast, bool *taken)
{
	*taken = false;
	if (h->is_v6 || ip_is_fragment(h)) {
		enum drop why = frag_arrives(v, p, h);
		if (why || !*p)
			return why;
	}
	enum drop why = hook_run(v, HOOK_LOCAL_IN, *p, (*p)->m.ifindex, 0);
	if (why)
		return why;
	v->st->counts[COUNT_IP_LOCAL] += (*p)->m.gso_size ? (*p)->m.gso_segs : 1;
	pkt_pull(*p, h->hlen);
	if (!rx_l4_linear(v, *p, h->proto))
		return DROP_NO_MEMORY;
	return rx_transport(v, *p, h, to_broadcast, taken);
}

/* ---- the line ---- */

/* What another stack or an earlier life left in p's metadata goes. */
static void rx_begin(struct via *v, struct iface *in, struct pkt *p)
{
	p->m.ifindex = in->ifindex;
	p->m.owner = 0;
	p->m.flow_hash = 0;
	p->m.ether_mcast = 0;
	p->m.cut = PKT_CUT_NEVER;
	p->m.ip_opts = 0;
	p->m.l2 = p->head;
	in->rx_packets += p->m.gso_size ? p->m.gso_segs : 1;
	in->rx_bytes += p->len;
	stack_trace(v, TRACE_RX, p, in->ifindex, 0);
}

void rx_packet(struct via *v, struct iface *in, struct pkt *p)
{
	struct via_state *st = v->st;
	uint16_t type = 0;
	uint32_t zone;
	struct ip_hdr h;
	enum rx_way way;
	enum drop why;
	bool taken = false;
	uint32_t segs = p->m.gso_size ? p->m.gso_segs : 1;

	rx_begin(v, in, p);

	/* ---- link ---- */
	why = DROP_IF_DOWN;
	if (!in->up)
		goto drop;
	if (in->l2 == VIA_L2_ETHER) {
		why = rx_ether(v, &in, p, &type);
		if (why)
			goto drop;
	}
	zone = in->ifindex == IFINDEX_LO ? p->mark : in->ifindex;
	if (type == ETHERTYPE_ARP) {
		why = rx_arp(v, in, p);
		if (why)
			goto drop;
		pkt_free(v->mem, p);
		return;
	}

	/* ---- internet: is it well-formed, may it come this way? ---- */
	st->counts[COUNT_IP_IN] += p->m.gso_size ? p->m.gso_segs : 1;
	why = ip_input(v->mem, p, type, zone, &h);
	if (why)
		goto drop;
	why = ip_input_addresses(&h, in->ifindex == IFINDEX_LO);
	if (why)
		goto drop;
	why = rx_source(v, in, &h);
	if (!why && h.is_v6 && h.proto == IPPROTO_N_HOPOPTS)
		why = frag_hops(v, p, &h);
	if (why)
		goto drop;
	if (UNLIKELY(v->hooks != NULL)) {
		why = rx_hooked(v, &p, &h);
		if (why)
			goto drop;
		if (!p)
			return;
	}

	/* ---- internet: for us, or onward? ---- */
	why = rx_way(v, in, zone, &h, &way);
	if (why)
		goto drop;
	if (way == RX_FORWARD) {
		tx_forward(v, p, &h);
		return;
	}

	/* ---- transport ---- */
	why = rx_local(v, &p, &h, way == RX_LOCAL_BROADCAST, &taken);
	if (why)
		goto drop;
	return;

drop:
	in->rx_dropped += segs;
	if (taken) {
		st->drops[why] += segs;
		stack_trace(v, TRACE_DROP, NULL, in->ifindex, why);
		return;
	}
	pkt_front_at(p, p->m.l2); /* the trace shows the whole frame */
	stack_drop(v, p, why);
}
