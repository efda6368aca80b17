/* drill/call.c - socket calls: finding their function, waiting, and judging their result. */
#include "drill/call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

const struct drill_expr *call_arg(const struct drill_call *c, int i)
{
	static const struct drill_expr none = {.kind = EX_ELLIPSIS};
	const struct drill_expr *e = c->args;
	while (e && i-- > 0)
		e = e->next;
	return e ? e : &none;
}

int64_t call_int(struct drill_run *r, const struct drill_call *c, int i, int64_t or)
{
	const struct drill_expr *e = call_arg(c, i);
	if (e->kind == EX_ELLIPSIS)
		return or;
	if (e->kind == EX_LIST && e->first && e->first->kind == EX_INT)
		e = e->first;
	if (e->kind != EX_INT && e->kind != EX_NULL)
		drill_fail(r, r->under.e->line, "argument %d of %s() is no number", i + 1, c->name);
	return e->num;
}

const struct drill_expr *call_field(const struct drill_expr *e, const char *name)
{
	for (const struct drill_expr *f = e->kind == EX_FIELDS ? e->first : NULL; f; f = f->next)
		if (strcmp(f->name, name) == 0)
			return f;
	return NULL;
}

struct drill_file *call_file(struct drill_run *r, const struct drill_call *c, int i)
{
	int64_t fd = call_int(r, c, i, -1);
	return fd >= 0 && fd < DRILL_FILES && r->files[fd].kind != FILE_NONE ? &r->files[fd] : NULL;
}

struct drill_file *call_socket(struct drill_run *r, const struct drill_call *c, int i, int64_t *err)
{
	struct drill_file *f = call_file(r, c, i);
	*err = !f ? -EBADF : f->kind != FILE_SOCKET ? -ENOTSOCK : 0;
	return *err ? NULL : f;
}

int64_t call_new_file(struct drill_run *r, const struct drill_call *c, int64_t wanted, enum drill_file_kind kind)
{
	int64_t fd = wanted;
	if (fd < 0)
		for (fd = 3; fd < DRILL_FILES && r->files[fd].kind != FILE_NONE;)
			fd++;
	if (fd >= DRILL_FILES || r->files[fd].kind != FILE_NONE) {
		drill_fail(r, r->under.e->line, "%s() gives descriptor %lld, which is %s", c->name, (long long)fd,
			   fd >= DRILL_FILES ? "too large a number" : "open already");
		return CALL_BROKEN;
	}
	r->files[fd] = (struct drill_file){.kind = kind, .flow = -1, .wpos = 1, .rpos = 1, .other = -1};
	return fd;
}

int64_t call_would_wait(struct drill_run *r, const struct drill_file *f, int flags, int timeo)
{
	int64_t tv[2] = {0};
	uint32_t len = sizeof(tv);
	if (f->nonblock || flags & MSG_DONTWAIT)
		return -EAGAIN;
	if (timeo && via_getsockopt(r->v, f->s, SOL_SOCKET, timeo, tv, &len) == 0 && (tv[0] || tv[1]))
		r->under.deadline = r->under.began + tv[0] * NS_PER_S + tv[1] * NS_PER_US;
	return r->now >= r->under.deadline ? -EAGAIN : CALL_WAIT;
}

int64_t call_differs(struct drill_run *r, const char *what, const char *expected, const char *seen)
{
	drill_fail(r, r->under.e->line, "%s() gave another %s", r->under.e->call->name, what);
	drill_sides(r, expected, seen);
	return CALL_BROKEN;
}

int64_t call_number_differs(struct drill_run *r, const char *what, int64_t expected, int64_t seen, bool hex)
{
	char a[32], b[32];
	snprintf(a, sizeof(a), hex ? "%#llx" : "%lld", (long long)expected);
	snprintf(b, sizeof(b), hex ? "%#llx" : "%lld", (long long)seen);
	return call_differs(r, what, a, b);
}

/* "read(4, ..., 10) = -1 EAGAIN" */
static void result_text(const struct drill_call *c, int64_t v, int error, char out[DRILL_LINE_MAX])
{
	if (error)
		snprintf(out, DRILL_LINE_MAX, "%.400s = -1 %s", c->head, drill_errno_name(error));
	else
		snprintf(out, DRILL_LINE_MAX, "%.400s = %lld", c->head, (long long)v);
}

/* The call ended with `v`: is that what the script says, and when? */
static bool judge(struct drill_run *r, const struct drill_event *e, int64_t v)
{
	const struct drill_call *c = e->call;
	int error = v < 0 ? (int)-v : 0;
	int64_t result = v < 0 ? -1 : v;
	if (c->result->kind == EX_INT && (c->result->num != result || (c->error && c->error != error))) {
		char a[DRILL_LINE_MAX], b[DRILL_LINE_MAX];
		result_text(c, c->result->num, c->error, a);
		result_text(c, result, error, b);
		drill_fail(r, e->line, "%s() gave another result", c->name);
		drill_sides(r, a, b);
		return false;
	}
	return !c->blocks || drill_in_time(r, e, c->end_ns, c->end_ns, drill_time(r), "this call returned");
}

static call_fn find(const char *name)
{
	call_fn f = call_of_socket(name);
	f = f ? f : call_of_data(name);
	f = f ? f : call_of_poll(name);
	return f ? f : call_of_option(name);
}

/* Make it. True if it ended, one way or the other. */
static bool attempt(struct drill_run *r)
{
	const struct drill_event *e = r->under.e;
	int64_t v = find(e->call->name)(r, e->call);
	r->under.tries++;
	if (v == CALL_WAIT && !r->has_failed)
		return false;
	if (v != CALL_BROKEN && !r->has_failed)
		judge(r, e, v);
	r->under.e = NULL;
	return true;
}

bool drill_call_begin(struct drill_run *r, const struct drill_event *e)
{
	if (!find(e->call->name))
		return drill_fail(r, e->line, "the call %s() is not known here", e->call->name);
	r->under = (struct drill_under){.e = e, .began = r->now, .deadline = TIME_NEVER};
	if (!attempt(r) && !e->call->blocks)
		return drill_fail(r, e->line, "%s() blocks: a script says so by START...END before the call", e->call->name);
	return !r->has_failed;
}

bool drill_call_again(struct drill_run *r)
{
	return attempt(r);
}

bool drill_call_finish(struct drill_run *r)
{
	const struct drill_event *e = r->under.e;
	int64_t until = r->begin + e->call->end_ns + 2 * NS_PER_S;
	while (r->under.e && r->now < until) {
		int64_t end = r->begin + e->call->end_ns; /* first to its time, then to the last moment */
		if (!drill_pass(r, end > r->now ? end : until, false))
			return false;
	}
	if (!r->under.e)
		return !r->has_failed;
	drill_fail(r, e->line, "%s() has not returned", e->call->name);
	fprintf(r->how->err, "  expected  at %s\n  seen      it still waits at %s\n", drill_seconds(e->call->end_ns),
		drill_seconds(drill_time(r)));
	return false;
}

void drill_files_close(struct drill_run *r)
{
	for (int fd = 0; fd < DRILL_FILES; fd++) {
		free(r->files[fd].watches);
		r->files[fd].watches = NULL;
	}
}
