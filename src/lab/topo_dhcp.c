/* lab/topo_dhcp.c - the dhcp service of a topology file: what it says (doc/lab.md is its reference), and what it means for a subnet.
 *
 * A service with ranges serves the subnets in which they lie; without, each subnet of its node in which a host asks by DHCP or a
 * TAP stands, and there gives away the longest run of addresses in the upper half that nobody was given. Hosts that are
 * numbered automatically get none from a range. */
#include "lab/yaml.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { RANGE_MAX = 65536, LEASE_MIN_S = 10 };

static uint32_t mask_of(uint8_t plen)
{
	return plen ? UINT32_MAX << (32 - plen) : 0;
}

/* --- the file --- */

static int read_range(struct yaml_tree *y, const ynode *n, struct topo_dhcp *d)
{
	const char *s, *dash;
	struct via_addr a, b;
	if (yaml_text(y, n, "range", &s))
		return -EINVAL;
	dash = strchr(s, '-');
	if (!dash || via_addr_parse(s, (size_t)(dash - s), &a) || via_addr_parse(dash + 1, strlen(dash + 1), &b) || !via_addr_is_v4(&a) ||
	    !via_addr_is_v4(&b))
		return yaml_fail(y, n, "range is '%s', but must be two addresses such as 10.0.1.100-10.0.1.199", s);
	struct topo_range *r = &d->ranges[d->n_ranges];
	*r = (struct topo_range){via_addr_to_v4(&a), via_addr_to_v4(&b)};
	d->marks[d->n_ranges++] = yaml_mark(n);
	if (r->first > r->last || r->last - r->first >= RANGE_MAX)
		return yaml_fail(y, n, "range '%s' must rise, and hold at most %d addresses", s, RANGE_MAX);
	return 0;
}

static int read_ranges(struct yaml_tree *y, const ynode *n, struct topo_dhcp *d)
{
	const ynode *item;
	if (!yaml_is_list(n))
		return read_range(y, n, d);
	for (int i = 0; (item = yaml_item(y, n, i)); i++) {
		if (i == (int)ARRAY_LEN(d->ranges))
			return yaml_fail(y, item, "more than %d ranges", (int)ARRAY_LEN(d->ranges));
		if (read_range(y, item, d))
			return -EINVAL;
	}
	return 0;
}

static int read_servers(struct yaml_tree *y, const ynode *n, struct topo_dhcp *d)
{
	const ynode *item;
	if (!yaml_is_list(n)) {
		d->n_dns = 1;
		return yaml_ip4(y, n, "dns", &d->dns[0]);
	}
	for (int i = 0; (item = yaml_item(y, n, i)); i++) {
		if (i == (int)ARRAY_LEN(d->dns))
			return yaml_fail(y, item, "more than %d name servers", (int)ARRAY_LEN(d->dns));
		if (yaml_ip4(y, item, "dns", &d->dns[d->n_dns++]))
			return -EINVAL;
	}
	return 0;
}

int topo_dhcp_read(struct yaml_tree *y, const ynode *n, struct topo_dhcp *d)
{
	enum { RANGE, LEASE, ROUTER, DNS, MTU };
	static const char *const keys[] = {[RANGE] = "range", [LEASE] = "lease", [ROUTER] = "router", [DNS] = "dns", [MTU] = "mtu", NULL};
	struct yaml_map m;
	uint64_t mtu = 0, lease = 0;
	if (yaml_map_read(y, n, "a dhcp service", keys, &m))
		return -EINVAL;
	if ((m.val[RANGE] && read_ranges(y, m.val[RANGE], d)) || (m.val[DNS] && read_servers(y, m.val[DNS], d)) ||
	    (m.val[LEASE] && yaml_seconds(y, m.val[LEASE], "lease", LEASE_MIN_S, UINT32_MAX - 1, &lease)) ||
	    (m.val[ROUTER] && yaml_ip4(y, m.val[ROUTER], "router", &d->router)) ||
	    (m.val[MTU] && yaml_uint(y, m.val[MTU], "mtu", 576, 65535, &mtu)))
		return -EINVAL;
	d->lease_s = (uint32_t)lease;
	d->mtu = (uint16_t)mtu;
	return 0;
}

/* --- what it means --- */

static const struct topo_dhcp *service_of(const struct topo_node *n)
{
	for (int i = 0; i < n->n_services; i++)
		if (n->services[i].kind == TOPO_DHCP)
			return &n->services[i].dhcp;
	return NULL;
}

static bool lies_in(const struct topo_range *r, const struct topo_prefix *p)
{
	return p->set && !((r->first ^ p->addr) & mask_of(p->plen)) && !((r->last ^ p->addr) & mask_of(p->plen));
}

bool topo_dhcp_is_given(const struct topo *t, const struct topo_domain *d, uint32_t addr, uint32_t *last)
{
	const struct topo_prefix subnet = {d->net, d->plen, true};
	for (int e = 0; e < d->n_ends; e++) {
		const struct topo_dhcp *s = service_of(&t->nodes[t->ends[d->ends[e]].node]);
		for (int i = 0; s && i < s->n_ranges; i++)
			if (lies_in(&s->ranges[i], &subnet) && addr >= s->ranges[i].first && addr <= s->ranges[i].last) {
				*last = s->ranges[i].last;
				return true;
			}
	}
	return false;
}

static bool somebody_asks(const struct topo *t, const struct topo_domain *d)
{
	for (int e = 0; e < d->n_ends; e++) {
		const struct topo_end *end = &t->ends[d->ends[e]];
		if (end->asks_dhcp || t->nodes[end->node].kind == TOPO_TAP)
			return true;
	}
	return false;
}

/* Whose address is it? An end, or -1. */
static int owner_of(const struct topo *t, const struct topo_domain *d, uint32_t first, uint32_t last)
{
	int found = -1;
	for (int e = 0; e < d->n_ends; e++) {
		const struct topo_prefix *p = &t->ends[d->ends[e]].addr;
		bool is_lower = found < 0 || p->addr < t->ends[found].addr.addr;
		if (p->set && p->addr >= first && p->addr <= last && is_lower)
			found = d->ends[e];
	}
	return found;
}

/* The longest run in the upper half of d that holds nobody's address. False: there is none. */
static bool free_run(const struct topo *t, const struct topo_domain *d, struct topo_range *out)
{
	uint64_t size = UINT64_C(1) << (32 - d->plen), best = 0;
	uint64_t from = d->net + size / 2, last = d->net + size - 2;
	for (from = MAX(from, last > RANGE_MAX ? last - RANGE_MAX + 1 : from); d->plen < 31 && from <= last;) {
		int at = owner_of(t, d, (uint32_t)from, (uint32_t)last);
		uint64_t end = at >= 0 ? t->ends[at].addr.addr - UINT64_C(1) : last;
		if (end + 1 > from + best) {
			best = end + 1 - from;
			*out = (struct topo_range){(uint32_t)from, (uint32_t)end};
		}
		from = end + 2;
	}
	return best > 0;
}

/* Who leads out of the subnet: node itself, or a router that stands there; 0: nobody. */
static uint32_t router_of(const struct topo *t, const struct topo_domain *d, int node, uint32_t own)
{
	if (t->nodes[node].kind == TOPO_ROUTER)
		return own;
	for (int e = 0; e < d->n_ends; e++) {
		const struct topo_end *end = &t->ends[d->ends[e]];
		enum topo_kind kind = t->nodes[end->node].kind;
		if ((kind == TOPO_ROUTER || kind == TOPO_WAN) && end->addr.set)
			return end->addr.addr;
	}
	return 0;
}

static bool has_dns(const struct topo_node *n)
{
	for (int i = 0; i < n->n_services; i++)
		if (n->services[i].kind == TOPO_DNS)
			return true;
	return false;
}

/* Who answers for names: the node itself, else the first that does. */
static void name_servers(const struct topo *t, int node, uint32_t own, struct topo_dhcp_plan *p)
{
	if (has_dns(&t->nodes[node])) {
		p->dns[p->n_dns++] = own;
		return;
	}
	for (int i = 0; i < t->n_nodes && !p->n_dns; i++) {
		const struct topo_node *n = &t->nodes[i];
		const struct topo_prefix *a = has_dns(n) ? topo_node_addr(t, i) : NULL;
		if (a)
			p->dns[p->n_dns++] = a->addr;
	}
}

static bool plan_end(const struct topo *t, int node, const struct topo_service *s, int end, struct topo_dhcp_plan *p)
{
	const struct topo_end *e = &t->ends[end];
	const struct topo_domain *d = &t->domains[e->domain];
	bool found = false;
	*p = (struct topo_dhcp_plan){.end = end, .router = s->dhcp.router, .n_dns = s->dhcp.n_dns};
	for (int i = 0; i < s->dhcp.n_ranges && !found; i++)
		if ((found = lies_in(&s->dhcp.ranges[i], &e->addr)))
			p->range = s->dhcp.ranges[i];
	if (!s->dhcp.n_ranges)
		found = e->addr.set && somebody_asks(t, d) && free_run(t, d, &p->range);
	if (!found)
		return false;
	memcpy(p->dns, s->dhcp.dns, sizeof p->dns);
	if (!p->router)
		p->router = router_of(t, d, node, e->addr.addr);
	if (!p->n_dns)
		name_servers(t, node, e->addr.addr, p);
	return true;
}

int topo_dhcp_plan(const struct topo *t, int node, const struct topo_service *s, struct topo_dhcp_plan *out, int n)
{
	int found = 0;
	for (int e = 0; e < t->nodes[node].n_ends; e++) {
		struct topo_dhcp_plan p;
		if (!plan_end(t, node, s, t->nodes[node].ends[e], &p))
			continue;
		if (found < n)
			out[found] = p;
		found++;
	}
	return found;
}

/* --- what cannot be --- */

static int check_range(const struct topo *t, const struct topo_node *n, const struct topo_dhcp *s, int i, struct lab_error *err)
{
	for (int e = 0; e < n->n_ends; e++) {
		const struct topo_end *end = &t->ends[n->ends[e]];
		char name[TOPO_END_NAME];
		if (!lies_in(&s->ranges[i], &end->addr))
			continue;
		int owner = owner_of(t, &t->domains[end->domain], s->ranges[i].first, s->ranges[i].last);
		if (owner < 0 || owner == n->ends[e])
			return 0;
		topo_end_name(t, owner, name);
		return topo_fail(err, t->file, s->marks[i], "the range holds the address of '%s'", name);
	}
	return topo_fail(err, t->file, s->marks[i], "the range lies in no subnet of node '%s'", n->name);
}

int topo_dhcp_check(const struct topo *t, struct lab_error *err)
{
	int rc = 0;
	for (int i = 0; i < t->n_nodes && !rc; i++) {
		const struct topo_dhcp *s = service_of(&t->nodes[i]);
		for (int k = 0; s && k < s->n_ranges && !rc; k++)
			rc = check_range(t, &t->nodes[i], s, k, err);
	}
	return rc;
}
