/* tcp/rack.c - loss by time. See the header. Step numbers and variables are RFC 8985 §6.2's. */
#include "tcp/rack.h"

#include "tcp/scoreboard.h"

static bool sent_after(int64_t t1, uint32_t seq1, int64_t t2, uint32_t seq2)
{
	return t1 > t2 || (t1 == t2 && seq_lt(seq2, seq1));
}

/* Did what has arrived leave after r? At the same instant repetitions leave in the order of their numbers; new data has higher ones
 * whether it left before a repetition or after, so there SND.NXT of the repetition decides. */
static bool is_behind(const struct tcp_rack *k, const struct tcp_range *r)
{
	return sent_after(k->xmit_ts, k->end_seq, r->sent_at, r->flags & TCP_RANGE_AGAIN && !k->is_again ? r->mark : r->end);
}

/* Steps 1 and 2. */
void tcp_rack_arrived(const struct tcp_conn *c, struct tcp_active *a, const struct tcp_ack_ctx *x, const struct tcp_range *r, uint32_t end)
{
	const struct tcp_hdr *h = &x->s->h;
	int64_t rtt = x->s->rx_ns - r->sent_at;

	if (r->flags & TCP_RANGE_QUEUED) /* the second copy has not left: the first one came */
		return;
	if (r->flags & TCP_RANGE_EVER) {
		if (c->ts_ok && h->has_ts && h->tsecr && seq_lt(h->tsecr, r->ts))
			return;
		if (rtt < c->min_rtt_us * NS_PER_US)
			return;
	}
	a->rack.rtt = MAX(rtt, 0);
	if (!a->rack.has || sent_after(r->sent_at, end, a->rack.xmit_ts, a->rack.end_seq)) {
		a->rack.has = true;
		a->rack.xmit_ts = r->sent_at;
		a->rack.end_seq = end;
		a->rack.is_again = r->flags & TCP_RANGE_EVER;
	}
}

void tcp_rack_dsack(struct tcp_conn *c, struct tcp_active *a)
{
	struct tcp_kept *k = tcp_kept(c);

	if (a->rack.has_round && seq_le(a->rack.dsack_round, c->snd_una))
		a->rack.has_round = false;
	if (a->rack.has_round)
		return;
	a->rack.has_round = true;
	a->rack.dsack_round = c->snd_nxt;
	k->reo_wnd_more += k->reo_wnd_more < UINT8_MAX;
	k->reo_wnd_persist = TCP_RACK_PERSIST;
}

void tcp_rack_exit(struct tcp_conn *c)
{
	struct tcp_kept *k = tcp_kept(c);

	if (k->reo_wnd_persist)
		k->reo_wnd_persist--;
	if (!k->reo_wnd_persist)
		k->reo_wnd_more = 0;
}

/* Step 4, RACK.reo_wnd, ns. */
static int64_t reo_wnd(struct tcp_conn *c, const struct tcp_active *a)
{
	const struct tcp_kept *k = tcp_kept(c);

	if (!k->reordering_seen && (a->ca != TCP_CA_OPEN || tcp_segs_sacked(c, a) >= TCP_DUP_THRESH))
		return 0;
	return (int64_t)MIN((uint64_t)c->min_rtt_us * (k->reo_wnd_more + 1u) / 4, c->srtt_us) * NS_PER_US;
}

/* Step 5. */
bool tcp_rack_detect(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, int64_t at, bool *again)
{
	int64_t wnd = reo_wnd(c, a), timeout = 0;
	bool found = false;

	for (unsigned i = 0; a->rack.has && i < a->sent.n; i++) {
		const struct tcp_range *r = &tcp_ranges_at(env->arena, &a->sent)[i];
		if (!is_behind(&a->rack, r)) {
			if (!a->sent.ever) /* then ranges are in the order of their times */
				break;
			continue;
		}
		if (r->flags & (TCP_RANGE_SACKED | TCP_RANGE_LOST | TCP_RANGE_QUEUED))
			continue;
		int64_t remaining = r->sent_at + a->rack.rtt + wnd - at;
		if (remaining > 0) {
			timeout = MAX(timeout, remaining);
			continue;
		}
		*again |= r->flags & TCP_RANGE_AGAIN && seq_le(a->reduced_at, r->mark);
		tcp_mark_lost(env, c, a, (uint16_t)i, WHY_RETRANS_RACK);
		found = true;
	}
	a->rack.reo_at = timeout ? env->now + timeout : 0;
	return found;
}

bool tcp_rack_is_overdue(struct tcp_env *env, struct tcp_conn *c, const struct tcp_active *a, int64_t sent_at)
{
	int64_t rtt = a->rack.has ? a->rack.rtt : c->srtt_us * NS_PER_US; /* nothing has come since the connection was idle */

	return sent_at + rtt + reo_wnd(c, a) - env->now <= 0;
}
