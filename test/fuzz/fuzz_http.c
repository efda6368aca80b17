/* fuzz_http.c - the same requests come out however the bytes are cut; a path is absolute, clean and cannot leave its
 * folder; every request can be answered, and the answer's head is whole. The first byte chooses the cut. */
#include "test/fuzz/fuzz.h"
#include "app/http/http.h"

enum { REQUESTS = 64 };

/* What a request is, folded to a number; 0 is none. */
static uint64_t fold(uint64_t h, const void *data, size_t n)
{
	const uint8_t *p = data;
	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h;
}

static uint64_t request_fold(const struct http_request *q)
{
	uint64_t h = fold(1, &q->status, sizeof(q->status));
	h = fold(h, &q->keep_alive, sizeof(q->keep_alive));
	h = fold(h, &q->verb, sizeof(q->verb));
	h = fold(h, &q->range, sizeof(q->range));
	h = fold(h, &q->range_first, sizeof(q->range_first));
	h = fold(h, &q->if_modified_since, sizeof(q->if_modified_since));
	return fold(h, q->path, strlen(q->path)) | 1;
}

static void check_path(const char *path)
{
	size_t n = strlen(path);
	CHECK(path[0] == '/' && n <= HTTP_PATH_MAX && !strstr(path, "//") && !strstr(path, "/./") && !strstr(path, "/../"));
	CHECK(!(n >= 2 && strcmp(path + n - 2, "/.") == 0) && !(n >= 3 && strcmp(path + n - 3, "/..") == 0));
	for (size_t i = 0; i < n; i++)
		CHECK((uint8_t)path[i] >= 0x20 && path[i] != 0x7f);
}

static void check_answer(const struct http_request *q)
{
	static const struct http_entity e = {.size = 1000, .mtime = 1000000000, .type = "text/html"};
	struct http_reply r;
	char head[HTTP_REPLY_HEAD_MAX + 1], text[128];
	if (q->status) {
		http_plan_status(q, q->status, &r, text);
	} else {
		check_path(q->path);
		http_plan(q, &e, &r);
		CHECK(r.offset <= e.size && r.len <= e.size - r.offset);
		r.location = q->path;
	}
	size_t n = http_head_emit(head, sizeof(head) - 1, &r, 0);
	CHECK(n > 4);
	head[n] = 0;
	CHECK(strlen(head) == n && strstr(head, "\r\n\r\n") == head + n - 4);
}

static int run(const uint8_t *data, size_t len, size_t piece, uint64_t *seen)
{
	static struct http_parser p;
	int n = 0;
	http_parser_init(&p);
	for (size_t at = 0; at < len && n < REQUESTS;) {
		enum http_progress what;
		size_t want = len - at < piece ? len - at : piece;
		size_t k = http_feed(&p, data + at, want, &what);
		CHECK(k <= want);
		at += k;
		if (what == HTTP_FEED_REQUEST) {
			check_answer(&p.req);
			seen[n++] = request_fold(&p.req);
		} else if (what == HTTP_FEED_MORE && k == 0) {
			CHECK(n > 0); /* only a closed conversation takes nothing */
			break;
		}
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint64_t whole[REQUESTS], cut[REQUESTS];
	char path[HTTP_PATH_MAX + 1];
	if (len == 0)
		return 0;
	size_t piece = data[0] % 32 + 1u;
	int n = run(data + 1, len - 1, len, whole), m = run(data + 1, len - 1, piece, cut);
	CHECK(n == m && memcmp(whole, cut, (size_t)n * sizeof(whole[0])) == 0);
	if (http_path_decode((const char *)data, len, path) == 0)
		check_path(path);
	return 0;
}
