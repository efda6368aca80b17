/* tcp/rate.h - delivery rate: what one ACK says about how fast data reaches the peer.
 *
 * Each range keeps what the sender knew when it left: bytes delivered until then, when the last of them was, and when the
 * flight began that they belong to. When it is delivered, cumulatively or by SACK, the difference to now is a rate over about
 * one round trip: bytes delivered meanwhile, by the longer of the time in which they were sent and the time in which they
 * were acknowledged. So neither a burst of ACKs nor one of segments shows more than the path carries.
 * The sample of an ACK is that of the newest range it delivered. A superframe is one range: its parts share one note, which
 * is true, they left at once. A range joined for want of room keeps the older note: a longer time, with all that was delivered
 * in it. Bytes count modulo 2^32; times are 32-bit microseconds, so an ACK after 35 minutes is no sample.
 * The time of delivery is rx_ns of the segment. A sample is app-limited if the sender had too little to send in that time: it
 * tells a lower bound only. Lost bytes are counted as they are marked.
 * draft-ietf-ccwg-bbr §4.1 (was draft-cheng-iccrg-delivery-rate-estimation); names are its own. */
#ifndef TCP_RATE_H
#define TCP_RATE_H

#include "base/defs.h"

/* What is noted of a range when it leaves: P.delivered and its kind. */
struct tcp_rate_note {
	uint32_t delivered;
	uint32_t delivered_us; /* P.delivered_time */
	uint32_t first_us;     /* P.first_send_time */
	uint32_t in_flight;    /* P.tx_in_flight, itself included */
	uint32_t lost;         /* P.lost */
};

/* What one ACK taught: RS. All zero: nothing. */
struct tcp_rate_sample {
	uint64_t rate;            /* delivery rate, bytes/s; 0: no sample */
	uint32_t newly_acked;     /* bytes delivered by this ACK */
	uint32_t newly_lost;      /* bytes marked lost since the ACK before, its own marks included */
	uint32_t delivered;       /* bytes delivered since the range it is about left */
	uint32_t prior_delivered; /* C.delivered when that left */
	uint32_t interval_us;
	uint32_t rtt_us;          /* of that range, if it was sent once; 0: none */
	uint32_t tx_in_flight;    /* in flight when it left */
	uint32_t lost;            /* bytes lost since it left */
	/* Of the lost ranges, the one with the largest part of its flight lost: what was in flight when it left, lost since. */
	uint32_t worst_in_flight, worst_lost;
	uint32_t n_lost;          /* ranges newly marked lost */
	bool has;                 /* something was delivered: the fields from `delivered` on mean something */
	bool is_app_limited;
};

struct tcp_rate {
	uint32_t delivered;    /* C.delivered */
	uint32_t delivered_us; /* C.delivered_time */
	uint32_t first_us;     /* C.first_send_time */
	uint32_t lost;         /* C.lost */
	uint32_t app_limited;  /* C.app_limited: C.delivered at which it ends */
	bool is_app_limited;
	uint32_t now_us;       /* of the ACK that is being looked at */
	/* the newest range it delivered */
	struct tcp_rate_note note;
	uint32_t sent_us, end;
	bool once;
	struct tcp_rate_sample s;
};

/* A 32-bit microsecond clock. */
static inline uint32_t tcp_rate_us(int64_t ns) { return (uint32_t)(ns / NS_PER_US); }

/* A range of len bytes leaves, or leaves again. flight: in flight before it, lost and SACKed bytes not counted. is_first: nothing
 * else is unacknowledged. */
void tcp_rate_sent(struct tcp_rate *r, struct tcp_rate_note *n, int64_t now, uint32_t flight, uint32_t len, bool is_first);
/* The sender has nothing to send although the window would let it: until what is in flight is delivered. */
void tcp_rate_app_limited(struct tcp_rate *r, uint32_t flight);

/* An ACK that came at rx_ns is looked at. */
void tcp_rate_begin(struct tcp_rate *r, int64_t rx_ns);
/* len bytes of a range ending at `end` are delivered. once: it was sent once. app_limited: by its flag. */
void tcp_rate_delivered(struct tcp_rate *r, const struct tcp_rate_note *n, uint32_t len, uint32_t end, int64_t sent_at, bool once,
			bool app_limited);
/* len bytes are marked lost. */
void tcp_rate_lost(struct tcp_rate *r, const struct tcp_rate_note *n, uint32_t len);
/* The ACK is done with: *out is what it taught. min_rtt_us: 0, none yet. */
void tcp_rate_end(struct tcp_rate *r, uint32_t min_rtt_us, struct tcp_rate_sample *out);

#endif
