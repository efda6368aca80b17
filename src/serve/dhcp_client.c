/* serve/dhcp_client.c - see dhcp_client.h. RFC 2131 §3, §4.4; RFC 5227; RFC 2132 §5.1. */
#include "serve/dhcp_client.h"

#include <errno.h>
#include <viaduct/stack.h>

enum { MTU_LEAST = 576 };

static bool iface_info(struct via *v, int ifindex, struct via_iface_info *out)
{
	out->size = sizeof(*out);
	for (int n = 0; via_iface_get(v, n, out); n++)
		if (out->ifindex == ifindex)
			return true;
	return false;
}

/* --- what a lease means to the stack --- */

static int change_addr(const struct serve_dhcp_client *s, const struct serve_dhcp_iface *i, enum via_change_kind kind, uint32_t addr,
		       uint8_t plen)
{
	return via_configure(s->cfg.via, &(struct via_change){.kind = kind, .ifindex = i->ifindex, .addr = via_addr_v4(addr), .plen = plen});
}

static int change_route(const struct serve_dhcp_client *s, const struct serve_dhcp_iface *i, enum via_change_kind kind,
			const struct dhcp_route *r)
{
	return via_configure(s->cfg.via, &(struct via_change){.kind = kind, .ifindex = i->ifindex, .addr = via_addr_v4(r->net), .plen = r->plen,
							    .gateway = via_addr_v4(r->gateway)});
}

static void routes_remove(const struct serve_dhcp_client *s, struct serve_dhcp_iface *i)
{
	for (int n = 0; n < i->in_use.n_routes; n++)
		if (i->routes >> n & 1)
			change_route(s, i, VIA_ROUTE_DEL, &i->in_use.routes[n]);
	i->routes = 0;
}

static void routes_add(const struct serve_dhcp_client *s, struct serve_dhcp_iface *i)
{
	for (int n = 0; n < i->in_use.n_routes; n++)
		if (change_route(s, i, VIA_ROUTE_ADD, &i->in_use.routes[n]) == 0)
			i->routes |= UINT32_C(1) << n;
}

static bool routes_differ(const struct dhcp_lease *a, const struct dhcp_lease *b)
{
	bool differ = a->n_routes != b->n_routes;
	for (int n = 0; !differ && n < a->n_routes; n++) {
		const struct dhcp_route *x = &a->routes[n], *y = &b->routes[n];
		differ = x->net != y->net || x->plen != y->plen || x->gateway != y->gateway;
	}
	return differ;
}

/* 0: the driver's own; also where the server's is more than that. */
static void set_mtu(const struct serve_dhcp_client *s, const struct serve_dhcp_iface *i, uint16_t mtu)
{
	struct via_change c = {.kind = VIA_SET, .setting = VIA_SET_IFACE_MTU, .ifindex = i->ifindex, .value = mtu >= MTU_LEAST ? mtu : 0};
	if (via_configure(s->cfg.via, &c)) {
		c.value = 0;
		via_configure(s->cfg.via, &c);
	}
}

static void tell(const struct serve_dhcp_client *s, const struct serve_dhcp_iface *i, const struct dhcp_lease *l)
{
	if (s->cfg.changed)
		s->cfg.changed(s->cfg.ctx, i->ifindex, l);
}

/* The engine's lease holds; the address is the stack's already. */
static void lease_use(const struct serve_dhcp_client *s, struct serve_dhcp_iface *i)
{
	const struct dhcp_lease *l = &i->engine.lease;
	if (i->in_use.addr == l->addr && i->in_use.plen != l->plen) {
		routes_remove(s, i);
		change_addr(s, i, VIA_ADDR_DEL, l->addr, 0);
		change_addr(s, i, VIA_ADDR_ADD, l->addr, l->plen);
		i->in_use.n_routes = 0;
	}
	bool other_routes = routes_differ(&i->in_use, l);
	if (other_routes)
		routes_remove(s, i);
	if (i->in_use.mtu != l->mtu)
		set_mtu(s, i, l->mtu);
	i->in_use = *l;
	if (other_routes)
		routes_add(s, i);
	tell(s, i, l);
}

static void lease_drop(const struct serve_dhcp_client *s, struct serve_dhcp_iface *i, uint32_t addr)
{
	bool was_in_use = i->in_use.addr != 0;
	routes_remove(s, i);
	change_addr(s, i, VIA_ADDR_EXPIRE, addr, 0);
	if (i->in_use.mtu)
		set_mtu(s, i, 0);
	i->in_use = (struct dhcp_lease){0};
	if (was_in_use)
		tell(s, i, NULL);
}

/* --- what the engine says --- */

/* Has anybody else the address? True: it is known at once, in *is_conflict. */
static bool lease_check(const struct serve_dhcp_client *s, struct serve_dhcp_iface *i, bool *is_conflict)
{
	const struct dhcp_lease *l = &i->engine.lease;
	int err = change_addr(s, i, VIA_ADDR_PROBE, l->addr, l->plen);
	if (err == -ENOSPC) /* too many are probed for: it is taken on trust */
		err = change_addr(s, i, VIA_ADDR_ADD, l->addr, l->plen);
	else if (!err)
		return false;
	*is_conflict = err != 0;
	return true;
}

/* Do what the engine says, and what that makes it say. */
static void iface_do(struct serve_dhcp_client *s, struct serve_dhcp_iface *i, struct dhcp_do *d, int64_t now)
{
	bool again = true, is_conflict;
	while (again) {
		const struct via_sockaddr to = dhcp_port_at(i->ifindex, d->to, DHCP_PORT_SERVER);
		again = false;
		if (d->len && d->to)
			dhcp_port_send(&s->port, &to, d->msg, d->len);
		if (d->act == DHCP_ACT_CHECK)
			again = lease_check(s, i, &is_conflict);
		else if (d->act == DHCP_ACT_USE)
			lease_use(s, i);
		else if (d->act == DHCP_ACT_DROP)
			lease_drop(s, i, d->addr);
		if (d->len && !d->to)
			dhcp_port_send(&s->port, &to, d->msg, d->len);
		if (again)
			dhcp_client_checked(&i->engine, is_conflict, now, d);
	}
}

/* What the stack found out about the address: nobody has it, or somebody has. */
static void look_at_address(struct serve_dhcp_client *s, struct serve_dhcp_iface *i, int64_t now)
{
	const struct via_addr addr = via_addr_v4(i->engine.lease.addr);
	struct via_acd_info a = {.size = sizeof(a)};
	bool is_checking = i->engine.state == DHCP_CHECKING;
	struct dhcp_do d;
	if (!is_checking && !i->engine.has_addr)
		return;
	for (int n = 0; via_acd_get(s->cfg.via, n, &a); n++) {
		bool is_news = a.state == VIA_ACD_CONFLICT || (a.state == VIA_ACD_IN_USE && is_checking);
		if (a.ifindex != i->ifindex || !via_addr_eq(&a.addr, &addr))
			continue;
		if (is_news) {
			dhcp_client_checked(&i->engine, a.state == VIA_ACD_CONFLICT, now, &d);
			iface_do(s, i, &d, now);
		}
		return;
	}
}

/* A link that comes back may be another one (RFC 2131 §3.7). */
static void look_at_link(struct serve_dhcp_client *s, struct serve_dhcp_iface *i, int64_t now)
{
	struct via_iface_info f;
	struct dhcp_do d;
	bool was_up = i->is_up;
	i->is_up = iface_info(s->cfg.via, i->ifindex, &f) && f.up;
	if (i->is_up && !was_up) {
		dhcp_client_link_up(&i->engine, now, &d);
		iface_do(s, i, &d, now);
	}
}

static void take_mail(struct serve_dhcp_client *s, int64_t now)
{
	uint8_t msg[1500];
	struct via_sockaddr from;
	struct via_addr to;
	struct dhcp_do d;
	int64_t n;
	while ((n = dhcp_port_recv(&s->port, msg, sizeof(msg), &from, &to)) >= 0)
		for (struct serve_dhcp_iface *i = s->first; i; i = i->next) {
			bool is_ours = to.scope == (uint32_t)i->ifindex || (i->in_use.addr && via_addr_to_v4(&to) == i->in_use.addr);
			if (!is_ours || !via_addr_is_v4(&from.addr))
				continue;
			dhcp_client_input(&i->engine, msg, (size_t)n, via_addr_to_v4(&from.addr), from.port, now, &d);
			iface_do(s, i, &d, now);
			break;
		}
}

/* --- life --- */

int serve_dhcp_client_start(struct serve_dhcp_client *s, const struct serve_dhcp_client_config *cfg)
{
	memset(s, 0, sizeof(*s));
	s->cfg = *cfg;
	s->port = (struct dhcp_port){.via = cfg->via, .wake = cfg->wake, .ctx = cfg->ctx};
	if (cfg->hostname)
		memcpy(s->hostname, cfg->hostname, strnlen(cfg->hostname, DHCP_NAME_MAX));
	return dhcp_port_open(&s->port, &(struct via_addr){.b = {[10] = 0xff, [11] = 0xff}}, DHCP_PORT_CLIENT);
}

int serve_dhcp_client_add(struct serve_dhcp_client *s, struct serve_dhcp_iface *i, int ifindex, uint32_t known, int64_t now)
{
	struct dhcp_client_config c = {.known = known};
	struct via_iface_info f;
	struct dhcp_do d;
	if (!iface_info(s->cfg.via, ifindex, &f))
		return -ENODEV;
	if (f.l2 != VIA_L2_ETHER)
		return -EINVAL;
	memset(i, 0, sizeof(*i));
	i->ifindex = ifindex;
	i->is_up = f.up;
	memcpy(c.mac, f.mac, 6);
	memcpy(c.hostname, s->hostname, sizeof(c.hostname));
	c.key = (struct prf_key){siphash_2_4(s->cfg.key, f.mac, 6), siphash_2_4(s->cfg.key, f.name, sizeof(f.name))};
	i->next = s->first;
	s->first = i;
	dhcp_client_start(&i->engine, &c, now, &d);
	iface_do(s, i, &d, now);
	return 0;
}

void serve_dhcp_client_tick(struct serve_dhcp_client *s, int64_t now)
{
	struct dhcp_do d;
	take_mail(s, now);
	for (struct serve_dhcp_iface *i = s->first; i; i = i->next) {
		look_at_link(s, i, now);
		look_at_address(s, i, now);
		if (now < i->engine.deadline)
			continue;
		dhcp_client_timeout(&i->engine, now, &d);
		iface_do(s, i, &d, now);
	}
	dhcp_port_flush(&s->port, now);
}

int64_t serve_dhcp_client_next(const struct serve_dhcp_client *s)
{
	int64_t next = s->port.has_mail ? 0 : TIME_NEVER;
	for (const struct serve_dhcp_iface *i = s->first; i; i = i->next)
		next = MIN(next, i->engine.deadline);
	return next;
}

const struct dhcp_lease *serve_dhcp_client_lease(const struct serve_dhcp_client *s, int ifindex)
{
	for (const struct serve_dhcp_iface *i = s->first; i; i = i->next)
		if (i->ifindex == ifindex && i->in_use.addr)
			return &i->in_use;
	return NULL;
}

void serve_dhcp_client_stop(struct serve_dhcp_client *s, bool release, int64_t now)
{
	struct dhcp_do d;
	for (struct serve_dhcp_iface *i = s->first; i; i = i->next) {
		dhcp_client_stop(&i->engine, release, now, &d);
		iface_do(s, i, &d, now);
	}
	s->first = NULL;
	dhcp_port_flush(&s->port, now);
	dhcp_port_close(&s->port);
}
