/* tcp/rtt.h - round-trip time and the retransmission timeout (RFC 6298).
 *
 * Integers, microseconds. RTO = SRTT + max(4 RTTVAR, 200 ms): the floor stands on the variance, as in Linux; it is a
 * named deviation from the 1 s minimum of RFC 6298 §2.4. 1 s before the first sample, 3 s if a SYN had to be repeated
 * (§5.7), 120 s at most (§2.5 asks for 60 s or more). */
#ifndef TCP_RTT_H
#define TCP_RTT_H

#include "tcp/conn.h"

#define TCP_RTO_INIT_NS NS_PER_S
#define TCP_RTO_INIT_3S_NS (3 * NS_PER_S)
#define TCP_RTO_MIN_US 200000u
#define TCP_RTO_MAX_NS (120 * NS_PER_S)

/* rtt: ns, >= 0; a sample of data not retransmitted, or told by timestamps (§3). Returns it in µs, at least 1. */
uint32_t tcp_rtt_sample(struct tcp_conn *c, int64_t rtt);
/* Without backoff. */
int64_t tcp_rto(const struct tcp_conn *c);
/* With `backoff` doublings (§5.5). */
int64_t tcp_rto_backed(const struct tcp_conn *c, uint8_t backoff);
int64_t tcp_rto_initial_backed(uint8_t backoff);

/* Our timestamp clock, 1 ms (RFC 7323 §5.4), with the connection's offset. */
static inline uint32_t tcp_ts_now(const struct tcp_env *env, uint32_t offset)
{
	return (uint32_t)(env->now / NS_PER_MS) + offset;
}

#endif
