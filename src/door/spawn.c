/* door/spawn.c - starting the program behind the door, and the end of it.
 *
 * The child sets no_new_privs, installs the filter, tells the number of its notify descriptor by write() (sendmsg would
 * wait for us already), and we take it with pidfd_getfd, which also proves that we may look into it. Then it executes
 * the program; that failing it says why and exits 126 or 127, as a shell does. It dies when we are killed. We are the
 * subreaper of its tree: orphans stay our descendants, whom we may trace.
 * When the program has ended its closed sockets get a few seconds to give their last bytes to the stack. What descendants
 * still hold then is reset. */
#include "door/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STATUS_FAILURE = 125, STATUS_NOT_EXECUTABLE = 126, STATUS_NOT_FOUND = 127, REAP_MAX = 64 };

/* We need a descriptor per socket of the program: the limit is raised once, and programs start with the one we had. */
static struct rlimit limit_before;
static bool limit_raised;

static void spawn_limit_raise(void)
{
	if (limit_raised || getrlimit(RLIMIT_NOFILE, &limit_before) < 0)
		return;
	struct rlimit r = {limit_before.rlim_max, limit_before.rlim_max};
	limit_raised = setrlimit(RLIMIT_NOFILE, &r) == 0;
}

/* --- the child; it never returns --- */

static void spawn_stdio(const struct door_config *c)
{
	int fd[3];
	if (!c->stdio)
		return;
	for (int i = 0; i < 3; i++) /* above 2 first: they may be 0, 1, 2 in another order */
		fd[i] = fcntl(c->stdio[i], F_DUPFD_CLOEXEC, 3);
	for (int i = 0; i < 3; i++)
		dup2(fd[i], i);
}

static void spawn_exec(const struct door_config *c)
{
	if (c->cwd && chdir(c->cwd) < 0) {
		fprintf(stderr, "via: cannot enter %s: %s\n", c->cwd, strerror(errno));
		_exit(STATUS_FAILURE);
	}
	if (c->envp)
		execvpe(c->argv[0], c->argv, c->envp);
	else
		execvp(c->argv[0], c->argv);
	if (errno == ENOENT || errno == ENOTDIR) {
		fprintf(stderr, "via: %s: command not found\n", c->argv[0]);
		_exit(STATUS_NOT_FOUND);
	}
	fprintf(stderr, "via: %s cannot be executed: %s\n", c->argv[0], strerror(errno));
	_exit(STATUS_NOT_EXECUTABLE);
}

static void spawn_child(const struct door_config *c, int talk, pid_t parent)
{
	char go;
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent)
		_exit(STATUS_FAILURE);
	loop_forked(c->loop);
	signal(SIGPIPE, SIG_DFL); /* ours may be ignored, and that would be inherited */
	if (limit_raised)
		setrlimit(RLIMIT_NOFILE, &limit_before);
	spawn_stdio(c);
	int fd = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : door_filter_install();
	if (write(talk, &fd, sizeof(fd)) != sizeof(fd) || fd < 0 || read(talk, &go, 1) != 1)
		_exit(STATUS_FAILURE);
	close(fd);
	close(talk);
	spawn_exec(c);
}

/* --- the parent --- */

static void spawn_why(int err, char text[256])
{
	if (err == -EBUSY)
		snprintf(text, 256, "this program tree has a seccomp listener already (another `via`, or a container runtime), "
			"and the kernel allows one");
	else if (err == -EINVAL || err == -ENOSYS)
		snprintf(text, 256, "this kernel has no seccomp user notification (Linux 5.9 or newer is needed)");
	else if (err == -EPERM || err == -EACCES)
		snprintf(text, 256, "not permitted to trace the program: it is not ours, or kernel.yama.ptrace_scope forbids it");
	else
		snprintf(text, 256, "cannot start the program behind the door: %s", strerror(-err));
}

/* Take the child's notify descriptor. 0 or -errno. */
static int spawn_listener(struct door *d, int talk)
{
	int fd = 0; /* the child's number of it, or -errno */
	if (read(talk, &fd, sizeof(fd)) != sizeof(fd))
		return -ECHILD;
	if (fd < 0)
		return fd;
	int pidfd = (int)syscall(SYS_pidfd_open, d->pid, 0);
	if (pidfd < 0)
		return -errno;
	d->listener = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	int err = d->listener < 0 ? -errno : 0;
	close(pidfd);
	return err < 0 ? err : door_notify_start(d);
}

/* The program has ended: see the last closes that the loop has not come to yet. */
static void spawn_collect(struct door *d)
{
	for (struct dsock *s = d->socks, *next; s; s = next) {
		struct pollfd p = {.fd = s->end};
		next = s->next;
		while (next && next->state == DS_QUEUED) /* freed with their listener */
			next = next->next;
		if (s->end < 0 || s->state == DS_DRAIN || poll(&p, 1, 0) != 1 || !(p.revents & POLLHUP))
			continue;
		if (s->type == VIA_STREAM)
			door_stream_ready(s, EPOLLIN | EPOLLHUP);
		else
			door_dgram_ready(s, EPOLLIN | EPOLLHUP);
	}
	door_touched(d);
}

/* Orphans of the program's tree are ours, we are their subreaper: let them not stay zombies. */
static void spawn_reap(struct loop *l)
{
	for (int i = 0; i < REAP_MAX; i++) {
		siginfo_t si = {0};
		if (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) < 0 || si.si_pid == 0 || loop_has_child(l, si.si_pid))
			return;
		waitpid(si.si_pid, NULL, WNOHANG);
	}
}

static void spawn_child_ended(void *ctx, int signo)
{
	spawn_reap(ctx);
}

static bool spawn_drained(const struct door *d)
{
	for (const struct dsock *s = d->socks; s; s = s->next) {
		if (s->state == DS_DRAIN)
			return false;
	}
	return true;
}

static int64_t spawn_task(void *ctx, int64_t now)
{
	struct door *d = ctx;
	if (now >= d->held_next)
		door_held_expire(d, now);
	if (now >= d->live_at) {
		door_dsock_sweep(d);
		door_connect_look(d);
		d->live_at = now + DOOR_LIVE_NS;
	}
	if (d->child_gone && !d->told && (spawn_drained(d) || now >= d->drain_until)) {
		d->told = true;
		spawn_reap(d->loop);
		d->stats.processes_left = door_target_count(d);
		d->ended(d->ctx, d->status); /* may free d */
		return TIME_NEVER;
	}
	int64_t next = d->held_next;
	if (d->n_broken || d->n_pending)
		next = MIN(next, d->live_at);
	if (d->child_gone && !d->told)
		next = MIN(next, d->drain_until);
	return next;
}

static void spawn_ended(void *ctx, pid_t pid, int status)
{
	struct door *d = ctx;
	d->child_gone = true;
	d->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	d->drain_until = loop_now() + DOOR_DRAIN_NS;
	spawn_collect(d);
	spawn_reap(d->loop); /* a watched child hid those behind it */
	d->task.deadline = 0;
}

static struct door *spawn_new(const struct door_config *c)
{
	struct door *d = calloc(1, sizeof(*d));
	struct dgram *taken = malloc(sizeof(*taken) + DOOR_SCRATCH);
	if (!d || !taken) {
		free(d);
		free(taken);
		return NULL;
	}
	static const struct via_addr unset;
	d->taken = taken;
	d->loop = c->loop;
	d->node = c->node;
	d->v = c->node->stack;
	d->resolver = c->resolver;
	d->has_resolver = !via_addr_eq(&c->resolver, &unset);
	d->ended = c->ended;
	d->ctx = c->ctx;
	d->listener = d->ends = -1;
	d->held_next = TIME_NEVER;
	d->task = (struct loop_task){.run = spawn_task, .ctx = d};
	return d;
}

int door_spawn(const struct door_config *c, struct door **out, char err_text[256])
{
	int talk[2], err;
	struct door *d = spawn_new(c);
	if (!d || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, talk) < 0) {
		err = d ? -errno : -ENOMEM;
		spawn_why(err, err_text);
		door_free(d);
		return err;
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	loop_signal(c->loop, SIGCHLD, spawn_child_ended, c->loop);
	fflush(NULL);
	pid_t parent = getpid();
	d->pid = fork();
	if (d->pid == 0) {
		close(talk[0]);
		spawn_child(c, talk[1], parent);
	}
	close(talk[1]);
	err = d->pid < 0 ? -errno : spawn_listener(d, talk[0]);
	if (err == 0)
		err = loop_child(c->loop, d->pid, spawn_ended, d);
	if (err < 0) {
		if (d->pid > 0) {
			kill(d->pid, SIGKILL);
			waitpid(d->pid, NULL, 0);
		}
		close(talk[0]);
		spawn_why(err, err_text);
		door_free(d);
		return err;
	}
	d->born = door_target_born(d->pid);
	loop_task_add(c->loop, &d->task);
	spawn_limit_raise();
	send(talk[0], "", 1, MSG_NOSIGNAL); /* go; a child that died meanwhile says so by its status */
	close(talk[0]);
	*out = d;
	return 0;
}

void door_signal(struct door *d, int signo)
{
	if (!d->child_gone)
		kill(d->pid, signo);
}

pid_t door_pid(const struct door *d)
{
	return d->pid;
}

void door_free(struct door *d)
{
	if (!d)
		return;
	loop_task_del(d->loop, &d->task);
	while (d->socks) {
		struct dsock *s = d->socks;
		/* Queued ones belong to their listener, which frees them. */
		while (s->state == DS_QUEUED && s->next)
			s = s->next;
		door_dsock_free(s, true);
	}
	door_notify_stop(d);
	spawn_reap(d->loop);
	door_target_forget(d);
	free(d->taken);
	free(d);
}
