/* net/slaac.c - stateless address autoconfiguration, the decisions (RFC 4862 §5.5.3; RFC 7217 §5; RFC 5453). */
#include "net/slaac.h"

#include "wire/addr.h"

bool slaac_prefix_is_usable(const struct nd_prefix *p)
{
	return p->autonomous && !addr_is_fe80(&p->prefix) && p->preferred_s <= p->valid_s && p->plen == 128 - SLAAC_IID_BITS &&
	       !via_addr_is_multicast(&p->prefix) && !via_addr_is_v4(&p->prefix) && !via_addr_is_any(&p->prefix);
}

int64_t slaac_until(uint32_t seconds, int64_t now)
{
	return seconds == ND_LIFETIME_INF ? TIME_NEVER : now + seconds * NS_PER_S;
}

int64_t slaac_valid_until(const struct nd_prefix *p, int64_t valid_until, int64_t now)
{
	int64_t offered = slaac_until(p->valid_s, now);
	if (offered > valid_until || p->valid_s > SLAAC_TWO_HOURS_NS / NS_PER_S)
		return offered;
	if (valid_until - now <= SLAAC_TWO_HOURS_NS)
		return valid_until;
	return now + SLAAC_TWO_HOURS_NS;
}

bool slaac_iid_is_reserved(const uint8_t iid[8])
{
	static const uint8_t router[8], iana[5] = {0x02, 0x00, 0x5e, 0xff, 0xfe}, anycast[7] = {0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	return memcmp(iid, router, 8) == 0 || memcmp(iid, iana, 5) == 0 || (memcmp(iid, anycast, 7) == 0 && iid[7] >= 0x80);
}

struct via_addr slaac_stable_addr(struct prf_key secret, const struct via_addr *prefix, const void *iface, size_t n, uint8_t tries)
{
	uint8_t text[8 + 32 + 2];
	struct via_addr a = addr_mask(prefix, 64);
	n = MIN(n, 32u);
	memcpy(text, a.b, 8);
	memcpy(text + 8, iface, n);
	text[8 + n] = tries;
	for (uint8_t again = 0;; again++) { /* §5: a reserved one is counted as a collision; four in a row are impossible */
		text[9 + n] = again;
		uint64_t rid = siphash_2_4(secret, text, n + 10);
		put_be32(a.b + 8, (uint32_t)(rid >> 32));
		put_be32(a.b + 12, (uint32_t)rid);
		if (!slaac_iid_is_reserved(a.b + 8) || again == SLAAC_IDGEN_RETRIES)
			return a;
	}
}
