/* stack/poll.c - the clock's door: receive, fire timers, flush; and when to come again.
 *
 * One call does at most `budget` packets and timers. Interfaces are asked in turn, beginning with another one each time,
 * so a busy one starves none. Packets to ourselves are received here like any others, by at most half of the budget, and an
 * eighth is kept for timers: no flood stops the clock. */
#include "stack/nd.h"

enum { BURST = 32 };

/* Packets of the loopback queue as it stands now: what they cause comes with the next call. */
static int poll_loopback(struct via *v, int budget)
{
	struct via_state *st = v->st;
	int n = (int)MIN(st->loopq.n, (uint32_t)budget);
	for (int k = 0; k < n; k++) {
		struct pkt *p = pktq_pop(v->mem, &st->loopq);
		if (p->m.owner)
			tcp_sent(&v->tcp, p->m.owner, p->m.owner_gen, p->m.owner_seq_end, v->now);
		p->m.rx_ns = v->now;
		rx_packet(v, iface_at(v, IFINDEX_LO), p);
	}
	return n;
}

/* One burst from each driver that has something. Returns packets taken. */
static int poll_drivers(struct via *v, int budget)
{
	struct via_state *st = v->st;
	struct pkt *pkts[BURST];
	int done = 0;
	st->rx_turn++;
	for (uint32_t k = 0; k < st->iface_end && done < budget; k++) {
		uint32_t ifindex = (st->rx_turn + k) % st->iface_end;
		struct via_driver *d = v->drivers[ifindex];
		if (!d || !iface_at(v, ifindex)) /* restored from before it was added */
			continue;
		int n = d->ops->rx_burst(d, pkts, MIN(BURST, budget - done));
		for (int i = 0; i < n; i++)
			rx_packet(v, iface_at(v, ifindex), pkts[i]);
		done += n;
	}
	return done;
}

static void poll_neigh_timeout(struct via *v, ref_t r)
{
	struct neigh_env ne = stack_neigh_env(v);
	struct neigh_ask ask;
	struct pktq failed = {0};
	const struct via_addr addr = neigh_at(v->arena, r)->addr;
	const uint16_t ifindex = neigh_at(v->arena, r)->ifindex;
	bool was_stale = neigh_at(v->arena, r)->state == NEIGH_STALE;
	uint32_t gen = v->st->neigh.gen;
	neigh_timeout(&ne, &v->st->neigh, r, &ask, &failed);
	tx_ask(v, &ask);
	if (gen != v->st->neigh.gen && !was_stale && !via_addr_is_v4(&addr)) /* it went without an answer */
		nd_router_failed(v, iface_at(v, ifindex), &addr, false);
	tx_failed(v, &failed);
}

static int poll_timers(struct via *v, int budget)
{
	int done = 0;
	for (; done < budget; done++) {
		ref_t r = wheel_expire(v->arena, &v->st->wheel, v->now);
		if (!r)
			break;
		switch (((struct wheel_node *)arena_at(v->arena, r))->kind) {
		case WHEEL_TCP_CONN:
		case WHEEL_TCP_SYNRCVD:
		case WHEEL_TCP_TIMEWAIT:
			tcp_timeout(&v->tcp, r);
			break;
		case WHEEL_NEIGH:
			poll_neigh_timeout(v, r);
			break;
		case WHEEL_ACD:
			acd_fires(v, r);
			break;
		case WHEEL_ND:
			nd_timeout(v, r);
			break;
		case WHEEL_REASM:
			frag_timeout(v, r);
			break;
		case WHEEL_CT:
			filter_timeout(v, r);
			break;
		case WHEEL_GROUPS:
			mcast_timeout(v, r);
			break;
		case WHEEL_STACK:
			path_timeout(v, r);
			break;
		default:
			ASSERT(false);
		}
	}
	return done;
}

/* Is something to be done without waiting? */
static bool poll_is_pending(const struct via *v)
{
	const struct via_state *st = v->st;
	if (st->loopq.n || st->lost.n || tcp_is_dirty(&v->tcp))
		return true;
	for (uint32_t i = 0; i < st->iface_end; i++) {
		struct via_driver *d = v->drivers[i];
		const struct iface *f = d ? iface_at(v, i) : NULL;
		if (f && f->q.n && d->ops->tx_room(d) > 0)
			return true;
	}
	return false;
}

int via_poll(struct via *v, int64_t now, int budget)
{
	stack_enter(v, now);
	int rx_max = MAX(budget - budget / 8 - 1, 1), n = 1;
	int done = poll_loopback(v, MAX(rx_max / 2, 1));
	while (done < rx_max && n > 0) {
		n = poll_drivers(v, rx_max - done);
		done += n;
	}
	bool full = done >= rx_max;
	int timers_max = MAX(budget - done, 1);
	full |= poll_timers(v, timers_max) == timers_max;
	via_flush(v, now);
	return full || poll_is_pending(v) ? VIA_AGAIN : 0;
}

void via_rx_burst(struct via *v, int ifindex, struct pkt **pkts, int n, int64_t now)
{
	struct iface *in = ifindex > 0 ? iface_at(v, (uint32_t)ifindex) : NULL;
	stack_enter(v, now);
	for (int k = 0; k < n; k++) {
		if (in)
			rx_packet(v, in, pkts[k]);
		else
			stack_drop(v, pkts[k], DROP_IF_DOWN);
	}
	via_flush(v, now);
}

int64_t via_next_deadline(const struct via *v)
{
	if (poll_is_pending(v))
		return v->now;
	int64_t next = wheel_next(&v->st->wheel);
	for (uint32_t i = 0; i < v->st->iface_end; i++)
		if (v->drivers[i])
			next = MIN(next, v->drivers[i]->ops->next(v->drivers[i]));
	return next;
}
