/* drill/packet.h - packets between script and wire: bytes of one to inject, values of one that left, and both as text.
 *
 * Values here are live (the stack's) sequence numbers and timestamps; flow.h turns the script's into them and back. */
#ifndef DRILL_PACKET_H
#define DRILL_PACKET_H

#include "drill/script.h"

enum { DRILL_WIRE_MAX = 65535, DRILL_LINE_MAX = 512 };

/* Addresses and ports of a packet; host byte order. */
struct drill_tuple {
	uint32_t src, dst;
	uint16_t sport, dport;
};

/* The byte at position `at` of a stream (1 is the first after the SYN), or of a datagram. Known at both ends, so that
 * misplaced payload is seen. */
uint8_t drill_byte(uint32_t at);

/* What the packet's payload begins with, and what an ICMP error quotes. */
struct drill_wire {
	struct drill_tuple t;
	uint32_t payload_at;  /* position of the first payload byte */
	uint16_t id;          /* of the IP header */
};
/* Write k, right checksums included. Bytes, or 0 when it does not fit. */
size_t drill_packet_build(const struct drill_packet *k, const struct drill_wire *w, uint8_t out[DRILL_WIRE_MAX]);

/* Read a packet that left. `body` is where its payload begins. False, with a sentence, when it is malformed (wrong checksums). */
bool drill_packet_read(const uint8_t *bytes, size_t len, struct drill_packet *k, struct drill_tuple *t, const uint8_t **body,
		       const char **why);

/* "> P. 1:1001(1000) ack 1 win 257 <nop,nop,TS val 1 ecr 2>". Returns out. */
const char *drill_packet_text(const struct drill_packet *k, char out[DRILL_LINE_MAX]);

/* Walk TCP options: kind at *at, its length (1 for nop and eol); false at the end. A malformed one ends the walk. */
bool drill_opt_next(const struct drill_packet *k, uint32_t *at, uint32_t *len);
/* Where the timestamps option begins in k->opts, or NULL. */
uint8_t *drill_opt_ts(struct drill_packet *k);

#endif
