/* serve/echo.h - the echo service (RFC 862) over TCP and UDP, on sockets of one stack.
 *
 * TCP: what comes in goes out; while the send buffer is full nothing more is read, so a client that does not read is
 * pushed back. The client's FIN is answered by ours after the last byte. UDP: a datagram goes back to its sender; one
 * that finds no room is lost, as datagrams may be. Process-local: the arena is the service's own. */
#ifndef SERVE_ECHO_H
#define SERVE_ECHO_H

#include "serve/conns.h"
#include <viaduct/socket.h>

struct serve_echo_config {
	struct arena *arena;       /* borrowed; 8 KiB a connection */
	struct via *via;           /* borrowed */
	struct via_sockaddr local; /* port 0 means 7; the same for TCP and UDP */
	uint32_t conns_max;        /* 0: 1024 */
	int64_t idle_ns;           /* a TCP connection without news for so long is reset; 0: 600 s */
};

struct serve_echo {
	struct serve_conns conns;  /* first */
	struct via_handler udp;
	struct serve_echo_config cfg;
	via_sock dgram;
	ref_t buf;                 /* the datagram in hand */
	uint64_t n_datagrams, n_bytes;
};

/* 0 or -errno. */
int serve_echo_start(struct serve_echo *s, const struct serve_echo_config *cfg);
/* Tell the time (ns of any clock), about once a second: silent TCP clients are reset. */
void serve_echo_tick(struct serve_echo *s, int64_t now);
/* Close everything; the arena is as it was before start. */
void serve_echo_stop(struct serve_echo *s);

#endif
