/* filter/view.c - reading a packet for NAT and filter: either family, and the transports that have ports or ids (RFC 791, 792, 768, 4443,
 * 8200, 9293).
 *
 * Every length is checked against the bytes that are there, extension headers are walked by at most EXT_MAX steps. A later fragment has no
 * transport header and so no connection: a stack that knows connections puts IPv4's together before it asks (RFC 4787 REQ-14). Scopes
 * of link-local addresses are left out: no packet with one is forwarded, and ports tell the rest apart. */
#include "filter/view.h"

#include "base/bytes.h"
#include "base/csum.h"
#include "wire/ip4.h"
#include "wire/ip6.h"
#include "wire/tcp.h"
#include "wire/udp.h"

enum { QUOTE_ROOM = 60 + 20, QUOTE_ROOM6 = IP6_HLEN + 64 + 20, EXT_MAX = 8, EXT_BYTES = 256 };

/* Of the bytes from `at` (an offset of linear), as many as are there and at most n are made linear. */
static bool linear_to(struct pktmem *m, struct pkt *p, uint32_t at, uint32_t n)
{
	return pkt_pullup(m, p, MIN(p->len, at - p->head + n)) == 0;
}

static uint32_t linear_end(const struct pkt *p) { return (uint32_t)p->head + p->head_len; }

/* What an IP header of either family says, its extension headers behind it. */
struct head {
	struct via_addr src, dst;
	uint32_t hlen; /* bytes in front of the transport */
	uint8_t proto;
	bool is_later; /* a fragment, and not the first */
};

static bool is_ext6(uint8_t next)
{
	return next == IPPROTO_N_HOPOPTS || next == IPPROTO_N_DSTOPTS || next == IPPROTO_N_ROUTING || next == IPPROTO_N_FRAGMENT;
}

static bool head6_read(const uint8_t *ip, uint32_t have, struct head *h)
{
	if (have < IP6_HLEN)
		return false;
	memcpy(h->src.b, ip + 8, 16);
	memcpy(h->dst.b, ip + 24, 16);
	h->hlen = IP6_HLEN;
	h->proto = ip[6];
	for (int n = 0; is_ext6(h->proto) && !h->is_later; n++) {
		const uint8_t *x = ip + h->hlen;
		if (n == EXT_MAX || have < h->hlen + 8)
			return false;
		bool is_frag = h->proto == IPPROTO_N_FRAGMENT;
		h->is_later = is_frag && get_be16(x + 2) & 0xfff8;
		h->proto = x[0];
		h->hlen += is_frag ? 8 : 8 * (x[1] + 1u);
	}
	return h->hlen <= have;
}

/* `have` bytes at ip. False: they are no IP header, or not all of it. */
static bool head_read(const uint8_t *ip, uint32_t have, struct head *h)
{
	memset(h, 0, sizeof(*h));
	if (have && ip[0] >> 4 == 6)
		return head6_read(ip, have, h);
	if (have < IP4_HLEN || ip[0] >> 4 != 4)
		return false;
	h->hlen = (ip[0] & 15) * 4u;
	h->src = via_addr_v4(get_be32(ip + 12));
	h->dst = via_addr_v4(get_be32(ip + 16));
	h->proto = ip[9];
	h->is_later = (get_be16(ip + 6) & 0x1fff) != 0;
	return h->hlen >= IP4_HLEN && h->hlen <= have;
}

/* An ICMP question, and its answer that carries the same id, of either family: echo; timestamp, information, mask (RFC 792, RFC 950). */
static bool icmp_asks(uint8_t proto, uint8_t type) { return proto == IPPROTO_N_ICMP6 ? type == ICMP6_ECHO : view_icmp4_asks(type); }
static bool icmp_answers(uint8_t proto, uint8_t type)
{
	return proto == IPPROTO_N_ICMP6 ? type == ICMP6_ECHO_REPLY : view_icmp4_answers(type);
}

/* The tuple of a transport that begins at l4, of which `have` bytes are there. False: too few. */
static bool tuple_read(const uint8_t *l4, uint32_t have, uint8_t proto, const struct via_addr *src, const struct via_addr *dst,
		       struct ct_tuple *t)
{
	*t = tuple_of(src, 0, dst, 0, proto);
	switch (proto) {
	case IPPROTO_N_TCP:
	case IPPROTO_N_UDP:
		if (have < 8)
			return false;
		t->sport = get_be16(l4);
		t->dport = get_be16(l4 + 2);
		return true;
	case IPPROTO_N_ICMP:
	case IPPROTO_N_ICMP6:
		if (have < ICMP4_HLEN)
			return false;
		t->sport = icmp_asks(proto, l4[0]) ? get_be16(l4 + 4) : 0;
		t->dport = icmp_answers(proto, l4[0]) ? get_be16(l4 + 4) : 0;
		return true;
	default:
		return true;
	}
}

/* The packet that an ICMP error quotes. */
static void view_quote(const struct pkt *p, struct view *w)
{
	const uint8_t *q = p->linear + w->l4 + ICMP4_HLEN;
	uint32_t have = linear_end(p) > w->l4 + ICMP4_HLEN ? linear_end(p) - w->l4 - ICMP4_HLEN : 0;
	struct ct_tuple t;
	struct head h;
	w->kind = VIEW_INVALID;
	if (!head_read(q, have, &h) || h.is_later || via_addr_is_v4(&h.src) != via_addr_is_v4(&w->src))
		return;
	if (!tuple_read(q + h.hlen, have - h.hlen, h.proto, &h.src, &h.dst, &t))
		return;
	w->kind = VIEW_ERROR;
	w->t = tuple_inverse(&t);
	w->q_l3 = (uint16_t)(w->l4 + ICMP4_HLEN);
	w->q_l4 = (uint16_t)(w->q_l3 + h.hlen);
	w->q_end = (uint16_t)(w->q_l3 + have);
}

static bool view_icmp(struct pktmem *m, struct pkt *p, struct view *w)
{
	w->is_icmp = true;
	w->icmp_type = p->linear[w->l4];
	w->icmp_code = p->linear[w->l4 + 1];
	if (icmp_asks(w->proto, w->icmp_type) || icmp_answers(w->proto, w->icmp_type))
		return true;
	w->kind = VIEW_UNTRACKED;
	/* A redirect is between neighbours (RFC 5508 REQ-11), quench means nothing; neighbour discovery and MLD are no errors. */
	bool is_error = w->proto == IPPROTO_N_ICMP6 ? icmp6_is_error(w->icmp_type) :
			icmp4_is_error(w->icmp_type) && w->icmp_type != ICMP4_REDIRECT && w->icmp_type != ICMP4_QUENCH;
	if (!is_error)
		return true;
	if (!linear_to(m, p, w->l4, ICMP4_HLEN + (w->proto == IPPROTO_N_ICMP6 ? QUOTE_ROOM6 : QUOTE_ROOM)))
		return false;
	pkt_csum_finish(m, p);
	view_quote(p, w);
	return true;
}

/* Combinations that no TCP sends: without any of SYN, ACK, RST; SYN with FIN or RST. */
static bool tcp_flags_are_odd(uint8_t f)
{
	return !(f & (TCP_SYN | TCP_ACK | TCP_RST)) || ((f & TCP_SYN) && (f & (TCP_FIN | TCP_RST)));
}

static bool view_transport(struct pktmem *m, struct pkt *p, struct view *w)
{
	bool is_icmp = w->proto == (via_addr_is_v4(&w->src) ? IPPROTO_N_ICMP : IPPROTO_N_ICMP6);
	uint32_t need = w->proto == IPPROTO_N_TCP ? TCP_HLEN : w->proto == IPPROTO_N_UDP || is_icmp ? UDP_HLEN : 0;
	if (!linear_to(m, p, w->l4, need))
		return false;
	uint32_t have = linear_end(p) > w->l4 ? linear_end(p) - w->l4 : 0;
	const uint8_t *l4 = p->linear + w->l4;
	if (have < need || !tuple_read(l4, have, w->proto, &w->src, &w->dst, &w->t)) {
		w->kind = VIEW_INVALID;
		return true;
	}
	if (is_icmp)
		return view_icmp(m, p, w);
	w->has_ports = need != 0;
	w->sport = w->t.sport;
	w->dport = w->t.dport;
	if (w->proto == IPPROTO_N_TCP) {
		w->tcp_flags = l4[13];
		if (tcp_flags_are_odd(w->tcp_flags))
			w->kind = VIEW_INVALID;
	}
	return true;
}

bool view_read(struct pktmem *m, struct pkt *p, struct view *w)
{
	struct head h;
	memset(w, 0, sizeof(*w));
	bool is_v6 = p->head_len && pkt_data(p)[0] >> 4 == 6;
	if (!linear_to(m, p, p->head, is_v6 ? IP6_HLEN : IP4_HLEN))
		return false;
	if (is_v6 && p->head_len >= IP6_HLEN && is_ext6(pkt_data(p)[6]) && !linear_to(m, p, p->head, IP6_HLEN + EXT_BYTES))
		return false;
	w->l3 = w->l4 = p->head;
	if (!head_read(pkt_data(p), p->head_len, &h)) {
		w->kind = VIEW_INVALID;
		return true;
	}
	w->l4 = (uint16_t)(p->head + h.hlen);
	w->src = h.src;
	w->dst = h.dst;
	w->proto = h.proto;
	w->t = tuple_of(&w->src, 0, &w->dst, 0, w->proto);
	if (h.is_later) {
		w->kind = VIEW_UNTRACKED;
		return true;
	}
	return view_transport(m, p, w);
}

bool view_may_begin(const struct view *w)
{
	if (w->kind != VIEW_FLOW)
		return false;
	if (w->proto == IPPROTO_N_TCP)
		return (w->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
	return !w->is_icmp || icmp_asks(w->proto, w->icmp_type);
}

bool view_error_is_sound(const struct pktmem *m, const struct pkt *p, const struct view *w)
{
	uint32_t off = (uint32_t)(w->l4 - p->head);
	if (csum_fold(csum_add(0, p->linear + w->q_l3, (uint32_t)(w->q_l4 - w->q_l3))) != 0xffff)
		return false;
	return p->m.csum != PKT_CSUM_NONE || csum_fold(pkt_csum(m, p, off, p->len - off, 0)) == 0xffff;
}
