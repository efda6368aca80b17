/* stack/acd.c - addresses that are probed for before they are used, and all of ours defended (RFC 5227).
 *
 * VIA_ADDR_PROBE begins: until the probes are over nothing knows the address. A conflict ends it, and is told by via_acd_get(); the
 * owner chooses another one. In use, a conflict is answered by one announcement, at most once in ten seconds; at a second one in
 * that time a probed-for address is given up (§2.4 (b)), while one that was configured stays (§2.4 (c)). */
#include "stack/state.h"

#include <errno.h>

static struct acd *acd_at(const struct via *v, ref_t r) { return arena_at(v->arena, r); }

static void acd_send(struct via *v, const struct acd *c, bool is_probe)
{
	struct iface *i = iface_at(v, c->ifindex);
	struct arp_iface ai = {.ifindex = c->ifindex};
	memcpy(ai.mac, i->mac, 6);
	uint32_t addr = via_addr_to_v4(&c->addr);
	struct pkt *p = is_probe ? arp_probe_build(v->mem, &ai, addr) : arp_announce_build(v->mem, &ai, addr);
	if (!p)
		return;
	enum drop why = ifq_push(v, i, p, true);
	if (why)
		stack_drop(v, p, why);
}

int acd_start(struct via *v, struct iface *i, const struct via_addr *addr, uint8_t plen)
{
	struct via_state *st = v->st;
	uint32_t a = via_addr_to_v4(addr);
	if (i->l2 != VIA_L2_ETHER || !via_addr_is_v4(addr) || a >> 24 == 0 || a >> 28 >= 0xe || a >> 24 == 127 || plen > 32)
		return -EINVAL;
	if (addrs_find(v->arena, &st->addrs, addr))
		return -EEXIST;
	acd_forget(v, addr);
	ref_t r = pool_take(v->arena, &st->acd_pool);
	if (!r)
		return -ENOSPC;
	struct acd *c = acd_at(v, r);
	c->timer.kind = WHEEL_ACD;
	c->addr = *addr;
	c->ifindex = i->ifindex;
	c->plen = plen;
	c->next = st->acds;
	st->acds = r;
	wheel_arm(v->arena, &st->wheel, r, v->now); /* the time of the last entry: times count from the next one */
	return 0;
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
		if (memcmp(acd_at(v, *link)->addr.b, addr->b, 16) == 0) {
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

/* It is somebody else's. */
static void acd_lose(struct via *v, struct acd *c)
{
	c->state = ACD_CONFLICT;
	v->st->acd_conflicts++;
	wheel_disarm(v->arena, &v->st->wheel, arena_ref(v->arena, c));
}

void acd_fires(struct via *v, ref_t timer)
{
	struct via_state *st = v->st;
	struct acd *c = acd_at(v, timer);
	int64_t next;
	bool is_down = !iface_at(v, c->ifindex)->up; /* nobody could have answered: from the beginning */
	if (c->state == ACD_FRESH || (c->state == ACD_PROBING && is_down)) {
		int64_t begin = v->now + (is_down ? NS_PER_S : 0);
		wheel_arm(v->arena, &st->wheel, timer, acd_begin(c, st->acd_conflicts, prf_next(&st->acd_random), begin));
		return;
	}
	switch (acd_timeout(c, prf_next(&st->acd_random), v->now, &next)) {
	case ACD_PROBE:
		acd_send(v, c, true);
		break;
	case ACD_CLAIM: {
		struct via_change add = {.kind = VIA_ADDR_ADD, .ifindex = c->ifindex, .addr = c->addr, .plen = c->plen};
		if (via_configure(v, &add)) { /* no memory, or taken meanwhile */
			acd_lose(v, c);
			return;
		}
		st->acd_conflicts = 0;
		break;
	}
	case ACD_ANNOUNCE:
		acd_send(v, c, false);
		break;
	case ACD_NOTHING:
		break;
	}
	if (next != TIME_NEVER)
		wheel_arm(v->arena, &st->wheel, timer, next);
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
