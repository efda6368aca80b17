/* drill/code.h - the assertions between %{ and }%: a small part of Python, worked out when its event comes.
 *
 * Statements, one a line or after ; : `assert TEST[, MESSAGE]`, `print(VALUES)`, `name = VALUE` (also += -= *=), `pass`. Values
 * are integers, floating-point numbers, strings, True, False; operators are Python's: or and not, comparisons (also chained), | ^ & << >>
 * + - * / // %, unary - and ~, `'...' % value`. Names are variables of earlier code, tcpi_* of the current connection, and constants.
 * Everything else (import, def, if, calls, lists) is refused with a sentence. */
#ifndef DRILL_CODE_H
#define DRILL_CODE_H

#include "base/defs.h"

enum { DRILL_VARS = 64, DRILL_VAR_NAME = 48, DRILL_VALUE_TEXT = 256 };

enum drill_value_kind { VAL_INT, VAL_FLOAT, VAL_TEXT };
struct drill_value {
	enum drill_value_kind kind;
	int64_t i;
	double f;
	char text[DRILL_VALUE_TEXT]; /* longer ones are cut */
};
struct drill_vars {
	struct drill_var {
		char name[DRILL_VAR_NAME];
		struct drill_value value;
	} *var; /* DRILL_VARS, made at first use */
	int n;
};
void drill_vars_free(struct drill_vars *v);

struct drill_run;
struct drill_event;
/* Run the event's code. */
bool drill_code(struct drill_run *r, const struct drill_event *e);

/* Where names that are no variables come from. */
typedef bool (*drill_lookup)(void *ctx, const char *name, int64_t *value);
struct drill_code_result {
	int line;           /* within the text, from 1 */
	bool is_assertion;  /* it ran, and an assertion was wrong */
	char text[400];     /* what went wrong; empty: nothing */
};
/* The same, without a run: for tests. print() writes into `out` (room bytes, may be 0). False with *res. */
bool drill_code_run(const char *text, struct drill_vars *vars, drill_lookup lookup, void *ctx, char *out, size_t room,
		    struct drill_code_result *res);

#endif
