/* lab/job.c - see job.h: the table of jobs. */
#include "lab/job.h"
#include "lab/state.h"

static const struct lab_job_kind *const kinds[] = {&lab_job_pingall, &lab_job_ping, &lab_job_trace};

struct lab_job *lab_job_new(struct lab *l, const json_t *what, void (*tell)(void *ctx, const json_t *msg), void *ctx, char err[256])
{
	const char *name = json_string_value(json_object_get(what, "job"));
	const struct lab_job_kind *kind = NULL;
	for (size_t i = 0; i < ARRAY_LEN(kinds) && name; i++)
		if (strcmp(kinds[i]->name, name) == 0)
			kind = kinds[i];
	if (!kind) {
		snprintf(err, 256, "a lab has no job '%s'", name ? name : "");
		return NULL;
	}
	snprintf(err, 256, "out of memory");
	struct lab_job *j = kind->make(l, what, err);
	if (!j)
		return NULL;
	j->kind = kind;
	j->lab = l;
	j->tell = tell;
	j->ctx = ctx;
	lab_task_add(l, &j->task);
	return j;
}

void lab_job_stop(struct lab_job *j)
{
	j->is_stopped = true;
	lab_task_wake(j->lab, &j->task);
}

void lab_job_free(struct lab_job *j)
{
	if (!j)
		return;
	lab_task_del(j->lab, &j->task);
	j->kind->free(j);
}

void lab_job_tell(struct lab_job *j, json_t *msg)
{
	if (msg)
		j->tell(j->ctx, msg);
	json_decref(msg);
}

struct lab_node *lab_job_node(struct lab *l, const json_t *what, char err[256])
{
	const char *name = json_string_value(json_object_get(what, "node"));
	struct host_node *hn = name ? lab_node(l, name) : NULL;
	if (!hn)
		snprintf(err, 256, "no host or router named '%s' in lab '%s'", name ? name : "", lab_name(l));
	return (struct lab_node *)hn;
}

int64_t lab_job_root(int64_t n)
{
	int64_t r = 0;
	for (int64_t bit = INT64_C(1) << 31; bit; bit >>= 1)
		if ((r + bit) * (r + bit) <= n)
			r += bit;
	return r;
}
