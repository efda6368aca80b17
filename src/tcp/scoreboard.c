/* tcp/scoreboard.c - what the peer says it has. See the header. */
#include "tcp/scoreboard.h"

#include "tcp/rack.h"
#include "tcp/undo.h"

void tcp_mark_lost(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, uint16_t i, enum why why)
{
	struct tcp_range *r = &tcp_ranges_at(env->arena, &a->sent)[i];

	r->why = (uint8_t)why;
	r->lost_us = tcp_rate_us(env->now);
	tcp_ranges_mark(env->arena, &a->sent, i, TCP_RANGE_LOST, TCP_RANGE_AGAIN);
	if (env->trace)
		tcp_trace(env, c, TRACE_TCP_LOST, why, r->seq, r->end, 0, 0);
}

void tcp_mark_first(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, enum why why)
{
	if (!a->sent.n)
		return;
	const struct tcp_range *r = tcp_ranges_at(env->arena, &a->sent);
	if (r->flags & (TCP_RANGE_LOST | TCP_RANGE_QUEUED | TCP_RANGE_SACKED))
		return;
	if (r->end - r->seq > c->mss)
		tcp_ranges_split(env->arena, &a->sent, 0, r->seq + c->mss);
	tcp_mark_lost(env, c, a, 0, why);
}

/* [seq, ...) came after bytes up to `high` had: remember by how many segments. */
static void note_late(struct tcp_conn *c, uint32_t seq, uint32_t high)
{
	uint32_t segs = (high - seq + c->mss - 1) / c->mss;

	c->reordering = (uint8_t)MIN(MAX(segs, c->reordering), TCP_REORDERING_MAX);
	tcp_kept(c)->reordering_seen = 1;
}

/* [lo, hi) has arrived, so this ACK says. */
static void arrived(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, struct tcp_ack_ctx *x, uint32_t lo, uint32_t hi)
{
	const struct tcp_range *v = tcp_ranges_at(env->arena, &a->sent);

	for (unsigned i = tcp_ranges_find(env->arena, &a->sent, lo); i < a->sent.n && seq_lt(v[i].seq, hi); i++) {
		if (v[i].flags & TCP_RANGE_SACKED)
			continue;
		uint32_t seq = seq_lt(v[i].seq, lo) ? lo : v[i].seq, end = seq_lt(hi, v[i].end) ? hi : v[i].end;
		if (!(v[i].flags & TCP_RANGE_EVER) && seq_lt(end, x->high)) {
			note_late(c, seq, x->high);
			x->is_late = true;
		}
		x->is_beyond |= a->undo.frto && seq_lt(a->undo.point, end);
		x->is_once |= a->undo.frto && !(v[i].flags & TCP_RANGE_EVER) && seq_le(end, a->undo.point);
		if (c->rack)
			tcp_rack_arrived(c, a, x, &v[i], end);
	}
}

void tcp_scoreboard_acked(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, struct tcp_ack_ctx *x, uint32_t ack)
{
	const struct tcp_range *v = tcp_ranges_at(env->arena, &a->sent);
	unsigned i = a->sent.n;

	x->high = c->snd_una;
	if (a->sent.sacked) {
		while (i > 0 && !(v[i - 1].flags & TCP_RANGE_SACKED))
			i--;
		x->high = v[i - 1].end;
	}
	if (ack == c->snd_una)
		return;
	/* Late and sent again, but not lost: where repetitions are quick, nothing else would ever show that the path reorders. */
	if (tcp_undo_front(env, c, a, x) && seq_lt(c->snd_una, x->high))
		note_late(c, c->snd_una, x->high);
	arrived(env, c, a, x, c->snd_una, ack);
}

/* Is the first block a report of a duplicate (RFC 2883 §4)? Nothing older than a window is credible. */
static bool is_dsack(const struct tcp_conn *c, const struct tcp_hdr *h)
{
	struct iv b = h->sack[0];

	if (!c->segs_retrans || !seq_lt(b.lo, b.hi) || seq_lt(b.lo, h->ack - MAX(c->snd_wnd_max, 65535u)))
		return false;
	bool is_inside = h->n_sack > 1 && seq_le(h->sack[1].lo, b.lo) && seq_le(b.hi, h->sack[1].hi) && seq_le(b.hi, c->snd_nxt);
	return seq_le(b.hi, h->ack) || is_inside;
}

void tcp_scoreboard_sack(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, struct tcp_ack_ctx *x)
{
	const struct tcp_hdr *h = &x->s->h;

	if (!c->sack_ok) /* CC-009 */
		return;
	if (h->n_sack && is_dsack(c, h)) {
		x->has_dsack = true;
		x->dsack = h->sack[0];
	}
	for (unsigned i = 0; i < h->n_sack; i++) {
		struct iv b = h->sack[i];
		/* Reversed, below what is acknowledged (a D-SACK is), beyond what was sent: no effect (CC-011). */
		if (!seq_lt(b.lo, b.hi) || seq_lt(b.lo, c->snd_una) || seq_lt(b.lo, h->ack) || seq_lt(c->snd_nxt, b.hi))
			continue;
		arrived(env, c, a, x, b.lo, b.hi);
		x->sacked += tcp_ranges_sack(env->arena, &a->sent, b.lo, b.hi);
	}
}

uint32_t tcp_segs_sacked(const struct tcp_conn *c, const struct tcp_active *a)
{
	return MAX((a->sent.sacked + c->mss - 1) / c->mss, a->dupacks);
}

uint32_t tcp_dup_thresh(const struct tcp_conn *c)
{
	uint32_t half = tcp_flight(c) / c->mss / 2;

	return MIN(c->reordering, MAX(half, TCP_DUP_THRESH));
}

bool tcp_scoreboard_mark(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, bool *again)
{
	uint32_t thresh = tcp_dup_thresh(c), need = (thresh - 1) * c->mss, above = 0, blocks = 0, edge = c->snd_una;
	bool enough = false, found = false;

	for (unsigned i = a->sent.n; i-- > 0;) {
		const struct tcp_range *r = &tcp_ranges_at(env->arena, &a->sent)[i];
		if (r->flags & TCP_RANGE_SACKED) {
			uint32_t len = r->end - r->seq;
			if (!enough && (above + len > need || ++blocks >= thresh)) {
				enough = true; /* that much was SACKed at or above `edge` */
				edge = above + len > need ? r->end - (need - above) - 1 : r->seq;
			}
			above += len;
			continue;
		}
		if (!enough || r->flags & (TCP_RANGE_LOST | TCP_RANGE_QUEUED))
			continue;
		if (r->flags & TCP_RANGE_AGAIN) {
			if (seq_lt(edge, r->mark))
				continue;
			*again |= seq_le(a->reduced_at, r->mark);
		}
		tcp_mark_lost(env, c, a, (uint16_t)i, WHY_RETRANS_SACK);
		found = true;
	}
	return found;
}
