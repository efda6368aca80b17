/* base/ivset.c - the bounded set of disjoint intervals. Finding is a binary search, changing one memmove of at most
 * cap entries. See the header. */
#include <errno.h>

#include "base/ivset.h"

void ivset_init(struct ivset *s, uint16_t cap)
{
	s->n = 0;
	s->cap = cap;
}

uint16_t ivset_find(const struct ivset *s, uint32_t x)
{
	unsigned lo = 0, hi = s->n;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;
		if (seq_lt(x, s->v[mid].hi))
			hi = mid;
		else
			lo = mid + 1;
	}
	return (uint16_t)lo;
}

/* Put `with` entries in the place of [i, j). */
static void replace(struct ivset *s, unsigned i, unsigned j, unsigned with)
{
	memmove(&s->v[i + with], &s->v[j], (s->n - j) * sizeof(s->v[0]));
	s->n = (uint16_t)(s->n - (j - i) + with);
}

int ivset_add(struct ivset *s, uint32_t lo, uint32_t hi, uint16_t *at)
{
	unsigned i = ivset_find(s, lo - 1), j = i; /* the first that ends at or beyond lo: a touching one counts */

	ASSERT(seq_le(lo, hi));
	if (at)
		*at = (uint16_t)i;
	if (!seq_lt(lo, hi))
		return 0;
	while (j < s->n && seq_le(s->v[j].lo, hi))
		j++;
	if (i == j) {
		if (s->n >= s->cap)
			return -ENOSPC;
		replace(s, i, i, 1);
		s->v[i] = (struct iv){lo, hi};
		return 0;
	}
	if (seq_lt(s->v[i].lo, lo))
		lo = s->v[i].lo;
	if (seq_lt(hi, s->v[j - 1].hi))
		hi = s->v[j - 1].hi;
	s->v[i] = (struct iv){lo, hi};
	replace(s, i + 1, j, 0);
	return 0;
}

int ivset_cut(struct ivset *s, uint32_t lo, uint32_t hi)
{
	unsigned i = ivset_find(s, lo), j = i;

	if (i == s->n || !seq_lt(lo, hi))
		return 0;
	if (seq_lt(s->v[i].lo, lo) && seq_lt(hi, s->v[i].hi)) { /* inside one: split */
		if (s->n >= s->cap)
			return -ENOSPC;
		replace(s, i, i, 1);
		s->v[i] = (struct iv){s->v[i + 1].lo, lo};
		s->v[i + 1].lo = hi;
		return 0;
	}
	if (seq_lt(s->v[i].lo, lo)) {
		s->v[i].hi = lo;
		i = j = i + 1;
	}
	while (j < s->n && seq_le(s->v[j].hi, hi))
		j++;
	if (j < s->n && seq_lt(s->v[j].lo, hi))
		s->v[j].lo = hi;
	replace(s, i, j, 0);
	return 0;
}

void ivset_cut_below(struct ivset *s, uint32_t x)
{
	unsigned i = ivset_find(s, x);

	if (i < s->n && seq_lt(s->v[i].lo, x))
		s->v[i].lo = x;
	replace(s, 0, i, 0);
}

bool ivset_covers(const struct ivset *s, uint32_t lo, uint32_t hi)
{
	struct iv gap;

	return !ivset_gap(s, lo, hi, &gap);
}

bool ivset_gap(const struct ivset *s, uint32_t lo, uint32_t hi, struct iv *gap)
{
	unsigned i = ivset_find(s, lo);

	if (i < s->n && seq_le(s->v[i].lo, lo))
		lo = s->v[i++].hi; /* touching ones are merged: the next number is not in the set */
	if (!seq_lt(lo, hi))
		return false;
	gap->lo = lo;
	gap->hi = i < s->n && seq_lt(s->v[i].lo, hi) ? s->v[i].lo : hi;
	return true;
}

uint32_t ivset_total(const struct ivset *s)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < s->n; i++)
		sum += s->v[i].hi - s->v[i].lo;
	return sum;
}
