/* tcp/hystart.c - HyStart++. See the header. Names and constants are RFC 9406's. */
#include "tcp/hystart.h"

#include "base/ivset.h"

#define MIN_RTT_THRESH 4000u  /* us */
#define MAX_RTT_THRESH 16000u /* us */
#define MIN_RTT_DIVISOR 8u
#define N_RTT_SAMPLE 8u
#define CSS_GROWTH_DIVISOR 4u
#define CSS_ROUNDS 5u
#define L 10u                 /* SMSS per ACK for a sender that does not pace */

/* §4.2: min(N, L SMSS) an ACK; L is infinite for who paces. */
static uint32_t growth(const struct tcp_cc_sample *s)
{
	return s->is_paced ? s->acked : MIN(s->acked, L * s->mss);
}

static void round_begin(struct tcp_hystart *h, uint32_t snd_nxt)
{
	h->window_end = snd_nxt;
	h->last_min_us = h->cur_min_us;
	h->cur_min_us = 0;
	h->n_samples = 0;
	h->in_round = true;
}

/* Has the delay risen (slow start), or fallen back (CSS)? */
static void judge(struct tcp_hystart *h)
{
	if (h->n_samples < N_RTT_SAMPLE)
		return;
	if (h->baseline_us) {
		if (h->cur_min_us < h->baseline_us)
			h->baseline_us = 0; /* the rise was not lasting: back to slow start */
		return;
	}
	uint32_t thresh = MAX(MIN_RTT_THRESH, MIN(h->last_min_us / MIN_RTT_DIVISOR, MAX_RTT_THRESH));
	if (h->last_min_us && h->cur_min_us >= h->last_min_us + thresh) {
		h->baseline_us = h->cur_min_us;
		h->css_rounds = 0;
	}
}

void tcp_hystart_ack(struct tcp_hystart *h, const struct tcp_cc_sample *s, struct tcp_cc_out *io)
{
	if (s->is_limited && io->cwnd < TCP_CWND_MAX)
		io->cwnd += growth(s) / (h->baseline_us ? CSS_GROWTH_DIVISOR : 1);
	if (!h->in_round)
		round_begin(h, s->snd_nxt);
	if (s->rtt_us) {
		h->cur_min_us = h->cur_min_us ? MIN(h->cur_min_us, s->rtt_us) : s->rtt_us;
		h->n_samples += h->n_samples < N_RTT_SAMPLE;
		judge(h);
	}
	if (seq_lt(s->snd_una, h->window_end))
		return;
	/* The round that entered CSS counts, however little of it was left. */
	if (h->baseline_us && ++h->css_rounds >= CSS_ROUNDS)
		io->ssthresh = io->cwnd;
	round_begin(h, s->snd_nxt);
}
