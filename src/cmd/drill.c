/* cmd/drill.c - `via drill FILE...`: run packetdrill scripts against a stack of ours, in virtual time (drill/run.h). */
#include "cmd/cmd.h"
#include "drill/run.h"
#include <errno.h>
#include <stdlib.h>

enum { FILE_MAX = 1 << 20 };
enum { OPT_STRICT, OPT_TOLERANCE };
static const struct cmd_option options[] = {
	[OPT_STRICT] = {0, "strict", NULL, "packets that no event expects fail the script; timestamp echoes are compared"},
	[OPT_TOLERANCE] = {0, "tolerance_usecs", "N", "how far times may be off, instead of what the script says"},
	{0, NULL, NULL, NULL},
};

/* The file's bytes, to be freed. NULL with errno. */
static char *read_whole(const char *path, size_t *len)
{
	FILE *f = fopen(path, "re");
	char *text = f ? malloc(FILE_MAX + 1) : NULL;
	*len = text ? fread(text, 1, FILE_MAX + 1, f) : 0;
	if (text && (ferror(f) || *len > FILE_MAX)) {
		errno = *len > FILE_MAX ? EFBIG : errno;
		free(text);
		text = NULL;
	}
	int e = errno;
	if (f)
		fclose(f);
	errno = e;
	return text;
}

static int drill_file(const char *path, const struct drill_how *how)
{
	size_t len;
	struct drill_done done;
	char *text = read_whole(path, &len);
	if (!text)
		return cmd_fail(EXIT_USAGE, "cannot read %s: %s", path, strerror(errno));
	enum drill_status status = drill_run(path, text, len, how, &done);
	free(text);
	if (status == DRILL_PASSED && !cmd_global.quiet)
		printf("ok %s (%d events, %lld.%03lld s virtual)\n", path, done.n_events, (long long)(done.virtual_ns / NS_PER_S),
		       (long long)(done.virtual_ns % NS_PER_S / NS_PER_MS));
	else if (status != DRILL_PASSED)
		printf("%s %s\n", status == DRILL_WRONG ? "cannot be read:" : "failed", path);
	return status == DRILL_PASSED ? EXIT_WELL : status == DRILL_WRONG ? EXIT_USAGE : EXIT_FAILED;
}

static int drill(const struct cmd_args *a)
{
	struct drill_how how = {.out = stdout, .err = stderr, .verbose = cmd_global.verbose, .strict = a->opt[OPT_STRICT], .tolerance_ns = -1};
	int n[3] = {0}, worst = EXIT_WELL;
	if (a->opt[OPT_TOLERANCE]) {
		char *end;
		long long us = strtoll(a->opt[OPT_TOLERANCE], &end, 10);
		if (*end || end == a->opt[OPT_TOLERANCE] || us < 0 || us > 1000000000)
			return cmd_fail(EXIT_USAGE, "--tolerance_usecs wants a number of microseconds, not '%s'", a->opt[OPT_TOLERANCE]);
		how.tolerance_ns = us * NS_PER_US;
	}
	for (int i = 0; i < a->n_words; i++) {
		int status = drill_file(a->words[i], &how);
		fflush(stdout);
		n[status]++;
		worst = MAX(worst, status);
	}
	if (a->n_words > 1)
		printf("%d passed, %d failed, %d cannot be read\n", n[EXIT_WELL], n[EXIT_FAILED], n[EXIT_USAGE]);
	return worst;
}

const struct cmd_command cmd_drill = {
	.name = "drill",
	.usage = "FILE...",
	.summary = "run packetdrill scripts against a stack of ours, in virtual time",
	.detail = "A script's commands are not run: sysctl lines are mapped to the stack's settings. With -v every event is printed.\n"
		  "Exit status: 0 all passed, 1 one failed, 2 one cannot be read.",
	.options = options,
	.words_min = 1,
	.words_max = 4096,
	.run = drill,
};
