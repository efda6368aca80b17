/* cmd/mail_text.c - see mail_text.h. A head of five lines, those named by --header instead or besides, the body; with
 * --attach a multipart/mixed of the body and each file in base64 (RFC 2045 §6.8, RFC 2046 §5.1). */
#include "cmd/mail_text.h"
#include <errno.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>

/* "text" with its \n made line ends, the bytes of "@FILE", or standard input for "-", to `out`. False after a sentence. */
static bool put_content(FILE *out, const char *what)
{
	char buf[16384];
	size_t n, all = 0;
	if (what[0] != '@' && strcmp(what, "-") != 0) {
		for (const char *s = what; *s; s++) {
			bool is_end = s[0] == '\\' && s[1] == 'n';
			putc(is_end ? '\n' : *s, out);
			s += is_end;
		}
		return true;
	}
	FILE *f = what[0] == '@' ? fopen(what + 1, "re") : stdin;
	if (!f)
		return cmd_fail(EXIT_USAGE, "%s: %s", what + 1, strerror(errno)), false;
	errno = 0;
	while ((n = fread(buf, 1, sizeof buf, f)) > 0 && (all += n) <= MAIL_BYTES_MAX)
		fwrite(buf, 1, n, out);
	bool good = !ferror(f) && all <= MAIL_BYTES_MAX;
	if (!good)
		cmd_fail(EXIT_USAGE, "%s: %s", what, ferror(f) ? strerror(errno) : "it is larger than 256 MiB");
	if (f != stdin)
		fclose(f);
	return good;
}

/* The same into memory; gives. NULL after a sentence. */
static char *content(const char *what, size_t *len)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, len);
	bool good = f && put_content(f, what);
	if (f && fclose(f))
		good = false;
	if (!good) {
		free(text);
		return NULL;
	}
	return text;
}

/* Lines of 76 letters. */
static void put_base64(FILE *out, const uint8_t *d, size_t n)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)d[i] << 16 | (i + 1 < n ? (uint32_t)d[i + 1] << 8 : 0) | (i + 2 < n ? d[i + 2] : 0);
		putc(letters[v >> 18], out);
		putc(letters[v >> 12 & 63], out);
		putc(i + 1 < n ? letters[v >> 6 & 63] : '=', out);
		putc(i + 2 < n ? letters[v & 63] : '=', out);
		if (i % 57 == 54 || i + 3 >= n)
			putc('\n', out);
	}
}

static size_t name_len(const char *header)
{
	return strcspn(header, ": \t");
}

/* A line of the head, unless --header names one of that name. */
static void put_usual(FILE *out, const struct mail_words *w, const char *name, const char *value)
{
	for (int i = 0; i < w->n_headers; i++)
		if (name_len(w->headers[i]) == strlen(name) && strncasecmp(w->headers[i], name, strlen(name)) == 0)
			return;
	fprintf(out, "%s: %s\n", name, value);
}

static void put_head(FILE *out, const struct mail_words *w, uint64_t nonce)
{
	char date[64], subject[80], id[300];
	struct tm tm;
	time_t now = time(NULL);
	strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S +0000", gmtime_r(&now, &tm));
	snprintf(subject, sizeof subject, "test %s", date);
	snprintf(id, sizeof id, "<%016llx@%s>", (unsigned long long)nonce, w->host);
	put_usual(out, w, "Date", date);
	put_usual(out, w, "To", w->to);
	put_usual(out, w, "From", w->from);
	put_usual(out, w, "Subject", subject);
	put_usual(out, w, "Message-Id", id);
	for (int i = 0; i < w->n_headers; i++)
		fprintf(out, "%s\n", w->headers[i]);
}

static bool put_attachment(FILE *out, const char *what)
{
	const char *path = what[0] == '@' ? what : NULL, *slash = path ? strrchr(path, '/') : NULL;
	const char *name = slash ? slash + 1 : path ? path + 1 : "attachment";
	size_t n;
	char *data = content(what, &n);
	if (!data)
		return false;
	fputs("Content-Type: application/octet-stream\nContent-Disposition: attachment; filename=\"", out);
	for (const char *s = name; *s; s++)
		putc(*s < ' ' || *s == '"' || *s == '\\' || *s == 127 ? '_' : *s, out);
	fputs("\"\nContent-Transfer-Encoding: BASE64\n\n", out);
	put_base64(out, (const uint8_t *)data, n);
	free(data);
	return true;
}

static bool put_parts(FILE *out, const struct mail_words *w, const char *body, uint64_t nonce)
{
	char boundary[40];
	snprintf(boundary, sizeof boundary, "----=_via_%016llx", (unsigned long long)nonce);
	fprintf(out, "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"%s\"\n\n--%s\n"
		"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n", boundary, boundary);
	if (!put_content(out, body))
		return false;
	for (int i = 0; i < w->n_attach; i++) {
		fprintf(out, "\n--%s\n", boundary);
		if (!put_attachment(out, w->attach[i]))
			return false;
	}
	fprintf(out, "--%s--\n", boundary);
	return true;
}

static bool put_message(FILE *out, const struct mail_words *w)
{
	const char *body = w->body ? w->body : "This is a test mailing";
	uint64_t nonce = 0;
	if (w->data)
		return put_content(out, w->data);
	if (getrandom(&nonce, sizeof nonce, 0) != sizeof nonce)
		nonce = (uint64_t)time(NULL);
	put_head(out, w, nonce);
	if (w->n_attach)
		return put_parts(out, w, body, nonce);
	putc('\n', out);
	return put_content(out, body);
}

/* Every line end becomes CRLF, the last line gets one too. */
static char *with_crlf(const char *text, size_t n, size_t *len)
{
	char *out = malloc(2 * n + 3);
	size_t k = 0;
	for (size_t i = 0; i < n && out; i++) {
		if (text[i] == '\r' && i + 1 < n && text[i + 1] == '\n')
			continue;
		if (text[i] == '\r' || text[i] == '\n')
			out[k++] = '\r';
		out[k++] = text[i] == '\r' ? '\n' : text[i];
	}
	if (out && (k == 0 || out[k - 1] != '\n')) {
		out[k++] = '\r';
		out[k++] = '\n';
	}
	*len = k;
	return out;
}

char *mail_text(const struct mail_words *w, size_t *len)
{
	char *text = NULL, *out = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);
	bool good = f && put_message(f, w), is_written = f && fclose(f) == 0;
	if (good && is_written)
		out = with_crlf(text, n, len);
	if (!out && (good || !f))
		cmd_fail(EXIT_FAILED, "out of memory");
	free(text);
	return out;
}
