/* stack/path.c - how to get from a local address to a remote one: route, neighbour, ready header, path MTU.
 *
 * One struct per pair in use, counted, found by a keyed hash that doubles as it fills. Routes are looked at when a path is
 * made and whenever the configuration changes (stack_changed()), never per packet; the neighbour and the L2 header are
 * valid while the cache's generation stands still. A path whose MTU was lowered, by a router or by TCP's own search
 * (tcp/pmtu.h), outlives its users: until a router's word is ten minutes old (PM-004), or five minutes for what TCP found
 * out, or until it is the longest idle one of too many. At the cap of all paths such a one gives way too, else the newcomer is refused.
 * Source choice: RFC 1122 §3.3.4.3.
 *
 * Link-local addresses carry the interface they are on in their scope, so to them no route is looked up: the scope is the way.
 * Inside the stack a link-local address always has one; what comes from a user without is given the other address's. */
#include "stack/state.h"

#include <errno.h>

#include "net/flow.h"
#include "net/gso.h"
#include "tcp/pmtu.h"
#include "wire/addr.h"

enum { BUCKETS_MIN = 16, BUCKETS_MAX = 16384 };
#define IDLE offsetof(struct path, idle_link)

static bool is_limited_broadcast(const struct via_addr *a)
{
	return via_addr_is_v4(a) && via_addr_to_v4(a) == 0xffffffffu;
}

static uint32_t path_bucket(const struct via *v, const struct via_addr *local, const struct via_addr *remote)
{
	uint8_t k[32];
	memcpy(k, local->b, 16);
	memcpy(k + 16, remote->b, 16);
	return (uint32_t)siphash_1_3(v->st->path_key, k, sizeof(k)) & (v->st->n_path_buckets - 1);
}

int path_init(struct via *v)
{
	struct via_state *st = v->st;
	pool_init(v->arena, &st->path_pool, "path", sizeof(struct path), PATHS_MAX);
	st->path_buckets = arena_buf_take(v->arena, BUCKETS_MIN * sizeof(ref_t));
	if (!st->path_buckets)
		return -ENOMEM;
	memset(arena_at(v->arena, st->path_buckets), 0, BUCKETS_MIN * sizeof(ref_t));
	st->n_path_buckets = BUCKETS_MIN;
	return 0;
}

static ref_t path_find(const struct via *v, const struct via_addr *local, const struct via_addr *remote)
{
	const ref_t *b = arena_at(v->arena, v->st->path_buckets);
	for (ref_t r = b[path_bucket(v, local, remote)]; r; r = path_at(v, r)->hash_next) {
		const struct tcp_path *p = &path_at(v, r)->p;
		if (via_addr_eq(&p->local, local) && via_addr_eq(&p->remote, remote))
			return r;
	}
	return 0;
}

ref_t path_next(const struct via *v, uint32_t *bucket, ref_t after)
{
	const ref_t *b = arena_at(v->arena, v->st->path_buckets);
	if (after && path_at(v, after)->hash_next)
		return path_at(v, after)->hash_next;
	for (*bucket += after != 0; *bucket < v->st->n_path_buckets; ++*bucket)
		if (b[*bucket])
			return b[*bucket];
	return 0;
}

/* Double the hash. Failing is fine: chains grow a little longer. */
static void path_grow(struct via *v)
{
	struct via_state *st = v->st;
	uint32_t old_n = st->n_path_buckets;
	ref_t bigger = arena_buf_take(v->arena, old_n * 2 * sizeof(ref_t));
	if (!bigger)
		return;
	ref_t *to = arena_at(v->arena, bigger), *from = arena_at(v->arena, st->path_buckets);
	memset(to, 0, old_n * 2 * sizeof(ref_t));
	st->n_path_buckets = old_n * 2;
	for (uint32_t i = 0; i < old_n; i++) {
		for (ref_t r = from[i], next; r; r = next) {
			struct path *x = path_at(v, r);
			uint32_t h = path_bucket(v, &x->p.local, &x->p.remote);
			next = x->hash_next;
			x->hash_next = to[h];
			to[h] = r;
		}
	}
	arena_buf_give(v->arena, st->path_buckets, old_n * sizeof(ref_t));
	st->path_buckets = bigger;
}

/* The limited broadcast leaves by the interface that its scope names, else by the source's; no route says so (RFC 1122 §3.3.6; Linux:
 * ip_route_output_key). */
static void path_limited_broadcast(struct via *v, struct path *pa)
{
	const struct addr_entry *e = addrs_find(v->arena, &v->st->addrs, &pa->p.local);
	uint32_t ifindex = pa->p.remote.scope ? pa->p.remote.scope : e ? e->ifindex : 0;
	const struct iface *i = iface_at(v, ifindex);
	if (!i || ifindex == IFINDEX_LO || (v->st->down >> ifindex & 1))
		return;
	pa->hop = (struct fib_hop){.gateway = via_addr_v4(0), .ifindex = (uint16_t)ifindex};
	pa->p.ifindex = (uint16_t)ifindex;
	pa->p.is_onlink = pa->p.is_broadcast = true;
	pa->p.mtu = i->mtu;
}

/* To everybody, or to what has a meaning on one link only: straight out of that interface. */
static void path_link(struct via *v, struct path *pa)
{
	uint32_t ifindex = pa->p.remote.scope;
	const struct addr_entry *e = addrs_find(v->arena, &v->st->addrs, &pa->p.local);
	if (!ifindex && e)
		ifindex = e->ifindex; /* a group of a wider scope */
	const struct iface *i = iface_at(v, ifindex);
	if (!i || ifindex == IFINDEX_LO || (v->st->down >> ifindex & 1))
		return;
	pa->hop = (struct fib_hop){.gateway = via_addr_v4(0), .ifindex = (uint16_t)ifindex};
	pa->p.ifindex = (uint16_t)ifindex;
	pa->p.is_onlink = true;
	pa->p.is_multicast = via_addr_is_multicast(&pa->p.remote);
	pa->p.mtu = iface_mtu(i, pa->p.ip_hlen == IP6_HLEN);
}

/* Is `a` a neighbour by interface ifindex? remote: what it is the way to; an IPv6 router may say of that that it is (RFC 4861 §8.3). */
static bool path_is_neighbour(const struct via *v, const struct via_addr *a, uint16_t ifindex, const struct via_addr *remote)
{
	if (a->scope || (!via_addr_is_v4(a) && via_addr_eq(a, remote)))
		return !a->scope || a->scope == ifindex;
	const struct fib_hop *on = fib_onlink(v->arena, v->st->fib, a, v->st->down);
	return on && on->ifindex == ifindex;
}

/* The route's hop is pa->hop: another gateway, if that one named it and it is still a neighbour there. */
static void path_apply_redirect(struct via *v, struct path *pa)
{
	bool holds = path_is_neighbour(v, &pa->redirect, pa->hop.ifindex, &pa->p.remote) && via_addr_eq(&pa->hop.gateway, &pa->redirector);
	if (!holds)
		pa->redirect = via_addr_v4(0);
	else
		pa->hop.gateway = via_addr_eq(&pa->redirect, &pa->p.remote) ? via_addr_v4(0) : pa->redirect;
}

/* Route and link of a unicast address that is not ours. */
static void path_route(struct via *v, struct path *pa)
{
	struct via_state *st = v->st;
	uint32_t hash = flow_hash(st->flow_key, &pa->p.local, &pa->p.remote, 0, 0), mtu = 65535;
	const struct fib_hop was = pa->hop;
	const struct hop_set *set = fib_match(v->arena, st->fib, &pa->p.remote, st->down);
	if (!set)
		return;
	if (set->hop[0].type != FIB_UNICAST) {
		pa->no_way = set->hop[0].type;
		return;
	}
	for (int i = 0; i < set->n; i++) /* equal paths may differ in MTU: the least is safe on all */
		mtu = MIN(mtu, iface_mtu(iface_at(v, set->hop[i].ifindex), pa->p.ip_hlen == IP6_HLEN));
	pa->hop = *hop_set_choose(set, hash, st->down);
	if (!via_addr_is_any(&pa->redirect))
		path_apply_redirect(v, pa);
	pa->p.ifindex = pa->hop.ifindex;
	pa->p.is_onlink = via_addr_is_any(&pa->hop.gateway);
	pa->p.is_broadcast = pa->p.is_onlink && addrs_is_broadcast(v->arena, &st->addrs, pa->hop.ifindex, &pa->p.remote);
	pa->is_multi = set->n > 1 && !pa->p.is_broadcast;
	pa->p.mtu = mtu;
	if (was.ifindex != pa->hop.ifindex || memcmp(was.gateway.b, pa->hop.gateway.b, 16) != 0)
		pa->p.tcp_mtu = 0; /* another way: what TCP found out was about the last one */
}

bool path_refresh(struct via *v, struct path *pa)
{
	const struct tcp_path was = pa->p;
	pa->neigh = 0;
	pa->p.is_loopback = stack_addr_is_ours(v, &pa->p.remote);
	pa->p.ifindex = 0;
	pa->no_way = 0;
	pa->p.is_onlink = pa->p.is_broadcast = pa->p.is_multicast = pa->is_multi = false;
	if (pa->p.is_loopback) {
		pa->p.ifindex = IFINDEX_LO;
		pa->p.mtu = LO_MTU;
		pa->p.is_onlink = true;
	} else if (is_limited_broadcast(&pa->p.remote)) {
		path_limited_broadcast(v, pa);
	} else if (pa->p.remote.scope || via_addr_is_multicast(&pa->p.remote)) {
		path_link(v, pa);
	} else {
		path_route(v, pa);
	}
	if (!via_addr_is_v4(&pa->p.local) && !stack_addr_is_taken(v, &pa->p.local))
		pa->p.ifindex = 0; /* an address whose life is over is no source (RFC 4862 §5.5.4) */
	if (pa->p.local.scope && !pa->p.is_loopback && pa->p.ifindex != pa->p.local.scope)
		pa->p.ifindex = 0; /* a link-local source stays on its link (RFC 4291 §2.5.6) */
	if (!pa->p.mtu)
		pa->p.mtu = 1500;
	pa->p.pmtu = pa->pmtu_learnt ? MIN(pa->pmtu_learnt, pa->p.mtu) : pa->p.mtu;
	if (pa->p.tcp_mtu >= pa->p.pmtu)
		pa->p.tcp_mtu = 0;
	/* On a link of tiny packets no superframes: a receiver does not take such small segments (net/gso.h). */
	pa->p.gso_max = pa->p.pmtu >= pa->p.ip_hlen + TCP_HLEN + GSO_UNIT_MIN ? PATH_GSO_MAX : pa->p.pmtu;
	if (was.ifindex == pa->p.ifindex && was.pmtu == pa->p.pmtu && was.tcp_mtu == pa->p.tcp_mtu && was.is_loopback == pa->p.is_loopback)
		return false;
	pa->p.gen++;
	return true;
}

/* What a sender is told of a route that leads nowhere, as Linux (fib_props); FIB_UNICAST: there is none at all. */
static int path_no_way(uint8_t type)
{
	static const uint8_t err[] = {[FIB_UNICAST] = ENETUNREACH, [FIB_BLACKHOLE] = EINVAL, [FIB_PROHIBIT] = EACCES,
				      [FIB_UNREACHABLE] = EHOSTUNREACH};
	return -err[type];
}

/* The source for packets to remote when the user named none. */
static int path_source(struct via *v, const struct via_addr *remote, struct via_addr *local)
{
	struct via_state *st = v->st;
	struct fib_hop hop = {0};
	if (stack_addr_is_ours(v, remote)) {
		*local = via_addr_is_v4(remote) && via_addr_is_loopback(remote) ? via_addr_v4(0x7f000001) : *remote;
		return 0;
	}
	const struct addr_entry *e = NULL;
	bool by_gateway = via_addr_is_v4(remote); /* IPv6 compares sources with the destination (RFC 6724 §5) */
	if (remote->scope)
		e = addrs_source(v->arena, &st->addrs, (uint16_t)remote->scope, remote);
	else if (fib_lookup(v->arena, st->fib, remote, 0, st->down, &hop))
		e = addrs_source(v->arena, &st->addrs, hop.ifindex,
				 by_gateway && !via_addr_is_any(&hop.gateway) ? &hop.gateway : remote);
	else if (!is_limited_broadcast(remote) && !via_addr_is_multicast(remote)) /* needs no route: without one our first address speaks */
		return -ENETUNREACH;
	if (hop.type != FIB_UNICAST)
		return path_no_way(hop.type);
	if (!e && remote->scope && is_limited_broadcast(remote)) {
		*local = via_addr_v4(0); /* an interface without address; tx_datagram() looks who says so */
		return 0;
	}
	if (!e)
		e = addrs_any(v->arena, &st->addrs, IFINDEX_LO, remote);
	if (!e)
		return -EADDRNOTAVAIL;
	*local = e->addr;
	return 0;
}

/* It is kept for its lesson no more, but for its users. */
static void path_in_use(struct via *v, ref_t r)
{
	if (path_at(v, r)->is_idle)
		list_remove(v->arena, &v->st->idle_paths, r, IDLE);
	path_at(v, r)->is_idle = false;
}

static void path_free(struct via *v, ref_t r)
{
	struct path *pa = path_at(v, r);
	ref_t *at = (ref_t *)arena_at(v->arena, v->st->path_buckets) + path_bucket(v, &pa->p.local, &pa->p.remote);
	while (*at != r)
		at = &path_at(v, *at)->hash_next;
	*at = pa->hash_next;
	path_in_use(v, r);
	wheel_disarm(v->arena, &v->st->wheel, arena_ref(v->arena, &pa->timer));
	pool_give(v->arena, &v->st->path_pool, r);
}

/* The one that is idle longest gives way. False: none is idle. */
static bool path_evict(struct via *v)
{
	ref_t r = v->st->idle_paths.head;
	if (r) {
		v->st->counts[COUNT_PATHS_EVICTED]++;
		path_free(v, r);
	}
	return r != 0;
}

static ref_t path_new(struct via *v, const struct via_addr *local, const struct via_addr *remote)
{
	struct via_state *st = v->st;
	if (st->path_pool.n_used >= st->n_path_buckets && st->n_path_buckets < BUCKETS_MAX)
		path_grow(v);
	ref_t r = pool_take(v->arena, &st->path_pool);
	if (!r && path_evict(v))
		r = pool_take(v->arena, &st->path_pool);
	if (!r) {
		st->counts[COUNT_PATHS_REFUSED]++;
		return 0;
	}
	struct path *pa = path_at(v, r);
	ref_t *b = (ref_t *)arena_at(v->arena, st->path_buckets) + path_bucket(v, local, remote);
	pa->p.local = *local;
	pa->p.remote = *remote;
	pa->redirect = via_addr_v4(0);
	pa->p.ip_hlen = (uint8_t)ip_hlen_to(remote);
	pa->timer.kind = WHEEL_STACK;
	pa->ip_id = (uint16_t)prf_next(&st->ids); /* IP4-012: unpredictable, then counting */
	pa->hash_next = *b;
	*b = r;
	path_refresh(v, pa);
	if (v->tcp.mtu_probing == 2 && !pa->p.is_loopback && tcp_pmtu_base(&v->tcp, &pa->p) < pa->p.pmtu)
		pa->p.tcp_mtu = tcp_pmtu_base(&v->tcp, &pa->p);
	return r;
}

/* Is there something worth keeping when nobody uses it? */
static bool path_has_lesson(const struct path *pa)
{
	return pa->pmtu_learnt || pa->p.tcp_mtu || !via_addr_is_any(&pa->redirect);
}

/* Link-local ends have one scope, which either may bring (RFC 4007 §11); addresses of other kinds have none, but for the limited broadcast,
 * whose interface may be named so. 0, -EINVAL: it is not told,
 * or they differ; -ENETUNREACH: two families. */
static int path_scope(struct via_addr *from, struct via_addr *to)
{
	bool from_link = addr_is_link_local(from), to_link = addr_is_link_local(to);
	if (!via_addr_is_any(from) && via_addr_is_v4(from) != via_addr_is_v4(to))
		return -ENETUNREACH;
	uint32_t scope = to_link && to->scope ? to->scope : from_link ? from->scope : 0;
	from->scope = from_link ? (from->scope ? from->scope : scope) : 0;
	to->scope = to_link ? scope : is_limited_broadcast(to) || via_addr_is_multicast(to) ? to->scope : 0; /* they may say the way, too */
	return (to_link && !scope) || (from_link && to_link && from->scope != to->scope) ? -EINVAL : 0;
}

int path_get(struct via *v, const struct via_addr *local, const struct via_addr *remote, ref_t *out)
{
	struct via_addr from = *local, to = *remote;
	int err = path_scope(&from, &to);
	if (err || via_addr_is_any(&to))
		return err ? err : -ENETUNREACH;
	if (via_addr_is_any(&from)) {
		err = path_source(v, &to, &from);
		if (err)
			return err;
	} else if (!stack_addr_is_taken(v, &from)) {
		return -EADDRNOTAVAIL;
	}
	ref_t r = path_find(v, &from, &to);
	if (!r)
		r = path_new(v, &from, &to);
	if (!r)
		return -ENOMEM;
	struct path *pa = path_at(v, r);
	pa->p.refs++;
	path_in_use(v, r);
	/* 127/8 never leaves the host (IP4-004). */
	if (!pa->p.ifindex || (via_addr_is_loopback(&from) && !pa->p.is_loopback)) {
		err = path_no_way(pa->no_way);
		path_drop(v, r);
		return err;
	}
	*out = r;
	return 0;
}

void path_hold(struct via *v, ref_t path)
{
	path_at(v, path)->p.refs++;
}

void path_drop(struct via *v, ref_t path)
{
	struct path *pa = path_at(v, path);
	ASSERT(pa->p.refs > 0);
	if (--pa->p.refs > 0)
		return;
	if (!path_has_lesson(pa)) {
		path_free(v, path);
		return;
	}
	if (v->st->idle_paths.n >= PATHS_IDLE_MAX)
		path_evict(v);
	list_push_tail(v->arena, &v->st->idle_paths, path, IDLE);
	pa->is_idle = true;
	if (!pa->timer.where)
		wheel_arm(v->arena, &v->st->wheel, arena_ref(v->arena, &pa->timer), v->now + PATH_LESSON_NS);
}

void path_mtu_lower(struct via *v, ref_t path, uint32_t mtu)
{
	struct path *pa = path_at(v, path);
	if (mtu > pa->p.pmtu) /* equal: TCP has lowered it already, and the lesson is still to be kept */
		return;
	pa->pmtu_learnt = mtu;
	wheel_arm(v->arena, &v->st->wheel, arena_ref(v->arena, &pa->timer), v->now + PMTU_LIFE_NS);
	if (path_refresh(v, pa))
		tcp_path_changed(&v->tcp, path);
}

bool path_redirect(struct via *v, const struct via_addr *local, const struct via_addr *remote, const struct via_addr *from,
		   const struct via_addr *gateway, uint16_t ifindex)
{
	ref_t r;
	if (path_get(v, local, remote, &r))
		return false;
	struct path *pa = path_at(v, r);
	bool holds = !pa->is_multi && pa->p.ifindex == ifindex && via_addr_eq(&pa->hop.gateway, from) &&
		     path_is_neighbour(v, gateway, ifindex, remote);
	if (holds) {
		if (via_addr_is_any(&pa->redirect))
			pa->redirector = *from;
		pa->redirect = *gateway;
		if (!pa->timer.where)
			wheel_arm(v->arena, &v->st->wheel, arena_ref(v->arena, &pa->timer), v->now + PMTU_LIFE_NS);
		if (path_refresh(v, pa))
			tcp_path_changed(&v->tcp, r);
	}
	path_drop(v, r);
	return holds;
}

void path_local_gone(struct via *v, const struct via_addr *local)
{
	uint32_t bucket = 0;
	for (ref_t r = path_next(v, &bucket, 0), next; r; r = next) {
		struct path *pa = path_at(v, r);
		next = path_next(v, &bucket, r);
		if (!pa->p.refs || !via_addr_eq(&pa->p.local, local))
			continue;
		uint64_t evicted = v->st->counts[COUNT_PATHS_EVICTED];
		path_hold(v, r);
		tcp_path_gone(&v->tcp, r, ECONNABORTED);
		path_drop(v, r);
		if (evicted != v->st->counts[COUNT_PATHS_EVICTED]) /* it may have been the next one */
			next = path_next(v, &bucket, 0);
	}
}

void path_timeout(struct via *v, ref_t timer)
{
	struct path *pa = CONTAINER_OF(arena_at(v->arena, timer), struct path, timer);
	ref_t r = arena_ref(v->arena, pa);
	uint32_t was = pa->p.pmtu;
	pa->pmtu_learnt = 0;
	pa->redirect = via_addr_v4(0);
	if (pa->p.refs == 0) {
		path_free(v, r);
	} else if (path_refresh(v, pa)) {
		tcp_pmtu_raised(&v->tcp, &pa->p, was);
		tcp_path_changed(&v->tcp, r);
	}
}

void path_fini(struct via *v)
{
	uint32_t bucket = 0;
	for (ref_t r = path_next(v, &bucket, 0); r; r = path_next(v, &bucket, 0))
		path_free(v, r);
	arena_buf_give(v->arena, v->st->path_buckets, v->st->n_path_buckets * sizeof(ref_t));
}
