/* tcp/tcp_listen.c - a listener: SYN, the small SYN-RECEIVED struct, and the third ACK that makes a connection.
 *
 * A SYN is answered from a struct of 128 bytes; SYN-ACK is repeated by its timer. On the third ACK the entry becomes a
 * connection in SYN-RECEIVED and the segment goes through the RFC's steps there, so data and FIN on it count. As Linux:
 * with the accept queue full a SYN is dropped, and the third ACK is dropped while the entry stays; a repeated SYN is
 * answered by the SYN-ACK, not by a bare ACK, since the peer lost that one; with TCP_DEFER_ACCEPT a third ACK without text
 * is remembered and dropped, and the SYN-ACK rests meanwhile. Text on a SYN is not kept, but for Fast Open. Limits:
 * syn_max entries per listener and TCP_SYNRCVD_MAX in all, beyond them cookies (syncookie.c); backlog + 1 connections.
 * RFC 9293 §3.10.7.2, .4; RFC 4987; RFC 5961; RFC 7323. */
#include "tcp/input.h"

#include <errno.h>

#include "tcp/cc.h"
#include "tcp/ecn.h"
#include "tcp/fastopen.h"
#include "tcp/isn.h"
#include "tcp/memory.h"
#include "tcp/output.h"
#include "tcp/rtt.h"
#include "tcp/syncookie.h"
#include "tcp/tally.h"
#include "tcp/timers.h"
#include "tcp/window.h"

#define SYNRCVD_OFF offsetof(struct tcp_synrcvd, of)
#define ACCEPT_OFF offsetof(struct tcp_rare, accept)
#define LISTEN_SYN_MIN 128u
#define LISTEN_SYN_MAX 4096u

/* --- the listener --- */

struct tcp_listener *tcp_listener_at(struct tcp_env *env, ref_t listener)
{
	return pool_at(env->arena, &tcp_tab(env)->listeners, listener);
}

ref_t tcp_user_listen(struct tcp_env *env, const struct via_addr *local, uint16_t lport, uint32_t backlog, const struct tcp_opts *o,
		      ref_t owner)
{
	ref_t r = pool_take(env->arena, &tcp_tab(env)->listeners);

	if (!r)
		return 0;
	struct tcp_listener *l = arena_at(env->arena, r);
	l->backlog = backlog;
	l->cookie_at = INT64_MIN;
	l->syn_max = MIN(MAX(backlog, LISTEN_SYN_MIN), LISTEN_SYN_MAX);
	l->owner = owner;
	l->local = *local;
	l->lport = lport;
	if (o)
		l->opts = *o;
	return r;
}

void tcp_user_unlisten(struct tcp_env *env, ref_t listener)
{
	struct tcp_listener *l = tcp_listener_at(env, listener);
	ref_t r;

	while ((r = list_pop_head(env->arena, &l->accept, ACCEPT_OFF))) {
		struct tcp_rare *rare = arena_at(env->arena, r);
		struct tcp_conn *c = tcp_conn_at(env, rare->conn);
		rare->listener = 0;
		tcp_conn_abort(env, c, 0);
		tcp_conn_settle(env, c);
	}
	while (l->synrcvd.head)
		tcp_synrcvd_free(env, l->synrcvd.head);
	tcp_fastopen_unlisten(env, l);
	pool_give(env->arena, &tcp_tab(env)->listeners, listener);
}

ref_t tcp_user_accept(struct tcp_env *env, ref_t listener, ref_t owner)
{
	struct tcp_listener *l = tcp_listener_at(env, listener);
	ref_t r = list_pop_head(env->arena, &l->accept, ACCEPT_OFF);

	if (!r)
		return 0;
	struct tcp_rare *rare = arena_at(env->arena, r);
	ref_t conn = rare->conn;
	struct tcp_conn *c = tcp_conn_at(env, conn);
	rare->listener = 0;
	c->owner = owner;
	if (!tcp_rare_is_needed(rare)) {
		pool_give(env->arena, &tcp_tab(env)->rares, r);
		c->rare = 0;
	}
	return conn;
}

/* --- the SYN-RECEIVED entry --- */

static void send_synack(struct tcp_env *env, struct tcp_synrcvd *q, enum why why)
{
	const struct tcp_listener *l = tcp_listener_at(env, q->listener);
	const struct tcp_node *n = &q->e.node;
	struct tcp_hdr h = {.sport = n->lport, .dport = n->rport, .seq = q->iss, .ack = q->irs + 1,
			    .flags = (uint8_t)(TCP_SYN | TCP_ACK | (q->ecn_ok ? TCP_ECE : 0)),
			    .wnd = (uint16_t)q->rcv_wnd, .has_mss = true, .has_ws = q->ws_ok, .ws = q->rcv_ws,
			    .sack_permitted = q->sack_ok, .has_ts = q->ts_ok, .tsecr = q->ts_recent};

	h.mss = tcp_mss_advertised(tcp_path_of(env, &q->e), &l->opts);
	h.fo_exp = q->fo_exp;
	if (q->fo_give && why == WHY_SYN_ACK) /* once: a network that loses it may lose it for the option's sake */
		tcp_fastopen_give(env, l, tcp_path_of(env, &q->e), &h);
	h.tsval = why == WHY_SYN_COOKIE ? tcp_cookie_tsval(env, q) : tcp_ts_now(env, q->ts_offset);
	tcp_seg_send(env, n->path, &h, why, l->opts.ttl, l->opts.tos);
}

/* <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>, for what is not acceptable. */
static void send_ack(struct tcp_env *env, struct tcp_synrcvd *q, const struct tcp_seg *s)
{
	if (!tcp_invalid_may_answer(env, &q->invalid_tick, s))
		return;
	struct tcp_hdr h = {.sport = q->e.node.lport, .dport = q->e.node.rport, .seq = q->iss + 1, .ack = q->irs + 1, .flags = TCP_ACK,
			    .wnd = (uint16_t)(q->rcv_wnd >> q->rcv_ws), .has_ts = q->ts_ok, .tsecr = q->ts_recent};

	h.tsval = tcp_ts_now(env, q->ts_offset);
	tcp_seg_send(env, q->e.node.path, &h, WHY_ACK_CHALLENGE, 0, 0);
}

void tcp_synrcvd_free(struct tcp_env *env, ref_t node)
{
	struct tcp_synrcvd *q = pool_at(env->arena, &tcp_tab(env)->synrcvds, node);

	tcp_entry_unlink(env, &q->e);
	list_remove(env->arena, &tcp_listener_at(env, q->listener)->synrcvd, node, SYNRCVD_OFF);
	env->ops->path_drop(env->ctx, q->e.node.path);
	pool_give(env->arena, &tcp_tab(env)->synrcvds, node);
}

void tcp_synrcvd_timeout(struct tcp_env *env, ref_t node)
{
	struct tcp_synrcvd *q = pool_at(env->arena, &tcp_tab(env)->synrcvds, node);

	const struct tcp_opts *o = &tcp_listener_at(env, q->listener)->opts;
	uint8_t set = tcp_tab(env)->set.synack_retries, most = o->syn_retries ? o->syn_retries : set ? set : TCP_RETRIES_SYNACK;

	/* Who has sent the third ACK is waited for as long as the listener says, and asked again at the end of it (as Linux). */
	if (q->retries >= most && (!q->acked || q->retries >= o->defer)) {
		tcp_trace_state(env, &q->e.node, TCP_SYN_RECEIVED, TCP_CLOSED);
		tcp_synrcvd_free(env, node);
		return;
	}
	bool is_awaited = q->acked && q->retries + 1 < o->defer;
	q->retries++;
	if (!is_awaited) {
		q->resent++;
		send_synack(env, q, WHY_SYN_RETRANS);
	}
	wheel_arm(env->arena, env->wheel, node, env->now + tcp_rto_initial_backed(q->retries));
}

static uint32_t choose_iss(struct tcp_env *env, const struct tcp_node *n)
{
	struct tcp_state_tab *t = tcp_tab(env);
	bool follows = t->has_reuse && t->reuse_lport == n->lport && t->reuse_rport == n->rport;

	t->has_reuse = false;
	return follows ? t->reuse_iss : tcp_isn(env, arena_at(env->arena, n->path), n->lport, n->rport);
}

/* What does not depend on the peer's options, for a segment of a new peer. */
static void synrcvd_begin(struct tcp_env *env, struct tcp_synrcvd *q, ref_t listener, const struct tcp_seg *s, ref_t path)
{
	struct tcp_node *n = &q->e.node;

	n->timer.kind = WHEEL_TCP_SYNRCVD;
	n->path = path;
	n->lport = s->h.dport;
	n->rport = s->h.sport;
	q->listener = listener;
	q->rcv_wnd = tcp_window_first(tcp_rcvbuf_first(env, &tcp_listener_at(env, listener)->opts));
	q->ts_offset = tcp_ts_offset(env, arena_at(env->arena, path), n->lport, n->rport);
	q->sent_at = env->now;
	q->again_tick = tcp_tick_now(env);
}

/* What SYN s says of its sender. */
static void synrcvd_learn(struct tcp_env *env, struct tcp_synrcvd *q, const struct tcp_seg *s)
{
	const struct tcp_listener *l = tcp_listener_at(env, q->listener);
	const struct tcp_settings *set = &tcp_tab(env)->set;

	q->irs = s->h.seq;
	q->snd_wnd = s->h.wnd;
	q->ts_ok = s->h.has_ts && !set->no_timestamps;
	q->ts_recent = s->h.tsval;
	q->ws_ok = s->h.has_ws && !set->no_scaling;
	q->snd_ws = q->ws_ok ? s->h.ws : 0;
	q->rcv_ws = q->ws_ok ? tcp_window_shift(tcp_window_most(env, &l->opts)) : 0;
	q->sack_ok = s->h.sack_permitted && !set->no_sack;
	q->ecn_ok = tcp_ecn_accepts(env, s);
	q->fo_exp = s->h.fo_exp;
	q->mss = tcp_mss_peer(arena_at(env->arena, q->e.node.path), s->h.has_mss ? s->h.mss : 0);
}

/* No room for an entry: the answer holds it (RFC 4987 §3.6). */
static enum drop send_cookie(struct tcp_env *env, ref_t listener, const struct tcp_seg *s, ref_t path)
{
	struct tcp_synrcvd q = {.acked = false};

	if (tcp_tab(env)->set.syncookies) {
		synrcvd_begin(env, &q, listener, s, path);
		synrcvd_learn(env, &q, s);
		tcp_cookie_make(env, &q);
		tcp_listener_at(env, listener)->cookie_at = env->now;
		tcp_tab(env)->counts[TCP_COUNT_SYN_COOKIES]++;
		send_synack(env, &q, WHY_SYN_COOKIE);
	}
	env->ops->path_drop(env->ctx, path);
	return tcp_tab(env)->set.syncookies ? DROP_NONE : DROP_TCP_SYN_QUEUE;
}

/* --- SYN-RECEIVED (§3.10.7.4) --- */

/* Was the SYN-ACK sent more than once, so that nobody knows which of them the ACK answers (Karn)? */
static bool synack_was_repeated(const struct tcp_synrcvd *q)
{
	return q->resent || q->again_tick != (uint32_t)(q->sent_at >> WHEEL_TICK_SHIFT);
}

/* A connection that knows what q does, for the listener's accept queue; not yet in any state. NULL: no memory. */
static struct tcp_conn *conn_of(struct tcp_env *env, const struct tcp_synrcvd *q)
{
	struct tcp_listener *l = tcp_listener_at(env, q->listener);
	struct tcp_conn *c = tcp_conn_new(env, q->e.node.path, q->e.node.lport, q->e.node.rport, &l->opts);
	struct tcp_rare *r = c ? tcp_conn_rare(env, c) : NULL;

	if (!c)
		return NULL;
	env->ops->path_hold(env->ctx, c->e.node.path);
	if (!r) {
		tcp_conn_free(env, c);
		return NULL;
	}
	r->opts = l->opts;
	r->listener = q->listener;
	c->iss = c->snd_una = q->iss;
	c->snd_nxt = q->iss + 1;
	sbuf_init(&c->snd, q->iss + 1);
	sbuf_init(&c->rcv, q->irs + 1);
	c->is_passive = 1;
	c->irs = q->irs;
	c->rcv_nxt = c->rcv_acked = q->irs + 1;
	c->rcv_adv = c->rcv_nxt + q->rcv_wnd;
	c->snd_wnd = c->snd_wnd_max = q->snd_wnd;
	c->snd_wl1 = q->irs;
	c->snd_wl2 = q->iss;
	c->ts_ok = q->ts_ok;
	c->ts_recent = q->ts_recent;
	c->ts_recent_tick = tcp_tick_now(env);
	c->ts_offset = q->ts_offset;
	c->sack_ok = q->sack_ok;
	c->ecn = q->ecn_ok ? TCP_ECN_FULL : TCP_ECN_OFF;
	c->ws_ok = q->ws_ok;
	c->snd_ws = q->snd_ws;
	c->rcv_ws = q->rcv_ws;
	c->peer_mss = q->mss;
	c->rto_3s = q->resent > 0;
	c->iw_one = q->resent > 1;
	tcp_tally_synrcvd(env, c, q);
	tcp_conn_update_mss(env, c);
	return c;
}

/* c has done all that the listener asks: it stands in the accept queue, and s, the ACK that made it, goes through the steps. */
static enum drop queue_child(struct tcp_env *env, ref_t listener, struct tcp_conn *c, struct tcp_seg *s)
{
	struct tcp_listener *l = tcp_listener_at(env, listener);

	c->in_demux = 1;
	env->ops->demux_add(env->ctx, tcp_conn_ref(env, c));
	tcp_tally_in(env, c, s);
	list_push_tail(env->arena, &l->accept, c->rare, ACCEPT_OFF);
	tcp_input_synchronized(env, c, s);
	env->ops->notify(env->ctx, l->owner, TCP_EV_LISTEN);
	tcp_input_end(env, c);
	return s->drop;
}

/* The third ACK: the entry goes, a connection stands in the accept queue, in SYN-RECEIVED still and its SYN-ACK in flight. */
static enum drop promote(struct tcp_env *env, ref_t node, struct tcp_seg *s)
{
	struct tcp_synrcvd *q = arena_at(env->arena, node);
	ref_t listener = q->listener;
	const struct tcp_listener *l = tcp_listener_at(env, listener);

	if (q->retries < l->opts.defer && !s->len && !s->fin) { /* TCP_DEFER_ACCEPT */
		q->acked = true;
		return DROP_TCP_DEFER;
	}
	if (l->accept.n > l->backlog) {
		q->acked = true;
		return DROP_TCP_ACCEPT_QUEUE;
	}
	struct tcp_conn *c = conn_of(env, q);
	struct tcp_active *a = c ? tcp_conn_activate(env, c) : NULL;
	if (!a) {
		if (c) {
			tcp_rare_of(env, c)->listener = 0;
			tcp_conn_free(env, c);
		}
		return DROP_NO_MEMORY;
	}
	tcp_ranges_push(env->arena, &a->sent, q->iss, q->iss + 1, synack_was_repeated(q) ? TCP_RANGE_EVER : 0, q->sent_at);
	c->state = TCP_SYN_RECEIVED; /* born there: LISTEN -> SYN-RECEIVED was told when the SYN came */
	tcp_synrcvd_free(env, node);
	return queue_child(env, listener, c, s);
}

/* s is an ACK to a listener that sends cookies. Takes the path count. The connection is born ESTABLISHED: nothing is known of when its
 * SYN-ACK left, so no round trip is measured. DROP_TCP_COOKIE: iss is no cookie of ours. */
static enum drop cookie_answered(struct tcp_env *env, ref_t listener, struct tcp_seg *s, ref_t path)
{
	const struct tcp_listener *l = tcp_listener_at(env, listener);
	struct tcp_synrcvd q = {.irs = s->h.seq - 1, .iss = s->h.ack - 1};
	struct tcp_conn *c = NULL;
	enum drop d = DROP_NO_MEMORY;

	synrcvd_begin(env, &q, listener, s, path);
	bool is_ours = tcp_cookie_read(env, &q, s);
	if (q.ws_ok)
		q.rcv_ws = tcp_window_shift(tcp_window_most(env, &l->opts)); /* as the SYN-ACK said */
	if (!is_ours)
		d = DROP_TCP_COOKIE;
	else if (l->accept.n > l->backlog)
		d = DROP_TCP_ACCEPT_QUEUE;
	else
		c = conn_of(env, &q);
	env->ops->path_drop(env->ctx, path); /* c has a count of its own */
	if (!c)
		return d;
	c->snd_una = c->snd_nxt;
	c->snd_wnd = c->snd_wnd_max = (uint32_t)s->h.wnd << c->snd_ws;
	c->state = TCP_ESTABLISHED;
	tcp_trace_state(env, &c->e.node, TCP_LISTEN, TCP_ESTABLISHED);
	tcp_conn_established(env, c);
	return queue_child(env, listener, c, s);
}

enum drop tcp_synrcvd_arrives(struct tcp_env *env, ref_t node, struct tcp_seg *s)
{
	struct tcp_synrcvd *q = pool_at(env->arena, &tcp_tab(env)->synrcvds, node);
	const struct tcp_hdr *h = &s->h;
	uint32_t rcv_nxt = q->irs + 1;

	if ((h->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN && h->seq == q->irs) { /* the SYN again: our answer was lost */
		q->ecn_ok &= tcp_ecn_accepts(env, s); /* one without the bits takes the request back (RFC 3168 §6.1.1) */
		if (tcp_since_tick(env, q->again_tick) >= TCP_RTO_INIT_NS / 2) {
			q->again_tick = tcp_tick_now(env);
			send_synack(env, q, WHY_SYN_ACK_AGAIN);
			wheel_arm(env->arena, env->wheel, node, env->now + tcp_rto_initial_backed(q->retries)); /* as Linux */
		}
		return DROP_TCP_DUPLICATE;
	}
	if (q->ts_ok && !(h->flags & TCP_RST) && (!h->has_ts || tcp_paws_rejects(h->tsval, q->ts_recent, 0))) {
		if (h->has_ts)
			send_ack(env, q, s);
		return h->has_ts ? DROP_TCP_PAWS : DROP_TCP_NO_TS;
	}
	if (!tcp_is_acceptable(rcv_nxt, q->rcv_wnd, h->seq, tcp_seg_length(s))) { /* first */
		if (!(h->flags & TCP_RST))
			send_ack(env, q, s);
		return h->flags & TCP_RST ? DROP_TCP_RST_INVALID : DROP_TCP_WINDOW;
	}
	if (h->flags & TCP_RST && h->seq == rcv_nxt) { /* second: back to LISTEN, nobody is told (MUST-11) */
		tcp_trace_state(env, &q->e.node, TCP_SYN_RECEIVED, TCP_LISTEN);
		tcp_synrcvd_free(env, node);
		return DROP_NONE;
	}
	if (h->flags & (TCP_RST | TCP_SYN)) { /* RFC 5961 §3.2, §4.2 */
		send_ack(env, q, s);
		return h->flags & TCP_RST ? DROP_TCP_RST_INVALID : DROP_TCP_SYN_INVALID;
	}
	if (!(h->flags & TCP_ACK)) /* fifth */
		return DROP_TCP_NO_ACK;
	if (h->ack != q->iss + 1) {
		tcp_output_rst_seg(env, &q->e, s);
		return DROP_TCP_ACK_RANGE;
	}
	return promote(env, node, s);
}

/* --- LISTEN (§3.10.7.2) --- */

/* A connection that knows what SYN s says, in no queue and no state yet. NULL: no memory. */
static struct tcp_conn *conn_of_syn(struct tcp_env *env, ref_t listener, const struct tcp_seg *s, ref_t path, struct tcp_synrcvd *q)
{
	synrcvd_begin(env, q, listener, s, path);
	synrcvd_learn(env, q, s);
	q->iss = choose_iss(env, &q->e.node);
	return conn_of(env, q);
}

/* It stands in SYN-RECEIVED, in demux and in the accept queue. Takes the path count. */
static void queue_early(struct tcp_env *env, ref_t listener, struct tcp_conn *c, ref_t path)
{
	env->ops->path_drop(env->ctx, path); /* c has a count of its own */
	c->state = TCP_SYN_RECEIVED;
	c->in_demux = 1;
	env->ops->demux_add(env->ctx, tcp_conn_ref(env, c));
	tcp_trace_state(env, &c->e.node, TCP_LISTEN, TCP_SYN_RECEIVED);
	list_push_tail(env->arena, &tcp_listener_at(env, listener)->accept, c->rare, ACCEPT_OFF);
}

/* Fast Open (RFC 7413 §4.2.2): a connection in SYN-RECEIVED stands in the accept queue at once, text of the SYN readable, its SYN-ACK under
 * way. Takes the path count if true; false: no memory. */
static bool open_at_once(struct tcp_env *env, ref_t listener, struct tcp_seg *s, ref_t path, bool give)
{
	struct tcp_synrcvd q = {.acked = false};
	struct tcp_conn *c = conn_of_syn(env, listener, s, path, &q);
	bool fin;

	if (!c)
		return false;
	s->seq++;
	s->len = MIN(s->len, q.rcv_wnd);
	if (!tcp_conn_activate(env, c) || tcp_reorder_add(env, c, s, &fin) != DROP_NONE) {
		tcp_rare_of(env, c)->listener = 0;
		tcp_conn_free(env, c);
		return false;
	}
	queue_early(env, listener, c, path);
	tcp_tally_in(env, c, s);
	c->cwnd = tcp_cc_initial_window(c->mss);
	tcp_rare_of(env, c)->fo_exp = q.fo_exp;
	tcp_fastopen_pend(env, listener, c, give);
	tcp_output_syn(env, c, WHY_SYN_ACK, true);
	env->ops->notify(env->ctx, tcp_listener_at(env, listener)->owner, TCP_EV_LISTEN);
	tcp_input_end(env, c);
	return true;
}

/* The owner decides (held.c): a connection as above, and nothing is sent. Takes the path count. */
static enum drop open_held(struct tcp_env *env, ref_t listener, const struct tcp_seg *s, ref_t path)
{
	struct tcp_synrcvd q = {.acked = false};
	struct tcp_conn *c = conn_of_syn(env, listener, s, path, &q);

	if (!c) {
		env->ops->path_drop(env->ctx, path);
		return DROP_NO_MEMORY;
	}
	c->snd_nxt = c->iss;
	queue_early(env, listener, c, path);
	env->ops->notify(env->ctx, tcp_listener_at(env, listener)->owner, TCP_EV_LISTEN);
	return DROP_NONE;
}

/* SYN s is answered, by a fresh entry or by a cookie. Takes the path count. */
static enum drop answer_syn(struct tcp_env *env, ref_t listener, struct tcp_seg *s, ref_t path)
{
	struct tcp_listener *l = tcp_listener_at(env, listener);
	struct tcp_state_tab *t = tcp_tab(env);

	if (l->holds)
		return open_held(env, listener, s, path);
	if (l->synrcvd.n >= l->syn_max || t->synrcvds.n_used >= TCP_SYNRCVD_MAX || t->set.syncookies > 1)
		return send_cookie(env, listener, s, path);
	enum tcp_fo_verdict fo = l->fo_max ? tcp_fastopen_judge(env, l, s, arena_at(env->arena, path)) : TCP_FO_IGNORE;
	if (fo >= TCP_FO_OPEN && open_at_once(env, listener, s, path, fo == TCP_FO_OPEN_GIVE))
		return DROP_NONE;
	ref_t r = pool_take(env->arena, &t->synrcvds);
	if (!r) { /* no cookie either: who waits for our first words would wait for ever if his ACK found no memory */
		env->ops->path_drop(env->ctx, path);
		return DROP_NO_MEMORY;
	}
	struct tcp_synrcvd *q = arena_at(env->arena, r);
	synrcvd_begin(env, q, listener, s, path);
	synrcvd_learn(env, q, s);
	q->iss = choose_iss(env, &q->e.node);
	q->fo_give = fo != TCP_FO_IGNORE;
	list_push_tail(env->arena, &l->synrcvd, r, SYNRCVD_OFF);
	tcp_entry_link(env, &q->e);
	tcp_trace_state(env, &q->e.node, TCP_LISTEN, TCP_SYN_RECEIVED);
	wheel_arm(env->arena, env->wheel, r, env->now + TCP_RTO_INIT_NS);
	send_synack(env, q, WHY_SYN_ACK);
	return DROP_NONE;
}

typedef ref_t get_path_fn(void *ctx, const struct via_addr *local, const struct via_addr *remote);

/* Nothing was sent from LISTEN that an ACK could answer, but for a cookie. */
static enum drop listen_ack(struct tcp_env *env, ref_t listener, struct tcp_seg *s, const struct via_addr *local,
			    const struct via_addr *remote, get_path_fn *get_path)
{
	enum drop d = DROP_TCP_LISTEN;

	if (!(s->h.flags & TCP_SYN) && tcp_cookie_is_out(env, tcp_listener_at(env, listener))) {
		ref_t path = get_path(env->ctx, local, remote);
		d = path ? cookie_answered(env, listener, s, path) : DROP_NO_MEMORY;
	}
	if (d == DROP_TCP_LISTEN || d == DROP_TCP_COOKIE)
		tcp_seg_refuse(env, s, local, remote);
	return d;
}

static enum drop listen_step(struct tcp_env *env, ref_t listener, struct tcp_seg *s, const struct via_addr *local,
			     const struct via_addr *remote, get_path_fn *get_path)
{
	const struct tcp_listener *l = tcp_listener_at(env, listener);
	uint8_t flags = s->h.flags;

	if (flags & TCP_RST) /* first: nothing was sent that it could answer */
		return DROP_TCP_LISTEN;
	if (flags & TCP_ACK) /* second */
		return listen_ack(env, listener, s, local, remote, get_path);
	if (!(flags & TCP_SYN) || flags & TCP_FIN) /* fourth; SYN with FIN is nobody's honest segment (as Linux) */
		return DROP_TCP_LISTEN;
	if (via_addr_eq(local, remote) && s->h.sport == s->h.dport)
		return DROP_TCP_LAND; /* TCP-048 */
	if (s->p->m.ether_mcast || via_addr_is_multicast(local) || via_addr_is_multicast(remote) || via_addr_is_any(remote))
		return DROP_TCP_LISTEN; /* MUST-57, MUST-63 */
	if (l->accept.n > l->backlog)
		return DROP_TCP_ACCEPT_QUEUE;
	if (tcp_mem_state(env) == TCP_MEM_FULL) { /* new work is refused first (HARD-09) */
		tcp_tab(env)->memory.refused++;
		return DROP_TCP_MEMORY;
	}
	ref_t path = get_path(env->ctx, local, remote);
	return path ? answer_syn(env, listener, s, path) : DROP_NO_MEMORY; /* third */
}

enum drop tcp_listen_arrives(struct tcp_env *env, ref_t listener, struct pkt *p, const struct via_addr *local,
			     const struct via_addr *remote,
			     ref_t (*get_path)(void *ctx, const struct via_addr *local, const struct via_addr *remote))
{
	struct tcp_seg s;
	enum drop d = tcp_seg_read(env, p, local, remote, &s);

	if (d == DROP_NONE)
		d = listen_step(env, listener, &s, local, remote, get_path);
	tcp_tab(env)->has_reuse = false;
	pkt_free(env->mem, p);
	return d;
}
