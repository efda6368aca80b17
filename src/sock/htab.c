/* sock/htab.c - hash table of arena objects with incremental resize.
 *
 * Grows when there are more objects than buckets, shrinks when there are fewer than an eighth, and falls back to
 * HTAB_MIN buckets when it becomes empty, so that an idle stack is back at its baseline. */
#include "sock/htab.h"

#include <errno.h>

static ref_t *link_of(const struct arena *a, const struct htab *h, ref_t obj)
{
	return (ref_t *)(void *)((char *)arena_at(a, obj) + h->off_next);
}

/* The one bucket where objects of this hash stand. */
static ref_t *bucket_of(const struct arena *a, const struct htab *h, uint32_t hash)
{
	if (h->old) {
		uint32_t i = hash & (h->old_n - 1);
		if (i >= h->moved)
			return (ref_t *)arena_at(a, h->old) + i;
	}
	return (ref_t *)arena_at(a, h->cur) + (hash & (h->cur_n - 1));
}

static ref_t buckets_take(struct arena *a, uint32_t n)
{
	ref_t r = arena_buf_take(a, n * sizeof(ref_t));
	if (r)
		memset(arena_at(a, r), 0, n * sizeof(ref_t));
	return r;
}

static void buckets_give(struct arena *a, ref_t r, uint32_t n)
{
	if (r)
		arena_buf_give(a, r, n * sizeof(ref_t));
}

int htab_init(struct arena *a, struct htab *h, size_t off_next, size_t off_hash)
{
	memset(h, 0, sizeof(*h));
	h->off_next = (uint16_t)off_next;
	h->off_hash = (uint16_t)off_hash;
	h->cur = buckets_take(a, HTAB_MIN);
	h->cur_n = HTAB_MIN;
	return h->cur ? 0 : -ENOMEM;
}

void htab_fini(struct arena *a, struct htab *h)
{
	buckets_give(a, h->cur, h->cur_n);
	buckets_give(a, h->old, h->old_n);
	h->cur = h->old = 0;
	h->count = 0;
}

static void resize_step(struct arena *a, struct htab *h)
{
	if (!h->old)
		return;
	ref_t *old = arena_at(a, h->old);
	ref_t *cur = arena_at(a, h->cur);
	for (uint32_t n = 0; n < HTAB_STEP && h->moved < h->old_n; n++) {
		ref_t obj = old[h->moved];
		while (obj) {
			ref_t *l = link_of(a, h, obj);
			ref_t next = *l;
			ref_t *b = &cur[htab_hash_of(a, h, obj) & (h->cur_n - 1)];
			*l = *b;
			*b = obj;
			obj = next;
		}
		old[h->moved++] = 0;
	}
	if (h->moved == h->old_n) {
		buckets_give(a, h->old, h->old_n);
		h->old = 0;
		h->old_n = h->moved = 0;
	}
}

static void resize_start(struct arena *a, struct htab *h, uint32_t n)
{
	ref_t r = buckets_take(a, n);
	if (!r)
		return;
	h->old = h->cur;
	h->old_n = h->cur_n;
	h->moved = 0;
	h->cur = r;
	h->cur_n = n;
}

/* Nothing is in it: back to the smallest size at once. */
static void collapse(struct arena *a, struct htab *h)
{
	buckets_give(a, h->old, h->old_n);
	h->old = 0;
	h->old_n = h->moved = 0;
	if (h->cur_n == HTAB_MIN)
		return;
	ref_t r = buckets_take(a, HTAB_MIN);
	if (!r)
		return;
	buckets_give(a, h->cur, h->cur_n);
	h->cur = r;
	h->cur_n = HTAB_MIN;
}

void htab_add(struct arena *a, struct htab *h, ref_t obj)
{
	resize_step(a, h);
	if (!h->old && h->count >= h->cur_n && h->cur_n < UINT32_C(1) << 28)
		resize_start(a, h, h->cur_n * 2);
	ref_t *b = bucket_of(a, h, htab_hash_of(a, h, obj));
	*link_of(a, h, obj) = *b;
	*b = obj;
	h->count++;
}

bool htab_del(struct arena *a, struct htab *h, ref_t obj)
{
	ref_t *l = bucket_of(a, h, htab_hash_of(a, h, obj));
	while (*l && *l != obj)
		l = link_of(a, h, *l);
	if (!*l)
		return false;
	*l = *link_of(a, h, obj);
	*link_of(a, h, obj) = 0;
	h->count--;
	if (!h->count) {
		collapse(a, h);
		return true;
	}
	resize_step(a, h);
	if (!h->old && h->cur_n > HTAB_MIN && h->count < h->cur_n / 8)
		resize_start(a, h, h->cur_n / 2);
	return true;
}

ref_t htab_first(const struct arena *a, const struct htab *h, uint32_t hash)
{
	return *bucket_of(a, h, hash);
}

ref_t htab_any(const struct arena *a, const struct htab *h)
{
	for (uint32_t i = 0; h->count && i < h->cur_n; i++)
		if (((ref_t *)arena_at(a, h->cur))[i])
			return ((ref_t *)arena_at(a, h->cur))[i];
	for (uint32_t i = h->moved; h->count && h->old && i < h->old_n; i++)
		if (((ref_t *)arena_at(a, h->old))[i])
			return ((ref_t *)arena_at(a, h->old))[i];
	return 0;
}

static uint32_t longest_in(const struct arena *a, const struct htab *h, ref_t r, uint32_t n)
{
	uint32_t max = 0;
	for (uint32_t i = 0; r && i < n; i++) {
		uint32_t len = 0;
		for (ref_t o = ((ref_t *)arena_at(a, r))[i]; o; o = *link_of(a, h, o))
			len++;
		max = MAX(max, len);
	}
	return max;
}

uint32_t htab_longest(const struct arena *a, const struct htab *h)
{
	uint32_t c = longest_in(a, h, h->cur, h->cur_n), o = longest_in(a, h, h->old, h->old_n);
	return MAX(c, o);
}
