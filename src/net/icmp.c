/* net/icmp.c - ICMP for IPv4: rate limit, building, meaning (RFC 792; RFC 1122 §3.2.2; RFC 1191 §3, §7; RFC 1812 §4.3.2).
 *
 * The limit is a virtual-time token bucket: one int64 per bucket says when it would be full again; a message is let
 * through when that is at most burst x cost ahead. Destinations share a bucket only by a keyed hash. */
#include "net/icmp.h"

#include <errno.h>

#include "base/csum.h"
#include "wire/tcp.h"

enum { QUOTE_MAX = 576 - IP4_HLEN - ICMP4_HLEN, PMTU_FLOOR = 552 };

void icmp_limit_init(struct icmp_limit *l, struct prf_key key)
{
	memset(l, 0, sizeof(*l));
	l->key = key;
	l->random.key = (struct prf_key){key.k1, key.k0};
}

static bool icmp_limit(struct icmp_limit *l, int64_t *paid, uint32_t dst, int64_t cost, int burst, int64_t now)
{
	int64_t *full = &paid[siphash_1_3(l->key, &dst, sizeof(dst)) % ICMP_BUCKETS];
	int64_t from = MAX(*full, now);
	if (from - now > cost * burst)
		return false;
	*full = from + cost / 2 + (int64_t)(prf_next(&l->random) % (uint64_t)cost);
	return true;
}

bool icmp_limit_error(struct icmp_limit *l, uint32_t dst, int64_t now)
{
	return icmp_limit(l, l->error_paid, dst, ICMP_ERROR_COST_NS, ICMP_ERROR_BURST, now);
}

bool icmp_limit_echo(struct icmp_limit *l, uint32_t dst, int64_t now)
{
	return icmp_limit(l, l->echo_paid, dst, ICMP_ECHO_COST_NS, ICMP_ECHO_BURST, now);
}

bool icmp_error_is_due(const struct pkt *p, const struct ip4_hdr *h, bool to_broadcast)
{
	if (to_broadcast || p->m.ether_mcast || h->dst >> 28 >= 0xe || h->frag & 0x1fff)
		return false;
	if (h->src >> 24 == 0 || h->src >> 28 >= 0xe)
		return false;
	if (h->proto != IPPROTO_N_ICMP)
		return true;
	/* An ICMP message that is no known query may be an error of a kind we do not know. */
	uint32_t end = (uint32_t)p->head + p->head_len;
	return p->m.l4 < end && (p->linear[p->m.l4] == ICMP4_ECHO || p->linear[p->m.l4] == ICMP4_ECHO_REPLY ||
				 (p->linear[p->m.l4] >= 13 && p->linear[p->m.l4] <= 18));
}

/* Quote p from its IP header into q. Returns bytes. A superframe never was on a wire: its first segment is quoted, as gso_cut()
 * would have made it. */
static uint32_t icmp_quote(struct pktmem *m, struct pkt *p, uint8_t q[QUOTE_MAX])
{
	uint32_t off = (uint32_t)(p->m.l3 - p->head), hlen = (uint32_t)(p->m.l4 - p->m.l3);
	if (!p->m.gso_size) {
		pkt_csum_finish(m, p);
		return pkt_copy_out(m, p, off, q, QUOTE_MAX);
	}
	uint32_t thl = (p->linear[p->m.l4 + 12] >> 4) * 4u;
	uint32_t unit = MIN(hlen + thl + p->m.gso_size, p->len - off), n = pkt_copy_out(m, p, off, q, MIN(unit, (uint32_t)QUOTE_MAX));
	uint8_t *tcp = q + hlen;
	put_be16(q + 2, (uint16_t)unit);
	put_be16(q + 10, 0);
	put_be16(q + 10, csum_field(csum_add(0, q, hlen)));
	if (unit < p->len - off)
		tcp[13] &= (uint8_t)~(TCP_FIN | TCP_PSH);
	put_be16(tcp + 16, 0);
	uint64_t sum = csum_add(ip4_pseudo(get_be32(q + 12), get_be32(q + 16), IPPROTO_N_TCP, unit - hlen), tcp, thl);
	put_be16(tcp + 16, csum_field(pkt_csum(m, p, off + hlen + thl, unit - hlen - thl, sum)));
	return n;
}

struct pkt *icmp_error_build(struct pktmem *m, struct pkt *p, uint8_t type, uint8_t code, uint32_t rest)
{
	uint8_t msg[ICMP4_HLEN + QUOTE_MAX];
	uint32_t n = icmp_quote(m, p, msg + ICMP4_HLEN);
	icmp4_emit(msg, &(struct icmp4_hdr){.type = type, .code = code, .rest = rest});
	put_be16(msg + 2, csum_field(csum_add(0, msg, ICMP4_HLEN + n)));
	struct pkt *e = pkt_new(m, PKT_HEADROOM);
	if (!e)
		return NULL;
	e->m.l4 = e->head;
	e->m.why = WHY_ICMP_ERROR;
	memcpy(pkt_put(e, ICMP4_HLEN + n), msg, ICMP4_HLEN + n);
	return e;
}

void icmp_echo_turn(struct pkt *p)
{
	uint8_t *h = pkt_data(p);
	uint16_t from = get_be16(h);
	h[0] = ICMP4_ECHO_REPLY;
	put_be16(h + 2, csum_update(get_be16(h + 2), from, get_be16(h)));
	p->m.why = WHY_ICMP_ECHO;
}

/* A router of before RFC 1191 gives no MTU: the next plateau below what was quoted (RFC 1191 §7.1). */
static uint32_t icmp_plateau(uint32_t total_len)
{
	static const uint16_t plateau[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006, 508};
	for (size_t i = 0; i < ARRAY_LEN(plateau); i++)
		if (plateau[i] < total_len)
			return plateau[i];
	return PMTU_FLOOR;
}

bool icmp_error_cause(const struct icmp4_hdr *h, const struct icmp4_quote *q, struct icmp_cause *out)
{
	static const struct { int err; bool hard; } unreach[] = {
		{ENETUNREACH, false}, {EHOSTUNREACH, false}, {ENOPROTOOPT, true}, {ECONNREFUSED, true}, {EMSGSIZE, false},
		{EOPNOTSUPP, false}, {ENETUNREACH, true}, {EHOSTDOWN, true}, {ENONET, true}, {ENETUNREACH, true},
		{EHOSTUNREACH, true}, {ENETUNREACH, false}, {EHOSTUNREACH, false}, {EHOSTUNREACH, true}, {EHOSTUNREACH, true},
		{EHOSTUNREACH, true},
	};
	*out = (struct icmp_cause){0};
	switch (h->type) {
	case ICMP4_UNREACH:
		if (h->code >= ARRAY_LEN(unreach))
			return false;
		out->err = unreach[h->code].err;
		out->hard = unreach[h->code].hard;
		if (h->code == ICMP4_UNREACH_FRAG) {
			uint32_t mtu = h->rest & 0xffff;
			out->mtu = MAX(mtu ? mtu : icmp_plateau(q->total_len), (uint32_t)PMTU_FLOOR); /* PM-002 */
		}
		return true;
	case ICMP4_TIME_EXCEEDED:
		out->err = EHOSTUNREACH;
		return true;
	case ICMP4_PARAM:
		out->err = EPROTO;
		return true;
	default:
		return false;
	}
}
