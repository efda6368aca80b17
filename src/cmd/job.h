/* cmd/job.h - run a job (lab/job.h) where it belongs: in a lab that is up, in one made for it, or behind a gateway to the outside. */
#ifndef CMD_JOB_H
#define CMD_JOB_H

#include "cmd/cmd.h"
#include "lab/lab.h"

struct job_place {
	const char *name;         /* a lab that is up; else: */
	const char *file, *shape; /* of a lab of its own */
	struct lab_opts opts;     /* of that; real_time: paced by the clock */
	struct lab *lab;          /* taken: made already, real_time */
};

/* Run what (borrowed); message(ctx, msg) hears of each message, which it borrows, but the last. SIGINT ends the job early, as its maker
 * wants it. Gives the last message; NULL after a sentence, *status is the exit status then. */
json_t *job_run(const struct job_place *where, const json_t *what, void (*message)(void *ctx, const json_t *msg), void *ctx, int *status);

/* Seconds ("0.2") as ns; -1 after a sentence that calls them `option`. NULL: ns. */
int64_t job_seconds(const char *text, const char *option, int64_t ns);
/* A number from least to most; -1 after a sentence. NULL: value. */
int64_t job_number(const char *text, const char *option, int64_t least, int64_t most, int64_t value);

#endif
