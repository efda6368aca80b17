/* udp/udp.c - UDP (RFC 768; RFC 1122 §4.1.3): check what arrived, build what leaves.
 *
 * The pseudo-header of either family is summed from the one address type. A checksum leaves partial, so that the copy
 * and the sum can be one pass at the link. Limit: a datagram fits 65,535 bytes (the caller checks). */
#include "udp/udp.h"

#include "base/csum.h"
#include "wire/addr.h"
#include "wire/ip4.h"

enum drop udp_arrives(struct pktmem *m, struct pkt *p, const struct via_addr *src, const struct via_addr *dst, struct udp_hdr *h)
{
	if (p->head_len < UDP_HLEN && (p->len < UDP_HLEN || pkt_pullup(m, p, UDP_HLEN) < 0))
		return DROP_UDP_BAD;
	if (udp_parse(pkt_data(p), p->len, h) < 0)
		return DROP_UDP_BAD;
	bool unknown = p->m.csum == PKT_CSUM_NONE;
	if (unknown && h->csum == 0 && !via_addr_is_v4(dst)) /* no checksum is an IPv4 liberty (RFC 8200 §8.1) */
		return DROP_UDP_CSUM;
	if (unknown && h->csum != 0 && csum_fold(pkt_csum(m, p, 0, h->len, addr_pseudo(src, dst, IPPROTO_N_UDP, h->len))) != 0xffff)
		return DROP_UDP_CSUM;
	pkt_trim(m, p, h->len);
	pkt_pull(p, UDP_HLEN);
	return DROP_NONE;
}

void udp_build(struct pkt *p, const struct via_addr *src, const struct via_addr *dst, uint16_t sport, uint16_t dport)
{
	uint8_t *out = pkt_push(p, UDP_HLEN);
	ASSERT(p->len <= 65535);
	struct udp_hdr h = {sport, dport, (uint16_t)p->len, csum_fold(addr_pseudo(src, dst, IPPROTO_N_UDP, p->len))};
	udp_emit(out, &h);
	p->m.l4 = p->head;
	p->m.csum = PKT_CSUM_PARTIAL;
	p->m.csum_start = p->head;
	p->m.csum_offset = UDP_CSUM_OFFSET;
}
