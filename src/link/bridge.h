/* link/bridge.h - a learning Ethernet bridge: which port a frame leaves by (IEEE 802.1D §7.7 to §7.9).
 *
 * Pure: it names ports, the caller moves frames. Addresses are learnt from sources and forgotten 300 s after they were
 * last seen. At the cap an aged entry gives way, else the newcomer is not learnt and its frames are flooded. No spanning
 * tree: the topology is loop-free. */
#ifndef LINK_BRIDGE_H
#define LINK_BRIDGE_H
#include "base/list.h"
#include "base/prf.h"
#include "wire/eth.h"

#define BRIDGE_PORTS_MAX 64
#define BRIDGE_MACS_MAX 1024u
#define BRIDGE_AGE_NS (300 * NS_PER_S)

struct bridge {
	struct pool pool;
	struct list by_age; /* longest unseen first */
	ref_t buckets;
	uint64_t ports; /* bit per port in use */
	struct prf_key key;
	uint32_t max;
	uint32_t pad;
};

/* b: anywhere that is copied with the arena. ports: bit per port (0 to 63). max: addresses, 0 for BRIDGE_MACS_MAX. 0 or -ENOMEM. */
int bridge_init(struct bridge *b, struct arena *a, struct prf_key key, uint64_t ports, uint32_t max);
void bridge_fini(struct bridge *b, struct arena *a);
/* A frame came in by `port`: learns its source; *out gets a bit per port it must leave by (never `port`). Returns how many. */
int bridge_input(struct bridge *b, struct arena *a, int port, const struct eth_hdr *h, int64_t now, uint64_t *out);
/* The port went down: forget what was learnt there. */
void bridge_port_flush(struct bridge *b, struct arena *a, int port);
/* The port `mac` was learnt on, or -1. */
int bridge_lookup(const struct bridge *b, const struct arena *a, const uint8_t mac[6], int64_t now);
/* Length of the longest hash chain, for tests and metrics. */
uint32_t bridge_longest(const struct bridge *b, const struct arena *a);
#endif
