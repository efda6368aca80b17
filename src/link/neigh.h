/* link/neigh.h - the one neighbour cache: who has which MAC. ARP and neighbour discovery (link/nd.h) feed it.
 *
 * Pure state machine in the arena: it says what to ask (struct neigh_ask), stack/ sends it. States as RFC 4861 §7.3.2:
 *   INCOMPLETE  asked, packets wait (NEIGH_QUEUE_BYTES of memory each, as Linux's unres_qlen_bytes: 104 ordinary packets;
 *               NEIGH_QUEUE_TOTAL packets in all; the oldest gives way)
 *   REACHABLE   confirmed within 15 to 45 s (30 s x random, so that hosts do not ask in step)
 *   STALE       known but old: used as it is, the first use makes it DELAY; unused for 60 s it goes
 *   DELAY       5 s of grace for an upper layer to confirm (neigh_confirm), then PROBE
 *   PROBE       asked by unicast, 3 times a second apart, then it goes
 *   PERMANENT   configured; counted apart, at most NEIGH_PERMANENT_MAX
 * A neighbour that does not answer 3 questions a second apart (RFC 1122 §2.3.2.1) goes at once; its packets are given
 * back as failed. Caps: unresolved entries and resolved ones are counted apart, so a scan cannot push out a neighbour in
 * use (ARP-006); among resolved ones a STALE one gives way, else the newcomer is refused. Unsolicited replies create nothing.
 * First questions leave at NEIGH_ASKS_PER_S at most; what comes too fast waits a second for its own, and at the cap gives way before
 * those that were asked, the oldest of which goes else (RFC 6583 §6): a scan neither floods the link nor stops others' answers. */
#ifndef LINK_NEIGH_H
#define LINK_NEIGH_H
#include "base/list.h"
#include "base/prf.h"
#include "base/wheel.h"
#include "pkt/pkt.h"
#include <viaduct/types.h>

#define NEIGH_RESOLVED_MAX 1024u
#define NEIGH_UNRESOLVED_MAX 256u
#define NEIGH_PERMANENT_MAX 1024u
#define NEIGH_QUEUE_BYTES 212992u
#define NEIGH_QUEUE_TOTAL 1024u
#define NEIGH_TRIES 3
#define NEIGH_RETRY_NS NS_PER_S
#define NEIGH_REACHABLE_NS (30 * NS_PER_S)
#define NEIGH_DELAY_NS (5 * NS_PER_S)
#define NEIGH_STALE_NS (60 * NS_PER_S)
#define NEIGH_IFACES_MAX 64u
#define NEIGH_ASKS_PER_S 512 /* and as many at once */
/* What routers may say of the times (RFC 4861 §6.2.1, §10; the least as Linux). */
#define NEIGH_REACHABLE_MS_MAX 3600000u
#define NEIGH_MS_MIN 100u

enum neigh_state { NEIGH_INCOMPLETE = 1, NEIGH_REACHABLE, NEIGH_STALE, NEIGH_DELAY, NEIGH_PROBE, NEIGH_PERMANENT };

struct neigh {
	struct wheel_node timer; /* must be first */
	ref_t hash_next;
	struct list_link link; /* in cache.unresolved, .permanent or .resolved, there the longest unconfirmed first */
	struct via_addr addr;
	uint16_t ifindex;
	uint8_t state; /* enum neigh_state */
	uint8_t tries; /* questions sent in INCOMPLETE or PROBE */
	uint8_t mac[6];
	bool is_router;    /* it said so last (RFC 4861 §5.1 IsRouter) */
	uint32_t pinned;   /* bytes of memory that queue holds; one packet alone may exceed NEIGH_QUEUE_BYTES */
	struct pktq queue; /* INCOMPLETE: packets that begin at their IP header */
};

/* Lives in the arena, inside the stack's state. */
struct neigh_cache {
	struct pool pool;
	struct list unresolved, resolved, permanent;
	ref_t buckets;
	uint32_t n_buckets;
	uint32_t n_queued; /* packets waiting, all neighbours */
	uint32_t gen;      /* raised when an entry goes or its MAC changes: whoever keeps a ready L2 header compares it */
	struct prf_key key;
	struct prf_stream random;
	int64_t asks_paid; /* first questions: the budget is full again at this time */
	/* By interface, of IPv6 neighbours; 0: NEIGH_REACHABLE_NS, NEIGH_RETRY_NS. */
	struct neigh_timing {
		uint32_t reachable_ms, retrans_ms;
	} timing[NEIGH_IFACES_MAX];
	uint8_t kind; /* wheel kind of the timers */
};

/* What the cache may touch; process-local. */
struct neigh_env {
	struct arena *arena;
	struct wheel *wheel;
	struct pktmem *mem;
	int64_t now;
	uint64_t *evicted; /* counts entries that gave way at a cap; or NULL */
};

/* A question to send for the cache. */
struct neigh_ask {
	bool ask;
	bool unicast; /* to mac, else broadcast or to the solicited-node group */
	uint8_t mac[6];
	uint16_t ifindex;
	struct via_addr addr;
};

/* 0 or -ENOMEM. kind: wheel kind of its timers. */
int neigh_cache_init(struct neigh_env *e, struct neigh_cache *c, struct prf_key key, uint8_t kind);
/* Forget everything of an interface; what waited goes to `dropped`. 0: of all, and the table is given back: the cache is
 * over until neigh_cache_init(). */
void neigh_flush(struct neigh_env *e, struct neigh_cache *c, uint16_t ifindex, struct pktq *dropped);
ref_t neigh_find(struct neigh_env *e, struct neigh_cache *c, uint16_t ifindex, const struct via_addr *addr);
static inline struct neigh *neigh_at(const struct arena *a, ref_t r) { return (struct neigh *)arena_at(a, r); }

enum neigh_verdict {
	NEIGH_READY,   /* *out is the neighbour, its mac is good; p stays the caller's */
	NEIGH_WAITS,   /* p was taken and waits; send *ask if ask->ask; *dropped got what had to give way (m.drop tells why) */
	NEIGH_REFUSED, /* memory is out; p stays the caller's */
};
enum neigh_verdict neigh_resolve(struct neigh_env *e, struct neigh_cache *c, uint16_t ifindex, const struct via_addr *addr,
				 struct pkt *p, struct neigh_ask *ask, struct pktq *dropped, ref_t *out);

void neigh_start_delay(struct neigh_env *e, struct neigh *n);
/* A packet leaves by n's MAC: a STALE one begins to be doubted. */
static inline void neigh_use(struct neigh_env *e, struct neigh *n)
{
	if (UNLIKELY(n->state == NEIGH_STALE))
		neigh_start_delay(e, n);
}

/* An upper layer saw its peer make progress by way of n: it is alive (RFC 4861 §7.3.1). */
void neigh_confirm(struct neigh_env *e, struct neigh_cache *c, ref_t n);
/* An upper layer's packets go unanswered: n is doubted from its next use on. */
void neigh_doubt(struct neigh_env *e, struct neigh_cache *c, ref_t n);

enum neigh_news {
	NEIGH_ANSWERED,  /* a reply addressed to us; confirms only if we had asked */
	NEIGH_ASKED_US,  /* it asked for our address, or introduced itself (RS, RA, redirect): may make an entry */
	NEIGH_OVERHEARD, /* it told somebody else: updates an entry only */
};
/* addr has mac. What waited goes to `ready`, for *out; *out is 0 when nothing is known or kept of it. */
void neigh_heard(struct neigh_env *e, struct neigh_cache *c, uint16_t ifindex, const struct via_addr *addr, const uint8_t mac[6],
		 enum neigh_news news, struct pktq *ready, ref_t *out);
/* A neighbour advertisement (RFC 4861 §7.2.5). */
struct neigh_claim {
	const uint8_t *mac; /* NULL: not said */
	bool solicited, override;
};
/* addr claims it. Creates nothing. What waited goes to `ready`, for *out; *out is 0 when nothing is known of it or the claim is ignored. */
void neigh_advertised(struct neigh_env *e, struct neigh_cache *c, uint16_t ifindex, const struct via_addr *addr,
		      const struct neigh_claim *claim, struct pktq *ready, ref_t *out);
/* It said whether it is a router. True: it was one and is no more, so it is nobody's default router (RFC 4861 §7.2.5). */
bool neigh_set_router(struct neigh_env *e, ref_t n, bool is_router);
/* A router said how long its interface's neighbours count as reachable and how long to wait for an answer; 0: no change. Both are
 * kept within reason. */
void neigh_set_timing(struct neigh_cache *c, uint16_t ifindex, uint32_t reachable_ms, uint32_t retrans_ms);
/* Wait for an answer to a question about addr, ns. */
int64_t neigh_retrans_ns(const struct neigh_cache *c, uint16_t ifindex, const struct via_addr *addr);
/* Configure a neighbour for good; what waited goes to `ready`. -ENOMEM, -ENOSPC at the cap. */
int neigh_set(struct neigh_env *e, struct neigh_cache *c, uint16_t ifindex, const struct via_addr *addr, const uint8_t mac[6],
	      struct pktq *ready, ref_t *out);
/* Take a neighbour out; what waited goes to `dropped`. */
void neigh_remove(struct neigh_env *e, struct neigh_cache *c, ref_t n, struct pktq *dropped);
/* The wheel says n's deadline came. A question may be due (*ask); packets given up go to `failed`. */
void neigh_timeout(struct neigh_env *e, struct neigh_cache *c, ref_t n, struct neigh_ask *ask, struct pktq *failed);
#endif
