/* cmd/job.c - see job.h. */
#include "cmd/job.h"
#include "cmd/ask.h"
#include "cmd/control.h"
#include "cmd/lab_host.h"
#include "lab/job.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* --- in a lab that is up --- */

static bool is_last(const json_t *msg)
{
	return json_is_true(json_object_get(msg, "done")) || json_object_get(msg, "error");
}

/* The last message, or NULL: the lab ended. Gives. */
static json_t *hear(int fd, int sfd, void (*message)(void *ctx, const json_t *msg), void *ctx)
{
	for (;;) {
		if (lab_host_wait_readable(fd, sfd) == sfd) {
			json_t *stop = json_pack("{s:s}", "op", "stop");
			lab_host_signal_read(sfd);
			control_send(fd, stop, NULL, 0);
			json_decref(stop);
			continue;
		}
		json_t *msg = control_recv(fd, NULL, NULL);
		if (!msg || is_last(msg))
			return msg;
		message(ctx, msg);
		json_decref(msg);
	}
}

static json_t *run_there(const char *name, const json_t *what, void (*message)(void *ctx, const json_t *msg), void *ctx, int *status)
{
	int fd = control_connect(name), sfd;
	*status = EXIT_FAILED;
	if (fd < 0) {
		control_fail(EXIT_FAILED, name, fd);
		return NULL;
	}
	json_t *request = json_deep_copy(what);
	json_object_set_new(request, "op", json_string("job"));
	sfd = lab_host_signals();
	control_send(fd, request, NULL, 0);
	json_t *msg = hear(fd, sfd, message, ctx);
	json_decref(request);
	close(sfd);
	close(fd);
	if (!msg)
		cmd_fail(EXIT_FAILED, "the lab '%s' ended", name);
	else if ((*status = ask_refused(msg)) != 0) {
		json_decref(msg);
		msg = NULL;
	}
	return msg;
}

/* --- in a lab of its own --- */

struct own {
	struct loop *loop; /* under real time */
	struct lab_job *job;
	void (*message)(void *ctx, const json_t *msg);
	void *ctx;
	json_t *last;
};

static void on_message(void *ctx, const json_t *msg)
{
	struct own *o = ctx;
	if (!is_last(msg)) {
		o->message(o->ctx, msg);
		return;
	}
	o->last = json_deep_copy(msg);
	if (o->loop)
		loop_stop(o->loop, EXIT_WELL);
}

static bool is_over(void *ctx)
{
	return ((struct own *)ctx)->last != NULL;
}

static void on_signal(void *ctx, int signo)
{
	lab_job_stop(((struct own *)ctx)->job);
}

static void run_in(struct lab *lab, bool real_time, struct own *o, const json_t *what, int *status)
{
	char err[256];
	o->loop = real_time ? loop_new() : NULL;
	if (real_time && (!o->loop || lab_attach(lab, o->loop) < 0)) {
		*status = cmd_fail(EXIT_FAILED, "cannot run the lab: %s", lab_attach_error(lab));
		return;
	}
	if (real_time)
		lab_host_settle(lab);
	o->job = lab_job_new(lab, what, on_message, o, err);
	if (!o->job) {
		*status = cmd_fail(EXIT_USAGE, "%s", err);
	} else if (real_time) {
		loop_signal(o->loop, SIGINT, on_signal, o);
		loop_run(o->loop);
	} else {
		lab_run(lab, TIME_NEVER, is_over, o);
	}
	lab_job_free(o->job);
}

json_t *job_run(const struct job_place *where, const json_t *what, void (*message)(void *ctx, const json_t *msg), void *ctx, int *status)
{
	struct own o = {.message = message, .ctx = ctx};
	if (where->name)
		return run_there(where->name, what, message, ctx, status);
	struct lab *lab = where->lab ? where->lab : lab_host_load(where->file, where->shape, &where->opts);
	*status = lab ? EXIT_FAILED : EXIT_USAGE;
	if (lab)
		run_in(lab, where->lab || where->opts.real_time, &o, what, status);
	lab_free(lab);
	if (o.loop)
		loop_free(o.loop);
	return o.last;
}

/* --- words --- */

int64_t job_seconds(const char *text, const char *option, int64_t ns)
{
	char *end;
	if (!text)
		return ns;
	double s = strtod(text, &end);
	if (end == text || *end || !(s >= 0 && s <= 1e6))
		return cmd_fail(-1, "%s wants seconds, not '%s'", option, text);
	return (int64_t)(s * 1e9);
}

int64_t job_number(const char *text, const char *option, int64_t least, int64_t most, int64_t value)
{
	char *end;
	if (!text)
		return value;
	errno = 0;
	long long n = strtoll(text, &end, 10);
	if (errno || end == text || *end || n < least || n > most)
		return cmd_fail(-1, "%s wants a number from %lld to %lld, not '%s'", option, (long long)least, (long long)most, text);
	return n;
}
