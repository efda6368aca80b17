/* viaduct/filter.h - what a stack lets pass, in iptables' words, and what a NAT makes of it; given to via_configure().
 *
 * A filter has the three chains of iptables' table "filter". A packet is held against the rules of its chain in order; the
 * first one that fits and has a target decides, else the chain's policy does. A NAT hides who is behind a router: what leaves by
 * its outer interface carries that interface's address (NAT44, RFC 4787), and ports can be forwarded inside. Both know
 * connections; these are counted, capped, and forgotten when they are idle. */
#ifndef VIADUCT_FILTER_H
#define VIADUCT_FILTER_H

#include <stddef.h>
#include <viaduct/types.h>

/* --- the filter: VIA_FILTER_APPEND, VIA_FILTER_POLICY, VIA_FILTER_FLUSH --- */

enum via_chain { VIA_CHAIN_INPUT, VIA_CHAIN_FORWARD, VIA_CHAIN_OUTPUT, VIA_CHAINS /* VIA_FILTER_FLUSH: all */ };
enum via_target { VIA_TARGET_NONE /* counts only */, VIA_TARGET_ACCEPT, VIA_TARGET_DROP, VIA_TARGET_REJECT };
/* What REJECT answers; TCP only: a RST. */
enum via_reject_with {
	VIA_REJECT_PORT_UNREACHABLE, VIA_REJECT_NET_UNREACHABLE, VIA_REJECT_HOST_UNREACHABLE, VIA_REJECT_PROTO_UNREACHABLE,
	VIA_REJECT_NET_PROHIBITED, VIA_REJECT_HOST_PROHIBITED, VIA_REJECT_ADMIN_PROHIBITED, VIA_REJECT_TCP_RESET
};
/* States of a packet's connection. NEW: nothing has come back yet. RELATED: an ICMP error about a packet of one. INVALID: it belongs
 * to none and begins none. SNAT, DNAT: of one whose addresses the NAT changes. */
enum {
	VIA_CT_NEW = 1, VIA_CT_ESTABLISHED = 2, VIA_CT_RELATED = 4, VIA_CT_INVALID = 8, VIA_CT_SNAT = 16, VIA_CT_DNAT = 32,
	VIA_CT_UNTRACKED = 64
};
/* Bits of `invert`: the match that must not hold ("!"). */
enum {
	VIA_NOT_IN = 1, VIA_NOT_OUT = 2, VIA_NOT_SRC = 4, VIA_NOT_DST = 8, VIA_NOT_PROTO = 16, VIA_NOT_SPORT = 32, VIA_NOT_DPORT = 64,
	VIA_NOT_TCP_FLAGS = 128, VIA_NOT_ICMP = 256, VIA_NOT_CTSTATE = 512
};

struct via_filter_rule {
	uint32_t size;
	enum via_chain chain;
	char in[16], out[16];        /* interface names; empty: any */
	bool has_src, has_dst, has_sport, has_dport, has_icmp_type, has_icmp_code;
	struct via_addr src, dst;
	uint8_t src_plen, dst_plen;  /* 0..32 for IPv4, 0..128 for IPv6 */
	uint8_t proto;               /* 0: any */
	uint16_t sport[2], dport[2]; /* first and last */
	uint8_t tcp_mask, tcp_flags; /* of the flags in mask these are set, the others not; mask 0: any */
	uint8_t icmp_type, icmp_code;
	uint8_t ctstate;             /* VIA_CT_ bits; 0: any */
	uint16_t invert;             /* VIA_NOT_ bits */
	uint32_t limit_burst;        /* fits as often at once, and then ... */
	int64_t limit_ns;            /* once in so many ns; 0: always */
	enum via_target target;      /* of a policy: ACCEPT or DROP */
	enum via_reject_with reject;
};

/* --- the NAT: VIA_NAT_ADD, VIA_NAT_FLUSH (rules and connections), VIA_CT_FLUSH (connections) --- */

enum via_nat_kind {
	VIA_NAT_MASQUERADE, /* what leaves by `out` gets its address */
	VIA_NAT_FORWARD     /* ports of the outer address lead inside; needs a masquerade rule for `out` */
};
/* Who may send to a port that an inner host uses (RFC 4787 §5): those it has sent to, or anybody. */
enum via_nat_filtering { VIA_NAT_ADDRESS_AND_PORT_DEPENDENT, VIA_NAT_ENDPOINT_INDEPENDENT };

struct via_nat_rule {
	uint32_t size;
	enum via_nat_kind kind;
	char out[16];                /* the outer interface */
	struct via_addr src;         /* masquerade: inner addresses that are hidden; plen 0: all */
	uint8_t src_plen;
	enum via_nat_filtering filtering;
	uint8_t proto;               /* forward: 6 or 17 */
	uint16_t port[2];            /* first and last of the outer address */
	struct via_addr inner;       /* who gets it */
	uint16_t inner_port;         /* for the first; the others follow */
};

/* --- text --- */

/* Where and why a text is no rule: `what` is a sentence, [at, at + len) the word of the text it is about. */
struct via_filter_error {
	const char *what;
	size_t at, len;
};
/* What follows the word iptables on a command line: "-A FORWARD -p tcp --dport 80 -j ACCEPT", "-P INPUT DROP", "-F". *kind becomes
 * VIA_FILTER_APPEND, VIA_FILTER_POLICY or VIA_FILTER_FLUSH (as an int: enum via_change_kind). 0, or -EINVAL with *err. */
VIA_API int via_filter_parse(const char *text, int *kind, struct via_filter_rule *rule, struct via_filter_error *err);
/* "tcp 80 -> 10.0.0.2:8080", "udp 5000-5010 -> 10.0.0.2": a forward; `out` stays empty. 0, or -EINVAL with *err. */
VIA_API int via_nat_parse_forward(const char *text, struct via_nat_rule *rule, struct via_filter_error *err);

/* --- what there is; each false past the end --- */

struct via_filter_info {
	uint32_t size;
	struct via_filter_rule rule;
	bool is_policy;              /* of the chain; its counters are of what no rule decided */
	uint64_t packets, bytes;
};
VIA_API bool via_filter_get(struct via *v, int n, struct via_filter_info *out);

struct via_nat_info {
	uint32_t size;
	struct via_nat_rule rule;
	uint64_t packets, bytes;     /* that began a connection by it, as in iptables' table "nat" */
};
VIA_API bool via_nat_get(struct via *v, int n, struct via_nat_info *out);

struct via_ct_info {
	uint32_t size;
	uint8_t proto;
	struct via_sockaddr from[2], to[2]; /* as its packets come: [0] by who began, [1] by the other; ports of a ping: its id */
	uint64_t packets[2], bytes[2];
	uint8_t ctstate;             /* NEW or ESTABLISHED, with SNAT or DNAT */
	int64_t expires_ns;          /* from now, if nothing comes */
};
VIA_API bool via_ct_get(struct via *v, int n, struct via_ct_info *out);

#endif
