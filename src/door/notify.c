/* door/notify.c - the notified calls: receiving, dispatching, answering, holding.
 *
 * One table says which handler a system call has. Calls on descriptors that are not ours go on in the kernel. An answer is
 * given once; when the program has left its call meanwhile (a signal, a kill) the answer cannot be given: what was taken is
 * put back (`undo`), and what must not happen twice is kept for the repeated call of that thread (`once`). A held call is
 * run again whenever its socket moved, until its handler has a result or its time is over. */
#include "door/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif
#ifndef SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

enum { NOTIFY_BATCH = 32 };

typedef int64_t (*call_fn)(struct door *d, struct call *c, struct dsock *s);

static const struct {
	int nr;
	call_fn run;
} notify_table[] = {
	{__NR_connect, door_call_connect},
	{__NR_bind, door_call_bind},
	{__NR_listen, door_call_listen},
	{__NR_accept, door_call_accept},
	{__NR_accept4, door_call_accept},
	{__NR_getsockname, door_call_getsockname},
	{__NR_getpeername, door_call_getpeername},
	{__NR_getsockopt, door_call_getsockopt},
	{__NR_setsockopt, door_call_setsockopt},
	{__NR_shutdown, door_call_shutdown},
	{__NR_sendto, door_call_sendto},
	{__NR_recvfrom, door_call_recvfrom},
	{__NR_sendmsg, door_call_sendmsg},
	{__NR_recvmsg, door_call_recvmsg},
	{__NR_sendmmsg, door_call_sendmmsg},
	{__NR_recvmmsg, door_call_recvmmsg},
	{__NR_ioctl, door_call_ioctl},
};

bool door_call_valid(struct door *d, const struct call *c)
{
	return ioctl(d->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &c->id) == 0;
}

/* --- answering --- */

/* True when the program got it; false when it had left its call. */
static bool notify_send(struct door *d, const struct call *c, int64_t result)
{
	struct seccomp_notif_resp *r = d->resp;
	memset(r, 0, d->resp_bytes);
	r->id = c->id;
	if (result == ANSWER_CONTINUE)
		r->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	else if (result < 0)
		r->error = (int)result;
	else
		r->val = result;
	return ioctl(d->listener, SECCOMP_IOCTL_NOTIF_SEND, r) == 0;
}

static void replay_keep(struct door *d, const struct call *c, int64_t result)
{
	unsigned i = (unsigned)c->tid % DOOR_REPLAYS;
	d->replay[i].tid = c->tid;
	d->replay[i].nr = c->nr;
	memcpy(d->replay[i].arg, c->arg, sizeof(c->arg));
	d->replay[i].result = result;
}

/* Is c the repetition of the call whose answer this thread did not get? Forgets it either way. */
static bool replay_take(struct door *d, const struct call *c, int64_t *result)
{
	unsigned i = (unsigned)c->tid % DOOR_REPLAYS;
	if (d->replay[i].tid != c->tid)
		return false;
	d->replay[i].tid = 0;
	*result = d->replay[i].result;
	return d->replay[i].nr == c->nr && memcmp(d->replay[i].arg, c->arg, sizeof(c->arg)) == 0;
}

static void notify_answer(struct door *d, struct call *c, struct dsock *s, int64_t result)
{
	bool withdrawn = result == WITHDRAWN; /* before it was done, or undo knows */
	if (result == ANSWER_GIVEN || (!withdrawn && notify_send(d, c, result)))
		return;
	if (c->undo)
		c->undo(d, s);
	if (c->once && !withdrawn)
		replay_keep(d, c, result);
}

int door_inject_at(struct door *d, struct call *c, int fd, int at, bool cloexec)
{
	struct seccomp_notif_addfd a = {.id = c->id, .srcfd = (uint32_t)fd, .newfd_flags = cloexec ? O_CLOEXEC : 0};
	if (at >= 0) {
		a.flags = SECCOMP_ADDFD_FLAG_SETFD;
		a.newfd = (uint32_t)at;
	} else {
		a.flags = SECCOMP_ADDFD_FLAG_SEND;
	}
	int n = ioctl(d->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &a);
	if (n >= 0)
		return n;
	/* A thread interrupted while the descriptor was on its way clears it with ESRCH. */
	return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? -errno : WITHDRAWN;
}

int door_inject(struct door *d, struct call *c, int fd, bool cloexec)
{
	return door_inject_at(d, c, fd, -1, cloexec);
}

/* --- holding --- */

static int64_t notify_hold(struct door *d, const struct call *c, struct dsock *s, call_fn run)
{
	struct held *h = calloc(1, sizeof(*h));
	if (!h)
		return -ENOMEM;
	h->call = *c;
	h->run = run;
	h->deadline = c->timeout == TIME_NEVER || c->timeout == 0 ? TIME_NEVER : loop_now() + c->timeout;
	*s->held_tail = h;
	s->held_tail = &h->next;
	d->held_next = MIN(d->held_next, h->deadline);
	d->task.deadline = MIN(d->task.deadline, h->deadline);
	return ANSWER_GIVEN;
}

/* Unlink the held call that *p points at; gives it. */
static struct held *held_take(struct dsock *s, struct held **p)
{
	struct held *h = *p;
	*p = h->next;
	if (s->held_tail == &h->next)
		s->held_tail = p;
	return h;
}

void door_held_run(struct dsock *s)
{
	struct door *d = s->d;
	ino_t ino = s->ino;
	for (struct held **p = &s->held; *p;) {
		struct held *h = *p;
		if (!door_call_valid(d, &h->call)) {
			free(held_take(s, p));
			continue;
		}
		h->call.again = true;
		h->call.undo = NULL;
		int64_t r = h->run(d, &h->call, s);
		if (ino && door_table_find(d, ino) != s) /* the handler let it go, held calls and all */
			return;
		if (r == ANSWER_HELD) {
			p = &h->next;
			continue;
		}
		held_take(s, p);
		notify_answer(d, &h->call, s, r);
		free(h);
	}
}

void door_held_answer(struct dsock *s, int err)
{
	while (s->held) {
		struct held *h = held_take(s, &s->held);
		notify_answer(s->d, &h->call, s, err);
		free(h);
	}
}

void door_held_connected(struct dsock *s)
{
	for (struct held **p = &s->held; *p;) {
		if ((*p)->call.nr != __NR_connect) {
			p = &(*p)->next;
			continue;
		}
		struct held *h = held_take(s, p);
		notify_answer(s->d, &h->call, s, 0);
		free(h);
	}
	if (s->held) /* sends that have connected (MSG_FASTOPEN) */
		door_held_run(s);
}

void door_held_expire(struct door *d, int64_t now)
{
	d->held_next = TIME_NEVER;
	for (struct dsock *s = d->socks; s; s = s->next) {
		for (struct held **p = &s->held; *p;) {
			if ((*p)->deadline > now) {
				d->held_next = MIN(d->held_next, (*p)->deadline);
				p = &(*p)->next;
				continue;
			}
			struct held *h = held_take(s, p);
			notify_answer(d, &h->call, s, h->call.timeout_err);
			free(h);
		}
	}
}

void door_held_prune(struct dsock *s)
{
	for (struct held **p = &s->held; *p;) {
		if (door_call_valid(s->d, &(*p)->call))
			p = &(*p)->next;
		else
			free(held_take(s, p));
	}
}

/* A thread makes one call at a time: what is held of it from before is stale. */
static void held_forget(struct dsock *s, pid_t tid)
{
	for (struct held **p = &s->held; *p;) {
		if ((*p)->call.tid == tid)
			free(held_take(s, p));
		else
			p = &(*p)->next;
	}
}

/* --- receiving --- */

/* A call about a descriptor that is not ours. */
static int64_t notify_foreign(struct door *d, struct call *c, bool is_socket)
{
	if (c->nr == __NR_connect)
		return door_call_foreign_connect(d, c);
	return is_socket && c->nr == __NR_ioctl ? door_call_iface(d, c) : ANSWER_CONTINUE;
}

static call_fn notify_handler(int nr)
{
	for (size_t i = 0; i < ARRAY_LEN(notify_table); i++) {
		if (notify_table[i].nr == nr)
			return notify_table[i].run;
	}
	return NULL;
}

static void notify_dispatch(struct door *d, struct call *c)
{
	int64_t result;
	int err;
	if (replay_take(d, c, &result)) {
		notify_answer(d, c, NULL, result);
		return;
	}
	if (c->nr == __NR_socket) {
		notify_answer(d, c, NULL, door_call_socket(d, c, NULL));
		return;
	}
	ino_t ino = door_target_inode(d, c, (int)c->arg[0], &err);
	if (err == -EACCES)
		door_target_may(d, c); /* complains; what it holds is an AF_UNIX end at most, so the kernel's answer is no way out */
	struct dsock *s = ino ? door_table_find(d, ino) : NULL;
	call_fn run = notify_handler(c->nr);
	if (!s || !run) {
		notify_answer(d, c, NULL, notify_foreign(d, c, ino != 0));
		return;
	}
	s->pid = door_target_group(d, c->tid);
	s->fd = (int)c->arg[0];
	held_forget(s, c->tid);
	result = run(d, c, s);
	if (result == ANSWER_HELD)
		result = notify_hold(d, c, s, run);
	notify_answer(d, c, s, result);
	door_touched(d);
}

static bool notify_receive(struct door *d, struct call *c)
{
	struct seccomp_notif *q = d->req;
	memset(q, 0, d->req_bytes);
	if (ioctl(d->listener, SECCOMP_IOCTL_NOTIF_RECV, q) < 0)
		return false;
	*c = (struct call){.id = q->id, .tid = (pid_t)q->pid, .nr = q->data.nr, .timeout = TIME_NEVER, .timeout_err = -EAGAIN};
	for (int i = 0; i < 6; i++)
		c->arg[i] = q->data.args[i];
	d->stats.notifications++;
	d->stats.sendmsg_recvmsg += c->nr == __NR_sendmsg || c->nr == __NR_recvmsg || c->nr == __NR_sendmmsg || c->nr == __NR_recvmmsg;
	return true;
}

static void notify_ready(void *ctx, uint32_t events)
{
	struct door *d = ctx;
	for (int i = 0; i < NOTIFY_BATCH && (events & EPOLLIN); i++) {
		struct call c;
		host_node_present(d->node);
		bool came = notify_receive(d, &c);
		door_ends_run(d); /* a close or a write before this call is seen before it */
		if (came)
			notify_dispatch(d, &c);
		/* Receiving waits when nothing is there: ask first. */
		struct pollfd p = {.fd = d->listener, .events = POLLIN};
		events = poll(&p, 1, 0) == 1 ? (uint32_t)p.revents : 0;
	}
	if ((events & EPOLLHUP) && !(events & EPOLLIN)) /* nobody is left under the filter */
		loop_fd_del(d->loop, d->listener);
}

static void notify_ends(void *ctx, uint32_t events)
{
	struct door *d = ctx;
	host_node_present(d->node);
	door_ends_run(d);
}

int door_notify_start(struct door *d)
{
	struct seccomp_notif_sizes sizes = {0};
	d->ends = epoll_create1(EPOLL_CLOEXEC);
	int err = d->ends < 0 ? -errno : loop_fd_add(d->loop, d->ends, EPOLLIN, notify_ends, d);
	if (err < 0)
		return err;
	if (syscall(__NR_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0)
		return -errno;
	d->req_bytes = MAX(sizes.seccomp_notif, sizeof(struct seccomp_notif));
	d->resp_bytes = MAX(sizes.seccomp_notif_resp, sizeof(struct seccomp_notif_resp));
	d->req = calloc(1, d->req_bytes);
	d->resp = calloc(1, d->resp_bytes);
	if (!d->req || !d->resp)
		return -ENOMEM;
	d->stats.has_sync_wake_up = ioctl(d->listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP) == 0;
	return loop_fd_add(d->loop, d->listener, EPOLLIN, notify_ready, d);
}

void door_notify_stop(struct door *d)
{
	if (d->listener >= 0) {
		loop_fd_del(d->loop, d->listener);
		close(d->listener);
		d->listener = -1;
	}
	if (d->ends >= 0) {
		loop_fd_del(d->loop, d->ends);
		close(d->ends);
		d->ends = -1;
	}
	free(d->req);
	free(d->resp);
	d->req = d->resp = NULL;
}
