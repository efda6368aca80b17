/* test_app_smtp_client.c - SMTP's client engine against scripted servers, and against our own server engine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "app/smtp/client.h"
#include "app/smtp/server.h"
#include "base/rng.h"

enum { HEAP = 1 << 20, RCPTS = 100 };
static struct smtp_client c;
static struct smtp_path from, to[RCPTS];
static uint16_t codes[RCPTS];
static char said[HEAP];
static const char *text;
static size_t text_at;

static void path(struct smtp_path *p, const char *mailbox)
{
	assert_int_equal(smtp_mailbox_parse(mailbox, strlen(mailbox), p), SMTP_SYNTAX_OK);
}

static void begin_with(uint32_t n_to, const char *message, bool is_8bit)
{
	static const char *const names[] = {"alice@mail.lab", "bob@mail.lab", "carol@mail.lab"};
	path(&from, "me@home.lab");
	for (uint32_t i = 0; i < n_to; i++)
		path(&to[i], names[i % 3]);
	text = message;
	text_at = 0;
	smtp_client_init(&c, &(struct smtp_client_config){.name = "home.lab", .from = &from, .to = to, .n_to = n_to, .codes = codes,
		.size = strlen(message), .is_8bit = is_8bit});
}

static void begin(void)
{
	begin_with(1, "hi\r\n", false);
}

/* The server says this; what is said back, all of it, terminated. */
static const char *hear(const char *reply)
{
	size_t n = 0;
	smtp_client_feed(&c, reply, strlen(reply));
	while (c.out_len || smtp_client_wants_text(&c)) {
		assert_true(n + c.out_len < HEAP);
		memcpy(said + n, c.out, c.out_len);
		n += c.out_len;
		smtp_client_sent(&c, c.out_len);
		if (!smtp_client_wants_text(&c))
			continue;
		text_at += smtp_client_text(&c, text + text_at, strlen(text) - text_at);
		if (!text[text_at])
			smtp_client_text_end(&c);
	}
	said[n] = 0;
	return said;
}

static void hello(void)
{
	begin();
	assert_string_equal(hear("220 mail.lab\r\n"), "EHLO home.lab\r\n");
}

static void rfc5321_3__a_mail_one_command_at_a_time(void **state)
{
	hello();
	assert_string_equal(hear("250-mail.lab hello\r\n250 HELP\r\n"), "MAIL FROM:<me@home.lab>\r\n");
	assert_string_equal(hear("250 ok\r\n"), "RCPT TO:<alice@mail.lab>\r\n");
	assert_string_equal(hear("251 will forward\r\n"), "DATA\r\n"); /* §3.4: as good as 250 */
	assert_int_equal(smtp_client_wait(&c), SMTP_WAIT_DATA);
	assert_string_equal(hear("354 go\r\n"), "hi\r\n.\r\n");
	assert_int_equal(smtp_client_wait(&c), SMTP_WAIT_END);
	assert_string_equal(hear("250 2.0.0 kept as 7\r\n"), "QUIT\r\n");
	assert_false(smtp_client_is_done(&c));
	hear("221 bye\r\n");
	assert_true(smtp_client_is_done(&c));
	assert_false(c.has_failed);
	assert_int_equal(c.code, 250);
	assert_string_equal(c.said, "2.0.0 kept as 7");
	assert_int_equal(codes[0], 251);
	assert_int_equal(c.n_accepted, 1);
}

static void rfc5321_4_5_3_2__how_long_to_wait(void **state)
{
	begin();
	assert_int_equal(smtp_client_wait(&c), 300 * NS_PER_S); /* greeting, §4.5.3.2.1 */
	hear("220 a\r\n");
	hear("250 a\r\n");
	assert_int_equal(smtp_client_wait(&c), 300 * NS_PER_S); /* MAIL, .2 */
	hear("250 a\r\n");
	assert_int_equal(smtp_client_wait(&c), 300 * NS_PER_S); /* RCPT, .3 */
	hear("250 a\r\n");
	assert_int_equal(smtp_client_wait(&c), 120 * NS_PER_S); /* DATA, .4 */
	smtp_client_feed(&c, "354 a\r\n", 7);
	assert_int_equal(smtp_client_wait(&c), 180 * NS_PER_S); /* a block, .5 */
	hear("");
	assert_int_equal(smtp_client_wait(&c), 600 * NS_PER_S); /* the end, .6 */
}

static void rfc5321_3_2__helo_where_ehlo_is_unknown(void **state)
{
	hello();
	assert_string_equal(hear("502 what?\r\n"), "HELO home.lab\r\n");
	assert_string_equal(hear("250 mail.lab PIPELINING\r\n"), "MAIL FROM:<me@home.lab>\r\n");
	assert_false(c.is_esmtp);
	hello();
	assert_string_equal(hear("451 not now\r\n"), "QUIT\r\n");
	assert_int_equal(c.failed, SMTP_STAGE_EHLO);
	hello();
	hear("500 a\r\n");
	assert_string_equal(hear("550 go away\r\n"), "QUIT\r\n");
	assert_int_equal(c.failed, SMTP_STAGE_HELO);
	assert_int_equal(c.code, 550);
}

static void rfc5321_3_1__no_service_is_answered_by_quit(void **state)
{
	begin();
	assert_string_equal(hear("554 no mail here\r\n"), "QUIT\r\n");
	hear("221 bye\r\n");
	assert_true(smtp_client_is_done(&c) && c.has_failed);
	assert_int_equal(c.failed, SMTP_STAGE_GREETING);
	assert_int_equal(c.code, 554);
	assert_string_equal(c.said, "no mail here");
}

static void rfc5321_3_8__after_421_nothing_is_said(void **state)
{
	hello();
	assert_string_equal(hear("421 closing\r\n"), "");
	assert_true(smtp_client_is_done(&c));
	assert_int_equal(c.failed, SMTP_STAGE_EHLO);
	assert_int_equal(c.code, 421);
}

static void rfc5321_4_2__replies_of_several_lines_and_without_text(void **state)
{
	begin();
	assert_string_equal(hear("220-one\r\n220-two\r\n"), "");
	assert_string_equal(hear("220\r\n"), "EHLO home.lab\r\n");
	assert_string_equal(hear("250-\r\n250\r\n"), "MAIL FROM:<me@home.lab>\r\n");
	assert_string_equal(hear("299 a code that nobody knows\r\n"), "RCPT TO:<alice@mail.lab>\r\n"); /* §4.3.2: the first digit counts */
	assert_string_equal(hear("250 ok\r\n"), "DATA\r\n");
	assert_string_equal(hear("250 what?\r\n"), "QUIT\r\n"); /* but that is no 3 */
	assert_int_equal(c.failed, SMTP_STAGE_DATA);
}

static void rfc5321_4_2_1__what_is_no_reply_ends_it(void **state)
{
	static const char *const bad[] = {"hello\r\n", "22\r\n", "620 a\r\n", "120 a\r\n", "220_a\r\n", "2200 a\r\n", "220 a\n", "220 a\rb\r\n",
		"220-a\r\n221 b\r\n", "\r\n", "SSH-2.0-x\r\n"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		begin();
		assert_string_equal(hear(bad[i]), "");
		assert_true(smtp_client_is_done(&c) && c.has_failed);
		assert_int_equal(c.code, 0);
	}
	begin();
	for (int i = 0; i <= SMTP_REPLY_LINES; i++)
		hear("220-x\r\n");
	assert_true(smtp_client_is_done(&c));
}

static void rfc5321_4_5_3_1_5__long_reply_lines(void **state)
{
	static char line[3000];
	begin();
	memset(line, 'x', sizeof line - 1);
	memcpy(line, "554 ", 4);
	hear(line);
	assert_string_equal(hear("\r\n"), "QUIT\r\n");
	assert_int_equal(strlen(c.said), SMTP_REPLY_MAX - 4);
}

static void rfc5321_3_3__one_recipient_is_enough(void **state)
{
	begin_with(3, "x\r\n", false);
	hear("220 a\r\n");
	hear("250 a\r\n");
	hear("250 a\r\n");
	assert_string_equal(hear("550 no\r\n"), "RCPT TO:<bob@mail.lab>\r\n");
	assert_string_equal(hear("250 yes\r\n"), "RCPT TO:<carol@mail.lab>\r\n");
	assert_string_equal(hear("452 too many\r\n"), "DATA\r\n");
	hear("354 go\r\n");
	hear("250 ok\r\n");
	assert_false(c.has_failed);
	assert_int_equal(c.n_accepted, 1);
	assert_int_equal(codes[0], 550);
	assert_int_equal(codes[1], 250);
	assert_int_equal(codes[2], 452);
}

static void rfc5321_3_3__no_recipient_no_data(void **state)
{
	begin_with(2, "x\r\n", false);
	hear("220 a\r\n");
	hear("250 a\r\n");
	hear("250 a\r\n");
	hear("550 no\r\n");
	assert_string_equal(hear("551 no, b\r\n"), "QUIT\r\n");
	assert_int_equal(c.failed, SMTP_STAGE_RCPT);
	assert_int_equal(c.code, 551);
	hello();
	hear("250 a\r\n");
	assert_string_equal(hear("550 not you\r\n"), "QUIT\r\n");
	assert_int_equal(c.failed, SMTP_STAGE_MAIL);
}

static void rfc5321_4_2_5__a_refusal_after_the_text(void **state)
{
	hello();
	hear("250 a\r\n");
	hear("250 a\r\n");
	hear("250 a\r\n");
	hear("354 a\r\n");
	assert_string_equal(hear("554 spam\r\n"), "QUIT\r\n");
	hear("221 bye\r\n");
	assert_int_equal(c.failed, SMTP_STAGE_END);
	assert_string_equal(c.said, "spam");
	hello();
	hear("250 a\r\n");
	hear("250 a\r\n");
	hear("250 a\r\n");
	hear("354 a\r\n");
	hear("250 kept\r\n");
	smtp_client_lost(&c, "gone"); /* the message is theirs all the same */
	assert_int_equal(c.failed, SMTP_STAGE_QUIT);
}

#define EHLO_ALL "250-mail.lab\r\n250-pipelining\r\n250-SIZE 1000\r\n250 8BITMIME\r\n"

static void rfc2920_3_1__commands_go_together(void **state)
{
	begin_with(2, ".\r\n", true);
	hear("220 a\r\n");
	assert_string_equal(hear(EHLO_ALL),
		"MAIL FROM:<me@home.lab> SIZE=3 BODY=8BITMIME\r\nRCPT TO:<alice@mail.lab>\r\nRCPT TO:<bob@mail.lab>\r\nDATA\r\n");
	assert_string_equal(hear("250 a\r\n550 b\r\n250 c\r\n354 d\r\n"), "..\r\n.\r\n");
	hear("250 ok\r\n");
	assert_false(c.has_failed);
}

/* DATA was asked for with the rest, and the server is willing though nobody is left: an empty message, and a failure. */
static void rfc2920_3_1__a_dot_if_no_recipient_is_left(void **state)
{
	hello();
	hear(EHLO_ALL);
	assert_string_equal(hear("250 a\r\n550 no\r\n354 go\r\n"), ".\r\n");
	assert_string_equal(hear("250 kept\r\n"), "QUIT\r\n");
	assert_int_equal(c.failed, SMTP_STAGE_RCPT);
	assert_int_equal(c.code, 550);
	hello();
	hear(EHLO_ALL);
	assert_string_equal(hear("250 a\r\n550 no\r\n554 no valid recipients\r\n"), "QUIT\r\n");
	assert_int_equal(c.code, 550);
}

static void rfc1870_6_1__too_large_is_not_sent(void **state)
{
	static char big[1002];
	memset(big, 'x', sizeof big - 1);
	begin_with(1, big, false);
	hear("220 a\r\n");
	assert_string_equal(hear(EHLO_ALL), "QUIT\r\n");
	assert_int_equal(c.failed, SMTP_STAGE_MAIL);
	big[1000] = 0;
	begin_with(1, big, false);
	hear("220 a\r\n");
	assert_memory_equal(hear(EHLO_ALL), "MAIL FROM:<me@home.lab> SIZE=1000\r\n", 35);
	begin_with(1, big, false);
	hear("220 a\r\n");
	assert_memory_equal(hear("250-a\r\n250 SIZE\r\n"), "MAIL FROM:<me@home.lab> SIZE=1000\r\n", 35); /* no limit is named */
	begin_with(1, big, false);
	hear("220 a\r\n");
	assert_memory_equal(hear("250-a\r\n250 SIZE 0\r\n"), "MAIL FROM:<me@home.lab> SIZE=1000\r\n", 35); /* 0: none either, §4 */
}

static void rfc6152_3__no_8_bits_where_they_are_not_taken(void **state)
{
	begin_with(1, "\xc3\xa4\r\n", true);
	hear("220 a\r\n");
	assert_string_equal(hear("250-a\r\n250 PIPELINING\r\n"), "QUIT\r\n");
	assert_int_equal(c.failed, SMTP_STAGE_MAIL);
}

static void rfc5321_2_3_8__bare_line_ends_are_never_sent(void **state)
{
	begin_with(1, "a\nb\rc\r\n.\n\n.d", false);
	hear("220 a\r\n");
	hear("250 a\r\n");
	hear("250 a\r\n");
	hear("250 a\r\n");
	assert_string_equal(hear("354 a\r\n"), "a\r\nb\r\nc\r\n..\r\n\r\n..d\r\n.\r\n");
}

static void rfc5321_4_1_2__addresses_as_a_user_writes_them(void **state)
{
	struct smtp_path p;
	static const char *const bad[] = {"a", "a@", "@b", "a b@c", "a@b>", "<a@b>", "a@b\r\nRCPT TO:<x@y>", "a@b ", "a@b,c@d"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_not_equal(smtp_mailbox_parse(bad[i], strlen(bad[i]), &p), SMTP_SYNTAX_OK);
	path(&p, "");
	assert_true(smtp_path_is_null(&p));
	path(&p, "postmaster");
	path(&p, "\"a b\"@[10.0.0.1]");
	assert_string_equal(p.local, "a b");
}

/* A server that answers everything before it is asked can neither overflow nor confuse the client. */
static void rfc5321_4_3_1__answers_without_questions(void **state)
{
	begin_with(RCPTS, "x\r\n", false);
	smtp_client_feed(&c, "220 a\r\n", 7);
	smtp_client_sent(&c, c.out_len);
	smtp_client_feed(&c, "250-a\r\n250 PIPELINING\r\n", 23);
	for (int i = 0; i < 3 * RCPTS; i++)
		smtp_client_feed(&c, "250 ok\r\n", 8);
	assert_true(smtp_client_is_done(&c) && c.has_failed);
}

/* Both engines, any cut of both streams: what was sent is what is kept. */
static void rfc5321_3__client_and_server_engine(void **state)
{
	static struct smtp_server s;
	static char kept[HEAP];
	struct rng r;
	rng_seed(&r, 9);
	for (int round = 0; round < 200; round++) {
		size_t n_kept = 0;
		bool closed = false;
		char message[2000];
		size_t n = rng_below(&r, 200);
		static const char *const pieces[] = {".", "\r\n", "ab", "..", "\r\n.\r\n"};
		message[0] = 0;
		for (size_t i = 0; i < n; i++)
			strcat(message, pieces[rng_below(&r, 5)]);
		strcat(message, "\r\n");
		begin_with(1 + rng_below(&r, RCPTS), message, false);
		smtp_server_init(&s, &(struct smtp_server_config){.name = "mail.lab"});
		while (!smtp_client_is_done(&c)) {
			size_t k = 1 + rng_below(&r, 100);
			k = MIN(k, s.out_len);
			smtp_client_feed(&c, s.out, k);
			smtp_server_sent(&s, k);
			size_t left = strlen(text) - text_at, piece = 1 + rng_below(&r, 300);
			if (smtp_client_wants_text(&c) && left)
				text_at += smtp_client_text(&c, text + text_at, MIN(piece, left));
			else if (smtp_client_wants_text(&c))
				smtp_client_text_end(&c);
			k = MIN(piece, c.out_len);
			enum smtp_event what;
			k = smtp_server_feed(&s, c.out, k, &what);
			if (what == SMTP_TEXT) {
				memcpy(kept + n_kept, s.text, s.text_len);
				n_kept += s.text_len;
			} else if (what == SMTP_RCPT || what == SMTP_BEGIN || what == SMTP_END) {
				smtp_server_answer(&s, SMTP_YES);
			}
			smtp_client_sent(&c, k);
			closed = what == SMTP_CLOSE;
		}
		assert_true(closed && !c.has_failed);
		assert_int_equal(n_kept, strlen(message));
		assert_memory_equal(kept, message, n_kept);
		assert_int_equal(c.n_accepted, c.cfg.n_to);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc5321_3__a_mail_one_command_at_a_time),
		cmocka_unit_test(rfc5321_4_5_3_2__how_long_to_wait),
		cmocka_unit_test(rfc5321_3_2__helo_where_ehlo_is_unknown),
		cmocka_unit_test(rfc5321_3_1__no_service_is_answered_by_quit),
		cmocka_unit_test(rfc5321_3_8__after_421_nothing_is_said),
		cmocka_unit_test(rfc5321_4_2__replies_of_several_lines_and_without_text),
		cmocka_unit_test(rfc5321_4_2_1__what_is_no_reply_ends_it),
		cmocka_unit_test(rfc5321_4_5_3_1_5__long_reply_lines),
		cmocka_unit_test(rfc5321_3_3__one_recipient_is_enough),
		cmocka_unit_test(rfc5321_3_3__no_recipient_no_data),
		cmocka_unit_test(rfc5321_4_2_5__a_refusal_after_the_text),
		cmocka_unit_test(rfc2920_3_1__commands_go_together),
		cmocka_unit_test(rfc2920_3_1__a_dot_if_no_recipient_is_left),
		cmocka_unit_test(rfc1870_6_1__too_large_is_not_sent),
		cmocka_unit_test(rfc6152_3__no_8_bits_where_they_are_not_taken),
		cmocka_unit_test(rfc5321_2_3_8__bare_line_ends_are_never_sent),
		cmocka_unit_test(rfc5321_4_1_2__addresses_as_a_user_writes_them),
		cmocka_unit_test(rfc5321_4_3_1__answers_without_questions),
		cmocka_unit_test(rfc5321_3__client_and_server_engine),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
