/* tcp/cwnd.c - what the congestion control is told. See the header. */
#include "tcp/cwnd.h"

#include "tcp/pacing.h"
#include "tcp/timers.h"

const struct tcp_cc_algo *tcp_cwnd_algo(const struct tcp_env *env, const struct tcp_conn *c)
{
	const struct tcp_rare *r = tcp_rare_of(env, c);

	return tcp_cc_at(r ? r->opts.cc : 0);
}

/* Bytes that the ACK says have arrived and no earlier one said so. By these the window grows, as Linux: what duplicates told of came
 * while the window stood still, and is not made up for in one go when the hole is filled. */
static uint32_t newly_arrived(const struct tcp_conn *c, const struct tcp_active *a, const struct tcp_ack_ctx *x)
{
	if (c->sack_ok)
		return MIN(x->acked, a->sent.rate.s.newly_acked);
	uint32_t told = MIN(a->dupacks, UINT16_MAX) * (uint32_t)c->mss;
	return x->acked > told + c->mss ? x->acked - told : MIN(x->acked, c->mss);
}

/* As many whole segments as a window lets out. */
static uint32_t whole(uint32_t window, uint32_t mss)
{
	return window - window % mss;
}

/* Is cwnd what held the sender of what this ACK is about? In slow start it is enough that more than half was used: so the window may
 * become twice what is acknowledged in a round trip (RFC 7661 §4.3 takes that much for a validated window; as Linux). In congestion
 * avoidance all of it (RFC 9438 §5.8). A model of the path decides for itself. */
static bool is_limited(const struct tcp_conn *c, const struct tcp_active *a, const struct tcp_ack_ctx *x, bool has_model)
{
	return seq_le(x->una_before, a->limited_at) || (!has_model && c->cwnd < c->ssthresh && c->cwnd / 2 < a->used);
}

void tcp_cwnd_used(struct tcp_conn *c, struct tcp_active *a)
{
	uint32_t flight = tcp_flight(c);

	if (tcp_pipe(c, a) + c->mss > c->cwnd && seq_lt(a->limited_at, c->snd_nxt - 1))
		a->limited_at = c->snd_nxt - 1; /* the ACKs of this window; whoever sends after them is asked anew */
	if (seq_le(a->used_at, c->snd_una) || flight > a->used) {
		a->used = flight;
		a->used_at = c->snd_nxt;
	}
}

void tcp_cwnd_event(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, enum tcp_cc_event e, const struct tcp_ack_ctx *x,
		    uint32_t flight)
{
	struct tcp_cc_sample s = {.event = e, .now = env->now, .mss = c->mss, .flight = flight, .pipe = tcp_pipe(c, a), .srtt_us = c->srtt_us,
				  .snd_una = c->snd_una, .snd_nxt = c->snd_nxt, .iw_one = c->iw_one, .is_paced = a->pacing_rate != 0,
				  .in_recovery = a->ca != TCP_CA_OPEN, .c_delivered = a->sent.rate.delivered, .rs = &a->rs,
				  .is_app_limited = a->sent.rate.is_app_limited,
				  .random = &tcp_tab(env)->random, .is_abe = env->ecn_abe};
	struct tcp_cc_out o = {.cwnd = c->cwnd, .ssthresh = c->ssthresh};

	/* PRR's cwnd is what it lets out at this moment; the window that a further signal finds is the one it is on its way to. */
	bool is_signal = e == TCP_CC_LOSS || e == TCP_CC_ECN || e == TCP_CC_RTO;
	if (is_signal && a->prr.is_on)
		o.cwnd = MAX(o.cwnd, o.ssthresh);
	/* What is SACKed behind a hole counts in FlightSize but is no longer in flight: in a long recovery that is many windows, and each
	 * loss would raise cwnd. FlightSize is taken instead of the window because it may be less (RFC 5681 §3.1), never more than the
	 * window lets out: what limited transmit added is not counted (§3.2). */
	if (is_signal)
		s.flight = MIN(s.flight, whole(MAX(c->cwnd, c->ssthresh), c->mss));
	if (x) {
		s.acked = newly_arrived(c, a, x);
		s.rtt_us = x->rtt_us;
		s.is_limited = is_limited(c, a, x, tcp_cwnd_algo(env, c)->has_model);
	}
	tcp_cwnd_algo(env, c)->on(a->cc, &s, &o);
	c->cwnd = MAX(o.cwnd, c->mss); /* the loss window is the least (RFC 5681 §3.1) */
	c->ssthresh = o.ssthresh;
	tcp_pacing_update(env, c, a, o.pacing);
	if (o.app_limited)
		tcp_rate_app_limited(&a->sent.rate, tcp_pipe(c, a));
	if (env->trace && e != TCP_CC_ACK && e != TCP_CC_BEGIN && e != TCP_CC_SAVE && e != TCP_CC_SAMPLE)
		tcp_trace(env, c, TRACE_TCP_CC, 0, c->snd_una, c->snd_nxt, c->cwnd, c->ssthresh);
}

void tcp_cwnd_acked(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, const struct tcp_ack_ctx *x)
{
	tcp_rate_end(&a->sent.rate, c->min_rtt_us, &a->rs);
	if (tcp_cwnd_algo(env, c)->has_model)
		tcp_cwnd_event(env, c, a, TCP_CC_SAMPLE, x, x->flight_before);
	else
		tcp_pacing_update(env, c, a, 0);
}

void tcp_cwnd_app_limited(struct tcp_conn *c, struct tcp_active *a)
{
	uint32_t pipe = tcp_pipe(c, a);

	if (!tcp_unsent(c) && !a->sent.queued && !a->sent.lost && pipe + c->mss <= c->cwnd)
		tcp_rate_app_limited(&a->sent.rate, pipe);
}

bool tcp_cwnd_keeps(const struct tcp_env *env, const struct tcp_conn *c)
{
	return c->state != TCP_CLOSED && c->tx_tick && tcp_since_tick(env, c->tx_tick) < TCP_CC_KEEP_NS && tcp_cwnd_algo(env, c)->has_model;
}
