/* serve/conns.h - what the TCP servers of this room share: a listener, a capped pool of connections, their list.
 *
 * A server's struct begins with struct serve_conns, its connection's struct with struct serve_conn. When the pool is full
 * connections wait in the stack's accept queue and are taken as others end, or at the next tick when the stack had no socket
 * to give. A connection may have a limit of time, which its server renews as the client makes progress; whoever lets it run
 * out is reset, so silent clients cannot hold every place. Process-local: objects hold pointers. */
#ifndef SERVE_CONNS_H
#define SERVE_CONNS_H

#include "base/list.h"
#include <viaduct/socket.h>

struct serve_conn;

struct serve_conns {
	struct via_handler handler; /* the listener's; first */
	struct via *via;
	struct arena *arena;
	via_sock listener;
	struct pool pool;
	struct list open;
	bool is_accepting;
	bool has_now;               /* serve_conns_tick() was called */
	int64_t now;                /* as it was told last */
	uint64_t n_accepted;        /* connections taken */
	/* A connection's readiness changed; also called once after it was accepted. It may close c, then must return. */
	void (*event)(struct serve_conn *c, uint32_t edges);
	/* c is about to be freed: give back what it owns. May be NULL. */
	void (*closed)(struct serve_conn *c);
	/* c's time is up. True: it has begun to end by itself and its time anew; false, or NULL: it is reset. */
	bool (*expired)(struct serve_conn *c);
};

struct serve_conn {
	struct via_handler handler; /* first */
	struct serve_conns *set;
	struct list_link link;
	via_sock sock;
	int64_t since, limit_ns;    /* reset when `now` is more than limit_ns after since; 0: never */
	int64_t unacked;            /* bytes the client had not taken yet when its time was up last: fewer by now is progress */
};

struct serve_conns_config {
	struct via *via;
	struct arena *arena;
	struct via_sockaddr local;
	const char *name;    /* of the pool */
	uint32_t conn_bytes; /* sizeof the server's connection */
	uint32_t conns_max;
	void (*event)(struct serve_conn *c, uint32_t edges);
	void (*closed)(struct serve_conn *c);
	bool (*expired)(struct serve_conn *c);
};

/* Listen. 0 or -errno. */
int serve_conns_start(struct serve_conns *s, const struct serve_conns_config *cfg);
/* Reset all connections, close the listener. */
void serve_conns_stop(struct serve_conns *s);
/* Tell the time (ns of any clock), about once a second: connections past their limit are reset, waiting ones are accepted. */
void serve_conns_tick(struct serve_conns *s, int64_t now);
/* c's time begins anew, and ends after ns. */
void serve_conn_renew(struct serve_conn *c, int64_t ns);
/* End a connection: orderly, or by a reset. Frees c. */
void serve_conn_close(struct serve_conn *c);
void serve_conn_abort(struct serve_conn *c);

/* Throw away what comes until their FIN, but not for ever: closing over unread bytes would reset the connection and could take
 * with it what was sent last. *drained begins at 0. 0: wait for more, -1: it is time to close. */
int serve_drain(struct serve_conn *c, uint32_t *drained);

/* A bound socket with the service's usual port when local names none; its events go to h. 0 or -errno. */
int serve_bind(struct via *v, enum via_type type, struct via_sockaddr *local, uint16_t port, struct via_handler *h, via_sock *out);

/* Push *len bytes from *data; moves both. 1: all is sent, 0: the stack takes no more now, or -errno. */
int serve_push(struct via *v, via_sock s, const uint8_t **data, uint64_t *len, int flags);

#endif
