/* tcp/sack.h - what we tell the peer that we have out of order: SACK blocks on all that acknowledges, pure ACKs and data (RFC 2018 §4).
 *
 * A pure ACK has room for all the option may hold, a duplicate first (RFC 2883). Data carries blocks, too, while something waits out
 * of order: the pure ACK that told of it may be lost. New data is cut so much smaller that they fit (RFC 9293 §3.7.1: options make
 * segments smaller); what goes again keeps its cut and takes the blocks for which it has room. A duplicate is told once, by the ACK
 * that it caused: a superframe would repeat it. What the peer has SACKed of ours is in scoreboard.h. */
#ifndef TCP_SACK_H
#define TCP_SACK_H

#include "tcp/conn.h"

/* The blocks of a pure ACK; a: NULL if nothing waits. */
void tcp_sack_of_ack(struct tcp_env *env, const struct tcp_conn *c, struct tcp_active *a, struct tcp_hdr *h);
/* As many blocks, the newest first, as fit into `room` bytes of options. */
void tcp_sack_of_data(struct tcp_env *env, const struct tcp_conn *c, const struct tcp_active *a, struct tcp_hdr *h, uint32_t room);
/* Bytes of text that a full segment of new data holds: the MSS, less what the blocks on it take. */
uint32_t tcp_sack_seg_size(struct tcp_env *env, const struct tcp_conn *c, const struct tcp_active *a);

#endif
