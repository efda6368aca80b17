/* tcp/input.h - arriving segments, one function per step of RFC 9293 §3.10.7.4; what the listener and TIME-WAIT share. */
#ifndef TCP_INPUT_H
#define TCP_INPUT_H

#include "tcp/segment.h"
#include "tcp/timers.h"

/* Each step answers: go on with the next one, or the segment is done with. */
enum tcp_step { TCP_CONTINUE, TCP_DONE };

/* --- tcp_input.c --- */
/* §3.10.7.4, first to eighth, on a connection past SYN-SENT. */
void tcp_input_synchronized(struct tcp_env *env, struct tcp_conn *c, struct tcp_seg *s);
/* After the steps: what is owed at once leaves, TIME-WAIT is entered, the rest waits for the flush. c may be gone afterwards. */
void tcp_input_end(struct tcp_env *env, struct tcp_conn *c);
/* PAWS (RFC 7323 §5.3): is tsval older than recent, and recent not outdated? */
static inline bool tcp_paws_rejects(uint32_t tsval, uint32_t recent, uint32_t age_ticks)
{
	return seq_lt(tsval, recent) && age_ticks < TCP_PAWS_TICKS;
}
/* May what is out of window be answered? Text may, it is no ACK that answers ours; else once in TCP_INVALID_NS, so that two confused
 * ends do not answer each other for ever (RFC 5961 §7; as Linux). *tick: of the last answer, 0: none; moves if the answer is yes. */
static inline bool tcp_invalid_may_answer(const struct tcp_env *env, uint32_t *tick, const struct tcp_seg *s)
{
	if (tcp_seg_length(s) && !(s->h.flags & TCP_SYN))
		return true;
	if (*tick && tcp_since_tick(env, *tick) < TCP_INVALID_NS)
		return false;
	*tick = MAX(tcp_tick_now(env), 1u);
	return true;
}
/* Table 6 of RFC 9293 §3.10.7.4: is [seq, seq+len) acceptable in the window? */
bool tcp_is_acceptable(uint32_t rcv_nxt, uint32_t wnd, uint32_t seq, uint32_t len);

/* --- tcp_ack.c: fifth, check the ACK field --- */
enum tcp_step tcp_step5_ack(struct tcp_env *env, struct tcp_conn *c, struct tcp_seg *s);

/* --- reorder.c: the seventh step's queue --- */
/* Put the segment's payload and FIN where they belong and move RCV.NXT over what is now in order, a FIN included; then
 * *fin is true. DROP_NONE, or why nothing could be kept. */
enum drop tcp_reorder_add(struct tcp_env *env, struct tcp_conn *c, const struct tcp_seg *s, bool *fin);
/* The bytes [lo, hi) came twice (RFC 2883). */
void tcp_reorder_duplicate(struct tcp_env *env, struct tcp_conn *c, uint32_t lo, uint32_t hi);
/* Is anything held out of order? */
bool tcp_reorder_has(const struct tcp_active *a);
void tcp_reorder_free(struct tcp_env *env, struct tcp_active *a);

/* --- tcp_listen.c --- */
enum drop tcp_synrcvd_arrives(struct tcp_env *env, ref_t node, struct tcp_seg *s);
void tcp_synrcvd_timeout(struct tcp_env *env, ref_t node);
void tcp_synrcvd_free(struct tcp_env *env, ref_t node);

/* --- held.c --- */
void tcp_held_arrives(struct tcp_env *env, struct tcp_conn *c, struct tcp_seg *s);

/* --- timewait.c --- */
/* The connection's four-tuple goes to a TIME-WAIT entry; the connection is finished. */
void tcp_timewait_enter(struct tcp_env *env, struct tcp_conn *c);
enum drop tcp_timewait_arrives(struct tcp_env *env, ref_t node, struct tcp_seg *s);
void tcp_timewait_timeout(struct tcp_env *env, ref_t node);
void tcp_timewait_free(struct tcp_env *env, ref_t node);

#endif
