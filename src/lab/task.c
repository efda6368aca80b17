/* lab/task.c - see task.h. All tasks together are one entry of the scheduler, behind the nodes'. */
#include "lab/state.h"

/* The lab's time as seen from outside its turns: under real time the clock goes on while nothing happens. */
static int64_t present(const struct lab *l)
{
	return l->loop && !l->is_running ? MAX(l->env.now, loop_now() - l->start) : l->env.now;
}

static void due(struct lab *l, struct lab_task *t, int64_t when)
{
	t->when = when;
	sched_lower(&l->sched, l->topo->n_nodes, when);
	if (l->loop)
		l->task.deadline = 0;
}

void lab_task_add(struct lab *l, struct lab_task *t)
{
	t->next = l->tasks;
	l->tasks = t;
	due(l, t, present(l));
}

void lab_task_del(struct lab *l, struct lab_task *t)
{
	struct lab_task **p = &l->tasks;
	while (*p && *p != t)
		p = &(*p)->next;
	if (*p)
		*p = t->next;
}

void lab_task_wake(struct lab *l, struct lab_task *t)
{
	due(l, t, present(l));
}

void lab_task_calls(struct lab_node *n)
{
	via_flush(n->stack, n->lab->env.now);
	n->hn.touched(&n->hn);
}

/* The first that is due, or NULL. */
static struct lab_task *first_due(struct lab *l)
{
	for (struct lab_task *t = l->tasks; t; t = t->next)
		if (t->when <= l->env.now)
			return t;
	return NULL;
}

static bool is_there(const struct lab *l, const struct lab_task *task)
{
	for (const struct lab_task *t = l->tasks; t; t = t->next)
		if (t == task)
			return true;
	return false;
}

void lab_tasks_run(struct lab *l)
{
	struct lab_task *t;
	int64_t next = TIME_NEVER;
	while ((t = first_due(l))) {
		t->when = TIME_NEVER;
		int64_t when = t->run(t, l->env.now);
		if (is_there(l, t))
			t->when = MIN(t->when, MAX(when, l->env.now + 1)); /* time passes, whatever a task wants */
	}
	for (t = l->tasks; t; t = t->next)
		next = MIN(next, t->when);
	sched_set(&l->sched, l->topo->n_nodes, next);
}
