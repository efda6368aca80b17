/* svc/dns.c - the zone table of the lab's DNS engine (dns_answer.c answers from it).
 *
 * A name is stored bare and lower case; a question's name loses the suffix before it is looked up. Two hash tables of
 * chains, one by name and one by address, grow together by doubling. A name whose last address is taken away stays, without. */
#include "svc/dns_zone.h"

#include <errno.h>

enum { BUCKETS_FIRST = 64, LABEL_MAX = 63 };

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
	pool_init(a, &z->extras, "dns_extra", sizeof(struct dns_extra), 0);
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

static void dns_extras_free(struct arena *a, struct dns_zone *z, struct dns_host *h)
{
	while (h->extra) {
		ref_t r = h->extra;
		h->extra = ((struct dns_extra *)arena_at(a, r))->next;
		pool_give(a, &z->extras, r);
	}
}

void dns_zone_free(struct arena *a, struct dns_zone *z)
{
	for (uint32_t i = 0; i < z->n_buckets && z->by_name; i++)
		for (ref_t r = *dns_bucket(a, z, z->by_name, i); r; r = ((struct dns_host *)arena_at(a, r))->next)
			dns_extras_free(a, z, arena_at(a, r));
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

const struct dns_host *dns_ptr_find(const struct arena *a, const struct dns_zone *z, const struct via_addr *addr)
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

/* The entry of a name as its owner writes it, made if need be (*fresh: it is in no table yet). 0 or -errno. */
static int dns_host_open(struct arena *a, struct dns_zone *z, const char *name, ref_t *host, bool *fresh)
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
	*host = dns_host_find(a, z, bare, n);
	*fresh = !*host;
	if (*fresh)
		*host = dns_host_new(a, z, bare, n);
	return *host ? 0 : -ENOMEM;
}

/* Something of it was added: err is what became of that. A fresh entry joins the table, or goes again. Gives err. */
static int dns_host_done(struct arena *a, struct dns_zone *z, ref_t r, bool fresh, int err)
{
	struct dns_host *h = arena_at(a, r);
	if (fresh && err)
		pool_give(a, &z->hosts, r);
	if (fresh && !err) {
		ref_t *b = dns_bucket(a, z, z->by_name, dns_hash(z, h->name, h->len));
		h->next = *b;
		*b = r;
	}
	return err;
}

int dns_zone_add(struct arena *a, struct dns_zone *z, const char *name, const struct via_addr *addr)
{
	ref_t r;
	bool fresh;
	int err = dns_host_open(a, z, name, &r, &fresh);
	if (err)
		return err;
	struct dns_host *h = arena_at(a, r);
	for (unsigned i = 0; i < h->n_addrs; i++)
		if (via_addr_eq(&h->addrs[i], addr))
			return 0;
	err = h->n_addrs == DNS_ADDRS_MAX ? -ENOSPC : dns_ptr_add(a, z, addr, r);
	if (!err)
		h->addrs[h->n_addrs++] = *addr;
	return dns_host_done(a, z, r, fresh, err);
}

int dns_zone_add_text(struct arena *a, struct dns_zone *z, const char *name, uint16_t type, uint16_t preference, const char *text)
{
	ref_t r, e;
	bool fresh;
	char name_there[DNS_TEXT_MAX + 1];
	bool is_text = type == DNS_TXT;
	int len = is_text ? (int)strnlen(text, DNS_TEXT_MAX + 1) : dns_lower(text, name_there, DNS_TEXT_MAX);
	if ((type != DNS_CNAME && type != DNS_MX && !is_text) || len < 0 || len > DNS_TEXT_MAX ||
	    (!is_text && !dns_is_host_name(name_there, (size_t)len)))
		return -EINVAL;
	int err = dns_host_open(a, z, name, &r, &fresh);
	if (err)
		return err;
	struct dns_host *h = arena_at(a, r);
	if (type == DNS_CNAME && (h->n_addrs || h->extra)) /* an alias is nothing else (RFC 2181 §10.1) */
		return dns_host_done(a, z, r, fresh, -EEXIST);
	e = h->n_extras < DNS_ADDRS_MAX ? pool_take(a, &z->extras) : 0;
	if (e) {
		struct dns_extra *x = arena_at(a, e);
		x->next = h->extra;
		x->type = type;
		x->preference = preference;
		x->text[0] = (char)len;
		memcpy(x->text + 1, is_text ? text : name_there, (size_t)len + 1);
		h->extra = e;
		h->n_extras++;
	}
	return dns_host_done(a, z, r, fresh, e ? 0 : -ENOMEM);
}

/* Nobody's name is told for an address any more. */
static void dns_ptr_del(struct arena *a, struct dns_zone *z, const struct via_addr *addr, ref_t host)
{
	for (ref_t *at = dns_bucket(a, z, z->by_addr, dns_hash(z, addr->b, 16)); *at; at = &((struct dns_ptr *)arena_at(a, *at))->next) {
		struct dns_ptr *p = arena_at(a, *at);
		if (p->host != host || !via_addr_eq(&p->addr, addr))
			continue;
		ref_t gone = *at;
		*at = p->next;
		pool_give(a, &z->ptrs, gone);
		return;
	}
}

int dns_zone_del(struct arena *a, struct dns_zone *z, const char *name, const struct via_addr *addr)
{
	const struct dns_host *found = dns_host_of(a, z, name);
	if (!found)
		return -ENOENT;
	ref_t r = arena_ref(a, found);
	struct dns_host *h = arena_at(a, r);
	unsigned i = 0;
	while (i < h->n_addrs && !via_addr_eq(&h->addrs[i], addr))
		i++;
	if (i == h->n_addrs)
		return -ENOENT;
	memmove(&h->addrs[i], &h->addrs[i + 1], (h->n_addrs - i - 1u) * sizeof(h->addrs[0]));
	h->n_addrs--;
	dns_ptr_del(a, z, addr, r);
	return 0;
}

const struct dns_host *dns_host_of(const struct arena *a, const struct dns_zone *z, const char *name)
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
	const struct dns_host *h = dns_host_of(a, z, name);
	if (!h)
		return -ENOENT;
	for (int i = 0; i < n && i < h->n_addrs; i++)
		out[i] = h->addrs[i];
	return h->n_addrs;
}
