/* lab/topo_yaml.c - the schema of a topology file: name, seed, nodes and links in containerlab's shape; doc/lab.md is its
 * reference. Every mistake is one sentence with line and column. */
#include "lab/yaml.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>

enum { NAME_MAX_BYTES = 31, IFNAME_MAX_BYTES = 15 };

static bool is_host_name(const char *s)
{
	size_t n = strlen(s);
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && (s[i] != '-' || i == 0 || i == n - 1))
			return false;
	return n > 0 && n <= NAME_MAX_BYTES;
}

static bool is_iface_name(const char *s)
{
	size_t n = strlen(s);
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr("._-", s[i]))
			return false;
	return n > 0 && n <= IFNAME_MAX_BYTES;
}

/* --- nodes --- */

static int read_kind(struct yaml_tree *y, const ynode *n, enum topo_kind *kind)
{
	static const char *const kinds[] = {[TOPO_HOST] = "host", [TOPO_ROUTER] = "router", [TOPO_SWITCH] = "switch", [TOPO_TAP] = "tap",
		[TOPO_WAN] = "wan", NULL};
	static const char *const later[] = {"netns", NULL};
	const char *s, *near;
	if (yaml_text(y, n, "kind", &s))
		return -EINVAL;
	for (int i = 0; kinds[i]; i++)
		if (strcmp(s, kinds[i]) == 0) {
			*kind = (enum topo_kind)i;
			return 0;
		}
	for (int i = 0; later[i]; i++)
		if (strcmp(s, later[i]) == 0)
			return yaml_fail(y, n, "kind '%s' comes with a later version; today's kinds are host, router, switch, tap and wan", s);
	if (strcmp(s, "nat") == 0)
		return yaml_fail(y, n, "a NAT is a router with the key 'nat', the interface that it hides behind: {kind: router, nat: eth2}");
	near = nearest_word(s, kinds);
	return near ? yaml_fail(y, n, "unknown kind '%s', did you mean '%s'?", s, near)
		    : yaml_fail(y, n, "unknown kind '%s'; kinds are host, router, switch, tap and wan", s);
}

static int read_route(struct yaml_tree *y, const ynode *n, struct topo_route *r)
{
	static const char *const keys[] = {"to", "via", NULL};
	struct yaml_map m;
	const char *s;
	if (yaml_map_read(y, n, "a route", keys, &m))
		return -EINVAL;
	if (!m.val[0] || !m.val[1])
		return yaml_fail(y, n, "a route needs 'to' (a prefix or default) and 'via' (a router's address)");
	r->mark = yaml_mark(n);
	if (yaml_text(y, m.val[0], "to", &s))
		return -EINVAL;
	bool is_default = strcmp(s, "default") == 0;
	if ((!is_default && yaml_net(y, m.val[0], "to", &r->to, &r->plen)) || yaml_addr(y, m.val[1], "via", &r->via))
		return -EINVAL;
	bool is_v4 = via_addr_is_v4(&r->via);
	if (is_default)
		r->to = is_v4 ? via_addr_v4(0) : (struct via_addr){.scope = 0};
	return via_addr_is_v4(&r->to) == is_v4 ? 0 : yaml_fail(y, n, "'to' and 'via' of a route are addresses of one family");
}

static int read_routes(struct yaml_tree *y, const ynode *n, struct topo_node *node)
{
	const ynode *item;
	if (!yaml_is_list(n))
		return yaml_fail(y, n, "routes is a list of {to: PREFIX, via: ADDRESS}");
	for (int i = 0; (item = yaml_item(y, n, i)); i++) {
		struct topo_route *more = realloc(node->routes, (size_t)(i + 1) * sizeof *more);
		if (!more)
			return yaml_fail(y, n, "no memory");
		node->routes = more;
		memset(&more[i], 0, sizeof more[i]);
		node->n_routes = i + 1;
		if (read_route(y, item, &more[i]))
			return -EINVAL;
	}
	return 0;
}

/* A service's folder: relative paths count from the topology's file. */
static int read_folder(struct yaml_tree *y, const ynode *n, struct topo_service *s)
{
	const char *root, *slash = strrchr(y->file, '/');
	if (yaml_text(y, n, "the folder", &root))
		return -EINVAL;
	if (asprintf(&s->root, "%.*s%s", *root != '/' && slash ? (int)(slash - y->file) + 1 : 0, y->file, root) < 0) {
		s->root = NULL;
		return yaml_fail(y, n, "no memory");
	}
	return 0;
}

static int read_root(struct yaml_tree *y, const ynode *n, struct topo_service *s)
{
	struct stat st;
	if (read_folder(y, n, s))
		return -EINVAL;
	if (stat(s->root, &st) || !S_ISDIR(st.st_mode))
		return yaml_fail(y, n, "root '%s' is not a folder", s->root);
	return 0;
}

static const uint16_t service_ports[] = {[TOPO_HTTP] = 80, [TOPO_ECHO] = 7, [TOPO_DNS] = 53, [TOPO_SMTP] = 25,
	[TOPO_DHCP] = 67};

static int read_service(struct yaml_tree *y, const ynode *n, const char *node, struct topo_service *s)
{
	static const char *const keys[][6] = {[TOPO_HTTP] = {"port", "root"}, [TOPO_ECHO] = {"port"},
		[TOPO_DNS] = {"port", "forward", "records"},
		[TOPO_SMTP] = {"port", "maildir", "domains", "mailboxes", "size"}};
	struct yaml_map m;
	uint64_t port = service_ports[s->kind];
	s->mark = yaml_mark(n);
	s->port = (uint16_t)port;
	if (s->kind == TOPO_DHCP)
		return topo_dhcp_read(y, n, &s->dhcp);
	if (yaml_map_read(y, n, "a service", keys[s->kind], &m))
		return -EINVAL;
	if (m.val[0] && yaml_uint(y, m.val[0], "port", 1, 65535, &port))
		return -EINVAL;
	s->port = (uint16_t)port;
	if (s->kind == TOPO_HTTP)
		return m.val[1] ? read_root(y, m.val[1], s) : yaml_fail(y, n, "an http service needs 'root', the folder it serves");
	if (s->kind == TOPO_DNS)
		return topo_dns_read(y, m.val[1], m.val[2], s);
	if (s->kind != TOPO_SMTP)
		return 0;
	if (!m.val[1])
		return yaml_fail(y, n, "an smtp service needs 'maildir', the folder of its mailboxes");
	return read_folder(y, m.val[1], s) ? -EINVAL : topo_smtp_read(y, n, &m.val[2], node, s);
}

static int read_services(struct yaml_tree *y, const ynode *n, struct topo_node *node)
{
	const char *const *keys = topo_service_names;
	struct yaml_map m;
	if (yaml_map_read(y, n, "services", keys, &m))
		return -EINVAL;
	node->services = calloc(YAML_KEYS_MAX, sizeof *node->services);
	if (!node->services)
		return yaml_fail(y, n, "no memory");
	for (int i = 0; keys[i]; i++) {
		if (!m.val[i])
			continue;
		struct topo_service *s = &node->services[node->n_services++];
		s->kind = (enum topo_service_kind)i;
		if (read_service(y, m.val[i], node->name, s))
			return -EINVAL;
		for (struct topo_service *o = node->services; o < s; o++)
			if (o->port == s->port)
				return yaml_fail(y, m.val[i], "services '%s' and '%s' of one node cannot share port %u", keys[o->kind], keys[i], s->port);
	}
	return 0;
}

enum { NODE_KIND, NODE_ADDRESS, NODE_MTU, NODE_ROUTES, NODE_SERVICES, NODE_TAP, NODE_LOOPBACK, NODE_DNS, NODE_TCP, NODE_UDP, NODE_ICMP,
	NODE_SYSCTL, NODE_NAT, NODE_FILTER, NODE_VLANS, NODE_PORTS };
static const char *const node_keys[] = {[NODE_KIND] = "kind", [NODE_ADDRESS] = "address", [NODE_MTU] = "mtu",
	[NODE_ROUTES] = "routes", [NODE_SERVICES] = "services", [NODE_TAP] = "tap",
	[NODE_LOOPBACK] = "loopback", [NODE_DNS] = "dns", [NODE_TCP] = "tcp", [NODE_UDP] = "udp",
	[NODE_ICMP] = "icmp", [NODE_SYSCTL] = "sysctl", [NODE_NAT] = "nat", [NODE_FILTER] = "filter",
	[NODE_VLANS] = "vlans", [NODE_PORTS] = "ports", NULL};

#define NODE_OF_WAN (1u << NODE_LOOPBACK | 1u << NODE_DNS | 1u << NODE_TCP | 1u << NODE_UDP)

int topo_read_address(struct yaml_tree *y, const ynode *n, const char *what, enum topo_kind kind, struct topo_prefix *p, bool *asks_dhcp)
{
	const char *s;
	if (yaml_text(y, n, what, &s))
		return -EINVAL;
	*asks_dhcp = strcmp(s, "dhcp") == 0;
	if (!*asks_dhcp)
		return yaml_prefix(y, n, what, p);
	return kind == TOPO_HOST || kind == TOPO_ROUTER ? 0 : yaml_fail(y, n, "only hosts and routers ask for an address by DHCP");
}

/* Keys that mean nothing for the node's kind. */
static int check_node_keys(struct yaml_tree *y, const struct topo_node *node, const struct yaml_map *m)
{
	static const unsigned fits[] = {
		[TOPO_HOST] = ~(1u << NODE_TAP | 1u << NODE_NAT | 1u << NODE_PORTS | NODE_OF_WAN),
		[TOPO_ROUTER] = ~(1u << NODE_TAP | 1u << NODE_PORTS | NODE_OF_WAN),
		[TOPO_SWITCH] = 1u << NODE_KIND | 1u << NODE_MTU | 1u << NODE_PORTS,
		[TOPO_TAP] = 1u << NODE_KIND | 1u << NODE_MTU | 1u << NODE_TAP | 1u << NODE_ADDRESS,
		[TOPO_WAN] = 1u << NODE_KIND | 1u << NODE_MTU | 1u << NODE_ADDRESS | 1u << NODE_ROUTES | NODE_OF_WAN,
	};
	static const char *const kinds[] = {[TOPO_HOST] = "host", [TOPO_ROUTER] = "router", [TOPO_SWITCH] = "switch", [TOPO_TAP] = "tap node",
		[TOPO_WAN] = "wan node"};
	for (int i = 0; node_keys[i]; i++)
		if (m->val[i] && !(fits[node->kind] >> i & 1))
			return yaml_fail(y, m->val[i], "a %s has no '%s'", kinds[node->kind], node_keys[i]);
	return 0;
}

static int read_node(struct yaml_tree *y, const ynode *key, const ynode *n, struct topo_node *node)
{
	struct yaml_map m;
	const char *s;
	uint64_t mtu = 0;
	if (yaml_map_read(y, n, "a node", node_keys, &m))
		return -EINVAL;
	if (!m.val[NODE_KIND])
		return yaml_fail(y, key, "node '%s' has no kind (host, router, switch, tap or wan)", node->name);
	if (read_kind(y, m.val[NODE_KIND], &node->kind) || check_node_keys(y, node, &m))
		return -EINVAL;
	if (m.val[NODE_ADDRESS]) {
		node->address_mark = yaml_mark(m.val[NODE_ADDRESS]);
		if (topo_read_address(y, m.val[NODE_ADDRESS], "address", node->kind, &node->address, &node->asks_dhcp))
			return -EINVAL;
	}
	if (m.val[NODE_MTU] && yaml_uint(y, m.val[NODE_MTU], "mtu", 68, 65535, &mtu))
		return -EINVAL;
	node->mtu = (uint32_t)mtu;
	if (m.val[NODE_ROUTES] && read_routes(y, m.val[NODE_ROUTES], node))
		return -EINVAL;
	if (m.val[NODE_ICMP] && topo_icmp(y, m.val[NODE_ICMP], node))
		return -EINVAL;
	if (m.val[NODE_SYSCTL] && topo_sysctls(y, m.val[NODE_SYSCTL], node))
		return -EINVAL;
	if (m.val[NODE_NAT] && topo_nat_read(y, m.val[NODE_NAT], node))
		return -EINVAL;
	if (m.val[NODE_FILTER] && topo_filter_read(y, m.val[NODE_FILTER], node))
		return -EINVAL;
	if (m.val[NODE_VLANS] && topo_vlans_read(y, m.val[NODE_VLANS], node))
		return -EINVAL;
	if (m.val[NODE_PORTS] && topo_ports_read(y, m.val[NODE_PORTS], node))
		return -EINVAL;
	if (m.val[NODE_SERVICES] && read_services(y, m.val[NODE_SERVICES], node))
		return -EINVAL;
	if (node->kind == TOPO_WAN)
		return topo_wan_read(y, (const ynode *const[4]){m.val[NODE_LOOPBACK], m.val[NODE_DNS], m.val[NODE_TCP], m.val[NODE_UDP]},
				     &node->wan);
	if (node->kind != TOPO_TAP)
		return 0;
	if (!m.val[NODE_TAP])
		return yaml_fail(y, key, "tap node '%s' needs 'tap', the name of the interface", node->name);
	if (yaml_text(y, m.val[NODE_TAP], "tap", &s))
		return -EINVAL;
	if (!is_iface_name(s))
		return yaml_fail(y, m.val[NODE_TAP], "'%s' is no interface name (at most %d letters, digits, '.', '_' or '-')", s,
			IFNAME_MAX_BYTES);
	snprintf(node->tap, sizeof node->tap, "%s", s);
	return 0;
}

static int read_nodes(struct yaml_tree *y, const ynode *n, struct topo *t)
{
	const ynode *key, *val;
	const char *s;
	if (!yaml_is_map(n))
		return yaml_fail(y, n, "nodes is a mapping of names to nodes");
	size_t cap = (size_t)(n->data.mapping.pairs.top - n->data.mapping.pairs.start);
	if (cap == 0 || cap > TOPO_NODES_MAX)
		return yaml_fail(y, n, cap ? "more than %d nodes" : "a topology needs a node (at most %d)", TOPO_NODES_MAX);
	t->nodes = calloc(cap, sizeof *t->nodes);
	if (!t->nodes)
		return yaml_fail(y, n, "no memory");
	for (int i = 0; yaml_pair(y, n, i, &key, &val); i++) {
		struct topo_node *node = &t->nodes[i];
		if (yaml_text(y, key, "a node's name", &s))
			return -EINVAL;
		if (!is_host_name(s))
			return yaml_fail(y, key, "'%s' cannot be a node's name (at most %d letters, digits and '-')", s, NAME_MAX_BYTES);
		if (topo_node_find(t, s) >= 0)
			return yaml_fail(y, key, "node '%s' is defined twice", s);
		node->name = strdup(s);
		t->n_nodes = i + (node->name != NULL);
		if (!node->name || topo_name_add(t, i))
			return yaml_fail(y, key, "no memory");
		node->mark = yaml_mark(key);
		if (read_node(y, key, val, node))
			return -EINVAL;
	}
	return 0;
}

/* --- links --- */

enum { IMP_DELAY, IMP_JITTER, IMP_LOSS, IMP_REORDER, IMP_DUPLICATE, IMP_CORRUPT, IMP_MANGLE, IMP_RATE, IMP_LIMIT, IMP_POLICE, IMP_BURST,
	IMP_AB, IMP_BA, IMP_MTU };
static const char *const impair_keys[] = {"delay", "jitter", "loss", "reorder", "duplicate", "corrupt", "mangle", "rate", "limit",
	"police", "burst", "a-to-b", "b-to-a", "mtu" /* a common slip */, NULL};

/* A share, or "gemodel P R 1-H 1-K" with netem's defaults: R = 1 - P, 1-H = 100%, 1-K = 0%. */
static int read_loss(struct yaml_tree *y, const ynode *n, struct lab_impair *i)
{
	uint32_t v[4] = {0, UINT32_MAX, 1000000000, 0};
	const char *s;
	i->loss_ppb = 0;
	i->ge = (struct lab_gemodel){0};
	if (yaml_text(y, n, "loss", &s))
		return -EINVAL;
	if (strncmp(s, "gemodel", 7) != 0)
		return yaml_share(y, n, "loss", &i->loss_ppb);
	if (yaml_shares(y, n, "loss", "gemodel", v, 4))
		return -EINVAL;
	i->ge = (struct lab_gemodel){v[0], v[1] == UINT32_MAX ? 1000000000 - v[0] : v[1], v[2], v[3]};
	return 0;
}

static int read_police(struct yaml_tree *y, const struct yaml_map *m, struct lab_impair *i)
{
	uint64_t burst = i->burst;
	if (m->val[IMP_POLICE] && yaml_rate(y, m->val[IMP_POLICE], "police", &i->police_bps))
		return -EINVAL;
	if (m->val[IMP_BURST] && yaml_uint(y, m->val[IMP_BURST], "burst", 1600, 1000000000, &burst))
		return -EINVAL;
	i->burst = (uint32_t)burst;
	if (i->burst && !i->police_bps)
		return yaml_fail(y, m->val[IMP_BURST], "burst is what a policer lets pass at once; it needs 'police', a rate");
	return 0;
}

/* The plain keys, over what *i holds already. */
static int read_impair(struct yaml_tree *y, const ynode *n, const struct yaml_map *m, struct lab_impair *i)
{
	uint64_t limit;
	if (m->val[IMP_MTU])
		return yaml_fail(y, m->val[IMP_MTU], "mtu belongs to the link, beside 'impairments'");
	if ((m->val[IMP_DELAY] && yaml_time(y, m->val[IMP_DELAY], "delay", &i->delay_ns)) ||
	    (m->val[IMP_JITTER] && yaml_time(y, m->val[IMP_JITTER], "jitter", &i->jitter_ns)) ||
	    (m->val[IMP_LOSS] && read_loss(y, m->val[IMP_LOSS], i)) ||
	    (m->val[IMP_REORDER] && yaml_share(y, m->val[IMP_REORDER], "reorder", &i->reorder_ppb)) ||
	    (m->val[IMP_DUPLICATE] && yaml_share(y, m->val[IMP_DUPLICATE], "duplicate", &i->duplicate_ppb)) ||
	    (m->val[IMP_CORRUPT] && yaml_share(y, m->val[IMP_CORRUPT], "corrupt", &i->corrupt_ppb)) ||
	    (m->val[IMP_MANGLE] && yaml_share(y, m->val[IMP_MANGLE], "mangle", &i->mangle_ppb)) ||
	    (m->val[IMP_RATE] && yaml_rate(y, m->val[IMP_RATE], "rate", &i->rate_bps)) || read_police(y, m, i))
		return -EINVAL;
	if (m->val[IMP_LIMIT]) {
		if (yaml_uint(y, m->val[IMP_LIMIT], "limit", 1, 1000000, &limit))
			return -EINVAL;
		i->limit = (uint32_t)limit;
	}
	if (i->reorder_ppb && !i->delay_ns)
		return yaml_fail(y, m->val[IMP_REORDER] ? m->val[IMP_REORDER] : n,
			"reorder needs a delay: a packet overtakes those that are delayed");
	return 0;
}

int topo_impair(struct yaml_tree *y, const ynode *n, struct lab_impair *i)
{
	struct yaml_map m;
	if (yaml_map_read(y, n, "impairments", impair_keys, &m))
		return -EINVAL;
	for (int k = IMP_AB; k <= IMP_BA; k++)
		if (m.val[k])
			return yaml_fail(y, m.val[k], "'%s' belongs into a file", impair_keys[k]);
	return read_impair(y, n, &m, i);
}

static int read_impairments(struct yaml_tree *y, const ynode *n, struct topo_link *l)
{
	struct yaml_map m, side;
	struct lab_impair both = {0};
	if (yaml_map_read(y, n, "impairments", impair_keys, &m) || read_impair(y, n, &m, &both))
		return -EINVAL;
	for (int s = 0; s < 2; s++) {
		const ynode *v = m.val[IMP_AB + s];
		l->impair[s] = both;
		if (!v)
			continue;
		if (yaml_map_read(y, v, impair_keys[IMP_AB + s], impair_keys, &side))
			return -EINVAL;
		for (int k = IMP_AB; k <= IMP_BA; k++)
			if (side.val[k])
				return yaml_fail(y, side.val[k], "'%s' cannot stand inside '%s'", impair_keys[k], impair_keys[IMP_AB + s]);
		if (read_impair(y, v, &side, &l->impair[s]))
			return -EINVAL;
	}
	return 0;
}

/* The node name nearest to `name`, or NULL. */
static const char *nearest_node(const struct topo *t, const char *name)
{
	const char *best = NULL;
	unsigned len = (unsigned)strlen(name), limit = MIN(MAX(len / 3, 1u), len ? len - 1 : 0); /* a letter stays the same */
	for (int i = 0; i < t->n_nodes && limit; i++) {
		unsigned d = nearest_distance(name, t->nodes[i].name, limit);
		if (d <= limit) {
			best = t->nodes[i].name;
			limit = d - 1;
		}
	}
	return best;
}

static int read_endpoint(struct yaml_tree *y, const ynode *n, struct topo *t, int index)
{
	struct topo_end *e = &t->ends[index];
	const char *s, *colon, *near;
	char name[NAME_MAX_BYTES + 2];
	if (yaml_text(y, n, "an endpoint", &s))
		return -EINVAL;
	colon = strchr(s, ':');
	if (!colon || colon == s || !is_iface_name(colon + 1))
		return yaml_fail(y, n, "endpoint '%s' must be NODE:INTERFACE, such as r1:eth1", s);
	snprintf(name, sizeof name, "%.*s", (int)MIN(colon - s, NAME_MAX_BYTES + 1), s);
	if (strcmp(colon + 1, "lo") == 0)
		return yaml_fail(y, n, "'lo' is the loopback interface; no link ends there");
	e->node = topo_node_find(t, name);
	if (e->node < 0) {
		near = nearest_node(t, name);
		return near ? yaml_fail(y, n, "endpoint '%s' names no node, did you mean '%s'?", s, near)
			    : yaml_fail(y, n, "endpoint '%s' names no node", s);
	}
	e->mark = yaml_mark(n);
	snprintf(e->ifname, sizeof e->ifname, "%s", colon + 1);
	struct topo_node *node = &t->nodes[e->node];
	for (int i = 0; i < node->n_ends; i++)
		if (strcmp(t->ends[node->ends[i]].ifname, e->ifname) == 0)
			return yaml_fail(y, n, "interface '%s' is used by two links", s);
	if ((node->n_ends & (node->n_ends + 1)) == 0) { /* grows by doubling */
		int *more = realloc(node->ends, (size_t)(2 * node->n_ends + 2) * sizeof *more);
		if (!more)
			return yaml_fail(y, n, "no memory");
		node->ends = more;
	}
	node->ends[node->n_ends++] = index;
	return 0;
}

enum { LINK_ENDPOINTS, LINK_IPV4, LINK_IPV6, LINK_SUBNET, LINK_MTU, LINK_IMPAIRMENTS };
static const char *const link_keys[] = {"endpoints", "ipv4", "ipv6", "subnet", "mtu", "impairments", NULL};

static int read_link_ipv4(struct yaml_tree *y, const ynode *n, struct topo *t, int link)
{
	const ynode *item[3] = {NULL};
	if (yaml_is_list(n))
		for (int i = 0; i < 3; i++)
			item[i] = i && !item[i - 1] ? NULL : yaml_item(y, n, i);
	if (!item[1] || item[2])
		return yaml_fail(y, n, "ipv4 is a list of two addresses, one per endpoint (~ for none, or dhcp)");
	for (int s = 0; s < 2; s++) {
		struct topo_end *e = &t->ends[2 * link + s];
		if (yaml_is_null(item[s]))
			continue;
		if (t->nodes[e->node].kind == TOPO_SWITCH)
			return yaml_fail(y, item[s], "the port of a switch has no address; write ~");
		e->mark = yaml_mark(item[s]);
		if (topo_read_address(y, item[s], "ipv4", t->nodes[e->node].kind, &e->addr, &e->asks_dhcp))
			return -EINVAL;
	}
	return 0;
}

static int read_link(struct yaml_tree *y, const ynode *n, struct topo *t, int link)
{
	struct topo_link *l = &t->links[link];
	struct yaml_map m;
	uint64_t mtu = 0;
	l->mark = yaml_mark(n);
	if (yaml_map_read(y, n, "a link", link_keys, &m))
		return -EINVAL;
	const ynode *ends = m.val[LINK_ENDPOINTS];
	if (!ends)
		return yaml_fail(y, n, "a link needs 'endpoints', such as [\"r1:eth1\", \"h1:eth1\"]");
	if (!yaml_is_list(ends) || !yaml_item(y, ends, 0) || !yaml_item(y, ends, 1) || yaml_item(y, ends, 2))
		return yaml_fail(y, ends, "endpoints is a list of two, such as [\"r1:eth1\", \"h1:eth1\"]");
	for (int s = 0; s < 2; s++)
		if (read_endpoint(y, yaml_item(y, ends, s), t, 2 * link + s))
			return -EINVAL;
	if (t->ends[2 * link].node == t->ends[2 * link + 1].node)
		return yaml_fail(y, ends, "a link joins two different nodes");
	if (m.val[LINK_IPV4] && read_link_ipv4(y, m.val[LINK_IPV4], t, link))
		return -EINVAL;
	if (m.val[LINK_IPV6] && topo_ip6_read_link(y, m.val[LINK_IPV6], t, link))
		return -EINVAL;
	if (m.val[LINK_SUBNET]) {
		if (yaml_prefix(y, m.val[LINK_SUBNET], "subnet", &l->subnet))
			return -EINVAL;
		if (l->subnet.plen < 8 || l->subnet.plen > 30)
			return yaml_fail(y, m.val[LINK_SUBNET], "the prefix length of a subnet is from 8 to 30");
	}
	if (m.val[LINK_MTU] && yaml_uint(y, m.val[LINK_MTU], "mtu", 68, 65535, &mtu))
		return -EINVAL;
	for (int i = 0; i < 2; i++) {
		uint32_t node_mtu = t->nodes[t->ends[2 * link + i].node].mtu;
		if (node_mtu)
			mtu = mtu ? MIN(mtu, node_mtu) : node_mtu;
	}
	l->mtu = mtu ? (uint32_t)mtu : 1500;
	return m.val[LINK_IMPAIRMENTS] ? read_impairments(y, m.val[LINK_IMPAIRMENTS], l) : 0;
}

static int read_links(struct yaml_tree *y, const ynode *n, struct topo *t)
{
	const ynode *item;
	if (yaml_is_null(n))
		return 0;
	if (!yaml_is_list(n))
		return yaml_fail(y, n, "links is a list of links, each with 'endpoints'");
	size_t cap = (size_t)(n->data.sequence.items.top - n->data.sequence.items.start);
	t->links = calloc(cap + 1, sizeof *t->links);
	t->ends = calloc(2 * cap + 1, sizeof *t->ends);
	if (!t->links || !t->ends)
		return yaml_fail(y, n, "no memory");
	for (int i = 0; (item = yaml_item(y, n, i)); i++) {
		t->n_links = i + 1;
		t->ends[2 * i].domain = t->ends[2 * i + 1].domain = -1;
		if (read_link(y, item, t, i))
			return -EINVAL;
	}
	return 0;
}

/* --- the file --- */

static int read_topology(struct yaml_tree *y, const ynode *root, struct topo *t)
{
	static const char *const keys[] = {"name", "seed", "topology", "ipv6", NULL}, *const parts[] = {"nodes", "links", NULL};
	struct yaml_map m, topology;
	const char *s;
	if (yaml_map_read(y, root, "the file", keys, &m))
		return -EINVAL;
	if (!m.val[0])
		return yaml_fail(y, root, "the file has no 'name'");
	if (yaml_text(y, m.val[0], "name", &s))
		return -EINVAL;
	if (!is_host_name(s))
		return yaml_fail(y, m.val[0], "'%s' cannot be a lab's name (at most %d letters, digits and '-')", s, NAME_MAX_BYTES);
	t->name = strdup(s);
	t->has_seed = m.val[1] != NULL;
	if (t->has_seed && yaml_uint(y, m.val[1], "seed", 0, UINT64_MAX, &t->seed))
		return -EINVAL;
	if (m.val[3] && topo_ip6_read(y, m.val[3], t))
		return -EINVAL;
	if (!m.val[2])
		return yaml_fail(y, root, "the file has no 'topology'");
	if (yaml_map_read(y, m.val[2], "topology", parts, &topology))
		return -EINVAL;
	if (!topology.val[0])
		return yaml_fail(y, m.val[2], "the topology has no 'nodes'");
	if (read_nodes(y, topology.val[0], t))
		return -EINVAL;
	int rc = topology.val[1] ? read_links(y, topology.val[1], t) : 0;
	t->n_ends = 2 * t->n_links;
	return rc;
}

struct topo *topo_parse(const char *text, size_t len, const char *file, struct lab_error *err)
{
	struct yaml_tree y;
	struct topo *t = calloc(1, sizeof *t);
	memset(err, 0, sizeof *err);
	if (!t || !(t->file = strdup(file))) {
		topo_fail(err, file, (struct topo_mark){0, 0}, "no memory");
		topo_free(t);
		return NULL;
	}
	if (yaml_tree_load(&y, text, len, file, err)) {
		topo_free(t);
		return NULL;
	}
	int rc = read_topology(&y, yaml_document_get_root_node(&y.doc), t);
	yaml_tree_free(&y);
	if (rc || topo_address(t, err)) {
		topo_free(t);
		return NULL;
	}
	return t;
}
