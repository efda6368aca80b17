/* viaduct/stack.h - a stack: a host or a router, its interfaces, addresses and routes.
 *
 * Pure: no clock, no I/O, no malloc. The owner gives memory, the time and random bytes; the stack answers when it wants
 * to be called next. One caller at a time (the baton is the owner's business). */
#ifndef VIADUCT_STACK_H
#define VIADUCT_STACK_H

#include <stddef.h>
#include <viaduct/driver.h>
#include <viaduct/filter.h>
#include <viaduct/socket.h>
#include <viaduct/types.h>

struct trace; /* pkt/trace.h */

struct via_config {
	uint32_t size;         /* sizeof(struct via_config) */
	const char *name;      /* copied, for counters and traces; at most 31 bytes */
	void *arena;           /* borrowed for the stack's life: zeroed memory, committed on touch, 64 KiB aligned */
	size_t arena_bytes;    /* the cap on all protocol state */
	struct pktmem *mem;    /* borrowed: packet memory, private or shared by the stacks of a lab */
	const struct trace *trace; /* borrowed or NULL */
	uint8_t seed[32];      /* all keys and randomness come from it */
	int64_t now;           /* ns, the owner's clock */
	bool forwarding;       /* a router */
	uint32_t tcp_rmem, tcp_wmem; /* VIA_SET_TCP_RMEM, VIA_SET_TCP_WMEM; 0: the default */
};

/* Bytes of process-local memory a struct via needs. */
VIA_API size_t via_size(void);
/* Make a stack in `mem` (borrowed, via_size() bytes, 64-byte aligned). NULL when the arena is too small.
 * It has a loopback interface, index 1, 127.0.0.1/8. */
VIA_API struct via *via_init(void *mem, const struct via_config *cfg);
/* Close everything without a word to peers, give all packets back. */
VIA_API void via_fini(struct via *v);

/* Borrow a driver as interface `name` (copied, at most 15 bytes). Returns the index (>= 2), or -errno. */
VIA_API int via_iface_add(struct via *v, struct via_driver *d, const char *name);
VIA_API int via_iface_remove(struct via *v, int ifindex);
/* VLAN `vid` (1 to 4094, 802.1Q) of the Ethernet interface `parent` as an interface of its own, such as eth0.10: with the parent's MAC
 * address and MTU, up when that is, gone when that goes. Its index, -ENODEV (parent), -EINVAL, -EEXIST (name, or VLAN), -ENOSPC,
 * -ENOMEM. */
VIA_API int via_vlan_add(struct via *v, int parent, uint16_t vid, const char *name);
/* The driver's up flag changed: link down flushes neighbours and takes its routes out of use. */
VIA_API void via_iface_updown(struct via *v, int ifindex);

/* Configuration changes only through this one call; each raises the stack's configuration generation. */
enum via_change_kind {
	VIA_ADDR_ADD, VIA_ADDR_DEL, VIA_ROUTE_ADD, VIA_ROUTE_DEL, VIA_NEIGH_SET, VIA_SET, VIA_ADDR_PROBE,
	VIA_FILTER_APPEND, /* filter: one more rule at the end of its chain. -ENOSPC beyond 1024 in a chain, -ENODEV: no such interface */
	VIA_FILTER_POLICY, /* filter: the target of what no rule of its chain decides; at first ACCEPT */
	VIA_FILTER_FLUSH,  /* filter: no rules in its chain any more; policies stay */
	VIA_NAT_ADD,       /* nat: one more rule. -ENOSPC beyond 64, -ENODEV: no such interface */
	VIA_NAT_FLUSH,     /* no NAT rules any more, and every connection is forgotten */
	VIA_CT_FLUSH,      /* every connection is forgotten */
	VIA_ADDR_EXPIRE,   /* as VIA_ADDR_DEL, and connections from it end with ECONNABORTED, without a word to their peers: somebody else
			      may have the address next */
};
enum via_setting {
	VIA_SET_FORWARDING = 1,
	VIA_SET_TTL,
	VIA_SET_TCP_RMEM, /* first size of a receive buffer, as SO_RCVBUF tells it: half of it is window. 131072 */
	VIA_SET_TCP_WMEM, /* first size of a send buffer. 16384, more when the handshake has ended */
	VIA_SET_TCP_RMEM_MAX,        /* what autotuning may make of a receive buffer; decides the window scale. 6 MiB */
	VIA_SET_TCP_WMEM_MAX,        /* and of a send buffer. 4 MiB */
	VIA_SET_TCP_MODERATE_RCVBUF, /* 0: receive buffers are not autotuned. 1 */
	VIA_SET_TCP_NOTSENT_LOWAT,   /* sockets are writable with fewer unsent bytes only. UINT32_MAX */
	VIA_SET_RMEM_MAX,            /* most that SO_RCVBUF may ask for. 212992 */
	VIA_SET_WMEM_MAX,            /* and SO_SNDBUF */
	VIA_SET_TCP_MEM_LOW,         /* bytes in all TCP queues: pressure ends below ... Three eighths of the packet memory */
	VIA_SET_TCP_MEM_PRESSURE,    /* begins above ... A half */
	VIA_SET_TCP_MEM_HIGH,        /* new work is refused above. Three quarters. See struct via_tcp_memory */
	VIA_SET_TCP_STALLED_MAX,     /* bytes that peers with a zero window may pin before the longest stalled is reset. 0: no limit */
	VIA_SET_TCP_PACING, /* not 0: spread all connections' data over the round trip, as Linux does with fq; else those that ask for it */
	VIA_SET_TCP_ECN, /* as Linux's tcp_ecn: 0 off, 1 asked for and accepted (default), 2 accepted (RFC 3168) */
	VIA_SET_TCP_ABE, /* 1: a mark lowers the window less than a loss does (RFC 8511); default 0 */
	VIA_SET_TCP_MTU_PROBING, /* as Linux's tcp_mtu_probing: 0 off, 1 when a black hole shows (default), 2 from the beginning (RFC 4821) */
	VIA_SET_TCP_BASE_MSS, /* where that search begins: 88 to 65495, default 1024 */
	VIA_SET_ICMP_ERRORS, /* 0: sends no ICMP errors and forwards none, as a careless firewall; default 1 */
	VIA_SET_DNS, /* addr: where the resolver of programs is answered */
	VIA_SET_TCP_SACK,       /* 0 or 1: what later connections offer and accept; the same for the next two */
	VIA_SET_TCP_TIMESTAMPS,
	VIA_SET_TCP_SCALING,
	VIA_SET_TCP_SYN_RETRIES,    /* how often an unanswered SYN is repeated, 1 to 127; TCP_SYNCNT of a socket wins */
	VIA_SET_TCP_SYNACK_RETRIES, /* the same for a SYN-ACK */
	VIA_SET_TCP_SYNCOOKIES,  /* 0 never, 1 when a SYN queue is full (default), 2 always */
	VIA_SET_TCP_FASTOPEN,    /* as Linux's tcp_fastopen: 1 client, 2 server, 4 and 0x200: without cookie, 0x400: every listener; default 0.
				    Other bits mean nothing. Forgets the cookies of servers. */
	VIA_SET_TCP_FASTOPEN_KEY, /* key, value: its length. Cookies are made and taken under the first 16 bytes, taken under the next 16,
				     as of TCP_FASTOPEN_KEY, where a listener has none of its own; 0: a secret one, new every day (default) */
	VIA_SET_TCP_FIN_TIMEOUT, /* seconds an orphan may stay in FIN-WAIT-2; 1 to 120, default 60 */
	VIA_SET_TCP_MAX_ORPHANS, /* connections without socket, default 8192: beyond it close resets */
	VIA_SET_TCP_TALLIES,     /* idle connections that keep what was counted for TCP_INFO, 112 bytes each: those that were busy last. 256.
				    One that was idle for longer tells zeros there, and counts again from then on */
	VIA_SET_ANY_ADDRESS, /* 1: every unicast address is one of ours, to receive at and to send from; a gateway (via_catch_all()) */
	VIA_SET_ACCEPT_REDIRECTS,   /* 1: a host believes redirects of the gateway in use (RFC 1122 §3.2.2.2); default 0 */
	VIA_SET_SEND_REDIRECTS,     /* 0: a router sends none (RFC 1812 §5.2.7.2); default 1 */
	VIA_SET_CT_MAX, /* connections that NAT and filter know at most, 1 to 262144; 65536. One more ends the oldest unanswered one */
	VIA_SET_IP6_HEADERS, /* most IPv6 extension headers of a packet, 0 to 255; default 8 */
	VIA_SET_IP6_OPTIONS, /* most options of one of them, 0 to 255, padding not counted; default 8 (RFC 8504 §5.3) */
	/* IPv6 of the interface `ifindex`, an Ethernet with an MTU of at least 1280. Without VIA_SET_IPV6 addresses and routes are what was
	 * configured, used at once, and neighbours are found all the same. */
	VIA_SET_IPV6,               /* 1: it has a link-local address, probes for every address before it is used (VIA_ADDR_ADD too), asks for
				       routers and believes them (RFC 4861, RFC 4862); 0 (default): what came so goes */
	VIA_SET_ACCEPT_RA,          /* as Linux's accept_ra: 0 never, 1 unless forwarding (default), 2 always */
	VIA_SET_AUTOCONF,           /* 0: no addresses from advertised prefixes; default 1 */
	VIA_SET_DAD_TRANSMITS,      /* probes for an address, 0 to 16: DupAddrDetectTransmits; default 1 */
	VIA_SET_RA,                 /* 1: a router (-EINVAL if it is none, or without VIA_SET_IPV6) advertises itself; 0: stops, and says so */
	VIA_SET_RA_PREFIX,          /* value 1: addr/plen is advertised, on link and, if plen is 64, for addresses, with valid_s and preferred_s
				       (0: 30 days and 7); 0: no more. At most 8 */
	VIA_SET_RA_INTERVAL,        /* MaxRtrAdvInterval, 4 to 1800 s; default 600 */
	VIA_SET_RA_LIFETIME,        /* as a default router, 0 to 9000 s; -1: three intervals (default) */
	VIA_SET_RA_MTU,             /* 1280 to the interface's; 0: not said (default) */
	VIA_SET_RA_HOP_LIMIT,       /* 0: not said; default 64 */
	VIA_SET_RA_PREFERENCE,      /* -1 low, 0 medium (default), 1 high (RFC 4191) */
	VIA_SET_RA_FLAGS,           /* 2: managed, 1: other configuration by DHCPv6; default 0 */
	VIA_SET_RA_REACHABLE,       /* ReachableTime in ms; 0: not said (default) */
	VIA_SET_RA_RETRANS,         /* RetransTimer in ms; the same */
	VIA_SET_IFACE_MTU,          /* bytes of the largest packet of the interface `ifindex`, 68 to what its driver takes (1280, where IPv6 is
				       on); 0 (default): that */
};
/* What a route does with packets. All but the first need no interface and no gateway; they drop what they match, tell other hosts
 * by ICMP (a black hole: nobody), and fail calls here as Linux: EINVAL, EACCES, EHOSTUNREACH. */
enum via_route_type { VIA_ROUTE_UNICAST, VIA_ROUTE_BLACKHOLE, VIA_ROUTE_PROHIBIT, VIA_ROUTE_UNREACHABLE };
struct via_change {
	enum via_change_kind kind;
	int ifindex;             /* 0 in a route: found from the gateway */
	struct via_addr addr;    /* address, or route destination; bits past plen are ignored */
	uint8_t plen;            /* 0..32 for IPv4, 0..128 for IPv6 */
	struct via_addr gateway; /* any: on link */
	uint8_t mac[6];
	enum via_setting setting;
	int64_t value;
	enum via_route_type route_type;
	uint16_t weight;         /* of a path among equal ones; 0: 1 */
	const struct via_filter_rule *filter; /* borrowed for the call */
	const struct via_nat_rule *nat;
	uint32_t valid_s, preferred_s; /* VIA_SET_RA_PREFIX: lifetimes, seconds; UINT32_MAX: for ever */
	const uint8_t *key;            /* borrowed for the call */
};
/* ROUTE_ADDs of one prefix with different gateways make equal paths, at most 8: each flow takes one by a keyed hash, their shares
 * are as the weights, and when an interface goes down only its flows move. */
VIA_API int via_configure(struct via *v, const struct via_change *c);
/* The same by Linux's name of a setting and its text: ("net.ipv4.tcp_sack", "0"). "net.ipv4." may be missing; of tcp_rmem and
 * tcp_wmem the middle number is taken; tcp_fastopen_key is four hexadecimal words with dashes between, or two such keys with a comma.
 * "net.ipv6.conf.IFACE.accept_ra", autoconf and dad_transmits are an interface's; IFACE `all`: of all that are there.
 * -ENOENT: no setting of ours, -EINVAL: not a value of it. */
VIA_API int via_sysctl(struct via *v, const char *name, const char *value);
/* The names it knows, without "net.ipv4.", from n = 0 on; NULL past the end. */
VIA_API const char *via_sysctl_name(int n);

/* Where VIA_SET_DNS said that programs' questions are answered; false: nowhere. */
VIA_API bool via_dns_get(const struct via *v, struct via_addr *out);

enum { VIA_AGAIN = 1 };
/* One run to completion: take received packets from all drivers, fire due timers, send what is owed. At most `budget`
 * packets and timers; returns VIA_AGAIN when more remains, else 0. `now` never decreases. */
VIA_API int via_poll(struct via *v, int64_t now, int budget);
/* The same for packets the owner already holds (takes them). */
VIA_API void via_rx_burst(struct via *v, int ifindex, struct pkt **pkts, int n, int64_t now);
/* Send what socket calls left owed; via_poll() includes it. */
VIA_API void via_flush(struct via *v, int64_t now);
/* When to call via_poll() again at the latest, ns; INT64_MAX: only on input; <= now: at once. Includes the drivers' next(). */
VIA_API int64_t via_next_deadline(const struct via *v);

/* Introspection; each returns false past the end. */
struct via_iface_info {
	uint32_t size;
	int ifindex;
	char name[16];
	enum via_l2 l2;
	uint8_t mac[6];
	uint32_t mtu;
	bool up;
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes, rx_dropped, tx_dropped;
	uint16_t vlan; /* not 0: that VLAN of interface `parent` */
	int parent;
};
/* VIA_ADDR_PROBE: as VIA_ADDR_ADD, but the address is used only once three ARP probes, five to seven seconds, found nobody who has
 * it (RFC 5227); an IPv6 address after VIA_SET_DAD_TRANSMITS solicitations (RFC 4862). What became of it; VIA_ADDR_DEL forgets it. One in
 * conflict is not used: choose another. Addresses that IPv6 makes itself are listed until they are used. At most 64. */
enum via_acd_state { VIA_ACD_PROBING, VIA_ACD_IN_USE, VIA_ACD_CONFLICT };
struct via_acd_info {
	uint32_t size;
	int ifindex;
	struct via_addr addr;
	uint8_t plen;
	enum via_acd_state state;
};
VIA_API bool via_acd_get(struct via *v, int n, struct via_acd_info *out);
struct via_addr_info {
	uint32_t size;
	int ifindex;
	struct via_addr addr;
	uint8_t plen;
	bool deprecated, autoconf;     /* not for new connections; from a router's prefix */
	enum via_route_type route_type;
	uint16_t weight;         /* of a path among equal ones; 0: 1 */
	uint32_t valid_s, preferred_s; /* left, seconds; UINT32_MAX: for ever */
};
struct via_route_info {
	uint32_t size;
	struct via_addr dst;
	uint8_t plen;
	struct via_addr gateway;
	int ifindex;
	enum via_route_type type;
	uint16_t weight;
};
/* Who is known to have which MAC; state is RFC 4861's. */
enum via_neigh_state { VIA_NEIGH_INCOMPLETE = 1, VIA_NEIGH_REACHABLE, VIA_NEIGH_STALE, VIA_NEIGH_DELAY, VIA_NEIGH_PROBE,
	VIA_NEIGH_PERMANENT };
struct via_neigh_info {
	uint32_t size;
	int ifindex;
	struct via_addr addr;
	uint8_t mac[6]; /* not of an INCOMPLETE one */
	enum via_neigh_state state;
};
VIA_API bool via_neigh_get(struct via *v, int n, struct via_neigh_info *out);
VIA_API bool via_iface_get(struct via *v, int n, struct via_iface_info *out);
VIA_API bool via_addr_get(struct via *v, int n, struct via_addr_info *out);
VIA_API bool via_route_get(struct via *v, int n, struct via_route_info *out);
/* Counters by name: stack counters and one per drop reason ("drop.ip.ttl"). */
VIA_API bool via_counter_get(struct via *v, int n, const char **name, uint64_t *value);
VIA_API const char *via_name(const struct via *v);

/* Arena bytes in use by live objects; after all sockets are gone and timers have run it returns to its baseline. */
VIA_API size_t via_arena_used(const struct via *v);
/* Pages of the arena that are free, as runs; the owner may give them back to the system. False past the end. */
VIA_API bool via_trim(struct via *v, int n, size_t *offset, size_t *len);
/* Copy all protocol state out and in again (the arena only; the packet memory has its own snapshot). */
VIA_API size_t via_snapshot(const struct via *v, void *out, size_t cap);
VIA_API int via_restore(struct via *v, const void *in, size_t len);

#endif
