/* lab/change.c - what can be changed in a lab that runs: a link's impairments, and whether it is there at all.
 *
 * A link that goes down loses what is under way on it; both ends' stacks see it go, and all routes are computed anew without
 * it. Where switches join more than two ends in one subnet, a link that is down takes its own ends out of the subnet; two
 * switches that lose their link keep the routes of one subnet. */
#include "lab/state.h"
#include "lab/yaml.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* --- which link --- */

static bool is_pair(const char *words, const char *a, const char *b)
{
	size_t n = strlen(a);
	return strncmp(words, a, n) == 0 && words[n] == '-' && strcmp(words + n + 1, b) == 0;
}

/* Does "r1-r2" or "r1:eth2-r2:eth1" mean link i? *from is the end named first. */
static bool is_meant(const struct lab *l, int i, const char *words, int *from)
{
	for (int s = 0; s < 2; s++) {
		int a = 2 * i + s, b = a ^ 1;
		const struct topo_end *e = l->topo->ends;
		if (!is_pair(words, l->topo->nodes[e[a].node].name, l->topo->nodes[e[b].node].name) &&
		    !is_pair(words, l->end_names[a], l->end_names[b]))
			continue;
		*from = a;
		return true;
	}
	return false;
}

/* The end named first, or -EINVAL after a sentence. */
static int find_link(const struct lab *l, const char *words, char err[256])
{
	int found = -1, from = 0, n = 0;
	for (int i = 0; i < l->topo->n_links; i++)
		if (is_meant(l, i, words, &from)) {
			found = from;
			n++;
		}
	if (n == 1)
		return found;
	if (n)
		snprintf(err, 256, "%d links join '%.64s'; name the interfaces: %s-%s", n, words, l->end_names[found], l->end_names[found ^ 1]);
	else
		snprintf(err, 256, "lab '%s' has no link '%.64s'; a link is named by its ends, such as %s-%s", lab_name(l), words,
			 l->topo->n_links ? l->topo->nodes[l->topo->ends[0].node].name : "a",
			 l->topo->n_links ? l->topo->nodes[l->topo->ends[1].node].name : "b");
	return -EINVAL;
}

/* --- impairments by words --- */

/* One "KEY=VALUE" over what *im holds, by the rules of a topology file. */
int lab_impair_word(const char *word, struct lab_impair *im, char err[256])
{
	struct lab_error e = {0};
	struct yaml_tree y;
	char text[160], *p = text;
	size_t key = strcspn(word, "=");
	if (!word[key] || strlen(word) > 64 || strpbrk(word, "'\n")) {
		snprintf(err, 256, "'%.64s' is not KEY=VALUE, such as delay=20ms or loss=1%%", word);
		return -EINVAL;
	}
	p += sprintf(p, "{'%.*s': '%s'}", (int)key, word, word + key + 1);
	int rc = yaml_tree_load(&y, text, (size_t)(p - text), "", &e);
	if (!rc) {
		rc = topo_impair(&y, yaml_document_get_root_node(&y.doc), im);
		yaml_tree_free(&y);
	}
	if (rc)
		snprintf(err, 256, "%.250s", e.text);
	return rc;
}

/* --- changes --- */

static void end_present(struct lab *l, int end)
{
	struct lab_node *n = &l->nodes[l->topo->ends[end].node];
	if (n->stack)
		host_node_present(&n->hn);
}

static void set_up(struct lab *l, int link, bool up)
{
	if (l->links[link].port[0].d.up == up)
		return;
	link_updown(&l->links[link], up);
	l->topo->links[link].is_down = !up;
	for (int s = 0; s < 2; s++) {
		struct lab_node *n = &l->nodes[l->topo->ends[2 * link + s].node];
		if (!n->stack)
			continue;
		via_flush(n->stack, l->env.now);
		via_iface_updown(n->stack, l->end_ifindex[2 * link + s]);
		n->hn.touched(&n->hn);
	}
}

int lab_link_change(struct lab *l, const char *link, const char *word, bool one_way, char err[256])
{
	int end = find_link(l, link, err), rc = 0;
	struct lab_impair im[2];
	if (end < 0)
		return end;
	for (int s = 0; s < 2; s++)
		end_present(l, end ^ s);
	if (strcmp(word, "down") == 0 || strcmp(word, "up") == 0) {
		set_up(l, end / 2, word[0] == 'u');
		rc = lab_routes_update(l);
		if (rc)
			snprintf(err, 256, "the routes could not be changed: %s", strerror(-rc));
		return rc;
	}
	for (int s = 0; s < 2 && !rc; s++) {
		im[s] = l->links[end / 2].dir[s].im;
		if (one_way && s != end % 2)
			continue;
		if (strcmp(word, "clean") == 0)
			im[s] = (struct lab_impair){0};
		else
			rc = lab_impair_word(word, &im[s], err);
	}
	for (int s = 0; s < 2 && !rc; s++)
		if (!one_way || s == end % 2)
			link_impair(&l->links[end / 2], s, &im[s]);
	return rc;
}
