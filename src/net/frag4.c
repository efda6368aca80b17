/* net/frag4.c - IPv4 fragments: reading one, the header of the whole, cutting a packet, ids.
 *
 * A tiny first fragment, and one that begins inside TCP's header, exist to hide ports and flags from filters (RFC 1858, RFC
 * 3128): they are dropped. A packet that is cut has all its options in the first fragment, those with the copy bit in the others,
 * too (RFC 791 §3.1). RFC 791 §3.2, RFC 1122 §3.3.3, RFC 1812 §5.2.6, RFC 6864. */
#include "net/frag4.h"

#include <errno.h>

#include "base/csum.h"
#include "wire/icmp4.h"
#include "wire/tcp.h"
#include "wire/udp.h"

/* Bytes of transport header that a first fragment must hold. p begins at it. */
static uint32_t frag4_l4_len(struct pktmem *m, struct pkt *p, uint8_t proto)
{
	switch (proto) {
	case IPPROTO_N_TCP: {
		uint8_t at[13];
		return pkt_copy_out(m, p, 0, at, sizeof(at)) < sizeof(at) ? TCP_HLEN : MAX(TCP_HLEN, (at[12] >> 4) * 4u);
	}
	case IPPROTO_N_UDP:
		return UDP_HLEN;
	case IPPROTO_N_ICMP:
		return ICMP4_HLEN;
	default:
		return 0;
	}
}

enum drop frag4_read(struct pktmem *m, struct pkt *p, const struct ip_hdr *h, struct reasm_key *k, struct reasm_fragment *f)
{
	*k = (struct reasm_key){.src = h->src, .dst = h->dst, .id = h->id, .proto = h->proto};
	*f = (struct reasm_fragment){.off = h->frag_off, .len = p->len - h->hlen, .room = 65535u - h->hlen, .more = h->more,
				     .ecn = h->tos & 3};
	if (f->off > 0)
		return h->proto == IPPROTO_N_TCP && f->off < TCP_HLEN ? DROP_FRAG_TINY : DROP_NONE;
	pkt_pull(p, h->hlen);
	uint32_t need = frag4_l4_len(m, p, h->proto);
	pkt_push(p, h->hlen);
	return f->len < need ? DROP_FRAG_TINY : DROP_NONE;
}

enum drop frag4_whole(struct pkt *p, uint8_t ecn, struct ip_hdr *h)
{
	struct ip4_hdr w;
	uint8_t *ip = pkt_push(p, (uint32_t)(p->m.l4 - p->m.l3));
	if (p->len > 65535)
		return DROP_FRAG_BAD;
	ip[1] = (uint8_t)((ip[1] & 0xfc) | ecn);
	put_be16(ip + 2, (uint16_t)p->len);
	put_be16(ip + 6, get_be16(ip + 6) & IP4_DF);
	put_be16(ip + 10, 0);
	put_be16(ip + 10, csum_field(csum_add(0, ip, (uint32_t)(p->m.l4 - p->m.l3))));
	p->m.ecn = ecn;
	p->m.csum = PKT_CSUM_NONE;
	if (ip4_parse(ip, p->len, false, &w))
		return DROP_FRAG_BAD;
	*h = ip_hdr_of4(&w);
	return DROP_NONE;
}

/* ---- cutting ---- */

/* The header of the second and later fragments: options without a copy bit are left out. Returns its length. */
static uint32_t frag4_later_header(uint8_t to[60], const uint8_t *ip, uint32_t hlen)
{
	uint32_t n = IP4_HLEN;
	memcpy(to, ip, IP4_HLEN);
	for (uint32_t i = IP4_HLEN, len; i < hlen && ip[i] != 0; i += len) {
		len = ip[i] == 1 ? 1 : i + 1 < hlen ? ip[i + 1] : 0;
		if (len == 0 || len > hlen - i || (len == 1 && ip[i] != 1))
			break;
		if (ip[i] & 0x80) {
			memcpy(to + n, ip + i, len);
			n += len;
		}
	}
	for (; n % 4; n++)
		to[n] = 0;
	to[0] = (uint8_t)(0x40 | n / 4);
	return n;
}

struct pkt *frag_piece(struct pktmem *m, const struct pkt *p, const uint8_t *ip, uint32_t hlen, uint32_t off, uint32_t n)
{
	struct pkt *s = pkt_new(m, PKT_HEADROOM);
	if (!s)
		return NULL;
	memcpy(pkt_put(s, hlen), ip, hlen);
	s->m = p->m;
	s->m.id = 0;
	s->m.csum = PKT_CSUM_NONE;
	s->m.l2 = s->m.l3 = s->head;
	s->m.l4 = (uint16_t)(s->head + hlen);
	if (pkt_append_range(m, s, p, off, n)) {
		pkt_free(m, s);
		return NULL;
	}
	return s;
}

/* n bytes of p's payload that begin at off, behind the header `ip` of hlen bytes. NULL when memory is out. */
static struct pkt *frag4_one(struct pktmem *m, const struct pkt *p, const uint8_t *ip, uint32_t hlen, uint32_t off, uint32_t n, bool last)
{
	struct pkt *s = frag_piece(m, p, ip, hlen, (uint32_t)(p->m.l4 - p->m.l3) + off, n);
	if (!s)
		return NULL;
	uint8_t *to = pkt_data(s);
	uint16_t frag = get_be16(p->linear + p->m.l3 + 6);
	frag = (uint16_t)(((frag & (IP4_MF | 0x1fff)) + off / 8) | (last ? 0 : IP4_MF));
	put_be16(to + 2, (uint16_t)(hlen + n));
	put_be16(to + 6, frag);
	put_be16(to + 10, 0);
	put_be16(to + 10, csum_field(csum_add(0, to, hlen)));
	return s;
}

int frag4_cut(struct pktmem *m, struct pkt *p, uint32_t mtu, struct pktq *q)
{
	const uint8_t *ip = pkt_data(p);
	uint32_t hlen = (uint32_t)(p->m.l4 - p->m.l3), payload = p->len - hlen, n = 0;
	uint8_t later[60];
	uint32_t later_hlen = frag4_later_header(later, ip, hlen);
	struct pktq made = {0};
	int err = mtu < hlen + 8 ? -EMSGSIZE : 0;
	pkt_csum_finish(m, p);
	for (uint32_t off = 0; off < payload && !err; off += n) {
		uint32_t hl = off ? later_hlen : hlen;
		bool last = payload - off <= mtu - hl;
		n = last ? payload - off : (mtu - hl) & ~7u;
		struct pkt *s = frag4_one(m, p, off ? later : ip, hl, off, n, last);
		if (s)
			pktq_push(m, &made, s);
		else
			err = -ENOMEM;
	}
	if (err)
		pktq_clear(m, &made);
	else
		pkt_free(m, p);
	for (struct pkt *s; (s = pktq_pop(m, &made)) != NULL;)
		pktq_push(m, q, s);
	return err;
}

uint32_t frag4_count(uint32_t len, uint32_t hlen, uint32_t mtu)
{
	uint32_t unit = mtu >= hlen + 8 ? (mtu - hlen) & ~7u : 8;
	return len <= mtu ? 1 : (len - hlen + unit - 1) / unit;
}

/* ---- ids ---- */

uint16_t frag4_id(struct frag4_ids *ids, uint32_t src, uint32_t dst, uint8_t proto)
{
	uint8_t k[9];
	put_be32(k, src);
	put_be32(k + 4, dst);
	k[8] = proto;
	uint64_t h = siphash_2_4(ids->key, k, sizeof(k));
	return (uint16_t)((h >> 48) + ids->next[h % FRAG4_IDS]++);
}
