/* link/bridge.h - a learning Ethernet bridge: which port a frame leaves by (IEEE 802.1D §7.7 to §7.9).
 *
 * Pure: it names ports, the caller moves frames. Addresses are learnt from sources and forgotten 300 s after they were
 * last seen. At the cap an aged entry gives way, else the newcomer is not learnt and its frames are flooded. No spanning
 * tree: the topology is loop-free.
 *
 * Without VLANs (bridge_vlan_add()) tags mean nothing and pass. With them each frame is of one: its tag's, or the one of untagged frames
 * of its port, which priority tags belong to, too. It leaves by the VLAN's ports only, tagged or not as each has it; addresses are learnt
 * by VLAN. A frame that came by a port its VLAN does not have, or has more than one tag, is dropped (IEEE 802.1Q §8.6.2, §8.8). */
#ifndef LINK_BRIDGE_H
#define LINK_BRIDGE_H
#include "base/list.h"
#include "base/prf.h"
#include "pkt/pkt.h"
#include "wire/eth.h"

#define BRIDGE_PORTS_MAX 64
#define BRIDGE_MACS_MAX 1024u
#define BRIDGE_AGE_NS (300 * NS_PER_S)
#define BRIDGE_VLANS_MAX 64u

struct bridge_vlan {
	uint16_t vid;
	uint64_t tagged, untagged; /* ports by how its frames leave there */
};
/* What becomes of a frame. */
struct bridge_way {
	uint64_t out;      /* bit per port it must leave by */
	uint64_t untagged; /* of these, where it leaves without a tag; all others: with `vid` */
	uint16_t vid;      /* 0: the bridge has no VLANs, the frame stays as it is */
	enum drop drop;    /* out is 0: why, if it is an error */
};

struct bridge {
	struct pool pool;
	struct list by_age; /* longest unseen first */
	ref_t buckets;
	uint64_t ports; /* bit per port in use */
	struct prf_key key;
	uint32_t max;
	uint32_t n_vlans;
	struct bridge_vlan vlans[BRIDGE_VLANS_MAX];
};

/* b: anywhere that is copied with the arena. ports: bit per port (0 to 63). max: addresses, 0 for BRIDGE_MACS_MAX. 0 or -ENOMEM. */
int bridge_init(struct bridge *b, struct arena *a, struct prf_key key, uint64_t ports, uint32_t max);
void bridge_fini(struct bridge *b, struct arena *a);
/* A VLAN and its ports. -EINVAL: no such id, known already, or a port whose untagged frames are of another VLAN; -ENOSPC. */
int bridge_vlan_add(struct bridge *b, const struct bridge_vlan *v);
/* A frame came in by `port`: learns its source; *w says where it must leave (never by `port`). Returns by how many ports. */
int bridge_input(struct bridge *b, struct arena *a, int port, const struct eth_hdr *h, int64_t now, struct bridge_way *w);
/* The port went down: forget what was learnt there. */
void bridge_port_flush(struct bridge *b, struct arena *a, int port);
/* The port `mac` was learnt on in that VLAN (0: there are none), or -1. */
int bridge_lookup(const struct bridge *b, const struct arena *a, uint16_t vid, const uint8_t mac[6], int64_t now);
/* Length of the longest hash chain, for tests and metrics. */
uint32_t bridge_longest(const struct bridge *b, const struct arena *a);
#endif
