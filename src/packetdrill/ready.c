/* packetdrill/ready.c - poll and epoll_wait in virtual time.
 *
 * Descriptors are the kernel's and show readiness to it (posix.h), so the kernel is asked, without waiting. A call that finds
 * nothing sleeps until something happened or time went on, and asks again. */
#include "packetdrill/adapter.h"

#include <errno.h>

struct asked {
	struct pollfd *fds;
	nfds_t n;
	int epfd, max;
	struct epoll_event *events;
};

static int ask(const struct asked *q, int timeout)
{
	return q->fds ? poll(q->fds, q->n, timeout) : epoll_wait(q->epfd, q->events, q->max, timeout);
}

/* Sleep until it is not `seen` any more. With the lock. */
static void poller_sleep(struct adapter *a, uint64_t seen, int64_t until)
{
	struct poller me = {until, a->pollers, &a->pollers};
	if (me.next)
		me.next->link = &me.next;
	a->pollers = &me;
	a->polling++;
	while (a->gen == seen)
		pthread_cond_wait(&a->news, &a->lock);
	*me.link = me.next;
	if (me.next)
		me.next->link = me.link;
}

/* timeout: ms, negative for ever. */
static int ready_wait(struct adapter *a, const struct asked *q, int timeout)
{
	adapter_enter(a);
	pthread_mutex_lock(&a->lock);
	int64_t until = timeout < 0 ? TIME_NEVER : a->now + timeout * NS_PER_MS;
	int r;
	for (;;) {
		uint64_t seen = a->gen;
		pthread_mutex_unlock(&a->lock);
		r = ask(q, a->real ? timeout : 0);
		pthread_mutex_lock(&a->lock);
		if (r || a->real || a->now >= until)
			break;
		if (a->gen == seen)
			poller_sleep(a, seen, until);
	}
	pthread_mutex_unlock(&a->lock);
	adapter_leave(a);
	return r;
}

int adapter_poll(void *userdata, struct pollfd *fds, nfds_t n, int timeout)
{
	return ready_wait(userdata, &(struct asked){.fds = fds, .n = n}, timeout);
}

int adapter_epoll_wait(void *userdata, int epfd, struct epoll_event *events, int max, int timeout)
{
	return ready_wait(userdata, &(struct asked){.epfd = epfd, .events = events, .max = max}, timeout);
}
