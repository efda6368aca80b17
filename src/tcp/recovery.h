/* tcp/recovery.h - what an ACK says about loss, and what is done about it.
 *
 * What is lost is found in one of three ways, never by two of them (CC-013):
 * RACK-TLP (RFC 8985; rack.h, tlp.h), the default with a peer that speaks SACK: by time.
 * RFC 6675, if the stack was told to do without RACK: IsLost() is "more than two segments' worth, or three separate blocks,
 * SACKed above it". Two additions, both as Linux had them before RACK: DupThresh grows with the reordering seen on the path (a
 * segment sent once that came after later ones), up to half of what is in flight; and a retransmission is lost again when that
 * many segments that left after it were SACKed.
 * NewReno (RFC 6582) without SACK; each duplicate ACK counts as one segment that left the network, which is window inflation
 * said the other way round. Limited transmit (RFC 3042) follows by itself, since duplicates shrink the pipe.
 * The pipe is what is in flight, not SACKed and not lost; what goes next is the first lost range, then new data.
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
	bool has_dsack;         /* `dsack` came twice (RFC 2883) */
	struct iv dsack;
	bool ece;               /* says that data of ours was marked CE (RFC 3168) */
	bool wnd_moved;
	bool is_late;           /* what had left earlier came after what left later */
	bool is_once;           /* after a time-out: something arrived that had left before it, and once only */
	bool is_beyond;         /* after a time-out: something arrived that left after it, as new data */
};

/* Bytes believed to be in the network (RFC 6675 §4, RFC 6582). */
uint32_t tcp_pipe(const struct tcp_conn *c, const struct tcp_active *a);
/* After una moved or not: loss detection, recovery's beginning and end, window growth. */
void tcp_recovery_ack(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, const struct tcp_ack_ctx *x);
/* The timer of RACK's reordering window fired (RFC 8985 §6.2 step 5). */
void tcp_recovery_reorder(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a);
/* Nothing is in flight, and for one RTO no word came that would make an open question harmless. */
void tcp_recovery_settle(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a);
/* The retransmission timer fired (RFC 6298 §5.4, RFC 6675 §5.1, RFC 8985 §6.3). */
void tcp_recovery_rto(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a);
/* What of [lo, hi) is in flight and larger than the MSS was too large: it is to be sent again, cut smaller (RFC 1191 §6.5). */
void tcp_recovery_mtu(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, uint32_t lo, uint32_t hi);
/* The driver has taken something. What was too large for the path before it left goes again at once. */
void tcp_recovery_taken(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a);
/* What is marked lost goes again for a reason that is no sign of congestion: no window falls for it. */
void tcp_recovery_repair(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a);
/* About to send after silence (RFC 5681 §4.1). */
void tcp_recovery_idle(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a);

#endif
