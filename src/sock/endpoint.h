/* sock/endpoint.h - the inside of sock/: the endpoint, the tables, and what the files of this room offer each other.
 *
 * An endpoint is what a descriptor refers to. It is small (ENDPOINT_BYTES_MAX): option values other than booleans stand
 * in struct ep_opts, taken at the first that differs from its default. Handles are (generation << 32 | index + 1) into a
 * table of slots; the generation is one counter of the stack, so a table that shrank and grew again never revives one. */
#ifndef SOCK_ENDPOINT_H
#define SOCK_ENDPOINT_H

#include "sock/htab.h"
#include "sock/sock.h"

#define ENDPOINT_BYTES_MAX 144
#define SOCK_SLOTS_MIN 32u
#define SOCK_BUF_MAX 212992u      /* until the owner sets another */
#define SOCK_BACKLOG_MAX 4096     /* Linux's net.core.somaxconn */
#define SOCK_GROUP_MAX 64u        /* receivers of one address and port that are considered */
#define PORT_AUTO_MIN 32768u
#define PORT_AUTO_N (60999u - PORT_AUTO_MIN + 1)
#define PORT_COUNTERS 64u

enum { PROTO_ICMP = 1, PROTO_TCP = 6, PROTO_UDP = 17 };

enum ep_state {
	EP_IDLE,   /* neither listening nor connected; may be bound */
	EP_LISTEN, /* tcp: listener */
	EP_CONN,   /* stream: tcp is the connection; datagram: has a peer */
	EP_DEAD,   /* stream: the connection is gone, its final state is kept */
};

enum {
	/* options */
	EPF_REUSEADDR = 1 << 0, EPF_REUSEPORT = 1 << 1, EPF_KEEPALIVE = 1 << 2, EPF_BROADCAST = 1 << 3, EPF_OOBINLINE = 1 << 4,
	EPF_DONTROUTE = 1 << 5, EPF_NODELAY = 1 << 6, EPF_CORK = 1 << 7, EPF_NO_QUICKACK = 1 << 8, EPF_LINGER = 1 << 9,
	EPF_RECVERR = 1 << 10, EPF_PKTINFO = 1 << 11, EPF_RECVTTL = 1 << 12, EPF_RECVTOS = 1 << 13, EPF_NO_MCAST_LOOP = 1 << 14,
	EPF_ADDR_NO_PORT = 1 << 15, EPF_QUICKACK = 1 << 16, EPF_INQ = 1 << 17, EPF_ZEROCOPY = 1 << 18,
	EPF_INHERITED = (1 << 19) - 1,
	EPF_V6 = 1 << 19,           /* an AF_INET6 socket: unbound it is at ::, and takes IPv4 too */
	/* what happened */
	EPF_ADDR_BOUND = 1 << 20,   /* the user chose the local address */
	EPF_PORT_BOUND = 1 << 21,   /* the user asked for a port by bind() */
	EPF_SHUT_RD = 1 << 22, EPF_SHUT_WR = 1 << 23,
	EPF_ESTABLISHED = 1 << 24,  /* the handshake had ended */
	EPF_EOF = 1 << 25,          /* the peer's FIN was seen */
	EPF_QUEUED = 1 << 26,       /* in the event list */
	EPF_RECEIVER = 1 << 27,     /* stands among the receivers of its port use */
};

/* Values of options, in the user's units; the defaults are in ep_opts_default. */
struct ep_opts {
	int32_t rcvbuf, sndbuf;   /* as getsockopt tells them (doubled); 0: default */
	int32_t linger_s, rcvlowat, priority;
	int32_t ttl;              /* -1: default */
	int32_t tos, mtu_discover, mcast_ttl;
	uint32_t mcast_if;        /* IPv4, network byte order as given */
	uint32_t mcast_ifindex, mcast_ifindex6; /* datagrams to groups leave by it; 0: not said */
	ref_t members;            /* groups it is in (groups.c) */
	int32_t maxseg, keepidle, keepintvl, keepcnt, syncnt, user_timeout_ms, notsent_lowat, defer_accept;
	int32_t linger2;          /* seconds; 0: default, -1: none */
	int32_t fastopen, fastopen_connect, fastopen_no_cookie;
	uint8_t fastopen_key[32], fastopen_key_len; /* 0: the stack's own */
	int32_t cc;               /* index of the congestion control, 0: default */
	uint64_t pacing_max;      /* bytes/s; UINT64_MAX: none */
	int64_t rcvtimeo[2], sndtimeo[2]; /* seconds, microseconds */
};
extern const struct ep_opts ep_opts_default;

struct endpoint {
	uint64_t cookie;
	via_sock handle;
	struct list_link ev;       /* in tab->events, if EPF_QUEUED */
	struct list_link use_link; /* in its port use's members */
	ref_t use;                 /* struct port_use it is bound to, or 0 */
	ref_t tcp;                 /* connection or listener, or 0 */
	ref_t opts;                /* struct ep_opts, or 0: all default */
	uint32_t flags;
	uint16_t edges;            /* not yet told by sock_events() */
	uint16_t err;              /* pending error, positive */
	uint8_t type, state;       /* enum via_type, enum ep_state */
	uint16_t lport, rport;
	uint16_t pad;
	struct via_addr local, remote;
	/* datagrams */
	ref_t hash_next;           /* chain of tab->pairs, if connected */
	uint32_t hash;
	struct pktq q;             /* received, each led by a struct dgram_tag */
	uint32_t charged;          /* true bytes of memory in q */
};

/* Use of one local port at one address, by endpoints bound to it and by TCP connections of any kind. */
struct port_use {
	ref_t hash_next;
	uint32_t hash;             /* of (proto, port) only: one chain holds all addresses */
	struct via_addr addr;
	uint16_t port;
	uint8_t proto, flags;      /* USE_* */
	struct list members;       /* endpoints; those that receive (listeners, unconnected datagrams) stand first */
	uint32_t n_recv;
	uint32_t n_nodes;          /* tcp_nodes with this local address and port */
};
enum {
	USE_REUSEADDR = 1, USE_REUSEPORT = 2, /* every user so far had it set */
	USE_AUTO = 4,                         /* only connect() chose this port: another destination may share it (RFC 6056 §3.3) */
};

struct sock_slot {
	ref_t ep;     /* endpoint; of a free slot: index + 1 of the next free one */
	uint32_t gen; /* 0: free */
};

/* All of sock/'s state, in the arena. */
struct sock_tab {
	struct pool eps, uses, opts, members;
	ref_t slots;
	uint32_t n_slots, free_slot, n_live, gen;
	uint32_t rmem_max, wmem_max; /* most that SO_RCVBUF and SO_SNDBUF may ask for (net.core.rmem_max, wmem_max) */
	ref_t catch_all[VIA_PING + 1]; /* by enum via_type: the endpoint that takes what no other does, or 0 */
	struct list events;
	struct htab nodes;   /* tcp_node by four-tuple */
	struct htab pairs;   /* connected UDP endpoints by four-tuple */
	struct htab ports;   /* port_use by (proto, port) */
	struct prf_key key_tuple, key_port, key_auto;
	struct prf_stream random;
	uint32_t auto_counter[PORT_COUNTERS]; /* RFC 6056 §3.3.4 */
	/* The use that became empty last and when: a connection that turns into TIME-WAIT leaves and comes back in one call. */
	struct via_addr gone_addr;
	uint16_t gone_port;
	uint8_t gone_flags;
	int64_t gone_at;
};

static inline struct sock_tab *tab_of(const struct sock_env *env) { return arena_at(env->arena, env->tab); }
static inline struct endpoint *ep_at(const struct sock_env *env, ref_t r) { return arena_at(env->arena, r); }
static inline ref_t ep_ref(const struct sock_env *env, const struct endpoint *ep) { return arena_ref(env->arena, ep); }

/* --- endpoint.c --- */
/* NULL for a stale handle. */
struct endpoint *ep_of(const struct sock_env *env, via_sock s);
/* A fresh endpoint with a handle; 0, -EMFILE, -ENOMEM. */
int ep_new(struct sock_env *env, enum via_type type, uint64_t cookie, struct endpoint **out);
/* Leave all tables and go. Its TCP side must be gone already. */
void ep_free(struct sock_env *env, struct endpoint *ep);
/* Its option values, to read; to write (NULL when memory is out). */
const struct ep_opts *ep_opts_of(const struct sock_env *env, const struct endpoint *ep);
struct ep_opts *ep_opts_own(struct sock_env *env, struct endpoint *ep);
/* Pending error as -errno, cleared; 0 none. */
int ep_err_take(struct endpoint *ep);
static inline uint8_t ep_proto(const struct endpoint *ep)
{
	return ep->type == VIA_STREAM ? PROTO_TCP : ep->type == VIA_DGRAM ? PROTO_UDP : PROTO_ICMP;
}
/* All addresses of ep's family. */
static inline struct via_addr ep_any(const struct endpoint *ep)
{
	return ep->flags & EPF_V6 ? (struct via_addr){.scope = 0} : via_addr_v4(0);
}
/* connect() and sendto() to 0.0.0.0 or :: mean this host. */
static inline struct via_addr addr_or_loopback(const struct via_addr *a)
{
	if (!via_addr_is_any(a))
		return *a;
	return via_addr_is_v4(a) ? via_addr_v4(0x7f000001) : (struct via_addr){.b = {[15] = 1}};
}
/* An endpoint that was opened without a family has that of the first address it is given. */
static inline void ep_adopt(struct endpoint *ep, const struct via_addr *a)
{
	if (ep->flags & (EPF_V6 | EPF_ADDR_BOUND) || ep->use || via_addr_is_v4(a))
		return;
	ep->flags |= EPF_V6;
	ep->local = ep_any(ep);
}

/* --- ports.c --- */
/* Bind to ep->local, which is set, and `port` (0: one is chosen). 0, -EADDRINUSE, -ENOMEM. */
int port_bind(struct sock_env *env, struct endpoint *ep, uint16_t port);
void port_release(struct sock_env *env, struct endpoint *ep);
/* Does ep receive what nobody more specific takes? Moves it to the front or the back of its use. */
void port_receives(struct sock_env *env, struct endpoint *ep, bool yes);
/* May ep, bound already, begin to listen? */
bool port_may_listen(struct sock_env *env, struct endpoint *ep);
/* A local port for a connection between these two, or 0 when none is free. */
uint16_t port_auto(struct sock_env *env, const struct via_addr *local, const struct via_addr *remote, uint16_t rport);
/* SO_REUSEADDR or SO_REUSEPORT changed while bound. */
void port_flags_changed(struct sock_env *env, struct endpoint *ep);
void port_node_add(struct sock_env *env, const struct via_addr *local, uint16_t lport);
void port_node_del(struct sock_env *env, const struct via_addr *local, uint16_t lport);
/* Most specific receiver of proto at (addr, port): bound address before 0.0.0.0 before ::. flow: picks in a SO_REUSEPORT group. */
struct endpoint *port_receiver(struct sock_env *env, uint8_t proto, const struct via_addr *addr, uint16_t port, uint32_t flow);
/* Who takes what has no receiver of its own (catch.c), or NULL. */
struct endpoint *catch_all_of(const struct sock_env *env, enum via_type type);
/* The n-th of all receivers at (addr, port), for broadcast and multicast; NULL past the end. */
struct endpoint *port_receiver_nth(struct sock_env *env, uint8_t proto, const struct via_addr *addr, uint16_t port, uint32_t n);

/* --- demux.c --- */
uint32_t tuple_hash(const struct sock_env *env, const struct via_addr *local, uint16_t lport,
		    const struct via_addr *remote, uint16_t rport);
/* tcp_node, or 0. */
ref_t demux_node(const struct sock_env *env, const struct via_addr *local, uint16_t lport, const struct via_addr *remote, uint16_t rport);
void demux_pair_add(struct sock_env *env, struct endpoint *ep);
void demux_pair_del(struct sock_env *env, struct endpoint *ep);
struct endpoint *demux_pair(const struct sock_env *env, uint32_t hash, const struct via_addr *local, uint16_t lport,
			    const struct via_addr *remote, uint16_t rport);

/* --- events.c --- */
void ep_edge(struct sock_env *env, struct endpoint *ep, uint32_t bits);
void ep_unqueue(struct sock_env *env, struct endpoint *ep);

/* --- options.c --- */
void ep_tcp_opts(const struct sock_env *env, const struct endpoint *ep, struct tcp_opts *o);
uint32_t ep_rcvbuf(const struct sock_env *env, const struct endpoint *ep); /* bytes, as SO_RCVBUF tells */

/* --- groups.c --- */
void groups_pool_init(struct sock_env *env);
/* The endpoint leaves all its groups. */
void groups_release(struct sock_env *env, struct endpoint *ep);
/* A group that does not say its interface gets the socket's. */
void group_scope(const struct sock_env *env, const struct endpoint *ep, struct via_addr *to);

/* --- sock_tcp.c --- */
int stream_connect(struct sock_env *env, struct endpoint *ep, const struct via_sockaddr *remote);
/* sendto() with VIA_FASTOPEN, before the text: 0 (go on sending), -EINPROGRESS (the SYN went without), or why not. */
int stream_fastopen(struct sock_env *env, struct endpoint *ep, const struct via_sockaddr *to);
/* What a listener's TCP side must know of Fast Open. */
void stream_listener_fastopen(struct sock_env *env, struct endpoint *ep);
int stream_listen(struct sock_env *env, struct endpoint *ep, int backlog);
int stream_accept(struct sock_env *env, struct endpoint *ep, uint64_t cookie, via_sock *out, struct via_sockaddr *peer);
int64_t stream_send(struct sock_env *env, struct endpoint *ep, const void *data, uint32_t len, int flags);
int64_t stream_recv(struct sock_env *env, struct endpoint *ep, void *data, uint32_t len, int flags);
int stream_shutdown(struct sock_env *env, struct endpoint *ep, enum via_how how);
/* Let go of connection or listener. reset: RST even without unread data. */
void stream_close(struct sock_env *env, struct endpoint *ep, bool reset);
uint32_t stream_ready(struct sock_env *env, const struct endpoint *ep);
/* Was connected, or tried to be, and is no more. */
bool stream_is_over(struct sock_env *env, const struct endpoint *ep);
int stream_error(struct sock_env *env, struct endpoint *ep); /* SO_ERROR: positive, cleared */

/* --- dgram.c: what UDP and ping sockets share --- */
int dgram_connect(struct sock_env *env, struct endpoint *ep, const struct via_sockaddr *remote);
int dgram_shutdown(struct sock_env *env, struct endpoint *ep, enum via_how how);
/* Queue p (taken), from `from` to `to` and their ports, for ep. DROP_NONE or DROP_UDP_RCVBUF, DROP_NO_MEMORY. */
enum drop dgram_queue(struct sock_env *env, struct endpoint *ep, struct pkt *p, const struct via_addr *from,
		      uint16_t port, const struct via_addr *to, uint16_t lport);
int64_t dgram_recv(struct sock_env *env, struct endpoint *ep, void *data, uint32_t len, int flags,
		   struct via_sockaddr *from, struct via_sockaddr *local);
int dgram_peek(struct sock_env *env, struct endpoint *ep, struct via_iov *iov, int n);
int dgram_consume(struct sock_env *env, struct endpoint *ep);
uint32_t dgram_ready(const struct endpoint *ep);
/* Bytes of the next datagram. */
uint32_t dgram_inq(const struct sock_env *env, const struct endpoint *ep);
/* Most bytes that IP's payload towards `far` can have. */
static inline uint32_t dgram_max(const struct via_addr *far)
{
	return via_addr_is_v4(far) ? 65535u - 20u : 65535u; /* IPv6 does not count its header */
}
/* Where a datagram goes and from where: checks `to`, binds if need be. *src: in, whose name it bears if `as_other`. */
int dgram_route(struct sock_env *env, struct endpoint *ep, const struct via_sockaddr *to, bool as_other, struct via_sockaddr *dst,
		struct via_sockaddr *src);
/* Send p (taken) by ep's TTL and TOS. */
int dgram_tx(struct sock_env *env, struct endpoint *ep, struct pkt *p, const struct via_addr *src, const struct via_addr *dst);

/* from: NULL, or under whose name (via_sendfrom()). */
int64_t udp_send(struct sock_env *env, struct endpoint *ep, const void *data, uint32_t len, const struct via_sockaddr *from,
		 const struct via_sockaddr *to);
int64_t ping_send(struct sock_env *env, struct endpoint *ep, const void *data, uint32_t len, const struct via_sockaddr *from,
		  const struct via_sockaddr *to);

#endif
