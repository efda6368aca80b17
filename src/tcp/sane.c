/* tcp/sane.c - what must hold of every connection whenever nobody is at work on it.
 *
 * Memory that went bad, or a fault of ours that the tests did not find, must cost one connection and no more (HARD-11): where the
 * numbers contradict each other nothing that is sent or delivered could be trusted, so the connection is reset, its user told
 * ECONNABORTED, and tcp.broken counts it. Nothing here stops the process, in no build. A fixed number of comparisons (RFC 9293
 * §3.3.1: SND.UNA =< SND.NXT; §3.4: what is in flight is what was sent), no walk. */
#include "tcp/sane.h"

#include <errno.h>

#define WINDOW_MAX ((65535u << TCP_WS_MAX) + 2u) /* and SYN, and FIN */

static bool send_side(const struct tcp_env *env, const struct tcp_conn *c)
{
	uint32_t flight = c->snd_nxt - c->snd_una;
	struct tcp_active *a = tcp_active_of(env, c);

	if (flight > WINDOW_MAX || (flight && !a))
		return false;
	if (!a)
		return true;
	if (!flight || !a->sent.n)
		return !flight && !a->sent.n;
	if (a->sent.n > a->sent.cap || a->sent.cap > TCP_RANGES_MAX)
		return false;
	const struct tcp_range *r = tcp_ranges_at(env->arena, &a->sent);
	return r[0].seq == c->snd_una && r[a->sent.n - 1].end == c->snd_nxt && a->sent.sacked <= flight && a->sent.lost <= flight &&
	       a->sent.queued <= flight;
}

bool tcp_conn_is_sane(const struct tcp_env *env, const struct tcp_conn *c)
{
	if (c->state == TCP_CLOSED || c->state == TCP_TIME_WAIT)
		return true;
	if (c->broken || c->state == TCP_LISTEN || c->state > TCP_CLOSING)
		return false;
	if (c->state != TCP_SYN_SENT && seq_lt(c->rcv_adv + 1, c->rcv_nxt)) /* FIN takes no window */
		return false;
	return send_side(env, c);
}

void tcp_conn_break(struct tcp_env *env, struct tcp_conn *c)
{
	tcp_tab(env)->counts[TCP_COUNT_BROKEN]++;
	c->broken = 0;
	if (!tcp_state_may_go(c->state, TCP_CLOSED))
		c->state = TCP_ESTABLISHED; /* from here there is a way out */
	tcp_conn_abort(env, c, ECONNABORTED);
}
