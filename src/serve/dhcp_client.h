/* serve/dhcp_client.h - svc/dhcp_client on the interfaces of one stack: addresses, routes and the MTU come and go with leases.
 *
 *   tick -> port 68 -> svc/dhcp_client -> what it says is done: send; probe for the address (RFC 5227, so a lease is in use five to
 *   seven seconds after it was given); take it with routes and MTU, and tell the owner; or drop it, with its connections.
 *
 * The owner tells the time (serve_dhcp_client_tick) after each via_poll() and at serve_dhcp_client_next() at the latest. An address that
 * somebody else turns out to have later is declined, too. An MTU below 576 is not believed, as other clients do. Interfaces
 * that are each given a default route share it. Limits: RFC 2131's client without INFORM and without a lease file. */
#ifndef SERVE_DHCP_CLIENT_H
#define SERVE_DHCP_CLIENT_H

#include "serve/dhcp_port.h"
#include "svc/dhcp_client.h"

struct serve_dhcp_iface;

struct serve_dhcp_client_config {
	struct via *via;       /* borrowed */
	struct prf_key key;    /* secret */
	const char *hostname;  /* told to servers; copied; may be NULL */
	/* A lease holds from now on, or holds now with other options; NULL: none does any more. May be NULL. */
	void (*changed)(void *ctx, int ifindex, const struct dhcp_lease *l);
	void (*wake)(void *ctx); /* tick() is due; may be NULL */
	void *ctx;
};

struct serve_dhcp_client {
	struct dhcp_port port; /* first */
	struct serve_dhcp_client_config cfg;
	char hostname[DHCP_NAME_MAX + 1];
	struct serve_dhcp_iface *first;
};

/* One interface; the owner's memory, until stop. */
struct serve_dhcp_iface {
	struct serve_dhcp_iface *next;
	int ifindex;
	bool is_up;                 /* the link, when it was looked at last */
	struct dhcp_client engine;
	struct dhcp_lease in_use;   /* what the stack was given; addr 0: nothing */
	uint32_t routes;            /* bit per route of in_use that the stack took */
};

/* 0 or -errno: port 68 is taken. */
int serve_dhcp_client_start(struct serve_dhcp_client *s, const struct serve_dhcp_client_config *cfg);
/* Ask for an address for an interface. i: borrowed until stop. known: an address of an earlier life, or 0. 0, -ENODEV, -EINVAL: it is no
 * Ethernet. */
int serve_dhcp_client_add(struct serve_dhcp_client *s, struct serve_dhcp_iface *i, int ifindex, uint32_t known, int64_t now);
void serve_dhcp_client_tick(struct serve_dhcp_client *s, int64_t now);
/* When tick is due; in the past: at once. */
int64_t serve_dhcp_client_next(const struct serve_dhcp_client *s);
/* The lease of an interface, or NULL. */
const struct dhcp_lease *serve_dhcp_client_lease(const struct serve_dhcp_client *s, int ifindex);
/* All addresses go; release: and are given back to their servers. */
void serve_dhcp_client_stop(struct serve_dhcp_client *s, bool release, int64_t now);

#endif
