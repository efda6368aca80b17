/* cmd/run_wan.h - `via run` without a device: behind the gateway to the outside. */
#ifndef CMD_RUN_WAN_H
#define CMD_RUN_WAN_H

#include "cmd/cmd.h"

/* Indices of `via run`'s options. */
enum {
	RUN_LINK, RUN_DEVICE, RUN_ADDRESS, RUN_GATEWAY, RUN_MTU, RUN_DNS, RUN_LOOPBACK, RUN_TCP, RUN_UDP, RUN_SEED, RUN_PCAPNG, RUN_REPORT
};

/* The exit status. */
int run_wan(const struct cmd_args *a);

#endif
