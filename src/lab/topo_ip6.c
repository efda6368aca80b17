/* lab/topo_ip6.c - IPv6 of a topology: what the file says (doc/lab.md is its reference), and subnets and addresses worked out of it.
 *
 * A subnet's prefix is the one of the addresses given in it, else the next free /64 of the file's prefix, in the order of the
 * links; without such a prefix it has no IPv6. Routers have addresses of the file or the lowest free numbers, and so do hosts where
 * no router stands or the prefix is not a /64; all other hosts make their own from what routers advertise (RFC 4862). Subnets with
 * a link of less than 1280 bytes get no prefix (RFC 8200 §5). */
#include "lab/yaml.h"
#include "wire/addr.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { MTU_LEAST = 1280, PLEN = 64, PREFIX_LEAST = 8 };
static const struct topo_prefix6 usual = {{.b = {0xfd}}, 48};

/* --- the file --- */

int topo_ip6_read(struct yaml_tree *y, const ynode *n, struct topo *t)
{
	struct topo_prefix6 *p = &t->prefix6;
	const char *s;
	if (yaml_text(y, n, "ipv6", &s))
		return -EINVAL;
	if (strcasecmp(s, "true") == 0 || strcasecmp(s, "false") == 0) {
		*p = (s[0] | 32) == 't' ? usual : (struct topo_prefix6){.plen = 0};
		return 0;
	}
	if (addr_parse_prefix(s, strlen(s), &p->addr, &p->plen) || via_addr_is_v4(&p->addr) || p->plen < PREFIX_LEAST || p->plen > PLEN ||
	    addr_is_link_local(&p->addr) || via_addr_is_multicast(&p->addr))
		return yaml_fail(y, n, "ipv6 is '%s', but must be true, false or a prefix of 8 to 64 bits such as 2001:db8::/32", s);
	p->addr = addr_mask(&p->addr, p->plen);
	return 0;
}

static bool is_usable(const struct topo_prefix6 *p)
{
	return !via_addr_is_v4(&p->addr) && !via_addr_is_any(&p->addr) && !via_addr_is_loopback(&p->addr) && p->plen >= PREFIX_LEAST &&
	       !via_addr_is_multicast(&p->addr) && !addr_is_link_local(&p->addr);
}

int topo_ip6_read_link(struct yaml_tree *y, const ynode *n, struct topo *t, int link)
{
	const ynode *item[3] = {NULL};
	for (int i = 0; i < 3 && yaml_is_list(n) && (!i || item[i - 1]); i++)
		item[i] = yaml_item(y, n, i);
	if (!item[1] || item[2])
		return yaml_fail(y, n, "ipv6 is a list of two addresses, one per endpoint (~ for an automatic one)");
	for (int s = 0; s < 2; s++) {
		struct topo_end *e = &t->ends[2 * link + s];
		enum topo_kind kind = t->nodes[e->node].kind;
		if (yaml_is_null(item[s]))
			continue;
		if (kind == TOPO_SWITCH || kind == TOPO_TAP)
			return yaml_fail(y, item[s], "only hosts, routers and wan nodes have IPv6 addresses; write ~");
		if (yaml_net(y, item[s], "ipv6", &e->addr6.addr, &e->addr6.plen))
			return -EINVAL;
		if (!is_usable(&e->addr6))
			return yaml_fail(y, item[s], "ipv6 must be an IPv6 address that an interface can have, such as fd00::1/64");
	}
	return 0;
}

/* --- questions --- */

static bool has_stack6(const struct topo *t, int end)
{
	enum topo_kind kind = t->nodes[t->ends[end].node].kind;
	return kind == TOPO_HOST || kind == TOPO_ROUTER || kind == TOPO_WAN;
}

bool topo_ip6_is_on(const struct topo *t, int end)
{
	return has_stack6(t, end) && t->domains[t->ends[end].domain].net6.plen;
}

bool topo_ip6_is_used(const struct topo *t)
{
	for (int i = 0; i < t->n_domains; i++)
		if (t->domains[i].net6.plen)
			return true;
	return false;
}

void topo_ip6_everywhere(struct topo *t)
{
	if (!t->prefix6.plen)
		t->prefix6 = usual;
}

/* --- subnets --- */

/* The prefix of the addresses given in d; they must agree. */
static int check_given(const struct topo *t, struct topo_domain *d, struct lab_error *err)
{
	char name[TOPO_END_NAME], other[TOPO_END_NAME], net[VIA_ADDR_STRLEN];
	for (int i = 0; i < d->n_ends; i++) {
		const struct topo_end *e = &t->ends[d->ends[i]];
		topo_end_name(t, d->ends[i], name);
		if (!e->addr6.plen)
			continue;
		if (t->links[topo_end_link(t, d->ends[i])].mtu < MTU_LEAST)
			return topo_fail(err, t->file, e->mark, "the link of '%s' has an mtu of less than %d, too little for IPv6", name, MTU_LEAST);
		if (!d->net6.plen)
			d->net6 = (struct topo_prefix6){addr_mask(&e->addr6.addr, e->addr6.plen), e->addr6.plen};
		if (e->addr6.plen != d->net6.plen || !addr_in_prefix(&e->addr6.addr, &d->net6.addr, d->net6.plen))
			return topo_fail(err, t->file, e->mark, "the address of '%s' lies outside the subnet of its link, %s/%u", name,
					 via_addr_format(&d->net6.addr, net), d->net6.plen);
		for (int k = 0; k < i; k++)
			if (t->ends[d->ends[k]].addr6.plen && via_addr_eq(&t->ends[d->ends[k]].addr6.addr, &e->addr6.addr)) {
				topo_end_name(t, d->ends[k], other);
				return topo_fail(err, t->file, e->mark, "the address of '%s' is that of '%s' already", name, other);
			}
	}
	return 0;
}

static int net_cmp(const void *a, const void *b)
{
	const struct topo_domain *const *x = a, *const *y = b;
	int cmp = memcmp((*x)->net6.addr.b, (*y)->net6.addr.b, 16);
	return cmp ? cmp : (*x)->net6.plen - (*y)->net6.plen;
}

static bool overlap(const struct topo_prefix6 *a, const struct topo_prefix6 *b)
{
	return addr_in_prefix(&a->addr, &b->addr, MIN(a->plen, b->plen));
}

/* Domains that have a prefix, sorted by it. Gives; NULL: no memory. */
static struct topo_domain **sorted(struct topo *t, int *n)
{
	struct topo_domain **v = malloc(((size_t)t->n_domains + 1) * sizeof *v);
	*n = 0;
	for (int i = 0; i < t->n_domains && v; i++)
		if (t->domains[i].net6.plen)
			v[(*n)++] = &t->domains[i];
	if (v)
		qsort(v, (size_t)*n, sizeof *v, net_cmp);
	return v;
}

static int check_overlap(struct topo *t, struct lab_error *err)
{
	int n, rc = 0;
	struct topo_domain **v = sorted(t, &n);
	if (!v)
		return topo_fail(err, t->file, (struct topo_mark){0, 0}, "no memory");
	for (int i = 1; i < n && !rc; i++)
		if (overlap(&v[i - 1]->net6, &v[i]->net6)) {
			char a[TOPO_END_NAME], b[TOPO_END_NAME];
			topo_end_name(t, v[i - 1]->ends[0], a);
			topo_end_name(t, v[i]->ends[0], b);
			rc = topo_fail(err, t->file, t->ends[v[i]->ends[0]].mark, "the IPv6 subnets of '%s' and '%s' overlap", a, b);
		}
	free(v);
	return rc;
}

/* The n-th /64 of the file's prefix; false: there are fewer. */
static bool nth_subnet(const struct topo *t, uint64_t n, struct topo_prefix6 *out)
{
	*out = (struct topo_prefix6){t->prefix6.addr, PLEN};
	if (n >> (PLEN - t->prefix6.plen))
		return false;
	for (int i = 7; i >= 0; i--, n >>= 8)
		out->addr.b[i] |= (uint8_t)n;
	return true;
}

/* May it have a prefix of its own? */
static bool wants_prefix(const struct topo *t, const struct topo_domain *d)
{
	bool has_stack = false;
	for (int i = 0; i < d->n_ends; i++) {
		has_stack |= has_stack6(t, d->ends[i]);
		if (t->links[topo_end_link(t, d->ends[i])].mtu < MTU_LEAST)
			return false;
	}
	return has_stack && !d->net6.plen;
}

/* Counted up beside the given ones, which are looked at once each. */
static int number_domains(struct topo *t, struct lab_error *err)
{
	int n, at = 0;
	struct topo_domain **given = sorted(t, &n);
	uint64_t next = t->prefix6.plen < PLEN; /* the first subnet is number 1, if there is one */
	bool full = !given;
	for (int i = 0; i < t->n_domains && !full; i++) {
		struct topo_prefix6 p;
		if (!wants_prefix(t, &t->domains[i]))
			continue;
		while (!(full = !nth_subnet(t, next++, &p))) {
			while (at < n && memcmp(given[at]->net6.addr.b, p.addr.b, 8) < 0 && !overlap(&given[at]->net6, &p))
				at++;
			if (at == n || !overlap(&given[at]->net6, &p))
				break;
		}
		if (!full)
			t->domains[i].net6 = p;
	}
	free(given);
	return full ? topo_fail(err, t->file, (struct topo_mark){0, 0}, "ipv6 has no /64 left for %d subnets", t->n_domains) : 0;
}

/* --- addresses --- */

static bool is_given(const struct topo *t, const struct topo_domain *d, const struct via_addr *a)
{
	for (int i = 0; i < d->n_ends; i++)
		if (t->ends[d->ends[i]].addr6.plen && via_addr_eq(&t->ends[d->ends[i]].addr6.addr, a))
			return true;
	return false;
}

static bool has_router(const struct topo *t, const struct topo_domain *d)
{
	for (int i = 0; i < d->n_ends; i++)
		if (t->nodes[t->ends[d->ends[i]].node].kind == TOPO_ROUTER)
			return true;
	return false;
}

static int number_ends(struct topo *t, struct topo_domain *d, struct lab_error *err)
{
	bool is_auto = d->net6.plen == PLEN && has_router(t, d), has_given = false;
	uint32_t next = 1;
	for (int i = 0; i < d->n_ends; i++)
		has_given |= t->ends[d->ends[i]].addr6.plen != 0;
	for (int i = 0; i < d->n_ends; i++) {
		struct topo_end *e = &t->ends[d->ends[i]];
		struct via_addr a;
		if (!has_stack6(t, d->ends[i]) || e->addr6.plen)
			continue;
		e->is_auto6 = is_auto && t->nodes[e->node].kind == TOPO_HOST;
		if (e->is_auto6)
			continue;
		do {
			a = d->net6.addr;
			for (int k = 0; k < 4; k++)
				a.b[15 - k] |= (uint8_t)(next >> 8 * k);
			next++;
		} while (has_given && is_given(t, d, &a));
		if (!addr_in_prefix(&a, &d->net6.addr, d->net6.plen))
			return topo_fail(err, t->file, e->mark, "the IPv6 subnet of '%s' has no address left", e->ifname);
		e->addr6 = (struct topo_prefix6){a, d->net6.plen};
	}
	return 0;
}

int topo_ip6_address(struct topo *t, struct lab_error *err)
{
	int rc = 0;
	for (int i = 0; i < t->n_domains && !rc; i++)
		rc = check_given(t, &t->domains[i], err);
	if (!rc && t->prefix6.plen)
		rc = number_domains(t, err);
	if (!rc)
		rc = check_overlap(t, err);
	for (int i = 0; i < t->n_domains && !rc; i++)
		if (t->domains[i].net6.plen)
			rc = number_ends(t, &t->domains[i], err);
	return rc;
}
