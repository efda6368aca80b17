/* cmd/mail_text.h - the message that `via mail send` sends, made of swaks' words. */
#ifndef CMD_MAIL_TEXT_H
#define CMD_MAIL_TEXT_H

#include "cmd/cmd.h"

#define MAIL_WORDS_MAX 16
#define MAIL_BYTES_MAX (256u << 20)

struct mail_words {
	const char *from, *to; /* as they stand in the message's head */
	const char *host;      /* ours, for Message-Id */
	const char *data;      /* all of the message instead of what follows: text, @FILE or - ; or NULL */
	const char *body;      /* the same; or NULL */
	const char *headers[MAIL_WORDS_MAX], *attach[MAIL_WORDS_MAX];
	int n_headers, n_attach;
};

/* The message, each line with its CRLF; gives (free()). NULL after a sentence. */
char *mail_text(const struct mail_words *w, size_t *len);

#endif
