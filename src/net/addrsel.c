/* net/addrsel.c - default address selection (RFC 6724 §2.1, §5, §6), each rule a line in the order of the RFC. */
#include "net/addrsel.h"

#include "wire/addr.h"

unsigned addrsel_scope_of(const struct via_addr *a)
{
	if (via_addr_is_v4(a)) /* §3.2: autoconfigured and loopback ones are of the link; private ones are global */
		return a->b[12] == 127 || (a->b[12] == 169 && a->b[13] == 254) ? SCOPE_LINK : SCOPE_GLOBAL;
	if (via_addr_is_multicast(a))
		return a->b[1] & 15;
	if (addr_is_fe80(a) || via_addr_is_loopback(a)) /* RFC 4007 §4: ::1 is of a virtual link of its own */
		return SCOPE_LINK;
	return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0xc0 ? SCOPE_SITE : SCOPE_GLOBAL;
}

unsigned addrsel_common(const struct via_addr *s, uint8_t plen, const struct via_addr *d)
{
	unsigned n = 0, max = via_addr_is_v4(s) ? plen + 96u : plen;
	while (n < max && n < 128 && ((s->b[n / 8] ^ d->b[n / 8]) >> (7 - n % 8) & 1) == 0)
		n++;
	return n;
}

struct addrsel_policy addrsel_policy_of(const struct via_addr *a)
{
	static const struct {
		uint8_t prefix[12], last, plen;
		struct addrsel_policy policy;
	} table[] = { /* longest first */
		{{0}, 1, 128, {50, 0}},
		{{[10] = 0xff, [11] = 0xff}, 0, 96, {35, 4}},
		{{0}, 0, 96, {1, 3}},
		{{0x20, 1}, 0, 32, {5, 5}},
		{{0x20, 2}, 0, 16, {30, 2}},
		{{0x3f, 0xfe}, 0, 16, {1, 12}},
		{{0xfe, 0xc0}, 0, 10, {1, 11}},
		{{0xfc}, 0, 7, {3, 13}},
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct via_addr p = {.b = {[15] = table[i].last}};
		memcpy(p.b, table[i].prefix, sizeof(table[i].prefix));
		if (addrsel_common(&p, via_addr_is_v4(&p) ? 0 : table[i].plen, a) == table[i].plen)
			return table[i].policy;
	}
	return (struct addrsel_policy){40, 1};
}

bool addrsel_source_is_better(const struct addr_entry *a, const struct addr_entry *b, const struct via_addr *dst, uint16_t ifindex)
{
	bool is_a = memcmp(a->addr.b, dst->b, 16) == 0, is_b = memcmp(b->addr.b, dst->b, 16) == 0;
	if (is_a || is_b) /* 1: the same address */
		return is_a;
	unsigned sa = addrsel_scope_of(&a->addr), sb = addrsel_scope_of(&b->addr), sd = addrsel_scope_of(dst);
	if (sa != sb) /* 2: the smallest that is enough, else the largest */
		return sa < sb ? sa >= sd : sb < sd;
	if (a->is_deprecated != b->is_deprecated) /* 3 */
		return b->is_deprecated;
	if ((a->ifindex == ifindex) != (b->ifindex == ifindex)) /* 5: the outgoing interface; 4: no home addresses */
		return a->ifindex == ifindex;
	uint8_t la = addrsel_policy_of(&a->addr).label, lb = addrsel_policy_of(&b->addr).label, ld = addrsel_policy_of(dst).label;
	if ((la == ld) != (lb == ld)) /* 6: matching label */
		return la == ld;
	if (a->is_temporary != b->is_temporary) /* 7 */
		return a->is_temporary;
	return addrsel_common(&a->addr, a->plen, dst) > addrsel_common(&b->addr, b->plen, dst); /* 8 */
}

/* Is a to be tried before b? */
static bool addrsel_dst_is_better(const struct addrsel_dst *a, const struct addrsel_dst *b)
{
	if (!a->source || !b->source) /* 1: avoid unusable ones */
		return a->source && !b->source;
	unsigned da = addrsel_scope_of(&a->addr), db = addrsel_scope_of(&b->addr);
	bool ma = da == addrsel_scope_of(&a->source->addr), mb = db == addrsel_scope_of(&b->source->addr);
	if (ma != mb) /* 2: matching scope */
		return ma;
	if (a->source->is_deprecated != b->source->is_deprecated) /* 3; 4: no home addresses */
		return b->source->is_deprecated;
	struct addrsel_policy pa = addrsel_policy_of(&a->addr), pb = addrsel_policy_of(&b->addr);
	bool la = pa.label == addrsel_policy_of(&a->source->addr).label, lb = pb.label == addrsel_policy_of(&b->source->addr).label;
	if (la != lb) /* 5: matching label */
		return la;
	if (pa.precedence != pb.precedence) /* 6 */
		return pa.precedence > pb.precedence;
	if (da != db) /* 8: smaller scope; 7: all transport is native */
		return da < db;
	if (via_addr_is_v4(&a->addr) != via_addr_is_v4(&b->addr)) /* 9 is within a family */
		return false;
	return addrsel_common(&a->source->addr, a->source->plen, &a->addr) > addrsel_common(&b->source->addr, b->source->plen, &b->addr);
}

void addrsel_sort(struct addrsel_dst *v, uint32_t n)
{
	for (uint32_t i = 1; i < MIN(n, ADDRSEL_DSTS_MAX); i++) {
		struct addrsel_dst x = v[i];
		uint32_t k = i;
		for (; k > 0 && addrsel_dst_is_better(&x, &v[k - 1]); k--)
			v[k] = v[k - 1];
		v[k] = x; /* 10: equals keep their order */
	}
}
