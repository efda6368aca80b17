/* sock/htab.h - hash table of arena objects, chained by reference, that grows and shrinks a few buckets at a time.
 *
 * Objects carry their link and their 32-bit (keyed) hash; `off_next` and `off_hash` say where. While a resize is under
 * way an object stands in the old table if its old bucket was not moved yet, else in the new one, so a lookup always
 * walks one chain. Each insertion or removal moves HTAB_STEP buckets: no call does work proportional to the table.
 * When the table cannot grow for want of memory it goes on with longer chains. */
#ifndef SOCK_HTAB_H
#define SOCK_HTAB_H

#include "base/arena.h"

#define HTAB_MIN 16u
#define HTAB_STEP 4u

struct htab {
	ref_t cur, old;          /* bucket arrays; old is 0 when no resize is under way */
	uint32_t cur_n, old_n;   /* powers of two */
	uint32_t moved;          /* buckets of `old` below this are empty */
	uint32_t count;
	uint16_t off_next, off_hash;
};

/* 0 or -ENOMEM. */
int htab_init(struct arena *a, struct htab *h, size_t off_next, size_t off_hash);
void htab_fini(struct arena *a, struct htab *h);
/* The object's hash field is set by the caller before. */
void htab_add(struct arena *a, struct htab *h, ref_t obj);
/* False when it was not in. */
bool htab_del(struct arena *a, struct htab *h, ref_t obj);
/* First object of the chain of `hash`; the chain may hold other hashes. htab_next() goes on. */
ref_t htab_first(const struct arena *a, const struct htab *h, uint32_t hash);
static inline ref_t htab_next(const struct arena *a, const struct htab *h, ref_t obj)
{
	return *(ref_t *)(void *)((char *)arena_at(a, obj) + h->off_next);
}
static inline uint32_t htab_hash_of(const struct arena *a, const struct htab *h, ref_t obj)
{
	return *(uint32_t *)(void *)((char *)arena_at(a, obj) + h->off_hash);
}
/* Some object, or 0 when empty; for emptying the table. */
ref_t htab_any(const struct arena *a, const struct htab *h);
/* Length of the longest chain, for tests and metrics. */
uint32_t htab_longest(const struct arena *a, const struct htab *h);

#endif
