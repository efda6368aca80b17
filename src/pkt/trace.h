/* pkt/trace.h - decisions worth asking about, told to a sink. A sink is the owner's; without one nothing is built.
 * tx/rx of frames are events of the interface; the rest are events of a connection. */
#ifndef PKT_TRACE_H
#define PKT_TRACE_H

#include "pkt/pkt.h"

enum trace_kind {
	TRACE_TX,       /* a frame was given to the driver */
	TRACE_RX,       /* a frame came from the driver */
	TRACE_DROP,     /* pkt (may be NULL) dropped, reason in `reason` (enum drop) */
	TRACE_TCP_STATE,/* a = from, b = to (RFC 9293 states) */
	TRACE_TCP_LOST, /* [seq, seq_end) marked lost, reason why it will be sent (enum why) */
	TRACE_TCP_HELD, /* output stopped; reason is enum held */
	TRACE_TCP_RTO,  /* retransmission timer fired; a = backoff count */
	TRACE_TCP_CC,   /* a = cwnd, b = ssthresh, bytes */
};

struct trace_event {
	int64_t now;
	const char *stack; /* its name */
	enum trace_kind kind;
	uint32_t reason;
	uint16_t ifindex;
	uint16_t lport, rport; /* of the connection, if any */
	uint32_t seq, seq_end;
	uint32_t a, b;
	const struct pkt *pkt; /* borrowed, with the L2 header in front for TX and RX */
};
struct trace {
	void (*emit)(void *ctx, const struct trace_event *e);
	void *ctx;
};
#endif
