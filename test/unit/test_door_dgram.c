/* door/dgram.c, message.c: UDP through the door is as UDP on Linux. See door_child.h. */
#include "door_child.h"

#include <sys/time.h>
#include <time.h>

static ssize_t send_to(int fd, const char *text, uint16_t port)
{
	struct sockaddr_in a = at_port(port);
	return sendto(fd, text, strlen(text), 0, (struct sockaddr *)&a, sizeof(a));
}

/* Receives, checks the source port. */
static ssize_t recv_from(int fd, char *buf, size_t len, int flags, uint16_t port)
{
	struct sockaddr_in a = {0};
	socklen_t alen = sizeof(a);
	ssize_t n = recvfrom(fd, buf, len, flags, (struct sockaddr *)&a, &alen);
	return n >= 0 && (alen != sizeof(a) || a.sin_family != AF_INET || ntohs(a.sin_port) != port) ? -2 : n;
}

static int dgram__one_by_one_with_source(void)
{
	int a = bound(SOCK_DGRAM), b = bound(SOCK_DGRAM);
	char buf[64];
	CHECK(polled(b, POLLIN, 0) == 0);
	CHECK(send_to(a, "first", port_of(b)) == 5 && send_to(a, "", port_of(b)) == 0 && send_to(a, "third one", port_of(b)) == 9);
	CHECK(polled(b, POLLIN, 2000) == POLLIN);
	CHECK(recv_from(b, buf, sizeof(buf), MSG_PEEK, port_of(a)) == 5);
	CHECK(recv_from(b, buf, sizeof(buf), 0, port_of(a)) == 5 && memcmp(buf, "first", 5) == 0);
	CHECK(recv_from(b, buf, sizeof(buf), 0, port_of(a)) == 0);
	CHECK(recv_from(b, buf, 4, MSG_TRUNC, port_of(a)) == 9 && memcmp(buf, "thir", 4) == 0);
	CHECK(recv_from(b, buf, sizeof(buf), MSG_DONTWAIT, 0) == -1 && errno == EAGAIN);
	CHECK(polled(b, POLLIN, 0) == 0);
	return 0;
}

static int dgram__read_and_write_when_connected(void)
{
	int a = bound(SOCK_DGRAM), b = bound(SOCK_DGRAM), c = bound(SOCK_DGRAM);
	char buf[64];
	CHECK(connect_to(a, port_of(b)) == 0);
	CHECK(write(a, "one", 3) == 3 && send(a, "two!", 4, 0) == 4);
	CHECK(recv_from(b, buf, sizeof(buf), 0, port_of(a)) == 3 && recv_from(b, buf, sizeof(buf), 0, port_of(a)) == 4);
	CHECK(send_to(c, "stranger", port_of(a)) == 8 && send_to(b, "friend", port_of(a)) == 6 && send_to(b, "again", port_of(a)) == 5);
	CHECK(polled(a, POLLIN, 2000) == POLLIN);
	CHECK(read(a, buf, sizeof(buf)) == 6 && memcmp(buf, "friend", 6) == 0);
	CHECK(read(a, buf, 2) == 2 && memcmp(buf, "ag", 2) == 0);
	CHECK(recv(a, buf, sizeof(buf), MSG_DONTWAIT) < 0 && errno == EAGAIN);
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);
	CHECK(getpeername(a, (struct sockaddr *)&peer, &len) == 0 && ntohs(peer.sin_port) == port_of(b));
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	CHECK(connect(a, &none, sizeof(none)) == 0);
	len = sizeof(peer);
	CHECK(getpeername(a, (struct sockaddr *)&peer, &len) < 0 && errno == ENOTCONN);
	return 0;
}

static int dgram__order_across_write_and_sendto(void)
{
	int a = bound(SOCK_DGRAM), b = bound(SOCK_DGRAM);
	char buf[8];
	struct sockaddr_in to = at_port(port_of(b));
	CHECK(connect_to(a, port_of(b)) == 0);
	for (char i = 0; i < 20; i++)
		CHECK(i % 3 ? write(a, &i, 1) == 1 : sendto(a, &i, 1, 0, (struct sockaddr *)&to, sizeof(to)) == 1);
	for (char i = 0; i < 20; i++)
		CHECK((i % 2 ? recv(b, buf, 8, 0) : recv_from(b, buf, 8, 0, port_of(a))) == 1 && buf[0] == i);
	return 0;
}

static int dgram__refused_is_told(void)
{
	int gone = bound(SOCK_DGRAM), a = bound(SOCK_DGRAM);
	uint16_t port = port_of(gone);
	char buf[8];
	close(gone);
	CHECK(connect_to(a, port) == 0);
	CHECK(send(a, "x", 1, 0) == 1 && polled(a, POLLIN, 2000) != 0);
	CHECK(recv_from(a, buf, 8, 0, 0) == -1 && errno == ECONNREFUSED);
	CHECK(recv_from(a, buf, 8, MSG_DONTWAIT, 0) == -1 && errno == EAGAIN);
	CHECK(send(a, "x", 1, 0) == 1 && polled(a, POLLIN, 2000) != 0);
	CHECK(so_error(a) == ECONNREFUSED);
	CHECK(so_error(a) == 0 && polled(a, POLLIN, 0) == 0);
	return 0;
}

static void on_alarm(int signo)
{
}

/* A message without an address is told of the refusal of the one before it. */
static int dgram__refused_is_told_to_sendmsg(void)
{
	struct iovec iov = {(char[]){"x"}, 1};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK(connect_to(fd, free_port()) == 0 && sendmsg(fd, &m, 0) == 1);
	CHECK(polled(fd, POLLIN, 2000) != 0);
	CHECK(sendmsg(fd, &m, 0) < 0 && errno == ECONNREFUSED);
	CHECK(so_error(fd) == 0);
	return 0;
}

static int dgram__waiting(void)
{
	int a = bound(SOCK_DGRAM), b = bound(SOCK_DGRAM);
	struct timeval tv = {0, 50000};
	struct sigaction sa = {.sa_handler = on_alarm};
	struct itimerval once = {.it_value = {0, 50000}};
	char buf[8];
	CHECK(sigaction(SIGALRM, &sa, NULL) == 0 && setitimer(ITIMER_REAL, &once, NULL) == 0);
	CHECK(recv_from(b, buf, 8, 0, 0) == -1 && errno == EINTR);
	CHECK(setsockopt(b, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
	CHECK(recv_from(b, buf, 8, 0, 0) == -1 && errno == EAGAIN);
	CHECK(recv(b, buf, 8, 0) == -1 && errno == EAGAIN);
	pid_t pid = fork_child();
	if (pid == 0) {
		usleep(50000);
		_exit(send_to(a, "late", port_of(b)) == 4 ? 0 : 1);
	}
	tv.tv_sec = 5;
	CHECK(setsockopt(b, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
	CHECK(recv_from(b, buf, 8, 0, port_of(a)) == 4);
	return 0;
}

static int dgram__large_and_too_large(void)
{
	int a = bound(SOCK_DGRAM), b = bound(SOCK_DGRAM);
	static char big[65600], got[65600];
	struct sockaddr_in to = at_port(port_of(b));
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7);
	CHECK(sendto(a, big, 65507, 0, (struct sockaddr *)&to, sizeof(to)) == 65507);
	CHECK(recv_from(b, got, sizeof(got), 0, port_of(a)) == 65507 && memcmp(big, got, 65507) == 0);
	CHECK(sendto(a, big, 65508, 0, (struct sockaddr *)&to, sizeof(to)) < 0 && errno == EMSGSIZE);
	CHECK(sendto(a, NULL, 8, 0, (struct sockaddr *)&to, sizeof(to)) < 0 && errno == EFAULT);
	CHECK(sendto(a, big, 8, 0, (struct sockaddr *)&to, 4) < 0 && errno == EINVAL);
	CHECK(sendmsg(a, &(struct msghdr){.msg_iov = &(struct iovec){big, 8}, .msg_iovlen = 1}, 0) < 0 && errno == EDESTADDRREQ);
	CHECK(connect_to(a, port_of(b)) == 0 && write(a, big, 40000) == 40000 && read(b, got, sizeof(got)) == 40000);
	return 0;
}

static int dgram__messages(void)
{
	int a = bound(SOCK_DGRAM), b = bound(SOCK_DGRAM), one = 1;
	char one_buf[2][16];
	struct sockaddr_in to = at_port(port_of(b)), from[2];
	struct iovec iov[2] = {{(char[]){"ab"}, 2}, {(char[]){"cd"}, 2}};
	struct mmsghdr out[2] = {{.msg_hdr = {.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = iov, .msg_iovlen = 2}},
				 {.msg_hdr = {.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = iov, .msg_iovlen = 1}}};
	CHECK(sendmmsg(a, out, 2, 0) == 2 && out[0].msg_len == 4 && out[1].msg_len == 2);
	CHECK(polled(b, POLLIN, 2000) == POLLIN);
	usleep(20000);
	struct iovec into[2] = {{one_buf[0], 3}, {one_buf[1], 16}};
	struct mmsghdr in[2] = {0};
	for (int i = 0; i < 2; i++)
		in[i].msg_hdr = (struct msghdr){.msg_name = &from[i], .msg_namelen = sizeof(from[i]), .msg_iov = &into[i], .msg_iovlen = 1};
	CHECK(recvmmsg(b, in, 2, MSG_WAITFORONE, NULL) == 2);
	CHECK(in[0].msg_len == 3 && (in[0].msg_hdr.msg_flags & MSG_TRUNC) && memcmp(one_buf[0], "abc", 3) == 0);
	CHECK(in[1].msg_len == 2 && in[1].msg_hdr.msg_flags == 0);
	CHECK(ntohs(from[1].sin_port) == port_of(a) && in[1].msg_hdr.msg_namelen == sizeof(to));
	/* IP_PKTINFO: which address it was sent to. */
	CHECK(setsockopt(b, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one)) == 0 && send_to(a, "info", port_of(b)) == 4);
	union {
		char b[256];
		struct cmsghdr h;
	} u;
	struct msghdr m = {.msg_iov = &into[1], .msg_iovlen = 1, .msg_control = &u, .msg_controllen = sizeof(u)};
	CHECK(recvmsg(b, &m, 0) == 4);
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	CHECK(h && h->cmsg_level == IPPROTO_IP && h->cmsg_type == IP_PKTINFO);
	struct in_pktinfo info;
	memcpy(&info, CMSG_DATA(h), sizeof(info));
	CHECK(ntohl(info.ipi_addr.s_addr) == INADDR_LOOPBACK && info.ipi_ifindex == 1);
	return 0;
}

static int dgram__edge_for_each_batch(void)
{
	int a = bound(SOCK_DGRAM), b = bound(SOCK_DGRAM | SOCK_NONBLOCK), ep = epoll_create1(0), n;
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET};
	char buf[8];
	CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, b, &ev) == 0);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 5; i++)
			CHECK(send_to(a, "x", port_of(b)) == 1);
		n = 0;
		while (n < 5 && epoll_wait(ep, &ev, 1, 2000) == 1) /* with plain reads: each head an edge */
			while (recv(b, buf, 8, 0) == 1)
				n++;
		CHECK(n == 5);
	}
	return 0;
}

static int dgram__bind_twice_and_close(void)
{
	int a = bound(SOCK_DGRAM), b = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in at = at_port(port_of(a));
	CHECK(bind(b, (struct sockaddr *)&at, sizeof(at)) < 0 && errno == EADDRINUSE);
	CHECK(close(a) == 0);
	CHECK(bind(b, (struct sockaddr *)&at, sizeof(at)) == 0);
	CHECK(listen(b, 1) < 0 && errno == EOPNOTSUPP);
	CHECK(accept(b, NULL, NULL) < 0 && errno == EOPNOTSUPP);
	CHECK(shutdown(b, SHUT_RDWR) < 0 && errno == ENOTCONN);
	return 0;
}

static int dgram__once_and_in_order(void)
{
	int a = bound(SOCK_DGRAM), b = bound(SOCK_DGRAM);
	struct sockaddr_in to = at_port(port_of(b));
	uint16_t from = port_of(a);
	for (int i = 0; i < 2000; i++) {
		int got = -1;
		CHECK(sendto(a, &i, sizeof(i), 0, (struct sockaddr *)&to, sizeof(to)) == sizeof(i));
		CHECK(recv_from(b, (char *)&got, sizeof(got), 0, from) == sizeof(got) && got == i);
	}
	CHECK(recv_from(b, (char *)&to, sizeof(to), MSG_DONTWAIT, from) == -1 && errno == EAGAIN);
	return 0;
}

static volatile sig_atomic_t alarms;

static void on_counted_alarm(int signo)
{
	alarms = alarms + 1;
}

static int64_t milliseconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Until it is there, or it is no more to be expected; the signals wake a receive that waits. */
static ssize_t recv_patiently(int fd, int *got, uint16_t from)
{
	int64_t until = milliseconds() + 100;
	ssize_t n;
	do
		n = recv_from(fd, (char *)got, sizeof(*got), 0, from);
	while (n < 0 && errno == EINTR && milliseconds() < until);
	return n;
}

/* A signal in the moment of an answer repeats a send or loses a datagram, since the kernel tells nobody that this answer
 * was not taken (the limit SIGNALS): no more than one for each signal, hardly ever, and never anything out of order. The
 * calls are repeated here, not by SA_RESTART, so that one whose datagram is lost does not wait for ever. */
static int dgram__signals_do_little(void)
{
	enum { N = 3000, SIGNALS = 20 };
	int a = bound(SOCK_DGRAM), b = bound(SOCK_DGRAM), i, last = -1, lost = 0, repeated = 0;
	struct sigaction sa = {.sa_handler = on_counted_alarm};
	struct itimerval often = {{0, 1000}, {0, 300}}, never = {{0, 0}, {0, 0}};
	struct sockaddr_in to = at_port(port_of(b));
	uint16_t from = port_of(a);
	CHECK(sigaction(SIGALRM, &sa, NULL) == 0 && setitimer(ITIMER_REAL, &often, NULL) == 0);
	for (i = 0; i < N || alarms < SIGNALS; i++) {
		int got = -1;
		ssize_t n;
		do
			n = sendto(a, &i, sizeof(i), 0, (struct sockaddr *)&to, sizeof(to));
		while (n < 0 && errno == EINTR);
		CHECK(n == sizeof(i));
		while (last < i && recv_patiently(b, &got, from) == sizeof(got)) { /* what is late comes first */
			CHECK(got >= last && got <= i);
			repeated += got == last;
			lost += got > last ? got - last - 1 : 0;
			last = got;
		}
	}
	CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
	lost += i - 1 - last;
	fprintf(stderr, "%d signals: %d lost, %d repeated\n", (int)alarms, lost, repeated);
	CHECK(lost + repeated <= (int)alarms);
	CHECK(lost + repeated <= i / 50);
	return 0;
}

/* Too large for a plain send(): nobody can be told, and nobody sees a trace of it. */
static int dgram__too_large_leaves_no_trace(void)
{
	int a = bound(SOCK_DGRAM), b = bound(SOCK_DGRAM);
	static char big[65508];
	char buf[8];
	CHECK(connect_to(a, port_of(b)) == 0);
	CHECK(send(a, big, sizeof(big), 0) == sizeof(big) && send(a, "next", 4, 0) == 4);
	CHECK(recv_from(b, buf, 8, 0, port_of(a)) == 4);
	CHECK(so_error(a) == 0 && recv(a, buf, 8, MSG_DONTWAIT) < 0 && errno == EAGAIN);
	return 0;
}

/* A plain read takes the mark of an error, and with it the error. */
static int dgram__mark_read_is_error_taken(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	char buf[8];
	CHECK(connect_to(fd, free_port()) == 0);
	for (int i = 0; i < 3; i++) {
		CHECK(send(fd, "x", 1, 0) == 1 && polled(fd, POLLIN, 2000) == POLLIN);
		CHECK(recv(fd, buf, 8, 0) == 0);
		CHECK(so_error(fd) == 0 && polled(fd, POLLIN, 0) == 0);
	}
	return 0;
}

static int dgram__two_processes_one_socket(void)
{
	int a = bound(SOCK_DGRAM), b = bound(SOCK_DGRAM), p[2], status;
	char buf[8];
	enum { N = 50 };
	CHECK(pipe(p) == 0);
	for (int k = 0; k < 2; k++) {
		if (fork_child() == 0) {
			close(p[0]);
			while (recv_from(b, buf, 8, 0, port_of(a)) == 1 && buf[0] != '!')
				if (write(p[1], buf, 1) != 1)
					_exit(1);
			_exit(0);
		}
	}
	close(p[1]);
	for (int i = 0; i < N; i++) {
		char c = (char)('A' + i);
		struct sockaddr_in to = at_port(port_of(b));
		CHECK(sendto(a, &c, 1, 0, (struct sockaddr *)&to, sizeof(to)) == 1);
		usleep(1000);
	}
	char all[N];
	for (int i = 0; i < N; i++)
		CHECK(read(p[0], &all[i], 1) == 1);
	CHECK(send_to(a, "!", port_of(b)) == 1 && send_to(a, "!", port_of(b)) == 1);
	CHECK(wait(&status) > 0 && status == 0 && wait(&status) > 0 && status == 0);
	for (int i = 0; i < N; i++)
		CHECK(memchr(all, 'A' + i, N) != NULL);
	return 0;
}

#define S(f) {#f, f, WAYS_BOTH}
static const struct scenario scenarios[] = {
	S(dgram__one_by_one_with_source),
	S(dgram__read_and_write_when_connected),
	S(dgram__order_across_write_and_sendto),
	S(dgram__refused_is_told),
	S(dgram__refused_is_told_to_sendmsg),
	S(dgram__waiting),
	S(dgram__large_and_too_large),
	S(dgram__messages),
	S(dgram__edge_for_each_batch),
	S(dgram__bind_twice_and_close),
	S(dgram__two_processes_one_socket),
	S(dgram__once_and_in_order),
	S(dgram__signals_do_little),
	{"dgram__too_large_leaves_no_trace", dgram__too_large_leaves_no_trace, WAYS_DOOR},
	{"dgram__mark_read_is_error_taken", dgram__mark_read_is_error_taken, WAYS_DOOR},
};

int main(int argc, char **argv)
{
	return scenarios_main(argc, argv, scenarios, ARRAY_LEN(scenarios), NULL);
}
