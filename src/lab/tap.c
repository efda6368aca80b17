/* lab/tap.c - a tap node: a real interface at the end of a lab link. Real time only. What the kernel does not take at once
 * is dropped, as a full device queue would; so is what is longer than the link's MTU. Reading stops after BURSTS bursts:
 * the descriptor stays readable and brings the node back in the next turn, so a flood does not hold up the lab. */
#include "driver/tap.h"
#include "lab/state.h"
#include <errno.h>
#include <sys/epoll.h>

enum { BURST = 32, BURSTS = 8 };

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
	int got = BURST;
	if (!n->t->n_ends)
		return;
	port = lab_port(l, n->t->ends[0]);
	for (int k = 0; k < BURSTS && got == BURST; k++) {
		got = n->tap->ops->rx_burst(n->tap, pkts, BURST);
		for (int i = 0; i < got; i++)
			link_pass(port, pkts[i], l->env.now);
	}
	while ((p = link_receive(port)))
		if (n->tap->ops->tx_burst(n->tap, &p, 1, l->env.now) == 0)
			pkt_free(l->mem, p);
	sched_set(&l->sched, n->index, link_next(port));
}
