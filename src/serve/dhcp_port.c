/* serve/dhcp_port.c - see dhcp_port.h. RFC 2131 §4.1; RFC 1122 §3.2.1.3. */
#include "serve/dhcp_port.h"

#include <errno.h>
#include <sys/socket.h>
#include <viaduct/stack.h>

enum { ERRORS_MAX = 16 };

static void dhcp_port_event(struct via_handler *h, struct via *v, via_sock s, uint32_t edges)
{
	struct dhcp_port *p = (struct dhcp_port *)h;
	p->has_mail = true;
	if (p->wake)
		p->wake(p->ctx);
}

int dhcp_port_open(struct dhcp_port *p, const struct via_addr *all, uint16_t port)
{
	const struct via_sockaddr any = {*all, port};
	int on = 1;
	p->handler.event = dhcp_port_event;
	p->has_mail = false;
	p->sock = 0;
	int err = via_open(p->via, VIA_DGRAM, via_cookie(&p->handler), &p->sock);
	if (err)
		return err;
	err = via_bind(p->via, p->sock, &any);
	if (!err)
		err = via_setsockopt(p->via, p->sock, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on));
	if (err)
		dhcp_port_close(p);
	return err;
}

void dhcp_port_close(struct dhcp_port *p)
{
	if (p->sock)
		via_close(p->via, p->sock);
	p->sock = 0;
}

int64_t dhcp_port_recv(struct dhcp_port *p, void *buf, uint32_t cap, struct via_sockaddr *from, struct via_addr *to)
{
	struct via_sockaddr local;
	for (int errors = 0; p->has_mail && errors < ERRORS_MAX;) {
		int64_t n = via_recvfrom(p->via, p->sock, buf, cap, 0, from, &local);
		*to = local.addr;
		if (n >= 0)
			return n;
		if (n == -EAGAIN)
			break;
		errors++; /* of an earlier message: told once, datagrams may wait behind it */
	}
	p->has_mail = false;
	return -EAGAIN;
}

struct via_sockaddr dhcp_port_at(int ifindex, uint32_t addr, uint16_t port)
{
	struct via_sockaddr at = {via_addr_v4(addr ? addr : 0xffffffffu), port};
	at.addr.scope = addr ? 0 : (uint32_t)ifindex;
	return at;
}

void dhcp_port_send(struct dhcp_port *p, const struct via_sockaddr *to, const void *msg, uint32_t len)
{
	via_sendto(p->via, p->sock, msg, len, 0, to);
	p->has_sent = true;
}

void dhcp_port_flush(struct dhcp_port *p, int64_t now)
{
	if (p->has_sent)
		via_flush(p->via, now);
	p->has_sent = false;
}
