/* tcp/tcp.h - TCP, RFC 9293 and its family: five doors in, one way out.
 *
 *   tcp_user_*()            the local user (sock/)
 *   tcp_segment_arrives()   a segment for a connection, SYN-RECEIVED or TIME-WAIT entry; tcp_listen_arrives(), tcp_closed_arrives()
 *   tcp_timeout()           a timer of the wheel
 *   tcp_icmp_arrives()      an ICMP error, already parsed
 *   tcp_path_changed()      route, PMTU or interface changed
 *   -> tcp_output(), once per burst by tcp_flush(), into tcp_ops.tx (the stack's outbox)
 *
 * Everything touched besides the connection is in struct tcp_env. Three lifetimes: an endpoint (sock/) refers to a
 * connection; SYN-RECEIVED and TIME-WAIT are small structs of their own. All three kinds begin with struct tcp_node, which is what
 * demux (sock/) finds. A connection is three structs: hot, active (taken at the first unacknowledged or out-of-order byte), rare. */
#ifndef TCP_TCP_H
#define TCP_TCP_H

#include "base/list.h"
#include "base/prf.h"
#include "base/wheel.h"
#include "pkt/pkt.h"
#include "pkt/trace.h"
#include "tcp/path.h"
#include "wire/tcp.h"
#include <viaduct/socket.h>

/* RFC 9293 §3.3.2 states by Linux's numbers. */
enum tcp_state {
	TCP_ESTABLISHED = 1, TCP_SYN_SENT, TCP_SYN_RECEIVED, TCP_FIN_WAIT_1, TCP_FIN_WAIT_2, TCP_TIME_WAIT,
	TCP_CLOSED, TCP_CLOSE_WAIT, TCP_LAST_ACK, TCP_LISTEN, TCP_CLOSING
};

/* Wheel kinds of the whole stack: TCP's own here, others from 16 on (sock/, link/, stack/). */
enum {
	WHEEL_TCP_CONN = 1, WHEEL_TCP_SYNRCVD = 2, WHEEL_TCP_TIMEWAIT = 3,
	WHEEL_NEIGH = 16, WHEEL_STACK = 17, WHEEL_SOCK = 18, WHEEL_REASM = 19, WHEEL_ACD = 20, WHEEL_ND = 21, WHEEL_CT = 22,
	WHEEL_GROUPS = 23,
};

/* First member of tcp_conn, tcp_synrcvd and tcp_timewait. node.timer.kind tells which. */
struct tcp_node {
	struct wheel_node timer; /* must be first */
	ref_t hash_next;         /* sock/'s demux chain */
	ref_t path;              /* holds a count; local and remote address are there */
	uint16_t lport, rport;
	uint32_t hash;           /* keyed hash of the four-tuple, set by sock/ in demux_add */
};

struct tcp_conn;     /* tcp/conn.h */
struct tcp_state_tab;/* pools, dirty list, keys: allocated by tcp_init */

/* Options an endpoint gives its connection (and a listener its children). */
struct tcp_opts {
	uint32_t rcvbuf;           /* bytes of window, half of SO_RCVBUF; 0: autotuned from the stack's default */
	uint32_t sndbuf;           /* SO_SNDBUF as told; 0: autotuned */
	uint32_t notsent_lowat;    /* TCP_NOTSENT_LOWAT, bytes; 0: the stack's */
	uint32_t rcvlowat;         /* SO_RCVLOWAT; 0: 1 */
	uint16_t mss_clamp;        /* TCP_MAXSEG; 0: none */
	uint8_t ttl, tos;          /* 0: default */
	bool nodelay, cork, keepalive, quickack, oob_inline;
	uint32_t keep_idle_s, keep_intvl_s; /* 0: 7200, 75 */
	uint8_t keep_cnt;          /* 0: 9 */
	uint8_t syn_retries;       /* 0: default giving at least 3 minutes */
	uint32_t user_timeout_ms;  /* 0: default R2 */
	uint8_t cc;                /* congestion control index, 0: default */
	uint64_t pacing_max;       /* SO_MAX_PACING_RATE, bytes/s; 0: none */
	bool fastopen;             /* connect() may put text on its SYN (fastopen.h) */
	bool fastopen_no_cookie;   /* and needs no cookie for it; a listener asks for none */
	int8_t fin_wait2_s;        /* TCP_LINGER2: FIN-WAIT-2 of an orphan; 0: the stack's, negative: reset instead */
	uint8_t defer;             /* listener: for so many time-outs of the SYN-ACK a third ACK without text does not count */
};

/* Bits of tcp_settings.fastopen, Linux's: as client, as server, the first without cookie, the second too, every listener. */
enum {
	TCP_FASTOPEN_CLIENT = 1, TCP_FASTOPEN_SERVER = 2, TCP_FASTOPEN_CLIENT_NO_COOKIE = 4, TCP_FASTOPEN_SERVER_NO_COOKIE = 0x200,
	TCP_FASTOPEN_EVERY_LISTENER = 0x400
};

/* What the stack's owner may set; Linux's names and numbers. */
struct tcp_settings {
	uint8_t syncookies;        /* 0: never, 1: when the SYN queue is full, 2: always */
	uint16_t fastopen;         /* TCP_FASTOPEN_*; 0: off */
	uint16_t fin_timeout_s;    /* FIN-WAIT-2 of an orphan */
	uint32_t orphans_max;      /* connections without endpoint; beyond it close() resets */
	bool no_sack, no_timestamps, no_scaling; /* neither offered nor accepted */
	uint8_t syn_retries, synack_retries;     /* 0: TCP_RETRIES_SYN, TCP_RETRIES_SYNACK */
	/* buffers, as SO_RCVBUF and SO_SNDBUF tell them */
	uint32_t rmem, rmem_max;   /* net.ipv4.tcp_rmem: first size, and what autotuning may reach */
	uint32_t wmem, wmem_max;   /* net.ipv4.tcp_wmem */
	uint32_t notsent_lowat;    /* net.ipv4.tcp_notsent_lowat */
	bool moderate_rcvbuf;      /* net.ipv4.tcp_moderate_rcvbuf: receive buffers are autotuned */
	uint64_t mem_low, mem_pressure, mem_high; /* net.ipv4.tcp_mem, in bytes */
	uint32_t tallies;          /* drained connections that keep what was counted for TCP_INFO (tally.h) */
	uint64_t stalled_max;      /* what peers with a zero window may pin, bytes; 0: no cap */
	uint8_t fo_n_keys;         /* net.ipv4.tcp_fastopen_key; 0: one of the stack's own, which changes every day */
	struct prf_key fo_keys[2];
};

/* A listener's TCP side: owned by its endpoint in sock/, allocated by tcp_user_listen(). */
struct tcp_listener {
	struct list accept;     /* tcp_conn by their accept link: established, without endpoint */
	struct list synrcvd;    /* its SYN-RECEIVED entries */
	uint32_t backlog;       /* accept queue holds backlog + 1 */
	uint32_t syn_max;       /* cap on SYN-RECEIVED entries */
	int64_t cookie_at;      /* when the last SYN cookie was sent; INT64_MIN: never */
	/* Fast Open (fastopen.h) */
	bool holds;             /* SYNs wait for tcp_user_answer() (held.c) */
	struct list fo;         /* connections that wait for their third ACK, by tcp_rare.fo_link */
	uint32_t fo_max;        /* how many may; TCP_FASTOPEN */
	uint32_t fo_resets;     /* reset while waiting, until fo_reset_until */
	int64_t fo_reset_until;
	uint8_t fo_n_keys;      /* TCP_FASTOPEN_KEY; 0: the stack's */
	struct prf_key fo_keys[2];
	ref_t owner;            /* endpoint */
	struct via_addr local;  /* any or bound */
	uint16_t lport;
	struct tcp_opts opts;
};

/* What happened to a connection, for its endpoint. */
enum {
	TCP_EV_CONNECTED = 1, TCP_EV_READABLE = 2, TCP_EV_WRITABLE = 4, TCP_EV_PEER_FIN = 8,
	TCP_EV_ERROR = 16,   /* tcp_error() tells */
	TCP_EV_CLOSED = 32,  /* the connection is about to go (freed or TIME-WAIT): the endpoint must forget its ref now */
	TCP_EV_LISTEN = 64,  /* on a listener: accept queue became or grew non-empty */
	TCP_EV_URGENT = 128, /* the urgent pointer advanced, or its octet came */
};

enum tcp_mem_state { TCP_MEM_FREE, TCP_MEM_PRESSURE, TCP_MEM_FULL };
/* Counters of the whole stack. */
enum tcp_count {
#define COUNT(e, name) TCP_COUNT_##e,
#include "tcp/count.def"
#undef COUNT
	TCP_COUNTS
};

struct tcp_env;

/* How TCP reaches the rest; ctx is the stack. None may call back into TCP. */
struct tcp_ops {
	void (*path_hold)(void *ctx, ref_t path);
	void (*path_drop)(void *ctx, ref_t path);
	/* A finished segment (linear: TCP header with partial checksum, l4 set; m.owner set if it carries data): takes p. flags of
	 * IP: ttl, tos from the arguments, ECN in p->m.ecn. */
	void (*tx)(void *ctx, struct pkt *p, ref_t path, uint8_t ttl, uint8_t tos);
	/* The same for an answer without connection. */
	void (*tx_reply)(void *ctx, struct pkt *p, const struct via_addr *local, const struct via_addr *remote);
	/* Bytes the interface of `path` would queue now; 0: stop and wait for tcp_tx_room(). */
	uint32_t (*tx_room)(void *ctx, ref_t path);
	void (*demux_add)(void *ctx, ref_t node);
	void (*demux_del)(void *ctx, ref_t node);
	/* owner is what tcp_user_connect / tcp_user_listen / tcp_user_adopt was given; never called with owner 0. */
	void (*notify)(void *ctx, ref_t owner, uint32_t events);
	/* Optional (may be NULL). R1 retransmissions went unanswered (RFC 9293 §3.8.3): the route or neighbour may be dead. */
	void (*path_suspect)(void *ctx, ref_t path);
	/* Optional (may be NULL). The peer made progress: the neighbour is alive (RFC 4861 §7.3.1). */
	void (*path_confirm)(void *ctx, ref_t path);
};

/* Process-local; filled by stack/ at creation, `now` before each entry. */
struct tcp_env {
	struct arena *arena;
	struct wheel *wheel;
	struct pktmem *mem;
	ref_t tab;                 /* struct tcp_state_tab */
	const struct tcp_ops *ops;
	void *ctx;
	const struct trace *trace; /* or NULL */
	const char *name;          /* the stack's, for traces */
	int64_t now;
	uint64_t *drops;           /* counters by enum drop */
	bool no_rack;              /* new connections find losses by RFC 6675 instead of RACK-TLP (RFC 8985) */
	bool no_tlp;               /* no tail loss probes */
	bool paces;                /* every connection is paced, not only those that ask for it */
	uint8_t ecn;               /* as Linux's tcp_ecn: 0 off, 1 asked for and accepted, 2 accepted */
	uint8_t mtu_probing;       /* as Linux's tcp_mtu_probing: 0 off, 1 after a black hole, 2 always */
	uint16_t base_mss;         /* where the search for the path MTU begins */
	bool ecn_abe;              /* ECE reduces by the factors of RFC 8511 */
};

/* Create TCP's pools, keys (from seed) and lists in the arena; sets env->tab. 0 or -ENOMEM. */
int tcp_init(struct tcp_env *env, const uint8_t seed[32]);
/* To read and to change; valid until the stack goes. */
struct tcp_settings *tcp_settings_of(const struct tcp_env *env);

/* The budget and who pins what; out->size is the caller's. */
void tcp_mem_get(const struct tcp_env *env, struct via_tcp_memory *out);
/* Reset connections whose peers shut their windows, the longest first, until such peers pin no more than `keep` bytes (at most some at
 * once). Returns how many: call again until none. Their users see ETIMEDOUT. */
uint32_t tcp_mem_reclaim(struct tcp_env *env, uint64_t keep);

/* --- user calls (RFC 9293 §3.9.1) --- */

/* Active open. path: one count is taken over, also on failure. Gives the connection's ref in *out; it is in demux. -ENOMEM. */
/* With o->fastopen, a cookie for that address and luck, the SYN waits for the first tcp_user_send(): tcp_user_waits(). */
int tcp_user_connect(struct tcp_env *env, ref_t path, uint16_t lport, uint16_t rport, const struct tcp_opts *o, ref_t owner, ref_t *out);
bool tcp_user_waits(struct tcp_env *env, ref_t conn);
/* Forget what servers' cookies are known. */
void tcp_fastopen_forget(struct tcp_env *env);
#define TCP_FO_KEY_LEN 16
/* Fast Open's key, or two of them, from the len bytes that Linux's TCP_FASTOPEN_KEY takes. */
void tcp_fastopen_keys(const uint8_t *bytes, uint32_t len, struct prf_key out[2]);
/* Gives a listener, or 0. */
ref_t tcp_user_listen(struct tcp_env *env, const struct via_addr *local, uint16_t lport, uint32_t backlog, const struct tcp_opts *o,
		      ref_t owner);
/* Resets queued connections, forgets SYN-RECEIVED entries, frees. */
void tcp_user_unlisten(struct tcp_env *env, ref_t listener);
struct tcp_listener *tcp_listener_at(struct tcp_env *env, ref_t listener);
/* Take the oldest queued connection and give it an endpoint; 0 when none. */
ref_t tcp_user_accept(struct tcp_env *env, ref_t listener, ref_t owner);

/* Answer a held open (held.c). -ENOMEM; -EINVAL: it is not held (any more). Closing it instead is silent, or a RST with linger0. */
int tcp_user_answer(struct tcp_env *env, ref_t conn);

/* Bytes taken; -EAGAIN (buffer full, or memory out: TCP_EV_WRITABLE follows), -EPIPE (shut or closed), -ENOTCONN, the pending error.
 * more: MSG_MORE. */
int64_t tcp_user_send(struct tcp_env *env, ref_t conn, const void *data, uint32_t len, bool more);
int tcp_user_send_reserve(struct tcp_env *env, ref_t conn, struct via_iov *iov, int n, uint32_t want);
int tcp_user_send_commit(struct tcp_env *env, ref_t conn, uint32_t len);
int64_t tcp_user_send_lend(struct tcp_env *env, ref_t conn, const void *data, uint32_t len, void (*done)(void *, uint64_t),
			   void *ctx, uint64_t token);
/* Bytes; 0 at FIN; -EAGAIN; -ENOTCONN; the pending error. */
int64_t tcp_user_recv(struct tcp_env *env, ref_t conn, void *out, uint32_t len, bool peek);
int tcp_user_recv_peek(struct tcp_env *env, ref_t conn, struct via_iov *iov, int n);
int tcp_user_recv_consume(struct tcp_env *env, ref_t conn, uint32_t len); /* moves the window by the rules of §3.8.6.2.2 */
/* MSG_OOB (urgent.h). send: as tcp_user_send(), and the last byte taken is urgent. recv: 1 and the octet; -EAGAIN, it is announced but not
 * here; 0, it will not come; -EINVAL, there is none, or it stays in the stream. atmark: does the next read begin at the mark? */
int64_t tcp_user_send_oob(struct tcp_env *env, ref_t conn, const void *data, uint32_t len);
int tcp_user_recv_oob(struct tcp_env *env, ref_t conn, uint8_t *out, bool peek);
bool tcp_user_atmark(struct tcp_env *env, ref_t conn);
int tcp_user_shutdown_wr(struct tcp_env *env, ref_t conn); /* FIN after what is queued. -ENOTCONN */
void tcp_user_shutdown_rd(struct tcp_env *env, ref_t conn);
/* The endpoint goes: unread data or linger0 makes it RST, else FIN and orphan. No notify comes any more. */
void tcp_user_close(struct tcp_env *env, ref_t conn, bool linger0);
/* Apply changed options (nodelay, cork, buffers, keepalive...). */
void tcp_user_set_opts(struct tcp_env *env, ref_t conn, const struct tcp_opts *o);
/* What is queued now goes, short segments and all, whatever holds it: Nagle, cork, "more follows". */
void tcp_user_push(struct tcp_env *env, ref_t conn);
/* Pending error (positive errno) and clear it; 0 none. */
int tcp_user_error(struct tcp_env *env, ref_t conn);
/* VIA_* level bits. */
uint32_t tcp_user_ready(struct tcp_env *env, ref_t conn);
/* SO_RCVBUF and SO_SNDBUF as they stand. */
void tcp_user_buffers(struct tcp_env *env, ref_t conn, uint32_t *rcvbuf, uint32_t *sndbuf);
uint32_t tcp_user_inq(struct tcp_env *env, ref_t conn);
uint32_t tcp_user_outq(struct tcp_env *env, ref_t conn);
enum tcp_state tcp_conn_state(struct tcp_env *env, ref_t conn);
struct tcp_node *tcp_node_at(struct tcp_env *env, ref_t node);
/* Fill all TCP fields of `out` for a conn, synrcvd or timewait node; out->tcp_info and cc_info too, if there is room.
 * Returns the endpoint that owns it, or 0. */
ref_t tcp_node_info(struct tcp_env *env, ref_t node, struct via_sock_info *out);
/* The same for a listener: queue and backlog stand for the byte counts, as on Linux. */
void tcp_listener_info(struct tcp_env *env, ref_t listener, struct via_sock_info *out);
/* struct via_tcp_info, that is Linux's struct tcp_info (len: room; returns bytes written). */
uint32_t tcp_conn_linux_info(struct tcp_env *env, ref_t conn, void *out, uint32_t len);
/* Linux's union tcp_cc_info (linux/inet_diag.h): of BBR its struct tcp_bbr_info; of the others nothing, 0 bytes. */
uint32_t tcp_conn_cc_info(struct tcp_env *env, ref_t conn, void *out, uint32_t len);

/* --- segments. p: begins (linear, m.l4) at the TCP header, checksum checked by the callee. All take p. Return DROP_NONE or
 * why dropped. --- */
enum drop tcp_segment_arrives(struct tcp_env *env, ref_t node, struct pkt *p);
/* A listener was found for it and no connection. local/remote: of the packet. get_path gives a counted path or 0 when one is needed. */
enum drop tcp_listen_arrives(struct tcp_env *env, ref_t listener, struct pkt *p, const struct via_addr *local,
			     const struct via_addr *remote,
			     ref_t (*get_path)(void *ctx, const struct via_addr *local, const struct via_addr *remote));
/* Nobody: RST by RFC 9293 §3.10.7.1 (unless RST). */
enum drop tcp_closed_arrives(struct tcp_env *env, struct pkt *p, const struct via_addr *local, const struct via_addr *remote);
/* Is a SYN for this TIME-WAIT entry a fresh incarnation (RFC 6191, 9293 §3.6.1)? True: the entry is gone and the caller treats p as
 * arriving at a listener. p stays the caller's. `has_listener` tells whether one exists. */
bool tcp_timewait_yields(struct tcp_env *env, ref_t node, struct pkt *p);

/* --- the rest --- */
void tcp_timeout(struct tcp_env *env, ref_t node);
/* err: positive errno. hard: abort if the quoted seq is in flight (RFC 5927) and the state allows; else soft error.
 * mtu: nonzero for "fragmentation needed". */
void tcp_icmp_arrives(struct tcp_env *env, ref_t node, int err, bool hard, uint32_t seq, uint32_t mtu);
void tcp_path_changed(struct tcp_env *env, ref_t path);
/* The path's local address is ours no more: its connections end with err (errno), without a word. The caller holds a count. */
void tcp_path_gone(struct tcp_env *env, ref_t path, int err);
/* The driver took (or a local queue dropped) the bytes below seq_end of this connection. gen: pkt_meta.owner_gen. */
void tcp_sent(struct tcp_env *env, ref_t conn, uint32_t gen, uint32_t seq_end, int64_t at);
/* Interface `ifindex` has room again: connections held by it go on at the next tcp_flush(). */
void tcp_tx_room(struct tcp_env *env, uint16_t ifindex);
/* tcp_output() for every connection marked dirty. Called once per burst. */
void tcp_flush(struct tcp_env *env);
/* Is any connection waiting for tcp_flush()? */
bool tcp_is_dirty(const struct tcp_env *env);
/* TCP_COUNTS values, borrowed. */
const uint64_t *tcp_counts(const struct tcp_env *env);
/* Walk all nodes for listing. cursor 0 at the start; 0 at the end. */
ref_t tcp_node_next(struct tcp_env *env, ref_t after);
/* Abort everything silently (stack going away). */
void tcp_fini(struct tcp_env *env);

#endif
