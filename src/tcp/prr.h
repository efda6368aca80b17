/* tcp/prr.h - proportional rate reduction: what fast recovery sends for each ACK (RFC 9937, which obsoletes RFC 6937).
 *
 * A loss lowers ssthresh at once; cwnd follows in proportion: while more is in flight than ssthresh, for each delivered byte
 * ssthresh/RecoverFS bytes leave, so the pipe shrinks over one round trip without a pause; below ssthresh as much leaves as
 * was delivered, and one segment more when the ACK moves SND.UNA and tells of no further loss (SafeACK), up to ssthresh.
 * So recovery ends with about ssthresh in flight, and cwnd is ssthresh then: no burst.
 * Not for what has a model of the path (its cwnd is its own), not while a too large segment is repaired, and only with SACK:
 * NewReno's recovery keeps RFC 6582's rules. */
#ifndef TCP_PRR_H
#define TCP_PRR_H

#include "tcp/recovery.h"

/* Recovery begins with a reduction (not by ECE before it), or a lost repetition asks for another; ssthresh is set. flight: FlightSize
 * before it; sacked: bytes of it that were SACKed before this ACK. */
void tcp_prr_begin(const struct tcp_env *env, const struct tcp_conn *c, struct tcp_active *a, uint32_t flight, uint32_t sacked);
/* An ACK in recovery delivered `delivered` bytes; is_safe: it moved SND.UNA and told of no further loss. Sets cwnd. 0 bytes: a timer found
 * the loss; that lets the fast retransmit go, and no more. */
void tcp_prr_ack(struct tcp_conn *c, struct tcp_active *a, uint32_t delivered, bool is_safe);
/* n bytes leave, new or again. */
static inline void tcp_prr_sent(struct tcp_active *a, uint32_t n) { a->prr.out += n; }
/* Recovery ends. */
void tcp_prr_end(struct tcp_conn *c, struct tcp_active *a);

#endif
