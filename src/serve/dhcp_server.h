/* serve/dhcp_server.h - svc/dhcp_server on the interfaces of one stack: one range of addresses each.
 *
 * The owner tells the time (serve_dhcp_server_tick) after each via_poll() and when serve_dhcp_server_next() says so. A message belongs to
 * the interface it came by, or whose address it was sent to. A client that has no address yet and wants no broadcast is
 * answered at its MAC: the neighbour is known for just that message. Process-local; the tables are in the owner's arena. */
#ifndef SERVE_DHCP_SERVER_H
#define SERVE_DHCP_SERVER_H

#include "serve/dhcp_port.h"
#include "svc/dhcp_server.h"

struct serve_dhcp_subnet {
	struct serve_dhcp_subnet *next;
	int ifindex;
	struct dhcp_server engine;
};

struct serve_dhcp_server {
	struct dhcp_port port; /* first */
	struct serve_dhcp_subnet *first;
};

/* wake(ctx): tick is due; may be NULL. 0 or -errno: port 67 is taken. */
int serve_dhcp_server_start(struct serve_dhcp_server *s, struct via *via, void (*wake)(void *ctx), void *ctx);
/* Serve a range on an interface, on which cfg->server is our address. n: the owner's memory, until stop. As dhcp_server_init(). */
int serve_dhcp_server_add(struct serve_dhcp_server *s, struct serve_dhcp_subnet *n, int ifindex, const struct dhcp_server_config *cfg);
void serve_dhcp_server_tick(struct serve_dhcp_server *s, int64_t now);
int64_t serve_dhcp_server_next(const struct serve_dhcp_server *s);
/* The arenas are as they were. */
void serve_dhcp_server_stop(struct serve_dhcp_server *s);

#endif
