/* net/ip_input.c - validation of arriving IP packets (RFC 1122 §3.2.1; RFC 1812 §5.2.2, §5.3.7; RFC 7126 §4.3; RFC 8200 §3).
 *
 * All that fails here is dropped without an answer. A superframe's lengths are checked the same way; its TCP header must
 * be there in full, because cutting and forwarding rely on it. IPv4-mapped addresses stand for IPv4 everywhere above, so in an
 * IPv6 header they are a forgery (RFC 4942 §2.2). */
#include "net/ip_input.h"

#include <errno.h>

#include "net/gso.h"
#include "wire/addr.h"
#include "wire/eth.h"
#include "wire/tcp.h"

/* What a link peer claims about its superframe must hold: a TCP header in the linear part, its own length, and segments no
 * smaller than a TCP with the smallest MSS makes (its options included): each costs us a packet when it is cut (HARD-05). */
static bool ip_super_is_sane(struct pktmem *m, struct pkt *p, const struct ip_hdr *h)
{
	uint32_t field_max = h->is_v6 ? IP6_HLEN + 65535u : 65535u;
	if (p->m.gso != (h->is_v6 ? PKT_GSO_TCP6 : PKT_GSO_TCP4) || h->proto != IPPROTO_N_TCP || ip_is_fragment(h))
		return false;
	if (p->len < h->hlen + TCP_HLEN || pkt_pullup(m, p, h->hlen + TCP_HLEN))
		return false;
	uint32_t thl = (pkt_data(p)[h->hlen + 12] >> 4) * 4u;
	if (thl < TCP_HLEN || p->len <= h->hlen + thl || pkt_pullup(m, p, h->hlen + thl))
		return false;
	uint32_t payload = p->len - h->hlen - thl;
	if (p->m.gso_size + thl - TCP_HLEN < GSO_UNIT_MIN || h->len != MIN(p->len, field_max))
		return false;
	return p->m.gso_size <= payload && p->m.gso_segs == (payload + p->m.gso_size - 1) / p->m.gso_size;
}

/* The IPv4 header in front of p, options and all. */
static enum drop ip4_input(struct pktmem *m, struct pkt *p, bool super, struct ip_hdr *h)
{
	struct ip4_hdr w;
	if (p->len < IP4_HLEN || pkt_pullup(m, p, IP4_HLEN))
		return DROP_IP_BAD;
	uint32_t hlen = (pkt_data(p)[0] & 15) * 4u;
	if (hlen > p->len || pkt_pullup(m, p, hlen))
		return DROP_IP_BAD;
	int err = ip4_parse(pkt_data(p), p->len, super, &w);
	if (err)
		return err == -EBADMSG ? DROP_IP_CSUM : DROP_IP_BAD;
	*h = ip_hdr_of4(&w);
	if (w.hlen > IP4_HLEN && ip4_options_check(pkt_data(p) + IP4_HLEN, w.hlen - IP4_HLEN) > 0)
		return DROP_IP_OPTIONS;
	return DROP_NONE;
}

static enum drop ip6_input(struct pktmem *m, struct pkt *p, bool super, uint32_t zone, struct ip_hdr *h)
{
	struct ip6_hdr w;
	if (p->len < IP6_HLEN || pkt_pullup(m, p, IP6_HLEN) || ip6_parse(pkt_data(p), p->len, super, &w))
		return DROP_IP_BAD;
	*h = ip_hdr_of6(&w);
	h->src = addr_on_link(&w.src, zone);
	h->dst = addr_on_link(&w.dst, zone);
	return DROP_NONE;
}

enum drop ip_input(struct pktmem *m, struct pkt *p, uint16_t ethertype, uint32_t zone, struct ip_hdr *h)
{
	bool super = p->m.gso_size != 0;
	if (!p->len || pkt_pullup(m, p, 1))
		return DROP_IP_BAD;
	bool is_v6 = ethertype ? ethertype == ETHERTYPE_IP6 : pkt_data(p)[0] >> 4 == 6;
	enum drop why = is_v6 ? ip6_input(m, p, super, zone, h) : ip4_input(m, p, super, h);
	if (why)
		return why;
	if (!super && p->len > h->len)
		pkt_trim(m, p, h->len);
	if (super && !ip_super_is_sane(m, p, h))
		return DROP_IP_BAD;
	p->m.l3 = p->head;
	p->m.l4 = (uint16_t)(p->head + h->hlen);
	p->m.ecn = h->tos & 3;
	return DROP_NONE;
}

static enum drop ip4_addresses(uint32_t s, uint32_t d, uint8_t proto, bool is_loopback)
{
	/* Who has no address yet asks everybody for one (RFC 1122 §3.2.1.3 (a)); the transport looks at the port. */
	bool is_nobody = s == 0 && d == 0xffffffffu && proto == IPPROTO_N_UDP;
	/* 0/8 and 127/8 from the wire, multicast and class E (the limited broadcast among them) as source. */
	if ((s >> 24 == 0 && !is_nobody) || s >> 28 >= 0xe || (s >> 24 == 127 && !is_loopback))
		return DROP_IP_SOURCE;
	if (d >> 24 == 0 || (d >> 28 == 0xf && d != 0xffffffffu) || (d >> 24 == 127 && !is_loopback))
		return DROP_IP_NOT_OURS;
	return DROP_NONE;
}

enum drop ip_input_addresses(const struct ip_hdr *h, bool is_loopback)
{
	if (!h->is_v6)
		return ip4_addresses(via_addr_to_v4(&h->src), via_addr_to_v4(&h->dst), h->proto, is_loopback);
	bool to_group = via_addr_is_multicast(&h->dst);
	/* The unspecified source is a node's that has no address yet: it speaks to groups only (RFC 4291 §2.5.2; RFC 4861 §4.3). */
	if (via_addr_is_v4(&h->src) || via_addr_is_multicast(&h->src) || (via_addr_is_loopback(&h->src) && !is_loopback) ||
	    (via_addr_is_any(&h->src) && !to_group))
		return DROP_IP_SOURCE;
	bool is_node_local = to_group && (h->dst.b[1] & 15) <= 1; /* interface-local, or reserved (RFC 4291 §2.7) */
	if (via_addr_is_v4(&h->dst) || via_addr_is_any(&h->dst) || ((via_addr_is_loopback(&h->dst) || is_node_local) && !is_loopback))
		return DROP_IP_NOT_OURS;
	return DROP_NONE;
}
