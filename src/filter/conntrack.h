/* filter/conntrack.h - the connections that NAT and filter know: TCP's, and what is like one of UDP, ping and others.
 *
 * An entry has two tuples: what its packets look like as they arrive, from who began it and from the other. Without NAT the second is the
 * inverse of the first; the difference is the translation (as in Linux), so nothing else need be kept of it. Look-ups use a keyed hash
 * of the whole tuple (HARD-06).
 *
 * Idle times: TCP established 2 h 4 min, else (opening, closed, reset) 4 min (RFC 5382 REQ-5, RFC 7857 §2); UDP 2 min, once answered
 * 5 min (RFC 4787 REQ-5); a ping 60 s (RFC 5508 REQ-2); others 10 min. Of a translated UDP flow only what comes from inside counts as
 * use (RFC 4787 REQ-6). No ICMP error ends an entry (RFC 5382 REQ-10). Sequence numbers are not followed, so a RST is believed only as
 * far as it shortens the idle time, until its sender says something else.
 *
 * The table has a cap. At the cap, or when the arena is full, the entry that has been silent longest of those that are not assured
 * (TCP not established, UDP not answered, pings) gives way; if all are assured, the new one is refused: no flood ends what works. */
#ifndef FILTER_CONNTRACK_H
#define FILTER_CONNTRACK_H

#include "base/list.h"
#include "base/wheel.h"
#include "filter/natmap.h"
#include "filter/view.h"

#define CT_MAX_DEFAULT 65536u
#define CT_MAX_LIMIT 262144u
#define CT_BUCKETS 32768u /* of each direction */
#define CT_TCP_ESTABLISHED_NS (7440 * NS_PER_S)
#define CT_TCP_TRANSITORY_NS (240 * NS_PER_S)
#define CT_UDP_NS (120 * NS_PER_S)
#define CT_UDP_ANSWERED_NS (300 * NS_PER_S)
#define CT_PING_NS (60 * NS_PER_S)
#define CT_OTHER_NS (600 * NS_PER_S)

enum ct_dir { CT_ORIG, CT_REPLY };
enum ct_nat { CT_NAT_NONE, CT_NAT_SRC, CT_NAT_DST }; /* what the NAT changes of its first packet */

struct ct_conn {
	struct wheel_node timer; /* must be first */
	struct list_link age;
	ref_t next[2];           /* hash chains */
	ref_t map;               /* holds one: the outer port of who is inside, or 0 */
	uint8_t nat;             /* enum ct_nat */
	bool is_hairpin;         /* both ends are inside: it is translated as it comes in */
	bool is_answered, is_assured;
	bool is_established;     /* TCP */
	uint8_t syn, fin, rst;   /* bit per direction: seen */
	struct ct_tuple t[2];    /* by enum ct_dir, as they arrive */
	int64_t expires;
	uint64_t packets[2], bytes[2];
};

enum ct_count { CT_OPENED, CT_EVICTED, CT_REFUSED, CT_COUNTS };
struct ct_env {
	struct arena *arena;
	struct wheel *wheel;
	int64_t now;
	uint64_t *counts; /* by enum ct_count */
};
/* Lives in the arena. */
struct ct {
	struct prf_key key;
	struct pool pool;
	ref_t buckets;           /* ref_t[2][CT_BUCKETS] in pages; 0: nobody wants connections followed */
	uint32_t max;
	struct list fresh, assured; /* fresh: silent longest first */
	struct natmaps maps;
};

static inline struct ct_conn *ct_at(const struct ct_env *e, ref_t r) { return arena_at(e->arena, r); }
static inline bool ct_is_on(const struct ct *ct) { return ct->buckets != 0; }

/* Begin to follow connections. 0, -ENOMEM. */
int ct_start(struct ct_env *e, struct ct *ct, struct prf_key key, uint32_t max);
/* Forget all, and give the tables back. */
void ct_stop(struct ct_env *e, struct ct *ct);
/* Forget all connections. */
void ct_flush(struct ct_env *e, struct ct *ct);

/* Whose packet is it, and of which direction? 0: nobody's. */
ref_t ct_find(const struct ct_env *e, const struct ct *ct, const struct ct_tuple *t, enum ct_dir *dir);
/* The same, also for one that has been translated already. */
ref_t ct_find_any(const struct ct_env *e, const struct ct *ct, const struct ct_tuple *t, enum ct_dir *dir);
/* A new one whose packets arrive as orig and reply. It holds `map` from now on, if not 0. 0: one of the tuples is in use, or
 * there is no room. */
ref_t ct_new(struct ct_env *e, struct ct *ct, const struct ct_tuple *orig, const struct ct_tuple *reply, enum ct_nat nat, ref_t map,
	     uint8_t wheel_kind);
/* A packet of the connection came. False: it does not belong to it after all, and the connection has ended: a SYN of the
 * other side after both had closed. */
bool ct_touch(struct ct_env *e, struct ct *ct, ref_t c, enum ct_dir dir, const struct view *w, uint32_t bytes);
void ct_end(struct ct_env *e, struct ct *ct, ref_t c);
/* Its timer fired. */
void ct_timeout(struct ct_env *e, struct ct *ct, ref_t c);
/* The n-th in no order that lasts; 0 past the end. */
ref_t ct_nth(const struct ct_env *e, const struct ct *ct, uint32_t n);

#endif
