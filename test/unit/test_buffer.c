/* test/unit/test_buffer.c - the driver made of two callbacks, under a clock of the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "base/csum.h"

#include <errno.h>
#include <string.h>
#include <viaduct/viaduct.h>

enum { PING_BYTES = 28 + 32 };

struct wire {
	uint8_t out[4][1600];
	size_t out_len[4];
	int n_out;
	bool full;
	const uint8_t *in;
	size_t in_len;
};

static int wire_out(void *ctx, const void *packet, size_t len)
{
	struct wire *w = ctx;
	if (w->full)
		return -EAGAIN;
	assert_in_range(w->n_out, 0, 3);
	assert_in_range(len, 1, sizeof(w->out[0]));
	memcpy(w->out[w->n_out], packet, len);
	w->out_len[w->n_out++] = len;
	return 0;
}

static size_t wire_in(void *ctx, void *packet, size_t room)
{
	struct wire *w = ctx;
	size_t n = w->in_len;
	assert_true(n <= room);
	if (n)
		memcpy(packet, w->in, n);
	w->in_len = 0;
	return n;
}

/* An echo request from 10.9.0.1 to 10.9.0.2 (RFC 791, RFC 792). */
static void ping(uint8_t b[PING_BYTES])
{
	memset(b, 0, PING_BYTES);
	b[0] = 0x45;
	put_be16(b + 2, PING_BYTES);
	b[8] = 64;
	b[9] = 1;
	put_be32(b + 12, 0x0a090001);
	put_be32(b + 16, 0x0a090002);
	put_be16(b + 10, csum_field(csum_add(0, b, 20)));
	b[20] = 8;
	put_be16(b + 24, 0x1234);
	for (int i = 28; i < PING_BYTES; i++)
		b[i] = (uint8_t)i;
	put_be16(b + 22, csum_field(csum_add(0, b + 20, PING_BYTES - 20)));
}

static struct via *stack(struct via_buffer *b)
{
	struct via *v = via_host_stack_new(&(struct via_host_config){.size = sizeof(struct via_host_config), .now = 1});
	assert_non_null(v);
	int ifindex = via_iface_add(v, via_buffer_driver(b), "tun0");
	assert_int_equal(via_configure(v, &(struct via_change){.kind = VIA_ADDR_ADD, .ifindex = ifindex,
		.addr = via_addr_v4(0x0a090002), .plen = 24}), 0);
	return v;
}

static void is_reply(const struct wire *w, int n)
{
	uint8_t asked[PING_BYTES];
	ping(asked);
	assert_int_equal(w->out_len[n], PING_BYTES);
	assert_int_equal(get_be32(w->out[n] + 12), 0x0a090002);
	assert_int_equal(get_be32(w->out[n] + 16), 0x0a090001);
	assert_int_equal(w->out[n][20], 0);
	assert_int_equal(csum_field(csum_add(0, w->out[n], 20)), 0);
	assert_int_equal(csum_field(csum_add(0, w->out[n] + 20, PING_BYTES - 20)), 0);
	assert_memory_equal(w->out[n] + 24, asked + 24, PING_BYTES - 24);
}

static void buffer__pushed_and_pulled_packets_are_answered(void **s)
{
	struct wire w = {0};
	uint8_t p[PING_BYTES];
	ping(p);
	struct via_buffer *b = via_buffer_new(&(struct via_buffer_config){.size = sizeof(struct via_buffer_config), .out = wire_out,
		.in = wire_in, .ctx = &w});
	struct via *v = stack(b);
	assert_int_equal(via_buffer_push(b, p, sizeof(p), 5), 0);
	assert_int_equal(via_next_deadline(v), 5);
	via_poll(v, 5, 64);
	assert_int_equal(w.n_out, 1);
	is_reply(&w, 0);
	w.in = p;
	w.in_len = sizeof(p);
	via_poll(v, 6, 64);
	assert_int_equal(w.n_out, 2);
	is_reply(&w, 1);
	via_host_stack_free(v);
	via_buffer_free(b);
}

static void buffer__that_takes_nothing_is_asked_again(void **s)
{
	struct wire w = {.full = true};
	uint8_t p[PING_BYTES];
	ping(p);
	struct via_buffer *b = via_buffer_new(&(struct via_buffer_config){.size = sizeof(struct via_buffer_config), .out = wire_out,
		.ctx = &w});
	struct via *v = stack(b);
	assert_int_equal(via_buffer_push(b, p, sizeof(p), 1000), 0);
	assert_int_equal(via_poll(v, 1000, 64), 0);
	int64_t again = via_next_deadline(v);
	assert_in_range(again, 1001, 1000 + 1000000);
	w.full = false;
	via_poll(v, again, 64);
	assert_int_equal(w.n_out, 1);
	is_reply(&w, 0);
	w.full = true;
	assert_int_equal(via_buffer_push(b, p, sizeof(p), again), 0);
	via_poll(v, again, 64);
	w.full = false;
	via_buffer_ready(b);
	assert_int_equal(via_next_deadline(v), again);
	via_poll(v, again, 64);
	assert_int_equal(w.n_out, 2);
	via_host_stack_free(v);
	via_buffer_free(b);
}

static void buffer__limits(void **s)
{
	static const uint8_t big[1501];
	struct via_buffer_config c = {.size = sizeof(c), .out = wire_out, .queue = 2};
	assert_null(via_buffer_new(&(struct via_buffer_config){.size = sizeof(c)}));
	assert_int_equal(errno, EINVAL);
	assert_null(via_buffer_new(&(struct via_buffer_config){.size = sizeof(c), .out = wire_out, .mtu = 67}));
	assert_null(via_buffer_new(&(struct via_buffer_config){.out = wire_out}));
	struct via_buffer *b = via_buffer_new(&c);
	assert_int_equal(via_buffer_push(b, big, 0, 0), -EINVAL);
	assert_int_equal(via_buffer_push(b, big, 1501, 0), -EMSGSIZE);
	assert_int_equal(via_buffer_push(b, big, 1500, 0), 0);
	assert_int_equal(via_buffer_push(b, big, 1, 0), 0);
	assert_int_equal(via_buffer_push(b, big, 1, 0), -ENOBUFS);
	via_buffer_free(b);
	static const uint8_t bigger[65536];
	c.longest = 65535; /* longer ones come in than go out */
	b = via_buffer_new(&c);
	assert_int_equal(via_buffer_push(b, bigger, 65536, 0), -EMSGSIZE);
	assert_int_equal(via_buffer_push(b, bigger, 65535, 0), 0);
	assert_int_equal(via_buffer_driver(b)->mtu, 1500);
	via_buffer_free(b);
	via_buffer_free(NULL);
	assert_null(via_host_stack_new(&(struct via_host_config){.size = 3}));
	assert_int_equal(errno, EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buffer__pushed_and_pulled_packets_are_answered),
		cmocka_unit_test(buffer__that_takes_nothing_is_asked_again),
		cmocka_unit_test(buffer__limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
