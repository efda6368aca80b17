/* app/smtp/server.h - SMTP server engine: a client's bytes in; replies, questions to the owner and mail out.
 *
 * The owner feeds bytes with smtp_server_feed() and does what the event says: SMTP_RCPT, SMTP_BEGIN and SMTP_END are
 * questions, answered by smtp_server_answer() before anything more is taken; SMTP_TEXT is a piece of the message. Replies
 * gather in out[0..out_len): the owner sends them and calls smtp_server_sent(). While there is no room for another reply
 * nothing is taken, so a client that pipelines must read. Works on any cut of the byte stream.
 * Commands: EHLO HELO MAIL RCPT DATA RSET NOOP QUIT VRFY (252) HELP. A refused message is read to its end and answered
 * there. Limits: smtp.h's, size_max and rcpt_max; as many octets again as size_max are read of a message that is refused;
 * SMTP_ERRORS_MAX senseless commands. Beyond the last two, and after a bare CR or LF in a command, the session ends (421). */
#ifndef APP_SMTP_SERVER_H
#define APP_SMTP_SERVER_H

#include "app/smtp/smtp.h"

#define SMTP_ERRORS_MAX 20
#define SMTP_OUT_MAX 2048
#define SMTP_ROOM_MIN 640 /* what the longest reply (EHLO's) needs */

enum smtp_event {
	SMTP_MORE,  /* all taken, or out must be sent first */
	SMTP_RCPT,  /* may `to` have mail? If yes it is number n_rcpts of this message. Answer */
	SMTP_BEGIN, /* a message from `from` to n_rcpts begins, of `declared` octets if not 0: make ready. Answer */
	SMTP_TEXT,  /* keep text[0..text_len); smtp_server_answer() may say that it cannot be, then SMTP_DROP is not told */
	SMTP_END,   /* it is whole: make it durable. SMTP_YES makes it ours (§6.1). Answer */
	SMTP_DROP,  /* it is refused: forget what was kept since SMTP_BEGIN */
	SMTP_CLOSE, /* send out, then close; nothing more is taken. A message that was begun is forgotten */
};
enum smtp_answer {
	SMTP_YES,
	SMTP_NO_MAILBOX, /* 550: nobody here has that name */
	SMTP_NOT_HERE,   /* 550: not our domain, and we do not relay */
	SMTP_NO_SPACE,   /* 452 */
	SMTP_FAILED,     /* 451: our own trouble, come again */
};

struct smtp_server_config {
	const char *name;  /* ours, borrowed: at most SMTP_DOMAIN_MAX octets */
	uint64_t size_max; /* octets of a message; at least SMTP_SIZE_MIN */
	uint32_t rcpt_max; /* of a message; at least SMTP_RCPTS_MAX */
};

struct smtp_server {
	struct smtp_server_config cfg;
	uint8_t state;             /* enum of server.c */
	bool greeted, is_esmtp;    /* EHLO or HELO came; it was EHLO */
	bool has_from;
	bool line_long, line_cr;
	bool refused;              /* the message under way: why is in refusal */
	bool in_head;              /* of the message */
	uint8_t hop_at;            /* octets of "received:" matched in this line of the head */
	uint8_t refusal, last_text[2];
	uint16_t line_len, n_hops;
	uint32_t n_rcpts, n_errors;
	uint64_t declared, size, swallowed;
	struct smtp_path from, to;
	char helo[SMTP_DOMAIN_MAX + 1];
	struct smtp_unstuffer text_in;
	const uint8_t *text;       /* of SMTP_TEXT; within the bytes fed */
	size_t text_len;
	size_t out_len;
	char out[SMTP_OUT_MAX];
	char line[SMTP_COMMAND_MAX];
};

/* The greeting is in out. */
void smtp_server_init(struct smtp_server *s, const struct smtp_server_config *cfg);
/* Take up to n bytes; returns how many. */
size_t smtp_server_feed(struct smtp_server *s, const void *data, size_t n, enum smtp_event *what);
void smtp_server_answer(struct smtp_server *s, enum smtp_answer a);
/* The first n octets of out are sent. */
void smtp_server_sent(struct smtp_server *s, size_t n);
/* The client was silent for SMTP_WAIT_COMMAND, or we stop: 421 into out, nothing more is taken. */
void smtp_server_end(struct smtp_server *s, bool is_timeout);

#endif
