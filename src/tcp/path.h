/* tcp/path.h - what connections between two addresses share: declared here, filled by stack/.
 *
 * One struct per (local, remote) pair in use, counted. stack/ embeds it as the first member of its own struct that adds
 * route, neighbour and ready L2 header, and bumps `gen` whenever anything here or there changes. What is below `mtu` is learnt:
 * pmtu by both, the rest by TCP alone (tcp/pmtu.h). */
#ifndef TCP_PATH_H
#define TCP_PATH_H
#include "base/arena.h"
#include <viaduct/types.h>

struct tcp_path {
	struct via_addr local, remote;
	uint32_t refs;
	uint32_t gen;
	ref_t last_node;    /* TCP's: the nodes of a path stand together in tcp_state_tab.all, this is the last of them; 0: none */
	uint32_t mtu;       /* largest IP packet the links it leaves by carry, bytes; IP header included */
	uint32_t gso_max;   /* largest superframe we may hand down, IP packet bytes; at least pmtu. Software cuts it if the link cannot */
	uint16_t ifindex;   /* egress now; 0: no route */
	uint8_t ip_hlen;    /* 20 or 40 */
	bool is_loopback;   /* both ends are this stack */
	bool is_onlink;
	bool is_broadcast;  /* remote is 255.255.255.255 or the broadcast of a prefix of our own: not for TCP */
	bool is_multicast;  /* remote is an IPv6 group: not for TCP */

	uint32_t pmtu;      /* largest IP packet that passes, as far as routers have said; at most mtu */
	uint32_t tcp_mtu;   /* largest that TCP sends, if that is less than pmtu; 0: pmtu */
	uint32_t probe_max; /* larger ones were lost; 0: the search is at its beginning */
	int64_t probe_at;   /* nothing larger is tried before */
	int64_t full_at;    /* when something of full size arrived last, to the second; -1: nothing since the size was lowered in vain */
	uint8_t probe_lost; /* how often a probe of this size was */
};
#endif
