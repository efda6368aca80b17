/* pkt/mem_priv.h - what only mem.c, pkt.c and sbuf.c know of a block.
 *
 * A home block begins with a header of BLK_HEADER bytes. An *open* block is one a byte stream fills by and by: bytes from
 * `fill` on are nobody's yet, and only the stream that opened it may claim them, so it may do so while packets refer to
 * the bytes before. */
#ifndef PKT_MEM_PRIV_H
#define PKT_MEM_PRIV_H

#include "pkt/mem.h"

/* What a block is for. Send buffers may not take the last quarter of all blocks, nor reorder queues the last eighth: so what
 * arrives in order is always taken in, acknowledged, and memory comes back. */
enum blk_use { BLK_SEND = 6, BLK_REORDER = 7, BLK_IN_ORDER = 8 }; /* eighths of all */

/* A fresh open block with count 1 and fill 0, or 0. */
blk_t blk_new_open(struct pktmem *m, enum blk_use use);
/* Bytes used so far; BLK_ROOM (or the loan's length) when the block is not open. */
uint32_t blk_fill(const struct pktmem *m, blk_t b);
/* Claim n bytes at fill (they fit): where they begin. */
uint8_t *blk_claim(struct pktmem *m, blk_t b, uint32_t n);

/* A packet's memory, not zeroed, or 0. */
ref_t pktmem_pkt_take(struct pktmem *m);
void pktmem_pkt_give(struct pktmem *m, ref_t r);

#endif
