/* net/addrs.c - the address table (see addrs.h). Broadcasts: RFC 1122 §3.2.1.3; source choice: RFC 1122 §3.3.4.3. */
#include "net/addrs.h"

#include <errno.h>

#include "net/addrsel.h"
#include "wire/addr.h"

enum { CAP_MIN = 4 };

/* The same link-local address may stand on several interfaces. */
static int addrs_cmp(const struct via_addr *a, const struct via_addr *b)
{
	int c = memcmp(a->b, b->b, 16);
	return c ? c : (a->scope > b->scope) - (a->scope < b->scope);
}

/* The index where addr is or would be. */
static uint32_t addrs_place(const struct arena *a, const struct addrs *t, const struct via_addr *addr, bool *found)
{
	const struct addr_entry *v = t->n ? arena_at(a, t->v) : NULL;
	uint32_t lo = 0, hi = t->n;
	*found = false;
	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;
		int c = addrs_cmp(&v[mid].addr, addr);
		if (c == 0) {
			*found = true;
			return mid;
		}
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int addrs_grow(struct arena *a, struct addrs *t)
{
	uint16_t cap = (uint16_t)(t->cap ? t->cap * 2 : CAP_MIN);
	if (t->cap >= ADDRS_MAX)
		return -ENOSPC;
	ref_t bigger = arena_buf_take(a, cap * sizeof(struct addr_entry));
	if (!bigger)
		return -ENOMEM;
	if (t->cap) {
		memcpy(arena_at(a, bigger), arena_at(a, t->v), t->n * sizeof(struct addr_entry));
		arena_buf_give(a, t->v, t->cap * sizeof(struct addr_entry));
	}
	t->v = bigger;
	t->cap = cap;
	return 0;
}

int addrs_add(struct arena *a, struct addrs *t, uint16_t ifindex, const struct via_addr *addr, uint8_t plen)
{
	bool found;
	uint32_t i = addrs_place(a, t, addr, &found);
	if (found)
		return -EEXIST;
	if (t->n == t->cap) {
		int err = addrs_grow(a, t);
		if (err)
			return err;
	}
	struct addr_entry *v = arena_at(a, t->v);
	memmove(&v[i + 1], &v[i], (t->n - i) * sizeof(*v));
	v[i] = (struct addr_entry){.addr = *addr, .ifindex = ifindex, .plen = plen, .order = t->order++, .preferred_until = TIME_NEVER,
				   .valid_until = TIME_NEVER};
	t->n++;
	return 0;
}

int addrs_del(struct arena *a, struct addrs *t, uint16_t ifindex, const struct via_addr *addr)
{
	bool found;
	uint32_t i = addrs_place(a, t, addr, &found);
	struct addr_entry *v = found ? arena_at(a, t->v) : NULL;
	if (!found || v[i].ifindex != ifindex)
		return -EADDRNOTAVAIL;
	t->n--;
	memmove(&v[i], &v[i + 1], (t->n - i) * sizeof(*v));
	return 0;
}

const struct addr_entry *addrs_find(const struct arena *a, const struct addrs *t, const struct via_addr *addr)
{
	bool found;
	uint32_t i = addrs_place(a, t, addr, &found);
	return found ? (const struct addr_entry *)arena_at(a, t->v) + i : NULL;
}

const struct addr_entry *addrs_get(const struct arena *a, const struct addrs *t, uint32_t n)
{
	return n < t->n ? (const struct addr_entry *)arena_at(a, t->v) + n : NULL;
}

bool addrs_is_broadcast(const struct arena *a, const struct addrs *t, uint16_t ifindex, const struct via_addr *dst)
{
	if (!via_addr_is_v4(dst))
		return false;
	uint32_t d = via_addr_to_v4(dst);
	for (uint32_t i = 0; i < t->n; i++) {
		const struct addr_entry *e = addrs_get(a, t, i);
		if ((ifindex && e->ifindex != ifindex) || !via_addr_is_v4(&e->addr) || e->plen > 30 || e->plen == 0)
			continue;
		uint32_t host = 0xffffffffu >> e->plen;
		if (((d ^ via_addr_to_v4(&e->addr)) & ~host) == 0 && ((d & host) == host || (d & host) == 0))
			return true;
	}
	return false;
}

/* Is e a better source than `best` towards next, which is of their family? */
static bool addrs_source_is_better(const struct addr_entry *e, const struct addr_entry *best, const struct via_addr *next, uint16_t ifindex)
{
	if (via_addr_is_v4(next)) {
		int score = addr_in_prefix(next, &e->addr, e->plen) ? e->plen + 1 : 0;
		int least = addr_in_prefix(next, &best->addr, best->plen) ? best->plen + 1 : 0;
		return score > least || (score == least && e->order < best->order);
	}
	if (addrsel_source_is_better(e, best, next, ifindex))
		return true;
	return !addrsel_source_is_better(best, e, next, ifindex) && e->order < best->order;
}

const struct addr_entry *addrs_source(const struct arena *a, const struct addrs *t, uint16_t ifindex, const struct via_addr *next)
{
	const struct addr_entry *best = NULL;
	for (uint32_t i = 0; i < t->n; i++) {
		const struct addr_entry *e = addrs_get(a, t, i);
		if (e->ifindex == ifindex && via_addr_is_v4(&e->addr) == via_addr_is_v4(next) &&
		    (!best || addrs_source_is_better(e, best, next, ifindex)))
			best = e;
	}
	return best;
}

const struct addr_entry *addrs_any(const struct arena *a, const struct addrs *t, uint16_t except, const struct via_addr *remote)
{
	const struct addr_entry *best = NULL;
	for (uint32_t i = 0; i < t->n; i++) {
		const struct addr_entry *e = addrs_get(a, t, i);
		bool fits = via_addr_is_v4(&e->addr) == via_addr_is_v4(remote) && !addr_is_link_local(&e->addr);
		if (e->ifindex != except && fits && (!best || e->order < best->order))
			best = e;
	}
	return best;
}

int64_t addrs_next(const struct arena *a, const struct addrs *t)
{
	int64_t next = TIME_NEVER;
	for (uint32_t i = 0; i < t->n; i++) {
		const struct addr_entry *e = addrs_get(a, t, i);
		next = MIN(next, e->is_deprecated ? e->valid_until : MIN(e->preferred_until, e->valid_until));
	}
	return next;
}

bool addrs_age(struct arena *a, struct addrs *t, int64_t now, struct addr_entry *expired)
{
	struct addr_entry *v = t->n ? arena_at(a, t->v) : NULL;
	for (uint32_t i = 0; i < t->n; i++) {
		v[i].is_deprecated = v[i].preferred_until <= now;
		if (v[i].valid_until <= now) {
			*expired = v[i];
			return true;
		}
	}
	return false;
}

void addrs_set_life(struct arena *a, struct addrs *t, const struct via_addr *addr, int64_t preferred_until, int64_t valid_until,
		    int64_t now)
{
	struct addr_entry *e = (struct addr_entry *)(uintptr_t)addrs_find(a, t, addr);
	if (!e)
		return;
	e->preferred_until = preferred_until;
	e->valid_until = valid_until;
	e->is_deprecated = preferred_until <= now;
}

void addrs_free(struct arena *a, struct addrs *t)
{
	if (t->cap)
		arena_buf_give(a, t->v, t->cap * sizeof(struct addr_entry));
	*t = (struct addrs){0};
}

bool addrs_conflict(struct arena *a, struct addrs *t, const struct via_addr *addr, int64_t now, int64_t interval)
{
	struct addr_entry *e = (struct addr_entry *)(uintptr_t)addrs_find(a, t, addr);
	bool is_rare = e->conflict_ns == 0 || now - e->conflict_ns >= interval;
	if (is_rare)
		e->conflict_ns = now;
	return is_rare;
}
