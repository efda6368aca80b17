/* filter/answer.c - the RST of REJECT: what a closed port would have said (RFC 9293 §3.10.7.1). */
#include "filter/filter.h"

#include "base/bytes.h"
#include "base/csum.h"
#include "wire/addr.h"
#include "wire/ip4.h"
#include "wire/ip6.h"
#include "wire/tcp.h"

struct pkt *filter_reset(struct pktmem *m, struct pkt *p)
{
	struct view w;
	struct tcp_hdr h;
	if (!view_read(m, p, &w) || !w.has_ports || w.proto != IPPROTO_N_TCP || (w.tcp_flags & TCP_RST))
		return NULL;
	uint32_t hlen = (uint32_t)(w.l4 - w.l3), len = p->len - hlen;
	if (tcp_parse(p->linear + w.l4, (uint32_t)p->head + p->head_len - w.l4, &h))
		return NULL;
	bool acks = (h.flags & TCP_ACK) != 0;
	struct tcp_hdr rst = {.sport = h.dport, .dport = h.sport, .seq = acks ? h.ack : 0, .flags = acks ? TCP_RST : TCP_RST | TCP_ACK,
			      .ack = acks ? 0 : h.seq + tcp_seg_len(&h, len - h.hlen)};
	struct pkt *r = pkt_new(m, PKT_HEADROOM);
	if (!r)
		return NULL;
	bool is_v6 = !via_addr_is_v4(&w.src);
	uint32_t ip_hlen = is_v6 ? IP6_HLEN : IP4_HLEN;
	uint8_t *ip = pkt_put(r, ip_hlen + TCP_HLEN), *tcp = ip + ip_hlen;
	if (is_v6)
		ip6_emit(ip, &(struct ip6_hdr){.next = IPPROTO_N_TCP, .hops = 64, .payload_len = TCP_HLEN, .src = w.dst, .dst = w.src});
	else
		ip4_emit(ip, &(struct ip4_hdr){.ttl = 64, .proto = IPPROTO_N_TCP, .total_len = IP4_HLEN + TCP_HLEN, .frag = IP4_DF,
					       .src = via_addr_to_v4(&w.dst), .dst = via_addr_to_v4(&w.src)});
	tcp_emit(tcp, &rst);
	put_be16(tcp + 16, csum_field(csum_add(addr_pseudo(&w.dst, &w.src, IPPROTO_N_TCP, TCP_HLEN), tcp, TCP_HLEN)));
	r->m.l2 = r->m.l3 = r->head;
	r->m.l4 = (uint16_t)(r->head + ip_hlen);
	r->m.why = WHY_RST;
	r->m.cut = PKT_CUT_NEVER;
	return r;
}
