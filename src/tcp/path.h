/* tcp/path.h - what connections between two addresses share: declared here, filled by stack/.
 *
 * One struct per (local, remote) pair in use, counted. stack/ embeds it as the first member of its own struct that adds
 * route, neighbour and ready L2 header, and bumps `gen` whenever anything here or there changes. */
#ifndef TCP_PATH_H
#define TCP_PATH_H
#include "base/arena.h"
#include <viaduct/types.h>

struct tcp_path {
	struct via_addr local, remote;
	uint32_t refs;
	uint32_t gen;
	uint32_t pmtu;      /* largest IP packet, bytes; IP header included */
	uint32_t gso_max;   /* largest superframe we may hand down, IP packet bytes; at least pmtu. Software cuts it if the link cannot */
	uint16_t ifindex;   /* egress now; 0: no route */
	uint8_t ip_hlen;    /* 20 or 40 */
	bool is_loopback;   /* both ends are this stack */
	bool is_onlink;
	bool is_broadcast;  /* remote is 255.255.255.255 or the broadcast of a prefix of our own: not for TCP */
};
#endif
