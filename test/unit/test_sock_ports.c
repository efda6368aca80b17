/* Who may bind what (Linux's rules), and how ports are chosen (RFC 6056). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/socket.h>

#include "sock_fake.h"

static int setup(void **state)
{
	*state = fake_new(64u << 20);
	return 0;
}

static int teardown(void **state)
{
	fake_free(*state);
	return 0;
}

/* A tcp_node as TCP would make it, in demux. */
static ref_t node_add(struct fake *f, uint32_t local, uint16_t lport, uint32_t remote, uint16_t rport)
{
	struct via_addr l = via_addr_v4(local), r = via_addr_v4(remote);
	ref_t path, node = arena_buf_take(f->env.arena, sizeof(struct tcp_node));
	assert_int_equal(fake_path_get(f, &l, &r, &path), 0);
	struct tcp_node *n = arena_at(f->env.arena, node);
	memset(n, 0, sizeof(*n));
	n->path = path;
	n->lport = lport;
	n->rport = rport;
	n->timer.kind = WHEEL_TCP_TIMEWAIT;
	sock_demux_add(&f->env, node);
	return node;
}

static void node_del(struct fake *f, ref_t node)
{
	sock_demux_del(&f->env, node);
	fake_path_drop(f, ((struct tcp_node *)arena_at(f->env.arena, node))->path);
	arena_buf_give(f->env.arena, node, sizeof(struct tcp_node));
}

static void bind__same_port_is_refused(void **state)
{
	struct fake *f = *state;
	static const struct { enum via_type type; uint32_t a, b; int want; } cases[] = {
		{VIA_STREAM, 0, 0, -EADDRINUSE},   {VIA_STREAM, 0, A1, -EADDRINUSE}, {VIA_STREAM, A1, 0, -EADDRINUSE},
		{VIA_STREAM, A1, A1, -EADDRINUSE}, {VIA_STREAM, A1, A2, 0},          {VIA_STREAM, LO, A1, 0},
		{VIA_DGRAM, 0, 0, -EADDRINUSE},    {VIA_DGRAM, A1, A2, 0},           {VIA_DGRAM, 0, LO, -EADDRINUSE},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		via_sock a = fake_open(f, cases[i].type), b = fake_open(f, cases[i].type);
		assert_int_equal(fake_bind(f, a, cases[i].a, 80), 0);
		assert_int_equal(fake_bind(f, b, cases[i].b, 80), cases[i].want);
		sock_close(&f->env, a);
		if (cases[i].want) /* free again, and b may still be bound */
			assert_int_equal(fake_bind(f, b, cases[i].b, 80), 0);
		sock_close(&f->env, b);
	}
}

static void bind__tcp_and_udp_are_apart(void **state)
{
	struct fake *f = *state;
	assert_int_equal(fake_bind(f, fake_open(f, VIA_STREAM), 0, 53), 0);
	assert_int_equal(fake_bind(f, fake_open(f, VIA_DGRAM), 0, 53), 0);
	assert_int_equal(fake_bind(f, fake_open(f, VIA_PING), 0, 53), 0);
}

static void bind__errors(void **state)
{
	struct fake *f = *state;
	via_sock s = fake_open(f, VIA_STREAM);
	assert_int_equal(fake_bind(f, s, PEER, 80), -EADDRNOTAVAIL);
	assert_int_equal(fake_bind(f, s, 0, 80), 0);
	assert_int_equal(fake_bind(f, s, 0, 81), -EINVAL);
	assert_int_equal(fake_bind(f, s + 1, 0, 81), -EBADF);
}

static void reuseaddr__two_may_bind_one_may_listen(void **state)
{
	struct fake *f = *state;
	via_sock a = fake_open(f, VIA_STREAM), b = fake_open(f, VIA_STREAM), c = fake_open(f, VIA_STREAM);
	fake_flag(f, a, SOL_SOCKET, SO_REUSEADDR);
	fake_flag(f, b, SOL_SOCKET, SO_REUSEADDR);
	assert_int_equal(fake_bind(f, a, 0, 80), 0);
	assert_int_equal(fake_bind(f, b, 0, 80), 0);
	assert_int_equal(fake_bind(f, c, 0, 80), -EADDRINUSE); /* does not agree itself */
	struct endpoint *ea = ep_of(&f->env, a), *eb = ep_of(&f->env, b);
	assert_true(port_may_listen(&f->env, ea));
	port_receives(&f->env, ea, true); /* a listens now */
	assert_true(port_may_listen(&f->env, ea));
	assert_false(port_may_listen(&f->env, eb));
	fake_flag(f, c, SOL_SOCKET, SO_REUSEADDR);
	assert_int_equal(fake_bind(f, c, 0, 80), -EADDRINUSE); /* not beside a listener */
}

static void reuseport__all_must_agree(void **state)
{
	struct fake *f = *state;
	via_sock s[4];
	for (int i = 0; i < 4; i++)
		s[i] = fake_open(f, i < 2 ? VIA_STREAM : VIA_DGRAM);
	fake_flag(f, s[0], SOL_SOCKET, SO_REUSEPORT);
	assert_int_equal(fake_bind(f, s[0], 0, 80), 0);
	port_receives(&f->env, ep_of(&f->env, s[0]), true);
	assert_int_equal(fake_bind(f, s[1], 0, 80), -EADDRINUSE);
	fake_flag(f, s[1], SOL_SOCKET, SO_REUSEPORT);
	assert_int_equal(fake_bind(f, s[1], 0, 80), 0);
	assert_true(port_may_listen(&f->env, ep_of(&f->env, s[1])));
	assert_int_equal(fake_bind(f, s[2], 0, 80), 0);
	fake_flag(f, s[3], SOL_SOCKET, SO_REUSEPORT);
	assert_int_equal(fake_bind(f, s[3], 0, 80), -EADDRINUSE);
}

/* What one of those who share does not allow, a third may not use. */
static void reuse__flags_of_all_count(void **state)
{
	struct fake *f = *state;
	via_sock a = fake_open(f, VIA_STREAM), b = fake_open(f, VIA_STREAM), c = fake_open(f, VIA_STREAM);
	fake_flag(f, a, SOL_SOCKET, SO_REUSEADDR);
	fake_flag(f, a, SOL_SOCKET, SO_REUSEPORT);
	fake_flag(f, b, SOL_SOCKET, SO_REUSEPORT);
	fake_flag(f, c, SOL_SOCKET, SO_REUSEADDR);
	assert_int_equal(fake_bind(f, a, 0, 80), 0);
	assert_int_equal(fake_bind(f, b, 0, 80), 0);
	assert_int_equal(fake_bind(f, c, 0, 80), -EADDRINUSE);
}

/* Linux: a server's TIME-WAIT forbids its port, unless both it and the newcomer have SO_REUSEADDR. */
static void timewait__needs_reuseaddr(void **state)
{
	struct fake *f = *state;
	for (int reuse = 0; reuse < 4; reuse++) {
		via_sock old = fake_open(f, VIA_STREAM), fresh = fake_open(f, VIA_STREAM);
		if (reuse & 1)
			fake_flag(f, old, SOL_SOCKET, SO_REUSEADDR);
		if (reuse & 2)
			fake_flag(f, fresh, SOL_SOCKET, SO_REUSEADDR);
		assert_int_equal(fake_bind(f, old, 0, 80), 0);
		ref_t conn = node_add(f, A1, 80, PEER, 4000);
		sock_close(&f->env, old);
		/* The connection becomes a TIME-WAIT entry: one goes, the other comes. */
		node_del(f, conn);
		ref_t tw = node_add(f, A1, 80, PEER, 4000);
		f->tcp.now += NS_PER_S;
		assert_int_equal(fake_bind(f, fresh, 0, 80), reuse == 3 ? 0 : -EADDRINUSE);
		assert_int_equal(fake_bind(f, fresh, A2, 80), reuse == 3 ? -EINVAL : 0); /* another address never minds */
		sock_close(&f->env, fresh);
		node_del(f, tw);
		fresh = fake_open(f, VIA_STREAM);
		assert_int_equal(fake_bind(f, fresh, 0, 80), 0);
		sock_close(&f->env, fresh);
	}
}

static void req_TX_010__bind_finds_the_last_free_port(void **state)
{
	struct fake *f = *state;
	static bool seen[65536];
	memset(seen, 0, sizeof(seen));
	for (uint32_t i = 0; i < PORT_AUTO_N; i++) {
		via_sock s = fake_open(f, VIA_DGRAM);
		assert_int_equal(fake_bind(f, s, 0, 0), 0);
		uint16_t port = fake_port(f, s);
		assert_in_range(port, 32768, 60999);
		assert_false(seen[port]);
		seen[port] = true;
	}
	via_sock more = fake_open(f, VIA_DGRAM);
	assert_int_equal(fake_bind(f, more, 0, 0), -EADDRINUSE);
	assert_int_equal(fake_connect(f, more, PEER, 53), -EAGAIN);
	assert_int_equal(fake_bind(f, more, 0, 7), 0);
}

static void req_TX_010__connect_finds_the_last_free_port_and_shares_it(void **state)
{
	struct fake *f = *state;
	static ref_t nodes[PORT_AUTO_N];
	struct via_addr l = via_addr_v4(A1), r = via_addr_v4(PEER), other = via_addr_v4(PEER + 1);
	size_t base = arena_bytes_used(f->env.arena);
	for (uint32_t i = 0; i < PORT_AUTO_N; i++) {
		uint16_t port = port_auto(&f->env, &l, &r, 80);
		assert_in_range(port, 32768, 60999);
		assert_int_equal(demux_node(&f->env, &l, port, &r, 80), 0);
		nodes[i] = node_add(f, A1, port, PEER, 80);
	}
	assert_int_equal(port_auto(&f->env, &l, &r, 80), 0);
	assert_int_not_equal(port_auto(&f->env, &l, &r, 81), 0);     /* another port there */
	assert_int_not_equal(port_auto(&f->env, &l, &other, 80), 0); /* another host */
	uint16_t freed = ((struct tcp_node *)arena_at(f->env.arena, nodes[12345]))->lport;
	node_del(f, nodes[12345]);
	assert_int_equal(port_auto(&f->env, &l, &r, 80), freed);
	for (uint32_t i = 0; i < PORT_AUTO_N; i++)
		if (i != 12345)
			node_del(f, nodes[i]);
	assert_int_equal(arena_bytes_used(f->env.arena), base);
}

static void connect__never_takes_a_bound_port(void **state)
{
	struct fake *f = *state;
	struct via_addr l = via_addr_v4(A1), r = via_addr_v4(PEER);
	for (uint32_t p = 32768; p < 61000; p++)
		if (p != 40000)
			assert_int_equal(fake_bind(f, fake_open(f, VIA_STREAM), p % 2 ? 0 : A1, (uint16_t)p), 0);
	assert_int_equal(port_auto(&f->env, &l, &r, 80), 40000);
	assert_int_equal(fake_bind(f, fake_open(f, VIA_STREAM), 0, 40000), 0);
	assert_int_equal(port_auto(&f->env, &l, &r, 80), 0);
}

/* Chi-square over 16 equal parts of the range, 15 degrees of freedom: above 45 has a chance below 10^-4. */
static void assert_spread(const uint32_t bins[16], uint32_t n)
{
	double x = 0, want = n / 16.0;
	for (int i = 0; i < 16; i++)
		x += (bins[i] - want) * (bins[i] - want) / want;
	assert_true(x < 45);
}

static void req_UDP_006__ports_of_unbound_senders_are_unpredictable(void **state)
{
	struct fake *f = *state;
	uint32_t bins[16] = {0}, steps = 0;
	uint16_t last = 0;
	for (int i = 0; i < 4096; i++) {
		via_sock s = fake_open(f, VIA_DGRAM);
		struct via_sockaddr to = at(PEER, 53);
		assert_int_equal(sock_sendto(&f->env, s, "q", 1, 0, &to), 1);
		uint16_t port = fake_port(f, s);
		bins[(port - 32768u) * 16 / PORT_AUTO_N]++;
		steps += last && (uint16_t)(port - last) <= 16; /* a guesser who saw the last one */
		last = port;
		sock_close(&f->env, s);
		pktq_clear(&f->mem, &f->sent);
	}
	assert_spread(bins, 4096);
	assert_true(steps < 20); /* 2.3 by chance */
}

static void req_TX_010__destinations_do_not_tell_each_others_ports(void **state)
{
	struct fake *f = *state;
	uint32_t bins[16] = {0}, diff[16] = {0};
	uint16_t last = 0;
	struct via_addr l = via_addr_v4(A1);
	for (uint32_t i = 0; i < 4096; i++) {
		struct via_addr r = via_addr_v4(0x0a010000 + i);
		uint16_t port = port_auto(&f->env, &l, &r, 80);
		bins[(port - 32768u) * 16 / PORT_AUTO_N]++;
		diff[(port + PORT_AUTO_N - last) % PORT_AUTO_N * 16 / PORT_AUTO_N]++;
		last = port;
	}
	assert_spread(bins, 4096);
	assert_spread(diff, 4096);
}

/* RFC 6056 §3.3.5: who sees one port of a destination does not know the next. */
static void req_TX_010__next_port_is_not_the_next_number(void **state)
{
	struct fake *f = *state;
	struct via_addr l = via_addr_v4(A1), r = via_addr_v4(PEER);
	uint32_t steps[10] = {0}, last = port_auto(&f->env, &l, &r, 80);
	for (int i = 0; i < 1000; i++) {
		uint32_t port = port_auto(&f->env, &l, &r, 80), step = (port + PORT_AUTO_N - last) % PORT_AUTO_N;
		assert_in_range(step, 1, 8);
		steps[step]++;
		last = port;
	}
	for (int i = 1; i <= 8; i++)
		assert_in_range(steps[i], 75, 175); /* 125 +- 10.5: 4.8 sigma */
}

static void ports__seed_decides(void **state)
{
	struct fake *f = *state, *g = fake_new(4u << 20);
	uint8_t seed[32] = "another seed";
	sock_fini(&g->env);
	assert_int_equal(sock_init(&g->env, seed), 0);
	struct via_addr l = via_addr_v4(A1);
	int same = 0;
	for (uint32_t i = 0; i < 64; i++) {
		struct via_addr r = via_addr_v4(PEER + i);
		same += port_auto(&f->env, &l, &r, 80) == port_auto(&g->env, &l, &r, 80);
	}
	assert_true(same < 4);
	fake_free(g);
}

static void close__gives_everything_back(void **state)
{
	struct fake *f = *state;
	size_t base = arena_bytes_used(f->env.arena);
	via_sock s[1000];
	for (int i = 0; i < 1000; i++) {
		s[i] = fake_open(f, i % 2 ? VIA_DGRAM : VIA_STREAM);
		assert_int_equal(fake_bind(f, s[i], 0, 0), 0);
		fake_flag(f, s[i], SOL_SOCKET, SO_RCVBUF);
		if (i % 2)
			assert_int_equal(fake_connect(f, s[i], PEER, 53), 0);
	}
	for (int i = 0; i < 1000; i++)
		assert_int_equal(sock_close(&f->env, s[i]), 0);
	assert_int_equal(sock_close(&f->env, s[0]), -EBADF);
	assert_int_equal(arena_bytes_used(f->env.arena), base);
	assert_int_equal(f->n_paths, 0);
}

#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(bind__same_port_is_refused), T(bind__tcp_and_udp_are_apart), T(bind__errors), T(reuseaddr__two_may_bind_one_may_listen),
		T(reuseport__all_must_agree), T(timewait__needs_reuseaddr), T(req_TX_010__bind_finds_the_last_free_port),
		T(req_TX_010__connect_finds_the_last_free_port_and_shares_it), T(connect__never_takes_a_bound_port),
		T(req_UDP_006__ports_of_unbound_senders_are_unpredictable), T(req_TX_010__destinations_do_not_tell_each_others_ports),
		T(req_TX_010__next_port_is_not_the_next_number),
		T(reuse__flags_of_all_count), T(ports__seed_decides), T(close__gives_everything_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
