/* sock/sock_udp.c - UDP between endpoints and udp/ (RFC 768; RFC 1122 §4.1).
 *
 * Arrival: a connected endpoint takes only its peer's datagrams and is asked first, then the most specific bound one.
 * Broadcast and multicast go to every endpoint that fits, at most SOCK_GROUP_MAX. */
#include "sock/endpoint.h"

#include <errno.h>

int64_t udp_send(struct sock_env *env, struct endpoint *ep, const void *data, uint32_t len, const struct via_sockaddr *from,
		 const struct via_sockaddr *to)
{
	const struct via_addr *far = to ? &to->addr : &ep->remote;
	if (len > dgram_max(far) - UDP_HLEN)
		return -EMSGSIZE;
	struct via_sockaddr dst, src = from ? *from : (struct via_sockaddr){.port = 0};
	int e = dgram_route(env, ep, to, from != NULL, &dst, &src);
	if (e)
		return e;
	struct pkt *p = pkt_new(env->mem, PKT_HEADROOM + 64);
	if (!p)
		return -ENOBUFS;
	if (len && pkt_append(env->mem, p, data, len)) {
		pkt_free(env->mem, p);
		return -ENOBUFS;
	}
	udp_build(p, &src.addr, &dst.addr, src.port, dst.port);
	p->m.why = WHY_UDP;
	p->m.flow_hash = tuple_hash(env, &src.addr, src.port, &dst.addr, dst.port) | 1;
	e = dgram_tx(env, ep, p, &src.addr, &dst.addr);
	return e ? e : (int64_t)len;
}

/* Give copies to all but the last that fits; the original to the last. The receiver is told in the address's scope which interface a
 * limited broadcast came by. */
static enum drop deliver_to_all(struct sock_env *env, struct pkt *p, const struct via_addr *src,
				const struct via_addr *dst, const struct udp_hdr *h)
{
	struct via_addr to = *dst;
	if (via_addr_is_v4(dst) && via_addr_to_v4(dst) == 0xffffffffu)
		to.scope = p->m.ifindex;
	struct endpoint *ep = port_receiver_nth(env, PROTO_UDP, dst, h->dport, 0);
	if (!ep)
		return DROP_UDP_NO_SOCKET;
	for (uint32_t n = 1;; n++) {
		struct endpoint *next = n < SOCK_GROUP_MAX ? port_receiver_nth(env, PROTO_UDP, dst, h->dport, n) : NULL;
		if (!next)
			return dgram_queue(env, ep, p, src, h->sport, &to, h->dport);
		struct pkt *copy = pkt_clone(env->mem, p);
		if (copy)
			dgram_queue(env, ep, copy, src, h->sport, &to, h->dport);
		ep = next;
	}
}

enum drop sock_udp_arrives(struct sock_env *env, struct pkt *p, const struct via_addr *src, const struct via_addr *dst)
{
	struct udp_hdr h;
	enum drop d = udp_arrives(env->mem, p, src, dst, &h);
	if (d != DROP_NONE) {
		pkt_free(env->mem, p);
		return d;
	}
	uint32_t hash = tuple_hash(env, dst, h.dport, src, h.sport);
	struct endpoint *ep = demux_pair(env, hash, dst, h.dport, src, h.sport);
	if (!ep && !env->ops->addr_is_ours(env->ctx, dst))
		return deliver_to_all(env, p, src, dst, &h);
	if (!ep)
		ep = port_receiver(env, PROTO_UDP, dst, h.dport, hash);
	if (!ep)
		ep = catch_all_of(env, VIA_DGRAM);
	if (!ep)
		return DROP_UDP_NO_SOCKET;
	return dgram_queue(env, ep, p, src, h.sport, dst, h.dport);
}
