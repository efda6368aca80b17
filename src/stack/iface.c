/* stack/iface.c - interfaces come, go, and change between up and down; which addresses are ours. */
#include "stack/nd.h"

#include <errno.h>

bool stack_addr_is_ours(const struct via *v, const struct via_addr *a)
{
	return via_addr_is_loopback(a) || addrs_find(v->arena, &v->st->addrs, a) != NULL;
}

bool stack_addr_is_taken(const struct via *v, const struct via_addr *a)
{
	if (stack_addr_is_ours(v, a))
		return true;
	return v->st->any_address && !via_addr_is_multicast(a) && !addrs_is_broadcast(v->arena, &v->st->addrs, 0, a) &&
	       !(via_addr_is_v4(a) && via_addr_to_v4(a) == 0xffffffffu);
}

/* Has ifindex (0: any) a unicast IPv6 address that ends as the solicited-node group does? */
static bool is_solicited(const struct via *v, uint32_t ifindex, const struct via_addr *group)
{
	static const uint8_t prefix[13] = {0xff, 2, [11] = 1, 0xff};
	if (memcmp(group->b, prefix, 13) != 0)
		return false;
	for (uint32_t n = 0; n < v->st->addrs.n; n++) {
		const struct addr_entry *e = addrs_get(v->arena, &v->st->addrs, n);
		if ((!ifindex || e->ifindex == ifindex) && !via_addr_is_v4(&e->addr) && memcmp(e->addr.b + 13, group->b + 13, 3) == 0)
			return true;
	}
	for (ref_t r = v->st->acds; r; r = ((const struct acd *)arena_at(v->arena, r))->next) { /* and those that are probed for */
		const struct acd *c = arena_at(v->arena, r);
		if ((!ifindex || c->ifindex == ifindex) && !via_addr_is_v4(&c->addr) && memcmp(c->addr.b + 13, group->b + 13, 3) == 0)
			return true;
	}
	return false;
}

bool stack_group_is_ours(const struct via *v, uint32_t ifindex, const struct via_addr *group)
{
	static const uint8_t zeros[13];
	if (groups_has(v->arena, &v->st->groups, ifindex, group))
		return true;
	if (via_addr_is_v4(group))
		return via_addr_to_v4(group) == 0xe0000001;
	bool is_near = (group->b[1] == 1 || group->b[1] == 2 || group->b[1] == 5) && memcmp(group->b + 2, zeros, 13) == 0;
	if (is_near && group->b[15] == 1 && group->b[1] != 5)
		return true;
	if (is_near && group->b[15] == 2)
		return v->st->forwarding;
	return is_solicited(v, ifindex, group);
}

void stack_announce(struct via *v, const struct iface *i, const struct via_addr *a)
{
	struct arp_iface ai = {.ifindex = i->ifindex};
	memcpy(ai.mac, i->mac, 6);
	if (!i->up || i->l2 != VIA_L2_ETHER || !via_addr_is_v4(a))
		return;
	struct pkt *p = arp_announce_build(v->mem, &ai, via_addr_to_v4(a));
	struct iface *out = iface_at(v, i->ifindex);
	if (p && ifq_push(v, out, p, true) != DROP_NONE)
		stack_drop(v, p, DROP_IF_QUEUE_FULL);
}

void stack_changed(struct via *v)
{
	uint32_t bucket = 0;
	v->st->gen++;
	for (ref_t r = path_next(v, &bucket, 0); r; r = path_next(v, &bucket, r))
		if (path_refresh(v, path_at(v, r)))
			tcp_path_changed(&v->tcp, r);
	mcast_follow_changes(v);
}

int iface_new(struct via *v, const char *name, struct iface **out)
{
	struct via_state *st = v->st;
	size_t len = strnlen(name, sizeof(((struct iface *)0)->name));
	uint32_t ifindex = 0;
	if (len == 0 || len > 15)
		return -EINVAL;
	for (uint32_t i = VIA_IFACES_MAX; i-- > IFINDEX_LO;) {
		if (iface_at(v, i) && strcmp(iface_at(v, i)->name, name) == 0)
			return -EEXIST;
		if (!st->ifaces[i])
			ifindex = i;
	}
	if (!ifindex)
		return -ENOSPC;
	ref_t r = pool_take(v->arena, &st->iface_pool);
	if (!r)
		return -ENOMEM;
	*out = arena_at(v->arena, r);
	memcpy((*out)->name, name, len);
	(*out)->ifindex = (uint16_t)ifindex;
	st->ifaces[ifindex] = r;
	st->iface_end = MAX(st->iface_end, ifindex + 1);
	return (int)ifindex;
}

int via_iface_add(struct via *v, struct via_driver *d, const char *name)
{
	struct iface *i;
	if (d->mtu < 68)
		return -EINVAL;
	int ifindex = iface_new(v, name, &i);
	if (ifindex < 0)
		return ifindex;
	memcpy(i->mac, d->mac, 6);
	i->l2 = (uint8_t)d->l2;
	i->mtu = MIN(d->mtu, 65535u);
	i->up = d->up;
	if (!d->up)
		v->st->down |= UINT64_C(1) << ifindex;
	v->drivers[ifindex] = d;
	d->mem = v->mem;
	filter_ifaces(v);
	stack_changed(v);
	return ifindex;
}

/* Neighbours and queued packets of an interface that is of no use now. */
static void iface_flush(struct via *v, struct iface *i)
{
	struct neigh_env ne = stack_neigh_env(v);
	struct pktq waiting = {0};
	struct pkt *p;
	neigh_flush(&ne, &v->st->neigh, i->ifindex, &waiting);
	while ((p = pktq_pop(v->mem, &waiting)) != NULL)
		stack_drop(v, p, DROP_IF_DOWN);
	ifq_clear(v, i);
}

int via_iface_remove(struct via *v, int ifindex)
{
	struct via_state *st = v->st;
	struct iface *i = ifindex > IFINDEX_LO ? iface_at(v, (uint32_t)ifindex) : NULL;
	if (!i)
		return -ENODEV;
	vlan_remove_all(v, i);
	iface_flush(v, i);
	nd_remove(v, i);
	acd_forget_iface(v, (uint16_t)ifindex);
	mcast_forget(v, (uint16_t)ifindex);
	fib_del_ifindex(v->arena, st->fib, (uint16_t)ifindex);
	for (uint32_t n = st->addrs.n; n-- > 0;) {
		const struct addr_entry *e = addrs_get(v->arena, &st->addrs, n);
		if (e->ifindex == ifindex) {
			struct via_addr a = e->addr;
			addrs_del(v->arena, &st->addrs, (uint16_t)ifindex, &a);
		}
	}
	pool_give(v->arena, &st->iface_pool, st->ifaces[ifindex]);
	st->ifaces[ifindex] = 0;
	st->down &= ~(UINT64_C(1) << ifindex);
	v->drivers[ifindex] = NULL;
	filter_ifaces(v);
	stack_changed(v);
	return 0;
}

void iface_set_up(struct via *v, struct iface *i, bool up)
{
	struct via_state *st = v->st;
	i->up = up;
	if (up) {
		st->down &= ~(UINT64_C(1) << i->ifindex);
	} else {
		st->down |= UINT64_C(1) << i->ifindex;
		iface_flush(v, i);
	}
	nd_updown(v, i);
	stack_changed(v);
	if (i->up)
		mcast_up(v, i->ifindex);
	for (uint32_t n = 0; n < st->addrs.n && i->up; n++) {
		const struct addr_entry *e = addrs_get(v->arena, &st->addrs, n);
		if (e->ifindex == i->ifindex)
			stack_announce(v, i, &e->addr);
	}
}

void via_iface_updown(struct via *v, int ifindex)
{
	struct iface *i = ifindex > IFINDEX_LO ? iface_at(v, (uint32_t)ifindex) : NULL;
	if (!i || !v->drivers[ifindex] || i->up == v->drivers[ifindex]->up)
		return;
	iface_set_up(v, i, v->drivers[ifindex]->up);
	vlan_updown(v, i);
}
