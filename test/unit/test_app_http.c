/* test_app_http.c - the HTTP engine: requests in any cut, limits, paths, ranges, reply heads, dates, listings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "app/http/http.h"
#include "base/rng.h"

#include <time.h>

static struct http_parser p;

/* Feed a text whole into a fresh parser; the status of its first request, -1 if it is not complete. */
static int first(const char *text)
{
	enum http_progress what = HTTP_FEED_CONTINUE;
	size_t n = strlen(text), at = 0;
	http_parser_init(&p);
	while (at < n && what == HTTP_FEED_CONTINUE)
		at += http_feed(&p, text + at, n - at, &what);
	return what == HTTP_FEED_REQUEST ? p.req.status : -1;
}

#define GET(target) "GET " target " HTTP/1.1\r\nHost: sina\r\n\r\n"
#define WITH(headers) "GET / HTTP/1.1\r\nHost: sina\r\n" headers "\r\n"

static void http_feed__simple_get(void **state)
{
	assert_int_equal(first("GET /a/b.html?x=1 HTTP/1.1\r\nHost: sina.lab\r\nUser-Agent: curl/7\r\n\r\n"), 0);
	assert_int_equal(p.req.verb, HTTP_VERB_GET);
	assert_string_equal(p.req.path, "/a/b.html");
	assert_true(p.req.keep_alive);
	assert_int_equal(p.req.range, HTTP_RANGE_NONE);
	assert_true(p.req.if_modified_since == HTTP_NO_TIME);
	assert_int_equal(first("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"), 0);
	assert_int_equal(p.req.verb, HTTP_VERB_HEAD);
}

static void http_feed__keep_alive(void **state)
{
	assert_int_equal(first(WITH("Connection: close\r\n")), 0);
	assert_false(p.req.keep_alive);
	assert_int_equal(first("GET / HTTP/1.0\r\n\r\n"), 0); /* no Host is fine in 1.0 */
	assert_false(p.req.keep_alive);
	assert_int_equal(first("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), 0);
	assert_true(p.req.keep_alive);
	assert_int_equal(first(WITH("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n")), 0);
	assert_true(p.req.keep_alive);
}

static const char *const pipelined =
	GET("/1")
	"POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nGET /\r\n3;ext=1\r\nabc\r\n0\r\nTrailer: x\r\n\r\n"
	"HEAD /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nGET "
	GET("/4%20x") "GET /5 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" GET("/6");

/* Whatever the cut, the same five requests come out, and the sixth is not looked at after "close". */
static void http_feed__any_cut_gives_the_same_requests(void **state)
{
	static const struct {
		int status, verb;
		const char *path;
	} want[] = {{0, HTTP_VERB_GET, "/1"}, {405, HTTP_VERB_OTHER, ""}, {0, HTTP_VERB_HEAD, "/3"},
		{0, HTTP_VERB_GET, "/4 x"}, {0, HTTP_VERB_GET, "/5"}};
	struct rng r;
	rng_seed(&r, 6);
	for (int round = 0; round < 400; round++) {
		size_t n = strlen(pipelined), at = 0, seen = 0;
		http_parser_init(&p);
		for (int step = 0; at < n; step++) {
			assert_true(step < 10000);
			enum http_progress what;
			size_t piece = round == 0 ? 1 : round == 1 ? n : 1 + rng_below(&r, 60);
			size_t k = http_feed(&p, pipelined + at, MIN(piece, n - at), &what);
			at += k;
			if (what == HTTP_FEED_REQUEST) {
				assert_true(seen < ARRAY_LEN(want));
				assert_int_equal(p.req.status, want[seen].status);
				assert_int_equal(p.req.verb, want[seen].verb);
				assert_string_equal(p.req.path, want[seen].path);
				assert_int_equal(p.req.keep_alive, seen < 4);
				seen++;
			} else if (k == 0) {
				break;
			}
		}
		assert_int_equal(seen, 5);
		assert_int_equal(n - at, strlen(GET("/6")));
	}
}

static void http_feed__refused_heads(void **state)
{
	assert_int_equal(first("GET / HTTP/1.1\r\n\r\n"), 400);                         /* RFC 9112 §3.2: no Host */
	assert_int_equal(first("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), 400);   /* two */
	assert_true(p.req.keep_alive);                                                  /* but where the next begins is known */
	assert_int_equal(first("\x16\x03\x01\x02garbage"), 400);
	assert_false(p.req.keep_alive);
	assert_int_equal(first("GET / HTTP/1.1\r\nHost : a\r\n\r\n"), 400);             /* RFC 9112 §5.1: space before the colon */
	assert_int_equal(first("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
	assert_int_equal(first("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n"), 400);
	assert_int_equal(first("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n"), 400);
	assert_int_equal(first("GET / HTTP/3.7\r\nHost: a\r\n\r\n"), 505);
	assert_int_equal(first("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505);
	assert_false(p.req.keep_alive);
	assert_int_equal(first("DELETE /x HTTP/1.1\r\nHost: a\r\n\r\n"), 405);
	assert_int_equal(first("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), 405);
	assert_int_equal(first("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"), 405);
	assert_false(p.req.keep_alive);
	assert_int_equal(first(WITH("Expect: tea\r\n")), 417);
}

static void http_feed__nothing_after_a_refusal(void **state)
{
	enum http_progress what;
	assert_int_equal(first("GET\r\n\r\n"), 400);
	assert_int_equal(http_feed(&p, GET("/"), strlen(GET("/")), &what), 0);
	assert_int_equal(what, HTTP_FEED_MORE);
}

/* `n` bytes c into the parser in pieces; the status, or -1. */
static int flood(char c, size_t n)
{
	char piece[997];
	enum http_progress what = HTTP_FEED_MORE;
	memset(piece, c, sizeof(piece));
	for (size_t at = 0; at < n && what == HTTP_FEED_MORE;) {
		size_t k = http_feed(&p, piece, MIN(sizeof(piece), n - at), &what);
		assert_true(k > 0 || what != HTTP_FEED_MORE);
		at += k;
	}
	return what == HTTP_FEED_REQUEST ? p.req.status : -1;
}

static void http_feed__limits(void **state)
{
	assert_int_equal(first("GET / HTTP/1.1\r\nHost: a\r\nX: "), -1);
	assert_int_equal(flood('x', HTTP_HEAD_MAX), 431);
	assert_false(p.req.keep_alive);
	assert_int_equal(first("GET /"), -1);
	assert_int_equal(flood('x', HTTP_HEAD_MAX), 414);
	http_parser_init(&p);
	assert_int_equal(flood('\n', HTTP_HEAD_MAX), 431);
	assert_int_equal(first("GET /"), -1);
	assert_int_equal(flood('x', HTTP_PATH_MAX - 1), -1);
	enum http_progress what;
	static const char end[] = " HTTP/1.1\r\nHost: a\r\n\r\n";
	http_feed(&p, end, sizeof(end) - 1, &what);
	assert_int_equal(p.req.status, 0);
	assert_int_equal(strlen(p.req.path), HTTP_PATH_MAX);
	assert_int_equal(first("GET /"), -1);
	assert_int_equal(flood('x', HTTP_PATH_MAX), -1);
	http_feed(&p, end, sizeof(end) - 1, &what);
	assert_int_equal(p.req.status, 414);
	assert_int_equal(first("GET /?"), -1); /* a long query is nobody's problem */
	assert_int_equal(flood('x', 8000), -1);
	http_feed(&p, end, sizeof(end) - 1, &what);
	assert_int_equal(p.req.status, 0);
	assert_string_equal(p.req.path, "/");
}

static void http_feed__body_limit(void **state)
{
	assert_int_equal(first("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n"), 413);
	assert_false(p.req.keep_alive);
	assert_int_equal(first("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\n"), -1);
	assert_int_equal(flood('x', HTTP_BODY_MAX), 405);
	assert_true(p.req.keep_alive);
	assert_int_equal(first("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n100001\r\n"), -1);
	assert_int_equal(flood('x', HTTP_BODY_MAX + 1), 413);
	assert_false(p.req.keep_alive);
}

/* Chunk extensions and trailers are bytes of a request too: one that never ends is refused. */
static void http_feed__framing_limit(void **state)
{
	static const char *const begin[] = {"1;ext=", "1\r\nx\r\n0\r\nTrailer: "};
	for (size_t i = 0; i < ARRAY_LEN(begin); i++) {
		enum http_progress what;
		assert_int_equal(first("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"), -1);
		http_feed(&p, begin[i], strlen(begin[i]), &what);
		assert_int_equal(flood('x', HTTP_HEAD_MAX / 2), -1);
		assert_int_equal(flood('x', 3 * HTTP_BODY_MAX), 413);
		assert_false(p.req.keep_alive);
	}
}

/* What stands in a trailer was not there when the head was judged (RFC 9110 section 6.5.1). */
static void http_feed__trailers_change_nothing(void **state)
{
	assert_int_equal(first("HEAD / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nRange: bytes=1-2\r\n"
		"If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\nExpect: 100-continue\r\nHost: b\r\n\r\n"), 0);
	assert_int_equal(p.req.range, HTTP_RANGE_NONE);
	assert_true(p.req.if_modified_since == HTTP_NO_TIME);
	assert_true(p.req.keep_alive);
}

/* RFC 9110 section 13.1.3: where If-None-Match is given, If-Modified-Since must be ignored, in either order. */
static void http_feed__if_none_match_comes_first(void **state)
{
#define SINCE "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
	assert_int_equal(first(WITH(SINCE)), 0);
	assert_true(p.req.if_modified_since == 784111777);
	assert_int_equal(first(WITH(SINCE "If-None-Match: \"a\"\r\n")), 0);
	assert_true(p.req.if_modified_since == HTTP_NO_TIME);
	assert_int_equal(first(WITH("If-None-Match: \"a\"\r\n" SINCE)), 0);
	assert_true(p.req.if_modified_since == HTTP_NO_TIME);
}

static void http_feed__expect_continue(void **state)
{
	static const char head[] = "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n";
	enum http_progress what;
	http_parser_init(&p);
	assert_int_equal(http_feed(&p, head, sizeof(head) - 1, &what), sizeof(head) - 1);
	assert_int_equal(what, HTTP_FEED_CONTINUE);
	assert_int_equal(http_feed(&p, "a", 1, &what), 1);
	assert_int_equal(what, HTTP_FEED_MORE);
	assert_int_equal(http_feed(&p, "b", 1, &what), 1);
	assert_int_equal(what, HTTP_FEED_REQUEST);
	assert_int_equal(p.req.status, 0);
	/* A method we refuse is refused before its body is sent (RFC 9110 §10.1.1). */
	static const char put[] = "PUT /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
	assert_int_equal(first(put), 405);
	assert_false(p.req.keep_alive);
	assert_int_equal(first(WITH("Expect: 100-continue\r\n")), 0); /* without a body there is nothing to wait for */
}

static int decode(const char *target, char *out)
{
	return http_path_decode(target, strlen(target), out);
}

static void http_path_decode__cases(void **state)
{
	char out[HTTP_PATH_MAX + 1];
	static const struct {
		const char *target, *path;
	} good[] = {
		{"/", "/"},
		{"/a", "/a"},
		{"/a/", "/a/"},
		{"//a///b//", "/a/b/"},
		{"/%61%2Fb", "/a/b"},
		{"/a%20b", "/a b"},
		{"/%c3%a4", "/\xc3\xa4"},
		{"/...", "/..."},
		{"/.x", "/.x"},
		{"/a.", "/a."},
		{"/..a", "/..a"},
		{"http://sina.lab/x/y", "/x/y"},
		{"HTTP://sina", "/"},
		{"/a+b", "/a+b"},
	};
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(decode(good[i].target, out), 0);
		assert_string_equal(out, good[i].path);
	}
	static const char *const bad[] = {
		"",
		"a",
		"*",
		"/..",
		"/../etc/passwd",
		"/a/../b",
		"/./a",
		"/a/.",
		"/%2e%2e/x",
		"/%2E%2e%2fetc",
		"/a/..%2f..%2fetc",
		"/%00",
		"/a%0a",
		"/%",
		"/%4",
		"/%zz",
		"/\x7f",
		"/a%7F",
		"//..",
		"http://h/../x",
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(decode(bad[i], out), 400);
}

static void http_feed__range(void **state)
{
	static const struct {
		const char *value;
		int range;
		uint64_t a, b;
	} cases[] = {
		{"bytes=0-0", HTTP_RANGE_FROM, 0, 0}, {"bytes=5-", HTTP_RANGE_FROM, 5, UINT64_MAX}, {"bytes=-7", HTTP_RANGE_SUFFIX, 7, 0},
		{"Bytes=1-2", HTTP_RANGE_FROM, 1, 2}, {"bytes=2-1", HTTP_RANGE_NONE, 0, 0}, {"bytes=0-1,3-4", HTTP_RANGE_NONE, 0, 0},
		{"lines=0-1", HTTP_RANGE_NONE, 0, 0}, {"bytes=-", HTTP_RANGE_NONE, 0, 0}, {"bytes=a-b", HTTP_RANGE_NONE, 0, 0},
		{"bytes=99999999999999999999-", HTTP_RANGE_NONE, 0, 0}, {"bytes=", HTTP_RANGE_NONE, 0, 0}, {"bytes=1- 2", HTTP_RANGE_NONE, 0, 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[256] = "GET / HTTP/1.1\r\nHost: a\r\nRange: ";
		strcat(strcat(text, cases[i].value), "\r\n\r\n");
		assert_int_equal(first(text), 0);
		assert_int_equal(p.req.range, cases[i].range);
		if (cases[i].range)
			assert_int_equal(p.req.range_first, cases[i].a);
		if (cases[i].range == HTTP_RANGE_FROM)
			assert_int_equal(p.req.range_last, cases[i].b);
	}
	assert_int_equal(first(WITH("Range: bytes=0-1\r\nRange: bytes=2-3\r\n")), 0);
	assert_int_equal(p.req.range, HTTP_RANGE_NONE);
	assert_int_equal(first(WITH("Range: bytes=0-1\r\nIf-Range: \"x\"\r\n")), 0);
	assert_int_equal(p.req.range, HTTP_RANGE_NONE);
	assert_int_equal(first("HEAD / HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1\r\n\r\n"), 0);
	assert_int_equal(p.req.range, HTTP_RANGE_NONE);
}

static const struct http_entity entity = {.size = 1000, .mtime = 784111777, .type = "text/html"};

static void http_plan__ranges(void **state)
{
	static const struct {
		int range;
		uint64_t a, b;
		int status;
		uint64_t offset, len;
	} cases[] = {
		{HTTP_RANGE_NONE, 0, 0, 200, 0, 1000},
		{HTTP_RANGE_FROM, 0, 0, 206, 0, 1},
		{HTTP_RANGE_FROM, 999, UINT64_MAX, 206, 999, 1},
		{HTTP_RANGE_FROM, 500, 5000, 206, 500, 500},
		{HTTP_RANGE_FROM, 1000, UINT64_MAX, 416, 0, 0},
		{HTTP_RANGE_SUFFIX, 10, 0, 206, 990, 10},
		{HTTP_RANGE_SUFFIX, 5000, 0, 206, 0, 1000},
		{HTTP_RANGE_SUFFIX, 0, 0, 416, 0, 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_request q = {.verb = HTTP_VERB_GET,
			.if_modified_since = HTTP_NO_TIME,
			.range = (enum http_range)cases[i].range,
			.range_first = cases[i].a,
			.range_last = cases[i].b};
		struct http_reply r;
		http_plan(&q, &entity, &r);
		assert_int_equal(r.status, cases[i].status);
		assert_int_equal(r.len, cases[i].len);
		if (r.len)
			assert_int_equal(r.offset, cases[i].offset);
		assert_int_equal(r.size, 1000);
	}
	struct http_entity empty = {.mtime = HTTP_NO_TIME};
	struct http_request q = {.verb = HTTP_VERB_GET, .if_modified_since = HTTP_NO_TIME, .range = HTTP_RANGE_FROM, .range_last = UINT64_MAX};
	struct http_reply r;
	http_plan(&q, &empty, &r);
	assert_int_equal(r.status, 416);
}

static void http_plan__if_modified_since(void **state)
{
	for (int d = -1; d <= 1; d++) {
		struct http_request q = {.verb = HTTP_VERB_GET, .if_modified_since = entity.mtime + d};
		struct http_reply r;
		http_plan(&q, &entity, &r);
		assert_int_equal(r.status, d < 0 ? 200 : 304);
		assert_int_equal(r.has_body, d < 0);
	}
	assert_int_equal(first(WITH("If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n")), 0);
	assert_int_equal(p.req.if_modified_since, 784111777);
	assert_int_equal(first(WITH("If-Modified-Since: yesterday\r\n")), 0);
	assert_true(p.req.if_modified_since == HTTP_NO_TIME);
}

static void http_head_emit__bytes(void **state)
{
	static const char want[] = "HTTP/1.1 206 Partial Content\r\nServer: viaduct\r\nDate: Thu, 01 Jan 1970 00:00:00 "
				   "GMT\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
				   "Accept-Ranges: bytes\r\nContent-Range: bytes 10-19/1000\r\nContent-Type: "
				   "text/html\r\nContent-Length: 10\r\nConnection: keep-alive\r\n\r\n";
	struct http_request q = {.verb = HTTP_VERB_GET,
		.keep_alive = true,
		.if_modified_since = HTTP_NO_TIME,
		.range = HTTP_RANGE_FROM,
		.range_first = 10,
		.range_last = 19};
	struct http_reply r;
	char out[HTTP_REPLY_HEAD_MAX];
	http_plan(&q, &entity, &r);
	size_t n = http_head_emit(out, sizeof(out), &r, 0);
	assert_int_equal(n, sizeof(want) - 1);
	assert_memory_equal(out, want, n);
	for (size_t cap = 0; cap < n; cap++)
		assert_int_equal(http_head_emit(out, cap, &r, 0), 0);
}

static void http_head_emit__statuses(void **state)
{
	struct http_request q = {.verb = HTTP_VERB_GET, .keep_alive = false, .if_modified_since = INT64_MAX};
	struct http_reply r;
	char out[HTTP_REPLY_HEAD_MAX + 1], text[128];
	http_plan(&q, &entity, &r);
	out[http_head_emit(out, sizeof(out) - 1, &r, HTTP_NO_TIME)] = 0;
	assert_null(strstr(out, "Content-Length")); /* RFC 9110 §8.6: it would speak of the 200 */
	assert_null(strstr(out, "Date:"));
	assert_non_null(strstr(out, "Connection: close\r\n"));
	uint32_t n = http_plan_status(&q, 405, &r, text);
	assert_int_equal(r.len, n);
	assert_memory_equal(text, "405 Method Not Allowed\n", n);
	out[http_head_emit(out, sizeof(out) - 1, &r, HTTP_NO_TIME)] = 0;
	assert_non_null(strstr(out, "\r\nAllow: GET, HEAD\r\n"));
	q.if_modified_since = HTTP_NO_TIME;
	q.range = HTTP_RANGE_FROM;
	q.range_first = 5000;
	http_plan(&q, &entity, &r);
	out[http_head_emit(out, sizeof(out) - 1, &r, HTTP_NO_TIME)] = 0;
	assert_non_null(strstr(out, "\r\nContent-Range: bytes */1000\r\n"));
	http_plan_status(&q, 301, &r, text);
	r.location = "/a b/\r\n\xc3/";
	out[http_head_emit(out, sizeof(out) - 1, &r, HTTP_NO_TIME)] = 0;
	assert_non_null(strstr(out, "\r\nLocation: /a%20b/%0D%0A%C3/\r\n"));
}

static void http_head_emit__longest_location_fits(void **state)
{
	static char location[HTTP_PATH_MAX + 2], out[HTTP_REPLY_HEAD_MAX], text[128];
	struct http_request q = {.verb = HTTP_VERB_GET};
	struct http_reply r;
	memset(location, 0xff, HTTP_PATH_MAX + 1);
	http_plan_status(&q, 301, &r, text);
	r.location = location;
	assert_int_not_equal(http_head_emit(out, sizeof(out), &r, 0), 0);
}

static void http_date__agrees_with_libc(void **state)
{
	struct rng r;
	rng_seed(&r, 7);
	for (int i = 0; i < 20000; i++) {
		char got[HTTP_DATE_LEN + 1] = {0}, want[64];
		time_t t = i < 4000 ? (time_t)i * 86400 * 37 : (time_t)rng_below(&r, 253402300800);
		struct tm tm;
		http_date_format(t, got);
		gmtime_r(&t, &tm);
		strftime(want, sizeof(want), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		assert_string_equal(got, want);
		assert_int_equal(http_date_parse(got, HTTP_DATE_LEN), t);
	}
	static const char *const bad[] = {
		"Mon, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 24:00:00 GMT", "Wed, 30 Feb 1994 00:00:00 GMT",
		"Sun, 06 nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Sun, 06 Nov 1994 08:49:37 GMT ", "",
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_true(http_date_parse(bad[i], strlen(bad[i])) == HTTP_NO_TIME);
}

static void http_type_of__cases(void **state)
{
	assert_string_equal(http_type_of("/index.html"), "text/html; charset=utf-8");
	assert_string_equal(http_type_of("/A.PNG"), "image/png");
	assert_string_equal(http_type_of("/x.js.map"), "application/octet-stream");
	assert_string_equal(http_type_of("/html"), "application/octet-stream");
	assert_string_equal(http_type_of("/a.html/b"), "application/octet-stream");
}

static void http_listing_emit__escapes_and_cuts(void **state)
{
	static char out[16384];
	static const char names[] = "a b.txt\nsub/\n<i>\"&x\njavascript:alert(1)\n";
	size_t n = http_listing_emit(out, sizeof(out) - 1, "/x<y/", names, sizeof(names) - 1);
	out[n] = 0;
	assert_non_null(strstr(out, "<h1>/x&lt;y/</h1>"));
	assert_non_null(strstr(out, "<a href=\"./a%20b.txt\">a b.txt</a>"));
	assert_non_null(strstr(out, "<a href=\"./sub/\">sub/</a>"));
	assert_non_null(strstr(out, "<a href=\"./%3Ci%3E%22%26x\">&lt;i&gt;&quot;&amp;x</a>"));
	assert_non_null(strstr(out, "<a href=\"./javascript%3Aalert%281%29\">"));
	assert_non_null(strstr(out, "<a href=\"../\">"));
	for (size_t cap = 200; cap < n; cap++) { /* cut anywhere it is still a whole page */
		size_t k = http_listing_emit(out, cap, "/x<y/", names, sizeof(names) - 1);
		assert_true(k <= cap);
		assert_memory_equal(out + k - 21, "</ul>\n</body></html>\n", 21);
		out[k] = 0;
		size_t open = 0, closed = 0;
		for (char *s = out; (s = strstr(s, "<li>")); s++)
			open++;
		for (char *s = out; (s = strstr(s, "</li>")); s++)
			closed++;
		assert_int_equal(open, closed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(http_feed__simple_get),
		cmocka_unit_test(http_feed__keep_alive),
		cmocka_unit_test(http_feed__any_cut_gives_the_same_requests),
		cmocka_unit_test(http_feed__refused_heads),
		cmocka_unit_test(http_feed__nothing_after_a_refusal),
		cmocka_unit_test(http_feed__limits),
		cmocka_unit_test(http_feed__body_limit),
		cmocka_unit_test(http_feed__framing_limit),
		cmocka_unit_test(http_feed__trailers_change_nothing),
		cmocka_unit_test(http_feed__if_none_match_comes_first),
		cmocka_unit_test(http_feed__expect_continue),
		cmocka_unit_test(http_path_decode__cases),
		cmocka_unit_test(http_feed__range),
		cmocka_unit_test(http_plan__ranges),
		cmocka_unit_test(http_plan__if_modified_since),
		cmocka_unit_test(http_head_emit__bytes),
		cmocka_unit_test(http_head_emit__statuses),
		cmocka_unit_test(http_head_emit__longest_location_fits),
		cmocka_unit_test(http_date__agrees_with_libc),
		cmocka_unit_test(http_type_of__cases),
		cmocka_unit_test(http_listing_emit__escapes_and_cuts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
