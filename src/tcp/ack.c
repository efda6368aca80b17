/* tcp/ack.c - when we acknowledge. See the header. */
#include "tcp/ack.h"

#include "tcp/timers.h"

void tcp_ack_data(struct tcp_env *env, struct tcp_conn *c)
{
	/* More than one full segment waits: that is at least every second one (§3.8.6.3 MUST-40 SHLD-19). */
	if (c->rcv_nxt - c->rcv_acked > c->rcv_mss || c->quick)
		tcp_ack_due(c);
	else if (!c->delack_tick)
		tcp_timers_delack(env, c);
}

void tcp_ack_sent(struct tcp_conn *c)
{
	c->ack_now = c->ack_due = 0;
	c->delack_tick = 0;
	c->rcv_acked = c->rcv_nxt;
}

void tcp_ack_challenge(struct tcp_env *env, struct tcp_conn *c)
{
	uint16_t second = (uint16_t)(env->now / NS_PER_S);

	if (c->challenge_tick != second) {
		c->challenge_tick = second;
		c->challenge_left = (uint8_t)(5 + (prf_next(&tcp_tab(env)->random) & 7));
	}
	if (!c->challenge_left)
		return;
	c->challenge_left--;
	tcp_ack_now(c, WHY_ACK_CHALLENGE);
}
