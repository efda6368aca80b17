/* lab/topo_domain.c - which interfaces share a subnet: those whose frames reach each other without a router.
 *
 * On a link frames are untagged or of a VLAN; each of these is a thing of its own ("lane"), and so is each VLAN inside a switch. A switch
 * that minds VLANs joins a lane of its link to its VLAN's as the port says; one that does not joins the same lanes of all its links. The
 * lanes that are joined, directly or not, are one subnet, if anybody stands there. A lab without VLANs has one lane a link. */
#include "lab/topo.h"
#include <errno.h>
#include <stdlib.h>

int topo_root(int *up, int i)
{
	while (up[i] != i)
		i = up[i] = up[up[i]];
	return i;
}

struct lanes {
	const struct topo *t;
	int per_link; /* untagged, and each VLAN of the lab */
	int *up;
};

/* Lane of a link: 0 untagged, else t->vids[lane - 1]. */
static int lane_of(const struct lanes *s, int link, int lane)
{
	return link * s->per_link + lane;
}

/* The VLAN inside a switch; switches come behind the links, by node. */
static int lane_in(const struct lanes *s, int node, int vid_index)
{
	return (s->t->n_links + node) * s->per_link + vid_index;
}

static void join(struct lanes *s, int a, int b)
{
	s->up[topo_root(s->up, a)] = topo_root(s->up, b);
}

static int vid_index(const struct topo *t, uint16_t vid)
{
	int i = 0;
	while (i < t->n_vids && t->vids[i] != vid)
		i++;
	return i;
}

static void join_at_port(struct lanes *s, int node, int end)
{
	const struct topo *t = s->t;
	const struct topo_end *e = &t->ends[end];
	if (e->access)
		join(s, lane_of(s, end / 2, 0), lane_in(s, node, vid_index(t, e->access)));
	for (int v = 0; v < t->n_vids; v++)
		if (e->tagged >> v & 1)
			join(s, lane_of(s, end / 2, v + 1), lane_in(s, node, v));
}

static void join_at_switch(struct lanes *s, int node)
{
	const struct topo_node *n = &s->t->nodes[node];
	for (int k = 0; k < n->n_ends; k++) {
		if (n->n_ports)
			join_at_port(s, node, n->ends[k]);
		for (int lane = 0; lane < s->per_link && !n->n_ports; lane++)
			join(s, lane_of(s, n->ends[k] / 2, lane), lane_of(s, n->ends[0] / 2, lane));
	}
}

static int add_to_domain(struct topo_domain *d, int end)
{
	if ((d->n_ends & (d->n_ends + 1)) == 0) {
		int *more = realloc(d->ends, (size_t)(2 * d->n_ends + 2) * sizeof *more);
		if (!more)
			return -ENOMEM;
		d->ends = more;
	}
	d->ends[d->n_ends++] = end;
	return 0;
}

/* Subnets are numbered by their first link, those of VLAN interfaces behind. */
static int number(struct topo *t, struct lanes *s, int *of)
{
	for (int e = 0; e < t->n_ends; e++) {
		struct topo_end *end = &t->ends[e];
		int root = topo_root(s->up, lane_of(s, topo_end_link(t, e), end->vlan ? vid_index(t, end->vlan) + 1 : 0));
		bool is_port = t->nodes[end->node].kind == TOPO_SWITCH;
		end->domain = -1;
		if (is_port && t->n_vids) /* of VLANs those count where somebody stands */
			continue;
		if (of[root] < 0)
			of[root] = t->n_domains++;
		if (is_port)
			continue;
		end->domain = of[root];
		if (add_to_domain(&t->domains[end->domain], e))
			return -ENOMEM;
	}
	return 0;
}

/* What files say on links of subnets, and the MTU of all links that a subnet's frames pass. */
static void describe(struct topo *t, struct lanes *s, const int *of)
{
	for (int i = 0; i < t->n_links; i++)
		for (int lane = 0; lane < s->per_link; lane++) {
			int n = of[topo_root(s->up, lane_of(s, i, lane))];
			struct topo_domain *d = n >= 0 ? &t->domains[n] : NULL;
			if (!d)
				continue;
			d->mtu = d->mtu ? MIN(d->mtu, t->links[i].mtu) : t->links[i].mtu;
			if (lane == 0 && t->links[i].subnet.set && !d->plen) { /* given on any of its links */
				d->plen = t->links[i].subnet.plen;
				d->net = t->links[i].subnet.addr & (UINT32_MAX << (32 - d->plen));
			}
		}
}

int topo_domains(struct topo *t)
{
	struct lanes s = {.t = t, .per_link = t->n_vids + 1};
	size_t n = (size_t)(t->n_links + (t->n_vids ? t->n_nodes : 0)) * (size_t)s.per_link + 1;
	int *of = malloc(n * sizeof *of), rc;
	s.up = malloc(n * sizeof *s.up);
	t->domains = calloc((size_t)t->n_ends + 1, sizeof *t->domains);
	rc = of && s.up && t->domains ? 0 : -ENOMEM;
	for (size_t i = 0; i < n && !rc; i++) {
		s.up[i] = (int)i;
		of[i] = -1;
	}
	for (int i = 0; i < t->n_nodes && !rc; i++)
		if (t->nodes[i].kind == TOPO_SWITCH)
			join_at_switch(&s, i);
	if (!rc)
		rc = number(t, &s, of);
	if (!rc)
		describe(t, &s, of);
	free(s.up);
	free(of);
	return rc;
}
