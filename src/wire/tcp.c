/* wire/tcp.c - TCP header and options (RFC 9293 §3.1, §3.2; RFC 7323 §2, §3; RFC 2018 §2, §3; RFC 7413 §4.1.1).
 *
 * Options are read at any alignment and in any segment; what an option means in which state is tcp/'s business. An
 * option whose length is 0, 1 or past the header ends the list; one of a known kind but the wrong length is skipped
 * (TCP-006). MSS, window scale and SACK-permitted are written on SYN only (RFC 9293 §3.7.1, RFC 7323 §2.2, RFC 2018 §2).
 * Each block written is a multiple of four bytes, so no padding after an end-of-list option is ever needed. */
#include "wire/tcp.h"

#include <errno.h>

enum { OPT_END = 0, OPT_NOP = 1, OPT_MSS = 2, OPT_WS = 3, OPT_SACK_OK = 4, OPT_SACK = 5, OPT_TS = 8, OPT_FO = 34, OPT_EXP = 254 };
enum { WS_MAX = 14, OPTS_MAX = 40, FO_COOKIE_MIN = 4, FO_MAGIC = 0xf989 };

static void tcp_sack_parse(const uint8_t *o, uint8_t olen, struct tcp_hdr *h)
{
	if (olen < 10 || (olen - 2) % 8 != 0)
		return;
	h->n_sack = (uint8_t)((olen - 2) / 8); /* at most 4: the header has 40 bytes of options */
	for (unsigned i = 0; i < h->n_sack; i++)
		h->sack[i] = (struct iv){get_be32(o + 2 + 8 * i), get_be32(o + 6 + 8 * i)};
}

/* A cookie of len bytes; another length is none (as Linux). */
static void tcp_fo_parse(const uint8_t *cookie, int len, bool is_exp, struct tcp_hdr *h)
{
	if (!(h->flags & TCP_SYN) || len % 2 || (len && (len < FO_COOKIE_MIN || len > TCP_FO_COOKIE_MAX)))
		return;
	h->has_fo = true;
	h->fo_exp = is_exp;
	h->fo_len = (uint8_t)len;
	memcpy(h->fo, cookie, (size_t)len);
}

/* One option of olen bytes, kind and length bytes included. */
static void tcp_option_parse(const uint8_t *o, uint8_t olen, struct tcp_hdr *h)
{
	switch (o[0]) {
	case OPT_MSS:
		if (olen == 4) {
			h->has_mss = true;
			h->mss = get_be16(o + 2);
		}
		break;
	case OPT_WS:
		if (olen == 3) {
			h->has_ws = true;
			h->ws = MIN(o[2], WS_MAX); /* RFC 7323 §2.3 */
		}
		break;
	case OPT_SACK_OK:
		if (olen == 2)
			h->sack_permitted = true;
		break;
	case OPT_SACK:
		tcp_sack_parse(o, olen, h);
		break;
	case OPT_TS:
		if (olen == 10) {
			h->has_ts = true;
			h->tsval = get_be32(o + 2);
			h->tsecr = get_be32(o + 6);
		}
		break;
	case OPT_FO:
		tcp_fo_parse(o + 2, olen - 2, false, h);
		break;
	case OPT_EXP:
		if (olen >= 4 && get_be16(o + 2) == FO_MAGIC)
			tcp_fo_parse(o + 4, olen - 4, true, h);
		break;
	default:
		break;
	}
}

static void tcp_options_parse(const uint8_t *o, size_t left, struct tcp_hdr *h)
{
	while (left > 0 && o[0] != OPT_END) {
		uint8_t olen = 1;
		if (o[0] != OPT_NOP) {
			if (left < 2 || o[1] < 2 || o[1] > left)
				return;
			olen = o[1];
			tcp_option_parse(o, olen, h);
		}
		o += olen;
		left -= olen;
	}
}

int tcp_parse(const uint8_t *p, size_t len, struct tcp_hdr *h)
{
	if (len < TCP_HLEN)
		return -EINVAL;
	size_t hlen = (p[12] >> 4) * 4u;
	if (hlen < TCP_HLEN || hlen > len)
		return -EINVAL;
	memset(h, 0, sizeof(*h));
	h->sport = get_be16(p);
	h->dport = get_be16(p + 2);
	h->seq = get_be32(p + 4);
	h->ack = get_be32(p + 8);
	h->hlen = (uint8_t)hlen;
	h->flags = p[13];
	h->wnd = get_be16(p + 14);
	h->csum = get_be16(p + 16);
	h->urg = get_be16(p + 18);
	tcp_options_parse(p + TCP_HLEN, hlen - TCP_HLEN, h);
	return 0;
}

/* Which options go out, and their length. SACK comes last and takes what room is left (RFC 2018 §3). */
struct tcp_opts {
	bool mss, ts, sack_ok, ws;
	uint8_t n_sack, fo, len; /* fo: bytes of that option without padding */
};

static struct tcp_opts tcp_opts_plan(const struct tcp_hdr *h)
{
	bool syn = h->flags & TCP_SYN;
	struct tcp_opts o = {.mss = syn && h->has_mss, .ts = h->has_ts, .sack_ok = syn && h->sack_permitted, .ws = syn && h->has_ws};
	unsigned len = 4u * o.mss + 12u * o.ts + 4u * (o.sack_ok && !o.ts) + 4u * o.ws;
	unsigned fo = syn && h->has_fo ? (h->fo_exp ? 4u : 2u) + h->fo_len : 0;
	if (fo && len + (fo + 3) / 4 * 4 <= OPTS_MAX) {
		o.fo = (uint8_t)fo;
		len += (fo + 3) / 4 * 4;
	}
	if (h->n_sack > 0 && len + 12 <= OPTS_MAX) {
		unsigned fit = (OPTS_MAX - len - 4) / 8;
		o.n_sack = (uint8_t)MIN(MIN(fit, h->n_sack), TCP_SACK_MAX);
		len += 4 + 8u * o.n_sack;
	}
	o.len = (uint8_t)len;
	return o;
}

uint32_t tcp_emit_len(const struct tcp_hdr *h)
{
	return TCP_HLEN + tcp_opts_plan(h).len;
}

static void tcp_options_emit(struct writer *w, const struct tcp_hdr *h, const struct tcp_opts *o)
{
	if (o->mss) {
		wr_be16(w, OPT_MSS << 8 | 4);
		wr_be16(w, h->mss);
	}
	if (o->ts || o->sack_ok) /* the two NOPs before a timestamp are where SACK-permitted goes */
		wr_be16(w, o->ts && o->sack_ok ? OPT_SACK_OK << 8 | 2 : OPT_NOP << 8 | OPT_NOP);
	if (o->ts) {
		wr_be16(w, OPT_TS << 8 | 10);
		wr_be32(w, h->tsval);
		wr_be32(w, h->tsecr);
	} else if (o->sack_ok) {
		wr_be16(w, OPT_SACK_OK << 8 | 2);
	}
	if (o->ws) {
		wr_be16(w, OPT_NOP << 8 | OPT_WS);
		wr_be16(w, (uint16_t)(3 << 8 | MIN(h->ws, WS_MAX)));
	}
	if (o->fo) {
		wr_u8(w, h->fo_exp ? OPT_EXP : OPT_FO);
		wr_u8(w, o->fo);
		if (h->fo_exp)
			wr_be16(w, FO_MAGIC);
		wr_bytes(w, h->fo, h->fo_len);
		for (unsigned i = o->fo; i % 4; i++)
			wr_u8(w, OPT_NOP);
	}
	if (o->n_sack) {
		wr_be16(w, OPT_NOP << 8 | OPT_NOP);
		wr_be16(w, (uint16_t)(OPT_SACK << 8 | (2 + 8 * o->n_sack)));
		for (unsigned i = 0; i < o->n_sack; i++) {
			wr_be32(w, h->sack[i].lo);
			wr_be32(w, h->sack[i].hi);
		}
	}
}

uint32_t tcp_emit(uint8_t out[TCP_HLEN_MAX], const struct tcp_hdr *h)
{
	struct tcp_opts o = tcp_opts_plan(h);
	uint32_t hlen = TCP_HLEN + o.len;
	struct writer w = writer_of(out, hlen);
	wr_be16(&w, h->sport);
	wr_be16(&w, h->dport);
	wr_be32(&w, h->seq);
	wr_be32(&w, h->ack);
	wr_u8(&w, (uint8_t)(hlen / 4 << 4));
	wr_u8(&w, h->flags);
	wr_be16(&w, h->wnd);
	wr_be16(&w, h->csum);
	wr_be16(&w, h->urg);
	tcp_options_emit(&w, h, &o);
	ASSERT(!w.bad && w.p == w.end);
	return hlen;
}
