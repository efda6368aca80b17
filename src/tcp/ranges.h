/* tcp/ranges.h - what has been sent and not yet acknowledged, as ordered ranges of sequence numbers.
 *
 * A range is what one transmission carried, until SACK or loss splits it. Ranges touch: together they are exactly
 * [SND.UNA, SND.NXT), SYN and FIN included. The first few live inside; more go to an arena buffer that doubles up to
 * TCP_RANGES_MAX. At the cap, or out of memory, nothing fails: new data joins the last range, and a split that has no
 * room is not made, so a mark then covers only ranges that lie wholly inside it (less is known, never something false).
 * Ranges that are SACKed merge with their SACKed neighbours. Byte totals per mark are kept, so the pipe of RFC 6675 is a
 * subtraction. What is delivered or marked lost is told to the rate
 * sampler here, so that nobody can forget it. Work per ACK is bounded by the cap (HARD-05). */
#ifndef TCP_RANGES_H
#define TCP_RANGES_H

#include "base/arena.h"
#include "base/ivset.h"
#include "tcp/rate.h"

#define TCP_RANGES_MAX 8192
#define TCP_RANGES_INLINE 4

enum {
	TCP_RANGE_SACKED = 1,  /* the peer has it, so it says */
	TCP_RANGE_LOST = 2,    /* believed lost and not sent again since */
	TCP_RANGE_AGAIN = 4,   /* sent again since it was last marked lost */
	TCP_RANGE_EVER = 8,    /* sent more than once: no RTT sample (Karn, RFC 6298 §3) */
	TCP_RANGE_QUEUED = 16, /* still below us: the driver has not taken it */
	TCP_RANGE_APP_LIMITED = 32, /* left while the sender had too little to send (rate.h) */
	TCP_RANGE_TOO_BIG = 64, /* queued below when the path turned out to carry less: it will be lost */
};

struct tcp_range {
	uint32_t seq, end;
	int64_t sent_at;  /* when the driver took it; before that, when we made it */
	union {
		uint32_t mark;    /* if sent AGAIN: SND.NXT then, data beyond it left later */
		uint32_t lost_us; /* if LOST: when it was found to be (tcp_rate_us) */
	};
	uint32_t ts;      /* our timestamp clock when it was last made: what a peer that had this copy echoes */
	uint8_t flags;
	uint8_t why;      /* if lost: why it is sent again (enum why) */
	struct tcp_rate_note note; /* for the delivery rate */
};

struct tcp_ranges {
	ref_t more;            /* arena buffer, or 0: the inline ones are used */
	uint16_t cap, n;
	uint32_t sacked, lost, queued; /* bytes with that mark */
	uint32_t ever;         /* bytes sent more than once and not SACKed */
	uint32_t delivered_segs; /* how many have reached the peer since somebody set it to 0 */
	uint16_t seg_size;     /* by which these are counted; 0: not yet */
	struct tcp_rate rate;  /* told of all that is delivered or lost */
	struct tcp_range first[TCP_RANGES_INLINE];
};

void tcp_ranges_init(struct tcp_ranges *s);
void tcp_ranges_free(struct arena *a, struct tcp_ranges *s);
static inline struct tcp_range *tcp_ranges_at(const struct arena *a, struct tcp_ranges *s)
{
	return s->more ? arena_at(a, s->more) : s->first;
}
/* Append [seq, end), which begins where the last one ended. */
void tcp_ranges_push(struct arena *a, struct tcp_ranges *s, uint32_t seq, uint32_t end, uint8_t flags, int64_t at);
/* Range i leaves now, for the first time or again. flight: in flight without it. */
void tcp_ranges_note(struct arena *a, struct tcp_ranges *s, uint16_t i, int64_t now, uint32_t flight);
/* Change the marks of range i: set, then cleared. */
void tcp_ranges_mark(struct arena *a, struct tcp_ranges *s, uint16_t i, uint8_t set, uint8_t clear);
/* Make a boundary at seq, which lies strictly inside range i. False: no room. */
bool tcp_ranges_split(struct arena *a, struct tcp_ranges *s, uint16_t i, uint32_t seq);
/* Index of the range that holds seq, or n. */
uint16_t tcp_ranges_find(const struct arena *a, struct tcp_ranges *s, uint32_t seq);
/* Forget all below una. */
void tcp_ranges_cut_below(struct arena *a, struct tcp_ranges *s, uint32_t una);
/* Mark [lo, hi) SACKed. Returns bytes that were not before. */
uint32_t tcp_ranges_sack(struct arena *a, struct tcp_ranges *s, uint32_t lo, uint32_t hi);
/* First range that is lost and not on its way again, or n. */
uint16_t tcp_ranges_first_lost(const struct arena *a, struct tcp_ranges *s);
/* The driver took what ends at `end`: clears QUEUED backwards from there and sets sent_at. */
void tcp_ranges_taken(struct arena *a, struct tcp_ranges *s, uint32_t end, int64_t at);

#endif
