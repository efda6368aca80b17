/* cmd/edge.h - one stack on a real interface: what `via run` and `via serve` share. */
#ifndef CMD_EDGE_H
#define CMD_EDGE_H

#include "cmd/cmd.h"
#include "host/loop.h"
#include "host/node.h"
#include "serve/dhcp_client.h"

struct edge {
	struct loop *loop;
	struct pktmem *mem;
	struct via *stack;
	struct via_driver *driver;
	struct host_runner *runner;
	int ifindex;
	struct via_sockaddr local;
	struct via_addr dns;         /* that a DHCP server named; any: none */
	bool has_dhcp;
	struct serve_dhcp_client dhcp;
	struct serve_dhcp_iface dhcp_iface;
	struct loop_task dhcp_task;
};

/* link: "tap:NAME" or "tun:NAME"; prefix "10.0.0.2/24", or "dhcp": the address is asked for, and waited for; gateway may be NULL.
 * 0, or an exit status after a sentence. */
int edge_open(struct edge *e, const char *link, const char *prefix, const char *gateway);
void edge_close(struct edge *e);

#endif
