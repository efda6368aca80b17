/* wire/igmp.h - IGMP, versions 1 to 3 (RFC 1112 Appendix I, RFC 2236 §2, RFC 3376 §4). */
#ifndef WIRE_IGMP_H
#define WIRE_IGMP_H
#include "wire/group.h"

#define IPPROTO_N_IGMP 2
/* The len bytes behind the IP header. -EINVAL: short, a length that no version has, sources that are not all there, a group that is none,
 * a type we do not know; -EBADMSG: checksum. */
int igmp_parse(const uint8_t *p, size_t len, struct group_msg *m);
/* Writes r with its checksum. Returns bytes, or 0 if cap is too small. */
size_t igmp_emit(uint8_t *out, size_t cap, const struct group_report *r);
#endif
