/* svc/dns.h - the lab's DNS engine: a table of names and addresses, and the answer to a query's bytes.
 *
 * Pure: no sockets, no clock. A name is added once, bare ("sina"); it is found bare and below the zone's suffix
 * ("sina.lab"), in any case, since a program's resolver may put a search domain behind it or not. Answers: A, AAAA, CNAME
 * (followed inside the zone), MX, TXT; other types of a known name are empty with NOERROR; PTR of a known address; NXDOMAIN for all else.
 * The table and everything it owns live in an arena, so it is copied with it. Lookups hash with a key (HARD-06).
 * Limits: DNS_HOST_MAX bytes a name, DNS_ADDRS_MAX addresses a name and as many other records, the arena. RFC 1034, 1035, 2308, 6891. */
#ifndef SVC_DNS_H
#define SVC_DNS_H

#include "base/arena.h"
#include "base/prf.h"
#include <viaduct/types.h>

#define DNS_HOST_MAX 127  /* bytes of a name, suffix not counted */
#define DNS_SUFFIX_MAX 63
#define DNS_ADDRS_MAX 16
#define DNS_TEXT_MAX 253
#define DNS_REPLY_MAX 4096 /* bytes that any answer fits */

struct dns_zone {
	char suffix[DNS_SUFFIX_MAX + 1]; /* lower case, without dots at the ends; may be empty */
	uint32_t ttl;                    /* seconds told in answers */
	struct prf_key key;
	struct pool hosts, ptrs, extras;
	ref_t by_name, by_addr; /* bucket arrays of n_buckets ref_t each */
	uint32_t n_buckets;
};

/* An empty zone. suffix: copied, e.g. "lab". key: for the hash. 0, -ENAMETOOLONG or -ENOMEM. */
int dns_zone_init(struct arena *a, struct dns_zone *z, const char *suffix, uint32_t ttl, struct prf_key key);
/* Give all memory back. */
void dns_zone_free(struct arena *a, struct dns_zone *z);
/* Add an address of a name ("sina", or "sina.lab", which is the same when the suffix is "lab"). Adding one twice is fine.
 * The name added first for an address is the one PTR tells. 0, -EINVAL (not a host name), -ENAMETOOLONG, -ENOSPC
 * (DNS_ADDRS_MAX), -ENOMEM. */
int dns_zone_add(struct arena *a, struct dns_zone *z, const char *name, const struct via_addr *addr);
/* An alias (DNS_CNAME; the name may have nothing else), a mail exchanger (DNS_MX, with a preference) or a text (DNS_TXT) of at most
 * DNS_TEXT_MAX bytes. 0, -EINVAL: other type, or no host name; -EEXIST: an alias has other records; -ENAMETOOLONG, -ENOMEM. */
int dns_zone_add_text(struct arena *a, struct dns_zone *z, const char *name, uint16_t type, uint16_t preference, const char *text);
/* Take an address of a name away. The name stays known. 0, -ENOENT. */
int dns_zone_del(struct arena *a, struct dns_zone *z, const char *name, const struct via_addr *addr);
/* Is this query the zone's business, and not another server's? Names below the suffix, known ones, known addresses; what is no well-formed
 * question for a name of the internet, too. */
bool dns_zone_owns(const struct arena *a, const struct dns_zone *z, const uint8_t *query, size_t len);
/* Addresses of a name, with or without suffix, any case: at most n are written. Returns how many it has, -ENOENT if the
 * name is unknown. */
int dns_zone_lookup(const struct arena *a, const struct dns_zone *z, const char *name, struct via_addr *out, int n);

/* Answer a query. out: at least 512 bytes; DNS_REPLY_MAX always suffices. UDP answers keep to 512 bytes or what the query's
 * EDNS allows, else they are cut and marked truncated. Returns the length; 0: nothing may be answered (a response, or no
 * DNS header). TCP's two-byte length prefix is the caller's, both ways. */
size_t dns_serve(const struct arena *a, const struct dns_zone *z, const uint8_t *query, size_t len, uint8_t *out, size_t cap, bool is_tcp);

#endif
