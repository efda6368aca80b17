/* svc/dns_cache.c - see dns_cache.h. RFC 1034 §3.6 (TTL), RFC 2308 §5. */
#include "svc/dns_cache.h"

#include <errno.h>

struct cached {
	struct list_link link; /* of `used` */
	ref_t next;            /* of its bucket */
	uint16_t type, name_len, len;
	int64_t since, until;
	uint8_t name[DNS_NAME_MAX + 1]; /* lower case */
	uint8_t msg[DNS_CACHED_MAX];
};

static struct cached *cached_at(const struct dns_cache *c, ref_t r)
{
	return arena_at(c->arena, r);
}

static void lower(const uint8_t *name, size_t len, uint8_t *out)
{
	for (size_t i = 0; i < len; i++)
		out[i] = name[i] >= 'A' && name[i] <= 'Z' ? (uint8_t)(name[i] + 32) : name[i];
}

/* name: lower case. */
static ref_t *cache_bucket(const struct dns_cache *c, const uint8_t *name, size_t len, uint16_t type)
{
	uint8_t k[DNS_NAME_MAX + 3];
	memcpy(k, name, len);
	put_be16(k + len, type);
	return (ref_t *)arena_at(c->arena, c->buckets) + (siphash_2_4(c->key, k, len + 2) & (c->n_buckets - 1));
}

int dns_cache_init(struct dns_cache *c, struct arena *a, uint32_t max, struct prf_key key)
{
	*c = (struct dns_cache){.arena = a, .key = key, .max = max, .n_buckets = 16};
	while (c->n_buckets < max)
		c->n_buckets *= 2;
	pool_init(a, &c->pool, "dns_cached", sizeof(struct cached), max);
	c->buckets = arena_buf_take(a, c->n_buckets * sizeof(ref_t));
	if (!c->buckets)
		return -ENOMEM;
	memset(arena_at(a, c->buckets), 0, c->n_buckets * sizeof(ref_t));
	return 0;
}

static void cache_drop(struct dns_cache *c, ref_t r)
{
	struct cached *x = cached_at(c, r);
	ref_t *at = cache_bucket(c, x->name, x->name_len, x->type);
	while (*at != r)
		at = &cached_at(c, *at)->next;
	*at = x->next;
	list_remove(c->arena, &c->used, r, offsetof(struct cached, link));
	pool_give(c->arena, &c->pool, r);
}

void dns_cache_free(struct dns_cache *c)
{
	if (!c->buckets)
		return;
	while (c->used.head)
		cache_drop(c, c->used.head);
	arena_buf_give(c->arena, c->buckets, c->n_buckets * sizeof(ref_t));
	c->buckets = 0;
}

static ref_t cache_find(const struct dns_cache *c, const uint8_t *name, size_t len, uint16_t type)
{
	ref_t r = *cache_bucket(c, name, len, type);
	for (; r; r = cached_at(c, r)->next) {
		const struct cached *x = cached_at(c, r);
		if (x->type == type && x->name_len == len && memcmp(x->name, name, len) == 0)
			break;
	}
	return r;
}

void dns_cache_put(struct dns_cache *c, const uint8_t *name, size_t name_len, uint16_t type, const uint8_t *msg, size_t len, uint32_t ttl,
		   int64_t now)
{
	uint8_t low[DNS_NAME_MAX + 1];
	lower(name, name_len, low);
	ref_t r = cache_find(c, low, name_len, type);
	if (r)
		cache_drop(c, r);
	if (!ttl || len > DNS_CACHED_MAX)
		return;
	if (c->pool.n_used >= c->max && c->used.head) {
		c->n_evicted++;
		cache_drop(c, c->used.head);
	}
	r = pool_take(c->arena, &c->pool);
	if (!r)
		return;
	struct cached *x = cached_at(c, r);
	x->type = type;
	x->name_len = (uint16_t)name_len;
	x->len = (uint16_t)len;
	x->since = now;
	x->until = now + ttl * NS_PER_S;
	memcpy(x->name, low, name_len);
	memcpy(x->msg, msg, len);
	ref_t *b = cache_bucket(c, low, name_len, type);
	x->next = *b;
	*b = r;
	list_push_tail(c->arena, &c->used, r, offsetof(struct cached, link));
}

const uint8_t *dns_cache_get(struct dns_cache *c, const uint8_t *name, size_t name_len, uint16_t type, int64_t now, size_t *len,
			     uint32_t *age)
{
	uint8_t low[DNS_NAME_MAX + 1];
	lower(name, name_len, low);
	ref_t r = cache_find(c, low, name_len, type);
	if (r && cached_at(c, r)->until <= now) {
		cache_drop(c, r);
		r = 0;
	}
	if (!r) {
		c->n_misses++;
		return NULL;
	}
	struct cached *x = cached_at(c, r);
	list_remove(c->arena, &c->used, r, offsetof(struct cached, link));
	list_push_tail(c->arena, &c->used, r, offsetof(struct cached, link));
	c->n_hits++;
	*len = x->len;
	*age = (uint32_t)((now - x->since) / NS_PER_S);
	return x->msg;
}
