/* lab/services.h - the services a node runs by itself: http (a folder), echo, dns, smtp (into Maildirs).
 * They use the public socket API only. */
#ifndef LAB_SERVICES_H
#define LAB_SERVICES_H

#include "lab/topo.h"

struct lab_services;
struct lab_names;

/* The lab's names in one zone, shared by all its DNS services. NULL: no memory. */
struct lab_names *lab_names_new(const struct topo *t, uint64_t seed);
void lab_names_free(struct lab_names *n);
/* A node has an address, has it no more: what comes and goes while the lab runs. */
void lab_names_add(struct lab_names *n, const char *node, const struct via_addr *a);
/* The first address of a name. False: it has none. */
bool lab_names_get(const struct lab_names *n, const char *name, struct via_addr *out);
void lab_names_del(struct lab_names *n, const char *node, const struct via_addr *a);

/* epoch: what the lab's time 0 is for mail's dates, ns since 1970. */
struct lab_services *lab_services_new(struct via *v, const char *node, int64_t epoch); /* borrows both; NULL: no memory */
void lab_services_free(struct lab_services *s);
/* Start one; t is borrowed for its life. root: the http folder, the Maildirs' folder. names: the zone, borrowed (dns). 0 or -errno. */
int lab_service_start(struct lab_services *s, const struct topo_service *t, const char *root, const struct via_sockaddr *local,
		      const struct lab_names *names);
/* Tell the time, after each poll; when a service wants to be told next at the latest. */
void lab_services_tick(struct lab_services *s, int64_t now);
int64_t lab_services_next(const struct lab_services *s);

#endif
