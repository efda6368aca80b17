/* test_serve_bulk.c - the checkable stream, the bulk server and its client, each against a peer the test plays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "serve/bulk.h"
#include "test/unit/fake_via.h"
#include "test/unit/region.h"

enum { REGION = 1 << 20, N = 50000 };
static uint8_t stream[N], other[N];

struct fixture {
	struct via *v;
	struct arena *arena;
	struct serve_bulk bulk;
	struct bulk_end client;
};

static int setup(void **state)
{
	static struct fixture f;
	memset(&f, 0, sizeof(f));
	f.v = fake_new();
	f.arena = region_new(REGION);
	bulk_fill(1, 0, stream, N);
	bulk_fill(2, 0, other, N);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	if (f->bulk.conns.via)
		serve_bulk_stop(&f->bulk);
	bulk_client_stop(&f->client);
	int bad = arena_bytes_used(f->arena) != 0;
	fake_free(f->v);
	region_free(f->arena);
	return bad ? -1 : 0;
}

static void bulk_fill__any_part_is_part_of_the_whole(void **state)
{
	for (size_t at = 0; at < 40; at++)
		for (size_t n = 0; n < 40; n++) {
			uint8_t part[40];
			bulk_fill(1, at, part, n);
			assert_memory_equal(part, stream + at, n);
		}
	size_t equal = 0;
	for (size_t i = 0; i < N; i++)
		equal += stream[i] == other[i];
	assert_in_range(equal, N / 256 - 100, N / 256 + 100); /* unrelated: one in 256, within 7 sigma */
}

static void bulk_diff__finds_the_first_wrong_byte(void **state)
{
	assert_int_equal(bulk_diff(1, 100, stream + 100, N - 100), N - 100);
	for (size_t at = 0; at < N - 100; at += 997) {
		stream[100 + at] ^= 1;
		assert_int_equal(bulk_diff(1, 100, stream + 100, N - 100), at);
		stream[100 + at] ^= 1;
	}
}

static void serve(struct fixture *f, uint64_t send, uint64_t recv, bool check)
{
	struct serve_bulk_config cfg = {
		.arena = f->arena, .via = f->v, .send_seed = 2, .send_bytes = send, .recv_seed = 1, .recv_bytes = recv, .check = check,
	};
	assert_int_equal(serve_bulk_start(&f->bulk, &cfg), 0);
}

static void serve_bulk__source_and_sink(void **state)
{
	struct fixture *f = *state;
	serve(f, N, N, true);
	via_sock c = fake_connect(f->v, true);
	struct fake_sock *s = &f->v->s[c - 1];
	assert_int_equal(s->out_len, N); /* sent at once, FIN behind it */
	assert_true(s->fin_out && !s->closed);
	fake_put(f->v, c, stream, N);
	fake_event(f->v, c, VIA_IN);
	assert_false(s->closed);
	fake_fin(f->v, c);
	assert_true(s->closed && !s->reset);
	assert_memory_equal(s->out, other, N);
	assert_true(f->bulk.n_done == 1 && f->bulk.n_failed == 0 && f->bulk.sent == N && f->bulk.received == N && f->bulk.error == 0);
}

static void serve_bulk__small_windows(void **state)
{
	struct fixture *f = *state;
	serve(f, N, N, true);
	via_sock c = fake_connect(f->v, false);
	struct fake_sock *s = &f->v->s[c - 1];
	s->room = 0;
	s->piece = 7;
	fake_event(f->v, f->bulk.conns.listener, VIA_IN);
	fake_put(f->v, c, stream, N);
	fake_fin(f->v, c);
	while (!s->closed)
		fake_room(f->v, c, 333);
	assert_int_equal(s->out_len, N);
	assert_memory_equal(s->out, other, N);
	assert_int_equal(f->bulk.n_done, 1);
}

static void serve_bulk__sink_hashes(void **state)
{
	struct fixture *f = *state;
	serve(f, 0, UINT64_MAX, false);
	via_sock c = fake_connect(f->v, true);
	fake_write(f->v, c, "foo");
	fake_write(f->v, c, "bar");
	fake_fin(f->v, c);
	assert_int_equal(f->bulk.received, 6);
	assert_int_equal(f->bulk.hash, UINT64_C(0x85944171f73967e8)); /* FNV-1a's published test vector */
}

static void serve_bulk__wrong_byte_and_wrong_length(void **state)
{
	struct fixture *f = *state;
	serve(f, 0, 100, true);
	via_sock c = fake_connect(f->v, true), d = fake_connect(f->v, true), e = fake_connect(f->v, true);
	stream[50] ^= 4;
	fake_put(f->v, c, stream, 100);
	fake_event(f->v, c, VIA_IN);
	assert_true(f->v->s[c - 1].reset);
	assert_int_equal(f->bulk.error, -EBADMSG);
	stream[50] ^= 4;
	fake_put(f->v, d, stream, 101);
	fake_event(f->v, d, VIA_IN);
	assert_true(f->v->s[d - 1].reset);
	fake_put(f->v, e, stream, 99);
	fake_fin(f->v, e);
	assert_true(f->v->s[e - 1].reset);
	assert_int_equal(f->bulk.n_failed, 3);
	assert_int_equal(f->bulk.n_done, 0);
}

static void client(struct fixture *f, uint16_t port, int want)
{
	struct bulk_client_config cfg = {
		.via = f->v, .remote = {via_addr_v4(0x0a000001), port}, .send_seed = 1, .send_bytes = N, .recv_seed = 2, .recv_bytes = N,
	};
	assert_int_equal(bulk_client_start(&f->client, &cfg), want);
}

static void bulk_client__whole_transfer(void **state)
{
	struct fixture *f = *state;
	client(f, 80, 0);
	via_sock c = f->client.sock;
	struct fake_sock *s = &f->v->s[c - 1];
	fake_event(f->v, c, 0); /* not connected yet: nothing is sent */
	assert_int_equal(s->out_len, 0);
	s->connecting = false;
	s->room = 1000;
	fake_event(f->v, c, VIA_OUT);
	assert_int_equal(s->out_len, 1000);
	fake_room(f->v, c, SIZE_MAX);
	assert_int_equal(s->out_len, N);
	assert_memory_equal(s->out, stream, N);
	assert_true(s->fin_out && !f->client.done);
	fake_put(f->v, c, other, N);
	fake_fin(f->v, c);
	assert_true(f->client.done && f->client.error == 0 && f->client.sent == N && f->client.received == N);
	assert_true(s->closed && !s->reset);
	assert_int_equal(f->client.sock, 0);
}

static void bulk_client__refused(void **state)
{
	struct fixture *f = *state;
	client(f, 80, 0);
	via_sock c = f->client.sock;
	f->v->s[c - 1].error = ECONNREFUSED;
	fake_event(f->v, c, VIA_ERR | VIA_OUT);
	assert_true(f->client.done);
	assert_int_equal(f->client.error, -ECONNREFUSED);
	client(f, 0, -ENETUNREACH);
	assert_int_equal(f->client.sock, 0);
}

static void bulk_client__wrong_byte(void **state)
{
	struct fixture *f = *state;
	client(f, 80, 0);
	via_sock c = f->client.sock;
	f->v->s[c - 1].connecting = false;
	fake_event(f->v, c, VIA_OUT);
	other[777] ^= 0x80;
	fake_put(f->v, c, other, N);
	fake_event(f->v, c, VIA_IN);
	assert_true(f->client.done && f->v->s[c - 1].reset);
	assert_int_equal(f->client.error, -EBADMSG);
	assert_int_equal(f->client.bad_offset, 777);
}

static void bulk_client__early_end(void **state)
{
	struct fixture *f = *state;
	client(f, 80, 0);
	via_sock c = f->client.sock;
	f->v->s[c - 1].connecting = false;
	fake_put(f->v, c, other, N - 1);
	fake_fin(f->v, c);
	assert_true(f->client.done);
	assert_int_equal(f->client.error, -EPROTO);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(bulk_fill__any_part_is_part_of_the_whole),
		CASE(bulk_diff__finds_the_first_wrong_byte),
		CASE(serve_bulk__source_and_sink),
		CASE(serve_bulk__small_windows),
		CASE(serve_bulk__sink_hashes),
		CASE(serve_bulk__wrong_byte_and_wrong_length),
		CASE(bulk_client__whole_transfer),
		CASE(bulk_client__refused),
		CASE(bulk_client__wrong_byte),
		CASE(bulk_client__early_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
