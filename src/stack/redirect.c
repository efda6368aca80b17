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

void redirect_send(struct via *v, struct pkt *p, const struct ip4_hdr *h, const struct fib_hop *hop)
{
	struct via_addr src = via_addr_v4(h->src), next = via_addr_is_any(&hop->gateway) ? via_addr_v4(h->dst) : hop->gateway;
	if (!v->st->no_redirects && p->m.ifindex == hop->ifindex && share_a_prefix(v, hop->ifindex, &src, &next))
		tx_icmp_error(v, p, h, ICMP4_REDIRECT, 1, via_addr_to_v4(&next));
}

enum drop redirect_arrives(struct via *v, uint16_t ifindex, const struct via_addr *from, const struct icmp4_quote *q, uint32_t gateway)
{
	struct via_addr local = via_addr_v4(q->src), remote = via_addr_v4(q->dst), gw = via_addr_v4(gateway);
	if (!v->st->accepts_redirects || v->st->forwarding)
		return DROP_ICMP_TYPE;
	bool is_host = !via_addr_is_any(&gw) && gateway >> 24 != 127 && gateway >> 28 < 0xe && !stack_addr_is_ours(v, &gw) &&
		       !addrs_is_broadcast(v->arena, &v->st->addrs, ifindex, &gw);
	return is_host && path_redirect(v, &local, &remote, from, &gw, ifindex) ? DROP_NONE : DROP_ICMP_REDIRECT;
}
