/* tcp/cc_newreno.c - NewReno's window: slow start, congestion avoidance, halving (RFC 5681 §3, RFC 6582, RFC 6928).
 *
 * Growth counts bytes acknowledged, so dividing ACKs gains nothing (CC-008, RFC 3465), and only while cwnd is what held
 * the sender. What one ACK adds in slow start: tcp_cc_slow_start(). */
#include "tcp/cc.h"

struct newreno {
	uint64_t bytes_acked; /* towards the next SMSS of congestion avoidance (RFC 5681 §3.1) */
};

static void on_ack(struct newreno *nr, const struct tcp_cc_sample *s, struct tcp_cc_out *io)
{
	if (!s->is_limited || io->cwnd >= TCP_CWND_MAX)
		return;
	if (io->cwnd < io->ssthresh) {
		uint32_t by = tcp_cc_slow_start(s);
		io->cwnd += MIN(by, io->ssthresh - io->cwnd); /* beyond ssthresh it is congestion avoidance */
		return;
	}
	nr->bytes_acked += s->acked;
	if (nr->bytes_acked >= io->cwnd) {
		nr->bytes_acked -= io->cwnd;
		io->cwnd += s->mss;
	}
}

static void on(uint64_t *scratch, const struct tcp_cc_sample *s, struct tcp_cc_out *io)
{
	struct newreno *nr = (struct newreno *)(void *)scratch;
	uint32_t half = MAX(s->flight / 2, 2 * s->mss); /* RFC 5681 §3.1 eq. 4 */

	switch (s->event) {
	case TCP_CC_BEGIN:
	case TCP_CC_SAMPLE:
	case TCP_CC_SAVE:
	case TCP_CC_UNDO: /* nothing but the window itself */
		break;
	case TCP_CC_ACK:
		on_ack(nr, s, io);
		break;
	case TCP_CC_LOSS:
		io->ssthresh = half;
		io->cwnd = half;
		nr->bytes_acked = 0;
		break;
	case TCP_CC_ECN: /* RFC 3168 §6.1.2; RFC 8511 §3: 0.8 */
		io->ssthresh = s->is_abe ? (uint32_t)MAX((uint64_t)s->flight * 8 / 10, 2 * (uint64_t)s->mss) : half;
		io->cwnd = MIN(io->cwnd, io->ssthresh);
		nr->bytes_acked = 0;
		break;
	case TCP_CC_RTO:
		io->ssthresh = half;
		/* fall through */
	case TCP_CC_RTO_AGAIN:
		io->cwnd = s->mss; /* the loss window */
		nr->bytes_acked = 0;
		break;
	case TCP_CC_EXIT: /* RFC 6582 §3.2 step 3, the first way */
		io->cwnd = MIN(io->ssthresh, MAX(s->pipe, s->mss) + s->mss);
		break;
	case TCP_CC_IDLE: /* RFC 5681 §4.1: the restart window */
		io->cwnd = MIN(io->cwnd, s->iw_one ? s->mss : tcp_cc_initial_window(s->mss));
		break;
	}
}

const struct tcp_cc_algo tcp_cc_newreno = {.name = "reno", .words = 1, .on = on};
