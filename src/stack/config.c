/* stack/config.c - the one way configuration changes: addresses, routes, neighbours, settings, each raising the generation.
 *
 * An address brings its connected route and an announcement (RFC 5227 §2.3: one of the two). A gateway must be a neighbour:
 * it is looked up among the connected routes when a route is added, and the route goes by that interface from then on. */
#include "stack/nd.h"

#include <errno.h>

#include "wire/addr.h"

static bool plen_fits(const struct via_addr *a, uint8_t plen)
{
	return plen <= (via_addr_is_v4(a) ? 32 : 128);
}

/* Is there a connected route for it? Not for an address alone; to link-local ones their scope is the route (path.c). */
static bool has_prefix_route(int ifindex, const struct via_addr *a, uint8_t plen)
{
	return ifindex != IFINDEX_LO && plen < (via_addr_is_v4(a) ? 32 : 128) && !addr_is_link_local(a);
}

int addr_use(struct via *v, const struct via_change *c)
{
	struct via_state *st = v->st;
	struct iface *i = iface_at(v, (uint32_t)c->ifindex);
	struct fib_hop hop = {.gateway = via_addr_v4(0), .ifindex = (uint16_t)c->ifindex};
	if (!i)
		return -ENODEV;
	if (!plen_fits(&c->addr, c->plen) || via_addr_is_any(&c->addr) || via_addr_is_multicast(&c->addr))
		return -EINVAL;
	if (!via_addr_is_v4(&c->addr) && i->mtu < IP6_MTU_MIN)
		return -EINVAL;
	const struct via_addr addr = addr_on_link(&c->addr, i->ifindex);
	int err = addrs_add(v->arena, &st->addrs, i->ifindex, &addr, c->plen);
	if (err)
		return err;
	if (has_prefix_route(c->ifindex, &addr, c->plen)) {
		err = fib_add(v->arena, st->fib, &addr, c->plen, &hop);
		if (err && err != -EEXIST) {
			addrs_del(v->arena, &st->addrs, i->ifindex, &addr);
			return err;
		}
	}
	stack_changed(v);
	stack_announce(v, i, &addr);
	return 0;
}

/* With IPv6 on, every address is probed for (RFC 4862 §5.4). */
static int config_addr_add(struct via *v, const struct via_change *c)
{
	struct iface *i = iface_at(v, (uint32_t)c->ifindex);
	const struct nd_iface *n = nd_on(v, i);
	return n && n->dad_transmits && !via_addr_is_v4(&c->addr) ? acd_start(v, i, &c->addr, c->plen) : addr_use(v, c);
}

bool addr_prefix_is_used(const struct via *v, int ifindex, const struct via_addr *a, uint8_t plen)
{
	const struct nd_iface *nd = nd_at(v, iface_at(v, (uint32_t)ifindex));
	if (nd && routers_has_prefix(&nd->routers, a, plen))
		return true;
	for (uint32_t n = 0; n < v->st->addrs.n; n++) {
		const struct addr_entry *e = addrs_get(v->arena, &v->st->addrs, n);
		if (e->ifindex == ifindex && !e->is_auto && e->plen == plen && addr_in_prefix(a, &e->addr, plen))
			return true;
	}
	return false;
}

int addr_remove(struct via *v, const struct via_change *c)
{
	struct via_state *st = v->st;
	struct fib_hop hop = {.gateway = via_addr_v4(0), .ifindex = (uint16_t)c->ifindex};
	const struct via_addr addr = addr_on_link(&c->addr, (uint32_t)c->ifindex);
	const struct addr_entry *e = addrs_find(v->arena, &st->addrs, &addr);
	if (!e || e->ifindex != c->ifindex)
		return -EADDRNOTAVAIL;
	uint8_t plen = e->plen;
	bool is_auto = e->is_auto;
	addrs_del(v->arena, &st->addrs, (uint16_t)c->ifindex, &addr);
	if (!is_auto && has_prefix_route(c->ifindex, &addr, plen) && !addr_prefix_is_used(v, c->ifindex, &addr, plen))
		fib_del(v->arena, st->fib, &addr, plen, &hop);
	stack_changed(v);
	return 0;
}

static int config_addr_del(struct via *v, const struct via_change *c)
{
	const struct via_addr addr = addr_on_link(&c->addr, (uint32_t)c->ifindex);
	bool was_probed = acd_forget(v, &addr);
	int err = addr_remove(v, c);
	if (!err && c->kind == VIA_ADDR_EXPIRE)
		path_local_gone(v, &addr);
	return was_probed && err == -EADDRNOTAVAIL ? 0 : err;
}

static int config_addr_probe(struct via *v, const struct via_change *c)
{
	struct iface *i = iface_at(v, (uint32_t)c->ifindex);
	return i ? acd_start(v, i, &c->addr, c->plen) : -ENODEV;
}

_Static_assert((int)VIA_ROUTE_BLACKHOLE == FIB_BLACKHOLE && (int)VIA_ROUTE_PROHIBIT == FIB_PROHIBIT &&
	       (int)VIA_ROUTE_UNREACHABLE == FIB_UNREACHABLE, "the public face and net/hops.h count alike");

/* The hop a route change names. The interface of a gateway is that of the connected route to it. */
static int config_hop(struct via *v, const struct via_change *c, struct fib_hop *hop)
{
	bool leads = c->route_type == VIA_ROUTE_UNICAST;
	*hop = (struct fib_hop){.gateway = via_addr_v4(0), .ifindex = (uint16_t)c->ifindex, .weight = c->weight,
				.type = (uint8_t)c->route_type};
	if (!plen_fits(&c->addr, c->plen) || addr_is_link_local(&c->addr) || c->route_type > VIA_ROUTE_UNREACHABLE)
		return -EINVAL;
	if (!leads)
		return c->ifindex || !via_addr_is_any(&c->gateway) ? -EINVAL : 0;
	if (c->ifindex && !iface_at(v, (uint32_t)c->ifindex))
		return -ENODEV;
	if (via_addr_is_any(&c->gateway))
		return c->ifindex ? 0 : -EINVAL;
	if (via_addr_is_v4(&c->gateway) != via_addr_is_v4(&c->addr))
		return -EINVAL;
	hop->gateway = addr_on_link(&c->gateway, c->ifindex ? (uint32_t)c->ifindex : c->gateway.scope);
	if (c->ifindex || hop->gateway.scope) {
		hop->ifindex = (uint16_t)(c->ifindex ? (uint32_t)c->ifindex : hop->gateway.scope);
		return iface_at(v, hop->ifindex) ? 0 : -ENODEV;
	}
	const struct fib_hop *on = fib_onlink(v->arena, v->st->fib, &c->gateway, 0);
	if (!on)
		return -ENETUNREACH;
	hop->ifindex = on->ifindex;
	return 0;
}

static int config_route(struct via *v, const struct via_change *c)
{
	struct fib_hop hop;
	int err = config_hop(v, c, &hop);
	if (err)
		return err;
	if (c->kind == VIA_ROUTE_ADD && stack_addr_is_ours(v, &hop.gateway))
		return -EINVAL;
	err = c->kind == VIA_ROUTE_ADD ? fib_add(v->arena, v->st->fib, &c->addr, c->plen, &hop)
				       : fib_del(v->arena, v->st->fib, &c->addr, c->plen, &hop);
	if (!err)
		stack_changed(v);
	return err;
}

static int config_neigh(struct via *v, const struct via_change *c)
{
	static const uint8_t none[6];
	struct via_state *st = v->st;
	struct neigh_env ne = stack_neigh_env(v);
	struct iface *i = iface_at(v, (uint32_t)c->ifindex);
	const struct via_addr addr = addr_on_link(&c->addr, (uint32_t)c->ifindex);
	struct pktq q = {0};
	ref_t r = 0;
	int err = 0;
	if (!i || i->l2 != VIA_L2_ETHER)
		return -ENODEV;
	if (memcmp(c->mac, none, 6) == 0) {
		r = neigh_find(&ne, &st->neigh, i->ifindex, &addr);
		if (!r)
			return -ESRCH;
		neigh_remove(&ne, &st->neigh, r, &q);
		tx_failed(v, &q);
		return 0;
	}
	err = neigh_set(&ne, &st->neigh, i->ifindex, &addr, c->mac, &q, &r);
	if (r)
		tx_ready(v, r, &q);
	else
		tx_failed(v, &q);
	return err;
}

/* What SYNs offer and how often they are repeated. */
static int config_tcp_syn(struct tcp_settings *t, const struct via_change *c)
{
	bool counts = c->setting == VIA_SET_TCP_SYN_RETRIES || c->setting == VIA_SET_TCP_SYNACK_RETRIES;
	if (counts && (c->value < 1 || c->value > 127))
		return -EINVAL;
	switch (c->setting) {
	case VIA_SET_TCP_SACK:
		t->no_sack = c->value == 0;
		return 0;
	case VIA_SET_TCP_TIMESTAMPS:
		t->no_timestamps = c->value == 0;
		return 0;
	case VIA_SET_TCP_SCALING:
		t->no_scaling = c->value == 0;
		return 0;
	case VIA_SET_TCP_SYN_RETRIES:
		t->syn_retries = (uint8_t)c->value;
		return 0;
	case VIA_SET_TCP_SYNACK_RETRIES:
		t->synack_retries = (uint8_t)c->value;
		return 0;
	default:
		return -EINVAL;
	}
}

/* Settings of TCP's memory that are sizes in bytes. */
static int config_memory(struct tcp_settings *s, const struct via_change *c)
{
	uint64_t n = (uint64_t)c->value;
	if (c->value < 0)
		return -EINVAL;
	switch (c->setting) {
	case VIA_SET_TCP_MEM_LOW:
		s->mem_low = n;
		return 0;
	case VIA_SET_TCP_MEM_PRESSURE:
		s->mem_pressure = n;
		return 0;
	case VIA_SET_TCP_MEM_HIGH:
		s->mem_high = n;
		return 0;
	case VIA_SET_TCP_STALLED_MAX:
		s->stalled_max = n;
		return 0;
	default:
		return config_tcp_syn(s, c);
	}
}

/* Where a size of a buffer is kept, or NULL. */
static uint32_t *config_size_at(struct tcp_settings *s, enum via_setting which)
{
	switch (which) {
	case VIA_SET_TCP_RMEM:
		return &s->rmem;
	case VIA_SET_TCP_RMEM_MAX:
		return &s->rmem_max;
	case VIA_SET_TCP_WMEM:
		return &s->wmem;
	case VIA_SET_TCP_WMEM_MAX:
		return &s->wmem_max;
	default:
		return NULL;
	}
}

static int config_buffers(struct via *v, const struct via_change *c)
{
	struct tcp_settings *s = tcp_settings_of(&v->tcp);
	bool is_size = c->value >= 4096 && c->value <= INT32_MAX;
	uint32_t n = (uint32_t)c->value, *at = config_size_at(s, c->setting);
	if (at && is_size)
		*at = n;
	if (at)
		return is_size ? 0 : -EINVAL;
	switch (c->setting) {
	case VIA_SET_RMEM_MAX:
	case VIA_SET_WMEM_MAX:
		if (is_size)
			sock_set_buf_max(&v->sock, c->setting == VIA_SET_RMEM_MAX ? n : 0, c->setting == VIA_SET_WMEM_MAX ? n : 0);
		return is_size ? 0 : -EINVAL;
	case VIA_SET_TCP_NOTSENT_LOWAT:
		if (c->value < 0 || c->value > UINT32_MAX)
			return -EINVAL;
		s->notsent_lowat = n;
		return 0;
	case VIA_SET_TCP_MODERATE_RCVBUF:
		s->moderate_rcvbuf = c->value != 0;
		return 0;
	default:
		return config_memory(s, c);
	}
}

/* TCP's settings: Linux's sysctl of that name. */
static int config_tcp(struct via *v, const struct via_change *c)
{
	struct tcp_settings *t = tcp_settings_of(&v->tcp);
	switch (c->setting) {
	case VIA_SET_TCP_SYNCOOKIES:
		if (c->value < 0 || c->value > 2)
			return -EINVAL;
		t->syncookies = (uint8_t)c->value;
		return 0;
	case VIA_SET_TCP_FASTOPEN:
		if (c->value < 0 || c->value > INT32_MAX)
			return -EINVAL;
		t->fastopen = (uint16_t)c->value; /* bits without a meaning may be set, as in Linux */
		tcp_fastopen_forget(&v->tcp);
		return 0;
	case VIA_SET_TCP_FASTOPEN_KEY:
		if (c->value != 0 && (!c->key || (c->value != TCP_FO_KEY_LEN && c->value != 2 * TCP_FO_KEY_LEN)))
			return -EINVAL;
		t->fo_n_keys = (uint8_t)(c->value / TCP_FO_KEY_LEN);
		tcp_fastopen_keys(c->key, (uint32_t)c->value, t->fo_keys);
		return 0;
	case VIA_SET_TCP_FIN_TIMEOUT:
		if (c->value < 1 || c->value > 120)
			return -EINVAL;
		t->fin_timeout_s = (uint16_t)c->value;
		return 0;
	case VIA_SET_TCP_TALLIES:
		if (c->value < 0 || c->value > UINT32_MAX)
			return -EINVAL;
		t->tallies = (uint32_t)c->value;
		return 0;
	case VIA_SET_TCP_MAX_ORPHANS:
		if (c->value < 0 || c->value > INT32_MAX)
			return -EINVAL;
		t->orphans_max = (uint32_t)c->value;
		return 0;
	default:
		return config_buffers(v, c);
	}
}

/* The interface takes packets of at most that many bytes, fewer than its driver could. */
static int config_iface_mtu(struct via *v, const struct via_change *c)
{
	struct iface *i = c->ifindex > IFINDEX_LO ? iface_at(v, (uint32_t)c->ifindex) : NULL;
	if (!i)
		return -ENODEV;
	uint32_t most = MIN(v->drivers[iface_lower(v, i)->ifindex]->mtu, 65535u);
	if (c->value < 0 || c->value > most || (c->value && c->value < 68) || (c->value && c->value < IP6_MTU_MIN && i->nd))
		return -EINVAL;
	i->mtu = c->value ? (uint32_t)c->value : most;
	stack_changed(v);
	return 0;
}

static int config_setting(struct via *v, const struct via_change *c)
{
	struct via_state *st = v->st;
	switch (c->setting) {
	case VIA_SET_FORWARDING:
		st->forwarding = c->value != 0;
		nd_forwarding(v);
		mcast_follow_changes(v);
		return 0;
	case VIA_SET_TTL:
		if (c->value < 1 || c->value > 255)
			return -EINVAL;
		st->ttl = (uint8_t)c->value;
		return 0;
	case VIA_SET_TCP_PACING:
		v->tcp.paces = st->tcp_paces = c->value != 0;
		return 0;
	case VIA_SET_TCP_ECN:
		if (c->value < 0 || c->value > 2)
			return -EINVAL;
		v->tcp.ecn = st->tcp_ecn = (uint8_t)c->value;
		return 0;
	case VIA_SET_TCP_ABE:
		v->tcp.ecn_abe = st->tcp_abe = c->value != 0;
		return 0;
	case VIA_SET_TCP_MTU_PROBING:
		if (c->value < 0 || c->value > 2)
			return -EINVAL;
		v->tcp.mtu_probing = st->tcp_mtu_probing = (uint8_t)c->value;
		return 0;
	case VIA_SET_TCP_BASE_MSS:
		if (c->value < 88 || c->value > 65495)
			return -EINVAL;
		v->tcp.base_mss = st->tcp_base_mss = (uint16_t)c->value;
		return 0;
	case VIA_SET_ICMP_ERRORS:
		st->no_icmp_errors = c->value == 0;
		return 0;
	case VIA_SET_ANY_ADDRESS:
		st->any_address = c->value != 0;
		return 0;
	case VIA_SET_ACCEPT_REDIRECTS:
		st->accepts_redirects = c->value != 0;
		return 0;
	case VIA_SET_SEND_REDIRECTS:
		st->no_redirects = c->value == 0;
		return 0;
	case VIA_SET_IP6_HEADERS:
	case VIA_SET_IP6_OPTIONS:
		if (c->value < 0 || c->value > 255)
			return -EINVAL;
		*(c->setting == VIA_SET_IP6_HEADERS ? &st->ext6.headers : &st->ext6.options) = (uint8_t)c->value;
		return 0;
	case VIA_SET_DNS:
		st->dns = c->addr;
		return 0;
	case VIA_SET_CT_MAX:
		return config_ct_max(v, c->value);
	case VIA_SET_IFACE_MTU:
		return config_iface_mtu(v, c);
	default:
		return config_tcp(v, c);
	}
}

int via_configure(struct via *v, const struct via_change *c)
{
	switch (c->kind) {
	case VIA_ADDR_ADD:
		return config_addr_add(v, c);
	case VIA_ADDR_DEL:
	case VIA_ADDR_EXPIRE:
		return config_addr_del(v, c);
	case VIA_ADDR_PROBE:
		return config_addr_probe(v, c);
	case VIA_ROUTE_ADD:
	case VIA_ROUTE_DEL:
		return config_route(v, c);
	case VIA_NEIGH_SET:
		return config_neigh(v, c);
	case VIA_FILTER_APPEND:
	case VIA_FILTER_POLICY:
	case VIA_FILTER_FLUSH:
	case VIA_NAT_ADD:
	case VIA_NAT_FLUSH:
	case VIA_CT_FLUSH:
		return config_filter(v, c);
	case VIA_SET: {
		int err = nd_is_setting(c->setting) ? nd_configure(v, c) : config_setting(v, c);
		if (!err)
			v->st->gen++;
		return err;
	}
	}
	return -EINVAL;
}
