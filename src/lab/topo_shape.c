/* lab/topo_shape.c - a topology from one line, read as mininet's --topo: a shape and its numbers.
 *
 *   line,N[,HOSTS]             routers r1 to rN in a row, HOSTS hosts (1) at each
 *   ring,N[,HOSTS]             the same, the ends joined
 *   clos,SPINES,LEAVES[,HOSTS] each leaf joined to each spine, HOSTS hosts (1) at each leaf: as many equal ways as spines
 *   tree,DEPTH,FANOUT          inner nodes are routers, the leaves hosts: tree,3,10 is 111 routers and 1,000 hosts
 *
 * Mininet's switches are routers here, so that each link is a subnet and rings and many ways are fine. Nodes and links
 * are made depth first, so that subnets below one router lie side by side and routes to them merge. What a file can say,
 * services or impairments, a shape cannot. Limits: TOPO_NODES_MAX nodes, TOPO_IFACES_MAX links at each. */
#include "lab/topo.h"
#include "lab/yaml.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { ARGS_MAX = 3 };

struct maker {
	struct topo *t;
	int hosts, routers; /* named so far */
	int rc;             /* the first error; nothing is made after it */
};

/* v with room for one more of n elements, doubled when n is a power of two. NULL: v is as it was. */
static void *room_for(void *v, int n, size_t each)
{
	if (n & (n - 1))
		return v;
	return realloc(v, (n ? 2 * (size_t)n : 1) * each);
}

/* A node's index, or 0 after an error. */
static int make_node(struct maker *m, enum topo_kind kind, const char *prefix, int number)
{
	struct topo *t = m->t;
	struct topo_node *more = NULL;
	char name[32];
	snprintf(name, sizeof name, "%s%d", prefix, number);
	if (!m->rc && t->n_nodes == TOPO_NODES_MAX)
		m->rc = -E2BIG;
	if (!m->rc && !(more = room_for(t->nodes, t->n_nodes, sizeof *more)))
		m->rc = -ENOMEM;
	if (m->rc)
		return 0;
	t->nodes = more;
	more[t->n_nodes] = (struct topo_node){.name = strdup(name), .kind = kind};
	if (!more[t->n_nodes].name || topo_name_add(t, t->n_nodes))
		m->rc = -ENOMEM;
	return t->n_nodes++;
}

static int make_router(struct maker *m)
{
	return make_node(m, TOPO_ROUTER, "r", ++m->routers);
}

static int make_host(struct maker *m)
{
	return make_node(m, TOPO_HOST, "h", ++m->hosts);
}

/* End `end` of the topology is the next interface of `node`. */
static void make_end(struct maker *m, int end, int node)
{
	struct topo_node *n = &m->t->nodes[node];
	int *more = room_for(n->ends, n->n_ends, sizeof *more);
	if (!more) {
		m->rc = -ENOMEM;
		return;
	}
	n->ends = more;
	n->ends[n->n_ends++] = end;
	m->t->ends[end] = (struct topo_end){.node = node, .domain = -1};
	snprintf(m->t->ends[end].ifname, sizeof m->t->ends[end].ifname, "eth%d", n->n_ends);
}

static void make_link(struct maker *m, int a, int b)
{
	struct topo *t = m->t;
	struct topo_link *links = m->rc ? NULL : room_for(t->links, t->n_links, sizeof *links);
	struct topo_end *ends = links ? room_for(t->ends, t->n_links, 2 * sizeof *ends) : NULL;
	if (links)
		t->links = links;
	if (ends)
		t->ends = ends;
	if (!links || !ends) {
		m->rc = m->rc ? m->rc : -ENOMEM;
		return;
	}
	links[t->n_links] = (struct topo_link){.mtu = 1500};
	make_end(m, 2 * t->n_links, a);
	make_end(m, 2 * t->n_links + 1, b);
	if (!m->rc)
		t->n_ends = 2 * ++t->n_links;
}

/* n hosts at a router. */
static void make_hosts(struct maker *m, int router, int n)
{
	for (int i = 0; i < n && !m->rc; i++)
		make_link(m, router, make_host(m));
}

static void make_line(struct maker *m, const int *arg)
{
	int last = make_router(m);
	make_hosts(m, last, arg[1]);
	for (int i = 1; i < arg[0] && !m->rc; i++) {
		int next = make_router(m);
		make_link(m, last, next);
		make_hosts(m, next, arg[1]);
		last = next;
	}
}

static void make_ring(struct maker *m, const int *arg)
{
	make_line(m, arg);
	int last = m->t->n_nodes - 1;
	while (last > 0 && m->t->nodes[last].kind != TOPO_ROUTER)
		last--;
	make_link(m, last, 0);
}

static void make_clos(struct maker *m, const int *arg)
{
	for (int s = 0; s < arg[0] && !m->rc; s++)
		make_node(m, TOPO_ROUTER, "spine", s + 1);
	for (int l = 0; l < arg[1] && !m->rc; l++) {
		int leaf = make_node(m, TOPO_ROUTER, "leaf", l + 1);
		for (int s = 0; s < arg[0] && !m->rc; s++)
			make_link(m, s, leaf);
		make_hosts(m, leaf, arg[2]);
	}
}

/* The router's children, down to hosts at depth 1. Recurses no deeper than the tree. */
static void make_branch(struct maker *m, int router, int depth, int fanout)
{
	if (depth <= 1) {
		make_hosts(m, router, fanout);
		return;
	}
	for (int i = 0; i < fanout && !m->rc; i++) {
		int child = make_router(m);
		make_link(m, router, child);
		make_branch(m, child, depth - 1, fanout);
	}
}

static void make_tree(struct maker *m, const int *arg)
{
	make_branch(m, make_router(m), arg[0], arg[1]);
}

static const struct shape {
	const char *name, *usage;
	int args, given; /* how many numbers it takes, how many it needs; the others are 1 */
	int least[ARGS_MAX], most[ARGS_MAX];
	void (*make)(struct maker *m, const int *arg);
} shapes[] = {
	{"line", "line,N[,HOSTS]", 2, 1, {1, 0}, {TOPO_NODES_MAX, TOPO_IFACES_MAX}, make_line},
	{"ring", "ring,N[,HOSTS]", 2, 1, {3, 0}, {TOPO_NODES_MAX, TOPO_IFACES_MAX}, make_ring},
	{"clos", "clos,SPINES,LEAVES[,HOSTS]", 3, 2, {1, 1, 0}, {TOPO_IFACES_MAX, TOPO_IFACES_MAX, TOPO_IFACES_MAX}, make_clos},
	{"tree", "tree,DEPTH,FANOUT", 2, 2, {1, 1}, {1000, TOPO_IFACES_MAX}, make_tree},
};

static int unknown_shape(const char *words, struct lab_error *err)
{
	const char *names[ARRAY_LEN(shapes) + 1] = {NULL};
	char name[32];
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++)
		names[i] = shapes[i].name;
	snprintf(name, sizeof name, "%.*s", (int)MIN(strcspn(words, ","), sizeof name - 1), words);
	const char *near = name[0] ? nearest_word(name, names) : NULL;
	if (near)
		return topo_fail(err, words, (struct topo_mark){0, 0}, "no topology is called '%s', did you mean '%s'?", name, near);
	return topo_fail(err, words, (struct topo_mark){0, 0}, "one-line topologies are %s, %s, %s and %s", shapes[0].usage, shapes[1].usage,
			 shapes[2].usage, shapes[3].usage);
}

/* The numbers behind the shape's name. 0 or -EINVAL with *err. */
static int read_args(const struct shape *s, const char *words, int *arg, struct lab_error *err)
{
	const char *p = words + strlen(s->name);
	int n = 0;
	for (; n < s->args && *p == ','; n++) {
		char *end;
		long v = p[1] >= '0' && p[1] <= '9' ? strtol(p + 1, &end, 10) : -1;
		if (v < 0 || (*end && *end != ','))
			return topo_fail(err, words, (struct topo_mark){0, 0}, "it is read as %s", s->usage);
		if (v < s->least[n] || v > s->most[n])
			return topo_fail(err, words, (struct topo_mark){0, 0}, "number %d of %s is from %d to %d", n + 1, s->usage, s->least[n],
					 s->most[n]);
		arg[n] = (int)v;
		p = end;
	}
	if (*p || n < s->given)
		return topo_fail(err, words, (struct topo_mark){0, 0}, "it is read as %s", s->usage);
	for (; n < s->args; n++)
		arg[n] = 1;
	return 0;
}

/* The lab's name: its line, with '-' for ','. */
static char *lab_name_of(const char *words)
{
	char *name = strdup(words);
	for (char *c = name; c && *c; c++)
		if (*c == ',')
			*c = '-';
	return name;
}

struct topo *topo_shape(const char *words, struct lab_error *err)
{
	const struct shape *s = NULL;
	int arg[ARGS_MAX];
	memset(err, 0, sizeof *err);
	for (size_t i = 0; i < ARRAY_LEN(shapes) && !s; i++)
		if (strcspn(words, ",") == strlen(shapes[i].name) && strncmp(words, shapes[i].name, strlen(shapes[i].name)) == 0)
			s = &shapes[i];
	if (!s) {
		unknown_shape(words, err);
		return NULL;
	}
	if (read_args(s, words, arg, err))
		return NULL;
	struct maker m = {.t = calloc(1, sizeof *m.t)};
	if (!m.t || !(m.t->file = strdup(words)) || !(m.t->name = lab_name_of(words)))
		m.rc = -ENOMEM;
	if (!m.rc)
		s->make(&m, arg);
	if (m.rc == -E2BIG)
		topo_fail(err, words, (struct topo_mark){0, 0}, "more than %d nodes", TOPO_NODES_MAX);
	else if (m.rc)
		topo_fail(err, words, (struct topo_mark){0, 0}, "no memory");
	if (m.rc || topo_address(m.t, err)) {
		topo_free(m.t);
		return NULL;
	}
	return m.t;
}
