/* app/smtp/smtp.h - what SMTP's two engines share: limits, times, paths, the text's dots, trace lines.
 *
 * server.h takes a client's bytes and gives replies and mail; client.h takes a server's replies and gives commands. Both are
 * pure: no sockets, no clock, no files. RFC 5321 with 1870 (SIZE), 2034 (ENHANCEDSTATUSCODES), 2920 (PIPELINING) and
 * 6152 (8BITMIME). Lines end in CRLF and in nothing else (RFC 5321 §2.3.8); who takes a bare LF for an end lets one mail
 * carry another ("SMTP smuggling", CVE-2023-51764 and its kind), so bare CR and LF are refused on the way in and never sent.
 * Leniencies: '_' in domains; text of 8 bits without BODY=8BITMIME. Not here: TLS, AUTH, SMTPUTF8, CHUNKING, DSN. */
#ifndef APP_SMTP_SMTP_H
#define APP_SMTP_SMTP_H

#include "base/bytes.h"

/* RFC 5321 §4.5.3.1, octets. The command line's 512 grow by SIZE's 26 and BODY's 17. */
#define SMTP_LOCAL_MAX 64
#define SMTP_DOMAIN_MAX 255
#define SMTP_PATH_MAX 256    /* with "<" and ">", without a source route */
#define SMTP_COMMAND_MAX 555 /* with CRLF */
#define SMTP_REPLY_MAX 512   /* a reply line with CRLF */
#define SMTP_TEXT_MAX 1000   /* a line of text with CRLF, without the dot added for transparency */
#define SMTP_RCPTS_MAX 100   /* recipients that must at least be taken */
#define SMTP_SIZE_MIN 65536  /* octets of a message that must at least be taken */
#define SMTP_HOPS_MAX 100    /* Received: lines beyond which mail goes round in a circle (§6.3) */

/* RFC 5321 §4.5.3.2: how long to wait at least for the other side. */
#define SMTP_WAIT_GREETING (5 * 60 * NS_PER_S)
#define SMTP_WAIT_COMMAND (5 * 60 * NS_PER_S)    /* a reply to MAIL, RCPT; at the server: the next command */
#define SMTP_WAIT_DATA (2 * 60 * NS_PER_S)       /* the reply to DATA */
#define SMTP_WAIT_BLOCK (3 * 60 * NS_PER_S)      /* the peer takes a block of text */
#define SMTP_WAIT_END (10 * 60 * NS_PER_S)       /* the reply to the final dot */

/* A mailbox, or nobody: the null reverse path <> has neither part, <postmaster> no domain. */
struct smtp_path {
	char local[SMTP_LOCAL_MAX + 1];   /* what it means: without the quotes and backslashes of its spelling */
	char domain[SMTP_DOMAIN_MAX + 1]; /* as spelt; an address literal with its brackets */
};

enum smtp_syntax { SMTP_SYNTAX_OK, SMTP_SYNTAX_BAD, SMTP_SYNTAX_LONG /* longer than a limit above */ };

/* Read "<path>" at the reader, which is left behind the '>'. A source route is read over (§4.1.1.3, Appendix C). */
enum smtp_syntax smtp_path_read(struct reader *r, struct smtp_path *out);
/* A mailbox without brackets, as a user writes it; "" is the null path. */
enum smtp_syntax smtp_mailbox_parse(const char *text, size_t n, struct smtp_path *out);
/* The path's one spelling: "<a@b>", the local part quoted only where it must be. */
void smtp_path_put(struct writer *w, const struct smtp_path *p);
bool smtp_path_is_null(const struct smtp_path *p);
/* "postmaster" in any case (§4.5.1); the domain is not looked at. */
bool smtp_path_is_postmaster(const struct smtp_path *p);
/* Domain or address literal, of at most SMTP_DOMAIN_MAX octets. */
enum smtp_syntax smtp_domain_check(const char *text, size_t n);
/* Equal but for ASCII case? */
bool smtp_word_is(const char *text, size_t n, const char *word);

/* --- dots (§4.5.2) and line ends, on any cut of the bytes --- */

enum smtp_flaw { SMTP_FLAW_NONE, SMTP_FLAW_BARE_CR, SMTP_FLAW_BARE_LF, SMTP_FLAW_NUL, SMTP_FLAW_LONG_LINE };

struct smtp_unstuffer {
	uint8_t at;        /* enum of text.c; 0: a line begins */
	uint16_t line;     /* octets of this line so far, its dot for transparency not counted */
	enum smtp_flaw flaw; /* the first one */
};
/* Text until <CRLF>.<CRLF>. Finds the next run of message octets in data: run and run_len (0: none here). Returns octets
 * taken, at least the run; *end says that the last taken ended the text. Octets of a flawed text come out too, cut somehow. */
size_t smtp_unstuff(struct smtp_unstuffer *u, const uint8_t *data, size_t n, const uint8_t **run, size_t *run_len, bool *end);

struct smtp_stuffer {
	bool in_line, after_cr;
};
/* Text on its way out: dots doubled; a bare CR or LF becomes CRLF, so none is ever sent. Returns octets of data taken. */
size_t smtp_stuff(struct smtp_stuffer *s, const uint8_t *data, size_t n, struct writer *w);
/* What ends the text: ".CRLF", after a CRLF where the last line lacks one. */
void smtp_stuff_end(struct smtp_stuffer *s, struct writer *w);

/* --- trace lines (§4.4) --- */

struct smtp_trace {
	const struct smtp_path *from; /* Return-Path, at the final delivery */
	const char *helo;             /* what the client called itself; checked by smtp_domain_check() */
	const char *peer, *id;        /* its address as text, "[...]" put round it here; our name for the message */
	const char *name;             /* ours */
	bool is_esmtp;
	const struct smtp_path *to;   /* told if there was but one, else NULL */
	int64_t date;                 /* seconds since 1970 */
};
#define SMTP_TRACE_MAX 2048
/* "Return-Path: ..." and "Received: ..." with their CRLFs. Returns the length, at most SMTP_TRACE_MAX; 0: cap is too small. */
size_t smtp_trace_emit(char *out, size_t cap, const struct smtp_trace *t);
/* "Tue, 24 Nov 2026 00:05:06 +0000" (RFC 5322 §3.3), not terminated. */
#define SMTP_DATE_LEN 31
void smtp_date_format(int64_t t, char out[SMTP_DATE_LEN]);

#endif
