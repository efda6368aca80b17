/* stack/nd.c - neighbour discovery: the five messages in, and questions and answers out (RFC 4861 §7.2, §7.3; RFC 4862 §5.4).
 *
 * A message that is malformed, or came from beyond the link, is dropped silently (wire/nd.h). What it teaches goes to the one neighbour
 * cache; what it says of routers to nd_host.c; a redirect to redirect.c. Our answers are sent straight to the sender's MAC. A
 * solicitation for an address that is being probed for gets none (SA-001). Without VIA_SET_IPV6 neighbours are found and answered all
 * the same; only what concerns routers and new addresses is not done. */
#include "stack/nd.h"

#include "base/csum.h"
#include "link/arp.h"
#include "wire/addr.h"

enum { MSG_MAX = 1280 - IP6_HLEN, READ_MAX = 2048 };

/* ---- out ---- */

/* m as a whole IPv6 packet, or NULL. */
static struct pkt *nd_build(struct via *v, const struct iface *i, const struct via_addr *src, const struct via_addr *dst,
			    const struct nd_msg *m)
{
	struct pkt *p = pkt_new(v->mem, PKT_HEADROOM);
	if (!p)
		return NULL;
	uint8_t *icmp = p->linear + p->head + IP6_HLEN;
	size_t n = nd_emit(icmp, MIN((size_t)MSG_MAX, PKT_LINEAR - p->head - IP6_HLEN), m);
	put_be16(icmp + 2, csum_field(csum_add(addr_pseudo(src, dst, IPPROTO_N_ICMP6, (uint32_t)n), icmp, n)));
	struct ip6_hdr h = {.next = IPPROTO_N_ICMP6, .hops = ND_HOPS, .payload_len = (uint16_t)n, .src = *src, .dst = *dst};
	ip6_emit(pkt_put(p, (uint32_t)(IP6_HLEN + n)), &h);
	p->m.l2 = p->m.l3 = p->head;
	p->m.l4 = (uint16_t)(p->head + IP6_HLEN);
	p->m.ifindex = i->ifindex;
	p->m.why = WHY_ND;
	return p;
}

void nd_send(struct via *v, struct iface *i, const struct via_addr *src, const struct via_addr *dst, const struct nd_msg *m,
	     const uint8_t *mac)
{
	uint8_t group[6];
	struct pkt *p = i->up && i->l2 == VIA_L2_ETHER ? nd_build(v, i, src, dst, m) : NULL;
	if (!p)
		return;
	v->st->counts[COUNT_ND_OUT]++;
	if (!mac && eth_group(group, dst))
		mac = group;
	if (!mac) {
		const struct via_addr to = addr_on_link(dst, i->ifindex);
		tx_neighbour(v, i, &to, p);
		return;
	}
	eth_emit(pkt_push(p, ETH_HLEN), mac, i->mac, ETHERTYPE_IP6);
	p->m.l2 = p->head;
	enum drop why = ifq_push(v, i, p, true);
	if (why)
		stack_drop(v, p, why);
}

static void nd_say_mac(const struct iface *i, struct nd_msg *m)
{
	m->has_lla = true;
	memcpy(m->lla, i->mac, 6);
}

void nd_ask(struct via *v, struct iface *i, const struct neigh_ask *ask)
{
	struct nd_msg m = {.type = ND_NS, .target = ask->addr};
	const struct via_addr to = ask->unicast ? ask->addr : nd_solicited_node(&ask->addr);
	const struct addr_entry *src = addrs_source(v->arena, &v->st->addrs, i->ifindex, &ask->addr);
	if (!src)
		return;
	nd_say_mac(i, &m);
	nd_send(v, i, &src->addr, &to, &m, ask->unicast ? ask->mac : NULL);
}

void nd_probe(struct via *v, struct iface *i, const struct acd *c)
{
	static const struct via_addr any;
	struct nd_msg m = {.type = ND_NS, .target = c->addr, .has_nonce = true};
	const struct via_addr to = nd_solicited_node(&c->addr);
	memcpy(m.nonce, c->nonce, ND_NONCE_LEN);
	nd_send(v, i, &any, &to, &m, NULL);
}

const struct addr_entry *nd_link_local(const struct via *v, uint16_t ifindex)
{
	for (uint32_t n = 0; n < v->st->addrs.n; n++) {
		const struct addr_entry *e = addrs_get(v->arena, &v->st->addrs, n);
		if (e->ifindex == ifindex && addr_is_fe80(&e->addr))
			return e;
	}
	return NULL;
}

/* ---- in ---- */

static void nd_release(struct via *v, ref_t neigh, struct pktq *ready)
{
	if (neigh)
		tx_ready(v, neigh, ready);
	else
		tx_failed(v, ready);
}

/* The sender of m introduced itself, if it did. *r gets what is known of it, or 0. */
static void nd_learn(struct via *v, const struct iface *i, const struct via_addr *who, const struct nd_msg *m, ref_t *r)
{
	struct neigh_env ne = stack_neigh_env(v);
	struct pktq ready = {0};
	*r = 0;
	if (via_addr_is_any(who) || memcmp(m->lla, i->mac, 6) == 0)
		return;
	if (!m->has_lla) {
		*r = neigh_find(&ne, &v->st->neigh, i->ifindex, who);
		return;
	}
	neigh_heard(&ne, &v->st->neigh, i->ifindex, who, m->lla, NEIGH_ASKED_US, &ready, r);
	nd_release(v, *r, &ready);
}

/* It is a router or not, and says so. */
static void nd_learn_role(struct via *v, struct iface *i, const struct via_addr *who, ref_t r, bool is_router)
{
	struct neigh_env ne = stack_neigh_env(v);
	if (r && neigh_set_router(&ne, r, is_router))
		nd_router_failed(v, i, who, true);
}

static enum drop nd_ns_arrives(struct via *v, struct iface *i, const struct via_addr *from, const struct nd_msg *m)
{
	static const struct via_addr all_nodes = {.b = {0xff, 2, [15] = 1}};
	const struct via_addr target = addr_on_link(&m->target, i->ifindex);
	const struct addr_entry *mine = addrs_find(v->arena, &v->st->addrs, &target);
	bool from_any = via_addr_is_any(from);
	ref_t r;
	if (!mine || mine->ifindex != i->ifindex)
		return DROP_ND_TARGET;
	nd_learn(v, i, from, m, &r);
	struct nd_msg a = {.type = ND_NA, .target = target, .is_router = v->st->forwarding, .solicited = !from_any, .override = true};
	nd_say_mac(i, &a);
	nd_send(v, i, &target, from_any ? &all_nodes : from, &a, !from_any && m->has_lla ? m->lla : NULL);
	return DROP_NONE;
}

static enum drop nd_na_arrives(struct via *v, struct iface *i, const struct nd_msg *m)
{
	struct neigh_env ne = stack_neigh_env(v);
	const struct via_addr target = addr_on_link(&m->target, i->ifindex);
	struct neigh_claim claim = {.mac = m->has_lla ? m->lla : NULL, .solicited = m->solicited, .override = m->override};
	struct pktq ready = {0};
	ref_t r;
	if (addrs_find(v->arena, &v->st->addrs, &target)) { /* somebody else has it, too: no RFC says more than to tell */
		v->st->counts[COUNT_ND_CONFLICTS]++;
		return DROP_ND_TARGET;
	}
	if (m->has_lla && memcmp(m->lla, i->mac, 6) == 0)
		return DROP_ND_BAD;
	neigh_advertised(&ne, &v->st->neigh, i->ifindex, &target, &claim, &ready, &r);
	nd_release(v, r, &ready);
	nd_learn_role(v, i, &target, r, m->is_router);
	if (r && m->solicited)
		nd_router_answers(v, i, &target);
	return DROP_NONE;
}

/* Hosts ignore solicitations for routers (§6.2.6). */
static enum drop nd_rs_arrives(struct via *v, struct iface *i, const struct via_addr *from, const struct nd_msg *m)
{
	struct nd_iface *n = nd_on(v, i);
	ref_t r;
	if (!n || n->radv.state != RADV_ON)
		return DROP_ND_TARGET;
	nd_learn(v, i, from, m, &r);
	nd_learn_role(v, i, from, r, false);
	radv_solicited(&n->radv, prf_next(&v->st->acd_random), v->now);
	nd_rearm(v, n);
	return DROP_NONE;
}

static enum drop nd_router_arrives(struct via *v, struct iface *i, const struct via_addr *from, const struct nd_msg *m)
{
	struct nd_iface *n = nd_on(v, i);
	ref_t r;
	if (n && n->radv.state == RADV_ON && !radv_agrees(&n->radv, m))
		v->st->counts[COUNT_ND_DISAGREE]++;
	if (!n || !nd_accepts(v, n))
		return DROP_ND_TARGET;
	nd_learn(v, i, from, m, &r);
	nd_learn_role(v, i, from, r, true);
	nd_ra_arrives(v, i, from, m);
	return DROP_NONE;
}

static enum drop nd_redirect_arrives(struct via *v, struct iface *i, const struct via_addr *from, const struct nd_msg *m)
{
	struct icmp_quote q;
	const struct via_addr target = addr_on_link(&m->target, i->ifindex);
	ref_t r;
	if (!m->quote || !icmp_quote_read(true, i->ifindex, m->quote, m->quote_len, &q) || memcmp(q.dst.b, m->dst.b, 16) != 0)
		return DROP_ICMP_REDIRECT;
	enum drop why = redirect_arrives(v, i->ifindex, from, &q, &target);
	if (why)
		return why;
	nd_learn(v, i, &target, m, &r);
	if (memcmp(target.b, m->dst.b, 16) != 0)
		nd_learn_role(v, i, &target, r, true); /* §8.3: a better first hop is a router */
	return DROP_NONE;
}

enum drop nd_arrives(struct via *v, const struct pkt *p, const struct ip_hdr *h)
{
	uint8_t bytes[READ_MAX];
	struct iface *i = iface_at(v, p->m.ifindex);
	const struct nd_from from = {.src = h->src, .dst = h->dst, .hop_limit = h->ttl, .was_cut = h->was_cut};
	struct nd_msg m;
	v->st->counts[COUNT_ND_IN]++;
	if (p->len > sizeof(bytes) || i->l2 != VIA_L2_ETHER)
		return DROP_ND_BAD;
	pkt_copy_out(v->mem, p, 0, bytes, p->len);
	if (nd_parse(bytes, p->len, &from, &m))
		return DROP_ND_BAD;
	if (m.type == ND_NS || m.type == ND_NA)
		acd_hears_nd(v, i, &m, via_addr_is_any(&h->src));
	switch ((enum nd_type)m.type) {
	case ND_RS:
		return nd_rs_arrives(v, i, &h->src, &m);
	case ND_RA:
		return nd_router_arrives(v, i, &h->src, &m);
	case ND_NS:
		return nd_ns_arrives(v, i, &h->src, &m);
	case ND_NA:
		return nd_na_arrives(v, i, &m);
	case ND_REDIRECT:
		return nd_redirect_arrives(v, i, &h->src, &m);
	}
	return DROP_ND_BAD;
}
