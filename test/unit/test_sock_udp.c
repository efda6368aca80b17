/* Datagram sockets: Linux's semantics (net/ipv4/udp.c, datagram.c) over a pretended stack. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include "sock_fake.h"

static int setup(void **state)
{
	*state = fake_new(16u << 20);
	return 0;
}

static int teardown(void **state)
{
	struct fake *f = *state;
	pktq_clear(&f->mem, &f->sent);
	sock_fini(&f->env);
	assert_int_equal(f->n_paths, 0);
	assert_int_equal(pktmem_pkts_used(&f->mem), 0);
	assert_int_equal(pktmem_blks_used(&f->mem), 0);
	fake_free(f);
	return 0;
}

static int64_t sendto_(struct fake *f, via_sock s, const void *d, uint32_t n, uint32_t ip, uint16_t port)
{
	struct via_sockaddr to = at(ip, port);
	return sock_sendto(&f->env, s, d, n, 0, &to);
}

static void send__builds_a_datagram(void **state)
{
	struct fake *f = *state;
	via_sock s = fake_open(f, VIA_DGRAM);
	uint8_t out[16];
	assert_int_equal(sock_sendto(&f->env, s, "x", 1, 0, NULL), -EDESTADDRREQ);
	assert_int_equal(sendto_(f, s, "x", 1, PEER, 0), -EINVAL);
	assert_int_equal(sendto_(f, s, "hello", 5, PEER, 53), 5);
	uint16_t port = fake_port(f, s);
	assert_in_range(port, 32768, 60999);
	struct pkt *p = pktq_pop(&f->mem, &f->sent);
	assert_non_null(p);
	assert_int_equal(f->sent_proto, 17);
	assert_int_equal(via_addr_to_v4(&f->sent_local), A1);
	assert_int_equal(via_addr_to_v4(&f->sent_remote), PEER);
	pkt_csum_finish(&f->mem, p);
	assert_int_equal(pkt_copy_out(&f->mem, p, 0, out, 16), 13);
	assert_int_equal(get_be16(out), port);
	assert_int_equal(get_be16(out + 2), 53);
	assert_int_equal(get_be16(out + 4), 13);
	assert_memory_equal(out + 8, "hello", 5);
	/* Sum over pseudo-header and datagram, by hand (RFC 768). */
	uint32_t sum = (A1 >> 16) + (A1 & 0xffff) + (PEER >> 16) + (PEER & 0xffff) + 17 + 13;
	out[13] = 0;
	for (int i = 0; i < 14; i += 2)
		sum += get_be16(out + i);
	sum = (sum & 0xffff) + (sum >> 16);
	assert_int_equal((sum & 0xffff) + (sum >> 16), 0xffff);
	pkt_free(&f->mem, p);
	assert_int_equal(sendto_(f, s, "y", 1, PEER + 1, 53), 1); /* the port stays */
	assert_int_equal(fake_port(f, s), port);
}

static void send__errors(void **state)
{
	struct fake *f = *state;
	via_sock s = fake_open(f, VIA_DGRAM);
	static char big[65508];
	assert_int_equal(sendto_(f, s, big, 65508, PEER, 53), -EMSGSIZE);
	assert_int_equal(sendto_(f, s, big, 65507, PEER, 53), 65507);
	assert_int_equal(sendto_(f, s, "x", 1, 0xc0000201, 53), -ENETUNREACH);
	assert_int_equal(sendto_(f, s, "x", 1, 0xffffffff, 53), -EACCES);
	fake_flag(f, s, SOL_SOCKET, SO_BROADCAST);
	assert_int_equal(sendto_(f, s, "x", 1, 0xffffffff, 53), 1);
	f->tx_answer = -EMSGSIZE;
	assert_int_equal(sendto_(f, s, "x", 1, PEER, 53), -EMSGSIZE);
	f->tx_answer = -EAGAIN; /* the queue below is full: lost, as on any other queue */
	assert_int_equal(sendto_(f, s, "x", 1, PEER, 53), 1);
	fake_flag(f, s, IPPROTO_IP, IP_RECVERR);
	assert_int_equal(sendto_(f, s, "x", 1, PEER, 53), -ENOBUFS);
	f->tx_answer = 0;
	assert_int_equal(sendto_(f, s, "x", 1, 0, 53), 1); /* 0.0.0.0 is this host */
	assert_int_equal(via_addr_to_v4(&f->sent_remote), LO);
}

static void req_UDP_004__told_where_it_was_sent_to(void **state)
{
	struct fake *f = *state;
	via_sock s = fake_open(f, VIA_DGRAM);
	struct via_sockaddr from, local;
	char b[8];
	assert_int_equal(fake_bind(f, s, 0, 53), 0);
	assert_int_equal(sock_recvfrom(&f->env, s, b, 8, 0, NULL, NULL), -EAGAIN);
	assert_int_equal(fake_rx_udp(f, PEER, 4000, A2, 53, "ask", 3), DROP_NONE);
	assert_int_equal(sock_recvfrom(&f->env, s, b, 8, 0, &from, &local), 3);
	assert_memory_equal(b, "ask", 3);
	assert_int_equal(via_addr_to_v4(&from.addr), PEER);
	assert_int_equal(from.port, 4000);
	assert_int_equal(via_addr_to_v4(&local.addr), A2);
	assert_int_equal(local.port, 53);
}

static void recv__datagrams_stay_apart(void **state)
{
	struct fake *f = *state;
	via_sock s = fake_open(f, VIA_DGRAM);
	char b[8] = "";
	struct via_iov iov[4];
	assert_int_equal(fake_bind(f, s, 0, 53), 0);
	fake_rx_udp(f, PEER, 1, A1, 53, "first", 5);
	fake_rx_udp(f, PEER, 1, A1, 53, NULL, 0);
	fake_rx_udp(f, PEER, 1, A1, 53, "third", 5);
	assert_int_equal(sock_inq(&f->env, s), 5);
	assert_int_equal(sock_recvfrom(&f->env, s, b, 2, VIA_PEEK, NULL, NULL), 2);
	assert_int_equal(sock_recvfrom(&f->env, s, b, 2, VIA_PEEK | VIA_TRUNC, NULL, NULL), 5);
	assert_int_equal(sock_recvfrom(&f->env, s, b, 2, 0, NULL, NULL), 2); /* the rest of it is gone */
	assert_memory_equal(b, "fi", 2);
	assert_int_equal(sock_ready(&f->env, s) & VIA_IN, VIA_IN);
	assert_int_equal(sock_recvfrom(&f->env, s, b, 8, 0, NULL, NULL), 0);
	assert_int_equal(sock_recv_peek(&f->env, s, iov, 4), 1);
	assert_int_equal(iov[0].len, 5);
	assert_memory_equal(iov[0].base, "third", 5);
	assert_int_equal(sock_recv_consume(&f->env, s, 5), 0);
	assert_int_equal(sock_recv_peek(&f->env, s, iov, 4), -EAGAIN);
	assert_int_equal(sock_ready(&f->env, s) & VIA_IN, 0);
}

/* Whatever its packet looks like: long in blocks, without room in front. */
static void recv__large_and_without_headroom(void **state)
{
	struct fake *f = *state;
	via_sock s = fake_open(f, VIA_DGRAM);
	static uint8_t data[60000], got[60000];
	struct via_addr src = via_addr_v4(PEER), dst = via_addr_v4(A1);
	for (uint32_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
	assert_int_equal(fake_bind(f, s, 0, 53), 0);
	for (uint32_t n = 0; n <= sizeof(data); n = n * 2 + 1) {
		struct pkt *p = pkt_new(&f->mem, 0);
		struct udp_hdr h = {9, 53, (uint16_t)(n + UDP_HLEN), 0};
		udp_emit(pkt_put(p, UDP_HLEN), &h);
		assert_int_equal(n ? pkt_append(&f->mem, p, data, n) : 0, 0);
		p->m.csum = PKT_CSUM_VERIFIED;
		assert_int_equal(sock_udp_arrives(&f->env, p, &src, &dst), DROP_NONE);
		assert_int_equal(sock_recvfrom(&f->env, s, got, sizeof(got), 0, NULL, NULL), n);
		assert_memory_equal(got, data, n);
	}
}

static void rcvbuf__is_charged_by_true_size(void **state)
{
	struct fake *f = *state;
	via_sock s = fake_open(f, VIA_DGRAM);
	int v = 10000; /* 20000 bytes: nine packets of 2 KiB */
	uint32_t n = 0;
	char c;
	assert_int_equal(sock_setopt(&f->env, s, SOL_SOCKET, SO_RCVBUF, &v, sizeof(v)), 0);
	assert_int_equal(fake_bind(f, s, 0, 53), 0);
	while (fake_rx_udp(f, PEER, 1, A1, 53, "x", 1) == DROP_NONE)
		n++;
	assert_int_equal(n, 20000 / PKT_BYTES);
	assert_int_equal(fake_rx_udp(f, PEER, 1, A1, 53, "x", 1), DROP_UDP_RCVBUF);
	assert_int_equal(sock_recvfrom(&f->env, s, &c, 1, 0, NULL, NULL), 1);
	assert_int_equal(fake_rx_udp(f, PEER, 1, A1, 53, "x", 1), DROP_NONE);
	v = 1;
	assert_int_equal(sock_setopt(&f->env, s, SOL_SOCKET, SO_RCVBUF, &v, sizeof(v)), 0);
	while (sock_recvfrom(&f->env, s, &c, 1, 0, NULL, NULL) == 1)
		;
	static char big[20000];
	assert_int_equal(fake_rx_udp(f, PEER, 1, A1, 53, big, sizeof(big)), DROP_NONE); /* one always fits */
	assert_int_equal(fake_rx_udp(f, PEER, 1, A1, 53, "x", 1), DROP_UDP_RCVBUF);
}

static void connect__fixes_the_peer_and_the_address(void **state)
{
	struct fake *f = *state;
	via_sock s = fake_open(f, VIA_DGRAM);
	struct via_sockaddr a, zero = {0};
	char c;
	assert_int_equal(sock_peer(&f->env, s, &a), -ENOTCONN);
	assert_int_equal(fake_connect(f, s, 0xc0000201, 53), -ENETUNREACH);
	assert_int_equal(fake_connect(f, s, PEER, 53), 0);
	assert_int_equal(sock_local(&f->env, s, &a), 0);
	uint16_t port = a.port;
	assert_int_equal(via_addr_to_v4(&a.addr), A1);
	assert_int_equal(sock_peer(&f->env, s, &a), 0);
	assert_int_equal(via_addr_to_v4(&a.addr), PEER);
	assert_int_equal(sock_sendto(&f->env, s, "x", 1, 0, NULL), 1);
	assert_int_equal(fake_rx_udp(f, PEER, 54, A1, port, "x", 1), DROP_UDP_NO_SOCKET);
	assert_int_equal(fake_rx_udp(f, PEER, 53, A1, port, "x", 1), DROP_NONE);
	assert_int_equal(sock_recvfrom(&f->env, s, &c, 1, 0, NULL, NULL), 1);
	/* Again, elsewhere: the port stays. */
	assert_int_equal(fake_connect(f, s, PEER + 1, 53), 0);
	assert_int_equal(fake_port(f, s), port);
	assert_int_equal(fake_rx_udp(f, PEER, 53, A1, port, "x", 1), DROP_UDP_NO_SOCKET);
	assert_int_equal(fake_rx_udp(f, PEER + 1, 53, A1, port, "x", 1), DROP_NONE);
	/* Undone: nothing was bound by the user, so port and address go. */
	assert_int_equal(sock_connect(&f->env, s, &zero), 0);
	assert_int_equal(sock_peer(&f->env, s, &a), -ENOTCONN);
	assert_int_equal(sock_sendto(&f->env, s, "x", 1, 0, NULL), -EDESTADDRREQ);
	assert_int_equal(fake_port(f, s), 0);
	/* A bound port outlives it. */
	assert_int_equal(fake_bind(f, s, 0, 99), 0);
	assert_int_equal(fake_connect(f, s, PEER, 53), 0);
	assert_int_equal(sock_connect(&f->env, s, &zero), 0);
	assert_int_equal(fake_rx_udp(f, PEER + 9, 1, A2, 99, "x", 1), DROP_NONE);
}

static void req_UDP_003__icmp_error_reaches_the_connected(void **state)
{
	struct fake *f = *state;
	via_sock s = fake_open(f, VIA_DGRAM), u = fake_open(f, VIA_DGRAM);
	struct via_addr a1 = via_addr_v4(A1), peer = via_addr_v4(PEER);
	int e;
	uint32_t n = sizeof(e);
	char c;
	assert_int_equal(fake_bind(f, s, 0, 99), 0);
	assert_int_equal(fake_bind(f, u, 0, 98), 0);
	assert_int_equal(fake_connect(f, s, PEER, 53), 0);
	/* Another peer, another port, an unconnected socket: not theirs. */
	assert_int_equal(sock_icmp_arrives(&f->env, 17, &a1, &peer, 99, 54, ECONNREFUSED, true, 0, 0), DROP_ICMP_NO_SOCKET);
	assert_int_equal(sock_icmp_arrives(&f->env, 17, &a1, &peer, 98, 53, ECONNREFUSED, true, 0, 0), DROP_ICMP_NO_SOCKET);
	assert_int_equal(sock_ready(&f->env, s) & VIA_ERR, 0);
	for (int way = 0; way < 3; way++) {
		assert_int_equal(sock_icmp_arrives(&f->env, 17, &a1, &peer, 99, 53, ECONNREFUSED, true, 0, 0), DROP_NONE);
		assert_int_equal(sock_ready(&f->env, s) & (VIA_ERR | VIA_IN), VIA_ERR | VIA_IN);
		if (way == 0) {
			assert_int_equal(sock_recvfrom(&f->env, s, &c, 1, 0, NULL, NULL), -ECONNREFUSED);
		} else if (way == 1) {
			assert_int_equal(sock_sendto(&f->env, s, "x", 1, 0, NULL), -ECONNREFUSED);
		} else {
			assert_int_equal(sock_getopt(&f->env, s, SOL_SOCKET, SO_ERROR, &e, &n), 0);
			assert_int_equal(e, ECONNREFUSED);
		}
		assert_int_equal(sock_ready(&f->env, s) & VIA_ERR, 0);
	}
	/* Soft ones only to whoever asked. */
	assert_int_equal(sock_icmp_arrives(&f->env, 17, &a1, &peer, 99, 53, EHOSTUNREACH, false, 0, 0), DROP_ICMP_NO_SOCKET);
	fake_flag(f, u, IPPROTO_IP, IP_RECVERR);
	assert_int_equal(sock_icmp_arrives(&f->env, 17, &a1, &peer, 98, 53, EHOSTUNREACH, false, 0, 0), DROP_NONE);
	assert_int_equal(sock_recvfrom(&f->env, u, &c, 1, 0, NULL, NULL), -EHOSTUNREACH);
}

static void shutdown__as_linux(void **state)
{
	struct fake *f = *state;
	via_sock s = fake_open(f, VIA_DGRAM);
	char c;
	assert_int_equal(sock_shutdown(&f->env, s, VIA_SHUT_RD), -ENOTCONN);
	s = fake_open(f, VIA_DGRAM);
	assert_int_equal(fake_connect(f, s, PEER, 53), 0);
	assert_int_equal(sock_shutdown(&f->env, s, (enum via_how)7), -EINVAL);
	assert_int_equal(sock_shutdown(&f->env, s, VIA_SHUT_WR), 0);
	assert_int_equal(sock_sendto(&f->env, s, "x", 1, 0, NULL), -EPIPE);
	assert_int_equal(sock_recvfrom(&f->env, s, &c, 1, 0, NULL, NULL), -EAGAIN);
	assert_int_equal(sock_shutdown(&f->env, s, VIA_SHUT_RD), 0);
	assert_int_equal(sock_recvfrom(&f->env, s, &c, 1, 0, NULL, NULL), 0);
	assert_int_equal(sock_ready(&f->env, s), VIA_IN | VIA_OUT | VIA_RDHUP | VIA_HUP);
	/* What still comes is delivered: Linux 6.18 on loopback does so. */
	struct via_sockaddr me;
	assert_int_equal(sock_local(&f->env, s, &me), 0);
	assert_int_equal(fake_rx_udp(f, PEER, 53, A1, me.port, "q", 1), DROP_NONE);
	assert_int_equal(sock_recvfrom(&f->env, s, &c, 1, 0, NULL, NULL), 1);
	assert_int_equal(c, 'q');
}

static void broadcast__goes_to_all(void **state)
{
	struct fake *f = *state;
	via_sock s[3];
	char b[4];
	for (int i = 0; i < 3; i++) {
		s[i] = fake_open(f, VIA_DGRAM);
		fake_flag(f, s[i], SOL_SOCKET, SO_REUSEADDR);
		assert_int_equal(fake_bind(f, s[i], i == 2 ? A1 : 0, 68), 0);
	}
	assert_int_equal(fake_rx_udp(f, PEER, 67, 0xffffffff, 68, "all", 3), DROP_NONE);
	for (int i = 0; i < 3; i++) /* bound to an address: not for it */
		assert_int_equal(sock_recvfrom(&f->env, s[i], b, 4, 0, NULL, NULL), i == 2 ? -EAGAIN : 3);
	assert_int_equal(fake_rx_udp(f, PEER, 67, 0xffffffff, 69, "all", 3), DROP_UDP_NO_SOCKET);
}

static void ttl_and_tos__reach_the_stack(void **state)
{
	struct fake *f = *state;
	via_sock s = fake_open(f, VIA_DGRAM);
	int ttl = 3, tos = 0x2e << 2;
	sendto_(f, s, "x", 1, PEER, 53);
	assert_int_equal(f->sent_ttl, 0); /* the stack's default */
	assert_int_equal(sock_setopt(&f->env, s, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)), 0);
	assert_int_equal(sock_setopt(&f->env, s, IPPROTO_IP, IP_TOS, &tos, sizeof(tos)), 0);
	sendto_(f, s, "x", 1, PEER, 53);
	assert_int_equal(f->sent_ttl, 3);
	assert_int_equal(f->sent_tos, 0xb8);
	sendto_(f, s, "x", 1, 0xe0000001, 53);
	assert_int_equal(f->sent_ttl, 1); /* IP_MULTICAST_TTL */
}

static void stream_calls__are_not_supported(void **state)
{
	struct fake *f = *state;
	via_sock s = fake_open(f, VIA_DGRAM), out;
	struct via_iov iov;
	assert_int_equal(sock_listen(&f->env, s, 5), -EOPNOTSUPP);
	assert_int_equal(sock_accept(&f->env, s, 0, &out, NULL), -EOPNOTSUPP);
	assert_int_equal(sock_send_reserve(&f->env, s, &iov, 1, 10), -EOPNOTSUPP);
}

static void ping__echo_and_reply(void **state)
{
	struct fake *f = *state;
	via_sock s = fake_open(f, VIA_PING);
	uint8_t msg[12] = {8, 0, 0xff, 0xff, 0x12, 0x34, 0, 7, 'a', 'b', 'c', 'd'}, out[16];
	struct via_sockaddr to = at(PEER, 0), from;
	struct via_addr src = via_addr_v4(PEER), dst = via_addr_v4(A1);
	assert_int_equal(sock_sendto(&f->env, s, msg, 7, 0, &to), -EINVAL);
	msg[0] = 0; /* a reply may not be sent */
	assert_int_equal(sock_sendto(&f->env, s, msg, 12, 0, &to), -EINVAL);
	msg[0] = 8;
	assert_int_equal(sock_sendto(&f->env, s, msg, 12, 0, &to), 12);
	uint16_t id = fake_port(f, s);
	assert_int_not_equal(id, 0);
	struct pkt *p = pktq_pop(&f->mem, &f->sent);
	assert_int_equal(f->sent_proto, 1);
	assert_int_equal(pkt_copy_out(&f->mem, p, 0, out, 16), 12);
	assert_int_equal(get_be16(out + 4), id);
	assert_int_equal(get_be16(out + 6), 7);
	assert_memory_equal(out + 8, "abcd", 4);
	uint32_t sum = 0;
	for (int i = 0; i < 12; i += 2)
		sum += get_be16(out + i);
	assert_int_equal((sum & 0xffff) + (sum >> 16), 0xffff);
	/* It comes back as a reply. */
	pkt_data(p)[0] = 0;
	assert_int_equal(sock_ping_arrives(&f->env, p, &src, &dst, id), DROP_NONE);
	assert_int_equal(sock_recvfrom(&f->env, s, out, 16, 0, &from, NULL), 12);
	assert_int_equal(out[0], 0);
	assert_int_equal(get_be16(out + 4), id);
	assert_int_equal(via_addr_to_v4(&from.addr), PEER);
	assert_int_equal(from.port, 0);
	p = pkt_new(&f->mem, 64);
	memset(pkt_put(p, 8), 0, 8);
	assert_int_equal(sock_ping_arrives(&f->env, p, &src, &dst, (uint16_t)(id + 1)), DROP_ICMP_NO_SOCKET);
	/* An error about our echo. */
	assert_int_equal(sock_icmp_arrives(&f->env, 1, &dst, &src, id, 0, EHOSTUNREACH, true, 0, 0), DROP_ICMP_NO_SOCKET);
	assert_int_equal(fake_connect(f, s, PEER, 0), 0);
	assert_int_equal(sock_icmp_arrives(&f->env, 1, &dst, &src, id, 0, EHOSTUNREACH, true, 0, 0), DROP_NONE);
	assert_int_equal(sock_recvfrom(&f->env, s, out, 16, 0, NULL, NULL), -EHOSTUNREACH);
	assert_int_equal(sock_sendto(&f->env, s, msg, 12, 0, NULL), 12);
}

#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(send__builds_a_datagram), T(send__errors), T(req_UDP_004__told_where_it_was_sent_to), T(recv__datagrams_stay_apart),
		T(recv__large_and_without_headroom), T(rcvbuf__is_charged_by_true_size), T(connect__fixes_the_peer_and_the_address),
		T(req_UDP_003__icmp_error_reaches_the_connected), T(shutdown__as_linux), T(broadcast__goes_to_all), T(ttl_and_tos__reach_the_stack),
		T(stream_calls__are_not_supported), T(ping__echo_and_reply),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
