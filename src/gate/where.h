/* gate/where.h - what an address that a program named is outside. A pure decision. */
#ifndef GATE_WHERE_H
#define GATE_WHERE_H

#include <viaduct/types.h>

enum gate_verdict {
	GATE_GO,      /* there */
	GATE_NOBODY,  /* nothing listens: refused */
	GATE_NOWHERE, /* no address that a packet may be sent to: unreachable */
};

struct gate_map {
	struct via_addr loopback[2];  /* stands for the machine's 127.0.0.1 (IPv4) or ::1; any: none does */
	bool is_self;                 /* the address asked for is one of the gateway's own */
	bool has_resolver;
	struct via_sockaddr resolver;
};

/* IPv6's fe80::/10: of one link, whichever that is. */
static inline bool gate_is_link_local(const struct via_addr *a)
{
	return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

/* Where a packet to `to` goes. A program's own loopback never gets here; the machine's is not to be reached by naming it, nor by
 * 0.0.0.0, which Linux takes for it. */
enum gate_verdict gate_where(const struct gate_map *m, const struct via_sockaddr *to, struct via_sockaddr *out);

#endif
