/* tcp/tlp.c - tail loss probe. See the header. */
#include "tcp/tlp.h"

#include "tcp/output.h"

bool tcp_tlp_may_arm(const struct tcp_env *env, struct tcp_conn *c, const struct tcp_active *a)
{
	return c->rack && !env->no_tlp && c->was_open && a->ca == TCP_CA_OPEN && !a->sent.sacked && !a->sent.lost && !a->tlp.is_out &&
	       !tcp_kept(c)->tlp_spent && c->snd_wnd;
}

int64_t tcp_tlp_deadline(const struct tcp_conn *c, const struct tcp_active *a)
{
	int64_t pto = NS_PER_S;

	if (c->srtt_us) {
		bool is_one = a->sent.n == 1 && tcp_flight(c) <= c->mss + c->fin_sent;
		pto = 2 * c->srtt_us * NS_PER_US + (is_one ? TCP_TLP_MAX_ACK_DELAY_NS : TCP_TLP_MIN_NS);
	}
	return MIN(a->tlp.from + pto, a->rto_at);
}

void tcp_tlp_send(struct tcp_env *env, struct tcp_conn *c, struct tcp_active *a)
{
	uint32_t flight = tcp_flight(c);
	bool is_retrans;

	if (!tcp_output_loss_probe(env, c, &is_retrans))
		return;
	a->tlp = (struct tcp_tlp){.from = env->now, .end_seq = c->snd_nxt, .flight = flight, .is_out = true, .is_retrans = is_retrans};
	tcp_kept(c)->tlp_spent = 1;
}

/* The receiver had the bytes up to the probe's end already. FIN has no byte to report. */
bool tcp_tlp_is_dsack(const struct tcp_conn *c, const struct tcp_active *a, const struct tcp_ack_ctx *x)
{
	return a->tlp.is_out && a->tlp.is_retrans && x->has_dsack &&
	       (x->dsack.hi == a->tlp.end_seq || (c->fin_sent && x->dsack.hi == a->tlp.end_seq - 1));
}

bool tcp_tlp_ack(const struct tcp_conn *c, struct tcp_active *a, const struct tcp_ack_ctx *x)
{
	const struct tcp_seg *s = x->s;
	bool is_plain_dup = !x->acked && !s->h.n_sack && !tcp_seg_len(&s->h, s->len) && !x->wnd_moved;

	if (!a->tlp.is_out || seq_lt(s->h.ack, a->tlp.end_seq))
		return false;
	if (!a->tlp.is_retrans || tcp_tlp_is_dsack(c, a, x) || (s->h.ack == a->tlp.end_seq && is_plain_dup)) {
		a->tlp.is_out = false;
		return false;
	}
	if (s->h.ack == a->tlp.end_seq) /* both copies, or one: not known yet */
		return false;
	a->tlp.is_out = false;
	return true;
}
