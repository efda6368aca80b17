/* net/ext6.h - IPv6 extension headers, one after the other (RFC 8200 §4; RFC 8504 §5.3; RFC 5095).
 *
 * A walk goes on from where h stands (hlen, proto) and stops at the transport, or behind a fragment header whose packet must be put
 * together first; then it goes on from there. Limits are counted over the whole packet, so no packet costs more than they say. */
#ifndef NET_EXT6_H
#define NET_EXT6_H
#include "net/icmp.h"

#define EXT6_HEADERS_DEFAULT 8u
#define EXT6_OPTIONS_DEFAULT 8u /* of one header, padding not counted; Linux's max_dst_opts_number */
#define EXT6_SKIP_MAX 255         /* headers that are stepped over: as many as a limit may allow */
#define EXT6_PAD_MAX 7u         /* bytes of padding together: no alignment needs more (RFC 8504 §5.3, Linux) */

struct ext6_limits {
	uint8_t headers, options;
};
/* What the walk has to say to the sender when it ends in a drop. */
struct ext6_error {
	bool is_due;
	enum icmp_say say;
	uint32_t at; /* of the offending field, from the IP header on */
};
struct ext6_walk {
	struct ext6_limits limits;
	uint8_t n; /* headers so far */
	struct ext6_error error;
};

/* p begins at its IP header *h. Processes headers and moves h->hlen, proto, next_at and p->m.l4 behind them, all linear. only_hops: no
 * more than the hop-by-hop header, as a router does. DROP_NONE: the transport, or h is a fragment. Else why, and w->error. */
enum drop ext6_walk(struct pktmem *m, struct pkt *p, struct ip_hdr *h, bool only_hops, struct ext6_walk *w);
/* Step over the headers from `at` (counted from p's front) with number `next` on, obeying none. The transport's number, or -1: it is not in
 * p, or behind more than EXT6_SKIP_MAX. *at: where it begins; *is_later: it is of a fragment but the first. */
int ext6_skip(const struct pktmem *m, const struct pkt *p, uint8_t next, uint32_t *at, bool *is_later);
#endif
