/* tcp/syncookie.h - a listener whose SYN queue is full answers without keeping anything (RFC 4987 §3.6).
 *
 * Both calls fill or read a struct tcp_synrcvd of the caller's that stands in no table. */
#ifndef TCP_SYNCOOKIE_H
#define TCP_SYNCOOKIE_H

#include "tcp/segment.h"

/* q knows the SYN (ports, path, irs, mss, options): choose q->iss, and drop what the third ACK could not tell again. */
void tcp_cookie_make(struct tcp_env *env, struct tcp_synrcvd *q);
/* The timestamp of the SYN-ACK: our clock, the low bits replaced by q's options. */
uint32_t tcp_cookie_tsval(const struct tcp_env *env, const struct tcp_synrcvd *q);
/* q knows ports, path, ts_offset, and irs and iss as the ACK s names them: is iss a cookie of ours, and not too old? Then mss and
 * options are as in the SYN. */
bool tcp_cookie_read(const struct tcp_env *env, struct tcp_synrcvd *q, const struct tcp_seg *s);
/* Did listener l send a cookie that may still be answered? */
bool tcp_cookie_is_out(const struct tcp_env *env, const struct tcp_listener *l);

#endif
