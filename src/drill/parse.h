/* drill/parse.h - the parts of the parser: events (parse.c), packets (parse_packet.c), values and calls (parse_call.c).
 * Each is a recursive descent over the lexer; after an error they all come to their end by themselves, because the lexer
 * gives nothing but TK_END. What they return is then not complete and not used. */
#ifndef DRILL_PARSE_H
#define DRILL_PARSE_H

#include "drill/lex.h"

struct parse {
	struct lex l;
	struct drill_script *s;
	int depth; /* of nested values */
};

/* Memory of the script; an error of the script when it is out. */
void *parse_alloc(struct parse *p, size_t bytes);
/* A token's text, zero-terminated. */
const char *parse_text(struct parse *p, const struct token *t);
/* A number from lo to hi, named `what` in messages. */
int64_t parse_int(struct parse *p, const char *what, int64_t lo, int64_t hi);
/* The next token is < or >. */
struct drill_packet *parse_packet(struct parse *p);
/* The next token is "<" of TCP options: into out->opts. */
void parse_tcp_options(struct parse *p, struct drill_packet *out);
/* The next token is a function's name. */
struct drill_call *parse_call(struct parse *p);
/* "1.5", "2": nanoseconds, not negative. */
int64_t parse_time(struct parse *p);

#endif
