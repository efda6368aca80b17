/* lab/dhcp.c - DHCP in a lab: ends that ask for their address, and services that give addresses away (serve/dhcp_*.h).
 *
 * The arena of the services' tables is their node's own. A lease's name server answers the programs of its node (lab_node_resolver);
 * its name is the node's. What a lease brings to the stack's arena belongs to the node's baseline. */
#include "lab/state.h"
#include "serve/dhcp_client.h"
#include "serve/dhcp_server.h"
#include <errno.h>
#include <stdlib.h>

enum { ARENA_BYTES = 16 << 20, SUBNETS_MAX = 16 };

struct lab_dhcp {
	struct serve_dhcp_client client;
	struct serve_dhcp_iface *ifaces; /* by the node's ends, as the next */
	uint32_t *named;                 /* the address under which the lab's names know the end, or 0 */
	struct serve_dhcp_server server;
	struct serve_dhcp_subnet subnets[SUBNETS_MAX];
	struct host_map map;
	struct arena *arena;
	bool asks, answers;
};

static bool has_asking_end(const struct lab_node *n)
{
	for (int k = 0; k < n->t->n_ends; k++)
		if (n->lab->topo->ends[n->t->ends[k]].asks_dhcp)
			return true;
	return false;
}

static const struct topo_service *service_of(const struct lab_node *n)
{
	for (int i = 0; i < n->t->n_services; i++)
		if (n->t->services[i].kind == TOPO_DHCP)
			return &n->t->services[i];
	return NULL;
}

/* --- asking --- */

/* The k-th end has this address now, 0: none. */
static void name_end(struct lab_node *n, int k, uint32_t addr)
{
	uint32_t *named = &n->dhcp->named[k];
	const struct via_addr was = via_addr_v4(*named), is = via_addr_v4(addr);
	if (!n->lab->names || *named == addr)
		return;
	if (*named)
		lab_names_del(n->lab->names, n->t->name, &was);
	if (addr)
		lab_names_add(n->lab->names, n->t->name, &is);
	*named = addr;
}

static void on_lease(void *ctx, int ifindex, const struct dhcp_lease *lease)
{
	struct lab_node *n = ctx;
	for (int k = 0; k < n->t->n_ends; k++)
		if (n->lab->end_ifindex[n->t->ends[k]] == ifindex)
			name_end(n, k, lease ? lease->addr : 0);
}

void lab_dhcp_name(struct lab *l)
{
	struct via_addr a;
	for (int i = 0; i < l->topo->n_nodes; i++)
		for (int k = 0; k < l->topo->nodes[i].n_ends && l->nodes[i].dhcp; k++)
			if (l->topo->ends[l->topo->nodes[i].ends[k]].asks_dhcp && lab_end_addr(&l->nodes[i], k, &a))
				name_end(&l->nodes[i], k, via_addr_to_v4(&a));
}

static int start_client(struct lab_node *n)
{
	struct lab *l = n->lab;
	struct lab_dhcp *d = n->dhcp;
	const struct serve_dhcp_client_config c = {.via = n->stack, .hostname = n->t->name, .changed = on_lease, .ctx = n,
		.key = {lab_seed(l, "dhcp client 1", n->t->name), lab_seed(l, "dhcp client 2", n->t->name)}};
	d->ifaces = calloc((size_t)n->t->n_ends + 1, sizeof *d->ifaces);
	d->named = calloc((size_t)n->t->n_ends + 1, sizeof *d->named);
	if (!d->ifaces || !d->named)
		return -ENOMEM;
	int rc = serve_dhcp_client_start(&d->client, &c);
	d->asks = rc == 0;
	for (int k = 0; k < n->t->n_ends && !rc; k++)
		if (l->topo->ends[n->t->ends[k]].asks_dhcp)
			rc = serve_dhcp_client_add(&d->client, &d->ifaces[k], l->end_ifindex[n->t->ends[k]], 0, l->env.now);
	return rc;
}

/* --- answering --- */

static int serve_subnet(struct lab_node *n, const struct topo_dhcp *s, const struct topo_dhcp_plan *p, struct serve_dhcp_subnet *subnet)
{
	struct lab *l = n->lab;
	const struct topo_prefix *own = &l->topo->ends[p->end].addr;
	struct dhcp_server_config c = {.arena = n->dhcp->arena, .server = own->addr, .plen = own->plen, .first = p->range.first,
		.last = p->range.last, .router = p->router, .n_dns = p->n_dns, .mtu = s->mtu, .domain = "lab", .lease_s = s->lease_s,
		.key = {lab_seed(l, "dhcp server 1", l->end_names[p->end]), lab_seed(l, "dhcp server 2", l->end_names[p->end])}};
	memcpy(c.dns, p->dns, sizeof p->dns);
	return serve_dhcp_server_add(&n->dhcp->server, subnet, l->end_ifindex[p->end], &c);
}

static int start_server(struct lab_node *n, const struct topo_service *s)
{
	struct lab_dhcp *d = n->dhcp;
	struct topo_dhcp_plan plan[SUBNETS_MAX];
	int n_plans = MIN(topo_dhcp_plan(n->lab->topo, n->index, s, plan, SUBNETS_MAX), SUBNETS_MAX);
	int rc = host_map_new(&d->map, ARENA_BYTES);
	if (rc)
		return rc;
	d->arena = arena_init(d->map.at, d->map.bytes);
	rc = d->arena ? serve_dhcp_server_start(&d->server, n->stack, NULL, NULL) : -ENOMEM;
	d->answers = rc == 0;
	for (int i = 0; i < n_plans && !rc; i++)
		rc = serve_subnet(n, &s->dhcp, &plan[i], &d->subnets[i]);
	return rc;
}

/* --- life --- */

int lab_dhcp_start(struct lab_node *n)
{
	const struct topo_service *s = service_of(n);
	bool asks = has_asking_end(n);
	if (!s && !asks)
		return 0;
	n->dhcp = calloc(1, sizeof *n->dhcp);
	if (!n->dhcp)
		return -ENOMEM;
	int rc = s ? start_server(n, s) : 0;
	return rc || !asks ? rc : start_client(n);
}

void lab_dhcp_stop(struct lab_node *n)
{
	struct lab_dhcp *d = n->dhcp;
	if (!d)
		return;
	if (d->asks) /* its name goes with the zone */
		serve_dhcp_client_stop(&d->client, false, n->lab->env.now);
	if (d->answers)
		serve_dhcp_server_stop(&d->server);
	if (d->arena)
		arena_fini(d->arena);
	if (d->map.at)
		host_map_free(&d->map);
	free(d->ifaces);
	free(d->named);
	free(d);
	n->dhcp = NULL;
}

void lab_dhcp_tick(struct lab_node *n)
{
	if (n->dhcp->answers)
		serve_dhcp_server_tick(&n->dhcp->server, n->lab->env.now);
	if (n->dhcp->asks)
		serve_dhcp_client_tick(&n->dhcp->client, n->lab->env.now);
}

int64_t lab_dhcp_next(const struct lab_node *n)
{
	int64_t next = n->dhcp->answers ? serve_dhcp_server_next(&n->dhcp->server) : TIME_NEVER;
	return n->dhcp->asks ? MIN(next, serve_dhcp_client_next(&n->dhcp->client)) : next;
}

/* --- who has what --- */

const struct dhcp_lease *lab_dhcp_lease(const struct lab_node *n)
{
	const struct dhcp_lease *l = NULL;
	for (int k = 0; k < n->t->n_ends && n->dhcp && n->dhcp->asks && !l; k++)
		l = serve_dhcp_client_lease(&n->dhcp->client, n->lab->end_ifindex[n->t->ends[k]]);
	return l;
}

bool lab_end_addr(const struct lab_node *n, int k, struct via_addr *out)
{
	const struct topo_end *e = &n->lab->topo->ends[n->t->ends[k]];
	const struct dhcp_lease *l = NULL;
	if (e->asks_dhcp && n->dhcp)
		l = serve_dhcp_client_lease(&n->dhcp->client, n->lab->end_ifindex[n->t->ends[k]]);
	*out = via_addr_v4(l ? l->addr : e->addr.addr);
	return l || e->addr.set;
}

const struct lab_node *lab_addr_node(const struct lab *l, const struct via_addr *a)
{
	struct via_addr at;
	for (int i = 0; i < l->topo->n_nodes; i++)
		for (int k = 0; k < l->topo->nodes[i].n_ends; k++)
			if (l->topo->nodes[i].kind != TOPO_SWITCH && lab_end_addr(&l->nodes[i], k, &at) && via_addr_eq(&at, a))
				return &l->nodes[i];
	return NULL;
}

bool lab_dhcp_is_over(const struct lab *l)
{
	struct via_addr at;
	for (int i = 0; i < l->topo->n_nodes; i++)
		for (int k = 0; k < l->topo->nodes[i].n_ends && l->nodes[i].dhcp; k++)
			if (l->topo->ends[l->topo->nodes[i].ends[k]].asks_dhcp && !lab_end_addr(&l->nodes[i], k, &at))
				return false;
	return true;
}
