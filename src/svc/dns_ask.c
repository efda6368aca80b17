/* svc/dns_ask.c - see dns_ask.h. RFC 1034 §5.3.3, RFC 2181 §5.4.1, RFC 2308, RFC 5452 §4, §9. */
#include "svc/dns_ask.h"

#include <errno.h>

enum { CHAIN_MAX = 8, OPT_BYTES = 11 };

static bool is_letter(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

void dns_ask_make(struct dns_ask *k, const struct dns_question *q, struct prf_stream *random)
{
	uint64_t bits = 0;
	*k = (struct dns_ask){.id = (uint16_t)prf_next(random), .type = q->type, .raw_len = q->raw_len};
	memcpy(k->raw, q->raw, q->raw_len);
	for (unsigned i = 0; i < k->raw_len; i++) {
		if (i % 64 == 0)
			bits = prf_next(random);
		if (is_letter(k->raw[i])) /* a label's length is none */
			k->raw[i] = (uint8_t)((k->raw[i] & ~0x20) | (bits >> (i % 64) & 1) << 5);
	}
}

size_t dns_ask_emit(const struct dns_ask *k, uint8_t *out, size_t cap)
{
	struct writer w = writer_of(out, cap);
	wr_be16(&w, k->id);
	wr_be16(&w, DNS_FLAG_RD);
	wr_be16(&w, 1);
	wr_be16(&w, 0);
	wr_be16(&w, 0);
	wr_be16(&w, 1);
	wr_bytes(&w, k->raw, k->raw_len);
	wr_be16(&w, k->type);
	wr_be16(&w, DNS_IN);
	dns_opt_write(&w, 0);
	return w.bad ? 0 : (size_t)(w.p - out);
}

enum dns_verdict dns_ask_judge(const struct dns_ask *k, const uint8_t *msg, size_t len, bool has_case)
{
	uint8_t raw[DNS_NAME_MAX + 1];
	size_t pos = DNS_HLEN;
	if (len < DNS_HLEN || get_be16(msg) != k->id || !(msg[2] & 0x80) || (msg[2] >> 3 & 15) != 0 || get_be16(msg + 4) != 1)
		return DNS_NOT_OURS;
	int n = dns_name_read(msg, len, &pos, raw);
	if (n < 0 || len - pos < 4 || get_be16(msg + pos) != k->type || get_be16(msg + pos + 2) != DNS_IN)
		return DNS_NOT_OURS;
	if (!dns_name_eq(raw, (size_t)n, k->raw, k->raw_len) || (has_case && memcmp(raw, k->raw, k->raw_len) != 0))
		return DNS_NOT_OURS;
	unsigned rcode = msg[3] & 15;
	if (msg[2] & 2)
		return DNS_CUT;
	return rcode == DNS_OK || rcode == DNS_NXDOMAIN ? DNS_ANSWERED : DNS_FAILED;
}

/* The answer that is being written. */
struct distilled {
	const struct dns_ask *k;
	const uint8_t *msg;
	size_t len;
	struct writer w;
	uint32_t ttl;
	unsigned n;           /* records so far */
};

/* Copy r. False: its data is nonsense. */
static bool put_rr(struct distilled *d, const struct dns_rr *r, uint32_t ttl)
{
	if (dns_name_eq(r->owner, r->owner_len, d->k->raw, d->k->raw_len))
		wr_be16(&d->w, 0xc000 | DNS_HLEN);
	else
		wr_bytes(&d->w, r->owner, r->owner_len);
	wr_be16(&d->w, r->type);
	wr_be16(&d->w, r->klass);
	wr_be32(&d->w, ttl);
	uint8_t *lenp = wr_room(&d->w, 2), *from = d->w.p;
	if (dns_rdata_write(d->msg, d->len, r, &d->w))
		return false;
	if (lenp && !d->w.bad)
		put_be16(lenp, (uint16_t)(d->w.p - from));
	d->ttl = MIN(d->ttl, ttl);
	d->n++;
	return true;
}

/* The answer section's records of one name. 1: it is an alias of *name from now on, 0: it is not, -EINVAL. */
static int put_name(struct distilled *d, uint8_t *name, size_t *name_len)
{
	struct dns_walk walk;
	struct dns_rr r;
	uint8_t target[DNS_NAME_MAX + 1];
	int alias = 0;
	if (dns_walk_begin(&walk, d->msg, d->len))
		return -EINVAL;
	for (int section; (section = dns_rr_next(&walk, &r)) == 0;) {
		if (r.klass != DNS_IN || !dns_name_eq(r.owner, r.owner_len, name, *name_len))
			continue;
		bool is_alias = r.type == DNS_CNAME && d->k->type != DNS_CNAME && d->k->type != DNS_ANY;
		if (is_alias && alias) /* two aliases of one name (RFC 2181 §10.1) */
			return -EINVAL;
		if (!dns_type_is_data(r.type) || (!is_alias && r.type != d->k->type && d->k->type != DNS_ANY))
			continue;
		if (!put_rr(d, &r, MIN(r.ttl, DNS_TTL_MAX)))
			return -EINVAL;
		if (is_alias)
			alias = dns_rdata_name(d->msg, d->len, &r, target);
		if (alias < 0)
			return -EINVAL;
	}
	if (!alias)
		return 0;
	memcpy(name, target, (size_t)alias);
	*name_len = (size_t)alias;
	return 1;
}

/* Is `name` zone or below it? */
static bool is_below(const uint8_t *name, size_t len, const uint8_t *zone, size_t zone_len)
{
	while (len > zone_len) {
		len -= 1u + *name;
		name += 1 + *name;
	}
	return dns_name_eq(name, len, zone, zone_len);
}

/* There is nothing: the SOA of a zone that holds `name` says for how long (RFC 2308 §5); without one it is not remembered. */
static bool put_soa(struct distilled *d, const uint8_t *name, size_t name_len, unsigned *n_soa)
{
	struct dns_walk walk;
	struct dns_rr r;
	if (dns_walk_begin(&walk, d->msg, d->len))
		return false;
	for (int section; (section = dns_rr_next(&walk, &r)) >= 0;) {
		bool fits = section == 1 && r.type == DNS_SOA && r.klass == DNS_IN && is_below(name, name_len, r.owner, r.owner_len);
		if (!fits || *n_soa || r.rdlen < 4)
			continue;
		uint32_t minimum = get_be32(d->msg + r.rdata + r.rdlen - 4);
		if (!put_rr(d, &r, MIN(MIN(r.ttl, minimum), DNS_NEGATIVE_MAX)))
			return false;
		++*n_soa;
	}
	if (!*n_soa)
		d->ttl = 0;
	return true;
}

/* Does every record lie inside the message, and are they not too many? */
static bool is_whole(const uint8_t *msg, size_t len)
{
	struct dns_walk walk;
	struct dns_rr r;
	int section, n = 0;
	if (dns_walk_begin(&walk, msg, len))
		return false;
	while ((section = dns_rr_next(&walk, &r)) >= 0)
		if (++n > DNS_RRS_MAX)
			return false;
	return section == -ENOENT;
}

size_t dns_ask_distill(const struct dns_ask *k, const uint8_t *msg, size_t len, uint8_t *out, size_t cap, uint32_t *ttl)
{
	struct distilled d = {.k = k, .msg = msg, .len = len, .w = writer_of(out, cap), .ttl = DNS_TTL_MAX};
	uint8_t name[DNS_NAME_MAX + 1];
	size_t name_len = k->raw_len;
	unsigned before = 0, n_soa = 0;
	int alias = 1;
	if (!is_whole(msg, len))
		return 0;
	memcpy(name, k->raw, k->raw_len);
	wr_be16(&d.w, k->id);
	wr_be16(&d.w, (uint16_t)(DNS_FLAG_QR | DNS_FLAG_RD | DNS_FLAG_RA | (msg[3] & 15)));
	wr_be16(&d.w, 1);
	uint8_t *counts = wr_room(&d.w, 6);
	wr_bytes(&d.w, k->raw, k->raw_len);
	wr_be16(&d.w, k->type);
	wr_be16(&d.w, DNS_IN);
	for (int hops = 0; alias == 1; hops++) {
		before = d.n;
		if (hops > CHAIN_MAX)
			return 0; /* a ring, or somebody's joke */
		alias = put_name(&d, name, &name_len);
	}
	unsigned n_answers = d.n;
	if (alias < 0 || (n_answers == before && !put_soa(&d, name, name_len, &n_soa)) || d.w.bad)
		return 0;
	put_be16(counts, (uint16_t)n_answers);
	put_be16(counts + 2, (uint16_t)n_soa);
	put_be16(counts + 4, 0);
	*ttl = d.ttl;
	return (size_t)(d.w.p - out);
}

/* Every record is `age` seconds older. */
static void grow_old(uint8_t *msg, size_t len, uint32_t age)
{
	struct dns_walk walk;
	struct dns_rr r;
	if (dns_walk_begin(&walk, msg, len))
		return;
	while (dns_rr_next(&walk, &r) >= 0)
		put_be32(msg + r.ttl_at, r.ttl > age ? r.ttl - age : 0);
}

size_t dns_ask_relay(const struct dns_question *q, const uint8_t *msg, size_t len, uint32_t age, uint8_t *out, size_t cap)
{
	uint8_t rcode = msg[3] & 15;
	size_t opt = q->has_edns ? OPT_BYTES : 0;
	if (len + opt > cap)
		return dns_answer_emit(out, cap, q, &(struct dns_answer){.rcode = rcode, .tc = true});
	memcpy(out, msg, len);
	put_be16(out, q->id);
	out[2] = (uint8_t)((out[2] & ~1) | q->rd);
	memcpy(out + DNS_HLEN, q->raw, q->raw_len);
	if (age)
		grow_old(out, len, age);
	if (opt) {
		struct writer w = writer_of(out + len, opt);
		dns_opt_write(&w, 0);
		put_be16(out + 10, 1);
	}
	return len + opt;
}
