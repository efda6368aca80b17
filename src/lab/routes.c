/* lab/routes.c - the computed routes of a lab's stacks: worked out when it is built, and again when a link comes or goes.
 *
 * A change takes away and adds only what differs, all in one instant: as if a routing protocol had converged at once. */
#include "lab/state.h"
#include <errno.h>
#include <stdlib.h>

struct route_list {
	struct lab *l;
	struct lab_route *at;
	int n, cap;
	int rc;
};

static void keep(void *ctx, int node, const struct topo_path *p)
{
	struct route_list *s = ctx;
	if (s->n + p->n_hops > s->cap) {
		int cap = 2 * s->cap + TOPO_PATHS_MAX;
		struct lab_route *more = realloc(s->at, (size_t)cap * sizeof *more);
		if (!more) {
			s->rc = -ENOMEM;
			return;
		}
		s->at = more;
		s->cap = cap;
	}
	for (int h = 0; h < p->n_hops; h++)
		s->at[s->n++] = (struct lab_route){node, s->l->end_ifindex[p->hops[h].end], p->plen, p->net, p->hops[h].gateway};
}

static int order(const void *a, const void *b)
{
	const struct lab_route *x = a, *y = b;
	if (x->node != y->node)
		return x->node < y->node ? -1 : 1;
	int cmp = memcmp(x->net.b, y->net.b, sizeof x->net.b);
	if (cmp)
		return cmp;
	if (x->plen != y->plen)
		return x->plen < y->plen ? -1 : 1;
	cmp = memcmp(x->gateway.b, y->gateway.b, sizeof x->gateway.b);
	return cmp ? cmp : x->ifindex - y->ifindex;
}

static int change(struct lab *l, enum via_change_kind kind, const struct lab_route *r)
{
	return via_configure(l->nodes[r->node].stack, &(struct via_change){.kind = kind, .ifindex = r->ifindex, .addr = r->net,
		.plen = r->plen, .gateway = r->gateway});
}

/* What is in one sorted list and not in the other is deleted or added. */
static int apply(struct lab *l, const struct route_list *s)
{
	int rc = 0, i = 0, k = 0;
	while (i < l->n_routes || k < s->n) {
		int cmp = i == l->n_routes ? 1 : k == s->n ? -1 : order(&l->routes[i], &s->at[k]);
		int err = cmp < 0 ? change(l, VIA_ROUTE_DEL, &l->routes[i]) : cmp > 0 ? change(l, VIA_ROUTE_ADD, &s->at[k]) : 0;
		rc = rc ? rc : err;
		i += cmp <= 0;
		k += cmp >= 0;
	}
	return rc;
}

int lab_routes_update(struct lab *l)
{
	struct route_list s = {.l = l};
	int rc = topo_routes(l->topo, keep, &s);
	if (!rc)
		rc = s.rc;
	if (rc) {
		free(s.at);
		return rc;
	}
	if (s.n)
		qsort(s.at, (size_t)s.n, sizeof *s.at, order);
	rc = apply(l, &s);
	free(l->routes);
	l->routes = s.at;
	l->n_routes = s.n;
	return rc;
}
