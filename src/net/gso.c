/* net/gso.c - software segmentation: a TCP superframe becomes packets its link can take.
 *
 * Headers are copied from the superframe and renewed; payload stays where it is: cuts refer to the same blocks. The TCP
 * checksum is summed over each cut in one pass. What is in front of the IP header (an Ethernet header) is repeated.
 * Cost: one packet struct per cut. Only TCP is cut, in either family, without IPv6
 * extension headers; anything else is refused. RFC 9293 §3.1 (checksum,
 * PSH, FIN), RFC 3168 §6.1.2 (CWR once), RFC 6864 (an id for each). */
#include "net/gso.h"

#include <errno.h>

#include "base/csum.h"
#include "net/ip.h"
#include "wire/tcp.h"

/* Where the next cut begins in the superframe's payload: first what is linear, then slice by slice. */
struct gso_cursor {
	const uint8_t *linear;
	uint32_t linear_left;
	uint16_t slice;
	uint32_t slice_off;
};

/* Append n payload bytes at the cursor to s. 0, -ENOMEM, -ENOSPC. */
static int gso_take(struct pktmem *m, const struct pkt *p, struct gso_cursor *c, struct pkt *s, uint32_t n)
{
	uint32_t part = MIN(n, c->linear_left);
	if (part) {
		int err = pkt_append(m, s, c->linear, part);
		if (err)
			return err;
		c->linear += part;
		c->linear_left -= part;
		n -= part;
	}
	while (n > 0) {
		const struct pkt_slice *sl = &p->slices[c->slice];
		part = MIN(n, sl->len - c->slice_off);
		int err = pkt_append_slice(m, s, sl->blk, sl->off + c->slice_off, part);
		if (err)
			return err;
		n -= part;
		c->slice_off += part;
		if (c->slice_off == sl->len) {
			c->slice++;
			c->slice_off = 0;
		}
	}
	return 0;
}

void gso_ip_header(uint8_t *ip, uint32_t len, uint32_t i)
{
	if (ip[0] >> 4 == 6) {
		put_be16(ip + 4, (uint16_t)(len - IP6_HLEN));
		return;
	}
	put_be16(ip + 2, (uint16_t)len);
	put_be16(ip + 4, (uint16_t)(get_be16(ip + 4) + i));
	put_be16(ip + 10, 0);
	put_be16(ip + 10, csum_field(csum_add(0, ip, (ip[0] & 15) * 4u)));
}

uint64_t gso_tcp_pseudo(const uint8_t *ip, uint32_t l4_len)
{
	if (ip[0] >> 4 == 6)
		return csum_add(0, ip + 8, 32) + (l4_len >> 16) + (l4_len & 0xffff) + IPPROTO_N_TCP;
	return ip4_pseudo(get_be32(ip + 12), get_be32(ip + 16), IPPROTO_N_TCP, l4_len);
}

/* Renew the headers of cut number i: `off` bytes of payload lie before it. */
static void gso_headers(const struct pktmem *m, struct pkt *s, uint32_t i, uint32_t off, bool last)
{
	uint8_t *ip = s->linear + s->m.l3, *tcp = s->linear + s->m.l4;
	uint32_t l3_off = (uint32_t)(s->m.l3 - s->head), l4_off = (uint32_t)(s->m.l4 - s->head), l4_len = s->len - l4_off;
	gso_ip_header(ip, s->len - l3_off, i);
	put_be32(tcp + 4, get_be32(tcp + 4) + off);
	if (i > 0)
		tcp[13] &= (uint8_t)~TCP_CWR;
	if (!last)
		tcp[13] &= (uint8_t)~(TCP_FIN | TCP_PSH);
	put_be16(tcp + 16, 0);
	put_be16(tcp + 16, csum_field(pkt_csum(m, s, l4_off, l4_len, gso_tcp_pseudo(ip, l4_len))));
}

/* Cut number i, `n` bytes of payload that begin at `off`. NULL when memory is out. */
static struct pkt *gso_one(struct pktmem *m, const struct pkt *p, struct gso_cursor *c, uint32_t hdr, uint32_t i, uint32_t off,
			   uint32_t n, bool last)
{
	struct pkt *s = pkt_new(m, p->head);
	if (!s)
		return NULL;
	memcpy(pkt_put(s, hdr), p->linear + p->head, hdr);
	s->m = p->m;
	s->m.id = 0;
	s->m.gso = PKT_GSO_NONE;
	s->m.gso_size = s->m.gso_segs = 0;
	s->m.csum = p->m.csum == PKT_CSUM_VERIFIED ? PKT_CSUM_VERIFIED : PKT_CSUM_NONE;
	if (!last) {
		s->m.owner = 0;
		s->m.owner_gen = 0;
		s->m.owner_seq_end = 0;
	}
	if (gso_take(m, p, c, s, n)) {
		pkt_free(m, s);
		return NULL;
	}
	gso_headers(m, s, i, off, last);
	return s;
}

int gso_cut(struct pktmem *m, struct pkt *p, struct pktq *q)
{
	uint32_t hdr = (uint32_t)(p->m.l4 - p->head) + (p->linear[p->m.l4 + 12] >> 4) * 4u;
	int err = (p->m.gso == PKT_GSO_TCP4 || p->m.gso == PKT_GSO_TCP6) && p->m.gso_size && hdr <= p->head_len ? 0 : -EINVAL;
	if (!err) {
		struct gso_cursor c = {.linear = p->linear + p->head + hdr, .linear_left = p->head_len - hdr};
		uint32_t payload = p->len - hdr, i = 0;
		for (uint32_t off = 0; off < payload && !err; i++) {
			uint32_t n = MIN(payload - off, p->m.gso_size);
			struct pkt *s = gso_one(m, p, &c, hdr, i, off, n, off + n == payload);
			if (s)
				pktq_push(m, q, s);
			else
				err = -ENOMEM;
			off += n;
		}
	}
	pkt_free(m, p);
	return err;
}
