/* viaduct/driver.h - where frames enter and leave a stack.
 *
 * A driver is a struct of the owner's that begins with struct via_driver. The stack borrows it between via_iface_add()
 * and via_iface_remove(). Bursts only; whoever holds a packet last frees it. */
#ifndef VIADUCT_DRIVER_H
#define VIADUCT_DRIVER_H

#include <viaduct/types.h>

struct pkt;    /* pkt/pkt.h */
struct pktmem; /* pkt/mem.h: the packet memory of the stack this driver is attached to */
struct via_driver;

enum via_l2 {
	VIA_L2_ETHER = 1, /* frames begin with an Ethernet header */
	VIA_L2_NONE = 2,  /* frames begin with an IP header (TUN) */
};

/* Link capabilities. */
enum {
	VIA_CAP_SUPERFRAME = 1, /* takes packets with gso set, uncut, up to gso_max bytes */
	VIA_CAP_CSUM = 2,       /* takes packets whose checksum is partial, unfinished */
};

struct via_driver_ops {
	/* Take up to max received packets: gives them to the caller. rx_ns is set in each. */
	int (*rx_burst)(struct via_driver *d, struct pkt **pkts, int max);
	/* Offer n packets: takes (owns) the first r of them and returns r; fewer than n means the link pushes back and the
	 * caller keeps the rest. Room coming back is told by tx_room. A packet taken is sent or dropped by the link. */
	int (*tx_burst)(struct via_driver *d, struct pkt **pkts, int n, int64_t now);
	/* How many packets tx_burst would take now. */
	int (*tx_room)(struct via_driver *d);
	/* When the driver next has something to say (a received packet, room), ns; INT64_MAX when only its fd tells. */
	int64_t (*next)(struct via_driver *d);
};

struct via_driver {
	const struct via_driver_ops *ops;
	struct pktmem *mem; /* set by via_iface_add(); rx_burst makes packets from it */
	enum via_l2 l2;
	uint32_t caps;
	uint32_t mtu;     /* largest IP packet, bytes */
	uint32_t gso_max; /* largest superframe, bytes of IP packet; 0 without VIA_CAP_SUPERFRAME */
	uint8_t mac[6];
	bool up;
};

#endif
