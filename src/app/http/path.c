/* app/http/path.c - a request target to a safe path (RFC 9112 §3.2, RFC 3986 §2.1, §3.3), and content types by extension.
 *
 * What cannot be a file below the served folder is refused, not repaired: control bytes, a NUL, "." and ".." segments
 * (clients resolve those themselves, RFC 3986 §5.2.4). The checks look at the decoded text, so %2e%2e and %2f gain
 * nothing. Repeated slashes become one, so a path never reads as absolute behind its first byte. */
#include "app/http/http.h"

#include <strings.h>

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Absolute form ("http://host/path") to its path part; other targets are left alone. */
static void target_skip_authority(const char **t, size_t *n)
{
	static const char scheme[] = "http://";
	size_t k = sizeof(scheme) - 1;
	if (*n < k)
		return;
	for (size_t i = 0; i < k; i++)
		if (((*t)[i] | (i < 4 ? 0x20 : 0)) != scheme[i])
			return;
	const char *slash = memchr(*t + k, '/', *n - k);
	*n = slash ? *n - (size_t)(slash - *t) : 1;
	*t = slash ? slash : "/";
}

static bool is_dot_segment(const char *s, size_t n)
{
	return (n == 1 && s[0] == '.') || (n == 2 && s[0] == '.' && s[1] == '.');
}

/* One byte of the target, decoded; moves *i. -1: malformed. */
static int target_byte(const char *t, size_t n, size_t *i)
{
	char c = t[(*i)++];
	if (c != '%')
		return (unsigned char)c;
	if (n - *i < 2)
		return -1;
	int hi = hex_value(t[*i]), lo = hex_value(t[*i + 1]);
	*i += 2;
	return hi < 0 || lo < 0 ? -1 : hi << 4 | lo;
}

uint16_t http_path_decode(const char *target, size_t n, char *out)
{
	target_skip_authority(&target, &n);
	if (n == 0 || target[0] != '/')
		return 400;
	size_t len = 0, segment = 1; /* where the current segment begins in out */
	for (size_t i = 0; i < n;) {
		int c = target_byte(target, n, &i);
		if (c < 0x20 || c == 0x7f)
			return 400;
		if (c == '/' && len > 0) {
			if (len == segment)
				continue;
			if (is_dot_segment(out + segment, len - segment))
				return 400;
			segment = len + 1;
		}
		if (len == HTTP_PATH_MAX)
			return 414;
		out[len++] = (char)c;
	}
	if (is_dot_segment(out + segment, len - segment))
		return 400;
	out[len] = 0;
	return 0;
}

const char *http_type_of(const char *path)
{
	static const struct {
		const char ext[8], *type;
	} types[] = {
		{"html", "text/html; charset=utf-8"}, {"htm", "text/html; charset=utf-8"}, {"css", "text/css; charset=utf-8"},
		{"js", "text/javascript; charset=utf-8"}, {"mjs", "text/javascript; charset=utf-8"}, {"json", "application/json"},
		{"txt", "text/plain; charset=utf-8"}, {"md", "text/plain; charset=utf-8"}, {"xml", "application/xml"},
		{"svg", "image/svg+xml"}, {"png", "image/png"}, {"jpg", "image/jpeg"}, {"jpeg", "image/jpeg"}, {"gif", "image/gif"},
		{"webp", "image/webp"}, {"ico", "image/x-icon"}, {"pdf", "application/pdf"}, {"wasm", "application/wasm"},
		{"woff2", "font/woff2"}, {"mp4", "video/mp4"}, {"webm", "video/webm"}, {"gz", "application/gzip"}, {"zip", "application/zip"},
	};
	const char *dot = strrchr(path, '.');
	if (!dot || strchr(dot, '/'))
		return "application/octet-stream";
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (strcasecmp(dot + 1, types[i].ext) == 0)
			return types[i].type;
	return "application/octet-stream";
}
