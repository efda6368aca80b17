/* svc/dhcp_lease.h - what an offer or acknowledgement gives: read from a message, with every value made safe
 * (RFC 2131 §4.4.5; RFC 2132; RFC 3442). */
#ifndef SVC_DHCP_LEASE_H
#define SVC_DHCP_LEASE_H

#include "svc/dhcp_client.h"

/* May a host have this address? Not 0/8, 127/8, multicast or above. */
bool dhcp_addr_is_host(uint32_t a);
/* asked: when the request was sent; the lease counts from then. False: no address, no server or no lease time that can be used.
 * Options that make no sense are as if they were not there: a mask with holes, T1 and T2 out of order (defaults: 0.5 and 0.875 of
 * the lease), routers and name servers that no host can have, an MTU below 68. */
bool dhcp_lease_read(const struct dhcp_msg *m, int64_t asked, struct dhcp_lease *out);

#endif
