/* stack/tx.c - the straight line out: IP header, route, neighbour, frame, interface queue, driver.
 *
 *   tcp_output() or a socket -> tx_path() -> [local-out] -> [post-route] -> frag.c -> loopback queue, or route -> neighbour -> frame
 *   rx.c says FORWARD -> tx_forward() -> TTL, MTU -> [forward] -> [post-route] -> frag.c -> neighbour -> frame
 *   via_flush(): tcp_flush(), then every interface queue into its driver; room that came back lets TCP go on
 *
 * Nothing here calls back into TCP while TCP is calling: what is lost locally waits in st->lost until via_flush() tells.
 * RFC 791, RFC 1122 §3.3, RFC 1812 §5.2, §5.3, RFC 8200. */
#include "stack/nd.h"

#include <errno.h>

#include "net/flow.h"
#include "net/forward.h"
#include "net/ip_input.h"
#include "wire/dhcp.h"
#include "wire/udp.h"

enum { ROUNDS_MAX = 16, TOS_ICMP_ERROR = 0xc0 };

/* ---- drops ---- */

void stack_drop(struct via *v, struct pkt *p, enum drop why)
{
	struct iface *i = iface_at(v, p->m.ifindex);
	uint32_t segs = p->m.gso_size ? p->m.gso_segs : 1; /* as everything that came or left is counted */
	p->m.drop = (uint8_t)why;
	v->st->drops[why] += segs;
	if (i && why == DROP_IF_QUEUE_FULL)
		i->tx_dropped += segs;
	stack_trace(v, TRACE_DROP, p, p->m.ifindex, why);
	if (p->m.owner)
		pktq_push(v->mem, &v->st->lost, p);
	else
		pkt_free(v->mem, p);
}

void tx_tell_lost(struct via *v)
{
	struct pkt *p;
	while ((p = pktq_pop(v->mem, &v->st->lost)) != NULL) {
		tcp_sent(&v->tcp, p->m.owner, p->m.owner_gen, p->m.owner_seq_end, v->now);
		pkt_free(v->mem, p);
	}
}

/* ---- link ---- */

static void tx_enqueue(struct via *v, struct iface *i, struct pkt *p)
{
	enum drop why = ifq_push(v, i, p, p->m.owner == 0);
	if (why)
		stack_drop(v, p, why);
}

/* Put a ready Ethernet header before the IP header. */
static void tx_frame(struct via *v, struct iface *i, const uint8_t l2[ETH_HLEN], struct pkt *p)
{
	p->m.ifindex = i->ifindex;
	if (p->head < ETH_HLEN) {
		stack_drop(v, p, DROP_NO_MEMORY);
		return;
	}
	memcpy(pkt_push(p, ETH_HLEN), l2, ETH_HLEN);
	p->m.l2 = p->head;
	tx_enqueue(v, i, p);
}

void tx_ask(struct via *v, const struct neigh_ask *ask)
{
	struct iface *i = ask->ask ? iface_at(v, ask->ifindex) : NULL;
	if (i && !via_addr_is_v4(&ask->addr)) {
		nd_ask(v, i, ask);
		return;
	}
	const struct addr_entry *src = i ? addrs_source(v->arena, &v->st->addrs, ask->ifindex, &ask->addr) : NULL;
	if (!src)
		return;
	struct arp_iface ai = {.ifindex = i->ifindex};
	memcpy(ai.mac, i->mac, 6);
	struct pkt *p = arp_request_build(v->mem, &ai, ask, via_addr_to_v4(&src->addr));
	if (p)
		tx_enqueue(v, i, p);
}

static uint16_t ethertype_to(const struct via_addr *next)
{
	return via_addr_is_v4(next) ? ETHERTYPE_IP4 : ETHERTYPE_IP6;
}

void tx_ready(struct via *v, ref_t neigh, struct pktq *q)
{
	struct neigh_env ne = stack_neigh_env(v);
	struct neigh *n = neigh_at(v->arena, neigh);
	struct iface *i = iface_at(v, n->ifindex);
	struct pkt *p;
	uint8_t l2[ETH_HLEN];
	eth_emit(l2, n->mac, i->mac, ethertype_to(&n->addr));
	while ((p = pktq_pop(v->mem, q)) != NULL) {
		neigh_use(&ne, n);
		p->m.drop = DROP_NONE;
		tx_frame(v, i, l2, p);
	}
}

void tx_failed(struct via *v, struct pktq *q)
{
	struct pkt *p;
	while ((p = pktq_pop(v->mem, q)) != NULL) {
		enum drop why = p->m.drop ? (enum drop)p->m.drop : DROP_ARP_FAILED;
		struct ip_hdr h;
		if (why == DROP_ARP_FAILED && ip_input(v->mem, p, 0, p->m.ifindex, &h) == DROP_NONE) {
			if (stack_addr_is_ours(v, &h.src))
				icmp_tell_local(v, p, &h, EHOSTUNREACH);
			else
				tx_icmp_error(v, p, &h, ICMP_SAY_NO_HOST, 0);
		}
		stack_drop(v, p, why);
	}
}

/* Ask the cache. 0: the neighbour's ref, p is still the caller's. */
static ref_t tx_resolve(struct via *v, struct iface *i, const struct via_addr *next, struct pkt *p)
{
	struct neigh_env ne = stack_neigh_env(v);
	struct neigh_ask ask;
	struct pktq dropped = {0};
	struct pkt *old;
	ref_t r;
	p->m.ifindex = i->ifindex;
	enum neigh_verdict verdict = neigh_resolve(&ne, &v->st->neigh, i->ifindex, next, p, &ask, &dropped, &r);
	tx_ask(v, &ask);
	while ((old = pktq_pop(v->mem, &dropped)) != NULL) /* TCP may be calling: nobody is told of these but the counters */
		stack_drop(v, old, DROP_ARP_QUEUE);
	if (verdict == NEIGH_REFUSED)
		stack_drop(v, p, DROP_NO_MEMORY);
	if (verdict != NEIGH_READY)
		return 0;
	neigh_use(&ne, neigh_at(v->arena, r));
	return r;
}

void tx_neighbour(struct via *v, struct iface *i, const struct via_addr *next, struct pkt *p)
{
	uint8_t l2[ETH_HLEN], group[6];
	const uint8_t *mac = group;
	if (i->l2 == VIA_L2_NONE) {
		p->m.l2 = p->head;
		tx_enqueue(v, i, p);
		return;
	}
	if (!eth_group(group, next)) {
		ref_t r = tx_resolve(v, i, next, p);
		if (!r)
			return;
		mac = neigh_at(v->arena, r)->mac;
	}
	eth_emit(l2, mac, i->mac, ethertype_to(next));
	tx_frame(v, i, l2, p);
}

/* ---- internet: what is made here ---- */

void tx_loopback(struct via *v, struct pkt *p, uint32_t zone)
{
	struct via_state *st = v->st;
	struct iface *lo = iface_at(v, IFINDEX_LO);
	p->m.ifindex = IFINDEX_LO;
	p->m.l2 = p->head;
	p->mark = zone;
	if (st->loopq.n >= LOOPQ_PACKETS_MAX || st->loopq.bytes + p->len > LOOPQ_BYTES_MAX) {
		stack_drop(v, p, DROP_IF_QUEUE_FULL);
		return;
	}
	lo->tx_packets += p->m.gso_size ? p->m.gso_segs : 1;
	lo->tx_bytes += p->len;
	stack_trace(v, TRACE_TX, p, IFINDEX_LO, 0);
	pktq_push(v->mem, &st->loopq, p);
}

/* Along a path: its cached neighbour and header while they are valid. */
static void tx_route(struct via *v, struct pkt *p, struct path *pa)
{
	struct via_state *st = v->st;
	struct fib_hop hop = pa->hop;
	const struct hop_set *set = pa->is_multi ? fib_match(v->arena, st->fib, &pa->p.remote, st->down) : NULL;
	if (set)
		hop = *hop_set_choose(set, p->m.flow_hash, st->down);
	struct iface *i = iface_at(v, hop.ifindex);
	const struct via_addr *next = via_addr_is_any(&hop.gateway) ? &pa->p.remote : &hop.gateway;
	if (i->l2 == VIA_L2_NONE || set) {
		tx_neighbour(v, i, next, p);
		return;
	}
	if (!pa->neigh || pa->neigh_gen != st->neigh.gen) {
		pa->neigh = tx_resolve(v, i, next, p);
		pa->neigh_gen = st->neigh.gen;
		if (!pa->neigh)
			return;
		eth_emit(pa->l2, neigh_at(v->arena, pa->neigh)->mac, i->mac, ethertype_to(next));
	} else {
		struct neigh_env ne = stack_neigh_env(v);
		neigh_use(&ne, neigh_at(v->arena, pa->neigh));
	}
	tx_frame(v, i, pa->l2, p);
}

/* Do we hear what p says to many? Its sender may not want that of a group. */
static bool tx_is_looped(const struct via *v, const struct pkt *p, const struct path *pa)
{
	return !pa->p.is_multicast || (p->m.loop != PKT_LOOP_NONE && stack_group_is_ours(v, pa->hop.ifindex, &pa->p.remote));
}

/* To everybody on the link, and to ourselves (Linux: ip_mc_output). */
static void tx_broadcast(struct via *v, struct pkt *p, struct path *pa)
{
	static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	struct iface *i = iface_at(v, pa->hop.ifindex);
	struct pkt *copy = tx_is_looped(v, p, pa) ? pkt_clone(v->mem, p) : NULL;
	uint8_t l2[ETH_HLEN];
	if (copy)
		tx_loopback(v, copy, pa->hop.ifindex);
	if (p->m.loop == PKT_LOOP_ONLY) {
		pkt_free(v->mem, p);
		return;
	}
	if (i->l2 == VIA_L2_NONE || pa->p.is_multicast) {
		tx_neighbour(v, i, &pa->p.remote, p);
		return;
	}
	eth_emit(l2, everybody, i->mac, ETHERTYPE_IP4);
	tx_frame(v, i, l2, p);
}

static void tx_by_kind(struct via *v, struct pkt *p, struct path *pa)
{
	if (pa->p.is_loopback)
		tx_loopback(v, p, MAX(pa->p.local.scope, pa->p.remote.scope));
	else if (pa->p.is_broadcast || pa->p.is_multicast)
		tx_broadcast(v, p, pa);
	else
		tx_route(v, p, pa);
}

/* Bytes of the largest packet that goes along pa in one piece. */
static uint32_t tx_limit(const struct pkt *p, const struct path *pa)
{
	return p->m.cut == PKT_CUT_PROBE ? pa->p.mtu : pa->p.pmtu;
}

/* May p, which has no IP header yet, be cut if it is too large? Its "do not fragment" says the same (RFC 791 §3.2). */
static bool tx_may_cut(const struct pkt *p, const struct path *pa)
{
	return p->m.cut == PKT_CUT_ANY || (p->m.cut == PKT_CUT_HERE && p->len + pa->p.ip_hlen > tx_limit(p, pa));
}

/* Ids of packets that cannot be cut need not be unique (RFC 6864 §4.1); TCP's count up, as cutting superframes does. */
static uint16_t tx_id(struct via *v, const struct pkt *p, struct path *pa, const struct ip_hdr *h)
{
	if (h->may_cut)
		return frag4_id(&v->st->frag_ids, via_addr_to_v4(&h->src), via_addr_to_v4(&h->dst), h->proto);
	uint16_t id = pa->ip_id;
	pa->ip_id = (uint16_t)(id + (p->m.gso_size ? p->m.gso_segs : 1));
	return id;
}

/* TTL or hop limit of what says nothing of it: for IPv6 a router may have told one (RFC 4861 §6.3.4). */
static uint8_t tx_ttl(const struct via *v, const struct path *pa, bool is_v6)
{
	const struct iface *i = is_v6 ? iface_at(v, pa->p.ifindex) : NULL;
	return i && i->hops6 ? i->hops6 : v->st->ttl;
}

/* Put the IP header for pa in front of p. */
static void tx_header(struct via *v, struct pkt *p, struct path *pa, uint8_t proto, uint8_t ttl, uint8_t tos, struct ip_hdr *h)
{
	bool is_v6 = pa->p.ip_hlen == IP6_HLEN;
	*h = (struct ip_hdr){.src = pa->p.local, .dst = pa->p.remote, .len = p->len + pa->p.ip_hlen,
			     .hlen = (uint16_t)(pa->p.ip_hlen + p->m.ip_opts), .is_v6 = is_v6,
			     .proto = is_v6 && proto == IPPROTO_N_ICMP ? IPPROTO_N_ICMP6 : proto, .ttl = ttl ? ttl : tx_ttl(v, pa, is_v6),
			     .tos = (uint8_t)((tos & 0xfc) | (p->m.ecn & 3)), .may_cut = tx_may_cut(p, pa)};
	p->m.l4 = (uint16_t)(p->head + p->m.ip_opts);
	flow_hash_of(v->st->flow_key, p, h);
	if (is_v6) {
		h->flow = flow_label(v->st->label_key, p->m.flow_hash);
		ip_emit(pkt_push(p, IP6_HLEN), h);
	} else {
		h->id = tx_id(v, p, pa, h);
		ip_emit(pkt_push(p, IP4_HLEN), h);
		if (p->m.ip_opts)
			ip4_emit_grown(pkt_data(p), p->m.ip_opts);
	}
	p->m.ip_opts = 0;
	p->m.l2 = p->m.l3 = p->head;
}

void tx_path(struct via *v, struct pkt *p, struct path *pa, uint8_t proto, uint8_t ttl, uint8_t tos)
{
	struct ip_hdr h;
	tx_header(v, p, pa, proto, ttl, tos, &h);
	v->st->counts[COUNT_IP_OUT] += p->m.gso_size ? p->m.gso_segs : 1;
	uint16_t out = pa->p.is_loopback ? IFINDEX_LO : (uint16_t)pa->p.ifindex;
	enum drop why = hook_run(v, HOOK_LOCAL_OUT, p, 0, out);
	if (!why && !pa->p.ifindex)
		why = DROP_IP_NO_ROUTE;
	bool is_large = !p->m.gso_size && p->len > tx_limit(p, pa);
	if (!why && is_large && !h.may_cut)
		why = DROP_TOO_BIG;
	if (!why)
		why = hook_run(v, HOOK_POST_ROUTE, p, 0, out);
	if (!why && !is_large && pkt_unchain(v->mem, p))
		why = DROP_NO_MEMORY;
	if (why) {
		stack_drop(v, p, why);
	} else if (is_large) {
		struct pktq q = {0};
		frag_cut(v, p, &h, tx_limit(p, pa), &q);
		while ((p = pktq_pop(v->mem, &q)) != NULL)
			tx_by_kind(v, p, pa);
	} else {
		tx_by_kind(v, p, pa);
	}
}

/* May p, a datagram without its IP header, be sent without a source address? To ask for one (RFC 1122 §3.2.1.3 (a), RFC 2131 §4.1). */
static bool tx_may_be_nobody(const struct pkt *p, uint8_t proto)
{
	return proto == IPPROTO_N_UDP && p->head_len >= UDP_HLEN && get_be16(p->linear + p->head) == DHCP_PORT_CLIENT &&
	       get_be16(p->linear + p->head + 2) == DHCP_PORT_SERVER;
}

int tx_datagram(struct via *v, struct pkt *p, uint8_t proto, const struct via_addr *local, const struct via_addr *remote, uint8_t ttl,
		uint8_t tos, bool may_broadcast)
{
	ref_t path;
	int err = path_get(v, local, remote, &path);
	if (err) {
		pkt_free(v->mem, p);
		return err;
	}
	struct path *pa = path_at(v, path);
	const struct ifq *q = &iface_lower(v, iface_at(v, pa->p.ifindex))->q;
	bool is_v6 = pa->p.ip_hlen == IP6_HLEN;
	uint32_t whole = p->len + pa->p.ip_hlen, more = is_v6 ? FRAG6_HLEN : 0, limit = tx_limit(p, pa);
	uint32_t n = whole <= limit ? 1 : frag4_count(whole + more, pa->p.ip_hlen + more + p->m.ip_opts, limit);
	if (pa->p.is_broadcast && !may_broadcast)
		err = -EACCES;
	else if (!is_v6 && via_addr_is_any(&pa->p.local) && !tx_may_be_nobody(p, proto))
		err = -EADDRNOTAVAIL;
	else if ((is_v6 ? p->len : whole) > 65535 || (n > 1 && !tx_may_cut(p, pa)))
		err = -EMSGSIZE;
	else if (q->n + n > IFQ_PACKETS_MAX || q->bytes + p->len + n * 64 > IFQ_BYTES_MAX) /* all of its fragments, or none */
		err = -ENOBUFS;
	p->m.ifindex = pa->p.ifindex;
	if (err == -ENOBUFS)
		stack_drop(v, p, DROP_IF_QUEUE_FULL);
	else if (err)
		pkt_free(v->mem, p);
	else {
		if (is_v6 && proto == IPPROTO_N_ICMP)
			icmp6_csum_partial(p, &pa->p.local, remote);
		tx_path(v, p, pa, proto, ttl, tos);
	}
	path_drop(v, path);
	return err;
}

/* p begins at its IP header. */
static void icmp_error_send(struct via *v, struct pkt *p, const struct ip_hdr *h, enum icmp_say say, uint32_t rest)
{
	struct via_state *st = v->st;
	struct via_addr from = via_addr_v4(0);
	struct icmp4_hdr m;
	if (st->no_icmp_errors || !icmp_say(say, h->is_v6, rest, &m) ||
	    !icmp_error_is_due(v->mem, p, h, addrs_is_broadcast(v->arena, &st->addrs, 0, &h->dst), say))
		return;
	if (!icmp_limit_error(&st->icmp, &h->src, v->now)) {
		st->drops[DROP_ICMP_RATE]++;
		return;
	}
	struct pkt *e = icmp_error_build(v->mem, p, &m);
	if (!e)
		return;
	e->m.cut = PKT_CUT_ANY;
	if (stack_addr_is_ours(v, &h->dst)) /* as the one that was asked; else of the interface it leaves by (RT4-012) */
		from = h->dst;
	if (tx_datagram(v, e, IPPROTO_N_ICMP, &from, &h->src, 0, TOS_ICMP_ERROR, false) == 0)
		st->counts[COUNT_ICMP_ERRORS_OUT]++;
}

void tx_icmp_error(struct via *v, struct pkt *p, const struct ip_hdr *h, enum icmp_say say, uint32_t rest)
{
	uint16_t front = p->head;
	pkt_front_at(p, p->m.l3);
	icmp_error_send(v, p, h, say, rest);
	pkt_front_at(p, front);
}

/* ---- internet: what passes through ---- */

/* There is no route (FIB_UNICAST), or one that leads nowhere: p's sender is told what RFC 1812 §5.2.7.1 has for it. Why p goes. */
static enum drop tx_no_way(struct via *v, struct pkt *p, const struct ip_hdr *h, uint8_t type)
{
	static const struct { enum icmp_say say; enum drop why; } says[] = {
		[FIB_UNICAST] = {ICMP_SAY_NO_ROUTE, DROP_IP_NO_ROUTE}, [FIB_BLACKHOLE] = {ICMP_SAY_COUNT, DROP_IP_BLACKHOLE},
		[FIB_PROHIBIT] = {ICMP_SAY_FILTERED, DROP_IP_PROHIBITED}, [FIB_UNREACHABLE] = {ICMP_SAY_REJECT_ROUTE, DROP_IP_UNREACHABLE},
	};
	if (type != FIB_BLACKHOLE)
		tx_icmp_error(v, p, h, says[type].say, 0);
	return says[type].why;
}

void tx_forward(struct via *v, struct pkt *p, struct ip_hdr *h)
{
	struct via_state *st = v->st;
	struct fib_hop hop;
	enum drop why = forward_may(p, h);
	if (why == DROP_IP_SCOPE)
		tx_icmp_error(v, p, h, ICMP_SAY_BEYOND_SCOPE, 0);
	if (why)
		goto drop;
	if (h->ttl <= 1) {
		tx_icmp_error(v, p, h, ICMP_SAY_TTL, 0);
		why = DROP_IP_TTL;
		goto drop;
	}
	bool found = fib_lookup(v->arena, st->fib, &h->dst, flow_hash_of(st->flow_key, p, h), st->down, &hop);
	if (!found || hop.type != FIB_UNICAST) {
		why = tx_no_way(v, p, h, found ? hop.type : FIB_UNICAST);
		goto drop;
	}
	struct iface *out = iface_at(v, hop.ifindex);
	if (st->no_icmp_errors && forward_is_icmp_error(p, h)) {
		why = DROP_ICMP_FILTERED;
		goto drop;
	}
	if (addrs_is_broadcast(v->arena, &st->addrs, hop.ifindex, &h->dst)) {
		why = DROP_IP_BROADCAST; /* RFC 2644 */
		goto drop;
	}
	uint32_t mtu = iface_mtu(out, h->is_v6);
	bool is_large = forward_unit(p, h) > mtu;
	if (is_large && (!h->may_cut || p->m.gso_size)) { /* RFC 1812 §5.2.6: only without "do not fragment"; IPv6 never */
		tx_icmp_error(v, p, h, ICMP_SAY_TOO_BIG, mtu);
		why = DROP_IP_MTU;
		goto drop;
	}
	forward_ttl(p, h);
	const struct via_addr next = via_addr_is_any(&hop.gateway) ? h->dst : hop.gateway;
	if (!h->is_v6)
		ip_options_pass(v, p, hop.ifindex, &next);
	redirect_send(v, p, h, &hop);
	p->m.why = WHY_FORWARD;
	why = hook_run(v, HOOK_FORWARD, p, p->m.ifindex, hop.ifindex);
	if (!why)
		why = hook_run(v, HOOK_POST_ROUTE, p, p->m.ifindex, hop.ifindex);
	if (!why && !is_large && pkt_unchain(v->mem, p)) /* put together at pre-route */
		why = DROP_NO_MEMORY;
	if (why)
		goto drop;
	st->counts[COUNT_IP_FORWARDED] += p->m.gso_size ? p->m.gso_segs : 1;
	struct pktq q = {0};
	if (is_large)
		frag_cut(v, p, h, mtu, &q);
	else
		pktq_push(v->mem, &q, p);
	while ((p = pktq_pop(v->mem, &q)) != NULL)
		tx_neighbour(v, out, &next, p);
	return;
drop:
	stack_drop(v, p, why);
}

/* ---- out ---- */

/* Several equal next hops: the flow may use any of them, so the fullest counts. */
static uint32_t tx_room_multi(struct via *v, struct path *pa)
{
	struct via_state *st = v->st;
	uint32_t room = IFQ_LOCAL_BYTES;
	const struct hop_set *set = fib_match(v->arena, st->fib, &pa->p.remote, st->down);
	for (int k = 0; set && k < set->n; k++) {
		struct ifq *q = &iface_lower(v, iface_at(v, set->hop[k].ifindex))->q;
		room = MIN(room, q->bytes < IFQ_LOCAL_BYTES ? IFQ_LOCAL_BYTES - q->bytes : 0);
		q->starved = q->starves_all = q->starved || q->bytes >= IFQ_LOCAL_BYTES;
	}
	return room;
}

uint32_t tx_room(struct via *v, struct path *pa)
{
	struct via_state *st = v->st;
	struct iface *i = iface_at(v, pa->p.ifindex);
	if (!i)
		return IFQ_LOCAL_BYTES; /* it is dropped here, and the retransmission timer tries again */
	if (pa->is_multi)
		return tx_room_multi(v, pa);
	i = iface_lower(v, i);
	uint32_t used = pa->p.is_loopback ? st->loopq.bytes : i->q.bytes;
	uint32_t max = pa->p.is_loopback ? LOOPQ_BYTES_MAX / 4 : IFQ_LOCAL_BYTES;
	if (used < max)
		return max - used;
	i->q.starved = true;
	return 0;
}

void via_flush(struct via *v, int64_t now)
{
	stack_enter(v, now);
	for (int round = 0; round < ROUNDS_MAX; round++) {
		tcp_flush(&v->tcp);
		for (uint32_t n = IFINDEX_LO; n < v->st->iface_end; n++)
			if (iface_at(v, n))
				ifq_drain(v, iface_at(v, n));
		tx_tell_lost(v);
		if (!tcp_is_dirty(&v->tcp))
			break;
	}
}
