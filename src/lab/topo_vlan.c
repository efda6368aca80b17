/* lab/topo_vlan.c - VLANs in a topology file (doc/lab.md is its reference), and where they belong.
 *
 *   a host or router:  vlans: {eth1.10: 10.10.0.1/24, eth1.20: ~}     interface eth1 carries them, tagged
 *   a switch:          ports: {p1: 10, p2: trunk, p3: {trunk: [10, 20], native: 30}}
 *
 * A switch with `ports` minds VLANs: a number is the VLAN of an access port, whose frames are untagged; a trunk carries frames of several,
 * or of all the lab's, tagged, and untagged ones of its native VLAN, if it has one. A port that is not named is one of VLAN 1. */
#include "lab/yaml.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { VID_MAX = 4094, VID_UNNAMED = 1 };

static int read_vid(struct yaml_tree *y, const ynode *n, const char *what, uint16_t *vid)
{
	uint64_t v = 0;
	int rc = yaml_uint(y, n, what, 1, VID_MAX, &v);
	*vid = (uint16_t)v;
	return rc;
}

/* --- interfaces --- */

/* "eth1.10". */
static int read_vlan_name(struct yaml_tree *y, const ynode *n, struct topo_vlan *v)
{
	const char *s, *dot;
	char *end;
	if (yaml_text(y, n, "a VLAN interface", &s))
		return -EINVAL;
	dot = strrchr(s, '.');
	unsigned long vid = dot && dot[1] >= '1' && dot[1] <= '9' ? strtoul(dot + 1, &end, 10) : 0;
	if (!dot || dot == s || !vid || *end || vid > VID_MAX || strlen(s) >= sizeof v->ifname)
		return yaml_fail(y, n, "'%s' is no VLAN interface: INTERFACE.VLAN, such as eth1.10, with a VLAN from 1 to %d and at most 15 "
				 "letters", s, VID_MAX);
	snprintf(v->ifname, sizeof v->ifname, "%s", s);
	v->vid = (uint16_t)vid;
	return 0;
}

int topo_vlans_read(struct yaml_tree *y, const ynode *n, struct topo_node *node)
{
	const ynode *key, *val;
	if (!yaml_is_map(n))
		return yaml_fail(y, n, "vlans is a mapping of VLAN interfaces to addresses, such as {eth1.10: 10.10.0.1/24, eth1.20: ~}");
	size_t cap = (size_t)(n->data.mapping.pairs.top - n->data.mapping.pairs.start);
	node->vlans = calloc(cap + 1, sizeof *node->vlans);
	if (!node->vlans)
		return yaml_fail(y, n, "no memory");
	for (int i = 0; yaml_pair(y, n, i, &key, &val); i++) {
		struct topo_vlan *v = &node->vlans[i];
		node->n_vlans = i + 1;
		v->mark = yaml_mark(key);
		if (read_vlan_name(y, key, v) || (!yaml_is_null(val) && topo_read_address(y, val, v->ifname, node->kind, &v->addr, &v->asks_dhcp)))
			return -EINVAL;
		for (int k = 0; k < i; k++)
			if (strcmp(node->vlans[k].ifname, v->ifname) == 0)
				return yaml_fail(y, key, "interface '%s' is given twice", v->ifname);
	}
	return 0;
}

/* --- ports --- */

static int read_trunk(struct yaml_tree *y, const ynode *n, struct topo_port *p)
{
	const ynode *item;
	if (!yaml_is_list(n)) {
		p->n_vids = 1;
		return read_vid(y, n, "trunk", &p->vids[0]);
	}
	for (int i = 0; (item = yaml_item(y, n, i)); i++) {
		if (i == TOPO_VLANS_MAX)
			return yaml_fail(y, item, "more than %d VLANs", TOPO_VLANS_MAX);
		if (read_vid(y, item, "trunk", &p->vids[p->n_vids++]))
			return -EINVAL;
	}
	return 0;
}

static int read_port(struct yaml_tree *y, const ynode *n, struct topo_port *p)
{
	enum { TRUNK, NATIVE };
	static const char *const keys[] = {[TRUNK] = "trunk", [NATIVE] = "native", NULL};
	struct yaml_map m;
	const char *s;
	if (!yaml_is_map(n)) {
		if (yaml_text(y, n, p->ifname, &s))
			return -EINVAL;
		p->has_all = strcmp(s, "trunk") == 0;
		return p->has_all ? 0 : read_vid(y, n, p->ifname, &p->access);
	}
	if (yaml_map_read(y, n, "a port", keys, &m))
		return -EINVAL;
	if (!m.val[TRUNK])
		return yaml_fail(y, n, "a port is a VLAN's number, trunk, or {trunk: [10, 20], native: 30}");
	bool is_all = !yaml_is_list(m.val[TRUNK]) && yaml_text(y, m.val[TRUNK], "trunk", &s) == 0 && strcmp(s, "all") == 0;
	p->has_all = is_all;
	if (!is_all && read_trunk(y, m.val[TRUNK], p))
		return -EINVAL;
	if (m.val[NATIVE] && read_vid(y, m.val[NATIVE], "native", &p->access))
		return -EINVAL;
	for (int i = 0; i < p->n_vids; i++)
		if (p->vids[i] == p->access)
			return yaml_fail(y, m.val[NATIVE], "VLAN %u cannot be native and tagged at one port", p->access);
	return 0;
}

int topo_ports_read(struct yaml_tree *y, const ynode *n, struct topo_node *node)
{
	const ynode *key, *val;
	const char *s;
	if (!yaml_is_map(n))
		return yaml_fail(y, n, "ports is a mapping of a switch's ports to VLANs, such as {p1: 10, p2: trunk}");
	size_t cap = (size_t)(n->data.mapping.pairs.top - n->data.mapping.pairs.start);
	node->ports = calloc(cap + 1, sizeof *node->ports);
	if (!node->ports)
		return yaml_fail(y, n, "no memory");
	for (int i = 0; yaml_pair(y, n, i, &key, &val); i++) {
		struct topo_port *p = &node->ports[i];
		node->n_ports = i + 1;
		p->mark = yaml_mark(key);
		if (yaml_text(y, key, "a port", &s))
			return -EINVAL;
		if (strlen(s) >= sizeof p->ifname)
			return yaml_fail(y, key, "no port has a name longer than 15 letters");
		snprintf(p->ifname, sizeof p->ifname, "%s", s);
		if (read_port(y, val, p))
			return -EINVAL;
	}
	return 0;
}

/* --- where they belong --- */

/* The VLAN is one of the lab's. 0, or -EINVAL: there are too many. */
static int note_vid(struct topo *t, uint16_t vid, struct topo_mark at, struct lab_error *err)
{
	for (int i = 0; i < t->n_vids; i++)
		if (t->vids[i] == vid)
			return 0;
	if (t->n_vids == TOPO_VLANS_MAX)
		return topo_fail(err, t->file, at, "a lab has at most %d VLANs", TOPO_VLANS_MAX);
	t->vids[t->n_vids++] = vid;
	return 0;
}

static int note_vids(struct topo *t, struct lab_error *err)
{
	int rc = 0;
	for (int i = 0; i < t->n_nodes && !rc; i++) {
		const struct topo_node *n = &t->nodes[i];
		for (int k = 0; k < n->n_vlans && !rc; k++)
			rc = note_vid(t, n->vlans[k].vid, n->vlans[k].mark, err);
		for (int k = 0; k < n->n_ports && !rc; k++) {
			const struct topo_port *p = &n->ports[k];
			if (p->access)
				rc = note_vid(t, p->access, p->mark, err);
			for (int v = 0; v < p->n_vids && !rc; v++)
				rc = note_vid(t, p->vids[v], p->mark, err);
		}
		if (n->n_ports && n->n_ports < n->n_ends && !rc)
			rc = note_vid(t, VID_UNNAMED, n->mark, err);
	}
	return rc;
}

/* The node's link end of that name, of `len` letters; -1 after the sentence. */
static int end_of(const struct topo *t, const struct topo_node *n, const char *name, size_t len, struct topo_mark at, struct lab_error *err)
{
	for (int e = 0; e < n->n_ends; e++) {
		const char *is = t->ends[n->ends[e]].ifname;
		if (strlen(is) == len && memcmp(is, name, len) == 0)
			return n->ends[e];
	}
	topo_fail(err, t->file, at, "node '%s' has no interface '%.*s'", n->name, (int)len, name);
	return -1;
}

static void place_port(struct topo *t, struct topo_end *e, const struct topo_port *p)
{
	e->access = p ? p->access : VID_UNNAMED;
	e->tagged = 0;
	for (int v = 0; v < t->n_vids && p; v++) {
		bool is_tagged = p->has_all && t->vids[v] != p->access;
		for (int k = 0; k < p->n_vids; k++)
			is_tagged |= p->vids[k] == t->vids[v];
		e->tagged |= (uint64_t)is_tagged << v;
	}
}

static int place_ports(struct topo *t, const struct topo_node *n, struct lab_error *err)
{
	for (int e = 0; e < n->n_ends && n->n_ports; e++)
		place_port(t, &t->ends[n->ends[e]], NULL);
	for (int k = 0; k < n->n_ports; k++) {
		int e = end_of(t, n, n->ports[k].ifname, strlen(n->ports[k].ifname), n->ports[k].mark, err);
		if (e < 0)
			return -EINVAL;
		place_port(t, &t->ends[e], &n->ports[k]);
	}
	return 0;
}

/* The node's VLAN interfaces become ends, whose room is there. */
static int place_vlans(struct topo *t, int node, struct lab_error *err)
{
	struct topo_node *n = &t->nodes[node];
	int *more = n->n_vlans ? realloc(n->ends, (size_t)(n->n_ends + n->n_vlans) * sizeof *more) : NULL, n_links = n->n_ends;
	if (!n->n_vlans)
		return 0;
	if (!more)
		return topo_fail(err, t->file, n->mark, "no memory");
	n->ends = more;
	for (int k = 0; k < n->n_vlans; k++) {
		const struct topo_vlan *v = &n->vlans[k];
		int parent = end_of(t, n, v->ifname, (size_t)(strrchr(v->ifname, '.') - v->ifname), v->mark, err);
		if (parent < 0)
			return -EINVAL;
		struct topo_end *e = &t->ends[t->n_ends];
		*e = (struct topo_end){.node = node, .vlan = v->vid, .parent = parent, .domain = -1, .addr = v->addr, .asks_dhcp = v->asks_dhcp,
				       .mark = v->mark};
		snprintf(e->ifname, sizeof e->ifname, "%s", v->ifname);
		for (int o = 0; o < n_links; o++)
			if (strcmp(t->ends[n->ends[o]].ifname, v->ifname) == 0)
				return topo_fail(err, t->file, v->mark, "interface '%s' is a link's already", v->ifname);
		t->ends[parent].is_bare = !t->ends[parent].addr.set && !t->ends[parent].asks_dhcp && !n->address.set && !n->asks_dhcp;
		n->ends[n->n_ends++] = t->n_ends++;
	}
	return n->n_ends <= TOPO_IFACES_MAX ? 0 :
		topo_fail(err, t->file, n->mark, "node '%s' has more than %d interfaces", n->name, TOPO_IFACES_MAX);
}

int topo_vlan_place(struct topo *t, struct lab_error *err)
{
	int n = 0, rc = note_vids(t, err);
	for (int i = 0; i < t->n_nodes; i++)
		n += t->nodes[i].n_vlans;
	struct topo_end *more = n && !rc ? realloc(t->ends, (size_t)(t->n_ends + n + 1) * sizeof *more) : NULL;
	if (n && !rc && !more)
		return topo_fail(err, t->file, (struct topo_mark){0, 0}, "no memory");
	if (more)
		t->ends = more;
	for (int i = 0; i < t->n_nodes && !rc; i++) {
		rc = place_ports(t, &t->nodes[i], err);
		if (!rc)
			rc = place_vlans(t, i, err);
	}
	return rc;
}
