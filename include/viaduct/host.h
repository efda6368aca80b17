/* viaduct/host.h - a stack with its memory: where a program outside this project begins.
 *
 * via_init() of stack.h takes memory from its owner, packet memory among it, which only the rooms inside can make. Here the
 * system gives it all: reserved at once, committed on touch, with a hard cap. Nothing here runs the stack: call via_poll()
 * with a clock of your own (examples/embed.c), or give it to via_posix_new() of posix.h, which runs it under the real
 * clock (examples/echo_pair.c). */
#ifndef VIADUCT_HOST_H
#define VIADUCT_HOST_H

#include <viaduct/stack.h>

/* All zero but `size` is a good host. */
struct via_host_config {
	uint32_t size;        /* sizeof(struct via_host_config) */
	const char *name;     /* copied, at most 31 bytes; NULL: "host" */
	size_t arena_bytes;   /* cap on protocol state; 0: 256 MiB (reserved, not used) */
	size_t packet_bytes;  /* cap on packets and socket buffers; 0: 64 MiB (reserved, not used) */
	const uint8_t *seed;  /* 32 bytes from which all keys and randomness come; NULL: getrandom() */
	int64_t now;          /* where the stack's clock begins, ns; its owner's clock counts on from it */
	bool forwarding;      /* a router */
};
/* A stack in memory of its own; it has a loopback interface, 127.0.0.1/8. cfg may be NULL (a default host).
 * NULL with errno: EINVAL, ENOMEM. */
VIA_API struct via *via_host_stack_new(const struct via_host_config *cfg);
/* Takes a stack of via_host_stack_new(): via_fini() and its memory goes. Drivers are given back first: they are freed after. */
VIA_API void via_host_stack_free(struct via *v);
/* Give memory that the stack does not use at the moment back to the system. Bytes given back. Takes a system call per free run:
 * once a second is often enough. */
VIA_API size_t via_host_stack_trim(struct via *v);
/* The machine's monotonic clock, ns: what most owners pass as `now`. */
VIA_API int64_t via_host_now(void);

#endif
