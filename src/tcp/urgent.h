/* tcp/urgent.h - urgent data: one octet of the stream that may be read past the others (RFC 9293 §3.8.5, RFC 6093).
 *
 * The pointer names the octet after the urgent one, as the RFC and Linux have it; a pointer of zero means the segment's first
 * octet. The last urgent octet is the mark: reading stops before it, once, and then goes on behind it; MSG_OOB reads it. With
 * SO_OOBINLINE it stays in the stream, and only the stop remains (RFC 6093 §4 asks for this). A second pointer before the first
 * octet was read makes that one ordinary. The user is told at each advance of the pointer, and again when the octet comes if
 * that is later. What is kept lives in the rare part; with no memory for it the octet is ordinary data. */
#ifndef TCP_URGENT_H
#define TCP_URGENT_H

#include "tcp/segment.h"

/* Of the octet received: not there yet, to be read by MSG_OOB, read. */
enum tcp_urg { TCP_URG_NONE, TCP_URG_AWAITED, TCP_URG_HERE, TCP_URG_TAKEN };

/* Step six: s is acceptable, its text not yet taken. */
void tcp_urgent_arrives(struct tcp_env *env, struct tcp_conn *c, const struct tcp_seg *s);
/* After the seventh step: the octet may have come before its pointer. */
void tcp_urgent_look(struct tcp_env *env, struct tcp_conn *c);

/* What one read may give: bytes to skip first (the mark), then how many. */
struct tcp_urgent_span {
	uint32_t skip, len;
};
struct tcp_urgent_span tcp_urgent_readable(const struct tcp_env *env, const struct tcp_conn *c);
/* The user has read past the mark: it is forgotten. */
void tcp_urgent_passed(const struct tcp_env *env, struct tcp_conn *c);

/* All that stands in the send queue up to its end is urgent. False: no memory. */
bool tcp_urgent_send(struct tcp_env *env, struct tcp_conn *c);
/* Is there urgent data that the peer has not acknowledged? */
bool tcp_urgent_is_sending(const struct tcp_env *env, const struct tcp_conn *c);
/* SND.UNA has moved: once passed, SND.UP means nothing more, or after 2^31 bytes it would seem to lie ahead. */
void tcp_urgent_acked(const struct tcp_env *env, const struct tcp_conn *c);
/* URG and its pointer into the header of a segment about to leave. */
void tcp_urgent_mark(const struct tcp_env *env, const struct tcp_conn *c, struct tcp_hdr *h);

#endif
