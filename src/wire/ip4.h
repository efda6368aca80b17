/* wire/ip4.h - IPv4 header (RFC 791). */
#ifndef WIRE_IP4_H
#define WIRE_IP4_H
#include "base/bytes.h"

#define IP4_HLEN 20u
enum { IPPROTO_N_ICMP = 1, IPPROTO_N_TCP = 6, IPPROTO_N_UDP = 17 };
enum { IP4_DF = 0x4000, IP4_MF = 0x2000 };

struct ip4_hdr {
	uint8_t hlen;      /* bytes, 20..60 */
	uint8_t tos;       /* DSCP and ECN */
	uint8_t ttl, proto;
	uint16_t total_len;
	uint16_t id;
	uint16_t frag;     /* flags and offset as on the wire: IP4_DF, IP4_MF, low 13 bits in units of 8 */
	uint16_t csum;
	uint32_t src, dst; /* host byte order */
};
/* `len`: bytes of the packet, header first. -EINVAL: version, header length, total length (RFC 1122 §3.2.1.1);
 * -EBADMSG: header checksum. A total length below `len` is padding and fine. super: total_len of a superframe may be 0,
 * then it is taken as len (65,535 when len is more: the true length is the packet's). Only the first min(len, 60) bytes
 * are read, so the rest may lie elsewhere. */
int ip4_parse(const uint8_t *p, size_t len, bool super, struct ip4_hdr *h);
/* Writes 20 bytes with checksum; h->hlen and csum are ignored. */
void ip4_emit(uint8_t out[IP4_HLEN], const struct ip4_hdr *h);
/* Such a header at `out` takes the n bytes behind it in as its options (n a multiple of 4, at most 40; total_len counts them). */
void ip4_emit_grown(uint8_t *out, uint32_t n);
/* Lower the TTL of a header in place, checksum updated incrementally (RFC 1624). */
void ip4_ttl_lower(uint8_t *p);
/* Pseudo-header sum for csum_add chains: src, dst in host order, l4len bytes. */
uint64_t ip4_pseudo(uint32_t src, uint32_t dst, uint8_t proto, uint32_t l4len);
/* Options walk: 0 fine, 1 a source route is present (RFC 7126), whatever follows it; -EINVAL malformed. */
int ip4_options_check(const uint8_t *opts, size_t len);
#endif
