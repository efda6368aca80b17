/* stack/filter.c - NAT and filter (filter/) at the five hooks, what is configured of them, and the answers of REJECT.
 *
 * All of it exists only while something is configured: the state is one buffer in the arena, and the table of hooks is NULL without it.
 * Answers of REJECT share the rate limit of ICMP errors. */
#include "stack/state.h"

#include <errno.h>

#include "filter/filter.h"
#include "wire/addr.h"

static struct filter *filter_of(const struct via *v) { return v->st->filter ? arena_at(v->arena, v->st->filter) : NULL; }

/* ---- what the engine asks ---- */

static bool op_has_addr(void *ctx, uint16_t ifindex, const struct via_addr *a)
{
	struct via *v = ctx;
	const struct addr_entry *e = addrs_find(v->arena, &v->st->addrs, a);
	return e && e->ifindex == ifindex;
}

static bool op_addr_of(void *ctx, uint16_t ifindex, struct via_addr *out)
{
	struct via *v = ctx;
	struct via_addr any = via_addr_v4(0);
	const struct addr_entry *e = addrs_source(v->arena, &v->st->addrs, ifindex, &any);
	if (!e || !via_addr_is_v4(&e->addr))
		return false;
	*out = e->addr;
	return true;
}

static bool op_port_in_use(void *ctx, uint8_t proto, uint16_t port)
{
	struct via *v = ctx;
	return sock_port_in_use(&v->sock, proto, port);
}

static uint16_t op_ifindex_of(void *ctx, const char name[16])
{
	struct via *v = ctx;
	for (uint32_t n = IFINDEX_LO; n < v->st->iface_end; n++)
		if (iface_at(v, n) && memcmp(iface_at(v, n)->name, name, strnlen(name, 16) + 1) == 0)
			return (uint16_t)n;
	return 0;
}

static struct filter_env env_of(struct via *v)
{
	static const struct filter_ops ops = {op_has_addr, op_addr_of, op_port_in_use, op_ifindex_of};
	return (struct filter_env){.ct = {v->arena, &v->st->wheel, v->now, &v->st->counts[COUNT_CT_OPENED]},
				   .mem = v->mem, .ops = &ops, .ctx = v};
}

/* ---- the hooks ---- */

/* An answer to the packet whose header is h, from an address that need not be ours, by the route to it. Takes it. */
static void send_raw(struct via *v, struct pkt *p, const struct ip_hdr *h)
{
	struct filter_env e = env_of(v);
	struct via_addr dst = h->src;
	struct fib_hop hop;
	if (stack_addr_is_ours(v, &dst)) {
		tx_loopback(v, p, h->src.scope);
		return;
	}
	if (!fib_lookup(v->arena, v->st->fib, &dst, 1, v->st->down, &hop) || hop.type != FIB_UNICAST) {
		stack_drop(v, p, DROP_IP_NO_ROUTE);
		return;
	}
	enum drop why = filter_post_route(&e, filter_of(v), &(struct filter_pkt){.p = p, .out = hop.ifindex, .is_reject = true});
	if (why)
		stack_drop(v, p, why);
	else
		tx_neighbour(v, iface_at(v, hop.ifindex), via_addr_is_any(&hop.gateway) ? &dst : &hop.gateway, p);
}

/* p's header, of which as much is told as answering needs; its link-local addresses are of interface `link`. False: it cannot be
 * read, or is not to be answered. */
static bool header_of(struct via *v, struct pkt *p, uint16_t link, struct ip_hdr *h)
{
	struct view w;
	struct ip4_hdr h4;
	struct ip6_hdr h6;
	if (!view_read(v->mem, p, &w) || w.kind == VIEW_ERROR)
		return false;
	const uint8_t *ip = pkt_data(p);
	if (ip[0] >> 4 == 6) {
		if (ip6_parse(ip, p->len, p->m.gso_size != 0, &h6))
			return false;
		*h = ip_hdr_of6(&h6);
	} else {
		if (ip4_parse(ip, p->len, p->m.gso_size != 0, &h4))
			return false;
		*h = ip_hdr_of4(&h4);
	}
	h->proto = w.proto;
	h->hlen = (uint16_t)(w.l4 - w.l3);
	h->src = addr_on_link(&h->src, link);
	h->dst = addr_on_link(&h->dst, link);
	return true;
}

/* REJECT: its sender is told. */
static void reject(struct via *v, const struct filter_pkt *k, enum via_reject_with with)
{
	enum { NEXT_AT = 6 }; /* "next header" in an IPv6 header */
	static const enum icmp_say say[] = {
		[VIA_REJECT_PORT_UNREACHABLE] = ICMP_SAY_NO_PORT, [VIA_REJECT_NET_UNREACHABLE] = ICMP_SAY_NO_ROUTE,
		[VIA_REJECT_HOST_UNREACHABLE] = ICMP_SAY_NO_HOST, [VIA_REJECT_PROTO_UNREACHABLE] = ICMP_SAY_NO_PROTOCOL,
		[VIA_REJECT_NET_PROHIBITED] = ICMP_SAY_NET_PROHIBITED, [VIA_REJECT_HOST_PROHIBITED] = ICMP_SAY_HOST_PROHIBITED,
		[VIA_REJECT_ADMIN_PROHIBITED] = ICMP_SAY_FILTERED,
	};
	struct pkt *p = k->p;
	struct ip_hdr h;
	if (!header_of(v, p, k->in ? k->in : k->out, &h))
		return;
	if (with != VIA_REJECT_TCP_RESET) {
		tx_icmp_error(v, p, &h, say[with], with == VIA_REJECT_PROTO_UNREACHABLE ? NEXT_AT : 0);
		return;
	}
	if (!icmp_limit_error(&v->st->icmp, &h.src, v->now)) {
		v->st->drops[DROP_ICMP_RATE]++;
		return;
	}
	struct pkt *r = filter_reset(v->mem, p);
	if (r)
		send_raw(v, r, &h);
}

static enum drop run_chain(struct via *v, enum via_chain chain, const struct filter_pkt *k)
{
	struct filter_env e = env_of(v);
	enum via_reject_with with = VIA_REJECT_PORT_UNREACHABLE;
	switch (filter_chain(&e, filter_of(v), chain, k, &with)) {
	case VIA_TARGET_DROP:
		return DROP_FILTER_DROP;
	case VIA_TARGET_REJECT:
		reject(v, k, with);
		return DROP_FILTER_REJECT;
	default:
		return DROP_NONE;
	}
}

static enum drop at_pre_route(struct via *v, struct pkt *p, uint16_t in, uint16_t out)
{
	struct filter_env e = env_of(v);
	return filter_pre_route(&e, filter_of(v), &(struct filter_pkt){p, in, out, false});
}

static enum drop at_local_in(struct via *v, struct pkt *p, uint16_t in, uint16_t out)
{
	struct filter_env e = env_of(v);
	struct filter_pkt k = {p, in, out, false};
	enum drop why = run_chain(v, VIA_CHAIN_INPUT, &k);
	return why ? why : filter_commit(&e, filter_of(v), &k);
}

static enum drop at_forward(struct via *v, struct pkt *p, uint16_t in, uint16_t out)
{
	return run_chain(v, VIA_CHAIN_FORWARD, &(struct filter_pkt){p, in, out, false});
}

static enum drop at_local_out(struct via *v, struct pkt *p, uint16_t in, uint16_t out)
{
	return run_chain(v, VIA_CHAIN_OUTPUT, &(struct filter_pkt){p, in, out, false});
}

static enum drop at_post_route(struct via *v, struct pkt *p, uint16_t in, uint16_t out)
{
	struct filter_env e = env_of(v);
	return filter_post_route(&e, filter_of(v), &(struct filter_pkt){p, in, out, false});
}

void filter_hook(struct via *v)
{
	static const struct stack_hooks hooks = {{[HOOK_PRE_ROUTE] = at_pre_route, [HOOK_LOCAL_IN] = at_local_in, [HOOK_FORWARD] = at_forward,
						  [HOOK_LOCAL_OUT] = at_local_out, [HOOK_POST_ROUTE] = at_post_route}};
	v->hooks = v->st->filter ? &hooks : NULL;
}

bool filter_wants_whole(const struct via *v) { return v->st->filter && ct_is_on(&filter_of(v)->ct); }

void filter_timeout(struct via *v, ref_t timer)
{
	struct filter_env e = env_of(v);
	ct_timeout(&e.ct, &filter_of(v)->ct, timer);
}

void filter_ifaces(struct via *v)
{
	struct filter_env e = env_of(v);
	if (v->st->filter)
		filter_ifaces_changed(&e, filter_of(v));
}

/* ---- configuration ---- */

void filter_end(struct via *v)
{
	struct filter_env e = env_of(v);
	if (!v->st->filter)
		return;
	filter_fini(&e, filter_of(v));
	arena_buf_give(v->arena, v->st->filter, sizeof(struct filter));
	v->st->filter = 0;
	filter_hook(v);
}

static int filter_begin(struct via *v)
{
	if (v->st->filter)
		return 0;
	v->st->filter = arena_buf_take(v->arena, sizeof(struct filter));
	if (!v->st->filter)
		return -ENOMEM;
	filter_init(filter_of(v), v->st->filter_key, WHEEL_CT);
	filter_hook(v);
	return 0;
}

static int filter_change(struct via *v, const struct via_change *c)
{
	struct filter *f = filter_of(v);
	struct filter_env e = env_of(v);
	switch (c->kind) {
	case VIA_FILTER_APPEND:
		return c->filter ? filter_append(&e, f, c->filter, v->st->ct_max) : -EINVAL;
	case VIA_FILTER_POLICY:
		return c->filter ? filter_policy(f, c->filter->chain, c->filter->target) : -EINVAL;
	case VIA_FILTER_FLUSH:
		return filter_flush(&e, f, c->filter ? c->filter->chain : VIA_CHAINS);
	case VIA_NAT_ADD:
		return c->nat ? filter_nat_add(&e, f, c->nat, v->st->ct_max) : -EINVAL;
	case VIA_NAT_FLUSH:
		filter_nat_flush(&e, f);
		return 0;
	default:
		if (ct_is_on(&f->ct))
			ct_flush(&e.ct, &f->ct);
		return 0;
	}
}

int config_filter(struct via *v, const struct via_change *c)
{
	int err = filter_begin(v);
	if (!err)
		err = filter_change(v, c);
	if (v->st->filter && filter_is_empty(filter_of(v)))
		filter_end(v);
	if (!err)
		v->st->gen++;
	return err;
}

int config_ct_max(struct via *v, int64_t max)
{
	if (max < 1 || max > CT_MAX_LIMIT)
		return -EINVAL;
	v->st->ct_max = (uint32_t)max;
	if (v->st->filter)
		filter_of(v)->ct.max = (uint32_t)max;
	return 0;
}

/* ---- what there is ---- */

bool via_filter_get(struct via *v, int n, struct via_filter_info *out)
{
	struct filter_env e = env_of(v);
	return v->st->filter && filter_get(&e, filter_of(v), n, out);
}

bool via_nat_get(struct via *v, int n, struct via_nat_info *out)
{
	struct filter_env e = env_of(v);
	return v->st->filter && filter_nat_get(&e, filter_of(v), n, out);
}

bool via_ct_get(struct via *v, int n, struct via_ct_info *out)
{
	struct filter_env e = env_of(v);
	return v->st->filter && filter_ct_get(&e, filter_of(v), n, out);
}
