/* stack/redirect.c - ICMP redirects: told by routers to those who could do better, believed by hosts that are asked to
 * (RFC 792; RFC 1122 §3.2.2.2; RFC 1812 §5.2.7.2).
 *
 * A host believes only the gateway that the path goes by now, and only about a gateway on the same link; by default none at all,
 * since whoever is on the link can forge one. What is learnt is the path's, one of PATHS_IDLE_MAX when nobody uses it, and is
 * forgotten when its route changes or after ten minutes. All kinds are taken as being about the one host (RFC 1122). */
#include "stack/state.h"

#include "wire/addr.h"

/* Are both in one prefix of an address of that interface? */
static bool share_a_prefix(const struct via *v, uint16_t ifindex, const struct via_addr *a, const struct via_addr *b)
{
	for (uint32_t n = 0; n < v->st->addrs.n; n++) {
		const struct addr_entry *e = addrs_get(v->arena, &v->st->addrs, n);
		if (e->ifindex == ifindex && addr_in_prefix(a, &e->addr, e->plen) && addr_in_prefix(b, &e->addr, e->plen))
			return true;
	}
	return false;
}

void redirect_send(struct via *v, struct pkt *p, const struct ip_hdr *h, const struct fib_hop *hop)
{
	const struct via_addr *next = via_addr_is_any(&hop->gateway) ? &h->dst : &hop->gateway;
	if (!h->is_v6 && !v->st->no_redirects && p->m.ifindex == hop->ifindex && share_a_prefix(v, hop->ifindex, &h->src, next))
		tx_icmp_error(v, p, h, ICMP_SAY_REDIRECT, via_addr_to_v4(next));
}

enum drop redirect_arrives(struct via *v, uint16_t ifindex, const struct via_addr *from, const struct icmp_quote *q,
			   const struct via_addr *gateway)
{
	if (!v->st->accepts_redirects || v->st->forwarding)
		return DROP_ICMP_TYPE;
	bool is_host = !via_addr_is_any(gateway) && !via_addr_is_multicast(gateway) && !stack_addr_is_ours(v, gateway) &&
		       !(via_addr_is_v4(gateway) && gateway->b[12] >= 0xf0) && !addrs_is_broadcast(v->arena, &v->st->addrs, ifindex, gateway);
	return is_host && path_redirect(v, &q->src, &q->dst, from, gateway, ifindex) ? DROP_NONE : DROP_ICMP_REDIRECT;
}
