/* tcp/undo.h - a reduction that proves needless is taken back: nothing was lost, it was only late.
 *
 * An episode begins with a reduction for loss (fast recovery or time-out) and keeps cwnd and ssthresh from before it, and the
 * set of what was sent again since. Out of the set goes what is shown to have been needless: by D-SACK (RFC 2883, RFC 3708), or
 * by Eifel detection (RFC 3522): the ACK that covers the front echoes a timestamp older than the repetition. Empty, it shows
 * that every repetition was needless, and the congestion control gets its window back. The RFC of Eifel looks at the first
 * repetition only; here one loss among them that was real keeps the reduction.
 * The episode outlives recovery by up to a window, since the last D-SACKs come after its end; a reduction in that time joins it.
 * F-RTO (RFC 5682 §2, §3) for a time-out that comes while nothing else is wrong: after the first advance new data goes instead of
 * repetitions, and if the next news is of data sent once only, all was late.
 * Given up, and the reduction stays: ECE came (RFC 4015 §3.2), a probe repaired a loss, what was lost was too large, bytes were
 * sent twice before the episode (then no D-SACK can tell the copies apart; twice within it leaves Eifel), or no memory.
 * Limits: 64 separate stretches; none for an algorithm with a model, which recovers by its measurements; an episode ends when the
 * connection drains. cwnd comes back at once (RFC 4015 §3.4 would rise to it by slow start): pacing spreads what follows. */
#ifndef TCP_UNDO_H
#define TCP_UNDO_H

#include "tcp/recovery.h"

/* cwnd is about to be reduced for a loss; is_rto: for a time-out. Call it before a->ca changes. */
void tcp_undo_begin(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, bool is_rto);
/* The reduction stays, whatever comes. */
void tcp_undo_forget(struct tcp_env *env, struct tcp_active *a);
/* [seq, end) is about to be sent again; range r holds it and still tells of the copy before. */
void tcp_undo_resent(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, const struct tcp_range *r, uint32_t end);
/* SND.UNA is about to move to the segment's ACK. True: what was sent again at the front came by its first copy. */
bool tcp_undo_front(struct tcp_env *env, const struct tcp_conn *c, struct tcp_active *a, const struct tcp_ack_ctx *x);
/* What the ACK says of the episode. True: it was needless; recovery is over, nothing counts as lost, cwnd is back. */
bool tcp_undo_ack(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, const struct tcp_ack_ctx *x);
/* Recovery has ended without that: late D-SACKs are waited for. */
void tcp_undo_exit(const struct tcp_conn *c, struct tcp_active *a);
/* F-RTO's question is open: new data, if there is any to go, before what is marked lost. */
static inline bool tcp_undo_asks(const struct tcp_active *a) { return a->undo.frto == TCP_FRTO_NEW; }

#endif
