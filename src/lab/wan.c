/* lab/wan.c - a wan node: a stack of the lab that stands for the outside (gate/). Real time only. */
#include "gate/gate.h"
#include "lab/state.h"
#include <errno.h>

int lab_wan_attach(struct lab *l)
{
	for (int i = 0; i < l->topo->n_nodes; i++) {
		struct lab_node *n = &l->nodes[i];
		if (n->t->kind != TOPO_WAN)
			continue;
		n->gate = gate_new(&(struct gate_config){.loop = l->loop, .node = &n->hn, .loopback = n->t->wan.loopback,
			.resolver = n->t->wan.dns});
		if (!n->gate) {
			int e = errno;
			lab_wan_detach(l);
			return -e;
		}
	}
	return 0;
}

void lab_wan_detach(struct lab *l)
{
	for (int i = 0; i < l->topo->n_nodes; i++) {
		gate_free(l->nodes[i].gate);
		l->nodes[i].gate = NULL;
	}
}
