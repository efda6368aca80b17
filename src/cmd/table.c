/* cmd/table.c - aligned tables, and the words for quantities in them. */
#include "cmd/table.h"
#include "cmd/cmd.h"
#include "lab/lab.h"
#include <inttypes.h>
#include <libsmartcols/libsmartcols.h>
#include <stdarg.h>
#include <stdlib.h>

struct table {
	struct libscols_table *scols;
	int n_columns;
};

struct table *table_new(const char *columns)
{
	struct table *t = calloc(1, sizeof *t);
	char *copy = strdup(columns), *rest = NULL;
	if (!t || !copy || !(t->scols = scols_new_table())) {
		free(t);
		free(copy);
		return NULL;
	}
	for (char *name = strtok_r(copy, "|", &rest); name; name = strtok_r(NULL, "|", &rest)) {
		bool right = name[0] == '>';
		scols_table_new_column(t->scols, name + right, 0, right ? SCOLS_FL_RIGHT : 0);
		t->n_columns++;
	}
	/* Tables are read in files and pipes too: as wide as their content, whatever the terminal. */
	scols_table_set_termforce(t->scols, SCOLS_TERMFORCE_NEVER);
	free(copy);
	return t;
}

void table_row(struct table *t, ...)
{
	va_list ap;
	struct libscols_line *line = t ? scols_table_new_line(t->scols, NULL) : NULL;
	va_start(ap, t);
	for (int i = 0; line && i < t->n_columns; i++)
		scols_line_set_data(line, (size_t)i, va_arg(ap, const char *));
	va_end(ap);
}

void table_end(struct table *t)
{
	if (!t)
		return;
	scols_print_table(t->scols);
	scols_unref_table(t->scols);
	free(t);
}

static char *next_buffer(size_t *cap)
{
	static char buffers[16][48];
	static unsigned next;
	*cap = sizeof buffers[0];
	return buffers[next++ % ARRAY_LEN(buffers)];
}

const char *text_number(int64_t n)
{
	size_t cap;
	char *b = next_buffer(&cap);
	snprintf(b, cap, "%" PRId64, n);
	return b;
}

const char *text_time(int64_t ns)
{
	size_t cap;
	char *b = next_buffer(&cap);
	if (ns < NS_PER_S)
		snprintf(b, cap, "%.1f ms", (double)ns / 1e6);
	else
		snprintf(b, cap, "%.2f s", (double)ns / 1e9);
	return b;
}

const char *text_bytes(int64_t n)
{
	size_t cap;
	char *b = next_buffer(&cap);
	if (n < 10000)
		snprintf(b, cap, "%" PRId64 " B", n);
	else if (n < 1000000)
		snprintf(b, cap, "%.1f kB", (double)n / 1e3);
	else
		snprintf(b, cap, "%.1f MB", (double)n / 1e6);
	return b;
}

static const char *string_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));
	return s ? s : "";
}

static int64_t int_of(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void inspect_interfaces(const json_t *nodes)
{
	struct table *t = table_new("NODE|KIND|INTERFACE|ADDRESS|MAC|>MTU|SERVICES");
	const json_t *n, *i, *s;
	size_t a, b, c;
	json_array_foreach(json_object_get(nodes, "nodes"), a, n) {
		char services[128] = "";
		json_array_foreach(json_object_get(n, "services"), c, s) {
			size_t used = strlen(services);
			snprintf(services + used, sizeof services - used, "%s%s:%" PRId64, used ? " " : "", string_of(s, "name"),
				int_of(s, "port"));
		}
		if (json_array_size(json_object_get(n, "interfaces")) == 0)
			table_row(t, string_of(n, "name"), string_of(n, "kind"), NULL, NULL, NULL, NULL, services);
		json_array_foreach(json_object_get(n, "interfaces"), b, i) {
			const json_t *first = json_array_get(json_object_get(i, "addresses"), 0);
			table_row(t, b ? NULL : string_of(n, "name"), b ? NULL : string_of(n, "kind"), string_of(i, "name"),
				json_string_value(first), string_of(i, "mac"), text_number(int_of(i, "mtu")),
				b ? NULL : services);
		}
	}
	table_end(t);
}

static void inspect_routes(const json_t *lab)
{
	struct table *t = table_new("NODE|TO|VIA|INTERFACE");
	const json_t *n, *r;
	size_t a, b;
	json_array_foreach(json_object_get(lab, "nodes"), a, n) {
		json_array_foreach(json_object_get(n, "routes"), b, r)
			table_row(t, b ? NULL : string_of(n, "name"), string_of(r, "to"), string_of(r, "via"),
				string_of(r, "interface"));
	}
	table_end(t);
}

static void inspect_links(const json_t *lab)
{
	struct table *t = table_new("FROM|TO|>DELAY|>JITTER|>LOSS|>REORDER|>DUPLICATE|>CORRUPT|>RATE|>SENT|>LOST");
	const json_t *l;
	size_t a;
	json_array_foreach(json_object_get(lab, "links"), a, l) {
		const json_t *i = json_object_get(l, "impairments");
		char rate[32] = "-";
		if (int_of(i, "rate_bps"))
			snprintf(rate, sizeof rate, "%.1f Mbit/s", (double)int_of(i, "rate_bps") / 1e6);
		table_row(t, string_of(l, "from"), string_of(l, "to"), text_time(int_of(i, "delay_ns")),
			text_time(int_of(i, "jitter_ns")), string_of(i, "loss"), string_of(i, "reorder"),
			string_of(i, "duplicate"), string_of(i, "corrupt"), rate, text_number(int_of(l, "sent")),
			text_number(int_of(l, "lost")));
	}
	table_end(t);
}

static void row_drop(struct table *t, const char *node, const char *name, int64_t count)
{
	char why[128];
	snprintf(why, sizeof why, "%s: %s", name, lab_drop_text(name));
	table_row(t, node, text_number(count), why);
}

static const char drop_columns[] = "NODE|>DROPPED|WHY";

void table_drops(const json_t *drops)
{
	struct table *t = table_new(drop_columns);
	const json_t *d;
	size_t i;
	json_array_foreach(drops, i, d)
		row_drop(t, string_of(d, "node"), string_of(d, "name"), int_of(d, "count"));
	table_end(t);
}

/* Nothing, not even a heading, when no node dropped a packet. */
static void inspect_drops(const json_t *lab)
{
	json_t *n, *count;
	struct table *t = NULL;
	const char *name;
	size_t a;
	json_array_foreach(json_object_get(lab, "nodes"), a, n) {
		json_object_foreach(json_object_get(n, "drops"), name, count) {
			if (!t) {
				putchar('\n');
				t = table_new(drop_columns);
			}
			row_drop(t, string_of(n, "name"), name, json_integer_value(count));
		}
	}
	table_end(t);
}

void table_inspect(const json_t *lab)
{
	printf("lab %s, seed %" PRId64 "\n\n", string_of(lab, "name"), int_of(lab, "seed"));
	inspect_interfaces(lab);
	putchar('\n');
	inspect_routes(lab);
	putchar('\n');
	inspect_links(lab);
	inspect_drops(lab);
}
