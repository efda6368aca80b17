/* tcp/recovery.h - what an ACK says about loss, and what is done about it.
 *
 * With SACK: RFC 6675. IsLost() is "more than two segments' worth, or three separate blocks, SACKed above it"; the pipe
 * is what is in flight, not SACKed and not lost; what to send next is the first lost range, then new data. Two additions,
 * both as Linux had them before RACK: DupThresh grows with the reordering seen on the path (a segment sent once that
 * came after later ones), up to half of what is in flight; and a retransmission is lost again when that many segments
 * that left after it were SACKed.
 * Without SACK: NewReno, RFC 6582; each duplicate ACK counts as one segment that left the network, which is window
 * inflation said the other way round. Limited transmit (RFC 3042) follows by itself, since duplicates shrink the pipe.
 * What the peer SACKed is kept until it is acknowledged: it may change its mind (RFC 2018 §8). */
#ifndef TCP_RECOVERY_H
#define TCP_RECOVERY_H

#include "tcp/segment.h"

/* What one ACK taught; lives on the C stack. */
struct tcp_ack_ctx {
	const struct tcp_seg *s;
	uint32_t una_before;
	uint32_t acked;         /* sequence space newly acknowledged */
	uint32_t sacked;        /* bytes newly SACKed */
	uint32_t rtt_us;        /* round-trip sample taken from it; 0: none */
	uint32_t flight_before;
	uint32_t pipe_before;
	uint32_t high;          /* end of the highest SACKed byte before this ACK; una_before if none */
	bool is_dup;            /* a duplicate by RFC 5681 §2 */
	bool ece;               /* says that data of ours was marked CE (RFC 3168) */
	bool wnd_moved;
};

/* Bytes believed to be in the network (RFC 6675 §4, RFC 6582). */
uint32_t tcp_pipe(const struct tcp_conn *c, const struct tcp_active *a);
/* Before una moves to `ack`: what of [una, ack) came late without having been sent twice? */
void tcp_recovery_note_order(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, struct tcp_ack_ctx *x, uint32_t ack);
/* SACK blocks of the segment, checked one by one (RFC 2018, RFC 6675 §4). */
void tcp_recovery_sack(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, struct tcp_ack_ctx *x);
/* After una moved or not: loss detection, recovery's beginning and end, window growth. */
void tcp_recovery_ack(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, const struct tcp_ack_ctx *x);
/* The retransmission timer fired (RFC 6298 §5.4, RFC 6675 §5.1). */
void tcp_recovery_rto(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a);
/* What of [lo, hi) is in flight and larger than the MSS was too large: it is to be sent again, cut smaller (RFC 1191 §6.5). */
void tcp_recovery_mtu(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, uint32_t lo, uint32_t hi);
/* About to send after silence (RFC 5681 §4.1). */
void tcp_recovery_idle(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a);

#endif
