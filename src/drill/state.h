/* drill/state.h - a script that runs: its stack, its clock, its descriptors, its connections. For the files of this room.
 *
 * A *flow* is what the tool calls the socket under test: one connection as packets see it, with what turns the script's
 * sequence numbers and timestamps into the stack's. Packets without ports belong to the current one: the one that connect()
 * or an injected SYN for a listener opened last. A *file* is what the script's descriptor number stands for. */
#ifndef DRILL_STATE_H
#define DRILL_STATE_H

#include "drill/code.h"
#include "drill/packet.h"
#include "drill/run.h"
#include "drill/script.h"
#include <viaduct/viaduct.h>

enum { DRILL_FILES = 64, DRILL_FLOWS = 64, DRILL_STAMPS = 256, DRILL_WATCHES = 32, DRILL_QUEUE_MAX = 1 << 16 };

struct drill_config {
	uint32_t local, remote;            /* addresses, host byte order */
	uint16_t bind_port, connect_port;
	int64_t tolerance_ns;
	int64_t tolerance_permille;        /* of the time since the event before */
	int64_t ts_tick_ns;                /* 0: the stack's timestamps are not compared */
	bool ecr_scaled;
	uint32_t mtu;
};

/* A packet the stack sent. */
struct drill_sent {
	struct drill_sent *next;
	int64_t at;       /* the stack's clock */
	size_t len;
	uint8_t bytes[];
};

struct drill_flow {
	enum drill_proto proto;
	uint32_t remote;                     /* address */
	uint16_t lport, rport;
	uint32_t script_isn, live_isn;       /* of the stack's sequence numbers */
	uint32_t script_irs, live_irs;       /* of the peer's */
	uint32_t syn_seq;                    /* of the peer's newest SYN */
	bool has_isn, has_irs;
	bool has_ts;                         /* the stack's first timestamp was seen: */
	uint32_t script_ts, live_ts;
	struct { uint32_t script, live; } stamps[DRILL_STAMPS]; /* seen with the script's values, newest last */
	uint32_t n_stamps;
	bool was_urgent;                     /* payload positions are not checked any more */
	int fd;                              /* its socket, or -1 */
};

enum drill_file_kind { FILE_NONE, FILE_SOCKET, FILE_EPOLL, FILE_PIPE_READ, FILE_PIPE_WRITE, FILE_ZEROS };

struct drill_watch { /* of an epoll */
	int fd;            /* -1: free */
	uint32_t events;
	uint64_t data;
	bool is_new;       /* something happened since it was told (EPOLLET) */
	bool is_off;       /* told once (EPOLLONESHOT) */
};

struct drill_file {
	enum drill_file_kind kind;
	via_sock s;
	enum via_type type;
	bool nonblock, listens;
	int flow;               /* index, or -1 */
	uint32_t wpos, rpos;    /* stream positions of the next byte to write and to read */
	uint16_t sport;         /* peer of a datagram socket's flow */
	int64_t bytes;          /* in a pipe; read of a file */
	int other;              /* the pipe's other end */
	struct drill_watch *watches; /* DRILL_WATCHES of an epoll */
};

/* A call under way. */
struct drill_under {
	const struct drill_event *e; /* NULL: none */
	int64_t began;
	int64_t deadline;   /* of its own (timeouts); TIME_NEVER */
	int64_t done;       /* bytes so far */
	int tries;
};

struct drill_run {
	const char *name;
	const struct drill_script *s;
	struct drill_script *kept;    /* events with their times fixed */
	const struct drill_how *how;
	struct drill_config cfg;
	struct via *v;
	struct via_buffer *link;
	int64_t begin, now;           /* the stack's clock at time 0 of the script, and now */
	int64_t last_at;              /* script time of the event before */
	struct drill_sent *sent, **sent_end;
	int n_sent;
	bool link_is_shut;            /* the device drops what is sent */
	uint16_t ip_id;
	struct drill_flow *flows;     /* DRILL_FLOWS */
	int n_flows, flow;            /* the current one, or -1 */
	uint16_t next_port;           /* of remote ends of connections to listeners */
	struct drill_file files[DRILL_FILES];
	struct drill_under under;
	struct drill_vars vars;       /* of code */
	char cc[16];                  /* sysctl tcp_congestion_control, for new sockets; "": the stack's */
	const struct drill_event *e;  /* the current one, for messages */
	bool has_failed;
	int n_events;
};

/* Time of the script: since it began. */
static inline int64_t drill_time(const struct drill_run *r) { return r->now - r->begin; }
/* The script failed, with a sentence; the first counts. Returns false. */
bool drill_fail(struct drill_run *r, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The two sides below that sentence. */
void drill_sides(struct drill_run *r, const char *expected, const char *seen);
/* "+0.100000" of a time, microseconds. Valid until the fourth call after. */
const char *drill_seconds(int64_t ns);
/* Did something that was to happen at [from, to] happen in time? Else the script fails. */
bool drill_in_time(struct drill_run *r, const struct drill_event *e, int64_t from, int64_t to, int64_t at, const char *what);

/* --- run.c --- */

/* Let time pass to `until` (the stack's clock), timers and calls under way included; stops early once a packet was sent, if
 * asked. False once the script has failed. */
bool drill_pass(struct drill_run *r, int64_t until, bool stop_at_packet);

/* --- flow.c --- */

/* The flow of a packet that left, or NULL. */
struct drill_flow *drill_flow_of(struct drill_run *r, enum drill_proto proto, const struct drill_tuple *t);
/* A new flow, which is the current one; NULL at the cap (the script fails). */
struct drill_flow *drill_flow_new(struct drill_run *r, enum drill_proto proto, uint32_t remote, uint16_t lport, uint16_t rport, int fd);
struct drill_flow *drill_flow_now(struct drill_run *r);
/* The flow that a script's packet names by its ports, else the current one, else NULL. */
struct drill_flow *drill_flow_for(struct drill_run *r, const struct drill_packet *k);
/* A script's packet for the stack: into live values. False if the script fails. */
bool drill_flow_inject(struct drill_run *r, struct drill_flow *f, struct drill_packet *k);
/* A live packet into the script's values; `want` is what the script expects there. */
void drill_flow_seen(struct drill_flow *f, const struct drill_packet *want, struct drill_packet *k);

/* --- match.c --- */

/* The event's packet must be the next one sent. */
bool drill_expect(struct drill_run *r, const struct drill_event *e);
/* Inject the event's packet. */
bool drill_inject(struct drill_run *r, const struct drill_event *e);
/* Strict: nothing that was sent may be left. */
bool drill_nothing_left(struct drill_run *r);
void drill_sent_drop(struct drill_run *r); /* the first one */

/* --- call.c --- */

/* Begin the event's call; it may stay under way. */
bool drill_call_begin(struct drill_run *r, const struct drill_event *e);
/* Try the call under way again. True if it ended. */
bool drill_call_again(struct drill_run *r);
/* Let time pass until it ended. */
bool drill_call_finish(struct drill_run *r);
void drill_files_close(struct drill_run *r);

/* --- settings.c --- */

bool drill_options(struct drill_run *r);
bool drill_command(struct drill_run *r, const struct drill_event *e);

#endif
