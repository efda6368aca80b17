/* lab/lab.h - an internet in one process: nodes, links, services from a YAML file, under virtual or real time. */
#ifndef LAB_LAB_H
#define LAB_LAB_H

#include "host/node.h"
#include <jansson.h>
#include <stdio.h>
#include <viaduct/viaduct.h>

struct lab;

/* Where a topology is wrong. */
struct lab_error {
	char file[256];     /* empty: no topology is to blame, text says what is */
	int line, col;      /* 0: unknown */
	char text[256];     /* one sentence */
};

/* Gilbert's and Elliott's two states of a link, as netem's gemodel: loss comes in bursts. */
struct lab_gemodel {
	uint32_t p_ppb, r_ppb;      /* good to bad, bad to good; per packet. p_ppb 0: not in use */
	uint32_t bad_ppb, good_ppb; /* loss in the bad state (1-h), in the good one (1-k) */
};

/* netem's words, per direction; police and burst are tc's. */
struct lab_impair {
	int64_t delay_ns, jitter_ns;
	uint32_t loss_ppb, reorder_ppb, duplicate_ppb, corrupt_ppb, mangle_ppb;
	struct lab_gemodel ge;
	uint64_t rate_bps;  /* bits per second, 0: unlimited */
	uint32_t limit;     /* packets queued, 0: 1000 */
	uint64_t police_bps;/* bits per second beyond which packets are dropped, 0: no policer */
	uint32_t burst;     /* bytes the policer lets pass at once, 0: 10 ms at its rate, at least 3000 */
};

struct lab_opts {
	uint64_t seed;
	bool has_seed;           /* else the file's, else 1 */
	bool real_time;          /* paced by the clock */
	const char *pcapng;      /* capture everything here, or NULL */
	bool no_impairments;     /* all links clean */
	bool trace_hash;         /* keep lab_trace_hash() */
	bool story;              /* keep what lab_story() needs */
	size_t packet_bytes;     /* caps on packet memory of all nodes together, and on protocol state of each; 0: */
	size_t arena_bytes;      /* 2 GiB; 256 MiB, or 64 MiB in a lab of more than 64 nodes */
	const char *link;        /* "KEY=VALUE,...": of all links, over what the topology says of each; or NULL */
	const char *www;         /* "NODE=DIR": NODE's http service serves DIR instead of the file's folder; or NULL */
	const char *mail;        /* "NODE=DIR": NODE's smtp service keeps its Maildirs in DIR; or NULL */
};

/* Parse and check only: a file, or one line as lab_load_shape() reads it. 0 or -EINVAL with *err. */
int lab_check(const char *file, struct lab_error *err);
int lab_check_shape(const char *words, struct lab_error *err);
/* Build from a file, or from text (name is used in errors). NULL with *err. */
struct lab *lab_load(const char *file, const struct lab_opts *o, struct lab_error *err);
struct lab *lab_load_text(const char *text, size_t len, const char *name, const struct lab_opts *o, struct lab_error *err);
/* Build a shape named in one line: "line,3", "ring,5", "clos,2,4", "tree,3,10" (topo_shape.c). */
struct lab *lab_load_shape(const char *words, const struct lab_opts *o, struct lab_error *err);
void lab_free(struct lab *l);
const char *lab_name(const struct lab *l);

/* A host or router by name (borrowed), or NULL. For an error sentence: lab_node_kind() gives "host", "router", "switch",
 * "tap" or "wan", or NULL; lab_node_nearest() the nearest name of a host or router, if one is near. */
struct host_node *lab_node(struct lab *l, const char *name);
const char *lab_node_kind(struct lab *l, const char *name);
const char *lab_node_nearest(struct lab *l, const char *name);
/* Where a node's programs have their DNS questions answered. */
struct via_addr lab_node_resolver(struct lab *l, const char *node);

/* Virtual time: run until `until` (ns since start), or until nothing is left to happen, or done(ctx) says true (asked after each event). */
void lab_run(struct lab *l, int64_t until, bool (*done)(void *ctx), void *ctx);
int64_t lab_now(const struct lab *l);
/* Let the lab run, under either time, until every interface that asks for its address by DHCP has one: some seconds, 30 at most. Labs in
 * which nobody asks do not run at all. False: one has none. */
bool lab_settle(struct lab *l);
/* Real time: make it a task of the loop. 0, or -errno, in errno too: of interfaces, or ports that a wan node forwards. */
int lab_attach(struct lab *l, struct loop *loop);
/* Why it did not, in words, with the port that could not be had; borrowed from l (NULL: there is no lab, errno tells). */
const char *lab_attach_error(const struct lab *l);
/* Is something under way, on a link, in a send queue or at a wan node, that may be meant for the outside? Without a wan node: no. */
bool lab_is_busy(struct lab *l);
void lab_detach(struct lab *l);

/* Hash over every packet's bytes, interface and time so far. */
uint64_t lab_trace_hash(const struct lab *l);
/* Per-link, per-direction counters. */
struct lab_link_stats {
	const char *from, *to;   /* "r1:eth1" */
	uint64_t sent, bytes, lost, limited, reordered, duplicated, corrupted, delivered;
	uint64_t cut;      /* of `sent`, under way when the link went down */
	uint64_t too_long; /* frames a switch or tap node dropped because they exceed the link's MTU; in no other count */
	struct lab_impair impair;
};
bool lab_link_get(struct lab *l, int n, struct lab_link_stats *out);
/* What a wan node has carried. False: it is none, or not attached. */
struct lab_wan_stats {
	uint64_t streams, flows, refused, ping_denied; /* as struct gate_stats */
};
bool lab_wan_get(struct lab *l, const char *node, struct lab_wan_stats *out);
/* Change a link's impairments now; both directions. -ENOENT. */
int lab_link_set(struct lab *l, const char *end, const struct lab_impair *i);
/* Change a link while the lab runs: "r1-r2" or, where several join the two, "r1:eth2-r2:eth1"; word: "down", "up", "clean", or one
 * "KEY=VALUE" of a topology file's impairments, over what the link has; one_way: only from the end named first. 0, or -errno after a
 * sentence in err. */
int lab_link_change(struct lab *l, const char *link, const char *word, bool one_way, char err[256]);
/* One such "KEY=VALUE" over what *im holds. */
int lab_impair_word(const char *word, struct lab_impair *im, char err[256]);
/* Everything `via lab inspect` shows, gives. */
json_t *lab_inspect(struct lab *l);
/* What `via ss` shows: {"sockets": [...], "counters": {NODE: {...}}} of one node, or of all (node NULL). Gives. */
json_t *lab_sockets(struct lab *l, const char *node);
/* The same of one stack that is in no lab. */
json_t *stack_sockets(struct via *v, const char *name);
/* What `via nat` and `via filter` show of a node, or NULL if it is no host or router: {"node", "filter": [{"rule", "packets", "bytes"}],
 * "nat": [the same], "connections": [...]}; rules as iptables-save has them, policies as "-P CHAIN TARGET". Gives. */
json_t *lab_filter(struct lab *l, const char *node);
/* Capture while the lab runs, as pcapng into fd (taken, also on failure): what leaves and reaches "NODE" or "NODE:INTERFACE", or NULL:
 * everything, each frame on the interface it leaves by, with comments as `pcapng` of lab_opts. NULL after a sentence in err. */
struct lab_dump;
struct lab_dump *lab_dump_start(struct lab *l, const char *what, int fd, char err[256]);
void lab_dump_stop(struct lab_dump *d);
/* A frame (its first n bytes, of len) in tcpdump's words: "IP 10.0.1.1.40326 > 10.0.4.1.80: Flags [S], seq 1, win 64240, ..., length 0".
 * dlt: 1 Ethernet, 101 IP. */
#define LAB_FRAME_TEXT 512
void lab_frame_text(const uint8_t *frame, size_t n, size_t len, int dlt, char out[LAB_FRAME_TEXT]);
/* The sentence of a drop's name, as in lab_inspect()'s `drops` ("arp.queue_full"); "" if there is none. */
const char *lab_drop_text(const char *name);
/* Everything the demo tells: connections, handshakes, per-path counts, ports, drops, ladder events. Gives. */
json_t *lab_story(struct lab *l);
/* All stacks' arena bytes in use, and at creation (the baseline after services started). */
bool lab_arena_get(struct lab *l, int n, const char **node, size_t *used, size_t *baseline);

#endif
