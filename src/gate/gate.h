/* gate/gate.h - the wan gateway: a stack that stands for the whole outside, carried on this machine's own sockets. No root.
 *
 * Its stack takes every address as its own (VIA_SET_ANY_ADDRESS). A connection to it is held until the machine's socket has
 * connected where it wanted to go: then it is answered, refused, or told unreachable as the outside did. From then on bytes, ends
 * and resets are passed on both ways, each way only as fast as it is taken. Datagrams and echo requests go out by one socket of the
 * machine's for each address and port inside. Questions for names, to port 53 of an address of the gateway's own, go to the
 * machine's resolver, also if that is at 127.x.
 * The machine's loopback servers cannot be reached from inside, but under the address of each family that `loopback` names. */
#ifndef GATE_GATE_H
#define GATE_GATE_H

#include "host/node.h"

struct gate;

struct gate_config {
	struct loop *loop;              /* borrowed */
	struct host_node *node;         /* the gateway's stack and its runner, borrowed. Its events are dispatched (via_dispatch()). */
	struct via_addr loopback[2];    /* who says this one means the machine's 127.0.0.1 (IPv4) or ::1; unset (any): nobody does */
	struct via_sockaddr resolver;   /* unset (any): the machine's, of /etc/resolv.conf */
	uint32_t streams_max, flows_max;/* TCP connections; pairs of addresses of datagrams and echo; 0: 16384, 4096 */
};

/* NULL with errno. */
struct gate *gate_new(const struct gate_config *c);
/* Before its stack goes: the machine's sockets are closed; connections that the inside had not ended are reset. */
void gate_free(struct gate *g);

/* A port of this machine's that leads to one inside. */
struct gate_forward {
	enum via_type type;             /* VIA_STREAM, VIA_DGRAM */
	struct via_sockaddr host;       /* where the machine's socket listens */
	struct via_sockaddr guest;      /* where that goes. Who comes keeps his address, or, from the machine's loopback, a link-local one
					 * or one of another family than the guest's, has the gateway's */
};
/* 0 or -errno (of bind(): EADDRINUSE, EACCES, ...). */
int gate_forward(struct gate *g, const struct gate_forward *f);

struct gate_stats {
	uint64_t streams, flows;        /* so far */
	uint32_t streams_now, flows_now;
	uint64_t refused;               /* for want of descriptors, memory or a place */
	uint64_t bytes_out, bytes_in;   /* of streams */
	uint64_t ping_denied;           /* echo requests, where the machine allows no ping sockets (net.ipv4.ping_group_range) */
};
void gate_stats_get(const struct gate *g, struct gate_stats *out);
/* Is there something from inside that the machine's sockets have not taken yet? */
bool gate_is_busy(struct gate *g);

#endif
