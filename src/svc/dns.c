/* svc/dns.c - the lab's DNS engine: zone table and answers (RFC 1034 §4.3.2, 1035 §4.2.1, 2308 §2, 6891 §6).
 *
 * A name is stored bare and lower case; a question's name loses the suffix before it is looked up. Two hash tables of
 * chains, one by name and one by address, grow together by doubling. Hosts are few and are never removed one by one. */
#include "svc/dns.h"

#include "wire/dns.h"

#include <errno.h>

enum { BUCKETS_FIRST = 64, LABEL_MAX = 63, EDNS_SIZE = 1232, HEADER = 12 };

struct dns_host {
	ref_t next;
	uint8_t n_addrs, len;
	char name[DNS_HOST_MAX + 1];
	struct via_addr addrs[DNS_ADDRS_MAX];
};

struct dns_ptr {
	ref_t next, host;
	struct via_addr addr;
};

static ref_t *dns_bucket(const struct arena *a, const struct dns_zone *z, ref_t table, uint64_t hash)
{
	return (ref_t *)arena_at(a, table) + (hash & (z->n_buckets - 1));
}

static uint64_t dns_hash(const struct dns_zone *z, const void *data, size_t len)
{
	return siphash_1_3(z->key, data, len);
}

static ref_t dns_table_new(struct arena *a, uint32_t n)
{
	ref_t r = arena_buf_take(a, n * sizeof(ref_t));
	if (r)
		memset(arena_at(a, r), 0, n * sizeof(ref_t));
	return r;
}

/* Lower case, the dots at the ends off. Returns the length, or -ENAMETOOLONG. */
static int dns_lower(const char *in, char *out, size_t max)
{
	if (*in == '.')
		in++;
	size_t n = strlen(in);
	if (n > 0 && in[n - 1] == '.')
		n--;
	if (n > max)
		return -ENAMETOOLONG;
	for (size_t i = 0; i < n; i++)
		out[i] = (char)(in[i] >= 'A' && in[i] <= 'Z' ? in[i] + 32 : in[i]);
	out[n] = 0;
	return (int)n;
}

/* The bare name: the zone's suffix off. */
static size_t dns_strip_suffix(const struct dns_zone *z, const char *name, size_t n)
{
	size_t k = strlen(z->suffix);
	if (k > 0 && n > k + 1 && name[n - k - 1] == '.' && memcmp(name + n - k, z->suffix, k) == 0)
		return n - k - 1;
	return n;
}

static bool dns_is_host_name(const char *name, size_t n)
{
	size_t label = 0;
	for (size_t i = 0; i < n; i++) {
		char c = name[i];
		bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
		if (c == '.' ? label == 0 : !word || ++label > LABEL_MAX)
			return false;
		if (c == '.')
			label = 0;
	}
	return label > 0;
}

int dns_zone_init(struct arena *a, struct dns_zone *z, const char *suffix, uint32_t ttl, struct prf_key key)
{
	memset(z, 0, sizeof(*z));
	int n = dns_lower(suffix, z->suffix, DNS_SUFFIX_MAX);
	if (n < 0)
		return n;
	z->ttl = ttl;
	z->key = key;
	z->n_buckets = BUCKETS_FIRST;
	pool_init(a, &z->hosts, "dns_host", sizeof(struct dns_host), 0);
	pool_init(a, &z->ptrs, "dns_ptr", sizeof(struct dns_ptr), 0);
	z->by_name = dns_table_new(a, z->n_buckets);
	z->by_addr = dns_table_new(a, z->n_buckets);
	if (z->by_name && z->by_addr)
		return 0;
	dns_zone_free(a, z);
	return -ENOMEM;
}

static void dns_table_free(struct arena *a, struct dns_zone *z, ref_t table, struct pool *objects)
{
	if (!table)
		return;
	for (uint32_t i = 0; i < z->n_buckets; i++) {
		ref_t r = *dns_bucket(a, z, table, i);
		while (r) {
			ref_t next = *(ref_t *)arena_at(a, r); /* `next` is first in both kinds */
			pool_give(a, objects, r);
			r = next;
		}
	}
	arena_buf_give(a, table, z->n_buckets * sizeof(ref_t));
}

void dns_zone_free(struct arena *a, struct dns_zone *z)
{
	dns_table_free(a, z, z->by_name, &z->hosts);
	dns_table_free(a, z, z->by_addr, &z->ptrs);
	z->by_name = z->by_addr = 0;
}

static ref_t dns_host_find(const struct arena *a, const struct dns_zone *z, const char *name, size_t n)
{
	ref_t r = *dns_bucket(a, z, z->by_name, dns_hash(z, name, n));
	while (r) {
		const struct dns_host *h = arena_at(a, r);
		if (h->len == n && memcmp(h->name, name, n) == 0)
			break;
		r = h->next;
	}
	return r;
}

static const struct dns_host *dns_ptr_find(const struct arena *a, const struct dns_zone *z, const struct via_addr *addr)
{
	ref_t r = *dns_bucket(a, z, z->by_addr, dns_hash(z, addr->b, 16));
	while (r) {
		const struct dns_ptr *p = arena_at(a, r);
		if (via_addr_eq(&p->addr, addr))
			return arena_at(a, p->host);
		r = p->next;
	}
	return NULL;
}

/* Double both tables. Without memory the chains just grow longer. */
static void dns_zone_grow(struct arena *a, struct dns_zone *z)
{
	uint32_t n = z->n_buckets;
	ref_t names = dns_table_new(a, 2 * n), addrs = dns_table_new(a, 2 * n);
	if (!names || !addrs) {
		if (names)
			arena_buf_give(a, names, 2 * n * sizeof(ref_t));
		if (addrs)
			arena_buf_give(a, addrs, 2 * n * sizeof(ref_t));
		return;
	}
	ref_t old_names = z->by_name, old_addrs = z->by_addr;
	z->n_buckets = 2 * n;
	for (uint32_t i = 0; i < n; i++) {
		ref_t r = ((ref_t *)arena_at(a, old_names))[i];
		while (r) {
			struct dns_host *h = arena_at(a, r);
			ref_t next = h->next, *b = dns_bucket(a, z, names, dns_hash(z, h->name, h->len));
			h->next = *b;
			*b = r;
			r = next;
		}
		r = ((ref_t *)arena_at(a, old_addrs))[i];
		while (r) {
			struct dns_ptr *p = arena_at(a, r);
			ref_t next = p->next, *b = dns_bucket(a, z, addrs, dns_hash(z, p->addr.b, 16));
			p->next = *b;
			*b = r;
			r = next;
		}
	}
	z->by_name = names;
	z->by_addr = addrs;
	arena_buf_give(a, old_names, n * sizeof(ref_t));
	arena_buf_give(a, old_addrs, n * sizeof(ref_t));
}

static ref_t dns_host_new(struct arena *a, struct dns_zone *z, const char *name, size_t n)
{
	ref_t r = pool_take(a, &z->hosts);
	if (!r)
		return 0;
	struct dns_host *h = arena_at(a, r);
	memcpy(h->name, name, n);
	h->len = (uint8_t)n;
	return r;
}

/* Make `host` the name of an address that has none. */
static int dns_ptr_add(struct arena *a, struct dns_zone *z, const struct via_addr *addr, ref_t host)
{
	if (dns_ptr_find(a, z, addr))
		return 0;
	ref_t r = pool_take(a, &z->ptrs);
	if (!r)
		return -ENOMEM;
	struct dns_ptr *p = arena_at(a, r);
	ref_t *b = dns_bucket(a, z, z->by_addr, dns_hash(z, addr->b, 16));
	*p = (struct dns_ptr){*b, host, *addr};
	*b = r;
	return 0;
}

int dns_zone_add(struct arena *a, struct dns_zone *z, const char *name, const struct via_addr *addr)
{
	char bare[DNS_HOST_MAX + 1 + DNS_SUFFIX_MAX + 1];
	int len = dns_lower(name, bare, sizeof(bare) - 1);
	size_t n = len > 0 ? dns_strip_suffix(z, bare, (size_t)len) : 0;
	if (len < 0 || n > DNS_HOST_MAX)
		return -ENAMETOOLONG;
	if (!dns_is_host_name(bare, n))
		return -EINVAL;
	if (z->hosts.n_used >= 2 * z->n_buckets || z->ptrs.n_used >= 2 * z->n_buckets)
		dns_zone_grow(a, z);
	ref_t r = dns_host_find(a, z, bare, n);
	bool fresh = !r;
	if (fresh && !(r = dns_host_new(a, z, bare, n)))
		return -ENOMEM;
	struct dns_host *h = arena_at(a, r);
	for (unsigned i = 0; i < h->n_addrs; i++)
		if (via_addr_eq(&h->addrs[i], addr))
			return 0;
	int err = h->n_addrs == DNS_ADDRS_MAX ? -ENOSPC : dns_ptr_add(a, z, addr, r);
	if (err) {
		if (fresh)
			pool_give(a, &z->hosts, r);
		return err;
	}
	h->addrs[h->n_addrs++] = *addr;
	if (fresh) {
		ref_t *b = dns_bucket(a, z, z->by_name, dns_hash(z, bare, n));
		h->next = *b;
		*b = r;
	}
	return 0;
}

/* A question's or caller's name, any case. NULL if unknown. */
static const struct dns_host *dns_find(const struct arena *a, const struct dns_zone *z, const char *name)
{
	char bare[DNS_NAME_MAX + 1];
	int len = dns_lower(name, bare, DNS_NAME_MAX);
	if (len <= 0)
		return NULL;
	ref_t r = dns_host_find(a, z, bare, dns_strip_suffix(z, bare, (size_t)len));
	return r ? arena_at(a, r) : NULL;
}

int dns_zone_lookup(const struct arena *a, const struct dns_zone *z, const char *name, struct via_addr *out, int n)
{
	const struct dns_host *h = dns_find(a, z, name);
	if (!h)
		return -ENOENT;
	for (int i = 0; i < n && i < h->n_addrs; i++)
		out[i] = h->addrs[i];
	return h->n_addrs;
}

/* "4.3.2.1.in-addr.arpa" to 1.2.3.4. */
static bool dns_reverse_parse(const char *name, struct via_addr *out)
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

/* What is known about a question: the response code, and up to DNS_ADDRS_MAX records. */
struct dns_finding {
	uint8_t rcode;
	int n;
	struct dns_record r[DNS_ADDRS_MAX];
	char target[DNS_HOST_MAX + 1 + DNS_SUFFIX_MAX + 1];
};

static void dns_find_ptr(const struct arena *a, const struct dns_zone *z, const struct dns_question *q, struct dns_finding *f)
{
	struct via_addr addr;
	const struct dns_host *h = dns_reverse_parse(q->name, &addr) ? dns_ptr_find(a, z, &addr) : NULL;
	f->rcode = h ? DNS_OK : DNS_NXDOMAIN;
	if (!h || (q->type != DNS_PTR && q->type != DNS_ANY))
		return;
	memcpy(f->target, h->name, h->len);
	if (z->suffix[0]) {
		f->target[h->len] = '.';
		strcpy(f->target + h->len + 1, z->suffix);
	}
	f->r[f->n++] = (struct dns_record){.type = DNS_PTR, .ttl = z->ttl, .target = f->target};
}

static void dns_find_addrs(const struct arena *a, const struct dns_zone *z, const struct dns_question *q, struct dns_finding *f)
{
	const struct dns_host *h = dns_find(a, z, q->name);
	f->rcode = h || (z->suffix[0] && strcmp(q->name, z->suffix) == 0) ? DNS_OK : DNS_NXDOMAIN;
	for (unsigned i = 0; h && i < h->n_addrs; i++) {
		bool v4 = via_addr_is_v4(&h->addrs[i]);
		uint16_t type = v4 ? DNS_A : DNS_AAAA;
		if (q->type != type && q->type != DNS_ANY)
			continue;
		struct dns_record *r = &f->r[f->n++];
		*r = (struct dns_record){.type = type, .ttl = z->ttl, .rdlen = v4 ? 4 : 16};
		memcpy(r->rdata, h->addrs[i].b + (v4 ? 12 : 0), r->rdlen);
	}
}

static void dns_answer_find(const struct arena *a, const struct dns_zone *z, const struct dns_question *q, struct dns_finding *f)
{
	size_t n = strlen(q->name);
	if (q->opcode != 0)
		f->rcode = DNS_NOTIMP;
	else if (q->n_questions != 1)
		f->rcode = DNS_FORMERR;
	else if (q->has_edns && q->edns_version > 0)
		f->rcode = DNS_BADVERS;
	else if (q->klass != DNS_IN && q->klass != DNS_ANY)
		f->rcode = DNS_REFUSED;
	else if (n > 5 && strcmp(q->name + n - 5, ".arpa") == 0)
		dns_find_ptr(a, z, q, f);
	else
		dns_find_addrs(a, z, q, f);
}

size_t dns_serve(const struct arena *a, const struct dns_zone *z, const uint8_t *query, size_t len, uint8_t *out, size_t cap, bool is_tcp)
{
	struct dns_question q;
	struct dns_finding f = {0};
	if (len < HEADER || query[2] & 0x80) /* not a query: answering would invite loops */
		return 0;
	if (dns_query_parse(query, len, &q) < 0) {
		q = (struct dns_question){.id = get_be16(query), .opcode = query[2] >> 3 & 15, .rd = query[2] & 1, .udp_size = 512};
		f.rcode = q.opcode ? DNS_NOTIMP : DNS_FORMERR;
	} else {
		dns_answer_find(a, z, &q, &f);
	}
	if (!is_tcp)
		cap = MIN(cap, MIN(q.udp_size, EDNS_SIZE));
	size_t n = dns_answer_emit(out, cap, &q, f.rcode, false, f.r, f.n);
	if (n == 0 && f.n > 0)
		n = dns_answer_emit(out, cap, &q, f.rcode, true, NULL, 0);
	return n;
}
