/* tcp/tlp.h - tail loss probe: a flight whose end is silent is asked for, so that an ACK tells what is lost (RFC 8985 §7).
 *
 * PTO is 2 SRTT after new data left or SND.UNA moved, and the longest delay of an ACK more if one segment is in flight, else
 * 2 ms more, for clocks and wheels that are coarser than the shortest paths (as Linux); 1 s without SRTT; never later than the
 * retransmission time-out. It is armed only while nothing is known or believed to be missing. The probe is one segment of new
 * data, else the last one again; cwnd does not hold it. One is out at a time, and an RTT sample lies between two. Whether one
 * was sent or not, the retransmission timer is armed next.
 * If the repetition was needed a loss was repaired silently: then the window is reduced once, when more is acknowledged than
 * the probe covered and no D-SACK or plain duplicate ACK said that both copies came (§7.4.2). A connection that falls silent
 * meanwhile decides the same after one RTO without such a word: the RFC would wait for the next data, and by then what was in
 * flight is forgotten. */
#ifndef TCP_TLP_H
#define TCP_TLP_H

#include "tcp/recovery.h"

#define TCP_TLP_MAX_ACK_DELAY_NS (200 * NS_PER_MS) /* as Linux */
#define TCP_TLP_MIN_NS (2 * NS_PER_MS)

/* May the probe timer be armed (§7.2)? */
bool tcp_tlp_may_arm(const struct tcp_env *env, struct tcp_conn *c, const struct tcp_active *a);
/* Its deadline. */
int64_t tcp_tlp_deadline(const struct tcp_conn *c, const struct tcp_active *a);
/* The timer fired: send the probe (§7.3). */
void tcp_tlp_send(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a);
/* What the ACK says about the probe (§7.4.2). True: it repaired a loss. */
bool tcp_tlp_ack(const struct tcp_conn *c, struct tcp_active *a, const struct tcp_ack_ctx *x);
/* Is this D-SACK the probe's? */
bool tcp_tlp_is_dsack(const struct tcp_conn *c, const struct tcp_active *a, const struct tcp_ack_ctx *x);

#endif
