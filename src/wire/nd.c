/* wire/nd.c - neighbour discovery messages: read and written (RFC 4861 §4, §6.1, §7.1, §8.1; RFC 4191 §2.2; RFC 6980 §5).
 *
 * Options: each at least 8 bytes and inside the message, or all of it is dropped; of two alike the first counts, but for prefixes; a
 * link-layer address of another length than Ethernet's, and kinds not known, are passed over. A multicast MAC is refused here, so that
 * no caller can believe it. */
#include "wire/nd.h"

#include <errno.h>

#include "wire/addr.h"

enum {
	OPT_SLLA = 1, OPT_TLLA = 2, OPT_PREFIX = 3, OPT_REDIRECTED = 4, OPT_MTU = 5, OPT_NONCE = 14,
	HLEN = 4, HOPS = 255, PREFIX_LEN = 32, QUOTE_AT = 8,
	NA_ROUTER = 0x80, NA_SOLICITED = 0x40, NA_OVERRIDE = 0x20, RA_MANAGED = 0x80, RA_OTHER = 0x40, PIO_ON_LINK = 0x80, PIO_AUTO = 0x40,
};

struct via_addr nd_solicited_node(const struct via_addr *a)
{
	return (struct via_addr){.b = {0xff, 2, [11] = 1, [12] = 0xff, a->b[13], a->b[14], a->b[15]}};
}

static bool is_solicited_node(const struct via_addr *a)
{
	static const uint8_t head[13] = {0xff, 2, [11] = 1, [12] = 0xff};
	return memcmp(a->b, head, sizeof(head)) == 0;
}

/* ---- reading ---- */

static void nd_read_addr(struct reader *r, struct via_addr *a)
{
	const uint8_t *b = rd_bytes(r, 16);
	*a = (struct via_addr){0};
	if (b)
		memcpy(a->b, b, 16);
}

/* RFC 4191 §2.2: two bits, signed; the reserved value is medium. */
static int8_t nd_read_preference(uint8_t flags)
{
	static const int8_t meaning[] = {ND_PREF_MEDIUM, ND_PREF_HIGH, ND_PREF_MEDIUM, ND_PREF_LOW};
	return meaning[flags >> 3 & 3];
}

/* What stands before the options. */
static void nd_read_body(struct reader *r, struct nd_msg *m)
{
	uint8_t flags;
	switch ((enum nd_type)m->type) {
	case ND_RA:
		m->hop_limit = rd_u8(r);
		flags = rd_u8(r);
		m->managed = flags & RA_MANAGED;
		m->other = flags & RA_OTHER;
		m->lifetime_s = rd_be16(r);
		m->preference = nd_read_preference(flags);
		m->reachable_ms = rd_be32(r);
		m->retrans_ms = rd_be32(r);
		return;
	case ND_NA:
		flags = rd_u8(r);
		m->is_router = flags & NA_ROUTER;
		m->solicited = flags & NA_SOLICITED;
		m->override = flags & NA_OVERRIDE;
		rd_bytes(r, 3);
		nd_read_addr(r, &m->target);
		return;
	case ND_RS:
	case ND_NS:
	case ND_REDIRECT:
		rd_be32(r);
		if (m->type != ND_RS)
			nd_read_addr(r, &m->target);
		if (m->type == ND_REDIRECT)
			nd_read_addr(r, &m->dst);
		return;
	}
}

static void nd_read_prefix(const uint8_t *o, struct nd_msg *m)
{
	if (m->n_prefixes == ND_PREFIXES_MAX)
		return;
	struct nd_prefix *x = &m->prefix[m->n_prefixes++];
	*x = (struct nd_prefix){.plen = o[2], .on_link = o[3] & PIO_ON_LINK, .autonomous = o[3] & PIO_AUTO, .valid_s = get_be32(o + 4),
				.preferred_s = get_be32(o + 8)};
	memcpy(x->prefix.b, o + 16, 16);
}

/* One option of n bytes, a multiple of 8. False: the message is to be dropped. */
static bool nd_read_option(const uint8_t *o, size_t n, struct nd_msg *m)
{
	bool is_ra = m->type == ND_RA;
	uint8_t lla = m->type == ND_NA || m->type == ND_REDIRECT ? OPT_TLLA : OPT_SLLA;
	if (o[0] == lla && n == 8 && !m->has_lla) {
		memcpy(m->lla, o + 2, 6);
		m->has_lla = true;
		return !(m->lla[0] & 1);
	}
	if (o[0] == OPT_PREFIX && is_ra && n == PREFIX_LEN && o[2] <= 128)
		nd_read_prefix(o, m);
	else if (o[0] == OPT_MTU && is_ra && n == 8 && !m->mtu)
		m->mtu = get_be32(o + 4);
	else if (o[0] == OPT_NONCE && (m->type == ND_NS || m->type == ND_NA) && n == 8 && !m->has_nonce) {
		memcpy(m->nonce, o + 2, ND_NONCE_LEN);
		m->has_nonce = true;
	} else if (o[0] == OPT_REDIRECTED && m->type == ND_REDIRECT && n > QUOTE_AT && !m->quote) {
		m->quote = o + QUOTE_AT;
		m->quote_len = (uint32_t)(n - QUOTE_AT);
	}
	return true;
}

static bool nd_read_options(struct reader *r, struct nd_msg *m)
{
	while (rd_left(r)) {
		size_t n = rd_left(r) > 1 ? r->p[1] * 8u : 0;
		const uint8_t *o = n ? rd_bytes(r, n) : NULL;
		if (!o || !nd_read_option(o, n, m))
			return false;
	}
	return true;
}

/* The rules about addresses and flags (§6.1, §7.1, §8.1). */
static bool nd_is_valid(const struct nd_msg *m, const struct nd_from *from)
{
	bool from_any = via_addr_is_any(&from->src);
	switch ((enum nd_type)m->type) {
	case ND_RS:
		return !(from_any && m->has_lla);
	case ND_RA:
		return addr_is_fe80(&from->src);
	case ND_NS:
		if (from_any && (m->has_lla || !is_solicited_node(&from->dst)))
			return false;
		return !via_addr_is_multicast(&m->target);
	case ND_NA:
		return !via_addr_is_multicast(&m->target) && !(m->solicited && via_addr_is_multicast(&from->dst));
	case ND_REDIRECT:
		return addr_is_fe80(&from->src) && !via_addr_is_multicast(&m->dst) &&
		       (addr_is_fe80(&m->target) || memcmp(m->target.b, m->dst.b, 16) == 0);
	}
	return false;
}

int nd_parse(const uint8_t *p, size_t len, const struct nd_from *from, struct nd_msg *m)
{
	struct reader r = reader_of(p, len);
	memset(m, 0, sizeof(*m));
	if (len < HLEN || p[0] < ND_RS || p[0] > ND_REDIRECT || p[1] != 0 || from->hop_limit != HOPS || from->was_cut)
		return -EINVAL;
	m->type = p[0];
	rd_bytes(&r, HLEN);
	nd_read_body(&r, m);
	if (r.bad || !nd_read_options(&r, m) || !nd_is_valid(m, from))
		return -EINVAL;
	return 0;
}

/* ---- writing ---- */

static void nd_write_body(struct writer *w, const struct nd_msg *m)
{
	switch ((enum nd_type)m->type) {
	case ND_RA:
		wr_u8(w, m->hop_limit);
		wr_u8(w, (uint8_t)((m->managed ? RA_MANAGED : 0) | (m->other ? RA_OTHER : 0) | (m->preference & 3) << 3));
		wr_be16(w, m->lifetime_s);
		wr_be32(w, m->reachable_ms);
		wr_be32(w, m->retrans_ms);
		return;
	case ND_NA:
		wr_be32(w, (uint32_t)((m->is_router ? NA_ROUTER : 0) | (m->solicited ? NA_SOLICITED : 0) | (m->override ? NA_OVERRIDE : 0)) << 24);
		wr_bytes(w, m->target.b, 16);
		return;
	case ND_RS:
	case ND_NS:
	case ND_REDIRECT:
		wr_be32(w, 0);
		if (m->type != ND_RS)
			wr_bytes(w, m->target.b, 16);
		if (m->type == ND_REDIRECT)
			wr_bytes(w, m->dst.b, 16);
		return;
	}
}

static void nd_write_prefix(struct writer *w, const struct nd_prefix *x)
{
	struct via_addr prefix = addr_mask(&x->prefix, x->plen);
	wr_u8(w, OPT_PREFIX);
	wr_u8(w, PREFIX_LEN / 8);
	wr_u8(w, x->plen);
	wr_u8(w, (uint8_t)((x->on_link ? PIO_ON_LINK : 0) | (x->autonomous ? PIO_AUTO : 0)));
	wr_be32(w, x->valid_s);
	wr_be32(w, x->preferred_s);
	wr_be32(w, 0);
	wr_bytes(w, prefix.b, 16);
}

size_t nd_emit(uint8_t *out, size_t cap, const struct nd_msg *m)
{
	struct writer w = writer_of(out, cap);
	wr_be32(&w, (uint32_t)m->type << 24);
	nd_write_body(&w, m);
	if (m->has_lla) {
		wr_u8(&w, m->type == ND_NA || m->type == ND_REDIRECT ? OPT_TLLA : OPT_SLLA);
		wr_u8(&w, 1);
		wr_bytes(&w, m->lla, 6);
	}
	if (m->mtu && m->type == ND_RA) {
		wr_be32(&w, OPT_MTU << 24 | 1 << 16);
		wr_be32(&w, m->mtu);
	}
	for (int i = 0; i < m->n_prefixes && m->type == ND_RA; i++)
		nd_write_prefix(&w, &m->prefix[i]);
	if (m->has_nonce) {
		wr_u8(&w, OPT_NONCE);
		wr_u8(&w, 1);
		wr_bytes(&w, m->nonce, ND_NONCE_LEN);
	}
	if (m->quote && m->type == ND_REDIRECT) {
		uint32_t n = MIN(m->quote_len, 254u * 8) & ~7u;
		wr_be32(&w, OPT_REDIRECTED << 24 | (n / 8 + 1) << 16);
		wr_be32(&w, 0);
		wr_bytes(&w, m->quote, n);
	}
	return w.bad ? 0 : (size_t)(w.p - out);
}
