/* posix/baton.c - the thread that runs the stacks, the baton, and how a call waits.
 *
 * The thread turns an event loop whose one task takes the baton, polls every stack and says when it wants to run next. Between
 * turns it sleeps without the baton. A call does its work under the baton and then runs a turn itself, so a segment leaves on
 * the caller's own stack; only if something is due earlier than the thread would wake is the thread kicked.
 *
 * A call that would block sleeps on its socket's condition variable, which gives the baton away for that time. Every event of
 * the socket counts ps->seq up under the baton and wakes all sleepers, so none is missed between the attempt and the sleep. */
#include "posix/posix.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <unistd.h>

enum { TURN_BUDGET = 256, TURN_ROUNDS = 8 };

int64_t posix_now(const struct via_posix *p)
{
	return p->told ? p->now : loop_now();
}

int64_t posix_result(int64_t r)
{
	if (r >= 0)
		return r;
	errno = (int)-r;
	return -1;
}

/* --- turns --- */

/* Poll every stack, until all rest or it has gone on for long enough. When the next turn is due. */
static int64_t turn_run(struct via_posix *p)
{
	int64_t now = posix_now(p), next = now;
	for (struct psock *ps = table_doomed(p); ps; ps = table_doomed(p)) {
		psock_close(ps);
		psock_put(ps);
	}
	for (int round = 0; round < TURN_ROUNDS && next <= now; round++) {
		for (int i = 0; i < p->n_stacks; i++) {
			via_poll(p->stacks[i], now, TURN_BUDGET);
			via_dispatch(p->stacks[i]);
		}
		/* Asked when all have run: what one sent may be another's to receive. */
		next = TIME_NEVER;
		for (int i = 0; i < p->n_stacks; i++)
			next = MIN(next, via_next_deadline(p->stacks[i]));
	}
	if (now >= p->next_trim) {
		for (int i = 0; i < p->n_stacks; i++)
			via_host_stack_trim(p->stacks[i]);
		p->next_trim = now + NS_PER_S;
	}
	return next;
}

static void posix_kick(struct via_posix *p)
{
	eventfd_write(p->kick, 1);
}

void posix_turn(struct via_posix *p)
{
	int64_t next = turn_run(p);
	if (next < p->wake_at || p->told) {
		p->wake_at = next;
		if (!p->told)
			posix_kick(p);
	}
}

void posix_baton_take(struct via_posix *p)
{
	pthread_mutex_lock(&p->baton);
	int64_t now = posix_now(p);
	for (int i = 0; i < p->n_stacks; i++)
		via_flush(p->stacks[i], now); /* calls happen at the stack's time: make it the present */
}

void posix_baton_give(struct via_posix *p)
{
	posix_turn(p);
	pthread_mutex_unlock(&p->baton);
}

/* --- the thread --- */

static int64_t thread_turn(void *ctx, int64_t now)
{
	struct via_posix *p = ctx;
	pthread_mutex_lock(&p->baton);
	int64_t next = turn_run(p);
	p->wake_at = next;
	if (p->stop)
		loop_stop(p->loop, 0);
	pthread_mutex_unlock(&p->baton);
	return next;
}

/* A driver's descriptor is readable, or somebody kicked: the turn that follows does the rest. */
static void thread_woken(void *ctx, uint32_t events)
{
	struct via_posix *p = ctx;
	eventfd_t n;
	eventfd_read(p->kick, &n);
}

static void *thread_main(void *ctx)
{
	struct via_posix *p = ctx;
	loop_run(p->loop);
	return NULL;
}

/* All signals stay with the program's own threads. */
static int thread_start(struct via_posix *p)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int e = pthread_create(&p->thread, NULL, thread_main, p);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -e;
}

/* --- the runner --- */

static int runner_descriptors(struct via_posix *p)
{
	p->loop = loop_new();
	if (!p->loop)
		return -errno;
	p->watch = epoll_create1(EPOLL_CLOEXEC);
	p->kick = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (p->watch < 0 || p->kick < 0)
		return -errno;
	int e = via_posix_watch(p, p->kick);
	return e ? e : loop_fd_add(p->loop, p->watch, EPOLLIN, thread_woken, p);
}

static void runner_free(struct via_posix *p)
{
	if (p->watch >= 0)
		close(p->watch);
	if (p->kick >= 0)
		close(p->kick);
	loop_free(p->loop);
	pthread_mutex_destroy(&p->baton);
	free(p);
}

static struct via_posix *runner_new(struct via *v, bool told, int64_t now)
{
	struct via_posix *p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	pthread_mutex_init(&p->baton, NULL);
	p->watch = p->kick = -1;
	p->wake_at = TIME_NEVER;
	p->told = told;
	p->now = now;
	p->task = (struct loop_task){.run = thread_turn, .ctx = p};
	int e = runner_descriptors(p);
	e = e ? e : runner_set(v, p);
	if (e == 0) {
		p->stacks[p->n_stacks++] = v;
		loop_task_add(p->loop, &p->task);
		e = told ? 0 : thread_start(p);
		if (e)
			runner_drop(v);
	}
	if (e == 0)
		return p;
	runner_free(p);
	errno = -e;
	return NULL;
}

struct via_posix *via_posix_new(struct via *v)
{
	return runner_new(v, false, 0);
}

struct via_posix *via_posix_new_told(struct via *v, int64_t now)
{
	return runner_new(v, true, now);
}

int via_posix_add(struct via_posix *p, struct via *v)
{
	posix_baton_take(p);
	int e = p->n_stacks == POSIX_STACKS ? -ENOSPC : runner_set(v, p);
	if (e == 0)
		p->stacks[p->n_stacks++] = v;
	posix_baton_give(p);
	return e;
}

void via_posix_free(struct via_posix *p)
{
	if (!p)
		return;
	posix_baton_take(p);
	while (p->socks) {
		struct psock *ps = p->socks;
		bool ours = table_drop(ps);
		psock_close(ps);
		if (ours)
			psock_put(ps);
	}
	p->stop = true;
	posix_turn(p);
	posix_kick(p);
	pthread_mutex_unlock(&p->baton);
	if (!p->told)
		pthread_join(p->thread, NULL);
	for (int i = 0; i < p->n_stacks; i++)
		runner_drop(p->stacks[i]);
	runner_free(p);
}

int via_posix_watch(struct via_posix *p, int fd)
{
	struct epoll_event ev = {.events = EPOLLIN};
	return epoll_ctl(p->watch, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

void via_posix_enter(struct via_posix *p)
{
	posix_baton_take(p);
}

void via_posix_leave(struct via_posix *p)
{
	posix_baton_give(p);
}

/* --- time that is told --- */

static bool sleeper_wakes(const struct sleeper *s)
{
	return s->ps->seq != s->seq || s->ps->closed || posix_now(s->ps->p) >= s->until;
}

int64_t via_posix_tell(struct via_posix *p, int64_t now)
{
	pthread_mutex_lock(&p->baton);
	p->now = MAX(p->now, now);
	do
		posix_turn(p);
	while (p->wake_at <= p->now);
	int64_t next = p->wake_at;
	for (struct sleeper *s = p->sleepers; s; s = s->next) {
		if (sleeper_wakes(s))
			pthread_cond_broadcast(&s->ps->cond);
		else
			next = MIN(next, s->until);
	}
	pthread_mutex_unlock(&p->baton);
	return next;
}

int via_posix_asleep(struct via_posix *p)
{
	int n = 0;
	pthread_mutex_lock(&p->baton);
	for (const struct sleeper *s = p->sleepers; s; s = s->next)
		n += !sleeper_wakes(s);
	pthread_mutex_unlock(&p->baton);
	return n;
}

/* --- calls --- */

/* How long the call may sleep: until when, from SO_RCVTIMEO or SO_SNDTIMEO. */
static int64_t call_deadline(struct psock *ps, int timeo)
{
	struct timeval tv = {0};
	uint32_t len = sizeof(tv);
	via_getsockopt(ps->v, ps->s, SOL_SOCKET, timeo, &tv, &len);
	int64_t ns = tv.tv_sec >= 1 << 30 ? 0 : tv.tv_sec * NS_PER_S + tv.tv_usec * 1000;
	return ns > 0 ? posix_now(ps->p) + ns : TIME_NEVER;
}

/* Sleep until something happened since ps->seq was `seq`. False when the time is over. */
static bool call_sleep(struct psock *ps, uint32_t seq, int64_t until, int *sleepers)
{
	struct timespec ts = {until / NS_PER_S, until % NS_PER_S};
	struct via_posix *p = ps->p;
	struct sleeper me = {ps, seq, until, p->sleepers, &p->sleepers};
	if (me.next)
		me.next->link = &me.next;
	p->sleepers = &me;
	(*sleepers)++;
	posix_turn(p); /* what the attempt left owed goes out */
	while (!sleeper_wakes(&me)) {
		if (until == TIME_NEVER || p->told)
			pthread_cond_wait(&ps->cond, &p->baton);
		else
			pthread_cond_timedwait(&ps->cond, &p->baton, &ts);
	}
	(*sleepers)--;
	*me.link = me.next;
	if (me.next)
		me.next->link = me.link;
	return posix_now(p) < until;
}

static bool may_sleep(const struct psock *ps, int flags, int timeo)
{
	return timeo && !(flags & MSG_DONTWAIT) && !(fcntl(ps->held, F_GETFL) & O_NONBLOCK);
}

static int64_t call_made(struct psock *ps, int flags, int timeo, int64_t (*attempt)(struct psock *ps, void *arg), void *arg)
{
	int64_t until = 0; /* not known yet */
	bool in_time = true;
	for (;;) {
		if (ps->closed)
			return -EBADF;
		uint32_t seq = ps->seq;
		int64_t r = attempt(ps, arg);
		if (r != -EAGAIN || !in_time)
			return r;
		if (until == 0) {
			if (!may_sleep(ps, flags, timeo))
				return r;
			until = call_deadline(ps, timeo);
		}
		in_time = call_sleep(ps, seq, until, timeo == SO_RCVTIMEO ? &ps->readers : &ps->writers);
	}
}

int64_t posix_call(int fd, int flags, int timeo, int64_t (*attempt)(struct psock *ps, void *arg), void *arg)
{
	struct psock *ps = table_get(fd);
	if (!ps)
		return fcntl(fd, F_GETFD) < 0 ? -EBADF : -ENOTSOCK;
	posix_baton_take(ps->p);
	int64_t r = call_made(ps, flags, timeo, attempt, arg);
	posix_turn(ps->p);
	mirror_sync(ps); /* last: what is up again needs not be shown as down */
	pthread_mutex_unlock(&ps->p->baton);
	psock_put(ps);
	return r;
}

void posix_linger(struct psock *ps, int64_t ns, bool (*is_over)(struct psock *ps))
{
	int64_t until = posix_now(ps->p) + ns;
	bool in_time = true;
	while (!ps->closed && in_time && !is_over(ps))
		in_time = call_sleep(ps, ps->seq, until, &ps->writers);
}
