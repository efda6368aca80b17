/* gate/flows.h - the table of datagram flows: who inside talks to whom outside, and for how long that is remembered. Pure.
 *
 * A *source* is an address and port inside (and a type: UDP, or echo with its identifier); a *flow* is a source and one far end. The
 * flow that was idle longest goes when the table is full, and any after FLOW_IDLE_NS; a source goes with its last flow. Every
 * lookup is by a keyed hash. RFC 4787 REQ-1 (one mapping for all far ends), REQ-5 (two minutes), REQ-8 (only those answer who were
 * asked). */
#ifndef GATE_FLOWS_H
#define GATE_FLOWS_H

#include "base/prf.h"
#include <viaduct/socket.h>

#define FLOW_IDLE_NS (120 * NS_PER_S)
#define FLOW_IDLE_DNS_NS (20 * NS_PER_S) /* answered, and questions use a port once */

struct flow_source {
	struct via_sockaddr src;
	enum via_type type;
	uint32_t n;                  /* flows; 0: free */
	uint32_t hash_next;          /* index + 1 */
};

struct gate_flow {
	uint32_t source;
	struct via_sockaddr dst;     /* as it was named inside */
	struct via_sockaddr out;     /* what that is outside */
	int64_t used;                /* last datagram, either way */
	int64_t asked;               /* the first one that was not answered */
	void *door;                  /* the owner's: how it came in; NULL: it went out */
	bool is_answered, is_used;
	uint32_t in_next, out_next;  /* hash chains, index + 1: by (source, dst), by (source, out) */
	uint32_t older, newer;       /* index + 1 */
};

struct gate_flows {
	struct prf_key key;
	uint32_t cap, mask;
	struct gate_flow *flow;      /* cap */
	struct flow_source *source;  /* cap */
	uint32_t *by_src, *by_dst, *by_out; /* mask + 1 each: index + 1 */
	uint32_t n, free_flow, free_source;
	uint32_t oldest, newest;
	/* A source has lost its last flow. */
	void (*gone)(void *ctx, uint32_t source);
	void *ctx;
};

/* Bytes it needs for `cap` flows (a power of two), and to lay it out in so many zeroed ones (borrowed). */
size_t flows_bytes(uint32_t cap);
void flows_init(struct gate_flows *f, void *mem, uint32_t cap, struct prf_key key);
/* The flow from src to dst; made, with is_new, if there is none: `out` is then the caller's to set by flows_set_out(). */
uint32_t flows_get(struct gate_flows *f, enum via_type type, const struct via_sockaddr *src, const struct via_sockaddr *dst, int64_t now,
		   bool *is_new);
/* False: there is none. */
bool flows_find(const struct gate_flows *f, enum via_type type, const struct via_sockaddr *src, const struct via_sockaddr *dst,
		uint32_t *flow);
void flows_set_out(struct gate_flows *f, uint32_t flow, const struct via_sockaddr *out);
/* The flow of this source whose far end outside is `out`; false: nobody asked it. */
bool flows_find_out(const struct gate_flows *f, uint32_t source, const struct via_sockaddr *out, uint32_t *flow);
/* Something came, or came back. */
void flows_answered(struct gate_flows *f, uint32_t flow, int64_t now);
void flows_del(struct gate_flows *f, uint32_t flow);
/* Forget what is idle; when to come again. */
int64_t flows_expire(struct gate_flows *f, int64_t now);

#endif
