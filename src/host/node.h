/* host/node.h - memory and real time for stacks: mmap the arena and packet memory, seed from getrandom, give free pages back;
 * and a loop task that polls one stack under the real clock (TAP, TUN). */
#ifndef HOST_NODE_H
#define HOST_NODE_H

#include "host/loop.h"
#include <viaduct/viaduct.h>

struct trace;

/* Packet memory in a fresh mapping (reserved, committed on touch). NULL with errno. */
struct pktmem *host_pktmem_new(size_t bytes);
void host_pktmem_free(struct pktmem *m);

struct host_stack_opts {
	const char *name;
	size_t arena_bytes;     /* 0: 256 MiB reserved */
	struct pktmem *mem;     /* borrowed */
	const struct trace *trace;
	const uint8_t *seed;    /* 32 bytes, or NULL: getrandom */
	int64_t now;            /* start of its clock */
	bool forwarding;
};
/* A stack with its memory. NULL with errno. */
struct via *host_stack_new(const struct host_stack_opts *o);
void host_stack_free(struct via *v);
/* Give the arena's free pages back to the system. Bytes given back. */
size_t host_stack_trim(struct via *v);

/* What a door, a service or a command attaches to: a stack somebody runs. touched() tells its runner that socket calls were
 * made, so that it flushes it in this turn and asks for its next deadline again. */
struct host_node {
	struct via *stack;
	const char *name;
	void (*touched)(struct host_node *n);
	/* The stack's time becomes the present, and all that was due till then happens; NULL: it is. An idle stack's clock stands still,
	 * and socket calls happen at its time: a connect() would be answered too late before it is sent. */
	void (*present)(struct host_node *n);
};
/* Before socket calls that come from outside the runner's own turn. */
static inline void host_node_present(struct host_node *n)
{
	if (n->present)
		n->present(n);
}

/* Run one stack in a loop under the real clock: polls it each turn, watches the descriptors of its drivers, dispatches events. */
struct host_runner;
/* Borrows all three. NULL with errno. */
struct host_runner *host_runner_new(struct loop *l, struct via *v, const char *name);
void host_runner_free(struct host_runner *r);
struct host_node *host_runner_node(struct host_runner *r);
/* Watch a driver's descriptor (tap, tun). */
int host_runner_watch(struct host_runner *r, int fd);
#endif
