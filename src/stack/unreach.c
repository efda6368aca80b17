/* stack/unreach.c - via_unreach(): an ICMP error in the name of a network that this stack stands for.
 *
 * A gateway learns from the machine's sockets that a packet did not arrive, long after the packet is gone. So the quote is written
 * anew from what is known: addresses, ports, and a SYN's number, which is what the sender's stack checks (RFC 792, RFC 5927 §4). */
#include "stack/state.h"

#include <errno.h>

#include "wire/tcp.h"
#include "wire/udp.h"

/* The head of such a packet's transport. Returns bytes. */
static uint32_t quote_transport(uint8_t *at, enum via_type type, uint16_t from, uint16_t to, uint32_t seq)
{
	switch (type) {
	case VIA_STREAM:
		return tcp_emit(at, &(struct tcp_hdr){.sport = from, .dport = to, .seq = seq, .flags = TCP_SYN});
	case VIA_DGRAM:
		udp_emit(at, &(struct udp_hdr){.sport = from, .dport = to, .len = UDP_HLEN});
		return UDP_HLEN;
	case VIA_PING:
		icmp4_emit(at, &(struct icmp4_hdr){.type = ICMP4_ECHO, .rest = (uint32_t)from << 16});
		return ICMP4_HLEN;
	}
	return 0;
}

int via_unreach(struct via *v, enum via_type type, uint8_t code, const struct via_sockaddr *local, const struct via_sockaddr *remote,
		uint32_t seq)
{
	static const uint8_t protos[] = {[VIA_STREAM] = IPPROTO_N_TCP, [VIA_DGRAM] = IPPROTO_N_UDP, [VIA_PING] = IPPROTO_N_ICMP};
	uint8_t l4[TCP_HLEN_MAX];
	uint32_t n = quote_transport(l4, type, remote->port, local->port, seq);
	if (!n || !via_addr_is_v4(&local->addr) || !via_addr_is_v4(&remote->addr))
		return -EINVAL;
	struct pkt *p = pkt_new(v->mem, PKT_HEADROOM);
	if (!p)
		return -ENOBUFS;
	struct ip4_hdr h = {.hlen = IP4_HLEN, .ttl = v->st->ttl, .proto = protos[type], .total_len = (uint16_t)(IP4_HLEN + n), .frag = IP4_DF,
			    .src = via_addr_to_v4(&remote->addr), .dst = via_addr_to_v4(&local->addr)};
	uint8_t *at = pkt_put(p, IP4_HLEN + n);
	ip4_emit(at, &h);
	memcpy(at + IP4_HLEN, l4, n);
	p->m.l3 = p->head;
	p->m.l4 = (uint16_t)(p->head + IP4_HLEN);
	tx_icmp_error(v, p, &h, ICMP4_UNREACH, code, 0);
	pkt_free(v->mem, p);
	return 0;
}
