/* net/ext6.c - walking extension headers: options by their action bits, routing headers refused, limits.
 *
 * Strictly in the order they stand in, any order and repeats, but hop-by-hop first (§4.1). No routing type is spoken, type 0 least of all
 * (RFC 5095), so a routing header with segments left is an error and one without is stepped over. Of options only padding is known;
 * the others' two highest bits say what to do (§4.2). Each step is at least 8 bytes of header or 1 of options (HARD-02), and lies in
 * bytes that are there (HARD-01). Beyond the limits packets are dropped in silence. */
#include "net/ext6.h"

enum { PAD1 = 0, PADN = 1 };

static enum drop fail(struct ext6_walk *w, enum icmp_say say, uint32_t at, enum drop why)
{
	w->error = (struct ext6_error){.is_due = true, .say = say, .at = at};
	return why;
}

/* An option we do not know, at `at`. DROP_NONE: it is skipped. */
static enum drop unknown_option(struct ext6_walk *w, const struct ip_hdr *h, uint8_t type, uint32_t at)
{
	switch (type >> 6) {
	case 0:
		return DROP_NONE;
	case 1:
		return DROP_EXT_OPTION;
	case 3:
		if (via_addr_is_multicast(&h->dst))
			return DROP_EXT_OPTION;
		/* fall through */
	default:
		return fail(w, ICMP_SAY_BAD_OPTION, at, DROP_EXT_OPTION);
	}
}

/* The options in [i, end) of the bytes x, which begin at the IP header. */
static enum drop options(struct ext6_walk *w, const struct ip_hdr *h, const uint8_t *x, uint32_t i, uint32_t end)
{
	uint32_t pad = 0, n = 0;
	while (i < end) {
		uint32_t len = x[i] == PAD1 ? 1 : end - i < 2 ? 0 : 2u + x[i + 1];
		if (len == 0 || len > end - i)
			return DROP_EXT_BAD;
		pad = x[i] <= PADN ? pad + len : 0;
		n += x[i] > PADN;
		if (pad > EXT6_PAD_MAX || n > w->limits.options)
			return DROP_EXT_LIMIT;
		enum drop why = x[i] <= PADN ? DROP_NONE : unknown_option(w, h, x[i], i);
		if (why)
			return why;
		i += len;
	}
	return DROP_NONE;
}

/* The fragment header at `at`. */
static void fragment(struct ip_hdr *h, const uint8_t *x, uint32_t at)
{
	h->frag_off = get_be16(x + at + 2) & 0xfff8;
	h->more = x[at + 3] & 1;
	h->id = get_be32(x + at + 4);
	h->was_cut = true;
}

/* The header at h->hlen, `len` bytes that are linear. */
static enum drop one(struct ext6_walk *w, struct ip_hdr *h, const uint8_t *x, uint32_t len)
{
	uint32_t at = h->hlen;
	switch (h->proto) {
	case IPPROTO_N_FRAGMENT:
		fragment(h, x, at);
		return DROP_NONE;
	case IPPROTO_N_ROUTING:
		return x[at + 3] ? fail(w, ICMP_SAY_BAD_FIELD, at + 2, DROP_EXT_ROUTING) : DROP_NONE;
	default:
		return options(w, h, x, at + 2, at + len);
	}
}

static bool is_extension(uint8_t next)
{
	return next == IPPROTO_N_HOPOPTS || next == IPPROTO_N_DSTOPTS || next == IPPROTO_N_ROUTING || next == IPPROTO_N_FRAGMENT;
}

static uint32_t length_of(uint8_t next, const uint8_t *x)
{
	return next == IPPROTO_N_FRAGMENT ? 8 : 8u * (x[1] + 1u);
}

enum drop ext6_walk(struct pktmem *m, struct pkt *p, struct ip_hdr *h, bool only_hops, struct ext6_walk *w)
{
	while (is_extension(h->proto)) {
		if (h->proto == IPPROTO_N_HOPOPTS && h->hlen != IP6_HLEN)
			return fail(w, ICMP_SAY_NO_PROTOCOL, h->next_at, DROP_EXT_ORDER);
		if (only_hops && h->proto != IPPROTO_N_HOPOPTS)
			return DROP_NONE;
		if (++w->n > w->limits.headers)
			return DROP_EXT_LIMIT;
		if (p->len < h->hlen + 8u)
			return DROP_EXT_BAD;
		if (pkt_pullup(m, p, h->hlen + 8u))
			return DROP_EXT_LIMIT;
		uint32_t len = length_of(h->proto, pkt_data(p) + h->hlen);
		if (p->len < h->hlen + len)
			return DROP_EXT_BAD;
		if (pkt_pullup(m, p, h->hlen + len))
			return DROP_EXT_LIMIT;
		enum drop why = one(w, h, pkt_data(p), len);
		if (why)
			return why;
		h->next_at = h->hlen;
		h->proto = pkt_data(p)[h->hlen];
		h->hlen = (uint16_t)(h->hlen + len);
		p->m.l4 = (uint16_t)(p->head + h->hlen);
		if (ip_is_fragment(h))
			return DROP_NONE;
	}
	return DROP_NONE;
}

int ext6_skip(const struct pktmem *m, const struct pkt *p, uint8_t next, uint32_t *at, bool *is_later)
{
	uint8_t x[8];
	*is_later = false;
	for (int n = 0; is_extension(next); n++) {
		if (n == EXT6_SKIP_MAX || pkt_copy_out(m, p, *at, x, sizeof(x)) < sizeof(x))
			return -1;
		*at += length_of(next, x);
		*is_later = next == IPPROTO_N_FRAGMENT && get_be16(x + 2) & 0xfff8;
		next = x[0];
		if (*is_later)
			return next;
	}
	return next;
}
