/* packetdrill/clock.c - virtual time: when it may go on, and how far.
 *
 * The tool has two threads, one for calls that block. Time must not pass while a call works or while a thread whose call is over
 * has not asked for the time of its end: settle() waits for that. It looks every 20 µs of real time, and gives up after a second
 * (a call that computes for ever) or 50 ms (a thread that never asks). */
#include "packetdrill/adapter.h"

#include <errno.h>
#include <time.h>

#define LOOK_NS INT64_C(20000)
#define CALL_NS NS_PER_S
#define ASK_NS (50 * NS_PER_MS)
#define PATIENCE_NS (3600 * NS_PER_S)

/* Whose clock this thread has to read since its last call. */
static _Thread_local struct adapter *owed_to;

int64_t adapter_now(struct adapter *a)
{
	if (a->real)
		return via_host_now();
	pthread_mutex_lock(&a->lock);
	int64_t now = a->now;
	pthread_mutex_unlock(&a->lock);
	return now;
}

static void news(struct adapter *a)
{
	a->gen++;
	a->polling = 0;
	pthread_cond_broadcast(&a->news);
}

void adapter_news(struct adapter *a)
{
	pthread_mutex_lock(&a->lock);
	news(a);
	pthread_mutex_unlock(&a->lock);
}

void adapter_enter(struct adapter *a)
{
	pthread_mutex_lock(&a->lock);
	a->inside++;
	pthread_mutex_unlock(&a->lock);
}

void adapter_leave(struct adapter *a)
{
	int e = errno;
	pthread_mutex_lock(&a->lock);
	a->inside--;
	a->owing += owed_to != a;
	owed_to = a;
	news(a);
	pthread_mutex_unlock(&a->lock);
	errno = e;
}

/* This thread looks at the clock. */
static void clock_seen(struct adapter *a)
{
	pthread_mutex_lock(&a->lock);
	if (owed_to == a && a->owing > 0)
		a->owing--;
	owed_to = NULL;
	pthread_mutex_unlock(&a->lock);
}

static void settle(struct adapter *a)
{
	for (int64_t waited = 0; waited < CALL_NS; waited += LOOK_NS) {
		int asleep = via_posix_asleep(a->p);
		pthread_mutex_lock(&a->lock);
		if (waited > ASK_NS)
			a->owing = 0;
		bool quiet = a->inside - a->polling - asleep <= 0 && a->owing == 0;
		pthread_mutex_unlock(&a->lock);
		if (quiet)
			return;
		nanosleep(&(struct timespec){0, LOOK_NS}, NULL);
	}
}

/* Make it `now` at the earliest. When the next thing is due. */
static int64_t tell(struct adapter *a, int64_t now)
{
	pthread_mutex_lock(&a->lock);
	a->now = MAX(a->now, now);
	now = a->now;
	pthread_mutex_unlock(&a->lock);
	int64_t next = via_posix_tell(a->p, now);
	pthread_mutex_lock(&a->lock);
	news(a);
	for (struct poller *p = a->pollers; p; p = p->next)
		next = p->until > now ? MIN(next, p->until) : next;
	pthread_mutex_unlock(&a->lock);
	return MAX(next, now + 1);
}

int adapter_usleep(void *userdata, useconds_t usecs)
{
	struct adapter *a = userdata;
	int64_t until = adapter_now(a) + (int64_t)usecs * 1000, now = 0;
	clock_seen(a);
	if (a->real)
		return clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){usecs / 1000000, usecs % 1000000 * 1000}, NULL);
	while (now < until) {
		settle(a);
		now = MIN(tell(a, now), until);
		tell(a, now);
	}
	settle(a);
	return 0;
}

int adapter_gettimeofday(void *userdata, struct timeval *tv, struct timezone *tz)
{
	struct adapter *a = userdata;
	int64_t now = adapter_now(a);
	if (!a->real) {
		now += 1000;
		tell(a, now);
	}
	clock_seen(a);
	*tv = (struct timeval){now / NS_PER_S, now % NS_PER_S / 1000};
	return 0;
}

static struct leaving *packet_take(struct adapter *a)
{
	struct leaving *l = a->first;
	if (l)
		a->first = l->next;
	if (!a->first)
		a->last = &a->first;
	return l;
}

struct leaving *adapter_next_packet(struct adapter *a)
{
	int64_t now = adapter_now(a), until = now + PATIENCE_NS;
	clock_seen(a);
	for (;;) {
		if (!a->real)
			settle(a);
		pthread_mutex_lock(&a->lock);
		while (a->real && !a->first)
			pthread_cond_wait(&a->news, &a->lock);
		struct leaving *l = packet_take(a);
		pthread_mutex_unlock(&a->lock);
		if (l)
			return l;
		int64_t next = tell(a, now);
		pthread_mutex_lock(&a->lock);
		bool there = a->first;
		pthread_mutex_unlock(&a->lock);
		if (there)
			continue;
		if (next > until)
			return NULL;
		now = next;
		tell(a, now);
	}
}
