/* stack/nd_host.c - a host under routers: solicitations, what advertisements change, addresses from prefixes, the default route
 * (RFC 4861 §6.3; RFC 4862 §5.3, §5.5; RFC 7217; RFC 4191 §3.2).
 *
 * The default route is one: to the best router of all interfaces, chosen anew when a router comes, goes, or does not answer. On-link
 * prefixes are connected routes; an address from a prefix brings none of its own (RFC 5942 §4). Each address is probed for first
 * (acd.c), and if it is somebody else's another one is tried, three times (RFC 7217 §6). Lifetimes are the address table's; one timer
 * an interface serves all. When a link goes down and comes back, what was learnt stays, and routers are asked again. */
#include "stack/nd.h"

#include <errno.h>

#include "net/slaac.h"
#include "wire/addr.h"

bool nd_accepts(const struct via *v, const struct nd_iface *n)
{
	return n->accept_ra == ND_ACCEPT_ALWAYS || (n->accept_ra == ND_ACCEPT_HOST && !v->st->forwarding);
}

/* ---- the timer ---- */

void nd_rearm(struct via *v, struct nd_iface *n)
{
	int64_t next = MIN(MIN(n->rs_next, n->radv.next), MIN(routers_next(&n->routers), addrs_next(v->arena, &v->st->addrs)));
	ref_t r = arena_ref(v->arena, n);
	if (next == TIME_NEVER)
		wheel_disarm(v->arena, &v->st->wheel, r);
	else
		wheel_arm(v->arena, &v->st->wheel, r, next);
}

static void nd_send_rs(struct via *v, struct iface *i, struct nd_iface *n)
{
	static const struct via_addr all_routers = {.b = {0xff, 2, [15] = 2}};
	const struct addr_entry *src = nd_link_local(v, i->ifindex);
	struct nd_msg m = {.type = ND_RS, .has_lla = true};
	n->rs_next = TIME_NEVER;
	if (!src || !nd_accepts(v, n))
		return;
	memcpy(m.lla, i->mac, 6);
	nd_send(v, i, &src->addr, &all_routers, &m, NULL);
	if (++n->rs_sent < ND_RS_MAX)
		n->rs_next = v->now + ND_RS_INTERVAL_NS;
}

void nd_solicit(struct via *v, struct nd_iface *n)
{
	n->rs_sent = 0;
	n->has_routers_word = false;
	n->rs_next = v->now + (int64_t)(prf_next(&v->st->acd_random) % ND_RS_DELAY_NS);
	nd_rearm(v, n);
}

static void nd_send_ra(struct via *v, struct iface *i, struct nd_iface *n)
{
	static const struct via_addr all_nodes = {.b = {0xff, 2, [15] = 1}};
	const struct addr_entry *src = nd_link_local(v, i->ifindex);
	struct nd_msg m;
	radv_fill(&n->radv, &m);
	m.has_lla = true;
	memcpy(m.lla, i->mac, 6);
	if (src)
		nd_send(v, i, &src->addr, &all_nodes, &m, NULL);
}

/* Addresses whose time is over go, and who spoke from them is told. */
static void nd_age(struct via *v)
{
	struct addr_entry gone;
	while (addrs_age(v->arena, &v->st->addrs, v->now, &gone)) {
		struct via_change del = {.kind = VIA_ADDR_DEL, .ifindex = gone.ifindex, .addr = gone.addr};
		addr_remove(v, &del);
		path_local_gone(v, &gone.addr);
	}
}

/* The caller says stack_changed(): once, however many prefixes a packet names. */
static void nd_onlink_route(struct via *v, uint16_t ifindex, const struct via_addr *prefix, uint8_t plen, bool is_new)
{
	struct fib_hop hop = {.gateway = via_addr_v4(0), .ifindex = ifindex};
	if (is_new)
		fib_add(v->arena, v->st->fib, prefix, plen, &hop); /* -EEXIST: an address's; -ENOMEM: by the default router, then */
	else if (!addr_prefix_is_used(v, ifindex, prefix, plen))
		fib_del(v->arena, v->st->fib, prefix, plen, &hop);
}

/* ---- default routers ---- */

/* True: another one, and the caller says stack_changed(). */
static bool nd_choose_default(struct via *v)
{
	struct via_state *st = v->st;
	static const struct via_addr any;
	const struct router *best = NULL;
	struct fib_hop now = {.gateway = via_addr_v4(0)};
	for (uint32_t k = IFINDEX_LO; k < st->iface_end; k++) {
		struct nd_iface *n = nd_on(v, iface_at(v, k));
		const struct router *r = n && iface_at(v, k)->up ? routers_best(&n->routers) : NULL;
		if (r && (!best || router_is_better(r, best))) {
			best = r;
			now = (struct fib_hop){.gateway = addr_on_link(&r->addr, k), .ifindex = (uint16_t)k};
		}
	}
	if (now.ifindex == st->nd_default.ifindex && via_addr_eq(&now.gateway, &st->nd_default.gateway))
		return false;
	if (st->nd_default.ifindex)
		fib_del(v->arena, st->fib, &any, 0, &st->nd_default);
	if (best && fib_add(v->arena, st->fib, &any, 0, &now))
		now = (struct fib_hop){.gateway = via_addr_v4(0)}; /* no memory, or configured already */
	st->nd_default = now;
	return true;
}

void nd_default_route(struct via *v)
{
	if (nd_choose_default(v))
		stack_changed(v);
}

void nd_timeout(struct via *v, ref_t timer)
{
	struct nd_iface *n = arena_at(v->arena, timer);
	struct iface *i = iface_at(v, n->ifindex);
	struct router_prefix gone;
	bool lost = false, changed = false;
	if (n->rs_next <= v->now)
		nd_send_rs(v, i, n);
	if (radv_due(&n->radv, prf_next(&v->st->acd_random), v->now))
		nd_send_ra(v, i, n);
	for (; routers_expire(&n->routers, v->now, &lost, &gone); changed = true)
		nd_onlink_route(v, n->ifindex, &gone.prefix, gone.plen, false);
	if ((lost && nd_choose_default(v)) || changed)
		stack_changed(v);
	nd_age(v);
	nd_rearm(v, n);
}

void nd_router_failed(struct via *v, struct iface *i, const struct via_addr *addr, bool is_gone)
{
	struct nd_iface *n = nd_on(v, i);
	if (n && (is_gone ? routers_remove(&n->routers, addr) : routers_suspect(&n->routers, addr, true)))
		nd_default_route(v);
}

void nd_router_answers(struct via *v, struct iface *i, const struct via_addr *addr)
{
	struct nd_iface *n = nd_on(v, i);
	if (n && routers_suspect(&n->routers, addr, false))
		nd_default_route(v);
}

/* ---- addresses ---- */

/* Our address from a prefix, or NULL. */
static const struct addr_entry *nd_auto_addr(const struct via *v, uint16_t ifindex, const struct via_addr *prefix, uint32_t *n_all)
{
	const struct addr_entry *found = NULL;
	*n_all = 0;
	for (uint32_t k = 0; k < v->st->addrs.n; k++) {
		const struct addr_entry *e = addrs_get(v->arena, &v->st->addrs, k);
		if (e->ifindex != ifindex || !e->is_auto)
			continue;
		++*n_all;
		if (addr_in_prefix(&e->addr, prefix, 64))
			found = e;
	}
	return found;
}

/* Our tries-th address of a prefix. */
static struct via_addr nd_stable_addr(const struct via *v, const struct iface *i, const struct via_addr *prefix, uint8_t tries)
{
	struct via_addr a = slaac_stable_addr(v->st->iid_secret, prefix, i->name, strlen(i->name), tries);
	return addr_on_link(&a, i->ifindex);
}

void nd_make_link_local(struct via *v, struct iface *i)
{
	static const struct via_addr prefix = {.b = {0xfe, 0x80}};
	const struct via_addr a = nd_stable_addr(v, i, &prefix, 0);
	acd_begin6(v, i, &a, 64, ND_LINK_LOCAL, 0);
}

/* An autonomous prefix was advertised (RFC 4862 §5.5.3). */
static void nd_hear_auto_prefix(struct via *v, struct iface *i, const struct nd_prefix *p)
{
	struct via_state *st = v->st;
	int64_t preferred = slaac_until(p->preferred_s, v->now), valid = slaac_until(p->valid_s, v->now);
	uint32_t n_all;
	const struct addr_entry *e = nd_auto_addr(v, i->ifindex, &p->prefix, &n_all);
	if (e) {
		const struct via_addr a = e->addr;
		addrs_set_life(v->arena, &st->addrs, &a, preferred, slaac_valid_until(p, e->valid_until, v->now), v->now);
		return;
	}
	for (ref_t r = st->acds; r; r = ((struct acd *)arena_at(v->arena, r))->next) {
		struct acd *c = arena_at(v->arena, r);
		if (c->ifindex != i->ifindex || via_addr_is_v4(&c->addr))
			continue;
		n_all += c->origin == ND_OF_PREFIX;
		if (c->origin == ND_OF_PREFIX && addr_in_prefix(&c->addr, &p->prefix, 64)) { /* being probed for, or lost for good */
			c->preferred_until = preferred;
			c->valid_until = slaac_valid_until(p, c->valid_until, v->now);
			return;
		}
	}
	if (!p->valid_s || n_all >= ND_AUTO_ADDRS_MAX)
		return;
	const struct via_addr a = nd_stable_addr(v, i, &p->prefix, 0);
	struct acd *c = acd_begin6(v, i, &a, 64, ND_OF_PREFIX, 0);
	if (c)
		c->preferred_until = preferred, c->valid_until = valid;
}

int nd_claimed(struct via *v, struct acd *c)
{
	struct via_state *st = v->st;
	struct via_change add = {.kind = VIA_ADDR_ADD, .ifindex = c->ifindex, .addr = c->addr, .plen = c->plen};
	if (c->origin == ND_BY_USER)
		return addr_use(v, &add);
	if (c->valid_until <= v->now)
		return -EADDRNOTAVAIL;
	int err = addrs_add(v->arena, &st->addrs, c->ifindex, &c->addr, c->plen);
	if (err)
		return err;
	struct addr_entry *e = (struct addr_entry *)(uintptr_t)addrs_find(v->arena, &st->addrs, &c->addr);
	struct nd_iface *n = nd_at(v, iface_at(v, c->ifindex));
	e->is_auto = c->origin == ND_OF_PREFIX;
	addrs_set_life(v->arena, &st->addrs, &c->addr, c->preferred_until, c->valid_until, v->now);
	stack_changed(v);
	if (n && c->origin == ND_LINK_LOCAL && nd_accepts(v, n))
		nd_solicit(v, n); /* now there is an address to ask from */
	if (n)
		nd_radv_follow(v, n);
	return 0;
}

bool nd_lost(struct via *v, struct acd *c)
{
	v->st->counts[COUNT_ND_CONFLICTS]++;
	if (c->origin == ND_BY_USER || c->tries == SLAAC_IDGEN_RETRIES)
		return false;
	c->addr = nd_stable_addr(v, iface_at(v, c->ifindex), &c->addr, ++c->tries);
	return true;
}

/* ---- an advertisement ---- */

/* Hop limit, MTU, and the neighbours' times; 0 says nothing (§6.3.4). True: paths change. */
static bool nd_hear_parameters(struct via *v, struct iface *i, const struct nd_msg *m)
{
	uint8_t hops = i->hops6;
	uint32_t mtu = i->mtu6;
	if (m->hop_limit)
		i->hops6 = m->hop_limit;
	if (m->mtu >= IP6_MTU_MIN && m->mtu <= i->mtu)
		i->mtu6 = m->mtu;
	neigh_set_timing(&v->st->neigh, i->ifindex, m->reachable_ms, m->retrans_ms);
	return hops != i->hops6 || mtu != i->mtu6;
}

void nd_ra_arrives(struct via *v, struct iface *i, const struct via_addr *from, const struct nd_msg *m)
{
	struct nd_iface *n = nd_on(v, i);
	bool changed = nd_hear_parameters(v, i, m);
	routers_hear(&n->routers, from, m->lifetime_s, m->preference, v->now);
	routers_suspect(&n->routers, from, false);
	if (m->lifetime_s) {
		n->has_routers_word = true;
		n->rs_next = TIME_NEVER;
	}
	changed |= nd_choose_default(v);
	for (uint8_t k = 0; k < m->n_prefixes; k++) {
		const struct nd_prefix *p = &m->prefix[k];
		enum prefix_news news = routers_hear_prefix(&n->routers, p, v->now);
		if (news != PREFIX_SAME)
			nd_onlink_route(v, i->ifindex, &p->prefix, p->plen, news == PREFIX_NEW);
		changed |= news != PREFIX_SAME;
		if (!n->is_silent && slaac_prefix_is_usable(p))
			nd_hear_auto_prefix(v, i, p);
	}
	if (changed)
		stack_changed(v);
	nd_rearm(v, n);
}

void nd_forget(struct via *v, struct iface *i)
{
	struct nd_iface *n = nd_at(v, i);
	struct routers was = n->routers;
	n->routers = (struct routers){0};
	n->has_routers_word = false;
	nd_choose_default(v);
	for (uint8_t k = 0; k < was.n_prefixes; k++)
		nd_onlink_route(v, i->ifindex, &was.prefix[k].prefix, was.prefix[k].plen, false);
	for (uint32_t k = v->st->addrs.n; k-- > 0;) {
		const struct addr_entry *e = addrs_get(v->arena, &v->st->addrs, k);
		struct via_change del = {.kind = VIA_ADDR_DEL, .ifindex = e->ifindex, .addr = e->addr};
		if (e->ifindex == i->ifindex && e->is_auto)
			addr_remove(v, &del);
	}
	i->mtu6 = i->hops6 = 0;
	stack_changed(v);
	v->st->neigh.timing[i->ifindex] = (struct neigh_timing){0};
	nd_rearm(v, n);
}
