/* lab/services.c - see services.h. Each node's services share one arena of their own, mapped when the first one starts.
 * The http service is told a time before 1970, so it sends no Date: a run does not depend on the day it is run. */
#include "lab/services.h"
#include "host/map.h"
#include "lab/folder.h"
#include "lab/maildir.h"
#include "serve/dns.h"
#include "serve/echo.h"
#include "serve/http.h"
#include "serve/smtp.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { SERVICE_ARENA = 64 << 20, ZONE_ARENA = 64 << 20, ZONE_TTL = 60 };
#define BEFORE_1970 (INT64_MIN / 2)

struct lab_names {
	struct host_map map;
	struct arena *arena;
	struct dns_zone zone;
	struct prf_key key; /* for what is asked outside */
};

struct lab_services {
	struct via *via;
	struct host_map map;
	struct arena *arena;
	char name[64]; /* NODE.lab */
	int64_t epoch;
	bool has[TOPO_SMTP + 1];
	struct serve_http http;
	struct serve_files files;
	struct serve_echo echo;
	struct serve_dns dns;
	struct serve_smtp smtp;
	struct serve_mail mail;
	int64_t ticked;
};

static int add_record(struct lab_names *n, const struct topo_record *r)
{
	return r->type ? dns_zone_add_text(n->arena, &n->zone, r->name, r->type, r->preference, r->text)
		       : dns_zone_add(n->arena, &n->zone, r->name, &r->addr);
}

static int add_records(struct lab_names *n, const struct topo_node *node)
{
	int rc = 0;
	for (int i = 0; i < node->n_services; i++)
		for (int k = 0; k < node->services[i].n_records && !rc; k++)
			rc = add_record(n, &node->services[i].records[k]);
	return rc;
}

void lab_names_add(struct lab_names *n, const char *node, const struct via_addr *a)
{
	dns_zone_add(n->arena, &n->zone, node, a);
}

void lab_names_del(struct lab_names *n, const char *node, const struct via_addr *a)
{
	dns_zone_del(n->arena, &n->zone, node, a);
}

bool lab_names_get(const struct lab_names *n, const char *name, struct via_addr *out)
{
	return dns_zone_lookup(n->arena, &n->zone, name, out, 1) > 0;
}

struct lab_names *lab_names_new(const struct topo *t, uint64_t seed)
{
	struct lab_names *n = calloc(1, sizeof *n);
	if (!n || host_map_new(&n->map, ZONE_ARENA)) {
		free(n);
		return NULL;
	}
	n->arena = arena_init(n->map.at, n->map.bytes);
	int rc = n->arena ? dns_zone_init(n->arena, &n->zone, "lab", ZONE_TTL, (struct prf_key){seed, ~seed}) : -ENOMEM;
	for (int i = 0; i < t->n_nodes && !rc; i++)
		for (int e = 0; e < t->nodes[i].n_ends && !rc; e++) {
			const struct topo_prefix *p = &t->ends[t->nodes[i].ends[e]].addr;
			struct via_addr a = via_addr_v4(p->addr);
			rc = p->set ? dns_zone_add(n->arena, &n->zone, t->nodes[i].name, &a) : 0;
			if (rc == -ENOSPC) /* more addresses than an answer tells */
				rc = 0;
		}
	for (int i = 0; i < t->n_nodes && !rc; i++)
		rc = add_records(n, &t->nodes[i]);
	n->key = (struct prf_key){siphash_2_4((struct prf_key){seed, 1}, "ask 1", 5), siphash_2_4((struct prf_key){seed, 2}, "ask 2", 5)};
	if (rc) {
		lab_names_free(n);
		return NULL;
	}
	return n;
}

void lab_names_free(struct lab_names *n)
{
	if (!n)
		return;
	if (n->arena)
		arena_fini(n->arena);
	host_map_free(&n->map);
	free(n);
}

struct lab_services *lab_services_new(struct via *v, const char *node, int64_t epoch)
{
	struct lab_services *s = calloc(1, sizeof *s);
	if (!s || host_map_new(&s->map, SERVICE_ARENA)) {
		free(s);
		return NULL;
	}
	s->via = v;
	s->epoch = epoch;
	snprintf(s->name, sizeof s->name, "%s.lab", node);
	s->ticked = INT64_MIN;
	s->arena = arena_init(s->map.at, s->map.bytes);
	if (!s->arena) {
		host_map_free(&s->map);
		free(s);
		return NULL;
	}
	return s;
}

void lab_services_free(struct lab_services *s)
{
	if (!s)
		return;
	if (s->has[TOPO_HTTP]) {
		serve_http_stop(&s->http);
		folder_close(&s->files);
	}
	if (s->has[TOPO_ECHO])
		serve_echo_stop(&s->echo);
	if (s->has[TOPO_DNS])
		serve_dns_stop(&s->dns);
	if (s->has[TOPO_SMTP]) {
		serve_smtp_stop(&s->smtp);
		maildir_close(&s->mail);
	}
	arena_fini(s->arena);
	host_map_free(&s->map);
	free(s);
}

static int start_http(struct lab_services *s, const char *root, const struct via_sockaddr *local)
{
	int rc = folder_open(root, &s->files);
	if (rc)
		return rc;
	rc = serve_http_start(&s->http, &(struct serve_http_config){.arena = s->arena, .via = s->via, .files = s->files,
		.local = *local}, BEFORE_1970);
	if (rc)
		folder_close(&s->files);
	return rc;
}

static int start_smtp(struct lab_services *s, const struct topo_service *t, const char *root, const struct via_sockaddr *local)
{
	int rc = maildir_open(root, s->name, &s->mail);
	if (rc)
		return rc;
	rc = serve_smtp_start(&s->smtp, &(struct serve_smtp_config){.arena = s->arena, .via = s->via, .mail = s->mail, .name = s->name,
		.domains = (const char *const *)t->domains, .mailboxes = (const char *const *)t->mailboxes, .size_max = t->size,
		.local = *local}, s->epoch);
	if (rc)
		maildir_close(&s->mail);
	return rc;
}

static int start_dns(struct lab_services *s, const struct topo_service *t, const struct via_sockaddr *local, const struct lab_names *names)
{
	size_t len = strlen(s->name);
	struct serve_dns_config c = {.arena = s->arena, .via = s->via, .zone_arena = names->arena, .zone = &names->zone, .local = *local,
		.n_forward = t->n_forward, .key = {siphash_2_4(names->key, s->name, len), siphash_2_4(names->key, s->name, len - 1)}};
	memcpy(c.forward, t->forward, sizeof t->forward);
	return serve_dns_start(&s->dns, &c);
}

int lab_service_start(struct lab_services *s, const struct topo_service *t, const char *root, const struct via_sockaddr *local,
		      const struct lab_names *names)
{
	int rc = -EINVAL;
	if (s->has[t->kind])
		return -EEXIST;
	switch (t->kind) {
	case TOPO_HTTP:
		rc = start_http(s, root, local);
		break;
	case TOPO_ECHO:
		rc = serve_echo_start(&s->echo, &(struct serve_echo_config){.arena = s->arena, .via = s->via, .local = *local});
		break;
	case TOPO_DNS:
		rc = start_dns(s, t, local, names);
		break;
	case TOPO_SMTP:
		rc = start_smtp(s, t, root, local);
		break;
	case TOPO_DHCP: /* dhcp.c */
		break;
	}
	s->has[t->kind] = rc == 0;
	return rc;
}

int64_t lab_services_next(const struct lab_services *s)
{
	return s->has[TOPO_DNS] ? serve_dns_next(&s->dns) : TIME_NEVER;
}

void lab_services_tick(struct lab_services *s, int64_t now)
{
	if (s->has[TOPO_DNS])
		serve_dns_now(&s->dns, now);
	if (s->ticked != INT64_MIN && now - s->ticked < NS_PER_S)
		return;
	s->ticked = now;
	if (s->has[TOPO_HTTP])
		serve_http_tick(&s->http, BEFORE_1970 + now);
	if (s->has[TOPO_ECHO])
		serve_echo_tick(&s->echo, now);
	if (s->has[TOPO_DNS])
		serve_dns_tick(&s->dns, now);
	if (s->has[TOPO_SMTP])
		serve_smtp_tick(&s->smtp, s->epoch + now);
}
