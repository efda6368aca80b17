/* lab/tap.c - a tap node: a real interface at the end of a lab link. Real time only. What the kernel does not take at once
 * is dropped, as a full device queue would. */
#include "driver/tap.h"
#include "lab/state.h"
#include <errno.h>
#include <sys/epoll.h>

enum { BURST = 32 };

int lab_tap_open(struct lab_node *n)
{
	n->tap = tap_open(n->t->tap, false);
	if (!n->tap)
		return -errno;
	n->tap->mem = n->lab->mem;
	return 0;
}

void lab_tap_close(struct lab_node *n)
{
	if (n->tap)
		tap_close(n->tap);
	n->tap = NULL;
}

void lab_tap_run(struct lab_node *n)
{
	struct lab *l = n->lab;
	struct pkt *pkts[BURST], *p;
	struct link_port *port;
	int got, sent;
	if (!n->t->n_ends)
		return;
	port = lab_port(l, n->t->ends[0]);
	while ((got = n->tap->ops->rx_burst(n->tap, pkts, BURST)) > 0) {
		sent = link_send(port, pkts, got, l->env.now);
		for (int i = sent; i < got; i++)
			pkt_free(l->mem, pkts[i]);
	}
	while ((p = link_receive(port)))
		if (n->tap->ops->tx_burst(n->tap, &p, 1, l->env.now) == 0)
			pkt_free(l->mem, p);
	sched_set(&l->sched, n->index, link_next(port));
}
