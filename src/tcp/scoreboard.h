/* tcp/scoreboard.h - what the peer says it has: SACK blocks, duplicates, order (RFC 2018, RFC 2883, RFC 6675 §4).
 *
 * A block counts only if it lies wholly in what is in flight (CC-011). The first block of an ACK is a D-SACK if it lies below
 * the acknowledgement, or in the second block (RFC 2883 §4); it is believed only if something was sent twice at all, else the
 * network made the copy. Each range that arrives is shown to RACK, and to the question whether it came late: below what had
 * arrived before this ACK and sent only once is reordering. */
#ifndef TCP_SCOREBOARD_H
#define TCP_SCOREBOARD_H

#include "tcp/recovery.h"

/* Before una moves to `ack`: what arrives in [una, ack). */
void tcp_scoreboard_acked(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, struct tcp_ack_ctx *x, uint32_t ack);
/* After it: the SACK blocks of the segment, checked one by one. */
void tcp_scoreboard_sack(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, struct tcp_ack_ctx *x);
/* Segments SACKed, at least: what the bytes need, and what the duplicate ACKs told of. */
uint32_t tcp_segs_sacked(const struct tcp_conn *c, const struct tcp_active *a);
/* DupThresh of RFC 6675: what reordering asks for, but never so much that a window could not show its own loss. */
uint32_t tcp_dup_thresh(const struct tcp_conn *c);
/* IsLost() of RFC 6675 §4 for all ranges, in one walk from the top. Returns whether something was newly marked; *again whether
 * a retransmission was among it that left after the last window reduction. */
bool tcp_scoreboard_mark(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, bool *again);
/* Range i is lost; why it will be sent again. */
void tcp_mark_lost(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, uint16_t i, enum why why);
/* The first segment at SND.UNA is lost, unless it is SACKed, known to be lost, or still below. */
void tcp_mark_first(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, enum why why);

#endif
