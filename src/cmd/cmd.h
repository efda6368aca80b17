/* cmd/cmd.h - the `via` command: one declarative table gives parsing, --help and the nearest-match sentences.
 *
 * Manners are iproute2's: `via [GLOBAL] COMMAND [SUB] [OPTIONS] ARGS [-- PROGRAM]`. Exit status: 0 well, 1 it failed, 2
 * the words were wrong; commands that run a program give the program's status, 125 when we failed, 126 not executable,
 * 127 not found. Results go to stdout, everything said about them to stderr. */
#ifndef CMD_CMD_H
#define CMD_CMD_H

#include "base/defs.h"
#include <stdio.h>

enum { EXIT_WELL = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_OURS = 125 };

struct cmd_global {
	bool json, pretty, quiet, verbose;
	bool color; /* stdout is a terminal, or -c */
	const char *node; /* -n [LAB:]NODE, or NULL */
};
extern struct cmd_global cmd_global;

/* One option of a command. `arg` NULL: a flag. */
struct cmd_option {
	char letter; /* 0: none */
	const char *name, *arg, *help;
};

struct cmd_args {
	const char *opt[24]; /* by index into the command's options: its argument, "" for a flag, NULL if absent; the last one counts */
	char *joined[24];    /* the same of lists, ARG,..., that were given more than once */
	struct { int opt; const char *arg; } seen[64]; /* all of them as they came, for options that may come again */
	int n_seen;
	char *const *words;  /* positional arguments */
	int n_words;
	char *const *program; /* what follows --, NULL-terminated, or NULL */
};

struct cmd_command {
	const char *name;                 /* "lab exec" */
	const char *usage;                /* after the options: "NODE -- CMD..." */
	const char *summary;              /* one line */
	const char *detail;               /* more lines for --help, or NULL */
	const struct cmd_option *options; /* ends with name NULL */
	int words_min, words_max;
	bool takes_program;
	int (*run)(const struct cmd_args *a);
};

extern const struct cmd_command cmd_lab_exec, cmd_lab_up, cmd_lab_down, cmd_lab_ls, cmd_lab_check, cmd_lab_inspect,
	cmd_lab_story, cmd_lab_test, cmd_lab_link, cmd_lab_graph, cmd_run, cmd_serve, cmd_ss, cmd_drill, cmd_ping, cmd_trace,
	cmd_link, cmd_addr, cmd_route, cmd_neigh, cmd_nat, cmd_filter, cmd_mail, cmd_dump, cmd_extcap;
extern const struct cmd_command *const cmd_table[]; /* ends with NULL */

/* Parse and run; the process's exit status. */
int cmd_main(int argc, char **argv);

/* "via: sentence" on stderr; returns `status`. */
int cmd_fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The nearest of NULL-terminated `words` to `word`, or NULL if none is near. */
const char *cmd_nearest(const char *word, const char *const *words);

#endif
