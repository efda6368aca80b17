/* test/unit/test_loop.c - the event loop: deadlines in order, descriptors that come and go inside callbacks, children, signals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host/loop.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

static int loop_setup(void **s)
{
	*s = loop_new();
	return *s ? 0 : -1;
}

static int loop_teardown(void **s)
{
	loop_free(*s);
	return 0;
}

/* --- tasks --- */

struct ticker {
	struct loop_task task;
	struct loop *l;
	int64_t at[4]; /* when it wants to run */
	int next, n;
	char name;
	char *log;
};

/* Logs its name each time one of its deadlines has come. */
static int64_t ticker_run(void *ctx, int64_t now)
{
	struct ticker *t = ctx;
	while (t->next < t->n && t->at[t->next] <= now) {
		t->log[strlen(t->log)] = t->name;
		t->next++;
	}
	if (strlen(t->log) == 5)
		loop_stop(t->l, 3);
	return t->next < t->n ? t->at[t->next] : TIME_NEVER;
}

static void loop_task__deadlines_in_order_never_early(void **s)
{
	struct loop *l = *s;
	char log[8] = "";
	int64_t t0 = loop_now() + 5 * NS_PER_MS;
	struct ticker a = {.task = {.run = ticker_run, .ctx = &a}, .l = l, .name = 'a', .log = log,
		.at = {t0, t0 + 4 * NS_PER_MS, t0 + 8 * NS_PER_MS}, .n = 3};
	struct ticker b = {.task = {.run = ticker_run, .ctx = &b}, .l = l, .name = 'b', .log = log,
		.at = {t0 + 2 * NS_PER_MS, t0 + 6 * NS_PER_MS}, .n = 2};
	loop_task_add(l, &a.task);
	loop_task_add(l, &b.task);
	assert_int_equal(loop_run(l), 3);
	assert_true(loop_now() >= t0 + 8 * NS_PER_MS);
	assert_int_equal(strlen(log), 5);
	/* A machine that stalls may merge turns, but order within a task and the last deadline hold. */
	assert_int_equal(log[0], 'a');
	assert_int_equal(a.next, 3);
	assert_int_equal(b.next, 2);
	loop_task_del(l, &a.task);
	loop_task_del(l, &b.task);
}

struct counter {
	struct loop_task task;
	struct loop *l;
	int runs;
	struct loop_task *remove, *poke;
};

static int64_t counter_run(void *ctx, int64_t now)
{
	struct counter *c = ctx;
	c->runs++;
	if (c->remove)
		loop_task_del(c->l, c->remove);
	if (c->poke)
		c->poke->deadline = 0;
	c->poke = NULL;
	return TIME_NEVER;
}

static void loop_task__may_remove_itself_and_others(void **s)
{
	struct loop *l = *s;
	struct counter a = {.task = {.run = counter_run, .ctx = &a}, .l = l}, b = {.task = {.run = counter_run, .ctx = &b}, .l = l},
		       c = {.task = {.run = counter_run, .ctx = &c}, .l = l};
	a.remove = &b.task; /* the next in line */
	c.remove = &c.task; /* itself */
	loop_task_add(l, &a.task);
	loop_task_add(l, &b.task);
	loop_task_add(l, &c.task);
	loop_turn(l, 0);
	loop_turn(l, 0);
	assert_int_equal(a.runs, 2);
	assert_int_equal(b.runs, 0);
	assert_int_equal(c.runs, 1);
	loop_task_del(l, &a.task);
}

static void loop_task__poked_by_a_later_task_runs_again(void **s)
{
	struct loop *l = *s;
	struct counter a = {.task = {.run = counter_run, .ctx = &a}, .l = l};
	struct counter b = {.task = {.run = counter_run, .ctx = &b}, .l = l, .poke = &a.task};
	loop_task_add(l, &a.task);
	loop_task_add(l, &b.task);
	loop_turn(l, TIME_NEVER); /* new tasks are due at once */
	loop_turn(l, TIME_NEVER); /* returns only because of the poke */
	assert_int_equal(a.runs, 2);
	loop_task_del(l, &a.task);
	loop_task_del(l, &b.task);
}

/* --- descriptors --- */

struct pipes {
	struct loop *l;
	int fd[2][2];
	int calls[2];
	int remove, readd; /* which to remove, and to add again, in the callback of either */
};

static void pipes_cb0(void *ctx, uint32_t events);
static void pipes_cb1(void *ctx, uint32_t events);

static void pipes_event(struct pipes *p, int i, uint32_t events)
{
	assert_true(events & EPOLLIN);
	p->calls[i]++;
	if (p->remove == !i) {
		loop_fd_del(p->l, p->fd[!i][0]);
		if (p->readd)
			assert_int_equal(loop_fd_add(p->l, p->fd[!i][0], EPOLLIN, i ? pipes_cb0 : pipes_cb1, p), 0);
		p->remove = -1;
	} else if (p->remove == -2) { /* the first called removes the other */
		p->remove = !i;
		pipes_event(p, i, events);
		p->calls[i]--;
	}
}

static void pipes_cb0(void *ctx, uint32_t events) { pipes_event(ctx, 0, events); }
static void pipes_cb1(void *ctx, uint32_t events) { pipes_event(ctx, 1, events); }

static struct pipes pipes_ready(struct loop *l)
{
	struct pipes p = {.l = l, .remove = -1};
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pipe(p.fd[i]), 0);
		assert_int_equal(write(p.fd[i][1], "x", 1), 1);
	}
	return p;
}

static void pipes_close(struct pipes *p)
{
	for (int i = 0; i < 2; i++) {
		loop_fd_del(p->l, p->fd[i][0]);
		close(p->fd[i][0]);
		close(p->fd[i][1]);
	}
}

static void loop_fd__removed_in_a_callback_is_not_called(void **s)
{
	struct pipes p = pipes_ready(*s);
	loop_fd_add(p.l, p.fd[0][0], EPOLLIN, pipes_cb0, &p);
	loop_fd_add(p.l, p.fd[1][0], EPOLLIN, pipes_cb1, &p);
	p.remove = -2;
	loop_turn(p.l, loop_now() + NS_PER_S);
	assert_int_equal(p.calls[0] + p.calls[1], 1); /* both were ready in that turn */
	int first = p.calls[1];
	loop_turn(p.l, loop_now() + NS_PER_S);
	assert_int_equal(p.calls[first], 2); /* the survivor is still watched */
	assert_int_equal(p.calls[!first], 0);
	pipes_close(&p);
}

static void loop_fd__stale_event_does_not_reach_a_new_registration(void **s)
{
	struct pipes p = pipes_ready(*s);
	loop_fd_add(p.l, p.fd[0][0], EPOLLIN, pipes_cb0, &p);
	loop_fd_add(p.l, p.fd[1][0], EPOLLIN, pipes_cb1, &p);
	p.remove = -2;
	p.readd = 1;
	loop_turn(p.l, loop_now() + NS_PER_S);
	assert_int_equal(p.calls[0] + p.calls[1], 1);
	loop_turn(p.l, loop_now() + NS_PER_S); /* now both, by their own right */
	assert_int_equal(p.calls[0] + p.calls[1], 3);
	pipes_close(&p);
}

static void loop_fd__one_registration_per_descriptor(void **s)
{
	struct pipes p = pipes_ready(*s);
	assert_int_equal(loop_fd_add(p.l, p.fd[0][0], EPOLLIN, pipes_cb0, &p), 0);
	assert_int_equal(loop_fd_add(p.l, p.fd[0][0], EPOLLIN, pipes_cb0, &p), -EEXIST);
	assert_int_equal(loop_fd_add(p.l, -1, EPOLLIN, pipes_cb0, &p), -EBADF);
	assert_int_equal(loop_fd_mod(p.l, p.fd[1][0], EPOLLIN), -ENOENT);
	assert_int_equal(loop_fd_mod(p.l, p.fd[0][0], 0), 0);
	loop_turn(p.l, loop_now());
	assert_int_equal(p.calls[0], 0); /* asked for nothing */
	assert_int_equal(loop_fd_mod(p.l, p.fd[0][0], EPOLLIN), 0);
	loop_turn(p.l, loop_now() + NS_PER_S);
	assert_int_equal(p.calls[0], 1);
	pipes_close(&p);
}

/* --- children and signals --- */

struct ended {
	struct loop *l;
	pid_t pid;
	int status, calls;
};

static void ended_cb(void *ctx, pid_t pid, int status)
{
	struct ended *e = ctx;
	e->pid = pid;
	e->status = status;
	e->calls++;
	loop_stop(e->l, 0);
}

static void loop_child__tells_the_exit_status_and_reaps(void **s)
{
	struct ended e = {.l = *s};
	pid_t pid = fork();
	if (pid == 0)
		_exit(42);
	assert_int_equal(loop_child(*s, pid, ended_cb, &e), 0);
	loop_run(*s);
	assert_int_equal(e.pid, pid);
	assert_int_equal(e.calls, 1);
	assert_true(WIFEXITED(e.status));
	assert_int_equal(WEXITSTATUS(e.status), 42);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void loop_child__killed_child_shows_its_signal(void **s)
{
	struct ended e = {.l = *s};
	pid_t pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	assert_int_equal(loop_child(*s, pid, ended_cb, &e), 0);
	kill(pid, SIGKILL);
	loop_run(*s);
	assert_true(WIFSIGNALED(e.status));
	assert_int_equal(WTERMSIG(e.status), SIGKILL);
}

struct heard {
	struct loop *l;
	int n[2];
};

static void heard_cb(void *ctx, int signo)
{
	struct heard *h = ctx;
	h->n[signo == SIGUSR2]++;
	if (h->n[0] && h->n[1])
		loop_stop(h->l, 0);
}

static void loop_signal__each_reaches_its_callback_and_the_mask_returns(void **s)
{
	sigset_t before, after;
	sigprocmask(SIG_SETMASK, NULL, &before);
	struct loop *l = loop_new();
	struct heard h = {.l = l};
	assert_int_equal(loop_signal(l, SIGUSR1, heard_cb, &h), 0);
	assert_int_equal(loop_signal(l, SIGUSR2, heard_cb, &h), 0);
	assert_int_equal(loop_signal(l, 0, heard_cb, &h), -EINVAL);
	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGUSR2);
	loop_run(l);
	assert_int_equal(h.n[0], 1);
	assert_int_equal(h.n[1], 1);
	loop_free(l);
	sigprocmask(SIG_SETMASK, NULL, &after);
	assert_int_equal(sigismember(&after, SIGUSR1), sigismember(&before, SIGUSR1));
	assert_int_equal(sigismember(&after, SIGUSR2), sigismember(&before, SIGUSR2));
}

static void loop_signal__forked_child_gets_the_old_mask(void **s)
{
	struct heard h = {.l = *s};
	assert_int_equal(loop_signal(*s, SIGUSR1, heard_cb, &h), 0);
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGUSR1, SIG_DFL);
		loop_forked(*s);
		kill(getpid(), SIGUSR1);
		_exit(0); /* only if the signal was still blocked */
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGUSR1);
}

int main(void)
{
#define LOOP_TEST(f) cmocka_unit_test_setup_teardown(f, loop_setup, loop_teardown)
	const struct CMUnitTest tests[] = {
		LOOP_TEST(loop_task__deadlines_in_order_never_early),
		LOOP_TEST(loop_task__may_remove_itself_and_others),
		LOOP_TEST(loop_task__poked_by_a_later_task_runs_again),
		LOOP_TEST(loop_fd__removed_in_a_callback_is_not_called),
		LOOP_TEST(loop_fd__stale_event_does_not_reach_a_new_registration),
		LOOP_TEST(loop_fd__one_registration_per_descriptor),
		LOOP_TEST(loop_child__tells_the_exit_status_and_reaps),
		LOOP_TEST(loop_child__killed_child_shows_its_signal),
		cmocka_unit_test(loop_signal__each_reaches_its_callback_and_the_mask_returns),
		LOOP_TEST(loop_signal__forked_child_gets_the_old_mask),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
