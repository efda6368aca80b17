/* pkt/sbuf.c - the stream's extents: finding, making room, dropping, and putting bytes in.
 *
 * Live extents are [ext_head, ext_head + ext_n) of the array, sorted by sequence number; dropping from the front only
 * moves ext_head, and the array is moved together when that has freed a quarter of it, so append and drop are O(1) on
 * average. Fresh blocks of sbuf_reserve() stand behind the live extents until they are committed or given back.
 *
 * A block this stream filled by copying is *owned*: its bytes from `fill` on may still be claimed, even while packets
 * refer to earlier ones. Small pieces out of order share the block of a neighbour that has room. Each extent holds one
 * reference of its block and is charged the whole of it, also where two share one: that errs on the safe side. */
#include <errno.h>

#include "base/ivset.h"
#include "pkt/mem_priv.h"
#include "pkt/sbuf.h"

#define EXT_MIN 4u
#define EXT_MAX 32768u
#define EXT_LEN_MAX 65535u
#define SHARE_MAX 1024u /* a copied piece up to this size may share a neighbour's block */
#define REF_MIN 256u    /* a shorter slice is copied, so that it cannot pin the sender's block */

struct ext {
	uint32_t seq;
	blk_t blk;
	uint16_t off, len;
	uint16_t own;   /* filled by this stream: it may claim more of the block */
	uint16_t offer; /* bytes behind len that sbuf_reserve() offered */
};

static struct ext *exts(const struct arena *a, const struct sbuf *s)
{
	return s->ext ? (struct ext *)arena_at(a, s->ext) + s->ext_head : NULL;
}

static uint32_t ext_end(const struct ext *e) { return e->seq + e->len; }

/* The first live extent that ends after seq, or ext_n. */
static unsigned find(const struct arena *a, const struct sbuf *s, uint32_t seq)
{
	const struct ext *e = exts(a, s);
	unsigned lo = 0, hi = s->ext_n;

	if (!hi || !seq_lt(seq, ext_end(&e[hi - 1])))
		return hi;
	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;
		if (seq_lt(seq, ext_end(&e[mid])))
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

static void array_free(struct arena *a, struct sbuf *s)
{
	if (s->ext)
		arena_buf_give(a, s->ext, s->ext_cap * sizeof(struct ext));
	s->ext = 0;
	s->ext_cap = s->ext_head = 0;
}

/* Room for one more entry behind the live and reserved ones. */
static bool array_room(struct arena *a, struct sbuf *s)
{
	unsigned live = (unsigned)s->ext_n + s->n_reserved;
	unsigned cap = s->ext_cap ? s->ext_cap * 2u : EXT_MIN;

	if (s->ext_head + live < s->ext_cap)
		return true;
	if (s->ext_head < s->ext_cap / 4u || !s->ext_cap) {
		ref_t r = cap <= EXT_MAX ? arena_buf_take(a, cap * sizeof(struct ext)) : 0;
		if (r) {
			if (live)
				memcpy(arena_at(a, r), exts(a, s), live * sizeof(struct ext));
			array_free(a, s);
			s->ext = r;
			s->ext_cap = (uint16_t)cap;
			return true;
		}
	}
	if (!s->ext_head)
		return false;
	memmove(arena_at(a, s->ext), exts(a, s), live * sizeof(struct ext));
	s->ext_head = 0;
	return true;
}

/* Give back entries [i, j) of the array, live or reserved. */
static void entries_drop(const struct arena *a, struct pktmem *m, struct sbuf *s, unsigned i, unsigned j)
{
	for (const struct ext *e = exts(a, s); i < j; i++) {
		s->charged -= blk_cost(m, e[i].blk);
		blk_drop(m, e[i].blk);
	}
}

static void reserve_cancel(struct arena *a, struct pktmem *m, struct sbuf *s)
{
	if (s->ext_n)
		exts(a, s)[s->ext_n - 1].offer = 0;
	if (!s->n_reserved)
		return;
	entries_drop(a, m, s, s->ext_n, (unsigned)s->ext_n + s->n_reserved);
	s->n_reserved = 0;
	if (!s->ext_n)
		array_free(a, s);
}

/* Drop the live extents [i, j). */
static void remove_exts(struct arena *a, struct pktmem *m, struct sbuf *s, unsigned i, unsigned j)
{
	struct ext *e = exts(a, s);

	if (i == j)
		return;
	entries_drop(a, m, s, i, j);
	if (i == 0)
		s->ext_head = (uint16_t)(s->ext_head + j);
	else
		memmove(&e[i], &e[j], (s->ext_n - j) * sizeof(*e));
	s->ext_n = (uint16_t)(s->ext_n - (j - i));
	if (!s->ext_n)
		array_free(a, s);
}

/* A live extent at index i, its reference taken over. False when memory is out. */
static bool insert_ext(struct arena *a, struct pktmem *m, struct sbuf *s, unsigned i, struct ext new)
{
	if (!array_room(a, s))
		return false;
	struct ext *e = exts(a, s);
	memmove(&e[i + 1], &e[i], (s->ext_n - i) * sizeof(*e));
	e[i] = new;
	s->ext_n++;
	s->charged += blk_cost(m, new.blk);
	return true;
}

/* Bytes this stream may still claim of the extent's block. */
static uint32_t own_room(const struct pktmem *m, const struct ext *e)
{
	return e->own ? BLK_ROOM - blk_fill(m, e->blk) : 0;
}

/* Bytes that may be claimed right behind the extent. */
static uint32_t tail_room(const struct pktmem *m, const struct ext *e)
{
	if (!e->own || (uint32_t)e->off + e->len != blk_fill(m, e->blk))
		return 0;
	return own_room(m, e);
}

/* An open block for a piece of n bytes that goes before index i: a neighbour's, or a fresh one. One reference, or 0. */
static blk_t block_for(const struct arena *a, struct pktmem *m, const struct sbuf *s, unsigned i, uint32_t n,
                       enum blk_use use)
{
	const struct ext *e = exts(a, s);

	if (n <= SHARE_MAX && i > 0 && own_room(m, &e[i - 1]) >= n)
		return blk_hold(m, e[i - 1].blk);
	if (n <= SHARE_MAX && i < s->ext_n && own_room(m, &e[i]) >= n)
		return blk_hold(m, e[i].blk);
	return blk_new_open(m, use);
}

/* Put a copy of n bytes at seq, before index *i, which moves past it. Returns bytes taken. */
static uint32_t copy_in(struct arena *a, struct pktmem *m, struct sbuf *s, unsigned *i, uint32_t seq,
                        const uint8_t *data, uint32_t n, enum blk_use use)
{
	uint32_t done = 0;

	while (done < n) {
		struct ext *prev = *i ? exts(a, s) + *i - 1 : NULL;
		uint32_t k = prev && ext_end(prev) == seq + done ? MIN(n - done, tail_room(m, prev)) : 0;
		if (k) {
			memcpy(blk_claim(m, prev->blk, k), data + done, k);
			prev->len = (uint16_t)(prev->len + k);
			done += k;
			continue;
		}
		struct ext new = {.seq = seq + done, .blk = block_for(a, m, s, *i, n - done, use), .own = 1};
		if (!new.blk)
			break;
		new.off = (uint16_t)blk_fill(m, new.blk);
		new.len = (uint16_t)MIN(n - done, BLK_ROOM - new.off);
		if (!insert_ext(a, m, s, *i, new)) {
			blk_drop(m, new.blk);
			break;
		}
		memcpy(blk_claim(m, new.blk, new.len), data + done, new.len);
		done += new.len;
		++*i;
	}
	return done;
}

/* Does [off, off+len) of block b at seq go on where extent e ends? */
static bool goes_on(const struct ext *e, uint32_t seq, blk_t b, uint32_t off, uint32_t len)
{
	return e->blk == b && ext_end(e) == seq && (uint32_t)e->off + e->len == off && e->len + len <= EXT_LEN_MAX;
}

/* Put a reference at seq, before index *i, which moves past it. */
static bool ref_in(struct arena *a, struct pktmem *m, struct sbuf *s, unsigned *i, uint32_t seq,
                   blk_t b, uint32_t off, uint32_t len)
{
	struct ext *prev = *i ? exts(a, s) + *i - 1 : NULL;

	if (prev && goes_on(prev, seq, b, off, len)) {
		prev->len = (uint16_t)(prev->len + len);
		return true;
	}
	struct ext new = {.seq = seq, .blk = blk_hold(m, b), .off = (uint16_t)off, .len = (uint16_t)len};
	if (!insert_ext(a, m, s, *i, new)) {
		blk_drop(m, b);
		return false;
	}
	++*i;
	return true;
}

void sbuf_init(struct sbuf *s, uint32_t seq)
{
	memset(s, 0, sizeof(*s));
	s->start = s->end = seq;
}

void sbuf_free(struct arena *a, struct pktmem *m, struct sbuf *s)
{
	reserve_cancel(a, m, s);
	remove_exts(a, m, s, 0, s->ext_n);
	s->start = s->end;
}

uint32_t sbuf_append(struct arena *a, struct pktmem *m, struct sbuf *s, const void *data, uint32_t n)
{
	reserve_cancel(a, m, s);
	unsigned i = find(a, s, s->end);
	uint32_t done = copy_in(a, m, s, &i, s->end, data, n, BLK_SEND);
	s->end += done;
	return done;
}

int sbuf_append_blk(struct arena *a, struct pktmem *m, struct sbuf *s, blk_t b, uint32_t off, uint32_t len)
{
	reserve_cancel(a, m, s);
	unsigned i = find(a, s, s->end);
	ASSERT(off <= blk_room(m, b) && len <= blk_room(m, b) - off);
	if (len && !ref_in(a, m, s, &i, s->end, b, off, len))
		return -ENOMEM;
	s->end += len;
	return 0;
}

int sbuf_reserve(struct arena *a, struct pktmem *m, struct sbuf *s, struct sbuf_iov *iov, int n, uint32_t want)
{
	int k = 0;

	reserve_cancel(a, m, s);
	if (s->ext_n) {
		struct ext *e = exts(a, s) + s->ext_n - 1;
		if (ext_end(e) != s->end)
			return 0;
		e->offer = (uint16_t)(n > 0 ? MIN(want, tail_room(m, e)) : 0);
		if (e->offer)
			iov[k++] = (struct sbuf_iov){blk_data(m, e->blk) + e->off + e->len, e->offer};
		want -= e->offer;
	}
	for (; k < n && want; k++) {
		blk_t b = array_room(a, s) ? blk_new_open(m, BLK_SEND) : 0;
		if (!b)
			break;
		struct ext new = {.blk = b, .own = 1, .offer = (uint16_t)MIN(want, BLK_ROOM)};
		exts(a, s)[s->ext_n + s->n_reserved++] = new;
		s->charged += blk_cost(m, b);
		iov[k] = (struct sbuf_iov){blk_data(m, b), new.offer};
		want -= new.offer;
	}
	if (!s->ext_n && !s->n_reserved)
		array_free(a, s);
	return k;
}

int sbuf_commit(struct arena *a, struct pktmem *m, struct sbuf *s, uint32_t len)
{
	struct ext *e = exts(a, s);
	unsigned first = s->ext_n ? s->ext_n - 1u : 0, last = (unsigned)s->ext_n + s->n_reserved;
	uint32_t offered = 0;

	for (unsigned i = first; i < last; i++)
		offered += e[i].offer;
	if (len > offered)
		return -EINVAL;
	for (unsigned i = first; i < last && len; i++) {
		uint32_t k = MIN(len, (uint32_t)e[i].offer);
		if (!k) /* the last extent offered nothing: its block may not be ours */
			continue;
		if (i >= s->ext_n) {
			e[i].seq = s->end;
			s->ext_n++;
			s->n_reserved--;
		}
		blk_claim(m, e[i].blk, k);
		e[i].len = (uint16_t)(e[i].len + k);
		e[i].offer = 0;
		s->end += k;
		len -= k;
	}
	reserve_cancel(a, m, s);
	return 0;
}

/* Put one span of a packet at seq. False when memory is out; *done tells what was put all the same. */
static bool span_in(struct arena *a, struct pktmem *m, struct sbuf *s, unsigned *i, uint32_t seq,
                    const struct pkt_slice *from, uint32_t *done, enum blk_use use)
{
	const struct ext *prev = *i ? exts(a, s) + *i - 1 : NULL;
	bool joins = prev && goes_on(prev, seq, from->blk, from->off, from->len);

	if (from->len < REF_MIN && !joins) {
		uint32_t k = copy_in(a, m, s, i, seq, blk_data(m, from->blk) + from->off, from->len, use);
		*done += k;
		return k == from->len;
	}
	if (!ref_in(a, m, s, i, seq, from->blk, from->off, from->len))
		return false;
	*done += from->len;
	return true;
}

/* If what ends before index i goes on at it in the same block, make them one. */
static void join_next(struct arena *a, struct pktmem *m, struct sbuf *s, unsigned i)
{
	struct ext *e = exts(a, s);

	if (i == 0 || i >= s->ext_n || !goes_on(&e[i - 1], e[i].seq, e[i].blk, e[i].off, e[i].len))
		return;
	e[i - 1].len = (uint16_t)(e[i - 1].len + e[i].len);
	e[i - 1].own |= e[i].own;
	remove_exts(a, m, s, i, i + 1);
}

/* Undo: drop what is held of [lo, hi), where nothing joins it to what begins at hi. */
static void cut_range(struct arena *a, struct pktmem *m, struct sbuf *s, uint32_t lo, uint32_t hi)
{
	unsigned i = find(a, s, lo), j;
	struct ext *e = exts(a, s);

	if (i < s->ext_n && seq_lt(e[i].seq, lo)) {
		e[i].len = (uint16_t)(lo - e[i].seq);
		i++;
	}
	for (j = i; j < s->ext_n && seq_lt(e[j].seq, hi); j++)
		;
	remove_exts(a, m, s, i, j);
}

int sbuf_insert(struct arena *a, struct pktmem *m, struct sbuf *s, uint32_t seq, const struct pkt *p,
                uint32_t off, uint32_t n)
{
	uint32_t done = 0;
	bool ok = true;
	enum blk_use use = seq == s->end ? BLK_IN_ORDER : BLK_REORDER;

	ASSERT(off <= p->len && n <= p->len - off);
	if (!n)
		return 0;
	reserve_cancel(a, m, s);
	unsigned i = find(a, s, seq);
	if (off < p->head_len) {
		uint32_t k = MIN(n, p->head_len - off);
		done = copy_in(a, m, s, &i, seq, p->linear + p->head + off, k, use);
		ok = done == k;
		off = 0;
	} else {
		off -= p->head_len;
	}
	for (unsigned j = 0; ok && done < n; j++) {
		struct pkt_slice part = p->slices[j];
		if (off >= part.len) {
			off -= part.len;
			continue;
		}
		part.off = (uint16_t)(part.off + off);
		part.len = (uint16_t)MIN(part.len - off, n - done);
		ok = span_in(a, m, s, &i, seq + done, &part, &done, use);
		off = 0;
	}
	if (!ok) {
		cut_range(a, m, s, seq, seq + done);
		return -ENOMEM;
	}
	join_next(a, m, s, i);
	return 0;
}

void sbuf_cut(struct arena *a, struct pktmem *m, struct sbuf *s, uint32_t seq)
{
	reserve_cancel(a, m, s);
	unsigned i = find(a, s, seq);
	if (i < s->ext_n) {
		struct ext *e = exts(a, s) + i;
		if (seq_lt(e->seq, seq)) {
			e->len = (uint16_t)(seq - e->seq);
			i++;
		}
	}
	remove_exts(a, m, s, i, s->ext_n);
	if (seq_lt(seq, s->end))
		s->end = seq;
	if (seq_lt(s->end, s->start))
		s->start = s->end;
}

void sbuf_drop_to(struct arena *a, struct pktmem *m, struct sbuf *s, uint32_t seq)
{
	unsigned i = 0;

	if (!seq_lt(s->start, seq))
		return;
	reserve_cancel(a, m, s);
	struct ext *e = exts(a, s);
	while (i < s->ext_n && !seq_lt(seq, ext_end(&e[i])))
		i++;
	if (i < s->ext_n && seq_lt(e[i].seq, seq)) {
		uint32_t k = seq - e[i].seq;
		e[i].seq = seq;
		e[i].off = (uint16_t)(e[i].off + k);
		e[i].len = (uint16_t)(e[i].len - k);
	}
	remove_exts(a, m, s, 0, i);
	s->start = seq;
	if (seq_lt(s->end, seq))
		s->end = seq;
}

/* The part of extent i from seq on, at most n bytes: where it lies in the block, and how long it is. 0 where seq is not
 * held. */
static uint32_t part_at(const struct arena *a, const struct sbuf *s, unsigned i, uint32_t seq, uint32_t n, struct pkt_slice *part)
{
	const struct ext *e = exts(a, s);

	if (i >= s->ext_n || seq_lt(seq, e[i].seq))
		return 0;
	e += i;
	uint32_t skip = seq - e->seq;
	*part = (struct pkt_slice){e->blk, (uint16_t)(e->off + skip), (uint16_t)MIN(n, e->len - skip)};
	return part->len;
}

uint32_t sbuf_copy_out(const struct arena *a, const struct pktmem *m, const struct sbuf *s, uint32_t seq,
                       void *out, uint32_t n)
{
	struct pkt_slice part;
	uint32_t done = 0, k;

	for (unsigned i = find(a, s, seq); done < n && (k = part_at(a, s, i, seq + done, n - done, &part)); i++) {
		memcpy((uint8_t *)out + done, blk_data(m, part.blk) + part.off, k);
		done += k;
	}
	return done;
}

int sbuf_peek(const struct arena *a, const struct pktmem *m, const struct sbuf *s, uint32_t seq,
              struct sbuf_iov *iov, int n)
{
	struct pkt_slice part;
	int k = 0;

	for (unsigned i = find(a, s, seq); k < n && seq_lt(seq, s->end) && part_at(a, s, i, seq, s->end - seq, &part); i++) {
		iov[k++] = (struct sbuf_iov){blk_data(m, part.blk) + part.off, part.len};
		seq += part.len;
	}
	return k;
}

uint32_t sbuf_attach(const struct arena *a, struct pktmem *m, const struct sbuf *s, uint32_t seq, uint32_t n,
                     struct pkt *p)
{
	struct pkt_slice part;
	uint32_t done = 0, k;

	for (unsigned i = find(a, s, seq); done < n && (k = part_at(a, s, i, seq + done, n - done, &part)); i++) {
		if (pkt_append_slice(m, p, part.blk, part.off, k))
			break;
		done += k;
	}
	return done;
}
