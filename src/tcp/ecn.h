/* tcp/ecn.h - explicit congestion notification: a router marks instead of dropping (RFC 3168 §6.1).
 *
 * Agreed on SYN: ECE and CWR ask, ECE alone on the SYN-ACK agrees. Anything else is no agreement, a peer that sends all
 * bits back included. A SYN that is repeated goes without the bits, for the sake of paths that drop them; after that ECT
 * must not be set, even if the answer to the first SYN agrees, but the peer's marks are still echoed (§6.1.1).
 * Receiver: CE on data, and every ACK carries ECE until CWR comes; either change is acknowledged at once.
 * Sender: ECT(0) on new data only, never on what carries none, nor on a repetition. ECE reduces the window as a loss
 * would, once per window of data, whichever came first of loss and ECE; the next new data carries CWR, as after every
 * reduction. With a window of one segment the retransmission timer spaces what goes out (§6.1.2, "MUST reset").
 * Named choice: with `abe`, the factors of RFC 8511 (0.8; CUBIC 0.85). Setting `ecn`: as Linux's tcp_ecn, 0 never, 1 asked
 * for and accepted, 2 accepted only. As Linux, a SYN that is itself marked ECT is not believed. */
#ifndef TCP_ECN_H
#define TCP_ECN_H

#include "tcp/recovery.h"

enum { TCP_ECN_SET_OFF, TCP_ECN_SET_ASK, TCP_ECN_SET_ACCEPT }; /* tcp_env.ecn */
enum { IP_ECN_NOT_ECT, IP_ECN_ECT1, IP_ECN_ECT0, IP_ECN_CE };

/* --- agreeing --- */
/* Flags to add to our SYN or SYN-ACK; first: it has not been sent before. */
uint8_t tcp_ecn_syn_flags(const struct tcp_env *env, struct tcp_conn *c, bool first);
/* In SYN-SENT: the peer's SYN or SYN-ACK came. was_repeated: our SYN was sent more than once. */
void tcp_ecn_learn(struct tcp_conn *c, const struct tcp_seg *s, bool was_repeated);
/* A listener's: does this SYN ask, and do we accept? */
bool tcp_ecn_accepts(const struct tcp_env *env, const struct tcp_seg *s);

/* --- receiving --- */
/* Text of the window has come: its mark, and CWR. */
void tcp_ecn_data(struct tcp_conn *c, const struct tcp_seg *s);

/* --- sending --- */
/* p, a finished segment of new data, is about to leave: ECT, and CWR if it is owed. */
void tcp_ecn_new_data(struct tcp_conn *c, struct pkt *p);
/* Does the segment say that data of ours was marked? */
static inline bool tcp_ecn_echoes(const struct tcp_conn *c, const struct tcp_seg *s)
{
	return c->ecn == TCP_ECN_FULL && (s->h.flags & (TCP_ECE | TCP_SYN)) == TCP_ECE;
}
/* SND.UNA has moved, or not, and no recovery is going on: the reaction to what tcp_ecn_echoes(). */
void tcp_ecn_ack(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, const struct tcp_ack_ctx *x);
/* The window was reduced for a loss: the next new data says so, and ECE for the same window of data reduces it no more. */
void tcp_ecn_reduced(struct tcp_conn *c, struct tcp_active *a);
/* Was the window already reduced, for ECE, since the data at SND.UNA was sent? */
static inline bool tcp_ecn_has_reduced(const struct tcp_conn *c, const struct tcp_active *a)
{
	return a->signal == TCP_SIGNAL_ECE && seq_lt(c->snd_una, a->signal_high);
}

#endif
