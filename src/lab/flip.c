/* lab/flip.c - see flip.h. The checksum follows by RFC 1624 from the one 16-bit word that changes. */
#include "lab/flip.h"

#include "base/csum.h"
#include "wire/eth.h"
#include "wire/ip4.h"

/* Where the IPv4 packet in p begins, behind its Ethernet header and tag; 0: it is none. */
static uint32_t ip4_at(const struct pkt *p)
{
	struct eth_hdr h;
	if (eth_parse(p->linear + p->head, p->head_len, &h) || h.type != ETHERTYPE_IP4 || p->len <= h.hlen)
		return 0;
	return h.hlen;
}

bool flip_draw(struct flip *f, struct rng *r, const struct pkt *p)
{
	uint32_t at = ip4_at(p);
	if (!at)
		return false;
	*f = (struct flip){.off = at + (uint32_t)rng_below(r, p->len - at)};
	f->bit = (unsigned)rng_below(r, 8);
	return true;
}

/* Where p's transport part begins, its end, and its checksum field (0: it has none). False: none that we know. */
static bool find_transport(const struct pkt *p, uint32_t *at, uint32_t *end, uint32_t *csum)
{
	uint32_t l3 = ip4_at(p);
	const uint8_t *ip = p->linear + p->head + l3;
	if (!l3 || p->head_len < l3 + IP4_HLEN || get_be16(ip + 6) & (IP4_MF | 0x1fff))
		return false;
	*at = l3 + (ip[0] & 15u) * 4;
	*end = l3 + get_be16(ip + 2);
	*csum = *at + (ip[9] == IPPROTO_N_TCP ? 16 : 6);
	if ((ip[9] != IPPROTO_N_TCP && ip[9] != IPPROTO_N_UDP) || *csum + 2 > p->head_len || *end > p->len || *csum + 2 > *end)
		return false;
	if (ip[9] == IPPROTO_N_UDP && get_be16(p->linear + p->head + *csum) == 0)
		*csum = 0;
	return true;
}

bool flip_draw_mangled(struct flip *f, struct rng *r, const struct pktmem *m, const struct pkt *p)
{
	uint32_t at, end;
	uint8_t b[2] = {0};
	*f = (struct flip){0};
	if (!find_transport(p, &at, &end, &f->csum_off))
		return false;
	f->off = at + (uint32_t)rng_below(r, end - at - 2 * !!f->csum_off);
	f->off += f->csum_off && f->off >= f->csum_off ? 2 : 0;
	f->bit = (unsigned)rng_below(r, 8);
	if (!f->csum_off)
		return true;
	uint32_t word = f->off - ((f->off - at) & 1);
	pkt_copy_out(m, p, word, b, MIN(2u, end - word)); /* the last odd byte is summed with a zero behind it */
	uint16_t from = get_be16(b);
	b[f->off - word] ^= (uint8_t)(1u << f->bit);
	f->csum = csum_update(get_be16(p->linear + p->head + f->csum_off), from, get_be16(b));
	if (!f->csum && f->csum_off == at + 6)
		f->csum = 0xffff; /* UDP's 0 means "none" (RFC 768) */
	return true;
}

int flip_apply(const struct flip *f, struct pktmem *m, struct pkt *p)
{
	int rc = pkt_corrupt(m, p, f->off, f->bit);
	if (!rc && f->csum_off)
		put_be16(pkt_data(p) + f->csum_off, f->csum);
	return rc;
}
