/* tcp/cc.h - congestion control: a const table of functions chosen by index, one const sample in, three numbers out.
 *
 * An algorithm sees what one ACK or one loss taught and sets cwnd, ssthresh and the pacing rate; it sends nothing and
 * knows no connection. Integers only. Its own memory is a few words of the active struct, zero at first and lost when the
 * connection drains, for an algorithm with a model TCP_CC_KEEP_NS later. Index 0 is the default, CUBIC. RFC 5681, RFC 6928, RFC 9438,
 * draft-ietf-ccwg-bbr. */
#ifndef TCP_CC_H
#define TCP_CC_H

#include "base/prf.h"
#include "tcp/rate.h"

#define TCP_SSTHRESH_INFINITE 0x7fffffffu
#define TCP_CWND_MAX (1u << 30)
#define TCP_CC_WORDS 30      /* of scratch, the most an algorithm may use */

#define TCP_CC_KEEP_NS (10 * NS_PER_S)

enum tcp_cc_event {
	TCP_CC_BEGIN,     /* data is about to leave and nothing is in flight */
	TCP_CC_ACK,       /* new data acknowledged, outside fast recovery */
	TCP_CC_LOSS,      /* recovery begins, or a retransmission was lost */
	TCP_CC_ECN,       /* the peer saw a CE mark: as a loss, but nothing was lost (RFC 3168 §6.1.2) */
	TCP_CC_RTO,       /* first expiry of a backoff series */
	TCP_CC_RTO_AGAIN, /* a later one: ssthresh stays (RFC 5681 §3.1) */
	TCP_CC_EXIT,      /* recovery ends */
	TCP_CC_IDLE,      /* about to send after more than one RTO of silence */
	TCP_CC_SAVE,      /* a reduction comes that may prove needless: remember what it changes, cwnd and ssthresh excepted */
	TCP_CC_UNDO,      /* it was needless; cwnd and ssthresh are as before it, or larger (RFC 9438 §4.9) */
	TCP_CC_SAMPLE,    /* every ACK, whatever else it is: to algorithms with a model only, last of what the ACK causes */
};
struct tcp_cc_sample {
	enum tcp_cc_event event;
	int64_t now;
	uint32_t mss;
	uint32_t acked;   /* bytes newly acknowledged */
	uint32_t flight;  /* FlightSize, limited transmit not counted */
	uint32_t pipe;
	uint32_t srtt_us;
	uint32_t rtt_us;  /* sample taken from this ACK; 0: none */
	uint32_t snd_una, snd_nxt; /* after this ACK */
	bool is_limited;  /* cwnd was what held the sender */
	bool iw_one;      /* initial window is one segment */
	bool is_paced;    /* what leaves is spread over the round trip */
	bool in_recovery; /* fast recovery or after a time-out */
	bool is_app_limited; /* the sender has had too little to send */
	uint32_t c_delivered; /* bytes delivered so far, modulo 2^32 */
	const struct tcp_rate_sample *rs; /* of the newest ACK; never NULL */
	struct prf_stream *random;        /* for choices nobody is to foresee */
	bool is_abe;      /* TCP_CC_ECN: the milder factor of RFC 8511 */
};
struct tcp_cc_out {
	uint32_t cwnd, ssthresh;
	uint64_t pacing; /* bytes/s; 0: none */
	bool app_limited; /* what is in flight now is no measure of the path: the algorithm sent less than it could */
};
union tcp_cc_info; /* linux/inet_diag.h */

struct tcp_cc_algo {
	const char *name;
	uint8_t words; /* of scratch */
	bool has_model; /* of the path: it gets TCP_CC_SAMPLE, and it alone says cwnd in recovery, too */
	void (*on)(uint64_t *scratch, const struct tcp_cc_sample *s, struct tcp_cc_out *io);
	/* What it tells of itself (TCP_CC_INFO): bytes of *out that mean something. NULL: nothing, as Linux's CUBIC and Reno. scratch is all
	 * zero if there is none; min_rtt_us of the connection, 0: no sample. */
	uint32_t (*info)(const uint64_t *scratch, uint32_t min_rtt_us, union tcp_cc_info *out);
};

/* The algorithm of an index; an unknown index is the default. */
const struct tcp_cc_algo *tcp_cc_at(uint8_t index);
/* Index of a name, or -1. */
int tcp_cc_find(const char *name);
/* RFC 6928 §2: min(10 SMSS, max(2 SMSS, 14600)). */
uint32_t tcp_cc_initial_window(uint32_t mss);
/* Bytes by which this ACK opens the window in slow start: min(N, SMSS), RFC 5681 §3.1, so that dividing ACKs gains nothing (CC-008).
 * A peer that answers many segments with one ACK is opened to more slowly; CUBIC's first slow start has RFC 9406's own rule. */
uint32_t tcp_cc_slow_start(const struct tcp_cc_sample *s);

extern const struct tcp_cc_algo tcp_cc_cubic, tcp_cc_newreno, tcp_cc_bbr;

#endif
