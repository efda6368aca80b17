/* test/unit/test_posix.c - BSD sockets over a stack of this process: blocking, threads, poll and epoll beside the kernel's.
 *
 * Expectations are those of connect(2), recv(2), accept(2), poll(2), epoll(7), socket(7) and Linux. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <viaduct/buffer.h>
#include <viaduct/posix.h>

#define MS INT64_C(1000000)

#include "test/unit/posix_world.h"

/* A connected pair: blocking both. */
static void pair(struct world *w, uint16_t port, int *client, int *server)
{
	struct sockaddr_in a = at("127.0.0.1", port), peer;
	socklen_t len = sizeof(peer);
	int l = listener(w, port);
	*client = via_posix_socket(w->v, AF_INET, SOCK_STREAM, 0);
	assert_int_equal(via_posix_connect(*client, SA(&a), sizeof(a)), 0);
	*server = via_posix_accept(l, SA(&peer), &len);
	assert_true(*server >= 0);
	assert_int_equal(len, sizeof(peer));
	assert_int_equal(peer.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	assert_int_equal(via_posix_close(l), 0);
}

static short polled(int fd, short events, int ms)
{
	struct pollfd p = {fd, events, 0};
	int n = poll(&p, 1, ms);
	assert_true(n >= 0);
	return n ? p.revents : 0;
}

static void stream__blocking_echo_and_names(void **state)
{
	struct world *w = *state;
	int c, s;
	char got[16] = "";
	pair(w, 7, &c, &s);
	struct sockaddr_in mine, theirs;
	socklen_t len = sizeof(mine);
	assert_int_equal(via_posix_getsockname(c, SA(&mine), &len), 0);
	assert_int_equal(via_posix_getpeername(s, SA(&theirs), &len), 0);
	assert_int_equal(mine.sin_port, theirs.sin_port);
	assert_int_equal(via_posix_write(c, "hello", 5), 5);
	assert_int_equal(via_posix_read(s, got, sizeof(got)), 5);
	assert_string_equal(got, "hello");
	struct iovec out[3] = {{(char[]){"ab"}, 2}, {NULL, 0}, {(char[]){"cde"}, 3}};
	assert_int_equal(via_posix_writev(s, out, 3), 5);
	char x[4], y[8];
	struct iovec in[2] = {{x, 4}, {y, 8}};
	assert_int_equal(via_posix_readv(c, in, 2), 5);
	assert_memory_equal(x, "abcd", 4);
	assert_int_equal(y[0], 'e');
	assert_int_equal(via_posix_shutdown(c, SHUT_WR), 0);
	assert_int_equal(via_posix_read(s, got, sizeof(got)), 0);
	assert_int_equal(via_posix_close(c), 0);
	assert_int_equal(via_posix_close(s), 0);
	assert_int_equal(via_posix_close(s), -1);
	assert_int_equal(errno, EBADF);
}

static void calls__wrong_arguments_have_linuxs_errno(void **state)
{
	struct world *w = *state;
	char b;
	struct sockaddr_in a = at("127.0.0.1", 9);
	assert_int_equal(via_posix_socket(w->v, AF_UNIX, SOCK_STREAM, 0), -1);
	assert_int_equal(errno, EAFNOSUPPORT);
	assert_int_equal(via_posix_socket(w->v, AF_INET, SOCK_STREAM, IPPROTO_UDP), -1);
	assert_int_equal(errno, EPROTONOSUPPORT);
	assert_int_equal(via_posix_recv(2, &b, 1, 0), -1);
	assert_int_equal(errno, ENOTSOCK);
	assert_int_equal(via_posix_recv(-1, &b, 1, 0), -1);
	assert_int_equal(errno, EBADF);
	int fd = via_posix_socket(w->v, AF_INET, SOCK_STREAM, 0);
	assert_int_equal(via_posix_accept(fd, NULL, NULL), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(via_posix_recv(fd, &b, 1, 0), -1);
	assert_int_equal(errno, ENOTCONN);
	assert_int_equal(via_posix_send(fd, &b, 1, 0), -1);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(via_posix_connect(fd, SA(&a), 3), -1);
	assert_int_equal(errno, EINVAL);
	/* Nobody listens there; the failure is told once, and a new attempt may follow. */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(via_posix_connect(fd, SA(&a), sizeof(a)), -1);
		assert_int_equal(errno, ECONNREFUSED);
	}
	int l = listener(w, 9);
	assert_int_equal(via_posix_connect(fd, SA(&a), sizeof(a)), 0);
	assert_int_equal(polled(fd, POLLIN | POLLOUT, 0), POLLOUT);
	assert_int_equal(via_posix_ioctl(fd, TIOCGWINSZ, &b), -1);
	assert_int_equal(errno, ENOTTY);
	via_posix_close(l);
}

static void nonblock__flags_of_the_descriptor_count(void **state)
{
	struct world *w = *state;
	char b[4];
	int c, s, n = -1, one = 1;
	pair(w, 7, &c, &s);
	assert_int_equal(via_posix_recv(s, b, 4, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(fcntl(s, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(via_posix_recv(s, b, 4, 0), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(via_posix_ioctl(c, FIONBIO, &one), 0);
	assert_int_equal(fcntl(c, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	assert_int_equal(via_posix_send(c, "abc", 3, 0), 3);
	assert_int_equal(polled(s, POLLIN, 2000), POLLIN);
	assert_int_equal(via_posix_ioctl(s, FIONREAD, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(via_posix_recv(s, b, 4, MSG_PEEK), 3);
	assert_int_equal(via_posix_recv(s, b, 4, 0), 3);
	assert_int_equal(via_posix_recv(s, b, 4, 0), -1);
	int l = via_posix_socket(w->v, AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(fcntl(l, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	assert_int_equal(fcntl(l, F_GETFD), FD_CLOEXEC);
	assert_int_equal(via_posix_listen(l, 1), 0);
	assert_int_equal(via_posix_accept(l, NULL, NULL), -1);
	assert_int_equal(errno, EAGAIN);
}

/* poll(2): each bit is shown exactly while it is true, beside a descriptor of the kernel's. */
static void poll__mirrors_every_level(void **state)
{
	struct world *w = *state;
	char b[8];
	int pipefd[2], l = listener(w, 7), error = -1;
	socklen_t len = sizeof(error);
	struct sockaddr_in a = at("127.0.0.1", 7);
	assert_int_equal(pipe(pipefd), 0);
	assert_int_equal(polled(l, POLLIN | POLLOUT, 0), 0);
	int c = via_posix_socket(w->v, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int r = via_posix_connect(c, SA(&a), sizeof(a));
	assert_true(r == 0 || errno == EINPROGRESS);
	assert_int_equal(polled(c, POLLIN | POLLOUT, 2000), POLLOUT);
	assert_int_equal(via_posix_getsockopt(c, SOL_SOCKET, SO_ERROR, &error, &len), 0);
	assert_int_equal(error, 0);
	assert_int_equal(polled(l, POLLIN | POLLOUT, 2000), POLLIN);
	int s = via_posix_accept(l, NULL, NULL);
	assert_true(s >= 0);
	assert_int_equal(polled(l, POLLIN, 0), 0);
	struct pollfd both[2] = {{s, POLLIN, 0}, {pipefd[0], POLLIN, 0}};
	assert_int_equal(write(pipefd[1], "x", 1), 1);
	assert_int_equal(poll(both, 2, 2000), 1);
	assert_int_equal(both[0].revents, 0);
	assert_int_equal(via_posix_send(c, "12", 2, 0), 2);
	assert_int_equal(polled(s, POLLIN, 2000), POLLIN);
	assert_int_equal(poll(both, 2, 0), 2);
	assert_int_equal(via_posix_recv(s, b, 1, 0), 1);
	assert_int_equal(polled(s, POLLIN, 0), POLLIN);
	assert_int_equal(via_posix_recv(s, b, 1, 0), 1);
	assert_int_equal(polled(s, POLLIN, 0), 0);
	assert_int_equal(via_posix_shutdown(c, SHUT_WR), 0);
	assert_int_equal(polled(s, POLLRDHUP, 2000), POLLRDHUP);
	assert_int_equal(polled(s, POLLIN | POLLRDHUP | POLLOUT, 0), POLLIN | POLLRDHUP | POLLOUT);
	assert_int_equal(via_posix_shutdown(s, SHUT_WR), 0);
	assert_int_equal(polled(s, 0, 2000), POLLHUP);
	close(pipefd[0]);
	close(pipefd[1]);
}

static void poll__refused_connect_shows_an_error(void **state)
{
	struct world *w = *state;
	struct sockaddr_in a = at("127.0.0.1", 9);
	int error = 0;
	socklen_t len = sizeof(error);
	int c = via_posix_socket(w->v, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	via_posix_connect(c, SA(&a), sizeof(a));
	assert_int_equal(polled(c, POLLIN | POLLOUT | POLLRDHUP, 2000), POLLIN | POLLOUT | POLLRDHUP | POLLHUP | POLLERR);
	assert_int_equal(via_posix_getsockopt(c, SOL_SOCKET, SO_ERROR, &error, &len), 0);
	assert_int_equal(error, ECONNREFUSED);
	assert_int_equal(polled(c, 0, 0), POLLHUP);
}

/* A full send buffer is not writable; room makes it so again. */
static void poll__full_buffer_is_not_writable(void **state)
{
	struct world *w = *state;
	static char big[65536];
	int c, s;
	size_t sent = 0, got = 0;
	pair(w, 7, &c, &s);
	fcntl(c, F_SETFL, O_NONBLOCK);
	/* Full when it still is a while after it was filled: the peer's window is closed too. */
	do {
		for (ssize_t n; (n = via_posix_send(c, big, sizeof(big), 0)) > 0; sent += (size_t)n)
			;
		assert_int_equal(errno, EAGAIN);
	} while (polled(c, POLLOUT, 50));
	assert_int_equal(polled(c, POLLOUT, 0), 0);
	while (got < sent) {
		ssize_t n = via_posix_recv(s, big, sizeof(big), 0);
		assert_true(n > 0);
		got += (size_t)n;
	}
	assert_int_equal(polled(c, POLLOUT, 2000), POLLOUT);
}

/* epoll(7): EPOLLET tells of each arrival, also while unread data is there; once. */
static void epoll__edges_beside_a_timer(void **state)
{
	struct world *w = *state;
	int c, s, ep = epoll_create1(0), t = timerfd_create(CLOCK_MONOTONIC, 0);
	struct epoll_event ev;
	pair(w, 7, &c, &s);
	assert_int_equal(epoll_ctl(ep, EPOLL_CTL_ADD, s, &(struct epoll_event){.events = EPOLLIN | EPOLLET, .data.fd = s}), 0);
	assert_int_equal(epoll_ctl(ep, EPOLL_CTL_ADD, t, &(struct epoll_event){.events = EPOLLIN | EPOLLET, .data.fd = t}), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(via_posix_send(c, "x", 1, 0), 1);
		assert_int_equal(epoll_wait(ep, &ev, 1, 2000), 1);
		assert_int_equal(ev.data.fd, s);
		assert_int_equal(epoll_wait(ep, &ev, 1, 20), 0);
	}
	timerfd_settime(t, 0, &(struct itimerspec){.it_value.tv_nsec = MS}, NULL);
	assert_int_equal(epoll_wait(ep, &ev, 1, 2000), 1);
	assert_int_equal(ev.data.fd, t);
	close(t);
	close(ep);
}

static void set_timeout(int fd, int name, int ms)
{
	struct timeval tv = {ms / 1000, ms % 1000 * 1000};
	assert_int_equal(via_posix_setsockopt(fd, SOL_SOCKET, name, &tv, sizeof(tv)), 0);
}

/* socket(7): EAGAIN once the time is over, or what was transferred; not before. */
static void timeout__receive_send_accept(void **state)
{
	struct world *w = *state;
	static char big[8 << 20];
	int c, s, l = listener(w, 8);
	pair(w, 7, &c, &s);
	set_timeout(s, SO_RCVTIMEO, 60);
	set_timeout(l, SO_RCVTIMEO, 60);
	set_timeout(c, SO_SNDTIMEO, 60);
	int64_t before = via_host_now();
	assert_int_equal(via_posix_recv(s, big, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
	assert_true(via_host_now() - before >= 60 * MS);
	before = via_host_now();
	assert_int_equal(via_posix_accept(l, NULL, NULL), -1);
	assert_int_equal(errno, EAGAIN);
	assert_true(via_host_now() - before >= 60 * MS);
	ssize_t n = via_posix_send(c, big, sizeof(big), 0);
	assert_true(n > 0 && n < (ssize_t)sizeof(big));
	assert_int_equal(via_posix_send(c, big, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(via_posix_recv(s, big, 5, MSG_WAITALL), 5);
}

/* connect(2) with SO_SNDTIMEO: EINPROGRESS. Nobody answers: the packets go nowhere. */
static int swallow(void *ctx, const void *packet, size_t len)
{
	(void)packet;
	__atomic_add_fetch((int *)ctx, len > 0, __ATOMIC_RELAXED);
	return 0;
}

static void timeout__connect(void **state)
{
	struct world *w = *state;
	int swallowed = 0;
	struct via_buffer *b = via_buffer_new(&(struct via_buffer_config){.size = sizeof(struct via_buffer_config), .out = swallow,
		.ctx = &swallowed});
	via_posix_enter(w->p);
	int ifindex = via_iface_add(w->v, via_buffer_driver(b), "tun0");
	assert_int_equal(via_configure(w->v, &(struct via_change){.kind = VIA_ADDR_ADD, .ifindex = ifindex,
		.addr = via_addr_v4(0x0a090001), .plen = 24}), 0);
	via_posix_leave(w->p);
	struct sockaddr_in a = at("10.9.0.2", 80);
	int c = via_posix_socket(w->v, AF_INET, SOCK_STREAM, 0);
	set_timeout(c, SO_SNDTIMEO, 50);
	assert_int_equal(via_posix_connect(c, SA(&a), sizeof(a)), -1);
	assert_int_equal(errno, EINPROGRESS);
	assert_true(__atomic_load_n(&swallowed, __ATOMIC_RELAXED) >= 1);
	assert_int_equal(via_posix_connect(c, SA(&a), sizeof(a)), -1);
	assert_int_equal(errno, EALREADY);
	assert_int_equal(polled(c, POLLIN | POLLOUT, 0), 0);
	via_posix_close(c);
	via_posix_enter(w->p);
	assert_int_equal(via_iface_remove(w->v, ifindex), 0);
	via_posix_leave(w->p);
	via_buffer_free(b);
}

static void dgram__addresses_cut_and_pieces(void **state)
{
	struct world *w = *state;
	struct sockaddr_in a = at("127.0.0.1", 5353), from;
	int s = via_posix_socket(w->v, AF_INET, SOCK_DGRAM, 0), c = via_posix_socket(w->v, AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(via_posix_bind(s, SA(&a), sizeof(a)), 0);
	assert_int_equal(via_posix_bind(c, SA(&a), sizeof(a)), -1);
	assert_int_equal(errno, EADDRINUSE);
	assert_int_equal(via_posix_send(c, "x", 1, 0), -1);
	assert_int_equal(errno, EDESTADDRREQ);
	struct iovec pieces[2] = {{(char[]){"12"}, 2}, {(char[]){"345"}, 3}};
	struct msghdr m = {.msg_name = &a, .msg_namelen = sizeof(a), .msg_iov = pieces, .msg_iovlen = 2};
	assert_int_equal(via_posix_sendmsg(c, &m, 0), 5);
	char x[2], y[2];
	struct iovec in[2] = {{x, 2}, {y, 2}};
	m = (struct msghdr){.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = in, .msg_iovlen = 2};
	assert_int_equal(via_posix_recvmsg(s, &m, 0), 4);
	assert_int_equal(m.msg_flags, MSG_TRUNC);
	assert_memory_equal(x, "12", 2);
	assert_memory_equal(y, "34", 2);
	socklen_t len = sizeof(from);
	struct sockaddr_in mine;
	assert_int_equal(via_posix_getsockname(c, SA(&mine), &len), 0);
	assert_int_equal(from.sin_port, mine.sin_port);
	assert_int_equal(via_posix_connect(c, SA(&a), sizeof(a)), 0);
	assert_int_equal(via_posix_send(c, "", 0, 0), 0);
	assert_int_equal(polled(s, POLLIN, 2000), POLLIN);
	assert_int_equal(via_posix_recvfrom(s, x, 2, 0, SA(&from), &len), 0);
	assert_int_equal(via_posix_connect(c, &(struct sockaddr){.sa_family = AF_UNSPEC}, sizeof(struct sockaddr)), 0);
	assert_int_equal(via_posix_send(c, "x", 1, 0), -1);
	assert_int_equal(errno, EDESTADDRREQ);
}

/* --- threads --- */

struct sleeper {
	int fd;
	ssize_t r;
	int err;
};

static void *sleep_in_recv(void *arg)
{
	struct sleeper *s = arg;
	char b;
	s->r = via_posix_recv(s->fd, &b, 1, 0);
	s->err = errno;
	return NULL;
}

static void *sleep_in_accept(void *arg)
{
	struct sleeper *s = arg;
	s->r = via_posix_accept(s->fd, NULL, NULL);
	s->err = errno;
	return NULL;
}

static void threads__close_and_shutdown_wake_sleepers(void **state)
{
	struct world *w = *state;
	int c, s, l = listener(w, 8), l2 = listener(w, 10);
	pair(w, 7, &c, &s);
	struct sleeper z[4] = {{.fd = s}, {.fd = l}, {.fd = l2}, {.fd = c}};
	pthread_t t[4];
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, i == 1 || i == 2 ? sleep_in_accept : sleep_in_recv, &z[i]);
	usleep(50000);
	assert_int_equal(via_posix_shutdown(l2, SHUT_RDWR), 0);
	assert_int_equal(via_posix_close(l), 0);
	assert_int_equal(via_posix_close(s), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(z[0].r, -1);
	assert_int_equal(z[0].err, EBADF);
	assert_int_equal(z[1].r, -1);
	assert_int_equal(z[1].err, EBADF);
	assert_int_equal(z[2].r, -1);
	assert_int_equal(z[2].err, EINVAL);
	assert_int_equal(z[3].r, 0); /* the peer's FIN */
}

/* A reader asleep does not keep a writer of the same socket from seeing room. */
static void threads__reader_asleep_and_poll_for_room(void **state)
{
	struct world *w = *state;
	static char big[65536];
	int c, s;
	size_t sent = 0;
	pair(w, 7, &c, &s);
	struct sleeper z = {.fd = c};
	pthread_t t;
	pthread_create(&t, NULL, sleep_in_recv, &z);
	usleep(20000);
	for (ssize_t n; polled(c, POLLOUT, 50); sent += (size_t)n)
		assert_true((n = via_posix_send(c, big, sizeof(big), MSG_DONTWAIT)) > 0);
	while (sent) {
		ssize_t n = via_posix_recv(s, big, sizeof(big), 0);
		assert_true(n > 0);
		sent -= (size_t)n;
	}
	assert_int_equal(polled(c, POLLOUT, 2000), POLLOUT);
	assert_int_equal(via_posix_send(s, "!", 1, 0), 1);
	pthread_join(t, NULL);
	assert_int_equal(z.r, 1);
	assert_int_equal(polled(c, POLLIN, 0), 0);
}

enum { CLIENTS = 4, ROUNDS = 20, CHUNK = 30000 };

static void *echo_one(void *arg)
{
	int fd = *(int *)arg;
	char b[4096];
	for (ssize_t n; (n = via_posix_recv(fd, b, sizeof(b), 0)) > 0;)
		if (via_posix_send(fd, b, (size_t)n, 0) != n)
			break;
	via_posix_close(fd);
	return NULL;
}

struct client {
	struct world *w;
	int nr;
	int wrong;
};

static void *send_while(void *arg)
{
	struct client *c = arg;
	struct sockaddr_in a = at("127.0.0.1", 7);
	char *out = malloc(CHUNK), *in = malloc(CHUNK);
	int fd = via_posix_socket(c->w->v, AF_INET, SOCK_STREAM, 0);
	c->wrong += via_posix_connect(fd, SA(&a), sizeof(a)) != 0;
	for (int i = 0; i < ROUNDS; i++) {
		for (int k = 0; k < CHUNK; k++)
			out[k] = (char)(c->nr * 31 + i * 7 + k);
		c->wrong += via_posix_send(fd, out, CHUNK, 0) != CHUNK;
		c->wrong += via_posix_recv(fd, in, CHUNK, MSG_WAITALL) != CHUNK || memcmp(in, out, CHUNK) != 0;
	}
	via_posix_close(fd);
	free(out);
	free(in);
	return NULL;
}

static void threads__many_echo_at_once(void **state)
{
	struct world *w = *state;
	int l = listener(w, 7), fds[CLIENTS];
	pthread_t servers[CLIENTS], clients[CLIENTS];
	struct client c[CLIENTS];
	for (int i = 0; i < CLIENTS; i++) {
		c[i] = (struct client){w, i, 0};
		pthread_create(&clients[i], NULL, send_while, &c[i]);
	}
	for (int i = 0; i < CLIENTS; i++) {
		fds[i] = via_posix_accept(l, NULL, NULL);
		assert_true(fds[i] >= 0);
		pthread_create(&servers[i], NULL, echo_one, &fds[i]);
	}
	for (int i = 0; i < CLIENTS; i++) {
		pthread_join(clients[i], NULL);
		pthread_join(servers[i], NULL);
		assert_int_equal(c[i].wrong, 0);
	}
}

/* Two stacks under one baton, joined by their buffers. */
static int across(void *ctx, const void *packet, size_t len)
{
	return via_buffer_push(*(struct via_buffer **)ctx, packet, len, via_host_now()) == -ENOBUFS ? -EAGAIN : 0;
}

static void runner__two_stacks_joined_by_buffers(void **state)
{
	struct world *w = *state;
	struct via *v[2] = {w->v, via_host_stack_new(&(struct via_host_config){.size = sizeof(struct via_host_config), .name = "b"})};
	static struct via_buffer *b[2];
	for (int i = 0; i < 2; i++)
		b[i] = via_buffer_new(&(struct via_buffer_config){.size = sizeof(struct via_buffer_config), .out = across, .ctx = &b[!i]});
	assert_int_equal(via_posix_add(w->p, v[1]), 0);
	assert_int_equal(via_posix_add(w->p, v[1]), -EALREADY);
	via_posix_enter(w->p);
	for (int i = 0; i < 2; i++) {
		int ifindex = via_iface_add(v[i], via_buffer_driver(b[i]), "tun0");
		assert_int_equal(via_configure(v[i], &(struct via_change){.kind = VIA_ADDR_ADD, .ifindex = ifindex,
			.addr = via_addr_v4(0x0a090001 + (uint32_t)i), .plen = 24}), 0);
	}
	via_posix_leave(w->p);
	struct sockaddr_in a = at("10.9.0.2", 7);
	int l = via_posix_socket(v[1], AF_INET, SOCK_STREAM, 0), c = via_posix_socket(v[0], AF_INET, SOCK_STREAM, 0);
	assert_int_equal(via_posix_bind(l, SA(&a), sizeof(a)), 0);
	assert_int_equal(via_posix_listen(l, 1), 0);
	assert_int_equal(via_posix_connect(c, SA(&a), sizeof(a)), 0);
	int s = via_posix_accept(l, NULL, NULL);
	pthread_t t;
	pthread_create(&t, NULL, echo_one, &s);
	static char out[300000], in[300000];
	for (size_t k = 0; k < sizeof(out); k++)
		out[k] = (char)(k * 7 + k / 251);
	for (size_t done = 0; done < sizeof(out); done += 30000) {
		assert_int_equal(via_posix_send(c, out + done, 30000, 0), 30000);
		assert_int_equal(via_posix_recv(c, in + done, 30000, MSG_WAITALL), 30000);
	}
	assert_memory_equal(in, out, sizeof(out));
	assert_int_equal(via_posix_close(c), 0);
	pthread_join(t, NULL);
	via_posix_free(w->p);
	via_host_stack_free(v[0]);
	via_host_stack_free(v[1]);
	via_buffer_free(b[0]);
	via_buffer_free(b[1]);
	w->v = via_host_stack_new(NULL);
	w->p = via_posix_new(w->v);
}

/* close(2) instead of ours: when the number comes back, the old socket is closed and the new one is sound. */
/* SO_LINGER with a time, as socket(7): close() waits until the peer has all of it, but no longer; and not over unread bytes. */
static void linger__close_waits_for_the_peer(void **state)
{
	struct world *w = *state;
	static char lots[65536];
	int l = listener(w, 4501);
	for (int i = 0; i < 2; i++) {
		struct sockaddr_in a = at("127.0.0.1", 4501);
		int c = via_posix_socket(w->v, AF_INET, SOCK_STREAM, 0);
		assert_int_equal(via_posix_connect(c, SA(&a), sizeof(a)), 0);
		int s = via_posix_accept(l, NULL, NULL);
		assert_true(s >= 0);
		struct linger how = {1, 1};
		assert_int_equal(via_posix_setsockopt(c, SOL_SOCKET, SO_LINGER, &how, sizeof(how)), 0);
		while (i && via_posix_send(c, lots, sizeof(lots), MSG_DONTWAIT) > 0) /* more than the peer, who does not read, has room for */
			;
		struct timespec t0, t1;
		clock_gettime(CLOCK_MONOTONIC, &t0);
		assert_int_equal(via_posix_close(c), 0);
		clock_gettime(CLOCK_MONOTONIC, &t1);
		int64_t took = (t1.tv_sec - t0.tv_sec) * 1000 * MS + t1.tv_nsec - t0.tv_nsec;
		assert_true(i ? took >= 990 * MS : took < 900 * MS);
		via_posix_close(s);
	}
	via_posix_close(l);
}

static void table__number_closed_behind_our_back(void **state)
{
	struct world *w = *state;
	char b;
	int c, s;
	pair(w, 7, &c, &s);
	close(c);
	int again = -1;
	for (int i = 0; i < 16 && again != c; i++)
		again = via_posix_socket(w->v, AF_INET, SOCK_STREAM, 0);
	assert_int_equal(again, c);
	assert_int_equal(via_posix_recv(s, &b, 1, 0), 0);
	assert_int_equal(polled(again, POLLIN | POLLOUT, 0), POLLOUT);
	assert_int_equal(via_posix_listen(again, 1), 0);
}

/* --- what Linux's calls tell beside the bytes --- */

static void calls__null_pointers_fault(void **state)
{
	int c, s;
	pair(*state, 21, &c, &s);
	struct iovec iov[2] = {{(char[]){"a"}, 1}, {NULL, 3}};
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2};
	assert_int_equal(via_posix_write(c, NULL, 10), -1);
	assert_int_equal(errno, EFAULT);
	assert_int_equal(via_posix_sendmsg(c, &m, 0), -1);
	assert_int_equal(errno, EFAULT);
	assert_int_equal(via_posix_write(c, NULL, 0), 0);
	assert_int_equal(via_posix_recv(s, NULL, 10, 0), -1);
	assert_int_equal(errno, EFAULT);
	via_posix_close(c);
	via_posix_close(s);
}

/* Documentation/networking/msg_zerocopy.rst: each send has a number, completions are ranges of numbers; COPIED: it was of no use. */
static void zerocopy__completes_at_once_as_copied(void **state)
{
	int c, s, one = 1;
	char control[128];
	pair(*state, 22, &c, &s);
	struct msghdr m = {.msg_control = control, .msg_controllen = sizeof(control)};
	assert_int_equal(via_posix_send(c, "x", 1, MSG_ZEROCOPY), 1); /* not asked for: an ordinary send */
	assert_int_equal(via_posix_recvmsg(c, &m, MSG_ERRQUEUE), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(via_posix_setsockopt(c, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(via_posix_send(c, "ab", 2, MSG_ZEROCOPY), 2);
	assert_int_equal(via_posix_recvmsg(c, &m, MSG_ERRQUEUE), 0);
	assert_int_equal(m.msg_flags, MSG_ERRQUEUE);
	const struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	assert_non_null(h);
	assert_int_equal(h->cmsg_level, SOL_IP);
	assert_int_equal(h->cmsg_type, IP_RECVERR);
	struct sock_extended_err e;
	memcpy(&e, CMSG_DATA(h), sizeof(e));
	assert_int_equal(e.ee_errno, 0);
	assert_int_equal(e.ee_origin, SO_EE_ORIGIN_ZEROCOPY);
	assert_int_equal(e.ee_code, SO_EE_CODE_ZEROCOPY_COPIED);
	assert_int_equal(e.ee_info, 0);
	assert_int_equal(e.ee_data, 1);
	m.msg_controllen = sizeof(control);
	assert_int_equal(via_posix_recvmsg(c, &m, MSG_ERRQUEUE), -1);
	via_posix_close(c);
	via_posix_close(s);
}

/* --- time that is told --- */

struct told_read {
	int fd, err;
	ssize_t result;
};

static void *told_reads(void *ctx)
{
	struct told_read *r = ctx;
	char b;
	r->result = via_posix_recv(r->fd, &b, 1, 0);
	r->err = errno;
	return NULL;
}

static void wait_asleep(struct via_posix *p, int n)
{
	for (int i = 0; i < 5000 && via_posix_asleep(p) != n; i++)
		usleep(1000);
	assert_int_equal(via_posix_asleep(p), n);
}

static void told__time_outs_happen_when_time_is_told(void **state)
{
	const int64_t start = INT64_C(5000000000);
	struct world t = {.v = via_host_stack_new(&(struct via_host_config){.size = sizeof(struct via_host_config), .now = start})};
	t.p = via_posix_new_told(t.v, start);
	assert_non_null(t.p);
	int c, s;
	pair(&t, 23, &c, &s); /* loopback needs no time */
	set_timeout(s, SO_RCVTIMEO, 300);
	struct told_read r = {.fd = s};
	pthread_t thread;
	pthread_create(&thread, NULL, told_reads, &r);
	wait_asleep(t.p, 1);
	int64_t next = start;
	while (next < start + 300 * MS) { /* timers may come before */
		assert_int_equal(via_posix_asleep(t.p), 1);
		next = via_posix_tell(t.p, next);
	}
	assert_int_equal(next, start + 300 * MS);
	via_posix_tell(t.p, start + 300 * MS - 1);
	usleep(20000);
	assert_int_equal(via_posix_asleep(t.p), 1); /* however long it takes */
	via_posix_tell(t.p, start + 300 * MS);
	assert_int_equal(via_posix_asleep(t.p), 0); /* woken, if not awake yet */
	pthread_join(thread, NULL);
	assert_int_equal(r.result, -1);
	assert_int_equal(r.err, EAGAIN);
	pthread_create(&thread, NULL, told_reads, &r);
	wait_asleep(t.p, 1);
	assert_int_equal(via_posix_send(c, "x", 1, 0), 1);
	assert_int_equal(via_posix_asleep(t.p), 0);
	pthread_join(thread, NULL);
	assert_int_equal(r.result, 1);
	via_posix_free(t.p);
	via_host_stack_free(t.v);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(stream__blocking_echo_and_names),
		T(calls__wrong_arguments_have_linuxs_errno),
		T(nonblock__flags_of_the_descriptor_count),
		T(poll__mirrors_every_level),
		T(poll__refused_connect_shows_an_error),
		T(poll__full_buffer_is_not_writable),
		T(epoll__edges_beside_a_timer),
		T(timeout__receive_send_accept),
		T(timeout__connect),
		T(dgram__addresses_cut_and_pieces),
		T(threads__close_and_shutdown_wake_sleepers),
		T(threads__reader_asleep_and_poll_for_room),
		T(threads__many_echo_at_once),
		T(runner__two_stacks_joined_by_buffers),
		T(calls__null_pointers_fault),
		T(zerocopy__completes_at_once_as_copied),
		T(told__time_outs_happen_when_time_is_told),
		T(linger__close_waits_for_the_peer), T(table__number_closed_behind_our_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
