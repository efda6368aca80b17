/* lab/dump.c - captures that begin and end while a lab runs (lab.h). Each is a capture of its own, of some of the interfaces.
 *
 * A reader that is too slow may hold the lab up for a second once; then its capture has failed and gets nothing more. At most
 * DUMPS_MAX at once. */
#include "lab/state.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { DUMPS_MAX = 16 };

struct lab_dump {
	struct lab *lab;
	struct capture *capture;
	struct lab_dump *next;
	bool has_failed;
};

void lab_dumps_add(struct lab *l, const struct link_sent *s)
{
	for (struct lab_dump *d = l->dumps; d; d = d->next)
		if (!d->has_failed)
			capture_add(d->capture, s);
}

void lab_dumps_dropped(struct lab_node *n, int end, enum drop why)
{
	for (struct lab_dump *d = n->lab->dumps; d; d = d->next)
		capture_dropped(d->capture, end, n->rx_id, why, n->t->name);
}

void lab_dumps_flush(struct lab *l, int64_t now, bool is_all)
{
	for (struct lab_dump *d = l->dumps; d; d = d->next) {
		capture_flush(d->capture, now);
		if (is_all && !d->has_failed)
			d->has_failed = capture_push(d->capture) < 0;
	}
}

/* Is end `e` of the node, or the interface, that was named? NULL: all are. */
static bool is_meant(const struct lab *l, int e, const char *what)
{
	const char *node = l->topo->nodes[l->topo->ends[e].node].name;
	return !what || strcmp(what, node) == 0 || strcmp(what, l->end_names[e]) == 0;
}

/* Declare what is meant, and the other ends of its links. How many, or -errno. */
static int declare(struct lab_dump *d, const char *what)
{
	const struct lab *l = d->lab;
	int n = 0, rc = 0;
	for (int e = 0; e < 2 * l->topo->n_links && !rc; e++) {
		if (!is_meant(l, e, what) && !is_meant(l, e ^ 1, what))
			continue;
		rc = capture_iface(d->capture, e, l->end_names[e]);
		n++;
	}
	return rc ? rc : n;
}

struct lab_dump *lab_dump_start(struct lab *l, const char *what, int fd, char err[256])
{
	int n = 0;
	for (const struct lab_dump *d = l->dumps; d; d = d->next)
		n++;
	struct lab_dump *d = n < DUMPS_MAX ? calloc(1, sizeof *d) : NULL;
	if (!d) {
		close(fd);
		snprintf(err, 256, n < DUMPS_MAX ? "no memory" : "%d captures run already", n);
		return NULL;
	}
	d->lab = l;
	d->capture = capture_open_fd(fd, l->mem, 2 * l->topo->n_links);
	int rc = d->capture ? declare(d, what) : -ENOMEM;
	if (rc > 0)
		rc = capture_push(d->capture) ?: rc;
	if (rc > 0) {
		d->next = l->dumps;
		l->dumps = d;
		return d;
	}
	if (rc < 0)
		snprintf(err, 256, "cannot capture: %s", strerror(-rc));
	else
		snprintf(err, 256, "no interface '%.100s' in lab '%.60s'", what ? what : "", l->topo->name);
	if (d->capture)
		capture_close(d->capture);
	free(d);
	return NULL;
}

void lab_dump_stop(struct lab_dump *d)
{
	struct lab_dump **p = &d->lab->dumps;
	while (*p != d)
		p = &(*p)->next;
	*p = d->next;
	capture_close(d->capture);
	free(d);
}
