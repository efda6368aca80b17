/* door/table.c - from the inode of a program's descriptor to the socket behind it.
 *
 * An inode names the open socket itself, so dup, fork, exec and SCM_RIGHTS need no bookkeeping: whatever number a process
 * uses, /proc tells the inode. Chained buckets; numbers of sockfs inodes are given in order and spread by themselves. */
#include "door/inside.h"

static struct dsock **table_bucket(struct door *d, ino_t ino)
{
	return &d->bucket[ino & (DOOR_BUCKETS - 1)];
}

struct dsock *door_table_find(struct door *d, ino_t ino)
{
	struct dsock *s = *table_bucket(d, ino);
	while (s && s->ino != ino)
		s = s->hash_next;
	return s;
}

void door_table_add(struct door *d, struct dsock *s, ino_t ino)
{
	struct dsock **b = table_bucket(d, ino);
	s->ino = ino;
	s->hash_next = *b;
	*b = s;
}

/* Harmless for a socket that is in no table (inode 0). */
void door_table_del(struct door *d, struct dsock *s)
{
	if (s->ino == 0)
		return;
	for (struct dsock **p = table_bucket(d, s->ino); *p; p = &(*p)->hash_next) {
		if (*p == s) {
			*p = s->hash_next;
			break;
		}
	}
	s->ino = 0;
	s->hash_next = NULL;
}
