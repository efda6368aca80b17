/* door_child.h - scenarios for the door: each is a small program over sockets whose expectations are Linux's.
 *
 * Each scenario runs twice, as a process of its own: on the kernel's loopback, which proves the expectation, and behind the
 * door on the loopback of a stack of ours, which must show the same. The process is this test program, started again. */
#ifndef TEST_DOOR_CHILD_H
#define TEST_DOOR_CHILD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "door/door.h"
#include "host/node.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WAYS_BOTH, WAYS_DOOR };

struct scenario {
	const char *name;
	int (*run)(void); /* 0: as expected */
	int ways;         /* WAYS_DOOR: the kernel has no such thing to compare with */
};

/* In a scenario: an expectation. */
#define CHECK(x)                                                                                        \
	do {                                                                                            \
		errno = 0;                                                                              \
		if (!(x)) {                                                                             \
			fprintf(stderr, "%s:%d: not so: %s (%s)\n", __func__, __LINE__, #x, strerror(errno)); \
			return 1;                                                                       \
		}                                                                                       \
	} while (0)

/* --- what scenarios are made of --- */

static inline struct sockaddr_in at_port(uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static inline uint16_t port_of(int fd)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	return getsockname(fd, (struct sockaddr *)&a, &len) == 0 ? ntohs(a.sin_port) : 0;
}

/* A socket bound to a free port of 127.0.0.1; a stream listens. */
static inline int bound(int type)
{
	struct sockaddr_in a = at_port(0);
	int fd = socket(AF_INET, type, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || ((type & 0xf) == SOCK_STREAM && listen(fd, 16) < 0))
		return -1;
	return fd;
}

static inline int connect_to(int fd, uint16_t port)
{
	struct sockaddr_in a = at_port(port);
	return connect(fd, (struct sockaddr *)&a, sizeof(a));
}

/* A connected pair of streams. */
static inline int stream_pair(int fd[2])
{
	int l = bound(SOCK_STREAM);
	fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (l < 0 || connect_to(fd[0], port_of(l)) < 0)
		return -1;
	fd[1] = accept(l, NULL, NULL);
	close(l);
	return fd[1] < 0 ? -1 : 0;
}

/* A port nobody has. */
static inline uint16_t free_port(void)
{
	int fd = bound(SOCK_STREAM);
	uint16_t port = port_of(fd);
	close(fd);
	return port;
}

static inline int so_error(int fd)
{
	int err = -1;
	socklen_t len = sizeof(err);
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
	return err;
}

/* fork() whose child ends with its parent, whatever goes wrong. */
static inline pid_t fork_child(void)
{
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(20);
	}
	return pid;
}

/* What poll() says of fd within ms. */
static inline int polled(int fd, int events, int ms)
{
	struct pollfd p = {.fd = fd, .events = (short)events};
	return poll(&p, 1, ms) == 1 ? p.revents : 0;
}

/* --- running them --- */

static struct {
	int status;
	struct loop *loop;
} door_run;

static void door_run_ended(void *ctx, int status)
{
	door_run.status = status;
	loop_stop(door_run.loop, 0);
}

/* Gives up after 30 s. */
static int64_t door_run_late(void *ctx, int64_t now)
{
	int64_t *limit = ctx;
	if (now >= *limit) {
		door_run.status = -1;
		loop_stop(door_run.loop, 0);
	}
	return *limit;
}

static int behind_the_door(const char *name)
{
	char self[] = "/proc/self/exe", flag[] = "--child", scenario[64], err[256] = "";
	char *argv[] = {self, flag, scenario, NULL};
	snprintf(scenario, sizeof(scenario), "%s", name);
	struct loop *l = loop_new();
	struct pktmem *mem = host_pktmem_new((size_t)64 << 20);
	struct via *v = host_stack_new(&(struct host_stack_opts){.name = "test", .mem = mem, .now = loop_now()});
	struct host_runner *r = host_runner_new(l, v, "test");
	int64_t limit = loop_now() + 30 * NS_PER_S;
	struct loop_task late = {.run = door_run_late, .ctx = &limit};
	loop_task_add(l, &late);
	door_run.loop = l;
	door_run.status = -2;
	struct door_config c = {.loop = l, .node = host_runner_node(r), .argv = argv, .ended = door_run_ended};
	struct door *d;
	if (door_spawn(&c, &d, err) < 0) {
		print_error("%s\n", err);
	} else {
		loop_run(l);
		if (door_run.status == -1)
			kill(door_pid(d), SIGKILL);
		door_free(d);
	}
	host_runner_free(r);
	host_stack_free(v);
	host_pktmem_free(mem);
	loop_free(l);
	return door_run.status;
}

static int on_the_kernel(const char *name)
{
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		alarm(30);
		execl("/proc/self/exe", "test", "--child", name, NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void scenario_door(void **state)
{
	const struct scenario *s = *state;
	assert_int_equal(behind_the_door(s->name), 0);
}

static void scenario_kernel(void **state)
{
	const struct scenario *s = *state;
	int l = bound(SOCK_STREAM), fd = socket(AF_INET, SOCK_STREAM, 0);
	int err = l < 0 ? -1 : connect_to(fd, port_of(l));
	close(l);
	close(fd);
	if (err < 0)
		skip(); /* the kernel's loopback is down here */
	assert_int_equal(on_the_kernel(s->name), 0);
}

/* main() of a test of scenarios, and of one test more that is none (or NULL). */
static int scenarios_main(int argc, char **argv, const struct scenario *all, size_t n, const struct CMUnitTest *more)
{
	static char names[128][96];
	struct CMUnitTest tests[128];
	size_t k = 0;
	if (argc == 3 && strcmp(argv[1], "--child") == 0) {
		for (size_t i = 0; i < n; i++) {
			if (strcmp(all[i].name, argv[2]) == 0)
				_exit(all[i].run());
		}
		_exit(3);
	}
	if (more)
		tests[k++] = *more;
	for (size_t i = 0; i < n && k + 2 <= ARRAY_LEN(tests); i++) {
		for (int door = all[i].ways == WAYS_DOOR; door < 2; door++) {
			snprintf(names[k], sizeof(names[k]), "%s__%s", all[i].name, door ? "behind_the_door" : "on_the_kernel");
			tests[k] = (struct CMUnitTest){.name = names[k], .test_func = door ? scenario_door : scenario_kernel,
						       .initial_state = (void *)(uintptr_t)&all[i]};
			k++;
		}
	}
	return _cmocka_run_group_tests("door", tests, k, NULL, NULL);
}

#endif
