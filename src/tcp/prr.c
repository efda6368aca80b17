/* tcp/prr.c - proportional rate reduction. See the header; the variables are RFC 9937's. */
#include "tcp/prr.h"

#include "tcp/cwnd.h"

void tcp_prr_begin(const struct tcp_env *env, const struct tcp_conn *c, struct tcp_active *a, uint32_t flight, uint32_t sacked)
{
	bool is_own = tcp_cwnd_algo(env, c)->has_model;

	a->prr = (struct tcp_prr){.is_on = c->sack_ok && !is_own, .recover_fs = MAX(flight - MIN(flight, sacked), c->mss)};
}

void tcp_prr_ack(struct tcp_conn *c, struct tcp_active *a, uint32_t delivered, bool is_safe)
{
	struct tcp_prr *p = &a->prr;
	uint32_t pipe = tcp_pipe(c, a), sndcnt;

	if (!p->is_on || (!delivered && p->out))
		return;
	p->delivered += delivered;
	if (pipe > c->ssthresh) {
		uint64_t may = ((uint64_t)p->delivered * c->ssthresh + p->recover_fs - 1) / p->recover_fs;
		sndcnt = may > p->out ? (uint32_t)MIN(may - p->out, UINT32_MAX / 2) : 0;
	} else {
		sndcnt = MAX(p->delivered > p->out ? p->delivered - p->out : 0, delivered) + (is_safe ? c->mss : 0);
		sndcnt = MIN(c->ssthresh - pipe, sndcnt);
	}
	if (!p->out && !sndcnt) /* the fast retransmit always leaves */
		sndcnt = c->mss;
	c->cwnd = MAX(pipe + sndcnt, c->mss);
}

void tcp_prr_end(struct tcp_conn *c, struct tcp_active *a)
{
	if (a->prr.is_on)
		c->cwnd = MAX(c->ssthresh, c->mss);
	a->prr.is_on = false;
}
