/* link/acd.h - may we use this address? IPv4: probing, announcing, defending, RFC 5227. IPv6: duplicate address detection, RFC 4862 §5.4.
 *
 * An address is probed for before it is used: IPv4's three times, one to two seconds apart, then it is announced twice; IPv6's as
 * often as the interface says (once), RetransTimer apart. Whoever has it, or probes for it too, is a conflict: then somebody chooses
 * another address, and after ten conflicts tries one a minute. A probe of our own that comes back is known by its nonce (RFC 7527).
 * This is the machine alone; who sends, and what an address is used for, is stack/acd.c's. */
#ifndef LINK_ACD_H
#define LINK_ACD_H
#include "base/wheel.h"
#include "wire/arp.h"
#include "wire/nd.h"

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
	struct via_addr addr;
	uint16_t ifindex;
	uint8_t plen;
	uint8_t state;   /* enum acd_state */
	uint8_t sent;    /* probes, then announcements */
	/* IPv6 */
	uint8_t probes;  /* DupAddrDetectTransmits, at least 1 */
	uint8_t origin;  /* the owner's: who wanted it */
	uint8_t tries;   /* the owner's: addresses before it that were somebody else's */
	uint8_t nonce[ND_NONCE_LEN];
	int64_t gap_ns;  /* RetransTimer */
	int64_t preferred_until, valid_until; /* the owner's: its lifetimes */
};
enum acd_action { ACD_NOTHING, ACD_PROBE, ACD_CLAIM, ACD_ANNOUNCE }; /* CLAIM: it is ours now, and is announced */

/* Begin. conflicts: how many addresses in a row were somebody else's. Returns the first deadline. */
int64_t acd_begin(struct acd *c, uint32_t conflicts, uint64_t random, int64_t now);
/* The deadline came. *next is the next one, or TIME_NEVER. */
enum acd_action acd_timeout(struct acd *c, uint64_t random, int64_t now, int64_t *next);
/* Does an ARP packet on its interface, whose MAC is `mac`, show that somebody else has the address or is probing for it, too (§2.1.1)?
 * Probes are a conflict only while we probe. */
bool acd_is_conflict(const struct acd *c, const struct arp_pkt *a, const uint8_t mac[6]);
/* The same of a solicitation or advertisement (RFC 4862 §5.4.3, §5.4.4), by its nonce not our own (RFC 7527 §4.2). from_any: its source
 * is ::. Only while we probe: what becomes of addresses in use that somebody else advertises, no RFC says. */
bool acd_is_nd_conflict(const struct acd *c, const struct nd_msg *m, bool from_any);
#endif
