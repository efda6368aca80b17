/* cmd/lab_up.c - `via lab up`, `down`, `ls`, `check`, `inspect`: labs by file and by name. */
#include "cmd/ask.h"
#include "cmd/cmd.h"
#include "cmd/control.h"
#include "cmd/job.h"
#include "cmd/lab_host.h"
#include "cmd/table.h"
#include "cmd/tell.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { UP_TOPOLOGY, UP_SHAPE, UP_LINK, UP_UNTIL, UP_DETACH, UP_SEED, UP_PCAPNG, UP_CLEAN, UP_ROOT, UP_MAIL };
static const struct cmd_option up_options[] = {
	[UP_TOPOLOGY] = {'t', "topology", "FILE", "the lab to run"},
	[UP_SHAPE] = {0, "topo", "SHAPE", "the lab to run, from one line: line,3  ring,5  clos,2,4  tree,3,10"},
	[UP_LINK] = {'l', "link", "KEY=VALUE,...", "impair all links: delay=5ms,loss=1%,rate=10mbit (doc/lab.md)"},
	[UP_UNTIL] = {0, "until", "SECONDS", "end by itself after this time"},
	[UP_DETACH] = {'d', "detach", NULL, "go to the background once it is up"},
	[UP_SEED] = {'s', "seed", "N", "seed of loss, delay and all randomness (default: the file's, else 1)"},
	[UP_PCAPNG] = {0, "pcapng", "FILE", "capture every interface into FILE"},
	[UP_CLEAN] = {0, "no-impairments", NULL, "all links clean: no delay, loss or reordering"},
	[UP_ROOT] = {0, "www", "NODE=DIR", "serve DIR on NODE instead of the file's http folder"},
	[UP_MAIL] = {0, "mail", "NODE=DIR", "keep the mail of NODE in DIR instead of the file's maildir"},
	{0, NULL, NULL, NULL},
};

/* In the background: the child reports readiness through a pipe, so that its sentences reach our terminal. */
static int up_detached(const char *file, const char *shape, int64_t until, const struct lab_opts *o)
{
	int p[2];
	char c, name[128] = "";
	if (pipe2(p, O_CLOEXEC) < 0)
		return cmd_fail(EXIT_FAILED, "cannot make a pipe: %s", strerror(errno));
	fflush(stdout);
	pid_t pid = fork();
	if (pid < 0)
		return cmd_fail(EXIT_FAILED, "cannot fork: %s", strerror(errno));
	if (pid == 0) {
		close(p[0]);
		setsid();
		struct lab *lab = lab_host_load(file, shape, o);
		if (!lab)
			_exit(EXIT_USAGE);
		dprintf(p[1], "%s\n", lab_name(lab));
		int status = lab_host_serve(lab, p[1], until);
		lab_free(lab);
		_exit(status);
	}
	close(p[1]);
	size_t n = 0;
	while (n < sizeof name - 1 && read(p[0], &c, 1) == 1 && c != '\n')
		name[n++] = c;
	bool ready = read(p[0], &c, 1) == 1;
	close(p[0]);
	if (ready) {
		lab_host_say(name, "up");
		return EXIT_WELL;
	}
	int status = 0;
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILED;
}

static int lab_up(const struct cmd_args *a)
{
	struct lab_opts o = {.real_time = true,
		.pcapng = a->opt[UP_PCAPNG],
		.no_impairments = a->opt[UP_CLEAN] != NULL,
		.link = a->opt[UP_LINK],
		.www = a->opt[UP_ROOT],
		.mail = a->opt[UP_MAIL]};
	int64_t until = job_seconds(a->opt[UP_UNTIL], "--until", TIME_NEVER);
	if (until < 0)
		return EXIT_USAGE;
	int status = lab_host_seed(a->opt[UP_SEED], &o);
	if (status)
		return status;
	if (!a->opt[UP_TOPOLOGY] && !a->opt[UP_SHAPE])
		return cmd_fail(EXIT_USAGE, "which lab? usage: via lab up -t FILE | --topo SHAPE");
	if (a->opt[UP_DETACH])
		return up_detached(a->opt[UP_TOPOLOGY], a->opt[UP_SHAPE], until, &o);
	struct lab *lab = lab_host_load(a->opt[UP_TOPOLOGY], a->opt[UP_SHAPE], &o);
	if (!lab)
		return EXIT_USAGE;
	status = lab_host_serve(lab, -1, until);
	lab_free(lab);
	return status;
}

static int lab_down(const struct cmd_args *a)
{
	json_t *answer = ask_lab(a->words[0], "down", NULL);
	if (!answer)
		return EXIT_FAILED;
	pid_t pid = (pid_t)json_integer_value(json_object_get(answer, "pid"));
	int status = ask_refused(answer);
	json_decref(answer);
	if (status)
		return status;
	for (int i = 0; i < 500 && kill(pid, 0) == 0; i++) /* "down" means gone */
		usleep(10000);
	if (!cmd_global.quiet)
		lab_host_say(a->words[0], "down");
	return EXIT_WELL;
}

static int lab_ls(const struct cmd_args *a)
{
	json_t *names = control_names(), *live = json_array(), *s;
	size_t i;
	json_array_foreach(names, i, s) {
		bool is_run = strncmp(json_string_value(s), TELL_PREFIX, strlen(TELL_PREFIX)) == 0;
		int fd = is_run ? -1 : control_connect(json_string_value(s));
		if (fd >= 0) {
			json_array_append(live, s);
			close(fd);
		}
	}
	if (cmd_global.json) {
		lab_host_print(live);
	} else {
		json_array_foreach(live, i, s)
			puts(json_string_value(s));
	}
	json_decref(names);
	json_decref(live);
	return EXIT_WELL;
}

static const struct cmd_option check_options[] = {
	{0, "topo", "SHAPE", "a topology of one line: line,3  ring,5  clos,2,4  tree,3,10"},
	{0, NULL, NULL, NULL},
};

static int lab_check_file(const struct cmd_args *a)
{
	struct lab_error e = {0};
	if (!a->opt[0] == !a->n_words)
		return cmd_fail(EXIT_USAGE, "usage: via lab check FILE | --topo SHAPE");
	if ((a->opt[0] ? lab_check_shape(a->opt[0], &e) : lab_check(a->words[0], &e)) == 0) {
		if (cmd_global.json)
			puts("{\"ok\":true}");
		return EXIT_WELL;
	}
	if (cmd_global.json) {
		json_t *o = json_pack(
			"{s:b, s:s, s:i, s:i, s:s}", "ok", 0, "file", e.file, "line", e.line, "column", e.col, "error", e.text);
		lab_host_print(o);
		json_decref(o);
	} else if (e.line) {
		fprintf(stderr, "%s:%d:%d: %s\n", e.file, e.line, e.col, e.text);
	} else {
		fprintf(stderr, "%s: %s\n", e.file[0] ? e.file : a->opt[0] ? a->opt[0] : a->words[0], e.text);
	}
	return EXIT_USAGE;
}

static const struct cmd_option inspect_options[] = {
	{'t', "topology", "FILE", "a lab that is not running, from its file"},
	{0, "topo", "SHAPE", "one from one line: line,3  ring,5  clos,2,4  tree,3,10"},
	{0, NULL, NULL, NULL},
};

static int lab_inspect_show(const struct cmd_args *a)
{
	json_t *o;
	bool is_own = a->opt[0] || a->opt[1];
	if (is_own == (a->n_words == 1))
		return cmd_fail(EXIT_USAGE, "usage: via lab inspect NAME | -t FILE | --topo SHAPE");
	if (is_own) {
		const struct lab_opts opts = {.real_time = false};
		struct lab *lab = lab_host_load(a->opt[0], a->opt[1], &opts);
		if (!lab)
			return EXIT_USAGE;
		o = lab_inspect(lab);
		lab_free(lab);
	} else {
		o = ask_lab(a->words[0], "inspect", NULL);
	}
	if (!o)
		return EXIT_FAILED;
	int status = ask_refused(o);
	if (!status && cmd_global.json)
		lab_host_print(o);
	else if (!status)
		table_inspect(o);
	json_decref(o);
	return status;
}

static const struct cmd_option no_options[] = {{0, NULL, NULL, NULL}};

const struct cmd_command cmd_lab_up = {
	"lab up", "-t FILE | --topo SHAPE  [-d]", "run a lab under its name", NULL, up_options, 0, 0, false, lab_up};
const struct cmd_command cmd_lab_down = {"lab down", "NAME", "end a running lab", NULL, no_options, 1, 1, false, lab_down};
const struct cmd_command cmd_lab_ls = {"lab ls", "", "list the running labs", NULL, no_options, 0, 0, false, lab_ls};
const struct cmd_command cmd_lab_check = {"lab check", "FILE | --topo SHAPE", "check a topology: exit 0, or 2 and FILE:LINE:COL: sentence",
	NULL, check_options, 0, 1, false, lab_check_file};
const struct cmd_command cmd_lab_inspect = {"lab inspect", "NAME | -t FILE | --topo SHAPE",
	"show nodes, interfaces, addresses, routes and links", NULL, inspect_options, 0, 1, false, lab_inspect_show};
