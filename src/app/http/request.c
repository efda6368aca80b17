/* app/http/request.c - request bytes to struct http_request, on llhttp (RFC 9112 §2 to §7, RFC 9110 §10.1.1, §14.2).
 *
 * llhttp calls back with spans of the bytes it is fed. The callbacks keep the target and the few headers that matter,
 * decide the status when the head is complete, and pause llhttp at the end of the message, so that one http_feed()
 * yields at most one request. Whatever llhttp refuses becomes a 400 after which the connection closes: the place where
 * the next request begins is no longer known. */
#include "app/http/http.h"

#include <llhttp.h>
#include <strings.h>

enum http_part { PART_HEAD, PART_BODY, PART_DONE, PART_DEAD };

_Static_assert(sizeof(llhttp_t) <= sizeof(((struct http_parser *)0)->llhttp), "http_parser.llhttp holds an llhttp_t");

static llhttp_t *parser_llhttp(struct http_parser *p)
{
	return (llhttp_t *)(void *)p->llhttp;
}

static struct http_parser *parser_of(llhttp_t *l)
{
	return l->data;
}

/* Forget the last request. */
static void parser_begin(struct http_parser *p)
{
	p->req.status = 0;
	p->req.verb = HTTP_VERB_OTHER;
	p->req.keep_alive = p->req.is_http10 = false;
	p->req.range = HTTP_RANGE_NONE;
	p->req.range_first = p->req.range_last = 0;
	p->req.if_modified_since = HTTP_NO_TIME;
	p->req.path[0] = 0;
	p->body_bytes = p->framing_bytes = 0;
	p->target_len = p->name_len = p->value_len = 0;
	p->n_host = p->n_range = 0;
	p->target_ended = p->target_long = p->value_long = false;
	p->expects = p->expects_other = p->has_if_range = p->has_if_none_match = false;
}

/* The request ends here, unreadable: answer and close. */
static void parser_refuse(struct http_parser *p, uint16_t status)
{
	p->req.status = status;
	p->req.keep_alive = false;
	p->req.path[0] = 0;
	p->part = PART_DONE;
}

static int on_begin(llhttp_t *l)
{
	parser_begin(parser_of(l));
	return 0;
}

static int on_url(llhttp_t *l, const char *at, size_t n)
{
	struct http_parser *p = parser_of(l);
	for (size_t i = 0; i < n && !p->target_ended && !p->target_long; i++) {
		if (at[i] == '?' || at[i] == '#')
			p->target_ended = true;
		else if (p->target_len == HTTP_TARGET_MAX)
			p->target_long = true;
		else
			p->target[p->target_len++] = at[i];
	}
	return 0;
}

static int on_name(llhttp_t *l, const char *at, size_t n)
{
	struct http_parser *p = parser_of(l);
	size_t room = sizeof(p->name) - p->name_len;
	memcpy(p->name + p->name_len, at, MIN(n, room)); /* a name that fills it is none we look for */
	p->name_len = (uint16_t)(p->name_len + MIN(n, room));
	return 0;
}

static int on_value(llhttp_t *l, const char *at, size_t n)
{
	struct http_parser *p = parser_of(l);
	size_t room = sizeof(p->value) - p->value_len;
	p->value_long = p->value_long || n > room;
	memcpy(p->value + p->value_len, at, MIN(n, room));
	p->value_len = (uint16_t)(p->value_len + MIN(n, room));
	return 0;
}

/* A decimal number at *i of the value. False: no digit or past 2^63. */
static bool value_number(const struct http_parser *p, size_t *i, uint64_t *out)
{
	size_t from = *i;
	uint64_t v = 0;
	while (*i < p->value_len && p->value[*i] >= '0' && p->value[*i] <= '9') {
		if (v > (UINT64_MAX >> 1) / 10 - 1)
			return false;
		v = v * 10 + (uint64_t)(p->value[(*i)++] - '0');
	}
	*out = v;
	return *i > from;
}

/* "bytes=a-b", "bytes=a-", "bytes=-n". Anything else, several ranges among it, is ignored (RFC 9110 §14.2). */
static void on_range(struct http_parser *p)
{
	struct http_request *q = &p->req;
	size_t i = 6;
	p->n_range = (uint8_t)MIN(p->n_range + 1, 2);
	if (p->n_range > 1 || p->value_len < 8 || strncasecmp(p->value, "bytes=", 6) != 0) {
		q->range = HTTP_RANGE_NONE;
		return;
	}
	uint64_t first = 0, last = UINT64_MAX;
	bool suffix = p->value[6] == '-';
	if (suffix)
		i++;
	if (!value_number(p, &i, &first))
		return;
	if (!suffix) {
		if (i == p->value_len || p->value[i++] != '-')
			return;
		if (i < p->value_len && (!value_number(p, &i, &last) || last < first))
			return;
	}
	if (i != p->value_len)
		return;
	q->range = suffix ? HTTP_RANGE_SUFFIX : HTTP_RANGE_FROM;
	q->range_first = first;
	q->range_last = last;
}

static bool name_is(const struct http_parser *p, const char *name)
{
	size_t n = strlen(name);
	return p->name_len == n && strncasecmp(p->name, name, n) == 0;
}

static int on_value_complete(llhttp_t *l)
{
	struct http_parser *p = parser_of(l);
	while (p->value_len > 0 && (p->value[p->value_len - 1] == ' ' || p->value[p->value_len - 1] == '\t'))
		p->value_len--;
	if (p->part != PART_HEAD) {
		/* a trailer: the request was judged without it (RFC 9110 §6.5.1) */
	} else if (name_is(p, "host")) {
		p->n_host = (uint8_t)MIN(p->n_host + 1, 2);
	} else if (name_is(p, "range")) {
		on_range(p);
		if (p->value_long)
			p->req.range = HTTP_RANGE_NONE;
	} else if (name_is(p, "if-range")) {
		p->has_if_range = true;
	} else if (name_is(p, "if-none-match")) {
		p->has_if_none_match = true;
	} else if (name_is(p, "if-modified-since")) {
		p->req.if_modified_since = http_date_parse(p->value, p->value_len);
	} else if (name_is(p, "expect")) {
		bool known = p->value_len == 12 && strncasecmp(p->value, "100-continue", 12) == 0;
		p->expects |= known;
		p->expects_other |= !known;
	}
	p->name_len = p->value_len = 0;
	p->value_long = false;
	return 0;
}

/* What the head alone says must be answered; 0 when the request is good. */
static uint16_t head_status(struct http_parser *p, const llhttp_t *l)
{
	if (l->http_major != 1)
		return 505;
	if (p->n_host > 1 || (p->n_host == 0 && !p->req.is_http10)) /* RFC 9112 §3.2 */
		return 400;
	if ((l->flags & F_CONTENT_LENGTH) && l->content_length > HTTP_BODY_MAX)
		return 413;
	if (p->target_long)
		return 414;
	if (p->req.verb == HTTP_VERB_OTHER)
		return 405;
	if (p->expects_other)
		return 417;
	return http_path_decode(p->target, p->target_len, p->req.path);
}

static int on_head_complete(llhttp_t *l)
{
	struct http_parser *p = parser_of(l);
	struct http_request *q = &p->req;
	p->part = PART_BODY;
	q->is_http10 = l->http_major == 1 && l->http_minor == 0;
	q->verb = l->method == HTTP_GET ? HTTP_VERB_GET : l->method == HTTP_HEAD ? HTTP_VERB_HEAD : HTTP_VERB_OTHER;
	if (q->verb != HTTP_VERB_GET || p->has_if_range) /* without If-Range's answer a whole reply is always right */
		q->range = HTTP_RANGE_NONE;
	if (p->has_if_none_match) /* nothing here has an entity tag, so none matches (RFC 9110 §13.1.3) */
		q->if_modified_since = HTTP_NO_TIME;
	q->status = head_status(p, l);
	if (q->status)
		q->path[0] = 0;
	if (l->method != HTTP_CONNECT)
		l->upgrade = 0; /* we speak nothing else: the request is answered as it stands (RFC 9110 §7.8) */
	bool body = (l->flags & F_CHUNKED) || l->content_length > 0;
	if (l->method == HTTP_CONNECT || q->status == 413 || q->status == 505 || (q->status && p->expects && body)) {
		parser_refuse(p, q->status); /* a body that may or may not come: the next request cannot be found */
		return HPE_PAUSED;
	}
	return p->expects && body && !q->is_http10 ? HPE_PAUSED : 0;
}

static int on_body(llhttp_t *l, const char *at, size_t n)
{
	struct http_parser *p = parser_of(l);
	if (n > HTTP_BODY_MAX - p->body_bytes) {
		parser_refuse(p, 413);
		return HPE_PAUSED;
	}
	p->body_bytes += (uint32_t)n;
	return 0;
}

static int on_complete(llhttp_t *l)
{
	struct http_parser *p = parser_of(l);
	p->req.keep_alive = llhttp_should_keep_alive(l);
	p->part = PART_DONE;
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
	.on_message_begin = on_begin,
	.on_url = on_url,
	.on_header_field = on_name,
	.on_header_value = on_value,
	.on_header_value_complete = on_value_complete,
	.on_headers_complete = on_head_complete,
	.on_body = on_body,
	.on_message_complete = on_complete,
};

void http_parser_init(struct http_parser *p)
{
	memset(p, 0, sizeof(*p));
	llhttp_init(parser_llhttp(p), HTTP_REQUEST, &settings);
	parser_llhttp(p)->data = p;
	parser_begin(p);
}

/* Feed at most what the limits allow, so that the cut of the bytes changes nothing. Returns bytes taken. Behind the head,
 * what is not body is framing: chunk sizes and extensions, trailers. */
static size_t parser_step(struct http_parser *p, const char *data, size_t n)
{
	llhttp_t *l = parser_llhttp(p);
	bool head = p->part == PART_HEAD;
	uint32_t body = p->body_bytes;
	n = MIN(n, head ? HTTP_HEAD_MAX - p->head_bytes : HTTP_BODY_MAX + 1 - p->framing_bytes);
	llhttp_errno_t err = llhttp_execute(l, data, n);
	if (err != HPE_OK)
		n = (size_t)(llhttp_get_error_pos(l) - data);
	if (head)
		p->head_bytes += (uint32_t)n;
	else
		p->framing_bytes += (uint32_t)n - (p->body_bytes - body);
	if (err == HPE_PAUSED)
		llhttp_resume(l);
	else if (err != HPE_OK)
		parser_refuse(p, err == HPE_INVALID_VERSION || err == HPE_PAUSED_H2_UPGRADE ? 505 : 400);
	if (p->part == PART_HEAD && p->head_bytes == HTTP_HEAD_MAX)
		parser_refuse(p, p->target_long ? 414 : 431);
	if (p->part == PART_BODY && p->framing_bytes > HTTP_BODY_MAX)
		parser_refuse(p, 413);
	return n;
}

size_t http_feed(struct http_parser *p, const void *data, size_t n, enum http_progress *what)
{
	size_t taken = 0;
	*what = HTTP_FEED_MORE;
	if (p->part == PART_DONE) {
		p->part = p->req.keep_alive ? PART_HEAD : PART_DEAD;
		p->head_bytes = 0;
	}
	while (taken < n && p->part != PART_DEAD && *what == HTTP_FEED_MORE) {
		bool was_head = p->part == PART_HEAD;
		taken += parser_step(p, (const char *)data + taken, n - taken);
		if (p->part == PART_DONE)
			*what = HTTP_FEED_REQUEST;
		else if (was_head && p->part == PART_BODY && p->expects && !p->req.is_http10)
			*what = HTTP_FEED_CONTINUE;
	}
	return taken;
}
