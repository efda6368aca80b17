/* net/lpm.c - changing the look-up table of lpm.h: a change takes one node apart, paints a range of its slots, and writes it again.
 *
 * Painting is all there is: the slots of a prefix that hold nothing longer get its value, and get the heir's when it goes. Work
 * is bounded: a prefix longer than the direct table's bits costs one node on each level of its way (64 slots taken apart), a
 * shorter one its range of the direct table, at most half of it; the empty prefix is one field. A node that says nothing any more
 * goes, and its parent's slot says what the node carried for it. */
#include "net/lpm.h"

enum { SLOTS = 64, LEVELS_MAX = 24, DIRECT_MAX = 24 };
#define LEAF_MASK 0x00ffffffu /* of own and of a direct entry: length and value */

/* A node taken apart. */
struct wide {
	uint32_t own;
	unsigned n_kids;
	uint32_t kids[SLOTS];
	uint32_t slot[SLOTS]; /* as in a wide table */
};

static uint32_t leaf_of(unsigned plen, unsigned value) { return value ? plen << 16 | value : 0; }
static unsigned leaf_plen(uint32_t leaf) { return (leaf & LEAF_MASK) >> 16; }

static size_t node_bytes(const struct lpm *l, unsigned n_kids, unsigned n_slots)
{
	return offsetof(struct lpm_node, kids) + n_kids * sizeof(uint32_t) + n_slots * (l->wide ? sizeof(uint32_t) : sizeof(uint16_t));
}

static size_t node_size(const struct lpm *l, const struct lpm_node *n) { return node_bytes(l, n->own >> 24, lpm_popcount(n->vec)); }

static struct lpm_node *node_at(const struct arena *a, uint32_t entry) { return arena_at(a, entry & ~LPM_CHILD); }

/* The n-th run's slot, as in a wide table. */
static uint32_t node_slot(const struct lpm *l, const struct lpm_node *n, unsigned i)
{
	const uint32_t *slots = &n->kids[n->own >> 24];
	if (l->wide)
		return slots[i];
	uint32_t s = ((const uint16_t *)slots)[i];
	return s & LPM_NARROW_CHILD ? LPM_CHILD | (s & 0xff) : (s >> 12) << 16 | (s & LPM_NARROW_MAX);
}

static void node_widen(const struct lpm *l, const struct lpm_node *n, struct wide *w)
{
	w->n_kids = n->own >> 24;
	w->own = n->own & LEAF_MASK;
	memcpy(w->kids, n->kids, w->n_kids * sizeof(uint32_t));
	for (unsigned i = 0, run = 0; i < SLOTS; i++)
		w->slot[i] = n->vec >> i & 1 ? node_slot(l, n, run++) : w->slot[i - 1];
}

/* Runs of equal slots; their beginnings in *vec. */
static unsigned wide_runs(const struct wide *w, uint64_t *vec)
{
	unsigned n = 1;
	*vec = 1;
	for (unsigned i = 1; i < SLOTS; i++) {
		uint64_t begins = w->slot[i] != w->slot[i - 1];
		*vec |= begins << i;
		n += (unsigned)begins;
	}
	return n;
}

/* A node's memory. 0: there is none, or only beyond what an entry can name. */
static ref_t node_take(struct arena *a, struct lpm *l, size_t size)
{
	ref_t r = arena_buf_take(a, size);
	if (r & LPM_CHILD) {
		arena_buf_give(a, r, size);
		return 0;
	}
	l->bytes += r ? (uint32_t)size : 0;
	return r;
}

static void node_give(struct arena *a, struct lpm *l, ref_t r, size_t size)
{
	l->bytes -= (uint32_t)size;
	arena_buf_give(a, r, size);
}

/* Write w as the node *entry names (0: as a new one, whose entry it becomes). False: no memory, nothing changed. */
static bool node_write(struct arena *a, struct lpm *l, uint32_t *entry, const struct wide *w)
{
	uint64_t vec;
	unsigned n_slots = wide_runs(w, &vec);
	size_t size = node_bytes(l, w->n_kids, n_slots), was = *entry & LPM_CHILD ? node_size(l, node_at(a, *entry)) : 0;
	ref_t r = *entry & ~LPM_CHILD;
	if (!was || arena_buf_room(was) != arena_buf_room(size)) {
		r = node_take(a, l, size);
		if (!r)
			return false;
		if (was)
			node_give(a, l, *entry & ~LPM_CHILD, was);
		*entry = r | LPM_CHILD;
	} else {
		l->bytes += (uint32_t)size - (uint32_t)was;
	}
	struct lpm_node *n = arena_at(a, r);
	n->vec = vec;
	n->own = w->own | w->n_kids << 24;
	memcpy(n->kids, w->kids, w->n_kids * sizeof(uint32_t));
	for (unsigned i = 0, run = 0; i < SLOTS; i++) {
		uint32_t s = w->slot[i], *slots = &n->kids[w->n_kids];
		if (!(vec >> i & 1))
			continue;
		if (l->wide)
			slots[run++] = s;
		else
			((uint16_t *)slots)[run++] = (uint16_t)(s & LPM_CHILD ? LPM_NARROW_CHILD | (s & 0xff) : s >> 16 << 12 | (s & LPM_NARROW_MAX));
	}
	return true;
}

static void node_free(struct arena *a, struct lpm *l, uint32_t entry)
{
	struct lpm_node *n = node_at(a, entry);
	for (unsigned i = 0; i < n->own >> 24; i++)
		node_free(a, l, n->kids[i]);
	node_give(a, l, entry & ~LPM_CHILD, node_size(l, n));
}

bool lpm_init(struct arena *a, struct lpm *l, unsigned bits, bool wide)
{
	size_t bytes = sizeof(uint32_t) << bits;
	ASSERT(bits >= 1 && bits <= DIRECT_MAX);
	*l = (struct lpm){.direct = arena_buf_take(a, bytes), .bits = (uint8_t)bits, .wide = wide, .bytes = (uint32_t)bytes};
	if (!l->direct)
		return false;
	memset(arena_at(a, l->direct), 0, bytes);
	return true;
}

void lpm_free(struct arena *a, struct lpm *l)
{
	if (!l->direct)
		return;
	uint32_t *direct = arena_at(a, l->direct);
	for (size_t i = 0; i < (size_t)1 << l->bits; i++)
		if (direct[i] & LPM_CHILD)
			node_free(a, l, direct[i]);
	arena_buf_give(a, l->direct, sizeof(uint32_t) << l->bits);
	*l = (struct lpm){0};
}

/* ---- painting ---- */

/* What an entry of the direct table, or of kids, says itself becomes `leaf`, if it is not longer than plen. */
static void paint_entry(const struct arena *a, uint32_t *e, unsigned plen, uint32_t leaf)
{
	uint32_t *at = *e & LPM_CHILD ? &node_at(a, *e)->own : e;
	if (leaf_plen(*at) <= plen)
		*at = (*at & ~LEAF_MASK) | leaf;
}

static void paint_direct(const struct arena *a, struct lpm *l, struct lpm_key key, unsigned plen, uint32_t leaf)
{
	uint32_t *e = (uint32_t *)arena_at(a, l->direct) + (key.hi >> (64 - l->bits)), n = 1u << (l->bits - plen);
	for (uint32_t i = 0; i < n; i++)
		paint_entry(a, &e[i], plen, leaf);
}

/* The slots of a node at `depth` from `first` on that hold nothing longer than plen. */
static void paint_slots(const struct arena *a, struct wide *w, unsigned depth, unsigned first, unsigned plen, uint32_t leaf)
{
	uint32_t slot = leaf ? leaf - (depth << 16) : 0;
	for (unsigned i = first; i < first + (1u << (depth + LPM_STRIDE - plen)); i++) {
		if (w->slot[i] & LPM_CHILD)
			paint_entry(a, &w->kids[w->slot[i] & 0xff], plen, leaf);
		else if ((w->slot[i] >> 16) + depth <= plen)
			w->slot[i] = slot;
	}
}

/* ---- the way to a prefix ---- */

/* Nodes from the direct table's down to the one whose slots a prefix covers. */
struct way {
	uint32_t node[LEVELS_MAX]; /* their entries */
	uint8_t slot[LEVELS_MAX];  /* of each, where it goes on or the prefix begins */
	int n;
};

static unsigned key_slot(struct lpm_key k, unsigned depth)
{
	if (depth >= 64)
		return (unsigned)(k.lo << (depth - 64) >> 58);
	return (unsigned)((k.hi << depth | (depth ? k.lo >> (64 - depth) : 0)) >> 58);
}

/* Where level i's entry stands: in the direct table or in the kids of the node above. */
static uint32_t *way_entry(const struct arena *a, const struct lpm *l, const struct way *p, struct lpm_key key, int i)
{
	if (i == 0)
		return (uint32_t *)arena_at(a, l->direct) + (key.hi >> (64 - l->bits));
	struct lpm_node *up = node_at(a, p->node[i - 1]);
	return &up->kids[node_slot(l, up, lpm_popcount(up->vec << (63 - p->slot[i - 1])) - 1) & 0xff];
}

/* A new, empty node below level i's parent. False: no memory. */
static bool way_grow(struct arena *a, struct lpm *l, struct way *p, struct lpm_key key, int i)
{
	struct wide w = {0}, up;
	uint32_t entry = 0, *at = i ? NULL : way_entry(a, l, p, key, 0);
	unsigned s = i ? p->slot[i - 1] : 0, depth = l->bits + (unsigned)(i - 1) * LPM_STRIDE;
	if (i) {
		node_widen(l, node_at(a, p->node[i - 1]), &up);
		w.own = up.slot[s] ? up.slot[s] + (depth << 16) : 0;
	} else {
		w.own = *at;
	}
	if (!node_write(a, l, &entry, &w))
		return false;
	if (i) {
		up.slot[s] = LPM_CHILD | up.n_kids;
		up.kids[up.n_kids++] = entry;
		at = way_entry(a, l, p, key, i - 1);
		if (!node_write(a, l, at, &up)) {
			node_free(a, l, entry);
			return false;
		}
		p->node[i - 1] = *at;
	} else {
		*at = entry;
	}
	p->node[i] = entry;
	return true;
}

/* Is there a node at level i of the way? */
static bool way_step(const struct arena *a, const struct lpm *l, struct way *p, struct lpm_key key, int i)
{
	if (i) {
		const struct lpm_node *up = node_at(a, p->node[i - 1]);
		if (!(node_slot(l, up, lpm_popcount(up->vec << (63 - p->slot[i - 1])) - 1) & LPM_CHILD))
			return false;
	}
	p->node[i] = *way_entry(a, l, p, key, i);
	return p->node[i] & LPM_CHILD;
}

/* Nodes at the end of the way that say nothing are taken out. False: no memory to write a parent. */
static bool way_prune(struct arena *a, struct lpm *l, struct way *p, struct lpm_key key)
{
	for (int i = p->n - 1; i >= 0; i--) {
		struct lpm_node *n = node_at(a, p->node[i]);
		struct wide up;
		uint32_t own = n->own & LEAF_MASK, *at = way_entry(a, l, p, key, i);
		if (n->own >> 24 || n->vec != 1 || node_slot(l, n, 0))
			break;
		if (i == 0) {
			*at = own;
			node_give(a, l, p->node[i] & ~LPM_CHILD, node_size(l, n));
			break;
		}
		unsigned s = p->slot[i - 1], depth = l->bits + (unsigned)(i - 1) * LPM_STRIDE;
		node_widen(l, node_at(a, p->node[i - 1]), &up);
		unsigned kid = up.slot[s] & 0xff, last = --up.n_kids;
		up.kids[kid] = up.kids[last];
		for (unsigned k = 0; k < SLOTS; k++)
			if (up.slot[k] == (LPM_CHILD | last))
				up.slot[k] = LPM_CHILD | kid;
		up.slot[s] = own ? own - (depth << 16) : 0;
		at = way_entry(a, l, p, key, i - 1);
		if (!node_write(a, l, at, &up))
			return false;
		p->node[i - 1] = *at;
		node_give(a, l, p->node[i] & ~LPM_CHILD, node_size(l, n));
	}
	return true;
}

/* Paint a prefix longer than the direct table's bits. grow: nodes that are missing are made. */
static bool paint_node(struct arena *a, struct lpm *l, struct lpm_key key, unsigned plen, uint32_t leaf)
{
	struct way p = {.n = 0};
	struct wide w;
	unsigned depth = l->bits;
	for (;; depth += LPM_STRIDE) {
		if (!way_step(a, l, &p, key, p.n) && !way_grow(a, l, &p, key, p.n))
			return false;
		p.slot[p.n++] = (uint8_t)key_slot(key, depth);
		if (plen <= depth + LPM_STRIDE)
			break;
	}
	node_widen(l, node_at(a, p.node[p.n - 1]), &w);
	paint_slots(a, &w, depth, p.slot[p.n - 1], plen, leaf);
	uint32_t *at = way_entry(a, l, &p, key, p.n - 1);
	if (!node_write(a, l, at, &w))
		return false;
	p.node[p.n - 1] = *at;
	return way_prune(a, l, &p, key);
}

static bool paint(struct arena *a, struct lpm *l, struct lpm_key key, unsigned plen, uint32_t leaf)
{
	if (plen > l->bits)
		return paint_node(a, l, key, plen, leaf);
	if (plen == 0)
		l->dflt = (uint16_t)(leaf & LPM_VALUE_MAX);
	else
		paint_direct(a, l, key, plen, leaf);
	return true;
}

bool lpm_put(struct arena *a, struct lpm *l, struct lpm_key key, unsigned plen, unsigned value)
{
	return paint(a, l, key, plen, leaf_of(plen, value));
}

bool lpm_del(struct arena *a, struct lpm *l, struct lpm_key key, unsigned plen, unsigned heir_plen, unsigned heir)
{
	unsigned depth = plen <= l->bits ? 0 : plen - 1 - (plen - 1 - l->bits) % LPM_STRIDE;
	/* An heir from above the node is what a look-up remembers anyway. */
	return paint(a, l, key, plen, heir_plen > depth ? leaf_of(heir_plen, heir) : 0);
}
