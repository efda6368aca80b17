/* drill/parse_call.c - socket calls and the values in them: `read(4, ..., 1000) = -1 EAGAIN (Resource ...)`.
 *
 * A value is a number, the name of a constant, a string, `...`, `[list]`, `{list}` or `{name=value, ...}`; values may be
 * joined by |, strings stand beside each other. `name(3)=[...]`, the way an array says its length, is a field whose `num`
 * is the length. htons() and inet_addr() are worked out here, to host byte order. */
#include "drill/parse.h"

#include <errno.h>
#include <stdio.h>

enum { DEPTH_MAX = 16, LIST_MAX = 1024, ARGS_MAX = 16 };

static struct drill_expr *parse_value(struct parse *p);

static struct drill_expr *expr_new(struct parse *p, enum drill_expr_kind kind)
{
	struct drill_expr *e = parse_alloc(p, sizeof(*e));
	e->kind = kind;
	return e;
}

/* Values up to `close`, which is taken. Returns how many. */
static int parse_values(struct parse *p, struct drill_expr **first, char close, int max)
{
	int n = 0;
	*first = NULL;
	if (lex_accept(&p->l, close))
		return 0;
	do {
		*first = parse_value(p);
		first = &(*first)->next;
		if (++n > max)
			lex_error(&p->l, "more than %d values", max);
	} while (lex_accept(&p->l, ','));
	lex_expect(&p->l, close);
	return n;
}

/* After the name: `=value` or `(length)=value`. */
static struct drill_expr *parse_field(struct parse *p)
{
	struct token name = lex_take(&p->l);
	int64_t count = -1;
	if (lex_accept(&p->l, '(')) {
		if (p->l.t.kind == TK_ELLIPSIS)
			lex_take(&p->l);
		else
			count = parse_int(p, "length", 0, LIST_MAX);
		lex_expect(&p->l, ')');
	}
	if (name.kind != TK_WORD)
		lex_error_at(&p->l, name.line, name.column, "expected the name of a field");
	lex_expect(&p->l, '=');
	struct drill_expr *e = parse_value(p);
	e->name = parse_text(p, &name);
	if (count >= 0 && e->kind == EX_LIST)
		e->num = count;
	return e;
}

/* After {: fields if a name is followed by = or (, else a list. */
static struct drill_expr *parse_braces(struct parse *p)
{
	struct lex ahead = p->l;
	bool is_fields = false;
	if (p->l.t.kind == TK_WORD) {
		struct drill_error none = {0};
		ahead.err = &none;
		lex_take(&ahead);
		is_fields = lex_is(&ahead, '=') || lex_is(&ahead, '(');
	}
	struct drill_expr *e = expr_new(p, is_fields ? EX_FIELDS : EX_LIST), **at = &e->first;
	if (!is_fields) {
		parse_values(p, &e->first, '}', LIST_MAX);
		return e;
	}
	do {
		*at = parse_field(p);
		at = &(*at)->next;
	} while (lex_accept(&p->l, ','));
	lex_expect(&p->l, '}');
	return e;
}

static int64_t parse_inet_addr(struct parse *p)
{
	unsigned a, b, c, d;
	char end, seen[64];
	if (p->l.t.kind != TK_STRING) {
		lex_error(&p->l, "expected an address in quotes, not %s", lex_seen(&p->l, seen));
		return 0;
	}
	struct token t = p->l.t;
	const char *s = parse_text(p, &t);
	if (sscanf(s, "%3u.%3u.%3u.%3u%c", &a, &b, &c, &d, &end) != 4 || a > 255 || b > 255 || c > 255 || d > 255) {
		lex_error(&p->l, "'%.40s' is no IPv4 address", s);
		return 0;
	}
	lex_take(&p->l);
	return (int64_t)a << 24 | b << 16 | c << 8 | d;
}

/* htons(N), inet_addr("..."), or a constant. */
static struct drill_expr *parse_word(struct parse *p)
{
	struct token t = lex_take(&p->l);
	struct drill_expr *e = expr_new(p, EX_INT);
	const char *name = parse_text(p, &t);
	if (lex_accept(&p->l, '(')) {
		if (strcmp(name, "htons") == 0)
			e->num = parse_int(p, "port", 0, 65535);
		else if (strcmp(name, "inet_addr") == 0)
			e->num = parse_inet_addr(p);
		else
			lex_error_at(&p->l, t.line, t.column, "'%.40s' is no function of values", name);
		lex_expect(&p->l, ')');
	} else if (strcmp(name, "NULL") == 0) {
		e->kind = EX_NULL;
	} else if (!drill_symbol(name, &e->num)) {
		lex_error_at(&p->l, t.line, t.column, "unknown name '%.40s'", name);
	}
	return e;
}

/* Strings beside each other are one. Escapes are kept as they stand: payload never comes from them. */
static struct drill_expr *parse_string(struct parse *p)
{
	struct drill_expr *e = expr_new(p, EX_STRING);
	struct token t = lex_take(&p->l);
	e->text = parse_text(p, &t);
	e->len = t.len;
	while (p->l.t.kind == TK_STRING) {
		t = lex_take(&p->l);
		char *both = parse_alloc(p, (size_t)e->len + t.len + 1);
		memcpy(both, e->text, e->len);
		memcpy(both + e->len, t.at, t.len);
		e->text = both;
		e->len += t.len;
	}
	if (p->l.t.kind == TK_ELLIPSIS)
		lex_take(&p->l);
	return e;
}

static struct drill_expr *parse_one(struct parse *p)
{
	char seen[64];
	struct drill_expr *e;
	switch (p->l.t.kind) {
	case TK_ELLIPSIS:
		lex_take(&p->l);
		return expr_new(p, EX_ELLIPSIS);
	case TK_INT:
	case TK_HEX:
		e = expr_new(p, EX_INT);
		e->num = lex_take(&p->l).num;
		return e;
	case TK_STRING:
		return parse_string(p);
	case TK_WORD:
		return parse_word(p);
	default:
		break;
	}
	if (lex_accept(&p->l, '{'))
		return parse_braces(p);
	e = expr_new(p, EX_LIST);
	if (lex_accept(&p->l, '['))
		parse_values(p, &e->first, ']', LIST_MAX);
	else
		lex_error(&p->l, "expected a value, not %s", lex_seen(&p->l, seen));
	return e;
}

static struct drill_expr *parse_value(struct parse *p)
{
	if (p->depth >= DEPTH_MAX) {
		lex_error(&p->l, "values are nested deeper than %d", DEPTH_MAX);
		return expr_new(p, EX_ELLIPSIS);
	}
	p->depth++;
	struct drill_expr *e = parse_one(p);
	while (lex_is(&p->l, '|')) {
		int line = p->l.t.line, column = p->l.t.column;
		lex_take(&p->l);
		struct drill_expr *more = parse_one(p);
		if (e->kind != EX_INT || more->kind != EX_INT)
			lex_error_at(&p->l, line, column, "| joins numbers only");
		e->num |= more->num;
	}
	p->depth--;
	return e;
}

/* (Connection timed out): words for the reader. */
static void parse_note(struct parse *p)
{
	if (!lex_accept(&p->l, '('))
		return;
	while (p->l.t.kind != TK_END && !lex_is(&p->l, ')'))
		lex_take(&p->l);
	lex_expect(&p->l, ')');
}

/* The text from `from` to the next token, for messages: blanks become one. */
static const char *parse_head(struct parse *p, const char *from)
{
	if (lex_failed(&p->l))
		return "";
	size_t n = 0, len = (size_t)(p->l.t.at - from);
	char *s = parse_alloc(p, len + 1);
	for (size_t i = 0; i < len; i++) {
		bool blank = from[i] == ' ' || from[i] == '\t' || from[i] == '\n';
		if (!blank || (n && s[n - 1] != ' '))
			s[n++] = blank ? ' ' : from[i];
	}
	while (n && s[n - 1] == ' ')
		n--;
	s[n] = 0;
	return s;
}

struct drill_call *parse_call(struct parse *p)
{
	struct drill_call *c = parse_alloc(p, sizeof(*c));
	struct token t = lex_take(&p->l);
	c->name = parse_text(p, &t);
	c->column = (uint32_t)t.column;
	lex_expect(&p->l, '(');
	c->n_args = parse_values(p, &c->args, ')', ARGS_MAX);
	c->head = parse_head(p, t.at);
	lex_expect(&p->l, '=');
	c->result = parse_value(p);
	if (c->result->kind != EX_INT && c->result->kind != EX_ELLIPSIS)
		lex_error_at(&p->l, t.line, t.column, "the result of %.40s() is no number", c->name);
	int64_t e = 0;
	if (p->l.t.kind == TK_WORD) {
		struct token name = lex_take(&p->l);
		const char *text = parse_text(p, &name);
		if (text[0] != 'E' || !drill_symbol(text, &e) || e <= 0)
			lex_error_at(&p->l, name.line, name.column, "'%.40s' is no errno", text);
		else if (c->result->num != -1)
			lex_error_at(&p->l, name.line, name.column, "an errno goes with the result -1");
		c->error = (int)e;
	}
	parse_note(p);
	return c;
}
