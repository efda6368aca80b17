/* posix/posix.h - what the files of this room share: the runner with its baton, and a socket behind a descriptor.
 *
 * Two locks. The baton (one per runner) covers its stacks, its list of sockets and all of a socket but `refs`. The table's
 * lock covers the table of descriptors and of stacks, and is the inner one: whoever holds it takes no other. */
#ifndef POSIX_POSIX_H
#define POSIX_POSIX_H

#include "base/defs.h"
#include "host/loop.h"

#include <pthread.h>
#include <stdatomic.h>
#include <viaduct/posix.h>

enum { POSIX_STACKS = 64 };

struct psock;

/* A call that sleeps; on its own stack, in the runner's list. With the baton. */
struct sleeper {
	struct psock *ps;
	uint32_t seq;  /* of ps when it fell asleep */
	int64_t until;
	struct sleeper *next, **link;
};

struct via_posix {
	pthread_mutex_t baton;
	bool told;             /* the owner tells the time; there is no thread */
	int64_t now;           /* then: it */
	struct sleeper *sleepers;
	pthread_t thread;
	struct loop *loop;     /* touched by the thread only */
	struct loop_task task;
	int watch;             /* epoll of drivers' descriptors and of `kick`; in the loop */
	int kick;              /* eventfd: look at the deadlines again */
	struct via *stacks[POSIX_STACKS];
	int n_stacks;
	int64_t wake_at;       /* when the thread will look by itself; TIME_NEVER */
	int64_t next_trim;
	bool stop;
	struct psock *socks;
	struct psock *doomed;  /* closed behind our back, to be closed in the next turn; covered by the table's lock */
};

/* A socket. Lives until the table and every call under way let go of it. */
struct psock {
	struct via_handler h; /* first: the cookie of its events */
	struct via_posix *p;
	struct via *v;
	via_sock s;
	enum via_type type;
	bool is_v6;        /* AF_INET6 */
	int fd;            /* the user's end of the pair */
	int held;          /* a duplicate of it, so that we never touch what is behind the number after a close(2) */
	int own;           /* the other end; -1 once closed, which shows an error */
	uint32_t shown;    /* VIA_* bits that fd shows */
	uint32_t owed;     /* edges not shown yet */
	uint32_t seq;      /* counts events: did anything happen since? */
	int readers, writers; /* calls asleep, with SO_RCVTIMEO and with SO_SNDTIMEO */
	bool closed;
	uint32_t zerocopies, zerocopies_told; /* sends with MSG_ZEROCOPY, and how many of them the error queue told of */
	atomic_int refs;
	pthread_cond_t cond;
	struct psock *next, **link; /* of p->socks */
	struct psock *next_doomed;
};

/* --- baton.c --- */

/* Run the stacks until they rest, but not for long; wake the thread if it would come too late. With the baton. */
void posix_turn(struct via_posix *p);
int64_t posix_now(const struct via_posix *p);
void posix_baton_take(struct via_posix *p);
void posix_baton_give(struct via_posix *p); /* runs a turn before */

/* One call on a socket. attempt() makes it (with the baton, v's clock set) and says -EAGAIN while it would block; then, unless
 * `timeo` is 0, or the descriptor or `flags` (MSG_DONTWAIT) say not to wait, it sleeps without the baton and tries again after
 * each event.
 * timeo: SO_RCVTIMEO or SO_SNDTIMEO, which limits the sleep. Returns attempt's result; -EBADF, -ENOTSOCK. */
int64_t posix_call(int fd, int flags, int timeo, int64_t (*attempt)(struct psock *ps, void *arg), void *arg);
/* With the baton held: sleep until is_over() or for ns, whatever O_NONBLOCK says. */
void posix_linger(struct psock *ps, int64_t ns, bool (*is_over)(struct psock *ps));
/* A negative errno becomes -1 and errno. */
int64_t posix_result(int64_t r);

/* --- table.c --- */

int table_set(struct psock *ps);          /* under ps->fd; takes a hold. Who had the number is doomed. 0, -ENOMEM */
struct psock *table_get(int fd);          /* gives a hold, or NULL */
struct psock *table_take(int fd);         /* takes it out, gives the table's hold, or NULL */
bool table_drop(struct psock *ps);        /* takes it out if it is there; then the caller owns the table's hold */
struct psock *table_doomed(struct via_posix *p); /* one of the doomed, with its hold, or NULL */
void psock_put(struct psock *ps);         /* lets a hold go */
int runner_set(struct via *v, struct via_posix *p); /* 0, -EALREADY, -ENOMEM */
void runner_drop(struct via *v);
struct via_posix *runner_of(const struct via *v);   /* or NULL */

/* --- mirror.c --- */

/* Make the pair: ps->fd, ps->held and ps->own. flags: SOCK_NONBLOCK, SOCK_CLOEXEC. 0 or -errno. */
int mirror_new(struct psock *ps, int flags);
/* Show what is ready now, and the edges owed. With the baton. */
void mirror_sync(struct psock *ps);
/* A socket whose end was shown begins anew: another file behind the same number. */
void mirror_renew(struct psock *ps);
void mirror_close(struct psock *ps);

/* --- sockets.c --- */

/* Close for good: with the baton; the caller owns no hold afterwards but its own. */
void psock_close(struct psock *ps);

/* --- addr.c --- */

/* An address as the user wrote it. */
struct named {
	struct via_sockaddr a;
	int family;
	socklen_t len;
};
/* 0, -EINVAL (too short), -EAFNOSUPPORT. */
int addr_from(const struct sockaddr *sa, socklen_t len, struct named *out);
/* May ps be given it? binds: by bind(). 0, -EINVAL, -EAFNOSUPPORT. */
int addr_suits(const struct psock *ps, const struct named *n, bool binds);
/* Cut to *len, which becomes the true length. sa may be NULL. */
void addr_to(const struct via_sockaddr *a, bool is_v6, struct sockaddr *sa, socklen_t *len);

#endif
