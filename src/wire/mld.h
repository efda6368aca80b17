/* wire/mld.h - MLD, versions 1 and 2 (RFC 2710 §3, RFC 3810 §5). */
#ifndef WIRE_MLD_H
#define WIRE_MLD_H
#include "wire/group.h"

enum { MLD_QUERY = 130, MLD_REPORT = 131, MLD_DONE = 132, MLD_REPORT2 = 143 };
static inline bool mld_is(uint8_t icmp6_type) { return (icmp6_type >= MLD_QUERY && icmp6_type <= MLD_DONE) || icmp6_type == MLD_REPORT2; }
/* p begins at the ICMPv6 header, whose checksum is known to be right. -EINVAL: as igmp_parse(). */
int mld_parse(const uint8_t *p, size_t len, struct group_msg *m);
/* Writes r with checksum 0. Returns bytes, or 0 if cap is too small. */
size_t mld_emit(uint8_t *out, size_t cap, const struct group_report *r);
#endif
