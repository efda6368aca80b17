/* app/http/listing.c - the page that lists a folder, and the escapes of URLs and HTML (RFC 3986 §2.1, §2.3).
 *
 * Entry names are bytes of a file system and may be anything: hrefs are percent-encoded and begin with "./", so that a
 * colon in a name makes no scheme of it. */
#include "app/http/http.h"

#include "app/http/text.h"

static bool url_is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-._~/", c));
}

void text_url(struct writer *w, const char *s, size_t n)
{
	static const char hex[] = "0123456789ABCDEF";
	for (size_t i = 0; i < n; i++) {
		if (url_is_plain(s[i])) {
			wr_u8(w, (uint8_t)s[i]);
			continue;
		}
		uint8_t c = (uint8_t)s[i];
		uint8_t esc[3] = {'%', (uint8_t)hex[c >> 4], (uint8_t)hex[c & 15]};
		wr_bytes(w, esc, 3);
	}
}

void text_html(struct writer *w, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		switch (s[i]) {
		case '<': text_put(w, "&lt;"); break;
		case '>': text_put(w, "&gt;"); break;
		case '&': text_put(w, "&amp;"); break;
		case '"': text_put(w, "&quot;"); break;
		default: wr_u8(w, (uint8_t)s[i]); break;
		}
	}
}

static void listing_entry(struct writer *w, const char *name, size_t n)
{
	text_put(w, "<li><a href=\"./");
	text_url(w, name, n);
	text_put(w, "\">");
	text_html(w, name, n);
	text_put(w, "</a></li>\n");
}

size_t http_listing_emit(char *out, size_t cap, const char *path, const char *names, size_t n)
{
	static const char tail[] = "</ul>\n</body></html>\n";
	size_t tail_len = sizeof(tail) - 1;
	if (cap < tail_len)
		return 0;
	struct writer w = writer_of(out, cap - tail_len);
	text_put(&w, "<!doctype html><html><head><meta charset=\"utf-8\"><title>");
	text_html(&w, path, strlen(path));
	text_put(&w, "</title></head><body>\n<h1>");
	text_html(&w, path, strlen(path));
	text_put(&w, "</h1>\n<ul>\n");
	if (strcmp(path, "/") != 0)
		text_put(&w, "<li><a href=\"../\">../</a></li>\n");
	while (n > 0 && !w.bad) {
		const char *end = memchr(names, '\n', n);
		size_t k = end ? (size_t)(end - names) : n;
		uint8_t *whole = w.p; /* an entry that does not fit leaves no trace */
		listing_entry(&w, names, k);
		if (w.bad)
			w.p = whole;
		n -= end ? k + 1 : k;
		names += end ? k + 1 : k;
	}
	memcpy(w.p, tail, tail_len);
	return (size_t)(w.p - (uint8_t *)out) + tail_len;
}
