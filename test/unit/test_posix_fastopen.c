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
#include <viaduct/tcp_info.h>

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

/* One call decides what the SYN carries: the pieces of it go together. A blocking call tells what became of the SYN even if all went on
 * it, and then nothing counts as sent. */
static void fastopen__pieces_and_refusals(void **state)
{
	struct world *w = *state;
	int l = listener(w, 5063), queue = 8, fd, on = 1;
	struct sockaddr_in a = at("127.0.0.1", 5063), nowhere = at("127.0.0.1", 5064);
	struct iovec iov[] = {{(char []){"he"}, 2}, {NULL, 0}, {(char []){"llo"}, 4}};
	struct msghdr msg = {.msg_name = &a, .msg_namelen = sizeof(a), .msg_iov = iov, .msg_iovlen = 3};
	struct via_tcp_info info;
	socklen_t n = sizeof(info);
	ssize_t r;
	fastopen_set(w, "3");
	assert_int_equal(via_posix_setsockopt(l, IPPROTO_TCP, TCP_FASTOPEN, &queue, sizeof(queue)), 0);
	fd = opened_by_sending(w, 5063, 6, 0, &r); /* the cookie */
	assert_false(arrives(l, 6));
	assert_int_equal(via_posix_close(fd), 0);
	for (int by_option = 0; by_option < 2; by_option++) {
		fd = via_posix_socket(w->v, AF_INET, SOCK_STREAM, 0);
		if (by_option) {
			assert_int_equal(via_posix_setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof(on)), 0);
			assert_int_equal(via_posix_connect(fd, SA(&a), sizeof(a)), 0);
			assert_int_equal(via_posix_writev(fd, iov, 3), 6);
		} else {
			assert_int_equal(via_posix_sendmsg(fd, &msg, MSG_FASTOPEN), 6);
		}
		assert_int_equal(via_posix_getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n), 0);
		assert_int_equal(info.tcpi_state, 1); /* it has waited for the answer */
		assert_true(info.tcpi_options & TCPI_OPT_SYN_DATA);
		int c = via_posix_accept(l, NULL, NULL);
		assert_int_equal(via_posix_getsockopt(c, IPPROTO_TCP, TCP_INFO, &info, &n), 0);
		assert_int_equal(info.tcpi_data_segs_in, 1); /* the SYN had all */
		char buf[8];
		assert_int_equal(via_posix_recv(c, buf, sizeof(buf), 0), 6);
		assert_string_equal(buf, "hello");
		assert_int_equal(via_posix_close(c), 0);
		assert_int_equal(via_posix_close(fd), 0);
	}
	fastopen_set(w, "5"); /* no cookie needed, so there is text on the SYN that is refused */
	for (int flags = 0; flags <= MSG_DONTWAIT; flags += MSG_DONTWAIT) {
		fd = opened_by_sending(w, 5064, 5, flags, &r);
		assert_int_equal(r, flags ? 5 : -1);
		if (!flags)
			assert_int_equal(errno, ECONNREFUSED);
		assert_int_equal(via_posix_close(fd), 0);
	}
	nowhere.sin_family = AF_UNSPEC;
	fd = via_posix_socket(w->v, AF_INET, SOCK_STREAM, 0);
	assert_int_equal(via_posix_sendto(fd, "x", 1, MSG_FASTOPEN, SA(&nowhere), sizeof(nowhere)), -1);
	assert_int_equal(errno, EOPNOTSUPP);
	assert_int_equal(via_posix_close(fd), 0);
	assert_int_equal(via_posix_close(l), 0);
}

/* What had come before a RST is read, and then it is told, however much room the first read has. */
static void posix__an_error_is_the_next_reads(void **state)
{
	struct world *w = *state;
	int l = listener(w, 5065), fd;
	struct linger at_once = {.l_onoff = 1};
	char buf[64];
	ssize_t r;
	fastopen_set(w, "3");
	for (int flags = 0; flags <= MSG_WAITALL; flags += MSG_WAITALL) {
		fd = opened_by_sending(w, 5065, 5, 0, &r);
		assert_int_equal(r, 5);
		int c = via_posix_accept(l, NULL, NULL);
		assert_int_equal(polled(c, POLLIN, 1000), POLLIN);
		assert_int_equal(via_posix_setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
		assert_int_equal(via_posix_close(fd), 0);
		assert_true(polled(c, POLLHUP, 1000) & POLLHUP);
		assert_int_equal(via_posix_recv(c, buf, sizeof(buf), flags), 5);
		assert_int_equal(via_posix_recv(c, buf, sizeof(buf), flags), -1);
		assert_int_equal(errno, ECONNRESET);
		assert_int_equal(via_posix_recv(c, buf, sizeof(buf), flags), 0);
		assert_int_equal(via_posix_close(c), 0);
	}
	assert_int_equal(via_posix_close(l), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {T(fastopen__a_send_connects), T(fastopen__who_does_not_wait), T(fastopen__pieces_and_refusals),
					   T(posix__an_error_is_the_next_reads)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
