/* svc/radv.h - a router's advertisements on one interface: what they say and when they leave (RFC 4861 §6.2).
 *
 * Pure: time and randomness are handed in, whoever calls sends. Periodic at random times between the least and the most interval, the
 * first three no more than 16 s apart; asked for, within half a second; to all nodes never more often than every 3 s; on stopping three
 * with lifetime 0. All are multicast: a solicitation asks for the next one to come early. */
#ifndef SVC_RADV_H
#define SVC_RADV_H
#include "wire/nd.h"

#define RADV_PREFIXES_MAX 8u
/* RFC 4861 §10, §6.2.1 */
#define RADV_INITIAL_NS (16 * NS_PER_S)
#define RADV_INITIAL_NUM 3
#define RADV_FINAL_NUM 3
#define RADV_MIN_DELAY_NS (3 * NS_PER_S)
#define RADV_ANSWER_NS (500 * NS_PER_MS)
#define RADV_MAX_INTERVAL_S 600u
#define RADV_VALID_S 2592000u
#define RADV_PREFERRED_S 604800u

struct radv_config {
	uint16_t max_interval_s; /* 4 to 1800; the least is a third of it, 3 s at least. 0: RADV_MAX_INTERVAL_S */
	int32_t lifetime_s;      /* 0 to 9000, 0: no default router; -1: three times the most interval */
	uint8_t hop_limit;       /* 0: not said, and so for the next three */
	uint32_t reachable_ms, retrans_ms, mtu;
	bool managed, other;
	int8_t preference;
	uint8_t n_prefixes;
	struct nd_prefix prefix[RADV_PREFIXES_MAX];
};
enum radv_state { RADV_OFF, RADV_ON, RADV_ENDING };
struct radv {
	struct radv_config c;
	int64_t next;   /* when the next one leaves; TIME_NEVER: none does */
	int64_t last;   /* when one left; meaningful while sent is not 0 */
	uint32_t sent;
	uint8_t state;  /* enum radv_state */
	uint8_t left;   /* initial or final ones still to be sent */
};

void radv_init(struct radv *r);
void radv_start(struct radv *r, uint64_t random, int64_t now);
/* The router stops to be one: says so, then is silent. */
void radv_stop(struct radv *r, int64_t now);
/* Somebody asked for routers. */
void radv_solicited(struct radv *r, uint64_t random, int64_t now);
/* What it says changed: tell soon (§6.2.4). */
void radv_changed(struct radv *r, int64_t now);
/* Is one to be sent now? It then counts as sent. */
bool radv_due(struct radv *r, uint64_t random, int64_t now);
/* What it says; the link-layer address is the caller's to add. */
void radv_fill(const struct radv *r, struct nd_msg *m);
/* Does another router's advertisement agree with ours (§6.2.7)? */
bool radv_agrees(const struct radv *r, const struct nd_msg *other);
/* Add or replace a prefix; take one out. -ENOSPC, -EINVAL; -ENOENT. */
int radv_prefix_set(struct radv *r, const struct nd_prefix *p);
int radv_prefix_del(struct radv *r, const struct via_addr *prefix, uint8_t plen);
#endif
