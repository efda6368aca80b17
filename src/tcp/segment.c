/* tcp/segment.c - reading and writing one segment. See the header. */
#include "tcp/segment.h"

#include "base/csum.h"
#include "wire/addr.h"
#include "wire/ip4.h"

#define IP_HLEN_MAX 40u

/* The whole header in the linear part: every later access is inside it. */
static bool header_is_linear(struct tcp_env *env, struct pkt *p)
{
	if (p->len < TCP_HLEN || (p->head_len < TCP_HLEN && pkt_pullup(env->mem, p, TCP_HLEN) < 0))
		return false;
	uint32_t hlen = (pkt_data(p)[12] >> 4) * 4u;
	if (hlen < TCP_HLEN || hlen > p->len)
		return false;
	return p->head_len >= hlen || pkt_pullup(env->mem, p, hlen) == 0;
}

enum drop tcp_seg_read(struct tcp_env *env, struct pkt *p, const struct via_addr *local, const struct via_addr *remote, struct tcp_seg *s)
{
	memset(s, 0, sizeof(*s));
	s->p = p;
	if (!header_is_linear(env, p))
		return DROP_TCP_BAD; /* TCP-008 */
	/* A partial checksum never was on a wire (RFC 9293 §3.1 MUST-3 is about what was). */
	uint64_t pseudo = addr_pseudo(remote, local, IPPROTO_N_TCP, p->len);
	if (p->m.csum == PKT_CSUM_NONE && csum_fold(pkt_csum(env->mem, p, 0, p->len, pseudo)) != 0xffff)
		return DROP_TCP_CSUM;
	if (tcp_parse(pkt_data(p), p->len, &s->h) < 0)
		return DROP_TCP_BAD;
	s->off = s->h.hlen;
	s->len = p->len - s->h.hlen;
	s->seq = s->h.seq;
	s->fin = s->h.flags & TCP_FIN;
	s->segs = p->m.gso_size ? MAX(p->m.gso_segs, 1) : 1;
	s->seg_size = p->m.gso_size ? MIN(p->m.gso_size, s->len) : s->len;
	s->rx_ns = p->m.rx_ns ? p->m.rx_ns : env->now;
	return DROP_NONE;
}

struct pkt *tcp_seg_make(struct tcp_env *env, const struct tcp_hdr *h, enum why why)
{
	struct pkt *p = pkt_new(env->mem, PKT_HEADROOM + IP_HLEN_MAX);

	if (!p)
		return NULL;
	uint8_t *b = pkt_put(p, tcp_emit_len(h));
	tcp_emit(b, h);
	p->m.l4 = p->head;
	p->m.why = (uint8_t)why;
	return p;
}

void tcp_seg_finish(struct pkt *p, const struct via_addr *local, const struct via_addr *remote)
{
	p->m.csum = PKT_CSUM_PARTIAL;
	p->m.csum_start = p->m.l4;
	p->m.csum_offset = 16;
	put_be16(pkt_data(p) + 16, csum_fold(addr_pseudo(local, remote, IPPROTO_N_TCP, p->len)));
}

bool tcp_seg_send(struct tcp_env *env, ref_t path, const struct tcp_hdr *h, enum why why, uint8_t ttl, uint8_t tos)
{
	const struct tcp_path *tp = arena_at(env->arena, path);
	struct pkt *p = tcp_seg_make(env, h, why);

	if (!p)
		return false;
	tcp_seg_finish(p, &tp->local, &tp->remote);
	env->ops->tx(env->ctx, p, path, ttl, tos);
	return true;
}

void tcp_seg_refuse(struct tcp_env *env, const struct tcp_seg *s, const struct via_addr *local, const struct via_addr *remote)
{
	struct tcp_hdr h = {.sport = s->h.dport, .dport = s->h.sport};

	if (s->h.flags & TCP_RST)
		return;
	if (s->h.flags & TCP_ACK) {
		h.seq = s->h.ack;
		h.flags = TCP_RST;
	} else {
		h.ack = s->h.seq + tcp_seg_length(s);
		h.flags = TCP_RST | TCP_ACK;
	}
	struct pkt *p = tcp_seg_make(env, &h, WHY_RST);
	if (!p)
		return;
	tcp_seg_finish(p, local, remote);
	env->ops->tx_reply(env->ctx, p, local, remote);
}
