/* lab/task.h - work that has a time in a lab but belongs to no stack: a probe that gives up, a flow that begins.
 *
 * Tasks run in the lab's time, virtual or real, between the events of the nodes; at one instant after the nodes that asked for it
 * first. They are few: a lab looks at all of them each time one is due. */
#ifndef LAB_TASK_H
#define LAB_TASK_H

#include "base/defs.h"

struct lab;
struct lab_node;

struct lab_task {
	int64_t (*run)(struct lab_task *t, int64_t now); /* when it wants to run next, TIME_NEVER: when woken; it may delete itself, then
							    what it returns means nothing */
	int64_t when;          /* the lab's, as what follows */
	struct lab_task *next;
};

/* Borrows t, with `run` set. It runs at once. */
void lab_task_add(struct lab *l, struct lab_task *t);
void lab_task_del(struct lab *l, struct lab_task *t);
/* It runs now. */
void lab_task_wake(struct lab *l, struct lab_task *t);
/* A task is about to make socket calls on n's stack: its time becomes the present, and it is polled once they are made. */
void lab_task_calls(struct lab_node *n);

/* --- for run.c --- */
void lab_tasks_run(struct lab *l);

#endif
