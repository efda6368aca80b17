/* test/unit/test_posix_inet6.c - AF_INET6 over a stack of this process. Expectations are ipv6(7)'s, RFC 3493's and Linux's errnos. */
#include "test/unit/posix_world.h"

static struct sockaddr_in6 at6(const char *ip, uint16_t port)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	assert_int_equal(inet_pton(AF_INET6, ip, &a.sin6_addr), 1);
	return a;
}

static int server(struct world *w, int type, const char *ip, uint16_t port, int v6only)
{
	struct sockaddr_in6 a = at6(ip, port);
	int fd = via_posix_socket(w->v, AF_INET6, type, 0);
	assert_true(fd >= 0);
	assert_int_equal(via_posix_setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof(v6only)), 0);
	assert_int_equal(via_posix_bind(fd, SA(&a), sizeof(a)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(via_posix_listen(fd, 8), 0);
	return fd;
}

static void expect_name(const struct sockaddr_in6 *got, socklen_t len, const char *ip)
{
	struct sockaddr_in6 want = at6(ip, 0);
	assert_int_equal(len, sizeof(*got));
	assert_int_equal(got->sin6_family, AF_INET6);
	assert_memory_equal(&got->sin6_addr, &want.sin6_addr, 16);
}

static void stream__dual_server_names_its_clients(void **state)
{
	struct world *w = *state;
	int l = server(w, SOCK_STREAM, "::", 80, 0), domain;
	struct sockaddr_in a4 = at("127.0.0.1", 80);
	struct sockaddr_in6 a6 = at6("::1", 80), peer;
	for (int is_v6 = 0; is_v6 < 2; is_v6++) {
		socklen_t len = sizeof(peer), dlen = sizeof(domain);
		int c = via_posix_socket(w->v, is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
		char b;
		assert_int_equal(via_posix_connect(c, is_v6 ? SA(&a6) : SA(&a4), is_v6 ? sizeof(a6) : sizeof(a4)), 0);
		int s = via_posix_accept(l, SA(&peer), &len);
		expect_name(&peer, len, is_v6 ? "::1" : "::ffff:127.0.0.1");
		assert_int_equal(via_posix_getsockname(s, SA(&peer), &len), 0);
		expect_name(&peer, len, is_v6 ? "::1" : "::ffff:127.0.0.1");
		assert_int_equal(ntohs(peer.sin6_port), 80);
		assert_int_equal(via_posix_getsockopt(s, SOL_SOCKET, SO_DOMAIN, &domain, &dlen), 0);
		assert_int_equal(domain, AF_INET6);
		assert_int_equal(via_posix_write(c, "x", 1), 1);
		assert_int_equal(via_posix_read(s, &b, 1), 1);
	}
}

static void dgram__either_family_by_one_socket(void **state)
{
	struct world *w = *state;
	struct sockaddr_in a4 = at("127.0.0.1", 9), any4 = at("0.0.0.0", 9);
	struct sockaddr_in6 a6 = at6("::1", 9), from;
	int s6 = server(w, SOCK_DGRAM, "::", 9, 1), s4 = via_posix_socket(w->v, AF_INET, SOCK_DGRAM, 0); /* two servers, one port */
	int c = via_posix_socket(w->v, AF_INET6, SOCK_DGRAM, 0);
	socklen_t len = sizeof(from);
	char b[4];
	assert_int_equal(via_posix_bind(s4, SA(&any4), sizeof(any4)), 0);
	assert_int_equal(via_posix_sendto(c, "four", 4, 0, SA(&a4), sizeof(a4)), 4);
	assert_int_equal(via_posix_sendto(c, "six", 3, 0, SA(&a6), sizeof(a6)), 3);
	assert_int_equal(via_posix_recvfrom(s6, b, sizeof(b), 0, SA(&from), &len), 3);
	expect_name(&from, len, "::1");
	struct sockaddr_in from4;
	len = sizeof(from4);
	assert_int_equal(via_posix_recvfrom(s4, b, sizeof(b), 0, SA(&from4), &len), 4);
	assert_int_equal(len, sizeof(from4));
	assert_int_equal(via_posix_sendto(s4, "back", 4, 0, SA(&from4), len), 4);
	len = sizeof(from);
	assert_int_equal(via_posix_recvfrom(c, b, sizeof(b), 0, SA(&from), &len), 4);
	expect_name(&from, len, "::ffff:127.0.0.1");
}

static void families__have_linuxs_errno(void **state)
{
	struct world *w = *state;
	struct sockaddr_in a4 = at("127.0.0.1", 9);
	struct sockaddr_in6 a6 = at6("::1", 9), far = at6("2001:db8::1", 9);
	int s4 = via_posix_socket(w->v, AF_INET, SOCK_STREAM, 0), s6 = via_posix_socket(w->v, AF_INET6, SOCK_STREAM, 0);
	struct sockaddr_storage big = {.ss_family = AF_INET};
	const struct { int fd; const void *a; socklen_t len; int want; } rows[] = {
		{s4, &a6, sizeof(a6), EAFNOSUPPORT}, {s6, &a4, sizeof(a4), EINVAL}, {s6, &big, sizeof(big), EAFNOSUPPORT},
		{s6, &a6, 20, EINVAL}, {s6, &far, sizeof(far), ENETUNREACH}, {s6, &a6, 24, ECONNREFUSED},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(via_posix_connect(rows[i].fd, rows[i].a, rows[i].len), -1);
		assert_int_equal(errno, rows[i].want);
	}
	assert_int_equal(via_posix_bind(s6, SA(&big), sizeof(big)), -1);
	assert_int_equal(errno, EAFNOSUPPORT);
	assert_int_equal(via_posix_socket(w->v, AF_INET6, SOCK_DGRAM, IPPROTO_ICMP), -1);
	assert_int_equal(errno, EPROTONOSUPPORT);
	assert_true(via_posix_socket(w->v, AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6) >= 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(stream__dual_server_names_its_clients), T(dgram__either_family_by_one_socket), T(families__have_linuxs_errno),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
