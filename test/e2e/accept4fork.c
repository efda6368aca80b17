/* accept4fork.c - four processes accept from one listener while a timer interrupts them every 5 ms.
 *
 *   accept4fork serve PORT N          accept N connections with four forked processes: two with edge-triggered epoll, two
 *                                     blocking; one of each kind restarts its calls (SA_RESTART), one sees EINTR
 *   accept4fork connect ADDR PORT N   make N connections, numbered, a few at once
 *   accept4fork self ADDR PORT N      both, in one process tree
 *
 * Each connection brings its number and is answered with it. The server fails when a number is missing or comes twice, or
 * when its listener is readable once all are served. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKERS = 4, CLIENTS = 3 };

struct board {
	atomic_uint served, by[WORKERS], interrupted;
	atomic_uchar seen[];
};
static struct board *board;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void on_alarm(int signo)
{
	(void)signo;
	atomic_fetch_add(&board->interrupted, 1);
}

static void start_alarm(int restart)
{
	struct sigaction sa = {.sa_handler = on_alarm, .sa_flags = restart ? SA_RESTART : 0};
	struct itimerval every = {{0, 5000}, {0, 5000}};
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
}

/* All `len` bytes in or out, across interruptions. */
static int whole(int fd, void *buf, size_t len, int out)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = out ? write(fd, (char *)buf + done, len - done) : read(fd, (char *)buf + done, len - done);
		if (n == 0 || (n < 0 && errno != EINTR))
			return -1;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static void serve_one(int fd, int worker, uint32_t n)
{
	uint32_t number;
	if (whole(fd, &number, sizeof(number), 0) < 0 || number >= n)
		fail("a connection without its number");
	atomic_fetch_add(&board->seen[number], 1);
	atomic_fetch_add(&board->by[worker], 1);
	if (whole(fd, &number, sizeof(number), 1) < 0)
		fail("answer");
	close(fd);
	atomic_fetch_add(&board->served, 1);
}

static void worker_blocking(int listener, int worker, uint32_t n)
{
	while (atomic_load(&board->served) < n) {
		int fd = accept(listener, NULL, NULL);
		if (fd >= 0)
			serve_one(fd, worker, n);
		else if (errno != EINTR)
			fail("accept, blocking");
	}
}

static void worker_edge(int listener, int worker, uint32_t n)
{
	/* The non-blocking flag belongs to the open file, which the blocking workers share: ask poll() before each accept. */
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET};
	int ep = epoll_create1(0);
	if (epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev) < 0)
		fail("epoll_ctl");
	while (atomic_load(&board->served) < n) {
		if (epoll_wait(ep, &ev, 1, 20) < 0 && errno != EINTR)
			fail("epoll_wait");
		struct pollfd p = {.fd = listener, .events = POLLIN};
		while (atomic_load(&board->served) < n && poll(&p, 1, 0) == 1) {
			int fd = accept(listener, NULL, NULL);
			if (fd >= 0)
				serve_one(fd, worker, n);
			else if (errno != EAGAIN && errno != EINTR)
				fail("accept, edge-triggered");
		}
	}
}

static int serve(int listener, uint32_t n)
{
	pid_t pid[WORKERS];
	for (int i = 0; i < WORKERS; i++) {
		pid[i] = fork();
		if (pid[i] == 0) {
			start_alarm(i & 1);
			if (i < 2)
				worker_edge(listener, i, n);
			else
				worker_blocking(listener, i, n);
			_exit(0);
		}
	}
	while (atomic_load(&board->served) < n) {
		int status;
		if (waitpid(-1, &status, WNOHANG) > 0 && status != 0)
			exit(1); /* a worker gave up and said why */
		usleep(10000);
	}
	for (int i = 0; i < WORKERS; i++) /* the blocking ones wait for a connection that never comes */
		kill(pid[i], SIGKILL);
	while (wait(NULL) > 0)
		;
	unsigned lost = 0, twice = 0;
	for (uint32_t i = 0; i < n; i++) {
		lost += board->seen[i] == 0;
		twice += board->seen[i] > 1;
	}
	struct pollfd p = {.fd = listener, .events = POLLIN};
	int readable = poll(&p, 1, 0);
	fcntl(listener, F_SETFL, O_NONBLOCK);
	int more = accept(listener, NULL, NULL), why = errno;
	printf("served %u by %u+%u+%u+%u, lost %u, twice %u, signals %u, listener readable %d\n", board->served, board->by[0],
	       board->by[1], board->by[2], board->by[3], lost, twice, board->interrupted, readable);
	return lost || twice || readable || more >= 0 || why != EAGAIN;
}

static int connect_some(struct sockaddr_in to, uint32_t first, uint32_t step, uint32_t n)
{
	for (uint32_t i = first; i < n; i += step) {
		uint32_t number = i;
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
			fail("connect");
		if (whole(fd, &number, sizeof(number), 1) < 0 || whole(fd, &number, sizeof(number), 0) < 0 || number != i)
			fail("a connection was not answered");
		close(fd);
	}
	return 0;
}

static int connect_all(struct sockaddr_in to, uint32_t n)
{
	int bad = 0, status;
	for (uint32_t i = 0; i < CLIENTS; i++) {
		if (fork() == 0)
			_exit(connect_some(to, i, CLIENTS, n));
	}
	while (wait(&status) > 0)
		bad |= status != 0;
	return bad;
}

static int listen_at(struct sockaddr_in at)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 64) < 0)
		fail("listen");
	printf("listening\n");
	fflush(stdout);
	return fd;
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	int is_serve = argc == 4 && !strcmp(argv[1], "serve");
	if (!is_serve && argc != 5)
		return 2;
	uint32_t n = (uint32_t)atoi(argv[argc - 1]);
	at.sin_port = htons((uint16_t)atoi(argv[argc - 2]));
	if (!is_serve)
		inet_pton(AF_INET, argv[2], &at.sin_addr);
	board = mmap(NULL, sizeof(*board) + n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (board == MAP_FAILED)
		fail("mmap");
	if (!strcmp(argv[1], "connect"))
		return connect_all(at, n);
	int listener = listen_at(at);
	pid_t client = is_serve ? 0 : fork();
	if (client == 0 && !is_serve)
		_exit(connect_all(at, n));
	int bad = serve(listener, n);
	return bad;
}
