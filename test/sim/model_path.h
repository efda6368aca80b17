/* test/sim/model_path.h - of the model (model.h) what the sender cannot see: the way to the receiver, the receiver, the way back.
 *
 * The way: a queue that drops its tail, losses behind it by number, half of the round trip. The receiver: RFC 5681 §4.2 and RFC 1122
 * §4.2.3.2, at once for what is out of order or fills a hole, else for every second segment, or after Linux's 40 ms; at once, as Linux
 * does, the first 16, and what carries CWR (a sender that has reduced may have no second one). Back: half of the round trip, no ACK
 * lost. As none is lost, an ACK need not carry SACK blocks: the number of the segment that caused it tells the same. Times are in ns,
 * segments are numbered from 0. */
#ifndef SIM_MODEL_PATH_H
#define SIM_MODEL_PATH_H

#include <stdbool.h>
#include <stdint.h>

#define RING (1u << 16) /* more than is ever outstanding */
#define AT(ring, i) ((ring)[(i) % RING])
#define MS 1000000
#define NEVER INT64_MAX

struct arrival {
	int64_t at;
	uint32_t seg, ack; /* ack: of an ACK, the next segment that is missing */
	bool is_cwr;
};

struct fifo {
	struct arrival ring[RING];
	uint32_t head, n;
};

struct model_path {
	int64_t service, half_rtt; /* service: of one segment by the queue */
	int buffer;                /* segments, with the one that leaves */
	const uint8_t *lost;       /* by number behind the queue; from n on they repeat */
	uint32_t n, passed;
	int64_t busy_until;
	struct fifo data, acks;
	/* The receiver */
	bool got[RING];
	uint32_t rcv_nxt, held, pending;
	int64_t delack_at;
};

/* is_cwr: the segment carries CWR. */
void model_path_send(struct model_path *p, int64_t now, uint32_t seg, bool is_cwr);
/* When something happens on it next; NEVER: nothing. */
int64_t model_path_next(const struct model_path *p);
/* It happens, at that time. true: the sender gets *ack. */
bool model_path_step(struct model_path *p, int64_t now, struct arrival *ack);

#endif
