/* wire/addr.c - addresses as text and as prefixes (RFC 4291 §2.2, RFC 5952 for what is printed).
 *
 * Text to address takes dotted IPv4 only, four decimal numbers without leading zeros (which some programs would read as
 * octal). Address to text prints both families, so that any address can be shown. */
#include "wire/addr.h"

#include "base/bytes.h"

#include <errno.h>

/* A decimal number of at most `max` from text; moves *i past it. -1: none, leading zero, too big. */
static int addr_number(const char *text, size_t len, size_t *i, int max)
{
	size_t from = *i;
	int v = 0;
	while (*i < len && text[*i] >= '0' && text[*i] <= '9') {
		v = v * 10 + (text[*i] - '0');
		if (v > max)
			return -1;
		++*i;
	}
	if (*i == from || (text[from] == '0' && *i - from > 1))
		return -1;
	return v;
}

int via_addr_parse(const char *text, size_t len, struct via_addr *out)
{
	uint32_t a = 0;
	size_t i = 0;
	for (int part = 0; part < 4; part++) {
		if (part > 0 && (i >= len || text[i++] != '.'))
			return -EINVAL;
		int v = addr_number(text, len, &i, 255);
		if (v < 0)
			return -EINVAL;
		a = a << 8 | (uint32_t)v;
	}
	if (i != len)
		return -EINVAL;
	*out = via_addr_v4(a);
	return 0;
}

static char *addr_put_number(char *p, uint32_t v)
{
	char tmp[10];
	int n = 0;
	do {
		tmp[n++] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	while (n)
		*p++ = tmp[--n];
	return p;
}

static char *addr_put_hex(char *p, uint16_t v)
{
	bool begun = false;
	for (int shift = 12; shift >= 0; shift -= 4) {
		unsigned digit = v >> shift & 15;
		begun = begun || digit || shift == 0;
		if (begun)
			*p++ = "0123456789abcdef"[digit];
	}
	return p;
}

/* The longest run of two or more zero groups, the first of equals (RFC 5952 §4.2). */
static void addr_zero_run(const uint8_t b[16], int *at, int *n)
{
	*at = -1;
	*n = 1;
	for (int i = 0; i < 8; i++) {
		int k = i;
		while (k < 8 && get_be16(b + 2 * k) == 0)
			k++;
		if (k - i > *n) {
			*at = i;
			*n = k - i;
		}
	}
}

char *via_addr_format(const struct via_addr *a, char buf[VIA_ADDR_STRLEN])
{
	char *p = buf;
	if (via_addr_is_v4(a)) {
		for (int i = 12; i < 16; i++) {
			p = addr_put_number(p, a->b[i]);
			*p++ = '.';
		}
		p[-1] = 0;
		return buf;
	}
	int at, n;
	addr_zero_run(a->b, &at, &n);
	for (int i = 0; i < 8; i++) {
		if (i == at) {
			*p++ = ':';
			*p++ = ':';
			i += n - 1;
			continue;
		}
		if (i > 0 && p[-1] != ':')
			*p++ = ':';
		p = addr_put_hex(p, get_be16(a->b + 2 * i));
	}
	if (a->scope) {
		*p++ = '%';
		p = addr_put_number(p, a->scope);
	}
	*p = 0;
	return buf;
}

int addr_parse_prefix(const char *text, size_t len, struct via_addr *a, uint8_t *plen)
{
	const char *slash = len ? memchr(text, '/', len) : NULL;
	size_t n = slash ? (size_t)(slash - text) : len;
	int err = via_addr_parse(text, n, a);
	if (err)
		return err;
	*plen = 32;
	if (!slash)
		return 0;
	size_t i = n + 1;
	int v = addr_number(text, len, &i, 32);
	if (v < 0 || i != len)
		return -EINVAL;
	*plen = (uint8_t)v;
	return 0;
}

struct via_addr addr_mask(const struct via_addr *a, uint8_t plen)
{
	struct via_addr r = *a;
	unsigned bits = via_addr_is_v4(a) ? 96u + MIN(plen, 32) : MIN(plen, 128u);
	for (unsigned i = 0; i < 16; i++) {
		unsigned keep = bits > 8 * i ? MIN(bits - 8 * i, 8u) : 0;
		r.b[i] &= (uint8_t)(0xff00u >> keep);
	}
	return r;
}

bool addr_in_prefix(const struct via_addr *a, const struct via_addr *prefix, uint8_t plen)
{
	if (via_addr_is_v4(a) != via_addr_is_v4(prefix))
		return false;
	struct via_addr x = addr_mask(a, plen), y = addr_mask(prefix, plen);
	return memcmp(x.b, y.b, 16) == 0;
}
