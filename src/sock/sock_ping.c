/* sock/sock_ping.c - ICMP echo sockets of either family without privilege, as Linux's ping sockets.
 *
 * A datagram is a whole ICMP message. Out: only echo requests; the identifier is replaced by the local port and the
 * checksum computed, ICMPv6's by the stack, which knows the addresses. In: echo replies with that identifier, header included;
 * a connected one's from its peer alone, where Linux takes anybody's (HARD-04). */
#include "sock/endpoint.h"

#include "base/csum.h"
#include "wire/icmp4.h"
#include "wire/icmp6.h"
#include <errno.h>

/* The bytes of an echo request with our identifier and checksum; NULL when memory is out. */
static struct pkt *echo_build(struct sock_env *env, const uint8_t *data, uint32_t len, uint16_t id)
{
	struct pkt *p = pkt_new(env->mem, PKT_HEADROOM + 64);
	if (!p || pkt_append(env->mem, p, data, len)) {
		pkt_free(env->mem, p);
		return NULL;
	}
	/* pkt_append fills the linear part first, so the header is linear. */
	uint8_t *h = pkt_data(p);
	put_be16(h + 2, 0);
	put_be16(h + 4, id);
	put_be16(h + 2, csum_field(pkt_csum(env->mem, p, 0, p->len, 0)));
	p->m.l4 = p->head;
	p->m.why = WHY_ICMP_ECHO;
	return p;
}

int64_t ping_send(struct sock_env *env, struct endpoint *ep, const void *data, uint32_t len, const struct via_sockaddr *from,
		  const struct via_sockaddr *to)
{
	const uint8_t *b = data;
	const struct via_addr *far = to ? &to->addr : &ep->remote;
	bool is_v6 = !via_addr_is_v4(far);
	uint8_t type = is_v6 ? (from ? ICMP6_ECHO_REPLY : ICMP6_ECHO) : from ? ICMP4_ECHO_REPLY : ICMP4_ECHO;
	if (len > dgram_max(far))
		return -EMSGSIZE;
	if (len < ICMP4_HLEN || b[0] != type || b[1] != 0)
		return -EINVAL;
	struct via_sockaddr dst, src = from ? *from : (struct via_sockaddr){.port = 0};
	int e = dgram_route(env, ep, to, from != NULL, &dst, &src);
	if (e)
		return e;
	struct pkt *p = echo_build(env, b, len, from ? get_be16(b + 4) : src.port);
	if (!p)
		return -ENOBUFS;
	p->m.flow_hash = tuple_hash(env, &src.addr, src.port, &dst.addr, 0) | 1;
	e = dgram_tx(env, ep, p, &src.addr, &dst.addr);
	return e ? e : (int64_t)len;
}

/* Did ep, which has a peer, ask `src`? What was asked of many is answered by each of them. */
static bool ping_asked(const struct endpoint *ep, const struct via_addr *src)
{
	return ep->state != EP_CONN || ep->flags & EPF_BROADCAST || via_addr_is_multicast(&ep->remote) || via_addr_eq(&ep->remote, src);
}

enum drop sock_ping_arrives(struct sock_env *env, struct pkt *p, const struct via_addr *src, const struct via_addr *dst, uint16_t id)
{
	struct endpoint *ep = port_receiver(env, PROTO_ICMP, dst, id, tuple_hash(env, dst, id, src, 0));
	if (!ep || !ping_asked(ep, src)) {
		pkt_free(env->mem, p);
		return DROP_ICMP_NO_SOCKET;
	}
	return dgram_queue(env, ep, p, src, 0, dst, id);
}

enum drop sock_echo_arrives(struct sock_env *env, struct pkt *p, const struct via_addr *src, const struct via_addr *dst, uint16_t id)
{
	struct endpoint *ep = catch_all_of(env, VIA_PING);
	if (!ep) {
		pkt_free(env->mem, p);
		return DROP_ICMP_NO_SOCKET;
	}
	return dgram_queue(env, ep, p, src, id, dst, 0);
}
