/* app/smtp/client.h - SMTP client engine: one message for several recipients; a server's replies in, commands and text out.
 *
 * The owner connects, then keeps three things going until smtp_client_is_done(): it sends out[0..out_len) and says so with
 * smtp_client_sent(); it feeds what the server says; while smtp_client_wants_text() it hands the message over in pieces.
 * MAIL, RCPTs and DATA go out together where the server allows it (PIPELINING). EHLO, and HELO where EHLO is not known.
 * A reply counts by its first digit where its number is not one of the expected (RFC 5321 §4.3.2); 421 ends the session.
 * Limits: a reply of SMTP_REPLY_LINES lines, a line's text beyond SMTP_REPLY_MAX is read and forgotten. */
#ifndef APP_SMTP_CLIENT_H
#define APP_SMTP_CLIENT_H

#include "app/smtp/smtp.h"

#define SMTP_REPLY_LINES 256
#define SMTP_CLIENT_OUT 8192

struct smtp_client_config {
	const char *name;                /* ours, for EHLO: smtp_domain_check() is content */
	const struct smtp_path *from;    /* all borrowed for the client's life */
	const struct smtp_path *to;
	uint32_t n_to;                   /* at least 1 */
	uint16_t *codes;                 /* n_to of them, or NULL: each recipient's reply; 0: none came */
	uint64_t size;                   /* octets of the message as it is sent, dots not doubled; 0: unknown */
	bool is_8bit;                    /* it has octets above 127 */
};

enum smtp_stage {
	SMTP_STAGE_GREETING, SMTP_STAGE_EHLO, SMTP_STAGE_HELO, SMTP_STAGE_MAIL, SMTP_STAGE_RCPT, SMTP_STAGE_DATA, SMTP_STAGE_TEXT,
	SMTP_STAGE_END /* the text is sent, its reply is awaited */, SMTP_STAGE_QUIT, SMTP_STAGE_DONE,
};

struct smtp_client {
	struct smtp_client_config cfg;
	enum smtp_stage stage;           /* what is awaited */
	bool has_failed;
	enum smtp_stage failed;          /* where, if has_failed; the message was taken exactly if this is absent or QUIT */
	uint16_t code;                   /* the reply that failed, or of the end; 0: no reply did */
	char said[SMTP_REPLY_MAX + 1];   /* its last line's text, or our own words */
	uint32_t n_accepted;
	bool is_esmtp, has_pipelining, has_size, has_8bit;
	uint64_t size_max;               /* the server's; 0: it names none */
	uint32_t n_sent, n_answered;     /* of the envelope: MAIL, n_to times RCPT, DATA */
	bool ends_early;                 /* DATA was asked for, but there is nothing to send */
	struct smtp_stuffer text_out;
	uint16_t reply_code, reply_lines, line_len;
	bool line_cr;
	size_t out_len;
	char line[SMTP_REPLY_MAX + 1];
	char out[SMTP_CLIENT_OUT];
};

void smtp_client_init(struct smtp_client *c, const struct smtp_client_config *cfg);
/* What the server said. All of it is taken; what follows the end is ignored. */
void smtp_client_feed(struct smtp_client *c, const void *data, size_t n);
void smtp_client_sent(struct smtp_client *c, size_t n);
bool smtp_client_wants_text(const struct smtp_client *c);
/* A piece of the message; returns the octets taken, as many as out has room for. Then, once: the message is whole. */
size_t smtp_client_text(struct smtp_client *c, const void *data, size_t n);
void smtp_client_text_end(struct smtp_client *c);
/* Nothing more comes: close, when out is sent. */
bool smtp_client_is_done(const struct smtp_client *c);
/* The server closed the connection, or was silent for too long, or could not be reached: `why` is kept as what was said. */
void smtp_client_lost(struct smtp_client *c, const char *why);
/* How long to wait for the server now, ns (§4.5.3.2). */
int64_t smtp_client_wait(const struct smtp_client *c);

#endif
