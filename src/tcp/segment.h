/* tcp/segment.h - one segment: read from a packet into values, or written from values into a packet.
 *
 * Reading checks length, data offset and checksum once; nothing after it can overrun. What is learnt about an arriving
 * segment lives in struct tcp_seg on the C stack, not in the connection. RFC 9293 §3.1, §3.10.7. */
#ifndef TCP_SEGMENT_H
#define TCP_SEGMENT_H

#include "tcp/conn.h"

/* An arriving segment. seq, len and fin are trimmed to the window by the first check. */
struct tcp_seg {
	struct pkt *p;        /* borrowed */
	struct tcp_hdr h;     /* as it came */
	uint32_t seq;         /* of the first byte still wanted */
	uint32_t off, len;    /* payload: offset in p, bytes */
	bool fin;             /* a FIN stands behind the payload and is wanted */
	bool fin_taken;       /* RCV.NXT has moved over the peer's FIN, this segment's or one that waited for it */
	uint16_t segs;        /* segments in it: a superframe counts as what it was cut from */
	uint32_t seg_size;    /* payload bytes of a full one of them */
	int64_t rx_ns;
	uint32_t old_lo, old_hi; /* bytes cut off the front: had been received before */
	enum drop drop;       /* the verdict so far */
};

/* p begins at the TCP header. Fills s. DROP_NONE, or why it is no segment. p stays the caller's. */
enum drop tcp_seg_read(struct tcp_env *env, struct pkt *p, const struct via_addr *local, const struct via_addr *remote, struct tcp_seg *s);

/* SEG.LEN as it came, RST without its text (RFC 9293 §3.5.3: text in a RST explains, it is not data). */
static inline uint32_t tcp_seg_length(const struct tcp_seg *s)
{
	return s->h.flags & TCP_RST ? 0 : tcp_seg_len(&s->h, s->len);
}

/* A packet holding the header of h alone; NULL when memory is out. Payload may be attached before tcp_seg_finish(). */
struct pkt *tcp_seg_make(struct tcp_env *env, const struct tcp_hdr *h, enum why why);
/* The partial checksum over all of p; after this it may be sent. */
void tcp_seg_finish(struct pkt *p, const struct via_addr *local, const struct via_addr *remote);
/* Build and send a segment without payload on a path. False: no memory. */
bool tcp_seg_send(struct tcp_env *env, ref_t path, const struct tcp_hdr *h, enum why why, uint8_t ttl, uint8_t tos);
/* Answer s with RST by RFC 9293 §3.10.7.1, when there is no path; never answers a RST. */
void tcp_seg_refuse(struct tcp_env *env, const struct tcp_seg *s, const struct via_addr *local, const struct via_addr *remote);

#endif
