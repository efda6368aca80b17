/* lab/link.h - a simulated link: two ends, each a driver, and two directions, each with its own impairments and luck.
 *
 * netem's words, with these meanings. police: a token bucket of `burst` bytes; what finds too few tokens is dropped at
 * once (told as limited). limit: packets a direction holds, waiting for the rate or on their way; one more is
 * dropped (a clean direction pushes back instead). rate: packets leave one after the other. loss: after leaving; by the
 * gemodel each packet is lost by the state the link is in, then the state may change. delay,
 * jitter: arrival = end of sending + delay ± jitter, uniform; jitter alone never reorders. reorder: this packet skips the
 * delay and overtakes those under way. duplicate: it arrives twice. corrupt: one bit behind the Ethernet header is
 * flipped; a frame that is not IP is dropped instead, as Ethernet's own check would have done (ARP has no checksum).
 * mangle: one bit of a TCP segment or UDP datagram is flipped and its checksum made right again (lab/flip.h).
 * A direction without impairments carries superframes and unfinished checksums by reference; the others say by their
 * capabilities that they take only finished frames, so loss and limits act on MTU-sized frames.
 * All packets come from one packet memory. Nothing here recurses: a packet sent waits in the direction until the
 * receiving node is polled, which `wake` asks for. The random sequence of a direction depends on its seed only. */
#ifndef LAB_LINK_H
#define LAB_LINK_H

#include "base/rng.h"
#include "lab/lab.h"
#include "pkt/pkt.h"

enum link_fate {
	FATE_LOST = 1,
	FATE_LIMITED = 2,
	FATE_REORDERED = 4,
	FATE_DUPLICATED = 8,
	FATE_CORRUPTED = 16,
	FATE_DROPPED = FATE_LOST | FATE_LIMITED,
};

struct link_dir;

/* A frame leaves: told once per frame, before the link touches it. */
struct link_sent {
	const struct link_dir *dir;
	const struct pkt *pkt; /* borrowed, L2 header in front */
	int64_t leaves, arrives; /* ns; arrives is meaningless for a dropped one */
	unsigned fate;
};

/* What all links of a lab share. */
struct link_env {
	struct pktmem *mem;
	int64_t now;
	bool whole_frames; /* no superframes anywhere: somebody looks at every frame */
	/* Node `node` has something to do at `when`. */
	void (*wake)(struct link_env *e, int node, int64_t when);
	void (*sent)(struct link_env *e, const struct link_sent *s); /* or NULL */
	void (*came)(struct link_env *e, int node, const struct pkt *p); /* node is about to look at p; or NULL */
};

struct link_dir {
	struct link_env *env;
	int end;            /* the topology's end it leaves by */
	int from, to;       /* nodes, for wake */
	struct lab_impair im;
	bool clean;
	bool plain;         /* finished frames even when clean: an end cannot cut (switch, tap) */
	bool pushed_back;   /* the sender was refused and wants to hear of room */
	bool is_bad;        /* the gemodel's state */
	struct rng rng;
	uint64_t tokens;    /* of the policer: bits times 10^9 */
	int64_t filled;     /* when they were counted last */
	int64_t busy_until; /* the last packet has been sent by then */
	int64_t last;       /* the latest arrival so far */
	struct pktq q;      /* by m.rx_ns, the arrival */
	struct lab_link_stats st;
};

struct link;
struct link_port {
	struct via_driver d; /* first */
	struct link_dir *out, *in;
	int ifindex;         /* at its stack, the owner's */
};
struct link {
	struct link_port port[2];
	struct link_dir dir[2]; /* [0]: from port 0 to port 1 */
};

#define LINK_LIMIT_DEFAULT 1000u
#define LINK_GSO_MAX 65535u

struct link_config {
	struct link_env *env;
	int end[2], node[2];
	uint32_t mtu;
	uint64_t seed;
	struct lab_impair impair[2];
	uint8_t mac[2][6];
	bool plain;
};
void link_init(struct link *l, const struct link_config *cfg);
/* Gives back what is under way. */
void link_fini(struct link *l);
/* New impairments of a direction from now on; packets under way keep their arrival. */
void link_impair(struct link *l, int dir, const struct lab_impair *im);
/* The link goes down, losing what is under way, or comes up. The owners of its ports tell their stacks. */
void link_updown(struct link *l, bool up);
bool impair_is_clean(const struct lab_impair *im);

/* The owner of a port that is not a stack (switch, tap) uses these. */
int link_send(struct link_port *p, struct pkt **pkts, int n, int64_t now); /* as tx_burst; takes all it returns */
/* Sends pkt (taken) for a node that has no queue: what a full link refuses is told as limited, what is longer than its MTU
 * counts as too long and is no frame of the link. */
void link_pass(struct link_port *p, struct pkt *pkt, int64_t now);
struct pkt *link_receive(struct link_port *p);                             /* one that has arrived, or NULL */
int64_t link_next(const struct link_port *p);                              /* the next arrival, or TIME_NEVER */

#endif
