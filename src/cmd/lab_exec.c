/* cmd/lab_exec.c - `via lab exec`: run a program on a node, of a private lab for its life (-t FILE) or of a running one.
 *
 * The program's exit status is ours. SIGINT, SIGTERM and SIGHUP are passed on to it; we end when it ended. */
#include "cmd/cmd.h"
#include "cmd/control.h"
#include "cmd/lab_host.h"
#include "cmd/linger.h"
#include "cmd/program.h"
#include "lab/lab.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { OPT_TOPOLOGY, OPT_SHAPE, OPT_LINK, OPT_SEED, OPT_PCAPNG, OPT_STORY, OPT_CLEAN, OPT_ROOT, OPT_MAIL, OPT_REPORT };
static const struct cmd_option options[] = {
	[OPT_TOPOLOGY] = {'t', "topology", "FILE", "a private lab from this file, for the life of the program"},
	[OPT_SHAPE] = {0, "topo", "SHAPE", "a private lab from one line: line,3  ring,5  clos,2,4  tree,3,10"},
	[OPT_LINK] = {'l', "link", "KEY=VALUE,...", "impair all links: delay=5ms,loss=1%,rate=10mbit (doc/lab.md)"},
	[OPT_SEED] = {'s', "seed", "N", "seed of loss, delay and all randomness (default: the file's, else 1)"},
	[OPT_PCAPNG] = {0, "pcapng", "FILE", "capture every interface into FILE"},
	[OPT_STORY] = {0, "story", "FILE", "write what happened as JSON (via lab story shows it)"},
	[OPT_CLEAN] = {0, "no-impairments", NULL, "all links clean: no delay, loss or reordering"},
	[OPT_ROOT] = {0, "www", "NODE=DIR", "serve DIR on NODE instead of the file's http folder"},
	[OPT_MAIL] = {0, "mail", "NODE=DIR", "keep the mail of NODE in DIR instead of the file's maildir"},
	[OPT_REPORT] = {0, "report", NULL, "tell in full what was taken and what not, even under -q"},
	{0, NULL, NULL, NULL},
};

struct session {
	struct loop *loop;
	struct lab *lab;
	struct program *program;
	struct linger linger;
};

static void on_ended(void *ctx, int status)
{
	struct session *s = ctx;
	linger_begin(&s->linger, s->loop, s->lab, status);
}

static void on_signal(void *ctx, int signo)
{
	struct session *s = ctx;
	program_pass(s->program, s->loop, signo);
}

static int run_program(struct session *s, struct lab *lab, const struct cmd_args *a)
{
	const char *name = a->words[0];
	struct host_node *node = lab_node(lab, name);
	char err[256];
	s->lab = lab;
	if (!node)
		return lab_host_no_node(lab, name);
	lab_host_settle(lab);
	const struct door_config c = {.loop = s->loop,
		.node = node,
		.argv = a->program,
		.resolver = lab_node_resolver(lab, name),
		.ended = on_ended,
		.ctx = s};
	program_signals(s->loop, on_signal, s); /* first: what comes from now on is the program's */
	int e = program_start(&c, &s->program, err);
	if (e)
		return program_failed(e, err);
	int status = loop_run(s->loop);
	json_t *summary = program_summary(s->program);
	program_tell(summary, a->opt[OPT_REPORT] != NULL);
	json_decref(summary);
	if (a->opt[OPT_STORY] && lab_host_story_write(lab, a->opt[OPT_STORY]) < 0)
		status = status ? status : EXIT_OURS;
	program_free(s->program);
	return status;
}

static int exec_private(const struct cmd_args *a)
{
	struct lab_opts o = {.real_time = true,
		.pcapng = a->opt[OPT_PCAPNG],
		.no_impairments = a->opt[OPT_CLEAN] != NULL,
		.story = a->opt[OPT_STORY] != NULL,
		.link = a->opt[OPT_LINK],
		.www = a->opt[OPT_ROOT],
		.mail = a->opt[OPT_MAIL]};
	struct session s = {0};
	int status = lab_host_seed(a->opt[OPT_SEED], &o);
	if (status)
		return status;
	FILE *story = o.story ? fopen(a->opt[OPT_STORY], "we") : NULL; /* before the program runs: its story is told once */
	if (o.story && !story)
		return cmd_fail(EXIT_USAGE, "cannot write %s: %s", a->opt[OPT_STORY], strerror(errno));
	if (story)
		fclose(story);
	struct lab *lab = lab_host_load(a->opt[OPT_TOPOLOGY], a->opt[OPT_SHAPE], &o);
	if (!lab)
		return EXIT_USAGE;
	s.loop = loop_new();
	if (!s.loop || lab_attach(lab, s.loop) < 0)
		status = cmd_fail(EXIT_OURS, "cannot run the lab: %s", lab_attach_error(lab));
	else
		status = run_program(&s, lab, a);
	lab_free(lab);
	if (s.loop)
		loop_free(s.loop);
	return status;
}

/* The request to a running lab: program, environment and folder are ours, so that it feels like running here. */
static json_t *request(const struct cmd_args *a)
{
	extern char **environ;
	json_t *argv = json_array(), *env = json_array();
	char cwd[4096];
	for (char *const *p = a->program; *p; p++)
		json_array_append_new(argv, control_bytes(*p));
	for (char **p = environ; *p; p++)
		json_array_append_new(env, control_bytes(*p));
	return json_pack("{s:s, s:s, s:o, s:o, s:o}", "op", "exec", "node", a->words[1], "argv", argv, "env", env, "cwd",
		control_bytes(getcwd(cwd, sizeof cwd) ? cwd : "/"));
}

/* Passes signals on until the answer comes. Gives. */
static json_t *await_answer(int fd, int sfd)
{
	while (lab_host_wait_readable(fd, sfd) == sfd) {
		int signo = lab_host_signal_read(sfd);
		if (!signo)
			break;
		json_t *msg = json_pack("{s:s, s:i}", "op", "signal", "signo", signo);
		control_send(fd, msg, NULL, 0);
		json_decref(msg);
	}
	return control_recv(fd, NULL, NULL);
}

static int exec_joined(const struct cmd_args *a)
{
	for (int i = 0; options[i].name; i++) {
		if (a->opt[i] && i != OPT_REPORT)
			return cmd_fail(EXIT_USAGE, "--%s is for a lab of one's own (-t FILE); '%s' is running already",
				options[i].name, a->words[0]);
	}
	int fd = control_connect(a->words[0]);
	if (fd < 0)
		return control_fail(EXIT_OURS, a->words[0], fd);
	static const int stdio[3] = {0, 1, 2};
	int sfd = lab_host_signals(); /* before the program can start */
	json_t *msg = request(a);
	int e = control_send(fd, msg, stdio, 3);
	json_decref(msg);
	json_t *answer = e ? NULL : await_answer(fd, sfd);
	int status = EXIT_OURS;
	if (!answer) {
		cmd_fail(EXIT_OURS, "the lab '%s' ended", a->words[0]);
	} else if (json_object_get(answer, "error")) {
		status = cmd_fail((int)json_integer_value(json_object_get(answer, "status")), "%s",
			json_string_value(json_object_get(answer, "error")));
	} else {
		status = (int)json_integer_value(json_object_get(answer, "status"));
		if (json_is_true(json_object_get(answer, "lab_ends")))
			cmd_fail(status, "the lab '%s' ended", a->words[0]);
		program_tell(json_object_get(answer, "summary"), a->opt[OPT_REPORT] != NULL);
	}
	json_decref(answer);
	close(sfd);
	close(fd);
	return status;
}

static int lab_exec(const struct cmd_args *a)
{
	bool is_own = a->opt[OPT_TOPOLOGY] || a->opt[OPT_SHAPE];
	if (is_own && a->n_words != 1)
		return cmd_fail(EXIT_USAGE, "usage: via lab exec -t FILE | --topo SHAPE  NODE -- CMD...");
	if (!is_own && a->n_words != 2)
		return cmd_fail(EXIT_USAGE, "usage: via lab exec NAME NODE -- CMD..., or via lab exec -t FILE NODE -- CMD...");
	return is_own ? exec_private(a) : exec_joined(a);
}

const struct cmd_command cmd_lab_exec = {
	.name = "lab exec",
	.usage = "-t FILE NODE -- CMD...   |   --topo SHAPE NODE -- CMD...   |   NAME NODE -- CMD...",
	.summary = "run a program on a node of a lab",
	.detail = "The program is unmodified; its sockets are sockets of the node's own TCP/IP stack. Its exit status is ours.",
	.options = options,
	.words_min = 1,
	.words_max = 2,
	.takes_program = true,
	.run = lab_exec,
};
