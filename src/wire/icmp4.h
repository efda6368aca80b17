/* wire/icmp4.h - ICMP (RFC 792). */
#ifndef WIRE_ICMP4_H
#define WIRE_ICMP4_H
#include "base/bytes.h"

#define ICMP4_HLEN 8u
enum {
	ICMP4_ECHO_REPLY = 0, ICMP4_UNREACH = 3, ICMP4_QUENCH = 4, ICMP4_REDIRECT = 5,
	ICMP4_ECHO = 8, ICMP4_TIME_EXCEEDED = 11, ICMP4_PARAM = 12,
};
enum {
	ICMP4_UNREACH_NET = 0, ICMP4_UNREACH_HOST = 1, ICMP4_UNREACH_PROTO = 2,
	ICMP4_UNREACH_PORT = 3, ICMP4_UNREACH_FRAG = 4, ICMP4_UNREACH_FILTERED = 13,
};

struct icmp4_hdr {
	uint8_t type, code;
	uint16_t csum;
	uint32_t rest; /* id << 16 | seq for echo; next-hop MTU in the low half for code 4; pointer in the top byte for 12 */
};
int icmp4_parse(const uint8_t *p, size_t len, struct icmp4_hdr *h); /* -EINVAL short */
/* Writes 8 bytes with checksum field 0; the caller sums header and data. */
void icmp4_emit(uint8_t out[ICMP4_HLEN], const struct icmp4_hdr *h);
static inline bool icmp4_is_error(uint8_t type)
{
	return type == ICMP4_UNREACH || type == ICMP4_QUENCH || type == ICMP4_REDIRECT || type == ICMP4_TIME_EXCEEDED || type == ICMP4_PARAM;
}

/* The packet an ICMP error quotes: IP header and at least 8 bytes of transport. */
struct icmp4_quote {
	uint32_t src, dst;   /* host byte order */
	uint8_t proto;
	uint16_t total_len;
	uint16_t sport, dport; /* TCP, UDP; for a quoted echo: id in sport */
	uint32_t seq;          /* TCP */
};
/* p: what follows the 8 ICMP bytes. -EINVAL: too short, not IPv4, or a later fragment. Checksums of quotes are not checked. */
int icmp4_quote_parse(const uint8_t *p, size_t len, struct icmp4_quote *q);
#endif
