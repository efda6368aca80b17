/* drill/parse.c - options and events of a script; its memory.
 *
 * A script is: option lines, then events. The first and last event may be commands without a time. */
#include "drill/parse.h"

#include <stdlib.h>

struct drill_chunk {
	struct drill_chunk *next;
	_Alignas(16) char bytes[];
};

void *drill_alloc(struct drill_script *s, size_t bytes)
{
	struct drill_chunk *c = calloc(1, sizeof(*c) + bytes);
	if (!c)
		return NULL;
	c->next = s->chunks;
	s->chunks = c;
	return c->bytes;
}

void drill_script_free(struct drill_script *s)
{
	if (!s)
		return;
	while (s->chunks) {
		struct drill_chunk *c = s->chunks;
		s->chunks = c->next;
		free(c);
	}
	free(s);
}

void *parse_alloc(struct parse *p, size_t bytes)
{
	/* What stands in for memory that is out: written to by whoever asked, read by nobody, since the parse has failed. */
	static _Thread_local _Alignas(16) char nowhere[DRILL_TEXT_MAX + 1024];
	void *m = drill_alloc(p->s, bytes);
	if (!m)
		lex_error(&p->l, "out of memory");
	return m ? m : nowhere;
}

const char *parse_text(struct parse *p, const struct token *t)
{
	char *s = parse_alloc(p, (size_t)t->len + 1);
	memcpy(s, t->at, t->len);
	s[t->len] = 0;
	return s;
}

int64_t parse_int(struct parse *p, const char *what, int64_t lo, int64_t hi)
{
	char seen[64];
	if (p->l.t.kind != TK_INT && p->l.t.kind != TK_HEX)
		lex_error(&p->l, "expected a number (%s), not %s", what, lex_seen(&p->l, seen));
	else if (p->l.t.num < lo || p->l.t.num > hi)
		lex_error(&p->l, "%s is out of range", what);
	int64_t v = lex_failed(&p->l) ? lo : p->l.t.num;
	lex_take(&p->l);
	return v;
}

int64_t parse_time(struct parse *p)
{
	enum { LONGEST_S = 10000000 };
	char seen[64];
	int64_t ns = 0;
	if (p->l.t.kind == TK_TIME)
		ns = p->l.t.num;
	else if (p->l.t.kind == TK_INT)
		ns = p->l.t.num > LONGEST_S ? TIME_NEVER : MAX(p->l.t.num, -1) * NS_PER_S;
	else
		lex_error(&p->l, "expected a time in seconds, not %s", lex_seen(&p->l, seen));
	if (ns < 0)
		lex_error(&p->l, "a time is not negative");
	else if (ns > LONGEST_S * NS_PER_S)
		lex_error(&p->l, "a time is at most %d seconds", LONGEST_S);
	lex_take(&p->l);
	return lex_failed(&p->l) ? 0 : ns;
}

/* --name, --name=value; a value of two parts is name=value again. */
static struct drill_option *parse_option(struct parse *p)
{
	struct token t = lex_take(&p->l);
	struct drill_option *o = parse_alloc(p, sizeof(*o));
	o->line = t.line;
	o->name = parse_text(p, &t);
	if (!lex_accept(&p->l, '='))
		return o;
	t = lex_take(&p->l);
	if (t.kind == TK_END || t.kind == TK_CHAR)
		lex_error_at(&p->l, t.line, t.column, "--%s= wants a value", o->name);
	if (lex_is(&p->l, '='))
		lex_error(&p->l, "--%s: definitions are not known here", o->name);
	o->value = parse_text(p, &t);
	return o;
}

static void parse_when(struct parse *p, struct drill_event *e)
{
	bool relative = lex_accept(&p->l, '+');
	e->when = relative ? DRILL_RELATIVE : DRILL_ABSOLUTE;
	if (!relative && lex_accept(&p->l, '*')) {
		e->when = DRILL_ANY;
		return;
	}
	e->at_ns = e->end_ns = parse_time(p);
	if (!lex_accept(&p->l, '~'))
		return;
	e->when = relative ? DRILL_RELATIVE_RANGE : DRILL_ABSOLUTE_RANGE;
	if (relative)
		lex_expect(&p->l, '+');
	e->end_ns = parse_time(p);
	if (e->end_ns < e->at_ns)
		lex_error_at(&p->l, e->line, 1, "this range of times is backwards");
}

static void parse_action(struct parse *p, struct drill_event *e)
{
	char seen[64];
	bool blocks = false;
	int64_t end = 0;
	if (p->l.t.kind == TK_ELLIPSIS) {
		lex_take(&p->l);
		blocks = true;
		end = parse_time(p);
	}
	if (!blocks && (lex_is(&p->l, '<') || lex_is(&p->l, '>'))) {
		e->kind = DRILL_PACKET;
		e->packet = parse_packet(p);
	} else if (p->l.t.kind == TK_WORD) {
		e->kind = DRILL_CALL;
		e->call = parse_call(p);
		e->call->blocks = blocks;
		e->call->end_ns = end;
		if (blocks && end < e->at_ns)
			lex_error_at(&p->l, e->line, 1, "this call ends before it begins");
	} else if (!blocks && (p->l.t.kind == TK_BACKTICK || p->l.t.kind == TK_CODE)) {
		e->kind = p->l.t.kind == TK_CODE ? DRILL_CODE : DRILL_COMMAND;
		struct token t = lex_take(&p->l);
		e->text = parse_text(p, &t);
	} else {
		lex_error(&p->l, "expected a packet, a call, a `command` or %%{ code }%%, not %s", lex_seen(&p->l, seen));
	}
}

static struct drill_event *parse_event(struct parse *p)
{
	struct drill_event *e = parse_alloc(p, sizeof(*e));
	e->line = p->l.t.line;
	int column = p->l.t.column;
	if (p->l.t.kind == TK_BACKTICK) { /* the first or the last: at once */
		e->when = DRILL_RELATIVE;
	} else {
		parse_when(p, e);
	}
	parse_action(p, e);
	if (lex_failed(&p->l))
		return e;
	bool expects = e->kind == DRILL_PACKET && e->packet->is_out;
	if (e->when >= DRILL_ANY && !expects)
		lex_error_at(&p->l, e->line, column, "* and ~ are for expected packets only");
	return e;
}

static void parse_script(struct parse *p)
{
	struct drill_option **o = &p->s->options;
	struct drill_event **e = &p->s->events;
	while (p->l.t.kind == TK_OPTION) {
		*o = parse_option(p);
		o = &(*o)->next;
	}
	while (p->l.t.kind != TK_END) {
		*e = parse_event(p);
		e = &(*e)->next;
		p->s->n_events++;
	}
	if (!p->s->events)
		lex_error(&p->l, "the script has no events");
}

struct drill_script *drill_parse(const char *text, size_t len, struct drill_error *err)
{
	struct parse p = {.s = calloc(1, sizeof(struct drill_script))};
	*err = (struct drill_error){.text = "out of memory"};
	if (!p.s)
		return NULL;
	lex_init(&p.l, text, MIN(len, (size_t)DRILL_TEXT_MAX), err);
	if (len > DRILL_TEXT_MAX)
		lex_error(&p.l, "the script is longer than %d bytes", DRILL_TEXT_MAX);
	parse_script(&p);
	if (!lex_failed(&p.l))
		return p.s;
	drill_script_free(p.s);
	return NULL;
}
