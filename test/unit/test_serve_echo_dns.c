/* test_serve_echo_dns.c - the echo and DNS services on fake sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "serve/dns.h"
#include "serve/echo.h"
#include "test/unit/fake_via.h"
#include "test/unit/region.h"
#include "wire/dns.h"

enum { REGION = 4 << 20 };
struct fixture {
	struct via *v;
	struct arena *arena;
	struct serve_echo echo;
	struct serve_dns dns;
	struct dns_zone zone;
	struct fake_sock *udp;
};

static struct fixture *fixture_new(void)
{
	static struct fixture f;
	memset(&f, 0, sizeof(f));
	f.v = fake_new();
	f.arena = region_new(REGION);
	return &f;
}

static int fixture_end(struct fixture *f)
{
	int bad = arena_bytes_used(f->arena) != 0;
	for (int i = 0; i < f->v->n; i++)
		bad |= !f->v->s[i].closed;
	fake_free(f->v);
	region_free(f->arena);
	return bad ? -1 : 0;
}

static int echo_setup(void **state)
{
	struct fixture *f = fixture_new();
	struct serve_echo_config cfg = {.arena = f->arena, .via = f->v};
	assert_int_equal(serve_echo_start(&f->echo, &cfg), 0);
	f->udp = &f->v->s[fake_bound(f->v, VIA_DGRAM) - 1];
	assert_int_equal(f->udp->local.port, 7);
	*state = f;
	return 0;
}

static int echo_teardown(void **state)
{
	struct fixture *f = *state;
	serve_echo_stop(&f->echo);
	return fixture_end(f);
}

static void serve_echo__tcp(void **state)
{
	struct fixture *f = *state;
	via_sock c = fake_connect(f->v, true);
	struct fake_sock *s = &f->v->s[c - 1];
	fake_write(f->v, c, "hello, ");
	fake_write(f->v, c, "world");
	assert_int_equal(s->out_len, 12);
	assert_memory_equal(s->out, "hello, world", 12);
	fake_fin(f->v, c);
	assert_true(s->closed && !s->reset);
	assert_int_equal(f->echo.n_bytes, 12);
}

/* While a client does not read, nothing more is taken from it; its FIN meanwhile loses no byte. */
static void serve_echo__back_pressure(void **state)
{
	struct fixture *f = *state;
	enum { N = 100000 };
	static uint8_t data[N];
	for (size_t i = 0; i < N; i++)
		data[i] = (uint8_t)(i * 31 >> 3);
	via_sock c = fake_connect(f->v, true);
	struct fake_sock *s = &f->v->s[c - 1];
	s->room = 100;
	fake_put(f->v, c, data, N);
	fake_fin(f->v, c);
	assert_int_equal(s->out_len, 100);
	assert_true(s->in_at <= 100 + 8192);
	assert_false(s->closed);
	while (!s->closed && s->out_len < N)
		fake_room(f->v, c, 777);
	assert_true(s->closed && !s->reset);
	assert_int_equal(s->out_len, N);
	assert_memory_equal(s->out, data, N);
}

static void serve_echo__reset(void **state)
{
	struct fixture *f = *state;
	via_sock c = fake_connect(f->v, true);
	f->v->s[c - 1].error = ECONNRESET;
	fake_event(f->v, c, VIA_ERR);
	assert_true(f->v->s[c - 1].closed);
	assert_int_equal(f->echo.conns.open.n, 0);
}

static void serve_echo__udp(void **state)
{
	struct fixture *f = *state;
	fake_datagram(f->v, "one", 3, 4001);
	fake_datagram(f->v, "", 0, 4002);
	fake_datagram(f->v, "three", 5, 4003);
	f->udp->error = ECONNREFUSED; /* somebody's port unreachable must not stop the service */
	fake_event(f->v, f->echo.dgram, VIA_IN);
	assert_int_equal(f->udp->n_dout, 3);
	assert_int_equal(f->udp->dout[0].peer.port, 4001);
	assert_int_equal(f->udp->dout[1].len, 0);
	assert_int_equal(f->udp->dout[2].peer.port, 4003);
	assert_memory_equal(f->udp->dout[2].data, "three", 5);
	f->udp->room = 0;
	fake_datagram(f->v, "lost", 4, 4004);
	fake_event(f->v, f->echo.dgram, VIA_IN);
	assert_int_equal(f->udp->n_dout, 3);
	assert_int_equal(f->echo.n_datagrams, 4);
}

/* Silent clients do not hold their places for ever; news of any kind keeps one. */
static void serve_echo__silent_clients_end(void **state)
{
	struct fixture *f = *state;
	via_sock silent = fake_connect(f->v, true), talker = fake_connect(f->v, true);
	for (int64_t t = 5000; t < 5600; t += 100) { /* the first tick tells the time; what was accepted before began then */
		serve_echo_tick(&f->echo, t * NS_PER_S);
		fake_write(f->v, talker, "x");
		assert_false(f->v->s[silent - 1].closed);
	}
	serve_echo_tick(&f->echo, 5601 * NS_PER_S);
	assert_true(f->v->s[silent - 1].reset);
	assert_false(f->v->s[talker - 1].closed);
}

static void serve_echo__start_fails(void **state)
{
	struct fixture *f = *state;
	struct serve_echo other;
	struct serve_echo_config cfg = {.arena = f->arena, .via = f->v};
	size_t before = arena_bytes_used(f->arena);
	assert_int_equal(serve_echo_start(&other, &cfg), -EADDRINUSE);
	cfg.local.port = 70;
	for (int more = 0; more < 2; more++) { /* no socket for TCP, none for UDP */
		f->v->open_max = f->v->n + more;
		assert_int_equal(serve_echo_start(&other, &cfg), -EMFILE);
	}
	assert_int_equal(arena_bytes_used(f->arena), before);
}

static int dns_setup(void **state)
{
	struct fixture *f = fixture_new();
	struct via_addr a = via_addr_v4(0x0a000007);
	assert_int_equal(dns_zone_init(f->arena, &f->zone, "lab", 60, (struct prf_key){1, 2}), 0);
	assert_int_equal(dns_zone_add(f->arena, &f->zone, "sina", &a), 0);
	struct serve_dns_config cfg = {.arena = f->arena, .via = f->v, .zone_arena = f->arena, .zone = &f->zone};
	assert_int_equal(serve_dns_start(&f->dns, &cfg), 0);
	f->udp = &f->v->s[fake_bound(f->v, VIA_DGRAM) - 1];
	assert_int_equal(f->udp->local.port, 53);
	*state = f;
	return 0;
}

static int dns_teardown(void **state)
{
	struct fixture *f = *state;
	serve_dns_stop(&f->dns);
	dns_zone_free(f->arena, &f->zone);
	return fixture_end(f);
}

static void serve_dns__udp(void **state)
{
	struct fixture *f = *state;
	uint8_t q[64];
	size_t n = dns_query_emit(q, sizeof(q), 77, "SINA.lab", DNS_A);
	fake_datagram(f->v, "junk", 4, 4000); /* not answered */
	fake_datagram(f->v, q, (uint32_t)n, 4001);
	fake_event(f->v, f->dns.dgram, VIA_IN);
	assert_int_equal(f->udp->n_dout, 1);
	assert_int_equal(f->udp->dout[0].peer.port, 4001);
	assert_int_equal(get_be16(f->udp->dout[0].data), 77);
	assert_memory_equal(f->udp->dout[0].data + f->udp->dout[0].len - 4, ((const uint8_t[]){10, 0, 0, 7}), 4);
	assert_int_equal(f->dns.n_queries, 2);
	assert_int_equal(f->dns.n_answers, 1);
}

/* Two pipelined queries, cut and pushed back in every way. */
static void serve_dns__tcp(void **state)
{
	struct fixture *f = *state;
	uint8_t q[128];
	size_t n = dns_query_emit(q + 2, 60, 1, "sina", DNS_A);
	put_be16(q, (uint16_t)n);
	size_t m = dns_query_emit(q + n + 4, 60, 2, "nobody", DNS_A);
	put_be16(q + n + 2, (uint16_t)m);
	for (size_t piece = 1; piece < 12; piece++) {
		via_sock c = fake_connect(f->v, true);
		struct fake_sock *s = &f->v->s[c - 1];
		s->piece = piece;
		s->room = 0;
		fake_put(f->v, c, q, n + m + 4);
		fake_fin(f->v, c);
		for (int i = 0; i < 200 && !s->closed; i++)
			fake_room(f->v, c, 3);
		assert_true(s->closed && !s->reset);
		size_t first = get_be16(s->out), second = get_be16(s->out + first + 2);
		assert_int_equal(s->out_len, first + second + 4);
		assert_int_equal(get_be16(s->out + 2), 1);
		assert_memory_equal(s->out + 2 + first - 4, ((const uint8_t[]){10, 0, 0, 7}), 4);
		assert_int_equal(get_be16(s->out + first + 4), 2);
		assert_int_equal(s->out[first + 4 + 3] & 15, DNS_NXDOMAIN);
	}
}

static void serve_dns__tcp_refuses(void **state)
{
	struct fixture *f = *state;
	static const uint8_t junk[] = {0, 3, 1, 2, 3}, zero[] = {0, 0}, large[] = {0xff, 0xff, 0};
	via_sock c = fake_connect(f->v, true), d = fake_connect(f->v, true), e = fake_connect(f->v, true);
	fake_put(f->v, c, junk, sizeof(junk));
	fake_put(f->v, d, zero, sizeof(zero));
	fake_put(f->v, e, large, sizeof(large));
	fake_event(f->v, c, VIA_IN);
	fake_event(f->v, d, VIA_IN);
	fake_event(f->v, e, VIA_IN);
	assert_true(f->v->s[c - 1].closed && f->v->s[d - 1].closed && f->v->s[e - 1].closed);
	assert_int_equal(f->dns.conns.open.n, 0);
}

/* 64 silent clients hold all places; ten seconds later a 65th gets its answer. Dripping bytes wins no time. */
static void serve_dns__silent_clients_end(void **state)
{
	struct fixture *f = *state;
	enum { N = 56 };
	via_sock silent[N];
	uint8_t q[64];
	f->dns.conns.pool.obj_max = N; /* the fake has 64 sockets in all */
	serve_dns_tick(&f->dns, 1000 * NS_PER_S);
	for (int i = 0; i < N; i++)
		silent[i] = fake_connect(f->v, true);
	via_sock late = fake_connect(f->v, true);
	size_t n = dns_query_emit(q + 2, 60, 1, "sina", DNS_A);
	put_be16(q, (uint16_t)n);
	fake_put(f->v, late, q, n + 2);
	assert_int_equal(f->dns.conns.n_accepted, N);
	for (int64_t t = 1001; t <= 1010; t++) {
		fake_put(f->v, silent[0], &q[t - 1001], 1);
		fake_event(f->v, silent[0], VIA_IN);
		serve_dns_tick(&f->dns, t * NS_PER_S);
		assert_false(f->v->s[silent[0] - 1].closed);
	}
	assert_int_equal(f->v->s[late - 1].out_len, 0);
	serve_dns_tick(&f->dns, 1011 * NS_PER_S);
	for (int i = 0; i < N; i++)
		assert_true(f->v->s[silent[i] - 1].reset);
	assert_true(f->v->s[late - 1].out_len > n);
	/* an answer begins a new time */
	serve_dns_tick(&f->dns, 1020 * NS_PER_S);
	fake_put(f->v, late, q, n + 2);
	fake_event(f->v, late, VIA_IN);
	serve_dns_tick(&f->dns, 1030 * NS_PER_S);
	assert_false(f->v->s[late - 1].closed);
	serve_dns_tick(&f->dns, 1031 * NS_PER_S);
	assert_true(f->v->s[late - 1].reset);
}

static void serve_dns__start_fails(void **state)
{
	struct fixture *f = *state;
	struct serve_dns other;
	struct serve_dns_config cfg = f->dns.cfg;
	assert_int_equal(serve_dns_start(&other, &cfg), -EADDRINUSE);
	cfg.local.port = 54;
	f->v->open_max = f->v->n + 1;
	assert_int_equal(serve_dns_start(&other, &cfg), -EMFILE);
}

int main(void)
{
#define ECHO(f) cmocka_unit_test_setup_teardown(f, echo_setup, echo_teardown)
#define DNS(f) cmocka_unit_test_setup_teardown(f, dns_setup, dns_teardown)
	const struct CMUnitTest tests[] = {
		ECHO(serve_echo__tcp),
		ECHO(serve_echo__back_pressure),
		ECHO(serve_echo__reset),
		ECHO(serve_echo__udp),
		ECHO(serve_echo__silent_clients_end),
		ECHO(serve_echo__start_fails),
		DNS(serve_dns__udp),
		DNS(serve_dns__tcp),
		DNS(serve_dns__tcp_refuses),
		DNS(serve_dns__silent_clients_end),
		DNS(serve_dns__start_fails),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
