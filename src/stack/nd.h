/* stack/nd.h - IPv6 on an interface: what neighbour discovery and address configuration keep for each (struct nd_iface), and the calls
 * between their files.
 *
 * nd.c is the five messages in and the questions out; nd_host.c what a host does with routers' advertisements; nd_config.c the settings,
 * and how it begins and ends. A struct nd_iface is made by the first setting that needs one, not by an IPv6 address alone: an address may
 * be configured, and neighbours are found, without any of this (VIA_SET_IPV6). */
#ifndef STACK_ND_H
#define STACK_ND_H

#include "net/routers.h"
#include "stack/state.h"
#include "svc/radv.h"

#define ND_HOPS 255
/* RFC 4861 §10 */
#define ND_RS_MAX 3
#define ND_RS_INTERVAL_NS (4 * NS_PER_S)
#define ND_RS_DELAY_NS NS_PER_S
#define ND_AUTO_ADDRS_MAX 16u /* addresses of routers' prefixes, each interface */

enum nd_accept { ND_ACCEPT_NEVER, ND_ACCEPT_HOST, ND_ACCEPT_ALWAYS }; /* as Linux's accept_ra */

struct nd_iface {
	struct wheel_node timer; /* must be first: the earliest of all that follows */
	uint16_t ifindex;
	bool is_on;              /* VIA_SET_IPV6 */
	bool is_silent;          /* VIA_SET_AUTOCONF is 0: no addresses from prefixes */
	bool wants_ra;           /* VIA_SET_RA */
	bool has_routers_word;   /* an advertisement with a lifetime came: no solicitations any more (§6.3.7) */
	uint8_t accept_ra;       /* enum nd_accept */
	uint8_t dad_transmits;
	uint8_t rs_sent;
	int64_t rs_next;         /* TIME_NEVER: none is due */
	struct routers routers;
	struct radv radv;
};

/* Who wanted an address that is probed for. */
enum nd_origin { ND_BY_USER, ND_LINK_LOCAL, ND_OF_PREFIX };

static inline struct nd_iface *nd_at(const struct via *v, const struct iface *i) { return i && i->nd ? arena_at(v->arena, i->nd) : NULL; }
/* The same if IPv6 is on there. */
static inline struct nd_iface *nd_on(const struct via *v, const struct iface *i)
{
	struct nd_iface *n = nd_at(v, i);
	return n && n->is_on ? n : NULL;
}

/* ---- nd.c ---- */
/* One of the five messages came to us: p begins at its ICMPv6 header, whose checksum is right. p stays the caller's. */
enum drop nd_arrives(struct via *v, const struct pkt *p, const struct ip_hdr *h);
/* Send m from src (any: ::) to dst by i; mac: of dst, or NULL: a group's own, or to be found. */
void nd_send(struct via *v, struct iface *i, const struct via_addr *src, const struct via_addr *dst, const struct nd_msg *m,
	     const uint8_t *mac);
/* The question of the neighbour cache (§7.2.2, §7.3.3). */
void nd_ask(struct via *v, struct iface *i, const struct neigh_ask *ask);
/* A probe for an address that may become ours (RFC 4862 §5.4.2). */
void nd_probe(struct via *v, struct iface *i, const struct acd *c);
/* Our link-local address on an interface, or NULL. */
const struct addr_entry *nd_link_local(const struct via *v, uint16_t ifindex);

/* ---- nd_host.c ---- */
/* An advertisement of `from`, already learnt as a neighbour. */
void nd_ra_arrives(struct via *v, struct iface *i, const struct via_addr *from, const struct nd_msg *m);
/* A neighbour ceased to be a router, or did not answer (is_gone false): another default router may be better. */
void nd_router_failed(struct via *v, struct iface *i, const struct via_addr *addr, bool is_gone);
void nd_router_answers(struct via *v, struct iface *i, const struct via_addr *addr);
/* Make the best of all interfaces' routers the default route. */
void nd_default_route(struct via *v);
/* The address of c was probed for and is free. */
int nd_claimed(struct via *v, struct acd *c);
/* It was somebody else's. True: c is another one now, to be probed for. */
bool nd_lost(struct via *v, struct acd *c);
/* Probe for a link-local address. */
void nd_make_link_local(struct via *v, struct iface *i);
/* Does this stack believe advertisements there? */
bool nd_accepts(const struct via *v, const struct nd_iface *n);
/* Solicit routers, from now on. */
void nd_solicit(struct via *v, struct nd_iface *n);
/* Forget what routers said. */
void nd_forget(struct via *v, struct iface *i);
void nd_timeout(struct via *v, ref_t timer);
/* Something of n has another deadline. */
void nd_rearm(struct via *v, struct nd_iface *n);

/* ---- nd_config.c ---- */
/* A setting of an interface's IPv6. -ENODEV, -EINVAL, -ENOMEM, -ENOSPC, -ENOENT. */
int nd_configure(struct via *v, const struct via_change *c);
bool nd_is_setting(enum via_setting s);
/* Advertise, or stop: only a router does (RFC 4861 §6.2.2), with IPv6 on, and asked to. */
void nd_radv_follow(struct via *v, struct nd_iface *n);
/* The interface came up, went down, is removed; forwarding was turned on or off (everywhere). */
void nd_updown(struct via *v, struct iface *i);
void nd_remove(struct via *v, struct iface *i);
void nd_forwarding(struct via *v);
#endif
