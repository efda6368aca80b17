/* door/stream.c, connect.c, listen.c: TCP through the door is as TCP on Linux. See door_child.h. */
#include "door_child.h"

#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/time.h>

static int refused__blocking(void)
{
	uint16_t port = free_port();
	int fd = socket(AF_INET, SOCK_STREAM, 0), l = bound(SOCK_STREAM);
	CHECK(connect_to(fd, port) < 0 && errno == ECONNREFUSED);
	CHECK(so_error(fd) == 0);
	CHECK(connect_to(fd, port_of(l)) == 0); /* the descriptor is as good as new */
	CHECK(connect_to(fd, port_of(l)) < 0 && errno == EISCONN);
	return 0;
}

static int refused__nonblocking(void)
{
	uint16_t port = free_port();
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), l = bound(SOCK_STREAM);
	char c;
	CHECK(connect_to(fd, port) < 0 && errno == EINPROGRESS);
	int bits = polled(fd, POLLIN | POLLOUT, 2000);
	CHECK((bits & (POLLERR | POLLHUP)) == (POLLERR | POLLHUP));
	CHECK(so_error(fd) == ECONNREFUSED);
	CHECK(so_error(fd) == 0);
	CHECK(!(polled(fd, POLLOUT, 0) & POLLERR));
	CHECK(connect_to(fd, port_of(l)) < 0 && errno == ECONNABORTED); /* as Linux: once more of the failure */
	CHECK(connect_to(fd, port_of(l)) < 0 && errno == EINPROGRESS);
	CHECK(polled(fd, POLLOUT, 2000) == POLLOUT);
	CHECK(so_error(fd) == 0);
	CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
	CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	int a = accept(l, NULL, NULL);
	CHECK(a >= 0 && write(fd, "x", 1) == 1 && read(a, &c, 1) == 1 && c == 'x');
	return 0;
}

static int connect__nonblocking_is_an_edge(void)
{
	int l = bound(SOCK_STREAM), fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), ep = epoll_create1(0);
	struct epoll_event ev = {.events = EPOLLOUT | EPOLLET};
	CHECK(connect_to(fd, port_of(l)) < 0 && errno == EINPROGRESS);
	CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) == 0);
	CHECK(epoll_wait(ep, &ev, 1, 2000) == 1 && ev.events == EPOLLOUT);
	CHECK(epoll_wait(ep, &ev, 1, 50) == 0);
	CHECK(so_error(fd) == 0);
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	CHECK(getpeername(fd, (struct sockaddr *)&a, &len) == 0 && len == sizeof(a) && ntohs(a.sin_port) == port_of(l));
	return 0;
}

/* The connect() after a non-blocking one that went well says so, as Linux does; only the next is too many. */
static int connect__says_once_that_it_is_open(void)
{
	int l = bound(SOCK_STREAM), fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK(connect_to(fd, port_of(l)) < 0 && errno == EINPROGRESS);
	CHECK(polled(fd, POLLOUT, 2000) == POLLOUT);
	CHECK(connect_to(fd, port_of(l)) == 0);
	CHECK(connect_to(fd, port_of(l)) < 0 && errno == EISCONN);
	int a = accept(l, NULL, NULL);
	CHECK(a >= 0 && connect_to(a, port_of(l)) < 0 && errno == EISCONN);
	return 0;
}

static int fin__is_a_clean_end(void)
{
	int fd[2];
	char buf[16];
	CHECK(stream_pair(fd) == 0);
	CHECK(write(fd[0], "hello", 5) == 5 && close(fd[0]) == 0);
	CHECK(recv(fd[1], buf, 5, MSG_WAITALL) == 5 && memcmp(buf, "hello", 5) == 0);
	CHECK(read(fd[1], buf, sizeof(buf)) == 0);
	CHECK(read(fd[1], buf, sizeof(buf)) == 0);
	CHECK(polled(fd[1], POLLIN | POLLRDHUP, 0) == (POLLIN | POLLRDHUP));
	CHECK(so_error(fd[1]) == 0);
	return 0;
}

/* The peer has closed and answers what comes with a reset: writes fail then, the end that was read stays the end. */
static int reset__after_a_clean_end(void)
{
	int fd[2];
	char c;
	CHECK(stream_pair(fd) == 0 && close(fd[0]) == 0);
	CHECK(polled(fd[1], POLLIN, 2000) & POLLIN && read(fd[1], &c, 1) == 0);
	CHECK(send(fd[1], "x", 1, MSG_NOSIGNAL) == 1);
	CHECK(polled(fd[1], 0, 2000) & POLLHUP);
	CHECK(send(fd[1], "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE);
	CHECK(read(fd[1], &c, 1) == 0);
	return 0;
}

static int reset__by_linger(void)
{
	int fd[2];
	char buf[16];
	struct linger now = {1, 0};
	CHECK(stream_pair(fd) == 0);
	CHECK(setsockopt(fd[0], SOL_SOCKET, SO_LINGER, &now, sizeof(now)) == 0 && close(fd[0]) == 0);
	CHECK(polled(fd[1], POLLIN, 2000) & POLLERR);
	CHECK(read(fd[1], buf, sizeof(buf)) < 0 && errno == ECONNRESET);
	CHECK(read(fd[1], buf, sizeof(buf)) == 0);
	CHECK(so_error(fd[1]) == 0);
	CHECK(send(fd[1], "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE);
	return 0;
}

static int reset__by_unread_bytes(void)
{
	int fd[2];
	char buf[16];
	CHECK(stream_pair(fd) == 0);
	CHECK(write(fd[0], "unread", 6) == 6);
	CHECK(polled(fd[1], POLLIN, 2000) & POLLIN);
	CHECK(close(fd[1]) == 0);
	CHECK(polled(fd[0], POLLIN, 2000) & POLLERR);
	CHECK(so_error(fd[0]) == ECONNRESET);
	CHECK(read(fd[0], buf, sizeof(buf)) == 0);
	return 0;
}

static int half_close__each_way(void)
{
	int fd[2];
	char buf[16];
	CHECK(stream_pair(fd) == 0);
	CHECK(write(fd[0], "question", 8) == 8 && shutdown(fd[0], SHUT_WR) == 0);
	CHECK(send(fd[0], "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE);
	CHECK(recv(fd[1], buf, 8, MSG_WAITALL) == 8 && read(fd[1], buf, 1) == 0);
	CHECK(write(fd[1], "answer", 6) == 6 && shutdown(fd[1], SHUT_WR) == 0);
	CHECK(recv(fd[0], buf, 6, MSG_WAITALL) == 6 && memcmp(buf, "answer", 6) == 0 && read(fd[0], buf, 1) == 0);
	CHECK(polled(fd[0], POLLIN, 2000) & POLLHUP);
	CHECK(getpeername(fd[1], (struct sockaddr *)buf, &(socklen_t){0}) == 0 || errno == ENOTCONN);
	CHECK(close(fd[0]) == 0 && close(fd[1]) == 0);
	return 0;
}

static int shutdown__of_what_is_not_connected(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), l = bound(SOCK_STREAM);
	char buf[4];
	CHECK(recvfrom(fd, buf, 1, 0, (struct sockaddr *)&(struct sockaddr_storage){0}, &(socklen_t){128}) < 0 && errno == ENOTCONN);
	CHECK(getpeername(fd, (struct sockaddr *)&(struct sockaddr_storage){0}, &(socklen_t){128}) < 0 && errno == ENOTCONN);
	CHECK(shutdown(fd, SHUT_RDWR) < 0 && errno == ENOTCONN);
	CHECK(shutdown(l, SHUT_RD) == 0);
	CHECK(accept(l, NULL, NULL) < 0 && errno == EINVAL);
	return 0;
}

static int backpressure__both_ways(void)
{
	int fd[2];
	static char buf[65536];
	long written = 0, got = 0;
	ssize_t n;
	CHECK(stream_pair(fd) == 0);
	CHECK(fcntl(fd[0], F_SETFL, O_NONBLOCK) == 0);
	for (int idle = 0; idle < 20;) {
		n = write(fd[0], buf, sizeof(buf));
		written += n > 0 ? n : 0;
		idle = n > 0 ? 0 : idle + 1;
		if (n < 0)
			usleep(10000);
		CHECK(written < 64 << 20); /* somebody must say stop */
	}
	CHECK(!(polled(fd[0], POLLOUT, 0) & POLLOUT));
	CHECK(shutdown(fd[0], SHUT_WR) == 0);
	while ((n = read(fd[1], buf, sizeof(buf))) > 0)
		got += n;
	CHECK(n == 0 && got == written);
	return 0;
}

/* Every byte, in order, both directions at once, through small and large writes. */
static int bytes__all_of_them(void)
{
	enum { TOTAL = 8 << 20 };
	int fd[2];
	CHECK(stream_pair(fd) == 0);
	pid_t pid = fork_child();
	int me = fd[pid == 0];
	close(fd[pid != 0]);
	fcntl(me, F_SETFL, O_NONBLOCK);
	uint32_t out = 0, in = 0, step = 1;
	static uint8_t buf[70000];
	while (out < TOTAL || in < TOTAL) {
		int bits = polled(me, (out < TOTAL ? POLLOUT : 0) | POLLIN, 10000);
		CHECK(bits != 0);
		if (bits & POLLOUT && out < TOTAL) {
			step = step * 7 % 69997 + 1;
			uint32_t want = MIN(step, TOTAL - out);
			for (uint32_t i = 0; i < want; i++)
				buf[i] = (uint8_t)((out + i) * 31 >> 3);
			ssize_t n = write(me, buf, want);
			CHECK(n > 0 || errno == EAGAIN);
			out += n > 0 ? (uint32_t)n : 0;
		}
		if (bits & POLLIN) {
			ssize_t n = read(me, buf, sizeof(buf));
			CHECK(n > 0);
			for (ssize_t i = 0; i < n; i++)
				CHECK(buf[i] == (uint8_t)((in + (uint32_t)i) * 31 >> 3));
			in += (uint32_t)n;
		}
	}
	int status = 0;
	if (pid == 0)
		_exit(0);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	return 0;
}

static int accept__addresses_and_flags(void)
{
	int l = bound(SOCK_STREAM | SOCK_NONBLOCK), fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	CHECK(accept(l, NULL, NULL) < 0 && errno == EAGAIN);
	CHECK(polled(l, POLLIN, 0) == 0);
	CHECK(connect_to(fd, port_of(l)) == 0);
	CHECK(polled(l, POLLIN, 2000) == POLLIN);
	int c = accept4(l, (struct sockaddr *)&a, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	CHECK(c >= 0 && len == sizeof(a) && a.sin_family == AF_INET && ntohs(a.sin_port) == port_of(fd));
	CHECK((fcntl(c, F_GETFL) & O_NONBLOCK) && (fcntl(c, F_GETFD) & FD_CLOEXEC));
	CHECK(port_of(c) == port_of(l));
	CHECK(polled(l, POLLIN, 0) == 0);
	CHECK(accept(l, NULL, NULL) < 0 && errno == EAGAIN);
	CHECK(accept(fd, NULL, NULL) < 0 && errno == EINVAL);
	CHECK(accept4(l, NULL, NULL, 0x100) < 0 && errno == EINVAL);
	int on = 0;
	len = sizeof(on);
	CHECK(getsockopt(l, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on == 1);
	return 0;
}

static int accept__each_arrival_is_an_edge(void)
{
	int l = bound(SOCK_STREAM | SOCK_NONBLOCK), ep = epoll_create1(0);
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET};
	CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, l, &ev) == 0);
	for (int i = 0; i < 3; i++) { /* none is taken between */
		CHECK(connect_to(socket(AF_INET, SOCK_STREAM, 0), port_of(l)) == 0);
		CHECK(epoll_wait(ep, &ev, 1, 2000) == 1);
		usleep(20000);
		while (epoll_wait(ep, &ev, 1, 0) == 1)
			;
	}
	for (int i = 0; i < 3; i++)
		CHECK(accept(l, NULL, NULL) >= 0);
	CHECK(accept(l, NULL, NULL) < 0 && errno == EAGAIN);
	CHECK(polled(l, POLLIN, 0) == 0);
	return 0;
}

static void on_alarm(int signo)
{
}

static int accept__timeout_and_signal(void)
{
	int l = bound(SOCK_STREAM);
	struct timeval tv = {0, 50000};
	struct sigaction sa = {.sa_handler = on_alarm};
	struct itimerval once = {.it_value = {0, 50000}};
	CHECK(sigaction(SIGALRM, &sa, NULL) == 0 && setitimer(ITIMER_REAL, &once, NULL) == 0);
	CHECK(accept(l, NULL, NULL) < 0 && errno == EINTR);
	CHECK(setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
	CHECK(accept(l, NULL, NULL) < 0 && errno == EAGAIN);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect_to(fd, port_of(l)) == 0 && accept(l, NULL, NULL) >= 0);
	return 0;
}

static int accept__no_descriptor_left(void)
{
	int l = bound(SOCK_STREAM), fd[64], n = 0;
	struct rlimit few = {40, 40};
	CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
	CHECK(connect_to(socket(AF_INET, SOCK_STREAM, 0), port_of(l)) == 0);
	while (n < 64 && (fd[n] = dup(0)) >= 0)
		n++;
	CHECK(n > 0 && n < 64);
	CHECK(accept(l, NULL, NULL) < 0 && errno == EMFILE);
	CHECK(socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EMFILE);
	close(fd[0]);
	CHECK(accept(l, NULL, NULL) >= 0); /* the connection was not lost */
	return 0;
}

static int bind__twice(void)
{
	int a = bound(SOCK_STREAM), b = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in at = at_port(port_of(a));
	CHECK(bind(b, (struct sockaddr *)&at, sizeof(at)) < 0 && errno == EADDRINUSE);
	CHECK(bind(a, (struct sockaddr *)&at, sizeof(at)) < 0 && errno == EINVAL);
	at.sin_addr.s_addr = htonl(0xc0000201); /* 192.0.2.1 */
	CHECK(bind(b, (struct sockaddr *)&at, sizeof(at)) < 0 && errno == EADDRNOTAVAIL);
	CHECK(bind(b, (struct sockaddr *)&at, 4) < 0 && errno == EINVAL);
	CHECK(bind(b, NULL, sizeof(at)) < 0 && errno == EFAULT);
	return 0;
}

/* The descriptor travels: dup, fork, exec's kin, SCM_RIGHTS; only the last close is the end. */
static int travel__dup_fork_and_rights(void)
{
	int fd[2], sv[2];
	char buf[8];
	CHECK(stream_pair(fd) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == 0);
	union {
		char b[CMSG_SPACE(sizeof(int))];
		struct cmsghdr h;
	} u = {.h = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
	struct iovec iov = {buf, 1};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &u, .msg_controllen = sizeof(u)};
	memcpy(CMSG_DATA(&u.h), &fd[0], sizeof(int));
	CHECK(sendmsg(sv[0], &m, 0) == 1);
	int twin = dup(fd[0]);
	close(fd[0]);
	CHECK(port_of(twin) != 0 && write(twin, "dup", 3) == 3 && recv(fd[1], buf, 3, MSG_WAITALL) == 3);
	pid_t pid = fork_child();
	if (pid == 0)
		_exit(write(twin, "fork", 4) == 4 && port_of(twin) != 0 ? 0 : 1);
	int status;
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(recv(fd[1], buf, 4, MSG_WAITALL) == 4);
	close(twin);
	CHECK(polled(fd[1], POLLIN, 50) == 0); /* one is on its way in a message */
	CHECK(recvmsg(sv[1], &m, 0) == 1);
	int got;
	memcpy(&got, CMSG_DATA(&u.h), sizeof(int));
	CHECK(write(got, "sent", 4) == 4 && recv(fd[1], buf, 4, MSG_WAITALL) == 4 && port_of(got) != 0);
	close(got);
	CHECK(read(fd[1], buf, 1) == 0);
	return 0;
}

static int travel__killed_holder_is_a_close(void)
{
	int fd[2];
	char c;
	CHECK(stream_pair(fd) == 0);
	pid_t pid = fork_child();
	if (pid == 0) {
		close(fd[1]);
		pause();
	}
	close(fd[0]);
	CHECK(polled(fd[1], POLLIN, 50) == 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CHECK(read(fd[1], &c, 1) == 0);
	return 0;
}

static int options__truths(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), u = socket(AF_INET, SOCK_DGRAM, 0), val = 0, one = 1;
	socklen_t len = sizeof(val);
	CHECK(getsockopt(fd, SOL_SOCKET, SO_TYPE, &val, &len) == 0 && val == SOCK_STREAM);
	CHECK(getsockopt(u, SOL_SOCKET, SO_TYPE, &val, &len) == 0 && val == SOCK_DGRAM);
	CHECK(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &val, &len) == 0 && val == AF_INET);
	CHECK(getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &val, &len) == 0 && val == IPPROTO_TCP);
	CHECK(getsockopt(u, SOL_SOCKET, SO_PROTOCOL, &val, &len) == 0 && val == IPPROTO_UDP);
	CHECK(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0);
	CHECK(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &val, &len) == 0 && val == 1 && len == sizeof(val));
	CHECK(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one)) == 0);
	CHECK(setsockopt(fd, SOL_SOCKET, 0x7ffe, &one, sizeof(one)) < 0 && errno == ENOPROTOOPT);
	CHECK(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, NULL, sizeof(one)) < 0 && errno == EFAULT);
	len = 1;
	val = -1;
	CHECK(getsockopt(fd, SOL_SOCKET, SO_TYPE, &val, &len) == 0 && len == 1 && (val & 0xff) == SOCK_STREAM && val >> 8 == -1);
	struct timeval tv = {1, 500000}, back = {0, 0};
	len = sizeof(back);
	CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
	CHECK(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &back, &len) == 0 && back.tv_sec == 1 && back.tv_usec == 500000);
	return 0;
}

static int queues__are_counted(void)
{
	int fd[2], n = -1;
	char buf[16];
	CHECK(stream_pair(fd) == 0);
	CHECK(write(fd[0], "0123456789", 10) == 10);
	CHECK(polled(fd[1], POLLIN, 2000) & POLLIN);
	for (int i = 0; i < 100 && n != 10; i++, usleep(10000))
		CHECK(ioctl(fd[1], FIONREAD, &n) == 0);
	CHECK(n == 10);
	CHECK(recv(fd[1], buf, 4, MSG_PEEK) == 4 && read(fd[1], buf, 4) == 4);
	CHECK(ioctl(fd[1], FIONREAD, &n) == 0 && n == 6);
	for (int i = 0; i < 100 && n != 0; i++, usleep(10000))
		CHECK(ioctl(fd[0], TIOCOUTQ, &n) == 0);
	CHECK(n == 0); /* all is acknowledged */
	return 0;
}

static int sendmsg__and_files(void)
{
	int fd[2];
	char buf[64];
	CHECK(stream_pair(fd) == 0);
	struct iovec iov[3] = {{(char[]){"ab"}, 2}, {(char[]){"cde"}, 3}, {NULL, 0}};
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = 3};
	CHECK(sendmsg(fd[0], &m, 0) == 5);
	iov[0] = (struct iovec){buf, 5};
	m.msg_iovlen = 1;
	struct sockaddr_in from;
	m.msg_name = &from;
	m.msg_namelen = sizeof(from);
	CHECK(recvmsg(fd[1], &m, MSG_WAITALL) == 5 && memcmp(buf, "abcde", 5) == 0 && m.msg_flags == 0);
	struct sockaddr_in to = at_port(9);
	CHECK(sendto(fd[0], "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) == 1 || errno == EISCONN);
	int file = open("/proc/self/exe", O_RDONLY), p[2];
	CHECK(file >= 0 && sendfile(fd[1], file, NULL, 20) == 20 && recv(fd[0], buf, 20, MSG_WAITALL) == 20 && memcmp(buf + 1, "ELF", 3) == 0);
	CHECK(pipe(p) == 0 && write(fd[1], "spliced", 7) == 7);
	CHECK(splice(fd[0], NULL, p[1], NULL, 7, 0) == 7 && read(p[0], buf, 7) == 7 && memcmp(buf, "spliced", 7) == 0);
	return 0;
}

static void start_storm(void)
{
	struct sigaction sa = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
	struct itimerval often = {{0, 1000}, {0, 300}};
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
}

/* Signals withdraw calls at any moment; restarted, each has happened exactly once. */
static int signals__every_call_happens_once(void)
{
	char byte = 0;
	start_storm();
	for (int i = 0; i < 300; i++) {
		int l = bound(SOCK_STREAM), fd = socket(AF_INET, SOCK_STREAM, 0);
		CHECK(l >= 0 && fd >= 0 && connect_to(fd, port_of(l)) == 0);
		int a = accept(l, NULL, NULL);
		CHECK(a >= 0);
		CHECK(send(fd, &byte, 1, 0) == 1 && recv(a, &byte, 1, 0) == 1);
		CHECK(shutdown(fd, SHUT_WR) == 0 && read(a, &byte, 1) == 0);
		CHECK(fd == l + 1 && a == fd + 1); /* no descriptor was injected twice */
		CHECK(close(l) == 0 && close(fd) == 0 && close(a) == 0);
	}
	return 0;
}

static int many__at_once(void)
{
	enum { N = 200 };
	int l = bound(SOCK_STREAM), c[N], a[N];
	char byte;
	CHECK(listen(l, N) == 0);
	for (int i = 0; i < N; i++) {
		c[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		CHECK(c[i] >= 0 && connect_to(c[i], port_of(l)) < 0 && errno == EINPROGRESS);
	}
	for (int i = 0; i < N; i++) {
		a[i] = accept(l, NULL, NULL);
		CHECK(a[i] >= 0 && write(a[i], "x", 1) == 1);
	}
	for (int i = 0; i < N; i++)
		CHECK(polled(c[i], POLLIN, 5000) == POLLIN && read(c[i], &byte, 1) == 1 && close(c[i]) == 0);
	for (int i = 0; i < N; i++)
		CHECK(read(a[i], &byte, 1) == 0 && close(a[i]) == 0);
	return 0;
}

/* Two names for a broken connection: it lives on under the second, however long ago the first was closed. */
static int reset__outlives_one_of_two_names(void)
{
	int fd[2];
	struct linger hard = {1, 0};
	CHECK(stream_pair(fd) == 0);
	int twin = dup(fd[1]);
	CHECK(setsockopt(fd[0], SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)) == 0 && close(fd[0]) == 0);
	CHECK((polled(fd[1], POLLIN, 2000) & POLLERR) && port_of(fd[1]) != 0 && close(fd[1]) == 0);
	sleep(2);
	CHECK(port_of(twin) != 0 && so_error(twin) == ECONNRESET);
	return 0;
}

/* Both directions shut and still open: what arrives then is answered with a reset. */
static int shutdown__of_both_refuses_bytes(void)
{
	int fd[2];
	char c;
	CHECK(stream_pair(fd) == 0);
	CHECK(shutdown(fd[0], SHUT_RDWR) == 0 && read(fd[1], &c, 1) == 0);
	CHECK(send(fd[1], "x", 1, MSG_NOSIGNAL) == 1);
	CHECK(polled(fd[1], POLLIN, 2000) & POLLIN);
	for (int i = 0; i < 100 && send(fd[1], "x", 1, MSG_NOSIGNAL) == 1; i++)
		usleep(10000);
	CHECK(send(fd[1], "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE);
	return 0;
}

/* What a fresh socket swallows is not on its way to anybody. */
static int fresh__bytes_are_not_waiting(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), l = bound(SOCK_STREAM);
	char info[256] = {0}, c;
	socklen_t len = sizeof(info);
	CHECK(send(fd, "lost", 4, MSG_NOSIGNAL) == 4);
	CHECK(getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &len) == 0);
	CHECK(len >= 148 && memcmp(info + 144, "\0\0\0", 4) == 0); /* tcpi_notsent_bytes, which libc's struct ends before */
	CHECK(connect_to(fd, port_of(l)) == 0);
	int a = accept(l, NULL, NULL);
	CHECK(write(fd, "y", 1) == 1 && read(a, &c, 1) == 1 && c == 'y' && polled(a, POLLIN, 20) == 0);
	return 0;
}

static int options__that_need_rights(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), mark = 1;
	CHECK(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) < 0 && errno == EPERM);
	CHECK(setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0 && errno == EPERM);
	return 0;
}

#define S(f) {#f, f, WAYS_BOTH}
static const struct scenario scenarios[] = {
	S(refused__blocking),
	S(refused__nonblocking),
	S(connect__nonblocking_is_an_edge),
	S(connect__says_once_that_it_is_open),
	S(fin__is_a_clean_end),
	S(reset__after_a_clean_end),
	S(reset__by_linger),
	S(reset__by_unread_bytes),
	S(reset__outlives_one_of_two_names),
	S(half_close__each_way),
	S(shutdown__of_both_refuses_bytes),
	{"fresh__bytes_are_not_waiting", fresh__bytes_are_not_waiting, WAYS_DOOR},
	{"options__that_need_rights", options__that_need_rights, WAYS_DOOR},
	S(shutdown__of_what_is_not_connected),
	S(backpressure__both_ways),
	S(bytes__all_of_them),
	S(accept__addresses_and_flags),
	S(accept__each_arrival_is_an_edge),
	S(accept__timeout_and_signal),
	S(accept__no_descriptor_left),
	S(bind__twice),
	S(travel__dup_fork_and_rights),
	S(travel__killed_holder_is_a_close),
	S(options__truths),
	S(queues__are_counted),
	S(sendmsg__and_files),
	S(many__at_once),
	S(signals__every_call_happens_once),
};

int main(int argc, char **argv)
{
	return scenarios_main(argc, argv, scenarios, ARRAY_LEN(scenarios), NULL);
}
