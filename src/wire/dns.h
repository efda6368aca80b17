/* wire/dns.h - DNS messages (RFC 1035 §4, 3596, 6891 as far as an OPT is noted): parse a question, build an answer; read an answer's
 * records (dns_rr.c). Names on the wire are bounded by RFC 1035 §2.3.4 and so is the work on each: pointers go backwards only, at most 32
 * of them (RFC 9267). */
#ifndef WIRE_DNS_H
#define WIRE_DNS_H
#include "base/bytes.h"

#define DNS_NAME_MAX 255
#define DNS_HLEN 12u
#define DNS_EDNS_SIZE 1232 /* what we take by UDP, and send: fits any path's MTU */
enum { DNS_FLAG_QR = 0x8000, DNS_FLAG_AA = 0x0400, DNS_FLAG_TC = 0x0200, DNS_FLAG_RD = 0x0100, DNS_FLAG_RA = 0x0080 };
enum { DNS_A = 1, DNS_NS = 2, DNS_CNAME = 5, DNS_SOA = 6, DNS_PTR = 12, DNS_MX = 15, DNS_TXT = 16, DNS_AAAA = 28, DNS_SRV = 33,
	DNS_OPT = 41, DNS_ANY = 255, DNS_IN = 1 };
/* A type of record that a zone may hold; the others are of one message or of a question (RFC 6895 §3.1: OPT, 128 to 255). */
static inline bool dns_type_is_data(uint16_t type)
{
	return type != 0 && type != DNS_OPT && (type < 128 || type > 255);
}
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
	const uint8_t *data; /* rdlen bytes of anything else, borrowed; or NULL */
	const char *target; /* PTR, CNAME, MX: a dotted name, borrowed; then of rdlen and rdata only what stands before it is looked at */
	const char *owner;  /* a dotted name, borrowed; NULL: the question's */
};
struct dns_answer {
	uint8_t rcode;
	bool aa, tc;
	const struct dns_record *r; /* n answers, then n_authority of the authority section */
	int n, n_authority;
};
/* Answer to q: question repeated byte for byte, the records, an OPT if q had one (RFC 6891 §6.1.1). Returns
 * length, or 0 if it does not fit (then the caller sends a truncated answer: no records, tc). */
size_t dns_answer_emit(uint8_t *out, size_t cap, const struct dns_question *q, const struct dns_answer *a);
/* An OPT record (RFC 6891 §6.1.2), with the upper bits of rcode. */
void dns_opt_write(struct writer *w, uint8_t rcode);
/* A query. Returns length or 0. */
size_t dns_query_emit(uint8_t *out, size_t cap, uint16_t id, const char *name, uint16_t type);

/* Read a name at *pos of the message and move *pos past it. raw (DNS_NAME_MAX bytes) gets the uncompressed wire form. Returns its
 * length, or -EINVAL. */
int dns_name_read(const uint8_t *msg, size_t len, size_t *pos, uint8_t *raw);
/* Wire form, ended by the root label, to dotted text of at most DNS_NAME_MAX bytes, lower case, as in struct dns_question. */
void dns_name_text(const uint8_t *raw, char *text);
/* Are two names in wire form the same, whatever their case (RFC 4343)? */
bool dns_name_eq(const uint8_t *a, size_t na, const uint8_t *b, size_t nb);
/* Dotted text to wire form; a final dot is fine. Sets w->bad for an empty or too long label or name. */
void dns_name_write(struct writer *w, const char *name);

/* --- dns_rr.c: the records behind the questions --- */
struct dns_rr {
	uint8_t owner[DNS_NAME_MAX + 1];
	uint16_t owner_len;
	uint16_t type, klass;
	uint32_t ttl;           /* with its top bit set: 0 (RFC 2181 §8) */
	size_t ttl_at, rdata;   /* where they stand in the message */
	uint16_t rdlen;
};
struct dns_walk {
	const uint8_t *msg;
	size_t len, pos;
	uint32_t left[3];       /* records to come: answer, authority, additional */
	uint16_t n_questions;
};
/* Begin behind the questions. -EINVAL: no header, or they leave the message. */
int dns_walk_begin(struct dns_walk *w, const uint8_t *msg, size_t len);
/* The next record: its section (0 answer, 1 authority, 2 additional); -ENOENT at the end, -EINVAL when it leaves the message. Moves on by
 * eleven bytes at least, so a walk ends (HARD-02). */
int dns_rr_next(struct dns_walk *w, struct dns_rr *r);
/* Write r's data without compression; names in it are those of RFC 1035's types, of SRV and SOA. 0, or -EINVAL: its data is not what its
 * type asks for. Sets out->bad if there is no room. */
int dns_rdata_write(const uint8_t *msg, size_t len, const struct dns_rr *r, struct writer *out);
/* The name that is all of r's data (CNAME, NS, PTR). Its length in raw, or -EINVAL. */
int dns_rdata_name(const uint8_t *msg, size_t len, const struct dns_rr *r, uint8_t *raw);
#endif
