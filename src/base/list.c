/* base/list.c - doubly linked lists of arena objects, linked by reference. See the header. */
#include "base/list.h"

static struct list_link *link_of(struct arena *a, ref_t obj, size_t off)
{
	return (struct list_link *)(void *)((char *)arena_at(a, obj) + off);
}

void list_push_tail(struct arena *a, struct list *l, ref_t obj, size_t off)
{
	struct list_link *k = link_of(a, obj, off);

	k->next = 0;
	k->prev = l->tail;
	if (l->tail)
		link_of(a, l->tail, off)->next = obj;
	else
		l->head = obj;
	l->tail = obj;
	l->n++;
}

void list_push_head(struct arena *a, struct list *l, ref_t obj, size_t off)
{
	struct list_link *k = link_of(a, obj, off);

	k->prev = 0;
	k->next = l->head;
	if (l->head)
		link_of(a, l->head, off)->prev = obj;
	else
		l->tail = obj;
	l->head = obj;
	l->n++;
}

void list_insert_after(struct arena *a, struct list *l, ref_t at, ref_t obj, size_t off)
{
	struct list_link *k = link_of(a, obj, off), *before = link_of(a, at, off);

	k->prev = at;
	k->next = before->next;
	if (k->next)
		link_of(a, k->next, off)->prev = obj;
	else
		l->tail = obj;
	before->next = obj;
	l->n++;
}

void list_remove(struct arena *a, struct list *l, ref_t obj, size_t off)
{
	struct list_link *k = link_of(a, obj, off);

	ASSERT(list_has(a, l, obj, off));
	if (k->prev)
		link_of(a, k->prev, off)->next = k->next;
	else
		l->head = k->next;
	if (k->next)
		link_of(a, k->next, off)->prev = k->prev;
	else
		l->tail = k->prev;
	k->next = k->prev = 0;
	l->n--;
}

ref_t list_pop_head(struct arena *a, struct list *l, size_t off)
{
	ref_t obj = l->head;

	if (obj)
		list_remove(a, l, obj, off);
	return obj;
}

bool list_has(struct arena *a, const struct list *l, ref_t obj, size_t off)
{
	const struct list_link *k = link_of(a, obj, off);

	return l->head == obj || k->prev != 0;
}
