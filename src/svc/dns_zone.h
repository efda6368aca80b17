/* svc/dns_zone.h - what the zone's table (dns.c) and its answers (dns_answer.c) share. */
#ifndef SVC_DNS_ZONE_H
#define SVC_DNS_ZONE_H

#include "svc/dns.h"
#include "wire/dns.h"

struct dns_host {
	ref_t next;
	uint8_t n_addrs, n_extras, len;
	char name[DNS_HOST_MAX + 1];
	ref_t extra;     /* struct dns_extra, the newest first */
	struct via_addr addrs[DNS_ADDRS_MAX];
};

/* A record that is no address. */
struct dns_extra {
	ref_t next;
	uint16_t type, preference;
	char text[1 + DNS_TEXT_MAX + 1]; /* its length, then the text: a character string of a TXT (RFC 1035 §3.3) */
};

struct dns_ptr {
	ref_t next, host;
	struct via_addr addr;
};

/* A question's or caller's name, any case. NULL if unknown. */
const struct dns_host *dns_host_of(const struct arena *a, const struct dns_zone *z, const char *name);
/* Whose address is it? NULL if unknown. */
const struct dns_host *dns_ptr_find(const struct arena *a, const struct dns_zone *z, const struct via_addr *addr);

#endif
