/* serve/dhcp_port.h - the UDP socket of a DHCP client or server, of either version: on all interfaces of a stack, told apart by them.
 *
 * A stack's events come without a time, and leases are all about time. So an event only notes that something has come
 * (and wakes the owner); the datagrams are taken when the owner tells the time next. */
#ifndef SERVE_DHCP_PORT_H
#define SERVE_DHCP_PORT_H

#include <stdbool.h>
#include <viaduct/socket.h>

struct dhcp_port {
	struct via_handler handler; /* first */
	struct via *via;
	via_sock sock;
	bool has_mail, has_sent;    /* datagrams may wait; and have to be flushed */
	void (*wake)(void *ctx);    /* the owner's: something is to be done; may be NULL */
	void *ctx;
};

/* Bind to all addresses (0.0.0.0 or ::). p: `via`, `wake` and `ctx` are set. 0 or -errno. */
int dhcp_port_open(struct dhcp_port *p, const struct via_addr *all, uint16_t port);
void dhcp_port_close(struct dhcp_port *p);
/* The next datagram into buf. from: its sender. to: the address it was sent to, or the limited broadcast with the interface it came by
 * in the scope. Its length, or a negative number: none waits any more. */
int64_t dhcp_port_recv(struct dhcp_port *p, void *buf, uint32_t cap, struct via_sockaddr *from, struct via_addr *to);
/* Where that is: an IPv4 address, or, of 0, everybody by interface ifindex. */
struct via_sockaddr dhcp_port_at(int ifindex, uint32_t addr, uint16_t port);
/* What cannot be sent is lost, as on a wire. */
void dhcp_port_send(struct dhcp_port *p, const struct via_sockaddr *to, const void *msg, uint32_t len);
/* Let what was sent leave now. */
void dhcp_port_flush(struct dhcp_port *p, int64_t now);

#endif
