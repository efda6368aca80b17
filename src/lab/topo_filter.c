/* lab/topo_filter.c - the keys nat and filter of a router or host in a topology file; doc/lab.md is their reference.
 *
 *   nat: eth2                            what leaves by eth2 gets its address
 *   nat: {out: eth2, forwards: ["tcp 8080 -> web:80"], src: 192.168.1.0/24, filtering: endpoint-independent}
 *   filter: ["-P FORWARD DROP", "-A FORWARD -i eth1 -j ACCEPT"]        or the same lines as one text
 *
 * Lines are the library's (via_filter_parse(), via_nat_parse_forward()), but that a forward may lead to a node by its name. Each mistake
 * is told with the place of the line, in a list also of the word. */
#include "lab/yaml.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { RULES_MAX = 1024, NAT_RULES_MAX = 64, LINE_MAX_BYTES = 512 };

/* A line of text in the file. */
struct line {
	const char *text;
	struct topo_mark mark;
	bool has_cols; /* the n-th byte of text is the n-th behind the mark */
};

/* Room for one more rule of the node; NULL after the sentence. */
static struct topo_rule *new_rule(struct yaml_tree *y, struct topo_node *node, struct topo_mark at)
{
	if (node->n_rules == RULES_MAX) {
		topo_fail(y->err, y->file, at, "more than %d rules", RULES_MAX);
		return NULL;
	}
	struct topo_rule *more = realloc(node->rules, (size_t)(node->n_rules + 1) * sizeof *more);
	if (!more) {
		topo_fail(y->err, y->file, at, "no memory");
		return NULL;
	}
	node->rules = more;
	struct topo_rule *r = &more[node->n_rules++];
	memset(r, 0, sizeof *r);
	r->mark = at;
	return r;
}

/* The library's complaint about a line as the file's: its sentences are about the word, or speak for themselves. */
static int line_fail(struct yaml_tree *y, const struct line *l, const char *what, const struct via_filter_error *e)
{
	static const char *const verbs[] = {"is ", "must ", "needs ", "cannot "};
	struct topo_mark at = l->mark;
	if (l->has_cols)
		at.col += (int)e->at;
	if (!e->len || e->len == strlen(l->text))
		return topo_fail(y->err, y->file, at, "%s: %s", what, e->what);
	bool needs_subject = false;
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		needs_subject |= strncmp(e->what, verbs[i], strlen(verbs[i])) == 0;
	return topo_fail(y->err, y->file, at, "%s: '%.*s'%s %s", what, (int)e->len, l->text + e->at, needs_subject ? "" : ":", e->what);
}

/* --- the filter --- */

static int add_filter_line(struct yaml_tree *y, struct topo_node *node, const struct line *l)
{
	struct via_filter_error e;
	int kind;
	struct topo_rule *r = new_rule(y, node, l->mark);
	if (!r)
		return -EINVAL;
	if (via_filter_parse(l->text, &kind, &r->filter, &e))
		return line_fail(y, l, "filter", &e);
	r->kind = (enum via_change_kind)kind;
	return 0;
}

/* The lines of one text, from the first below the '|' on; empty ones and those that begin with '#' are passed over. */
static int add_filter_text(struct yaml_tree *y, const ynode *n, const char *s, struct topo_node *node)
{
	bool is_literal = n->data.scalar.style == YAML_LITERAL_SCALAR_STYLE;
	char text[LINE_MAX_BYTES];
	struct line l = {text, yaml_mark(n), n->start_mark.line == n->end_mark.line};
	if (l.has_cols && n->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		l.mark.col++; /* the quotation mark */
	if (is_literal)
		l.mark = (struct topo_mark){l.mark.line + 1, 1};
	for (;; l.mark.line += is_literal) {
		size_t len = strcspn(s, "\n");
		if (len >= sizeof text)
			return topo_fail(y->err, y->file, l.mark, "filter: a rule has at most %d letters", LINE_MAX_BYTES - 1);
		memcpy(text, s, len);
		text[len] = 0;
		size_t blank = strspn(text, " \t");
		if (text[blank] && text[blank] != '#' && add_filter_line(y, node, &l))
			return -EINVAL;
		if (!s[len])
			return 0;
		s += len + 1;
	}
}

int topo_filter_read(struct yaml_tree *y, const ynode *n, struct topo_node *node)
{
	const ynode *item;
	const char *s;
	if (!yaml_is_list(n))
		return yaml_text(y, n, "filter", &s) ? -EINVAL : add_filter_text(y, n, s, node);
	for (int i = 0; (item = yaml_item(y, n, i)); i++)
		if (yaml_text(y, item, "a rule of the filter", &s) || add_filter_text(y, item, s, node))
			return -EINVAL;
	return 0;
}

/* --- the NAT --- */

/* Is s, up to n, what a node may be called? (topo_yaml.c has told already if one's name is longer.) */
static bool is_node_word(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-", s[i]))
			return false;
	return n > 0 && n < sizeof((struct topo_rule *)0)->inner;
}

/* "tcp 80 -> web:8080": a node's name, of which nothing is known yet, stands where the library wants an address. */
static int add_forward(struct yaml_tree *y, const ynode *n, const char *out, struct topo_node *node)
{
	const char *s, *to;
	struct via_addr a;
	struct via_filter_error e;
	char text[LINE_MAX_BYTES];
	if (yaml_text(y, n, "a forward", &s))
		return -EINVAL;
	struct line l = {s, yaml_mark(n), n->data.scalar.style == YAML_PLAIN_SCALAR_STYLE};
	struct topo_rule *r = new_rule(y, node, l.mark);
	if (!r)
		return -EINVAL;
	to = strstr(s, "->");
	to = to ? to + 2 + strspn(to + 2, " \t") : s;
	size_t len = strcspn(to, ": \t");
	bool is_named = to > s && via_addr_parse(to, len, &a) && is_node_word(to, len);
	if (is_named)
		snprintf(r->inner, sizeof r->inner, "%.*s", (int)len, to);
	if (strlen(s) >= sizeof text - sizeof "0.0.0.1")
		return yaml_fail(y, n, "a forward has at most %d letters", LINE_MAX_BYTES - 16);
	snprintf(text, sizeof text, "%.*s%s%s", (int)(to - s), s, is_named ? "0.0.0.1" : "", is_named ? to + len : to);
	if (via_nat_parse_forward(text, &r->nat, &e)) {
		size_t past = (size_t)(to - s), grown = is_named ? strlen(text) - strlen(s) : 0;
		if (e.at > past)
			e.at -= grown;
		else if (e.at == past && is_named)
			e.len -= grown;
		return line_fail(y, &l, "forward", &e);
	}
	r->kind = VIA_NAT_ADD;
	memcpy(r->nat.out, out, sizeof r->nat.out);
	return 0;
}

static int read_forwards(struct yaml_tree *y, const ynode *n, const char *out, struct topo_node *node)
{
	const ynode *item;
	if (!yaml_is_list(n))
		return add_forward(y, n, out, node);
	for (int i = 0; (item = yaml_item(y, n, i)); i++)
		if (add_forward(y, item, out, node))
			return -EINVAL;
	return 0;
}

static int read_filtering(struct yaml_tree *y, const ynode *n, enum via_nat_filtering *out)
{
	static const char *const words[] = {[VIA_NAT_ADDRESS_AND_PORT_DEPENDENT] = "address-and-port-dependent",
		[VIA_NAT_ENDPOINT_INDEPENDENT] = "endpoint-independent", NULL};
	const char *s;
	if (yaml_text(y, n, "filtering", &s))
		return -EINVAL;
	for (int i = 0; words[i]; i++)
		if (strcmp(s, words[i]) == 0) {
			*out = (enum via_nat_filtering)i;
			return 0;
		}
	return yaml_fail(y, n, "filtering is address-and-port-dependent (who was sent to may answer) or endpoint-independent (anybody may), "
			 "not '%s'", s);
}

int topo_nat_read(struct yaml_tree *y, const ynode *n, struct topo_node *node)
{
	enum { OUT, FORWARDS, SRC, FILTERING };
	static const char *const keys[] = {[OUT] = "out", [FORWARDS] = "forwards", [SRC] = "src", [FILTERING] = "filtering", NULL};
	struct yaml_map m = {{n}};
	struct topo_prefix src = {0};
	const char *out;
	if (yaml_is_map(n) && yaml_map_read(y, n, "nat", keys, &m))
		return -EINVAL;
	if (!m.val[OUT])
		return yaml_fail(y, n, "nat needs 'out', the interface that it hides behind, such as eth2");
	if (yaml_text(y, m.val[OUT], "out", &out) || (m.val[SRC] && yaml_prefix(y, m.val[SRC], "src", &src)))
		return -EINVAL;
	struct topo_rule *r = new_rule(y, node, yaml_mark(m.val[OUT]));
	if (!r)
		return -EINVAL;
	*r = (struct topo_rule){.kind = VIA_NAT_ADD, .mark = r->mark, .nat = {.size = sizeof r->nat, .kind = VIA_NAT_MASQUERADE,
		.src = via_addr_v4(src.addr), .src_plen = src.plen}};
	if (strlen(out) >= sizeof r->nat.out)
		return yaml_fail(y, m.val[OUT], "no interface has a name longer than 15 letters");
	memcpy(r->nat.out, out, strlen(out) + 1);
	if (m.val[FILTERING] && read_filtering(y, m.val[FILTERING], &r->nat.filtering))
		return -EINVAL;
	char name[sizeof r->nat.out]; /* the rules move as they grow */
	memcpy(name, r->nat.out, sizeof name);
	return m.val[FORWARDS] ? read_forwards(y, m.val[FORWARDS], name, node) : 0;
}

/* --- what cannot be --- */

/* The node's end of that interface, or -1 after the sentence. */
static int end_of(const struct topo *t, const struct topo_node *n, const char *name, struct topo_mark at, struct lab_error *err)
{
	const char *names[TOPO_IFACES_MAX + 1] = {NULL}, *near;
	for (int e = 0; e < n->n_ends; e++) {
		names[e] = t->ends[n->ends[e]].ifname;
		if (strcmp(names[e], name) == 0)
			return n->ends[e];
	}
	near = nearest_word(name, names);
	topo_fail(err, t->file, at, near ? "node '%s' has no interface '%s', did you mean '%s'?" : "node '%s' has no interface '%s'", n->name,
		  name, near);
	return -1;
}

/* Whom the forward leads to. */
static int find_inner(const struct topo *t, struct topo_rule *r, struct lab_error *err)
{
	int i = topo_node_find(t, r->inner);
	if (i < 0)
		return topo_fail(err, t->file, r->mark, "forward: there is no node '%s'", r->inner);
	const struct topo_prefix *p = topo_node_addr(t, i);
	if (!p)
		return topo_fail(err, t->file, r->mark, "forward: node '%s' has no address that is known beforehand", r->inner);
	r->nat.inner = via_addr_v4(p->addr);
	return 0;
}

static int check_forward(const struct topo *t, const struct topo_node *n, struct topo_rule *r, struct lab_error *err)
{
	for (const struct topo_rule *o = n->rules; o < r; o++)
		if (o->kind == VIA_NAT_ADD && o->nat.kind == VIA_NAT_FORWARD && o->nat.proto == r->nat.proto &&
		    o->nat.port[0] <= r->nat.port[1] && r->nat.port[0] <= o->nat.port[1])
			return topo_fail(err, t->file, r->mark, "forward: port %u leads elsewhere already (line %d)",
					 MAX(o->nat.port[0], r->nat.port[0]), o->mark.line);
	return r->inner[0] ? find_inner(t, r, err) : 0;
}

static int check_rule(struct topo *t, const struct topo_node *n, struct topo_rule *r, struct lab_error *err)
{
	bool is_nat = r->kind == VIA_NAT_ADD;
	const char *const names[] = {is_nat ? r->nat.out : r->filter.in, is_nat ? "" : r->filter.out};
	for (int i = 0; i < 2; i++) {
		int end = names[i][0] && (is_nat || strcmp(names[i], "lo") != 0) ? end_of(t, n, names[i], r->mark, err) : 0;
		if (end < 0)
			return -EINVAL;
		if (is_nat && names[i][0])
			t->ends[end].is_outer = true;
	}
	if (is_nat && r - n->rules >= NAT_RULES_MAX)
		return topo_fail(err, t->file, r->mark, "more than %d forwards", NAT_RULES_MAX - 1);
	return is_nat && r->nat.kind == VIA_NAT_FORWARD ? check_forward(t, n, r, err) : 0;
}

int topo_filter_check(struct topo *t, struct lab_error *err)
{
	for (int i = 0; i < t->n_nodes; i++)
		for (int k = 0; k < t->nodes[i].n_rules; k++)
			if (check_rule(t, &t->nodes[i], &t->nodes[i].rules[k], err))
				return -EINVAL;
	return 0;
}
