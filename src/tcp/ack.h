/* tcp/ack.h - when we acknowledge (RFC 9293 §3.8.6.3, RFC 5681 §4.2, RFC 5961 §7).
 *
 * At once: out of order, a gap filled, a duplicate, something outside the window, a probe. At the next flush: more than
 * one full segment unacknowledged (before the next one, if more text comes in the same burst), FIN, the first 16 ACKs of a
 * connection. Else 40 ms later, or with data. */
#ifndef TCP_ACK_H
#define TCP_ACK_H

#include "tcp/segment.h"

/* Owed before the next segment is processed. */
static inline void tcp_ack_now(struct tcp_conn *c, enum why why)
{
	c->ack_now = 1;
	c->ack_why = why;
}
/* Owed at the flush. */
static inline void tcp_ack_due(struct tcp_conn *c)
{
	if (!c->ack_now && !c->ack_due) {
		c->ack_due = 1;
		c->ack_why = WHY_ACK;
	}
}
/* In-order data has come in: decide. */
void tcp_ack_data(struct tcp_env *env, struct tcp_conn *c);
/* A segment with an ACK of ours has left. */
void tcp_ack_sent(struct tcp_conn *c);
/* A challenge ACK, if this second's budget allows (RFC 5961 §7, randomised: CVE-2016-5696). */
void tcp_ack_challenge(struct tcp_env *env, struct tcp_conn *c);

#endif
