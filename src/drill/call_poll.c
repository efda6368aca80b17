/* drill/call_poll.c - poll and epoll over the level of readiness and the edges that the stack tells. */
#include "drill/call.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

/* All bits that hold of a descriptor now, in poll's words. */
static uint32_t ready(struct drill_run *r, const struct drill_file *f)
{
	if (f->kind != FILE_SOCKET)
		return f->kind == FILE_EPOLL ? 0 : POLLIN | POLLOUT;
	uint32_t v = via_ready(r->v, f->s), bits = v & (VIA_IN | VIA_PRI | VIA_OUT | VIA_ERR | VIA_HUP | VIA_RDHUP);
	return bits | (v & VIA_IN ? POLLRDNORM : 0) | (v & VIA_OUT ? POLLWRNORM : 0);
}

/* Nothing is ready: until the timeout, milliseconds. */
static int64_t wait_ms(struct drill_run *r, int64_t ms)
{
	if (ms >= 0)
		r->under.deadline = r->under.began + ms * NS_PER_MS;
	return r->now >= r->under.deadline ? 0 : CALL_WAIT;
}

static uint32_t poll_one(struct drill_run *r, const struct drill_expr *e)
{
	const struct drill_expr *fd = call_field(e, "fd"), *events = call_field(e, "events");
	if (!fd || !events) {
		drill_fail(r, r->under.e->line, "a pollfd is {fd=N, events=E, revents=R}");
		return 0;
	}
	if (fd->num < 0)
		return 0;
	if (fd->num >= DRILL_FILES || r->files[fd->num].kind == FILE_NONE)
		return POLLNVAL;
	return ready(r, &r->files[fd->num]) & ((uint32_t)events->num | POLLERR | POLLHUP);
}

static int64_t do_poll(struct drill_run *r, const struct drill_call *c)
{
	const struct drill_expr *list = call_arg(c, 0), *want;
	int64_t n = 0;
	for (const struct drill_expr *e = list->first; e; e = e->next)
		n += poll_one(r, e) != 0;
	if (n == 0 && !r->has_failed) {
		n = wait_ms(r, call_int(r, c, 2, -1));
		if (n == CALL_WAIT)
			return n;
	}
	for (const struct drill_expr *e = list->first; e && !r->has_failed; e = e->next) {
		uint32_t seen = poll_one(r, e);
		want = call_field(e, "revents");
		if ((want ? want->num : 0) != seen)
			return call_number_differs(r, "revents", want ? want->num : 0, seen, true);
	}
	return n;
}

static int64_t do_epoll_create(struct drill_run *r, const struct drill_call *c)
{
	if (strcmp(c->name, "epoll_create") == 0 && call_int(r, c, 0, 1) <= 0)
		return -EINVAL;
	int64_t fd = call_new_file(r, c, c->result->kind == EX_INT ? c->result->num : -1, FILE_EPOLL);
	if (fd < 0)
		return fd;
	struct drill_watch *w = r->files[fd].watches = calloc(DRILL_WATCHES, sizeof(*w));
	if (!w) {
		r->files[fd].kind = FILE_NONE;
		return -ENOMEM;
	}
	for (int i = 0; i < DRILL_WATCHES; i++)
		w[i].fd = -1;
	return fd;
}

static struct drill_watch *watch_of(struct drill_file *ep, int fd)
{
	for (int i = 0; i < DRILL_WATCHES; i++)
		if (ep->watches[i].fd == fd)
			return &ep->watches[i];
	return NULL;
}

static uint64_t user_data(const struct drill_expr *e)
{
	static const char *const names[] = {"fd", "ptr", "u32", "u64"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct drill_expr *f = call_field(e, names[i]);
		if (f)
			return (uint64_t)f->num;
	}
	return 0;
}

static int64_t do_epoll_ctl(struct drill_run *r, const struct drill_call *c)
{
	struct drill_file *ep = call_file(r, c, 0), *f = call_file(r, c, 2);
	int64_t op = call_int(r, c, 1, 0);
	if (!ep || !f)
		return -EBADF;
	if (ep->kind != FILE_EPOLL || ep == f)
		return -EINVAL;
	int fd = (int)(f - r->files);
	struct drill_watch *w = watch_of(ep, fd);
	if (op == EPOLL_CTL_ADD && w)
		return -EEXIST;
	if (op != EPOLL_CTL_ADD && !w)
		return -ENOENT;
	if (op == EPOLL_CTL_ADD && !(w = watch_of(ep, -1)))
		return -ENOSPC;
	const struct drill_expr *events = call_field(call_arg(c, 3), "events");
	*w = (struct drill_watch){.fd = op == EPOLL_CTL_DEL ? -1 : fd, .events = events ? (uint32_t)events->num : 0,
				  .data = user_data(call_arg(c, 3)), .is_new = true};
	return 0;
}

/* The events to tell of one watch. */
static uint32_t due(struct drill_run *r, struct drill_watch *w)
{
	if (w->fd < 0 || w->is_off || (w->events & EPOLLET && !w->is_new))
		return 0;
	uint32_t bits = ready(r, &r->files[w->fd]) & (w->events | EPOLLERR | EPOLLHUP);
	if (!bits)
		w->is_new = false;
	return bits;
}

static int64_t check_event(struct drill_run *r, const struct drill_expr *want, const struct drill_watch *w, uint32_t bits)
{
	const struct drill_expr *events = call_field(want, "events");
	if (events && events->kind == EX_INT && (uint32_t)events->num != bits)
		return call_number_differs(r, "events", events->num, bits, true);
	uint64_t data = user_data(want);
	return data != w->data ? call_number_differs(r, "data of the event", (int64_t)data, (int64_t)w->data, false) : 0;
}

static int64_t do_epoll_wait(struct drill_run *r, const struct drill_call *c)
{
	struct drill_file *ep = call_file(r, c, 0);
	const struct drill_expr *list = call_arg(c, 1), *want = list->kind == EX_LIST ? list->first : list;
	int64_t max = call_int(r, c, 2, 1), n = 0;
	if (!ep)
		return -EBADF;
	if (ep->kind != FILE_EPOLL || max <= 0)
		return -EINVAL;
	for (int i = 0; i < DRILL_WATCHES && n < max; i++) {
		struct drill_watch *w = &ep->watches[i];
		uint32_t bits = due(r, w);
		if (!bits)
			continue;
		if (want && want->kind == EX_FIELDS && check_event(r, want, w, bits))
			return CALL_BROKEN;
		want = want && list->kind == EX_LIST ? want->next : NULL;
		w->is_new = false;
		w->is_off = w->events & EPOLLONESHOT;
		n++;
	}
	return n ? n : wait_ms(r, call_int(r, c, 3, -1));
}

call_fn call_of_poll(const char *name)
{
	static const struct {
		const char *name;
		call_fn fn;
	} calls[] = {
		{"poll", do_poll}, {"epoll_create", do_epoll_create}, {"epoll_create1", do_epoll_create}, {"epoll_ctl", do_epoll_ctl},
		{"epoll_wait", do_epoll_wait},
	};
	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		if (strcmp(calls[i].name, name) == 0)
			return calls[i].fn;
	return NULL;
}
