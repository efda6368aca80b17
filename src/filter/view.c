/* filter/view.c - reading a packet for NAT and filter: IPv4 with the transports that have ports or ids (RFC 791, 792, 768, 9293).
 *
 * Every length is checked against the bytes that are there. A later fragment has no transport header and so no connection: a stack
 * that knows connections puts fragments together before it asks (RFC 4787 REQ-14). */
#include "filter/view.h"

#include "base/bytes.h"
#include "base/csum.h"
#include "wire/ip4.h"
#include "wire/tcp.h"
#include "wire/udp.h"

enum { QUOTE_ROOM = 60 + 20 };

/* Of the bytes from `at` (an offset of linear), as many as are there and at most n are made linear. */
static bool linear_to(struct pktmem *m, struct pkt *p, uint32_t at, uint32_t n)
{
	return pkt_pullup(m, p, MIN(p->len, at - p->head + n)) == 0;
}

static uint32_t linear_end(const struct pkt *p) { return (uint32_t)p->head + p->head_len; }

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
		if (have < ICMP4_HLEN)
			return false;
		t->sport = view_icmp4_asks(l4[0]) ? get_be16(l4 + 4) : 0;
		t->dport = view_icmp4_answers(l4[0]) ? get_be16(l4 + 4) : 0;
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
	w->kind = VIEW_INVALID;
	if (have < IP4_HLEN || q[0] >> 4 != 4)
		return;
	uint32_t hlen = (q[0] & 15) * 4u;
	if (hlen < IP4_HLEN || hlen > have || get_be16(q + 6) & 0x1fff)
		return;
	struct via_addr src = via_addr_v4(get_be32(q + 12)), dst = via_addr_v4(get_be32(q + 16));
	if (!tuple_read(q + hlen, have - hlen, q[9], &src, &dst, &t))
		return;
	w->kind = VIEW_ERROR;
	w->t = tuple_inverse(&t);
	w->q_l3 = (uint16_t)(w->l4 + ICMP4_HLEN);
	w->q_l4 = (uint16_t)(w->q_l3 + hlen);
	w->q_end = (uint16_t)(w->q_l3 + have);
}

static bool view_icmp(struct pktmem *m, struct pkt *p, struct view *w)
{
	w->is_icmp = true;
	w->icmp_type = p->linear[w->l4];
	w->icmp_code = p->linear[w->l4 + 1];
	if (view_icmp4_asks(w->icmp_type) || view_icmp4_answers(w->icmp_type))
		return true;
	w->kind = VIEW_UNTRACKED;
	if (w->icmp_type == ICMP4_REDIRECT || w->icmp_type == ICMP4_QUENCH || !icmp4_is_error(w->icmp_type))
		return true; /* a redirect is between neighbours (RFC 5508 REQ-11), quench means nothing any more */
	if (!linear_to(m, p, w->l4, ICMP4_HLEN + QUOTE_ROOM))
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
	uint32_t need = w->proto == IPPROTO_N_TCP ? TCP_HLEN : w->proto == IPPROTO_N_UDP || w->proto == IPPROTO_N_ICMP ? UDP_HLEN : 0;
	if (!linear_to(m, p, w->l4, need))
		return false;
	uint32_t have = linear_end(p) > w->l4 ? linear_end(p) - w->l4 : 0;
	const uint8_t *l4 = p->linear + w->l4;
	if (have < need || !tuple_read(l4, have, w->proto, &w->src, &w->dst, &w->t)) {
		w->kind = VIEW_INVALID;
		return true;
	}
	if (w->proto == IPPROTO_N_ICMP)
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
	memset(w, 0, sizeof(*w));
	if (!linear_to(m, p, p->head, IP4_HLEN))
		return false;
	const uint8_t *ip = pkt_data(p);
	uint32_t hlen = p->head_len >= IP4_HLEN ? (ip[0] & 15) * 4u : 0;
	if (hlen < IP4_HLEN || ip[0] >> 4 != 4 || hlen > p->len) {
		w->kind = VIEW_INVALID;
		return true;
	}
	w->l3 = p->head;
	w->l4 = (uint16_t)(p->head + hlen);
	w->src = via_addr_v4(get_be32(ip + 12));
	w->dst = via_addr_v4(get_be32(ip + 16));
	w->proto = ip[9];
	w->t = tuple_of(&w->src, 0, &w->dst, 0, w->proto);
	if (get_be16(ip + 6) & 0x1fff) {
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
	return !w->is_icmp || view_icmp4_asks(w->icmp_type);
}

bool view_error_is_sound(const struct pktmem *m, const struct pkt *p, const struct view *w)
{
	uint32_t off = (uint32_t)(w->l4 - p->head);
	if (csum_fold(csum_add(0, p->linear + w->q_l3, (uint32_t)(w->q_l4 - w->q_l3))) != 0xffff)
		return false;
	return p->m.csum != PKT_CSUM_NONE || csum_fold(pkt_csum(m, p, off, p->len - off, 0)) == 0xffff;
}
