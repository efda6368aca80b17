/* gate/inside.h - the inside of gate/: its objects, and what its files offer each other. */
#ifndef GATE_INSIDE_H
#define GATE_INSIDE_H

#include "gate/flows.h"
#include "gate/gate.h"
#include "gate/where.h"
#include <sys/socket.h>

enum gate_phase {
	GATE_ASKS,    /* connecting outside, the SYN inside is held */
	GATE_ANSWERS, /* the SYN-ACK is under way inside */
	GATE_DIALS,   /* it came from outside, and connects inside */
	GATE_OPEN,    /* bytes go both ways */
	GATE_ENDS,    /* one side was reset: what came before it goes on its way, then a reset */
};

/* A TCP connection: one inside, one outside. */
struct gate_stream {
	struct via_handler handler; /* first */
	struct gate *g;
	struct gate_stream *next, **at;   /* all of them */
	struct gate_stream *more;         /* those with more to do in the next turn */
	via_sock sock;                    /* inside */
	int fd;                           /* outside, or -1 */
	uint8_t phase;                    /* enum gate_phase */
	bool has_more;                    /* in that list */
	bool can_read, can_write;         /* outside, as far as is known */
	bool in_end, out_end;             /* FIN of the inside, of the outside, has come and was passed on */
	int64_t until;                    /* GATE_ENDS: no longer than this */
};

/* One of the machine's sockets for datagrams: everything from one address and port inside, to wherever. */
struct gate_end {
	struct gate *g;
	enum via_type type;               /* VIA_DGRAM; VIA_PING: the port is the identifier */
	int fd[2];                        /* IPv4, IPv6; -1: not made */
};

/* A port of the machine's that leads inside. */
struct gate_door {
	struct gate_door *next;
	struct gate *g;
	struct gate_forward f;
	int fd;
	bool is_stuck;                    /* nothing could be taken for want of descriptors: the sweep tries again */
};

struct gate_names {
	struct via_sockaddr servers[3];
	int n, at;                        /* the one that is asked now */
	int64_t looked;                   /* when /etc/resolv.conf was last */
	struct { int64_t s, ns; uint64_t ino; } stamp; /* of the file that was read */
};

struct gate {
	struct gate_config cfg;
	struct via *v;
	struct loop_task task;
	struct via_handler on_stream, on_dgram, on_ping;
	via_sock streams_all, dgram_all, ping_all;
	struct gate_stream *streams, *more;
	struct gate_names names;
	struct gate_flows flows;
	struct gate_end *ends;            /* by gate_flows' sources */
	struct gate_door *doors;
	int64_t swept;
	struct gate_stats stats;
	uint8_t *scratch;                 /* a datagram */
};

#define GATE_SCRATCH 65536

/* The stack has something to send. */
static inline void gate_touched(struct gate *g)
{
	g->cfg.node->touched(g->cfg.node);
}
/* One of the machine's descriptors is ready: calls follow, now. */
static inline void gate_woken(struct gate *g)
{
	host_node_present(g->cfg.node);
	gate_touched(g);
}

/* --- outside.c --- */
/* A socket of the machine's, non-blocking. Its number, or -errno. */
int gate_socket(const struct via_addr *to, int type, int protocol);
socklen_t gate_sockaddr(const struct via_sockaddr *a, struct sockaddr_storage *out);
void gate_sockaddr_read(const struct sockaddr_storage *from, struct via_sockaddr *out);
/* What an errno of the outside becomes inside: a code of ICMP's "destination unreachable", or -1: none says it. */
int gate_unreach_code(int err);

/* --- stream.c --- */
void gate_stream_accept(struct gate *g);
void gate_stream_free(struct gate_stream *s, bool reset);
/* fd (taken) has come from `peer`, for `guest`. */
void gate_stream_dial(struct gate *g, int fd, const struct via_sockaddr *peer, const struct via_sockaddr *guest);
/* Those that had more to do. */
void gate_stream_more(struct gate *g, int64_t now);

/* --- dgram.c --- */
void gate_dgram_arrived(struct gate *g, enum via_type type);
void gate_dgram_sweep(struct gate *g, int64_t now);
void gate_end_close(struct gate_end *e);

/* n bytes in g->scratch came to door d from `peer`. */
void gate_dgram_enters(struct gate *g, struct gate_door *d, size_t n, const struct via_sockaddr *peer);

/* --- forward.c --- */
void gate_doors_sweep(struct gate *g);
void gate_doors_close(struct gate *g);
/* By which address somebody outside is known to a guest inside. */
struct via_addr gate_name_of(struct gate *g, const struct via_addr *peer, const struct via_addr *guest);

/* --- names.c --- */
/* Where questions go now; false: the machine has no resolver. */
bool gate_names_server(struct gate *g, struct via_sockaddr *out);
/* The one that was asked does not answer: another one's turn. */
void gate_names_failed(struct gate *g, const struct via_sockaddr *server);

/* --- gate.c --- */
/* What `to` means outside; GATE_GO with *out. */
enum gate_verdict gate_decide(struct gate *g, const struct via_sockaddr *to, struct via_sockaddr *out);

#endif
