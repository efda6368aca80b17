/* net/icmp.c - ICMP of both families: rate limit, building, meaning (RFC 792; RFC 1122 §3.2.2; RFC 1191 §3, §7; RFC 1812 §4.3.2;
 * RFC 4443; RFC 8201).
 *
 * The limit is a virtual-time token bucket: one int64 per bucket says when it would be full again; a message is let
 * through when that is at most burst x cost ahead in one of the destination's buckets, and is charged to each that has room. */
#include "net/icmp.h"

#include <errno.h>

#include "base/csum.h"
#include "net/ext6.h"
#include "net/gso.h"
#include "wire/addr.h"
#include "wire/tcp.h"

enum { QUOTE_MAX4 = 576 - IP4_HLEN - ICMP4_HLEN, QUOTE_MAX = IP6_MTU_MIN - IP6_HLEN - ICMP6_HLEN, PMTU_FLOOR = 552 };

void icmp_limit_init(struct icmp_limit *l, struct prf_key key)
{
	memset(l, 0, sizeof(*l));
	l->key = key;
	l->random.key = (struct prf_key){key.k1, key.k0};
}

/* Another key, and every bucket full: 20 errors more a minute and destination. */
static void icmp_rekey(struct icmp_limit *l, int64_t now)
{
	if (now < l->rekey_at)
		return;
	if (l->rekey_at) {
		l->key = (struct prf_key){prf_next(&l->random), prf_next(&l->random)};
		memset(l->error_paid, 0, sizeof(l->error_paid));
		memset(l->echo_paid, 0, sizeof(l->echo_paid));
	}
	l->rekey_at = now + ICMP_REKEY_NS;
}

static bool icmp_limit(struct icmp_limit *l, int64_t paid[ICMP_ROWS][ICMP_BUCKETS], const struct via_addr *dst, int64_t cost, int burst,
		       int64_t now)
{
	icmp_rekey(l, now);
	uint64_t h = siphash_1_3(l->key, dst->b, sizeof(dst->b));
	int64_t price = cost / 2 + (int64_t)(prf_next(&l->random) % (uint64_t)cost);
	bool may = false;
	for (uint32_t i = 0; i < ICMP_ROWS; i++, h >>= 8) {
		int64_t *full = &paid[i][h % ICMP_BUCKETS], from = MAX(*full, now);
		if (from - now > cost * burst)
			continue;
		*full = from + price;
		may = true;
	}
	return may;
}

bool icmp_limit_error(struct icmp_limit *l, const struct via_addr *dst, int64_t now)
{
	return icmp_limit(l, l->error_paid, dst, ICMP_ERROR_COST_NS, ICMP_ERROR_BURST, now);
}

bool icmp_limit_echo(struct icmp_limit *l, const struct via_addr *dst, int64_t now)
{
	return icmp_limit(l, l->echo_paid, dst, ICMP_ECHO_COST_NS, ICMP_ECHO_BURST, now);
}

/* ---- what is said ---- */

static const struct { int8_t type4; uint8_t code4; int8_t type6; uint8_t code6; } says[ICMP_SAY_COUNT] = {
	[ICMP_SAY_NO_ROUTE] = {ICMP4_UNREACH, ICMP4_UNREACH_NET, ICMP6_UNREACH, ICMP6_NO_ROUTE},
	[ICMP_SAY_NO_HOST] = {ICMP4_UNREACH, ICMP4_UNREACH_HOST, ICMP6_UNREACH, ICMP6_NO_ADDRESS},
	[ICMP_SAY_NO_PROTOCOL] = {ICMP4_UNREACH, ICMP4_UNREACH_PROTO, ICMP6_PARAM, ICMP6_PARAM_NEXT},
	[ICMP_SAY_NO_PORT] = {ICMP4_UNREACH, ICMP4_UNREACH_PORT, ICMP6_UNREACH, ICMP6_NO_PORT},
	[ICMP_SAY_TOO_BIG] = {ICMP4_UNREACH, ICMP4_UNREACH_FRAG, ICMP6_TOO_BIG, 0},
	[ICMP_SAY_NET_PROHIBITED] = {ICMP4_UNREACH, 9, ICMP6_UNREACH, ICMP6_PROHIBITED},
	[ICMP_SAY_HOST_PROHIBITED] = {ICMP4_UNREACH, 10, ICMP6_UNREACH, ICMP6_PROHIBITED},
	[ICMP_SAY_FILTERED] = {ICMP4_UNREACH, ICMP4_UNREACH_FILTERED, ICMP6_UNREACH, ICMP6_PROHIBITED},
	[ICMP_SAY_REJECT_ROUTE] = {ICMP4_UNREACH, ICMP4_UNREACH_HOST, ICMP6_UNREACH, ICMP6_REJECT_ROUTE},
	[ICMP_SAY_BAD_SOURCE] = {ICMP4_UNREACH, ICMP4_UNREACH_FILTERED, ICMP6_UNREACH, ICMP6_POLICY},
	[ICMP_SAY_BEYOND_SCOPE] = {ICMP4_UNREACH, ICMP4_UNREACH_HOST, ICMP6_UNREACH, ICMP6_BEYOND_SCOPE},
	[ICMP_SAY_TTL] = {ICMP4_TIME_EXCEEDED, 0, ICMP6_TIME_EXCEEDED, 0},
	[ICMP_SAY_REASSEMBLY] = {ICMP4_TIME_EXCEEDED, 1, ICMP6_TIME_EXCEEDED, 1},
	[ICMP_SAY_REDIRECT] = {ICMP4_REDIRECT, 1, -1, 0},
	[ICMP_SAY_BAD_FIELD] = {ICMP4_PARAM, 0, ICMP6_PARAM, ICMP6_PARAM_FIELD},
	[ICMP_SAY_BAD_OPTION] = {-1, 0, ICMP6_PARAM, ICMP6_PARAM_OPTION},
	[ICMP_SAY_BAD_CHAIN] = {-1, 0, ICMP6_PARAM, ICMP6_PARAM_CHAIN},
};

bool icmp_say(enum icmp_say say, bool is_v6, uint32_t rest, struct icmp4_hdr *out)
{
	int type = is_v6 ? says[say].type6 : says[say].type4;
	bool has_rest = say == ICMP_SAY_TOO_BIG || say == ICMP_SAY_REDIRECT || type == (is_v6 ? ICMP6_PARAM : ICMP4_PARAM);
	if (type < 0)
		return false;
	*out = (struct icmp4_hdr){.type = (uint8_t)type, .code = is_v6 ? says[say].code6 : says[say].code4, .rest = has_rest ? rest : 0};
	if (type == ICMP4_PARAM && !is_v6)
		out->rest = rest << 24;
	return true;
}

enum icmp_say icmp_say_unreach4(uint8_t code)
{
	static const uint8_t say[] = {
		ICMP_SAY_NO_ROUTE, ICMP_SAY_NO_HOST, ICMP_SAY_NO_PROTOCOL, ICMP_SAY_NO_PORT, ICMP_SAY_COUNT, ICMP_SAY_NO_HOST,
		ICMP_SAY_NO_ROUTE, ICMP_SAY_NO_HOST, ICMP_SAY_NO_HOST, ICMP_SAY_NET_PROHIBITED, ICMP_SAY_HOST_PROHIBITED,
		ICMP_SAY_NO_ROUTE, ICMP_SAY_NO_HOST, ICMP_SAY_FILTERED, ICMP_SAY_FILTERED, ICMP_SAY_FILTERED,
	};
	return code < ARRAY_LEN(say) ? (enum icmp_say)say[code] : ICMP_SAY_COUNT;
}

/* Is the ICMP message of type t a query or its answer? One that is no known query may be an error of a kind we do not know; IPv6 tells
 * by the number. */
static bool icmp_is_query(bool is_v6, uint8_t t)
{
	if (is_v6)
		return !icmp6_is_error(t) && t != ICMP6_REDIRECT;
	return t == ICMP4_ECHO || t == ICMP4_ECHO_REPLY || (t >= 13 && t <= 18);
}

/* Where the ICMP message in p begins, an offset from its front; 0: p carries another transport, or hides it. *is_hidden: it is ICMP, but
 * its type is not there. */
static uint32_t icmp_at(const struct pktmem *m, const struct pkt *p, const struct ip_hdr *h, bool *is_hidden)
{
	uint32_t at = IP6_HLEN;
	*is_hidden = false;
	if (!h->is_v6)
		return ip_is_icmp(h) ? (uint32_t)(p->m.l4 - p->m.l3) : 0;
	bool is_icmp = ext6_skip(m, p, p->linear[p->head + 6], &at, is_hidden) == IPPROTO_N_ICMP6;
	*is_hidden = *is_hidden && is_icmp;
	return is_icmp ? at : 0;
}

bool icmp_error_is_due(const struct pktmem *m, const struct pkt *p, const struct ip_hdr *h, bool to_broadcast, enum icmp_say say)
{
	bool to_many = to_broadcast || p->m.ether_mcast || via_addr_is_multicast(&h->dst), is_hidden;
	bool may_to_many = h->is_v6 && (say == ICMP_SAY_TOO_BIG || say == ICMP_SAY_BAD_OPTION);
	if ((to_many && !may_to_many) || (h->frag_off && !h->is_v6))
		return false;
	if (via_addr_is_any(&h->src) || via_addr_is_multicast(&h->src))
		return false;
	if (!h->is_v6 && (h->src.b[12] == 0 || h->src.b[12] >= 0xe0 || h->dst.b[12] >= 0xe0))
		return false;
	uint32_t at = icmp_at(m, p, h, &is_hidden);
	uint8_t type;
	if (!at)
		return true;
	return !is_hidden && pkt_copy_out(m, p, at, &type, 1) == 1 && icmp_is_query(h->is_v6, type);
}

/* Quote p from its IP header into q. Returns bytes. A superframe never was on a wire: its first segment is quoted, as gso_cut()
 * would have made it. */
static uint32_t icmp_quote(struct pktmem *m, struct pkt *p, uint8_t *q, uint32_t max)
{
	uint32_t off = (uint32_t)(p->m.l3 - p->head), hlen = (uint32_t)(p->m.l4 - p->m.l3);
	if (!p->m.gso_size) {
		pkt_csum_finish(m, p);
		return pkt_copy_out(m, p, off, q, max);
	}
	uint32_t thl = (p->linear[p->m.l4 + 12] >> 4) * 4u;
	uint32_t unit = MIN(hlen + thl + p->m.gso_size, p->len - off), n = pkt_copy_out(m, p, off, q, MIN(unit, max));
	uint8_t *tcp = q + hlen;
	gso_ip_header(q, unit, 0);
	if (unit < p->len - off)
		tcp[13] &= (uint8_t)~(TCP_FIN | TCP_PSH);
	put_be16(tcp + 16, 0);
	uint64_t sum = csum_add(gso_tcp_pseudo(q, unit - hlen), tcp, thl);
	put_be16(tcp + 16, csum_field(pkt_csum(m, p, off + hlen + thl, unit - hlen - thl, sum)));
	return n;
}

struct pkt *icmp_error_build(struct pktmem *mem, struct pkt *p, const struct icmp4_hdr *m)
{
	uint8_t msg[ICMP4_HLEN + QUOTE_MAX];
	bool is_v6 = p->linear[p->m.l3] >> 4 == 6;
	uint32_t n = ICMP4_HLEN + icmp_quote(mem, p, msg + ICMP4_HLEN, is_v6 ? QUOTE_MAX : QUOTE_MAX4);
	icmp4_emit(msg, m);
	if (!is_v6)
		put_be16(msg + 2, csum_field(csum_add(0, msg, n)));
	struct pkt *e = pkt_new(mem, PKT_HEADROOM);
	if (!e)
		return NULL;
	e->m.l4 = e->head;
	e->m.why = WHY_ICMP_ERROR;
	memcpy(pkt_put(e, n), msg, n);
	return e;
}

void icmp_echo_turn(struct pkt *p, bool is_v6)
{
	uint8_t *h = pkt_data(p);
	uint16_t from = get_be16(h);
	h[0] = is_v6 ? ICMP6_ECHO_REPLY : ICMP4_ECHO_REPLY;
	put_be16(h + 2, csum_update(get_be16(h + 2), from, get_be16(h)));
	p->m.why = WHY_ICMP_ECHO;
}

void icmp6_csum_partial(struct pkt *p, const struct via_addr *local, const struct via_addr *remote)
{
	p->m.csum = PKT_CSUM_PARTIAL;
	p->m.csum_start = p->m.l4 = p->head;
	p->m.csum_offset = 2;
	put_be16(pkt_data(p) + 2, csum_fold(addr_pseudo(local, remote, IPPROTO_N_ICMP6, p->len)));
}

/* ---- what arrives ---- */

bool icmp_quote_read(bool is_v6, uint32_t zone, const uint8_t *bytes, size_t len, struct icmp_quote *q)
{
	struct icmp4_quote q4;
	struct icmp6_quote q6;
	if (is_v6 ? icmp6_quote_parse(bytes, len, &q6) : icmp4_quote_parse(bytes, len, &q4))
		return false;
	if (is_v6)
		*q = (struct icmp_quote){addr_on_link(&q6.src, zone), addr_on_link(&q6.dst, zone), q6.total_len, q6.seq, q6.sport, q6.dport,
					 q6.proto == IPPROTO_N_ICMP6 ? IPPROTO_N_ICMP : q6.proto};
	else
		*q = (struct icmp_quote){via_addr_v4(q4.src), via_addr_v4(q4.dst), q4.total_len, q4.seq, q4.sport, q4.dport, q4.proto};
	return !is_v6 || q6.proto != IPPROTO_N_ICMP; /* ICMPv4 in IPv6 is nothing */
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

static bool icmp4_cause(const struct icmp4_hdr *h, const struct icmp_quote *q, struct icmp_cause *out)
{
	static const struct { int err; bool hard; } unreach[] = {
		{ENETUNREACH, false}, {EHOSTUNREACH, false}, {ENOPROTOOPT, true}, {ECONNREFUSED, true}, {EMSGSIZE, false},
		{EOPNOTSUPP, false}, {ENETUNREACH, true}, {EHOSTDOWN, true}, {ENONET, true}, {ENETUNREACH, true},
		{EHOSTUNREACH, true}, {ENETUNREACH, false}, {EHOSTUNREACH, false}, {EHOSTUNREACH, true}, {EHOSTUNREACH, true},
		{EHOSTUNREACH, true},
	};
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

/* Linux: icmpv6_err_convert(), but for a route that rejects, which is EACCES there: here it is what that route is to who has it. */
static bool icmp6_cause(const struct icmp4_hdr *h, struct icmp_cause *out)
{
	static const struct { int err; bool hard; } unreach[] = {
		[ICMP6_NO_ROUTE] = {ENETUNREACH, false}, [ICMP6_PROHIBITED] = {EACCES, true}, [ICMP6_BEYOND_SCOPE] = {EHOSTUNREACH, false},
		[ICMP6_NO_ADDRESS] = {EHOSTUNREACH, false}, [ICMP6_NO_PORT] = {ECONNREFUSED, true}, [ICMP6_POLICY] = {EACCES, true},
		[ICMP6_REJECT_ROUTE] = {EHOSTUNREACH, true},
	};
	out->err = EPROTO;
	switch (h->type) {
	case ICMP6_UNREACH:
		if (h->code < ARRAY_LEN(unreach)) {
			out->err = unreach[h->code].err;
			out->hard = unreach[h->code].hard;
		}
		return true;
	case ICMP6_TOO_BIG:
		out->err = EMSGSIZE;
		out->mtu = MAX(h->rest, IP6_MTU_MIN); /* PM-002: RFC 8201 §4 */
		return true;
	case ICMP6_TIME_EXCEEDED:
		out->err = EHOSTUNREACH;
		return true;
	case ICMP6_PARAM:
		return true; /* soft whatever the code (RFC 9293 §3.9.2.2) */
	default:
		return icmp6_is_error(h->type);
	}
}

bool icmp_error_cause(bool is_v6, const struct icmp4_hdr *h, const struct icmp_quote *q, struct icmp_cause *out)
{
	*out = (struct icmp_cause){0};
	return is_v6 ? icmp6_cause(h, out) : icmp4_cause(h, q, out);
}
