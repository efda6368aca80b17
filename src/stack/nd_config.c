/* stack/nd_config.c - the settings of an interface's IPv6; how it begins, stops and follows its link (RFC 4862 §5.3; RFC 4861 §6.2). */
#include "stack/nd.h"

#include <errno.h>

#include "wire/addr.h"

enum { DAD_TRANSMITS_MAX = 16, RA_INTERVAL_MIN_S = 4, RA_INTERVAL_MAX_S = 1800, RA_LIFETIME_MAX_S = 9000 };

/* What is kept for the interface, made if there is nothing yet. NULL: no memory. */
static struct nd_iface *nd_need(struct via *v, struct iface *i)
{
	if (i->nd)
		return nd_at(v, i);
	ref_t r = pool_take(v->arena, &v->st->nd_pool);
	if (!r)
		return NULL;
	struct nd_iface *n = arena_at(v->arena, r);
	n->timer.kind = WHEEL_ND;
	n->ifindex = i->ifindex;
	n->accept_ra = ND_ACCEPT_HOST;
	n->dad_transmits = 1;
	n->rs_next = TIME_NEVER;
	radv_init(&n->radv);
	i->nd = r;
	return n;
}

static void nd_turn_on(struct via *v, struct iface *i, struct nd_iface *n)
{
	if (n->is_on)
		return;
	n->is_on = true;
	if (!nd_link_local(v, i->ifindex))
		nd_make_link_local(v, i);
	else if (nd_accepts(v, n))
		nd_solicit(v, n);
}

/* Everything that came by itself goes by itself. */
static void nd_turn_off(struct via *v, struct iface *i, struct nd_iface *n)
{
	if (!n->is_on)
		return;
	radv_init(&n->radv);
	n->rs_next = TIME_NEVER;
	nd_forget(v, i);
	acd_forget_iface6(v, i->ifindex);
	n->is_on = false;
	const struct addr_entry *e = nd_link_local(v, i->ifindex);
	if (e) {
		struct via_change del = {.kind = VIA_ADDR_DEL, .ifindex = i->ifindex, .addr = e->addr};
		addr_remove(v, &del);
	}
}

static int nd_set_host(struct via *v, struct iface *i, struct nd_iface *n, const struct via_change *c)
{
	bool accepted = nd_accepts(v, n);
	switch (c->setting) {
	case VIA_SET_IPV6:
		if (c->value)
			nd_turn_on(v, i, n);
		else
			nd_turn_off(v, i, n);
		return 0;
	case VIA_SET_ACCEPT_RA:
		if (c->value < 0 || c->value > ND_ACCEPT_ALWAYS)
			return -EINVAL;
		n->accept_ra = (uint8_t)c->value;
		if (n->is_on && accepted && !nd_accepts(v, n))
			nd_forget(v, i);
		else if (n->is_on && !accepted && nd_accepts(v, n))
			nd_solicit(v, n);
		return 0;
	case VIA_SET_AUTOCONF:
		n->is_silent = c->value == 0;
		return 0;
	case VIA_SET_DAD_TRANSMITS:
		if (c->value < 0 || c->value > DAD_TRANSMITS_MAX)
			return -EINVAL;
		n->dad_transmits = (uint8_t)c->value;
		return 0;
	default:
		return -EINVAL;
	}
}

static int nd_set_prefix(struct nd_iface *n, const struct via_change *c)
{
	struct nd_prefix p = {.prefix = c->addr, .plen = c->plen, .on_link = true, .autonomous = c->plen == 64,
			      .valid_s = c->valid_s ? c->valid_s : RADV_VALID_S, .preferred_s = c->valid_s ? c->preferred_s : RADV_PREFERRED_S};
	return c->value ? radv_prefix_set(&n->radv, &p) : radv_prefix_del(&n->radv, &c->addr, c->plen);
}

/* What our own advertisements say. */
static int nd_set_says(struct iface *i, struct nd_iface *n, const struct via_change *c)
{
	struct radv_config *r = &n->radv.c;
	bool is_u32 = c->value >= 0 && c->value <= UINT32_MAX;
	switch (c->setting) {
	case VIA_SET_RA_PREFIX:
		return nd_set_prefix(n, c);
	case VIA_SET_RA_INTERVAL:
		if (c->value < RA_INTERVAL_MIN_S || c->value > RA_INTERVAL_MAX_S)
			return -EINVAL;
		r->max_interval_s = (uint16_t)c->value;
		return 0;
	case VIA_SET_RA_LIFETIME:
		if (c->value < -1 || c->value > RA_LIFETIME_MAX_S)
			return -EINVAL;
		r->lifetime_s = (int32_t)c->value;
		return 0;
	case VIA_SET_RA_MTU:
		if (c->value && (c->value < IP6_MTU_MIN || c->value > i->mtu))
			return -EINVAL;
		r->mtu = (uint32_t)c->value;
		return 0;
	case VIA_SET_RA_HOP_LIMIT:
		if (c->value < 0 || c->value > 255)
			return -EINVAL;
		r->hop_limit = (uint8_t)c->value;
		return 0;
	case VIA_SET_RA_PREFERENCE:
		if (c->value < ND_PREF_LOW || c->value > ND_PREF_HIGH)
			return -EINVAL;
		r->preference = (int8_t)c->value;
		return 0;
	case VIA_SET_RA_FLAGS:
		if (c->value < 0 || c->value > 3)
			return -EINVAL;
		r->managed = c->value & 2;
		r->other = c->value & 1;
		return 0;
	case VIA_SET_RA_REACHABLE:
	case VIA_SET_RA_RETRANS:
		if (is_u32)
			*(c->setting == VIA_SET_RA_REACHABLE ? &r->reachable_ms : &r->retrans_ms) = (uint32_t)c->value;
		return is_u32 ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}

void nd_radv_follow(struct via *v, struct nd_iface *n)
{
	bool is_router = n->wants_ra && v->st->forwarding && n->is_on;
	if (is_router && !nd_link_local(v, n->ifindex))
		return; /* when there is an address to speak from */
	if (is_router)
		radv_start(&n->radv, prf_next(&v->st->acd_random), v->now);
	else
		radv_stop(&n->radv, v->now);
	nd_rearm(v, n);
}

bool nd_is_setting(enum via_setting s)
{
	return s >= VIA_SET_IPV6 && s <= VIA_SET_RA_RETRANS;
}

int nd_configure(struct via *v, const struct via_change *c)
{
	struct iface *i = iface_at(v, (uint32_t)c->ifindex);
	if (!i)
		return -ENODEV;
	if (i->l2 != VIA_L2_ETHER || i->mtu < IP6_MTU_MIN)
		return -EINVAL;
	struct nd_iface *n = nd_need(v, i);
	if (!n)
		return -ENOMEM;
	if (c->setting < VIA_SET_RA)
		return nd_set_host(v, i, n, c);
	if (c->setting == VIA_SET_RA) {
		if (c->value && !(v->st->forwarding && n->is_on))
			return -EINVAL;
		n->wants_ra = c->value != 0;
		nd_radv_follow(v, n);
		return 0;
	}
	int err = nd_set_says(i, n, c);
	if (!err) {
		radv_changed(&n->radv, v->now);
		nd_rearm(v, n);
	}
	return err;
}

void nd_updown(struct via *v, struct iface *i)
{
	struct nd_iface *n = nd_on(v, i);
	if (!n)
		return;
	nd_default_route(v); /* by another interface, while this one is down */
	if (i->up && nd_link_local(v, i->ifindex) && nd_accepts(v, n))
		nd_solicit(v, n);
	if (i->up)
		radv_changed(&n->radv, v->now);
	nd_rearm(v, n);
}

void nd_remove(struct via *v, struct iface *i)
{
	struct nd_iface *n = nd_at(v, i);
	if (!n)
		return;
	nd_turn_off(v, i, n);
	wheel_disarm(v->arena, &v->st->wheel, i->nd);
	pool_give(v->arena, &v->st->nd_pool, i->nd);
	i->nd = 0;
}

void nd_forwarding(struct via *v)
{
	for (uint32_t k = IFINDEX_LO; k < v->st->iface_end; k++) {
		struct iface *i = iface_at(v, k);
		struct nd_iface *n = nd_on(v, i);
		if (!n)
			continue;
		if (!nd_accepts(v, n))
			nd_forget(v, i);
		else if (!n->has_routers_word)
			nd_solicit(v, n);
		nd_radv_follow(v, n);
	}
}
