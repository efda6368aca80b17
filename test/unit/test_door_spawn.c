/* door/spawn.c, make.c, names.c: what the door takes, what it refuses, and how a program starts and ends behind it. */
#include "door_child.h"

#include <linux/netlink.h>
#include <sys/stat.h>

static int families__taken_refused_left(void)
{
	CHECK(socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6) < 0 && errno == EPERM);
	CHECK(socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMP) < 0 && errno == EPROTONOSUPPORT);
	CHECK(socket(AF_INET6, SOCK_STREAM, 0) >= 0);
	CHECK(socket(AF_INET6, SOCK_DGRAM, 0) >= 0);
	CHECK(socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6) >= 0);
	CHECK(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) < 0 && errno == EAFNOSUPPORT);
	CHECK(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) < 0 && errno == EPERM);
	CHECK(socket(AF_INET, SOCK_STREAM, 262 /* MPTCP */) < 0 && errno == EPROTONOSUPPORT);
	CHECK(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP) < 0 && errno == EPROTONOSUPPORT);
	CHECK(socket(AF_UNIX, SOCK_STREAM, 0) >= 0);
	CHECK(socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT) >= 0);
	CHECK(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) >= 0);
	CHECK(socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP) >= 0);
	CHECK(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP) >= 0);
	return 0;
}

/* A listener at a path that a name-service daemon has is not reached; any other is. */
static int names__daemons_are_refused(void)
{
	static const struct {
		const char *dir, *file;
		int err;
	} cases[] = {{"nscd", "socket", ECONNREFUSED}, {"mine", "socket", 0}};
	char base[] = "/tmp/via-test-XXXXXX";
	CHECK(mkdtemp(base) != NULL);
	for (int i = 0; i < 2; i++) {
		struct sockaddr_un un = {.sun_family = AF_UNIX};
		char dir[64];
		snprintf(dir, sizeof(dir), "%s/%s", base, cases[i].dir);
		snprintf(un.sun_path, sizeof(un.sun_path), "%s/%s", dir, cases[i].file);
		int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);
		CHECK(mkdir(dir, 0700) == 0 && bind(l, (struct sockaddr *)&un, sizeof(un)) == 0 && listen(l, 1) == 0);
		int err = connect(c, (struct sockaddr *)&un, sizeof(un)) < 0 ? errno : 0;
		unlink(un.sun_path);
		rmdir(dir);
		CHECK(err == cases[i].err);
	}
	CHECK(rmdir(base) == 0);
	return 0;
}

/* AF_UNIX traffic with sendmsg and recvmsg goes on as ever. */
static int unix__messages_go_on(void)
{
	int sv[2];
	char buf[8];
	struct iovec iov = {buf, 8};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, sv) == 0);
	CHECK(sendmsg(sv[0], &m, 0) == 8 && recvmsg(sv[1], &m, 0) == 8);
	CHECK(recvmsg(sv[1], &m, MSG_DONTWAIT) < 0 && errno == EAGAIN);
	return 0;
}

static int exec__keeps_the_sockets(void)
{
	int fd[2];
	char cmd[64], buf[8];
	CHECK(stream_pair(fd) == 0);
	pid_t pid = fork_child();
	if (pid == 0) {
		snprintf(cmd, sizeof(cmd), "printf hello >&%d", fd[0]);
		execl("/bin/sh", "sh", "-c", cmd, NULL);
		_exit(1);
	}
	int status;
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(recv(fd[1], buf, 5, MSG_WAITALL) == 5 && memcmp(buf, "hello", 5) == 0);
	return 0;
}

static struct door_stats last_stats; /* of spawn_and_run() */

static int spawn_and_run(char *const *argv, char err[256])
{
	struct loop *l = loop_new();
	struct pktmem *mem = host_pktmem_new((size_t)16 << 20);
	struct via *v = host_stack_new(&(struct host_stack_opts){.name = "test", .mem = mem, .now = loop_now()});
	struct host_runner *r = host_runner_new(l, v, "test");
	int quiet = open("/dev/null", O_RDWR);
	int stdio[3] = {quiet, quiet, quiet};
	door_run.loop = l;
	door_run.status = -2;
	struct door_config c = {.loop = l, .node = host_runner_node(r), .argv = argv, .stdio = stdio, .ended = door_run_ended};
	struct door *d;
	if (door_spawn(&c, &d, err) == 0) {
		loop_run(l);
		door_stats_get(d, &last_stats);
		door_free(d);
	}
	close(quiet);
	host_runner_free(r);
	host_stack_free(v);
	host_pktmem_free(mem);
	loop_free(l);
	return door_run.status;
}

/* What a shell put into the background outlives it. */
static void spawn__says_who_is_left(void)
{
	char err[256], *none[] = {(char[]){"true"}, NULL};
	char *two[] = {(char[]){"sh"}, (char[]){"-c"}, (char[]){"sleep 3 & sleep 3 & :"}, NULL};
	assert_int_equal(spawn_and_run(none, err), 0);
	assert_int_equal(last_stats.processes_left, 0);
	assert_int_equal(spawn_and_run(two, err), 0);
	assert_int_equal(last_stats.processes_left, 2);
	usleep(50000); /* the kernel tells ages in ticks */
	assert_int_equal(spawn_and_run(none, err), 0);
	assert_int_equal(last_stats.processes_left, 0); /* not those two again */
}

static void spawn__status_is_a_shell_s(void **state)
{
	static const struct {
		const char *argv[4];
		int status;
	} cases[] = {
		{{"true"}, 0}, {{"sh", "-c", "exit 42"}, 42}, {{"sh", "-c", "kill -TERM $$"}, 128 + SIGTERM},
		{{"no-such-command-here"}, 127}, {{"/no/such/file"}, 127}, {{"/etc/passwd"}, 126}, {{"/"}, 126},
	};
	char err[256];
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(spawn_and_run((char *const *)(uintptr_t)cases[i].argv, err), cases[i].status);
	spawn__says_who_is_left(); /* here: no scenario has left anybody yet */
}

/* A process has one notify listener: a second door inside the first is refused with a sentence. */
static int nested__is_refused(void)
{
	char err[256] = "", *argv[] = {(char[]){"true"}, NULL};
	CHECK(spawn_and_run(argv, err) == -2);
	CHECK(strstr(err, "seccomp listener") != NULL);
	return 0;
}

static int orphans__do_not_keep_the_door(void)
{
	int fd[2];
	CHECK(stream_pair(fd) == 0);
	if (fork() == 0) {
		char c;
		alarm(10);
		close(fd[1]);
		_exit(read(fd[0], &c, 1) < 0); /* until the door goes */
	}
	return 0;
}

/* Whose parent has ended is the door's child: ended itself, it must not stay a zombie. */
static int orphans__are_reaped(void)
{
	int up[2], status;
	pid_t orphan = 0;
	CHECK(pipe(up) == 0);
	pid_t pid = fork_child();
	if (pid == 0) {
		orphan = fork();
		if (orphan == 0) {
			usleep(50000);
			_exit(0);
		}
		_exit(write(up[1], &orphan, sizeof(orphan)) != sizeof(orphan));
	}
	CHECK(read(up[0], &orphan, sizeof(orphan)) == sizeof(orphan) && waitpid(pid, &status, 0) == pid && status == 0);
	for (int i = 0; i < 200 && kill(orphan, 0) == 0; i++)
		usleep(10000);
	CHECK(kill(orphan, 0) < 0 && errno == ESRCH);
	return 0;
}

#define S(f) {#f, f, WAYS_DOOR}
static const struct scenario scenarios[] = {
	S(families__taken_refused_left),
	S(names__daemons_are_refused),
	S(unix__messages_go_on),
	S(exec__keeps_the_sockets),
	S(nested__is_refused),
	S(orphans__do_not_keep_the_door),
	S(orphans__are_reaped),
};

int main(int argc, char **argv)
{
	const struct CMUnitTest more = cmocka_unit_test(spawn__status_is_a_shell_s);
	return scenarios_main(argc, argv, scenarios, ARRAY_LEN(scenarios), &more);
}
