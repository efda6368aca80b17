/* pkt/pkt.c - making, cutting, reading and joining packets.
 *
 * A packet's bytes are spans: span 0 is the linear part, span i the slice i-1; those of a chained packet follow. Every slice
 * holds one reference of its block. Neither a packet's linear bytes nor a fresh block are zeroed; see pkt/mem.h. */
#include <errno.h>

#include "base/csum.h"
#include "pkt/mem_priv.h"
#include "pkt/pkt.h"

_Static_assert(PKT_LINEAR >= 1514 + PKT_HEADROOM, "a whole Ethernet frame fits the linear part");
_Static_assert(offsetof(struct pkt, linear) == sizeof(struct pkt), "linear begins where the struct ends");

#define SLICE_MAX 65535u
#define UDP_CSUM_OFFSET 6u /* no other transport has its checksum there */

struct pkt *pkt_new(struct pktmem *m, uint32_t headroom)
{
	ref_t r = headroom <= PKT_LINEAR ? pktmem_pkt_take(m) : 0;

	if (!r)
		return NULL;
	struct pkt *p = arena_at(m->home, r);
	memset(p, 0, offsetof(struct pkt, slices));
	p->head = (uint16_t)headroom;
	return p;
}

void pkt_free(struct pktmem *m, struct pkt *p)
{
	while (p) {
		struct pkt *more = p->more ? pkt_at(m, p->more) : NULL;
		for (unsigned i = 0; i < p->n_slices; i++)
			blk_drop(m, p->slices[i].blk);
		pktmem_pkt_give(m, pkt_ref(m, p));
		p = more;
	}
}

uint8_t *pkt_push(struct pkt *p, uint32_t n)
{
	ASSERT(n <= p->head);
	p->head = (uint16_t)(p->head - n);
	p->head_len = (uint16_t)(p->head_len + n);
	p->len += n;
	return pkt_data(p);
}

uint8_t *pkt_pull(struct pkt *p, uint32_t n)
{
	ASSERT(n <= p->head_len);
	p->head = (uint16_t)(p->head + n);
	p->head_len = (uint16_t)(p->head_len - n);
	p->len -= n;
	return pkt_data(p);
}

uint8_t *pkt_put(struct pkt *p, uint32_t n)
{
	uint8_t *at = pkt_data(p) + p->head_len;

	ASSERT(n <= pkt_tailroom(p));
	p->head_len = (uint16_t)(p->head_len + n);
	p->len += n;
	return at;
}

/* Bytes that may be written behind the last slice: its block is referenced by nothing else. */
static uint32_t slice_tailroom(const struct pktmem *m, const struct pkt *p)
{
	if (!p->n_slices)
		return 0;
	const struct pkt_slice *s = &p->slices[p->n_slices - 1];
	return blk_is_mine(m, s->blk) ? BLK_ROOM - s->off - s->len : 0;
}

int pkt_append(struct pktmem *m, struct pkt *p, const void *data, uint32_t n)
{
	const uint8_t *from = data;
	uint32_t first = MIN(n, pkt_tailroom(p)), second = MIN(n - first, slice_tailroom(m, p)), rest = n - first - second;
	uint32_t n_blks = rest / BLK_ROOM + (rest % BLK_ROOM != 0);
	blk_t blks[PKT_SLICES_MAX];

	ASSERT(!p->more);
	if (n_blks > (uint32_t)(PKT_SLICES_MAX - p->n_slices))
		return -ENOMEM;
	for (uint32_t i = 0; i < n_blks; i++) {
		blks[i] = blk_new(m);
		if (!blks[i]) {
			while (i--)
				blk_drop(m, blks[i]);
			return -ENOMEM;
		}
	}
	if (first)
		memcpy(pkt_put(p, first), from, first);
	from += first;
	if (second) {
		struct pkt_slice *s = &p->slices[p->n_slices - 1];
		memcpy(blk_data(m, s->blk) + s->off + s->len, from, second);
		s->len = (uint16_t)(s->len + second);
		from += second;
	}
	for (uint32_t i = 0; i < n_blks; i++) {
		uint32_t k = MIN(rest, BLK_ROOM);
		memcpy(blk_data(m, blks[i]), from, k);
		p->slices[p->n_slices++] = (struct pkt_slice){blks[i], 0, (uint16_t)k};
		from += k;
		rest -= k;
	}
	p->len += n - first;
	return 0;
}

int pkt_append_slice(struct pktmem *m, struct pkt *p, blk_t b, uint32_t off, uint32_t len)
{
	struct pkt_slice *last = p->n_slices ? &p->slices[p->n_slices - 1] : NULL;

	ASSERT(!p->more && off <= blk_room(m, b) && len <= blk_room(m, b) - off);
	if (!len)
		return 0;
	if (last && last->blk == b && (uint32_t)last->off + last->len == off && last->len + len <= SLICE_MAX) {
		last->len = (uint16_t)(last->len + len);
	} else {
		if (p->n_slices == PKT_SLICES_MAX)
			return -ENOSPC;
		p->slices[p->n_slices++] = (struct pkt_slice){blk_hold(m, b), (uint16_t)off, (uint16_t)len};
	}
	p->len += len;
	return 0;
}

/* Bytes of p itself, without those chained behind it. */
static uint32_t own_len(const struct pkt *p)
{
	uint32_t n = p->head_len;
	for (unsigned i = 0; p->more && i < p->n_slices; i++)
		n += p->slices[i].len;
	return p->more ? n : p->len;
}

/* Of the packets chained behind p the first `len` bytes stay. */
static void trim_chain(struct pktmem *m, struct pkt *p, uint32_t len)
{
	while (p->more) {
		struct pkt *q = pkt_at(m, p->more);
		if (!len) {
			pkt_free(m, q);
			p->more = 0;
		} else if (q->len > len) {
			pkt_trim(m, q, len); /* what is behind it goes, too */
			return;
		} else {
			len -= q->len;
			p = q;
		}
	}
}

void pkt_trim(struct pktmem *m, struct pkt *p, uint32_t len)
{
	if (p->more && p->len > len) {
		uint32_t own = own_len(p);
		trim_chain(m, p, len > own ? len - own : 0);
		p->len = p->more ? len : own;
	}
	while (p->len > len && p->n_slices) {
		struct pkt_slice *s = &p->slices[p->n_slices - 1];
		uint32_t cut = p->len - len;
		if (cut < s->len) {
			s->len = (uint16_t)(s->len - cut);
			p->len = len;
			return;
		}
		p->len -= s->len;
		p->n_slices--;
		blk_drop(m, s->blk);
	}
	if (p->len > len) {
		p->head_len = (uint16_t)len;
		p->len = len;
	}
}

/* Bytes of p's slices become linear until n are, or the slices are used up. */
static void pullup_slices(struct pktmem *m, struct pkt *p, uint32_t n)
{
	unsigned gone = 0;

	while (p->head_len < n && gone < p->n_slices) {
		struct pkt_slice *s = &p->slices[gone];
		uint32_t k = MIN(n - p->head_len, (uint32_t)s->len);
		memcpy(pkt_data(p) + p->head_len, blk_data(m, s->blk) + s->off, k);
		p->head_len = (uint16_t)(p->head_len + k);
		s->off = (uint16_t)(s->off + k);
		s->len = (uint16_t)(s->len - k);
		if (!s->len) {
			blk_drop(m, s->blk);
			gone++;
		}
	}
	p->n_slices = (uint16_t)(p->n_slices - gone);
	memmove(p->slices, p->slices + gone, p->n_slices * sizeof(p->slices[0]));
}

int pkt_pullup(struct pktmem *m, struct pkt *p, uint32_t n)
{
	if (n <= p->head_len)
		return 0;
	if (n > p->len || n > PKT_LINEAR - p->head)
		return -ENOSPC;
	for (;;) {
		pullup_slices(m, p, n);
		if (p->head_len >= n)
			return 0;
		/* Its slices are used up: what is chained gives its linear bytes; after these its slices become ours. */
		struct pkt *q = pkt_at(m, p->more);
		uint32_t k = MIN(n - p->head_len, (uint32_t)q->head_len);
		memcpy(pkt_data(p) + p->head_len, pkt_data(q), k);
		p->head_len = (uint16_t)(p->head_len + k);
		pkt_pull(q, k);
		if (q->head_len)
			return 0;
		memcpy(p->slices, q->slices, q->n_slices * sizeof(q->slices[0]));
		p->n_slices = q->n_slices;
		p->more = q->more;
		q->n_slices = 0;
		q->more = 0;
		pkt_free(m, q);
	}
}

/* Where a walk over a packet's spans stands. */
struct span_at {
	const struct pkt *p;
	unsigned i;
};

/* The next span: its bytes and their number. There must be one. */
static const uint8_t *span_next(const struct pktmem *m, struct span_at *at, uint32_t *n)
{
	const struct pkt *p = at->p;
	unsigned i = at->i;

	at->i = i < p->n_slices ? i + 1 : 0;
	at->p = i < p->n_slices ? p : p->more ? pkt_at(m, p->more) : NULL;
	if (i == 0) {
		*n = p->head_len;
		return p->linear + p->head;
	}
	*n = p->slices[i - 1].len;
	return blk_data(m, p->slices[i - 1].blk) + p->slices[i - 1].off;
}

uint32_t pkt_copy_out(const struct pktmem *m, const struct pkt *p, uint32_t off, void *out, uint32_t n)
{
	uint8_t *to = out;

	if (off >= p->len)
		return 0;
	n = MIN(n, p->len - off);
	struct span_at at = {p, 0};
	for (uint32_t left = n, have; left;) {
		const uint8_t *from = span_next(m, &at, &have);
		if (off >= have) {
			off -= have;
			continue;
		}
		uint32_t k = MIN(left, have - off);
		memcpy(to, from + off, k);
		to += k;
		left -= k;
		off = 0;
	}
	return n;
}

uint64_t pkt_csum(const struct pktmem *m, const struct pkt *p, uint32_t off, uint32_t n, uint64_t sum)
{
	if (off >= p->len)
		return sum;
	n = MIN(n, p->len - off);
	struct span_at at = {p, 0};
	for (uint32_t left = n, have; left;) {
		const uint8_t *from = span_next(m, &at, &have);
		if (off >= have) {
			off -= have;
			continue;
		}
		uint32_t k = MIN(left, have - off);
		sum = ((n - left) & 1 ? csum_add_odd : csum_add)(sum, from + off, k);
		left -= k;
		off = 0;
	}
	return sum;
}

static struct pkt *clone_one(struct pktmem *m, const struct pkt *p)
{
	struct pkt *c = pkt_new(m, 0);

	if (!c)
		return NULL;
	memcpy(c, p, offsetof(struct pkt, slices));
	c->next = c->more = 0;
	c->m.owner = 0;
	c->m.owner_gen = c->m.owner_seq_end = 0;
	memcpy(c->linear + c->head, p->linear + p->head, p->head_len);
	for (unsigned i = 0; i < p->n_slices; i++) {
		c->slices[i] = p->slices[i];
		blk_hold(m, p->slices[i].blk);
	}
	return c;
}

struct pkt *pkt_clone(struct pktmem *m, const struct pkt *p)
{
	struct pkt *c = clone_one(m, p), *last = c;

	for (const struct pkt *q = p; last && q->more; ) {
		q = pkt_at(m, q->more);
		struct pkt *d = clone_one(m, q);
		if (!d) {
			pkt_free(m, c);
			return NULL;
		}
		last->more = pkt_ref(m, d);
		last = d;
	}
	return c;
}

void pkt_csum_finish(const struct pktmem *m, struct pkt *p)
{
	uint32_t field = (uint32_t)p->m.csum_start + p->m.csum_offset;

	if (p->m.csum != PKT_CSUM_PARTIAL)
		return;
	p->m.csum = PKT_CSUM_NONE;
	ASSERT(p->m.csum_start >= p->head && field + 2 <= (uint32_t)p->head + p->head_len);
	if (p->m.csum_start < p->head || field + 2 > (uint32_t)p->head + p->head_len)
		return;
	uint32_t off = (uint32_t)p->m.csum_start - p->head;
	uint16_t sum = csum_field(pkt_csum(m, p, off, p->len - off, 0));
	put_be16(p->linear + field, !sum && p->m.csum_offset == UDP_CSUM_OFFSET ? 0xffff : sum); /* RFC 768: 0 means none */
}

/* Make the part of slice i around its byte `at` private: a copy in a fresh block. A slice longer than a block is split;
 * the part before or after the copy stays where it is. */
static int slice_privatise(struct pktmem *m, struct pkt *p, unsigned i, uint32_t at)
{
	struct pkt_slice s = p->slices[i], part[3];
	uint32_t lo = at / BLK_ROOM * BLK_ROOM, len = MIN(BLK_ROOM, s.len - lo), n = 0;
	uint32_t hi = lo + len;
	unsigned more = (lo > 0) + (hi < s.len);

	if (p->n_slices + more > PKT_SLICES_MAX)
		return -ENOMEM;
	blk_t b = blk_new(m);
	if (!b)
		return -ENOMEM;
	memcpy(blk_data(m, b), blk_data(m, s.blk) + s.off + lo, len);
	if (lo)
		part[n++] = (struct pkt_slice){blk_hold(m, s.blk), s.off, (uint16_t)lo};
	part[n++] = (struct pkt_slice){b, 0, (uint16_t)len};
	if (hi < s.len)
		part[n++] = (struct pkt_slice){blk_hold(m, s.blk), (uint16_t)(s.off + hi), (uint16_t)(s.len - hi)};
	memmove(&p->slices[i + n], &p->slices[i + 1], (p->n_slices - i - 1) * sizeof(s));
	memcpy(&p->slices[i], part, n * sizeof(s));
	p->n_slices = (uint16_t)(p->n_slices + more);
	blk_drop(m, s.blk);
	return 0;
}

int pkt_corrupt(struct pktmem *m, struct pkt *p, uint32_t off, unsigned bit)
{
	unsigned i = 0;
	int rc;

	if (off >= p->len)
		return -EINVAL;
	struct pkt *whole = p;
	for (uint32_t own = own_len(p); p->more && off >= own; own = own_len(p)) {
		off -= own;
		p = pkt_at(m, p->more);
	}
	if (off < p->head_len) {
		pkt_data(p)[off] ^= (uint8_t)(1u << (bit & 7));
		whole->m.corrupted = 1;
		return 0;
	}
	for (off -= p->head_len; off >= p->slices[i].len; i++)
		off -= p->slices[i].len;
	if (!blk_is_mine(m, p->slices[i].blk)) {
		if ((rc = slice_privatise(m, p, i, off)))
			return rc;
		for (; off >= p->slices[i].len; i++)
			off -= p->slices[i].len;
	}
	blk_data(m, p->slices[i].blk)[p->slices[i].off + off] ^= (uint8_t)(1u << (bit & 7));
	whole->m.corrupted = 1;
	return 0;
}
