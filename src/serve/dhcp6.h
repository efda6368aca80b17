/* serve/dhcp6.h - svc/dhcp6_info on the interfaces of one stack: name servers by stateless DHCPv6, asked for and told.
 *
 * The interface needs a link-local address (VIA_SET_IPV6, or configured). The owner tells the time as to dhcp_client.h. The server is
 * a member of ff02::1:2, all DHCP relay agents and servers, on each interface it serves (RFC 8415 §7.1). */
#ifndef SERVE_DHCP6_H
#define SERVE_DHCP6_H

#include "serve/dhcp_port.h"
#include "svc/dhcp6_info.h"

struct serve_dhcp6_client {
	struct dhcp_port port; /* first */
	int ifindex;
	struct dhcp6_client engine;
	void (*changed)(void *ctx, int ifindex, const struct dhcp6_info *info); /* it is new; may be NULL */
};

/* key: secret. changed(ctx), wake(ctx): may be NULL. 0, -ENODEV, -EINVAL: no Ethernet, or -errno: port 546 is taken. */
int serve_dhcp6_client_start(struct serve_dhcp6_client *s, struct via *via, int ifindex, struct prf_key key, int64_t now,
			     void (*changed)(void *ctx, int ifindex, const struct dhcp6_info *info), void (*wake)(void *ctx), void *ctx);
void serve_dhcp6_client_tick(struct serve_dhcp6_client *s, int64_t now);
int64_t serve_dhcp6_client_next(const struct serve_dhcp6_client *s);
void serve_dhcp6_client_stop(struct serve_dhcp6_client *s);

/* One interface; the owner's memory, until stop. */
struct serve_dhcp6_link {
	struct serve_dhcp6_link *next;
	int ifindex;
	struct dhcp6_server_config cfg;
};
struct serve_dhcp6_server {
	struct dhcp_port port; /* first */
	struct serve_dhcp6_link *first;
};

/* 0 or -errno: port 547 is taken. */
int serve_dhcp6_server_start(struct serve_dhcp6_server *s, struct via *via, void (*wake)(void *ctx), void *ctx);
/* Tell this on an Ethernet interface. 0, -ENODEV, -EINVAL, or why the group could not be joined. */
int serve_dhcp6_server_add(struct serve_dhcp6_server *s, struct serve_dhcp6_link *l, int ifindex, const struct dhcp6_info *info);
void serve_dhcp6_server_tick(struct serve_dhcp6_server *s, int64_t now);
int64_t serve_dhcp6_server_next(const struct serve_dhcp6_server *s);
void serve_dhcp6_server_stop(struct serve_dhcp6_server *s);

#endif
