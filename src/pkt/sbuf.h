/* pkt/sbuf.h - a byte stream held in refcounted blocks and indexed by 32-bit sequence number.
 *
 * One for what TCP has to send (kept until acknowledged) and one for what it received (in order and, beyond `next`, out
 * of order: which parts beyond it are there is the reorder queue's ivset, see tcp/). Extents (seq, block, off, len) stand
 * sorted in one array in the arena, found by binary search; an empty stream owns no memory. Small appends are copied
 * together into the tail block, so a 1-byte segment cannot pin a block. */
#ifndef PKT_SBUF_H
#define PKT_SBUF_H

#include "pkt/pkt.h"

struct sbuf {
	uint32_t start;  /* sequence number of the first byte held */
	uint32_t end;    /* one past the last byte of the in-order stream */
	ref_t ext;       /* extents, an arena buffer, or 0 */
	uint16_t ext_cap;
	uint16_t ext_n;
	uint16_t ext_head; /* index of the first live extent (those before it were dropped) */
	uint16_t n_reserved; /* fresh blocks behind the extents, between sbuf_reserve() and sbuf_commit() */
	uint32_t charged;  /* true bytes of memory pinned: whole blocks, once each per reference held by this stream */
};

/* What the spans of sbuf_peek and sbuf_reserve are; the same layout as struct via_iov. */
struct sbuf_iov {
	void *base;
	uint32_t len;
};

void sbuf_init(struct sbuf *s, uint32_t seq);
void sbuf_free(struct arena *a, struct pktmem *m, struct sbuf *s); /* drops all */
static inline uint32_t sbuf_len(const struct sbuf *s) { return s->end - s->start; }

/* Append a copy at end. Returns bytes taken, short when memory is out. */
uint32_t sbuf_append(struct arena *a, struct pktmem *m, struct sbuf *s, const void *data, uint32_t n);
/* Append a reference at end (takes a new hold). 0 or -ENOMEM. */
int sbuf_append_blk(struct arena *a, struct pktmem *m, struct sbuf *s, blk_t b, uint32_t off, uint32_t len);
/* Room at end to write into directly: up to n spans, at most `want` bytes; returns how many spans (0: no memory, or data
 * is held beyond end). sbuf_commit() makes the first `len` bytes of it data and gives back the rest; -EINVAL if that is
 * more than was reserved. Any other change of the stream gives the reservation back. */
int sbuf_reserve(struct arena *a, struct pktmem *m, struct sbuf *s, struct sbuf_iov *iov, int n, uint32_t want);
int sbuf_commit(struct arena *a, struct pktmem *m, struct sbuf *s, uint32_t len);

/* Put bytes [off, off+n) of packet p at seq, which lies at or beyond end, and overlaps nothing held (the caller trims).
 * Slices are referenced, linear bytes copied. Does not move `end`. 0 or -ENOMEM (then nothing is held of it). */
int sbuf_insert(struct arena *a, struct pktmem *m, struct sbuf *s, uint32_t seq, const struct pkt *p, uint32_t off, uint32_t n);
/* The in-order stream now reaches `seq`: all bytes up to it are held. */
static inline void sbuf_advance(struct sbuf *s, uint32_t seq) { s->end = seq; }
/* Forget bytes held at or beyond seq (prune the reorder queue). */
void sbuf_cut(struct arena *a, struct pktmem *m, struct sbuf *s, uint32_t seq);

/* Forget bytes before seq (acknowledged, or read). */
void sbuf_drop_to(struct arena *a, struct pktmem *m, struct sbuf *s, uint32_t seq);
/* Copy [seq, seq+n) out; the bytes must be held. Returns bytes. */
uint32_t sbuf_copy_out(const struct arena *a, const struct pktmem *m, const struct sbuf *s, uint32_t seq, void *out, uint32_t n);
/* Spans of [seq, end). Returns how many spans. */
int sbuf_peek(const struct arena *a, const struct pktmem *m, const struct sbuf *s, uint32_t seq, struct sbuf_iov *iov, int n);
/* Attach [seq, seq+n) to p as slices (references). Returns bytes attached: less than n when p's slices are full. */
uint32_t sbuf_attach(const struct arena *a, struct pktmem *m, const struct sbuf *s, uint32_t seq, uint32_t n, struct pkt *p);

#endif
