/* test/unit/test_posix_fastopen.c - BSD sockets: a send with MSG_FASTOPEN connects (RFC 7413; sendto(2), tcp(7), Linux). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <viaduct/posix.h>

#include "test/unit/posix_world.h"

static short polled(int fd, short events, int ms)
{
	struct pollfd p = {fd, events, 0};
	int n = poll(&p, 1, ms);
	assert_true(n >= 0);
	return n ? p.revents : 0;
}

static void fastopen_set(struct world *w, const char *value)
{
	via_posix_enter(w->p);
	assert_int_equal(via_sysctl(w->v, "tcp_fastopen", value), 0);
	via_posix_leave(w->p);
}

/* Connect by sending `len` bytes with `flags`. The sender; *got: what it said. */
static int opened_by_sending(struct world *w, uint16_t port, size_t len, int flags, ssize_t *got)
{
	static const char text[5000] = "hello";
	struct sockaddr_in a = at("127.0.0.1", port);
	int fd = via_posix_socket(w->v, AF_INET, SOCK_STREAM, 0);
	*got = via_posix_sendto(fd, text, len, MSG_FASTOPEN | flags, SA(&a), sizeof(a));
	return fd;
}

/* The next connection brings `len` bytes; was the first of it on the SYN? */
static bool arrives(int l, size_t len)
{
	static char buf[5000];
	struct tcp_info info;
	socklen_t n = sizeof(info);
	int fd = via_posix_accept(l, NULL, NULL);
	assert_true(fd >= 0);
	assert_int_equal(via_posix_recv(fd, buf, len, MSG_WAITALL), len);
	assert_string_equal(buf, "hello");
	assert_int_equal(via_posix_getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n), 0);
	assert_int_equal(via_posix_close(fd), 0);
	return info.tcpi_options & TCPI_OPT_SYN_DATA;
}

static void fastopen__a_send_connects(void **state)
{
	struct world *w = *state;
	int l = listener(w, 5060), queue = 8, fd;
	ssize_t r;
	fd = opened_by_sending(w, 5060, 5, 0, &r);
	assert_int_equal(r, -1);
	assert_int_equal(errno, EOPNOTSUPP); /* off */
	assert_int_equal(via_posix_close(fd), 0);

	fastopen_set(w, "3");
	assert_int_equal(via_posix_setsockopt(l, IPPROTO_TCP, TCP_FASTOPEN, &queue, sizeof(queue)), 0);
	fd = opened_by_sending(w, 5060, 5, 0, &r); /* no cookie yet: connects, then sends */
	assert_int_equal(r, 5);
	assert_false(arrives(l, 5));
	assert_int_equal(via_posix_close(fd), 0);
	fd = opened_by_sending(w, 5060, 5, 0, &r);
	assert_int_equal(r, 5);
	assert_true(arrives(l, 5));
	assert_int_equal(via_posix_close(fd), 0);
	fd = opened_by_sending(w, 5060, 5000, 0, &r); /* more than a SYN takes */
	assert_int_equal(r, 5000);
	assert_true(arrives(l, 5000));
	assert_int_equal(via_posix_close(fd), 0);
	assert_int_equal(via_posix_close(l), 0);
}

static void fastopen__who_does_not_wait(void **state)
{
	struct world *w = *state;
	int l = listener(w, 5061), queue = 8, fd;
	ssize_t r;
	fastopen_set(w, "3");
	assert_int_equal(via_posix_setsockopt(l, IPPROTO_TCP, TCP_FASTOPEN, &queue, sizeof(queue)), 0);
	fd = opened_by_sending(w, 5061, 5, MSG_DONTWAIT, &r);
	assert_int_equal(r, -1);
	assert_int_equal(errno, EINPROGRESS);
	assert_int_equal(polled(fd, POLLOUT, 1000), POLLOUT);
	assert_int_equal(via_posix_send(fd, "hello", 5, MSG_DONTWAIT), 5);
	assert_false(arrives(l, 5));
	assert_int_equal(via_posix_close(fd), 0);
	fd = opened_by_sending(w, 5061, 5, MSG_DONTWAIT, &r);
	assert_int_equal(r, 5);
	assert_true(arrives(l, 5));
	assert_int_equal(via_posix_close(fd), 0);
	assert_int_equal(via_posix_close(l), 0);
	fastopen_set(w, "1"); /* forgets the cookie */
	fd = opened_by_sending(w, 5062, 5, 0, &r); /* nobody there */
	assert_int_equal(r, -1);
	assert_int_equal(errno, ECONNREFUSED);
	assert_int_equal(via_posix_close(fd), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {T(fastopen__a_send_connects), T(fastopen__who_does_not_wait)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
