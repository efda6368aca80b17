/* svc/dhcp6_info.h - stateless DHCPv6, both halves: who configures its addresses itself asks for name servers (RFC 8415 §6.1, §18.2.6,
 * §18.3.6).
 *
 * Machines without clock or sockets, as DHCPv4's (dhcp_client.h). The client waits up to a second, sends INFORMATION-REQUEST to all
 * servers on the link (ff02::1:2, port 547), again after 1, 2, 4 ... seconds (a tenth more or less, at most an hour), and asks anew when
 * what it was told has lived its time. Only a REPLY with its transaction id, its own identifier and a server's counts. The server
 * answers each request by itself; it keeps nothing. Identifiers are DUID-LL (§11.4). No relays, no addresses, no authentication. */
#ifndef SVC_DHCP6_INFO_H
#define SVC_DHCP6_INFO_H

#include "base/prf.h"
#include "wire/dhcp6.h"
#include <viaduct/types.h>

#define DHCP6_DNS_MAX 3
#define DHCP6_REFRESH_DEFAULT_S 86400u
#define DHCP6_REFRESH_MIN_S 600u

struct dhcp6_info {
	int n_dns;
	struct via_addr dns[DHCP6_DNS_MAX];
	uint32_t refresh_s; /* UINT32_MAX: for ever */
};

struct dhcp6_client {
	struct prf_stream random;
	uint8_t mac[6];
	bool is_known;      /* info holds */
	uint32_t xid, max_rt_s;
	int64_t began;      /* the first message of this exchange; meaningful while rt_ns */
	int64_t rt_ns;      /* until the last message was repeated; 0: none was sent yet */
	int64_t deadline;   /* when dhcp6_client_timeout() is due; TIME_NEVER: never */
	struct dhcp6_info info;
	uint64_t n_ignored;
};

/* Begin: a message leaves within a second. */
void dhcp6_client_start(struct dhcp6_client *c, const uint8_t mac[6], struct prf_key key, int64_t now);
/* The length of the message that is due, in out, or 0. */
size_t dhcp6_client_timeout(struct dhcp6_client *c, int64_t now, uint8_t out[DHCP6_MSG_MAX]);
/* A datagram for port 546. True: c->info is new. */
bool dhcp6_client_input(struct dhcp6_client *c, const uint8_t *p, size_t len, int64_t now);

struct dhcp6_server_config {
	uint8_t mac[6];
	struct dhcp6_info info; /* refresh_s 0: not said */
};
/* The answer to a datagram for port 547, to be sent to where it came from (link-local); its length, or 0: none. */
size_t dhcp6_server_input(const struct dhcp6_server_config *s, const uint8_t *p, size_t len, uint8_t out[DHCP6_MSG_MAX]);

#endif
