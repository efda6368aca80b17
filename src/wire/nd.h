/* wire/nd.h - the five messages of neighbour discovery and their options (RFC 4861 §4; RFC 4191 §2.2; RFC 3971 §5.3.2).
 *
 * One struct for all five, whole or not at all: nd_parse() makes every check a receiver must make of the bytes and addresses alone
 * (§6.1, §7.1, §8.1; RFC 6980 §5), nd_emit() writes what nd_parse() reads. The ICMPv6 checksum is the caller's, both ways. */
#ifndef WIRE_ND_H
#define WIRE_ND_H
#include "base/bytes.h"
#include <viaduct/types.h>

enum nd_type { ND_RS = 133, ND_RA, ND_NS, ND_NA, ND_REDIRECT };

#define ND_PREFIXES_MAX 16  /* of one advertisement; further ones are not read */
#define ND_NONCE_LEN 6u
#define ND_LIFETIME_INF UINT32_MAX
#define ND_EMIT_MAX (40u + 8u + 8u + ND_PREFIXES_MAX * 32u + 8u) /* of a message without a quote */

enum nd_preference { ND_PREF_LOW = -1, ND_PREF_MEDIUM, ND_PREF_HIGH };

struct nd_prefix {
	struct via_addr prefix; /* as it came: bits past plen too */
	uint8_t plen;
	bool on_link, autonomous;
	uint32_t valid_s, preferred_s; /* ND_LIFETIME_INF: for ever */
};

struct nd_msg {
	uint8_t type;           /* enum nd_type */
	struct via_addr target; /* NS, NA, redirect: where to send instead */
	struct via_addr dst;    /* redirect: for what */
	bool is_router, solicited, override; /* NA */
	/* RA */
	uint8_t hop_limit;      /* 0: not said; the same for reachable_ms and retrans_ms */
	bool managed, other;
	int8_t preference;      /* enum nd_preference */
	uint16_t lifetime_s;    /* as a default router; 0: it is none */
	uint32_t reachable_ms, retrans_ms;
	uint32_t mtu;           /* 0: not said */
	uint8_t n_prefixes;
	struct nd_prefix prefix[ND_PREFIXES_MAX];
	/* options */
	bool has_lla;           /* the sender's link-layer address; of NA and redirect the target's */
	bool has_nonce;         /* NS, NA */
	uint8_t lla[6];
	uint8_t nonce[ND_NONCE_LEN];
	const uint8_t *quote;   /* redirect: the packet it is about, in the parsed bytes; NULL: none */
	uint32_t quote_len;
};

/* How a message came. */
struct nd_from {
	struct via_addr src, dst; /* of the IPv6 header */
	uint8_t hop_limit;
	bool was_cut;             /* in fragments */
};

/* p begins at the ICMPv6 header, whose checksum is known to be right. *m borrows p for its quote. -EINVAL: to be dropped silently. */
int nd_parse(const uint8_t *p, size_t len, const struct nd_from *from, struct nd_msg *m);
/* Write m with checksum 0 into `cap` bytes. Returns bytes, or 0 if they are too few. A quote is cut to whole units of 8 bytes. */
size_t nd_emit(uint8_t *out, size_t cap, const struct nd_msg *m);

/* ff02::1:ffXX:XXXX of an address (RFC 4291 §2.7.1). */
struct via_addr nd_solicited_node(const struct via_addr *a);
#endif
