/* filter/rewrite.c - the change a NAT makes to a packet: an address and a port, here and in what an ICMP error quotes.
 *
 * Checksums follow word by word (RFC 1624 eq. 3), so what was wrong stays wrong and payload is not read. A partial checksum
 * (pkt/pkt.h) holds the pseudo-header's sum, not its complement, and no port: only addresses change it. A UDP checksum of zero
 * means none and stays; one that becomes zero is sent as ones (RFC 768). A quote may end before its transport's checksum. */
#include "filter/view.h"

#include "base/bytes.h"
#include "base/csum.h"
#include "wire/ip4.h"

/* The checksum fields over a piece of a packet; NULL: none. */
struct sums {
	uint8_t *ip, *l4;  /* of the header, of the transport */
	uint8_t *icmp;     /* of the ICMP error around it all, the two fields above included */
	bool is_partial, is_udp;
};

static void sum_update(uint8_t *field, uint16_t from, uint16_t to)
{
	if (field)
		put_be16(field, csum_update(get_be16(field), from, to));
}

/* The transport's field, after a word changed. address: the word is in the pseudo-header. */
static void sum_update_l4(const struct sums *s, uint16_t from, uint16_t to, bool address)
{
	if (!s->l4 || (s->is_partial && !address))
		return;
	uint16_t old = get_be16(s->l4), new;
	if (s->is_udp && !s->is_partial && old == 0)
		return;
	new = s->is_partial ? (uint16_t)~csum_update((uint16_t)~old, from, to) : csum_update(old, from, to);
	if (s->is_udp && !s->is_partial && new == 0)
		new = 0xffff;
	put_be16(s->l4, new);
	sum_update(s->icmp, old, new);
}

static void set_port(uint8_t *at, uint16_t to, const struct sums *s)
{
	uint16_t from = get_be16(at);
	put_be16(at, to);
	sum_update(s->icmp, from, to);
	sum_update_l4(s, from, to, false);
}

static void set_addr(uint8_t *at, uint32_t to, const struct sums *s, bool in_pseudo)
{
	for (int k = 0; k < 2; k++) {
		uint16_t from = get_be16(at + 2 * k), word = (uint16_t)(k ? to : to >> 16);
		uint16_t sum = s->ip ? get_be16(s->ip) : 0;
		put_be16(at + 2 * k, word);
		sum_update(s->ip, from, word);
		sum_update(s->icmp, from, word);
		if (s->ip)
			sum_update(s->icmp, sum, get_be16(s->ip));
		if (in_pseudo)
			sum_update_l4(s, from, word, true);
	}
}

/* Where the transport's checksum stands behind its beginning; 0: it has none that we keep. */
static uint32_t csum_at(uint8_t proto)
{
	return proto == IPPROTO_N_TCP ? 16 : proto == IPPROTO_N_UDP ? 6 : proto == IPPROTO_N_ICMP ? 2 : 0;
}

/* Where that side's port stands, or NULL: it has none. */
static uint8_t *port_at(uint8_t *l4, uint8_t proto, enum view_side side)
{
	if (proto == IPPROTO_N_ICMP)
		return view_icmp4_asks(l4[0]) == (side == VIEW_SRC) ? l4 + 4 : NULL;
	if (proto != IPPROTO_N_TCP && proto != IPPROTO_N_UDP)
		return NULL;
	return l4 + (side == VIEW_SRC ? 0 : 2);
}

/* A header of IPv4 at ip and what follows it at l4, of which the bytes up to `end` may be written. */
static void rewrite_at(uint8_t *ip, uint8_t *l4, const uint8_t *end, struct sums *s, enum view_side side, uint32_t addr, uint16_t port)
{
	uint8_t proto = ip[9];
	uint32_t at = csum_at(proto);
	s->ip = ip + 10;
	s->l4 = at && l4 + at + 2 <= end ? l4 + at : NULL;
	s->is_udp = proto == IPPROTO_N_UDP;
	set_addr(ip + (side == VIEW_SRC ? 12 : 16), addr, s, proto != IPPROTO_N_ICMP);
	uint8_t *p = port_at(l4, proto, side);
	if (p && get_be16(p) != port)
		set_port(p, port, s);
}

void view_rewrite(struct pkt *p, struct view *w, enum view_side side, const struct via_addr *addr, uint16_t port)
{
	uint8_t *l4 = p->linear + w->l4, *end = p->linear + p->head + p->head_len;
	uint32_t to = via_addr_to_v4(addr);
	struct sums s = {.is_partial = p->m.csum == PKT_CSUM_PARTIAL};
	if (w->kind == VIEW_ERROR) {
		struct sums quote = {.icmp = l4 + 2};
		rewrite_at(p->linear + w->q_l3, p->linear + w->q_l4, p->linear + w->q_end, &quote, side == VIEW_SRC ? VIEW_DST : VIEW_SRC,
			   to, port);
		s.ip = p->linear + w->l3 + 10;
		set_addr(p->linear + w->l3 + (side == VIEW_SRC ? 12 : 16), to, &s, false);
	} else {
		rewrite_at(p->linear + w->l3, l4, end, &s, side, to, port);
	}
	*(side == VIEW_SRC ? &w->t.src : &w->t.dst) = *addr;
	*(side == VIEW_SRC ? &w->src : &w->dst) = *addr;
	*(side == VIEW_SRC ? &w->t.sport : &w->t.dport) = port;
	w->sport = w->has_ports ? w->t.sport : 0;
	w->dport = w->has_ports ? w->t.dport : 0;
}
