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
	struct via_addr loopback;     /* stands for the machine's 127.0.0.1; any: none does */
	bool is_self;                 /* the address asked for is one of the gateway's own */
	bool has_resolver;
	struct via_sockaddr resolver;
};

/* Where a packet to `to` goes. A program's own loopback never gets here; the machine's is not to be reached by naming it, nor by
 * 0.0.0.0, which Linux takes for it. */
enum gate_verdict gate_where(const struct gate_map *m, const struct via_sockaddr *to, struct via_sockaddr *out);

#endif
