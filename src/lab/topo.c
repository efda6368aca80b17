/* lab/topo.c - subnets and addresses.
 *
 * Link ends that meet at a switch, or at the two ends of one link, share a subnet (topo_domain.c). Its prefix is the one of the addresses
 * given in it, else its links' `subnet`, else the next free 10.x.y.0/24, counted in the order of the links. Ends without
 * an address get the lowest free host numbers, in the order of the links. */
#include "lab/topo.h"
#include "wire/addr.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

const char *const topo_service_names[] = {[TOPO_HTTP] = "http", [TOPO_ECHO] = "echo", [TOPO_DNS] = "dns", [TOPO_SMTP] = "smtp",
	[TOPO_DHCP] = "dhcp", NULL};

/* --- names: an open table of node numbers + 1, at most half full --- */

static uint32_t name_hash(const char *s)
{
	uint32_t h = 2166136261u; /* FNV-1a */
	for (; *s; s++)
		h = (h ^ (uint32_t)tolower((unsigned char)*s)) * 16777619u;
	return h;
}

static void name_put(int *slots, uint32_t n, const char *name, int node)
{
	uint32_t at = name_hash(name) & (n - 1);
	while (slots[at])
		at = (at + 1) & (n - 1);
	slots[at] = node + 1;
}

int topo_name_add(struct topo *t, int node)
{
	if (2 * (uint32_t)(node + 1) > t->n_name_slots) {
		uint32_t n = MAX(2 * t->n_name_slots, 64u);
		int *more = calloc(n, sizeof *more);
		if (!more)
			return -ENOMEM;
		for (int i = 0; i < node; i++)
			name_put(more, n, t->nodes[i].name, i);
		free(t->name_slots);
		t->name_slots = more;
		t->n_name_slots = n;
	}
	name_put(t->name_slots, t->n_name_slots, t->nodes[node].name, node);
	return 0;
}

int topo_node_find(const struct topo *t, const char *name)
{
	for (uint32_t at = name_hash(name); t->n_name_slots; at++) {
		int node = t->name_slots[at & (t->n_name_slots - 1)] - 1;
		if (node < 0 || strcasecmp(t->nodes[node].name, name) == 0)
			return node;
	}
	return -1;
}

void topo_end_name(const struct topo *t, int end, char out[TOPO_END_NAME])
{
	snprintf(out, TOPO_END_NAME, "%s:%s", t->nodes[t->ends[end].node].name, t->ends[end].ifname);
}

const struct topo_prefix *topo_node_addr(const struct topo *t, int node)
{
	const struct topo_node *n = &t->nodes[node];
	for (int e = 0; e < n->n_ends; e++)
		if (t->ends[n->ends[e]].addr.set)
			return &t->ends[n->ends[e]].addr;
	return NULL;
}

void topo_free(struct topo *t)
{
	if (!t)
		return;
	for (int i = 0; i < t->n_nodes; i++) {
		struct topo_node *n = &t->nodes[i];
		for (int s = 0; s < n->n_services; s++) {
			free(n->services[s].root);
			topo_words_free(n->services[s].domains);
			topo_words_free(n->services[s].mailboxes);
			topo_dns_free(&n->services[s]);
		}
		free(n->services);
		free(n->wan.forwards);
		for (int s = 0; s < n->n_sysctls; s++) {
			free(n->sysctls[s].name);
			free(n->sysctls[s].value);
		}
		free(n->sysctls);
		free(n->rules);
		free(n->vlans);
		free(n->ports);
		free(n->routes);
		free(n->ends);
		free(n->name);
	}
	for (int i = 0; i < t->n_domains; i++)
		free(t->domains[i].ends);
	free(t->name_slots);
	free(t->domains);
	free(t->nodes);
	free(t->links);
	free(t->ends);
	free(t->name);
	free(t->file);
	free(t);
}

static uint32_t mask_of(uint8_t plen)
{
	return plen ? UINT32_MAX << (32 - plen) : 0;
}

/* --- numbers --- */

/* `address` of a node is that of its only link. */
static int place_node_addresses(struct topo *t, struct lab_error *err)
{
	for (int i = 0; i < t->n_nodes; i++) {
		struct topo_node *n = &t->nodes[i];
		if (!n->address.set && !n->asks_dhcp)
			continue;
		if (n->n_ends - n->n_vlans != 1)
			return topo_fail(err, t->file, n->address_mark,
				"'address' is for a node with one link, but '%s' has %d; give addresses on the links (ipv4)",
					 n->name, n->n_ends - n->n_vlans);
		struct topo_end *e = &t->ends[n->ends[0]];
		if (e->addr.set || e->asks_dhcp)
			return topo_fail(err, t->file, n->address_mark, "node '%s' has an address here and another on its link", n->name);
		e->addr = n->address;
		e->asks_dhcp = n->asks_dhcp;
		e->mark = n->address_mark;
	}
	return 0;
}

static bool is_host_number(uint32_t addr, uint8_t plen)
{
	uint32_t host = addr & ~mask_of(plen);
	return plen >= 31 || (host && host != ~mask_of(plen));
}

/* Take the prefix from the addresses given in the domain; they must agree. */
static int check_given(struct topo *t, struct topo_domain *d, struct lab_error *err)
{
	char name[TOPO_END_NAME], other[TOPO_END_NAME], net[VIA_ADDR_STRLEN];
	for (int i = 0; i < d->n_ends; i++) {
		const struct topo_end *e = &t->ends[d->ends[i]];
		topo_end_name(t, d->ends[i], name);
		if (!e->addr.set)
			continue;
		if (!d->plen) {
			d->plen = e->addr.plen;
			d->net = e->addr.addr & mask_of(d->plen);
		}
		if (e->addr.plen < 8 || !is_host_number(e->addr.addr, e->addr.plen) || (e->addr.addr >> 24) == 0 ||
			(e->addr.addr >> 24) == 127 || (e->addr.addr >> 24) >= 224)
			return topo_fail(err, t->file, e->mark, "the address of '%s' is not one an interface can have", name);
		struct via_addr subnet = via_addr_v4(d->net);
		if (e->addr.plen != d->plen || (e->addr.addr & mask_of(d->plen)) != d->net)
			return topo_fail(err, t->file, e->mark, "the address of '%s' lies outside the subnet of its link, %s/%u", name,
				via_addr_format(&subnet, net), d->plen);
		for (int k = 0; k < i; k++)
			if (t->ends[d->ends[k]].addr.set && t->ends[d->ends[k]].addr.addr == e->addr.addr) {
				topo_end_name(t, d->ends[k], other);
				return topo_fail(err, t->file, e->mark, "the address of '%s' is that of '%s' already", name, other);
			}
	}
	return 0;
}

static int net_cmp(const void *a, const void *b)
{
	const struct topo_domain *const *x = a, *const *y = b;
	if ((*x)->net != (*y)->net)
		return (*x)->net < (*y)->net ? -1 : 1;
	return (int)(*x)->plen - (int)(*y)->plen;
}

/* Subnets must not overlap. One sort, one pass. */
static int check_overlap(struct topo *t, struct lab_error *err)
{
	struct topo_domain **v = malloc(((size_t)t->n_domains + 1) * sizeof(struct topo_domain *));
	int n = 0, rc = 0;
	if (!v)
		return -ENOMEM;
	for (int i = 0; i < t->n_domains; i++)
		if (t->domains[i].plen && t->domains[i].n_ends)
			v[n++] = &t->domains[i];
	qsort(v, (size_t)n, sizeof(struct topo_domain *), net_cmp);
	for (int i = 1; i < n && !rc; i++) {
		uint32_t last = v[i - 1]->net | ~mask_of(v[i - 1]->plen);
		if (v[i]->net <= last) {
			char a[TOPO_END_NAME], b[TOPO_END_NAME];
			topo_end_name(t, v[i - 1]->ends[0], a);
			topo_end_name(t, v[i]->ends[0], b);
			rc = topo_fail(err, t->file, t->ends[v[i]->ends[0]].mark, "the subnets of '%s' and '%s' overlap", a, b);
		}
	}
	free(v);
	return rc;
}

static int addr_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

/* The automatic subnets, counted up beside the given ones, which are looked at once each. */
struct numbering {
	const struct topo_domain **given; /* by address */
	int n, at;
	uint64_t taken; /* addresses up to here are in a given subnet, or lie before one that was passed */
	uint32_t next;  /* of the 10.x.y.0/24 */
};

/* The next 10.x.y.0/24 that no given subnet touches. False when they are used up. */
static bool next_subnet(struct numbering *u, uint32_t *net)
{
	for (; u->next < 65536; u->next++) {
		uint32_t candidate = 0x0a000000u | u->next << 8;
		for (; u->at < u->n && u->given[u->at]->net <= (candidate | 255); u->at++)
			u->taken = MAX(u->taken, u->given[u->at]->net | (uint64_t)~mask_of(u->given[u->at]->plen));
		if (u->taken < candidate) {
			*net = candidate;
			u->next++;
			return true;
		}
	}
	return false;
}

/* Somebody in it wants an address. */
static bool is_wanted(const struct topo *t, const struct topo_domain *d)
{
	bool wanted = false;
	for (int i = 0; i < d->n_ends; i++)
		wanted |= !t->ends[d->ends[i]].is_bare;
	return wanted;
}

/* Subnets without a prefix get one. */
static int number_domains(struct topo *t, struct lab_error *err)
{
	struct numbering u = {.next = 1, .given = malloc(((size_t)t->n_domains + 1) * sizeof(struct topo_domain *))};
	bool full = !u.given;
	for (int i = 0; i < t->n_domains && !full; i++)
		if (t->domains[i].plen)
			u.given[u.n++] = &t->domains[i];
	if (!full)
		qsort(u.given, (size_t)u.n, sizeof(struct topo_domain *), net_cmp);
	for (int i = 0; i < t->n_domains && !full; i++)
		if (!t->domains[i].plen && is_wanted(t, &t->domains[i]) && !(full = !next_subnet(&u, &t->domains[i].net)))
			t->domains[i].plen = 24;
	free(u.given);
	return full ? topo_fail(err, t->file, (struct topo_mark){0, 0}, "no 10.x.y.0/24 is left for %d subnets", t->n_domains) : 0;
}

/* Ends without an address get the lowest free host numbers. */
static int number_ends(struct topo *t, struct topo_domain *d, struct lab_error *err)
{
	uint32_t *used = malloc(((size_t)d->n_ends + 1) * sizeof *used), next = d->net, last = d->net | ~mask_of(d->plen);
	int n = 0, at = 0;
	if (!used)
		return topo_fail(err, t->file, (struct topo_mark){0, 0}, "no memory");
	for (int i = 0; i < d->n_ends; i++)
		if (t->ends[d->ends[i]].addr.set)
			used[n++] = t->ends[d->ends[i]].addr.addr;
	qsort(used, (size_t)n, sizeof *used, addr_cmp);
	for (int i = 0; i < d->n_ends; i++) {
		struct topo_end *e = &t->ends[d->ends[i]];
		if (e->addr.set || e->asks_dhcp || e->is_bare)
			continue;
		for (uint32_t past;; next++) {
			if (topo_dhcp_is_given(t, d, next, &past))
				next = past + 1;
			while (at < n && used[at] < next)
				at++;
			if (next > last || (is_host_number(next, d->plen) && !(at < n && used[at] == next)))
				break;
		}
		if (next > last || next < d->net) {
			free(used);
			return topo_fail(err, t->file, e->mark, "the subnet of '%s' has no address left; give a larger 'subnet' on its link",
				e->ifname);
		}
		e->addr = (struct topo_prefix){next++, d->plen, true};
	}
	free(used);
	return 0;
}

static int check_ports(const struct topo *t, struct lab_error *err)
{
	for (int i = 0; i < t->n_nodes; i++) {
		const struct topo_node *n = &t->nodes[i];
		int most = n->kind == TOPO_SWITCH ? TOPO_SWITCH_PORTS : n->kind == TOPO_TAP ? 1 : TOPO_IFACES_MAX;
		if (n->n_ends > most)
			return topo_fail(err, t->file, t->ends[n->ends[most]].mark, "node '%s' has more than %d links", n->name, most);
	}
	return 0;
}

/* A switch forwards without a hop count, so in a ring of switches a broadcast would circle for ever. */
static int check_switches(const struct topo *t, struct lab_error *err)
{
	int *up = malloc(((size_t)t->n_nodes + 1) * sizeof *up), rc = up ? 0 : topo_fail(err, t->file, (struct topo_mark){0, 0}, "no memory");
	for (int i = 0; i < t->n_nodes && up; i++)
		up[i] = i;
	for (int i = 0; i < t->n_links && !rc; i++) {
		const struct topo_end *a = &t->ends[2 * i], *b = &t->ends[2 * i + 1];
		const struct topo_node *x = &t->nodes[a->node], *y = &t->nodes[b->node];
		if (x->kind != TOPO_SWITCH || y->kind != TOPO_SWITCH)
			continue;
		if (topo_root(up, a->node) == topo_root(up, b->node))
			rc = topo_fail(err, t->file, a->mark, "this link closes a ring of switches ('%s' and '%s' are joined already)",
				x->name, y->name);
		up[topo_root(up, a->node)] = topo_root(up, b->node);
	}
	free(up);
	return rc;
}

/* Is it an address, but not the own one, of the subnet at an end that has its address from the file? */
static bool is_neighbour(const struct topo *t, int end, const struct via_addr *a)
{
	const struct topo_end *e = &t->ends[end];
	const struct topo_domain *d = &t->domains[e->domain];
	if (via_addr_is_v4(a))
		return e->addr.set && e->addr.addr != via_addr_to_v4(a) && !((e->addr.addr ^ via_addr_to_v4(a)) & mask_of(e->addr.plen));
	return topo_ip6_is_on(t, end) && !via_addr_eq(&e->addr6.addr, a) && addr_in_prefix(a, &d->net6.addr, d->net6.plen);
}

/* Given routes must lead to a neighbour: `via` lies in a subnet the node is in. */
static int check_routes(const struct topo *t, struct lab_error *err)
{
	for (int i = 0; i < t->n_nodes; i++)
		for (int r = 0; r < t->nodes[i].n_routes; r++) {
			const struct topo_node *n = &t->nodes[i];
			const struct topo_route *route = &n->routes[r];
			bool found = false;
			for (int e = 0; e < n->n_ends; e++) {
				found |= is_neighbour(t, n->ends[e], &route->via);
			}
			if (!found)
				return topo_fail(err, t->file, route->mark, "via is not an address in a subnet of node '%s'", n->name);
		}
	return 0;
}

static int check_forwards(const struct topo *t, struct lab_error *err)
{
	struct via_addr to;
	bool is_v6;
	int end;
	for (int i = 0; i < t->n_nodes; i++)
		for (int k = 0; k < t->nodes[i].wan.n_forwards; k++) {
			const struct topo_forward *f = &t->nodes[i].wan.forwards[k];
			int rc = topo_forward_guest(t, i, f, &end, &is_v6, &to);
			if (rc && f->guest[0])
				return topo_fail(err, t->file, f->mark, "'%s' is no node with an address", f->guest);
			if (rc)
				return topo_fail(err, t->file, f->mark, "name the node that port %u leads to: %u:NODE:%u", f->host.port, f->host.port,
						 f->port);
		}
	return 0;
}

int topo_address(struct topo *t, struct lab_error *err)
{
	int rc = check_ports(t, err);
	if (!rc)
		rc = check_switches(t, err);
	if (rc)
		return rc;
	rc = topo_vlan_place(t, err);
	if (rc)
		return rc;
	if (topo_domains(t))
		return topo_fail(err, t->file, (struct topo_mark){0, 0}, "no memory");
	rc = place_node_addresses(t, err);
	for (int i = 0; i < t->n_domains && !rc; i++)
		rc = check_given(t, &t->domains[i], err);
	if (!rc)
		rc = number_domains(t, err);
	for (int i = 0; i < t->n_domains && !rc; i++)
		rc = number_ends(t, &t->domains[i], err);
	if (!rc)
		rc = check_overlap(t, err);
	if (!rc)
		rc = topo_ip6_address(t, err);
	if (!rc)
		rc = check_routes(t, err);
	if (!rc)
		rc = topo_dhcp_check(t, err);
	if (!rc)
		rc = topo_dns_check(t, err);
	if (!rc)
		rc = topo_filter_check(t, err);
	return rc ? rc : check_forwards(t, err);
}
