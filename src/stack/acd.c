/* stack/acd.c - addresses that are probed for before they are used (RFC 5227, RFC 4862 §5.4), and IPv4's defended.
 *
 * VIA_ADDR_PROBE begins: until the probes are over nothing knows the address. A conflict ends it, and is told by via_acd_get(); the
 * owner chooses another one. In use, a conflict is answered by one announcement, at most once in ten seconds; at a second one in
 * that time a probed-for address is given up (§2.4 (b)), while one that was configured stays (§2.4 (c)). */
#include "stack/nd.h"

#include <errno.h>

#include "wire/addr.h"

static struct acd *acd_at(const struct via *v, ref_t r) { return arena_at(v->arena, r); }

static void acd_send(struct via *v, const struct acd *c, bool is_probe)
{
	struct iface *i = iface_at(v, c->ifindex);
	struct arp_iface ai = {.ifindex = c->ifindex};
	if (!via_addr_is_v4(&c->addr)) {
		nd_probe(v, i, c);
		return;
	}
	memcpy(ai.mac, i->mac, 6);
	uint32_t addr = via_addr_to_v4(&c->addr);
	struct pkt *p = is_probe ? arp_probe_build(v->mem, &ai, addr) : arp_announce_build(v->mem, &ai, addr);
	if (!p)
		return;
	enum drop why = ifq_push(v, i, p, true);
	if (why)
		stack_drop(v, p, why);
}

/* A record for an address, which is probed for from the next timers on. NULL: no room. */
static struct acd *acd_new(struct via *v, const struct iface *i, const struct via_addr *addr, uint8_t plen)
{
	struct via_state *st = v->st;
	ref_t r = pool_take(v->arena, &st->acd_pool);
	if (!r)
		return NULL;
	struct acd *c = acd_at(v, r);
	c->timer.kind = WHEEL_ACD;
	c->addr = *addr;
	c->ifindex = i->ifindex;
	c->plen = plen;
	c->preferred_until = c->valid_until = TIME_NEVER;
	c->next = st->acds;
	st->acds = r;
	wheel_arm(v->arena, &st->wheel, r, v->now); /* the time of the last entry: times count from the next one */
	return c;
}

/* Another probe, another number (RFC 7527 §4.1); the interface's times. */
static void acd_fill6(struct via *v, struct acd *c)
{
	const struct nd_iface *n = nd_at(v, iface_at(v, c->ifindex));
	uint64_t nonce = prf_next(&v->st->acd_random);
	memcpy(c->nonce, &nonce, ND_NONCE_LEN);
	c->probes = n ? n->dad_transmits : 1;
	c->gap_ns = neigh_retrans_ns(&v->st->neigh, c->ifindex, &c->addr);
	c->state = ACD_FRESH;
	c->sent = 0;
}

struct acd *acd_begin6(struct via *v, struct iface *i, const struct via_addr *addr, uint8_t plen, uint8_t origin, uint8_t tries)
{
	struct acd *c = acd_new(v, i, addr, plen);
	if (!c)
		return NULL;
	c->origin = origin;
	c->tries = tries;
	acd_fill6(v, c);
	return c;
}

int acd_start(struct via *v, struct iface *i, const struct via_addr *addr, uint8_t plen)
{
	const struct via_addr scoped = addr_on_link(addr, i->ifindex);
	bool is_v4 = via_addr_is_v4(addr);
	if (i->l2 != VIA_L2_ETHER || plen > (is_v4 ? 32 : 128) || via_addr_is_multicast(addr) || via_addr_is_loopback(addr) ||
	    via_addr_is_any(addr) || (is_v4 && (addr->b[12] == 0 || addr->b[12] >= 0xe0)) || (!is_v4 && i->mtu < IP6_MTU_MIN))
		return -EINVAL;
	if (addrs_find(v->arena, &v->st->addrs, &scoped))
		return -EEXIST;
	acd_forget(v, &scoped);
	if (is_v4)
		return acd_new(v, i, addr, plen) ? 0 : -ENOSPC;
	return acd_begin6(v, i, &scoped, plen, ND_BY_USER, 0) ? 0 : -ENOSPC;
}

/* Take the candidate at *link out. */
static void acd_end(struct via *v, ref_t *link)
{
	ref_t r = *link;
	*link = acd_at(v, r)->next;
	wheel_disarm(v->arena, &v->st->wheel, r);
	pool_give(v->arena, &v->st->acd_pool, r);
}

bool acd_forget(struct via *v, const struct via_addr *addr)
{
	for (ref_t *link = &v->st->acds; *link; link = &acd_at(v, *link)->next) {
		if (via_addr_eq(&acd_at(v, *link)->addr, addr)) {
			acd_end(v, link);
			return true;
		}
	}
	return false;
}

void acd_forget_iface(struct via *v, uint16_t ifindex)
{
	for (ref_t *link = &v->st->acds; *link;) {
		if (!ifindex || acd_at(v, *link)->ifindex == ifindex)
			acd_end(v, link);
		else
			link = &acd_at(v, *link)->next;
	}
}

void acd_forget_iface6(struct via *v, uint16_t ifindex)
{
	for (ref_t *link = &v->st->acds; *link;) {
		if (acd_at(v, *link)->ifindex == ifindex && !via_addr_is_v4(&acd_at(v, *link)->addr))
			acd_end(v, link);
		else
			link = &acd_at(v, *link)->next;
	}
}

/* It is somebody else's. One that we made ourselves is made anew. */
static void acd_lose(struct via *v, struct acd *c)
{
	bool is_v4 = via_addr_is_v4(&c->addr);
	c->state = ACD_CONFLICT;
	v->st->acd_conflicts += is_v4;
	wheel_disarm(v->arena, &v->st->wheel, arena_ref(v->arena, c));
	if (is_v4 || !nd_lost(v, c))
		return;
	acd_fill6(v, c);
	wheel_arm(v->arena, &v->st->wheel, arena_ref(v->arena, c), v->now);
}

/* It is free: ours now. */
static void acd_claim(struct via *v, struct acd *c)
{
	bool is_v4 = via_addr_is_v4(&c->addr);
	struct via_change add = {.kind = VIA_ADDR_ADD, .ifindex = c->ifindex, .addr = c->addr, .plen = c->plen};
	const struct via_addr addr = c->addr;
	int err = is_v4 ? addr_use(v, &add) : nd_claimed(v, c);
	if (err) { /* no memory, or taken meanwhile */
		c->state = ACD_CONFLICT;
		wheel_disarm(v->arena, &v->st->wheel, arena_ref(v->arena, c));
	} else if (is_v4) {
		v->st->acd_conflicts = 0;
	} else if (c->origin != ND_BY_USER) {
		acd_forget(v, &addr); /* the address table knows the rest */
	}
}

void acd_fires(struct via *v, ref_t timer)
{
	struct via_state *st = v->st;
	struct acd *c = acd_at(v, timer);
	int64_t next;
	bool is_down = !iface_at(v, c->ifindex)->up; /* nobody could have answered: from the beginning */
	bool is_v4 = via_addr_is_v4(&c->addr), is_unprobed = !is_v4 && c->probes == 0;
	if (is_unprobed)
		c->state = ACD_PROBING;
	else if (c->state == ACD_FRESH || (c->state == ACD_PROBING && is_down)) {
		int64_t begin = v->now + (is_down ? NS_PER_S : 0);
		wheel_arm(v->arena, &st->wheel, timer, acd_begin(c, is_v4 ? st->acd_conflicts : 0, prf_next(&st->acd_random), begin));
		return;
	}
	enum acd_action what = acd_timeout(c, prf_next(&st->acd_random), v->now, &next);
	if (next != TIME_NEVER)
		wheel_arm(v->arena, &st->wheel, timer, next);
	if (what == ACD_PROBE && !is_v4)
		mcast_follow(v); /* its solicited-node group first (RFC 4862 §5.4.2) */
	if (what == ACD_PROBE || what == ACD_ANNOUNCE)
		acd_send(v, c, what == ACD_PROBE);
	else if (what == ACD_CLAIM)
		acd_claim(v, c);
}

void acd_hears_nd(struct via *v, struct iface *i, const struct nd_msg *m, bool from_any)
{
	for (ref_t r = v->st->acds; r; r = acd_at(v, r)->next) {
		struct acd *c = acd_at(v, r);
		if (c->ifindex == i->ifindex && acd_is_nd_conflict(c, m, from_any))
			acd_lose(v, c);
	}
}

/* Somebody else says that an address of ours in use is theirs. c: its record if it was probed for, or NULL. */
static void acd_defend(struct via *v, struct acd *c, const struct iface *i, const struct via_addr *addr)
{
	v->st->counts[COUNT_ARP_CONFLICTS]++;
	if (addrs_conflict(v->arena, &v->st->addrs, addr, v->now, ACD_DEFEND_INTERVAL_NS)) {
		stack_announce(v, i, addr);
	} else if (c) {
		struct via_change del = {.kind = VIA_ADDR_DEL, .ifindex = i->ifindex, .addr = *addr};
		acd_lose(v, c);
		addr_remove(v, &del);
	}
}

void acd_hears(struct via *v, const struct iface *i, const struct arp_pkt *a)
{
	struct via_addr spa = via_addr_v4(a->spa);
	const struct addr_entry *mine = addrs_find(v->arena, &v->st->addrs, &spa);
	struct acd *of_mine = NULL;
	for (ref_t r = v->st->acds; r; r = acd_at(v, r)->next) {
		struct acd *c = acd_at(v, r);
		if (c->ifindex != i->ifindex || !acd_is_conflict(c, a, i->mac))
			continue;
		if (c->state <= ACD_PROBING)
			acd_lose(v, c);
		else
			of_mine = c;
	}
	if (mine && mine->ifindex == i->ifindex && memcmp(a->sha, i->mac, 6) != 0)
		acd_defend(v, of_mine, i, &spa);
}

bool via_acd_get(struct via *v, int n, struct via_acd_info *out)
{
	static const enum via_acd_state told[] = {
		[ACD_FRESH] = VIA_ACD_PROBING, [ACD_PROBING] = VIA_ACD_PROBING, [ACD_ANNOUNCING] = VIA_ACD_IN_USE,
		[ACD_BOUND] = VIA_ACD_IN_USE, [ACD_CONFLICT] = VIA_ACD_CONFLICT,
	};
	ref_t r = v->st->acds;
	while (r && n-- > 0)
		r = acd_at(v, r)->next;
	if (!r)
		return false;
	const struct acd *c = acd_at(v, r);
	*out = (struct via_acd_info){.size = out->size, .ifindex = c->ifindex, .addr = c->addr, .plen = c->plen,
				     .state = told[c->state]};
	return true;
}
