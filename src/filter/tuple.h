/* filter/tuple.h - what tells a connection's packets of one direction from all others: addresses, ports, protocol.
 *
 * The same for IPv4 and IPv6. Compared and hashed as bytes, so padding is always zero: made by tuple_of() only. */
#ifndef FILTER_TUPLE_H
#define FILTER_TUPLE_H

#include "base/prf.h"
#include <viaduct/types.h>

struct ct_tuple {
	struct via_addr src, dst;
	uint16_t sport, dport; /* of a ping: its id, in sport of the request and in dport of the answer; without ports: 0 */
	uint8_t proto;
	uint8_t pad[3];
};
_Static_assert(sizeof(struct ct_tuple) == 48, "no hidden padding");

static inline struct ct_tuple tuple_of(const struct via_addr *src, uint16_t sport, const struct via_addr *dst, uint16_t dport,
				       uint8_t proto)
{
	struct ct_tuple t;
	memset(&t, 0, sizeof(t));
	t.src = *src;
	t.dst = *dst;
	t.sport = sport;
	t.dport = dport;
	t.proto = proto;
	return t;
}

/* What answers it, as long as nothing is translated. */
static inline struct ct_tuple tuple_inverse(const struct ct_tuple *t)
{
	return tuple_of(&t->dst, t->dport, &t->src, t->sport, t->proto);
}

static inline bool tuple_eq(const struct ct_tuple *a, const struct ct_tuple *b) { return memcmp(a, b, sizeof(*a)) == 0; }
static inline uint64_t tuple_hash(struct prf_key key, const struct ct_tuple *t) { return siphash_1_3(key, t, sizeof(*t)); }

#endif
