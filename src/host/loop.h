/* host/loop.h - one thread's event loop: epoll, deadlines, signals, children. The only place that reads the clock.
 *
 * Each turn: wait until a descriptor is ready or the earliest task deadline, call the ready descriptors' functions, then
 * run every task (a task is a stack under real time, or a whole lab) once with the time of this turn. So whatever a
 * descriptor's function did to a stack is flushed in the same turn. Not thread-safe: one loop, one thread, one baton. */
#ifndef HOST_LOOP_H
#define HOST_LOOP_H

#include "base/defs.h"
#include <sys/types.h>

struct loop;

struct loop *loop_new(void); /* NULL with errno */
void loop_free(struct loop *l);

/* Watch fd (borrowed) for EPOLL* events (EPOLLET allowed). One registration per fd. 0 or -errno. cb may add and remove any fd. */
int loop_fd_add(struct loop *l, int fd, uint32_t events, void (*cb)(void *ctx, uint32_t events), void *ctx);
int loop_fd_mod(struct loop *l, int fd, uint32_t events);
void loop_fd_del(struct loop *l, int fd);

/* A task: run(ctx, now) does what is due and returns the time it wants to run next (ns of loop_now; TIME_NEVER; <= now: at once). */
struct loop_task {
	int64_t (*run)(void *ctx, int64_t now);
	void *ctx;
	struct loop_task *next; /* the loop's */
	int64_t deadline;       /* the loop's; whoever made work for the task sets it to 0 and it runs once more */
};
void loop_task_add(struct loop *l, struct loop_task *t); /* borrows */
void loop_task_del(struct loop *l, struct loop_task *t);

/* Call cb once the child has ended, with its wait status (reaps it). */
int loop_child(struct loop *l, pid_t pid, void (*cb)(void *ctx, pid_t pid, int status), void *ctx);
/* Is a child being watched by loop_child()? Others (orphans handed to a subreaper) are for somebody else to reap. */
bool loop_has_child(const struct loop *l, pid_t pid);
/* Call cb on a signal (blocked and read through signalfd). A second call for a signal replaces its callback. loop_free()
 * restores the signal mask. */
int loop_signal(struct loop *l, int signo, void (*cb)(void *ctx, int signo), void *ctx);
/* In a signal's callback: did a key at the terminal cause it? Then the whole foreground process group has got it. */
bool loop_signal_by_terminal(const struct loop *l);
/* In a forked child, before exec: the signal mask as it was before loop_signal(). Async-signal-safe. */
void loop_forked(const struct loop *l);

/* Monotonic clock, ns. */
int64_t loop_now(void);
/* Run until loop_stop(); returns its code. */
int loop_run(struct loop *l);
void loop_stop(struct loop *l, int code);
/* One turn, waiting at most until `until`. */
void loop_turn(struct loop *l, int64_t until);

#endif
