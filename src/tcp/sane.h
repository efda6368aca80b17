/* tcp/sane.h - is a connection in a state that can be? If not it is reset, and only it (HARD-11). */
#ifndef TCP_SANE_H
#define TCP_SANE_H
#include "tcp/conn.h"

/* Do c's numbers agree with each other? Holds whenever no call into TCP is under way. */
bool tcp_conn_is_sane(const struct tcp_env *env, const struct tcp_conn *c);
/* It is not: reset, counted, its user told ECONNABORTED. */
void tcp_conn_break(struct tcp_env *env, struct tcp_conn *c);
#endif
