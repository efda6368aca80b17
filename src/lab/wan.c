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

bool lab_wan_get(struct lab *l, const char *node, struct lab_wan_stats *out)
{
	struct gate_stats s;
	int i = topo_node_find(l->topo, node);
	if (i < 0 || !l->nodes[i].gate)
		return false;
	gate_stats_get(l->nodes[i].gate, &s);
	*out = (struct lab_wan_stats){.streams = s.streams, .flows = s.flows, .refused = s.refused, .ping_denied = s.ping_denied};
	return true;
}
