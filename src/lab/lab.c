/* lab/lab.c - from a topology to stacks, links, services; and what others ask a lab for. See lab.h, state.h.
 *
 * Everything random comes from the lab's seed and a name (of the node, of the link), so that adding a node does not change
 * the luck of the others. One packet memory is shared by all stacks: a superframe crosses a clean link by reference. */
#include "lab/state.h"
#include "base/prf.h"
#include "lab/yaml.h"
#include "svc/dhcp_client.h"
#include "wire/addr.h"
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

enum { PKTMEM_MIB = 2048, FEW_NODES = 64, ARENA_MIB = 256, ARENA_MANY_MIB = 64 };

uint64_t lab_seed(const struct lab *l, const char *purpose, const char *name)
{
	struct prf_key k = {l->seed, siphash_2_4((struct prf_key){l->seed, 0}, purpose, strlen(purpose))};
	return siphash_2_4(k, name, strlen(name));
}

/* A sentence about something that is not a place in the file. */
static int fail(struct lab *l, struct topo_mark at, struct lab_error *err, int rc, const char *what, const char *name)
{
	topo_fail(err, l->topo->file, at, "%s '%s': %s", what, name, strerror(-rc));
	return -EINVAL;
}

/* A sentence about the capture: it names no topology, which is not to blame. */
static int capture_fail(const struct lab *l, struct lab_error *err, int rc)
{
	return topo_fail(err, "", (struct topo_mark){0, 0}, "cannot capture into '%s': %s", l->opts.pcapng, strerror(-rc));
}

/* --- observers --- */

static void on_sent(struct link_env *e, const struct link_sent *s)
{
	struct lab *l = (struct lab *)e;
	if (l->capture)
		capture_add(l->capture, s);
	if (l->dumps)
		lab_dumps_add(l, s);
	if (l->opts.trace_hash)
		trace_hash_add(&l->hash, l->mem, s);
	if (l->story)
		story_add(l->story, s);
}

/* A stack looks at a frame, or drops one: the one it looks at, or, later, one that it had kept. */
static void on_trace(void *ctx, const struct trace_event *e)
{
	struct lab_node *n = ctx;
	struct lab *l = n->lab;
	if (!l->capture && !l->dumps)
		return;
	if (e->kind == TRACE_RX) {
		n->rx_id = e->pkt->m.id;
		n->rx_ifindex = e->ifindex;
	}
	if (e->kind != TRACE_DROP || (e->pkt && e->pkt->m.id != n->rx_id))
		return;
	for (int k = 0; k < n->t->n_ends; k++) {
		if (l->end_ifindex[n->t->ends[k]] != n->rx_ifindex)
			continue;
		if (l->capture)
			capture_dropped(l->capture, n->t->ends[k] ^ 1, n->rx_id, (enum drop)e->reason, n->t->name);
		lab_dumps_dropped(n, n->t->ends[k] ^ 1, (enum drop)e->reason);
	}
}

static void on_wake(struct link_env *e, int node, int64_t when)
{
	sched_lower(&((struct lab *)e)->sched, node, when);
}

static int start_observers(struct lab *l, struct lab_error *err)
{
	const struct topo *t = l->topo;
	if (l->opts.trace_hash && trace_hash_init(&l->hash))
		return topo_fail(err, t->file, (struct topo_mark){0, 0}, "no memory");
	if (l->opts.story && !(l->story = story_new(t, l->mem, (struct prf_key){l->seed, lab_seed(l, "story", "")})))
		return topo_fail(err, t->file, (struct topo_mark){0, 0}, "no memory");
	if (!l->opts.pcapng)
		return 0;
	l->capture = capture_open(l->opts.pcapng, l->mem, 2 * t->n_links);
	if (!l->capture)
		return capture_fail(l, err, -errno);
	for (int i = 0; i < t->n_nodes; i++)
		for (int k = 0; k < t->nodes[i].n_ends; k++) {
			int e = t->nodes[i].ends[k], rc = t->ends[e].vlan ? 0 : capture_iface(l->capture, e, l->end_names[e]);
			if (rc)
				return capture_fail(l, err, rc);
		}
	return 0;
}

/* --- links --- */

static bool is_stack(const struct topo_node *n)
{
	return n->kind == TOPO_HOST || n->kind == TOPO_ROUTER || n->kind == TOPO_WAN;
}

static void make_link(struct lab *l, int i)
{
	const struct topo *t = l->topo;
	struct link_config cfg = {.env = &l->env, .mtu = t->links[i].mtu};
	for (int s = 0; s < 2; s++) {
		int e = 2 * i + s;
		cfg.end[s] = e;
		cfg.node[s] = t->ends[e].node;
		cfg.plain |= !is_stack(&t->nodes[t->ends[e].node]);
		if (!l->opts.no_impairments)
			cfg.impair[s] = t->links[i].impair[s];
		/* Locally administered; the end's number makes it unique. */
		memcpy(cfg.mac[s], (uint8_t[6]){0x02, 0x76, (uint8_t)(e >> 24), (uint8_t)(e >> 16), (uint8_t)(e >> 8), (uint8_t)e}, 6);
	}
	cfg.seed = lab_seed(l, "link", l->end_names[2 * i]);
	link_init(&l->links[i], &cfg);
	for (int s = 0; s < 2; s++) {
		l->links[i].dir[s].st.from = l->end_names[2 * i + s];
		l->links[i].dir[s].st.to = l->end_names[2 * i + !s];
	}
}

/* --- stacks --- */

/* The interface of end e, or the VLAN interface that it is, which takes what all links of its VLAN carry. Its index or -errno. */
static int add_interface(struct lab *l, struct lab_node *n, int e)
{
	const struct topo_end *end = &l->topo->ends[e];
	if (!end->vlan)
		return lab_port(l, e)->ifindex = via_iface_add(n->stack, &lab_port(l, e)->d, end->ifname);
	int rc = via_vlan_add(n->stack, l->end_ifindex[end->parent], end->vlan, end->ifname);
	uint32_t mtu = MIN(l->topo->domains[end->domain].mtu, l->topo->links[end->parent / 2].mtu);
	if (rc > 0)
		via_configure(n->stack, &(struct via_change){.kind = VIA_SET, .setting = VIA_SET_IFACE_MTU, .ifindex = rc, .value = mtu});
	return rc;
}

static int add_interfaces(struct lab *l, struct lab_node *n, struct lab_error *err)
{
	const struct topo *t = l->topo;
	for (int k = 0; k < n->t->n_ends; k++) {
		int e = n->t->ends[k], rc = add_interface(l, n, e);
		if (rc < 0)
			return fail(l, t->ends[e].mark, err, rc, "cannot add interface", l->end_names[e]);
		l->end_ifindex[e] = rc;
		if (!t->ends[e].addr.set) /* it comes by DHCP (dhcp.c), or only its VLANs have any */
			continue;
		rc = via_configure(n->stack, &(struct via_change){.kind = VIA_ADDR_ADD, .ifindex = rc,
			.addr = via_addr_v4(t->ends[e].addr.addr), .plen = t->ends[e].addr.plen});
		if (rc)
			return fail(l, t->ends[e].mark, err, rc, "cannot give an address to", l->end_names[e]);
	}
	return 0;
}

/* What the file says of the stack's settings. */
static int set_up(struct lab *l, struct lab_node *n, struct lab_error *err)
{
	via_sysctl(n->stack, "tcp_fastopen", "1"); /* programs expect Linux's default */
	if (n->t->no_icmp)
		via_configure(n->stack, &(struct via_change){.kind = VIA_SET, .setting = VIA_SET_ICMP_ERRORS});
	for (int i = 0; i < n->t->n_sysctls; i++) {
		const struct topo_sysctl *c = &n->t->sysctls[i];
		int rc = via_sysctl(n->stack, c->name, c->value);
		if (rc == -ENOENT)
			return topo_fail(err, l->topo->file, c->mark, "node '%s' has no interface for %s", n->t->name, c->name);
		if (rc)
			return topo_fail(err, l->topo->file, c->mark, "'%s' is no value of %s", c->value, c->name);
	}
	return 0;
}

static int make_stack(struct lab *l, struct lab_node *n, struct lab_error *err)
{
	uint8_t seed[32];
	for (int i = 0; i < 4; i++) {
		uint64_t word = lab_seed(l, (const char *const[]){"node 1", "node 2", "node 3", "node 4"}[i], n->t->name);
		memcpy(seed + 8 * i, &word, 8);
	}
	size_t arena = (size_t)(l->topo->n_nodes <= FEW_NODES ? ARENA_MIB : ARENA_MANY_MIB) << 20;
	if (l->opts.arena_bytes)
		arena = l->opts.arena_bytes;
	n->trace = (struct trace){on_trace, n};
	n->stack = host_stack_new(&(struct host_stack_opts){.name = n->t->name, .arena_bytes = arena, .mem = l->mem, .seed = seed,
		.now = l->env.now, .forwarding = n->t->kind == TOPO_ROUTER, .trace = l->capture || l->opts.real_time ? &n->trace : NULL});
	if (!n->stack)
		return fail(l, n->t->mark, err, -errno, "cannot make node", n->t->name);
	n->hn.stack = n->stack;
	return add_interfaces(l, n, err) || set_up(l, n, err) || lab_ip6_start(n, err) ? -EINVAL : lab_filter_start(n, err);
}

static int make_switch(struct lab *l, struct lab_node *n, struct lab_error *err)
{
	struct link_port *ports[TOPO_SWITCH_PORTS];
	for (int k = 0; k < n->t->n_ends; k++)
		ports[k] = lab_port(l, n->t->ends[k]);
	n->sw = lab_switch_new(&l->env, ports, n->t->n_ends, lab_seed(l, "switch", n->t->name));
	int rc = n->sw ? 0 : -errno;
	for (int v = 0; v < l->topo->n_vids && n->t->n_ports && !rc; v++) {
		uint64_t tagged = 0, untagged = 0;
		for (int k = 0; k < n->t->n_ends; k++) {
			const struct topo_end *e = &l->topo->ends[n->t->ends[k]];
			tagged |= (e->tagged >> v & 1) << k;
			untagged |= (uint64_t)(e->access == l->topo->vids[v]) << k;
		}
		rc = lab_switch_vlan(n->sw, l->topo->vids[v], tagged, untagged);
	}
	return rc ? fail(l, n->t->mark, err, rc, "cannot make node", n->t->name) : 0;
}

static int make_tap(struct lab *l, struct lab_node *n, struct lab_error *err)
{
	if (!l->opts.real_time)
		return topo_fail(err, l->topo->file, n->t->mark, "node '%s' is a tap: a lab under virtual time has no real interfaces", n->t->name);
	int rc = lab_tap_open(n);
	if (rc == -EPERM || rc == -EACCES)
		return topo_fail(err, l->topo->file, n->t->mark,
			"may not open the interface '%s': that needs CAP_NET_ADMIN, or a tap made for you with "
				 "`ip tuntap add mode tap user NAME name %s`", n->t->tap, n->t->tap);
	return rc ? fail(l, n->t->mark, err, rc, "cannot open the interface", n->t->tap) : 0;
}

static int make_node(struct lab *l, int i, struct lab_error *err)
{
	struct lab_node *n = &l->nodes[i];
	n->lab = l;
	n->index = i;
	n->t = &l->topo->nodes[i];
	n->hn.name = n->t->name;
	n->hn.touched = lab_node_touched;
	n->hn.present = lab_node_present;
	n->spin_at = -1;
	switch (n->t->kind) {
	case TOPO_HOST:
	case TOPO_ROUTER:
	case TOPO_WAN: /* what carries it outside comes with the loop (wan.c) */
		return make_stack(l, n, err);
	case TOPO_SWITCH:
		return make_switch(l, n, err);
	case TOPO_TAP:
		return make_tap(l, n, err);
	}
	return 0;
}

/* --- routes --- */

/* The interface to an IPv6 gateway: its own address there is still probed for, and connects no subnet yet. 0: whichever leads there. */
static int given_ifindex(const struct lab *l, int node, const struct via_addr *via)
{
	const struct topo_node *n = &l->topo->nodes[node];
	for (int k = 0; k < n->n_ends && !via_addr_is_v4(via); k++) {
		const struct topo_prefix6 *net = &l->topo->domains[l->topo->ends[n->ends[k]].domain].net6;
		if (topo_ip6_is_on(l->topo, n->ends[k]) && addr_in_prefix(via, &net->addr, net->plen))
			return l->end_ifindex[n->ends[k]];
	}
	return 0;
}

static int add_routes(struct lab *l, struct lab_error *err)
{
	int rc = lab_routes_update(l);
	if (rc)
		return topo_fail(err, l->topo->file, (struct topo_mark){0, 0}, "cannot set up the routes: %s", strerror(-rc));
	for (int i = 0; i < l->topo->n_nodes; i++)
		for (int k = 0; k < l->topo->nodes[i].n_routes; k++) {
			const struct topo_route *given = &l->topo->nodes[i].routes[k];
			rc = via_configure(l->nodes[i].stack, &(struct via_change){.kind = VIA_ROUTE_ADD, .addr = given->to,
				.plen = given->plen, .gateway = given->via, .ifindex = given_ifindex(l, i, &given->via)});
			if (rc)
				return fail(l, given->mark, err, rc, "cannot add this route to node", l->topo->nodes[i].name);
		}
	return 0;
}

/* --- services --- */

/* What time it was when the lab's clock stood at 0, ns since 1970: under virtual time, 0. */
static int64_t epoch_of(const struct lab *l)
{
	struct timespec t = {0};
	if (l->opts.real_time)
		clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec - (l->opts.real_time ? l->env.now : 0);
}

static int start_service(struct lab *l, struct lab_node *n, const struct topo_service *t, const char *root, struct via_sockaddr local)
{
	if (!n->services && !(n->services = lab_services_new(n->stack, n->t->name, epoch_of(l))))
		return -ENOMEM;
	if (t->kind == TOPO_DNS && !l->names) {
		l->names = lab_names_new(l->topo, lab_seed(l, "names", l->topo->name));
		if (!l->names)
			return -ENOMEM;
		lab_dhcp_name(l);
		lab_ip6_names(l);
	}
	return lab_service_start(n->services, t, root, &local, l->names);
}

/* The folder that `--www NODE=DIR` or `--mail NODE=DIR` puts in the place of the file's, or NULL. */
static const char *root_override(const struct lab *l, const char *node, enum topo_service_kind kind)
{
	const char *w = kind == TOPO_HTTP ? l->opts.www : kind == TOPO_SMTP ? l->opts.mail : NULL, *eq = w ? strchr(w, '=') : NULL;
	return eq && (size_t)(eq - w) == strlen(node) && strncmp(w, node, strlen(node)) == 0 ? eq + 1 : NULL;
}

static int start_services(struct lab *l, struct lab_node *n, struct lab_error *err)
{
	for (int i = 0; i < n->t->n_services; i++) {
		const struct topo_service *s = &n->t->services[i];
		const char *root = root_override(l, n->t->name, s->kind);
		if (s->kind == TOPO_DHCP)
			continue;
		int rc = start_service(l, n, s, root ? root : s->root, (struct via_sockaddr){lab_ip6_any(n), s->port});
		if (rc && s->kind == TOPO_HTTP && root)
			return fail(l, s->mark, err, rc, "cannot serve the folder", root);
		if (rc)
			return fail(l, s->mark, err, rc, "cannot start the service", topo_service_names[s->kind]);
	}
	int rc = lab_dhcp_start(n);
	if (rc)
		return fail(l, n->t->mark, err, rc, "cannot start DHCP at", n->t->name);
	if (n->stack)
		n->baseline = via_arena_used(n->stack);
	return 0;
}

/* --- life --- */

static bool allocate(struct lab *l)
{
	const struct topo *t = l->topo;
	size_t nodes = (size_t)t->n_nodes, ends = (size_t)t->n_ends;
	l->nodes = calloc(nodes + 1, sizeof *l->nodes);
	l->links = calloc((size_t)t->n_links + 1, sizeof *l->links);
	l->end_names = calloc(ends + 1, sizeof *l->end_names);
	l->end_ifindex = calloc(ends + 1, sizeof *l->end_ifindex);
	l->told6 = calloc(ends + 1, sizeof *l->told6);
	l->touched = calloc(nodes + 1, sizeof *l->touched);
	l->mem = host_pktmem_new(l->opts.packet_bytes ? l->opts.packet_bytes : (size_t)PKTMEM_MIB << 20);
	return l->nodes && l->links && l->end_names && l->end_ifindex && l->told6 && l->touched && l->mem &&
	       sched_init(&l->sched, t->n_nodes + 1) == 0;
}

static int build(struct lab *l, struct lab_error *err)
{
	const struct topo *t = l->topo;
	if (!allocate(l))
		return topo_fail(err, t->file, (struct topo_mark){0, 0}, "no memory for this lab");
	l->env = (struct link_env){.mem = l->mem, .whole_frames = l->opts.pcapng || l->opts.story, .wake = on_wake, .sent = on_sent};
	for (int e = 0; e < t->n_ends; e++)
		topo_end_name(t, e, l->end_names[e]);
	int rc = start_observers(l, err);
	for (int i = 0; i < t->n_links && !rc; i++)
		make_link(l, i);
	for (int i = 0; i < t->n_nodes && !rc; i++)
		rc = make_node(l, i, err);
	if (!rc)
		rc = add_routes(l, err);
	for (int i = 0; i < t->n_nodes && !rc; i++)
		sched_lower(&l->sched, i, 0);
	if (!rc)
		lab_ip6_settle(l);
	for (int i = 0; i < t->n_nodes && !rc; i++) {
		rc = start_services(l, &l->nodes[i], err);
		sched_lower(&l->sched, i, l->env.now);
	}
	return rc;
}

/* 0 or -EINVAL with *err. */
static int impair_all(struct topo *t, const char *words, struct lab_error *err)
{
	char word[80], why[256];
	for (; *words; words += *words == ',') {
		size_t n = strcspn(words, ",");
		snprintf(word, sizeof word, "%.*s", (int)n, words);
		words += n;
		for (int i = 0; i < 2 * t->n_links; i++)
			if (lab_impair_word(word, &t->links[i / 2].impair[i % 2], why))
				return topo_fail(err, "", (struct topo_mark){0, 0}, "%s", why);
	}
	return 0;
}

/* Takes t. */
static struct lab *lab_new(struct topo *t, const struct lab_opts *o, struct lab_error *err)
{
	struct lab *l = calloc(1, sizeof *l);
	if (!l) {
		topo_fail(err, t->file, (struct topo_mark){0, 0}, "no memory");
		topo_free(t);
		return NULL;
	}
	l->topo = t;
	l->opts = *o;
	if (o->link && impair_all(t, o->link, err)) {
		topo_free(t);
		free(l);
		return NULL;
	}
	if (o->ipv6) {
		topo_ip6_everywhere(t);
		if (topo_ip6_address(t, err)) {
			topo_free(t);
			free(l);
			return NULL;
		}
	}
	l->seed = o->has_seed ? o->seed : t->has_seed ? t->seed : 1;
	if (build(l, err)) {
		lab_free(l);
		return NULL;
	}
	return l;
}

struct lab *lab_load_text(const char *text, size_t len, const char *name, const struct lab_opts *o, struct lab_error *err)
{
	struct topo *t = topo_parse(text, len, name, err);
	return t ? lab_new(t, o, err) : NULL;
}

struct lab *lab_load_shape(const char *words, const struct lab_opts *o, struct lab_error *err)
{
	struct topo *t = topo_shape(words, err);
	return t ? lab_new(t, o, err) : NULL;
}

/* The file's text, ended by a zero byte; NULL with *err. Gives. */
static char *read_file(const char *file, size_t *len, struct lab_error *err)
{
	enum { FILE_MAX = 16 << 20 };
	FILE *f = fopen(file, "re");
	char *text = f ? malloc(FILE_MAX + 1) : NULL;
	int rc = text ? 0 : errno;
	if (text) {
		*len = fread(text, 1, FILE_MAX + 1, f);
		rc = ferror(f) ? errno : *len > FILE_MAX ? EFBIG : 0;
	}
	if (f)
		fclose(f);
	if (!rc)
		return text;
	free(text);
	topo_fail(err, file, (struct topo_mark){0, 0}, "cannot be read: %s", strerror(rc));
	return NULL;
}

struct lab *lab_load(const char *file, const struct lab_opts *o, struct lab_error *err)
{
	size_t len;
	char *text = read_file(file, &len, err);
	struct lab *l = text ? lab_load_text(text, len, file, o, err) : NULL;
	free(text);
	return l;
}

int lab_check(const char *file, struct lab_error *err)
{
	size_t len;
	char *text = read_file(file, &len, err);
	struct topo *t = text ? topo_parse(text, len, file, err) : NULL;
	free(text);
	if (!t)
		return -EINVAL;
	topo_free(t);
	return 0;
}

int lab_check_shape(const char *words, struct lab_error *err)
{
	struct topo *t = topo_shape(words, err);
	topo_free(t);
	return t ? 0 : -EINVAL;
}

static void node_free(struct lab_node *n)
{
	lab_dhcp_stop(n);
	lab_services_free(n->services);
	if (n->stack)
		host_stack_free(n->stack);
	lab_switch_free(n->sw);
	lab_tap_close(n);
}

void lab_free(struct lab *l)
{
	if (!l)
		return;
	lab_detach(l);
	for (int i = 0; l->nodes && i < l->topo->n_nodes; i++)
		node_free(&l->nodes[i]);
	if (l->capture)
		capture_close(l->capture);
	while (l->dumps)
		lab_dump_stop(l->dumps);
	for (int i = 0; l->links && i < l->topo->n_links; i++)
		if (l->links[i].dir[0].env)
			link_fini(&l->links[i]);
	trace_hash_fini(&l->hash);
	story_free(l->story);
	lab_names_free(l->names);
	sched_fini(&l->sched);
	if (l->mem)
		host_pktmem_free(l->mem);
	free(l->routes);
	free(l->touched);
	free(l->end_ifindex);
	free(l->told6);
	free(l->end_names);
	free(l->links);
	free(l->nodes);
	topo_free(l->topo);
	free(l);
}

/* --- questions --- */

const char *lab_name(const struct lab *l)
{
	return l->topo->name;
}

static bool runs_programs(const struct lab_node *n)
{
	return n->stack && n->t->kind != TOPO_WAN;
}

struct host_node *lab_node(struct lab *l, const char *name)
{
	int i = topo_node_find(l->topo, name);
	return i >= 0 && runs_programs(&l->nodes[i]) ? &l->nodes[i].hn : NULL;
}

const char *lab_node_kind(struct lab *l, const char *name)
{
	static const char *const kinds[] = {[TOPO_HOST] = "host", [TOPO_ROUTER] = "router", [TOPO_SWITCH] = "switch", [TOPO_TAP] = "tap",
		[TOPO_WAN] = "wan"};
	int i = topo_node_find(l->topo, name);
	return i >= 0 ? kinds[l->topo->nodes[i].kind] : NULL;
}

const char *lab_node_nearest(struct lab *l, const char *name)
{
	const char *best = NULL;
	unsigned len = (unsigned)strlen(name), limit = MIN(MAX(len / 2, 1u), len ? len - 1 : 0); /* a letter stays the same */
	for (int i = 0; i < l->topo->n_nodes && limit; i++) {
		unsigned d = nearest_distance(name, l->topo->nodes[i].name, limit);
		if (runs_programs(&l->nodes[i]) && d <= limit) {
			limit = d ? d - 1 : 0;
			best = l->topo->nodes[i].name;
		}
	}
	return best;
}

struct via_addr lab_node_resolver(struct lab *l, const char *node)
{
	enum { RESOLVER = 0x7f000035 /* 127.0.0.53 */ };
	struct via_addr a = via_addr_v4(RESOLVER);
	int i = topo_node_find(l->topo, node);
	if (i < 0 || !runs_programs(&l->nodes[i]))
		return via_addr_v4(0);
	const struct dhcp_lease *lease = lab_dhcp_lease(&l->nodes[i]);
	if (lease && lease->n_dns)
		return via_addr_v4(lease->dns[0]);
	size_t before = via_arena_used(l->nodes[i].stack);
	int rc = start_service(l, &l->nodes[i], &(struct topo_service){.kind = TOPO_DNS}, NULL, (struct via_sockaddr){a, 53});
	l->nodes[i].baseline += via_arena_used(l->nodes[i].stack) - before;
	return rc == 0 || rc == -EEXIST ? a : via_addr_v4(0); /* a dns service of the node's listens on all addresses */
}

uint64_t lab_trace_hash(const struct lab *l)
{
	return l->hash.value;
}

bool lab_link_get(struct lab *l, int n, struct lab_link_stats *out)
{
	if (n < 0 || n >= 2 * l->topo->n_links)
		return false;
	*out = l->links[n / 2].dir[n % 2].st;
	return true;
}

int lab_link_set(struct lab *l, const char *end, const struct lab_impair *im)
{
	for (int e = 0; e < 2 * l->topo->n_links; e++)
		if (strcmp(l->end_names[e], end) == 0) {
			link_impair(&l->links[e / 2], 0, im);
			link_impair(&l->links[e / 2], 1, im);
			return 0;
		}
	return -ENOENT;
}

bool lab_arena_get(struct lab *l, int n, const char **node, size_t *used, size_t *baseline)
{
	for (int i = 0; i < l->topo->n_nodes; i++)
		if (l->nodes[i].stack && n-- == 0) {
			*node = l->nodes[i].t->name;
			*used = via_arena_used(l->nodes[i].stack);
			*baseline = l->nodes[i].baseline;
			return true;
		}
	return false;
}

json_t *lab_story(struct lab *l)
{
	json_t *story = l->story ? story_json(l->story, l->seed, l->env.now) : NULL;
	if (story)
		json_object_set_new(story, "drops", lab_drops(l));
	return story;
}
