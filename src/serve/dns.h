/* serve/dns.h - svc/dns on UDP and TCP port 53 of one stack; what is not the zone's business may be passed on (dns_forward.h).
 *
 * TCP queries carry a two-byte length (RFC 1035 §4.2.2), may be pipelined and are answered in order; a query longer than
 * DNS_QUERY_MAX closes the connection. Process-local: the arena is the service's own; the zone may live in another. */
#ifndef SERVE_DNS_H
#define SERVE_DNS_H

#include "serve/conns.h"
#include "serve/dns_forward.h"
#include "svc/dns.h"
#include <viaduct/socket.h>

#define DNS_QUERY_MAX 1024

struct serve_dns_config {
	struct arena *arena;             /* borrowed; 4 KiB a connection */
	struct via *via;                 /* borrowed */
	const struct arena *zone_arena;  /* where zone's objects live; may be the same as arena */
	const struct dns_zone *zone;     /* borrowed; may grow meanwhile */
	struct via_sockaddr local;       /* port 0 means 53 */
	uint32_t conns_max;              /* 0: 64 */
	struct via_sockaddr forward[DNS_SERVERS_MAX]; /* who is asked what the zone does not know; port 0 means 53 */
	int n_forward;                   /* 0: nobody; then what the zone does not know does not exist */
	struct prf_key key;              /* for what is passed on: secret */
	int64_t idle_ns;                 /* a TCP client that sends no whole query for so long is reset; 0: 10 s */
};

struct serve_dns {
	struct serve_conns conns;        /* first */
	struct via_handler udp;
	struct serve_dns_config cfg;
	via_sock dgram;
	struct dns_forward forward;      /* if cfg.n_forward */
	uint64_t n_queries, n_answers;
};

/* 0 or -errno. */
int serve_dns_start(struct serve_dns *s, const struct serve_dns_config *cfg);
/* Tell the time (ns of any clock), about once a second: silent TCP clients are reset. */
void serve_dns_tick(struct serve_dns *s, int64_t now);
/* With `forward`: tell the time before each round of events, and when it is due. */
void serve_dns_now(struct serve_dns *s, int64_t now);
int64_t serve_dns_next(const struct serve_dns *s);
/* Close everything; the arena is as it was before start. */
void serve_dns_stop(struct serve_dns *s);

#endif
