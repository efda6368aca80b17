/* svc/dns_ask.h - one question to another name server: how it is asked, which answer is believed, and what of it (RFC 5452, 9267).
 *
 * Who cannot see the question has to guess its id, the letters' case (0x20: draft-vixie-dnsext-dns0x20) and, the owner's business,
 * port and server. Of an answer only this is used: the records of the name asked for, those of its aliases, at most eight, and the
 * SOA of a refusal. Everything else in it was not asked and is not believed. Pure. */
#ifndef SVC_DNS_ASK_H
#define SVC_DNS_ASK_H

#include "base/prf.h"
#include "wire/dns.h"

#define DNS_TTL_MAX 86400u     /* nothing is remembered for longer than a day, */
#define DNS_NEGATIVE_MAX 900u  /* and that there is nothing, for a quarter of an hour (RFC 2308 §5) */
#define DNS_RRS_MAX 256        /* records of an answer that are looked at; one of more is not believed */

struct dns_ask {
	uint16_t id, type;
	uint16_t raw_len;
	uint8_t raw[DNS_NAME_MAX + 1]; /* the name, in the case it was asked in */
};

/* Ask for the first question of q, which is of class IN. Id and case come from the stream. */
void dns_ask_make(struct dns_ask *k, const struct dns_question *q, struct prf_stream *random);
/* The query: recursion desired, EDNS with DNS_EDNS_SIZE. Its length or 0. */
size_t dns_ask_emit(const struct dns_ask *k, uint8_t *out, size_t cap);

enum dns_verdict {
	DNS_NOT_OURS,  /* not an answer to k: as if it had not come */
	DNS_CUT,       /* truncated: ask by TCP */
	DNS_FAILED,    /* the server cannot, or nonsense follows the question: ask another */
	DNS_ANSWERED,
};
/* has_case: the case of the name counts, too (by UDP). */
enum dns_verdict dns_ask_judge(const struct dns_ask *k, const uint8_t *msg, size_t len, bool has_case);
/* What is believed of a message that DNS_ANSWERED: written as an answer of ours without OPT, names uncompressed but for the question's.
 * *ttl: seconds it may be remembered. Its length, or 0: nonsense, or it does not fit. */
size_t dns_ask_distill(const struct dns_ask *k, const uint8_t *msg, size_t len, uint8_t *out, size_t cap, uint32_t *ttl);

/* A distilled message becomes the answer to q, `age` seconds later: its id, its name's case, its EDNS, within cap. Its length. */
size_t dns_ask_relay(const struct dns_question *q, const uint8_t *msg, size_t len, uint32_t age, uint8_t *out, size_t cap);

#endif
