/* app/http/reply.c - what to answer, and the bytes of its head (RFC 9110 §6.6.1, §8.6, §13.1.3, §14, §15; RFC 9112 §9.3).
 *
 * Every reply carries a Content-Length, so a connection can go on after it; 304 has neither body nor length. */
#include "app/http/http.h"

#include "app/http/text.h"

static const char *status_phrase(uint16_t status)
{
	static const struct {
		uint16_t status;
		const char *phrase;
	} all[] = {
		{200, "OK"}, {206, "Partial Content"}, {301, "Moved Permanently"}, {304, "Not Modified"}, {400, "Bad Request"},
		{403, "Forbidden"}, {404, "Not Found"}, {405, "Method Not Allowed"}, {413, "Content Too Large"}, {414, "URI Too Long"},
		{416, "Range Not Satisfiable"}, {417, "Expectation Failed"}, {431, "Request Header Fields Too Large"},
		{500, "Internal Server Error"}, {503, "Service Unavailable"}, {505, "HTTP Version Not Supported"},
	};
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (all[i].status == status)
			return all[i].phrase;
	return "Status";
}

/* The part of e that q asks for. False: none of it exists (RFC 9110 §14.1.2). */
static bool range_resolve(const struct http_request *q, uint64_t size, uint64_t *offset, uint64_t *len)
{
	if (q->range == HTTP_RANGE_SUFFIX) {
		*len = MIN(q->range_first, size);
		*offset = size - *len;
		return *len > 0;
	}
	if (q->range_first >= size)
		return false;
	*offset = q->range_first;
	*len = MIN(q->range_last, size - 1) - q->range_first + 1;
	return true;
}

void http_plan(const struct http_request *q, const struct http_entity *e, struct http_reply *r)
{
	*r = (struct http_reply){
		.status = 200, .keep_alive = q->keep_alive, .has_body = q->verb == HTTP_VERB_GET,
		.len = e->size, .size = e->size, .type = e->type, .mtime = e->mtime,
	};
	if (q->if_modified_since != HTTP_NO_TIME && e->mtime != HTTP_NO_TIME && e->mtime <= q->if_modified_since) {
		r->status = 304;
		r->has_body = false;
		return;
	}
	if (q->range == HTTP_RANGE_NONE)
		return;
	r->status = 206;
	if (!range_resolve(q, e->size, &r->offset, &r->len)) {
		r->status = 416;
		r->len = 0;
	}
}

uint32_t http_plan_status(const struct http_request *q, uint16_t status, struct http_reply *r, char *out)
{
	struct writer w = writer_of(out, 128);
	text_number(&w, status);
	text_put(&w, " ");
	text_put(&w, status_phrase(status));
	text_put(&w, "\n");
	uint32_t n = (uint32_t)(w.p - (uint8_t *)out);
	*r = (struct http_reply){
		.status = status, .keep_alive = q->keep_alive, .has_body = q->verb != HTTP_VERB_HEAD,
		.len = n, .size = n, .type = "text/plain; charset=utf-8", .mtime = HTTP_NO_TIME,
	};
	return n;
}

static void head_number(struct writer *w, const char *name, uint64_t v)
{
	text_put(w, name);
	text_number(w, v);
	text_put(w, "\r\n");
}

static void head_text(struct writer *w, const char *name, const char *v)
{
	text_put(w, name);
	text_put(w, v);
	text_put(w, "\r\n");
}

static void head_date(struct writer *w, const char *name, int64_t t)
{
	char date[HTTP_DATE_LEN];
	http_date_format(t, date);
	text_put(w, name);
	wr_bytes(w, date, sizeof(date));
	text_put(w, "\r\n");
}

static void head_content_range(struct writer *w, const struct http_reply *r)
{
	text_put(w, "Content-Range: bytes ");
	if (r->status == 206) {
		text_number(w, r->offset);
		text_put(w, "-");
		text_number(w, r->offset + r->len - 1);
	} else {
		text_put(w, "*");
	}
	head_number(w, "/", r->size);
}

size_t http_head_emit(char *out, size_t cap, const struct http_reply *r, int64_t date)
{
	struct writer w = writer_of(out, cap);
	text_put(&w, "HTTP/1.1 ");
	text_number(&w, r->status);
	head_text(&w, " ", status_phrase(r->status));
	head_text(&w, "Server: ", "viaduct");
	if (date != HTTP_NO_TIME)
		head_date(&w, "Date: ", date);
	if (r->mtime != HTTP_NO_TIME)
		head_date(&w, "Last-Modified: ", r->mtime);
	if (r->status == 405)
		head_text(&w, "Allow: ", "GET, HEAD");
	if (r->status == 200 || r->status == 206)
		head_text(&w, "Accept-Ranges: ", "bytes");
	if (r->status == 206 || r->status == 416)
		head_content_range(&w, r);
	if (r->location) {
		text_put(&w, "Location: ");
		text_url(&w, r->location, strlen(r->location));
		text_put(&w, "\r\n");
	}
	if (r->status != 304) {
		if (r->type)
			head_text(&w, "Content-Type: ", r->type);
		head_number(&w, "Content-Length: ", r->len);
	}
	head_text(&w, "Connection: ", r->keep_alive ? "keep-alive" : "close");
	text_put(&w, "\r\n");
	return w.bad ? 0 : (size_t)(w.p - (uint8_t *)out);
}
