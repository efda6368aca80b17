/* test_serve_http.c - the web server on fake sockets: answers, back-pressure, pipelining, closing, folders, memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "serve/http.h"
#include "test/unit/fake_via.h"
#include "test/unit/region.h"

enum { REGION = 4 << 20, BIG = 300000 };
static char big[BIG];

struct fixture {
	struct via *v;
	struct arena *arena;
	struct serve_http http;
	int n_open; /* files open now */
};

static const struct {
	const char *path, *text;
} tree[] = {{"/index.html", "<!doctype html><html>hello</html>"}, {"/a b.txt", "spaced"}, {"/sub/x", "x"}, {"/site/index.html", "inner"}};

static int tree_open(void *ctx, const char *path, struct serve_file *out)
{
	struct fixture *f = ctx;
	*out = (struct serve_file){.mtime = 784111777};
	if (strcmp(path, "/big") == 0) {
		out->data = big;
		out->len = BIG;
	}
	for (size_t i = 0; i < sizeof(tree) / sizeof(tree[0]); i++)
		if (strcmp(path, tree[i].path) == 0) {
			out->data = tree[i].text;
			out->len = strlen(tree[i].text);
		}
	if (out->data) {
		f->n_open++;
		return 0;
	}
	if (strcmp(path, "/secret") == 0)
		return -EACCES;
	return strcmp(path, "/sub") == 0 || strcmp(path, "/site") == 0 ? -EISDIR : -ENOENT;
}

static void tree_close(void *ctx, struct serve_file *file)
{
	struct fixture *f = ctx;
	assert_non_null(file->data);
	f->n_open--;
}

static int64_t tree_list(void *ctx, const char *path, char *out, size_t cap)
{
	if (strcmp(path, "/sub/") != 0)
		return -ENOENT;
	memcpy(out, "x\ny/\n", 5);
	return 5;
}

static int setup_with(void **state, uint32_t conns_max)
{
	static struct fixture f;
	memset(&f, 0, sizeof(f));
	for (size_t i = 0; i < BIG; i++)
		big[i] = (char)(i * 7 + i / 251);
	f.v = fake_new();
	f.arena = region_new(REGION);
	struct serve_http_config cfg = {
		.arena = f.arena, .via = f.v, .files = {tree_open, tree_close, tree_list, &f}, .conns_max = conns_max,
	};
	assert_int_equal(serve_http_start(&f.http, &cfg, 0), 0);
	*state = &f;
	return 0;
}

static int setup(void **state)
{
	return setup_with(state, 0);
}

static int setup_two(void **state)
{
	return setup_with(state, 2);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	serve_http_stop(&f->http);
	int bad = f->n_open != 0 || arena_bytes_used(f->arena) != 0;
	for (int i = 0; i < f->v->n; i++)
		bad |= fake_at(f->v, (via_sock)i + 1) && f->v->s[i].cookie;
	fake_free(f->v);
	region_free(f->arena);
	return bad ? -1 : 0;
}

/* What the server sent on a connection so far, terminated; the mark moves. */
static const char *sent(struct fixture *f, via_sock c)
{
	fake_put(f->v, c, "", 0);
	struct fake_sock *s = &f->v->s[c - 1];
	s->out = realloc(s->out, s->out_len + 1);
	s->out[s->out_len] = 0;
	s->out_len = 0;
	return (const char *)s->out;
}

static const char *body_of(const char *reply)
{
	const char *end = strstr(reply, "\r\n\r\n");
	assert_non_null(end);
	return end + 4;
}

/* One request on a fresh connection. */
static const char *get(struct fixture *f, const char *request)
{
	via_sock c = fake_connect(f->v, true);
	fake_write(f->v, c, request);
	return sent(f, c);
}
#define GET(target) "GET " target " HTTP/1.1\r\nHost: a\r\n\r\n"

static void serve_http__files(void **state)
{
	struct fixture *f = *state;
	const char *r = get(f, GET("/"));
	assert_memory_equal(r, "HTTP/1.1 200 OK\r\n", 17);
	assert_non_null(strstr(r, "Content-Type: text/html; charset=utf-8\r\n"));
	assert_non_null(strstr(r, "Content-Length: 33\r\n"));
	assert_string_equal(body_of(r), tree[0].text);
	r = get(f, GET("/a%20b.txt"));
	assert_non_null(strstr(r, "Content-Type: text/plain"));
	assert_string_equal(body_of(r), "spaced");
	r = get(f, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_non_null(strstr(r, "Content-Length: 33\r\n"));
	assert_string_equal(body_of(r), "");
	r = get(f, "GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=2-8\r\n\r\n");
	assert_memory_equal(r, "HTTP/1.1 206 ", 13);
	assert_string_equal(body_of(r), "doctype");
	r = get(f, "GET / HTTP/1.1\r\nHost: a\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n");
	assert_memory_equal(r, "HTTP/1.1 304 ", 13);
	assert_string_equal(body_of(r), "");
}

static void serve_http__errors_and_folders(void **state)
{
	struct fixture *f = *state;
	assert_memory_equal(get(f, GET("/nothing")), "HTTP/1.1 404 ", 13);
	assert_memory_equal(get(f, GET("/secret")), "HTTP/1.1 403 ", 13);
	assert_memory_equal(get(f, GET("/../secret")), "HTTP/1.1 400 ", 13);
	assert_memory_equal(get(f, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"), "HTTP/1.1 405 ", 13);
	const char *r = get(f, GET("/sub"));
	assert_memory_equal(r, "HTTP/1.1 301 ", 13);
	assert_non_null(strstr(r, "\r\nLocation: /sub/\r\n"));
	r = get(f, GET("/sub/"));
	assert_memory_equal(r, "HTTP/1.1 200 ", 13);
	assert_non_null(strstr(r, "<a href=\"./y/\">y/</a>"));
	assert_string_equal(body_of(get(f, GET("/site/"))), "inner");
	assert_memory_equal(get(f, GET("/none/")), "HTTP/1.1 404 ", 13);
	f->http.cfg.files.list = NULL;
	assert_memory_equal(get(f, GET("/sub/")), "HTTP/1.1 403 ", 13);
}

static void serve_http__listing_without_memory(void **state)
{
	struct fixture *f = *state;
	ref_t r, all[512];
	int n = 0;
	via_sock c = fake_connect(f->v, true);
	while (n < 512 && (r = arena_pages_take(f->arena, 1)))
		all[n++] = r;
	fake_write(f->v, c, GET("/sub/"));
	assert_memory_equal(sent(f, c), "HTTP/1.1 503 ", 13);
	while (n > 0)
		arena_pages_give(f->arena, all[--n], 1);
}

/* The body comes whole through a window of a few bytes, and the next request waits for it. */
static void serve_http__back_pressure(void **state)
{
	struct fixture *f = *state;
	via_sock c = fake_connect(f->v, true);
	struct fake_sock *s = &f->v->s[c - 1];
	s->room = 0;
	fake_write(f->v, c, GET("/big") GET("/a%20b.txt"));
	assert_int_equal(s->out_len, 0);
	assert_int_equal(f->n_open, 1);
	for (size_t i = 0; i < 1000 && f->http.n_requests < 2; i++)
		fake_room(f->v, c, 1000);
	fake_room(f->v, c, SIZE_MAX);
	assert_int_equal(f->http.n_requests, 2);
	assert_int_equal(f->n_open, 0);
	s->out = realloc(s->out, s->out_len + 1);
	s->out[s->out_len] = 0;
	const char *body = body_of((const char *)s->out);
	assert_memory_equal(body, big, BIG);
	assert_string_equal(body_of(body + BIG), "spaced");
	assert_int_equal(f->http.n_bytes, BIG + 6);
}

static void serve_http__any_cut_of_input(void **state)
{
	struct fixture *f = *state;
	via_sock c = fake_connect(f->v, true);
	fake_of(f->v, c)->piece = 1;
	fake_write(f->v, c, GET("/") "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" GET("/site/"));
	const char *r = sent(f, c);
	assert_memory_equal(r, "HTTP/1.1 200 ", 13);
	assert_non_null(strstr(r, "</html>HTTP/1.1 405 Method"));
	assert_non_null(strstr(r, "\r\n\r\ninner"));
}

static void serve_http__100_continue(void **state)
{
	struct fixture *f = *state;
	via_sock c = fake_connect(f->v, true);
	fake_write(f->v, c, "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
	assert_string_equal(sent(f, c), "HTTP/1.1 100 Continue\r\n\r\n");
	fake_write(f->v, c, "abc");
	assert_memory_equal(sent(f, c), "HTTP/1.1 200 ", 13);
}

/* After the last answer: shut for writing, read what still comes, close at their FIN and not with a reset. */
static void serve_http__close_drains_first(void **state)
{
	struct fixture *f = *state;
	via_sock c = fake_connect(f->v, true);
	struct fake_sock *s = &f->v->s[c - 1];
	fake_write(f->v, c, "GET / HTTP/1.0\r\n\r\n");
	assert_true(s->fin_out && !s->closed);
	fake_write(f->v, c, "more that nobody asked for");
	assert_int_equal(s->in_at, s->in_len);
	fake_fin(f->v, c);
	assert_true(s->closed && !s->reset);
	assert_int_equal(f->http.conns.open.n, 0);
}

static void serve_http__client_goes_away(void **state)
{
	struct fixture *f = *state;
	via_sock c = fake_connect(f->v, true), d = fake_connect(f->v, true), e = fake_connect(f->v, true);
	fake_of(f->v, c)->room = 10;
	fake_write(f->v, c, GET("/big"));
	fake_of(f->v, c)->error = ECONNRESET;
	fake_event(f->v, c, VIA_ERR);
	assert_true(fake_of(f->v, c)->closed);
	assert_int_equal(f->n_open, 0);
	fake_write(f->v, d, "GET / HT");
	fake_fin(f->v, d);
	assert_true(fake_of(f->v, d)->closed);
	fake_fin(f->v, e);
	assert_true(fake_of(f->v, e)->closed);
	assert_int_equal(f->http.conns.open.n, 0);
}

static void serve_http__idle_and_draining_connections_end(void **state)
{
	struct fixture *f = *state;
	serve_http_tick(&f->http, 1000 * NS_PER_S);
	via_sock idle = fake_connect(f->v, true), busy = fake_connect(f->v, true), drain = fake_connect(f->v, true);
	fake_write(f->v, drain, "GET / HTTP/1.0\r\n\r\n");
	serve_http_tick(&f->http, 1006 * NS_PER_S);
	assert_true(f->v->s[drain - 1].closed);
	serve_http_tick(&f->http, 1050 * NS_PER_S);
	fake_write(f->v, busy, GET("/"));
	assert_non_null(strstr(sent(f, busy), "Date: Thu, 01 Jan 1970 00:17:30 GMT\r\n"));
	assert_false(f->v->s[idle - 1].closed);
	serve_http_tick(&f->http, 1061 * NS_PER_S);
	assert_true(f->v->s[idle - 1].closed);
	assert_false(f->v->s[busy - 1].closed);
}

/* A byte now and then wins no time: from its first byte on a request has idle_ns. */
static void serve_http__a_dripping_request_ends(void **state)
{
	struct fixture *f = *state;
	serve_http_tick(&f->http, 1000 * NS_PER_S);
	via_sock drip = fake_connect(f->v, true);
	int64_t t = 1030;
	fake_write(f->v, drip, "GET /");
	for (; t < 1200 && !f->v->s[drip - 1].closed; t++) {
		fake_write(f->v, drip, "x");
		serve_http_tick(&f->http, t * NS_PER_S);
	}
	assert_int_equal(t - 1, 1000 + 61); /* `now` was 1000 at its first byte */
	assert_int_equal(f->http.n_requests, 0);
}

/* What the stack still holds for a slow client is waited for, as long as it goes down. */
static void serve_http__a_slow_reader_is_not_cut(void **state)
{
	struct fixture *f = *state;
	serve_http_tick(&f->http, 1000 * NS_PER_S);
	via_sock c = fake_connect(f->v, true);
	fake_write(f->v, c, "GET /big HTTP/1.0\r\n\r\n");
	assert_true(fake_of(f->v, c)->fin_out);
	for (int i = 0; i < 20; i++) {
		fake_of(f->v, c)->unacked = 1000 - i;
		serve_http_tick(&f->http, (1006 + 6 * i) * NS_PER_S);
		assert_false(fake_of(f->v, c)->closed);
	}
	serve_http_tick(&f->http, 1126 * NS_PER_S); /* it takes nothing any more */
	assert_true(fake_of(f->v, c)->closed);
}

/* Any clock will do, before 1970 too (a lab's is, so that replays agree). */
static void serve_http__idle_before_1970(void **state)
{
	struct fixture *f = *state;
	const int64_t base = INT64_MIN / 2;
	serve_http_tick(&f->http, base);
	via_sock idle = fake_connect(f->v, true);
	serve_http_tick(&f->http, base + 59 * NS_PER_S);
	assert_false(f->v->s[idle - 1].closed);
	serve_http_tick(&f->http, base + 61 * NS_PER_S);
	assert_true(f->v->s[idle - 1].closed);
}

/* The stack had no socket to give, and no edge will tell when it has one again. */
static void serve_http__accept_is_tried_again(void **state)
{
	struct fixture *f = *state;
	serve_http_tick(&f->http, 1000 * NS_PER_S);
	f->v->accept_error = EMFILE;
	via_sock c = fake_connect(f->v, true);
	fake_put(f->v, c, GET("/"), strlen(GET("/")));
	assert_int_equal(f->http.conns.n_accepted, 0);
	f->v->accept_error = 0;
	serve_http_tick(&f->http, 1001 * NS_PER_S);
	assert_int_equal(f->http.conns.n_accepted, 1);
	assert_memory_equal(sent(f, c), "HTTP/1.1 200 ", 13);
}

static void serve_http__full_pool_waits(void **state)
{
	struct fixture *f = *state;
	via_sock c[5];
	for (int i = 0; i < 5; i++)
		c[i] = fake_connect(f->v, true);
	assert_int_equal(f->http.conns.n_accepted, 2);
	for (int i = 2; i < 5; i++)
		fake_put(f->v, c[i], GET("/"), strlen(GET("/"))); /* before anyone accepts: no event will tell */
	fake_fin(f->v, c[0]);
	assert_int_equal(f->http.conns.n_accepted, 3);
	assert_memory_equal(sent(f, c[2]), "HTTP/1.1 200 ", 13);
	f->v->s[c[3] - 1].fin_in = f->v->s[c[4] - 1].fin_in = true;
	fake_fin(f->v, c[1]); /* frees one place: the fourth comes, ends at once, then the fifth */
	assert_int_equal(f->http.conns.n_accepted, 5);
	assert_int_equal(f->http.conns.open.n, 1);
	assert_memory_equal(sent(f, c[4]), "HTTP/1.1 200 ", 13);
}

static void serve_http__port_taken(void **state)
{
	struct fixture *f = *state;
	struct serve_http other;
	assert_int_equal(serve_http_start(&other, &f->http.cfg, 0), -EADDRINUSE);
	serve_http_stop(&other);
	f->v->open_max = f->v->n;
	assert_int_equal(serve_http_start(&other, &f->http.cfg, 0), -EMFILE);
	serve_http_stop(&other);
}

static void serve_http__stop_in_the_middle(void **state)
{
	struct fixture *f = *state;
	via_sock c = fake_connect(f->v, true), d = fake_connect(f->v, true);
	fake_of(f->v, c)->room = 10;
	fake_of(f->v, d)->room = 10;
	fake_write(f->v, c, GET("/big"));
	fake_write(f->v, d, GET("/sub/"));
	assert_int_equal(f->n_open, 1); /* teardown sees that both give back what they hold */
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(serve_http__files),
		CASE(serve_http__errors_and_folders),
		CASE(serve_http__listing_without_memory),
		CASE(serve_http__back_pressure),
		CASE(serve_http__any_cut_of_input),
		CASE(serve_http__100_continue),
		CASE(serve_http__close_drains_first),
		CASE(serve_http__client_goes_away),
		CASE(serve_http__idle_and_draining_connections_end),
		CASE(serve_http__a_dripping_request_ends),
		CASE(serve_http__a_slow_reader_is_not_cut),
		CASE(serve_http__idle_before_1970),
		CASE(serve_http__accept_is_tried_again),
		cmocka_unit_test_setup_teardown(serve_http__full_pool_waits, setup_two, teardown),
		CASE(serve_http__port_taken),
		CASE(serve_http__stop_in_the_middle),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
