/* cmd/tell.c - see the header. A question is read and answered in one turn of the loop; who asks slowly is left after a second. */
#include "cmd/tell.h"
#include "cmd/cmd.h"
#include "cmd/control.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

struct tell {
	struct loop *loop;
	json_t *(*ss)(void *ctx, const char *node);
	void *ctx;
	char name[32];
	int fd;
};

static json_t *answer_to(const struct tell *t, const json_t *msg)
{
	const char *op = json_string_value(json_object_get(msg, "op")), *node = json_string_value(json_object_get(msg, "node"));
	if (!op || strcmp(op, "ss") != 0)
		return json_pack("{s:s, s:i}", "error", "that is a program of `via run`, not a lab: it tells of its sockets (via ss)", "status",
				 EXIT_FAILED);
	json_t *answer = t->ss(t->ctx, node);
	return answer ? answer :
			json_pack("{s:o, s:i}", "error", json_sprintf("no stack named '%s' in '%s'", node ? node : "", t->name), "status", EXIT_USAGE);
}

static void on_connection(void *ctx, uint32_t events)
{
	struct tell *t = ctx;
	const struct timeval tv = {1, 0};
	int fd = accept4(t->fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
	json_t *msg = control_recv(fd, NULL, NULL), *answer = msg ? answer_to(t, msg) : NULL; /* who only looked whether we live has gone */
	if (answer)
		control_send(fd, answer, NULL, 0);
	json_decref(answer);
	json_decref(msg);
	close(fd);
}

/* What those left who could not tidy up (SIGKILL). */
static void sweep(void)
{
	json_t *names = control_names(), *s;
	size_t i;
	json_array_foreach(names, i, s) {
		const char *name = json_string_value(s);
		char *end, path[108];
		bool is_run = strncmp(name, TELL_PREFIX, strlen(TELL_PREFIX)) == 0;
		long pid = is_run ? strtol(name + strlen(TELL_PREFIX), &end, 10) : 0;
		if (is_run && !*end && pid > 0 && kill((pid_t)pid, 0) < 0 && errno == ESRCH && control_path(name, false, path, sizeof path) == 0)
			unlink(path);
	}
	json_decref(names);
}

struct tell *tell_start(struct loop *loop, json_t *(*ss)(void *ctx, const char *node), void *ctx)
{
	struct tell *t = calloc(1, sizeof *t);
	if (!t)
		return NULL;
	*t = (struct tell){.loop = loop, .ss = ss, .ctx = ctx};
	snprintf(t->name, sizeof t->name, TELL_PREFIX "%d", (int)getpid());
	sweep();
	t->fd = control_listen(t->name);
	if (t->fd < 0 || loop_fd_add(loop, t->fd, EPOLLIN, on_connection, t) < 0) {
		if (t->fd >= 0)
			close(t->fd);
		free(t);
		return NULL;
	}
	return t;
}

void tell_stop(struct tell *t)
{
	char path[108];
	if (!t)
		return;
	loop_fd_del(t->loop, t->fd);
	close(t->fd);
	if (control_path(t->name, false, path, sizeof path) == 0)
		unlink(path);
	free(t);
}
