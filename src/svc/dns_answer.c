/* svc/dns_answer.c - answers from the zone's table (RFC 1034 §4.3.2, 1035 §4.2.1, 2181 §10.1, 2308 §2 and §3, 3596 §2.5, 6891 §6).
 *
 * An alias is followed inside the zone, at most CHAIN_MAX names far. A name that is known without what was asked for, and one that is
 * not, are told apart by the response code; both with the zone's SOA, so that resolvers may remember it. */
#include "svc/dns_zone.h"

enum { CHAIN_MAX = 8, RECORDS_MAX = DNS_ADDRS_MAX + CHAIN_MAX + 1, NAMES_MAX = CHAIN_MAX + DNS_ADDRS_MAX + 1 };
#define NAME_ROOM (DNS_HOST_MAX + 1 + DNS_SUFFIX_MAX + 1)

/* What is known about a question: the response code and records. */
struct dns_finding {
	struct dns_answer a;
	struct dns_record r[RECORDS_MAX];
	char names[NAMES_MAX][NAME_ROOM]; /* that records point to */
	int n_names;
	uint8_t soa[3 * NAME_ROOM];
};

/* "4.3.2.1.in-addr.arpa" to 1.2.3.4. */
static bool reverse4(const char *name, struct via_addr *out)
{
	size_t n = strlen(name);
	static const char tail[] = ".in-addr.arpa";
	size_t k = sizeof(tail) - 1;
	if (n <= k || strcmp(name + n - k, tail) != 0 || via_addr_parse(name, n - k, out) < 0 || !via_addr_is_v4(out))
		return false;
	uint32_t v = via_addr_to_v4(out);
	*out = via_addr_v4(__builtin_bswap32(v));
	return true;
}

/* 32 digits, the last first, and ".ip6.arpa" (RFC 3596 §2.5). */
static bool reverse6(const char *name, struct via_addr *out)
{
	static const char tail[] = ".ip6.arpa";
	*out = (struct via_addr){.scope = 0};
	if (strlen(name) != 63 + sizeof(tail) - 1 || strcmp(name + 63, tail) != 0)
		return false;
	for (int i = 0; i < 32; i++) {
		char c = name[2 * i];
		int v = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
		if (v < 0 || (i < 31 && name[2 * i + 1] != '.'))
			return false;
		out->b[15 - i / 2] |= (uint8_t)(i % 2 ? v << 4 : v);
	}
	return true;
}

/* A name of the zone in full, kept in f. */
static const char *full_name(const struct dns_zone *z, const char *bare, size_t len, struct dns_finding *f)
{
	char *out = f->names[f->n_names++];
	memcpy(out, bare, len);
	out[len] = 0;
	if (z->suffix[0]) {
		out[len] = '.';
		memcpy(out + len + 1, z->suffix, strlen(z->suffix) + 1);
	}
	return out;
}

/* A name that a record points to: in full, if it is one of ours. */
static const char *host_name(const struct arena *a, const struct dns_zone *z, const char *name, struct dns_finding *f)
{
	const struct dns_host *h = dns_host_of(a, z, name);
	return h ? full_name(z, h->name, h->len, f) : name;
}

static struct dns_record *record_new(const struct dns_zone *z, uint16_t type, const char *owner, struct dns_finding *f)
{
	struct dns_record *r = &f->r[f->a.n++];
	*r = (struct dns_record){.type = type, .ttl = z->ttl, .owner = owner};
	return r;
}

static void find_ptr(const struct arena *a, const struct dns_zone *z, const struct dns_question *q, struct dns_finding *f)
{
	struct via_addr addr;
	const struct dns_host *h = reverse4(q->name, &addr) || reverse6(q->name, &addr) ? dns_ptr_find(a, z, &addr) : NULL;
	f->a.rcode = h ? DNS_OK : DNS_NXDOMAIN;
	if (h && (q->type == DNS_PTR || q->type == DNS_ANY))
		record_new(z, DNS_PTR, NULL, f)->target = full_name(z, h->name, h->len, f);
}

static void put_addrs(const struct dns_zone *z, const struct dns_host *h, uint16_t type, const char *owner, struct dns_finding *f)
{
	for (unsigned i = 0; i < h->n_addrs; i++) {
		bool v4 = via_addr_is_v4(&h->addrs[i]);
		if (type != (v4 ? DNS_A : DNS_AAAA) && type != DNS_ANY)
			continue;
		struct dns_record *r = record_new(z, v4 ? DNS_A : DNS_AAAA, owner, f);
		r->rdlen = v4 ? 4 : 16;
		memcpy(r->rdata, h->addrs[i].b + (v4 ? 12 : 0), r->rdlen);
	}
}

/* MX and TXT; returns the alias that h is, or NULL. */
static const struct dns_extra *put_extras(const struct arena *a, const struct dns_zone *z, const struct dns_host *h, uint16_t type,
					  const char *owner, struct dns_finding *f)
{
	for (ref_t r = h->extra; r; r = ((const struct dns_extra *)arena_at(a, r))->next) {
		const struct dns_extra *x = arena_at(a, r);
		if (x->type == DNS_CNAME)
			return x;
		if ((type != x->type && type != DNS_ANY) || f->a.n >= DNS_ADDRS_MAX)
			continue;
		struct dns_record *o = record_new(z, x->type, owner, f);
		if (x->type == DNS_TXT) {
			o->data = (const uint8_t *)x->text;
			o->rdlen = (uint16_t)(1 + (uint8_t)x->text[0]);
			continue;
		}
		put_be16(o->rdata, x->preference);
		o->rdlen = 2;
		o->target = host_name(a, z, x->text + 1, f);
	}
	return NULL;
}

/* Records of a name, along its aliases. */
static void find_name(const struct arena *a, const struct dns_zone *z, const struct dns_question *q, struct dns_finding *f)
{
	const struct dns_host *h = dns_host_of(a, z, q->name);
	const char *owner = NULL;
	f->a.rcode = h || (z->suffix[0] && strcmp(q->name, z->suffix) == 0) ? DNS_OK : DNS_NXDOMAIN;
	for (int hops = 0; h && hops < CHAIN_MAX; hops++) {
		const struct dns_extra *alias = put_extras(a, z, h, q->type, owner, f);
		if (!alias) {
			if (f->a.n + h->n_addrs <= RECORDS_MAX - 1)
				put_addrs(z, h, q->type, owner, f);
			return;
		}
		const char *target = host_name(a, z, alias->text + 1, f);
		record_new(z, DNS_CNAME, owner, f)->target = target;
		if (q->type == DNS_CNAME || q->type == DNS_ANY)
			return;
		owner = target;
		h = dns_host_of(a, z, alias->text + 1);
	}
}

/* RFC 2308 §3: nothing found is told with the zone's SOA, whose minimum says for how long. */
static void put_soa(const struct dns_zone *z, struct dns_finding *f)
{
	struct writer w = writer_of(f->soa, sizeof(f->soa));
	char *who = f->names[f->n_names];
	const uint32_t times[5] = {1, 3600, 600, 86400, z->ttl}; /* serial, refresh, retry, expire, minimum */
	if (!z->suffix[0])
		return;
	memcpy(who, "root.", 5);
	memcpy(who + 5, z->suffix, strlen(z->suffix) + 1);
	dns_name_write(&w, z->suffix);
	dns_name_write(&w, who);
	for (int i = 0; i < 5; i++)
		wr_be32(&w, times[i]);
	f->r[f->a.n] = (struct dns_record){.type = DNS_SOA, .ttl = z->ttl, .owner = z->suffix, .data = f->soa,
					   .rdlen = (uint16_t)(w.p - f->soa)};
	f->a.n_authority = 1;
}

static bool is_reverse(const struct dns_question *q)
{
	size_t n = strlen(q->name);
	return n > 5 && strcmp(q->name + n - 5, ".arpa") == 0;
}

static void answer_find(const struct arena *a, const struct dns_zone *z, const struct dns_question *q, struct dns_finding *f)
{
	if (q->opcode != 0)
		f->a.rcode = DNS_NOTIMP;
	else if (q->n_questions != 1)
		f->a.rcode = DNS_FORMERR;
	else if (q->has_edns && q->edns_version > 0)
		f->a.rcode = DNS_BADVERS;
	else if (q->klass != DNS_IN && q->klass != DNS_ANY)
		f->a.rcode = DNS_REFUSED;
	else if (is_reverse(q))
		find_ptr(a, z, q, f);
	else
		find_name(a, z, q, f);
	if (!f->a.n && !is_reverse(q) && (f->a.rcode == DNS_NXDOMAIN || (f->a.rcode == DNS_OK && q->n_questions == 1)))
		put_soa(z, f);
}

bool dns_zone_owns(const struct arena *a, const struct dns_zone *z, const uint8_t *query, size_t len)
{
	struct dns_question q;
	struct via_addr addr;
	size_t k = strlen(z->suffix);
	if (len < DNS_HLEN || dns_query_parse(query, len, &q) || q.is_response || q.opcode || q.n_questions != 1 || q.klass != DNS_IN ||
	    (q.has_edns && q.edns_version > 0))
		return true; /* no question for anybody else */
	size_t n = strlen(q.name);
	if (is_reverse(&q))
		return (reverse4(q.name, &addr) || reverse6(q.name, &addr)) && dns_ptr_find(a, z, &addr);
	bool below = k && n >= k && strcmp(q.name + n - k, z->suffix) == 0 && (n == k || q.name[n - k - 1] == '.');
	return below || dns_host_of(a, z, q.name) || n == 0 || memchr(q.name, '?', n);
}

size_t dns_serve(const struct arena *a, const struct dns_zone *z, const uint8_t *query, size_t len, uint8_t *out, size_t cap, bool is_tcp)
{
	struct dns_question q;
	struct dns_finding f;
	if (len < DNS_HLEN || query[2] & 0x80) /* not a query: answering would invite loops */
		return 0;
	f.n_names = 0;
	f.a = (struct dns_answer){.aa = true, .r = f.r};
	if (dns_query_parse(query, len, &q) < 0) {
		q = (struct dns_question){.id = get_be16(query), .opcode = query[2] >> 3 & 15, .rd = query[2] & 1, .udp_size = 512};
		f.a.rcode = q.opcode ? DNS_NOTIMP : DNS_FORMERR;
	} else {
		answer_find(a, z, &q, &f);
	}
	if (!is_tcp)
		cap = MIN(cap, MIN(q.udp_size, DNS_EDNS_SIZE));
	size_t n = dns_answer_emit(out, cap, &q, &f.a);
	if (n > 0 || f.a.n + f.a.n_authority == 0)
		return n;
	return dns_answer_emit(out, cap, &q, &(struct dns_answer){.rcode = f.a.rcode, .aa = true, .tc = f.a.n > 0});
}
