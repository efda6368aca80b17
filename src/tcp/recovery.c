/* tcp/recovery.c - loss detection and recovery. See the header. */
#include "tcp/recovery.h"

#include "tcp/cwnd.h"
#include "tcp/ecn.h"
#include "tcp/pmtu.h"
#include "tcp/rtt.h"

uint32_t tcp_pipe(const struct tcp_conn *c, const struct tcp_active *a)
{
	uint64_t gone = (uint64_t)a->sent.sacked + a->sent.lost;

	if (!c->sack_ok)
		gone += (uint64_t)a->dupacks * a->dup_size;
	return gone < tcp_flight(c) ? tcp_flight(c) - (uint32_t)gone : 0;
}

static void mark_lost(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, uint16_t i, enum why why)
{
	tcp_ranges_mark(env->arena, &a->sent, i, TCP_RANGE_LOST, TCP_RANGE_AGAIN);
	if (env->trace) {
		const struct tcp_range *r = &tcp_ranges_at(env->arena, &a->sent)[i];
		tcp_trace(env, c, TRACE_TCP_LOST, why, r->seq, r->end, 0, 0);
	}
}

/* The first segment at SND.UNA is lost (fast retransmit, partial ACK). */
static void mark_first(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, enum why why)
{
	if (!a->sent.n)
		return;
	const struct tcp_range *r = tcp_ranges_at(env->arena, &a->sent);
	if (r->flags & (TCP_RANGE_LOST | TCP_RANGE_QUEUED | TCP_RANGE_SACKED))
		return;
	if (r->end - r->seq > c->mss)
		tcp_ranges_split(env->arena, &a->sent, 0, r->seq + c->mss);
	mark_lost(env, c, a, 0, why);
}

/* --- the scoreboard --- */

/* [seq, ...) came after bytes up to `high` had: remember by how many segments. */
static void note_late(struct tcp_conn *c, uint32_t seq, uint32_t high)
{
	uint32_t segs = (high - seq + c->mss - 1) / c->mss;

	c->reordering = (uint8_t)MIN(MAX(segs, c->reordering), TCP_REORDERING_MAX);
}

void tcp_recovery_note_order(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, struct tcp_ack_ctx *x, uint32_t ack)
{
	const struct tcp_range *v = tcp_ranges_at(env->arena, &a->sent);
	unsigned i = a->sent.n;

	x->high = c->snd_una;
	if (!a->sent.sacked)
		return;
	while (i > 0 && !(v[i - 1].flags & TCP_RANGE_SACKED))
		i--;
	x->high = v[i - 1].end;
	for (i = 0; i < a->sent.n && seq_lt(v[i].seq, ack) && seq_lt(v[i].seq, x->high); i++)
		if (!(v[i].flags & (TCP_RANGE_SACKED | TCP_RANGE_EVER))) {
			note_late(c, v[i].seq, x->high);
			return;
		}
}

/* DupThresh: what reordering asks for, but never so much that a window could not show its own loss. */
static uint32_t dup_thresh(const struct tcp_conn *c)
{
	uint32_t half = tcp_flight(c) / c->mss / 2;

	return MIN(c->reordering, MAX(half, TCP_DUP_THRESH));
}

void tcp_recovery_sack(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, struct tcp_ack_ctx *x)
{
	const struct tcp_hdr *h = &x->s->h;

	if (!c->sack_ok) /* CC-009 */
		return;
	for (unsigned i = 0; i < h->n_sack; i++) {
		struct iv b = h->sack[i];
		/* Reversed, below what is acknowledged (a D-SACK is), beyond what was sent: no effect (CC-011). */
		if (!seq_lt(b.lo, b.hi) || seq_lt(b.lo, c->snd_una) || seq_lt(b.lo, h->ack) || seq_lt(c->snd_nxt, b.hi))
			continue;
		const struct tcp_range *r = tcp_ranges_at(env->arena, &a->sent) + tcp_ranges_find(env->arena, &a->sent, b.lo);
		if (!(r->flags & (TCP_RANGE_SACKED | TCP_RANGE_EVER)) && seq_lt(b.hi, x->high))
			note_late(c, b.lo, x->high);
		x->sacked += tcp_ranges_sack(env->arena, &a->sent, b.lo, b.hi);
	}
}

/* IsLost() of RFC 6675 §4 for all ranges, in one walk from the top. Returns whether something was newly marked; *again
 * whether a retransmission was among it that left after the last window reduction. */
static bool mark_by_sack(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, bool *again)
{
	uint32_t thresh = dup_thresh(c), need = (thresh - 1) * c->mss, above = 0, blocks = 0, edge = c->snd_una;
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
		mark_lost(env, c, a, (uint16_t)i, WHY_RETRANS_SACK);
		found = true;
	}
	return found;
}

/* --- recovery --- */

static void reduce(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, uint32_t flight)
{
	tcp_cwnd_event(env, c, a, TCP_CC_LOSS, NULL, flight);
	a->reduced_at = c->snd_nxt;
	tcp_ecn_reduced(c, a);
}

static void recovery_enter(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, const struct tcp_ack_ctx *x)
{
	a->ca = TCP_CA_RECOVERY;
	a->recover = c->snd_nxt;
	a->has_recover = true;
	a->force = true;
	a->is_partial = false;
	/* FlightSize without what limited transmit added (RFC 5681 §3.2 step 2) */
	a->is_mtu = tcp_pmtu_only_probe_lost(env, c, a);
	if (!a->is_mtu && !tcp_ecn_has_reduced(c, a))
		reduce(env, c, a, a->dupacks ? MIN(a->dup_flight, x->flight_before) : x->flight_before);
	mark_first(env, c, a, WHY_RETRANS_FAST);
}

/* Segments in flight, as they were cut. */
static uint32_t segments(const struct tcp_env *env, const struct tcp_conn *c, struct tcp_active *a)
{
	const struct tcp_range *v = tcp_ranges_at(env->arena, &a->sent);
	uint32_t n = 0;

	for (unsigned i = 0; i < a->sent.n; i++)
		n += (v[i].end - v[i].seq + c->mss - 1) / c->mss;
	return n;
}

/* Duplicates, counted; true when they call for fast retransmit. */
static bool count_dup(const struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, const struct tcp_ack_ctx *x)
{
	if (!x->is_dup || (a->ca == TCP_CA_LOSS && !c->sack_ok)) /* after a time-out they tell of our own repetitions */
		return false;
	uint32_t segs = c->sack_ok ? 0 : segments(env, c, a);
	if (a->dupacks == 0) {
		a->dup_flight = x->flight_before;
		a->dup_segs = (uint16_t)MIN(segs, UINT16_MAX);
		a->dup_size = (uint16_t)(segs ? MAX(tcp_flight(c) / segs, 1u) : 0);
	}
	if (a->dupacks < UINT16_MAX)
		a->dupacks++;
	/* No more segments can have left the network than were out when it began (RFC 5681 §3.2 step 4, CC-008). */
	if (!c->sack_ok)
		a->dupacks = (uint16_t)MIN(a->dupacks, MIN(a->dup_segs, segs));
	return a->dupacks >= (c->sack_ok ? dup_thresh(c) : TCP_DUP_THRESH);
}

/* RFC 6582 §3.2 step 3, partial ACK: the next hole is lost too. */
static void partial_ack(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, const struct tcp_ack_ctx *x)
{
	if (c->sack_ok)
		return;
	uint32_t segs = (x->acked + c->mss - 1) / c->mss;
	a->dupacks = (uint16_t)(a->dupacks > segs - 1 ? a->dupacks - (segs - 1) : 0);
	if (a->ca == TCP_CA_RECOVERY) {
		a->is_partial = true;
		mark_first(env, c, a, WHY_RETRANS_PARTIAL);
		a->force = true;
	}
}

static void recovery_exit(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a)
{
	if (a->ca == TCP_CA_RECOVERY && !a->is_mtu)
		tcp_cwnd_event(env, c, a, TCP_CC_EXIT, NULL, tcp_flight(c));
	a->ca = TCP_CA_OPEN;
	a->is_mtu = false;
	a->dupacks = 0;
	a->force = false;
}

/* Marks that SND.UNA has passed follow it: after 2^31 bytes they would seem to lie ahead. */
static void marks_follow(const struct tcp_conn *c, struct tcp_active *a)
{
	if (seq_lt(a->limited_at, c->snd_una))
		a->limited_at = c->snd_una - 1;
	if (seq_lt(a->reduced_at, c->snd_una))
		a->reduced_at = c->snd_una;
	if (seq_lt(a->snd_sml, c->snd_una))
		a->snd_sml = c->snd_una;
	if (a->ca == TCP_CA_OPEN && seq_lt(a->recover, c->snd_una))
		a->has_recover = false;
	if (seq_lt(a->signal_high, c->snd_una))
		a->signal = TCP_SIGNAL_NONE;
}

void tcp_recovery_ack(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, const struct tcp_ack_ctx *x)
{
	bool again = false, was_recovery = a->ca == TCP_CA_RECOVERY;
	bool dups = count_dup(env, c, a, x);
	bool lost = c->sack_ok && (x->sacked || (x->acked && a->sent.sacked)) && mark_by_sack(env, c, a, &again);

	if (a->ca != TCP_CA_OPEN && seq_le(a->recover, c->snd_una))
		recovery_exit(env, c, a);
	switch ((enum tcp_ca)a->ca) {
	case TCP_CA_OPEN:
		/* After a time-out, duplicates of old data do not begin recovery again (RFC 6582 §3.2 step 2, §4). */
		if (lost || a->sent.lost || (dups && (c->sack_ok || !a->has_recover || seq_lt(a->recover, c->snd_una))))
			recovery_enter(env, c, a, x);
		break;
	case TCP_CA_RECOVERY:
		if (again) {
			reduce(env, c, a, x->pipe_before);
			a->is_mtu = false;
		}
		if (x->acked)
			partial_ack(env, c, a, x);
		return; /* no growth in recovery */
	case TCP_CA_LOSS:
		if (again) { /* the repetition was lost too (RFC 8961 §4) */
			uint32_t cwnd = c->cwnd;
			reduce(env, c, a, x->pipe_before);
			c->cwnd = MIN(c->cwnd, cwnd);
		}
		if (x->acked)
			partial_ack(env, c, a, x);
		break;
	}
	if (x->acked) {
		if (!was_recovery && !x->ece) /* what it acknowledges was sent before the reduction: cwnd is as recovery left it (RFC 6582 §3.2) */
			tcp_cwnd_event(env, c, a, TCP_CC_ACK, x, x->flight_before);
		if (a->ca == TCP_CA_OPEN)
			a->dupacks = 0;
		marks_follow(c, a);
	}
	if (a->ca == TCP_CA_OPEN)
		tcp_ecn_ack(env, c, a, x);
}

void tcp_recovery_rto(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a)
{
	const struct tcp_range *v = tcp_ranges_at(env->arena, &a->sent);
	bool reneged = a->sent.n && v[0].flags & TCP_RANGE_SACKED;

	for (unsigned i = 0; i < a->sent.n; i++) {
		if (reneged && v[i].flags & TCP_RANGE_SACKED) /* RFC 2018 §8: forget all the peer said */
			tcp_ranges_mark(env->arena, &a->sent, (uint16_t)i, 0, TCP_RANGE_SACKED);
		if (!(v[i].flags & (TCP_RANGE_SACKED | TCP_RANGE_QUEUED)))
			tcp_ranges_mark(env->arena, &a->sent, (uint16_t)i, TCP_RANGE_LOST, TCP_RANGE_AGAIN);
	}
	tcp_cwnd_event(env, c, a, a->retries || tcp_ecn_has_reduced(c, a) ? TCP_CC_RTO_AGAIN : TCP_CC_RTO, NULL, tcp_flight(c));
	tcp_ecn_reduced(c, a);
	a->ece_waits = false;
	a->ca = TCP_CA_LOSS;
	a->is_mtu = false;
	a->rto_ts = tcp_ts_now(env, c->ts_offset);
	a->recover = a->reduced_at = c->snd_nxt;
	a->has_recover = true;
	a->dupacks = 0;
	a->has_piece = false;
	a->force = true;
	c->reordering = TCP_DUP_THRESH; /* so long a silence says it was over-estimated (as Linux) */
}

void tcp_recovery_mtu(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, uint32_t lo, uint32_t hi)
{
	for (unsigned i = 0; i < a->sent.n; i++) {
		const struct tcp_range *r = &tcp_ranges_at(env->arena, &a->sent)[i];
		bool is_meant = seq_le(lo, r->seq) && seq_le(r->end, hi) && r->end - r->seq > c->mss;
		if (is_meant && !(r->flags & (TCP_RANGE_SACKED | TCP_RANGE_QUEUED | TCP_RANGE_LOST)))
			mark_lost(env, c, a, (uint16_t)i, WHY_RETRANS_MTU);
	}
	if (a->ca == TCP_CA_OPEN && a->sent.lost) { /* no congestion: cwnd stays (RFC 1191 §6.5) */
		a->ca = TCP_CA_RECOVERY;
		a->is_mtu = true;
		a->recover = c->snd_nxt;
		a->has_recover = true;
	}
	a->has_piece = false;
	a->force = true;
}

void tcp_recovery_idle(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a)
{
	tcp_cwnd_event(env, c, a, TCP_CC_IDLE, NULL, 0);
}
