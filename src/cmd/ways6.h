/* cmd/ways6.h - where this machine has a way to in IPv6: what a program behind the gateway should have one to. */
#ifndef CMD_WAYS6_H
#define CMD_WAYS6_H

#include <viaduct/types.h>

#define WAYS6_MAX 16 /* a machine that knows more prefixes is asked about all addresses */

struct ways6 {
	struct {
		struct via_addr addr;
		uint8_t plen;
	} to[WAYS6_MAX]; /* none holds another */
	int n;           /* 0: no IPv6 but on its links and its loopback */
};

/* The kernel's routes, of /proc/net/ipv6_route. */
void ways6_of_machine(struct ways6 *w);
/* One more. */
void ways6_add(struct ways6 *w, const struct via_addr *to, uint8_t plen);

#endif
