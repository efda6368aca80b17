/* stack/mcast.c - multicast groups of this stack: which are its own, their reports on the wire, queries in (RFC 3376 §4, §9; RFC 3810 §5,
 * §6; RFC 3590; RFC 4291 §2.8).
 *
 * The machine is net/groups.c. The stack's own groups are looked at again whenever its addresses change: an IPv6 interface is in the
 * solicited-node group of each address, used or probed for, and a router's in those of all routers. Reports leave with TTL 1 and a router
 * alert, from an address of the interface, or from none while there is no valid one; they are sent again when there is. A message is
 * believed if it cannot have passed a router: MLD's with a link-local source (a query; RFC 3810 §6.2), hop limit 1 and a router alert,
 * IGMP's with TTL 1 and, from version 2 on, a router alert. On interfaces without Ethernet nobody is told anything. */
#include "stack/nd.h"

#include <errno.h>

#include "base/csum.h"
#include "wire/addr.h"
#include "wire/igmp.h"
#include "wire/mld.h"

enum { MSG_MAX = 1280, ALERT4_LEN = 4, ALERT6_LEN = 8, OPT4_ALERT = 148, OPT6_ALERT = 5, TOS_CONTROL = 0xc0 };

/* ---- out ---- */

/* Where a report goes: all routers that speak version 3, the group itself, or for a leave all routers. */
static struct via_addr report_to(bool is_v6, const struct group_report *r)
{
	struct via_addr routers = {.b = {0xff, 2, [15] = r->version == 3 ? 0x16 : 2}};
	if (r->version < 3 && r->record[0].type != GROUP_TO_IN)
		return r->record[0].group;
	return is_v6 ? routers : via_addr_v4(r->version == 3 ? 0xe0000016 : 0xe0000002);
}

/* From whom: the interface's link-local address, or IPv4's first; none if there is none. */
static struct via_addr report_from(struct via *v, uint16_t ifindex, bool is_v6, const struct via_addr *to)
{
	const struct addr_entry *e = is_v6 ? nd_link_local(v, ifindex) : addrs_source(v->arena, &v->st->addrs, ifindex, to);
	return e ? e->addr : is_v6 ? (struct via_addr){.scope = 0} : via_addr_v4(0);
}

/* The headers of a message of n bytes at `at`, which begins with the alert's room. */
static void report_headers(uint8_t *at, bool is_v6, const struct via_addr *from, const struct via_addr *to, uint32_t n)
{
	static const uint8_t alert6[ALERT6_LEN] = {IPPROTO_N_ICMP6, 0, OPT6_ALERT, 2, 0, 0, 1, 0}, alert4[ALERT4_LEN] = {OPT4_ALERT, 4, 0, 0};
	if (is_v6) {
		uint8_t *msg = at + IP6_HLEN + ALERT6_LEN;
		put_be16(msg + 2, csum_field(csum_add(addr_pseudo(from, to, IPPROTO_N_ICMP6, n), msg, n)));
		ip6_emit(at, &(struct ip6_hdr){.next = IPPROTO_N_HOPOPTS, .hops = 1, .payload_len = (uint16_t)(ALERT6_LEN + n), .src = *from,
					       .dst = *to});
		memcpy(at + IP6_HLEN, alert6, sizeof(alert6));
		return;
	}
	ip4_emit(at, &(struct ip4_hdr){.tos = TOS_CONTROL, .ttl = 1, .proto = IPPROTO_N_IGMP, .frag = IP4_DF,
				       .total_len = (uint16_t)(IP4_HLEN + ALERT4_LEN + n), .src = via_addr_to_v4(from),
				       .dst = via_addr_to_v4(to)});
	memcpy(at + IP4_HLEN, alert4, sizeof(alert4));
	ip4_emit_grown(at, ALERT4_LEN);
}

static void op_report(void *ctx, uint16_t ifindex, bool is_v6, const struct group_report *r)
{
	struct via *v = ctx;
	struct iface *i = iface_at(v, ifindex);
	struct pkt *p = i && i->up && i->l2 == VIA_L2_ETHER ? pkt_new(v->mem, PKT_HEADROOM) : NULL;
	if (!p)
		return;
	uint32_t hlen = is_v6 ? IP6_HLEN + ALERT6_LEN : IP4_HLEN + ALERT4_LEN;
	const struct via_addr to = report_to(is_v6, r), from = report_from(v, ifindex, is_v6, &to);
	uint8_t *at = p->linear + p->head, mac[6];
	size_t cap = MIN((size_t)MSG_MAX, PKT_LINEAR - p->head) - hlen;
	uint32_t n = (uint32_t)(is_v6 ? mld_emit(at + hlen, cap, r) : igmp_emit(at + hlen, cap, r));
	report_headers(at, is_v6, &from, &to, n);
	pkt_put(p, hlen + n);
	p->m.l3 = p->head;
	p->m.l4 = (uint16_t)(p->head + hlen);
	p->m.ifindex = ifindex;
	p->m.why = WHY_GROUP;
	eth_group(mac, &to);
	eth_emit(pkt_push(p, ETH_HLEN), mac, i->mac, is_v6 ? ETHERTYPE_IP6 : ETHERTYPE_IP4);
	p->m.l2 = p->head;
	v->st->counts[COUNT_GROUP_OUT]++;
	if (is_v6 && v->st->groups.link[ifindex][1])
		((struct groups_link *)arena_at(v->arena, v->st->groups.link[ifindex][1]))->has_source = !via_addr_is_any(&from);
	enum drop why = ifq_push(v, i, p, true);
	if (why)
		stack_drop(v, p, why);
}

static const struct groups_ops ops = {.report = op_report};

static struct groups_env env_of(struct via *v)
{
	return (struct groups_env){.arena = v->arena, .wheel = &v->st->wheel, .now = v->now, .ops = &ops, .ctx = v};
}

/* ---- whose groups ---- */

/* The stack wants to hear the solicited-node group of an address that is not IPv4's. */
static void own_address(struct via *v, struct groups_env *e, uint16_t ifindex, const struct via_addr *a)
{
	static const struct via_addr routers = {.b = {0xff, 2, [15] = 2}}, site = {.b = {0xff, 5, [15] = 2}};
	const struct iface *i = iface_at(v, ifindex);
	const struct via_addr solicited = nd_solicited_node(a);
	if (via_addr_is_v4(a) || !i || i->l2 != VIA_L2_ETHER)
		return;
	groups_own(e, &v->st->groups, ifindex, &solicited);
	if (!v->st->forwarding)
		return;
	groups_own(e, &v->st->groups, ifindex, &routers);
	groups_own(e, &v->st->groups, ifindex, &site);
}

void mcast_follow(struct via *v)
{
	struct via_state *st = v->st;
	struct groups_env e = env_of(v);
	groups_own_begin(&e, &st->groups);
	for (uint32_t n = 0; n < st->addrs.n; n++) {
		const struct addr_entry *a = addrs_get(v->arena, &st->addrs, n);
		own_address(v, &e, a->ifindex, &a->addr);
	}
	for (ref_t r = st->acds; r; r = ((const struct acd *)arena_at(v->arena, r))->next) {
		const struct acd *c = arena_at(v->arena, r);
		if (c->state == ACD_PROBING && c->sent) /* not before the first probe: it waits at random so that others may come first */
			own_address(v, &e, c->ifindex, &c->addr);
	}
	groups_own_end(&e, &st->groups);
	for (uint16_t i = 0; i < VIA_IFACES_MAX; i++) {
		const struct groups_link *l = st->groups.link[i][1] ? arena_at(v->arena, st->groups.link[i][1]) : NULL;
		if (l && !l->has_source && nd_link_local(v, i)) /* what was told from :: is told anew (RFC 3590 §5.1) */
			groups_again(&e, &st->groups, i, true);
	}
}

void mcast_follow_changes(struct via *v)
{
	struct via_state *st = v->st;
	uint64_t seen = (uint64_t)st->addrs.order << 32 | st->addrs.n << 1 | st->forwarding;
	if (seen == st->groups_seen)
		return;
	st->groups_seen = seen;
	mcast_follow(v);
}

void mcast_init(struct via *v, struct prf_key key)
{
	struct groups_env e = env_of(v);
	_Static_assert(GROUPS_IFACES_MAX >= VIA_IFACES_MAX, "each interface has its groups");
	groups_init(&e, &v->st->groups, key, WHEEL_GROUPS);
}

void mcast_fini(struct via *v)
{
	struct groups_env e = env_of(v);
	groups_fini(&e, &v->st->groups);
}

void mcast_up(struct via *v, uint16_t ifindex)
{
	struct groups_env e = env_of(v);
	groups_again(&e, &v->st->groups, ifindex, false);
	groups_again(&e, &v->st->groups, ifindex, true);
}

void mcast_forget(struct via *v, uint16_t ifindex)
{
	struct groups_env e = env_of(v);
	groups_forget(&e, &v->st->groups, ifindex);
}

void mcast_timeout(struct via *v, ref_t timer)
{
	struct groups_env e = env_of(v);
	groups_timeout(&e, &v->st->groups, timer);
}

int mcast_join(struct via *v, uint32_t ifindex, const struct via_addr *group, uint32_t *id)
{
	struct groups_env e = env_of(v);
	if (ifindex == IFINDEX_LO || !iface_at(v, ifindex))
		return -ENODEV;
	return groups_join(&e, &v->st->groups, (uint16_t)ifindex, group, id);
}

void mcast_leave(struct via *v, uint32_t ifindex, const struct via_addr *group, uint32_t id)
{
	struct groups_env e = env_of(v);
	groups_leave(&e, &v->st->groups, (uint16_t)ifindex, group, id);
}

uint32_t mcast_iface(struct via *v, const struct via_addr *group)
{
	struct fib_hop hop;
	if (fib_lookup(v->arena, v->st->fib, group, 0, v->st->down, &hop) && hop.ifindex != IFINDEX_LO)
		return hop.ifindex;
	for (uint32_t i = IFINDEX_LO + 1; i < v->st->iface_end; i++)
		if (iface_at(v, i) && iface_at(v, i)->up)
			return i;
	return 0;
}

/* ---- in ---- */

/* Has the packet p, whose IP header is *h, a router alert? */
static bool has_alert(const struct pkt *p, const struct ip_hdr *h)
{
	const uint8_t *ip = p->linear + p->m.l3;
	uint32_t at = h->is_v6 ? IP6_HLEN + 2 : IP4_HLEN, end = h->hlen;
	if (h->is_v6) {
		if (ip[6] != IPPROTO_N_HOPOPTS)
			return false;
		end = MIN(end, IP6_HLEN + 8u * (ip[IP6_HLEN + 1] + 1u));
	}
	while (at < end) { /* they were walked before: each length is right */
		bool is_short = h->is_v6 ? ip[at] == 0 : ip[at] <= 1;
		if (ip[at] == (h->is_v6 ? OPT6_ALERT : OPT4_ALERT))
			return true;
		at += is_short ? 1 : h->is_v6 ? ip[at + 1] + 2u : MAX(ip[at + 1], 2u);
	}
	return false;
}

/* Can it have been sent by a neighbour alone? */
static bool is_near(const struct pkt *p, const struct ip_hdr *h, const struct group_msg *m)
{
	if (h->ttl != 1 || h->was_cut)
		return false;
	if (h->is_v6)
		return has_alert(p, h) && (addr_is_fe80(&h->src) || (m->kind != GROUP_QUERY && via_addr_is_any(&h->src)));
	return m->version == 1 || has_alert(p, h);
}

enum drop mcast_arrives(struct via *v, const struct pkt *p, const struct ip_hdr *h)
{
	static const struct via_addr all_nodes = {.b = {0xff, 2, [15] = 1}};
	uint8_t bytes[1500];
	struct group_msg m;
	struct groups_env e = env_of(v);
	v->st->counts[COUNT_GROUP_IN]++;
	uint32_t n = pkt_copy_out(v->mem, p, 0, bytes, sizeof(bytes));
	if (n < p->len || (h->is_v6 ? mld_parse(bytes, n, &m) : igmp_parse(bytes, n, &m)) || !is_near(p, h, &m))
		return DROP_GROUP_BAD;
	if (m.kind == GROUP_QUERY && via_addr_is_any(&m.group) && via_addr_is_multicast(&h->dst) &&
	    memcmp(h->dst.b, h->is_v6 ? all_nodes.b : via_addr_v4(0xe0000001).b, 16) != 0)
		return DROP_GROUP_BAD; /* RFC 3376 §9.1 */
	groups_hear(&e, &v->st->groups, p->m.ifindex, h->is_v6, &m);
	return DROP_NONE;
}
