/* lab/inspect.c - what `via lab inspect` shows: nodes, interfaces, addresses, routes, drops, links, asked from the stacks. */
#include "lab/state.h"

static void put_addr(json_t *o, const char *key, const struct via_addr *a, int plen)
{
	char text[VIA_ADDR_STRLEN], full[VIA_ADDR_STRLEN + 12];
	via_addr_format(a, text);
	if (plen < 0)
		snprintf(full, sizeof full, "%s", text);
	else
		snprintf(full, sizeof full, "%s/%d", text, plen);
	json_object_set_new(o, key, json_string(full));
}

static void put_mac(json_t *o, const uint8_t mac[6])
{
	char text[18];
	snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	json_object_set_new(o, "mac", json_string(text));
}

static json_t *addresses_json(struct via *v, int ifindex)
{
	json_t *all = json_array();
	struct via_addr_info a = {.size = sizeof a};
	for (int i = 0; via_addr_get(v, i, &a); i++) {
		char text[VIA_ADDR_STRLEN], full[VIA_ADDR_STRLEN + 12];
		if (a.ifindex != ifindex)
			continue;
		snprintf(full, sizeof full, "%s/%u", via_addr_format(&a.addr, text), a.plen);
		json_array_append_new(all, json_string(full));
	}
	return all;
}

/* Those that came by themselves, by their prefix: how long they last yet. */
static json_t *lives_json(struct via *v, int ifindex)
{
	json_t *all = json_object();
	struct via_addr_info a = {.size = sizeof a};
	for (int i = 0; via_addr_get(v, i, &a); i++) {
		char text[VIA_ADDR_STRLEN], full[VIA_ADDR_STRLEN + 12];
		if (a.ifindex != ifindex || !a.autoconf)
			continue;
		snprintf(full, sizeof full, "%s/%u", via_addr_format(&a.addr, text), a.plen);
		json_object_set_new(all, full, json_pack("{s:I, s:I, s:b}", "valid_s", (json_int_t)a.valid_s, "preferred_s",
			(json_int_t)a.preferred_s, "deprecated", (int)a.deprecated));
	}
	return all;
}

static const char *iface_name(struct via *v, int ifindex, struct via_iface_info *f)
{
	f->size = sizeof *f;
	for (int i = 0; via_iface_get(v, i, f); i++)
		if (f->ifindex == ifindex)
			return f->name;
	return "";
}

static json_t *interfaces_json(struct via *v)
{
	json_t *all = json_array();
	struct via_iface_info f = {.size = sizeof f}, parent;
	for (int i = 0; via_iface_get(v, i, &f); i++) {
		json_t *o = json_pack("{s:s, s:i, s:I, s:b, s:o}", "name", f.name, "index", f.ifindex, "mtu", (json_int_t)f.mtu,
				      "up", (int)f.up, "addresses", addresses_json(v, f.ifindex));
		json_object_set_new(o, "lives", lives_json(v, f.ifindex));
		put_mac(o, f.mac);
		json_object_set_new(o, "rx_packets", json_integer((json_int_t)f.rx_packets));
		json_object_set_new(o, "rx_bytes", json_integer((json_int_t)f.rx_bytes));
		json_object_set_new(o, "tx_packets", json_integer((json_int_t)f.tx_packets));
		json_object_set_new(o, "tx_bytes", json_integer((json_int_t)f.tx_bytes));
		json_object_set_new(o, "rx_dropped", json_integer((json_int_t)f.rx_dropped));
		json_object_set_new(o, "tx_dropped", json_integer((json_int_t)f.tx_dropped));
		if (f.vlan)
			json_object_set_new(o, "vlan", json_pack("{s:i, s:s}", "id", f.vlan, "parent", iface_name(v, f.parent, &parent)));
		json_array_append_new(all, o);
	}
	return all;
}

static json_t *routes_json(struct via *v)
{
	json_t *all = json_array();
	struct via_route_info r = {.size = sizeof r};
	struct via_iface_info f;
	for (int i = 0; via_route_get(v, i, &r); i++) {
		json_t *o = json_object();
		put_addr(o, "to", &r.dst, r.plen);
		if (via_addr_is_any(&r.gateway))
			json_object_set_new(o, "via", json_null());
		else
			put_addr(o, "via", &r.gateway, -1);
		json_object_set_new(o, "interface", json_string(iface_name(v, r.ifindex, &f)));
		json_array_append_new(all, o);
	}
	return all;
}

static json_t *neighbours_json(struct via *v)
{
	static const char *const states[] = {[VIA_NEIGH_INCOMPLETE] = "INCOMPLETE", [VIA_NEIGH_REACHABLE] = "REACHABLE",
		[VIA_NEIGH_STALE] = "STALE", [VIA_NEIGH_DELAY] = "DELAY", [VIA_NEIGH_PROBE] = "PROBE", [VIA_NEIGH_PERMANENT] = "PERMANENT"};
	json_t *all = json_array();
	struct via_neigh_info n = {.size = sizeof n};
	struct via_iface_info f;
	for (int i = 0; via_neigh_get(v, i, &n); i++) {
		json_t *o = json_pack("{s:s, s:s}", "interface", iface_name(v, n.ifindex, &f), "state", states[n.state]);
		put_addr(o, "address", &n.addr, -1);
		if (n.state != VIA_NEIGH_INCOMPLETE)
			put_mac(o, n.mac);
		json_array_append_new(all, o);
	}
	return all;
}

/* The next drop counter of v that is not 0, from *at on: its name without "drop.", or NULL at the end. */
static const char *next_drop(struct via *v, int *at, uint64_t *count)
{
	static const char prefix[] = "drop.";
	const char *name;
	while (via_counter_get(v, (*at)++, &name, count))
		if (*count && strncmp(name, prefix, strlen(prefix)) == 0)
			return name + strlen(prefix);
	return NULL;
}

/* The same of a node, which may be a switch. */
static const char *next_node_drop(const struct lab_node *n, int *at, uint64_t *count)
{
	if (n->stack)
		return next_drop(n->stack, at, count);
	for (int d = (*at)++; n->sw && d < DROP_COUNT; d = (*at)++)
		if ((*count = lab_switch_drops(n->sw)[d]) != 0)
			return drop_name((enum drop)d);
	return NULL;
}

static json_t *drops_json(const struct lab_node *n)
{
	json_t *o = json_object();
	const char *name;
	uint64_t count;
	for (int at = 0; (name = next_node_drop(n, &at, &count));)
		json_object_set_new(o, name, json_integer((json_int_t)count));
	return o;
}

json_t *lab_drops(struct lab *l)
{
	json_t *all = json_array();
	const char *name;
	uint64_t count;
	for (int i = 0; i < l->topo->n_nodes; i++)
		for (int at = 0; (name = next_node_drop(&l->nodes[i], &at, &count));)
			json_array_append_new(all, json_pack("{s:s, s:s, s:I}", "node", l->nodes[i].t->name, "name", name,
				"count", (json_int_t)count));
	return all;
}

const char *lab_drop_text(const char *name)
{
	for (int d = 0; d < DROP_COUNT; d++)
		if (strcmp(drop_name((enum drop)d), name) == 0)
			return drop_text((enum drop)d);
	return "";
}

static json_t *services_json(const struct topo_node *t)
{
	json_t *all = json_array();
	for (int i = 0; i < t->n_services; i++) {
		json_t *o = json_pack("{s:s, s:i}", "name", topo_service_names[t->services[i].kind], "port", (int)t->services[i].port);
		if (t->services[i].root)
			json_object_set_new(o, "root", json_string(t->services[i].root));
		json_array_append_new(all, o);
	}
	return all;
}

static json_t *node_json(const struct lab_node *n)
{
	static const char *const kinds[] = {[TOPO_HOST] = "host", [TOPO_ROUTER] = "router", [TOPO_SWITCH] = "switch", [TOPO_TAP] = "tap",
		[TOPO_WAN] = "wan"};
	json_t *o = json_pack("{s:s, s:s}", "name", n->t->name, "kind", kinds[n->t->kind]);
	if (n->t->kind == TOPO_TAP)
		json_object_set_new(o, "tap", json_string(n->t->tap));
	json_object_set_new(o, "interfaces", n->stack ? interfaces_json(n->stack) : json_array());
	json_object_set_new(o, "routes", n->stack ? routes_json(n->stack) : json_array());
	json_object_set_new(o, "neighbours", n->stack ? neighbours_json(n->stack) : json_array());
	json_object_set_new(o, "services", services_json(n->t));
	json_object_set_new(o, "drops", drops_json(n));
	return o;
}

/* Parts per 10^9 as a percentage with the digits it needs. */
static const char *share_text(uint32_t ppb, char text[24])
{
	int n = snprintf(text, 24, "%u.%07u", ppb / 10000000, ppb % 10000000);
	while (text[n - 1] == '0')
		text[--n] = 0;
	if (text[n - 1] == '.')
		text[--n] = 0;
	snprintf(text + n, 24 - (size_t)n, "%%");
	return text;
}

static json_t *share_json(uint32_t ppb)
{
	char text[24];
	return json_string(share_text(ppb, text));
}

/* As the topology file has it. */
static json_t *gemodel_json(const struct lab_gemodel *ge)
{
	char a[24], b[24], c[24], d[24];
	return json_sprintf("gemodel %s %s %s %s", share_text(ge->p_ppb, a), share_text(ge->r_ppb, b), share_text(ge->bad_ppb, c),
		share_text(ge->good_ppb, d));
}

static json_t *impair_json(const struct lab_impair *i)
{
	json_t *o = json_object();
	const struct {
		const char *name;
		uint32_t ppb;
	} shares[] = {{"loss", i->loss_ppb}, {"reorder", i->reorder_ppb}, {"duplicate", i->duplicate_ppb}, {"corrupt", i->corrupt_ppb}};
	json_object_set_new(o, "delay_ns", json_integer(i->delay_ns));
	json_object_set_new(o, "jitter_ns", json_integer(i->jitter_ns));
	for (size_t k = 0; k < ARRAY_LEN(shares); k++)
		json_object_set_new(o, shares[k].name, share_json(shares[k].ppb));
	if (i->ge.p_ppb)
		json_object_set_new(o, "loss", gemodel_json(&i->ge));
	if (i->mangle_ppb)
		json_object_set_new(o, "mangle", share_json(i->mangle_ppb));
	if (i->police_bps)
		json_object_set_new(o, "police_bps", json_integer((json_int_t)i->police_bps));
	json_object_set_new(o, "rate_bps", json_integer((json_int_t)i->rate_bps));
	json_object_set_new(o, "limit", json_integer(i->limit ? i->limit : LINK_LIMIT_DEFAULT));
	return o;
}

static json_t *link_json(const struct lab_link_stats *st, const struct topo_link *t)
{
	json_t *o = json_pack("{s:s, s:s, s:I, s:o}", "from", st->from, "to", st->to, "mtu", (json_int_t)t->mtu, "impairments",
		impair_json(&st->impair));
	const struct {
		const char *name;
		uint64_t value;
	} v[] = {{"sent", st->sent}, {"bytes", st->bytes}, {"lost", st->lost}, {"limited", st->limited}, {"reordered", st->reordered},
		{"duplicated", st->duplicated},
		{"corrupted", st->corrupted}, {"delivered", st->delivered}, {"too_long", st->too_long}, {"cut", st->cut}};
	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		json_object_set_new(o, v[i].name, json_integer((json_int_t)v[i].value));
	json_object_set_new(o, "up", json_boolean(!t->is_down));
	return o;
}

json_t *lab_inspect(struct lab *l)
{
	json_t *nodes = json_array(), *links = json_array();
	for (int i = 0; i < l->topo->n_nodes; i++)
		json_array_append_new(nodes, node_json(&l->nodes[i]));
	for (int i = 0; i < 2 * l->topo->n_links; i++)
		json_array_append_new(links, link_json(&l->links[i / 2].dir[i % 2].st, &l->topo->links[i / 2]));
	return json_pack("{s:s, s:I, s:I, s:o, s:o}", "name", l->topo->name, "seed", (json_int_t)l->seed, "now_ns", (json_int_t)l->env.now,
			 "nodes", nodes, "links", links);
}
