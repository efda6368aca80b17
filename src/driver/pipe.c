/* driver/pipe.c - a virtual wire between two stacks of one process.
 *
 * Each end holds the queue of frames that travel towards it. What one end transmits stands in the other end's queue at
 * once, stamped with the sender's time. With the same packet memory on both ends a packet crosses by reference, payload
 * untouched; else its bytes are copied into the receiver's memory. A full queue pushes back, never drops; a sender that
 * was pushed back is woken through next() as soon as there is room. What a real wire could not carry is dropped: frames
 * longer than the MTU, frames sent while an end is down or attached to nothing, and copies for which memory is out. */
#include "driver/pipe.h"

#include "pkt/pkt.h"

#include <stdlib.h>

enum { PIPE_ETH_HLEN = 14, PIPE_VLAN_TAG = 4 };

struct pipe_end {
	struct via_driver d; /* first: the stack holds its address */
	struct pipe_end *peer;
	struct pktq in;      /* frames on their way to this end, in this end's memory */
	uint32_t limit;
	bool pushed_back;    /* our last burst was not taken whole: our stack waits for room */
};

struct pipe_pair {
	struct pipe_end end[2];
};

static struct pipe_end *pipe_end_of(struct via_driver *d)
{
	return CONTAINER_OF(d, struct pipe_end, d);
}

static uint32_t pipe_space(const struct pipe_end *e)
{
	const struct pipe_end *to = e->peer;
	return to->in.n < to->limit ? to->limit - to->in.n : 0;
}

static int pipe_rx_burst(struct via_driver *d, struct pkt **pkts, int max)
{
	struct pipe_end *e = pipe_end_of(d);
	int n = 0;
	while (n < max && e->in.n > 0)
		pkts[n++] = pktq_pop(d->mem, &e->in);
	/* Our stack polls right now and will offer again what it kept, so the wake-up for room is delivered. */
	if (e->pushed_back && pipe_space(e) > 0)
		e->pushed_back = false;
	return n;
}

/* What the sending stack alone may know does not cross the wire. */
static void pipe_meta_cross(struct pkt_meta *m, int64_t now)
{
	m->rx_ns = now;
	m->flow_hash = 0;
	m->ifindex = 0;
	m->drop = DROP_NONE;
	m->ether_mcast = 0;
	m->owner = 0;
	m->owner_gen = 0;
	m->owner_seq_end = 0;
}

/* A copy of p, which lives in `from`, in the memory `to`, at the same offsets of the linear part. NULL when memory is out. */
static struct pkt *pipe_copy(const struct pktmem *from, struct pktmem *to, struct pkt *p)
{
	struct pkt *c = pkt_new(to, p->head);
	if (!c)
		return NULL;
	memcpy(pkt_put(c, p->head_len), pkt_data(p), p->head_len);
	for (unsigned i = 0; i < p->n_slices; i++) {
		const struct pkt_slice *s = &p->slices[i];
		if (pkt_append(to, c, blk_data(from, s->blk) + s->off, s->len) < 0) {
			pkt_free(to, c);
			return NULL;
		}
	}
	c->m = p->m;
	return c;
}

static bool pipe_carries(const struct pipe_end *e, const struct pkt *p)
{
	uint32_t l2 = e->d.l2 == VIA_L2_ETHER ? PIPE_ETH_HLEN + PIPE_VLAN_TAG : 0;
	uint32_t most = p->m.gso_size ? e->d.gso_max : e->d.mtu;
	return p->len <= most + l2 && e->d.up && e->peer->d.up && e->peer->d.mem;
}

static int pipe_tx_burst(struct via_driver *d, struct pkt **pkts, int n, int64_t now)
{
	struct pipe_end *e = pipe_end_of(d);
	struct pktmem *to = e->peer->d.mem;
	int taken = 0;
	while (taken < n && pipe_space(e) > 0) {
		struct pkt *p = pkts[taken++];
		struct pkt *out = NULL;
		if (pipe_carries(e, p))
			out = to == d->mem ? p : pipe_copy(d->mem, to, p);
		if (out != p)
			pkt_free(d->mem, p);
		if (!out)
			continue;
		pipe_meta_cross(&out->m, now);
		pktq_push(to, &e->peer->in, out);
	}
	e->pushed_back = taken < n;
	return taken;
}

static int pipe_tx_room(struct via_driver *d)
{
	return (int)MIN(pipe_space(pipe_end_of(d)), (uint32_t)INT32_MAX);
}

static int64_t pipe_next(struct via_driver *d)
{
	struct pipe_end *e = pipe_end_of(d);
	if (e->pushed_back && pipe_space(e) > 0)
		return 0;
	struct pkt *p = e->in.n ? pktq_peek(d->mem, &e->in) : NULL;
	return p ? p->m.rx_ns : TIME_NEVER;
}

static const struct via_driver_ops pipe_ops = {pipe_rx_burst, pipe_tx_burst, pipe_tx_room, pipe_next};

struct pipe_pair *pipe_new(uint32_t limit, uint32_t mtu, uint32_t gso_max, const uint8_t mac_a[6], const uint8_t mac_b[6])
{
	struct pipe_pair *p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	for (int i = 0; i < 2; i++) {
		struct pipe_end *e = &p->end[i];
		e->d = (struct via_driver){.ops = &pipe_ops, .l2 = VIA_L2_ETHER, .mtu = mtu, .gso_max = gso_max, .up = true,
			.caps = gso_max ? VIA_CAP_SUPERFRAME | VIA_CAP_CSUM : 0};
		memcpy(e->d.mac, i ? mac_b : mac_a, 6);
		e->peer = &p->end[!i];
		e->limit = limit;
	}
	return p;
}

void pipe_free(struct pipe_pair *p)
{
	if (!p)
		return;
	for (int i = 0; i < 2; i++)
		if (p->end[i].in.n)
			pktq_clear(p->end[i].d.mem, &p->end[i].in);
	free(p);
}

struct via_driver *pipe_driver(struct pipe_pair *p, int end)
{
	return &p->end[end].d;
}
