/* tcp/cwnd.h - the connection's side of congestion control: it tells the algorithm what happened and keeps what it answers. */
#ifndef TCP_CWND_H
#define TCP_CWND_H

#include "tcp/recovery.h"

/* Tell the connection's algorithm of e; cwnd and ssthresh are its answer. x: the ACK it is about, or NULL. flight: FlightSize. */
void tcp_cwnd_event(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, enum tcp_cc_event e, const struct tcp_ack_ctx *x,
		    uint32_t flight);

#endif
