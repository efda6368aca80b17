/* app/http/text.h - URL and HTML escapes through the bounded writer, beside app/text.h's words and numbers. */
#ifndef APP_HTTP_TEXT_H
#define APP_HTTP_TEXT_H

#include "app/text.h"

/* A path, percent-encoded but for RFC 3986's unreserved bytes and '/'. */
void text_url(struct writer *w, const char *s, size_t n);
/* Text inside an element or a quoted attribute. */
void text_html(struct writer *w, const char *s, size_t n);

#endif
