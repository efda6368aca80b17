/* tcp/info.h - what listings and TCP_INFO share: the stream's two positions, in 64 bits. */
#ifndef TCP_INFO_H
#define TCP_INFO_H

#include "tcp/conn.h"

/* Bytes of text sent, each counted once; 0 before the handshake has ended. */
static inline uint64_t tcp_bytes_sent(const struct tcp_conn *c)
{
	uint32_t low = c->snd_nxt - c->iss - 1 - c->fin_sent;

	return c->was_open ? (uint64_t)c->sent_hi << 32 | low : 0;
}

/* Bytes of text that came in order. */
static inline uint64_t tcp_bytes_received(const struct tcp_conn *c)
{
	return c->was_open ? (uint64_t)c->rcvd_hi << 32 | (uint32_t)(c->rcv_nxt - c->irs - 1 - c->fin_rcvd) : 0;
}

#endif
