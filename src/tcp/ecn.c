/* tcp/ecn.c - explicit congestion notification. See the header. */
#include "tcp/ecn.h"

#include "tcp/ack.h"
#include "tcp/cwnd.h"
#include "tcp/timers.h"
#include "tcp/undo.h"

#define SYN_ASKS (TCP_ECE | TCP_CWR)

/* --- agreeing (§6.1.1) --- */

uint8_t tcp_ecn_syn_flags(const struct tcp_env *env, struct tcp_conn *c, bool first)
{
	if (c->state != TCP_SYN_SENT)
		return c->ecn == TCP_ECN_OFF ? 0 : TCP_ECE;
	if (!first || env->ecn != TCP_ECN_SET_ASK)
		return 0;
	c->ecn = TCP_ECN_ASKED;
	return SYN_ASKS;
}

void tcp_ecn_learn(struct tcp_conn *c, const struct tcp_seg *s, bool was_repeated)
{
	uint8_t said = s->h.flags & SYN_ASKS, wanted = s->h.flags & TCP_ACK ? TCP_ECE : SYN_ASKS;

	c->ecn = c->ecn != TCP_ECN_ASKED || said != wanted ? TCP_ECN_OFF : was_repeated ? TCP_ECN_ECHO : TCP_ECN_FULL;
}

bool tcp_ecn_accepts(const struct tcp_env *env, const struct tcp_seg *s)
{
	return env->ecn != TCP_ECN_SET_OFF && (s->h.flags & SYN_ASKS) == SYN_ASKS && s->p->m.ecn == IP_ECN_NOT_ECT;
}

/* --- receiving (§6.1.3) --- */

void tcp_ecn_data(struct tcp_conn *c, const struct tcp_seg *s)
{
	if (c->ecn < TCP_ECN_ECHO || !s->len)
		return;
	if (s->h.flags & TCP_CWR) { /* what was reduced to may be very little: the sender waits for this ACK (as Linux) */
		c->ece = 0;
		tcp_ack_now(c, WHY_ACK_ECN);
	}
	c->ecn_seen |= s->p->m.ecn != IP_ECN_NOT_ECT;
	if (s->p->m.ecn == IP_ECN_CE && !c->ece) {
		c->ece = 1;
		tcp_ack_now(c, WHY_ACK_ECN);
	}
}

/* --- sending (§6.1.2) --- */

void tcp_ecn_new_data(struct tcp_conn *c, struct pkt *p)
{
	if (c->ecn != TCP_ECN_FULL)
		return;
	p->m.ecn = IP_ECN_ECT0;
	if (c->cwr) /* the checksum is still to be made; of a superframe's cuts the first one says it (net/gso.c) */
		pkt_data(p)[13] |= TCP_CWR;
	c->cwr = 0;
}

static void note(struct tcp_conn *c, struct tcp_active *a, enum tcp_signal why)
{
	a->signal = (uint8_t)why;
	a->signal_high = c->snd_nxt;
	c->cwr = c->ecn == TCP_ECN_FULL;
}

void tcp_ecn_reduced(struct tcp_conn *c, struct tcp_active *a)
{
	note(c, a, TCP_SIGNAL_LOSS);
}

void tcp_ecn_ack(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a, const struct tcp_ack_ctx *x)
{
	if (!x->ece)
		return;
	/* Once per window of data; data beyond it must be acknowledged first, or CWR has not reached the peer (as Linux). */
	if (a->signal && seq_le(c->snd_una, a->signal_high))
		return;
	uint32_t cwnd = c->cwnd;
	tcp_undo_forget(env, a);
	tcp_cwnd_event(env, c, a, TCP_CC_ECN, NULL, x->flight_before);
	c->cwnd = MIN(c->cwnd, cwnd);
	a->reduced_at = c->snd_nxt;
	note(c, a, TCP_SIGNAL_ECE);
	if (cwnd <= c->mss) {
		a->ece_waits = true;
		tcp_timers_rtx(env, c, true);
	}
}
