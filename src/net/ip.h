/* net/ip.h - an IP header of either family as the stack sees it: what everything behind ip_input() branches on, if it branches at all.
 *
 * Addresses carry their scope (link-local ones the interface they came by), lengths are bytes, and `proto` and `hlen` speak of the
 * transport: while IPv6 extension headers are walked (ext6.h) both move on. What is written in only one family's header is kept in its
 * own terms where code of net/ needs it: offsets from the IP header. */
#ifndef NET_IP_H
#define NET_IP_H
#include "wire/ip4.h"
#include "wire/ip6.h"

struct ip_hdr {
	struct via_addr src, dst;
	uint32_t len;      /* bytes of the packet from its IP header on; a superframe's at most what the field can say */
	uint32_t id;       /* of fragments */
	uint32_t flow;     /* IPv6 flow label */
	uint16_t hlen;     /* bytes in front of the transport header, or of a fragment's piece of it */
	uint16_t frag_off; /* bytes of payload before this fragment's */
	uint16_t next_at;  /* IPv6: where the field stands that named proto */
	uint8_t proto;     /* what is behind hlen, as on the wire */
	uint8_t tos, ttl;
	bool is_v6;
	bool more;         /* fragments follow */
	bool was_cut;      /* IPv6: a fragment header stood in it, or in what it was put together from */
	bool may_cut;      /* also by a router: IPv4 without "do not fragment" */
};

static inline bool ip_is_fragment(const struct ip_hdr *h) { return h->more || h->frag_off; }
/* Of either family's number for ICMP. */
static inline bool ip_is_icmp(const struct ip_hdr *h) { return h->proto == (h->is_v6 ? IPPROTO_N_ICMP6 : IPPROTO_N_ICMP); }
/* Bytes of an IP header without options towards this address. */
static inline uint32_t ip_hlen_to(const struct via_addr *dst) { return via_addr_is_v4(dst) ? IP4_HLEN : IP6_HLEN; }

static inline struct ip_hdr ip_hdr_of4(const struct ip4_hdr *h)
{
	return (struct ip_hdr){.src = via_addr_v4(h->src), .dst = via_addr_v4(h->dst), .len = h->total_len, .id = h->id, .hlen = h->hlen,
			       .frag_off = (uint16_t)((h->frag & 0x1fff) * 8), .proto = h->proto, .tos = h->tos, .ttl = h->ttl,
			       .more = (h->frag & IP4_MF) != 0, .may_cut = !(h->frag & IP4_DF)};
}
static inline struct ip_hdr ip_hdr_of6(const struct ip6_hdr *h)
{
	return (struct ip_hdr){.src = h->src, .dst = h->dst, .len = IP6_HLEN + h->payload_len, .flow = h->flow, .hlen = IP6_HLEN,
			       .next_at = 6, .proto = h->next, .tos = h->tclass, .ttl = h->hops, .is_v6 = true};
}
/* Writes an IP header without options that says what h has: 20 or 40 bytes, behind which h->len less that follow. */
static inline void ip_emit(uint8_t *out, const struct ip_hdr *h)
{
	if (h->is_v6)
		ip6_emit(out, &(struct ip6_hdr){.tclass = h->tos, .next = h->proto, .hops = h->ttl, .flow = h->flow,
						.payload_len = (uint16_t)(h->len - IP6_HLEN), .src = h->src, .dst = h->dst});
	else
		ip4_emit(out, &(struct ip4_hdr){.tos = h->tos, .ttl = h->ttl, .proto = h->proto, .total_len = (uint16_t)h->len,
						.id = (uint16_t)h->id, .frag = h->may_cut ? 0 : IP4_DF, .src = via_addr_to_v4(&h->src),
						.dst = via_addr_to_v4(&h->dst)});
}
#endif
