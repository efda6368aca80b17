/* net/reasm.c - reassembly: find the datagram, judge the fragment, keep it, hand on the whole; and who gives way.
 *
 * A look-up walks one bucket, chosen by a keyed hash of the source alone: so the same walk counts what this source has here
 * and finds its oldest datagram. Chains are no longer than the caps. Sorting is left to the end: at most 130 packets, which
 * mostly came in order. RFC 815's holes are the gaps of the bitmap. See net/reasm.h. */
#include "net/reasm.h"

#include "base/bytes.h"

enum {
	UNITS = 8192,                                /* of 8 bytes */
	COPIES = (65535 + BLK_ROOM - 1) / BLK_ROOM,  /* blocks for small fragments */
	PARTS_MAX = 65535 / REASM_COPY_BELOW + 3,    /* packets kept: the first, the last, large ones between */
};
_Static_assert(BLK_ROOM % 8 == 0, "a unit lies in one block");

struct datagram {
	struct wheel_node timer; /* must be first */
	struct list_link age;
	ref_t bucket_next;
	struct reasm_key key;
	struct pktq parts;       /* in the order they came; mark is the offset */
	blk_t copies[COPIES];    /* byte k of the datagram stands in block k / BLK_ROOM, if it was copied */
	uint32_t got, total;     /* bytes; total is 0 until the last fragment came */
	uint32_t top;            /* one past the highest byte that came */
	uint32_t cost;           /* bytes of memory, this struct included */
	uint16_t fragments, copied;
	uint8_t ecn_seen;        /* a bit per codepoint */
	uint8_t ecn_first;
	uint64_t have[UNITS / 64], begins[UNITS / 64];
};
#define AGE offsetof(struct datagram, age)

static struct datagram *datagram_at(const struct reasm_env *e, ref_t r) { return arena_at(e->arena, r); }

void reasm_init(struct reasm_env *e, struct reasm *r, struct prf_key key, uint8_t wheel_kind)
{
	memset(r, 0, sizeof(*r));
	r->key = key;
	r->wheel_kind = wheel_kind;
	r->bytes_max = (uint32_t)MIN(arena_bytes_cap(e->mem->home) / 8, (size_t)REASM_BYTES_MAX);
	pool_init(e->arena, &r->pool, "reassembly", sizeof(struct datagram), REASM_DATAGRAMS_MAX);
}

/* ---- finding ---- */

/* What a walk through a source's bucket tells. */
struct seen {
	ref_t found;         /* the datagram that was looked for */
	ref_t oldest;        /* this source's oldest one but that */
	uint32_t n, bytes;   /* of this source */
};

static ref_t *bucket_of(struct reasm *r, const struct via_addr *src)
{
	return &r->buckets[siphash_1_3(r->key, src->b, sizeof(src->b)) % REASM_BUCKETS];
}

uint32_t reasm_longest(const struct reasm_env *e, const struct reasm *r)
{
	uint32_t most = 0;
	for (uint32_t i = 0, n = 0; i < REASM_BUCKETS; i++, most = MAX(most, n), n = 0)
		for (ref_t at = r->buckets[i]; at; at = datagram_at(e, at)->bucket_next)
			n++;
	return most;
}

static bool key_eq(const struct reasm_key *a, const struct reasm_key *b)
{
	return a->id == b->id && a->proto == b->proto && via_addr_eq(&a->src, &b->src) && via_addr_eq(&a->dst, &b->dst);
}

static struct seen reasm_find(const struct reasm_env *e, struct reasm *r, const struct reasm_key *k)
{
	struct seen s = {0};
	for (ref_t at = *bucket_of(r, &k->src); at; at = datagram_at(e, at)->bucket_next) {
		const struct datagram *d = datagram_at(e, at);
		if (!via_addr_eq(&d->key.src, &k->src))
			continue;
		s.n++;
		s.bytes += d->cost;
		if (key_eq(&d->key, k))
			s.found = at;
		else
			s.oldest = at; /* new ones join in front */
	}
	return s;
}

/* ---- coming and going ---- */

static ref_t reasm_begin(struct reasm_env *e, struct reasm *r, const struct reasm_key *k)
{
	ref_t at = pool_take(e->arena, &r->pool);
	if (!at)
		return 0;
	struct datagram *d = datagram_at(e, at);
	ref_t *b = bucket_of(r, &k->src);
	d->key = *k;
	d->bucket_next = *b;
	*b = at;
	d->timer.kind = r->wheel_kind;
	d->cost = sizeof(*d);
	d->fragments = 1;
	r->bytes += d->cost;
	list_push_tail(e->arena, &r->by_age, at, AGE);
	wheel_arm(e->arena, e->wheel, at, e->now + REASM_LIFE_NS);
	return at;
}

/* The datagram is of no use any more; its parts are somebody else's already. */
static void reasm_end(struct reasm_env *e, struct reasm *r, ref_t at)
{
	struct datagram *d = datagram_at(e, at);
	ref_t *link = bucket_of(r, &d->key.src);
	while (*link != at)
		link = &datagram_at(e, *link)->bucket_next;
	*link = d->bucket_next;
	for (unsigned i = 0; i < COPIES; i++)
		if (d->copies[i])
			blk_drop(e->mem, d->copies[i]);
	r->bytes -= d->cost;
	list_remove(e->arena, &r->by_age, at, AGE);
	wheel_disarm(e->arena, e->wheel, at);
	pool_give(e->arena, &r->pool, at);
}

/* Give a datagram up. */
static void reasm_drop(struct reasm_env *e, struct reasm *r, ref_t at, enum drop why, struct pktq *dropped)
{
	struct datagram *d = datagram_at(e, at);
	struct pkt *p;
	while ((p = pktq_pop(e->mem, &d->parts)) != NULL) {
		p->m.drop = (uint8_t)why;
		pktq_push(e->mem, dropped, p);
	}
	e->drops[why] += d->copied;
	reasm_end(e, r, at);
}

void reasm_timeout(struct reasm_env *e, struct reasm *r, ref_t datagram, struct pktq *dropped)
{
	reasm_drop(e, r, datagram, DROP_FRAG_TIMEOUT, dropped);
}

void reasm_fini(struct reasm_env *e, struct reasm *r)
{
	while (r->by_age.head) {
		pktq_clear(e->mem, &datagram_at(e, r->by_age.head)->parts);
		reasm_end(e, r, r->by_age.head);
	}
}

/* Make room for `more` bytes of the datagram `mine` (0: a new one). False: there is none, however many go. */
static bool reasm_room(struct reasm_env *e, struct reasm *r, const struct reasm_key *k, ref_t mine, uint32_t more, struct pktq *dropped)
{
	for (;;) {
		struct seen s = reasm_find(e, r, k);
		if (s.bytes + more <= r->bytes_max / 4 && s.n + !mine <= REASM_PER_SOURCE)
			break;
		if (!s.oldest)
			return false;
		reasm_drop(e, r, s.oldest, DROP_FRAG_LIMIT, dropped);
	}
	while (r->bytes + more > r->bytes_max || (!mine && r->pool.n_used >= REASM_DATAGRAMS_MAX)) {
		ref_t oldest = r->by_age.head;
		if (oldest == mine)
			oldest = oldest ? list_next(e->arena, oldest, AGE) : 0;
		if (!oldest)
			return false;
		reasm_drop(e, r, oldest, DROP_FRAG_LIMIT, dropped);
	}
	return true;
}

/* ---- judging ---- */

/* Bits of [lo, hi) that lie in word w of a bitmap. */
static uint64_t bits_in(uint32_t w, uint32_t lo, uint32_t hi)
{
	uint32_t from = MAX(lo, w * 64) - w * 64, to = MIN(hi, w * 64 + 64) - w * 64;
	return from >= to ? 0 : (to == 64 ? ~UINT64_C(0) : (UINT64_C(1) << to) - 1) & ~((UINT64_C(1) << from) - 1);
}

static bool bit(const uint64_t *map, uint32_t i)
{
	return i < UNITS && (map[i / 64] >> (i % 64) & 1);
}

/* Is exactly this fragment there already? All its units are, it begins where one began, none begins inside, and none goes on. */
static bool is_duplicate(const struct datagram *d, const struct reasm_fragment *f, uint32_t lo, uint32_t hi)
{
	bool is_all = bit(d->begins, lo);
	for (uint32_t w = lo / 64; is_all && w <= (hi - 1) / 64; w++) {
		uint64_t in = bits_in(w, lo, hi);
		is_all = (d->have[w] & in) == in && !(d->begins[w] & bits_in(w, lo + 1, hi));
	}
	if (!is_all || (bit(d->have, hi) && !bit(d->begins, hi)))
		return false;
	/* The end may lie inside a unit: only of the last one. */
	return f->more ? !d->total || f->off + f->len < d->total : d->total == f->off + f->len;
}

static enum drop judge(const struct datagram *d, const struct reasm_fragment *f)
{
	uint32_t end = f->off + f->len, lo = f->off / 8, hi = (end + 7) / 8;
	bool overlaps = false;
	for (uint32_t w = lo / 64; w <= (hi - 1) / 64; w++)
		overlaps |= (d->have[w] & bits_in(w, lo, hi)) != 0;
	if (overlaps)
		return is_duplicate(d, f, lo, hi) ? DROP_FRAG_DUPLICATE : DROP_FRAG_OVERLAP;
	/* Where the datagram ends is said once, and nothing lies behind. */
	if (f->more ? d->total && end >= d->total : d->total || d->top > end)
		return DROP_FRAG_OVERLAP;
	return DROP_NONE;
}

bool reasm_ecn(uint8_t seen, uint8_t first, uint8_t *out)
{
	enum { NOT_ECT = 1 << 0, CE = 1 << 3 };
	*out = first;
	if (seen & NOT_ECT)
		return seen == NOT_ECT;
	if (seen & CE)
		*out = 3;
	return true;
}

/* ---- keeping ---- */

static bool is_copied(const struct reasm_fragment *f)
{
	return f->off > 0 && f->more && f->len < REASM_COPY_BELOW;
}

/* Memory that keeping p will take. */
static uint32_t cost_of(const struct reasm_env *e, const struct datagram *d, const struct reasm_fragment *f, const struct pkt *p)
{
	uint32_t n = 0;
	if (!is_copied(f))
		return pkt_pins_behind(e->mem, d && d->parts.tail ? pkt_at(e->mem, d->parts.tail) : NULL, p);
	for (uint32_t i = f->off / BLK_ROOM; i <= (f->off + f->len - 1) / BLK_ROOM; i++)
		n += d && d->copies[i] ? 0 : BLK_BYTES;
	return n;
}

/* The blocks that [off, off+len) is copied to. False when memory is out. */
static bool copies_take(struct reasm_env *e, struct datagram *d, const struct reasm_fragment *f)
{
	for (uint32_t i = f->off / BLK_ROOM; i <= (f->off + f->len - 1) / BLK_ROOM; i++) {
		if (!d->copies[i])
			d->copies[i] = blk_new(e->mem);
		if (!d->copies[i])
			return false;
	}
	return true;
}

/* Takes p, which has been judged. */
static void keep(struct reasm_env *e, struct datagram *d, const struct reasm_fragment *f, struct pkt *p)
{
	uint32_t end = f->off + f->len, lo = f->off / 8, hi = (end + 7) / 8;
	for (uint32_t w = lo / 64; w <= (hi - 1) / 64; w++)
		d->have[w] |= bits_in(w, lo, hi);
	d->begins[lo / 64] |= UINT64_C(1) << (lo % 64);
	d->got += f->len;
	d->top = MAX(d->top, end);
	d->total = f->more ? d->total : end;
	d->ecn_seen |= (uint8_t)(1 << (f->ecn & 3));
	d->ecn_first = f->off ? d->ecn_first : f->ecn & 3;
	if (!is_copied(f)) {
		p->mark = f->off;
		pktq_push(e->mem, &d->parts, p);
		return;
	}
	for (uint32_t done = 0; done < f->len;) {
		uint32_t at = (f->off + done) % BLK_ROOM, n = MIN(f->len - done, BLK_ROOM - at);
		pkt_copy_out(e->mem, p, done, blk_data(e->mem, d->copies[(f->off + done) / BLK_ROOM]) + at, n);
		done += n;
	}
	d->copied++;
	pkt_free(e->mem, p);
}

/* ---- the whole ---- */

/* Parts by offset. Returns their number. */
static uint32_t sorted(const struct reasm_env *e, struct datagram *d, struct pkt *part[PARTS_MAX])
{
	uint32_t n = 0;
	for (struct pkt *p; (p = pktq_pop(e->mem, &d->parts)) != NULL; n++) {
		uint32_t i = n;
		ASSERT(n < PARTS_MAX);
		for (; i > 0 && part[i - 1]->mark > p->mark; i--)
			part[i] = part[i - 1];
		part[i] = p;
	}
	return n;
}

/* Refer to the copied bytes [from, to) at the end of p, whose whole is `first`. */
static bool refer_copies(struct reasm_env *e, const struct datagram *d, struct pkt *first, struct pkt *p, uint32_t from, uint32_t to)
{
	while (from < to) {
		uint32_t at = from % BLK_ROOM, n = MIN(to - from, BLK_ROOM - at);
		if (pkt_append_slice(e->mem, p, d->copies[from / BLK_ROOM], at, n))
			return false;
		if (p != first)
			first->len += n;
		from += n;
	}
	return true;
}

/* Chain the parts in order; what lies between them was copied. NULL: too many pieces; all is freed. */
static struct pkt *join(struct reasm_env *e, struct datagram *d)
{
	struct pkt *part[PARTS_MAX];
	uint32_t n = sorted(e, d, part), at = part[0]->len;
	bool ok = true;
	for (uint32_t i = 1; i <= n && ok; i++) {
		uint32_t next = i < n ? part[i]->mark : d->total;
		ok = refer_copies(e, d, part[0], part[i - 1], at, next);
		at = next;
		if (i == n || !ok)
			break;
		at += part[i]->len;
		pkt_chain(e->mem, part[0], part[i - 1], part[i]);
		part[i]->mark = 0;
	}
	if (ok && part[0]->len == d->total)
		return part[0];
	for (uint32_t i = 0; i < n; i++) {
		part[i]->more = 0;
		pkt_free(e->mem, part[i]);
	}
	return NULL;
}

/* Nothing is missing any more. */
static void complete(struct reasm_env *e, struct reasm *r, ref_t at, struct reasm_whole *whole, struct pktq *dropped)
{
	struct datagram *d = datagram_at(e, at);
	if (!reasm_ecn(d->ecn_seen, d->ecn_first, &whole->ecn)) {
		reasm_drop(e, r, at, DROP_FRAG_ECN, dropped);
		return;
	}
	whole->fragments = d->copied + d->parts.n;
	whole->p = join(e, d);
	if (!whole->p)
		e->drops[DROP_NO_MEMORY] += whole->fragments;
	reasm_end(e, r, at);
}

/* What is wrong with the fragment by itself, or beside what came before. */
static enum drop reasm_judge(struct datagram *d, const struct reasm_fragment *f)
{
	if (f->len == 0 || f->off % 8 || (f->more && f->len % 8) || f->off + f->len > f->room)
		return DROP_FRAG_BAD;
	if (d && ++d->fragments > REASM_FRAGMENTS_MAX)
		return DROP_FRAG_LIMIT;
	return d ? judge(d, f) : DROP_NONE;
}

enum drop reasm_input(struct reasm_env *e, struct reasm *r, const struct reasm_key *k, const struct reasm_fragment *f, struct pkt *p,
		      struct reasm_whole *whole, struct pktq *dropped)
{
	*whole = (struct reasm_whole){0};
	ref_t at = reasm_find(e, r, k).found;
	struct datagram *d = at ? datagram_at(e, at) : NULL;
	enum drop why = p->more && pkt_unchain(e->mem, p) ? DROP_NO_MEMORY : reasm_judge(d, f);
	uint32_t cost = why ? 0 : cost_of(e, d, f, p);
	if (!why && !reasm_room(e, r, k, at, d ? cost : cost + (uint32_t)sizeof(*d), dropped))
		why = DROP_FRAG_LIMIT;
	if (!why && !at) {
		at = reasm_begin(e, r, k);
		why = at ? DROP_NONE : DROP_NO_MEMORY;
	}
	if (!why) {
		d = datagram_at(e, at);
		d->cost += cost;
		r->bytes += cost;
		why = is_copied(f) && !copies_take(e, d, f) ? DROP_NO_MEMORY : DROP_NONE;
	}
	if (why) {
		if (at && why != DROP_FRAG_DUPLICATE)
			reasm_drop(e, r, at, why, dropped);
		return why;
	}
	keep(e, d, f, p);
	if (d->total && d->got == d->total)
		complete(e, r, at, whole, dropped);
	return DROP_NONE;
}
