/* app/http/http.h - HTTP/1.1 server engine: request bytes in, a request out; a reply in, its head's bytes out.
 *
 * Parsing is llhttp's; limits, the meaning of a target and what is answered are here. No sockets, no clock, no files:
 * the owner feeds bytes with http_feed(), looks the path up, lets http_plan() decide (200, 206, 304, 416), and sends
 * http_head_emit()'s bytes and the body. Works on any cut of the byte stream; pipelined requests come one at a time.
 * A path given to the owner is percent-decoded, begins with one '/', and has no empty, "." or ".." segment: it cannot
 * leave the folder it is appended to. struct http_parser holds pointers of this process (llhttp's).
 * Limits: HTTP_HEAD_MAX, HTTP_TARGET_MAX, HTTP_PATH_MAX, HTTP_BODY_MAX. Methods: GET and HEAD; bodies are read and ignored.
 * RFC 9110, 9112; of ranges one, of dates the IMF form. */
#ifndef APP_HTTP_H
#define APP_HTTP_H

#include "base/defs.h"

#define HTTP_HEAD_MAX 16384   /* request line and headers, bytes: more is 431 */
#define HTTP_TARGET_MAX 2048  /* request target without its query: more is 414 */
#define HTTP_PATH_MAX 1023    /* decoded path: more is 414 */
#define HTTP_BODY_MAX 1048576 /* a request's body we are willing to read and forget, and its chunks' framing: more is 413 */
#define HTTP_REPLY_HEAD_MAX 4096 /* bytes that any reply's head fits, if location is no longer than HTTP_PATH_MAX */
#define HTTP_NO_TIME INT64_MIN

enum http_verb { HTTP_VERB_GET = 1, HTTP_VERB_HEAD, HTTP_VERB_OTHER };
enum http_range {
	HTTP_RANGE_NONE,
	HTTP_RANGE_FROM,   /* range_first..range_last; last is UINT64_MAX when open */
	HTTP_RANGE_SUFFIX, /* the last range_first bytes */
};

struct http_request {
	uint16_t status;      /* 0, or what must be answered: 400, 405, 413, 414, 417, 431, 505 */
	enum http_verb verb;
	bool keep_alive;      /* another request may follow; false: close after the answer */
	bool is_http10;
	enum http_range range;
	uint64_t range_first, range_last;
	int64_t if_modified_since; /* seconds since 1970, or HTTP_NO_TIME */
	char path[HTTP_PATH_MAX + 1]; /* decoded, as said above; "" unless status is 0 */
};

struct http_parser {
	_Alignas(16) unsigned char llhttp[160]; /* an llhttp_t; its header stays out of this one */
	struct http_request req;
	uint32_t head_bytes;  /* of this request so far */
	uint32_t body_bytes;
	uint32_t framing_bytes; /* behind the head and not body */
	uint16_t target_len, name_len, value_len;
	uint8_t part;         /* enum http_part of request.c */
	uint8_t n_host, n_range;
	bool target_ended, target_long, value_long; /* query reached; longer than kept */
	bool expects, expects_other, has_if_range, has_if_none_match;
	char target[HTTP_TARGET_MAX + 1];
	char name[32], value[128]; /* the header being read, as far as it may matter */
};

void http_parser_init(struct http_parser *p);

enum http_progress {
	HTTP_FEED_MORE,     /* all bytes taken, feed more */
	HTTP_FEED_CONTINUE, /* the client waits for "100 Continue": send HTTP_100 and feed on */
	HTTP_FEED_REQUEST,  /* p->req is complete (its status tells if it is good): answer it, then feed on if keep_alive */
};
#define HTTP_100 "HTTP/1.1 100 Continue\r\n\r\n"

/* Take up to n bytes. Returns how many were taken; *what says why it stopped. After a request without keep_alive nothing
 * more is taken and *what stays HTTP_FEED_MORE. */
size_t http_feed(struct http_parser *p, const void *data, size_t n, enum http_progress *what);

/* What a path names, found by the owner. */
struct http_entity {
	uint64_t size;    /* bytes */
	int64_t mtime;    /* seconds since 1970, or HTTP_NO_TIME */
	const char *type; /* Content-Type */
};
struct http_reply {
	uint16_t status;
	bool keep_alive;
	bool has_body;         /* body bytes follow the head (not for HEAD, 304) */
	uint64_t offset, len;  /* the part of the entity that is the body; len is also Content-Length */
	uint64_t size;         /* of the whole entity, for Content-Range */
	const char *type;      /* or NULL */
	const char *location;  /* of a 301, as a decoded path, or NULL */
	int64_t mtime;         /* or HTTP_NO_TIME */
};
/* The answer to q for an existing entity: 200, 206, 304 or 416. */
void http_plan(const struct http_request *q, const struct http_entity *e, struct http_reply *r);
/* The answer with a status of its own (4xx, 5xx, 301) and a small text body; returns the body's length, written to out,
 * which holds at least 128 bytes. */
uint32_t http_plan_status(const struct http_request *q, uint16_t status, struct http_reply *r, char *out);
/* Status line, headers and the empty line. date: seconds since 1970 for the Date header, HTTP_NO_TIME for none. Returns
 * the length, or 0 if cap is too small. */
size_t http_head_emit(char *out, size_t cap, const struct http_reply *r, int64_t date);

/* Percent-decode a target (its query already cut off) to a path as described at the top; out holds HTTP_PATH_MAX + 1 bytes.
 * Returns 0 or the status to answer. */
uint16_t http_path_decode(const char *target, size_t n, char *out);

/* Content type by a path's extension; "application/octet-stream" if unknown. */
const char *http_type_of(const char *path);
/* A page listing a folder. names: '\n'-terminated entry names (a folder's end in '/'), n bytes. Returns the length, cut
 * after a whole entry when cap is too small (cap >= 16384). */
size_t http_listing_emit(char *out, size_t cap, const char *path, const char *names, size_t n);

/* IMF-fixdate ("Sun, 06 Nov 1994 08:49:37 GMT", 29 bytes, not terminated). Seconds since 1970, years 1970 to 9999. */
#define HTTP_DATE_LEN 29
void http_date_format(int64_t t, char out[HTTP_DATE_LEN]);
/* The same back; HTTP_NO_TIME if it is not one. */
int64_t http_date_parse(const char *text, size_t len);

#endif
