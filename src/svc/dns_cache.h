/* svc/dns_cache.h - answers of other name servers, for as long as their records live; at most so many, the longest unused go first.
 *
 * Keyed by the whole name, without its case, and the type; the hash has a key (HARD-06). An answer longer than DNS_CACHED_MAX is not kept.
 * All in an arena. Pure: times are arguments, ns. */
#ifndef SVC_DNS_CACHE_H
#define SVC_DNS_CACHE_H

#include "base/list.h"
#include "base/prf.h"
#include "wire/dns.h"

#define DNS_CACHED_MAX 1232u

struct dns_cache {
	struct arena *arena;
	struct prf_key key;
	struct pool pool;
	struct list used;      /* the longest unused first */
	ref_t buckets;
	uint32_t n_buckets, max;
	uint64_t n_hits, n_misses, n_evicted;
};

/* max: answers. 0 or -ENOMEM. */
int dns_cache_init(struct dns_cache *c, struct arena *a, uint32_t max, struct prf_key key);
void dns_cache_free(struct dns_cache *c);
/* Keep a distilled message (dns_ask.h) for ttl seconds; it takes the place of what was known. Without memory it is not kept. */
void dns_cache_put(struct dns_cache *c, const uint8_t *name, size_t name_len, uint16_t type, const uint8_t *msg, size_t len, uint32_t ttl,
		   int64_t now);
/* What is known: the message (borrowed until the next call), its length and its age in seconds. NULL: nothing. */
const uint8_t *dns_cache_get(struct dns_cache *c, const uint8_t *name, size_t name_len, uint16_t type, int64_t now, size_t *len,
			     uint32_t *age);

#endif
