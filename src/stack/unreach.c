/* stack/unreach.c - via_unreach(): an ICMP error in the name of a network that this stack stands for.
 *
 * A gateway learns from the machine's sockets that a packet did not arrive, long after the packet is gone. So the quote is written
 * anew from what is known: addresses, ports, and a SYN's number, which is what the sender's stack checks (RFC 792, RFC 5927 §4). */
#include "stack/state.h"

#include <errno.h>

#include "wire/tcp.h"
#include "wire/udp.h"

/* The head of such a packet's transport. Returns bytes. */
static uint32_t quote_transport(uint8_t *at, enum via_type type, bool is_v6, uint16_t from, uint16_t to, uint32_t seq)
{
	switch (type) {
	case VIA_STREAM:
		return tcp_emit(at, &(struct tcp_hdr){.sport = from, .dport = to, .seq = seq, .flags = TCP_SYN});
	case VIA_DGRAM:
		udp_emit(at, &(struct udp_hdr){.sport = from, .dport = to, .len = UDP_HLEN});
		return UDP_HLEN;
	case VIA_PING:
		icmp4_emit(at, &(struct icmp4_hdr){.type = is_v6 ? ICMP6_ECHO : ICMP4_ECHO, .rest = (uint32_t)from << 16});
		return ICMP4_HLEN;
	}
	return 0;
}

/* IPv6 has nothing like IPv4's codes 9 and 10, by which a connect ends and which are no wall either, but that a route rejects it. */
static enum icmp_say unreach_say(uint8_t code, bool is_v6)
{
	enum icmp_say say = icmp_say_unreach4(code);
	return is_v6 && (say == ICMP_SAY_NET_PROHIBITED || say == ICMP_SAY_HOST_PROHIBITED) ? ICMP_SAY_REJECT_ROUTE : say;
}

/* The quoted packet, n bytes of transport from remote to local, in p. */
static void quote_write(struct pkt *p, struct ip_hdr *h, const uint8_t *l4, uint32_t n)
{
	p->m.l3 = p->head;
	h->hlen = (uint16_t)ip_hlen_to(&h->dst);
	h->len = h->hlen + n;
	ip_emit(pkt_put(p, h->hlen), h);
	memcpy(pkt_put(p, n), l4, n);
	p->m.l4 = (uint16_t)(p->m.l3 + h->hlen);
}

int via_unreach(struct via *v, enum via_type type, uint8_t code, const struct via_sockaddr *local, const struct via_sockaddr *remote,
		uint32_t seq)
{
	uint8_t l4[TCP_HLEN_MAX];
	bool is_v6 = !via_addr_is_v4(&local->addr);
	const uint8_t protos[] = {[VIA_STREAM] = IPPROTO_N_TCP, [VIA_DGRAM] = IPPROTO_N_UDP,
				  [VIA_PING] = is_v6 ? IPPROTO_N_ICMP6 : IPPROTO_N_ICMP};
	uint32_t n = quote_transport(l4, type, is_v6, remote->port, local->port, seq);
	enum icmp_say say = unreach_say(code, is_v6);
	if (!n || is_v6 == via_addr_is_v4(&remote->addr) || say == ICMP_SAY_COUNT)
		return -EINVAL;
	struct pkt *p = pkt_new(v->mem, PKT_HEADROOM);
	if (!p)
		return -ENOBUFS;
	struct ip_hdr h = {.src = remote->addr, .dst = local->addr, .ttl = v->st->ttl, .proto = protos[type], .is_v6 = is_v6};
	quote_write(p, &h, l4, n);
	tx_icmp_error(v, p, &h, say, 0);
	pkt_free(v->mem, p);
	return 0;
}
