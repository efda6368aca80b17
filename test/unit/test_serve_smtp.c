/* test_serve_smtp.c - the mail server on fake sockets and a fake store: who has mail here, what is kept, trouble, time, memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "serve/smtp.h"
#include "test/unit/fake_via.h"
#include "test/unit/region.h"

enum { REGION = 8 << 20, KEPT = 1 << 20 };

struct fixture {
	struct via *v;
	struct arena *arena;
	struct serve_smtp smtp;
	int n_open, n_commits, n_aborts;
	int begin_error, write_error, commit_error; /* positive errno, or 0 */
	char boxes[512];                            /* of the last message */
	char text[KEPT];
	size_t text_len;
};

static int store_begin(void *ctx, const char *const *mailboxes, uint32_t n, uint64_t *token)
{
	struct fixture *f = ctx;
	if (f->begin_error)
		return -f->begin_error;
	f->boxes[0] = 0;
	for (uint32_t i = 0; i < n; i++) {
		strcat(f->boxes, mailboxes[i]);
		strcat(f->boxes, " ");
	}
	f->n_open++;
	f->text_len = 0;
	*token = 1;
	return 0;
}

static int store_write(void *ctx, uint64_t token, const void *data, size_t n)
{
	struct fixture *f = ctx;
	assert_true(token == 1 && f->n_open == 1 && f->text_len + n < KEPT);
	memcpy(f->text + f->text_len, data, n);
	f->text_len += n;
	f->text[f->text_len] = 0;
	return -f->write_error;
}

static int store_commit(void *ctx, uint64_t token)
{
	struct fixture *f = ctx;
	f->n_open--;
	f->n_commits += !f->commit_error;
	return -f->commit_error;
}

static void store_abort(void *ctx, uint64_t token)
{
	struct fixture *f = ctx;
	f->n_open--;
	f->n_aborts++;
}

static int setup_with(void **state, const char *const *mailboxes)
{
	static const char *const domains[] = {"mail.lab", "example.lab", NULL};
	static struct fixture f;
	memset(&f, 0, sizeof(f));
	f.v = fake_new();
	f.arena = region_new(REGION);
	struct serve_smtp_config cfg = {.arena = f.arena, .via = f.v, .mail = {store_begin, store_write, store_commit, store_abort, &f},
		.name = "mail.lab", .domains = domains, .mailboxes = mailboxes, .size_max = 70000};
	assert_int_equal(serve_smtp_start(&f.smtp, &cfg, 784111777 * NS_PER_S), 0);
	*state = &f;
	return 0;
}

static int setup(void **state)
{
	static const char *const mailboxes[] = {"alice", "bob", NULL};
	return setup_with(state, mailboxes);
}

static int setup_any(void **state)
{
	return setup_with(state, NULL);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	serve_smtp_stop(&f->smtp);
	int bad = f->n_open != 0 || arena_bytes_used(f->arena) != 0;
	fake_free(f->v);
	region_free(f->arena);
	return bad ? -1 : 0;
}

/* What the server said since the last time, terminated. */
static const char *said(struct fixture *f, via_sock c)
{
	struct fake_sock *s = fake_of(f->v, c);
	s->out = realloc(s->out, s->out_len + 1);
	s->out[s->out_len] = 0;
	s->out_len = 0;
	return (const char *)s->out;
}

static const char *tell(struct fixture *f, via_sock c, const char *text)
{
	said(f, c);
	fake_write(f->v, c, text);
	return said(f, c);
}

static via_sock hello(struct fixture *f)
{
	via_sock c = fake_connect(f->v, true);
	assert_string_equal(said(f, c), "220 mail.lab ESMTP Viaduct\r\n");
	assert_memory_equal(tell(f, c, "EHLO home.lab\r\n"), "250-", 4);
	return c;
}

static via_sock envelope(struct fixture *f)
{
	via_sock c = hello(f);
	assert_string_equal(tell(f, c, "MAIL FROM:<me@home.lab>\r\nRCPT TO:<alice@mail.lab>\r\n"), "250 2.1.0 ok\r\n250 2.1.5 ok\r\n");
	return c;
}

static int rcpt(struct fixture *f, via_sock c, const char *path)
{
	char line[256] = "RCPT TO:";
	strcat(strcat(line, path), "\r\n");
	return atoi(tell(f, c, line));
}

static void rfc5321_4_4__a_message_is_kept_with_its_trace(void **state)
{
	struct fixture *f = *state;
	via_sock c = envelope(f);
	assert_memory_equal(tell(f, c, "DATA\r\n"), "354", 3);
	assert_memory_equal(tell(f, c, "Subject: x\r\n\r\n..\r\n.\r\n"), "250", 3);
	assert_int_equal(f->n_commits, 1);
	assert_string_equal(f->boxes, "alice ");
	assert_string_equal(f->text, "Return-Path: <me@home.lab>\r\nReceived: from home.lab ([10.0.0.9])\r\n\tby mail.lab with ESMTP id 1\r\n"
		"\tfor <alice@mail.lab>;\r\n\tSun, 06 Nov 1994 08:49:37 +0000\r\nSubject: x\r\n\r\n.\r\n");
	assert_memory_equal(tell(f, c, "QUIT\r\n"), "221", 3);
	assert_true(fake_of(f->v, c)->fin_out);
	fake_fin(f->v, c);
	assert_true(fake_of(f->v, c)->closed && !fake_of(f->v, c)->reset);
	assert_int_equal(f->smtp.n_messages, 1);
}

static void rfc5321_3_3__who_has_mail_here(void **state)
{
	struct fixture *f = *state;
	via_sock c = hello(f);
	tell(f, c, "MAIL FROM:<>\r\n");
	assert_int_equal(rcpt(f, c, "<Alice@MAIL.lab>"), 250);
	assert_int_equal(rcpt(f, c, "<bob@example.lab>"), 250);
	assert_int_equal(rcpt(f, c, "<\"alice\"@mail.lab>"), 250); /* the same mailbox again */
	assert_int_equal(rcpt(f, c, "<bob@[10.0.0.1]>"), 250);     /* our own address */
	assert_int_equal(rcpt(f, c, "<bob@[10.0.0.2]>"), 550);
	assert_int_equal(rcpt(f, c, "<carol@mail.lab>"), 550);
	assert_int_equal(rcpt(f, c, "<alice@other.lab>"), 550);
	assert_int_equal(rcpt(f, c, "<\"\"@mail.lab>"), 550);
	assert_int_equal(rcpt(f, c, "<postmaster@other.lab>"), 550);
	assert_int_equal(rcpt(f, c, "<POSTMASTER>"), 250);         /* §4.5.1 */
	assert_int_equal(rcpt(f, c, "<postmaster@mail.lab>"), 250);
	tell(f, c, "DATA\r\nx\r\n.\r\n");
	assert_string_equal(f->boxes, "alice bob postmaster ");
	assert_null(strstr(f->text, "for <")); /* told only where there is no other who would learn of it */
}

static void serve_smtp__without_a_list_every_name_is_a_mailbox(void **state)
{
	struct fixture *f = *state;
	via_sock c = hello(f);
	tell(f, c, "MAIL FROM:<a@b>\r\n");
	assert_int_equal(rcpt(f, c, "<\"../x y\"@mail.lab>"), 250);
	assert_int_equal(rcpt(f, c, "<any@mail.lab>"), 250);
	assert_int_equal(rcpt(f, c, "<any@other.lab>"), 550);
	tell(f, c, "DATA\r\nx\r\n.\r\n");
	assert_string_equal(f->boxes, "../x y any ");
}

/* No 250 for what the store does not have; and the session goes on. */
static void rfc5321_6_1__trouble_of_the_store(void **state)
{
	struct fixture *f = *state;
	via_sock c = envelope(f);
	f->begin_error = ENOSPC;
	assert_memory_equal(tell(f, c, "DATA\r\n"), "452", 3);
	f->begin_error = EIO;
	assert_memory_equal(tell(f, c, "DATA\r\n"), "451", 3);
	f->begin_error = 0;
	f->write_error = EIO; /* of the trace lines already */
	assert_memory_equal(tell(f, c, "DATA\r\n"), "451", 3);
	assert_int_equal(f->n_open, 0);
	f->write_error = 0;
	tell(f, c, "DATA\r\n");
	f->write_error = ENOSPC;
	assert_string_equal(tell(f, c, "x\r\n"), "");
	assert_int_equal(f->n_aborts, 2);
	f->write_error = 0;
	assert_memory_equal(tell(f, c, "y\r\n.\r\n"), "452", 3);
	tell(f, c, "MAIL FROM:<>\r\nRCPT TO:<bob@mail.lab>\r\nDATA\r\n");
	f->commit_error = EIO;
	assert_memory_equal(tell(f, c, "y\r\n.\r\n"), "451", 3);
	assert_int_equal(f->n_commits, 0);
	assert_int_equal(f->n_open, 0);
}

static void serve_smtp__a_client_that_goes_away_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	via_sock c = envelope(f), d = hello(f);
	tell(f, c, "DATA\r\nhalf of a me");
	assert_int_equal(f->n_open, 1);
	fake_fin(f->v, c);
	assert_true(fake_of(f->v, c)->closed);
	assert_int_equal(f->n_aborts, 1);
	fake_of(f->v, d)->error = ECONNRESET;
	fake_event(f->v, d, VIA_ERR);
	assert_true(fake_of(f->v, d)->closed);
	c = envelope(f);
	tell(f, c, "DATA\r\nx\n"); /* refused: forgotten at once */
	assert_int_equal(f->n_open, 0);
	assert_memory_equal(tell(f, c, "\r\n.\r\n"), "554", 3);
	assert_int_equal(f->n_commits, 0);
}

/* Five minutes for each command (§4.5.3.2.7), then 421 and an orderly end; drops of a line win no time. */
static void rfc5321_4_5_3_2_7__a_silent_client(void **state)
{
	struct fixture *f = *state;
	int64_t t = 784111777 * NS_PER_S;
	serve_smtp_tick(&f->smtp, t);
	via_sock c = hello(f);
	serve_smtp_tick(&f->smtp, t + SMTP_WAIT_COMMAND - NS_PER_S);
	tell(f, c, "NOOP\r\n");
	serve_smtp_tick(&f->smtp, t + 2 * SMTP_WAIT_COMMAND - 2 * NS_PER_S);
	assert_string_equal(tell(f, c, "NO"), "");
	serve_smtp_tick(&f->smtp, t + 2 * SMTP_WAIT_COMMAND);
	assert_memory_equal(said(f, c), "421 4.4.2", 9);
	assert_true(fake_of(f->v, c)->fin_out && !fake_of(f->v, c)->reset);
	serve_smtp_tick(&f->smtp, t + 2 * SMTP_WAIT_COMMAND + 6 * NS_PER_S);
	assert_true(fake_of(f->v, c)->closed);
}

/* Replies wait for room, the next commands wait for the replies; the last reply goes before the end. */
static void rfc2920_3_2__back_pressure(void **state)
{
	struct fixture *f = *state;
	via_sock c = hello(f);
	struct fake_sock *s = fake_of(f->v, c);
	s->room = 0;
	for (int i = 0; i < 1000; i++)
		fake_put(f->v, c, "NOOP\r\n", 6);
	fake_write(f->v, c, "QUIT\r\n");
	assert_true(s->out_len == 0 && s->in_at < s->in_len && !s->fin_out);
	for (int i = 0; i < 100000 && !s->fin_out; i++)
		fake_room(f->v, c, 100);
	assert_int_equal(s->out_len, 1000 * strlen("250 2.0.0 ok\r\n") + strlen("221 2.0.0 goodbye\r\n"));
	assert_true(s->fin_out);
}

static void serve_smtp__any_cut_of_input(void **state)
{
	struct fixture *f = *state;
	via_sock c = fake_connect(f->v, true);
	fake_of(f->v, c)->piece = 1;
	fake_write(f->v, c, "EHLO h\r\nMAIL FROM:<a@b>\r\nRCPT TO:<bob@mail.lab>\r\nDATA\r\na\r\n..b\r\n.\r\nQUIT\r\n");
	assert_int_equal(f->n_commits, 1);
	assert_non_null(strstr(f->text, "+0000\r\na\r\n.b\r\n"));
	assert_non_null(strstr(said(f, c), "221 "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rfc5321_4_4__a_message_is_kept_with_its_trace, setup, teardown),
		cmocka_unit_test_setup_teardown(rfc5321_3_3__who_has_mail_here, setup, teardown),
		cmocka_unit_test_setup_teardown(serve_smtp__without_a_list_every_name_is_a_mailbox, setup_any, teardown),
		cmocka_unit_test_setup_teardown(rfc5321_6_1__trouble_of_the_store, setup, teardown),
		cmocka_unit_test_setup_teardown(serve_smtp__a_client_that_goes_away_leaves_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(rfc5321_4_5_3_2_7__a_silent_client, setup, teardown),
		cmocka_unit_test_setup_teardown(rfc2920_3_2__back_pressure, setup, teardown),
		cmocka_unit_test_setup_teardown(serve_smtp__any_cut_of_input, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
