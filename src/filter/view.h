/* filter/view.h - what NAT and filter see of a packet, and the way they change it.
 *
 * One reading for both families: addresses of 16 bytes, the transport's ports, and of an ICMP error the packet it quotes. A quote
 * is turned round, so `t` of an error is the tuple of a packet that would travel the same way: an error belongs to the connection
 * and the direction that its tuple names (RFC 5508 §4). */
#ifndef FILTER_VIEW_H
#define FILTER_VIEW_H

#include "filter/tuple.h"
#include "pkt/pkt.h"
#include "wire/icmp4.h"
#include "wire/icmp6.h"

enum view_kind {
	VIEW_FLOW,      /* of a connection, t says which */
	VIEW_ERROR,     /* an ICMP error; t is the inverse of what it quotes */
	VIEW_UNTRACKED, /* of none by its nature: a later fragment, neighbour discovery, a redirect */
	VIEW_INVALID,   /* cut short, impossible flags, or an error whose quote cannot be read */
};
enum view_side { VIEW_SRC, VIEW_DST };

struct view {
	enum view_kind kind;
	struct ct_tuple t;
	struct via_addr src, dst;      /* of the packet itself */
	uint16_t sport, dport;         /* of the packet itself, if has_ports */
	uint8_t proto;                 /* of the packet itself */
	uint8_t tcp_flags;
	uint8_t icmp_type, icmp_code;  /* if is_icmp */
	bool has_ports, is_icmp;
	uint16_t l3, l4;               /* offsets from linear[0] */
	uint16_t q_l3, q_l4, q_end;    /* of the quote: its headers, and the end of what is linear of it */
};

/* An ICMP question, and its answer that carries the same id: echo; timestamp, information, mask (RFC 792, RFC 950). */
static inline bool view_icmp4_asks(uint8_t type) { return type == ICMP4_ECHO || type == 13 || type == 15 || type == 17; }
static inline bool view_icmp4_answers(uint8_t type) { return type == ICMP4_ECHO_REPLY || type == 14 || type == 16 || type == 18; }

/* Read p, which begins at its IP header; what will be changed is made linear. False: memory is out. */
bool view_read(struct pktmem *m, struct pkt *p, struct view *w);
/* May the packet begin a connection? A TCP SYN, a datagram, an echo request; not an answer. */
bool view_may_begin(const struct view *w);
/* Is an error's checksum right, and that of the header it quotes (RFC 5508 REQ-3)? */
bool view_error_is_sound(const struct pktmem *m, const struct pkt *p, const struct view *w);

/* --- rewrite.c --- */
/* The packet's source or destination becomes (addr, port), checksums kept right by RFC 1624; of an ICMP error its own address and
 * that of the quote's opposite side (RFC 5508 REQ-4, REQ-5). IPv4 only. w is read anew. */
void view_rewrite(struct pkt *p, struct view *w, enum view_side side, const struct via_addr *addr, uint16_t port);

#endif
