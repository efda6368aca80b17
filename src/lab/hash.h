/* lab/hash.h - the trace hash: a SipHash chain over every frame that leaves an interface: its bytes, where, when it leaves
 * and arrives, and what the link did to it. Two runs of one seed give one hash. */
#ifndef LAB_HASH_H
#define LAB_HASH_H

#include "lab/link.h"

struct trace_hash {
	uint64_t value;
	uint8_t *buf; /* room for the largest superframe */
};
int trace_hash_init(struct trace_hash *h); /* 0 or -ENOMEM */
void trace_hash_fini(struct trace_hash *h);
void trace_hash_add(struct trace_hash *h, const struct pktmem *m, const struct link_sent *s);

#endif
