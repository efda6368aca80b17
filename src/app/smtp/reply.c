/* app/smtp/reply.c - a server's replies: octets to lines, lines to one code (RFC 5321 §4.2). */
#include "app/smtp/converse.h"

/* "250", "250 text" or "250-text". The code, *more, *text; 0: it is no reply. */
static uint16_t line_parse(const char *p, size_t n, bool *more, const char **text)
{
	if (n < 3 || p[0] < '2' || p[0] > '5' || p[1] < '0' || p[1] > '9' || p[2] < '0' || p[2] > '9')
		return 0;
	if (n > 3 && p[3] != ' ' && p[3] != '-')
		return 0;
	*more = n > 3 && p[3] == '-';
	*text = p + MIN(n, 4);
	return (uint16_t)((p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0'));
}

/* A line is complete, without its CRLF. */
static void line_end(struct smtp_client *c)
{
	bool more;
	const char *text;
	size_t n = c->line_len;
	c->line[n] = 0;
	c->line_len = 0;
	uint16_t code = line_parse(c->line, n, &more, &text);
	if (!code || (c->reply_lines && code != c->reply_code) || c->reply_lines == SMTP_REPLY_LINES) {
		smtp_client_lost(c, "the server's reply is no SMTP");
		return;
	}
	for (char *p = c->line; *p; p++) /* it will be shown */
		if (*p < ' ' || *p == 0x7f)
			*p = '?';
	c->reply_code = code;
	smtp_converse_line(c, code, c->reply_lines++, text);
	if (more)
		return;
	c->reply_lines = 0;
	smtp_converse(c, code, text);
}

void smtp_client_feed(struct smtp_client *c, const void *data, size_t n)
{
	const uint8_t *p = data;
	for (size_t i = 0; i < n && c->stage != SMTP_STAGE_DONE; i++) {
		if (p[i] == '\n' && c->line_cr) {
			c->line_cr = false;
			line_end(c);
		} else if (c->line_cr || p[i] == '\n' || p[i] == 0) {
			smtp_client_lost(c, "the server's lines do not end in CRLF");
		} else if (p[i] == '\r') {
			c->line_cr = true;
		} else if (c->line_len < SMTP_REPLY_MAX) {
			c->line[c->line_len++] = (char)p[i];
		}
	}
}
