/* net/ip_input.h - is an arriving IPv4 packet well-formed, and may its addresses come this way? */
#ifndef NET_IP_INPUT_H
#define NET_IP_INPUT_H
#include "pkt/pkt.h"
#include "wire/ip4.h"

/* p begins at its IP header. Makes the header linear, checks it (IP4-001, -002, -007, RT4-002), cuts padding, sets m.l3,
 * m.l4 and m.ecn. DROP_NONE and *h, or why not; p stays the caller's. */
enum drop ip_input(struct pktmem *m, struct pkt *p, struct ip4_hdr *h);
/* Addresses (IP4-003, IP4-004, RT4-007): is_loopback says that it came through the loopback interface. */
enum drop ip_input_addresses(const struct ip4_hdr *h, bool is_loopback);
#endif
