/* tcp/tally.h - what a connection counts for those who ask: the counters and times of Linux's TCP_INFO, RFC 4898's in part.
 *
 * The struct is taken at a connection's first segment and outlives what is in flight, for totals are asked for later. But an idle
 * connection must cost its hot struct only, be there a million of them: of those that have drained, the TCP_TALLIES (a setting) that did
 * so last keep theirs; one that was idle for longer tells zeros, and counts from there when it moves again. Nothing is decided by these
 * numbers. Out of memory a spare one of the stack's takes the blows.
 * Where the sender's time goes, one state at a time as Linux's chronographs: nothing to do; busy (something is queued or in flight);
 * of that, held by the peer's window; held by the send buffer, that is, all is sent, cwnd would let more go, and the user waits for
 * room. Times are milliseconds, so that what is short adds up without bias. */
#ifndef TCP_TALLY_H
#define TCP_TALLY_H

#include "tcp/conn.h"

struct tcp_ack_ctx;
struct tcp_seg;

enum tcp_clock { TCP_CLOCK_IDLE, TCP_CLOCK_BUSY, TCP_CLOCK_RWND, TCP_CLOCK_SNDBUF, TCP_CLOCKS };
/* Why Fast Open's client did without (tcpi_fastopen_client_fail). */
enum tcp_fo_fail { TCP_FO_FAIL_NONE, TCP_FO_FAIL_COOKIE, TCP_FO_FAIL_NOT_ACKED, TCP_FO_FAIL_SYN_AGAIN };

struct tcp_tally {
	struct list_link idle;            /* tcp_state_tab.tallies_idle, if is_idle */
	ref_t conn;
	uint64_t bytes_retrans;
	uint64_t rate;                    /* delivery rate, bytes/s; an app-limited one only if it is no lower */
	uint32_t segs_in, data_segs_in, data_segs_out;
	uint32_t delivered, delivered_ce; /* segments; ce: by ACKs that carry ECE */
	uint32_t dsack_dups, reord_seen, ooo_in;
	uint32_t clock_ms[TCP_CLOCKS - 1];/* by enum tcp_clock - 1: what has passed */
	uint32_t clock_at;                /* ms: since when it is `clock` */
	uint32_t rto_ms, rto_at;          /* spent in recovery from time-outs; since when, if in_rto */
	uint16_t rtos, rto_recoveries;
	uint32_t data_tick;               /* data came; before that, the handshake ended */
	uint32_t open_tick;
	uint32_t rcv_rtt_us, rcv_space;   /* what receive autotuning knew when it last looked */
	uint8_t clock;                    /* enum tcp_clock */
	uint8_t syn_again;                /* SYNs or SYN-ACKs repeated by their timer */
	uint8_t fo_fail : 2;              /* enum tcp_fo_fail */
	uint8_t is_app_limited : 1;       /* `rate` is */
	uint8_t in_rto : 1;
	uint8_t is_idle : 1;              /* the connection has no active struct: it may be taken back */
};

/* c's, taken if need be; never NULL. */
struct tcp_tally *tcp_tally(struct tcp_env *env, struct tcp_conn *c);
/* c's, or NULL. */
static inline const struct tcp_tally *tcp_tally_of(const struct tcp_env *env, const struct tcp_conn *c)
{
	return c->tally ? arena_at(env->arena, c->tally) : NULL;
}
void tcp_tally_free(struct tcp_env *env, struct tcp_conn *c);
/* c has taken its active struct, or given it back. */
void tcp_tally_activity(struct tcp_env *env, struct tcp_conn *c);

/* s has come for c, whatever becomes of it. */
void tcp_tally_in(struct tcp_env *env, struct tcp_conn *c, const struct tcp_seg *s);
/* segs segments with n bytes of text left; n 0: FIN alone. */
void tcp_tally_out(struct tcp_env *env, struct tcp_conn *c, uint32_t segs, uint32_t n, bool again);
/* An ACK is done with; before it, tcp_tally_ack_begin(). */
void tcp_tally_ack_begin(struct tcp_conn *c, struct tcp_active *a);
void tcp_tally_ack(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, const struct tcp_ack_ctx *x);
/* The same for the ACK of our SYN. */
void tcp_tally_syn_acked(struct tcp_env *env, struct tcp_conn *c, const struct tcp_active *a);
/* c comes of a half-open entry. */
void tcp_tally_synrcvd(struct tcp_env *env, struct tcp_conn *c, const struct tcp_synrcvd *q);
/* The handshake has ended. */
void tcp_tally_opened(struct tcp_env *env, struct tcp_conn *c);
/* The time-out fired; is_again: not for the first time since progress. The end of such a recovery. */
void tcp_tally_rto(struct tcp_env *env, struct tcp_conn *c, bool is_again);
void tcp_tally_rto_over(struct tcp_env *env, struct tcp_conn *c);
/* Output has done what it could: what does the sender wait for? */
void tcp_tally_clock(struct tcp_env *env, struct tcp_conn *c, const struct tcp_active *a);
/* active is about to go: nothing is in flight or queued any more. */
void tcp_tally_gone(struct tcp_env *env, struct tcp_conn *c, const struct tcp_active *a);
/* µs in state k or, for BUSY, in any but IDLE. */
uint64_t tcp_tally_time(const struct tcp_env *env, const struct tcp_tally *t, enum tcp_clock k);
uint32_t tcp_tally_rto_ms(const struct tcp_env *env, const struct tcp_tally *t);

#endif
