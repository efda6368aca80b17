/* lab/wan.c - a wan node: a stack of the lab that stands for the outside (gate/). In a lab under virtual time
 * there is no outside: it answers nothing. */
#include "gate/gate.h"
#include "lab/state.h"
#include <errno.h>

/* The address at an end now. 0, or -EADDRNOTAVAIL: it has none yet. */
static int addr_of_end(struct lab *l, int end, bool is_v6, struct via_addr *out)
{
	const struct lab_node *n = &l->nodes[l->topo->ends[end].node];
	int k = 0;
	while (n->t->ends[k] != end)
		k++;
	return (is_v6 ? lab_ip6_end_addr(n, k, out) : lab_end_addr(n, k, out)) ? 0 : -EADDRNOTAVAIL;
}

/* Where forward f leads. 0 or -errno. */
static int guest_of(struct lab *l, int wan, const struct topo_forward *f, struct via_sockaddr *out)
{
	bool is_v6;
	int end, rc = topo_forward_guest(l->topo, wan, f, &end, &is_v6, &out->addr);
	out->port = f->port;
	return rc || end < 0 ? rc : addr_of_end(l, end, is_v6, &out->addr);
}

/* 0 or -errno. */
static int open_forwards(struct lab *l, int wan)
{
	const struct topo_wan *w = &l->nodes[wan].t->wan;
	int rc = 0;
	for (int i = 0; i < w->n_forwards && !rc; i++) {
		const struct topo_forward *f = &w->forwards[i];
		struct gate_forward to = {.type = f->is_udp ? VIA_DGRAM : VIA_STREAM, .host = f->host};
		rc = guest_of(l, wan, f, &to.guest);
		if (!rc)
			rc = gate_forward(l->nodes[wan].gate, &to);
		if (rc) {
			char addr[VIA_ADDR_STRLEN];
			snprintf(l->attach_error, sizeof l->attach_error, "%s port %s/%u: %s", f->is_udp ? "UDP" : "TCP",
				 via_addr_format(&f->host.addr, addr), f->host.port, strerror(-rc));
		}
	}
	return rc;
}

int lab_wan_attach(struct lab *l)
{
	for (int i = 0; i < l->topo->n_nodes; i++) {
		struct lab_node *n = &l->nodes[i];
		if (n->t->kind != TOPO_WAN)
			continue;
		n->gate = gate_new(&(struct gate_config){.loop = l->loop, .node = &n->hn, .resolver = n->t->wan.dns,
			.loopback = {n->t->wan.loopback[0], n->t->wan.loopback[1]}});
		int rc = n->gate ? open_forwards(l, i) : -errno;
		if (rc) {
			lab_wan_detach(l);
			return rc;
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
