/* lab/story.h - what happened, told in figures: connections with their handshakes, packets by interface and path, the
 * opening and the first loss as a ladder. Counted from the frames as they leave each interface, before the link touches
 * them, that is exactly the frames a capture holds: so every figure can be counted again from the pcapng. */
#ifndef LAB_STORY_H
#define LAB_STORY_H

#include "base/prf.h"
#include "lab/capture.h"
#include "lab/topo.h"

#define STORY_CONNS_MAX 65536
#define STORY_HOPS_MAX 16   /* nodes of a path that are kept */
#define STORY_OPENING 8     /* segments of a ladder's opening */

/* Figures of one interface, or of one direction of a connection. */
struct story_count {
	uint64_t packets, bytes; /* frames that left, and their bytes */
	uint64_t lost, limited, reordered, duplicated, corrupted, retransmitted;
};

/* One rung of the ladder. */
struct story_rung {
	bool set;
	uint16_t ip_id;       /* these two tell the packet when it is seen again on its way */
	uint32_t tsval;
	int64_t sent, arrives;/* ns; arrives 0: it did not */
	int dir, end;         /* end: the interface it left by */
	uint32_t seq, ack, len;
	uint8_t flags;
	char note[CAPTURE_COMMENT];
};

struct story_dir {
	struct story_count n; /* packets, bytes, retransmitted: leaving the sender; the rest: on any link */
	uint64_t segments;    /* with payload, leaving the sender */
	uint64_t payload;     /* bytes of the stream sent, repeated ones once */
	uint32_t iss, top;    /* first and highest sequence number seen */
	bool has_iss;
	int hops[STORY_HOPS_MAX], n_hops; /* nodes in order */
};

struct story_step {
	bool set;
	int64_t at;
	uint32_t seq, ack;
};

struct story_conn {
	uint32_t ip[2]; /* [0]: who opened it */
	uint16_t port[2];
	int next;       /* in its bucket, -1: last */
	int64_t first, last;
	int64_t busy;   /* the last payload left its sender */
	struct story_step syn, syn_ack, ack;
	struct story_dir dir[2]; /* [0]: from who opened it */
	struct story_rung opening[STORY_OPENING];
	int n_opening;
	struct story_rung lost, repeated, acked;
};

struct story {
	const struct topo *t;
	struct pktmem *mem;
	struct story_count *ifaces; /* by end */
	struct story_conn **conns;
	int n_conns, cap_conns;
	uint64_t n_untold;          /* connections beyond STORY_CONNS_MAX */
	struct prf_key key;
	int *buckets;
};

/* key: of its hash. NULL: no memory. */
struct story *story_new(const struct topo *t, struct pktmem *mem, struct prf_key key);
void story_free(struct story *s);
void story_add(struct story *s, const struct link_sent *f);
/* story_json.c. Gives. */
json_t *story_json(const struct story *s, uint64_t seed, int64_t now);

#endif
