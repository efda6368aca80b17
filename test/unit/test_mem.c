/* Blocks and loans: counts, limits, what comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <sys/mman.h>

#include "base/rng.h"
#include "pkt/mem.h"
#include "pkt/pkt.h"
#include "region.h"

#define BYTES (32 * (size_t)ARENA_PAGE_SIZE)

static void mem_new(struct pktmem *m, size_t bytes)
{
	struct arena *a = region_new(bytes);

	arena_fini(a);
	memset(a, 0, bytes);
	assert_int_equal(pktmem_init(m, a, bytes), 0);
}

static void mem_free(struct pktmem *m)
{
	void *mem = m->home;

	pktmem_fini(m);
	free(mem);
}

static void pktmem_init__refuses_bad_regions(void **state)
{
	struct pktmem m;
	char *mem = aligned_alloc(ARENA_PAGE_SIZE, BYTES);

	memset(mem, 0, BYTES);
	assert_int_equal(pktmem_init(&m, mem + 64, BYTES - 64), -EINVAL);
	assert_int_equal(pktmem_init(&m, mem, ARENA_PAGE_SIZE), -EINVAL);
	assert_int_equal(pktmem_init(&m, mem, BYTES), 0);
	pktmem_fini(&m);
	free(mem);
}

/* References to loans hold 28 bits of 64-byte steps: a larger region is used up to there. */
static void pktmem_init__uses_at_most_16_gib(void **state)
{
	size_t bytes = (size_t)20 << 30;
	char *mem = mmap(NULL, bytes + ARENA_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct pktmem m;

	if (mem == MAP_FAILED)
		skip();
	void *region = (void *)(((uintptr_t)mem + ARENA_PAGE_SIZE - 1) & ~(uintptr_t)(ARENA_PAGE_SIZE - 1));
	assert_int_equal(pktmem_init(&m, region, bytes), 0);
	assert_true(pktmem_bytes_free(&m) <= (size_t)16 << 30);
	assert_true(pktmem_bytes_free(&m) > (size_t)15 << 30);
	munmap(mem, bytes + ARENA_PAGE_SIZE);
}

static void blk__counts(void **state)
{
	struct pktmem m;
	mem_new(&m, BYTES);
	size_t base = arena_bytes_used(m.home), free_then = pktmem_bytes_free(&m);
	blk_t b = blk_new(&m), c = blk_new(&m);

	assert_true(b && c && b != c);
	assert_int_equal(pktmem_blks_used(&m), 2);
	assert_int_equal(blk_room(&m, b), BLK_ROOM);
	assert_int_equal(blk_cost(&m, b), BLK_BYTES);
	assert_int_equal(pktmem_bytes_free(&m), free_then - 2 * BLK_BYTES);
	memset(blk_data(&m, b), 0xaa, BLK_ROOM);
	memset(blk_data(&m, c), 0xbb, BLK_ROOM);
	assert_true(blk_is_mine(&m, b));
	assert_int_equal(blk_hold(&m, b), b);
	assert_int_equal(blk_count(&m, b), 2);
	assert_false(blk_is_mine(&m, b));
	blk_drop(&m, b);
	assert_true(blk_is_mine(&m, b));
	assert_int_equal(blk_data(&m, b)[0], 0xaa);
	assert_int_equal(blk_data(&m, b)[BLK_ROOM - 1], 0xaa);
	blk_drop(&m, b);
	blk_drop(&m, c);
	assert_int_equal(pktmem_blks_used(&m), 0);
	assert_int_equal(arena_bytes_used(m.home), base);
	mem_free(&m);
}

static void blk_new__until_memory_is_out(void **state)
{
	struct pktmem m;
	mem_new(&m, BYTES);
	static blk_t b[1000];
	unsigned n = 0;

	while ((b[n] = blk_new(&m))) {
		memset(blk_data(&m, b[n]), (int)n, BLK_ROOM);
		n++;
	}
	/* All pages but the header's, one of small things, and those kept for packets. */
	assert_true(n >= (BYTES / ARENA_PAGE_SIZE - 2 - BYTES / ARENA_PAGE_SIZE / 8) * 16);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(blk_data(&m, b[i])[BLK_ROOM - 1], (uint8_t)i);
		blk_drop(&m, b[i]);
	}
	assert_int_equal(pktmem_blks_used(&m), 0);
	mem_free(&m);
}

/* However small the region and however full of blocks: there is a packet to send some of them in. */
static void blk_new__leaves_room_for_a_packet(void **state)
{
	for (unsigned pages = 4; pages < 20; pages++) {
		struct pktmem m;
		blk_t b[20 * 16];
		unsigned n = 0;
		mem_new(&m, pages * ARENA_PAGE_SIZE);
		while ((b[n] = blk_new(&m)))
			n++;
		assert_true(n >= 16);
		struct pkt *p = pkt_new(&m, 0);
		assert_non_null(p);
		pkt_free(&m, p);
		while (n)
			blk_drop(&m, b[--n]);
		mem_free(&m);
	}
}

struct done_log {
	unsigned n;
	uint64_t token;
};
static void on_done(void *ctx, uint64_t token)
{
	struct done_log *log = ctx;

	log->n++;
	log->token = token;
}

static void blk_lend__returns_once_at_the_last_drop(void **state)
{
	static const uint8_t text[65536] = {1, 2, 3};
	struct done_log log = {0};
	struct pktmem m;
	mem_new(&m, BYTES);
	size_t base = arena_bytes_used(m.home);
	blk_t b = blk_lend(&m, text, 65535, on_done, &log, 0x123456789abcdef0);

	assert_int_not_equal(b, 0);
	assert_ptr_equal(blk_data(&m, b), text);
	assert_int_equal(blk_room(&m, b), 65535);
	assert_int_equal(blk_cost(&m, b), 65535);
	assert_false(blk_is_mine(&m, b)); /* read-only */
	assert_int_equal(pktmem_blks_used(&m), 1);
	blk_hold(&m, b);
	blk_drop(&m, b);
	assert_int_equal(log.n, 0);
	blk_drop(&m, b);
	assert_int_equal(log.n, 1);
	assert_int_equal(log.token, 0x123456789abcdef0);
	b = blk_lend(&m, text, 3, NULL, NULL, 0);
	blk_drop(&m, b);
	assert_int_equal(blk_lend(&m, text, 65536, NULL, NULL, 0), 0);
	assert_int_equal(arena_bytes_used(m.home), base);
	mem_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pktmem_init__refuses_bad_regions),
		cmocka_unit_test(pktmem_init__uses_at_most_16_gib), cmocka_unit_test(blk_new__leaves_room_for_a_packet),
		cmocka_unit_test(blk__counts),
		cmocka_unit_test(blk_new__until_memory_is_out),
		cmocka_unit_test(blk_lend__returns_once_at_the_last_drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
