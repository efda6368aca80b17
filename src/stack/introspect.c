/* stack/introspect.c - what a stack tells about itself: interfaces, addresses, routes, counters, memory; copies of it. */
#include "stack/state.h"

#include <errno.h>

bool via_iface_get(struct via *v, int n, struct via_iface_info *out)
{
	for (uint32_t k = 0; k < v->st->iface_end; k++) {
		const struct iface *i = iface_at(v, k);
		if (!i || n-- > 0)
			continue;
		uint32_t size = out->size;
		*out = (struct via_iface_info){.size = size, .ifindex = i->ifindex, .l2 = (enum via_l2)i->l2, .mtu = i->mtu, .up = i->up,
					       .rx_packets = i->rx_packets, .rx_bytes = i->rx_bytes, .tx_packets = i->tx_packets,
					       .tx_bytes = i->tx_bytes, .rx_dropped = i->rx_dropped, .tx_dropped = i->tx_dropped,
					       .vlan = i->vlan, .parent = i->parent};
		memcpy(out->name, i->name, sizeof(out->name));
		memcpy(out->mac, i->mac, 6);
		return true;
	}
	return false;
}

static uint32_t seconds_left(const struct via *v, int64_t until)
{
	if (until == TIME_NEVER)
		return UINT32_MAX;
	return until > v->now ? (uint32_t)((until - v->now) / NS_PER_S) : 0;
}

bool via_addr_get(struct via *v, int n, struct via_addr_info *out)
{
	const struct addr_entry *e = n < 0 ? NULL : addrs_get(v->arena, &v->st->addrs, (uint32_t)n);
	if (!e)
		return false;
	*out = (struct via_addr_info){.size = out->size, .ifindex = e->ifindex, .addr = e->addr, .plen = e->plen,
				      .deprecated = e->is_deprecated, .autoconf = e->is_auto,
				      .valid_s = seconds_left(v, e->valid_until), .preferred_s = seconds_left(v, e->preferred_until)};
	return true;
}

bool via_route_get(struct via *v, int n, struct via_route_info *out)
{
	struct via_addr dst;
	struct fib_hop hop;
	uint8_t plen;
	if (n < 0 || !fib_get_from(v->arena, v->st->fib, &v->st->routes, n, &dst, &plen, &hop))
		return false;
	*out = (struct via_route_info){.size = out->size, .dst = dst, .plen = plen, .gateway = hop.gateway, .ifindex = hop.ifindex,
				       .type = (enum via_route_type)hop.type, .weight = hop.weight};
	return true;
}

bool via_neigh_get(struct via *v, int n, struct via_neigh_info *out)
{
	const struct neigh_cache *c = &v->st->neigh;
	const struct list *const lists[] = {&c->permanent, &c->resolved, &c->unresolved};
	_Static_assert((int)VIA_NEIGH_INCOMPLETE == NEIGH_INCOMPLETE && (int)VIA_NEIGH_PERMANENT == NEIGH_PERMANENT, "one numbering");
	for (size_t k = 0; k < ARRAY_LEN(lists) && n >= 0; n -= (int)lists[k]->n, k++) {
		if (n >= (int)lists[k]->n)
			continue;
		ref_t r = lists[k]->head;
		while (n-- > 0)
			r = list_next(v->arena, r, offsetof(struct neigh, link));
		const struct neigh *e = neigh_at(v->arena, r);
		*out = (struct via_neigh_info){.size = out->size, .ifindex = e->ifindex, .addr = e->addr, .state = (enum via_neigh_state)e->state};
		memcpy(out->mac, e->mac, 6);
		return true;
	}
	return false;
}

bool via_counter_get(struct via *v, int n, const char **name, uint64_t *value)
{
	static const char *const counts[COUNT_STACK] = {
		[COUNT_IP_IN] = "ip.in", [COUNT_IP_LOCAL] = "ip.local", [COUNT_IP_FORWARDED] = "ip.forwarded", [COUNT_IP_OUT] = "ip.out",
		[COUNT_ICMP_ECHO] = "icmp.echo_answered", [COUNT_ICMP_ERRORS_OUT] = "icmp.errors_sent", [COUNT_ARP_IN] = "arp.in",
		[COUNT_TCP_IN] = "tcp.in_segs", [COUNT_TCP_OUT] = "tcp.out_segs", [COUNT_TCP_RST_OUT] = "tcp.out_rsts",
		[COUNT_UDP_IN] = "udp.in", [COUNT_UDP_OUT] = "udp.out", [COUNT_ARP_CONFLICTS] = "arp.conflicts",
		[COUNT_REASM_JOINED] = "frag.joined", [COUNT_REASM_WHOLE] = "frag.datagrams", [COUNT_FRAG_CUT] = "frag.cut",
		[COUNT_FRAG_MADE] = "frag.made", [COUNT_ND_IN] = "nd.in", [COUNT_ND_OUT] = "nd.out",
		[COUNT_ND_CONFLICTS] = "nd.conflicts", [COUNT_ND_DISAGREE] = "nd.ra_disagree", [COUNT_NEIGH_EVICTED] = "neigh.evicted",
		[COUNT_PATHS_EVICTED] = "path.evicted", [COUNT_PATHS_REFUSED] = "path.refused",
		[COUNT_GROUP_IN] = "group.in", [COUNT_GROUP_OUT] = "group.out",
		[COUNT_CT_OPENED] = "ct.opened", [COUNT_CT_EVICTED] = "ct.evicted", [COUNT_CT_REFUSED] = "ct.refused",
	};
	static const char *const tcp_names[TCP_COUNTS] = {
#define COUNT(e, dotted) [TCP_COUNT_##e] = dotted,
#include "tcp/count.def"
#undef COUNT
	};
	static const char *const drops[DROP_COUNT] = {
#define DROP(e, dotted, text) [DROP_##e] = "drop." dotted,
#include "pkt/drop.def"
#undef DROP
	};
	if (n < 0)
		return false;
	if (n < COUNT_STACK) {
		*name = counts[n];
		*value = v->st->counts[n];
		return true;
	}
	n -= COUNT_STACK;
	if (n < TCP_COUNTS) {
		*name = tcp_names[n];
		*value = tcp_counts(&v->tcp)[n];
		return true;
	}
	n = n - TCP_COUNTS + 1; /* "none" is no drop */
	if (n >= DROP_COUNT)
		return false;
	*name = drops[n];
	*value = v->st->drops[n];
	return true;
}

void via_tcp_memory_get(struct via *v, struct via_tcp_memory *out)
{
	tcp_mem_get(&v->tcp, out);
}

uint32_t via_tcp_reclaim(struct via *v, uint64_t keep)
{
	uint32_t n = 0, more;
	while ((more = tcp_mem_reclaim(&v->tcp, keep)))
		n += more;
	return n;
}

bool via_dns_get(const struct via *v, struct via_addr *out)
{
	*out = v->st->dns;
	return !via_addr_is_any(out);
}

const char *via_name(const struct via *v)
{
	return v->name;
}

size_t via_arena_used(const struct via *v)
{
	return arena_bytes_used(v->arena);
}

bool via_trim(struct via *v, int n, size_t *offset, size_t *len)
{
	return n >= 0 && arena_free_run(v->arena, (uint32_t)n, offset, len);
}

size_t via_snapshot(const struct via *v, void *out, size_t cap)
{
	return arena_snapshot(v->arena, out, cap);
}

int via_restore(struct via *v, const void *in, size_t len)
{
	int err = arena_restore(v->arena, in, len);
	if (err)
		return err;
	v->now = v->tcp.now = v->sock.now = v->st->now;
	v->tcp.paces = v->st->tcp_paces;
	v->tcp.ecn = v->st->tcp_ecn;
	v->tcp.ecn_abe = v->st->tcp_abe;
	v->tcp.mtu_probing = v->st->tcp_mtu_probing;
	v->tcp.base_mss = v->st->tcp_base_mss;
	filter_hook(v);
	return 0;
}
