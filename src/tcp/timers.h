/* tcp/timers.h - deadlines are fields; one wheel entry per connection, re-armed lazily.
 *
 * A deadline that moves later leaves the wheel alone: the entry fires early, finds nothing due, and is armed again. So an
 * ACK costs no wheel work. The timers, as sentences; of the first four one is armed at a time (RFC 8985 §8):
 *   reordering:     what left before something that has arrived is lost when the reordering window is over (tcp/rack.h);
 *   probe:          data is in flight, nothing is missing, and nothing came for about two round trips (tcp/tlp.h);
 *   retransmission: data is in flight and nothing came for one RTO, doubled at each expiry (RFC 6298 §5);
 *   persist:        nothing is in flight, data waits for window, for a fuller segment or for memory (RFC 9293 §3.8.6.1);
 *   settle:         nothing is in flight, and a late duplicate may still tell that a repetition was needless;
 *   delayed ACK:    data was received and not acknowledged for 40 ms (§3.8.6.3);
 *   keep-alive:     the peer was silent for keep_idle (§3.8.4);
 *   orphan:         in FIN-WAIT-2 without a user for 60 s, or as TCP_LINGER2 says, but for 3.5 RTO at least;
 *   user time-out:  cuts retransmission and persist, so that the connection ends on time (RFC 5482);
 *   pacing:         data waits until the rate lets the next burst go (tcp/pacing.h);
 *   model:          nothing was sent for TCP_CC_KEEP_NS: what the congestion control knows of the path is given up;
 *   memory:         the user wanted to send and memory was out: asked for every 8 ms. */
#ifndef TCP_TIMERS_H
#define TCP_TIMERS_H

#include "tcp/conn.h"

/* Wheel tick of a time, rounded up; never 0, which is "none". */
static inline uint32_t tcp_tick_at(int64_t ns)
{
	uint32_t t = (uint32_t)((ns + (INT64_C(1) << WHEEL_TICK_SHIFT) - 1) >> WHEEL_TICK_SHIFT);
	return t ? t : 1;
}
static inline uint32_t tcp_tick_now(const struct tcp_env *env) { return (uint32_t)(env->now >> WHEEL_TICK_SHIFT); }
/* Time since a tick that lies in the past, ns. */
static inline int64_t tcp_since_tick(const struct tcp_env *env, uint32_t t)
{
	return (int64_t)(tcp_tick_now(env) - t) << WHEEL_TICK_SHIFT;
}

/* Time until a tick, ns; below zero if it has passed. */
static inline int64_t tcp_until_tick(const struct tcp_env *env, uint32_t t)
{
	return (int32_t)(t - tcp_tick_now(env)) * (INT64_C(1) << WHEEL_TICK_SHIFT);
}

/* Put the wheel entry where the earliest deadline wants it. */
void tcp_timers_arm(struct tcp_env *env, struct tcp_conn *c);
/* The next expiry of the time-out or of window probes: `at`, or the end of the user's time-out if that comes first (RFC 5482, as Linux). */
void tcp_timers_set_rtx(struct tcp_env *env, const struct tcp_conn *c, struct tcp_active *a, int64_t at);
/* One of the four, by what is in flight and what is known of it; restart: begin a fresh period (RFC 6298 §5.3). */
void tcp_timers_rtx(struct tcp_env *env, struct tcp_conn *c, bool restart);
void tcp_timers_delack(struct tcp_env *env, struct tcp_conn *c);
/* (Re)start keep-alive, or the orphan timer if `c` has no user. */
void tcp_timers_slow(struct tcp_env *env, struct tcp_conn *c);

#endif
