/* wire/addr.h - address text and prefixes; via_addr_parse() and via_addr_format() of the public face live in addr.c. */
#ifndef WIRE_ADDR_H
#define WIRE_ADDR_H
#include "base/defs.h"
#include <viaduct/types.h>

/* "10.1.0.1/24": address and prefix length; without a slash plen is 32 (or 128). -EINVAL. */
int addr_parse_prefix(const char *text, size_t len, struct via_addr *a, uint8_t *plen);
/* Keep plen bits (counted in the address's own family), zero the rest. */
struct via_addr addr_mask(const struct via_addr *a, uint8_t plen);
bool addr_in_prefix(const struct via_addr *a, const struct via_addr *prefix, uint8_t plen);
/* fe80::/10 (RFC 4291 §2.5.6), which no group is in. */
static inline bool addr_is_fe80(const struct via_addr *a) { return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80; }
#endif
