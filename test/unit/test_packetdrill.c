/* The adapter for google/packetdrill, driven as the tool drives it: loaded, its table called from two threads, packets by hand.
 *
 * Expectations are those of the calls' manual pages, of RFC 9293, and of the table's documentation: time moves when the clock is
 * read (at least 1 µs), by usleep and while a packet is waited for, and a call that blocks sleeps in the kernel meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <linux/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/csum.h"
#include "packetdrill/table.h"

enum { OURS = 0xc0a80001, PEER = 0xc0000201, PORT = 8080, PEER_PORT = 40000, ISS = 1000 };
enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

static void *so;
static struct packetdrill_interface t;
static uint32_t irs; /* the stack's first sequence number */

static void *loaded(const char *name)
{
	void *f = dlsym(so, name);
	assert_non_null(f);
	return f;
}

static void begin(const char *flags)
{
	void (*init)(const char *, struct packetdrill_interface *);
	*(void **)&init = loaded("packetdrill_interface_init");
	init(flags, &t);
}

static int setup(void **state)
{
	begin("sysctl=");
	return 0;
}

static int teardown(void **state)
{
	t.free(t.userdata);
	return 0;
}

static int group_setup(void **state)
{
	char path[4096] = "";
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	assert_true(n > 0);
	for (int up = 0; up < 2; up++)
		*strrchr(path, '/') = 0;
	strcat(path, "/src/libviaduct-packetdrill.so");
	so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!so)
		print_error("%s\n", dlerror());
	return so ? 0 : -1;
}

/* --- packets by hand --- */

struct seg {
	uint32_t seq, ack;
	uint8_t flags;
	uint16_t wnd, mss;
	uint32_t len;
	long long us;
};

/* From the peer: seq and ack relative to the first numbers. */
static void arrives(uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len)
{
	static uint8_t p[40 + 65000];
	memset(p, 0, 40);
	p[0] = 0x45;
	put_be16(p + 2, (uint16_t)(40 + len));
	p[8] = 64;
	p[9] = IPPROTO_TCP;
	put_be32(p + 12, PEER);
	put_be32(p + 16, OURS);
	put_be16(p + 10, csum_field(csum_add(0, p, 20)));
	put_be16(p + 20, PEER_PORT);
	put_be16(p + 22, PORT);
	put_be32(p + 24, ISS + seq);
	put_be32(p + 28, flags & ACK ? irs + ack : 0);
	p[32] = 0x50;
	p[33] = flags;
	put_be16(p + 34, 60000);
	for (uint32_t i = 0; i < len; i++)
		p[40 + i] = (uint8_t)(seq + i);
	uint8_t pseudo[12] = {[9] = IPPROTO_TCP};
	put_be32(pseudo, PEER);
	put_be32(pseudo + 4, OURS);
	put_be16(pseudo + 10, (uint16_t)(20 + len));
	put_be16(p + 36, csum_field(csum_add(csum_add(0, pseudo, 12), p + 20, 20 + len)));
	assert_int_equal(t.netdev_send(t.userdata, p, 40 + len), 0);
}

/* The next packet of the stack. */
static struct seg leaves(void)
{
	uint8_t p[65536];
	size_t len = sizeof(p);
	struct seg s = {0};
	assert_int_equal(t.netdev_receive(t.userdata, p, &len, &s.us), 0);
	assert_true(len >= 40);
	assert_int_equal(get_be16(p + 2), len);
	assert_int_equal(csum_field(csum_add(0, p, 20)), 0);
	if (p[33] & SYN)
		irs = get_be32(p + 24);
	s.seq = get_be32(p + 24) - irs;
	s.ack = get_be32(p + 28) - ISS;
	s.flags = p[33] & 0x3f; /* without ECN's */
	s.wnd = get_be16(p + 34);
	s.len = (uint32_t)len - 20 - (uint32_t)(p[32] >> 4) * 4;
	return s;
}

static void expect(uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len)
{
	struct seg s = leaves();
	assert_int_equal(s.flags, flags);
	assert_int_equal(s.seq, seq);
	assert_int_equal(s.ack, ack);
	assert_int_equal(s.len, len);
}

static long long now(void)
{
	struct timeval tv;
	assert_int_equal(t.gettimeofday(t.userdata, &tv, NULL), 0);
	return tv.tv_sec * 1000000LL + tv.tv_usec;
}

static struct sockaddr_in at(uint32_t ip, uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(ip)};
}
#define SA(a) ((struct sockaddr *)(a))

static int listener(void)
{
	struct sockaddr_in a = at(OURS, PORT);
	int fd = t.socket(t.userdata, AF_INET, SOCK_STREAM, IPPROTO_TCP);
	assert_true(fd >= 0);
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0); /* a number of the kernel's */
	assert_int_equal(t.bind(t.userdata, fd, SA(&a), sizeof(a)), 0);
	assert_int_equal(t.listen(t.userdata, fd, 1), 0);
	return fd;
}

static void handshake(void)
{
	arrives(SYN, 0, 0, 0);
	expect(SYN | ACK, 0, 1, 0);
	arrives(ACK, 1, 1, 0);
}

/* A connection the peer opened. */
static int connected(void)
{
	int l = listener();
	handshake();
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);
	int fd = t.accept(t.userdata, l, SA(&peer), &len);
	assert_true(fd >= 0);
	assert_int_equal(ntohl(peer.sin_addr.s_addr), PEER);
	assert_int_equal(ntohs(peer.sin_port), PEER_PORT);
	assert_int_equal(t.close(t.userdata, l), 0);
	return fd;
}

/* --- a call in a thread of its own --- */

struct blocked {
	long long (*call)(int fd);
	int fd;
	pthread_t thread;
	_Atomic int tid;
	_Atomic int over;
	long long result, ended;
	int err;
};

static void *blocked_run(void *ctx)
{
	struct blocked *b = ctx;
	b->tid = (int)syscall(SYS_gettid);
	b->result = b->call(b->fd);
	b->err = errno;
	b->ended = now();
	b->over = 1;
	return NULL;
}

static bool is_asleep(int tid)
{
	char path[64], stat[512] = "";
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	int fd = open(path, O_RDONLY);
	assert_true(fd >= 0 && read(fd, stat, sizeof(stat) - 1) > 0);
	close(fd);
	return strrchr(stat, ')')[2] == 'S';
}

static void block(struct blocked *b, long long (*call)(int fd), int fd)
{
	*b = (struct blocked){.call = call, .fd = fd};
	assert_int_equal(pthread_create(&b->thread, NULL, blocked_run, b), 0);
	while (!b->tid || (!b->over && !is_asleep(b->tid)))
		usleep(100);
	usleep(1000);
	assert_false(b->over);
	assert_true(is_asleep(b->tid)); /* in the kernel */
}

static long long unblock(struct blocked *b)
{
	pthread_join(b->thread, NULL);
	return b->result;
}

static long long call_accept(int fd) { return t.accept(t.userdata, fd, NULL, NULL); }

static long long call_connect(int fd)
{
	struct sockaddr_in a = at(PEER, PEER_PORT), mine = at(OURS, PORT);
	assert_int_equal(t.bind(t.userdata, fd, SA(&mine), sizeof(mine)), 0);
	return t.connect(t.userdata, fd, SA(&a), sizeof(a));
}

static uint8_t got[4000];
static long long call_read(int fd) { return t.read(t.userdata, fd, got, sizeof(got)); }
static long long call_poll(int fd) { return t.poll(t.userdata, &(struct pollfd){.fd = fd, .events = POLLIN}, 1, 500); }

static long long call_epoll(int fd)
{
	struct epoll_event e = {.events = EPOLLIN};
	int ep = t.epoll_create(t.userdata, 1);
	assert_int_equal(t.epoll_ctl(t.userdata, ep, EPOLL_CTL_ADD, fd, &e), 0);
	long long n = t.epoll_wait(t.userdata, ep, &e, 1, -1);
	close(ep);
	return n;
}

/* --- tests --- */

static void packetdrill__time_moves_when_looked_at(void **state)
{
	long long before = now(), after = now();
	assert_true(after >= before + 1 && after <= before + 10);
	before = now();
	assert_int_equal(t.usleep(t.userdata, 2500000), 0);
	after = now();
	assert_true(after >= before + 2500000 && after <= before + 2500010);
}

static void packetdrill__accept_sleeps_until_the_handshake(void **state)
{
	struct blocked b;
	int l = listener();
	block(&b, call_accept, l);
	long long start = now();
	t.usleep(t.userdata, 100000);
	assert_false(b.over);
	handshake();
	t.usleep(t.userdata, 1000000); /* its end is told by the time of its end, not of now */
	int fd = (int)unblock(&b);
	assert_true(fd >= 0);
	assert_true(b.ended >= start + 100000 && b.ended < start + 101000);
	assert_int_equal(t.write(t.userdata, fd, "hello", 5), 5);
	expect(PSH | ACK, 1, 1, 5);
}

static void packetdrill__connect_sends_a_syn_with_its_time(void **state)
{
	struct blocked b;
	int fd = t.socket(t.userdata, AF_INET, SOCK_STREAM, IPPROTO_TCP);
	t.usleep(t.userdata, 7000);
	long long start = now();
	block(&b, call_connect, fd);
	struct seg s = leaves();
	assert_int_equal(s.flags, SYN);
	assert_in_range(s.us, start - 1, start + 1);
	s = leaves(); /* nobody answers: again after one second (RFC 6298 §2.1) */
	assert_int_equal(s.flags, SYN);
	assert_in_range(s.us, start + 999000, start + 1010000);
	assert_in_range(now(), s.us, s.us + 10);
	arrives(SYN | ACK, 0, 1, 0);
	assert_int_equal(unblock(&b), 0);
	expect(ACK, 1, 1, 0);
}

static void packetdrill__read_sleeps_while_packets_come(void **state)
{
	struct blocked b;
	int fd = connected();
	block(&b, call_read, fd);
	long long start = now();
	t.usleep(t.userdata, 30000);
	arrives(PSH | ACK, 1, 1, 2000); /* longer than the MTU: merged, as a kernel may see it */
	expect(ACK, 1, 2001, 0);
	assert_int_equal(unblock(&b), 2000);
	assert_in_range(b.ended, start + 30000, start + 31000);
	for (int i = 0; i < 2000; i++)
		assert_int_equal(got[i], (uint8_t)(1 + i));
	int n = -1;
	assert_int_equal(t.ioctl(t.userdata, fd, SIOCINQ, &n), 0);
	assert_int_equal(n, 0);
}

static void packetdrill__poll_waits_in_virtual_time(void **state)
{
	struct blocked b;
	int fd = connected();
	long long start = now();
	block(&b, call_poll, fd);
	t.usleep(t.userdata, 600000);
	assert_int_equal(unblock(&b), 0);
	assert_in_range(b.ended, start + 500000, start + 500100);
	block(&b, call_poll, fd);
	start = now();
	arrives(PSH | ACK, 1, 1, 10);
	t.usleep(t.userdata, 400000);
	assert_int_equal(unblock(&b), 1);
	assert_in_range(b.ended, start, start + 100);
	assert_int_equal(call_poll(fd), 1); /* at once */
}

static void packetdrill__epoll_for_ever_until_data(void **state)
{
	struct blocked b;
	int fd = connected();
	block(&b, call_epoll, fd);
	t.usleep(t.userdata, 5000000);
	assert_false(b.over);
	arrives(PSH | ACK, 1, 1, 10);
	assert_int_equal(unblock(&b), 1);
}

static void packetdrill__receive_timeout_of_a_socket(void **state)
{
	struct blocked b;
	int fd = connected();
	struct timeval tv = {.tv_usec = 250000};
	assert_int_equal(t.setsockopt(t.userdata, fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
	long long start = now();
	block(&b, call_read, fd);
	t.usleep(t.userdata, 1000000);
	assert_int_equal(unblock(&b), -1);
	assert_int_equal(b.err, EAGAIN);
	assert_in_range(b.ended, start + 250000, start + 250100);
}

static void packetdrill__nothing_comes_is_no_packet(void **state)
{
	uint8_t p[64];
	size_t len = sizeof(p);
	long long us = -1;
	assert_int_equal(t.netdev_receive(t.userdata, p, &len, &us), 0);
	assert_int_equal(len, 0);
}

static void packetdrill__errors_are_the_calls(void **state)
{
	int fd = connected();
	char c;
	assert_int_equal(t.fcntl(t.userdata, fd, F_GETFL), O_RDWR);
	assert_int_equal(t.fcntl(t.userdata, fd, F_SETFL, O_RDWR | O_NONBLOCK), 0);
	assert_int_equal(t.read(t.userdata, fd, &c, 1), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(t.write(t.userdata, fd, NULL, 10), -1);
	assert_int_equal(errno, EFAULT);
	assert_int_equal(t.recv(t.userdata, fd, NULL, 10, 0), -1);
	assert_int_equal(errno, EFAULT);
	assert_int_equal(t.socket(t.userdata, AF_INET, SOCK_STREAM, IPPROTO_UDP), -1);
	assert_int_equal(errno, EPROTONOSUPPORT);
	assert_int_equal(t.listen(t.userdata, -1, 1), -1);
	assert_int_equal(errno, EBADF);
	uint8_t junk[70000] = {0};
	assert_int_equal(t.netdev_send(t.userdata, junk, sizeof(junk)), -1);
	assert_int_equal(errno, EMSGSIZE);
	assert_int_equal(t.shutdown(t.userdata, fd, SHUT_WR), 0);
	expect(FIN | ACK, 1, 1, 0);
	assert_int_equal(t.send(t.userdata, fd, "x", 1, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(t.close(t.userdata, fd), 0);
	assert_int_equal(t.close(t.userdata, fd), -1);
	assert_int_equal(errno, EBADF);
}

/* What the tool calls in libc, and this library has for LD_PRELOAD. */
static void packetdrill__libc_calls_know_the_sockets(void **state)
{
	int (*opt)(int, int, int, void *, socklen_t *);
	ssize_t (*file)(int, int, off_t *, size_t);
	*(void **)&opt = loaded("getsockopt");
	*(void **)&file = loaded("sendfile");
	assert_non_null(loaded("sendfile64"));
	int fd = connected(), val = 0, pair[2];
	socklen_t len = sizeof(struct tcp_info);
	struct tcp_info info;
	assert_int_equal(opt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	assert_int_equal(info.tcpi_state, 1); /* ESTABLISHED */
	assert_int_equal(info.tcpi_snd_wnd, 60000);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	len = sizeof(val);
	assert_int_equal(opt(pair[0], SOL_SOCKET, SO_DOMAIN, &val, &len), 0);
	assert_int_equal(val, AF_UNIX); /* the kernel's */

	FILE *f = tmpfile();
	assert_non_null(f);
	assert_int_equal(fwrite("0123456789", 1, 10, f), 10);
	fflush(f);
	off_t off = 2;
	assert_int_equal(file(fd, fileno(f), &off, 5), 5);
	assert_int_equal(off, 7);
	expect(PSH | ACK, 1, 1, 5);
	arrives(ACK, 1, 6, 0);
	off = 0;
	assert_int_equal(file(pair[0], fileno(f), &off, 4), 4);
	assert_int_equal(file(fd, pair[1], &off, 4), -1); /* not a file */
	fclose(f);
	close(pair[0]);
	close(pair[1]);
}

static void packetdrill__splice_between_pipe_and_socket(void **state)
{
	int fd = connected(), p[2];
	char text[8] = "";
	assert_int_equal(t.pipe(t.userdata, p), 0);
	assert_int_equal(t.write(t.userdata, p[1], "abcdef", 6), 6); /* not a socket: the kernel's */
	assert_int_equal(t.splice(t.userdata, p[0], NULL, fd, NULL, 4, 0), 4);
	expect(PSH | ACK, 1, 1, 4);
	arrives(PSH | ACK, 1, 5, 3);
	expect(ACK, 5, 4, 0);
	assert_int_equal(t.splice(t.userdata, fd, NULL, p[1], NULL, 100, 0), 3);
	assert_int_equal(t.read(t.userdata, p[0], text, sizeof(text)), 5);
	assert_memory_equal(text, "ef\1\2\3", 5);
	t.close(t.userdata, p[0]);
	t.close(t.userdata, p[1]);
}

static void packetdrill__receive_message_tells_inq(void **state)
{
	int fd = connected(), one = 1, inq = -1;
	char data[4], control[CMSG_SPACE(sizeof(int))];
	assert_int_equal(t.setsockopt(t.userdata, fd, IPPROTO_TCP, TCP_INQ, &one, sizeof(one)), 0);
	arrives(PSH | ACK, 1, 1, 10);
	struct iovec iov = {data, sizeof(data)};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	assert_int_equal(t.recvmsg(t.userdata, fd, &m, 0), 4);
	const struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	assert_non_null(c);
	assert_int_equal(c->cmsg_level, IPPROTO_TCP);
	assert_int_equal(c->cmsg_type, TCP_CM_INQ);
	memcpy(&inq, CMSG_DATA(c), sizeof(inq));
	assert_int_equal(inq, 6);
	assert_int_equal(m.msg_flags, 0);
	m.msg_controllen = 4; /* no room */
	assert_int_equal(t.recvmsg(t.userdata, fd, &m, 0), 4);
	assert_int_equal(m.msg_flags, MSG_CTRUNC);
	arrives(FIN | ACK, 11, 1, 0);
	m.msg_controllen = sizeof(control);
	assert_int_equal(t.recvmsg(t.userdata, fd, &m, 0), 2);
	memcpy(&inq, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(inq));
	assert_int_equal(inq, 1); /* the end is still to be read */
}

/* Settings come from a folder of files with Linux's names, and are read anew for each socket. */
static void packetdrill__settings_are_files(void **state)
{
	char folder[] = "/tmp/viaduct-sysctl-XXXXXX", path[64], flags[128];
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/tcp_syn_retries", folder);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs("2\n", f) >= 0);
	fclose(f);
	t.free(t.userdata);
	snprintf(flags, sizeof(flags), "sysctl=%s,mtu=1000,local=192.168.0.1,prefix=24", folder);
	begin(flags);
	struct blocked b;
	int fd = t.socket(t.userdata, AF_INET, SOCK_STREAM, IPPROTO_TCP);
	block(&b, call_connect, fd);
	for (int i = 0; i < 3; i++)
		assert_int_equal(leaves().flags, SYN);
	t.usleep(t.userdata, 10000000);
	assert_int_equal(unblock(&b), -1);
	assert_int_equal(b.err, ETIMEDOUT);
	unlink(path);
	rmdir(folder);
}

static void packetdrill__real_time(void **state)
{
	t.free(t.userdata);
	begin("time=real,sysctl=");
	struct blocked b;
	int fd = connected();
	block(&b, call_read, fd);
	long long start = now();
	assert_int_equal(t.usleep(t.userdata, 20000), 0);
	assert_true(now() >= start + 20000);
	arrives(PSH | ACK, 1, 1, 10);
	struct seg s = leaves();
	assert_int_equal(s.ack, 11);
	assert_true(s.us >= start + 20000 && s.us <= now());
	assert_int_equal(unblock(&b), 10);
	assert_int_equal(t.poll(t.userdata, &(struct pollfd){.fd = fd, .events = POLLOUT}, 1, 1000), 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(packetdrill__time_moves_when_looked_at), T(packetdrill__accept_sleeps_until_the_handshake),
		T(packetdrill__connect_sends_a_syn_with_its_time), T(packetdrill__read_sleeps_while_packets_come),
		T(packetdrill__poll_waits_in_virtual_time), T(packetdrill__epoll_for_ever_until_data),
		T(packetdrill__receive_timeout_of_a_socket), T(packetdrill__nothing_comes_is_no_packet),
		T(packetdrill__errors_are_the_calls), T(packetdrill__libc_calls_know_the_sockets),
		T(packetdrill__splice_between_pipe_and_socket), T(packetdrill__receive_message_tells_inq),
		T(packetdrill__settings_are_files), T(packetdrill__real_time),
	};
	return cmocka_run_group_tests(tests, group_setup, NULL);
}
