/* Stream sockets over real stacks: Linux's errno, readiness and lifetimes (net/ipv4/af_inet.c, tcp.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "stacks.h"

#define CLIENT 0x0a000001u
#define SERVER 0x0a000002u
#define LOOP 0x7f000001u

struct duo {
	struct net *t;
	struct via *c, *s;
	size_t base_c, base_s;
};

static int setup(void **state)
{
	struct duo *d = calloc(1, sizeof(*d));
	int ia, ib;
	d->t = net_new();
	d->c = net_stack(d->t, "client", false);
	d->s = net_stack(d->t, "server", false);
	net_link(d->t, d->c, d->s, 1000, 1500, 0, 0, &ia, &ib);
	assert_int_equal(net_addr(d->c, ia, CLIENT, 24), 0);
	assert_int_equal(net_addr(d->s, ib, SERVER, 24), 0);
	*state = d;
	return 0;
}

static int teardown(void **state)
{
	struct duo *d = *state;
	net_free(d->t);
	free(d);
	return 0;
}

static void run(struct duo *d, int64_t ms)
{
	assert_true(net_run(d->t, d->t->now + ms * NS_PER_MS));
}

static int do_bind(struct via *v, via_sock s, uint32_t ip, uint16_t port)
{
	struct via_sockaddr a = net_at(ip, port);
	return via_bind(v, s, &a);
}

static int do_connect(struct via *v, via_sock s, uint32_t ip, uint16_t port)
{
	struct via_sockaddr a = net_at(ip, port);
	return via_connect(v, s, &a);
}

static int get_int(struct via *v, via_sock s, int level, int name)
{
	int x = -1;
	uint32_t n = sizeof(x);
	assert_int_equal(via_getsockopt(v, s, level, name, &x, &n), 0);
	return x;
}

static void set_int(struct via *v, via_sock s, int level, int name, int x)
{
	assert_int_equal(via_setsockopt(v, s, level, name, &x, sizeof(x)), 0);
}

static via_sock listener(struct via *v, uint16_t port, int backlog)
{
	via_sock l = net_open(v, VIA_STREAM);
	set_int(v, l, SOL_SOCKET, SO_REUSEADDR, 1);
	assert_int_equal(do_bind(v, l, 0, port), 0);
	assert_int_equal(via_listen(v, l, backlog), 0);
	return l;
}

/* A connection from the client to the server's listener l, both ends open. */
static void join(struct duo *d, via_sock l, uint16_t port, via_sock *c, via_sock *s)
{
	*c = net_open(d->c, VIA_STREAM);
	assert_int_equal(do_connect(d->c, *c, SERVER, port), -EINPROGRESS);
	run(d, 10);
	assert_int_equal(via_accept(d->s, l, 0, s, NULL), 0);
}

static uint32_t edges_of(struct via *v, via_sock s)
{
	struct via_event ev[64];
	uint32_t bits = 0;
	int n = via_events(v, ev, 64);
	for (int i = 0; i < n; i++)
		bits |= ev[i].sock == s ? ev[i].edges : 0;
	return bits;
}

static void connect__accept_and_talk(void **state)
{
	struct duo *d = *state;
	via_sock l = listener(d->s, 80, 5), c = net_open(d->c, VIA_STREAM), s;
	struct via_sockaddr a, peer;
	char b[16];
	assert_int_equal(via_accept(d->s, l, 0, &s, NULL), -EAGAIN);
	assert_int_equal(do_connect(d->c, c, SERVER, 80), -EINPROGRESS);
	assert_int_equal(do_connect(d->c, c, SERVER, 80), -EALREADY);
	assert_int_equal(via_send(d->c, c, "x", 1, 0), -EAGAIN);
	assert_int_equal(via_recv(d->c, c, b, 1, 0), -EAGAIN);
	assert_int_equal(via_peer(d->c, c, &peer), -ENOTCONN);
	assert_int_equal(via_ready(d->c, c) & (VIA_OUT | VIA_HUP), 0);
	run(d, 10);
	assert_int_equal(edges_of(d->c, c), VIA_OUT);
	assert_int_equal(edges_of(d->s, l), VIA_IN);
	assert_int_equal(via_ready(d->s, l), VIA_IN);
	assert_int_equal(do_connect(d->c, c, SERVER, 80), -EISCONN);
	assert_int_equal(get_int(d->c, c, SOL_SOCKET, SO_ERROR), 0);
	assert_int_equal(via_accept(d->s, l, 9, &s, &peer), 0);
	assert_int_equal(via_ready(d->s, l), 0);
	assert_int_equal(via_local(d->c, c, &a), 0);
	assert_memory_equal(&a.addr, &peer.addr, sizeof(a.addr));
	assert_int_equal(a.port, peer.port);
	assert_int_equal(via_addr_to_v4(&a.addr), CLIENT);
	assert_int_equal(via_peer(d->c, c, &a), 0);
	assert_int_equal(a.port, 80);
	assert_int_equal(edges_of(d->s, s), VIA_OUT);
	assert_int_equal(via_send(d->c, c, "hello", 5, 0), 5);
	run(d, 10);
	assert_int_equal(edges_of(d->s, s), VIA_IN);
	assert_int_equal(via_inq(d->s, s), 5);
	assert_int_equal(via_outq(d->c, c), 0);
	assert_int_equal(via_recv(d->s, s, b, 2, VIA_PEEK), 2);
	assert_int_equal(via_recv(d->s, s, b, 2, VIA_TRUNC), 2); /* thrown away */
	assert_int_equal(via_recv(d->s, s, b, 16, 0), 3);
	assert_memory_equal(b, "llo", 3);
	assert_int_equal(via_recv(d->s, s, b, 16, 0), -EAGAIN);
}

static void edges__one_for_each_arrival(void **state)
{
	struct duo *d = *state;
	via_sock l = listener(d->s, 80, 5), c, s, c2[3];
	join(d, l, 80, &c, &s);
	edges_of(d->s, s);
	for (int i = 0; i < 3; i++) { /* never read, yet told each time */
		assert_int_equal(via_send(d->c, c, "x", 1, 0), 1);
		run(d, 10);
		assert_int_equal(edges_of(d->s, s), VIA_IN);
		assert_int_equal(edges_of(d->s, s), 0);
	}
	for (int i = 0; i < 3; i++) {
		c2[i] = net_open(d->c, VIA_STREAM);
		assert_int_equal(do_connect(d->c, c2[i], SERVER, 80), -EINPROGRESS);
		run(d, 10);
		assert_int_equal(edges_of(d->s, l), VIA_IN);
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(via_accept(d->s, l, 0, &s, NULL), 0);
	assert_int_equal(via_accept(d->s, l, 0, &s, NULL), -EAGAIN);
}

static void connect__refused_then_anew(void **state)
{
	struct duo *d = *state;
	via_sock c = net_open(d->c, VIA_STREAM), s;
	struct via_sockaddr a;
	char b;
	for (int way = 0; way < 3; way++) {
		assert_int_equal(do_connect(d->c, c, SERVER, 80), -EINPROGRESS);
		run(d, 10);
		assert_int_equal(edges_of(d->c, c) & (VIA_ERR | VIA_OUT), VIA_ERR | VIA_OUT);
		assert_int_equal(via_ready(d->c, c), VIA_IN | VIA_OUT | VIA_ERR | VIA_HUP | VIA_RDHUP);
		assert_int_equal(via_peer(d->c, c, &a), -ENOTCONN);
		if (way == 0)
			assert_int_equal(get_int(d->c, c, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
		else if (way == 1)
			assert_int_equal(via_recv(d->c, c, &b, 1, 0), -ECONNREFUSED);
		else
			assert_int_equal(do_connect(d->c, c, SERVER, 80), -ECONNREFUSED);
	}
	via_sock l = listener(d->s, 80, 5);
	assert_int_equal(do_connect(d->c, c, SERVER, 80), -EINPROGRESS);
	run(d, 10);
	assert_int_equal(via_accept(d->s, l, 0, &s, NULL), 0);
	assert_int_equal(get_int(d->c, c, SOL_SOCKET, SO_ERROR), 0);
}

static void connect__to_any_is_loopback(void **state)
{
	struct duo *d = *state;
	via_sock l = listener(d->c, 80, 5), c = net_open(d->c, VIA_STREAM), s;
	struct via_sockaddr peer;
	assert_int_equal(do_connect(d->c, c, 0, 80), -EINPROGRESS);
	run(d, 10);
	assert_int_equal(via_accept(d->c, l, 0, &s, &peer), 0);
	assert_int_equal(via_addr_to_v4(&peer.addr), LOOP);
	assert_int_equal(via_peer(d->c, c, &peer), 0);
	assert_int_equal(via_addr_to_v4(&peer.addr), LOOP);
}

static void connect__to_itself(void **state)
{
	struct duo *d = *state;
	via_sock s = net_open(d->c, VIA_STREAM);
	char b[8];
	assert_int_equal(do_bind(d->c, s, LOOP, 7777), 0);
	assert_int_equal(do_connect(d->c, s, LOOP, 7777), -EINPROGRESS);
	run(d, 10);
	assert_int_equal(via_ready(d->c, s), VIA_OUT);
	assert_int_equal(via_send(d->c, s, "me", 2, 0), 2);
	run(d, 10);
	assert_int_equal(via_recv(d->c, s, b, 8, 0), 2);
	assert_memory_equal(b, "me", 2);
}

static void listen__rules(void **state)
{
	struct duo *d = *state;
	via_sock l = net_open(d->s, VIA_STREAM), m = net_open(d->s, VIA_STREAM), out;
	struct via_sockaddr a;
	assert_int_equal(via_accept(d->s, l, 0, &out, NULL), -EINVAL);
	assert_int_equal(via_listen(d->s, l, 3), 0); /* binds by itself */
	assert_int_equal(via_local(d->s, l, &a), 0);
	assert_in_range(a.port, 32768, 60999);
	assert_int_equal(get_int(d->s, l, SOL_SOCKET, SO_ACCEPTCONN), 1);
	assert_int_equal(get_int(d->s, m, SOL_SOCKET, SO_ACCEPTCONN), 0);
	assert_int_equal(via_listen(d->s, l, 9), 0);
	assert_int_equal(do_bind(d->s, l, 0, 80), -EINVAL);
	assert_int_equal(do_connect(d->s, l, CLIENT, 80), -EISCONN);
	assert_int_equal(do_bind(d->s, m, 0, a.port), -EADDRINUSE);
	via_close(d->s, l);
	assert_int_equal(do_bind(d->s, m, 0, a.port), 0);
	assert_int_equal(via_listen(d->s, m, 1), 0);
}

static void listen__second_with_reuseaddr(void **state)
{
	struct duo *d = *state;
	via_sock l[2];
	for (int i = 0; i < 2; i++) {
		l[i] = net_open(d->s, VIA_STREAM);
		set_int(d->s, l[i], SOL_SOCKET, SO_REUSEADDR, 1);
		assert_int_equal(do_bind(d->s, l[i], 0, 80), 0);
	}
	assert_int_equal(via_listen(d->s, l[0], 1), 0);
	assert_int_equal(via_listen(d->s, l[1], 1), -EADDRINUSE);
}

static void listen__shutdown_ends_it(void **state)
{
	struct duo *d = *state;
	via_sock l = listener(d->s, 80, 5), c = net_open(d->c, VIA_STREAM), out;
	assert_int_equal(via_shutdown(d->s, l, VIA_SHUT_WR), 0);
	assert_int_equal(via_accept(d->s, l, 0, &out, NULL), -EAGAIN);
	assert_int_equal(via_shutdown(d->s, l, VIA_SHUT_RDWR), 0);
	assert_int_equal(via_accept(d->s, l, 0, &out, NULL), -EINVAL);
	assert_int_equal(do_connect(d->c, c, SERVER, 80), -EINPROGRESS);
	run(d, 10);
	assert_int_equal(get_int(d->c, c, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
	assert_int_equal(via_listen(d->s, l, 5), 0); /* still bound, may listen again */
}

static void listen__close_resets_what_waits(void **state)
{
	struct duo *d = *state;
	via_sock l = listener(d->s, 80, 5), c = net_open(d->c, VIA_STREAM);
	char b;
	assert_int_equal(do_connect(d->c, c, SERVER, 80), -EINPROGRESS);
	run(d, 10);
	via_close(d->s, l);
	run(d, 10);
	assert_int_equal(via_recv(d->c, c, &b, 1, 0), -ECONNRESET);
	assert_int_equal(via_recv(d->c, c, &b, 1, 0), 0);
}

static void shutdown__half_close(void **state)
{
	struct duo *d = *state;
	via_sock l = listener(d->s, 80, 5), c, s;
	char b[8];
	join(d, l, 80, &c, &s);
	edges_of(d->s, s);
	assert_int_equal(via_send(d->c, c, "bye", 3, 0), 3);
	assert_int_equal(via_shutdown(d->c, c, VIA_SHUT_WR), 0);
	assert_int_equal(via_send(d->c, c, "x", 1, 0), -EPIPE);
	run(d, 50);
	assert_int_equal(edges_of(d->s, s), VIA_IN | VIA_RDHUP);
	assert_int_equal(via_recv(d->s, s, b, 8, 0), 3);
	assert_int_equal(via_recv(d->s, s, b, 8, 0), 0);
	assert_int_equal(via_ready(d->s, s), VIA_IN | VIA_OUT | VIA_RDHUP);
	assert_int_equal(via_send(d->s, s, "still", 5, 0), 5);
	run(d, 50);
	assert_int_equal(via_recv(d->c, c, b, 8, 0), 5);
	assert_int_equal(via_shutdown(d->s, s, VIA_SHUT_RDWR), 0);
	run(d, 50);
	assert_int_equal(via_recv(d->c, c, b, 8, 0), 0);
	assert_int_equal(via_ready(d->c, c) & VIA_HUP, VIA_HUP);
	assert_int_equal(via_ready(d->s, s) & VIA_HUP, VIA_HUP);
	assert_int_equal(via_shutdown(d->s, s, VIA_SHUT_WR), -ENOTCONN);
	assert_int_equal(get_int(d->s, s, SOL_SOCKET, SO_ERROR), 0);
}

static void shutdown__reading_side(void **state)
{
	struct duo *d = *state;
	via_sock l = listener(d->s, 80, 5), c, s;
	struct via_iov iov;
	char b[8];
	join(d, l, 80, &c, &s);
	assert_int_equal(via_shutdown(d->s, s, VIA_SHUT_RD), 0);
	assert_int_equal(via_recv(d->s, s, b, 8, 0), 0);
	assert_int_equal(via_recv_peek(d->s, s, &iov, 1), 0);
	assert_int_equal(via_ready(d->s, s), VIA_IN | VIA_OUT | VIA_RDHUP);
	assert_int_equal(via_send(d->s, s, "out", 3, 0), 3);
	run(d, 10);
	assert_int_equal(via_recv(d->c, c, b, 8, 0), 3);
}

static void zero_copy__peek_consume_reserve_commit(void **state)
{
	struct duo *d = *state;
	via_sock l = listener(d->s, 80, 5), c, s;
	struct via_iov iov[4];
	join(d, l, 80, &c, &s);
	assert_true(via_send_reserve(d->c, c, iov, 4, 100) >= 1);
	assert_true(iov[0].len >= 5);
	memcpy(iov[0].base, "blocks", 6);
	assert_int_equal(via_send_commit(d->c, c, 5), 0);
	run(d, 10);
	assert_int_equal(via_recv_peek(d->s, s, iov, 4), 1);
	assert_int_equal(iov[0].len, 5);
	assert_memory_equal(iov[0].base, "block", 5);
	assert_int_equal(via_recv_consume(d->s, s, 4), 0);
	assert_int_equal(via_recv_peek(d->s, s, iov, 4), 1);
	assert_memory_equal(iov[0].base, "k", 1);
	assert_int_equal(via_recv_consume(d->s, s, 2), -EINVAL);
}

static void reset__readable_error_hup(void **state)
{
	struct duo *d = *state;
	via_sock l = listener(d->s, 80, 5), c, s;
	struct via_sockaddr a;
	char b;
	for (int way = 0; way < 3; way++) {
		join(d, l, 80, &c, &s);
		edges_of(d->s, s);
		assert_int_equal(via_abort(d->c, c), 0);
		run(d, 10);
		uint32_t all = VIA_IN | VIA_OUT | VIA_ERR | VIA_HUP | VIA_RDHUP;
		assert_int_equal(edges_of(d->s, s) & all, all);
		assert_int_equal(via_ready(d->s, s), all);
		if (way == 0)
			assert_int_equal(get_int(d->s, s, SOL_SOCKET, SO_ERROR), ECONNRESET);
		else if (way == 1)
			assert_int_equal(via_recv(d->s, s, &b, 1, 0), -ECONNRESET);
		else
			assert_int_equal(via_send(d->s, s, "x", 1, 0), -ECONNRESET);
		assert_int_equal(via_ready(d->s, s), all & ~(uint32_t)VIA_ERR);
		assert_int_equal(via_recv(d->s, s, &b, 1, 0), 0);
		assert_int_equal(via_send(d->s, s, "x", 1, 0), -EPIPE);
		assert_int_equal(via_peer(d->s, s, &a), -ENOTCONN);
		assert_int_equal(via_local(d->s, s, &a), 0);
		assert_int_equal(a.port, 80);
		assert_int_equal(do_connect(d->s, s, CLIENT, 9), -EISCONN);
		assert_int_equal(via_close(d->s, s), 0);
	}
}

static void close__linger_zero_resets(void **state)
{
	struct duo *d = *state;
	via_sock l = listener(d->s, 80, 5), c, s;
	struct linger lg = {1, 0};
	char b;
	join(d, l, 80, &c, &s);
	assert_int_equal(via_setsockopt(d->c, c, SOL_SOCKET, SO_LINGER, &lg, sizeof(lg)), 0);
	via_close(d->c, c);
	run(d, 10);
	assert_int_equal(via_recv(d->s, s, &b, 1, 0), -ECONNRESET);
}

/* Data first, then the end: also when the peer is long gone. */
static void close__what_was_sent_is_read(void **state)
{
	struct duo *d = *state;
	via_sock l = listener(d->s, 80, 5), c, s;
	char b[8];
	join(d, l, 80, &c, &s);
	assert_int_equal(via_send(d->c, c, "last", 4, 0), 4);
	via_close(d->c, c);
	run(d, 300000);
	assert_int_equal(via_recv(d->s, s, b, 8, 0), 4);
	assert_int_equal(via_recv(d->s, s, b, 8, 0), 0);
	via_close(d->s, s);
	run(d, 300000);
}

static void bind__over_time_wait(void **state)
{
	struct duo *d = *state;
	via_sock l = listener(d->s, 80, 5), c, s, fresh;
	join(d, l, 80, &c, &s);
	via_close(d->s, s); /* the server closes first: TIME-WAIT is here */
	run(d, 10);
	via_close(d->c, c);
	via_close(d->s, l);
	run(d, 100);
	fresh = net_open(d->s, VIA_STREAM);
	assert_int_equal(do_bind(d->s, fresh, 0, 80), -EADDRINUSE);
	set_int(d->s, fresh, SOL_SOCKET, SO_REUSEADDR, 1);
	assert_int_equal(do_bind(d->s, fresh, 0, 80), 0);
	via_close(d->s, fresh);
	run(d, 120000); /* 2 MSL are over */
	fresh = net_open(d->s, VIA_STREAM);
	assert_int_equal(do_bind(d->s, fresh, 0, 80), 0);
}

/* RFC 9293 §3.6.1: a SYN from the same port opens a new connection over TIME-WAIT. */
static void time_wait__yields_to_a_syn(void **state)
{
	struct duo *d = *state;
	via_sock l = listener(d->s, 80, 5), c, s;
	for (int round = 0; round < 5; round++) {
		c = net_open(d->c, VIA_STREAM);
		assert_int_equal(do_bind(d->c, c, CLIENT, 5555), 0);
		assert_int_equal(do_connect(d->c, c, SERVER, 80), -EINPROGRESS);
		run(d, 20);
		assert_int_equal(via_accept(d->s, l, 0, &s, NULL), 0);
		via_close(d->s, s);
		run(d, 20);
		via_close(d->c, c);
		run(d, 20);
	}
}

static void connect__same_four_tuple_is_refused(void **state)
{
	struct duo *d = *state;
	listener(d->s, 80, 5);
	via_sock c[2];
	for (int i = 0; i < 2; i++) {
		c[i] = net_open(d->c, VIA_STREAM);
		set_int(d->c, c[i], SOL_SOCKET, SO_REUSEADDR, 1);
		assert_int_equal(do_bind(d->c, c[i], CLIENT, 5555), 0);
	}
	assert_int_equal(do_connect(d->c, c[0], SERVER, 80), -EINPROGRESS);
	assert_int_equal(do_connect(d->c, c[1], SERVER, 80), -EADDRNOTAVAIL);
	assert_int_equal(do_connect(d->c, c[1], SERVER, 81), -EINPROGRESS);
}

static void accept__child_has_the_listeners_options(void **state)
{
	struct duo *d = *state;
	via_sock l = net_open(d->s, VIA_STREAM), c, s;
	set_int(d->s, l, IPPROTO_TCP, TCP_NODELAY, 1);
	set_int(d->s, l, IPPROTO_TCP, TCP_KEEPIDLE, 44);
	set_int(d->s, l, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_int(d->s, l, SOL_SOCKET, SO_RCVBUF, 30000);
	assert_int_equal(do_bind(d->s, l, SERVER, 80), 0);
	assert_int_equal(via_listen(d->s, l, 5), 0);
	join(d, l, 80, &c, &s);
	assert_int_equal(get_int(d->s, s, IPPROTO_TCP, TCP_NODELAY), 1);
	assert_int_equal(get_int(d->s, s, IPPROTO_TCP, TCP_KEEPIDLE), 44);
	assert_int_equal(get_int(d->s, s, SOL_SOCKET, SO_KEEPALIVE), 1);
	assert_int_equal(get_int(d->s, s, SOL_SOCKET, SO_RCVBUF), 60000);
	assert_in_range(get_int(d->s, s, IPPROTO_TCP, TCP_MAXSEG), 1400, 1460);
	assert_in_range(get_int(d->s, s, IPPROTO_IP, IP_MTU), 1500, 1500);
}

static void reuseport__two_listeners_share(void **state)
{
	struct duo *d = *state;
	via_sock l[2], s;
	int got[2] = {0};
	for (int i = 0; i < 2; i++) {
		l[i] = net_open(d->s, VIA_STREAM);
		set_int(d->s, l[i], SOL_SOCKET, SO_REUSEPORT, 1);
		assert_int_equal(do_bind(d->s, l[i], 0, 80), 0);
		assert_int_equal(via_listen(d->s, l[i], 100), 0);
	}
	for (int i = 0; i < 64; i++)
		assert_int_equal(do_connect(d->c, net_open(d->c, VIA_STREAM), SERVER, 80), -EINPROGRESS);
	run(d, 50);
	for (int i = 0; i < 2; i++)
		while (via_accept(d->s, l[i], 0, &s, NULL) == 0)
			got[i]++;
	assert_int_equal(got[0] + got[1], 64);
	assert_in_range(got[0], 12, 52); /* 32 +- 4: 5 sigma */
}

/* A socket's family is told, also where its addresses are IPv4, and whether it takes those. */
static void list__tells_the_family(void **state)
{
	struct duo *d = *state;
	const struct via_sockaddr any = {.port = 80};
	via_sock both, only, peer, got, four = net_open(d->s, VIA_STREAM);
	struct via_sock_info i = {.size = sizeof(i)};
	int on = 1;
	assert_int_equal(via_open(d->s, (enum via_type)((int)VIA_STREAM | (int)VIA_V6), 0, &both), 0);
	assert_int_equal(via_open(d->s, (enum via_type)((int)VIA_STREAM | (int)VIA_V6), 0, &only), 0);
	assert_int_equal(via_setsockopt(d->s, only, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)), 0);
	assert_int_equal(via_bind(d->s, both, &any), 0);
	assert_int_equal(via_listen(d->s, both, 5), 0);
	join(d, both, 80, &peer, &got);
	const struct { via_sock s; bool is_v6, v6_only; }
		want[] = {{both, true, false}, {only, true, true}, {got, true, false}, {four, false, false}};
	for (size_t k = 0; k < ARRAY_LEN(want); k++) {
		assert_int_equal(via_sock_info(d->s, want[k].s, &i), 0);
		assert_int_equal(i.is_v6, want[k].is_v6);
		assert_int_equal(i.v6_only, want[k].v6_only);
	}
	assert_int_equal(via_sock_info(d->s, got, &i), 0);
	assert_true(via_addr_is_v4(&i.local.addr));
	assert_int_equal(via_sock_info(d->c, peer, &i), 0);
	assert_false(i.is_v6);
}

/* Every socket is listed once, whatever state it is in. */
static void list__everything_once(void **state)
{
	struct duo *d = *state;
	via_sock l = listener(d->s, 80, 5), c, s, u = net_open(d->s, VIA_DGRAM), tw_c, tw_s;
	uint64_t cursor = 0;
	struct via_sock_info i = {.size = sizeof(i)};
	int states[16] = {0}, n = 0;
	assert_int_equal(do_bind(d->s, u, 0, 53), 0);
	net_open(d->s, VIA_STREAM);
	join(d, l, 80, &c, &s);
	join(d, l, 80, &tw_c, &tw_s);
	via_close(d->s, tw_s);
	run(d, 10);
	via_close(d->c, tw_c);
	run(d, 10);
	for (; via_sock_next(d->s, &cursor, &i); n++)
		states[i.type == VIA_STREAM ? i.tcp_state : 0]++;
	assert_int_equal(n, 5);
	assert_int_equal(states[0], 1);
	assert_int_equal(states[TCP_LISTEN], 1);
	assert_int_equal(states[TCP_ESTABLISHED], 1);
	assert_int_equal(states[TCP_TIME_WAIT], 1);
	assert_int_equal(states[TCP_CLOSED], 1);
	assert_int_equal(via_sock_info(d->s, s, &i), 0);
	assert_int_equal(i.tcp_state, TCP_ESTABLISHED);
	assert_int_equal(i.local.port, 80);
	assert_int_equal(via_addr_to_v4(&i.remote.addr), CLIENT);
	struct tcp_info ti;
	uint32_t len = sizeof(ti);
	assert_int_equal(via_getsockopt(d->s, s, IPPROTO_TCP, TCP_INFO, &ti, &len), 0);
	assert_int_equal(ti.tcpi_state, TCP_ESTABLISHED);
}

/* Design: connection, endpoint, demux and timer of an idle connection take at most 512 bytes. */
static void idle__at_most_512_bytes(void **state)
{
	struct duo *d = *state;
	enum { COUNT = 1000 };
	via_sock l = listener(d->s, 80, COUNT), s;
	size_t c0 = via_arena_used(d->c), s0 = via_arena_used(d->s);
	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(do_connect(d->c, net_open(d->c, VIA_STREAM), SERVER, 80), -EINPROGRESS);
		if (i % 50 == 49)
			run(d, 10);
	}
	run(d, 1000);
	for (int i = 0; i < COUNT; i++)
		assert_int_equal(via_accept(d->s, l, 0, &s, NULL), 0);
	run(d, 1000);
	size_t per_c = (via_arena_used(d->c) - c0) / COUNT, per_s = (via_arena_used(d->s) - s0) / COUNT;
	assert_in_range(per_c, 1, 512);
	assert_in_range(per_s, 1, 512);
}

static void close__all_comes_back(void **state)
{
	struct duo *d = *state;
	enum { COUNT = 200 };
	via_sock l = listener(d->s, 80, COUNT), s, c[COUNT];
	join(d, l, 80, &c[0], &s); /* the neighbours know each other from now on */
	via_close(d->c, c[0]);
	via_close(d->s, s);
	run(d, 1300000);
	d->base_c = via_arena_used(d->c);
	d->base_s = via_arena_used(d->s);
	for (int i = 0; i < COUNT; i++) {
		c[i] = net_open(d->c, VIA_STREAM);
		assert_int_equal(do_connect(d->c, c[i], SERVER, i % 10 ? 80 : 81), -EINPROGRESS);
	}
	run(d, 100);
	for (int i = 0; via_accept(d->s, l, 0, &s, NULL) == 0; i++) {
		via_send(d->s, s, "data", 4, 0);
		if (i % 3)
			via_close(d->s, s);
		else
			via_abort(d->s, s);
	}
	run(d, 100);
	for (int i = 0; i < COUNT; i++)
		via_close(d->c, c[i]);
	run(d, 1300000); /* 2 MSL */
	assert_int_equal(via_arena_used(d->c), d->base_c);
	assert_int_equal(via_arena_used(d->s), d->base_s);
	via_close(d->s, l);
	struct via_sock_info i = {.size = sizeof(i)};
	uint64_t cursor = 0;
	assert_false(via_sock_next(d->s, &cursor, &i));
	cursor = 0;
	assert_false(via_sock_next(d->c, &cursor, &i));
}

struct counter {
	struct via_handler h;
	int calls;
	via_sock also; /* closed by the first call */
};

static void on_event(struct via_handler *h, struct via *v, via_sock s, uint32_t edges)
{
	struct counter *k = (struct counter *)h;
	k->calls++;
	if (k->also)
		via_close(v, k->also);
	k->also = 0;
}

static void dispatch__skips_the_closed(void **state)
{
	struct duo *d = *state;
	struct counter k = {.h = {on_event}};
	via_sock u[2];
	for (int i = 0; i < 2; i++) {
		assert_int_equal(via_open(d->c, VIA_DGRAM, via_cookie(&k.h), &u[i]), 0);
		assert_int_equal(do_bind(d->c, u[i], 0, (uint16_t)(50 + i)), 0);
		struct via_sockaddr to = net_at(LOOP, (uint16_t)(50 + i));
		assert_int_equal(via_sendto(d->c, u[0], "x", 1, 0, &to), 1);
	}
	run(d, 1);
	k.also = u[1];
	assert_int_equal(via_dispatch(d->c), 1);
	assert_int_equal(k.calls, 1);
	assert_int_equal(via_dispatch(d->c), 0);
}

/* Over the wire: the port is closed, the ICMP error comes back to the connected socket. */
static void req_UDP_003__port_unreachable(void **state)
{
	struct duo *d = *state;
	via_sock u = net_open(d->c, VIA_DGRAM);
	char b;
	assert_int_equal(do_connect(d->c, u, SERVER, 9999), 0);
	assert_int_equal(via_send(d->c, u, "x", 1, 0), 1);
	run(d, 10);
	assert_int_equal(via_recv(d->c, u, &b, 1, 0), -ECONNREFUSED);
	assert_int_equal(via_recv(d->c, u, &b, 1, 0), -EAGAIN);
}

#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(connect__accept_and_talk), T(edges__one_for_each_arrival), T(connect__refused_then_anew), T(connect__to_any_is_loopback),
		T(connect__to_itself), T(listen__rules), T(listen__second_with_reuseaddr), T(listen__shutdown_ends_it),
		T(listen__close_resets_what_waits), T(shutdown__half_close), T(shutdown__reading_side), T(zero_copy__peek_consume_reserve_commit),
		T(reset__readable_error_hup), T(close__linger_zero_resets),
		T(close__what_was_sent_is_read), T(bind__over_time_wait), T(time_wait__yields_to_a_syn), T(connect__same_four_tuple_is_refused),
		T(accept__child_has_the_listeners_options), T(reuseport__two_listeners_share), T(list__everything_once), T(list__tells_the_family),
		T(idle__at_most_512_bytes),
		T(close__all_comes_back), T(dispatch__skips_the_closed), T(req_UDP_003__port_unreachable),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
