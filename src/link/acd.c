/* link/acd.c - address conflict detection: one address from its first probe to its last announcement (RFC 5227 §2.1 to §2.3). */
#include "link/acd.h"

int64_t acd_begin(struct acd *c, uint32_t conflicts, uint64_t random, int64_t now)
{
	c->state = ACD_PROBING;
	c->sent = 0;
	return now + (int64_t)(random % ACD_PROBE_WAIT_NS) + (conflicts >= ACD_MAX_CONFLICTS ? ACD_RATE_LIMIT_NS : 0);
}

enum acd_action acd_timeout(struct acd *c, uint64_t random, int64_t now, int64_t *next)
{
	*next = TIME_NEVER;
	switch ((enum acd_state)c->state) {
	case ACD_PROBING:
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
	if (memcmp(a->sha, mac, 6) == 0 || c->state == ACD_CONFLICT)
		return false;
	return a->spa == c->addr || (c->state <= ACD_PROBING && a->op == ARP_REQUEST && a->spa == 0 && a->tpa == c->addr);
}
