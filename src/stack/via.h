/* stack/via.h - struct via: one stack in this process. Protocol state is in the arena (struct via_state); this holds what
 * is of this process only: where the arena is, the drivers, the trace sink, tables of functions. */
#ifndef STACK_VIA_H
#define STACK_VIA_H

#include "base/arena.h"
#include "base/prf.h"
#include "base/wheel.h"
#include "link/neigh.h"
#include "net/fib.h"
#include "pkt/pkt.h"
#include "pkt/trace.h"
#include "sock/sock.h"
#include "tcp/path.h"
#include "tcp/tcp.h"
#include <viaduct/stack.h>

#define VIA_IFACES_MAX 64

struct stack_hooks;

struct via {
	char name[32];
	struct arena *arena;
	struct pktmem *mem;
	struct via_state *st;       /* in the arena */
	struct via_driver *drivers[VIA_IFACES_MAX]; /* by ifindex; NULL: loopback or none */
	const struct trace *trace;
	const struct stack_hooks *hooks; /* stack/hook.h; NULL: none */
	uint64_t trace_base;        /* high bits of the packet ids this stack gives */
	struct tcp_env tcp;
	struct sock_env sock;
	int64_t now;
	bool in_dispatch;
};
#endif
