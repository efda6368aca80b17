/* posix/table.c - which socket is behind a descriptor, and which runner has a stack.
 *
 * A descriptor's number belongs to the socket until the socket is closed here. If the user closed it with close(2), the
 * kernel may give the number to a new pair of ours: then the old socket is closed for them. The tables are the process's. */
#include "posix/posix.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static struct psock **table;
static int table_size;
static struct {
	struct via *v;
	struct via_posix *p;
} *runners;
static int n_runners;

void psock_put(struct psock *ps)
{
	if (atomic_fetch_sub(&ps->refs, 1) > 1)
		return;
	pthread_cond_destroy(&ps->cond);
	free(ps);
}

static int table_reach(int fd)
{
	if (fd < table_size)
		return 0;
	int n = MAX(fd + 1, table_size ? table_size * 2 : 64);
	struct psock **t = realloc(table, (size_t)n * sizeof(*t));
	if (!t)
		return -ENOMEM;
	memset(t + table_size, 0, (size_t)(n - table_size) * sizeof(*t));
	table = t;
	table_size = n;
	return 0;
}

int table_set(struct psock *ps)
{
	pthread_mutex_lock(&table_lock);
	int e = table_reach(ps->fd);
	struct psock *old = e ? NULL : table[ps->fd];
	if (old) {
		/* The number is ours anew, so it was closed behind our back. Its runner may not be the one whose baton we hold. */
		old->next_doomed = old->p->doomed;
		old->p->doomed = old;
		eventfd_write(old->p->kick, 1);
	}
	if (!e) {
		table[ps->fd] = ps;
		atomic_fetch_add(&ps->refs, 1);
	}
	pthread_mutex_unlock(&table_lock);
	return e;
}

struct psock *table_doomed(struct via_posix *p)
{
	pthread_mutex_lock(&table_lock);
	struct psock *ps = p->doomed;
	if (ps)
		p->doomed = ps->next_doomed;
	pthread_mutex_unlock(&table_lock);
	return ps;
}

struct psock *table_get(int fd)
{
	pthread_mutex_lock(&table_lock);
	struct psock *ps = fd >= 0 && fd < table_size ? table[fd] : NULL;
	if (ps)
		atomic_fetch_add(&ps->refs, 1);
	pthread_mutex_unlock(&table_lock);
	return ps;
}

struct psock *table_take(int fd)
{
	pthread_mutex_lock(&table_lock);
	struct psock *ps = fd >= 0 && fd < table_size ? table[fd] : NULL;
	if (ps)
		table[fd] = NULL;
	pthread_mutex_unlock(&table_lock);
	return ps;
}

bool table_drop(struct psock *ps)
{
	pthread_mutex_lock(&table_lock);
	bool there = ps->fd >= 0 && ps->fd < table_size && table[ps->fd] == ps;
	if (there)
		table[ps->fd] = NULL;
	pthread_mutex_unlock(&table_lock);
	return there;
}

int runner_set(struct via *v, struct via_posix *p)
{
	int e = 0;
	pthread_mutex_lock(&table_lock);
	for (int i = 0; i < n_runners; i++)
		e = runners[i].v == v ? -EALREADY : e;
	void *more = e ? NULL : realloc(runners, (size_t)(n_runners + 1) * sizeof(*runners));
	if (more) {
		runners = more;
		runners[n_runners].v = v;
		runners[n_runners++].p = p;
	} else if (!e) {
		e = -ENOMEM;
	}
	pthread_mutex_unlock(&table_lock);
	return e;
}

void runner_drop(struct via *v)
{
	pthread_mutex_lock(&table_lock);
	for (int i = 0; i < n_runners; i++)
		if (runners[i].v == v)
			runners[i] = runners[--n_runners];
	pthread_mutex_unlock(&table_lock);
}

struct via_posix *runner_of(const struct via *v)
{
	struct via_posix *p = NULL;
	pthread_mutex_lock(&table_lock);
	for (int i = 0; i < n_runners; i++)
		p = runners[i].v == v ? runners[i].p : p;
	pthread_mutex_unlock(&table_lock);
	return p;
}
