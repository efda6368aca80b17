/* tcp/rack.h - RACK: what left before something that has arrived, and is overdue by a reordering window, is lost (RFC 8985 §6).
 *
 * Time instead of counts, so it finds lost retransmissions and tail losses too. Of what has arrived, the segment sent last
 * gives RACK.xmit_ts and RACK.rtt; a range sent before it is lost when RTT + window have passed since it left, and if that is
 * not yet so, a timer asks again. sent_at is when the driver took the range; what is still queued below is never lost.
 * The window is 0 while nothing came out of order and loss is plain (three segments SACKed, or recovery has begun), else
 * min_RTT/4, one quarter more for each round trip with a D-SACK, at most SRTT; 16 recoveries without D-SACK bring it back.
 * A range sent twice tells nothing if its arrival may be the first copy's: an older timestamp is echoed, or it came sooner
 * than any round trip (§6.2 step 2). Ranges stand in for segments: equal times are ordered by sequence number, but new data
 * tells of a repetition only if it left after it.
 * The segments SACKed are not counted one by one, since SACKed ranges merge: tcp_segs_sacked() is a lower bound. */
#ifndef TCP_RACK_H
#define TCP_RACK_H

#include "tcp/recovery.h"

#define TCP_RACK_PERSIST 16 /* recoveries (RFC 8985 §6.2 step 4) */

/* Part of range r, up to `end`, has arrived. */
void tcp_rack_arrived(const struct tcp_conn *c, struct tcp_active *a, const struct tcp_ack_ctx *x, const struct tcp_range *r, uint32_t end);
/* A D-SACK came: once a round trip the window grows. */
void tcp_rack_dsack(struct tcp_conn *c, struct tcp_active *a);
/* Fast or time-out recovery has ended. */
void tcp_rack_exit(struct tcp_conn *c);
/* Mark what is lost at time `at`, and note when to ask again. As tcp_scoreboard_mark(). */
bool tcp_rack_detect(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, int64_t at, bool *again);
/* Time-out: is a range that left at sent_at lost by now (§6.3)? */
bool tcp_rack_is_overdue(struct tcp_env *env, struct tcp_conn *c, const struct tcp_active *a, int64_t sent_at);

#endif
