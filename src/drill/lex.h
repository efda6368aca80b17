/* drill/lex.h - tokens of the script language.
 *
 * The longest match wins, as in the tool that the language comes from: `0...0.2` is 0, `...`, 0.2; `P.` is a word and a dot;
 * `10.0.0.1` is an address. Comments are // and those of C. A lexer that met an error gives TK_END for ever, so a parser
 * needs no way out but its own. */
#ifndef DRILL_LEX_H
#define DRILL_LEX_H

#include "drill/script.h"

enum token_kind {
	TK_END, TK_CHAR, /* ch */
	TK_INT, TK_HEX,  /* num */
	TK_TIME,         /* with a point; num in nanoseconds */
	TK_WORD, TK_STRING, TK_BACKTICK, TK_CODE, /* text, unquoted */
	TK_IPV4, TK_IPV6, TK_ELLIPSIS, TK_OPTION, /* text; of an option without -- */
};

struct token {
	enum token_kind kind;
	char ch;
	int64_t num;
	const char *at;   /* in the script's text */
	uint32_t len;     /* of `at`, without quotes */
	int line, column;
};

struct lex {
	const char *p, *end, *line_start;
	int line;
	struct token t;    /* the next one, not taken yet */
	int last_line;     /* of the token taken last */
	struct drill_error *err; /* text[0] set once something is wrong */
};

void lex_init(struct lex *l, const char *text, size_t len, struct drill_error *err);
/* Take the next token: l->t becomes the one after. */
struct token lex_take(struct lex *l);
/* An error at the next token; only the first counts. Afterwards l->t is TK_END. */
void lex_error(struct lex *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
void lex_error_at(struct lex *l, int line, int column, const char *format, ...) __attribute__((format(printf, 4, 5)));
bool lex_failed(const struct lex *l);
/* Is the next token this character, or this word? */
bool lex_is(const struct lex *l, char c);
bool lex_is_word(const struct lex *l, const char *word);
/* Take it if it is. */
bool lex_accept(struct lex *l, char c);
bool lex_accept_word(struct lex *l, const char *word);
/* Take it, or an error that says what was expected. */
bool lex_expect(struct lex *l, char c);
/* What stands next, for messages. Valid until the next call. */
const char *lex_seen(const struct lex *l, char out[64]);

#endif
