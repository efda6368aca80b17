/* base/ivset.h - a bounded, sorted set of disjoint intervals [lo, hi) of 32-bit numbers that wrap.
 *
 * One structure for IP reassembly, the TCP reorder queue and SACK blocks. All numbers lie within 2^31 of each other.
 * Touching intervals merge. At the cap an insertion that would add an interval fails and changes nothing: the work an
 * attacker can cause is bounded (CVE-2018-5390). */
#ifndef BASE_IVSET_H
#define BASE_IVSET_H

#include "base/defs.h"

struct iv {
	uint32_t lo, hi;
};
struct ivset {
	uint16_t n, cap;
	struct iv v[];
};
#define IVSET_BYTES(cap) (sizeof(struct ivset) + (size_t)(cap) * sizeof(struct iv))

/* a before b, in modular arithmetic. */
static inline bool seq_lt(uint32_t a, uint32_t b) { return (int32_t)(a - b) < 0; }
static inline bool seq_le(uint32_t a, uint32_t b) { return (int32_t)(a - b) <= 0; }

void ivset_init(struct ivset *s, uint16_t cap);
/* Add [lo, hi). 0, or -ENOSPC at the cap. *at, if not NULL, is the index of the interval that now holds it. */
int ivset_add(struct ivset *s, uint32_t lo, uint32_t hi, uint16_t *at);
/* Take [lo, hi) out. -ENOSPC if a split would pass the cap. */
int ivset_cut(struct ivset *s, uint32_t lo, uint32_t hi);
/* Forget everything before x. */
void ivset_cut_below(struct ivset *s, uint32_t x);
/* The first interval with hi after x, or n. O(log n). */
uint16_t ivset_find(const struct ivset *s, uint32_t x);
bool ivset_covers(const struct ivset *s, uint32_t lo, uint32_t hi);
/* The first part of [lo, hi) that is not in the set. False if all is. */
bool ivset_gap(const struct ivset *s, uint32_t lo, uint32_t hi, struct iv *gap);
uint32_t ivset_total(const struct ivset *s); /* numbers covered */

#endif
