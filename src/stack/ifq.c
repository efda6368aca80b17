/* stack/ifq.c - what waits for a driver: bounded, fair between flows, cut to what the link takes at the last moment.
 *
 * Packets are queued framed, by flow hash, and taken in turns by deficit round robin (Shreedhar, Varghese 1995) with one
 * superframe per turn, so a bulk flow cannot starve another. Taken packets are staged: superframes the driver does not
 * carry are cut, partial checksums it does not finish are finished, and the stage is offered in order. What the driver
 * does not take stays staged. When it takes a packet, its connection learns that it was sent. A VLAN's frames are tagged here and wait at
 * its parent. */
#include "stack/state.h"

#include "link/vlan.h"
#include "net/gso.h"

enum { BURST = 32, STAGE_MIN = 16 };

enum drop ifq_push(struct via *v, struct iface *i, struct pkt *p, bool limited)
{
	struct iface *lower = iface_lower(v, i);
	struct ifq *q = &lower->q;
	uint32_t n_max = limited ? IFQ_PACKETS_MAX : 2 * IFQ_PACKETS_MAX;
	if (!i->up || !lower->up)
		return DROP_IF_DOWN;
	if (q->n >= n_max || q->bytes + p->len > (limited ? IFQ_BYTES_MAX : 2 * IFQ_BYTES_MAX))
		return DROP_IF_QUEUE_FULL;
	if (i->vlan) {
		if (!vlan_push(p, i->vlan))
			return DROP_NO_MEMORY;
		p->m.l2 = p->head;
		i->tx_packets += p->m.gso_size ? p->m.gso_segs : 1;
		i->tx_bytes += p->len;
	}
	uint32_t f = p->m.flow_hash % IFQ_FLOWS;
	p->m.ifindex = lower->ifindex;
	pktq_push(v->mem, &q->flow[f], p);
	if (!(q->busy >> f & 1)) {
		q->busy |= UINT32_C(1) << f;
		q->deficit[f] = 0;
	}
	q->bytes += p->len;
	q->n++;
	return DROP_NONE;
}

/* The next packet by turns, or NULL. */
static struct pkt *ifq_take(struct via *v, struct ifq *q)
{
	if (!q->busy)
		return NULL;
	for (;;) {
		uint32_t f = q->turn % IFQ_FLOWS;
		if (!(q->busy >> f & 1)) {
			q->turn++;
			continue;
		}
		struct pkt *p = pktq_peek(v->mem, &q->flow[f]);
		if (q->deficit[f] < (int32_t)p->len) { /* its turn is over; the next one begins with a quantum more */
			q->deficit[f] += IFQ_QUANTUM;
			q->turn++;
			continue;
		}
		q->deficit[f] -= (int32_t)p->len;
		pktq_pop(v->mem, &q->flow[f]);
		if (!q->flow[f].n)
			q->busy &= ~(UINT32_C(1) << f);
		return p;
	}
}

/* Does the driver take p as it is? */
static bool ifq_driver_takes(const struct via_driver *d, const struct pkt *p)
{
	if (!p->m.gso_size)
		return true;
	return (d->caps & VIA_CAP_SUPERFRAME) && p->len - (uint32_t)(p->m.l3 - p->head) <= d->gso_max;
}

/* Stage one more packet as the driver wants it. False: nothing is left to stage. */
static bool ifq_stage(struct via *v, struct iface *i, const struct via_driver *d)
{
	struct ifq *q = &i->q;
	struct pkt *p = ifq_take(v, q);
	if (!p)
		return false;
	struct pkt_meta m = p->m;
	struct pktq cut = {0};
	q->bytes -= p->len;
	q->n--;
	if (ifq_driver_takes(d, p)) {
		if (!(d->caps & VIA_CAP_CSUM))
			pkt_csum_finish(v->mem, p);
		pktq_push(v->mem, &cut, p);
	} else if (gso_cut(v->mem, p, &cut)) {
		v->st->drops[DROP_NO_MEMORY]++;
		i->tx_dropped++;
		if (m.owner) /* the last cut would have told it */
			tcp_sent(&v->tcp, m.owner, m.owner_gen, m.owner_seq_end, v->now);
	}
	while ((p = pktq_pop(v->mem, &cut)) != NULL) {
		q->bytes += p->len;
		q->n++;
		pktq_push(v->mem, &q->staged, p);
	}
	return true;
}

/* Whose bytes were in a packet the driver has taken. */
struct sent {
	ref_t owner;
	uint32_t gen, seq_end, bytes, n;
};

/* Pop up to n staged packets into pkts, tracing the first `room` as far as not traced yet, and noting whose they are. */
static int ifq_gather(struct via *v, struct iface *i, int n, int room, struct pkt **pkts, struct sent *sent)
{
	struct ifq *q = &i->q;
	int k = 0;
	for (; k < n && q->staged.n; k++) {
		struct pkt *p = pktq_pop(v->mem, &q->staged);
		if (q->n_traced > 0)
			q->n_traced--;
		else if (k < room)
			stack_trace(v, TRACE_TX, p, i->ifindex, 0);
		sent[k] = (struct sent){p->m.owner, p->m.owner_gen, p->m.owner_seq_end, p->len, p->m.gso_size ? p->m.gso_segs : 1};
		p->m.owner = 0; /* means nothing on the other side */
		pkts[k] = p;
	}
	return k;
}

/* The driver took only part: what is left goes back to the front of the stage. traced: how many of it were. */
static void ifq_unstage(struct via *v, struct ifq *q, struct pkt **pkts, const struct sent *sent, int n, int traced)
{
	struct pktq front = {0};
	struct pkt *p;
	for (int k = 0; k < n; k++) {
		pkts[k]->m.owner = sent[k].owner;
		pktq_push(v->mem, &front, pkts[k]);
	}
	while ((p = pktq_pop(v->mem, &q->staged)) != NULL)
		pktq_push(v->mem, &front, p);
	q->staged = front;
	q->n_traced += (uint32_t)MAX(traced, 0);
}

/* The driver has taken these: count them and tell whose bytes they were. */
static void ifq_took(struct via *v, struct iface *i, const struct sent *sent, int n)
{
	for (int k = 0; k < n; k++) {
		i->q.bytes -= sent[k].bytes;
		i->q.n--;
		i->tx_packets += sent[k].n;
		i->tx_bytes += sent[k].bytes;
		if (sent[k].owner)
			tcp_sent(&v->tcp, sent[k].owner, sent[k].gen, sent[k].seq_end, v->now);
	}
}

/* Offer what the driver has room for and one packet more, so that a full driver knows that we wait. False: no use going on. */
static bool ifq_offer(struct via *v, struct iface *i, struct via_driver *d)
{
	struct ifq *q = &i->q;
	struct pkt *pkts[BURST], *extra = NULL;
	struct sent sent[BURST];
	int room = MAX(d->ops->tx_room(d), 0);
	while (q->staged.n < (uint32_t)MIN(room + 1, STAGE_MIN) && ifq_stage(v, i, d))
		;
	uint32_t was_traced = q->n_traced;
	int n = ifq_gather(v, i, MIN(room, BURST - 1) + 1, room, pkts, sent);
	if (n > room && was_traced <= (uint32_t)room) /* if the driver takes it after all, the trace must still see it */
		extra = stack_trace_id(v, pkts[room]) ? pkt_clone(v->mem, pkts[room]) : NULL;
	int took = n ? d->ops->tx_burst(d, pkts, n, v->now) : 0;
	if (extra && took > room)
		stack_trace(v, TRACE_TX, extra, i->ifindex, 0);
	pkt_free(v->mem, extra);
	ifq_took(v, i, sent, took);
	if (took < n)
		ifq_unstage(v, q, pkts + took, sent + took, n - took, MIN(n, MAX(room, (int)was_traced)) - took);
	return took == n;
}

/* Those whom this queue stopped may go on. */
static void ifq_feed(struct via *v, struct iface *i)
{
	bool all = i->q.starves_all;
	i->q.starved = i->q.starves_all = false;
	for (uint32_t n = IFINDEX_LO; n < v->st->iface_end; n++)
		if (n == i->ifindex || all || (iface_at(v, n) && iface_at(v, n)->parent == i->ifindex))
			tcp_tx_room(&v->tcp, (uint16_t)n);
}

void ifq_drain(struct via *v, struct iface *i)
{
	struct via_driver *d = v->drivers[i->ifindex];
	struct ifq *q = &i->q;
	while (d && q->n && ifq_offer(v, i, d))
		;
	uint32_t waiting = i->ifindex == IFINDEX_LO ? v->st->loopq.bytes : q->bytes;
	if (q->starved && waiting < IFQ_LOCAL_BYTES / 2)
		ifq_feed(v, i);
}

void ifq_clear(struct via *v, struct iface *i)
{
	struct ifq *q = &i->q;
	struct pkt *p;
	for (int f = 0; f < IFQ_FLOWS; f++)
		while ((p = pktq_pop(v->mem, &q->flow[f])) != NULL)
			stack_drop(v, p, DROP_IF_DOWN);
	while ((p = pktq_pop(v->mem, &q->staged)) != NULL)
		stack_drop(v, p, DROP_IF_DOWN);
	*q = (struct ifq){.starved = q->starved, .starves_all = q->starves_all};
	if (q->starved && v->tcp.tab) /* no TCP any more when the stack ends */
		ifq_feed(v, i);
}
