/* app/smtp/trace.c - the lines a server puts in front of a message it takes: Return-Path and Received (RFC 5321 §4.4). */
#include "app/smtp/smtp.h"

#include "app/http/http.h"
#include "app/text.h"

void smtp_date_format(int64_t t, char out[SMTP_DATE_LEN])
{
	char http[HTTP_DATE_LEN]; /* the same but for the zone's name */
	http_date_format(t, http);
	memcpy(out, http, HTTP_DATE_LEN - 3);
	memcpy(out + HTTP_DATE_LEN - 3, "+0000", 5);
}

size_t smtp_trace_emit(char *out, size_t cap, const struct smtp_trace *t)
{
	struct writer w = writer_of(out, cap);
	char date[SMTP_DATE_LEN];
	smtp_date_format(t->date, date);
	text_put(&w, "Return-Path: ");
	smtp_path_put(&w, t->from);
	text_put(&w, "\r\nReceived: from ");
	text_put(&w, t->helo);
	text_put(&w, strchr(t->peer, ':') ? " ([IPv6:" : " ([");
	text_put(&w, t->peer);
	text_put(&w, "])\r\n\tby ");
	text_put(&w, t->name);
	text_put(&w, t->is_esmtp ? " with ESMTP id " : " with SMTP id ");
	text_put(&w, t->id);
	if (t->to) {
		text_put(&w, "\r\n\tfor ");
		smtp_path_put(&w, t->to);
	}
	text_put(&w, ";\r\n\t");
	wr_bytes(&w, date, sizeof(date));
	text_put(&w, "\r\n");
	return w.bad ? 0 : (size_t)(w.p - (uint8_t *)out);
}
