/* net/gso.h - cut a superframe into packets that fit (software GSO), IP and TCP headers renewed, checksums finished. */
#ifndef NET_GSO_H
#define NET_GSO_H
#include "pkt/pkt.h"

#define GSO_UNIT_MIN 88u /* the least TCP options and payload of a segment (TCP-014) */

/* Takes p (m.gso_size != 0, m.l3 and m.l4 set; bytes before l3 are repeated as they are) and appends the cuts to q, each with its
 * own IP id, length, TCP sequence number; FIN and PSH on the last only, CWR on the first only. Metadata is copied, id
 * fresh, owner_seq_end of the last one is p's and the others 0. -ENOMEM: p is freed, what was cut so far is in q. */
int gso_cut(struct pktmem *m, struct pkt *p, struct pktq *q);
/* Make the superframe's IP header at `ip`, of either family, that of its cut number i, whose IP packet has len bytes. */
void gso_ip_header(uint8_t *ip, uint32_t len, uint32_t i);
/* Pseudo-header sum of a TCP segment of l4_len bytes behind the IP header at `ip`. */
uint64_t gso_tcp_pseudo(const uint8_t *ip, uint32_t l4_len);
#endif
