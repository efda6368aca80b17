/* wire/addr.c - addresses as text and as prefixes (RFC 4291 §2.2, RFC 5952 for what is printed).
 *
 * Dotted IPv4 is four decimal numbers without leading zeros (which some programs would read as octal). IPv6 takes all that RFC 4291
 * allows, and a scope as "%" and the number of an interface (RFC 4007 §11): names of interfaces are not known here. */
#include "wire/addr.h"

#include "base/bytes.h"
#include "base/csum.h"
#include "wire/ip4.h"

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

/* Dotted IPv4 that fills text from `from` to its end. */
static int addr_parse4(const char *text, size_t len, size_t from, uint8_t out[4])
{
	size_t i = from;
	for (int part = 0; part < 4; part++) {
		if (part > 0 && (i >= len || text[i++] != '.'))
			return -EINVAL;
		int v = addr_number(text, len, &i, 255);
		if (v < 0)
			return -EINVAL;
		out[part] = (uint8_t)v;
	}
	return i == len ? 0 : -EINVAL;
}

/* One to four hexadecimal digits; moves *i past them. -1: none, or too many. */
static int addr_group(const char *text, size_t len, size_t *i)
{
	size_t from = *i;
	int v = 0;
	for (; *i < len && *i - from < 5; ++*i) {
		char c = text[*i];
		int digit = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
		if (digit < 0)
			break;
		v = v << 4 | digit;
	}
	return *i == from || *i - from > 4 ? -1 : v;
}

/* The groups of text up to len, with "::" for as many zeros as are missing, IPv4 as the last two (RFC 4291 §2.2). */
static int addr_parse6(const char *text, size_t len, uint8_t out[16])
{
	uint8_t b[16] = {0};
	size_t i = 0;
	int n = 0, gap = -1; /* bytes; where the zeros go */
	if (len >= 2 && text[0] == ':' && text[1] == ':') {
		gap = 0;
		i = 2;
	}
	while (i < len) {
		size_t at = i;
		int v = addr_group(text, len, &i);
		if (v < 0 || n > 14)
			return -EINVAL;
		if (i < len && text[i] == '.') {
			if (n > 12 || addr_parse4(text, len, at, b + n))
				return -EINVAL;
			n += 4;
			break;
		}
		put_be16(b + n, (uint16_t)v);
		n += 2;
		if (i == len)
			break;
		if (text[i++] != ':' || i == len)
			return -EINVAL;
		if (text[i] == ':') {
			if (gap >= 0)
				return -EINVAL;
			gap = n;
			i++;
		}
	}
	if (gap < 0 ? n != 16 : n > 14)
		return -EINVAL;
	memset(out, 0, 16);
	memcpy(out, b, (size_t)(gap < 0 ? 16 : gap));
	if (gap >= 0)
		memcpy(out + 16 - (n - gap), b + gap, (size_t)(n - gap));
	return 0;
}

int via_addr_parse(const char *text, size_t len, struct via_addr *out)
{
	struct via_addr a = {.b = {[10] = 0xff, [11] = 0xff}};
	const char *percent = len ? memchr(text, '%', len) : NULL;
	size_t n = percent ? (size_t)(percent - text) : len;
	bool is_v6 = len && memchr(text, ':', len);
	if (is_v6 ? addr_parse6(text, n, a.b) : addr_parse4(text, len, 0, a.b + 12))
		return -EINVAL;
	if (is_v6 && percent) {
		size_t i = n + 1;
		int v = addr_number(text, len, &i, 65535);
		if (v < 0 || i != len)
			return -EINVAL;
		a.scope = (uint32_t)v;
	}
	*out = a;
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
	*plen = via_addr_is_v4(a) ? 32 : 128;
	if (!slash)
		return 0;
	size_t i = n + 1;
	int v = addr_number(text, len, &i, *plen);
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

bool addr_is_link_local(const struct via_addr *a)
{
	return addr_is_fe80(a) || (a->b[0] == 0xff && ((a->b[1] & 15) == 1 || (a->b[1] & 15) == 2));
}

struct via_addr addr_on_link(const struct via_addr *a, uint32_t ifindex)
{
	struct via_addr r = *a;
	r.scope = addr_is_link_local(a) ? ifindex : 0;
	return r;
}

uint64_t addr_pseudo(const struct via_addr *src, const struct via_addr *dst, uint8_t proto, uint32_t l4len)
{
	if (via_addr_is_v4(dst))
		return ip4_pseudo(via_addr_to_v4(src), via_addr_to_v4(dst), proto, l4len);
	uint64_t sum = csum_add(csum_add(0, src->b, 16), dst->b, 16);
	return sum + (l4len >> 16) + (l4len & 0xffff) + proto;
}
