/* serve/bulk.h - bulk transfer for tests and simulations: a server that is source and sink at once, and its client.
 *
 * A stream is a function of (seed, offset), so every byte can be checked anywhere without keeping any (bulk_fill,
 * bulk_diff in stream.c). On each connection both sides send their stream, then FIN, and read the other's to its end; a connection
 * is done when both directions ended. Against serve/echo the client expects its own stream back.
 * No timers; everything is in the structs and, for the server, a pool in the service's own arena. */
#ifndef SERVE_BULK_H
#define SERVE_BULK_H

#include "serve/conns.h"
#include <viaduct/socket.h>

/* n bytes of stream `seed` from `offset` on. */
void bulk_fill(uint64_t seed, uint64_t offset, void *out, size_t n);
/* How many of the n bytes at `data` agree with the stream from `offset` on before the first that does not: n if all. */
size_t bulk_diff(uint64_t seed, uint64_t offset, const void *data, size_t n);

/* One end of a transfer. */
struct bulk_end {
	struct via_handler handler; /* first */
	struct via *via;
	via_sock sock;              /* 0 when closed */
	uint64_t send_seed, send_bytes; /* what to send */
	uint64_t recv_seed, recv_bytes; /* what to expect; recv_bytes UINT64_MAX: any length */
	bool check;                 /* compare what arrives with recv_seed's stream */
	bool connected, fin_sent, fin_seen;
	bool done;                  /* over, well or not */
	int error;                  /* 0, or -errno: the socket's; -EBADMSG a wrong byte; -EPROTO a wrong length */
	uint64_t sent, received;    /* bytes */
	uint64_t hash;              /* FNV-1a of what arrived; kept only if it is not checked */
	uint64_t bad_offset;        /* of the first wrong byte, with -EBADMSG */
};

struct bulk_client_config {
	struct via *via;
	struct via_sockaddr remote;
	struct via_sockaddr local;  /* all zero: the stack chooses */
	uint64_t send_seed, send_bytes;
	uint64_t recv_seed, recv_bytes;
};
/* Connect and transfer. c must stay where it is until done or stopped. Look at c->done and c->error. 0 or -errno. */
int bulk_client_start(struct bulk_end *c, const struct bulk_client_config *cfg);
/* Reset the connection if it is still open. */
void bulk_client_stop(struct bulk_end *c);

struct serve_bulk_config {
	struct arena *arena;        /* borrowed */
	struct via *via;            /* borrowed */
	struct via_sockaddr local;  /* port 0 means 5001 */
	uint32_t conns_max;         /* 0: 1024 */
	uint64_t send_seed, send_bytes; /* to each client; 0 bytes: a sink */
	uint64_t recv_seed, recv_bytes; /* expected of each client; recv_bytes UINT64_MAX: any length */
	bool check;                 /* the bytes too, not only their number */
};
struct serve_bulk {
	struct serve_conns conns;   /* first */
	struct serve_bulk_config cfg;
	uint64_t n_done, n_failed;  /* connections ended well, ended badly */
	uint64_t sent, received;    /* bytes of ended connections */
	uint64_t hash;              /* sum of the connections' hashes: the same in whatever order they end */
	int error;                  /* the first failed connection's */
};
/* 0 or -errno. */
int serve_bulk_start(struct serve_bulk *s, const struct serve_bulk_config *cfg);
/* Reset what is open; the arena is as it was before start. */
void serve_bulk_stop(struct serve_bulk *s);

#endif
