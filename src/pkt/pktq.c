/* pkt/pktq.c - FIFO of packets, linked through struct pkt by reference. */
#include "pkt/pkt.h"

void pktq_push(struct pktmem *m, struct pktq *q, struct pkt *p)
{
	ref_t r = pkt_ref(m, p);

	p->next = 0;
	if (q->tail)
		pkt_at(m, q->tail)->next = r;
	else
		q->head = r;
	q->tail = r;
	q->n++;
	q->bytes += p->len;
}

struct pkt *pktq_pop(struct pktmem *m, struct pktq *q)
{
	struct pkt *p = pktq_peek(m, q);

	if (!p)
		return NULL;
	q->head = p->next;
	if (!q->head)
		q->tail = 0;
	q->n--;
	q->bytes -= p->len;
	p->next = 0;
	return p;
}

void pktq_clear(struct pktmem *m, struct pktq *q)
{
	struct pkt *p;

	while ((p = pktq_pop(m, q)))
		pkt_free(m, p);
}
