/* lab/topo.h - a topology as values: what the file says, then addresses and routes worked out from it.
 *
 * topo_parse() reads and checks the file (yaml.c, topo_yaml.c); topo_address() groups link ends into subnets (a subnet
 * is what switches join) and numbers those without addresses; topo_routes() finds shortest paths. Pure values on the
 * heap, owned by the topology. Nothing here knows of a stack. */
#ifndef LAB_TOPO_H
#define LAB_TOPO_H

#include "lab/lab.h"

enum topo_kind { TOPO_HOST, TOPO_ROUTER, TOPO_SWITCH, TOPO_TAP, TOPO_WAN };
enum topo_service_kind { TOPO_HTTP, TOPO_ECHO, TOPO_DNS, TOPO_SMTP, TOPO_DHCP };

extern const char *const topo_service_names[]; /* by kind; ends with NULL */

/* Where in the file something stands, both from 1. */
struct topo_mark {
	int line, col;
};

struct topo_prefix {
	uint32_t addr; /* host byte order */
	uint8_t plen;
	bool set;
};

/* An IPv6 address and its prefix length; 0: none. */
struct topo_prefix6 {
	struct via_addr addr;
	uint8_t plen;
};

/* Both of one family. */
struct topo_route {
	struct via_addr to;
	uint8_t plen;
	struct via_addr via;
	struct topo_mark mark;
};

/* A setting of a node's stack by Linux's name. */
struct topo_sysctl {
	char *name, *value;
	struct topo_mark mark;
};

/* Addresses that a DHCP service gives away on one subnet, both included. */
struct topo_range {
	uint32_t first, last;
};

/* What a file says of a dhcp service; topo_dhcp_plan() works out the rest. */
struct topo_dhcp {
	struct topo_range ranges[8]; /* none: the upper half of each subnet in which somebody asks */
	struct topo_mark marks[8];
	int n_ranges;
	uint32_t lease_s;            /* 0: the usual; UINT32_MAX: for ever */
	uint32_t router;             /* 0: the node itself, or a router of the subnet */
	uint32_t dns[3];
	int n_dns;                   /* 0: whoever answers for names in the lab */
	uint16_t mtu;                /* 0: not told */
};

/* A record of the lab's names that no node's address makes. */
struct topo_record {
	char *name, *text;           /* text: of a CNAME or MX a name; NULL: addr is meant */
	uint16_t type, preference;   /* DNS_CNAME, DNS_MX, DNS_TXT; 0: an address */
	struct via_addr addr;
	struct topo_mark mark;
};

struct topo_service {
	enum topo_service_kind kind;
	uint16_t port;
	char *root; /* http: the folder, smtp: the Maildirs'; relative ones resolved against the file's */
	char **domains, **mailboxes; /* smtp: NULL-terminated; mailboxes NULL: every name is one */
	uint64_t size;               /* smtp: octets of a message, 0: the usual */
	struct topo_dhcp dhcp;
	struct via_sockaddr forward[3]; /* dns: who is asked what the lab does not know */
	int n_forward;
	struct topo_record *records; /* dns */
	int n_records;
	struct topo_mark mark;
};

/* A line of a node's filter, or a rule of its NAT. */
struct topo_rule {
	enum via_change_kind kind;      /* VIA_FILTER_APPEND, VIA_FILTER_POLICY, VIA_FILTER_FLUSH or VIA_NAT_ADD */
	struct via_filter_rule filter;  /* of the first three */
	struct via_nat_rule nat;        /* of the last */
	char inner[32];                 /* the node that a forward leads to, if the file names no address */
	struct topo_mark mark;
};

#define TOPO_VLANS_MAX 64 /* different ones in a lab */

/* A VLAN interface of a host or router: "eth1.10". */
struct topo_vlan {
	char ifname[16];
	uint16_t vid;
	struct topo_prefix addr;
	bool asks_dhcp;
	struct topo_mark mark;
};

/* What a switch does at a port: frames of VLAN `access` leave it untagged, and those that come so are of it; those of `vids`, or of all
 * VLANs, are tagged. */
struct topo_port {
	char ifname[16];
	uint16_t access; /* 0: none */
	bool has_all;
	uint16_t vids[TOPO_VLANS_MAX];
	int n_vids;
	struct topo_mark mark;
};

/* A port of the machine's that leads to one of a node. */
struct topo_forward {
	bool is_udp;
	struct via_sockaddr host;
	char guest[64];            /* a node's name or an address; empty: who is at the other end of the wan's first link */
	uint16_t port;
	struct topo_mark mark;
};

/* A gateway to the outside (gate/gate.h). */
struct topo_wan {
	struct via_addr loopback[2]; /* means the machine's 127.0.0.1 (IPv4), ::1; any: nothing does */
	struct via_sockaddr dns;   /* who answers for names; any: the machine's resolver */
	struct topo_forward *forwards;
	int n_forwards;
};

struct topo_node {
	char *name;
	enum topo_kind kind;
	struct topo_mark mark;
	uint32_t mtu; /* 0: the link's */
	struct topo_prefix address; /* for its only link */
	bool asks_dhcp;             /* `address: dhcp` */
	struct topo_mark address_mark;
	struct topo_route *routes; /* given ones; then none are computed */
	int n_routes;
	struct topo_service *services;
	int n_services;
	bool no_icmp;         /* sends no ICMP errors and forwards none */
	struct topo_sysctl *sysctls;
	int n_sysctls;
	struct topo_rule *rules; /* in the file's order, those of the NAT first */
	int n_rules;
	struct topo_vlan *vlans;
	int n_vlans;
	struct topo_port *ports; /* of a switch; none: it minds no VLANs */
	int n_ports;
	char tap[16];
	struct topo_wan wan;
	int *ends; /* indices of topo.ends, in the order of the links */
	int n_ends;
};

/* One end of a link; the ends of link i are 2i and 2i+1. Behind those of all links come VLAN interfaces, ends of their parent's link. */
struct topo_end {
	int node;
	uint16_t vlan;      /* not 0: that VLAN of end `parent` */
	int parent;
	bool is_bare;       /* carries VLANs and has no address of its own */
	uint16_t access;    /* at a switch: as in struct topo_port; tagged: bits by topo.vids */
	uint64_t tagged;
	int domain; /* -1 at a switch */
	char ifname[16];
	struct topo_prefix addr; /* not set at a switch, nor where it comes by DHCP */
	struct topo_prefix6 addr6; /* not set where it comes by autoconfiguration */
	bool asks_dhcp;
	bool is_auto6; /* makes its IPv6 address from what a router advertises */
	bool is_outer; /* the node hides by it who is inside: nobody's way leads in here */
	struct topo_mark mark;
};

struct topo_link {
	struct lab_impair impair[2]; /* [0]: from the first end to the second */
	struct topo_prefix subnet;
	uint32_t mtu;
	bool is_down;         /* now, in a lab that runs: no route leads over it */
	struct topo_mark mark;
};

/* A subnet: link ends that reach each other without a router. */
struct topo_domain {
	uint32_t net;
	uint8_t plen;
	struct topo_prefix6 net6; /* not set: no IPv6 there */
	uint32_t mtu; /* the smallest of its links' */
	int *ends;
	int n_ends;
};

struct topo {
	char *name, *file;
	uint64_t seed;
	bool has_seed;
	struct topo_prefix6 prefix6; /* the /64s of the subnets are counted in it; not set: only where links name addresses */
	struct topo_node *nodes;
	int n_nodes;
	int *name_slots; /* topo_name_add()'s */
	uint32_t n_name_slots;
	struct topo_end *ends;
	int n_ends; /* two for each link, and VLAN interfaces */
	uint16_t vids[TOPO_VLANS_MAX]; /* all that are named */
	int n_vids;
	struct topo_link *links;
	int n_links;
	struct topo_domain *domains;
	int n_domains;
};

#define TOPO_END_NAME 96 /* bytes of a "node:interface" */
#define TOPO_NODES_MAX 65536
#define TOPO_IFACES_MAX 62    /* of a host or router */
#define TOPO_SWITCH_PORTS 64
#define TOPO_PATHS_MAX 8 /* equal paths to one destination that are installed */

/* Parse, check and number. Gives, or NULL with *err. */
struct topo *topo_parse(const char *text, size_t len, const char *file, struct lab_error *err);
/* The same from one line, "tree,3,10" (topo_shape.c). */
struct topo *topo_shape(const char *words, struct lab_error *err);
void topo_free(struct topo *t);
void topo_words_free(char **words); /* a NULL-terminated list, or NULL */
int topo_node_find(const struct topo *t, const char *name); /* index or -1 */
/* The newest node, which has its name now, can be found. 0 or -ENOMEM. */
int topo_name_add(struct topo *t, int node);
/* Subnets and addresses. 0 or -EINVAL with *err. */
int topo_address(struct topo *t, struct lab_error *err);
/* The link that an end, or a VLAN interface, is at. */
static inline int topo_end_link(const struct topo *t, int end) { return (t->ends[end].vlan ? t->ends[end].parent : end) / 2; }
/* The first address of a node, or NULL. */
const struct topo_prefix *topo_node_addr(const struct topo *t, int node);
/* --- topo_vlan.c --- */
/* What files say of VLANs is put where it belongs: interfaces become ends, ports know what they tag. 0 or -EINVAL with *err. */
int topo_vlan_place(struct topo *t, struct lab_error *err);
/* --- topo_domain.c --- */
/* Which ends share a subnet: t->domains, and `domain` of ends. 0 or -ENOMEM. */
int topo_domains(struct topo *t);
/* The root of i in a forest of links upwards. */
int topo_root(int *up, int i);
/* Where forward f of node `wan` leads: to the address of *end in the family it listens in, or in the other one, if it has none in that;
 * or, with *end -1, to *out. 0, or -EINVAL: no such node or address, or it has none. */
int topo_forward_guest(const struct topo *t, int wan, const struct topo_forward *f, int *end, bool *is_v6, struct via_addr *out);
/* --- topo_dns.c --- */
void topo_dns_free(struct topo_service *s);
/* An alias has no other record, and no node its name. 0 or -EINVAL with *err. */
int topo_dns_check(const struct topo *t, struct lab_error *err);

/* --- topo_dhcp.c --- */
/* What a node's dhcp service gives away at one of its ends. */
struct topo_dhcp_plan {
	int end;
	struct topo_range range;
	uint32_t router, dns[3];
	int n_dns;
};
/* At most n of them. How many there are. */
int topo_dhcp_plan(const struct topo *t, int node, const struct topo_service *s, struct topo_dhcp_plan *out, int n);
/* Is addr in a range that the file gives away in subnet d? Then *last is the range's end. */
bool topo_dhcp_is_given(const struct topo *t, const struct topo_domain *d, uint32_t addr, uint32_t *last);
/* Ranges lie in their node's subnets and hold nobody's address. 0 or -EINVAL with *err. */
int topo_dhcp_check(const struct topo *t, struct lab_error *err);

/* --- topo_filter.c --- */
/* Interfaces that the rules name exist, forwards get their addresses, and ends that the NAT hides behind know it. 0 or -EINVAL with
 * *err. */
int topo_filter_check(struct topo *t, struct lab_error *err);

/* "home:eth1" of an end. */
void topo_end_name(const struct topo *t, int end, char out[TOPO_END_NAME]);

/* --- topo_ip6.c --- */
/* Every subnet is to have a /64 of the usual prefix, as `ipv6: true` in a file. */
void topo_ip6_everywhere(struct topo *t);
/* Subnets, addresses, and who makes its own. 0 or -EINVAL with *err. */
int topo_ip6_address(struct topo *t, struct lab_error *err);
/* Does IPv6 run at this end? Switches have none; taps' and wans' is their own business. */
bool topo_ip6_is_on(const struct topo *t, int end);
/* Anywhere? */
bool topo_ip6_is_used(const struct topo *t);

/* A computed route: a prefix and its equal next hops. */
struct topo_hop {
	struct via_addr gateway;
	int end; /* the link end it leaves by */
};
struct topo_path {
	struct via_addr net;
	uint8_t plen;
	uint8_t n_hops;
	struct topo_hop hops[TOPO_PATHS_MAX];
};
/* Called once per route of a node. */
typedef void topo_route_cb(void *ctx, int node, const struct topo_path *p);
/* Shortest paths (hops) from every host, router and wan to every subnet, equal ones all kept, neighbouring prefixes with the
 * same next hops merged; the default leads to the nearest wan, without one a host's most used next hops become its default. So
 * in IPv4; in IPv6 a host's default is what routers advertise, and only hosts with several links get routes beside it.
 * Nodes with routes of their own in a family and directly connected subnets are passed over. 0 or -ENOMEM. */
int topo_routes(const struct topo *t, topo_route_cb *cb, void *ctx);

/* Fill err: file, place and a printf sentence. Returns -EINVAL. */
int topo_fail(struct lab_error *err, const char *file, struct topo_mark at, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#endif
