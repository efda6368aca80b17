/* net/slaac.h - addresses from routers' prefixes: which, with what interface id, for how long (RFC 4862 §5.5.3; RFC 7217).
 *
 * Pure decisions; the address table is the caller's. Interface ids are stable for a prefix and an interface and say nothing about
 * either (RFC 7217 §5): a keyed function of prefix, interface, and how often the last one was somebody else's. */
#ifndef NET_SLAAC_H
#define NET_SLAAC_H
#include "base/prf.h"
#include "wire/nd.h"

#define SLAAC_IID_BITS 64
#define SLAAC_IDGEN_RETRIES 3 /* RFC 7217 §7 */
#define SLAAC_TWO_HOURS_NS (7200 * NS_PER_S)

/* May an address be made of it, or one that was be renewed (§5.5.3 (a) to (d))? A valid lifetime of 0 only ends one. */
bool slaac_prefix_is_usable(const struct nd_prefix *p);
/* A lifetime in seconds as a time; ND_LIFETIME_INF is TIME_NEVER. */
int64_t slaac_until(uint32_t seconds, int64_t now);
/* When an address whose life would end at valid_until ends after this advertisement (§5.5.3 (e), the two-hour rule). */
int64_t slaac_valid_until(const struct nd_prefix *p, int64_t valid_until, int64_t now);

/* The address with our interface id for it in the /64 that `prefix` begins with. secret: of this stack, for nothing else. iface: what
 * names the interface for good (Net_Iface), n bytes, at most 32. tries: how many were somebody else's (DAD_Counter). */
struct via_addr slaac_stable_addr(struct prf_key secret, const struct via_addr *prefix, const void *iface, size_t n, uint8_t tries);
/* Is the interface id reserved (RFC 5453 §3): the routers' anycast, the IANA block, subnet anycasts? */
bool slaac_iid_is_reserved(const uint8_t iid[8]);
#endif
