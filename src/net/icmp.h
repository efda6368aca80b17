/* net/icmp.h - ICMP answers and errors of both families: when one is due, what it says, how often (RFC 792, RFC 1122 §3.2.2,
 * RFC 1812 §4.3, RFC 4443). */
#ifndef NET_ICMP_H
#define NET_ICMP_H
#include "base/prf.h"
#include "net/ip.h"
#include "pkt/pkt.h"
#include "wire/icmp4.h"
#include "wire/icmp6.h"

/* --- how often: token buckets per destination, for errors and for echo apart (IC4-006, IC6-003) ---
 * A destination has a bucket in each of ICMP_ROWS tables, by a keyed hash, and gets its message while one of them has room: so who shares
 * one bucket, or two, with somebody else feels nothing of it. The key changes every ICMP_REKEY_NS: an address that shares all of them
 * (one in 16 million) would have to be found and used within that time. */
#define ICMP_BUCKETS 256u
#define ICMP_ROWS 3u
#define ICMP_REKEY_NS (60 * NS_PER_S)
#define ICMP_ERROR_COST_NS (100 * NS_PER_MS) /* on average: 10 errors a second to one destination */
#define ICMP_ERROR_BURST 20
#define ICMP_ECHO_COST_NS (20 * NS_PER_US)   /* 50,000 echo replies a second */
#define ICMP_ECHO_BURST 2000

struct icmp_limit {
	struct prf_key key;
	struct prf_stream random;
	int64_t rekey_at;                            /* 0: not used yet */
	int64_t error_paid[ICMP_ROWS][ICMP_BUCKETS]; /* the bucket is full again at this time */
	int64_t echo_paid[ICMP_ROWS][ICMP_BUCKETS];
};
void icmp_limit_init(struct icmp_limit *l, struct prf_key key);
/* One more ICMP message to `dst`? Each costs half to one and a half of the mean, at random, so that a third party cannot
 * read the state of the bucket from what it gets (CVE-2020-25705). */
bool icmp_limit_error(struct icmp_limit *l, const struct via_addr *dst, int64_t now);
bool icmp_limit_echo(struct icmp_limit *l, const struct via_addr *dst, int64_t now);

/* --- what --- */
/* What an error says, in words that both families have numbers for (icmp.c's table). */
enum icmp_say {
	ICMP_SAY_NO_ROUTE,     /* no route; rest 0 */
	ICMP_SAY_NO_HOST,      /* the neighbour does not answer */
	ICMP_SAY_NO_PROTOCOL,  /* no such transport here; IPv6 (rest: where its number stands) calls it a parameter problem */
	ICMP_SAY_NO_PORT,
	ICMP_SAY_TOO_BIG,      /* rest: MTU of the next link */
	ICMP_SAY_NET_PROHIBITED, ICMP_SAY_HOST_PROHIBITED, ICMP_SAY_FILTERED, /* by somebody's will; IPv6 has one number for them */
	ICMP_SAY_REJECT_ROUTE, /* a route says that there is no way; IPv4: host unreachable */
	ICMP_SAY_BAD_SOURCE,   /* the source may not come this way; IPv4: filtered */
	ICMP_SAY_BEYOND_SCOPE, /* a link-local source would leave its link; IPv4: host unreachable */
	ICMP_SAY_TTL, ICMP_SAY_REASSEMBLY, /* time exceeded */
	ICMP_SAY_REDIRECT,     /* IPv4 only; rest: the gateway */
	ICMP_SAY_BAD_FIELD, ICMP_SAY_BAD_OPTION, ICMP_SAY_BAD_CHAIN, /* parameter problem; rest: where in the packet */
	ICMP_SAY_COUNT
};
/* How `say` is said to h's sender. rest is what goes into the message. False: this family has no such message. */
bool icmp_say(enum icmp_say say, bool is_v6, uint32_t rest, struct icmp4_hdr *out);
/* The word nearest to code `code` of IPv4's unreachable, or ICMP_SAY_COUNT: it says something else, or nothing known. */
enum icmp_say icmp_say_unreach4(uint8_t code);

/* May an error that says this be sent about p (begins at its IP header h, m.l4 set)? RFC 1122 §3.2.2, RFC 4443 §2.4(e): not about an
 * ICMP error, a broadcast or multicast (IPv6: but for too big and a bad option), an IPv4 fragment but the first, a source that is no host.
 * to_broadcast: the caller knows dst is a broadcast. */
bool icmp_error_is_due(const struct pktmem *m, const struct pkt *p, const struct ip_hdr *h, bool to_broadcast, enum icmp_say say);
/* An error about p, of its family, that says what m has: begins (linear, l4) at the ICMP header, quotes as much as fits 576 bytes
 * with 20 of IP header, or IPv6's 1280 with 40; p is borrowed, its partial checksum is finished in the quote. Of a superframe (linear
 * TCP header) the first segment is quoted. IPv4's checksum is final, IPv6's field 0: it needs both addresses (icmp6_csum_partial()).
 * NULL when memory is out. */
struct pkt *icmp_error_build(struct pktmem *mem, struct pkt *p, const struct icmp4_hdr *m);
/* Make the echo request p (begins at the ICMP header, linear) its reply, in place, as above about the checksum. */
void icmp_echo_turn(struct pkt *p, bool is_v6);
/* p begins at an ICMPv6 header: its checksum becomes a partial one between these addresses. */
void icmp6_csum_partial(struct pkt *p, const struct via_addr *local, const struct via_addr *remote);

/* --- errors that arrive --- */
struct icmp_quote {
	struct via_addr src, dst;
	uint32_t total_len;
	uint32_t seq;          /* TCP */
	uint16_t sport, dport; /* TCP, UDP; for a quoted echo: id in sport */
	uint8_t proto;         /* ICMP is 1 in either family, as sockets have it */
};
#define ICMP_QUOTE_BYTES (IP6_HLEN + 8 * 8 + 8u) /* as much of a quote is read: IPv6 has room for some extension headers */
/* What is quoted in the len bytes behind an ICMP header of that family; zone as ip_input(). False: it names no packet of a transport. */
bool icmp_quote_read(bool is_v6, uint32_t zone, const uint8_t *bytes, size_t len, struct icmp_quote *q);
struct icmp_cause {
	int err;      /* errno, as Linux's icmp_err_convert and icmpv6_err_convert but for ICMP6_REJECT_ROUTE: EHOSTUNREACH */
	bool hard;    /* may end a connection (RFC 1122 §4.2.3.9), after a sequence check */
	uint32_t mtu; /* not 0: it was too big, the next hop takes this much */
};
/* h: of either family (both headers are alike). False: not an error message for a transport (quench, redirect, unknown: dropped
 * silently; an unknown IPv6 one is passed up as EPROTO, RFC 4443 §2.4(a)). */
bool icmp_error_cause(bool is_v6, const struct icmp4_hdr *h, const struct icmp_quote *q, struct icmp_cause *out);
#endif
