/* tcp/tally.c - counters for TCP_INFO. See the header. */
#include "tcp/tally.h"

#include "tcp/recovery.h"
#include "tcp/timers.h"

#define IDLE_OFF offsetof(struct tcp_tally, idle)

static uint32_t ms_now(const struct tcp_env *env) { return (uint32_t)(env->now / NS_PER_MS); }

struct tcp_tally *tcp_tally(struct tcp_env *env, struct tcp_conn *c)
{
	struct tcp_state_tab *tab = tcp_tab(env);

	if (!c->tally) {
		c->tally = pool_take(env->arena, &tab->tallies);
		if (!c->tally)
			return arena_at(env->arena, tab->spare_tally);
		((struct tcp_tally *)arena_at(env->arena, c->tally))->conn = tcp_conn_ref(env, c);
		tcp_tally_activity(env, c);
	}
	return c->tally ? arena_at(env->arena, c->tally) : arena_at(env->arena, tab->spare_tally);
}

static void unlist(struct tcp_env *env, struct tcp_tally *t)
{
	if (t->is_idle)
		list_remove(env->arena, &tcp_tab(env)->tallies_idle, arena_ref(env->arena, t), IDLE_OFF);
	t->is_idle = false;
}

void tcp_tally_free(struct tcp_env *env, struct tcp_conn *c)
{
	if (!c->tally)
		return;
	unlist(env, arena_at(env->arena, c->tally));
	pool_give(env->arena, &tcp_tab(env)->tallies, c->tally);
	c->tally = 0;
}

void tcp_tally_activity(struct tcp_env *env, struct tcp_conn *c)
{
	struct tcp_state_tab *tab = tcp_tab(env);
	struct tcp_tally *t = c->tally ? arena_at(env->arena, c->tally) : NULL;

	if (!t)
		return;
	unlist(env, t);
	if (c->active)
		return;
	list_push_tail(env->arena, &tab->tallies_idle, c->tally, IDLE_OFF);
	t->is_idle = true;
	while (tab->tallies_idle.n > tab->set.tallies) {
		const struct tcp_tally *old = arena_at(env->arena, tab->tallies_idle.head);
		tcp_tally_free(env, tcp_conn_at(env, old->conn));
	}
}

/* --- what comes and goes --- */

void tcp_tally_in(struct tcp_env *env, struct tcp_conn *c, const struct tcp_seg *s)
{
	struct tcp_tally *t = tcp_tally(env, c);

	t->segs_in += s->segs;
	if (s->len) {
		t->data_segs_in += s->segs;
		t->data_tick = tcp_tick_now(env);
	}
}

void tcp_tally_out(struct tcp_env *env, struct tcp_conn *c, uint32_t segs, uint32_t n, bool again)
{
	struct tcp_tally *t = tcp_tally(env, c);

	if (n)
		t->data_segs_out += segs;
	if (again)
		t->bytes_retrans += n;
}

void tcp_tally_synrcvd(struct tcp_env *env, struct tcp_conn *c, const struct tcp_synrcvd *q)
{
	if (!q->resent)
		return;
	struct tcp_tally *t = tcp_tally(env, c);
	t->syn_again = q->resent;
	t->rtos = q->resent;
	t->rto_recoveries = 1;
	t->rto_ms = (uint32_t)((env->now - q->sent_at) / NS_PER_MS);
}

void tcp_tally_opened(struct tcp_env *env, struct tcp_conn *c)
{
	struct tcp_tally *t = tcp_tally(env, c);

	t->open_tick = tcp_tick_now(env);
	if (!t->data_segs_in)
		t->data_tick = t->open_tick;
}

/* --- what an ACK taught --- */

void tcp_tally_ack_begin(struct tcp_conn *c, struct tcp_active *a)
{
	a->sent.seg_size = c->mss;
	a->sent.delivered_segs = 0;
}

/* Linux keeps the best of what was app-limited, and the newest of what was not (tcp_rate_gen()). */
static void take_rate(struct tcp_tally *t, const struct tcp_rate_sample *rs)
{
	if (!rs->rate || (rs->is_app_limited && rs->rate < t->rate))
		return;
	t->rate = rs->rate;
	t->is_app_limited = rs->is_app_limited;
}

void tcp_tally_ack(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, const struct tcp_ack_ctx *x)
{
	struct tcp_tally *t = tcp_tally(env, c);

	t->delivered += a->sent.delivered_segs;
	if (x->ece)
		t->delivered_ce += a->sent.delivered_segs;
	if (x->has_dsack && x->dsack.hi - x->dsack.lo <= c->snd_wnd_max) /* a longer one is not credible */
		t->dsack_dups += (x->dsack.hi - x->dsack.lo + c->mss - 1) / c->mss;
	t->reord_seen += x->is_late;
	take_rate(t, &a->rs);
	if (a->ca != TCP_CA_LOSS)
		tcp_tally_rto_over(env, c);
}

void tcp_tally_syn_acked(struct tcp_env *env, struct tcp_conn *c, const struct tcp_active *a)
{
	tcp_tally(env, c)->delivered += a->sent.delivered_segs;
	tcp_tally_rto_over(env, c);
}

/* --- time --- */

void tcp_tally_rto(struct tcp_env *env, struct tcp_conn *c, bool is_again)
{
	struct tcp_tally *t = tcp_tally(env, c);

	t->rtos += t->rtos < UINT16_MAX;
	if (is_again)
		return;
	t->rto_recoveries += t->rto_recoveries < UINT16_MAX;
	tcp_tally_rto_over(env, c); /* one within another: time goes on, but each counts */
	t->in_rto = true;
	t->rto_at = ms_now(env);
}

void tcp_tally_rto_over(struct tcp_env *env, struct tcp_conn *c)
{
	struct tcp_tally *t = tcp_tally(env, c);

	if (t->in_rto)
		t->rto_ms += ms_now(env) - t->rto_at;
	t->in_rto = false;
}

uint32_t tcp_tally_rto_ms(const struct tcp_env *env, const struct tcp_tally *t)
{
	return t->rto_ms + (t->in_rto ? ms_now(env) - t->rto_at : 0);
}

static void clock_set(struct tcp_env *env, struct tcp_tally *t, enum tcp_clock k)
{
	if (t->clock == k)
		return;
	if (t->clock)
		t->clock_ms[t->clock - 1] += ms_now(env) - t->clock_at;
	t->clock = (uint8_t)k;
	t->clock_at = ms_now(env);
}

void tcp_tally_clock(struct tcp_env *env, struct tcp_conn *c, const struct tcp_active *a)
{
	bool is_queued = tcp_unsent(c) || (c->fin_queued && !c->fin_sent);
	enum tcp_clock k = TCP_CLOCK_BUSY;

	if (!is_queued && c->snd_una == c->snd_nxt)
		k = TCP_CLOCK_IDLE;
	else if (a->held_now == HELD_RWND)
		k = TCP_CLOCK_RWND;
	else if (!is_queued && a->nospace && tcp_pipe(c, a) + c->mss <= c->cwnd && !c->fin_sent)
		k = TCP_CLOCK_SNDBUF;
	clock_set(env, tcp_tally(env, c), k);
}

void tcp_tally_gone(struct tcp_env *env, struct tcp_conn *c, const struct tcp_active *a)
{
	struct tcp_tally *t = c->tally ? arena_at(env->arena, c->tally) : NULL;

	if (!t)
		return;
	clock_set(env, t, TCP_CLOCK_IDLE);
	tcp_tally_rto_over(env, c);
	if (a->drs.is_on) {
		t->rcv_rtt_us = a->drs.rtt8_us / 8;
		t->rcv_space = a->drs.space;
	}
}

uint64_t tcp_tally_time(const struct tcp_env *env, const struct tcp_tally *t, enum tcp_clock k)
{
	uint64_t ms = 0;

	for (unsigned i = TCP_CLOCK_BUSY; i < TCP_CLOCKS; i++) {
		if (k != TCP_CLOCK_BUSY && k != i)
			continue;
		ms += t->clock_ms[i - 1] + (t->clock == i ? ms_now(env) - t->clock_at : 0);
	}
	return ms * 1000;
}
