/* lab/watch.h - see the frames that reach a node, before its stack does: what sockets do not tell (TTL, ICMP errors whole). */
#ifndef LAB_WATCH_H
#define LAB_WATCH_H

#include "pkt/pkt.h"

struct lab;

struct lab_watch {
	/* p (borrowed) begins with its Ethernet header. The stack is at work: no socket calls; a task may be woken to make them. */
	void (*came)(void *ctx, const struct pkt *p);
	void *ctx;
	int node;
	struct lab_watch *next; /* the lab's */
};

void lab_watch_add(struct lab *l, struct lab_watch *w); /* borrows w, with came, ctx and node set */
void lab_watch_del(struct lab *l, struct lab_watch *w);

#endif
