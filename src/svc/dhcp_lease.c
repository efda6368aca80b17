/* svc/dhcp_lease.c - a server's answer to values that can be used. See dhcp_lease.h.
 *
 * T1 <= T2 <= expiry holds for every lease that was read. A lease of zero seconds is no lease. */
#include "svc/dhcp_lease.h"

enum { MTU_MIN = 68 };

bool dhcp_addr_is_host(uint32_t a)
{
	return a >> 24 != 0 && a >> 24 != 127 && a >> 28 < 0xe;
}

/* The length of a contiguous mask; else that of the address's class. */
static uint8_t lease_plen(const struct dhcp_msg *m, uint32_t addr)
{
	uint32_t mask;
	bool is_said = dhcp_option_u32(m, DHCP_OPT_MASK, 4, &mask);
	uint32_t holes = ~mask & (~mask + 1);
	if (is_said && mask && !holes)
		return (uint8_t)__builtin_popcount(mask);
	return addr >> 31 == 0 ? 8 : addr >> 30 == 2 ? 16 : 24;
}

/* RFC 3442: each route is a length, as many bytes of the prefix as matter, a router. False: malformed, none is believed. */
static bool lease_routes(const struct dhcp_msg *m, struct dhcp_lease *l)
{
	uint8_t buf[512];
	int n = dhcp_option(m, DHCP_OPT_ROUTES, buf, sizeof(buf));
	if (n <= 0)
		return false;
	struct reader r = reader_of(buf, (size_t)n);
	l->n_routes = 0;
	while (rd_left(&r) > 0) {
		uint8_t plen = rd_u8(&r), net[4] = {0};
		const uint8_t *p = plen <= 32 ? rd_bytes(&r, (plen + 7u) / 8) : NULL;
		uint32_t gateway = rd_be32(&r);
		if (plen > 32 || r.bad) {
			l->n_routes = 0;
			return false;
		}
		memcpy(net, p, (plen + 7u) / 8);
		uint32_t mask = plen ? ~UINT32_C(0) << (32 - plen) : 0;
		if (l->n_routes < DHCP_ROUTES_MAX && (gateway == 0 || dhcp_addr_is_host(gateway)))
			l->routes[l->n_routes++] = (struct dhcp_route){get_be32(net) & mask, plen, gateway};
	}
	return true;
}

static int64_t lease_after(int64_t from, uint32_t s)
{
	return s == UINT32_MAX ? TIME_NEVER : from + (int64_t)s * NS_PER_S;
}

/* T1, T2 and the end, in this order whatever the server says. */
static void lease_times(const struct dhcp_msg *m, int64_t asked, struct dhcp_lease *l)
{
	uint32_t t1 = 0, t2 = 0;
	l->expiry = l->t1 = l->t2 = TIME_NEVER;
	if (l->lease_s == UINT32_MAX)
		return;
	int64_t whole = (int64_t)l->lease_s * NS_PER_S;
	bool said = dhcp_option_u32(m, DHCP_OPT_T1, 4, &t1) && dhcp_option_u32(m, DHCP_OPT_T2, 4, &t2);
	bool fits = said && t1 > 0 && t1 <= t2 && t2 <= l->lease_s;
	l->expiry = asked + whole;
	l->t1 = fits ? lease_after(asked, t1) : asked + whole / 2;
	l->t2 = fits ? lease_after(asked, t2) : asked + whole / 8 * 7;
}

bool dhcp_lease_read(const struct dhcp_msg *m, int64_t asked, struct dhcp_lease *l)
{
	uint32_t mtu, router, dns[DHCP_DNS_MAX];
	*l = (struct dhcp_lease){.addr = m->h.yiaddr};
	if (!dhcp_addr_is_host(l->addr) || !dhcp_option_u32(m, DHCP_OPT_SERVER, 4, &l->server) || !dhcp_addr_is_host(l->server))
		return false;
	if (!dhcp_option_u32(m, DHCP_OPT_LEASE, 4, &l->lease_s) || l->lease_s == 0)
		return false;
	l->plen = lease_plen(m, l->addr);
	lease_times(m, asked, l);
	if (!lease_routes(m, l) && dhcp_option_addrs(m, DHCP_OPT_ROUTER, &router, 1) == 1 && dhcp_addr_is_host(router))
		l->routes[l->n_routes++] = (struct dhcp_route){0, 0, router};
	int n = dhcp_option_addrs(m, DHCP_OPT_DNS, dns, DHCP_DNS_MAX);
	for (int i = 0; i < n; i++)
		if (dhcp_addr_is_host(dns[i]))
			l->dns[l->n_dns++] = dns[i];
	if (dhcp_option_u32(m, DHCP_OPT_MTU, 2, &mtu) && mtu >= MTU_MIN)
		l->mtu = (uint16_t)mtu;
	return true;
}
