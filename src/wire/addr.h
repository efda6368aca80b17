/* wire/addr.h - address text, prefixes, scopes, pseudo-headers. via_addr_parse() and via_addr_format() of the public face live in
 * addr.c. */
#ifndef WIRE_ADDR_H
#define WIRE_ADDR_H
#include "base/defs.h"
#include <viaduct/types.h>

/* "10.1.0.1/24": address and prefix length; without a slash plen is 32 (or 128). -EINVAL. */
int addr_parse_prefix(const char *text, size_t len, struct via_addr *a, uint8_t *plen);
/* Keep plen bits (counted in the address's own family), zero the rest. */
struct via_addr addr_mask(const struct via_addr *a, uint8_t plen);
bool addr_in_prefix(const struct via_addr *a, const struct via_addr *prefix, uint8_t plen);
/* Does it mean something on its link only, so that it needs a scope (RFC 4007 §5)? fe80::/10, ff01::/16 and ff02::/16; never IPv4. */
bool addr_is_link_local(const struct via_addr *a);
/* The same address with the scope it has on interface ifindex: that, or 0 where none is needed. */
struct via_addr addr_on_link(const struct via_addr *a, uint32_t ifindex);
/* Pseudo-header sum of either family for csum_add chains (RFC 9293 §3.1, RFC 8200 §8.1); l4len bytes. */
uint64_t addr_pseudo(const struct via_addr *src, const struct via_addr *dst, uint8_t proto, uint32_t l4len);
/* fe80::/10 (RFC 4291 §2.5.6), which no group is in. */
static inline bool addr_is_fe80(const struct via_addr *a) { return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80; }
#endif
