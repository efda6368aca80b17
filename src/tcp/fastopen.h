/* tcp/fastopen.h - TCP Fast Open (RFC 7413): text on SYN, for clients that were here before. Off unless a setting says so.
 *
 * Server: a cookie is SipHash-2-4 over the client's and our address, byte for byte Linux's, under the listener's keys, those that were
 * set for the stack, so that many servers may share them, or its own, which change every day (yesterday's still counts, and is answered
 * with today's). A SYN with a good one makes a connection in
 * SYN-RECEIVED at once, in the accept queue, its text readable, its user free to answer; at most fo_max of a listener may wait for
 * their third ACK, and those that were reset count for a minute, so that spoofed SYNs gain nothing (§5.1). Any other cookie is
 * answered with a good one, and only the SYN is acknowledged.
 *
 * Client: cookie and MSS of each server stand in a small cache (FO_WAYS of each set, the oldest goes). connect() that may wait does
 * until the first send; the SYN carries what fits. A repeated SYN has neither cookie nor text. What the SYN-ACK leaves unacknowledged
 * is sent again at once. Two SYNs in a row lost with their text: no more text there for a while, doubling (§4.1.3). */
#ifndef TCP_FASTOPEN_H
#define TCP_FASTOPEN_H

#include "tcp/segment.h"

/* Of a connection. ASKS: its SYN had the option; DATA: and text; ANSWERED. PENDING: a server's, waiting for the third ACK; SERVED: it has
 * come, or never will. */
enum tcp_fo { TCP_FO_NONE, TCP_FO_ASKS, TCP_FO_DATA, TCP_FO_ANSWERED, TCP_FO_PENDING, TCP_FO_SERVED };

/* --- client --- */
/* May c's SYN wait for text of its user? True if cookie and luck allow text on it. */
bool tcp_fastopen_may_wait(struct tcp_env *env, const struct tcp_conn *c);
static inline bool tcp_fastopen_waits(const struct tcp_conn *c) { return c->state == TCP_SYN_SENT && c->snd_nxt == c->iss; }
/* Bytes of text that c's SYN can carry. */
uint32_t tcp_fastopen_room(struct tcp_env *env, const struct tcp_conn *c);
/* The option of c's first SYN or SYN-ACK into h. Returns how many bytes of the send queue go along. */
uint32_t tcp_fastopen_syn(struct tcp_env *env, struct tcp_conn *c, struct tcp_hdr *h);
/* SYN-ACK s acknowledges c's SYN, SND.UNA has moved: learn its cookie and MSS. True: text of the SYN must go again, it is marked lost. */
bool tcp_fastopen_answered(struct tcp_env *env, struct tcp_conn *c, const struct tcp_seg *s);

/* --- server --- */
enum tcp_fo_verdict { TCP_FO_IGNORE, TCP_FO_GIVE, TCP_FO_OPEN, TCP_FO_OPEN_GIVE };
/* What is to be done about SYN s: nothing, give a cookie, open at once, or both. */
enum tcp_fo_verdict tcp_fastopen_judge(struct tcp_env *env, struct tcp_listener *l, const struct tcp_seg *s, const struct tcp_path *p);
/* The cookie of p's remote end into h. */
void tcp_fastopen_give(struct tcp_env *env, const struct tcp_listener *l, const struct tcp_path *p, struct tcp_hdr *h);
/* c stands in l's accept queue and waits for its third ACK. */
void tcp_fastopen_pend(struct tcp_env *env, ref_t listener, struct tcp_conn *c, bool give);
/* It waits no more: established, or over (reset: by the peer). */
void tcp_fastopen_settled(struct tcp_env *env, struct tcp_conn *c, bool was_reset);
/* The listener goes. */
void tcp_fastopen_unlisten(struct tcp_env *env, struct tcp_listener *l);
static inline bool tcp_fastopen_is_pending(const struct tcp_env *env, const struct tcp_conn *c)
{
	const struct tcp_rare *r = tcp_rare_of(env, c);
	return r && r->fo == TCP_FO_PENDING;
}

#endif
