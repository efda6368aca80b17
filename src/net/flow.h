/* net/flow.h - a flow's keyed hash: the same for all packets of one flow, so that it keeps its path and its queue. */
#ifndef NET_FLOW_H
#define NET_FLOW_H
#include "base/prf.h"
#include "net/ip.h"
#include "pkt/pkt.h"

/* ports: source << 16 | destination, 0 for protocols without. Never 0. */
uint32_t flow_hash(struct prf_key key, const struct via_addr *src, const struct via_addr *dst, uint8_t proto, uint32_t ports);
/* The same from a packet whose IP header is h and whose m.l4 is set; kept in m.flow_hash. */
uint32_t flow_hash_of(struct prf_key key, struct pkt *p, const struct ip_hdr *h);
/* The IPv6 flow label of a flow with this hash, never 0: 20 bits under a key of their own, so that labels tell nothing of the hash, and
 * those of one destination nothing of another's (RFC 6437 §3; CVE-2019-18282). */
uint32_t flow_label(struct prf_key key, uint32_t hash);
#endif
