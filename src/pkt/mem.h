/* pkt/mem.h - packet memory: where packets and payload blocks live.
 *
 * Payload lives in block regions, not in a stack's arena. The home region is itself an arena (base/arena.h) holding two
 * pools: packets of PKT_BYTES and blocks of BLK_BYTES. It is private to one stack, or shared by all stacks of a lab (one
 * thread, plain counts), so a superframe crosses a clean lab link without a payload copy. Foreign regions (a file, lent
 * memory) are registered with a release function; their blocks are counted in the home region.
 * A block reference is (region << 28 | where), 32 bits; 0 is none. struct pktmem is process-local.
 *
 * A loan's descriptor lives in the home region and holds addresses of this process (the data and the release function):
 * a home region with loans in it may be snapshotted and restored in the process that lent, not mapped by another.
 * Fresh packets and blocks are not zeroed: who takes room in them (pkt_push, pkt_put, blk_new, sbuf_reserve) writes all
 * of it, or old bytes reach the wire (HARD-07). */
#ifndef PKT_MEM_H
#define PKT_MEM_H

#include "base/arena.h"

typedef uint32_t blk_t;

#define BLK_BYTES 4096u
#define BLK_HEADER 32u
#define BLK_ROOM (BLK_BYTES - BLK_HEADER) /* payload bytes of a home block */

struct pktmem {
	struct arena *home;
	struct pktmem_state *st; /* in the home region: the pools, counters */
};

/* region: borrowed, zeroed, 64 KiB aligned; at least four pages of it; of more than 16 GiB the rest is not used. 0 or -EINVAL. */
int pktmem_init(struct pktmem *m, void *region, size_t bytes);
uint32_t pktmem_pkts_used(const struct pktmem *m);
uint32_t pktmem_blks_used(const struct pktmem *m); /* loans included */
size_t pktmem_bytes_free(const struct pktmem *m); /* not used by any object; a little of it may be unusable */
/* The owner will use the region for something else, or unmap it. */
void pktmem_fini(struct pktmem *m);

/* A fresh block with count 1, or 0. One page in eight, at least one, is never given to blocks: it stays for packets. */
blk_t blk_new(struct pktmem *m);
/* A block that refers to [data, data+len) of the caller's, len <= 65535, with count 1, or 0. done(ctx, token) is called when the last
 * reference is dropped (done may be NULL); it may be in the middle of something, so it only notes the token. */
blk_t blk_lend(struct pktmem *m, const void *data, uint32_t len, void (*done)(void *ctx, uint64_t token), void *ctx, uint64_t token);
blk_t blk_hold(struct pktmem *m, blk_t b); /* +1, returns b */
void blk_drop(struct pktmem *m, blk_t b);  /* -1, frees or returns the loan at 0 */
uint32_t blk_count(const struct pktmem *m, blk_t b);
uint8_t *blk_data(const struct pktmem *m, blk_t b); /* lent blocks are read-only */
uint32_t blk_room(const struct pktmem *m, blk_t b); /* bytes it can hold: BLK_ROOM, or a loan's length */
uint32_t blk_cost(const struct pktmem *m, blk_t b); /* bytes of memory it pins: BLK_BYTES, or a loan's length */
/* May [0, room) be written: not lent, and referenced once. */
bool blk_is_mine(const struct pktmem *m, blk_t b);

#endif
