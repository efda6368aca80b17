/* lab/watch.c - see watch.h. Links ask only while somebody watches. */
#include "lab/state.h"

static void on_came(struct link_env *e, int node, const struct pkt *p)
{
	struct lab *l = (struct lab *)e;
	for (struct lab_watch *w = l->watches; w; w = w->next)
		if (w->node == node)
			w->came(w->ctx, p);
}

void lab_watch_add(struct lab *l, struct lab_watch *w)
{
	w->next = l->watches;
	l->watches = w;
	l->env.came = on_came;
}

void lab_watch_del(struct lab *l, struct lab_watch *w)
{
	struct lab_watch **p = &l->watches;
	while (*p && *p != w)
		p = &(*p)->next;
	if (*p)
		*p = w->next;
	if (!l->watches)
		l->env.came = NULL;
}
