/* pkt/chain.c - packets behind packets, and bytes of one packet taken into another by reference.
 *
 * A datagram that came in fragments is handed on as the chain of their packets: nothing is copied to put it together. What
 * reads packets (pkt.c) walks chains; what builds or sends them does not, so a chain that goes out again is cut from (as
 * fragments), or made one packet first. Chains are no deeper than the fragments of a datagram (net/reasm.h). */
#include <errno.h>

#include "pkt/pkt.h"

void pkt_chain(const struct pktmem *m, struct pkt *p, struct pkt *last, struct pkt *q)
{
	ASSERT(!last->more && !q->more);
	last->more = pkt_ref(m, q);
	p->len += q->len;
}

/* Append the bytes of q, itself only, as copies. */
static int append_one(struct pktmem *m, struct pkt *p, const struct pkt *q)
{
	int err = pkt_append(m, p, q->linear + q->head, q->head_len);
	for (unsigned i = 0; !err && i < q->n_slices; i++)
		err = pkt_append(m, p, blk_data(m, q->slices[i].blk) + q->slices[i].off, q->slices[i].len);
	return err;
}

int pkt_unchain(struct pktmem *m, struct pkt *p)
{
	ref_t more = p->more;
	if (!more)
		return 0;
	uint32_t whole = p->len, own = whole;
	for (const struct pkt *q = p; q->more; own -= q->len)
		q = pkt_at(m, q->more);
	p->more = 0;
	p->len = own;
	for (ref_t r = more; r; r = pkt_at(m, r)->more) {
		if (append_one(m, p, pkt_at(m, r))) {
			pkt_trim(m, p, own);
			p->more = more;
			p->len = whole;
			return -ENOMEM;
		}
	}
	pkt_free(m, pkt_at(m, more));
	return 0;
}

/* Append what [off, off+n) holds of q itself; *done is how many of them. */
static int append_part(struct pktmem *m, struct pkt *p, const struct pkt *q, uint32_t off, uint32_t n, uint32_t *done)
{
	int err = 0;
	*done = 0;
	if (off < q->head_len) {
		*done = MIN(n, q->head_len - off);
		err = pkt_append(m, p, q->linear + q->head + off, *done);
	}
	uint32_t at = q->head_len;
	for (unsigned i = 0; i < q->n_slices && *done < n && !err; at += q->slices[i++].len) {
		const struct pkt_slice *s = &q->slices[i];
		uint32_t from = MAX(off, at) - at;
		if (from >= s->len)
			continue;
		uint32_t k = MIN(n - *done, s->len - from);
		err = pkt_append_slice(m, p, s->blk, s->off + from, k);
		*done += k;
	}
	return err;
}

int pkt_append_range(struct pktmem *m, struct pkt *p, const struct pkt *from, uint32_t off, uint32_t n)
{
	ASSERT(off <= from->len && n <= from->len - off);
	for (const struct pkt *q = from; n > 0;) {
		uint32_t own = q->head_len, done;
		for (unsigned i = 0; i < q->n_slices; i++)
			own += q->slices[i].len;
		if (off < own) {
			int err = append_part(m, p, q, off, n, &done);
			if (err)
				return err;
			n -= done;
			off += done;
		}
		off -= own;
		if (n > 0)
			q = pkt_at(m, q->more);
	}
	return 0;
}

uint32_t pkt_pins(const struct pktmem *m, const struct pkt *p)
{
	uint32_t n = 0;
	for (; p; p = p->more ? pkt_at(m, p->more) : NULL) {
		n += PKT_BYTES;
		for (unsigned i = 0; i < p->n_slices; i++)
			n += blk_cost(m, p->slices[i].blk);
	}
	return n;
}

uint32_t pkt_pins_behind(const struct pktmem *m, const struct pkt *last, const struct pkt *p)
{
	bool is_shared = last && last->n_slices && p->n_slices && last->slices[last->n_slices - 1].blk == p->slices[0].blk;
	return pkt_pins(m, p) - (is_shared ? blk_cost(m, p->slices[0].blk) : 0);
}
