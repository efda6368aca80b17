/* net/addrs.h - the addresses of this stack, each on an interface with its prefix length.
 *
 * A sorted array in the arena: "is it ours?" is a binary search. Several addresses per interface and the same prefix on
 * several interfaces are fine; one address is on one interface, link-local ones with their scope. */
#ifndef NET_ADDRS_H
#define NET_ADDRS_H
#include "base/arena.h"
#include <viaduct/types.h>

#define ADDRS_MAX 1024u

struct addr_entry {
	struct via_addr addr;
	uint16_t ifindex;
	uint8_t plen;
	bool is_deprecated; /* not for new connections while there is another (RFC 4862 §5.5.4) */
	bool is_temporary;  /* RFC 8981; nobody makes one yet, addrsel.h knows what to do with it */
	bool is_auto;       /* of a router's prefix: what routers say changes its lifetimes */
	uint32_t order; /* smaller: added earlier; the first of an interface is its primary one */
	int64_t preferred_until, valid_until; /* TIME_NEVER: for ever */
	int64_t conflict_ns; /* when another host claimed it and we answered, or 0 */
};
/* Lives in the arena, inside the stack's state. */
struct addrs {
	ref_t v; /* struct addr_entry[cap] or 0 */
	uint16_t n, cap;
	uint32_t order;
};

/* -EEXIST, -ENOSPC, -ENOMEM. */
int addrs_add(struct arena *a, struct addrs *t, uint16_t ifindex, const struct via_addr *addr, uint8_t plen);
/* The first moment at which addrs_age() changes something; TIME_NEVER: none. */
int64_t addrs_next(const struct arena *a, const struct addrs *t);
/* Time passes: what is no longer preferred becomes deprecated, and *expired an address whose life is over, to be taken out by the
 * caller, who then calls again. False: none is. */
bool addrs_age(struct arena *a, struct addrs *t, int64_t now, struct addr_entry *expired);
/* Its lifetimes from now on. */
void addrs_set_life(struct arena *a, struct addrs *t, const struct via_addr *addr, int64_t preferred_until, int64_t valid_until,
		    int64_t now);
/* -EADDRNOTAVAIL. */
int addrs_del(struct arena *a, struct addrs *t, uint16_t ifindex, const struct via_addr *addr);
/* The entry of exactly this address, or NULL. 127/8 is not special here. */
const struct addr_entry *addrs_find(const struct arena *a, const struct addrs *t, const struct via_addr *addr);
const struct addr_entry *addrs_get(const struct arena *a, const struct addrs *t, uint32_t n);
/* Is `dst` the broadcast address of a prefix on `ifindex` (0: on any interface)? All ones and, for what RFC 1122 §3.3.6
 * calls the old form, all zeros; not for /31 and /32 (RFC 3021). */
bool addrs_is_broadcast(const struct arena *a, const struct addrs *t, uint16_t ifindex, const struct via_addr *dst);
/* The best source on `ifindex` towards `next` (gateway or destination). IPv4: one whose prefix holds it with the longest match,
 * else the interface's first (RFC 1122 §3.3.4.3). IPv6: by the rules of addrsel.h, for which the destination is to be given. NULL: it has
 * none of that family. */
const struct addr_entry *addrs_source(const struct arena *a, const struct addrs *t, uint16_t ifindex, const struct via_addr *next);
/* The first address of any interface but `except` that may speak to remote, of its family and not link-local; or NULL. */
const struct addr_entry *addrs_any(const struct arena *a, const struct addrs *t, uint16_t except, const struct via_addr *remote);
/* Another host claims `addr`, which is in the table. True: it is to be answered, for the last time was `interval` ago or never. */
bool addrs_conflict(struct arena *a, struct addrs *t, const struct via_addr *addr, int64_t now, int64_t interval);
void addrs_free(struct arena *a, struct addrs *t);
#endif
