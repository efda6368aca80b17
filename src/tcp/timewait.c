/* tcp/timewait.c - TIME-WAIT: 2 MSL of memory of a four-tuple in a small struct (RFC 9293 §3.6.1, RFC 1337, RFC 6191).
 *
 * Only a repeated FIN, or anything with text, is answered; a FIN starts the 2 MSL again. What carries
 * no text is answered twice a second at most. RST is ignored, against RFC 9293,
 * so that old duplicates cannot end the state early (RFC 1337 §3). A SYN that cannot be an old one ends it (RFC 6191).
 * Out of memory, or at the cap, the connection simply closes, as on Linux. */
#include "tcp/input.h"

#include "tcp/output.h"
#include "tcp/rtt.h"
#include "tcp/timers.h"

#define REUSE_STEP 65537u /* the next incarnation's ISS above our last number, as Linux */

static struct tcp_timewait *tw_at(const struct tcp_env *env, ref_t node)
{
	return pool_at(env->arena, &tcp_tab(env)->timewaits, node);
}

void tcp_timewait_enter(struct tcp_env *env, struct tcp_conn *c)
{
	ref_t r = pool_take(env->arena, &tcp_tab(env)->timewaits);

	if (r) {
		struct tcp_timewait *t = arena_at(env->arena, r);
		struct tcp_node *n = &t->e.node;
		n->timer.kind = WHEEL_TCP_TIMEWAIT;
		n->path = c->e.node.path;
		n->lport = c->e.node.lport;
		n->rport = c->e.node.rport;
		env->ops->path_hold(env->ctx, n->path);
		t->snd_nxt = c->snd_nxt;
		t->rcv_nxt = c->rcv_nxt;
		t->rcv_wnd = tcp_rcv_wnd(c);
		t->iss = c->iss;
		t->irs = c->irs;
		t->ts_recent = c->ts_recent;
		t->ts_recent_tick = c->ts_recent_tick;
		t->ts_offset = c->ts_offset;
		t->ts_ok = c->ts_ok;
		t->rcv_ws = c->rcv_ws;
	}
	/* The hot struct is done: what its user may still read stays with it. TIME-WAIT lives on in the entry. */
	tcp_conn_finish(env, c, 0);
	if (r) {
		tcp_entry_link(env, arena_at(env->arena, r));
		wheel_arm(env->arena, env->wheel, r, env->now + 2 * TCP_MSL_NS);
	}
}

void tcp_timewait_free(struct tcp_env *env, ref_t node)
{
	struct tcp_timewait *t = tw_at(env, node);

	tcp_entry_unlink(env, &t->e);
	env->ops->path_drop(env->ctx, t->e.node.path);
	pool_give(env->arena, &tcp_tab(env)->timewaits, node);
}

void tcp_timewait_timeout(struct tcp_env *env, ref_t node)
{
	tcp_trace_state(env, &tw_at(env, node)->e.node, TCP_TIME_WAIT, TCP_CLOSED);
	tcp_timewait_free(env, node);
}

static void send_ack(struct tcp_env *env, struct tcp_timewait *t, const struct tcp_seg *s)
{
	if (!tcp_invalid_may_answer(env, &t->invalid_tick, s))
		return;
	struct tcp_hdr h = {.sport = t->e.node.lport, .dport = t->e.node.rport, .seq = t->snd_nxt, .ack = t->rcv_nxt, .flags = TCP_ACK,
			    .wnd = (uint16_t)MIN(t->rcv_wnd >> t->rcv_ws, 65535u), .has_ts = t->ts_ok, .tsecr = t->ts_recent};

	h.tsval = tcp_ts_now(env, t->ts_offset);
	tcp_seg_send(env, t->e.node.path, &h, WHY_ACK_DUP, 0, 0);
}

enum drop tcp_timewait_arrives(struct tcp_env *env, ref_t node, struct tcp_seg *s)
{
	struct tcp_timewait *t = tw_at(env, node);
	uint32_t len = tcp_seg_length(s);
	bool paws = t->ts_ok && s->h.has_ts && tcp_paws_rejects(s->h.tsval, t->ts_recent, tcp_tick_now(env) - t->ts_recent_tick);

	if (s->h.flags & TCP_RST) /* TCP-044 */
		return DROP_TCP_TIMEWAIT;
	if (s->h.flags & TCP_FIN && !paws && s->h.seq + len == t->rcv_nxt) /* the peer's FIN again: our ACK was lost */
		wheel_arm(env->arena, env->wheel, node, env->now + 2 * TCP_MSL_NS);
	if (paws || !tcp_is_acceptable(t->rcv_nxt, t->rcv_wnd, s->h.seq, len)) /* first */
		send_ack(env, t, s);
	else if (s->h.flags & TCP_SYN || (s->h.flags & TCP_ACK && len)) /* fourth (RFC 5961 §4.2), fifth */
		send_ack(env, t, s);
	return DROP_TCP_TIMEWAIT;
}

bool tcp_timewait_yields(struct tcp_env *env, ref_t node, struct pkt *p)
{
	struct tcp_timewait *t = tw_at(env, node);
	struct tcp_state_tab *tab = tcp_tab(env);
	const struct tcp_path *path = tcp_path_of(env, &t->e);
	struct tcp_seg s;

	if (tcp_seg_read(env, p, &path->local, &path->remote, &s) != DROP_NONE)
		return false;
	if ((s.h.flags & (TCP_SYN | TCP_RST | TCP_ACK | TCP_FIN)) != TCP_SYN)
		return false;
	bool later = seq_lt(t->rcv_nxt, s.h.seq); /* RFC 9293 §3.6.1 MAY-2 */
	if (t->ts_ok && s.h.has_ts) /* RFC 6191 §2: the timestamp decides, the sequence number breaks a tie */
		later = seq_lt(t->ts_recent, s.h.tsval) || (t->ts_recent == s.h.tsval && later);
	if (!later)
		return false;
	tab->has_reuse = true;
	tab->reuse_lport = t->e.node.lport;
	tab->reuse_rport = t->e.node.rport;
	tab->reuse_iss = t->snd_nxt + REUSE_STEP;
	tcp_trace_state(env, &t->e.node, TCP_TIME_WAIT, TCP_CLOSED);
	tcp_timewait_free(env, node);
	return true;
}
