/* net/frag4.h - what is IPv4's own about fragments: is one acceptable, the header of the whole, cutting, ids.
 * RFC 791 §3.2; RFC 1858, RFC 3128; RFC 6864. The engine that puts them together is net/reasm.h. */
#ifndef NET_FRAG4_H
#define NET_FRAG4_H
#include "net/ip.h"
#include "net/reasm.h"

/* Key and place of the fragment p, which begins at its IP header h. DROP_NONE or DROP_FRAG_TINY: the first one must hold the
 * whole transport header, and none may lie inside TCP's (RFC 1858 §3.2.1, RFC 3128). */
enum drop frag4_read(struct pktmem *m, struct pkt *p, const struct ip_hdr *h, struct reasm_key *k, struct reasm_fragment *f);
/* p begins at its payload, all of it, the first fragment's IP header in front. Makes it a whole packet, beginning at that header,
 * and fills *h. DROP_NONE or DROP_FRAG_BAD: longer than 65,535 bytes. */
enum drop frag4_whole(struct pkt *p, uint8_t ecn, struct ip_hdr *h);

/* Cut p, which begins at its IP header (m.l3, m.l4 set) and may be cut, into fragments of at most `mtu` bytes; a fragment is cut
 * as well. Options go into all of them or only the first by their copy bit. Payload is referred to, not copied, where it
 * lies in blocks. Takes p and puts its fragments behind q in order. -EMSGSIZE (mtu below a header and 8 bytes), -ENOMEM:
 * nothing is put, and p stays the caller's. */
int frag4_cut(struct pktmem *m, struct pkt *p, uint32_t mtu, struct pktq *q);
/* A fragment of either family: the header `ip` of hlen bytes and n bytes of p from off on (counted from its front). NULL when
 * memory is out. */
struct pkt *frag_piece(struct pktmem *m, const struct pkt *p, const uint8_t *ip, uint32_t hlen, uint32_t off, uint32_t n);
/* Fragments that frag4_cut() would make, at most. */
uint32_t frag4_count(uint32_t len, uint32_t hlen, uint32_t mtu);

/* --- ids of packets that may be cut (RFC 6864 §4.3; RFC 7739 §5.3) --- */
#define FRAG4_IDS 1024u
/* Counters that destinations share, and for each triple an offset that only we know: ids of one triple do not repeat within
 * 65,536 packets, whatever others send, and nobody can tell another triple's. */
struct frag4_ids {
	struct prf_key key;
	uint16_t next[FRAG4_IDS];
};
uint16_t frag4_id(struct frag4_ids *ids, uint32_t src, uint32_t dst, uint8_t proto);
#endif
