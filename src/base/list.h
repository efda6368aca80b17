/* base/list.h - doubly linked list of arena objects, linked by reference. `off` is offsetof(T, link). A link that is all
 * zero with list_has() false is in no list; an object is asked only about the list it may be in. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/arena.h"

struct list {
	ref_t head, tail;
	uint32_t n;
};
struct list_link {
	ref_t next, prev;
};

void list_push_tail(struct arena *a, struct list *l, ref_t obj, size_t off);
void list_push_head(struct arena *a, struct list *l, ref_t obj, size_t off);
void list_insert_after(struct arena *a, struct list *l, ref_t at, ref_t obj, size_t off);
void list_remove(struct arena *a, struct list *l, ref_t obj, size_t off);
ref_t list_pop_head(struct arena *a, struct list *l, size_t off); /* 0 when empty */
bool list_has(struct arena *a, const struct list *l, ref_t obj, size_t off);
static inline ref_t list_next(struct arena *a, ref_t obj, size_t off)
{
	return ((struct list_link *)(void *)((char *)arena_at(a, obj) + off))->next;
}
static inline ref_t list_prev(struct arena *a, ref_t obj, size_t off)
{
	return ((struct list_link *)(void *)((char *)arena_at(a, obj) + off))->prev;
}

#endif
