/* net/flow.c - flow hashes: SipHash-1-3 over addresses, protocol and ports (RFC 2992 §2: hash the flow, not the packet).
 *
 * Fragments hash without ports, all alike, so that one datagram's fragments stay together. ICMP has no ports, nor has what an IPv6
 * router sees in front of extension headers, which it does not walk. */
#include "net/flow.h"

uint32_t flow_hash(struct prf_key key, const struct via_addr *src, const struct via_addr *dst, uint8_t proto, uint32_t ports)
{
	uint8_t k[40];
	memcpy(k, src->b, 16);
	memcpy(k + 16, dst->b, 16);
	memcpy(k + 32, &ports, 4);
	k[36] = proto;
	memset(k + 37, 0, 3);
	uint32_t h = (uint32_t)(siphash_1_3(key, k, sizeof(k)) >> 32);
	return h ? h : 1;
}

uint32_t flow_hash_of(struct prf_key key, struct pkt *p, const struct ip_hdr *h)
{
	bool has_ports = (h->proto == IPPROTO_N_TCP || h->proto == IPPROTO_N_UDP) && !ip_is_fragment(h);
	uint32_t end = (uint32_t)p->head + p->head_len, ports = 0;
	if (has_ports && p->m.l4 + 4u <= end)
		ports = get_be32(p->linear + p->m.l4);
	p->m.flow_hash = flow_hash(key, &h->src, &h->dst, h->proto, ports);
	return p->m.flow_hash;
}

uint32_t flow_label(struct prf_key key, uint32_t hash)
{
	uint32_t label = (uint32_t)(siphash_1_3(key, &hash, sizeof(hash)) & 0xfffff);
	return label ? label : 1;
}
