/* base/pool.c - typed pools: objects of one size, cut from 64 KiB pages.
 *
 * A pool links its pages that have room. Within a page, objects given back stand in a list threaded through themselves;
 * beyond `fresh` the page was not touched yet, so a pool with three objects costs one 4 KiB page of real memory. The
 * last object of a page gives the page back. Take and give: O(1). */
#include "base/arena_priv.h"

void pool_init(struct arena *a, struct pool *p, const char *name, uint32_t obj_size, uint32_t obj_max)
{
	size_t len = MIN(strlen(name), sizeof(p->name) - 1);

	obj_size = (MAX(obj_size, 1u) + 15) & ~15u;
	ASSERT(obj_size <= ARENA_PAGE_SIZE && a->n_pools < UINT16_MAX);
	memset(p, 0, sizeof(*p));
	memcpy(p->name, name, len);
	p->obj_size = obj_size;
	p->obj_max = obj_max;
	p->id = (uint16_t)++a->n_pools;
	p->per_page = (uint16_t)(ARENA_PAGE_SIZE / obj_size);
}

static void page_link(struct arena *a, struct pool *p, uint32_t pg)
{
	a->page[pg].prev = 0;
	a->page[pg].next = p->page_free;
	if (p->page_free)
		a->page[p->page_free].prev = pg;
	p->page_free = pg;
}

static void page_unlink(struct arena *a, struct pool *p, uint32_t pg)
{
	struct page *e = &a->page[pg];

	if (e->prev)
		a->page[e->prev].next = e->next;
	else
		p->page_free = e->next;
	if (e->next)
		a->page[e->next].prev = e->prev;
	e->next = e->prev = 0;
}

static uint32_t page_new(struct arena *a, struct pool *p)
{
	uint32_t pg = page_run_take(a, 1);

	if (!pg)
		return 0;
	struct page *e = &a->page[pg];
	e->kind = PAGE_POOL;
	e->pool = p->id;
	e->granules = (uint16_t)(p->obj_size >> ARENA_GRANULE_SHIFT);
	page_link(a, p, pg);
	arena_poison(page_mem(a, pg), ARENA_PAGE_SIZE);
	return pg;
}

ref_t pool_take_raw(struct arena *a, struct pool *p)
{
	uint32_t pg = p->page_free;

	if (p->obj_max && p->n_used >= p->obj_max)
		return 0;
	if (!pg && !(pg = page_new(a, p)))
		return 0;
	struct page *e = &a->page[pg];
	ref_t r = e->free;
	if (r) {
		struct pool_free *f = arena_at(a, r);
		arena_unpoison(f, p->obj_size);
		e->free = f->next;
		f->mark = 0;
	} else {
		r = page_ref(pg) + (uint32_t)e->fresh++ * e->granules;
		arena_unpoison(arena_at(a, r), p->obj_size);
		((struct pool_free *)arena_at(a, r))->mark = 0; /* the page may have been another pool's */
	}
	if (++e->used == p->per_page)
		page_unlink(a, p, pg);
	p->n_used++;
	p->n_peak = MAX(p->n_peak, p->n_used);
	a->used += p->obj_size;
	return r;
}

ref_t pool_take(struct arena *a, struct pool *p)
{
	ref_t r = pool_take_raw(a, p);

	if (r)
		memset(arena_at(a, r), 0, p->obj_size);
	return r;
}

/* Does r name an object of p that was handed out? (That it was not given back since is asked of the object.) */
static bool pool_owns(const struct arena *a, const struct pool *p, ref_t r)
{
	uint32_t pg = page_of(r);

	if (pg < a->first || pg >= a->hi)
		return false;
	const struct page *e = &a->page[pg];
	uint32_t at = r - page_ref(pg);
	return e->kind == PAGE_POOL && e->pool == p->id && at % e->granules == 0 && at / e->granules < e->fresh;
}

static bool obj_is_free(const void *obj)
{
#ifdef ARENA_ASAN
	return __asan_address_is_poisoned(obj);
#else
	const struct pool_free *f = obj;
	return f->mark == POOL_FREE_MARK && f->mark2 == POOL_FREE_MARK2;
#endif
}

void *pool_at(const struct arena *a, const struct pool *p, ref_t r)
{
	void *obj = arena_at(a, r);

	ASSERT(pool_owns(a, p, r) && !obj_is_free(obj));
	return obj;
}

void pool_give(struct arena *a, struct pool *p, ref_t r)
{
	struct pool_free *f = arena_at(a, r);
	uint32_t pg = page_of(r);
	struct page *e = &a->page[pg];

	ASSERT(pool_owns(a, p, r) && !obj_is_free(f));
	if (e->used == p->per_page)
		page_link(a, p, pg);
	*f = (struct pool_free){e->free, POOL_FREE_MARK, POOL_FREE_MARK2};
	e->free = r;
	arena_poison(f, p->obj_size);
	p->n_used--;
	a->used -= p->obj_size;
	if (--e->used == 0) {
		page_unlink(a, p, pg);
		page_run_give(a, pg, 1);
	}
}
