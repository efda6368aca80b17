/* lab/sched.c - see sched.h. */
#include "lab/sched.h"
#include <errno.h>
#include <stdlib.h>

int sched_init(struct sched *s, int n)
{
	*s = (struct sched){.cap = n};
	s->item = calloc((size_t)n + 1, sizeof *s->item);
	s->heap = calloc((size_t)n + 1, sizeof *s->heap);
	if (!s->item || !s->heap) {
		sched_fini(s);
		return -ENOMEM;
	}
	for (int i = 0; i < n; i++)
		s->item[i] = (struct sched_item){TIME_NEVER, 0, -1};
	return 0;
}

void sched_fini(struct sched *s)
{
	free(s->item);
	free(s->heap);
	*s = (struct sched){0};
}

static bool is_before(const struct sched *s, int a, int b)
{
	const struct sched_item *x = &s->item[a], *y = &s->item[b];
	return x->when != y->when ? x->when < y->when : x->order < y->order;
}

static void place(struct sched *s, int at, int i)
{
	s->heap[at] = i;
	s->item[i].at = at;
}

static void sift_up(struct sched *s, int at, int i)
{
	for (; at > 0 && is_before(s, i, s->heap[(at - 1) / 2]); at = (at - 1) / 2)
		place(s, at, s->heap[(at - 1) / 2]);
	place(s, at, i);
}

static void sift_down(struct sched *s, int at, int i)
{
	for (;;) {
		int child = 2 * at + 1;
		if (child >= s->n)
			break;
		if (child + 1 < s->n && is_before(s, s->heap[child + 1], s->heap[child]))
			child++;
		if (!is_before(s, s->heap[child], i))
			break;
		place(s, at, s->heap[child]);
		at = child;
	}
	place(s, at, i);
}

static void remove_at(struct sched *s, int at)
{
	int moved = s->heap[--s->n];
	s->item[s->heap[at]].at = -1;
	if (at == s->n)
		return;
	if (at > 0 && is_before(s, moved, s->heap[(at - 1) / 2]))
		sift_up(s, at, moved);
	else
		sift_down(s, at, moved);
}

void sched_set(struct sched *s, int i, int64_t when)
{
	struct sched_item *it = &s->item[i];
	if (it->at >= 0) {
		if (it->when == when)
			return;
		remove_at(s, it->at);
	}
	it->when = when;
	if (when == TIME_NEVER)
		return;
	it->order = s->ticket++;
	s->n++;
	sift_up(s, s->n - 1, i);
}

void sched_lower(struct sched *s, int i, int64_t when)
{
	if (when < s->item[i].when)
		sched_set(s, i, when);
}

int64_t sched_first(const struct sched *s, int *i)
{
	if (!s->n)
		return TIME_NEVER;
	if (i)
		*i = s->heap[0];
	return s->item[s->heap[0]].when;
}
