/* door/door.h - the seccomp door: an unmodified program's sockets become sockets of a stack (design §4).
 *
 * The supervisor (this process) forks; the child sets no_new_privs, installs the filter with a notify listener, passes
 * the listener here, and execs. Socket calls are answered here; bytes move over AF_UNIX pairs injected into the program. */
#ifndef DOOR_DOOR_H
#define DOOR_DOOR_H

#include "host/node.h"

struct door;

struct door_config {
	struct loop *loop;
	struct host_node *node;    /* whose sockets the program gets; borrowed */
	char *const *argv;         /* program and arguments, NULL-terminated */
	char *const *envp;         /* NULL: inherited */
	const char *cwd;           /* NULL: inherited */
	const int *stdio;          /* three descriptors to be 0, 1, 2 (borrowed), or NULL: inherited */
	struct via_addr resolver;  /* where DNS questions are sent inside the stack (the stack's own resolver), port 53 */
	/* The program ended: status as a shell has it (128 + signal; 126 not executable; 127 not found; 125 our failure). */
	void (*ended)(void *ctx, int status);
	void *ctx;
};

/* What the door did, for --report and the demo. */
struct door_stats {
	uint64_t sockets_taken, sockets_udp, sockets_left;   /* left: other families, gone to the kernel */
	uint64_t left_unix, left_netlink, left_other, sockets_inet6;
	uint64_t notifications, sendmsg_recvmsg;
	uint64_t bytes_in, bytes_out;
	uint64_t connects, accepts, dns_questions;
	bool has_sync_wake_up;
	uint64_t processes_left;   /* when it had ended: descendants that live on, without a network soon */
};

/* Start the program. 0 gives *out; else negative errno and one clear sentence in err. Program-not-found and not-executable are
 * reported through ended(127/126) with a sentence on stderr. */
int door_spawn(const struct door_config *c, struct door **out, char err[256]);
void door_signal(struct door *d, int signo); /* pass a signal on to the program */
const char *door_limit(unsigned n); /* the n-th known limit as a sentence; NULL past the end */
pid_t door_pid(const struct door *d);
void door_stats_get(const struct door *d, struct door_stats *out);
/* After ended(): waits for nothing, closes everything; connections left over are reset. */
void door_free(struct door *d);

#endif
