/* net/fib.h - routes: longest-prefix match to a set of next hops, for a host's three prefixes and for a full internet table.
 *
 * A destination resolves to one next hop; several equal ones are chosen by the flow's keyed hash (net/hops.h), so a flow keeps
 * its path. A table grows with its routes: up to FIB_SMALL prefixes are a list, then a hash by prefix knows them all and, per
 * family, a look-up table (net/lpm.h) answers; without memory for that one the hash answers, more slowly. Numbers: fib.c. */
#ifndef NET_FIB_H
#define NET_FIB_H
#include "net/hops.h"

#define FIB_SMALL 32u

struct fib; /* in the arena */

ref_t fib_new(struct arena *a, struct prf_key key);
/* Add one path to a prefix. -EEXIST (a path like it, or one of another type), -ENOSPC (FIB_PATHS_MAX, HOP_SETS_MAX), -ENOMEM. */
int fib_add(struct arena *a, ref_t fib, const struct via_addr *dst, uint8_t plen, const struct fib_hop *hop);
/* -ESRCH; -ENOMEM: the path stays. */
int fib_del(struct arena *a, ref_t fib, const struct via_addr *dst, uint8_t plen, const struct fib_hop *hop);
/* Longest match; hops on interfaces whose bit in `down` is set are passed over, and prefixes all of whose are down. flow_hash picks
 * among equals. False: no route. out->type may say that there is none to be (FIB_BLACKHOLE, …). */
bool fib_lookup(const struct arena *a, ref_t fib, const struct via_addr *dst, uint32_t flow_hash, uint64_t down, struct fib_hop *out);
/* The set fib_lookup() chooses from: the hops of the longest match that has one up; borrowed until the next change. NULL: no route. */
const struct hop_set *fib_match(const struct arena *a, ref_t fib, const struct via_addr *dst, uint64_t down);
/* The hop by which addr is a neighbour of ours; borrowed until the next change. NULL: it is none. */
const struct fib_hop *fib_onlink(const struct arena *a, ref_t fib, const struct via_addr *addr, uint64_t down);
/* Take all paths over an interface out, and prefixes left without one (or without memory for the rest). Returns how many paths. */
int fib_del_ifindex(struct arena *a, ref_t fib, uint16_t ifindex);
void fib_free(struct arena *a, ref_t fib);
/* Prefixes of both families, and the bytes of the arena that the table takes. */
void fib_size(const struct arena *a, ref_t fib, uint32_t *n, uint64_t *bytes);
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
/* Length of the longest hash chain of a table that has one, for tests and metrics. */
uint32_t fib_longest(const struct arena *a, ref_t fib);
#endif
