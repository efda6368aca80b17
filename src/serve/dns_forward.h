/* serve/dns_forward.h - questions passed on to name servers outside (svc/dns_ask.h), and their answers remembered (svc/dns_cache.h).
 *
 * Each question under way has a socket of its own, bound to a port the stack chooses at random (RFC 6056) and connected, so that only its
 * server's datagrams come in; a repeat has another socket, id and case (RFC 5452 §9). Asked are the servers in turn: after 1 s of
 * silence the next, after 2 s and 2 s more, the last time by TCP; then the client is told SERVFAIL. An answer that was cut is
 * asked for by TCP at once, and so is anything after eight datagrams that were no answer. Who asks what is under way already waits
 * for the same answer, so no two equal questions can be guessed at. Limits: DNS_UNDER_WAY questions, DNS_WAITERS clients each; more
 * are not answered, and ask again. */
#ifndef SERVE_DNS_FORWARD_H
#define SERVE_DNS_FORWARD_H

#include "base/list.h"
#include "svc/dns_ask.h"
#include "svc/dns_cache.h"
#include <viaduct/socket.h>

#define DNS_SERVERS_MAX 3
#define DNS_UNDER_WAY 64
#define DNS_WAITERS 8
#define DNS_CACHE_DEFAULT 256
#define DNS_MESSAGE_MAX 4096 /* longer answers are SERVFAIL */

/* Who asked, and what. */
struct dns_client {
	struct via_sockaddr from;
	void *conn;               /* over which it asked by TCP, or NULL */
	struct dns_question q;
};

struct dns_forward_config {
	struct via *via;          /* borrowed; the next also */
	struct arena *arena;
	struct prf_key key;       /* secret */
	struct via_sockaddr servers[DNS_SERVERS_MAX];
	int n_servers;
	uint32_t cache_max;       /* 0: DNS_CACHE_DEFAULT */
	/* The answer to a client whose question was DNS_LATER. */
	void (*answer)(void *ctx, const struct dns_client *c, const uint8_t *msg, size_t len);
	void *ctx;
};

struct dns_forward {
	struct dns_forward_config cfg;
	struct prf_stream random;
	struct dns_cache cache;
	struct pool pool;
	struct list open;         /* struct forward_ask */
	int64_t now;
	uint64_t n_asked, n_ignored, n_failed, n_by_tcp; /* messages sent; answers that were none; clients told SERVFAIL; connections */
};

enum { DNS_LATER = -1, DNS_NEVER = -2 };

/* 0 or -ENOMEM. */
int dns_forward_start(struct dns_forward *f, const struct dns_forward_config *cfg);
void dns_forward_stop(struct dns_forward *f);
/* A client's question. The length of its answer in out (cap bytes), if it is known; DNS_LATER: it will be told; DNS_NEVER: there is no
 * room, say nothing. */
int dns_forward_ask(struct dns_forward *f, const struct dns_client *c, uint8_t *out, size_t cap);
/* Its connection is gone: nobody waits there any more. */
void dns_forward_forget(struct dns_forward *f, const void *conn);
/* Tell the time, before events are handed out and when it is due. */
void dns_forward_tick(struct dns_forward *f, int64_t now);
int64_t dns_forward_next(const struct dns_forward *f);

#endif
