/* lab/topo_route.c against a naive model: relaxation to a fixed point over random graphs; and the size of a line's tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "lab/topo.h"
#include <stdio.h>
#include <stdlib.h>

struct table {
	struct topo_path *paths;
	int n;
};

static void keep_route(void *ctx, int node, const struct topo_path *p)
{
	struct table *t = (struct table *)ctx + node;
	t->paths = realloc(t->paths, (size_t)(t->n + 1) * sizeof *p);
	assert_non_null(t->paths);
	t->paths[t->n++] = *p;
}

static bool bits_agree(const uint8_t *a, const uint8_t *b, int n)
{
	for (int i = 0; i < n; i++)
		if ((a[i / 8] ^ b[i / 8]) >> (7 - i % 8) & 1)
			return false;
	return true;
}

static const struct topo_path *longest6(const struct table *t, struct via_addr dst)
{
	const struct topo_path *best = NULL;
	int skip = via_addr_is_v4(&dst) ? 12 : 0;
	for (int i = 0; i < t->n; i++) {
		const struct topo_path *p = &t->paths[i];
		if (via_addr_is_v4(&p->net) == (skip != 0) && bits_agree(dst.b + skip, p->net.b + skip, p->plen) && (!best || p->plen > best->plen))
			best = p;
	}
	return best;
}

static const struct topo_path *longest(const struct table *t, uint32_t dst)
{
	return longest6(t, via_addr_v4(dst));
}

/* Hops from each node to subnet d, only routers passing packets on. */
static void naive_dist(const struct topo *t, int d, int *dist)
{
	for (int n = 0; n < t->n_nodes; n++)
		dist[n] = 1000000;
	for (int e = 0; e < 2 * t->n_links; e++)
		if (t->ends[e].domain == d)
			dist[t->ends[e].node] = 0;
	for (bool changed = true; changed;) {
		changed = false;
		for (int a = 0; a < 2 * t->n_links; a++)
			for (int b = 0; b < 2 * t->n_links; b++) {
				const struct topo_end *x = &t->ends[a], *y = &t->ends[b];
				if (x->domain < 0 || x->domain != y->domain || t->nodes[y->node].kind != TOPO_ROUTER)
					continue;
				if (dist[y->node] + 1 < dist[x->node]) {
					dist[x->node] = dist[y->node] + 1;
					changed = true;
				}
			}
	}
}

/* Every first hop the model allows from n to d is in the route found, and no other. */
static void check_pair(const struct topo *t, const struct table *tables, int n, int d, const int *dist, bool is_v6)
{
	struct via_addr dst = is_v6 ? t->domains[d].net6.addr : via_addr_v4(t->domains[d].net);
	dst.b[15] |= 77;
	const struct topo_path *p = longest6(&tables[n], dst);
	int expected = 0;
	if (dist[n] == 0)
		return; /* connected: the stack's own route is longer */
	if (is_v6 && t->nodes[n].kind == TOPO_HOST && t->nodes[n].n_ends == 1) {
		assert_null(p); /* routers tell it */
		return;
	}
	for (int k = 0; k < t->nodes[n].n_ends; k++) {
		int from = t->nodes[n].ends[k];
		bool second = false; /* of two interfaces in one subnet the first is used */
		for (int i = 0; i < k; i++)
			second |= t->ends[t->nodes[n].ends[i]].domain == t->ends[from].domain;
		if (second)
			continue;
		for (int e = 0; e < 2 * t->n_links; e++) {
			const struct topo_end *y = &t->ends[e];
			if (y->domain != t->ends[from].domain || y->node == n || t->nodes[y->node].kind != TOPO_ROUTER || dist[y->node] != dist[n] - 1)
				continue;
			expected++;
			bool found = false;
			for (int h = 0; p && h < p->n_hops; h++)
				found |= (is_v6 ? via_addr_eq(&p->hops[h].gateway, &y->addr6.addr) :
						  via_addr_to_v4(&p->hops[h].gateway) == y->addr.addr) && p->hops[h].end == from;
			assert_true(found || (p && p->n_hops == TOPO_PATHS_MAX));
		}
	}
	if (dist[n] >= 1000000) {
		assert_true(!p || (t->nodes[n].kind == TOPO_HOST && !is_v6)); /* a host may try its default */
		return;
	}
	assert_non_null(p);
	assert_int_equal(p->n_hops, MIN(expected, TOPO_PATHS_MAX));
}

/* last: what the fifth kind is. */
static char *random_text(struct rng *r, const char *last)
{
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	int n = 4 + (int)rng_below(r, 14), links = n + (int)rng_below(r, 12);
	const char *const kinds[] = {"router", "router", "router", "host", last};
	bool has_switches = !strcmp(last, "switch");
	int tree[32]; /* of switches: the number of the tree a node stands in; -1: no switch */
	fprintf(f, "name: r\nipv6: true\ntopology:\n  nodes:\n");
	for (int i = 0; i < n; i++) {
		uint64_t kind = rng_below(r, 5);
		tree[i] = kind == 4 && has_switches ? i : -1;
		fprintf(f, "    n%d: {kind: %s}\n", i, kinds[kind]);
	}
	fprintf(f, "  links:\n");
	for (int i = 0; i < links; i++) {
		int a = (int)rng_below(r, (uint64_t)n), b = (int)rng_below(r, (uint64_t)n - 1);
		b += b >= a;
		if (tree[a] >= 0 && tree[a] == tree[b]) /* a ring of switches is a mistake */
			continue;
		for (int k = 0, from = tree[b]; k < n && tree[a] >= 0 && from >= 0; k++)
			tree[k] = tree[k] == from ? tree[a] : tree[k];
		fprintf(f, "    - endpoints: [\"n%d:e%d\", \"n%d:e%d\"]\n", a, i, b, i);
	}
	fclose(f);
	return text;
}

static void routes__equal_the_naive_model(void **state)
{
	struct rng r;
	rng_seed(&r, 2024);
	for (int round = 0; round < 300; round++) {
		struct lab_error err;
		char *text = random_text(&r, "switch");
		struct topo *t = topo_parse(text, strlen(text), "random", &err);
		if (!t)
			fail_msg("%s: %s", err.text, text);
		struct table *tables = calloc((size_t)t->n_nodes, sizeof *tables);
		int *dist = calloc((size_t)t->n_nodes, sizeof *dist);
		assert_int_equal(topo_routes(t, keep_route, tables), 0);
		for (int d = 0; d < t->n_domains; d++) {
			naive_dist(t, d, dist);
			for (int n = 0; n < t->n_nodes; n++)
				if (t->nodes[n].kind != TOPO_SWITCH && t->domains[d].n_ends) {
					check_pair(t, tables, n, d, dist, false);
					check_pair(t, tables, n, d, dist, true);
				}
		}
		for (int n = 0; n < t->n_nodes; n++)
			free(tables[n].paths);
		free(tables);
		free(dist);
		topo_free(t);
		free(text);
	}
}

/* Hops to the nearest subnet of a wan; 1000000: none can be reached. */
static int naive_wan(const struct topo *t, int node)
{
	int best = 1000000;
	int *dist = calloc((size_t)t->n_nodes, sizeof *dist);
	for (int e = 0; e < 2 * t->n_links; e++) {
		if (t->nodes[t->ends[e].node].kind != TOPO_WAN)
			continue;
		naive_dist(t, t->ends[e].domain, dist);
		best = MIN(best, dist[node]);
	}
	free(dist);
	return best;
}

/* Who a packet to the outside meets, step by step, until it stands before a wan. Returns the routers on its way; -1: it gets nowhere. */
static int walk_outside(const struct topo *t, const struct table *tables, int node)
{
	for (int steps = 0; steps <= t->n_nodes; steps++) {
		const struct topo_path *p = longest(&tables[node], 0xcb007107);
		if (!p)
			return -1;
		int next = -1;
		for (int e = 0; e < 2 * t->n_links; e++)
			if (t->ends[e].addr.addr == via_addr_to_v4(&p->hops[0].gateway) && t->ends[e].domain == t->ends[p->hops[0].end].domain)
				next = t->ends[e].node;
		assert_true(next >= 0 && t->ends[p->hops[0].end].node == node);
		if (t->nodes[next].kind == TOPO_WAN)
			return steps;
		assert_int_equal(t->nodes[next].kind, TOPO_ROUTER);
		node = next;
	}
	return -1;
}

static void routes__lead_to_the_nearest_wan(void **state)
{
	struct rng r;
	rng_seed(&r, 2025);
	for (int round = 0; round < 200; round++) {
		struct lab_error err;
		char *text = random_text(&r, "wan");
		struct topo *t = topo_parse(text, strlen(text), "random", &err);
		if (!t)
			fail_msg("%s: %s", err.text, text);
		struct table *tables = calloc((size_t)t->n_nodes, sizeof *tables);
		assert_int_equal(topo_routes(t, keep_route, tables), 0);
		for (int n = 0; n < t->n_nodes; n++) {
			int want = naive_wan(t, n);
			if (t->nodes[n].kind != TOPO_WAN && want < 1000000)
				assert_int_equal(walk_outside(t, tables, n), want);
			else if (t->nodes[n].kind == TOPO_WAN)
				assert_null(longest(&tables[n], 0xcb007107)); /* it is the outside */
		}
		for (int n = 0; n < t->n_nodes; n++)
			free(tables[n].paths);
		free(tables);
		topo_free(t);
		free(text);
	}
}

static char *line_text(int n)
{
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	fprintf(f, "name: line\ntopology:\n  nodes:\n");
	for (int i = 0; i < n; i++)
		fprintf(f, "    n%d: {kind: %s}\n", i, i && i < n - 1 ? "router" : "host");
	fprintf(f, "  links:\n");
	for (int i = 0; i + 1 < n; i++)
		fprintf(f, "    - endpoints: [\"n%d:b\", \"n%d:a\"]\n", i, i + 1);
	fclose(f);
	return text;
}

static void routes__of_a_long_line_are_few(void **state)
{
	struct lab_error err;
	char *text = line_text(1000);
	struct topo *t = topo_parse(text, strlen(text), "line", &err);
	assert_non_null(t);
	struct table *tables = calloc((size_t)t->n_nodes, sizeof *tables);
	assert_int_equal(topo_routes(t, keep_route, tables), 0);
	assert_int_equal(tables[0].n, 1); /* a host: its default */
	assert_int_equal(tables[0].paths[0].plen, 0);
	for (int n = 1; n < 999; n++) {
		assert_in_range(tables[n].n, 1, 24);
		for (int d = 0; d < t->n_domains; d++) { /* domain d lies between nodes d and d + 1 */
			const struct topo_path *p = longest(&tables[n], t->domains[d].net + 1);
			if (d == n || d == n - 1)
				continue;
			assert_non_null(p);
			assert_int_equal(p->n_hops, 1);
			assert_int_equal(p->hops[0].end, d < n ? 2 * (n - 1) + 1 : 2 * n);
		}
		assert_null(longest(&tables[n], 0x0aff0001)); /* exact: nothing leads to what does not exist */
	}
	for (int n = 0; n < t->n_nodes; n++)
		free(tables[n].paths);
	free(tables);
	topo_free(t);
	free(text);
}

static void routes__given_ones_stay_alone(void **state)
{
	struct lab_error err;
	const char *text = "name: g\ntopology:\n  nodes:\n    a: {kind: host, routes: [{to: 10.0.2.0/24, via: 10.0.1.2}]}\n"
		"    r: {kind: router}\n    b: {kind: host}\n"
			   "  links:\n    - endpoints: [\"a:e\", \"r:1\"]\n    - endpoints: [\"r:2\", \"b:e\"]\n";
	struct topo *t = topo_parse(text, strlen(text), "given", &err);
	struct table tables[3] = {{0}};
	assert_non_null(t);
	assert_int_equal(topo_routes(t, keep_route, tables), 0);
	assert_int_equal(tables[0].n, 0);
	assert_int_equal(tables[1].n, 0); /* both subnets are its own */
	assert_int_equal(tables[2].n, 1);
	free(tables[2].paths);
	topo_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(routes__equal_the_naive_model),
		cmocka_unit_test(routes__lead_to_the_nearest_wan),
		cmocka_unit_test(routes__of_a_long_line_are_few),
		cmocka_unit_test(routes__given_ones_stay_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
