/* link/acd.c - address conflict detection: one address from its first probe to its last announcement (RFC 5227 §2.1 to §2.3; RFC 4862
 * §5.4 with RFC 7527). */
#include "link/acd.h"

int64_t acd_begin(struct acd *c, uint32_t conflicts, uint64_t random, int64_t now)
{
	c->state = ACD_PROBING;
	c->sent = 0;
	return now + (int64_t)(random % ACD_PROBE_WAIT_NS) + (conflicts >= ACD_MAX_CONFLICTS ? ACD_RATE_LIMIT_NS : 0);
}

static enum acd_action acd_probe_timeout6(struct acd *c, int64_t now, int64_t *next)
{
	if (c->sent < c->probes) {
		c->sent++;
		*next = now + c->gap_ns;
		return ACD_PROBE;
	}
	c->state = ACD_BOUND;
	return ACD_CLAIM;
}

enum acd_action acd_timeout(struct acd *c, uint64_t random, int64_t now, int64_t *next)
{
	*next = TIME_NEVER;
	switch ((enum acd_state)c->state) {
	case ACD_PROBING:
		if (!via_addr_is_v4(&c->addr))
			return acd_probe_timeout6(c, now, next);
		if (c->sent < ACD_PROBE_NUM) {
			int64_t between = ACD_PROBE_MIN_NS + (int64_t)(random % (ACD_PROBE_MAX_NS - ACD_PROBE_MIN_NS + 1));
			*next = now + (++c->sent < ACD_PROBE_NUM ? between : ACD_ANNOUNCE_WAIT_NS);
			return ACD_PROBE;
		}
		c->state = ACD_ANNOUNCING;
		c->sent = 1;
		*next = now + ACD_ANNOUNCE_INTERVAL_NS;
		return ACD_CLAIM;
	case ACD_ANNOUNCING:
		if (++c->sent < ACD_ANNOUNCE_NUM)
			*next = now + ACD_ANNOUNCE_INTERVAL_NS;
		else
			c->state = ACD_BOUND;
		return ACD_ANNOUNCE;
	default:
		return ACD_NOTHING;
	}
}

bool acd_is_conflict(const struct acd *c, const struct arp_pkt *a, const uint8_t mac[6])
{
	if (!via_addr_is_v4(&c->addr) || memcmp(a->sha, mac, 6) == 0 || c->state == ACD_CONFLICT)
		return false;
	uint32_t addr = via_addr_to_v4(&c->addr);
	return a->spa == addr || (c->state <= ACD_PROBING && a->op == ARP_REQUEST && a->spa == 0 && a->tpa == addr);
}

bool acd_is_nd_conflict(const struct acd *c, const struct nd_msg *m, bool from_any)
{
	if (c->state > ACD_PROBING || memcmp(c->addr.b, m->target.b, 16) != 0)
		return false;
	if (m->type == ND_NA)
		return true;
	bool is_own = m->has_nonce && memcmp(m->nonce, c->nonce, ND_NONCE_LEN) == 0;
	return m->type == ND_NS && from_any && !is_own;
}
