/* cmd/lab_host.c - a lab under its name: the control socket, and the programs that others start on its nodes.
 *
 * Each client connection is one program at most. A client that goes away leaves its program SIGHUP, and SIGKILL when it
 * minds that not; a program's door is freed only after it has ended. */
#include "cmd/lab_host.h"
#include "cmd/cmd.h"
#include "cmd/control.h"
#include "cmd/program.h"
#include "lab/job.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

struct client {
	struct server *server;
	struct client *next;
	struct program *program;
	struct lab_job *job;
	struct lab_dump *dump;
	char **argv, **envp;
	char *cwd;
	int fd;          /* -1: it left */
	int64_t kill_at; /* of the program of one that left */
	int stdio[3];
};

struct server {
	struct loop *loop;
	struct lab *lab;
	struct client *clients;
	struct loop_task reaper; /* of programs whose client left; and ends us at `until` */
	int64_t until;
	int fd;
	bool is_ending;
};

#define PATIENCE_NS (2 * NS_PER_S) /* with a program that was asked to end */

/* Does --www or --mail name a node with that service? False after a sentence. */
static bool root_fits(struct lab *lab, const char *option, const char *word, const char *kind)
{
	if (!word)
		return true;
	const char *eq = strchr(word, '=');
	json_t *all = lab_inspect(lab);
	const json_t *node, *service;
	size_t i, k;
	bool fits = false;
	json_array_foreach(json_object_get(all, "nodes"), i, node) {
		const char *name = json_string_value(json_object_get(node, "name"));
		if (!eq || strlen(name) != (size_t)(eq - word) || strncmp(name, word, (size_t)(eq - word)) != 0)
			continue;
		json_array_foreach(json_object_get(node, "services"), k, service)
			fits = fits || strcmp(json_string_value(json_object_get(service, "name")), kind) == 0;
	}
	json_decref(all);
	if (!fits)
		cmd_fail(EXIT_USAGE, "--%s wants NODE=DIR and a node with service %s, not '%s'", option, kind, word);
	return fits;
}

void lab_host_settle(struct lab *lab)
{
	if (!lab_settle(lab) && !cmd_global.quiet)
		fputs("via: some interface has got no address by DHCP\n", stderr);
}

struct lab *lab_host_load(const char *file, const char *shape, const struct lab_opts *o)
{
	struct lab_error e = {0};
	if (file && shape) {
		cmd_fail(EXIT_USAGE, "the lab is of a file (-t) or of a line (--topo), not both");
		return NULL;
	}
	struct lab *lab = file ? lab_load(file, o, &e) : lab_load_shape(shape, o, &e);
	if (lab && (!root_fits(lab, "www", o->www, "http") || !root_fits(lab, "mail", o->mail, "smtp"))) {
		lab_free(lab);
		return NULL;
	}
	if (lab && !o->real_time)
		lab_host_settle(lab);
	if (!lab && e.line)
		fprintf(stderr, "%s:%d:%d: %s\n", e.file, e.line, e.col, e.text);
	else if (!lab && e.file[0])
		fprintf(stderr, "%s: %s\n", e.file, e.text);
	else if (!lab)
		cmd_fail(EXIT_USAGE, "%s", e.text);
	return lab;
}

int lab_host_seed(const char *text, struct lab_opts *o)
{
	char *end;
	if (!text)
		return 0;
	errno = 0;
	o->seed = strtoull(text, &end, 0);
	o->has_seed = true;
	if (errno || end == text || *end || text[0] == '-')
		return cmd_fail(EXIT_USAGE, "--seed wants a number, not '%s'", text);
	return 0;
}

/* Why no program can run on `name`: one sentence. */
static void no_node_text(struct lab *lab, const char *name, char out[256])
{
	const char *kind = lab_node_kind(lab, name), *near = lab_node_nearest(lab, name);
	if (kind)
		snprintf(out, 256, "'%s' is a %s; programs run on hosts and routers", name, kind);
	else
		snprintf(out, 256, "no host or router named '%s' in lab '%s'%s%s%s", name, lab_name(lab), near ? ", did you mean '" : "",
			near ? near : "", near ? "'?" : "");
}

int lab_host_no_node(struct lab *lab, const char *name)
{
	char text[256];
	no_node_text(lab, name, text);
	return cmd_fail(EXIT_USAGE, "%s", text);
}

int lab_host_story_write(struct lab *lab, const char *path)
{
	json_t *story = lab_story(lab);
	int e = story ? json_dump_file(story, path, JSON_INDENT(1)) : -1;
	json_decref(story);
	if (e)
		cmd_fail(EXIT_FAILED, "cannot write %s: %s", path, strerror(errno));
	return e ? -EIO : 0;
}

void lab_host_print(const json_t *o)
{
	json_dumpf(o, stdout, cmd_global.pretty || !cmd_global.json ? JSON_INDENT(2) : JSON_COMPACT);
	putchar('\n');
}

int lab_host_wait_readable(int a, int b)
{
	struct pollfd p[2] = {{a, POLLIN, 0}, {b, POLLIN, 0}};
	while (poll(p, 2, -1) < 0) {
		if (errno != EINTR)
			return -1;
	}
	return p[0].revents ? a : b;
}

int lab_host_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	if (program_hangs_up())
		sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

int lab_host_signal_read(int fd)
{
	struct signalfd_siginfo si;
	return read(fd, &si, sizeof si) == (ssize_t)sizeof si ? (int)si.ssi_signo : 0;
}

void lab_host_say(const char *name, const char *state)
{
	if (cmd_global.json) {
		json_t *o = json_pack("{s:s, s:s}", "lab", name, "state", state);
		lab_host_print(o);
		json_decref(o);
	} else {
		printf("lab %s is %s\n", name, state);
	}
	fflush(stdout);
}

static void client_hang_up(struct client *c)
{
	if (c->fd < 0)
		return;
	loop_fd_del(c->server->loop, c->fd);
	close(c->fd);
	c->fd = -1;
}

/* Gives c's program up, which must have ended or never see the loop again. */
static void client_free(struct client *c)
{
	struct client **p = &c->server->clients;
	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	client_hang_up(c);
	lab_job_free(c->job);
	if (c->dump)
		lab_dump_stop(c->dump);
	for (int i = 0; i < 3; i++) {
		if (c->stdio[i] >= 0)
			close(c->stdio[i]);
	}
	for (char **s = c->argv; s && *s; s++)
		free(*s);
	for (char **s = c->envp; s && *s; s++)
		free(*s);
	free(c->argv);
	free(c->envp);
	free(c->cwd);
	if (c->program)
		program_free(c->program);
	free(c);
}

static void answer_error(struct client *c, int status, const char *text)
{
	json_t *msg = json_pack("{s:s, s:i}", "error", text, "status", status);
	control_send(c->fd, msg, NULL, 0);
	json_decref(msg);
}

static void on_ended(void *ctx, int status)
{
	struct client *c = ctx;
	if (c->fd < 0) {
		client_free(c);
		return;
	}
	json_t *msg = json_pack("{s:i, s:o, s:b}", "status", status, "summary", program_summary(c->program), "lab_ends", c->server->is_ending);
	control_send(c->fd, msg, NULL, 0);
	json_decref(msg);
	client_free(c);
}

static void strings_free(char **s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(s[i]);
	free(s);
}

static char **strings_of(const json_t *a)
{
	size_t n = json_array_size(a), i;
	char **out = calloc(n + 1, sizeof *out);
	const json_t *s;
	if (!out)
		return NULL;
	json_array_foreach(a, i, s)
		out[i] = control_bytes_of(s);
	for (i = 0; i < n; i++) {
		if (!out[i]) {
			strings_free(out, n);
			return NULL;
		}
	}
	return out;
}

/* True if the client is to stay. */
static bool client_exec(struct client *c, const json_t *msg)
{
	const char *name = json_string_value(json_object_get(msg, "node"));
	struct host_node *node = name ? lab_node(c->server->lab, name) : NULL;
	char err[256];
	if (c->program || c->stdio[2] < 0) {
		answer_error(c, EXIT_USAGE, "a connection carries one program, with its three descriptors");
		return false;
	}
	if (!node) {
		no_node_text(c->server->lab, name ? name : "", err);
		answer_error(c, EXIT_USAGE, err);
		return false;
	}
	c->argv = strings_of(json_object_get(msg, "argv"));
	c->envp = strings_of(json_object_get(msg, "env"));
	c->cwd = control_bytes_of(json_object_get(msg, "cwd"));
	if (!c->argv || !c->argv[0] || !c->envp || !c->cwd) {
		answer_error(c, EXIT_USAGE, "no program is named");
		return false;
	}
	const struct door_config d = {.loop = c->server->loop,
		.node = node,
		.argv = c->argv,
		.envp = c->envp,
		.cwd = c->cwd,
		.stdio = c->stdio,
		.resolver = lab_node_resolver(c->server->lab, name),
		.ended = on_ended,
		.ctx = c};
	int e = program_start(&d, &c->program, err);
	if (e) {
		answer_error(c, EXIT_OURS, err[0] ? err : strerror(-e));
		return false;
	}
	return true;
}

static void on_job(void *ctx, const json_t *msg)
{
	struct client *c = ctx;
	control_send(c->fd, msg, NULL, 0);
	if (json_is_true(json_object_get(msg, "done")))
		client_free(c);
}

/* True if the client is to stay. */
static bool client_job(struct client *c, const json_t *msg)
{
	char err[256];
	if (c->job || c->program) {
		answer_error(c, EXIT_USAGE, "a connection carries one job or program");
		return c->job != NULL;
	}
	c->job = lab_job_new(c->server->lab, msg, on_job, c, err);
	if (!c->job)
		answer_error(c, EXIT_USAGE, err);
	return c->job != NULL;
}

/* {"node": "home", or "home:eth1", or nothing: all}, with the descriptor that the capture goes to. True if the client is to stay. */
static bool client_dump(struct client *c, const json_t *msg)
{
	char err[256] = "no descriptor came with it";
	int fd = c->stdio[0];
	c->stdio[0] = -1;
	if (fd >= 0 && !c->job && !c->program && !c->dump) {
		fcntl(fd, F_SETFL, O_NONBLOCK); /* a pipe of the client's: it shall not hold us up */
		c->dump = lab_dump_start(c->server->lab, json_string_value(json_object_get(msg, "node")), fd, err);
	} else if (fd >= 0) {
		close(fd);
	}
	if (!c->dump) {
		answer_error(c, EXIT_USAGE, err);
		return false;
	}
	json_t *answer = json_pack("{s:b}", "ok", 1);
	control_send(c->fd, answer, NULL, 0);
	json_decref(answer);
	return true;
}

/* {"link": "r1-r2", "words": [...], "one_way"}: applied in turn. */
static json_t *link_change(struct lab *lab, const json_t *msg)
{
	const char *link = json_string_value(json_object_get(msg, "link")), *word;
	bool one_way = json_is_true(json_object_get(msg, "one_way"));
	const json_t *o;
	size_t i;
	char err[256];
	json_array_foreach(json_object_get(msg, "words"), i, o)
		if ((word = json_string_value(o)) && lab_link_change(lab, link ? link : "", word, one_way, err))
			return json_pack("{s:s, s:i}", "error", err, "status", EXIT_USAGE);
	return json_pack("{s:b}", "ok", 1);
}

/* For `via ss`; node NULL: of all. */
static json_t *sockets_of(struct lab *lab, const char *node)
{
	char text[256];
	if (!node || lab_node(lab, node))
		return lab_sockets(lab, node);
	no_node_text(lab, node, text);
	return json_pack("{s:s, s:i}", "error", text, "status", EXIT_USAGE);
}

/* For `via nat` and `via filter`; node NULL: which one? */
static json_t *filter_of(struct lab *lab, const char *node)
{
	char text[256];
	json_t *o = node ? lab_filter(lab, node) : NULL;
	if (o)
		return o;
	if (node)
		no_node_text(lab, node, text);
	else
		snprintf(text, sizeof text, "of which node of lab '%s'? via -n NODE ...", lab_name(lab));
	return json_pack("{s:s, s:i}", "error", text, "status", EXIT_USAGE);
}

static bool client_request(struct client *c, const json_t *msg)
{
	const char *op = json_string_value(json_object_get(msg, "op"));
	if (!op)
		return false;
	if (strcmp(op, "exec") == 0)
		return client_exec(c, msg);
	if (strcmp(op, "job") == 0)
		return client_job(c, msg);
	if (strcmp(op, "dump") == 0)
		return client_dump(c, msg);
	if (strcmp(op, "signal") == 0) {
		if (c->program)
			program_signal(c->program, (int)json_integer_value(json_object_get(msg, "signo")));
		return true;
	}
	if (strcmp(op, "stop") == 0) {
		if (c->job)
			lab_job_stop(c->job);
		return c->job != NULL;
	}
	json_t *answer;
	if (strcmp(op, "inspect") == 0)
		answer = lab_inspect(c->server->lab);
	else if (strcmp(op, "ss") == 0)
		answer = sockets_of(c->server->lab, json_string_value(json_object_get(msg, "node")));
	else if (strcmp(op, "filter") == 0)
		answer = filter_of(c->server->lab, json_string_value(json_object_get(msg, "node")));
	else if (strcmp(op, "link") == 0)
		answer = link_change(c->server->lab, msg);
	else if (strcmp(op, "down") == 0)
		answer = json_pack("{s:i}", "pid", (int)getpid());
	else
		answer = json_pack("{s:s, s:i}", "error", "unknown request", "status", EXIT_FAILED);
	control_send(c->fd, answer, NULL, 0);
	json_decref(answer);
	if (strcmp(op, "down") == 0)
		loop_stop(c->server->loop, EXIT_WELL);
	return false;
}

static void on_client(void *ctx, uint32_t events)
{
	struct client *c = ctx;
	int fds[3] = {-1, -1, -1}, n = 3;
	json_t *msg = control_recv(c->fd, fds, &n);
	for (int i = 0; i < n; i++) {
		if (c->stdio[i] < 0)
			c->stdio[i] = fds[i];
		else
			close(fds[i]);
	}
	bool stay = msg && client_request(c, msg);
	json_decref(msg);
	if (stay)
		return;
	if (!c->program) {
		client_free(c);
		return;
	}
	client_hang_up(c);
	program_signal(c->program, SIGHUP);
	c->kill_at = loop_now() + PATIENCE_NS;
	c->server->reaper.deadline = 0;
}

static int64_t reap(void *ctx, int64_t now)
{
	struct server *s = ctx;
	int64_t next = s->until;
	if (now >= s->until)
		loop_stop(s->loop, EXIT_WELL);
	for (struct client *c = s->clients; c; c = c->next) {
		if (c->fd >= 0 || !c->program)
			continue;
		if (now >= c->kill_at) {
			program_signal(c->program, SIGKILL);
			c->kill_at = now + PATIENCE_NS;
		}
		next = MIN(next, c->kill_at);
	}
	return next;
}

static void on_connection(void *ctx, uint32_t events)
{
	struct server *s = ctx;
	int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
	struct client *c = fd >= 0 ? calloc(1, sizeof *c) : NULL;
	if (!c) {
		if (fd >= 0)
			close(fd);
		return;
	}
	/* A client that stops in mid-message may hold us up only this long. */
	const struct timeval tv = {1, 0};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
	*c = (struct client){.server = s, .next = s->clients, .fd = fd, .stdio = {-1, -1, -1}};
	s->clients = c;
	loop_fd_add(s->loop, fd, EPOLLIN, on_client, c);
}

static void on_signal(void *ctx, int signo)
{
	struct server *s = ctx;
	loop_stop(s->loop, EXIT_WELL);
}

static bool has_programs(const struct server *s)
{
	for (const struct client *c = s->clients; c; c = c->next) {
		if (c->program)
			return true;
	}
	return false;
}

/* The lab ends: its programs first, asked, then killed, so that they end by a signal and not by sockets that fail. */
static void end_programs(struct server *s)
{
	static const int signals[] = {SIGTERM, SIGKILL};
	s->is_ending = true;
	loop_fd_del(s->loop, s->fd);
	for (size_t i = 0; i < ARRAY_LEN(signals) && has_programs(s); i++) {
		int64_t until = loop_now() + PATIENCE_NS;
		for (struct client *c = s->clients; c; c = c->next) {
			if (c->program)
				program_signal(c->program, signals[i]);
		}
		while (has_programs(s) && loop_now() < until)
			loop_turn(s->loop, until);
	}
}

/* Say that we are up, and let go of the terminal: whoever waits for our output's end must not wait for the lab's. */
static void go_background(int ready_fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int i = 0; i < 3 && null >= 0; i++)
		dup2(null, i);
	if (write(ready_fd, "r", 1) == 1)
		close(ready_fd);
}

int lab_host_serve(struct lab *lab, int ready_fd, int64_t for_ns)
{
	struct server s = {.lab = lab, .fd = control_listen(lab_name(lab)), .until = TIME_NEVER};
	char path[108];
	if (s.fd < 0)
		return control_fail(EXIT_FAILED, lab_name(lab), s.fd);
	int status = EXIT_FAILED;
	s.loop = loop_new();
	if (!s.loop || lab_attach(lab, s.loop) < 0) {
		cmd_fail(EXIT_FAILED, "cannot run the lab: %s", lab_attach_error(lab));
	} else {
		signal(SIGPIPE, SIG_IGN);
		lab_host_settle(lab);
		if (for_ns != TIME_NEVER)
			s.until = loop_now() + for_ns;
		s.reaper = (struct loop_task){.run = reap, .ctx = &s};
		loop_task_add(s.loop, &s.reaper);
		loop_fd_add(s.loop, s.fd, EPOLLIN, on_connection, &s);
		loop_signal(s.loop, SIGINT, on_signal, &s);
		loop_signal(s.loop, SIGTERM, on_signal, &s);
		if (ready_fd < 0 && program_hangs_up())
			loop_signal(s.loop, SIGHUP, on_signal, &s);
		if (ready_fd >= 0)
			go_background(ready_fd);
		else
			lab_host_say(lab_name(lab), "up");
		status = loop_run(s.loop);
		end_programs(&s);
		loop_task_del(s.loop, &s.reaper);
	}
	while (s.clients)
		client_free(s.clients);
	close(s.fd);
	if (control_path(lab_name(lab), false, path, sizeof path) == 0)
		unlink(path);
	if (s.loop) {
		lab_detach(lab);
		loop_free(s.loop);
	}
	return status;
}
