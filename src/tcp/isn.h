/* tcp/isn.h - keyed functions of a four-tuple: initial sequence numbers, timestamp offsets (RFC 6528 §3, RFC 7323 §5.4). */
#ifndef TCP_ISN_H
#define TCP_ISN_H

#include "tcp/conn.h"

/* SipHash-2-4 of the four-tuple and two words more, under a key of the caller's purpose. */
uint64_t tcp_tuple_prf(struct prf_key key, const struct tcp_path *p, uint16_t lport, uint16_t rport, uint32_t a, uint32_t b);

/* M + F(localip, localport, remoteip, remoteport, secret): M ticks every 4 microseconds, F is SipHash-2-4. */
uint32_t tcp_isn(const struct tcp_env *env, const struct tcp_path *p, uint16_t lport, uint16_t rport);
/* Added to the timestamp clock of this four-tuple; a later connection of the same one goes on upwards (RFC 6191). */
uint32_t tcp_ts_offset(const struct tcp_env *env, const struct tcp_path *p, uint16_t lport, uint16_t rport);

#endif
