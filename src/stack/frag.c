/* stack/frag.c - fragments: those for us are put together, packets larger than a link are cut (RFC 791 §3.2; RFC 1122 §3.3.2).
 *
 * What passes through is never put together, it goes on as it is or in smaller pieces. A datagram that stays incomplete is
 * reported to its sender only if its first fragment came, for an error quotes that one (IP4-009). */
#include "stack/state.h"

#include <errno.h>

/* A fragment that waited is given up: m.drop says why. */
static void frag_drop(struct via *v, struct pkt *p)
{
	struct iface *in = iface_at(v, p->m.ifindex);
	if (in)
		in->rx_dropped++;
	pkt_front_at(p, p->m.l2);
	stack_drop(v, p, (enum drop)p->m.drop);
}

enum drop frag_arrives(struct via *v, struct pkt **p, struct ip_hdr *h)
{
	struct via_state *st = v->st;
	struct reasm_env e = stack_reasm_env(v);
	struct reasm_key k;
	struct reasm_fragment f;
	struct reasm_whole whole;
	struct pktq dropped = {0};
	struct pkt *old;
	int64_t rx_ns = (*p)->m.rx_ns;
	enum drop why = frag4_read(v->mem, *p, h, &k, &f);
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
	return frag4_whole(whole.p, whole.ecn, h);
}

void frag_timeout(struct via *v, ref_t timer)
{
	struct reasm_env e = stack_reasm_env(v);
	struct pktq dropped = {0};
	struct pkt *p;
	struct ip4_hdr w;
	reasm_timeout(&e, &v->st->reasm, timer, &dropped);
	while ((p = pktq_pop(v->mem, &dropped)) != NULL) {
		if (p->mark == 0) { /* the first one (RFC 792) */
			pkt_front_at(p, p->m.l3);
			if (ip4_parse(pkt_data(p), p->len, false, &w) == 0) {
				struct ip_hdr h = ip_hdr_of4(&w);
				tx_icmp_error(v, p, &h, ICMP_SAY_REASSEMBLY, 0);
			}
		}
		frag_drop(v, p);
	}
}

void frag_cut(struct via *v, struct pkt *p, uint32_t mtu, struct pktq *q)
{
	int err = frag4_cut(v->mem, p, mtu, q);
	if (err) {
		stack_drop(v, p, err == -EMSGSIZE ? DROP_IP_MTU : DROP_NO_MEMORY);
		return;
	}
	v->st->counts[COUNT_FRAG_CUT]++;
	v->st->counts[COUNT_FRAG_MADE] += q->n;
}
