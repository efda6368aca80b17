/* lab/job.h - work inside a lab that somebody outside asked for and is told about: do all hosts answer, ping, trace.
 *
 * A job runs in the lab's time, virtual or real. It is asked for and told in JSON, so that it is the same for a lab in this
 * process and for one that is up in another. Jobs take what they need of a stack by its sockets, as programs do. */
#ifndef LAB_JOB_H
#define LAB_JOB_H

#include "lab/task.h"
#include <jansson.h>

struct lab_job;

/* The job that `what` (borrowed) asks for: {"job": "pingall", ...}; each says in its file what else. tell(ctx, msg): a message,
 * borrowed; the last has "done": true, and only then may the job be freed inside tell(). NULL after a sentence in err. */
struct lab_job *lab_job_new(struct lab *l, const json_t *what, void (*tell)(void *ctx, const json_t *msg), void *ctx, char err[256]);
/* Come to an end with what there is so far: the last message follows. */
void lab_job_stop(struct lab_job *j);
/* At any time but inside an unfinished tell(). NULL is fine. */
void lab_job_free(struct lab_job *j);

/* --- for the jobs --- */

struct lab_job_kind {
	const char *name;
	struct lab_job *(*make)(struct lab *l, const json_t *what, char err[256]); /* with lab, task.run set */
	void (*free)(struct lab_job *j);
};

/* First member of each job. */
struct lab_job {
	struct lab_task task; /* first; added once the job is made */
	const struct lab_job_kind *kind;
	struct lab *lab;
	void (*tell)(void *ctx, const json_t *msg);
	void *ctx;
	bool is_stopped; /* lab_job_stop(): the task runs and tells the last message */
};
extern const struct lab_job_kind lab_job_pingall, lab_job_ping, lab_job_trace;

/* The node that what["node"] names; NULL after a sentence in err. */
struct lab_node *lab_job_node(struct lab *l, const json_t *what, char err[256]);
/* The square root, rounded down. */
int64_t lab_job_root(int64_t n);
/* Takes msg. A job must not touch itself after its last message. */
void lab_job_tell(struct lab_job *j, json_t *msg);

#endif
