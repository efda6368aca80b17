/* TCP_INFO beside the kernel's: one story told over loopback of a network namespace of its own, and over two stacks of ours.
 *
 * The kernel's end of it runs in a child process, which sends home what getsockopt(TCP_INFO) gave at each station. Loopback has Ethernet's
 * MTU there. Where the machine's load could tell (how long the reader slept), our story takes the kernel's time. Without the right to
 * make namespaces the tests are skipped. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <viaduct/tcp_info.h>

#include "test/unit/stacks.h"

#ifndef TCP_INFO
#define TCP_INFO 11
#endif

enum { BULK = 100000, REPLY = 10, STALLED = 200000, STALL_MS = 300, SMALL_BUFFER = 8192, PORT = 7000 };
/* Stations: the handshake is over, text went both ways, the client has shut, the reader slept and read on. */
enum { AT_OPEN, AT_TEXT, AT_FIN, AT_STALL, STATIONS };
struct tale {
	struct via_tcp_info client[STATIONS], server[STATIONS];
	int64_t stall_ns;
	uint32_t is_told;
};
static struct tale kernel, ours;
static char data[STALLED];

/* --- the kernel's --- */

static int64_t clock_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static void rest(int ms)
{
	poll(NULL, 0, ms);
}

static bool loopback_up(void)
{
	struct ifreq r = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	r.ifr_mtu = 1500;
	bool well = fd >= 0 && ioctl(fd, SIOCSIFMTU, &r) == 0;
	r.ifr_flags = IFF_UP;
	well = well && ioctl(fd, SIOCSIFFLAGS, &r) == 0;
	close(fd);
	return well;
}

static bool kernel_pair(int rcvbuf, int fd[2])
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(PORT + rcvbuf)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (rcvbuf)
		setsockopt(l, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof rcvbuf);
	if (bind(l, (struct sockaddr *)&a, sizeof a) || listen(l, 1) || connect(fd[0], (struct sockaddr *)&a, sizeof a))
		return false;
	fd[1] = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	close(l);
	rest(50);
	return fd[1] >= 0;
}

/* Both ends, non-blocking: n bytes from a to b. */
static void kernel_move(int a, int b, int n)
{
	static char in[65536];
	for (int out = n; n > 0; ) {
		ssize_t w = out ? send(a, data, (size_t)out, MSG_DONTWAIT | MSG_NOSIGNAL) : 0, r = recv(b, in, sizeof in, MSG_DONTWAIT);
		out -= w > 0 ? (int)w : 0;
		n -= r > 0 ? (int)r : 0;
		if (w <= 0 && r <= 0)
			rest(1);
	}
	rest(100);
}

static void kernel_look(struct tale *t, const int fd[2], int at)
{
	struct via_tcp_info *info[2] = {&t->client[at], &t->server[at]};
	for (int k = 0; k < 2; k++) {
		socklen_t len = sizeof *info[k];
		getsockopt(fd[k], IPPROTO_TCP, TCP_INFO, info[k], &len);
	}
}

static void kernel_tells(struct tale *t)
{
	int fd[2];
	if (!loopback_up() || !kernel_pair(0, fd))
		return;
	kernel_look(t, fd, AT_OPEN);
	kernel_move(fd[0], fd[1], BULK);
	kernel_move(fd[1], fd[0], REPLY);
	kernel_look(t, fd, AT_TEXT);
	shutdown(fd[0], SHUT_WR);
	rest(100);
	kernel_look(t, fd, AT_FIN);
	if (!kernel_pair(SMALL_BUFFER, fd))
		return;
	int64_t began = clock_ns();
	ssize_t n = send(fd[0], data, STALLED, MSG_DONTWAIT); /* what the buffers hold */
	rest(STALL_MS);
	t->stall_ns = clock_ns() - began;
	kernel_move(fd[0], fd[1], (int)n); /* reads it all; and as much again */
	kernel_look(t, fd, AT_STALL);
	t->is_told = 1;
}

static int ask_kernel(void **state)
{
	int pipe_fd[2];
	assert_int_equal(pipe(pipe_fd), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct tale t = {0};
		if (unshare(geteuid() ? CLONE_NEWUSER | CLONE_NEWNET : CLONE_NEWNET) == 0)
			kernel_tells(&t);
		_exit(write(pipe_fd[1], &t, sizeof t) != sizeof t);
	}
	close(pipe_fd[1]);
	size_t got = 0;
	for (ssize_t n; got < sizeof kernel && (n = read(pipe_fd[0], (char *)&kernel + got, sizeof kernel - got)) > 0;)
		got += (size_t)n;
	close(pipe_fd[0]);
	waitpid(pid, NULL, 0);
	return 0;
}

/* --- ours --- */

#define CLIENT_ADDR 0x0a000001u
#define SERVER_ADDR 0x0a000002u

struct duo {
	struct net *t;
	via_sock s[2];
};

static struct duo open_pair(struct net *t, int rcvbuf)
{
	struct duo d = {.t = t};
	struct via_sockaddr at = net_at(SERVER_ADDR, (uint16_t)(PORT + rcvbuf));
	via_sock l = net_open(t->v[1], VIA_STREAM);
	if (rcvbuf)
		assert_int_equal(via_setsockopt(t->v[1], l, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof rcvbuf), 0);
	assert_int_equal(via_bind(t->v[1], l, &at), 0);
	assert_int_equal(via_listen(t->v[1], l, 1), 0);
	d.s[0] = net_open(t->v[0], VIA_STREAM);
	assert_int_equal(via_connect(t->v[0], d.s[0], &at), -EINPROGRESS);
	net_run(t, t->now + 50 * NS_PER_MS);
	assert_int_equal(via_accept(t->v[1], l, 0, &d.s[1], NULL), 0);
	via_close(t->v[1], l);
	return d;
}

static void move_text(struct duo *d, int from, int n)
{
	static char in[65536];
	for (int out = n; n > 0; net_run(d->t, d->t->now)) {
		int64_t w = out ? via_send(d->t->v[from], d->s[from], data, (uint32_t)out, 0) : 0;
		int64_t r = via_recv(d->t->v[!from], d->s[!from], in, sizeof in, 0);
		out -= w > 0 ? (int)w : 0;
		n -= r > 0 ? (int)r : 0;
		if (w <= 0 && r <= 0)
			net_run(d->t, d->t->now + NS_PER_MS);
	}
	net_run(d->t, d->t->now + 100 * NS_PER_MS);
}

static void look(struct duo *d, int at)
{
	struct via_tcp_info *info[2] = {&ours.client[at], &ours.server[at]};
	for (int k = 0; k < 2; k++) {
		uint32_t len = sizeof *info[k];
		assert_int_equal(via_getsockopt(d->t->v[k], d->s[k], IPPROTO_TCP, TCP_INFO, info[k], &len), 0);
		assert_int_equal(len, sizeof *info[k]);
	}
}

static void we_tell(void)
{
	struct net *t = net_new();
	int ia, ib;
	struct via *a = net_stack(t, "a", false), *b = net_stack(t, "b", false);
	net_link(t, a, b, 1000, 1500, 65535, 0, &ia, &ib);
	assert_int_equal(net_addr(a, ia, CLIENT_ADDR, 24), 0);
	assert_int_equal(net_addr(b, ib, SERVER_ADDR, 24), 0);
	struct duo d = open_pair(t, 0);
	look(&d, AT_OPEN);
	move_text(&d, 0, BULK);
	move_text(&d, 1, REPLY);
	look(&d, AT_TEXT);
	via_shutdown(a, d.s[0], VIA_SHUT_WR);
	net_run(t, t->now + 100 * NS_PER_MS);
	look(&d, AT_FIN);
	d = open_pair(t, SMALL_BUFFER);
	int64_t n = via_send(a, d.s[0], data, STALLED, 0);
	net_run(t, t->now + kernel.stall_ns);
	move_text(&d, 0, (int)n);
	look(&d, AT_STALL);
	net_free(t);
}

static int tell_both(void **state)
{
	ask_kernel(state);
	we_tell();
	return 0;
}

/* --- compared --- */

#define SAME(who, at, field) \
	do { \
		if (ours.who[at].tcpi_##field != kernel.who[at].tcpi_##field) \
			fail_msg(#who " at " #at ": " #field " is %" PRIu64 ", the kernel's %" PRIu64, (uint64_t)ours.who[at].tcpi_##field, \
				 (uint64_t)kernel.who[at].tcpi_##field); \
	} while (0)
/* Within so much. */
#define NEAR(who, at, field, by) \
	do { \
		int64_t mine = (int64_t)ours.who[at].tcpi_##field, its = (int64_t)kernel.who[at].tcpi_##field; \
		if (mine < its - (int64_t)(by) || mine > its + (int64_t)(by)) \
			fail_msg(#who " at " #at ": " #field " is %" PRIi64 ", the kernel's %" PRIi64, mine, its); \
	} while (0)

static void need_kernel(void)
{
	if (!kernel.is_told)
		skip();
}

static void beside_the_kernel__after_the_handshake(void **state)
{
	need_kernel();
	kernel.client[AT_OPEN].tcpi_options &= 7; /* ECN is ours to ask for by default */
	ours.client[AT_OPEN].tcpi_options &= 7;
#define BOTH(field) SAME(client, AT_OPEN, field); SAME(server, AT_OPEN, field)
	SAME(client, AT_OPEN, options);
	BOTH(state);
	BOTH(ca_state);
	BOTH(delivery_rate_app_limited);
	BOTH(fastopen_client_fail);
	BOTH(snd_mss);
	BOTH(advmss);
	BOTH(pmtu);
	BOTH(rcv_mss);
	BOTH(ato);
	BOTH(snd_cwnd);
	BOTH(snd_ssthresh);
	BOTH(reordering);
	BOTH(unacked);
	BOTH(bytes_acked);
	BOTH(bytes_received);
	BOTH(bytes_sent);
	BOTH(segs_out);
	BOTH(segs_in);
	BOTH(data_segs_out);
	BOTH(delivered);
	BOTH(delivery_rate);
	BOTH(busy_time);
	BOTH(total_rto);
	BOTH(max_pacing_rate);
	BOTH(rcv_rtt);
	BOTH(rcv_space);
	NEAR(client, AT_OPEN, last_data_sent, 2000); /* since the handshake, not since the beginning of time; a busy machine sleeps long */
	NEAR(server, AT_OPEN, last_data_recv, 2000);
#undef BOTH
}

static void beside_the_kernel__text(void **state)
{
	need_kernel();
#define BOTH(field) SAME(client, AT_TEXT, field); SAME(server, AT_TEXT, field)
	BOTH(bytes_sent);
	BOTH(bytes_acked);
	BOTH(bytes_received);
	BOTH(bytes_retrans);
	BOTH(notsent_bytes);
	BOTH(unacked);
	BOTH(lost);
	BOTH(retrans);
	BOTH(total_retrans);
	BOTH(ato);
#undef BOTH
	SAME(server, AT_TEXT, data_segs_out);
	SAME(client, AT_TEXT, data_segs_in);
	SAME(server, AT_TEXT, delivered);
	NEAR(client, AT_TEXT, data_segs_out, 6); /* who hands over what fills no segment is a matter of the moment */
	NEAR(server, AT_TEXT, data_segs_in, 6);
	NEAR(client, AT_TEXT, delivered, 6);
	for (int k = 0; k < 2; k++) { /* what holds in both worlds */
		const struct tale *t = k ? &ours : &kernel;
		assert_int_equal(t->client[AT_TEXT].tcpi_delivered, t->client[AT_TEXT].tcpi_data_segs_out + 1);
		assert_int_equal(t->client[AT_TEXT].tcpi_data_segs_out, t->server[AT_TEXT].tcpi_data_segs_in);
		assert_int_equal(t->client[AT_TEXT].tcpi_segs_out, t->server[AT_TEXT].tcpi_segs_in);
		assert_int_equal(t->server[AT_TEXT].tcpi_segs_out + 1, t->client[AT_TEXT].tcpi_segs_in); /* its SYN-ACK is not counted out */
	}
}

static void beside_the_kernel__fin(void **state)
{
	need_kernel();
	SAME(client, AT_FIN, state);
	SAME(server, AT_FIN, state);
	SAME(client, AT_FIN, bytes_acked);
	SAME(client, AT_FIN, bytes_sent);
	SAME(server, AT_FIN, bytes_received);
	for (int k = 0; k < 2; k++) {
		const struct tale *t = k ? &ours : &kernel;
		assert_int_equal(t->client[AT_FIN].tcpi_delivered, t->client[AT_TEXT].tcpi_delivered + 1);
		assert_int_equal(t->client[AT_FIN].tcpi_data_segs_out, t->client[AT_TEXT].tcpi_data_segs_out);
		assert_int_equal(t->client[AT_FIN].tcpi_segs_out, t->client[AT_TEXT].tcpi_segs_out + 1);
	}
}

/* The reader slept: that is how long the sender was busy, and held by the window all the while. */
static void beside_the_kernel__a_shut_window(void **state)
{
	need_kernel();
	int64_t slept = kernel.stall_ns / NS_PER_US;
	assert_in_range(ours.client[AT_STALL].tcpi_rwnd_limited, slept - 10000, slept + 10000);
	NEAR(client, AT_STALL, busy_time, 150000); /* on a busy machine the kernel's reader wakes and reads late */
	NEAR(client, AT_STALL, rwnd_limited, 150000);
	SAME(client, AT_STALL, sndbuf_limited);
	assert_true(ours.client[AT_STALL].tcpi_busy_time >= ours.client[AT_STALL].tcpi_rwnd_limited);
	SAME(server, AT_STALL, busy_time);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(beside_the_kernel__after_the_handshake), cmocka_unit_test(beside_the_kernel__text),
		cmocka_unit_test(beside_the_kernel__fin), cmocka_unit_test(beside_the_kernel__a_shut_window),
	};
	return cmocka_run_group_tests(tests, tell_both, NULL);
}
