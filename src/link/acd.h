/* link/acd.h - may we use this IPv4 address? Probing, announcing, defending: the times and rules of RFC 5227.
 *
 * An address is probed for three times, one to two seconds apart, before it is used, then announced twice. Whoever has it, or
 * probes for it too, is a conflict: then somebody chooses another address, and after ten conflicts tries one a minute. This is
 * the machine alone; who sends, and what an address is used for, is stack/acd.c's. */
#ifndef LINK_ACD_H
#define LINK_ACD_H
#include "base/wheel.h"
#include "wire/arp.h"

/* RFC 5227 §1.1 */
#define ACD_PROBE_WAIT_NS NS_PER_S
#define ACD_PROBE_NUM 3
#define ACD_PROBE_MIN_NS NS_PER_S
#define ACD_PROBE_MAX_NS (2 * NS_PER_S)
#define ACD_ANNOUNCE_WAIT_NS (2 * NS_PER_S)
#define ACD_ANNOUNCE_NUM 2
#define ACD_ANNOUNCE_INTERVAL_NS (2 * NS_PER_S)
#define ACD_MAX_CONFLICTS 10
#define ACD_RATE_LIMIT_NS (60 * NS_PER_S)
#define ACD_DEFEND_INTERVAL_NS (10 * NS_PER_S)

enum acd_state { ACD_FRESH, ACD_PROBING, ACD_ANNOUNCING, ACD_BOUND, ACD_CONFLICT };
struct acd {
	struct wheel_node timer; /* must be first */
	ref_t next;
	uint32_t addr;
	uint16_t ifindex;
	uint8_t plen;
	uint8_t state;   /* enum acd_state */
	uint8_t sent;    /* probes, then announcements */
};
enum acd_action { ACD_NOTHING, ACD_PROBE, ACD_CLAIM, ACD_ANNOUNCE }; /* CLAIM: it is ours now, and is announced */

/* Begin. conflicts: how many addresses in a row were somebody else's. Returns the first deadline. */
int64_t acd_begin(struct acd *c, uint32_t conflicts, uint64_t random, int64_t now);
/* The deadline came. *next is the next one, or TIME_NEVER. */
enum acd_action acd_timeout(struct acd *c, uint64_t random, int64_t now, int64_t *next);
/* Does an ARP packet on its interface, whose MAC is `mac`, show that somebody else has the address or is probing for it, too (§2.1.1)?
 * Probes are a conflict only while we probe. */
bool acd_is_conflict(const struct acd *c, const struct arp_pkt *a, const uint8_t mac[6]);
#endif
