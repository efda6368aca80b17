/* wire/dns_rr.c - the records of a DNS message, one after the other, and what is inside some of them (RFC 1035 §3.2, §3.3, §4.1.3;
 * RFC 2782; RFC 3597 §4: names in the data of newer types are not compressed). */
#include "wire/dns.h"

#include <errno.h>

enum { RR_FIXED = 10, SOA_TAIL = 20 };

int dns_walk_begin(struct dns_walk *w, const uint8_t *msg, size_t len)
{
	uint8_t raw[DNS_NAME_MAX + 1];
	if (len < DNS_HLEN)
		return -EINVAL;
	*w = (struct dns_walk){.msg = msg, .len = len, .pos = DNS_HLEN, .n_questions = get_be16(msg + 4),
			       .left = {get_be16(msg + 6), get_be16(msg + 8), get_be16(msg + 10)}};
	for (uint32_t i = 0; i < w->n_questions; i++) {
		if (dns_name_read(msg, len, &w->pos, raw) < 0 || len - w->pos < 4)
			return -EINVAL;
		w->pos += 4;
	}
	return 0;
}

int dns_rr_next(struct dns_walk *w, struct dns_rr *r)
{
	int section = 0;
	while (section < 3 && !w->left[section])
		section++;
	if (section == 3)
		return -ENOENT;
	w->left[section]--;
	int n = dns_name_read(w->msg, w->len, &w->pos, r->owner);
	if (n < 0 || w->len - w->pos < RR_FIXED)
		return -EINVAL;
	const uint8_t *p = w->msg + w->pos;
	r->owner_len = (uint16_t)n;
	r->type = get_be16(p);
	r->klass = get_be16(p + 2);
	r->ttl = get_be32(p + 4) >> 31 ? 0 : get_be32(p + 4);
	r->ttl_at = w->pos + 4;
	r->rdata = w->pos + RR_FIXED;
	r->rdlen = get_be16(p + 8);
	if (w->len - r->rdata < r->rdlen)
		return -EINVAL;
	w->pos = r->rdata + r->rdlen;
	return section;
}

/* A name at *pos that ends at `end` at the latest, written without compression. */
static bool name_copy(const uint8_t *msg, size_t len, size_t *pos, size_t end, struct writer *out)
{
	uint8_t raw[DNS_NAME_MAX + 1];
	int n = *pos < end ? dns_name_read(msg, len, pos, raw) : -EINVAL;
	if (n < 0 || *pos > end)
		return false;
	wr_bytes(out, raw, (size_t)n);
	return true;
}

int dns_rdata_write(const uint8_t *msg, size_t len, const struct dns_rr *r, struct writer *out)
{
	size_t pos = r->rdata, end = r->rdata + r->rdlen, before = 0, names = 0, after = 0;
	switch (r->type) {
	case DNS_A:
	case DNS_AAAA:
		if (r->rdlen != (r->type == DNS_A ? 4 : 16))
			return -EINVAL;
		break;
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR:
		names = 1;
		break;
	case DNS_MX:
	case DNS_SRV:
		before = r->type == DNS_MX ? 2 : 6;
		names = 1;
		break;
	case DNS_SOA:
		names = 2;
		after = SOA_TAIL;
		break;
	default:
		break;
	}
	if (r->rdlen < before + after)
		return -EINVAL;
	if (names == 0) {
		wr_bytes(out, msg + pos, r->rdlen);
		return 0;
	}
	wr_bytes(out, msg + pos, before);
	pos += before;
	for (; names > 0; names--)
		if (!name_copy(msg, len, &pos, end - after, out))
			return -EINVAL;
	if (pos + after != end)
		return -EINVAL;
	wr_bytes(out, msg + pos, after);
	return 0;
}

int dns_rdata_name(const uint8_t *msg, size_t len, const struct dns_rr *r, uint8_t *raw)
{
	size_t pos = r->rdata;
	int n = r->rdlen ? dns_name_read(msg, len, &pos, raw) : -EINVAL;
	return n >= 0 && pos == r->rdata + r->rdlen ? n : -EINVAL;
}
