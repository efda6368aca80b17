/* test/sim/watch.c - see watch.h. Looks at stacks that have run at this instant; an instant may hold several events of one
 * stack, of which the last state counts. */
#include "test/sim/watch.h"

#include "stack/state.h"
#include "tcp/conn.h"
#include "tcp/recovery.h"
#include <stdarg.h>

#define RTX_MAX_NS (125 * NS_PER_S) /* the longest that a backed-off timer may be away */

void watch_init(struct watch *w, struct lab *l, bool is_wild)
{
	*w = (struct watch){.l = l, .is_wild = is_wild};
}

__attribute__((format(printf, 4, 5))) static bool fails(struct watch *w, int node, const struct tcp_conn *c, const char *fmt, ...)
{
	char text[200];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (!w->why[0])
		snprintf(w->why, sizeof w->why, "at %.6f s, %s port %u to %u: %s", (double)(w->l->env.now - w->start) / 1e9,
			w->l->topo->nodes[node].name, c ? c->e.node.lport : 0, c ? c->e.node.rport : 0, text);
	return false;
}

/* What was seen of c after the event before; a new entry if c is new. NULL: no room to remember. */
static struct watch_conn *memory(struct watch *w, int node, ref_t ref, const struct tcp_conn *c, bool *is_new)
{
	struct watch_conn *m = w->conn;
	for (; m < w->conn + w->n; m++)
		if (m->ref == ref && m->node == node) {
			*is_new = m->iss != c->iss;
			return m;
		}
	*is_new = true;
	if (w->n == WATCH_CONNS)
		return NULL;
	w->n++;
	return m;
}

static bool check_ranges(struct watch *w, int node, struct tcp_env *env, const struct tcp_conn *c, struct tcp_active *a)
{
	const struct tcp_range *v = tcp_ranges_at(env->arena, &a->sent);
	uint32_t at = c->snd_una, sacked = 0, lost = 0, queued = 0;
	for (unsigned i = 0; i < a->sent.n; i++) {
		uint32_t n = v[i].end - v[i].seq;
		if (v[i].seq != at || n == 0 || n > 1u << 30)
			return fails(w, node, c, "range %u of %u is [+%u, +%u), expected to begin at +%u", i, a->sent.n, v[i].seq - c->snd_una,
				v[i].end - c->snd_una, at - c->snd_una);
		at = v[i].end;
		sacked += v[i].flags & TCP_RANGE_SACKED ? n : 0;
		lost += v[i].flags & TCP_RANGE_LOST ? n : 0;
		queued += v[i].flags & TCP_RANGE_QUEUED ? n : 0;
	}
	if (at != c->snd_nxt)
		return fails(w, node, c, "%u bytes are in flight, ranges hold %u", tcp_flight(c), at - c->snd_una);
	if (sacked != a->sent.sacked || lost != a->sent.lost || queued != a->sent.queued)
		return fails(w, node, c, "ranges hold %u sacked, %u lost, %u queued; the totals say %u, %u, %u", sacked, lost, queued,
			a->sent.sacked, a->sent.lost, a->sent.queued);
	return true;
}

/* New data left since the last look: was there room for it? */
static bool check_sent(struct watch *w, int node, const struct tcp_conn *c, const struct tcp_active *a, const struct watch_conn *m)
{
	uint32_t pipe = tcp_pipe(c, a), cwnd = MAX(c->cwnd, m->cwnd), credit = 3u * c->mss;
	if (!w->is_wild && seq_lt(m->edge + 1, c->snd_nxt))
		return fails(w, node, c, "sent %u bytes beyond the peer's window", c->snd_nxt - m->edge);
	/* cwnd does not hold a loss probe, not even if it has just been reduced below what was in flight (RFC 8985 §7.3). */
	if (a->tlp.is_out && !a->tlp.is_retrans && a->tlp.end_seq == c->snd_nxt && c->snd_nxt - m->snd_nxt <= c->mss)
		return true;
	/* cwnd may have been higher within the event, by what it acknowledged. */
	if (pipe > (uint64_t)cwnd + (c->snd_una - m->snd_una) + credit)
		return fails(w, node, c, "sent with %u bytes in the pipe, cwnd %u", pipe, cwnd);
	return true;
}

static bool check_timers(struct watch *w, int node, const struct tcp_conn *c, const struct tcp_active *a)
{
	int64_t now = w->l->env.now, at = c->e.node.timer.deadline;
	bool flies = c->snd_una != c->snd_nxt, waits = tcp_unsent(c) || (c->fin_queued && !c->fin_sent);
	bool is_syn = c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECEIVED;
	if (!flies && (!waits || is_syn || c->queue != TCP_Q_NONE || !tcp_state_may_send(c->state)))
		return true;
	if (!a)
		return fails(w, node, c, "%u bytes in flight, %u waiting, no active part", tcp_flight(c), tcp_unsent(c));
	if (!c->e.node.timer.where)
		return fails(w, node, c, "%u bytes in flight, %u waiting, no timer", tcp_flight(c), tcp_unsent(c));
	if (at > now + RTX_MAX_NS || at < now - 3 * (INT64_C(1) << WHEEL_TICK_SHIFT))
		return fails(w, node, c, "its timer is %lld ms away", (long long)((at - now) / NS_PER_MS));
	return true;
}

static bool check_conn(struct watch *w, int node, struct tcp_env *env, ref_t ref)
{
	struct tcp_conn *c = tcp_conn_at(env, ref);
	struct tcp_active *a = tcp_active_of(env, c);
	uint32_t edge = c->snd_una + c->snd_wnd;
	bool is_new;
	if (c->state == TCP_CLOSED)
		return true;
	struct watch_conn *m = memory(w, node, ref, c, &is_new);
	w->checks++;
	if (seq_lt(c->snd_nxt, c->snd_una))
		return fails(w, node, c, "SND.NXT lies %u below SND.UNA", c->snd_una - c->snd_nxt);
	if (c->was_open && c->cwnd < c->mss)
		return fails(w, node, c, "cwnd is %u, a segment %u", c->cwnd, c->mss);
	if (c->was_open && seq_lt(c->rcv_adv, c->rcv_nxt - 1)) /* a FIN may follow a full window */
		return fails(w, node, c, "took %u bytes beyond the window it had offered", c->rcv_nxt - c->rcv_adv);
	bool good = (!a || check_ranges(w, node, env, c, a)) && check_timers(w, node, c, a);
	if (!m)
		return good;
	if (is_new || !m->has_window)
		*m = (struct watch_conn){.ref = ref, .node = node, .iss = c->iss, .edge = edge, .snd_nxt = c->snd_nxt, .rcv_adv = c->rcv_adv,
			.has_window = c->was_open};
	if (seq_lt(m->edge, edge))
		m->edge = edge;
	if (seq_lt(c->rcv_adv, m->rcv_adv))
		good = good && fails(w, node, c, "its window shrank by %u", m->rcv_adv - c->rcv_adv);
	if (a && c->was_open && m->snd_una && seq_lt(m->snd_nxt, c->snd_nxt))
		good = good && check_sent(w, node, c, a, m);
	m->snd_una = c->snd_una;
	m->snd_nxt = c->snd_nxt;
	m->cwnd = c->cwnd;
	m->rcv_adv = c->rcv_adv;
	return good;
}

static bool check_node(struct watch *w, int node)
{
	struct tcp_env *env = &w->l->nodes[node].stack->tcp;
	bool good = true;
	for (ref_t r = tcp_tab(env)->all.head; r && good; r = list_next(env->arena, r, offsetof(struct tcp_entry, all)))
		if (tcp_node_at(env, r)->timer.kind == WHEEL_TCP_CONN)
			good = check_conn(w, node, env, r);
	return good;
}

bool watch_event(struct watch *w)
{
	bool good = !w->why[0];
	w->events++;
	for (int i = 0; i < w->l->topo->n_nodes && good; i++) {
		const struct via *v = w->l->nodes[i].stack;
		if (v && v->now == w->l->env.now && tcp_tab(&v->tcp)->all.n)
			good = check_node(w, i);
	}
	if (good && w->events % 256 == 0)
		good = watch_conserves(w);
	return good;
}

/* --- nothing vanishes --- */

static bool link_conserves(struct watch *w, const struct link_dir *d)
{
	const struct lab_link_stats *s = &d->st;
	uint64_t in = s->sent + s->duplicated, out = s->lost + s->limited + s->delivered + d->q.n;
	if (in == out)
		return true;
	if (!w->why[0])
		snprintf(w->why, sizeof w->why, "link %s to %s: %llu sent and %llu duplicated, but %llu lost, %llu limited, %llu delivered, "
			"%u under way", s->from, s->to, (unsigned long long)s->sent, (unsigned long long)s->duplicated, (unsigned long long)s->lost,
			(unsigned long long)s->limited, (unsigned long long)s->delivered, d->q.n);
	return false;
}

/* What came in by Ethernet is ARP, IP, or dropped by name; what is IP is for us, passed on, or dropped by name. */
static bool stack_conserves(struct watch *w, int node)
{
	static const enum drop frames[] = {DROP_ETH_SHORT, DROP_ETH_OTHER, DROP_ETH_TYPE, DROP_ETH_VLAN, DROP_IF_DOWN};
	static const enum drop packets[] = {DROP_IP_BAD, DROP_IP_CSUM, DROP_IP_SOURCE, DROP_IP_NOT_OURS, DROP_IP_TTL, DROP_IP_NO_ROUTE,
		DROP_IP_OPTIONS, DROP_IP_MTU, DROP_IP_BROADCAST, DROP_FRAG_BAD, DROP_FRAG_TINY, DROP_FRAG_OVERLAP, DROP_FRAG_DUPLICATE,
		DROP_FRAG_ECN, DROP_FRAG_TIMEOUT, DROP_FRAG_LIMIT};
	const struct via *v = w->l->nodes[node].stack;
	const struct via_state *st = v->st;
	uint64_t rx = 0, dropped = 0, kept = st->counts[COUNT_ARP_IN] + st->counts[COUNT_IP_IN];
	for (uint32_t i = IFINDEX_LO + 1; i < st->iface_end; i++)
		rx += iface_at(v, i) ? iface_at(v, i)->rx_packets : 0;
	for (size_t i = 0; i < ARRAY_LEN(frames); i++)
		dropped += st->drops[frames[i]];
	if (rx != kept + dropped)
		return fails(w, node, NULL, "%llu frames came, %llu were ARP or IP, %llu dropped", (unsigned long long)rx, (unsigned long long)kept,
			(unsigned long long)dropped);
	dropped = 0;
	for (size_t i = 0; i < ARRAY_LEN(packets); i++)
		dropped += st->drops[packets[i]];
	kept = st->counts[COUNT_IP_LOCAL] + st->counts[COUNT_IP_FORWARDED] + st->counts[COUNT_REASM_JOINED] - st->counts[COUNT_REASM_WHOLE];
	if (st->counts[COUNT_IP_IN] != kept + dropped)
		return fails(w, node, NULL, "%llu packets came, %llu were for us or passed on, %llu dropped",
			(unsigned long long)st->counts[COUNT_IP_IN], (unsigned long long)kept, (unsigned long long)dropped);
	return true;
}

/* Its queues and TCP's lists. */
static bool stack_is_idle(struct watch *w, int node)
{
	const struct via *v = w->l->nodes[node].stack;
	const struct tcp_state_tab *t = tcp_tab(&v->tcp);
	if (t->counts[TCP_COUNT_BROKEN])
		return fails(w, node, NULL, "a connection's numbers contradicted each other (tcp/sane.h)");
	if (v->st->loopq.n || v->st->lost.n)
		return fails(w, node, NULL, "packets are left in the loopback queue");
	for (uint32_t i = IFINDEX_LO; i < v->st->iface_end; i++)
		if (iface_at(v, i) && (iface_at(v, i)->q.n || iface_at(v, i)->q.bytes || iface_at(v, i)->q.busy))
			return fails(w, node, NULL, "interface %u still has %u packets, %u bytes queued", i, iface_at(v, i)->q.n,
				iface_at(v, i)->q.bytes);
	if (t->all.n || t->dirty.n || t->held.n || t->n_orphans)
		return fails(w, node, NULL, "TCP still has %u connections, %u dirty, %u held, %u orphans", t->all.n, t->dirty.n, t->held.n,
			t->n_orphans);
	return true;
}

bool watch_is_idle(struct watch *w)
{
	bool good = true;
	for (int i = 0; i < w->l->topo->n_nodes && good; i++)
		good = !w->l->nodes[i].stack || stack_is_idle(w, i);
	return good;
}

bool watch_conserves(struct watch *w)
{
	bool good = true;
	for (int i = 0; i < 2 * w->l->topo->n_links && good; i++)
		good = link_conserves(w, &w->l->links[i / 2].dir[i % 2]);
	for (int i = 0; i < w->l->topo->n_nodes && good; i++)
		good = !w->l->nodes[i].stack || stack_conserves(w, i);
	return good;
}
