/* drill/packet.c - see packet.h.
 *
 * Headers are written and read here, byte by byte, and not by the stack's own emitter: a test that shares its subject's code
 * would share its faults. Options keep their order, since a script names it. */
#include "drill/packet.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/csum.h"
#include "wire/ip4.h"
#include "wire/tcp.h"

enum { ICMP_HLEN = 8, UDP_HLEN = 8, QUOTED_BYTES = 8, TTL_DEFAULT = 64 };

uint8_t drill_byte(uint32_t at)
{
	return (uint8_t)(at * 167u + (at >> 8) * 13u + (at >> 16));
}

static uint64_t pseudo(const struct drill_tuple *t, uint8_t proto, uint32_t len)
{
	uint8_t b[12];
	put_be32(b, t->src);
	put_be32(b + 4, t->dst);
	put_be16(b + 8, proto);
	put_be16(b + 10, (uint16_t)len);
	return csum_add(0, b, sizeof(b));
}

static void ip_write(uint8_t *p, const struct drill_packet *k, const struct drill_wire *w, uint8_t proto, uint32_t len)
{
	memset(p, 0, IP4_HLEN);
	p[0] = 0x45;
	p[1] = k->tos;
	put_be16(p + 2, (uint16_t)len);
	put_be16(p + 4, w->id);
	p[8] = k->ttl ? k->ttl : TTL_DEFAULT;
	p[9] = proto;
	put_be32(p + 12, w->t.src);
	put_be32(p + 16, w->t.dst);
	put_be16(p + 10, csum_field(csum_add(0, p, IP4_HLEN)));
}

static uint32_t tcp_write(uint8_t *p, const struct drill_packet *k, const struct drill_tuple *t)
{
	uint32_t hlen = TCP_HLEN + k->n_opts;
	memset(p, 0, TCP_HLEN);
	put_be16(p, t->sport);
	put_be16(p + 2, t->dport);
	put_be32(p + 4, k->seq);
	put_be32(p + 8, k->ack);
	p[12] = (uint8_t)(hlen / 4 << 4 | (k->flags >> 8 & 1));
	p[13] = (uint8_t)k->flags;
	put_be16(p + 14, (uint16_t)MAX(k->wnd, 0));
	put_be16(p + 18, k->urg);
	memcpy(p + TCP_HLEN, k->opts, k->n_opts);
	return hlen;
}

/* The quoted packet travelled the other way; the quote holds its IP header and 8 bytes. */
static uint32_t quote_write(uint8_t *p, const struct drill_packet *k, const struct drill_wire *w)
{
	struct drill_wire back = {.t = {w->t.dst, w->t.src, w->t.dport, w->t.sport}, .id = w->id};
	struct drill_packet q = {.seq = k->seq};
	bool tcp = k->quoted == DRILL_TCP;
	ip_write(p, &q, &back, tcp ? IPPROTO_N_TCP : IPPROTO_N_UDP, IP4_HLEN + (tcp ? TCP_HLEN : UDP_HLEN) + k->payload);
	put_be16(p + IP4_HLEN, back.t.sport);
	put_be16(p + IP4_HLEN + 2, back.t.dport);
	put_be32(p + IP4_HLEN + 4, tcp ? k->seq : (UDP_HLEN + k->payload) << 16);
	return IP4_HLEN + QUOTED_BYTES;
}

static uint32_t icmp_write(uint8_t *p, const struct drill_packet *k, const struct drill_wire *w)
{
	memset(p, 0, ICMP_HLEN);
	p[0] = k->type;
	p[1] = k->code;
	if (k->mtu >= 0)
		put_be16(p + 6, (uint16_t)k->mtu);
	else
		put_be16(p + 4, (uint16_t)k->id);
	uint32_t len = ICMP_HLEN + (k->has_quote ? quote_write(p + ICMP_HLEN, k, w) : 0);
	put_be16(p + 2, csum_field(csum_add(0, p, len)));
	return len;
}

size_t drill_packet_build(const struct drill_packet *k, const struct drill_wire *w, uint8_t out[DRILL_WIRE_MAX])
{
	static const uint8_t protos[] = {[DRILL_TCP] = IPPROTO_N_TCP, [DRILL_UDP] = IPPROTO_N_UDP, [DRILL_ICMP] = IPPROTO_N_ICMP};
	uint8_t *l4 = out + IP4_HLEN;
	uint32_t head = k->proto == DRILL_TCP ? TCP_HLEN + k->n_opts : UDP_HLEN;
	uint32_t body = k->proto == DRILL_ICMP ? 0 : k->payload;
	if (IP4_HLEN + head + body > DRILL_WIRE_MAX)
		return 0;
	if (k->proto == DRILL_ICMP) {
		uint32_t len = icmp_write(l4, k, w);
		ip_write(out, k, w, IPPROTO_N_ICMP, IP4_HLEN + len);
		return IP4_HLEN + len;
	}
	for (uint32_t i = 0; i < body; i++)
		l4[head + i] = drill_byte(w->payload_at + i);
	uint32_t field = 16;
	if (k->proto == DRILL_TCP) {
		tcp_write(l4, k, &w->t);
	} else {
		put_be16(l4, w->t.sport);
		put_be16(l4 + 2, w->t.dport);
		put_be16(l4 + 4, (uint16_t)(UDP_HLEN + body));
		put_be16(l4 + 6, 0);
		field = 6;
	}
	uint64_t sum = csum_add(pseudo(&w->t, protos[k->proto], head + body), l4, head + body);
	uint16_t value = csum_field(sum);
	put_be16(l4 + field, k->proto == DRILL_UDP && value == 0 ? 0xffff : value);
	ip_write(out, k, w, protos[k->proto], IP4_HLEN + head + body);
	return IP4_HLEN + head + body;
}

static bool tcp_read(const uint8_t *p, size_t len, struct drill_packet *k, const uint8_t **body, const char **why)
{
	uint32_t hlen = len >= TCP_HLEN ? (p[12] >> 4) * 4u : 0;
	if (hlen < TCP_HLEN || hlen > len) {
		*why = "its TCP header does not fit";
		return false;
	}
	k->proto = DRILL_TCP;
	k->seq = get_be32(p + 4);
	k->ack = get_be32(p + 8);
	k->flags = (uint16_t)(p[13] | (p[12] & 1) << 8);
	k->wnd = get_be16(p + 14);
	k->urg = get_be16(p + 18);
	k->n_opts = (uint8_t)(hlen - TCP_HLEN);
	memcpy(k->opts, p + TCP_HLEN, k->n_opts);
	k->payload = (uint32_t)(len - hlen);
	*body = p + hlen;
	if (p[12] & 0xe)
		*why = "it has reserved header bits set";
	return !(p[12] & 0xe);
}

static bool icmp_read(const uint8_t *p, size_t len, struct drill_packet *k, const char **why)
{
	if (len < ICMP_HLEN || csum_fold(csum_add(0, p, len)) != 0xffff) {
		*why = "its ICMP checksum is wrong";
		return false;
	}
	k->proto = DRILL_ICMP;
	k->type = p[0];
	k->code = p[1];
	k->mtu = k->type == 3 && k->code == 4 ? get_be16(p + 6) : -1;
	k->id = k->type == 0 || k->type == 8 ? get_be16(p + 4) : 0;
	return true;
}

bool drill_packet_read(const uint8_t *bytes, size_t len, struct drill_packet *k, struct drill_tuple *t, const uint8_t **body,
		       const char **why)
{
	*k = (struct drill_packet){.is_out = true, .wnd = -1, .mtu = -1};
	*why = "it is no whole IPv4 packet";
	if (len < IP4_HLEN || bytes[0] >> 4 != 4 || get_be16(bytes + 2) != len)
		return false;
	uint32_t hlen = (bytes[0] & 15) * 4u;
	if (hlen < IP4_HLEN || hlen > len || csum_fold(csum_add(0, bytes, hlen)) != 0xffff) {
		*why = "its IP header checksum is wrong";
		return false;
	}
	const uint8_t *p = bytes + hlen;
	size_t n = len - hlen;
	k->tos = bytes[1];
	k->ttl = bytes[8];
	*t = (struct drill_tuple){.src = get_be32(bytes + 12), .dst = get_be32(bytes + 16)};
	*body = p;
	if (bytes[9] == IPPROTO_N_ICMP)
		return icmp_read(p, n, k, why);
	if (n < UDP_HLEN || (bytes[9] != IPPROTO_N_TCP && bytes[9] != IPPROTO_N_UDP)) {
		*why = "it is neither TCP nor UDP nor ICMP";
		return false;
	}
	t->sport = get_be16(p);
	t->dport = get_be16(p + 2);
	bool csum_zero = bytes[9] == IPPROTO_N_UDP && get_be16(p + 6) == 0;
	if (!csum_zero && csum_fold(csum_add(pseudo(t, bytes[9], (uint32_t)n), p, n)) != 0xffff) {
		*why = "its checksum is wrong";
		return false;
	}
	if (bytes[9] == IPPROTO_N_TCP)
		return tcp_read(p, n, k, body, why);
	k->proto = DRILL_UDP;
	k->payload = (uint32_t)(n - UDP_HLEN);
	*body = p + UDP_HLEN;
	return true;
}

bool drill_opt_next(const struct drill_packet *k, uint32_t *at, uint32_t *len)
{
	if (*at >= k->n_opts)
		return false;
	uint8_t kind = k->opts[*at];
	*len = kind <= 1 ? 1 : *at + 1 < k->n_opts ? k->opts[*at + 1] : 0;
	return *len > 0 && (kind <= 1 || *len >= 2) && *at + *len <= k->n_opts;
}

uint8_t *drill_opt_ts(struct drill_packet *k)
{
	uint32_t at = 0, len;
	for (; drill_opt_next(k, &at, &len); at += len)
		if (k->opts[at] == 8 && len == 10)
			return k->opts + at;
	return NULL;
}

/* Text that grows in a buffer of DRILL_LINE_MAX; what does not fit is cut. */
struct line {
	char *s;
	size_t n;
};

static void __attribute__((format(printf, 2, 3))) add(struct line *l, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	int n = vsnprintf(l->s + l->n, DRILL_LINE_MAX - l->n, format, ap);
	va_end(ap);
	l->n = MIN(l->n + (size_t)MAX(n, 0), DRILL_LINE_MAX - 1u);
}

static void add_hex(struct line *l, const uint8_t *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		add(l, "%02x", p[i]);
}

static void add_option(struct line *l, const uint8_t *o, uint32_t len)
{
	switch (len == 1 && o[0] > 1 ? 255 : o[0]) {
	case 0:
		add(l, "eol");
		break;
	case 1:
		add(l, "nop");
		break;
	case 2:
		add(l, "mss %u", len == 4 ? get_be16(o + 2) : 0);
		break;
	case 3:
		add(l, "wscale %u", len == 3 ? o[2] : 0);
		break;
	case 4:
		add(l, "sackOK");
		break;
	case 5:
		add(l, "sack");
		for (uint32_t i = 2; i + 8 <= len; i += 8)
			add(l, " %u:%u", get_be32(o + i), get_be32(o + i + 4));
		break;
	case 8:
		add(l, "TS val %u ecr %u", len == 10 ? get_be32(o + 2) : 0, len == 10 ? get_be32(o + 6) : 0);
		break;
	case 34:
		add(l, len > 2 ? "FO " : "FO");
		add_hex(l, o + 2, len - 2);
		break;
	default:
		add(l, "option %u ", o[0]);
		add_hex(l, o, len);
	}
}

static void add_options(struct line *l, const struct drill_packet *k)
{
	uint32_t at = 0, len;
	if (k->any_options)
		add(l, " <...>");
	if (!k->n_opts)
		return;
	add(l, " <");
	for (; drill_opt_next(k, &at, &len); at += len) {
		add(l, at ? "," : "");
		add_option(l, k->opts + at, len);
	}
	add(l, ">");
}

static void add_tcp(struct line *l, const struct drill_packet *k)
{
	static const char letters[] = "FSRP.UEWA";
	size_t before = l->n;
	for (int i = 0; i < 9; i++)
		if (i != 4 && k->flags & 1 << i)
			add(l, "%c", letters[i]);
	if (k->flags & TCP_ACK)
		add(l, ".");
	add(l, "%s %u:%u(%u)", l->n == before ? "-" : "", k->seq, k->seq + k->payload, k->payload);
	if (k->flags & TCP_ACK)
		add(l, " ack %u", k->ack);
	if (k->wnd >= 0)
		add(l, " win %d", k->wnd);
	if (k->urg)
		add(l, " urg %u", k->urg);
	add_options(l, k);
}

static void add_icmp(struct line *l, const struct drill_packet *k)
{
	char name[64];
	drill_icmp_text(k->type, k->code, name, sizeof(name));
	add(l, "icmp %s", name);
	if (k->mtu >= 0)
		add(l, " mtu %d", k->mtu);
	if (k->id)
		add(l, " id %d", k->id);
	if (k->has_quote && k->quoted == DRILL_TCP)
		add(l, " [%u:%u(%u)]", k->seq, k->seq + k->payload, k->payload);
	else if (k->has_quote)
		add(l, " [udp (%u)]", k->payload);
}

const char *drill_packet_text(const struct drill_packet *k, char out[DRILL_LINE_MAX])
{
	static const char *const ecn[] = {"noecn", "ect1", "ect0", "ce"};
	struct line l = {out, 0};
	out[0] = 0;
	add(&l, k->is_out ? "> " : "< ");
	if (k->tos_check == TOS_ECN)
		add(&l, "[%s] ", ecn[k->tos & 3]);
	else if (k->tos_check == TOS_ECT01)
		add(&l, "[ect01] ");
	else if (k->tos_check == TOS_EXACT)
		add(&l, "(tos 0x%02x) ", k->tos);
	else if (k->ttl)
		add(&l, "(ttl %u) ", k->ttl);
	if (k->sport)
		add(&l, "%u > %u ", k->sport, k->dport);
	if (k->proto == DRILL_TCP)
		add_tcp(&l, k);
	else if (k->proto == DRILL_UDP)
		add(&l, "udp (%u)", k->payload);
	else
		add_icmp(&l, k);
	return out;
}
