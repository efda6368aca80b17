/* net/routers.c - default routers and on-link prefixes of one link (see routers.h). RFC 4861 §6.3.4 to §6.3.6; RFC 4191 §3.2. */
#include "net/routers.h"

#include "net/slaac.h"
#include "wire/addr.h"

static struct router *routers_find(struct routers *r, const struct via_addr *addr)
{
	for (uint8_t i = 0; i < r->n_routers; i++)
		if (memcmp(r->router[i].addr.b, addr->b, 16) == 0)
			return &r->router[i];
	return NULL;
}

bool router_is_better(const struct router *a, const struct router *b)
{
	if (a->is_suspect != b->is_suspect)
		return b->is_suspect;
	if (a->preference != b->preference && !a->is_suspect)
		return a->preference > b->preference;
	return (int32_t)(a->order - b->order) < 0;
}

const struct router *routers_best(const struct routers *r)
{
	const struct router *best = NULL;
	for (uint8_t i = 0; i < r->n_routers; i++)
		if (!best || router_is_better(&r->router[i], best))
			best = &r->router[i];
	return best;
}

bool routers_remove(struct routers *r, const struct via_addr *addr)
{
	struct router *x = routers_find(r, addr);
	if (!x)
		return false;
	*x = r->router[--r->n_routers];
	return true;
}

/* A place for a router of this preference, or NULL. */
static struct router *routers_place(struct routers *r, int8_t preference)
{
	if (r->n_routers < ROUTERS_MAX)
		return &r->router[r->n_routers++];
	struct router *worst = &r->router[0];
	for (uint8_t i = 1; i < r->n_routers; i++)
		if (router_is_better(worst, &r->router[i]))
			worst = &r->router[i];
	return worst->is_suspect || worst->preference < preference ? worst : NULL;
}

bool routers_hear(struct routers *r, const struct via_addr *addr, uint16_t lifetime_s, int8_t preference, int64_t now)
{
	if (lifetime_s == 0) {
		routers_remove(r, addr);
		return true;
	}
	struct router *x = routers_find(r, addr);
	if (!x) {
		x = routers_place(r, preference);
		if (!x)
			return false;
		*x = (struct router){.addr = *addr, .order = r->order++};
	}
	x->preference = preference;
	x->until = now + lifetime_s * NS_PER_S;
	return true;
}

bool routers_suspect(struct routers *r, const struct via_addr *addr, bool is_suspect)
{
	struct router *x = routers_find(r, addr);
	if (!x || (!is_suspect && !x->is_suspect))
		return false;
	if (is_suspect)
		x->order = r->order++; /* behind the others, for when all are such */
	x->is_suspect = is_suspect;
	return true;
}

static struct router_prefix *routers_find_prefix(struct routers *r, const struct via_addr *prefix, uint8_t plen)
{
	for (uint8_t i = 0; i < r->n_prefixes; i++)
		if (r->prefix[i].plen == plen && addr_in_prefix(prefix, &r->prefix[i].prefix, plen))
			return &r->prefix[i];
	return NULL;
}

bool routers_has_prefix(const struct routers *r, const struct via_addr *prefix, uint8_t plen)
{
	return routers_find_prefix((struct routers *)(uintptr_t)r, prefix, plen) != NULL;
}

enum prefix_news routers_hear_prefix(struct routers *r, const struct nd_prefix *p, int64_t now)
{
	if (!p->on_link || addr_is_fe80(&p->prefix) || via_addr_is_multicast(&p->prefix) || via_addr_is_v4(&p->prefix) || p->plen == 0)
		return PREFIX_SAME;
	struct router_prefix *x = routers_find_prefix(r, &p->prefix, p->plen);
	if (x && p->valid_s == 0) {
		*x = r->prefix[--r->n_prefixes];
		return PREFIX_GONE;
	}
	if (!x && (p->valid_s == 0 || r->n_prefixes == ROUTERS_PREFIXES_MAX))
		return PREFIX_SAME;
	bool is_new = !x;
	if (is_new) {
		x = &r->prefix[r->n_prefixes++];
		*x = (struct router_prefix){.prefix = addr_mask(&p->prefix, p->plen), .plen = p->plen};
	}
	x->until = slaac_until(p->valid_s, now);
	return is_new ? PREFIX_NEW : PREFIX_SAME;
}

bool routers_expire(struct routers *r, int64_t now, bool *lost, struct router_prefix *gone)
{
	for (uint8_t i = 0; i < r->n_routers;) {
		if (r->router[i].until > now) {
			i++;
			continue;
		}
		r->router[i] = r->router[--r->n_routers];
		*lost = true;
	}
	for (uint8_t i = 0; i < r->n_prefixes; i++) {
		if (r->prefix[i].until <= now) {
			*gone = r->prefix[i];
			r->prefix[i] = r->prefix[--r->n_prefixes];
			return true;
		}
	}
	return false;
}

int64_t routers_next(const struct routers *r)
{
	int64_t next = TIME_NEVER;
	for (uint8_t i = 0; i < r->n_routers; i++)
		next = MIN(next, r->router[i].until);
	for (uint8_t i = 0; i < r->n_prefixes; i++)
		next = MIN(next, r->prefix[i].until);
	return next;
}
