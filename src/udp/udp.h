/* udp/udp.h - UDP (RFC 768), the short one: check what arrived, build what leaves. Sockets are sock/'s business. */
#ifndef UDP_UDP_H
#define UDP_UDP_H
#include "pkt/pkt.h"
#include "wire/udp.h"
#include <viaduct/types.h>
/* p: linear data begins at the UDP header (p->m.l4 too). Checks length and checksum (skipped if VERIFIED or PARTIAL), cuts
 * padding, pulls the header. Returns DROP_NONE and *h, or the reason. */
enum drop udp_arrives(struct pktmem *m, struct pkt *p, const struct via_addr *src, const struct via_addr *dst,
	struct udp_hdr *h);
/* Where the checksum field lies in the header. A computed 0 must leave as 0xFFFF, since 0 says "no checksum" (RFC 768;
 * UDP-001): whoever finishes a partial checksum, pkt_csum_finish() too, knows UDP by this offset, which no other L4
 * header has. */
#define UDP_CSUM_OFFSET 6
/* Push a UDP header before p's payload (p->len + 8 <= 65535); checksum partial, L4 offset set. */
void udp_build(struct pkt *p, const struct via_addr *src, const struct via_addr *dst, uint16_t sport, uint16_t dport);
#endif
