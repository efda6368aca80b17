/* net/ip_input.h - is an arriving IP packet well-formed, and may its addresses come this way? */
#ifndef NET_IP_INPUT_H
#define NET_IP_INPUT_H
#include "net/ip.h"
#include "pkt/pkt.h"

/* p begins at its IP header. Makes the header linear (of IPv6 the 40 bytes), checks it (IP4-001, -002, -007, RT4-002, IP6-001), cuts
 * padding, sets m.l3, m.l4 and m.ecn. ethertype: what the link said it is, or 0. zone: the interface whose link-local addresses these
 * are. DROP_NONE and *h, or why not; p stays the caller's. */
enum drop ip_input(struct pktmem *m, struct pkt *p, uint16_t ethertype, uint32_t zone, struct ip_hdr *h);
/* Addresses (IP4-003, IP4-004, RT4-007, IP6-001): is_loopback says that it came through the loopback interface. */
enum drop ip_input_addresses(const struct ip_hdr *h, bool is_loopback);
#endif
