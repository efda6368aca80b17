/* lab/state.h - struct lab and its nodes, for the files of this room. */
#ifndef LAB_STATE_H
#define LAB_STATE_H

#include "host/map.h"
#include "lab/capture.h"
#include "lab/hash.h"
#include "lab/lab.h"
#include "lab/link.h"
#include "lab/sched.h"
#include "lab/services.h"
#include "lab/story.h"
#include "lab/switch.h"
#include "lab/task.h"
#include "lab/topo.h"
#include "lab/watch.h"
#include "pkt/trace.h"

struct dhcp_lease;

struct lab_node {
	struct host_node hn; /* first */
	struct lab *lab;
	const struct topo_node *t;
	int index;
	bool touched;               /* in lab.touched */
	int64_t spin_at;            /* polled again and again at this time: see run.c */
	uint32_t spins;
	struct via *stack;          /* host, router */
	struct trace trace;         /* what the stack drops, for captures */
	uint64_t rx_id;             /* pkt_meta.id of the frame it looks at */
	int rx_ifindex;
	struct lab_switch *sw;      /* switch */
	struct via_driver *tap;     /* tap */
	struct gate *gate;          /* wan, while attached to a loop */
	struct lab_services *services; /* or NULL */
	struct lab_dhcp *dhcp;      /* or NULL: neither asks nor answers */
	size_t baseline;            /* arena bytes after everything was set up */
};

/* A computed route of a node's stack, one next hop. */
struct lab_route {
	int node, ifindex;
	uint32_t net, gateway;
	uint8_t plen;
};

struct lab {
	struct link_env env;        /* first; env.now is the lab's clock */
	char attach_error[128];     /* of a port that could not be had */
	struct topo *topo;
	struct lab_opts opts;
	uint64_t seed;
	struct pktmem *mem;
	struct lab_node *nodes;
	struct link *links;
	char (*end_names)[TOPO_END_NAME]; /* by end */
	int *end_ifindex;           /* by end: at its stack, 0 elsewhere */
	struct sched sched;         /* by node; behind the last one: the tasks */
	struct lab_route *routes;   /* computed ones, sorted */
	int n_routes;
	struct lab_task *tasks;
	struct lab_watch *watches;
	bool is_running;
	struct lab_dump *dumps;     /* captures while it runs */
	struct capture *capture;    /* these three: or NULL */
	struct trace_hash hash;
	struct story *story;
	struct lab_names *names;    /* the zone; made by the first DNS service */
	struct loop *loop;          /* real time */
	struct loop_task task;
	int64_t start;              /* loop time of env.now 0 */
	int *touched, n_touched;
};

/* The driver end of link end `end`. */
static inline struct link_port *lab_port(struct lab *l, int end)
{
	return &l->links[end / 2].port[end % 2];
}

/* --- run.c --- */
/* Poll one node at env.now and note when it wants to be polled again. */
void lab_node_run(struct lab_node *n);
void lab_node_touched(struct host_node *hn);
/* Under real time and between turns: the lab goes on to the present, and the node's clock with it. */
void lab_node_present(struct host_node *hn);

/* --- dump.c: as capture.h's functions, for all captures that were begun while the lab runs --- */
void lab_dumps_add(struct lab *l, const struct link_sent *s);
void lab_dumps_dropped(struct lab_node *n, int end, enum drop why);
/* is_all: also into the descriptors. */
void lab_dumps_flush(struct lab *l, int64_t now, bool is_all);

/* --- routes.c --- */
/* Give all stacks the routes that the topology asks for as it is now. 0, or the first -errno. */
int lab_routes_update(struct lab *l);

/* --- inspect.c --- */
/* What the stacks dropped, so that no link lost it: a list of {node, name, count}. Gives. */
json_t *lab_drops(struct lab *l);

/* --- dhcp.c --- */
/* What the node's ends and services ask for. 0 or -errno. */
int lab_dhcp_start(struct lab_node *n);
void lab_dhcp_stop(struct lab_node *n);
/* Tell the time, after each poll; when it wants to be told next. */
void lab_dhcp_tick(struct lab_node *n);
int64_t lab_dhcp_next(const struct lab_node *n);
/* l->names is new: those who have leases are named. */
void lab_dhcp_name(struct lab *l);
/* The lease of the first end that has one, or NULL. */
const struct dhcp_lease *lab_dhcp_lease(const struct lab_node *n);
/* The IPv4 address of a node's k-th end: the topology's, or the lease's. False: it has none (yet). */
bool lab_end_addr(const struct lab_node *n, int k, struct via_addr *out);
/* Has every end that asks got its address? */
bool lab_dhcp_is_over(const struct lab *l);
/* Whose end has this address? NULL: nobody's. */
const struct lab_node *lab_addr_node(const struct lab *l, const struct via_addr *a);

/* --- filter.c --- */
/* The filter and NAT that the file asks for; the interfaces are there. 0 or -EINVAL with *err. */
int lab_filter_start(struct lab_node *n, struct lab_error *err);

/* --- tap.c --- */
/* Open the interface. 0, or -errno. */
int lab_tap_open(struct lab_node *n);
void lab_tap_close(struct lab_node *n);
/* Frames both ways. */
void lab_tap_run(struct lab_node *n);

/* --- wan.c --- */
/* The gateways of the lab begin, end. 0, or -errno: none has begun. */
int lab_wan_attach(struct lab *l);
void lab_wan_detach(struct lab *l);

/* A 64-bit seed for a purpose of this lab, from its seed and a name. */
uint64_t lab_seed(const struct lab *l, const char *purpose, const char *name);

#endif
