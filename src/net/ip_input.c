/* net/ip_input.c - validation of arriving IPv4 packets (RFC 1122 §3.2.1; RFC 1812 §5.2.2, §5.3.7; RFC 7126 §4.3).
 *
 * All that fails here is dropped without an answer. A superframe's lengths are checked the same way; its TCP header must
 * be there in full, because cutting and forwarding rely on it. */
#include "net/ip_input.h"

#include <errno.h>

#include "net/gso.h"
#include "wire/tcp.h"

/* What a link peer claims about its superframe must hold: a TCP header in the linear part, its own length, and segments no
 * smaller than a TCP with the smallest MSS makes (its options included): each costs us a packet when it is cut (HARD-05). */
static bool ip_super_is_sane(struct pktmem *m, struct pkt *p, const struct ip4_hdr *h)
{
	if (p->m.gso != PKT_GSO_TCP4 || h->proto != IPPROTO_N_TCP || h->frag & (IP4_MF | 0x1fff))
		return false;
	if (p->len < h->hlen + TCP_HLEN || pkt_pullup(m, p, h->hlen + TCP_HLEN))
		return false;
	uint32_t thl = (pkt_data(p)[h->hlen + 12] >> 4) * 4u;
	if (thl < TCP_HLEN || p->len <= h->hlen + thl || pkt_pullup(m, p, h->hlen + thl))
		return false;
	uint32_t payload = p->len - h->hlen - thl;
	if (p->m.gso_size + thl - TCP_HLEN < GSO_UNIT_MIN || h->total_len != MIN(p->len, 65535u))
		return false;
	return p->m.gso_size <= payload && p->m.gso_segs == (payload + p->m.gso_size - 1) / p->m.gso_size;
}

enum drop ip_input(struct pktmem *m, struct pkt *p, struct ip4_hdr *h)
{
	bool super = p->m.gso_size != 0;
	if (p->len < IP4_HLEN || pkt_pullup(m, p, IP4_HLEN))
		return DROP_IP_BAD;
	uint32_t hlen = (pkt_data(p)[0] & 15) * 4u;
	if (hlen > p->len || pkt_pullup(m, p, hlen))
		return DROP_IP_BAD;
	int err = ip4_parse(pkt_data(p), p->len, super, h);
	if (err)
		return err == -EBADMSG ? DROP_IP_CSUM : DROP_IP_BAD;
	if (!super && p->len > h->total_len)
		pkt_trim(m, p, h->total_len);
	if (super && !ip_super_is_sane(m, p, h))
		return DROP_IP_BAD;
	if (h->hlen > IP4_HLEN && ip4_options_check(pkt_data(p) + IP4_HLEN, h->hlen - IP4_HLEN) > 0)
		return DROP_IP_OPTIONS;
	p->m.l3 = p->head;
	p->m.l4 = (uint16_t)(p->head + h->hlen);
	p->m.ecn = h->tos & 3;
	return DROP_NONE;
}

enum drop ip_input_addresses(const struct ip4_hdr *h, bool is_loopback)
{
	uint32_t s = h->src, d = h->dst;
	/* 0/8 and 127/8 from the wire, multicast and class E (the limited broadcast among them) as source. */
	if (s >> 24 == 0 || s >> 28 >= 0xe || (s >> 24 == 127 && !is_loopback))
		return DROP_IP_SOURCE;
	if (d >> 24 == 0 || (d >> 28 == 0xf && d != 0xffffffffu) || (d >> 24 == 127 && !is_loopback))
		return DROP_IP_NOT_OURS;
	return DROP_NONE;
}
