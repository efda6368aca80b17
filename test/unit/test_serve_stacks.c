/* test_serve_stacks.c - the services on two real stacks and a wire: what they do with true sockets, windows and FINs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "serve/bulk.h"
#include "serve/dns.h"
#include "serve/echo.h"
#include "serve/http.h"
#include "test/unit/region.h"
#include "test/unit/stacks.h"
#include "wire/dns.h"

enum { REGION = 8 << 20, CLIENT = 0x0a000001, SERVER = 0x0a000002, FILE_BYTES = 700001 };

struct fixture {
	struct net *net;
	struct via *client, *server;
	struct arena *arena;
	uint8_t *file;
	int n_open;
};

static int setup_with(void **state, uint32_t gso, int room)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int a, b;
	f->net = net_new();
	f->client = net_stack(f->net, "client", false);
	f->server = net_stack(f->net, "server", false);
	net_link(f->net, f->client, f->server, 64, 1500, gso, room, &a, &b);
	assert_int_equal(net_addr(f->client, a, CLIENT, 24), 0);
	assert_int_equal(net_addr(f->server, b, SERVER, 24), 0);
	f->arena = region_new(REGION);
	f->file = malloc(FILE_BYTES);
	bulk_fill(9, 0, f->file, FILE_BYTES);
	*state = f;
	return 0;
}

static int setup(void **state) { return setup_with(state, 0, 0); }
static int setup_super(void **state) { return setup_with(state, 65535, 0); }
static int setup_narrow(void **state) { return setup_with(state, 0, 1); }

static int teardown(void **state)
{
	struct fixture *f = *state;
	int bad = arena_bytes_used(f->arena) != 0 || f->n_open;
	net_free(f->net);
	region_free(f->arena);
	free(f->file);
	free(f);
	return bad ? -1 : 0;
}

/* Let packets and events run for `ns`, or until *done. */
static void run(struct fixture *f, int64_t ns, const bool *done)
{
	struct net *t = f->net;
	int64_t until = t->now + ns;
	for (int steps = 0; steps < 5000000 && !(done && *done); steps++) {
		int64_t next = INT64_MAX;
		int given = 0;
		for (int i = 0; i < t->n; i++) {
			if (via_next_deadline(t->v[i]) <= t->now)
				via_poll(t->v[i], t->now, 64);
			given += via_dispatch(t->v[i]);
		}
		for (int i = 0; i < t->n; i++) {
			int64_t d = via_next_deadline(t->v[i]);
			next = d < next ? d : next;
		}
		if (given)
			continue;
		if (next > until) {
			t->now = until;
			return;
		}
		t->now = next > t->now ? next : t->now;
	}
}

static void bulk__both_directions_on_many_connections(void **state)
{
	enum { CONNS = 8, N = 300000 };
	struct fixture *f = *state;
	struct serve_bulk bulk;
	struct bulk_end c[CONNS];
	struct serve_bulk_config sc = {
		.arena = f->arena,
		.via = f->server,
		.conns_max = 3,
		.send_seed = 2,
		.send_bytes = N + 1,
		.recv_seed = 1,
		.recv_bytes = N,
		.check = true,
	};
	struct bulk_client_config cc = {
		.via = f->client, .remote = {via_addr_v4(SERVER), 5001}, .send_seed = 1, .send_bytes = N, .recv_seed = 2, .recv_bytes = N + 1,
	};
	assert_int_equal(serve_bulk_start(&bulk, &sc), 0);
	for (int i = 0; i < CONNS; i++)
		assert_int_equal(bulk_client_start(&c[i], &cc), 0);
	for (int i = 0; i < CONNS; i++) {
		run(f, 100 * NS_PER_S, &c[i].done);
		assert_true(c[i].done);
		assert_int_equal(c[i].error, 0);
		assert_true(c[i].sent == N && c[i].received == N + 1);
	}
	run(f, NS_PER_S, NULL);
	assert_int_equal(bulk.n_done, CONNS);
	assert_int_equal(bulk.n_failed, 0);
	assert_true(bulk.received == CONNS * (uint64_t)N && bulk.sent == CONNS * (uint64_t)(N + 1));
	serve_bulk_stop(&bulk);
	run(f, 100 * NS_PER_S, NULL);
}

static void bulk__refused(void **state)
{
	struct fixture *f = *state;
	struct bulk_end c;
	struct bulk_client_config cc = {.via = f->client, .remote = {via_addr_v4(SERVER), 5001}, .send_bytes = 10};
	assert_int_equal(bulk_client_start(&c, &cc), 0);
	run(f, 10 * NS_PER_S, &c.done);
	assert_true(c.done);
	assert_int_equal(c.error, -ECONNREFUSED);
}

static void echo__tcp_gives_the_stream_back(void **state)
{
	enum { N = 1000000 };
	struct fixture *f = *state;
	struct serve_echo echo;
	struct bulk_end c;
	struct serve_echo_config ec = {.arena = f->arena, .via = f->server};
	struct bulk_client_config cc = {
		.via = f->client, .remote = {via_addr_v4(SERVER), 7}, .send_seed = 5, .send_bytes = N, .recv_seed = 5, .recv_bytes = N,
	};
	assert_int_equal(serve_echo_start(&echo, &ec), 0);
	assert_int_equal(bulk_client_start(&c, &cc), 0);
	run(f, 100 * NS_PER_S, &c.done);
	assert_true(c.done);
	assert_int_equal(c.error, 0);
	assert_int_equal(c.received, N);
	serve_echo_stop(&echo);
	run(f, 100 * NS_PER_S, NULL);
}

static void echo__udp(void **state)
{
	struct fixture *f = *state;
	struct serve_echo echo;
	struct serve_echo_config ec = {.arena = f->arena, .via = f->server};
	struct via_sockaddr to = net_at(SERVER, 7), from;
	char buf[64];
	assert_int_equal(serve_echo_start(&echo, &ec), 0);
	via_sock s = net_open(f->client, VIA_DGRAM);
	assert_int_equal(via_sendto(f->client, s, "hello", 5, 0, &to), 5);
	run(f, NS_PER_S, NULL);
	assert_int_equal(via_recvfrom(f->client, s, buf, sizeof(buf), 0, &from, NULL), 5);
	assert_memory_equal(buf, "hello", 5);
	assert_int_equal(from.port, 7);
	via_close(f->client, s);
	serve_echo_stop(&echo);
}

static void dns__udp(void **state)
{
	struct fixture *f = *state;
	struct serve_dns dns;
	struct dns_zone zone;
	struct via_addr a = via_addr_v4(SERVER);
	struct via_sockaddr to = net_at(SERVER, 53);
	uint8_t q[64], r[512];
	assert_int_equal(dns_zone_init(f->arena, &zone, "lab", 60, (struct prf_key){1, 2}), 0);
	assert_int_equal(dns_zone_add(f->arena, &zone, "server", &a), 0);
	struct serve_dns_config dc = {.arena = f->arena, .via = f->server, .zone_arena = f->arena, .zone = &zone};
	assert_int_equal(serve_dns_start(&dns, &dc), 0);
	size_t n = dns_query_emit(q, sizeof(q), 99, "server.lab", DNS_A);
	via_sock s = net_open(f->client, VIA_DGRAM);
	assert_int_equal(via_sendto(f->client, s, q, (uint32_t)n, 0, &to), n);
	run(f, NS_PER_S, NULL);
	assert_int_equal(via_recvfrom(f->client, s, r, sizeof(r), 0, NULL, NULL), n + 16);
	assert_memory_equal(r + n + 12, ((const uint8_t[]){10, 0, 0, 2}), 4);
	via_close(f->client, s);
	serve_dns_stop(&dns);
	dns_zone_free(f->arena, &zone);
}

static int file_open(void *ctx, const char *path, struct serve_file *out)
{
	struct fixture *f = ctx;
	*out = (struct serve_file){.data = f->file, .len = FILE_BYTES, .mtime = INT64_MIN};
	f->n_open += strcmp(path, "/file") == 0;
	return strcmp(path, "/file") == 0 ? 0 : -ENOENT;
}

static void file_close(void *ctx, struct serve_file *file)
{
	((struct fixture *)ctx)->n_open--;
}

/* A client of the test's own: sends a text, reads to the end. */
struct fetch {
	struct via_handler handler;
	const char *text;
	uint8_t *got;
	size_t n;
	bool done;
	int64_t error;
};

static void fetch_event(struct via_handler *h, struct via *v, via_sock s, uint32_t edges)
{
	struct fetch *c = (struct fetch *)(void *)h;
	if (c->text && (via_ready(v, s) & VIA_OUT)) {
		assert_int_equal(via_send(v, s, c->text, (uint32_t)strlen(c->text), 0), strlen(c->text));
		c->text = NULL;
	}
	while (!c->done) {
		c->got = realloc(c->got, c->n + 65536);
		int64_t n = via_recv(v, s, c->got + c->n, 65536, 0);
		if (n == -EAGAIN)
			return;
		c->error = n < 0 ? n : 0;
		c->done = n <= 0;
		c->n += n > 0 ? (size_t)n : 0;
	}
}

static void http__two_answers_then_the_end(void **state)
{
	struct fixture *f = *state;
	struct serve_http http;
	struct serve_http_config hc = {.arena = f->arena, .via = f->server, .files = {file_open, file_close, NULL, f}};
	struct via_sockaddr to = net_at(SERVER, 80);
	struct fetch c = {.handler = {fetch_event},
		.text = "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\nGET /file HTTP/1.1\r\nHost: a\r\nConnection: "
			"close\r\n\r\n"};
	via_sock s;
	assert_int_equal(serve_http_start(&http, &hc, 0), 0);
	assert_int_equal(via_open(f->client, VIA_STREAM, via_cookie(&c.handler), &s), 0);
	assert_int_equal(via_connect(f->client, s, &to), -EINPROGRESS);
	run(f, 100 * NS_PER_S, &c.done);
	assert_true(c.done);
	assert_int_equal(c.error, 0); /* a FIN, not a reset */
	assert_memory_equal(c.got, "HTTP/1.1 404 ", 13);
	assert_true(c.n > FILE_BYTES);
	assert_memory_equal(c.got + c.n - FILE_BYTES, f->file, FILE_BYTES);
	assert_memory_equal(c.got + c.n - FILE_BYTES - 4, "\r\n\r\n", 4);
	via_close(f->client, s);
	run(f, NS_PER_S, NULL);
	assert_int_equal(http.conns.open.n, 0);
	serve_http_stop(&http);
	run(f, 100 * NS_PER_S, NULL);
	free(c.got);
}

int main(void)
{
#define ON(f, how) {#f " (" #how ")", f, how, teardown, NULL}
	const struct CMUnitTest tests[] = {
		ON(bulk__both_directions_on_many_connections, setup),
		ON(bulk__both_directions_on_many_connections, setup_super),
		ON(bulk__both_directions_on_many_connections, setup_narrow),
		ON(bulk__refused, setup),
		ON(echo__tcp_gives_the_stream_back, setup),
		ON(echo__tcp_gives_the_stream_back, setup_super),
		ON(echo__tcp_gives_the_stream_back, setup_narrow),
		ON(echo__udp, setup),
		ON(dns__udp, setup),
		ON(http__two_answers_then_the_end, setup),
		ON(http__two_answers_then_the_end, setup_super),
		ON(http__two_answers_then_the_end, setup_narrow),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
