/* wire/dhcp.c - DHCPv4 messages (RFC 2131 §2, §3, §4.1; RFC 3396). See dhcp.h.
 *
 * A field's end is the end option or its last byte: a missing end option is forgiven, as every client does. Each step of
 * the walk takes at least a byte, so it is bounded by the message. */
#include "wire/dhcp.h"

#include <errno.h>

enum { SNAME_AT = 44, SNAME_LEN = 64, FILE_AT = 108, FILE_LEN = 128, COOKIE_AT = 236 };
#define COOKIE 0x63825363u
#define FLAG_BROADCAST 0x8000u

/* The next option of a field: 1 and *code, *data, *len; 0 at the end; -EINVAL: it leaves the field. */
static int dhcp_next(struct reader *r, uint8_t *code, const uint8_t **data, uint8_t *len)
{
	while (rd_left(r) > 0) {
		*code = rd_u8(r);
		if (*code == DHCP_OPT_PAD)
			continue;
		if (*code == DHCP_OPT_END)
			return 0;
		*len = rd_u8(r);
		*data = rd_bytes(r, *len);
		return r->bad ? -EINVAL : 1;
	}
	return 0;
}

/* Add a field after walking it once. */
static int dhcp_field_add(struct dhcp_msg *m, const uint8_t *p, size_t len)
{
	struct reader r = reader_of(p, len);
	const uint8_t *data;
	uint8_t code, n;
	int more;
	while ((more = dhcp_next(&r, &code, &data, &n)) > 0)
		;
	if (more < 0)
		return more;
	m->field[m->n_fields++] = (struct dhcp_field){p, (uint16_t)MIN(len, UINT16_MAX)};
	return 0;
}

static void dhcp_header_parse(const uint8_t *p, struct dhcp_hdr *h)
{
	*h = (struct dhcp_hdr){.op = p[0], .htype = p[1], .hlen = p[2], .hops = p[3], .xid = get_be32(p + 4), .secs = get_be16(p + 8),
			       .broadcast = get_be16(p + 10) & FLAG_BROADCAST, .ciaddr = get_be32(p + 12), .yiaddr = get_be32(p + 16),
			       .siaddr = get_be32(p + 20), .giaddr = get_be32(p + 24)};
	memcpy(h->chaddr, p + 28, DHCP_CHADDR);
}

int dhcp_parse(const uint8_t *p, size_t len, struct dhcp_msg *m)
{
	uint8_t overload, type;
	memset(m, 0, sizeof(*m));
	if (len < DHCP_HLEN || len > UINT16_MAX || get_be32(p + COOKIE_AT) != COOKIE)
		return -EINVAL;
	dhcp_header_parse(p, &m->h);
	if (m->h.hlen > DHCP_CHADDR || dhcp_field_add(m, p + DHCP_HLEN, len - DHCP_HLEN))
		return -EINVAL;
	int n = dhcp_option(m, DHCP_OPT_OVERLOAD, &overload, 1); /* counts in the options field only */
	if (n != -ENOENT && (n != 1 || overload < 1 || overload > 3))
		return -EINVAL;
	if (n == 1 && (overload & 1) && dhcp_field_add(m, p + FILE_AT, FILE_LEN))
		return -EINVAL;
	if (n == 1 && (overload & 2) && dhcp_field_add(m, p + SNAME_AT, SNAME_LEN))
		return -EINVAL;
	if (dhcp_option(m, DHCP_OPT_TYPE, &type, 1) != 1)
		return -EINVAL;
	m->type = type;
	return 0;
}

int dhcp_option(const struct dhcp_msg *m, uint8_t code, uint8_t *buf, size_t cap)
{
	size_t n = 0;
	bool is_there = false;
	for (int i = 0; i < m->n_fields; i++) {
		struct reader r = reader_of(m->field[i].p, m->field[i].len);
		const uint8_t *data;
		uint8_t c, len;
		while (dhcp_next(&r, &c, &data, &len) > 0) {
			if (c != code)
				continue;
			is_there = true;
			if (len > cap - n)
				return -ENOSPC;
			if (len)
				memcpy(buf + n, data, len);
			n += len;
		}
	}
	return is_there ? (int)n : -ENOENT;
}

bool dhcp_option_u32(const struct dhcp_msg *m, uint8_t code, size_t bytes, uint32_t *out)
{
	uint8_t b[4] = {0};
	ASSERT(bytes == 1 || bytes == 2 || bytes == 4);
	if (dhcp_option(m, code, b + 4 - bytes, bytes) != (int)bytes)
		return false;
	*out = get_be32(b);
	return true;
}

int dhcp_option_addrs(const struct dhcp_msg *m, uint8_t code, uint32_t *out, int n)
{
	uint8_t b[1024]; /* 256 addresses: more is nothing a network has */
	int len = dhcp_option(m, code, b, sizeof(b));
	if (len < 4 || len % 4)
		return 0;
	n = MIN(n, len / 4);
	for (int i = 0; i < n; i++)
		out[i] = get_be32(b + 4 * i);
	return n;
}

struct writer dhcp_begin(uint8_t *out, size_t cap, const struct dhcp_hdr *h, uint8_t type)
{
	struct writer w = writer_of(out, cap);
	uint8_t *p = wr_room(&w, DHCP_HLEN);
	if (!p)
		return w;
	memset(p, 0, DHCP_HLEN); /* no byte of ours that is not meant (HARD-07) */
	p[0] = h->op;
	p[1] = h->htype;
	p[2] = h->hlen;
	p[3] = h->hops;
	put_be32(p + 4, h->xid);
	put_be16(p + 8, h->secs);
	put_be16(p + 10, h->broadcast ? FLAG_BROADCAST : 0);
	put_be32(p + 12, h->ciaddr);
	put_be32(p + 16, h->yiaddr);
	put_be32(p + 20, h->siaddr);
	put_be32(p + 24, h->giaddr);
	memcpy(p + 28, h->chaddr, DHCP_CHADDR);
	put_be32(p + COOKIE_AT, COOKIE);
	dhcp_put_u32(&w, DHCP_OPT_TYPE, 1, type);
	return w;
}

void dhcp_put(struct writer *w, uint8_t code, const void *data, size_t len)
{
	const uint8_t *p = data;
	do {
		size_t n = MIN(len, 255u);
		wr_u8(w, code);
		wr_u8(w, (uint8_t)n);
		wr_bytes(w, p, n);
		p += n;
		len -= n;
	} while (len > 0);
}

void dhcp_put_u32(struct writer *w, uint8_t code, size_t bytes, uint32_t v)
{
	uint8_t b[4];
	put_be32(b, v);
	dhcp_put(w, code, b + 4 - bytes, bytes);
}

void dhcp_put_addrs(struct writer *w, uint8_t code, const uint32_t *v, int n)
{
	uint8_t b[64];
	n = MIN(n, (int)sizeof(b) / 4);
	for (int i = 0; i < n; i++)
		put_be32(b + 4 * i, v[i]);
	if (n > 0)
		dhcp_put(w, code, b, 4 * (size_t)n);
}

size_t dhcp_end(struct writer *w, const uint8_t *out)
{
	wr_u8(w, DHCP_OPT_END);
	while (!w->bad && (size_t)(w->p - out) < DHCP_MSG_MIN)
		wr_u8(w, DHCP_OPT_PAD);
	return w->bad ? 0 : (size_t)(w->p - out);
}
