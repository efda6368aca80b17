/* tcp/conn.c - lifecycle of a connection: born, activated, finished, settled, freed. See the header. */
#include "tcp/conn.h"

#include <errno.h>

#include "tcp/autotune.h"
#include "tcp/cc.h"
#include "tcp/cwnd.h"
#include "tcp/fastopen.h"
#include "tcp/input.h"
#include "tcp/isn.h"
#include "tcp/memory.h"
#include "tcp/output.h"
#include "tcp/pmtu.h"
#include "tcp/rtt.h"
#include "tcp/sane.h"
#include "tcp/tally.h"
#include "tcp/timers.h"
#include "tcp/undo.h"
#include "tcp/window.h"

#define Q_OFF offsetof(struct tcp_conn, q)
#define ALL_OFF offsetof(struct tcp_entry, all)

int tcp_init(struct tcp_env *env, const uint8_t seed[32])
{
	struct arena *a = env->arena;
	ref_t r = arena_buf_take(a, sizeof(struct tcp_state_tab)), spare = arena_buf_take(a, sizeof(struct tcp_tally));

	if (!r || !spare)
		return -ENOMEM;
	struct tcp_state_tab *t = arena_at(a, r);
	memset(t, 0, sizeof(*t));
	t->spare_tally = spare;
	pool_init(a, &t->conns, "tcp_conn", sizeof(struct tcp_conn), 0);
	pool_init(a, &t->actives, "tcp_active", sizeof(struct tcp_active), 0);
	pool_init(a, &t->rares, "tcp_rare", sizeof(struct tcp_rare), 0);
	pool_init(a, &t->tallies, "tcp_tally", sizeof(struct tcp_tally), 0);
	pool_init(a, &t->synrcvds, "tcp_synrcvd", sizeof(struct tcp_synrcvd), TCP_SYNRCVD_MAX);
	pool_init(a, &t->timewaits, "tcp_timewait", sizeof(struct tcp_timewait), TCP_TIMEWAIT_MAX);
	pool_init(a, &t->listeners, "tcp_listener", sizeof(struct tcp_listener), 0);
	t->isn_key = prf_derive(seed, "tcp-isn");
	t->ts_key = prf_derive(seed, "tcp-timestamp");
	t->random.key = prf_derive(seed, "tcp-random");
	t->cookie_key[0] = prf_derive(seed, "tcp-cookie-base");
	t->cookie_key[1] = prf_derive(seed, "tcp-cookie");
	t->fo_key = prf_derive(seed, "tcp-fastopen");
	t->set = (struct tcp_settings){.syncookies = 1, .fin_timeout_s = TCP_FIN_TIMEOUT_S, .orphans_max = TCP_ORPHANS_MAX,
				       .rmem = TCP_RMEM, .rmem_max = TCP_RMEM_MAX, .wmem = TCP_WMEM, .wmem_max = TCP_WMEM_MAX,
				       .notsent_lowat = UINT32_MAX, .moderate_rcvbuf = true, .tallies = TCP_TALLIES};
	tcp_mem_defaults(env, &t->set);
	env->tab = r;
	return 0;
}

struct tcp_settings *tcp_settings_of(const struct tcp_env *env)
{
	return &tcp_tab(env)->set;
}

/* --- traces, state --- */

void tcp_trace(struct tcp_env *env, const struct tcp_conn *c, enum trace_kind kind, uint32_t reason, uint32_t seq, uint32_t seq_end,
	       uint32_t a, uint32_t b)
{
	const struct tcp_node *n = &c->e.node;
	struct trace_event e = {.now = env->now, .stack = env->name, .kind = kind, .reason = reason,
				.ifindex = tcp_path_of(env, &c->e)->ifindex, .lport = n->lport, .rport = n->rport,
				.seq = seq, .seq_end = seq_end, .a = a, .b = b};

	if (env->trace)
		env->trace->emit(env->trace->ctx, &e);
}

/* RFC 4022's tcpActiveOpens and its neighbours are counts of edges of the state diagram. */
static void count_edge(struct tcp_env *env, uint8_t from, uint8_t to)
{
	uint64_t *counts = tcp_tab(env)->counts;
	bool was_opening = from == TCP_SYN_SENT || from == TCP_SYN_RECEIVED;

	counts[TCP_COUNT_ACTIVE_OPENS] += from == TCP_CLOSED && to == TCP_SYN_SENT;
	counts[TCP_COUNT_PASSIVE_OPENS] += from == TCP_LISTEN && to == TCP_SYN_RECEIVED;
	counts[TCP_COUNT_ATTEMPT_FAILS] += was_opening && (to == TCP_CLOSED || to == TCP_LISTEN);
	counts[TCP_COUNT_ESTAB_RESETS] += (from == TCP_ESTABLISHED || from == TCP_CLOSE_WAIT) && to == TCP_CLOSED;
}

const uint64_t *tcp_counts(const struct tcp_env *env)
{
	return tcp_tab(env)->counts;
}

void tcp_trace_state(struct tcp_env *env, const struct tcp_node *n, uint8_t from, uint8_t to)
{
	count_edge(env, from, to);
	struct trace_event e = {.now = env->now, .stack = env->name, .kind = TRACE_TCP_STATE, .lport = n->lport, .rport = n->rport,
				.a = from, .b = to};

	if (env->trace)
		env->trace->emit(env->trace->ctx, &e);
}

void tcp_conn_set_state(struct tcp_env *env, struct tcp_conn *c, enum tcp_state to)
{
	if (!tcp_state_may_go(c->state, to)) {
		c->broken = 1;
		return;
	}
	if (c->state != TCP_TIME_WAIT) /* the entry that took over tells of its end */
		tcp_trace_state(env, &c->e.node, c->state, to);
	c->state = (uint8_t)to;
}

/* --- lists --- */

void tcp_entry_enlist(struct tcp_env *env, struct tcp_entry *e)
{
	struct tcp_path *p = tcp_path_of(env, e);
	ref_t r = arena_ref(env->arena, e);

	if (p->last_node)
		list_insert_after(env->arena, &tcp_tab(env)->all, p->last_node, r, ALL_OFF);
	else
		list_push_tail(env->arena, &tcp_tab(env)->all, r, ALL_OFF);
	p->last_node = r;
}

void tcp_entry_delist(struct tcp_env *env, struct tcp_entry *e)
{
	struct tcp_path *p = tcp_path_of(env, e);
	ref_t r = arena_ref(env->arena, e), prev = list_prev(env->arena, r, ALL_OFF);

	if (p->last_node == r)
		p->last_node = prev && tcp_node_at(env, prev)->path == e->node.path ? prev : 0;
	list_remove(env->arena, &tcp_tab(env)->all, r, ALL_OFF);
}

void tcp_entry_link(struct tcp_env *env, struct tcp_entry *e)
{
	ref_t r = arena_ref(env->arena, e);

	tcp_entry_enlist(env, e);
	env->ops->demux_add(env->ctx, r);
}

void tcp_entry_unlink(struct tcp_env *env, struct tcp_entry *e)
{
	ref_t r = arena_ref(env->arena, e);

	env->ops->demux_del(env->ctx, r);
	tcp_mem_forget(env, r);
	tcp_entry_delist(env, e);
	wheel_disarm(env->arena, env->wheel, r);
}

void tcp_conn_unqueue(struct tcp_env *env, struct tcp_conn *c)
{
	struct tcp_state_tab *t = tcp_tab(env);

	if (c->queue != TCP_Q_NONE)
		list_remove(env->arena, c->queue == TCP_Q_DIRTY ? &t->dirty : &t->held, tcp_conn_ref(env, c), Q_OFF);
	c->queue = TCP_Q_NONE;
}

static void enqueue(struct tcp_env *env, struct tcp_conn *c, enum tcp_queue q)
{
	struct tcp_state_tab *t = tcp_tab(env);

	if (c->queue == q)
		return;
	tcp_conn_unqueue(env, c);
	list_push_tail(env->arena, q == TCP_Q_DIRTY ? &t->dirty : &t->held, tcp_conn_ref(env, c), Q_OFF);
	c->queue = (uint8_t)q;
}

void tcp_conn_mark_dirty(struct tcp_env *env, struct tcp_conn *c) { enqueue(env, c, TCP_Q_DIRTY); }
void tcp_conn_mark_held(struct tcp_env *env, struct tcp_conn *c) { enqueue(env, c, TCP_Q_HELD); }

void tcp_conn_notify(struct tcp_env *env, const struct tcp_conn *c, uint32_t events)
{
	if (c->owner)
		env->ops->notify(env->ctx, c->owner, events);
}

/* --- memory --- */

struct tcp_active *tcp_conn_activate(struct tcp_env *env, struct tcp_conn *c)
{
	if (!c->active) {
		c->active = pool_take(env->arena, &tcp_tab(env)->actives);
		if (!c->active)
			return NULL;
		struct tcp_active *a = arena_at(env->arena, c->active);
		tcp_ranges_init(&a->sent);
		a->snd_sml = a->recover = a->reduced_at = c->snd_una;
		a->limited_at = c->snd_una - 1;
		a->used_at = c->snd_una;
		tcp_tally_activity(env, c);
	}
	return arena_at(env->arena, c->active);
}

struct tcp_rare *tcp_conn_rare(struct tcp_env *env, struct tcp_conn *c)
{
	if (!c->rare) {
		c->rare = pool_take(env->arena, &tcp_tab(env)->rares);
		if (!c->rare)
			return NULL;
		((struct tcp_rare *)arena_at(env->arena, c->rare))->conn = tcp_conn_ref(env, c);
	}
	return arena_at(env->arena, c->rare);
}

static void active_give(struct tcp_env *env, struct tcp_conn *c)
{
	struct tcp_active *a = tcp_active_of(env, c);

	tcp_tally_gone(env, c, a);
	tcp_ranges_free(env->arena, &a->sent);
	tcp_undo_forget(env, a);
	tcp_reorder_free(env, a);
	tcp_mem_unstall(env, a);
	if (a->nospace && !c->starved) /* it was emptied before a flush could tell; who waits for memory is told by its timer */
		tcp_conn_notify(env, c, TCP_EV_WRITABLE);
	pool_give(env->arena, &tcp_tab(env)->actives, c->active);
	c->active = 0;
	tcp_tally_activity(env, c);
}

/* Both directions empty, nothing below us, no data a moment ago. */
static bool is_drained(const struct tcp_env *env, const struct tcp_conn *c, const struct tcp_active *a)
{
	return a->below == 0 && c->snd_una == c->snd_nxt && tcp_unsent(c) == 0 && !(c->fin_queued && !c->fin_sent) &&
	       !tcp_reorder_has(a) && !a->has_dsack && !(a->tlp.is_out && a->tlp.is_retrans) && !tcp_drs_holds(env, c, a);
}

void tcp_conn_free(struct tcp_env *env, struct tcp_conn *c)
{
	struct tcp_state_tab *t = tcp_tab(env);
	ref_t r = tcp_conn_ref(env, c);

	tcp_conn_unqueue(env, c);
	if (c->active)
		active_give(env, c);
	if (c->rare)
		pool_give(env->arena, &t->rares, c->rare);
	tcp_tally_free(env, c);
	tcp_buf_free(env, &c->snd);
	tcp_buf_free(env, &c->rcv);
	if (c->in_demux) {
		env->ops->demux_del(env->ctx, r);
		wheel_disarm(env->arena, env->wheel, r);
	}
	tcp_mem_forget(env, r);
	tcp_entry_delist(env, &c->e);
	env->ops->path_drop(env->ctx, c->e.node.path);
	t->n_orphans -= c->is_orphan;
	pool_give(env->arena, &t->conns, r);
}

void tcp_conn_settle(struct tcp_env *env, struct tcp_conn *c)
{
	if (UNLIKELY(!tcp_conn_is_sane(env, c)))
		tcp_conn_break(env, c);
	struct tcp_active *a = tcp_active_of(env, c);
	const struct tcp_rare *r = tcp_rare_of(env, c);

	if (a && is_drained(env, c, a) && !tcp_cwnd_keeps(env, c))
		active_give(env, c);
	if (c->state == TCP_CLOSED && !c->owner && !c->active && !(r && r->listener))
		tcp_conn_free(env, c);
}

void tcp_conn_finish(struct tcp_env *env, struct tcp_conn *c, int err)
{
	struct tcp_active *a = tcp_active_of(env, c);

	if (c->state == TCP_CLOSED)
		return;
	tcp_fastopen_settled(env, c, err == ECONNRESET);
	tcp_conn_set_state(env, c, TCP_CLOSED);
	env->ops->demux_del(env->ctx, tcp_conn_ref(env, c));
	wheel_disarm(env->arena, env->wheel, tcp_conn_ref(env, c));
	c->in_demux = 0;
	tcp_conn_unqueue(env, c);
	tcp_buf_free(env, &c->snd);
	c->snd_nxt += !c->fin_sent; /* as if FIN had gone: nothing waits, and what was sent can still be counted */
	c->snd_una = c->snd_nxt;
	c->fin_queued = c->fin_sent = 1;
	c->ack_now = c->ack_due = 0;
	c->delack_tick = c->slow_tick = 0;
	if (a) {
		tcp_tally_gone(env, c, a);
		tcp_mem_unstall(env, a);
		a->nospace = false; /* told below */
		tcp_ranges_free(env->arena, &a->sent);
		tcp_undo_forget(env, a);
		if (tcp_reorder_has(a))
			tcp_buf_cut(env, &c->rcv, c->rcv.end);
		tcp_reorder_free(env, a);
		a->has_dsack = false;
		a->rtx = TCP_RTX_NONE;
		a->tlp.is_out = false;
	}
	c->err = (uint8_t)err;
	tcp_conn_notify(env, c, TCP_EV_READABLE | TCP_EV_WRITABLE | TCP_EV_PEER_FIN | (err ? TCP_EV_ERROR : 0u));
}

void tcp_conn_abort(struct tcp_env *env, struct tcp_conn *c, int err)
{
	if (c->state == TCP_CLOSED)
		return;
	if (c->state != TCP_SYN_SENT) /* nobody to tell yet (RFC 9293 §3.10.5) */
		tcp_output_rst(env, c);
	tcp_conn_finish(env, c, err);
}

/* --- birth, options --- */

static uint32_t buffer_size(uint32_t n)
{
	return MIN(MAX(n, TCP_BUF_MIN), TCP_BUF_MAX);
}

uint32_t tcp_rcvbuf_first(const struct tcp_env *env, const struct tcp_opts *o)
{
	return buffer_size(o->rcvbuf ? o->rcvbuf : tcp_win_from_space(tcp_settings_of(env)->rmem));
}

/* Sizes the user chose; others stay as autotuning has them. */
static void apply_buffers(const struct tcp_env *env, struct tcp_conn *c, const struct tcp_opts *o)
{
	if (o->rcvbuf || !c->rcvbuf)
		c->rcvbuf = tcp_rcvbuf_first(env, o);
	if (o->sndbuf || !c->sndbuf)
		c->sndbuf = buffer_size(o->sndbuf ? o->sndbuf : tcp_settings_of(env)->wmem);
	if (!o->rcvbuf && o->rcvlowat > c->rcvbuf) /* else the mark could not be reached */
		c->rcvbuf = MIN(o->rcvlowat, tcp_win_from_space(tcp_settings_of(env)->rmem_max));
}

bool tcp_opts_are_rare(const struct tcp_opts *o)
{
	return o->mss_clamp || o->ttl || o->tos || o->keep_idle_s || o->keep_intvl_s || o->keep_cnt || o->syn_retries ||
	       o->user_timeout_ms || o->cc || o->pacing_max || o->fin_wait2_s || o->rcvbuf || o->sndbuf || o->notsent_lowat || o->rcvlowat ||
	       o->oob_inline || o->fastopen;
}

void tcp_conn_apply_opts(struct tcp_env *env, struct tcp_conn *c, const struct tcp_opts *o)
{
	bool keepalive = c->keepalive;

	c->nodelay = o->nodelay;
	c->cork = o->cork;
	c->keepalive = o->keepalive;
	apply_buffers(env, c, o);
	if (o->quickack)
		c->quick = TCP_QUICKACKS;
	if (tcp_opts_are_rare(o) || c->rare) {
		struct tcp_rare *r = tcp_conn_rare(env, c);
		struct tcp_active *a = tcp_active_of(env, c);
		if (r && a && r->opts.cc != o->cc) /* another algorithm: what the last one noted means nothing to it */
			memset(a->cc, 0, sizeof(a->cc));
		if (r) /* out of memory the defaults stay */
			r->opts = *o;
	}
	if (c->was_open && (keepalive != c->keepalive || c->keepalive))
		tcp_timers_slow(env, c);
}

struct tcp_conn *tcp_conn_new(struct tcp_env *env, ref_t path, uint16_t lport, uint16_t rport, const struct tcp_opts *o)
{
	static const struct tcp_opts none = {0};
	struct tcp_state_tab *t = tcp_tab(env);
	ref_t r = pool_take(env->arena, &t->conns);

	if (!r)
		return NULL;
	struct tcp_conn *c = arena_at(env->arena, r);
	c->e.node.timer.kind = WHEEL_TCP_CONN;
	c->e.node.path = path;
	c->e.node.lport = lport;
	c->e.node.rport = rport;
	c->state = TCP_CLOSED;
	c->challenge_tick = (uint16_t)(env->now / NS_PER_S - 1);
	c->quick = TCP_QUICKACKS;
	c->reordering = TCP_DUP_THRESH;
	c->ssthresh = TCP_SSTHRESH_INFINITE;
	c->rcv_mss = TCP_MSS_DEFAULT4;
	c->ts_offset = tcp_ts_offset(env, tcp_path_of(env, &c->e), lport, rport);
	c->rx_tick = tcp_tick_now(env);
	tcp_entry_enlist(env, &c->e);
	tcp_conn_apply_opts(env, c, o ? o : &none);
	c->rcv_ws = tcp_window_shift(tcp_window_most(env, o ? o : &none));
	c->peer_mss = tcp_mss_peer(tcp_path_of(env, &c->e), 0);
	tcp_conn_update_mss(env, c);
	c->cwnd = c->mss;
	return c;
}

uint16_t tcp_mss_advertised(const struct tcp_path *p, const struct tcp_opts *o)
{
	uint32_t largest = UINT16_MAX + (p->ip_hlen == 40 ? 40u : 0); /* that IP can say: IPv6 counts without its header */
	uint32_t mss = MIN(p->mtu, largest) - p->ip_hlen - TCP_HLEN;  /* not what was learnt: that is of the other direction (SHLD-6) */

	return (uint16_t)(o && o->mss_clamp && o->mss_clamp < mss ? o->mss_clamp : mss);
}

uint16_t tcp_mss_peer(const struct tcp_path *p, uint16_t said)
{
	if (!said) /* MUST-15 */
		return p->ip_hlen == 40 ? TCP_MSS_DEFAULT6 : TCP_MSS_DEFAULT4;
	return MAX(said, TCP_MSS_FLOOR); /* TCP-014 */
}

/* min(SendMSS + 20, MMS_S) - TCPhdrsize - IPoptionsize, and the options of every data segment (RFC 9293 §3.7.1 MUST-16). */
void tcp_conn_update_mss(struct tcp_env *env, struct tcp_conn *c)
{
	const struct tcp_path *p = tcp_path_of(env, &c->e);
	const struct tcp_rare *r = tcp_rare_of(env, c);
	uint32_t mss = MIN(c->peer_mss, tcp_pmtu_of(p) - p->ip_hlen - TCP_HLEN);

	if (r && r->opts.mss_clamp)
		mss = MIN(mss, MAX(r->opts.mss_clamp, TCP_MSS_FLOOR));
	if (c->ts_ok)
		mss -= TCP_TS_OPT_LEN;
	c->mss = (uint16_t)mss;
	c->cwnd = MAX(c->cwnd, mss); /* the path carries more than it did: one segment is still the least */
}

void tcp_conn_established(struct tcp_env *env, struct tcp_conn *c)
{
	c->was_open = 1;
	tcp_tally_opened(env, c);
	c->rack = c->sack_ok && !env->no_rack;
	tcp_fastopen_settled(env, c, false);
	tcp_conn_update_mss(env, c);
	c->cwnd = c->iw_one ? c->mss : tcp_cc_initial_window(c->mss); /* RFC 6928 §2, RFC 5681 §3.1 */
	tcp_sndbuf_grow(env, c);
	c->rcv_mss = MIN(c->mss, TCP_MSS_DEFAULT4); /* grows with what arrives */
	c->rx_tick = tcp_tick_now(env);
	tcp_timers_slow(env, c);
	tcp_conn_notify(env, c, TCP_EV_CONNECTED | TCP_EV_WRITABLE);
}

bool tcp_conn_has_fin_acked(const struct tcp_conn *c)
{
	return c->fin_sent && c->snd_una == c->snd_nxt;
}
