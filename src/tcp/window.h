/* tcp/window.h - the receive window: what is offered, when it moves, never shrinking (RFC 9293 §3.8.6).
 *
 * The right edge offered is rcv_adv. It moves only by at least min(half the buffer, one segment) (§3.8.6.2.2 MUST-39)
 * and never to the left (SHLD-14), window scaling's rounding included (RFC 7323 §2.4). */
#ifndef TCP_WINDOW_H
#define TCP_WINDOW_H

#include "tcp/conn.h"

/* The window field of a segment about to leave, unscaled if is_syn; moves rcv_adv. */
uint16_t tcp_window_field(struct tcp_conn *c, bool is_syn);
/* The user has read: is the news worth a segment of its own? */
bool tcp_window_wants_update(const struct tcp_conn *c);
/* Shift that lets `most` bytes be offered. */
uint8_t tcp_window_shift(uint32_t most);
/* What a connection's window may ever need to offer: the user's buffer, or (as Linux, all of) the largest that autotuning may reach. */
static inline uint32_t tcp_window_most(const struct tcp_env *env, const struct tcp_opts *o)
{
	return o->rcvbuf ? tcp_rcvbuf_first(env, o) : MAX(tcp_rcvbuf_first(env, o), tcp_settings_of(env)->rmem_max);
}
/* The window offered on SYN or SYN-ACK for `rcvbuf`. */
static inline uint32_t tcp_window_first(uint32_t rcvbuf) { return MIN(rcvbuf, 65535u); }

#endif
