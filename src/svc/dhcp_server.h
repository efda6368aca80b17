/* svc/dhcp_server.h - the server's half of DHCPv4 for one subnet: a range of addresses and who has them (RFC 2131 §4.3).
 *
 * A machine without clock or sockets: bytes in, at most one reply out. The table has one entry per address, in an arena. An
 * address is free, offered for a minute, leased, or declined (somebody else was found to have it) for ten minutes. Clients
 * keep theirs: an entry that ran out remembers its client until another one needs it, the longest unused first.
 *
 * Nothing is kept on disk. A server that began again does not know its leases, so it believes a client that says it has an
 * address of the range, if nobody else is known to have it (as dnsmasq's --dhcp-authoritative), and such a client is told "no"
 * when the address is of another network. Clients check offered addresses by ARP (RFC 2131 §2.2 lets either side).
 * Limits: DHCP_RANGE_MAX addresses; clients are known by a keyed 64-bit hash of their identifier. Work per message is O(1). */
#ifndef SVC_DHCP_SERVER_H
#define SVC_DHCP_SERVER_H

#include "base/list.h"
#include "base/prf.h"
#include "wire/dhcp.h"

#define DHCP_RANGE_MAX 65536u
#define DHCP_SERVER_DNS_MAX 4
#define DHCP_DOMAIN_MAX 63
#define DHCP_REPLY_MAX 1024 /* more than DHCP_MSG_MAX only for a client whose own identifier is that long */

/* Addresses in host byte order. */
struct dhcp_server_config {
	struct arena *arena;    /* borrowed; 48 bytes an address */
	struct prf_key key;     /* for the table of clients */
	uint32_t server;        /* our address on the link */
	uint8_t plen;           /* and its prefix: the subnet */
	uint32_t first, last;   /* the range, both included, inside the subnet */
	uint32_t router;        /* 0: none is told; also the next three */
	uint32_t dns[DHCP_SERVER_DNS_MAX];
	int n_dns;
	uint16_t mtu;
	char domain[DHCP_DOMAIN_MAX + 1];
	uint32_t lease_s;       /* 0: an hour; UINT32_MAX: for ever */
};

enum dhcp_binding_state { DHCP_FREE, DHCP_OFFERED, DHCP_LEASED, DHCP_DECLINED, DHCP_BINDING_STATES };

struct dhcp_server {
	struct dhcp_server_config cfg;
	ref_t bindings;          /* one per address */
	ref_t buckets;           /* by client */
	uint32_t n, n_buckets;
	struct list list[DHCP_BINDING_STATES]; /* each in the order in which its entries run out */
	uint64_t n_ignored, n_full, n_naks;    /* what was not for us or not well formed; no address was left; refusals */
};

enum dhcp_way {
	DHCP_TO_LINK,    /* broadcast on the client's link */
	DHCP_TO_MAC,     /* to `addr`, which the client does not have yet, at `mac` */
	DHCP_TO_ADDR     /* to `addr`, an ordinary datagram */
};
struct dhcp_reply {
	uint16_t len;    /* 0: none */
	enum dhcp_way way;
	uint32_t addr;
	uint16_t port;
	uint8_t mac[6];
	uint8_t msg[DHCP_REPLY_MAX];
};

struct dhcp_binding_info {
	uint32_t addr;
	enum dhcp_binding_state state;
	uint8_t mac[6];
	int64_t expiry;
};

/* 0, -EINVAL: no such range; -ENOMEM. */
int dhcp_server_init(struct dhcp_server *s, const struct dhcp_server_config *cfg);
/* The arena is as it was. */
void dhcp_server_free(struct dhcp_server *s);
/* A datagram for port 67 that came by our link or from a relay. */
void dhcp_server_input(struct dhcp_server *s, const uint8_t *p, size_t len, int64_t now, struct dhcp_reply *out);
/* The n-th address of the range. False past the end. */
bool dhcp_server_get(const struct dhcp_server *s, uint32_t n, int64_t now, struct dhcp_binding_info *out);

#endif
