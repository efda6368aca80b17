/* tcp/pacing.h - how fast data may leave: a rate, and the time from which the next burst may go.
 *
 * A connection is paced if its congestion control asks for a rate, if the user set SO_MAX_PACING_RATE, or if the stack paces
 * all (VIA_SET_TCP_PACING); a window-based control is then paced as by Linux's fq: at 2 cwnd/SRTT in slow start and 1.2 cwnd/SRTT
 * afterwards, so that the window, not the rate, is the limit. The user's limit holds for all. The first ten segments are not
 * paced, as in Linux.
 * What leaves at once is a burst (tcp/output.h): what the rate gives in 1 ms, at least two segments, at most a superframe.
 * Each moves `next` on by its length at the rate; what wants to leave earlier waits for the connection's one wheel entry, or
 * for an ACK that comes after it. The wheel is a tick late at times: so a connection that is late has credit, as much as the
 * rate gives in two ticks, and loses no rate. Pure ACKs and probes are not paced. */
#ifndef TCP_PACING_H
#define TCP_PACING_H

#include "tcp/conn.h"

#define TCP_PACING_CREDIT_NS (INT64_C(2) << WHEEL_TICK_SHIFT)
#define TCP_PACING_FREE 10u     /* segments at the start */
#define TCP_PACING_SS_RATIO 200u /* per cent of cwnd/SRTT; Linux's tcp_pacing_ss_ratio, tcp_pacing_ca_ratio */
#define TCP_PACING_CA_RATIO 120u

/* At which a window-based control is paced, bytes/s, and by which bursts are sized if it is not; 0: no SRTT yet. */
uint64_t tcp_pacing_window_rate(const struct tcp_conn *c);
/* cwnd or SRTT changed. asked: the algorithm's rate, bytes/s; 0: it has none. */
void tcp_pacing_update(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, uint64_t asked);
/* The user changed the limit: what waits, waits as it would have at the rate that holds now. */
void tcp_pacing_limited(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a);
/* May data leave now? If not, the wheel entry is to be armed (tcp_timers_arm()). */
bool tcp_pacing_may_send(const struct tcp_env *env, struct tcp_active *a);
/* n bytes have left. */
void tcp_pacing_sent(const struct tcp_env *env, const struct tcp_conn *c, struct tcp_active *a, uint32_t n);

#endif
