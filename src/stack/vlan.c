/* stack/vlan.c - interfaces that are a VLAN of another one, such as eth0.10 (IEEE 802.1Q; Linux's type vlan).
 *
 * Such an interface has no driver: rx.c hands it the frames of its parent that carry its tag, ifq.c puts the tag into what it sends and
 * queues it at its parent. It has its parent's MAC address, is up when its parent is, and its packets may be as long as its parent's: the
 * tag's four bytes do not count (802.3ac). Addresses, neighbours, routes, groups and counters are its own. */
#include "stack/state.h"

#include <errno.h>

#include "link/vlan.h"

int via_vlan_add(struct via *v, int parent, uint16_t vid, const char *name)
{
	struct iface *p = parent > IFINDEX_LO ? iface_at(v, (uint32_t)parent) : NULL, *i;
	if (!p)
		return -ENODEV;
	if (p->vlan || p->l2 != VIA_L2_ETHER || !vid || vid > VLAN_ID_MAX)
		return -EINVAL;
	if (vlan_find(v, p, vid))
		return -EEXIST;
	int ifindex = iface_new(v, name, &i);
	if (ifindex < 0)
		return ifindex;
	memcpy(i->mac, p->mac, 6);
	i->l2 = p->l2;
	i->mtu = p->mtu;
	i->up = p->up;
	i->vlan = vid;
	i->parent = p->ifindex;
	if (!i->up)
		v->st->down |= UINT64_C(1) << ifindex;
	filter_ifaces(v);
	stack_changed(v);
	return ifindex;
}

struct iface *vlan_find(const struct via *v, const struct iface *parent, uint16_t vid)
{
	for (uint32_t n = IFINDEX_LO + 1; n < v->st->iface_end; n++) {
		struct iface *i = iface_at(v, n);
		if (i && i->vlan == vid && i->parent == parent->ifindex)
			return i;
	}
	return NULL;
}

void vlan_remove_all(struct via *v, const struct iface *parent)
{
	for (uint32_t n = IFINDEX_LO + 1; n < v->st->iface_end; n++) {
		const struct iface *i = iface_at(v, n);
		if (i && i->vlan && i->parent == parent->ifindex)
			via_iface_remove(v, (int)n);
	}
}

void vlan_updown(struct via *v, const struct iface *parent)
{
	for (uint32_t n = IFINDEX_LO + 1; n < v->st->iface_end; n++) {
		struct iface *i = iface_at(v, n);
		if (i && i->vlan && i->parent == parent->ifindex)
			iface_set_up(v, i, parent->up);
	}
}
