/* net/fib.c - longest-prefix match by one hash and a count per prefix length (RFC 1812 §5.2.4.3; RFC 2992 for paths).
 *
 * A prefix is known by its 128 bits and its length in them: IPv4's 10.0.0.0/8 is ::ffff:10.0.0.0/104. A lookup asks the
 * hash once per length in use, longest first; an IPv4 destination never goes below 96, so ::/0 is no route for it. A
 * prefix holds its first path itself and takes a buffer for up to FIB_PATHS_MAX when it gets a second. */
#include "net/fib.h"

#include <errno.h>

#include "base/list.h"
#include "wire/addr.h"

enum { BUCKETS_MIN = 16, PLEN_MAX = 128, V4_BITS = 96 };

struct fib {
	struct pool pool;
	struct prf_key key;
	ref_t buckets;
	uint32_t n_buckets;
	uint32_t gen; /* raised by every change */
	struct list by_len[PLEN_MAX + 1];
};

struct fib_prefix {
	struct list_link link; /* in by_len[plen] */
	ref_t hash_next;
	ref_t more; /* buffer of FIB_PATHS_MAX hops, or 0: the only hop is `one` */
	uint8_t b[16];
	uint8_t plen; /* in 128 bits */
	uint8_t n;
	struct fib_hop one;
};
#define LINK_OFF offsetof(struct fib_prefix, link)
#define MORE_BYTES (FIB_PATHS_MAX * sizeof(struct fib_hop))

static struct fib_hop *fib_hops(const struct arena *a, struct fib_prefix *x)
{
	return x->more ? arena_at(a, x->more) : &x->one;
}

static uint32_t fib_bucket(const struct fib *f, const uint8_t b[16], unsigned plen)
{
	uint8_t k[17];
	memcpy(k, b, 16);
	k[16] = (uint8_t)plen;
	return (uint32_t)siphash_1_3(f->key, k, sizeof(k)) & (f->n_buckets - 1);
}

ref_t fib_new(struct arena *a, struct prf_key key)
{
	ref_t r = arena_buf_take(a, sizeof(struct fib));
	ref_t buckets = arena_buf_take(a, BUCKETS_MIN * sizeof(ref_t));
	if (!r || !buckets) {
		if (r)
			arena_buf_give(a, r, sizeof(struct fib));
		if (buckets)
			arena_buf_give(a, buckets, BUCKETS_MIN * sizeof(ref_t));
		return 0;
	}
	struct fib *f = arena_at(a, r);
	memset(f, 0, sizeof(*f));
	memset(arena_at(a, buckets), 0, BUCKETS_MIN * sizeof(ref_t));
	pool_init(a, &f->pool, "fib", sizeof(struct fib_prefix), 0);
	f->key = key;
	f->buckets = buckets;
	f->n_buckets = BUCKETS_MIN;
	return r;
}

static struct fib_prefix *fib_find(const struct arena *a, const struct fib *f, const uint8_t b[16], unsigned plen)
{
	const ref_t *buckets = arena_at(a, f->buckets);
	for (ref_t r = buckets[fib_bucket(f, b, plen)]; r;) {
		struct fib_prefix *x = arena_at(a, r);
		if (x->plen == plen && memcmp(x->b, b, 16) == 0)
			return x;
		r = x->hash_next;
	}
	return NULL;
}

/* Double the hash. Failing is fine: chains grow a little longer. */
static void fib_grow(struct arena *a, struct fib *f)
{
	uint32_t old_n = f->n_buckets;
	ref_t bigger = arena_buf_take(a, old_n * 2 * sizeof(ref_t));
	if (!bigger)
		return;
	ref_t *to = arena_at(a, bigger), *from = arena_at(a, f->buckets);
	memset(to, 0, old_n * 2 * sizeof(ref_t));
	f->n_buckets = old_n * 2;
	for (uint32_t i = 0; i < old_n; i++) {
		for (ref_t r = from[i], next; r; r = next) {
			struct fib_prefix *x = arena_at(a, r);
			uint32_t h = fib_bucket(f, x->b, x->plen);
			next = x->hash_next;
			x->hash_next = to[h];
			to[h] = r;
		}
	}
	arena_buf_give(a, f->buckets, old_n * sizeof(ref_t));
	f->buckets = bigger;
}

/* A destination's prefix: masked bits and length out of 128. */
static unsigned fib_key(const struct via_addr *dst, uint8_t plen, uint8_t b[16])
{
	struct via_addr masked = addr_mask(dst, plen);
	memcpy(b, masked.b, 16);
	return via_addr_is_v4(dst) ? V4_BITS + MIN(plen, 32u) : MIN(plen, (unsigned)PLEN_MAX);
}

static struct fib_prefix *fib_prefix_new(struct arena *a, struct fib *f, const uint8_t b[16], unsigned plen)
{
	if (f->pool.n_used >= f->n_buckets)
		fib_grow(a, f);
	ref_t r = pool_take(a, &f->pool);
	if (!r)
		return NULL;
	struct fib_prefix *x = arena_at(a, r);
	ref_t *at = (ref_t *)arena_at(a, f->buckets) + fib_bucket(f, b, plen);
	memcpy(x->b, b, 16);
	x->plen = (uint8_t)plen;
	x->hash_next = *at;
	*at = r;
	list_push_tail(a, &f->by_len[plen], r, LINK_OFF);
	return x;
}

static void fib_prefix_free(struct arena *a, struct fib *f, struct fib_prefix *x)
{
	ref_t r = arena_ref(a, x);
	ref_t *at = (ref_t *)arena_at(a, f->buckets) + fib_bucket(f, x->b, x->plen);
	while (*at != r)
		at = &((struct fib_prefix *)arena_at(a, *at))->hash_next;
	*at = x->hash_next;
	if (x->more)
		arena_buf_give(a, x->more, MORE_BYTES);
	list_remove(a, &f->by_len[x->plen], r, LINK_OFF);
	pool_give(a, &f->pool, r);
}

static bool fib_hop_same(const struct fib_hop *x, const struct fib_hop *y)
{
	return x->ifindex == y->ifindex && via_addr_eq(&x->gateway, &y->gateway);
}

int fib_add(struct arena *a, ref_t fib, const struct via_addr *dst, uint8_t plen, const struct fib_hop *hop)
{
	struct fib *f = arena_at(a, fib);
	uint8_t b[16];
	unsigned len = fib_key(dst, plen, b);
	struct fib_prefix *x = fib_find(a, f, b, len);
	if (!x) {
		x = fib_prefix_new(a, f, b, len);
		if (!x)
			return -ENOMEM;
	}
	struct fib_hop *hops = fib_hops(a, x);
	for (int i = 0; i < x->n; i++)
		if (fib_hop_same(&hops[i], hop))
			return -EEXIST;
	if (x->n >= FIB_PATHS_MAX)
		return -ENOSPC;
	if (x->n == 1 && !x->more) {
		ref_t more = arena_buf_take(a, MORE_BYTES);
		if (!more)
			return -ENOMEM;
		hops = arena_at(a, more);
		hops[0] = x->one;
		x->more = more;
	}
	hops[x->n] = *hop;
	if (hops[x->n].weight == 0)
		hops[x->n].weight = 1;
	x->n++;
	f->gen++;
	return 0;
}

/* Take path i out; the prefix goes with its last one. */
static void fib_hop_del(struct arena *a, struct fib *f, struct fib_prefix *x, int i)
{
	struct fib_hop *hops = fib_hops(a, x);
	f->gen++;
	x->n--;
	memmove(&hops[i], &hops[i + 1], (size_t)(x->n - i) * sizeof(*hops));
	if (x->n == 0)
		fib_prefix_free(a, f, x);
}

int fib_del(struct arena *a, ref_t fib, const struct via_addr *dst, uint8_t plen, const struct fib_hop *hop)
{
	struct fib *f = arena_at(a, fib);
	uint8_t b[16];
	unsigned len = fib_key(dst, plen, b);
	struct fib_prefix *x = fib_find(a, f, b, len);
	for (int i = 0; x && i < x->n; i++) {
		if (fib_hop_same(&fib_hops(a, x)[i], hop)) {
			fib_hop_del(a, f, x, i);
			return 0;
		}
	}
	return -ESRCH;
}

int fib_del_ifindex(struct arena *a, ref_t fib, uint16_t ifindex)
{
	struct fib *f = arena_at(a, fib);
	int n = 0;
	for (unsigned len = 0; len <= PLEN_MAX; len++) {
		for (ref_t r = f->by_len[len].head, next; r; r = next) {
			struct fib_prefix *x = arena_at(a, r);
			next = list_next(a, r, LINK_OFF);
			for (int i = x->n - 1; i >= 0; i--) {
				if (fib_hops(a, x)[i].ifindex == ifindex) {
					fib_hop_del(a, f, x, i); /* may free x, but then i was 0 */
					n++;
				}
			}
		}
	}
	return n;
}

static bool fib_hop_is_up(const struct fib_hop *h, uint64_t down)
{
	return h->ifindex >= 64 || !(down >> h->ifindex & 1);
}

const struct fib_hop *fib_match(const struct arena *a, ref_t fib, const struct via_addr *dst, uint64_t down, int *n)
{
	const struct fib *f = arena_at(a, fib);
	int least = via_addr_is_v4(dst) ? V4_BITS : 0;
	for (int len = PLEN_MAX; len >= least; len--) {
		if (f->by_len[len].n == 0)
			continue;
		struct via_addr masked = addr_mask(dst, (uint8_t)(len - least));
		struct fib_prefix *x = fib_find(a, f, masked.b, (unsigned)len);
		if (!x)
			continue;
		const struct fib_hop *hops = fib_hops(a, x);
		for (int i = 0; i < x->n; i++) {
			if (fib_hop_is_up(&hops[i], down)) {
				*n = x->n;
				return hops;
			}
		}
	}
	return NULL;
}

const struct fib_hop *fib_choose(const struct fib_hop *hops, int n, uint32_t hash, uint64_t down)
{
	uint32_t total = 0;
	for (int i = 0; i < n; i++)
		total += fib_hop_is_up(&hops[i], down) ? hops[i].weight : 0;
	uint32_t at = (uint32_t)((uint64_t)hash * total >> 32);
	for (int i = 0; i < n; i++) {
		if (!fib_hop_is_up(&hops[i], down))
			continue;
		if (at < hops[i].weight)
			return &hops[i];
		at -= hops[i].weight;
	}
	return &hops[0];
}

bool fib_lookup(const struct arena *a, ref_t fib, const struct via_addr *dst, uint32_t flow_hash, uint64_t down, struct fib_hop *out)
{
	int n;
	const struct fib_hop *hops = fib_match(a, fib, dst, down, &n);
	if (!hops)
		return false;
	*out = *fib_choose(hops, n, flow_hash, down);
	return true;
}

/* The first prefix of length `len` or shorter, or 0. */
static ref_t fib_first(const struct fib *f, int len)
{
	while (len >= 0 && !f->by_len[len].head)
		len--;
	return len >= 0 ? f->by_len[len].head : 0;
}

bool fib_get_from(const struct arena *a, ref_t fib, struct fib_cursor *c, int n, struct via_addr *dst, uint8_t *plen, struct fib_hop *hop)
{
	const struct fib *f = arena_at(a, fib);
	if (!c->prefix || c->gen != f->gen || n < (int64_t)c->base)
		*c = (struct fib_cursor){.prefix = fib_first(f, PLEN_MAX), .gen = f->gen};
	for (ref_t r = c->prefix; r;) {
		struct fib_prefix *x = arena_at(a, r);
		c->prefix = r;
		if (n < (int64_t)c->base + x->n) {
			memset(dst, 0, sizeof(*dst));
			memcpy(dst->b, x->b, 16);
			*plen = (uint8_t)(via_addr_is_v4(dst) && x->plen >= V4_BITS ? x->plen - V4_BITS : x->plen);
			*hop = fib_hops(a, x)[(uint32_t)n - c->base];
			return true;
		}
		r = x->link.next ? x->link.next : fib_first(f, (int)x->plen - 1);
		c->base += r ? x->n : 0;
	}
	return false;
}

bool fib_get(const struct arena *a, ref_t fib, int n, struct via_addr *dst, uint8_t *plen, struct fib_hop *hop)
{
	struct fib_cursor c = {0};
	return fib_get_from(a, fib, &c, n, dst, plen, hop);
}

void fib_free(struct arena *a, ref_t fib)
{
	struct fib *f = arena_at(a, fib);
	for (unsigned len = 0; len <= PLEN_MAX; len++)
		while (f->by_len[len].head)
			fib_prefix_free(a, f, arena_at(a, f->by_len[len].head));
	arena_buf_give(a, f->buckets, f->n_buckets * sizeof(ref_t));
	arena_buf_give(a, fib, sizeof(struct fib));
}
