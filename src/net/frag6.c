/* net/frag6.c - IPv6 fragments: reading one, the header of the whole, cutting a packet of ours, ids. See the header.
 *
 * A first fragment must show all headers, the transport's too, so that filters see what they judge (RFC 7112). The rest of it may lie
 * anywhere. Overlaps are the engine's. */
#include "net/frag6.h"

#include "net/frag4.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#include <errno.h>

enum { PAYLOAD_LEN_AT = 4 };

/* Does the first fragment p hold all headers? */
static bool has_all_headers(struct pktmem *m, const struct pkt *p, const struct ip_hdr *h)
{
	uint32_t at = h->hlen;
	bool is_later;
	int proto = ext6_skip(m, p, h->proto, &at, &is_later);
	uint8_t tcp[13];
	switch (proto) {
	case -1:
		return false;
	case IPPROTO_N_TCP:
		return pkt_copy_out(m, p, at, tcp, sizeof(tcp)) == sizeof(tcp) && p->len >= at + MAX(TCP_HLEN, (tcp[12] >> 4) * 4u);
	case IPPROTO_N_UDP:
		return p->len >= at + UDP_HLEN;
	case IPPROTO_N_ICMP6:
		return p->len >= at + ICMP6_HLEN;
	default:
		return p->len >= at;
	}
}

enum drop frag6_read(struct pktmem *m, struct pkt *p, const struct ip_hdr *h, struct reasm_key *k, struct reasm_fragment *f,
		     struct ext6_error *error)
{
	uint32_t before = h->hlen - IP6_HLEN - FRAG6_HLEN; /* stays in front of the whole, and counts */
	*k = (struct reasm_key){.src = h->src, .dst = h->dst, .id = h->id};
	*f = (struct reasm_fragment){.off = h->frag_off, .len = p->len - h->hlen, .room = 65535u - before, .more = h->more, .ecn = h->tos & 3};
	*error = (struct ext6_error){.is_due = true, .say = ICMP_SAY_BAD_FIELD};
	if (f->more && f->len % 8) {
		error->at = PAYLOAD_LEN_AT;
		return DROP_FRAG_BAD;
	}
	if (f->off + f->len > f->room) {
		error->at = h->hlen - FRAG6_HLEN + 2u;
		return DROP_FRAG_BAD;
	}
	if (f->off == 0 && !has_all_headers(m, p, h)) {
		error->say = ICMP_SAY_BAD_CHAIN;
		return DROP_FRAG_TINY;
	}
	error->is_due = false;
	return DROP_NONE;
}

/* Where the field stands that announces the header at `end`. */
static uint32_t next_field(const uint8_t *ip, uint32_t end)
{
	uint32_t field = 6, at = IP6_HLEN;
	while (at < end) { /* they were walked before: all are there */
		field = at;
		at += 8u * (ip[at + 1] + 1u);
	}
	return field;
}

enum drop frag6_whole(struct pkt *p, uint8_t ecn, struct ip_hdr *h)
{
	uint32_t before = (uint32_t)(p->m.l4 - p->m.l3) - FRAG6_HLEN;
	struct ip6_hdr w;
	const uint8_t next = p->linear[p->m.l4 - FRAG6_HLEN];
	uint8_t *ip = pkt_push(p, before);
	/* what is in front, the link's header too, takes the fragment header's place */
	memmove(p->linear + p->m.l2 + FRAG6_HLEN, p->linear + p->m.l2, (size_t)(p->m.l4 - FRAG6_HLEN - p->m.l2));
	p->m.l2 = (uint16_t)(p->m.l2 + FRAG6_HLEN);
	p->m.l3 = p->head;
	if (p->len - IP6_HLEN > 65535)
		return DROP_FRAG_BAD;
	uint32_t field = next_field(ip, before);
	ip[field] = next;
	put_be16(ip + PAYLOAD_LEN_AT, (uint16_t)(p->len - IP6_HLEN));
	put_be32(ip, (get_be32(ip) & ~(UINT32_C(3) << 20)) | (uint32_t)ecn << 20);
	p->m.ecn = ecn;
	p->m.csum = PKT_CSUM_NONE;
	if (ip6_parse(ip, p->len, false, &w))
		return DROP_FRAG_BAD;
	struct via_addr src = h->src, dst = h->dst;
	*h = ip_hdr_of6(&w);
	h->src = src;
	h->dst = dst;
	h->hlen = (uint16_t)before;
	h->proto = next;
	h->next_at = (uint16_t)field;
	return DROP_NONE;
}

int frag6_cut(struct pktmem *m, struct pkt *p, uint32_t mtu, uint32_t id, struct pktq *q)
{
	uint8_t head[IP6_HLEN + FRAG6_HLEN] = {0};
	uint32_t payload = p->len - IP6_HLEN, room = mtu < sizeof(head) + 8 ? 0 : (mtu - (uint32_t)sizeof(head)) & ~7u;
	struct pktq made = {0};
	int err = room ? 0 : -EMSGSIZE;
	pkt_csum_finish(m, p);
	memcpy(head, pkt_data(p), IP6_HLEN);
	head[IP6_HLEN] = head[6];
	head[6] = IPPROTO_N_FRAGMENT;
	put_be32(head + IP6_HLEN + 4, id);
	for (uint32_t off = 0; off < payload && !err; off += room) {
		uint32_t n = MIN(payload - off, room);
		put_be16(head + PAYLOAD_LEN_AT, (uint16_t)(FRAG6_HLEN + n));
		put_be16(head + IP6_HLEN + 2, (uint16_t)(off | (off + n < payload)));
		struct pkt *s = frag_piece(m, p, head, sizeof(head), IP6_HLEN + off, n);
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

uint32_t frag6_id(struct frag6_ids *ids, const struct via_addr *src, const struct via_addr *dst)
{
	uint8_t k[32];
	memcpy(k, src->b, 16);
	memcpy(k + 16, dst->b, 16);
	uint64_t h = siphash_2_4(ids->key, k, sizeof(k));
	return (uint32_t)(h >> 32) + ids->next[h % FRAG6_IDS]++;
}
