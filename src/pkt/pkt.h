/* pkt/pkt.h - a packet: a linear part with headroom that always holds all headers, payload slices, metadata.
 *
 * Bytes of a packet are: linear[head .. head+head_len), then the slices in order, then those of the packets chained behind
 * it (more): a datagram put together from fragments keeps their packets (pkt/chain.c). Whoever holds a packet last frees it.
 * A superframe is a packet with m.gso_size != 0: it is cut and checksummed at the last moment, and only if the link
 * cannot take it (net/gso.h). Stored in arenas as a ref_t of the home region (pkt_ref, pkt_at). */
#ifndef PKT_PKT_H
#define PKT_PKT_H

#include "pkt/mem.h"

#define PKT_BYTES 2048u
#define PKT_SLICES_MAX 20
#define PKT_HEADROOM 128u /* before the IP header of a locally made packet: L2 and tunnels */

enum drop {
#define DROP(e, name, text) DROP_##e,
#include "pkt/drop.def"
#undef DROP
	DROP_COUNT
};
enum why {
#define WHY(e, name, text) WHY_##e,
#include "pkt/why.def"
#undef WHY
	WHY_COUNT
};
const char *drop_name(enum drop d);
const char *drop_text(enum drop d);
const char *why_name(enum why w);
const char *why_text(enum why w);

/* What can hold a segment back. */
enum held {
	HELD_NONE,
#define HELD(e, name) HELD_##e,
#include "pkt/held.def"
#undef HELD
	HELD_COUNT
};
const char *held_name(enum held h);

enum pkt_csum {
	PKT_CSUM_NONE,     /* nothing known; the field, if any, is final */
	PKT_CSUM_VERIFIED, /* L4 checksum known to be right */
	PKT_CSUM_PARTIAL,  /* the field at csum_start + csum_offset holds the folded pseudo-header sum; the rest is still to be added */
};
/* What may be done to a packet that is larger than its path or a link takes. */
enum pkt_cut {
	PKT_CUT_NEVER, /* "do not fragment": what does not fit is lost, and told of */
	PKT_CUT_HERE,  /* by us if it is larger than the path takes, else as NEVER (IP_PMTUDISC_WANT) */
	PKT_CUT_ANY,   /* by us and by any router */
	PKT_CUT_PROBE, /* as NEVER, but only the link limits it, not what was learnt of the path */
};
/* What this host hears of a datagram that it sends to a group it is in. */
enum pkt_loop {
	PKT_LOOP_TOO,  /* it, as all others */
	PKT_LOOP_NONE, /* nothing (IP_MULTICAST_LOOP is off) */
	PKT_LOOP_ONLY, /* it alone: a TTL of 0 (RFC 1112 §6.1) */
};
enum pkt_gso { PKT_GSO_NONE, PKT_GSO_TCP4, PKT_GSO_TCP6, PKT_GSO_UDP };

struct pkt_slice {
	blk_t blk; /* holds a reference */
	uint16_t off, len;
};

/* Offsets l2, l3, l4 count from linear[0], so they stay right when headers are pushed and pulled. */
struct pkt_meta {
	int64_t rx_ns;         /* arrival, the driver's clock */
	uint64_t id;           /* unique in the trace, kept by copies made for duplication; 0: none yet */
	uint32_t flow_hash;    /* keyed; 0: not computed */
	uint16_t ifindex;      /* ingress, or egress once chosen */
	uint16_t l2, l3, l4;
	uint16_t csum_start;   /* from linear[0] */
	uint16_t csum_offset;  /* from csum_start */
	uint16_t gso_size;     /* L4 payload bytes per segment; 0: not a superframe */
	uint16_t gso_segs;
	uint8_t gso;           /* enum pkt_gso */
	uint8_t csum;          /* enum pkt_csum */
	uint8_t ecn;           /* the two IP ECN bits */
	uint8_t drop;          /* enum drop */
	uint8_t why;           /* enum why */
	uint8_t ether_mcast;   /* came in a link-layer broadcast or multicast */
	uint8_t corrupted;     /* a simulated link flipped a bit */
	uint8_t reordered;     /* a simulated link let it be overtaken */
	uint8_t cut;           /* enum pkt_cut */
	uint8_t ip_opts;       /* bytes of IP options in front of the L4 header of a packet that has no IP header yet */
	uint8_t loop;          /* enum pkt_loop */
	uint8_t held;          /* why it did not leave before (pkt/held.def): at first, and << 4: in the end; 0: nothing held it */
	uint32_t held_us;      /* for so long */
	uint32_t lost_us;      /* a repetition: so long ago, 1 at least, the copy before it was found lost; 0: none was */
	/* Whose bytes these are below tcp_output: told when the driver takes it. 0: nobody's. */
	ref_t owner;
	uint32_t owner_gen;
	uint32_t owner_seq_end;
};

struct pkt {
	ref_t next; /* queue link */
	uint32_t len;      /* all bytes, those chained behind it among them; of a chained packet its own */
	uint16_t head;     /* first used byte of linear */
	uint16_t head_len; /* used bytes of linear */
	uint16_t n_slices;
	uint16_t pad;
	ref_t more;        /* its bytes go on in this packet, which is owned; 0: the end */
	uint32_t mark;     /* free for whoever keeps it in a queue */
	struct pkt_meta m;
	struct pkt_slice slices[PKT_SLICES_MAX];
	uint8_t linear[];
};
#define PKT_LINEAR (PKT_BYTES - sizeof(struct pkt)) /* bytes of linear */

/* A packet with `headroom` free bytes in front; NULL when memory is out. */
struct pkt *pkt_new(struct pktmem *m, uint32_t headroom);
void pkt_free(struct pktmem *m, struct pkt *p); /* takes; NULL is fine */
static inline ref_t pkt_ref(const struct pktmem *m, const struct pkt *p) { return arena_ref(m->home, p); }
static inline struct pkt *pkt_at(const struct pktmem *m, ref_t r) { return (struct pkt *)arena_at(m->home, r); }

static inline uint8_t *pkt_data(struct pkt *p) { return p->linear + p->head; }
/* Bytes of linear space left behind the linear part (0 once anything follows: linear comes first). */
static inline uint32_t pkt_tailroom(const struct pkt *p)
{
	return p->n_slices || p->more ? 0 : (uint32_t)(PKT_LINEAR - p->head - p->head_len);
}

/* Prepend n bytes to the linear part (must fit the headroom): returns where they begin. */
uint8_t *pkt_push(struct pkt *p, uint32_t n);
/* Take n bytes off the front (n <= head_len): returns the new front. */
uint8_t *pkt_pull(struct pkt *p, uint32_t n);
/* Append n linear bytes (n <= tailroom): returns where they begin. */
uint8_t *pkt_put(struct pkt *p, uint32_t n);
/* Append a copy, in the linear part while it fits, else in fresh blocks. 0 or -ENOMEM (then unchanged). Nothing is chained to p. */
int pkt_append(struct pktmem *m, struct pkt *p, const void *data, uint32_t n);
/* Append a reference to len bytes at off of a block; takes a new hold. 0 or -ENOSPC when slices are full. Nothing is chained to p. */
int pkt_append_slice(struct pktmem *m, struct pkt *p, blk_t b, uint32_t off, uint32_t len);
/* Cut the end so that len bytes stay. */
void pkt_trim(struct pktmem *m, struct pkt *p, uint32_t len);
/* Make the first n bytes linear (n <= len, n <= PKT_LINEAR - head). 0 or -ENOSPC. */
int pkt_pullup(struct pktmem *m, struct pkt *p, uint32_t n);
/* Copy [off, off+n) out; n is cut to what is there. Returns bytes. off counts from the first byte of the packet. */
uint32_t pkt_copy_out(const struct pktmem *m, const struct pkt *p, uint32_t off, void *out, uint32_t n);
/* Sum of [off, off+n), as if off were even. */
uint64_t pkt_csum(const struct pktmem *m, const struct pkt *p, uint32_t off, uint32_t n, uint64_t sum);
/* A packet of its own with the same bytes and metadata, but nobody's (m.owner is 0): linear part copied, blocks shared.
 * NULL when memory is out. */
struct pkt *pkt_clone(struct pktmem *m, const struct pkt *p);
/* A partial checksum becomes a final one. It covers the packet to its last byte; nothing happens in any other state. A
 * computed 0 becomes 0xffff in UDP only, which is known by its csum_offset of 6 (RFC 768, RFC 1624 §3). */
void pkt_csum_finish(const struct pktmem *m, struct pkt *p);
/* Flip bit `bit` (0 to 7) of byte `off`, in a private copy of the byte's block, and mark the packet corrupted. 0, -ENOMEM,
 * or -EINVAL past the end. */
int pkt_corrupt(struct pktmem *m, struct pkt *p, uint32_t off, unsigned bit);

/* --- pkt/chain.c --- */
/* Chain q behind p, whose last packet `last` is (p itself at first). Takes q, of which nothing but its bytes counts from now on. */
void pkt_chain(const struct pktmem *m, struct pkt *p, struct pkt *last, struct pkt *q);
/* Make p one packet without a chain: what is chained is copied into blocks. 0, or -ENOMEM (then unchanged). */
int pkt_unchain(struct pktmem *m, struct pkt *p);
/* Append the bytes [off, off+n) of `from` to p: by reference where they lie in blocks, copies of linear ones. 0, or -ENOMEM or
 * -ENOSPC (then some of it may be there). */
int pkt_append_range(struct pktmem *m, struct pkt *p, const struct pkt *from, uint32_t off, uint32_t n);
/* Bytes of memory that p pins, chained packets and blocks included. */
uint32_t pkt_pins(const struct pktmem *m, const struct pkt *p);
/* The same for p behind `last` (may be NULL) in a queue: a block that p begins in and `last` ends in is counted there. */
uint32_t pkt_pins_behind(const struct pktmem *m, const struct pkt *last, const struct pkt *p);

/* FIFO of packets, arena-safe. */
struct pktq {
	ref_t head, tail;
	uint32_t n, bytes;
};
void pktq_push(struct pktmem *m, struct pktq *q, struct pkt *p); /* takes */
struct pkt *pktq_pop(struct pktmem *m, struct pktq *q);          /* gives, or NULL */
static inline struct pkt *pktq_peek(struct pktmem *m, struct pktq *q) { return q->head ? pkt_at(m, q->head) : NULL; }
void pktq_clear(struct pktmem *m, struct pktq *q);

#endif
