/* lab/ip6.c - IPv6 in a lab: interfaces that have it, routers that advertise their subnets, and who has which address.
 *
 * A lab with IPv6 runs for the first seconds while it is built, faster than any clock, until link-local addresses are probed for, routers
 * were asked and have answered, and hosts have made their addresses (RFC 4862): who attaches to it finds them there. An address that
 * comes later, since links lose packets, is in the lab's names from then on. */
#include "lab/state.h"
#include "wire/addr.h"

#define SETTLE_NS (30 * NS_PER_S)

static int set(struct lab_node *n, int end, enum via_setting s, int64_t value)
{
	const struct topo_domain *d = &n->lab->topo->domains[n->lab->topo->ends[end].domain];
	return via_configure(n->stack, &(struct via_change){.kind = VIA_SET, .ifindex = n->lab->end_ifindex[end], .setting = s, .value = value,
		.addr = d->net6.addr, .plen = d->net6.plen});
}

static int start_end(struct lab_node *n, int end)
{
	const struct topo_end *e = &n->lab->topo->ends[end];
	bool is_wan = n->t->kind == TOPO_WAN; /* the lab knows its routes */
	int rc = is_wan ? set(n, end, VIA_SET_ACCEPT_RA, 0) : 0;
	if (!rc)
		rc = set(n, end, VIA_SET_IPV6, 1);
	if (!rc && e->addr6.plen)
		rc = via_configure(n->stack, &(struct via_change){.kind = VIA_ADDR_ADD, .ifindex = n->lab->end_ifindex[end],
			.addr = e->addr6.addr, .plen = e->addr6.plen});
	if (rc || n->t->kind != TOPO_ROUTER)
		return rc;
	rc = set(n, end, VIA_SET_RA_PREFIX, 1);
	return rc ? rc : set(n, end, VIA_SET_RA, 1);
}

int lab_ip6_start(struct lab_node *n, struct lab_error *err)
{
	for (int k = 0; k < n->t->n_ends; k++) {
		int end = n->t->ends[k];
		if (!topo_ip6_is_on(n->lab->topo, end))
			continue;
		int rc = start_end(n, end);
		if (rc)
			return topo_fail(err, n->lab->topo->file, n->lab->topo->ends[end].mark, "cannot set up IPv6 at '%s': %s",
					 n->lab->end_names[end], strerror(-rc));
		n->awaits6++;
		n->lab->awaits6++;
	}
	return 0;
}

bool lab_ip6_end_addr(const struct lab_node *n, int k, struct via_addr *out)
{
	struct via_addr_info a = {.size = sizeof a};
	for (int i = 0; n->stack && via_addr_get(n->stack, i, &a); i++)
		if (a.ifindex == n->lab->end_ifindex[n->t->ends[k]] && !via_addr_is_v4(&a.addr) && !addr_is_link_local(&a.addr)) {
			*out = a.addr;
			return true;
		}
	return false;
}

struct via_addr lab_ip6_any(const struct lab_node *n)
{
	for (int k = 0; k < n->t->n_ends; k++)
		if (topo_ip6_is_on(n->lab->topo, n->t->ends[k]))
			return (struct via_addr){.scope = 0};
	return via_addr_v4(0);
}

void lab_ip6_look(struct lab_node *n)
{
	struct lab *l = n->lab;
	struct via_addr a;
	for (int k = 0; k < n->t->n_ends; k++) {
		int end = n->t->ends[k];
		if (l->told6[end] || !topo_ip6_is_on(l->topo, end) || !lab_ip6_end_addr(n, k, &a))
			continue;
		l->told6[end] = true;
		l->awaits6--;
		n->awaits6--;
		if (l->names)
			lab_names_add(l->names, n->t->name, &a);
	}
}

void lab_ip6_names(struct lab *l)
{
	struct via_addr a;
	for (int i = 0; i < l->topo->n_nodes; i++)
		for (int k = 0; k < l->topo->nodes[i].n_ends; k++)
			if (l->told6[l->topo->nodes[i].ends[k]] && lab_ip6_end_addr(&l->nodes[i], k, &a))
				lab_names_add(l->names, l->topo->nodes[i].name, &a);
}

static bool is_settled(void *lab)
{
	return !((struct lab *)lab)->awaits6;
}

void lab_ip6_settle(struct lab *l)
{
	if (!is_settled(l))
		lab_run(l, l->env.now + SETTLE_NS, is_settled, l);
}

const struct lab_node *lab_ip6_addr_node(const struct lab *l, const struct via_addr *a)
{
	struct via_addr_info at = {.size = sizeof at};
	for (int i = 0; i < l->topo->n_nodes; i++)
		for (int k = 0; l->nodes[i].stack && via_addr_get(l->nodes[i].stack, k, &at); k++)
			if (memcmp(at.addr.b, a->b, sizeof a->b) == 0)
				return &l->nodes[i];
	return NULL;
}
