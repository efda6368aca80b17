/* net/frag6.h - what is IPv6's own about fragments: is one acceptable, the header of the whole, cutting, ids (RFC 8200 §4.5; RFC 7112;
 * RFC 7739). The engine that puts them together is net/reasm.h; a fragment that is whole by itself (RFC 6946) never gets there. */
#ifndef NET_FRAG6_H
#define NET_FRAG6_H
#include "net/ext6.h"
#include "net/reasm.h"

#define FRAG6_HLEN 8u

/* Key and place of the fragment p, which begins at its IP header h, walked to behind its fragment header. DROP_NONE, or why not, and
 * *error what its sender is told: pieces not of 8 bytes, past 65,535 (§4.5), or a first one without all headers (RFC 7112 §5). */
enum drop frag6_read(struct pktmem *m, struct pkt *p, const struct ip_hdr *h, struct reasm_key *k, struct reasm_fragment *f,
		     struct ext6_error *error);
/* p begins at its payload, all of it, the first fragment's headers in front. Takes its fragment header out; p begins at its IP header
 * and *h, which has any fragment's addresses, is it, to be walked on from behind what was in front of the fragment header. DROP_NONE or
 * DROP_FRAG_BAD: longer than 65,535 bytes. */
enum drop frag6_whole(struct pkt *p, uint8_t ecn, struct ip_hdr *h);
/* Cut p, which is ours, begins at its IP header (m.l3, m.l4 set) and has no extension headers, into fragments of at most `mtu` bytes. As
 * frag4_cut(). */
int frag6_cut(struct pktmem *m, struct pkt *p, uint32_t mtu, uint32_t id, struct pktq *q);

#define FRAG6_IDS 1024u
/* As struct frag4_ids, of 32 bits and by addresses (RFC 7739 §5.3): an id comes again after 2^32 packets, and tells nothing of others. */
struct frag6_ids {
	struct prf_key key;
	uint32_t next[FRAG6_IDS];
};
uint32_t frag6_id(struct frag6_ids *ids, const struct via_addr *src, const struct via_addr *dst);
#endif
