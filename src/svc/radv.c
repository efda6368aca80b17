/* svc/radv.c - router advertisements: when, and what (RFC 4861 §6.2.1 to §6.2.7). */
#include "svc/radv.h"

#include <errno.h>

#include "wire/addr.h"

enum { LIFETIME_MAX_S = 9000, INTERVAL_MIN_S = 3 };

static uint32_t radv_max_s(const struct radv *r)
{
	return r->c.max_interval_s ? r->c.max_interval_s : RADV_MAX_INTERVAL_S;
}

static uint16_t radv_lifetime_s(const struct radv *r)
{
	return (uint16_t)(r->c.lifetime_s < 0 ? MIN(radv_max_s(r) * 3, (uint32_t)LIFETIME_MAX_S) : (uint32_t)r->c.lifetime_s);
}

void radv_init(struct radv *r)
{
	*r = (struct radv){.next = TIME_NEVER, .c = {.lifetime_s = -1, .hop_limit = 64}};
}

/* A time between the least and the most interval from now; the first ones come soon (§6.2.4). */
static int64_t radv_interval(const struct radv *r, uint64_t random)
{
	int64_t most = radv_max_s(r) * NS_PER_S, least = MAX(most / 3, INTERVAL_MIN_S * NS_PER_S);
	int64_t wait = least + (int64_t)(random % (uint64_t)(most - least + 1));
	return r->left ? MIN(wait, RADV_INITIAL_NS) : wait;
}

/* The next leaves at `at`, if that is earlier than it would, but no sooner than the rate allows (§6.2.6). */
static void radv_hurry(struct radv *r, int64_t at)
{
	if (r->sent)
		at = MAX(at, r->last + RADV_MIN_DELAY_NS);
	r->next = MIN(r->next, at);
}

void radv_start(struct radv *r, uint64_t random, int64_t now)
{
	if (r->state == RADV_ON)
		return;
	r->state = RADV_ON;
	r->left = RADV_INITIAL_NUM;
	r->next = TIME_NEVER;
	radv_hurry(r, now + (int64_t)(random % RADV_ANSWER_NS));
}

void radv_stop(struct radv *r, int64_t now)
{
	if (r->state != RADV_ON)
		return;
	r->state = RADV_ENDING;
	r->left = RADV_FINAL_NUM;
	r->next = TIME_NEVER;
	radv_hurry(r, now);
}

void radv_solicited(struct radv *r, uint64_t random, int64_t now)
{
	if (r->state == RADV_ON)
		radv_hurry(r, now + (int64_t)(random % RADV_ANSWER_NS));
}

void radv_changed(struct radv *r, int64_t now)
{
	if (r->state != RADV_ON)
		return;
	r->left = RADV_INITIAL_NUM;
	radv_hurry(r, now);
}

bool radv_due(struct radv *r, uint64_t random, int64_t now)
{
	if (r->state == RADV_OFF || now < r->next)
		return false;
	r->last = now;
	r->sent++;
	r->left -= r->left > 0;
	if (r->state == RADV_ENDING) {
		r->next = r->left ? now + RADV_MIN_DELAY_NS : TIME_NEVER;
		r->state = r->left ? RADV_ENDING : RADV_OFF;
		r->sent = r->left ? r->sent : 0;
		return true;
	}
	r->next = now + radv_interval(r, random);
	return true;
}

void radv_fill(const struct radv *r, struct nd_msg *m)
{
	*m = (struct nd_msg){.type = ND_RA, .hop_limit = r->c.hop_limit, .managed = r->c.managed, .other = r->c.other,
			     .preference = r->c.preference, .lifetime_s = r->state == RADV_ON ? radv_lifetime_s(r) : 0,
			     .reachable_ms = r->c.reachable_ms, .retrans_ms = r->c.retrans_ms, .mtu = r->c.mtu, .n_prefixes = r->c.n_prefixes};
	if (!m->lifetime_s)
		m->preference = ND_PREF_MEDIUM; /* RFC 4191 §2.2 */
	memcpy(m->prefix, r->c.prefix, r->c.n_prefixes * sizeof(m->prefix[0]));
}

static bool both_differ(uint32_t a, uint32_t b)
{
	return a && b && a != b; /* 0: not said */
}

bool radv_agrees(const struct radv *r, const struct nd_msg *o)
{
	const struct radv_config *c = &r->c;
	if (both_differ(c->hop_limit, o->hop_limit) || both_differ(c->reachable_ms, o->reachable_ms) ||
	    both_differ(c->retrans_ms, o->retrans_ms) || both_differ(c->mtu, o->mtu) || c->managed != o->managed || c->other != o->other)
		return false;
	for (uint8_t i = 0; i < o->n_prefixes; i++) {
		for (uint8_t k = 0; k < c->n_prefixes; k++) {
			const struct nd_prefix *a = &c->prefix[k], *b = &o->prefix[i];
			if (a->plen == b->plen && addr_in_prefix(&a->prefix, &b->prefix, a->plen) &&
			    (a->valid_s != b->valid_s || a->preferred_s != b->preferred_s))
				return false;
		}
	}
	return true;
}

static struct nd_prefix *radv_prefix_find(struct radv *r, const struct via_addr *prefix, uint8_t plen)
{
	for (uint8_t i = 0; i < r->c.n_prefixes; i++)
		if (r->c.prefix[i].plen == plen && addr_in_prefix(prefix, &r->c.prefix[i].prefix, plen))
			return &r->c.prefix[i];
	return NULL;
}

int radv_prefix_set(struct radv *r, const struct nd_prefix *p)
{
	if (p->plen > 128 || p->preferred_s > p->valid_s || via_addr_is_v4(&p->prefix) || addr_is_fe80(&p->prefix) ||
	    via_addr_is_multicast(&p->prefix))
		return -EINVAL;
	struct nd_prefix *at = radv_prefix_find(r, &p->prefix, p->plen);
	if (!at && r->c.n_prefixes == RADV_PREFIXES_MAX)
		return -ENOSPC;
	if (!at)
		at = &r->c.prefix[r->c.n_prefixes++];
	*at = *p;
	at->prefix = addr_mask(&p->prefix, p->plen);
	return 0;
}

int radv_prefix_del(struct radv *r, const struct via_addr *prefix, uint8_t plen)
{
	struct nd_prefix *at = radv_prefix_find(r, prefix, plen);
	if (!at)
		return -ENOENT;
	*at = r->c.prefix[--r->c.n_prefixes];
	return 0;
}
