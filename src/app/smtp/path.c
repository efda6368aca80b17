/* app/smtp/path.c - mailboxes and paths in RFC 5321 §4.1.2's grammar.
 *
 * A quoted local part is kept as what it means, so that "postmaster" and postmaster are one mailbox (§4.1.2), and is
 * written with as few quotes as it needs. */
#include "app/smtp/smtp.h"

#include "app/text.h"

enum { LABEL_MAX = 63 };

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool is_let_dig(char c)
{
	return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* RFC 5321's atext. */
static bool is_atext(char c)
{
	return is_let_dig(c) || (c && strchr("!#$%&'*+-/=?^`{|}~", c));
}

bool smtp_word_is(const char *text, size_t n, const char *word)
{
	if (n != strlen(word))
		return false;
	for (size_t i = 0; i < n; i++)
		if (lower(text[i]) != lower(word[i]))
			return false;
	return true;
}

/* Dotted decimal. */
static bool is_ip4(const char *p, size_t n)
{
	unsigned parts = 0, value = 0, digits = 0;
	for (size_t i = 0; i <= n; i++) {
		if (i == n || p[i] == '.') {
			if (!digits || value > 255)
				return false;
			parts++;
			value = digits = 0;
		} else if (p[i] < '0' || p[i] > '9' || ++digits > 3) {
			return false;
		} else {
			value = value * 10 + (unsigned)(p[i] - '0');
		}
	}
	return parts == 4;
}

/* Inside the brackets: an IPv4 address, or a tag and what it likes (§4.1.3). */
static bool is_literal(const char *p, size_t n)
{
	size_t tag = 0;
	if (is_ip4(p, n))
		return true;
	while (tag < n && (is_let_dig(p[tag]) || p[tag] == '-'))
		tag++;
	if (tag == 0 || tag + 1 >= n || p[tag] != ':')
		return false;
	for (size_t i = tag + 1; i < n; i++)
		if (p[i] <= ' ' || p[i] > '~' || p[i] == '[' || p[i] == '\\' || p[i] == ']')
			return false;
	return true;
}

enum smtp_syntax smtp_domain_check(const char *text, size_t n)
{
	size_t label = 0;
	if (n > SMTP_DOMAIN_MAX)
		return SMTP_SYNTAX_LONG;
	if (n > 2 && text[0] == '[')
		return text[n - 1] == ']' && is_literal(text + 1, n - 2) ? SMTP_SYNTAX_OK : SMTP_SYNTAX_BAD;
	for (size_t i = 0; i <= n; i++) {
		if (i == n || text[i] == '.') {
			if (label == 0 || text[i - 1] == '-')
				return SMTP_SYNTAX_BAD;
			label = 0;
		} else if (!is_let_dig(text[i]) && (text[i] != '-' || label == 0)) {
			return SMTP_SYNTAX_BAD;
		} else if (++label > LABEL_MAX) {
			return SMTP_SYNTAX_LONG;
		}
	}
	return SMTP_SYNTAX_OK;
}

static char peek(const struct reader *r)
{
	return rd_left(r) ? (char)*r->p : 0;
}

static bool take(struct reader *r, char c)
{
	if (peek(r) != c || !rd_left(r))
		return false;
	r->p++;
	return true;
}

/* Octets up to one that ends a domain here, brackets taken as a whole. */
static enum smtp_syntax read_domain(struct reader *r, char *out)
{
	const char *from = (const char *)r->p;
	bool literal = peek(r) == '[';
	while (rd_left(r) && (literal || !strchr(">,:@ ", (char)*r->p)) && *r->p) {
		bool last = literal && *r->p == ']';
		r->p++;
		if (last)
			break;
	}
	size_t n = (size_t)((const char *)r->p - from);
	enum smtp_syntax s = smtp_domain_check(from, n);
	if (s == SMTP_SYNTAX_OK && out) {
		memcpy(out, from, n);
		out[n] = 0;
	}
	return s;
}

static enum smtp_syntax local_add(struct smtp_path *p, size_t *n, char c)
{
	if (*n == SMTP_LOCAL_MAX)
		return SMTP_SYNTAX_LONG;
	p->local[(*n)++] = c;
	p->local[*n] = 0;
	return SMTP_SYNTAX_OK;
}

/* Dot-string or quoted-string. Its spelling counts: the quotes belong to the 64 octets. */
static enum smtp_syntax read_local(struct reader *r, struct smtp_path *p)
{
	const uint8_t *from = r->p;
	enum smtp_syntax s = SMTP_SYNTAX_OK;
	size_t n = 0;
	if (take(r, '"')) {
		while (s == SMTP_SYNTAX_OK && !take(r, '"')) {
			take(r, '\\');
			char c = peek(r);
			if (c < ' ' || c > '~') /* also: it has no end */
				return SMTP_SYNTAX_BAD;
			r->p++;
			s = local_add(p, &n, c);
		}
	} else {
		while (s == SMTP_SYNTAX_OK && (is_atext(peek(r)) || (peek(r) == '.' && n && p->local[n - 1] != '.')))
			s = local_add(p, &n, (char)*r->p++);
		if (s == SMTP_SYNTAX_OK && (n == 0 || p->local[n - 1] == '.'))
			return SMTP_SYNTAX_BAD;
	}
	if (s == SMTP_SYNTAX_OK && r->p - from > SMTP_LOCAL_MAX)
		return SMTP_SYNTAX_LONG;
	return s;
}

/* "@a,@b:", checked and forgotten. */
static enum smtp_syntax read_route(struct reader *r)
{
	do {
		if (!take(r, '@'))
			return SMTP_SYNTAX_BAD;
		enum smtp_syntax s = read_domain(r, NULL);
		if (s != SMTP_SYNTAX_OK)
			return s;
	} while (take(r, ','));
	return take(r, ':') ? SMTP_SYNTAX_OK : SMTP_SYNTAX_BAD;
}

/* local@domain, or postmaster alone. */
static enum smtp_syntax read_mailbox(struct reader *r, struct smtp_path *out)
{
	enum smtp_syntax s = read_local(r, out);
	if (s != SMTP_SYNTAX_OK)
		return s;
	if (!take(r, '@'))
		return smtp_path_is_postmaster(out) ? SMTP_SYNTAX_OK : SMTP_SYNTAX_BAD;
	return read_domain(r, out->domain);
}

enum smtp_syntax smtp_path_read(struct reader *r, struct smtp_path *out)
{
	memset(out, 0, sizeof(*out));
	if (!take(r, '<'))
		return SMTP_SYNTAX_BAD;
	if (take(r, '>'))
		return SMTP_SYNTAX_OK;
	enum smtp_syntax s = peek(r) == '@' ? read_route(r) : SMTP_SYNTAX_OK;
	const uint8_t *from = r->p;
	if (s == SMTP_SYNTAX_OK)
		s = read_mailbox(r, out);
	if (s == SMTP_SYNTAX_OK && r->p - from + 2 > SMTP_PATH_MAX)
		s = SMTP_SYNTAX_LONG;
	if (s == SMTP_SYNTAX_OK && !take(r, '>'))
		s = SMTP_SYNTAX_BAD;
	return s;
}

enum smtp_syntax smtp_mailbox_parse(const char *text, size_t n, struct smtp_path *out)
{
	struct reader r = reader_of(text, n);
	memset(out, 0, sizeof(*out));
	if (n == 0)
		return SMTP_SYNTAX_OK;
	enum smtp_syntax s = n + 2 > SMTP_PATH_MAX ? SMTP_SYNTAX_LONG : read_mailbox(&r, out);
	return s == SMTP_SYNTAX_OK && rd_left(&r) ? SMTP_SYNTAX_BAD : s;
}

static bool needs_quotes(const char *s)
{
	if (!*s || *s == '.')
		return true;
	for (; *s; s++)
		if (!is_atext(*s) && (*s != '.' || s[1] == '.' || !s[1]))
			return true;
	return false;
}

void smtp_path_put(struct writer *w, const struct smtp_path *p)
{
	wr_u8(w, '<');
	if (!smtp_path_is_null(p)) {
		bool quoted = needs_quotes(p->local);
		if (quoted)
			wr_u8(w, '"');
		for (const char *s = p->local; *s; s++) {
			if (*s == '"' || *s == '\\')
				wr_u8(w, '\\');
			wr_u8(w, (uint8_t)*s);
		}
		if (quoted)
			wr_u8(w, '"');
	}
	if (p->domain[0]) {
		wr_u8(w, '@');
		text_put(w, p->domain);
	}
	wr_u8(w, '>');
}

bool smtp_path_is_null(const struct smtp_path *p)
{
	return !p->local[0] && !p->domain[0];
}

bool smtp_path_is_postmaster(const struct smtp_path *p)
{
	return smtp_word_is(p->local, strlen(p->local), "postmaster");
}
