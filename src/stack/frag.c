/* stack/frag.c - what stands before the transport: IPv6 extension headers; fragments, those for us put together, packets larger than a
 * link cut (RFC 791 §3.2; RFC 1122 §3.3.2; RFC 8200 §4).
 *
 * What passes through is never put together, it goes on as it is or, in IPv4, in smaller pieces. A datagram that stays incomplete is
 * reported to its sender only if its first fragment came, for an error quotes that one (IP4-009). */
#include "stack/state.h"

#include <errno.h>

#include "net/ip_input.h"

/* A fragment that waited is given up: m.drop says why. */
static void frag_drop(struct via *v, struct pkt *p)
{
	struct iface *in = iface_at(v, p->m.ifindex);
	if (in)
		in->rx_dropped++;
	pkt_front_at(p, p->m.l2);
	stack_drop(v, p, (enum drop)p->m.drop);
}

/* The header of the whole that *h is a fragment of, when it is there. */
static enum drop frag_join(struct via *v, struct pkt **p, struct ip_hdr *h, struct ext6_error *error)
{
	struct via_state *st = v->st;
	struct reasm_env e = stack_reasm_env(v);
	struct reasm_key k;
	struct reasm_fragment f;
	struct reasm_whole whole;
	struct pktq dropped = {0};
	struct pkt *old;
	int64_t rx_ns = (*p)->m.rx_ns;
	enum drop why = h->is_v6 ? frag6_read(v->mem, *p, h, &k, &f, error) : frag4_read(v->mem, *p, h, &k, &f);
	if (why)
		return why;
	pkt_pull(*p, h->hlen);
	why = reasm_input(&e, &st->reasm, &k, &f, *p, &whole, &dropped);
	while ((old = pktq_pop(v->mem, &dropped)) != NULL)
		frag_drop(v, old);
	if (why)
		return why;
	*p = whole.p;
	if (!whole.p)
		return DROP_NONE;
	st->counts[COUNT_REASM_JOINED] += whole.fragments;
	st->counts[COUNT_REASM_WHOLE]++;
	whole.p->m.rx_ns = rx_ns;
	return h->is_v6 ? frag6_whole(whole.p, whole.ecn, h) : frag4_whole(whole.p, whole.ecn, h);
}

static enum drop frag_tell(struct via *v, struct pkt *p, const struct ip_hdr *h, const struct ext6_error *e, enum drop why)
{
	if (why && e->is_due)
		tx_icmp_error(v, p, h, e->say, e->at);
	return why;
}

enum drop frag_arrives(struct via *v, struct pkt **p, struct ip_hdr *h)
{
	struct ext6_walk w = {.limits = v->st->ext6};
	for (;;) { /* a whole may hold fragments again; the walk's limit ends that */
		enum drop why = h->is_v6 ? ext6_walk(v->mem, *p, h, false, &w) : DROP_NONE;
		bool was_cut = h->was_cut;
		if (!why && ip_is_fragment(h))
			why = frag_join(v, p, h, &w.error);
		else if (!why)
			return DROP_NONE;
		if (why)
			return frag_tell(v, *p, h, &w.error, why);
		if (!*p || !h->is_v6)
			return DROP_NONE;
		h->was_cut = was_cut; /* it is a new header */
	}
}

enum drop frag_hops(struct via *v, struct pkt *p, struct ip_hdr *h)
{
	struct ext6_walk w = {.limits = v->st->ext6};
	struct ip_hdr walked = *h; /* who is it for: that is asked of the fixed header, and they are walked again there */
	uint16_t l4 = p->m.l4;
	enum drop why = ext6_walk(v->mem, p, &walked, true, &w);
	p->m.l4 = l4;
	return frag_tell(v, p, h, &w.error, why);
}

void frag_timeout(struct via *v, ref_t timer)
{
	struct reasm_env e = stack_reasm_env(v);
	struct pktq dropped = {0};
	struct pkt *p;
	struct ip_hdr h;
	reasm_timeout(&e, &v->st->reasm, timer, &dropped);
	while ((p = pktq_pop(v->mem, &dropped)) != NULL) {
		if (p->mark == 0) { /* the first one (RFC 792, RFC 8200 §4.5) */
			pkt_front_at(p, p->m.l3);
			if (ip_input(v->mem, p, 0, p->m.ifindex, &h) == DROP_NONE)
				tx_icmp_error(v, p, &h, ICMP_SAY_REASSEMBLY, 0);
		}
		frag_drop(v, p);
	}
}

void frag_cut(struct via *v, struct pkt *p, const struct ip_hdr *h, uint32_t mtu, struct pktq *q)
{
	int err = h->is_v6 ? frag6_cut(v->mem, p, mtu, frag6_id(&v->st->frag6_ids, &h->src, &h->dst), q) : frag4_cut(v->mem, p, mtu, q);
	if (err) {
		stack_drop(v, p, err == -EMSGSIZE ? DROP_IP_MTU : DROP_NO_MEMORY);
		return;
	}
	v->st->counts[COUNT_FRAG_CUT]++;
	v->st->counts[COUNT_FRAG_MADE] += q->n;
}
