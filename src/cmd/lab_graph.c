/* cmd/lab_graph.c - `via lab graph`: a lab as a graph in Graphviz's DOT: nodes with their kind, links with addresses and impairments. */
#include "cmd/ask.h"
#include "cmd/cmd.h"
#include "cmd/lab_host.h"
#include "cmd/table.h"
#include <inttypes.h>

static const struct cmd_option options[] = {
	{'t', "topology", "FILE", "a lab that is not running, from its file"},
	{0, "topo", "SHAPE", "one from one line: line,3  ring,5  clos,2,4  tree,3,10"},
	{0, NULL, NULL, NULL},
};

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));
	return s ? s : "";
}

static int64_t int_of(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

/* Names hold nothing that DOT would have to have quoted but '-' and '.'. */
static void put_node(const json_t *n)
{
	static const struct { const char *kind, *shape; } shapes[] = {{"host", "box"}, {"router", "ellipse"}, {"switch", "diamond"}};
	const char *shape = "hexagon";
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++)
		if (strcmp(shapes[i].kind, text_of(n, "kind")) == 0)
			shape = shapes[i].shape;
	printf("  \"%s\" [shape=%s];\n", text_of(n, "name"), shape);
}

/* The first address of "node:interface", or "". */
static const char *address_of(const json_t *lab, const char *end)
{
	const char *colon = strrchr(end, ':');
	const json_t *n, *f;
	size_t i, k;
	json_array_foreach(json_object_get(lab, "nodes"), i, n) {
		const char *name = text_of(n, "name");
		if (!colon || strlen(name) != (size_t)(colon - end) || strncmp(name, end, (size_t)(colon - end)) != 0)
			continue;
		json_array_foreach(json_object_get(n, "interfaces"), k, f)
			if (strcmp(text_of(f, "name"), colon + 1) == 0) {
				const char *a = json_string_value(json_array_get(json_object_get(f, "addresses"), 0));
				return a ? a : "";
			}
	}
	return "";
}

static void put_impairments(const json_t *i)
{
	if (int_of(i, "delay_ns"))
		printf("\\n%s", text_time(int_of(i, "delay_ns")));
	if (strcmp(text_of(i, "loss"), "0%") != 0)
		printf("\\nloss %s", text_of(i, "loss"));
	if (int_of(i, "rate_bps"))
		printf("\\n%g Mbit/s", (double)int_of(i, "rate_bps") / 1e6);
}

static void put_link(const json_t *lab, const json_t *l)
{
	const char *from = text_of(l, "from"), *to = text_of(l, "to");
	printf("  \"%.*s\" -- \"%.*s\" [taillabel=\"%s\", headlabel=\"%s\", label=\"", (int)strcspn(from, ":"), from, (int)strcspn(to, ":"), to,
	       address_of(lab, from), address_of(lab, to));
	put_impairments(json_object_get(l, "impairments"));
	puts(json_is_false(json_object_get(l, "up")) ? "\", style=dotted];" : "\"];");
}

static int lab_graph(const struct cmd_args *a)
{
	bool is_own = a->opt[0] || a->opt[1];
	const struct lab_opts opts = {.real_time = false};
	const json_t *o;
	size_t i;
	if (is_own == (a->n_words == 1))
		return cmd_fail(EXIT_USAGE, "usage: via lab graph NAME | -t FILE | --topo SHAPE");
	struct lab *own = is_own ? lab_host_load(a->opt[0], a->opt[1], &opts) : NULL;
	if (is_own && !own)
		return EXIT_USAGE;
	json_t *lab = is_own ? lab_inspect(own) : ask_lab(a->words[0], "inspect", NULL);
	int status = lab ? ask_refused(lab) : EXIT_FAILED;
	if (!status) {
		printf("graph \"%s\" {\n  node [fontname=sans];\n  edge [fontname=sans, fontsize=9];\n", text_of(lab, "name"));
		json_array_foreach(json_object_get(lab, "nodes"), i, o)
			put_node(o);
		json_array_foreach(json_object_get(lab, "links"), i, o)
			if (i % 2 == 0)
				put_link(lab, o);
		puts("}");
	}
	json_decref(lab);
	lab_free(own);
	return status;
}

const struct cmd_command cmd_lab_graph = {
	.name = "lab graph",
	.usage = "NAME | -t FILE | --topo SHAPE",
	.summary = "a lab as a graph in DOT, for dot -Tsvg",
	.options = options,
	.words_min = 0,
	.words_max = 1,
	.run = lab_graph,
};
