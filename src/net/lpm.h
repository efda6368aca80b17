/* net/lpm.h - longest-prefix match of left-aligned keys to small numbers: what fib.c looks up in when there are many prefixes.
 *
 * A direct table answers the first bits; behind it stand nodes of six bits each. A node's 64 slots hold a value or a child,
 * and equal neighbours are kept once (a bit vector marks where another run begins, its population count finds the slot), so
 * that most nodes are one cache line: an IPv4 look-up in a full table reads the direct table and one node. Values are pushed
 * down within a node only; a child carries what its slot would say (`own`), so a change touches one node, or one range of
 * the direct table. Not known here: which prefixes there are (fib.c knows, and names the heir of one that goes).
 * Slots take 16 bits while values are few, 32 in a wide table. Limits: values 1 to LPM_VALUE_MAX; nodes in the first 32 GiB of an
 * arena. After Asai, Ohara: Poptrie (2015); Zec, Rizzo:
 * DXR (2012); Eatherton: tree bitmap (2004). */
#ifndef NET_LPM_H
#define NET_LPM_H
#include "base/arena.h"

#define LPM_VALUE_MAX 65535u
#define LPM_NARROW_MAX 4095u  /* in a table that is not wide */
#define LPM_CHILD 0x80000000u /* of an entry: the rest is a node's ref; of a slot: an index of kids */
#define LPM_NARROW_CHILD 0x8000u
#define LPM_STRIDE 6

struct lpm_key {
	uint64_t hi, lo; /* the first bit is hi's highest */
};

/* Lives in the arena. All zero: there is none, and nothing may be asked. */
struct lpm {
	ref_t direct;  /* uint32_t[1 << bits]: LPM_CHILD | node, or length << 16 | value */
	uint8_t bits;
	bool wide;
	uint16_t dflt; /* the empty prefix's value, or 0 */
	uint32_t bytes; /* of the arena, without rounding */
};

/* A slot is LPM_CHILD | kid, or (length - the node's depth) << 16 | value; 0: nothing longer than what is above. A narrow one:
 * LPM_NARROW_CHILD | kid, or that length << 12 | value. */
struct lpm_node {
	uint64_t vec;    /* bit n: another run begins at slot n; bit 0 is set */
	uint32_t own;    /* number of kids << 24 | length << 16 | value of the slot it stands in */
	uint32_t kids[]; /* entries; then slots[], one per run */
};

/* bits: of the direct table, 1 to 24, whole strides short of the longest key. False: no memory. */
bool lpm_init(struct arena *a, struct lpm *l, unsigned bits, bool wide);
void lpm_free(struct arena *a, struct lpm *l);
/* The prefix of plen bits has `value` from now on. It had one, and goes: its heir is the longest prefix that holds it, value 0 if
 * there is none. False: no memory; the table may say nonsense about that prefix and must be given up. */
bool lpm_put(struct arena *a, struct lpm *l, struct lpm_key key, unsigned plen, unsigned value);
bool lpm_del(struct arena *a, struct lpm *l, struct lpm_key key, unsigned plen, unsigned heir_plen, unsigned heir);

/* Bits set. Spelt out: the ordinary build may not use the instruction, and the library's way is a call. */
static inline unsigned lpm_popcount(uint64_t x)
{
#ifdef __POPCNT__
	return (unsigned)__builtin_popcountll(x);
#else
	x -= x >> 1 & UINT64_C(0x5555555555555555);
	x = (x & UINT64_C(0x3333333333333333)) + (x >> 2 & UINT64_C(0x3333333333333333));
	x = (x + (x >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	return (unsigned)(x * UINT64_C(0x0101010101010101) >> 56);
#endif
}

/* The longest match's value, or 0. */
static inline unsigned lpm_find(const struct arena *a, const struct lpm *l, struct lpm_key k)
{
	uint32_t e = ((const uint32_t *)arena_at(a, l->direct))[k.hi >> (64 - l->bits)];
	unsigned best = l->dflt, v = l->bits;
	while (e & LPM_CHILD) {
		const struct lpm_node *n = arena_at(a, e & ~LPM_CHILD);
		const uint32_t *slots = &n->kids[n->own >> 24];
		k.hi = k.hi << v | k.lo >> (64 - v);
		k.lo <<= v;
		v = n->own & LPM_VALUE_MAX;
		best = v ? v : best;
		v = lpm_popcount(n->vec << (63 - (k.hi >> 58))) - 1;
		if (l->wide) {
			v = slots[v];
			e = v & LPM_CHILD ? n->kids[v & 0xff] : v;
		} else {
			v = ((const uint16_t *)slots)[v];
			e = v & LPM_NARROW_CHILD ? n->kids[v & 0xff] : v & LPM_NARROW_MAX;
		}
		v = LPM_STRIDE;
	}
	return e & LPM_VALUE_MAX ? e & LPM_VALUE_MAX : best;
}
#endif
