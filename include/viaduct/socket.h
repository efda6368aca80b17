/* viaduct/socket.h - sockets of one stack: the one API that doors, services, commands and embedders use.
 *
 * Every call is non-blocking and returns bytes, 0, or a negative errno; it never calls back into the user. Handles are
 * 64-bit (index and generation): a stale one gives -EBADF. Readiness comes two ways: via_events() drains coalesced
 * edges and cannot overflow, via_ready() tells the level. Calls only note that something is to be sent; the owner of
 * the stack sends it with via_poll() (see stack.h), which it calls after a batch of socket calls. */
#ifndef VIADUCT_SOCKET_H
#define VIADUCT_SOCKET_H

#include <viaduct/types.h>

typedef uint64_t via_sock; /* 0 is never a socket */

enum via_type {
	VIA_STREAM = 1, /* TCP */
	VIA_DGRAM = 2,  /* UDP */
	VIA_PING = 3,   /* ICMP echo: a datagram is type, code, checksum, id, sequence, data; id is the local port (Linux's ping sockets) */
};

/* May be added to a type: an AF_INET6 socket. Unbound it is at ::, and takes and reaches IPv4 too, as mapped addresses, unless IPV6_V6ONLY
 * is set; towards IPv6 the options of IPPROTO_IPV6 hold. A socket opened without it takes the family of the first address it is given,
 * and IPPROTO_IP's options hold for either. */
enum { VIA_V6 = 256 };

/* Readiness bits; the values are poll(2)'s. */
enum {
	VIA_IN = 0x001,    /* recv or accept would not say -EAGAIN */
	VIA_PRI = 0x002,   /* an urgent octet waits (VIA_OOB); an edge at each advance of the urgent pointer, even before the octet is here */
	VIA_OUT = 0x004,   /* send would take at least a segment; connect has ended */
	VIA_ERR = 0x008,   /* an error is pending (SO_ERROR) */
	VIA_HUP = 0x010,   /* both directions are shut */
	VIA_RDHUP = 0x2000 /* the peer has shut its sending side */
};

struct via_event {
	via_sock sock;
	uint64_t cookie;
	uint32_t edges; /* VIA_* bits that became true since the last event of this socket */
};

/* Flags of send and recv. */
enum {
	VIA_PEEK = 1,     /* recv: leave the data in the queue */
	VIA_MORE = 2,     /* send: more follows at once, hold a partial segment (MSG_MORE) */
	VIA_TRUNC = 4,    /* recv of a datagram: return its true length even when cut (MSG_TRUNC) */
	VIA_ERRQUEUE = 8, /* reserved */
	VIA_OOB = 16,     /* send on a stream: the last byte is urgent; recv: that octet, one. -EINVAL: none, or SO_OOBINLINE (MSG_OOB) */
	VIA_FASTOPEN = 32, /* sendto on a stream not yet connected: connect, text on the SYN if the server's cookie is known (MSG_FASTOPEN);
			      bytes taken, or -EINPROGRESS: connecting without. -EOPNOTSUPP: VIA_SET_TCP_FASTOPEN has it off */
};

/* Make a socket. cookie comes back with its events. -EMFILE, -ENOMEM at the cap. */
VIA_API int via_open(struct via *v, enum via_type type, uint64_t cookie, via_sock *out);
VIA_API int via_set_cookie(struct via *v, via_sock s, uint64_t cookie);

/* Bind to a local address (any = 0.0.0.0, or :: for both families) and port (0: one is chosen, RFC 6056). -EADDRINUSE,
 * -EADDRNOTAVAIL, -EINVAL. */
VIA_API int via_bind(struct via *v, via_sock s, const struct via_sockaddr *local);
/* TCP: -EINPROGRESS, then VIA_OUT, or VIA_ERR with the cause in SO_ERROR. -EISCONN, -EALREADY, -ENETUNREACH,
 * -EADDRNOTAVAIL. UDP and ping: fixes the peer, at once; an `any` address with port 0 undoes it. */
VIA_API int via_connect(struct via *v, via_sock s, const struct via_sockaddr *remote);
/* backlog as Linux means it: the accept queue holds backlog + 1. */
VIA_API int via_listen(struct via *v, via_sock s, int backlog);
/* -EAGAIN when no connection waits. `peer` may be NULL. */
VIA_API int via_accept(struct via *v, via_sock s, uint64_t cookie, via_sock *out, struct via_sockaddr *peer);
/* s, fresh, takes what arrives for any address and port (VIA_SET_ANY_ADDRESS) that no other socket is there for: all datagrams, or
 * all echo requests, or all SYNs. A stream socket listens then, and its opens are held: via_accept() gives a connection whose SYN
 * is not answered yet (via_local() and via_peer() tell which); via_answer() answers it, via_abort() refuses it by a RST, via_close()
 * forgets it without a word. One of each type: -EBUSY. -EINVAL: bound or connected. */
VIA_API int via_catch_all(struct via *v, via_sock s);
/* Answer a held open: SYN-ACK; VIA_OUT when the handshake ends. -ENOMEM: try again, or give up; -EINVAL: it is not held any more. */
VIA_API int via_answer(struct via *v, via_sock s);
VIA_API int via_local(struct via *v, via_sock s, struct via_sockaddr *out);
VIA_API int via_peer(struct via *v, via_sock s, struct via_sockaddr *out); /* -ENOTCONN */

/* Copy in. Returns bytes taken (may be short on a stream), -EAGAIN (on a stream also while memory is out: VIA_OUT follows), -EPIPE,
 * -ECONNRESET, -ENOTCONN, ... A pending error is returned once. */
VIA_API int64_t via_send(struct via *v, via_sock s, const void *data, uint32_t len, int flags);
/* Copy out. 0 is the peer's FIN on a stream. */
VIA_API int64_t via_recv(struct via *v, via_sock s, void *data, uint32_t len, int flags);
/* Datagrams. `to` NULL means the connected peer. -EMSGSIZE when it cannot leave whole. 255.255.255.255 may name in its scope the
 * interface it leaves by; from one without address only a DHCP client's questions do (port 68 to 67), else -EADDRNOTAVAIL. */
VIA_API int64_t via_sendto(struct via *v, via_sock s, const void *data, uint32_t len, int flags, const struct via_sockaddr *to);
/* `from` and `local` (the address it was sent to; of 255.255.255.255 the scope tells the interface it came by) may be NULL. */
VIA_API int64_t via_recvfrom(struct via *v, via_sock s, void *data, uint32_t len, int flags, struct via_sockaddr *from,
			     struct via_sockaddr *local);

/* The same from a socket of via_catch_all(), under the name of `from`. A ping socket may send echo replies so. */
VIA_API int64_t via_sendfrom(struct via *v, via_sock s, const void *data, uint32_t len, const struct via_sockaddr *from,
			     const struct via_sockaddr *to);
/* Tell the host `remote` by an ICMP error that what it sent from that port to `local` did not arrive. code: of IPv4's "destination
 * unreachable", which IPv6 says in its own numbers (9 and 10: a route rejects it). seq: a stream's, the number of its SYN
 * (via_sock_info.irs). The rate limit of all ICMP errors holds. 0, -EINVAL, -ENOBUFS. */
VIA_API int via_unreach(struct via *v, enum via_type type, uint8_t code, const struct via_sockaddr *local,
			const struct via_sockaddr *remote, uint32_t seq);

/* Zero copy. Peek: up to n spans of what recv would return, valid until the next call on this stack; returns the number
 * of spans. Consume: take `len` of those bytes away. */
VIA_API int via_recv_peek(struct via *v, via_sock s, struct via_iov *iov, int n);
VIA_API int via_recv_consume(struct via *v, via_sock s, uint32_t len);
/* Reserve: up to n writable spans of the send buffer, at most `want` bytes in all; commit: `len` of them are data now.
 * A reservation lives until the next call on this socket. */
VIA_API int via_send_reserve(struct via *v, via_sock s, struct via_iov *iov, int n, uint32_t want);
VIA_API int via_send_commit(struct via *v, via_sock s, uint32_t len);
/* Lend: queue [data, data+len) by reference, no copy. The memory must stay as it is until `done(ctx, token)` was called
 * during a later via_poll() or via_close() (the one exception to "no callbacks": it only returns the loan). Returns bytes
 * lent, or -EAGAIN. Blocks below the region's block size may be copied; `done` is called all the same. */
VIA_API int64_t via_send_lend(struct via *v, via_sock s, const void *data, uint32_t len, void (*done)(void *ctx, uint64_t token),
			      void *ctx, uint64_t token);

enum via_how { VIA_SHUT_RD = 0, VIA_SHUT_WR = 1, VIA_SHUT_RDWR = 2 };
VIA_API int via_shutdown(struct via *v, via_sock s, enum via_how how);
/* Orderly: what was sent is still delivered, then FIN; unread data makes it a RST (RFC 9293 §3.6.1). */
VIA_API int via_close(struct via *v, via_sock s);
/* RST now. */
VIA_API int via_abort(struct via *v, via_sock s);

/* level, name and value layout are Linux's (SOL_SOCKET/SO_*, IPPROTO_TCP/TCP_*, IPPROTO_IP/IP_*), the value in this
 * machine's layout. -ENOPROTOOPT for what the stack does not have. getsockopt: *len in: room, out: used. */
VIA_API int via_setsockopt(struct via *v, via_sock s, int level, int name, const void *val, uint32_t len);
VIA_API int via_getsockopt(struct via *v, via_sock s, int level, int name, void *val, uint32_t *len);

/* Does the next recv begin at the urgent mark (SIOCATMARK)? 1 or 0. A recv never reads across it. */
VIA_API int via_atmark(struct via *v, via_sock s);

/* Bytes waiting to be read (SIOCINQ; a datagram socket: the size of the next one) and not yet acknowledged (SIOCOUTQ). */
VIA_API int64_t via_inq(struct via *v, via_sock s);
VIA_API int64_t via_outq(struct via *v, via_sock s);

/* The level of readiness now, VIA_* bits; 0 for a stale handle with VIA_ERR | VIA_HUP set. */
VIA_API uint32_t via_ready(struct via *v, via_sock s);
/* Drain up to max events. Returns how many; fewer than max means none is left. */
VIA_API int via_events(struct via *v, struct via_event *ev, int max);

/* Optional convention for owners that share one stack: a cookie that is the address of a struct via_handler. */
struct via_handler {
	void (*event)(struct via_handler *h, struct via *v, via_sock s, uint32_t edges);
};
static inline uint64_t via_cookie(struct via_handler *h)
{
	return (uint64_t)(uintptr_t)h;
}
/* Drain all events, giving each to the handler its cookie names (cookie 0: dropped). A handler may close any socket;
 * events of closed sockets are discarded. Returns how many were given. */
VIA_API int via_dispatch(struct via *v);

/* What `ss` shows, one socket. */
struct via_sock_info {
	uint32_t size; /* sizeof, set by the caller */
	enum via_type type;
	uint8_t tcp_state; /* RFC 9293 number as Linux: 1 ESTABLISHED ... 11 CLOSING; 0 for datagrams */
	struct via_sockaddr local, remote;
	uint64_t bytes_sent, bytes_received;      /* payload bytes, first transmissions / in order */
	uint64_t segs_out, segs_in, segs_retrans; /* data segments retransmitted */
	uint32_t rcv_queue, snd_queue;
	int64_t srtt_ns, rttvar_ns, rto_ns;
	uint32_t cwnd, ssthresh, mss;
	uint32_t iss, irs; /* first sequence numbers, ours and the peer's */
	uint8_t timer;     /* what will fire first, as ss: 0 off, 1 on (retransmission), 2 keepalive, 3 timewait, 4 persist */
	uint8_t retries;   /* how often it has fired since the last progress */
	int64_t timer_ns;  /* until it fires */
	char cc[16];       /* congestion control of a connection or listener, else empty */
	void *tcp_info;    /* set by the caller: where a struct via_tcp_info (tcp_info.h), which is Linux's struct tcp_info, goes, or NULL */
	uint32_t tcp_info_len; /* in: room there; out: bytes written, 0 for what has none */
	void *cc_info;         /* the same for union tcp_cc_info (linux/inet_diag.h): BBR's struct tcp_bbr_info, others have none */
	uint32_t cc_info_len;
	bool is_v6, v6_only; /* an AF_INET6 socket, also where its addresses are IPv4; one that takes no IPv4 */
};
/* TCP's memory: the true size of all send and receive queues of the stack, and what is done about it (thresholds: VIA_SET_TCP_MEM_*).
 * Under pressure what is out of order is not kept, and windows the stack chose shrink; when full, new connections and writes are
 * refused (-ENOBUFS, -EAGAIN); no established connection is reset. */
enum via_tcp_memory_state { VIA_TCP_MEM_FREE, VIA_TCP_MEM_PRESSURE, VIA_TCP_MEM_FULL };
struct via_tcp_memory {
	uint32_t size; /* sizeof, set by the caller */
	enum via_tcp_memory_state state;
	uint64_t used, low, pressure, high; /* bytes */
	uint64_t n_pressure, n_full; /* how often each began */
	uint64_t pruned;             /* bytes out of order given up */
	uint64_t refused;            /* connections and writes, at the limit */
	uint64_t stalled;            /* bytes that peers with a zero window pin */
	uint64_t n_stalled;          /* in so many connections */
	uint64_t stalled_max;        /* VIA_SET_TCP_STALLED_MAX */
	uint64_t reclaimed;          /* bytes taken back from them */
};
VIA_API void via_tcp_memory_get(struct via *v, struct via_tcp_memory *out);
/* Reset connections whose peers have shut their windows, the longest first, until such peers pin at most `keep` bytes; ETIMEDOUT to
 * their users. Without this call or VIA_SET_TCP_STALLED_MAX they stay as long as they answer probes. Returns how many. */
VIA_API uint32_t via_tcp_reclaim(struct via *v, uint64_t keep);

/* Walk all sockets, connections, SYN-RECEIVED and TIME-WAIT: *cursor starts at 0. False at the end. */
VIA_API bool via_sock_next(struct via *v, uint64_t *cursor, struct via_sock_info *out);
VIA_API int via_sock_info(struct via *v, via_sock s, struct via_sock_info *out);

#endif
