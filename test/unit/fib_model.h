/* test/unit/fib_model.h - a naive table of prefixes beside net/fib.h: random changes and look-ups must agree.
 *
 * The naive one is an open hash of (bits, length); a look-up tries every length, longest first. It shares no code with fib.c.
 * Prefixes have a realistic mix of lengths, cluster, nest and come back; each has one to three hops. */
#ifndef UNIT_FIB_MODEL_H
#define UNIT_FIB_MODEL_H

#include <stdio.h>

#include "base/rng.h"
#include "net/fib.h"
#include "region.h"

#define MODEL_IFS 40 /* interfaces 2 to 41, so that sets of them are many */

struct model_row {
	uint8_t b[16];
	uint8_t plen, n_hops; /* plen 255: free, 254: was in use */
	uint8_t hop[3];
	uint32_t at; /* in live */
};
struct fib_model {
	struct model_row *row;
	uint32_t cap, n;
	uint32_t n_len[129];
	uint32_t *live; /* rows in use, for picking one */
};

static inline struct fib_model model_new(uint32_t cap)
{
	struct fib_model m = {.cap = cap, .row = malloc(cap * sizeof(struct model_row)), .live = malloc(cap * sizeof(uint32_t))};
	memset(m.row, 255, cap * sizeof(struct model_row));
	return m;
}

static inline void model_free(struct fib_model *m)
{
	free(m->row);
	free(m->live);
}

static inline void model_bits(uint8_t b[16], unsigned plen)
{
	for (unsigned i = 0; i < 16; i++)
		b[i] &= (uint8_t)(plen >= 8 * i + 8 ? 0xff : plen <= 8 * i ? 0 : 0xff00u >> (plen - 8 * i));
}

/* The row of exactly this prefix, or where it would go. */
static inline struct model_row *model_at(const struct fib_model *m, const uint8_t b[16], unsigned plen)
{
	uint64_t h = plen * UINT64_C(0x9e3779b97f4a7c15), w[2];
	struct model_row *gone = NULL;
	memcpy(w, b, 16);
	h = (h ^ w[0]) * UINT64_C(0xbf58476d1ce4e5b9);
	h = (h ^ h >> 29 ^ w[1]) * UINT64_C(0x94d049bb133111eb);
	for (uint32_t i = (uint32_t)(h >> 32) % m->cap;; i = i + 1 == m->cap ? 0 : i + 1) {
		struct model_row *r = &m->row[i];
		if (r->plen == 255)
			return gone ? gone : r;
		if (r->plen == 254)
			gone = gone ? gone : r;
		else if (r->plen == plen && memcmp(r->b, b, 16) == 0)
			return r;
	}
}

static inline bool model_row_up(const struct model_row *r, uint64_t down)
{
	for (int i = 0; i < r->n_hops; i++)
		if (!(down >> r->hop[i] & 1))
			return true;
	return false;
}

static inline const struct model_row *model_find(const struct fib_model *m, const struct via_addr *a, uint64_t down)
{
	int least = via_addr_is_v4(a) ? 96 : 0;
	uint8_t b[16];
	memcpy(b, a->b, 16);
	for (int plen = 128; plen >= least; plen--) {
		if (plen < 128)
			b[plen / 8] &= (uint8_t)~(0x80u >> plen % 8);
		if (m->n_len[plen] == 0)
			continue;
		const struct model_row *r = model_at(m, b, (unsigned)plen);
		if (r->plen == plen && model_row_up(r, down))
			return r;
	}
	return NULL;
}

/* ---- what is asked ---- */

static inline struct fib_hop model_hop(uint8_t ifindex)
{
	return (struct fib_hop){.gateway = via_addr_v4(0x0a000000u + ifindex), .ifindex = ifindex, .weight = 1};
}

static inline void model_dst(struct via_addr *a, uint64_t hi, uint64_t lo, bool four)
{
	memset(a, 0, sizeof(*a));
	if (four) {
		*a = via_addr_v4((uint32_t)(hi >> 32));
		return;
	}
	for (int i = 0; i < 8; i++) {
		a->b[i] = (uint8_t)(hi >> (56 - 8 * i));
		a->b[8 + i] = (uint8_t)(lo >> (56 - 8 * i));
	}
}

/* A prefix like those of the internet, or near one that is there (0..128 of plen_out in its family). */
static inline void model_prefix(struct rng *r, const struct fib_model *m, bool four, struct via_addr *a, uint8_t *plen)
{
	static const uint8_t four_lens[] = {24, 24, 24, 24, 24, 24, 22, 23, 21, 20, 19, 18, 17, 16, 22, 23};
	static const uint8_t six_lens[] = {48, 48, 48, 48, 48, 48, 32, 32, 32, 32, 36, 40, 44, 29, 33, 46};
	uint64_t hi = rng_u64(r), lo = rng_u64(r), k = rng_below(r, 100);
	*plen = k < 94 ? (four ? four_lens : six_lens)[k % 16] : (uint8_t)rng_below(r, four ? 33 : 129);
	if (!four)
		hi = UINT64_C(0x2000000000000000) | (hi & UINT64_C(0x0a3f0000ffffffff)) | (hi & UINT64_C(0x3f00000000)) << 16;
	if (m->n && rng_below(r, 3) == 0) { /* a neighbour, a part or a whole of one that is there */
		const struct model_row *near = &m->row[m->live[rng_below(r, m->n)]];
		memcpy(a->b, near->b, 16);
		a->scope = 0;
		a->b[rng_below(r, 16)] ^= (uint8_t)(1u << rng_below(r, 8));
		if (via_addr_is_v4(a) != four)
			model_dst(a, hi, lo, four);
	} else {
		model_dst(a, hi, lo, four);
	}
}

/* Row x is free. What was in use is free again where no probe goes on past it, or all rows would be passed in the end. */
static inline void model_gone(struct fib_model *m, struct model_row *x)
{
	uint32_t i = (uint32_t)(x - m->row);
	x->plen = 254;
	for (; m->row[(i + 1) % m->cap].plen == 255 && m->row[i].plen == 254; i = (i + m->cap - 1) % m->cap)
		m->row[i].plen = 255;
}

/* One random change in both. Returns 0 where they agree about it. */
static inline int model_change(struct rng *r, struct fib_model *m, struct arena *a, ref_t fib, uint32_t n_max, bool shrink)
{
	bool four = rng_below(r, 100) < 70, add = m->n == 0 || (m->n < n_max && rng_below(r, 100) < (shrink ? 20 : 60));
	struct via_addr dst;
	uint8_t plen, b[16];
	unsigned full;
	struct fib_hop hop = model_hop((uint8_t)(2 + rng_below(r, MODEL_IFS)));
	model_prefix(r, m, four, &dst, &plen);
	memcpy(b, dst.b, 16);
	full = plen + (four ? 96u : 0);
	if (!add) { /* one that is there, and one of its hops */
		const struct model_row *x = &m->row[m->live[rng_below(r, m->n)]];
		memcpy(b, x->b, 16);
		memcpy(dst.b, x->b, 16);
		full = x->plen;
		plen = (uint8_t)(full - (full >= 96 && via_addr_is_v4(&dst) ? 96 : 0));
		hop = model_hop(x->hop[rng_below(r, x->n_hops)]);
	}
	model_bits(b, full);
	struct model_row *x = model_at(m, b, full);
	bool has = x->plen == full && memcmp(x->b, b, 16) == 0 && full < 254;
	int at = 0, err;
	while (has && at < x->n_hops && x->hop[at] != hop.ifindex)
		at++;
	if (add) {
		if (has && (x->n_hops == 3 || rng_below(r, 4)))
			return 0;
		err = fib_add(a, fib, &dst, plen, &hop);
		if (has && at < x->n_hops)
			return err != -17;
		if (!has) {
			memcpy(x->b, b, 16);
			x->plen = (uint8_t)full;
			x->n_hops = 0;
			m->n_len[full]++;
			x->at = m->n;
			m->live[m->n++] = (uint32_t)(x - m->row);
		}
		x->hop[x->n_hops++] = (uint8_t)hop.ifindex;
		return err;
	}
	err = fib_del(a, fib, &dst, plen, &hop);
	memmove(&x->hop[at], &x->hop[at + 1], (size_t)(x->n_hops - 1 - at));
	if (--x->n_hops == 0) {
		model_gone(m, x);
		m->n_len[full]--;
		m->live[x->at] = m->live[--m->n];
		m->row[m->live[x->at]].at = x->at;
	}
	return err;
}

/* One random look-up in both: 0 when they agree. */
static inline int model_lookup(struct rng *r, const struct fib_model *m, const struct arena *a, ref_t fib)
{
	bool four = rng_below(r, 100) < 70;
	uint64_t down = rng_below(r, 8) ? 0 : rng_u64(r) & rng_u64(r);
	struct via_addr dst;
	uint8_t plen;
	struct fib_hop got;
	model_prefix(r, m, four, &dst, &plen);
	const struct model_row *want = model_find(m, &dst, down);
	if (fib_lookup(a, fib, &dst, (uint32_t)rng_u64(r), down, &got) != (want != NULL))
		return 1;
	for (int i = 0; want && i < want->n_hops; i++)
		if (want->hop[i] == got.ifindex)
			return down >> got.ifindex & 1;
	return want != NULL;
}
#endif
