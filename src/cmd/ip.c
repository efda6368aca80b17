/* cmd/ip.c - `via link`, `addr`, `route`, `neigh`: a node's interfaces, addresses, routes and neighbours as iproute2's ip prints the
 * kernel's; -j as `ip -j`, so that scripts need not learn anew. Only showing: a lab is configured by its file and `via lab link`. */
#include "cmd/ask.h"
#include "cmd/cmd.h"
#include "cmd/lab_host.h"
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>

enum { IP_STATISTICS, IP_TOPOLOGY, IP_SHAPE };
static const struct cmd_option options[] = {
	[IP_STATISTICS] = {'s', "statistics", NULL, "counters of interfaces, and what the node dropped and why"},
	[IP_TOPOLOGY] = {0, "topology", "FILE", "of a lab that is not up, from its file"},
	[IP_SHAPE] = {0, "topo", "SHAPE", "of one from one line: line,3  ring,5  clos,2,4  tree,3,10"},
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

static bool is_loopback(const json_t *f)
{
	return strcmp(text_of(f, "name"), "lo") == 0;
}

/* --- interfaces --- */

static json_t *flags_of(const json_t *f)
{
	json_t *flags = is_loopback(f) ? json_pack("[s]", "LOOPBACK") : json_pack("[s,s]", "BROADCAST", "MULTICAST");
	bool up = json_is_true(json_object_get(f, "up"));
	if (!up)
		json_array_insert_new(flags, 0, json_string("NO-CARRIER"));
	json_array_append_new(flags, json_string("UP"));
	if (up)
		json_array_append_new(flags, json_string("LOWER_UP"));
	return flags;
}

static json_t *stats_of(const json_t *f)
{
	json_int_t v[] = {int_of(f, "rx_bytes"), int_of(f, "rx_packets"), int_of(f, "rx_dropped"), int_of(f, "tx_bytes"),
		int_of(f, "tx_packets"), int_of(f, "tx_dropped")};
	return json_pack("{s:{s:I,s:I,s:i,s:I,s:i,s:i}, s:{s:I,s:I,s:i,s:I,s:i,s:i}}", "rx", "bytes", v[0], "packets", v[1], "errors", 0,
			 "dropped", v[2], "over_errors", 0, "multicast", 0, "tx", "bytes", v[3], "packets", v[4], "errors", 0, "dropped",
			 v[5], "carrier_errors", 0, "collisions", 0);
}

static int family_of(const char *address)
{
	return strchr(address, ':') ? 6 : 4;
}

static bool is_wanted(int family)
{
	return !cmd_global.family || family == cmd_global.family;
}

/* What ip says of an address that came by itself (RFC 4862, RFC 7217; life), and for how long it is there. */
static void put_life(json_t *o, const json_t *life)
{
	json_int_t valid = life ? int_of(life, "valid_s") : UINT32_MAX, preferred = life ? int_of(life, "preferred_s") : UINT32_MAX;
	if (life && json_is_true(json_object_get(life, "deprecated")))
		json_object_set_new(o, "deprecated", json_true());
	if (valid != UINT32_MAX)
		json_object_set_new(o, "dynamic", json_true());
	if (life)
		json_object_set_new(o, "stable-privacy", json_true());
	json_object_set_new(o, "valid_life_time", json_integer(valid));
	json_object_set_new(o, "preferred_life_time", json_integer(preferred));
}

/* "10.0.1.2/24" as ip's addr_info; gives. */
static json_t *address_of(const json_t *f, const char *prefix)
{
	const char *slash = strchr(prefix, '/');
	int plen = slash ? atoi(slash + 1) : 0;
	char address[64], broadcast[INET_ADDRSTRLEN];
	struct in_addr a;
	snprintf(address, sizeof address, "%.*s", (int)strcspn(prefix, "%/"), prefix); /* the interface stands beside it */
	bool is_v4 = inet_pton(AF_INET, address, &a) == 1;
	json_t *o = json_pack("{s:s, s:s, s:i}", "family", is_v4 ? "inet" : "inet6", "local", address, "prefixlen", plen);
	if (is_v4 && !is_loopback(f) && plen < 31) {
		a.s_addr |= htonl(UINT32_MAX >> plen);
		json_object_set_new(o, "broadcast", json_string(inet_ntop(AF_INET, &a, broadcast, sizeof broadcast)));
	}
	bool is_link = !is_v4 && strncasecmp(address, "fe80:", 5) == 0;
	json_object_set_new(o, "scope", json_string(is_loopback(f) ? "host" : is_link ? "link" : "global"));
	if (is_v4)
		json_object_set(o, "label", json_object_get(f, "name"));
	put_life(o, json_object_get(json_object_get(f, "lives"), prefix));
	return o;
}

/* An interface as `ip -j` has it; gives. */
static json_t *interface_of(const json_t *f, bool with_addresses, bool with_stats)
{
	bool up = json_is_true(json_object_get(f, "up"));
	const json_t *parent = json_object_get(json_object_get(f, "vlan"), "parent");
	json_t *addresses, *one, *o = json_pack("{s:I, s:O*, s:s, s:o, s:I, s:s, s:s}", "ifindex", (json_int_t)int_of(f, "index"), "link",
						parent, "ifname",
						text_of(f, "name"), "flags", flags_of(f), "mtu", (json_int_t)int_of(f, "mtu"), "qdisc",
						is_loopback(f) ? "noqueue" : "fq", "operstate", is_loopback(f) ? "UNKNOWN" : up ? "UP" : "DOWN");
	size_t i;
	if (!with_addresses)
		json_object_set_new(o, "linkmode", json_string("DEFAULT"));
	json_object_set_new(o, "group", json_string("default"));
	json_object_set_new(o, "txqlen", json_integer(1000));
	json_object_set_new(o, "link_type", json_string(is_loopback(f) ? "loopback" : "ether"));
	json_object_set(o, "address", json_object_get(f, "mac"));
	json_object_set_new(o, "broadcast", json_string(is_loopback(f) ? "00:00:00:00:00:00" : "ff:ff:ff:ff:ff:ff"));
	if (with_addresses) {
		addresses = json_array();
		for (int family = 4; family <= 6; family += 2) /* ip tells inet before inet6 */
			json_array_foreach(json_object_get(f, "addresses"), i, one)
				if (family == family_of(json_string_value(one)) && is_wanted(family))
					json_array_append_new(addresses, address_of(f, json_string_value(one)));
		json_object_set_new(o, "addr_info", addresses);
	}
	if (with_stats)
		json_object_set_new(o, "stats64", stats_of(f));
	return o;
}

static void print_stats(const json_t *stats)
{
	static const char *const heads[] = {"RX:", "TX:"}, *const dirs[] = {"rx", "tx"};
	static const char *const last[][2] = {{"over_errors", "multicast"}, {"carrier_errors", "collisions"}};
	static const char *const names[][2] = {{"missed", "mcast"}, {"carrier", "collsns"}};
	for (int d = 0; d < 2; d++) {
		const json_t *o = json_object_get(stats, dirs[d]);
		char bytes[24], packets[24];
		snprintf(bytes, sizeof bytes, "%" PRId64, int_of(o, "bytes"));
		snprintf(packets, sizeof packets, "%" PRId64, int_of(o, "packets"));
		int b = MAX((int)strlen(bytes), 10), p = MAX((int)strlen(packets), 7);
		printf("    %s %*s %*s errors dropped %7s %7s\n", heads[d], b - 4 + 1, "bytes", p, "packets", names[d][0], names[d][1]);
		printf("    %*s %*s %6" PRId64 " %7" PRId64 " %7" PRId64 " %7" PRId64 "\n", b, bytes, p, packets, int_of(o, "errors"),
		       int_of(o, "dropped"), int_of(o, last[d][0]), int_of(o, last[d][1]));
	}
}

static void print_life(const char *what, int64_t s, const char *after)
{
	if (s == UINT32_MAX)
		printf("%s forever%s", what, after);
	else
		printf("%s %" PRId64 "sec%s", what, s, after);
}

static void print_interface(const json_t *o)
{
	static const char *const flags[] = {"deprecated", "dynamic", "stable-privacy"};
	const json_t *flag, *a;
	size_t i;
	const char *link = text_of(o, "link");
	printf("%" PRId64 ": %s%s%s: <", int_of(o, "ifindex"), text_of(o, "ifname"), link[0] ? "@" : "", link);
	json_array_foreach(json_object_get(o, "flags"), i, flag)
		printf("%s%s", i ? "," : "", json_string_value(flag));
	printf("> mtu %" PRId64 " qdisc %s state %s %sgroup default qlen 1000\n", int_of(o, "mtu"), text_of(o, "qdisc"),
	       text_of(o, "operstate"), json_object_get(o, "linkmode") ? "mode DEFAULT " : "");
	printf("    link/%s %s brd %s\n", text_of(o, "link_type"), text_of(o, "address"), text_of(o, "broadcast"));
	json_array_foreach(json_object_get(o, "addr_info"), i, a) {
		const char *brd = text_of(a, "broadcast"), *label = text_of(a, "label");
		printf("    %s %s/%" PRId64 "%s%s scope %s ", text_of(a, "family"), text_of(a, "local"), int_of(a, "prefixlen"),
		       brd[0] ? " brd " : "", brd, text_of(a, "scope"));
		for (size_t k = 0; k < ARRAY_LEN(flags); k++)
			if (json_object_get(a, flags[k]))
				printf("%s ", flags[k]);
		printf("%s\n       ", label);
		print_life("valid_lft", int_of(a, "valid_life_time"), " ");
		print_life("preferred_lft", int_of(a, "preferred_life_time"), "\n");
	}
	if (json_object_get(o, "stats64"))
		print_stats(json_object_get(o, "stats64"));
}

/* --- routes and neighbours --- */

/* The first IPv4 address of the node on this interface, without its length; "" if it has none. */
static const char *source_of(const json_t *node, const char *interface, char out[64])
{
	const json_t *f, *a;
	size_t i, k;
	out[0] = 0;
	json_array_foreach(json_object_get(node, "interfaces"), i, f)
		json_array_foreach(json_object_get(f, "addresses"), k, a)
			if (!out[0] && family_of(json_string_value(a)) == 4 && strcmp(text_of(f, "name"), interface) == 0)
				snprintf(out, 64, "%.*s", (int)strcspn(json_string_value(a), "/"), json_string_value(a));
	return out;
}

static const char *destination_of(const json_t *r)
{
	const char *to = text_of(r, "to");
	return strcmp(to, "0.0.0.0/0") == 0 || strcmp(to, "::/0") == 0 ? "default" : to;
}

/* Routes as `ip -j route` has them: equal ways are the nexthops of one; IPv6's only when they are asked for, and without source. Gives. */
static json_t *routes_of(const json_t *node)
{
	json_t *all = json_array(), *r, *last = NULL, *hops;
	char source[64];
	size_t i;
	json_array_foreach(json_object_get(node, "routes"), i, r) {
		char via[64];
		const char *dev = text_of(r, "interface"), *to = destination_of(r);
		snprintf(via, sizeof via, "%.*s", (int)strcspn(text_of(r, "via"), "%"), text_of(r, "via"));
		int family = family_of(text_of(r, "to"));
		if (family != (cmd_global.family ? cmd_global.family : 4))
			continue;
		if (via[0] && last && json_object_get(last, "gateway") && strcmp(text_of(last, "dst"), to) == 0)
			json_object_set_new(last, "nexthops", json_pack("[{s:O, s:O, s:i, s:[]}]", "gateway", json_object_get(last, "gateway"), "dev",
									json_object_get(last, "dev"), "weight", 1, "flags"));
		hops = last && strcmp(text_of(last, "dst"), to) == 0 ? json_object_get(last, "nexthops") : NULL;
		if (via[0] && hops) {
			json_object_del(last, "gateway");
			json_object_del(last, "dev");
			json_array_append_new(hops, json_pack("{s:s, s:s, s:i, s:[]}", "gateway", via, "dev", dev, "weight", 1, "flags"));
			continue;
		}
		last = json_pack("{s:s}", "dst", to);
		if (via[0])
			json_object_set_new(last, "gateway", json_string(via));
		json_object_set_new(last, "dev", json_string(dev));
		if (!via[0]) {
			json_object_set_new(last, "protocol", json_string("kernel"));
		}
		if (!via[0] && family == 4) {
			json_object_set_new(last, "scope", json_string("link"));
			json_object_set_new(last, "prefsrc", json_string(source_of(node, dev, source)));
		}
		json_object_set_new(last, "flags", json_array());
		json_array_append_new(all, last);
	}
	return all;
}

static void print_route(const json_t *r)
{
	const json_t *hop;
	size_t i;
	printf("%s ", text_of(r, "dst"));
	if (text_of(r, "gateway")[0])
		printf("via %s ", text_of(r, "gateway"));
	if (text_of(r, "dev")[0])
		printf("dev %s ", text_of(r, "dev"));
	if (text_of(r, "protocol")[0])
		printf("proto %s ", text_of(r, "protocol"));
	if (text_of(r, "prefsrc")[0])
		printf("scope link src %s ", text_of(r, "prefsrc"));
	putchar('\n');
	json_array_foreach(json_object_get(r, "nexthops"), i, hop)
		printf("\tnexthop via %s dev %s weight %" PRId64 " \n", text_of(hop, "gateway"), text_of(hop, "dev"), int_of(hop, "weight"));
}

/* Gives. */
static json_t *neighbours_of(const json_t *node)
{
	json_t *all = json_array(), *n;
	size_t i;
	json_array_foreach(json_object_get(node, "neighbours"), i, n) {
		if (!is_wanted(family_of(text_of(n, "address"))))
			continue;
		json_t *o = json_pack("{s:s%, s:s}", "dst", text_of(n, "address"), strcspn(text_of(n, "address"), "%"), "dev",
				      text_of(n, "interface"));
		if (text_of(n, "mac")[0])
			json_object_set_new(o, "lladdr", json_string(text_of(n, "mac")));
		json_object_set_new(o, "state", json_pack("[s]", text_of(n, "state")));
		json_array_append_new(all, o);
	}
	return all;
}

static void print_neighbour(const json_t *n)
{
	const char *mac = text_of(n, "lladdr"), *state = json_string_value(json_array_get(json_object_get(n, "state"), 0));
	printf("%s dev %s %s%s%s%s\n", text_of(n, "dst"), text_of(n, "dev"), mac[0] ? "lladdr " : "", mac, mac[0] ? " " : "",
	       state ? state : "");
}

/* --- commands --- */

/* One kind of thing that is shown. */
struct ip_object {
	json_t *(*list)(const json_t *node, bool with_stats); /* gives */
	void (*print)(const json_t *item);
	const char *dev; /* the key that names the interface */
};

static json_t *interfaces(const json_t *node, bool with_addresses, bool with_stats)
{
	json_t *all = json_array(), *f;
	size_t i;
	json_array_foreach(json_object_get(node, "interfaces"), i, f)
		json_array_append_new(all, interface_of(f, with_addresses, with_stats));
	return all;
}

static json_t *list_links(const json_t *node, bool with_stats)
{
	return interfaces(node, false, with_stats);
}

static json_t *list_addresses(const json_t *node, bool with_stats)
{
	return interfaces(node, true, with_stats);
}

static json_t *list_routes(const json_t *node, bool with_stats)
{
	return routes_of(node);
}

static json_t *list_neighbours(const json_t *node, bool with_stats)
{
	return neighbours_of(node);
}

static void print_drops(const json_t *node)
{
	json_t *drops = json_object_get(node, "drops"), *count;
	const char *name;
	if (json_object_size(drops))
		printf("dropped by %s:\n", text_of(node, "name"));
	json_object_foreach(drops, name, count)
		printf("    %10" JSON_INTEGER_FORMAT " %s: %s\n", json_integer_value(count), name, lab_drop_text(name));
}

/* The node's part of all that `via lab inspect` knows; gives. NULL after a sentence. */
static json_t *node_of(const struct cmd_args *a)
{
	const char *name = cmd_global.node;
	bool is_own = a->opt[IP_TOPOLOGY] || a->opt[IP_SHAPE];
	const struct lab_opts opts = {.real_time = false};
	char *lab_name = is_own ? NULL : ask_which(&name);
	struct lab *own = is_own ? lab_host_load(a->opt[IP_TOPOLOGY], a->opt[IP_SHAPE], &opts) : NULL;
	json_t *all = own ? lab_inspect(own) : lab_name ? ask_lab(lab_name, "inspect", NULL) : NULL, *node, *found = NULL;
	size_t i;
	lab_free(own);
	free(lab_name);
	if (!all || ask_refused(all)) {
		json_decref(all);
		return NULL;
	}
	json_array_foreach(json_object_get(all, "nodes"), i, node)
		if (name && strcasecmp(name, text_of(node, "name")) == 0)
			found = json_incref(node);
	if (!found)
		cmd_fail(EXIT_USAGE, name ? "lab '%s' has no node '%s'" : "of which node of lab '%s'? via -n NODE ...", text_of(all, "name"), name);
	json_decref(all);
	return found;
}

/* "show", "list", "ls"; then "dev IFACE" or IFACE. *dev NULL: all. False: other words. */
static bool read_words(const struct cmd_args *a, const char **dev)
{
	int i = a->n_words && (strcmp(a->words[0], "show") == 0 || strcmp(a->words[0], "list") == 0 || strcmp(a->words[0], "ls") == 0);
	*dev = NULL;
	if (i < a->n_words && strcmp(a->words[i], "dev") == 0)
		i++;
	if (i < a->n_words)
		*dev = a->words[i++];
	return i == a->n_words;
}

static int show(const struct cmd_args *a, const struct ip_object *what)
{
	const char *dev;
	json_t *item;
	size_t i;
	if (!read_words(a, &dev))
		return cmd_fail(EXIT_USAGE, "it only shows: [show] [dev INTERFACE]");
	json_t *node = node_of(a), *all = node ? what->list(node, a->opt[IP_STATISTICS] != NULL) : NULL, *wanted = json_array();
	json_array_foreach(all, i, item)
		if (!dev || strcmp(text_of(item, what->dev), dev) == 0)
			json_array_append(wanted, item);
	int status = !node ? EXIT_USAGE : EXIT_WELL;
	if (node && dev && !json_array_size(wanted) && strcmp(what->dev, "ifname") == 0)
		status = cmd_fail(EXIT_FAILED, "Device \"%s\" does not exist.", dev);
	else if (node && cmd_global.json)
		lab_host_print(wanted);
	else
		json_array_foreach(wanted, i, item)
			what->print(item);
	if (!status && a->opt[IP_STATISTICS] && !cmd_global.json)
		print_drops(node);
	json_decref(wanted);
	json_decref(all);
	json_decref(node);
	return status;
}

static int link_run(const struct cmd_args *a)
{
	return show(a, &(struct ip_object){list_links, print_interface, "ifname"});
}

static int addr_run(const struct cmd_args *a)
{
	return show(a, &(struct ip_object){list_addresses, print_interface, "ifname"});
}

static int route_run(const struct cmd_args *a)
{
	return show(a, &(struct ip_object){list_routes, print_route, "dev"});
}

static int neigh_run(const struct cmd_args *a)
{
	return show(a, &(struct ip_object){list_neighbours, print_neighbour, "dev"});
}

#define WORDS "[show] [dev INTERFACE]"
#define WHICH "Which stack: via -n NODE, or -n LAB:NODE when several labs are up."
const struct cmd_command cmd_link = {
	"link", WORDS, "the interfaces of a node, as ip link shows the kernel's; -s counters", WHICH, options, 0, 3, false, link_run};
const struct cmd_command cmd_addr = {
	"addr", WORDS, "the addresses of a node, as ip addr shows the kernel's", WHICH, options, 0, 3, false, addr_run};
const struct cmd_command cmd_route = {
	"route", WORDS, "the routes of a node, as ip route shows the kernel's", WHICH, options, 0, 3, false, route_run};
const struct cmd_command cmd_neigh = {
	"neigh", WORDS, "the neighbours of a node, as ip neigh shows the kernel's", WHICH, options, 0, 3, false, neigh_run};
