/* tcp/output.h - the one way out: what a connection may send now, cut into segments and superframes.
 *
 * Order: what is lost, then new data, then an ACK if one is still owed. A segment is cut fresh from the stream buffer at
 * each transmission. Output stops when the peer's window, cwnd, Nagle, or the link says so; the link says so when its
 * queue has no room, or when two bursts of this connection have not left it yet. A burst is what the connection sends
 * in about 1 ms at its rate, at least 2 segments, at most a superframe. RFC 9293 §3.7.4, §3.8.6; RFC 6675 §5. */
#ifndef TCP_OUTPUT_H
#define TCP_OUTPUT_H

#include "tcp/segment.h"

/* override: send even a small segment that Nagle, cork or window avoidance holds (RFC 9293 §3.8.6.2.1, the override timer). */
void tcp_output(struct tcp_env *env, struct tcp_conn *c, bool override);
/* SYN, or SYN-ACK in SYN-RECEIVED. First: its range is pushed. */
void tcp_output_syn(struct tcp_env *env, struct tcp_conn *c, enum why why, bool first);
/* A pure ACK now; if the link has no room it stays owed. */
void tcp_output_ack(struct tcp_env *env, struct tcp_conn *c, enum why why);
/* Keep-alive or window probe: an ACK one byte in the past, which the peer must answer (RFC 9293 §3.8.4). False: no memory. */
bool tcp_output_probe(struct tcp_env *env, struct tcp_conn *c, enum why why);
/* One segment that cwnd does not hold: new data if the window allows, else the last segment again (RFC 8985 §7.3). False: nothing
 * could be sent. */
bool tcp_output_loss_probe(struct tcp_env *env, struct tcp_conn *c, bool *is_retrans);
/* RST in the connection's name. */
void tcp_output_rst(struct tcp_env *env, struct tcp_conn *c);
/* RST for one bad segment: seq = SEG.ACK (RFC 9293 §3.10.7.3, .4). */
void tcp_output_rst_seg(struct tcp_env *env, const struct tcp_entry *e, const struct tcp_seg *s);

#endif
