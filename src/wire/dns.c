/* wire/dns.c - DNS messages: parse a query, build an answer or a query (RFC 1035 §4; RFC 6891 §6.1).
 *
 * Names are read with a cap on bytes and on jumps: a compression pointer must go before the name it stands in and each
 * further one before the last. Records after the question are walked only to find the OPT; each takes at least eleven
 * bytes, so the walk is bounded by the message. */
#include "wire/dns.h"

#include <errno.h>

enum { LABEL_MAX = 63, JUMPS_MAX = 32 };

/* The byte as it stands in a dotted name: host-name bytes, lower case. Others, a dot inside a label above all, could be
 * taken for another name and become '?'. */
static char dns_char(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c + 32);
	if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_')
		return (char)c;
	return '?';
}

int dns_name_read(const uint8_t *msg, size_t len, size_t *pos, uint8_t *raw)
{
	size_t at = *pos, low = *pos, n = 0;
	unsigned jumps = 0;
	for (;;) {
		if (at >= len)
			return -EINVAL;
		uint8_t c = msg[at];
		if ((c & 0xc0) == 0xc0) {
			if (at + 2 > len)
				return -EINVAL;
			size_t to = get_be16(msg + at) & 0x3fff;
			if (jumps++ == 0)
				*pos = at + 2;
			if (to >= low || jumps > JUMPS_MAX) /* only backwards: a loop cannot be made */
				return -EINVAL;
			at = low = to;
			continue;
		}
		if (c > LABEL_MAX || at + 1 + c > len || n + 1 + c > DNS_NAME_MAX)
			return -EINVAL;
		memcpy(raw + n, msg + at, 1u + c);
		n += 1u + c;
		at += 1u + c;
		if (c == 0)
			break;
	}
	if (jumps == 0)
		*pos = at;
	return (int)n;
}

void dns_name_text(const uint8_t *raw, char *text)
{
	size_t n = 0;
	while (*raw) {
		if (n > 0)
			text[n++] = '.';
		for (uint8_t k = *raw++; k > 0; k--)
			text[n++] = dns_char(*raw++);
	}
	text[n] = 0;
}

static uint8_t dns_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

bool dns_name_eq(const uint8_t *a, size_t na, const uint8_t *b, size_t nb)
{
	bool same = na == nb;
	for (size_t i = 0; same && i < na; i++) /* a label's length is below 'A' */
		same = dns_lower(a[i]) == dns_lower(b[i]);
	return same;
}

/* Skip one record; notes an OPT in q. */
static int dns_record_skip(const uint8_t *p, size_t len, size_t *pos, struct dns_question *q)
{
	uint8_t raw[DNS_NAME_MAX + 1];
	if (dns_name_read(p, len, pos, raw) < 0 || len - *pos < 10)
		return -EINVAL;
	const uint8_t *r = p + *pos;
	size_t rdlen = get_be16(r + 8);
	if (len - *pos - 10 < rdlen)
		return -EINVAL;
	*pos += 10 + rdlen;
	if (get_be16(r) != DNS_OPT)
		return 0;
	if (q->has_edns) /* RFC 6891 §6.1.1: more than one is a format error */
		return -EINVAL;
	q->has_edns = true;
	q->udp_size = MAX(get_be16(r + 2), 512);
	q->edns_version = r[5];
	return 0;
}

int dns_query_parse(const uint8_t *p, size_t len, struct dns_question *q)
{
	if (len < DNS_HLEN)
		return -EINVAL;
	memset(q, 0, sizeof(*q));
	q->id = get_be16(p);
	q->flags = get_be16(p + 2);
	q->is_response = q->flags & DNS_FLAG_QR;
	q->opcode = q->flags >> 11 & 15;
	q->rd = q->flags & DNS_FLAG_RD;
	q->udp_size = 512;
	q->n_questions = get_be16(p + 4);
	uint32_t n_records = (uint32_t)get_be16(p + 6) + get_be16(p + 8) + get_be16(p + 10);
	size_t pos = DNS_HLEN;
	for (uint32_t i = 0; i < q->n_questions; i++) {
		uint8_t other[DNS_NAME_MAX + 1];
		int n = dns_name_read(p, len, &pos, i == 0 ? q->raw : other);
		if (n < 0 || len - pos < 4)
			return -EINVAL;
		if (i == 0) {
			q->raw_len = (uint16_t)n;
			q->type = get_be16(p + pos);
			q->klass = get_be16(p + pos + 2);
		}
		pos += 4;
	}
	dns_name_text(q->raw, q->name);
	for (uint32_t i = 0; i < n_records; i++)
		if (dns_record_skip(p, len, &pos, q) < 0)
			return -EINVAL;
	return 0;
}

void dns_name_write(struct writer *w, const char *name)
{
	size_t left = strlen(name), total = 1;
	if (left > 0 && name[left - 1] == '.')
		left--;
	while (left > 0) {
		const char *dot = memchr(name, '.', left);
		size_t n = dot ? (size_t)(dot - name) : left;
		total += n + 1;
		if (n == 0 || n > LABEL_MAX || total > DNS_NAME_MAX || (dot && n + 1 == left)) {
			w->bad = true;
			return;
		}
		wr_u8(w, (uint8_t)n);
		wr_bytes(w, name, n);
		left -= dot ? n + 1 : n;
		name += n + 1;
	}
	wr_u8(w, 0);
}

void dns_opt_write(struct writer *w, uint8_t rcode)
{
	wr_u8(w, 0);
	wr_be16(w, DNS_OPT);
	wr_be16(w, DNS_EDNS_SIZE);
	wr_be32(w, (uint32_t)(rcode >> 4) << 24);
	wr_be16(w, 0);
}

static void dns_record_write(struct writer *w, const struct dns_record *r)
{
	if (r->owner)
		dns_name_write(w, r->owner);
	else
		wr_be16(w, 0xc000 | DNS_HLEN); /* the question's name */
	wr_be16(w, r->type);
	wr_be16(w, DNS_IN);
	wr_be32(w, r->ttl);
	ASSERT(r->data || r->rdlen <= sizeof(r->rdata));
	uint8_t *lenp = wr_room(w, 2), *from = w->p;
	wr_bytes(w, r->data ? r->data : r->rdata, r->rdlen);
	if (r->target)
		dns_name_write(w, r->target);
	if (lenp)
		put_be16(lenp, (uint16_t)(w->p - from));
}

size_t dns_answer_emit(uint8_t *out, size_t cap, const struct dns_question *q, const struct dns_answer *a)
{
	struct writer w = writer_of(out, cap);
	bool asked = q->n_questions > 0;
	ASSERT(a->n == 0 || asked);
	wr_be16(&w, q->id);
	wr_be16(&w, (uint16_t)(DNS_FLAG_QR | DNS_FLAG_RA | (a->aa ? DNS_FLAG_AA : 0) | (a->tc ? DNS_FLAG_TC : 0) | (q->rd ? DNS_FLAG_RD : 0) |
			       q->opcode << 11 | (a->rcode & 15)));
	wr_be16(&w, asked);
	wr_be16(&w, (uint16_t)a->n);
	wr_be16(&w, (uint16_t)a->n_authority);
	wr_be16(&w, q->has_edns);
	if (asked) {
		wr_bytes(&w, q->raw, q->raw_len);
		wr_be16(&w, q->type);
		wr_be16(&w, q->klass);
	}
	for (int i = 0; i < a->n + a->n_authority; i++)
		dns_record_write(&w, &a->r[i]);
	if (q->has_edns)
		dns_opt_write(&w, a->rcode);
	return w.bad ? 0 : (size_t)(w.p - out);
}

size_t dns_query_emit(uint8_t *out, size_t cap, uint16_t id, const char *name, uint16_t type)
{
	struct writer w = writer_of(out, cap);
	wr_be16(&w, id);
	wr_be16(&w, DNS_FLAG_RD);
	wr_be16(&w, 1);
	wr_be16(&w, 0);
	wr_be32(&w, 0);
	dns_name_write(&w, name);
	wr_be16(&w, type);
	wr_be16(&w, DNS_IN);
	return w.bad ? 0 : (size_t)(w.p - out);
}
