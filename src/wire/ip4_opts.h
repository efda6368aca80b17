/* wire/ip4_opts.h - IPv4 options that nodes on the way write into: record route and timestamp (RFC 791 §3.1). */
#ifndef WIRE_IP4_OPTS_H
#define WIRE_IP4_OPTS_H
#include "base/bytes.h"

#define IP4_OPTS_MAX 40u

/* Who writes. */
struct ip4_opts_node {
	uint32_t addr;   /* is recorded */
	uint32_t time;   /* as a timestamp option has it */
	bool (*is_ours)(const void *ctx, uint32_t addr); /* for timestamps asked of named nodes */
	const void *ctx;
};
/* A time that is not counted from midnight UT says so in its highest bit (RFC 791). */
static inline uint32_t ip4_opts_time(int64_t now_ns) { return 0x80000000u | ((uint32_t)(now_ns / 1000000) & 0x7fffffffu); }
/* Write into the `len` bytes of options behind a header what they ask of this node. What is malformed, or has no room for a whole
 * entry, stays; a full timestamp option counts us as missed. True: something changed, and the checksum must be made anew. */
bool ip4_opts_record(uint8_t *opts, size_t len, const struct ip4_opts_node *n);
/* The options of an answer to a packet with these: record route and timestamp as they are (RFC 1122 §3.2.2.6), padded. Returns
 * bytes, a multiple of 4, at most len. */
uint32_t ip4_opts_echo(uint8_t out[IP4_OPTS_MAX], const uint8_t *opts, size_t len);
#endif
