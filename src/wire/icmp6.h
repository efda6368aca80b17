/* wire/icmp6.h - ICMPv6 (RFC 4443). */
#ifndef WIRE_ICMP6_H
#define WIRE_ICMP6_H
#include "base/bytes.h"
#include <viaduct/types.h>

#define ICMP6_HLEN 8u
enum {
	ICMP6_UNREACH = 1, ICMP6_TOO_BIG = 2, ICMP6_TIME_EXCEEDED = 3, ICMP6_PARAM = 4, ICMP6_ECHO = 128, ICMP6_ECHO_REPLY = 129,
	ICMP6_ROUTER_SOLICIT = 133, ICMP6_ROUTER_ADVERT = 134, ICMP6_NEIGH_SOLICIT = 135, ICMP6_NEIGH_ADVERT = 136, ICMP6_REDIRECT = 137,
};
enum {
	ICMP6_NO_ROUTE = 0, ICMP6_PROHIBITED = 1, ICMP6_BEYOND_SCOPE = 2, ICMP6_NO_ADDRESS = 3, ICMP6_NO_PORT = 4, ICMP6_POLICY = 5,
	ICMP6_REJECT_ROUTE = 6,
};
enum { ICMP6_PARAM_FIELD = 0, ICMP6_PARAM_NEXT = 1, ICMP6_PARAM_OPTION = 2, ICMP6_PARAM_CHAIN = 3 /* RFC 7112 */ };

struct icmp6_hdr {
	uint8_t type, code;
	uint16_t csum;
	uint32_t rest; /* id << 16 | seq for echo; MTU for too big; pointer for parameter problem */
};
int icmp6_parse(const uint8_t *p, size_t len, struct icmp6_hdr *h); /* -EINVAL short */
/* Writes 8 bytes with checksum field 0: it covers a pseudo-header, so whoever knows both addresses fills it. */
void icmp6_emit(uint8_t out[ICMP6_HLEN], const struct icmp6_hdr *h);
/* RFC 4443 §2.1: error messages have the high bit clear, also those we do not know. */
static inline bool icmp6_is_error(uint8_t type) { return type < 128; }

/* The packet an ICMPv6 error quotes: IPv6 header, extension headers, at least 8 bytes of transport. */
struct icmp6_quote {
	struct via_addr src, dst;
	uint8_t proto;
	uint32_t total_len;    /* header included */
	uint16_t sport, dport; /* TCP, UDP; for a quoted echo: id in sport */
	uint32_t seq;          /* TCP */
};
/* p: what follows the 8 ICMPv6 bytes. -EINVAL: too short to name a transport, not IPv6, a later fragment, or behind more extension
 * headers than ICMP6_QUOTE_HEADERS. */
#define ICMP6_QUOTE_HEADERS 8
int icmp6_quote_parse(const uint8_t *p, size_t len, struct icmp6_quote *q);
#endif
