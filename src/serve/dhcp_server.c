/* serve/dhcp_server.c - see dhcp_server.h. RFC 2131 §4.1, §4.3. */
#include "serve/dhcp_server.h"

#include <viaduct/stack.h>

int serve_dhcp_server_start(struct serve_dhcp_server *s, struct via *via, void (*wake)(void *ctx), void *ctx)
{
	memset(s, 0, sizeof(*s));
	s->port = (struct dhcp_port){.via = via, .wake = wake, .ctx = ctx};
	return dhcp_port_open(&s->port, &(struct via_addr){.b = {[10] = 0xff, [11] = 0xff}}, DHCP_PORT_SERVER);
}

int serve_dhcp_server_add(struct serve_dhcp_server *s, struct serve_dhcp_subnet *n, int ifindex, const struct dhcp_server_config *cfg)
{
	int err = dhcp_server_init(&n->engine, cfg);
	if (err)
		return err;
	n->ifindex = ifindex;
	n->next = s->first;
	s->first = n;
	return 0;
}

/* To a client that does not have the address yet, so that it could not answer for it (§4.1). */
static void send_to_mac(struct serve_dhcp_server *s, const struct serve_dhcp_subnet *n, const struct dhcp_reply *r)
{
	struct via_change known = {.kind = VIA_NEIGH_SET, .ifindex = n->ifindex, .addr = via_addr_v4(r->addr)};
	memcpy(known.mac, r->mac, 6);
	bool is_known = via_configure(s->port.via, &known) == 0; /* no room for it: everybody may hear it */
	const struct via_sockaddr to = dhcp_port_at(n->ifindex, is_known ? r->addr : 0, r->port);
	dhcp_port_send(&s->port, &to, r->msg, r->len);
	if (!is_known)
		return;
	memset(known.mac, 0, 6);
	via_configure(s->port.via, &known);
}

static void send_reply(struct serve_dhcp_server *s, const struct serve_dhcp_subnet *n, const struct dhcp_reply *r)
{
	static const uint8_t none[6];
	const struct via_sockaddr to = dhcp_port_at(n->ifindex, r->way == DHCP_TO_ADDR ? r->addr : 0, r->port);
	if (r->way == DHCP_TO_MAC && !(r->mac[0] & 1) && memcmp(r->mac, none, 6) != 0)
		send_to_mac(s, n, r);
	else
		dhcp_port_send(&s->port, &to, r->msg, r->len);
}

void serve_dhcp_server_tick(struct serve_dhcp_server *s, int64_t now)
{
	uint8_t msg[1500];
	struct via_sockaddr from;
	struct via_addr to;
	struct dhcp_reply r;
	int64_t len;
	while ((len = dhcp_port_recv(&s->port, msg, sizeof(msg), &from, &to)) >= 0)
		for (struct serve_dhcp_subnet *n = s->first; n; n = n->next) {
			if (to.scope != (uint32_t)n->ifindex && via_addr_to_v4(&to) != n->engine.cfg.server)
				continue;
			dhcp_server_input(&n->engine, msg, (size_t)len, now, &r);
			if (r.len)
				send_reply(s, n, &r);
			break;
		}
	dhcp_port_flush(&s->port, now);
}

int64_t serve_dhcp_server_next(const struct serve_dhcp_server *s)
{
	return s->port.has_mail ? 0 : TIME_NEVER;
}

void serve_dhcp_server_stop(struct serve_dhcp_server *s)
{
	for (; s->first; s->first = s->first->next)
		dhcp_server_free(&s->first->engine);
	dhcp_port_close(&s->port);
}
