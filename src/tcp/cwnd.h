/* tcp/cwnd.h - the connection's side of congestion control: it tells the algorithm what happened and keeps what it answers. */
#ifndef TCP_CWND_H
#define TCP_CWND_H

#include "tcp/recovery.h"

const struct tcp_cc_algo *tcp_cwnd_algo(const struct tcp_env *env, const struct tcp_conn *c);
/* Tell the connection's algorithm of e; cwnd and ssthresh are its answer. x: the ACK it is about, or NULL. flight: FlightSize. */
void tcp_cwnd_event(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, enum tcp_cc_event e, const struct tcp_ack_ctx *x,
		    uint32_t flight);
/* New data has left: how far is the window used? Linux's tcp_cwnd_validate(). */
void tcp_cwnd_used(struct tcp_conn *c, struct tcp_active *a);
/* All that an ACK causes has been done: what it taught of the delivery rate goes to algorithms that have a model. */
void tcp_cwnd_acked(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, const struct tcp_ack_ctx *x);
/* The user is about to give more: if all before has left and the window had room for more, what is delivered meanwhile tells the
 * user's rate, not the path's. */
void tcp_cwnd_app_limited(struct tcp_conn *c, struct tcp_active *a);
/* Is what the algorithm knows of the path kept for a while, though the connection is drained? */
bool tcp_cwnd_keeps(const struct tcp_env *env, const struct tcp_conn *c);

#endif
