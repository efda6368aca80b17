/* lab/topo_route.c - shortest paths by hops, all equal ones, from each host and router to each subnet.
 *
 * From one source, breadth first in layers: routers at distance k reach the subnets they stand in, those reach the
 * routers of layer k + 1. Each carries the set of the source's first hops that lead there on a shortest path (at most
 * TOPO_PATHS_MAX, the lowest). Only routers carry on; hosts do not forward. Memory is one source's, time is O(nodes +
 * ends) a source; a host that hangs on one router needs no search. Routes to neighbouring prefixes with the same first
 * hops are merged while the merged prefix holds nothing else: exact, so an unknown address still has no route, and a line
 * of 1,000 routers needs at most about 20 routes in each. Subnets the source stands in merge with anything: its own route
 * to them is longer. A NAT's inner subnets are nobody's business outside: no way leads in through its outer interface.
 * Both families go the same way through this, one after the other; IPv6 has no NAT, and a host's default comes from routers, but for
 * hosts that have none beside them, only a way to the outside. */
#include "lab/topo.h"
#include "wire/addr.h"
#include <errno.h>
#include <stdlib.h>

enum { SET_ANY = -1 }; /* of an entry for a subnet the source stands in */

struct hop_set {
	uint8_t n;
	uint16_t hop[TOPO_PATHS_MAX]; /* indices of search.hops, rising */
};

struct entry {
	struct via_addr net;
	uint8_t plen;
	int set; /* index of search.sets, or SET_ANY */
};

struct search {
	const struct topo *t;
	bool is_v6;
	int src;
	struct topo_hop *hops; /* the source's neighbours */
	int n_hops, cap_hops;
	int *node_dist, *dom_dist;
	struct hop_set *node_set, *dom_set;
	int *layer, *next, *doms; /* work lists */
	int n_layer, n_next, n_doms;
	int *order; /* domains by net */
	struct entry *entries; /* used as a stack */
	int n_entries;
	struct hop_set *sets; /* distinct ones of this source */
	int *set_uses, n_sets;
};

static void set_add(struct hop_set *s, uint16_t hop)
{
	int at = s->n;
	while (at > 0 && s->hop[at - 1] > hop)
		at--;
	if ((at > 0 && s->hop[at - 1] == hop) || at == TOPO_PATHS_MAX)
		return;
	if (s->n < TOPO_PATHS_MAX)
		s->n++;
	memmove(&s->hop[at + 1], &s->hop[at], (size_t)(s->n - 1 - at) * sizeof s->hop[0]);
	s->hop[at] = hop;
}

static void set_union(struct hop_set *s, const struct hop_set *more)
{
	for (int i = 0; i < more->n; i++)
		set_add(s, more->hop[i]);
}

static bool set_equal(const struct hop_set *a, const struct hop_set *b)
{
	return a->n == b->n && memcmp(a->hop, b->hop, a->n * sizeof a->hop[0]) == 0;
}

/* The prefix of subnet d in the family that is searched. */
static struct via_addr net_of(const struct search *s, int d, uint8_t *plen)
{
	const struct topo_domain *dom = &s->t->domains[d];
	*plen = s->is_v6 ? dom->net6.plen : dom->plen;
	return s->is_v6 ? dom->net6.addr : via_addr_v4(dom->net);
}

/* The address of an end that others send to. */
static struct via_addr gateway_at(const struct search *s, int end)
{
	const struct topo_end *e = &s->t->ends[end];
	return s->is_v6 ? e->addr6.addr : via_addr_v4(e->addr.addr);
}

/* A first hop: the neighbour at end `to`, seen from the source's end `from`. */
static int new_hop(struct search *s, int from, int to)
{
	if (s->n_hops == s->cap_hops) {
		int cap = s->cap_hops ? 2 * s->cap_hops : 64;
		struct topo_hop *more = realloc(s->hops, (size_t)cap * sizeof *more);
		if (!more)
			return -ENOMEM;
		s->hops = more;
		s->cap_hops = cap;
	}
	s->hops[s->n_hops] = (struct topo_hop){gateway_at(s, to), from};
	return s->n_hops++;
}

/* Links that are down lead nowhere; a file's are all up. An end that asks for its address has ways of its own, by DHCP. */
static bool is_down(const struct search *s, int end)
{
	const struct topo *t = s->t;
	if (t->links[topo_end_link(t, end)].is_down || t->ends[end].is_bare)
		return true;
	return s->is_v6 ? !topo_ip6_is_on(t, end) : t->ends[end].asks_dhcp;
}

/* The subnets that this layer's nodes reach first. */
static void reach_domains(struct search *s, int dist)
{
	s->n_doms = 0;
	for (int i = 0; i < s->n_layer; i++) {
		const struct topo_node *n = &s->t->nodes[s->layer[i]];
		for (int e = 0; e < n->n_ends; e++) {
			int d = s->t->ends[n->ends[e]].domain;
			if (is_down(s, n->ends[e]))
				continue;
			if (s->dom_dist[d] < 0) {
				s->dom_dist[d] = dist;
				s->doms[s->n_doms++] = d;
			}
			if (s->dom_dist[d] == dist)
				set_union(&s->dom_set[d], &s->node_set[s->layer[i]]);
		}
	}
}

/* The source's own end in domain d (the first, if it has several). */
static int source_end(const struct search *s, int d)
{
	const struct topo_node *n = &s->t->nodes[s->src];
	for (int e = 0; e < n->n_ends; e++)
		if (s->t->ends[n->ends[e]].domain == d && !is_down(s, n->ends[e]))
			return n->ends[e];
	return -1;
}

/* The routers in those subnets are the next layer. */
static int reach_nodes(struct search *s, int dist)
{
	s->n_next = 0;
	for (int i = 0; i < s->n_doms; i++) {
		const struct topo_domain *d = &s->t->domains[s->doms[i]];
		for (int e = 0; e < d->n_ends; e++) {
			int n = s->t->ends[d->ends[e]].node;
			bool is_outer = s->t->ends[d->ends[e]].is_outer && !s->is_v6;
			if (s->t->nodes[n].kind != TOPO_ROUTER || is_down(s, d->ends[e]) || is_outer)
				continue;
			if (s->node_dist[n] < 0) {
				s->node_dist[n] = dist + 1;
				s->next[s->n_next++] = n;
			}
			if (s->node_dist[n] != dist + 1)
				continue;
			if (dist > 0) {
				set_union(&s->node_set[n], &s->dom_set[s->doms[i]]);
				continue;
			}
			int hop = new_hop(s, source_end(s, s->doms[i]), d->ends[e]);
			if (hop < 0)
				return hop;
			set_add(&s->node_set[n], (uint16_t)MIN(hop, UINT16_MAX));
		}
	}
	return 0;
}

static int search_from(struct search *s, int src)
{
	const struct topo *t = s->t;
	s->src = src;
	s->n_hops = 0;
	for (int i = 0; i < t->n_nodes; i++)
		s->node_dist[i] = -1;
	for (int i = 0; i < t->n_domains; i++)
		s->dom_dist[i] = -1;
	memset(s->node_set, 0, (size_t)t->n_nodes * sizeof *s->node_set);
	memset(s->dom_set, 0, (size_t)t->n_domains * sizeof *s->dom_set);
	s->node_dist[src] = 0;
	s->layer[0] = src;
	s->n_layer = 1;
	for (int dist = 0; s->n_layer; dist++) {
		reach_domains(s, dist);
		int rc = reach_nodes(s, dist);
		if (rc)
			return rc;
		int *swap = s->layer;
		s->layer = s->next;
		s->next = swap;
		s->n_layer = s->n_next;
	}
	return 0;
}

static int set_number(struct search *s, const struct hop_set *set)
{
	int i = 0;
	while (i < s->n_sets && !set_equal(&s->sets[i], set))
		i++;
	if (i == s->n_sets) {
		s->sets[s->n_sets++] = *set;
		s->set_uses[i] = 0;
	}
	s->set_uses[i]++;
	return i;
}

/* a, the lower one, and b, equally long, differ in their last bit alone. */
static bool are_halves(const struct entry *a, const struct entry *b)
{
	struct via_addr whole = addr_mask(&a->net, (uint8_t)(a->plen - 1));
	return addr_in_prefix(&b->net, &whole, (uint8_t)(a->plen - 1));
}

/* Merge the two entries on top while they are the halves of one prefix and go the same way. */
static void merge_top(struct search *s)
{
	while (s->n_entries >= 2) {
		struct entry *a = &s->entries[s->n_entries - 2], *b = a + 1;
		if (a->plen != b->plen || a->plen == 0 || !are_halves(a, b))
			return;
		if (a->set != b->set && a->set != SET_ANY && b->set != SET_ANY)
			return;
		if (a->set == SET_ANY)
			a->set = b->set;
		a->plen--;
		s->n_entries--;
	}
}

static void emit(const struct search *s, struct via_addr net, uint8_t plen, int set, topo_route_cb *cb, void *ctx)
{
	struct topo_path p = {.net = net, .plen = plen, .n_hops = s->sets[set].n};
	for (int i = 0; i < p.n_hops; i++)
		p.hops[i] = s->hops[s->sets[set].hop[i]];
	cb(ctx, s->src, &p);
}

/* The end by which the nearest gateway to the outside stands in its subnet; -1: there is none, or the source is one. */
static int nearest_wan(const struct search *s)
{
	const struct topo *t = s->t;
	int best = -1, best_dist = 0;
	for (int i = 0; i < t->n_nodes && t->nodes[s->src].kind != TOPO_WAN; i++)
		for (int e = 0; t->nodes[i].kind == TOPO_WAN && e < t->nodes[i].n_ends; e++) {
			int end = t->nodes[i].ends[e], dist = is_down(s, end) ? -1 : s->dom_dist[t->ends[end].domain];
			if (dist >= 0 && (best < 0 || dist < best_dist)) {
				best = end;
				best_dist = dist;
			}
		}
	return best;
}

/* Do routers in one of the node's subnets tell it its default? */
static bool is_told(const struct topo *t, const struct topo_node *n)
{
	for (int k = 0; k < n->n_ends; k++) {
		const struct topo_domain *d = &t->domains[t->ends[n->ends[k]].domain];
		for (int e = 0; e < d->n_ends && topo_ip6_is_on(t, n->ends[k]); e++)
			if (t->nodes[t->ends[d->ends[e]].node].kind == TOPO_ROUTER)
				return n->kind == TOPO_HOST;
	}
	return false;
}

static int most_used_set(const struct search *s)
{
	int most = -1;
	for (int i = 0; i < s->n_sets; i++)
		if (most < 0 || s->set_uses[i] > s->set_uses[most])
			most = i;
	return most;
}

/* What the search found, as few routes as are exact. The default leads to the outside; where there is none, a host's most used way is
 * its default. In IPv6 routers have told it one. */
static void emit_routes(struct search *s, topo_route_cb *cb, void *ctx)
{
	const struct topo *t = s->t;
	const struct via_addr any = s->is_v6 ? (struct via_addr){.scope = 0} : via_addr_v4(0);
	int dflt = -1, wan = s->is_v6 && is_told(t, &t->nodes[s->src]) ? -1 : nearest_wan(s), wan_dom = wan >= 0 ? t->ends[wan].domain : -1;
	s->n_sets = 0;
	for (int i = 0; i < t->n_domains; i++)
		if (s->dom_dist[i] > 0)
			s->doms[i] = set_number(s, &s->dom_set[i]);
	if (wan >= 0 && s->dom_dist[wan_dom] > 0)
		dflt = s->doms[wan_dom];
	else if (wan < 0 && t->nodes[s->src].kind == TOPO_HOST && !s->is_v6)
		dflt = most_used_set(s);
	else if (wan >= 0)
		cb(ctx, s->src, &(struct topo_path){.net = any, .n_hops = 1, .hops = {{gateway_at(s, wan), source_end(s, wan_dom)}}});
	s->n_entries = 0;
	for (int i = 0; i < t->n_domains; i++) {
		struct entry e;
		int dist = s->dom_dist[s->order[i]], set = dist ? s->doms[s->order[i]] : SET_ANY;
		if (dist < 0 || (dflt >= 0 && set == dflt))
			continue;
		e.net = net_of(s, s->order[i], &e.plen);
		e.set = set;
		s->entries[s->n_entries++] = e;
		merge_top(s);
	}
	if (dflt >= 0)
		emit(s, any, 0, dflt, cb, ctx);
	for (int i = 0; i < s->n_entries; i++)
		if (s->entries[i].set != SET_ANY)
			emit(s, s->entries[i].net, s->entries[i].plen, s->entries[i].set, cb, ctx);
}

/* The only router that a host with one link can use, or -1: then it is searched for like anybody. Most nodes of a large lab are such
 * hosts, and all their ways are that router. */
static int stub_router(const struct search *s, const struct topo_node *n)
{
	const struct topo *t = s->t;
	int found = -1;
	if (n->kind != TOPO_HOST || n->n_ends != 1 || is_down(s, n->ends[0]))
		return -1;
	const struct topo_domain *d = &t->domains[t->ends[n->ends[0]].domain];
	for (int e = 0; e < d->n_ends; e++) {
		enum topo_kind kind = t->nodes[t->ends[d->ends[e]].node].kind;
		if (t->ends[d->ends[e]].is_outer)
			continue;
		if (kind == TOPO_WAN || (kind == TOPO_ROUTER && found >= 0))
			return -1;
		if (kind == TOPO_ROUTER && !is_down(s, d->ends[e]))
			found = d->ends[e];
	}
	const struct topo_node *r = found >= 0 ? &t->nodes[t->ends[found].node] : NULL;
	for (int e = 0; r && e < r->n_ends; e++)
		if (t->ends[r->ends[e]].domain != t->ends[found].domain && !is_down(s, r->ends[e]))
			return found;
	return -1; /* it leads nowhere */
}

static int by_net(const void *a, const void *b, void *ctx)
{
	uint8_t plen;
	struct via_addr x = net_of(ctx, *(const int *)a, &plen), y = net_of(ctx, *(const int *)b, &plen);
	return memcmp(x.b, y.b, sizeof x.b);
}

static bool search_init(struct search *s, const struct topo *t, bool is_v6)
{
	size_t nodes = (size_t)t->n_nodes + 1, doms = (size_t)t->n_domains + 1;
	*s = (struct search){.t = t, .is_v6 = is_v6};
	s->node_dist = malloc(nodes * sizeof(int));
	s->layer = malloc(nodes * sizeof(int));
	s->next = malloc(nodes * sizeof(int));
	s->node_set = malloc(nodes * sizeof(struct hop_set));
	s->dom_dist = malloc(doms * sizeof(int));
	s->doms = malloc(doms * sizeof(int));
	s->order = malloc(doms * sizeof(int));
	s->dom_set = malloc(doms * sizeof(struct hop_set));
	s->sets = malloc(doms * sizeof(struct hop_set));
	s->set_uses = malloc(doms * sizeof(int));
	s->entries = malloc(doms * sizeof(struct entry));
	if (!s->node_dist || !s->layer || !s->next || !s->node_set || !s->dom_dist || !s->doms || !s->order || !s->dom_set || !s->sets ||
	    !s->set_uses || !s->entries)
		return false;
	for (int i = 0; i < t->n_domains; i++)
		s->order[i] = i;
	qsort_r(s->order, (size_t)t->n_domains, sizeof(int), by_net, s);
	return true;
}

static void search_fini(struct search *s)
{
	free(s->hops);
	free(s->node_dist);
	free(s->layer);
	free(s->next);
	free(s->node_set);
	free(s->dom_dist);
	free(s->doms);
	free(s->order);
	free(s->dom_set);
	free(s->sets);
	free(s->set_uses);
	free(s->entries);
}

/* Has the file given the node routes of this family? */
static bool has_given(const struct topo_node *n, bool is_v6)
{
	for (int i = 0; i < n->n_routes; i++)
		if (via_addr_is_v4(&n->routes[i].via) != is_v6)
			return true;
	return false;
}

static int family_routes(const struct topo *t, bool is_v6, topo_route_cb *cb, void *ctx)
{
	struct search s;
	bool has_wan = false;
	int rc = search_init(&s, t, is_v6) ? 0 : -ENOMEM;
	for (int i = 0; i < t->n_nodes; i++)
		has_wan |= t->nodes[i].kind == TOPO_WAN;
	for (int i = 0; i < t->n_nodes && !rc; i++) {
		const struct topo_node *n = &t->nodes[i];
		bool is_source = n->kind == TOPO_HOST || n->kind == TOPO_ROUTER || n->kind == TOPO_WAN;
		if (!is_source || has_given(n, is_v6) || (is_v6 && n->kind == TOPO_HOST && n->n_ends == 1 && (!has_wan || is_told(t, n))))
			continue;
		int router = stub_router(&s, n);
		if (router >= 0) {
			cb(ctx, i, &(struct topo_path){.net = via_addr_v4(0), .n_hops = 1, .hops = {{gateway_at(&s, router), n->ends[0]}}});
			continue;
		}
		rc = search_from(&s, i);
		if (!rc)
			emit_routes(&s, cb, ctx);
	}
	search_fini(&s);
	return rc;
}

int topo_routes(const struct topo *t, topo_route_cb *cb, void *ctx)
{
	int rc = family_routes(t, false, cb, ctx);
	return rc || !topo_ip6_is_used(t) ? rc : family_routes(t, true, cb, ctx);
}
