/* filter/nat.c - whose packet is it, and what becomes of its addresses: pre-route, post-route, and what is remembered.
 *
 * From inside to outside the source changes last (post-route), on the way back the destination first (pre-route); what comes to a forwarded
 * port the other way round. A packet from inside to an outer address of ours that stands for somebody inside is translated twice, at
 * pre-route, as if it had gone out and come back: so a hairpin has the outer source, and obeys the same filtering (RFC 4787 REQ-9). It
 * belongs to two connections then, one of each of the two hosts.
 *
 * What came from outside uninvited for a port that stands for somebody inside is dropped in silence; a RST of our own for a SYN from
 * outside, too, for it would end a simultaneous open (RFC 5382 REQ-4). RFC 4787, RFC 5382, RFC 5508. */
#include "filter/filter.h"

#include "wire/addr.h"
#include "wire/ip4.h"
#include "wire/tcp.h"

struct walk {
	struct filter_env *e;
	struct filter *f;
	const struct filter_pkt *k;
	struct view *w;
};

static const struct nat_rule *nat_rules(const struct filter_env *e, const struct filter *f)
{
	return f->n_nat ? arena_at(e->ct.arena, f->nat) : NULL;
}

/* The packet begins a connection by this rule. */
static void count(const struct walk *k, const struct nat_rule *rule)
{
	struct nat_rule *r = (struct nat_rule *)arena_at(k->e->ct.arena, k->f->nat) + (rule - nat_rules(k->e, k->f));
	r->packets++;
	r->bytes += k->k->p->len;
}

/* The rule that hides inner source `src` on what leaves by `out`; NULL: none. */
static const struct nat_rule *masquerade(const struct filter_env *e, const struct filter *f, uint16_t out, const struct via_addr *src)
{
	const struct nat_rule *r = nat_rules(e, f);
	for (uint32_t i = 0; i < f->n_nat && out && via_addr_is_v4(src); i++)
		if (r[i].r.kind == VIA_NAT_MASQUERADE && r[i].out == out && addr_in_prefix(src, &r[i].r.src, r[i].r.src_plen))
			return &r[i];
	return NULL;
}

/* The outer interface, of one with a NAT, that has the address; 0: none. */
static const struct nat_rule *outer_with(const struct walk *k, const struct via_addr *a)
{
	const struct nat_rule *r = nat_rules(k->e, k->f);
	for (uint32_t i = 0; i < k->f->n_nat; i++)
		if (r[i].r.kind == VIA_NAT_MASQUERADE && r[i].out && k->e->ops->has_addr(k->e->ctx, r[i].out, a))
			return &r[i];
	return NULL;
}

static bool is_outer(const struct walk *k, uint16_t ifindex)
{
	const struct nat_rule *r = nat_rules(k->e, k->f);
	for (uint32_t i = 0; i < k->f->n_nat; i++)
		if (r[i].out == ifindex && ifindex)
			return true;
	return false;
}

static const struct nat_rule *forward_of(const struct filter_env *e, const struct filter *f, uint16_t outer, uint8_t proto, uint16_t port)
{
	const struct nat_rule *r = nat_rules(e, f);
	for (uint32_t i = 0; i < f->n_nat; i++)
		if (r[i].r.kind == VIA_NAT_FORWARD && r[i].out == outer && r[i].r.proto == proto && port >= r[i].r.port[0] &&
		    port <= r[i].r.port[1])
			return &r[i];
	return NULL;
}

/* ---- outwards: the source ---- */

static bool port_is_free(void *ctx, uint8_t proto, const struct via_addr *out, uint16_t port)
{
	struct walk *k = ctx;
	const struct nat_rule *r = outer_with(k, out);
	return !(r && forward_of(k->e, k->f, r->out, proto, port)) && !k->e->ops->port_in_use(k->e->ctx, proto, port);
}

/* The outer port that a forward gives an inner endpoint: it shall be known by the same name in both directions. */
static bool forwarded_port(const struct walk *k, const struct nat_rule *m, const struct ct_tuple *t, uint16_t *port)
{
	const struct nat_rule *r = nat_rules(k->e, k->f);
	for (uint32_t i = 0; i < k->f->n_nat; i++) {
		uint32_t n = (uint32_t)(r[i].r.port[1] - r[i].r.port[0]), off = (uint32_t)(t->sport - r[i].r.inner_port);
		if (r[i].r.kind != VIA_NAT_FORWARD || r[i].out != m->out || r[i].r.proto != t->proto || !via_addr_eq(&r[i].r.inner, &t->src))
			continue;
		if (t->sport >= r[i].r.inner_port && off <= n) {
			*port = (uint16_t)(r[i].r.port[0] + off);
			return true;
		}
	}
	return false;
}

/* A connection begins towards the outside of rule m, under the address `outer`: remembered and its source changed. */
static enum drop begin_outwards(struct walk *k, const struct nat_rule *m, const struct via_addr *outer, bool is_hairpin)
{
	struct ct *ct = &k->f->ct;
	struct ct_tuple orig = k->w->t, reply = tuple_inverse(&orig);
	uint16_t want = orig.sport;
	bool owns = via_addr_eq(&orig.src, outer) || forwarded_port(k, m, &orig, &want);
	ref_t map = natmap_get(k->e->ct.arena, &ct->maps, orig.proto, &orig.src, orig.sport, outer, want, owns,
			       port_is_free, k);
	if (!map)
		return DROP_NAT_NO_PORT;
	reply.dst = *outer;
	reply.dport = natmap_at(k->e->ct.arena, map)->out_port;
	uint64_t refused = k->e->ct.counts[CT_REFUSED];
	ref_t c = ct_new(&k->e->ct, ct, &orig, &reply, CT_NAT_SRC, map, k->f->wheel_kind);
	if (!c) {
		natmap_drop(k->e->ct.arena, &ct->maps, map);
		return k->e->ct.counts[CT_REFUSED] > refused ? DROP_CT_FULL : DROP_NAT_NO_PORT;
	}
	ct_at(&k->e->ct, c)->is_hairpin = is_hairpin;
	ct_touch(&k->e->ct, ct, c, CT_ORIG, k->w, k->k->p->len);
	count(k, m);
	view_rewrite(k->k->p, k->w, VIEW_SRC, &reply.dst, reply.dport);
	return DROP_NONE;
}

/* ---- inwards: the destination ---- */

static enum drop begin_inwards(struct walk *k, const struct nat_rule *rule, const struct via_addr *inner, uint16_t port, ref_t map,
			       bool is_hairpin)
{
	struct ct *ct = &k->f->ct;
	struct ct_tuple orig = k->w->t, reply = tuple_inverse(&orig);
	reply.src = *inner;
	reply.sport = port;
	uint64_t refused = k->e->ct.counts[CT_REFUSED];
	if (map)
		natmap_hold(k->e->ct.arena, map);
	ref_t c = ct_new(&k->e->ct, ct, &orig, &reply, CT_NAT_DST, map, k->f->wheel_kind);
	if (!c) {
		if (map)
			natmap_drop(k->e->ct.arena, &ct->maps, map);
		return k->e->ct.counts[CT_REFUSED] > refused ? DROP_CT_FULL : DROP_NAT_NO_PORT;
	}
	ct_at(&k->e->ct, c)->is_hairpin = is_hairpin;
	ct_touch(&k->e->ct, ct, c, CT_ORIG, k->w, k->k->p->len);
	count(k, rule);
	view_rewrite(k->k->p, k->w, VIEW_DST, inner, port);
	return DROP_NONE;
}

/* To an outer address of ours, and of no connection that is known: is somebody inside meant? */
static enum drop inwards(struct walk *k, const struct nat_rule *outer, bool is_hairpin)
{
	const struct view *w = k->w;
	const struct nat_rule *fw = forward_of(k->e, k->f, outer->out, w->proto, w->t.dport);
	const struct natmap *m = natmap_behind(k->e->ct.arena, &k->f->ct.maps, w->proto, &w->t.dst, w->t.dport);
	if (w->kind != VIEW_FLOW || (!fw && (!m || via_addr_eq(&m->in, &m->out))))
		return DROP_NONE; /* it is for the router itself */
	if (!view_may_begin(w))
		return w->is_icmp ? DROP_NONE : DROP_NAT_INVALID;
	if (fw)
		return begin_inwards(k, fw, &fw->r.inner, (uint16_t)(fw->r.inner_port + (w->t.dport - fw->r.port[0])), 0,
				     is_hairpin);
	if (outer->r.filtering != VIA_NAT_ENDPOINT_INDEPENDENT)
		return DROP_NAT_UNINVITED;
	return begin_inwards(k, outer, &m->in, m->in_port, arena_ref(k->e->ct.arena, m), is_hairpin);
}

/* Translate what belongs to connection c, direction d, on the given side, if that is the side that changes. */
static bool translate(struct walk *k, ref_t r, enum ct_dir d, enum view_side side)
{
	const struct ct_conn *c = ct_at(&k->e->ct, r);
	const struct ct_tuple *back = &c->t[d == CT_ORIG ? CT_REPLY : CT_ORIG];
	bool src_changes = (c->nat == CT_NAT_SRC) == (d == CT_ORIG);
	if (c->nat == CT_NAT_NONE || src_changes != (side == VIEW_SRC))
		return false;
	if (side == VIEW_SRC)
		view_rewrite(k->k->p, k->w, VIEW_SRC, &back->dst, back->dport);
	else
		view_rewrite(k->k->p, k->w, VIEW_DST, &back->src, back->sport);
	return true;
}

/* ---- the hooks ---- */

/* The first of two halves of a packet from inside to `outer`: out. *found is its connection, or 0. */
static enum drop hairpin_out(struct walk *k, const struct nat_rule *outer, ref_t found, enum ct_dir d)
{
	const struct view *w = k->w;
	if (found) {
		if (ct_at(&k->e->ct, found)->is_hairpin)
			translate(k, found, d, VIEW_SRC);
		return DROP_NONE;
	}
	const struct natmap *m = natmap_behind(k->e->ct.arena, &k->f->ct.maps, w->proto, &w->t.dst, w->t.dport);
	bool is_inside = forward_of(k->e, k->f, outer->out, w->proto, w->t.dport) || (m && !via_addr_eq(&m->in, &m->out));
	if (!is_inside || !view_may_begin(w) || !masquerade(k->e, k->f, outer->out, &w->t.src))
		return DROP_NONE;
	struct via_addr to = w->t.dst;
	return begin_outwards(k, outer, &to, true);
}

/* Find whose it is and count it. DROP_NONE: *found may be 0. */
static ref_t find_and_touch(struct walk *k, enum ct_dir *d)
{
	ref_t r = ct_find(&k->e->ct, &k->f->ct, &k->w->t, d);
	if (r && !ct_touch(&k->e->ct, &k->f->ct, r, *d, k->w, k->k->p->len))
		r = 0;
	return r;
}

enum drop filter_pre_route(struct filter_env *e, struct filter *f, const struct filter_pkt *pk)
{
	struct view w;
	struct walk k = {e, f, pk, &w};
	enum ct_dir d = CT_ORIG;
	enum drop why = DROP_NONE;
	if (!ct_is_on(&f->ct))
		return DROP_NONE;
	if (!view_read(e->mem, pk->p, &w))
		return DROP_NO_MEMORY;
	if (w.kind != VIEW_FLOW && w.kind != VIEW_ERROR)
		return DROP_NONE;
	ref_t c = find_and_touch(&k, &d);
	if (!f->n_nat)
		return DROP_NONE;
	if (w.kind == VIEW_ERROR && c && ct_at(&e->ct, c)->nat && !view_error_is_sound(e->mem, pk->p, &w))
		return DROP_ICMP_CSUM;
	const struct nat_rule *outer = outer_with(&k, &w.dst);
	if (outer && !is_outer(&k, pk->in)) {
		struct ct_tuple was = w.t;
		why = hairpin_out(&k, outer, c, d);
		if (why)
			return why;
		if (!tuple_eq(&was, &w.t)) {
			c = find_and_touch(&k, &d);
			return c ? (translate(&k, c, d, VIEW_DST), DROP_NONE) : inwards(&k, outer, true);
		}
	}
	if (c)
		translate(&k, c, d, VIEW_DST);
	else if (outer && is_outer(&k, pk->in))
		why = inwards(&k, outer, false);
	return why;
}

/* Of no connection that is known, it leaves: remembered if it begins one. */
static enum drop begin(struct walk *k)
{
	const struct view *w = k->w;
	struct filter_env *e = k->e;
	struct via_addr outer;
	bool passes = k->k->in != 0 && k->k->out != 0;
	const struct nat_rule *m = masquerade(e, k->f, k->k->out, &w->src);
	if (m && !e->ops->addr_of(e->ctx, m->out, &outer))
		return passes ? DROP_NAT_NO_PORT : DROP_NONE;
	if (m && !passes && !via_addr_eq(&w->src, &outer))
		m = NULL; /* a program of ours that has chosen another address */
	if (m && passes && !view_may_begin(w))
		return DROP_NAT_INVALID; /* it would tell inner addresses outside */
	if (!m && passes && masquerade(e, k->f, k->k->in, &w->dst))
		return DROP_NAT_UNINVITED;
	if (!view_may_begin(w))
		return DROP_NONE;
	if (m)
		return begin_outwards(k, m, &outer, false);
	struct ct_tuple reply = tuple_inverse(&w->t);
	ref_t c = ct_new(&e->ct, &k->f->ct, &w->t, &reply, CT_NAT_NONE, 0, k->f->wheel_kind);
	if (!c)
		return DROP_CT_FULL;
	ct_touch(&e->ct, &k->f->ct, c, CT_ORIG, w, k->k->p->len);
	return DROP_NONE;
}

/* A RST of ours for what came in from outside to nobody: it would end a simultaneous open. */
static bool is_rude(const struct walk *k)
{
	return k->k->in == 0 && !k->k->is_reject && k->w->proto == IPPROTO_N_TCP && (k->w->tcp_flags & TCP_RST) && is_outer(k, k->k->out);
}

enum drop filter_post_route(struct filter_env *e, struct filter *f, const struct filter_pkt *pk)
{
	struct view w;
	struct walk k = {e, f, pk, &w};
	enum ct_dir d = CT_ORIG;
	if (!ct_is_on(&f->ct))
		return DROP_NONE;
	if (!view_read(e->mem, pk->p, &w))
		return DROP_NO_MEMORY;
	ref_t c = w.kind == VIEW_FLOW || w.kind == VIEW_ERROR ? filter_find(e, f, pk, &w, &d) : 0;
	if (!c)
		return is_rude(&k) ? DROP_NAT_UNINVITED : begin(&k);
	if (pk->in == 0 && !ct_touch(&e->ct, &f->ct, c, d, &w, pk->p->len))
		return begin(&k);
	if (tuple_eq(&ct_at(&e->ct, c)->t[d], &w.t))
		translate(&k, c, d, VIEW_SRC);
	return DROP_NONE;
}

enum drop filter_commit(struct filter_env *e, struct filter *f, const struct filter_pkt *pk)
{
	struct view w;
	struct walk k = {e, f, pk, &w};
	enum ct_dir d;
	if (!ct_is_on(&f->ct))
		return DROP_NONE;
	if (!view_read(e->mem, pk->p, &w))
		return DROP_NO_MEMORY;
	if (w.kind != VIEW_FLOW || filter_find(e, f, pk, &w, &d))
		return DROP_NONE;
	if (w.has_ports && is_outer(&k, pk->in) && !e->ops->port_in_use(e->ctx, w.proto, w.dport))
		return DROP_NONE; /* nobody is there: who came too early shall not be in the way of somebody inside (RFC 5128 §3.3) */
	return begin(&k);
}
