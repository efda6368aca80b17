/* wire/tcp.h - TCP header and options (RFC 9293 §3.1, 7323, 2018, 7413). */
#ifndef WIRE_TCP_H
#define WIRE_TCP_H
#include "base/bytes.h"
#include "base/ivset.h"

#define TCP_HLEN 20u
#define TCP_HLEN_MAX 60u
#define TCP_SACK_MAX 4
#define TCP_FO_COOKIE_MAX 16
enum { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_PSH = 8, TCP_ACK = 16, TCP_URG = 32, TCP_ECE = 64, TCP_CWR = 128 };

/* A segment's header as values; also what is emitted. */
struct tcp_hdr {
	uint16_t sport, dport;
	uint32_t seq, ack;
	uint16_t wnd;       /* as on the wire, unscaled */
	uint16_t csum, urg;
	uint8_t flags;
	uint8_t hlen;       /* bytes; parse only */
	bool has_mss, has_ws, has_ts, sack_permitted;
	uint16_t mss;
	uint8_t ws;         /* shift as received; at most 14 (RFC 7323 §2.3) */
	uint32_t tsval, tsecr;
	uint8_t n_sack;
	struct iv sack[TCP_SACK_MAX];
	bool has_fo, fo_exp; /* Fast Open (RFC 7413), on SYN only; exp: as option 254, which came before 34 */
	uint8_t fo_len;      /* 0: asks for a cookie; else 4 to 16, even */
	uint8_t fo[TCP_FO_COOKIE_MAX];
};
/* len: bytes of IP payload. -EINVAL: short, data offset below 5 or beyond len. A malformed option list ends at the bad
 * option: what came before counts (TCP-006). Options of wrong length are skipped. */
int tcp_parse(const uint8_t *p, size_t len, struct tcp_hdr *h);
/* Header length, options included and padded, that tcp_emit writes for h. */
uint32_t tcp_emit_len(const struct tcp_hdr *h);
/* Writes tcp_emit_len(h) bytes; checksum field from h->csum. Option layout as Linux: MSS, SACK-permitted, timestamps,
 * NOP, window scale, Fast Open on SYN; NOP NOP timestamps, NOP NOP SACK elsewhere. MSS, SACK-permitted, window scale and Fast Open
 * leave on SYN only, whatever h says; what is beyond the 40 bytes of options is left out. */
uint32_t tcp_emit(uint8_t out[TCP_HLEN_MAX], const struct tcp_hdr *h);
/* SEG.LEN: payload plus SYN and FIN. */
static inline uint32_t tcp_seg_len(const struct tcp_hdr *h, uint32_t payload)
{
	return payload + !!(h->flags & TCP_SYN) + !!(h->flags & TCP_FIN);
}
#endif
