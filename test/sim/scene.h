/* test/sim/scene.h - a scenario of the simulation as a plain value: topology, links, faults, flows. Drawn from a seed, printed,
 * made smaller (shrink.h), played (play.h). Nothing else is random in a run, so a value or its seed replays it. */
#ifndef SIM_SCENE_H
#define SIM_SCENE_H

#include "base/rng.h"
#include "lab/lab.h"

#define SCENE_HOSTS 6
#define SCENE_NODES 12
#define SCENE_LINKS 14
#define SCENE_FAULTS 4
#define SCENE_FLOWS 6

enum scene_shape { SHAPE_PAIR, SHAPE_STAR, SHAPE_SWITCH, SHAPE_DUMBBELL, SHAPE_PATHS, SHAPE_CHAIN, SHAPE_COUNT };

struct scene_link {
	uint8_t a, b; /* nodes: hosts first */
	uint32_t mtu;
	struct lab_impair im[2]; /* [0]: from a to b */
};

enum scene_fault_kind { FAULT_CUT, FAULT_LOSS, FAULT_BLOAT, FAULT_MTU, FAULT_COUNT };
/* Something that begins and ends: a partition, heavy loss, a deep slow queue, a smaller MTU behind a router. */
struct scene_fault {
	uint8_t kind, link;
	uint8_t dirs;      /* bit per direction */
	uint32_t value;    /* FAULT_LOSS: ppb; FAULT_BLOAT: bit/s; FAULT_MTU: bytes */
	int64_t at, ns;
};

enum scene_work { WORK_BULK, WORK_ASK, WORK_SHORT, WORK_HALF, WORK_RESET, WORK_SLOW, WORK_TINY, WORK_ZERO, WORK_COUNT };

/* Socket options of one side; 0: as the stack has it. */
struct scene_opts {
	bool nodelay, cork, quickack, keepalive, linger0;
	uint8_t cc;             /* 0: default, 1: cubic, 2: reno, 3: bbr (if there is one) */
	uint32_t sndbuf, rcvbuf;
	uint32_t maxseg, user_timeout_ms, notsent_lowat, defer_accept;
	uint32_t keepidle, keepintvl, keepcnt;
};

struct scene_flow {
	uint8_t work, from, to;  /* hosts */
	uint8_t conns;           /* one after the other */
	uint8_t backlog;
	int64_t at;
	uint64_t up, down;       /* bytes of each connection */
	uint32_t ask, answer;    /* WORK_ASK: bytes a turn */
	uint32_t chunk;          /* largest write or read of the side that is slow */
	int64_t gap, pause;      /* ns between its calls; WORK_ZERO: how long it reads nothing */
	struct scene_opts o[2];  /* [0]: of the side that connects */
};

struct scene {
	uint64_t seed;
	uint8_t shape, n_hosts, n_nodes, n_links, n_faults, n_flows;
	bool whole_frames;       /* no superframes anywhere */
	bool has_mangled;        /* corruption that no checksum finds: streams may be wrong */
	int64_t calm;            /* from here on nothing is lost any more */
	struct scene_link links[SCENE_LINKS];
	struct scene_fault faults[SCENE_FAULTS];
	struct scene_flow flows[SCENE_FLOWS];
};

void scene_draw(struct scene *s, uint64_t seed);
/* May a connection fail by the rules (heavy loss, long cuts, options that give up early)? */
bool scene_may_fail(const struct scene *s);
/* The topology without impairments, as a lab file. Gives (free). */
char *scene_topology(const struct scene *s);
void scene_print(const struct scene *s, FILE *f);
/* "h1", "r2" or "s0". */
void scene_node_name(const struct scene *s, int node, char out[8]);
bool scene_is_switch(const struct scene *s, int node);

#endif
