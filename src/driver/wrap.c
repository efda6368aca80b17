/* driver/wrap.c - drivers around a driver, for tests.
 *
 * fault: what is transmitted is lost, sent twice, overtaken by its successor or hit by a bit error, each with its own
 * probability, drawn from a seeded generator, so a run repeats exactly. An overtaken frame leaves behind the next one,
 * or after a few polls when none follows; it asks to be polled 1 ms on. Superframes and unfinished checksums are not
 * offered: faults act on whole frames.
 *
 * narrow: a transmit ring of `room` packets that is emptied between polls (in rx_burst, which every poll calls), as a
 * slow card would. With room 1 each packet is pushed back behind the one before it.
 *
 * Both keep what they took in a queue of their own until the inner driver takes it. Receiving passes through. */
#include "driver/wrap.h"

#include "base/rng.h"
#include "pkt/pkt.h"

#include <stdlib.h>

enum { FAULT_ROOM = 64, FAULT_HOLD_POLLS = 4 };
#define FAULT_HOLD_NS NS_PER_MS

struct wrap {
	struct via_driver d;
	struct via_driver *inner;
	struct pktq out;      /* on their way to the inner driver */
	struct pkt *front;    /* the one before them, which the inner driver did not take yet */
	uint32_t room;        /* how many `out` takes */
	bool pushed_back;
	int64_t now;          /* of the last transmit */
	/* fault only */
	struct wrap_fault fault;
	struct rng rng;
	struct pkt *held;     /* will be overtaken */
	int64_t held_wake;    /* when to be polled for its sake */
	int held_polls;       /* polls it still waits */
};

static struct wrap *wrap_of(struct via_driver *d)
{
	struct wrap *w = CONTAINER_OF(d, struct wrap, d);
	w->inner->mem = d->mem; /* set by via_iface_add() in the outermost only */
	w->inner->up = d->up;
	return w;
}

/* Offer the inner driver what waits. */
static void wrap_drain(struct wrap *w)
{
	while (w->front || w->out.n > 0) {
		if (!w->front)
			w->front = pktq_pop(w->d.mem, &w->out);
		if (w->inner->ops->tx_burst(w->inner, &w->front, 1, w->now) != 1)
			return;
		w->front = NULL;
	}
}

static uint32_t wrap_waiting(const struct wrap *w)
{
	return w->out.n + (w->front ? 1 : 0);
}

static int wrap_space(const struct wrap *w)
{
	uint32_t n = wrap_waiting(w);
	return n < w->room ? (int)(w->room - n) : 0;
}

static int wrap_rx_burst(struct via_driver *d, struct pkt **pkts, int max)
{
	struct wrap *w = wrap_of(d);
	wrap_drain(w);
	if (wrap_space(w) > 0)
		w->pushed_back = false;
	return w->inner->ops->rx_burst(w->inner, pkts, max);
}

static int wrap_tx_room(struct via_driver *d)
{
	return wrap_space(wrap_of(d));
}

static int64_t wrap_next(struct via_driver *d)
{
	struct wrap *w = wrap_of(d);
	int64_t next = w->inner->ops->next(w->inner);
	if (wrap_waiting(w) > 0 && w->inner->ops->tx_room(w->inner) > 0)
		return 0;
	if (w->pushed_back && wrap_space(w) > 0)
		return 0;
	return w->held ? MIN(next, w->held_wake) : next;
}

static int narrow_tx_burst(struct via_driver *d, struct pkt **pkts, int n, int64_t now)
{
	struct wrap *w = wrap_of(d);
	int taken = 0;
	w->now = now;
	while (taken < n && wrap_space(w) > 0)
		pktq_push(d->mem, &w->out, pkts[taken++]);
	w->pushed_back = taken < n;
	return taken;
}

static const struct via_driver_ops narrow_ops = {wrap_rx_burst, narrow_tx_burst, wrap_tx_room, wrap_next};

static void fault_release(struct wrap *w)
{
	if (w->held)
		pktq_push(w->d.mem, &w->out, w->held);
	w->held = NULL;
}

/* Takes p and decides what becomes of it. The draws are always all made, so one fault does not shift the others. */
static void fault_one(struct wrap *w, struct pkt *p)
{
	struct pktmem *m = w->d.mem;
	const struct wrap_fault *f = &w->fault;
	bool lose = rng_chance(&w->rng, f->loss_ppb), dup = rng_chance(&w->rng, f->dup_ppb);
	bool late = rng_chance(&w->rng, f->reorder_ppb), corrupt = rng_chance(&w->rng, f->corrupt_ppb);
	uint64_t where = rng_u64(&w->rng);
	if (lose) {
		pkt_free(m, p);
		return;
	}
	if (corrupt && p->len > 0 && pkt_corrupt(m, p, (uint32_t)((where >> 3) % p->len), where & 7) == 0)
		p->m.corrupted = 1;
	struct pkt *twin = dup ? pkt_clone(m, p) : NULL;
	if (late && !w->held) {
		p->m.reordered = 1;
		w->held = p;
		w->held_wake = w->now + FAULT_HOLD_NS;
		w->held_polls = FAULT_HOLD_POLLS;
		if (twin)
			pktq_push(m, &w->out, twin);
		return;
	}
	pktq_push(m, &w->out, p);
	if (twin)
		pktq_push(m, &w->out, twin);
	fault_release(w);
}

static int fault_tx_burst(struct via_driver *d, struct pkt **pkts, int n, int64_t now)
{
	struct wrap *w = wrap_of(d);
	int taken = 0;
	w->now = now;
	while (taken < n && wrap_space(w) > 0)
		fault_one(w, pkts[taken++]);
	wrap_drain(w);
	w->pushed_back = taken < n;
	return taken;
}

static int fault_rx_burst(struct via_driver *d, struct pkt **pkts, int max)
{
	struct wrap *w = wrap_of(d);
	if (w->held && --w->held_polls == 0)
		fault_release(w);
	return wrap_rx_burst(d, pkts, max);
}

static const struct via_driver_ops fault_ops = {fault_rx_burst, fault_tx_burst, wrap_tx_room, wrap_next};

static struct wrap *wrap_new(struct via_driver *inner, const struct via_driver_ops *ops, uint32_t room)
{
	struct wrap *w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	w->d = *inner;
	w->d.ops = ops;
	w->inner = inner;
	w->room = room;
	return w;
}

struct via_driver *wrap_fault_new(struct via_driver *inner, const struct wrap_fault *f)
{
	struct wrap *w = wrap_new(inner, &fault_ops, FAULT_ROOM);
	if (!w)
		return NULL;
	w->d.caps &= ~(uint32_t)(VIA_CAP_SUPERFRAME | VIA_CAP_CSUM);
	w->d.gso_max = 0;
	w->fault = *f;
	rng_seed(&w->rng, f->seed);
	return &w->d;
}

struct via_driver *wrap_narrow_new(struct via_driver *inner, int room)
{
	struct wrap *w = wrap_new(inner, &narrow_ops, (uint32_t)MAX(room, 1));
	return w ? &w->d : NULL;
}

void wrap_free(struct via_driver *d)
{
	if (!d)
		return;
	struct wrap *w = CONTAINER_OF(d, struct wrap, d);
	if (w->out.n)
		pktq_clear(d->mem, &w->out);
	if (w->front)
		pkt_free(d->mem, w->front);
	if (w->held)
		pkt_free(d->mem, w->held);
	free(w);
}
