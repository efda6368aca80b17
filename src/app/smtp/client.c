/* app/smtp/client.c - the client's side of the conversation: what is said next (RFC 5321 §3, §4.1.4; RFC 2920 §3.1). */
#include "app/smtp/converse.h"

#include "app/text.h"

enum { OUT_SPARE = 64 }; /* of out, kept for what must always be sayable: QUIT, the final dot */

static struct writer out_writer(struct smtp_client *c)
{
	return writer_of(c->out + c->out_len, sizeof(c->out) - c->out_len);
}

static void out_keep(struct smtp_client *c, const struct writer *w)
{
	ASSERT(!w->bad);
	c->out_len = (size_t)(w->p - (uint8_t *)c->out);
}

static void say(struct smtp_client *c, const char *a, const char *b)
{
	struct writer w = out_writer(c);
	text_put(&w, a);
	text_put(&w, b);
	text_put(&w, "\r\n");
	out_keep(c, &w);
}

void smtp_client_init(struct smtp_client *c, const struct smtp_client_config *cfg)
{
	memset(c, 0, offsetof(struct smtp_client, line));
	c->cfg = *cfg;
	if (cfg->codes)
		memset(cfg->codes, 0, cfg->n_to * sizeof(cfg->codes[0]));
}

static void note(struct smtp_client *c, uint16_t code, const char *text)
{
	size_t n = MIN(strlen(text), sizeof(c->said) - 1);
	c->code = code;
	memmove(c->said, text, n);
	c->said[n] = 0;
}

/* The first failure is the one that is told. */
static void fail(struct smtp_client *c, enum smtp_stage at, uint16_t code, const char *text)
{
	if (c->has_failed)
		return;
	c->has_failed = true;
	c->failed = at;
	note(c, code, text);
}

static void quit(struct smtp_client *c)
{
	say(c, "QUIT", "");
	c->stage = SMTP_STAGE_QUIT;
}

void smtp_client_lost(struct smtp_client *c, const char *why)
{
	if (c->stage == SMTP_STAGE_DONE)
		return;
	fail(c, c->stage, 0, why);
	c->out_len = 0;
	c->stage = SMTP_STAGE_DONE;
}

/* --- the envelope --- */

static uint32_t envelope_len(const struct smtp_client *c)
{
	return c->cfg.n_to + 2;
}

static void put_mail(struct smtp_client *c, struct writer *w)
{
	text_put(w, "MAIL FROM:");
	smtp_path_put(w, c->cfg.from);
	if (c->has_size && c->cfg.size) {
		text_put(w, " SIZE=");
		text_number(w, c->cfg.size);
	}
	if (c->has_8bit && c->cfg.is_8bit)
		text_put(w, " BODY=8BITMIME");
}

/* DATA waits until it is known that there is a recipient, unless it may go with the rest. */
static bool may_send(const struct smtp_client *c)
{
	bool has_room = sizeof(c->out) - c->out_len >= SMTP_COMMAND_MAX + OUT_SPARE;
	bool in_envelope = c->stage >= SMTP_STAGE_MAIL && c->stage <= SMTP_STAGE_DATA;
	return in_envelope && has_room && !c->has_failed && c->n_sent < envelope_len(c) && (c->has_pipelining || c->n_sent == c->n_answered);
}

static void envelope_send(struct smtp_client *c)
{
	while (may_send(c)) {
		struct writer w = out_writer(c);
		uint32_t i = c->n_sent++;
		if (i == 0) {
			put_mail(c, &w);
		} else if (i <= c->cfg.n_to) {
			text_put(&w, "RCPT TO:");
			smtp_path_put(&w, &c->cfg.to[i - 1]);
		} else {
			text_put(&w, "DATA");
		}
		text_put(&w, "\r\n");
		out_keep(c, &w);
	}
}

/* Who we speak to is known: may the message go there at all? */
static void envelope_begin(struct smtp_client *c)
{
	c->stage = SMTP_STAGE_MAIL;
	if (c->has_size && c->size_max && c->cfg.size > c->size_max) { /* RFC 1870 §6.1 */
		fail(c, SMTP_STAGE_MAIL, 0, "the message is larger than the server takes");
		quit(c);
	} else if (c->cfg.is_8bit && !c->has_8bit) { /* RFC 6152 §3 */
		fail(c, SMTP_STAGE_MAIL, 0, "the message has octets above 127, and the server does not take them (8BITMIME)");
		quit(c);
	} else {
		envelope_send(c);
	}
}

static enum smtp_stage envelope_stage(const struct smtp_client *c)
{
	return c->n_answered == 0 ? SMTP_STAGE_MAIL : c->n_answered <= c->cfg.n_to ? SMTP_STAGE_RCPT : SMTP_STAGE_DATA;
}

/* DATA was answered by 354, or by something else. */
static void data_answered(struct smtp_client *c, uint16_t code, const char *text)
{
	if (code / 100 != 3) {
		fail(c, SMTP_STAGE_DATA, code, text);
		quit(c);
	} else if (c->has_failed) { /* it went with the rest: RFC 2920 §3.1 has us send an empty message */
		struct writer w = out_writer(c);
		smtp_stuff_end(&c->text_out, &w);
		out_keep(c, &w);
		c->ends_early = true;
		c->stage = SMTP_STAGE_END;
	} else {
		c->stage = SMTP_STAGE_TEXT;
	}
}

static void envelope_answered(struct smtp_client *c, uint16_t code, const char *text)
{
	enum smtp_stage at = envelope_stage(c);
	uint32_t i = c->n_answered++;
	bool good = code / 100 == 2;
	if (at == SMTP_STAGE_DATA) {
		data_answered(c, code, text);
		return;
	}
	if (at == SMTP_STAGE_MAIL && !good)
		fail(c, at, code, text);
	if (at == SMTP_STAGE_RCPT) {
		if (c->cfg.codes)
			c->cfg.codes[i - 1] = code;
		c->n_accepted += good;
		if (i == c->cfg.n_to && c->n_accepted == 0)
			fail(c, at, code, text);
	}
	c->stage = envelope_stage(c);
	envelope_send(c);
	if (c->has_failed && c->n_answered == c->n_sent)
		quit(c);
}

/* --- replies --- */

static bool word_of(const char *text, const char *word)
{
	size_t n = strlen(word);
	return strlen(text) >= n && (text[n] == 0 || text[n] == ' ') && smtp_word_is(text, n, word);
}

/* EHLO's first line is the server's name, each other one an extension (§4.1.1.1). */
void smtp_converse_line(struct smtp_client *c, uint16_t code, uint16_t index, const char *text)
{
	if (c->stage != SMTP_STAGE_EHLO || code / 100 != 2 || index == 0)
		return;
	c->has_pipelining |= word_of(text, "PIPELINING");
	c->has_8bit |= word_of(text, "8BITMIME");
	if (!word_of(text, "SIZE"))
		return;
	c->has_size = true;
	c->size_max = 0;
	for (const char *p = text + 5; text[4] && *p >= '0' && *p <= '9'; p++)
		c->size_max = c->size_max > UINT64_MAX / 10 - 1 ? UINT64_MAX : c->size_max * 10 + (uint64_t)(*p - '0');
}

static void greeted(struct smtp_client *c, uint16_t code, const char *text)
{
	if (code / 100 == 2) {
		say(c, "EHLO ", c->cfg.name);
		c->stage = SMTP_STAGE_EHLO;
	} else { /* 554: no service here, and QUIT is still due (§3.1) */
		fail(c, SMTP_STAGE_GREETING, code, text);
		quit(c);
	}
}

static void hello_answered(struct smtp_client *c, uint16_t code, const char *text)
{
	if (code / 100 == 2) {
		c->is_esmtp = c->stage == SMTP_STAGE_EHLO;
		envelope_begin(c);
	} else if (c->stage == SMTP_STAGE_EHLO && code / 100 == 5) { /* §3.2 */
		say(c, "HELO ", c->cfg.name);
		c->stage = SMTP_STAGE_HELO;
	} else {
		fail(c, c->stage, code, text);
		quit(c);
	}
}

static void end_answered(struct smtp_client *c, uint16_t code, const char *text)
{
	if (code / 100 != 2)
		fail(c, SMTP_STAGE_END, code, text);
	else if (!c->ends_early)
		note(c, code, text);
	quit(c);
}

void smtp_converse(struct smtp_client *c, uint16_t code, const char *text)
{
	if (code == 421 || c->stage == SMTP_STAGE_TEXT) { /* it closes; or it does not want the rest */
		fail(c, c->stage, code, text);
		c->out_len = 0;
		c->stage = SMTP_STAGE_DONE;
		return;
	}
	switch (c->stage) {
	case SMTP_STAGE_GREETING:
		greeted(c, code, text);
		break;
	case SMTP_STAGE_EHLO: case SMTP_STAGE_HELO:
		hello_answered(c, code, text);
		break;
	case SMTP_STAGE_MAIL: case SMTP_STAGE_RCPT: case SMTP_STAGE_DATA:
		if (c->n_answered < c->n_sent)
			envelope_answered(c, code, text);
		else
			smtp_client_lost(c, "the server answers what was not asked");
		break;
	case SMTP_STAGE_END:
		end_answered(c, code, text);
		break;
	default: /* QUIT */
		if (code / 100 != 2)
			fail(c, SMTP_STAGE_QUIT, code, text);
		c->stage = SMTP_STAGE_DONE;
	}
}

/* --- the owner's calls --- */

void smtp_client_sent(struct smtp_client *c, size_t n)
{
	ASSERT(n <= c->out_len);
	memmove(c->out, c->out + n, c->out_len - n);
	c->out_len -= n;
	envelope_send(c);
}

bool smtp_client_wants_text(const struct smtp_client *c)
{
	return c->stage == SMTP_STAGE_TEXT;
}

size_t smtp_client_text(struct smtp_client *c, const void *data, size_t n)
{
	struct writer w = out_writer(c);
	if (c->stage != SMTP_STAGE_TEXT || w.end - w.p <= OUT_SPARE)
		return 0;
	w.end -= OUT_SPARE;
	n = smtp_stuff(&c->text_out, data, n, &w);
	out_keep(c, &w);
	return n;
}

void smtp_client_text_end(struct smtp_client *c)
{
	struct writer w = out_writer(c);
	if (c->stage != SMTP_STAGE_TEXT)
		return;
	smtp_stuff_end(&c->text_out, &w);
	out_keep(c, &w);
	c->stage = SMTP_STAGE_END;
}

bool smtp_client_is_done(const struct smtp_client *c)
{
	return c->stage == SMTP_STAGE_DONE;
}

int64_t smtp_client_wait(const struct smtp_client *c)
{
	switch (c->stage) {
	case SMTP_STAGE_GREETING:
		return SMTP_WAIT_GREETING;
	case SMTP_STAGE_DATA:
		return SMTP_WAIT_DATA;
	case SMTP_STAGE_TEXT:
		return SMTP_WAIT_BLOCK;
	case SMTP_STAGE_END:
		return SMTP_WAIT_END;
	default:
		return SMTP_WAIT_COMMAND;
	}
}
