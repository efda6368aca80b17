/* filter/chain.c - a packet against the rules of a chain: matches, limits, counters, verdict.
 *
 * All matches of a rule must hold; a match that asks for what the packet does not have (ports of a ping) does not hold, inverted or not,
 * as in iptables. A limit is a bucket in virtual time: one int64 says when it would be full again. */
#include "filter/filter.h"

#include "wire/addr.h"
#include "wire/ip4.h"

uint8_t filter_ctstate(const struct filter_env *e, const struct filter *f, const struct filter_pkt *k, const struct view *w)
{
	enum ct_dir d;
	if (w->kind == VIEW_UNTRACKED)
		return VIA_CT_UNTRACKED;
	ref_t r = w->kind != VIEW_INVALID && ct_is_on(&f->ct) ? filter_find(e, f, k, w, &d) : 0;
	if (!r)
		return view_may_begin(w) ? VIA_CT_NEW : VIA_CT_INVALID;
	const struct ct_conn *c = ct_at(&e->ct, r);
	uint8_t nat = c->nat == CT_NAT_SRC ? VIA_CT_SNAT : c->nat == CT_NAT_DST ? VIA_CT_DNAT : 0;
	if (w->kind == VIEW_ERROR)
		return VIA_CT_RELATED | nat;
	return (d == CT_REPLY || c->is_answered ? VIA_CT_ESTABLISHED : VIA_CT_NEW) | nat;
}

/* What of the packet is looked up at most once. */
struct seen {
	struct view w;
	uint8_t ctstate; /* 0: not looked up yet */
};

static bool differs(bool match, uint16_t invert, uint16_t bit) { return match == ((invert & bit) != 0); }

static bool addresses_fit(const struct via_filter_rule *r, const struct view *w)
{
	if (r->has_src && differs(addr_in_prefix(&w->src, &r->src, r->src_plen), r->invert, VIA_NOT_SRC))
		return false;
	return !r->has_dst || !differs(addr_in_prefix(&w->dst, &r->dst, r->dst_plen), r->invert, VIA_NOT_DST);
}

static bool port_fits(const uint16_t range[2], uint16_t port) { return port >= range[0] && port <= range[1]; }

static bool transport_fits(const struct via_filter_rule *r, const struct view *w)
{
	if (r->proto && differs(w->proto == r->proto, r->invert, VIA_NOT_PROTO))
		return false;
	if ((r->has_sport || r->has_dport) && !w->has_ports)
		return false;
	if (r->has_sport && differs(port_fits(r->sport, w->sport), r->invert, VIA_NOT_SPORT))
		return false;
	if (r->has_dport && differs(port_fits(r->dport, w->dport), r->invert, VIA_NOT_DPORT))
		return false;
	if (r->tcp_mask && (w->proto != IPPROTO_N_TCP || !w->has_ports ||
			    differs((w->tcp_flags & r->tcp_mask) == r->tcp_flags, r->invert, VIA_NOT_TCP_FLAGS)))
		return false;
	if (!r->has_icmp_type)
		return true;
	bool fits = w->icmp_type == r->icmp_type && (!r->has_icmp_code || w->icmp_code == r->icmp_code);
	return w->is_icmp && !differs(fits, r->invert, VIA_NOT_ICMP);
}

static bool limit_fits(struct filter_rule *r, int64_t now)
{
	int64_t from = MAX(r->limit_paid, now);
	if (from - now > r->r.limit_ns * ((int64_t)r->r.limit_burst - 1))
		return false;
	r->limit_paid = from + r->r.limit_ns;
	return true;
}

static bool rule_fits(struct filter_env *e, struct filter *f, struct filter_rule *r, const struct filter_pkt *k, struct seen *s)
{
	if (r->r.in[0] && differs(k->in == r->in && k->in, r->r.invert, VIA_NOT_IN))
		return false;
	if (r->r.out[0] && differs(k->out == r->out && k->out, r->r.invert, VIA_NOT_OUT))
		return false;
	if (!addresses_fit(&r->r, &s->w) || !transport_fits(&r->r, &s->w))
		return false;
	if (r->r.ctstate) {
		s->ctstate = s->ctstate ? s->ctstate : filter_ctstate(e, f, k, &s->w);
		if (differs((s->ctstate & r->r.ctstate) != 0, r->r.invert, VIA_NOT_CTSTATE))
			return false;
	}
	return !r->r.limit_ns || limit_fits(r, e->ct.now);
}

enum via_target filter_chain(struct filter_env *e, struct filter *f, enum via_chain chain, const struct filter_pkt *k,
			     enum via_reject_with *reject)
{
	struct filter_chain *c = &f->chains[chain];
	struct filter_rule *rules = c->n ? arena_at(e->ct.arena, c->rules) : NULL;
	uint32_t packets = k->p->m.gso_size ? k->p->m.gso_segs : 1;
	struct seen s = {.ctstate = 0};
	if (!c->n && c->policy == VIA_TARGET_ACCEPT)
		return VIA_TARGET_ACCEPT;
	if (!view_read(e->mem, k->p, &s.w))
		return VIA_TARGET_DROP;
	for (uint32_t i = 0; i < c->n; i++) {
		struct filter_rule *r = &rules[i];
		if (!rule_fits(e, f, r, k, &s))
			continue;
		r->packets += packets;
		r->bytes += k->p->len;
		*reject = r->r.reject;
		if (r->r.target != VIA_TARGET_NONE)
			return r->r.target;
	}
	c->packets += packets;
	c->bytes += k->p->len;
	return c->policy;
}
