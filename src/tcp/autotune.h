/* tcp/autotune.h - buffers that follow the connection, and how much of them there is: Linux's meaning.
 *
 * Receiving (dynamic right-sizing): once in a round trip it is seen how many bytes the user took. The window must hold twice that, more
 * while the sender speeds up, or it would be what limits the sender; so the buffer grows to it, up to the stack's largest. The round
 * trip is the handshake's first, then what timestamps echo, or the time one window takes. The window follows the buffer by two bytes
 * for each that arrived, so memory is offered as the peer proves to use it, and never more than is free by true size.
 * Sending: the buffer holds two congestion windows and what bookkeeping would cost (2 x cwnd x a segment's true size), grown only when
 * a writer waits for room while the congestion window has some.
 * A buffer whose size the user chose stays as it is. What is measured lives in active: data coming in takes that too, and a pause gives
 * it back; the next burst goes on from the size reached.
 *
 * Units: rcvbuf is in bytes of window, half of SO_RCVBUF (tcp_adv_win_scale 1); sndbuf is SO_SNDBUF as told, in bytes of true size,
 * where Linux's segments of up to a superframe cost TCP_SKB_OVERHEAD each beside their bytes. */
#ifndef TCP_AUTOTUNE_H
#define TCP_AUTOTUNE_H

#include "tcp/segment.h"

#define TCP_SKB_OVERHEAD 1280u

/* Window of a receive buffer as SO_RCVBUF tells it. */
static inline uint32_t tcp_win_from_space(uint32_t space) { return space / 2; }

/* --- receiving --- */

/* A segment with data came; in_order: RCV.NXT moved by it. May activate c. */
void tcp_drs_arrived(struct tcp_env *env, struct tcp_conn *c, const struct tcp_seg *s, bool in_order);
/* The user took bytes. */
void tcp_drs_copied(struct tcp_env *env, struct tcp_conn *c);
/* Is active kept although both directions are drained, because data was coming a moment ago? */
bool tcp_drs_holds(const struct tcp_env *env, const struct tcp_conn *c, const struct tcp_active *a);
/* SO_RCVBUF as it stands. */
uint32_t tcp_rcvbuf_told(const struct tcp_env *env, const struct tcp_conn *c);
/* Would poll say that there is something to read (SO_RCVLOWAT)? */
bool tcp_conn_is_readable(const struct tcp_env *env, const struct tcp_conn *c);

/* --- sending --- */

/* Bytes a user who has `want` may add now; as Linux, the last segment of the queue is filled even beyond the limit. */
uint32_t tcp_send_room(const struct tcp_env *env, const struct tcp_conn *c, uint32_t want);
/* The buffer for the congestion window as it is. */
void tcp_sndbuf_grow(const struct tcp_env *env, struct tcp_conn *c);
/* After output: a writer who found no room is told when a third of the buffer is free and little waits unsent. */
void tcp_space_check(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a);
/* Would poll say that c can be written to? Memory that is out counts, as far as is known. */
bool tcp_conn_is_writable(const struct tcp_env *env, const struct tcp_conn *c);

#endif
