/* packetdrill/adapter.h - what the files of this room share: one stack, its wire, and the time.
 *
 * The stack stands on a runner whose time is told (posix.h). Time moves only when the tool reads the clock (by 1 µs), sleeps, or
 * waits for a packet; then it goes from one thing due to the next, and before each step every call under way must sleep or be
 * over, and the thread of one that is over must have read the clock: so what a call says of the time does not depend on how
 * threads are scheduled. With time=real the machine's clock counts instead.
 *
 * `lock` covers what is below it and is inner to the runner's baton: the stack's packets come in under the baton. */
#ifndef PACKETDRILL_ADAPTER_H
#define PACKETDRILL_ADAPTER_H

#include "base/defs.h"
#include "packetdrill/table.h"

#include <pthread.h>
#include <viaduct/buffer.h>
#include <viaduct/posix.h>

enum { SETTINGS_MAX = 64, SETTING_LEN = 64 };

/* A packet that left. */
struct leaving {
	struct leaving *next;
	int64_t when;
	size_t len;
	uint8_t bytes[];
};

/* A call of poll() or epoll_wait() that sleeps. */
struct poller {
	int64_t until;
	struct poller *next, **link;
};

struct adapter {
	struct via *v;
	struct via_posix *p;
	struct via_buffer *wire;
	bool real;
	const char *sysctl;                       /* folder of Linux's settings, or empty */
	char *flags;                              /* the text `sysctl` lies in */
	char settings[SETTINGS_MAX][SETTING_LEN]; /* as last read; with the baton */

	pthread_mutex_t lock;
	pthread_cond_t news;     /* gen was counted up */
	int64_t now;             /* ns; unless `real` */
	uint64_t gen;            /* counts what may change a descriptor's readiness */
	int inside;              /* calls under way */
	int polling;             /* of them in poll() and asleep since gen was counted up last */
	int owing;               /* threads whose call is over and who did not read the clock yet */
	struct poller *pollers;
	struct leaving *first, **last;
};

/* --- clock.c --- */

/* A call begins and ends. errno stays. */
void adapter_enter(struct adapter *a);
void adapter_leave(struct adapter *a);
/* Something happened: those who poll look again. */
void adapter_news(struct adapter *a);
/* The first packet that left and is not taken yet, waiting for it; NULL: none will come within an hour. Gives it. */
struct leaving *adapter_next_packet(struct adapter *a);
int64_t adapter_now(struct adapter *a); /* ns */
int adapter_usleep(void *userdata, useconds_t usecs);
int adapter_gettimeofday(void *userdata, struct timeval *tv, struct timezone *tz);

/* --- adapter.c --- */

/* Take over what changed in the folder of settings. */
void adapter_settings(struct adapter *a);

/* --- ready.c --- */

int adapter_poll(void *userdata, struct pollfd *fds, nfds_t n, int timeout);
int adapter_epoll_wait(void *userdata, int epfd, struct epoll_event *events, int max, int timeout);

/* --- calls.c --- */

/* All of the table but time, packets and `free`. */
void adapter_calls(struct packetdrill_interface *t);
/* sendfile(2) to a socket of ours; off may be NULL. errno ENOTSOCK: it is none. */
ssize_t adapter_sendfile(int out, int in, off_t *off, size_t n);

#endif
