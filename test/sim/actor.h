/* test/sim/actor.h - one end of a connection as a program: what it writes and reads, when, and how it ends.
 *
 * All workloads are one engine: a side may have sent `allowed` bytes by now, which depends on what it has received (turns,
 * half-close) and on its own clock (slow readers, tiny writes). Every byte received is compared with the stream it belongs to,
 * a function of (flow, direction, position), so a byte at a wrong place is seen at once. */
#ifndef SIM_ACTOR_H
#define SIM_ACTOR_H

#include "lab/lab.h"
#include "test/sim/scene.h"

struct actor {
	struct via_handler handler; /* first */
	const struct scene_flow *f;
	struct host_node *node;
	via_sock sock;
	uint8_t side, flow;         /* side 0 connects */
	uint16_t port;              /* the connecting side's */
	bool check;                 /* a wrong byte is an error */
	uint64_t send_bytes, recv_bytes, seed;
	uint64_t sent, received;
	bool connected, fin_sent, fin_seen, is_done, has_reset;
	bool is_told;               /* its player has seen that it is done */
	int error;                  /* 0 or -errno; -EBADMSG: a wrong byte, -EPROTO: a wrong length */
	int64_t *now;               /* the lab's clock */
	int64_t read_at, write_at;  /* its own clock: not before */
	int64_t next;               /* when actor_run() is to be called without an event; TIME_NEVER */
	uint64_t seen_progress;
	int64_t progress_at;
};

/* Fill a; sock and node by the caller. */
void actor_init(struct actor *a, const struct scene *s, int flow, int side, int64_t *now);
/* Options of its side, before connect or listen. 0 or -errno. */
int actor_options(struct via *v, via_sock s, const struct scene_opts *o);
/* Go on as far as possible; sets is_done. edges: of its event, or 0. */
void actor_run(struct actor *a, uint32_t edges);
/* Reset what is open. */
void actor_stop(struct actor *a);
/* A number that changes whenever the connection gets anywhere. */
uint64_t actor_progress(const struct actor *a);

#endif
