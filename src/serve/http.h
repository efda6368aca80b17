/* serve/http.h - a static web server on sockets of one stack: app/http joined to <viaduct/socket.h>.
 *
 * One listener, a pool of connections. A folder is answered by its index.html, else by a listing. Responses wait when
 * the send buffer is full and no further request is read meanwhile. A connection that is to close is shut for writing and
 * drained first, so the client gets the answer (RFC 9112 §9.6). Events come through via_dispatch() (struct via_handler).
 * The structs hold pointers of this process: the arena is the service's own, not a stack's. */
#ifndef SERVE_HTTP_H
#define SERVE_HTTP_H

#include "app/http/http.h"
#include "base/arena.h"
#include "serve/conns.h"
#include "serve/files.h"
#include <viaduct/socket.h>

struct serve_http_config {
	struct arena *arena;        /* borrowed for the service's life; about 10 KiB a connection, 80 KiB while a listing is sent */
	struct via *via;            /* borrowed */
	struct serve_files files;
	struct via_sockaddr local;  /* port 0 means 80 */
	uint32_t conns_max;         /* 0: 1024 */
	int64_t idle_ns;            /* for each: idle between requests, one whole request, no byte of an answer taken; 0: 60 s */
};

struct serve_http {
	struct serve_conns conns;   /* first */
	struct serve_http_config cfg;
	int64_t now;                /* set by serve_http_tick() */
	uint64_t n_requests, n_bytes; /* answers begun, body bytes handed to the stack */
};

/* now: ns since 1970, or any clock of the owner's (Date is left out when it is negative). 0 or -errno. */
int serve_http_start(struct serve_http *s, const struct serve_http_config *cfg, int64_t now);
/* Close everything; the arena is as it was before start. */
void serve_http_stop(struct serve_http *s);
/* Tell the time, about once a second or before each via_dispatch(): Date and the connections' limits depend on it. */
void serve_http_tick(struct serve_http *s, int64_t now);

#endif
