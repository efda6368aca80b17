/* base/buf.c - buffers of any size: classes drawn from pools of the arena, whole pages beyond 32 KiB.
 *
 * The classes are the powers of two and, between them, about one and a half of each, all multiples of 16 that divide a
 * page with little rest: from 17 bytes on less than half of a buffer is lost. A class that is not used owns no page. */
#include "base/arena_priv.h"

static const uint16_t class_size[ARENA_BUF_CLASSES] = {
	16,   32,   48,   64,   96,   128,  192,  256,  384,  512,   768,
	1024, 1536, 2048, 3072, 4096, 6544, 8192, 10912, 16384, 21840, 32768,
};

static uint32_t pages_for(size_t bytes) { return (uint32_t)((bytes + ARENA_PAGE_SIZE - 1) / ARENA_PAGE_SIZE); }

/* The smallest class that holds `bytes`, or ARENA_BUF_CLASSES. */
static unsigned class_of(size_t bytes)
{
	unsigned lo = 0, hi = ARENA_BUF_CLASSES;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;
		if (class_size[mid] < bytes)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

void buf_pools_init(struct arena *a)
{
	for (unsigned c = 0; c < ARENA_BUF_CLASSES; c++)
		pool_init(a, &a->buf[c], "buf", class_size[c], 0);
}

ref_t arena_buf_take(struct arena *a, size_t bytes)
{
	unsigned c = class_of(bytes);

	if (c < ARENA_BUF_CLASSES)
		return pool_take_raw(a, &a->buf[c]);
	if (bytes > arena_bytes_cap(a))
		return 0;
	return arena_pages_take(a, pages_for(bytes));
}

void arena_buf_give(struct arena *a, ref_t r, size_t bytes)
{
	unsigned c = class_of(bytes);

	if (c < ARENA_BUF_CLASSES)
		pool_give(a, &a->buf[c], r);
	else
		arena_pages_give(a, r, pages_for(bytes));
}

size_t arena_buf_room(size_t bytes)
{
	unsigned c = class_of(bytes);

	return c < ARENA_BUF_CLASSES ? class_size[c] : (size_t)pages_for(bytes) * ARENA_PAGE_SIZE;
}
