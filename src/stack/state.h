/* stack/state.h - what a stack keeps in its arena (struct via_state), and the calls between the files of this room.
 *
 * Two straight lines: rx.c (a packet came) and tx.c (a packet leaves); path.c knows how to reach an address, ifq.c holds
 * what waits for a driver, config.c changes things, poll.c is the clock's door. */
#ifndef STACK_STATE_H
#define STACK_STATE_H

#include "link/acd.h"
#include "link/arp.h"
#include "net/addrs.h"
#include "net/frag4.h"
#include "net/frag6.h"
#include "net/groups.h"
#include "net/icmp.h"
#include "stack/hook.h"
#include "stack/via.h"
#include "wire/eth.h"

#define IFINDEX_LO 1
#define IFQ_FLOWS 32
#define IFQ_PACKETS_MAX 1000u            /* for forwarded packets and datagrams */
#define IFQ_BYTES_MAX (1024u * 1024u)
#define IFQ_LOCAL_BYTES (256u * 1024u)   /* TCP stops above it */
#define IFQ_QUANTUM 65536                /* a superframe per turn */
#define LOOPQ_BYTES_MAX (4u * 1024u * 1024u)
#define LOOPQ_PACKETS_MAX 4096u          /* each takes a packet's memory, however few its bytes */
#define LO_MTU 65535u
#define TTL_DEFAULT 64
#define PATHS_MAX 65536u
#define PATHS_IDLE_MAX 1024u             /* kept for what was learnt alone; the one that is idle longest gives way */
#define PATH_GSO_MAX 65535u
#define PATH_LESSON_NS (300 * NS_PER_S)  /* what TCP found out itself is kept so long without users */
#define PMTU_LIFE_NS (600 * NS_PER_S)    /* RFC 1191 §6.3 */
#define MTU_PROBING_DEFAULT 1            /* Linux: 0; but then a lost ICMP hangs a connection */
#define BASE_MSS_DEFAULT 1024            /* as Linux (RFC 4821 §7.2) */
#define ECN_DEFAULT 1                    /* asked for and accepted (RFC 9293 §3.8.2 SHLD-8) */

/* What waits for one driver: flows taken in turns (deficit round robin), then packets as the driver takes them. */
struct ifq {
	struct pktq flow[IFQ_FLOWS];
	int32_t deficit[IFQ_FLOWS];
	uint32_t busy;        /* bit per flow that holds something */
	uint32_t turn;        /* the flow whose turn it is */
	struct pktq staged;   /* cut and checksummed for the driver, in order */
	uint32_t n_traced;    /* of staged, from its head */
	uint32_t bytes, n;    /* of all of it */
	bool starved;         /* TCP was told to stop; tell it when half is gone */
	bool starves_all;     /* among the stopped are connections whose path names another of several equal interfaces */
};

struct iface {
	char name[16];
	uint16_t ifindex;
	uint16_t vlan, parent; /* not 0: a VLAN of interface `parent`, whose driver carries it (vlan.c) */
	uint8_t l2; /* enum via_l2 */
	uint8_t mac[6];
	bool up;
	uint8_t hops6;        /* hop limit that a router told; 0: the stack's */
	uint32_t mtu, mtu6;   /* mtu6: of IPv6 by a router's word; 0: mtu */
	ref_t nd;             /* struct nd_iface (nd.h), or 0 */
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes, rx_dropped, tx_dropped;
	struct ifq q;
};

/* A way from a local to a remote address, shared by all who use it. */
struct path {
	struct tcp_path p; /* must be first */
	ref_t hash_next;
	struct list_link idle_link;
	ref_t neigh;         /* valid while neigh_gen is the cache's */
	uint32_t neigh_gen;
	struct fib_hop hop;  /* the route's, chosen by the addresses alone; or what a redirect said */
	struct via_addr redirect, redirector; /* gateway that the route's, the redirector, named instead of itself; any: none */
	uint32_t pmtu_learnt;/* from "fragmentation needed", 0: none */
	uint16_t ip_id;
	bool is_idle;        /* kept for what was learnt, in idle_paths */
	uint8_t no_way;      /* enum fib_type of a route that leads nowhere; ifindex is 0 then */
	bool is_multi;       /* several equal next hops: each flow chooses */
	uint8_t l2[ETH_HLEN];/* ready header, valid like neigh */
	_Alignas(16) struct wheel_node timer; /* forgets pmtu_learnt */
};

enum stack_count {
	COUNT_IP_IN, COUNT_IP_LOCAL, COUNT_IP_FORWARDED, COUNT_IP_OUT, COUNT_ICMP_ECHO, COUNT_ICMP_ERRORS_OUT, COUNT_ARP_IN,
	COUNT_TCP_IN, COUNT_TCP_OUT, COUNT_TCP_RST_OUT, COUNT_UDP_IN, COUNT_UDP_OUT,
	COUNT_ARP_CONFLICTS, COUNT_REASM_JOINED, COUNT_REASM_WHOLE, COUNT_FRAG_CUT, COUNT_FRAG_MADE, COUNT_ND_IN, COUNT_ND_OUT,
	COUNT_ND_CONFLICTS, COUNT_ND_DISAGREE, COUNT_NEIGH_EVICTED, COUNT_PATHS_EVICTED, COUNT_PATHS_REFUSED,
	COUNT_GROUP_IN, COUNT_GROUP_OUT,
	COUNT_CT_OPENED, COUNT_CT_EVICTED, COUNT_CT_REFUSED, /* as enum ct_count */
	COUNT_STACK
};

struct via_state {
	struct wheel wheel;
	int64_t now;
	uint32_t gen;             /* of the configuration */
	bool tcp_paces;
	uint8_t tcp_ecn;          /* VIA_SET_TCP_ECN */
	bool tcp_abe;
	uint8_t tcp_mtu_probing;  /* VIA_SET_TCP_MTU_PROBING */
	uint16_t tcp_base_mss;
	bool no_icmp_errors;
	bool accepts_redirects;   /* VIA_SET_ACCEPT_REDIRECTS */
	bool no_redirects;        /* VIA_SET_SEND_REDIRECTS is 0 */
	bool any_address;         /* VIA_SET_ANY_ADDRESS */
	bool forwarding;
	uint8_t ttl;
	uint64_t down;            /* bit per interface that is down */
	ref_t ifaces[VIA_IFACES_MAX];
	uint32_t iface_end;       /* one past the highest in use */
	struct pool iface_pool;
	struct addrs addrs;
	ref_t fib;
	struct fib_cursor routes; /* where via_route_get() stopped */
	struct neigh_cache neigh;
	struct pool path_pool;
	ref_t path_buckets;
	uint32_t n_path_buckets;
	struct list idle_paths;   /* idle longest first */
	struct prf_key path_key, flow_key;
	struct prf_stream ids;    /* first IP id of a path */
	struct pktq loopq;        /* to ourselves, for the next receive call */
	struct pktq lost;         /* dropped here, their connections not yet told */
	struct via_addr dns;      /* VIA_SET_DNS */
	uint64_t trace_id;
	uint32_t rx_turn;         /* interface that is asked first */
	uint64_t counts[COUNT_STACK];
	uint64_t drops[DROP_COUNT];
	struct icmp_limit icmp;
	struct reasm reasm;
	struct groups groups;
	uint64_t groups_seen;     /* what mcast_follow_changes() saw last */
	struct frag4_ids frag_ids;
	struct frag6_ids frag6_ids;
	struct ext6_limits ext6;  /* VIA_SET_IP6_HEADERS, VIA_SET_IP6_OPTIONS */
	struct prf_key label_key; /* of IPv6 flow labels */
	ref_t filter;             /* struct filter, or 0: nothing is configured (stack/filter.c) */
	uint32_t ct_max;          /* VIA_SET_CT_MAX */
	struct prf_key filter_key;
	struct pool acd_pool;
	ref_t acds;               /* struct acd, linked */
	uint32_t acd_conflicts;   /* in a row */
	struct prf_stream acd_random;
	struct pool nd_pool;
	struct fib_hop nd_default; /* the default route that advertisements made; ifindex 0: none */
	struct prf_key iid_secret; /* of interface ids (RFC 7217) */
};

static inline struct iface *iface_at(const struct via *v, uint32_t ifindex)
{
	return ifindex < VIA_IFACES_MAX && v->st->ifaces[ifindex] ? arena_at(v->arena, v->st->ifaces[ifindex]) : NULL;
}
/* The interface whose driver and queue carry i's frames: a VLAN's parent, else i. */
static inline struct iface *iface_lower(const struct via *v, struct iface *i) { return i->vlan ? iface_at(v, i->parent) : i; }
/* Bytes of the largest packet of a family that the interface takes. */
static inline uint32_t iface_mtu(const struct iface *i, bool is_v6) { return is_v6 && i->mtu6 ? MIN(i->mtu6, i->mtu) : i->mtu; }
static inline struct path *path_at(const struct via *v, ref_t r) { return arena_at(v->arena, r); }
static inline struct neigh_env stack_neigh_env(struct via *v)
{
	return (struct neigh_env){.arena = v->arena, .wheel = &v->st->wheel, .mem = v->mem, .now = v->now,
				  .evicted = &v->st->counts[COUNT_NEIGH_EVICTED]};
}

static inline struct reasm_env stack_reasm_env(struct via *v)
{
	return (struct reasm_env){.arena = v->arena, .wheel = &v->st->wheel, .mem = v->mem, .now = v->now, .drops = v->st->drops};
}

/* stack.c */
void stack_enter(struct via *v, int64_t now); /* every entry from outside: the time, for all rooms */
/* iface.c */
bool stack_addr_is_ours(const struct via *v, const struct via_addr *a); /* 127/8 included */
/* The same, or VIA_SET_ANY_ADDRESS makes it so. */
bool stack_addr_is_taken(const struct via *v, const struct via_addr *a);
/* Does this stack take what is sent to that group on an interface? What was joined there, and all hosts. IPv6: all nodes, all routers if
 * it is one, solicited nodes that have an address of ours (RFC 4291 §2.8). */
bool stack_group_is_ours(const struct via *v, uint32_t ifindex, const struct via_addr *group);
void stack_announce(struct via *v, const struct iface *i, const struct via_addr *a);
/* The configuration changed: every path is looked at again, and TCP told. */
void stack_changed(struct via *v);
/* A place for a new interface, in *out. Its ifindex, or -EINVAL (name), -EEXIST, -ENOSPC, -ENOMEM. */
int iface_new(struct via *v, const char *name, struct iface **out);
/* It is up, or down, from now on. */
void iface_set_up(struct via *v, struct iface *i, bool up);

/* vlan.c */
/* The interface of VLAN `vid` on `parent`, or NULL. */
struct iface *vlan_find(const struct via *v, const struct iface *parent, uint16_t vid);
/* The parent goes, or went up or down. */
void vlan_remove_all(struct via *v, const struct iface *parent);
void vlan_updown(struct via *v, const struct iface *parent);

/* path.c: one path per (local, remote); a get is a count. local may be any. 0, -ENETUNREACH, -EADDRNOTAVAIL, -ENOMEM. */
int path_init(struct via *v);
int path_get(struct via *v, const struct via_addr *local, const struct via_addr *remote, ref_t *out);
void path_hold(struct via *v, ref_t path);
void path_drop(struct via *v, ref_t path);
/* Look at the route again; true if anything TCP cares about changed. */
bool path_refresh(struct via *v, struct path *pa);
/* The n-th path in no order, for walking; 0 past the end. */
ref_t path_next(const struct via *v, uint32_t *bucket, ref_t after);
/* A router said that `gateway`, a neighbour on the path's interface, is the way for it. False: it is no such path. */
bool path_redirect(struct via *v, const struct via_addr *local, const struct via_addr *remote, const struct via_addr *from,
		   const struct via_addr *gateway, uint16_t ifindex);
/* A valid "fragmentation needed" of mtu bytes came for it (the caller holds a count): lowers and tells TCP. */
void path_mtu_lower(struct via *v, ref_t path, uint32_t mtu);
/* `local` is ours no more: connections from it end. */
void path_local_gone(struct via *v, const struct via_addr *local);
void path_timeout(struct via *v, ref_t timer);
void path_fini(struct via *v);

/* tx.c. All take p. */
/* p begins at its L4 header; proto is ICMP's 1 for ICMPv6, too, whose checksum is made here. may_broadcast: to a broadcast address,
 * too. 0, -ENETUNREACH, -EMSGSIZE, -EACCES (multicast; a
 * broadcast that may not), -ENOBUFS (queue full), -ENOMEM. */
int tx_datagram(struct via *v, struct pkt *p, uint8_t proto, const struct via_addr *local, const struct via_addr *remote, uint8_t ttl,
		uint8_t tos, bool may_broadcast);
/* The same along a path the caller holds. */
void tx_path(struct via *v, struct pkt *p, struct path *pa, uint8_t proto, uint8_t ttl, uint8_t tos);
/* p begins at its IP header: to ourselves. zone: the interface that link-local addresses in it belong to. */
void tx_loopback(struct via *v, struct pkt *p, uint32_t zone);
/* p begins at its IP header, m.l3 set: to a neighbour of interface i. */
void tx_neighbour(struct via *v, struct iface *i, const struct via_addr *next, struct pkt *p);
/* Frame and queue all of q for a neighbour whose MAC is known. */
void tx_ready(struct via *v, ref_t neigh, struct pktq *q);
/* Packets the cache gave up: reason in m.drop; failures are reported to whoever sent them. */
void tx_failed(struct via *v, struct pktq *q);
void tx_ask(struct via *v, const struct neigh_ask *ask);
void tx_forward(struct via *v, struct pkt *p, struct ip_hdr *h);
/* An ICMP error of p's family about it, if one is due and the limit allows it; rest as icmp.h says; p is borrowed and may stand anywhere
 * behind its IP header. */
void tx_icmp_error(struct via *v, struct pkt *p, const struct ip_hdr *h, enum icmp_say say, uint32_t rest);
/* Bytes the way out would queue now for TCP. */
uint32_t tx_room(struct via *v, struct path *pa);
/* One drop path for all: counted, traced, its connection told (later), freed. */
void stack_drop(struct via *v, struct pkt *p, enum drop why);
/* Tell TCP of what st->lost holds. */
void tx_tell_lost(struct via *v);

/* ifq.c */
/* p is framed. limited: only while the queue has room for others' packets. DROP_NONE, or why p (still the caller's) may not queue. */
enum drop ifq_push(struct via *v, struct iface *i, struct pkt *p, bool limited);
void ifq_drain(struct via *v, struct iface *i);
void ifq_clear(struct via *v, struct iface *i);

/* rx.c, icmp_in.c */
void rx_packet(struct via *v, struct iface *in, struct pkt *p); /* takes */
/* p begins at the ICMP header. Takes it unless a reason is returned. */
enum drop icmp_arrives(struct via *v, struct pkt *p, const struct ip_hdr *h, bool to_broadcast);
/* What a failed neighbour means to the local sender of p, a packet of ours that begins at its IP header: its socket is told, as
 * by ICMP. */
void icmp_tell_local(struct via *v, struct pkt *p, const struct ip_hdr *h, int err);

/* acd.c */
#define ACD_MAX 64
/* Probe for an address and use it if nobody has it. -EINVAL, -EEXIST, -ENOSPC. */
int acd_start(struct via *v, struct iface *i, const struct via_addr *addr, uint8_t plen);
/* Forget what is known of an address; true if it was probed for. Of an interface (0: of all) the same. */
bool acd_forget(struct via *v, const struct via_addr *addr);
void acd_forget_iface(struct via *v, uint16_t ifindex);
void acd_fires(struct via *v, ref_t timer);
/* An ARP packet came by i; a neighbour solicitation or advertisement, from :: or not. */
void acd_hears(struct via *v, const struct iface *i, const struct arp_pkt *a);
void acd_hears_nd(struct via *v, struct iface *i, const struct nd_msg *m, bool from_any);
/* Probe for an IPv6 address (scope set) for `origin` (enum nd_origin), the tries-th of its kind; its lifetimes are for ever unless the
 * caller says otherwise. NULL: no room. */
struct acd *acd_begin6(struct via *v, struct iface *i, const struct via_addr *addr, uint8_t plen, uint8_t origin, uint8_t tries);
/* Forget the interface's IPv6 candidates. */
void acd_forget_iface6(struct via *v, uint16_t ifindex);

/* config.c: VIA_ADDR_DEL, but what is known of conflicts stays. */
int addr_remove(struct via *v, const struct via_change *c);
/* VIA_ADDR_ADD at once, unprobed. */
int addr_use(struct via *v, const struct via_change *c);
/* Does a configured address of the interface, or a router's word, want the connected route of that prefix? */
bool addr_prefix_is_used(const struct via *v, int ifindex, const struct via_addr *a, uint8_t plen);

/* ip_options.c */
/* p passes by interface `out` to `next`: what its options ask of a router is written into them. */
void ip_options_pass(struct via *v, struct pkt *p, uint16_t out, const struct via_addr *next);
/* p, which begins at its L4 header, becomes an answer from `here`: the options it takes along are put in front (m.ip_opts). */
void ip_options_turn(struct via *v, struct pkt *p, uint32_t here);

/* mcast.c */
void mcast_init(struct via *v, struct prf_key key);
void mcast_fini(struct via *v);
/* Look again which groups the stack itself wants; the same if addresses or forwarding have changed since. */
void mcast_follow(struct via *v);
void mcast_follow_changes(struct via *v);
/* The interface came up: tell everybody anew. It is gone. */
void mcast_up(struct via *v, uint16_t ifindex);
void mcast_forget(struct via *v, uint16_t ifindex);
void mcast_timeout(struct via *v, ref_t timer);
/* A socket joins, or leaves what it joined under that id. 0, -ENODEV, -ENOBUFS. */
int mcast_join(struct via *v, uint32_t ifindex, const struct via_addr *group, uint32_t *id);
void mcast_leave(struct via *v, uint32_t ifindex, const struct via_addr *group, uint32_t id);
/* The interface of a group when nobody says which: its route's, else the first that is up; 0: none. */
uint32_t mcast_iface(struct via *v, const struct via_addr *group);
/* IGMP or MLD: p begins at its header; MLD's checksum is known to be right. p stays the caller's. */
enum drop mcast_arrives(struct via *v, const struct pkt *p, const struct ip_hdr *h);

/* redirect.c */
/* p, which came by interface m.ifindex, goes on by `hop`: if its sender could have sent it there itself, it is told. */
void redirect_send(struct via *v, struct pkt *p, const struct ip_hdr *h, const struct fib_hop *hop);
/* A redirect came from `from` by interface ifindex: for the packet quoted, `gateway` is better. DROP_NONE or why it is not believed. */
enum drop redirect_arrives(struct via *v, uint16_t ifindex, const struct via_addr *from, const struct icmp_quote *q,
			   const struct via_addr *gateway);

/* frag.c */
/* *p, which begins at its IP header *h, is for us: IPv6 extension headers are obeyed, a fragment becomes the whole datagram. *h stops
 * at the transport. *p is NULL while some of it is missing; or a reason why *p is dropped, its sender told if need be. */
enum drop frag_arrives(struct via *v, struct pkt **p, struct ip_hdr *h);
/* The hop-by-hop options of an IPv6 packet, which every node on the way looks at. DROP_NONE or a reason as above. */
enum drop frag_hops(struct via *v, struct pkt *p, struct ip_hdr *h);
void frag_timeout(struct via *v, ref_t timer);
/* p, which begins at its IP header and may be cut, becomes fragments of at most mtu bytes in q. Takes p, also when there is no memory. */
void frag_cut(struct via *v, struct pkt *p, const struct ip_hdr *h, uint32_t mtu, struct pktq *q);

/* filter.c */
/* What via_configure() is told of filter, NAT and connections. */
int config_filter(struct via *v, const struct via_change *c);
int config_ct_max(struct via *v, int64_t max);
/* After a restore: is there anything at the hooks? */
void filter_hook(struct via *v);
/* Fragments are put together before pre-route: connections are followed, and only the first one tells its ports. */
bool filter_wants_whole(const struct via *v);
void filter_timeout(struct via *v, ref_t timer);
void filter_ifaces(struct via *v);
void filter_end(struct via *v);

/* trace.c */
/* False: nobody traces. Else p has an id now. */
bool stack_trace_id(struct via *v, struct pkt *p);
void stack_trace(struct via *v, enum trace_kind kind, struct pkt *p, uint16_t ifindex, uint32_t reason);

/* ops.c */
extern const struct tcp_ops stack_tcp_ops;
extern const struct sock_ops stack_sock_ops;
ref_t stack_get_path(void *ctx, const struct via_addr *local, const struct via_addr *remote);

/* Move the front of p to `at` (an offset like m.l2), forth or back over bytes that are still there. */
static inline void pkt_front_at(struct pkt *p, uint16_t at)
{
	int back = p->head - at;
	p->head = at;
	p->head_len = (uint16_t)(p->head_len + back);
	p->len = (uint32_t)((int64_t)p->len + back);
}
#endif
