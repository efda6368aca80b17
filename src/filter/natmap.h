/* filter/natmap.h - which port of the outer address stands for which port inside (RFC 4787 §4).
 *
 * A map belongs to one (protocol, address, port) inside and is the same for all it talks to (REQ-1); it lives as long as one
 * connection holds it. No two share an outer port (REQ-3, RFC 5382 REQ-7). The port is kept where it is free; else it is drawn at
 * random from its half, below or above 1024, with its parity (REQ-3a, REQ-4): NATMAP_TRIES of them, so work stays bounded.
 * Protocols without ports have one map per outer address. A map whose inside is its outside is the router's own port. */
#ifndef FILTER_NATMAP_H
#define FILTER_NATMAP_H

#include "base/arena.h"
#include "base/prf.h"
#include <viaduct/types.h>

#define NATMAP_BUCKETS 16384u /* of each side */
#define NATMAP_TRIES 256

struct natmap {
	struct via_addr in, out;
	uint16_t in_port, out_port;
	uint8_t proto;
	ref_t next_in, next_out;
	uint32_t holds;
};
/* Lives in the arena. */
struct natmaps {
	struct prf_key key;
	struct prf_stream random;
	struct pool pool;
	ref_t buckets; /* ref_t[2][NATMAP_BUCKETS] in pages */
};
/* May the port of `out` be given to who does not own it? False for those that are forwarded, or that a program of the router's uses. */
typedef bool natmap_free_fn(void *ctx, uint8_t proto, const struct via_addr *out, uint16_t port);

int natmaps_start(struct arena *a, struct natmaps *m, struct prf_key key); /* 0, -ENOMEM */
void natmaps_stop(struct arena *a, struct natmaps *m);
/* The map of an inner endpoint, made if there is none. want: the outer port it would like best, which may be its own by right (owns:
 * is_free is not asked about it). 0: no port or no memory. The caller
 * holds it (ct_new() takes that over) or gives it back by natmap_drop(). */
ref_t natmap_get(struct arena *a, struct natmaps *m, uint8_t proto, const struct via_addr *in, uint16_t in_port,
		 const struct via_addr *out, uint16_t want, bool owns, natmap_free_fn *is_free, void *ctx);
/* Who is behind an outer port? NULL: nobody. */
const struct natmap *natmap_behind(const struct arena *a, const struct natmaps *m, uint8_t proto, const struct via_addr *out,
				   uint16_t port);
void natmap_hold(struct arena *a, ref_t r);
void natmap_drop(struct arena *a, struct natmaps *m, ref_t r);
static inline struct natmap *natmap_at(const struct arena *a, ref_t r) { return arena_at(a, r); }

#endif
