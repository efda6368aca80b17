/* net/reasm.h - putting fragments together, for IPv4 and IPv6 alike (RFC 791 §3.2, RFC 815, RFC 8200 §4.5, RFC 8900).
 *
 * One struct datagram per (source, destination, id, protocol) that is incomplete. Two bitmaps of its units of 8 bytes say
 * which have come and where fragments begin: so any order is the same work, an overlap is seen in a few words, and there is
 * no list that an attacker can grow (HARD-05, CVE-2018-5391). Fragments are kept as the packets they came in, and the whole
 * is the chain of them (pkt/chain.c): nothing is copied, except what is smaller than REASM_COPY_BELOW: such fragments are
 * written to their place in blocks of the datagram's own, so that 8 bytes do not pin a packet of 2 KiB.
 *
 * Any overlap but an exact duplicate ends the datagram (RFC 5722, as Linux does for both families). Limits: bytes of memory
 * in all and from one source, datagrams from one source and in all, fragments of one datagram. At a limit of a source its
 * own oldest datagram goes, at one of the stack the oldest of all; so a flood from one address touches nobody else, and
 * one with many false addresses has to turn over the whole memory between two fragments of a datagram to hurt it.
 * What belongs to a family (options, header chains, errors) is the caller's; so are packets that are given up. */
#ifndef NET_REASM_H
#define NET_REASM_H

#include "base/list.h"
#include "base/prf.h"
#include "base/wheel.h"
#include "pkt/pkt.h"
#include <viaduct/types.h>

#define REASM_BUCKETS 256u
#define REASM_BYTES_MAX (4u << 20)        /* as Linux's ipfrag_high_thresh; a quarter of it for one source */
#define REASM_DATAGRAMS_MAX 1024u
#define REASM_PER_SOURCE 64u
#define REASM_FRAGMENTS_MAX 8192u         /* of one datagram, duplicates counted: as many as there are units of 8 bytes */
#define REASM_COPY_BELOW 512u
#define REASM_LIFE_NS (60 * NS_PER_S)     /* RFC 1122 §3.3.2: 60 to 120 s; RFC 8200 §4.5: 60 s */

struct reasm_key {
	struct via_addr src, dst;
	uint32_t id;
	uint8_t proto; /* 0 in IPv6, where the id alone tells */
};
struct reasm_fragment {
	uint32_t off, len; /* bytes; len is the packet's */
	uint32_t room;     /* bytes the whole datagram may have behind its header: 65,535 less what that takes */
	bool more;         /* it is not the last */
	uint8_t ecn;       /* the two bits of its own header */
};

struct reasm_env {
	struct arena *arena;
	struct wheel *wheel;
	struct pktmem *mem;
	int64_t now;
	uint64_t *drops; /* counters by enum drop, for fragments that are no packets any more */
};
/* Lives in the arena. */
struct reasm {
	struct prf_key key;
	struct pool pool;
	ref_t buckets[REASM_BUCKETS];
	struct list by_age; /* oldest first */
	uint32_t bytes, bytes_max;
	uint8_t wheel_kind;
};
struct reasm_whole {
	struct pkt *p;     /* the first fragment's packet, beginning at its payload, what is in front still there; gives */
	uint8_t ecn;       /* of the whole (RFC 3168 §5.3) */
	uint32_t fragments;
};

/* wheel_kind: what the timers of datagrams are called in the stack's wheel. */
void reasm_init(struct reasm_env *e, struct reasm *r, struct prf_key key, uint8_t wheel_kind);
/* p begins at the fragment's payload. Takes p and gives the whole when it was the last one missing (whole->p is not NULL);
 * or tells why p is dropped, which then is still the caller's. Packets of datagrams that are given up, for this one's sake or
 * together with it, go to `dropped` with m.drop set: each begins at its payload, its `mark` is its offset. */
enum drop reasm_input(struct reasm_env *e, struct reasm *r, const struct reasm_key *k, const struct reasm_fragment *f, struct pkt *p,
		      struct reasm_whole *whole, struct pktq *dropped);
/* A datagram's timer fired: it goes. A packet in `dropped` with mark 0 is its first fragment. */
void reasm_timeout(struct reasm_env *e, struct reasm *r, ref_t datagram, struct pktq *dropped);
/* Everything goes, without a word. */
void reasm_fini(struct reasm_env *e, struct reasm *r);
/* The ECN field of a whole whose fragments had the codepoints in `seen` (a bit for each), the first one `first`. False: such
 * a mix is to be dropped: not-ECT beside anything else, as Linux. */
bool reasm_ecn(uint8_t seen, uint8_t first, uint8_t *out);
/* Length of the longest hash chain, for tests and metrics. */
uint32_t reasm_longest(const struct reasm_env *e, const struct reasm *r);
#endif
