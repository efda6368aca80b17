/* Handles, and edges: coalesced, never lost, one entry per socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "sock_fake.h"

#define N 50

static int setup(void **state)
{
	*state = fake_new(16u << 20);
	return 0;
}

static int teardown(void **state)
{
	fake_free(*state);
	return 0;
}

static void events__coalesce(void **state)
{
	struct fake *f = *state;
	struct via_event ev[4];
	via_sock s = fake_open(f, VIA_DGRAM);
	assert_int_equal(sock_set_cookie(&f->env, s, 77), 0);
	assert_int_equal(fake_bind(f, s, 0, 53), 0);
	assert_int_equal(sock_events(&f->env, ev, 4), 0);
	for (int i = 0; i < 5; i++)
		fake_rx_udp(f, PEER, 1, A1, 53, "x", 1);
	assert_int_equal(sock_events(&f->env, ev, 4), 1);
	assert_int_equal(ev[0].sock, s);
	assert_int_equal(ev[0].cookie, 77);
	assert_int_equal(ev[0].edges, VIA_IN);
	assert_int_equal(sock_events(&f->env, ev, 4), 0);
	/* Nothing was read, but something came: an edge again. */
	fake_rx_udp(f, PEER, 1, A1, 53, "x", 1);
	assert_int_equal(sock_events(&f->env, ev, 4), 1);
}

static void events__of_a_closed_socket_are_gone(void **state)
{
	struct fake *f = *state;
	struct via_event ev[4];
	via_sock s = fake_open(f, VIA_DGRAM), t = fake_open(f, VIA_DGRAM);
	fake_bind(f, s, 0, 53);
	fake_bind(f, t, 0, 54);
	fake_rx_udp(f, PEER, 1, A1, 53, "x", 1);
	fake_rx_udp(f, PEER, 1, A1, 54, "x", 1);
	sock_close(&f->env, s);
	assert_int_equal(sock_events(&f->env, ev, 4), 1);
	assert_int_equal(ev[0].sock, t);
}

/* Against a model that remembers per socket whether something came since it was last told. */
static void events__none_is_lost(void **state)
{
	struct fake *f = *state;
	struct rng rng;
	via_sock s[N];
	bool due[N] = {0};
	rng_seed(&rng, 3);
	for (uint32_t i = 0; i < N; i++) {
		s[i] = fake_open(f, VIA_DGRAM);
		sock_set_cookie(&f->env, s[i], i);
		fake_bind(f, s[i], 0, (uint16_t)(100 + i));
	}
	for (int step = 0; step < 20000; step++) {
		uint32_t i = (uint32_t)rng_below(&rng, N);
		char c;
		if (rng_below(&rng, 3)) {
			if (fake_rx_udp(f, PEER, 1, A1, (uint16_t)(100 + i), "x", 1) == DROP_NONE)
				due[i] = true;
			while (rng_below(&rng, 4) && sock_recvfrom(&f->env, s[i], &c, 1, 0, NULL, NULL) > 0)
				;
			continue;
		}
		struct via_event ev[8];
		int max = 1 + (int)rng_below(&rng, 8), n = sock_events(&f->env, ev, max), left = 0;
		for (int k = 0; k < n; k++) {
			assert_true(due[ev[k].cookie]);
			assert_int_equal(ev[k].sock, s[ev[k].cookie]);
			due[ev[k].cookie] = false;
		}
		for (int k = 0; k < N; k++)
			left += due[k];
		assert_true(n == max || left == 0);
	}
}

static void handle__stale_is_ebadf(void **state)
{
	struct fake *f = *state;
	via_sock s = fake_open(f, VIA_STREAM);
	struct via_sockaddr a;
	int v = 0;
	uint32_t n = sizeof(v);
	char c;
	assert_int_equal(sock_close(&f->env, s), 0);
	via_sock t = fake_open(f, VIA_STREAM);
	assert_int_not_equal(s, t);
	assert_int_equal(sock_close(&f->env, s), -EBADF);
	assert_int_equal(sock_bind(&f->env, s, &a), -EBADF);
	assert_int_equal(sock_local(&f->env, s, &a), -EBADF);
	assert_int_equal(sock_sendto(&f->env, s, "x", 1, 0, NULL), -EBADF);
	assert_int_equal(sock_recvfrom(&f->env, s, &c, 1, 0, NULL, NULL), -EBADF);
	assert_int_equal(sock_getopt(&f->env, s, 1, 4, &v, &n), -EBADF);
	assert_int_equal(sock_ready(&f->env, s), VIA_ERR | VIA_HUP);
	assert_int_equal(sock_close(&f->env, 0), -EBADF);
	assert_int_equal(sock_close(&f->env, UINT64_MAX), -EBADF);
	assert_int_equal(sock_close(&f->env, t), 0);
}

static void handle__never_comes_back(void **state)
{
	struct fake *f = *state;
	via_sock live[200], dead[2000];
	uint32_t n_live = 0, n_dead = 0;
	struct rng rng;
	size_t base = arena_bytes_used(f->env.arena);
	rng_seed(&rng, 4);
	while (n_dead < 2000) {
		if (n_live < 200 && rng_below(&rng, 2)) {
			live[n_live++] = fake_open(f, VIA_STREAM);
		} else if (n_live) {
			uint32_t i = (uint32_t)rng_below(&rng, n_live);
			assert_int_equal(sock_close(&f->env, live[i]), 0);
			dead[n_dead++] = live[i];
			live[i] = live[--n_live];
		}
	}
	while (n_live)
		assert_int_equal(sock_close(&f->env, live[--n_live]), 0);
	assert_int_equal(arena_bytes_used(f->env.arena), base);
	via_sock t = fake_open(f, VIA_STREAM);
	for (uint32_t i = 0; i < n_dead; i++)
		assert_null(ep_of(&f->env, dead[i]));
	assert_non_null(ep_of(&f->env, t));
}

static void open__limits(void **state)
{
	struct fake *f = *state;
	via_sock s;
	f->env.max_sockets = 3;
	for (int i = 0; i < 3; i++)
		assert_int_equal(sock_open(&f->env, VIA_DGRAM, 0, &s), 0);
	assert_int_equal(sock_open(&f->env, VIA_DGRAM, 0, &s), -EMFILE);
	assert_int_equal(sock_open(&f->env, (enum via_type)9, 0, &s), -EINVAL);
	sock_close(&f->env, s);
	assert_int_equal(sock_open(&f->env, VIA_DGRAM, 0, &s), 0);
}

static void open__memory_runs_out(void **state)
{
	struct fake *f = fake_new(12 * ARENA_PAGE_SIZE);
	size_t base = arena_bytes_used(f->env.arena);
	static via_sock s[10000];
	int n = 0, e;
	while ((e = sock_open(&f->env, VIA_DGRAM, 0, &s[n])) == 0) {
		int b = fake_bind(f, s[n], 0, 0);
		assert_true(b == 0 || b == -ENOMEM);
		n++;
	}
	assert_int_equal(e, -ENOMEM);
	assert_true(n > 100);
	while (n)
		assert_int_equal(sock_close(&f->env, s[--n]), 0);
	assert_int_equal(arena_bytes_used(f->env.arena), base);
	fake_free(f);
}

static void ready__levels_of_idle_streams(void **state)
{
	struct fake *f = *state;
	via_sock s = fake_open(f, VIA_STREAM), out;
	char c;
	/* Linux: poll() of a fresh TCP socket. */
	assert_int_equal(sock_ready(&f->env, s), VIA_OUT | VIA_HUP);
	assert_int_equal(sock_accept(&f->env, s, 0, &out, NULL), -EINVAL);
	assert_int_equal(sock_sendto(&f->env, s, "x", 1, 0, NULL), -EPIPE);
	assert_int_equal(sock_recvfrom(&f->env, s, &c, 1, 0, NULL, NULL), -ENOTCONN);
	assert_int_equal(sock_shutdown(&f->env, s, VIA_SHUT_RDWR), -ENOTCONN);
	assert_int_equal(fake_connect(f, s, 0xe0000001, 80), -ENETUNREACH);
	assert_int_equal(fake_connect(f, s, 0xffffffff, 80), -ENETUNREACH);
	assert_int_equal(fake_connect(f, s, 0xc0000201, 80), -ENETUNREACH);
}

#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(events__coalesce), T(events__of_a_closed_socket_are_gone), T(events__none_is_lost), T(handle__stale_is_ebadf),
		T(handle__never_comes_back), T(open__limits), T(open__memory_runs_out), T(ready__levels_of_idle_streams),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
