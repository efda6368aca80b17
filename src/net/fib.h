/* net/fib.h - routes: longest-prefix match to a set of next hops. The interface the big table will have.
 *
 * A destination resolves to one next hop; several equal ones are chosen by the flow's keyed hash, so a flow keeps its
 * path. Kept simple now (a hash per prefix length, longest first); the full-internet table replaces the inside only. */
#ifndef NET_FIB_H
#define NET_FIB_H
#include "base/arena.h"
#include "base/prf.h"
#include <viaduct/types.h>

#define FIB_PATHS_MAX 8

struct fib_hop {
	struct via_addr gateway; /* any: destination is on link */
	uint16_t ifindex;
	uint16_t weight;
};
struct fib; /* in the arena */

ref_t fib_new(struct arena *a, struct prf_key key);
/* Add one path to a prefix. -EEXIST, -ENOSPC (FIB_PATHS_MAX), -ENOMEM. */
int fib_add(struct arena *a, ref_t fib, const struct via_addr *dst, uint8_t plen, const struct fib_hop *hop);
int fib_del(struct arena *a, ref_t fib, const struct via_addr *dst, uint8_t plen, const struct fib_hop *hop); /* -ESRCH */
/* Longest match; hops on interfaces whose bit in `down` is set are passed over. flow_hash picks among equals. False: no route. */
bool fib_lookup(const struct arena *a, ref_t fib, const struct via_addr *dst, uint32_t flow_hash, uint64_t down, struct fib_hop *out);
/* The set fib_lookup() chooses from: the hops of the longest match that has one up; *n of them, borrowed until the next
 * change. NULL: no route. */
const struct fib_hop *fib_match(const struct arena *a, ref_t fib, const struct via_addr *dst, uint64_t down, int *n);
/* Choose one of n by weight; hops in `down` are passed over (at least one must be up). */
const struct fib_hop *fib_choose(const struct fib_hop *hops, int n, uint32_t flow_hash, uint64_t down);
/* Take all paths over an interface out, and prefixes left without one. Returns how many paths. */
int fib_del_ifindex(struct arena *a, ref_t fib, uint16_t ifindex);
void fib_free(struct arena *a, ref_t fib);
/* The n-th (prefix, path) for listing, shortest prefix last; false past the end. */
bool fib_get(const struct arena *a, ref_t fib, int n, struct via_addr *dst, uint8_t *plen, struct fib_hop *hop);
/* Where a listing stands; zeroed at the start. */
struct fib_cursor {
	ref_t prefix; /* 0: at the beginning */
	uint32_t base; /* paths before it */
	uint32_t gen;  /* of the table: after a change the next step begins anew */
};
/* The same, on from c: rising n cost a step each. */
bool fib_get_from(const struct arena *a, ref_t fib, struct fib_cursor *c, int n, struct via_addr *dst, uint8_t *plen, struct fib_hop *hop);
#endif
