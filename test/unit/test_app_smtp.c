/* test_app_smtp.c - SMTP's server engine: each test names the RFC and section that it proves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "app/smtp/server.h"
#include "app/text.h"
#include "base/rng.h"

enum { HEAP = 1 << 20 };
static struct smtp_server server;
static char said[HEAP], mail[HEAP]; /* all replies; the last message kept */
static size_t said_len, mail_len;
static int n_mails, n_drops, n_begun;
static bool closed;
static enum smtp_answer begin_answer, end_answer, text_answer;
static char rcpts[4096]; /* asked about, each followed by a blank */

/* This owner's one domain is mail.lab, its mailboxes alice and bob. */
static enum smtp_answer owner_rcpt(const struct smtp_path *p)
{
	size_t n = strlen(rcpts);
	struct writer w = writer_of(rcpts + n, sizeof(rcpts) - n);
	smtp_path_put(&w, p);
	text_put(&w, " ");
	wr_u8(&w, 0);
	if (smtp_path_is_postmaster(p))
		return SMTP_YES;
	if (!smtp_word_is(p->domain, strlen(p->domain), "mail.lab"))
		return SMTP_NOT_HERE;
	return strcmp(p->local, "alice") == 0 || strcmp(p->local, "bob") == 0 || p->local[0] == 'r' ? SMTP_YES : SMTP_NO_MAILBOX;
}

static void flush(void)
{
	assert_true(said_len + server.out_len < HEAP);
	memcpy(said + said_len, server.out, server.out_len);
	said_len += server.out_len;
	said[said_len] = 0;
	smtp_server_sent(&server, server.out_len);
}

static void event(enum smtp_event what)
{
	switch (what) {
	case SMTP_RCPT:
		smtp_server_answer(&server, owner_rcpt(&server.to));
		break;
	case SMTP_BEGIN:
		mail_len = 0;
		n_begun++;
		smtp_server_answer(&server, begin_answer);
		break;
	case SMTP_TEXT:
		assert_true(server.text_len > 0 && mail_len + server.text_len <= HEAP);
		memcpy(mail + mail_len, server.text, server.text_len);
		mail_len += server.text_len;
		smtp_server_answer(&server, text_answer);
		break;
	case SMTP_END:
		mail[mail_len] = 0;
		n_mails += end_answer == SMTP_YES;
		smtp_server_answer(&server, end_answer);
		break;
	case SMTP_DROP:
		n_drops++;
		break;
	case SMTP_CLOSE:
		closed = true;
		break;
	case SMTP_MORE:
		break;
	}
}

/* Feed in pieces of at most `piece` octets. */
static void feed(const char *data, size_t n, size_t piece)
{
	size_t at = 0;
	while (at < n && !closed) {
		enum smtp_event what;
		size_t k = smtp_server_feed(&server, data + at, MIN(piece, n - at), &what);
		at += k;
		assert_true(k > 0 || what != SMTP_MORE || server.out_len > 0);
		event(what);
		flush();
	}
}

static void begin_with(uint64_t size_max)
{
	smtp_server_init(&server, &(struct smtp_server_config){.name = "mail.lab", .size_max = size_max, .rcpt_max = 100});
	said_len = mail_len = 0;
	n_mails = n_drops = n_begun = 0;
	closed = false;
	begin_answer = end_answer = text_answer = SMTP_YES;
	rcpts[0] = 0;
	flush();
}

static void begin(void)
{
	begin_with(100000);
}

/* What is answered to these octets. */
static const char *tell(const char *text)
{
	said_len = 0;
	said[0] = 0;
	feed(text, strlen(text), SIZE_MAX);
	return said;
}

/* The code of the one line that answers a command (its CRLF is added here). */
static int code(const char *command)
{
	char line[2048];
	snprintf(line, sizeof line, "%s\r\n", command);
	const char *r = tell(line);
	assert_non_null(strstr(r, "\r\n"));
	assert_true(strlen(r) <= SMTP_REPLY_MAX);
	return atoi(r);
}

static void hello(void)
{
	begin();
	assert_int_equal(code("EHLO home.lab"), 250);
}

/* A session that is ready for a message's text. */
static void ready(void)
{
	hello();
	assert_int_equal(code("MAIL FROM:<bob@home.lab>"), 250);
	assert_int_equal(code("RCPT TO:<alice@mail.lab>"), 250);
	assert_int_equal(code("DATA"), 354);
}

/* --- §3, §4.1: commands and their order --- */

static void rfc5321_3_1__greeting_names_the_server(void **state)
{
	begin();
	assert_string_equal(said, "220 mail.lab ESMTP Viaduct\r\n");
}

static void rfc5321_3_3__a_mail_transaction(void **state)
{
	ready();
	assert_string_equal(tell("Subject: hello\r\n\r\nhi\r\n.\r\n"), "250 2.0.0 ok, kept\r\n");
	assert_string_equal(mail, "Subject: hello\r\n\r\nhi\r\n");
	assert_int_equal(n_mails, 1);
	assert_string_equal(server.helo, "home.lab");
	assert_string_equal(server.from.local, "bob");
	assert_int_equal(server.n_rcpts, 0); /* the next one begins empty */
	assert_int_equal(code("DATA"), 503);
	assert_int_equal(code("QUIT"), 221);
	assert_true(closed);
}

static void rfc5321_3_3__no_blanks_round_the_colon(void **state)
{
	hello();
	assert_int_equal(code("MAIL FROM: <bob@home.lab>"), 501);
	assert_int_equal(code("MAIL FROM :<bob@home.lab>"), 501);
	assert_int_equal(code("MAIL FROM:<bob@home.lab>x"), 501);
	assert_int_equal(code("MAIL FROM:bob@home.lab"), 501);
	assert_int_equal(code("MAIL TO:<bob@home.lab>"), 501);
	assert_int_equal(code("MAIL FROM:<bob@home.lab>"), 250);
	assert_int_equal(code("RCPT TO: <alice@mail.lab>"), 501);
	assert_int_equal(code("RCPT FROM:<alice@mail.lab>"), 501);
}

static void rfc5321_3_5_3__vrfy_tells_nothing(void **state)
{
	hello();
	assert_int_equal(code("VRFY alice"), 252);
	assert_int_equal(code("VRFY nobody"), 252);
	assert_int_equal(code("VRFY"), 501);
	assert_int_equal(code("EXPN list"), 502);
}

static void rfc5321_4_1_1_1__ehlo_lists_extensions_and_helo_does_not(void **state)
{
	begin();
	assert_string_equal(tell("EHLO home.lab\r\n"), "250-mail.lab\r\n250-PIPELINING\r\n250-SIZE 100000\r\n250-8BITMIME\r\n"
		"250-ENHANCEDSTATUSCODES\r\n250 HELP\r\n");
	assert_true(server.is_esmtp);
	assert_string_equal(tell("HELO home.lab\r\n"), "250 mail.lab\r\n");
	assert_false(server.is_esmtp);
	assert_int_equal(code("EHLO [10.0.0.1]"), 250);
	assert_int_equal(code("EHLO [IPv6:fd00::1]"), 250);
	assert_int_equal(code("EHLO my_host"), 250); /* our leniency */
	static const char *const bad[] = {"EHLO", "EHLO ", "HELO", "EHLO a b", "EHLO -a", "EHLO a-", "EHLO a..b", "EHLO .a",
		"EHLO a.", "EHLO [",
		"EHLO []", "EHLO [1.2.3]", "EHLO [1.2.3.256]", "EHLO [1.2.3.4", "EHLO (x)", "EHLO a\tb", "EHLO <x>"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		begin();
		assert_int_equal(code(bad[i]), 501);
		assert_int_equal(code("MAIL FROM:<a@b>"), 503); /* §4.1.4: it stays as it was */
	}
}

static void rfc5321_4_1_1_2__null_reverse_path(void **state)
{
	hello();
	assert_int_equal(code("MAIL FROM:<>"), 250);
	assert_true(smtp_path_is_null(&server.from));
	assert_int_equal(code("RCPT TO:<>"), 501);
	assert_int_equal(code("RCPT TO:<alice@mail.lab>"), 250);
}

static void rfc5321_4_1_1_3__source_routes_are_ignored(void **state)
{
	hello();
	assert_int_equal(code("MAIL FROM:<@a.lab,@b.lab:bob@home.lab>"), 250);
	assert_string_equal(server.from.domain, "home.lab");
	assert_int_equal(code("RCPT TO:<@a.lab,@[10.0.0.1]:alice@mail.lab>"), 250);
	assert_string_equal(rcpts, "<alice@mail.lab> ");
	assert_int_equal(code("RCPT TO:<@a.lab:>"), 501);
	assert_int_equal(code("RCPT TO:<@a.lab,alice@mail.lab>"), 501);
	assert_int_equal(code("RCPT TO:<@:alice@mail.lab>"), 501);
}

static void rfc5321_4_1_1_4__data_needs_a_recipient(void **state)
{
	hello();
	assert_int_equal(code("DATA"), 503);
	assert_int_equal(code("MAIL FROM:<bob@home.lab>"), 250);
	assert_int_equal(code("DATA"), 554);
	assert_int_equal(code("RCPT TO:<nobody@mail.lab>"), 550);
	assert_int_equal(code("DATA"), 554);
	assert_int_equal(code("RCPT TO:<alice@mail.lab>"), 250);
	assert_int_equal(code("DATA now"), 501);
	assert_int_equal(code("DATA"), 354);
	assert_int_equal(n_begun, 1);
}

static void rfc5321_4_1_1_5__rset_forgets_the_transaction(void **state)
{
	hello();
	assert_int_equal(code("MAIL FROM:<bob@home.lab>"), 250);
	assert_int_equal(code("RCPT TO:<alice@mail.lab>"), 250);
	assert_int_equal(code("RSET x"), 501);
	assert_int_equal(server.n_rcpts, 1);
	assert_int_equal(code("RSET"), 250);
	assert_int_equal(server.n_rcpts, 0);
	assert_int_equal(code("RCPT TO:<alice@mail.lab>"), 503);
	assert_int_equal(code("MAIL FROM:<bob@home.lab>"), 250); /* EHLO is not forgotten */
}

static void rfc5321_4_1_1_8__help_noop_quit(void **state)
{
	begin();
	assert_int_equal(code("NOOP"), 250);
	assert_int_equal(code("NOOP with words"), 250);
	assert_int_equal(code("VRFY x"), 252); /* §4.1.4: these need no EHLO */
	assert_int_equal(code("HELP"), 214);
	assert_int_equal(code("HELP MAIL"), 214);
	assert_int_equal(code("RSET"), 250);
	assert_int_equal(code("QUIT now"), 501);
	assert_false(closed);
	assert_int_equal(code("QUIT"), 221);
	assert_true(closed);
}

static void rfc5321_4_1_1_10__nothing_is_read_after_quit(void **state)
{
	begin();
	assert_string_equal(tell("QUIT\r\nNOOP\r\n"), "221 2.0.0 goodbye\r\n");
	enum smtp_event what;
	assert_int_equal(smtp_server_feed(&server, "NOOP\r\n", 6, &what), 0);
	assert_int_equal(what, SMTP_CLOSE);
}

static void rfc5321_4_1_1_11__unknown_parameters_are_555(void **state)
{
	hello();
	assert_int_equal(code("MAIL FROM:<bob@home.lab> RET=FULL"), 555);
	assert_int_equal(code("RCPT TO:<alice@mail.lab>"), 503);
	assert_int_equal(code("MAIL FROM:<bob@home.lab> SIZE=10 SMTPUTF8"), 555);
	assert_int_equal(code("MAIL FROM:<bob@home.lab>"), 250);
	assert_int_equal(code("RCPT TO:<alice@mail.lab> NOTIFY=NEVER"), 555);
	assert_int_equal(code("DATA"), 554);
}

static void rfc5321_4_1_1__case_and_trailing_blanks_do_not_matter(void **state)
{
	begin();
	assert_int_equal(code("eHLo home.lab"), 250);
	assert_int_equal(code("mail from:<bob@home.lab> size=100 body=8bitmime  "), 250);
	assert_int_equal(server.declared, 100);
	assert_int_equal(code("Rcpt To:<alice@MAIL.Lab> \t"), 250);
	assert_int_equal(code("data "), 354);
	tell(".\r\n");
	assert_int_equal(code("quit"), 221);
}

static void rfc5321_4_1_4__order_of_commands(void **state)
{
	begin();
	assert_int_equal(code("MAIL FROM:<bob@home.lab>"), 503);
	assert_int_equal(code("RCPT TO:<alice@mail.lab>"), 503);
	assert_int_equal(code("DATA"), 503);
	assert_int_equal(code("EHLO home.lab"), 250);
	assert_int_equal(code("RCPT TO:<alice@mail.lab>"), 503);
	assert_int_equal(code("MAIL FROM:<bob@home.lab>"), 250);
	assert_int_equal(code("MAIL FROM:<bob@home.lab>"), 503); /* no message within another */
	assert_int_equal(code("RCPT TO:<alice@mail.lab>"), 250);
	assert_int_equal(code("EHLO home.lab"), 250); /* begins anew, as RSET */
	assert_int_equal(code("DATA"), 503);
	assert_int_equal(code("MAIL FROM:<bob@home.lab>"), 250);
}

static void rfc5321_4_2_4__unknown_is_500_and_unsupported_502(void **state)
{
	static const char *const known[] = {"EXPN x", "TURN", "AUTH PLAIN", "STARTTLS", "BDAT 10 LAST", "ETRN x", "SEND FROM:<a@b>"};
	hello();
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		assert_int_equal(code(known[i]), 502);
	hello();
	assert_int_equal(code("FOO"), 500);
	assert_int_equal(code(""), 500);
	assert_int_equal(code("MAILFROM:<a@b>"), 500);
	assert_int_equal(code("MAI"), 500);
	assert_int_equal(code(" NOOP"), 500);
}

/* --- §2.3.8, §4.1.1.4: lines --- */

/* What Postfix, Exim, Sendmail and others once took for the end of a message. */
static const char *const not_the_end[] = {"\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r\n", "\r.\r", "\r\n.\r", "\n.\r", "\r\n.\r\r\n", "\r\r\n.\n",
	"\n\n.\r\n", "\r\n..\n.\r\n"};

static void rfc5321_4_1_1_4__only_crlf_dot_crlf_ends_the_text(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(not_the_end); i++) {
		char text[256];
		snprintf(text, sizeof text, "Subject: x\r\n\r\nhi%sMAIL FROM:<evil@home.lab>\r\nRCPT TO:<bob@mail.lab>\r\nDATA\r\nevil\r\n",
			not_the_end[i]);
		ready();
		assert_string_equal(tell(text), ""); /* still text, so nothing is answered */
		assert_int_equal(n_drops, 1);
		assert_int_equal(atoi(tell(".\r\n")), 554);
		assert_int_equal(n_mails, 0);
		assert_int_equal(code("MAIL FROM:<bob@home.lab>"), 250); /* the session goes on */
	}
}

static void rfc5321_2_3_8__bare_cr_or_lf_in_the_text_is_refused(void **state)
{
	static const char *const bad[] = {"a\nb\r\n", "a\rb\r\n", "\n\r\n", "\r\r\n", ".\n\r\n", "a\n", "a\r", ".\r\r\n", "..\n\r\n"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		ready();
		tell(bad[i]);
		assert_int_equal(atoi(tell("\r\n.\r\n")), 554);
		assert_int_equal(n_drops, 1);
		assert_int_equal(n_mails, 0);
	}
}

static void rfc5321_2_3_8__bare_cr_or_lf_in_a_command_ends_the_session(void **state)
{
	static const char *const bad[] = {"NOOP\n", "NOOP\rX\r\n", "NOOP\r\r\n", "\n", "MAIL FROM:<a@b>\nRCPT TO:<alice@mail.lab>\r\n"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		hello();
		assert_int_equal(atoi(tell(bad[i])), 421);
		assert_true(closed);
		assert_null(strstr(said, "250"));
	}
}

static void rfc5321_4_5_2__dots_are_taken_away(void **state)
{
	ready();
	tell("..\r\n...\r\n.a\r\na.\r\n..a\r\n. \r\n\r\n.\r\n");
	assert_int_equal(n_mails, 1);
	assert_string_equal(mail, ".\r\n..\r\na\r\na.\r\n.a\r\n \r\n\r\n");
	ready();
	assert_int_equal(atoi(tell(".\r\n")), 250); /* an empty message: DATA's own CRLF stands before the dot */
	assert_int_equal(mail_len, 0);
	assert_int_equal(n_mails, 1);
}

/* --- §4.5.3.1: limits --- */

static const char *letters(size_t n)
{
	static char text[HEAP];
	memset(text, 'r', n);
	text[n] = 0;
	return text;
}

/* Text that must fit. */
__attribute__((format(printf, 3, 4))) static void fill(char *to, size_t size, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	int n = vsnprintf(to, size, format, ap);
	va_end(ap);
	assert_in_range(n, 1, size - 1);
}

static int rcpt_with(size_t local, size_t label, size_t n_labels)
{
	char line[2048];
	size_t n = (size_t)snprintf(line, sizeof line, "RCPT TO:<%s@", letters(local));
	for (size_t i = 0; i < n_labels; i++)
		n += (size_t)snprintf(line + n, sizeof line - n, "%s%s", i ? "." : "", letters(label));
	snprintf(line + n, sizeof line - n, ">");
	hello();
	assert_int_equal(code("MAIL FROM:<bob@home.lab>"), 250);
	return code(line);
}

static void rfc5321_4_5_3_1_1__local_parts_of_64_octets(void **state)
{
	char line[256];
	hello();
	assert_int_equal(code("MAIL FROM:<bob@home.lab>"), 250);
	fill(line, sizeof line, "RCPT TO:<%s@mail.lab>", letters(64));
	assert_int_equal(code(line), 250);
	fill(line, sizeof line, "RCPT TO:<%s@mail.lab>", letters(65));
	assert_int_equal(code(line), 501);
	assert_non_null(strstr(said, "too long"));
	fill(line, sizeof line, "RCPT TO:<\"%s\"@mail.lab>", letters(62)); /* the quotes count */
	assert_int_equal(code(line), 250);
	fill(line, sizeof line, "RCPT TO:<\"%s\"@mail.lab>", letters(63));
	assert_int_equal(code(line), 501);
}

static void rfc5321_4_5_3_1_2__domains_of_255_octets(void **state)
{
	char name[300];
	fill(name, sizeof name, "EHLO %s.%.63s.%.63s.%.63s", letters(63), letters(63), letters(63), letters(63));
	begin();
	assert_int_equal(strlen(name) - 5, 255);
	assert_int_equal(code(name), 250);
	assert_int_equal(rcpt_with(1, 63, 4), 501); /* a path of 256 octets cannot hold it: "<r@" and ">" */
	assert_int_equal(rcpt_with(1, 64, 1), 501); /* a label (RFC 1035 §2.3.4) */
}

static void rfc5321_4_5_3_1_3__paths_of_256_octets(void **state)
{
	assert_int_equal(rcpt_with(61, 63, 3), 550); /* "<" 61 "@" 191 ">": 255, and not our domain */
	assert_int_equal(rcpt_with(62, 63, 3), 550); /* 256 */
	assert_int_equal(rcpt_with(63, 63, 3), 501); /* 257 */
	assert_non_null(strstr(said, "too long"));
}

static void rfc5321_4_5_3_1_4__command_lines_of_512_octets_and_more_with_parameters(void **state)
{
	char line[SMTP_COMMAND_MAX + 2];
	hello();
	fill(line, sizeof line, "NOOP %s", letters(SMTP_COMMAND_MAX - 2 - 5));
	assert_int_equal(code(line), 250);
	fill(line, sizeof line, "NOOP %s", letters(SMTP_COMMAND_MAX - 2 - 4));
	assert_int_equal(code(line), 500);
	assert_non_null(strstr(said, "too long"));
	assert_int_equal(code("NOOP"), 250); /* the rest of the long line is no command */
}

static void rfc5321_4_5_3_1_6__text_lines_of_1000_octets(void **state)
{
	ready();
	tell(letters(998));
	tell("\r\n.");
	tell(letters(998)); /* its dot for transparency is not counted */
	assert_int_equal(atoi(tell("\r\n.\r\n")), 250);
	assert_int_equal(mail_len, 2000);
	ready();
	tell(letters(999));
	assert_int_equal(n_drops, 1);
	assert_int_equal(atoi(tell("\r\n.\r\n")), 500);
	assert_int_equal(n_mails, 0);
}

static void rfc5321_4_5_3_1_7__messages_of_64_kilobytes_at_least(void **state)
{
	begin_with(1); /* the owner asks for less than may be */
	assert_non_null(strstr(tell("EHLO home.lab\r\n"), "SIZE 65536\r\n"));
}

static void rfc5321_4_5_3_1_8__a_hundred_recipients_then_452(void **state)
{
	char line[64];
	hello();
	assert_int_equal(code("MAIL FROM:<bob@home.lab>"), 250);
	for (int i = 0; i < 100; i++) {
		snprintf(line, sizeof line, "RCPT TO:<r%d@mail.lab>", i);
		assert_int_equal(code(line), 250);
	}
	assert_int_equal(code("RCPT TO:<r100@mail.lab>"), 452); /* §4.5.3.1.10 */
	assert_int_equal(server.n_rcpts, 100);
	assert_int_equal(code("DATA"), 354);
	assert_int_equal(atoi(tell("x\r\n.\r\n")), 250);
}

static void rfc5321_4_5_1__postmaster_without_a_domain(void **state)
{
	hello();
	assert_int_equal(code("MAIL FROM:<>"), 250);
	assert_int_equal(code("RCPT TO:<Postmaster>"), 250);
	assert_int_equal(code("RCPT TO:<\"postMASTER\">"), 250);
	assert_int_equal(code("RCPT TO:<alice>"), 501);
	assert_string_equal(rcpts, "<Postmaster> <postMASTER> ");
}

static void rfc5321_6_3__mail_that_goes_in_circles(void **state)
{
	ready();
	for (int i = 0; i < 100; i++)
		tell("rEceived: from a\r\n by b\r\n\treceived: x\r\nX-Received: y\r\nReceived-SPF: z\r\n");
	assert_int_equal(n_drops, 0);
	tell("\r\nReceived: of the body\r\nReceived: too\r\n");
	assert_int_equal(atoi(tell(".\r\n")), 250);
	ready();
	for (int i = 0; i < 101; i++)
		tell("Received: from a\r\n");
	assert_int_equal(n_drops, 1);
	assert_int_equal(atoi(tell("\r\n.\r\n")), 554);
	assert_int_equal(n_mails, 0);
}

static void rfc5321_6_1__no_250_unless_the_owner_has_it(void **state)
{
	ready();
	end_answer = SMTP_FAILED;
	assert_int_equal(atoi(tell("x\r\n.\r\n")), 451);
	ready();
	end_answer = SMTP_NO_SPACE;
	assert_int_equal(atoi(tell("x\r\n.\r\n")), 452);
	ready();
	text_answer = SMTP_NO_SPACE;
	assert_int_equal(atoi(tell("x\r\n.\r\n")), 452);
	assert_int_equal(n_mails, 0);
	hello();
	begin_answer = SMTP_NO_SPACE;
	code("MAIL FROM:<bob@home.lab>");
	code("RCPT TO:<alice@mail.lab>");
	assert_int_equal(code("DATA"), 452);
	assert_int_equal(code("NOOP"), 250); /* no text is expected */
	begin_answer = SMTP_FAILED;
	assert_int_equal(code("DATA"), 451);
	assert_int_equal(n_mails, 0);
}

static void rfc5321_3_8__421_when_time_is_up_and_when_we_stop(void **state)
{
	hello();
	smtp_server_end(&server, true);
	assert_memory_equal(server.out, "421 4.4.2 ", 10);
	enum smtp_event what;
	assert_int_equal(smtp_server_feed(&server, "NOOP\r\n", 6, &what), 0);
	assert_int_equal(what, SMTP_CLOSE);
	hello();
	smtp_server_end(&server, false);
	assert_memory_equal(server.out, "421 4.3.2 ", 10);
}

static void rfc5321_7_8__who_only_errs_is_sent_away(void **state)
{
	hello();
	for (int i = 0; i < SMTP_ERRORS_MAX - 1; i++)
		assert_int_equal(code("FOO"), 500);
	assert_false(closed);
	assert_string_equal(tell("FOO\r\nNOOP\r\n"), "500 5.5.2 unknown command\r\n421 4.7.0 too many errors, closing\r\n");
	assert_true(closed);
}

/* --- extensions --- */

static void rfc1870_6_1__declared_size(void **state)
{
	hello();
	assert_int_equal(code("MAIL FROM:<bob@home.lab> SIZE=100001"), 552);
	assert_int_equal(code("MAIL FROM:<bob@home.lab> SIZE=99999999999999999999"), 552); /* 20 digits, beyond 64 bits */
	assert_int_equal(code("MAIL FROM:<bob@home.lab> SIZE=100000"), 250);
	assert_int_equal(server.declared, 100000);
	static const char *const bad[] = {"SIZE", "SIZE=", "SIZE=-1", "SIZE=1x", "SIZE=000000000000000000001", "SIZE=1 SIZE=2"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char line[128];
		hello();
		snprintf(line, sizeof line, "MAIL FROM:<bob@home.lab> %s", bad[i]);
		assert_int_equal(code(line), 501);
	}
}

/* The text counts, not the declaration; not the doubled dots (§5); 552 at the end. */
static void rfc1870_6_3__real_size(void **state)
{
	ready();
	for (int i = 0; i < 1000; i++)
		tell("..23456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\r\n");
	assert_int_equal(n_drops, 1); /* 1000 times 101 octets, of 102 with the dot */
	assert_int_equal(atoi(tell(".\r\n")), 552);
	assert_int_equal(n_mails, 0);
	ready();
	for (int i = 0; i < 1000; i++)
		tell("..2345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678\r\n");
	assert_int_equal(atoi(tell(".\r\n")), 250);
	assert_int_equal(mail_len, 100000);
}

static void rfc1870_6_3__a_refused_message_is_not_read_for_ever(void **state)
{
	ready();
	for (int i = 0; i < 10000 && !closed; i++)
		tell("12345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678\r\n");
	assert_true(closed);
	assert_int_equal(atoi(said), 421);
	assert_int_equal(n_mails, 0);
}

static void rfc2920_3_2__pipelined_commands_are_answered_in_order(void **state)
{
	begin();
	assert_string_equal(tell("EHLO h\r\nMAIL FROM:<bob@h>\r\nRCPT TO:<no@mail.lab>\r\nRCPT TO:<alice@mail.lab>\r\nDATA\r\n") +
		strlen("250-mail.lab\r\n250-PIPELINING\r\n250-SIZE 100000\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 HELP\r\n"),
		"250 2.1.0 ok\r\n550 5.1.1 no such mailbox here\r\n250 2.1.5 ok\r\n354 go on; end with a line of one dot\r\n");
	assert_string_equal(tell("a\r\n.\r\nRSET\r\nQUIT\r\n"), "250 2.0.0 ok, kept\r\n250 2.0.0 ok\r\n221 2.0.0 goodbye\r\n");
	assert_string_equal(mail, "a\r\n");
}

static void rfc2920_3_2__who_does_not_read_replies_is_not_read(void **state)
{
	char many[6 * 1000 + 1] = "";
	for (int i = 0; i < 1000; i++)
		strcat(many, "NOOP\r\n");
	begin();
	enum smtp_event what;
	size_t k = smtp_server_feed(&server, many, strlen(many), &what);
	assert_int_equal(what, SMTP_MORE);
	assert_true(k < 1000);
	assert_int_equal(smtp_server_feed(&server, many + k, strlen(many) - k, &what), 0);
	smtp_server_sent(&server, server.out_len);
	assert_true(smtp_server_feed(&server, many + k, strlen(many) - k, &what) > 0);
}

static void rfc6152_2__text_of_8_bits(void **state)
{
	hello();
	assert_int_equal(code("MAIL FROM:<bob@home.lab> BODY=8BITMIME"), 250);
	assert_int_equal(code("RSET"), 250);
	assert_int_equal(code("MAIL FROM:<bob@home.lab> BODY=BINARYMIME"), 501);
	assert_int_equal(code("MAIL FROM:<bob@home.lab> BODY=7BIT BODY=7BIT"), 501);
	ready();
	char all[256 + 8];
	size_t n = 0;
	for (int c = 1; c < 256; c++)
		if (c != '\r' && c != '\n')
			all[n++] = (char)c;
	memcpy(all + n, "\r\n", 3);
	tell(all);
	assert_int_equal(atoi(tell(".\r\n")), 250);
	assert_int_equal(mail_len, n + 2);
	assert_memory_equal(mail, all, mail_len);
	ready();
	feed("a\0b\r\n.\r\n", 8, SIZE_MAX);
	assert_int_equal(n_mails, 0);
	assert_int_equal(n_drops, 1);
}

/* Every reply but the greeting, EHLO's and 354 tells an enhanced status of the same class (RFC 2034 §4). */
static void rfc2034_4__enhanced_status_codes(void **state)
{
	static const char *const all[] = {"NOOP", "FOO", "VRFY x", "MAIL FROM:<x", "MAIL FROM:<a@b>", "RCPT TO:<alice@mail.lab>",
		"RCPT TO:<no@mail.lab>", "RCPT TO:<a@b>", "DATA x", "RSET", "DATA", "HELP", "EXPN x", "EHLO", "QUIT"};
	hello();
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		int c = code(all[i]);
		assert_true(said[4] == '0' + c / 100 && said[5] == '.' && said[6] >= '0' && said[6] <= '9' && said[7] == '.');
	}
}

/* --- any cut --- */

static size_t cut(struct rng *r, unsigned max, size_t left)
{
	size_t k = 1 + rng_below(r, max);
	return MIN(k, left);
}

static const char *const session =
	"EHLO h\r\nMAIL FROM:<bob@h> SIZE=20\r\nRCPT TO:<alice@mail.lab>\r\nDATA\r\nA: b\r\n\r\n..x\r\n.\r\n"
	"MAIL FROM:<>\r\nRCPT TO:<bob@mail.lab>\r\nDATA\r\nx\n.\r\n\r\n.\r\nFOO\r\nMAIL FROM:<bob@h>\r\nRCPT TO:<bob@mail.lab>\r\nDATA\r\n"
	"last\r\n...\r\n.\r\nQUIT\r\n";

static void rfc5321_2_3_8__any_cut_of_the_stream_gives_the_same(void **state)
{
	static char whole[HEAP];
	struct rng r;
	rng_seed(&r, 7);
	begin();
	tell(session);
	strcpy(whole, said);
	for (int round = 0; round < 300; round++) {
		begin();
		said_len = 0;
		for (size_t at = 0, n = strlen(session); at < n;) {
			size_t k = cut(&r, round ? 40 : 1, n - at);
			feed(session + at, k, SIZE_MAX);
			at += k;
		}
		assert_string_equal(said, whole);
		assert_string_equal(mail, "last\r\n..\r\n");
		assert_int_equal(n_mails, 2);
		assert_int_equal(n_drops, 1);
		assert_true(closed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc5321_3_1__greeting_names_the_server),
		cmocka_unit_test(rfc5321_3_3__a_mail_transaction),
		cmocka_unit_test(rfc5321_3_3__no_blanks_round_the_colon),
		cmocka_unit_test(rfc5321_3_5_3__vrfy_tells_nothing),
		cmocka_unit_test(rfc5321_4_1_1_1__ehlo_lists_extensions_and_helo_does_not),
		cmocka_unit_test(rfc5321_4_1_1_2__null_reverse_path),
		cmocka_unit_test(rfc5321_4_1_1_3__source_routes_are_ignored),
		cmocka_unit_test(rfc5321_4_1_1_4__data_needs_a_recipient),
		cmocka_unit_test(rfc5321_4_1_1_5__rset_forgets_the_transaction),
		cmocka_unit_test(rfc5321_4_1_1_8__help_noop_quit),
		cmocka_unit_test(rfc5321_4_1_1_10__nothing_is_read_after_quit),
		cmocka_unit_test(rfc5321_4_1_1_11__unknown_parameters_are_555),
		cmocka_unit_test(rfc5321_4_1_1__case_and_trailing_blanks_do_not_matter),
		cmocka_unit_test(rfc5321_4_1_4__order_of_commands),
		cmocka_unit_test(rfc5321_4_2_4__unknown_is_500_and_unsupported_502),
		cmocka_unit_test(rfc5321_4_1_1_4__only_crlf_dot_crlf_ends_the_text),
		cmocka_unit_test(rfc5321_2_3_8__bare_cr_or_lf_in_the_text_is_refused),
		cmocka_unit_test(rfc5321_2_3_8__bare_cr_or_lf_in_a_command_ends_the_session),
		cmocka_unit_test(rfc5321_4_5_2__dots_are_taken_away),
		cmocka_unit_test(rfc5321_4_5_3_1_1__local_parts_of_64_octets),
		cmocka_unit_test(rfc5321_4_5_3_1_2__domains_of_255_octets),
		cmocka_unit_test(rfc5321_4_5_3_1_3__paths_of_256_octets),
		cmocka_unit_test(rfc5321_4_5_3_1_4__command_lines_of_512_octets_and_more_with_parameters),
		cmocka_unit_test(rfc5321_4_5_3_1_6__text_lines_of_1000_octets),
		cmocka_unit_test(rfc5321_4_5_3_1_7__messages_of_64_kilobytes_at_least),
		cmocka_unit_test(rfc5321_4_5_3_1_8__a_hundred_recipients_then_452),
		cmocka_unit_test(rfc5321_4_5_1__postmaster_without_a_domain),
		cmocka_unit_test(rfc5321_6_3__mail_that_goes_in_circles),
		cmocka_unit_test(rfc5321_6_1__no_250_unless_the_owner_has_it),
		cmocka_unit_test(rfc5321_3_8__421_when_time_is_up_and_when_we_stop),
		cmocka_unit_test(rfc5321_7_8__who_only_errs_is_sent_away),
		cmocka_unit_test(rfc1870_6_1__declared_size),
		cmocka_unit_test(rfc1870_6_3__real_size),
		cmocka_unit_test(rfc1870_6_3__a_refused_message_is_not_read_for_ever),
		cmocka_unit_test(rfc2920_3_2__pipelined_commands_are_answered_in_order),
		cmocka_unit_test(rfc2920_3_2__who_does_not_read_replies_is_not_read),
		cmocka_unit_test(rfc6152_2__text_of_8_bits),
		cmocka_unit_test(rfc2034_4__enhanced_status_codes),
		cmocka_unit_test(rfc5321_2_3_8__any_cut_of_the_stream_gives_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
