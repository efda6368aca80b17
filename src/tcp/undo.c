/* tcp/undo.c - needless reductions are taken back. See the header. */
#include "tcp/undo.h"

#include "tcp/cwnd.h"
#include "tcp/rtt.h"

#define STRETCHES 64
#define LATE_MAX (1u << 29) /* bytes by which an episode may outlive recovery */

static struct ivset *set_of(const struct tcp_env *env, const struct tcp_active *a)
{
	return a->undo.set ? arena_at(env->arena, a->undo.set) : NULL;
}

void tcp_undo_forget(struct tcp_env *env, struct tcp_active *a)
{
	if (a->undo.set)
		arena_buf_give(env->arena, a->undo.set, IVSET_BYTES(STRETCHES));
	a->undo = (struct tcp_undo){0};
}

void tcp_undo_begin(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, bool is_rto)
{
	struct tcp_undo *u = &a->undo;

	if (tcp_cwnd_algo(env, c)->has_model)
		return;
	u->frto = TCP_FRTO_NONE;
	if (u->is_on)
		return;
	*u = (struct tcp_undo){.is_on = true, .cwnd = c->cwnd, .ssthresh = c->ssthresh};
	if (is_rto && a->ca == TCP_CA_OPEN) { /* RFC 5682 §2.1 step 1: not in a recovery that began before */
		u->frto = TCP_FRTO_FIRST;
		u->point = c->snd_nxt;
	}
	tcp_cwnd_event(env, c, a, TCP_CC_SAVE, NULL, tcp_flight(c));
}

void tcp_undo_resent(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, const struct tcp_range *r, uint32_t end)
{
	struct tcp_undo *u = &a->undo;
	struct iv gap = {0};

	if (!u->is_on || a->ca == TCP_CA_OPEN)
		return;
	if (!u->set) {
		u->set = arena_buf_take(env->arena, IVSET_BYTES(STRETCHES));
		if (!u->set) {
			tcp_undo_forget(env, a);
			return;
		}
		ivset_init(set_of(env, a), STRETCHES);
		u->ts = tcp_ts_now(env, c->ts_offset);
	}
	bool is_new = ivset_gap(set_of(env, a), r->seq, end, &gap);
	if (is_new && r->flags & TCP_RANGE_EVER) {
		tcp_undo_forget(env, a);
		return;
	}
	u->is_twice |= !is_new;
	if (ivset_add(set_of(env, a), r->seq, end, NULL) < 0)
		tcp_undo_forget(env, a);
}

/* [lo, hi) was sent again for nothing. */
static void needless(struct tcp_env *env, struct tcp_active *a, uint32_t lo, uint32_t hi)
{
	if (ivset_cut(set_of(env, a), lo, hi) < 0)
		tcp_undo_forget(env, a);
}

bool tcp_undo_front(struct tcp_env *env, const struct tcp_conn *c, struct tcp_active *a, const struct tcp_ack_ctx *x)
{
	const struct tcp_hdr *h = &x->s->h;
	const struct ivset *s = set_of(env, a);

	if (!s || !a->sent.n || !c->ts_ok || !h->has_ts || !h->tsecr)
		return false;
	const struct tcp_range *r = tcp_ranges_at(env->arena, &a->sent);
	uint32_t end = seq_lt(h->ack, r->end) ? h->ack : r->end;
	/* Of bytes sent more than once again, only what is older than all repetitions is the first copy's. */
	if (!seq_lt(h->tsecr, a->undo.is_twice ? a->undo.ts : r->ts) || !ivset_covers(s, r->seq, end))
		return false;
	needless(env, a, r->seq, end);
	return true;
}

/* RFC 5682 §2.1, §3.1 steps 2 and 3. True: the time-out was spurious. */
static bool frto_ack(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, const struct tcp_ack_ctx *x)
{
	struct tcp_undo *u = &a->undo;
	const struct ivset *s = set_of(env, a);
	bool is_plain_dup = !c->sack_ok && x->is_dup;

	if (u->frto == TCP_FRTO_NEW) {
		if (!is_plain_dup && !x->is_beyond)
			return x->is_once;
		u->frto = TCP_FRTO_NONE; /* step 3a: the holes are real; what asked may fill the window, the first of them goes all the same */
		c->cwnd = MIN(c->cwnd, 3u * c->mss);
		a->force = true;
		return false;
	}
	if (!x->acked && !is_plain_dup) /* only SACK: not yet an answer */
		return false;
	/* Step 2: an advance over all that was repeated, one segment, but not to the end. */
	bool is_part = x->acked && seq_lt(c->snd_una, u->point) && s && (s->n == 0 || (s->n == 1 && seq_le(s->v[0].hi, c->snd_una)));
	u->frto = is_part ? TCP_FRTO_NEW : TCP_FRTO_NONE;
	return false;
}

/* May D-SACKs still come for what an episode that recovery has left behind sent again? A window later: no, so a loss was real. */
static void look_late(struct tcp_env *env, const struct tcp_conn *c, struct tcp_active *a)
{
	struct tcp_undo *u = &a->undo;
	const struct ivset *s = set_of(env, a);

	if (!u->has_end || seq_le(c->snd_una, u->end))
		return;
	u->has_end = false;
	if (!s || (s->n && seq_lt(s->v[0].lo, u->mark)))
		tcp_undo_forget(env, a);
	else if (a->ca == TCP_CA_OPEN)
		tcp_undo_exit(c, a);
}

static void take_back(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a)
{
	for (unsigned i = 0; a->sent.lost && i < a->sent.n; i++) /* who still thinks so must show it anew */
		tcp_ranges_mark(env->arena, &a->sent, (uint16_t)i, 0, TCP_RANGE_LOST);
	c->cwnd = MAX(c->cwnd, a->undo.cwnd);
	c->ssthresh = MAX(c->ssthresh, a->undo.ssthresh);
	tcp_undo_forget(env, a);
	if (a->signal == TCP_SIGNAL_LOSS) /* ECE reduces again */
		a->signal = TCP_SIGNAL_NONE;
	a->ca = TCP_CA_OPEN;
	a->dupacks = 0;
	a->force = a->is_partial = a->has_piece = a->prr.is_on = false;
	tcp_cwnd_event(env, c, a, TCP_CC_UNDO, NULL, tcp_flight(c));
}

bool tcp_undo_ack(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, const struct tcp_ack_ctx *x)
{
	struct tcp_undo *u = &a->undo;

	if (!u->is_on)
		return false;
	if (x->ece) {
		tcp_undo_forget(env, a);
		return false;
	}
	if (x->has_dsack && u->set && !u->is_twice)
		needless(env, a, x->dsack.lo, x->dsack.hi);
	bool is_needless = u->set && set_of(env, a)->n == 0;
	if (u->frto)
		is_needless |= frto_ack(env, c, a, x);
	if (is_needless)
		take_back(env, c, a);
	else
		look_late(env, c, a);
	return is_needless;
}

void tcp_undo_exit(const struct tcp_conn *c, struct tcp_active *a)
{
	struct tcp_undo *u = &a->undo;

	u->frto = TCP_FRTO_NONE;
	if (!u->is_on || u->has_end)
		return;
	u->has_end = true;
	u->mark = c->snd_nxt;
	u->end = c->snd_nxt + MIN(u->cwnd, LATE_MAX);
}
