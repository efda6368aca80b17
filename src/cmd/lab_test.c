/* cmd/lab_test.c - `via lab test`: does a lab work? pingall: every host asks the others by echo requests (lab/pingall.h).
 *
 * A lab that is up is asked where it runs; another one is made for the test, under virtual time: as fast as the machine goes,
 * and the same at each run of one seed. Exit status 0: all answered, 1: not all. */
#include "cmd/cmd.h"
#include "cmd/job.h"
#include "cmd/lab_host.h"
#include <inttypes.h>
#include <stdlib.h>

enum { MATRIX_MAX = 24 }; /* hosts of which each pair is shown */
enum { TEST_TOPOLOGY, TEST_SHAPE, TEST_LINK, TEST_SEED, TEST_CLEAN, TEST_SPEED, TEST_PAIRS };
static const struct cmd_option options[] = {
	[TEST_TOPOLOGY] = {'t', "topology", "FILE", "a lab from this file, for the test"},
	[TEST_SHAPE] = {0, "topo", "SHAPE", "a lab from one line: line,3  ring,5  clos,2,4  tree,3,10"},
	[TEST_LINK] = {'l', "link", "KEY=VALUE,...", "impair all links: delay=5ms,loss=1%,rate=10mbit (doc/lab.md)"},
	[TEST_SEED] = {'s', "seed", "N", "seed of loss, delay and all randomness (default: the file's, else 1)"},
	[TEST_CLEAN] = {0, "no-impairments", NULL, "all links clean: no delay, loss or reordering"},
	[TEST_SPEED] = {0, "speed", "1|max", "paced by the clock, or as fast as it goes in virtual time (default)"},
	[TEST_PAIRS] = {0, "pairs", "N", "ask at most about N pairs, each host at least once (default: 10000)"},
	{0, NULL, NULL, NULL},
};

static void on_message(void *ctx, const json_t *msg)
{
}

/* {"job": WHAT, "pairs": N, "family": 4 or 6}; gives. NULL after a sentence. */
static json_t *request(const struct cmd_args *a, const char *what)
{
	static const char *const jobs[] = {"pingall", NULL};
	const char *pairs = a->opt[TEST_PAIRS];
	char *end = NULL;
	long n = pairs ? strtol(pairs, &end, 10) : 0;
	if (strcmp(what, jobs[0]) != 0) {
		const char *near = cmd_nearest(what, jobs);
		if (near)
			cmd_fail(EXIT_USAGE, "no test is called '%s', did you mean '%s'?", what, near);
		else
			cmd_fail(EXIT_USAGE, "no test is called '%s'; there is pingall", what);
		return NULL;
	}
	if (pairs && (n < 1 || *end)) {
		cmd_fail(EXIT_USAGE, "--pairs wants a number from 1, not '%s'", pairs);
		return NULL;
	}
	return json_pack("{s:s, s:I, s:i}", "job", what, "pairs", (json_int_t)n, "family", cmd_global.family == 6 ? 6 : 4);
}

/* As mininet tells it: who did not answer is an X. Of many or a sample, only those. */
static void print_row(const json_t *row, bool only_silent)
{
	const json_t *to, *silent = json_object_get(row, "silent");
	size_t i, at = 0;
	if (only_silent && json_array_size(silent) == 0)
		return;
	printf("%s ->", json_string_value(json_object_get(row, "from")));
	json_array_foreach(json_object_get(row, "to"), i, to) {
		const char *name = json_string_value(to), *next = json_string_value(json_array_get(silent, at));
		bool is_silent = next && strcmp(name, next) == 0;
		at += is_silent;
		if (!only_silent)
			printf(" %s", is_silent ? "X" : name);
		else if (is_silent)
			printf(" %s:X", name);
	}
	putchar('\n');
}

static int64_t count_of(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static int tell(json_t *r)
{
	const json_t *row;
	size_t i;
	int64_t answered = count_of(r, "answered"), pairs = count_of(r, "pairs");
	json_object_del(r, "done");
	if (cmd_global.json) {
		lab_host_print(r);
		return answered == pairs ? EXIT_WELL : EXIT_FAILED;
	}
	bool is_large = json_is_true(json_object_get(r, "sampled")) || count_of(r, "hosts") > MATRIX_MAX;
	if (!cmd_global.quiet)
		json_array_foreach(json_object_get(r, "results"), i, row)
			print_row(row, is_large);
	printf("pingall: %" PRId64 " of %" PRId64 " answered, %" PRId64 " hosts, %" PRId64 " routers\n", answered, pairs,
	       count_of(r, "hosts"), count_of(r, "routers"));
	return answered == pairs ? EXIT_WELL : EXIT_FAILED;
}

static int lab_test(const struct cmd_args *a)
{
	static const int of_own[] = {TEST_SEED, TEST_LINK, TEST_CLEAN, TEST_SPEED};
	const char *speed = a->opt[TEST_SPEED], *name = a->n_words == 2 ? a->words[0] : NULL;
	bool is_own = a->opt[TEST_TOPOLOGY] || a->opt[TEST_SHAPE];
	if (is_own == (name != NULL))
		return cmd_fail(EXIT_USAGE, "usage: via lab test -t FILE | --topo SHAPE | NAME  pingall");
	if (speed && strcmp(speed, "1") != 0 && strcmp(speed, "max") != 0)
		return cmd_fail(EXIT_USAGE, "--speed is 1 or max, not '%s'", speed);
	for (size_t i = 0; i < ARRAY_LEN(of_own) && name; i++)
		if (a->opt[of_own[i]])
			return cmd_fail(EXIT_USAGE, "--%s is for a lab of one's own; '%s' is running already", options[of_own[i]].name, name);
	json_t *what = request(a, a->words[a->n_words - 1]);
	if (!what)
		return EXIT_USAGE;
	struct job_place where = {.name = name,
		.file = a->opt[TEST_TOPOLOGY],
		.shape = a->opt[TEST_SHAPE],
		.opts = {.real_time = speed && strcmp(speed, "1") == 0, .no_impairments = a->opt[TEST_CLEAN] != NULL,
			 .link = a->opt[TEST_LINK]}};
	int status = lab_host_seed(a->opt[TEST_SEED], &where.opts);
	json_t *result = status ? NULL : job_run(&where, what, on_message, NULL, &status);
	json_decref(what);
	if (result)
		status = tell(result);
	json_decref(result);
	return status;
}

const struct cmd_command cmd_lab_test = {
	.name = "lab test",
	.usage = "-t FILE | --topo SHAPE | NAME  pingall",
	.summary = "do all hosts of a lab answer each other?",
	.detail = "pingall: each host asks the others by echo requests, three tries of a second each; in large labs a sample of pairs, each\n"
		  "host at least once. X: no answer. The last line says how many answered; exit status 1 unless all did. A lab that is not\n"
		  "up runs in virtual time. With -6 they ask over IPv6, from one automatic address to the other.",
	.options = options,
	.words_min = 1,
	.words_max = 2,
	.run = lab_test,
};
