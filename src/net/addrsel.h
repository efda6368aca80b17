/* net/addrsel.h - which of our addresses to speak from, and which of a name's addresses to try first (RFC 6724).
 *
 * Pure comparisons; who the candidates are is the caller's: the addresses of the interface a packet leaves by (RFC 6724 §4), the
 * answers of a resolver (at most ADDRSEL_DSTS_MAX are put in order, work is quadratic). Rules about home addresses and encapsulating
 * interfaces find nothing to compare here: there is neither. IPv4 addresses take part in the order of destinations; their sources are
 * chosen by RFC 1122 (addrs_source()). */
#ifndef NET_ADDRSEL_H
#define NET_ADDRSEL_H
#include "net/addrs.h"

#define ADDRSEL_DSTS_MAX 64u

/* RFC 4007 §5 as RFC 6724 §3.1 and §3.2 have it: values of RFC 4291 §2.7. */
enum addrsel_scope { SCOPE_INTERFACE = 1, SCOPE_LINK = 2, SCOPE_SITE = 5, SCOPE_GLOBAL = 0xe };
unsigned addrsel_scope_of(const struct via_addr *a);
/* The default policy table (§2.1). */
struct addrsel_policy {
	uint8_t precedence, label;
};
struct addrsel_policy addrsel_policy_of(const struct via_addr *a);
/* CommonPrefixLen(s, d): bits they begin alike with, at most plen, which is of s (§2.2). */
unsigned addrsel_common(const struct via_addr *s, uint8_t plen, const struct via_addr *d);

/* Is a the better source towards dst, by interface ifindex? Rules 1 to 8 of §5; between equals false. */
bool addrsel_source_is_better(const struct addr_entry *a, const struct addr_entry *b, const struct via_addr *dst, uint16_t ifindex);

struct addrsel_dst {
	struct via_addr addr;
	const struct addr_entry *source; /* borrowed: what we would speak from; NULL: unreachable, or nothing to speak from */
};
/* Put the best first; rules 1 to 10 of §6, stable. What lies behind ADDRSEL_DSTS_MAX stays there. */
void addrsel_sort(struct addrsel_dst *v, uint32_t n);
#endif
