/* app/smtp/server.c - sessions: bytes to command lines and text, the order of commands, replies (RFC 5321 §4.1.4, §4.2, §4.3). */
#include "app/smtp/server.h"

#include "app/smtp/inside.h"
#include "app/text.h"

enum { ST_COMMAND, ST_ASKED_RCPT, ST_ASKED_BEGIN, ST_TEXT, ST_ASKED_END, ST_CLOSED };

/* Why a message is refused, and what is said at its end. */
enum { REFUSE_FLAW /* text_in.flaw tells */, REFUSE_SIZE, REFUSE_HOPS, REFUSE_SPACE, REFUSE_TROUBLE };

void smtp_reply(struct smtp_server *s, const char *text)
{
	struct writer w = writer_of(s->out + s->out_len, sizeof(s->out) - s->out_len);
	text_put(&w, text);
	text_put(&w, "\r\n");
	ASSERT(!w.bad);
	s->out_len = (size_t)(w.p - (uint8_t *)s->out);
}

void smtp_reply_error(struct smtp_server *s, const char *text)
{
	s->n_errors++;
	smtp_reply(s, text);
}

void smtp_transaction_reset(struct smtp_server *s)
{
	s->has_from = false;
	s->n_rcpts = 0;
	s->declared = 0;
}

void smtp_server_init(struct smtp_server *s, const struct smtp_server_config *cfg)
{
	memset(s, 0, offsetof(struct smtp_server, out));
	s->cfg = *cfg;
	s->cfg.size_max = MAX(cfg->size_max, (uint64_t)SMTP_SIZE_MIN);
	s->cfg.rcpt_max = MAX(cfg->rcpt_max, (uint32_t)SMTP_RCPTS_MAX);
	struct writer w = writer_of(s->out, sizeof(s->out));
	text_put(&w, "220 ");
	text_put(&w, s->cfg.name);
	text_put(&w, " ESMTP Viaduct\r\n");
	s->out_len = (size_t)(w.p - (uint8_t *)s->out);
}

void smtp_server_sent(struct smtp_server *s, size_t n)
{
	ASSERT(n <= s->out_len);
	memmove(s->out, s->out + n, s->out_len - n);
	s->out_len -= n;
}

/* 421: may be said at any time (§3.8). What does not fit is not said. */
static void session_end(struct smtp_server *s, const char *text)
{
	if (sizeof(s->out) - s->out_len >= SMTP_ROOM_MIN)
		smtp_reply(s, text);
	s->state = ST_CLOSED;
}

void smtp_server_end(struct smtp_server *s, bool is_timeout)
{
	if (s->state != ST_CLOSED)
		session_end(s, is_timeout ? "421 4.4.2 you were silent too long, closing" : "421 4.3.2 the service ends, closing");
}

/* --- the message's text --- */

static void text_begin(struct smtp_server *s)
{
	s->text_in = (struct smtp_unstuffer){0};
	s->size = s->swallowed = 0;
	s->refused = false;
	s->in_head = true;
	s->hop_at = 0;
	s->n_hops = 0;
	s->last_text[0] = '\r';
	s->last_text[1] = '\n';
	s->state = ST_TEXT;
	smtp_reply(s, "354 go on; end with a line of one dot");
}

/* Look for Received: lines in the head (§6.3: the one sure sign of a circle), and for the empty line that ends it. */
static void text_count_hops(struct smtp_server *s)
{
	static const char hop[] = "received:";
	for (size_t i = 0; i < s->text_len && s->in_head; i++) {
		uint8_t c = s->text[i], low = c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
		bool begins = s->last_text[0] == '\r' && s->last_text[1] == '\n';
		s->in_head = !(begins && c == '\r');
		s->hop_at = begins ? 0 : s->hop_at;
		s->hop_at = s->hop_at < sizeof(hop) - 1 && low == (uint8_t)hop[s->hop_at] ? (uint8_t)(s->hop_at + 1) : UINT8_MAX;
		s->n_hops += s->hop_at == sizeof(hop) - 1;
		s->last_text[0] = s->last_text[1];
		s->last_text[1] = c;
	}
}

static void text_refuse(struct smtp_server *s, unsigned why)
{
	s->refused = true;
	s->refusal = (uint8_t)why;
}

/* Judge the run in text. False: the message has just been refused. */
static bool text_judge(struct smtp_server *s)
{
	s->size += s->text_len;
	text_count_hops(s);
	if (s->text_in.flaw)
		text_refuse(s, REFUSE_FLAW);
	else if (s->size > s->cfg.size_max)
		text_refuse(s, REFUSE_SIZE);
	else if (s->n_hops > SMTP_HOPS_MAX)
		text_refuse(s, REFUSE_HOPS);
	return !s->refused;
}

static const char *text_flaw_reply(enum smtp_flaw f)
{
	switch (f) {
	case SMTP_FLAW_BARE_CR:
		return "554 5.6.0 the text has a bare CR; lines end in CRLF";
	case SMTP_FLAW_BARE_LF:
		return "554 5.6.0 the text has a bare LF; lines end in CRLF (curl: --crlf)";
	case SMTP_FLAW_NUL:
		return "554 5.6.0 the text has a NUL octet";
	default:
		return "500 5.6.0 a line of the text is longer than 1000 octets";
	}
}

static void text_refused_reply(struct smtp_server *s)
{
	switch (s->refusal) {
	case REFUSE_FLAW:
		smtp_reply(s, text_flaw_reply(s->text_in.flaw));
		break;
	case REFUSE_SIZE:
		smtp_reply(s, "552 5.3.4 the message is larger than we take");
		break;
	case REFUSE_HOPS:
		smtp_reply(s, "554 5.4.6 too many Received lines: the mail goes round in a circle");
		break;
	case REFUSE_SPACE:
		smtp_reply(s, "452 4.3.1 no room for the message");
		break;
	default:
		smtp_reply(s, "451 4.3.0 the message could not be kept");
	}
}

/* Text of a message. Octets of a refused one are counted and forgotten. */
static size_t text_feed(struct smtp_server *s, const uint8_t *data, size_t n, enum smtp_event *what)
{
	size_t taken = 0;
	bool end = false;
	while (taken < n && !end && *what == SMTP_MORE) {
		size_t k = smtp_unstuff(&s->text_in, data + taken, n - taken, &s->text, &s->text_len, &end);
		taken += k;
		if (s->refused) {
			s->swallowed += k;
		} else if (!text_judge(s)) {
			*what = SMTP_DROP;
		} else if (s->text_len) {
			*what = SMTP_TEXT;
		}
		if (s->swallowed > s->cfg.size_max) {
			session_end(s, "421 4.7.0 too much of a refused message, closing");
			return taken;
		}
	}
	if (end && s->refused) { /* with SMTP_DROP, if the flaw is in the last octets */
		text_refused_reply(s);
		smtp_transaction_reset(s);
		s->state = ST_COMMAND;
	} else if (end) {
		s->state = ST_ASKED_END;
		*what = SMTP_END;
	}
	return taken;
}

/* --- command lines --- */

/* A command line is complete, its CRLF cut off. */
static void line_end(struct smtp_server *s, enum smtp_event *what)
{
	size_t n = s->line_len;
	s->line_len = 0;
	if (s->line_long) {
		smtp_reply_error(s, "500 5.5.2 line too long");
		s->line_long = false;
	} else {
		switch (smtp_command(s, s->line, n)) {
		case SMTP_NEXT_RCPT:
			s->state = ST_ASKED_RCPT;
			*what = SMTP_RCPT;
			break;
		case SMTP_NEXT_DATA:
			s->state = ST_ASKED_BEGIN;
			*what = SMTP_BEGIN;
			break;
		case SMTP_NEXT_QUIT:
			s->state = ST_CLOSED;
			break;
		case SMTP_NEXT_COMMAND:
			break;
		}
	}
	if (s->n_errors >= SMTP_ERRORS_MAX && s->state != ST_CLOSED)
		session_end(s, "421 4.7.0 too many errors, closing");
}

/* Octets of command lines, up to the end of one. A bare CR or LF ends the session: what follows it may be another's words. */
static size_t line_feed(struct smtp_server *s, const uint8_t *data, size_t n, enum smtp_event *what)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t c = data[i];
		if (c == '\n' && s->line_cr) {
			s->line_cr = false;
			line_end(s, what);
			return i + 1;
		}
		if (s->line_cr || c == '\n') {
			session_end(s, "421 4.7.0 lines end in CRLF (nc: -C); that was a bare CR or LF, closing");
			return i + 1;
		}
		s->line_cr = c == '\r';
		if (c == '\r')
			continue;
		if (s->line_len >= SMTP_COMMAND_MAX - 2)
			s->line_long = true;
		else
			s->line[s->line_len++] = (char)c;
	}
	return n;
}

size_t smtp_server_feed(struct smtp_server *s, const void *data, size_t n, enum smtp_event *what)
{
	size_t taken = 0;
	*what = SMTP_MORE;
	while (taken < n && *what == SMTP_MORE) {
		const uint8_t *p = (const uint8_t *)data + taken;
		bool full = sizeof(s->out) - s->out_len < 2 * SMTP_ROOM_MIN; /* a reply, and a 421 behind it */
		if (full || (s->state != ST_COMMAND && s->state != ST_TEXT))
			break;
		taken += s->state == ST_TEXT ? text_feed(s, p, n - taken, what) : line_feed(s, p, n - taken, what);
	}
	if (s->state == ST_CLOSED)
		*what = SMTP_CLOSE;
	return taken;
}

static void rcpt_answered(struct smtp_server *s, enum smtp_answer a)
{
	static const char *const replies[] = {
		[SMTP_YES] = "250 2.1.5 ok",
		[SMTP_NO_MAILBOX] = "550 5.1.1 no such mailbox here",
		[SMTP_NOT_HERE] = "550 5.7.1 that domain is not ours, and we do not relay",
		[SMTP_NO_SPACE] = "452 4.2.2 the mailbox has no room",
		[SMTP_FAILED] = "451 4.3.0 trouble of our own, try again",
	};
	s->n_rcpts += a == SMTP_YES;
	s->state = ST_COMMAND;
	smtp_reply(s, replies[a]);
}

void smtp_server_answer(struct smtp_server *s, enum smtp_answer a)
{
	switch (s->state) {
	case ST_ASKED_RCPT:
		rcpt_answered(s, a);
		break;
	case ST_ASKED_BEGIN:
		s->state = ST_COMMAND;
		if (a == SMTP_YES)
			text_begin(s);
		else
			smtp_reply(s, a == SMTP_NO_SPACE ? "452 4.3.1 no room for the message" : "451 4.3.0 trouble of our own, try again");
		break;
	case ST_TEXT:
		if (a != SMTP_YES && !s->refused)
			text_refuse(s, a == SMTP_NO_SPACE ? REFUSE_SPACE : REFUSE_TROUBLE);
		break;
	case ST_ASKED_END:
		s->state = ST_COMMAND;
		smtp_transaction_reset(s);
		if (a == SMTP_YES)
			smtp_reply(s, "250 2.0.0 ok, kept");
		else
			smtp_reply(s, a == SMTP_NO_SPACE ? "452 4.3.1 no room for the message" : "451 4.3.0 the message could not be kept");
		break;
	default:
		ASSERT(!"an answer that nobody asked for");
	}
}
