/* host/loop.c - one thread's event loop on epoll.
 *
 * Descriptors stand in a table by number; each registration carries a generation in its epoll data, so an event of a
 * descriptor that a callback of the same turn removed (or removed and added again) is not delivered. Children are
 * watched by pidfd, signals by one signalfd, so both are callbacks like any other. Waiting has nanosecond resolution
 * (epoll_pwait2). Tasks run once per turn in the order they were added. */
#include "host/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LOOP_BATCH = 64, LOOP_SIGNALS = 65 };

struct loop_watch {
	void (*cb)(void *ctx, uint32_t events); /* NULL: not watched */
	void *ctx;
	uint32_t gen;
};

struct loop_child {
	struct loop_child *next;
	struct loop *l;
	int pidfd;
	pid_t pid;
	void (*cb)(void *ctx, pid_t pid, int status);
	void *ctx;
};

struct loop_sig {
	void (*cb)(void *ctx, int signo); /* NULL: not taken */
	void *ctx;
};

struct loop {
	int epfd, sigfd;
	bool stopped;
	int code;
	struct loop_watch *watch; /* by descriptor */
	int n_watch;
	struct loop_task *tasks;
	struct loop_task *next_task; /* the one to run next, while they run: removal moves it on */
	struct loop_child *children;
	struct loop_sig sig[LOOP_SIGNALS];
	bool sig_by_kernel;     /* the signal now being told of was sent by the kernel: a key */
	sigset_t taken, before; /* signals we read; the mask before the first of them */
};

int64_t loop_now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

struct loop *loop_new(void)
{
	struct loop *l = calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	l->sigfd = -1;
	sigemptyset(&l->taken);
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epfd < 0) {
		int e = errno;
		free(l);
		errno = e;
		return NULL;
	}
	return l;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	while (l->children) {
		struct loop_child *c = l->children;
		l->children = c->next;
		close(c->pidfd);
		free(c);
	}
	if (l->sigfd >= 0) {
		close(l->sigfd);
		sigprocmask(SIG_SETMASK, &l->before, NULL);
	}
	close(l->epfd);
	free(l->watch);
	free(l);
}

/* --- descriptors --- */

static int loop_table_reach(struct loop *l, int fd)
{
	if (fd < l->n_watch)
		return 0;
	int n = MAX(fd + 1, l->n_watch * 2);
	struct loop_watch *w = realloc(l->watch, (size_t)n * sizeof(*w));
	if (!w)
		return -ENOMEM;
	memset(w + l->n_watch, 0, (size_t)(n - l->n_watch) * sizeof(*w));
	l->watch = w;
	l->n_watch = n;
	return 0;
}

static int loop_epoll(struct loop *l, int op, int fd, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.u64 = (uint64_t)l->watch[fd].gen << 32 | (uint32_t)fd};
	return epoll_ctl(l->epfd, op, fd, &ev) < 0 ? -errno : 0;
}

int loop_fd_add(struct loop *l, int fd, uint32_t events, void (*cb)(void *ctx, uint32_t events), void *ctx)
{
	if (fd < 0)
		return -EBADF;
	if (loop_table_reach(l, fd) < 0)
		return -ENOMEM;
	struct loop_watch *w = &l->watch[fd];
	if (w->cb)
		return -EEXIST;
	w->gen++;
	int err = loop_epoll(l, EPOLL_CTL_ADD, fd, events);
	if (err < 0)
		return err;
	w->cb = cb;
	w->ctx = ctx;
	return 0;
}

int loop_fd_mod(struct loop *l, int fd, uint32_t events)
{
	if (fd < 0 || fd >= l->n_watch || !l->watch[fd].cb)
		return -ENOENT;
	return loop_epoll(l, EPOLL_CTL_MOD, fd, events);
}

void loop_fd_del(struct loop *l, int fd)
{
	if (fd < 0 || fd >= l->n_watch || !l->watch[fd].cb)
		return;
	l->watch[fd].cb = NULL;
	epoll_ctl(l->epfd, EPOLL_CTL_DEL, fd, NULL); /* fails when it was closed already: then it is gone anyway */
}

/* --- tasks --- */

void loop_task_add(struct loop *l, struct loop_task *t)
{
	struct loop_task **p = &l->tasks;
	while (*p)
		p = &(*p)->next;
	t->next = NULL;
	t->deadline = 0; /* run in the coming turn */
	*p = t;
}

void loop_task_del(struct loop *l, struct loop_task *t)
{
	if (l->next_task == t)
		l->next_task = t->next;
	for (struct loop_task **p = &l->tasks; *p; p = &(*p)->next) {
		if (*p == t) {
			*p = t->next;
			return;
		}
	}
}

static bool loop_has(const struct loop *l, const struct loop_task *t)
{
	const struct loop_task *i = l->tasks;
	while (i && i != t)
		i = i->next;
	return i != NULL;
}

static void loop_tasks_run(struct loop *l)
{
	int64_t now = loop_now();
	for (struct loop_task *t = l->tasks; t; t = l->next_task) {
		l->next_task = t->next;
		t->deadline = TIME_NEVER;
		int64_t deadline = t->run(t->ctx, now);
		/* run() may have removed, even freed, its own task; or asked for another run by setting the deadline. */
		if (loop_has(l, t))
			t->deadline = MIN(t->deadline, deadline);
	}
	l->next_task = NULL;
}

/* --- children --- */

static void loop_child_ended(void *ctx, uint32_t events)
{
	struct loop_child *c = ctx;
	struct loop *l = c->l;
	int status = 0;
	pid_t r = waitpid(c->pid, &status, WNOHANG);
	if (r == 0)
		return;
	loop_fd_del(l, c->pidfd);
	close(c->pidfd);
	struct loop_child **p = &l->children;
	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	struct loop_child ended = *c;
	free(c);
	ended.cb(ended.ctx, ended.pid, status);
}

int loop_child(struct loop *l, pid_t pid, void (*cb)(void *ctx, pid_t pid, int status), void *ctx)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0); /* close-on-exec by itself */
	if (fd < 0)
		return -errno;
	struct loop_child *c = calloc(1, sizeof(*c));
	int err = c ? loop_fd_add(l, fd, EPOLLIN, loop_child_ended, c) : -ENOMEM;
	if (err < 0) {
		free(c);
		close(fd);
		return err;
	}
	*c = (struct loop_child){.next = l->children, .l = l, .pidfd = fd, .pid = pid, .cb = cb, .ctx = ctx};
	l->children = c;
	return 0;
}

bool loop_has_child(const struct loop *l, pid_t pid)
{
	const struct loop_child *c = l->children;
	while (c && c->pid != pid)
		c = c->next;
	return c != NULL;
}

/* --- signals --- */

static void loop_signals_read(void *ctx, uint32_t events)
{
	struct loop *l = ctx;
	struct signalfd_siginfo si;
	while (read(l->sigfd, &si, sizeof(si)) == sizeof(si)) {
		struct loop_sig s = si.ssi_signo < LOOP_SIGNALS ? l->sig[si.ssi_signo] : (struct loop_sig){0};
		l->sig_by_kernel = si.ssi_code == SI_KERNEL;
		if (s.cb)
			s.cb(s.ctx, (int)si.ssi_signo);
	}
}

bool loop_signal_by_terminal(const struct loop *l)
{
	return l->sig_by_kernel;
}

int loop_signal(struct loop *l, int signo, void (*cb)(void *ctx, int signo), void *ctx)
{
	if (signo <= 0 || signo >= LOOP_SIGNALS)
		return -EINVAL;
	sigset_t taken = l->taken, before;
	sigaddset(&taken, signo);
	if (sigprocmask(SIG_BLOCK, &taken, &before) < 0)
		return -errno;
	int fd = signalfd(l->sigfd, &taken, SFD_NONBLOCK | SFD_CLOEXEC);
	int err = fd < 0 ? -errno : 0;
	if (err == 0 && l->sigfd < 0) {
		err = loop_fd_add(l, fd, EPOLLIN, loop_signals_read, l);
		if (err < 0)
			close(fd);
		else
			l->before = before;
	}
	if (err < 0) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		return err;
	}
	l->sigfd = fd;
	l->taken = taken;
	l->sig[signo] = (struct loop_sig){cb, ctx};
	return 0;
}

void loop_forked(const struct loop *l)
{
	if (l->sigfd >= 0)
		sigprocmask(SIG_SETMASK, &l->before, NULL);
}

/* --- turning --- */

static int loop_wait(struct loop *l, struct epoll_event *ev, int64_t until)
{
	int64_t ns = until == TIME_NEVER ? 0 : MAX(until - loop_now(), 0);
	struct timespec ts = {ns / NS_PER_S, ns % NS_PER_S};
	int n = epoll_pwait2(l->epfd, ev, LOOP_BATCH, until == TIME_NEVER ? NULL : &ts, NULL);
	if (n < 0 && errno == ENOSYS) /* Linux before 5.11: whole milliseconds, never early */
		n = epoll_wait(l->epfd, ev, LOOP_BATCH, until == TIME_NEVER ? -1 : (int)MIN((ns + NS_PER_MS - 1) / NS_PER_MS, 60000));
	return MAX(n, 0);
}

void loop_turn(struct loop *l, int64_t until)
{
	struct epoll_event ev[LOOP_BATCH];
	for (const struct loop_task *t = l->tasks; t; t = t->next)
		until = MIN(until, t->deadline);
	int n = loop_wait(l, ev, until);
	for (int i = 0; i < n; i++) {
		uint32_t fd = (uint32_t)ev[i].data.u64, gen = (uint32_t)(ev[i].data.u64 >> 32);
		struct loop_watch w = l->watch[fd];
		if (w.cb && w.gen == gen)
			w.cb(w.ctx, ev[i].events);
	}
	loop_tasks_run(l);
}

int loop_run(struct loop *l)
{
	l->stopped = false;
	while (!l->stopped)
		loop_turn(l, TIME_NEVER);
	return l->code;
}

void loop_stop(struct loop *l, int code)
{
	l->stopped = true;
	l->code = code;
}
