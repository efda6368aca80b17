/* stack/redirect.c - ICMP redirects: told by routers to those who could do better, believed by hosts that are asked to
 * (RFC 792; RFC 1122 §3.2.2.2; RFC 1812 §5.2.7.2).
 *
 * A host believes only the gateway that the path goes by now, and only about a gateway on the same link; by default none at all,
 * since whoever is on the link can forge one. What is learnt is the path's, one of PATHS_IDLE_MAX when nobody uses it, and is
 * forgotten when its route changes or after ten minutes. All kinds are taken as being about the one host (RFC 1122). */
#include "stack/nd.h"

#include "wire/addr.h"

enum { REDIRECT_QUOTE_MAX = (1280 - IP6_HLEN - 40 - 8 - 8) & ~7 };

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

/* A neighbour discovery message (RFC 4861 §8.2): it names the next router by its link-local address, or the destination itself. Its quote
 * is as much of p as fits 1280 bytes; a superframe's would be of a packet that never was, so those are not told of. */
static void redirect_send6(struct via *v, struct pkt *p, const struct ip_hdr *h, const struct via_addr *next)
{
	uint8_t quote[REDIRECT_QUOTE_MAX];
	struct neigh_env ne = stack_neigh_env(v);
	struct iface *i = iface_at(v, p->m.ifindex);
	const struct addr_entry *self = nd_link_local(v, i->ifindex);
	struct nd_msg m = {.type = ND_REDIRECT, .target = *next, .dst = h->dst, .quote = quote};
	const struct fib_hop *on = fib_onlink(v->arena, v->st->fib, &h->src, v->st->down);
	bool is_near = on && on->ifindex == i->ifindex;
	bool names = addr_is_fe80(next) || via_addr_eq(next, &h->dst);
	if (!self || !is_near || !names || p->m.gso_size || !icmp_limit_error(&v->st->icmp, &h->src, v->now))
		return;
	ref_t r = neigh_find(&ne, &v->st->neigh, i->ifindex, next);
	if (r && neigh_at(v->arena, r)->state != NEIGH_INCOMPLETE) {
		m.has_lla = true;
		memcpy(m.lla, neigh_at(v->arena, r)->mac, 6);
	}
	uint16_t front = p->head;
	pkt_front_at(p, p->m.l3);
	pkt_csum_finish(v->mem, p);
	m.quote_len = pkt_copy_out(v->mem, p, 0, quote, sizeof(quote));
	pkt_front_at(p, front);
	nd_send(v, i, &self->addr, &h->src, &m, NULL);
}

void redirect_send(struct via *v, struct pkt *p, const struct ip_hdr *h, const struct fib_hop *hop)
{
	const struct via_addr *next = via_addr_is_any(&hop->gateway) ? &h->dst : &hop->gateway;
	if (v->st->no_redirects || p->m.ifindex != hop->ifindex)
		return;
	if (h->is_v6)
		redirect_send6(v, p, h, next);
	else if (share_a_prefix(v, hop->ifindex, &h->src, next))
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
