/* base/arena.c - the page allocator of a region, and snapshots of it.
 *
 * Free pages stand in runs: neighbours are joined when given back (the length is kept at both ends of a run), runs of
 * similar length are linked in bins by their power of two. A request takes from its own bin (a bounded look), else any
 * run of a larger bin, else pages that were never used. So take and give are O(bins + pages of the run).
 *
 * A snapshot is the header with the used part of the page table, then every taken page in order. Free pages are not in
 * it; what they hold after a restore is unspecified, but pages the snapshot never used are zero again. */
#include <errno.h>

#include "base/arena_priv.h"

#define RUN_LOOKS 32 /* runs of the request's own bin that are tried */

_Static_assert(sizeof(struct page) == 28, "page table entry");

static size_t header_bytes(uint32_t n_pages) { return sizeof(struct arena) + (size_t)n_pages * sizeof(struct page); }
static unsigned bin_of(uint32_t n) { return 31u - (unsigned)__builtin_clz(n); }

struct arena *arena_init(void *mem, size_t bytes)
{
	struct arena *a = mem;
	size_t n = MIN(bytes / ARENA_PAGE_SIZE, (size_t)1 << 20);
	size_t first = (header_bytes((uint32_t)n) + ARENA_PAGE_SIZE - 1) / ARENA_PAGE_SIZE;

	if (((uintptr_t)mem & 63) || n <= first)
		return NULL;
	arena_unpoison(mem, first * ARENA_PAGE_SIZE);
	memset(a, 0, sizeof(*a));
	a->magic = ARENA_MAGIC;
	a->n_pages = (uint32_t)n;
	a->first = a->hi = (uint32_t)first;
	buf_pools_init(a);
	return a;
}

void arena_fini(struct arena *a)
{
	arena_unpoison(a, (size_t)a->n_pages * ARENA_PAGE_SIZE);
	a->magic = 0;
}

static void run_link(struct arena *a, uint32_t pg, uint32_t n)
{
	struct page *p = &a->page[pg];
	uint32_t *head = &a->bin[bin_of(n)];

	p->run = a->page[pg + n - 1].run = n;
	p->prev = 0;
	p->next = *head;
	if (*head)
		a->page[*head].prev = pg;
	*head = pg;
}

static void run_unlink(struct arena *a, uint32_t pg)
{
	struct page *p = &a->page[pg];

	if (p->prev)
		a->page[p->prev].next = p->next;
	else
		a->bin[bin_of(p->run)] = p->next;
	if (p->next)
		a->page[p->next].prev = p->prev;
}

/* A free run of at least n pages, or 0. */
static uint32_t run_find(const struct arena *a, uint32_t n)
{
	unsigned b = bin_of(n);
	uint32_t pg = a->bin[b];

	for (int looks = 0; pg && looks < RUN_LOOKS; looks++, pg = a->page[pg].next)
		if (a->page[pg].run >= n)
			return pg;
	while (++b < ARENA_BINS)
		if (a->bin[b])
			return a->bin[b];
	return 0;
}

uint32_t page_run_take(struct arena *a, uint32_t n)
{
	if (n == 0 || n > a->n_pages)
		return 0;
	uint32_t pg = run_find(a, n), len = 0;
	if (pg) {
		len = a->page[pg].run;
		run_unlink(a, pg);
	} else {
		/* never used pages, together with a free run that ends where they begin */
		if (a->hi > a->first && a->page[a->hi - 1].kind == PAGE_FREE)
			len = a->page[a->hi - 1].run;
		pg = a->hi - len;
		if (n > a->n_pages - pg)
			return 0;
		if (len)
			run_unlink(a, pg);
		a->hi = MAX(a->hi, pg + n); /* that run may be long enough, and have stood beyond RUN_LOOKS */
	}
	if (len > n)
		run_link(a, pg + n, len - n);
	for (uint32_t i = 0; i < n; i++) {
		memset(&a->page[pg + i], 0, sizeof(struct page));
		a->page[pg + i].kind = PAGE_RUN;
	}
	a->held += n;
	arena_unpoison(page_mem(a, pg), (size_t)n * ARENA_PAGE_SIZE);
	return pg;
}

void page_run_give(struct arena *a, uint32_t pg, uint32_t n)
{
	ASSERT(pg >= a->first && n > 0 && n <= a->hi - pg);
	for (uint32_t i = 0; i < n; i++) {
		ASSERT(a->page[pg + i].kind == PAGE_RUN || a->page[pg + i].kind == PAGE_POOL);
		a->page[pg + i].kind = PAGE_FREE;
	}
	a->held -= n;
	arena_poison(page_mem(a, pg), (size_t)n * ARENA_PAGE_SIZE);
	if (pg > a->first && a->page[pg - 1].kind == PAGE_FREE) {
		uint32_t before = a->page[pg - 1].run;
		pg -= before;
		n += before;
		run_unlink(a, pg);
	}
	if (pg + n < a->hi && a->page[pg + n].kind == PAGE_FREE) {
		uint32_t after = pg + n;
		n += a->page[after].run;
		run_unlink(a, after);
	}
	run_link(a, pg, n);
}

ref_t arena_pages_take(struct arena *a, uint32_t n)
{
	uint32_t pg = page_run_take(a, n);

	if (!pg)
		return 0;
	a->used += (uint64_t)n * ARENA_PAGE_SIZE;
	return page_ref(pg);
}

void arena_pages_give(struct arena *a, ref_t r, uint32_t n)
{
	ASSERT(r % PAGE_GRANULES == 0);
	a->used -= (uint64_t)n * ARENA_PAGE_SIZE;
	page_run_give(a, page_of(r), n);
}

size_t arena_bytes_cap(const struct arena *a) { return (size_t)(a->n_pages - a->first) * ARENA_PAGE_SIZE; }
size_t arena_bytes_used(const struct arena *a) { return (size_t)a->used; }
size_t arena_bytes_held(const struct arena *a) { return (size_t)a->held * ARENA_PAGE_SIZE; }

bool arena_free_run(const struct arena *a, uint32_t n, size_t *offset, size_t *len)
{
	for (uint32_t pg = a->first; pg < a->hi;) {
		if (a->page[pg].kind != PAGE_FREE) {
			pg++;
			continue;
		}
		if (n-- == 0) {
			*offset = (size_t)pg * ARENA_PAGE_SIZE;
			*len = (size_t)a->page[pg].run * ARENA_PAGE_SIZE;
			return true;
		}
		pg += a->page[pg].run;
	}
	return false;
}

/* --- snapshots --- */

/* Poison what is free in a taken page; the whole page is readable before. */
static void page_repoison(const struct arena *a, uint32_t pg)
{
#ifdef ARENA_ASAN
	const struct page *p = &a->page[pg];
	size_t size = (size_t)p->granules << ARENA_GRANULE_SHIFT;

	if (p->kind != PAGE_POOL)
		return;
	for (ref_t r = p->free; r;) {
		const struct pool_free *f = arena_at(a, r);
		r = f->next;
		arena_poison(f, size);
	}
	arena_poison((char *)page_mem(a, pg) + p->fresh * size, ARENA_PAGE_SIZE - p->fresh * size);
#else
	(void)a, (void)pg;
#endif
}

static bool page_is_taken(const struct page *p) { return p->kind == PAGE_RUN || p->kind == PAGE_POOL; }

size_t arena_snapshot_bytes(const struct arena *a)
{
	return header_bytes(a->hi) + (size_t)a->held * ARENA_PAGE_SIZE;
}

size_t arena_snapshot(const struct arena *a, void *out, size_t cap)
{
	char *o = out;
	size_t head = header_bytes(a->hi);

	if (cap < arena_snapshot_bytes(a))
		return 0;
	memcpy(o, a, head);
	o += head;
	for (uint32_t pg = a->first; pg < a->hi; pg++) {
		if (!page_is_taken(&a->page[pg]))
			continue;
		arena_unpoison(page_mem(a, pg), ARENA_PAGE_SIZE);
		memcpy(o, page_mem(a, pg), ARENA_PAGE_SIZE);
		page_repoison(a, pg);
		o += ARENA_PAGE_SIZE;
	}
	return (size_t)(o - (char *)out);
}

/* Pages that a snapshot's table calls taken: as many must follow it. `in` may be unaligned. */
static uint32_t snapshot_pages(const char *in, uint32_t first, uint32_t hi)
{
	uint32_t n = 0;

	for (uint32_t pg = first; pg < hi; pg++) {
		struct page p;
		memcpy(&p, in + header_bytes(pg), sizeof(p));
		n += page_is_taken(&p);
	}
	return n;
}

int arena_restore(struct arena *a, const void *in, size_t len)
{
	const char *i = in;
	struct arena h; /* without the table; `in` may be unaligned */
	uint32_t old_hi = a->hi;

	if (a->magic != ARENA_MAGIC || len < sizeof(h))
		return -EINVAL;
	memcpy(&h, in, sizeof(h));
	if (h.magic != ARENA_MAGIC || h.n_pages != a->n_pages || h.first != a->first || h.hi < h.first ||
	    h.hi > h.n_pages || h.held > h.hi - h.first ||
	    len != header_bytes(h.hi) + (size_t)h.held * ARENA_PAGE_SIZE || snapshot_pages(in, h.first, h.hi) != h.held)
		return -EINVAL;
	memcpy(a, i, header_bytes(h.hi));
	i += header_bytes(h.hi);
	for (uint32_t pg = a->first; pg < a->hi; pg++) {
		if (!page_is_taken(&a->page[pg])) {
			arena_poison(page_mem(a, pg), ARENA_PAGE_SIZE);
			continue;
		}
		arena_unpoison(page_mem(a, pg), ARENA_PAGE_SIZE);
		memcpy(page_mem(a, pg), i, ARENA_PAGE_SIZE);
		page_repoison(a, pg);
		i += ARENA_PAGE_SIZE;
	}
	if (old_hi > a->hi) { /* pages the snapshot never used are fresh again */
		size_t n = old_hi - a->hi;
		memset(&a->page[a->hi], 0, n * sizeof(struct page));
		arena_unpoison(page_mem(a, a->hi), n * ARENA_PAGE_SIZE);
		memset(page_mem(a, a->hi), 0, n * ARENA_PAGE_SIZE);
	}
	return 0;
}
