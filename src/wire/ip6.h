/* wire/ip6.h - IPv6 header (RFC 8200 §3) and the numbers of what may follow it. */
#ifndef WIRE_IP6_H
#define WIRE_IP6_H
#include "base/bytes.h"
#include <viaduct/types.h>

#define IP6_HLEN 40u
#define IP6_MTU_MIN 1280u /* RFC 8200 §5 */
enum {
	IPPROTO_N_HOPOPTS = 0, IPPROTO_N_ROUTING = 43, IPPROTO_N_FRAGMENT = 44, IPPROTO_N_ICMP6 = 58, IPPROTO_N_NONE = 59,
	IPPROTO_N_DSTOPTS = 60,
};

struct ip6_hdr {
	uint8_t tclass;       /* DSCP and ECN, as IPv4's TOS */
	uint8_t next, hops;
	uint32_t flow;        /* 20 bits */
	uint16_t payload_len; /* bytes behind the 40 */
	struct via_addr src, dst; /* scope 0 */
};
/* `len`: bytes of the packet, header first. -EINVAL: version, or a payload length beyond len. A shorter one is padding and fine. super:
 * payload_len of a superframe may be 0, then it is taken as what is there, 65,535 at most. Only the first 40 bytes are read. */
int ip6_parse(const uint8_t *p, size_t len, bool super, struct ip6_hdr *h);
/* Writes 40 bytes. */
void ip6_emit(uint8_t out[IP6_HLEN], const struct ip6_hdr *h);
#endif
