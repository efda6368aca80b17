/* drill/lex.c - see lex.h. */
#include "drill/lex.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

static bool is_word_char(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static size_t left(const struct lex *l)
{
	return (size_t)(l->end - l->p);
}

static bool starts(const struct lex *l, const char *s)
{
	size_t n = strlen(s);
	return left(l) >= n && memcmp(l->p, s, n) == 0;
}

static void verror(struct lex *l, int line, int column, const char *format, va_list ap)
{
	if (lex_failed(l))
		return;
	l->err->line = line;
	l->err->column = column;
	vsnprintf(l->err->text, sizeof(l->err->text), format, ap);
	if (!l->err->text[0])
		l->err->text[0] = '?';
	l->p = l->end;
	l->t.kind = TK_END;
}

void lex_error(struct lex *l, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	verror(l, l->t.line, l->t.column, format, ap);
	va_end(ap);
}

void lex_error_at(struct lex *l, int line, int column, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	verror(l, line, column, format, ap);
	va_end(ap);
}

bool lex_failed(const struct lex *l)
{
	return l->err->text[0];
}

static void step(struct lex *l)
{
	if (*l->p++ == '\n') {
		l->line++;
		l->line_start = l->p;
	}
}

/* Move past `close`; false if it never comes. */
static bool skip_to(struct lex *l, const char *close)
{
	while (l->p < l->end && !starts(l, close))
		step(l);
	if (l->p == l->end)
		return false;
	l->p += strlen(close);
	return true;
}

static void skip_blanks(struct lex *l)
{
	for (;;) {
		if (l->p < l->end && isspace((unsigned char)*l->p)) {
			step(l);
		} else if (starts(l, "//")) {
			while (l->p < l->end && *l->p != '\n')
				l->p++;
		} else if (starts(l, "/*")) {
			int line = l->line, column = (int)(l->p - l->line_start) + 1;
			l->p += 2;
			if (!skip_to(l, "*/"))
				lex_error_at(l, line, column, "this comment never ends");
		} else {
			return;
		}
	}
}

static size_t span(const char *p, const char *end, bool (*in)(char c))
{
	size_t n = 0;
	while (p + n < end && in(p[n]))
		n++;
	return n;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return isxdigit((unsigned char)c);
}

/* a.b.c.d: how many bytes, or 0. */
static size_t ipv4_span(const char *p, const char *end)
{
	const char *s = p;
	for (int i = 0; i < 4; i++) {
		size_t n = span(s, end, is_digit);
		if (n == 0 || n > 3)
			return 0;
		s += n;
		if (i < 3 && (s == end || *s++ != '.'))
			return 0;
	}
	return (size_t)(s - p);
}

/* An IPv6 address: only what cannot be a sequence range, that is, with "::" in it. */
static size_t ipv6_span(const char *p, const char *end)
{
	size_t n = 0, doubles = 0;
	while (p + n < end && (is_hex(p[n]) || p[n] == ':')) {
		if (p[n] == ':' && p + n + 1 < end && p[n + 1] == ':')
			doubles++;
		n++;
	}
	return doubles ? n : 0;
}

/* A number with a point, as nanoseconds; digits past the ninth are cut. */
static void take_time(struct lex *l, size_t whole, bool negative)
{
	const char *s = l->p + whole + 1;
	size_t n = span(s, l->end, is_digit);
	int64_t v = 0, unit = NS_PER_S / 10;
	for (size_t i = 0; i < whole && v < NS_PER_S / 10; i++)
		v = v * 10 + (l->p[i] - '0');
	v *= NS_PER_S;
	for (size_t i = 0; i < n; i++, unit /= 10)
		v += (s[i] - '0') * unit;
	l->t.kind = TK_TIME;
	l->t.num = negative ? -v : v;
	l->p = s + n;
}

static void take_number(struct lex *l)
{
	bool negative = *l->p == '-';
	l->p += negative;
	size_t n = span(l->p, l->end, is_digit);
	size_t ip = negative ? 0 : ipv4_span(l->p, l->end), word = span(l->p, l->end, is_word_char);
	if (ip) {
		l->t.kind = TK_IPV4;
		l->p += ip;
	} else if (!negative && starts(l, "0x") && word > 2 && span(l->p + 2, l->end, is_hex) == word - 2 && word <= 18) {
		l->t.kind = TK_HEX;
		uint64_t v = 0;
		for (size_t i = 2; i < word; i++)
			v = v << 4 | (uint64_t)(is_digit(l->p[i]) ? l->p[i] - '0' : (l->p[i] | 32) - 'a' + 10);
		l->t.num = (int64_t)v;
		l->p += word;
	} else if (!negative && word > n) {
		l->t.kind = TK_WORD;
		l->p += word;
	} else if (l->end - l->p > (ptrdiff_t)n + 1 && l->p[n] == '.' && is_digit(l->p[n + 1])) {
		take_time(l, n, negative);
	} else if (n > 18) {
		lex_error(l, "this number is too large");
	} else {
		l->t.kind = TK_INT;
		l->t.num = 0;
		for (size_t i = 0; i < n; i++)
			l->t.num = l->t.num * 10 + (l->p[i] - '0');
		l->t.num = negative ? -l->t.num : l->t.num;
		l->p += n;
	}
	l->t.len = (uint32_t)(l->p - l->t.at);
}

/* Something between two delimiters; \ keeps the next character from ending it. */
static void take_quoted(struct lex *l, enum token_kind kind, const char *close, const char *what)
{
	size_t n = strlen(close);
	l->t.kind = kind;
	l->p += kind == TK_CODE ? 2 : 1;
	l->t.at = l->p;
	while (l->p < l->end && !starts(l, close)) {
		if (*l->p == '\\' && l->p + 1 < l->end && kind != TK_CODE)
			step(l);
		step(l);
	}
	if (l->p >= l->end) {
		lex_error(l, "%s never ends", what);
		return;
	}
	l->t.len = (uint32_t)(l->p - l->t.at);
	l->p += n;
}

static void take_option(struct lex *l)
{
	l->p += 2;
	l->t.kind = TK_OPTION;
	l->t.at = l->p;
	l->p += span(l->p, l->end, is_word_char);
	l->t.len = (uint32_t)(l->p - l->t.at);
}

static void take_char(struct lex *l)
{
	l->t.kind = TK_CHAR;
	l->t.ch = *l->p++;
	l->t.len = 1;
}

/* Numbers, or what begins like one. */
static bool is_number(const struct lex *l)
{
	const char *p = l->p + (*l->p == '-');
	if (p < l->end && is_digit(*p))
		return true;
	return p + 1 < l->end && *p == '.' && is_digit(p[1]);
}

static void next(struct lex *l)
{
	if (lex_failed(l)) {
		l->t.kind = TK_END;
		return;
	}
	skip_blanks(l);
	if (lex_failed(l))
		return;
	l->t = (struct token){.kind = TK_END, .at = l->p, .line = l->line, .column = (int)(l->p - l->line_start) + 1};
	size_t v6;
	if (l->p == l->end)
		return;
	if (starts(l, "...")) {
		l->t.kind = TK_ELLIPSIS;
		l->p += 3;
		l->t.len = 3;
	} else if (*l->p == '"') {
		take_quoted(l, TK_STRING, "\"", "this string");
	} else if (*l->p == '`') {
		take_quoted(l, TK_BACKTICK, "`", "this command");
	} else if (starts(l, "%{")) {
		take_quoted(l, TK_CODE, "}%", "this code");
	} else if (starts(l, "--") && left(l) > 2 && isalpha((unsigned char)l->p[2])) {
		take_option(l);
	} else if ((v6 = ipv6_span(l->p, l->end)) != 0) {
		l->t.kind = TK_IPV6;
		l->t.len = (uint32_t)v6;
		l->p += v6;
	} else if (is_number(l)) {
		take_number(l);
	} else if (is_word_char(*l->p)) {
		l->t.kind = TK_WORD;
		l->t.len = (uint32_t)span(l->p, l->end, is_word_char);
		l->p += l->t.len;
	} else {
		take_char(l);
	}
}

void lex_init(struct lex *l, const char *text, size_t len, struct drill_error *err)
{
	*err = (struct drill_error){0};
	*l = (struct lex){.p = text, .end = text + len, .line_start = text, .line = 1, .err = err};
	next(l);
}

struct token lex_take(struct lex *l)
{
	struct token t = l->t;
	l->last_line = t.line;
	next(l);
	return t;
}

bool lex_is(const struct lex *l, char c)
{
	return l->t.kind == TK_CHAR && l->t.ch == c;
}

bool lex_is_word(const struct lex *l, const char *word)
{
	return l->t.kind == TK_WORD && l->t.len == strlen(word) && memcmp(l->t.at, word, l->t.len) == 0;
}

bool lex_accept(struct lex *l, char c)
{
	bool is = lex_is(l, c);
	if (is)
		lex_take(l);
	return is;
}

bool lex_accept_word(struct lex *l, const char *word)
{
	bool is = lex_is_word(l, word);
	if (is)
		lex_take(l);
	return is;
}

bool lex_expect(struct lex *l, char c)
{
	char seen[64];
	if (lex_accept(l, c))
		return true;
	lex_error(l, "expected '%c', not %s", c, lex_seen(l, seen));
	return false;
}

const char *lex_seen(const struct lex *l, char out[64])
{
	if (l->t.kind == TK_END)
		return "the end of the script";
	snprintf(out, 64, "'%.*s'", (int)MIN(l->t.len, 50u), l->t.at);
	return out;
}
