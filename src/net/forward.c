/* net/forward.c - forwarding: who may pass, TTL, size (RFC 1812 §5.2.6, §5.3.1, §5.3.4, §5.3.5; RFC 2644; RFC 3927 §2.7; RFC 8200 §3;
 * RFC 4291 §2.5.6; RFC 4443 §3.1). */
#include "net/forward.h"

#include "wire/addr.h"
#include "wire/icmp4.h"
#include "wire/icmp6.h"

/* 169.254/16 */
static bool is_link_local4(const struct via_addr *a)
{
	return a->b[12] == 0xa9 && a->b[13] == 0xfe;
}

enum drop forward_may(const struct pkt *p, const struct ip_hdr *h)
{
	if (p->m.ether_mcast || via_addr_is_multicast(&h->dst))
		return DROP_IP_BROADCAST;
	if (!h->is_v6 && via_addr_to_v4(&h->dst) == 0xffffffffu)
		return DROP_IP_BROADCAST;
	if (!h->is_v6)
		return is_link_local4(&h->src) || is_link_local4(&h->dst) ? DROP_IP_SOURCE : DROP_NONE;
	if (addr_is_link_local(&h->dst) || via_addr_is_any(&h->src))
		return DROP_IP_SOURCE;
	return addr_is_link_local(&h->src) ? DROP_IP_SCOPE : DROP_NONE;
}

uint32_t forward_unit(const struct pkt *p, const struct ip_hdr *h)
{
	if (!p->m.gso_size)
		return h->len;
	uint32_t thl = (p->linear[p->m.l4 + 12] >> 4) * 4u;
	return h->hlen + thl + p->m.gso_size;
}

bool forward_is_icmp_error(const struct pkt *p, const struct ip_hdr *h)
{
	uint32_t at = (uint32_t)(p->m.l3 + h->hlen), end = (uint32_t)p->head + p->head_len;
	if (!ip_is_icmp(h) || h->frag_off || at >= end)
		return false;
	return h->is_v6 ? icmp6_is_error(p->linear[at]) : icmp4_is_error(p->linear[at]);
}

enum drop forward_ttl(struct pkt *p, struct ip_hdr *h)
{
	if (h->ttl <= 1)
		return DROP_IP_TTL;
	if (h->is_v6)
		p->linear[p->m.l3 + 7]--;
	else
		ip4_ttl_lower(p->linear + p->m.l3);
	h->ttl--;
	return DROP_NONE;
}
