/* base/arena.h - one region of memory, cut into 64 KiB pages, with typed pools and sized buffers drawn from them.
 *
 * The owner maps the region (zeroed, committed on touch) and hands it over; nothing here calls malloc or mmap. Objects
 * refer to each other by ref_t (byte offset / 16, 0 is none), never by address, so an arena can be copied, restored or
 * mapped elsewhere. Bookkeeping lives inside the region too. An empty page goes back to the page allocator.
 * Limits: 64 GiB; a pool object is at most a page. Under ASan free objects and free pages are poisoned. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/defs.h"

typedef uint32_t ref_t;

#define ARENA_PAGE_SIZE 65536u
#define ARENA_GRANULE_SHIFT 4

struct arena; /* its header stands at the start of the region */

/* mem: borrowed, zeroed, 64-byte aligned; bytes: its length. NULL if too small to hold anything. Touches only the header
 * and what is used of the page table. */
struct arena *arena_init(void *mem, size_t bytes);
/* The owner will use the memory for something else, or unmap it. */
void arena_fini(struct arena *a);

static inline void *arena_at(const struct arena *a, ref_t r)
{
	ASSERT(r != 0);
	return (char *)(uintptr_t)a + ((size_t)r << ARENA_GRANULE_SHIFT);
}

static inline ref_t arena_ref(const struct arena *a, const void *p)
{
	return (ref_t)((size_t)((const char *)p - (const char *)a) >> ARENA_GRANULE_SHIFT);
}

/* n contiguous pages, zeroed on first use only; 0 when there are none. */
ref_t arena_pages_take(struct arena *a, uint32_t n);
void arena_pages_give(struct arena *a, ref_t r, uint32_t n);

/* A buffer of at least `bytes`, not zeroed, 16-byte aligned; any size. Gives it, or 0. */
ref_t arena_buf_take(struct arena *a, size_t bytes);
/* `bytes` as it was taken. */
void arena_buf_give(struct arena *a, ref_t r, size_t bytes);
/* The usable size arena_buf_take(bytes) gives. */
size_t arena_buf_room(size_t bytes);

size_t arena_bytes_cap(const struct arena *a);
/* Bytes of live objects: pool objects by their size, buffers by their class, page runs by their pages. The leak check. */
size_t arena_bytes_used(const struct arena *a);
/* Bytes of pages taken from the page allocator. */
size_t arena_bytes_held(const struct arena *a);
/* The n-th run of free pages that were once used. False past the end. */
bool arena_free_run(const struct arena *a, uint32_t n, size_t *offset, size_t *len);

/* Copy of everything in use. snapshot: bytes written, or 0 if cap is too small (arena_snapshot_bytes() tells). restore:
 * into the same or another initialised region of equal cap; 0 or -EINVAL. */
size_t arena_snapshot_bytes(const struct arena *a);
size_t arena_snapshot(const struct arena *a, void *out, size_t cap);
int arena_restore(struct arena *a, const void *in, size_t len);

/* --- typed pools --- */

/* Lives in the arena (or anywhere that is copied with it). */
struct pool {
	char name[16];
	uint32_t obj_size;  /* bytes, multiple of 16 */
	uint32_t obj_max;   /* cap, 0: none but the arena's */
	uint32_t n_used, n_peak;
	uint32_t page_free; /* first page with a free object */
	uint16_t id;
	uint16_t per_page;
};

/* obj_size is rounded up to a multiple of 16. */
void pool_init(struct arena *a, struct pool *p, const char *name, uint32_t obj_size, uint32_t obj_max);
/* A zeroed object, or 0 at the cap. */
ref_t pool_take(struct arena *a, struct pool *p);
/* The same, not zeroed: who takes it writes what it reads. */
ref_t pool_take_raw(struct arena *a, struct pool *p);
void pool_give(struct arena *a, struct pool *p, ref_t r);
/* Checked arena_at(): debug builds assert that r is of this pool and live. */
void *pool_at(const struct arena *a, const struct pool *p, ref_t r);

#endif
