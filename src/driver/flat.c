/* driver/flat.c - a packet as the frames a wire would carry.
 *
 * The packet is copied into one flat buffer; a partial checksum is finished there. A superframe is cut into frames of
 * gso_size payload bytes, each with the headers repeated and renewed: length, IPv4 id (counting up), header checksum; for
 * TCP the sequence number, FIN and PSH on the last, CWR on the first (RFC 3168 §6.1.2); for UDP its length. Checksums are
 * computed from scratch. Offsets are found by reading the frame, since metadata of a received packet may not be set yet.
 * RFC 791, RFC 8200 (no extension headers), RFC 9293 §3.1, RFC 768. */
#include "driver/flat.h"

#include "base/bytes.h"
#include "base/csum.h"

#include <errno.h>
#include <stdlib.h>

enum { PROTO_TCP = 6, PROTO_UDP = 17 };
enum { TCP_SEQ_AT = 4, TCP_OFF_AT = 12, TCP_FLAGS_AT = 13, TCP_CSUM_AT = 16, UDP_LEN_AT = 4, UDP_CSUM_AT = 6 };
enum { FLAG_FIN = 1, FLAG_PSH = 8, FLAG_CWR = 128 };

/* Where the headers of a frame are, counted from its first byte. */
struct flat_layout {
	uint32_t l3, l4, payload;
	uint8_t proto;
	bool v6;
};

static bool flat_layout(const uint8_t *b, uint32_t len, enum via_l2 l2, struct flat_layout *o)
{
	*o = (struct flat_layout){0};
	if (l2 == VIA_L2_ETHER) {
		o->l3 = 14;
		if (len >= 18 && get_be16(b + 12) == 0x8100)
			o->l3 = 18;
		if (len < o->l3)
			return false;
		uint16_t type = get_be16(b + o->l3 - 2);
		if (type != 0x0800 && type != 0x86dd)
			return false;
	}
	if (len < o->l3 + 20)
		return false;
	o->v6 = b[o->l3] >> 4 == 6;
	o->l4 = o->l3 + (o->v6 ? 40u : (b[o->l3] & 15u) * 4);
	if (o->l4 < o->l3 + 20 || len < o->l4 + 8)
		return false;
	o->proto = b[o->l3 + (o->v6 ? 6 : 9)];
	if (o->proto == PROTO_UDP)
		o->payload = o->l4 + 8;
	else if (o->proto == PROTO_TCP && len >= o->l4 + 20)
		o->payload = o->l4 + (b[o->l4 + TCP_OFF_AT] >> 4) * 4u;
	else
		return false;
	return o->payload <= len && o->payload >= o->l4 + (o->proto == PROTO_TCP ? 20 : 8);
}

/* The L4 checksum of a whole frame, pseudo-header included (RFC 9293 §3.1, RFC 8200 §8.1). */
static void flat_l4_csum(uint8_t *b, uint32_t len, const struct flat_layout *o)
{
	uint8_t *field = b + o->l4 + (o->proto == PROTO_TCP ? TCP_CSUM_AT : UDP_CSUM_AT);
	uint32_t l4len = len - o->l4;
	put_be16(field, 0);
	uint64_t sum = o->v6 ? csum_add(0, b + o->l3 + 8, 32) : csum_add(0, b + o->l3 + 12, 8);
	sum += (uint64_t)o->proto + (l4len >> 16) + (l4len & 0xffff);
	uint16_t v = csum_field(csum_add(sum, b + o->l4, l4len));
	put_be16(field, v == 0 && o->proto == PROTO_UDP ? 0xffff : v);
}

/* Renew the headers of cut number i, which ends the superframe if `last`. */
static void flat_renew(uint8_t *b, uint32_t len, const struct flat_layout *o, uint32_t i, uint32_t done, bool last)
{
	uint8_t *ip = b + o->l3, *l4 = b + o->l4;
	if (o->v6) {
		put_be16(ip + 4, (uint16_t)(len - o->l4));
	} else {
		put_be16(ip + 2, (uint16_t)(len - o->l3));
		put_be16(ip + 4, (uint16_t)(get_be16(ip + 4) + i));
		put_be16(ip + 10, 0);
		put_be16(ip + 10, csum_field(csum_add(0, ip, o->l4 - o->l3)));
	}
	if (o->proto == PROTO_TCP) {
		put_be32(l4 + TCP_SEQ_AT, get_be32(l4 + TCP_SEQ_AT) + done);
		if (!last)
			l4[TCP_FLAGS_AT] &= (uint8_t)~(FLAG_FIN | FLAG_PSH);
		if (i > 0)
			l4[TCP_FLAGS_AT] &= (uint8_t)~FLAG_CWR;
	} else {
		put_be16(l4 + UDP_LEN_AT, (uint16_t)(len - o->l4));
	}
	flat_l4_csum(b, len, o);
}

static int flat_grow(uint8_t **buf, uint32_t *cap, uint32_t want)
{
	if (*cap >= want)
		return 0;
	uint8_t *b = realloc(*buf, want);
	if (!b)
		return -ENOMEM;
	*buf = b;
	*cap = want;
	return 0;
}

void flat_free(struct flat *f)
{
	free(f->whole);
	free(f->frame);
	*f = (struct flat){0};
}

/* The stored field is the folded pseudo-header sum, so summing over it adds the pseudo-header. */
static void flat_finish(uint8_t *b, const struct pkt *p)
{
	uint32_t start = (uint32_t)p->m.csum_start - p->head, at = start + p->m.csum_offset;
	if (p->m.csum_start < p->head || at + 2 > p->len)
		return;
	uint16_t v = csum_field(csum_add(0, b + start, p->len - start));
	bool udp = p->m.csum_offset == UDP_CSUM_AT;
	put_be16(b + at, v == 0 && udp ? 0xffff : v);
}

int flat_frames(struct flat *f, const struct pktmem *m, const struct pkt *p, enum via_l2 l2,
	int (*emit)(void *ctx, const uint8_t *frame, uint32_t len), void *ctx)
{
	if (flat_grow(&f->whole, &f->whole_cap, p->len + 1) < 0)
		return -ENOMEM;
	uint32_t len = pkt_copy_out(m, p, 0, f->whole, p->len);
	struct flat_layout o;
	if (p->m.gso_size == 0 || !flat_layout(f->whole, len, l2, &o)) {
		if (p->m.csum == PKT_CSUM_PARTIAL)
			flat_finish(f->whole, p);
		return emit(ctx, f->whole, len);
	}
	if (flat_grow(&f->frame, &f->frame_cap, o.payload + p->m.gso_size) < 0)
		return -ENOMEM;
	uint32_t all = len - o.payload, done = 0, i = 0;
	do {
		uint32_t part = MIN(all - done, (uint32_t)p->m.gso_size);
		memcpy(f->frame, f->whole, o.payload);
		memcpy(f->frame + o.payload, f->whole + o.payload + done, part);
		flat_renew(f->frame, o.payload + part, &o, i++, done, done + part == all);
		int err = emit(ctx, f->frame, o.payload + part);
		if (err < 0)
			return err;
		done += part;
	} while (done < all);
	return 0;
}
