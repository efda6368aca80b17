/* tcp/conn.h - a connection as three structs (hot, active, rare), the small structs, and their lifecycle.
 *
 * hot is at most four cache lines and is all an idle connection owns. active is taken at the first byte to send or the first byte
 * out of order and returned when both directions are drained; rare holds what few connections have; what is counted for TCP_INFO
 * stands apart (tally.h). A connection with an endpoint is never freed under it: it stays as CLOSED, with its unread bytes and its
 * error, until tcp_user_close(). Freeing happens in one place, tcp_conn_settle(), which every door calls last; a connection whose
 * packets are still queued below waits for them, so the owner reference in a packet is never stale.
 * Deadlines that can wait are 32-bit wheel ticks; 0 is none. All sequence numbers are in host order. */
#ifndef TCP_CONN_H
#define TCP_CONN_H

#include "base/ivset.h"
#include "pkt/sbuf.h"
#include "tcp/cc.h"
#include "tcp/ranges.h"
#include "tcp/tcp.h"

#define TCP_MSL_NS (30 * NS_PER_S)           /* 2 MSL is 60 s, as Linux (RFC 9293 §3.4.2 has 2 min) */
#define TCP_DELACK_NS (40 * NS_PER_MS)       /* RFC 9293 §3.8.6.3: below 0.5 s */
#define TCP_CORK_NS (200 * NS_PER_MS)        /* a corked partial segment waits at most this long */
#define TCP_OVERRIDE_NS NS_PER_S             /* a window too small for a segment is filled after that (§3.8.6.2.1: 0.1 to 1 s) */
#define TCP_STARVED_SHIFT 23                 /* memory is asked for every 2^23 ns, about 8 ms */
#define TCP_INVALID_NS (500 * NS_PER_MS)     /* pure ACKs out of window are answered so often at most (as Linux) */
#define TCP_FIN_TIMEOUT_S 60                 /* FIN-WAIT-2 without endpoint */
#define TCP_WS_MAX 14                        /* RFC 7323 §2.3 */
#define TCP_MSS_FLOOR 88                     /* smallest MSS we send by (TCP-014, CVE-2019-11479) */
#define TCP_MSS_DEFAULT4 536                 /* RFC 9293 §3.7.1 MUST-15 */
#define TCP_MSS_DEFAULT6 1220
#define TCP_TS_OPT_LEN 12                    /* NOP NOP timestamps */
#define TCP_RETRIES1 3                       /* R1: IP is told */
#define TCP_RETRIES2 15                      /* R2: about 15 minutes with doubling from 200 ms (RFC 9293 §3.8.3: >= 100 s) */
#define TCP_R2_NS (925 * NS_PER_S)           /* what R2 retries take, for what never left the interface queue */
#define TCP_R2_ORPHAN_NS (102 * NS_PER_S)
#define TCP_RETRIES_ORPHAN 8                 /* R2 of a connection without endpoint */
#define TCP_RETRIES_SYN 7                    /* 1+2+...+64+120 s: at least 3 minutes (MUST-23) */
#define TCP_RETRIES_SYNACK 5                 /* as Linux: a half-open entry is worth less than a connect() */
#define TCP_QUICKACKS 16                     /* ACKs not delayed at the start, while the peer is in slow start */
#define TCP_RMEM 131072u                     /* Linux's net.ipv4.tcp_rmem */
#define TCP_RMEM_MAX (6u << 20)
#define TCP_WMEM 16384u                      /* and tcp_wmem */
#define TCP_WMEM_MAX (4u << 20)
#define TCP_BUF_MIN 2304u
#define TCP_BUF_MAX (1u << 29)
#define TCP_OOO_MAX 4096                      /* intervals in the reorder queue */
#define TCP_OOO_FIRST 16
#define TCP_ORPHANS_MAX 8192
#define TCP_SYNRCVD_MAX 65536
#define TCP_TIMEWAIT_MAX 65536
#define TCP_TALLIES 256                      /* drained connections that keep what TCP_INFO counts */
#define TCP_PAWS_TICKS ((uint32_t)((INT64_C(24) * 86400 * NS_PER_S) >> WHEEL_TICK_SHIFT)) /* RFC 7323 §5.5 */

/* What all three kinds of node begin with. */
struct tcp_entry {
	struct tcp_node node;
	struct list_link all; /* tcp_state_tab.all */
};

enum tcp_queue { TCP_Q_NONE, TCP_Q_DIRTY, TCP_Q_HELD };

struct tcp_conn {
	struct tcp_entry e;
	struct list_link q;     /* dirty or held, see `queue` */
	ref_t owner;            /* endpoint; 0: in an accept queue, orphan, or being made */
	ref_t active, rare, tally; /* 0: none */
	uint8_t state;          /* enum tcp_state; changed by tcp_conn_set_state() only */
	uint8_t queue;          /* enum tcp_queue */
	uint8_t err, err_soft;  /* errno waiting for the user; the last soft one (RFC 9293 §3.9.2.2) */

	/* yes-or-no facts */
	uint32_t ack_now : 1;       /* an ACK leaves before the next segment is processed */
	uint32_t ack_due : 1;       /* an ACK leaves at the next flush */
	uint32_t ack_why : 6;       /* enum why of that ACK */
	uint32_t ts_ok : 1, ws_ok : 1, sack_ok : 1; /* agreed on SYN */
	uint32_t is_passive : 1;    /* opened by a listener */
	uint32_t was_open : 1;      /* has been ESTABLISHED */
	uint32_t fin_queued : 1;    /* the user has closed: FIN follows the last byte */
	uint32_t fin_sent : 1;
	uint32_t fin_rcvd : 1;      /* the peer's FIN is in order */
	uint32_t rd_shut : 1;       /* the user reads no more */
	uint32_t is_orphan : 1;     /* its endpoint has gone */
	uint32_t in_demux : 1;
	uint32_t rto_3s : 1;        /* SYN was retransmitted: RTO starts at 3 s (RFC 6298 §5.7) */
	uint32_t iw_one : 1;        /* SYN resent more than once: IW is one segment (RFC 5681 §3.1) */
	uint32_t nodelay : 1, cork : 1, more : 1, keepalive : 1;
	uint32_t rack : 1;          /* RACK-TLP tells what is lost: SACK is agreed and nobody wanted RFC 6675 */
	uint32_t unpushed : 1;      /* the end of the queue was sent with "more follows": no PSH on it */
	uint32_t push_now : 1;      /* what is queued may go, short as it is (TCP_NODELAY was set) */
	uint32_t broken : 1;        /* a step was asked for that no state has: it is reset at the next tcp_conn_settle() (sane.h) */
	uint32_t starved : 2;       /* the user was told to wait for memory: turns of the timer until it is asked for; 0: no */

	/* send sequence space (RFC 9293 §3.3.1) */
	uint32_t snd_una, snd_nxt, snd_wnd, snd_wl1, snd_wl2;
	uint32_t snd_wnd_max;       /* MAX(SND.WND) */
	uint32_t iss;
	struct sbuf snd;            /* [iss+1 or snd_una, end): FIN is not in it */

	/* receive sequence space */
	uint32_t rcv_nxt;
	uint32_t rcv_adv;           /* right edge told to the peer: RCV.NXT + RCV.WND, never moves left */
	uint32_t rcv_acked;         /* Last.ACK.sent (RFC 7323 §4.3) */
	uint32_t irs;
	struct sbuf rcv;            /* unread bytes, and out-of-order ones beyond rcv_nxt */

	uint32_t rcvbuf;            /* what the window may be now, bytes (autotune.h) */
	uint32_t sndbuf;            /* SO_SNDBUF, bytes of true size */
	uint32_t cwnd, ssthresh;    /* bytes */
	uint32_t srtt_us, rttvar_us, min_rtt_us; /* 0: no sample yet */

	uint32_t ts_recent;         /* TS.Recent */
	uint32_t ts_recent_tick;    /* when it was taken */
	uint32_t ts_offset;         /* secret, added to our clock (RFC 7323 §5.4) */

	uint32_t delack_tick;       /* deadline of the delayed ACK */
	uint32_t slow_tick;         /* deadline of keep-alive, or of an orphan in FIN-WAIT-2 */
	uint32_t rx_tick, tx_tick;  /* last acceptable segment, last data sent */

	uint32_t segs_out, segs_retrans;
	uint16_t sent_hi, rcvd_hi;  /* 2^32 bytes, each: high half of bytes sent and received */

	uint16_t mss;               /* effective send MSS, options of a data segment subtracted (RFC 9293 §3.7.1) */
	uint16_t peer_mss;          /* as received, raised to the floor */
	uint16_t rcv_mss;           /* the peer's full segment, as seen lately */
	uint16_t rcv_size;          /* of the last shorter one: two alike are full ones (as Linux) */
	uint16_t challenge_tick;    /* second of the budget below */
	uint8_t challenge_left;     /* challenge ACKs left in this second (RFC 5961 §7) */
	uint8_t snd_ws : 4, rcv_ws : 4; /* Snd.Wind.Shift, Rcv.Wind.Shift: at most 14 */
	uint8_t ecn : 2;            /* enum tcp_ecn */
	uint8_t ece : 1;            /* CE came: ACKs carry ECE until CWR comes (RFC 3168 §6.1.3) */
	uint8_t cwr : 1;            /* the window was reduced: the next new data says so */
	uint8_t ecn_seen : 1;       /* data with ECT or CE has come */
	uint8_t quick;              /* ACKs still to be sent undelayed */
	uint8_t keep_probes;
	uint8_t reordering;         /* segments by which this path has been seen to reorder; at least TCP_DUP_THRESH */
};
_Static_assert(sizeof(struct tcp_conn) <= 256, "hot is at most 4 cache lines");

#define TCP_DUP_THRESH 3      /* RFC 5681 §3.2, RFC 6675 §2 */
#define TCP_REORDERING_MAX 127

enum tcp_ca { TCP_CA_OPEN, TCP_CA_RECOVERY, TCP_CA_LOSS };
/* Which of the timers below is armed: one at a time (RFC 8985 §8). The first three watch over data in flight. */
enum tcp_rtx { TCP_RTX_NONE, TCP_RTX_RTO, TCP_RTX_PROBE, TCP_RTX_REORDER, TCP_RTX_PERSIST, TCP_RTX_SETTLE };

/* RACK (rack.h): the segment sent last of those that arrived, and how long its round trip took. */
struct tcp_rack {
	int64_t xmit_ts;            /* RACK.xmit_ts, if has */
	int64_t rtt;                /* RACK.rtt, ns */
	int64_t reo_at;             /* when the reordering window of what is overdue ends; 0: nothing is */
	uint32_t end_seq;           /* RACK.end_seq */
	uint32_t dsack_round;       /* RACK.dsack_round, if has_round */
	bool has, has_round;
	bool is_again;              /* that segment was a repetition */
};

/* Tail loss probe (tlp.h). */
struct tcp_tlp {
	int64_t from;               /* new data left, or SND.UNA moved: PTO counts from here */
	uint32_t end_seq;           /* TLP.end_seq, if is_out */
	uint32_t flight;            /* FlightSize when it left */
	bool is_out, is_retrans;    /* TLP.is_retrans */
};
/* F-RTO: off, waiting for the first advance after the time-out, waiting for what follows it (undo.h). */
enum tcp_frto { TCP_FRTO_NONE, TCP_FRTO_FIRST, TCP_FRTO_NEW };

/* A reduction that may prove needless (undo.h). */
struct tcp_undo {
	bool is_on;
	bool is_twice;              /* some of it was sent again more than once */
	bool has_end;               /* `end` and `mark` mean something */
	uint8_t frto;               /* enum tcp_frto */
	uint32_t cwnd, ssthresh;    /* before it */
	uint32_t point;             /* RecoveryPoint, if frto: SND.NXT at the time-out */
	uint32_t ts;                /* our timestamp clock when the first repetition left, if set */
	uint32_t mark, end;         /* when SND.UNA is past `end`, no D-SACK comes any more for what was sent again below `mark` */
	ref_t set;                  /* struct ivset of what was sent again and is not known to have been needless; 0: nothing was */
};
/* What may be done with ECN's bits (RFC 3168 §6.1.1). ECHO: agreed, but a SYN of ours went without the bits, so ECT must not be set. */
enum tcp_ecn { TCP_ECN_OFF, TCP_ECN_ASKED, TCP_ECN_ECHO, TCP_ECN_FULL };
/* Which signal the last reduction of the window answered, while what was sent before it is in flight. */
enum tcp_signal { TCP_SIGNAL_NONE, TCP_SIGNAL_LOSS, TCP_SIGNAL_ECE };

/* Dynamic right-sizing of the receive buffer (autotune.h). */
struct tcp_drs {
	bool is_on;
	uint32_t want;              /* what the window may grow to */
	uint32_t rtt8_us;           /* the receiver's round trip, times 8; 0: not known */
	uint32_t rtt_seq, tsecr;    /* without timestamps: a window is full here; with: the last echo seen */
	uint32_t space;             /* bytes the user took in the last round trip */
	uint32_t seq;               /* first byte not read when this one began */
	int64_t rtt_at, at;         /* beginnings of these two measurements */
	int64_t quiet_at;           /* kept until then although nothing comes */
};

/* Proportional rate reduction (prr.h), in bytes. */
struct tcp_prr {
	bool is_on;
	uint32_t delivered, out;    /* prr_delivered, prr_out */
	uint32_t recover_fs;        /* RecoverFS */
};

struct tcp_active {
	struct tcp_ranges sent;     /* what is in flight */

	/* one timer of four */
	int64_t rtx_at;             /* deadline of what is armed, ns */
	int64_t rto_at;             /* when the retransmission time-out comes, whatever is armed */
	int64_t since;              /* when the oldest unanswered data, or the zero window, began */
	uint8_t rtx;                /* enum tcp_rtx */
	uint8_t backoff;            /* doublings of the RTO */
	uint8_t retries;            /* expiries since the last progress */
	uint8_t probes;             /* zero-window probes unanswered */
	uint32_t rto_ts;            /* our timestamp clock at the last expiry */
	struct tcp_rack rack;
	struct tcp_prr prr;
	struct tcp_tlp tlp;

	/* loss recovery */
	uint8_t ca;                 /* enum tcp_ca */
	bool force;                 /* the first lost segment goes whatever the pipe holds (RFC 6675 §5 step 4.3) */
	bool is_partial;            /* NewReno: a partial ACK came since recovery began */
	bool has_recover;           /* `recover` means something (RFC 6582 §3.2 step 1) */
	uint16_t dupacks;
	uint32_t recover;           /* SND.NXT when recovery began */
	uint32_t reduced_at;        /* SND.NXT at the last window reduction */
	uint8_t signal;             /* enum tcp_signal */
	bool ece_waits;             /* ECE with a window of one segment: nothing new until the timer fires (RFC 3168 §6.1.2) */
	uint32_t signal_high;       /* SND.NXT at the reduction `signal` tells of */
	uint16_t dup_segs;          /* segments in flight at the first duplicate, without SACK */
	uint16_t dup_size;          /* bytes of one of them, on average */
	uint32_t dup_flight;        /* FlightSize at the first duplicate: limited transmit does not count (RFC 5681 §3.2) */
	uint32_t limited_at;        /* SND.NXT when cwnd last stopped us, or was used up */
	uint32_t used, used_at;     /* the most in flight since `used_at` was SND.NXT, a window ago at most */
	uint32_t snd_sml;           /* end of the last small segment (Nagle as Minshall has it) */
	struct tcp_undo undo;
	uint64_t cc[TCP_CC_WORDS];  /* the congestion control's own */

	/* pacing (pacing.h) */
	bool pacing_waits;          /* data waits for pacing_next */
	uint64_t pacing_rate;       /* bytes/s; 0: not paced */
	int64_t pacing_next;        /* when the next burst may leave */
	struct tcp_rate_sample rs;  /* of the last ACK */

	/* A piece of a lost range that could not be split is under way: the range goes on when SND.UNA has passed it. */
	bool has_piece;
	uint32_t piece_seq;

	uint32_t probe_seq, probe_len; /* a segment larger than is known to pass is under way (pmtu.h); length 0: none */
	bool is_mtu;                /* recovery repairs what was too large, or text refused with its SYN: the window stays (RFC 1191 §6.5) */
	bool has_too_big;           /* a range has TCP_RANGE_TOO_BIG */
	bool is_probe_only;         /* that was a probe and nothing else: what RACK finds next is congestion (RFC 4821 §7.6.2) */

	struct tcp_drs drs;
	bool nospace;               /* a writer waits for room in the send buffer */
	uint32_t stalled;           /* true size of the send queue, while a zero window pins it; linked by `stall` then */
	struct list_link stall;     /* tcp_memory.stalls */
	ref_t conn;                 /* whose, while stalled */

	/* What holds back what waits (enum held): by which the last output stopped, 0: it did not; since held_at first and last by which;
	 * is that of what is lost, or of new data? Told on the packet that goes then. */
	uint8_t held_now, held_first, held_last;
	bool held_lost;
	int64_t held_at;

	uint32_t below;             /* packets given to the stack that no tcp_sent() has told of yet */

	/* reorder queue */
	ref_t ooo;                  /* struct ivset, or 0 */
	uint16_t ooo_cap;
	uint8_t n_recent;
	bool has_fin;               /* a FIN waits out of order at fin_seq */
	bool has_dsack;
	uint32_t fin_seq;
	uint32_t recent[TCP_SACK_MAX]; /* a byte of each block, newest first (RFC 2018 §4) */
	struct iv dsack;            /* duplicate to be reported once (RFC 2883 §4) */
};

struct tcp_rare {
	struct list_link accept;    /* listener's queue, which links rares */
	ref_t conn;
	ref_t listener;             /* 0 once accepted */
	struct tcp_opts opts;

	/* Fast Open (fastopen.h) */
	uint8_t fo;                 /* enum tcp_fo */
	bool fo_text;               /* text on the SYN was taken, ours or the peer's */
	bool fo_give, fo_exp;       /* the SYN-ACK carries a fresh cookie; in the older form */
	ref_t fo_listener;          /* in whose list of the waiting it is, or 0 */
	struct list_link fo_link;

	/* urgent data (urgent.h) */
	uint8_t urg, urg_byte;      /* enum tcp_urg; the octet */
	bool has_up;                /* snd_up means something */
	uint32_t urg_seq;           /* number of the urgent octet: RCV.UP - 1 */
	uint32_t snd_up;            /* SND.UP: one past the last urgent octet */
};

/* SYN-RECEIVED by a listener. */
struct tcp_synrcvd {
	struct tcp_entry e;
	struct list_link of;        /* tcp_listener.synrcvd */
	ref_t listener;
	uint32_t iss, irs, snd_wnd, rcv_wnd;
	uint32_t ts_recent, ts_offset;
	int64_t sent_at;            /* of the first SYN-ACK */
	uint32_t again_tick;        /* last SYN-ACK that answered a repeated SYN */
	uint32_t invalid_tick;      /* last answer to what was out of window; 0: none */
	uint16_t mss;
	uint8_t snd_ws, rcv_ws;
	bool ts_ok, ws_ok, sack_ok, ecn_ok;
	bool acked;                 /* the third ACK came and could not be used: accept queue full, or text is waited for */
	bool fo_give, fo_exp;       /* the SYN-ACK carries a Fast Open cookie; in the older form */
	uint8_t retries, resent;    /* expiries of the timer; SYN-ACKs that it sent */
};
_Static_assert(sizeof(struct tcp_synrcvd) <= 128, "a half-open connection is small");

struct tcp_timewait {
	struct tcp_entry e;
	uint32_t snd_nxt, rcv_nxt, rcv_wnd;
	uint32_t iss, irs;
	uint32_t ts_recent, ts_recent_tick, ts_offset;
	uint32_t invalid_tick;      /* last answer to what was out of window; 0: none */
	uint8_t rcv_ws;
	bool ts_ok;
};
_Static_assert(sizeof(struct tcp_timewait) <= 128, "TIME-WAIT is small");

/* The budget (memory.h). */
struct tcp_memory {
	uint64_t used;              /* true size of all queues */
	uint64_t stalled;           /* of send queues behind zero windows */
	struct list stalls;         /* their actives, longest first */
	ref_t cursor;               /* node that pruning looks at next; 0: the first */
	uint8_t state;              /* enum tcp_mem_state */
	uint64_t n_pressure, n_full;/* how often it began */
	uint64_t pruned, reclaimed; /* bytes */
	uint64_t refused;           /* connections and writes */
};

struct tcp_state_tab {
	struct pool conns, actives, rares, tallies, synrcvds, timewaits, listeners;
	struct list tallies_idle;   /* of connections that have drained, the longest idle first (tally.h) */
	ref_t spare_tally;          /* counted into when memory is out, and never told */
	struct list all;            /* every node, by tcp_entry.all; those of one path side by side (tcp_path.last_node) */
	struct list dirty, held;    /* tcp_conn, by q */
	uint64_t room_told;         /* interfaces (by index mod 64) that have room since the last flush */
	struct prf_key isn_key, ts_key, cookie_key[2];
	struct tcp_settings set;
	struct prf_key fo_key;
	ref_t fo_cache;             /* fastopen.c's, or 0 */
	struct prf_stream random;
	uint32_t n_orphans;
	struct tcp_memory memory;
	uint64_t counts[TCP_COUNTS];
	/* The TIME-WAIT entry that just yielded to a SYN: its successor's ISN begins above it (RFC 6191 §2). */
	bool has_reuse;
	uint16_t reuse_lport, reuse_rport;
	uint32_t reuse_iss;
};

static inline struct tcp_state_tab *tcp_tab(const struct tcp_env *env) { return arena_at(env->arena, env->tab); }
static inline ref_t tcp_conn_ref(const struct tcp_env *env, const struct tcp_conn *c) { return arena_ref(env->arena, c); }
static inline struct tcp_path *tcp_path_of(const struct tcp_env *env, const struct tcp_entry *e)
{
	return arena_at(env->arena, e->node.path);
}
static inline struct tcp_conn *tcp_conn_at(const struct tcp_env *env, ref_t r) { return pool_at(env->arena, &tcp_tab(env)->conns, r); }
/* The active struct, or NULL. */
static inline struct tcp_active *tcp_active_of(const struct tcp_env *env, const struct tcp_conn *c)
{
	return c->active ? arena_at(env->arena, c->active) : NULL;
}
static inline struct tcp_rare *tcp_rare_of(const struct tcp_env *env, const struct tcp_conn *c)
{
	return c->rare ? arena_at(env->arena, c->rare) : NULL;
}

/* What RACK-TLP keeps of a connection that has drained. It lives in the bytes that the wheel leaves to its owner. */
struct tcp_kept {
	uint8_t reo_wnd_more;         /* RACK.reo_wnd_mult - 1 */
	uint8_t reo_wnd_persist : 5;  /* RACK.reo_wnd_persist */
	uint8_t reordering_seen : 1;  /* RACK.reordering_seen */
	uint8_t tlp_spent : 1;        /* no RTT sample since the last probe */
};
static inline struct tcp_kept *tcp_kept(struct tcp_conn *c) { return (void *)c->e.node.timer.pad; }
_Static_assert(sizeof(struct tcp_kept) <= sizeof(((struct wheel_node *)0)->pad), "fits");

/* Bytes of the send sequence space not yet sent, FIN not counted. */
static inline uint32_t tcp_unsent(const struct tcp_conn *c)
{
	return c->fin_sent || seq_lt(c->snd.end, c->snd_nxt) ? 0 : c->snd.end - c->snd_nxt;
}
static inline uint32_t tcp_flight(const struct tcp_conn *c) { return c->snd_nxt - c->snd_una; } /* FlightSize */
static inline uint32_t tcp_rcv_wnd(const struct tcp_conn *c) { return c->rcv_adv - c->rcv_nxt; } /* RCV.WND */
/* The peer may send us data: FIN not seen. */
static inline bool tcp_state_may_receive(uint8_t s) { return s == TCP_ESTABLISHED || s == TCP_FIN_WAIT_1 || s == TCP_FIN_WAIT_2; }
/* Opened by a listener that holds, and not answered yet (held.c). */
static inline bool tcp_conn_is_held(const struct tcp_conn *c) { return c->state == TCP_SYN_RECEIVED && c->snd_nxt == c->iss; }
/* We may still have data or FIN to send. */
static inline bool tcp_state_may_send(uint8_t s)
{
	return s == TCP_ESTABLISHED || s == TCP_CLOSE_WAIT || s == TCP_FIN_WAIT_1 || s == TCP_LAST_ACK || s == TCP_CLOSING;
}

/* --- state.c --- */
const char *tcp_state_name(uint8_t s);
bool tcp_state_may_go(uint8_t from, uint8_t to);

/* --- conn.c --- */

/* A connection in CLOSED for a four-tuple, listed, not in demux; buffers and flags from o. Takes the path count if it
 * succeeds. NULL: no memory. */
struct tcp_conn *tcp_conn_new(struct tcp_env *env, ref_t path, uint16_t lport, uint16_t rport, const struct tcp_opts *o);
void tcp_conn_set_state(struct tcp_env *env, struct tcp_conn *c, enum tcp_state to);
/* The one place where a state change is told and counted. */
void tcp_trace_state(struct tcp_env *env, const struct tcp_node *n, uint8_t from, uint8_t to);
void tcp_trace(struct tcp_env *env, const struct tcp_conn *c, enum trace_kind kind, uint32_t reason, uint32_t seq, uint32_t seq_end,
	       uint32_t a, uint32_t b);
/* In and out of the list of all nodes; its path must be known. */
void tcp_entry_enlist(struct tcp_env *env, struct tcp_entry *e);
void tcp_entry_delist(struct tcp_env *env, struct tcp_entry *e);
/* Demux and list entry of any node. */
void tcp_entry_link(struct tcp_env *env, struct tcp_entry *e);
void tcp_entry_unlink(struct tcp_env *env, struct tcp_entry *e);
/* Take active, if not there yet: NULL when memory is out. */
struct tcp_active *tcp_conn_activate(struct tcp_env *env, struct tcp_conn *c);
struct tcp_rare *tcp_conn_rare(struct tcp_env *env, struct tcp_conn *c);
/* Over: leave demux, timers, send queue; keep what the user may still read. err: 0 or errno for the user. */
void tcp_conn_finish(struct tcp_env *env, struct tcp_conn *c, int err);
/* Send RST and finish (RFC 9293 §3.10.5 ABORT). */
void tcp_conn_abort(struct tcp_env *env, struct tcp_conn *c, int err);
/* Last act of every door: give active back if drained, free c if nobody needs it. c may be gone afterwards. */
void tcp_conn_settle(struct tcp_env *env, struct tcp_conn *c);
void tcp_conn_notify(struct tcp_env *env, const struct tcp_conn *c, uint32_t events);
void tcp_conn_mark_dirty(struct tcp_env *env, struct tcp_conn *c);
void tcp_conn_mark_held(struct tcp_env *env, struct tcp_conn *c);
void tcp_conn_unqueue(struct tcp_env *env, struct tcp_conn *c);
/* Effective send MSS from path, peer and options (RFC 9293 §3.7.1). */
void tcp_conn_update_mss(struct tcp_env *env, struct tcp_conn *c);
/* MSS to advertise on this path (RFC 9293 §3.7.1 MUST-67). */
uint16_t tcp_mss_advertised(const struct tcp_path *p, const struct tcp_opts *o);
/* MSS by which we send to a peer that said `said` (0: nothing). */
uint16_t tcp_mss_peer(const struct tcp_path *p, uint16_t said);
/* Is there an option that only the rare struct can hold? */
bool tcp_opts_are_rare(const struct tcp_opts *o);
/* Is there something in r that a connection out of the accept queue needs? */
static inline bool tcp_rare_is_needed(const struct tcp_rare *r)
{
	return tcp_opts_are_rare(&r->opts) || r->urg || r->has_up || r->fo;
}
/* The window that a receive buffer begins with. */
uint32_t tcp_rcvbuf_first(const struct tcp_env *env, const struct tcp_opts *o);
void tcp_conn_apply_opts(struct tcp_env *env, struct tcp_conn *c, const struct tcp_opts *o);
/* ESTABLISHED now: initial window, timers, the user. */
void tcp_conn_established(struct tcp_env *env, struct tcp_conn *c);
/* Free a drained, finished connection and everything it holds. */
void tcp_conn_free(struct tcp_env *env, struct tcp_conn *c);
bool tcp_conn_has_fin_acked(const struct tcp_conn *c);
/* Its user wants no FIN-WAIT-2 after close() (TCP_LINGER2 below zero). */
static inline bool tcp_conn_skips_fin_wait2(const struct tcp_env *env, const struct tcp_conn *c)
{
	const struct tcp_rare *r = tcp_rare_of(env, c);
	return r && r->opts.fin_wait2_s < 0;
}

#endif
