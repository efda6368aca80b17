/* app/smtp/text.c - the mail's text on the wire: where it ends, its doubled dots, its line ends (RFC 5321 §4.1.1.4, §4.5.2).
 *
 * The only end is CRLF "." CRLF. The dot that opens a line is held back until what follows it is known; since a bare CR
 * spoils the whole text, nothing held back is ever wanted again, and runs are handed out where they came. */
#include "app/smtp/smtp.h"

enum { AT_LINE, IN_LINE, AFTER_CR, AFTER_DOT, AFTER_DOT_CR };

static void flaw(struct smtp_unstuffer *u, enum smtp_flaw f)
{
	if (u->flaw == SMTP_FLAW_NONE)
		u->flaw = f;
}

/* One octet of the message that is neither CR nor LF. */
static void octet(struct smtp_unstuffer *u, uint8_t c)
{
	u->line += u->line <= SMTP_TEXT_MAX;
	if (u->line > SMTP_TEXT_MAX - 2)
		flaw(u, SMTP_FLAW_LONG_LINE);
	if (c == 0) /* RFC 6152: 8bit data has none, see RFC 2045 §2.8 */
		flaw(u, SMTP_FLAW_NUL);
	u->at = IN_LINE;
}

size_t smtp_unstuff(struct smtp_unstuffer *u, const uint8_t *data, size_t n, const uint8_t **run, size_t *run_len, bool *end)
{
	size_t i = 0, from = 0;
	*end = false;
	for (; i < n && !*end; i++) {
		uint8_t c = data[i];
		bool after_cr = u->at == AFTER_CR || u->at == AFTER_DOT_CR;
		if (c == '\n') {
			*end = u->at == AFTER_DOT_CR;
			if (!after_cr)
				flaw(u, SMTP_FLAW_BARE_LF);
			u->at = after_cr ? AT_LINE : IN_LINE;
			u->line = after_cr ? 0 : u->line;
			continue;
		}
		if (after_cr)
			flaw(u, SMTP_FLAW_BARE_CR);
		if (c == '\r') {
			bool dot = u->at == AFTER_DOT; /* then nothing stands between the two, and i is from */
			u->at = dot ? AFTER_DOT_CR : AFTER_CR;
			from += dot;
		} else if (c == '.' && u->at == AT_LINE) {
			if (i > from)
				break;
			u->at = AFTER_DOT;
			from++;
		} else {
			octet(u, c);
		}
	}
	*run = data + from;
	*run_len = *end ? 0 : i - from;
	return i;
}

size_t smtp_stuff(struct smtp_stuffer *s, const uint8_t *data, size_t n, struct writer *w)
{
	size_t i = 0;
	for (; i < n && w->end - w->p >= 3; i++) { /* an octet makes three at most */
		uint8_t c = data[i];
		bool was_cr = s->after_cr;
		s->after_cr = c == '\r';
		if (c == '\n' && was_cr)
			continue; /* its CR wrote both */
		if (c == '\r' || c == '\n') {
			wr_bytes(w, "\r\n", 2);
			s->in_line = false;
			continue;
		}
		if (c == '.' && !s->in_line)
			wr_u8(w, '.');
		wr_u8(w, c);
		s->in_line = true;
	}
	return i;
}

void smtp_stuff_end(struct smtp_stuffer *s, struct writer *w)
{
	if (s->in_line)
		wr_bytes(w, "\r\n", 2);
	wr_bytes(w, ".\r\n", 3);
	*s = (struct smtp_stuffer){0};
}
