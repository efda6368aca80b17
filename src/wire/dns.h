/* wire/dns.h - DNS messages (RFC 1035 §4, 3596, 6891 as far as an OPT is noted): parse a question, build an answer. */
#ifndef WIRE_DNS_H
#define WIRE_DNS_H
#include "base/bytes.h"

#define DNS_NAME_MAX 255
enum { DNS_A = 1, DNS_NS = 2, DNS_CNAME = 5, DNS_PTR = 12, DNS_AAAA = 28, DNS_OPT = 41, DNS_ANY = 255, DNS_IN = 1 };
enum { DNS_OK = 0, DNS_FORMERR = 1, DNS_SERVFAIL = 2, DNS_NXDOMAIN = 3, DNS_NOTIMP = 4, DNS_REFUSED = 5 };
enum { DNS_BADVERS = 16 }; /* needs EDNS */

struct dns_question {
	uint16_t id;
	uint16_t flags;               /* as on the wire */
	uint8_t opcode;
	bool is_response, rd, has_edns;
	uint16_t udp_size;            /* EDNS payload size, at least 512 */
	uint16_t n_questions;
	char name[DNS_NAME_MAX + 1];  /* dotted, lower case, no final dot; a byte no host name holds (RFC 1035 §2.3.1) is '?' */
	uint8_t raw[DNS_NAME_MAX + 1];/* the name as sent (0x20 case kept), wire form */
	uint16_t raw_len;
	uint16_t type, klass;
	uint8_t edns_version;
};
/* Parse a query's header and first question. Compression pointers only backwards, bounded. -EINVAL when malformed. */
int dns_query_parse(const uint8_t *p, size_t len, struct dns_question *q);

struct dns_record {
	uint16_t type;
	uint32_t ttl;
	uint16_t rdlen;
	uint8_t rdata[16]; /* A: 4 bytes, AAAA: 16 */
	const char *target; /* PTR, CNAME: a dotted name, borrowed; then rdlen and rdata are not looked at */
};
/* Answer to q: question repeated byte for byte, n records of q's name, an OPT if q had one (RFC 6891 §6.1.1). Returns
 * length, or 0 if it does not fit (then the caller sends a truncated answer: n = 0, tc). */
size_t dns_answer_emit(uint8_t *out, size_t cap, const struct dns_question *q, uint8_t rcode, bool tc,
	const struct dns_record *r, int n);
/* A query. Returns length or 0. */
size_t dns_query_emit(uint8_t *out, size_t cap, uint16_t id, const char *name, uint16_t type);
#endif
