/* app/smtp/inside.h - between the server's session (server.c) and its commands (command.c). */
#ifndef APP_SMTP_INSIDE_H
#define APP_SMTP_INSIDE_H

#include "app/smtp/server.h"

enum smtp_next { SMTP_NEXT_COMMAND, SMTP_NEXT_RCPT /* the owner is asked about s->to */, SMTP_NEXT_DATA, SMTP_NEXT_QUIT };

/* One command line without its CRLF: judge it, reply unless the owner must be asked first. */
enum smtp_next smtp_command(struct smtp_server *s, const char *line, size_t n);

/* A reply line, without CRLF; room was seen to. The second counts it as a senseless command. */
void smtp_reply(struct smtp_server *s, const char *text);
void smtp_reply_error(struct smtp_server *s, const char *text);
/* No sender, no recipients. */
void smtp_transaction_reset(struct smtp_server *s);

#endif
