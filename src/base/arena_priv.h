/* base/arena_priv.h - what arena.c, pool.c and buf.c share: the region's header, its page table, poisoning.
 *
 * Page 0 and the next few hold struct arena and the table, one struct page per page. A page is named by its number;
 * 0 is the header itself and therefore "none" in every list of pages. */
#ifndef BASE_ARENA_PRIV_H
#define BASE_ARENA_PRIV_H

#include "base/arena.h"

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif

#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
static inline void arena_poison(const void *p, size_t n) { __asan_poison_memory_region(p, n); }
static inline void arena_unpoison(const void *p, size_t n) { __asan_unpoison_memory_region(p, n); }
#else
static inline void arena_poison(const void *p, size_t n) { (void)p, (void)n; }
static inline void arena_unpoison(const void *p, size_t n) { (void)p, (void)n; }
#endif

#define ARENA_MAGIC UINT64_C(0x31616e6572617664)
#define ARENA_BINS 21        /* free runs of [2^b, 2^(b+1)) pages; 2^20 pages are 64 GiB */
#define ARENA_BUF_CLASSES 22 /* see buf.c */
#define PAGE_GRANULES (ARENA_PAGE_SIZE >> ARENA_GRANULE_SHIFT)

enum page_kind {
	PAGE_FRESH, /* never taken */
	PAGE_FREE,
	PAGE_RUN,  /* in a run taken with arena_pages_take() */
	PAGE_POOL,
};

struct page {
	uint8_t kind;
	uint8_t pad;
	uint16_t pool;       /* POOL: its id */
	uint16_t granules;   /* POOL: object size / 16 */
	uint16_t used;       /* POOL: live objects */
	uint16_t fresh;      /* POOL: objects from this index on were not handed out yet and are in no free list */
	uint16_t pad2;
	ref_t free;          /* POOL: first object that was given back */
	uint32_t next, prev; /* POOL: pages of this pool with room. FREE, first page: runs of the same bin */
	uint32_t run;        /* FREE: pages in the run, at its first and its last page */
};

struct arena {
	uint64_t magic;
	uint32_t n_pages; /* all, header pages included */
	uint32_t first;   /* first page that is not header */
	uint32_t hi;      /* pages from here on are FRESH */
	uint32_t held;    /* pages taken */
	uint64_t used;    /* bytes of live objects */
	uint32_t n_pools; /* ids given so far */
	uint32_t bin[ARENA_BINS];
	struct pool buf[ARENA_BUF_CLASSES];
	struct page page[];
};

static inline void *page_mem(const struct arena *a, uint32_t pg)
{
	return (char *)(uintptr_t)a + (size_t)pg * ARENA_PAGE_SIZE;
}

static inline ref_t page_ref(uint32_t pg) { return (ref_t)(pg * PAGE_GRANULES); }
static inline uint32_t page_of(ref_t r) { return r / PAGE_GRANULES; }

/* A freed object begins with this. The marks let debug builds see a use of it. */
struct pool_free {
	ref_t next;
	uint32_t mark;
	uint64_t mark2;
};
#define POOL_FREE_MARK 0xf4eef4eeu
#define POOL_FREE_MARK2 UINT64_C(0xdeadf4eedeadf4ee)

/* Pages without the count of live bytes: n contiguous ones, by number, or 0. */
uint32_t page_run_take(struct arena *a, uint32_t n);
void page_run_give(struct arena *a, uint32_t pg, uint32_t n);

void buf_pools_init(struct arena *a);

#endif
