/* lab/topo_shape.c: shapes from one line against counts and ways worked out by hand; numbering beside given subnets; pingall in
 * labs that work and labs that do not, and whom it asks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lab/job.h"
#include "lab/state.h"
#include <stdlib.h>

static const struct lab_opts small = {.arena_bytes = 2u << 20, .packet_bytes = 64u << 20};

static struct topo *shape(const char *words)
{
	struct lab_error err;
	struct topo *t = topo_shape(words, &err);
	if (!t)
		fail_msg("%s: %s", words, err.text);
	return t;
}

static int count(const struct topo *t, enum topo_kind kind)
{
	int n = 0;
	for (int i = 0; i < t->n_nodes; i++)
		n += t->nodes[i].kind == kind;
	return n;
}

static void shape__counts(void **state)
{
	static const struct {
		const char *words, *name;
		int hosts, routers, links;
	} want[] = {
		{"line,3", "line-3", 3, 3, 5}, {"line,1", "line-1", 1, 1, 1}, {"line,4,2", "line-4-2", 8, 4, 11},
		{"line,2,0", "line-2-0", 0, 2, 1},
		{"ring,5", "ring-5", 5, 5, 10},
		{"clos,2,4", "clos-2-4", 4, 6, 12}, {"clos,3,2,5", "clos-3-2-5", 10, 5, 16},
		{"tree,1,2", "tree-1-2", 2, 1, 2},
		{"tree,2,3", "tree-2-3", 9, 4, 12}, {"tree,3,10", "tree-3-10", 1000, 111, 1110},
	};
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		struct topo *t = shape(want[i].words);
		assert_string_equal(t->name, want[i].name);
		assert_int_equal(count(t, TOPO_HOST), want[i].hosts);
		assert_int_equal(count(t, TOPO_ROUTER), want[i].routers);
		assert_int_equal(t->n_links, want[i].links);
		assert_int_equal(t->n_domains, want[i].links);
		for (int n = 0; n < t->n_nodes; n++)
			if (t->nodes[n].kind == TOPO_HOST)
				assert_int_equal(t->nodes[n].n_ends, 1);
		topo_free(t);
	}
}

/* Interfaces are eth1, eth2, ... in order; names are r1.. and h1.. */
static void shape__names(void **state)
{
	struct topo *t = shape("ring,3");
	char name[TOPO_END_NAME];
	static const char *const want[] = {"r1:eth1", "h1:eth1", "r1:eth2", "r2:eth1", "r2:eth2", "h2:eth1", "r2:eth3", "r3:eth1", "r3:eth2",
		"h3:eth1", "r3:eth3", "r1:eth3"};
	for (size_t e = 0; e < ARRAY_LEN(want); e++) {
		topo_end_name(t, (int)e, name);
		assert_string_equal(name, want[e]);
	}
	topo_free(t);
	t = shape("clos,2,2");
	assert_true(topo_node_find(t, "spine2") >= 0 && topo_node_find(t, "leaf2") >= 0 && topo_node_find(t, "h2") >= 0);
	topo_free(t);
}

static void shape__sentences(void **state)
{
	static const struct {
		const char *words, *says;
	} bad[] = {
		{"lin,3", "did you mean 'line'"}, {"", "one-line topologies are"}, {"star,3", "one-line topologies are"},
		{"line", "line,N[,HOSTS]"},
		{"line,", "line,N[,HOSTS]"}, {"line,x", "line,N[,HOSTS]"}, {"line,-1", "line,N[,HOSTS]"}, {"line,3,1,1", "line,N[,HOSTS]"},
		{"line,3x", "line,N[,HOSTS]"}, {"line,0", "from 1 to 65536"}, {"ring,2", "from 3 to"}, {"clos,2", "clos,SPINES,LEAVES[,HOSTS]"},
		{"tree,0,2", "from 1 to"}, {"tree,2,62", "more than 62 links"},
		{"line,3,62", "more than 62 links"}, {"tree,9,9", "more than 65536 nodes"},
		{"tree,1,99999999999999999999", "from 1 to 62"},
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct lab_error err;
		if (topo_shape(bad[i].words, &err) || !strstr(err.text, bad[i].says))
			fail_msg("%s: %s", bad[i].words, err.text);
		assert_string_equal(err.file, bad[i].words);
		assert_int_equal(err.line, 0);
	}
}

/* Automatic subnets fill the gaps between given ones and touch none. */
static void number__beside_given(void **state)
{
	static const char text[] = "name: t\ntopology:\n  nodes: {a: {kind: router}, b: {kind: router}}\n  links:\n"
				   "    - {endpoints: [\"a:1\", \"b:1\"]}\n"
				   "    - {endpoints: [\"a:2\", \"b:2\"], subnet: 10.0.2.128/25}\n"
				   "    - {endpoints: [\"a:3\", \"b:3\"]}\n"
				   "    - {endpoints: [\"a:4\", \"b:4\"], subnet: 10.0.4.0/22}\n"
				   "    - {endpoints: [\"a:5\", \"b:5\"]}\n"
				   "    - {endpoints: [\"a:6\", \"b:6\"], subnet: 192.168.0.0/16}\n"
				   "    - {endpoints: [\"a:7\", \"b:7\"], subnet: 10.0.9.0/30}\n"
				   "    - {endpoints: [\"a:8\", \"b:8\"]}\n";
	static const uint32_t want[] = {0x0a000100, 0x0a000280, 0x0a000300, 0x0a000400, 0x0a000800, 0xc0a80000, 0x0a000900, 0x0a000a00};
	struct lab_error err;
	struct topo *t = topo_parse(text, strlen(text), "t.yaml", &err);
	assert_non_null(t);
	for (int i = 0; i < t->n_domains; i++)
		assert_int_equal(t->domains[i].net, want[i]);
	topo_free(t);
}

struct tally {
	int *routes, most_hops;
};

static void count_route(void *ctx, int node, const struct topo_path *p)
{
	struct tally *c = ctx;
	c->routes[node]++;
	c->most_hops = MAX(c->most_hops, p->n_hops);
}

/* Tables stay small because subnets below one router lie side by side; all spines are ways. */
static void shape__routes_merge(void **state)
{
	struct topo *t = shape("tree,3,10");
	struct tally c = {.routes = calloc((size_t)t->n_nodes, sizeof *c.routes)};
	assert_int_equal(topo_routes(t, count_route, &c), 0);
	for (int n = 0; n < t->n_nodes; n++)
		assert_in_range(c.routes[n], 1, t->nodes[n].kind == TOPO_HOST ? 1 : 130);
	free(c.routes);
	topo_free(t);
	t = shape("clos,4,3");
	c = (struct tally){.routes = calloc((size_t)t->n_nodes, sizeof *c.routes)};
	assert_int_equal(topo_routes(t, count_route, &c), 0);
	assert_int_equal(c.most_hops, 4);
	free(c.routes);
	topo_free(t);
}

/* --- pingall --- */

struct answer {
	json_t *o;
};

static void on_message(void *ctx, const json_t *msg)
{
	struct answer *a = ctx;
	assert_null(a->o);
	a->o = json_deep_copy(msg);
}

static bool has_answer(void *ctx)
{
	return ((struct answer *)ctx)->o != NULL;
}

static int of(const json_t *o, const char *key)
{
	return (int)json_integer_value(json_object_get(o, key));
}

static size_t arena_used(struct lab *l)
{
	const char *node;
	size_t sum = 0, used, baseline;
	for (int i = 0; lab_arena_get(l, i, &node, &used, &baseline); i++)
		sum += used;
	return sum;
}

/* Runs pingall in l; gives. Sockets are given back. */
static json_t *pingall(struct lab *l, int pairs)
{
	char err[256];
	struct answer a = {NULL};
	json_t *what = json_pack("{s:s, s:i}", "job", "pingall", "pairs", pairs);
	struct lab_job *j = lab_job_new(l, what, on_message, &a, err);
	assert_non_null(j);
	json_decref(what);
	lab_run(l, TIME_NEVER, has_answer, &a);
	assert_non_null(a.o);
	assert_true(json_is_true(json_object_get(a.o, "done")));
	lab_job_free(j);
	return a.o;
}

static struct lab *lab_of(const char *words)
{
	struct lab_error err;
	struct lab *l = lab_load_shape(words, &small, &err);
	if (!l)
		fail_msg("%s: %s", words, err.text);
	return l;
}

static void pingall__all_pairs(void **state)
{
	static const struct {
		const char *words;
		int hosts, routers;
	} labs[] = {{"line,3", 3, 3}, {"ring,5", 5, 5}, {"clos,2,4", 4, 6}, {"tree,2,4", 16, 5}, {"line,1", 1, 1}, {"line,2,0", 0, 2}};
	for (size_t i = 0; i < ARRAY_LEN(labs); i++) {
		struct lab *l = lab_of(labs[i].words);
		json_t *r = pingall(l, 0);
		assert_int_equal(of(r, "pairs"), labs[i].hosts * (labs[i].hosts - (labs[i].hosts > 0)));
		assert_int_equal(of(r, "answered"), of(r, "pairs"));
		assert_int_equal(of(r, "hosts"), labs[i].hosts);
		assert_int_equal(of(r, "routers"), labs[i].routers);
		assert_true(json_is_false(json_object_get(r, "sampled")) || labs[i].hosts < 2);
		json_decref(r);
		lab_free(l);
	}
}

/* A sample asks from each host and of each host, equally often, never itself, no pair twice. */
static void pingall__sample_reaches_everybody(void **state)
{
	struct lab *l = lab_of("tree,2,7");
	json_t *r = pingall(l, 200), *row, *name;
	size_t i, k, m;
	int asked[128] = {0};
	assert_int_equal(of(r, "pairs"), 49 * 4);
	assert_int_equal(of(r, "answered"), 49 * 4);
	assert_true(json_is_true(json_object_get(r, "sampled")));
	json_array_foreach(json_object_get(r, "results"), i, row) {
		const json_t *to = json_object_get(row, "to");
		assert_int_equal(json_array_size(to), 4);
		assert_int_equal(json_array_size(json_object_get(row, "silent")), 0);
		json_array_foreach(to, k, name) {
			assert_string_not_equal(json_string_value(name), json_string_value(json_object_get(row, "from")));
			for (m = 0; m < k; m++)
				assert_string_not_equal(json_string_value(name), json_string_value(json_array_get(to, m)));
			asked[topo_node_find(l->topo, json_string_value(name))]++;
		}
	}
	for (int n = 0; n < l->topo->n_nodes; n++)
		assert_int_equal(asked[n], l->topo->nodes[n].kind == TOPO_HOST ? 4 : 0);
	json_decref(r);
	lab_free(l);
}

/* A host that does not answer is named by those that asked it, and the time that takes is three tries. */
static void pingall__tells_who_is_silent(void **state)
{
	static const char text[] = "name: t\ntopology:\n  nodes: {a: {kind: host}, b: {kind: host}, c: {kind: host}, r: {kind: router}}\n"
				   "  links:\n"
				   "    - {endpoints: [\"a:1\", \"r:1\"]}\n    - {endpoints: [\"b:1\", \"r:2\"], impairments: {loss: 30%}}\n"
				   "    - {endpoints: [\"c:1\", \"r:3\"], impairments: {loss: 100%}}\n";
	struct lab_error err;
	struct lab *l = lab_load_text(text, strlen(text), "t.yaml", &small, &err);
	assert_non_null(l);
	json_t *r = pingall(l, 0), *row;
	size_t i;
	assert_int_equal(of(r, "pairs"), 6);
	assert_int_equal(of(r, "answered"), 2);
	json_array_foreach(json_object_get(r, "results"), i, row) {
		const json_t *silent = json_object_get(row, "silent");
		bool is_c = strcmp(json_string_value(json_object_get(row, "from")), "c") == 0;
		assert_int_equal(json_array_size(silent), is_c ? 2 : 1);
		if (!is_c)
			assert_string_equal(json_string_value(json_array_get(silent, 0)), "c");
	}
	assert_in_range(lab_now(l), 3 * NS_PER_S, 12 * NS_PER_S);
	json_decref(r);
	lab_free(l);
}

/* The same seed is the same run, and what it opened is closed: a second run in the same lab, and one given up half way. */
static void pingall__leaves_nothing(void **state)
{
	char err[256];
	struct answer a = {NULL};
	struct lab *l = lab_of("ring,4");
	json_decref(pingall(l, 0));
	lab_run(l, lab_now(l) + 2000 * NS_PER_S, NULL, NULL);
	size_t used = arena_used(l);
	json_t *what = json_pack("{s:s}", "job", "pingall");
	struct lab_job *j = lab_job_new(l, what, on_message, &a, err);
	assert_non_null(j);
	lab_run(l, lab_now(l) + 50 * NS_PER_US, NULL, NULL);
	assert_null(a.o);
	assert_true(arena_used(l) > used);
	lab_job_free(j);
	json_decref(what);
	lab_run(l, lab_now(l) + 2000 * NS_PER_S, NULL, NULL);
	assert_int_equal(arena_used(l), used);
	lab_free(l);
}

static void job__unknown(void **state)
{
	char err[256];
	struct lab *l = lab_of("line,1");
	json_t *what = json_pack("{s:s}", "job", "dance");
	assert_null(lab_job_new(l, what, on_message, NULL, err));
	assert_non_null(strstr(err, "dance"));
	json_decref(what);
	lab_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shape__counts), cmocka_unit_test(shape__names), cmocka_unit_test(shape__sentences),
		cmocka_unit_test(number__beside_given), cmocka_unit_test(shape__routes_merge), cmocka_unit_test(pingall__all_pairs),
		cmocka_unit_test(pingall__sample_reaches_everybody), cmocka_unit_test(pingall__tells_who_is_silent),
		cmocka_unit_test(pingall__leaves_nothing), cmocka_unit_test(job__unknown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
