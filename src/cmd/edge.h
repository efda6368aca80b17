/* cmd/edge.h - one stack on a real interface: what `via run` and `via serve` share. */
#ifndef CMD_EDGE_H
#define CMD_EDGE_H

#include "cmd/cmd.h"
#include "host/node.h"

struct edge {
	struct loop *loop;
	struct pktmem *mem;
	struct via *stack;
	struct via_driver *driver;
	struct host_runner *runner;
	struct via_sockaddr local;
};

/* link: "tap:NAME" or "tun:NAME"; prefix "10.0.0.2/24"; gateway may be NULL. 0, or an exit status after a sentence. */
int edge_open(struct edge *e, const char *link, const char *prefix, const char *gateway);
void edge_close(struct edge *e);

#endif
