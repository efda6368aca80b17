/* serve/dhcp6.c - see dhcp6.h. RFC 8415 §7.1, §7.2, §14. */
#include "serve/dhcp6.h"

#include <errno.h>
#include <netinet/in.h>
#include <viaduct/stack.h>

static const struct via_addr all_addresses = {.scope = 0};

/* All_DHCP_Relay_Agents_and_Servers on an interface. */
static struct via_addr all_servers(int ifindex)
{
	return (struct via_addr){.b = {0xff, 2, [13] = 1, [15] = 2}, .scope = (uint32_t)ifindex};
}

/* 0, -ENODEV, -EINVAL: no Ethernet. */
static int iface_mac(struct via *v, int ifindex, uint8_t mac[6])
{
	struct via_iface_info f = {.size = sizeof(f)};
	for (int n = 0; via_iface_get(v, n, &f); n++)
		if (f.ifindex == ifindex) {
			memcpy(mac, f.mac, 6);
			return f.l2 == VIA_L2_ETHER ? 0 : -EINVAL;
		}
	return -ENODEV;
}

/* --- client --- */

int serve_dhcp6_client_start(struct serve_dhcp6_client *s, struct via *via, int ifindex, struct prf_key key, int64_t now,
			     void (*changed)(void *ctx, int ifindex, const struct dhcp6_info *info), void (*wake)(void *ctx), void *ctx)
{
	uint8_t mac[6];
	int err = iface_mac(via, ifindex, mac);
	*s = (struct serve_dhcp6_client){.port = {.via = via, .wake = wake, .ctx = ctx}, .ifindex = ifindex, .changed = changed};
	if (err)
		return err;
	dhcp6_client_start(&s->engine, mac, key, now);
	return dhcp_port_open(&s->port, &all_addresses, DHCP6_PORT_CLIENT);
}

void serve_dhcp6_client_tick(struct serve_dhcp6_client *s, int64_t now)
{
	uint8_t msg[DHCP6_MSG_MAX];
	struct via_sockaddr from, servers = {all_servers(s->ifindex), DHCP6_PORT_SERVER};
	struct via_addr to;
	int64_t n;
	while ((n = dhcp_port_recv(&s->port, msg, sizeof(msg), &from, &to)) >= 0) {
		bool is_near = from.port == DHCP6_PORT_SERVER && to.scope == (uint32_t)s->ifindex; /* to our link-local address */
		if (is_near && dhcp6_client_input(&s->engine, msg, (size_t)n, now) && s->changed)
			s->changed(s->port.ctx, s->ifindex, &s->engine.info);
	}
	size_t len = dhcp6_client_timeout(&s->engine, now, msg);
	if (len)
		dhcp_port_send(&s->port, &servers, msg, (uint32_t)len);
	dhcp_port_flush(&s->port, now);
}

int64_t serve_dhcp6_client_next(const struct serve_dhcp6_client *s)
{
	return s->port.has_mail ? 0 : s->engine.deadline;
}

void serve_dhcp6_client_stop(struct serve_dhcp6_client *s)
{
	dhcp_port_close(&s->port);
}

/* --- server --- */

int serve_dhcp6_server_start(struct serve_dhcp6_server *s, struct via *via, void (*wake)(void *ctx), void *ctx)
{
	*s = (struct serve_dhcp6_server){.port = {.via = via, .wake = wake, .ctx = ctx}};
	return dhcp_port_open(&s->port, &all_addresses, DHCP6_PORT_SERVER);
}

int serve_dhcp6_server_add(struct serve_dhcp6_server *s, struct serve_dhcp6_link *l, int ifindex, const struct dhcp6_info *info)
{
	const struct via_addr group = all_servers(ifindex);
	struct ipv6_mreq m = {.ipv6mr_interface = (unsigned)ifindex};
	*l = (struct serve_dhcp6_link){.next = s->first, .ifindex = ifindex, .cfg = {.info = *info}};
	int err = iface_mac(s->port.via, ifindex, l->cfg.mac);
	memcpy(&m.ipv6mr_multiaddr, group.b, 16);
	if (!err)
		err = via_setsockopt(s->port.via, s->port.sock, IPPROTO_IPV6, IPV6_JOIN_GROUP, &m, sizeof(m));
	if (!err)
		s->first = l;
	return err;
}

void serve_dhcp6_server_tick(struct serve_dhcp6_server *s, int64_t now)
{
	uint8_t msg[DHCP6_MSG_MAX], out[DHCP6_MSG_MAX];
	struct via_sockaddr from;
	struct via_addr to;
	int64_t n;
	while ((n = dhcp_port_recv(&s->port, msg, sizeof(msg), &from, &to)) >= 0)
		for (const struct serve_dhcp6_link *l = s->first; l; l = l->next) {
			if (from.addr.scope != (uint32_t)l->ifindex || !via_addr_is_multicast(&to)) /* from a neighbour, to all servers */
				continue;
			size_t len = dhcp6_server_input(&l->cfg, msg, (size_t)n, out);
			if (len)
				dhcp_port_send(&s->port, &from, out, (uint32_t)len);
			break;
		}
	dhcp_port_flush(&s->port, now);
}

int64_t serve_dhcp6_server_next(const struct serve_dhcp6_server *s)
{
	return s->port.has_mail ? 0 : TIME_NEVER;
}

void serve_dhcp6_server_stop(struct serve_dhcp6_server *s)
{
	dhcp_port_close(&s->port); /* which leaves its groups */
	s->first = NULL;
}
