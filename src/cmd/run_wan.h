/* cmd/run_wan.h - `via run` without a device: behind the gateway to the outside. */
#ifndef CMD_RUN_WAN_H
#define CMD_RUN_WAN_H

#include "cmd/cmd.h"
#include "lab/lab.h"

/* Indices of `via run`'s options. */
enum {
	RUN_LINK, RUN_DEVICE, RUN_ADDRESS, RUN_GATEWAY, RUN_MTU, RUN_DNS, RUN_LOOPBACK, RUN_TCP, RUN_UDP, RUN_SEED, RUN_PCAPNG, RUN_REPORT
};

/* The lab of two nodes, "program" and "gateway"; gives. NULL after a sentence, with *status. */
struct lab *run_wan_lab(const struct cmd_args *a, int *status);
/* The exit status. */
int run_wan(const struct cmd_args *a);

#endif
