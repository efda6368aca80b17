/* drill/code.c - see code.h: a recursive descent that works values out as it reads.
 *
 * After an error everything answers 0 and the rest is skipped. Integers are 64 bits and wrap; / and a value with a point
 * make floating-point numbers. `and` and `or` do not skip their right side: nothing here has effects. */
#include "drill/code.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEPTH_MAX = 32 };

struct code {
	const char *p;
	struct drill_vars *vars;
	drill_lookup lookup;
	void *ctx;
	char *out;
	size_t room;
	int depth;
	struct drill_code_result *res;
};

static struct drill_value value_or(struct code *c);

static struct drill_value of_int(int64_t i)
{
	return (struct drill_value){.kind = VAL_INT, .i = i};
}

static struct drill_value of_float(double f)
{
	return (struct drill_value){.kind = VAL_FLOAT, .f = f};
}

static bool failed(const struct code *c)
{
	return c->res->text[0];
}

static struct drill_value __attribute__((format(printf, 2, 3))) wrong(struct code *c, const char *format, ...)
{
	if (!failed(c)) {
		va_list ap;
		va_start(ap, format);
		vsnprintf(c->res->text, sizeof(c->res->text), format, ap);
		va_end(ap);
	}
	c->p += strlen(c->p);
	return of_int(0);
}

/* Blanks, comments and continued lines; not the end of a line. */
static void blanks(struct code *c)
{
	for (;;) {
		if (*c->p == ' ' || *c->p == '\t' || *c->p == '\r') {
			c->p++;
		} else if (*c->p == '\\' && c->p[1] == '\n') {
			c->p += 2;
			c->res->line++;
		} else if (*c->p == '#') {
			while (*c->p && *c->p != '\n')
				c->p++;
		} else {
			return;
		}
	}
}

static bool is_name(char ch)
{
	return isalnum((unsigned char)ch) || ch == '_';
}

/* Take an operator, which must not go on as another one: `not` is one character that may not follow. */
static bool take(struct code *c, const char *op, const char *not)
{
	blanks(c);
	size_t n = strlen(op);
	if (strncmp(c->p, op, n) != 0 || (c->p[n] && strchr(not, c->p[n])) || (is_name(op[0]) && is_name(c->p[n])))
		return false;
	c->p += n;
	return true;
}

static double as_float(const struct drill_value *v)
{
	return v->kind == VAL_FLOAT ? v->f : (double)v->i;
}

static bool is_true(const struct drill_value *v)
{
	return v->kind == VAL_TEXT ? v->text[0] : v->kind == VAL_FLOAT ? v->f != 0 : v->i != 0;
}

static void print_value(const struct drill_value *v, char *out, size_t room)
{
	if (v->kind == VAL_TEXT)
		snprintf(out, room, "%s", v->text);
	else if (v->kind == VAL_FLOAT)
		snprintf(out, room, "%g", v->f);
	else
		snprintf(out, room, "%lld", (long long)v->i);
}

static struct drill_value number(struct code *c)
{
	char *end;
	const char *s = c->p;
	size_t n = strspn(s, "0123456789abcdefABCDEFxX");
	bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
	if (!hex && strcspn(s, ".eE") < strspn(s, "0123456789.eE")) {
		double f = strtod(s, &end);
		c->p = end;
		return of_float(f);
	}
	uint64_t v = strtoull(s, &end, hex ? 16 : 10);
	if (end != s + n || is_name(*end))
		return wrong(c, "'%.20s' is no number", s);
	c->p = end;
	return of_int((int64_t)v);
}

static struct drill_value string(struct code *c)
{
	struct drill_value v = {.kind = VAL_TEXT};
	char quote = *c->p++;
	size_t n = 0;
	while (*c->p && *c->p != quote && *c->p != '\n') {
		char ch = *c->p++;
		if (ch == '\\' && *c->p) {
			ch = *c->p++;
			ch = ch == 'n' ? '\n' : ch == 't' ? '\t' : ch;
		}
		if (n < sizeof(v.text) - 1)
			v.text[n++] = ch;
	}
	if (*c->p != quote)
		return wrong(c, "a string never ends");
	c->p++;
	return v;
}

static struct drill_var *find_var(struct drill_vars *vars, const char *name)
{
	for (int i = 0; i < vars->n; i++)
		if (strcmp(vars->var[i].name, name) == 0)
			return &vars->var[i];
	return NULL;
}

/* A name at the cursor, or an empty one. */
static void name_at(struct code *c, char out[DRILL_VAR_NAME])
{
	size_t n = 0;
	blanks(c);
	if (isdigit((unsigned char)*c->p))
		n = 0;
	else
		while (is_name(c->p[n]))
			n++;
	snprintf(out, DRILL_VAR_NAME, "%.*s", (int)MIN(n, (size_t)DRILL_VAR_NAME - 1), c->p);
	c->p += n;
}

static struct drill_value variable(struct code *c)
{
	char name[DRILL_VAR_NAME];
	int64_t v;
	name_at(c, name);
	if (strcmp(name, "True") == 0 || strcmp(name, "False") == 0)
		return of_int(name[0] == 'T');
	blanks(c);
	if (*c->p == '(' || *c->p == '[' || *c->p == '.')
		return wrong(c, "only assert, print and arithmetic are known here, not %.40s%c", name, *c->p);
	const struct drill_var *known = find_var(c->vars, name);
	if (known)
		return known->value;
	if (!c->lookup(c->ctx, name, &v))
		return wrong(c, "unknown name '%.40s'", name);
	return of_int(v);
}

static struct drill_value primary(struct code *c)
{
	struct drill_value v;
	blanks(c);
	if (isdigit((unsigned char)*c->p) || (*c->p == '.' && isdigit((unsigned char)c->p[1])))
		return number(c);
	if (*c->p == '\'' || *c->p == '"')
		return string(c);
	if (is_name(*c->p))
		return variable(c);
	if (!take(c, "(", ""))
		return wrong(c, *c->p ? "expected a value at '%.20s'" : "expected a value%s", c->p);
	v = value_or(c);
	if (!take(c, ")", ""))
		return wrong(c, "a parenthesis is not closed");
	return v;
}

static struct drill_value unary(struct code *c)
{
	if (++c->depth > DEPTH_MAX)
		return wrong(c, "nested deeper than %d", DEPTH_MAX);
	struct drill_value v;
	if (take(c, "-", "")) {
		v = unary(c);
		if (v.kind == VAL_TEXT)
			v = wrong(c, "- of a string");
		v.i = (int64_t)(0 - (uint64_t)v.i);
		v.f = -v.f;
	} else if (take(c, "~", "")) {
		v = unary(c);
		v = v.kind == VAL_INT ? of_int(~v.i) : wrong(c, "~ is for integers");
	} else if (take(c, "+", "")) {
		v = unary(c);
	} else {
		v = primary(c);
	}
	c->depth--;
	return v;
}

/* Python's // and %: towards minus infinity. */
static struct drill_value divide(struct code *c, char op, const struct drill_value *a, const struct drill_value *b)
{
	if (as_float(b) == 0)
		return wrong(c, "division by zero");
	bool exact = a->kind == VAL_INT && b->kind == VAL_INT;
	if (op == '/')
		return of_float(as_float(a) / as_float(b));
	if (!exact) {
		double q = floor(as_float(a) / as_float(b));
		return of_float(op == 'q' ? q : as_float(a) - q * as_float(b));
	}
	if (b->i == -1) /* INT64_MIN / -1 */
		return of_int(op == 'q' ? (int64_t)(0 - (uint64_t)a->i) : 0);
	int64_t q = a->i / b->i, m = a->i % b->i;
	if (m && (m < 0) != (b->i < 0)) {
		q--;
		m += b->i;
	}
	return of_int(op == 'q' ? q : m);
}

/* One conversion of a format, from its % on; the value goes into out. How many bytes of the format. */
static size_t format_one(struct code *c, const char *f, const struct drill_value *v, char *out, size_t room)
{
	size_t n = 1 + strspn(f + 1, "0123456789.-+ ");
	char text[DRILL_VALUE_TEXT], spec[16] = "";
	if (!f[n] || !strchr("dius fxX", f[n]) || n > 8) {
		wrong(c, "'%.8s' is no conversion known here", f);
		return 1;
	}
	memcpy(spec, f, n);
	if (f[n] == 's') {
		print_value(v, out, room);
	} else if (f[n] == 'f') {
		strcat(spec, "f");
		snprintf(text, sizeof(text), spec, as_float(v));
		snprintf(out, room, "%s", text);
	} else {
		strcat(spec, f[n] == 'x' ? "llx" : f[n] == 'X' ? "llX" : "lld");
		snprintf(text, sizeof(text), spec, v->kind == VAL_FLOAT ? (long long)v->f : (long long)v->i);
		snprintf(out, room, "%s", text);
	}
	return n + 1;
}

/* 'text %d' % value, or % (value, value). */
static struct drill_value format_text(struct code *c, const struct drill_value *form)
{
	struct drill_value v = {.kind = VAL_TEXT}, arg;
	bool tuple = take(c, "(", ""), first = true;
	size_t n = 0;
	for (const char *f = form->text; *f && !failed(c) && n + 1 < sizeof(v.text);) {
		if (*f != '%') {
			v.text[n++] = *f++;
			continue;
		}
		if (f[1] == '%') {
			v.text[n++] = '%';
			f += 2;
			continue;
		}
		if (!first && !(tuple && take(c, ",", "")))
			return wrong(c, "the format wants more values");
		arg = tuple ? value_or(c) : unary(c);
		first = false;
		f += format_one(c, f, &arg, v.text + n, sizeof(v.text) - n);
		n += strlen(v.text + n);
	}
	if (tuple)
		take(c, ",", "");
	if (tuple && !take(c, ")", ""))
		return wrong(c, "the format wants fewer values");
	return v;
}

static struct drill_value product(struct code *c)
{
	struct drill_value a = unary(c), b;
	while (!failed(c)) {
		char op = take(c, "//", "=") ? 'q' : take(c, "*", "*=") ? '*' : take(c, "/", "/=") ? '/' : take(c, "%", "=") ? '%' : 0;
		if (!op)
			return a;
		if (op == '%' && a.kind == VAL_TEXT) {
			a = format_text(c, &a);
			continue;
		}
		b = unary(c);
		if (a.kind == VAL_TEXT || b.kind == VAL_TEXT)
			return wrong(c, "arithmetic with a string");
		if (op != '*')
			a = divide(c, op, &a, &b);
		else if (a.kind == VAL_INT && b.kind == VAL_INT)
			a = of_int((int64_t)((uint64_t)a.i * (uint64_t)b.i));
		else
			a = of_float(as_float(&a) * as_float(&b));
	}
	return a;
}

static struct drill_value sum(struct code *c)
{
	struct drill_value a = product(c), b;
	while (!failed(c)) {
		char op = take(c, "+", "=") ? '+' : take(c, "-", "=") ? '-' : 0;
		if (!op)
			return a;
		b = product(c);
		if (a.kind == VAL_TEXT || b.kind == VAL_TEXT)
			return wrong(c, "arithmetic with a string");
		if (a.kind == VAL_INT && b.kind == VAL_INT)
			a = of_int((int64_t)(op == '+' ? (uint64_t)a.i + (uint64_t)b.i : (uint64_t)a.i - (uint64_t)b.i));
		else
			a = of_float(op == '+' ? as_float(&a) + as_float(&b) : as_float(&a) - as_float(&b));
	}
	return a;
}

/* << >> bind closer than &, that than ^, that than |: level 0 to 3. */
static struct drill_value bits(struct code *c, int level)
{
	struct drill_value a = level == 0 ? sum(c) : bits(c, level - 1), b;
	while (!failed(c)) {
		char op = level == 0 ? (take(c, "<<", "=") ? 'l' : take(c, ">>", "=") ? 'r' : 0)
			: level == 1 ? (take(c, "&", "=") ? '&' : 0)
			: level == 2 ? (take(c, "^", "=") ? '^' : 0)
				     : (take(c, "|", "=") ? '|' : 0);
		if (!op)
			return a;
		b = level == 0 ? sum(c) : bits(c, level - 1);
		if (a.kind != VAL_INT || b.kind != VAL_INT || ((op == 'l' || op == 'r') && (b.i < 0 || b.i > 63)))
			return wrong(c, "bits of what is no integer");
		a.i = op == 'l' ? (int64_t)((uint64_t)a.i << b.i) : op == 'r' ? a.i >> b.i : op == '&' ? (a.i & b.i)
			: op == '^' ? (a.i ^ b.i) : (a.i | b.i);
	}
	return a;
}

static bool compare(struct code *c, char op, const struct drill_value *a, const struct drill_value *b)
{
	if ((a->kind == VAL_TEXT) != (b->kind == VAL_TEXT)) {
		if (op != '=' && op != '!')
			wrong(c, "a string compared with a number");
		return op == '!';
	}
	int order;
	if (a->kind == VAL_TEXT)
		order = strcmp(a->text, b->text);
	else if (a->kind == VAL_INT && b->kind == VAL_INT)
		order = a->i < b->i ? -1 : a->i > b->i;
	else
		order = as_float(a) < as_float(b) ? -1 : as_float(a) > as_float(b);
	return op == '=' ? order == 0 : op == '!' ? order != 0 : op == '<' ? order < 0 : op == '>' ? order > 0
		: op == 'l' ? order <= 0 : order >= 0;
}

/* a < b <= c is (a < b) and (b <= c). */
static struct drill_value comparison(struct code *c)
{
	struct drill_value a = bits(c, 3), b;
	bool any = false, all = true;
	while (!failed(c)) {
		char op = take(c, "==", "") ? '=' : take(c, "!=", "") ? '!' : take(c, "<=", "") ? 'l' : take(c, ">=", "") ? 'g'
			: take(c, "<", "<") ? '<' : take(c, ">", ">") ? '>' : 0;
		if (!op)
			break;
		b = bits(c, 3);
		all = compare(c, op, &a, &b) && all;
		any = true;
		a = b;
	}
	return any ? of_int(all) : a;
}

static struct drill_value value_not(struct code *c)
{
	bool turn = false, any = false;
	while (take(c, "not", "")) {
		turn = !turn;
		any = true;
	}
	struct drill_value v = comparison(c);
	return any ? of_int(is_true(&v) != turn) : v;
}

static struct drill_value value_and(struct code *c)
{
	struct drill_value a = value_not(c);
	while (!failed(c) && take(c, "and", "")) {
		struct drill_value b = value_not(c);
		a = is_true(&a) ? b : a;
	}
	return a;
}

static struct drill_value value_or(struct code *c)
{
	if (++c->depth > DEPTH_MAX)
		return wrong(c, "nested deeper than %d", DEPTH_MAX);
	struct drill_value a = value_and(c);
	while (!failed(c) && take(c, "or", "")) {
		struct drill_value b = value_and(c);
		a = is_true(&a) ? a : b;
	}
	c->depth--;
	return a;
}

static void do_assert(struct code *c)
{
	blanks(c);
	const char *from = c->p;
	struct drill_value v = value_or(c), message = {.kind = VAL_TEXT};
	int len = (int)(c->p - from);
	if (take(c, ",", ""))
		message = value_or(c);
	if (failed(c) || is_true(&v))
		return;
	char text[DRILL_VALUE_TEXT];
	print_value(&message, text, sizeof(text));
	wrong(c, "assert %.*s: %s", MIN(len, 120), from, text);
	c->res->is_assertion = true;
}

static void do_print(struct code *c)
{
	char text[DRILL_VALUE_TEXT];
	bool first = true;
	if (!take(c, "(", "")) {
		wrong(c, "print wants parentheses");
		return;
	}
	while (!take(c, ")", "") && !failed(c)) {
		if (!first && !take(c, ",", "")) {
			wrong(c, "a parenthesis is not closed");
			return;
		}
		struct drill_value v = value_or(c);
		print_value(&v, text, sizeof(text));
		size_t n = c->room ? strlen(c->out) : 0;
		if (c->room)
			snprintf(c->out + n, c->room - n, "%s%s", first ? "" : " ", text);
		first = false;
	}
	size_t n = c->room ? strlen(c->out) : 0;
	if (c->room)
		snprintf(c->out + n, c->room - n, "\n");
}

static void set_var(struct code *c, const char *name, const struct drill_value *v)
{
	struct drill_vars *vars = c->vars;
	struct drill_var *known = find_var(vars, name);
	if (!vars->var)
		vars->var = calloc(DRILL_VARS, sizeof(*vars->var));
	if (!known && (!vars->var || vars->n == DRILL_VARS)) {
		wrong(c, "more than %d variables", DRILL_VARS);
		return;
	}
	if (!known) {
		known = &vars->var[vars->n++];
		snprintf(known->name, sizeof(known->name), "%s", name);
	}
	known->value = *v;
}

/* name = VALUE, name += VALUE. Not an assignment: whatever it is, it is not known here. */
static void do_assign(struct code *c, const char *name)
{
	char op = take(c, "+=", "") ? '+' : take(c, "-=", "") ? '-' : take(c, "*=", "") ? '*' : take(c, "=", "=") ? '=' : 0;
	if (!op || !name[0]) {
		wrong(c, "only assert, print and name = value are known here, not '%.40s'", name[0] ? name : c->p);
		return;
	}
	struct drill_value v = value_or(c);
	const struct drill_var *old = find_var(c->vars, name);
	if (op != '=' && !old)
		wrong(c, "unknown name '%.40s'", name);
	if (failed(c))
		return;
	if (op != '=' && (old->value.kind != VAL_INT || v.kind != VAL_INT))
		wrong(c, "%c= is for integers", op);
	uint64_t a = old ? (uint64_t)old->value.i : 0, b = (uint64_t)v.i;
	if (op != '=')
		v.i = (int64_t)(op == '+' ? a + b : op == '-' ? a - b : a * b);
	set_var(c, name, &v);
}

static void statement(struct code *c)
{
	char name[DRILL_VAR_NAME];
	name_at(c, name);
	if (strcmp(name, "assert") == 0)
		do_assert(c);
	else if (strcmp(name, "print") == 0)
		do_print(c);
	else if (strcmp(name, "pass") != 0)
		do_assign(c, name);
}

bool drill_code_run(const char *text, struct drill_vars *vars, drill_lookup lookup, void *ctx, char *out, size_t room,
		    struct drill_code_result *res)
{
	struct code c = {.p = text, .vars = vars, .lookup = lookup, .ctx = ctx, .out = out, .room = room, .res = res};
	*res = (struct drill_code_result){.line = 1};
	if (room)
		out[0] = 0;
	while (!failed(&c)) {
		blanks(&c);
		if (*c.p == '\n' || *c.p == ';') {
			res->line += *c.p++ == '\n';
			continue;
		}
		if (!*c.p)
			return true;
		statement(&c);
		blanks(&c);
		if (!failed(&c) && *c.p && *c.p != '\n' && *c.p != ';')
			wrong(&c, "expected the end of the statement at '%.20s'", c.p);
	}
	return false;
}

void drill_vars_free(struct drill_vars *v)
{
	free(v->var);
	*v = (struct drill_vars){0};
}
