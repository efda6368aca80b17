/* net/hops.h - sets of next hops, numbered and shared: a million prefixes have a few hundred different ones.
 *
 * A set is what a prefix resolves to: one hop, or up to FIB_PATHS_MAX of which each flow takes one by its keyed hash and the
 * hops' weights. A hop whose interface is down is passed over without moving the flows of the others. */
#ifndef NET_HOPS_H
#define NET_HOPS_H
#include "base/arena.h"
#include "base/prf.h"
#include <viaduct/types.h>

#define FIB_PATHS_MAX 8
#define HOP_SETS_MAX 65535u

/* What becomes of a packet; all but the first have no interface and no gateway. */
enum fib_type { FIB_UNICAST, FIB_BLACKHOLE, FIB_PROHIBIT, FIB_UNREACHABLE };

struct fib_hop {
	struct via_addr gateway; /* any: destination is on link */
	uint16_t ifindex;
	uint16_t weight; /* 0: 1 */
	uint8_t type;    /* enum fib_type */
	uint8_t pad[3];  /* 0: sets are compared by their bytes */
};

/* In the arena. */
struct hop_set {
	ref_t next;      /* in its bucket */
	uint32_t users;  /* prefixes that have it */
	uint16_t id;
	uint8_t n;
	struct fib_hop hop[];
};

/* Lives in the arena. All zero: empty. */
struct hop_sets {
	ref_t v; /* ref_t set[cap], by number; then ref_t bucket[cap] */
	uint32_t cap, n, hint;
};

static inline const struct hop_set *hop_set_at(const struct arena *a, const struct hop_sets *t, uint32_t id)
{
	return arena_at(a, ((const ref_t *)arena_at(a, t->v))[id]);
}

/* The number (from 1) of the set of these n hops, one user more. 0: no memory, or HOP_SETS_MAX. Unused bytes of hops must be 0. */
uint32_t hop_sets_take(struct arena *a, struct hop_sets *t, struct prf_key key, const struct fib_hop *hops, int n);
/* One user less; the last one's set goes. */
void hop_sets_give(struct arena *a, struct hop_sets *t, struct prf_key key, uint32_t id);
/* The table itself; all sets must be gone. */
void hop_sets_free(struct arena *a, struct hop_sets *t);

/* Is its interface up? `down` has a bit per interface that is not. */
static inline bool hop_is_up(const struct fib_hop *h, uint64_t down)
{
	return h->ifindex >= 64 || !(down >> h->ifindex & 1);
}
/* Has the set a hop that is up? */
bool hop_set_is_up(const struct hop_set *s, uint64_t down);
/* The flow's hop: by weight among all; if that one is of no use, by weight among those that are.
 * At least one hop must be up. */
const struct fib_hop *hop_set_choose(const struct hop_set *s, uint32_t flow_hash, uint64_t down);
#endif
