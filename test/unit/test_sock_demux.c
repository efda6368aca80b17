/* Finding: the exact four-tuple among many, the most specific socket among few. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/socket.h>

#include "sock_fake.h"

#define N 100000u

static int setup(void **state)
{
	*state = fake_new(128u << 20);
	return 0;
}

static int teardown(void **state)
{
	fake_free(*state);
	return 0;
}

/* An attacker's choice: one server port, remote ports and addresses counting up. */
static void nodes__hundred_thousand(void **state)
{
	struct fake *f = *state;
	static ref_t nodes[N];
	struct via_addr l = via_addr_v4(A1);
	size_t base = arena_bytes_used(f->env.arena);
	for (uint32_t i = 0; i < N; i++) {
		struct via_addr r = via_addr_v4(0x0b000000 + i / 1000);
		nodes[i] = arena_buf_take(f->env.arena, sizeof(struct tcp_node));
		struct tcp_node *n = arena_at(f->env.arena, nodes[i]);
		memset(n, 0, sizeof(*n));
		assert_int_equal(fake_path_get(f, &l, &r, &n->path), 0);
		n->lport = 80;
		n->rport = (uint16_t)(1024 + i % 1000);
		sock_demux_add(&f->env, nodes[i]);
	}
	assert_in_range(htab_longest(f->env.arena, &tab_of(&f->env)->nodes), 1, 16);
	for (uint32_t i = 0; i < N; i++) {
		struct via_addr r = via_addr_v4(0x0b000000 + i / 1000), wrong = via_addr_v4(A2);
		uint16_t rport = (uint16_t)(1024 + i % 1000);
		assert_int_equal(demux_node(&f->env, &l, 80, &r, rport), nodes[i]);
		assert_int_equal(demux_node(&f->env, &wrong, 80, &r, rport), 0);
		assert_int_equal(demux_node(&f->env, &l, 81, &r, rport), 0);
		assert_int_equal(demux_node(&f->env, &l, 80, &r, (uint16_t)(rport + 1000)), 0);
	}
	for (uint32_t i = 0; i < N; i++) {
		ref_t path = ((struct tcp_node *)arena_at(f->env.arena, nodes[i]))->path;
		sock_demux_del(&f->env, nodes[i]);
		fake_path_drop(f, path);
		arena_buf_give(f->env.arena, nodes[i], sizeof(struct tcp_node));
	}
	assert_int_equal(arena_bytes_used(f->env.arena), base);
}

/* Equal hashes are not enough: a node whose path is another's is not found (as if two tuples had collided). */
static void nodes__addresses_are_compared(void **state)
{
	struct fake *f = *state;
	struct via_addr l = via_addr_v4(A1), r = via_addr_v4(PEER);
	ref_t node = arena_buf_take(f->env.arena, sizeof(struct tcp_node));
	struct tcp_node *n = arena_at(f->env.arena, node);
	memset(n, 0, sizeof(*n));
	assert_int_equal(fake_path_get(f, &l, &r, &n->path), 0);
	n->lport = 80;
	n->rport = 1024;
	sock_demux_add(&f->env, node);
	struct tcp_path *p = arena_at(f->env.arena, n->path);
	assert_int_equal(demux_node(&f->env, &l, 80, &r, 1024), node);
	p->remote = via_addr_v4(PEER + 1);
	assert_int_equal(demux_node(&f->env, &l, 80, &r, 1024), 0);
	p->remote = r;
	p->local = via_addr_v4(A2);
	assert_int_equal(demux_node(&f->env, &l, 80, &r, 1024), 0);
	p->local = l;
	sock_demux_del(&f->env, node);
	assert_int_equal(demux_node(&f->env, &l, 80, &r, 1024), 0);
}

static void expect(struct fake *f, via_sock want, uint32_t src, uint16_t sport, uint32_t dst)
{
	char c;
	assert_int_equal(fake_rx_udp(f, src, sport, dst, 53, "x", 1), want ? DROP_NONE : DROP_UDP_NO_SOCKET);
	if (want)
		assert_int_equal(sock_recvfrom(&f->env, want, &c, 1, 0, NULL, NULL), 1);
}

static void req_UDP_005__most_specific_wins(void **state)
{
	struct fake *f = *state;
	via_sock any = fake_open(f, VIA_DGRAM), bound = fake_open(f, VIA_DGRAM), conn = fake_open(f, VIA_DGRAM);
	expect(f, 0, PEER, 9, A1);
	fake_flag(f, any, SOL_SOCKET, SO_REUSEADDR);
	fake_flag(f, bound, SOL_SOCKET, SO_REUSEADDR);
	fake_flag(f, conn, SOL_SOCKET, SO_REUSEADDR);
	assert_int_equal(fake_bind(f, any, 0, 53), 0);
	expect(f, any, PEER, 9, A1);
	assert_int_equal(fake_bind(f, bound, A1, 53), 0);
	expect(f, bound, PEER, 9, A1);
	expect(f, any, PEER, 9, A2);
	assert_int_equal(fake_bind(f, conn, A1, 53), 0);
	expect(f, conn, PEER, 9, A1); /* the one that came last, as Linux */
	assert_int_equal(fake_connect(f, conn, PEER, 9), 0);
	expect(f, conn, PEER, 9, A1);
	expect(f, bound, PEER, 10, A1);
	expect(f, bound, PEER + 1, 9, A1);
	expect(f, any, PEER, 9, A2);
	sock_close(&f->env, bound);
	expect(f, any, PEER + 1, 9, A1); /* not conn: it has another peer */
	sock_close(&f->env, any);
	expect(f, 0, PEER + 1, 9, A1);
	expect(f, conn, PEER, 9, A1);
}

static void reuseport__flows_are_spread_and_stay(void **state)
{
	struct fake *f = *state;
	via_sock s[4];
	uint32_t got[4] = {0};
	for (int i = 0; i < 4; i++) {
		s[i] = fake_open(f, VIA_DGRAM);
		fake_flag(f, s[i], SOL_SOCKET, SO_REUSEPORT);
		assert_int_equal(fake_bind(f, s[i], 0, 53), 0);
	}
	for (uint32_t i = 0; i < 400; i++) {
		int first = -1;
		for (int again = 0; again < 2; again++) {
			char c;
			assert_int_equal(fake_rx_udp(f, PEER + i, 9, A1, 53, "x", 1), DROP_NONE);
			for (int k = 0; k < 4; k++) {
				if (sock_recvfrom(&f->env, s[k], &c, 1, 0, NULL, NULL) != 1)
					continue;
				assert_true(first < 0 || first == k);
				first = k;
			}
			assert_true(first >= 0);
		}
		got[first]++;
	}
	for (int k = 0; k < 4; k++)
		assert_in_range(got[k], 60, 140); /* 100 +- 8.7: 4.6 sigma */
}

static void listener__most_specific_wins(void **state)
{
	struct fake *f = *state;
	via_sock any = fake_open(f, VIA_STREAM), one = fake_open(f, VIA_STREAM);
	struct via_addr a1 = via_addr_v4(A1), a2 = via_addr_v4(A2);
	assert_null(port_receiver(&f->env, PROTO_TCP, &a1, 80, 0));
	assert_int_equal(fake_bind(f, one, A1, 80), 0);
	assert_null(port_receiver(&f->env, PROTO_TCP, &a1, 80, 0)); /* bound is not listening */
	port_receives(&f->env, ep_of(&f->env, one), true);
	assert_ptr_equal(port_receiver(&f->env, PROTO_TCP, &a1, 80, 0), ep_of(&f->env, one));
	assert_null(port_receiver(&f->env, PROTO_TCP, &a2, 80, 0));
	assert_null(port_receiver(&f->env, PROTO_UDP, &a1, 80, 0));
	fake_flag(f, one, SOL_SOCKET, SO_REUSEPORT);
	fake_flag(f, any, SOL_SOCKET, SO_REUSEPORT);
	assert_int_equal(fake_bind(f, any, 0, 80), 0);
	port_receives(&f->env, ep_of(&f->env, any), true);
	assert_ptr_equal(port_receiver(&f->env, PROTO_TCP, &a1, 80, 0), ep_of(&f->env, one));
	assert_ptr_equal(port_receiver(&f->env, PROTO_TCP, &a2, 80, 0), ep_of(&f->env, any));
}

static void tcp__too_short_is_dropped(void **state)
{
	struct fake *f = *state;
	struct via_addr s = via_addr_v4(PEER), d = via_addr_v4(A1), m = via_addr_v4(0xe0000001);
	struct pkt *p = pkt_new(&f->mem, 64);
	memset(pkt_put(p, 19), 0, 19);
	assert_int_equal(sock_tcp_arrives(&f->env, p, &s, &d, NULL), DROP_TCP_BAD);
	p = pkt_new(&f->mem, 64);
	memset(pkt_put(p, 20), 0, 20);
	assert_int_equal(sock_tcp_arrives(&f->env, p, &s, &m, NULL), DROP_IP_BROADCAST);
	assert_int_equal(pktmem_pkts_used(&f->mem), 0);
}

/* MUST-46, and its other half: who calls a group is told so, who is called by one says nothing. */
static void req_TCP_026__groups_are_no_peers(void **state)
{
	static const uint32_t groups[] = {0xe0000001, 0xefffffff, 0xffffffff};
	struct fake *f = *state;
	via_sock l = fake_open(f, VIA_STREAM);
	assert_int_equal(fake_bind(f, l, 0, 80), 0);
	assert_int_equal(sock_listen(&f->env, l, 4), 0);
	for (unsigned i = 0; i < ARRAY_LEN(groups); i++) {
		via_sock s = fake_open(f, VIA_STREAM);
		struct via_sockaddr to = at(groups[i], 80);
		assert_int_equal(sock_connect(&f->env, s, &to), -ENETUNREACH);
		assert_int_equal(sock_close(&f->env, s), 0);
		struct via_addr many = via_addr_v4(groups[i]), one = via_addr_v4(PEER), ours = via_addr_v4(A1);
		for (int from = 0; from < 2 && i < 2; from++) { /* 255.255.255.255 and directed broadcasts end in stack/rx.c */
			struct tcp_hdr h = {.sport = 9, .dport = 80, .flags = TCP_SYN, .seq = 1, .wnd = 1000};
			struct pkt *p = pkt_new(&f->mem, 64);
			tcp_emit(pkt_put(p, TCP_HLEN), &h);
			assert_int_equal(sock_tcp_arrives(&f->env, p, from ? &many : &one, from ? &ours : &many, NULL), DROP_IP_BROADCAST);
		}
	}
	assert_int_equal(f->n_paths, 0);
	assert_int_equal(sock_close(&f->env, l), 0);
}

#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(nodes__hundred_thousand), T(nodes__addresses_are_compared),
		T(req_UDP_005__most_specific_wins), T(reuseport__flows_are_spread_and_stay),
		T(listener__most_specific_wins), T(tcp__too_short_is_dropped), T(req_TCP_026__groups_are_no_peers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
