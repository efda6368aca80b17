/* net/fib.c - the prefixes of a stack and what each resolves to (RFC 1812 §5.2.4.3).
 *
 * A prefix is known by its 128 bits and its length in them: IPv4's 10.0.0.0/8 is ::ffff:10.0.0.0/104; an IPv4 destination never
 * goes below 96, so ::/0 is no route for it. All prefixes stand in one list, longest first: up to FIB_SMALL of them that is all
 * there is (a host with three routes: 500 bytes). More get a hash by prefix with a count per length, which can answer anything,
 * and each family a table (lpm.h) that answers what is asked of most packets: the longest match. Only when all hops of that
 * one are down the hash is asked for shorter ones, length by length.
 *
 * A change costs one step of the hash, one node of the table, and for a prefix that goes the search for its heir; tables and
 * hash are made anew at the sizes of fib_fit(), the largest of these at 8,192 prefixes. Memory: 36 to 40 bytes a prefix here, and
 * the table. When it is out, a family's table is given up, and tried again once the number of prefixes has doubled or halved. */
#include "net/fib.h"

#include <errno.h>

#include "base/list.h"
#include "net/lpm.h"
#include "wire/addr.h"

enum { PLEN_MAX = 128, V4_BITS = 96, BUCKETS_MIN = 64, SMALL_AGAIN = FIB_SMALL / 2 };
enum { FAMILY_4, FAMILY_6, FAMILIES };

struct fib_prefix {
	struct list_link link; /* in fib.all */
	ref_t hash_next;
	uint16_t set;
	uint8_t plen; /* in 128 bits */
	uint8_t b[16];
};
#define LINK_OFF offsetof(struct fib_prefix, link)
_Static_assert(sizeof(struct fib_prefix) == 32, "a million of them");

/* What only a table with more than FIB_SMALL prefixes has. */
struct fib_index {
	ref_t buckets;
	uint32_t n_buckets;
	ref_t last[PLEN_MAX + 1]; /* of each length, in fib.all */
	uint32_t n_len[PLEN_MAX + 1];
};

struct fib {
	struct prf_key key;
	struct list all; /* longest first */
	uint32_t gen;    /* raised by every change */
	ref_t index;     /* struct fib_index, or 0 */
	struct hop_sets sets;
	uint32_t n[FAMILIES];
	uint32_t gave_up[FAMILIES]; /* prefixes when the table found no memory, or 0 */
	struct lpm lpm[FAMILIES];
};

static struct fib_prefix *prefix_at(const struct arena *a, ref_t r) { return arena_at(a, r); }
static struct fib_index *index_at(const struct arena *a, const struct fib *f) { return f->index ? arena_at(a, f->index) : NULL; }

ref_t fib_new(struct arena *a, struct prf_key key)
{
	ref_t r = arena_buf_take(a, sizeof(struct fib));
	if (r)
		*(struct fib *)arena_at(a, r) = (struct fib){.key = key};
	return r;
}

/* ---- prefixes by their bits ---- */

/* A destination's prefix: masked bits and length out of 128. */
static unsigned fib_key(const struct via_addr *dst, uint8_t plen, uint8_t b[16])
{
	struct via_addr masked = addr_mask(dst, plen);
	memcpy(b, masked.b, 16);
	return via_addr_is_v4(dst) ? V4_BITS + MIN(plen, 32u) : MIN(plen, (unsigned)PLEN_MAX);
}

static uint32_t *index_bucket(const struct arena *a, const struct fib *f, const struct fib_index *x, const uint8_t b[16], unsigned plen)
{
	uint8_t k[17];
	memcpy(k, b, 16);
	k[16] = (uint8_t)plen;
	return (ref_t *)arena_at(a, x->buckets) + ((uint32_t)siphash_1_3(f->key, k, sizeof(k)) & (x->n_buckets - 1));
}

static struct fib_prefix *fib_find(const struct arena *a, const struct fib *f, const uint8_t b[16], unsigned plen)
{
	const struct fib_index *x = index_at(a, f);
	ref_t r = x ? *index_bucket(a, f, x, b, plen) : f->all.head;
	while (r) {
		struct fib_prefix *p = prefix_at(a, r);
		if (p->plen == plen && memcmp(p->b, b, 16) == 0)
			return p;
		r = x ? p->hash_next : p->link.next;
	}
	return NULL;
}

static void index_add(struct arena *a, const struct fib *f, struct fib_index *x, ref_t r)
{
	struct fib_prefix *p = prefix_at(a, r);
	ref_t *at = index_bucket(a, f, x, p->b, p->plen);
	p->hash_next = *at;
	*at = r;
}

/* Other buckets for the index; all prefixes are hashed again. False: no memory, it stays as it was. */
static bool index_size(struct arena *a, struct fib *f, struct fib_index *x, uint32_t n)
{
	ref_t buckets = arena_buf_take(a, n * sizeof(ref_t));
	if (!buckets)
		return false;
	memset(arena_at(a, buckets), 0, n * sizeof(ref_t));
	if (x->buckets)
		arena_buf_give(a, x->buckets, x->n_buckets * sizeof(ref_t));
	x->buckets = buckets;
	x->n_buckets = n;
	for (ref_t r = f->all.head; r; r = prefix_at(a, r)->link.next)
		index_add(a, f, x, r);
	return true;
}

static void index_free(struct arena *a, struct fib *f)
{
	struct fib_index *x = index_at(a, f);
	if (!x)
		return;
	if (x->buckets)
		arena_buf_give(a, x->buckets, x->n_buckets * sizeof(ref_t));
	arena_buf_give(a, f->index, sizeof(*x));
	f->index = 0;
}

static void index_new(struct arena *a, struct fib *f)
{
	f->index = arena_buf_take(a, sizeof(struct fib_index));
	struct fib_index *x = index_at(a, f);
	if (!x)
		return;
	memset(x, 0, sizeof(*x));
	if (!index_size(a, f, x, BUCKETS_MIN)) {
		index_free(a, f);
		return;
	}
	for (ref_t r = f->all.head; r; r = prefix_at(a, r)->link.next) {
		x->last[prefix_at(a, r)->plen] = r;
		x->n_len[prefix_at(a, r)->plen]++;
	}
}

/* The last prefix in the list that is as long or longer, or 0. */
static ref_t fib_place(const struct arena *a, const struct fib *f, unsigned plen)
{
	const struct fib_index *x = index_at(a, f);
	ref_t at = 0;
	for (unsigned len = plen; x && len <= PLEN_MAX; len++)
		if (x->last[len])
			return x->last[len];
	for (ref_t r = f->all.head; !x && r && prefix_at(a, r)->plen >= plen; r = prefix_at(a, r)->link.next)
		at = r;
	return at;
}

/* ---- the families' tables ---- */

static int family_of(unsigned plen, const uint8_t b[16])
{
	struct via_addr addr = {0};
	memcpy(addr.b, b, 16);
	return plen >= V4_BITS && via_addr_is_v4(&addr) ? FAMILY_4 : FAMILY_6;
}

static struct lpm_key family_key(int family, const uint8_t b[16])
{
	uint64_t w[2];
	memcpy(w, b, 16);
	if (family == FAMILY_4)
		return (struct lpm_key){.hi = __builtin_bswap64(w[1]) << 32};
	return (struct lpm_key){.hi = __builtin_bswap64(w[0]), .lo = __builtin_bswap64(w[1])};
}

static unsigned family_plen(int family, unsigned plen) { return family == FAMILY_4 ? plen - V4_BITS : plen; }

static void family_give_up(struct arena *a, struct fib *f, int family)
{
	lpm_free(a, &f->lpm[family]);
	f->gave_up[family] = f->n[family];
}

static void family_build(struct arena *a, struct fib *f, int family, unsigned bits, bool wide);

/* Prefix p is there, or resolves to another set. */
static void family_put(struct arena *a, struct fib *f, const struct fib_prefix *p)
{
	int family = family_of(p->plen, p->b);
	struct lpm *l = &f->lpm[family];
	if (!l->direct)
		return;
	if (p->set > LPM_NARROW_MAX && !l->wide)
		family_build(a, f, family, l->bits, true);
	else if (!lpm_put(a, l, family_key(family, p->b), family_plen(family, p->plen), p->set))
		family_give_up(a, f, family);
}

/* The longest prefix shorter than plen that holds b; NULL: none. */
static const struct fib_prefix *fib_heir(const struct arena *a, const struct fib *f, const uint8_t b[16], unsigned plen, unsigned least)
{
	const struct fib_index *x = index_at(a, f);
	struct via_addr addr = {0};
	memcpy(addr.b, b, 16);
	for (unsigned len = plen; len-- > least;) {
		if (!x->n_len[len])
			continue;
		struct via_addr masked = addr_mask(&addr, (uint8_t)(least ? len - least : len));
		const struct fib_prefix *p = fib_find(a, f, masked.b, len);
		if (p)
			return p;
	}
	return NULL;
}

/* Prefix p, which is no longer found, goes. */
static void family_del(struct arena *a, struct fib *f, const struct fib_prefix *p)
{
	int family = family_of(p->plen, p->b);
	struct lpm *l = &f->lpm[family];
	if (!l->direct)
		return;
	const struct fib_prefix *heir = fib_heir(a, f, p->b, p->plen, family == FAMILY_4 ? V4_BITS : 0);
	if (!lpm_del(a, l, family_key(family, p->b), family_plen(family, p->plen), heir ? family_plen(family, heir->plen) : 0,
		     heir ? heir->set : 0))
		family_give_up(a, f, family);
}

/* Bits of the direct table for n prefixes: they step by whole strides, and so that /24, /32 and /48 end where a node ends. */
static unsigned family_bits(int family, uint32_t n)
{
	static const struct { uint32_t n; uint8_t bits[FAMILIES]; } sizes[] = {{8192, {18, 14}}, {512, {12, 14}}, {128, {12, 8}}, {1, {6, 8}}};
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		if (n >= sizes[i].n)
			return sizes[i].bits[family];
	return 0;
}

static void family_build(struct arena *a, struct fib *f, int family, unsigned bits, bool wide)
{
	struct lpm l;
	if (!lpm_init(a, &l, bits, wide)) { /* a smaller one goes on, one with too narrow values does not */
		if (f->lpm[family].wide == wide)
			f->gave_up[family] = f->n[family];
		else
			family_give_up(a, f, family);
		return;
	}
	lpm_free(a, &f->lpm[family]);
	f->lpm[family] = l;
	f->gave_up[family] = 0;
	for (ref_t r = f->all.head; r && f->lpm[family].direct; r = prefix_at(a, r)->link.next)
		if (family_of(prefix_at(a, r)->plen, prefix_at(a, r)->b) == family)
			family_put(a, f, prefix_at(a, r));
}

/* Has a family's table the size for its prefixes? A table shrinks only when a quarter of what it is for is left. */
static void family_fit(struct arena *a, struct fib *f, int family)
{
	struct lpm *l = &f->lpm[family];
	uint32_t n = f->n[family], g = f->gave_up[family];
	unsigned bits = family_bits(family, n);
	if (g && n < 2 * g && n > g / 2)
		return;
	if (n == 0)
		lpm_free(a, l);
	else if (bits > l->bits || family_bits(family, 4 * n) < l->bits)
		family_build(a, f, family, bits, f->sets.cap > LPM_NARROW_MAX + 1);
}

/* After a change: what helps to find prefixes, as their number asks for. */
static void fib_fit(struct arena *a, struct fib *f)
{
	struct fib_index *x = index_at(a, f);
	if (!x && f->all.n > FIB_SMALL)
		index_new(a, f);
	else if (x && f->all.n > x->n_buckets)
		index_size(a, f, x, x->n_buckets * 2); /* failing is fine: chains grow a little longer */
	else if (x && f->all.n < x->n_buckets / 8 && x->n_buckets > BUCKETS_MIN)
		index_size(a, f, x, x->n_buckets / 2);
	if (f->index && f->all.n <= SMALL_AGAIN)
		index_free(a, f);
	for (int family = 0; family < FAMILIES; family++) {
		if (f->index)
			family_fit(a, f, family);
		else
			lpm_free(a, &f->lpm[family]);
	}
}

/* ---- changes ---- */

static struct fib_prefix *fib_prefix_new(struct arena *a, struct fib *f, const uint8_t b[16], unsigned plen, uint32_t set)
{
	ref_t r = arena_buf_take(a, sizeof(struct fib_prefix)), at = fib_place(a, f, plen);
	if (!r)
		return NULL;
	struct fib_prefix *p = prefix_at(a, r);
	struct fib_index *x = index_at(a, f);
	*p = (struct fib_prefix){.plen = (uint8_t)plen, .set = (uint16_t)set};
	memcpy(p->b, b, 16);
	if (at)
		list_insert_after(a, &f->all, at, r, LINK_OFF);
	else
		list_push_head(a, &f->all, r, LINK_OFF);
	if (x) {
		index_add(a, f, x, r);
		x->last[plen] = r;
		x->n_len[plen]++;
	}
	f->n[family_of(plen, b)]++;
	return p;
}

static void fib_prefix_free(struct arena *a, struct fib *f, struct fib_prefix *p)
{
	ref_t r = arena_ref(a, p);
	struct fib_index *x = index_at(a, f);
	if (x) {
		ref_t *at = index_bucket(a, f, x, p->b, p->plen), before = p->link.prev;
		while (*at != r)
			at = &prefix_at(a, *at)->hash_next;
		*at = p->hash_next;
		if (x->last[p->plen] == r)
			x->last[p->plen] = before && prefix_at(a, before)->plen == p->plen ? before : 0;
		x->n_len[p->plen]--;
		family_del(a, f, p);
	}
	list_remove(a, &f->all, r, LINK_OFF);
	f->n[family_of(p->plen, p->b)]--;
	hop_sets_give(a, &f->sets, f->key, p->set);
	arena_buf_give(a, r, sizeof(*p));
}

static bool fib_hop_same(const struct fib_hop *x, const struct fib_hop *y)
{
	return x->ifindex == y->ifindex && x->type == y->type && via_addr_eq(&x->gateway, &y->gateway);
}

/* p resolves to these hops from now on. -ENOMEM, also for too many sets: p stays as it was. */
static int fib_set(struct arena *a, struct fib *f, struct fib_prefix *p, const struct fib_hop *hops, int n)
{
	uint32_t set = hop_sets_take(a, &f->sets, f->key, hops, n), old = p->set;
	if (!set)
		return -ENOMEM;
	p->set = (uint16_t)set;
	family_put(a, f, p);
	hop_sets_give(a, &f->sets, f->key, old);
	return 0;
}

static int fib_prefix_add(struct arena *a, struct fib *f, const uint8_t b[16], unsigned plen, const struct fib_hop *hop)
{
	uint32_t set = hop_sets_take(a, &f->sets, f->key, hop, 1);
	struct fib_prefix *p = set ? fib_prefix_new(a, f, b, plen, set) : NULL;
	if (!p) {
		if (set)
			hop_sets_give(a, &f->sets, f->key, set);
		return -ENOMEM;
	}
	family_put(a, f, p);
	fib_fit(a, f);
	f->gen++;
	return 0;
}

int fib_add(struct arena *a, ref_t fib, const struct via_addr *dst, uint8_t plen, const struct fib_hop *hop)
{
	struct fib *f = arena_at(a, fib);
	struct fib_hop hops[FIB_PATHS_MAX + 1], clean;
	uint8_t b[16];
	unsigned len = fib_key(dst, plen, b);
	struct fib_prefix *p = fib_find(a, f, b, len);
	memset(&clean, 0, sizeof(clean)); /* no rest of another's in what is compared by bytes */
	clean.gateway = hop->gateway;
	clean.ifindex = hop->ifindex;
	clean.weight = hop->weight ? hop->weight : 1;
	clean.type = hop->type;
	if (!p)
		return fib_prefix_add(a, f, b, len, &clean);
	const struct hop_set *s = hop_set_at(a, &f->sets, p->set);
	int n = s->n;
	for (int i = 0; i < n; i++)
		if (fib_hop_same(&s->hop[i], hop) || s->hop[i].type != FIB_UNICAST || hop->type != FIB_UNICAST)
			return -EEXIST;
	if (n >= FIB_PATHS_MAX)
		return -ENOSPC;
	memcpy(hops, s->hop, (size_t)n * sizeof(*hops));
	hops[n] = clean;
	int err = fib_set(a, f, p, hops, n + 1);
	f->gen += !err;
	return err;
}

/* Take path i out; the prefix goes with its last one. -ENOMEM for the set of the others: it stays. */
static int fib_hop_del(struct arena *a, struct fib *f, struct fib_prefix *p, int i)
{
	const struct hop_set *s = hop_set_at(a, &f->sets, p->set);
	struct fib_hop hops[FIB_PATHS_MAX];
	int n = s->n - 1;
	memcpy(hops, s->hop, (size_t)i * sizeof(*hops));
	memcpy(hops + i, s->hop + i + 1, (size_t)(n - i) * sizeof(*hops));
	int err = n ? fib_set(a, f, p, hops, n) : 0;
	if (n == 0)
		fib_prefix_free(a, f, p);
	f->gen += !err;
	return err;
}

int fib_del(struct arena *a, ref_t fib, const struct via_addr *dst, uint8_t plen, const struct fib_hop *hop)
{
	struct fib *f = arena_at(a, fib);
	uint8_t b[16];
	struct fib_prefix *p = fib_find(a, f, b, fib_key(dst, plen, b));
	const struct hop_set *s = p ? hop_set_at(a, &f->sets, p->set) : NULL;
	for (int i = 0; s && i < s->n; i++) {
		if (fib_hop_same(&s->hop[i], hop)) {
			int err = fib_hop_del(a, f, p, i);
			fib_fit(a, f);
			return err;
		}
	}
	return -ESRCH;
}

int fib_del_ifindex(struct arena *a, ref_t fib, uint16_t ifindex)
{
	struct fib *f = arena_at(a, fib);
	int n = 0;
	for (ref_t r = f->all.head, next; r; r = next) {
		struct fib_prefix *p = prefix_at(a, r);
		next = p->link.next;
		for (int i = hop_set_at(a, &f->sets, p->set)->n - 1, last = 0; i >= 0 && !last; i--) {
			const struct hop_set *s = hop_set_at(a, &f->sets, p->set);
			if (s->hop[i].ifindex != ifindex)
				continue;
			last = s->n == 1; /* p goes */
			n++;
			if (fib_hop_del(a, f, p, i) == 0)
				continue;
			fib_prefix_free(a, f, p);
			f->gen++;
			last = 1;
		}
	}
	fib_fit(a, f);
	return n;
}

/* ---- look-ups ---- */

/* The longest prefix that holds dst and has a hop up, by list or hash. */
static const struct fib_prefix *fib_search(const struct arena *a, const struct fib *f, const struct via_addr *dst, uint64_t down)
{
	unsigned least = via_addr_is_v4(dst) ? V4_BITS : 0;
	const struct fib_prefix *p;
	for (ref_t r = f->index ? 0 : f->all.head; r; r = p->link.next) {
		p = prefix_at(a, r);
		if (p->plen < least)
			break;
		struct via_addr masked = addr_mask(dst, (uint8_t)(p->plen - least));
		if (memcmp(masked.b, p->b, 16) == 0 && hop_set_is_up(hop_set_at(a, &f->sets, p->set), down))
			return p;
	}
	if (!f->index)
		return NULL;
	for (unsigned len = PLEN_MAX + 1; (p = fib_heir(a, f, dst->b, len, least)); len = p->plen)
		if (hop_set_is_up(hop_set_at(a, &f->sets, p->set), down))
			return p;
	return NULL;
}

const struct hop_set *fib_match(const struct arena *a, ref_t fib, const struct via_addr *dst, uint64_t down)
{
	const struct fib *f = arena_at(a, fib);
	int family = via_addr_is_v4(dst) ? FAMILY_4 : FAMILY_6;
	if (f->lpm[family].direct) {
		uint32_t id = lpm_find(a, &f->lpm[family], family_key(family, dst->b));
		const struct hop_set *s = id ? hop_set_at(a, &f->sets, id) : NULL;
		if (!s || hop_set_is_up(s, down))
			return s;
	}
	const struct fib_prefix *p = fib_search(a, f, dst, down);
	return p ? hop_set_at(a, &f->sets, p->set) : NULL;
}

const struct fib_hop *fib_onlink(const struct arena *a, ref_t fib, const struct via_addr *addr, uint64_t down)
{
	const struct hop_set *s = fib_match(a, fib, addr, down);
	return s && s->hop[0].type == FIB_UNICAST && via_addr_is_any(&s->hop[0].gateway) ? &s->hop[0] : NULL;
}

bool fib_lookup(const struct arena *a, ref_t fib, const struct via_addr *dst, uint32_t flow_hash, uint64_t down, struct fib_hop *out)
{
	const struct hop_set *s = fib_match(a, fib, dst, down);
	if (!s)
		return false;
	*out = *hop_set_choose(s, flow_hash, down);
	return true;
}

/* ---- listing, end ---- */

bool fib_get_from(const struct arena *a, ref_t fib, struct fib_cursor *c, int n, struct via_addr *dst, uint8_t *plen, struct fib_hop *hop)
{
	const struct fib *f = arena_at(a, fib);
	if (!c->prefix || c->gen != f->gen || n < (int64_t)c->base)
		*c = (struct fib_cursor){.prefix = f->all.head, .gen = f->gen};
	for (ref_t r = c->prefix; r;) {
		const struct fib_prefix *p = prefix_at(a, r);
		const struct hop_set *s = hop_set_at(a, &f->sets, p->set);
		c->prefix = r;
		if (n < (int64_t)c->base + s->n) {
			memset(dst, 0, sizeof(*dst));
			memcpy(dst->b, p->b, 16);
			*plen = (uint8_t)family_plen(family_of(p->plen, p->b), p->plen);
			*hop = s->hop[(uint32_t)n - c->base];
			return true;
		}
		r = p->link.next;
		c->base += r ? s->n : 0;
	}
	return false;
}

bool fib_get(const struct arena *a, ref_t fib, int n, struct via_addr *dst, uint8_t *plen, struct fib_hop *hop)
{
	struct fib_cursor c = {0};
	return fib_get_from(a, fib, &c, n, dst, plen, hop);
}

void fib_size(const struct arena *a, ref_t fib, uint32_t *n, uint64_t *bytes)
{
	const struct fib *f = arena_at(a, fib);
	const struct fib_index *x = index_at(a, f);
	*n = f->all.n;
	*bytes = sizeof(*f) + f->all.n * sizeof(struct fib_prefix) + f->lpm[FAMILY_4].bytes + f->lpm[FAMILY_6].bytes +
		 (x ? sizeof(*x) + x->n_buckets * sizeof(ref_t) : 0);
}

void fib_free(struct arena *a, ref_t fib)
{
	struct fib *f = arena_at(a, fib);
	for (int family = 0; family < FAMILIES; family++)
		lpm_free(a, &f->lpm[family]);
	index_free(a, f);
	while (f->all.head)
		fib_prefix_free(a, f, prefix_at(a, f->all.head));
	arena_buf_give(a, fib, sizeof(*f));
}

uint32_t fib_longest(const struct arena *a, ref_t fib)
{
	const struct fib_index *x = index_at(a, arena_at(a, fib));
	const ref_t *heads = x ? arena_at(a, x->buckets) : NULL;
	uint32_t most = 0;
	for (uint32_t i = 0, n = 0; x && i < x->n_buckets; i++, most = MAX(most, n), n = 0)
		for (ref_t r = heads[i]; r; r = prefix_at(a, r)->hash_next)
			n++;
	return most;
}
