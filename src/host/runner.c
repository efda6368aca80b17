/* host/runner.c - one stack under the real clock, as a task of the loop.
 *
 * Each turn of the loop: poll the stack, give events to their handlers, send what the handlers left owed, and ask when to
 * come again. Descriptors of drivers only wake the loop; the poll reads them. Memory the stack no longer uses goes back
 * to the system once a second. */
#include "host/node.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

enum { RUNNER_BUDGET = 256, RUNNER_FDS = 64 };
#define RUNNER_TRIM_NS NS_PER_S

struct host_runner {
	struct host_node node; /* first: touched() gets its address */
	struct loop *l;
	struct loop_task task;
	int64_t next_trim;
	int fds[RUNNER_FDS];
	int n_fds;
};

static int64_t runner_run(void *ctx, int64_t now)
{
	struct host_runner *r = ctx;
	int more = via_poll(r->node.stack, now, RUNNER_BUDGET);
	if (via_dispatch(r->node.stack) > 0)
		via_flush(r->node.stack, now);
	if (now >= r->next_trim) {
		host_stack_trim(r->node.stack);
		r->next_trim = now + RUNNER_TRIM_NS;
	}
	return more == VIA_AGAIN ? now : via_next_deadline(r->node.stack);
}

static void runner_touched(struct host_node *n)
{
	struct host_runner *r = CONTAINER_OF(n, struct host_runner, node);
	r->task.deadline = 0;
}

static void runner_present(struct host_node *n)
{
	via_flush(n->stack, loop_now());
}

struct host_runner *host_runner_new(struct loop *l, struct via *v, const char *name)
{
	struct host_runner *r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->node = (struct host_node){.stack = v, .name = name, .touched = runner_touched, .present = runner_present};
	r->l = l;
	r->task = (struct loop_task){.run = runner_run, .ctx = r};
	loop_task_add(l, &r->task);
	return r;
}

void host_runner_free(struct host_runner *r)
{
	if (!r)
		return;
	for (int i = 0; i < r->n_fds; i++)
		loop_fd_del(r->l, r->fds[i]);
	loop_task_del(r->l, &r->task);
	free(r);
}

struct host_node *host_runner_node(struct host_runner *r)
{
	return &r->node;
}

/* Nothing to do: the wake-up itself makes the task run in this turn. */
static void runner_fd_ready(void *ctx, uint32_t events)
{
}

int host_runner_watch(struct host_runner *r, int fd)
{
	if (r->n_fds == RUNNER_FDS)
		return -ENOSPC;
	int err = loop_fd_add(r->l, fd, EPOLLIN, runner_fd_ready, r);
	if (err == 0)
		r->fds[r->n_fds++] = fd;
	return err;
}
