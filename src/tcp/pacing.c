/* tcp/pacing.c - how fast data may leave. See the header. */
#include "tcp/pacing.h"

#include "tcp/cwnd.h"

uint64_t tcp_pacing_window_rate(const struct tcp_conn *c)
{
	uint32_t ratio = c->cwnd < c->ssthresh / 2 ? TCP_PACING_SS_RATIO : TCP_PACING_CA_RATIO;

	return c->srtt_us ? (uint64_t)MAX(c->cwnd, tcp_flight(c)) * ratio * (1000000 / 100) / c->srtt_us : 0;
}

void tcp_pacing_update(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, uint64_t asked)
{
	const struct tcp_rare *r = tcp_rare_of(env, c);
	uint64_t most = r ? r->opts.pacing_max : 0, rate = asked;

	if (!rate && (env->paces || most))
		rate = tcp_pacing_window_rate(c);
	if (most && (!rate || rate > most))
		rate = most;
	a->pacing_rate = rate;
	if (!rate)
		a->pacing_waits = false;
}

void tcp_pacing_limited(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a)
{
	uint64_t was = a->pacing_rate;
	int64_t wait = a->pacing_next - env->now;

	/* What a model asks for is told with the next ACK; until then its window says about as much. */
	tcp_pacing_update(env, c, a, tcp_cwnd_algo(env, c)->has_model ? tcp_pacing_window_rate(c) : 0);
	if (wait > 0 && !a->pacing_rate)
		a->pacing_next = env->now;
	else if (wait > 0 && a->pacing_rate > was)
		a->pacing_next = env->now + (int64_t)((uint64_t)wait * was / a->pacing_rate);
}

bool tcp_pacing_may_send(const struct tcp_env *env, struct tcp_active *a)
{
	a->pacing_waits = a->pacing_rate && a->pacing_next > env->now;
	return !a->pacing_waits;
}

void tcp_pacing_sent(const struct tcp_env *env, const struct tcp_conn *c, struct tcp_active *a, uint32_t n)
{
	if (!a->pacing_rate || (!c->sent_hi && c->snd_nxt - c->iss <= TCP_PACING_FREE * c->mss + 1)) /* SYN has a number, too */
		return;
	a->pacing_next = MAX(a->pacing_next, env->now - TCP_PACING_CREDIT_NS) + (int64_t)((uint64_t)n * NS_PER_S / a->pacing_rate);
}
