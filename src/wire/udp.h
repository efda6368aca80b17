/* wire/udp.h - UDP header (RFC 768). */
#ifndef WIRE_UDP_H
#define WIRE_UDP_H
#include "base/bytes.h"
#define UDP_HLEN 8u
struct udp_hdr {
	uint16_t sport, dport, len, csum;
};
/* len: bytes of IP payload. -EINVAL: short, or UDP length < 8 or beyond it. */
int udp_parse(const uint8_t *p, size_t len, struct udp_hdr *h);
void udp_emit(uint8_t out[UDP_HLEN], const struct udp_hdr *h);
#endif
