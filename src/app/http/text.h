/* app/http/text.h - text pieces of heads and pages, written through the bounded writer: numbers, URL and HTML escapes. */
#ifndef APP_HTTP_TEXT_H
#define APP_HTTP_TEXT_H

#include "base/bytes.h"

static inline void text_put(struct writer *w, const char *s)
{
	wr_bytes(w, s, strlen(s));
}

static inline void text_number(struct writer *w, uint64_t v)
{
	char tmp[20];
	size_t n = sizeof(tmp);
	do {
		tmp[--n] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	wr_bytes(w, tmp + n, sizeof(tmp) - n);
}

/* A path, percent-encoded but for RFC 3986's unreserved bytes and '/'. */
void text_url(struct writer *w, const char *s, size_t n);
/* Text inside an element or a quoted attribute. */
void text_html(struct writer *w, const char *s, size_t n);

#endif
