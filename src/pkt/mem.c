/* pkt/mem.c - packet memory: the home region's pools, counted blocks, loans.
 *
 * Block references: region 0 is the home region, `where` counts its 4 KiB granules (blocks stand aligned within their
 * page); region 1 are loans, `where` counts 64-byte granules of their descriptors. Counts are plain: one thread. */
#include <errno.h>

#include "pkt/mem_priv.h"
#include "pkt/pkt.h"

#define REGION_SHIFT 28
#define REGION_HOME 0u
#define REGION_LOAN 1u
#define HOME_GRANULE 8u /* 4 KiB / 16 */
#define LOAN_GRANULE 2u /* 64 / 16 */
#define LOAN_BYTES 64u
#define LOAN_MAX 65535u
#define REGION_BYTES_MAX ((size_t)LOAN_BYTES << REGION_SHIFT) /* 16 GiB: what a loan's reference reaches */

struct pktmem_state {
	struct pool pkts, blks, loans;
};
struct blk_head {
	uint32_t count;
	uint32_t fill;
	uint8_t pad[BLK_HEADER - 8];
};
/* The one place in an arena that holds addresses of a process: what is lent belongs to one. */
struct loan {
	uint32_t count;
	uint32_t len;
	const uint8_t *data;
	void (*done)(void *ctx, uint64_t token);
	void *ctx;
	uint64_t token;
};

_Static_assert(sizeof(struct blk_head) == BLK_HEADER, "the block's header");
_Static_assert(sizeof(struct loan) <= LOAN_BYTES, "a loan fits its slot");

static bool is_loan(blk_t b) { return b >> REGION_SHIFT == REGION_LOAN; }

static struct blk_head *head_of(const struct pktmem *m, blk_t b)
{
	ASSERT(b >> REGION_SHIFT == REGION_HOME);
	return pool_at(m->home, &m->st->blks, (ref_t)(b << HOME_GRANULE));
}

static ref_t loan_ref(blk_t b) { return (b & ((1u << REGION_SHIFT) - 1)) << LOAN_GRANULE; }
static struct loan *loan_of(const struct pktmem *m, blk_t b) { return pool_at(m->home, &m->st->loans, loan_ref(b)); }

int pktmem_init(struct pktmem *m, void *region, size_t bytes)
{
	m->home = (uintptr_t)region % ARENA_PAGE_SIZE ? NULL : arena_init(region, MIN(bytes, REGION_BYTES_MAX));
	if (!m->home)
		return -EINVAL;
	ref_t r = arena_buf_take(m->home, sizeof(struct pktmem_state));
	if (!r)
		return -EINVAL;
	m->st = arena_at(m->home, r);
	pool_init(m->home, &m->st->pkts, "pkt", PKT_BYTES, 0);
	/* One page in eight, and at least one, stays for packets: were all of them blocks full of unsent bytes, no packet could be made to send
	 * any, and none would ever come back. A pool takes a page only when its others are full, so a cap on blocks is one on
	 * their pages. */
	uint32_t pages = (uint32_t)(arena_bytes_cap(m->home) / ARENA_PAGE_SIZE);
	uint32_t kept = 1 + MAX(pages / 8, 1u); /* the one holds small things: the state, loans */
	if (pages <= kept)
		return -EINVAL;
	pool_init(m->home, &m->st->blks, "block", BLK_BYTES, (pages - kept) * (ARENA_PAGE_SIZE / BLK_BYTES));
	pool_init(m->home, &m->st->loans, "loan", LOAN_BYTES, 0);
	return 0;
}

void pktmem_fini(struct pktmem *m)
{
	arena_fini(m->home);
	m->home = NULL;
	m->st = NULL;
}

uint32_t pktmem_pkts_used(const struct pktmem *m) { return m->st->pkts.n_used; }
uint32_t pktmem_blks_used(const struct pktmem *m) { return m->st->blks.n_used + m->st->loans.n_used; }
size_t pktmem_bytes_free(const struct pktmem *m) { return arena_bytes_cap(m->home) - arena_bytes_used(m->home); }

ref_t pktmem_pkt_take(struct pktmem *m) { return pool_take_raw(m->home, &m->st->pkts); }
void pktmem_pkt_give(struct pktmem *m, ref_t r) { pool_give(m->home, &m->st->pkts, r); }

static blk_t blk_take(struct pktmem *m, uint32_t fill)
{
	ref_t r = pool_take_raw(m->home, &m->st->blks);

	if (!r)
		return 0;
	struct blk_head *h = arena_at(m->home, r);
	h->count = 1;
	h->fill = fill;
	return r >> HOME_GRANULE;
}

blk_t blk_new(struct pktmem *m) { return blk_take(m, BLK_ROOM); }

blk_t blk_new_open(struct pktmem *m, enum blk_use use)
{
	const struct pool *p = &m->st->blks;
	return p->n_used < (uint64_t)p->obj_max * use / 8 ? blk_take(m, 0) : 0;
}

blk_t blk_lend(struct pktmem *m, const void *data, uint32_t len, void (*done)(void *ctx, uint64_t token), void *ctx,
               uint64_t token)
{
	ref_t r = len <= LOAN_MAX ? pool_take_raw(m->home, &m->st->loans) : 0;

	if (!r)
		return 0;
	*(struct loan *)arena_at(m->home, r) = (struct loan){1, len, data, done, ctx, token};
	return REGION_LOAN << REGION_SHIFT | r >> LOAN_GRANULE;
}

static uint32_t *count_of(const struct pktmem *m, blk_t b)
{
	return is_loan(b) ? &loan_of(m, b)->count : &head_of(m, b)->count;
}

blk_t blk_hold(struct pktmem *m, blk_t b)
{
	uint32_t *n = count_of(m, b);

	ASSERT(*n > 0 && *n < UINT32_MAX);
	++*n;
	return b;
}

void blk_drop(struct pktmem *m, blk_t b)
{
	uint32_t *n = count_of(m, b);

	ASSERT(*n > 0);
	if (--*n)
		return;
	if (!is_loan(b)) {
		pool_give(m->home, &m->st->blks, (ref_t)(b << HOME_GRANULE));
		return;
	}
	struct loan l = *loan_of(m, b);
	pool_give(m->home, &m->st->loans, loan_ref(b));
	if (l.done)
		l.done(l.ctx, l.token);
}

uint32_t blk_count(const struct pktmem *m, blk_t b) { return *count_of(m, b); }
uint32_t blk_room(const struct pktmem *m, blk_t b) { return is_loan(b) ? loan_of(m, b)->len : BLK_ROOM; }
uint32_t blk_cost(const struct pktmem *m, blk_t b) { return is_loan(b) ? loan_of(m, b)->len : BLK_BYTES; }
bool blk_is_mine(const struct pktmem *m, blk_t b) { return !is_loan(b) && head_of(m, b)->count == 1; }
uint32_t blk_fill(const struct pktmem *m, blk_t b) { return is_loan(b) ? loan_of(m, b)->len : head_of(m, b)->fill; }

uint8_t *blk_data(const struct pktmem *m, blk_t b)
{
	if (is_loan(b))
		return (uint8_t *)(uintptr_t)loan_of(m, b)->data;
	return (uint8_t *)(head_of(m, b) + 1);
}

uint8_t *blk_claim(struct pktmem *m, blk_t b, uint32_t n)
{
	struct blk_head *h = head_of(m, b);
	uint8_t *at = (uint8_t *)(h + 1) + h->fill;

	ASSERT(n <= BLK_ROOM - h->fill);
	h->fill += n;
	return at;
}
