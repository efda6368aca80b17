/* tcp/recovery.c - loss detection and recovery. See the header. */
#include "tcp/recovery.h"

#include "tcp/cwnd.h"
#include "tcp/ecn.h"
#include "tcp/pmtu.h"
#include "tcp/prr.h"
#include "tcp/rack.h"
#include "tcp/rtt.h"
#include "tcp/scoreboard.h"
#include "tcp/tlp.h"
#include "tcp/undo.h"

uint32_t tcp_pipe(const struct tcp_conn *c, const struct tcp_active *a)
{
	uint64_t gone = (uint64_t)a->sent.sacked + a->sent.lost;

	if (!c->sack_ok)
		gone += (uint64_t)a->dupacks * a->dup_size;
	return gone < tcp_flight(c) ? tcp_flight(c) - (uint32_t)gone : 0;
}

/* --- recovery --- */

static void reduce(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, uint32_t flight)
{
	tcp_cwnd_event(env, c, a, TCP_CC_LOSS, NULL, flight);
	a->reduced_at = c->snd_nxt;
	a->tlp.is_out = false; /* the reduction it might ask for is this one */
	tcp_ecn_reduced(c, a);
}

/* x: the ACK that told, or NULL for a timer. */
static void prr_begin(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, const struct tcp_ack_ctx *x)
{
	uint32_t flight = x ? x->flight_before : tcp_flight(c), news = x ? x->sacked : 0;

	tcp_prr_begin(env, c, a, flight, a->sent.sacked - MIN(a->sent.sacked, news));
}

/* A repetition was lost too: a second sign of congestion (RFC 5681 §4.3, RFC 8961 §4). */
static void reduce_again(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, const struct tcp_ack_ctx *x, uint32_t pipe)
{
	uint32_t cwnd = c->cwnd;

	reduce(env, c, a, pipe);
	a->force = true;
	if (a->ca == TCP_CA_LOSS)
		c->cwnd = MIN(c->cwnd, cwnd);
	else
		prr_begin(env, c, a, x); /* what left after the first reduction counts not against this one */
}

/* A probe repaired a loss: nothing that comes later shows that it did not. */
static void reduce_for_probe(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, uint32_t flight)
{
	tcp_undo_forget(env, a);
	reduce(env, c, a, flight);
}

/* x: the ACK that told, or NULL for a timer. */
static void recovery_enter(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, const struct tcp_ack_ctx *x)
{
	uint32_t flight = x ? x->flight_before : tcp_flight(c);

	a->is_mtu = tcp_pmtu_only_probe_lost(env, c, a);
	a->is_probe_only = a->is_mtu && c->rack;
	bool reduces = !a->is_mtu && !tcp_ecn_has_reduced(c, a);
	if (reduces)
		tcp_undo_begin(env, c, a, false);
	else
		tcp_undo_forget(env, a);
	a->prr.is_on = false;
	a->ca = TCP_CA_RECOVERY;
	a->recover = c->snd_nxt;
	a->has_recover = true;
	a->force = true;
	a->is_partial = false;
	/* FlightSize without what limited transmit added (RFC 5681 §3.2 step 2) */
	if (reduces)
		reduce(env, c, a, a->dupacks ? MIN(a->dup_flight, flight) : flight);
	if (!c->rack)
		tcp_mark_first(env, c, a, c->sack_ok ? WHY_RETRANS_SACK : WHY_RETRANS_FAST);
	if (reduces)
		prr_begin(env, c, a, x);
	if (x)
		tcp_prr_ack(c, a, a->sent.rate.s.newly_acked, false);
}

/* Something more was found lost while a recovery or the repair after a time-out goes on. x as above; pipe: before that. */
static void lost_more(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, bool again, const struct tcp_ack_ctx *x, uint32_t pipe)
{
	if (again) {
		reduce_again(env, c, a, x, pipe);
	} else if (a->is_mtu && a->is_probe_only) {
		if (!tcp_ecn_has_reduced(c, a))
			reduce(env, c, a, x ? x->flight_before : tcp_flight(c));
	} else {
		return;
	}
	a->is_mtu = false;
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
	return !c->rack && a->dupacks >= (c->sack_ok ? tcp_dup_thresh(c) : TCP_DUP_THRESH);
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
		tcp_mark_first(env, c, a, WHY_RETRANS_PARTIAL);
		a->force = true;
	}
}

static void recovery_exit(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a)
{
	if (a->ca == TCP_CA_RECOVERY && !a->is_mtu)
		tcp_cwnd_event(env, c, a, TCP_CC_EXIT, NULL, tcp_flight(c));
	tcp_prr_end(c, a);
	if (c->rack)
		tcp_rack_exit(c);
	tcp_undo_exit(c, a);
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
	if (seq_lt(a->used_at, c->snd_una))
		a->used_at = c->snd_una;
	if (seq_lt(a->reduced_at, c->snd_una))
		a->reduced_at = c->snd_una;
	if (seq_lt(a->snd_sml, c->snd_una))
		a->snd_sml = c->snd_una;
	if (a->ca == TCP_CA_OPEN && seq_lt(a->recover, c->snd_una))
		a->has_recover = false;
	if (seq_le(a->rack.dsack_round, c->snd_una))
		a->rack.has_round = false;
	if (seq_lt(a->signal_high, c->snd_una))
		a->signal = TCP_SIGNAL_NONE;
}

/* What this ACK shows to be lost, by the one way that the connection has (CC-013: never by two). */
static bool detect(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, const struct tcp_ack_ctx *x, bool *again)
{
	if (c->rack)
		return (x->acked || x->sacked || x->has_dsack) && tcp_rack_detect(env, c, a, x->s->rx_ns, again);
	return c->sack_ok && (x->sacked || (x->acked && a->sent.sacked)) && tcp_scoreboard_mark(env, c, a, again);
}

void tcp_recovery_ack(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, const struct tcp_ack_ctx *x)
{
	bool again = false, is_reduced = a->ca == TCP_CA_RECOVERY;
	bool dups = count_dup(env, c, a, x);

	if (c->rack && x->has_dsack && !tcp_tlp_is_dsack(c, a, x)) /* a probe goes by the clock, no window would have held it back */
		tcp_rack_dsack(c, a);
	uint32_t probed = a->tlp.flight;
	bool repaired = tcp_tlp_ack(c, a, x);
	is_reduced |= tcp_undo_ack(env, c, a, x); /* its window is back already */
	if (a->ca != TCP_CA_OPEN && seq_le(a->recover, c->snd_una))
		recovery_exit(env, c, a);
	bool lost = detect(env, c, a, x, &again);
	switch ((enum tcp_ca)a->ca) {
	case TCP_CA_OPEN:
		/* After a time-out, duplicates of old data do not begin recovery again (RFC 6582 §3.2 step 2, §4). */
		if (lost || a->sent.lost || (dups && (c->sack_ok || !a->has_recover || seq_lt(a->recover, c->snd_una))))
			recovery_enter(env, c, a, x);
		else if (repaired)
			reduce_for_probe(env, c, a, probed);
		is_reduced |= repaired || a->ca != TCP_CA_OPEN; /* nothing grows in recovery, nor does CUBIC's epoch begin there */
		break;
	case TCP_CA_RECOVERY:
		if (lost)
			lost_more(env, c, a, again, x, x->pipe_before);
		tcp_prr_ack(c, a, a->sent.rate.s.newly_acked, x->acked && !lost);
		if (x->acked)
			partial_ack(env, c, a, x);
		if (a->is_mtu) /* nothing was reduced yet */
			tcp_ecn_ack(env, c, a, x);
		return; /* no growth in recovery */
	case TCP_CA_LOSS:
		if (lost)
			lost_more(env, c, a, again, x, x->pipe_before);
		if (x->acked)
			partial_ack(env, c, a, x);
		break;
	}
	if (x->acked) {
		if (!is_reduced && !x->ece) /* what it acknowledges was sent before the reduction: cwnd is as that left it (RFC 6582 §3.2) */
			tcp_cwnd_event(env, c, a, TCP_CC_ACK, x, x->flight_before);
		if (a->ca == TCP_CA_OPEN)
			a->dupacks = 0;
		marks_follow(c, a);
	}
	if (a->ca == TCP_CA_OPEN)
		tcp_ecn_ack(env, c, a, x);
}

void tcp_recovery_reorder(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a)
{
	bool again = false;
	uint32_t pipe = tcp_pipe(c, a);

	if (!tcp_rack_detect(env, c, a, env->now, &again))
		return;
	if (a->ca == TCP_CA_OPEN)
		recovery_enter(env, c, a, NULL);
	else
		lost_more(env, c, a, again, NULL, pipe);
	tcp_prr_ack(c, a, 0, false);
}

void tcp_recovery_settle(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a)
{
	if (a->tlp.is_out && a->tlp.is_retrans)
		reduce_for_probe(env, c, a, a->tlp.flight);
	a->tlp.is_out = false;
}

/* A time-out says that all is lost; to RACK, that the first segment is, and what is overdue. Returns whether the peer reneged. */
static bool mark_on_rto(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a)
{
	bool reneged = a->sent.n && tcp_ranges_at(env->arena, &a->sent)->flags & TCP_RANGE_SACKED;

	for (unsigned i = 0; reneged && i < a->sent.n; i++) /* RFC 2018 §8: forget all the peer said */
		tcp_ranges_mark(env->arena, &a->sent, (uint16_t)i, 0, TCP_RANGE_SACKED);
	tcp_mark_first(env, c, a, WHY_RETRANS_RTO);
	for (unsigned i = 0; i < a->sent.n; i++) {
		const struct tcp_range *r = &tcp_ranges_at(env->arena, &a->sent)[i];
		if (r->flags & (TCP_RANGE_SACKED | TCP_RANGE_QUEUED | TCP_RANGE_LOST))
			continue;
		if (!c->rack || reneged || tcp_rack_is_overdue(env, c, a, r->sent_at))
			tcp_mark_lost(env, c, a, (uint16_t)i, WHY_RETRANS_RTO);
	}
	return reneged;
}

void tcp_recovery_rto(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a)
{
	bool reneged = mark_on_rto(env, c, a);

	tcp_undo_begin(env, c, a, true);
	if (reneged) /* what it has and what it gave up look the same */
		tcp_undo_forget(env, a);
	a->tlp.is_out = false;
	tcp_cwnd_event(env, c, a, a->retries || tcp_ecn_has_reduced(c, a) ? TCP_CC_RTO_AGAIN : TCP_CC_RTO, NULL, tcp_flight(c));
	tcp_ecn_reduced(c, a);
	a->ece_waits = false;
	a->ca = TCP_CA_LOSS;
	a->is_mtu = a->prr.is_on = false;
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
		if (!is_meant || r->flags & (TCP_RANGE_SACKED | TCP_RANGE_LOST))
			continue;
		if (r->flags & TCP_RANGE_QUEUED) {
			tcp_ranges_mark(env->arena, &a->sent, (uint16_t)i, TCP_RANGE_TOO_BIG, 0);
			a->has_too_big = true;
		} else {
			tcp_mark_lost(env, c, a, (uint16_t)i, WHY_RETRANS_MTU);
		}
	}
	tcp_recovery_repair(env, c, a);
}

void tcp_recovery_taken(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a)
{
	uint32_t lost = a->sent.lost;

	if (!a->has_too_big)
		return;
	a->has_too_big = false;
	for (unsigned i = 0; i < a->sent.n; i++) {
		uint8_t flags = tcp_ranges_at(env->arena, &a->sent)[i].flags;
		if (flags & TCP_RANGE_TOO_BIG && flags & TCP_RANGE_QUEUED) {
			a->has_too_big = true;
		} else if (flags & TCP_RANGE_TOO_BIG) {
			tcp_ranges_mark(env->arena, &a->sent, (uint16_t)i, 0, TCP_RANGE_TOO_BIG);
			if (!(flags & (TCP_RANGE_SACKED | TCP_RANGE_LOST)))
				tcp_mark_lost(env, c, a, (uint16_t)i, WHY_RETRANS_MTU);
		}
	}
	if (a->sent.lost != lost)
		tcp_recovery_repair(env, c, a);
}

void tcp_recovery_repair(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a)
{
	tcp_undo_forget(env, a);
	if (a->ca == TCP_CA_OPEN && a->sent.lost) {
		a->ca = TCP_CA_RECOVERY;
		a->is_mtu = true;
		a->recover = c->snd_nxt;
		a->has_recover = true;
	}
	a->is_probe_only = false;
	a->has_piece = false;
	a->force = true;
}

void tcp_recovery_idle(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a)
{
	tcp_cwnd_event(env, c, a, TCP_CC_IDLE, NULL, 0);
}
