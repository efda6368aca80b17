/* filter/filter.h - the whole of a stack's NAT and filter, and the calls at the five hook points (stack/hook.h).
 *
 *   pre-route   filter_pre_route(): whose is it? What comes back is addressed to who is inside, forwarded ports lead there
 *   local-in    filter_chain(INPUT), filter_commit()
 *   forward     filter_chain(FORWARD)
 *   local-out   filter_chain(OUTPUT)
 *   post-route  filter_post_route(): what begins here is remembered; what leaves by an outer interface gets its address
 *
 * A connection is remembered only when its first packet has passed the chains, but for forwarded ports, whose destination must be
 * known before the route. NAT is IPv4's; chains and connections know both families. */
#ifndef FILTER_FILTER_H
#define FILTER_FILTER_H

#include "filter/conntrack.h"
#include <viaduct/filter.h>

#define FILTER_RULES_MAX 1024u /* of a chain: each may be looked at for each packet */
#define NAT_RULES_MAX 64u

struct filter_rule {
	struct via_filter_rule r;
	uint16_t in, out;       /* interfaces of those names; 0: any */
	int64_t limit_paid;     /* the bucket is full again at this time */
	uint64_t packets, bytes;
};
struct filter_chain {
	ref_t rules;            /* struct filter_rule[cap] */
	uint32_t n, cap;
	enum via_target policy; /* ACCEPT or DROP */
	uint64_t packets, bytes; /* that the policy decided */
};
struct nat_rule {
	struct via_nat_rule r;
	uint16_t out;
	uint64_t packets, bytes; /* that began a connection */
};
/* Lives in the arena while there is anything to do. */
struct filter {
	struct prf_key key;
	struct filter_chain chains[VIA_CHAINS];
	ref_t nat;              /* struct nat_rule[NAT_RULES_MAX] */
	uint32_t n_nat;
	struct ct ct;
	uint8_t wheel_kind;
};

/* What the engine asks the stack. */
struct filter_ops {
	/* Does the interface have the address? */
	bool (*has_addr)(void *ctx, uint16_t ifindex, const struct via_addr *a);
	/* Its address, the first of IPv4. False: it has none. */
	bool (*addr_of)(void *ctx, uint16_t ifindex, struct via_addr *out);
	/* Does a program of this stack use the port? */
	bool (*port_in_use)(void *ctx, uint8_t proto, uint16_t port);
	/* The interface of that name; 0: there is none. */
	uint16_t (*ifindex_of)(void *ctx, const char name[16]);
};
struct filter_env {
	struct ct_env ct;
	struct pktmem *mem;
	const struct filter_ops *ops;
	void *ctx;
};

/* A packet at a hook: in and out are interfaces, 0: made here, not known yet. */
struct filter_pkt {
	struct pkt *p; /* begins at its IP header */
	uint16_t in, out;
	bool is_reject; /* the RST of a rule */
};

/* --- filter.c: life and configuration --- */
void filter_init(struct filter *f, struct prf_key key, uint8_t wheel_kind);
void filter_fini(struct filter_env *e, struct filter *f);
/* Nothing is configured: the owner may forget it. */
bool filter_is_empty(const struct filter *f);
/* -EINVAL, -ENODEV, -ENOSPC, -ENOMEM. */
int filter_append(struct filter_env *e, struct filter *f, const struct via_filter_rule *r, uint32_t ct_max);
int filter_policy(struct filter *f, enum via_chain chain, enum via_target target);
int filter_flush(struct filter_env *e, struct filter *f, enum via_chain chain);
int filter_nat_add(struct filter_env *e, struct filter *f, const struct via_nat_rule *r, uint32_t ct_max);
void filter_nat_flush(struct filter_env *e, struct filter *f);
/* An interface came or went: names mean others now. */
void filter_ifaces_changed(struct filter_env *e, struct filter *f);
bool filter_get(struct filter_env *e, const struct filter *f, int n, struct via_filter_info *out);
bool filter_nat_get(struct filter_env *e, const struct filter *f, int n, struct via_nat_info *out);
bool filter_ct_get(struct filter_env *e, const struct filter *f, int n, struct via_ct_info *out);

/* --- nat.c --- */
/* DROP_NONE or why it is dropped. The packet's destination may be another afterwards. */
enum drop filter_pre_route(struct filter_env *e, struct filter *f, const struct filter_pkt *k);
enum drop filter_post_route(struct filter_env *e, struct filter *f, const struct filter_pkt *k);
/* It is for us: remembered, if connections are followed. */
enum drop filter_commit(struct filter_env *e, struct filter *f, const struct filter_pkt *k);

/* --- chain.c --- */
/* ACCEPT, DROP, or REJECT with what to answer. */
enum via_target filter_chain(struct filter_env *e, struct filter *f, enum via_chain chain, const struct filter_pkt *k,
			     enum via_reject_with *reject);
/* VIA_CT_ bits of the packet. */
uint8_t filter_ctstate(const struct filter_env *e, const struct filter *f, const struct filter_pkt *k, const struct view *w);
/* Whose is it? What has come in may be translated already; what is made here is not, and may look like what somebody inside sent. */
static inline ref_t filter_find(const struct filter_env *e, const struct filter *f, const struct filter_pkt *k, const struct view *w,
				enum ct_dir *d)
{
	return k->in ? ct_find_any(&e->ct, &f->ct, &w->t, d) : ct_find(&e->ct, &f->ct, &w->t, d);
}

/* --- answer.c --- */
/* The RST that answers p (borrowed), a whole packet with its IP header. NULL: none is due (not TCP, a RST itself), or no memory. Gives. */
struct pkt *filter_reset(struct pktmem *m, struct pkt *p);

#endif
