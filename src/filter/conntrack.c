/* filter/conntrack.c - the table of connections: finding, beginning, using, ending them. See the header.
 *
 * One wheel entry per connection, moved only when it must be earlier: a timer that fires too soon is armed again. RFC 5382 §5, RFC
 * 7857 §2: TCP is established when both have sent a SYN and one an ACK, simultaneous opens included. */
#include "filter/conntrack.h"

#include <errno.h>

#include "wire/ip4.h"
#include "wire/ip6.h"
#include "wire/tcp.h"

enum { PAGES = (2 * CT_BUCKETS * sizeof(ref_t) + ARENA_PAGE_SIZE - 1) / ARENA_PAGE_SIZE };
#define AGE offsetof(struct ct_conn, age)

int ct_start(struct ct_env *e, struct ct *ct, struct prf_key key, uint32_t max)
{
	memset(ct, 0, sizeof(*ct));
	pool_init(e->arena, &ct->pool, "connection", sizeof(struct ct_conn), 0);
	ct->key = key;
	ct->max = max;
	if (natmaps_start(e->arena, &ct->maps, key))
		return -ENOMEM;
	ct->buckets = arena_pages_take(e->arena, PAGES);
	if (!ct->buckets) {
		natmaps_stop(e->arena, &ct->maps);
		return -ENOMEM;
	}
	memset(arena_at(e->arena, ct->buckets), 0, PAGES * ARENA_PAGE_SIZE);
	return 0;
}

void ct_flush(struct ct_env *e, struct ct *ct)
{
	while (ct->fresh.head)
		ct_end(e, ct, ct->fresh.head);
	while (ct->assured.head)
		ct_end(e, ct, ct->assured.head);
}

void ct_stop(struct ct_env *e, struct ct *ct)
{
	if (!ct_is_on(ct))
		return;
	ct_flush(e, ct);
	arena_pages_give(e->arena, ct->buckets, PAGES);
	ct->buckets = 0;
	natmaps_stop(e->arena, &ct->maps);
}

/* ---- finding ---- */

static ref_t *bucket_of(const struct ct_env *e, const struct ct *ct, enum ct_dir dir, uint64_t hash)
{
	ref_t *heads = arena_at(e->arena, ct->buckets);
	return &heads[(uint32_t)dir * CT_BUCKETS + hash % CT_BUCKETS];
}

ref_t ct_find(const struct ct_env *e, const struct ct *ct, const struct ct_tuple *t, enum ct_dir *dir)
{
	uint64_t hash = tuple_hash(ct->key, t);
	for (enum ct_dir d = CT_ORIG; d <= CT_REPLY; d++)
		for (ref_t r = *bucket_of(e, ct, d, hash); r; r = ct_at(e, r)->next[d])
			if (tuple_eq(&ct_at(e, r)->t[d], t)) {
				*dir = d;
				return r;
			}
	return 0;
}

ref_t ct_find_any(const struct ct_env *e, const struct ct *ct, const struct ct_tuple *t, enum ct_dir *dir)
{
	ref_t r = ct_find(e, ct, t, dir);
	if (r)
		return r;
	struct ct_tuple back = tuple_inverse(t);
	r = ct_find(e, ct, &back, dir);
	*dir = *dir == CT_ORIG ? CT_REPLY : CT_ORIG;
	return r;
}

ref_t ct_nth(const struct ct_env *e, const struct ct *ct, uint32_t n)
{
	ref_t r = n < ct->assured.n ? ct->assured.head : ct->fresh.head;
	n -= n < ct->assured.n ? 0 : ct->assured.n;
	while (r && n--)
		r = list_next(e->arena, r, AGE);
	return r;
}

/* ---- beginning and ending ---- */

static struct list *list_of(struct ct *ct, const struct ct_conn *c) { return c->is_assured ? &ct->assured : &ct->fresh; }

void ct_end(struct ct_env *e, struct ct *ct, ref_t r)
{
	struct ct_conn *c = ct_at(e, r);
	for (enum ct_dir d = CT_ORIG; d <= CT_REPLY; d++) {
		ref_t *at = bucket_of(e, ct, d, tuple_hash(ct->key, &c->t[d]));
		while (*at != r)
			at = &ct_at(e, *at)->next[d];
		*at = c->next[d];
	}
	wheel_disarm(e->arena, e->wheel, r);
	list_remove(e->arena, list_of(ct, c), r, AGE);
	if (c->map)
		natmap_drop(e->arena, &ct->maps, c->map);
	pool_give(e->arena, &ct->pool, r);
}

/* Room for one more: at the cap the oldest that is not assured goes. False: there is none. */
static bool ct_evict(struct ct_env *e, struct ct *ct)
{
	if (!ct->fresh.head)
		return false;
	ct_end(e, ct, ct->fresh.head);
	e->counts[CT_EVICTED]++;
	return true;
}

static ref_t ct_take(struct ct_env *e, struct ct *ct)
{
	if (ct->pool.n_used >= ct->max && !ct_evict(e, ct))
		return 0;
	ref_t r = pool_take(e->arena, &ct->pool);
	if (!r && ct_evict(e, ct))
		r = pool_take(e->arena, &ct->pool);
	return r;
}

static int64_t idle_time(const struct ct_conn *c)
{
	switch (c->t[CT_ORIG].proto) {
	case IPPROTO_N_TCP:
		return c->is_established && c->fin != 3 && !c->rst ? CT_TCP_ESTABLISHED_NS : CT_TCP_TRANSITORY_NS;
	case IPPROTO_N_UDP:
		return c->is_answered ? CT_UDP_ANSWERED_NS : CT_UDP_NS;
	case IPPROTO_N_ICMP:
	case IPPROTO_N_ICMP6:
		return CT_PING_NS;
	default:
		return CT_OTHER_NS;
	}
}

ref_t ct_new(struct ct_env *e, struct ct *ct, const struct ct_tuple *orig, const struct ct_tuple *reply, enum ct_nat nat, ref_t map,
	     uint8_t wheel_kind)
{
	enum ct_dir dir;
	if (ct_find(e, ct, orig, &dir) || ct_find(e, ct, reply, &dir))
		return 0;
	ref_t r = ct_take(e, ct);
	if (!r) {
		e->counts[CT_REFUSED]++;
		return 0;
	}
	struct ct_conn *c = ct_at(e, r);
	c->timer.kind = wheel_kind;
	c->t[CT_ORIG] = *orig;
	c->t[CT_REPLY] = *reply;
	c->nat = (uint8_t)nat;
	c->map = map;
	for (enum ct_dir d = CT_ORIG; d <= CT_REPLY; d++) {
		ref_t *head = bucket_of(e, ct, d, tuple_hash(ct->key, &c->t[d]));
		c->next[d] = *head;
		*head = r;
	}
	list_push_tail(e->arena, &ct->fresh, r, AGE);
	c->expires = e->now + idle_time(c);
	wheel_arm(e->arena, e->wheel, r, c->expires);
	e->counts[CT_OPENED]++;
	return r;
}

/* ---- using ---- */

static bool tcp_is_over(const struct ct_conn *c) { return c->fin == 3 || c->rst; }

/* A TCP segment of direction dir. False: see ct_touch(). */
static bool tcp_step(struct ct_conn *c, enum ct_dir dir, uint8_t flags)
{
	uint8_t bit = (uint8_t)(1 << dir);
	if ((flags & (TCP_SYN | TCP_ACK)) == TCP_SYN && tcp_is_over(c)) {
		if (dir == CT_REPLY)
			return false;
		c->syn = c->fin = c->rst = 0; /* the same ports again */
		c->is_established = c->is_answered = false;
	}
	if (flags & TCP_RST) {
		c->rst |= bit;
		return true;
	}
	c->rst &= (uint8_t)~bit; /* it is alive: somebody else had sent that RST (RFC 7857 §2.2) */
	c->syn |= flags & TCP_SYN ? bit : 0;
	c->fin |= flags & TCP_FIN ? bit : 0;
	c->is_established |= c->syn == 3 && (flags & (TCP_SYN | TCP_ACK)) == TCP_ACK;
	return true;
}

/* Only what comes from inside keeps a translated UDP flow (RFC 4787 REQ-6). */
static bool refreshes(const struct ct_conn *c, enum ct_dir dir)
{
	enum ct_dir inside = c->nat == CT_NAT_DST ? CT_REPLY : CT_ORIG;
	return c->t[CT_ORIG].proto != IPPROTO_N_UDP || c->nat == CT_NAT_NONE || dir == inside;
}

static bool deserves_to_stay(const struct ct_conn *c)
{
	switch (c->t[CT_ORIG].proto) {
	case IPPROTO_N_TCP:
		return c->is_established && !tcp_is_over(c);
	case IPPROTO_N_ICMP:
	case IPPROTO_N_ICMP6:
		return false;
	default:
		return c->is_answered;
	}
}

bool ct_touch(struct ct_env *e, struct ct *ct, ref_t r, enum ct_dir dir, const struct view *w, uint32_t bytes)
{
	struct ct_conn *c = ct_at(e, r);
	c->packets[dir]++;
	c->bytes[dir] += bytes;
	if (w->kind != VIEW_FLOW)
		return true;
	if (w->proto == IPPROTO_N_TCP && !tcp_step(c, dir, w->tcp_flags)) {
		ct_end(e, ct, r);
		return false;
	}
	c->is_answered |= dir == CT_REPLY;
	list_remove(e->arena, list_of(ct, c), r, AGE);
	c->is_assured = deserves_to_stay(c);
	list_push_tail(e->arena, list_of(ct, c), r, AGE);
	if (refreshes(c, dir))
		c->expires = e->now + idle_time(c);
	if (c->expires < c->timer.deadline)
		wheel_arm(e->arena, e->wheel, r, c->expires);
	return true;
}

void ct_timeout(struct ct_env *e, struct ct *ct, ref_t r)
{
	struct ct_conn *c = ct_at(e, r);
	if (c->expires > e->now)
		wheel_arm(e->arena, e->wheel, r, c->expires);
	else
		ct_end(e, ct, r);
}
