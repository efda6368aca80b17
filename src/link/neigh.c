/* link/neigh.c - the neighbour cache (see neigh.h for states, caps and the eviction rule).
 *
 * A hash of (interface, address) that doubles as it fills; a list in order of last confirmation, for eviction, and one each
 * for those that are not yet, or never, subject to it; one
 * wheel timer per entry. Work per call: one chain, at most EVICT_LOOK list steps.
 * RFC 826; RFC 1122 §2.3.2; RFC 4861 §7.3 (states and constants). */
#include "link/neigh.h"

#include <errno.h>

enum { BUCKETS_MIN = 16, BUCKETS_MAX = 2048, EVICT_LOOK = 16 };

#define LINK_OFF offsetof(struct neigh, link)

static uint32_t neigh_bucket(const struct neigh_cache *c, uint16_t ifindex, const struct via_addr *addr)
{
	uint8_t k[18];
	memcpy(k, addr->b, 16);
	memcpy(k + 16, &ifindex, 2);
	return (uint32_t)siphash_1_3(c->key, k, sizeof(k)) & (c->n_buckets - 1);
}

int neigh_cache_init(struct neigh_env *e, struct neigh_cache *c, struct prf_key key, uint8_t kind)
{
	memset(c, 0, sizeof(*c));
	c->key = key;
	c->random.key = (struct prf_key){key.k1, key.k0};
	c->kind = kind;
	pool_init(e->arena, &c->pool, "neigh", sizeof(struct neigh), NEIGH_RESOLVED_MAX + NEIGH_UNRESOLVED_MAX + NEIGH_PERMANENT_MAX);
	c->buckets = arena_buf_take(e->arena, BUCKETS_MIN * sizeof(ref_t));
	if (!c->buckets)
		return -ENOMEM;
	c->n_buckets = BUCKETS_MIN;
	memset(arena_at(e->arena, c->buckets), 0, BUCKETS_MIN * sizeof(ref_t));
	return 0;
}

/* Double the hash. Failing is fine: chains grow a little longer. */
static void neigh_grow(struct neigh_env *e, struct neigh_cache *c)
{
	uint32_t n = c->n_buckets * 2, old_n = c->n_buckets;
	ref_t bigger = arena_buf_take(e->arena, n * sizeof(ref_t));
	if (!bigger)
		return;
	ref_t *to = arena_at(e->arena, bigger), *from = arena_at(e->arena, c->buckets);
	memset(to, 0, n * sizeof(ref_t));
	c->n_buckets = n;
	for (uint32_t i = 0; i < old_n; i++) {
		for (ref_t r = from[i], next; r; r = next) {
			struct neigh *x = neigh_at(e->arena, r);
			uint32_t b = neigh_bucket(c, x->ifindex, &x->addr);
			next = x->hash_next;
			x->hash_next = to[b];
			to[b] = r;
		}
	}
	arena_buf_give(e->arena, c->buckets, old_n * sizeof(ref_t));
	c->buckets = bigger;
}

ref_t neigh_find(struct neigh_env *e, struct neigh_cache *c, uint16_t ifindex, const struct via_addr *addr)
{
	const ref_t *b = arena_at(e->arena, c->buckets);
	for (ref_t r = b[neigh_bucket(c, ifindex, addr)]; r; r = neigh_at(e->arena, r)->hash_next) {
		const struct neigh *n = neigh_at(e->arena, r);
		if (n->ifindex == ifindex && memcmp(n->addr.b, addr->b, 16) == 0)
			return r;
	}
	return 0;
}

static struct list *neigh_list(struct neigh_cache *c, const struct neigh *n)
{
	return n->state == NEIGH_INCOMPLETE ? &c->unresolved : n->state == NEIGH_PERMANENT ? &c->permanent : &c->resolved;
}

/* The packet that has waited longest, or NULL. Gives. */
static struct pkt *neigh_queue_pop(struct neigh_env *e, struct neigh_cache *c, struct neigh *n)
{
	struct pkt *p = pktq_pop(e->mem, &n->queue);
	if (p) {
		n->pinned -= p->mark;
		c->n_queued--;
	}
	return p;
}

/* p waits for n; the latest packet is the one worth keeping (RFC 1122 §2.3.2.2), so the oldest give way. Takes. */
static void neigh_queue_push(struct neigh_env *e, struct neigh_cache *c, struct neigh *n, struct pkt *p, struct pktq *dropped)
{
	uint32_t pins = pkt_pins_behind(e->mem, n->queue.tail ? pkt_at(e->mem, n->queue.tail) : NULL, p);
	while (n->queue.n && (n->pinned + pins > NEIGH_QUEUE_BYTES || c->n_queued >= NEIGH_QUEUE_TOTAL)) {
		struct pkt *oldest = neigh_queue_pop(e, c, n);
		oldest->m.drop = DROP_ARP_QUEUE;
		pktq_push(e->mem, dropped, oldest);
	}
	if (c->n_queued >= NEIGH_QUEUE_TOTAL) {
		p->m.drop = DROP_ARP_QUEUE;
		pktq_push(e->mem, dropped, p);
		return;
	}
	pktq_push(e->mem, &n->queue, p);
	n->pinned += pins;
	p->mark = pins;
	c->n_queued++;
}

/* Move all of n's packets to `to`, each marked with the reason. */
static void neigh_queue_give(struct neigh_env *e, struct neigh_cache *c, struct neigh *n, struct pktq *to, enum drop why)
{
	struct pkt *p;
	while ((p = neigh_queue_pop(e, c, n)) != NULL) {
		p->m.drop = (uint8_t)why;
		pktq_push(e->mem, to, p);
	}
}

void neigh_remove(struct neigh_env *e, struct neigh_cache *c, ref_t r, struct pktq *dropped)
{
	struct neigh *n = neigh_at(e->arena, r);
	ref_t *at = (ref_t *)arena_at(e->arena, c->buckets) + neigh_bucket(c, n->ifindex, &n->addr);
	neigh_queue_give(e, c, n, dropped, DROP_ARP_FAILED);
	while (*at != r)
		at = &neigh_at(e->arena, *at)->hash_next;
	*at = n->hash_next;
	list_remove(e->arena, neigh_list(c, n), r, LINK_OFF);
	wheel_disarm(e->arena, e->wheel, r);
	pool_give(e->arena, &c->pool, r);
	c->gen++;
}

void neigh_flush(struct neigh_env *e, struct neigh_cache *c, uint16_t ifindex, struct pktq *dropped)
{
	struct list *lists[] = {&c->resolved, &c->unresolved, &c->permanent};
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		for (ref_t r = lists[i]->head, next; r; r = next) {
			next = list_next(e->arena, r, LINK_OFF);
			if (ifindex == 0 || neigh_at(e->arena, r)->ifindex == ifindex)
				neigh_remove(e, c, r, dropped);
		}
	}
	if (ifindex == 0) {
		arena_buf_give(e->arena, c->buckets, c->n_buckets * sizeof(ref_t));
		c->buckets = 0;
	}
}

static void neigh_evict(struct neigh_env *e, struct neigh_cache *c, ref_t r, struct pktq *dropped)
{
	neigh_remove(e, c, r, dropped);
	if (e->evicted)
		++*e->evicted;
}

/* Make room for one more resolved entry: a STALE one among the longest unconfirmed gives way. */
static bool neigh_make_room(struct neigh_env *e, struct neigh_cache *c)
{
	struct pktq none = {0};
	ref_t r = c->resolved.head;
	if (c->resolved.n < NEIGH_RESOLVED_MAX)
		return true;
	for (int i = 0; i < EVICT_LOOK && r; i++, r = list_next(e->arena, r, LINK_OFF)) {
		if (neigh_at(e->arena, r)->state == NEIGH_STALE) {
			neigh_evict(e, c, r, &none);
			return true;
		}
	}
	return false;
}

/* A new entry in `list`, in no state yet; 0 when memory is out. */
static ref_t neigh_new(struct neigh_env *e, struct neigh_cache *c, struct list *list, uint16_t ifindex, const struct via_addr *addr)
{
	if (c->pool.n_used >= c->n_buckets && c->n_buckets < BUCKETS_MAX)
		neigh_grow(e, c);
	ref_t r = pool_take(e->arena, &c->pool);
	if (!r)
		return 0;
	struct neigh *n = neigh_at(e->arena, r);
	ref_t *b = (ref_t *)arena_at(e->arena, c->buckets) + neigh_bucket(c, ifindex, addr);
	n->timer.kind = c->kind;
	n->addr = *addr;
	n->ifindex = ifindex;
	n->hash_next = *b;
	*b = r;
	list_push_tail(e->arena, list, r, LINK_OFF);
	return r;
}

static const struct neigh_timing *neigh_timing_of(const struct neigh_cache *c, uint16_t ifindex, const struct via_addr *addr)
{
	static const struct neigh_timing usual;
	return via_addr_is_v4(addr) || ifindex >= NEIGH_IFACES_MAX ? &usual : &c->timing[ifindex];
}

int64_t neigh_retrans_ns(const struct neigh_cache *c, uint16_t ifindex, const struct via_addr *addr)
{
	uint32_t ms = neigh_timing_of(c, ifindex, addr)->retrans_ms;
	return ms ? ms * NS_PER_MS : NEIGH_RETRY_NS;
}

/* ReachableTime: the base times 0.5 to 1.5 (RFC 4861 §6.3.2, §10), anew for each neighbour. */
static int64_t neigh_reachable_ns(struct neigh_cache *c, const struct neigh *n)
{
	uint64_t u = prf_next(&c->random) >> 32;
	uint32_t ms = neigh_timing_of(c, n->ifindex, &n->addr)->reachable_ms;
	int64_t base = ms ? ms * NS_PER_MS : NEIGH_REACHABLE_NS;
	return base / 2 + (int64_t)((u * (uint64_t)(base >> 10)) >> 22);
}

void neigh_set_timing(struct neigh_cache *c, uint16_t ifindex, uint32_t reachable_ms, uint32_t retrans_ms)
{
	if (ifindex >= NEIGH_IFACES_MAX)
		return;
	if (reachable_ms)
		c->timing[ifindex].reachable_ms = MIN(MAX(reachable_ms, NEIGH_MS_MIN), NEIGH_REACHABLE_MS_MAX);
	if (retrans_ms)
		c->timing[ifindex].retrans_ms = MIN(MAX(retrans_ms, NEIGH_MS_MIN), NEIGH_REACHABLE_MS_MAX);
}

/* Enter REACHABLE, STALE, DELAY or PROBE: the timer is that state's. */
static void neigh_enter(struct neigh_env *e, struct neigh_cache *c, struct neigh *n, enum neigh_state state)
{
	ref_t r = arena_ref(e->arena, n);
	int64_t wait = neigh_retrans_ns(c, n->ifindex, &n->addr);
	if (state == NEIGH_REACHABLE) {
		wait = neigh_reachable_ns(c, n);
		list_remove(e->arena, &c->resolved, r, LINK_OFF);
		list_push_tail(e->arena, &c->resolved, r, LINK_OFF);
	} else if (state == NEIGH_STALE) {
		wait = NEIGH_STALE_NS;
	} else if (state == NEIGH_DELAY) {
		wait = NEIGH_DELAY_NS;
	}
	n->state = (uint8_t)state;
	n->tries = 0;
	wheel_arm(e->arena, e->wheel, r, e->now + wait);
}

void neigh_confirm(struct neigh_env *e, struct neigh_cache *c, ref_t r)
{
	struct neigh *n = neigh_at(e->arena, r);
	if (n->state == NEIGH_STALE || n->state == NEIGH_DELAY || n->state == NEIGH_PROBE)
		neigh_enter(e, c, n, NEIGH_REACHABLE);
}

void neigh_doubt(struct neigh_env *e, struct neigh_cache *c, ref_t r)
{
	struct neigh *n = neigh_at(e->arena, r);
	if (n->state == NEIGH_REACHABLE)
		neigh_enter(e, c, n, NEIGH_STALE);
}

void neigh_start_delay(struct neigh_env *e, struct neigh *n)
{
	n->state = NEIGH_DELAY;
	wheel_arm(e->arena, e->wheel, arena_ref(e->arena, n), e->now + NEIGH_DELAY_NS);
}

static void neigh_ask_fill(struct neigh *n, bool unicast, struct neigh_ask *ask)
{
	n->tries++;
	*ask = (struct neigh_ask){.ask = true, .unicast = unicast, .ifindex = n->ifindex, .addr = n->addr};
	memcpy(ask->mac, n->mac, 6);
}

/* One more first question now? */
static bool neigh_may_ask(struct neigh_env *e, struct neigh_cache *c)
{
	int64_t from = MAX(c->asks_paid, e->now);
	if (from - e->now >= NS_PER_S)
		return false;
	c->asks_paid = from + NS_PER_S / NEIGH_ASKS_PER_S;
	return true;
}

/* Who makes room for a newcomer: the longest asked; but one that may not ask takes the place of the last like it. */
static ref_t neigh_unresolved_victim(struct neigh_env *e, struct neigh_cache *c, bool newcomer_asks)
{
	bool last_never_asked = neigh_at(e->arena, c->unresolved.tail)->tries == 0;
	return !newcomer_asks && last_never_asked ? c->unresolved.tail : c->unresolved.head;
}

enum neigh_verdict neigh_resolve(struct neigh_env *e, struct neigh_cache *c, uint16_t ifindex, const struct via_addr *addr,
				 struct pkt *p, struct neigh_ask *ask, struct pktq *dropped, ref_t *out)
{
	ref_t r = neigh_find(e, c, ifindex, addr);
	ask->ask = false;
	*out = r;
	if (r && neigh_at(e->arena, r)->state != NEIGH_INCOMPLETE)
		return NEIGH_READY;
	if (!r) {
		bool asks = neigh_may_ask(e, c);
		if (c->unresolved.n >= NEIGH_UNRESOLVED_MAX)
			neigh_evict(e, c, neigh_unresolved_victim(e, c, asks), dropped);
		r = neigh_new(e, c, &c->unresolved, ifindex, addr);
		if (!r)
			return NEIGH_REFUSED;
		neigh_at(e->arena, r)->state = NEIGH_INCOMPLETE;
		if (asks)
			neigh_ask_fill(neigh_at(e->arena, r), false, ask);
		wheel_arm(e->arena, e->wheel, r, e->now + neigh_retrans_ns(c, ifindex, addr));
	}
	*out = r;
	neigh_queue_push(e, c, neigh_at(e->arena, r), p, dropped);
	return NEIGH_WAITS;
}

/* An INCOMPLETE entry has its MAC now. False: no room among the resolved, it went away (its packets are in ready, to be
 * given up by the caller because *out is 0). */
static bool neigh_resolved(struct neigh_env *e, struct neigh_cache *c, ref_t r, struct pktq *ready)
{
	struct neigh *n = neigh_at(e->arena, r);
	if (!neigh_make_room(e, c)) {
		neigh_remove(e, c, r, ready);
		return false;
	}
	list_remove(e->arena, &c->unresolved, r, LINK_OFF);
	list_push_tail(e->arena, &c->resolved, r, LINK_OFF);
	neigh_queue_give(e, c, n, ready, DROP_NONE);
	return true;
}

/* A known neighbour claims what `claim` says (RFC 4861 §7.2.5, App. C). Its ref, or 0: the claim is ignored, or it went away. */
static ref_t neigh_update(struct neigh_env *e, struct neigh_cache *c, ref_t r, const struct neigh_claim *claim, struct pktq *ready)
{
	struct neigh *n = neigh_at(e->arena, r);
	bool was_incomplete = n->state == NEIGH_INCOMPLETE;
	bool changed = was_incomplete || (claim->mac && memcmp(n->mac, claim->mac, 6) != 0);
	if (n->state == NEIGH_PERMANENT || (was_incomplete && !claim->mac))
		return 0;
	if (!was_incomplete && changed && !claim->override) {
		if (n->state == NEIGH_REACHABLE)
			neigh_enter(e, c, n, NEIGH_STALE);
		return 0;
	}
	if (was_incomplete && !neigh_resolved(e, c, r, ready))
		return 0;
	if (changed) {
		memcpy(n->mac, claim->mac, 6);
		c->gen++;
	}
	if (claim->solicited)
		neigh_enter(e, c, n, NEIGH_REACHABLE);
	else if (changed)
		neigh_enter(e, c, n, NEIGH_STALE);
	return r;
}

void neigh_heard(struct neigh_env *e, struct neigh_cache *c, uint16_t ifindex, const struct via_addr *addr, const uint8_t mac[6],
		 enum neigh_news news, struct pktq *ready, ref_t *out)
{
	ref_t r = neigh_find(e, c, ifindex, addr);
	*out = 0;
	if (!r) {
		if (news != NEIGH_ASKED_US || !neigh_make_room(e, c))
			return;
		r = neigh_new(e, c, &c->resolved, ifindex, addr);
		if (!r)
			return;
		memcpy(neigh_at(e->arena, r)->mac, mac, 6);
		neigh_enter(e, c, neigh_at(e->arena, r), NEIGH_STALE);
		*out = r;
		return;
	}
	struct neigh *n = neigh_at(e->arena, r);
	bool we_asked = n->state == NEIGH_INCOMPLETE || n->state == NEIGH_PROBE;
	struct neigh_claim claim = {.mac = mac, .solicited = news == NEIGH_ANSWERED && we_asked, .override = true};
	*out = neigh_update(e, c, r, &claim, ready);
}

void neigh_advertised(struct neigh_env *e, struct neigh_cache *c, uint16_t ifindex, const struct via_addr *addr,
		      const struct neigh_claim *claim, struct pktq *ready, ref_t *out)
{
	ref_t r = neigh_find(e, c, ifindex, addr);
	*out = r ? neigh_update(e, c, r, claim, ready) : 0;
}

bool neigh_set_router(struct neigh_env *e, ref_t r, bool is_router)
{
	struct neigh *n = neigh_at(e->arena, r);
	bool left = n->is_router && !is_router;
	n->is_router = is_router;
	return left;
}

int neigh_set(struct neigh_env *e, struct neigh_cache *c, uint16_t ifindex, const struct via_addr *addr, const uint8_t mac[6],
	      struct pktq *ready, ref_t *out)
{
	ref_t r = neigh_find(e, c, ifindex, addr);
	bool was = r && neigh_at(e->arena, r)->state == NEIGH_PERMANENT;
	*out = 0;
	if (!was && c->permanent.n >= NEIGH_PERMANENT_MAX)
		return -ENOSPC;
	if (!r) {
		r = neigh_new(e, c, &c->permanent, ifindex, addr);
		if (!r)
			return -ENOMEM;
	} else if (!was) {
		list_remove(e->arena, neigh_list(c, neigh_at(e->arena, r)), r, LINK_OFF);
		list_push_tail(e->arena, &c->permanent, r, LINK_OFF);
		neigh_queue_give(e, c, neigh_at(e->arena, r), ready, DROP_NONE);
	}
	memcpy(neigh_at(e->arena, r)->mac, mac, 6);
	neigh_at(e->arena, r)->state = NEIGH_PERMANENT;
	wheel_disarm(e->arena, e->wheel, r);
	c->gen++;
	*out = r;
	return 0;
}

void neigh_timeout(struct neigh_env *e, struct neigh_cache *c, ref_t r, struct neigh_ask *ask, struct pktq *failed)
{
	struct neigh *n = neigh_at(e->arena, r);
	ask->ask = false;
	switch ((enum neigh_state)n->state) {
	case NEIGH_REACHABLE:
		neigh_enter(e, c, n, NEIGH_STALE);
		return;
	case NEIGH_STALE:
		neigh_remove(e, c, r, failed);
		return;
	case NEIGH_DELAY:
		neigh_enter(e, c, n, NEIGH_PROBE);
		neigh_ask_fill(n, true, ask);
		return;
	case NEIGH_INCOMPLETE:
	case NEIGH_PROBE:
		if (n->tries >= NEIGH_TRIES) {
			neigh_remove(e, c, r, failed);
			return;
		}
		neigh_ask_fill(n, n->state == NEIGH_PROBE, ask);
		wheel_arm(e->arena, e->wheel, r, e->now + neigh_retrans_ns(c, n->ifindex, &n->addr));
		return;
	case NEIGH_PERMANENT:
		return;
	}
}
