/* svc/dhcp_client.h - the client's half of DHCPv4 for one interface (RFC 2131 §3, §4.4; RFC 3442, 5227, 6842).
 *
 * A machine without clock, sockets or memory of its own: each call is told the time and fills in a struct dhcp_do, which says
 * what to send and what to do with an address. Randomness comes from the seed in the configuration. The owner calls
 * dhcp_client_timeout() at c->deadline, whenever that is after the last call.
 *
 *   INIT -discover-> SELECTING -request-> REQUESTING -ack-> CHECKING -nobody else has it-> BOUND -T1-> RENEWING -T2-> REBINDING
 *   known address: REBOOTING -ack-> CHECKING. A nak, or the lease's end: the address is dropped, INIT. A conflict: decline, 10 s.
 *
 * The first offer is taken. No wait before the first message (§4.4.1 has one to ten seconds, against all hosts of a building
 * starting at once). Numbers: addresses in host byte order, times in ns. */
#ifndef SVC_DHCP_CLIENT_H
#define SVC_DHCP_CLIENT_H

#include "base/prf.h"
#include "wire/dhcp.h"

#define DHCP_ROUTES_MAX 8
#define DHCP_DNS_MAX 3
#define DHCP_NAME_MAX 63

enum dhcp_state {
	DHCP_STOPPED, DHCP_INIT, DHCP_SELECTING, DHCP_REQUESTING, DHCP_REBOOTING, DHCP_CHECKING, DHCP_BOUND, DHCP_RENEWING, DHCP_REBINDING
};

struct dhcp_route {
	uint32_t net;
	uint8_t plen;
	uint32_t gateway; /* 0: on link */
};
/* What the server gave. */
struct dhcp_lease {
	uint32_t addr, server;
	uint8_t plen;
	uint8_t n_routes, n_dns;
	struct dhcp_route routes[DHCP_ROUTES_MAX];
	uint32_t dns[DHCP_DNS_MAX];
	uint16_t mtu;      /* 0: not said */
	uint32_t lease_s;  /* UINT32_MAX: for ever */
	int64_t t1, t2, expiry; /* when; TIME_NEVER: never */
};

struct dhcp_client_config {
	uint8_t mac[6];
	struct prf_key key;            /* for transaction ids and waits: secret */
	char hostname[DHCP_NAME_MAX + 1]; /* told to the server; may be empty */
	uint32_t known;                /* an address of an earlier life, asked for first (INIT-REBOOT); 0: none */
};

struct dhcp_client {
	struct dhcp_client_config cfg;
	struct prf_stream random;
	enum dhcp_state state;
	uint32_t xid;
	bool has_addr;        /* lease.addr is in use */
	uint8_t tries, naks;  /* messages of this state; naks in a row */
	int64_t deadline;     /* when dhcp_client_timeout() is due; TIME_NEVER: never */
	int64_t began;        /* this acquisition, for secs */
	int64_t asked;        /* when the request in flight was sent: leases count from then (§4.4.5) */
	struct dhcp_lease lease;
	uint64_t n_ignored;   /* replies that matched nothing asked */
};

enum dhcp_act {
	DHCP_ACT_NONE,
	DHCP_ACT_CHECK, /* does anybody have lease.addr? Answer by dhcp_client_checked() */
	DHCP_ACT_USE,   /* lease holds now: address, routes, name servers, MTU, or some of them changed */
	DHCP_ACT_DROP   /* addr is not ours any more */
};
/* A message to a server's own address (`to`) is sent before `act` is done, for it may be the last from our address; a broadcast
 * is sent after it. */
struct dhcp_do {
	enum dhcp_act act;
	uint32_t addr;     /* of DHCP_ACT_CHECK and DHCP_ACT_DROP */
	uint16_t len;      /* 0: nothing to send */
	uint32_t to;       /* the server's address; 0: broadcast, from 0.0.0.0 while no address is in use */
	uint8_t msg[DHCP_MSG_MAX];
};

/* Begin. c: fresh. */
void dhcp_client_start(struct dhcp_client *c, const struct dhcp_client_config *cfg, int64_t now, struct dhcp_do *out);
/* Stop. release: give the lease back to its server, if it is in use (§4.4.6). */
void dhcp_client_stop(struct dhcp_client *c, bool release, int64_t now, struct dhcp_do *out);
/* A datagram came for our port. What matches no request of ours in every field is counted, no more (HARD-04). */
void dhcp_client_input(struct dhcp_client *c, const uint8_t *p, size_t len, uint32_t from, uint16_t port, int64_t now,
		       struct dhcp_do *out);
void dhcp_client_timeout(struct dhcp_client *c, int64_t now, struct dhcp_do *out);
/* The answer to DHCP_ACT_CHECK; or, later, that somebody else has turned out to have the address (conflict). */
void dhcp_client_checked(struct dhcp_client *c, bool is_conflict, int64_t now, struct dhcp_do *out);
/* The link came back: is the lease still good here (§3.7)? */
void dhcp_client_link_up(struct dhcp_client *c, int64_t now, struct dhcp_do *out);

#endif
