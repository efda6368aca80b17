/* cmd/parse.c - the table of commands, its parsing and its help. Adding a command is adding a row here and a file. */
#include "cmd/cmd.h"
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#ifndef VIA_VERSION
#define VIA_VERSION "unknown"
#endif

struct cmd_global cmd_global;

const struct cmd_command *const cmd_table[] = {
	&cmd_run,
	&cmd_serve,
	&cmd_ss,
	&cmd_link,
	&cmd_addr,
	&cmd_route,
	&cmd_neigh,
	&cmd_nat,
	&cmd_filter,
	&cmd_ping,
	&cmd_trace,
	&cmd_mail,
	&cmd_dump,
	&cmd_extcap,
	&cmd_drill,
	&cmd_lab_exec,
	&cmd_lab_up,
	&cmd_lab_down,
	&cmd_lab_ls,
	&cmd_lab_check,
	&cmd_lab_inspect,
	&cmd_lab_story,
	&cmd_lab_test,
	&cmd_lab_link,
	&cmd_lab_graph,
	NULL,
};

static const struct cmd_option global_options[] = {
	{'n', "node", "[LAB:]NODE", "the stack that is meant, of a lab that is up"},
	{'j', "json", NULL, "print JSON"},
	{'p', "pretty", NULL, "indent the JSON"},
	{'c', "color", NULL, "colours even without a terminal"},
	{'q', "quiet", NULL, "say only what was asked for"},
	{'v', "verbose", NULL, "say more: the report of a program in full"},
	{'h', "help", NULL, "this text"},
	{'V', "version", NULL, "print the version"},
	{0, NULL, NULL, NULL},
};

int cmd_fail(int status, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	fputs("via: ", stderr);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
	va_end(ap);
	return status;
}

/* Levenshtein distance, cut off for long words. */
static unsigned distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);
	unsigned row[64];
	if (la > 60 || lb > 60)
		return 99;
	for (size_t j = 0; j <= lb; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= la; i++) {
		unsigned diagonal = row[0];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= lb; j++) {
			unsigned up = row[j];
			unsigned best = MIN(row[j - 1], up) + 1;
			row[j] = MIN(best, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = up;
		}
	}
	return row[lb];
}

const char *cmd_nearest(const char *word, const char *const *words)
{
	const char *best = NULL;
	unsigned best_d = (unsigned)strlen(word) / 2 + 1;
	for (; *words; words++) {
		unsigned d = distance(word, *words);
		if (d < best_d) {
			best_d = d;
			best = *words;
		}
	}
	return best;
}

/* Letters of `taken` (NULL: none) mean something else there and are not shown. */
static void print_options(const struct cmd_option *o, const struct cmd_option *taken)
{
	for (; o->name; o++) {
		char left[64];
		bool is_shadowed = false;
		for (const struct cmd_option *t = taken; t && t->name; t++)
			is_shadowed = is_shadowed || t->letter == o->letter;
		snprintf(left, sizeof left, "--%s%s%s", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
		if (o->letter && !is_shadowed)
			printf("  -%c, %-24s %s\n", o->letter, left, o->help);
		else
			printf("      %-24s %s\n", left, o->help);
	}
}

static int print_help(void)
{
	puts("via - a TCP/IP internet in user space\n\nusage: via [OPTIONS] COMMAND ...\n\ncommands:");
	for (const struct cmd_command *const *c = cmd_table; *c; c++)
		printf("  %-12s %s\n", (*c)->name, (*c)->summary);
	puts("\noptions:");
	print_options(global_options, NULL);
	puts("\n`via COMMAND --help` tells more.");
	return EXIT_WELL;
}

static int print_command_help(const struct cmd_command *c)
{
	printf("via %s - %s\n\nusage: via %s [OPTIONS] %s\n", c->name, c->summary, c->name, c->usage);
	if (c->detail)
		printf("\n%s\n", c->detail);
	puts("\noptions:");
	print_options(c->options, NULL);
	print_options(global_options, c->options);
	return EXIT_WELL;
}

static int global_set(char letter, const char *arg, const struct cmd_command *c)
{
	switch (letter) {
	case 'n': cmd_global.node = arg; break;
	case 'j': cmd_global.json = true; break;
	case 'p': cmd_global.pretty = true; break;
	case 'c': cmd_global.color = true; break;
	case 'q': cmd_global.quiet = true; break;
	case 'v': cmd_global.verbose = true; break;
	case 'h': exit(c ? print_command_help(c) : print_help());
	case 'V': printf("via %s\n", VIA_VERSION); exit(EXIT_WELL);
	default: return -1;
	}
	return 0;
}

/* Index of an option by "--name" or "-x"; -1. */
static int option_find(const struct cmd_option *o, const char *word, size_t len)
{
	for (int i = 0; o[i].name; i++) {
		if (word[1] == '-' ? strlen(o[i].name) == len - 2 && strncmp(o[i].name, word + 2, len - 2) == 0
				   : len == 2 && o[i].letter && o[i].letter == word[1])
			return i;
	}
	return -1;
}

static int unknown_option(const struct cmd_command *c, const char *word)
{
	const char *names[40];
	int n = 0;
	for (const struct cmd_option *o = c ? c->options : global_options; o->name; o++)
		names[n++] = o->name;
	names[n] = NULL;
	const char *near = word[1] == '-' ? cmd_nearest(word + 2, names) : NULL;
	if (near)
		return cmd_fail(EXIT_USAGE, "unknown option '%s', did you mean '--%s'?", word, near);
	return cmd_fail(EXIT_USAGE, "unknown option '%s'; see via %s%s--help", word, c ? c->name : "", c ? " " : "");
}

/* "-tin": each letter is a flag. */
static bool is_bundle(const char *word)
{
	return word[0] == '-' && word[1] != '-' && strlen(word) > 2;
}

/* A list that comes once more goes on. 0, or -1 after a sentence. */
static int list_join(struct cmd_args *a, int i, const char *more)
{
	char *both;
	if (asprintf(&both, "%s,%s", a->opt[i], more) < 0)
		return cmd_fail(-1, "out of memory");
	free(a->joined[i]);
	a->opt[i] = a->joined[i] = both;
	return 0;
}

static bool is_list(const struct cmd_option *o) { return o->arg && strlen(o->arg) > 4 && strcmp(o->arg + strlen(o->arg) - 4, ",...") == 0; }

/* One option word of `c` (NULL: global). Returns words used, or -1 after a sentence. */
static int option_take(const struct cmd_command *c, int argc, char **argv, struct cmd_args *a)
{
	const char *word = argv[0], *eq = word[1] == '-' ? strchr(word, '=') : NULL;
	size_t len = eq ? (size_t)(eq - word) : strlen(word);
	int i = c ? option_find(c->options, word, len) : -1;
	int g = i < 0 ? option_find(global_options, word, len) : -1;
	if (i < 0 && g < 0) {
		unknown_option(c, word);
		return -1;
	}
	const struct cmd_option *o = i >= 0 ? &c->options[i] : &global_options[g];
	if (!o->arg && eq) {
		unknown_option(c, word);
		return -1;
	}
	const char *arg = !o->arg ? "" : eq ? eq + 1 : argc > 1 ? argv[1] : NULL;
	if (!arg) {
		cmd_fail(EXIT_USAGE, "--%s needs %s", o->name, o->arg);
		return -1;
	}
	if (i < 0) {
		global_set(o->letter, arg, c);
	} else if (a->n_seen == (int)ARRAY_LEN(a->seen)) {
		cmd_fail(EXIT_USAGE, "more than %d options", a->n_seen);
		return -1;
	} else {
		a->seen[a->n_seen].opt = i;
		a->seen[a->n_seen++].arg = arg;
		if (!a->opt[i] || !is_list(o))
			a->opt[i] = arg;
		else if (list_join(a, i, arg) < 0)
			return -1;
	}
	return o->arg && !eq ? 2 : 1;
}

/* An option word, or several flags in one. */
static int options_take(const struct cmd_command *c, int argc, char **argv, struct cmd_args *a)
{
	if (!is_bundle(argv[0]))
		return option_take(c, argc, argv, a);
	char first[3] = {'-', argv[0][1], 0}, *split[2] = {first, argv[0] + 2};
	int own = c ? option_find(c->options, first, 2) : -1;
	if (own >= 0 && c->options[own].arg) { /* "-c3" */
		return option_take(c, 2, split, a) < 0 ? -1 : 1;
	}
	for (const char *l = argv[0] + 1; *l; l++) {
		char one[3] = {'-', *l, 0}, *word = one;
		int i = c ? option_find(c->options, one, 2) : -1, g = option_find(global_options, one, 2);
		if (i >= 0 ? c->options[i].arg != NULL : g < 0 || global_options[g].arg) {
			unknown_option(c, argv[0]);
			return -1;
		}
		if (option_take(c, 1, &word, a) < 0)
			return -1;
	}
	return 1;
}

static int command_run(const struct cmd_command *c, int argc, char **argv)
{
	struct cmd_args a = {0};
	char **words = calloc((size_t)argc + 1, sizeof *words);
	if (!words)
		return cmd_fail(EXIT_FAILED, "out of memory");
	a.words = words;
	int status = EXIT_USAGE;
	for (int i = 0; i < argc;) {
		if (strcmp(argv[i], "--") == 0) {
			a.program = argv + i + 1;
			break;
		}
		if (argv[i][0] == '-' && argv[i][1]) {
			int used = options_take(c, argc - i, argv + i, &a);
			if (used < 0)
				goto out;
			i += used;
		} else {
			words[a.n_words++] = argv[i++];
		}
	}
	if (a.n_words < c->words_min || a.n_words > c->words_max)
		cmd_fail(EXIT_USAGE, "usage: via %s [OPTIONS] %s", c->name, c->usage);
	else if (c->takes_program && (!a.program || !a.program[0]))
		cmd_fail(EXIT_USAGE, "no program is named; usage: via %s [OPTIONS] %s", c->name, c->usage);
	else if (!c->takes_program && a.program)
		cmd_fail(EXIT_USAGE, "via %s takes no program", c->name);
	else
		status = c->run(&a);
out:
	for (size_t i = 0; i < ARRAY_LEN(a.joined); i++)
		free(a.joined[i]);
	free(words);
	return status;
}

/* The command `argv[0]`, or two words of it; *used words. */
static const struct cmd_command *command_find(int argc, char **argv, int *used)
{
	for (const struct cmd_command *const *c = cmd_table; *c; c++) {
		const char *space = strchr((*c)->name, ' ');
		if (!space && strcmp((*c)->name, argv[0]) == 0) {
			*used = 1;
			return *c;
		}
		size_t first = space ? (size_t)(space - (*c)->name) : 0;
		if (space && argc > 1 && strlen(argv[0]) == first && strncmp((*c)->name, argv[0], first) == 0 &&
			strcmp(space + 1, argv[1]) == 0) {
			*used = 2;
			return *c;
		}
	}
	return NULL;
}

static bool is_in_group(const struct cmd_command *c, const char *group)
{
	size_t len = strlen(group);
	return strncmp(c->name, group, len) == 0 && c->name[len] == ' ';
}

/* "via lab" alone. */
static int group_help(const char *group)
{
	char list[256] = "";
	for (const struct cmd_command *const *c = cmd_table; *c; c++) {
		size_t used = strlen(list);
		if (is_in_group(*c, group))
			snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", (*c)->name + strlen(group) + 1);
	}
	return cmd_fail(EXIT_USAGE, "via %s what? There are %s; see via --help", group, list);
}

static int unknown_command(int argc, char **argv)
{
	char text[80];
	const char *names[32];
	int n = 0;
	bool is_group = false;
	for (const struct cmd_command *const *c = cmd_table; *c; c++) {
		names[n++] = (*c)->name;
		is_group = is_group || is_in_group(*c, argv[0]);
	}
	names[n] = NULL;
	snprintf(text, sizeof text, "%s%s%s", argv[0], is_group && argc > 1 ? " " : "", is_group && argc > 1 ? argv[1] : "");
	if (is_group && argc == 1)
		return group_help(argv[0]);
	const char *near = cmd_nearest(text, names);
	if (near)
		return cmd_fail(EXIT_USAGE, "unknown command '%s', did you mean '%s'?", text, near);
	return cmd_fail(EXIT_USAGE, "unknown command '%s'; see via --help", text);
}

int cmd_main(int argc, char **argv)
{
	int i = 1;
	cmd_global.color = isatty(STDOUT_FILENO);
	while (i < argc && argv[i][0] == '-') {
		int used = options_take(NULL, argc - i, argv + i, NULL);
		if (used < 0)
			return EXIT_USAGE;
		i += used;
	}
	if (i >= argc) {
		print_help();
		return EXIT_USAGE;
	}
	int used = 0;
	const struct cmd_command *c = command_find(argc - i, argv + i, &used);
	if (!c && argc - i > 1 && (strcmp(argv[i + 1], "--help") == 0 || strcmp(argv[i + 1], "-h") == 0))
		return print_help();
	if (!c)
		return unknown_command(argc - i, argv + i);
	return command_run(c, argc - i - used, argv + i + used);
}
