/* sock/sock.h - endpoints: ports, demux, options, readiness, events. One endpoint is what a descriptor refers to.
 *
 * sock/ holds the demux tables (four-tuple to tcp_node; local address and port to listener or UDP endpoint), the port
 * space (RFC 6056), the handle table (index, generation) and the event list. It knows no route and no link: struct
 * sock_ops is how it asks stack/. The public calls of viaduct/socket.h are stack/api.c, one line each over these. */
#ifndef SOCK_SOCK_H
#define SOCK_SOCK_H

#include "base/list.h"
#include "base/prf.h"
#include "pkt/pkt.h"
#include "tcp/tcp.h"
#include "udp/udp.h"
#include <viaduct/socket.h>

struct sock_ops {
	/* Choose the source for remote (local may be given or any) and give a counted path: 0, -ENETUNREACH, -EADDRNOTAVAIL. */
	int (*path_get)(void *ctx, const struct via_addr *local, const struct via_addr *remote, ref_t *path);
	void (*path_drop)(void *ctx, ref_t path);
	const struct tcp_path *(*path_at)(void *ctx, ref_t path);
	/* Is it an address of this stack (127/8 included), or taken as one? */
	bool (*addr_is_ours)(void *ctx, const struct via_addr *a);
	/* Send a transport datagram (linear begins at its L4 header, l4 set, proto 17 or 1). local may be any. Takes p.
	 * 0, -ENETUNREACH, -EMSGSIZE, -ENOBUFS, -EACCES. */
	int (*tx_datagram)(void *ctx, struct pkt *p, uint8_t proto, const struct via_addr *local,
			   const struct via_addr *remote, uint8_t ttl, uint8_t tos);
	/* Join a group on an interface, and leave it under the id that was given: 0, -ENODEV, -ENOBUFS. */
	int (*group_join)(void *ctx, uint32_t ifindex, const struct via_addr *group, uint32_t *id);
	void (*group_leave)(void *ctx, uint32_t ifindex, const struct via_addr *group, uint32_t id);
	/* The interface of a group when nobody says which; of an address of ours. 0: none. */
	uint32_t (*group_iface)(void *ctx, const struct via_addr *group);
	uint32_t (*addr_iface)(void *ctx, const struct via_addr *addr);
};

/* Process-local. */
struct sock_env {
	struct arena *arena;
	struct pktmem *mem;
	struct tcp_env *tcp;
	ref_t tab;                  /* struct sock_tab in the arena: all tables */
	const struct sock_ops *ops;
	void *ctx;
	int64_t now;
	uint64_t *drops;
	uint32_t max_sockets;
};

int sock_init(struct sock_env *env, const uint8_t seed[32]);
void sock_fini(struct sock_env *env);
/* Most that SO_RCVBUF and SO_SNDBUF may ask for, before doubling; 0 leaves it. */
void sock_set_buf_max(struct sock_env *env, uint32_t rmem_max, uint32_t wmem_max);

/* --- the calls of viaduct/socket.h, same meaning --- */
int sock_open(struct sock_env *env, enum via_type type, uint64_t cookie, via_sock *out);
int sock_set_cookie(struct sock_env *env, via_sock s, uint64_t cookie);
int sock_bind(struct sock_env *env, via_sock s, const struct via_sockaddr *local);
int sock_connect(struct sock_env *env, via_sock s, const struct via_sockaddr *remote);
int sock_listen(struct sock_env *env, via_sock s, int backlog);
int sock_accept(struct sock_env *env, via_sock s, uint64_t cookie, via_sock *out, struct via_sockaddr *peer);
int sock_catch_all(struct sock_env *env, via_sock s);
int sock_answer(struct sock_env *env, via_sock s);
int sock_local(struct sock_env *env, via_sock s, struct via_sockaddr *out);
int sock_peer(struct sock_env *env, via_sock s, struct via_sockaddr *out);
int64_t sock_sendto(struct sock_env *env, via_sock s, const void *data, uint32_t len, int flags, const struct via_sockaddr *to);
int64_t sock_sendfrom(struct sock_env *env, via_sock s, const void *data, uint32_t len, const struct via_sockaddr *from,
		      const struct via_sockaddr *to);
int64_t sock_recvfrom(struct sock_env *env, via_sock s, void *data, uint32_t len, int flags, struct via_sockaddr *from,
		      struct via_sockaddr *local);
int sock_recv_peek(struct sock_env *env, via_sock s, struct via_iov *iov, int n);
int sock_recv_consume(struct sock_env *env, via_sock s, uint32_t len);
int sock_send_reserve(struct sock_env *env, via_sock s, struct via_iov *iov, int n, uint32_t want);
int sock_send_commit(struct sock_env *env, via_sock s, uint32_t len);
int64_t sock_send_lend(struct sock_env *env, via_sock s, const void *data, uint32_t len, void (*done)(void *, uint64_t),
		       void *ctx, uint64_t token);
int sock_shutdown(struct sock_env *env, via_sock s, enum via_how how);
int sock_close(struct sock_env *env, via_sock s);
int sock_abort(struct sock_env *env, via_sock s);
int sock_setopt(struct sock_env *env, via_sock s, int level, int name, const void *val, uint32_t len);
int sock_getopt(struct sock_env *env, via_sock s, int level, int name, void *val, uint32_t *len);
int sock_atmark(struct sock_env *env, via_sock s);
int64_t sock_inq(struct sock_env *env, via_sock s);
int64_t sock_outq(struct sock_env *env, via_sock s);
uint32_t sock_ready(struct sock_env *env, via_sock s);
int sock_events(struct sock_env *env, struct via_event *ev, int max);
bool sock_next(struct sock_env *env, uint64_t *cursor, struct via_sock_info *out);
int sock_info(struct sock_env *env, via_sock s, struct via_sock_info *out);

/* --- from stack/rx.c. All take p, which begins (linear) at the L4 header; src and dst of the packet. --- */
/* get_path as in tcp_listen_arrives. */
enum drop sock_tcp_arrives(struct sock_env *env, struct pkt *p, const struct via_addr *src, const struct via_addr *dst,
			   ref_t (*get_path)(void *ctx, const struct via_addr *local, const struct via_addr *remote));
/* DROP_UDP_NO_SOCKET: p is NOT taken, the caller answers port unreachable and frees it (header pulled back by the caller
 * via l4). */
enum drop sock_udp_arrives(struct sock_env *env, struct pkt *p, const struct via_addr *src, const struct via_addr *dst);
/* An echo reply for a ping socket; p begins at the ICMP header. DROP_ICMP_NO_SOCKET when nobody asked. */
enum drop sock_ping_arrives(struct sock_env *env, struct pkt *p, const struct via_addr *src, const struct via_addr *dst, uint16_t id);
/* An echo request to an address that is only taken as ours; p begins at the ICMP header. Answers as sock_ping_arrives(). */
enum drop sock_echo_arrives(struct sock_env *env, struct pkt *p, const struct via_addr *src, const struct via_addr *dst, uint16_t id);
/* Does an endpoint or connection use the port, at whatever address? proto: 6, 17; of pings, 1, the id. */
bool sock_port_in_use(const struct sock_env *env, uint8_t proto, uint16_t port);

/* An ICMP error about a packet we sent. proto and ports from the quote; local/remote as we sent it. err: errno; hard; seq;
 * mtu as tcp_icmp_arrives. */
enum drop sock_icmp_arrives(struct sock_env *env, uint8_t proto, const struct via_addr *local,
			    const struct via_addr *remote, uint16_t lport, uint16_t rport,
			    int err, bool hard, uint32_t seq, uint32_t mtu);

/* --- TCP's upcalls, put into tcp_ops by stack/ (ctx is the stack; stack/ forwards to these with its sock_env) --- */
void sock_demux_add(struct sock_env *env, ref_t node);
void sock_demux_del(struct sock_env *env, ref_t node);
void sock_tcp_notify(struct sock_env *env, ref_t owner, uint32_t events);
#endif
