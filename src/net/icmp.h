/* net/icmp.h - ICMP answers and errors: when one is due, what it says, how often (RFC 792, RFC 1122 §3.2.2, RFC 1812 §4.3). */
#ifndef NET_ICMP_H
#define NET_ICMP_H
#include "base/prf.h"
#include "pkt/pkt.h"
#include "wire/icmp4.h"
#include "wire/ip4.h"

/* --- how often: a token bucket per destination, hashed with a secret, for errors and for echo apart (IC4-006) --- */
#define ICMP_BUCKETS 256u
#define ICMP_ERROR_COST_NS (100 * NS_PER_MS) /* on average: 10 errors a second to one destination */
#define ICMP_ERROR_BURST 20
#define ICMP_ECHO_COST_NS (20 * NS_PER_US)   /* 50,000 echo replies a second */
#define ICMP_ECHO_BURST 2000

struct icmp_limit {
	struct prf_key key;
	struct prf_stream random;
	int64_t error_paid[ICMP_BUCKETS]; /* the bucket is full again at this time */
	int64_t echo_paid[ICMP_BUCKETS];
};
void icmp_limit_init(struct icmp_limit *l, struct prf_key key);
/* One more ICMP message to `dst`? Each costs half to one and a half of the mean, at random, so that a third party cannot
 * read the state of the bucket from what it gets (CVE-2020-25705). */
bool icmp_limit_error(struct icmp_limit *l, uint32_t dst, int64_t now);
bool icmp_limit_echo(struct icmp_limit *l, uint32_t dst, int64_t now);

/* --- what --- */
/* May an error be sent about p (m.l3 and m.l4 set; h its IP header)? RFC 1122 §3.2.2: not about an ICMP error, a broadcast
 * or multicast, a fragment but the first, a source that is no host. to_broadcast: the caller knows dst is a broadcast. */
bool icmp_error_is_due(const struct pkt *p, const struct ip4_hdr *h, bool to_broadcast);
/* An error about p: begins (linear, l4) at the ICMP header, quotes as much as fits 576 bytes with 20 of IP header,
 * checksum final; p is borrowed, its partial checksum is finished in the quote. Of a superframe (linear TCP header) the first
 * segment is quoted. NULL when memory is out. */
struct pkt *icmp_error_build(struct pktmem *m, struct pkt *p, uint8_t type, uint8_t code, uint32_t rest);
/* Make the echo request p (begins at the ICMP header, linear) its reply, in place. */
void icmp_echo_turn(struct pkt *p);

/* --- errors that arrive --- */
struct icmp_cause {
	int err;      /* errno, Linux's icmp_err_convert */
	bool hard;    /* may end a connection (RFC 1122 §4.2.3.9), after a sequence check */
	uint32_t mtu; /* not 0: fragmentation needed, the next hop takes this much */
};
/* False: not an error message for a transport (quench, redirect: dropped silently). */
bool icmp_error_cause(const struct icmp4_hdr *h, const struct icmp4_quote *q, struct icmp_cause *out);
#endif
