/* app/smtp/command.c - the server's commands: words, arguments, parameters, order (RFC 5321 §4.1, RFC 1870, RFC 6152).
 *
 * One function per command, in a table with what each needs. Keywords are of any case; trailing blanks are let pass
 * (§4.1.1), blanks round the colon of MAIL FROM: and RCPT TO: are not (§3.3). */
#include "app/smtp/inside.h"

#include "app/text.h"

struct argument {
	const char *p;
	size_t n;
};

static enum smtp_next say(struct smtp_server *s, const char *text)
{
	smtp_reply(s, text);
	return SMTP_NEXT_COMMAND;
}

static enum smtp_next say_error(struct smtp_server *s, const char *text)
{
	smtp_reply_error(s, text);
	return SMTP_NEXT_COMMAND;
}

/* Client identity; ends a transaction under way (§4.1.4). */
static bool hello(struct smtp_server *s, struct argument a)
{
	if (smtp_domain_check(a.p, a.n) != SMTP_SYNTAX_OK) {
		smtp_reply_error(s, "501 5.5.4 tell your name, or your address in brackets");
		return false;
	}
	smtp_transaction_reset(s);
	memcpy(s->helo, a.p, a.n);
	s->helo[a.n] = 0;
	s->greeted = true;
	return true;
}

static enum smtp_next do_helo(struct smtp_server *s, struct argument a)
{
	if (!hello(s, a))
		return SMTP_NEXT_COMMAND;
	struct writer w = writer_of(s->out + s->out_len, sizeof(s->out) - s->out_len);
	s->is_esmtp = false;
	text_put(&w, "250 ");
	text_put(&w, s->cfg.name);
	text_put(&w, "\r\n");
	s->out_len = (size_t)(w.p - (uint8_t *)s->out);
	return SMTP_NEXT_COMMAND;
}

static enum smtp_next do_ehlo(struct smtp_server *s, struct argument a)
{
	if (!hello(s, a))
		return SMTP_NEXT_COMMAND;
	struct writer w = writer_of(s->out + s->out_len, sizeof(s->out) - s->out_len);
	s->is_esmtp = true;
	text_put(&w, "250-");
	text_put(&w, s->cfg.name);
	text_put(&w, "\r\n250-PIPELINING\r\n250-SIZE ");
	text_number(&w, s->cfg.size_max);
	text_put(&w, "\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 HELP\r\n");
	ASSERT(!w.bad);
	s->out_len = (size_t)(w.p - (uint8_t *)s->out);
	return SMTP_NEXT_COMMAND;
}

/* "FROM:" or "TO:" and a path; the reader is left at the parameters. Says what is wrong itself. */
static bool read_path(struct smtp_server *s, struct reader *r, const char *word, struct smtp_path *out)
{
	size_t n = strlen(word);
	const uint8_t *p = rd_bytes(r, n);
	if (!p || !smtp_word_is((const char *)p, n, word)) {
		smtp_reply_error(s, word[0] == 'F' ? "501 5.5.4 it is MAIL FROM:<address>" : "501 5.5.4 it is RCPT TO:<address>");
		return false;
	}
	enum smtp_syntax x = smtp_path_read(r, out);
	if (x == SMTP_SYNTAX_OK && rd_left(r) && *r->p != ' ')
		x = SMTP_SYNTAX_BAD;
	if (x == SMTP_SYNTAX_LONG)
		smtp_reply_error(s, "501 5.1.0 path too long");
	else if (x == SMTP_SYNTAX_BAD)
		smtp_reply_error(s, word[0] == 'F' ? "501 5.1.7 that is no sender's path" : "501 5.1.3 that is no recipient's path");
	return x == SMTP_SYNTAX_OK;
}

/* The next " KEYWORD[=VALUE]". False: there is none. */
static bool read_parameter(struct reader *r, struct argument *key, struct argument *value)
{
	while (rd_left(r) && *r->p == ' ')
		r->p++;
	if (!rd_left(r))
		return false;
	*key = *value = (struct argument){(const char *)r->p, 0};
	bool in_value = false;
	for (; rd_left(r) && *r->p != ' '; r->p++) {
		if (in_value) {
			value->n++;
		} else if (*r->p == '=') {
			value->p = (const char *)r->p + 1;
			in_value = true;
		} else {
			key->n++;
		}
	}
	return true;
}

/* SIZE=digits, at most 20 (RFC 1870 §4). */
static bool size_value(struct argument v, uint64_t *out)
{
	if (v.n == 0 || v.n > 20)
		return false;
	*out = 0;
	for (size_t i = 0; i < v.n; i++) {
		uint64_t digit = (uint64_t)(v.p[i] - '0');
		if (v.p[i] < '0' || v.p[i] > '9')
			return false;
		*out = *out > (UINT64_MAX - digit) / 10 ? UINT64_MAX : *out * 10 + digit;
	}
	return true;
}

/* MAIL's parameters. NULL, or the reply. */
static const char *mail_parameters(struct smtp_server *s, struct reader *r)
{
	struct argument key, value;
	bool has_size = false, has_body = false;
	while (read_parameter(r, &key, &value)) {
		if (smtp_word_is(key.p, key.n, "SIZE")) {
			if (has_size || !size_value(value, &s->declared))
				return "501 5.5.4 SIZE wants one number";
			has_size = true;
		} else if (smtp_word_is(key.p, key.n, "BODY")) {
			if (has_body || (!smtp_word_is(value.p, value.n, "8BITMIME") && !smtp_word_is(value.p, value.n, "7BIT")))
				return "501 5.5.4 BODY is 7BIT or 8BITMIME";
			has_body = true;
		} else {
			return "555 5.5.4 unknown parameter";
		}
	}
	return s->declared > s->cfg.size_max ? "552 5.3.4 the message is larger than we take" : NULL;
}

static enum smtp_next do_mail(struct smtp_server *s, struct argument a)
{
	struct reader r = reader_of(a.p, a.n);
	if (!s->greeted)
		return say_error(s, "503 5.5.1 EHLO first");
	if (s->has_from)
		return say_error(s, "503 5.5.1 one message at a time");
	if (!read_path(s, &r, "FROM:", &s->from))
		return SMTP_NEXT_COMMAND;
	smtp_transaction_reset(s);
	const char *wrong = mail_parameters(s, &r);
	if (wrong) {
		smtp_transaction_reset(s);
		return wrong[2] == '2' ? say(s, wrong) : say_error(s, wrong);
	}
	s->has_from = true;
	return say(s, "250 2.1.0 ok");
}

static enum smtp_next do_rcpt(struct smtp_server *s, struct argument a)
{
	struct reader r = reader_of(a.p, a.n);
	struct argument key, value;
	if (!s->has_from)
		return say_error(s, "503 5.5.1 MAIL first");
	if (!read_path(s, &r, "TO:", &s->to))
		return SMTP_NEXT_COMMAND;
	if (smtp_path_is_null(&s->to))
		return say_error(s, "501 5.1.3 nobody is no recipient");
	if (read_parameter(&r, &key, &value))
		return say_error(s, "555 5.5.4 unknown parameter");
	if (s->n_rcpts >= s->cfg.rcpt_max) /* §4.5.3.1.10 */
		return say(s, "452 4.5.3 too many recipients; send them their own message");
	return SMTP_NEXT_RCPT;
}

static enum smtp_next do_data(struct smtp_server *s, struct argument a)
{
	if (!s->has_from)
		return say_error(s, "503 5.5.1 MAIL first");
	if (s->n_rcpts == 0) /* §4.1.1.4 */
		return say(s, "554 5.5.1 no valid recipients");
	return SMTP_NEXT_DATA;
}

static enum smtp_next do_rset(struct smtp_server *s, struct argument a)
{
	smtp_transaction_reset(s);
	return say(s, "250 2.0.0 ok");
}

static enum smtp_next do_noop(struct smtp_server *s, struct argument a)
{
	return say(s, "250 2.0.0 ok");
}

static enum smtp_next do_quit(struct smtp_server *s, struct argument a)
{
	smtp_reply(s, "221 2.0.0 goodbye");
	return SMTP_NEXT_QUIT;
}

/* Who exists is not told (§3.5.3, §7.3). */
static enum smtp_next do_vrfy(struct smtp_server *s, struct argument a)
{
	return say(s, "252 2.5.0 that is not told; send your mail and see");
}

static enum smtp_next do_help(struct smtp_server *s, struct argument a)
{
	return say(s, "214-2.0.0 EHLO HELO MAIL RCPT DATA RSET NOOP QUIT VRFY HELP\r\n214 2.0.0 as in RFC 5321");
}

static enum smtp_next do_unsupported(struct smtp_server *s, struct argument a)
{
	return say_error(s, "502 5.5.1 not implemented");
}

enum { ARG_NONE, ARG_ANY, ARG_NEEDED };
static const struct command {
	const char *word;
	enum smtp_next (*run)(struct smtp_server *s, struct argument a);
	uint8_t arg;
} commands[] = {
	{"EHLO", do_ehlo, ARG_NEEDED}, {"HELO", do_helo, ARG_NEEDED}, {"MAIL", do_mail, ARG_NEEDED}, {"RCPT", do_rcpt, ARG_NEEDED},
	{"DATA", do_data, ARG_NONE}, {"RSET", do_rset, ARG_NONE}, {"NOOP", do_noop, ARG_ANY}, {"QUIT", do_quit, ARG_NONE},
	{"VRFY", do_vrfy, ARG_NEEDED}, {"HELP", do_help, ARG_ANY}, {"EXPN", do_unsupported, ARG_ANY}, {"TURN", do_unsupported, ARG_ANY},
	{"ETRN", do_unsupported, ARG_ANY}, {"AUTH", do_unsupported, ARG_ANY}, {"BDAT", do_unsupported, ARG_ANY},
	{"STARTTLS", do_unsupported, ARG_ANY}, {"SEND", do_unsupported, ARG_ANY}, {"SOML", do_unsupported, ARG_ANY},
	{"SAML", do_unsupported, ARG_ANY},
};

enum smtp_next smtp_command(struct smtp_server *s, const char *line, size_t n)
{
	size_t word = 0;
	while (n > 0 && (line[n - 1] == ' ' || line[n - 1] == '\t'))
		n--;
	while (word < n && line[word] != ' ')
		word++;
	struct argument a = {line + word + (word < n), n - word - (word < n)};
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		const struct command *c = &commands[i];
		if (!smtp_word_is(line, word, c->word))
			continue;
		if ((c->arg == ARG_NONE && a.n) || (c->arg == ARG_NEEDED && !a.n))
			return say_error(s, a.n ? "501 5.5.4 that command has no argument" : "501 5.5.4 that command needs an argument");
		return c->run(s, a);
	}
	return say_error(s, "500 5.5.2 unknown command");
}
