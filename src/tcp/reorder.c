/* tcp/reorder.c - the seventh step's queue: bytes out of order wait in the receive stream, an interval set tells which.
 *
 * The set is an arena buffer that doubles from TCP_OOO_FIRST to TCP_OOO_MAX intervals; a segment that would need one
 * more is dropped, and memory pinned beyond twice the buffer refuses what is out of order (HARD-05). A FIN out of order
 * counts as one number of the set, so SACK covers it. RFC 9293 §3.10.7.4 SHLD-31, RFC 2018 §4, RFC 2883. */
#include "tcp/input.h"

#include "tcp/ack.h"
#include "tcp/memory.h"
#include "tcp/tally.h"

bool tcp_reorder_has(const struct tcp_active *a)
{
	return a->ooo != 0;
}

void tcp_reorder_free(struct tcp_env *env, struct tcp_active *a)
{
	if (a->ooo)
		arena_buf_give(env->arena, a->ooo, IVSET_BYTES(a->ooo_cap));
	a->ooo = 0;
	a->ooo_cap = 0;
	a->n_recent = 0;
	a->has_fin = false;
}

static struct ivset *set_of(struct tcp_env *env, const struct tcp_active *a)
{
	return a->ooo ? arena_at(env->arena, a->ooo) : NULL;
}

/* Room for one more interval. */
static bool set_room(struct tcp_env *env, struct tcp_active *a)
{
	struct ivset *s = set_of(env, a);

	if (s && s->n < s->cap)
		return true;
	uint16_t cap = s ? (uint16_t)MIN(s->cap * 2u, TCP_OOO_MAX) : TCP_OOO_FIRST;
	if (s && cap == s->cap)
		return false;
	ref_t r = arena_buf_take(env->arena, IVSET_BYTES(cap));
	if (!r)
		return false;
	struct ivset *t = arena_at(env->arena, r);
	ivset_init(t, cap);
	if (s) {
		memcpy(t->v, s->v, s->n * sizeof(s->v[0]));
		t->n = s->n;
		arena_buf_give(env->arena, a->ooo, IVSET_BYTES(a->ooo_cap));
	}
	a->ooo = r;
	a->ooo_cap = cap;
	return true;
}

/* Bytes [from, from+n) of the stream have come in order. */
static void count_bytes(struct tcp_conn *c, uint32_t from, uint32_t n)
{
	if ((uint32_t)(from - c->irs - 1) + n < n)
		c->rcvd_hi++;
}

/* The stream is whole up to `to`, or further if an interval begins there: RCV.NXT moves. Returns whether it moved over a
 * FIN that waited. */
static bool advance(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, uint32_t to)
{
	struct ivset *s = set_of(env, a);

	ivset_cut_below(s, to);
	if (s->n && s->v[0].lo == to)
		to = s->v[0].hi;
	bool fin = a->has_fin && seq_lt(a->fin_seq, to);
	if (fin)
		to = a->fin_seq;
	count_bytes(c, c->rcv_nxt, to - c->rcv_nxt);
	sbuf_advance(&c->rcv, to);
	c->rcv_nxt = to + fin;
	ivset_cut_below(s, c->rcv_nxt);
	return fin;
}

/* Nothing may follow a FIN: bytes beyond it are a contradiction of the peer's. */
static void end_at_fin(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a)
{
	tcp_buf_cut(env, &c->rcv, c->rcv_nxt - 1);
	tcp_reorder_free(env, a);
}

/* The newest block is reported first: a number in it, older ones of the same block forgotten. */
static void note_recent(struct tcp_env *env, struct tcp_active *a, uint32_t seq)
{
	const struct ivset *s = set_of(env, a);
	uint16_t at = ivset_find(s, seq);
	uint32_t keep[TCP_SACK_MAX] = {seq};
	unsigned n = 1;

	for (unsigned i = 0; i < a->n_recent && n < TCP_SACK_MAX; i++)
		if (ivset_find(s, a->recent[i]) != at)
			keep[n++] = a->recent[i];
	memcpy(a->recent, keep, sizeof(keep));
	a->n_recent = (uint8_t)n;
}

void tcp_reorder_duplicate(struct tcp_env *env, struct tcp_conn *c, uint32_t lo, uint32_t hi)
{
	struct tcp_active *a = c->sack_ok && seq_lt(lo, hi) ? tcp_conn_activate(env, c) : NULL;

	if (!a)
		return;
	a->dsack = (struct iv){lo, hi};
	a->has_dsack = true;
}

/* Payload and FIN into the stream, piece by piece where nothing is held yet. What joins RCV.NXT moves it and needs no
 * room in the set, so a full set cannot stop what is in order. */
static enum drop put(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, const struct tcp_seg *s, bool *fin)
{
	uint32_t at = s->seq, hi = s->seq + s->len;
	struct iv gap;

	if (!set_of(env, a) || at != c->rcv_nxt)
		if (!set_room(env, a))
			return DROP_TCP_RCVBUF;
	while (!*fin && seq_lt(at, hi) && ivset_gap(set_of(env, a), at, hi, &gap)) {
		if (tcp_buf_insert(env, &c->rcv, gap.lo, s->p, s->off + (gap.lo - s->seq), gap.hi - gap.lo) < 0)
			return DROP_NO_MEMORY;
		if (gap.lo == c->rcv_nxt)
			*fin = advance(env, c, a, gap.hi);
		else
			ivset_add(set_of(env, a), gap.lo, gap.hi, NULL); /* a second gap touches its neighbours: no more room needed */
		at = seq_lt(gap.hi, c->rcv_nxt) ? c->rcv_nxt : gap.hi;
	}
	if (!s->fin || *fin)
		return DROP_NONE;
	if (c->rcv_nxt == hi) {
		c->rcv_nxt++;
		*fin = true;
	} else if (!a->has_fin && set_room(env, a)) {
		ivset_add(set_of(env, a), hi, hi + 1, NULL);
		a->has_fin = true;
		a->fin_seq = hi;
	}
	return DROP_NONE;
}

enum drop tcp_reorder_add(struct tcp_env *env, struct tcp_conn *c, const struct tcp_seg *s, bool *fin)
{
	struct tcp_active *a = tcp_active_of(env, c);

	*fin = false;
	if (s->seq == c->rcv_nxt && !(a && a->ooo)) { /* in order, nothing waits: the straight way */
		if (s->len && tcp_buf_insert(env, &c->rcv, s->seq, s->p, s->off, s->len) < 0)
			return DROP_NO_MEMORY;
		count_bytes(c, s->seq, s->len);
		c->rcv_nxt += s->len;
		sbuf_advance(&c->rcv, c->rcv_nxt);
		c->rcv_nxt += s->fin;
		*fin = s->fin;
		return DROP_NONE;
	}
	if (s->seq != c->rcv_nxt && c->rcv.charged > 2 * c->rcvbuf)
		return DROP_TCP_RCVBUF;
	if (s->seq != c->rcv_nxt && tcp_mem_state(env) != TCP_MEM_FREE)
		return DROP_TCP_MEMORY;
	if (s->seq != c->rcv_nxt)
		tcp_tally(env, c)->ooo_in += s->segs;
	a = tcp_conn_activate(env, c);
	if (!a)
		return DROP_NO_MEMORY;
	if (a->ooo && ivset_covers(set_of(env, a), s->seq, s->seq + s->len)) /* all of it is here already: say so (RFC 2883 §4.2) */
		tcp_reorder_duplicate(env, c, s->seq, s->seq + s->len);
	enum drop d = put(env, c, a, s, fin);
	if (a->ooo && seq_lt(c->rcv_nxt, s->seq + s->len) && d == DROP_NONE)
		note_recent(env, a, s->seq);
	if (*fin)
		end_at_fin(env, c, a);
	else if (a->ooo && !set_of(env, a)->n)
		tcp_reorder_free(env, a);
	return d;
}
