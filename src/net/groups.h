/* net/groups.h - membership in multicast groups: what a host tells routers of it, for IPv4 (IGMPv3, RFC 3376 §5) and IPv6 (MLDv2,
 * RFC 3810 §6) by one machine.
 *
 * A group is on an interface, held by users (sockets' joins) and by the stack itself (its solicited-node groups). Sources are not chosen
 * among: all of a group's are wanted, EXCLUDE {}. A change is told at once and again, `robustness` times in all, at random moments; a
 * query is answered once within the time it gives: all groups after a general one, one group, or of the sources asked about those that
 * are wanted, which is all. While a querier of an older version was heard of late, its version is spoken (§7.2, §8.2): then each group
 * is reported by itself, another host's report is as good as ours, and who reported last says that it leaves.
 *
 * It is pure: ops->report sends. Groups that are never told of: 224.0.0.1, ff02::1, and what is of the interface or less (ffx0, ffx1).
 * Limits: GROUPS_MAX; GROUP_SOURCES_MAX sources of a query (one about more is answered as if it had asked about the whole group). */
#ifndef NET_GROUPS_H
#define NET_GROUPS_H
#include "base/prf.h"
#include "base/wheel.h"
#include "wire/group.h"

#define GROUPS_MAX 1024u
#define GROUPS_IFACES_MAX 64u
#define GROUP_ROBUSTNESS 2
#define GROUP_QUERY_INTERVAL_S 125
#define GROUP_RESPONSE_NS (10 * NS_PER_S)
#define GROUP_UNSOLICITED_NS NS_PER_S            /* between reports of a change; older versions: 10 s */
#define GROUP_UNSOLICITED_OLD_NS (10 * NS_PER_S)

struct group {
	ref_t next;            /* of its link */
	struct via_addr addr;
	uint32_t id;           /* of this membership; never 0, nor soon the same again */
	uint32_t users;
	bool is_own, is_wanted;/* held by the stack; while it looks which still are */
	bool was_last;         /* older versions: nobody reported it after us */
	uint8_t changes;       /* times that its change is still to be told */
	uint8_t n_asked;       /* sources that a query asked about; 0: about all of it */
	int64_t answer_at;     /* TIME_NEVER: nobody asked */
	struct via_addr asked[GROUP_SOURCES_MAX];
};

/* The groups of one family on one interface. */
struct groups_link {
	struct wheel_node timer; /* must be first: the earliest of all that follows */
	ref_t first;
	uint16_t ifindex;
	bool is_v6;
	bool has_source;         /* the reports that were sent had a valid source address */
	uint8_t version;         /* that is spoken */
	uint8_t robustness;      /* the querier's, or GROUP_ROBUSTNESS */
	uint32_t interval_s;     /* likewise */
	int64_t answer_at;       /* of a general query */
	int64_t change_at;       /* changes are told again */
	int64_t older_until[3];  /* a querier of version 1, 2 was there until then */
};

/* Lives in the arena. */
struct groups {
	struct pool pool, links;
	ref_t link[GROUPS_IFACES_MAX][2]; /* by interface and family */
	struct prf_stream random;
	uint32_t last_id;
	uint64_t refused;
	uint8_t kind; /* of the timers */
};

struct groups_ops {
	/* Send it by that interface, if it is up. */
	void (*report)(void *ctx, uint16_t ifindex, bool is_v6, const struct group_report *r);
};
/* What the engine may touch; process-local. */
struct groups_env {
	struct arena *arena;
	struct wheel *wheel;
	int64_t now;
	const struct groups_ops *ops;
	void *ctx;
};

void groups_init(struct groups_env *e, struct groups *g, struct prf_key key, uint8_t wheel_kind);
/* Everything goes, without a word. */
void groups_fini(struct groups_env *e, struct groups *g);
/* One user more. *id names the membership for groups_leave(). 0, -ENOBUFS at the cap or without memory. */
int groups_join(struct groups_env *e, struct groups *g, uint16_t ifindex, const struct via_addr *addr, uint32_t *id);
/* One less. A membership that is no more is nobody's. */
void groups_leave(struct groups_env *e, struct groups *g, uint16_t ifindex, const struct via_addr *addr, uint32_t id);
/* Is the group joined there (0: anywhere)? */
bool groups_has(const struct arena *a, const struct groups *g, uint32_t ifindex, const struct via_addr *addr);
/* What the stack itself wants: first none, then each one, then those that are not wanted any more are left. */
void groups_own_begin(struct groups_env *e, struct groups *g);
void groups_own(struct groups_env *e, struct groups *g, uint16_t ifindex, const struct via_addr *addr);
void groups_own_end(struct groups_env *e, struct groups *g);
/* Tell of all groups of an interface and family anew: it came up, or has another address. */
void groups_again(struct groups_env *e, struct groups *g, uint16_t ifindex, bool is_v6);
/* The interface is gone: forget its groups. */
void groups_forget(struct groups_env *e, struct groups *g, uint16_t ifindex);
/* A message came by the interface. */
void groups_hear(struct groups_env *e, struct groups *g, uint16_t ifindex, bool is_v6, const struct group_msg *m);
void groups_timeout(struct groups_env *e, struct groups *g, ref_t link);
/* The n-th group that is joined, in no order; false past the end. */
bool groups_get(const struct arena *a, const struct groups *g, uint32_t n, uint16_t *ifindex, struct via_addr *addr, uint32_t *users);
#endif
