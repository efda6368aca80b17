/* door/inside.h - the inside of door/: the notified call, the program's socket, and what the files offer each other.
 *
 * A *call* is one system call of the program that waits for our answer. Its handler returns the result, or one of the
 * three ANSWER_ values. A handler may be run several times for one call: a held call is run again when its socket moved,
 * and a call interrupted by a signal comes again as a new one. So handlers take nothing they cannot give back, or name in
 * `undo` how. A *dsock* is one socket taken: our end of an AF_UNIX pair, whose other end the program holds, joined to a
 * socket of the stack. It is found by the inode of the program's end. */
#ifndef DOOR_INSIDE_H
#define DOOR_INSIDE_H

#include "door/door.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum {
	DOOR_BUCKETS = 1024,       /* of the inode table; a power of two */
	DOOR_SOCKS_MAX = 65536,    /* sockets of one program tree */
	DOOR_PIDFDS = 32,
	DOOR_REPLAYS = 16,
	DOOR_DNS_ASKED = 16,
	DOOR_KEPT_OPTS = 24,
	DOOR_SCRATCH = 65536 + 64, /* the largest datagram, and more to see that it is too large */
	DOOR_UIO = 1024,           /* IOV_MAX */
};
#define DOOR_END_BYTES 212992      /* SO_SNDBUF of the ends in bulk (the kernel doubles it); must let one kernel buffer of the
				    * program's newest byte stay charged and poll still say writable: 4 x 48 KiB < 2 x this */
#define DOOR_LIVE_NS NS_PER_S      /* how often the liveness of a connecting descriptor is looked at */
#define DOOR_DRAIN_NS (3 * NS_PER_S) /* the program has ended: how long closed sockets may empty themselves */

/* Not results: */
#define ANSWER_CONTINUE (INT64_MIN + 1) /* the kernel shall do it */
#define ANSWER_HELD (INT64_MIN + 2)     /* not yet: run the handler again when the socket moved */
#define ANSWER_GIVEN (INT64_MIN + 3)    /* answered already (a descriptor was injected), or withdrawn */

/* What target_* and door_inject say when the program has left the call (a signal, its death). No program sees it. */
#define WITHDRAWN (-ERESTART)

struct dsock;

/* A received datagram outside the pair and the stack. */
struct dgram {
	struct dgram *next;
	struct via_sockaddr from, to;
	uint32_t len;
	uint8_t data[];
};

struct call {
	uint64_t id;      /* of the notification */
	pid_t tid;
	int nr;
	uint64_t arg[6];
	bool again;       /* a held call is run again */
	bool once;        /* doing it twice would differ: an answer that could not be given is kept for the repeated call */
	int64_t timeout;  /* for ANSWER_HELD: ns it may wait, TIME_NEVER: for ever */
	int timeout_err;
	uint32_t sent;    /* bytes that an earlier run of it has sent */
	/* The answer could not be given: put back what was taken. */
	void (*undo)(struct door *d, struct dsock *s);
};

struct held {
	struct held *next;
	struct call call;
	int64_t deadline;
	int64_t (*run)(struct door *d, struct call *c, struct dsock *s);
};

enum dsock_state {
	DS_FRESH,      /* neither connected nor listening */
	DS_CONNECTING,
	DS_OPEN,       /* connected, stream */
	DS_LISTEN,
	DS_DRAIN,      /* the program's last close was seen; its bytes still go to the stack */
	DS_QUEUED,     /* accepted from the stack, could not be given to the program yet */
	DS_BROKEN,     /* reset or refused; our end is closed, the program's may be open still */
};

/* An option the stack does not have and the door keeps: see opts.c. */
struct kept_opt {
	uint16_t level, name;
	uint32_t len;
	uint8_t val[16];
};

struct dsock {
	struct via_handler h;      /* first: its address is the cookie */
	struct door *d;
	struct dsock *hash_next;
	struct dsock *prev, *next; /* all of the door */
	ino_t ino;                 /* of the program's end */
	via_sock s;
	int end;                   /* ours, or -1 */
	int dup;                   /* the program's, borrowed while a connect is pending, or -1 */
	uint8_t type;              /* enum via_type */
	bool is_v6;                /* AF_INET6 */
	uint8_t state;             /* enum dsock_state */
	pid_t pid;                 /* who called last, with which descriptor: where to look whether it lives */
	int fd;
	struct held *held, **held_tail;
	struct kept_opt *kept;
	int n_kept;
	int64_t rcvtimeo, sndtimeo; /* ns, TIME_NEVER: none */
	int so_error;              /* positive: why it is DS_BROKEN */
	bool bound;                /* bind() was called */
	bool sized;                /* SO_SNDBUF or SO_RCVBUF was set */
	bool linger0;              /* close resets */
	bool want_out;             /* EPOLLOUT is asked for at our end */
	bool has_peer;             /* datagram: connected */
	bool untold;               /* open, and no connect() has said so yet */
	bool is_deferred;          /* open, but the stack waits for text before it opens (TCP_FASTOPEN_CONNECT) */
	bool renamed;              /* the peer is the resolver; the program sees shown_peer */
	struct via_sockaddr shown_peer;

	/* stream.c. Bytes at the head of our queue that are in the stack already: 0 or 1. */
	uint8_t ahead;
	bool sink_out;             /* the stack takes no more of the program's bytes */
	bool sink_in;              /* the program reads no more */
	bool eof_out, fin_out;     /* the program shut its sending side; the stack was told */
	bool fin_in;               /* the peer's FIN was passed on */
	bool shut_rd, shut_wr;     /* shutdown() was seen */

	/* listen.c */
	uint32_t tokens;           /* bytes that lie in the program's end */
	struct dsock *queue;       /* DS_QUEUED, first to be accepted first; linked by hash_next */

	/* dgram.c */
	bool head;                 /* a datagram, or the mark of an error, lies in the program's end */
	bool head_is_error;
	struct via_sockaddr head_from, head_to;
	uint8_t *unsent;           /* taken from the program, not yet by the stack */
	uint32_t unsent_len;
	struct dgram *back;        /* received, given to a call that was withdrawn; first to come first */
	bool pktinfo, pktinfo6;    /* IP_PKTINFO, IPV6_RECVPKTINFO is wanted */
	struct { uint16_t id; struct via_sockaddr server; } asked[DOOR_DNS_ASKED]; /* unconnected questions, by DNS id */
	uint8_t n_asked;
};

struct door {
	struct loop *loop;
	struct host_node *node;
	struct via *v;
	struct via_addr resolver;
	bool has_resolver;
	void (*ended)(void *ctx, int status);
	void *ctx;

	pid_t pid;
	uint64_t born;             /* when it began, as /proc tells it */
	bool child_gone;
	int status;                /* of the program, as a shell has it */
	int64_t drain_until;
	bool told;                 /* ended() was called */
	int listener;              /* the seccomp notify descriptor, or -1 */
	int ends;                  /* epoll of our ends: looked at before each call, so that what a program did before it is seen */
	struct loop_task task;
	size_t req_bytes, resp_bytes; /* this kernel's sizes */
	void *req, *resp;

	struct dsock *bucket[DOOR_BUCKETS];
	struct dsock *socks;       /* all */
	uint32_t n_socks, n_broken, n_pending; /* pending: connecting with a borrowed descriptor */
	struct { pid_t tid; int fd; } pidfd[DOOR_PIDFDS];
	struct { pid_t tid; int nr; uint64_t arg[6]; int64_t result; } replay[DOOR_REPLAYS];
	int64_t held_next;         /* when the first held call's time is over */
	int64_t live_at;           /* next look at connecting and broken sockets */
	struct { pid_t tid, group; } group[DOOR_PIDFDS];
	pid_t refused;             /* the last process complained about */

	struct door_stats stats;
	struct iovec iov[DOOR_UIO];
	uint8_t scratch[DOOR_SCRATCH];
	struct dgram *taken;       /* the last one given to a notified receive, should it come back; room for DOOR_SCRATCH */
};

/* --- filter.c --- */
/* The program into f, which holds DOOR_FILTER_MAX; returns its length. */
enum { DOOR_FILTER_MAX = 128 };
int door_filter_build(struct sock_filter *f);
/* Install it in this process (after no_new_privs). Returns the notify descriptor or -errno. */
int door_filter_install(void);

/* --- notify.c --- */
int door_notify_start(struct door *d);          /* d->listener is set; 0 or -errno */
void door_notify_stop(struct door *d);
bool door_call_valid(struct door *d, const struct call *c);
/* Run the held calls of s again, in order. s may be gone when it returns. */
void door_held_run(struct dsock *s);
void door_held_answer(struct dsock *s, int err); /* all of them, with -errno or 0 */
void door_held_connected(struct dsock *s);       /* connect() is answered, what else waited is run */
void door_held_prune(struct dsock *s);           /* forget those that were withdrawn */
void door_held_expire(struct door *d, int64_t now); /* those whose time is over; sets d->held_next */
/* Give `fd` (borrowed) to the program as the result of call c. Its number there; WITHDRAWN; -EMFILE. */
int door_inject(struct door *d, struct call *c, int fd, bool cloexec);
/* Put `fd` at the program's number `at`, c stays open. Its number or -errno. */
int door_inject_at(struct door *d, struct call *c, int fd, int at, bool cloexec);

/* --- target.c: the program's memory and descriptors --- */
/* 0, -EFAULT, or WITHDRAWN. */
int door_target_read(struct door *d, const struct call *c, uint64_t addr, void *buf, size_t len);
int door_target_write(struct door *d, const struct call *c, uint64_t addr, const void *buf, size_t len);
/* Gather from, scatter to the program's iovec array of n at addr: bytes, or -EFAULT, -EINVAL, WITHDRAWN. */
int64_t door_target_gather(struct door *d, const struct call *c, uint64_t addr, uint64_t n, void *buf, size_t len);
int64_t door_target_scatter(struct door *d, const struct call *c, uint64_t addr, uint64_t n, const void *buf, size_t len);
int64_t door_target_room(struct door *d, const struct call *c, uint64_t addr, uint64_t n); /* bytes the array has room for */
/* The program's sockaddr for s as ours. -EINVAL, -EAFNOSUPPORT, -EFAULT. *family is set when 2 bytes could be read. Datagrams of an
 * AF_INET6 socket may name a sockaddr_in too, as in Linux. */
int door_target_addr_read(const struct dsock *s, const struct call *c, uint64_t addr, uint64_t len, struct via_sockaddr *out, int *family);
/* Write a sockaddr of the family of s cut to *lenp as the kernel does; addr 0: nothing. 0 or -errno. */
int door_target_addr_write(const struct dsock *s, const struct call *c, uint64_t addr, uint64_t lenp, const struct via_sockaddr *a);
/* Inode behind the caller's descriptor fd: 0 when it is no socket, -errno in *err when we may not look. */
ino_t door_target_inode(struct door *d, const struct call *c, int fd, int *err);
ino_t door_target_inode_at(pid_t pid, int fd, int *err);
/* The process (thread group) of a thread. */
pid_t door_target_group(struct door *d, pid_t tid);
/* A duplicate of the caller's descriptor of s, to be closed before the answer; or -errno. */
int door_target_borrow(struct door *d, const struct call *c, struct dsock *s);
/* The same at any time, by s->pid and s->fd. */
int door_target_borrow_known(struct door *d, struct dsock *s);
/* Somebody of the program's tree who holds s, put into s->pid and s->fd. Slow; for what was lost sight of. With NULL the
 * same for all broken ones in one walk, and false. */
bool door_target_search(struct door *d, const struct dsock *s);
/* When a process began, in the kernel's ticks; 0: unknown. */
uint64_t door_target_born(pid_t pid);
/* Processes of the program's tree that live, when the program itself has ended; at most 256 are looked at. Orphans that
 * other programs of this supervisor left since ours began are counted too: nothing tells them apart. */
unsigned door_target_count(struct door *d);
/* Is the caller's descriptor of s non-blocking? */
bool door_target_nonblock(struct door *d, const struct call *c, struct dsock *s);
bool door_target_cloexec(pid_t pid, int fd);
/* May we look into the caller at all? Complains by name, once. */
bool door_target_may(struct door *d, const struct call *c);
void door_target_forget(struct door *d);

/* --- table.c --- */
struct dsock *door_table_find(struct door *d, ino_t ino);
void door_table_add(struct door *d, struct dsock *s, ino_t ino);
void door_table_del(struct door *d, struct dsock *s);

/* --- make.c: the life of a dsock --- */
/* A dsock with no pair and no socket of the stack yet. NULL when memory is out or the cap is reached. */
struct dsock *door_dsock_new(struct door *d, enum via_type type, bool is_v6);
/* A pair for s: our end watched, *theirs (gives) to be injected; in the table. 0 or -errno. */
int door_dsock_pair(struct dsock *s, bool nonblock, int *theirs);
/* Ask for these events of our end, edge-triggered; asking again makes an edge of what is there already. 0 or -errno. */
int door_dsock_watch(struct dsock *s, uint32_t events);
/* See what happened at our ends. */
void door_ends_run(struct door *d);
/* Close our end; the program's shows what it shows. */
void door_dsock_end_close(struct dsock *s);
/* Away with it: end, held calls, and the stack's socket (orderly, or reset). */
void door_dsock_free(struct dsock *s, bool reset);
/* Does its last known holder have it still? */
bool door_dsock_lives(const struct dsock *s);
/* The same, and if not, does anybody else of the program's tree? */
bool door_dsock_held(struct dsock *s);
/* Free the broken sockets nobody holds any more. */
void door_dsock_sweep(struct door *d);
int64_t door_call_socket(struct door *d, struct call *c, struct dsock *s);

/* --- stream.c --- */
void door_stream_ready(struct dsock *s, uint32_t events); /* our end */
void door_stream_event(struct dsock *s, uint32_t edges);  /* the stack */
void door_stream_pump_out(struct dsock *s);
void door_stream_pump_in(struct dsock *s);
/* The connection failed with err: the program shall see a reset. */
void door_stream_break(struct dsock *s, int err);
/* Bytes the program wrote that the stack has not taken. */
uint32_t door_stream_waiting(const struct dsock *s);
/* Size the ends from SO_SNDBUF and SO_RCVBUF (`theirs`: a borrowed program's end, or -1). */
void door_stream_sizes(struct dsock *s, int theirs);
int64_t door_call_shutdown(struct door *d, struct call *c, struct dsock *s);
int64_t door_call_stream_send(struct door *d, struct call *c, struct dsock *s); /* sendto and sendmsg with an address */
/* fastopen.c: n bytes in d->scratch, for the address at `name`; dontwait: MSG_DONTWAIT. As a handler. */
int64_t door_fastopen_send(struct door *d, struct call *c, struct dsock *s, uint64_t name, uint32_t name_len, uint32_t n, bool dontwait);

/* --- connect.c --- */
int64_t door_call_connect(struct door *d, struct call *c, struct dsock *s);
void door_connect_event(struct dsock *s, uint32_t edges);
/* A connection begins: the program's end becomes unwritable until it stands. 0, or -errno and it is given up. */
int door_connect_pending(struct door *d, struct call *c, struct dsock *s);
void door_connect_look(struct door *d); /* give up descriptors nobody holds */

/* --- listen.c --- */
int64_t door_call_bind(struct door *d, struct call *c, struct dsock *s);
int64_t door_call_listen(struct door *d, struct call *c, struct dsock *s);
int64_t door_call_accept(struct door *d, struct call *c, struct dsock *s);
void door_listen_event(struct dsock *s);
void door_listen_stop(struct dsock *s);

/* --- dgram.c --- */
void door_dgram_ready(struct dsock *s, uint32_t events);
void door_dgram_event(struct dsock *s, uint32_t edges);
void door_dgram_drain(struct dsock *s); /* what the program wrote goes to the stack */
void door_dgram_offer(struct dsock *s); /* a head into the program's end */
/* The next datagram into d->scratch (and d->taken): its length, or -errno. fd: the program's end, borrowed. */
int64_t door_dgram_take(struct dsock *s, int fd, bool peek, struct via_sockaddr *from, struct via_sockaddr *to);
void door_dgram_untake(struct door *d, struct dsock *s); /* an `undo` */
int64_t door_call_dgram_connect(struct door *d, struct call *c, struct dsock *s, const struct via_sockaddr *to, int family);
int door_dgram_error_take(struct dsock *s, int borrowed); /* pending error, positive, with its mark */
void door_dgram_free(struct dsock *s);

/* --- message.c: the notified sends and receives --- */
int64_t door_call_sendto(struct door *d, struct call *c, struct dsock *s);
int64_t door_call_recvfrom(struct door *d, struct call *c, struct dsock *s);
int64_t door_call_sendmsg(struct door *d, struct call *c, struct dsock *s);
int64_t door_call_recvmsg(struct door *d, struct call *c, struct dsock *s);
int64_t door_call_sendmmsg(struct door *d, struct call *c, struct dsock *s);
int64_t door_call_recvmmsg(struct door *d, struct call *c, struct dsock *s);

/* --- opts.c --- */
int64_t door_call_getsockopt(struct door *d, struct call *c, struct dsock *s);
int64_t door_call_setsockopt(struct door *d, struct call *c, struct dsock *s);

/* --- names.c --- */
int64_t door_call_getsockname(struct door *d, struct call *c, struct dsock *s);
int64_t door_call_getpeername(struct door *d, struct call *c, struct dsock *s);
/* A destination of the program: port 53 becomes the resolver. True when it was changed. */
bool door_names_redirect(struct door *d, struct via_sockaddr *to);
/* Remember a question sent to `asked` without connect, and whose name an answer from the resolver bears. */
void door_names_asked(struct dsock *s, const uint8_t *msg, uint32_t len, const struct via_sockaddr *asked);
void door_names_answer(struct dsock *s, const uint8_t *msg, uint32_t len, struct via_sockaddr *from);
/* connect() of a descriptor that is not ours: name-service daemons are refused. */
int64_t door_call_foreign_connect(struct door *d, struct call *c);

/* --- ioctl.c --- */
int64_t door_call_ioctl(struct door *d, struct call *c, struct dsock *s);
/* What any socket may ask about interfaces; ANSWER_CONTINUE for another request. libc's if_nametoindex() asks by an AF_UNIX one. */
int64_t door_call_iface(struct door *d, struct call *c);

/* The stack was called: its runner must look. */
static inline void door_touched(struct door *d)
{
	d->node->touched(d->node);
}

#endif
