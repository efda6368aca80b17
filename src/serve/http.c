/* serve/http.c - a static web server: app/http's engine, the owner's files, a stack's sockets.
 *
 * One connection is one loop: push what is to be sent; if all went, end the answer; then parse the next request from the
 * bytes read, or read more. It returns when the stack takes no more or has no more, and goes on at the next event.
 * Limits: the engine's, conns_max; a listing is cut at LISTING_BYTES. Time: idle_ns between requests, idle_ns for a whole
 * request from its first byte on (dripping bytes win nothing), idle_ns without a byte of the answer taken, DRAIN_NS to end. */
#include "serve/http.h"

#include <errno.h>

enum { HTTP_PORT = 80, HTTP_CONNS = 1024, LISTING_BYTES = 65536, NAMES_BYTES = 16384 };
#define IDLE_NS (60 * NS_PER_S)
#define DRAIN_NS (5 * NS_PER_S)

struct http_conn {
	struct serve_conn base; /* first */
	struct http_parser parser;
	struct serve_file file; /* open while has_file */
	bool has_file;
	bool answering;         /* head and body are of parser.req; when sent, the answer is over */
	bool draining;          /* shut for writing; what still comes is thrown away until their FIN */
	ref_t page;             /* a listing, LISTING_BYTES, or 0 */
	bool is_known;          /* its parser is ready, its time has begun */
	bool in_request;        /* the first bytes of a request are here, the last are not */
	const uint8_t *head, *body;
	uint64_t head_left, body_left;
	uint32_t drained;
	uint16_t in_off, in_len;
	uint8_t in[1024];
	char out[HTTP_REPLY_HEAD_MAX];
	char text[128];         /* the body of an answer without a file */
};

static struct serve_http *http_of(struct http_conn *c)
{
	return CONTAINER_OF(c->base.set, struct serve_http, conns);
}

/* Give back what the body was made of. */
static void http_body_release(struct http_conn *c)
{
	struct serve_http *s = http_of(c);
	if (c->has_file)
		s->cfg.files.close(s->cfg.files.ctx, &c->file);
	if (c->page)
		arena_buf_give(s->cfg.arena, c->page, LISTING_BYTES);
	c->has_file = false;
	c->page = 0;
	c->body_left = 0;
}

static void http_closed(struct serve_conn *base)
{
	http_body_release(CONTAINER_OF(base, struct http_conn, base));
}

/* Begin to send the answer r; `body` is the entity, of which r takes its part. */
static void http_answer_begin(struct http_conn *c, const struct http_reply *r, const void *body)
{
	struct serve_http *s = http_of(c);
	c->head = (const uint8_t *)c->out;
	c->head_left = http_head_emit(c->out, sizeof(c->out), r, s->now < 0 ? HTTP_NO_TIME : s->now / NS_PER_S);
	c->body_left = r->has_body ? r->len : 0;
	c->body = c->body_left ? (const uint8_t *)body + r->offset : NULL;
	c->answering = true;
	ASSERT(c->head_left > 0);
	s->n_requests++;
}

static void http_answer_status(struct http_conn *c, uint16_t status, const char *location)
{
	struct http_reply r;
	http_plan_status(&c->parser.req, status, &r, c->text);
	r.location = location;
	http_answer_begin(c, &r, c->text);
}

static void http_answer_file(struct http_conn *c, const char *path)
{
	struct http_reply r;
	struct http_entity e = {c->file.len, c->file.mtime, c->file.type ? c->file.type : http_type_of(path)};
	c->has_file = true;
	http_plan(&c->parser.req, &e, &r);
	http_answer_begin(c, &r, c->file.data);
}

static uint16_t http_status_of(int err)
{
	switch (err) {
	case -ENOENT: case -ENOTDIR: case -ENAMETOOLONG: case -ELOOP:
		return 404;
	case -EACCES: case -EPERM:
		return 403;
	case -ENOMEM: case -EMFILE: case -ENFILE: case -EAGAIN:
		return 503;
	default:
		return 500;
	}
}

/* A folder without index.html. */
static void http_answer_listing(struct http_conn *c, const char *path)
{
	struct serve_http *s = http_of(c);
	const struct serve_files *f = &s->cfg.files;
	ref_t names = f->list ? arena_buf_take(s->cfg.arena, NAMES_BYTES) : 0;
	c->page = names ? arena_buf_take(s->cfg.arena, LISTING_BYTES) : 0;
	int64_t n = !f->list ? -EACCES : -ENOMEM;
	if (c->page)
		n = f->list(f->ctx, path, arena_at(s->cfg.arena, names), NAMES_BYTES);
	if (n < 0) {
		http_body_release(c);
		http_answer_status(c, http_status_of((int)n), NULL);
	} else {
		struct http_reply r;
		struct http_entity e = {.mtime = HTTP_NO_TIME, .type = "text/html; charset=utf-8"};
		char *page = arena_at(s->cfg.arena, c->page);
		e.size = http_listing_emit(page, LISTING_BYTES, path, arena_at(s->cfg.arena, names), (size_t)n);
		http_plan(&c->parser.req, &e, &r);
		http_answer_begin(c, &r, page);
	}
	if (names)
		arena_buf_give(s->cfg.arena, names, NAMES_BYTES);
}

/* Find what the request asks for and begin the answer. */
static void http_answer(struct http_conn *c)
{
	static const char index[] = "index.html";
	const struct serve_files *f = &http_of(c)->cfg.files;
	const struct http_request *q = &c->parser.req;
	char path[HTTP_PATH_MAX + sizeof(index) + 1];
	size_t n = strlen(q->path);
	if (q->status) {
		http_answer_status(c, q->status, NULL);
		return;
	}
	bool folder = q->path[n - 1] == '/';
	memcpy(path, q->path, n + 1);
	if (folder)
		memcpy(path + n, index, sizeof(index));
	int err = f->open(f->ctx, path, &c->file);
	if (!err) {
		http_answer_file(c, path);
	} else if (folder && (err == -ENOENT || err == -EISDIR)) {
		http_answer_listing(c, q->path);
	} else if (err == -EISDIR) {
		memcpy(path + n, "/", 2);
		http_answer_status(c, 301, path);
	} else {
		http_answer_status(c, http_status_of(err), NULL);
	}
}

/* Send what stands ready. 1: all, 0: blocked, or -errno. */
static int http_push(struct http_conn *c)
{
	struct serve_http *s = http_of(c);
	uint64_t head = c->head_left, body = c->body_left;
	int r = serve_push(s->cfg.via, c->base.sock, &c->head, &c->head_left, c->body_left ? VIA_MORE : 0);
	if (r > 0)
		r = serve_push(s->cfg.via, c->base.sock, &c->body, &c->body_left, 0);
	s->n_bytes += body - c->body_left;
	if (c->answering && (c->head_left < head || c->body_left < body))
		serve_conn_renew(&c->base, s->cfg.idle_ns);
	return r;
}

/* Feed the parser from what was read, else read. 1: go on, 0: wait, -1: close. */
static int http_read(struct http_conn *c)
{
	if (c->in_off == c->in_len) {
		int64_t n = via_recv(c->base.set->via, c->base.sock, c->in, sizeof(c->in), 0);
		if (n <= 0)
			return n == -EAGAIN ? 0 : -1;
		c->in_off = 0;
		c->in_len = (uint16_t)n;
	}
	if (!c->in_request)
		serve_conn_renew(&c->base, http_of(c)->cfg.idle_ns);
	c->in_request = true;
	enum http_progress what;
	c->in_off = (uint16_t)(c->in_off + http_feed(&c->parser, c->in + c->in_off, (size_t)(c->in_len - c->in_off), &what));
	if (what == HTTP_FEED_REQUEST) {
		c->in_request = false;
		http_answer(c);
	} else if (what == HTTP_FEED_CONTINUE) {
		c->head = (const uint8_t *)HTTP_100;
		c->head_left = strlen(HTTP_100);
	}
	return 1;
}

/* The answer is sent. Go on with the next request, or begin to close. */
static void http_answer_end(struct http_conn *c)
{
	c->answering = false;
	http_body_release(c);
	if (c->parser.req.keep_alive)
		return;
	via_shutdown(c->base.set->via, c->base.sock, VIA_SHUT_WR); /* and drained: RFC 9112 §9.6 */
	c->draining = true;
	serve_conn_renew(&c->base, DRAIN_NS);
}

static void http_conn_event(struct serve_conn *base, uint32_t edges)
{
	struct http_conn *c = CONTAINER_OF(base, struct http_conn, base);
	if (!c->is_known) { /* just accepted */
		http_parser_init(&c->parser);
		serve_conn_renew(base, http_of(c)->cfg.idle_ns);
		c->is_known = true;
	}
	for (;;) {
		int r = c->draining ? serve_drain(base, &c->drained) : http_push(c);
		if (r > 0 && c->answering) {
			http_answer_end(c);
			continue;
		}
		if (r > 0)
			r = http_read(c);
		if (r == 0)
			return;
		if (r < 0) {
			serve_conn_close(base);
			return;
		}
	}
}

int serve_http_start(struct serve_http *s, const struct serve_http_config *cfg, int64_t now)
{
	memset(s, 0, sizeof(*s));
	s->cfg = *cfg;
	s->now = now;
	if (s->cfg.local.port == 0)
		s->cfg.local.port = HTTP_PORT;
	if (s->cfg.idle_ns == 0)
		s->cfg.idle_ns = IDLE_NS;
	struct serve_conns_config cc = {
		.via = cfg->via, .arena = cfg->arena, .local = s->cfg.local, .name = "http_conn", .conn_bytes = sizeof(struct http_conn),
		.conns_max = cfg->conns_max ? cfg->conns_max : HTTP_CONNS, .event = http_conn_event, .closed = http_closed,
	};
	return serve_conns_start(&s->conns, &cc);
}

void serve_http_stop(struct serve_http *s)
{
	serve_conns_stop(&s->conns);
}

void serve_http_tick(struct serve_http *s, int64_t now)
{
	s->now = now;
	serve_conns_tick(&s->conns, now);
}
