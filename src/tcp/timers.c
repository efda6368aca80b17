/* tcp/timers.c - deadlines, the wheel entry, and what happens when one comes. See the header. */
#include "tcp/timers.h"

#include <errno.h>

#include "tcp/ack.h"
#include "tcp/autotune.h"
#include "tcp/cwnd.h"
#include "tcp/input.h"
#include "tcp/memory.h"
#include "tcp/output.h"
#include "tcp/pmtu.h"
#include "tcp/recovery.h"
#include "tcp/rtt.h"
#include "tcp/tally.h"
#include "tcp/tlp.h"

/* A wheel tick as a time near now. */
static int64_t tick_time(const struct tcp_env *env, uint32_t t)
{
	int64_t now = env->now >> WHEEL_TICK_SHIFT;

	return (now + (int32_t)(t - (uint32_t)now)) << WHEEL_TICK_SHIFT;
}

static bool tick_due(const struct tcp_env *env, uint32_t t)
{
	return t && tick_time(env, t) <= env->now;
}

void tcp_timers_arm(struct tcp_env *env, struct tcp_conn *c)
{
	const struct tcp_active *a = tcp_active_of(env, c);
	const struct wheel_node *w = &c->e.node.timer;
	int64_t at = a && a->rtx ? a->rtx_at : TIME_NEVER;

	if (c->delack_tick)
		at = MIN(at, tick_time(env, c->delack_tick));
	if (c->slow_tick)
		at = MIN(at, tick_time(env, c->slow_tick));
	if (a && c->snd_una == c->snd_nxt && tcp_cwnd_keeps(env, c)) /* active goes then */
		at = MIN(at, tick_time(env, c->tx_tick) + TCP_CC_KEEP_NS);
	if (a && a->pacing_waits)
		at = MIN(at, a->pacing_next);
	if (c->starved)
		at = MIN(at, ((env->now >> TCP_STARVED_SHIFT) + 1) << TCP_STARVED_SHIFT);
	if (a && tcp_drs_holds(env, c, a)) /* then a pause has begun, and active may go */
		at = MIN(at, a->drs.quiet_at);
	if (at != TIME_NEVER && (!w->where || at < w->deadline))
		wheel_arm(env->arena, env->wheel, tcp_conn_ref(env, c), at);
}

void tcp_timers_delack(struct tcp_env *env, struct tcp_conn *c)
{
	c->delack_tick = tcp_tick_at(env->now + TCP_DELACK_NS);
	tcp_timers_arm(env, c);
}

/* Data or FIN that waits although nothing is in flight. */
static bool wants_persist(const struct tcp_conn *c, const struct tcp_active *a)
{
	return !a->pacing_waits && tcp_state_may_send(c->state) && (tcp_unsent(c) || (c->fin_queued && !c->fin_sent)) && c->queue != TCP_Q_HELD;
}

static int64_t user_timeout(const struct tcp_rare *r)
{
	return r ? r->opts.user_timeout_ms * NS_PER_MS : 0;
}

void tcp_timers_set_rtx(struct tcp_env *env, const struct tcp_conn *c, struct tcp_active *a, int64_t at)
{
	int64_t user = user_timeout(tcp_rare_of(env, c));

	a->rtx_at = a->rto_at = user ? MIN(at, MAX(a->since + user, env->now)) : at;
}

static bool is_watching(const struct tcp_active *a)
{
	return a->rtx == TCP_RTX_RTO || a->rtx == TCP_RTX_PROBE || a->rtx == TCP_RTX_REORDER;
}

/* Data is in flight: which of the three watches over it, and until when. The time-out's period goes on whatever is armed. */
static void watch_flight(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, bool restart)
{
	if (a->rtx == TCP_RTX_PERSIST)
		a->backoff = a->probes = 0;
	if (restart || !is_watching(a))
		tcp_timers_set_rtx(env, c, a, env->now + tcp_rto_backed(c, a->backoff));
	a->rtx = TCP_RTX_RTO;
	a->rtx_at = a->rto_at;
	if (a->rack.reo_at && a->rack.reo_at < a->rto_at) {
		a->rtx = TCP_RTX_REORDER;
		a->rtx_at = a->rack.reo_at;
	} else if (tcp_tlp_may_arm(env, c, a)) {
		a->rtx = TCP_RTX_PROBE;
		a->rtx_at = MIN(MAX(tcp_tlp_deadline(c, a), env->now), a->rto_at); /* what kept it back may have ended late */
	}
	tcp_timers_arm(env, c);
}

void tcp_timers_rtx(struct tcp_env *env, struct tcp_conn *c, bool restart)
{
	struct tcp_active *a = tcp_active_of(env, c);

	if (!a)
		return;
	if (c->snd_una != c->snd_nxt) {
		watch_flight(env, c, a, restart);
		return;
	}
	enum tcp_rtx want = wants_persist(c, a) ? TCP_RTX_PERSIST : a->tlp.is_out ? TCP_RTX_SETTLE : TCP_RTX_NONE;
	if (want == a->rtx && !restart)
		return;
	if (want == TCP_RTX_PERSIST && a->rtx != want)
		a->since = env->now;
	a->rtx = want;
	tcp_timers_set_rtx(env, c, a, env->now + tcp_rto_backed(c, a->backoff));
	if (want == TCP_RTX_PERSIST && c->snd_wnd && (c->cork || c->more)) /* held by the user, not by the peer */
		a->rtx_at = env->now + TCP_CORK_NS;
	else if (want == TCP_RTX_PERSIST && c->snd_wnd && !a->ece_waits) /* a silly window */
		a->rtx_at = MIN(a->rtx_at, env->now + TCP_OVERRIDE_NS);
	tcp_timers_arm(env, c);
}

void tcp_timers_slow(struct tcp_env *env, struct tcp_conn *c)
{
	const struct tcp_rare *r = tcp_rare_of(env, c);

	c->slow_tick = 0;
	if (c->is_orphan && c->state == TCP_FIN_WAIT_2) {
		int64_t s = r && r->opts.fin_wait2_s ? r->opts.fin_wait2_s : tcp_tab(env)->set.fin_timeout_s;
		c->slow_tick = tcp_tick_at(env->now + MAX(s * NS_PER_S, tcp_rto(c) * 7 / 2)); /* long enough for a FIN to be sent again */
	}
	if (c->keepalive && !c->is_orphan && c->was_open && c->state != TCP_CLOSED) /* RFC 9293 §3.8.4: at least 2 h */
		c->slow_tick = tcp_tick_at(env->now + (r && r->opts.keep_idle_s ? r->opts.keep_idle_s : 7200) * NS_PER_S);
	tcp_timers_arm(env, c);
}

/* How often a SYN is sent again (MUST-23), or a SYN-ACK of Fast Open, as those of a listener's entries. */
static uint8_t syn_tries(const struct tcp_env *env, const struct tcp_conn *c)
{
	const struct tcp_rare *r = tcp_rare_of(env, c);
	const struct tcp_settings *set = &tcp_tab(env)->set;
	uint8_t most = c->is_passive ? set->synack_retries : set->syn_retries;

	if (r && r->opts.syn_retries)
		return r->opts.syn_retries;
	return most ? most : c->is_passive ? TCP_RETRIES_SYNACK : TCP_RETRIES_SYN;
}

/* R2 is reached, or the user's time-out (RFC 9293 §3.8.3, RFC 5482): true, and the connection is over. The user's time-out replaces
 * R2 of a synchronized connection; a SYN has its number of tries besides (as Linux). */
static bool gives_up(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, uint8_t tries)
{
	const struct tcp_rare *r = tcp_rare_of(env, c);
	int64_t user = user_timeout(r);
	bool over = tries >= (c->is_orphan ? TCP_RETRIES_ORPHAN : TCP_RETRIES2);

	if (c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECEIVED)
		over = tries >= syn_tries(env, c);
	else if (user)
		over = false;
	if (user)
		over |= env->now - a->since >= user;
	if (over && c->was_open)
		tcp_pmtu_gave_up(env, c);
	if (over) /* what ICMP said last explains more than "timed out" (as Linux) */
		tcp_conn_finish(env, c, c->err_soft ? c->err_soft : ETIMEDOUT);
	return over;
}

/* Nothing in flight may go: ask the peer for its window, or try again to send (RFC 9293 §3.8.6.1). */
static void persist_fires(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a)
{
	/* Probes that are answered keep the connection for ever (MUST-37), unless nobody owns it. */
	if (gives_up(env, c, a, c->is_orphan ? a->backoff : a->probes))
		return;
	if (c->snd_una == c->snd_nxt) {
		c->unpushed = 0; /* held for long enough: the peer's user may have it (as Linux) */
		tcp_output(env, c, true);
		if (c->snd_una != c->snd_nxt || c->queue == TCP_Q_HELD)
			return;
	}
	if ((!c->snd_wnd || c->snd_una != c->snd_nxt) && tcp_output_probe(env, c, WHY_PROBE)) {
		a->probes += a->probes < UINT8_MAX; /* only what was asked can stay unanswered */
		a->backoff += a->backoff < 16;
	}
	tcp_timers_set_rtx(env, c, a, env->now + tcp_rto_backed(c, a->backoff));
}

static void rto_fires(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a)
{
	bool is_syn = c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECEIVED;

	if (tcp_ranges_at(env->arena, &a->sent)[0].flags & TCP_RANGE_QUEUED) { /* never left: the network lost nothing */
		/* No try is counted, so R2 is told by the time that its tries would take. */
		bool is_late = env->now - a->since >= (c->is_orphan ? TCP_R2_ORPHAN_NS : TCP_R2_NS);
		if (gives_up(env, c, a, is_late ? UINT8_MAX : 0))
			return;
		tcp_timers_set_rtx(env, c, a, env->now + tcp_rto_backed(c, a->backoff));
		return;
	}
	if (!c->snd_wnd && !is_syn) { /* the peer took its window back: ask, do not resend (SHLD-17) */
		persist_fires(env, c, a);
		return;
	}
	if (gives_up(env, c, a, a->retries))
		return;
	if (env->trace)
		tcp_trace(env, c, TRACE_TCP_RTO, 0, c->snd_una, c->snd_nxt, a->backoff, a->retries);
	tcp_tally_rto(env, c, a->retries > 0);
	if (is_syn) {
		c->iw_one = a->retries > 0;   /* resent more than once (RFC 5681 §3.1) */
		c->rto_3s = 1;                /* RFC 6298 §5.7, looked at when data starts */
	} else {
		tcp_pmtu_timeout(env, c, a);
		tcp_recovery_rto(env, c, a);
	}
	a->retries++;
	a->backoff += a->backoff < 16; /* RFC 6298 §5.5 */
	if (a->retries == TCP_RETRIES1 && env->ops->path_suspect) /* RFC 9293 §3.8.3 R1 */
		env->ops->path_suspect(env->ctx, c->e.node.path);
	if (is_syn)
		tcp_output_syn(env, c, WHY_SYN_RETRANS, false);
	else
		tcp_output(env, c, false);
	tcp_timers_set_rtx(env, c, a, env->now + (is_syn ? tcp_rto_initial_backed(a->backoff) : tcp_rto_backed(c, a->backoff)));
}

/* RFC 8985 §7.3: a probe if one can be sent; the retransmission timer follows in any case. */
static void probe_fires(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a)
{
	a->tlp.from = env->now;
	tcp_tlp_send(env, c, a);
	a->rtx = TCP_RTX_RTO;
	tcp_timers_set_rtx(env, c, a, env->now + tcp_rto_backed(c, a->backoff));
}

static void reorder_fires(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a)
{
	tcp_recovery_reorder(env, c, a);
	tcp_output(env, c, false);
}

/* What watches over data in flight, or waits for window. */
static void rtx_fires(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a)
{
	switch ((enum tcp_rtx)a->rtx) {
	case TCP_RTX_NONE:
		break;
	case TCP_RTX_RTO:
		rto_fires(env, c, a);
		break;
	case TCP_RTX_PROBE:
		probe_fires(env, c, a);
		break;
	case TCP_RTX_REORDER:
		reorder_fires(env, c, a);
		break;
	case TCP_RTX_PERSIST:
		persist_fires(env, c, a);
		break;
	case TCP_RTX_SETTLE:
		tcp_recovery_settle(env, c, a);
		a->rtx = TCP_RTX_NONE;
		break;
	}
}

/* RFC 9293 §3.8.4; one lost probe kills nothing (MUST-28), not even if the user's time-out decides instead of the count (as Linux). */
static void keepalive_fires(struct tcp_env *env, struct tcp_conn *c)
{
	const struct tcp_rare *r = tcp_rare_of(env, c);
	int64_t idle = (r && r->opts.keep_idle_s ? r->opts.keep_idle_s : 7200) * NS_PER_S;
	int64_t again = (r && r->opts.keep_intvl_s ? r->opts.keep_intvl_s : 75) * NS_PER_S;
	int64_t silent = tcp_since_tick(env, c->rx_tick), user = user_timeout(r);
	bool is_over = user ? silent >= user && c->keep_probes : c->keep_probes >= (r && r->opts.keep_cnt ? r->opts.keep_cnt : 9);

	if (c->snd_una != c->snd_nxt || tcp_unsent(c)) { /* retransmission finds out */
		c->slow_tick = tcp_tick_at(env->now + idle);
	} else if (silent < idle && !c->keep_probes) {
		c->slow_tick = tcp_tick_at(env->now + idle - silent);
	} else if (is_over) {
		tcp_conn_abort(env, c, ETIMEDOUT);
	} else {
		c->keep_probes++;
		tcp_output_probe(env, c, WHY_KEEPALIVE);
		c->slow_tick = tcp_tick_at(env->now + again);
	}
}

static void slow_fires(struct tcp_env *env, struct tcp_conn *c)
{
	c->slow_tick = 0;
	if (c->is_orphan && c->state == TCP_FIN_WAIT_2)
		tcp_conn_finish(env, c, 0);
	else if (c->keepalive)
		keepalive_fires(env, c);
}

/* The user waits for memory: is there some? Asked as the user would. */
static void starved_asks(struct tcp_env *env, struct tcp_conn *c)
{
	struct sbuf_iov iov;

	if (c->state == TCP_CLOSED || c->fin_queued) { /* who has closed waits for nothing */
		c->starved = 0;
		return;
	}
	if (c->starved > 1) {
		c->starved--;
		return;
	}
	if (tcp_mem_state(env) == TCP_MEM_FULL || !tcp_conn_activate(env, c) || !tcp_buf_reserve(env, &c->snd, &iov, 1, 1))
		return;
	tcp_buf_commit(env, &c->snd, 0);
	c->starved = 0;
	if (tcp_conn_is_writable(env, c))
		tcp_conn_notify(env, c, TCP_EV_WRITABLE);
	else
		tcp_active_of(env, c)->nospace = true; /* what is queued must go first: that will tell the user */
}

static void conn_timeout(struct tcp_env *env, struct tcp_conn *c)
{
	struct tcp_active *a = tcp_active_of(env, c);

	if (c->delack_tick && tick_due(env, c->delack_tick)) {
		c->delack_tick = 0;
		tcp_output_ack(env, c, WHY_ACK_DELAYED);
	}
	if (a && a->pacing_waits && a->pacing_next <= env->now) {
		a->pacing_waits = false;
		tcp_output(env, c, false);
	}
	if (a && a->rtx && a->rtx_at <= env->now)
		rtx_fires(env, c, a);
	if (c->state != TCP_CLOSED && c->slow_tick && tick_due(env, c->slow_tick))
		slow_fires(env, c);
	if (c->starved)
		starved_asks(env, c);
	if (c->state != TCP_CLOSED)
		tcp_timers_arm(env, c);
	tcp_conn_settle(env, c);
}

void tcp_timeout(struct tcp_env *env, ref_t node)
{
	switch (tcp_node_at(env, node)->timer.kind) {
	case WHEEL_TCP_CONN:
		conn_timeout(env, tcp_conn_at(env, node));
		break;
	case WHEEL_TCP_SYNRCVD:
		tcp_synrcvd_timeout(env, node);
		break;
	case WHEEL_TCP_TIMEWAIT:
		tcp_timewait_timeout(env, node);
		break;
	default:
		ASSERT(!"not a TCP timer");
	}
}
