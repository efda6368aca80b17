/* net/hops.c - the table of next-hop sets, and the choice of one hop for a flow (RFC 1812 §5.2.4.3; RFC 2992).
 *
 * Sets are found by a hash of their bytes and by number; both arrays double together. A flow's first choice is made among all
 * hops, whatever their state, so it changes only for flows whose hop is of no use. */
#include "net/hops.h"

enum { CAP_MIN = 4, CAP_MAX = HOP_SETS_MAX + 1 };

static size_t set_bytes(int n) { return offsetof(struct hop_set, hop) + (size_t)n * sizeof(struct fib_hop); }
static ref_t *sets_v(const struct arena *a, const struct hop_sets *t) { return arena_at(a, t->v); }

static uint32_t set_bucket(const struct hop_sets *t, struct prf_key key, const struct fib_hop *hops, int n)
{
	return (uint32_t)siphash_1_3(key, hops, (size_t)n * sizeof(*hops)) & (t->cap - 1);
}

static void set_hash(struct arena *a, struct hop_sets *t, struct prf_key key, ref_t r)
{
	struct hop_set *s = arena_at(a, r);
	ref_t *bucket = sets_v(a, t) + t->cap + set_bucket(t, key, s->hop, s->n);
	s->next = *bucket;
	*bucket = r;
}

/* Room for one set more; number 0 is none's. */
static bool sets_grow(struct arena *a, struct hop_sets *t, struct prf_key key)
{
	struct hop_sets bigger = {.cap = t->cap ? t->cap * 2 : CAP_MIN, .n = t->n, .hint = MAX(t->cap, 1u)};
	if (t->cap && t->n < t->cap - 1)
		return true;
	if (bigger.cap > CAP_MAX)
		return false;
	bigger.v = arena_buf_take(a, bigger.cap * 2 * sizeof(ref_t));
	if (!bigger.v)
		return false;
	memset(sets_v(a, &bigger), 0, bigger.cap * 2 * sizeof(ref_t));
	for (uint32_t id = 1; id < t->cap; id++)
		if ((sets_v(a, &bigger)[id] = sets_v(a, t)[id]) != 0)
			set_hash(a, &bigger, key, sets_v(a, &bigger)[id]);
	if (t->cap)
		arena_buf_give(a, t->v, t->cap * 2 * sizeof(ref_t));
	*t = bigger;
	return true;
}

uint32_t hop_sets_take(struct arena *a, struct hop_sets *t, struct prf_key key, const struct fib_hop *hops, int n)
{
	ref_t r = t->cap ? sets_v(a, t)[t->cap + set_bucket(t, key, hops, n)] : 0;
	for (; r; r = ((struct hop_set *)arena_at(a, r))->next) {
		struct hop_set *s = arena_at(a, r);
		if (s->n == n && memcmp(s->hop, hops, (size_t)n * sizeof(*hops)) == 0) {
			s->users++;
			return s->id;
		}
	}
	if (!sets_grow(a, t, key) || !(r = arena_buf_take(a, set_bytes(n))))
		return 0;
	while (t->hint == 0 || sets_v(a, t)[t->hint])
		t->hint = (t->hint + 1) & (t->cap - 1);
	struct hop_set *s = arena_at(a, r);
	*s = (struct hop_set){.users = 1, .id = (uint16_t)t->hint, .n = (uint8_t)n};
	memcpy(s->hop, hops, (size_t)n * sizeof(*hops));
	sets_v(a, t)[s->id] = r;
	t->n++;
	set_hash(a, t, key, r);
	return s->id;
}

void hop_sets_give(struct arena *a, struct hop_sets *t, struct prf_key key, uint32_t id)
{
	ref_t r = sets_v(a, t)[id];
	struct hop_set *s = arena_at(a, r);
	if (--s->users > 0)
		return;
	ref_t *at = sets_v(a, t) + t->cap + set_bucket(t, key, s->hop, s->n);
	while (*at != r)
		at = &((struct hop_set *)arena_at(a, *at))->next;
	*at = s->next;
	sets_v(a, t)[id] = 0;
	t->n--;
	arena_buf_give(a, r, set_bytes(s->n));
	if (t->n == 0)
		hop_sets_free(a, t);
}

void hop_sets_free(struct arena *a, struct hop_sets *t)
{
	ASSERT(t->n == 0);
	if (t->cap)
		arena_buf_give(a, t->v, t->cap * 2 * sizeof(ref_t));
	*t = (struct hop_sets){0};
}

bool hop_set_is_up(const struct hop_set *s, uint64_t down)
{
	for (int i = 0; i < s->n; i++)
		if (hop_is_up(&s->hop[i], down))
			return true;
	return false;
}

/* The hop that a hash falls on; `use` has a bit per hop that takes part, one at least. */
static int choose_among(const struct hop_set *s, uint32_t hash, unsigned use)
{
	uint32_t total = 0;
	int i = 0;
	for (int k = 0; k < s->n; k++)
		total += use >> k & 1 ? s->hop[k].weight : 0;
	uint32_t at = (uint32_t)((uint64_t)hash * total >> 32);
	for (; i < s->n - 1; i++) {
		if (!(use >> i & 1))
			continue;
		if (at < s->hop[i].weight)
			break;
		at -= s->hop[i].weight;
	}
	return i;
}

const struct fib_hop *hop_set_choose(const struct hop_set *s, uint32_t hash, uint64_t down)
{
	if (s->n == 1)
		return &s->hop[0];
	unsigned all = (1u << s->n) - 1, up = 0;
	for (int i = 0; i < s->n; i++)
		up |= (unsigned)hop_is_up(&s->hop[i], down) << i;
	int i = choose_among(s, hash, all);
	if (!(up >> i & 1)) /* which of the others: other bits of the hash, or all of its flows would go to the same one */
		i = choose_among(s, hash * 0x9e3779b1u, up);
	return &s->hop[i];
}
