/* tcp/tcp_ack.c - SEGMENT ARRIVES, "fifth, check the ACK field": what the peer acknowledges, the window it offers, what follows.
 *
 * Begin reading at tcp_step5_ack(), at the end.
 * RFC 9293 §3.10.7.4, RFC 5961 §5, RFC 6298 §3, RFC 7323 §4. */
#include "tcp/input.h"

#include "tcp/ack.h"
#include "tcp/cwnd.h"
#include "tcp/ecn.h"
#include "tcp/memory.h"
#include "tcp/output.h"
#include "tcp/pmtu.h"
#include "tcp/recovery.h"
#include "tcp/rtt.h"
#include "tcp/scoreboard.h"
#include "tcp/tally.h"
#include "tcp/timers.h"
#include "tcp/urgent.h"

/* SND.WND by the WL1/WL2 rule: an old segment never changes it. Returns whether it changed. */
static bool update_window(struct tcp_conn *c, const struct tcp_seg *s)
{
	uint32_t wnd = (uint32_t)s->h.wnd << c->snd_ws, old = c->snd_wnd;

	if (!seq_lt(c->snd_wl1, s->h.seq) && !(c->snd_wl1 == s->h.seq && seq_le(c->snd_wl2, s->h.ack)))
		return false;
	c->snd_wl1 = s->h.seq;
	c->snd_wl2 = s->h.ack;
	c->snd_wnd = wnd;
	c->snd_wnd_max = MAX(c->snd_wnd_max, wnd);
	return wnd != old;
}

/* A sample from what [una, ack) carried: from its send times if none of it was sent twice (Karn), else from the echoed
 * timestamp if there is one (RFC 6298 §3, RFC 7323 §4.1). Returns it in µs, 0 if there was none. */
static uint32_t sample_rtt(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, const struct tcp_seg *s)
{
	const struct tcp_range *v = tcp_ranges_at(env->arena, &a->sent);
	int64_t first = TIME_NEVER;
	bool twice = false;

	for (unsigned i = 0; i < a->sent.n && seq_lt(v[i].seq, s->h.ack); i++) {
		twice |= v[i].flags & TCP_RANGE_EVER;
		if (!(v[i].flags & TCP_RANGE_SACKED) && first == TIME_NEVER)
			first = v[i].sent_at;
	}
	if (!twice && first != TIME_NEVER)
		return tcp_rtt_sample(c, MAX(s->rx_ns - first, 0));
	if (!c->ts_ok || !s->h.has_ts || !s->h.tsecr)
		return 0;
	/* The echo of a first copy after a time-out: its answer was late, or was lost and this one answers the repetition. In the second
	 * case our own RTO would be measured, and grow by itself; so Karn's rule holds here too. */
	if (a->ca == TCP_CA_LOSS && seq_lt(s->h.tsecr, a->rto_ts))
		return 0;
	uint32_t ms = tcp_ts_now(env, c->ts_offset) - s->h.tsecr;
	if (ms > INT32_MAX) /* an echo of what we never sent */
		return 0;
	return tcp_rtt_sample(c, MAX(ms, 1u) * NS_PER_MS);
}

/* SND.UNA moves to SEG.ACK. */
static void accept_new(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, struct tcp_ack_ctx *x)
{
	const struct tcp_seg *s = x->s;
	bool was_open = c->was_open;

	x->acked = s->h.ack - c->snd_una;
	x->rtt_us = sample_rtt(env, c, a, s);
	if (x->rtt_us) {
		a->backoff = 0; /* Karn's second half: the backed-off RTO holds until a true sample */
		tcp_kept(c)->tlp_spent = 0;
		if (was_open)
			c->rto_3s = 0;
	}
	a->retries = a->probes = 0;
	a->since = a->tlp.from = env->now;
	c->err_soft = 0;
	tcp_pmtu_ack(env, c, a, s->h.ack);
	c->snd_una = s->h.ack;
	tcp_ranges_cut_below(env->arena, &a->sent, c->snd_una);
	tcp_buf_drop_to(env, &c->snd, seq_lt(c->snd.end, c->snd_una) ? c->snd.end : c->snd_una);
	if (c->rare)
		tcp_urgent_acked(env, c);
	if (env->ops->path_confirm)
		env->ops->path_confirm(env->ctx, c->e.node.path);
}

/* What was measured up to now ends where this ACK begins; what it acknowledges has arrived. */
static void begin(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, struct tcp_ack_ctx *x)
{
	uint32_t ack = x->s->h.ack;

	x->pipe_before = tcp_pipe(c, a);
	tcp_rate_begin(&a->sent.rate, x->s->rx_ns);
	tcp_tally_ack_begin(c, a);
	tcp_scoreboard_acked(env, c, a, x, seq_lt(ack, c->snd_una) ? c->snd_una : ack);
}

/* SEG.ACK lies in [SND.UNA, SND.NXT]. */
static void acknowledge(struct tcp_env *env, struct tcp_conn *c, const struct tcp_seg *s)
{
	struct tcp_active *a = tcp_active_of(env, c);
	struct tcp_ack_ctx x = {.s = s, .una_before = c->snd_una, .flight_before = tcp_flight(c), .ece = tcp_ecn_echoes(c, s)};
	bool was_shut = c->snd_wnd == 0;

	x.wnd_moved = update_window(c, s);
	if (!a)
		return;
	c->more = 0; /* it held for the call; as Linux, an ACK lets go what it may */
	begin(env, c, a, &x);
	if (s->h.ack != c->snd_una)
		accept_new(env, c, a, &x);
	tcp_scoreboard_sack(env, c, a, &x);
	a->probes = 0; /* whatever it says, the peer lives */
	if (was_shut && c->snd_wnd)
		a->backoff = a->retries = 0;
	x.is_dup = x.flight_before && !x.acked && (c->sack_ok ? x.sacked != 0 : !tcp_seg_len(&s->h, s->len) && !x.wnd_moved);
	if (c->was_open) {
		tcp_recovery_ack(env, c, a, &x);
		tcp_cwnd_acked(env, c, a, &x);
	}
	tcp_tally_ack(env, c, a, &x);
	tcp_timers_rtx(env, c, x.acked || (was_shut && c->snd_wnd)); /* RFC 6298 §5.3 */
}

/* SEG.ACK < SND.UNA: a newer ACK overtook it. As an acknowledgement it says nothing, nor is its window one, but what it SACKs has
 * arrived (RFC 2018 §4: each option tells the newest news, so the one that overtook it may not repeat it). As Linux. */
static void overtaken(struct tcp_env *env, struct tcp_conn *c, const struct tcp_seg *s)
{
	struct tcp_active *a = tcp_active_of(env, c);
	struct tcp_ack_ctx x = {.s = s, .una_before = c->snd_una, .flight_before = tcp_flight(c)};

	if (!a || !c->sack_ok || !s->h.n_sack)
		return;
	begin(env, c, a, &x);
	tcp_scoreboard_sack(env, c, a, &x);
	x.is_dup = x.flight_before && x.sacked;
	tcp_recovery_ack(env, c, a, &x);
	tcp_cwnd_acked(env, c, a, &x);
	tcp_tally_ack(env, c, a, &x);
	tcp_timers_rtx(env, c, false);
}

/* SYN-RECEIVED STATE: "if SND.UNA < SEG.ACK =< SND.NXT, then enter ESTABLISHED state and continue processing", else a reset. Also for
 * FIN-WAIT-1 of a user who closed before the handshake ended (RFC 9293 figure 5): that ACK comes there. */
static enum tcp_step ack_of_syn(struct tcp_env *env, struct tcp_conn *c, struct tcp_seg *s)
{
	if (!seq_lt(c->snd_una, s->h.ack) || !seq_le(s->h.ack, c->snd_nxt)) {
		tcp_output_rst_seg(env, &c->e, s);
		s->drop = DROP_TCP_ACK_RANGE;
		return TCP_DONE;
	}
	c->snd_wnd = c->snd_wnd_max = (uint32_t)s->h.wnd << c->snd_ws;
	c->snd_wl1 = s->h.seq;
	c->snd_wl2 = s->h.ack;
	if (c->state == TCP_SYN_RECEIVED)
		tcp_conn_set_state(env, c, TCP_ESTABLISHED);
	acknowledge(env, c, s);
	tcp_conn_established(env, c);
	return TCP_CONTINUE;
}

/* ESTABLISHED STATE, and what all later states do first: take [SND.UNA, SND.NXT], of an older one no more than its SACK; what was never
 * sent or is far too old is answered and dropped (RFC 5961 §5.2). */
static enum tcp_step ack_of_data(struct tcp_env *env, struct tcp_conn *c, struct tcp_seg *s)
{
	uint32_t ack = s->h.ack;

	if (seq_lt(c->snd_nxt, ack) || seq_lt(ack, c->snd_una - c->snd_wnd_max)) {
		tcp_ack_challenge(env, c);
		s->drop = DROP_TCP_ACK_RANGE;
		return TCP_DONE;
	}
	if (seq_le(c->snd_una, ack))
		acknowledge(env, c, s);
	else
		overtaken(env, c, s);
	return TCP_CONTINUE;
}

/* FIN-WAIT-1, CLOSING, LAST-ACK STATE: "in addition to the processing for the ESTABLISHED state", what an acknowledged FIN means. */
static enum tcp_step fin_acked(struct tcp_env *env, struct tcp_conn *c, const struct tcp_seg *s)
{
	switch (c->state) {
	case TCP_FIN_WAIT_1:
		tcp_conn_set_state(env, c, TCP_FIN_WAIT_2);
		if (c->is_orphan && tcp_conn_skips_fin_wait2(env, c)) {
			tcp_output_rst_seg(env, &c->e, s);
			tcp_conn_finish(env, c, 0);
			return TCP_DONE;
		}
		tcp_timers_slow(env, c);
		tcp_conn_notify(env, c, TCP_EV_WRITABLE); /* who lingers on close() waits for this */
		return TCP_CONTINUE;
	case TCP_CLOSING:
		tcp_conn_set_state(env, c, TCP_TIME_WAIT);
		return TCP_DONE;
	case TCP_LAST_ACK:
		tcp_conn_finish(env, c, 0);
		return TCP_DONE;
	default:
		return TCP_CONTINUE;
	}
}

enum tcp_step tcp_step5_ack(struct tcp_env *env, struct tcp_conn *c, struct tcp_seg *s)
{
	if (!(s->h.flags & TCP_ACK)) { /* "if the ACK bit is off, drop the segment and return" */
		s->drop = DROP_TCP_NO_ACK;
		return TCP_DONE;
	}
	bool is_syn_acked = c->was_open;
	if ((is_syn_acked ? ack_of_data(env, c, s) : ack_of_syn(env, c, s)) == TCP_DONE)
		return TCP_DONE;
	return tcp_conn_has_fin_acked(c) ? fin_acked(env, c, s) : TCP_CONTINUE;
}
