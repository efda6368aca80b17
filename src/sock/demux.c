/* sock/demux.c - which connection, listener or socket a packet belongs to.
 *
 * TCP: the exact four-tuple first (connection, SYN-RECEIVED and TIME-WAIT alike), then the most specific listener, then
 * nobody. UDP: a connected endpoint with this very peer, then the most specific bound one (sock_udp.c). The four-tuple hash is
 * SipHash-1-3 under a secret key, so an outsider cannot pile entries onto one chain (RFC 9293 §3.10.7, HARD-12). */
#include "sock/endpoint.h"

#include "base/bytes.h"

uint32_t tuple_hash(const struct sock_env *env, const struct via_addr *local, uint16_t lport, const struct via_addr *remote, uint16_t rport)
{
	uint8_t text[36];
	memcpy(text, local->b, 16);
	memcpy(text + 16, remote->b, 16);
	put_be16(text + 32, lport);
	put_be16(text + 34, rport);
	uint64_t h = siphash_1_3(tab_of(env)->key_tuple, text, sizeof(text));
	return (uint32_t)(h ^ h >> 32);
}

ref_t demux_node(const struct sock_env *env, const struct via_addr *local, uint16_t lport, const struct via_addr *remote, uint16_t rport)
{
	const struct htab *h = &tab_of(env)->nodes;
	uint32_t hash = tuple_hash(env, local, lport, remote, rport);
	for (ref_t r = htab_first(env->arena, h, hash); r; r = htab_next(env->arena, h, r)) {
		const struct tcp_node *n = arena_at(env->arena, r);
		if (n->hash != hash || n->lport != lport || n->rport != rport)
			continue;
		const struct tcp_path *p = env->ops->path_at(env->ctx, n->path);
		if (via_addr_eq(&p->remote, remote) && via_addr_eq(&p->local, local))
			return r;
	}
	return 0;
}

void sock_demux_add(struct sock_env *env, ref_t node)
{
	if (!env->tab)
		return;
	struct tcp_node *n = arena_at(env->arena, node);
	const struct tcp_path *p = env->ops->path_at(env->ctx, n->path);
	n->hash = tuple_hash(env, &p->local, n->lport, &p->remote, n->rport);
	htab_add(env->arena, &tab_of(env)->nodes, node);
	port_node_add(env, &p->local, n->lport);
}

void sock_demux_del(struct sock_env *env, ref_t node)
{
	if (!env->tab)
		return;
	const struct tcp_node *n = arena_at(env->arena, node);
	const struct tcp_path *p = env->ops->path_at(env->ctx, n->path);
	if (htab_del(env->arena, &tab_of(env)->nodes, node))
		port_node_del(env, &p->local, n->lport);
}

void demux_pair_add(struct sock_env *env, struct endpoint *ep)
{
	ep->hash = tuple_hash(env, &ep->local, ep->lport, &ep->remote, ep->rport);
	htab_add(env->arena, &tab_of(env)->pairs, ep_ref(env, ep));
}

void demux_pair_del(struct sock_env *env, struct endpoint *ep)
{
	htab_del(env->arena, &tab_of(env)->pairs, ep_ref(env, ep));
}

struct endpoint *demux_pair(const struct sock_env *env, uint32_t hash, const struct via_addr *local, uint16_t lport,
			    const struct via_addr *remote, uint16_t rport)
{
	const struct htab *h = &tab_of(env)->pairs;
	for (ref_t r = htab_first(env->arena, h, hash); r; r = htab_next(env->arena, h, r)) {
		struct endpoint *ep = ep_at(env, r);
		if (ep->hash == hash && ep->lport == lport && ep->rport == rport && via_addr_eq(&ep->remote, remote) &&
		    via_addr_eq(&ep->local, local))
			return ep;
	}
	return NULL;
}

/* The TCP header's first 14 bytes (ports, flags) of p, or NULL if it is too short to have a header. */
static const uint8_t *tcp_header_of(struct sock_env *env, struct pkt *p)
{
	if (p->len < TCP_HLEN || (p->head_len < TCP_HLEN && pkt_pullup(env->mem, p, TCP_HLEN)))
		return NULL;
	return pkt_data(p);
}

enum drop sock_tcp_arrives(struct sock_env *env, struct pkt *p, const struct via_addr *src, const struct via_addr *dst,
			   ref_t (*get_path)(void *ctx, const struct via_addr *local, const struct via_addr *remote))
{
	const uint8_t *t = tcp_header_of(env, p);
	if (!t || via_addr_is_multicast(dst) || via_addr_is_multicast(src)) {
		pkt_free(env->mem, p);
		return t ? DROP_IP_BROADCAST : DROP_TCP_BAD;
	}
	uint16_t rport = get_be16(t), lport = get_be16(t + 2);
	bool is_syn = (t[13] & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN;
	ref_t node = demux_node(env, dst, lport, src, rport);
	struct endpoint *l = NULL;
	if (!node || is_syn)
		l = port_receiver(env, PROTO_TCP, dst, lport, tuple_hash(env, dst, lport, src, rport));
	if (!l && (!node || is_syn))
		l = catch_all_of(env, VIA_STREAM);
	if (node && l && tcp_node_at(env->tcp, node)->timer.kind == WHEEL_TCP_TIMEWAIT && tcp_timewait_yields(env->tcp, node, p))
		node = 0;
	if (node)
		return tcp_segment_arrives(env->tcp, node, p);
	if (l)
		return tcp_listen_arrives(env->tcp, l->tcp, p, dst, src, get_path);
	return tcp_closed_arrives(env->tcp, p, dst, src);
}

/* The datagram endpoint that sent what an ICMP error quotes. */
static struct endpoint *icmp_target(struct sock_env *env, uint8_t proto, const struct via_addr *local, const struct via_addr *remote,
				    uint16_t lport, uint16_t rport)
{
	uint32_t hash = tuple_hash(env, local, lport, remote, rport);
	struct endpoint *ep = proto == PROTO_UDP ? demux_pair(env, hash, local, lport, remote, rport) : NULL;
	if (ep)
		return ep;
	ep = port_receiver(env, proto, local, lport, hash);
	return ep && ep->state == EP_CONN && !via_addr_eq(&ep->remote, remote) ? NULL : ep;
}

enum drop sock_icmp_arrives(struct sock_env *env, uint8_t proto, const struct via_addr *local,
			    const struct via_addr *remote, uint16_t lport,
			    uint16_t rport, int err, bool hard, uint32_t seq, uint32_t mtu)
{
	if (proto == PROTO_TCP) {
		ref_t node = demux_node(env, local, lport, remote, rport);
		if (!node)
			return DROP_ICMP_NO_SOCKET;
		tcp_icmp_arrives(env->tcp, node, err, hard, seq, mtu);
		return DROP_NONE;
	}
	if (proto != PROTO_UDP && proto != PROTO_ICMP)
		return DROP_ICMP_NO_SOCKET;
	struct endpoint *ep = icmp_target(env, proto, local, remote, lport, rport);
	if (!ep)
		return DROP_ICMP_NO_SOCKET;
	/* An unconnected socket hears only if it asked (IP_RECVERR): the error may be about another peer (RFC 1122 §4.1.3.3).
	 * That a packet was too big is a connected socket's business always, and the path's in any case. */
	if (!(ep->flags & EPF_RECVERR) && (ep->state != EP_CONN || !(hard || mtu)))
		return mtu ? DROP_NONE : DROP_ICMP_NO_SOCKET;
	ep->err = (uint16_t)err;
	ep_edge(env, ep, VIA_ERR | VIA_IN | VIA_OUT);
	return DROP_NONE;
}
