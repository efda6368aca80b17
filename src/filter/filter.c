/* filter/filter.c - the life of a stack's filter and NAT: rules come and go, names become interfaces, and what there is.
 *
 * Rules of a chain are one array that grows by doubling; NAT rules have a fixed one. Connections are followed from the first rule on that
 * needs them, and until nothing is configured any more. */
#include "filter/filter.h"

#include <errno.h>

#include "wire/addr.h"
#include "wire/ip4.h"

void filter_init(struct filter *f, struct prf_key key, uint8_t wheel_kind)
{
	memset(f, 0, sizeof(*f));
	f->key = key;
	f->wheel_kind = wheel_kind;
	for (int c = 0; c < VIA_CHAINS; c++)
		f->chains[c].policy = VIA_TARGET_ACCEPT;
}

bool filter_is_empty(const struct filter *f)
{
	bool empty = f->n_nat == 0;
	for (int c = 0; c < VIA_CHAINS; c++)
		empty = empty && f->chains[c].n == 0 && f->chains[c].policy == VIA_TARGET_ACCEPT;
	return empty;
}

static struct filter_rule *rules_of(const struct filter_env *e, const struct filter_chain *c)
{
	return c->n ? arena_at(e->ct.arena, c->rules) : NULL;
}

/* Does a rule still ask for connections? If none does, they are forgotten. */
static void stop_if_idle(struct filter_env *e, struct filter *f)
{
	bool needed = f->n_nat != 0;
	for (int c = 0; c < VIA_CHAINS; c++)
		for (uint32_t i = 0; i < f->chains[c].n; i++)
			needed = needed || rules_of(e, &f->chains[c])[i].r.ctstate;
	if (!needed)
		ct_stop(&e->ct, &f->ct);
}

static void chain_clear(struct filter_env *e, struct filter_chain *c)
{
	if (c->cap)
		arena_buf_give(e->ct.arena, c->rules, c->cap * sizeof(struct filter_rule));
	c->rules = 0;
	c->n = c->cap = 0;
}

void filter_nat_flush(struct filter_env *e, struct filter *f)
{
	if (f->nat)
		arena_buf_give(e->ct.arena, f->nat, NAT_RULES_MAX * sizeof(struct nat_rule));
	f->nat = 0;
	f->n_nat = 0;
	if (ct_is_on(&f->ct))
		ct_flush(&e->ct, &f->ct);
	stop_if_idle(e, f);
}

void filter_fini(struct filter_env *e, struct filter *f)
{
	for (int c = 0; c < VIA_CHAINS; c++)
		chain_clear(e, &f->chains[c]);
	filter_nat_flush(e, f);
}

/* Names to interfaces. False: there is none of that name. */
static bool name_find(const struct filter_env *e, const char name[16], uint16_t *out)
{
	*out = name[0] ? e->ops->ifindex_of(e->ctx, name) : 0;
	return !name[0] || *out;
}

void filter_ifaces_changed(struct filter_env *e, struct filter *f)
{
	for (int c = 0; c < VIA_CHAINS; c++)
		for (uint32_t i = 0; i < f->chains[c].n; i++) {
			struct filter_rule *r = &rules_of(e, &f->chains[c])[i];
			name_find(e, r->r.in, &r->in);
			name_find(e, r->r.out, &r->out);
		}
	struct nat_rule *n = f->n_nat ? arena_at(e->ct.arena, f->nat) : NULL;
	for (uint32_t i = 0; i < f->n_nat; i++)
		name_find(e, n[i].r.out, &n[i].out);
}

/* ---- the filter ---- */

static bool prefix_fits(const struct via_addr *a, uint8_t plen) { return plen <= (via_addr_is_v4(a) ? 32 : 128); }

static bool rule_is_sane(const struct via_filter_rule *r)
{
	if (r->size != sizeof(*r) || (unsigned)r->chain >= VIA_CHAINS || (unsigned)r->target > VIA_TARGET_REJECT ||
	    (unsigned)r->reject > VIA_REJECT_TCP_RESET || r->in[15] || r->out[15])
		return false;
	if ((r->has_src && !prefix_fits(&r->src, r->src_plen)) || (r->has_dst && !prefix_fits(&r->dst, r->dst_plen)))
		return false;
	if ((r->chain == VIA_CHAIN_INPUT && r->out[0]) || (r->chain == VIA_CHAIN_OUTPUT && r->in[0]))
		return false;
	if (r->limit_ns < 0 || r->limit_ns > 86400 * NS_PER_S || (r->limit_ns && (!r->limit_burst || r->limit_burst > 10000)))
		return false;
	return r->target != VIA_TARGET_REJECT || r->reject != VIA_REJECT_TCP_RESET || r->proto == IPPROTO_N_TCP;
}

static int chain_grow(struct filter_env *e, struct filter_chain *c)
{
	uint32_t cap = c->cap ? 2 * c->cap : 8;
	if (c->n < c->cap)
		return 0;
	if (c->n == FILTER_RULES_MAX)
		return -ENOSPC;
	ref_t more = arena_buf_take(e->ct.arena, cap * sizeof(struct filter_rule));
	if (!more)
		return -ENOMEM;
	uint32_t n = c->n;
	if (n)
		memcpy(arena_at(e->ct.arena, more), rules_of(e, c), n * sizeof(struct filter_rule));
	chain_clear(e, c);
	c->rules = more;
	c->n = n;
	c->cap = cap;
	return 0;
}

int filter_append(struct filter_env *e, struct filter *f, const struct via_filter_rule *r, uint32_t ct_max)
{
	struct filter_rule made = {.r = *r};
	if (!rule_is_sane(r))
		return -EINVAL;
	if (!name_find(e, r->in, &made.in) || !name_find(e, r->out, &made.out))
		return -ENODEV;
	int err = chain_grow(e, &f->chains[r->chain]);
	if (!err && r->ctstate && !ct_is_on(&f->ct))
		err = ct_start(&e->ct, &f->ct, f->key, ct_max);
	if (err)
		return err;
	struct filter_chain *c = &f->chains[r->chain];
	c->n++;
	rules_of(e, c)[c->n - 1] = made;
	return 0;
}

int filter_policy(struct filter *f, enum via_chain chain, enum via_target target)
{
	if ((unsigned)chain >= VIA_CHAINS || (target != VIA_TARGET_ACCEPT && target != VIA_TARGET_DROP))
		return -EINVAL;
	f->chains[chain].policy = target;
	return 0;
}

int filter_flush(struct filter_env *e, struct filter *f, enum via_chain chain)
{
	if ((unsigned)chain > VIA_CHAINS)
		return -EINVAL;
	for (int c = 0; c < VIA_CHAINS; c++)
		if (chain == VIA_CHAINS || (int)chain == c)
			chain_clear(e, &f->chains[c]);
	stop_if_idle(e, f);
	return 0;
}

/* ---- the NAT ---- */

static bool nat_is_sane(const struct via_nat_rule *r)
{
	if (r->size != sizeof(*r) || !r->out[0] || r->out[15])
		return false;
	if (r->kind == VIA_NAT_MASQUERADE)
		return (unsigned)r->filtering <= VIA_NAT_ENDPOINT_INDEPENDENT &&
		       (!r->src_plen || (via_addr_is_v4(&r->src) && r->src_plen <= 32));
	return r->kind == VIA_NAT_FORWARD && (r->proto == IPPROTO_N_TCP || r->proto == IPPROTO_N_UDP) && via_addr_is_v4(&r->inner) &&
	       !via_addr_is_any(&r->inner) && !via_addr_is_multicast(&r->inner) && r->port[0] && r->port[0] <= r->port[1] &&
	       r->inner_port && r->inner_port + (uint32_t)(r->port[1] - r->port[0]) <= 65535;
}

int filter_nat_add(struct filter_env *e, struct filter *f, const struct via_nat_rule *r, uint32_t ct_max)
{
	struct nat_rule made = {.r = *r};
	if (!nat_is_sane(r))
		return -EINVAL;
	if (!name_find(e, r->out, &made.out))
		return -ENODEV;
	if (f->n_nat == NAT_RULES_MAX)
		return -ENOSPC;
	if (!r->src_plen)
		made.r.src = via_addr_v4(0);
	if (!f->nat) {
		f->nat = arena_buf_take(e->ct.arena, NAT_RULES_MAX * sizeof(struct nat_rule));
		if (!f->nat)
			return -ENOMEM;
	}
	int err = ct_is_on(&f->ct) ? 0 : ct_start(&e->ct, &f->ct, f->key, ct_max);
	if (err)
		return err;
	((struct nat_rule *)arena_at(e->ct.arena, f->nat))[f->n_nat++] = made;
	return 0;
}

/* ---- what there is ---- */

bool filter_get(struct filter_env *e, const struct filter *f, int n, struct via_filter_info *out)
{
	uint32_t size = out->size;
	for (int i = 0; i < VIA_CHAINS && n >= 0; i++) {
		const struct filter_chain *c = &f->chains[i];
		if ((uint32_t)n < c->n) {
			const struct filter_rule *r = &rules_of(e, c)[n];
			*out = (struct via_filter_info){.size = size, .rule = r->r, .packets = r->packets, .bytes = r->bytes};
			return true;
		}
		n -= (int)c->n;
		if (n-- == 0) {
			*out = (struct via_filter_info){.size = size, .is_policy = true, .packets = c->packets, .bytes = c->bytes,
							.rule = {.size = sizeof(out->rule), .chain = (enum via_chain)i, .target = c->policy}};
			return true;
		}
	}
	return false;
}

bool filter_nat_get(struct filter_env *e, const struct filter *f, int n, struct via_nat_info *out)
{
	uint32_t size = out->size;
	if (n < 0 || (uint32_t)n >= f->n_nat)
		return false;
	const struct nat_rule *r = (const struct nat_rule *)arena_at(e->ct.arena, f->nat) + n;
	*out = (struct via_nat_info){.size = size, .rule = r->r, .packets = r->packets, .bytes = r->bytes};
	return true;
}

bool filter_ct_get(struct filter_env *e, const struct filter *f, int n, struct via_ct_info *out)
{
	ref_t r = n >= 0 && ct_is_on(&f->ct) ? ct_nth(&e->ct, &f->ct, (uint32_t)n) : 0;
	if (!r)
		return false;
	const struct ct_conn *c = ct_at(&e->ct, r);
	uint32_t size = out->size;
	uint8_t nat = c->nat == CT_NAT_SRC ? VIA_CT_SNAT : c->nat == CT_NAT_DST ? VIA_CT_DNAT : 0;
	*out = (struct via_ct_info){.size = size, .proto = c->t[0].proto, .expires_ns = MAX(c->expires - e->ct.now, 0),
				    .ctstate = (uint8_t)((c->is_answered ? VIA_CT_ESTABLISHED : VIA_CT_NEW) | nat)};
	for (int d = 0; d < 2; d++) {
		out->from[d] = (struct via_sockaddr){c->t[d].src, c->t[d].sport};
		out->to[d] = (struct via_sockaddr){c->t[d].dst, c->t[d].dport};
		out->packets[d] = c->packets[d];
		out->bytes[d] = c->bytes[d];
	}
	return true;
}
