/* A node that takes every address as its own (VIA_SET_ANY_ADDRESS), and its sockets that catch all: held opens, datagrams, echo; each
 * in both families. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/socket.h>

#include "stacks.h"

enum { HOST, GATE, FAR }; /* the program's; the gateway's; somewhere outside */
static const char *const addrs[2][3] = {{"10.0.0.1", "10.0.0.2", "203.0.113.7"}, {"fd00::1", "fd00::2", "2001:db8::7"}};
static int in4 = 0, in6 = 1;

struct pair {
	struct net *t;
	struct via *host, *gate;
	via_sock all; /* the gate's catch-all of the test's type */
	int family;   /* in4, in6 */
};

static struct pair gate_new(enum via_type type, void **state)
{
	struct pair p = {.t = net_new(), .family = *(const int *)*state};
	const char *const *at = addrs[p.family];
	p.host = net_stack(p.t, "host", false);
	p.gate = net_stack(p.t, "gate", false);
	int ih, ig, plen = p.family == in4 ? 24 : 64;
	net_link(p.t, p.host, p.gate, 256, 1500, 0, 0, &ih, &ig);
	assert_int_equal(net_addr6(p.host, ih, at[HOST], (uint8_t)plen), 0);
	assert_int_equal(net_addr6(p.gate, ig, at[GATE], (uint8_t)plen), 0);
	assert_int_equal(net_route6(p.host, p.family == in4 ? "0.0.0.0" : "::", 0, at[GATE]), 0);
	assert_int_equal(via_configure(p.gate, &(struct via_change){.kind = VIA_SET, .setting = VIA_SET_ANY_ADDRESS, .value = 1}), 0);
	p.all = net_open(p.gate, type);
	assert_int_equal(via_catch_all(p.gate, p.all), 0);
	return p;
}

static struct via_sockaddr at(const struct pair *p, int who, uint16_t port)
{
	return (struct via_sockaddr){net_name(addrs[p->family][who]), port};
}

static void step(struct pair *p, int64_t ns)
{
	assert_true(net_run(p->t, p->t->now + ns));
}

/* The host connects to the far address; the gate has the held open in *in. */
static via_sock begin(struct pair *p, via_sock *in)
{
	struct via_sockaddr to = at(p, FAR, 443), local, peer;
	via_sock s = net_open(p->host, VIA_STREAM);
	assert_int_equal(via_connect(p->host, s, &to), -EINPROGRESS);
	step(p, 10 * NS_PER_MS);
	assert_int_equal(via_ready(p->gate, p->all), VIA_IN);
	assert_int_equal(via_accept(p->gate, p->all, 0, in, &peer), 0);
	assert_int_equal(via_local(p->gate, *in, &local), 0);
	assert_true(via_addr_eq(&local.addr, &to.addr));
	assert_int_equal(local.port, 443);
	struct via_sockaddr mine;
	assert_int_equal(via_local(p->host, s, &mine), 0);
	assert_true(via_addr_eq(&peer.addr, &mine.addr));
	assert_int_equal(peer.port, mine.port);
	return s;
}

static int error_of(struct via *v, via_sock s)
{
	int e = -1;
	uint32_t len = sizeof(e);
	assert_int_equal(via_getsockopt(v, s, SOL_SOCKET, SO_ERROR, &e, &len), 0);
	return e;
}

static void held__is_silent_until_answered(void **state)
{
	struct pair p = gate_new(VIA_STREAM, state);
	via_sock in, out = begin(&p, &in);
	char buf[8];

	step(&p, 10 * NS_PER_S); /* SYNs come again, and nothing answers them */
	assert_int_equal(via_ready(p.host, out) & (VIA_OUT | VIA_ERR), 0);
	assert_int_equal(net_counter(p.gate, "tcp.out_segs"), 0);
	assert_int_equal(via_accept(p.gate, p.all, 0, &(via_sock){0}, NULL), -EAGAIN); /* one open, however often it asks */
	assert_true(p.t->seen.dropped[DROP_TCP_HELD] >= 2);
	assert_int_equal(via_send(p.gate, in, "x", 1, 0), -EAGAIN);
	assert_int_equal(via_ready(p.gate, in) & (VIA_IN | VIA_OUT | VIA_HUP), 0);

	assert_int_equal(via_answer(p.gate, in), 0);
	assert_int_equal(via_answer(p.gate, in), -EINVAL);
	step(&p, 10 * NS_PER_MS);
	assert_int_equal(via_ready(p.host, out) & (VIA_OUT | VIA_ERR), VIA_OUT);
	assert_int_equal(via_ready(p.gate, in) & VIA_OUT, VIA_OUT);
	assert_int_equal(via_send(p.host, out, "there", 5, 0), 5);
	assert_int_equal(via_send(p.gate, in, "back", 4, 0), 4);
	step(&p, 100 * NS_PER_MS);
	assert_int_equal(via_recv(p.gate, in, buf, sizeof(buf), 0), 5);
	assert_int_equal(via_recv(p.host, out, buf, sizeof(buf), 0), 4);
	assert_int_equal(via_close(p.host, out), 0);
	assert_int_equal(via_close(p.gate, in), 0);
	step(&p, 100 * NS_PER_S);
	net_free(p.t);
}

static void held__refused(void **state)
{
	struct pair p = gate_new(VIA_STREAM, state);
	via_sock in, out = begin(&p, &in);
	assert_int_equal(via_abort(p.gate, in), 0);
	step(&p, 10 * NS_PER_MS);
	assert_int_equal(error_of(p.host, out), ECONNREFUSED);
	assert_int_equal(via_close(p.host, out), 0);
	net_free(p.t);
}

static void held__forgotten_without_a_word(void **state)
{
	struct pair p = gate_new(VIA_STREAM, state);
	via_sock in, again, out = begin(&p, &in);
	assert_int_equal(via_close(p.gate, in), 0);
	assert_int_equal(via_ready(p.host, out) & (VIA_OUT | VIA_ERR), 0);
	assert_int_equal(net_counter(p.gate, "tcp.out_segs"), 0);
	step(&p, 2 * NS_PER_S); /* the next SYN is a new open */
	assert_int_equal(via_accept(p.gate, p.all, 0, &again, NULL), 0);
	assert_true(again != in);
	net_free(p.t);
}

static void held__unreachable(void **state)
{
	static const struct unreached { uint8_t code; int err; }
		cases4[] = {{9, ENETUNREACH}, {10, EHOSTUNREACH}, {13, EHOSTUNREACH}, {3, ECONNREFUSED}},
		cases6[] = {{9, EHOSTUNREACH}, {10, EHOSTUNREACH}, {13, EACCES}, {3, ECONNREFUSED}};
	for (size_t i = 0; i < ARRAY_LEN(cases4); i++) {
		const struct unreached *cases = *(const int *)*state == in4 ? cases4 : cases6;
		struct pair p = gate_new(VIA_STREAM, state);
		via_sock in, out = begin(&p, &in);
		struct via_sockaddr local, peer;
		struct via_sock_info info = {.size = sizeof(info)};
		assert_int_equal(via_local(p.gate, in, &local), 0);
		assert_int_equal(via_peer(p.gate, in, &peer), 0);
		assert_int_equal(via_sock_info(p.gate, in, &info), 0);
		assert_int_equal(via_unreach(p.gate, VIA_STREAM, cases[i].code, &local, &peer, info.irs + 1), 0);
		step(&p, 10 * NS_PER_MS);
		assert_int_equal(via_ready(p.host, out) & VIA_ERR, 0); /* the wrong number: RFC 5927 */
		assert_int_equal(via_unreach(p.gate, VIA_STREAM, cases[i].code, &local, &peer, info.irs), 0);
		assert_int_equal(via_close(p.gate, in), 0);
		step(&p, 10 * NS_PER_MS);
		assert_int_equal(error_of(p.host, out), cases[i].err);
		net_free(p.t);
	}
}

/* The one who asked has gone: the SYN-ACK meets a RST, and the owner is told. */
static void held__answered_too_late(void **state)
{
	struct pair p = gate_new(VIA_STREAM, state);
	via_sock in, out = begin(&p, &in);
	assert_int_equal(via_close(p.host, out), 0);
	step(&p, NS_PER_S);
	assert_int_equal(via_answer(p.gate, in), 0);
	step(&p, 10 * NS_PER_MS);
	assert_int_equal(via_ready(p.gate, in) & (VIA_ERR | VIA_HUP), VIA_ERR | VIA_HUP);
	assert_int_equal(error_of(p.gate, in), ECONNREFUSED);
	assert_int_equal(via_close(p.gate, in), 0);
	net_free(p.t);
}

/* Its own listener comes before the one that catches all; without that, closed ports are closed. */
static void catch_all__is_asked_last(void **state)
{
	struct pair p = gate_new(VIA_STREAM, state);
	struct via_sockaddr own = at(&p, FAR, 22), to = own;
	via_sock l = net_open(p.gate, VIA_STREAM), s = net_open(p.host, VIA_STREAM), second = net_open(p.gate, VIA_STREAM);
	assert_int_equal(via_catch_all(p.gate, second), -EBUSY);
	assert_int_equal(via_bind(p.gate, l, &own), 0); /* an address that is nobody's but taken */
	assert_int_equal(via_catch_all(p.gate, l), -EBUSY);
	assert_int_equal(via_listen(p.gate, l, 1), 0);
	assert_int_equal(via_connect(p.host, s, &to), -EINPROGRESS);
	step(&p, 10 * NS_PER_MS);
	assert_int_equal(via_ready(p.gate, p.all), 0);
	assert_int_equal(via_ready(p.gate, l), VIA_IN);
	assert_int_equal(via_close(p.gate, p.all), 0);
	via_sock late = net_open(p.host, VIA_STREAM);
	to.port = 23;
	assert_int_equal(via_connect(p.host, late, &to), -EINPROGRESS);
	step(&p, 10 * NS_PER_MS);
	assert_int_equal(error_of(p.host, late), ECONNREFUSED);
	assert_int_equal(via_catch_all(p.gate, second), 0);
	net_free(p.t);
}

static void datagrams__under_any_name(void **state)
{
	struct pair p = gate_new(VIA_DGRAM, state);
	via_sock s = net_open(p.host, VIA_DGRAM), other = net_open(p.gate, VIA_DGRAM);
	struct via_sockaddr to = at(&p, FAR, 5000), from, local, host;
	char buf[16];
	assert_int_equal(via_connect(p.host, s, &to), 0);
	assert_int_equal(via_send(p.host, s, "question", 8, 0), 8);
	step(&p, 10 * NS_PER_MS);
	assert_int_equal(via_recvfrom(p.gate, p.all, buf, sizeof(buf), 0, &from, &local), 8);
	assert_true(via_addr_eq(&local.addr, &to.addr));
	assert_int_equal(local.port, 5000);
	assert_int_equal(via_sendfrom(p.gate, p.all, "answer", 6, &local, &from), 6);
	assert_int_equal(via_sendfrom(p.gate, other, "answer", 6, &local, &from), -EOPNOTSUPP);
	step(&p, 10 * NS_PER_MS);
	assert_int_equal(via_recvfrom(p.host, s, buf, sizeof(buf), 0, &host, NULL), 6); /* connected: it came from there */
	assert_true(via_addr_eq(&host.addr, &to.addr));
	assert_int_equal(via_unreach(p.gate, VIA_DGRAM, ICMP4_UNREACH_PORT, &local, &from, 0), 0);
	step(&p, 10 * NS_PER_MS);
	assert_int_equal(via_recv(p.host, s, buf, sizeof(buf), 0), -ECONNREFUSED);
	net_free(p.t);
}

static void echo__is_the_owners_to_answer(void **state)
{
	struct pair p = gate_new(VIA_PING, state);
	via_sock s = net_open(p.host, VIA_PING);
	struct via_sockaddr far = at(&p, FAR, 0), gate = at(&p, GATE, 0), from, local;
	uint8_t ask[12] = {p.family == in4 ? ICMP4_ECHO : ICMP6_ECHO, 0, 0, 0, 0, 0, 0, 7, 'a', 'b', 'c', 'd'}, got[32];
	assert_int_equal(via_sendto(p.host, s, ask, sizeof(ask), 0, &gate), 12);
	step(&p, 10 * NS_PER_MS);
	assert_int_equal(via_recvfrom(p.host, s, got, sizeof(got), 0, &from, NULL), 12); /* its own address it answers itself */
	assert_int_equal(via_ready(p.gate, p.all) & VIA_IN, 0);
	assert_int_equal(via_sendto(p.host, s, ask, sizeof(ask), 0, &far), 12);
	step(&p, 10 * NS_PER_MS);
	assert_int_equal(via_recvfrom(p.host, s, got, sizeof(got), 0, NULL, NULL), -EAGAIN);
	assert_int_equal(via_recvfrom(p.gate, p.all, got, sizeof(got), 0, &from, &local), 12);
	assert_true(via_addr_eq(&local.addr, &far.addr));
	got[0] = p.family == in4 ? ICMP4_ECHO_REPLY : ICMP6_ECHO_REPLY;
	assert_int_equal(via_sendfrom(p.gate, p.all, got, 12, &local, &from), 12);
	step(&p, 10 * NS_PER_MS);
	assert_int_equal(via_recvfrom(p.host, s, got, sizeof(got), 0, &from, NULL), 12);
	assert_true(via_addr_eq(&from.addr, &far.addr));
	assert_memory_equal(got + 6, ask + 6, 6);
	net_free(p.t);
}

/* Broadcasts are nobody's address, and without the setting nothing of it works. */
static void any_address__has_limits(void **state)
{
	struct pair p = gate_new(VIA_DGRAM, state);
	via_sock s = net_open(p.gate, VIA_STREAM);
	struct via_sockaddr everybody = net_at(0xffffffffu, 1), net = net_at(0x0a0000ffu, 1);
	struct via_sockaddr group = net_at(0xe0000001u, 1), far = at(&p, FAR, 1);
	assert_int_equal(via_bind(p.gate, s, &everybody), -EADDRNOTAVAIL);
	assert_int_equal(via_bind(p.gate, s, &net), -EADDRNOTAVAIL);
	assert_int_equal(via_bind(p.gate, s, &group), -EADDRNOTAVAIL);
	assert_int_equal(via_configure(p.gate, &(struct via_change){.kind = VIA_SET, .setting = VIA_SET_ANY_ADDRESS, .value = 0}), 0);
	assert_int_equal(via_bind(p.gate, s, &far), -EADDRNOTAVAIL);
	via_sock u = net_open(p.host, VIA_DGRAM);
	assert_int_equal(via_sendto(p.host, u, "x", 1, 0, &far), 1);
	step(&p, 10 * NS_PER_MS);
	assert_int_equal(p.t->seen.dropped[DROP_IP_NOT_OURS], 1);
	net_free(p.t);
}

/* A group is nobody's address either; nor is anybody's but ours answered for when neighbours are asked for. */
static void any_address__has_limits6(void **state)
{
	struct pair p = gate_new(VIA_DGRAM, state);
	via_sock s = net_open(p.gate, VIA_STREAM), u = net_open(p.host, VIA_DGRAM);
	struct via_sockaddr group = {net_name("ff02::1"), 1}, near = {net_name("fd00::77"), 1}, from;
	char buf[8];
	assert_int_equal(via_bind(p.gate, s, &group), -EADDRNOTAVAIL);
	assert_int_equal(via_sendto(p.host, u, "x", 1, 0, &near), 1); /* on the link: nobody has it */
	step(&p, 5 * NS_PER_S);
	assert_int_equal(via_recvfrom(p.gate, p.all, buf, sizeof(buf), 0, &from, NULL), -EAGAIN);
	net_free(p.t);
}

int main(void)
{
#define IN_BOTH(f) {#f " v4", f, NULL, NULL, &in4}, {#f " v6", f, NULL, NULL, &in6}
	const struct CMUnitTest tests[] = {
		IN_BOTH(held__is_silent_until_answered), IN_BOTH(held__refused), IN_BOTH(held__forgotten_without_a_word),
		IN_BOTH(held__unreachable), IN_BOTH(held__answered_too_late), IN_BOTH(catch_all__is_asked_last),
		IN_BOTH(datagrams__under_any_name), IN_BOTH(echo__is_the_owners_to_answer),
		cmocka_unit_test_prestate(any_address__has_limits, &in4), cmocka_unit_test_prestate(any_address__has_limits6, &in6),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
