/* app/text.h - words and numbers through the bounded writer, for the engines' heads, replies and pages. */
#ifndef APP_TEXT_H
#define APP_TEXT_H

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

#endif
