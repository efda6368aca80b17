/* tcp/flush.c - once per burst: output of every connection marked dirty; the link's word on what left and what has room. */
#include "tcp/input.h"

#include "tcp/memory.h"
#include "tcp/output.h"
#include "tcp/recovery.h"
#include "tcp/rtt.h"
#include "tcp/tally.h"
#include "tcp/timers.h"

#define Q_OFF offsetof(struct tcp_conn, q)

static uint64_t room_bit(uint16_t ifindex) { return UINT64_C(1) << (ifindex & 63); }

/* Interfaces have room: who was held there first goes first, as many as the room allows. The one that is told "no room" in the end
 * is whom the interface tells of room again. */
static void wake_held(struct tcp_env *env)
{
	struct tcp_state_tab *t = tcp_tab(env);
	uint64_t told = t->room_told;
	ref_t r = t->held.head;

	t->room_told = 0;
	for (uint32_t n = t->held.n; n > 0 && told; n--) {
		struct tcp_conn *c = tcp_conn_at(env, r);
		uint64_t bit = room_bit(tcp_path_of(env, &c->e)->ifindex);
		r = list_next(env->arena, r, Q_OFF); /* before c joins the end of the list again */
		if (!(told & bit))
			continue;
		if (!env->ops->tx_room(env->ctx, c->e.node.path)) {
			told &= ~bit;
			continue;
		}
		tcp_conn_unqueue(env, c);
		tcp_output(env, c, false);
		tcp_conn_settle(env, c);
	}
}

void tcp_flush(struct tcp_env *env)
{
	struct tcp_state_tab *t = tcp_tab(env);

	if (t->room_told)
		wake_held(env);
	tcp_mem_relieve(env);

	for (uint32_t n = t->dirty.n; n > 0 && t->dirty.head; n--) {
		struct tcp_conn *c = tcp_conn_at(env, t->dirty.head);
		tcp_conn_unqueue(env, c);
		tcp_output(env, c, false);
		tcp_conn_settle(env, c);
	}
}

bool tcp_is_dirty(const struct tcp_env *env)
{
	return tcp_tab(env)->dirty.n || tcp_tab(env)->room_told;
}

void tcp_tx_room(struct tcp_env *env, uint16_t ifindex)
{
	struct tcp_state_tab *t = tcp_tab(env);

	if (t->held.n)
		t->room_told |= room_bit(ifindex);
}

void tcp_sent(struct tcp_env *env, ref_t conn, uint32_t gen, uint32_t seq_end, int64_t at)
{
	if (!env->tab) /* after tcp_fini() */
		return;
	struct tcp_conn *c = tcp_conn_at(env, conn); /* it waits for its packets, see tcp_conn_settle() */
	struct tcp_active *a = tcp_active_of(env, c);

	if (!a || c->iss != gen || !a->below)
		return;
	a->below--;
	if (c->state != TCP_CLOSED) {
		bool is_first = a->sent.n && tcp_ranges_at(env->arena, &a->sent)->flags & TCP_RANGE_QUEUED;
		tcp_ranges_taken(env->arena, &a->sent, seq_end, at);
		tcp_recovery_taken(env, c, a);
		/* The timer of the oldest range begins when it has really left. */
		if (is_first && !(tcp_ranges_at(env->arena, &a->sent)->flags & TCP_RANGE_QUEUED))
			tcp_timers_set_rtx(env, c, a, MAX(a->rto_at, at + tcp_rto_backed(c, a->backoff)));
		a->tlp.from = MAX(a->tlp.from, at);
		if (c->snd_una != c->snd_nxt)
			tcp_timers_rtx(env, c, false);
		bool waits = tcp_unsent(c) || a->sent.lost || (c->fin_queued && !c->fin_sent);
		if (waits && c->queue == TCP_Q_NONE)
			tcp_conn_mark_dirty(env, c);
	}
	tcp_conn_settle(env, c);
}

void tcp_path_changed(struct tcp_env *env, ref_t path)
{
	const struct tcp_path *p = arena_at(env->arena, path);
	ref_t r = p->last_node;

	for (; r && tcp_node_at(env, r)->path == path; r = list_prev(env->arena, r, offsetof(struct tcp_entry, all))) {
		if (tcp_node_at(env, r)->timer.kind != WHEEL_TCP_CONN || tcp_conn_at(env, r)->state == TCP_CLOSED)
			continue;
		struct tcp_conn *c = tcp_conn_at(env, r);
		uint16_t mss = c->mss;
		tcp_conn_update_mss(env, c);
		if (c->mss < mss && c->active && c->was_open)
			tcp_recovery_mtu(env, c, tcp_active_of(env, c), c->snd_una, c->snd_nxt);
		if (c->mss < mss && c->state == TCP_SYN_SENT && seq_lt(c->iss + 1, c->snd_nxt)) /* its text was too much: without (as Linux) */
			tcp_output_syn(env, c, WHY_SYN_RETRANS, false);
		tcp_conn_mark_dirty(env, c);
	}
}

void tcp_path_gone(struct tcp_env *env, ref_t path, int err)
{
	const struct tcp_path *p = arena_at(env->arena, path);

	for (ref_t r = p->last_node, prev; r && tcp_node_at(env, r)->path == path; r = prev) {
		prev = list_prev(env->arena, r, offsetof(struct tcp_entry, all));
		if (tcp_node_at(env, r)->timer.kind != WHEEL_TCP_CONN || tcp_conn_at(env, r)->state == TCP_CLOSED)
			continue;
		tcp_conn_finish(env, tcp_conn_at(env, r), err);
		tcp_conn_settle(env, tcp_conn_at(env, r));
	}
}

static void forget_node(void *ctx, ref_t node)
{
}

void tcp_fini(struct tcp_env *env)
{
	struct tcp_state_tab *t = tcp_tab(env);
	const struct tcp_ops *ops = env->ops;
	struct tcp_ops last = *ops;

	last.demux_del = forget_node; /* the tables go down with us, maybe have gone before */
	env->ops = &last;

	while (t->all.head) {
		ref_t r = t->all.head;
		switch (tcp_node_at(env, r)->timer.kind) {
		case WHEEL_TCP_SYNRCVD:
			tcp_synrcvd_free(env, r);
			break;
		case WHEEL_TCP_TIMEWAIT:
			tcp_timewait_free(env, r);
			break;
		default:
			tcp_conn_free(env, arena_at(env->arena, r));
		}
	}
	env->ops = ops;
	tcp_fastopen_forget(env);
	arena_buf_give(env->arena, t->spare_tally, sizeof(struct tcp_tally));
	arena_buf_give(env->arena, env->tab, sizeof(*t));
	env->tab = 0;
}
