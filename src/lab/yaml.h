/* lab/yaml.h - reading a YAML tree with a schema: known keys, typed scalars with units, and sentences with line and column.
 *
 * On libyaml's document tree and not on libcyaml's schemas: those have no mapping whose keys are free (node names), no
 * column of a mistake, and no nearest match. */
#ifndef LAB_YAML_H
#define LAB_YAML_H

#include "lab/topo.h"
#include <yaml.h>

struct yaml_tree {
	yaml_document_t doc;
	const char *file;
	struct lab_error *err;
};
typedef yaml_node_t ynode;

/* 0, or -EINVAL with the error set (nothing to free then). */
int yaml_tree_load(struct yaml_tree *y, const char *text, size_t len, const char *file, struct lab_error *err);
void yaml_tree_free(struct yaml_tree *y);

struct topo_mark yaml_mark(const ynode *n);
#define yaml_fail(y, n, ...) topo_fail((y)->err, (y)->file, yaml_mark(n), __VA_ARGS__)

/* What a mapping may hold. In `out`, values by position in `keys`; NULL where the key is absent. */
#define YAML_KEYS_MAX 24
struct yaml_map {
	const ynode *val[YAML_KEYS_MAX];
};
/* n must be a mapping (or null: an empty one) of the NULL-terminated `keys`; unknown and repeated keys are errors. what: "a node". */
int yaml_map_read(struct yaml_tree *y, const ynode *n, const char *what, const char *const keys[], struct yaml_map *out);
/* The i-th pair of a mapping with free keys; false at the end. */
bool yaml_pair(struct yaml_tree *y, const ynode *map, int i, const ynode **key, const ynode **val);
/* The i-th item of a sequence, or NULL at the end. */
const ynode *yaml_item(struct yaml_tree *y, const ynode *seq, int i);
bool yaml_is_map(const ynode *n);
bool yaml_is_list(const ynode *n);
bool yaml_is_null(const ynode *n);

/* Scalars: 0 or -EINVAL with the error set; `what` names the value in the sentence. */
int yaml_text(struct yaml_tree *y, const ynode *n, const char *what, const char **out);
int yaml_uint(struct yaml_tree *y, const ynode *n, const char *what, uint64_t lo, uint64_t hi, uint64_t *out);
int yaml_time(struct yaml_tree *y, const ynode *n, const char *what, int64_t *ns);     /* "5ms"; ns us ms s; 0 bare */
int yaml_seconds(struct yaml_tree *y, const ynode *n, const char *what, uint64_t lo, uint64_t hi, uint64_t *s); /* "1h"; s m h d */
int yaml_share(struct yaml_tree *y, const ynode *n, const char *what, uint32_t *ppb);  /* "1%"; 0 bare */
/* "gemodel 1% 25%": `word`, then as many shares as are given, 1 to n; those left out keep their value. */
int yaml_shares(struct yaml_tree *y, const ynode *n, const char *what, const char *word, uint32_t *ppb, int max);
int yaml_rate(struct yaml_tree *y, const ynode *n, const char *what, uint64_t *bps);   /* "100mbit" */
int yaml_ip4(struct yaml_tree *y, const ynode *n, const char *what, uint32_t *addr);
int yaml_prefix(struct yaml_tree *y, const ynode *n, const char *what, struct topo_prefix *out); /* a length must be given */
/* An address with a length, or one without, of either family. */
int yaml_net(struct yaml_tree *y, const ynode *n, const char *what, struct via_addr *addr, uint8_t *plen);
int yaml_addr(struct yaml_tree *y, const ynode *n, const char *what, struct via_addr *addr);

/* --- topo_settings.c: the values of a node's keys icmp and sysctl --- */
int topo_icmp(struct yaml_tree *y, const ynode *n, struct topo_node *node);
int topo_sysctls(struct yaml_tree *y, const ynode *n, struct topo_node *node);

/* --- topo_filter.c: the values of a node's keys nat and filter --- */
int topo_nat_read(struct yaml_tree *y, const ynode *n, struct topo_node *node);
int topo_filter_read(struct yaml_tree *y, const ynode *n, struct topo_node *node);

/* --- topo_vlan.c: the values of a host's or router's key vlans, of a switch's ports --- */
int topo_vlans_read(struct yaml_tree *y, const ynode *n, struct topo_node *node);
int topo_ports_read(struct yaml_tree *y, const ynode *n, struct topo_node *node);

/* --- topo_yaml.c --- */
/* "10.0.1.2/24", or "dhcp": it comes from a server. 0 or -EINVAL with the tree's error. */
int topo_read_address(struct yaml_tree *y, const ynode *n, const char *what, enum topo_kind kind, struct topo_prefix *p, bool *asks_dhcp);
/* The plain keys of impairments, over what *i holds. 0 or -EINVAL with the tree's error. */
int topo_impair(struct yaml_tree *y, const ynode *n, struct lab_impair *i);

/* The word of `words` (NULL-terminated) nearest to `word`, or NULL when none is near. */
const char *nearest_word(const char *word, const char *const words[]);
/* Edit distance with swaps of neighbours (Damerau, restricted), at most `limit` + 1. */
unsigned nearest_distance(const char *a, const char *b, unsigned limit);

/* --- topo_wan.c --- */
/* A wan node's keys: the values of loopback, dns, tcp, udp; each may be NULL. 0 or -EINVAL with the tree's error. */
/* "ADDRESS" or "ADDRESS:PORT" of a name server. */
int topo_wan_server(struct yaml_tree *y, const ynode *n, struct via_sockaddr *out);
int topo_wan_read(struct yaml_tree *y, const ynode *const val[4], struct topo_wan *w);

/* --- topo_dns.c --- */
/* A dns service's own keys: the values of forward and records; each may be NULL. 0 or -EINVAL with the tree's error. */
int topo_dns_read(struct yaml_tree *y, const ynode *forward, const ynode *records, struct topo_service *s);

/* --- topo_dhcp.c --- */
/* A dhcp service. 0 or -EINVAL with the tree's error. */
int topo_dhcp_read(struct yaml_tree *y, const ynode *n, struct topo_dhcp *d);

/* --- topo_ip6.c --- */
/* The file's key ipv6: true, false or the prefix of its subnets. A link's: two addresses. 0 or -EINVAL with the tree's error. */
int topo_ip6_read(struct yaml_tree *y, const ynode *n, struct topo *t);
int topo_ip6_read_link(struct yaml_tree *y, const ynode *n, struct topo *t, int link);

/* --- topo_smtp.c --- */
/* An smtp service's own keys: the values of domains, mailboxes, size; each may be NULL. 0 or -EINVAL with the tree's error. */
int topo_smtp_read(struct yaml_tree *y, const ynode *n, const ynode *const val[3], const char *node, struct topo_service *s);

#endif
