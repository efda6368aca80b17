/* tcp/rate.c - delivery rate sampling. See the header. */
#include "tcp/rate.h"

#include "base/ivset.h"

void tcp_rate_sent(struct tcp_rate *r, struct tcp_rate_note *n, int64_t now, uint32_t flight, uint32_t len, bool is_first)
{
	if (is_first) /* a flight begins: idle time is no part of the interval */
		r->first_us = r->delivered_us = tcp_rate_us(now);
	*n = (struct tcp_rate_note){.delivered = r->delivered, .delivered_us = r->delivered_us, .first_us = r->first_us,
				    .in_flight = flight + len, .lost = r->lost};
}

void tcp_rate_app_limited(struct tcp_rate *r, uint32_t flight)
{
	r->app_limited = r->delivered + flight;
	r->is_app_limited = true;
}

void tcp_rate_begin(struct tcp_rate *r, int64_t rx_ns)
{
	r->now_us = tcp_rate_us(rx_ns);
	/* what was marked lost between the ACKs belongs to this one */
	r->s = (struct tcp_rate_sample){.newly_lost = r->s.newly_lost, .n_lost = r->s.n_lost, .worst_in_flight = r->s.worst_in_flight,
					.worst_lost = r->s.worst_lost};
}

void tcp_rate_delivered(struct tcp_rate *r, const struct tcp_rate_note *n, uint32_t len, uint32_t end, int64_t sent_at, bool once,
			bool app_limited)
{
	uint32_t sent_us = tcp_rate_us(sent_at);

	r->delivered += len;
	r->delivered_us = r->now_us;
	r->s.newly_acked += len;
	/* IsNewestPacket() */
	if (r->s.has && !seq_lt(r->sent_us, sent_us) && !(r->sent_us == sent_us && seq_lt(r->end, end)))
		return;
	r->s.has = true;
	r->s.is_app_limited = app_limited;
	r->note = *n;
	r->sent_us = sent_us;
	r->end = end;
	r->once = once;
}

void tcp_rate_lost(struct tcp_rate *r, const struct tcp_rate_note *n, uint32_t len)
{
	r->lost += len;
	r->s.newly_lost += len;
	r->s.n_lost++;
	uint32_t lost = r->lost - n->lost;
	if ((uint64_t)lost * r->s.worst_in_flight >= (uint64_t)r->s.worst_lost * n->in_flight) {
		r->s.worst_lost = lost;
		r->s.worst_in_flight = n->in_flight;
	}
}

void tcp_rate_end(struct tcp_rate *r, uint32_t min_rtt_us, struct tcp_rate_sample *out)
{
	struct tcp_rate_sample *s = &r->s;

	if (r->is_app_limited && seq_lt(r->app_limited, r->delivered))
		r->is_app_limited = false;
	if (s->has) {
		int32_t send = (int32_t)(r->sent_us - r->note.first_us), ack = (int32_t)(r->now_us - r->note.delivered_us);
		int32_t rtt = (int32_t)(r->now_us - r->sent_us);
		r->first_us = r->sent_us; /* C.first_send_time: of the newest delivered */
		s->prior_delivered = r->note.delivered;
		s->delivered = r->delivered - r->note.delivered;
		s->tx_in_flight = r->note.in_flight;
		s->lost = r->lost - r->note.lost;
		s->interval_us = (uint32_t)MAX(MAX(send, ack), 0);
		s->rtt_us = r->once && rtt >= 0 ? (uint32_t)MAX(rtt, 1) : 0;
		/* A shorter time than any round trip says more of ACKs in a heap than of the path. */
		if (s->interval_us && send >= 0 && ack >= 0 && s->interval_us >= min_rtt_us)
			s->rate = (uint64_t)s->delivered * 1000000 / s->interval_us;
	}
	*out = *s;
	*s = (struct tcp_rate_sample){0};
}
