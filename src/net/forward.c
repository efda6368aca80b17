/* net/forward.c - forwarding: who may pass, TTL, size (RFC 1812 §5.2.6, §5.3.1, §5.3.4, §5.3.5; RFC 2644; RFC 3927 §2.7). */
#include "net/forward.h"

#include "wire/icmp4.h"

enum drop forward_may(const struct pkt *p, const struct ip4_hdr *h)
{
	if (p->m.ether_mcast || h->dst >> 28 == 0xe || h->dst == 0xffffffffu)
		return DROP_IP_BROADCAST;
	if (h->src >> 16 == 0xa9fe || h->dst >> 16 == 0xa9fe) /* 169.254/16 stays on its link */
		return DROP_IP_SOURCE;
	return DROP_NONE;
}

uint32_t forward_unit(const struct pkt *p, const struct ip4_hdr *h)
{
	if (!p->m.gso_size)
		return h->total_len;
	uint32_t thl = (p->linear[p->m.l4 + 12] >> 4) * 4u;
	return h->hlen + thl + p->m.gso_size;
}

bool forward_is_icmp_error(const struct pkt *p, const struct ip4_hdr *h)
{
	uint32_t at = (uint32_t)(p->m.l3 + h->hlen), end = (uint32_t)p->head + p->head_len;
	return h->proto == IPPROTO_N_ICMP && !(h->frag & 0x1fff) && at < end && icmp4_is_error(p->linear[at]);
}

enum drop forward_ttl(struct pkt *p, struct ip4_hdr *h)
{
	if (h->ttl <= 1)
		return DROP_IP_TTL;
	ip4_ttl_lower(p->linear + p->m.l3);
	h->ttl--;
	return DROP_NONE;
}
