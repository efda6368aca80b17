/* net/forward.h - what a router does to a packet between choosing its way and sending it (RFC 1812 §5.2, §5.3). */
#ifndef NET_FORWARD_H
#define NET_FORWARD_H
#include "net/ip.h"
#include "pkt/pkt.h"

/* May it be forwarded at all? Link broadcast, multicast, link-local and limited broadcast may not (RT4-006, RT4-009);
 * DROP_IP_SCOPE: an IPv6 source that means nothing behind this router (beyond scope is due). */
enum drop forward_may(const struct pkt *p, const struct ip_hdr *h);
/* Bytes of the largest IP packet p becomes on a link that cuts superframes: its segments count, not itself. */
uint32_t forward_unit(const struct pkt *p, const struct ip_hdr *h);
/* Is p (m.l3 set) an ICMP error message? */
bool forward_is_icmp_error(const struct pkt *p, const struct ip_hdr *h);
/* Lower TTL or hop limit, in place. DROP_NONE or DROP_IP_TTL (then p is untouched: time exceeded is due). */
enum drop forward_ttl(struct pkt *p, struct ip_hdr *h);
#endif
